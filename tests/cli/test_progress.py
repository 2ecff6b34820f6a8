"""The line that says how far a command is, on a real terminal (a pseudo-terminal), and what it has room for."""

from __future__ import annotations

import argparse
import fcntl
import io
import itertools
import os
import pty
import re
import struct
import termios
import threading
from contextlib import redirect_stderr

import pytest

from zarrange.cli import progress as module
from zarrange.cli.options import color
from zarrange.cli.progress import Bar, add_progress, line, progress

ERASE = "\r\x1b[K"


class Terminal:
    """A terminal: `stream` writes on it, and `text` is all that was written when it is closed."""

    def __init__(self, columns=80):
        self._own, other = pty.openpty()
        self.stream = os.fdopen(other, "w", encoding="utf-8")
        self.resize(columns)
        self.text = ""
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def resize(self, columns):
        fcntl.ioctl(self.stream, termios.TIOCSWINSZ, struct.pack("4H", 25, columns, 0, 0))

    def _read(self):
        try:
            while some := os.read(self._own, 4096):
                self.text += some.decode()
        except OSError:
            pass  # how a terminal ends that nobody writes on any more

    def close(self):
        self.stream.close()
        self._reader.join()
        os.close(self._own)

    @property
    def lines(self):
        """What was to be seen, one after the other; the first and the last are an empty screen."""
        return self.text.split(ERASE)


@pytest.fixture
def terminal():
    terminal = Terminal()
    yield terminal
    if not terminal.stream.closed:
        terminal.close()


