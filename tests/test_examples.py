"""The example programs, run as a user runs them."""

from __future__ import annotations

import importlib.util
import json
import os
import pty
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import zarr
from skimage import data, measure, metrics

from zarrange import Key, Store

REPOSITORY = Path(__file__).parents[1]
EXAMPLES = REPOSITORY / "examples"
TRAIN = EXAMPLES / "train_and_validate.py"
DROP_IN = EXAMPLES / "dacapo_drop_in.py"

RUNS = {
    "training": (TRAIN, "--layout", "training"),
    "dacapo": (TRAIN, "--layout", "dacapo"),
    "hive": (TRAIN, "--layout", "hive"),
    "drop-in": (DROP_IN,),
}
ITERATIONS = (25, 50, 60)
THRESHOLDS = (0.3, 0.5, 0.7)
LENGTH = ("--iterations", "60", "--every", "25")
SHORT = ("--iterations", "1")
KINDS = (
    "snapshot",
    "snapshot_array",
    "validation",
    "validation_raw",
    "validation_gt",
    "validation_prediction",
    "validation_output",
    "best_validation",
)
BETTER = {"dice": max, "voi": min}

OFFLINE = """
import sys

def refuse(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo"):
        raise RuntimeError(f"an example uses the network: {event}")

sys.addaudithook(refuse)
"""


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    """Python without network, without colors, and with a home of its own."""
    home = tmp_path_factory.mktemp("home")
    (home / "sitecustomize.py").write_text(OFFLINE)
    kept = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH", "TMPDIR") if name in os.environ}
    # One thread: the programs run side by side, and what they compute must not depend on the machine's cores.
    threads = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    return {**kept, **threads, "HOME": str(home), "PYTHONPATH": str(home), "PYTHONUTF8": "1", "TERM": "xterm"}


@pytest.fixture(scope="module")
def start(environment):
    def start(*arguments, **options):
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
        command = [sys.executable, *map(str, arguments)]
        return subprocess.Popen(command, env=environment, text=True, encoding="utf-8", **pipes)

    return start


def finish(process):
    stdout, stderr = process.communicate()
    return SimpleNamespace(status=process.returncode, stdout=stdout, stderr=stderr)


@pytest.fixture(scope="module")
def runs(start, tmp_path_factory):
    """Every program once, each in a root of its own, all at the same time."""
    roots = {name: tmp_path_factory.mktemp(name) / "runs" for name in RUNS}
    started = {name: start(*command, roots[name], *LENGTH) for name, command in RUNS.items()}
    ended = {name: finish(process) for name, process in started.items()}
    layouts = {name: "dacapo" if name == "drop-in" else name for name in RUNS}
    stores = {name: Store(roots[name], layout=layouts[name]) for name in RUNS}
    return {name: SimpleNamespace(root=roots[name], store=stores[name], **vars(ended[name])) for name in RUNS}


@pytest.fixture(params=RUNS)
def run(request, runs):
    return runs[request.param]


def content(root):
    """Everything below a root: names, bytes, and when they were written."""
    paths = sorted(root.rglob("*"))
    return {path: (path.stat().st_mtime_ns, path.read_bytes() if path.is_file() else None) for path in paths}


def arrays_on_disk(root):
    metadata = [path for path in root.rglob("zarr.json") if json.loads(path.read_text())["node_type"] == "array"]
    return sorted(path.parent for path in metadata)


def read(run, kind, **values):
    array = run.store.open(Key(kind, {"run": "coins", **values}))
    assert isinstance(array, zarr.Array)
    return array


def prediction(run, iteration):
    return read(run, "validation_prediction", iteration=iteration, dataset="coins_bottom")


def output(run, iteration, threshold):
    values = {"iteration": iteration, "dataset": "coins_bottom", "parameters": f"threshold={threshold}"}
    return read(run, "validation_output", **values)


