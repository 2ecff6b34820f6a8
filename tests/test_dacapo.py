"""The drop-in for DaCapo's array store: its paths, its signatures, its callers' habits."""

from __future__ import annotations

import copy
import inspect
import logging
import os
import pickle
import re
import runpy
import shutil
import subprocess
import sys
import warnings
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import zarr
from upath import UPath

from zarrange import Layout, Store
from zarrange.dacapo import ArrayStore, LocalArrayIdentifier, LocalArrayStore, LocalContainerIdentifier
from zarrange.errors import DamagedError, FieldError

take_snapshot = runpy.run_path(str(Path(__file__).parent / "stores" / "conftest.py"))["take_snapshot"]

WATERSHED = "WatershedPostProcessorParameters(id=0, bias=0.1, context=(32, 32, 32))"
VALIDATE = "example_validate_[labels]_['labels']_8nm"
SECRET = "5ecr3t"

METHODS = {
    "snapshot_container": (("r1",), "r1/snapshot.zarr", None),
    "validation_container": (("r1",), "r1/validation.zarr", None),
    "validation_prediction_array": (("r1", 1000, "ds_crop3"), "r1/validation.zarr", "1000/ds_crop3/prediction"),
    "validation_output_array": (
        ("r1", 1000, "threshold_127", "ds_crop3"),
        "r1/validation.zarr",
        "1000/ds_crop3/output/threshold_127",
    ),
    "best_validation_array": (("r1", "fg__dice"), "r1/validation.zarr", "fg__dice"),
}


class Named:
    """What DaCapo passes for a dataset or a parameter set: an object whose `str()` is the name."""

    def __init__(self, name):
        self.name = name

    def __str__(self):
        return self.name


@pytest.fixture
def basedir(tmp_path):
    folder = tmp_path / "base"
    folder.mkdir()
    return folder


@pytest.fixture
def store(basedir):
    return LocalArrayStore(basedir)


def every_place(store, run="r1"):
    """Call every method; return the identifiers."""
    return [
        store.best_validation_array(run, "fg__dice"),
        store.best_validation_array(run, "fg__dice", index="crop1"),
        store.validation_prediction_array(run, 1000, "crop1"),
        store.validation_output_array(run, 1000, "t=0.5", "crop1"),
        *store.validation_input_arrays(run),
        *store.validation_input_arrays(run, "crop1"),
        store.snapshot_container(run),
        store.validation_container(run),
    ]


class TestPaths:
    """Paths exactly as DaCapo's own store has them."""

    @pytest.mark.parametrize(("name", "case"), METHODS.items(), ids=METHODS)
    def test_plain(self, store, basedir, name, case):
        """Each method gives its container and its dataset."""
        arguments, container, dataset = case
        identifier = getattr(store, name)(*arguments)
        assert str(identifier.container) == f"{basedir}/{container}"
        if dataset is None:
            assert type(identifier) is LocalContainerIdentifier
        else:
            assert type(identifier) is LocalArrayIdentifier
            assert identifier.dataset == dataset

    @pytest.mark.parametrize(
        ("criterion", "index", "dataset"),
        [
            ("voi", None, "voi"),
            ("ecs/mem__dice", None, "ecs/mem__dice"),
            ("fg__dice", "crop1", "crop1/fg__dice"),
            ("ecs/mem__dice", VALIDATE, f"{VALIDATE}/ecs/mem__dice"),
            ("fg__dice", "a/b", "a/b/fg__dice"),
            ("fg__dice", "ecs&pm", "ecs&pm/fg__dice"),
            ("fg__dice", 3, "3/fg__dice"),
            ("fg__dice", 0, "0/fg__dice"),
            (Named("fg__dice"), Named("crop1"), "crop1/fg__dice"),
        ],
    )
    def test_best(self, store, basedir, criterion, index, dataset):
        """The best array by a criterion, with an index or without; 0 is an index."""
        assert store.best_validation_array("r1", criterion, index) == LocalArrayIdentifier(
            UPath(basedir, "r1", "validation.zarr"), dataset
        )
        assert store.best_validation_array("r1", criterion, index=index).dataset == dataset

    @pytest.mark.parametrize(
        "dataset", ["train", Named("ds_crop3"), "a/b", VALIDATE, "ecs&pm", Named(VALIDATE), "a b [x]", 7, "ü ñ", "1000"]
    )
    @pytest.mark.parametrize("parameters", [WATERSHED, Named(WATERSHED), Named("ArgmaxPostProcessorParameters(id=1)")])
    @pytest.mark.parametrize("iteration", [0, 1000, np.int64(1000), 10**9])
    def test_prediction_and_output(self, store, basedir, iteration, dataset, parameters):
        """Predictions and outputs, with anything that has a `str()` as the dataset and the parameters."""
        container = UPath(basedir) / "a b [x]" / "validation.zarr"
        prediction = store.validation_prediction_array("a b [x]", iteration, dataset)
        assert prediction == LocalArrayIdentifier(container, f"{int(iteration)}/{dataset}/prediction")
        output = store.validation_output_array("a b [x]", iteration, parameters, dataset)
        assert output == LocalArrayIdentifier(container, f"{int(iteration)}/{dataset}/output/{parameters}")

    @pytest.mark.parametrize(
        ("index", "prefix"),
        [
            (None, "inputs"),
            ("crop1", "inputs/crop1"),
            ("a/b", "inputs/a/b"),
            (0, "inputs/0"),
            (VALIDATE, f"inputs/{VALIDATE}"),
        ],
    )
    def test_inputs(self, store, basedir, index, prefix):
        """The raw data and the ground truth, in this order, with an index or without."""
        container = UPath(basedir, "r1", "validation.zarr")
        raw, gt = store.validation_input_arrays("r1", index)
        assert raw == LocalArrayIdentifier(container, f"{prefix}/raw")
        assert gt == LocalArrayIdentifier(container, f"{prefix}/gt")
        assert store.validation_input_arrays("r1", index=index) == (raw, gt)

    def test_signatures(self):
        """The signatures are DaCapo's: names, order and defaults; but `remove` has a grace, which need not be given."""
        wanted = {
            "best_validation_array": ["run_name", "criterion", "index=None"],
            "validation_prediction_array": ["run_name", "iteration", "dataset"],
            "validation_output_array": ["run_name", "iteration", "parameters", "dataset"],
            "validation_input_arrays": ["run_name", "index=None"],
            "snapshot_container": ["run_name"],
            "validation_container": ["run_name"],
            "remove": ["array_identifier"],
        }
        for cls in (ArrayStore, LocalArrayStore):
            for name, arguments in wanted.items():
                _, *parameters = inspect.signature(getattr(cls, name)).parameters.values()
                shown = [one.name if one.default is one.empty else f"{one.name}={one.default}" for one in parameters]
                own = ["grace=0"] if cls is LocalArrayStore and name == "remove" else []
                assert shown == [*arguments, *own]
        made = inspect.signature(LocalArrayStore).parameters.values()
        assert [one.name for one in made] == ["basedir", "layout", "must_exist"]

    def test_abstract(self):
        """The abstract store cannot be made, and the local one is one."""
        with pytest.raises(TypeError, match="abstract"):
            ArrayStore()
        assert issubclass(LocalArrayStore, ArrayStore)
        assert set(METHODS) | {"validation_input_arrays", "remove"} == set(ArrayStore.__abstractmethods__)


