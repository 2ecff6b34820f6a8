"""Local folders: what a node is, and taking one out of a folder without ever leaving that folder."""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
import subprocess
import sys
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest

from zarrange.errors import AlreadyExistsError, LeftoverError, NotFoundError, NotInStoreError, StoreError
from zarrange.stores.local.folders import (
    check_array,
    check_no_node_inside,
    check_way,
    leaving_no_folders,
    put_in,
    staging,
    take_out,
)
from zarrange.stores.local.nodes import node_type

ARRAY = {"zarr_format": 3, "node_type": "array"}
GROUP = {"zarr_format": 3, "node_type": "group"}

ATTEMPTS = 4_000
"""A second or three for each folder; a fraction of them leads the clumsy way astray."""
ENOUGH = 50
CLUMSY_ATTEMPTS = 100_000

SWAPPER = """
import os, sys
way, aside, outside = sys.argv[1:]

def swap(step, *paths):
    try:
        step(*paths)
    except OSError:
        pass

print("ready", flush=True)
while True:
    swap(os.rename, way, aside)
    swap(os.symlink, outside, way)
    swap(os.unlink, way)
    swap(os.rename, aside, way)
    for _ in range(500):
        pass  # or else the true folder is there too rarely
"""


def write_node(folder, metadata, **chunks):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "zarr.json").write_text(json.dumps(metadata))
    for name, content in chunks.items():
        chunk = folder / "c" / name
        chunk.parent.mkdir(exist_ok=True)
        chunk.write_text(content)
    return folder


def descriptor(folder):
    return closing(_Descriptor(folder))


class _Descriptor:
    """An open folder."""

    def __init__(self, folder):
        self.number = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)

    def close(self):
        os.close(self.number)


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


class TestChecks:
    """An array's folder holds the array alone."""

    @pytest.mark.parametrize("name", ["c", "0.0", "12", "c.0.1", "x.partial", ".zattrs", "zarr.json", ".zarray"])
    def test_part_of_an_array(self, root, name):
        """Metadata, chunks and what an interrupted write left are parts of an array."""
        write_node(root / "a", ARRAY)
        if not (root / "a" / name).exists():
            (root / "a" / name).write_text("{}")
        with descriptor(root / "a") as folder:
            assert check_array(folder.number) is None

    @pytest.mark.parametrize("name", ["notes.txt", "raw", "cc", "0.x", ".zgroup.bak", "chunks", "0-0", "C"])
    def test_foreign(self, root, snapshot, name):
        """Anything else is refused and named."""
        write_node(root / "a", ARRAY, **{"0": "chunk"})
        (root / "a" / name).write_text("mine")
        before = snapshot(root)
        with descriptor(root / "a") as folder, pytest.raises(NotInStoreError, match=re.escape(repr(name))):
            check_array(folder.number)
        assert snapshot(root) == before

    @pytest.mark.parametrize("way", ["c/0", "c/0/1/2", "0"])
    @pytest.mark.parametrize("metadata", ["zarr.json", ".zarray", ".zgroup"])
    def test_node_among_chunks(self, root, way, metadata):
        """Another node at any depth is refused and named."""
        write_node(root / "a", ARRAY)
        inner = root / "a" / way
        inner.mkdir(parents=True)
        (inner / metadata).write_text("{}")
        with (
            descriptor(root / "a") as folder,
            pytest.raises(NotInStoreError, match=f"'{way}' inside is another zarr node"),
        ):
            check_array(folder.number)
        with descriptor(root / "a") as folder, pytest.raises(NotInStoreError, match=f"'{way}'"):
            check_no_node_inside(folder.number)

    def test_foreign_symlink_is_not_followed(self, root, tmp_path):
        """A symlink among the chunks is not looked through."""
        write_node(tmp_path / "outside" / "node", ARRAY)
        write_node(root / "a", ARRAY, **{"0": "chunk"})
        (root / "a" / "c" / "1").symlink_to(tmp_path / "outside")
        with descriptor(root / "a") as folder:
            assert check_no_node_inside(folder.number) is None

    def test_unreadable_chunks(self, shared_folder, as_nobody):
        """Chunk folders that may not be read are an error: another node could be inside."""
        with as_nobody():
            write_node(shared_folder / "a", ARRAY, **{"0": "chunk"})
            (shared_folder / "a" / "c").chmod(0)
            with descriptor(shared_folder / "a") as folder, pytest.raises(PermissionError):
                check_no_node_inside(folder.number)


