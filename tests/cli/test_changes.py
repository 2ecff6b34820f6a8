"""The commands that change a store: `remove`, `prune`, `migrate`, `undo`, and `doctor` where it mends."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
import uuid
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from tests.stores.conftest import take_snapshot

from zarrange import Key, Layout, Store
from zarrange.cli import main
from zarrange.stores.local.journal import Journal

GRIDS = """\
zarrange: 1
name: grids
fields: {run: {type: str}, iteration: {type: int, min: 0}, by: {type: str}}
containers:
  box: {path: "{{ run }}/box.zarr"}
arrays:
  grid: {container: box, path: "grids/{{ iteration | pad(4) }}"}
files:
  note: {path: "{{ run }}/notes/{{ iteration }}.txt"}
  mark: {path: "{{ run }}/marks/{{ by }}/{{ iteration }}"}
"""
FLAT = """\
zarrange: 1
name: flat
fields: {run: {type: str}, step: {type: int, min: 0, renamed_from: iteration}, by: {type: str}}
containers:
  box: {path: "{{ run }}.zarr"}
arrays:
  grid: {container: box, path: "{{ step }}"}
files:
  note: {path: "{{ run }}.notes/{{ step }}.txt"}
  mark: {path: "{{ run }}/marks/{{ by }}/{{ step }}"}
"""
MORE = GRIDS.replace("name: grids", "name: more").replace("files:\n", 'files:\n  log: {path: "{{ run }}/log.txt"}\n')
NARROW = FLAT.replace("name: flat", "name: narrow").replace("by: {type: str}", "by: {type: str, choices: [me]}")
CLASHING = """\
zarrange: 1
name: clashing
fields: {run: {type: str}, name: {type: str}}
files:
  draft: {path: "{{ run }}/{{ name }}.txt"}
  final: {path: "{{ name }}/{{ run }}.txt"}
"""
ALLOWED = f"{CLASHING}allow:\n  - {{rule: overlapping-kinds, kinds: [draft, final], because: They do.}}\n"
APART = CLASHING.replace("name: clashing", "name: apart").replace("{{ name }}/{{ run }}", "{{ name }}/final/{{ run }}")
ASIDE = APART.replace("name: apart", "name: aside").replace(
    "{{ run }}/{{ name }}.txt", "{{ run }}/drafts/{{ name }}.txt"
)
LAYOUTS = {
    "flat": FLAT,
    "more": MORE,
    "narrow": NARROW,
    "clashing": CLASHING,
    "allowed": ALLOWED,
    "apart": APART,
    "aside": ASIDE,
}
UNDO = "done; for 1d, `zarrange undo runs` puts it back"
DRY = "nothing was changed; --yes does it"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder with layouts and a store that describes itself, which is copied for each test."""
    folder = tmp_path_factory.mktemp("changes")
    for name, text in LAYOUTS.items():
        (folder / f"{name}.yaml").write_text(text)
    store = Store.init(folder / "runs", Layout.parse(GRIDS, file="grids.yaml"))
    for run, iteration in (("r1", 0), ("r1", 1000), ("r1", 2000), ("r2", 1000)):
        key = Key("grid", {"run": run, "iteration": iteration})
        options = {"attributes": {"dice": iteration / 1000, "zarrange": {"complete": True}}}
        store.create(key, data=np.ones((4, 4), "f4"), chunks=(2, 2), **options)
    for iteration in range(30):
        path = folder / f"runs/r1/notes/{iteration}.txt"
        path.parent.mkdir(exist_ok=True)
        path.write_text("text")
        os.utime(path, (0, 0))
    return folder


@pytest.fixture
def folder(made, tmp_path):
    """A copy of the folder."""
    return Path(shutil.copytree(made, tmp_path / "work", symlinks=True))


@pytest.fixture
def zarrange(folder, monkeypatch, capsys):
    """Run a command in the folder; return its exit status and what it prints."""
    monkeypatch.chdir(folder)
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)

    def run(*arguments):
        with pytest.raises(SystemExit) as left:
            main([str(one) for one in arguments])
        shown = capsys.readouterr()
        return SimpleNamespace(status=left.value.code, out=shown.out, err=shown.err)

    return run


@pytest.fixture
def dry(zarrange, folder):
    """Run a command that must not change anything, and see that it has not."""

    def run(*arguments):
        before = take_snapshot(folder)
        done = zarrange(*arguments)
        assert take_snapshot(folder) == before
        return done

    return run


def arrays(folder, root="runs"):
    """The paths of all arrays and files that a search finds."""
    return [entry.path for entry in Store(folder / root).find() if entry.node in {"array", "file"}]


def die_in(folder, phase, *arguments):
    """Run a command in a process that dies as soon as a phase is written down; `begun`: amid the first steps."""
    child = os.fork()
    if not child:
        try:
            mark = Journal.mark

            def killed(self, reached):
                if phase == "begun":
                    os._exit(9)
                mark(self, reached)
                if reached == phase:
                    os._exit(9)

            Journal.mark = killed
            os.chdir(folder)
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            main([*arguments])
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9


