"""What is really on disk, held against a layout."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
import zarr

from zarrange import Layout, Store
from zarrange.diagnostics import Severity
from zarrange.stores.audit import STORE_RULES, audit

TEXT = """\
zarrange: 1
fields: {run: {type: str}, iteration: {type: int, min: 0}, name: {type: str}}
containers:
  box: {path: "{{ run }}/box.zarr", zarr_format: 3}
groups:
  inputs: {container: box, path: inputs}
arrays:
  raw: {container: box, path: "inputs/{{ name }}"}
  output: {container: box, path: "iterations/{{ iteration | pad(4) }}/{{ name }}"}
files:
  log: {path: "{{ run }}/{{ name }}.txt"}
"""
LAYOUT = Layout.parse(TEXT)


@pytest.fixture
def store(tmp_path):
    """A store with one artifact of each kind."""
    made = Store(tmp_path / "root", LAYOUT)
    made.create(made.identifier("raw", run="r", name="a"), shape=(2,), dtype="u1", chunks=(1,))[:] = 1
    made.create(made.identifier("output", run="r", iteration=7, name="a"), shape=(2,), dtype="u1")
    made.create(made.identifier("log", run="r", name="a")).close()
    return made


def findings(store, layout=LAYOUT):
    """What is found, as the rule, the path below the root and the message."""
    return [(one.rule, os.path.relpath(one.span.file, store.root), one.message) for one in audit(store.root, layout)]


def everything(root):
    """Each path below a root with its content and its times."""
    return {
        os.path.join(where, name): (os.stat(os.path.join(where, name)).st_mtime_ns, read(os.path.join(where, name)))
        for where, folders, files in os.walk(root)
        for name in [*folders, *files]
    }


def read(path):
    if not os.path.isfile(path):
        return None
    with open(path, "rb") as file:
        return file.read()


class TestMatched:
    def test_a_store_of_the_layout_has_no_findings(self, store):
        """Arrays, groups above them, containers and files that kinds have are no findings."""
        assert findings(store) == []

    def test_nothing_is_changed(self, store):
        """The store is the same byte for byte after it was looked at, with findings or without."""
        os.makedirs(os.path.join(store.root, "r/strange"))
        before = everything(store.root)
        assert len(findings(store)) == 1
        assert everything(store.root) == before

    def test_an_empty_store_has_no_findings(self, tmp_path):
        """A root without anything in it is fine."""
        assert audit(tmp_path, LAYOUT) == ()

    def test_what_the_store_keeps_for_itself_is_left_out(self, store):
        """The working folder at the root belongs to no layout."""
        os.makedirs(os.path.join(store.root, ".zarrange/trash/x"))
        assert findings(store) == []

    @pytest.mark.parametrize("name", ["training", "hive", "dacapo", "cellmap", "ome-zarr-plate"])
    def test_shipped_layouts(self, name, tmp_path):
        """A store with all examples of a shipped layout has no findings."""
        made = Store(tmp_path, name)
        for kind in made.layout.kinds.values():
            for example in kind.examples:
                where = made.identifier(kind.name, **example.values)
                if not made.exists(where):
                    made.create(where, **({"shape": (1,), "dtype": "u1"} if kind.sort == "array" else {}))
        assert audit(tmp_path, made.layout) == ()

    def test_a_path_with_very_many_readings_belongs_to_the_layout(self, tmp_path):
        """Where a path can be split in too many ways to try, it is not called a stranger."""
        template = "".join(f"{{{{ {name} }}}}" for name in "abcdefgh")
        fields = "".join(f"  {name}: {{type: str}}\n" for name in "abcdefgh")
        layout = Layout.parse(f'zarrange: 1\nfields:\n{fields}files:\n  f: {{path: "{template}"}}\n')
        (tmp_path / ("a" * 60)).touch()
        assert audit(tmp_path, layout) == ()


class TestUnmatched:
    def test_an_array_that_no_kind_has(self, store):
        """An array beside those of the layout is found, and not looked into."""
        zarr.create_array(os.path.join(store.root, "r/box.zarr/iterations/7"), shape=(2,), dtype="u1", chunks=(1,))[
            :
        ] = 1
        assert findings(store) == [("unmatched-path", "r/box.zarr/iterations/7", "no kind has this array")]

    def test_a_group_and_a_file_that_no_kind_has(self, store):
        """Groups and files that no kind has are found."""
        zarr.open_group(os.path.join(store.root, "r/box.zarr/strange"), mode="w")
        open(os.path.join(store.root, "notes.md"), "x").close()
        assert findings(store) == [
            ("unmatched-path", "notes.md", "no kind has this file"),
            ("unmatched-path", "r/box.zarr/strange", "no kind has this group"),
        ]

    def test_the_topmost_folder_is_told(self, store):
        """Of a folder in which nothing belongs to the layout, only the folder itself is told."""
        for at in range(3):
            zarr.create_array(os.path.join(store.root, f"other/deep/x.zarr/a{at}"), shape=(1,), dtype="u1")
        assert findings(store) == [("unmatched-path", "other", "no kind has this folder")]

    def test_a_folder_with_something_of_the_layout_is_none(self, store):
        """A folder without metadata that holds an artifact is no finding, what is strange in it is."""
        os.makedirs(os.path.join(store.root, "r/empty"))
        assert findings(store) == [("unmatched-path", "r/empty", "no kind has this folder")]

    def test_it_is_a_warning_about_a_path(self, store):
        """What is unmatched is a warning, whose place is the path as a whole."""
        open(os.path.join(store.root, "notes.md"), "x").close()
        (one,) = audit(store.root, LAYOUT)
        assert one.severity is Severity.WARNING
        assert str(one.span) == os.path.join(store.root, "notes.md")


class TestMismatched:
    def test_a_folder_where_an_array_should_be(self, store):
        """A folder without metadata at an array's path is found."""
        os.makedirs(os.path.join(store.root, "r/box.zarr/inputs/b"))
        assert findings(store) == [
            ("mismatched-node", "r/box.zarr/inputs/b", "a folder is where the layout has an array of `raw`")
        ]

    def test_a_group_where_an_array_should_be(self, store):
        """A group at an array's path is found, and so is what is strange inside."""
        zarr.open_group(os.path.join(store.root, "r/box.zarr/inputs/b/c"), mode="w")
        zarr.open_group(os.path.join(store.root, "r/box.zarr/inputs/b"), mode="a")
        assert findings(store) == [
            ("mismatched-node", "r/box.zarr/inputs/b", "a group is where the layout has an array of `raw`"),
            ("unmatched-path", "r/box.zarr/inputs/b/c", "no kind has this group"),
        ]

    def test_an_array_where_a_group_should_be(self, tmp_path):
        """An array at a container's path, or a group's, is found."""
        zarr.create_array(tmp_path / "r/box.zarr/inputs", shape=(1,), dtype="u1")
        zarr.create_array(tmp_path / "s/box.zarr", shape=(1,), dtype="u1")
        found = [(one.rule, one.message) for one in audit(tmp_path, LAYOUT)]
        assert found == [
            ("mismatched-node", "an array is where the layout has a group of `inputs`"),
            ("mismatched-node", "an array is where the layout has a container of `box`"),
        ]

    def test_a_file_where_a_folder_should_be(self, tmp_path):
        """A file at a container's path is found, and a folder at a file's."""
        (tmp_path / "r/a.txt").mkdir(parents=True)
        (tmp_path / "r/box.zarr").touch()
        found = [(one.rule, one.message) for one in audit(tmp_path, LAYOUT)]
        assert found == [
            ("mismatched-node", "a folder is where the layout has a file of `log`"),
            ("mismatched-node", "a file is where the layout has a container of `box`"),
        ]

    def test_another_zarr_format(self, tmp_path):
        """Nodes of another zarr format than the layout fixes are found."""
        zarr.create_array(tmp_path / "r/box.zarr/inputs/a", shape=(1,), dtype="u1", zarr_format=2)
        assert [(one.rule, one.message) for one in audit(tmp_path, LAYOUT)] == [
            ("mismatched-node", "zarr format 2 is where the layout has format 3 (`raw`)")
        ]
        free = Layout.parse(TEXT.replace(", zarr_format: 3", ""))
        assert audit(tmp_path, free) == ()


