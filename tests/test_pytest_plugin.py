"""The pytest plugin: pytest itself, run on folders with layouts in them."""

from __future__ import annotations

import re
import subprocess
import sys
from xml.etree import ElementTree

import pytest

from zarrange import Layout, LayoutError
from zarrange.report import diagnostics_as_text

CLEAN = """\
zarrange: 1
name: mine
doc: Masks of a run.

fields:
  run: {type: str, max_length: 40, doc: Name of the run.}
  iteration: {type: int, min: 0, doc: Training iteration.}

containers:
  box:
    path: "{{ run }}.zarr"
    doc: What belongs to a run.
    examples:
      - {values: {run: a}, path: a.zarr}

arrays:
  mask:
    container: box
    path: "masks/{{ iteration | pad(4) }}"
    doc: What the model drew.
    examples:
      - {values: {run: a, iteration: 7}, path: a.zarr/masks/0007}
      - values: {run: a, iteration: 12345}
        path: a.zarr/masks/12345
"""
WRONG_EXAMPLE = CLEAN.replace("a.zarr/masks/12345", "a.zarr/masks/012345")
UNLOADABLE = CLEAN.replace("{{ run }}", "{{ rum }}").replace("pad(4)", "pat(4)")
IDS = ["layouts/mine.yaml::check", *(f"layouts/mine.yaml::{name}" for name in ("box[0]", "mask[0]", "mask[1]"))]
EXTRA = [one.replace("layouts/mine.yaml", "extra/deep/er/b.yml") for one in IDS]
OPTION = "--zarrange=layouts"


@pytest.fixture
def project(pytester, monkeypatch):
    """A project with one ordinary test, a clean layout, and YAML that is no layout. No other plugin is loaded."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.setenv("PYTEST_PLUGINS", "zarrange.pytest_plugin")
    # In this very process the plugin is imported already, which old versions of pytest warn about.
    monkeypatch.setenv("PYTEST_ADDOPTS", "-Wignore::pytest.PytestAssertRewriteWarning")
    monkeypatch.setenv("NO_COLOR", "1")

    pytester.makeini("[pytest]\ntestpaths = tests\n")
    pytester.mkdir("tests").joinpath("test_it.py").write_text("def test_one(): pass\n")
    pytester.mkdir("layouts").joinpath("mine.yaml").write_text(CLEAN)
    (pytester.path / "compose.yaml").write_text("services: {}\n")
    return pytester


def write(project, **layouts):
    """Write layouts into the project's folder of them."""
    for name, text in layouts.items():
        (project.path / "layouts" / f"{name}.yaml").write_text(text)


def collected(project, *arguments):
    """The ids of what is collected, in order."""
    done = project.runpytest("--collect-only", "-q", *arguments)
    assert done.ret == pytest.ExitCode.OK
    return [line for line in done.outlines if "::" in line]


def outcomes(project, *arguments):
    """The ids of what passed, and of what failed."""
    done = project.runpytest("-v", *arguments)
    said = [re.match(r"(\S+::\S+) (PASSED|FAILED)", line) for line in done.outlines]
    return tuple([one[1] for one in said if one and one[2] == outcome] for outcome in ("PASSED", "FAILED"))


def failures(done):
    """What is shown of each test that failed, by the headline."""
    text = "\n".join(done.outlines).partition("= FAILURES =")[2].partition("= short test summary info =")[0]
    parts = re.split(r"\n_+ (\S+: \S+) _+\n", text)
    return {name: re.sub("\n=+$", "", shown) for name, shown in zip(parts[1::2], parts[2::2], strict=True)}


def drawn(file):
    """What is wrong with a layout, drawn as text."""
    try:
        return diagnostics_as_text(Layout.load(file).check())
    except LayoutError as error:
        return diagnostics_as_text(error.diagnostics)


