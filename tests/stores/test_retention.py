"""What a prune keeps, and why: the rules one by one, and all of them against a plain account of what they mean."""

from __future__ import annotations

import csv
import json
import os
from datetime import date, timedelta
from decimal import Decimal
from itertools import count

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from attrs import define, evolve, field, frozen
from hypothesis import event, given, settings, strategies as st

from zarrange import Key, Layout, Store
from zarrange.errors import FieldError, NotFoundError, RefusedError, UnreadableError
from zarrange.language.selection import select
from zarrange.stores.backend import FILE, Found
from zarrange.stores.entries import Entry
from zarrange.stores.local import LocalBackend
from zarrange.stores.metadata import Node
from zarrange.stores.remote import RemoteBackend
from zarrange.stores.retention import (
    MIN_AGE,
    Best,
    Facts,
    Grouping,
    Policy,
    choose,
    grouping,
    parse_best,
    parse_duration,
    read_policy,
    read_scores,
    refuse_majority,
    written_duration,
)
from zarrange.stores.seal import SEAL

LAYOUT = Layout.parse("""
zarrange: 1
name: pruned
fields:
  run: {type: str}
  iteration: {type: int, min: 0}
  dataset: {type: str, charset: text}
  day: {type: date}
  loss: {type: float}
containers:
  box: {path: "{{ run }}/box.zarr"}
  old: {path: "{{ run }}/old.zarr", zarr_format: 2}
arrays:
  output: {container: box, path: "outputs/{{ iteration }}/{{ dataset | quote }}"}
  old_output: {container: old, path: "outputs/{{ iteration }}/{{ dataset | quote }}"}
  daily: {container: box, path: "daily/{{ day }}/{{ dataset | quote }}"}
  both: {container: box, path: "both/{{ day }}/{{ iteration }}"}
  best: {container: box, path: "best/{{ dataset | quote }}"}
  maybe: {container: box, path: "maybe/{% if iteration is defined %}{{ iteration }}{% else %}last{% endif %}"}
  curve: {container: box, path: "curves/{{ loss }}"}
files:
  checkpoint: {path: "{{ run }}/{{ iteration }}.pt"}
""")
NOW = 1_000_000_000.0
HOUR = 3600.0
DICE = "criterion=dice:max"
NUMBERS = count()


@define
class Ground:
    """Ages by path, in hours, for whoever asks a backend; what is not there is a day old."""

    hours: dict[str, float] = field(factory=dict)
    asked: list[str] = field(factory=list)
    in_flight: int = 1

    def modified(self, path):
        self.asked.append(path)
        age = self.hours.get(path, 24)
        if isinstance(age, Exception):
            raise age
        return NOW - age * HOUR


def entry(kind="output", *, complete=True, is_ambiguous=False, zarr_format=3, attributes=(), **values):
    """An artifact as a search gives it."""
    values = {name: value for name, value in values.items() if value is not None}
    key = LAYOUT.kind(kind).key(values)
    identifier = LAYOUT.render(kind, **values)
    seal = {} if complete is None else {SEAL: {"complete": complete}}
    node = Node("array", zarr_format, (1,), "uint8", (1,), {**seal, **dict(attributes)})
    found = FILE if LAYOUT.kind(kind).sort == "file" else Found("array", node)
    readings = (key, Key("other", {"run": "r"})) if is_ambiguous else (key,)
    return Entry(identifier.path, (key,), readings, found, "/store", (0,))


def chosen(entries, policy, *, by=None, ground=None, scores=None):
    """Return what is chosen of entries of one kind."""
    kind = LAYOUT.kind(entries[0].keys[0].kind)
    return choose(iter(entries), policy, grouping(kind, policy, by), Facts(ground or Ground(), scores=scores, now=NOW))


def removed(*args, **options):
    """Return the numbers of what would go."""
    return [one.key["iteration"] for one in chosen(*args, **options).removed]


def rules(choice):
    return {verdict.entry.path: [reason.rule for reason in verdict.reasons] for verdict in choice.verdicts}


def iterations(*numbers, **values):
    return [entry(run="r", iteration=number, dataset="a", **values) for number in numbers]


class TestDurations:
    @pytest.mark.parametrize(
        ("text", "hours"), [("7d", 168), ("24h", 24), ("90m", 1.5), ("2w", 336), ("1800s", 0.5), ("0h", 0), ("0", 0)]
    )
    def test_read(self, text, hours):
        """A duration is a whole number and a unit."""
        assert parse_duration(text) == timedelta(hours=hours)

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "7",
            "d",
            "7 d",
            " 7d",
            "7d\n",
            "-7d",
            "+7d",
            "1.5h",
            "07d",
            "7D",
            "7days",
            "1d12h",
            "\N{ARABIC-INDIC DIGIT SEVEN}d",
            "9" * 8 + "w",
        ],
    )
    def test_refused(self, text):
        """Nothing else is a duration."""
        with pytest.raises(ValueError, match="is no duration, which is a whole number and one of w, d, h, m, s"):
            parse_duration(text)

    @given(st.integers(0, 10**6), st.sampled_from("wdhms"))
    def test_both_directions(self, number, unit):
        """What is written is read as the same duration."""
        duration = parse_duration(f"{number}{unit}")
        assert parse_duration(written_duration(duration)) == duration

    def test_written(self):
        """A duration is written in the unit that has it whole."""
        hours = [168, 24, 25, 1.5, 0.01]
        written = [written_duration(timedelta(hours=one)) for one in hours]
        assert written == ["7d", "1d", "25h", "90m", "36s"]