class TestBase:
    """A base directory is a path, relative or with `~`, or a `UPath`."""

    def test_relative(self, tmp_path, monkeypatch):
        """A relative base gives relative containers, as DaCapo's does."""
        monkeypatch.chdir(tmp_path)
        store = LocalArrayStore("runs")
        assert str(store.snapshot_container("r1").container) == "runs/r1/snapshot.zarr"
        identifier = store.best_validation_array("r1", "voi")
        zarr.create_array(os.fspath(identifier.container), name="voi", data=np.ones(3))
        store.remove(identifier)
        assert os.listdir(tmp_path / "runs" / "r1" / "validation.zarr") == ["zarr.json"]

    @pytest.mark.parametrize("make", [str, UPath, Path])
    def test_home(self, tmp_path, monkeypatch, make):
        """A base may start with `~`."""
        monkeypatch.setenv("HOME", str(tmp_path))
        assert (
            str(LocalArrayStore(make("~/runs")).snapshot_container("r1").container)
            == f"{tmp_path}/runs/r1/snapshot.zarr"
        )

    @pytest.mark.parametrize("make", [str, Path, UPath, lambda path: f"{path}/", lambda path: f"{path}/."])
    def test_forms(self, basedir, make):
        """However a base is given, its containers are the same."""
        assert LocalArrayStore(make(basedir)).snapshot_container("r1") == LocalContainerIdentifier(
            basedir / "r1" / "snapshot.zarr"
        )

    def test_file_url(self, basedir):
        """A base may be a file URL: what is there is found and removed."""
        store = LocalArrayStore(f"file://{basedir}")
        identifier = store.best_validation_array("r1", "voi")
        assert identifier.container.path == f"{basedir}/r1/validation.zarr"
        zarr.create_array(identifier.container.path, name="voi", data=np.ones(3))
        store.remove(identifier)
        assert os.listdir(identifier.container.path) == ["zarr.json"]

    @pytest.mark.parametrize("make", [str, UPath])
    def test_memory(self, make):
        """A base may be on another file system that `UPath` knows."""
        container = LocalArrayStore(make("memory://bucket/runs")).snapshot_container("a b [x]").container
        assert isinstance(container, UPath)
        assert str(container) == "memory://bucket/runs/a b [x]/snapshot.zarr"
        assert container.protocol == "memory"

    @pytest.mark.parametrize("must_exist", [True, False])
    def test_must_exist(self, basedir, must_exist):
        """With `must_exist`, a container that does not exist is a `ValueError`; without it, it is not."""
        store = LocalArrayStore(basedir, must_exist=must_exist)
        (basedir / "there" / "validation.zarr").mkdir(parents=True)
        (basedir / "there" / "snapshot.zarr").mkdir(parents=True)
        assert len(every_place(store, "there")) == 10
        for name, (arguments, _, _) in METHODS.items():
            if must_exist:
                with pytest.raises(ValueError, match="does not exist"):
                    getattr(store, name)("absent", *arguments[1:])
            else:
                assert getattr(store, name)("absent", *arguments[1:])
        if must_exist:
            with pytest.raises(ValueError, match="does not exist"):
                store.validation_input_arrays("absent")

    def test_must_exist_looks_each_time(self, basedir):
        """Whether a container exists is looked up at each call."""
        store = LocalArrayStore(basedir, must_exist=True)
        with pytest.raises(ValueError, match="does not exist"):
            store.snapshot_container("r1")
        (basedir / "r1" / "snapshot.zarr").mkdir(parents=True)
        assert store.snapshot_container("r1")
        (basedir / "r1" / "snapshot.zarr").rmdir()
        with pytest.raises(ValueError, match="does not exist"):
            store.snapshot_container("r1")

    def test_nothing_is_made(self, store, basedir):
        """Asking for places makes nothing."""
        every_place(store)
        assert os.listdir(basedir) == []

    def test_pickle(self, store):
        """A store pickles, so that workers in other processes can be given it."""
        again = pickle.loads(pickle.dumps(store))
        assert every_place(again) == every_place(store)
        assert every_place(copy.deepcopy(store)) == every_place(store)

    def test_shown(self, store, basedir):
        """A store shows its base and its layout."""
        assert repr(store) == f"LocalArrayStore({str(basedir)!r}, layout='dacapo')"