def command_line(project, *arguments):
    """What `zarrange check` prints, without its last line."""
    command = [sys.executable, "-m", "zarrange", "check", *arguments]
    done = subprocess.run(command, cwd=project.path, capture_output=True, text=True, check=False)
    return done.stdout.rpartition("\n\n")[0]


class TestWhatIsCollected:
    def test_a_file_and_each_of_its_examples(self, project):
        """A layout is a test `check`, and a test for each example; the project's own tests come before."""
        assert collected(project, OPTION) == ["tests/test_it.py::test_one", *IDS]

    def test_nothing_without_being_asked(self, project):
        """Without the option and the key, no YAML is collected, even where it is named."""
        assert collected(project) == ["tests/test_it.py::test_one"]
        assert collected(project, ".") == ["tests/test_it.py::test_one"]
        assert project.runpytest("layouts").ret == pytest.ExitCode.NO_TESTS_COLLECTED

    def test_a_folder_is_searched(self, project):
        """A folder stands for all YAML in it, but for what is hidden and what pytest never enters."""
        for name in ("deep/er/b.yml", ".hidden/c.yaml", "build/d.yaml", ".e.yaml", "f.txt", "kept/g.yaml"):
            file = project.path / "layouts" / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(CLEAN)
        files = {one.partition("::")[0] for one in collected(project, OPTION, "-m", "zarrange")}
        assert files == {"layouts/deep/er/b.yml", "layouts/kept/g.yaml", "layouts/mine.yaml"}

    def test_what_pytest_ignores_is_ignored(self, project):
        """`--ignore` keeps a layout of a folder out."""
        write(project, other=CLEAN)
        assert collected(project, OPTION, "--ignore=layouts/other.yaml", "-m", "zarrange") == IDS

    @pytest.mark.parametrize(
        "options",
        [
            ["--zarrange", "layouts/mine.yaml"],
            ["--zarrange=layouts/*.yaml"],
            ["--zarrange=layouts", "--zarrange=layouts/mine.yaml"],
            ["--zarrange=layouts", "layouts"],
            ["--zarrange=layouts", "--keep-duplicates", "."],
        ],
    )
    def test_a_file_is_collected_once(self, project, options):
        """A file may be named itself, by a pattern, or several times."""
        assert collected(project, *options, "-m", "zarrange") == IDS

    def test_several_places(self, project):
        """The option may be repeated."""
        (project.path / "other.yml").write_text(CLEAN)
        files = [one.partition("::")[0] for one in collected(project, "--zarrange=other.yml", OPTION)]
        assert list(dict.fromkeys(files)) == ["tests/test_it.py", "other.yml", "layouts/mine.yaml"]

    def test_paths_begin_where_pytest_is_called(self, project, monkeypatch):
        """The option's paths are relative to the current folder, and may be absolute; ids begin at the root."""
        monkeypatch.chdir(project.path / "tests")
        assert collected(project, "--zarrange=../layouts", "-m", "zarrange") == IDS
        assert collected(project, f"--zarrange={project.path}/layouts", "-m", "zarrange") == IDS
        monkeypatch.chdir(project.path / "layouts")
        assert collected(project, "--zarrange=.", "mine.yaml::check") == IDS[:1]

    def test_arguments_come_beside(self, project):
        """What is named as an argument is collected too."""
        assert collected(project, OPTION, "tests/test_it.py::test_one") == ["tests/test_it.py::test_one", *IDS]

    @pytest.mark.parametrize(("name", "chosen"), [("mask[1]", IDS[3:]), ("mask", IDS[2:]), ("check", IDS[:1])])
    def test_one_test_is_run_by_its_id(self, project, name, chosen):
        """An argument that names a test of a layout runs that alone."""
        write(project, other=CLEAN)
        assert collected(project, OPTION, f"layouts/mine.yaml::{name}") == chosen

    def test_a_layout_outside_of_the_project(self, project, monkeypatch):
        """A layout beside the project has an id that leads to it, and `--lf` remembers it."""
        inner = project.mkdir("inner")
        inner.joinpath("pytest.ini").write_text("[pytest]\n")
        inner.joinpath("test_two.py").write_text("def test_two(): raise ValueError\n")
        write(project, mine=WRONG_EXAMPLE)
        monkeypatch.chdir(inner)
        outside = [f"../{one}" for one in IDS]
        failing = ["test_two.py::test_two", outside[3]]
        assert outcomes(project, "--zarrange=../layouts") == (outside[:3], failing)
        assert outcomes(project, "--zarrange=../layouts", "--lf") == ([], failing)


