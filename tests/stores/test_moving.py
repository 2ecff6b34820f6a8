"""Transactions in a local folder: all of it or nothing, never over anything, and never out of the store."""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
import stat
import subprocess
import sys
import threading
import time
import warnings
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import pytest
import zarr

from zarrange import Key, Layout, Store
from zarrange.errors import (
    AlreadyExistsError,
    BusyError,
    LeftoverError,
    NotFoundError,
    NotInStoreError,
    StoreError,
)
from zarrange.stores.local import LocalBackend, aside
from zarrange.stores.removal import plan_array_removal
from zarrange.stores.transactions import Intent, Move, Text
from zarrange.stores.upkeep import settle

IMPORTS = """
import os
from zarrange.stores.local import LocalBackend, aside
from zarrange.stores.transactions import Intent, Move
"""
METADATA = {2: [".zarray", ".zattrs"], 3: ["zarr.json"]}
LATER = 1_000.0


@pytest.fixture
def backend(root):
    return LocalBackend(str(root))


def write_array(path, zarr_format=3):
    array = zarr.create_array(path, data=np.arange(1, 9), chunks=(2,), zarr_format=zarr_format)
    array.attrs["by"] = "me"
    return path


def removing(*paths, zarr_format=3, **options):
    moves = [Move(f"{path}/{name}", None, is_folder=False) for path in paths for name in METADATA[zarr_format]]
    return Intent("remove", f"the removal of {', '.join(map(repr, paths))}", tuple(moves), rests=paths, **options)


def migrating(moves, **options):
    return Intent(
        "migrate", "the migration", tuple(Move(one, to, is_folder=True) for one, to in moves.items()), **options
    )


def elsewhere(root, code):
    """Run code in another process, which may end itself amid it."""
    script = f"{IMPORTS}\nbackend = LocalBackend({str(root)!r})\n{code}"
    return subprocess.run([sys.executable, "-c", script], check=False).returncode


class TestRemoval:
    """What a removal takes is out of sight at once, and everything else is as it was."""

    @pytest.mark.parametrize("zarr_format", [2, 3])
    def test_exactly_this(self, backend, root, snapshot, zarr_format):
        """Exactly the array goes, and nothing is left aside."""
        write_array(root / "box/aa", zarr_format)
        write_array(root / "box/b", zarr_format)
        before = snapshot(root)
        write_array(root / "box/a", zarr_format)
        backend.transact(removing("box/a", zarr_format=zarr_format))
        assert snapshot(root) == before
        assert backend.transactions() == []

    @pytest.mark.parametrize("zarr_format", [2, 3])
    def test_kept(self, backend, root, snapshot, zarr_format):
        """With a grace, only the metadata go at once: nobody sees the array any more, and all of it comes back."""
        write_array(root / "box/a", zarr_format)
        (root / "box/a").chmod(0o750)
        before = snapshot(root)
        done = backend.transact(removing("box/a", zarr_format=zarr_format), grace=LATER)
        assert backend.found("box/a").sort == "folder"
        assert sum(path.is_file() for path in (root / "box/a").rglob("*")) == 4
        assert backend.transactions() == [done]
        assert (done.phase, done.is_live, done.is_interrupted) == ("placed", False, False)
        assert done.keep_until == pytest.approx(time.time() + LATER, abs=60)
        backend.undo(done.id)
        assert snapshot(root) == before

    def test_files(self, backend, root, snapshot):
        """A file goes as a whole, and comes back as it was."""
        (root / "run").mkdir()
        (root / "run/x").write_text("mine")
        (root / "run/x").chmod(0o640)
        before = snapshot(root)
        intent = Intent("remove", "of x", (Move("run/x", None, is_folder=False),))
        done = backend.transact(intent, grace=LATER)
        assert not (root / "run/x").exists()
        backend.undo(done.id)
        assert snapshot(root) == before
        backend.transact(intent)
        assert [*root.rglob("*")] == [root / "run"]

    def test_many(self, backend, root, snapshot):
        """Many go together, and come back together."""
        paths = [str(write_array(root / f"box/{number}").relative_to(root)) for number in range(20)]
        before = snapshot(root)
        told = []
        done = backend.transact(removing(*paths), grace=LATER, progress=lambda *one: told.append(one))
        assert told == [(number + 1, 20) for number in range(20)]
        backend.undo(done.id)
        assert snapshot(root) == before
        backend.purge(backend.transact(removing(*paths), grace=LATER).id)
        assert os.listdir(root / "box") == []
        assert os.listdir(root) == ["box"]

    @pytest.mark.parametrize("zarr_format", [2, 3])
    def test_held_open(self, backend, root, zarr_format):
        """Whoever has an array open reads it whole during the grace; nobody else opens it."""
        write_array(root / "a", zarr_format)
        held = zarr.open_array(root / "a", mode="r")
        group = zarr.open_array(root / "a", mode="r")
        done = backend.transact(removing("a", zarr_format=zarr_format), grace=LATER)
        assert held[:].tolist() == [*range(1, 9)]
        assert group[4:6].tolist() == [5, 6]
        with pytest.raises(FileNotFoundError):
            zarr.open_array(root / "a", mode="r")
        backend.undo(done.id)
        assert zarr.open_array(root / "a", mode="r")[:].tolist() == held[:].tolist() == [*range(1, 9)]

    def test_symlinks_inside(self, backend, root, tmp_path, snapshot):
        """A symlink in what is removed goes as a symlink: what it leads to stays."""
        write_array(tmp_path / "outside")
        outside = snapshot(tmp_path / "outside")
        write_array(root / "a")
        (root / "a/c/7").symlink_to(tmp_path / "outside")
        (root / "a/c/8").symlink_to(tmp_path / "outside/zarr.json")
        backend.transact(removing("a"))
        assert os.listdir(root) == []
        assert snapshot(tmp_path / "outside") == outside

    def test_root_is_a_symlink(self, root, tmp_path):
        """The root itself may be a symlink."""
        write_array(root / "a")
        (tmp_path / "link").symlink_to(root)
        backend = LocalBackend(str(tmp_path / "link"))
        backend.undo(backend.transact(removing("a"), grace=LATER).id)
        backend.transact(removing("a"))
        assert os.listdir(root) == []

    @pytest.mark.parametrize("zarr_format", [2, 3])
    def test_copies_of_metadata(self, backend, root, zarr_format):
        """A group that keeps a copy of the metadata lists what is there: at once, and when it is undone."""
        for name in ("a", "b"):
            write_array(root / "box" / name, zarr_format)
        zarr.open_group(root / "box", mode="a", zarr_format=zarr_format)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", zarr.errors.ZarrUserWarning)
            zarr.consolidate_metadata(root / "box")
        done = backend.transact(removing("box/a", zarr_format=zarr_format, groups=("box",)), grace=LATER)
        assert [*zarr.open_consolidated(root / "box", mode="r")] == ["b"]
        backend.undo(done.id)
        assert sorted(zarr.open_consolidated(root / "box", mode="r")) == ["a", "b"]
        assert (zarr.open_consolidated(root / "box", mode="r")["a"][:] == np.arange(1, 9)).all()

    def test_trash_of_others(self, backend, root, snapshot):
        """What somebody else left in the trash stays there."""
        (root / ".zarrange/trash/theirs").mkdir(parents=True)
        before = snapshot(root)
        write_array(root / "a")
        backend.transact(removing("a"))
        assert snapshot(root) == before