class TestLayouts:
    """The paths come from a layout with DaCapo's kinds and fields."""

    def test_training(self, basedir):
        """With `training`, any name fits, and no two places clash."""
        store = LocalArrayStore(basedir, layout="training")
        container = UPath(basedir, "a%20b%20%5Bx%5D", "validation.zarr")
        where = store.validation_output_array("a b [x]", 1000, Named(WATERSHED), Named("ecs&pm"))
        assert where.container == container
        assert where.dataset == (
            "iterations/00001000/ecs%26pm/outputs/"
            "WatershedPostProcessorParameters%28id=0%2C%20bias=0.1%2C%20context=%2832%2C%2032%2C%2032%29%29"
        )
        assert store.best_validation_array("r1", "ecs/mem__dice", 3).dataset == "best/ecs%2Fmem__dice/indexed/3"
        assert len(set(every_place(store))) == 10

    def test_hive(self, basedir):
        """With `hive`, each segment says which field it holds."""
        store = LocalArrayStore(basedir, layout="hive")
        where = store.validation_prediction_array("r1", 1000, Named("crop1"))
        assert str(where.container) == f"{basedir}/run=r1/validation.zarr"
        assert where.dataset == "iteration=00001000/dataset=crop1/prediction"
        assert len(set(every_place(store))) == 10

    @pytest.mark.parametrize("name", ["dacapo", "training", "hive"])
    def test_forms(self, basedir, repository, name):
        """A layout is given by its name, by its path, or loaded."""
        wanted = every_place(LocalArrayStore(basedir, name))
        path = repository / "layouts" / f"{name}.yaml"
        for layout in (path, str(path), Layout.load(name)):
            assert every_place(LocalArrayStore(basedir, layout)) == wanted

    @pytest.mark.parametrize(
        "kinds",
        [
            "containers: {snapshot: {path: '{{ run }}/s.zarr'}}",
            "containers: {snapshot: {path: '{{ run }}/{{ more }}.zarr'}, validation: {path: '{{ run }}/v.zarr'}}",
        ],
    )
    def test_unfit(self, basedir, kinds):
        """A layout without DaCapo's kinds or with other fields is refused at once."""
        layout = Layout.parse(
            f"zarrange: 1\nname: unfit\nfields: {{run: {{type: str}}, more: {{type: str}}}}\n{kinds}\n"
        )
        with pytest.raises(ValueError, match="unfit"):
            LocalArrayStore(basedir, layout)


OUTSIDE = [
    "",
    ".",
    "..",
    "../../etc",
    "/etc",
    "a/../../b",
    "./a",
    "a/.",
    "a//b",
    "a/",
    "a\0b",
    "a\\..\\b",
    "\ud800",
    "a\n",
]


class TestOutside:
    """What renders outside the base, or nowhere, is a `ValueError`."""

    @pytest.mark.parametrize("run", [*OUTSIDE, "a/b", None])
    def test_run(self, store, basedir, run):
        """A run that is not one plain folder is refused by every method."""
        for name, (arguments, _, _) in METHODS.items():
            with pytest.raises(ValueError, match="field `run`"):
                getattr(store, name)(run, *arguments[1:])
        with pytest.raises(ValueError, match="field `run`"):
            store.validation_input_arrays(run)
        assert os.listdir(basedir) == []

    @pytest.mark.parametrize("name", OUTSIDE)
    @pytest.mark.parametrize("make", [str, Named])
    def test_names(self, store, name, make):
        """No dataset, no parameters, no criterion and no index lead out."""
        calls = [
            lambda: store.validation_prediction_array("r1", 1, make(name)),
            lambda: store.validation_output_array("r1", 1, "t", make(name)),
            lambda: store.validation_output_array("r1", 1, make(name), "crop1"),
            lambda: store.best_validation_array("r1", make(name)),
            lambda: store.best_validation_array("r1", "voi", make(name)),
            lambda: store.validation_input_arrays("r1", make(name)),
        ]
        for call in calls:
            with pytest.raises(ValueError, match=r"field `(dataset|parameters|criterion|index)`"):
                call()

    @pytest.mark.parametrize("iteration", [-1, True, 7.0, "7", "../7", None])
    def test_iteration(self, store, iteration):
        """An iteration is a whole number."""
        with pytest.raises(ValueError, match="field `iteration`"):
            store.validation_prediction_array("r1", iteration, "crop1")
        with pytest.raises(ValueError, match="field `iteration`"):
            store.validation_output_array("r1", iteration, "t", "crop1")

    @pytest.mark.parametrize("layout", ["dacapo", "training", "hive"])
    @pytest.mark.parametrize("run", ["..", ".", "", "../../etc", "/etc", "~", "C:", "a b"])
    def test_every_layout(self, basedir, layout, run):
        """In every layout, what is not refused is below the base."""
        store = LocalArrayStore(basedir, layout)
        places = []
        with suppress(FieldError):
            places.append(store.snapshot_container(run).container.path)
        assert all(os.path.abspath(place) == place for place in places)
        assert all(os.path.dirname(os.path.dirname(place)) == str(basedir) for place in places)
        assert not places or run not in {"", ".", "..", "/etc", "../../etc"} or layout == "training"