class TestRemove:
    """`remove` says what would go, and takes it away only with `--yes`."""

    def test_a_dry_run(self, dry):
        """The plan has a line for each artifact with its key and size, and a line with the sum; nothing is changed."""
        done = dry("remove", "runs", "note", "run=r1", "iteration=8..9")
        assert (done.status, done.err) == (0, "")
        assert done.out == (
            "remove in runs:\n"
            '  r1/notes/8.txt: note(run="r1", iteration=8)  4 B\n'
            '  r1/notes/9.txt: note(run="r1", iteration=9)  4 B\n'
            "2 files, 8 B to remove; it can be undone for 1d\n"
            f"{DRY}\n"
        )

    def test_it_is_done_and_undone(self, zarrange, folder):
        """With `--yes` it is gone, which can be undone as the last line says, once."""
        before = take_snapshot(folder)
        done = zarrange("remove", "runs", "grid", "run=r1", "iteration=1000", "--yes")
        assert (done.status, done.err) == (0, "")
        assert done.out == (
            "remove in runs:\n"
            '  r1/box.zarr/grids/1000: grid(run="r1", iteration=1000)\n'
            "1 array to remove; it can be undone for 1d\n"
            f"{UNDO}\n"
        )
        assert "r1/box.zarr/grids/1000" not in arrays(folder)
        done = zarrange("undo", "runs")
        assert (done.status, done.out) == (0, "undone: the removal of 'r1/box.zarr/grids/1000'\n")
        assert take_snapshot(folder) == before
        done = zarrange("undo", "runs")
        assert (done.status, done.out) == (1, "")
        assert done.err == f"zarrange: '{folder}/runs': there is nothing to undo\n"

    def test_for_good(self, zarrange, folder):
        """Without a grace time it is deleted, and the plan says so."""
        done = zarrange("remove", "runs", "grid", "run=r2", "--grace", "0s", "--yes")
        assert done.out.endswith("1 array to remove; it cannot be undone\ndone, for good\n")
        assert not (folder / "runs/r2/box.zarr/grids/1000").exists()
        assert not (folder / "runs/.zarrange/trash").exists()

    def test_many_steps(self, dry):
        """Of very many steps the first are printed, with how many more there are; with `--all`, all of them."""
        lines = dry("remove", "runs", "note", "run=r1", "--no-sizes").out.splitlines()
        assert (len(lines), lines[21], lines[22]) == (
            24,
            "  … and 10 more",
            "30 files to remove; it can be undone for 1d",
        )
        lines = dry("remove", "runs", "note", "run=r1", "--no-sizes", "--all").out.splitlines()
        assert (len(lines), lines[30]) == (33, '  r1/notes/9.txt: note(run="r1", iteration=9)')

    def test_a_container(self, dry, zarrange, folder):
        """A container that holds something is refused and says so; with `--recursive` it goes with what is in it."""
        done = dry("remove", "runs", "box", "run=r2")
        assert (done.status, done.out) == (1, "")
        assert done.err == (
            f"zarrange: '{folder}/runs/r2/box.zarr' is a container that holds 'r2/box.zarr/grids', "
            """grid(run="r2", iteration=1000) at 'r2/box.zarr/grids/1000'; """
            "to remove it with all that is in it, say --recursive\n"
        )
        done = dry("remove", "runs", "run=r2", "--recursive", "--no-sizes")
        assert done.out == (
            "remove in runs:\n"
            '  r2/box.zarr: box(run="r2")\n'
            "  r2/box.zarr/grids: group\n"
            '  r2/box.zarr/grids/1000: grid(run="r2", iteration=1000)\n'
            "1 container, 1 group, 1 array to remove; it can be undone for 1d\n"
            f"{DRY}\n"
        )
        before = arrays(folder)
        assert zarrange("remove", "runs", "run=r2", "--recursive", "--yes").out.endswith(f"{UNDO}\n")
        assert arrays(folder) == [path for path in before if not path.startswith("r2/")]
        assert zarrange("undo", "runs").status == 0
        assert arrays(folder) == before

    def test_several_containers(self, zarrange, folder):
        """Arrays, files and several containers go together, and come back together."""
        before = take_snapshot(folder)
        done = zarrange("remove", "runs", "run=r1", "run=r2", "--recursive", "--yes")
        assert "2 containers, 2 groups, 4 arrays, 30 files to remove" in done.out
        assert arrays(folder) == []
        assert zarrange("undo", "runs").status == 0
        assert take_snapshot(folder) == before

    def test_sizes(self, dry):
        """What goes is measured once: of a group its own metadata, of what is in it each thing."""
        done = json.loads(dry("remove", "runs", "run=r2", "--recursive", "--format", "json").out)
        assert done["size"] == sum(step["size"] for step in done["steps"])
        assert all(step["size"] > 0 for step in done["steps"])

    def test_nothing(self, dry):
        """Where nothing is found, nothing is to be done."""
        done = dry("remove", "runs", "run=r9", "--yes")
        assert (done.status, done.out, done.err) == (0, "nothing to remove\n", "")

    def test_json(self, dry, zarrange):
        """JSON has the whole plan, whether it was carried out, and by which id that can be undone."""
        done = dry("remove", "runs", "note", "run=r1", "iteration=8", "--format", "json")
        key = {"type": "key", "kind": "note", "values": {"run": "r1", "iteration": 8}}
        step = {"key": key, "path": "r1/notes/8.txt", "target": None, "target_key": None, "sort": "file", "size": 4}
        plan = {"operation": "remove", "root": "runs", "steps": [step], "left": [], "size": 4, "grace": 86400.0}
        assert json.loads(done.out) == {**plan, "applied": False, "transaction": None}
        done = json.loads(zarrange("remove", "runs", "note", "run=r1", "iteration=8", "--format=json", "--yes").out)
        assert (done["applied"], done["size"]) == (True, None)
        (kept,) = json.loads(zarrange("undo", "runs", "--list", "--format", "json").out)
        assert done["transaction"] == kept["id"]

    def test_what_may_be_something_else_stays(self, zarrange, folder):
        """An artifact that may be another one as well is left, and told with its readings."""
        (folder / "runs2/a").mkdir(parents=True)
        (folder / "runs2/a/b.txt").write_text("text")
        done = zarrange("remove", "runs2", "draft", "run=a", "--layout", "allowed.yaml", "--yes")
        assert done.status == 0
        assert done.out == (
            "left (1):\n"
            '  a/b.txt: ambiguous, 2 readings: draft(run="a", name="b"); final(name="a", run="b")\n'
            "nothing to remove\n"
        )
        assert (folder / "runs2/a/b.txt").exists()

    def test_what_cannot_be_read(self, zarrange, folder):
        """What could not be read is told and stays; the rest goes, and the status is 1."""
        os.symlink("nowhere", folder / "runs/r1/notes/31.txt")
        done = zarrange("remove", "runs", "note", "iteration=29..", "--yes")
        assert (done.status, done.err) == (1, "")
        assert "left (1):\n  r1/notes/31.txt: it is a symlink that leads nowhere\n" in done.out
        assert not (folder / "runs/r1/notes/29.txt").exists()

    def test_proof_before_harm(self, dry, folder):
        """With a layout that has a clash nothing is removed, and the clash is shown with what proves it."""
        (folder / "runs2/a").mkdir(parents=True)
        done = dry("remove", "runs2", "draft", "run=a", "--layout", "clashing.yaml")
        assert (done.status, done.out) == (1, "")
        first, *lines = done.err.splitlines()
        assert first == (
            "zarrange: the layout `clashing` has a clash that is neither disproved nor accepted under `allow`, so "
            "nothing is removed or moved by it:"
        )
        assert [line for line in lines if "`final` and `draft`" in line or "`draft` and `final`" in line]
        assert any(line.startswith("  ") for line in lines)

    @pytest.mark.parametrize(
        ("words", "message"),
        [
            (["note"], "every `note` would go; say which, by filters such as run=r1"),
            (["note", "grid"], "every `note` and every `grid` would go; say which, by filters such as run=r1"),
            (["run"], "`run` is a field of the layout, not a kind; a filter by it is run=VALUE"),
            (["gird", "run=r1"], "the layout `grids` has no kind 'gird'; a similar kind exists: `grid`"),
            (["note", "runn=r1"], "note: field `runn` is not in the layout; a similar field exists: `run`"),
            (["note", "=r1"], "'=r1' is not FIELD=VALUE, as in run=r1"),
            (["note", "iteration=x"], "note: field `iteration` does not take 'x'"),
        ],
    )
    def test_wrong_words(self, dry, words, message):
        """Words that name nothing, or everything, are refused with what would fit."""
        done = dry("remove", "runs", *words, "--yes")
        assert (done.status, done.out) == (2, "")
        assert done.err.startswith(f"zarrange: {message}")

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (["remove", "runs"], "the following arguments are required: KIND|FIELD=VALUE"),
            (["remove", "runs", "run=r1", "--grace", "3"], "argument --grace: '3' is no duration, which is a whole"),
            (["remove", "runs", "run=r1", "--gr", "3h"], "unrecognized arguments: --gr"),
            (["remove", "runs", "run=r1", "--workers", "0"], "argument --workers: '0' is no number of workers"),
            (["prune", "runs"], "the following arguments are required: KIND|FIELD=VALUE"),
            (["doctor", "runs", "--purge=old"], "argument --purge: ignored explicit argument 'old'"),
            (["undo", "runs", "a", "b"], "unrecognized arguments: b"),
        ],
    )
    def test_wrong_usage(self, dry, arguments, message):
        """What a command does not take is told with its usage, with status 2."""
        done = dry(*arguments)
        assert (done.status, done.out) == (2, "")
        assert done.err.startswith(f"usage: zarrange {arguments[0]} ")
        assert message in done.err

    @pytest.mark.parametrize("command", ["remove", "prune", "migrate", "undo"])
    def test_no_store(self, dry, command):
        """A root that does not exist is no empty store."""
        more = {"remove": ["run=r1"], "prune": ["grid", "--keep-last", 1], "migrate": ["--to", "flat.yaml"], "undo": []}
        done = dry(command, "nowhere", *more[command])
        assert (done.status, done.err) == (2, "zarrange: 'nowhere' is no folder, so there is no store\n")

    def test_options_anywhere(self, dry):
        """Words may stand behind options."""
        done = dry("remove", "--no-sizes", "runs", "note", "--grace", "2h", "run=r1", "--quiet", "iteration=8")
        assert "1 file to remove; it can be undone for 2h" in done.out

    def test_color(self, dry):
        """In color, the title is strong; no escape is in it without."""
        assert dry("remove", "runs", "run=r1", "iteration=8", "--color", "always").out.startswith(
            "\x1b[1mremove\x1b[0m"
        )
        assert "\x1b" not in dry("remove", "runs", "run=r1", "iteration=8").out

    @pytest.mark.parametrize("how", [["--workers", "2"], ["--dask", "local", "--workers", "1"]])
    def test_workers(self, folder, how):
        """Threads and Dask measure, and carry out, the same."""
        words = ["remove", "runs", "note", "run=r1", *how]
        for more in ([], ["--yes"]):
            done = subprocess.run(
                [sys.executable, "-m", "zarrange", *words, *more],
                cwd=folder,
                capture_output=True,
                text=True,
                check=False,
            )
            assert (done.returncode, done.stderr) == (0, "")
            assert f"30 files{'' if more else ', 120 B'} to remove" in done.stdout
        assert not (folder / "runs/r1/notes/1.txt").exists()

    def test_a_pipe_that_is_closed(self, folder):
        """Whoever has seen enough of a plan ends it quietly; nothing is changed then."""
        command = f"{sys.executable} -m zarrange remove runs note run=r1 --all | head -1"
        done = subprocess.run(["bash", "-c", command], cwd=folder, capture_output=True, text=True, check=False)
        assert (done.stdout, done.stderr) == ("remove in runs:\n", "")


