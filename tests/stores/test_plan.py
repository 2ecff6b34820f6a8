"""Plans: printed, they are the dry run; applied, they are checked again, and done as a whole or not at all."""

from __future__ import annotations

import os
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import zarr

from zarrange.errors import BusyError, StoreError
from zarrange.identifiers import Key


def key(step=1, volume="raw"):
    return Key("image", {"run": "r", "step": step, "volume": volume})


@pytest.fixture
def full(store):
    """A store with two arrays and a group in which there is something."""
    for step in (1, 2):
        store.create(key(step), data=np.ones(4), chunks=2)
    store.create(Key("part", {"run": "r", "step": 1}))
    zarr.create_array(f"{store.root}/r/box.zarr/parts/1/inner", data=np.ones(2))
    return store


class TestPrinted:
    def test_dry_run(self, full, snapshot):
        """A printed plan says what goes, what each thing is, and whether there is a way back; nothing changes."""
        before = snapshot(full.root)
        plan = full.plan_removal(full.identifier("part", run="r", step=1), recursive=True, grace=3600)
        assert str(plan).splitlines() == [
            f"remove in {full.root}:",
            '  r/box.zarr/parts/1: part(run="r", step=1)',
            "  r/box.zarr/parts/1/inner: array",
            "1 group, 1 array to remove; it can be undone for 1h",
        ]
        assert "it cannot be undone" in str(full.plan_removal(key()))
        assert snapshot(full.root) == before

    def test_sizes(self, full, snapshot):
        """What was measured is told, and is the bytes of all files."""
        before = snapshot(full.root)
        plan = full.plan_removal(key())
        assert plan.size is None
        wanted = sum(path.stat().st_size for path in Path(plan.root, plan.steps[0].path).rglob("*") if path.is_file())
        told = []
        with ThreadPoolExecutor(2) as executor:
            measured = plan.measured(executor=executor, progress=lambda *one: told.append(one))
        assert measured.size == measured.steps[0].size == plan.measured().size == wanted
        assert told[-1] == (1, 1)
        assert re.search(r"raw\"\)  \S+ .*\n1 array, .* to remove", str(measured))
        assert snapshot(full.root) == before

    def test_very_many(self, full):
        """Of very many steps the first ones are printed, and how many more there are."""
        for number in range(30):
            (Path(full.root) / f"r/box.zarr/parts/1/{number:02}.txt").write_text("x")
        plan = full.plan_removal(full.identifier("part", run="r", step=1), recursive=True)
        assert len(plan.steps) == 32
        assert plan.lines()[21] == "  … and 12 more"
        assert len(plan.lines(most=None)) == 34

    def test_names_that_cannot_be_printed(self, full):
        """A name cannot forge a line, nor break the one that it is in."""
        odd = Path(full.root, "r/box.zarr/parts/1/a\n  forged\x1b[2J")
        odd.write_text("x")
        Path(os.fsdecode(os.fsencode(odd) + b"\xff")).write_text("x")
        plan = full.plan_removal(full.identifier("part", run="r", step=1), recursive=True)
        shown = str(plan)
        assert len(shown.splitlines()) == len(plan.steps) + 2
        assert shown.replace("\n", "").isprintable()
        assert shown.encode()


