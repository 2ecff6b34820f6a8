"""Which patterns are slow: in engines that backtrack, and in our own.

A backtracking engine needs exponential time where some text leads from a state of the automaton back to it in two ways
(Weber and Seidl, "On the degree of ambiguity of finite automata", 1991, the criterion EDA): at each round it may take
either. Our own engine is linear, but keeps only so many states of the automaton that it makes deterministic.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from zarrange.language.automaton import Alphabet, Automaton, Budget, Chain, Undecided
from zarrange.language.patterns import Builder, Language

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["is_exponential", "is_large"]

MAX_STATES = 1_000
MAX_STEPS = 20_000
"""How many steps are spent on one pattern."""


def is_exponential(pattern: str) -> bool:
    """Return whether a pattern can match texts in a number of ways that grows exponentially with their length.

    Of a pattern whose loops are too intricate to tell, it is assumed.
    """
    try:
        return _Loops(pattern).any_has_two_ways()
    except Undecided:  # with so many ways from one node to the next, one loop or other has two
        return True


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
        return any(self._has_two_ways(loop[0]) for loop in self._loops())

    def _loops(self) -> list[list[int]]:
        """The nodes that lead back to themselves, with those that they lead to and back (Kosaraju's method)."""
        order: list[int] = []
        seen: set[int] = set()
        for node in range(len(self._nodes)):
            self._visit(node, self._steps, seen, order)
        before: dict[int, list[int]] = {}
        for node in range(len(self._nodes)):
            for other in self._steps(node):
                before.setdefault(other, []).append(node)
        seen.clear()
        loops = []
        for node in reversed(order):
            found: list[int] = []
            self._visit(node, lambda one: before.get(one, []), seen, found)
            taking = [one for one in found if one in self._masks]
            if taking and (len(found) > 1 or node in self._steps(node)):
                loops.append(taking)
        return loops

    def _steps(self, node: int) -> list[int]:
        """The nodes behind one, whether or not a character is taken on the way."""
        found = self._nodes[node]
        return [*found.free, found.target] if found.target >= 0 else found.free

    @staticmethod
    def _visit(first: int, steps: Callable[[int], Iterable[int]], seen: set[int], order: list[int]) -> None:
        """Add to `order` what can be reached and was not seen yet, each behind all that it leads to."""
        if first in seen:
            return
        seen.add(first)
        open_nodes = [(first, iter(steps(first)))]
        while open_nodes:
            node, left = open_nodes[-1]
            new = next((one for one in left if one not in seen), None)
            if new is None:
                order.append(node)
                open_nodes.pop()
            else:
                seen.add(new)
                open_nodes.append((new, iter(steps(new))))

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
