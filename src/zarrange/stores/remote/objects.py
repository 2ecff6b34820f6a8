"""Objects: what is below a root in an object store, by paths relative to it: read, put where nothing is, deleted.

An empty object that only makes a folder visible is nothing. What is created is put on a condition, so that of two who
create the same, one is told. What fails is an `UnreadableError`, or a `StoreError` where something was to be changed.
"""

from __future__ import annotations

import errno
import secrets
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import IO, TYPE_CHECKING, Any, TypeVar

from zarrange.errors import AlreadyExistsError, NotInStoreError, StoreError, UnreadableError
from zarrange.stores.backend import FILE, FOLDER, Extract, Found, Requests
from zarrange.stores.metadata import NODE_METADATA, parse_node
from zarrange.stores.paths import joined
from zarrange.stores.remote.connection import Absent, Taken, asked, connect, is_proper, parse_url

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from zarrange.stores.backend import Item

__all__ = ["PAGE", "Objects", "parsed"]

T = TypeVar("T")

IN_FLIGHT = 32
PAGE = 1000
"""How many keys the servers give at once."""
MARK = "zarrange"
"""The attribute of an object by which its maker knows it again."""
ROUNDS = 5
"""How often what is to be deleted is listed again."""


class Objects:
    """What is below `root`, a URL. `client` is obstore's, of the whole bucket; `base` is what all keys begin with."""

    def __init__(self, url: str, storage_options: Mapping[str, Any]) -> None:
        address = parse_url(url)
        self.root = address.url
        self.is_ordered = address.is_ordered
        self.client = connect(address, storage_options)
        self.base = f"{address.prefix}/" if address.prefix else ""

    # --- paths -------------------------------------------------------------------------------------------------------

    def url(self, path: str) -> str:
        """Return the whole URL of a path."""
        return f"{self.root}/{path}" if path else self.root

    def key(self, path: str) -> str:
        """Return the key of a path; the root's may be empty."""
        return self.base + path if path else self.base[:-1]

    def inside(self, path: str) -> str:
        """Return what the keys in a folder begin with."""
        return f"{self.base}{path}/" if path else self.base

    def check_name(self, path: str) -> None:
        """Refuse a path that no object can have. Raises `NotInStoreError`."""
        if not is_proper(path):
            raise NotInStoreError(f"{path!r} has an empty segment, `.`, `..`, or a character that no key can have")

    # --- reading -----------------------------------------------------------------------------------------------------

    def items(self, path: str, requests: Requests) -> list[Item]:
        """Return what is in a folder, one level."""
        requests.add(lists=1)
        if not _may_be(path):
            return []
        found = asked("read", self.client.list_with_delimiter, self.key(path) or None)
        base = self.inside(path)
        items: list[Item] = [(one.removeprefix(base), "folder") for one in found["common_prefixes"]]
        files = (one["path"] for one in found["objects"])
        items += [(one.removeprefix(base), "file") for one in files if one.startswith(base)]
        more = max(0, len(items) - 1) // PAGE
        requests.add(lists=more)
        return items

    def listed(self, path: str, requests: Requests | None = None, page: int = PAGE) -> Iterator[list[tuple[str, int]]]:
        """Yield the paths of what is below a folder, each with its size, at most a page at a time."""
        for batch in self.described(path, requests, page):
            yield [(one["path"][len(self.base) :], one["size"]) for one in batch]

    def described(self, path: str, requests: Requests | None = None, page: int = PAGE) -> Iterator[list[Any]]:
        """Yield what obstore says of the objects below a folder, at most a page at a time."""
        requests = requests or Requests()
        requests.add(lists=1)
        if not _may_be(path):
            return
        stream = asked("read", self.client.list, self.key(path) or None, chunk_size=page)
        inside = self.inside(path)
        batch = asked("read", next, stream, None)
        while batch:
            found = [one for one in batch if one["path"].startswith(inside)]
            marks = self._marks([one["path"] for one in found if not one["size"]], requests)
            yield [one for one in found if one["path"] not in marks]
            batch = asked("read", next, stream, None)
            requests.add(lists=bool(batch))

    def _marks(self, empty: list[str], requests: Requests) -> set[str]:
        """Which keys of empty objects are none: one that shows a folder ends with a slash, which is not told."""
        if not empty:
            return set()
        requests.add(stats=len(empty))
        with ThreadPoolExecutor(min(len(empty), IN_FLIGHT), thread_name_prefix="zarrange-head") as threads:
            return {key for key, found in zip(empty, threads.map(self._head, empty), strict=True) if found is None}

    def keys(self, path: str) -> Iterator[str]:
        """Yield the paths of what is below a folder."""
        return (key for batch in self.listed(path) for key, _ in batch)

    def content(self, path: str) -> bytes | None:
        """Return what is in an object, `None` where there is none."""
        if not _may_be(path):
            return None
        with suppress(Absent):
            return asked("read", lambda key: bytes(self.client.get(key).bytes()), self.key(path))
        return None

    def length(self, path: str) -> int | None:
        """Return the size of an object, `None` where there is none."""
        found = self._head(self.key(path)) if path and is_proper(path) else None
        return None if found is None else int(found["size"])

    def modified(self, path: str) -> float | None:
        """Return when the newest object at or below a path was put, in seconds since the epoch, `None` without any."""
        found = [self._head(self.key(path))] if path and is_proper(path) else []
        times = [one["last_modified"].timestamp() for one in found if one is not None]
        times += (one["last_modified"].timestamp() for batch in self.described(path) for one in batch)
        return max(times, default=None)

    def version(self, path: str) -> str | None:
        """Return what an object has that changes when it is put anew, `None` where there is none."""
        if not path or not is_proper(path):
            return None
        with suppress(Absent):
            return _version(asked("read", self.client.head, self.key(path)))
        return None

    def extract(self, path: str, start: int, stop: int | None) -> Extract | None:
        """Return the bytes of an object from `start` up to `stop`, `None` where there is none.

        How long it is, is asked only for the last bytes, which not all servers take as a range, and where it has none.
        """
        if not path or not is_proper(path):
            return None
        failure = None
        if start >= 0 and (stop is None or start < stop):
            try:
                return self._got(path, start, stop)
            except UnreadableError as error:  # as some say that it ends before
                failure = error
        found = self._head(self.key(path))
        if found is None:
            return None
        first = max(0, found["size"] + start) if start < 0 else start
        last = found["size"] if stop is None else min(stop, found["size"])
        if first >= last:
            return Extract(b"", found["size"], _version(found))
        if failure is not None:
            raise failure
        return self._got(path, first, last)

    def _got(self, path: str, start: int, stop: int | None) -> Extract | None:
        span = {"offset": start} if stop is None else (start, stop)
        options = {} if (start, stop) == (0, None) else {"range": span}

        def get() -> Extract:
            found = self.client.get(self.key(path), options=options)
            return Extract(bytes(found.bytes()), found.meta["size"], _version(found.meta))

        with suppress(Absent):
            return asked("read", get)
        return None

    def _head(self, key: str) -> Any:
        """Return what obstore says of an object, `None` where there is none."""
        with suppress(Absent):
            return asked("read", self.client.head, key)
        return None

    def metadata(self, path: str, name: str) -> bytes | None:
        """Return a metadata file of a folder, `None` where there is none."""
        return self.content(joined(path, name))

    def node(self, path: str) -> Found:
        """Return what a folder is by its metadata, looked for one after the other. Raises `DamagedError`."""
        for name in NODE_METADATA:
            content = self.metadata(path, name)
            if content is not None:
                return parsed(name, content)
        return FOLDER

    def found(self, path: str) -> Found | None:
        """Return what is at a path, `None` for nothing."""
        found = self.node(path)
        if found.sort != "folder":
            return found
        if self.length(path) is not None:
            return FILE
        return FOLDER if any(self.listed(path)) else None

    # --- writing -----------------------------------------------------------------------------------------------------

    def create(self, path: str, content: bytes) -> None:
        """Put an object where none is. Raises `AlreadyExistsError`.

        An answer may be lost, and the put be tried again: the object's mark tells who made it.
        """
        self.check_name(path)
        mark = secrets.token_hex(16)
        try:
            put = partial(self.client.put, mode="create", attributes={MARK: mark}, use_multipart=False)
            self.told(path, asked, "created", put, self.key(path), content)
        except Taken:
            if not self.told(path, self._has_mark, path, mark):
                raise AlreadyExistsError(errno.EEXIST, "something is there already", self.url(path)) from None
        except StoreError:
            with suppress(StoreError):
                if self._has_mark(path, mark):
                    self.delete([path])
            raise

    def _has_mark(self, path: str, mark: str) -> bool:
        with suppress(Absent):
            return bool(asked("read", self.client.get, self.key(path)).attributes.get(MARK) == mark)
        return False

    def replace(self, path: str, content: bytes | IO[bytes]) -> None:
        """Put an object, whether or not one is there; many bytes go in parts."""
        self.check_name(path)
        self.told(path, asked, "written", self.client.put, self.key(path), content)

    def delete(self, paths: Sequence[str]) -> None:
        """Delete objects; those that are not there are fine."""
        with suppress(Absent):
            if paths:
                asked("deleted", self.client.delete, [self.key(path) for path in paths])

    def delete_all(self, path: str, is_meant: Callable[[str], bool]) -> None:
        """Delete what is below a path, and list it again until there is nothing, a few times. Raises `StoreError`."""
        failure: StoreError | None = None
        for _ in range(ROUNDS):
            is_empty = True
            for batch in self.listed(path):
                if keys := [key for key, _ in batch if is_meant(key)]:
                    is_empty = False
                    try:
                        self.delete(keys)
                    except StoreError as error:
                        failure = error
            if is_empty:
                return
        if failure is not None:
            raise failure

    def told(self, path: str, ask: Callable[..., T], *args: Any) -> T:
        """Ask, and say of which path something is said."""
        try:
            return ask(*args)
        except AlreadyExistsError:
            raise
        except StoreError as error:
            raise type(error)(f"{self.url(path)!r} {error}") from None


def _version(meta: Any) -> str:
    return f"{meta['e_tag']}-{meta['size']}-{meta['last_modified'].timestamp()}"


def parsed(name: str, content: bytes) -> Found:
    """Return the node that a metadata file describes. Raises `DamagedError`."""
    node = parse_node(name, content)
    return Found(node.type, node)


def _may_be(path: str) -> bool:
    """Whether anything can be at a path."""
    return not path or is_proper(path)