class TestIdentifiers:
    """Identifiers can be built by hand for any container; they compare, order, hash and pickle."""

    @pytest.mark.parametrize("make", [str, Path, UPath])
    def test_by_hand(self, store, basedir, make):
        """One that is built by hand equals the store's, whatever its container is given as."""
        made = LocalArrayIdentifier(make(basedir / "r1" / "validation.zarr"), "voi")
        assert made == store.best_validation_array("r1", "voi")
        assert hash(made) == hash(store.best_validation_array("r1", "voi"))
        assert LocalContainerIdentifier(make(basedir / "r1" / "validation.zarr")) == store.validation_container("r1")
        assert LocalArrayIdentifier(container=make("x.zarr"), dataset="a").dataset == "a"

    def test_container_is_a_upath(self, store, basedir):
        """`.container` is a `UPath`, with all that callers use of one."""
        for identifier in every_place(store):
            container = identifier.container
            assert isinstance(container, UPath)
            assert isinstance(container, os.PathLike)
            assert container.suffix == ".zarr"
            assert os.fspath(container) == str(container) == container.path == f"{container}"
            assert os.fspath(container / "a" / "b") == f"{container}/a/b"
            assert container.parent == UPath(basedir) / "r1"
            assert not container.exists()

    def test_dataset_is_text(self, store):
        """`.dataset` is a plain `str`, also when a name was an object."""
        for identifier in (
            store.validation_prediction_array("r1", np.int64(1), Named("crop1")),
            LocalArrayIdentifier("x.zarr", Named("crop1")),
            LocalContainerIdentifier("x.zarr").array_identifier(Named("crop1")),
        ):
            assert type(identifier.dataset) is str

    def test_array_of_container(self, store):
        """A container's identifier gives those of its arrays."""
        assert store.validation_container("r1").array_identifier("voi") == store.best_validation_array("r1", "voi")

    def test_works_with_zarr(self, store):
        """zarr opens what an identifier names."""
        identifier = store.best_validation_array("r1", "voi")
        zarr.create_array(os.fspath(identifier.container), name=identifier.dataset, data=np.ones(3))
        assert zarr.open(os.fspath(identifier.container), mode="r")[identifier.dataset][0] == 1

    def test_order(self, store):
        """Identifiers order by container, then by dataset."""
        wanted = [
            store.best_validation_array("r1", "a"),
            store.best_validation_array("r1", "b"),
            store.best_validation_array("r2", "a"),
        ]
        assert sorted([*wanted[1:], wanted[0]]) == wanted
        containers = [store.snapshot_container("r1"), store.validation_container("r1"), store.snapshot_container("r2")]
        assert sorted([*containers[1:], containers[0]]) == containers

    def test_equal_only_to_the_same(self, store):
        """Another dataset, another container and another class are not equal."""
        places = every_place(store)
        assert len(set(places)) == len(places)
        assert LocalArrayIdentifier("x.zarr", "a") != LocalContainerIdentifier("x.zarr")

    @pytest.mark.parametrize("base", ["/data", "relative", "memory://bucket/runs"])
    def test_pickle_and_copy(self, base):
        """A pickle, a copy and a deep copy are equal to the original, with an equal hash."""
        for one in every_place(LocalArrayStore(base)):
            for again in (pickle.loads(pickle.dumps(one)), copy.copy(one), copy.deepcopy(one)):
                assert again == one
                assert hash(again) == hash(one)

    def test_frozen(self, store):
        """An identifier cannot be changed."""
        one = store.best_validation_array("r1", "voi")
        with pytest.raises(AttributeError):
            one.dataset = "other"
        with pytest.raises(AttributeError):
            one.container = UPath("other.zarr")

    def test_in_other_processes(self, store):
        """An identifier that was pickled here is the same place in another process."""
        one = store.best_validation_array("r1", "voi")
        script = "import pickle, sys; one = pickle.load(sys.stdin.buffer); print(one.container, one.dataset)"
        done = subprocess.run([sys.executable, "-c", script], input=pickle.dumps(one), capture_output=True, check=True)
        assert done.stdout.decode().split() == [str(one.container), "voi"]


