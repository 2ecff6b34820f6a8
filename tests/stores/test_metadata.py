"""What a node of zarr says of itself: both formats, odd but valid documents, and damage of every sort."""

from __future__ import annotations

import copy
import json
import pickle
from contextlib import suppress

import numpy as np
import pytest
import zarr
from hypothesis import given, strategies as st

from zarrange.errors import DamagedError, UnreadableError
from zarrange.stores.metadata import MAX_CACHED_BYTES, NODE_METADATA, Node, is_chunk_like, parse_node

ARRAY = {
    "zarr_format": 3,
    "node_type": "array",
    "shape": [4, 6],
    "data_type": "float32",
    "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [2, 3]}},
    "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
    "codecs": [{"name": "bytes", "configuration": {"endian": "little"}}],
    "fill_value": 0,
    "attributes": {"unit": "nm"},
}
GROUP = {"zarr_format": 3, "node_type": "group", "attributes": {"a": [1]}}
OLD_ARRAY = {
    "zarr_format": 2,
    "shape": [4, 6],
    "dtype": "<f4",
    "chunks": [2, 3],
    "fill_value": 0,
    "order": "C",
    "compressor": None,
    "filters": None,
}
OLD_GROUP = {"zarr_format": 2}


def parsed(document, name="zarr.json"):
    return parse_node(name, json.dumps(document).encode())


def without(document, key):
    return {name: value for name, value in document.items() if name != key}


class TestFormats:
    def test_array(self):
        """An array of format 3 has a shape, a data type, chunks and attributes."""
        assert parsed(ARRAY) == Node("array", 3, (4, 6), "float32", (2, 3), {"unit": "nm"})

    def test_group(self):
        """A group of format 3 has attributes, and neither shape nor type."""
        assert parsed(GROUP) == Node("group", 3, attributes={"a": [1]})

    def test_old_array(self):
        """An array of format 2 has its data type by the name of format 3, and no attributes here."""
        assert parsed(OLD_ARRAY, ".zarray") == Node("array", 2, (4, 6), "float32", (2, 3))

    def test_old_group(self):
        """A group of format 2 is a group."""
        assert parsed(OLD_GROUP, ".zgroup") == Node("group", 2)

    def test_no_attributes(self):
        """Attributes may be left out."""
        for document in (ARRAY, GROUP):
            assert parsed(without(document, "attributes")).attributes == {}

    @pytest.mark.parametrize(("given", "expected"), [(None, False), ({}, False), ({"kind": "inline"}, True)])
    def test_consolidated(self, given, expected):
        """A group says whether it has a copy of the metadata below it."""
        assert parsed(GROUP | {"consolidated_metadata": given}).is_consolidated is expected

    @pytest.mark.parametrize("zarr_format", [2, 3])
    @pytest.mark.parametrize("dtype", ["bool", "int8", "uint16", "int64", "float16", "float64", "complex64"])
    @pytest.mark.parametrize("shape", [(), (5,), (2, 0, 3)])
    def test_what_zarr_writes(self, tmp_path, zarr_format, dtype, shape):
        """What zarr writes of an array is what is read, with the size that it takes."""
        made = zarr.create_array(tmp_path / "a", shape=shape, dtype=dtype, zarr_format=zarr_format)
        name = "zarr.json" if zarr_format == 3 else ".zarray"
        node = parse_node(name, (tmp_path / "a" / name).read_bytes())
        assert (node.type, node.zarr_format, node.shape, node.chunks) == ("array", zarr_format, shape, made.chunks)
        assert node.dtype == dtype
        assert node.nbytes == made.nbytes

    @pytest.mark.parametrize("zarr_format", [2, 3])
    @pytest.mark.parametrize("dtype", ["<U4", "S3", "M8[s]", [("a", "<f4"), ("b", "<i2")]])
    @pytest.mark.filterwarnings("ignore::zarr.errors.UnstableSpecificationWarning")
    @pytest.mark.filterwarnings("ignore:The data type")
    def test_odd_types_that_zarr_writes(self, tmp_path, zarr_format, dtype):
        """Texts, times and structures have a type of some name, and elements of unknown size."""
        zarr.create_array(tmp_path / "a", shape=(2,), dtype=np.dtype(dtype), zarr_format=zarr_format)
        name = "zarr.json" if zarr_format == 3 else ".zarray"
        node = parse_node(name, (tmp_path / "a" / name).read_bytes())
        assert (node.shape, bool(node.dtype), node.nbytes) == ((2,), True, None)

    @pytest.mark.parametrize("zarr_format", [2, 3])
    def test_groups_that_zarr_writes(self, tmp_path, zarr_format):
        """What zarr writes of a group is read as a group."""
        zarr.create_group(tmp_path / "g", zarr_format=zarr_format, attributes={"a": 1})
        name = "zarr.json" if zarr_format == 3 else ".zgroup"
        node = parse_node(name, (tmp_path / "g" / name).read_bytes())
        assert node == Node("group", zarr_format, attributes={"a": 1} if zarr_format == 3 else {})


