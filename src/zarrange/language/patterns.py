r"""Regular expressions as automata: matching in linear time, whatever the pattern.

Python's `re` backtracks, and a layout's patterns may come from strangers. Here a pattern is read by Python's own
parser, turned into a non-deterministic automaton (Thompson's construction), and run by determinising only the states
that a text reaches: one step a character, and the number of states kept is bounded. Only what is regular has such a
form; look-around, back-references, anchors and flags are refused with a position. `\d`, `\w` and `\s` are ASCII.
"""

from __future__ import annotations

import re
import warnings
from bisect import bisect_right
from re import _constants as ops, _parser as parser  # type: ignore[attr-defined]  # the parser of `re` itself
from typing import TYPE_CHECKING, Any, Protocol

from attrs import define, field, frozen

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Iterator, Sequence

__all__ = ["Builder", "Language", "Node", "Part", "PatternError", "State", "Words"]

MAX_NFA_STATES = 1_000
MAX_KEPT_STATES = 2_000
MAX_KEPT_NODES = 200_000
MAX_EDGES = 1_000
MAX_CODE = 0x10FFFF

_REFUSED = re.compile(
    r"\\[1-9][0-9]*|\\[bBAZ]"  # back-references, anchors
    r"|\(\?(?:[=!]|<[=!]|P=|\(|>|[aiLmsux-])"  # look-around, groups that refer, atomic groups, flags
    r"|[*+?]\+|(?P<counted>\{[0-9]*,?[0-9]*)\}\+|[\^$]"  # possessive repeats, anchors
)
_IRREGULAR = re.compile(r"\\[0-9]|\(\?(?:<?[=!]|P=|\()")
_SKIPPED = re.compile(r"\\[^1-9bBAZ]|\[\^?\]?(?:\\.|[^\]\\])*\]", re.DOTALL)
_INSTEAD = {
    "(?i": "write both cases, as in [Aa]",
    "(?!": "write what the value must not be under `exclude`",
    "(?>": "write `(?:`",
    "(?": "write the texts themselves, as alternatives if they differ",
    "\\b": "write what stands there, such as `[_-]`",
    "\\B": "leave it out",
    **dict.fromkeys(["^", "$", "\\A", "\\Z"], "a pattern always matches the whole value: leave it out"),
    "\\": "write the texts themselves, as alternatives if they differ",
    **{f"{one}+": f"write `{one}`" for one in "*+?}"},
}
"""What to write instead, by what a part begins with; the more special ones come first."""
_CLASSES = {
    ops.CATEGORY_DIGIT: ((48, 57),),
    ops.CATEGORY_SPACE: ((9, 13), (32, 32)),
    ops.CATEGORY_WORD: ((48, 57), (65, 90), (95, 95), (97, 122)),
}
_NEGATED = {
    ops.CATEGORY_NOT_DIGIT: ops.CATEGORY_DIGIT,
    ops.CATEGORY_NOT_SPACE: ops.CATEGORY_SPACE,
    ops.CATEGORY_NOT_WORD: ops.CATEGORY_WORD,
}

Ranges = tuple[tuple[int, int], ...]


class PatternError(ValueError):
    """A pattern that cannot be read, or that is not regular. `offset` is where in it, `instead` what to write."""

    def __init__(self, message: str, offset: int = 0, length: int = 1, instead: str | None = None) -> None:
        super().__init__(message)
        self.offset = offset
        self.length = length
        self.instead = instead


def complement(ranges: Iterable[tuple[int, int]]) -> Ranges:
    """Return the code points that are in none of `ranges`."""
    left, at = [], 0
    for low, high in sorted(ranges):
        if low > at:
            left.append((at, low - 1))
        at = max(at, high + 1)
    return (*left, (at, MAX_CODE)) if at <= MAX_CODE else tuple(left)