class TestCheck:
    """The last look is taken when nobody else may come in between, and before anything is touched."""

    def test_when(self, backend, root, snapshot):
        """At that moment everything is as it was, but for the journal that keeps others off."""
        write_array(root / "a")
        before = snapshot(root)
        seen = []

        def check():
            seen.append({name: one for name, one in snapshot(root).items() if not name.startswith(".zarrange")})
            seen.append([one.is_live for one in backend.transactions()])
            with pytest.raises(BusyError, match="the removal of 'a' is under way: process"):
                backend.transact(removing("a"))

        backend.transact(removing("a"), check=check)
        assert seen == [before, [True]]
        assert os.listdir(root) == []

    @pytest.mark.parametrize("error", [StoreError, KeyboardInterrupt, NotFoundError])
    @pytest.mark.parametrize("is_stale", [False, True])
    def test_refusal(self, backend, root, snapshot, error, is_stale):
        """What it raises goes up, and the store is byte for byte as it was, also where a copy of metadata was stale."""
        zarr.open_group(root / "box", mode="a")
        write_array(root / "box/a")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", zarr.errors.ZarrUserWarning)
            zarr.consolidate_metadata(root / "box")
        if is_stale:
            write_array(root / "box/b")
        before = snapshot(root)

        def refuse():
            raise error("no")

        with pytest.raises(error):
            backend.transact(removing("box/a", groups=("box",)), check=refuse)
        assert snapshot(root) == before

    @pytest.mark.parametrize("at", [1, 2, 3])
    def test_interrupted(self, backend, root, snapshot, at):
        """A Ctrl-C amid of it leaves the store as it was."""
        for name in "abc":
            write_array(root / name)
        before = snapshot(root)

        def tell(done, _):
            if done == at:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            backend.transact(removing("a", "b", "c"), progress=tell)
        assert snapshot(root) == before


