"""Keys and identifiers: plain, frozen data that can be compared, kept and shown without giving a secret away."""

from __future__ import annotations

import copy
import datetime
import itertools
import pickle
import traceback

import attrs
import pytest
from hypothesis import given, strategies as st

from zarrange.identifiers import ArrayIdentifier, ContainerIdentifier, FileIdentifier, GroupIdentifier, Key

ONE_OF_EACH = [
    ContainerIdentifier("r1/validation.zarr"),
    GroupIdentifier("r1/validation.zarr", "inputs"),
    ArrayIdentifier("r1/validation.zarr", "inputs/raw"),
    FileIdentifier("r1/notes.txt"),
    Key("raw", {"run": "r1", "iteration": 7, "day": datetime.date(2026, 1, 31)}),
]

SECRET = "5ecr3t"
WITH_CREDENTIALS = [
    f"s3://key:{SECRET}@bucket/x.zarr",
    f"s3://{SECRET}@bucket/x.zarr",
    f"s3://key:half/{SECRET}@bucket/x.zarr",
    f"S3://key:{SECRET}@bucket/x.zarr",
    f"https://user:{SECRET}@host/x.zarr",
    f"https://host/x.zarr?X-Amz-Signature={SECRET}",
    f"HTTPS://host/x.zarr?sig={SECRET}",
    f"s3://bucket/x.zarr?versionId=1&token={SECRET}",
    f"gs://bucket/x.zarr?token={SECRET}",
    f"simplecache::s3://key:{SECRET}@bucket",
    f"simplecache::https://host/x.zarr?X-Amz-Signature={SECRET}",
    f"zip://inner.zarr::https://host/x.zip?token={SECRET}",
    f"zip://inner.zarr::s3://key:{SECRET}@bucket/x.zip",
    f"s3://key:{SECRET}@bucket/x.zarr\0",
]
WITHOUT_CREDENTIALS = [
    "/data/a@b.zarr",
    "/data/what?.zarr",
    "s3://bucket/a@b.zarr",
    "s3://bucket/a:b/c.zarr",
    "http://localhost:8080/a@b.zarr",
    "simplecache::s3://bucket/x.zarr",
    "memory://x.zarr",
    "relative/x.zarr",
]
NOT_INSIDE = ["", "/", "/a", "a/", "a//b", ".", "..", "./a", "a/.", "../a", "a/..", "a/../b", "a\0b"]

values = st.one_of(
    st.text(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.dates(),
    st.datetimes(),
    st.sampled_from([0, 1]),
)
keys = st.builds(Key, st.sampled_from(["a", "b"]), st.dictionaries(st.sampled_from("xyz"), values, max_size=3))


MAKERS = {
    "container": ContainerIdentifier,
    "group": lambda place: GroupIdentifier(place, "a"),
    "array": lambda place: ArrayIdentifier(place, "a"),
    "file": FileIdentifier,
    "dataset of array": lambda place: ArrayIdentifier("x.zarr", place),
    "dataset of group": lambda place: GroupIdentifier("x.zarr", place),
}
every_place = pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)


@pytest.mark.parametrize("one", ONE_OF_EACH, ids=lambda one: type(one).__name__)
class TestPlainData:
    """Identifiers and keys are frozen attrs classes, hashable, ordered, picklable."""

    def test_frozen(self, one):
        """No attribute can be set, deleted or added."""
        for attribute in attrs.fields(type(one)):
            with pytest.raises(attrs.exceptions.FrozenInstanceError):
                setattr(one, attribute.name, "other")
            with pytest.raises(attrs.exceptions.FrozenInstanceError):
                delattr(one, attribute.name)
        with pytest.raises((attrs.exceptions.FrozenInstanceError, AttributeError)):
            one.added = 1

    @pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
    def test_pickle(self, one, protocol):
        """A pickle of any protocol gives an equal instance with an equal hash."""
        again = pickle.loads(pickle.dumps(one, protocol))
        assert again == one
        assert hash(again) == hash(one)
        assert type(again) is type(one)

    @pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy])
    def test_copy(self, one, duplicate):
        """A copy, deep or not, is equal and has an equal hash."""
        assert duplicate(one) == one
        assert hash(duplicate(one)) == hash(one)

    def test_set_member(self, one):
        """An equal instance is the same member of a set."""
        assert {one, copy.deepcopy(one)} == {one}

    def test_other_types(self, one):
        """An instance equals nothing of another type, not even one with the same fields."""
        assert one not in (1, None, str(one), attrs.astuple(one), object())
        assert [other for other in ONE_OF_EACH if other == one] == [one]

    def test_order_with_others(self, one):
        """Something else cannot be put in order with it."""
        with pytest.raises(TypeError):
            assert one < 3


