"""Dying at every call: an operation is run in a forked child that ends, or is refused, at a chosen file-system call.

The calls are seen where Python makes them: by its audit events, and by functions of `os` and files of `io` that are
replaced in the child. What C and Rust do by themselves is not seen here; `straced` sees it.
"""

from __future__ import annotations

import builtins
import ctypes
import errno
import io
import os
import pickle
import signal
import sys
import threading
import time
import traceback
import warnings
from dataclasses import dataclass, field

import zarrange.stores.local.descent as descending

WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
CHANGING = {
    "os.rename": (0, 2),
    "os.remove": (0, 1),
    "os.rmdir": (0, 1),
    "os.mkdir": (0, 2),
    "os.link": (1, 3),
    "os.symlink": (1, 2),
    "os.chmod": (0, 2),
    "os.chown": (0, 3),
    "os.utime": (0, 3),
    "os.truncate": (0, None),
    "os.setxattr": (0, None),
    "os.removexattr": (0, None),
    "fcntl.flock": (0, None),
}
"""The audit events of calls that change something, and which of their arguments are the path and its folder."""
LISTING = ("os.listdir", "os.scandir")
NEEDS_SPACE = ("open", "write", "os.mkdir", "os.link", "os.symlink", "os.rename", "renameat2", "fsync", "os.truncate")


@dataclass(frozen=True)
class Fault:
    """What is to happen at the call `number`, from 1: death (without a `code`), or an error. At 0, calls are told.

    `is_torn`: a write is done by half before it; `is_lasting`: all later calls fail too (for want of space, those
    that need some). `reads`: calls that only look count too. `fails`: one call before it fails, once.
    """

    number: int
    code: int | None = None
    is_torn: bool = False
    is_lasting: bool = False
    reads: bool = False
    fails: int | None = None


@dataclass(frozen=True)
class Call:
    """A call: its number, its name, what it is about, and who made it, the innermost last."""

    number: int
    name: str
    target: str
    callers: tuple[str, ...]
    is_reading: bool = False

    def __str__(self):
        return f"call {self.number}: {self.name} {self.target} ({' > '.join(self.callers[-4:])})"


@dataclass
class Outcome:
    """How a child ended: where the fault struck, all calls if they were recorded, and what was raised."""

    struck: Call | None = None
    was_killed: bool = False
    calls: list[Call] = field(default_factory=list)
    error: str | None = None