class TestRefused:
    """Whatever is not as it was to be is refused with its path, and nothing changes."""

    @pytest.mark.parametrize("path", ["absent", "a/absent", "absent/a"])
    def test_absent(self, backend, root, snapshot, path):
        """What does not exist is a `NotFoundError`."""
        write_array(root / "a")
        before = snapshot(root)
        with pytest.raises(NotFoundError, match=rf"nothing is there: '{root}/(a/)?absent"):
            backend.transact(removing("a", path))
        assert snapshot(root) == before

    def test_absent_root(self, root):
        """A root that does not exist is a `NotFoundError`, and it is not made."""
        with pytest.raises(NotFoundError, match="absent"):
            LocalBackend(f"{root}/absent").transact(removing("a"))
        assert os.listdir(root) == []

    @pytest.mark.parametrize("at", [1, 2, 3, 4])
    def test_symlink(self, backend, root, snapshot, at):
        """A symlink at any segment, the metadata file's own name too, is refused, and neither side of it changes."""
        segments = ["a", "b", "c", "zarr.json"]
        write_array(root.parent / "outside/a/b/c")
        link = root.joinpath(*segments[:at])
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(root.parent.joinpath("outside", *segments[:at]))
        before = snapshot(root.parent)
        with pytest.raises(NotInStoreError, match=rf"'{re.escape(str(link))}' is a symlink"):
            backend.transact(removing("a/b/c"))
        assert snapshot(root.parent) == before

    @pytest.mark.parametrize("made", ["file", "pipe", "folder"])
    def test_something_else(self, backend, root, snapshot, made):
        """What is no folder, where one was to be moved, is refused; and what is no file, where one was."""
        if made == "folder":
            (root / "a").mkdir()
        elif made == "file":
            (root / "a").write_text("x")
        else:
            os.mkfifo(root / "a")
        before = snapshot(root)
        is_folder = made != "folder"
        with pytest.raises(NotInStoreError, match=rf"/a' is not a {'folder' if is_folder else 'file'}$"):
            backend.transact(Intent("remove", "of a", (Move("a", None, is_folder=is_folder),)))
        assert snapshot(root) == before

    @pytest.mark.parametrize("foreign", ["notes.txt", "raw/x", "c/0/zarr.json", "c/x/.zarray"])
    def test_something_foreign(self, backend, root, snapshot, foreign):
        """What holds something that is not the array's is not purged, and can still be put back, all of it."""
        write_array(root / "box/a")
        write_array(root / "box/b")
        (root / "box/b/c/0").unlink()
        (root / "box/b" / foreign).parent.mkdir(parents=True, exist_ok=True)
        (root / "box/b" / foreign).write_text("{}")
        before = snapshot(root)
        shown = re.escape(f"cannot remove '{root}/box/b': ")
        with pytest.raises(NotInStoreError, match=rf"^{shown}'{foreign.partition('/z')[0].partition('/.')[0]}"[:-2]):
            backend.transact(removing("box/a", "box/b"))
        assert snapshot(root) == before
        done = backend.transact(removing("box/a", "box/b"), grace=LATER)
        with pytest.raises(NotInStoreError, match=shown):
            backend.purge(done.id)
        assert [one.phase for one in backend.transactions()] == ["placed"]
        backend.undo(done.id)
        assert snapshot(root) == before

    @pytest.mark.parametrize("way", [".zarrange", ".zarrange/trash"])
    @pytest.mark.parametrize("make", ["symlink", "file"])
    def test_trash_in_the_way(self, backend, root, snapshot, way, make):
        """A symlink or a file where the trash would be is refused, and neither side of it changes."""
        (root.parent / "outside").mkdir()
        write_array(root / "a")
        (root / way).parent.mkdir(exist_ok=True)
        if make == "symlink":
            (root / way).symlink_to(root.parent / "outside")
        else:
            (root / way).write_text("")
        before = snapshot(root.parent)
        with pytest.raises(NotInStoreError, match=rf"{re.escape(way)}' is (a symlink|not a folder)"):
            backend.transact(removing("a"))
        assert snapshot(root.parent) == before

    def test_no_descriptor_is_left_open(self, backend, root):
        """Every descriptor is closed again, whether it is removed, kept, undone, refused or not there."""
        (root / "damaged").mkdir()
        write_array(root / "foreign")
        (root / "foreign/notes.txt").write_text("mine")
        write_array(root / "a")
        before = len(os.listdir("/dev/fd"))
        backend.undo(backend.transact(removing("a"), grace=LATER).id)
        backend.purge(backend.transact(removing("a"), grace=LATER).id)
        for path in ("absent", "damaged", "foreign", "foreign/notes.txt"):
            with suppress(StoreError):
                backend.transact(removing(path))
        for ask in (backend.undo, backend.purge, backend.recover):
            with suppress(StoreError):
                ask("0" * 16)
        assert len(os.listdir("/dev/fd")) == before

    @pytest.mark.parametrize(("first", "second"), [("a", "a"), ("a", "a/b"), ("a/b", "a"), ("a/b/c", "a/b")])
    def test_busy(self, backend, root, snapshot, first, second):
        """What is at, below or above something that can still be put back is busy; what lies beside it is not."""
        for path in {first, second, "aa", "b"}:
            write_array(root / path)
        done = backend.transact(removing(first), grace=LATER)
        before = snapshot(root)
        with pytest.raises(BusyError, match=rf"^the removal of '{first}' is done, and can be undone until 2"):
            backend.transact(removing(second))
        assert snapshot(root) == before
        backend.transact(removing("aa", "b"))
        backend.undo(done.id)
        assert sorted(os.listdir(root)) == ["a"]


class TestPermissions:
    @pytest.mark.parametrize("locked", ["", "box", "box/a"])
    def test_no_permission(self, shared_folder, as_nobody, snapshot, locked):
        """Where renaming is not permitted the error goes up, and nothing changes or is left behind."""
        with as_nobody():
            root = shared_folder / "root"
            write_array(root / "box/a")
            before = snapshot(root)
            mode = stat.S_IMODE((root / locked).stat().st_mode)
            (root / locked).chmod(0o555)
            try:
                with pytest.raises(PermissionError):
                    LocalBackend(str(root)).transact(removing("box/a"))
            finally:
                (root / locked).chmod(mode)
            assert snapshot(root) == before

    def test_chunks_that_may_not_be_read(self, shared_folder, as_nobody, snapshot):
        """Chunk folders that may not be read are an error: another node could be inside."""
        with as_nobody():
            root = shared_folder / "root"
            write_array(root / "a")
            before = snapshot(root)
            (root / "a/c").chmod(0)
            with pytest.raises(PermissionError):
                LocalBackend(str(root)).transact(removing("a"))
            (root / "a/c").chmod(0o755)
            assert snapshot(root) == before

    def test_leftover(self, shared_folder, as_nobody, snapshot):
        """A deletion that fails half-way says where the rest is; it is out of sight, and in nobody's way."""
        with as_nobody():
            root = shared_folder / "root"
            backend = LocalBackend(str(root))
            write_array(root / "kept")
            write_array(root / "a")
            (root / "a/c").chmod(0o555)
            kept, chunks = snapshot(root / "kept"), snapshot(root / "a/c")
            with pytest.raises(LeftoverError, match=r"^removed, but what is left of it in '.*' could not ") as caught:
                backend.transact(removing("a"))
            (rest,) = re.findall(r"left of it in '([^']*)'", str(caught.value))
            (where,) = Path(rest).glob("*/c")
            assert snapshot(where) == chunks
            assert snapshot(root / "kept") == kept
            assert sorted(os.listdir(root)) == [".zarrange", "kept"]
            (left,) = backend.transactions()
            assert (left.phase, left.is_interrupted) == ("purging", True)
            settle(backend)
            write_array(root / "a")
            backend.transact(removing("a"))
            assert backend.transactions() == [left]
            where.chmod(0o755)
            settle(backend)
            assert os.listdir(root) == ["kept"]


