"""The command line, run as a process of its own."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys

import pytest

from zarrange.cli import options

GOOD = """\
zarrange: 1
doc: Grids in boxes, and notes beside them.
fields:
  run: {type: str, doc: Name of the run.}
  iteration: {type: int, min: 0, doc: Training iteration.}
  day: {type: date, doc: Day of the note.}
  flag: {type: bool, doc: Whether somebody should look.}
containers:
  box:
    path: "{{ run }}.zarr"
    doc: All grids of a run.
    examples: [{values: {run: a}, path: a.zarr}]
arrays:
  grid:
    container: box
    path: "{{ iteration | pad(4) }}"
    doc: One grid.
    examples: [{values: {run: a, iteration: 7}, path: a.zarr/0007}]
files:
  note:
    path: "notes/{{ day }}{% if flag is defined %}-{{ flag }}{% endif %}"
    doc: What somebody thought.
    examples: [{values: {day: 2026-01-31}, path: notes/2026-01-31}]
"""
BAD = GOOD.replace("{{ run }}.zarr", "{{ rum }}.zarr")
WARNED = GOOD.replace("    examples: [{values: {run: a}, path: a.zarr}]\n", "")
SCREEN = """\
error[unknown-field]: `rum` is not a declared field
  --> bad.yaml:10:15
   |
10 |     path: "{{ rum }}.zarr"
   |               ^^^
help: a similar field exists: `run`

1 file checked, 1 finding
"""
WARNING = """\
warning[missing-example]: `box` has no example
 --> {file}:9:3
  |
9 |   box:
  |   ^^^