@define
class Node:
    """A state of the automaton: where one can go without a character, and by which characters to `target`."""

    free: list[int] = field(factory=list)
    lows: Sequence[int] = ()
    highs: Sequence[int] = ()
    target: int = -1

    def takes(self, code: int) -> bool:
        at = bisect_right(self.lows, code) - 1
        return at >= 0 and code <= self.highs[at]


class Part(Protocol):
    """What an automaton can be made of beside a pattern. Equal parts make equal automata."""

    def add_to(self, builder: Builder) -> tuple[int, int]:
        """Add the automaton to a builder; return its first and its accepting state."""


class Builder:
    """Thompson's construction over what Python's parser returns.

    `limit` is how many characters a pattern may have, and how many states all of them together.
    """

    def __init__(self, limit: int = MAX_NFA_STATES) -> None:
        self.limit = limit
        self.nodes: list[Node] = []
        self._classes: dict[int, tuple[list[int], list[int]]] = {}
        """The ranges of each class of the pattern, by its identity: repeats share them."""

    def add(self, pattern: str | Part) -> tuple[int, int]:
        """Add a pattern; return its first and its accepting state."""
        if not isinstance(pattern, str):
            return pattern.add_to(self)
        start = self.node()
        self._classes.clear()
        return start, self._sequence(_parse(pattern, self.limit), start)

    def node(self) -> int:
        """Add a state; return its number."""
        if len(self.nodes) >= self.limit:
            raise PatternError("the pattern is too large", instead="use smaller repeat counts, or `max_length`")
        self.nodes.append(Node())
        return len(self.nodes) - 1

    def _sequence(self, parsed: Iterable[tuple[Any, Any]], at: int) -> int:
        for op, argument in parsed:
            at = self._item(op, argument, at)
        return at

    def _item(self, op: Any, argument: Any, at: int) -> int:
        if op in (ops.MAX_REPEAT, ops.MIN_REPEAT):
            low, high, inner = argument
            return self._repeat(low, high, inner, at)
        if op is ops.BRANCH:
            end = self.node()
            for branch in argument[1]:
                begin = self.node()
                self.nodes[at].free.append(begin)
                self.nodes[self._sequence(branch, begin)].free.append(end)
            return end
        if op is ops.SUBPATTERN:
            return self._sequence(argument[3], at)
        end = self.node()
        node = self.nodes[at]
        if node.target >= 0 or node.free:
            begin = self.node()
            node.free.append(begin)
            node = self.nodes[begin]
        if op is ops.IN and id(argument) not in self._classes:
            self._classes[id(argument)] = merged(sorted(_ranges(op, argument)))
        node.lows, node.highs = self._classes[id(argument)] if op is ops.IN else merged([*_ranges(op, argument)])
        node.target = end
        return end

    def _repeat(self, low: int, high: Any, inner: Any, at: int) -> int:
        for _ in range(low):
            at = self._sequence(inner, self._after(at))
        if high is ops.MAXREPEAT:
            begin, end = self._after(at), self.node()
            self.nodes[begin].free.append(end)
            self.nodes[self._sequence(inner, self._after(begin))].free.append(begin)
            return end
        end = self.node()
        for _ in range(high - low):
            self.nodes[at].free.append(end)
            at = self._sequence(inner, self._after(at))
        self.nodes[at].free.append(end)
        return end

    def _after(self, at: int) -> int:
        """A new state reached freely: what is added there cannot run back into `at`."""
        new = self.node()
        self.nodes[at].free.append(new)
        return new


def merged(ranges: list[tuple[int, int]]) -> tuple[list[int], list[int]]:
    """Return the lowest and the highest code points of sorted ranges, with those joined that touch."""
    lows: list[int] = []
    highs: list[int] = []
    for low, high in ranges:
        if highs and low <= highs[-1] + 1:
            highs[-1] = max(highs[-1], high)
        else:
            lows.append(low)
            highs.append(high)
    return lows, highs