class TestBest:
    @pytest.mark.parametrize(
        ("text", "score", "direction"),
        [
            ("criterion=dice:max", "dice", "max"),
            ("criterion=voi:min", "voi", "min"),
            ("criterion=ecs/mem__dice:max", "ecs/mem__dice", "max"),
            ("criterion=a:b=c:min", "a:b=c", "min"),
            ("criterion=criterion:max", "criterion", "max"),
        ],
    )
    def test_read(self, text, score, direction):
        """`criterion=SCORE:max` names the score, and says whether more is better."""
        assert parse_best(text) == Best(score, direction)
        assert str(parse_best(text)) == text

    @pytest.mark.parametrize(
        "text", ["", "dice", "dice:max", "criterion=dice", "criterion=:max", "score=dice:max", "criterion=dice:best"]
    )
    def test_refused(self, text):
        """Whatever is written otherwise is refused, with an example."""
        with pytest.raises(ValueError, match=r"as in criterion=dice:max$"):
            parse_best(text)


class TestPolicy:
    def test_words(self):
        """The words of the command line are read into the same policy as Python's values."""
        words = {"keep_last": "5", "keep_every": "10000", "keep_best": [DICE], "older_than": "7d", "min_age": None}
        policy = Policy(keep_last=5, keep_every=10000, keep_best=Best("dice", "max"), older_than=timedelta(days=7))
        assert read_policy(words) == policy
        assert str(policy) == "keep-last 5, keep-every 10000, keep-best criterion=dice:max, older-than 7d"
        assert policy.min_age == MIN_AGE

    @pytest.mark.parametrize(
        "text", ["0", "-1", "05", "5.0", "five", "", "1_0", "\N{ARABIC-INDIC DIGIT FIVE}", "9" * 30]
    )
    def test_refused_words(self, text):
        """What is no whole number of at least one is refused by its name."""
        with pytest.raises(ValueError, match="`keep_last` is a whole number of at least 1, not"):
            read_policy({"keep_last": text})

    def test_no_rule(self):
        """A policy that would keep nothing is no policy."""
        with pytest.raises(ValueError, match="a policy needs a rule"):
            Policy()
        with pytest.raises(ValueError, match="a policy needs a rule"):
            read_policy({"keep_last": None, "keep_best": [], "min_age": "1h"})

    @pytest.mark.parametrize("given", [0, -1, True, 2.0, "2", np.True_, np.float64(2)])
    @pytest.mark.parametrize("name", ["keep_last", "keep_every"])
    def test_refused_counts(self, name, given):
        """A count is a whole number of at least one."""
        with pytest.raises(ValueError, match=f"`{name}` is a whole number of at least 1, not"):
            Policy(**{name: given})

    def test_numpy(self):
        """numpy's whole numbers count as Python's."""
        assert type(Policy(keep_last=np.int32(3)).keep_last) is int

    @pytest.mark.parametrize("given", [timedelta(0), timedelta(days=-1), 7, "0d"])
    def test_refused_ages(self, given):
        """An age that lets everything go is none."""
        with pytest.raises(ValueError, match="`older_than` is a duration such as 7d, not"):
            Policy(older_than=given)

    def test_several_criteria(self):
        """Several criteria are all kept, each once; what is none is refused."""
        policy = Policy(keep_best=[DICE, Best("voi", "min"), DICE])
        assert policy.keep_best == (Best("dice", "max"), Best("voi", "min"))
        assert Policy(keep_best=[DICE, "criterion=voi:min", "criterion=dice:min"]).scores == ("dice", "voi")
        with pytest.raises(TypeError, match="`keep_best` is text such as criterion=dice:max, not 5"):
            Policy(keep_best=5)


class TestGrouping:
    LAST = Policy(keep_last=1)

    @pytest.mark.parametrize(
        ("kind", "by", "over", "order"),
        [
            ("output", None, ("iteration",), "iteration"),
            ("checkpoint", None, ("iteration",), "iteration"),
            ("daily", None, ("day",), "day"),
            ("both", "day", ("day",), "day"),
            ("both", ["iteration", "day"], ("iteration", "day"), "iteration"),
            ("output", ["dataset", "iteration"], ("dataset", "iteration"), "iteration"),
        ],
    )
    def test_fields(self, kind, by, over, order):
        """It is pruned over the only field of numbers or days, unless others are given."""
        assert grouping(LAYOUT.kind(kind), self.LAST, by) == Grouping(over, order)

    def test_filtered(self):
        """A field that is filtered by one value is not pruned over."""
        wanted = select(LAYOUT, "both", {"day": date(2026, 1, 31)}).wanted
        assert grouping(LAYOUT.kind("both"), self.LAST, wanted=wanted).over == ("iteration",)

    def test_without_order(self):
        """What is best needs no order, and an age needs no groups."""
        assert grouping(LAYOUT.kind("best"), Policy(keep_best=DICE), "dataset") == Grouping(("dataset",))
        assert grouping(LAYOUT.kind("best"), Policy(older_than="7d")) == Grouping()

    @pytest.mark.parametrize(
        ("kind", "by", "policy", "message"),
        [
            ("both", None, LAST, "over which field is `both` to be pruned? say `by`; it has `day`, `iteration`"),
            ("best", None, LAST, "has no field of numbers or days left open to prune over; say `by`: `run`, `dataset`"),
            ("best", "dataset", LAST, "best: field `dataset` has no order that a last artifact could be told by"),
            ("daily", None, Policy(keep_every=2), "field `day` is no whole number, of which `keep_every` could keep"),
            ("curve", None, Policy(keep_every=2), "field `loss` is no whole number"),
            ("output", "iteratoin", LAST, "does not belong to this kind; a similar field exists: `iteration`"),
        ],
    )
    def test_refused(self, kind, by, policy, message):
        """A field that does not fit is refused, and what would fit is said."""
        with pytest.raises(ValueError) as caught:  # noqa: PT011 - the message is looked at below
            grouping(LAYOUT.kind(kind), policy, by)
        assert message in str(caught.value)

    @pytest.mark.parametrize("by", [[], 5 * [5], ""])
    def test_no_names(self, by):
        """Fields are given by their names."""
        with pytest.raises((TypeError, FieldError)):
            grouping(LAYOUT.kind("output"), self.LAST, by)


