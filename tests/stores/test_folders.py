"""Local folders: the way to what is written, and making something aside."""

from __future__ import annotations

import json
import os
import re
from contextlib import suppress
from pathlib import Path

import pytest

from zarrange.errors import NotFoundError, NotInStoreError
from zarrange.stores.local import LocalBackend
from zarrange.stores.local.descent import Descent
from zarrange.stores.local.folders import check_way, leaving_no_folders, staging, sweep
from zarrange.stores.local.nodes import node_type
from zarrange.stores.upkeep import settle

ARRAY = {"zarr_format": 3, "node_type": "array"}
GROUP = {"zarr_format": 3, "node_type": "group"}


def write_node(folder, metadata, **chunks):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "zarr.json").write_text(json.dumps(metadata))
    for name, content in chunks.items():
        chunk = folder / "c" / name
        chunk.parent.mkdir(exist_ok=True)
        chunk.write_text(content)
    return folder


class TestCheckWay:
    """What is written goes behind no symlink, below no array and through no file."""

    def test_free(self, root):
        """Folders, groups and what does not exist yet are fine."""
        write_node(root / "box" / "group", GROUP)
        check_way(str(root), ["box", "group", "new", "newer"])
        assert sorted(os.listdir(root / "box" / "group")) == ["zarr.json"]

    @pytest.mark.parametrize("at", [0, 1, 2])
    def test_symlink(self, root, tmp_path, at):
        """A symlink at any segment is refused and named, even one that leads nowhere or back into the root."""
        segments = ["a", "b", "c"]
        (root / "real").mkdir()
        for target in (tmp_path, root / "real", tmp_path / "absent"):
            link = root.joinpath(*segments[: at + 1])
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(target)
            with pytest.raises(NotInStoreError, match=f"^{re.escape(repr(str(link)))} is a symlink"):
                check_way(str(root), segments)
            link.unlink()

    def test_root_is_a_symlink(self, root, tmp_path):
        """The root itself may be a symlink."""
        (tmp_path / "link").symlink_to(root)
        check_way(str(tmp_path / "link"), ["a"])
        assert os.listdir(root) == []

    @pytest.mark.parametrize("at", [0, 1])
    def test_file_and_array(self, root, at):
        """A file and an array at any segment are refused and named."""
        segments = ["a", "b", "c"]
        way = root.joinpath(*segments[: at + 1])
        way.parent.mkdir(parents=True, exist_ok=True)
        way.write_text("")
        with pytest.raises(NotInStoreError, match=f"^{re.escape(repr(str(way)))} is a file"):
            check_way(str(root), segments)
        way.unlink()
        write_node(way, ARRAY)
        with pytest.raises(NotInStoreError, match=f"^{re.escape(repr(str(way)))} is an array"):
            check_way(str(root), segments)


class TestLeavingNoFolders:
    """The folders that were made for something are taken back when the body raises."""

    def fail(self, root, segments, error=RuntimeError, also=None):
        with leaving_no_folders(str(root), segments):
            root.joinpath(*segments).mkdir(parents=True)
            if also is not None:
                write_node(also, ARRAY)
            raise error

    def test_all_well(self, root):
        """A body that does not raise keeps what it made."""
        with leaving_no_folders(str(root), ["box", "a"]):
            write_node(root / "box" / "a", ARRAY)
        assert node_type(str(root / "box" / "a")) == "array"

    @pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, NotFoundError])
    def test_taken_back(self, root, snapshot, error):
        """Whatever the body raises goes up, and the folders that it made are gone."""
        write_node(root / "kept", ARRAY)
        before = snapshot(root)
        with pytest.raises(error):
            self.fail(root, ["box", "deep", "a"], error)
        assert snapshot(root) == before

    def test_new_root(self, root):
        """A root that was made on the way is taken back too."""
        with pytest.raises(RuntimeError):
            self.fail(root / "new", ["a"])
        assert os.listdir(root) == []

    def test_of_others(self, root):
        """What somebody else put on the way meanwhile stays, and so does a folder that was there before."""
        (root / "old").mkdir()
        with pytest.raises(RuntimeError):
            self.fail(root, ["box", "a"], also=root / "box" / "theirs")
        assert os.listdir(root / "box") == ["theirs"]
        with pytest.raises(FileExistsError):
            self.fail(root, ["old"])
        assert os.listdir(root / "old") == []


