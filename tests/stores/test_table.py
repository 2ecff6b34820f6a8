"""Entries as a table: its columns, its rows, and what it refuses."""

from __future__ import annotations

import datetime
import itertools
import json
import os
import subprocess
import sys

import pandas
import pyarrow
import pytest

from zarrange import Layout
from zarrange.errors import IncompleteError, StoreError, UnknownKindError
from zarrange.language.selection import select
from zarrange.stores.catalog import Search
from zarrange.stores.local import LocalBackend
from zarrange.stores.table import BATCH, Column, batches, columns, frame, rows, schema, table

EVERY_TYPE = Layout.parse("""
zarrange: 1
fields:
  volume: {type: path}
  run: {type: str, charset: text}
  step: {type: int}
  ratio: {type: float}
  final: {type: bool}
  day: {type: date}
  moment: {type: datetime}
containers:
  box: {path: "{{ run | quote }}/box.zarr"}
groups:
  part: {container: box, path: "parts/{{ final }}"}
arrays:
  image:
    container: box
    path: "images/{{ ratio }}{% if step is defined %}/{{ step }}{% endif %}"
files:
  log: {path: "{{ run | quote }}/{{ day }}.{{ moment | date('%Y%m%dT%H%M%S') }}.log"}
  tree: {path: "{{ run | quote }}/trees/{{ volume }}"}
""")

AMBIGUOUS = Layout.parse("""
zarrange: 1
fields:
  left: {type: path}
  right: {type: path}
containers:
  box: {path: "box.zarr"}
arrays:
  pair: {container: box, path: "{{ left }}/and/{{ right }}"}
  inner: {container: box, path: "x/{{ left }}"}
allow:
  - {rule: ambiguous-template, kinds: [pair], because: A test.}
  - {rule: overlapping-kinds, kinds: [pair, inner], because: A test.}
  - {rule: nested-kinds, kinds: [pair, inner], because: A test.}
  - {rule: nested-kinds, kinds: [pair], because: A test.}
  - {rule: nested-kinds, kinds: [inner], because: A test.}
""")

TYPES = {
    "string": pyarrow.string(),
    "int64": pyarrow.int64(),
    "float64": pyarrow.float64(),
    "bool": pyarrow.bool_(),
    "date32": pyarrow.date32(),
    "timestamp": pyarrow.timestamp("us"),
    "list": pyarrow.list_(pyarrow.int64()),
}


def put(root, path, shape=None, dtype="float32", zarr_format=3):
    """Write the metadata of an array, or (without a shape) of a group."""
    folder = root / path
    folder.mkdir(parents=True, exist_ok=True)
    if shape is None:
        (folder / "zarr.json").write_text(json.dumps({"zarr_format": 3, "node_type": "group"}))
        return
    name, described = (".zarray", old_array) if zarr_format == 2 else ("zarr.json", new_array)
    (folder / name).write_text(json.dumps(described(shape, dtype)))


def new_array(shape, dtype):
    return {
        "zarr_format": 3,
        "node_type": "array",
        "shape": shape,
        "data_type": dtype,
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": shape}},
        "chunk_key_encoding": {"name": "default"},
        "fill_value": 0,
        "codecs": [{"name": "bytes"}],
    }


def old_array(shape, dtype):
    return {
        "zarr_format": 2,
        "shape": shape,
        "dtype": dtype,
        "chunks": shape,
        "compressor": None,
        "fill_value": 0,
        "filters": None,
        "order": "C",
    }


def search(root, layout, kinds=None, **filters):
    return Search(LocalBackend(os.fspath(root)), layout, select(layout, kinds, filters))


@pytest.fixture
def every(tmp_path):
    """A tree with an artifact of each kind, and one whose optional field is absent."""
    put(tmp_path, "r%2F1/box.zarr")
    put(tmp_path, "r%2F1/box.zarr/parts/True")
    put(tmp_path, "r%2F1/box.zarr/images/0.5", [4, 5], "uint8")
    put(tmp_path, "r%2F1/box.zarr/images/1e-07/-3", [], "int16")
    put(tmp_path, "r%2F1/box.zarr/images/1e-07/4", [0, 2], "<f8", zarr_format=2)
    (tmp_path / "r%2F1/2026-01-31.20260131T235959.log").touch()
    (tmp_path / "r%2F1/trees/a").mkdir(parents=True)
    (tmp_path / "r%2F1/trees/a/b").touch()
    return tmp_path


