"""Rules about names: segments that some file system, or zarr itself, takes for something else."""

from __future__ import annotations

import math
from contextlib import suppress
from itertools import islice, product
from typing import TYPE_CHECKING

from zarrange.diagnostics import Diagnostic, Label
from zarrange.language.automaton import Budget, Chain, Twins, Undecided
from zarrange.language.chains import Languages
from zarrange.language.charsets import DEVICES
from zarrange.language.fields import StrField
from zarrange.language.filters import BUILT_IN
from zarrange.language.lattice import Lattice
from zarrange.language.patterns import Language
from zarrange.language.slots import Slot
from zarrange.language.variants import Variant

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from zarrange.diagnostics import Span
    from zarrange.language.assembly import Assembly
    from zarrange.language.templates import Text
    from zarrange.language.variants import Segment

__all__ = ["case_collision", "chunk_name", "unmarked_container", "unportable_segment"]

MAX_STEPS = 2_000
"""How many steps the search for a device's name may take."""
MAX_TRIED = 20
"""How many texts are held against the fields themselves."""
MAX_TEXTS = 100
"""Of a segment that can be more texts than these, no single ones are looked at."""


def chunk_name(assembly: Assembly) -> Iterator[Diagnostic]:
    """A node has a name that zarr itself uses.

    ## What it does
    Looks inside containers for a segment, or a choice of a field, that is `c`, the folder of an array's chunks, or
    that ends with `.partial`, as what is being written does. (`zarr.json`, `.zarray` and the like can never be values
    or segments: see `unsafe-segment`.)

    ## Why is this bad?
    A group `c` beside an array's metadata is taken for chunks, and is removed or copied with them. What looks
    unfinished is cleaned up by somebody.

    ## Example
    ```yaml
    arrays:
      control: {container: plate, path: "{{ well }}/c"}
    ```

    ## Use instead
    ```yaml
    arrays:
      control: {container: plate, path: "{{ well }}/control"}
    ```
    """
    told = set()
    for kind in assembly.kinds.values():
        for variant in kind.variants if kind.container is not None else ():
            for segment in variant.segments()[variant.depth :]:
                for text in _texts(segment):
                    if text == "c" or text.endswith(".partial"):
                        what = "folder of chunks" if text == "c" else "unfinished files"
                        message = f"`{text}` is how zarr names an array's {what}"
                        told.add(Diagnostic("chunk-name", message, segment[0].span, "give it another name"))
    yield from told


def unmarked_container(assembly: Assembly) -> Iterator[Diagnostic]:
    """A container's name does not end with `.zarr`.

    ## What it does
    Looks for containers whose path ends with anything else.

    ## Why is this bad?
    People and tools (viewers, `find`, this one) tell a container from a folder by its name.

    ## Example
    ```yaml
    containers:
      validation: {path: "{{ run }}/validation"}
    ```

    ## Use instead
    ```yaml
    containers:
      validation: {path: "{{ run }}/validation.zarr"}
    ```
    """
    for kind in assembly.kinds.values():
        if kind.sort == "container":
            ends = [variant.pieces[-1] for variant in kind.variants]
            if any(isinstance(piece, Slot) or not piece.text.endswith(".zarr") for piece in ends):
                message = f"the container `{kind.name}` is not always called `….zarr`"
                yield Diagnostic("unmarked-container", message, kind.span, "end its path with `.zarr`")


def case_collision(assembly: Assembly) -> Iterator[Diagnostic]:
    """Two names in the same place differ by case only.

    ## What it does
    Compares the literal texts of segments that can stand in the same folder, and the choices of each field, without
    regard to case; `*` in a message is what a field writes. (Values that users give may differ by case; a layout cannot
    know them.)

    ## Why is this bad?
    On the usual file systems of macOS and Windows, on network drives and memory sticks, both are the same file.

    ## Example
    ```yaml
    files:
      log: {path: "{{ run }}/log.txt"}
      report: {path: "{{ run }}/Log.txt"}
    ```

    ## Use instead
    ```yaml
    files:
      log: {path: "{{ run }}/log.txt"}
      report: {path: "{{ run }}/report.txt"}
    ```
    """
    for name, field in assembly.fields.items():
        choices = enumerate(field.choices or ())
        yield from _collisions(
            {str(one): assembly.located.span(("fields", name, "choices", at)) for at, one in choices}
        )
    for places in _literals_by_folder(assembly):
        yield from _collisions(places)