class TestObjectStore:
    """A place in an object store is changed by the same commands."""

    def test_there_and_back(self, zarrange):
        """What is removed there is planned, done, listed, undone, pruned, migrated and purged."""
        root = f"memory://{uuid.uuid4().hex}/runs"
        store = Store.init(root, Layout.parse(APART, file="apart.yaml"))
        for name in "abc":
            store.create(Key("draft", {"run": "r", "name": name})).close()
        before = [entry.path for entry in store.find()]
        done = zarrange("remove", root, "draft", "name=a", "name=b")
        assert (done.status, done.err) == (0, "")
        assert done.out == (
            f"remove in {root}:\n"
            '  r/a.txt: draft(run="r", name="a")  0 B\n'
            '  r/b.txt: draft(run="r", name="b")  0 B\n'
            "2 files, 0 B to remove; it can be undone for 1d\n"
            f"{DRY}\n"
        )
        assert zarrange("remove", root, "draft", "name=a", "name=b", "--yes").status == 0
        assert [entry.path for entry in store.find()] == ["r/c.txt"]
        assert zarrange("undo", root, "--list").out.endswith("  the removal of 'r/a.txt' and 1 more\n")
        assert zarrange("undo", root).out == "undone: the removal of 'r/a.txt' and 1 more\n"
        assert [entry.path for entry in store.find()] == before
        assert zarrange("migrate", root, "--to", "aside.yaml", "--yes").out.splitlines()[-1] == "done"
        assert [entry.path for entry in Store(root).find()] == ["r/drafts/a.txt", "r/drafts/b.txt", "r/drafts/c.txt"]
        assert zarrange("remove", root, "run=r", "--yes").status == 0
        assert zarrange("doctor", root, "--purge=all").out == "purged: the removal of 'r/drafts/a.txt' and 2 more\n"


