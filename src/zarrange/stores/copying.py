"""Copying artifacts from one store to another: disks and object stores alike, each artifact whole or not at all.

What was written is read back and compared by digest before it counts; a source that changes meanwhile is refused, and
nothing is ever replaced. A group or a container is copied by its own metadata; copy those first, from the top down.
Groups above an artifact are made where they are missing. A purge may find them without anything just before it is
there: the caller makes them again, and brings those up to date that keep copies of metadata, once all is copied.
"""

from __future__ import annotations

import errno
import hashlib
from concurrent.futures import ThreadPoolExecutor, wait
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

from attrs import define, field, frozen

from zarrange.errors import AlreadyExistsError, BusyError, NotFoundError, NotInStoreError, StoreError
from zarrange.stores.groups import make_group
from zarrange.stores.paths import above

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from concurrent.futures import Executor, Future

    from zarrange.stores.backend import Backend, CopySort, Found, Readable, Receiving, Sending

__all__ = ["Copied", "Work", "copy_artifact", "copy_artifacts", "is_copy", "make_groups"]

WORKERS = 8
"""How many files are copied at once between disks."""
ARTIFACTS = 4
"""How many artifacts are copied at once."""
BLOCK = 1024 * 1024
File: TypeAlias = "tuple[str, int, str]"
Work: TypeAlias = "tuple[str, str, CopySort] | tuple[str, str, CopySort, str | None]"
"""From where, to where, what it is; and the container that it goes into, if its name does not end with `.zarr`."""


@frozen
class Copied:
    """What was copied. `digest` is that of all names, sizes and contents: the same wherever the artifact is."""

    files: int
    bytes: int
    digest: str


def copy_artifact(  # noqa: PLR0913, PLR0917 - from where, to where, what
    source: Backend, path: str, target: Backend, to: str, sort: CopySort, container: str | None = None
) -> Copied:
    """Copy an artifact. `container` is the one that it goes into: else the first folder above it named `….zarr`.

    Raises `NotFoundError`; `AlreadyExistsError`; `BusyError` where the source changes meanwhile; `NotInStoreError` for
    what is not of that sort, and where a symlink is in the way; `UnreadableError`; other `StoreError`s.
    """
    with _files(source, target) as pool:
        return _copy(source, target, pool, WORKERS, (path, to, sort, container))