class TestTheKey:
    @pytest.fixture
    def configured(self, project):
        """The project, with layouts named in its configuration."""
        project.makeini("[pytest]\ntestpaths = tests\nzarrange_layouts = layouts extra*/**/*.yml\n")
        extra = project.mkdir("extra")
        extra.joinpath("deep/er").mkdir(parents=True)
        extra.joinpath("deep/er/b.yml").write_text(CLEAN)
        return project

    def test_layouts_are_collected_like_testpaths(self, configured):
        """Without arguments the layouts are collected, by folders and patterns, behind the tests."""
        assert collected(configured) == ["tests/test_it.py::test_one", *IDS, *EXTRA]

    @pytest.mark.parametrize(
        ("arguments", "expected"),
        [
            (["tests"], ["tests/test_it.py::test_one"]),
            (["extra"], EXTRA),
            (["."], [*EXTRA, *IDS, "tests/test_it.py::test_one"]),
            (["layouts/mine.yaml"], IDS),
            (["layouts/mine.yaml::box[0]", "tests"], [IDS[1], "tests/test_it.py::test_one"]),
            ([OPTION, "tests"], ["tests/test_it.py::test_one", *IDS]),
        ],
    )
    def test_arguments_decide(self, configured, arguments, expected):
        """With arguments, only the layouts within them are collected."""
        assert collected(configured, *arguments) == expected

    def test_a_folder_has_its_own(self, configured, monkeypatch):
        """In a folder of the project, only the layouts below it are collected."""
        monkeypatch.chdir(configured.path / "extra")
        assert collected(configured) == EXTRA

    def test_a_list_in_toml(self, project):
        """In `pyproject.toml` the key is a list."""
        (project.path / "pytest.ini").unlink(missing_ok=True)
        (project.path / "tox.ini").unlink(missing_ok=True)
        project.makepyprojecttoml('[tool.pytest.ini_options]\nzarrange_layouts = ["layouts/mine.yaml"]\n')
        assert collected(project) == ["tests/test_it.py::test_one", *IDS]


class TestWrongUsage:
    @pytest.mark.parametrize(
        ("path", "reason"),
        [
            ("nowhere", "there is no 'nowhere'"),
            ("layouts/*.yml", "there is no 'layouts/*.yml'"),
            ("tests", "there is no YAML file at 'tests'"),
            ("tests/test_it.py", "there is no YAML file at 'tests/test_it.py'"),
        ],
    )
    def test_a_path_without_layouts_is_refused(self, project, path, reason):
        """A path that is not there, or has no YAML file, is wrong usage, of the option and of the key."""
        done = project.runpytest(OPTION, f"--zarrange={path}")
        assert done.ret == pytest.ExitCode.USAGE_ERROR
        assert done.errlines[0] == f"ERROR: --zarrange: {reason}"
        project.makeini(f"[pytest]\nzarrange_layouts = layouts {path}\n")
        done = project.runpytest("tests")
        assert done.ret == pytest.ExitCode.USAGE_ERROR
        assert done.errlines[0] == f"ERROR: zarrange_layouts: {reason}"

    def test_a_test_that_a_layout_does_not_have(self, project):
        """An id that no test has is wrong usage, as everywhere in pytest."""
        done = project.runpytest(OPTION, "layouts/mine.yaml::mask[2]")
        assert done.ret == pytest.ExitCode.USAGE_ERROR
        assert done.errlines[0].startswith(f"ERROR: not found: {project.path}/layouts/mine.yaml::mask")