"""


@pytest.fixture
def zarrange(tmp_path):
    """Run the command in a folder of its own, which has the layout `good.yaml`."""
    (tmp_path / "good.yaml").write_text(GOOD)

    def run(*arguments, **environment):
        command = [sys.executable, "-m", "zarrange", *arguments]
        return subprocess.run(
            command, cwd=tmp_path, capture_output=True, text=True, env={**plain, **environment}, check=False
        )

    plain = {name: value for name, value in os.environ.items() if name not in {"NO_COLOR", "FORCE_COLOR"}}
    run.folder = tmp_path
    return run


class TestCheck:
    def test_a_clean_layout_exits_0(self, zarrange):
        """A layout without findings is said to be so, and the status is 0."""
        done = zarrange("check", "good.yaml", "training")
        assert (done.returncode, done.stdout, done.stderr) == (0, "2 files checked, no findings\n", "")

    def test_findings_are_drawn_and_exit_1(self, zarrange):
        """Each finding is drawn with its line and a caret, and the status is 1."""
        (zarrange.folder / "bad.yaml").write_text(BAD)
        done = zarrange("check", "bad.yaml")
        assert (done.returncode, done.stdout, done.stderr) == (1, SCREEN, "")

    def test_warnings_are_findings(self, zarrange):
        """A warning is drawn and counted as one, and the status is 1."""
        (zarrange.folder / "warned.yaml").write_text(WARNED)
        done = zarrange("check", "warned.yaml")
        assert done.returncode == 1
        assert done.stdout == f"{WARNING.format(file='warned.yaml')}\n1 file checked, 1 finding (1 warning)\n"

    def test_a_failing_example_is_a_finding(self, zarrange):
        """An example that renders another path is found, and the path that it renders is given."""
        (zarrange.folder / "bad.yaml").write_text(GOOD.replace("a.zarr/0007", "a.zarr/7"))
        done = zarrange("check", "bad.yaml")
        assert done.returncode == 1
        assert done.stdout == (
            "error[failing-example]: the example of `grid` renders another path\n"
            "  --> bad.yaml:18:55\n"
            "   |\n"
            "18 |     examples: [{values: {run: a, iteration: 7}, path: a.zarr/7}]\n"
            "   |                                                       ^^^^^^^^\n"
            "help: its values give `a.zarr/0007`\n"
            "\n"
            "1 file checked, 1 finding\n"
        )

    def test_all_files_are_checked(self, zarrange):
        """A file that cannot be read does not keep the others from being checked."""
        done = zarrange("check", "missing.yaml", "nonsense", "good.yaml", "--format", "json")
        found = json.loads(done.stdout)
        assert done.returncode == 1
        assert [(one["rule"], one["file"], one["line"], one["column"]) for one in found] == [
            ("unreadable-layout", "missing.yaml", 1, 1),
            ("unreadable-layout", "nonsense", 1, 1),
        ]

    def test_a_file_that_is_given_twice_is_checked_once(self, zarrange):
        """A file is the same by whatever name it is given, and is called by the first."""
        (zarrange.folder / "bad.yaml").write_text(BAD)
        (zarrange.folder / "link.yaml").symlink_to("bad.yaml")
        done = zarrange("check", "bad.yaml", "./bad.yaml", "link.yaml", str(zarrange.folder / "bad.yaml"))
        assert (done.returncode, done.stdout) == (1, SCREEN)
        done = zarrange("check", "training", "training", "nonsense", "nonsense")
        assert done.stdout == (
            "error[unreadable-layout]: `nonsense` is neither a shipped layout nor a file\n"
            " --> nonsense:1:1\n"
            "help: known: `cellmap`, `dacapo`, `hive`, `ome-zarr-plate`, `training`\n"
            "\n"
            "2 files checked, 1 finding\n"
        )

    def test_a_finding_that_layouts_inherit_is_reported_once(self, zarrange):
        """What is wrong with a layout that others extend is one finding, however many of them are checked."""
        (zarrange.folder / "base.yaml").write_text(BAD)
        for name in "ab":
            (zarrange.folder / f"{name}.yaml").write_text(f"zarrange: 1\nextends: base.yaml\ndoc: Layout {name}.\n")
        alone = zarrange("check", str(zarrange.folder / "a.yaml"))
        done = zarrange("check", "a.yaml", "b.yaml", str(zarrange.folder / "base.yaml"))
        screen = SCREEN.replace("bad.yaml", "base.yaml")
        assert (alone.returncode, alone.stdout) == (1, screen.replace("base.yaml", f"{zarrange.folder}/base.yaml"))
        assert (done.returncode, done.stdout) == (1, screen.replace("1 file", "3 files"))

    def test_a_finding_whose_severity_a_layout_changes_is_another(self, zarrange):
        """A warning of a base that a layout makes an error is reported as both: each is true of one file."""
        (zarrange.folder / "base.yaml").write_text(WARNED)
        own = "zarrange: 1\nextends: base.yaml\ndoc: Stricter.\nrules: {missing-example: error}\n"
        (zarrange.folder / "strict.yaml").write_text(own)
        found = json.loads(zarrange("check", "strict.yaml", "base.yaml", "--format", "json").stdout)
        about_box = [one for one in found if one["message"] == "`box` has no example"]
        assert [(one["severity"], one["file"], one["line"]) for one in about_box] == [
            ("error", "base.yaml", 9),
            ("warning", "base.yaml", 9),
        ]

    def test_json_has_the_whole_finding(self, zarrange):
        """JSON gives rule, severity, message, help, span, labels and facts of every finding."""
        (zarrange.folder / "bad.yaml").write_text(BAD)
        done = zarrange("check", "bad.yaml", "--format", "json")
        assert done.returncode == 1
        assert json.loads(done.stdout) == [
            {
                "rule": "unknown-field",
                "severity": "error",
                "message": "`rum` is not a declared field",
                "help": "a similar field exists: `run`",
                "file": "bad.yaml",
                "line": 10,
                "column": 15,
                "end_line": 10,
                "end_column": 18,
                "labels": [],
                "info": [],
            }
        ]

    def test_github_has_a_line_a_finding(self, zarrange):
        """Annotation lines are all that is printed, and nothing is where nothing is found."""
        (zarrange.folder / "bad.yaml").write_text(BAD)
        (zarrange.folder / "warned.yaml").write_text(WARNED)
        done = zarrange("check", "bad.yaml", "warned.yaml", "--format", "github")
        assert done.returncode == 1
        assert done.stdout == (
            "::error file=bad.yaml,line=10,col=15,endLine=10,endColumn=18,title=unknown-field::"
            "`rum` is not a declared field%0Ahelp: a similar field exists: `run`\n"
            "::warning file=warned.yaml,line=9,col=3,endLine=9,endColumn=6,title=missing-example::"
            "`box` has no example\n"
        )
        done = zarrange("check", "good.yaml", "--format", "github")
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")

    def test_sarif_is_a_log(self, zarrange):
        """SARIF names files relative to the working folder, and has the page of the rule."""
        import zarrange as package

        (zarrange.folder / "bad.yaml").write_text(BAD)
        done = zarrange("check", str(zarrange.folder / "bad.yaml"), "--format", "sarif")
        (run,) = json.loads(done.stdout)["runs"]
        (rule,), (result,) = run["tool"]["driver"]["rules"], run["results"]
        assert (done.returncode, run["tool"]["driver"]["version"]) == (1, package.__version__)
        assert (rule["id"], rule["shortDescription"]["text"]) == (
            "unknown-field",
            "A template or the view names a field that is not declared.",
        )
        assert result["message"]["text"] == "`rum` is not a declared field\nhelp: a similar field exists: `run`"
        assert result["locations"][0]["physicalLocation"]["artifactLocation"] == {"uri": "bad.yaml"}
        done = zarrange("check", "good.yaml", "--format", "sarif")
        assert (done.returncode, json.loads(done.stdout)["runs"][0]["results"]) == (0, [])

    def test_any_name_of_a_file_is_shown(self, zarrange):
        """Names with line ends, escape codes, separators or bytes that are no text are safe in every format."""
        files = [os.fsdecode(name) for name in (b"a\nb.yaml", b"a\x1b[31m.yaml", b"a,b:c%.yaml", b"a\xff.yaml")]
        for file in files:
            (zarrange.folder / file).write_text(WARNED)
        shown = ["a\\nb.yaml", "a\\x1b[31m.yaml", "a,b:c%.yaml", "a\\udcff.yaml"]
        drawn = "".join(f"{WARNING.format(file=one)}\n" for one in shown)
        assert zarrange("check", *files).stdout == f"{drawn}4 files checked, 4 findings (4 warnings)\n"
        found = json.loads(zarrange("check", *files, "--format", "json").stdout)
        assert [one["file"] for one in found] == files
        assert zarrange("check", *files, "--format", "github").stdout.splitlines() == [
            f"::warning file={one},line=9,col=3,endLine=9,endColumn=6,title=missing-example::`box` has no example"
            for one in ("a%0Ab.yaml", "a\\x1b[31m.yaml", "a%2Cb%3Ac%25.yaml", "a\\udcff.yaml")
        ]
        (run,) = json.loads(zarrange("check", *files, "--format", "sarif").stdout)["runs"]
        places = [one["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] for one in run["results"]]
        assert places == ["a%0Ab.yaml", "a%1B%5B31m.yaml", "a%2Cb%3Ac%25.yaml", "a%FF.yaml"]

    @pytest.mark.parametrize("form", ["json", "sarif"])
    def test_json_is_valid_in_any_encoding(self, zarrange, form):
        """What the output's encoding cannot show is escaped as JSON escapes it."""
        (zarrange.folder / "é😀.yaml").write_text(WARNED)
        done = zarrange("check", "é😀.yaml", "--format", form, PYTHONIOENCODING="ascii")
        assert done.returncode == 1
        assert done.stdout.isascii()
        assert len(json.loads(done.stdout)) == {"json": 1, "sarif": 3}[form]