def test_each_artifact_is_a_row(every):
    """A row has the kind, the fields that the kinds have, typed and in the layout's order, and what is there."""
    made = table(search(every, EVERY_TYPE), EVERY_TYPE.kinds, EVERY_TYPE)
    assert made.schema == pyarrow.schema(
        [
            ("kind", pyarrow.string()),
            ("volume", pyarrow.string()),
            ("run", pyarrow.string()),
            ("step", pyarrow.int64()),
            ("ratio", pyarrow.float64()),
            ("final", pyarrow.bool_()),
            ("day", pyarrow.date32()),
            ("moment", pyarrow.timestamp("us")),
            ("path", pyarrow.string()),
            ("container", pyarrow.string()),
            ("dataset", pyarrow.string()),
            ("node", pyarrow.string()),
            ("zarr_format", pyarrow.int64()),
            ("shape", pyarrow.list_(pyarrow.int64())),
            ("dtype", pyarrow.string()),
            ("nbytes", pyarrow.int64()),
            ("is_ambiguous", pyarrow.bool_()),
        ]
    )
    nothing = dict.fromkeys(made.column_names)
    box = f"{every}/r%2F1/box.zarr"
    row = {**nothing, "run": "r/1", "is_ambiguous": False}
    array = {**row, "kind": "image", "container": box, "node": "array"}
    assert made.to_pylist() == [
        {
            **row,
            "kind": "log",
            "day": datetime.date(2026, 1, 31),
            "moment": datetime.datetime(2026, 1, 31, 23, 59, 59),
            "path": "r%2F1/2026-01-31.20260131T235959.log",
            "node": "file",
        },
        {**row, "kind": "box", "path": "r%2F1/box.zarr", "container": box, "node": "group", "zarr_format": 3},
        {
            **array,
            "ratio": 0.5,
            "path": "r%2F1/box.zarr/images/0.5",
            "dataset": "images/0.5",
            "zarr_format": 3,
            "shape": [4, 5],
            "dtype": "uint8",
            "nbytes": 20,
        },
        {
            **array,
            "ratio": 1e-07,
            "step": -3,
            "path": "r%2F1/box.zarr/images/1e-07/-3",
            "dataset": "images/1e-07/-3",
            "zarr_format": 3,
            "shape": [],
            "dtype": "int16",
            "nbytes": 2,
        },
        {
            **array,
            "ratio": 1e-07,
            "step": 4,
            "path": "r%2F1/box.zarr/images/1e-07/4",
            "dataset": "images/1e-07/4",
            "zarr_format": 2,
            "shape": [0, 2],
            "dtype": "float64",
            "nbytes": 0,
        },
        {
            **row,
            "kind": "part",
            "final": True,
            "path": "r%2F1/box.zarr/parts/True",
            "container": box,
            "dataset": "parts/True",
            "node": "group",
            "zarr_format": 3,
        },
        {**row, "kind": "tree", "volume": "a/b", "path": "r%2F1/trees/a/b", "node": "file"},
    ]