class TestUndo:
    """What a removal took can be put back until it is purged, or not at all."""

    @pytest.fixture
    def kept(self, backend, root):
        write_array(root / "box/a")
        write_array(root / "box/b")
        return backend.transact(removing("box/a", "box/b"), grace=LATER)

    @pytest.mark.parametrize("make", ["file", "folder", "symlink"])
    def test_something_is_there(self, backend, root, snapshot, kept, make):
        """Where something is by now, nothing is put back, and it stays."""
        place = root / "box/b/zarr.json"
        {"file": lambda: place.write_text("{}"), "folder": place.mkdir, "symlink": lambda: place.symlink_to("x")}[
            make
        ]()
        before = snapshot(root)
        with pytest.raises(AlreadyExistsError, match=rf"something is there by now: '{place}'"):
            backend.undo(kept.id)
        assert snapshot(root) == before

    def test_chunks_are_gone(self, backend, root, snapshot, kept):
        """An array without its folder of chunks is not put back: it would read as zeros."""
        shutil.rmtree(root / "box/b")
        before = snapshot(root)
        with pytest.raises(NotFoundError, match=rf"the chunks are gone.*: '{root}/box/b'"):
            backend.undo(kept.id)
        assert snapshot(root) == before

    def test_no_way_back(self, backend, root, snapshot, kept):
        """What was undone or purged cannot be undone, and what never was cannot either."""
        backend.undo(kept.id)
        before = snapshot(root)
        for name in (kept.id, "0" * 16):
            with pytest.raises(NotFoundError, match="no such transaction"):
                backend.undo(name)
        assert snapshot(root) == before

    def test_under_way(self, backend, root):
        """Nobody undoes what is still being done."""
        write_array(root / "a")
        seen = []

        def check():
            for ask in (backend.undo, backend.purge, backend.recover):
                with pytest.raises(BusyError, match="is under way: process"):
                    ask(backend.transactions()[0].id)
            seen.append(True)

        backend.transact(removing("a"), check=check)
        assert seen == [True]

    def test_being_purged(self, shared_folder, as_nobody):
        """What is being purged cannot be undone any more."""
        with as_nobody():
            backend = LocalBackend(str(shared_folder))
            write_array(shared_folder / "a")
            (shared_folder / "a/c").chmod(0o555)
            with pytest.raises(LeftoverError):
                backend.transact(removing("a"))
            with pytest.raises(StoreError, match="the removal of 'a' cannot be undone any more: it is being purged"):
                backend.undo(backend.transactions()[0].id)
            assert not (shared_folder / "a").exists()


class TestPurge:
    def test_when(self, backend, root):
        """What has expired goes with the next operation, and nothing before."""
        write_array(root / "a")
        write_array(root / "b")
        backend.transact(removing("a"), grace=LATER)
        backend.transact(removing("b"), grace=1e-9)
        settle(backend)
        assert sorted(os.listdir(root)) == [".zarrange", "a"]
        assert [one.intent.rests for one in backend.transactions()] == [("a",)]

    def test_written_meanwhile(self, backend, root, snapshot):
        """An array that somebody made anew in the same folder is not purged."""
        write_array(root / "a")
        done = backend.transact(removing("a"), grace=LATER)
        zarr.create_array(root / "a", shape=(3,), dtype="u1")
        before = snapshot(root)
        with pytest.raises(NotInStoreError, match=f"^cannot remove '{root}/a': it is a new zarr node"):
            backend.purge(done.id)
        assert snapshot(root) == before

    def test_chunks_that_are_gone(self, backend, root):
        """Where somebody has deleted the chunks already, the rest goes."""
        write_array(root / "a")
        done = backend.transact(removing("a"), grace=LATER)
        shutil.rmtree(root / "a")
        backend.purge(done.id)
        assert os.listdir(root) == []


class TestRecover:
    """What a process that died left is brought to its end: back, or forward."""

    @pytest.mark.parametrize("at", ["check", 1, 2])
    def test_back(self, backend, root, snapshot, at):
        """What was not aside as a whole goes back, byte for byte."""
        write_array(root / "a")
        write_array(root / "b")
        before = snapshot(root)
        option = "check=lambda: os._exit(7)" if at == "check" else f"progress=lambda n, _: n == {at} and os._exit(7)"
        assert elsewhere(root, f"backend.transact({removing('a', 'b')}, {option})") == 7
        (left,) = backend.transactions()
        assert (left.phase, left.is_interrupted) == ("begun", True)
        settle(backend)
        assert snapshot(root) == before

    def test_forward(self, backend, root):
        """What was being deleted is deleted."""
        write_array(root / "a")
        write_array(root / "b")
        died = "aside.Aside.delete = lambda *_: os._exit(7)"
        assert elsewhere(root, f"{died}\nbackend.transact({removing('a', 'b')})") == 7
        (left,) = backend.transactions()
        assert left.phase == "purging"
        backend.recover(left.id)
        assert os.listdir(root) == []

    def test_amid_an_undo(self, backend, root, snapshot):
        """An undo that died goes on being one."""
        write_array(root / "a")
        write_array(root / "b")
        before = snapshot(root)
        done = backend.transact(removing("a", "b"), grace=LATER)
        died = "aside.Aside.put_back = lambda self, one: os._exit(7) if one.name == '0' else put_back(self, one)"
        code = f"put_back = aside.Aside.put_back\n{died}\nbackend.undo({done.id!r})"
        assert elsewhere(root, code) == 7
        settle(backend)
        assert snapshot(root) == before

    def test_not_what_lives(self, backend, root, snapshot):
        """What is kept in the trash, or in the hands of a process that lives, is not touched."""
        write_array(root / "a")
        write_array(root / "b")
        backend.transact(removing("a"), grace=LATER)
        before = snapshot(root)
        seen = []

        def check():
            with suppress(BusyError):
                backend.recover(next(one.id for one in backend.transactions() if one.is_live))
            settle(backend)
            seen.append([one.phase for one in backend.transactions()])
            raise NotFoundError

        with pytest.raises(NotFoundError):
            backend.transact(removing("b"), check=check)
        assert seen == [["placed", "begun"]]
        assert snapshot(root) == before