class TestCheckStore:
    def test_a_store_is_held_against_its_layout(self, zarrange):
        """What is on disk but not in the layout is found beside what is wrong with the layout."""
        (zarrange.folder / "warned.yaml").write_text(WARNED)
        (zarrange.folder / "runs/a.zarr").mkdir(parents=True)
        (zarrange.folder / "runs/stray.txt").touch()
        done = zarrange("check", "warned.yaml", "--store", "runs")
        assert (done.returncode, done.stderr) == (1, "")
        assert done.stdout == (
            WARNING.format(file="warned.yaml")
            + "\nwarning[unmatched-path]: no kind has this file\n --> runs/stray.txt\n"
            + "\n1 file checked, 2 findings (2 warnings)\n"
        )

    def test_a_store_of_the_layout_is_clean(self, zarrange):
        """A store in which everything is the layout's has no findings, and the status is 0."""
        (zarrange.folder / "runs/notes").mkdir(parents=True)
        (zarrange.folder / "runs/notes/2026-01-31").touch()
        done = zarrange("check", "good.yaml", "--store", "runs")
        assert (done.returncode, done.stdout, done.stderr) == (0, "1 file checked, no findings\n", "")

    @pytest.mark.parametrize("form", ["json", "github", "sarif"])
    def test_other_formats_name_the_path_alone(self, zarrange, form):
        """In no format has a path in a store a line."""
        (zarrange.folder / "runs").mkdir()
        (zarrange.folder / "runs/stray.txt").touch()
        done = zarrange("check", "good.yaml", "--store", "runs", "--format", form)
        assert done.returncode == 1
        if form == "github":
            assert done.stdout == "::warning file=runs/stray.txt,title=unmatched-path::no kind has this file\n"
        elif form == "json":
            (one,) = json.loads(done.stdout)
            assert (one["file"], one["line"], one["column"]) == ("runs/stray.txt", 0, 0)
        else:
            (run,) = json.loads(done.stdout)["runs"]
            place = run["results"][0]["locations"][0]["physicalLocation"]
            assert place == {"artifactLocation": {"uri": "runs/stray.txt"}}
            assert [rule["id"] for rule in run["tool"]["driver"]["rules"]] == ["unmatched-path"]

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (("good.yaml", "--store", "runz"), "'runz' is no folder, so there is no store"),
            (("good.yaml", "hive", "--store", "."), "a store has one layout: give a single FILE with --store"),
        ],
    )
    def test_wrong_usage_exits_2(self, zarrange, arguments, message):
        """A root that is no folder, or several layouts for one store, are wrong usage."""
        done = zarrange("check", *arguments)
        assert (done.returncode, done.stdout, done.stderr) == (2, "", f"zarrange: {message}\n")


