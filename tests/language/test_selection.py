"""Selection: every form of a filter for every type of field, what is refused, and what a person writes."""

from __future__ import annotations

import datetime
import string

import numpy as np
import pytest
from hypothesis import given, strategies as st

from zarrange import Key, Layout
from zarrange.errors import FieldError, UnknownKindError
from zarrange.language.selection import read_filters, select

LAYOUT = """\
zarrange: 1
fields:
  run: {type: str, max_length: 20}
  step: {type: int, min: 0, max: 100000}
  shift: {type: float}
  done: {type: bool}
  day: {type: date, min: 2026-01-01}
  time: {type: datetime}
  where: {type: path}
  color: {type: str, choices: [red, green]}
  index: {type: str}
files:
  note: {path: "{{ run }}/notes/{{ step | pad(6) }}{% if index is defined %}/{{ index }}{% endif %}/n"}
  photo: {path: "{{ run }}/photos/{{ color }}/{{ step }}"}
  log: {path: "{{ run }}/logs/{{ day }}/{{ shift }}/{{ done }}"}
  event: {path: "{{ run }}/events/{{ time | date('%Y%m%dT%H%M%S') }}"}
  page: {path: "pages/{{ where }}/x"}
"""

KIND_OF = {
    "run": "note",
    "step": "note",
    "index": "note",
    "color": "photo",
    "day": "log",
    "shift": "log",
    "done": "log",
    "time": "event",
    "where": "page",
}


@pytest.fixture(scope="module")
def layout():
    return Layout.parse(LAYOUT)


def date(day, month=1):
    return datetime.date(2026, month, day)


def time(day, hour=0):
    return datetime.datetime(2026, 1, day, hour)


def admitted(layout, name, given, values):
    """Those of `values` whose keys a filter of one field admits."""
    kind = KIND_OF[name]
    selection = select(layout, kind, {name: given})
    keys = [Key(kind, {} if value is None else {name: value}) for value in values]
    return [value for value, key in zip(values, keys, strict=True) if selection.admits(key)]


SAMPLES = {
    "run": ["r1", "r2", "r3"],
    "step": [0, 1, 10, 1000],
    "shift": [-1.5, 0.0, 1.0, 2.5],
    "done": [True, False],
    "day": [date(1), date(2), date(31), date(1, 2)],
    "time": [time(1), time(1, 12), time(2)],
    "where": ["a", "a/b", "b"],
    "color": ["red", "green"],
    "index": ["i1", "i2", None],
}
ORDERED = ["step", "shift", "day", "time"]


