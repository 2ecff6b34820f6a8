"""Copying on disks: whole and the same, or refused and gone; by descriptors, so that nothing leads out."""

from __future__ import annotations

import hashlib
import os
import resource
import socket
import stat
import struct
import subprocess
import sys
import threading
from contextlib import contextmanager, suppress

import pytest

from zarrange.errors import (
    AccessDeniedError,
    AlreadyExistsError,
    BusyError,
    NotFoundError,
    NotInStoreError,
    StoreError,
)
from zarrange.stores.local import signatures
from zarrange.stores.local.copying import copy_in, is_unchanged, read_signature

HOLE = 8 * 1024 * 1024


@contextmanager
def opened(folder):
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def copy(source, target, **options):
    with opened(source.parent) as one, opened(target.parent) as other:
        return copy_in(one, source.name, other, target.name, **options)


def signature(path, **options):
    with opened(path.parent) as folder:
        return read_signature(folder, path.name, **{"with_digest": False, **options})


def is_same(found, path):
    with opened(path.parent) as folder:
        return is_unchanged(found, folder, path.name)


def described(root):
    """Everything that a copy has to keep, also what the other snapshot leaves out."""
    found = {}
    for folder, folders, files in os.walk(root):
        for path in (folder, *(os.path.join(folder, name) for name in (*folders, *files))):
            one = os.lstat(path)
            extended = {name: os.getxattr(path, name) for name in os.listxattr(path)}
            kept = (one.st_mode, one.st_uid, one.st_gid, one.st_mtime_ns, one.st_blocks, extended)
            found[os.path.relpath(path, root)] = kept
    return found


@pytest.fixture
def source(tmp_path):
    """An array's folder with all sorts of attributes."""
    root = tmp_path / "source"
    (root / "c" / "0" / "1").mkdir(parents=True)
    (root / "empty").mkdir()
    (root / "zarr.json").write_text("{}")
    (root / "c" / "none").touch()
    for number in range(40):
        (root / "c" / "0" / str(number + 10)).write_bytes(os.urandom(1000 + number))
    with open(root / "c" / "0" / "1" / "sparse", "wb") as file:
        file.seek(HOLE)
        file.write(b"end")
        file.truncate(2 * HOLE)
    os.setxattr(root / "zarr.json", "user.note", b"of somebody")
    os.setxattr(root / "c", "user.note", b"of a folder")
    for name, mode in (("zarr.json", 0o640), ("c/none", 0o444), ("c/0/10", 0o4755), ("c/0", 0o2750), ("empty", 0o555)):
        (root / name).chmod(mode)
    for number, name in enumerate(("c/0/11", "c/0/1", "c", "")):
        os.utime(root / name, ns=(number, 10**18 + number))
    return root