class TestMigration:
    """What moves goes aside first, all of it, and then to its targets: a target may be another one's source."""

    @pytest.mark.parametrize(
        "moves",
        [
            {"a": "b", "b": "a"},
            {"a": "b", "b": "c"},
            {"a": "b", "b": "c", "c": "a"},
            {"a": "x/y/z"},
            {"a": "a2", "b": "deep/a"},
        ],
        ids=str,
    )
    def test_to_targets(self, backend, root, snapshot, moves):
        """Swaps, chains and circles come to their targets as they were, and back again."""
        for name in moves:
            write_array(root / name)
            (root / name / "mine").write_text(name)
        before = snapshot(root)
        wanted = {target: snapshot(root / source) for source, target in moves.items()}
        backend.transact(migrating(moves))
        assert {target: snapshot(root / target) for target in wanted} == wanted
        assert not (root / ".zarrange").exists()
        backend.transact(migrating({target: source for source, target in moves.items()}))
        assert snapshot(root) == before

    def test_never_over_another(self, backend, root, snapshot):
        """Where one target is taken, nothing moves: also what had come to its target goes back."""
        for name in ("a", "b", "there/y"):
            write_array(root / name)
        before = snapshot(root)
        with pytest.raises(AlreadyExistsError, match=rf"something is there already: '{root}/there/y'"):
            backend.transact(migrating({"a": "deep/x", "b": "there/y"}, made=(Text("deep/zarr.json", "{}"),)))
        assert snapshot(root) == before

    def test_groups_and_record(self, backend, root):
        """Groups are made where none are, never over one, and the record is written over the old one."""
        write_array(root / "a")
        (root / "old").mkdir()
        (root / "old/zarr.json").write_text("theirs")
        (root / ".zarrange").mkdir()
        (root / ".zarrange/store.json").write_text("before")
        made = (Text("new/zarr.json", "made"), Text("old/zarr.json", "made"))
        backend.transact(migrating({"a": "new/a"}, made=made, record=(Text(".zarrange/store.json", "after"),)))
        read = [(root / path).read_text() for path in ("new/zarr.json", "old/zarr.json", ".zarrange/store.json")]
        assert read == ["made", "theirs", "after"]
        assert os.listdir(root / ".zarrange") == ["store.json"]

    def test_empty_folders(self, backend, root):
        """Folders that are left empty go; those in which something else is stay. New ones are as the old ones were."""
        write_array(root / "deep/er/a")
        write_array(root / "full/b")
        (root / "full/notes.txt").write_text("mine")
        (root / "deep/er").chmod(0o750)
        backend.transact(migrating({"deep/er/a": "new/a", "full/b": "new/b"}))
        assert sorted(os.listdir(root)) == ["full", "new"]
        assert os.listdir(root / "full") == ["notes.txt"]
        assert stat.S_IMODE((root / "new").stat().st_mode) == 0o750

    def test_exclusive(self, backend, root, snapshot):
        """Nothing else begins while a migration is under way, and none begins while something can be put back."""
        for name in "abc":
            write_array(root / name)
        seen = []

        def check():
            with pytest.raises(BusyError, match="the migration is under way"):
                backend.transact(removing("b"))
            seen.append(True)

        backend.transact(migrating({"a": "x"}), check=check)
        backend.transact(removing("b"), grace=LATER)
        before = snapshot(root)
        with pytest.raises(BusyError, match="the removal of 'b' is done, and can be undone"):
            backend.transact(migrating({"c": "y"}))
        assert (seen, snapshot(root)) == ([True], before)

    @pytest.mark.parametrize("at", [0, 1])
    def test_forward(self, backend, root, snapshot, at):
        """A swap that died when all was aside is carried on; one that died before goes back."""
        swap = migrating({"a": "b", "b": "a"})
        for name in "ab":
            write_array(root / name)
            (root / name / "mine").write_text(name)
        before = snapshot(root)
        died = f"aside.Aside.put = lambda self, one, to: os._exit(7) if one.name == '{at}' else put(self, one, to)"
        code = f"put = aside.Aside.put\n{died}\nbackend.transact({swap})"
        assert elsewhere(root, code) == 7
        assert [one.phase for one in backend.transactions()] == ["staged"]
        settle(backend)
        assert [(root / name / "mine").read_text() for name in "ab"] == ["b", "a"]
        assert elsewhere(root, f"backend.transact({swap}, progress=lambda *_: os._exit(7))") == 7
        settle(backend)
        assert [(root / name / "mine").read_text() for name in "ab"] == ["b", "a"]
        backend.transact(swap)
        assert snapshot(root) == before

    def test_no_undo(self, backend, root):
        """What died amid a migration is not undone, but ended."""
        write_array(root / "a")
        assert elsewhere(root, f"backend.transact({migrating({'a': 'b'})}, progress=lambda *_: os._exit(7))") == 7
        (left,) = backend.transactions()
        with pytest.raises(StoreError, match="the migration cannot be undone"):
            backend.undo(left.id)
        settle(backend)
        assert os.listdir(root) == ["a"]


@pytest.fixture
def two_disks(monkeypatch):
    """The folder `far` is on another file system than the store's root: nothing is renamed between them."""
    real = aside.rename

    def rename(source, name, target, to, shown):
        ends = [
            "/far" in os.readlink(f"/proc/self/fd/{one}") or what == "far"
            for one, what in ((source, name), (target, to))
        ]
        if ends[0] != ends[1]:
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV), name)
        real(source, name, target, to, shown)

    monkeypatch.setattr(aside, "rename", rename)


