"""Descent: folders below a root by descriptors that are held open; no symlink is followed, nothing is replaced."""

from __future__ import annotations

import errno
import os
import re
import stat
import threading
from contextlib import suppress

import pytest

from zarrange.errors import AlreadyExistsError, NotFoundError, NotInStoreError
from zarrange.stores.local import descent as descending
from zarrange.stores.local.descent import Descent, exists, open_folder, rename, status


@pytest.fixture
def descent(root):
    with Descent(str(root)) as made:
        yield made


def inode(place):
    return os.fstat(place).st_ino if isinstance(place, int) else place.stat().st_ino


class TestFolder:
    def test_the_one_that_was_asked_for(self, descent, root):
        """A descriptor is that of the folder, the root's for the empty path, and the last one is kept."""
        (root / "a/b").mkdir(parents=True)
        assert inode(descent.folder("")) == inode(root)
        first = descent.folder("a/b")
        assert inode(first) == inode(root / "a/b")
        assert descent.folder("a/b") == first
        assert inode(descent.folder("a")) == inode(root / "a")
        folder, name = descent.above("a/b")
        assert (inode(folder), name) == (inode(root / "a"), "b")

    @pytest.mark.parametrize("path", ["absent", "a/absent", "absent/a"])
    def test_absent(self, descent, root, snapshot, path):
        """What does not exist is a `NotFoundError` that names it, and it is not made."""
        (root / "a").mkdir()
        before = snapshot(root)
        with pytest.raises(NotFoundError, match=rf"nothing is there: '{root}/(a/)?absent'"):
            descent.folder(path)
        assert descent.status(path) is None
        assert snapshot(root) == before

    @pytest.mark.parametrize("at", [1, 2, 3])
    @pytest.mark.parametrize("target", ["../../outside", "../inside", "nowhere"])
    def test_symlink(self, descent, root, snapshot, at, target):
        """A symlink at any segment is refused and named, wherever it leads, and nothing is made behind it."""
        (root.parent / "outside").mkdir()
        (root / "inside").mkdir()
        link = root.joinpath(*"abc"[:at])
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(os.path.normpath(root / "x" / target))
        before = snapshot(root.parent)
        for like in (None, ""):
            with pytest.raises(NotInStoreError, match=rf"^'{re.escape(str(link))}' is a symlink$"):
                descent.folder("a/b/c", like=like)
        assert snapshot(root.parent) == before

    @pytest.mark.parametrize("make", [lambda path: path.write_text("x"), os.mkfifo], ids=["file", "pipe"])
    def test_no_folder(self, descent, root, make):
        """A file and a pipe on the way are refused, and not waited for."""
        make(root / "a")
        for path in ("a", "a/b"):
            with pytest.raises(NotInStoreError, match=r"/a' is not a folder$"):
                descent.folder(path)

    def test_the_root(self, root, tmp_path):
        """The root itself may be a symlink, and must be there."""
        (root / "a").mkdir()
        (tmp_path / "link").symlink_to(root)
        with Descent(str(tmp_path / "link")) as through:
            assert inode(through.folder("a")) == inode(root / "a")
        with pytest.raises(NotFoundError, match="absent"):
            Descent(str(tmp_path / "absent"))

    def test_a_folder_that_is_swapped(self, descent, root, tmp_path):
        """A folder that was reached stays the one that it was, wherever its name leads meanwhile."""
        (root / "a").mkdir()
        (tmp_path / "outside").mkdir()
        folder = descent.folder("a")
        (root / "a").rename(root / "b")
        (root / "a").symlink_to(tmp_path / "outside")
        os.mkdir("new", dir_fd=folder)
        assert os.listdir(root / "b") == ["new"]
        descent.leave()
        with pytest.raises(NotInStoreError, match="is a symlink"):
            descent.folder("a")

    def test_no_descriptor_is_left_open(self, root):
        """Every descriptor is closed again, whatever was asked for."""
        (root / "a/b").mkdir(parents=True)
        (root / "link").symlink_to("a")
        before = len(os.listdir("/dev/fd"))
        for path in ("a", "a/b", "absent", "link", "link/x", "a/absent/b"):
            with Descent(str(root)) as descent:
                for like in (None, "a"):
                    with suppress(NotFoundError, NotInStoreError):
                        descent.status(path)
                        os.close(descent.open(path, like=like))
        assert len(os.listdir("/dev/fd")) == before


class TestMaking:
    def test_like_another(self, descent, root):
        """What is missing is made with the permissions of the other folder; what is there keeps its own."""
        (root / "model").mkdir()
        (root / "model").chmod(0o2750)
        (root / "there").mkdir(mode=0o700)
        os.close(descent.open("there/a/b", like="model"))
        modes = [stat.S_IMODE((root / path).stat().st_mode) for path in ("there", "there/a", "there/a/b")]
        assert modes == [0o700, 0o2750, 0o2750]

    @pytest.mark.parametrize("like", ["", "absent"])
    def test_like_none(self, descent, root, like):
        """Without another folder, new ones are as the process makes them."""
        descent.folder("a/b", like=like)
        wanted = 0o777 & ~umask()
        assert [stat.S_IMODE((root / path).stat().st_mode) for path in ("a", "a/b")] == [wanted, wanted]

    def test_while_others_clean_up(self, root):
        """A folder is made again that somebody else has just removed as empty."""
        stop = threading.Event()

        def clean():
            with Descent(str(root)) as descent:
                while not stop.is_set():
                    descent.remove_empty("a/b/c")

        cleaner = threading.Thread(target=clean)
        cleaner.start()
        try:
            with Descent(str(root)) as descent:
                for _ in range(2_000):
                    os.close(descent.open("a/b/c", like=""))
        finally:
            stop.set()
            cleaner.join()
        assert set(os.listdir(root)) <= {"a"}