class TestIdentifiers:
    """An identifier says where an artifact is."""

    def test_path(self):
        """The path is that of the container, with what is inside it after a slash."""
        assert [one.path for one in ONE_OF_EACH[:-1]] == [
            "r1/validation.zarr",
            "r1/validation.zarr/inputs",
            "r1/validation.zarr/inputs/raw",
            "r1/notes.txt",
        ]

    def test_same_fields_other_class(self):
        """An array and a group at the same place are different identifiers."""
        assert ArrayIdentifier("x.zarr", "a") != GroupIdentifier("x.zarr", "a")
        assert ContainerIdentifier("x") != FileIdentifier("x")

    def test_array_of_container(self):
        """A container's identifier gives those of its arrays."""
        assert ContainerIdentifier("x.zarr").array_identifier("a/b") == ArrayIdentifier("x.zarr", "a/b")

    def test_order(self):
        """Identifiers of a class order by container, then by dataset."""
        wanted = [ArrayIdentifier("a", "x"), ArrayIdentifier("a", "y"), ArrayIdentifier("b", "x")]
        assert sorted([*wanted[1:], wanted[0]]) == wanted

    @pytest.mark.parametrize("dataset", NOT_INSIDE)
    @pytest.mark.parametrize("cls", [ArrayIdentifier, GroupIdentifier])
    def test_dataset_is_inside(self, cls, dataset):
        """A dataset that is no plain path inside the container is refused, and the error names the attribute."""
        with pytest.raises(ValueError, match=rf"^dataset of {cls.__name__}: .*"):
            cls("x.zarr", dataset)
        with pytest.raises(ValueError, match=rf"^dataset of {cls.__name__}: .*"):
            attrs.evolve(cls("x.zarr", "a"), dataset=dataset)

    @pytest.mark.parametrize("dataset", ["a", "a/b", "...", "a b [x]", "~", "ü/ñ", ".hidden", "a:b", "-", "%2e%2e"])
    def test_plain_datasets(self, dataset):
        """A plain path inside the container is kept as it is."""
        assert ArrayIdentifier("x.zarr", dataset).dataset == dataset

    @every_place
    @pytest.mark.parametrize("place", ["", "a\0b", "\0"])
    def test_empty_or_nul(self, make, place):
        """An empty place, and one with a NUL character, is refused."""
        with pytest.raises(ValueError, match="is empty or has a NUL character"):
            make(place)

    @every_place
    @pytest.mark.parametrize("place", [None, 7, b"x.zarr", True, ["x.zarr"]])
    def test_text_only(self, make, place):
        """A place that is not text is refused, and the error says what was given."""
        with pytest.raises(TypeError, match=f"expected text, got {type(place).__name__}"):
            make(place)


class TestCredentials:
    """A container is refused when it is a URL that carries credentials."""

    @pytest.mark.parametrize("url", WITH_CREDENTIALS)
    @every_place
    def test_refused(self, make, url):
        """A URL with credentials is refused, and nothing of the error has the secret in it."""
        with pytest.raises(ValueError, match=r"^\w+ of \w+: ") as caught:
            make(url)
        # Frames that show local variables or the call are the caller's own affair: this is what the error itself says.
        shown = "".join(traceback.format_exception_only(caught.value))
        assert SECRET not in shown
        assert SECRET not in repr(caught.value)
        assert SECRET.encode() not in pickle.dumps(caught.value)
        assert caught.value.__cause__ is None

    @pytest.mark.parametrize("url", WITHOUT_CREDENTIALS)
    def test_accepted(self, url):
        """A path or a URL without credentials is kept as it is."""
        assert ContainerIdentifier(url).container == url
        assert FileIdentifier(url).path == url
        assert ArrayIdentifier(url, "a").container == url

    def test_evolve(self):
        """An identifier that is made of another one is held to the same rules."""
        with pytest.raises(ValueError, match="credentials"):
            attrs.evolve(ContainerIdentifier("x.zarr"), container=WITH_CREDENTIALS[0])


