"""Journal: what a transaction is to do and how far it has come, in a file of `.zarrange/tx/` that outlives a crash.

The first line has the intent; each phase that is reached adds a line, and every line is on the disk before what follows
from it is begun. As long as its process lives, the file is locked by `flock`. Files are told apart by their names, and
what a stranger wrote into one is checked as any other data. Transactions begin one after the other, under a lock.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import secrets
import socket
import stat
import time
from contextlib import contextmanager, suppress
from functools import lru_cache
from typing import TYPE_CHECKING

from attrs import frozen

from zarrange.converter import from_json, to_json, version_of
from zarrange.errors import BusyError, DamagedError, NotFoundError, StoreError, StructureError
from zarrange.stores.backend import JOURNALS
from zarrange.stores.local.descent import rename, status
from zarrange.stores.transactions import Intent, Phase, Transaction

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from zarrange.stores.local.descent import Descent

__all__ = ["Journal", "begin", "journals", "locked", "seize"]

VERSION = 1
LOCK = "lock"
PATIENCE = 30.0
"""Seconds for which a transaction waits for another one to begin or to end."""
MOMENT = 0.005
MAX_JOURNAL = 256 * 1024 * 1024
"""What is larger would fill the memory; a migration of a million arrays has not as much."""
SHORT = 4_096
"""What is longer is not held in memory for as many journals."""
_name = re.compile(r"([0-9a-f]{16})\.journal").fullmatch
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_APPEND = os.O_RDWR | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


@frozen
class Header:
    """The first line of a journal. `grace` is in seconds, `started` in seconds since the epoch."""

    zarrange: int
    started: float
    grace: float
    owner: str
    intent: Intent


@frozen
class Mark:
    """A line of a journal: a phase, and when it was reached, in seconds since the epoch."""

    phase: Phase
    at: float


class Journal:
    """A transaction's journal, open and locked. Whoever has it may change what the transaction concerns."""

    def __init__(self, descent: Descent, name: str, descriptor: int, header: Header, mark: Mark) -> None:
        self.name = name
        self.intent = header.intent
        self._descent = descent
        self._descriptor = descriptor
        self._header = header
        self._mark = mark
        self.is_sure = True
        """Whether `phase` is what is written down; not where writing failed, and taking back what was written too."""

    @property
    def is_over(self) -> bool:
        """Whether this process has let go of the transaction, at its end at the latest."""
        return self._descriptor < 0

    @property
    def is_kept(self) -> bool:
        """Whether what it takes away can be put back for some time."""
        return self._header.grace > 0 and not self.intent.is_exclusive

    @property
    def phase(self) -> Phase:
        """How far the transaction has come."""
        return self._mark.phase

    @property
    def transaction(self) -> Transaction:
        """The transaction as others see it."""
        return _transaction(self.name, self._header, self._mark, is_live=not self.is_over)

    def mark(self, phase: Phase) -> None:
        """Write down that a phase is reached; it is on the disk when this returns."""
        mark = Mark(phase, time.time())
        length = os.fstat(self._descriptor).st_size
        try:
            _write(self._descriptor, f"{to_json(mark)}\n".encode())
        except BaseException:
            self.is_sure = False
            with suppress(OSError):
                self.is_sure = os.fstat(self._descriptor).st_size == length
            raise
        self._mark, self.is_sure = mark, True

    def end(self) -> None:
        """Delete the journal: the transaction is over. Folders that are empty then go too."""
        with locked(self._descent) as folder:
            os.unlink(f"{self.name}.journal", dir_fd=folder)
        self.close()

    def close(self) -> None:
        """Let go of the journal; what is not over is somebody else's to finish."""
        if self._descriptor >= 0:
            _let_go(self._descriptor)
            self._descriptor = -1


def begin(descent: Descent, intent: Intent, grace: float, refuse: Callable[[list[Transaction]], None]) -> Journal:
    """Begin a transaction, unless `refuse` raises for one of those that are open. Raises `BusyError`."""
    header = Header(VERSION, time.time(), grace, f"process {os.getpid()} on {socket.gethostname()}", intent)
    mark = Mark("begun", header.started)
    name = secrets.token_hex(8)
    with locked(descent) as folder:
        refuse(_transactions(descent, folder))
        aside, final = f"{name}.partial", f"{name}.journal"
        descriptor = _held(aside, _APPEND | os.O_CREAT | os.O_EXCL, folder)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _write(descriptor, f"{to_json(header)}\n".encode(errors="surrogatepass"))  # names need not be text
            rename(folder, aside, folder, final, descent.shown(f"{JOURNALS}/{final}"))
            descent.sync([JOURNALS])
        except BaseException:
            _let_go(descriptor)
            for one in (aside, final):
                with suppress(FileNotFoundError):
                    os.unlink(one, dir_fd=folder)
            raise
    return Journal(descent, name, descriptor, header, mark)


