"""The commands about stores: `find`, `tree`, `doctor`, `init`; where it matters, run as a process of its own."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from pyarrow import parquet

from zarrange import Filter, Key, Layout, Store, from_json
from zarrange.cli import main
from zarrange.identifiers import Identifier

TEXT = """\
zarrange: 1
name: grids
doc: Grids of runs.
fields:
  run: {type: str}
  iteration: {type: int, min: 0}
  day: {type: date}
  score: {type: float}
containers:
  box: {path: "{{ run }}/box.zarr"}
arrays:
  grid: {container: box, path: "grids/{{ iteration | pad(4) }}"}
files:
  note: {path: "{{ run }}/notes/{{ day }}"}
  mark: {path: "{{ run }}/marks/{{ score }}"}
"""
FILTERED = TEXT.replace("{{ run }}/box", "{{ run | upper }}/box")
PATHS = [
    "r1/box.zarr",
    "r1/box.zarr/grids/1000",
    "r1/box.zarr/grids/2000",
    "r1/box.zarr/grids/5000",
    "r1/marks/-1.5",
    "r1/notes/2026-01-31",
    "r1/notes/2026-02-01",
    "r2/box.zarr",
    "r2/box.zarr/grids/1000",
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with a layout, and two stores that describe themselves: one is fine, one is not."""
    folder = tmp_path_factory.mktemp("stores")
    (folder / "grids.yaml").write_text(TEXT)
    fine = filled(folder / "runs")
    bad = filled(folder / "bad")
    bad.create(Key("grid", {"run": "r3", "iteration": 1}), shape=(2,), dtype="u1", seal=True)
    Path(bad.root, "r3/stray.txt").write_text("?")
    Path(bad.root, "link").symlink_to("nowhere")
    assert [entry.path for entry in fine.find()] == PATHS
    return folder


def filled(root):
    store = Store.init(root, Layout.parse(TEXT, file="grids.yaml"))
    for run, iteration in (("r1", 1000), ("r1", 2000), ("r1", 5000), ("r2", 1000)):
        store.create(Key("grid", {"run": run, "iteration": iteration}), data=np.ones((4, 4), "f4"))
    for name in ("r1/notes/2026-01-31", "r1/notes/2026-02-01", "r1/marks/-1.5"):
        Path(root, name).parent.mkdir(exist_ok=True)
        Path(root, name).write_text("text")
    return store


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


def process(folder, *arguments, **options):
    """Run a command as a process of its own."""
    environment = {name: value for name, value in os.environ.items() if name not in {"NO_COLOR", "FORCE_COLOR"}}
    given = {"cwd": folder, "env": {**environment, "TERM": "xterm"}, "stderr": subprocess.PIPE, **options}
    return subprocess.run([sys.executable, "-m", "zarrange", *arguments], check=False, **given)


@pytest.fixture
def terminal():
    """Return the two ends of a terminal: what is shown on it, and what a program writes to."""
    shown, written = os.openpty()
    yield shown, written
    for one in (shown, written):
        os.close(one)


def screen(shown):
    return os.read(shown, 100_000).decode().replace("\r\n", "\n")


def found(done):
    """The paths that a search has printed as text."""
    assert (done.status, done.err) == (0, "")
    return [line.partition(": ")[0] for line in done.out.splitlines()]