class TestKeys:
    """A key is a kind with its values, independent of any path."""

    def test_access(self):
        """A key gives its kind, its values and each value by its name."""
        key = Key("raw", {"run": "r1", "iteration": 7})
        assert key.kind == "raw"
        assert dict(key.values) == {"run": "r1", "iteration": 7}
        assert key["iteration"] == 7
        with pytest.raises(KeyError):
            key["absent"]

    def test_values_cannot_change(self):
        """A key's values can be changed neither through it nor through the mapping that it was made of."""
        given_values = {"run": "r1"}
        key = Key("raw", given_values)
        given_values["run"] = "r2"
        with pytest.raises(TypeError):
            key.values["run"] = "r2"
        assert key == Key("raw", {"run": "r1"})

    def test_no_values(self):
        """A key without values is a key."""
        assert dict(Key("raw").values) == {}
        assert Key("raw") == Key("raw", {})

    def test_order_of_values(self):
        """The order in which values are given means nothing."""
        one, other = Key("raw", {"a": 1, "b": 2}), Key("raw", {"b": 2, "a": 1})
        assert one == other
        assert hash(one) == hash(other)
        assert not one < other
        assert not other < one

    @pytest.mark.parametrize(
        ("values", "shown"),
        [
            ({"run": "r1", "iteration": 7}, 'raw(run="r1", iteration=7)'),
            ({"name": 'a "b" \\c'}, 'raw(name="a \\"b\\" \\\\c")'),
            ({"day": datetime.date(2026, 1, 31), "flag": True}, "raw(day=2026-01-31, flag=True)"),
        ],
    )
    def test_shown(self, values, shown):
        """A key shows its kind and its values: text in quotes, a day as it is written in YAML."""
        assert str(Key("raw", values)) == shown

    def test_order(self):
        """Keys order by kind, then by field, then by value, numbers as numbers."""
        wanted = [Key("a", {"i": 2}), Key("a", {"i": 10}), Key("a", {"j": 1}), Key("b")]
        assert sorted([*wanted[1:], wanted[0]]) == wanted

    def test_order_of_different_fields_and_types(self):
        """Keys whose fields or whose values' types differ can be put in order all the same."""
        mixed = [
            Key("a"),
            Key("a", {"x": 1}),
            Key("a", {"x": "1"}),
            Key("a", {"x": 1.5}),
            Key("a", {"x": datetime.date(2026, 1, 31)}),
            Key("a", {"x": datetime.datetime(2026, 1, 31)}),
            Key("a", {"y": 1}),
            Key("a", {"x": 1, "y": "2"}),
            Key("b", {"y": "2"}),
        ]
        orders = {
            tuple(sorted(shuffled)) for shuffled in itertools.islice(itertools.permutations(mixed), 0, 40_320, 97)
        }
        assert len(orders) == 1

    @pytest.mark.parametrize(("one", "other"), [(1, True), (0, False), (1, 1.0), (True, 1.0)])
    def test_a_type_is_part_of_a_value(self, one, other):
        """1 is not True, and neither is 1.0: keys with one and the other are different keys."""
        assert Key("a", {"x": one}) != Key("a", {"x": other})

    @given(keys, keys)
    def test_trichotomy(self, one, other):
        """Of two keys, one is less, or they are equal, and never both."""
        assert [one < other, one == other, other < one].count(True) == 1

    @given(keys)
    def test_duplicates(self, key):
        """A pickle and a copy of any key are equal to it."""
        assert pickle.loads(pickle.dumps(key)) == copy.copy(key) == copy.deepcopy(key) == key
        assert hash(pickle.loads(pickle.dumps(key))) == hash(key)

    @pytest.mark.parametrize("kind", [None, 7, b"raw", ["raw"]])
    def test_kind_is_text(self, kind):
        """A kind that is not text is refused."""
        with pytest.raises(TypeError, match="kind of Key"):
            Key(kind)

    @pytest.mark.parametrize("value", [None, [1], {"a": 1}, b"x", object(), (1, 2)])
    def test_values_are_plain(self, value):
        """A value that no field can hold is refused, so that every key can be hashed and written as JSON."""
        with pytest.raises(TypeError, match="x"):
            Key("raw", {"x": value})

    @pytest.mark.parametrize("given_values", [None, 7, [1], "ab"])
    def test_values_are_a_mapping(self, given_values):
        """Values that are not a mapping are refused."""
        with pytest.raises((TypeError, ValueError)):
            Key("raw", given_values)
