r"""Evil patterns: what doubling an input's length costs, here and in Python's `re`.

    python tests/bench/patterns.py

Each pattern is one that makes a backtracking matcher try very many ways before it gives up, with a text that it must
refuse. Timed while the text doubles are

- `Language`: the automaton that fields use, fresh each time, so that its states are made while it runs;
- a segment: `Layout.match` with the pattern on a field that is a segment of its own (so at most 255 characters);
- a split segment: the same, but two fields without a pattern stand beside it in the segment, so that it is not
  certain where it begins and ends;
- a path: three fields of type `path`, the one with the pattern in between, share a path of many segments;
- Python's `re`: `fullmatch` of the pattern alone, in a process that is stopped after some seconds.

Printed is the dearest doubling of each, and whether every doubling of ours costs less than three times: two times is
linear. Exit status 0 if so.
"""

from __future__ import annotations

import gc
import subprocess
import sys
from itertools import pairwise
from random import Random
from time import process_time
from typing import TYPE_CHECKING, Any

from attrs import frozen

from zarrange import Layout
from zarrange.errors import AmbiguousPathError
from zarrange.language.patterns import Language

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

LIMIT = 3
"""What a doubling may cost. Twice is linear, four times is quadratic; caches and a noisy machine lie in between."""
TURNS = range(5, 40)
"""How often each length is timed: more often only where the times do not look linear yet, since noise may be why."""
PATIENCE = 2
"""Seconds that Python's `re` has for one text."""
TEXT_LENGTHS = (1_000, 2_000, 4_000, 8_000)
SEGMENT_LENGTHS = (62, 125, 250)
PATH_LENGTHS = (500, 1_000, 2_000, 4_000)
RE_LENGTHS = (8, 16, 32, 64, 128, 256, 512, 1_024, 2_048)