class TestFind:
    """`find` lists what exists."""

    def test_text(self, zarrange):
        """A line has the path, its key, and an array's shape and data type; the status is 0."""
        done = zarrange("find", "runs", "run=r2")
        assert (done.status, done.err) == (0, "")
        assert done.out == (
            'r2/box.zarr: box(run="r2")\nr2/box.zarr/grids/1000: grid(run="r2", iteration=1000)  4x4 float32\n'
        )

    def test_everything(self, zarrange):
        """Without a kind, everything is listed, in the order of the paths."""
        assert found(zarrange("find", "runs")) == PATHS

    def test_nothing(self, zarrange):
        """Where nothing is found, nothing is printed, and the status is 0."""
        done = zarrange("find", "runs", "run=r9")
        assert (done.status, done.out, done.err) == (0, "", "")

    @pytest.mark.parametrize(
        ("words", "paths"),
        [
            (["grid"], [1, 2, 3, 8]),
            (["box", "mark"], [0, 4, 7]),
            (["grid", "box", "run=r2"], [7, 8]),
            (["iteration=1000"], [1, 8]),
            (["iteration=1000", "iteration=5000"], [1, 3, 8]),
            (["iteration=1000", "iteration=1000"], [1, 8]),
            (["run=r1", "iteration=1000..2000"], [1, 2]),
            (["run=r1", "iteration=1000..5000"], [1, 2, 3]),
            (["iteration=1001.."], [2, 3]),
            (["iteration=..1999"], [1, 8]),
            (["iteration=.."], [1, 2, 3, 8]),
            (["day=2026-01-31"], [5]),
            (["day=2026-01-01..2026-01-31"], [5]),
            (["day=2026-01-31..2026-02-01"], [5, 6]),
            (["day=2026-02-01.."], [6]),
            (["score=-1.5"], [4]),
            (["score=-2.0..0.0"], [4]),
            (["run=r1", "run=r2", "box"], [0, 7]),
            (["run=r=1"], []),
        ],
    )
    def test_filters(self, zarrange, words, paths):
        """Kinds and filters are alternatives among themselves, and conditions together; ranges have both ends."""
        assert found(zarrange("find", "runs", *words)) == [PATHS[at] for at in paths]

    @pytest.mark.parametrize(
        "arguments",
        [
            ["find", "--format=text", "runs", "grid", "run=r2"],
            ["find", "runs", "--format", "text", "grid", "run=r2"],
            ["find", "runs", "grid", "--format", "text", "run=r2"],
            ["find", "runs", "grid", "run=r2", "--format", "text"],
            ["find", "runs", "grid", "--layout", "grids.yaml", "run=r2", "--color", "never"],
        ],
    )
    def test_options_anywhere(self, zarrange, arguments):
        """Options may stand before, between and behind the words."""
        assert found(zarrange(*arguments)) == ["r2/box.zarr/grids/1000"]

    def test_color(self, zarrange, folder, terminal):
        """What is ambiguous or unreadable is in color on a terminal, or where that is asked for."""
        done = zarrange("find", "bad", "--color", "always", "grid")
        assert done.err == "\x1b[1;31munreadable\x1b[0m: link: it is a symlink that leads nowhere\n"
        shown, written = terminal
        process(folder, "find", "bad", "grid", stdout=subprocess.DEVNULL, stderr=written)
        assert screen(shown) == done.err

    def test_unreadable(self, zarrange):
        """What could not be read is told on standard error, and the status is 1; the rest is listed all the same."""
        for form in ("text", "json", "csv"):
            done = zarrange("find", "bad", "grid", "--format", form)
            assert done.status == 1
            assert "r2/box.zarr/grids/1000" in done.out
            assert done.err == "unreadable: link: it is a symlink that leads nowhere\n"

    def test_json(self, zarrange):
        """JSON is a list with the whole entry; identifiers are as the converter writes them."""
        done = zarrange("find", "runs", "--format", "json", "run=r2")
        box, grid = json.loads(done.out)
        assert (done.status, done.err) == (0, "")
        assert grid == {
            "path": "r2/box.zarr/grids/1000",
            "kind": "grid",
            "values": {"run": "r2", "iteration": 1000},
            "identifier": grid["identifier"],
            "node": "array",
            "shape": [4, 4],
            "dtype": "float32",
            "zarr_format": 3,
        }
        assert from_json(json.dumps(grid["identifier"]), Identifier).path == os.path.abspath("runs/" + grid["path"])
        assert (box["kind"], box["shape"]) == ("box", None)
        assert json.loads(zarrange("find", "runs", "--format", "json", "run=r9").out) == []

    def test_csv(self, zarrange):
        """CSV has a header, and a row for each artifact, with the fields of the kinds that are asked for."""
        done = zarrange("find", "runs", "--format", "csv", "grid", "run=r1")
        rows = list(csv.DictReader(io.StringIO(done.out)))
        assert [row["path"] for row in rows] == PATHS[1:4]
        assert {**rows[0]}.items() > {"kind": "grid", "run": "r1", "iteration": "1000", "shape": "4x4"}.items()
        assert "day" not in rows[0]
        assert zarrange("find", "runs", "--format", "csv", "grid", "run=r9").out == done.out.partition("\n")[0] + "\n"

    def test_parquet(self, zarrange, folder, tmp_path):
        """Parquet goes into a file, or into a pipe, and is the table of the store."""
        wanted = Store(folder / "runs").table("grid", run="r1")
        done = zarrange("find", "runs", "grid", "run=r1", "--format", "parquet", "--output", tmp_path / "out")
        assert (done.status, done.out, done.err) == (0, "", "")
        assert parquet.read_table(tmp_path / "out").equals(wanted)
        piped = process(folder, "find", "runs", "grid", "run=r1", "--format", "parquet", stdout=subprocess.PIPE)
        assert (piped.returncode, piped.stderr) == (0, b"")
        assert parquet.read_table(io.BytesIO(piped.stdout)).equals(wanted)

    def test_parquet_is_not_for_a_screen(self, folder, terminal):
        """Parquet is not sent to a terminal, where it would be noise."""
        shown, written = terminal
        done = process(folder, "find", "runs", "--format", "parquet", stdout=written)
        assert (done.returncode, done.stderr.decode()) == (
            2,
            "zarrange: Parquet is not for a screen: give --output FILE, or send it into a file or a pipe\n",
        )
        os.write(written, b"nothing else\n")
        assert screen(shown) == "nothing else\n"

    @pytest.mark.parametrize("form", ["text", "json", "csv", "parquet"])
    def test_output(self, zarrange, tmp_path, form):
        """`--output` writes to a new file what would be on the screen; one that is there stays as it is."""
        done = zarrange("find", "runs", "--format", form, "--output", tmp_path / "out", "--color", "always", "grid")
        assert (done.status, done.out, done.err) == (0, "", "")
        content = (tmp_path / "out").read_bytes()
        if form != "parquet":
            assert content.decode() == zarrange("find", "runs", "--format", form, "grid").out
        again = zarrange("find", "runs", "--format", form, "--output", tmp_path / "out")
        assert (again.status, again.out) == (2, "")
        assert again.err == f"zarrange: '{tmp_path}/out' exists already; nothing was written over it\n"
        assert (tmp_path / "out").read_bytes() == content
        assert os.listdir(tmp_path) == ["out"]

    @pytest.mark.parametrize("form", ["text", "parquet"])
    def test_output_that_cannot_be_written(self, zarrange, tmp_path, form):
        """A file that cannot be made is wrong usage, told in one line."""
        done = zarrange("find", "runs", "--format", form, "--output", tmp_path / "missing/out")
        assert (done.status, done.out) == (2, "")
        assert done.err == f"zarrange: '{tmp_path}/missing/out': no such file or directory\n"
        assert os.listdir(tmp_path) == []

    def test_output_that_fails(self, zarrange, tmp_path, monkeypatch):
        """Where a table cannot be written, it is said what is needed, and no file is left."""
        for name in [name for name in sys.modules if name.partition(".")[0] == "pyarrow"]:
            monkeypatch.delitem(sys.modules, name)
        monkeypatch.setitem(sys.modules, "pyarrow", None)
        done = zarrange("find", "runs", "--format", "parquet", "--output", tmp_path / "out")
        assert (done.status, done.err) == (2, "zarrange: a table needs pyarrow: pip install 'zarrange[table]'\n")
        assert os.listdir(tmp_path) == []

    def test_a_value_that_no_column_holds(self, zarrange, tmp_path):
        """A number that Parquet has no room for is told with its path, and no file is left."""
        text = "zarrange: 1\nfields: {n: {type: int}}\nfiles: {a: {path: '{{ n }}'}}\n"
        Store.init(tmp_path / "store", Layout.parse(text))
        (tmp_path / "store" / str(2**64)).touch()
        done = zarrange("find", tmp_path / "store", "--format", "parquet", "--output", tmp_path / "out")
        assert done.status == 2
        assert re.fullmatch(rf"zarrange: '{2**64}': column `n` cannot hold {2**64}: .*64 bits\n", done.err)
        assert os.listdir(tmp_path) == ["store"]

    def test_explain(self, zarrange):
        """`--explain` tells how the search goes, and does not search."""
        done = zarrange("find", "bad", "--explain", "grid", "run=r1", "iteration=1000..5000")
        assert (done.status, done.err) == (0, "")
        assert done.out == (
            "level by level: folders are listed one by one\n"
            "\n"
            "grid\n"
            "  {run}/             joined: run = 'r1'\n"
            "    box.zarr/        joined\n"
            "      grids/         joined\n"
            "        {iteration}  listed: iteration from 1000 to 5000\n"
        )

    def test_explain_in_json(self, zarrange):
        """In JSON, the plan has the strategy, why, and the segments of each kind."""
        done = zarrange("find", "runs", "grid", "iteration=1000", "--explain", "--format", "json")
        plan = json.loads(done.out)
        assert (done.status, plan["strategy"]) == (0, "levels")
        assert plan["ways"] == [
            {
                "kind": "grid",
                "segments": [
                    {"segment": "{run}", "how": "listed"},
                    {"segment": "box.zarr", "how": "joined"},
                    {"segment": "grids", "how": "joined"},
                    {"segment": "{iteration}", "how": "joined: iteration = 1000"},
                ],
            }
        ]

    @pytest.mark.parametrize(
        ("words", "message"),
        [
            (["gird"], "the layout `grids` has no kind 'gird'; a similar kind exists: `grid`"),
            (["rum=r1"], "filter: field `rum` is not in the layout; a similar field exists: `run`"),
            (["grid", "day=2026-01-31"], "grid: field `day` does not belong to this kind; known: `iteration`, `run`"),
            (["iteration=1", "day=2026-01-31"], "filter: field `iteration` stands in no kind together with `day`"),
            (["=r1"], "'=r1' is not FIELD=VALUE, as in run=r1"),
            (["iteration"], "`iteration` is a field of the layout, not a kind; a filter by it is iteration=VALUE"),
            (["iteration=x"], "filter: field `iteration` does not take 'x': it is not how such a value is written"),
            (["iteration=01000"], "filter: field `iteration` does not take '01000': it is not how such a value"),
            (["iteration="], "filter: field `iteration` does not take ''"),
            (["iteration=1..x"], "filter: field `iteration` does not take 'x'"),
            (["iteration=1..5", "iteration=9"], "takes one range, or several values"),
            (["day=2026-02-30"], "filter: field `day` does not take '2026-02-30'"),
            (["day=yesterday"], "filter: field `day` does not take 'yesterday'"),
            (["run=a/b"], "filter: field `run` does not take 'a/b'"),
        ],
    )
    @pytest.mark.parametrize("command", ["find", "tree"])
    def test_wrong_words(self, zarrange, command, words, message):
        """What does not fit the layout is told in one line, and the status is 2."""
        done = zarrange(command, "runs", *words)
        assert (done.status, done.out) == (2, "")
        assert done.err.startswith("zarrange: ")
        assert done.err.count("\n") == 1
        assert message in done.err

    def test_names_of_any_sort(self, zarrange, tmp_path):
        """Names that are not text, or would move the cursor, are shown escaped, in files as on the screen."""
        text = "zarrange: 1\nfields: {n: {type: str, charset: unicode}}\nfiles: {a: {path: '{{ n }}'}}\n"
        store = Store.init(tmp_path / "store", Layout.parse(text))
        for name in ("é", "a b", "日"):
            (tmp_path / "store" / name).touch()
        done = zarrange("find", store.root)
        assert [line.partition(":")[0] for line in done.out.splitlines()] == ["a b", "é", "日"]
        environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
        piped = process(tmp_path, "find", store.root, stdout=subprocess.PIPE, env=environment)
        assert (piped.returncode, piped.stderr) == (0, b"")
        assert piped.stdout.splitlines()[1] == b'\\xe9: a(n="\\xe9")'

    def test_ambiguous(self, zarrange, tmp_path):
        """Where a path has several readings, all are given, and the status is 0: the layout allows it."""
        store = Store.init(tmp_path, "dacapo")
        store.create(store.identifier("validation_raw", run="r"), data=np.ones(3))
        done = zarrange("find", tmp_path, "--color", "always")
        assert (done.status, done.err) == (0, "")
        (line,) = [line for line in done.out.splitlines() if line.startswith("r/validation.zarr/inputs/raw")]
        assert "\x1b[1;33mambiguous, 3 readings\x1b[0m: best_validation(" in line
        *_, last = json.loads(zarrange("find", tmp_path, "--format", "json").out)
        assert (last["kind"], len(last["readings"])) == (None, 3)
        assert zarrange("find", tmp_path, "--format", "csv", "validation_raw").out.count("\n") == 2

    def test_filters_of_its_own(self, zarrange, tmp_path):
        """A store whose layout has filters that only a program knows says so."""
        upper = Filter("upper", encode=str.upper, decode=str.lower)
        Store.init(tmp_path, Layout.parse(FILTERED, filters=[upper]))
        done = zarrange("find", tmp_path)
        assert (done.status, done.out) == (2, "")
        assert "has filters that are not built in; they are not recorded, so give the layout with them" in done.err

    @pytest.mark.parametrize("form", ["text", "json", "csv", "parquet"])
    def test_a_closed_pipe(self, tmp_path, form):
        """A reader that has seen enough ends the command quietly."""
        store = Store.init(tmp_path / "store", Layout.parse(TEXT))
        notes = tmp_path / "store/r/marks"
        notes.mkdir(parents=True)
        for at in range(4000):
            (notes / f"{at}.0").touch()
        command = f"'{sys.executable}' -m zarrange find {store.root} --format {form} | head -c 20"
        done = subprocess.run(command, shell=True, capture_output=True, check=False)
        assert (len(done.stdout), done.stderr) == (20, b"")