class TestRules:
    def test_last(self):
        """The last ones of each group are kept, in whatever order they come."""
        entries = [entry(run=run, iteration=number, dataset="a") for number in (3, 1, 10, 2) for run in "ab"]
        choice = chosen(entries, Policy(keep_last=2))
        assert sorted((one.key["run"], one.key["iteration"]) for one in choice.removed) == [
            *(("a", 1), ("a", 2)),
            *(("b", 1), ("b", 2)),
        ]
        assert {str(verdict.reasons[0]) for verdict in choice.kept} == {"among the last 2 by `iteration`"}

    def test_last_values(self):
        """Pruned over several fields, all artifacts that have one of the last values are kept."""
        entries = [entry(run="r", iteration=number, dataset=one) for number in (1, 2, 3) for one in "abc"]
        assert removed(entries, Policy(keep_last=2), by=["iteration", "dataset"]) == [1, 1, 1]

    def test_days(self):
        """The last days are kept."""
        entries = [entry("daily", run="r", day=date(2026, 1, day), dataset="a") for day in (30, 31, 29)]
        assert [one.key["day"].day for one in chosen(entries, Policy(keep_last=1)).removed] == [30, 29]

    def test_unfinished_last(self):
        """An unfinished array takes no place of a finished one, and is not removed as long as it is among the last."""
        entries = [*iterations(1, 2), *iterations(3, complete=False), *iterations(4), *iterations(5, complete=False)]
        assert removed(entries, Policy(keep_last=2)) == [1]
        assert removed(entries, Policy(keep_last=1)) == [1, 2, 3]

    def test_every(self):
        """The multiples are kept, zero among them."""
        assert removed(iterations(0, 5, 10, 15, 20, 21), Policy(keep_every=10)) == [5, 15, 21]

    def test_any_rule(self):
        """What any rule keeps stays, and every rule that keeps it is told."""
        choice = chosen(iterations(5, 10, 15, 20), Policy(keep_last=1, keep_every=10, older_than="7d"))
        assert list(rules(choice).values()) == [
            ["older-than"],
            ["keep-every", "older-than"],
            ["older-than"],
            ["keep-last", "keep-every", "older-than"],
        ]

    @pytest.mark.parametrize(("direction", "gone"), [("max", [1, 2]), ("min", [2, 3])])
    def test_best(self, direction, gone):
        """The best one by an attribute is kept, be it the greatest or the least."""
        entries = [*iterations(1, attributes={"dice": 0}), *iterations(2, attributes={"dice": 0.5})]
        entries += iterations(3, attributes={"dice": 0.75})
        policy = Policy(keep_best=f"criterion=dice:{direction}")
        assert removed(entries, policy) == gone
        assert str(chosen(entries, policy).kept[0].reasons[0]) in {"best by `dice`: 0.75", "best by `dice`: 0"}

    def test_equally_good(self):
        """All that are equally good are kept."""
        entries = [*iterations(1, 3, attributes={"dice": 1}), *iterations(2, attributes={"dice": 0.5})]
        assert removed(entries, Policy(keep_best=DICE)) == [2]

    @pytest.mark.parametrize("is_inner", [False, True])
    def test_dotted(self, is_inner):
        """A dotted name leads into attributes, unless one has the very name."""
        inner = [{"scores": {"dice": number}} for number in (0.9, 0.1)]
        whole = [{"scores.dice": number, "scores": {"dice": 0}} for number in (0.9, 0.1)]
        entries = [
            *iterations(1, attributes=(inner if is_inner else whole)[0]),
            *iterations(2, attributes=(inner if is_inner else whole)[1]),
        ]
        assert removed(entries, Policy(keep_best="criterion=scores.dice:max")) == [2]

    @pytest.mark.parametrize(
        ("attributes", "text"),
        [
            ({}, "it has no `dice`"),
            ({"dice": None}, "it has no `dice`"),
            ({"dice": float("nan")}, "its `dice` is nan, not a number"),
            ({"dice": "0.9"}, "its `dice` is '0.9', not a number"),
            ({"dice": True}, "its `dice` is True, not a number"),
            ({"dice": {"all": 1}}, "its `dice` is {'all': 1}, not a number"),
            ({"dice": 10**400}, "not a number"),
        ],
    )
    def test_no_score(self, attributes, text):
        """What has no score is kept, and takes the place of nothing that has one."""
        entries = [*iterations(1, attributes={"dice": 0.5}), *iterations(2, attributes=attributes)]
        entries += iterations(3, attributes={"dice": 0.4})
        choice = chosen(entries, Policy(keep_best=DICE))
        assert [one.key["iteration"] for one in choice.removed] == [3]
        (reason,) = choice.verdicts[1].reasons
        assert reason.rule == "no-score"
        assert text in reason.text

    def test_a_file_has_no_score(self):
        """A file has no attributes: without a table, nothing of it is removed for its score."""
        entries = [entry("checkpoint", run="r", iteration=number) for number in (1, 2)]
        assert removed(entries, Policy(keep_best=DICE)) == []

    def test_unfinished_best(self):
        """An unfinished array takes the place of no finished one."""
        entries = [*iterations(1, attributes={"dice": 0.5}), *iterations(2, attributes={"dice": 0.9}, complete=False)]
        entries += [*iterations(3, attributes={"dice": 0.1}), *iterations(4, attributes={"dice": 0.4}, complete=False)]
        assert removed(entries, Policy(keep_best=DICE)) == [3, 4]

    def test_several_criteria(self):
        """The best ones by each criterion are kept."""
        entries = [
            *iterations(1, attributes={"dice": 0.9, "voi": 2}),
            *iterations(2, attributes={"dice": 0.5, "voi": 1}),
            *iterations(3, attributes={"dice": 0.8, "voi": 1.5}),
        ]
        assert removed(entries, Policy(keep_best=[DICE, "criterion=voi:min"])) == [3]

    def test_age_alone(self):
        """An age alone removes whatever is as old, each artifact for itself."""
        ground = Ground({one.path: hours for one, hours in zip(iterations(1, 2, 3), (167.9, 168, 500), strict=True)})
        assert removed(iterations(1, 2, 3), Policy(older_than="7d"), ground=ground) == [2, 3]

    def test_from_the_future(self):
        """What the clocks say is from the future is young."""
        ground = Ground({iterations(1)[0].path: -5})
        assert removed(iterations(1), Policy(older_than="1s"), ground=ground) == []

    def test_absent(self):
        """What has no value of the field that orders is kept."""
        entries = [entry("maybe", run="r", iteration=number) for number in (None, 1, 2)]
        choice = chosen(entries, Policy(keep_last=1))
        assert list(rules(choice).values()) == [["no-value"], [], ["keep-last"]]
        assert str(choice.verdicts[0].reasons[0]) == "it has no `iteration`"