class TestCredentials:
    """The storage options of a `UPath` reach no repr, no text and no pickle."""

    def test_storage_options(self):
        """They are kept for whoever opens the container, and shown and pickled nowhere."""
        store = LocalArrayStore(UPath("memory://bucket/runs", key="AKIA", secret=SECRET))
        for one in (*every_place(store), store):
            assert SECRET not in repr(one)
            assert SECRET not in str(one)
            assert SECRET.encode() not in pickle.dumps(one)
        assert store.snapshot_container("r1").container.storage_options == {"key": "AKIA", "secret": SECRET}

    @pytest.mark.parametrize(
        "url",
        [
            f"s3://key:{SECRET}@bucket/x.zarr",
            f"memory://key:{SECRET}@bucket/x.zarr",
            f"https://host/x.zarr?X-Amz-Signature={SECRET}",
            f"simplecache::s3://key:{SECRET}@bucket/x.zarr",
            f"simplecache::memory://key:{SECRET}@bucket/x.zarr",
        ],
    )
    @pytest.mark.parametrize(
        "make", [LocalArrayStore, LocalContainerIdentifier, lambda url: LocalArrayIdentifier(url, "a")]
    )
    def test_urls(self, make, url):
        """A URL with credentials is refused, and the error does not show them."""
        with pytest.raises(ValueError, match="credentials") as caught:
            make(url)
        assert SECRET not in str(caught.value)
        assert caught.value.__cause__ is None


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A store with two runs, with real arrays at every place and with something foreign here and there."""
    store = LocalArrayStore(tmp_path_factory.mktemp("model"))
    for run in ("r1", "r2"):
        for one in every_place(store, run):
            if isinstance(one, LocalArrayIdentifier) and "crop1/fg__dice" not in one.dataset:
                zarr.create_array(os.fspath(one.container), name=one.dataset, data=np.ones((4, 4)), chunks=(2, 2))
    container = store.validation_container("r1").container
    (container / "notes.txt").write_text("mine")
    (container / "plain" / "inner").mkdir(parents=True)
    (container / "plain" / "inner" / "0.0").write_text("chunk")
    return store


@pytest.fixture
def full(store, model):
    """A copy of it: copying is quicker than creating."""
    shutil.copytree(model.basedir, store.basedir, dirs_exist_ok=True)
    return store


class TestRemove:
    """`remove` removes an array, or what zarr knows nothing of, from a container; it refuses all else."""

    @pytest.mark.parametrize("at", [0, 2, 3, 4, 5, 6, 7])
    def test_exactly_this(self, full, basedir, at):
        """Exactly the array's own folder goes: all the rest is the same, byte for byte, and no trash is left."""
        one = every_place(full)[at]
        gone = os.path.relpath(one.container / one.dataset, basedir)
        before = take_snapshot(basedir)
        full.remove(one)
        kept = {name: entry for name, entry in before.items() if name != gone and not name.startswith(f"{gone}/")}
        assert take_snapshot(basedir) == kept
        assert len(kept) < len(before)

    @pytest.mark.parametrize("zarr_format", [2, 3])
    def test_by_hand(self, basedir, store, zarr_format):
        """An array of either zarr format, in any container that ends in .zarr, is removed by a hand-made identifier."""
        zarr.create_array(str(basedir / "any.zarr"), name="a/b", data=np.ones(3), zarr_format=zarr_format)
        store.remove(LocalArrayIdentifier(basedir / "any.zarr", "a/b"))
        assert not (basedir / "any.zarr" / "a" / "b").exists()
        assert (basedir / "any.zarr" / "a").exists()

    def test_without_metadata(self, full):
        """A folder that zarr knows nothing of, as an interrupted write leaves it, is removed."""
        container = full.validation_container("r1")
        full.remove(container.array_identifier("plain/inner"))
        assert os.listdir(container.container / "plain") == []

    @pytest.mark.parametrize(
        "dataset", ["absent", "absent/deep", "fg__dice/absent", "plain/absent", "1000/crop1/output/absent"]
    )
    def test_absent(self, full, basedir, caplog, dataset):
        """A dataset that does not exist is one logged warning that names it, and nothing changes."""
        container = full.validation_container("r1")
        before = take_snapshot(basedir)
        with caplog.at_level(logging.INFO):
            full.remove(container.array_identifier(dataset))
        assert [(one.name, one.levelname) for one in caplog.records] == [("zarrange.dacapo", "WARNING")]
        assert dataset in caplog.text
        assert str(container.container) in caplog.text
        assert take_snapshot(basedir) == before

    def test_absent_container(self, full, basedir, caplog):
        """A container that does not exist is one logged warning, and it is not made."""
        before = take_snapshot(basedir)
        full.remove(full.best_validation_array("absent", "voi"))
        assert [one.levelname for one in caplog.records] == ["WARNING"]
        assert take_snapshot(basedir) == before

    def test_twice(self, full, caplog):
        """What was removed is not there to be removed again."""
        one = full.best_validation_array("r1", "fg__dice")
        full.remove(one)
        assert caplog.records == []
        full.remove(one)
        assert [one.levelname for one in caplog.records] == ["WARNING"]

    @pytest.mark.parametrize(
        "dataset",
        [
            *("", ".", "..", "/", "/fg__dice", "fg__dice/", "./fg__dice", "fg__dice/.", "fg__dice\0", "1000/.."),
            *("1000/../fg__dice", "1000//crop1/prediction", "../validation.zarr/fg__dice"),
            "../../r2/validation.zarr/fg__dice",
        ],
    )
    def test_not_inside(self, full, basedir, caplog, dataset):
        """A dataset that is empty, `.`, absolute or climbs with `..` is a `ValueError`, and nothing changes."""
        container = full.validation_container("r1").container
        before = take_snapshot(basedir)
        with pytest.raises(ValueError, match="is not a plain path inside the container"):
            full.remove(LocalArrayIdentifier(container, dataset))
        assert take_snapshot(basedir) == before
        assert caplog.records == []

    def test_absolute(self, full, basedir):
        """An absolute path of an array that exists is refused too."""
        container = full.validation_container("r1").container
        before = take_snapshot(basedir)
        with pytest.raises(ValueError, match="is not a plain path"):
            full.remove(LocalArrayIdentifier(container, str(container / "fg__dice")))
        assert take_snapshot(basedir) == before

    @pytest.mark.parametrize(
        "name", ["r1", "r1/validation.n5", "r1/.zarr", "r1/validation.zarr.bak", "r1/validation.ZARR"]
    )
    def test_no_container(self, full, basedir, name):
        """A container that does not end in .zarr is a `ValueError`, and nothing changes."""
        zarr.create_array(str(basedir / name), name="a", data=np.ones(3))
        before = take_snapshot(basedir)
        with pytest.raises(ValueError, match=r"does not end in \.zarr"):
            full.remove(LocalArrayIdentifier(basedir / name, "a"))
        assert take_snapshot(basedir) == before

    @pytest.mark.parametrize("optimize", ["", "-O"])
    def test_never_an_assert(self, basedir, optimize):
        """The refusal holds in an optimized Python too."""
        (basedir / "x" / "a").mkdir(parents=True)
        script = (
            "from zarrange.dacapo import *\n"
            f"LocalArrayStore({str(basedir)!r}).remove(LocalArrayIdentifier({str(basedir / 'x')!r}, 'a'))"
        )
        command = [sys.executable, *filter(None, [optimize]), "-c", script]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert re.search(r"NotInStoreError: .* does not end in \.zarr", done.stderr)
        assert (basedir / "x" / "a").exists()

    @pytest.mark.parametrize("dataset", ["1000", "1000/crop1", "inputs", "1000/crop1/output", "inputs/crop1"])
    def test_group(self, full, basedir, dataset):
        """A group is refused, and nothing changes."""
        container = full.validation_container("r1")
        before = take_snapshot(basedir)
        with pytest.raises(ValueError, match=f"^cannot remove '{dataset}' of .*: it is a group"):
            full.remove(container.array_identifier(dataset))
        assert take_snapshot(basedir) == before

    def test_array_inside(self, full, basedir):
        """An array with another one inside, as DaCapo's own paths allow, is refused, and nothing changes."""
        inner = full.best_validation_array("r1", "fg__dice", index="fg__dice")
        zarr.create_array(os.fspath(inner.container / inner.dataset), data=np.ones(3))
        before = take_snapshot(basedir)
        with pytest.raises(ValueError, match="'fg__dice'"):
            full.remove(full.best_validation_array("r1", "fg__dice"))
        assert take_snapshot(basedir) == before

    def test_plain_folder_with_arrays(self, full, basedir):
        """A folder without metadata, as older DaCapo writes its parents, is refused if an array is inside."""
        container = full.validation_container("r1")
        zarr.create_array(os.fspath(container.container / "plain" / "deep" / "a"), data=np.ones(3), zarr_format=2)
        before = take_snapshot(basedir)
        with pytest.raises(ValueError, match="'deep/a' inside is another zarr node"):
            full.remove(container.array_identifier("plain"))
        assert take_snapshot(basedir) == before

    @pytest.mark.parametrize("zarr_format", [2, 3])
    def test_consolidated(self, basedir, store, zarr_format):
        """An array of a container with consolidated metadata is listed there no more, and the others are."""
        container = store.validation_container("r1").container
        for name in ("a/b", "a/c"):
            zarr.create_array(str(container), name=name, data=np.ones(3), zarr_format=zarr_format)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            zarr.consolidate_metadata(str(container))
        store.remove(LocalArrayIdentifier(container, "a/b"))
        listed = zarr.open_consolidated(str(container), mode="r")
        assert sorted(name for name, _ in listed.members(max_depth=None)) == ["a", "a/c"]
        assert listed["a/c"][0] == 1
        assert sorted(os.listdir(basedir)) == ["r1"]

    @pytest.mark.parametrize("linked", ["run", "container"])
    def test_container_behind_a_symlink(self, basedir, tmp_path, store, linked):
        """A container may be reached by a symlink: the array in it is removed, and nothing is left there."""
        zarr.create_array(str(tmp_path / "scratch" / "validation.zarr"), name="voi", data=np.ones(3))
        zarr.create_array(str(tmp_path / "scratch" / "validation.zarr"), name="other", data=np.ones(3))
        one = store.best_validation_array("r1", "voi")
        if linked == "run":
            (basedir / "r1").symlink_to(tmp_path / "scratch")
        else:
            (basedir / "r1").mkdir()
            (basedir / "r1" / "validation.zarr").symlink_to(tmp_path / "scratch" / "validation.zarr")
        store.remove(one)
        assert sorted(os.listdir(tmp_path / "scratch" / "validation.zarr")) == ["other", "zarr.json"]
        assert sorted(os.listdir(basedir)) == ["r1"]

    def test_grace(self, full, basedir, caplog):
        """With a grace, who holds the array reads on, it is gone for everybody else, and it can be undone."""
        before = take_snapshot(basedir)
        one = full.best_validation_array("r1", "fg__dice")
        held = zarr.open_array(os.fspath(one.container), path=one.dataset, mode="r")
        full.remove(one, grace=1000)
        assert (held[:] == 1).all()
        assert one.dataset not in zarr.open_group(os.fspath(one.container), mode="r")
        full.remove(one)
        assert [record.levelname for record in caplog.records] == ["WARNING"]
        Store(basedir, "dacapo").undo()
        assert take_snapshot(basedir) == before

    def test_not_an_array_identifier(self, full, basedir):
        """A container is no array, and is not removed."""
        before = take_snapshot(basedir)
        with pytest.raises(TypeError, match="expected a LocalArrayIdentifier, got LocalContainerIdentifier"):
            full.remove(full.validation_container("r1"))
        assert take_snapshot(basedir) == before

    def test_plain_folder_with_other_things(self, full, basedir):
        """A folder without metadata that holds something else than chunks is refused."""
        container = full.validation_container("r1")
        (container.container / "notes").mkdir()
        (container.container / "notes" / "readme.txt").write_text("mine")
        before = take_snapshot(basedir)
        with pytest.raises(ValueError, match=r"'readme\.txt' in its folder"):
            full.remove(container.array_identifier("notes"))
        assert take_snapshot(basedir) == before

    def test_foreign_file(self, full, basedir):
        """An array with a file that is not its own is refused, and nothing changes."""
        one = full.best_validation_array("r1", "fg__dice")
        (one.container / one.dataset / "mine.txt").write_text("mine")
        before = take_snapshot(basedir)
        with pytest.raises(ValueError, match=r"'mine\.txt'"):
            full.remove(one)
        assert take_snapshot(basedir) == before

    @pytest.mark.parametrize("dataset", ["notes.txt", "zarr.json", "fg__dice/zarr.json", "plain/inner/0.0"])
    def test_file(self, full, basedir, dataset):
        """A file, metadata of zarr among them, is no dataset: it is refused, and nothing changes."""
        container = full.validation_container("r1")
        before = take_snapshot(basedir)
        with pytest.raises(ValueError, match="cannot remove"):
            full.remove(container.array_identifier(dataset))
        assert take_snapshot(basedir) == before

    @pytest.mark.parametrize("dataset", ["fg__dice/c", "fg__dice/c/0", "fg__dice/c/0/0"])
    def test_chunks(self, full, basedir, dataset):
        """What lies inside an array is refused: without its chunks it would read as zeros."""
        container = full.validation_container("r1")
        before = take_snapshot(basedir)
        with pytest.raises(ValueError, match="cannot remove"):
            full.remove(container.array_identifier(dataset))
        assert take_snapshot(basedir) == before

    @pytest.mark.parametrize("content", ["", "{", '{"node_type": "arr'])
    def test_damaged(self, full, basedir, content):
        """An array whose metadata is damaged is not taken for a folder that zarr knows nothing of."""
        one = full.best_validation_array("r1", "fg__dice")
        (one.container / one.dataset / "zarr.json").write_text(content)
        before = take_snapshot(basedir)
        with pytest.raises(DamagedError, match=r"^cannot remove 'fg__dice' of .*/fg__dice.* is damaged"):
            full.remove(one)
        assert take_snapshot(basedir) == before

    @pytest.mark.parametrize("length", [1, 2, 3])
    def test_symlinks(self, full, tmp_path, length):
        """A dataset that passes a symlink, at whichever segment, is refused, and neither side of it changes."""
        segments = ["2000", "crop1", "prediction"]
        outside = tmp_path / "outside.zarr"
        zarr.create_array(str(outside), name="2000/crop1/prediction", data=np.ones(3))
        one = full.validation_prediction_array("r1", 2000, "crop1")
        link = Path(one.container, *segments[:length])
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(outside.joinpath(*segments[:length]))
        before = take_snapshot(tmp_path)
        with pytest.raises(ValueError, match="is a symlink"):
            full.remove(one)
        assert take_snapshot(tmp_path) == before

    def test_dangling_symlink(self, full, basedir):
        """A symlink that leads nowhere is refused, not taken for an absent dataset."""
        one = full.best_validation_array("r1", "voi")
        (one.container / "voi").symlink_to("nowhere")
        before = take_snapshot(basedir)
        with pytest.raises(ValueError, match="is a symlink"):
            full.remove(one)
        assert take_snapshot(basedir) == before

    def test_not_local(self, tmp_path, monkeypatch):
        """A container that is not on a local file system is a `ValueError`, and no local path is taken for it."""
        monkeypatch.chdir(tmp_path)
        store = LocalArrayStore("memory://bucket")
        trap = tmp_path / "memory:" / "bucket" / "r1" / "validation.zarr" / "voi"
        trap.mkdir(parents=True)
        with pytest.raises(ValueError, match="it is not a local folder"):
            store.remove(store.best_validation_array("r1", "voi"))
        assert trap.exists()

    @pytest.mark.parametrize("place", ["base", "elsewhere"])
    def test_container_is_a_file(self, full, tmp_path, place):
        """A container that is a file is refused, wherever it is, and it stays."""
        file = tmp_path / place / "file.zarr"
        file.parent.mkdir(exist_ok=True)
        file.write_text("mine")
        before = take_snapshot(tmp_path)
        with pytest.raises(ValueError, match=r"cannot remove from .*: it is a file, not a folder"):
            full.remove(LocalArrayIdentifier(file, "a"))
        assert take_snapshot(tmp_path) == before

    @pytest.mark.parametrize("given_identifier", [None, "r1/validation.zarr", 7])
    def test_no_identifier(self, full, basedir, given_identifier):
        """What is no identifier of an array is refused, and so is that of a container."""
        before = take_snapshot(basedir)
        for one in (given_identifier, full.validation_container("r1")):
            with pytest.raises((TypeError, ValueError, AttributeError)):
                full.remove(one)
        assert take_snapshot(basedir) == before