class TestUndo:
    """`undo` puts back what was removed, and lists what can be."""

    def test_list(self, zarrange):
        """Each removal has its id, until when it can be undone and what it was; the last one is undone first."""
        assert zarrange("undo", "runs", "--list").out == "nothing can be undone, and nothing was interrupted\n"
        for iteration in (1, 2):
            zarrange("remove", "runs", "note", f"iteration={iteration}", "--yes")
        zarrange("remove", "runs", "note", "iteration=3..5", "--yes")
        done = zarrange("undo", "runs", "--list")
        assert done.status == 0
        lines = [re.sub(r"^[0-9a-f]{16}  until \d{4}-\S+ \S+", "…", line) for line in done.out.splitlines()]
        assert lines == [
            "…  the removal of 'r1/notes/1.txt'",
            "…  the removal of 'r1/notes/2.txt'",
            "…  the removal of 'r1/notes/3.txt' and 2 more",
        ]
        first = done.out[:16]
        assert zarrange("undo", "runs", first).out == "undone: the removal of 'r1/notes/1.txt'\n"
        assert zarrange("undo", "runs").out == "undone: the removal of 'r1/notes/3.txt' and 2 more\n"

    def test_json(self, zarrange):
        """JSON has each transaction whole, and the one that was undone."""
        zarrange("remove", "runs", "note", "iteration=1", "--yes")
        (kept,) = json.loads(zarrange("undo", "runs", "--list", "--format", "json").out)
        assert list(kept) == ["id", "operation", "about", "state", "started", "keep_until", "owner"]
        assert (kept["operation"], kept["state"]) == ("remove", "kept")
        assert json.loads(zarrange("undo", "runs", "--format", "json").out) == kept

    def test_no_layout_is_needed(self, zarrange, folder):
        """A store that does not describe itself is put right without saying its layout."""
        (folder / "runs2/a").mkdir(parents=True)
        (folder / "runs2/a/b.txt").write_text("text")
        assert zarrange("remove", "runs2", "run=a", "--layout", "apart.yaml", "--yes").status == 0
        assert zarrange("undo", "runs2").out == "undone: the removal of 'a/b.txt'\n"

    def test_something_is_there_by_now(self, zarrange, dry, folder):
        """Nothing is put over what was written meanwhile."""
        zarrange("remove", "runs", "note", "iteration=1", "--yes")
        (folder / "runs/r1/notes/1.txt").write_text("new")
        done = dry("undo", "runs")
        assert (done.status, done.out) == (1, "")
        assert done.err == f"zarrange: '{folder}/runs/r1/notes/1.txt': something is there by now\n"

    def test_refusals(self, dry):
        """An id that there is not, and an id beside `--list`, are refused."""
        done = dry("undo", "runs", "0123")
        assert done.status == 1
        assert done.err.endswith(": there is no removal '0123' that could be undone\n")
        done = dry("undo", "runs", "0123", "--list")
        assert (done.status, done.err) == (2, "zarrange: give the ID of what to undo, or --list\n")