class TestUnknown:
    """What is not known is never a reason to remove anything."""

    @pytest.mark.parametrize(
        ("complete", "text"),
        [
            (False, "unfinished, and younger than 1h"),
            (None, "not known to be finished, and younger than 1h"),
            (True, None),
        ],
    )
    def test_young(self, complete, text):
        """What may be being written is kept as long as it is young; what is marked as finished is not."""
        (young, old), (last,) = iterations(1, 2, complete=complete), iterations(3)
        choice = chosen([young, old, last], Policy(keep_last=1), ground=Ground({young.path: 0.99, old.path: 1}))
        assert [str(reason) for reason in choice.verdicts[0].reasons] == ([text] if text else [])
        assert choice.verdicts[1].reasons == ()

    def test_young_file(self):
        """A file that may be being written is kept."""
        entries = [entry("checkpoint", run="r", iteration=number) for number in (1, 2)]
        ground = Ground({entries[0].path: 0.1})
        assert rules(chosen(entries, Policy(keep_last=1), ground=ground))[entries[0].path] == ["unfinished"]
        assert removed(entries, Policy(keep_last=1, min_age="5m"), ground=ground) == [1]
        assert removed(entries, Policy(keep_last=1, min_age="0s"), ground=ground) == [1]

    def test_asked_as_little_as_possible(self):
        """Ages cost a look at every chunk: only those are asked for on which something depends."""
        entries = [*iterations(1, 2), *iterations(3, 4, complete=None)]
        ground = Ground()
        chosen(entries, Policy(keep_last=1), ground=ground)
        assert ground.asked == [entries[2].path]
        chosen(entries, Policy(keep_last=1, older_than="1h"), ground=ground)
        assert ground.asked[1:] == [one.path for one in entries]

    def test_ambiguous(self):
        """What may be something else is kept, and takes no place."""
        entries = [*iterations(1, 2), *iterations(3, is_ambiguous=True)]
        choice = chosen(entries, Policy(keep_last=1))
        assert list(rules(choice).values()) == [[], ["keep-last"], ["ambiguous"]]

    @pytest.mark.parametrize(
        ("error", "text"),
        [
            (UnreadableError("'/x' cannot be read: permission denied"), "'/x' cannot be read: permission denied"),
            (NotFoundError(2, "nothing is there", "/x"), "nothing is there"),
        ],
    )
    def test_no_age(self, error, text):
        """What has no age that can be told is kept."""
        entries = iterations(1, 2, complete=None)
        choice = chosen(entries, Policy(keep_last=1), ground=Ground({entries[0].path: error}))
        assert [(one.rule, one.text) for one in choice.verdicts[0].reasons] == [("unreadable", text)]