class TestForms:
    """A filter is a value, several values, a range, a slice, a pair of days, or a predicate."""

    @pytest.mark.parametrize("name", SAMPLES)
    def test_a_value(self, layout, name):
        """A value admits itself, whatever the type of the field."""
        for value in SAMPLES[name]:
            assert admitted(layout, name, value, SAMPLES[name]) == [value]

    @pytest.mark.parametrize("name", SAMPLES)
    @pytest.mark.parametrize("form", [list, set, frozenset])
    def test_several_values(self, layout, name, form):
        """A list or a set admits each of its values."""
        first, *_, last = SAMPLES[name]
        assert admitted(layout, name, form([first, last]), SAMPLES[name]) == [first, last]
        assert admitted(layout, name, form([last]), SAMPLES[name]) == [last]

    @pytest.mark.parametrize("name", SAMPLES)
    def test_no_value(self, layout, name):
        """An empty list admits nothing."""
        assert admitted(layout, name, [], SAMPLES[name]) == []

    @pytest.mark.parametrize("name", SAMPLES)
    def test_predicate(self, layout, name):
        """A predicate is asked about values, and never about a field that is absent."""
        asked = []
        assert admitted(layout, name, lambda value: asked.append(value) or True, [*SAMPLES[name], None]) == [
            value for value in SAMPLES[name] if value is not None
        ]
        assert asked == [value for value in SAMPLES[name] if value is not None]
        assert admitted(layout, name, lambda value: value == SAMPLES[name][1], SAMPLES[name]) == SAMPLES[name][1:2]

    def test_a_predicate_may_say_anything(self, layout):
        """What a predicate returns counts as Python takes it for true."""
        assert admitted(layout, "run", lambda run: run.rstrip("1r"), SAMPLES["run"]) == ["r2", "r3"]
        assert admitted(layout, "step", lambda step: step & 1, SAMPLES["step"]) == [1]

    def test_none_is_absent(self, layout):
        """`None` admits the artifacts without the field, alone and among others."""
        assert admitted(layout, "index", None, SAMPLES["index"]) == [None]
        assert admitted(layout, "index", [None], SAMPLES["index"]) == [None]
        assert admitted(layout, "index", [None, "i2"], SAMPLES["index"]) == ["i2", None]

    @pytest.mark.parametrize("kinds", ["note", None])
    def test_never_absent(self, layout, kinds):
        """`None` for a field that no artifact is without is refused: it is not an empty answer."""
        with pytest.raises(FieldError, match=r"field `run` is never absent; to have any value of it, leave the filter"):
            select(layout, kinds, {"run": None})

    @pytest.mark.parametrize(
        ("given", "steps"),
        [
            (range(10), [0, 1]),
            (range(1, 11), [1, 10]),
            (range(0, 2000, 10), [0, 10, 1000]),
            (range(1000, -1, -999), [1, 1000]),
            (range(-5, 1), [0]),
            (range(5, 5), []),
            (range(10**30), [0, 1, 10, 1000]),
        ],
    )
    def test_range(self, layout, given, steps):
        """A range admits the numbers in it, and may reach beyond the field's limits."""
        assert admitted(layout, "step", given, SAMPLES["step"]) == steps

    @pytest.mark.parametrize("name", ORDERED)
    def test_slice(self, layout, name):
        """A slice admits its start and what is before its stop; an open end admits all."""
        values = SAMPLES[name]
        for first in range(len(values)):
            for last in range(len(values)):
                assert admitted(layout, name, slice(values[first], values[last]), values) == values[first:last]
            assert admitted(layout, name, slice(values[first], None), values) == values[first:]
            assert admitted(layout, name, slice(values[first]), values) == values[:first]
        assert admitted(layout, name, slice(None), values) == values

    @pytest.mark.parametrize("name", ["day", "time"])
    def test_pair_of_days(self, layout, name):
        """A pair of days is a slice of them."""
        values = SAMPLES[name]
        assert admitted(layout, name, (values[1], values[2]), values) == values[1:2]
        assert admitted(layout, name, (values[1], None), values) == values[1:]
        assert admitted(layout, name, (None, values[1]), values) == values[:1]

    def test_a_day_begins_a_time(self, layout):
        """An end of times may be a day: its beginning."""
        assert admitted(layout, "time", (date(1), date(2)), SAMPLES["time"]) == [time(1), time(1, 12)]
        assert admitted(layout, "time", slice(date(2), None), SAMPLES["time"]) == [time(2)]

    def test_ends_beyond_the_limits(self, layout):
        """The ends of a slice need not be values of the field."""
        assert admitted(layout, "step", slice(-5, 10**9), SAMPLES["step"]) == SAMPLES["step"]
        assert admitted(layout, "day", (datetime.date(1999, 1, 1), date(2)), SAMPLES["day"]) == [date(1)]

    @pytest.mark.parametrize("given", [slice(None), slice(0, 10), range(3), lambda _: True])
    def test_absent_is_in_no_span(self, given):
        """An artifact without the field is in no range and no slice, and no predicate is asked about it."""
        layout = Layout.parse(
            "zarrange: 1\nfields: {n: {type: int}}\n"
            "files: {note: {path: 'a{% if n is defined %}/{{ n }}{% endif %}/x'}}"
        )
        selection = select(layout, "note", {"n": given})
        assert not selection.admits(Key("note", {}))
        assert selection.admits(Key("note", {"n": 2}))

    def test_numpy_numbers(self, layout):
        """Numbers of numpy are numbers here too, as in rendering."""
        assert admitted(layout, "step", np.int64(10), SAMPLES["step"]) == [10]
        assert admitted(layout, "step", [np.uint8(1), 10], SAMPLES["step"]) == [1, 10]
        assert admitted(layout, "step", slice(np.int32(1), np.int32(1000)), SAMPLES["step"]) == [1, 10]
        assert admitted(layout, "shift", np.float64(2.5), SAMPLES["shift"]) == [2.5]

    @pytest.mark.parametrize(
        ("name", "given", "text"),
        [
            ("run", "r1", "= 'r1'"),
            ("step", [1, 10], "= 1 or 10"),
            ("index", [None, "i1"], "= absent or 'i1'"),
            ("step", [], "= nothing"),
            ("step", range(1, 5), "in range(1, 5)"),
            ("step", slice(1, 5), "from 1 up to, but without, 5"),
            ("step", slice(1, None), "from 1"),
            ("day", (None, date(2)), "up to, but without, 2026-01-02"),
            ("step", slice(None), "any"),
            ("step", bool, "where a predicate holds"),
        ],
    )
    def test_said_for_people(self, layout, name, given, text):
        """What is wanted of a field is said in a few words."""
        assert select(layout, KIND_OF[name], {name: given}).wanted[name].text == text

    @pytest.mark.parametrize(
        ("name", "given", "values"),
        [
            ("run", "r1", ("r1",)),
            ("step", [10, 1, 10], (10, 1)),
            ("index", None, (None,)),
            ("step", range(3), None),
            ("step", slice(3), None),
            ("step", bool, None),
        ],
    )
    def test_what_can_be_counted(self, layout, name, given, values):
        """The values are known where they were given one by one, each once."""
        assert select(layout, KIND_OF[name], {name: given}).wanted[name].values == values