class TestStaging:
    """Something is made aside, out of sight."""

    @pytest.mark.parametrize("error", [None, RuntimeError, KeyboardInterrupt])
    def test_left(self, root, error):
        """What is left aside is deleted, whatever happened, and the folders that it was in are gone too."""
        with suppress(RuntimeError, KeyboardInterrupt), Descent(str(root)) as descent, staging(descent) as stage:
            write_node(Path(stage.way) / "new", ARRAY, **{"0": "chunk"})
            assert sorted(os.listdir(root / stage.path / "new")) == ["c", "zarr.json"]
            assert os.listdir(stage.folder) == ["new"]
            if error is not None:
                raise error
        assert os.listdir(root) == []

    def test_beside_another(self, root):
        """Two that make something at the same time have each a place of their own, and one leaves the other's alone."""
        with Descent(str(root)) as one, staging(one) as first:
            with Descent(str(root)) as other, staging(other) as second:
                assert first.path != second.path
            assert os.path.isdir(root / first.path)
        assert os.listdir(root) == []

    def test_tidying_meanwhile(self, root):
        """Whoever tidies up the store leaves alone what somebody has just begun to make."""
        with Descent(str(root)) as descent, staging(descent) as stage:
            settle(LocalBackend(str(root)))
            write_node(Path(stage.way) / "new", ARRAY)
            assert os.path.exists(root / stage.path / "new/zarr.json")
        assert os.listdir(root) == []

    @pytest.mark.parametrize("way", [".zarrange", ".zarrange/stage"])
    def test_symlink_in_the_way(self, root, tmp_path, snapshot, way):
        """A place aside that leads out of the root is refused."""
        (tmp_path / "outside").mkdir()
        (root / way).parent.mkdir(exist_ok=True)
        (root / way).symlink_to(tmp_path / "outside")
        before = snapshot(tmp_path)
        with Descent(str(root)) as descent, pytest.raises(NotInStoreError, match="is a symlink"), staging(descent):
            pytest.fail("the body is not reached")
        assert snapshot(tmp_path) == before


class TestSweeping:
    """What makers that have died have left on the stage is deleted, and nothing else."""

    def test_who_lives_is_left_alone(self, root):
        """What a maker is at is not swept, by this process or another one, and then it is whole."""
        with Descent(str(root)) as descent, staging(descent) as stage:
            Path(stage.way, "new").mkdir()
            assert sweep(str(root)) == []
            if not (child := os.fork()):
                os._exit(len(sweep(str(root))))
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
            assert os.listdir(stage.way) == ["new"]
        assert os.listdir(root) == []

    def test_who_has_died(self, root):
        """What a maker has left that was killed is swept with all that is in it, and its path is told."""
        if not (child := os.fork()):
            with Descent(str(root)) as descent, staging(descent) as stage:
                write_node(Path(stage.way, "new"), ARRAY, a="chunk")
                os._exit(0)
        os.waitpid(child, 0)
        (left,) = os.listdir(root / ".zarrange/stage")
        assert sweep(str(root)) == [f".zarrange/stage/{left}"]
        assert os.listdir(root) == []

    def test_what_is_no_makers(self, root):
        """What a transaction has there, a file, a symlink, and what somebody else has put there stay."""
        name = f"new-{'a' * 16}"
        stage = root / ".zarrange/stage"
        for one in ("0123456789abcdef", "mine", f"{name}0"):
            (stage / one / "x").mkdir(parents=True)
        (stage / name).symlink_to(stage / "mine")
        (stage / f"new-{'b' * 16}").touch()
        before = sorted(os.listdir(stage))
        assert sweep(str(root)) == []
        assert sorted(os.listdir(stage)) == before
        assert (stage / "mine/x").exists()

    def test_a_stage_elsewhere(self, root, tmp_path):
        """A stage that is a symlink is refused, and nothing is deleted behind it."""
        (tmp_path / f"elsewhere/new-{'a' * 16}/x").mkdir(parents=True)
        (root / ".zarrange").mkdir()
        (root / ".zarrange/stage").symlink_to(tmp_path / "elsewhere")
        with pytest.raises(NotInStoreError, match=r"stage' is a symlink"):
            sweep(str(root))
        assert (tmp_path / f"elsewhere/new-{'a' * 16}/x").exists()

    def test_nothing_there(self, root):
        """Where nothing was ever made, nothing is made."""
        assert sweep(str(root)) == []
        assert sweep(str(root / "missing")) == []
        assert os.listdir(root) == []