def unportable_segment(assembly: Assembly) -> Iterator[Diagnostic]:
    """Portable pieces make a segment together that is not portable.

    ## What it does
    Searches the segments whose texts and fields are all portable for a name that Windows keeps for a device (`con`,
    `aux.txt`, `com1`), or that ends with a dot. (A portable field alone takes no such value.)

    ## Why is this bad?
    Windows opens the device instead of the file, and takes a last dot away: two names become one.

    ## Example
    ```yaml
    files:
      port: {path: "com{{ number }}"}  # com1
    ```

    ## Use instead
    ```yaml
    files:
      port: {path: "port{{ number }}"}
    ```
    """
    told = set()
    looked_at: set[tuple[object, ...]] = set()
    languages = Languages()
    for kind in assembly.kinds.values():
        for segment in {segment for variant in kind.variants for segment in variant.segments()}:
            form = tuple(one.form if isinstance(one, Slot) else one.text for one in segment)
            if form in looked_at:
                continue  # most segments stand in several kinds
            looked_at.add(form)
            if all(map(_is_portable, segment)) and (fault := _portability_fault(segment, languages)) is not None:
                advice = "write another text beside the field" if len(segment) > 1 else None
                told.add(Diagnostic("unportable-segment", fault, segment[0].span, advice))
    yield from told


_DEVICE_NAMES = Language([rf"{DEVICES}(?:\..*)?"])


def _portability_fault(segment: Segment, languages: Languages) -> str | None:
    """Return what Windows has against a segment whose pieces are all portable, or `None`."""
    last = segment[-1]
    if not isinstance(last, Slot) and last.text.endswith("."):
        return "the segment ends with a dot, which Windows takes away"
    first = segment[0]
    if isinstance(first, Slot):
        behind = segment[1] if len(segment) > 1 else None
        if behind is None or (not isinstance(behind, Slot) and behind.text.startswith(".")):
            return None  # its values are held against all this one by one, with any extension
    elif not _DEVICE_NAMES.begins(first.text):
        return None
    chain = Chain(tuple(languages.outline(one, Variant()) if isinstance(one, Slot) else one.text for one in segment))
    search = Twins.of(chain, Chain((_DEVICE_NAMES,)))
    with suppress(Undecided):
        for twin in islice(search.texts(Budget(MAX_STEPS), tries=2), MAX_TRIED):
            if _can_be(segment, chain, twin.text):
                return f"the segment can be `{twin.text}`, a device name on Windows"
    return None


def _can_be(segment: Segment, chain: Chain, text: str) -> bool:
    """Whether values make a segment this text: an outline has texts that no value makes."""
    slots = [one for one in segment if isinstance(one, Slot)]
    forms = [one.form if isinstance(one, Slot) else at for at, one in enumerate(segment)]
    for texts in islice(Lattice(chain.pieces, text, forms).splits(), MAX_TRIED):
        if all(slot.value(part) is not None for slot, part in zip(slots, texts, strict=True)):
            return True
    return False


def _is_portable(piece: Text | Slot) -> bool:
    """Whether all that a piece writes is portable, as far as it can be told."""
    if not isinstance(piece, Slot):
        return piece.text.isascii()
    if piece.filters:
        return piece.filters[-1][0] in BUILT_IN
    return not isinstance(piece.field, StrField) or piece.field.charset.name == "portable"


def _texts(segment: Segment) -> list[str]:
    """All texts of a segment, where they are few: of literal texts and choices."""
    options = [
        [piece.text] if not isinstance(piece, Slot) else [*piece.written(piece.field.choices or ())]
        for piece in segment
    ]
    count = math.prod(len(some) for some in options)
    return ["".join(texts) for texts in product(*options)] if count <= MAX_TEXTS else []


def _literals_by_folder(assembly: Assembly) -> Iterator[dict[str, Span]]:
    """For each folder, the segments that can stand in it, with where one of each stands; `*` is what a field writes."""
    folders: dict[tuple[str, ...], dict[str, Span]] = {}
    for kind in assembly.kinds.values():
        for variant in kind.variants:
            above: tuple[str, ...] = ()
            for segment in variant.segments():
                outline = "".join("*" if isinstance(one, Slot) else one.text for one in segment)
                for text in _texts(segment) or [outline]:
                    folders.setdefault(above, {}).setdefault(text, segment[0].span)
                above = (*above, outline.casefold())
    yield from folders.values()


def _collisions(places: Mapping[str, Span]) -> Iterator[Diagnostic]:
    """The texts that are equal to one before them but for case."""
    known: dict[str, tuple[str, Span]] = {}
    for text, span in places.items():
        first, there = known.setdefault(text.casefold(), (text, span))
        if first != text and there != span:  # what one field can be is told of the field itself
            advice = "file systems that ignore case take both for one: rename one of them"
            message = f"`{first}` and `{text}` differ by case only"
            yield Diagnostic("case-collision", message, span, advice, labels=(Label(there, f"`{first}`"),))