class TestMajority:
    @pytest.mark.parametrize(("total", "kept"), [(4, 1), (2, 1), (3, 1), (1, 1)])
    def test_half(self, total, kept):
        """More than half is refused, half is not."""
        choice = chosen(iterations(*range(total)), Policy(keep_last=kept))
        if 2 * (total - kept) <= total:
            refuse_majority(choice)
            assert len(choice.removed) == total - kept
            return
        with pytest.raises(RefusedError, match=rf"^{total - kept} of {total} artifacts would be removed"):
            refuse_majority(choice)

    def test_nothing(self):
        """Of nothing, nothing is removed."""
        choice = choose([], Policy(keep_last=1), Grouping(("iteration",), "iteration"), Facts(Ground()))
        refuse_majority(choice)
        assert choice.verdicts == ()


# --- scores of a table -----------------------------------------------------------------------------------------------

ROWS = [
    {"run": "r", "iteration": number, "dataset": "a", "dice": dice, "voi": 1 - dice, "note": "x"}
    for number, dice in ((1, 0.5), (2, 0.9), (3, 0.1))
]
OUTPUT = LAYOUT.kind("output")
KEYS = [OUTPUT.key({"run": "r", "iteration": number, "dataset": "a"}) for number in (1, 2, 3)]


def as_csv(path, rows):
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    return path


