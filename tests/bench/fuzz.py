"""Fuzz the loader and the checker: every text has an answer, within a second of processor time.

    python tests/bench/fuzz.py --seconds 60
    python tests/bench/fuzz.py --seconds 60 --atheris

Texts that are nearly layouts (`tests/property/edited_layouts.py`) are loaded, checked and drawn; any exception but
`LayoutError` is a fault, and so is an answer that takes too long. The shortest text of each fault is printed.
With `--atheris` the same is asked of texts that libFuzzer makes, guided by which code they reach; it needs the package
`atheris`. Exit status 1 for a fault.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import traceback
from collections import Counter
from importlib import import_module
from pathlib import Path
from time import monotonic, process_time
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).parents[2]))

if TYPE_CHECKING:
    from collections.abc import Callable

LIMIT = 1.0
"""Seconds of processor time."""
INSTRUMENTED = 10
"""How many times slower code may be that tells libFuzzer where it is."""
ROUND = 200
"""How many texts are tried between two looks at the clock."""


class SlowAnswer(Exception):  # noqa: N818 - a finding, not an error of this program
    """An answer took too long, again and again."""


def answered(answer: Callable[[Any], tuple[str, bool]], text: str | bytes, limit: float = LIMIT) -> bool:
    """Answer a text; return whether it was loaded. Raises `SlowAnswer`, if three times in a row are slow."""
    for _ in range(3):
        began = process_time()
        _, is_loaded = answer(text)
        if process_time() - began < limit:
            return is_loaded
    raise SlowAnswer


def fuzz(seconds: float) -> int:
    """Try texts that Hypothesis makes; return the exit status."""
    from hypothesis import HealthCheck, Phase, given, seed, settings

    texts = import_module("tests.property.edited_layouts")
    tried: Counter[bool] = Counter()
    found: dict[str, str] = {}  # of each fault, the shortest text
    end = monotonic() + seconds

    def note(error: Exception, text: str) -> None:
        frame = traceback.extract_tb(error.__traceback__)[-1]
        what = f"{type(error).__name__} in {frame.name} ({Path(frame.filename).name}:{frame.lineno})"
        found[what] = min(found.get(what, text), text, key=len)

    while monotonic() < end:

        @seed(random.getrandbits(64))
        @settings(
            max_examples=ROUND,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(texts.edited_layouts())
        def one_round(text: str) -> None:
            try:
                tried[answered(texts.answer, text)] += 1
            except Exception as error:  # noqa: BLE001 - whatever it is, it is what is looked for
                note(error, text)

        one_round()
    for what, text in found.items():
        sys.stdout.write(f"--- {what}\n{text!r}\n")
    sys.stdout.write(f"{tried[True]} texts were loaded, {tried[False]} refused; {len(found)} faults.\n")
    return 1 if found else 0


def fuzz_with_atheris(seconds: float) -> None:
    """Try texts that libFuzzer makes. Does not return: libFuzzer ends the process."""
    atheris = import_module("atheris")
    with atheris.instrument_imports(include=["zarrange"]):
        texts = import_module("tests.property.edited_layouts")

    def one_input(data: bytes) -> None:
        answered(texts.answer, data, LIMIT * INSTRUMENTED)

    folder = tempfile.mkdtemp()
    for at, text in enumerate(texts.SHIPPED):
        Path(folder, str(at)).write_text(text, encoding="utf-8")
    words = Path(tempfile.mkdtemp(), "words")
    entries = ("".join(f"\\x{byte:02x}" for byte in token.encode()) for token in texts.TOKENS)
    words.write_text("".join(f'"{entry}"\n' for entry in entries), encoding="utf-8")
    atheris.Setup(
        [sys.argv[0], f"-max_total_time={int(seconds)}", f"-dict={words}", "-max_len=8192", folder], one_input
    )
    atheris.Fuzz()


def main() -> int:
    """Fuzz for so many seconds; return the exit status."""
    parser = argparse.ArgumentParser(description="Fuzz the loader and the checker.")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--atheris", action="store_true", help="let libFuzzer make the texts")
    options = parser.parse_args()
    if options.atheris:
        fuzz_with_atheris(options.seconds)
    return fuzz(options.seconds)


if __name__ == "__main__":
    sys.exit(main())