@pytest.fixture
def errors(terminal, monkeypatch):
    """A terminal in an ordinary environment, for `redirect_stderr`."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    return terminal


def options(*words):
    parser = argparse.ArgumentParser()
    add_progress(parser)
    color(parser)
    return parser.parse_args(words)


class Clock:
    """A time that goes on by as much as is said."""

    now = 0.0

    def __call__(self):
        return self.now


class TestLine:
    """`line` has as much as fits, the count above all."""

    @pytest.mark.parametrize(
        ("columns", "wanted"),
        [
            (120, "[#######.......................]  removing  1,234/5,000  24%  123/s  0:30 left"),
            (60, "[##.........]  removing  1,234/5,000  24%  123/s  0:30 left"),
            (56, "removing  1,234/5,000  24%  123/s  0:30 left"),
            (40, "1,234/5,000  24%  123/s  0:30 left"),
            (30, "1.2k/5k  24%  0:30 left"),
            (20, "1.2k/5k  24%"),
            (10, "1.2k/5k"),
            (5, ""),
            (1, ""),
        ],
    )
    def test_room(self, columns, wanted):
        """The less room there is, the less is said; what is left is never cut amid a number."""
        assert line("removing", 1234, 5000, 10.0, columns) == wanted

    @pytest.mark.parametrize(
        ("done", "total", "seconds", "wanted"),
        [
            (0, 0, 0.0, "removing  0  0/s"),
            (7, 0, 2.0, "removing  7  3.5/s"),
            (0, 10, 0.0, "removing  0/10  0%  0/s"),
            (0, 10, 5.0, "removing  0/10  0%  0/s"),
            (12, 10, 2.0, "removing  12/12  100%  6/s  0:00 left"),
            (1, 1, 0.0, "removing  1/1  100%  0/s"),
            (999, 1000, 1.0, "removing  999/1,000  99%  999/s  0:00 left"),
            (1, 7201, 1.0, "removing  1/7,201  0%  1/s  2:00:00 left"),
            (25_000_000, 100_000_000, 1.0, "removing  25,000,000/100,000,000  25%  25M/s  0:03 left"),
        ],
    )
    def test_counts(self, done, total, seconds, wanted):
        """A total that is not known, or not true, is no division by zero; nothing is called done before it is."""
        assert line("removing", done, total, seconds, 90).rpartition("]  ")[2] == wanted

    def test_never_too_long(self):
        """Whatever the numbers are, the last column of the terminal stays free."""
        counts = [0, 1, 9, 10, 999, 1000, 9999, 12_345_678, 10**12]
        for done, total, seconds in itertools.product(counts, counts, [0.0, 0.001, 1.0, 1e6]):
            for columns in (1, 2, 10, 40, 80, 200):
                assert len(line("removing", done, total, seconds, columns)) < columns


class TestBar:
    """`Bar` draws the line on a terminal, anew and anew, and erases it."""

    def test_draws_and_erases(self, terminal):
        """Each line takes the place of the one before, and in the end nothing is left."""
        clock = Clock()
        bar = Bar(terminal.stream, "removing", clock=clock)
        for done in (1, 2, 3):
            clock.now += 1
            bar(done, 3)
        bar.erase()
        terminal.close()
        assert [text.rpartition("]  ")[2] for text in terminal.lines] == [
            "",
            "removing  1/3  33%  1/s  0:02 left",
            "removing  2/3  66%  1/s  0:01 left",
            "removing  3/3  100%  1/s  0:00 left",
            "",
        ]

    def test_ten_times_a_second(self):
        """However often it is told, it draws ten times a second at most."""
        clock, stream = Clock(), io.StringIO()
        bar = Bar(stream, "removing", clock=clock)
        for done in range(100_000):
            clock.now = done / 50_000
            bar(done, 100_000)
        assert 15 <= stream.getvalue().count(ERASE) <= 21

    def test_narrow(self):
        """A terminal of 40 columns has room for it, and a change of its width is followed."""
        terminal, clock = Terminal(40), Clock()
        bar = Bar(terminal.stream, "removing", clock=clock)
        for done, columns in enumerate([40, 40, 20, 100], 9000):
            terminal.resize(columns)
            clock.now += 10
            bar(done, 12_345)
        bar.erase()
        terminal.close()
        assert terminal.lines[1:4] == [
            "9,000/12,345  72%  900/s  0:03 left",
            "9,001/12,345  72%  450/s  0:07 left",
            "9k/12k  72%",
        ]
        assert terminal.lines[4].startswith("[#####")

    def test_threads(self, terminal, monkeypatch):
        """Several threads tell it at once: lines stay whole, and the count never falls."""
        monkeypatch.setattr(module, "PAUSE", 0.0)
        bar = Bar(terminal.stream, "removing")
        threads = [threading.Thread(target=lambda: [bar(done, 500) for done in range(500)]) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        bar.erase()
        terminal.close()
        first, *lines, last = terminal.lines
        found = [re.fullmatch(r"\[#*\.*\]  removing  (\d+)/500  \d+%  \S+/s(  \S+ left)?", text) for text in lines]
        assert (first, last, len(lines)) == ("", "", 2000)
        assert all(found)
        counts = [int(one[1]) for one in found]
        assert (counts, counts[-1]) == (sorted(counts), 499)

    def test_nothing_told(self, terminal):
        """Where nothing was told, nothing is drawn and nothing erased."""
        Bar(terminal.stream, "removing").erase()
        terminal.close()
        assert terminal.text == ""

    def test_late_words(self, terminal):
        """What a thread tells after the end is not drawn."""
        bar = Bar(terminal.stream, "removing")
        bar(1, 3)
        bar.erase()
        bar(2, 3)
        terminal.close()
        assert terminal.lines[-1] == ""
        assert len(terminal.lines) == 3

    def test_terminal_that_is_gone(self):
        """Work does not end because its terminal is closed."""
        own, other = pty.openpty()
        with open(other, "w", encoding="utf-8") as stream:
            bar = Bar(stream, "removing")
            os.close(own)
            bar(1, 3)
            bar.erase()
            with pytest.raises(OSError, match="Input/output error"):
                stream.flush()
            os.dup2(os.open(os.devnull, os.O_WRONLY), other)
        bar(2, 3)
        assert bar._done == 2


class TestProgress:
    """`progress` gives a bar where somebody can see it."""

    def test_on_a_terminal(self, errors):
        """On a terminal it draws, and erases when the work is over."""
        with redirect_stderr(errors.stream), progress(options(), "copying") as tell:
            tell(1, 4)
        errors.close()
        first, drawn, last = errors.lines
        assert (first, last) == ("", "")
        assert "copying  1/4  25%" in drawn

    def test_failing_work(self, errors):
        """It erases when the work fails, so that the message stands alone."""

        def work():
            with progress(options(), "copying") as tell:
                tell(1, 4)
                raise KeyboardInterrupt

        with redirect_stderr(errors.stream), pytest.raises(KeyboardInterrupt):
            work()
        errors.close()
        assert errors.lines[-1] == ""

    def test_nothing_in_a_file(self, tmp_path):
        """Into a pipe or a file nothing is written."""
        with (
            open(tmp_path / "errors", "w+", encoding="utf-8") as stream,
            redirect_stderr(stream),
            progress(options(), "copying") as tell,
        ):
            assert tell is None
        assert (tmp_path / "errors").read_bytes() == b""

    @pytest.mark.parametrize(("words", "term"), [(["--quiet"], "xterm"), ([], "dumb")])
    def test_nothing_where_it_is_not_wanted(self, errors, monkeypatch, words, term):
        """With `--quiet`, and on a terminal that cannot erase, nothing is written."""
        monkeypatch.setenv("TERM", term)
        with redirect_stderr(errors.stream), progress(options(*words), "copying") as tell:
            assert tell is None
        errors.close()
        assert errors.text == ""

    @pytest.mark.parametrize(
        ("words", "environment", "is_colored"),
        [
            ([], {}, True),
            (["--color", "always"], {"NO_COLOR": "1"}, True),
            (["--color", "never"], {}, False),
            (["--color", "never"], {"FORCE_COLOR": "1"}, False),
            ([], {"NO_COLOR": "1"}, False),
        ],
    )
    def test_colors(self, errors, monkeypatch, words, environment, is_colored):
        """Colors are there where the other output would have them, and the line is as wide with them as without."""
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        with redirect_stderr(errors.stream), progress(options(*words), "copying") as tell:
            tell(1, 2)
        errors.close()
        assert ("\x1b[36m" in errors.lines[1]) == is_colored
        plain = re.sub(r"\x1b\[\d+m", "", errors.lines[1])
        assert re.fullmatch(r"\[#{15}\.{15}\]  copying  1/2  50%  \S+/s(  \S+ left)?", plain)
