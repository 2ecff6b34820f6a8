"""How far a command is: one line on the error output, drawn anew as work goes on, and erased at the end.

It is drawn on a terminal only, at most ten times a second, and may be told from several threads.
"""

from __future__ import annotations

import os
import re
import sys
import threading
import time
from contextlib import contextmanager, suppress

from zarrange.cli.options import in_color

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator
    from typing import TextIO

__all__ = ["Bar", "add_progress", "line", "progress"]

PAUSE = 0.1
"""How many seconds lie between two drawings."""
ERASE = "\r\x1b[K"
BAR, LEAST_BAR = 30, 8
"""How many columns the bar itself takes, and how few it may."""
UNITS, THOUSAND, TEN = ("", "k", "M", "G"), 1000, 10


def add_progress(command: argparse.ArgumentParser) -> None:
    """Let a command take `--quiet`."""
    command.add_argument("--quiet", action="store_true", help="do not show on the terminal how far it is")


@contextmanager
def progress(options: argparse.Namespace, doing: str) -> Iterator[Callable[[int, int], None] | None]:
    """Give what is told how many things are done, and of how many; `None` where nobody would see it.

    `doing` says what goes on, as in "removing".
    """
    if options.quiet or os.environ.get("TERM") == "dumb" or not sys.stderr.isatty():
        yield None
        return
    bar = Bar(sys.stderr, doing, is_colored=in_color(options, sys.stderr))
    try:
        yield bar
    finally:
        bar.erase()


class Bar:
    """The line on a terminal. Calling it never raises: work does not end because nobody can look on."""

    def __init__(
        self, stream: TextIO, doing: str, *, is_colored: bool = False, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._stream = stream
        self._doing = doing
        self._is_colored = is_colored
        self._clock = clock
        self._lock = threading.Lock()
        self._begun = clock()
        self._drawn: float | None = None
        self._done = 0

    def __call__(self, done: int, total: int) -> None:
        """Show that `done` of `total` things are done; a total of 0 is not known."""
        with self._lock:
            # A slower thread may tell less than was told before.
            self._done = max(self._done, done)
            now = self._clock()
            if self._drawn is None or now - self._drawn >= PAUSE:
                self._drawn = now
                self._write(self._line(total, now - self._begun))

    def erase(self) -> None:
        """Leave the terminal as it was."""
        with self._lock:
            if self._drawn is not None:
                self._write("")
            self._drawn = float("inf")

    def _line(self, total: int, seconds: float) -> str:
        from zarrange.report.ink import Ink

        ink = Ink(color=self._is_colored)
        drawn = line(self._doing, self._done, total, seconds, _columns(self._stream))
        return re.sub("#+", lambda filled: ink("info", filled[0]), drawn, count=1)

    def _write(self, text: str) -> None:
        with suppress(OSError, ValueError):
            self._stream.write(ERASE + text)
            self._stream.flush()


def _columns(stream: TextIO) -> int:
    try:
        return os.get_terminal_size(stream.fileno()).columns or 80
    except (OSError, ValueError):
        return 80


def line(doing: str, done: int, total: int, seconds: float, columns: int) -> str:
    """Return the line: as much of it as fits, the count last. A column stays free, lest the line wraps."""
    rate = done / seconds if seconds > 0 else 0.0
    count, short, percent, left, share = f"{done:,}", _short(done), "", "", 0.0
    if total > 0:
        total = max(total, done)
        share = done / total
        count, short, percent = f"{count}/{total:,}", f"{short}/{_short(total)}", f"{int(100 * share)}%"
        left = f"{_duration((total - done) / rate)} left" if rate else ""
    speed = f"{_short(rate)}/s"
    whole = (doing, count, percent, speed, left)
    choices = (whole, whole[1:], (short, *whole[2:]), (short, percent, left), (short, percent), (short,), ())
    texts = ("  ".join(part for part in parts if part) for parts in choices)
    text = next(text for text in texts if len(text) < columns or not text)
    room = min(BAR, columns - len(text) - len("[]  ") - 1)
    if not percent or room < LEAST_BAR:
        return text
    return f"[{'#' * int(room * share):.<{room}}]  {text}"


def _short(value: float) -> str:
    """Write a number in at most five characters, if it is below 1,000 billions."""
    steps = (step for step in range(len(UNITS)) if value < THOUSAND ** (step + 1))
    step = next(steps, len(UNITS) - 1)
    value /= THOUSAND**step
    return (f"{value:.1f}" if value < TEN else f"{value:.0f}").removesuffix(".0") + UNITS[step]


def _duration(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