def copy_artifacts(source: Backend, target: Backend, batch: Sequence[Work]) -> list[Copied]:
    """Copy many artifacts: groups first, from the top down, the others some at a time. Raises as `copy_artifact`.

    All of it can be pickled, if both backends can.
    """
    order = sorted(range(len(batch)), key=lambda at: batch[at][1])
    groups = [at for at in order if batch[at][2] == "group"]
    others = [at for at in order if batch[at][2] != "group"]
    done: dict[int, Copied] = {}
    at_once = min(ARTIFACTS, len(others)) or 1
    with _files(source, target) as files, ThreadPoolExecutor(at_once, thread_name_prefix="zarrange-copy") as pool:
        copy = partial(_copy, source, target, files, WORKERS // at_once)
        for at in groups:
            done[at] = copy(batch[at])
        try:
            done |= zip(others, pool.map(copy, [batch[at] for at in others]), strict=True)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return [done[at] for at in range(len(batch))]


def is_copy(source: Backend, target: Backend, work: Work) -> bool:
    """Return whether what would be copied is there already, and the same: names, sizes and contents."""
    path, to, sort, *_ = work
    there = target.found(to)
    if there is None or (there.sort != sort and not (sort == "group" and there.sort == "folder")):
        return False
    return _digests(source, path, sort) == _digests(target, to, sort)


def make_groups(target: Backend, works: Iterable[Work]) -> None:
    """Make the groups again that are missing above copies that are there. Raises `StoreError`."""
    for _, to, _, container in ((*work, None)[:4] for work in works):
        found = target.found(to)
        if found is not None:
            with target.creating(to) as groups:
                _make_groups(groups, to, container or _container(to), found)


def _digests(backend: Backend, path: str, sort: CopySort) -> list[File]:
    with backend.sending(path, sort) as sent:
        return sorted((name, size, _digest(sent, name)) for name, size in sent.files())


def _digest(place: Sending | Receiving, name: str) -> str:
    with place.open(name) as content:
        read = _Digesting(content)
        while read.read(BLOCK):
            pass
    return read.digest.hexdigest()


def _files(source: Backend, target: Backend) -> ThreadPoolExecutor:
    """Threads for files; none of their work waits for other such work."""
    return ThreadPoolExecutor(max(WORKERS, source.in_flight, target.in_flight), thread_name_prefix="zarrange-file")


def _copy(source: Backend, target: Backend, pool: Executor, workers: int, work: Work) -> Copied:
    path, to, sort, container = (*work, None)[:4]
    found = _found(source, path, sort)
    with target.creating(to) as groups:
        _check_free(target, to, sort)
        with source.sending(path, sort) as sent, target.receiving(to, sort) as received:
            files = received.take(sent, workers)
            if files is None:
                names = sent.files()
                futures = [pool.submit(_copy_file, sent, received, name, size) for name, size in names]
                files = _results(futures)
            sent.check()
            _make_groups(groups, to, container or _container(to), found)
    return Copied(len(files), sum(size for _, size, _ in files), _whole(files))


def _found(source: Backend, path: str, sort: CopySort) -> Found:
    found = source.found(path)
    shown = f"{source.root}/{path}"
    if found is None:
        raise NotFoundError(errno.ENOENT, "nothing is there", shown)
    if found.sort != sort and not (sort == "group" and found.sort == "folder"):
        raise NotInStoreError(f"{shown!r} is not what is to be copied, which is of the sort `{sort}`")
    return found


def _check_free(target: Backend, to: str, sort: CopySort) -> None:
    """Refuse at once what would be refused in the end. An object store tells more of what may be an array's chunks."""
    there = target.found(to)
    may_be = sort == "group" or (sort == "array" and not target.has_folders)
    if there is not None and not (may_be and there.sort == "folder"):
        raise AlreadyExistsError(errno.EEXIST, "something is there already", f"{target.root}/{to}")


def _container(to: str) -> str | None:
    return min((way for way in above(to) if way.endswith(".zarr")), key=len, default=None)


def _make_groups(groups: Callable[[str], Any], to: str, container: str | None, found: Found) -> None:
    """Make the groups above, those inside the container and itself."""
    if container is None or found.node is None or not to.startswith(f"{container}/"):
        return
    way = to.removeprefix(f"{container}/").rpartition("/")[0]
    make_group(groups(container), way or None, found.node.zarr_format)


# --- one file --------------------------------------------------------------------------------------------------------


@define
class _Digesting:
    """A stream whose content is digested on its way."""

    content: Readable
    size: int = 0
    digest: hashlib._Hash = field(factory=hashlib.sha256)

    def read(self, size: int = -1, /) -> bytes:
        """Read on."""
        block = self.content.read(size)
        self.digest.update(block)
        self.size += len(block)
        return block


def _copy_file(sent: Sending, received: Receiving, name: str, size: int) -> File:
    """Copy a file and read it back; return its name, its size and its digest."""
    with sent.open(name) as source:
        content = _Digesting(source)
        received.put(name, content, size)
        if content.read(1) or content.size != size:
            raise BusyError(f"{name!r} was changed while it was read; nothing was copied")
    digest = content.digest.hexdigest()
    if _digest(received, name) != digest:
        raise StoreError(f"the copy of {name!r} is not the same; nothing was copied")
    return name, size, digest


def _results(futures: Sequence[Future[File]]) -> list[File]:
    """Return what all give; when one fails, the rest is not begun, and nothing is under way any more."""
    try:
        return [future.result() for future in futures]
    finally:
        for future in futures:
            future.cancel()
        wait(futures)


def _whole(files: Iterable[File]) -> str:
    digest = hashlib.sha256()
    for name, size, one in sorted(files):
        digest.update(f"{name}\0{size}\0{one}\n".encode(errors="surrogateescape"))
    return digest.hexdigest()