def _ranges(op: Any, argument: Any) -> Ranges:
    if op is ops.LITERAL:
        return ((argument, argument),)
    if op is ops.NOT_LITERAL:
        return complement([(argument, argument)])
    if op is ops.ANY:
        return complement([(10, 10)])
    if op is ops.RANGE:
        return (argument,)
    if op is ops.CATEGORY and argument in _CLASSES:
        return _CLASSES[argument]
    if op is ops.CATEGORY and argument in _NEGATED:
        return complement(_CLASSES[_NEGATED[argument]])
    if op is ops.IN:
        negated = bool(argument) and argument[0][0] is ops.NEGATE
        ranges = [one for item in argument[negated:] for one in _ranges(*item)]
        return complement(ranges) if negated else tuple(ranges)
    raise PatternError(f"the pattern has a part that is not regular ({str(op).lower()})")


def _parse(pattern: str, limit: int) -> Iterable[tuple[Any, Any]]:
    _refuse_irregular(pattern, limit)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            parsed = parser.parse(pattern, re.ASCII)
    except re.error as error:
        advice = "write `.*` for any text" if pattern.startswith("*") else None
        message = f"not a regular expression: {error.msg}"
        raise PatternError(message, min(error.pos or 0, len(pattern)), instead=advice) from None
    except (RecursionError, OverflowError) as error:
        raise PatternError("the pattern is nested too deeply or repeats too often") from error
    return parsed  # type: ignore[no-any-return]  # the parser has no types


def _refuse_irregular(pattern: str, limit: int) -> None:
    if len(pattern) > limit:
        message = f"the pattern is too large: it has more than {limit} characters"
        raise PatternError(message, length=len(pattern), instead="write less, or use `max_length`")
    at = 0
    while at < len(pattern):
        if skipped := _SKIPPED.match(pattern, at):
            at = skipped.end()
        elif refused := _REFUSED.match(pattern, at):
            at += len(refused["counted"] or "")
            part = pattern[at : refused.end()]
            advice = next((text for start, text in _INSTEAD.items() if part.startswith(start)), None)
            why = "is not regular" if _IRREGULAR.match(part) else "has no place in a pattern"
            raise PatternError(f"`{part}` {why}", at, len(part), advice)
        else:
            at += 1


@frozen
class Words:
    """The automaton of some texts: as a tree, in which texts that begin alike share their beginning."""

    texts: tuple[str, ...]

    def add_to(self, builder: Builder) -> tuple[int, int]:
        start, end = builder.node(), builder.node()
        behind: dict[tuple[int, str], int] = {}
        for text in self.texts:
            at = start
            for character in text:
                if (at, character) not in behind:
                    behind[at, character] = _branch(builder, at, character)
                at = behind[at, character]
            builder.nodes[at].free.append(end)
        return start, end


def _branch(builder: Builder, at: int, character: str) -> int:
    """Let one go on from `at` by a character too; return the state behind it."""
    node = builder.nodes[at]
    if node.target >= 0:
        branch = builder.node()
        node.free.append(branch)
        node = builder.nodes[branch]
    node.lows = node.highs = [ord(character)]
    node.target = builder.node()
    return node.target


class State:
    """A state of the deterministic automaton; `accepts` says whether a text may end here."""

    __slots__ = ("accepts", "edges", "nodes")

    def __init__(self, nodes: frozenset[int], accepts: bool) -> None:  # noqa: FBT001 - private to this module
        self.nodes = nodes
        self.accepts = accepts
        self.edges: dict[str, State | None] = {}