class TestPrune:
    """`prune` says what no rule keeps, and removes it only with `--yes`."""

    def test_a_dry_run(self, dry):
        """The plan has what goes, how many stay by which rule, and the sum; nothing is changed."""
        done = dry("prune", "runs", "grid", "--keep-last", "1", "--keep-best", "criterion=dice:min", "--no-sizes")
        assert (done.status, done.err) == (0, "")
        assert done.out == (
            "prune in runs:\n"
            '  r1/box.zarr/grids/1000: grid(run="r1", iteration=1000)\n'
            "kept: 3 (2 by keep-best, 2 by keep-last)\n"
            "1 array to remove; it can be undone for 1d\n"
            f"{DRY}\n"
        )

    def test_reasons(self, dry):
        """With `--all`, each thing that stays is told with every reason."""
        done = dry("prune", "runs", "grid", "run=r1", "--keep-every", "2000", "--no-sizes", "--all")
        assert done.out == (
            "prune in runs:\n"
            '  r1/box.zarr/grids/1000: grid(run="r1", iteration=1000)\n'
            "kept (2):\n"
            "  r1/box.zarr/grids/0000: `iteration` is a multiple of 2000\n"
            "  r1/box.zarr/grids/2000: `iteration` is a multiple of 2000\n"
            "1 array to remove; it can be undone for 1d\n"
            f"{DRY}\n"
        )

    def test_it_is_done_and_undone(self, zarrange, folder):
        """With `--yes` it is gone, and can be undone."""
        before = take_snapshot(folder)
        assert zarrange("prune", "runs", "grid", "--keep-last", "2", "--yes").out.endswith(f"{UNDO}\n")
        assert [path for path in arrays(folder) if "0000" in path] == []
        assert zarrange("undo", "runs").out == "undone: the prune of `grid`\n"
        assert take_snapshot(folder) == before

    def test_scores(self, dry, folder):
        """Scores may come from a table."""
        (folder / "scores.csv").write_text("run,iteration,f1\nr1,0,0.1\nr1,1000,0.9\nr1,2000,0.5\nr2,1000,1\n")
        words = ["prune", "runs", "grid", "--keep-best", "criterion=f1:max", "--scores", "scores.csv", "--format=json"]
        plan = json.loads(dry(*words).out)
        assert [step["path"][-4:] for step in plan["steps"]] == ["0000", "2000"]
        assert [(one["reason"], one["rules"]) for one in plan["left"]] == [
            ("best by `f1`: 0.9", ["keep-best"]),
            ("best by `f1`: 1", ["keep-best"]),
        ]

    def test_a_field_of_any_name(self, dry):
        """A filter may be by a field that is called like an option."""
        done = dry("prune", "runs", "mark", "by=me", "--keep-last", "2")
        assert (done.status, done.out) == (0, "nothing to remove\n")

    @pytest.mark.parametrize(
        ("words", "status", "message"),
        [
            (["grid"], 2, "a policy needs a rule: --keep-last, --keep-every, --keep-best or --older-than"),
            (["grid", "--keep-last", "0"], 2, "--keep-last is a whole number of at least 1, not '0'"),
            (["grid", "--keep-every", "x"], 2, "--keep-every is a whole number of at least 1, not 'x'"),
            (["grid", "--keep-best", "dice"], 2, "'dice' does not say what is best; that is written criterion="),
            (["grid", "--older-than", "1y"], 2, "'1y' is no duration, which is a whole number and one of w, d, h,"),
            (["grid", "--keep-last", "1", "--min-age", "1"], 2, "'1' is no duration"),
            (["grid", "--keep-last", "1", "--by", "box"], 2, "grid: field `box` "),
            (["grid", "--keep-last", "1", "--scores", "no.csv"], 2, "'no.csv': no such file or directory"),
            (["grid", "note", "--keep-last", "1"], 2, "one kind is pruned at a time, not 2"),
            (["run=r1", "--keep-last", "1"], 2, "one kind is pruned at a time, not 0"),
            (["box", "--keep-last", "1"], 2, "`box` is a container; arrays and files are pruned, what holds them"),
            (["note", "--keep-last", "1"], 1, "29 of 30 artifacts would be removed, more than half; it has to be "),
        ],
    )
    def test_refusals(self, dry, words, status, message):
        """What is asked for wrongly has status 2, what would take too much 1; both say what would fit."""
        done = dry("prune", "runs", *words)
        assert (done.status, done.out) == (status, "")
        assert done.err.startswith(f"zarrange: {message}")

    def test_over_which_field(self, dry, folder):
        """Where the field cannot be guessed, the option that names it is told."""
        text = GRIDS.replace("grids/{{ iteration | pad(4) }}", "grids/{{ iteration | pad(4) }}_{{ day }}")
        (folder / "days.yaml").write_text(text.replace("by: {type: str}", "by: {type: str}, day: {type: date}"))
        (folder / "other").mkdir()
        (folder / "other/x").touch()
        done = dry("prune", "other", "grid", "--keep-last", "1", "--layout", "days.yaml", "--force")
        assert (done.status, done.err) == (
            2,
            "zarrange: over which field is `grid` to be pruned? say --by FIELD; it has `iteration`, `day`\n",
        )

    def test_it_can_be_forced(self, dry, folder):
        """More than half goes only if that is forced, and so does what is in a store that does not describe itself."""
        assert "29 files to remove" in dry("prune", "runs", "note", "--keep-last", "1", "--force", "--no-sizes").out
        (folder / "other").mkdir()
        (folder / "other/x").touch()
        words = ["prune", "other", "note", "--keep-last", "1", "--layout", "flat.yaml"]
        done = dry(*words)
        assert (done.status, done.err.count("does not say which layout it has")) == (1, 1)
        assert dry(*words, "--force").out == "nothing to remove\n"

    def test_an_incomplete_listing(self, dry, folder):
        """Where not everything could be read, nothing is pruned unless it is forced."""
        os.symlink("nowhere", folder / "runs/r1/notes/31.txt")
        done = dry("prune", "runs", "note", "--keep-last", "20")
        assert (done.status, done.out) == (1, "")
        assert done.err.startswith("zarrange: not everything could be read: 'r1/notes/31.txt': it is a symlink")
        assert "10 files to remove" in dry("prune", "runs", "note", "--keep-last", "20", "--force", "--no-sizes").out


