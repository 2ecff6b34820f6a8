"""Folders: making and taking out what is in them, without ever leaving them.

Every step from a root down is taken by a descriptor that is held open and with `O_NOFOLLOW`, so that no symlink leads
out, not even one that is swapped in meanwhile. Nothing here knows layouts or identifiers. POSIX only.
"""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import stat
import time
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING

from zarrange.errors import (
    AlreadyExistsError,
    LeftoverError,
    NotFoundError,
    NotInStoreError,
    StoreError,
)
from zarrange.stores.backend import STAGE, TRASH
from zarrange.stores.local.nodes import node_type
from zarrange.stores.metadata import LEFTOVER, METADATA, NODE_METADATA, is_chunk_like

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence


__all__ = [
    "check_array",
    "check_group",
    "check_no_node_inside",
    "check_nothing_else",
    "check_way",
    "leaving_no_folders",
    "put_in",
    "staging",
    "take_out",
    "write_whole",
]

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NODES = frozenset(NODE_METADATA)
_STAGE = STAGE.split("/")
ASIDE = "removed"
PATIENCE = 100
ATTEMPTS = 1_000
"""How often a working folder is made again that another process has just cleaned up as empty."""


def check_way(root: str, segments: Sequence[str]) -> None:
    """Refuse to write behind a symlink, below an array or through a file. What does not exist yet is fine.

    Raises `NotInStoreError`.
    """
    path = root
    for segment in segments:
        path = os.path.join(path, segment)
        try:
            mode = os.lstat(path).st_mode
        except FileNotFoundError:
            return
        if stat.S_ISLNK(mode):
            raise NotInStoreError(f"{path!r} is a symlink; a store's root may be one, what is below may not")
        if not stat.S_ISDIR(mode):
            raise NotInStoreError(f"{path!r} is a file, not a folder")
        if node_type(path) == "array":
            raise NotInStoreError(f"{path!r} is an array; what is written below it would lie among its chunks")


@contextmanager
def leaving_no_folders(root: str, segments: Sequence[str]) -> Iterator[None]:
    """Take back the folders that were made for something at `segments` when the body raises.

    What is not empty, such as what another process has made meanwhile, stays: nothing is deleted but empty folders that
    were not there before.
    """
    ways = [os.path.join(root, *segments[:length]) for length in range(len(segments) + 1)]
    made = [way for way in ways if not os.path.lexists(way)]
    try:
        yield
    except BaseException:
        for way in reversed(made):
            with suppress(OSError):
                os.rmdir(way)
        raise


@contextmanager
def staging(root: str) -> Iterator[str]:
    """A place below `root`, out of a layout's sight, to make something that `put_in` then brings to its own.

    What is left there in the end is deleted.
    """
    check_way(root, _STAGE)
    stage = os.path.join(root, STAGE, secrets.token_hex(8))
    for _ in range(ATTEMPTS):
        # Another process may clean up the empty folders above in just this moment.
        with suppress(FileNotFoundError):
            os.makedirs(stage)
            break
    try:
        yield os.path.join(stage, "new")
    finally:
        _clear(stage)
        for length in range(len(_STAGE), 0, -1):
            with suppress(OSError):
                os.rmdir(os.path.join(root, *_STAGE[:length]))


def _clear(folder: str) -> None:
    """Delete a folder that an interrupted writer's threads may still be writing into for a moment."""
    for _ in range(PATIENCE):
        shutil.rmtree(folder, ignore_errors=True)
        if not os.path.lexists(folder):
            return
        time.sleep(0.02)


def put_in(made: str, path: str) -> None:
    """Bring a folder to its place, in one step. Raises `AlreadyExistsError` where something is there by now."""
    try:
        os.rename(made, path)
    except OSError as error:
        if error.errno in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
            raise AlreadyExistsError(errno.EEXIST, "something is there already", path) from None
        raise


