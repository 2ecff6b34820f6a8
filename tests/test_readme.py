"""The README: every block of it is run, and what it shows is what comes out."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from zarrange import Layout, LayoutError

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)
LAYOUTS = [text for language, text in BLOCKS if language == "yaml"]


@pytest.fixture
def folder(tmp_path):
    """A folder with the README's layouts in it."""
    (tmp_path / "cells.yaml").write_text(LAYOUTS[0])
    (tmp_path / "broken.yaml").write_text(LAYOUTS[1])
    return tmp_path


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
def test_commands_print_what_is_shown(folder, command, shown):
    """A command prints the lines below it."""
    assert run(["bash", "-c", command], folder).stdout == shown


def test_the_layouts_are_what_they_are_said_to_be():
    """The first layout has no findings; the second has the two that are shown."""
    assert Layout.parse(LAYOUTS[0]).check() == ()
    with pytest.raises(LayoutError) as caught:
        Layout.parse(LAYOUTS[1])
    assert [one.rule for one in caught.value.diagnostics] == ["unknown-field", "unknown-filter"]
    assert len(LAYOUTS) == 2


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
    assert {language for language, _ in BLOCKS} <= {"python", "text", "console", "yaml", "sh"}