class TestUnreadable:
    def test_damaged_metadata(self, store):
        """Metadata that are no JSON are unreadable, not absent."""
        with open(os.path.join(store.root, "r/box.zarr/inputs/a/zarr.json"), "w") as file:
            file.write("{")
        ((rule, path, message),) = findings(store)
        assert (rule, path) == ("unreadable-path", "r/box.zarr/inputs/a")
        assert message.startswith("cannot be read: the zarr.json of ")

    def test_a_symlink_is_reported_and_not_followed(self, store, tmp_path):
        """A symlink is told, wherever it leads."""
        (tmp_path / "outside").mkdir()
        os.symlink(tmp_path / "outside", os.path.join(store.root, "r/link"))
        os.symlink(store.root, os.path.join(store.root, "r/loop"))
        os.symlink("nowhere", os.path.join(store.root, "dangling"))
        message = "it is a symlink, which a store does not follow"
        assert findings(store) == [("unreadable-path", path, message) for path in ("dangling", "r/link", "r/loop")]

    def test_a_name_that_is_not_text(self, store):
        """A name that is not UTF-8 can belong to no layout, and is told."""
        os.mkdir(os.path.join(os.fsencode(store.root), b"\xff"))
        assert [(rule, message) for rule, _, message in findings(store)] == [
            ("unreadable-path", "its name is not UTF-8")
        ]

    def test_permission_denied(self, store):
        """A folder that may not be listed is unreadable, and the rest is still checked."""
        open(os.path.join(store.root, "notes.md"), "x").close()
        program = (
            "import os, sys\n"
            "from zarrange import Layout\n"
            "from zarrange.stores.audit import audit\n"
            "layout = Layout.parse(sys.stdin.read())\n"
            "if os.geteuid() == 0: os.setuid(65534)\n"
            "for one in audit('.', layout): print(one.rule, one.span.file, one.message)\n"
        )
        # Whoever we become must reach the root, but not what we hide in it.
        os.chmod(os.path.join(store.root, "r/box.zarr/iterations"), 0)
        command = [sys.executable, "-c", program]
        try:
            done = subprocess.run(command, cwd=store.root, input=TEXT, capture_output=True, text=True, check=True)
        finally:
            os.chmod(os.path.join(store.root, "r/box.zarr/iterations"), 0o755)
        lines = done.stdout.splitlines()
        assert lines[0] == "unmatched-path ./notes.md no kind has this file"
        assert lines[1].startswith("unreadable-path ./r/box.zarr/iterations cannot be read: ")
        assert len(lines) == 2


class TestRoot:
    @pytest.mark.parametrize("name", ["missing", "file"])
    def test_a_root_that_is_no_folder(self, name, tmp_path):
        """A root that is missing, or a file, is no empty store."""
        (tmp_path / "file").touch()
        with pytest.raises(NotADirectoryError, match=f"'.*{name}' is no folder, so there is no store to check"):
            audit(tmp_path / name, LAYOUT)


@pytest.mark.parametrize("rule", STORE_RULES)
def test_rules_are_explained(rule):
    """Each rule of stores has its four parts, and makes findings of its own name and severity."""
    finding, severity = STORE_RULES[rule]
    made = finding("a path", "something")
    assert (made.rule, made.severity) == (rule, severity)
    parts = [line.strip() for line in finding.__doc__.splitlines() if line.strip().startswith("## ")]
    assert parts == ["## What it does", "## Why is this bad?", "## Example", "## Use instead"]