class TestMigrate:
    """`migrate` says what would move, and moves it only with `--yes`."""

    def test_a_dry_run(self, dry):
        """Each step has its path, its target and its key, also where that changes; nothing is changed."""
        done = dry("migrate", "runs", "--to", "flat.yaml", "--no-sizes", "--all")
        assert (done.status, done.err) == (0, "")
        lines = done.out.splitlines()
        assert lines[:4] == [
            "migrate in runs:",
            '  r1/box.zarr -> r1.zarr: box(run="r1")',
            '  r1/box.zarr/grids/0000 -> r1.zarr/0: grid(run="r1", iteration=0) -> grid(run="r1", step=0)',
            '  r1/box.zarr/grids/1000 -> r1.zarr/1000: grid(run="r1", iteration=1000) -> grid(run="r1", step=1000)',
        ]
        assert lines[-2:] == ["2 containers, 4 arrays, 30 files to move; a migration back undoes it", DRY]

    def test_there_and_back(self, zarrange, folder):
        """With `--yes` all of it moves, and the store says its new layout; a migration back brings back every byte."""
        (folder / "grids.yaml").write_text(GRIDS.replace("step", "iteration"))
        before = {path: one for path, one in take_snapshot(folder / "runs").items() if ".zarrange" not in path}
        done = zarrange("migrate", "runs", "--to", "flat.yaml", "--yes")
        assert (done.status, done.err, done.out.splitlines()[-1]) == (0, "", "done")
        assert Store(folder / "runs").layout.name == "flat"
        assert (folder / "runs/r1.zarr/1000").is_dir()
        back = GRIDS.replace("iteration: {type: int, min: 0}", "iteration: {type: int, min: 0, renamed_from: step}")
        (folder / "grids.yaml").write_text(back)
        assert zarrange("migrate", "runs", "--to", "grids.yaml", "--yes").status == 0
        after = {path: one for path, one in take_snapshot(folder / "runs").items() if ".zarrange" not in path}
        assert after == before

    def test_the_layout_alone(self, dry, zarrange, folder):
        """Where no path changes, the new layout is recorded all the same; then there is nothing to do any more."""
        done = dry("migrate", "runs", "--to", "more.yaml")
        assert (done.status, done.out) == (0, f"nothing to move; the layout is to be recorded\n{DRY}\n")
        done = zarrange("migrate", "runs", "--to", "more.yaml", "--yes")
        assert (done.status, done.out) == (0, "nothing to move; the layout is to be recorded\ndone\n")
        assert Store(folder / "runs").layout.name == "more"
        assert zarrange("migrate", "runs", "--to", "more.yaml").out == "nothing to move\n"

    def test_into_another_root(self, dry, zarrange, folder):
        """With `--into` everything is copied, by another layout or the same; the store itself stays as it is."""
        before = take_snapshot(folder / "runs")
        done = dry("migrate", "runs", "--to", "flat.yaml", "--into", "there", "--no-sizes")
        assert (done.status, done.err) == (0, "")
        assert done.out.splitlines()[-1] == DRY
        done = zarrange("migrate", "runs", "--to", "flat.yaml", "--into", "there", "--yes")
        assert (done.status, done.err, done.out.splitlines()[-1]) == (0, "", "done")
        assert take_snapshot(folder / "runs") == before
        assert Store(folder / "there").layout.name == "flat"
        assert len(arrays(folder, "there")) == len(arrays(folder))
        assert zarrange("migrate", "runs", "--into", "same", "--yes").status == 0
        assert arrays(folder, "same") == arrays(folder)

    def test_a_copy_that_was_interrupted_goes_on(self, zarrange, folder):
        """What is there already and the same is left out; what is there and differs is in the way."""
        assert zarrange("migrate", "runs", "--into", "same", "--yes").status == 0
        shutil.rmtree(folder / "same/r2")
        assert zarrange("migrate", "runs", "--into", "same", "--yes").status == 0
        assert arrays(folder, "same") == arrays(folder)
        (folder / "same/r1/notes/0.txt").write_text("other")
        done = zarrange("migrate", "runs", "--into", "same", "--yes")
        assert (done.status, "where something else is already" in done.err) == (1, True)
        assert (folder / "same/r1/notes/0.txt").read_text() == "other"

    @pytest.mark.parametrize(
        ("words", "status", "message"),
        [
            ([], 2, "say which layout the store is to have, by --to LAYOUT; or where to copy it, by --into ROOT2"),
            (["--into", "runs/inside"], 1, "lie in each other; a copy goes to another place"),
            (["--into", "flat.yaml"], 2, "is a file, not a folder"),
        ],
    )
    def test_where_to(self, dry, words, status, message):
        """A migration goes to a layout or to another root, which is a place of its own."""
        done = dry("migrate", "runs", *words)
        assert (done.status, message in done.err) == (status, True)

    @pytest.fixture
    def unclear(self, folder):
        """A store in which a file may be of two kinds."""
        for path in ("runs2/a/b.txt", "runs2/c/d.txt"):
            (folder / path).parent.mkdir(parents=True)
            (folder / path).write_text("text")
        (folder / "runs2/strange").write_text("?")
        return ["migrate", "runs2", "--layout", "allowed.yaml", "--to", "apart.yaml", "--no-sizes"]

    def test_what_stays(self, dry, unclear):
        """What may be several artifacts stays, with its readings, and so does what no kind has."""
        done = dry(*unclear)
        assert done.status == 0
        assert done.out == (
            "left (3):\n"
            '  a/b.txt: ambiguous, 2 readings: draft(run="a", name="b"); final(name="a", run="b")\n'
            '  c/d.txt: ambiguous, 2 readings: draft(run="c", name="d"); final(name="c", run="d")\n'
            "  strange: no kind of `clashing` has this path\n"
            "nothing to move; the layout is to be recorded\n"
            "what is ambiguous stays where it is, unless --prefer or --choose say what it is\n"
            f"{DRY}\n"
        )
        (left, *_) = json.loads(dry(*unclear, "--format", "json").out)["left"]
        assert [one["kind"] for one in left["readings"]] == ["draft", "final"]

    @pytest.mark.parametrize(
        ("words", "moved"),
        [
            (["--prefer", "final"], ["a/b.txt -> a/final/b.txt", "c/d.txt -> c/final/d.txt"]),
            (["--prefer", "draft"], []),
            (["--choose", "a/b.txt=final"], ["a/b.txt -> a/final/b.txt"]),
            (["--choose", 'a/b.txt=final(name="a", run="b")'], ["a/b.txt -> a/final/b.txt"]),
            (["--prefer", "final", "--choose", "a/b.txt=draft"], ["c/d.txt -> c/final/d.txt"]),
        ],
    )
    def test_what_it_is(self, dry, unclear, words, moved):
        """A kind that is preferred, and what is said of one path, make it known what something is."""
        lines = dry(*unclear, *words).out.splitlines()
        assert [line.partition(":")[0].strip() for line in lines if " -> " in line] == moved

    @pytest.mark.parametrize(
        ("words", "message"),
        [
            (["--choose", "a/b.txt"], "'a/b.txt' is neither PATH=KIND nor PATH=KEY with a key that the path may have"),
            (["--choose", "a/b.txt=finl"], "the layout `clashing` has no kind 'finl'; a similar kind exists: `final`"),
            (["--choose", 'a/b.txt=final(run="x")'], """'a/b.txt=final(run="x")' is neither PATH=KIND nor PATH=KEY"""),
            (["--choose", "strange=final"], "'strange' is no `final`; the layout has no such path"),
            (["--prefer", "finl"], "the layout `clashing` has no kind 'finl'; a similar kind exists: `final`"),
            (["--set", "x=1"], "fixed value: field `x` is in neither layout"),
            (["--set", "run=1"], "fixed value: field `run` is neither dropped nor new in any kind, so it stays what"),
            (["--set", "run"], "'run' is not FIELD=VALUE, as in run=r1"),
        ],
    )
    def test_wrong_usage(self, dry, unclear, words, message):
        """Kinds, paths and fields that there are not are refused with what would fit."""
        done = dry(*unclear, *words)
        assert (done.status, done.out) == (2, "")
        assert done.err.startswith(f"zarrange: {message}")

    def test_a_choice_that_nothing_asks_for(self, dry, unclear):
        """A path that is nothing, or only one thing, is not chosen: it may be misspelled."""
        done = dry(*unclear, "--choose", "a/x.txt=final")
        assert (done.status, done.out) == (1, "")
        assert done.err == "zarrange: nothing is at 'a/x.txt' that could be several artifacts\n"

    def test_collisions(self, dry, folder):
        """Targets where something is are refused before anything is changed."""
        (folder / "runs/r1.zarr").mkdir()
        (folder / "runs/r1.zarr/1000").write_text("?")
        done = dry("migrate", "runs", "--to", "flat.yaml", "--yes")
        assert (done.status, done.out) == (1, "")
        assert done.err.startswith("zarrange: cannot migrate: 'r1/box.zarr/grids/1000' would come to 'r1.zarr/1000'")
        assert done.err.endswith("; nothing was changed\n")

    def test_what_has_no_key(self, dry, folder):
        """An artifact that does not fit the new layout is refused, with where to see all that is in the way."""
        (folder / "runs/r1/marks/you").mkdir(parents=True)
        (folder / "runs/r1/marks/you/1").touch()
        done = dry("migrate", "runs", "--to", "narrow.yaml")
        assert (done.status, done.out) == (1, "")
        assert done.err.startswith("zarrange: cannot migrate: mark: field `by` does not take 'you'")
        assert done.err.endswith("`zarrange diff` tells all that is in the way\n")

    def test_a_layout_that_is_not_there(self, dry):
        """A layout that is misspelled is drawn as `check` draws it."""
        done = dry("migrate", "runs", "--to", "flt.yaml")
        assert (done.status, done.out) == (2, "")
        assert done.err.startswith("error[unreadable-layout]: ")

    def test_what_can_still_be_undone(self, zarrange, dry):
        """A migration waits until what was removed is put back or purged, and says how."""
        zarrange("remove", "runs", "note", "iteration=1", "--yes")
        for more in ([], ["--yes"]):
            done = dry("migrate", "runs", "--to", "flat.yaml", *more)
            assert (done.status, done.out) == (1, "")
            assert done.err.startswith("zarrange: the removal of 'r1/notes/1.txt' is done, and can be undone until ")
        assert zarrange("doctor", "runs", "--purge=all").out == "purged: the removal of 'r1/notes/1.txt'\n"
        assert zarrange("migrate", "runs", "--to", "flat.yaml", "--yes").status == 0