class TestSeveralFilters:
    def test_all_must_hold(self, layout):
        """A key is admitted if every filter admits its value."""
        selection = select(layout, "note", {"run": ["r1", "r2"], "step": slice(10, None), "index": None})
        assert selection.admits(Key("note", {"run": "r1", "step": 10}))
        assert not selection.admits(Key("note", {"run": "r3", "step": 10}))
        assert not selection.admits(Key("note", {"run": "r1", "step": 9}))
        assert not selection.admits(Key("note", {"run": "r1", "step": 10, "index": "i"}))

    def test_none_admits_all(self, layout):
        """Without filters, every key of the kinds is admitted, and none of another kind."""
        selection = select(layout, ["note", "photo"], {})
        assert selection.admits(Key("note", {"run": "r1", "step": 1}))
        assert not selection.admits(Key("page", {"where": "a"}))

    def test_kinds(self, layout):
        """Kinds are one, several, or all that have the filters' fields; several keep their order."""
        assert [*select(layout, "note", {}).kinds] == ["note"]
        assert [*select(layout, ("photo", "note"), {}).kinds] == ["photo", "note"]
        assert [*select(layout, iter(["photo", "note"]), {"step": 1}).kinds] == ["photo", "note"]
        assert {*select(layout, None, {}).kinds} == {*layout.kinds}
        assert {*select(layout, None, {"run": "r1"}).kinds} == {"note", "photo", "log", "event"}
        assert {*select(layout, None, {"run": "r1", "step": 1}).kinds} == {"note", "photo"}
        assert {*select(layout, None, {"index": None}).kinds} == {"note"}


STEPS = "it takes a whole number from 0 to 100000"
OR_RANGE = ", or a range such as FROM..TO, FROM.. or ..TO"
COLORS = "it takes one of 'red', 'green'"
TUPLE = "a tuple is the start and the stop of days; several values are a list"
UNORDERED = "its values have no order that a slice could go by"
DAYS = "it takes a datetime.date of at least 2026-01-01"
UNWRITTEN = "it is not how such a value is written"
TIMES = "it takes a datetime.datetime without a time zone"