class TestOddDocuments:
    """Valid documents that are not what zarr itself writes today."""

    @pytest.mark.parametrize(
        ("written", "name", "nbytes"),
        [
            ("bool", "bool", 24),
            ("uint8", "uint8", 24),
            ("bfloat16", "bfloat16", 48),
            ("complex128", "complex128", 384),
            ("r16", "r16", 48),
            ("string", "string", None),
            ("int2", "int2", None),
            ("float8_e4m3fn", "float8_e4m3fn", None),
            ({"name": "numpy.datetime64", "configuration": {"unit": "s", "scale_factor": 1}}, "numpy.datetime64", None),
            ({"name": "fixed_length_utf32", "configuration": {"length_bytes": 16}}, "fixed_length_utf32", None),
        ],
    )
    def test_data_types(self, written, name, nbytes):
        """A data type may be an object, or one that this version knows no size of."""
        node = parsed(ARRAY | {"data_type": written})
        assert (node.dtype, node.nbytes) == (name, nbytes)

    @pytest.mark.parametrize(
        ("written", "name", "nbytes"),
        [
            ("|b1", "bool", 24),
            ("|i1", "int8", 24),
            (">u2", "uint16", 48),
            ("<f2", "float16", 48),
            ("<c16", "complex128", 384),
            ("<U4", "<U4", None),
            ("|S3", "|S3", None),
            ("<M8[ns]", "<M8[ns]", None),
            ("|V6", "|V6", None),
            ("|O", "|O", None),
            ([["a", "<f4"], ["b", "<i2", [2]]], '[["a", "<f4"], ["b", "<i2", [2]]]', None),
        ],
    )
    def test_old_data_types(self, written, name, nbytes):
        """A type of numpy that format 3 has a name for gets it; any other keeps its own."""
        node = parsed(OLD_ARRAY | {"dtype": written}, ".zarray")
        assert (node.dtype, node.nbytes) == (name, nbytes)

    def test_more_than_is_needed(self):
        """Members that are not known are passed over."""
        assert parsed(ARRAY | {"dimension_names": ["y", None], "x": {"must_understand": False}}) == parsed(ARRAY)
        assert parsed(OLD_ARRAY | {"dimension_separator": "/"}, ".zarray") == parsed(OLD_ARRAY, ".zarray")

    def test_other_grids(self):
        """A chunk grid of another sort has no chunks of one shape."""
        rectilinear = {"name": "rectilinear", "configuration": {"chunk_shapes": [[1, 3], [6]]}}
        node = parsed(ARRAY | {"chunk_grid": rectilinear})
        assert (node.shape, node.chunks) == ((4, 6), None)

    @pytest.mark.parametrize("shape", [[], [0], [2**40, 2**40], [1] * 40])
    def test_shapes(self, shape):
        """A shape may be of any length and size."""
        chunks = {"chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [1] * len(shape)}}}
        node = parsed(ARRAY | chunks | {"shape": shape})
        assert node.shape == tuple(shape)
        nbytes = 4 * int(np.prod([*map(int, shape)], dtype=object))
        assert node.nbytes == (nbytes if nbytes < 2**63 else None)

    @pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
    def test_text(self, encoding):
        """Attributes may be any text of Unicode."""
        content = json.dumps(ARRAY | {"attributes": {"é\N{GRINNING FACE}": "µ"}}, ensure_ascii=False).encode(encoding)
        assert parse_node("zarr.json", content).attributes == {"é\N{GRINNING FACE}": "µ"}

    def test_large(self):
        """Documents of any size are read."""
        attributes = {"notes": "x" * MAX_CACHED_BYTES}
        assert parsed(GROUP | {"attributes": attributes}).attributes == attributes


NOT_JSON = [b"", b"{", b'{"zarr_format": 3', b"\xff\xfe", b"[" * 100_000, b"9" * 5000, b'{"a": 1} x', b"\0" * 100]
NOT_AN_OBJECT = [b"[]", b"null", b"3", b'"group"', b"true"]

MISSHAPEN = [
    *((ARRAY | {"node_type": given}, f"its node_type is {given!r}") for given in (None, "arrays", 3, ["array"], {})),
    *((ARRAY | {"zarr_format": given}, f"its zarr_format is {given!r}") for given in (None, 2, 4, "3", True, [3])),
    *((GROUP | {"zarr_format": given}, f"its zarr_format is {given!r}") for given in (None, 2, "3")),
    *(
        (ARRAY | {"shape": given}, f"its shape is {given!r}")
        for given in (None, 4, "4", [-1], [4.0], [True], [[4]], {})
    ),
    *((ARRAY | {"data_type": given}, "its data type is ") for given in (None, 4, "", [], {}, {"nome": "int8"})),
    *(
        (document | {"attributes": given}, f"its attributes are {given!r}")
        for document in (ARRAY, GROUP)
        for given in ([], [1], "a", 0)
    ),
    *((without(ARRAY, key), key) for key in ("node_type", "shape", "data_type", "chunk_grid", "codecs", "fill_value")),
    (without(ARRAY, "zarr_format"), "zarr_format"),
    (without(GROUP, "zarr_format"), "zarr_format"),
    ({}, "its node_type is None"),
]
OLD_MISSHAPEN = [
    *((OLD_ARRAY | {"zarr_format": given}, f"its zarr_format is {given!r}") for given in (None, 3, "2", [2])),
    *((OLD_ARRAY | {"shape": given}, f"its shape is {given!r}") for given in (None, 4, [-1], [4.0], [False], {})),
    *((OLD_ARRAY | {"dtype": given}, "its data type is ") for given in (None, "", 0, [], {})),
    *((without(OLD_ARRAY, key), key) for key in ("zarr_format", "shape", "dtype", "chunks", "fill_value", "order")),
    ({}, "zarr_format"),
]


class TestDamage:
    """Metadata that zarr could not open are damaged, and never taken for absent or for something else."""

    @pytest.mark.parametrize("name", NODE_METADATA)
    @pytest.mark.parametrize("content", NOT_JSON, ids=[repr(one[:20]) for one in NOT_JSON])
    def test_not_json(self, name, content):
        """What is no JSON is damaged."""
        with pytest.raises(DamagedError, match=rf"^its {name} is damaged: it is not JSON \(") as caught:
            parse_node(name, content)
        assert isinstance(caught.value, UnreadableError)

    @pytest.mark.parametrize("name", NODE_METADATA)
    @pytest.mark.parametrize("content", NOT_AN_OBJECT)
    def test_not_an_object(self, name, content):
        """JSON that is no object is damaged."""
        with pytest.raises(DamagedError, match=f"^its {name} is damaged: it is not a JSON object$"):
            parse_node(name, content)

    @pytest.mark.parametrize(("document", "why"), MISSHAPEN, ids=[str(at) for at in range(len(MISSHAPEN))])
    def test_misshapen(self, document, why):
        """A document of format 3 with a wrong or missing member is damaged, and it is said which."""
        with pytest.raises(DamagedError) as caught:
            parsed(document)
        assert str(caught.value).startswith("its zarr.json is damaged: ")
        assert why in str(caught.value)

    @pytest.mark.parametrize(("document", "why"), OLD_MISSHAPEN, ids=[str(at) for at in range(len(OLD_MISSHAPEN))])
    def test_old_misshapen(self, document, why):
        """A document of format 2 with a wrong or missing member is damaged, and it is said which."""
        with pytest.raises(DamagedError) as caught:
            parsed(document, ".zarray")
        assert str(caught.value).startswith("its .zarray is damaged: ")
        assert why in str(caught.value)

    @pytest.mark.parametrize("document", [{}, {"zarr_format": 3}, {"zarr_format": "2"}])
    def test_old_group(self, document):
        """A group of format 2 must say so."""
        with pytest.raises(DamagedError, match=r"^its \.zgroup is damaged: its zarr_format is "):
            parsed(document, ".zgroup")

    def test_said_again(self):
        """Damage is found each time, for nothing damaged is kept."""
        for _ in range(2):
            with pytest.raises(DamagedError):
                parse_node("zarr.json", b"{")

    @given(st.sampled_from(NODE_METADATA), st.integers(0, 10**6), st.binary(max_size=3))
    def test_any_damage(self, name, at, inserted):
        """Whatever bytes a document has, it is a node or it is damaged."""
        document = {"zarr.json": ARRAY, ".zarray": OLD_ARRAY, ".zgroup": OLD_GROUP}[name]
        content = json.dumps(document).encode()
        at %= len(content)
        content = content[:at] + inserted + content[at + len(inserted) :]
        with suppress(DamagedError):
            assert parse_node(name, content).type in {"array", "group"}

    JSON = st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
        max_leaves=6,
    )

    @given(st.sampled_from(sorted(ARRAY)), JSON)
    def test_any_member(self, key, value):
        """Whatever a member is, the document is a node or it is damaged; what is kept is plain and hashable."""
        try:
            node = parsed(ARRAY | {key: value})
        except DamagedError:
            return
        assert isinstance(node.dtype, str)
        assert all(type(one) is int for one in node.shape)
        assert node.nbytes is None or node.nbytes >= 0
        assert hash(node) == hash(pickle.loads(pickle.dumps(node)))