def dice(one, other):
    return 2 * np.count_nonzero((one > 0) & (other > 0)) / (np.count_nonzero(one) + np.count_nonzero(other))


def voi(gt, found):
    return sum(metrics.variation_of_information(measure.label(gt), measure.label(found)))


class TestRun:
    def test_it_ends_well_and_says_nothing_beside_its_result(self, run):
        """A program exits with 0, and writes neither a warning nor a progress bar into a pipe."""
        assert (run.status, run.stderr) == (0, "")
        assert "Training" not in run.stdout
        assert "\x1b" not in run.stdout

    def test_snapshots_hold_the_training_picture_and_a_prediction_each(self, run):
        """Snapshots are the picture that is trained on, its ground truth, and a prediction for each validation."""
        raw, gt = (read(run, "snapshot_array", volume=volume)[...] for volume in ("raw", "gt"))
        assert np.array_equal(raw, data.coins()[:150])
        assert gt.shape == raw.shape
        assert set(np.unique(gt)) == {0, 1}
        assert measure.label(gt).max() == 12
        for iteration in ITERATIONS:
            snapshot = read(run, "snapshot_array", volume=f"prediction_{iteration:08}")[...]
            assert snapshot.shape == raw.shape
            assert 0 <= snapshot.min() < snapshot.max() <= 1

    def test_validation_inputs_are_a_picture_that_was_held_out(self, run):
        """The validation's inputs are another part of the picture, with its ground truth."""
        raw, gt = read(run, "validation_raw")[...], read(run, "validation_gt")[...]
        assert np.array_equal(raw, data.coins()[150:])
        assert gt.shape == raw.shape
        assert set(np.unique(gt)) == {0, 1}
        assert measure.label(gt).max() == 12

    @pytest.mark.parametrize("iteration", ITERATIONS)
    def test_a_prediction_is_a_probability_for_each_pixel(self, run, iteration):
        """A prediction has the picture's shape and lies in [0, 1]."""
        values = prediction(run, iteration)[...]
        assert values.dtype == np.float32
        assert values.shape == read(run, "validation_raw").shape
        assert 0 <= values.min() < values.max() <= 1

    @pytest.mark.parametrize("iteration", ITERATIONS)
    @pytest.mark.parametrize("threshold", THRESHOLDS)
    def test_an_output_is_its_prediction_above_its_threshold(self, run, iteration, threshold):
        """An output says where the prediction is above the threshold."""
        expected = prediction(run, iteration)[...] > threshold
        assert np.array_equal(output(run, iteration, threshold)[...], expected)

    @pytest.mark.parametrize("iteration", ITERATIONS)
    @pytest.mark.parametrize("threshold", THRESHOLDS)
    def test_scores_are_attributes_and_true(self, run, iteration, threshold):
        """The scores in an output's attributes are what its array and the ground truth give."""
        found, gt = output(run, iteration, threshold), read(run, "validation_gt")[...]
        assert found.attrs["dice"] == pytest.approx(dice(gt, found[...]))
        assert found.attrs["voi"] == pytest.approx(voi(gt, found[...]))

    @pytest.mark.parametrize("threshold", THRESHOLDS)
    def test_training_helps(self, run, threshold):
        """The overlap with the ground truth is larger at the end than at the first validation."""
        gt = read(run, "validation_gt")[...]
        first, *_, last = (dice(gt, output(run, iteration, threshold)[...]) for iteration in ITERATIONS)
        assert last > first

    def test_the_result_is_good(self, run):
        """The best output overlaps the ground truth by more than 0.8, and is far better than all foreground."""
        gt, best = read(run, "validation_gt")[...], read(run, "best_validation", criterion="dice")[...]
        assert dice(gt, best) > 0.8
        assert dice(gt, np.ones_like(gt)) < 0.6

    @pytest.mark.parametrize("criterion", BETTER)
    def test_the_best_array_is_the_best_of_all_outputs(self, run, criterion):
        """The best array is the output with the best score of the whole run, and says which one that is."""
        best = read(run, "best_validation", criterion=criterion)
        outputs = {
            (iteration, f"threshold={threshold}"): output(run, iteration, threshold)
            for iteration in ITERATIONS
            for threshold in THRESHOLDS
        }
        assert best.attrs[criterion] == BETTER[criterion](one.attrs[criterion] for one in outputs.values())
        origin = outputs[best.attrs["iteration"], best.attrs["parameters"]]
        assert np.array_equal(best[...], origin[...])

    def test_nothing_else_is_written(self, run):
        """The arrays on disk are those of the layout, and no left-over of a replaced one stays."""
        values = {"iteration": ITERATIONS, "threshold": THRESHOLDS}
        each = len(values["iteration"])
        assert len(arrays_on_disk(run.root)) == 2 + each + 2 + each + each * len(values["threshold"]) + len(BETTER)
        assert [path.name for path in run.root.iterdir()] in (["coins"], ["run=coins"])