class TestColor:
    RED = "\x1b[1;31merror[unknown-field]\x1b[0m\x1b[1m: `rum` is not a declared field\x1b[0m"

    @pytest.fixture
    def terminal(self):
        """Return the two ends of a terminal: what is shown on it, and the stream that a program writes to."""
        shown, written = os.openpty()
        with open(shown, encoding="utf-8") as screen, open(written, "w", encoding="utf-8") as stream:
            yield screen, stream

    def test_a_terminal_has_color(self, zarrange, terminal):
        """What is drawn on a terminal is in color."""
        screen, stream = terminal
        (zarrange.folder / "bad.yaml").write_text(BAD)
        environment = {name: value for name, value in os.environ.items() if name not in {"NO_COLOR", "FORCE_COLOR"}}
        command = [sys.executable, "-m", "zarrange", "check", "bad.yaml"]
        done = subprocess.run(
            command, cwd=zarrange.folder, stdout=stream, env={**environment, "TERM": "xterm"}, check=False
        )
        assert (done.returncode, screen.readline()) == (1, f"{self.RED}\n")

    def test_color_is_asked_for(self, zarrange):
        """What is no terminal has color where the command or the environment asks for it."""
        (zarrange.folder / "bad.yaml").write_text(BAD)
        assert zarrange("check", "bad.yaml", "--color=always").stdout.splitlines()[0] == self.RED
        assert zarrange("check", "bad.yaml", FORCE_COLOR="1").stdout.splitlines()[0] == self.RED

    @pytest.fixture
    def in_color(self, terminal, monkeypatch, tmp_path):
        """Decide whether to color what is written to a terminal, or to a file."""

        def decide(asked, *, on_terminal, **environment):
            for name in ("NO_COLOR", "FORCE_COLOR"):
                monkeypatch.delenv(name, raising=False)
            for name, value in {"TERM": "xterm", **environment}.items():
                monkeypatch.setenv(name, value)
            with open(tmp_path / "file", "w", encoding="utf-8") as file:
                return options.in_color(argparse.Namespace(color=asked), terminal[1] if on_terminal else file)

        return decide

    @pytest.mark.parametrize(
        ("environment", "on_terminal", "elsewhere"),
        [
            ({}, True, False),
            ({"NO_COLOR": "1"}, False, False),
            ({"NO_COLOR": "", "FORCE_COLOR": ""}, True, False),
            ({"TERM": "dumb"}, False, False),
            ({"FORCE_COLOR": "1"}, True, True),
            ({"FORCE_COLOR": "1", "TERM": "dumb"}, True, True),
            ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, False, False),
        ],
    )
    def test_color_is_for_terminals(self, in_color, environment, on_terminal, elsewhere):
        """Color is for terminals that take it; the environment changes that, and `--color` has the last word."""
        assert in_color("auto", on_terminal=True, **environment) is on_terminal
        assert in_color("auto", on_terminal=False, **environment) is elsewhere
        assert in_color("always", on_terminal=False, **environment) is True
        assert in_color("never", on_terminal=True, **environment) is False

    @pytest.mark.parametrize("form", ["json", "github", "sarif"])
    def test_what_programs_read_has_no_color(self, zarrange, form):
        """Only text for people is ever colored."""
        (zarrange.folder / "bad.yaml").write_text(BAD)
        done = zarrange("check", "bad.yaml", "--format", form, "--color", "always")
        assert done.returncode == 1
        assert "\x1b" not in done.stdout

    def test_errors_of_other_commands_are_colored(self, zarrange):
        """A layout that cannot be loaded is drawn on standard error, in color where that is asked for."""
        (zarrange.folder / "bad.yaml").write_text(BAD)
        done = zarrange("render", "bad.yaml", "grid", "run=a", "--color", "always")
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.splitlines()[0] == self.RED


