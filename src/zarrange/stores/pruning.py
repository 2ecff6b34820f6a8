"""Pruning: the plan that removes what no rule of a policy keeps."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import evolve, frozen

from zarrange.errors import IncompleteError, RefusedError
from zarrange.stores.catalog import Search
from zarrange.stores.entries import Entry
from zarrange.stores.plan import Left, Plan
from zarrange.stores.record import read_record
from zarrange.stores.removal import hiding, leaving_nothing, refuse_clashes, removing, step_of
from zarrange.stores.retention import Facts, choose, grouping, read_scores, refuse_majority

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zarrange.language.layout import Layout
    from zarrange.language.selection import Selection
    from zarrange.stores.backend import Backend
    from zarrange.stores.retention import Policy, Verdict
    from zarrange.stores.retention.scores import Source

__all__ = ["Pruning", "plan_prune"]


@frozen
class Pruning:
    """What is asked for: a policy, over which fields (`by`), the scores it goes by, and for how long it can be undone.

    `grace` is in seconds. With `force`, what else would be refused is done.
    """

    policy: Policy
    by: str | Sequence[str] | None = None
    scores: Source | None = None
    grace: float = 0
    force: bool = False


def plan_prune(backend: Backend, layout: Layout, selection: Selection, asked: Pruning) -> Plan:
    """Return the plan that removes what a policy does not keep, of the one kind that is selected.

    Raises `ValueError` for what is not to be pruned; unless forced, `IncompleteError` where not everything could be
    read, and `RefusedError` where the store does not say which layout it has, or more than half would go.
    """
    refuse_clashes(layout)
    (name,) = selection.kinds
    kind = layout.kind(name)
    if kind.sort not in {"array", "file"}:
        raise ValueError(
            f"`{name}` is a {kind.sort}; arrays and files are pruned, what holds them is removed one by one"
        )
    if not asked.force and read_record(backend) is None:
        message = "does not say which layout it has; record it by `zarrange init`, or force the prune"
        raise RefusedError(f"{backend.root!r} {message}")
    policy = asked.policy
    scores = None if asked.scores is None else read_scores(asked.scores, kind, policy.scores)
    grouped = grouping(kind, policy, asked.by, selection.wanted)
    search = Search(backend, layout, selection)
    entries = [result for result in search.results() if isinstance(result, Entry)]
    if search.unreadable and not asked.force:
        raise IncompleteError([(one.path, one.reason) for one in search.unreadable])
    choice = choose(entries, policy, grouped, Facts(backend, scores=scores))
    if not asked.force:
        refuse_majority(choice)
    steps = [
        evolve(step_of(backend, entry.path, kind.sort, entry.key), modified=backend.modified(entry.path))
        for entry in choice.removed
    ]
    kept = [_kept(one) for one in choice.kept]
    about = f"the prune of `{name}`"
    do = removing(backend, leaving_nothing(hiding(backend, steps, "prune", about), layout), asked.grace)
    return Plan("prune", backend.root, tuple(steps), tuple(kept), asked.grace, backend=backend, do=do)


def _kept(verdict: Verdict) -> Left:
    rules = tuple(reason.rule for reason in verdict.reasons)
    return Left(verdict.entry.path, "; ".join(map(str, verdict.reasons)), verdict.entry.readings, rules)