class TestRoots:
    """Every command says in one line what is wrong with a root, and leaves with status 2."""

    COMMANDS = pytest.mark.parametrize("command", ["find", "tree", "doctor"])

    @COMMANDS
    def test_no_folder(self, zarrange, folder, command):
        """A root that does not exist is a typing error, and so is a file."""
        for root in ("runz", "grids.yaml", ""):
            done = zarrange(command, root, "--layout", "grids.yaml")
            assert (done.status, done.out) == (2, "")
            assert done.err == f"zarrange: {root!r} is no folder, so there is no store\n"
        assert not (folder / "runz").exists()

    @COMMANDS
    def test_no_layout(self, zarrange, tmp_path, command):
        """A folder that does not describe itself needs a layout."""
        done = zarrange(command, tmp_path)
        assert (done.status, done.out) == (2, "")
        assert done.err == (
            f"zarrange: '{tmp_path}' does not say which layout it has: give one (--layout LAYOUT), "
            "or record it by `zarrange init ROOT --layout LAYOUT`\n"
        )
        assert zarrange(command, tmp_path, "--layout", "grids.yaml").status == 0
        assert os.listdir(tmp_path) == []

    @COMMANDS
    def test_another_layout(self, zarrange, command):
        """A layout that would disagree with what is recorded is refused."""
        done = zarrange(command, "runs", "--layout", "training")
        assert (done.status, done.out) == (2, "")
        assert re.fullmatch(
            r"zarrange: '.*/runs' is recorded to have the layout `grids`, and `training` .*\n", done.err
        )

    @COMMANDS
    def test_no_such_layout(self, zarrange, command):
        """A layout that there is not is drawn as everywhere."""
        done = zarrange(command, "runs", "--layout", "trainig")
        assert (done.status, done.out) == (2, "")
        assert "help: a similar layout exists: `training`" in done.err

    @COMMANDS
    def test_a_damaged_record(self, zarrange, tmp_path, command):
        """A record that is damaged is told, and not passed over."""
        Store.init(tmp_path, Layout.parse(TEXT))
        (tmp_path / ".zarrange/store.json").write_text("{")
        for layout in ([], ["--layout", "grids.yaml"]):
            done = zarrange(command, tmp_path, *layout)
            assert (done.status, done.out) == (2, "")
            assert re.fullmatch(r"zarrange: \.zarrange/store\.json in '.*' is damaged: .*not JSON.*\n", done.err)

    @pytest.mark.parametrize("command", ["find", "tree", "doctor", "init"])
    @pytest.mark.parametrize(
        ("root", "message"),
        [
            ("s3://", "the store's root 's3://' has no bucket"),
            ("s3://a//b", "the store's root 's3://a//b' has an empty segment"),
            ("http://host/x", "a store's URL begins with one of s3://, gs://, az://, memory://, not with http://"),
            ("s3://key:5ecr3t@bucket", "may carry credentials; give it without"),
            ("file:///tmp/x", "is given as its path, without `file://`"),
        ],
    )
    def test_urls(self, zarrange, command, root, message):
        """A URL that is none of a store is refused, and no secret is shown."""
        done = zarrange(command, root, "--layout", "training")
        assert (done.status, done.out) == (2, "")
        assert message in done.err
        assert done.err.count("\n") == 1
        assert "5ecr3t" not in done.err

    def test_without_obstore(self, folder):
        """Where obstore is not installed, a URL gives one line that says what to install."""
        script = """
import sys
class Absent:
    def find_spec(self, name, *_):
        if name.partition(".")[0] == "obstore":
            raise ModuleNotFoundError(f"No module named {name!r}", name="obstore")
sys.meta_path.insert(0, Absent())
from zarrange.cli import main
main(sys.argv[1:])
"""
        for arguments in (["find", "s3://b/x", "--layout", "training"], ["init", "s3://b/x", "--layout", "training"]):
            command = [sys.executable, "-c", script, *arguments]
            done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
            assert (done.returncode, done.stdout) == (2, "")
            assert done.stderr == "zarrange: a store at s3:// needs obstore: pip install 'zarrange[remote]'\n"

    def test_in_memory(self, zarrange):
        """A URL whose place is empty has nothing to be found; there is no store to be checked."""
        assert zarrange("find", "memory://nothing", "--layout", "grids.yaml").out == ""
        done = zarrange("doctor", "memory://nothing", "--layout", "grids.yaml")
        assert (done.status, done.out) == (2, "")
        assert done.err == "zarrange: 'memory://nothing' has nothing below it, so there is no store\n"

    def test_of_an_object_store(self, zarrange):
        """Every command works on an object store as on a folder."""
        assert zarrange("init", "memory://cli/runs", "--layout", "grids.yaml").status == 0
        Store("memory://cli/runs").create(Key("grid", {"run": "a", "iteration": 7}), data=np.ones(3))
        assert found(zarrange("find", "memory://cli/runs")) == ["a/box.zarr", "a/box.zarr/grids/0007"]
        assert "flat listing" in zarrange("find", "memory://cli/runs", "--explain").out
        assert "1 run, 2 artifacts" in zarrange("tree", "memory://cli/runs").out
        assert zarrange("doctor", "memory://cli/runs").out == "1 store checked, no findings\n"