class TestScores:
    @pytest.fixture(params=["rows", "frame", "arrow", "csv", "path"])
    def made(self, request, tmp_path):
        """The function that makes a table of rows, of each sort."""
        return {
            "rows": iter,
            "frame": pd.DataFrame,
            "arrow": pa.Table.from_pylist,
            "csv": lambda rows: str(as_csv(tmp_path / "scores.csv", rows)),
            "path": lambda rows: as_csv(tmp_path / "scores.csv", rows),
        }[request.param]

    def test_tables(self, made):
        """Every sort of table gives the same scores."""
        found = read_scores(made(ROWS), OUTPUT, ["dice", "voi"])
        assert found["dice"] == dict(zip(KEYS, (0.5, 0.9, 0.1), strict=True))
        assert found["voi"] == dict(zip(KEYS, (0.5, 1 - 0.9, 0.9), strict=True))

    def test_chosen_by_a_table(self, made):
        """With a table, attributes are not taken for scores."""
        scores = read_scores(made(ROWS), OUTPUT, ["dice"])
        entries = [*iterations(1, 2, 3, attributes={"dice": 1}), *iterations(4, attributes={"dice": 1})]
        choice = chosen(entries, Policy(keep_best=DICE), scores=scores)
        assert list(rules(choice).values()) == [[], ["keep-best"], [], ["no-score"]]
        assert str(choice.verdicts[3].reasons[0]) == "the table of scores has no `dice` of it"

    def test_a_file_by_a_table(self, made):
        """A file has the score that a table says."""
        rows = [{"run": "r", "iteration": number, "dice": number / 10} for number in (1, 2)]
        scores = read_scores(made(rows), LAYOUT.kind("checkpoint"), ["dice"])
        entries = [entry("checkpoint", run="r", iteration=number) for number in (1, 2)]
        assert removed(entries, Policy(keep_best=DICE), scores=scores) == [1]

    def test_mapping(self):
        """A mapping from keys is a table of one score; keys of other kinds are passed over."""
        source = {KEYS[0]: np.float32(0.5), KEYS[1]: None, KEYS[2]: Decimal("0.25"), Key("other", {"run": "r"}): 1}
        assert read_scores(source, OUTPUT, ["dice"]) == {"dice": {KEYS[0]: 0.5, KEYS[2]: 0.25}}
        assert read_scores(source, OUTPUT, ["dice", "dice"]) == read_scores(source, OUTPUT, ["dice"])
        with pytest.raises(ValueError, match="a mapping has one score of each key; for dice, voi, give rows"):
            read_scores(source, OUTPUT, ["dice", "voi"])
        with pytest.raises(TypeError, match="'dice' is no Key"):
            read_scores({"dice": [1]}, OUTPUT, ["dice"])

    def test_nothing_there(self, made):
        """A score that is not there is none, NaN neither."""
        rows = [{**row, "dice": dice} for row, dice in zip(ROWS, (None, float("nan"), 0.5), strict=True)]
        assert read_scores(made(rows), OUTPUT, ["dice"]) == {"dice": {KEYS[2]: 0.5}}

    def test_no_rows(self):
        """A table without rows has no scores."""
        assert read_scores([], OUTPUT, ["dice"]) == {"dice": {}}

    @pytest.mark.parametrize(
        ("gone", "message"),
        [
            ("dice", "the table of scores has no column `dice`; "),
            ("iteration", "no column `iteration`, which tells whose a score is: it is a field of `output`; "),
        ],
    )
    def test_missing_column(self, made, gone, message):
        """A column that is missing is an error, not a table without scores."""
        rows = [{name: value for name, value in row.items() if name != gone} for row in ROWS]
        with pytest.raises(ValueError, match=message):
            read_scores(made(rows), OUTPUT, ["dice"])

    def test_contradiction(self, made):
        """Two rows may say the same of an artifact, not two different scores."""
        same = [*ROWS, ROWS[0]]
        assert len(read_scores(made(same), OUTPUT, ["dice"])["dice"]) == 3
        with pytest.raises(ValueError, match=r'output\(run="r", .*\) has the score `dice` twice: 0.5 and 0.6$'):
            read_scores(made([*ROWS, {**ROWS[0], "dice": 0.6}]), OUTPUT, ["dice"])

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"iteration": -1}, "field `iteration` does not take '?-1'?"),
            ({"run": "a b"}, "field `run` does not take 'a b'"),
            ({"run": None}, "field `run`"),
            ({"dice": "good"}, "its `dice` is 'good', not a number"),
        ],
    )
    def test_misfit(self, made, change, message):
        """What does not fit is an error that says where."""
        rows = [{**row, **change} for row in ROWS]
        with pytest.raises(ValueError, match=rf"^(row 0 of the scores|.*scores\.csv:2): .*{message}"):
            read_scores(made(rows), OUTPUT, ["dice"])

    def test_optional_fields(self, made):
        """What is empty in the column of an optional field is absent."""
        rows = [{"run": "r", "iteration": number, "dice": 0.5} for number in (None, 1)]
        found = read_scores(made(rows), LAYOUT.kind("maybe"), ["dice"])["dice"]
        assert set(found) == {Key("maybe", {"run": "r"}), Key("maybe", {"run": "r", "iteration": 1})}

    def test_days(self, made):
        """A day is a day, also as a DataFrame has it."""
        rows = [{"run": "r", "day": date(2026, 1, 31), "dataset": "a", "dice": 1}]
        found = read_scores(made(rows), LAYOUT.kind("daily"), ["dice"])
        rows[0]["day"] = pd.Timestamp(2026, 1, 31)
        assert read_scores(pd.DataFrame(rows), LAYOUT.kind("daily"), ["dice"]) == found
        assert [*found["dice"]] == [LAYOUT.kind("daily").key({"run": "r", "day": date(2026, 1, 31), "dataset": "a"})]

    def test_from_the_store_itself(self, tmp_path):
        """The table of a store with a column more is a table of scores, rows of other kinds passed over."""
        store = Store(tmp_path, LAYOUT)
        for number in (1, 2):
            store.create(store.identifier("output", run="r", iteration=number, dataset="a/b"), shape=(1,), dtype="u1")
        store.create(store.identifier("daily", run="r", day=date(2026, 1, 31), dataset="a"), shape=(1,), dtype="u1")
        framed = store.frame(["output", "daily"])
        framed["dice"] = range(len(framed))
        found = read_scores(framed, OUTPUT, ["dice"])["dice"]
        assert {key["iteration"] for key in found} == {1, 2}
        framed.to_csv(tmp_path / "scores.csv", index=False)
        assert read_scores(tmp_path / "scores.csv", LAYOUT.kind("daily"), ["dice"])["dice"].keys() == {
            one.key for one in store.find("daily")
        }

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            (b"run,iteration,dataset,dice,dice\nr,1,a,1,2\n", "has the column 'dice' twice"),
            (b"run,iteration,dataset,dice\nr,1,a\n", "line 2 has 3 cells, the first one 4"),
            (b"run,iteration,dataset,dice\nr,1,a,1,2\n", "line 2 has 5 cells, the first one 4"),
            (b"run,iteration,dataset,dice\nr,1,\xff,1\n", "it is not UTF-8"),
            (b'run,iteration,dataset,dice\nr,1,"a,1\n', "scores.csv: "),
            (b"", "no column `dice`"),
            (b"run,iteration,dataset,dice\nr,01,a,1\n", "scores.csv:2: .*field `iteration` does not take '01'"),
            (b"run,iteration,dataset,dice\nr,1,a,1_0\n", "scores.csv:2: its `dice` is '1_0', not a number"),
        ],
    )
    def test_broken_csv(self, tmp_path, content, message):
        """A CSV file that is broken is an error, never half a table."""
        (tmp_path / "scores.csv").write_bytes(content)
        with pytest.raises(ValueError, match=message):
            read_scores(tmp_path / "scores.csv", OUTPUT, ["dice"])

    def test_csv_of_a_spreadsheet(self, tmp_path):
        """A byte order mark, line ends of Windows and empty lines are fine."""
        (tmp_path / "scores.csv").write_bytes(b"\xef\xbb\xbfrun,iteration,dataset,dice\r\nr,1,a,0.5\r\n\r\n")
        assert read_scores(tmp_path / "scores.csv", OUTPUT, ["dice"]) == {"dice": {KEYS[0]: 0.5}}

    @pytest.mark.parametrize("source", [5, None, [1], [["r", 1]]])
    def test_no_table(self, source):
        """What is no table is refused."""
        with pytest.raises(TypeError, match="scores are a mapping from keys, rows, or the path of a CSV file, not"):
            read_scores(source, OUTPUT, ["dice"])

    def test_two_columns_of_a_name(self):
        """A table with two columns of one name is refused, whatever sort it is."""
        columns = ["run", "iteration", "dataset", "dice", "dice"]
        with pytest.raises(ValueError, match="has the column 'dice' twice"):
            read_scores(pd.DataFrame([["r", 1, "a", 1, 2]], columns=columns), OUTPUT, ["dice"])
        with pytest.raises(ValueError, match="has the column 'dice' twice"):
            read_scores(pa.table([["r"], [1], ["a"], [1], [2]], names=columns), OUTPUT, ["dice"])