class TestExplain:
    def test_a_rule_is_explained(self, zarrange):
        """The page of a rule follows its name, how bad it is and when it is found."""
        done = zarrange("explain", "missing-example")
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.splitlines()[:7] == [
            "# missing-example",
            "",
            "Warning, found when a layout is checked.",
            "",
            "A kind has no example.",
            "",
            "## What it does",
        ]

    def test_several_rules_are_explained_once_each(self, zarrange):
        """Rules are explained in the order in which they are named first."""
        done = zarrange("explain", "unknown-field", "missing-example", "unknown-field", "--format", "json")
        assert [one["rule"] for one in json.loads(done.stdout)] == ["unknown-field", "missing-example"]

    def test_all_rules_are_explained(self, zarrange):
        """`--all` explains every rule that a finding can have."""
        from zarrange.report.pages import pages

        known = pages()
        assert zarrange("explain", "--all").stdout == zarrange("explain", *known).stdout
        found = json.loads(zarrange("explain", "--all", "--format", "json").stdout)
        assert [(one["rule"], one["page"]) for one in found] == [(name, page.text) for name, page in known.items()]

    def test_color_is_for_headings(self, zarrange):
        """A page is colored where that is asked for."""
        done = zarrange("explain", "unknown-field", "--color", "always")
        assert done.stdout.splitlines()[:3] == [
            "\x1b[1m# unknown-field\x1b[0m",
            "",
            "\x1b[1;31mError\x1b[0m, found when a layout is loaded.",
        ]

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (["unknown_field"], "there is no rule 'unknown_field'; a similar rule exists: `unknown-field`"),
            (
                ["missing-example", "unknwon-kind"],
                "there is no rule 'unknwon-kind'; a similar rule exists: `unknown-kind`",
            ),
            ([], "give the names of rules, or --all"),
            (["--all", "unknown-field"], "give the names of rules, or --all"),
        ],
    )
    def test_wrong_usage_exits_2(self, zarrange, arguments, message):
        """A rule that there is not is wrong usage, and a similar one is named."""
        done = zarrange("explain", *arguments)
        assert (done.returncode, done.stdout, done.stderr) == (2, "", f"zarrange: {message}\n")


class TestSchema:
    def test_the_schema_is_printed(self, zarrange):
        """The command prints the JSON Schema of layouts."""
        from zarrange.language.schema import layout_schema

        done = zarrange("schema")
        assert (done.returncode, done.stderr) == (0, "")
        assert json.loads(done.stdout) == json.loads(json.dumps(layout_schema()))


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
        (zarrange.folder / "bad.yaml").write_text(BAD)
        done = zarrange("render", "bad.yaml", "grid", "run=a")
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr == SCREEN.rpartition("\n\n")[0] + "\n"