class Interceptor:
    """Counts the calls below `root` in this process, which has to be a child, and does what a fault says."""

    def __init__(self, root, fault, send):
        self.root = os.path.realpath(root)
        self.fault = fault
        self.send = send
        self.calls = []
        self.count = 0
        self.struck = None
        self.is_on = False
        self.lock = threading.Lock()

    def reach(self, name, target, *, tear=None, is_reading=False):
        """Tell of a call that is about to be made. Returns, raises `OSError`, or never returns."""
        if not self.is_on or (is_reading and not self.fault.reads):
            return None
        fault = self.fault
        with self.lock:
            self.count += 1
            call = Call(self.count, name, str(target), _callers(), is_reading)
        if fault.number == 0:
            self.calls.append(call)
            return None
        if call.number == fault.fails:
            raise OSError(errno.EIO, os.strerror(errno.EIO), target)
        if call.number < fault.number or (call.number > fault.number and not fault.is_lasting):
            return None
        if call.number > fault.number and fault.code == errno.ENOSPC and name not in NEEDS_SPACE:
            return None
        self.struck = self.struck or call
        torn = tear() if fault.is_torn and tear is not None and call.number == fault.number else None
        if fault.code is None:
            self.send({"struck": call})
            os.kill(os.getpid(), signal.SIGKILL)
            time.sleep(60)
        if torn is not None:
            return torn  # fewer bytes than were asked for
        raise OSError(fault.code, os.strerror(fault.code), target)

    def concerns(self, path, folder=None):
        """Return whether a path or a descriptor is below the root."""
        if isinstance(path, int):
            try:
                path = _readlink(f"/proc/self/fd/{path}")
            except OSError:
                return False
        path = os.fsdecode(path)
        if not path.startswith("/"):
            return folder is None or folder < 0 or self.concerns(folder)
        return path == self.root or path.startswith(self.root + "/")

    def audit(self, event, arguments):
        """See an event of Python."""
        if not self.is_on:
            return
        if event == "open":
            path, _, flags = arguments
            if not isinstance(path, int) and self.concerns(path):
                self.reach("open" if flags & WRITING else "open to read", path, is_reading=not flags & WRITING)
        elif event in CHANGING:
            at, folder = CHANGING[event]
            path = arguments[at]
            if self.concerns(path, None if folder is None else arguments[folder]):
                self.reach(event, path)
        elif event in LISTING and arguments[0] is not None and self.concerns(arguments[0]):
            self.reach(event, arguments[0], is_reading=True)

    def install(self):
        """See the calls from now on, for as long as this process lives."""
        sys.addaudithook(self.audit)
        for name in ("fsync", "fdatasync", "sendfile"):
            self._wrap(name, 0)
        self._wrap("copy_file_range", 1)
        for name in ("stat", "lstat"):
            self._wrap(name, 0, is_reading=True)
        self._wrap_writes()
        self._wrap_opens()
        descending._renameat2 = self._renaming(descending._renameat2)
        self.is_on = True

    def _wrap(self, name, at, *, is_reading=False):
        real = getattr(os, name)

        def wrapped(*arguments, **options):
            if self.concerns(arguments[at], options.get("dir_fd")):
                self.reach(name, arguments[at], is_reading=is_reading)
            return real(*arguments, **options)

        setattr(os, name, wrapped)

    def _wrap_writes(self):
        real = os.write

        def write(descriptor, data):
            if self.concerns(descriptor):
                half = bytes(data)[: len(data) // 2]
                torn = self.reach("write", descriptor, tear=lambda: real(descriptor, half))
                if torn is not None:
                    return torn
            return real(descriptor, data)

        os.write = write

    def _wrap_opens(self):
        interceptor, real = self, io.open

        class Watched(io.FileIO):
            def write(self, data):
                half = bytes(data)[: len(data) // 2]
                torn = interceptor.reach("write", self.name, tear=lambda: super(Watched, self).write(half))
                return super().write(data) if torn is None else torn

        def opened(file, mode="r", buffering=-1, encoding=None, errors=None, newline=None, closefd=True, opener=None):  # noqa: FBT002, PLR0913, PLR0917
            if not set(mode) & set("wxa+") or not interceptor.concerns(file):
                return real(file, mode, buffering, encoding, errors, newline, closefd, opener)
            raw = Watched(file, mode.replace("b", "").replace("t", ""), closefd, opener)
            if buffering == 0:
                return raw
            buffer = io.BufferedRandom(raw) if "+" in mode else io.BufferedWriter(raw)
            return buffer if "b" in mode else io.TextIOWrapper(buffer, encoding, errors, newline)

        io.open = builtins.open = opened

    def _renaming(self, real):
        """The function of C that zarrange renames with, by `ctypes`: no audit event tells of it."""

        def renameat2(source, name, target, to, flags):
            try:
                self.reach("renameat2", f"{os.fsdecode(name)} -> {os.fsdecode(to)}")
            except OSError as error:
                ctypes.set_errno(error.errno)
                return -1
            return real(source, name, target, to, flags)

        return renameat2


_readlink = os.readlink


def _callers():
    """Return who is calling, from the outside in, without what stands in this module."""
    frame, found = sys._getframe(2), []
    while frame is not None:
        code = frame.f_code
        if code.co_filename != __file__:
            found.append(f"{os.path.basename(code.co_filename)}:{frame.f_lineno} {code.co_name}")
        elif code.co_name == "_work":
            break
        frame = frame.f_back
    return tuple(reversed(found[:12]))


def run(task, root, fault=None, *, before=None):
    """Run `task(root)` in a child, with a fault; return its `Outcome`. `before()` is called there first."""
    receiving, sending = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # other threads of the parent hold nothing that is used
        child = os.fork()
    if child == 0:
        try:
            os.close(receiving)
            _work(task, root, fault, sending, before)
        finally:
            os._exit(70)
    os.close(sending)
    with os.fdopen(receiving, "rb") as pipe:
        content = pipe.read()
    status = os.waitpid(child, 0)[1]
    outcome = Outcome(was_killed=os.WIFSIGNALED(status), **(pickle.loads(content) if content else {}))
    if not outcome.was_killed and os.WEXITSTATUS(status) != 0:
        raise RuntimeError(outcome.error or f"the child ended with the status {status}")
    return outcome


def _work(task, root, fault, sending, before):
    write = os.write

    def send(found):
        content = memoryview(pickle.dumps(found))
        while content:
            content = content[write(sending, content) :]

    found = {}
    try:
        if before is not None:
            before()
        if fault is not None:
            interceptor = Interceptor(root, fault, send)
            interceptor.install()
        try:
            task(root)
        except Exception:  # noqa: BLE001 - whatever it is, it is told
            found["error"] = traceback.format_exc()
        if fault is not None:
            interceptor.is_on = False
            found |= {"struck": interceptor.struck, "calls": interceptor.calls}
        send(found)
    except BaseException:  # noqa: BLE001 - the parent raises for it
        send({"error": traceback.format_exc()})
        os._exit(71)
    os._exit(0)