REFUSED = [
    ("note", "step", -1, f"does not take -1; {STEPS}"),
    ("note", "step", True, f"does not take True: it is of type bool; {STEPS}"),
    ("note", "step", "1", f"does not take '1': it is of type str; {STEPS}"),
    ("note", "step", [1, 2.0], f"does not take 2.0: it is of type float; {STEPS}"),
    ("note", "step", (1, 5), f"does not take (1, 5): {TUPLE}; {STEPS}"),
    ("note", "step", slice(0, 10, 2), f"does not take slice(0, 10, 2): a slice has no step here; {STEPS}"),
    ("note", "step", slice("a", None), "does not take 'a': it is of type str; it takes a whole number"),
    ("note", "step", slice(0, 1.5), "does not take 1.5: it is of type float; it takes a whole number"),
    ("photo", "color", "blue", f"does not take 'blue'; {COLORS}"),
    ("photo", "color", ["red", 1], f"does not take 1: it is of type int, not str; {COLORS}"),
    ("photo", "color", slice("a", "b"), f"does not take slice('a', 'b', None): {UNORDERED}; {COLORS}"),
    ("photo", "color", range(3), f"does not take range(0, 3): a range is of whole numbers; {COLORS}"),
    ("log", "done", 1, "does not take 1: it is of type int; it takes True or False"),
    ("log", "done", slice(0, 1), f"does not take slice(0, 1, None): {UNORDERED}; it takes True or False"),
    ("log", "done", range(2), "does not take range(0, 2): a range is of whole numbers; it takes True or False"),
    ("log", "shift", range(2), "does not take range(0, 2): a range is of whole numbers; it takes a finite number"),
    ("log", "shift", (1.0, 2.0), f"does not take (1.0, 2.0): {TUPLE}; it takes a finite number"),
    (
        *("log", "shift", float("nan")),
        "does not take nan: it is not finite, not exact as a float, or the negative zero; it takes a finite number",
    ),
    (
        *("log", "day", datetime.datetime(2026, 1, 1)),
        f"does not take datetime.datetime(2026, 1, 1, 0, 0): it is of type datetime; {DAYS}",
    ),
    ("log", "day", (None, None, None), f"does not take (None, None, None): {TUPLE}; {DAYS}"),
    ("log", "day", (), f"does not take (): {TUPLE}; {DAYS}"),
    ("log", "day", ("2026-01-01", None), "does not take '2026-01-01': it is of type str; it takes a datetime.date"),
    ("event", "time", date(1), f"does not take datetime.date(2026, 1, 1): it is of type date; {TIMES}"),
    ("note", "run", ["r1", ["r2"]], "does not take ['r2']: it is of type list, not str; it takes "),
    ("note", "run", {"r1": 1}, "does not take {'r1': 1}: several values are given as a list or a set; it takes "),
    ("note", "run", ("r1", "r2"), f"does not take ('r1', 'r2'): {TUPLE}; it takes "),
    ("note", "run", slice("r1", "r3"), f"does not take slice('r1', 'r3', None): {UNORDERED}; it takes "),
    ("note", "run", "a/b", "does not take 'a/b': '/' is not portable; it takes "),
    ("note", "run", "a" * 21, f"does not take {'a' * 21!r}: it has 21 characters; it takes "),
    ("page", "where", "a//b", "does not take 'a//b': of its segment '', it is empty; it takes "),
    ("note", "where", "a", "does not belong to this kind; known: `index`, `run`, `step`"),
    ("note", "colour", "a", "is not in the layout; a similar field exists: `color`"),
    ("note", "runs", "a", "is not in the layout; a similar field exists: `run`"),
]