class TestTakeOut:
    """Remove what is at a place: rename it aside, out of sight at once, then delete it."""

    def test_exactly_this(self, root, snapshot):
        """Exactly the folder at the place goes, with everything below it; nothing else changes."""
        write_node(root / "box" / "b", ARRAY, **{"0": "chunk"})
        write_node(root / "box" / "aa", ARRAY, **{"0": "chunk"})
        before = snapshot(root)
        write_node(root / "box" / "a", ARRAY, **{"0": "chunk", "1": "chunk"})
        take_out(str(root), ["box", "a"], check_array)
        assert snapshot(root) == before

    def test_file(self, root, snapshot):
        """A file goes alone."""
        (root / "kept").write_text("kept")
        before = snapshot(root)
        (root / "file").write_text("x")
        take_out(str(root), ["file"], None)
        assert snapshot(root) == before

    def test_symlinks_inside(self, root, tmp_path, snapshot):
        """A symlink inside the folder goes as a symlink: what it leads to stays."""
        write_node(tmp_path / "outside", ARRAY, **{"0": "chunk"})
        outside = snapshot(tmp_path / "outside")
        write_node(root / "a", ARRAY, **{"0": "chunk"})
        (root / "a" / "c" / "1").symlink_to(tmp_path / "outside")
        (root / "a" / "c" / "2").symlink_to(tmp_path / "outside" / "zarr.json")
        take_out(str(root), ["a"], None)
        assert os.listdir(root) == []
        assert snapshot(tmp_path / "outside") == outside

    @pytest.mark.parametrize("segments", [["absent"], ["a", "absent"], ["absent", "a"]])
    def test_absent(self, root, snapshot, segments):
        """What does not exist is a `NotFoundError` that names it, and nothing changes."""
        write_node(root / "a", GROUP)
        before = snapshot(root)
        with pytest.raises(NotFoundError, match=r"nothing is there: .*absent"):
            take_out(str(root), segments, None)
        assert snapshot(root) == before

    def test_absent_root(self, root):
        """A root that does not exist is a `NotFoundError`, and it is not made."""
        with pytest.raises(NotFoundError):
            take_out(str(root / "absent"), ["a"], None)
        assert os.listdir(root) == []

    @pytest.mark.parametrize("at", [0, 1, 2])
    def test_symlink_at_a_segment(self, root, tmp_path, snapshot, at):
        """A symlink at any segment is refused and named, and neither side of it changes."""
        segments = ["a", "b", "c"]
        outside = write_node(tmp_path.joinpath("outside", *segments), ARRAY, **{"0": "chunk"})
        link = root.joinpath(*segments[: at + 1])
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(tmp_path.joinpath("outside", *segments[: at + 1]))
        assert (root / "a" / "b" / "c").samefile(outside)
        before = snapshot(tmp_path)
        with pytest.raises(NotInStoreError, match=f"^{re.escape(repr(str(link)))} is a symlink"):
            take_out(str(root), segments, check_array)
        assert snapshot(tmp_path) == before

    def test_root_is_a_symlink(self, root, tmp_path):
        """The root itself may be a symlink."""
        write_node(root / "a", ARRAY)
        (tmp_path / "link").symlink_to(root)
        take_out(str(tmp_path / "link"), ["a"], check_array)
        assert os.listdir(root) == []

    def test_way_through_a_file(self, root, snapshot):
        """A way through a file is refused, and the file stays."""
        (root / "a").write_text("x")
        before = snapshot(root)
        with pytest.raises(NotInStoreError, match="is not a folder"):
            take_out(str(root), ["a", "b"], None)
        assert snapshot(root) == before

    def test_check_refuses(self, root, snapshot):
        """A check that refuses changes nothing."""
        write_node(root / "a", GROUP)
        before = snapshot(root)
        with pytest.raises(NotInStoreError, match="it is not an array"):
            take_out(str(root), ["a"], check_array)
        assert snapshot(root) == before

    def test_check_of_a_file(self, root, snapshot):
        """A check is asked about a file too, or refuses it: a file is not what it would have let pass."""
        (root / "a").write_text("mine")
        before = snapshot(root)
        with pytest.raises(NotInStoreError):
            take_out(str(root), ["a"], check_array)
        assert snapshot(root) == before

    @pytest.mark.parametrize("way", [".zarrange", ".zarrange/trash"])
    @pytest.mark.parametrize("make", ["symlink", "file"])
    def test_trash_in_the_way(self, root, tmp_path, snapshot, way, make):
        """A symlink or a file where the trash would be is refused, and neither side of it changes."""
        (tmp_path / "outside").mkdir()
        write_node(root / "a", ARRAY)
        (root / way).parent.mkdir(exist_ok=True)
        if make == "symlink":
            (root / way).symlink_to(tmp_path / "outside")
        else:
            (root / way).write_text("")
        before = snapshot(tmp_path)
        with pytest.raises(NotInStoreError, match=re.escape(way)):
            take_out(str(root), ["a"], check_array)
        assert snapshot(tmp_path) == before

    def test_trash_of_others(self, root, snapshot):
        """What somebody else left in the trash stays there."""
        (root / ".zarrange" / "trash" / "theirs").mkdir(parents=True)
        before = snapshot(root)
        write_node(root / "a", ARRAY)
        take_out(str(root), ["a"], check_array)
        assert snapshot(root) == before

    def test_no_descriptor_is_left_open(self, root):
        """Every descriptor is closed again, whether it is removed, refused or not there."""
        write_node(root / "group", GROUP)
        write_node(root / "damaged", ARRAY)
        (root / "damaged" / "zarr.json").unlink()
        (root / "damaged" / "zarr.json").mkdir()
        before = len(os.listdir("/dev/fd"))
        for name in ("array", "group", "absent", "damaged"):
            write_node(root / "array", ARRAY, **{"0": "chunk"})
            with suppress(StoreError, OSError):
                take_out(str(root), [name], check_array)
        assert len(os.listdir("/dev/fd")) == before