@pytest.mark.usefixtures("two_disks")
class TestTwoDisks:
    """Where a part of a store is on another file system, what is promised holds there too."""

    @pytest.mark.parametrize("grace", [0, LATER])
    def test_removal(self, backend, root, snapshot, grace):
        """What is removed is out of sight at once, comes back as it was, and is deleted in the end."""
        write_array(root / "far/a")
        write_array(root / "near")
        before = snapshot(root)
        done = backend.transact(removing("far/a", "near"), grace=LATER)
        assert backend.found("far/a").sort == "folder"
        backend.undo(done.id)
        assert snapshot(root) == before
        done = backend.transact(removing("far/a", "near"), grace=grace)
        if grace:
            backend.purge(done.id)
        assert [*root.rglob("*")] == [root / "far"]

    @pytest.mark.parametrize(("source", "target"), [("far/a", "b"), ("a", "far/b")])
    def test_migration(self, backend, root, snapshot, source, target):
        """What moves from one to the other is the same there, and the same again when it is back."""
        (root / "far").mkdir()
        (root / "far/stays").write_text("x")
        write_array(root / source)
        before = snapshot(root)
        whole = snapshot(root / source)
        backend.transact(migrating({source: target}))
        assert snapshot(root / target) == whole
        assert not (root / source).exists()
        backend.transact(migrating({target: source}))
        assert snapshot(root) == before


# --- others, at the same time ----------------------------------------------------------------------------------------


def test_many_at_the_same_time(root):
    """Of many that remove and put back the same arrays at the same time, each succeeds or says why; none is lost."""
    paths = [f"box/{number}" for number in range(4)]
    for path in paths:
        write_array(root / path)
    outcomes = {"done": 0, "busy": 0, "absent": 0}

    def work():
        backend = LocalBackend(str(root))
        for path in paths * 4:
            try:
                backend.undo(backend.transact(removing(path), grace=LATER).id)
                outcomes["done"] += 1
            except BusyError:
                outcomes["busy"] += 1
            except NotFoundError:
                outcomes["absent"] += 1

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    backend = LocalBackend(str(root))
    for one in backend.transactions():
        backend.undo(one.id)
    assert sum(outcomes.values()) == 64
    assert outcomes["done"] >= 4
    assert all((zarr.open_array(root / path, mode="r")[:] == np.arange(1, 9)).all() for path in paths)
    assert os.listdir(root) == ["box"]


class TestReplaced:
    """What takes the place of something between the look at it and its renaming is not taken in its stead."""

    @pytest.mark.parametrize("name", ["zarr.json", "a"])
    @pytest.mark.parametrize("made_of", ["folder", "file", "symlink"])
    def test_it_is_put_back(self, backend, root, monkeypatch, name, made_of):
        """What replaced it is at its place, nothing is deleted, and the error names it."""
        write_array(root / "a")
        (root.parent / "outside").mkdir()
        (root.parent / "outside/x").write_text("theirs")
        place = root / "a" if name == "a" else root / "a/zarr.json"
        real = aside.rename
        replaced = []

        def rename(source, own, target, to, shown):
            if own == name and not replaced:
                replaced.append(True)
                place.rename(root / "old")
                if made_of == "folder":
                    place.mkdir()
                    (place / "x").write_text("theirs")
                elif made_of == "file":
                    place.write_text("theirs")
                else:
                    place.symlink_to(root.parent / "outside")
            real(source, own, target, to, shown)

        monkeypatch.setattr(aside, "rename", rename)
        with pytest.raises(NotInStoreError, match=rf"'{place}' (was replaced while|is a symlink|is not a folder)"):
            backend.transact(removing("a"))
        monkeypatch.undo()
        assert (place if made_of == "file" else place / "x").read_text() == "theirs"
        assert place.is_symlink() is (made_of == "symlink")
        assert (root.parent / "outside/x").read_text() == "theirs"
        assert (root / "old").exists()

    @pytest.mark.parametrize("made_of", ["file", "symlink"])
    def test_until_it_is_back(self, backend, root, snapshot, monkeypatch, made_of):
        """An array whose folder was taken away meanwhile is whole again as soon as the folder is back."""
        write_array(root / "a")
        before = snapshot(root)
        real = aside.rename

        def rename(source, own, target, to, shown):
            if own == "a" and not (root / "old").exists():
                (root / "a").rename(root / "old")
                (root / "a").write_text("x") if made_of == "file" else (root / "a").symlink_to("old")
            real(source, own, target, to, shown)

        monkeypatch.setattr(aside, "rename", rename)
        with pytest.raises(NotInStoreError):
            backend.transact(removing("a"))
        monkeypatch.undo()
        with pytest.raises(NotInStoreError):
            settle(backend)
        (root / "a").unlink()
        (root / "old").rename(root / "a")
        settle(backend)
        assert snapshot(root) == before