class TestWhatFails:
    def test_a_clean_layout_passes(self, project):
        """A layout without findings passes every test."""
        assert outcomes(project, OPTION) == (["tests/test_it.py::test_one", *IDS], [])

    def test_an_example_fails_alone(self, project):
        """An example that does not hold fails its own test, with the finding as it is drawn and no traceback."""
        write(project, mine=WRONG_EXAMPLE)
        done = project.runpytest(OPTION)
        assert done.ret == pytest.ExitCode.TESTS_FAILED
        assert done.parseoutcomes() == {"passed": 4, "failed": 1}
        assert failures(done) == {
            "layouts/mine.yaml: mask[1]": (
                "error[failing-example]: the example of `mask` renders another path\n"
                "  --> layouts/mine.yaml:24:15\n"
                "   |\n"
                "24 |         path: a.zarr/masks/012345\n"
                "   |               ^^^^^^^^^^^^^^^^^^^\n"
                "help: its values give `a.zarr/masks/12345`"
            )
        }

    def test_values_that_do_not_fit_fail_their_example(self, project):
        """An example whose values do not fit their fields fails its own test."""
        write(project, mine=CLEAN.replace("iteration: 7}", "iteration: -7}"))
        done = project.runpytest(OPTION)
        (name,) = failures(done)
        assert name == "layouts/mine.yaml: mask[0]"
        assert failures(done)[name] == drawn("layouts/mine.yaml")

    def test_other_findings_fail_the_check(self, project):
        """What is found of the layout itself, warnings too, fails `check`, which shows all of it."""
        write(project, mine=re.sub(r"    examples:\n(?:      .*\n)+", "", CLEAN))
        done = project.runpytest(OPTION)
        shown = failures(done)
        assert list(shown) == ["layouts/mine.yaml: check"]
        assert shown["layouts/mine.yaml: check"].count("warning[missing-example]") == 2
        assert shown["layouts/mine.yaml: check"] == command_line(project, "layouts/mine.yaml")

    def test_a_layout_that_cannot_be_loaded(self, project):
        """A file with faults fails `check`, its only test, with all of them."""
        write(project, mine=UNLOADABLE)
        done = project.runpytest(OPTION, "-m", "zarrange")
        shown = failures(done)
        assert done.parseoutcomes() == {"failed": 1, "deselected": 1}
        assert list(shown) == ["layouts/mine.yaml: check"]
        assert re.findall(r"error\[(.*)\]", shown["layouts/mine.yaml: check"]) == ["unknown-field", "unknown-filter"]
        assert shown["layouts/mine.yaml: check"] == command_line(project, "layouts/mine.yaml")

    @pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"services: {web: {image: x}}\n", b"- [", b"zarrange: 2\n"])
    def test_yaml_that_is_no_layout_fails(self, project, content):
        """A named file that is no layout fails, and says why."""
        (project.path / "layouts/mine.yaml").write_bytes(content)
        assert failures(project.runpytest(OPTION)) == {"layouts/mine.yaml: check": drawn("layouts/mine.yaml")}

    def test_a_rule_that_is_off_fails_nothing(self, project):
        """A layout's own `rules` hold here too."""
        write(project, mine=f"{WRONG_EXAMPLE}\nrules: {{failing-example: off}}\n")
        assert outcomes(project, OPTION, "-m", "zarrange") == (IDS, [])

    def test_a_layout_that_extends_another(self, project):
        """Only its own examples are tested; what is wrong with the other file is shown where it stands."""
        write(project, child="zarrange: 1\nname: child\nextends: mine.yaml\n")
        assert collected(project, "--zarrange=layouts/child.yaml", "-m", "zarrange") == ["layouts/child.yaml::check"]
        write(project, mine=UNLOADABLE)
        done = project.runpytest("--zarrange=layouts/child.yaml")
        assert "--> layouts/mine.yaml:" in failures(done)["layouts/child.yaml: check"]

    def test_all_failures_are_what_the_command_prints(self, project):
        """The tests of a file show together exactly the findings of `zarrange check`, each once."""
        text = CLEAN.replace("path: a.zarr}", "path: b.zarr}").replace("a.zarr/masks/", "c.zarr/masks/")
        write(project, mine=text.replace("    doc: What the model drew.\n", "") + "files:\n  note: {path: note.txt}\n")
        shown = failures(project.runpytest(OPTION))
        printed = command_line(project, "layouts/mine.yaml")
        assert list(shown) == [f"layouts/mine.yaml: {name}" for name in ("check", "box[0]", "mask[0]", "mask[1]")]
        assert sorted("\n\n".join(shown.values()).split("\n\n")) == sorted(printed.split("\n\n"))

    def test_the_shipped_layouts(self, project, repository):
        """The shipped layouts, tested here, fail exactly with what `zarrange check` finds of them."""
        folder = repository / "layouts"
        done = project.runpytest(f"--zarrange={folder}", "-m", "zarrange")
        assert done.parseoutcomes()["passed"] >= 30
        printed = command_line(project, *sorted(str(file) for file in folder.glob("*.yaml")))
        headlines = re.compile(r"^(?:error|warning)\[.*", re.MULTILINE)
        assert sorted(headlines.findall("\n".join(failures(done).values()))) == sorted(headlines.findall(printed))

    def test_conftest_files_hold(self, project):
        """A layout's tests have the hooks of the conftest files above them and beside them, and of no others."""
        for folder in ("", "layouts", "tests"):
            code = f"def pytest_itemcollected(item):\n    print('{folder or 'top'} has', item.name)\n"
            (project.path / folder / "conftest.py").write_text(code)
        done = project.runpytest("--zarrange=layouts", "-k", "check or test_one", "--collect-only", "-s")
        assert {line for line in done.outlines if " has " in line and "[" not in line} == {
            "top has check",
            "layouts has check",
            "top has test_one",
            "tests has test_one",
        }

    def test_fixtures_stay_where_they_are(self, project):
        """Layouts beside tests do not take the fixtures of their folder, in whatever order they run."""
        write(project, mine=WRONG_EXAMPLE)
        folder = project.path / "layouts"
        (folder / "conftest.py").write_text("import pytest\n\n@pytest.fixture\ndef one(): return 1\n")
        (folder / "test_two.py").write_text("def test_two(one): assert one == 2\n")
        failing = ["layouts/test_two.py::test_two", IDS[3]]
        assert outcomes(project, OPTION, "tests", "layouts")[1] == failing
        done = project.runpytest(OPTION, "tests", "layouts", "--lf")
        assert done.parseoutcomes() == {"failed": 2}
        assert "E   assert 1 == 2" in done.outlines

    def test_another_error_has_its_traceback(self, project):
        """An error that is no finding is shown as pytest shows errors."""
        code = "def pytest_runtest_call(item):\n    if item.name == 'check':\n        raise OSError('disk full')\n"
        project.makeconftest(code)
        done = project.runpytest(OPTION)
        assert done.parseoutcomes() == {"passed": 4, "failed": 1}
        assert [line.split(maxsplit=1)[1] for line in done.outlines if line.startswith("E ")] == ["OSError: disk full"]