class TestHalfWay:
    """What cannot be deleted is out of sight all the same, and the error says where the rest is."""

    def test_leftover(self, shared_folder, as_nobody, snapshot):
        """A deletion that fails half-way is a `LeftoverError` that says where the rest is, with the rest as it was."""
        with as_nobody():
            write_node(shared_folder / "kept", ARRAY, **{"0": "chunk"})
            write_node(shared_folder / "a", ARRAY, **{"0": "chunk"})
            (shared_folder / "a" / "c").chmod(0o555)
            kept, chunks = snapshot(shared_folder / "kept"), snapshot(shared_folder / "a" / "c")
            with pytest.raises(LeftoverError, match=r"^removed, but what is left of it in '.*' could not ") as caught:
                take_out(str(shared_folder), ["a"], check_array)
            (rest,) = re.findall(r"left of it in '([^']*)'", str(caught.value))
            assert sorted(os.listdir(shared_folder)) == [".zarrange", "kept"]
            assert Path(rest).parents[1] == shared_folder / ".zarrange" / "trash"
            assert snapshot(Path(rest) / "c") == chunks
            assert snapshot(shared_folder / "kept") == kept
            with pytest.raises(NotFoundError):
                take_out(str(shared_folder), ["a"], check_array)

    def test_after_a_leftover(self, shared_folder, as_nobody):
        """A leftover is in nobody's way: the next removal works, and leaves the leftover alone."""
        with as_nobody():
            write_node(shared_folder / "a", ARRAY, **{"0": "chunk"})
            (shared_folder / "a" / "c").chmod(0o555)
            with pytest.raises(LeftoverError):
                take_out(str(shared_folder), ["a"], check_array)
            left = os.listdir(shared_folder / ".zarrange" / "trash")
            write_node(shared_folder / "a", ARRAY)
            take_out(str(shared_folder), ["a"], check_array)
            assert os.listdir(shared_folder) == [".zarrange"]
            assert os.listdir(shared_folder / ".zarrange" / "trash") == left

    @pytest.mark.parametrize("locked", ["", "box", "box/a/c"])
    def test_no_permission(self, shared_folder, as_nobody, snapshot, locked):
        """Where renaming or looking is not permitted, the error goes up, and nothing changes or is left behind."""
        with as_nobody():
            root = shared_folder / "root"
            write_node(root / "box" / "a", ARRAY, **{"0": "chunk"})
            before = snapshot(root)
            modes = [(root / locked, stat.S_IMODE((root / locked).stat().st_mode))]
            (root / locked).chmod(0o000 if locked == "box/a/c" else 0o555)
            try:
                with pytest.raises(PermissionError):
                    take_out(str(root), ["box", "a"], check_array)
            finally:
                for path, mode in modes:
                    path.chmod(mode)
            assert snapshot(root) == before


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
    """Something is made aside and then brought to its place in one step."""

    def test_put_in(self, root):
        """What was made is at its place, and nothing is left aside."""
        with staging(str(root)) as stage:
            write_node(Path(stage), ARRAY)
            put_in(stage, str(root / "a"))
        assert os.listdir(root) == ["a"]
        assert node_type(str(root / "a")) == "array"

    def test_left(self, root):
        """What is left aside is deleted, whatever happened."""
        with staging(str(root)) as stage:
            write_node(Path(stage), ARRAY, **{"0": "chunk"})
        assert os.listdir(root) == []

    @pytest.mark.parametrize("make", [lambda path: write_node(path, ARRAY), lambda path: path.write_text("x")])
    def test_never_over_something(self, root, snapshot, make):
        """What is at the place by now stays as it is."""
        make(root / "a")
        before = snapshot(root)
        with staging(str(root)) as stage:
            write_node(Path(stage), ARRAY)
            with pytest.raises(AlreadyExistsError):
                put_in(stage, str(root / "a"))
        assert snapshot(root) == before

    def test_symlink_in_the_way(self, root, tmp_path, snapshot):
        """A place aside that leads out of the root is refused."""
        (tmp_path / "outside").mkdir()
        (root / ".zarrange").symlink_to(tmp_path / "outside")
        before = snapshot(tmp_path)
        with pytest.raises(NotInStoreError, match="is a symlink"), staging(str(root)):
            pass
        assert snapshot(tmp_path) == before