class TestApplied:
    def test_all(self, full):
        """All steps are taken, and nothing else; what is done is told."""
        told = []
        plan = full.plan_removal(key())
        done = plan.apply(progress=lambda *one: told.append(one))
        assert not full.exists(key())
        assert full.exists(key(2))
        assert told == [(1, 1)]
        assert done.intent.rests == ("r/box.zarr/images/1/raw",)

    def test_executor(self, full):
        """It is checked by any executor, and a plan with many steps too."""
        for number in range(200):
            (Path(full.root) / f"r/box.zarr/parts/1/{number:03}.txt").write_text("x")
        plan = full.plan_removal(full.identifier("part", run="r", step=1), recursive=True)
        with ThreadPoolExecutor(3) as executor:
            plan.apply(executor=executor)
        assert not Path(full.root, "r/box.zarr/parts/1").exists()

    def test_twice(self, full, snapshot):
        """A plan that was applied is not what the store is any more."""
        plan = full.plan_removal(key())
        plan.apply()
        before = snapshot(full.root)
        with pytest.raises(StoreError, match="images/1/raw' is not as it was when the plan was made"):
            plan.apply()
        assert snapshot(full.root) == before

    @pytest.mark.parametrize("grace", [0, 1000])
    @pytest.mark.parametrize(
        "change",
        [
            lambda path: zarr.open_array(path, mode="r+").attrs.update(by="them"),
            lambda path: zarr.create_array(path, data=np.zeros(7), overwrite=True),
            lambda path: Path(path, "zarr.json").unlink(),
            lambda path: Path(path, ".zattrs").write_text("{}"),
            lambda path: Path(path).rename(f"{path}-2"),
            lambda path: Path(path, "zarr.json").write_bytes(Path(path, "zarr.json").read_bytes()),
        ],
        ids=["attributes", "another", "hidden", "more metadata", "moved", "rewritten"],
    )
    def test_changed(self, full, snapshot, change, grace):
        """Where something is not as it was when the plan was made, nothing at all is changed."""
        plan = full.plan_removal(full.identifier("box", run="r"), recursive=True, grace=grace)
        change(f"{full.root}/r/box.zarr/images/1/raw")
        before = snapshot(full.root)
        with pytest.raises(StoreError, match=r"/images/1/raw' is not as it was when the plan was made; nothing was"):
            plan.apply()
        assert snapshot(full.root) == before

    @pytest.mark.parametrize(
        ("change", "error"),
        [
            (lambda box: zarr.create_array(box / "images/3/raw", data=np.ones(2)), "is another zarr node"),
            (lambda box: zarr.create_group(box / "images/3"), "is another zarr node"),
        ],
        ids=["array", "group"],
    )
    def test_something_new(self, full, snapshot, change, error):
        """What somebody has made in a group since the plan was made is not removed with it, nor is anything else."""
        plan = full.plan_removal(full.identifier("box", run="r"), recursive=True)
        change(Path(full.root, "r/box.zarr"))
        before = snapshot(full.root)
        with pytest.raises(StoreError, match=error):
            plan.apply()
        assert snapshot(full.root) == before

    @pytest.mark.parametrize("name", ["notes.txt", "raw", "c/0/zarr.json"])
    def test_something_foreign(self, full, snapshot, name):
        """What somebody has put into an array since the plan was made is not removed with it."""
        plan = full.plan_removal(key())
        place = Path(full.root, "r/box.zarr/images/1/raw", name)
        if name == "c/0/zarr.json":
            place.parent.unlink()
            place.parent.mkdir()
        place.write_text("{}")
        before = snapshot(full.root)
        with pytest.raises(StoreError, match=r"is not part of the array|is another zarr node"):
            plan.apply()
        assert snapshot(full.root) == before

    def test_a_symlink_by_now(self, full, tmp_path, snapshot):
        """A folder that has become a symlink since the plan was made is refused, and neither side of it changes."""
        plan = full.plan_removal(key())
        Path(full.root, "r").rename(tmp_path / "outside")
        Path(full.root, "r").symlink_to(tmp_path / "outside")
        before = snapshot(tmp_path)
        with pytest.raises(StoreError, match="is a symlink"):
            plan.apply()
        assert snapshot(tmp_path) == before

    def test_busy(self, full, snapshot):
        """What somebody has removed with a grace meanwhile is busy, and stays as it is."""
        plan = full.plan_removal(full.identifier("box", run="r"), recursive=True)
        full.remove(key(), grace=1000)
        before = snapshot(full.root)
        with pytest.raises(BusyError, match=r"the removal of .r/box\.zarr/images/1/raw. is done, and can be undone"):
            plan.apply()
        assert snapshot(full.root) == before