class TestRefused:
    """A typing error is not an empty answer."""

    @pytest.mark.parametrize(
        ("kind", "name", "given", "reason"), REFUSED, ids=[f"{n}-{g}"[:40] for _, n, g, _ in REFUSED]
    )
    def test_what_does_not_fit(self, layout, kind, name, given, reason):
        """A filter that does not fit its field is refused with what was given, why, and what would fit."""
        with pytest.raises(FieldError) as caught:
            select(layout, kind, {name: given})
        message = f"{kind}: field `{name}` {reason}"
        assert str(caught.value).startswith(message) if reason.endswith("it takes ") else str(caught.value) == message
        assert (caught.value.kind, caught.value.field) == (kind, name)

    def test_fields_of_no_common_kind(self, layout):
        """Fields that no kind has together are refused where the kind is left open."""
        with pytest.raises(FieldError) as caught:
            select(layout, None, {"color": "red", "day": date(1), "where": "a"})
        assert str(caught.value) == "filter: field `color` stands in no kind together with `day`, `where`"

    def test_a_field_of_no_kind(self):
        """A field that is declared, but used by no kind, is refused too."""
        layout = Layout.parse("zarrange: 1\nfields: {a: {type: str}, b: {type: str}}\nfiles: {x: {path: '{{ a }}'}}")
        with pytest.raises(FieldError) as caught:
            select(layout, None, {"b": "x"})
        assert str(caught.value) == "filter: field `b` stands in no kind's path"

    def test_a_field_that_one_of_the_kinds_lacks(self, layout):
        """Of several kinds, each must have the field."""
        with pytest.raises(FieldError) as caught:
            select(layout, ["photo", "note"], {"color": "red"})
        assert str(caught.value) == "note: field `color` does not belong to this kind; known: `index`, `run`, `step`"

    @pytest.mark.parametrize(
        ("kinds", "label"),
        [
            ("note", "note"),
            (["note", "photo"], "note, photo"),
            (iter(["note", "photo"]), "note, photo"),
            (None, "filter"),
        ],
    )
    def test_what_it_was_given_for(self, layout, kinds, label):
        """A refusal begins with the kinds that were asked for."""
        with pytest.raises(FieldError) as caught:
            select(layout, kinds, {"step": "x"})
        assert str(caught.value).startswith(f"{label}: field `step` does not take 'x': it is of type str;")

    def test_unknown_kind(self, layout):
        """A kind that the layout does not have is refused, with the similar one."""
        with pytest.raises(UnknownKindError, match="has no kind 'notes'; a similar kind exists: `note`"):
            select(layout, "notes", {})
        with pytest.raises(UnknownKindError, match="has no kind 'x'"):
            select(layout, ["note", "x"], {})


def read(layout, name, *texts):
    """The samples of a field that texts admit, by way of `select`."""
    kind = KIND_OF[name]
    return admitted(layout, name, read_filters(layout, [kind], {name: [*texts]})[name], SAMPLES[name])