class TestTree:
    """`tree` shows what a store has."""

    def test_text(self, zarrange):
        """Runs come first, then their kinds, with counts, shapes, types and values; the last line sums up."""
        done = zarrange("tree", "runs")
        lines = done.out.splitlines()
        assert (done.status, done.err) == (0, "")
        assert lines[0] == "runs  layout grids"
        assert [re.sub(" +", " ", line) for line in lines[1:5]] == [
            "├─ r1 7 192 B",
            "│ ├─ box 1",
            "│ ├─ grid 3 192 B 4x4 float32",
            "│ │ iteration 1000, 2000, 5000",
        ]
        assert lines[-1] == "2 runs, 9 artifacts, 256 B uncompressed"
        assert "\x1b" not in done.out

    def test_filters(self, zarrange):
        """Kinds and filters are those of `find`, wherever the options stand."""
        done = zarrange("tree", "runs", "grid", "--color", "never", "iteration=1000..2000", "run=r1")
        assert done.out.splitlines()[-1] == "1 run, 2 artifacts, 128 B uncompressed"

    def test_sizes(self, zarrange, folder):
        """`--sizes` measures the bytes that are stored."""
        done = zarrange("tree", "runs", "grid", "--sizes", "--format", "json")
        assert json.loads(done.out)["total"]["lines"][0]["stored"] == Store(folder / "runs").size("grid")
        assert "stored" in zarrange("tree", "runs", "--sizes").out
        assert "stored" not in zarrange("tree", "runs").out

    def test_json(self, zarrange):
        """JSON has the whole overview."""
        data = json.loads(zarrange("tree", "runs", "--format", "json").out)
        assert (data["complete"], data["count"], data["layout"]) == (True, 9, "grids")
        assert [group["value"] for group in data["groups"]] == ["r1", "r2"]

    def test_all(self, zarrange, tmp_path):
        """Of very many runs the first ones are shown, with `--all` every one."""
        Store.init(tmp_path, Layout.parse(TEXT))
        for run in range(60):
            (tmp_path / f"r{run:02}/marks").mkdir(parents=True)
            (tmp_path / f"r{run:02}/marks/1.0").touch()
        some, every = zarrange("tree", tmp_path).out, zarrange("tree", tmp_path, "--all").out
        assert ("r49" in some, "r50" in some, "… and 10 more runs" in some) == (True, False, True)
        assert ("r59" in every, "more runs" in every) == (True, False)
        assert some.splitlines()[-1] == every.splitlines()[-1] == "60 runs, 60 artifacts"

    def test_incomplete(self, zarrange):
        """What could not be read stands last, and the status is 1, in JSON too."""
        done = zarrange("tree", "bad")
        assert done.status == 1
        assert done.out.splitlines()[-2:] == [
            "incomplete: 1 place could not be read",
            "  link: it is a symlink that leads nowhere",
        ]
        done = zarrange("tree", "bad", "--format", "json")
        assert (done.status, json.loads(done.out)["complete"]) == (1, False)

    def test_nothing(self, zarrange):
        """A store in which nothing is found says so."""
        done = zarrange("tree", "runs", "run=r9")
        assert (done.status, done.out.splitlines()[-1]) == (0, "nothing was found")

    def test_color(self, zarrange, folder, terminal):
        """It is in color on a terminal, as wide as that is, and where it is asked for."""
        assert "\x1b[" in zarrange("tree", "runs", "--color", "always").out
        assert "\x1b" not in zarrange("tree", "runs", "--format", "json", "--color", "always").out
        shown, written = terminal
        done = process(folder, "tree", "runs", stdout=written)
        assert (done.returncode, done.stderr) == (0, b"")
        assert "\x1b[" in screen(shown)