@pytest.fixture
def target(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    return tmp_path / "elsewhere" / "copy"


@pytest.mark.parametrize("workers", [1, 8])
def test_kept(source, target, snapshot, workers):
    """A copy has the contents, modes, owners, times, extended attributes and holes, and its source is as it was."""
    if os.geteuid() == 0:
        os.chown(source / "c" / "0" / "12", 4242, 4343)
        os.chown(source / "c" / "0" / "1", 4242, 4343)
    before = snapshot(source), described(source)
    found = copy(source, target, workers=workers)
    assert (snapshot(target), described(target)) == before
    assert (snapshot(source), described(source)) == before
    assert is_same(found, source)
    files = {part.path: part for part in found.files}
    assert len(files) == 43
    assert found.bytes == sum(os.lstat(source / path).st_size for path in files)
    for path, part in files.items():
        assert part.digest == hashlib.sha256((source / path).read_bytes()).hexdigest()


def test_file(source, target, snapshot):
    """A file is copied as a folder is, also one that is nothing but a hole."""
    hole = source / "hole"
    with open(hole, "wb") as file:
        file.truncate(HOLE)
    for name in ("zarr.json", "c/none", "hole"):
        to = target.with_name(os.path.basename(name))
        (part,) = copy(source / name, to).parts
        assert (part.path, part.is_folder, part.size) == ("", False, (source / name).stat().st_size)
        assert to.read_bytes() == (source / name).read_bytes()
        assert described(to) == described(source / name)
    assert target.with_name("hole").stat().st_blocks == 0


@pytest.mark.parametrize("make", ["mkdir", "touch", "symlink"])
@pytest.mark.parametrize("name", ["", "zarr.json"])
def test_never_over_anything(source, target, snapshot, make, name):
    """Where something is, nothing is copied, and what is there stays."""
    getattr(os, "symlink" if make == "symlink" else "mkdir")(*([source, target] if make == "symlink" else [target]))
    if make == "touch":
        target.rmdir()
        target.touch()
    before = snapshot(target.parent)
    with pytest.raises(AlreadyExistsError):
        copy(source / name, target)
    assert snapshot(target.parent) == before


def test_nothing_there(source, target):
    """What is not there cannot be copied."""
    with pytest.raises(NotFoundError):
        copy(source / "none", target)
    assert not target.exists()


@pytest.mark.parametrize("place", ["", "c/0/x"])
def test_refused(source, target, place):
    """Symlinks, pipes and sockets are refused by their names, before anything is made."""
    at = source / (place or "x")
    asked = source if place else at
    shown = f"source/{place}" if place else "x"
    at.symlink_to("/etc/passwd")
    with pytest.raises(NotInStoreError, match=f"^'{shown}' is a symlink"):
        copy(asked, target)
    at.unlink()
    os.mkfifo(at)
    with pytest.raises(NotInStoreError, match=f"^'{shown}' is a pipe"):
        copy(asked, target)
    at.unlink()
    with socket.socket(socket.AF_UNIX) as one, opened(at.parent) as folder:
        one.bind(f"/proc/self/fd/{folder}/x")  # a socket's path is short
        with pytest.raises(NotInStoreError, match=f"^'{shown}' is a socket"):
            copy(asked, target)
    assert os.listdir(target.parent) == []


def test_wanted(source, target):
    """Files that are not wanted are as if they were not there."""
    (source / "c" / "x.partial").symlink_to("/")
    with pytest.raises(NotInStoreError):
        copy(source, target)
    (source / "c" / "x.partial").unlink()
    (source / "c" / "x.partial").touch()
    found = copy(source, target, wanted=lambda name: not name.endswith(".partial"))
    assert "c/x.partial" not in {part.path for part in found.parts}
    assert sorted(os.listdir(target / "c")) == ["0", "none"]


# --- who may ---------------------------------------------------------------------------------------------------------


def test_foreign_owner(shared_folder, as_nobody):
    """What belongs to others is refused if its owner is to be kept, else it is whose process copies it."""
    with as_nobody(), opened("/etc") as etc, opened(shared_folder) as folder:
        with pytest.raises(StoreError, match=r"^'passwd' belongs to user 0 and group 0, and its copy may not be given"):
            copy_in(etc, "passwd", folder, "copy")
        assert os.listdir(shared_folder) == []
        copy_in(etc, "passwd", folder, "copy", keep_owner=False)
        made = os.lstat(shared_folder / "copy")
        assert made.st_uid == os.geteuid()
        assert stat.S_IMODE(made.st_mode) == 0o604  # its group is another one, which had no rights


def test_unreadable(shared_folder, as_nobody):
    """What may not be read is said, and nothing is left of the rest."""
    with as_nobody():
        for name in ("a", "a/b", "to"):
            (shared_folder / name).mkdir()
        (shared_folder / "a" / "first").write_bytes(b"1")
        (shared_folder / "a" / "b" / "second").touch(0o000)
        with pytest.raises(AccessDeniedError, match=r"^'a/b/second' cannot be copied: permission denied"):
            copy(shared_folder / "a", shared_folder / "to" / "a")
        assert os.listdir(shared_folder / "to") == []


def test_read_only_folders(shared_folder, as_nobody, meanwhile):
    """A folder that may not be written into is copied, and taken back if it has to be."""
    root, to = shared_folder / "root", shared_folder / "to"
    with as_nobody():
        (root / "a" / "b").mkdir(parents=True)
        to.mkdir()
        (root / "a" / "b" / "file").write_text("x")
        for name in ("a/b", "a"):
            (root / name).chmod(0o555)
        copy(root / "a", to / "a")
        assert described(to / "a") == described(root / "a")
        meanwhile(to / "again", lambda: (root / "a" / "b" / "file").chmod(0o600))
        with pytest.raises(BusyError):
            copy(root / "a", to / "again")
        assert os.listdir(to) == ["a"]


def test_inherited_rights(source, target):
    """Rights that a folder gives to what is made in it are not a copy's, if they are not its source's."""
    entries = [(1, 7, -1), (2, 7, 4242), (4, 5, -1), (16, 7, -1), (32, 0, -1)]
    rights = struct.pack("<I", 2) + b"".join(struct.pack("<HHi", *entry) for entry in entries)
    os.setxattr(target.parent, "system.posix_acl_default", rights)
    copy(source, target)
    assert described(target) == described(source)
    os.setxattr(source / "zarr.json", "system.posix_acl_access", rights)
    os.setxattr(source / "c", "system.posix_acl_default", rights)
    copy(source, target.with_name("again"))
    assert described(target.with_name("again")) == described(source)


# --- what changes meanwhile ------------------------------------------------------------------------------------------


@pytest.fixture
def meanwhile(monkeypatch):
    """Lets a change happen once all was read and written: when the copy's own folder is brought to the disk."""
    real = os.fsync

    def arrange(target, change):
        waiting = [change]

        def fsync(descriptor):
            real(descriptor)
            if waiting and os.path.samestat(os.fstat(descriptor), os.lstat(target)):
                waiting.pop()()

        monkeypatch.setattr(os, "fsync", fsync)

    return arrange


def settle(source):
    """Let a moment pass, so that files are listed only once."""
    return signature(source)


CHANGES = {
    "written": lambda root: (root / "c" / "0" / "20").write_bytes(b"x" * 1010),
    "longer": lambda root: (root / "zarr.json").write_text("{ }"),
    "touched": lambda root: os.utime(root / "zarr.json"),
    "mode": lambda root: (root / "zarr.json").chmod(0o600),
    "hidden": lambda root: rewritten(root / "c" / "0" / "20"),
    "more": lambda root: (root / "c" / "0" / "1" / "new").touch(),
    "fewer": lambda root: (root / "c" / "0" / "30").unlink(),
    "emptied": lambda root: (root / "empty").rmdir(),
    "replaced": lambda root: replaced(root / "c" / "0" / "20"),
    "link": lambda root: (root / "c" / "0" / "1").rename(root.parent / "x") or (root / "c/0/1").symlink_to("/"),
}


def rewritten(path):
    """Change a file, and hide it as far as one can."""
    before = path.stat()
    path.write_bytes(bytes(before.st_size))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def replaced(path):
    before = path.stat()
    other = path.with_name("other")
    other.write_bytes(path.read_bytes())
    os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
    other.rename(path)


@pytest.mark.parametrize("change", CHANGES)
def test_changed_after(source, change):
    """A change after the copy is told, whatever it was and however well it was hidden."""
    found = signature(source, with_digest=True)
    assert is_same(found, source)
    CHANGES[change](source)
    assert not is_same(found, source)


def test_unchanged(source, target):
    """To read what was copied, or to move all of it, is no change; nor is it there once it is gone."""
    found = copy(source, target)
    assert signature(source, with_digest=True) == found
    moved = source.rename(source.with_name("moved"))
    assert is_same(found, moved)
    assert not is_same(found, source)
    (part,) = copy(moved / "zarr.json", target.with_name("file")).parts
    assert is_same(signatures.Signature((part,)), moved / "zarr.json")


@pytest.mark.parametrize("change", CHANGES)
def test_changed_meanwhile(source, target, meanwhile, change):
    """A source that is changed once it was read is no source: nothing is left of its copy."""
    meanwhile(target, lambda: CHANGES[change](source))
    with pytest.raises(BusyError, match="'source' was changed while it was read; nothing was copied"):
        copy(source, target)
    assert os.listdir(target.parent) == []


def test_changed_before_it_is_read(source, target):
    """What is not any more what was listed is not copied."""
    settle(source)
    changes = iter([lambda: (source / "c" / "0" / "20").write_bytes(b"x" * 1010)])

    def wanted(name):
        if name == "20":
            next(changes)()
        return True

    with pytest.raises(BusyError, match="'source/c/0/20' was changed"):
        copy(source, target, wanted=wanted)
    assert os.listdir(target.parent) == []


def test_no_time_between(source):
    """Two writes within one tick of the clock are two: what was written just now is looked at once more."""
    path = source / "zarr.json"
    for number in range(20):
        path.write_text(f"{number:04}")
        found = signature(path)
        path.write_text(f"{number:03}x")
        assert not is_same(found, path)


def test_always_changing(source, target):
    """What is never left alone is refused."""
    with (
        again_and_again(lambda: os.utime(source / "zarr.json")),
        pytest.raises(BusyError, match=r"was changed|all the time"),
    ):
        copy(source, target)
    assert not target.exists()


@contextmanager
def again_and_again(change):
    """Do something all the time."""
    is_over = threading.Event()

    def run():
        while not is_over.is_set():
            change()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()


def swapping(folder, outside):
    """Swap a folder for a symlink that leads out, and back, all the time."""
    aside = folder.with_name("aside")

    def swap():
        with suppress(OSError):
            folder.rename(aside)
            folder.symlink_to(outside)
            folder.unlink()
            aside.rename(folder)

    return again_and_again(swap)


def clear(path):
    """Delete a folder in which somebody swaps things."""
    while os.path.lexists(path):
        subprocess.run(["rm", "-rf", path], check=False, capture_output=True)


def test_swapped_source(source, target, tmp_path, monkeypatch):
    """A folder that is swapped for a symlink while it is read never leads out."""
    monkeypatch.setattr(signatures, "TICK", -signatures.AHEAD)  # else all is found to be changing
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_text("secret")
    results = []
    with swapping(source / "c", outside):
        while len(results) < 200:
            try:
                found = copy(source, target, workers=2)
                results.append(not any("secret" in part.path for part in found.parts))
            except StoreError:
                results.append(not target.exists())
                continue
            clear(target)
    assert results == [True] * 200


def test_swapped_target(target, tmp_path):
    """A folder of a copy that is swapped for a symlink while it is made never leads out."""
    source = tmp_path / "source"
    for number in range(10):
        (source / "c" / str(number)).mkdir(parents=True)
        (source / "c" / str(number) / "0").write_text("x")
    outside = tmp_path / "outside"
    outside.mkdir()
    made = 0
    settle(source)
    with swapping(target / "c", outside):
        for _ in range(20):
            try:
                copy(source, target, workers=4)
                made += 1
            except StoreError:
                pass
            clear(target)
    assert os.listdir(outside) == []
    assert made < 20


# --- what goes wrong -------------------------------------------------------------------------------------------------


COPY = """
import os, sys
from zarrange.errors import StoreError
from zarrange.stores.local.copying import copy_in
source, target = (os.open(path, os.O_RDONLY) for path in sys.argv[1:3])
try:
    copy_in(source, "source", target, "copy")
except StoreError as error:
    print(error)
print(os.listdir(target))
"""


def test_no_space(source, tmp_path):
    """A disk that is full, or a limit that is met, leaves nothing, and is named."""
    (source / "large").write_bytes(os.urandom(1024 * 1024))
    disk = tmp_path / "disk"
    disk.mkdir()
    words = [sys.executable, "-c", COPY, str(tmp_path), str(disk)]
    mounting = f'mount -t tmpfs -o size=256k none {disk} && exec "$@"'
    result = subprocess.run(
        ["unshare", "-m", "sh", "-c", mounting, "sh", *words], check=False, capture_output=True, text=True
    )
    if result.returncode:  # not permitted
        result = limited(words)
    message, left = result.stdout.splitlines()
    assert message.startswith("'source/")
    assert message.endswith(
        ("cannot be copied: no space left on device; nothing was copied", "file too large; nothing was copied")
    )
    assert left == "[]"


def limited(words):
    limit = 512 * 1024
    return subprocess.run(
        words,
        check=True,
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
    )


def test_limit(source, tmp_path):
    """A file that may not become so large is named, and nothing is left."""
    (source / "large").write_bytes(os.urandom(1024 * 1024))
    (source / "c" / "0" / "1" / "sparse").unlink()
    disk = tmp_path / "disk"
    disk.mkdir()
    result = limited([sys.executable, "-c", COPY, str(tmp_path), str(disk)])
    assert result.stdout == "'source/large' cannot be copied: file too large; nothing was copied\n[]\n"


def test_read_back(source, target, monkeypatch):
    """A disk that keeps something else than what it was given is found out."""
    real = os.fsync

    def corrupting(descriptor):
        if os.fstat(descriptor).st_size == 1020:
            os.pwrite(descriptor, b"oops", 100)
        real(descriptor)

    monkeypatch.setattr(os, "fsync", corrupting)
    with pytest.raises(StoreError, match="the copy of 'source' is not the same, first at 'c/0/30'"):
        copy(source, target)
    assert os.listdir(target.parent) == []


def test_on_the_disk(source, target, monkeypatch):
    """Every file and every folder of a copy is synced, and the folder that it is in."""
    synced = []
    real = os.fsync

    def recording(descriptor):
        synced.append(os.fstat(descriptor).st_ino)
        real(descriptor)

    monkeypatch.setattr(os, "fsync", recording)
    copy(source, target)
    made = [target.parent, *target.rglob("*"), target]
    assert sorted(synced) == sorted(path.lstat().st_ino for path in made)
    assert synced[-1] == target.parent.stat().st_ino


def test_few_descriptors(tmp_path, target):
    """Many folders, and folders that are deep, take few descriptors."""
    root = tmp_path / "wide"
    for number in range(150):
        (root / str(number) / "0" / "0").mkdir(parents=True)
        (root / str(number) / "0" / "0" / "0").write_text("x")
    (root / "/".join("d" * 60)).mkdir(parents=True)
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    used = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 128
    resource.setrlimit(resource.RLIMIT_NOFILE, (used + 200, before[1]))
    try:
        copy(root, target)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    assert described(target) == described(root)