def remove_safely(root, segments):
    take_out(str(root), segments, check_array)


def remove_clumsily(root, segments):
    """Remove as most programs do: look whether the path is real, then delete it."""
    path = os.path.join(root, *segments)
    try:
        is_real = os.path.realpath(path, strict=True) == path
    except OSError:
        raise NotFoundError from None
    if not is_real:
        raise NotInStoreError
    shutil.rmtree(path, ignore_errors=True)


class Race:
    """A store, a folder outside with an array of the same path, and a process that swaps a folder for a symlink."""

    SEGMENTS = ("run", "box", "a")

    def __init__(self, folder, swapped):
        folder = folder.resolve()
        self.root = folder / "store"
        self.outside = folder / "outside"
        self.way = self.root.joinpath(*self.SEGMENTS[:swapped])
        self.target = self.outside.joinpath(*self.SEGMENTS[:swapped])
        write_node(self.root.joinpath(*self.SEGMENTS), ARRAY)
        write_node(self.outside.joinpath(*self.SEGMENTS), ARRAY, **{"0": "chunk"})
        self.aside = self.way.with_name("aside")
        self.outcomes = dict.fromkeys(("removed", "absent", "refused"), 0)

    @contextmanager
    def swapping(self):
        """Swap all the while; yields a descriptor of the folder that the array is in, wherever it is at the moment."""
        parent = os.open(self.root.joinpath(*self.SEGMENTS[:-1]), os.O_RDONLY)
        command = [sys.executable, "-c", SWAPPER, self.way, self.aside, self.target]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as swapper:
            try:
                assert swapper.stdout.readline() == b"ready\n"
                yield parent
            finally:
                swapper.kill()
                os.close(parent)

    def attempt(self, remove, parent):
        try:
            remove(self.root, self.SEGMENTS)
        except NotFoundError:
            self.outcomes["absent"] += 1
            os.sched_yield()  # let the other process go on, where both must share a processor
        except StoreError:
            self.outcomes["refused"] += 1
            os.sched_yield()
        else:
            self.outcomes["removed"] += 1
        self.put_back(parent)

    def put_back(self, parent):
        """Make the array again where it was removed, by descriptors alone: the test itself must not be led astray."""
        with suppress(FileExistsError, FileNotFoundError):
            os.mkdir("a", dir_fd=parent)
        with suppress(FileExistsError, FileNotFoundError, OSError):
            folder = os.open("a", os.O_RDONLY | os.O_NOFOLLOW | os.O_DIRECTORY, dir_fd=parent)
            with os.fdopen(os.open("zarr.json", os.O_WRONLY | os.O_CREAT, dir_fd=folder), "w") as file:
                json.dump(ARRAY, file)
            os.close(folder)