def write_whole(root: str, segments: Sequence[str], content: bytes, *, replace: bool) -> None:
    """Write a file below `root`, with the folders above it: it appears whole or not at all, and survives a power cut.

    Raises `AlreadyExistsError` where something is there, unless `replace`; `NotInStoreError` for a way by a symlink.
    """
    check_way(root, segments[:-1])
    folder, path = os.path.join(root, *segments[:-1]), os.path.join(root, *segments)
    os.makedirs(folder, exist_ok=True)
    aside = os.path.join(folder, f".{secrets.token_hex(8)}{LEFTOVER}")
    try:
        with open(aside, "xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if replace:
            os.replace(aside, path)
        else:
            os.link(aside, path, follow_symlinks=False)
    except FileExistsError:
        raise AlreadyExistsError(errno.EEXIST, "something is there already", path) from None
    finally:
        with suppress(FileNotFoundError):
            os.unlink(aside)
    sync_folder(folder)


def sync_folder(folder: str) -> None:
    """Bring the names in a folder to the disk."""
    descriptor = os.open(folder, _FOLDER & ~os.O_NOFOLLOW)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def check_group(folder: int) -> None:
    """Refuse a folder that is an array, or in which there is something but nothing of zarr's.

    Damaged metadata go with the rest. Raises `NotInStoreError`.
    """
    try:
        found = node_type(folder)
    except StoreError:
        return
    if found == "array":
        raise NotInStoreError("it is an array")
    if found is None and os.listdir(folder) and first_node(folder) is None:
        raise NotInStoreError("it has no metadata of zarr, and nothing in it has")


def first_node(folder: str | int) -> str | None:
    """Return the way to some zarr node below a folder, relative to it, or `None`. A symlink is not followed."""
    where, base = (".", folder) if isinstance(folder, int) else (folder, None)
    for place, _, files, _ in os.fwalk(where, dir_fd=base, onerror=_raise):
        if not _NODES.isdisjoint(files):
            return os.path.relpath(place, where)
    return None


def check_array(folder: int) -> None:
    """Refuse a folder that is not an array, or that holds something else than the array. Raises `NotInStoreError`."""
    if node_type(folder) != "array":
        raise NotInStoreError("it is not an array")
    check_nothing_else(folder)


def check_nothing_else(folder: int) -> None:
    """Refuse a folder that holds something else than chunks and metadata. Raises `NotInStoreError`."""
    check_no_node_inside(folder)
    for name in sorted(os.listdir(folder)):
        if name not in METADATA and not is_chunk_like(name) and not name.endswith(LEFTOVER):
            raise NotInStoreError(f"{name!r} in its folder is not part of the array; it would be lost with it")


def check_no_node_inside(folder: int) -> None:
    """Refuse a folder with another zarr node somewhere inside. Raises `NotInStoreError`."""
    for where, _, files, _ in os.fwalk(".", dir_fd=folder, onerror=_raise):
        if where != "." and not _NODES.isdisjoint(files):
            raise NotInStoreError(f"{where.removeprefix('./')!r} inside is another zarr node; it would be lost with it")


def _raise(error: OSError) -> None:
    raise error


def take_out(root: str, segments: Sequence[str], check: Callable[[int], None] | None) -> None:
    """Remove what is at `segments` below `root`: rename it aside, out of sight at once, then delete it.

    With a `check`, it must be a folder, which is handed to it first and which it may refuse. Raises `NotFoundError`;
    `NotInStoreError` where the way passes a symlink or leads into an array; `LeftoverError` where deleting failed after
    the renaming.
    """
    if not shutil.rmtree.avoids_symlink_attacks:  # pragma: no cover - not on POSIX
        raise StoreError("this system has no way to remove a folder without following symlinks")
    with ExitStack() as stack:
        top = _open(stack, root, None)
        folder = top
        array = None
        for at, segment in enumerate(segments[:-1]):
            way = os.path.join(root, *segments[: at + 1])
            folder = _step(stack, folder, segment, way)
            array = way if node_type(folder) == "array" else array
        shown = os.path.join(root, *segments)
        name = segments[-1]
        before = _status(folder, name, shown)
        if array is not None:
            raise NotInStoreError(f"{array!r} is an array, and what lies in it is part of it")
        if check is not None:
            check(_step(stack, folder, name, shown))
        with _trash(stack, top) as (trash, own):
            left = os.path.join(root, TRASH, own, ASIDE)
            try:
                os.rename(name, ASIDE, src_dir_fd=folder, dst_dir_fd=trash)
            except FileNotFoundError:
                raise NotFoundError(errno.ENOENT, "nothing is there", shown) from None
            after = os.stat(ASIDE, dir_fd=trash, follow_symlinks=False)
            if (after.st_dev, after.st_ino) != (before.st_dev, before.st_ino):
                try:
                    os.rename(ASIDE, name, src_dir_fd=trash, dst_dir_fd=folder)
                except OSError as error:
                    message = f"{shown!r} was replaced while it was being removed; what replaced it is in {left!r}"
                    raise LeftoverError(message) from error
                raise NotInStoreError(f"{shown!r} was replaced while it was being removed; it is as it was")
            _delete(trash, ASIDE, left, is_folder=stat.S_ISDIR(before.st_mode))


def _delete(trash: int, name: str, shown: str, *, is_folder: bool) -> None:
    try:
        if is_folder:
            shutil.rmtree(name, dir_fd=trash)
        else:
            os.unlink(name, dir_fd=trash)
    except OSError as error:
        raise LeftoverError(f"removed, but what is left of it in {shown!r} could not be deleted: {error}") from error


@contextmanager
def _trash(stack: ExitStack, top: int) -> Iterator[tuple[int, str]]:
    """A folder of its own for what is renamed aside, with its name; it is there only as long as it is needed."""
    names = (*TRASH.split("/"), secrets.token_hex(8))
    folders = [top]
    try:
        folders += _made_folders(stack, top, names)
        yield folders[-1], names[-1]
    finally:
        for name, folder in reversed(list(zip(names, folders, strict=False))):
            with suppress(OSError):  # a left-over, or somebody else's
                os.rmdir(name, dir_fd=folder)


def _made_folders(stack: ExitStack, top: int, names: Sequence[str]) -> list[int]:
    """Make and open folders inside each other, while other processes may clean up the empty ones."""
    for _ in range(ATTEMPTS):
        folders = [top]
        try:
            for name in names:
                with suppress(FileExistsError):
                    os.mkdir(name, dir_fd=folders[-1])
                folders.append(_step(stack, folders[-1], name, "/".join(names)))
        except FileNotFoundError:
            continue
        return folders[1:]
    raise StoreError(f"{'/'.join(names)!r} disappears whenever it is made")


def _status(folder: int, name: str, shown: str) -> os.stat_result:
    try:
        status = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        raise NotFoundError(errno.ENOENT, "nothing is there", shown) from None
    if stat.S_ISLNK(status.st_mode):
        raise NotInStoreError(f"{shown!r} is a symlink")
    return status


def _step(stack: ExitStack, folder: int, name: str, shown: str) -> int:
    """Open a folder inside an open one, without following a symlink."""
    if not stat.S_ISDIR(_status(folder, name, shown).st_mode):
        raise NotInStoreError(f"{shown!r} is not a folder")
    return _open(stack, name, folder, shown)


def _open(stack: ExitStack, path: str, folder: int | None, shown: str | None = None) -> int:
    flags = _FOLDER if folder is not None else _FOLDER & ~os.O_NOFOLLOW  # the root itself may be a symlink
    try:
        descriptor = os.open(path, flags, dir_fd=folder)
    except FileNotFoundError:
        raise NotFoundError(errno.ENOENT, "nothing is there", shown or path) from None
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENOTDIR):
            raise NotInStoreError(f"{shown or path!r} is a symlink, or not a folder") from None
        raise
    stack.callback(os.close, descriptor)
    return descriptor