class TestColumns:
    """The columns depend on the kinds asked for and on their fields, never on what was found."""

    def test_the_fields_are_those_of_the_kinds(self):
        """Fields that no kind asked for has are left out; the others keep the layout's order, however kinds are."""
        ours = [
            Column("path", "string"),
            Column("container", "string"),
            Column("dataset", "string"),
            Column("node", "string"),
            Column("zarr_format", "int64"),
            Column("shape", "list"),
            Column("dtype", "string"),
            Column("nbytes", "int64"),
            Column("is_ambiguous", "bool"),
        ]
        kind, run = Column("kind", "string"), Column("run", "string")
        assert columns("box", EVERY_TYPE) == (kind, run, *ours)
        image = (kind, run, Column("step", "int64"), Column("ratio", "float64"), *ours)
        assert columns(["image"], EVERY_TYPE) == image
        assert columns(["image", "box"], EVERY_TYPE) == columns(("box", "image"), EVERY_TYPE) == image
        assert columns(select(EVERY_TYPE, "image", {}).kinds, EVERY_TYPE) == image

    @pytest.mark.parametrize("kinds", [["image"], ["log"], ["part", "tree"], list(EVERY_TYPE.kinds)])
    def test_nothing_has_the_same_columns(self, every, kinds):
        """A table of nothing has the schema that a table of what is there has."""
        empty = table([], kinds, EVERY_TYPE)
        full = table(search(every, EVERY_TYPE, kinds), kinds, EVERY_TYPE)
        assert (empty.num_rows, full.num_rows > 0) == (0, True)
        assert empty.schema == full.schema == schema(kinds, EVERY_TYPE)
        assert [(one.name, one.type) for one in full.schema] == [
            (one.name, TYPES[one.type]) for one in columns(kinds, EVERY_TYPE)
        ]

    def test_an_unknown_kind_is_refused(self):
        """A kind that the layout does not have has no columns."""
        with pytest.raises(UnknownKindError, match="has no kind 'imgae'"):
            table([], ["imgae"], EVERY_TYPE)

    def test_a_field_keeps_its_name(self, tmp_path):
        """Where the layout has a field of the name of a column of ours, ours begins with `_`, for every kind."""
        layout = Layout.parse("""
zarrange: 1
fields:
  shape: {type: str}
  kind: {type: int}
  path: {type: str}
containers:
  box: {path: "{{ path }}/box.zarr"}
arrays:
  image: {container: box, path: "{{ kind }}/{{ shape }}"}
""")
        put(tmp_path, "a/box.zarr/7/round", [2], "int8")
        assert [one.name for one in columns("box", layout)] == [
            *("_kind", "path", "_path", "container", "dataset", "node"),
            *("zarr_format", "_shape", "dtype", "nbytes", "is_ambiguous"),
        ]
        assert table(search(tmp_path, layout, "image"), "image", layout).to_pylist() == [
            {
                "_kind": "image",
                "shape": "round",
                "kind": 7,
                "path": "a",
                "_path": "a/box.zarr/7/round",
                "container": f"{tmp_path}/a/box.zarr",
                "dataset": "7/round",
                "node": "array",
                "zarr_format": 3,
                "_shape": [2],
                "dtype": "int8",
                "nbytes": 2,
                "is_ambiguous": False,
            }
        ]


class TestAmbiguous:
    """An ambiguous entry has a row for each of its readings that was asked for."""

    def test_each_reading_is_a_row(self, tmp_path):
        """The rows of a path have all its keys that were asked for, and say that it is ambiguous."""
        put(tmp_path, "box.zarr/x/and/and/y", [1])
        put(tmp_path, "box.zarr/z/and/y", [1])
        made = table(search(tmp_path, AMBIGUOUS), AMBIGUOUS.kinds, AMBIGUOUS).select(
            ["kind", "left", "right", "path", "container", "dataset", "is_ambiguous"]
        )
        box, inside = f"{tmp_path}/box.zarr", "x/and/and/y"
        assert [tuple(row.values()) for row in made.to_pylist()[1:]] == [
            ("inner", "and/and/y", None, f"box.zarr/{inside}", box, inside, True),
            ("pair", "x", "and/y", f"box.zarr/{inside}", box, inside, True),
            ("pair", "x/and", "y", f"box.zarr/{inside}", box, inside, True),
            ("pair", "z", "y", "box.zarr/z/and/y", box, "z/and/y", False),
        ]

    def test_other_readings_are_known_of(self, tmp_path):
        """A reading that alone was asked for is one row, which still says that the path is ambiguous."""
        put(tmp_path, "box.zarr/x/and/and/y", [1])
        made = table(search(tmp_path, AMBIGUOUS, "pair", left="x"), "pair", AMBIGUOUS)
        assert made.select(["left", "right", "is_ambiguous"]).to_pylist() == [
            {"left": "x", "right": "and/y", "is_ambiguous": True}
        ]

    def test_each_reading_has_its_container(self, tmp_path):
        """Where readings differ in where the container ends, so do their rows."""
        layout = Layout.parse("""
zarrange: 1
fields: {a: {type: str}, b: {type: str}}
containers:
  outer: {path: "{{ a }}.zarr"}
  deeper: {path: "{{ a }}.zarr/{{ b }}.zarr"}
groups:
  part: {container: outer, path: "{{ b }}"}
arrays:
  shallow: {container: outer, path: "{{ b }}/raw"}
  deep: {container: deeper, path: raw}
files:
  note: {path: "{{ a }}.txt"}
  remark: {path: "{{ b }}.txt"}
allow:
  - {rule: overlapping-kinds, kinds: [shallow, deep], because: A test.}
  - {rule: overlapping-kinds, kinds: [part, deeper], because: A test.}
  - {rule: overlapping-kinds, kinds: [note, remark], because: A test.}
  - {rule: nested-kinds, kinds: [outer, deeper], because: A test.}
  - {rule: nested-kinds, kinds: [part, deeper], because: A test.}
""")
        put(tmp_path, "x.zarr/y.zarr")
        put(tmp_path, "x.zarr/y.zarr/raw", [1])
        (tmp_path / "x.txt").touch()
        kinds = ["part", "shallow", "deep", "deeper", "note", "remark"]
        made = table(search(tmp_path, layout, kinds), kinds, layout)
        assert [tuple(row.values()) for row in made.select(["kind", "container", "dataset", "node"]).to_pylist()] == [
            ("note", None, None, "file"),
            ("remark", None, None, "file"),
            ("deeper", f"{tmp_path}/x.zarr/y.zarr", None, "group"),
            ("part", f"{tmp_path}/x.zarr", "y.zarr", "group"),
            ("deep", f"{tmp_path}/x.zarr/y.zarr", "raw", "array"),
            ("shallow", f"{tmp_path}/x.zarr", "y.zarr/raw", "array"),
        ]