class TestDoctor:
    """`doctor` lists what is wrong with a store, and changes nothing."""

    @pytest.mark.parametrize("root", ["bad", "./bad", "{}/bad", "../{}/bad"])
    def test_paths_begin_with_the_root(self, zarrange, folder, root):
        """Paths begin with the root as it was given, so that they can be used where it was."""
        written = root.format(folder if root.startswith("{") else folder.name)
        assert f" --> {written}/r3/stray.txt\n" in zarrange("doctor", written).out
        assert f" --> {written}/r3/stray.txt\n" in zarrange("doctor", f"{written}/").out

    def test_clean(self, zarrange, folder):
        """A store without findings is said to be so, in every format, and the status is 0."""
        before = state(folder / "runs")
        done = zarrange("doctor", "runs")
        assert (done.status, done.out, done.err) == (0, "1 store checked, no findings\n", "")
        assert zarrange("doctor", "runs", "--format", "github").out == ""
        assert json.loads(zarrange("doctor", "runs", "--format", "json").out) == []
        (run,) = json.loads(zarrange("doctor", "runs", "--format", "sarif").out)["runs"]
        assert run["results"] == []
        assert state(folder / "runs") == before

    def test_findings(self, zarrange, folder):
        """Each finding is drawn with its path, the status is 1, and nothing is changed."""
        before = state(folder / "bad")
        done = zarrange("doctor", "bad")
        assert (done.status, done.err) == (1, "")
        assert done.out.splitlines()[-1] == "1 store checked, 3 findings (2 errors, 1 warning)"
        drawn = [line for line in done.out.splitlines() if line.startswith(("error", "warning", " -->"))]
        assert drawn == [
            "error[unreadable-path]: it is a symlink that leads nowhere",
            " --> bad/link",
            "error[unfinished-array]: the writing of this array never finished",
            " --> bad/r3/box.zarr/grids/0001",
            "warning[unmatched-path]: no kind has this file",
            " --> bad/r3/stray.txt",
        ]
        assert state(folder / "bad") == before

    def test_json(self, zarrange):
        """JSON has the whole finding."""
        done = zarrange("doctor", "bad", "--format", "json")
        assert done.status == 1
        assert [(one["rule"], one["severity"], one["file"]) for one in json.loads(done.out)] == [
            ("unreadable-path", "error", "bad/link"),
            ("unfinished-array", "error", "bad/r3/box.zarr/grids/0001"),
            ("unmatched-path", "warning", "bad/r3/stray.txt"),
        ]

    def test_github(self, zarrange):
        """Annotations have a line for each finding."""
        done = zarrange("doctor", "bad", "--format", "github")
        assert done.status == 1
        assert done.out.splitlines()[-1] == (
            "::warning file=bad/r3/stray.txt,title=unmatched-path::no kind has this file"
        )
        assert len(done.out.splitlines()) == 3

    def test_sarif(self, zarrange):
        """SARIF has the rules' pages, and paths relative to the working folder."""
        done = zarrange("doctor", "bad", "--format", "sarif")
        (run,) = json.loads(done.out)["runs"]
        assert done.status == 1
        assert [one["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] for one in run["results"]] == [
            "bad/link",
            "bad/r3/box.zarr/grids/0001",
            "bad/r3/stray.txt",
        ]
        rules = {rule["id"]: rule["shortDescription"]["text"] for rule in run["tool"]["driver"]["rules"]}
        assert rules.keys() == {"unreadable-path", "unfinished-array", "unmatched-path"}

    def test_color(self, zarrange):
        """Only text for people is colored."""
        assert zarrange("doctor", "bad", "--color", "always").out.startswith("\x1b[1;31merror[unreadable-path]\x1b[0m")
        for form in ("json", "github", "sarif"):
            assert "\x1b" not in zarrange("doctor", "bad", "--format", form, "--color", "always").out

    def test_every_finding_is_explained(self, zarrange):
        """`explain` has a page for each rule that the doctor knows."""
        for one in json.loads(zarrange("doctor", "bad", "--format", "json").out):
            assert zarrange("explain", one["rule"]).out.startswith(f"# {one['rule']}\n")


def state(root):
    """Everything below a folder: what it is, when it was changed last, and what it holds."""
    found = {}
    for where, folders, files in os.walk(root):
        for name in (".", *folders, *files):
            path = os.path.join(where, name)
            status = os.lstat(path)
            content = Path(path).read_bytes() if name in files and not os.path.islink(path) else None
            found[path] = status.st_mode, status.st_mtime_ns, content
    return found


class TestInit:
    """`init` records a layout in a store."""

    def test_recorded(self, zarrange, tmp_path):
        """A folder that does not exist is made, and what is recorded is said; later no layout is needed."""
        done = zarrange("init", tmp_path / "new", "--layout", "training")
        assert (done.status, done.out, done.err) == (0, f"{tmp_path}/new has the layout `training`\n", "")
        assert zarrange("find", tmp_path / "new").status == 0
        assert Store(tmp_path / "new").layout == Layout.load("training")

    def test_twice(self, zarrange, tmp_path):
        """Doing it twice is no error, and changes nothing."""
        first = zarrange("init", tmp_path, "--layout", "training")
        before = state(tmp_path)
        again = zarrange("init", "--layout", "training", tmp_path)
        assert (again.status, again.out) == (0, first.out)
        assert state(tmp_path) == before

    @pytest.mark.parametrize(
        ("layout", "message"),
        [
            ("training", "to record another one, remove .zarrange/store.json first"),
            ("more.yaml", "with another text; it was left as it is"),
        ],
    )
    def test_refused(self, zarrange, folder, layout, message):
        """Another layout is refused, and nothing changes."""
        (folder / "more.yaml").write_text(TEXT + "# More.\n")
        before = state(folder / "runs")
        done = zarrange("init", "runs", "--layout", layout)
        assert (done.status, done.out) == (2, "")
        assert message in done.err
        assert done.err.count("\n") == 1
        assert state(folder / "runs") == before

    @pytest.mark.parametrize(
        ("root", "message"),
        [
            ("grids.yaml", "the store's root 'grids.yaml' is a file, not a folder"),
            ("grids.yaml/below", "grids.yaml/below/.zarrange': not a directory"),
            ("", "a store's root is empty"),
        ],
    )
    def test_where_it_cannot_be(self, zarrange, root, message):
        """A root that cannot be is told in one line."""
        done = zarrange("init", root, "--layout", "training")
        assert (done.status, done.out) == (2, "")
        assert message in done.err
        assert done.err.count("\n") == 1

    def test_a_broken_layout(self, zarrange, folder, tmp_path):
        """A layout with errors is drawn, and nothing is made."""
        (folder / "broken.yaml").write_text(TEXT.replace("{{ day }}", "{{ dya }}"))
        done = zarrange("init", tmp_path / "new", "--layout", "broken.yaml")
        assert (done.status, done.out) == (1, "")
        assert done.err.startswith("error[unknown-field]: `dya` is not a declared field\n")
        assert os.listdir(tmp_path) == []

    def test_needs_a_layout(self, zarrange, tmp_path):
        """Which layout is recorded must be said."""
        done = zarrange("init", tmp_path)
        assert (done.status, done.out) == (2, "")
        assert "the following arguments are required: --layout" in done.err
        assert os.listdir(tmp_path) == []


class TestUsage:
    """Each command explains itself."""

    @pytest.mark.parametrize(
        ("command", "words"),
        [
            (
                "find",
                ["ROOT", "KIND|FIELD=VALUE", "--layout", "--explain", "--output", "parquet", "iteration=1000..5000"],
            ),
            ("tree", ["ROOT", "KIND|FIELD=VALUE", "--layout", "--sizes", "--all"]),
            ("doctor", ["ROOT", "--layout", "nothing is changed", "sarif", "--recover", "--purge=all"]),
            ("init", ["ROOT", "--layout"]),
        ],
    )
    def test_help(self, zarrange, monkeypatch, command, words):
        """`--help` names what a command takes."""
        monkeypatch.setenv("COLUMNS", "300")
        done = zarrange(command, "--help")
        assert (done.status, done.err) == (0, "")
        assert all(word in done.out for word in words)
        assert command in zarrange("--help").out

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (["find"], "the following arguments are required: ROOT\n"),
            (["tree"], "the following arguments are required: ROOT\n"),
            (["doctor"], "the following arguments are required: ROOT\n"),
            (["init"], "the following arguments are required: ROOT, --layout\n"),
            (["find", "runs", "--formt", "json"], "unrecognized arguments: --formt json\n"),
            (["find", "runs", "--format", "xml"], "invalid choice: 'xml'"),
            (["find", "runs", "--out", "x"], "unrecognized arguments: --out x\n"),
            (["tree", "runs", "--format", "csv"], "invalid choice: 'csv'"),
            (["tree", "runs", "grid", "--size"], "unrecognized arguments: --size\n"),
            (["doctor", "runs", "grid"], "unrecognized arguments: grid\n"),
            (["init", "runs", "more", "--layout", "training"], "unrecognized arguments: more\n"),
        ],
    )
    def test_wrong_usage(self, zarrange, arguments, message):
        """What a command does not take is told on standard error, with status 2."""
        done = zarrange(*arguments)
        assert (done.status, done.out) == (2, "")
        assert f"usage: zarrange {arguments[0]} " in done.err
        assert message in done.err

    def test_a_search_imports_no_zarr(self, folder):
        """Searching imports neither zarr nor numpy, and needs no table library but for a table."""
        for arguments in (["find", "runs"], ["tree", "runs"], ["doctor", "runs"]):
            done = subprocess.run(
                [sys.executable, "-X", "importtime", "-m", "zarrange", *arguments],
                cwd=folder,
                capture_output=True,
                text=True,
                check=True,
            )
            imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if "|" in line}
            assert "zarrange.cli.stores" in imported
            assert imported.isdisjoint({"zarr", "numpy", "pyarrow", "pandas", "obstore"})