class TestNode:
    @pytest.mark.parametrize("document", [ARRAY, GROUP, GROUP | {"consolidated_metadata": {"kind": "inline"}}])
    def test_pickle(self, document):
        """A node is the same after pickling and copying."""
        node = parsed(document)
        for again in (pickle.loads(pickle.dumps(node)), copy.copy(node), copy.deepcopy(node)):
            assert again == node
            assert again.attributes == node.attributes
            assert again.is_consolidated == node.is_consolidated
            assert hash(again) == hash(node)

    def test_it_cannot_be_changed(self):
        """What is read of a node is not changed by somebody who was given it."""
        node = parsed(ARRAY)
        with pytest.raises(TypeError):
            node.attributes["unit"] = "m"
        with pytest.raises(AttributeError):
            node.shape = ()
        assert parsed(ARRAY).attributes == {"unit": "nm"}

    def test_size_of_a_group(self):
        """A group has no size."""
        assert parsed(GROUP).nbytes is None


class TestChunks:
    @pytest.mark.parametrize("name", ["c", "0", "12", "0.0", "1.20.3", "c.0.1"])
    def test_chunk_like(self, name):
        """The names of chunks, and of folders of chunks, are known."""
        assert is_chunk_like(name)

    @pytest.mark.parametrize("name", ["", "c0", "raw", "0.", ".0", "-1", "1e3", "c.", "cc", "0.x", "s0", "0\n"])
    def test_not_chunk_like(self, name):
        """Other names are not."""
        assert not is_chunk_like(name)