class TestRefusals:
    """What a column cannot hold is an error, which names the column and the value."""

    def test_whole_numbers_have_64_bits(self, tmp_path):
        """The least and the greatest number of 64 bits fit; the next one is refused, among others that fit."""
        put(tmp_path, f"r/box.zarr/images/1.0/{2**63 - 1}", [1])
        put(tmp_path, f"r/box.zarr/images/1.0/{-(2**63)}", [1])
        assert table(search(tmp_path, EVERY_TYPE, "image"), "image", EVERY_TYPE)["step"].to_pylist() == [
            -(2**63),
            2**63 - 1,
        ]
        put(tmp_path, f"r/box.zarr/images/1.0/{2**63}", [1])
        with pytest.raises(StoreError) as refused:
            table(search(tmp_path, EVERY_TYPE, "image"), "image", EVERY_TYPE)
        assert str(refused.value) == (
            "'r/box.zarr/images/1.0/9223372036854775808': column `step` cannot hold 9223372036854775808: "
            "it takes more than 64 bits"
        )

    @pytest.mark.parametrize(
        ("shape", "dtype", "complaint"),
        [
            ([1], "\ud800", r"column `dtype` cannot hold '\ud800': it is not valid Unicode"),
        ],
    )
    def test_metadata_may_be_beyond_a_table(self, tmp_path, shape, dtype, complaint):
        """What the metadata of an array say is refused in the same way, where nothing refused it before."""
        put(tmp_path, "r/box.zarr/images/1.0", shape, dtype)
        with pytest.raises(StoreError) as refused:
            table(search(tmp_path, EVERY_TYPE, "image"), "image", EVERY_TYPE)
        assert str(refused.value) == f"'r/box.zarr/images/1.0': {complaint}"

    def test_a_root_need_not_be_text(self, tmp_path):
        """A root whose name is not UTF-8 has no column that could hold it."""
        root = tmp_path / os.fsdecode(b"r\xff")
        put(root, "r/box.zarr", None)
        with pytest.raises(StoreError, match=r"column `container` cannot hold '.*: it is not valid Unicode"):
            table(search(root, EVERY_TYPE, "box"), "box", EVERY_TYPE)

    def test_an_incomplete_search_is_no_table(self, every):
        """Where something could not be read there is no table, though something else was found."""
        put(every, "s/box.zarr/images/0.5", [1])
        (every / "s/box.zarr/images/0.5/zarr.json").write_text("{")
        with pytest.raises(IncompleteError, match=r"s/box\.zarr/images/0\.5"):
            table(search(every, EVERY_TYPE, "image"), "image", EVERY_TYPE)


class Counted:
    """Entries without end, of which it is known how many were taken."""

    def __init__(self, entries):
        self.taken = 0
        self._entries = itertools.cycle(entries)

    def __iter__(self):
        return self

    def __next__(self):
        self.taken += 1
        return next(self._entries)