# --- real stores -----------------------------------------------------------------------------------------------------


class TestStores:
    """The choice among what a search finds in a real store."""

    @pytest.fixture(params=["disk", "memory"])
    def store(self, request, tmp_path):
        return Store(tmp_path / "runs" if request.param == "disk" else f"memory://prunes-{next(NUMBERS)}/runs", LAYOUT)

    def choice(self, store, kind, policy, **options):
        backend = (RemoteBackend if "://" in store.root else LocalBackend)(store.root)
        grouped = grouping(LAYOUT.kind(kind), policy)
        return choose(store.find(kind), policy, grouped, Facts(backend, **options))

    @pytest.mark.parametrize("kind", ["output", "old_output"])
    def test_attributes(self, store, kind):
        """Scores and marks are read from the attributes, in both formats."""
        for number, dice in enumerate((0.1, 0.9, None, 0.5)):
            where = store.identifier(kind, run="r", iteration=number, dataset="a")
            attributes = None if dice is None else {"dice": dice}
            store.create(where, data=np.ones(2), attributes=attributes, seal=True)
        lost = store.identifier(kind, run="r", iteration=9, dataset="a")
        store.create(lost, shape=(1,), dtype="u1", attributes={"dice": 0}, seal=True)
        found = rules(self.choice(store, kind, Policy(keep_best=DICE)))
        assert list(found.values()) == [[], ["keep-best"], ["no-score"], [], ["unfinished"]]
        later = self.choice(store, kind, Policy(keep_best=DICE), now=4e9)
        assert [one.key["iteration"] for one in later.removed] == [0, 3, 9]

    def test_ages(self, store):
        """The age is that of what was written last, chunks too."""
        for number in (1, 2):
            where = store.identifier("output", run="r", iteration=number, dataset="a")
            store.create(where, data=np.ones(4), chunks=(1,))
        assert self.choice(store, "output", Policy(older_than="1h")).removed == ()
        assert len(self.choice(store, "output", Policy(older_than="1h"), now=4e9).removed) == 2

    def test_being_written(self, tmp_path):
        """An array without a mark is young as long as any of its chunks is."""
        store = Store(tmp_path, LAYOUT)
        for number in (1, 2, 3):
            where = store.identifier("output", run="r", iteration=number, dataset="a")
            store.create(where, data=np.ones(4), chunks=(1,))
        for folder, _, files in os.walk(tmp_path):
            for name in files:
                os.utime(os.path.join(folder, name), (1e9, 1e9))
        os.utime(tmp_path / "r/box.zarr/outputs/2/a/c/3")
        assert [one.key["iteration"] for one in self.choice(store, "output", Policy(keep_last=1)).removed] == [1]

    def test_damaged_attributes(self, tmp_path):
        """An array whose attributes cannot be read is kept."""
        store = Store(tmp_path, LAYOUT)
        for number in (1, 2):
            where = store.identifier("old_output", run="r", iteration=number, dataset="a")
            store.create(where, data=np.ones(4), attributes={"dice": number})
        (tmp_path / "r/old.zarr/outputs/1/a/.zattrs").write_text("{")
        choice = self.choice(store, "old_output", Policy(keep_best=DICE), now=4e9)
        (reason,) = choice.verdicts[0].reasons
        assert (reason.rule, reason.text[:24]) == ("unreadable", "its .zattrs is damaged: ")
        (tmp_path / "r/old.zarr/outputs/1/a/.zattrs").write_text(json.dumps({"dice": 1}))
        assert len(self.choice(store, "old_output", Policy(keep_best=DICE), now=4e9).removed) == 1


# --- all rules at once -----------------------------------------------------------------------------------------------


@frozen
class Made:
    """An artifact of which all is known that a rule may ask."""

    run: str
    iteration: int
    dataset: str
    complete: bool | None
    dice: object
    hours: int
    is_ambiguous: bool

    @property
    def entry(self):
        attributes = {} if self.dice is None else {"dice": self.dice}
        return entry(
            run=self.run,
            iteration=self.iteration,
            dataset=self.dataset,
            complete=self.complete,
            attributes=attributes,
            is_ambiguous=self.is_ambiguous,
        )

    @property
    def score(self):
        return self.dice if isinstance(self.dice, float) and self.dice == self.dice else None


ARTIFACTS = st.lists(
    st.builds(
        Made,
        run=st.sampled_from("rs"),
        iteration=st.integers(0, 9),
        dataset=st.sampled_from("ab"),
        complete=st.sampled_from([True, True, None, False]),
        dice=st.sampled_from([None, float("nan"), 0.0, 0.25, 0.5, 0.75, float("inf"), "x", True]),
        hours=st.integers(0, 6),
        is_ambiguous=st.sampled_from([False] * 9 + [True]),
    ),
    unique_by=lambda one: (one.run, one.iteration, one.dataset),
    max_size=24,
)
POLICIES = st.fixed_dictionaries(
    {
        "keep_last": st.none() | st.integers(1, 4),
        "keep_every": st.none() | st.integers(1, 5),
        "keep_best": st.sampled_from([(), (DICE,), ("criterion=dice:min",), (DICE, "criterion=dice:min")]),
        "older_than": st.none() | st.integers(1, 6).map(lambda hours: timedelta(hours=hours)),
        "min_age": st.integers(0, 4).map(lambda hours: timedelta(hours=hours)),
    }
).filter(lambda one: any(value for name, value in one.items() if name != "min_age"))
BY = st.sampled_from([None, "iteration", ["iteration", "dataset"], ["dataset", "run", "iteration"]])


