"""Which patterns are slow: in engines that backtrack, and in our own.

A backtracking engine needs exponential time where some text leads from a state of the automaton back to it in two ways
(Weber and Seidl, "On the degree of ambiguity of finite automata", 1991, the criterion EDA): at each round it may take
either. Our own engine is linear, but keeps only so many states of the automaton that it makes deterministic.
"""

from __future__ import annotations

from collections import Counter
from contextlib import suppress

from zarrange.language.automaton import Alphabet, Automaton, Budget, Chain, Undecided
from zarrange.language.patterns import Builder, Language

__all__ = ["is_exponential", "is_large"]

MAX_STATES = 1_000
MAX_STEPS = 20_000
"""How many steps are spent on one pattern."""


def is_exponential(pattern: str) -> bool:
    """Return whether a pattern can match texts in a number of ways that grows exponentially with their length."""
    with suppress(Undecided):
        return _Loops(pattern).any_has_two_ways()
    return False


def is_large(pattern: str) -> bool:
    """Return whether the deterministic automaton of a pattern has more states than are kept."""
    chain = Chain((Language([pattern]),))
    automaton = Automaton(chain, Alphabet([chain]))
    seen, waiting = {automaton.start}, [automaton.start]
    budget = Budget(MAX_STEPS)
    try:
        while waiting and len(seen) <= MAX_STATES:
            new = {one for _, behind in automaton.moves(waiting.pop(), budget) for one in behind} - seen
            seen |= new
            waiting += new
    except Undecided:
        return True
    return len(seen) > MAX_STATES


class _Loops:
    """The automaton of a pattern without free moves, as a graph of the nodes that take a character."""

    def __init__(self, pattern: str) -> None:
        builder = Builder()
        builder.add(pattern)
        self._nodes = builder.nodes
        alphabet = Alphabet([Chain((Language([pattern]),))])
        self._masks = {
            at: alphabet.mask([tuple(zip(node.lows, node.highs, strict=True))])
            for at, node in enumerate(self._nodes)
            if node.target >= 0
        }
        self._budget = Budget(MAX_STEPS)
        self._ways: dict[int, Counter[int]] = {}

    def any_has_two_ways(self) -> bool:
        """Whether some text leads from a node back to it in two ways; one node stands for all of its loop."""
        done: set[int] = set()
        for node in self._masks:
            if node not in done:
                loop = {other for other in self._reachable(node) if node in self._reachable(other)}
                if loop and self._has_two_ways(node):
                    return True
                done |= loop
        return False

    def _reachable(self, node: int) -> set[int]:
        seen: set[int] = set()
        waiting = [node]
        while waiting:
            self._budget.spend()
            new = self._behind(waiting.pop()).keys() - seen
            seen |= new
            waiting += new
        return seen

    def _has_two_ways(self, node: int) -> bool:
        """The product of the graph with itself, from a node on, with one bit for whether the ways have differed."""
        first = (node, node, False)
        seen, waiting = {first}, [first]
        while waiting:
            self._budget.spend()
            one, other, differ = waiting.pop()
            if not self._masks[one] & self._masks[other]:
                continue
            for left, ways in self._behind(one).items():
                for right in self._behind(other):
                    pair = (left, right, differ or left != right or (one == other and ways > 1))
                    if pair == (node, node, True):
                        return True
                    if pair not in seen:
                        seen.add(pair)
                        waiting.append(pair)
        return False

    def _behind(self, node: int) -> Counter[int]:
        """The nodes behind one, with in how many ways each is reached by free moves: one, or more than one."""
        if node not in self._ways:
            self._ways[node] = Counter()
            self._follow(self._nodes[node].target, frozenset(), self._ways[node])
        return self._ways[node]

    def _follow(self, at: int, taken: frozenset[tuple[int, int]], found: Counter[int]) -> None:
        """Follow free moves, each of them once on one way: a loop of nothing is one more way, but not many."""
        self._budget.spend()
        if at in self._masks:
            found[at] += 1
        for free in self._nodes[at].free:
            if (at, free) not in taken:
                self._follow(free, taken | {(at, free)}, found)
