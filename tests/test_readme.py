"""The README: every block of it is run, and what it shows is what comes out."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from zarrange import Layout, LayoutError

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)
LAYOUTS = [text for language, text in BLOCKS if language == "yaml"]


@pytest.fixture
def folder(tmp_path):
    """A folder with the README's layouts in it."""
    (tmp_path / "cells.yaml").write_text(LAYOUTS[0])
    (tmp_path / "broken.yaml").write_text(LAYOUTS[1])
    (tmp_path / "mine.yaml").write_text(LAYOUTS[2])
    return tmp_path


@pytest.fixture(scope="session")
def stores(tmp_path_factory):
    """The folder with the stores that the README's programs make."""
    folder = tmp_path_factory.mktemp("stores")
    for code, _ in PROGRAMS:
        if "Store.init(" in code or "dacapo-runs" in code:
            assert run([sys.executable, "-c", code], folder).returncode == 0
    return folder


def run(command, folder):
    """Run a command as a reader would, with the environment's programs first on the path."""
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


PROGRAMS = [
    (code, BLOCKS[at + 1][1] if BLOCKS[at + 1][0] == "text" else "")
    for at, (language, code) in enumerate(BLOCKS)
    if language == "python"
]


@pytest.mark.parametrize(("code", "shown"), PROGRAMS, ids=range(len(PROGRAMS)))
def test_programs_print_what_is_shown(folder, code, shown):
    """A Python block prints the text block behind it; an error that ends it is its last line."""
    done = run([sys.executable, "-c", code], folder)
    error = done.stderr.strip().splitlines()[-1:] if done.returncode else []
    printed = done.stdout + "".join(re.sub(r"^zarrange\.errors\.", "", line) + "\n" for line in error)
    assert printed == shown


CONSOLES = [
    (command, shown)
    for language, text in BLOCKS
    if language == "console"
    for command, shown in re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", text, re.MULTILINE)
]


@pytest.mark.parametrize(("command", "shown"), CONSOLES, ids=[command for command, _ in CONSOLES])
def test_commands_print_what_is_shown(folder, stores, command, shown):
    """A command prints the lines below it."""
    for store in stores.iterdir():
        if f" {store.name}" in command:
            shutil.copytree(store, folder / store.name)
    assert run(["bash", "-c", command], folder).stdout == shown


def test_the_layouts_are_what_they_are_said_to_be():
    """The first layout has no findings, the second and the third have those that are shown, the last lacks examples."""
    assert Layout.parse(LAYOUTS[0]).check() == ()
    with pytest.raises(LayoutError) as caught:
        Layout.parse(LAYOUTS[1])
    assert [one.rule for one in caught.value.diagnostics] == ["unknown-field", "unknown-filter"]
    assert [one.rule for one in Layout.parse(LAYOUTS[2]).check()] == ["nested-kinds"]
    assert {one.rule for one in Layout.parse(LAYOUTS[3]).check()} == {"missing-example"}
    assert len(LAYOUTS) == 4


def test_there_is_code_by_line_25():
    """The first block of code begins within the first 25 lines."""
    assert README[: README.index("```")].count("\n") < 25


def test_ci_runs_the_commands(repository):
    """The blocks for a shell are the two commands that CI takes from here and runs."""
    commands = [text for language, text in BLOCKS if language == "sh"]
    script = (repository / ".ci/run").read_text()
    assert len(commands) == 2
    assert [word for word in ("train_and_validate.py", "pytest") for text in commands if word in text] == [
        "train_and_validate.py",
        "pytest",
    ]
    assert all(f"readme {word}" in script for word in ("train_and_validate.py", "pytest"))


def test_every_shipped_layout_is_named(repository):
    """The table of layouts has each of them, and no other."""
    named = re.findall(
        r"^\| `([\w-]+)` \|", README[README.index("### Shipped layouts") : README.index("## Ident")], re.MULTILINE
    )
    assert sorted(named) == sorted(file.stem for file in (repository / "layouts").glob("*.yaml"))


def test_no_other_kind_of_block():
    """Every block is of a kind that a test here knows."""
    assert {language for language, _ in BLOCKS} <= {"python", "text", "console", "yaml", "yml", "toml", "sh"}