class TestVisualizeTraining:
    """`_visualize_training` leads to a viewer of a run's snapshots and validations, and creates nothing."""

    @pytest.fixture(autouse=True)
    def package(self):
        """Neuroglancer's package is an extra."""
        pytest.importorskip("neuroglancer")

    @staticmethod
    def layers(link):
        from neuroglancer import server

        state = server.global_server.viewers[link.split("/")[4]].state.to_json()
        return [one["source"]["url"].partition("/data/")[2].rpartition("/|")[0] for one in state.get("layers", [])]

    @pytest.mark.parametrize("layout", ["dacapo", "training"])
    def test_all_arrays_of_the_run_are_layers_and_nothing_is_touched(self, basedir, layout):
        """The link leads to a viewer of what the run has, inputs first, and the store stays byte for byte."""
        store = LocalArrayStore(basedir, layout)
        wheres = [store.validation_prediction_array("r1", iteration, Named("crop1")) for iteration in (1000, 2000)]
        snapshot = store.layout.render("snapshot_array", run="r1", volume="raw").dataset
        wheres += [store.snapshot_container("r1").array_identifier(snapshot)]
        wheres += [store.validation_input_arrays("r1", "crop1")[0], store.validation_input_arrays("r2", "crop1")[0]]
        for where in wheres:
            zarr.create_array(f"{where.container}/{where.dataset}", shape=(4, 8, 8), dtype="f4", zarr_format=2)
        before = take_snapshot(basedir)
        link = store._visualize_training(Named("r1"))
        assert take_snapshot(basedir) == before
        shown = self.layers(link)
        assert link.startswith("http://127.0.0.1:")
        assert all(one.startswith("r1/") for one in shown)
        assert len(shown) == 4
        assert "2000" in shown[-2]
        assert "1000" in shown[-1]

    @pytest.mark.parametrize("is_there", [True, False])
    def test_a_run_without_containers_has_an_empty_viewer(self, basedir, is_there):
        """Neither a container nor the base directory is made by looking."""
        if not is_there:
            basedir.rmdir()
        store = LocalArrayStore(basedir)
        before = take_snapshot(basedir.parent)
        link = store._visualize_training(Named("r1"))
        assert take_snapshot(basedir.parent) == before
        assert self.layers(link) == []

    def test_of_very_many_arrays_the_newest_are_shown(self, basedir, monkeypatch, caplog):
        """Where a run has more arrays than a viewer shows, those of the newest iterations are, and it is logged."""
        monkeypatch.setattr("zarrange.view.neuroglancer.MAX_LAYERS", 2)
        store = LocalArrayStore(basedir)
        for iteration in (5, 10, 100):
            where = store.validation_prediction_array("r1", iteration, "crop1")
            zarr.create_array(f"{where.container}/{where.dataset}", shape=(8, 8), dtype="f4", zarr_format=2)
        with caplog.at_level(logging.WARNING):
            shown = self.layers(store._visualize_training(Named("r1")))
        assert [one.split("/")[2] for one in shown] == ["100", "10"]
        assert "2 of 3 arrays" in caplog.text

    def test_a_run_that_no_path_could_have_is_refused(self, store):
        """A name that is no run's is a `ValueError`, as for every other method."""
        with pytest.raises(ValueError, match="run"):
            store._visualize_training(Named("../r1"))