def test_the_drop_in_writes_what_the_layout_dacapo_does(runs):
    """Through DaCapo's array store or through a store with its layout, the same bytes come to the same paths."""
    trees = [
        {path.relative_to(runs[name].root): written for path, (_, written) in content(runs[name].root).items()}
        for name in ("dacapo", "drop-in")
    ]
    assert trees[0] == trees[1]


class TestTree:
    def test_it_names_every_kind(self, run):
        """The tree names every kind of the layout."""
        words = set(run.stdout.split())
        assert words >= set(KINDS)

    def test_it_has_every_array_with_its_shape_and_scores(self, run):
        """The tree has a line for each array on disk, with its shape, and the scores where there are some."""
        lines = [line for line in run.stdout.splitlines() if " 150x384 " in line or " 153x384 " in line]
        arrays = arrays_on_disk(run.root)
        assert len(lines) == len(arrays)
        for path in arrays:
            scores = zarr.open_array(path, mode="r").attrs
            shown = "".join(f"  {criterion} {scores[criterion]:.3f}" for criterion in BETTER if criterion in scores)
            assert any(path.name in line and shown in line for line in lines)

    @pytest.mark.parametrize("name", ["training", "hive"])
    def test_it_has_one_kind_for_each_array_where_none_can_clash(self, runs, name):
        """Where no two artifacts can clash, each array is of one kind."""
        assert " or " not in runs[name].stdout

    @pytest.mark.parametrize("name", ["dacapo", "drop-in"])
    def test_it_has_all_kinds_that_a_path_may_be_of(self, runs, name):
        """With DaCapo's own layout, whose paths have several readings, a line has all kinds that it may be."""
        lines = runs[name].stdout.splitlines()
        assert any("prediction  best_validation or validation_prediction" in line for line in lines)
        assert any("raw  best_validation or validation_raw" in line for line in lines)
        assert any("dice  best_validation  " in line for line in lines)

    def test_it_comes_from_the_disk(self, runs, tmp_path, capsys):
        """The tree shows what is on disk now: not what was removed, and what is foreign as such."""
        spec = importlib.util.spec_from_file_location("terminal", EXAMPLES / "terminal.py")
        terminal = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(terminal)
        shutil.copytree(runs["training"].root, tmp_path / "runs")
        store = Store(tmp_path / "runs", layout="training")
        store.remove(Key("best_validation", {"run": "coins", "criterion": "voi"}))
        zarr.create_array(tmp_path / "runs/coins/validation.zarr", name="mine/notes", shape=(3,), dtype="i4")
        store.create(Key("snapshot_array", {"run": "another", "volume": "raw"}), shape=(7,), dtype="u1")
        terminal.print_tree(store, "coins")
        shown = capsys.readouterr().out
        assert "dice/all  best_validation" in shown
        assert "voi/all" not in shown
        assert re.search("mine/notes +not of this layout +3 int32", shown)
        assert "another" not in shown


