"""What a store tells of what exists: `find`, `latest`, `values`, `count`, `size`, `table`, `tree`, `examine`."""

from __future__ import annotations

import datetime
import html
import itertools
import os
import pickle
import random
import shutil
import subprocess
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest

from zarrange import ArrayIdentifier, FileIdentifier, Key, Layout, Store, StoreError
from zarrange.errors import (
    AccessDeniedError,
    AmbiguousPathError,
    FieldError,
    IncompleteError,
    UnknownKindError,
)
from zarrange.stores import finder
from zarrange.stores.catalog import Entry, Unreadable
from zarrange.stores.local import LocalBackend

LAYOUT = Layout.parse("""\
zarrange: 1
name: searched
fields:
  run: {type: str}
  step: {type: int, min: 0}
  lap: {type: int, min: 0}
  day: {type: date}
  time: {type: datetime}
  score: {type: float}
  flag: {type: bool}
  index: {type: str}
containers:
  box: {path: "{{ run }}/box.zarr"}
groups:
  part: {container: box, path: "parts/{{ step }}"}
arrays:
  padded: {container: box, path: "padded/{{ step | pad(3) }}/data"}
  deep: {container: box, path: "deep/{{ index }}/{{ step }}"}
  best: {container: box, path: "best/{% if index is defined %}of/{{ index }}{% else %}all{% endif %}"}
files:
  plain: {path: "{{ run }}/plain/{{ step }}/x.txt"}
  named: {path: "{{ run }}/named/s{{ step }}-{{ index }}.txt"}
  dated: {path: "{{ run }}/dated/{{ day }}.txt"}
  timed: {path: "{{ run }}/timed/{{ time | date('%Y%m%dT%H%M%S') }}.txt"}
  scored: {path: "{{ run }}/scored/{{ score }}.txt"}
  both: {path: "{{ run }}/both/{{ step }}/{{ lap }}.txt"}
  maybe: {path: "{{ run }}/maybe/{% if step is defined %}{{ step }}{% else %}none{% endif %}/x.txt"}
  twice: {path: "{{ run }}/twice/{{ step }}/{{ step }}.txt"}
  below: {path: "below/{{ index }}/{{ run }}/{{ step }}"}
  marked: {path: "{{ run }}/marked/{{ flag }}"}
""")
VALUES = {
    "run": ["r1", "r2", "r3"],
    "step": [1, 2, 9, 10, 100, 999],
    "lap": [1, 20, 3],
    "day": [datetime.date(2025, 12, 31), datetime.date(2026, 1, 2)],
    "time": [datetime.datetime(2025, 12, 31, 23, 59, 59), datetime.datetime(2026, 1, 2)],
    "score": [-1.5, 2.0, 10.0, 1e-05],
    "flag": [True, False],
    "index": ["i", "j"],
}
ARRAY = (
    '{"zarr_format": 3, "node_type": "array", "shape": [2, 3], "data_type": "uint8", '
    '"chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [2, 3]}}, '
    '"chunk_key_encoding": {"name": "default"}, "fill_value": 0, "codecs": [{"name": "bytes"}], "attributes": {}}'
)
GROUP = '{"zarr_format": 3, "node_type": "group", "attributes": {}}'


def put(store, kind, /, **values):
    """Make an artifact as quickly as can be, and return its path relative to the root."""
    identifier = store.identifier(kind, **values)
    sort = store.layout.kind(kind).sort
    path = Path(identifier.path)
    if sort == "file":
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * len(identifier.path))
    else:
        path.mkdir(parents=True, exist_ok=True)
        (path / "zarr.json").write_text(ARRAY if sort == "array" else GROUP)
    return os.path.relpath(path, store.root)


def combinations(kind):
    """All values of a kind's fields, `None` for those that may be absent among them."""
    known = LAYOUT.kind(kind)
    each = [[*VALUES[name], *([None] if name in known.optional else [])] for name in known.fields]
    for chosen in itertools.product(*each):
        yield {name: value for name, value in zip(known.fields, chosen, strict=True) if value is not None}


def scatter(store, share, seed):
    """Make some of all artifacts that there can be."""
    chosen = random.Random(seed)
    for kind in LAYOUT.kinds:
        for values in combinations(kind):
            if chosen.random() < share:
                put(store, kind, **values)


