"""Transfer: an artifact on a disk that is copied from or to here, file by file or, between disks, as a whole.

What is received is made in the store's own folder, brought to the disk, and then renamed, never over anything. Between
disks it keeps its modes and times, and its owner where that may be kept. Everything goes by descriptors.
"""

from __future__ import annotations

import errno
import io
import os
from contextlib import contextmanager, suppress
from typing import IO, TYPE_CHECKING

from zarrange.errors import AlreadyExistsError, NotInStoreError, StoreError
from zarrange.stores.local.attributes import keep_attributes
from zarrange.stores.local.copying import copy_in
from zarrange.stores.local.descent import Descent, open_folder, rename, status
from zarrange.stores.local.folders import staging
from zarrange.stores.local.nodes import node_type
from zarrange.stores.local.signatures import (
    Part,
    Tree,
    check_part,
    everything,
    is_unchanged,
    open_part,
    read_signature,
    telling,
)
from zarrange.stores.local.streaming import BLOCK, changed, sync_file, write_all
from zarrange.stores.metadata import LEFTOVER, METADATA, NODE_METADATA
from zarrange.stores.transactions import is_plain

if TYPE_CHECKING:
    from collections.abc import Iterator

    from zarrange.stores.backend import CopySort, Readable, Sending
    from zarrange.stores.local.signatures import Signature

__all__ = ["receiving", "sending"]

NEW = "new"
_NEW_FILE = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_OLD_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def _is_whole(name: str) -> bool:
    """Whether a file is part of an array, not what zarr was writing when its process died."""
    return not name.endswith(LEFTOVER)


# --- from here -------------------------------------------------------------------------------------------------------


@contextmanager
def sending(root: str, path: str, sort: CopySort) -> Iterator[_Sent]:
    """A context for copying from a path below a root. Raises `NotFoundError`, `NotInStoreError`."""
    with Descent(root) as descent:
        folder, name = descent.above(path)
        if sort == "file":
            yield _Sent(folder, name, folder, {name: read_signature(folder, name, with_digest=False)}, sort)
            return
        inside = open_folder(folder, name, descent.shown(path))
        try:
            yield _Sent(folder, name, inside, _signatures(folder, name, inside, sort), sort)
        finally:
            os.close(inside)


def _signatures(folder: int, name: str, inside: int, sort: CopySort) -> dict[str, Signature]:
    if sort == "array":
        return {"": read_signature(folder, name, with_digest=False, wanted=_is_whole)}
    names = sorted(one for one in METADATA if status(inside, one) is not None)
    return {one: read_signature(inside, one, with_digest=False) for one in names}


class _Sent:
    """What is copied: `signatures` of the names in the open folder `base`; for an array, of itself."""

    def __init__(self, folder: int, name: str, inside: int, signatures: dict[str, Signature], sort: CopySort) -> None:
        self.folder = folder
        self.name = name
        self.inside = inside
        self.signatures = signatures
        self.sort = sort
        self.wanted = _is_whole if sort == "array" else everything
        self._parts = {
            part.path if sort == "array" else one if sort == "group" else "": part
            for one, signature in signatures.items()
            for part in signature.files
        }

    def files(self) -> list[tuple[str, int]]:
        return [(name, part.size) for name, part in self._parts.items()]

    def open(self, name: str) -> IO[bytes]:
        part = self._parts[name]
        shown = f"{self.name}/{name}" if name else self.name
        tree = Tree(self.folder, self.name, self.inside)
        with telling(shown), tree.inside() as inside, open_part(*tree.place(inside, name), part, shown) as descriptor:
            return io.BufferedReader(_Reader(os.dup(descriptor), part, shown), BLOCK)

    def check(self) -> None:
        for one, signature in self.signatures.items():
            at = (self.folder, self.name) if self.sort == "array" else (self.inside, one)
            if not is_unchanged(signature, *at, wanted=self.wanted):
                raise changed(self.name)


class _Reader(io.RawIOBase):
    """A file that is looked at again when all of it was read."""

    def __init__(self, descriptor: int, part: Part, shown: str) -> None:
        self._descriptor = descriptor
        self._part = part
        self._shown = shown

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        with telling(self._shown):
            count = os.readv(self._descriptor, [buffer])
            if not count:
                check_part(self._descriptor, self._part, self._shown)
            return count

    def close(self) -> None:
        if not self.closed:
            os.close(self._descriptor)
        super().close()


# --- to here ---------------------------------------------------------------------------------------------------------


