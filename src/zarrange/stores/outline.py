"""Outline: what a plan says, line by line: its steps, what stays and why, and how much it is in all.

A line is made of pieces of text, each with what it is for (a style of the screen, or `""`). Names are as they are:
whoever shows them escapes what cannot be printed.
"""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING, TypeAlias

from zarrange.stores.amounts import counted, in_bytes
from zarrange.stores.retention import written_duration

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from zarrange.stores.plan import Left, Plan, Step

__all__ = ["MAX_SHOWN", "Line", "outline", "within"]

Line: TypeAlias = "list[tuple[str, str]]"
"""Pieces of text, each behind its style."""
MAX_SHOWN = 20
"""How many steps are told one by one, and how many things that stay."""
_KEPT = {
    "older-than": "too young",
    "unfinished": "unfinished and young",
    "no-score": "without a score",
    "no-value": "without a value",
}
"""What is said of what was kept, where its rule is none that a policy has, or says too little."""


def outline(plan: Plan, *, most: int | None = MAX_SHOWN) -> Iterator[Line]:
    """Yield the lines of a plan: of very many steps the first `most`; with `None` all, and why each thing stays.

    What a prune keeps is else only counted, by its rules.
    """
    if plan.steps:
        yield [("strong", plan.operation), ("", f" in {plan.root}:")]
        yield from _cut([_step(step) for step in plan.steps[:most]], len(plan.steps))
    told = [one for one in plan.left if most is None or not one.rules]
    if told:
        yield [("strong", "kept" if plan.operation == "prune" else "left"), ("", f" ({len(told):,}):")]
        yield from _cut([_left(one) for one in told[:most]], len(told))
    if len(told) < len(plan.left):
        yield _kept([one for one in plan.left if one.rules])
    yield [("", _summary(plan))]


def _cut(lines: list[Line], total: int) -> Iterator[Line]:
    """Yield lines of which there are more; indented, as they stand below a title."""
    for line in lines:
        yield [("", "  "), *line]
    if more := total - len(lines):
        yield [("label", f"  … and {more:,} more")]


def _step(step: Step) -> Line:
    target = [] if step.target is None else [("info", f" -> {step.target}")]
    size = "" if step.size is None else f"  {in_bytes(step.size)}"
    what = step.sort if step.key is None else str(step.key)
    return [("", step.path), *target, ("", f": {what}"), *_renamed(step), ("label", size)]


def _renamed(step: Step) -> Line:
    """What a step's key becomes, where more than its path changes."""
    old, new = step.key, step.target_key
    if old is None or new is None or (old.kind, old.values) == (new.kind, new.values):
        return []
    return [("info", f" -> {new}")]


def _left(left: Left) -> Line:
    place = ("", f"{left.path or '.'}: ")
    if len(left.keys) > 1 and not left.rules:
        readings = "; ".join(map(str, left.keys))
        return [place, ("warning", f"ambiguous, {len(left.keys)} readings"), ("", f": {readings}")]
    return [place, ("", left.reason)]


def _kept(kept: Sequence[Left]) -> Line:
    """How many things a prune keeps, and for which rules; for one of them, or for several."""
    rules = Counter(rule for one in kept for rule in dict.fromkeys(one.rules))
    said = ", ".join(f"{count:,} {_KEPT.get(rule) or _plain(rule)}" for rule, count in rules.items())
    return [("strong", "kept"), ("", f": {len(kept):,} ({said})")]


def _plain(rule: str) -> str:
    return f"by {rule}" if rule.startswith("keep-") else rule


def _summary(plan: Plan) -> str:
    """How many things of each sort go or move, how many bytes they are, and how that can be undone."""
    verb = {"migrate": "move", "copy": "copy"}.get(plan.operation, "remove")
    if not plan.steps:
        is_more = plan.operation == "migrate" and not plan.is_empty
        return f"nothing to {verb}{'; the layout is to be recorded' * is_more}"
    counts = Counter("symlink" if step.sort == "link" else step.sort for step in plan.steps)
    what = [counted(count, sort) for sort, count in counts.items()]
    size = [] if plan.size is None else [in_bytes(plan.size)]
    return f"{', '.join([*what, *size])} to {verb}; {_way_back(plan)}"


def _way_back(plan: Plan) -> str:
    if plan.operation == "migrate":
        return "a migration back undoes it"
    if plan.operation == "copy":
        return "what it is copied from stays"
    return f"it can be undone for {within(plan.grace)}" if plan.grace > 0 else "it cannot be undone"


def within(seconds: float) -> str:
    """Return a time span in words."""
    return written_duration(timedelta(seconds=seconds))
