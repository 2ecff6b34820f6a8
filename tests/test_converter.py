"""The one converter: identifiers and keys to JSON and back, strictly, with every problem at its place."""

from __future__ import annotations

import copy
import datetime
import json
import math
import pickle
import traceback
from typing import Any

import attrs
import pytest
from hypothesis import given, strategies as st

from zarrange.converter import Problem, from_json, structure, to_json, unstructure
from zarrange.errors import StructureError
from zarrange.identifiers import (
    ArrayIdentifier,
    ContainerIdentifier,
    FileIdentifier,
    GroupIdentifier,
    Identifier,
    Key,
)


@attrs.frozen
class Batch:
    """Something that holds identifiers and keys."""

    identifiers: list[Identifier]
    keys: tuple[Key, ...] = ()
    names: dict[str, Identifier | Key] = attrs.field(factory=dict)


@attrs.frozen
class Settings:
    """One attribute of each plain type."""

    count: int = 0
    ratio: float = 0.0
    flag: bool = False
    name: str = ""
    limit: int | str | None = None


ARRAY = {"type": "array", "container": "x.zarr", "dataset": "a"}
KEY = {"type": "key", "kind": "raw", "values": {}}
SECRET = "5ecr3t"

places = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0?@"), min_size=1)
segments = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0/?@"), min_size=1).filter(
    lambda text: text not in {".", ".."}
)
datasets = st.lists(segments, min_size=1, max_size=4).map("/".join)
identifiers = st.one_of(
    st.builds(ContainerIdentifier, places),
    st.builds(GroupIdentifier, places, datasets),
    st.builds(ArrayIdentifier, places, datasets),
    st.builds(FileIdentifier, places),
)
values = st.one_of(
    st.text(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.dates(),
    st.datetimes(),
)
keys = st.builds(Key, st.text(min_size=1), st.dictionaries(st.text(), values, max_size=5))


def problems_of(data, target):
    with pytest.raises(StructureError) as caught:
        structure(data, target)
    return {problem.location: problem for problem in caught.value.problems}


def with_types(key):
    return {name: (type(value), value) for name, value in key.values.items()}


class TestRoundTrip:
    """Identifiers and keys go through one cattrs converter to and from JSON-ready dicts."""

    @given(identifiers)
    def test_identifiers(self, one):
        """Every identifier comes back from JSON, as its own class and as one of the union."""
        assert from_json(to_json(one), type(one)) == one
        again = from_json(to_json(one), Identifier)
        assert again == one
        assert type(again) is type(one)

    @given(keys)
    def test_keys(self, key):
        """Every key comes back from JSON with the same values, each of its own type."""
        again = from_json(to_json(key), Key)
        assert again == key
        assert with_types(again) == with_types(key)

    @given(
        st.lists(identifiers, max_size=4), st.lists(keys, max_size=3), st.dictionaries(st.text(), identifiers | keys)
    )
    def test_holders(self, some, others, names):
        """Whatever attrs class holds identifiers and keys comes back with them."""
        batch = Batch(some, tuple(others), names)
        assert from_json(to_json(batch), Batch) == batch

    @given(keys | identifiers)
    def test_json_ready(self, one):
        """What `unstructure` gives is what JSON can say, and JSON gives it back as it was."""
        data = unstructure(one)
        assert json.loads(json.dumps(data)) == data
        assert structure(data, type(one)) == one

    @given(keys)
    def test_one_line(self, key):
        """A JSON text is one line; UTF-8 bytes of it are read as well."""
        text = to_json(key)
        assert "\n" not in text
        assert from_json(text.encode(), Key) == key

    @given(keys, keys)
    def test_equal_texts(self, one, other):
        """Keys have equal texts exactly if they are equal."""
        assert (to_json(one) == to_json(other)) == (one == other)
        backwards = Key(one.kind, dict(reversed(one.values.items())))
        assert to_json(backwards) == to_json(one)

    def test_written_forms(self):
        """The written forms are stable: a tag, the attributes by name, dates by their tag."""
        assert unstructure(ContainerIdentifier("x.zarr")) == {"type": "container", "container": "x.zarr"}
        assert unstructure(GroupIdentifier("x.zarr", "a")) == {"type": "group", "container": "x.zarr", "dataset": "a"}
        assert unstructure(ArrayIdentifier("x.zarr", "a")) == ARRAY
        assert unstructure(FileIdentifier("x.pt")) == {"type": "file", "path": "x.pt"}
        key = Key("raw", {"n": 1, "d": datetime.date(2026, 1, 31), "t": datetime.datetime(2026, 1, 31, 12, 30)})
        assert unstructure(key) == {
            "type": "key",
            "kind": "raw",
            "values": {"n": 1, "d": {"date": "2026-01-31"}, "t": {"datetime": "2026-01-31T12:30:00"}},
        }

    @pytest.mark.parametrize("value", ["7", 7, 7.0, True, False, 1, 0, "", "true", "2026-01-31", 10**300, 1e300])
    def test_types_stay(self, value):
        """ "7" is not 7, 1 is not True: each comes back as what it is."""
        again = from_json(to_json(Key("raw", {"x": value})), Key)["x"]
        assert (type(again), again) == (type(value), value)

    @pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
    def test_no_json_form(self, number):
        """A number that JSON cannot say is no value of a key."""
        with pytest.raises(ValueError, match="has no equal and no JSON form"):
            Key("raw", {"x": number})


class TestStrict:
    """It is strict: "7" is not 7, 1 is not True, a key that no class has is refused."""

    @pytest.mark.parametrize(
        ("target", "data"),
        [
            *((int, data) for data in ("7", True, 7.0, None, [7], b"7")),
            *((bool, data) for data in (1, 0, "true", None)),
            *((float, data) for data in ("7.0", True, None, [])),
            *((str, data) for data in (7, b"7", None, True, ["a"], {})),
            *((list[str], data) for data in ("ab", {"a": 1}, 7, None, {"a"})),
            *((tuple[int, ...], data) for data in ("12", {1: 2}, None)),
            *((dict[str, int], data) for data in ([], "ab", [("a", 1)], None)),
            *((Settings, data) for data in ([], "ab", None, 7, Settings())),
            *((Key, data) for data in ([], "ab", None, 7, {}, Key("raw"))),
            *((Identifier, data) for data in ([], "ab", None, 7, {}, "x.zarr", FileIdentifier("x"))),
        ],
        ids=repr,
    )
    def test_no_coercion(self, target, data):
        """Data of another type is refused, never made to fit."""
        assert set(problems_of(data, target)) == {"$"}

    @pytest.mark.parametrize(
        ("name", "data"),
        [("count", "7"), ("count", True), ("ratio", "1.5"), ("flag", 1), ("flag", "yes"), ("name", 7), ("limit", 1.5)],
    )
    def test_attributes(self, name, data):
        """An attribute of another type is refused at its path."""
        assert set(problems_of({name: data}, Settings)) == {f"$.{name}"}

    @pytest.mark.parametrize("data", [{}, {"count": 7}, {"ratio": 7}, {"limit": "7"}, {"limit": 7}, {"limit": None}])
    def test_what_fits(self, data):
        """What fits is taken as it is; a whole number is a number."""
        assert attrs.asdict(structure(data, Settings)) == attrs.asdict(Settings()) | data

    def test_unknown_key(self):
        """A key that no class has is refused at its path, with the similar one that exists."""
        found = problems_of(ARRAY | {"datset": "a"}, Identifier)
        assert set(found) == {"$.datset"}
        assert found["$.datset"].rule == "unknown-key"
        assert found["$.datset"].help == "a similar key exists: `dataset`"

    def test_missing_keys(self):
        """Each missing key is a problem of its own."""
        with pytest.raises(StructureError) as caught:
            structure({"identifiers": [ARRAY, {"type": "array"}]}, Batch)
        assert [(one.location, one.rule) for one in caught.value.problems] == [("$.identifiers[1]", "missing-key")] * 2
        assert "`container`" in str(caught.value)
        assert "`dataset`" in str(caught.value)

    @pytest.mark.parametrize("target", [Identifier, ArrayIdentifier, Key])
    def test_missing_tag(self, target):
        """Data without a tag misses a key."""
        with pytest.raises(StructureError, match="`type` is missing") as caught:
            structure({"container": "x.zarr", "dataset": "a"}, target)
        assert [problem.rule for problem in caught.value.problems] == ["missing-key"]

    def test_wrong_tag(self):
        """A wrong tag is refused with the similar one that exists."""
        with pytest.raises(StructureError, match=r"the text 'arrray' \(a similar type exists: `array`\)"):
            structure(ARRAY | {"type": "arrray"}, Identifier)

    @pytest.mark.parametrize("tag", [None, 7, True, ["array"], {"array": 1}, "", "Array", "key"])
    def test_strange_tags(self, tag):
        """A tag that is none is refused, whatever its type."""
        with pytest.raises(StructureError, match="`type` is"):
            structure(ARRAY | {"type": tag}, Identifier)

    @pytest.mark.parametrize("target", [FileIdentifier, GroupIdentifier, ContainerIdentifier, Key])
    def test_other_class(self, target):
        """A right tag of another class is refused where only one class is wanted."""
        with pytest.raises(StructureError, match="`type` is the text 'array'"):
            structure(ARRAY, target)

    def test_no_tag_is_guessed(self):
        """Structuring a union looks at the tag alone: an array's tag with a file's attributes is refused."""
        assert problems_of({"type": "array", "path": "x"}, Identifier).keys() >= {"$", "$.path"}

    @pytest.mark.parametrize(
        "value",
        [
            None,
            [1],
            {},
            {"date": 7},
            {"date": "2026-02-30"},
            {"date": "20260131"},
            {"date": "2026-W05-6"},
            {"date": "2026-01-31T00:00:00"},
            {"datetime": "2026-01-31"},
            {"datetime": "2026-01-31 12:30:00"},
            {"time": "12:30"},
            {"date": "2026-01-31", "datetime": "2026-01-31T00:00:00"},
            math.nan,
            math.inf,
        ],
        ids=repr,
    )
    def test_values_of_keys(self, value):
        """What no field can hold is refused at its path, and so is a date in another form than the written one."""
        assert set(problems_of(KEY | {"values": {"fine": 1, "x": value}}, Key)) == {"$.values.x"}


class TestErrors:
    """Every problem is reported, each with its path (`$.identifiers[2].dataset`)."""

    @pytest.mark.parametrize("at", [0, 1, 2, 10])
    @pytest.mark.parametrize("dataset", [7, None, True, ["a"], "../a", "", "/a", "a\0"], ids=repr)
    def test_path_of_an_attribute(self, at, dataset):
        """A bad attribute is found at its path, of any index (0 too) and whether its type or its content is bad."""
        data = {"identifiers": [ARRAY] * at + [ARRAY | {"dataset": dataset}, ARRAY]}
        assert set(problems_of(data, Batch)) == {f"$.identifiers[{at}].dataset"}

    @pytest.mark.parametrize("at", [0, 2])
    def test_path_of_a_value(self, at):
        """A bad value of a key is found at its path."""
        data = {"identifiers": [], "keys": [KEY] * at + [KEY | {"values": {"day": {"date": "?"}}}]}
        assert set(problems_of(data, Batch)) == {f"$.keys[{at}].values.day"}

    def test_path_in_a_mapping(self):
        """A problem inside a mapping is found under its key."""
        data = {"identifiers": [], "names": {"first": ARRAY, "second": {"type": "file", "path": 7}}}
        assert set(problems_of(data, Batch)) == {"$.names.second.path"}

    def test_all_at_once(self):
        """All problems are reported at once, of types and contents alike."""
        data: dict[str, Any] = {
            "identifiers": [
                ARRAY | {"container": "", "dataset": "../a"},
                ARRAY,
                {"type": "fil", "path": "x"},
                {"type": "file", "path": 7},
                {"type": "group", "container": "x.zarr"},
                None,
            ],
            "keys": [KEY | {"kind": 7, "values": {"a": None, "b": [1]}}],
            "nmes": {},
        }
        assert set(problems_of(data, Batch)) == {
            "$.identifiers[0].container",
            "$.identifiers[0].dataset",
            "$.identifiers[2]",
            "$.identifiers[3].path",
            "$.identifiers[4]",
            "$.identifiers[5]",
            "$.keys[0].kind",
            "$.keys[0].values.a",
            "$.keys[0].values.b",
            "$.nmes",
        }

    def test_text(self):
        """The error's text has one line for each problem, its path first."""
        with pytest.raises(StructureError) as caught:
            structure({"identifiers": [ARRAY | {"dataset": 7}, 7]}, Batch)
        assert str(caught.value).splitlines() == [
            "$.identifiers[0].dataset: expected text, got the number 7",
            "$.identifiers[1]: expected a mapping with a `type`, got the number 7",
        ]

    def test_location(self):
        """A problem's location writes indices in brackets, 0 among them, and names after a dot."""
        assert Problem((), "wrong-type", "").location == "$"
        assert Problem(("a", 0, "b", 2, 0), "wrong-type", "").location == "$.a[0].b[2][0]"

    def test_pickle(self):
        """The error pickles with all its problems."""
        with pytest.raises(StructureError) as caught:
            structure([7, ARRAY, None], list[Identifier])
        again = pickle.loads(pickle.dumps(caught.value))
        assert again.problems == caught.value.problems
        assert str(again) == str(caught.value)

    def test_data_is_left_alone(self):
        """Structuring changes nothing of the data, whether it fits or not."""
        for data in (copy.deepcopy(ARRAY), ARRAY | {"dataset": 7}):
            before = copy.deepcopy(data)
            try:
                structure(data, Identifier)
            except StructureError:
                assert data["dataset"] == 7
            assert data == before


class TestJson:
    """`from_json` raises `StructureError`, also for text that is not JSON."""

    @pytest.mark.parametrize(
        "text",
        [
            "",
            " ",
            "{",
            "nonsense",
            "{'type': 'file'}",
            '{"type": "file", "path": "x"} {}',
            '{"type": "file", "path": "x",}',
            b"\xff",
            b"\x00",
            "[" * 100_000,
            '{"a":' * 100_000,
            '{"type": "key", "kind": "raw", "values": {"x": NaN}}',
            '{"type": "key", "kind": "raw", "values": {"x": Infinity}}',
            '{"type": "key", "kind": "raw", "values": {"x": -Infinity}}',
            '{"type": "key", "kind": "raw", "values": {"x": ' + "9" * 5000 + "}}",
        ],
        ids=lambda text: repr(text[:30]),
    )
    def test_not_json(self, text):
        """Text that is not JSON, or that only Python takes for JSON, is a problem at the top."""
        with pytest.raises(StructureError, match=r"^\$: not JSON: ") as caught:
            from_json(text, Key)
        assert len(caught.value.problems) == 1

    @pytest.mark.parametrize("number", ["1e999", "-1e999"])
    def test_too_large(self, number):
        """A number that is too large for a float is refused, for it would come back as infinity."""
        with pytest.raises(StructureError):
            from_json(f'{{"type": "key", "kind": "raw", "values": {{"x": {number}}}}}', Key)

    @pytest.mark.parametrize(
        ("text", "name"),
        [
            ('{"type": "file", "path": "a", "path": "b"}', "path"),
            ('{"type": "file", "type": "file", "path": "a"}', "type"),
            ('{"type": "key", "kind": "raw", "values": {"x": 1, "y": 2, "x": 1}}', "x"),
        ],
    )
    def test_duplicate_keys(self, text, name):
        """A key that stands twice is refused and named, at any depth."""
        with pytest.raises(StructureError, match=f"the key '{name}' stands twice"):
            from_json(text, Identifier | Key)

    def test_deep_but_json(self):
        """Deep nesting that JSON can still read is a problem at its place, not a crash."""
        text = '{"type": "key", "kind": "raw", "values": {"x": ' + "[" * 500 + "]" * 500 + "}}"
        with pytest.raises(StructureError, match=r"^\$\.values\.x: "):
            from_json(text, Key)

    def test_deep_data(self):
        """Deep nesting in plain data is a problem at its place, not a crash."""
        data: list[Any] = []
        for _ in range(50_000):
            data = [data]
        assert set(problems_of(KEY | {"values": {"x": data}}, Key)) == {"$.values.x"}


class TestCredentials:
    """Credentials are never serialised, and no error shows them."""

    @pytest.mark.parametrize(
        "url",
        [
            f"s3://key:{SECRET}@bucket/x.zarr",
            f"https://host/x.zarr?X-Amz-Signature={SECRET}",
            f"simplecache::s3://key:{SECRET}@bucket",
            f"simplecache::https://host/x.zarr?X-Amz-Signature={SECRET}",
            f"s3://key:{SECRET}@bucket/x.zarr\0",
        ],
    )
    @pytest.mark.parametrize("tag", ["container", "group", "array", "file"])
    def test_refused(self, tag, url):
        """A URL with credentials is refused at its path, and neither the error nor what caused it shows the secret."""
        name = "path" if tag == "file" else "container"
        data = {"type": tag, name: url} | ({"dataset": "a"} if tag in {"group", "array"} else {})
        with pytest.raises(StructureError) as caught:
            from_json(json.dumps([data]), list[Identifier])
        assert [problem.location for problem in caught.value.problems] == [f"$[0].{name}"]
        assert SECRET not in "".join(traceback.format_exception(caught.value))
        assert SECRET.encode() not in pickle.dumps(caught.value)