@pytest.fixture
def store(root):
    return Store(root, LAYOUT)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A store with most of all there can be, which no test changes."""
    store = Store(tmp_path_factory.mktemp("model"), LAYOUT)
    scatter(store, 0.8, seed=4)
    put(store, "best", run="r1", index="i")
    put(store, "best", run="r3", index="j")
    return store


class Counting(LocalBackend):
    """A local folder that counts what is asked of it."""

    asked = 0

    def items(self, path, requests):
        self.asked += 1
        return super().items(path, requests)

    def look(self, path, requests):
        self.asked += 1
        return super().look(path, requests)

    def stat(self, path, requests, *, may_be_file):
        self.asked += 1
        return super().stat(path, requests, may_be_file=may_be_file)


def asked(store, question):
    """Return an answer, and how often the file system was asked for it."""
    counting = Store(store.root, store.layout)
    counting._backend = Counting(store.root)
    return question(counting), counting._backend.asked


def paths(entries):
    return [entry.path for entry in entries]


class TestFind:
    """`find` takes kinds and filters in every form, and gives what exists in the order of the paths."""

    def test_entries(self, store):
        """An entry has its path, its key, its identifier and what its metadata say."""
        store.create(Key("padded", {"run": "r", "step": 7}), data=np.ones((2, 3), "f4"), attributes={"a": 1})
        put(store, "plain", run="r", step=7)
        array, file = store.find(["padded", "plain"])
        assert (array.path, array.key) == ("r/box.zarr/padded/007/data", Key("padded", {"run": "r", "step": 7}))
        assert array.identifier == ArrayIdentifier(f"{store.root}/r/box.zarr", "padded/007/data")
        assert (array.node, array.metadata.shape, array.metadata.dtype) == ("array", (2, 3), "float32")
        assert dict(array.metadata.attributes) == {"a": 1}
        assert (file.node, file.metadata, file.identifier) == (
            "file",
            None,
            FileIdentifier(f"{store.root}/{file.path}"),
        )
        assert store.open(array.identifier)[0, 0] == store.open(array.key)[0, 0] == 1

    def test_nothing(self, root):
        """In a root that is empty, or does not exist, nothing is found, and nothing is made."""
        for place in (root, root / "absent"):
            store = Store(place, LAYOUT)
            assert (list(store.find()), store.count(), store.size(), store.values("run")) == ([], 0, 0, ())
            assert store.latest("padded") is None
        assert os.listdir(root) == []

    @pytest.mark.parametrize("kinds", ["padded", ["padded"], ("padded", "plain"), {"plain", "part"}, ["padded", "box"]])
    def test_kinds(self, model, kinds):
        """Kinds are one, or several in any collection; what is found is of them."""
        wanted = {kinds} if isinstance(kinds, str) else set(kinds)
        assert paths(model.find(kinds)) == paths(entry for entry in model.find() if entry.key.kind in wanted)
        assert {entry.key.kind for entry in model.find(kinds)} == wanted

    def test_iterator_of_kinds(self, model):
        """Kinds that come as an iterator are taken once, and the search can be iterated again."""
        search = model.find(kind for kind in ("padded", "plain"))
        assert list(search) == list(search) == list(model.find(["padded", "plain"]))

    def test_order(self, model):
        """Entries come in the order of the paths, where folders sort as if their names ended in a slash."""
        found = list(model.find())
        assert len(found) > 200
        assert found == sorted(found, key=lambda entry: entry.path if entry.node == "file" else f"{entry.path}/")
        assert len({entry.path for entry in found}) == len(found)

    @pytest.mark.parametrize(
        ("filters", "admits"),
        [
            ({"run": "r1"}, lambda key: key["run"] == "r1"),
            ({"run": ["r1", "r3", "r9"]}, lambda key: key["run"] != "r2"),
            ({"run": {"r1"}}, lambda key: key["run"] == "r1"),
            ({"run": []}, lambda key: key is None),
            ({"run": lambda run: run > "r1"}, lambda key: key["run"] > "r1"),
            ({"step": range(2, 100)}, lambda key: "step" in key.values and 2 <= key["step"] < 100),
            ({"step": range(1, 1000, 9)}, lambda key: "step" in key.values and key["step"] in {1, 10, 100}),
            ({"step": slice(2, 100)}, lambda key: "step" in key.values and 2 <= key["step"] < 100),
            ({"step": slice(None, 10)}, lambda key: "step" in key.values and key["step"] < 10),
            ({"step": slice(10, None)}, lambda key: "step" in key.values and key["step"] >= 10),
            ({"step": 100}, lambda key: key.values.get("step") == 100),
            ({"step": None}, lambda key: "step" not in key.values),
            ({"step": [None, 9]}, lambda key: key.values.get("step", 9) == 9),
            ({"index": None}, lambda key: "index" not in key.values),
            ({"index": {"i", None}}, lambda key: key.values.get("index", "i") == "i"),
            ({"flag": True}, lambda key: key["flag"] is True),
            ({"score": slice(-2.0, 2.0)}, lambda key: key["score"] < 2),
            ({"score": 2}, lambda key: key["score"] == 2),
            ({"day": datetime.date(2026, 1, 2)}, lambda key: key["day"].year == 2026),
            ({"day": (datetime.date(2025, 12, 31), datetime.date(2026, 1, 2))}, lambda key: key["day"].year == 2025),
            ({"time": (datetime.date(2026, 1, 1), None)}, lambda key: key["time"].year == 2026),
            ({"time": slice(None, datetime.datetime(2026, 1, 2))}, lambda key: key["time"].year == 2025),
            ({"run": "r2", "step": range(50)}, lambda key: key["run"] == "r2" and key.values.get("step", 50) < 50),
        ],
    )
    def test_filters(self, model, filters, admits):
        """Each form of a filter gives what the same condition gives among all entries of the kinds with its fields."""
        kinds = {name for name, kind in LAYOUT.kinds.items() if filters.keys() <= kind.fields.keys()}
        wanted = [entry for entry in model.find() if entry.key.kind in kinds and admits(entry.key)]
        assert list(model.find(**filters)) == wanted
        assert model.count(**filters) == len(wanted)

    def test_fields_named_like_parameters(self, root):
        """A field may have the name of a parameter of `find`."""
        fields = "{kind: {type: str}, self: {type: str}}"
        text = f"zarrange: 1\nfields: {fields}\nfiles: {{k: {{path: '{{{{ kind }}}}/{{{{ self }}}}'}}}}\n"
        store = Store(root, Layout.parse(text))
        put(store, "k", kind="a", self="b")
        put(store, "k", kind="c", self="d")
        assert paths(store.find(kind="a", self="b")) == ["a/b"]
        assert store.count("k", kind="c") == 1
        assert store.values("kind", self="d") == ("c",)

    @pytest.mark.parametrize(
        ("arguments", "filters", "error", "message"),
        [
            (["paded"], {}, UnknownKindError, "has no kind 'paded'; a similar kind exists: `padded`"),
            (["padded"], {"stpe": 1}, FieldError, "field `stpe` is not in the layout; a similar field exists: `step`"),
            (["padded"], {"day": None}, FieldError, "padded: field `day` does not belong to this kind"),
            (["padded"], {"step": "1"}, FieldError, "field `step` does not take '1'"),
            (["padded"], {"step": -1}, FieldError, "it takes a whole number of at least 0"),
            (["padded"], {"run": slice("a", "b")}, FieldError, "its values have no order"),
            (["padded"], {"run": range(3)}, FieldError, "a range is of whole numbers"),
            (["padded"], {"step": (1, 2)}, FieldError, "several values are a list"),
            (["padded"], {"step": slice(1, 9, 2)}, FieldError, "a slice has no step"),
            ([], {"flag": True, "score": 1.0}, FieldError, "field `flag` stands in no kind together with `score`"),
        ],
    )
    def test_refused(self, model, arguments, filters, error, message):
        """What does not fit is refused at once, before anything is iterated."""
        for ask in (model.find, model.count, model.size, model.table, model.tree):
            with pytest.raises(error, match=message):
                ask(*arguments, **filters)

    def test_incomplete(self, store):
        """What could not be read is told at the end of the iteration, and `results` has it in its place."""
        put(store, "plain", run="r1", step=1)
        put(store, "plain", run="r3", step=1)
        os.symlink("nowhere", f"{store.root}/r2")
        found = []
        with pytest.raises(IncompleteError, match="'r2': it is a symlink that leads nowhere"):
            found.extend(store.find())
        search = store.find()
        assert [type(one) for one in search.results()] == [Entry, Unreadable, Entry]
        assert [(one.path, one.reason) for one in search.unreadable] == [("r2", "it is a symlink that leads nowhere")]
        for ask in (store.count, store.size, store.table, lambda: store.values("run"), lambda: store.latest("plain")):
            with pytest.raises(IncompleteError):
                ask()

    def test_ambiguous(self, root):
        """Where a layout allows several readings, an entry has them all, and a key only if one was asked for."""
        store = Store(root, "dacapo")
        store.create(store.identifier("validation_raw", run="r"), data=np.ones(3))
        found = [entry for entry in store.find() if entry.node == "array"]
        assert [(entry.is_ambiguous, len(entry.readings)) for entry in found] == [(True, 3)]
        with pytest.raises(AmbiguousPathError):
            _ = found[0].key
        (entry,) = store.find("validation_raw")
        assert (entry.is_ambiguous, entry.key.kind) == (True, "validation_raw")

    def test_entries_pickle(self, model):
        """Entries go to other processes, and stay equal."""
        found = list(model.find())
        assert pickle.loads(pickle.dumps(found)) == found
        assert len({*found}) == len(found)


class TestLatest:
    """`latest` is the artifact with the greatest value of a field."""

    @pytest.mark.parametrize("kind", ["padded", "deep", "plain", "named", "dated", "timed", "scored", "maybe", "twice"])
    def test_by_default(self, model, kind):
        """The only field of numbers or days is what a latest artifact is told by."""
        (by,) = (name for name in LAYOUT.kind(kind).fields if LAYOUT.fields[name].type not in {"str", "bool"})
        found = [entry for entry in model.find(kind) if by in entry.key.values]
        assert model.latest(kind) == max(found, key=lambda entry: entry.key[by])
        bound = [entry for entry in found if entry.key["run"] == "r2"]
        assert model.latest(kind, run="r2") == max(bound, key=lambda entry: entry.key[by])

    @pytest.mark.parametrize("seed", range(4))
    def test_every_field(self, store, seed):
        """Of any store, by any ordered field and under any filter, it is the first of those with the greatest value."""
        scatter(store, 0.1, seed)
        compared = 0
        asked_for = [(kind, by) for kind in LAYOUT.kinds for by in LAYOUT.kind(kind).fields]
        for kind, by in asked_for:
            if LAYOUT.fields[by].type in {"str", "bool"}:
                continue
            filters = [
                {},
                {"run": "r2"},
                {"run": ["r1", "r3"]},
                {"run": lambda run: run > "r1"},
                {by: lambda value, last=VALUES[by][-1]: value != last},
                {by: VALUES[by][:2]},
                {by: VALUES[by][0]},
                *([{"step": range(2, 50)}, {"step": slice(10, None)}] if "step" in LAYOUT.kind(kind).fields else []),
                *([{"index": "j"}] if "index" in LAYOUT.kind(kind).fields else []),
            ]
            for one in filters:
                found = [entry for entry in store.find(kind, **one) if by in entry.key.values]
                assert store.latest(kind, by=by, **one) == max(found, key=lambda entry: entry.key[by], default=None)
                compared += bool(found)
        assert compared > 50

    @pytest.mark.parametrize("kind", ["padded", "plain"])
    def test_numbers_are_no_texts(self, store, kind):
        """Numbers are compared as such, padded or not, and beyond the width that they are padded to."""
        for step in (9, 10, 999, 1000):
            put(store, kind, run="r", step=step)
        assert store.latest(kind).key["step"] == 1000
        assert store.latest(kind, step=range(1000)).key["step"] == 999
        assert store.latest(kind, step=slice(None, 999)).key["step"] == 10
        assert store.latest(kind, step=lambda step: step % 2).key["step"] == 999
        assert store.latest(kind, step=[9, 10, 11]).key["step"] == 10

    def test_none(self, model):
        """Where nothing fits, it is `None`."""
        assert model.latest("padded", run="r9") is None
        assert model.latest("padded", step=range(3, 9)) is None
        assert model.latest("padded", run=[]) is None

    def test_all_are_equal(self, model):
        """Of several with the greatest value, it is the first by its path."""
        found = [entry for entry in model.find("deep") if entry.key["step"] == 9]
        assert len(found) > 1
        assert model.latest("deep", by="step", step=9) == found[0]
        with pytest.raises(ValueError, match="`deep` has no field of numbers or days left open"):
            model.latest("deep", step=9)

    def test_several_ordered_fields(self, model):
        """Which of several ordered fields is meant is asked, unless one value of all the others is given."""
        with pytest.raises(ValueError, match=r"is the latest `both` meant\? say `by`; it has `step`, `lap`"):
            model.latest("both")
        assert model.latest("both", by="lap").key["lap"] == 20
        assert model.latest("both", step=10) == model.latest("both", by="lap", step=10)
        assert model.latest("both", step=[10]) == model.latest("both", by="lap", step=10)
        with pytest.raises(ValueError, match="by which field"):
            model.latest("both", step=[9, 10])

    @pytest.mark.parametrize("kind", ["best", "marked", "box"])
    def test_no_ordered_field(self, model, kind):
        """A kind without numbers and days has no latest artifact."""
        with pytest.raises(ValueError, match=f"`{kind}` has no field of numbers or days left open"):
            model.latest(kind)

    @pytest.mark.parametrize(
        ("kind", "by", "error", "message"),
        [
            ("padded", "stpe", FieldError, "field `stpe` does not belong to this kind; a similar field exists: `step`"),
            ("padded", "lap", FieldError, "field `lap` does not belong to this kind"),
            ("padded", "run", FieldError, "field `run` has no order that a latest artifact could be told by"),
            ("marked", "flag", FieldError, "field `flag` has no order"),
            ("paded", "step", UnknownKindError, "a similar kind exists: `padded`"),
        ],
    )
    def test_refused(self, model, kind, by, error, message):
        """A field that the kind does not have, or that has no order, is refused."""
        with pytest.raises(error, match=message):
            model.latest(kind, by=by)

    def test_optional(self, store):
        """What does not have the field is never the latest."""
        put(store, "maybe", run="r")
        assert store.latest("maybe") is None
        put(store, "maybe", run="r", step=1)
        put(store, "maybe", run="s")
        assert store.latest("maybe").key == Key("maybe", {"run": "r", "step": 1})

    def test_unreadable(self, shared_folder, as_nobody):
        """Where what may be later cannot be read, there is no answer; what is known to be earlier is not looked at."""
        store = Store(shared_folder / "root", LAYOUT)
        for step in (1, 2, 3):
            put(store, "padded", run="r", step=step)
        steps = shared_folder / "root/r/box.zarr/padded"
        (steps / "001").chmod(0)
        with as_nobody():
            assert store.latest("padded", run="r").key["step"] == 3
            assert store.latest("padded").key["step"] == 3
        (steps / "001").chmod(0o755)
        (steps / "003").chmod(0)
        with as_nobody(), pytest.raises(IncompleteError, match="padded/003"):
            store.latest("padded", run="r")

    def test_looks_at_little(self, store):
        """It costs the same among ten and a thousand artifacts, and whatever else there is."""
        counts = []
        for number in (10, 1000):
            for step in range(number):
                put(store, "padded", run="r", step=step)
            put(store, "padded", run=f"other{number}", step=number)
            latest, count = asked(store, lambda store: store.latest("padded", run="r"))
            assert latest.key["step"] == number - 1
            counts.append(count)
        assert counts[0] == counts[1] <= 6

    def test_looks_at_one_of_each_run(self, store):
        """Without a run, one artifact of each is looked at."""
        for run, step in itertools.product(range(20), range(20)):
            put(store, "plain", run=f"r{run}", step=run * 100 + step)
        latest, count = asked(store, lambda store: store.latest("plain"))
        assert latest.key["step"] == 1919
        assert count <= 1 + 20 * 3


class TestValues:
    """`values` are the different values that a field has in what exists."""

    @pytest.mark.parametrize("name", [*VALUES])
    def test_of_all(self, model, name):
        """They are those of all entries, each once and in order."""
        wanted = {entry.key[name] for entry in model.find() if name in entry.key.values}
        assert model.values(name) == tuple(sorted(wanted))
        assert len(wanted) > 1

    @pytest.mark.parametrize("kind", [*LAYOUT.kinds])
    def test_of_a_kind(self, model, kind):
        """A kind and filters restrict what they are values of."""
        for name in LAYOUT.kind(kind).fields:
            for filters in (
                {},
                {"run": "r2"},
                {"run": ["r1", "r9"]},
                {name: lambda value, first=VALUES[name][0]: value != first},
            ):
                found = model.find(kind, **filters)
                wanted = {entry.key[name] for entry in found if name in entry.key.values}
                assert model.values(name, kind, **filters) == tuple(sorted(wanted))

    def test_several_kinds(self, model):
        """Of several kinds, the values come together."""
        assert model.values("step", ["padded", "part"]) == tuple(
            sorted({*model.values("step", "padded"), *model.values("step", "part")})
        )

    def test_absent(self, model):
        """Absence is no value, also where it is asked for."""
        assert model.values("index", "best") == ("i", "j")
        assert model.values("index", "best", index=None) == ()
        assert model.values("index", "best", index=[None, "j"]) == ("j",)

    def test_ambiguous(self, root):
        """All readings of an ambiguous path count."""
        store = Store(root, "dacapo")
        store.create(store.identifier("validation_raw", run="r"), data=np.ones(3))
        assert store.values("criterion", "best_validation") == ("inputs/raw", "raw")

    def test_refused(self, model):
        """A field that is in no kind is refused, with a similar one."""
        with pytest.raises(FieldError, match="field `rum` is not in the layout; a similar field exists: `run`"):
            model.values("rum")
        with pytest.raises(FieldError, match="field `day` does not belong to this kind"):
            model.values("day", "padded")

    def test_looks_at_little(self, store):
        """Runs are found without looking at more than the first artifact of each."""
        counts = []
        for number in (5, 50):
            for run, step in itertools.product(range(10), range(number)):
                put(store, "padded", run=f"r{run}", step=step)
            runs, count = asked(store, lambda store: store.values("run", "padded"))
            assert runs == tuple(f"r{run}" for run in range(10))
            counts.append(count)
        assert counts[0] == counts[1] <= 1 + 10 * 5

    def test_empty_folders(self, store):
        """A folder in which nothing is has no value."""
        put(store, "padded", run="r", step=1)
        Path(store.root, "s/box.zarr/padded/002").mkdir(parents=True)
        assert store.values("run", "padded") == ("r",)
        assert store.values("step", "padded") == (1,)


class Meddling(ThreadPoolExecutor):
    """An executor that does something before it begins."""

    def __init__(self, meddle):
        super().__init__(2)
        self.meddle = meddle

    def submit(self, function, *arguments, **options):
        meddle, self.meddle = self.meddle, lambda: None
        meddle()
        return super().submit(function, *arguments, **options)


class TestSize:
    """`size` are the bytes that artifacts take, chunks and metadata."""

    @pytest.fixture
    def written(self, store):
        """Arrays with chunks, beside a file."""
        for run, step in itertools.product(("r1", "r2"), range(3)):
            data = np.random.default_rng(step).integers(0, 255, (20, 20), "u1")
            store.create(Key("padded", {"run": run, "step": step}), data=data, chunks=(5, 5))
        put(store, "plain", run="r1", step=1)
        return store

    def test_bytes_of_files(self, written):
        """It is the sum of the bytes of all files of the artifacts, as `du` tells them."""
        artifacts = [entry.identifier.path for entry in written.find(["padded", "plain"])]
        files = [path for one in artifacts for path in (Path(one).rglob("*") if os.path.isdir(one) else [Path(one)])]
        wanted = sum(path.stat().st_size for path in files if path.is_file())
        assert written.size(["padded", "plain"]) == wanted
        done = subprocess.run(["du", "-b", "-S", *artifacts], capture_output=True, text=True, check=True)
        folders = sum(os.lstat(path).st_size for one in artifacts for path, _, _ in os.walk(one))
        assert wanted == sum(int(line.split()[0]) for line in done.stdout.splitlines()) - folders

    def test_each_counts(self, written):
        """Sizes of parts add up."""
        each = [written.size(entry.key.kind, **entry.key.values) for entry in written.find(["padded", "plain"])]
        assert all(each)
        assert written.size(["padded", "plain"]) == sum(each)
        assert written.size("padded", run="r1") + written.size("padded", run="r2") == written.size("padded")

    def test_containers_count_once(self, written):
        """What lies in a container that is counted is counted with it, and not again."""
        box = sum(path.stat().st_size for path in Path(written.root).rglob("box.zarr/**/*") if path.is_file())
        assert written.size("box") == written.size(["box", "padded"]) == box
        assert written.size() == box + written.size("plain")

    def test_groups_count_once(self, store):
        """So it is for what lies in a group."""
        layout = Layout.parse(
            "zarrange: 1\nfields: {a: {type: str}}\ncontainers: {box: {path: box.zarr}}\n"
            "groups: {part: {container: box, path: '{{ a }}'}}\narrays: {one: {container: box, path: '{{ a }}/one'}}\n"
        )
        nested = Store(store.root, layout)
        for name in ("a", "a-b", "ab"):
            nested.create(Key("one", {"a": name}), data=np.ones(3))
        assert nested.size(["part", "one"]) == nested.size("part") > nested.size("one") > 0

    def test_executors(self, written):
        """Threads and processes measure the same."""
        wanted = written.size()
        with ThreadPoolExecutor(3) as pool:
            assert written.size(executor=pool) == wanted
            assert written.size("padded", executor=pool, run="r1") == written.size("padded", run="r1")
            assert written.size("padded", executor=pool, run="r9") == 0
        with ProcessPoolExecutor(2, get_context("spawn")) as pool:
            assert written.size(executor=pool) == wanted

    def test_batches(self, store, monkeypatch):
        """An executor gets batches of artifacts, all of them."""
        monkeypatch.setattr(finder, "BATCH", 7)
        for step in range(50):
            put(store, "plain", run="r", step=step)
        with ThreadPoolExecutor(3) as pool:
            assert store.size(executor=pool) == store.size() > 0

    def test_in_memory(self):
        """An object store is measured as a folder is."""
        store = Store("memory://sizes", LAYOUT)
        store.create(Key("padded", {"run": "r", "step": 1}), data=np.ones(3))
        with store.create(Key("plain", {"run": "r", "step": 1})) as file:
            file.write(b"12345")
        with ThreadPoolExecutor(3) as pool:
            assert store.size() == store.size(executor=pool)
        assert store.size("plain") == 5
        assert store.size() == store.size("box") + 5 > store.size("padded") + 5

    @pytest.mark.parametrize("is_in_threads", [True, False])
    def test_unreadable(self, shared_folder, as_nobody, is_in_threads):
        """What may not be read is told with its path: a sum without it would look complete."""
        store = Store(shared_folder / "root", LAYOUT)
        store.create(Key("padded", {"run": "r", "step": 1}), data=np.ones(3))
        (shared_folder / "root/r/box.zarr/padded/001/data/c").chmod(0)
        with ThreadPoolExecutor(2) as pool, as_nobody():
            with pytest.raises(AccessDeniedError, match="padded/001/data/c' cannot be read: permission denied"):
                store.size(executor=pool if is_in_threads else None)
            assert store.count("padded") == 1

    def test_removed_meanwhile(self, written):
        """What is removed between being found and being measured counts nothing."""
        rest = written.size() - written.size("padded", run="r1", step=1)
        path = written.identifier("padded", run="r1", step=1).path
        with Meddling(lambda: shutil.rmtree(path)) as pool:
            assert written.size(["padded", "plain"], executor=pool) == written.size(["padded", "plain"])
        assert written.size() == rest


class TestTables:
    """`table` and `frame` have a row for each artifact."""

    def test_rows(self, model):
        """A row has the values of the key, and what is known of the artifact."""
        table = model.table("padded", run="r1")
        assert table.num_rows == model.count("padded", run="r1") > 0
        assert table.column_names[:3] == ["kind", "run", "step"]
        assert table["path"].to_pylist() == paths(model.find("padded", run="r1"))
        assert set(table["run"].to_pylist()) == {"r1"}
        frame = model.frame("padded", run="r1")
        assert frame["path"].tolist() == table["path"].to_pylist()
        assert frame["shape"][0] == (2, 3)

    def test_columns_do_not_depend_on_what_is_found(self, model):
        """Without any artifact the table has the same columns."""
        assert model.table("padded", run="r9").schema == model.table("padded").schema
        assert model.frame("padded", run="r9").columns.tolist() == model.frame("padded").columns.tolist()

    def test_everything(self, model):
        """Without a kind, the table has all fields, and everything that exists."""
        table = model.table()
        assert table.num_rows == model.count()
        assert {*VALUES} < {*table.column_names}
        assert table.to_pandas()["kind"].value_counts().to_dict() == {
            kind: model.count(kind) for kind in LAYOUT.kinds if model.count(kind)
        }


class TestTree:
    """`tree` is an overview of what exists, and so is what a notebook shows."""

    def test_overview(self, model):
        """It counts by run and kind, what a search gives."""
        overview = model.tree()
        assert (overview.layout, overview.root, overview.is_complete) == ("searched", model.root, True)
        assert overview.total.count == model.count()
        assert [group.value for group in overview.groups] == ["r1", "r2", "r3"]
        counted = {line.kind: line.count for line in overview.groups[1].lines}
        assert counted == {kind: model.count(kind, run="r2") for kind in counted}
        assert sum(counted.values()) == model.count(run="r2")

    def test_filters(self, model):
        """It takes kinds and filters as a search does."""
        overview = model.tree(["padded", "plain"], run="r1", step=range(50))
        assert overview.total.count == model.count(["padded", "plain"], run="r1", step=range(50))
        assert [group.value for group in overview.groups] == ["r1"]

    def test_sizes(self, model):
        """Bytes are measured if that is asked for."""
        assert model.tree().total.stored is None
        assert model.tree("padded", sizes=True).total.stored == model.size("padded")

    def test_how_many_runs(self, store):
        """`overview_of` gives so many runs one by one, or all."""
        for run in range(60):
            put(store, "plain", run=f"r{run}", step=1)
        assert [len(store.tree().groups), store.tree().omitted] == [50, 10]
        assert len(store.overview_of(store.find(), most=None).groups) == 60
        assert len(store.overview_of(store.find(run=["r1", "r2"]), most=1).groups) == 1

    def test_incomplete(self, store):
        """What could not be read does not raise, and is told."""
        put(store, "plain", run="r", step=1)
        os.symlink("nowhere", f"{store.root}/s")
        overview = store.tree()
        assert (overview.is_complete, overview.total.count) == (False, 1)
        assert [one.path for one in overview.unreadable] == ["s"]

    def test_notebook(self, model):
        """A notebook shows the same overview."""
        assert model._repr_html_() == model.tree()._repr_html_()
        assert html.escape(model.root) in model._repr_html_()
        assert "Incomplete" not in model._repr_html_()

    def test_notebook_is_cut(self, model, monkeypatch):
        """Of very many artifacts a notebook shows the first ones, and says so; of just as many it shows all."""
        count = model.count()
        monkeypatch.setattr(finder, "MAX_IN_NOTEBOOK", count)
        assert model._repr_html_() == model.tree()._repr_html_()
        monkeypatch.setattr(finder, "MAX_IN_NOTEBOOK", count - 1)
        shown = model._repr_html_()
        assert f"only the first {count - 1:,} artifacts were looked at" in shown
        assert f"{count - 1:,} artifacts" in shown
        assert "Incomplete" in shown

    def test_notebook_looks_at_little(self, store, monkeypatch):
        """What is beyond the cut is not looked at."""
        monkeypatch.setattr(finder, "MAX_IN_NOTEBOOK", 5)
        for run in range(100):
            put(store, "plain", run=f"r{run:03}", step=1)
        shown, count = asked(store, Store._repr_html_)
        assert "only the first 5 artifacts" in shown
        assert count < 6 * 20


class TestExamine:
    """`examine` lists what is wrong with a store."""

    def test_clean(self, store):
        """A store in which everything is as it should be has no findings."""
        store.create(Key("padded", {"run": "r", "step": 1}), data=np.ones(3))
        assert store.examine() == ()

    def test_findings(self, store, snapshot):
        """Findings are diagnostics with their paths, in order, and nothing is changed."""
        store.create(Key("padded", {"run": "r", "step": 1}), shape=(2,), dtype="u1", seal=True)
        Path(store.root, "stray.txt").touch()
        os.symlink("nowhere", f"{store.root}/s")
        before = snapshot(store.root)
        found = store.examine()
        assert [(one.rule, os.path.relpath(one.span.file, store.root)) for one in found] == [
            ("unfinished-array", "r/box.zarr/padded/001/data"),
            ("unreadable-path", "s"),
            ("unmatched-path", "stray.txt"),
        ]
        assert snapshot(store.root) == before

    def test_no_root(self, root):
        """A root that does not exist is a typing error, and not a clean store."""
        with pytest.raises(NotADirectoryError, match="is no folder, so there is no store"):
            Store(root / "absent", LAYOUT).examine()


@pytest.fixture(scope="module")
def objects(model):
    """What is in the model, as objects."""
    store = Store("memory://search", LAYOUT)
    for path in sorted(Path(model.root).rglob("*")):
        if path.is_file():
            store._backend.write(os.path.relpath(path, model.root), path.read_bytes())
    return store


class TestObjectStore:
    """Questions have the same answers in an object store as on disk."""

    def test_find(self, model, objects):
        """What is found is the same, in the same order."""
        found = [(entry.path, entry.keys, entry.node, entry.metadata) for entry in objects.find()]
        assert found == [(entry.path, entry.keys, entry.node, entry.metadata) for entry in model.find()]
        assert objects.size(["padded", "plain"]) == model.size(["padded", "plain"])

    @pytest.mark.parametrize("filters", [{}, {"run": "r2"}, {"run": ["r1", "r3"]}, {"run": lambda run: run > "r1"}])
    def test_latest_and_values(self, model, objects, filters):
        """So are the latest ones, and the values."""
        for kind in LAYOUT.kinds:
            for name in LAYOUT.kind(kind).fields:
                assert objects.values(name, kind, **filters) == model.values(name, kind, **filters)
                if LAYOUT.fields[name].type in {"str", "bool"}:
                    continue
                latest = objects.latest(kind, by=name, **filters)
                wanted = model.latest(kind, by=name, **filters)
                assert (latest and latest.path) == (wanted and wanted.path)


class TestPickle:
    """A store goes to other processes."""

    def test_answers(self, model):
        """Each question has the same answer there."""
        again = pickle.loads(pickle.dumps(model))
        assert (again.root, again.layout) == (model.root, model.layout)
        assert list(again.find()) == list(model.find())
        assert again.size() == model.size()

    def test_processes(self, model):
        """Its methods run in other processes as they are."""
        with ProcessPoolExecutor(1, get_context("spawn")) as pool:
            assert pool.submit(model.count, "padded", run="r1").result() == model.count("padded", run="r1")
            assert pool.submit(model.latest, "padded").result() == model.latest("padded")
            with pytest.raises(FieldError, match="field `stpe` is not in the layout"):
                pool.submit(model.count, stpe=1).result()

    def test_incomplete_search(self, store):
        """The error of a search that could not read everything arrives whole."""
        os.symlink("nowhere", f"{store.root}/s")
        with ProcessPoolExecutor(1, get_context("spawn")) as pool, pytest.raises(StoreError) as caught:
            pool.submit(store.count).result()
        assert caught.value.unreadable == (("s", "it is a symlink that leads nowhere"),)

    def test_in_memory(self):
        """What is in the memory of this process is not pickled: elsewhere it would be empty."""
        with pytest.raises(TypeError, match="is in the memory of this process"):
            pickle.dumps(Store("memory://pickled", LAYOUT))


def test_a_copy_of_a_store_is_the_same(model, tmp_path):
    """Everything that is found is found in a copy of the folder, by the same paths."""
    shutil.copytree(model.root, tmp_path / "copy")
    assert paths(Store(tmp_path / "copy", LAYOUT).find()) == paths(model.find())