class TestPytestItself:
    def test_keywords_choose(self, project):
        """`-k` takes the names of examples and of files."""
        write(project, other=CLEAN)
        assert collected(project, OPTION, "-k", "mask") == [
            *IDS[2:],
            *(one.replace("mine", "other") for one in IDS[2:]),
        ]
        assert collected(project, OPTION, "-k", "mine and not check") == IDS[1:]

    def test_the_marker_chooses(self, project):
        """Every test of a layout has the marker `zarrange`, which is registered."""
        assert collected(project, OPTION, "--strict-markers", "-m", "zarrange") == IDS
        assert collected(project, OPTION, "-m", "not zarrange") == ["tests/test_it.py::test_one"]
        assert project.runpytest("--markers").outlines[0].startswith("@pytest.mark.zarrange: ")

    def test_deselecting(self, project):
        """`--deselect` takes an id."""
        assert collected(project, OPTION, "--deselect", IDS[2], "-m", "zarrange") == [IDS[0], IDS[1], IDS[3]]

    def test_the_last_failures(self, project):
        """`--lf` runs what failed, and `--sw` goes on where it stopped."""
        write(project, mine=WRONG_EXAMPLE, other=UNLOADABLE)
        failing = [IDS[3], "layouts/other.yaml::check"]
        assert outcomes(project, OPTION)[1] == failing
        assert outcomes(project, OPTION, "--lf") == ([], failing)
        assert outcomes(project, OPTION, "--sw")[1] == [IDS[3]]
        assert outcomes(project, OPTION, "--sw") == ([], [IDS[3]])

    @pytest.mark.parametrize("option", ["--numprocesses=2", "--import-mode=importlib", "--cache-clear"])
    def test_other_ways_to_run(self, project, monkeypatch, option):
        """Worker processes, another way of importing and an empty cache change no outcome."""
        monkeypatch.setenv("PYTEST_PLUGINS", "zarrange.pytest_plugin,xdist.plugin")
        project.makeini("[pytest]\ntestpaths = tests\nzarrange_layouts = layouts\n")
        write(project, mine=WRONG_EXAMPLE)
        done = project.runpytest_subprocess(option)
        assert done.parseoutcomes() == {"passed": 4, "failed": 1}
        assert list(failures(done)) == ["layouts/mine.yaml: mask[1]"]

    def test_each_test_says_where_it_stands(self, project):
        """A test's file and line are those of the example; `check` stands at the top."""
        example = "      - {values: {run: a}, path: a.zarr}"
        write(project, mine=CLEAN.replace(example, "      - path: a.zarr\n        values: {run: a}"))
        project.runpytest(OPTION, "-m", "zarrange", "--junitxml=report.xml", "-o", "junit_family=xunit1")
        cases = ElementTree.parse(project.path / "report.xml").iter("testcase")
        assert [(case.get("name"), case.get("file"), case.get("line")) for case in cases] == [
            ("check", "layouts/mine.yaml", "0"),
            ("box[0]", "layouts/mine.yaml", "13"),
            ("mask[0]", "layouts/mine.yaml", "22"),
            ("mask[1]", "layouts/mine.yaml", "23"),
        ]

    @pytest.mark.parametrize(
        ("options", "imported"),
        [([], {"zarrange", "zarrange.pytest_plugin"}), (["--zarrange=layouts"], {"zarrange.language.layout"})],
    )
    def test_a_run_without_layouts_imports_nothing(self, project, monkeypatch, options, imported):
        """The plugin comes with the package; until it is asked for layouts, it imports nothing but itself."""
        code = (
            "import pytest, sys\n"
            f"pytest.main(['-q', 'tests', *{options!r}])\n"
            "print('loaded', *(name for name in sys.modules if name.partition('.')[0] == 'zarrange'))\n"
        )
        monkeypatch.delenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD")
        monkeypatch.delenv("PYTEST_PLUGINS")
        done = project.run(sys.executable, "-c", code)
        loaded = set(done.outlines[-1].split()[1:])
        assert imported <= loaded
        assert options or loaded == imported

    def test_the_help_says_how(self, project):
        """`pytest --help` has the option and the key."""
        shown = project.runpytest("--help").stdout.str()
        assert "--zarrange=PATH" in shown
        assert "zarrange_layouts (args):" in shown