class TestBatches:
    """Rows are made batch by batch, from as many entries as a batch takes."""

    def test_entries_are_taken_when_they_are_needed(self, every):
        """A batch has at most so many rows, and takes no entry beyond."""
        entries = Counted(search(every, EVERY_TYPE, "image"))
        made = batches(entries, "image", EVERY_TYPE, size=2)
        assert entries.taken == 0
        first = next(made)
        assert (first.num_rows, entries.taken) == (2, 2)
        assert first.schema == schema("image", EVERY_TYPE)
        assert (next(made).column("ratio").to_pylist(), entries.taken) == ([1e-07, 0.5], 4)
        assert next(batches(entries, "image", EVERY_TYPE)).num_rows == BATCH == entries.taken - 4

    def test_the_last_batch_has_the_rest(self, every):
        """The batches together have each row once; of nothing there is none."""
        found = list(search(every, EVERY_TYPE))
        made = list(batches(found, EVERY_TYPE.kinds, EVERY_TYPE, size=3))
        assert [one.num_rows for one in made] == [3, 3, 1]
        assert pyarrow.Table.from_batches(made) == table(found, EVERY_TYPE.kinds, EVERY_TYPE)
        assert list(batches([], "image", EVERY_TYPE)) == []

    def test_rows_are_the_same_as_plain_values(self, every):
        """The rows that have no need of Arrow have the values of the table, a shape as a tuple."""
        found = list(search(every, EVERY_TYPE))
        held = table(found, EVERY_TYPE.kinds, EVERY_TYPE).to_pylist()
        for row in held:
            row["shape"] = row["shape"] and tuple(row["shape"]) if row["shape"] != [] else ()
        assert list(rows(found, EVERY_TYPE.kinds, EVERY_TYPE)) == [tuple(row.values()) for row in held]
        assert next(rows(Counted(found), "log", EVERY_TYPE))[0] == "log"


TEXT = pandas.Series(["a"]).dtype


class TestFrame:
    """A data frame has the same rows, in the types that are pandas' own."""

    def test_types_have_holes_where_values_are_absent(self, every):
        """Whole numbers and truth values have their plain types, or those that know of absent values."""
        made = frame(search(every, EVERY_TYPE), EVERY_TYPE.kinds, EVERY_TYPE)
        assert dict(made.dtypes) == {
            **dict.fromkeys(["kind", "volume", "run", "path", "container", "dataset", "node", "dtype"], TEXT),
            "step": pandas.Int64Dtype(),
            "ratio": "float64",
            "final": pandas.BooleanDtype(),
            "day": "datetime64[ms]",
            "moment": "datetime64[us]",
            "zarr_format": pandas.Int64Dtype(),
            "shape": "object",
            "nbytes": pandas.Int64Dtype(),
            "is_ambiguous": "bool",
        }
        image = frame(search(every, EVERY_TYPE, "image", step=[-3, 4]), "image", EVERY_TYPE)
        assert [str(image.dtypes[name]) for name in ("step", "zarr_format", "nbytes")] == ["int64"] * 3

    def test_values_are_the_same(self, every):
        """A data frame has the table's values; shapes are tuples, which can be compared and grouped by."""
        made = frame(search(every, EVERY_TYPE), EVERY_TYPE.kinds, EVERY_TYPE)
        assert made["kind"].tolist() == ["log", "box", "image", "image", "image", "part", "tree"]
        assert made["shape"].tolist() == [None, None, (4, 5), (), (0, 2), None, None]
        assert made["step"].dropna().tolist() == [-3, 4]
        assert made["step"].isna().tolist() == [True, True, True, False, False, True, True]
        assert made["day"][0] == pandas.Timestamp("2026-01-31")
        assert made["moment"][0] == pandas.Timestamp("2026-01-31T23:59:59")
        assert made["ratio"].dropna().tolist() == [0.5, 1e-07, 1e-07]
        assert made["nbytes"][made["shape"].isin([(4, 5), ()])].tolist() == [20, 2]

    def test_nothing_has_columns_too(self):
        """A data frame of nothing has the columns, each in its plain type."""
        made = frame([], ["image", "log"], EVERY_TYPE)
        assert len(made) == 0
        assert list(made.columns) == [one.name for one in columns(["image", "log"], EVERY_TYPE)]
        assert {name: str(made.dtypes[name]) for name in ("step", "ratio", "day", "nbytes", "is_ambiguous")} == {
            "step": "int64",
            "ratio": "float64",
            "day": "datetime64[ms]",
            "nbytes": "int64",
            "is_ambiguous": "bool",
        }


@pytest.mark.parametrize(
    ("absent", "call"), [("pyarrow", "schema"), ("pyarrow", "table"), ("pyarrow", "frame"), ("pandas", "frame")]
)
def test_what_is_missing_is_named(absent, call):
    """Without pyarrow or pandas, the rows are there, and what needs them says which extra has them."""
    code = f"""
import sys
sys.modules[{absent!r}] = None
from zarrange import Layout
from zarrange.stores import table
layout = Layout.load("training")
assert list(table.rows([], "validation", layout)) == []
print(len(table.columns("validation", layout)))
arguments = ["validation", layout] if {call!r} == "schema" else [[], "validation", layout]
try:
    table.{call}(*arguments)
except ModuleNotFoundError as error:
    print(error.name, error, sep="|")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == f"11\n{absent}|a table needs {absent}: pip install 'zarrange[table]'\n"
