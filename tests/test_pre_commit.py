"""The pre-commit hook: pre-commit itself, in a repository of a user's."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SHIPPED = ("pyproject.toml", "README.md", "LICENSE", ".pre-commit-hooks.yaml", "src", "layouts")
"""What of this repository makes the package."""
CLEAN = """\
zarrange: 1
name: notes
doc: Notes of runs.
fields:
  run: {type: str, max_length: 40, doc: Name of the run.}
files:
  note:
    path: "{{ run }}/note.txt"
    doc: What was observed.
    examples:
      - {values: {run: a}, path: a/note.txt}
"""
CONFIGURATION = """\
repos:
  - repo: %s
    rev: v1
    hooks:
      - id: zarrange-check
"""


class Repository:
    """A git repository, and commands that run in it with nobody's settings but its own."""

    def __init__(self, path: Path, home: Path):
        self.path = path
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("GIT_", "PRE_COMMIT"))}
        path_of_programs = f"{Path(sys.executable).parent}{os.pathsep}{inherited['PATH']}"
        # Whatever tells pip where packages are is inherited: the hook's environment is made with it.
        own = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull, "PRE_COMMIT_HOME": str(home)}
        self._environment = {**inherited, **own, "PATH": path_of_programs, "NO_COLOR": "1"}

    def run(self, *command):
        return subprocess.run(
            command, cwd=self.path, env=self._environment, capture_output=True, text=True, check=False
        )

    def commit(self, **files):
        """Write files, commit everything, and tag it `v1`."""
        for name, text in files.items():
            (self.path / name).parent.mkdir(parents=True, exist_ok=True)
            (self.path / name).write_text(text)
        if not (self.path / ".git").exists():
            self.git("init", "--quiet")
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message=everything")
        self.git("tag", "--force", "v1")

    def git(self, *arguments):
        done = self.run("git", "-c", "user.name=A", "-c", "user.email=a@example.org", *arguments)
        assert done.returncode == 0, done.stderr

    def hooks(self, *arguments):
        """Run pre-commit, and give its exit status and what it printed."""
        done = self.run("pre-commit", "run", "--color=never", *(arguments or ["--all-files"]))
        return done.returncode, done.stdout


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Where pre-commit keeps the hook's environment, which is made once and removed in the end."""
    folder = tmp_path_factory.mktemp("pre-commit")
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def package(tmp_path_factory, repository, home):
    """A repository that has what this one has, whatever of it is committed here."""
    made = Repository(tmp_path_factory.mktemp("package"), home)
    for name in SHIPPED:
        source = repository / name
        if source.is_dir():
            shutil.copytree(source, made.path / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, made.path / name)
    made.commit()
    return made


@pytest.fixture
def project(tmp_path, package, home):
    """A user's repository, with a clean layout and YAML that is no layout."""
    made = Repository(tmp_path, home)
    made.commit(
        **{
            ".pre-commit-config.yaml": CONFIGURATION % package.path,
            "layouts/notes.yaml": CLEAN,
            "compose.yaml": "services: {}\n",
        }
    )
    return made


def test_the_manifest_is_valid(package):
    """pre-commit finds nothing wrong with the manifest."""
    done = package.run("pre-commit", "validate-manifest", ".pre-commit-hooks.yaml")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


class TestTheHook:
    def test_a_clean_layout_passes(self, project):
        """A repository whose layouts have no findings passes."""
        status, shown = project.hooks()
        assert (status, shown.splitlines()[-1]) == (0, f"zarrange check{'.' * 59}Passed")

    def test_findings_fail_and_are_shown(self, project):
        """A layout with a finding fails, and the finding is drawn; layouts are found in any folder of that name."""
        broken = CLEAN.replace("{{ run }}", "{{ rum }}")
        project.commit(**{"layouts/other.yml": CLEAN, "deep/layouts/er/broken.yaml": broken})
        status, shown = project.hooks()
        assert status == 1
        assert shown.partition("- exit code: 1\n")[2] == (
            "\n"
            "error[unknown-field]: `rum` is not a declared field\n"
            " --> deep/layouts/er/broken.yaml:8:15\n"
            "  |\n"
            '8 |     path: "{{ rum }}/note.txt"\n'
            "  |               ^^^\n"
            "help: a similar field exists: `run`\n"
            "\n"
            "3 files checked, 1 finding\n"
            "\n"
        )

    def test_other_files_are_not_checked(self, project):
        """A commit that touches no layout does not run the hook."""
        (project.path / "compose.yaml").write_text("services: {web: {}}\n")
        project.git("add", "compose.yaml")
        status, shown = project.hooks("zarrange-check")
        assert (status, shown.rstrip().endswith("(no files to check)Skipped")) == (0, True)

    def test_files_says_where_layouts_are(self, project):
        """A repository says with `files` where its layouts are."""
        configuration = (project.path / ".pre-commit-config.yaml").read_text()
        project.commit(
            **{
                ".pre-commit-config.yaml": configuration + "        files: ^paths\\.yaml$\n",
                "layouts/notes.yaml": "services: {}\n",
                "paths.yaml": CLEAN.replace("a/note.txt", "b/note.txt"),
            }
        )
        status, shown = project.hooks()
        assert status == 1
        assert "error[failing-example]" in shown
        assert "1 file checked, 1 finding" in shown