@pytest.mark.parametrize("number", [1, aside.MANY + 1], ids=["one", "many"])
class TestReplacedAfterTheCheck:
    """What the check has told apart is what goes, and nothing that has taken its place since."""

    @pytest.fixture
    def moves(self, root, number):
        for at in range(number):
            (root / f"a{at}").mkdir(parents=True)
            (root / f"a{at}/mine").write_text(str(at))
        return {f"a{at}": f"b{at}" for at in range(number)}

    def test_same(self, backend, root, moves):
        """What is still there goes."""
        backend.transact(migrating(moves), check=lambda: {"a0": identity(root / "a0")})
        assert [(root / to / "mine").read_text() for to in moves.values()] == [str(at) for at in range(len(moves))]

    @pytest.fixture
    def refused(self, backend, root, snapshot, moves):
        """Demand that a migration is refused, and that all is as it was when `restore` has brought back the old one."""
        before = snapshot(root)

        def refuse(check, restore, error=NotInStoreError, message="'{}' was replaced while it was being taken away"):
            with pytest.raises(error, match=message.format(root / "a0")):
                backend.transact(migrating(moves), check=check)
            restore()
            (root / "old").rename(root / "a0")
            assert snapshot(root) == before

        return refuse

    def test_another(self, root, refused):
        """Another folder of its name stays where it is, and so does everything else."""

        def check():
            seen = {"a0": identity(root / "a0")}
            (root / "a0").rename(root / "old")
            (root / "a0").mkdir()
            return seen

        refused(check, (root / "a0").rmdir)

    def test_on_another_device(self, backend, root, snapshot, moves):
        """Inodes tell folders of one file system apart only."""
        before = snapshot(root)
        device, inode = identity(root / "a0")
        with pytest.raises(NotInStoreError, match=rf"'{root}/a0' was replaced while it was being taken away"):
            backend.transact(migrating(moves), check=lambda: {"a0": (device + 1, inode)})
        assert snapshot(root) == before

    def test_gone(self, root, refused):
        """What is not there any more is told with its whole path, and everything else goes back."""

        def check():
            seen = {"a0": identity(root / "a0")}
            (root / "a0").rename(root / "old")
            return seen

        refused(check, lambda: None, NotFoundError, "nothing is there: '{}'")

    def test_number_taken_again(self, root, refused):
        """What is no folder is not taken for one that is gone, although a file system has given it its inode."""

        def check():
            (root / "a0").rename(root / "old")
            (root / "a0").symlink_to("old")
            return {"a0": identity(root / "a0")}

        refused(check, (root / "a0").unlink)


def identity(path):
    found = path.lstat()
    return found.st_dev, found.st_ino


MANY_MOVES = {f"a{number}": f"b{number}" for number in range(aside.MANY + 1)}


class TestReplacedAmongMany:
    """Of many things at once, which ones were taken is told by one listing; each is still looked for."""

    @pytest.fixture
    def is_as_it_was(self, root, snapshot):
        for name in MANY_MOVES:
            (root / name).mkdir(parents=True)
            (root / name / "mine").write_text(name)
        before = snapshot(root)
        return lambda: snapshot(root) == before

    @pytest.mark.parametrize("name", ["a0", "a50", f"a{aside.MANY}"])
    def test_it_is_put_back(self, backend, root, is_as_it_was, monkeypatch, name):
        """What replaced one of them is at its place, and so are all others."""
        real = aside.rename

        def rename(source, own, target, to, shown):
            if own == name and not (root / "old").exists():
                (root / name).rename(root / "old")
                (root / name).mkdir()
            real(source, own, target, to, shown)

        monkeypatch.setattr(aside, "rename", rename)
        with pytest.raises(NotInStoreError, match=rf"'{root / name}' was replaced while it was being taken away"):
            backend.transact(migrating(MANY_MOVES))
        assert os.listdir(root / name) == []
        (root / name).rmdir()
        (root / "old").rename(root / name)
        assert is_as_it_was()

    def test_listed_with_other_numbers(self, backend, root, is_as_it_was, monkeypatch):
        """Where a file system lists inodes that are not those that it tells of each file, each is looked at."""
        listed = []

        def listed_otherwise(self):
            listed.append(self)
            device = os.fstat(self._folder).st_dev
            return dict.fromkeys(os.listdir(self._folder), (True, (device, 0xFFFFFFFF)))

        monkeypatch.setattr(aside.Aside, "_listed", listed_otherwise)
        backend.transact(migrating(MANY_MOVES))
        assert len(listed) == 1
        assert sorted(os.listdir(root)) == sorted(MANY_MOVES.values())
        backend.transact(migrating({to: one for one, to in MANY_MOVES.items()}))
        assert is_as_it_was()

    def test_not_listed(self, backend, root, is_as_it_was, monkeypatch):
        """Where they cannot be listed, the error says where, and all of them go back."""
        real = os.scandir

        def scandir(path):
            if isinstance(path, int) and "/.zarrange/stage/" in os.readlink(f"/proc/self/fd/{path}"):
                raise OSError(errno.EIO, os.strerror(errno.EIO), path)
            return real(path)

        monkeypatch.setattr(os, "scandir", scandir)
        with pytest.raises(OSError, match=rf"'{root}/.zarrange/stage/[0-9a-f]+'") as caught:
            backend.transact(migrating(MANY_MOVES))
        assert caught.value.errno == errno.EIO
        assert is_as_it_was()


ARRAY = json.dumps({"zarr_format": 3, "node_type": "array"})
ATTEMPTS = 5_000
"""A second or three for each folder."""
ENOUGH = 20
MANY_ATTEMPTS = 10_000
CLUMSY_ATTEMPTS = 100_000
SWAPPER = """
import os, sys
way, aside, outside, *pauses = sys.argv[1:]

def swap(step, *paths):
    try:
        step(*paths)
    except OSError:
        pass

print("ready", flush=True)
while True:
    for pause in pauses:  # or else the true folder is there too rarely
        swap(os.rename, way, aside)
        swap(os.symlink, outside, way)
        swap(os.unlink, way)
        swap(os.rename, aside, way)
        for _ in range(int(pause)):
            pass
"""


def write_node(folder):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "zarr.json").write_text(ARRAY)