def journals(descent: Descent) -> list[Transaction]:
    """Return the transactions that are not over, the oldest first. Raises `StoreError` for what is no journal."""
    try:
        folder = descent.open(JOURNALS)
    except NotFoundError:
        return []
    try:
        return _transactions(descent, folder)
    finally:
        os.close(folder)


def seize(descent: Descent, name: str) -> Journal:
    """Take over a journal whose process has died, or is done with it. Raises `NotFoundError`, `BusyError`."""
    shown = descent.shown(f"{JOURNALS}/{name}.journal")
    try:
        folder, file = descent.above(f"{JOURNALS}/{name}.journal")
        descriptor = _held(file, _APPEND, folder)
    except FileNotFoundError:
        raise NotFoundError(errno.ENOENT, "there is no such transaction", shown) from None
    except OSError as error:
        raise StoreError(f"{shown!r} cannot be read: {error.strerror}") from error
    try:
        if not _is_locked_in_time(descriptor, 1.0):
            header, mark = _read(descriptor, shown)
            raise BusyError(f"{header.intent.about} is under way: {header.owner} is at it")
        if status(descent.folder(JOURNALS), file) is None:
            raise NotFoundError(errno.ENOENT, "the transaction is over by now", shown)
        header, mark = _read(descriptor, shown)
        _cut(descriptor)
        return Journal(descent, name, descriptor, header, mark)
    except BaseException:
        _let_go(descriptor)
        raise


# --- what is in the folder -------------------------------------------------------------------------------------------


@contextmanager
def locked(descent: Descent) -> Iterator[int]:
    """The folder of journals, made if it is missing, while nobody else begins or ends a transaction.

    Removes it in the end if no journal is left. Raises `BusyError` when others keep it locked.
    """
    folder, lock = _lock(descent)
    try:
        _sweep(folder)
        yield folder
    finally:
        try:
            if os.listdir(folder) == [LOCK]:
                os.unlink(LOCK, dir_fd=folder)
                descent.remove_empty(JOURNALS)
        finally:
            _let_go(lock)
            os.close(folder)


def _lock(descent: Descent) -> tuple[int, int]:
    end = time.monotonic() + PATIENCE
    where = descent.shown(f"{JOURNALS}/{LOCK}")
    while True:
        folder = descent.open(JOURNALS, like="")
        try:
            lock = _locked_file(folder, end)
            if lock is not None:
                return folder, lock
        except BaseException as error:
            os.close(folder)
            if isinstance(error, OSError) and error.errno in (errno.ELOOP, errno.EISDIR):
                raise StoreError(f"{where!r} is not a file") from None
            raise
        os.close(folder)
        if time.monotonic() > end:
            raise BusyError(f"another process has locked {where!r} for more than {PATIENCE:.0f} seconds")


def _locked_file(folder: int, end: float) -> int | None:
    """Return the lock, open and locked; `None` where it has been removed meanwhile."""
    try:
        lock = _held(LOCK, _APPEND | os.O_CREAT, folder)
    except FileNotFoundError:
        return None
    if _is_locked_in_time(lock, end - time.monotonic()):
        found = status(folder, LOCK)
        if found is not None and found.st_ino == os.fstat(lock).st_ino:
            return lock
    _let_go(lock)
    return None


_all_held: set[int] = set()


def _held(name: str, flags: int, folder: int) -> int:
    """Open a file that is to be locked. A child that is forked meanwhile closes it, or it would keep the lock."""
    descriptor = os.open(name, flags, 0o666, dir_fd=folder)
    _all_held.add(descriptor)
    return descriptor


def _let_go(descriptor: int) -> None:
    """Unlock and close a file, but not in a child, which has done so already."""
    if descriptor in _all_held:
        _all_held.remove(descriptor)
        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_UN)
        os.close(descriptor)