def account(made, policy, by):
    """Return the rules that keep each artifact, told for each of them by itself, from what the rules mean."""
    over = {"iteration"} if by is None else {by} if isinstance(by, str) else {*by}
    alike = [name for name in ("run", "dataset", "iteration") if name not in over]

    def kept_by(one):
        if one.is_ambiguous:
            yield "ambiguous"
        else:
            values = [getattr(one, name) for name in alike]
            beside = [other for other in made if [getattr(other, name) for name in alike] == values]
            yield from kept_in_group(one, [other for other in beside if not other.is_ambiguous], policy)

    def all_by(one):
        found = [*kept_by(one)]
        if policy.older_than is not None and timedelta(hours=one.hours) < policy.older_than:
            found.append("older-than")
        if not found and one.complete is not True and timedelta(hours=one.hours) < policy.min_age:
            found.append("unfinished")
        return sorted(found)

    return {one.entry.path: all_by(one) for one in made}


def kept_in_group(one, group, policy):
    later = {other.iteration for other in group if other.iteration > one.iteration and other.complete is not False}
    if policy.keep_last is not None and len(later) < policy.keep_last:
        yield "keep-last"
    if policy.keep_every is not None and one.iteration % policy.keep_every == 0:
        yield "keep-every"
    scored = [other for other in group if other.score is not None]
    counted = [other for other in scored if other.complete is not False] or scored
    for best in policy.keep_best:
        sign = {"max": 1, "min": -1}[best.direction]
        if one.score is None:
            yield "no-score"
        elif all(sign * other.score <= sign * one.score for other in counted):
            yield "keep-best"


def made_choice(made, policy, by):
    ground = Ground({one.entry.path: one.hours for one in made})
    grouped = grouping(OUTPUT, policy, by)
    return choose([one.entry for one in made], policy, grouped, Facts(ground, now=NOW))


class TestAllRules:
    @settings(max_examples=400, deadline=None)
    @given(ARTIFACTS, POLICIES, BY)
    def test_as_accounted(self, made, words, by):
        """Every artifact is kept by exactly the rules that keep it by what they mean."""
        policy = Policy(**words)
        choice = made_choice(made, policy, by)
        wanted = account(made, policy, by)
        assert {path: sorted(found) for path, found in rules(choice).items()} == wanted
        assert {one.path for one in choice.removed} == {path for path, found in wanted.items() if not found}
        event(f"{min(len(choice.removed), 5)} removed")

    @settings(deadline=None)
    @given(ARTIFACTS, POLICIES, st.data())
    def test_last_ones(self, made, words, data):
        """The last artifacts of every group are never removed, whatever else the policy says."""
        number = data.draw(st.integers(1, 4))
        choice = made_choice(made, Policy(**{**words, "keep_last": number}), None)
        gone = {one.path for one in choice.removed}
        for run, dataset in [(run, dataset) for run in "rs" for dataset in "ab"]:
            group = sorted(
                (one for one in made if (one.run, one.dataset) == (run, dataset)), key=lambda one: one.iteration
            )
            assert gone.isdisjoint(one.entry.path for one in group[-number:])

    @settings(deadline=None)
    @given(ARTIFACTS, POLICIES, BY)
    def test_again(self, made, words, by):
        """Among what was kept, the same policy removes nothing."""
        policy = Policy(**words)
        gone = {one.path for one in made_choice(made, policy, by).removed}
        rest = [one for one in made if one.entry.path not in gone]
        assert made_choice(rest, policy, by).removed == ()

    @settings(deadline=None)
    @given(ARTIFACTS, POLICIES, BY, st.randoms(use_true_random=False))
    def test_any_order(self, made, words, by, random):
        """The order in which artifacts come does not matter."""
        policy = Policy(**words)
        mixed = random.sample(made, len(made))
        before, after = made_choice(made, policy, by), made_choice(mixed, policy, by)
        assert {one.entry.path: one.reasons for one in before.verdicts} == {
            one.entry.path: one.reasons for one in after.verdicts
        }
        assert [one.entry for one in after.verdicts] == [one.entry for one in mixed]

    @settings(deadline=None)
    @given(ARTIFACTS, POLICIES, POLICIES)
    def test_more_rules(self, made, words, more):
        """A rule more never removes anything more."""
        policy = Policy(**words)
        both = evolve(
            policy,
            keep_last=policy.keep_last or more["keep_last"],
            keep_every=policy.keep_every or more["keep_every"],
            keep_best=(*policy.keep_best, *more["keep_best"]),
            older_than=policy.older_than or more["older_than"],
        )
        gone = {one.path for one in made_choice(made, both, "iteration").removed}
        assert gone <= {one.path for one in made_choice(made, policy, "iteration").removed}

    @settings(deadline=None)
    @given(ARTIFACTS, POLICIES)
    def test_groups_apart(self, made, words):
        """What one run has does not matter to another one."""
        policy = Policy(**words)
        whole = rules(made_choice(made, policy, None))
        for run in "rs":
            own = [one for one in made if one.run == run]
            alone = rules(made_choice(own, policy, None))
            assert alone == {path: found for path, found in whole.items() if path in alone}