@contextmanager
def receiving(root: str, path: str, sort: CopySort) -> Iterator[_Received]:
    """A context for copying to a path below a root. Raises `AlreadyExistsError`."""
    os.makedirs(root, exist_ok=True)
    with Descent(root) as descent, staging(descent) as stage:
        received = _Received(stage.folder, sort)
        yield received
        with telling(path):
            received.sync()
            _place(descent, received, path)


def _place(descent: Descent, received: _Received, path: str) -> None:
    """Bring what was made to its place, and this onto the disk. Raises `AlreadyExistsError`."""
    above, _, name = path.rpartition("/")
    folder = descent.open(above, like="")
    try:
        if received.sort == "group" and status(folder, name) is not None:
            _put_in_group(received, folder, name, descent.shown(path))
        elif status(received.stage, NEW) is not None:
            rename(received.stage, NEW, folder, name, descent.shown(path))
    finally:
        os.close(folder)
    descent.sync([above])


def _put_in_group(received: _Received, folder: int, name: str, shown: str) -> None:
    """Move metadata into a folder that has none, last what makes it a group; all of them or none."""
    with _closing(open_folder(folder, name, shown)) as group, _closing(received.new()) as made:
        if node_type(group) is not None:
            raise AlreadyExistsError(errno.EEXIST, "there is an array or a group already", shown)
        done: list[str] = []
        try:
            for one in sorted(os.listdir(made), key=lambda one: one in NODE_METADATA):
                rename(made, one, group, one, shown)
                done.append(one)
            os.fsync(group)
        except BaseException:
            for one in reversed(done):
                with suppress(OSError):
                    os.unlink(one, dir_fd=group)
            raise


@contextmanager
def _closing(descriptor: int) -> Iterator[int]:
    try:
        yield descriptor
    finally:
        os.close(descriptor)


class _Received:
    """What is made as `new` in the open folder `stage`."""

    def __init__(self, stage: int, sort: CopySort) -> None:
        self.stage = stage
        self.sort = sort
        self._ways: set[str] = set()

    def take(self, sent: Sending, workers: int) -> list[tuple[str, int, str]] | None:
        if not isinstance(sent, _Sent):
            return None
        if self.sort == "group":
            return self._take_group(sent)
        signature = copy_in(
            sent.folder, sent.name, self.stage, NEW, workers=workers, keep_owner=False, wanted=sent.wanted
        )
        return [(part.path, part.size, part.digest) for part in signature.files]

    def _take_group(self, sent: _Sent) -> list[tuple[str, int, str]]:
        os.mkdir(NEW, 0o700, dir_fd=self.stage)
        taken = []
        with _closing(self.new()) as made:
            for name, _ in sent.files():
                (part,) = copy_in(sent.inside, name, made, name, keep_owner=False).parts
                taken.append((name, part.size, part.digest))
            keep_attributes(sent.inside, made, sent.name, keep_owner=False)
        return taken

    def put(self, name: str, content: Readable, size: int) -> None:  # noqa: ARG002 - a disk needs not know
        if name and not is_plain(name):
            raise NotInStoreError(f"{name!r} is no path of a file in a folder")
        with telling(name or NEW), _closing(self._folder(name, is_made=True)) as folder:
            try:
                descriptor = os.open(_segments(name)[-1], _NEW_FILE, 0o666, dir_fd=folder)
            except FileExistsError:
                raise StoreError(f"{name!r} is there twice, for a disk that does not tell its names apart") from None
            with _closing(descriptor):
                at = 0
                while block := content.read(BLOCK):
                    write_all(descriptor, memoryview(block), at)
                    at += len(block)
                sync_file(descriptor)

    def open(self, name: str) -> IO[bytes]:
        with _closing(self._folder(name)) as folder:
            return open(os.open(_segments(name)[-1], _OLD_FILE, dir_fd=folder), "rb")

    def sync(self) -> None:
        """Bring the names in all folders to the disk."""
        for way in sorted(self._ways):
            with _closing(self._folder(f"{way}/-".partition("/")[2])) as folder:
                os.fsync(folder)

    def new(self) -> int:
        return open_folder(self.stage, NEW, NEW)

    def _folder(self, name: str, *, is_made: bool = False) -> int:
        """Open the folder of a file, which is made where it is missing."""
        segments = _segments(name)[:-1]
        folder = os.dup(self.stage)
        for at, segment in enumerate(segments):
            way = "/".join(segments[: at + 1])
            self._ways.add(way)
            try:
                if is_made:
                    with suppress(FileExistsError):
                        os.mkdir(segment, dir_fd=folder)
                behind = open_folder(folder, segment, way)
            finally:
                os.close(folder)
            folder = behind
        return folder


def _segments(name: str) -> list[str]:
    """The way from the stage to a file."""
    return f"{NEW}/{name}".split("/") if name else [NEW]