class TestHostile:
    """Metadata that nobody could have meant are damaged, whatever is made of them later."""

    @pytest.mark.parametrize("shape", [[10**400], [2**63], [1] * 65])
    def test_shapes(self, shape):
        """A shape that no array can have is damaged."""
        document = {
            "zarr_format": 2,
            "shape": shape,
            "chunks": [1],
            "dtype": "<f4",
            "compressor": None,
            "fill_value": 0,
            "filters": None,
            "order": "C",
        }
        with pytest.raises(DamagedError, match="its shape is "):
            parse_node(".zarray", json.dumps(document).encode())

    @pytest.mark.parametrize("dtype", ["<f" + "9" * 5000, "<f٤", "float" + "9" * 5000])
    def test_types(self, dtype):
        """A data type of unknown size is shown as it is written, and has no number of bytes."""
        node = Node("array", 3, (1,), dtype)
        assert node.nbytes is None
        document = {
            "zarr_format": 2,
            "shape": [1],
            "chunks": [1],
            "dtype": dtype,
            "compressor": None,
            "fill_value": 0,
            "filters": None,
            "order": "C",
        }
        assert parse_node(".zarray", json.dumps(document).encode()).dtype == dtype

    def test_bytes(self):
        """More bytes than 63 bits can count are not counted."""
        assert Node("array", 3, (2**62,), "uint8").nbytes == 2**62
        assert Node("array", 3, (2**62, 2**62), "float64").nbytes is None