class TestMending:
    """`doctor` ends what was interrupted and purges what was removed, where it is asked to; else it tells of them."""

    @pytest.mark.parametrize(("phase", "outcome"), [("begun", "taken back"), ("purging", "carried out")])
    def test_a_removal(self, zarrange, dry, folder, phase, outcome):
        """A removal whose process has died is a finding; `--recover` takes it back, or carries it out."""
        die_in(folder, phase, "remove", "runs", "grid", "run=r2", "--grace", "0s", "--yes")
        done = dry("doctor", "runs")
        assert done.status == 1
        lines = done.out.splitlines()
        about = "the removal of 'r2/box.zarr/grids/1000' was interrupted: process"
        assert lines[0].startswith(f"error[interrupted-transaction]: {about} ")
        assert re.fullmatch(r" --> runs/.zarrange/tx/[0-9a-f]{16}\.journal", lines[1])
        assert lines[2].startswith("help: `zarrange doctor --recover` ends it")
        done = zarrange("doctor", "runs", "--recover")
        assert (done.status, done.out) == (0, f"{outcome}: the removal of 'r2/box.zarr/grids/1000'\n")
        assert ("r2/box.zarr/grids/1000" in arrays(folder)) is (outcome == "taken back")
        assert zarrange("doctor", "runs", "--recover").out == "there was nothing to do\n"

    def test_a_migration(self, zarrange, dry, folder):
        """A migration whose process has died keeps everything out of sight until it is ended; then all is there."""
        die_in(folder, "staged", "migrate", "runs", "--to", "flat.yaml", "--yes")
        assert dry("doctor", "runs").out.startswith(
            "error[interrupted-transaction]: the migration to the layout `flat`"
        )
        done = zarrange("doctor", "runs", "--recover", "--format", "json")
        (outcome,) = json.loads(done.out)
        assert (outcome["done"], outcome["about"]) == ("carried out", "the migration to the layout `flat`")
        assert (list(outcome), outcome["problem"]) == (["done", "about", "id", "problem", "is_done"], None)
        assert len(arrays(folder)) == 34
        assert zarrange("doctor", "runs").out == "1 store checked, no findings\n"

    def test_the_next_change_recovers(self, zarrange, dry, folder):
        """A plan is not made of what is to be recovered first; with `--yes`, it is recovered, then the plan is made."""
        die_in(folder, "begun", "remove", "runs", "grid", "run=r2", "--yes")
        words = ["remove", "runs", "note", "iteration=1"]
        done = dry(*words)
        assert (done.status, done.out) == (1, "")
        assert done.err.endswith("; `zarrange doctor --recover` ends it\n")
        assert zarrange(*words, "--yes").status == 0
        assert "r2/box.zarr/grids/1000" in arrays(folder)
        assert "r1/notes/1.txt" not in arrays(folder)

    def test_what_can_be_undone_is_no_finding(self, zarrange, dry):
        """What was removed and is kept is told below the findings, as how to see it."""
        zarrange("remove", "runs", "run=r2", "--recursive", "--yes")
        done = dry("doctor", "runs")
        assert (done.status, done.out) == (
            0,
            "1 store checked, no findings\n1 removal can be undone: `zarrange undo runs --list` tells which\n",
        )
        assert dry("doctor", "runs", "--format", "json").out == "[]\n"

    def test_purge(self, zarrange, folder):
        """`--purge` deletes what has expired, `--purge=all` all that was removed."""
        zarrange("remove", "runs", "grid", "run=r2", "--yes")
        assert zarrange("doctor", "runs", "--purge").out == "there was nothing to do\n"
        assert (folder / "runs/r2/box.zarr/grids/1000/c").exists()
        done = zarrange("doctor", "--purge=all", "runs")
        assert (done.status, done.out) == (0, "purged: the removal of 'r2/box.zarr/grids/1000'\n")
        assert not (folder / "runs/r2/box.zarr/grids/1000").exists()
        assert zarrange("undo", "runs").status == 1

    def test_what_has_expired(self, zarrange, dry, folder, monkeypatch):
        """A dry run purges nothing, whatever has expired; `--purge` does, and so does the next change."""
        for iteration in (1, 2):
            zarrange("remove", "runs", "note", f"iteration={iteration}", "--grace", f"{iteration}h", "--yes")
        now = time.time()
        monkeypatch.setattr(time, "time", lambda: now + 5400)
        assert dry("undo", "runs", "--list").out.splitlines()[0].split()[1] == "expired"
        assert dry("remove", "runs", "note", "iteration=3").status == 0
        assert dry("doctor", "runs").status == 0
        assert zarrange("doctor", "runs", "--purge").out == "purged: the removal of 'r1/notes/1.txt'\n"
        monkeypatch.setattr(time, "time", lambda: now + 9000)
        assert zarrange("migrate", "runs", "--to", "flat.yaml").status == 0
        assert zarrange("migrate", "runs", "--to", "flat.yaml", "--yes").status == 0
        assert not (folder / "runs/.zarrange/trash").exists()

    def test_what_cannot_be_purged(self, zarrange, folder):
        """What something new was put into is not deleted; that is told, and the status is 1."""
        zarrange("remove", "runs", "grid", "run=r2", "--yes")
        (folder / "runs/r2/box.zarr/grids/1000/new.txt").write_text("new")
        done = zarrange("doctor", "runs", "--purge=all")
        assert (done.status, done.err) == (1, "")
        assert done.out.startswith("not purged: the removal of 'r2/box.zarr/grids/1000': cannot remove ")
        assert (folder / "runs/r2/box.zarr/grids/1000/new.txt").exists()

    def test_groups_that_stay(self, zarrange, folder):
        """Where only empty groups are in the way, what was removed is purged, and that is said; the status is 1."""
        zarrange("remove", "runs", "grid", "run=r2", "--yes")
        metadata = folder / "runs/r2/box.zarr/zarr.json"
        metadata.write_text('{"zarr_format": 3, "node_type": "group", "consolidated_metadata": {"metadata": 5}}')
        done = zarrange("doctor", "runs", "--purge=all")
        assert (done.status, done.err) == (1, "")
        assert done.out.startswith("purged: the removal of 'r2/box.zarr/grids/1000': removed, but folders above it ")
        assert metadata.exists()
        assert zarrange("doctor", "runs", "--purge=all").out == "there was nothing to do\n"

    def test_the_stage(self, zarrange, dry, folder):
        """What a maker has left on the stage is a finding, and is swept; what no journal knows in the trash is not."""
        left = folder / f"runs/.zarrange/stage/new-{'a' * 16}/new"
        left.mkdir(parents=True)
        (left / "zarr.json").touch()
        (folder / f"runs/.zarrange/trash/{'b' * 16}/0").mkdir(parents=True)
        assert dry("doctor", "runs").out.count("warning[leftover-file]") == 2
        assert zarrange("doctor", "runs", "--recover").out == f"swept: .zarrange/stage/new-{'a' * 16}\n"
        assert not (folder / "runs/.zarrange/stage").exists()
        assert (folder / f"runs/.zarrange/trash/{'b' * 16}/0").exists()

    def test_a_damaged_journal(self, dry, folder):
        """A journal that cannot be read is a finding of the doctor, and one line of whatever else needs it."""
        (folder / "runs/.zarrange/tx").mkdir()
        journal = folder / "runs/.zarrange/tx/0123456789abcdef.journal"
        journal.write_text("{}\n")
        (folder / "runs/.zarrange/trash/0123456789abcdef").mkdir(parents=True)
        done = dry("doctor", "runs")
        lines = done.out.splitlines()
        assert (done.status, lines[0].startswith(f"error[unreadable-path]: '{journal}' is damaged: ")) == (1, True)
        assert lines[1:] == [" --> runs/.zarrange/tx", "", "1 store checked, 1 finding"]
        for words in (
            ["doctor", "runs", "--recover"],
            ["doctor", "runs", "--purge"],
            ["undo", "runs"],
            ["undo", "runs", "--list"],
            ["remove", "runs", "run=r1"],
            ["remove", "runs", "run=r1", "--yes"],
            ["prune", "runs", "note", "--keep-last", "20"],
            ["migrate", "runs", "--to", "flat.yaml"],
        ):
            done = dry(*words)
            assert (done.status, done.out) == (1, "")
            assert done.err.startswith(f"zarrange: '{journal}' is damaged: ")
            assert done.err.count("\n") == 1

    @pytest.mark.parametrize("form", ["github", "sarif"])
    def test_formats(self, dry, form):
        """What was done is no finding that could be annotated."""
        done = dry("doctor", "runs", "--recover", "--format", form)
        assert (done.status, done.out) == (2, "")
        assert done.err == f"zarrange: what --recover and --purge have done is told as text or json, not as {form}\n"

    def test_no_layout_is_needed(self, zarrange, folder):
        """A store that does not describe itself is recovered without saying its layout; a root must exist."""
        (folder / "runs2").mkdir()
        assert zarrange("doctor", "runs2", "--recover").out == "there was nothing to do\n"
        assert os.listdir(folder / "runs2") == []
        assert zarrange("doctor", "nowhere", "--recover").status == 2