class TestMatch:
    def test_paths_are_read(self, zarrange):
        """Each path is followed by its key."""
        done = zarrange("match", "good.yaml", "a.zarr/0007", "a.zarr")
        assert done.returncode == 0
        assert done.stdout == 'a.zarr/0007: grid(run="a", iteration=7)\na.zarr: box(run="a")\n'

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


MOVED = (
    GOOD.replace("iteration:", "step:")
    .replace("{{ iteration", "{{ step")
    .replace("doc: Training iteration", "renamed_from: iteration, doc: Training iteration")
)


class TestDiff:
    @pytest.fixture
    def diff(self, zarrange):
        """Compare `good.yaml` with a layout of this text."""

        def compared(text, *arguments, **environment):
            (zarrange.folder / "new.yaml").write_text(text)
            return zarrange("diff", "good.yaml", "new.yaml", *arguments, **environment)

        return compared

    def test_nothing_to_do_exits_0(self, diff):
        """A layout in which every artifact has its place is fine, also with new kinds, new names and other words."""
        done = diff(GOOD)
        assert (done.returncode, done.stderr) == (0, "")
        assert (
            done.stdout == "good → new\n\nbox: same\ngrid: same\nnote: same\n\n3 kinds: 3 same; no artifact is lost\n"
        )
        assert diff(MOVED).returncode == 0
        assert diff(GOOD + '  more: {path: "more.txt"}\n').returncode == 0
        assert diff(GOOD.replace("min: 0, ", "")).returncode == 0

    def test_a_path_that_changes_exits_1(self, diff):
        """A path that changes is shown by an example, and the status is 1."""
        done = diff(GOOD.replace("pad(4)", "pad(6)"))
        assert (done.returncode, done.stderr) == (1, "")
        assert done.stdout == (
            "good → new\n\nbox: same\n\n"
            'grid: changed\n  grid(run="a", iteration=7)\n  - a.zarr/0007\n  + a.zarr/000007\n\n'
            "note: same\n\n3 kinds: 1 changed, 2 same; no artifact is lost\n"
        )

    def test_a_loss_exits_1(self, diff):
        """What would be lost is told, with the paths as they were."""
        done = diff(GOOD.replace("min: 0", "min: 10"))
        assert done.returncode == 1
        assert "warning[refused-value]: `iteration` does not take 9\nkinds: grid\n" in done.stdout
        assert done.stdout.endswith("3 kinds: 3 same; 1 problem\n")

    def test_fixed_values(self, diff):
        """A field that only one of the layouts has may be set, as its values are written; several times for several."""
        more = GOOD.replace("  day:", "  fold: {type: int}\n  mark: {type: str}\n  day:").replace(
            "{{ iteration | pad(4) }}", "{{ iteration | pad(4) }}/{{ fold }}/{{ mark }}"
        )
        assert "error[new-field]: `fold` is new, and no `grid` is without it\n" in diff(more).stdout
        done = diff(more, "--set", "fold=3", "--set", "mark=x")
        assert done.returncode == 1
        assert "grid: changed, `fold` is new (3), `mark` is new ('x')\n" in done.stdout
        assert "  + a.zarr/0007/3/x\n" in done.stdout

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (["--set", "run"], "'run' is not FIELD=VALUE"),
            (["--set", "run=a"], "field `run` is neither dropped nor new in any kind"),
            (["--set", "rum=a"], "field `rum` is in neither layout; a similar field exists: `run`"),
            (["--set", "fold=x"], "field `fold` does not take 'x'"),
            (["--set", "fold=1", "--set", "fold=2"], "the field `fold` is given twice"),
        ],
    )
    def test_wrong_values_exit_2(self, diff, arguments, message):
        """A fixed value that makes no sense is wrong usage."""
        more = GOOD.replace("  day:", "  fold: {type: int}\n  day:").replace("pad(4) }}", "pad(4) }}/{{ fold }}")
        done = diff(more, *arguments)
        assert (done.returncode, done.stdout) == (2, "")
        assert message in done.stderr

    def test_layouts_that_cannot_be_loaded(self, diff, zarrange):
        """A layout with faults is shown with them, and the status is 1; one that is not there is wrong usage."""
        done = diff(BAD)
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr == SCREEN.rpartition("\n\n")[0].replace("bad.yaml", "new.yaml") + "\n"
        assert zarrange("diff", "good.yaml", "nothing.yaml").returncode == 2
        assert zarrange("diff", "good.yaml").returncode == 2

    def test_json(self, diff):
        """JSON has the verdict, and every kind."""
        done = diff(MOVED.replace("pad(4)", "pad(6)").replace("a.zarr/0007", "a.zarr/000007"), "--format", "json")
        data = json.loads(done.stdout)
        assert (done.returncode, data["same"], data["lossless"]) == (1, False, True)
        assert [(one["old"], one["paths"]) for one in data["kinds"]] == [
            ("box", "same"),
            ("grid", "changed"),
            ("note", "same"),
        ]
        assert data["kinds"][1]["fields"][1] == {"old": "iteration", "new": "step"}

    def test_color(self, diff):
        """There is color if it is asked for, and none in a pipe."""
        changed = GOOD.replace("pad(4)", "pad(6)")
        assert "\x1b[" not in diff(changed).stdout
        assert "\x1b[1mgood → new\x1b[0m\n" in diff(changed, "--color", "always").stdout
        assert "\x1b[" in diff(changed, FORCE_COLOR="1").stdout

    def test_help_says_what_the_status_means(self, zarrange):
        """Whoever runs it in a workflow reads in the help what makes it fail."""
        shown = " ".join(zarrange("diff", "--help").stdout.split())
        assert "Exit status 0: every artifact of OLD has the same path in NEW, and none is lost" in shown
        assert "1: a path changes, or may change, or an artifact would be lost" in shown

    def test_shipped_layouts(self, zarrange):
        """The way from DaCapo's own layout to the recommended one loses nothing."""
        done = zarrange("diff", "dacapo", "training")
        assert done.returncode == 1
        assert done.stdout.endswith("8 kinds: 8 changed; no artifact is lost\n")


