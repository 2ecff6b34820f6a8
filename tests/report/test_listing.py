"""What `zarrange find` prints: entries in each format, what could not be read, and the plan of a search."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys

import pyarrow
import pytest
from pyarrow import parquet
from tests.stores.test_table import AMBIGUOUS, EVERY_TYPE, Counted, put, search

from zarrange import Key, Layout, from_json
from zarrange.errors import IncompleteError
from zarrange.identifiers import Identifier
from zarrange.report.listing import (
    explanation_as_json,
    explanation_as_text,
    listing_as_csv,
    listing_as_json,
    listing_as_text,
    unreadable_as_text,
    write_listing_as_parquet,
)
from zarrange.stores.catalog import Explanation, Unreadable
from zarrange.stores.table import BATCH, columns, schema, table

NAMES = Layout.parse("""
zarrange: 1
fields: {name: {type: str, charset: text}, mark: {type: str}}
files:
  note: {path: "{{ name | quote }}.txt"}
  other: {path: "{{ mark }}.md"}
""")


@pytest.fixture
def every(tmp_path):
    """A tree with a container, an array without dimensions, one of format 2, and a file."""
    put(tmp_path, "r%2F1/box.zarr")
    put(tmp_path, "r%2F1/box.zarr/images/0.5", [], "int16")
    put(tmp_path, "r%2F1/box.zarr/images/1e-07/4", [64, 5], "<f8", zarr_format=2)
    (tmp_path / "r%2F1/2026-01-31.20260131T235959.log").touch()
    return tmp_path


@pytest.fixture
def ambiguous(tmp_path):
    put(tmp_path, "box.zarr/x/and/y", [1, 2], "uint8")
    return tmp_path


@pytest.fixture
def damaged(every):
    """The same tree, with an array that cannot be read behind all others."""
    put(every, "s/box.zarr/images/0.5", [1])
    (every / "s/box.zarr/images/0.5/zarr.json").write_text("{")
    return every


class TestText:
    """A line for each entry has its path, its key, and the shape and data type of an array."""

    def test_each_entry_is_a_line(self, every):
        """Keys are written as `zarrange match` writes them; what is no array has nothing behind its key."""
        assert "".join(listing_as_text(search(every, EVERY_TYPE))) == (
            'r%2F1/2026-01-31.20260131T235959.log: log(run="r/1", day=2026-01-31, moment=2026-01-31T23:59:59)\n'
            'r%2F1/box.zarr: box(run="r/1")\n'
            'r%2F1/box.zarr/images/0.5: image(run="r/1", ratio=0.5)  () int16\n'
            'r%2F1/box.zarr/images/1e-07/4: image(run="r/1", ratio=1e-07, step=4)  64x5 float64\n'
        )

    @pytest.mark.parametrize(("kinds", "filters"), [(["inner", "pair"], {}), ("pair", {"right": "y"}), ("inner", {})])
    def test_all_readings_are_given(self, ambiguous, kinds, filters):
        """An ambiguous entry says so, with all its readings, whichever were asked for."""
        readings = 'inner(left="and/y"); pair(left="x", right="y")'
        found = search(ambiguous, AMBIGUOUS, kinds, **filters)
        assert "".join(listing_as_text(found)) == f"box.zarr/x/and/y: ambiguous, 2 readings: {readings}  1x2 uint8\n"
        assert "".join(listing_as_text(found, color=True)) == (
            f"box.zarr/x/and/y: \x1b[1;33mambiguous, 2 readings\x1b[0m: {readings}  1x2 uint8\n"
        )

    def test_names_are_inert(self, tmp_path):
        """What comes from a path or from metadata cannot act on a terminal."""
        (tmp_path / "%1B%5B2J%0A.txt").touch()
        assert "".join(listing_as_text(search(tmp_path, NAMES))) == ('%1B%5B2J%0A.txt: note(name="\\x1b[2J\\n")\n')
        put(tmp_path, "r/box.zarr/images/0.5", [1], "\x1b[2J")
        assert "".join(listing_as_text(search(tmp_path, EVERY_TYPE, "image"))) == (
            'r/box.zarr/images/0.5: image(run="r", ratio=0.5)  1 \\x1b[2J\n'
        )

    def test_nothing_is_no_line(self):
        """Where nothing was found there is nothing to print."""
        assert list(listing_as_text([])) == []


class TestUnreadable:
    """What could not be read is a line each, with its reason."""

    def test_each_place_is_a_line(self, damaged):
        """The path is relative to the root, which is a dot itself; escapes are shown as such."""
        found = search(damaged, EVERY_TYPE)
        assert len([*found.results()]) == 6
        assert "".join(unreadable_as_text(found.unreadable)) == (
            "unreadable: s/box.zarr/images/0.5: its zarr.json is damaged: it is not JSON (Expecting property name "
            "enclosed in double quotes: line 1 column 2 (char 1))\n"
        )
        given = [Unreadable("", "cannot be read: permission denied"), Unreadable("a\x1b\udcff", "b\n")]
        assert "".join(unreadable_as_text(given)) == (
            "unreadable: .: cannot be read: permission denied\nunreadable: a\\x1b\\udcff: b\\n\n"
        )
        assert "".join(unreadable_as_text(given[:1], color=True)) == (
            "\x1b[1;31munreadable\x1b[0m: .: cannot be read: permission denied\n"
        )


class TestJson:
    """The whole is one JSON list, with an object and a line for each entry."""

    def test_each_entry_is_a_line(self, every):
        """An object has the path, the kind and the values, the identifier, and what is there."""
        box = f'"container": "{every}/r%2F1/box.zarr"'
        log = "r%2F1/2026-01-31.20260131T235959.log"
        assert "".join(listing_as_json(search(every, EVERY_TYPE))) == (
            "[\n"
            f'  {{"path": "{log}", "kind": "log", "values": {{"run": "r/1", "day": {{"date": "2026-01-31"}}, '
            '"moment": {"datetime": "2026-01-31T23:59:59"}}, '
            f'"identifier": {{"type": "file", "path": "{every}/{log}"}}, '
            '"node": "file", "shape": null, "dtype": null, "zarr_format": null},\n'
            '  {"path": "r%2F1/box.zarr", "kind": "box", "values": {"run": "r/1"}, '
            f'"identifier": {{"type": "container", {box}}}, '
            '"node": "group", "shape": null, "dtype": null, "zarr_format": 3},\n'
            '  {"path": "r%2F1/box.zarr/images/0.5", "kind": "image", "values": {"run": "r/1", "ratio": 0.5}, '
            f'"identifier": {{"type": "array", {box}, "dataset": "images/0.5"}}, '
            '"node": "array", "shape": [], "dtype": "int16", "zarr_format": 3},\n'
            '  {"path": "r%2F1/box.zarr/images/1e-07/4", "kind": "image", '
            '"values": {"run": "r/1", "ratio": 1e-07, "step": 4}, '
            f'"identifier": {{"type": "array", {box}, "dataset": "images/1e-07/4"}}, '
            '"node": "array", "shape": [64, 5], "dtype": "float64", "zarr_format": 2}\n'
            "]\n"
        )

    def test_keys_and_identifiers_are_read_back(self, every):
        """What an object says of an entry gives its key and its identifier again."""
        found = list(search(every, EVERY_TYPE))
        data = json.loads("".join(listing_as_json(found)))
        keys = [{"type": "key", "kind": one["kind"], "values": one["values"]} for one in data]
        assert from_json(json.dumps(keys), list[Key]) == [entry.key for entry in found]
        identifiers = [one["identifier"] for one in data]
        assert from_json(json.dumps(identifiers), list[Identifier]) == [entry.identifier for entry in found]

    def test_an_ambiguous_entry_has_its_readings(self, ambiguous):
        """All its keys are given; its kind and values only where what was asked for leaves one."""
        found = list(search(ambiguous, AMBIGUOUS, ["pair", "inner"]))
        (one,) = json.loads("".join(listing_as_json(found)))
        assert (one["kind"], one["values"], one["node"]) == (None, None, "array")
        assert from_json(json.dumps(one["readings"]), list[Key]) == [
            Key("inner", {"left": "and/y"}),
            Key("pair", {"left": "x", "right": "y"}),
        ]
        (other,) = json.loads("".join(listing_as_json(search(ambiguous, AMBIGUOUS, "pair"))))
        assert (other["kind"], other["values"]) == ("pair", {"left": "x", "right": "y"})
        assert other["readings"] == one["readings"]

    def test_only_ascii_is_used(self, tmp_path):
        """A root that is not UTF-8, and what acts on a terminal, stand there as escapes, and can be read back."""
        root = tmp_path / os.fsdecode(b"r\xff\x9b")
        put(root, "r/box.zarr/images/0.5", [1], "é\x9b")
        text = "".join(listing_as_json(search(root, EVERY_TYPE, "image")))
        assert text.isascii()
        (one,) = json.loads(text)
        assert one["identifier"]["container"] == f"{root}/r/box.zarr"
        assert one["dtype"] == "é\x9b"

    def test_nothing_is_an_empty_list(self):
        """Where nothing was found there is a list all the same."""
        assert "".join(listing_as_json([])) == "[]\n"


class TestCsv:
    """The columns and rows are those of the table, as text."""

    def test_each_row_is_a_line(self, every):
        """What is absent is empty, a shape has its sizes with an x between, a day is in its ISO form."""
        kinds = ["log", "image"]
        box, log = f"{every}/r%2F1/box.zarr", "r%2F1/2026-01-31.20260131T235959.log"
        assert "".join(listing_as_csv(search(every, EVERY_TYPE, kinds), kinds, EVERY_TYPE)) == (
            "kind,run,step,ratio,day,moment,path,container,dataset,node,zarr_format,shape,dtype,nbytes,is_ambiguous\n"
            f"log,r/1,,,2026-01-31,2026-01-31T23:59:59,{log},,,file,,,,,False\n"
            f"image,r/1,,0.5,,,r%2F1/box.zarr/images/0.5,{box},images/0.5,array,3,(),int16,2,False\n"
            f"image,r/1,4,1e-07,,,r%2F1/box.zarr/images/1e-07/4,{box},images/1e-07/4,array,2,64x5,float64,2560,False\n"
        )

    def test_any_text_is_read_back(self, tmp_path):
        """Commas, quotes, the ends of lines and what begins like a formula are the same when they are read."""
        values = ["a,b", 'a"b', "a\nb", "a\rb", "a\r\nb", "\r\n", " a ", "=1+1", "+1", "-1", "@x", "\0", "é", "\x1b"]
        for value in values:
            (tmp_path / NAMES.render("note", name=value).path).touch()
        text = "".join(listing_as_csv(search(tmp_path, NAMES, "note"), "note", NAMES))
        found = list(csv.DictReader(io.StringIO(text, newline=""), strict=True))
        assert sorted(row["name"] for row in found) == sorted(values)
        assert {row["kind"] for row in found} == {"note"}
        assert "\nnote,=1+1,%3D1%2B1.txt,,,file,,,,,False\n" in text.replace("=1+1.txt", "%3D1%2B1.txt")

    def test_values_are_filters(self, every):
        """What stands in a column of a field finds the same artifact again."""
        text = "".join(listing_as_csv(search(every, EVERY_TYPE), EVERY_TYPE.kinds, EVERY_TYPE))
        for row in csv.DictReader(io.StringIO(text)):
            kind = EVERY_TYPE.kind(row["kind"])
            values = kind.from_text({name: row[name] for name in kind.fields if row[name]})
            assert kind.render(values).path == row["path"]

    def test_each_reading_is_a_row(self, ambiguous):
        """An ambiguous entry has a row for each reading that was asked for."""
        text = "".join(listing_as_csv(search(ambiguous, AMBIGUOUS, ["pair", "inner"]), ["pair", "inner"], AMBIGUOUS))
        found = [(row["kind"], row["right"], row["is_ambiguous"]) for row in csv.DictReader(io.StringIO(text))]
        assert found == [("inner", "", "True"), ("pair", "y", "True")]

    def test_nothing_has_columns(self):
        """Where nothing was found there is the line of the columns."""
        assert "".join(listing_as_csv([], "box", EVERY_TYPE)) == (
            "kind,run,path,container,dataset,node,zarr_format,shape,dtype,nbytes,is_ambiguous\n"
        )

    def test_pyarrow_is_not_needed(self):
        """The formats that are text do without the extra; Parquet says which one it is."""
        code = """