def _forked() -> None:
    while _all_held:
        os.close(_all_held.pop())


os.register_at_fork(after_in_child=_forked)


def _is_locked_in_time(descriptor: int, seconds: float) -> bool:
    end = time.monotonic() + seconds
    while True:
        with suppress(BlockingIOError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        if time.monotonic() > end:
            return False
        time.sleep(MOMENT)


def _sweep(folder: int) -> None:
    """Delete what was never begun: nobody else is at it, for this is called under the lock."""
    for name in os.listdir(folder):
        if re.fullmatch(r"[0-9a-f]{16}\.partial", name):
            with suppress(IsADirectoryError):  # not one of ours
                os.unlink(name, dir_fd=folder)


def _transactions(descent: Descent, folder: int) -> list[Transaction]:
    found = []
    for name in os.listdir(folder):
        if _name(name):
            with suppress(FileNotFoundError):  # over by now
                found.append(_look(descent, folder, name))
    return sorted(found, key=lambda one: (one.started, one.id))


def _look(descent: Descent, folder: int, name: str) -> Transaction:
    shown = descent.shown(f"{JOURNALS}/{name}")
    try:
        descriptor = _held(name, _READ, folder)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise StoreError(f"{shown!r} cannot be read: {error.strerror}") from error
    try:
        header, mark = _read(descriptor, shown)
        is_live = True
        with suppress(BlockingIOError):
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
            is_live = False
        if not is_live:  # it may have come further before it let go
            header, mark = _read(descriptor, shown)
        return _transaction(name.partition(".")[0], header, mark, is_live=is_live)
    finally:
        _let_go(descriptor)


def _transaction(name: str, header: Header, mark: Mark, *, is_live: bool) -> Transaction:
    keep_until = mark.at + header.grace
    return Transaction(name, header.intent, mark.phase, header.started, keep_until, header.owner, is_live)


# --- lines -----------------------------------------------------------------------------------------------------------


def _write(descriptor: int, line: bytes) -> None:
    """Add a line. A part of one, behind which nothing follows, was never on the disk as a whole: it does not count."""
    length = os.fstat(descriptor).st_size
    try:
        left = memoryview(line)
        while left:
            left = left[os.write(descriptor, left) :]
        os.fsync(descriptor)
    except BaseException:
        with suppress(OSError):
            os.ftruncate(descriptor, length)
            os.fsync(descriptor)
        raise


def _read(descriptor: int, shown: str) -> tuple[Header, Mark]:
    """Return the header of a journal and its last mark. Raises `DamagedError`."""
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode) or found.st_size > MAX_JOURNAL:
        raise DamagedError(f"{shown!r} is no journal of a transaction")
    content = b"".join(_blocks(descriptor, found.st_size))
    first, *lines = content.split(b"\n")[:-1] or [b""]
    try:
        header = _header(first)
        mark = _mark(lines[-1]) if lines else Mark("begun", header.started)
    except (StructureError, ValueError) as error:
        _check_version(version_of(first), shown)
        problem = error.problems[0] if isinstance(error, StructureError) else error
        raise DamagedError(f"{shown!r} is damaged: {problem}") from error
    _check_version(header.zarrange, shown)
    return header, mark


def _check_version(version: int | None, shown: str) -> None:
    if version not in (None, VERSION):
        raise StoreError(f"{shown!r} has the version {version}; this zarrange knows {VERSION}")


def _header(line: bytes) -> Header:
    """Structure a header; it is the same each time that a journal is looked at, and there may be thousands of them."""
    return _short_header(line) if len(line) < SHORT else _long_header(line)


@lru_cache(8_192)
def _short_header(line: bytes) -> Header:
    return from_json(line, Header)


@lru_cache(32)
def _long_header(line: bytes) -> Header:
    return from_json(line, Header)


@lru_cache(8_192)
def _mark(line: bytes) -> Mark:
    return from_json(line, Mark)


def _cut(descriptor: int) -> None:
    """Cut off a line that was not written to its end, so that the next one does not go on where it stops."""
    size = os.fstat(descriptor).st_size
    content = b"".join(_blocks(descriptor, size))
    os.ftruncate(descriptor, content.rfind(b"\n") + 1)


def _blocks(descriptor: int, size: int) -> Iterator[bytes]:
    at = 0
    while at < size and (block := os.pread(descriptor, size - at, at)):
        yield block
        at += len(block)