class TestTexts:
    """What a person writes: `1000`, `1000..5000`, and several of them."""

    @pytest.mark.parametrize(
        ("name", "texts", "expected"),
        [
            ("run", ["r1"], ["r1"]),
            ("run", ["r1", "r3"], ["r1", "r3"]),
            ("step", ["10"], [10]),
            ("step", ["10", "1000"], [10, 1000]),
            ("step", ["1..1000"], [1, 10, 1000]),
            ("step", ["1..999"], [1, 10]),
            ("step", ["..10"], [0, 1, 10]),
            ("step", ["10.."], [10, 1000]),
            ("step", [".."], [0, 1, 10, 1000]),
            ("step", ["-5..1"], [0, 1]),
            ("shift", ["-1.5..1.0"], [-1.5, 0.0, 1.0]),
            ("shift", ["2.5"], [2.5]),
            ("done", ["true"], [True]),
            ("done", ["False", "True"], [True, False]),
            ("day", ["2026-01-31"], [date(31)]),
            ("day", ["2026-01-02..2026-01-31"], [date(2), date(31)]),
            ("day", ["2026-01-02..2026-01-30"], [date(2)]),
            ("day", ["..2026-01-02"], [date(1), date(2)]),
            ("day", ["1999-01-01..2026-01-01"], [date(1)]),
            ("time", ["2026-01-01T12:00:00"], [time(1, 12)]),
            ("time", ["2026-01-01T12:00:00..2026-01-02T00:00:00"], [time(1, 12), time(2)]),
            ("where", ["a/b", "b"], ["a/b", "b"]),
            ("color", ["red"], ["red"]),
        ],
    )
    def test_read(self, layout, name, texts, expected):
        """Both ends of a range are in, each may be left out, and several texts are alternatives."""
        assert read(layout, name, *texts) == expected

    def test_days_of_a_time(self, layout):
        """A range of times may be given by days: the last one is in, to its end."""
        assert read(layout, "time", "2026-01-01..2026-01-01") == [time(1), time(1, 12)]
        assert read(layout, "time", "2026-01-02..") == [time(2)]

    def test_dots_in_a_text(self, layout):
        """In a field without an order, dots are part of the value."""
        assert read_filters(layout, ["note"], {"run": ["r1..r2"]}) == {"run": ["r1..r2"]}

    @pytest.mark.parametrize(
        ("name", "texts", "message"),
        [
            ("step", ["1e3"], f"note: field `step` does not take '1e3': {UNWRITTEN}; {STEPS}{OR_RANGE}"),
            ("step", ["007"], f"note: field `step` does not take '007': {UNWRITTEN}; {STEPS}{OR_RANGE}"),
            ("step", ["-1"], f"note: field `step` does not take -1; {STEPS}{OR_RANGE}"),
            ("step", ["5..1"], "note: field `step` does not take '5..1': the range ends before it begins"),
            ("step", ["1..x"], f"note: field `step` does not take 'x': {UNWRITTEN}; it takes a whole number"),
            ("step", ["1...5"], f"note: field `step` does not take '.5': {UNWRITTEN}; it takes a whole number"),
            (
                "step",
                ["1..5", "7"],
                "note: field `step` takes one range, or several values, each given as a filter of its own",
            ),
            ("color", ["blue"], f"note: field `color` does not take 'blue'; {COLORS}"),
            ("done", ["yes"], f"note: field `done` does not take 'yes': {UNWRITTEN}; it takes True or False"),
            ("steps", ["1"], "note: field `steps` is not in the layout; a similar field exists: `step`"),
        ],
    )
    def test_refused(self, layout, name, texts, message):
        """What is not how a value is written is refused, with the reason."""
        with pytest.raises(FieldError) as caught:
            read_filters(layout, ["note"], {name: texts})
        assert str(caught.value) == message

    def test_no_kind(self, layout):
        """Where no kind is named, a refusal says that it was given for a search."""
        with pytest.raises(FieldError, match=r"^filter: field `step` "):
            read_filters(layout, [], {"step": ["x"]})

    @given(st.integers(0, 10**5), st.integers(0, 10**5), st.integers(0, 10**5))
    def test_any_range(self, layout, first, last, value):
        """A range admits a number if and only if it is between its ends, or one of them; one without any is refused."""
        if first > last:
            with pytest.raises(FieldError, match="the range ends before it begins"):
                read_filters(layout, ["note"], {"step": [f"{first}..{last}"]})
            return
        wanted = select(layout, "note", read_filters(layout, ["note"], {"step": [f"{first}..{last}"]}))
        assert wanted.admits(Key("note", {"step": value})) == (first <= value <= last)

    @given(st.text(string.ascii_letters + string.digits + "._=-/", min_size=1, max_size=22))
    def test_any_text(self, layout, text):
        """A text is refused where rendering refuses it, and else admits the value that it says."""
        key = Key("note", {"run": text, "step": 0})
        try:
            layout.render(key.kind, **key.values)
        except FieldError:
            with pytest.raises(FieldError):
                read_filters(layout, ["note"], {"run": [text]})
        else:
            assert select(layout, "note", read_filters(layout, ["note"], {"run": [text]})).admits(key)
