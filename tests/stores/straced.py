"""Dying at every system call: strace attaches to a child that waits, and kills it, or fails its call, at a chosen one.

It sees all calls, also those of C, of Rust and of other threads. It counts the calls of each name by themselves, and
those of each thread.
"""

from __future__ import annotations

import ctypes
import os
import re
import shutil
import signal
import subprocess
import traceback
import warnings
from collections import Counter
from functools import cache

from tests.stores.judging import Verdict, take
from tests.stores.killing import Call, Outcome

PR_SET_PTRACER = 0x59616D61
SYSTEM_CALLS = """
    open openat openat2 creat write pwrite64 writev pwritev rename renameat renameat2 unlink unlinkat rmdir mkdir
    mkdirat link linkat symlink symlinkat fsync fdatasync sync_file_range truncate ftruncate fallocate chmod fchmod
    fchmodat chown fchown fchownat lchown utimensat utime copy_file_range sendfile splice flock setxattr fsetxattr
"""
OPENING = ("open", "openat", "openat2")
_TRACED = "trace=" + ",".join(f"?{name}" for name in SYSTEM_CALLS.split())
_line = re.compile(r"(\d+) +([a-z0-9_]+)\((.*)").match
_is_writing = re.compile(r"O_WRONLY|O_RDWR|O_CREAT|O_TRUNC").search


@cache
def can_trace():
    """Return whether strace is here, and may trace."""
    if shutil.which("strace") is None:
        return False
    traced = subprocess.run(["strace", "-o", os.devnull, "true"], capture_output=True, check=False)
    return traced.returncode == 0


def trace(task, root, log=os.devnull, *, inject=None):
    """Run `task(root)` in a child with strace attached; return its outcome."""
    receiving, sending = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # other threads of the parent hold nothing that is used
        child = os.fork()
    if child == 0:
        _wait_and_work(task, root, receiving, sending)
    os.close(receiving)
    options = ["-e", f"inject={inject}"] if inject else []
    command = ["strace", "-f", "-y", "-s", "200", "-o", os.fspath(log), "-e", _TRACED, *options, "-p", str(child)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as tracer:
        said = tracer.stderr.readline()
        if "attached" not in said:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            raise RuntimeError(f"strace did not attach: {said}{tracer.stderr.read()}")
        os.close(sending)
        status = os.waitpid(child, 0)[1]
        tracer.stderr.read()
    code = None if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
    if code not in (None, 0, 1):
        raise RuntimeError(f"the child ended with {status}")
    return Outcome(was_killed=code is None, error="it raised" if code == 1 else None)


def _wait_and_work(task, root, receiving, sending):
    code = 70
    try:
        os.close(sending)
        ctypes.CDLL(None).prctl(PR_SET_PTRACER, ctypes.c_ulong(-1), 0, 0, 0)  # not only a parent may trace it
        os.read(receiving, 1)  # until strace is there
        try:
            task(root)
            code = 0
        except Exception:  # noqa: BLE001 - whatever it is, it is told
            code = 1
    except BaseException:  # noqa: BLE001
        traceback.print_exc()
    finally:
        os._exit(code)


def points(case, log, *, reads=False):
    """Return the system calls of an operation that is not disturbed, each by its name and its number of that name."""
    case.reset()
    outcome = trace(case.operate, case.root, log)
    if outcome.error or outcome.was_killed:
        raise RuntimeError("the operation did not succeed")
    counts, found = Counter(), {}
    with open(log, encoding="utf-8", errors="replace") as lines:
        for line in lines:
            if not (matched := _line(line)):
                continue
            process, name, rest = matched.groups()
            counts[process, name] += 1
            is_reading = name in OPENING and not _is_writing(rest)
            if case.root in rest and (reads or not is_reading):
                number = counts[process, name]
                found.setdefault((name, number), Call(number, name, rest[:160].strip(), (), is_reading))
    return [*found.values()]


def kill(case, log, *, every=1):
    """Die at every system call, and recover; `every`: only at each n-th."""
    verdict = Verdict()
    for call in points(case, log)[::every]:
        case.reset()
        outcome = trace(case.operate, case.root, inject=f"{call.name}:signal=SIGKILL:when={call.number}")
        if not outcome.was_killed:
            raise RuntimeError(f"nothing was killed at {call}")
        verdict.add(call, case.sight.problems(take(case.root)) + case.mended_badly(), "killed")
    return verdict


def fail(case, log, code, *, every=1):
    """Have every system call fail once, with the name of an error; then recover. `every`: only each n-th."""
    verdict = Verdict()
    for call in points(case, log, reads=True)[::every]:
        case.reset()
        outcome = trace(case.operate, case.root, inject=f"{call.name}:error={code}:when={call.number}")
        problems = case.sight.problems(take(case.root)) + case.mended_badly(done=outcome.error is None)
        verdict.add(call, problems, code)
    return verdict