def test_the_paths_follow_an_edited_layout(start, tmp_path):
    """A line that is changed in a copy of a layout changes the paths of what is written, and of the tree."""
    text = (REPOSITORY / "layouts/training.yaml").read_text()
    for before, after in {
        "{{ run_dir }}/validation.zarr": "{{ run_dir }}/checked/on-coins.zarr",
        "iterations/{{ iteration | pad(8) }}": "after-{{ iteration | pad(4) }}-steps",
    }.items():
        assert before in text
        text = text.replace(before, after)
    (tmp_path / "mine.yaml").write_text(text)
    ended = finish(start(TRAIN, tmp_path / "runs", "--layout", tmp_path / "mine.yaml", *SHORT))
    assert (ended.status, ended.stderr) == (0, "")
    container = tmp_path / "runs/coins/checked/on-coins.zarr"
    written = {str(path.relative_to(container)) for path in arrays_on_disk(container)}
    assert "after-0001-steps/coins_bottom/prediction" in written
    assert "after-0001-steps/coins_bottom/outputs/threshold=0.5" in written
    assert not list(tmp_path.rglob("validation.zarr"))
    assert "coins/checked/on-coins.zarr  validation" in ended.stdout
    assert "after-0001-steps/coins_bottom" in ended.stdout


def test_a_run_is_written_once(runs, start):
    """A second run of the same name is refused in one line that says what to do, and not a byte changes."""
    before = {name: content(runs[name].root) for name in ("training", "drop-in")}
    started = {name: start(*RUNS[name], runs[name].root, *SHORT) for name in before}
    for name, process in started.items():
        ended = finish(process)
        assert (ended.status, ended.stdout) == (2, "")
        assert ended.stderr.startswith("error: the run `coins` exists already")
        assert "--run" in ended.stderr
        assert ended.stderr.count("\n") == 1
        assert content(runs[name].root) == before[name]


def test_a_wrong_layout_is_shown_with_its_position(start, tmp_path):
    """A layout that is wrong is shown with line and caret, and nothing is written."""
    text = (REPOSITORY / "layouts/training.yaml").read_text()
    (tmp_path / "mine.yaml").write_text(text.replace("{{ run_dir }}/snapshot.zarr", "{{ run_dri }}/snapshot.zarr"))
    ended = finish(start(TRAIN, tmp_path / "runs", "--layout", tmp_path / "mine.yaml", *SHORT))
    assert (ended.status, ended.stdout) == (1, "")
    line = next(at for at, one in enumerate(text.splitlines(), 1) if "{{ run_dir }}/snapshot.zarr" in one)
    assert f"mine.yaml:{line}:" in ended.stderr
    assert "^^^^^^^" in ended.stderr
    assert "`run_dir`" in ended.stderr
    assert not (tmp_path / "runs").exists()


def test_a_terminal_has_a_progress_bar(start, tmp_path):
    """On a terminal, a bar shows how far the training is; what goes into a pipe has nothing of it."""
    controller, terminal = pty.openpty()
    process = start(TRAIN, tmp_path / "runs", *SHORT, stderr=terminal)
    os.close(terminal)
    shown = b"".join(until_closed(controller))
    ended = finish(process)
    assert ended.status == 0
    assert b"Training" in shown
    assert b"100%" in shown
    assert "Training" not in ended.stdout


def until_closed(controller):
    with open(controller, "rb", buffering=0) as file:
        while True:
            try:
                yield file.read(65536)
            except OSError:  # how Linux says that the other side has closed
                return


def test_the_programs_run_without_network(start):
    """What the programs are run with here refuses every connection, so none of them downloads anything."""
    ended = finish(start("-c", "import socket; socket.create_connection(('localhost', 9))"))
    assert ended.status == 1
    assert "an example uses the network" in ended.stderr