class TestTheProgram:
    def test_help_names_every_command(self, zarrange):
        """The help lists the commands and the exit statuses."""
        done = zarrange("--help")
        assert done.returncode == 0
        assert all(
            word in done.stdout
            for word in ("check", "render", "match", "diff", "explain", "schema", "Exit status: 0 clean")
        )

    @pytest.mark.parametrize("arguments", [[], ["chekc"], ["check"], ["check", "--formt", "json", "x"]])
    def test_an_unknown_command_or_option_exits_2(self, zarrange, arguments):
        """Wrong usage is explained on standard error."""
        done = zarrange(*arguments)
        assert (done.returncode, done.stdout) == (2, "")
        assert "usage: zarrange" in done.stderr

    @pytest.mark.parametrize(
        ("arguments", "printed"),
        [
            (["check", "good.yaml", "--format", "text", "training"], "2 files checked, no findings\n"),
            (["render", "good.yaml", "grid", "run=a", "--format", "text", "iteration=7"], "a.zarr/0007\n"),
            (["render", "good.yaml", "grid", "--format", "text", "run=a", "iteration=7"], "a.zarr/0007\n"),
            (["render", "--color", "never", "good.yaml", "box", "run=a"], "a.zarr\n"),
            (
                ["match", "good.yaml", "a.zarr", "--format", "text", "b.zarr"],
                'a.zarr: box(run="a")\nb.zarr: box(run="b")\n',
            ),
        ],
    )
    def test_options_stand_anywhere(self, zarrange, arguments, printed):
        """Options may stand before, between and behind what a command takes any number of."""
        done = zarrange(*arguments)
        assert (done.returncode, done.stdout, done.stderr) == (0, printed, "")

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
        [
            ["--help"],
            ["check", "training"],
            ["render", "training", "validation", "run=a"],
            ["match", "hive", "a"],
            ["diff", "hive", "training"],
        ],
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