def remove_safely(root, segments):
    plan_array_removal(LocalBackend(str(root)), "/".join(segments), grace=0).apply()


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
        for top in (self.root, self.outside):
            write_node(top.joinpath(*self.SEGMENTS))
        (self.outside.joinpath(*self.SEGMENTS) / "c").mkdir()
        self.aside = self.way.with_name("aside")
        self.outcomes = dict.fromkeys(("removed", "absent", "refused"), 0)

    @contextmanager
    def swapping(self, *pauses):
        """Swap all the while; yields a descriptor of the folder that the array is in, wherever it is at the moment."""
        parent = os.open(self.root.joinpath(*self.SEGMENTS[:-1]), os.O_RDONLY)
        command = [sys.executable, "-c", SWAPPER, self.way, self.aside, self.target, *map(str, pauses)]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as swapper:
            try:
                assert swapper.stdout.readline() == b"ready\n"
                yield parent
            finally:
                swapper.kill()
                swapper.wait()
                os.close(parent)
        if self.way.is_symlink():
            self.way.unlink()
        with suppress(OSError):
            self.aside.rename(self.way)

    def attempt(self, remove, parent):
        try:
            remove(self.root, self.SEGMENTS)
        except FileNotFoundError:
            self.outcomes["absent"] += 1
            os.sched_yield()  # let the other process go on, where both must share a processor
        except (StoreError, OSError):
            self.outcomes["refused"] += 1
            os.sched_yield()
        else:
            self.outcomes["removed"] += 1
        if (self.root / ".zarrange").exists():
            with suppress(StoreError, OSError):
                settle(LocalBackend(str(self.root)))
        else:
            self.put_back(parent)

    def put_back(self, parent):
        """Make the array again where it was removed, by descriptors alone: the test itself must not be led astray."""
        with suppress(FileExistsError, FileNotFoundError):
            os.mkdir("a", dir_fd=parent)
        with suppress(FileExistsError, FileNotFoundError, OSError):
            folder = os.open("a", os.O_RDONLY | os.O_NOFOLLOW | os.O_DIRECTORY, dir_fd=parent)
            with os.fdopen(os.open("zarr.json", os.O_WRONLY | os.O_CREAT, dir_fd=folder), "w") as file:
                file.write(ARRAY)
            os.close(folder)


class TestEmptyTrash:
    @pytest.mark.parametrize("how", ["deleted", "linked"])
    def test_undo(self, tmp_path, how):
        """What is not in the trash any more, or behind a symlink, is not said to be put back."""
        store = Store(tmp_path / "store", Layout.load("training"))
        key = Key("validation_prediction", {"run": "r1", "iteration": 1000, "dataset": "crop1"})
        store.create(key, data=np.ones((4, 4)))
        store.remove(key, grace=3600)
        trash = Path(store.root, ".zarrange/trash")
        if how == "linked":
            trash.rename(tmp_path / "elsewhere")
            trash.symlink_to(tmp_path / "elsewhere")
        else:
            shutil.rmtree(trash)
        with pytest.raises((NotFoundError, NotInStoreError), match=r"not in the trash any more|symlink"):
            store.undo()
        assert len(store.transactions()) == 1
        if how == "linked":
            trash.unlink()
            (tmp_path / "elsewhere").rename(trash)
            store.undo()
            assert (store.open(key)[:] == 1).all()


class TestRace:
    """No symlink leads out, not even one that is swapped in meanwhile."""

    @pytest.mark.parametrize("swapped", [1, 2, 3], ids=["run", "container", "array"])
    def test_safe(self, tmp_path, snapshot, swapped):
        """While a folder on the way is swapped for a symlink all the time, nothing outside is ever touched."""
        race = Race(tmp_path, swapped)
        outside = snapshot(race.outside)
        with race.swapping(500, 5_000, 100_000) as parent:
            for _ in range(ATTEMPTS):
                race.attempt(remove_safely, parent)
                if min(race.outcomes["removed"], race.outcomes["refused"]) >= ENOUGH:
                    break
        assert snapshot(race.outside) == outside
        assert race.outcomes["removed"] > 0
        assert race.outcomes["refused"] > 0

    @pytest.mark.slow
    def test_very_often(self, tmp_path, snapshot):
        """Nor is it in ten thousand attempts."""
        race = Race(tmp_path, 2)
        outside = snapshot(race.outside)
        with race.swapping(500, 5_000, 20_000) as parent:
            for _ in range(MANY_ATTEMPTS):
                race.attempt(remove_safely, parent)
        assert snapshot(race.outside) == outside
        assert race.outcomes["removed"] > 0

    def test_clumsy(self, tmp_path, snapshot):
        """In the same race, looking first and deleting then does delete what is outside: the test can fail."""
        race = Race(tmp_path, 1)
        outside = snapshot(race.outside)
        with race.swapping(500) as parent:
            attempts = 0
            while snapshot(race.outside) == outside and attempts < CLUMSY_ATTEMPTS:
                race.attempt(remove_clumsily, parent)
                attempts += 1
        assert snapshot(race.outside) != outside


SWAP = """
import os, sys
from zarrange.errors import StoreError
from zarrange.stores.local import LocalBackend
from zarrange.stores.transactions import Intent, Move

root, outside, at = sys.argv[1], sys.argv[2], int(sys.argv[3])
way = os.path.join(root, *"run/box/a".split("/")[:at])
outside = os.path.join(outside, *"run/box/a".split("/")[:at])
intent = Intent("remove", "it", (Move("run/box/a/zarr.json", None, is_folder=False),), rests=("run/box/a",))
swapped = []

def swap(event, arguments):
    # Between the look at a folder and its opening, a symlink takes its place.
    if event == "open" and arguments[0] == os.path.basename(way) and not swapped:
        swapped.append(way)
        os.rename(way, way + ".aside")
        os.symlink(outside, way)

sys.addaudithook(swap)
try:
    LocalBackend(root).transact(intent)
except StoreError as error:
    print(bool(swapped), error)
else:
    print(bool(swapped), "removed")
"""


@pytest.mark.parametrize("at", [1, 2, 3])
def test_swapped_just_before_it_is_opened(root, tmp_path, snapshot, at):
    """A symlink that takes the place of a folder just before its opening is not followed."""
    write_node(root / "run/box/a")
    write_node(tmp_path / "outside/run/box/a")
    outside = snapshot(tmp_path / "outside")
    command = [sys.executable, "-c", SWAP, root, tmp_path / "outside", str(at)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert re.match(r"True '.*' is a symlink\n$", done.stdout)
    assert snapshot(tmp_path / "outside") == outside