import io, sys
sys.modules["pyarrow"] = None
from zarrange import Layout
from zarrange.report import listing as report
layout = Layout.load("training")
print(*report.listing_as_text([]), *report.listing_as_json([]), *report.listing_as_csv([], "validation", layout))
try:
    report.write_listing_as_parquet([], "validation", layout, io.BytesIO())
except ModuleNotFoundError as error:
    print(error)
"""
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert done.stdout == (
            "[]\n kind,run,path,container,_dataset,node,zarr_format,shape,dtype,nbytes,is_ambiguous\n\n"
            "a table needs pyarrow: pip install 'zarrange[table]'\n"
        )


class TestParquet:
    """The file has the table's schema and rows."""

    def test_the_table_is_read_back(self, every):
        """What pyarrow reads is what `stores.table` makes of the same entries."""
        found = list(search(every, EVERY_TYPE))
        stream = io.BytesIO()
        write_listing_as_parquet(found, EVERY_TYPE.kinds, EVERY_TYPE, stream)
        assert not stream.closed
        assert parquet.read_table(stream) == table(found, EVERY_TYPE.kinds, EVERY_TYPE)
        assert parquet.read_schema(stream) == schema(EVERY_TYPE.kinds, EVERY_TYPE)

    def test_nothing_has_columns(self):
        """Where nothing was found there is a file with the columns and no rows."""
        stream = io.BytesIO()
        write_listing_as_parquet([], "image", EVERY_TYPE, stream)
        read = parquet.read_table(stream)
        assert (read.num_rows, read.schema) == (0, schema("image", EVERY_TYPE))

    def test_a_pipe_will_do(self, every):
        """A stream that one cannot seek in is written to all the same."""
        receiver, sender = os.pipe()
        with open(receiver, "rb") as read:
            with open(sender, "wb") as stream:
                write_listing_as_parquet(search(every, EVERY_TYPE), EVERY_TYPE.kinds, EVERY_TYPE, stream)
            assert parquet.read_table(io.BytesIO(read.read())).num_rows == 4

    def test_what_is_incomplete_is_no_file(self, damaged):
        """If a search raises, though rows were written, what is there cannot be read as a Parquet file."""
        stream = io.BytesIO()
        entries = [entry for entry in search(damaged, EVERY_TYPE).results() if not isinstance(entry, Unreadable)]

        def incomplete():
            for _ in range(BATCH // len(entries) + 1):
                yield from entries
            yield from search(damaged, EVERY_TYPE)

        with pytest.raises(IncompleteError):
            write_listing_as_parquet(incomplete(), EVERY_TYPE.kinds, EVERY_TYPE, stream)
        assert len(stream.getvalue()) > 1000
        with pytest.raises(pyarrow.ArrowInvalid, match="Parquet magic bytes not found"):
            parquet.read_table(stream)


class TestStreaming:
    """Entries are taken when they are printed, and none is kept."""

    @pytest.mark.parametrize(
        "listing",
        [
            pytest.param(listing_as_text, id="text"),
            pytest.param(listing_as_json, id="json"),
            pytest.param(lambda entries: listing_as_csv(entries, EVERY_TYPE.kinds, EVERY_TYPE), id="csv"),
        ],
    )
    def test_a_chunk_takes_an_entry(self, every, listing):
        """Of entries without end, as many are taken as there are chunks that show one."""
        entries = Counted(list(search(every, EVERY_TYPE)))
        chunks = listing(entries)
        assert entries.taken == 0
        shown = []
        while sum(chunk.count("%2F1/box.zarr/images/0.5") > 0 for chunk in shown) < 3:
            shown.append(next(chunks))
            assert entries.taken == len([chunk for chunk in shown if "r%2F1" in chunk])
        assert entries.taken == 11

    def test_parquet_is_written_batch_by_batch(self, every):
        """The first rows are in the stream before the last entries are taken."""
        entries, stream = Counted(list(search(every, EVERY_TYPE))), io.BytesIO()
        written = []

        def watched():
            for entry in entries:
                written.append(stream.tell())
                yield entry
                if entries.taken > 2 * BATCH:
                    return

        write_listing_as_parquet(watched(), EVERY_TYPE.kinds, EVERY_TYPE, stream)
        assert written[0] == written[BATCH - 1] < written[BATCH] < written[2 * BATCH] < stream.tell()
        assert parquet.ParquetFile(stream).metadata.num_row_groups == 3

    def test_what_was_found_is_printed_first(self, damaged):
        """What an incomplete search did find is printed before it raises, and the JSON list is never closed."""
        for listing in (listing_as_text, listing_as_json):
            chunks = []
            with pytest.raises(IncompleteError):
                chunks.extend(listing(search(damaged, EVERY_TYPE)))
            assert len(chunks) == 5
        with pytest.raises(ValueError, match="Expecting ',' delimiter"):
            json.loads("".join(chunks))


class TestPlans:
    """A plan is drawn as the tree of the segments of each kind, each with how one gets past it."""

    def test_ways_share_their_beginnings(self, tmp_path):
        """A segment stands below what it is in; ways of one kind part where they differ."""
        training = Layout.load("training")
        explanation = search(tmp_path, training, ["best_validation", "validation"], run="r1").explain()
        assert explanation_as_text(explanation) == (
            "level by level: folders are listed one by one\n"
            "\n"
            "best_validation\n"
            "  {run}/              joined: run = 'r1'\n"
            "    validation.zarr/  joined\n"
            "      best/           joined\n"
            "        {criterion}/  listed\n"
            "          indexed/    joined\n"
            "            {index}   listed\n"
            "          all         joined\n"
            "\n"
            "validation\n"
            "  {run}/              joined: run = 'r1'\n"
            "    validation.zarr   joined"
        )
        assert json.loads(explanation_as_json(explanation)) == {
            "strategy": "levels",
            "reason": "folders are listed one by one",
            "ways": [
                {"kind": kind, "segments": [{"segment": name, "how": how} for name, how in segments]}
                for kind, segments in explanation.ways
            ],
        }
        assert json.loads(explanation_as_json(explanation))["ways"][-1] == {
            "kind": "validation",
            "segments": [
                {"segment": "{run}", "how": "joined: run = 'r1'"},
                {"segment": "validation.zarr", "how": "joined"},
            ],
        }

    def test_what_ends_is_told_from_what_leads_on(self):
        """A segment that is an artifact on one way, and a folder on another, stands there twice."""
        ways = (
            ("a", (("{x}", "listed"),)),
            ("a", (("{x}", "listed"), ("é好", "joined"))),
            ("b", (("{p}", "listed"), ("...", "everything below is listed"))),
            ("a", (("{x}", "joined: x = '\x1b'"), ("z\x9b", "joined"))),
        )
        explanation = Explanation("flat", "one page has all keys (7)\n", ways)
        assert explanation_as_text(explanation, color=True) == (
            "\x1b[1mflat listing\x1b[0m: one page has all keys (7)\\n\n"
            "\n"
            "\x1b[1ma\x1b[0m\n"
            "  {x}      listed\n"
            "  {x}/     listed\n"
            "    é好    joined\n"
            "\n"
            "\x1b[1mb\x1b[0m\n"
            "  {p}/     listed\n"
            "    ...    everything below is listed\n"
            "\n"
            "\x1b[1ma\x1b[0m\n"
            "  {x}/     joined: x = '\\x1b'\n"
            "    z\\x9b  joined"
        )
        assert explanation_as_json(explanation).isascii()

    def test_a_plan_may_have_no_way(self, tmp_path):
        """Where no path can have what is asked for, the plan says so."""
        explanation = search(tmp_path, EVERY_TYPE, "image", run=[]).explain()
        assert explanation_as_text(explanation).endswith("\n\nno path can be of what is asked for")
        assert json.loads(explanation_as_json(explanation))["ways"] == []


def test_a_search_without_end_has_columns(every):
    """The columns of CSV come before the first entry is looked for."""
    entries = Counted(list(search(every, EVERY_TYPE)))
    first = next(listing_as_csv(entries, "image", EVERY_TYPE))
    assert first.rstrip("\n").split(",") == [one.name for one in columns("image", EVERY_TYPE)]
    assert entries.taken == 0