class TestLight:
    """Importing and rendering must not import zarr."""

    def test_imports(self, tmp_path):
        """Neither zarr nor numpy is imported by importing, rendering, or asking for what does not exist."""
        script = f"""
import sys
from zarrange.dacapo import LocalArrayStore
for layout in ("dacapo", "training", "hive"):
    store = LocalArrayStore({str(tmp_path)!r}, layout)
    store.snapshot_container("r1"), store.validation_container("r1"), store.validation_input_arrays("r1", 3)
    store.best_validation_array("r1", "voi"), store.validation_prediction_array("r1", 1, "a")
    one = store.validation_output_array("r1", 1, "t", "a")
    store.remove(one)
print({{"zarr", "numpy", "numcodecs", "dask"}} & sys.modules.keys())
"""
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
        assert done.stdout == "set()\n"

    def test_removing(self, full, basedir):
        """An array is removed without zarr, so that an environment with zarr 2 can do it."""
        script = f"""
import sys
from zarrange.dacapo import LocalArrayStore
store = LocalArrayStore({str(full.basedir)!r})
store.remove(store.best_validation_array("r1", "fg__dice"))
print({{"zarr", "numpy"}} & sys.modules.keys())
"""
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
        assert done.stdout == "set()\n"
        assert not (basedir / "r1" / "validation.zarr" / "fg__dice").exists()