class TestHelp:
    """Each command explains itself."""

    @pytest.mark.parametrize(
        ("command", "words"),
        [
            (
                "remove",
                ["KIND|FIELD=VALUE", "--recursive", "--grace", "24h", "--yes", "--dask", "--workers", "--quiet"],
            ),
            ("prune", ["KIND", "--keep-last", "--keep-every", "--keep-best", "--older-than", "--min-age", "--scores"]),
            ("migrate", ["--to", "--set", "--prefer", "--choose", "--force", "--yes", "--no-sizes"]),
            ("undo", ["ROOT", "ID", "--list"]),
            ("doctor", ["--recover", "--purge", "--purge=all"]),
        ],
    )
    def test_help(self, zarrange, monkeypatch, command, words):
        """`--help` names what a command takes."""
        monkeypatch.setenv("COLUMNS", "300")
        done = zarrange(command, "--help")
        assert (done.status, done.err) == (0, "")
        assert all(word in done.out for word in words)
        assert command in zarrange("--help").out

    def test_a_plan_imports_no_zarr(self, folder):
        """Planning imports neither zarr nor numpy nor Dask."""
        words = ["remove", "runs", "grid", "run=r2"]
        done = subprocess.run(
            [sys.executable, "-X", "importtime", "-m", "zarrange", *words],
            cwd=folder,
            capture_output=True,
            text=True,
            check=True,
        )
        imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if "|" in line}
        assert "zarrange.cli.changes" in imported
        assert imported.isdisjoint({"zarr", "numpy", "pyarrow", "pandas", "obstore", "distributed"})