def umask():
    now = os.umask(0)
    os.umask(now)
    return now


class TestRemoveEmpty:
    def test_upwards(self, descent, root):
        """Empty folders go from the innermost up to the first that is not; the root stays."""
        (root / "a/b/c").mkdir(parents=True)
        (root / "a/file").write_text("x")
        descent.remove_empty("a/b/c")
        assert os.listdir(root / "a") == ["file"]
        (root / "x/y").mkdir(parents=True)
        (root / "a/file").unlink()
        descent.remove_empty("x/y")
        descent.remove_empty("a")
        assert os.listdir(root) == []

    @pytest.mark.parametrize("path", ["absent/x", "file", "full", "link", "link/inner"])
    def test_nothing_else(self, descent, root, tmp_path, snapshot, path):
        """What is not there, no folder, not empty or behind a symlink stays as it is."""
        (tmp_path / "outside/inner").mkdir(parents=True)
        (root / "link").symlink_to(tmp_path / "outside")
        (root / "file").write_text("x")
        (root / "full").mkdir()
        (root / "full/x").write_text("x")
        before = snapshot(tmp_path)
        descent.remove_empty(path)
        assert snapshot(tmp_path) == before


@pytest.fixture(params=["renameat2", "without"])
def system(request, monkeypatch):
    """File systems that can rename without replacing, and those that cannot."""
    if request.param == "without":
        monkeypatch.setattr(descending, "_renameat2", descending._unsupported)


@pytest.mark.usefixtures("system")
class TestRename:
    """What is renamed never replaces anything, also on file systems that cannot promise it by themselves."""

    @pytest.mark.parametrize("is_folder", [False, True])
    def test_moves(self, descent, root, is_folder):
        """A file and a folder come to their new name with all that is in them."""
        (root / "to").mkdir()
        self.make(root / "a", is_folder)
        before = (root / "a").stat().st_ino
        rename(descent.top, "a", descent.folder("to"), "b", "shown")
        assert os.listdir(root) == ["to"]
        assert (root / "to/b").stat().st_ino == before
        assert (root / "to/b/x" if is_folder else root / "to/b").read_text() == "mine"

    @pytest.mark.parametrize("is_folder", [False, True])
    @pytest.mark.parametrize("there", ["file", "folder", "symlink", "pipe"])
    def test_never_over_another(self, descent, root, snapshot, is_folder, there):
        """Whatever has the name already stays, and the error names it."""
        self.make(root / "a", is_folder)
        if there == "symlink":
            (root / "b").symlink_to("nowhere")
        elif there == "pipe":
            os.mkfifo(root / "b")
        else:
            self.make(root / "b", there == "folder")
        before = snapshot(root)
        with pytest.raises(AlreadyExistsError, match="something is there already: 'the shown one'"):
            rename(descent.top, "a", descent.top, "b", "the shown one")
        assert snapshot(root) == before

    def test_absent(self, descent, root):
        """Nothing to rename is a `NotFoundError`."""
        with pytest.raises(NotFoundError, match="nothing is there: 'a'"):
            rename(descent.top, "a", descent.top, "b", "shown")
        assert os.listdir(root) == []

    def test_a_symlink_itself(self, descent, root):
        """A symlink is renamed itself."""
        (root / "a").symlink_to("nowhere")
        rename(descent.top, "a", descent.top, "b", "shown")
        assert os.readlink(root / "b") == "nowhere"
        assert os.listdir(root) == ["b"]

    def test_other_errors(self, descent, root):
        """What else a system says goes up as it is."""
        with pytest.raises(OSError, match="Invalid argument") as caught:
            self.into_itself(descent, root)
        assert caught.value.errno == errno.EINVAL
        assert os.listdir(root / "a") == ["x"]

    def into_itself(self, descent, root):
        self.make(root / "a", is_folder=True)
        rename(descent.top, "a", descent.folder("a"), "b", "shown")

    def make(self, path, is_folder):
        if is_folder:
            path.mkdir()
            (path / "x").write_text("mine")
        else:
            path.write_text("mine")


class TestStatus:
    def test_itself(self, descent, root):
        """What a name is, is told of itself and not of what it leads to; nothing is `None`."""
        (root / "file").write_text("x")
        (root / "link").symlink_to("file")
        assert stat.S_ISLNK(status(descent.top, "link").st_mode)
        assert stat.S_ISREG(descent.status("file").st_mode)
        assert status(descent.top, "absent") is None
        assert (exists(descent.top, "link"), exists(descent.top, "absent")) == (True, False)

    def test_open_folder(self, descent, root):
        """A folder inside an open one is opened without following."""
        (root / "a").mkdir()
        (root / "link").symlink_to("a")
        number = open_folder(descent.top, "a", "shown")
        assert inode(number) == inode(root / "a")
        os.close(number)
        with pytest.raises(NotInStoreError, match=r"^'shown' is a symlink$"):
            open_folder(descent.top, "link", "shown")
