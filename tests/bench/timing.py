"""Times on a noisy machine.

The two sides of a comparison take short turns, so that a slow moment hits both; the turn with the median ratio counts.
Whole processes take turns too. Counted is processor time: waiting for a core is not.
"""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from statistics import median
from time import process_time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["fresh_process", "pair", "processes"]

BATCH = 0.002
"""Seconds that one turn takes: long against the clock's resolution, short against a noisy neighbor's turn."""
TURNS = 151


def pair(ours: Callable[[], object], theirs: Callable[[], object], calls: int) -> tuple[float, float]:
    """Return what one of the `calls` that each function makes costs, in seconds: the turn of the median ratio."""
    rounds = [max(1, int(BATCH / min(_once(one, 1) for _ in range(5)))) for one in (ours, theirs)]
    gc.collect()
    gc.disable()
    try:
        turns = [(_once(ours, rounds[0]) / calls, _once(theirs, rounds[1]) / calls) for _ in range(TURNS)]
    finally:
        gc.enable()
    return sorted(turns, key=lambda turn: turn[0] / turn[1])[TURNS // 2]


def _once(function: Callable[[], object], rounds: int) -> float:
    began = process_time()
    for _ in range(rounds):
        function()
    return (process_time() - began) / rounds


def processes(commands: Sequence[Sequence[str]], turns: int = 41) -> list[float]:
    """Return the seconds of processor time that each command takes, the medians of many turns."""
    times = [[_process(command) for command in commands] for _ in range(turns)]
    return [median(one) for one in zip(*times, strict=True)]


def _process(command: Sequence[str]) -> float:
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)}: exit status {process.returncode}")
    return used.ru_utime + used.ru_stime


def fresh_process(code: str, turns: int = 15) -> list[list[str]]:
    """Return the words that `code` prints, once for each of several fresh processes."""
    return [
        subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.PIPE, text=True).stdout.split()
        for _ in range(turns)
    ]
