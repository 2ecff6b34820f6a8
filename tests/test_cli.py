"""The command line, run as a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

GOOD = """\
zarrange: 1
fields: {run: {type: str}, iteration: {type: int, min: 0}, day: {type: date}, flag: {type: bool}}
containers:
  box: {path: "{{ run }}.zarr"}
arrays:
  grid:
    container: box
    path: "{{ iteration | pad(4) }}"
    examples: [{values: {run: a, iteration: 7}, path: a.zarr/0007}]
files:
  note: {path: "notes/{{ day }}{% if flag is defined %}-{{ flag }}{% endif %}"}
"""


@pytest.fixture
def zarrange(tmp_path):
    """Run the command in a folder of its own, which has the layout `good.yaml`."""
    (tmp_path / "good.yaml").write_text(GOOD)

    def run(*arguments, **environment):
        command = [sys.executable, "-m", "zarrange", *arguments]
        return subprocess.run(
            command, cwd=tmp_path, capture_output=True, text=True, env={**os.environ, **environment}, check=False
        )

    run.folder = tmp_path
    return run


class TestCheck:
    def test_a_clean_layout_exits_0(self, zarrange):
        """A layout without findings is said to be so, and the status is 0."""
        done = zarrange("check", "good.yaml", "training")
        assert (done.returncode, done.stdout, done.stderr) == (0, "2 files checked, no findings\n", "")

    def test_findings_are_drawn_and_exit_1(self, zarrange):
        """Each finding is drawn with its line and a caret, and the status is 1."""
        (zarrange.folder / "bad.yaml").write_text(GOOD.replace("{{ run }}.zarr", "{{ rum }}.zarr"))
        done = zarrange("check", "bad.yaml")
        assert done.returncode == 1
        assert done.stdout == (
            "error[unknown-field]: `rum` is not a declared field\n"
            " --> bad.yaml:4:19\n"
            "  |\n"
            '4 |   box: {path: "{{ rum }}.zarr"}\n'
            "  |                   ^^^\n"
            "help: a similar field exists: `run`\n"
            "\n"
            "1 file checked, 1 finding\n"
        )

    def test_a_failing_example_is_a_finding(self, zarrange):
        """An example that renders another path is found, and the path that it renders is given."""
        (zarrange.folder / "bad.yaml").write_text(GOOD.replace("a.zarr/0007", "a.zarr/7"))
        done = zarrange("check", "bad.yaml")
        assert done.returncode == 1
        assert "error[failing-example]: the example of `grid` renders another path\n --> bad.yaml:9:55\n" in done.stdout
        assert "help: its values give `a.zarr/0007`" in done.stdout

    def test_all_files_are_checked(self, zarrange):
        """A file that cannot be read does not keep the others from being checked."""
        done = zarrange("check", "missing.yaml", "nonsense", "good.yaml", "--format", "json")
        found = json.loads(done.stdout)
        assert done.returncode == 1
        assert [(one["rule"], one["file"], one["line"], one["column"]) for one in found] == [
            ("unreadable-layout", "missing.yaml", 1, 1),
            ("unreadable-layout", "nonsense", 1, 1),
        ]

    def test_json_has_the_whole_span(self, zarrange):
        """JSON gives rule, severity, message, help and the span of every finding."""
        (zarrange.folder / "bad.yaml").write_text(GOOD.replace("{{ run }}.zarr", "{{ rum }}.zarr"))
        done = zarrange("check", "bad.yaml", "--format", "json")
        assert json.loads(done.stdout) == [
            {
                "rule": "unknown-field",
                "severity": "error",
                "message": "`rum` is not a declared field",
                "help": "a similar field exists: `run`",
                "file": "bad.yaml",
                "line": 4,
                "column": 19,
                "end_line": 4,
                "end_column": 22,
            }
        ]


class TestRender:
    def test_the_path_is_printed(self, zarrange):
        """The rendered path stands alone on a line."""
        done = zarrange("render", "good.yaml", "grid", "run=a", "iteration=7")
        assert (done.returncode, done.stdout, done.stderr) == (0, "a.zarr/0007\n", "")

    def test_json_is_the_identifier(self, zarrange):
        """JSON is the identifier as the converter writes it."""
        done = zarrange("render", "good.yaml", "grid", "run=a", "iteration=7", "--format=json")
        assert json.loads(done.stdout) == {"type": "array", "container": "a.zarr", "dataset": "0007"}

    def test_text_becomes_the_type_of_the_field(self, zarrange):
        """Dates and truth values are read from their text."""
        done = zarrange("render", "good.yaml", "note", "day=2026-01-31", "flag=true")
        assert (done.returncode, done.stdout) == (0, "notes/2026-01-31-True\n")

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (["grib", "run=a"], "has no kind 'grib'; a similar kind exists: `grid`"),
            (["grid", "run=a"], "grid: field `iteration` is missing"),
            (["grid", "run=a", "iteration=007"], "field `iteration` does not take '007': it is not how such a value"),
            (["grid", "run=a", "iteration=-1"], "it takes a whole number of at least 0"),
            (["grid", "run=a/b", "iteration=1"], "field `run` does not take 'a/b': '/' is not portable"),
            (
                ["grid", "rum=a", "iteration=1"],
                "field `rum` does not belong to this kind; a similar field exists: `run`",
            ),
            (["grid", "run", "iteration=1"], "'run' is not FIELD=VALUE"),
            (["grid", "run=a", "run=b"], "the field `run` is given twice"),
            (["note", "day=2026-02-30"], "field `day` does not take '2026-02-30'"),
        ],
    )
    def test_wrong_usage_exits_2(self, zarrange, arguments, message):
        """What does not fit is said on standard error, nothing is printed, and the status is 2."""
        done = zarrange("render", "good.yaml", *arguments)
        assert (done.returncode, done.stdout) == (2, "")
        assert message in done.stderr
        assert "Traceback" not in done.stderr

    def test_a_layout_that_is_not_there_exits_2(self, zarrange):
        """A layout that does not exist is wrong usage, and a similar name is given."""
        done = zarrange("render", "trainig", "validation", "run=a")
        assert done.returncode == 2
        assert "help: a similar layout exists: `training`" in done.stderr

    def test_a_broken_layout_exits_1(self, zarrange):
        """A layout with errors is a finding."""
        (zarrange.folder / "bad.yaml").write_text(GOOD.replace("{{ run }}.zarr", "{{ rum }}.zarr"))
        done = zarrange("render", "bad.yaml", "grid", "run=a")
        assert done.returncode == 1
        assert "error[unknown-field]" in done.stderr


class TestMatch:
    def test_paths_are_read(self, zarrange):
        """Each path is followed by its key."""
        done = zarrange("match", "good.yaml", "a.zarr/0007", "a.zarr")
        assert done.returncode == 0
        assert done.stdout == "a.zarr/0007: grid(run='a', iteration=7)\na.zarr: box(run='a')\n"

    def test_a_path_of_no_kind_exits_1(self, zarrange):
        """A path that no kind has is said to be so, and the status is 1."""
        done = zarrange("match", "good.yaml", "a.zarr/7")
        assert (done.returncode, done.stdout) == (1, "a.zarr/7: no kind of `good` has this path\n")

    def test_every_reading_of_an_ambiguous_path_is_given(self, zarrange):
        """All readings of a path are listed, and the status is 1."""
        done = zarrange("match", "dacapo", "r/validation.zarr/inputs/raw")
        assert done.returncode == 1
        assert done.stdout.splitlines()[-1] == "r/validation.zarr/inputs/raw: ambiguous, 3 readings"

    def test_json_lists_the_keys(self, zarrange):
        """JSON gives each path with its keys."""
        done = zarrange("match", "good.yaml", "a.zarr", "x", "--format", "json")
        assert done.returncode == 1
        assert json.loads(done.stdout) == [
            {"path": "a.zarr", "keys": [{"type": "key", "kind": "box", "values": {"run": "a"}}]},
            {"path": "x", "keys": []},
        ]

    def test_control_characters_are_escaped(self, zarrange):
        """A path cannot move the cursor of the terminal that it is shown on."""
        done = zarrange("match", "good.yaml", "a\x1b[31m\n")
        assert done.stdout == "a\\x1b[31m\\n: no kind of `good` has this path\n"

    def test_a_path_that_is_not_text_is_shown(self, zarrange):
        """A name that is not UTF-8 is a path of no kind, not a crash."""
        command = [sys.executable, "-m", "zarrange", "match", "good.yaml", b"a\xff"]
        done = subprocess.run(command, cwd=zarrange.folder, capture_output=True, check=False)
        assert (done.returncode, done.stdout) == (1, b"a\\udcff: no kind of `good` has this path\n")


class TestTheProgram:
    def test_help_names_every_command(self, zarrange):
        """The help lists the commands and the exit statuses."""
        done = zarrange("--help")
        assert done.returncode == 0
        assert all(word in done.stdout for word in ("check", "render", "match", "Exit status: 0 clean"))

    @pytest.mark.parametrize("arguments", [[], ["chekc"], ["check"], ["check", "--formt", "json", "x"]])
    def test_an_unknown_command_or_option_exits_2(self, zarrange, arguments):
        """Wrong usage is explained on standard error."""
        done = zarrange(*arguments)
        assert (done.returncode, done.stdout) == (2, "")
        assert "usage: zarrange" in done.stderr

    def test_the_version_is_that_of_the_package(self, zarrange):
        """`--version` prints the version that the package has."""
        import zarrange as package

        assert zarrange("--version").stdout == f"zarrange {package.__version__}\n"

    def test_a_terminal_without_unicode_is_no_crash(self, zarrange):
        """What the output's encoding cannot show is escaped."""
        (zarrange.folder / "bad.yaml").write_text("zarrange: 1\nextends: é\n", encoding="utf-8")
        done = zarrange("check", "bad.yaml", PYTHONIOENCODING="ascii")
        assert done.returncode == 1
        assert "\\xe9" in done.stdout

    def test_a_closed_pipe_is_no_crash(self, zarrange):
        """A reader that has seen enough ends the command quietly."""
        command = f"'{sys.executable}' -m zarrange match good.yaml $(seq 20000) | head -1"
        done = subprocess.run(command, shell=True, cwd=zarrange.folder, capture_output=True, text=True, check=False)
        assert (done.stdout, done.stderr) == ("1: no kind of `good` has this path\n", "")

    @pytest.mark.parametrize(
        "arguments",
        [["--help"], ["check", "training"], ["render", "training", "validation", "run=a"], ["match", "hive", "a"]],
    )
    def test_no_command_imports_zarr(self, zarrange, arguments):
        """Commands that touch no arrays import neither zarr nor numpy."""
        done = subprocess.run(
            [sys.executable, "-X", "importtime", "-m", "zarrange", *arguments],
            cwd=zarrange.folder,
            capture_output=True,
            text=True,
            check=False,
        )
        imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if "|" in line}
        assert "zarrange.cli" in imported
        assert imported.isdisjoint({"zarr", "numpy"})

    def test_help_imports_little(self):
        """`--help` does not wait for the parsers that only other commands need."""
        done = subprocess.run(
            [sys.executable, "-X", "importtime", "-m", "zarrange", "--help"], capture_output=True, text=True, check=True
        )
        imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if "|" in line}
        assert imported.isdisjoint({"attrs", "cattrs", "jinja2", "yaml"})