class TestRace:
    """No symlink leads out, not even one that is swapped in meanwhile."""

    @pytest.mark.parametrize("swapped", [1, 2, 3], ids=["run", "container", "array"])
    def test_safe(self, tmp_path, snapshot, swapped):
        """While a folder on the way is swapped for a symlink all the time, nothing outside is ever touched."""
        race = Race(tmp_path, swapped)
        outside = snapshot(race.outside)
        with race.swapping() as parent:
            for _ in range(ATTEMPTS):
                race.attempt(remove_safely, parent)
                if min(race.outcomes.values()) >= ENOUGH:
                    break
        assert snapshot(race.outside) == outside
        assert race.outcomes["removed"] > 0
        assert race.outcomes["refused"] > 0

    def test_clumsy(self, tmp_path, snapshot):
        """In the same race, looking first and deleting then does delete what is outside: the test can fail."""
        race = Race(tmp_path, 1)
        outside = snapshot(race.outside)
        with race.swapping() as parent:
            attempts = 0
            while snapshot(race.outside) == outside and attempts < CLUMSY_ATTEMPTS:
                race.attempt(remove_clumsily, parent)
                attempts += 1
        assert snapshot(race.outside) != outside


class TestReplaced:
    """What takes the place of an artifact between the check and the renaming is not removed in its stead."""

    @pytest.mark.parametrize("made_of", ["folder", "file", "symlink"])
    def test_it_is_put_back(self, root, tmp_path, snapshot, made_of):
        """What was checked is not what was renamed: it is put back, and nothing is deleted."""
        write_node(root / "box" / "a", ARRAY)
        write_node(tmp_path / "outside", ARRAY, **{"0": "chunk"})

        def replace(_):
            os.rename(root / "box" / "a", root / "box" / "b")
            if made_of == "folder":
                write_node(root / "box" / "a", ARRAY, **{"0": "theirs"})
            elif made_of == "file":
                (root / "box" / "a").write_text("theirs")
            else:
                (root / "box" / "a").symlink_to(tmp_path / "outside")
            replace.left = snapshot(tmp_path)

        with pytest.raises(NotInStoreError, match="was replaced while it was being removed; it is as it was"):
            take_out(str(root), ["box", "a"], replace)
        assert snapshot(tmp_path) == replace.left


SWAP = """
import os, sys
from zarrange.errors import StoreError
from zarrange.stores.local.folders import check_array, take_out

root, outside, at = sys.argv[1], sys.argv[2], int(sys.argv[3])
way = os.path.join(root, *"run/box/a".split("/")[:at])
outside = os.path.join(outside, *"run/box/a".split("/")[:at])
swapped = []

def swap(event, arguments):
    # Between the look at a folder and its opening, a symlink takes its place.
    if event == "open" and arguments[0] == os.path.basename(way) and not swapped:
        swapped.append(way)
        os.rename(way, way + ".aside")
        os.symlink(outside, way)

sys.addaudithook(swap)
try:
    take_out(root, ["run", "box", "a"], check_array)
except StoreError as error:
    print(bool(swapped), error)
else:
    print(bool(swapped), "removed")
"""


class TestSwapped:
    @pytest.mark.parametrize("at", [1, 2, 3])
    def test_just_before_it_is_opened(self, root, tmp_path, snapshot, at):
        """A symlink that takes the place of a folder after the look at it, and before its opening, is not followed."""
        write_node(root / "run" / "box" / "a", ARRAY)
        write_node(tmp_path / "outside" / "run" / "box" / "a", ARRAY, **{"0": "chunk"})
        outside = snapshot(tmp_path / "outside")
        command = [sys.executable, "-c", SWAP, root, tmp_path / "outside", str(at)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        assert done.stdout.startswith("True ")
        assert "is a symlink, or not a folder" in done.stdout
        assert snapshot(tmp_path / "outside") == outside
