"""All ways to split a text into literal texts and texts of regular languages, in linear time.

The languages' automata run over the text side by side, one step a character, whatever the number of places at which
a piece may begin; for each state it is kept from which states it was reached. Walking back from the end then meets no
dead end, so the first ways cost no more than the text is long, however many there are in all.

A path can be split by its segments as well, each a "character": then texts and pieces are tuples of segments.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Sequence

__all__ = ["Automaton", "Lattice", "State"]

AnyText: TypeAlias = "str | tuple[str, ...]"


class State(Protocol):
    """Where an automaton is."""

    @property
    def accepts(self) -> bool:
        """Whether the text so far is one of the language."""


class Automaton(Protocol):
    """A regular language, one step a character: `step` returns `None` where no text of it goes on like this."""

    @property
    def start(self) -> Any:
        """The state before any character."""

    def step(self, state: Any, character: str, /) -> Any | None:
        """Return the state behind a character."""


Layer: TypeAlias = "dict[int, dict[State, list[State | None]]]"
"""For each position the states behind the character before it, with the states before that; `None`: begun there."""


class Lattice:
    """The splits of `text` into `pieces`; no language's piece is empty.

    Where `forms` are given, one for each piece, pieces of equal form must have equal texts (and the same language).
    """

    def __init__(
        self, pieces: Sequence[AnyText | Automaton], text: AnyText, forms: Sequence[Hashable] | None = None
    ) -> None:
        self._pieces = pieces
        self._forms = range(len(pieces)) if forms is None else forms
        self._text = text
        self._layers: list[Layer] = []
        self._begins: list[set[int]] = [{0}]
        for piece in pieces:
            begins = self._begins[-1]
            if isinstance(piece, str | tuple):
                self._layers.append({})
                self._begins.append({end for at in begins if text[at : (end := at + len(piece))] == piece})
            else:
                layer, ends = _run(piece, text, begins)
                self._layers.append(layer)
                self._begins.append(ends)

    def splits(self) -> Iterator[tuple[Any, ...]]:
        """Yield the texts of the languages' pieces, for each way to split the text."""
        if len(self._text) in self._begins[-1]:
            yield from self._splits(len(self._pieces) - 1, len(self._text), {})

    def _splits(self, last: int, end: int, chosen: dict[Hashable, AnyText]) -> Iterator[tuple[Any, ...]]:
        """The splits of the text before `end` into the pieces up to `last`; `chosen` has the texts behind it."""
        if last < 0:
            yield ()
            return
        piece = self._pieces[last]
        if isinstance(piece, str | tuple):
            if self._fits(last, piece, end):
                yield from self._splits(last - 1, end - len(piece), chosen)
            return
        form = self._forms[last]
        if form in chosen:
            begins = iter([end - len(chosen[form])] if self._fits(last, chosen[form], end) else [])
        else:
            begins = self._begins_of(last, end)
        for begin in begins:
            text = self._text[begin:end]
            for before in self._splits(last - 1, begin, {**chosen, form: text}):
                yield (*before, text)

    def _fits(self, piece: int, text: AnyText, end: int) -> bool:
        """Whether a piece of this text can end at `end`."""
        begin = end - len(text)
        return begin in self._begins[piece] and self._text[begin:end] == text

    def _begins_of(self, piece: int, end: int) -> Iterator[int]:
        """Where the texts of one piece that end at `end` begin."""
        layer = self._layers[piece]
        waiting = [(end, state) for state in layer.get(end, ()) if state.accepts]
        while waiting:
            at, state = waiting.pop()
            for before in layer[at][state]:
                if before is None:
                    yield at - 1
                else:
                    waiting.append((at - 1, before))


def _run(language: Automaton, text: Sequence[str], begins: set[int]) -> tuple[Layer, set[int]]:
    """Run a language's automaton from all of `begins` at once; return what was reached, and where a piece may end."""
    layer: Layer = {}
    ends: set[int] = set()
    states: dict[State, list[State | None]] = {}
    last = max(begins, default=-1)
    for at in range(min(begins, default=len(text)), len(text)):
        behind: dict[State, list[State | None]] = {}
        sources: list[State | None] = [*states, None] if at in begins else [*states]
        for source in sources:
            reached = language.step(language.start if source is None else source, text[at])
            if reached is not None:
                behind.setdefault(reached, []).append(source)
        if not behind and at >= last:
            break
        states = layer[at + 1] = behind
        if any(state.accepts for state in behind):
            ends.add(at + 1)
    return layer, ends