class Language:
    """The texts that match every pattern of `include` and none of `exclude`; always the whole text.

    A text of n characters takes n steps. `start` and `step` run it by hand: `step` returns `None` where no
    continuation can match any more. `limit` is that of a `Builder`. Raises `PatternError`.
    """

    def __init__(
        self, include: Sequence[str | Part], exclude: Sequence[str | Part] = (), limit: int = MAX_NFA_STATES
    ) -> None:
        self.include = tuple(include)
        self.exclude = tuple(exclude)
        self._limit = limit
        builder = Builder(limit)
        self._starts: list[int] = []
        self._wanted: list[int] = []
        self._unwanted: list[int] = []
        for patterns, ends in ((include, self._wanted), (exclude, self._unwanted)):
            for pattern in patterns:
                try:
                    start, end = builder.add(pattern)
                except RecursionError as error:
                    raise PatternError("the pattern is nested too deeply") from error
                self._starts.append(start)
                ends.append(end)
        self._nodes = builder.nodes
        self._owners = self._wanted_owners(len(include))
        self._kept: dict[frozenset[int], State] = {}
        self._kept_nodes = 0
        self.start = self._state(self._closure(self._starts))

    def fullmatch(self, text: str) -> bool:
        """Return whether `text` is in the language."""
        state: State | None = self.start
        for character in text:
            try:
                state = state.edges[character]  # type: ignore[union-attr]  # left as soon as it is None
            except KeyError:
                state = self.step(state, character)  # type: ignore[arg-type]
            if state is None:
                return False
        return state.accepts  # type: ignore[union-attr]

    def begins(self, text: str) -> bool:
        """Return whether some text of the language may begin with `text`."""
        state: State | None = self.start
        for character in text:
            if state is not None:
                state = self.step(state, character)
        return state is not None

    def step(self, state: State, character: str) -> State | None:
        """Return the state behind `character`, or `None` where none of the language's texts goes on like this."""
        if character in state.edges:
            return state.edges[character]
        code = ord(character)
        nodes = self._nodes
        reached = self._closure([nodes[one].target for one in state.nodes if nodes[one].takes(code)])
        behind = self._state(reached) if self._alive(reached) else None
        if len(state.edges) >= MAX_EDGES:  # texts of very many characters must not fill the memory
            state.edges = {}
        state.edges[character] = behind
        return behind

    @property
    def key(self) -> Hashable:
        """What languages with the same patterns have in common."""
        return self.include, self.exclude

    def without(self, unwanted: Iterable[str | Part]) -> Language:
        """Return the language of the texts of this one that match none of `unwanted`."""
        return Language(self.include, (*self.exclude, *unwanted), self._limit)

    def classes(self) -> set[Ranges]:
        """Return the classes of characters that the automaton tells apart."""
        return set(self._by_class(range(len(self._nodes))))

    def ways(self, state: State) -> set[Ranges]:
        """Return classes that have every character by which a text of the language can go on behind `state`."""
        return set(self._by_class(state.nodes))

    def _by_class(self, nodes: Iterable[int]) -> Iterator[Ranges]:
        for one in nodes:
            node = self._nodes[one]
            if node.target >= 0:
                yield tuple(zip(node.lows, node.highs, strict=True))

    def _wanted_owners(self, included: int) -> list[range]:
        """The node numbers of each included pattern: where one has no node left, nothing matches any more."""
        bounds = [*self._starts, len(self._nodes)]
        return [range(bounds[i], bounds[i + 1]) for i in range(included)]

    def _alive(self, nodes: frozenset[int]) -> bool:
        return all(any(one in owner for one in nodes) for owner in self._owners)

    def _closure(self, nodes: Iterable[int]) -> frozenset[int]:
        seen = set(nodes)
        waiting = list(seen)
        while waiting:
            for one in self._nodes[waiting.pop()].free:
                if one not in seen:
                    seen.add(one)
                    waiting.append(one)
        return frozenset(seen)

    def _state(self, nodes: frozenset[int]) -> State:
        known = self._kept.get(nodes)
        if known is None:
            self._kept_nodes += len(nodes)
            if len(self._kept) >= MAX_KEPT_STATES or self._kept_nodes > MAX_KEPT_NODES:
                self._forget()
            accepts = all(end in nodes for end in self._wanted) and not any(end in nodes for end in self._unwanted)
            known = self._kept[nodes] = State(nodes, accepts)
        return known

    def _forget(self) -> None:
        """Drop what was determinised so far: it is made anew where it is needed, and memory stays bounded."""
        for state in self._kept.values():
            state.edges = {}
        self._kept = {self.start.nodes: self.start}
        self._kept_nodes = len(self.start.nodes)