@pytest.fixture
def repository_of_a_user(folder):
    """A folder in which the README's first layout is the only one."""
    (folder / "layouts").mkdir()
    (folder / "cells.yaml").rename(folder / "layouts" / "cells.yaml")
    for other in ("broken.yaml", "mine.yaml"):
        (folder / other).unlink()
    return folder


def test_the_settings_make_layouts_tests(repository_of_a_user):
    """With the README's settings, pytest collects the layouts, and fails for one that has a finding."""
    (settings,) = [text for language, text in BLOCKS if language == "toml"]
    (repository_of_a_user / "pyproject.toml").write_text(settings)
    done = run(["pytest", "--quiet", "-rA"], repository_of_a_user)
    examples = [example for kind in Layout.parse(LAYOUTS[0]).kinds.values() for example in kind.examples]
    assert (done.returncode, done.stdout.count("PASSED layouts/cells.yaml::")) == (0, 1 + len(examples))
    (repository_of_a_user / "layouts/broken.yml").write_text(LAYOUTS[1])
    done = run(["pytest", "--quiet"], repository_of_a_user)
    assert done.returncode == 1
    assert "FAILED layouts/broken.yml::check" in done.stdout


SNIPPETS = [yaml.safe_load(text) or {} for language, text in BLOCKS if language == "yml"]


def test_the_hook_is_one_that_there_is(repository):
    """The README's configuration of pre-commit names the hook of the manifest, with the files that are its default."""
    (configuration,) = [snippet for snippet in SNIPPETS if "repos" in snippet]
    (hook,) = yaml.safe_load((repository / ".pre-commit-hooks.yaml").read_text())
    ((asked,),) = [one["hooks"] for one in configuration["repos"]]
    assert asked["id"] == hook["id"]
    names = ["layouts/a.yaml", "layouts/b/c.yml", "layouts/a.json", "layout/a.yaml"]
    for files in (asked["files"], hook["files"]):
        assert [name for name in names if re.search(files, name)] == names[:2]


def steps_of(command):
    """The steps of the one workflow that has a command."""
    found = [job["steps"] for snippet in SNIPPETS for job in snippet.get("jobs", {}).values()]
    (steps,) = [steps for steps in found if any(command in step.get("run", "") for step in steps)]
    return steps


@pytest.mark.parametrize("command", ["--format github", "--format sarif"])
def test_the_workflows_are_whole(command):
    """A workflow checks the code out, has a Python that the package runs on, and installs the package."""
    checkout, python, install, *_ = steps_of(command)
    assert checkout["uses"].startswith("actions/checkout@")
    assert python["uses"].startswith("actions/setup-python@")
    assert python["with"]["python-version"] == "3.12"
    assert install["run"].startswith('pip install "zarrange @ git+')


def test_the_workflow_annotates(repository_of_a_user):
    """The workflow's command is quiet about clean layouts, and annotates what it finds in others."""
    *_, step = steps_of("--format github")
    done = run(["bash", "-e", "-c", step["run"]], repository_of_a_user)
    assert (done.returncode, done.stdout) == (0, "")
    (repository_of_a_user / "layouts/broken.yaml").write_text(LAYOUTS[1])
    done = run(["bash", "-e", "-c", step["run"]], repository_of_a_user)
    assert done.returncode == 1
    assert [line.partition(",")[0] for line in done.stdout.splitlines()] == ["::error file=layouts/broken.yaml"] * 2


def test_the_workflow_uploads(repository_of_a_user):
    """The workflow's command writes the file that its last step uploads, even when it finds something."""
    *_, step, upload = steps_of("--format sarif")
    (repository_of_a_user / "layouts/broken.yaml").write_text(LAYOUTS[1])
    assert run(["bash", "-e", "-c", step["run"]], repository_of_a_user).returncode == 1
    assert upload["if"] == "success() || failure()"
    (log,) = json.loads((repository_of_a_user / upload["with"]["sarif_file"]).read_text())["runs"]
    assert [result["ruleId"] for result in log["results"]] == ["unknown-field", "unknown-filter"]