@frozen
class Evil:
    """A pattern, what to repeat, and an end that keeps the text from matching."""

    pattern: str
    repeat: str
    end: str

    def text(self, length: int) -> str:
        """Return a text of about `length` characters that does not match."""
        return (self.repeat * (length // len(self.repeat) + 1))[:length] + self.end


EVIL = [
    Evil("(a+)+", "a", "b"),
    Evil("(a*)*", "a", "b"),
    Evil("(a|aa)+", "a", "b"),
    Evil("(a|a?)+", "a", "b"),
    Evil("([a-zA-Z]+)*", "a", "0"),
    Evil("(.*a){12}", "a", "b"),
    Evil("(x+x+)+y", "x", "z"),
    Evil(r"(\w+\s?)*", "a", "-"),
    Evil("(a|b|ab)*c", "ab", "d"),
    Evil("(a?){30}a{30}b", "a", "c"),
    # Its automaton has 8,192 states, more than are kept; random digits lead through all of them.
    Evil("(0|1)*1(0|1){12}2", "".join(Random(0).choices("01", k=8_000)), "3"),
    Evil("((a*)+b?)+c", "aab", "d"),
    Evil("([a-z]+[0-9]*)+[.]x", "a", "-"),
    Evil("(.+)+=(.+)+;", "=", "-"),
]
"""All of them regular, so a layout may have them. In a layout, white space stands for itself inside a name."""

FIELDS = """
zarrange: 1
fields:
  a: {{type: {type}, charset: unicode, pattern: '{pattern}'}}
  b: {{type: {type}, charset: unicode}}
  c: {{type: {type}, charset: unicode}}
files:
  one: {{path: "{path}"}}
"""


def layout(pattern: str, path: str, kind: str = "str") -> Layout:
    """Return a layout whose field `a` has a pattern."""
    return Layout.parse(FIELDS.format(type=kind, pattern=pattern.replace("'", "''"), path=path))


# --- the matchers ----------------------------------------------------------------------------------------------------


def language_times(evil: Evil) -> list[float]:
    """Times of the automaton alone. A new one each time: none of its states is known yet."""
    return _times(evil.text, TEXT_LENGTHS, lambda: Language([evil.pattern]).fullmatch)


def segment_times(evil: Evil) -> list[float]:
    """Times of `Layout.match` where the field is a whole segment."""
    return _times(lambda n: f"{evil.text(n)}.pt", SEGMENT_LENGTHS, lambda: _match(layout(evil.pattern, "{{ a }}.pt")))


def split_times(evil: Evil) -> list[float]:
    """Times of `Layout.match` where three fields share a segment, and any of them may end anywhere."""
    template = "{{ b }}{{ a }}{{ c }}.pt"
    return _times(lambda n: f"{evil.text(n)}/x", SEGMENT_LENGTHS, lambda: _match(layout(evil.pattern, f"{template}/y")))


def path_times(evil: Evil) -> list[float]:
    """Times of `Layout.match` where three fields share all segments of a long path."""

    def text(length: int) -> str:
        piece = evil.text(20)
        return "/".join([piece] * (length // len(piece))) + "/end"

    def matcher() -> Callable[[str], object]:
        return _match(layout(f"({evil.pattern}/?)+", "{{ b }}/{{ a }}/{{ c }}/stop", "path"))

    return _times(text, PATH_LENGTHS, matcher)


def _match(made: Layout) -> Callable[[str], object]:
    def match(path: str) -> object:
        try:
            return made.match(path)
        except AmbiguousPathError as error:
            return error

    match("no/such/path")  # what is compiled once is compiled now
    return match


def _times(
    text: Callable[[int], str], lengths: Sequence[int], matcher: Callable[[], Callable[[str], object]]
) -> list[float]:
    """Return the best time at each length, each time with a fresh matcher; the text must be refused."""
    texts = [text(length) for length in lengths]
    best = [float("inf")] * len(texts)
    for turn in range(TURNS.stop):
        if turn >= TURNS.start and dearest(best) < 0.8 * LIMIT:
            break
        for at, one in enumerate(texts):
            match = matcher()
            gc.collect()
            gc.disable()
            began = process_time()
            found = match(one)
            best[at] = min(best[at], process_time() - began)
            gc.enable()
            if found:
                raise SystemExit(f"{one[:80]!r} is not refused: {found}")
    return best


RE = """
import re, sys
from time import perf_counter
pattern = re.compile(sys.argv[1])
for text in sys.argv[2:]:
    best = float("inf")
    for _ in range(3):
        began = perf_counter()
        assert not pattern.fullmatch(text)
        best = min(best, perf_counter() - began)
    print(best, flush=True)
"""


def re_times(pattern: str, texts: Sequence[str]) -> list[float]:
    """Return the times of Python's `re` at each length, as far as it comes."""
    process = subprocess.Popen([sys.executable, "-c", RE, pattern, *texts], stdout=subprocess.PIPE, text=True)
    try:
        written, _ = process.communicate(timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        written, _ = process.communicate()
    return [float(line) for line in written.split()]


# --- the table -------------------------------------------------------------------------------------------------------


def dearest(times: Sequence[float]) -> float:
    """Return what the dearest doubling costs."""
    return max(behind / before for before, behind in pairwise(times))


def _re_cell(times: Sequence[float]) -> str:
    if len(times) < len(RE_LENGTHS):
        return f"over {PATIENCE} s at {RE_LENGTHS[len(times)]} characters"
    # The first lengths cost next to nothing, and their ratios mean nothing.
    return f"{dearest(times[3:]):.2f} x (up to {RE_LENGTHS[-1]} characters)"


def rows() -> Iterator[tuple[str, list[list[float]], str]]:
    """Yield for each pattern our times, by matcher, and what to say of `re`."""
    for evil in EVIL:
        ours = [one(evil) for one in (language_times, segment_times, split_times, path_times)]
        yield f"`{evil.pattern}`", ours, _re_cell(re_times(evil.pattern, [evil.text(n) for n in RE_LENGTHS]))
    yield from _template_rows()


def _template_rows() -> Iterator[tuple[str, list[list[float]], str]]:
    """Templates that are evil without any pattern: `a`, `b` and `c` take several segments each."""
    for template, pattern in (
        ("{{ a }}/{{ b }}/{{ c }}/stop", "(?P<a>.+)/(?P<b>.+)/(?P<c>.+)/stop"),
        ("{{ a }}-{{ b }}-{{ c }}/stop", "(?P<a>.+)-(?P<b>.+)-(?P<c>.+)/stop"),
    ):
        repeat = "a/" if "}/{" in template else "a-"

        def text(length: int, repeat: str = repeat) -> str:
            return f"{repeat * (length // 2)}end"

        def matcher(template: str = template) -> Callable[[str], Any]:
            return _match(layout(".+", template, "path"))

        lengths = PATH_LENGTHS if repeat == "a/" else SEGMENT_LENGTHS
        times: list[list[float]] = [[], [], [], _times(text, lengths, matcher)]
        yield f"`{template}`", times, _re_cell(re_times(pattern, [text(n) for n in RE_LENGTHS]))


def main() -> int:
    """Print the table; return the exit status."""
    out = sys.stdout
    out.write("The dearest doubling of the length, and in brackets the time of the longest text.\n\n")
    out.write(
        "| pattern or template | `Language` | a segment | a split segment | a path | all < 3 x | Python's `re` |\n"
    )
    out.write("|---|---:|---:|---:|---:|---|---|\n")
    all_linear = True
    for what, ours, theirs in rows():
        is_linear = all(dearest(times) < LIMIT for times in ours if times)
        all_linear = all_linear and is_linear
        cells = [f"{dearest(times):.2f} x ({times[-1] * 1000:.1f} ms)" if times else "-" for times in ours]
        escaped = what.replace("|", "\\|")
        out.write(f"| {escaped} | {' | '.join(cells)} | {'yes' if is_linear else '**no**'} | {theirs} |\n")
        out.flush()
    out.write(f"\n{'Every doubling' if all_linear else 'Not every doubling'} costs less than {LIMIT} times.\n")
    return 0 if all_linear else 1


if __name__ == "__main__":
    sys.exit(main())
