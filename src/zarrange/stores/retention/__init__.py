"""Retention: which artifacts of a kind a policy keeps, for which reasons, and which are to go. Nothing is removed here.

Artifacts that are alike in all fields but those pruned over are a group, and each rule chooses within a group. What one
rule keeps, stays. What cannot be told (a score, an age, whose a path is) is a reason to keep, never one to remove, and
takes no place from what is known: an unfinished array is none of the last five, which are five others.
"""

from __future__ import annotations

import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from attrs import define, field, frozen

from zarrange.diagnostics import shown
from zarrange.errors import FieldError, RefusedError, StoreError
from zarrange.language.selection import ORDERED, ordered_fields
from zarrange.stores.doctor.consolidation import read_attributes
from zarrange.stores.retention.policy import (
    MIN_AGE,
    Best,
    Policy,
    parse_best,
    parse_duration,
    read_policy,
    written_duration,
)
from zarrange.stores.retention.scores import Scores, attribute, number, read_scores
from zarrange.stores.seal import is_complete

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from zarrange.identifiers import Key
    from zarrange.language.kinds import Kind
    from zarrange.language.selection import Wanted
    from zarrange.stores.backend import Backend
    from zarrange.stores.entries import Entry

__all__ = [
    "MIN_AGE",
    "Best",
    "Choice",
    "Facts",
    "Grouping",
    "Policy",
    "Reason",
    "Rule",
    "Scores",
    "Verdict",
    "choose",
    "grouping",
    "parse_best",
    "parse_duration",
    "read_policy",
    "read_scores",
    "refuse_majority",
    "written_duration",
]

T = TypeVar("T")

Rule = Literal[
    "keep-last",
    "keep-every",
    "keep-best",
    "older-than",
    "unfinished",
    "no-score",
    "no-value",
    "ambiguous",
    "unreadable",
]
"""What keeps an artifact: the rules of a policy, and what is not known."""

# --- groups ----------------------------------------------------------------------------------------------------------


@frozen
class Grouping:
    """What is pruned over: artifacts that differ in the fields `over` alone are a group; `order` says which are last.

    Without any such field, each artifact is a group of its own.
    """

    over: tuple[str, ...] = ()
    order: str | None = None


def grouping(
    kind: Kind, policy: Policy, by: str | Sequence[str] | None = None, wanted: Mapping[str, Wanted] | None = None
) -> Grouping:
    """Return how a kind is grouped: pruned over `by`, or over its only field of numbers or days.

    Fields that `wanted` has one value of do not count as such. Of several fields `by`, the first one of numbers or days
    is the one that orders. Raises `ValueError`; `FieldError` for a field that does not fit.
    """
    if by is None and not policy.has_groups:
        return Grouping()
    over = _only_ordered(kind, wanted or {}) if by is None else _given(kind, by)
    order = next((name for name in over if kind.fields[name].type in ORDERED), None)
    if policy.needs_order and order is None:
        raise FieldError(kind.name, over[0], None, "has no order that a last artifact could be told by")
    if order is not None and policy.keep_every is not None and kind.fields[order].type != "int":
        raise FieldError(kind.name, order, None, "is no whole number, of which `keep_every` could keep the multiples")
    return Grouping(over, order)


def _given(kind: Kind, by: str | Sequence[str]) -> tuple[str, ...]:
    names = (by,) if isinstance(by, str) else tuple(by)
    if not names or not all(isinstance(name, str) for name in names):
        raise TypeError(f"`by` is the name of a field, or several of them, not {shown(by)}")
    kind.refuse_unknown(dict.fromkeys(names))
    return tuple(dict.fromkeys(names))


def _only_ordered(kind: Kind, wanted: Mapping[str, Wanted]) -> tuple[str, ...]:
    names = ordered_fields(kind, wanted)
    if len(names) == 1:
        return (names[0],)
    known = ", ".join(f"`{name}`" for name in names or kind.fields)
    if names:
        raise ValueError(f"over which field is `{kind.name}` to be pruned? say `by`; it has {known}")
    raise ValueError(f"`{kind.name}` has no field of numbers or days left open to prune over; say `by`: {known}")


# --- facts -----------------------------------------------------------------------------------------------------------


class Facts:
    """What is asked of a store about its artifacts: attributes, scores, ages.

    With `scores`, of a table, no attribute is taken for a score. `now` is in seconds since the epoch.
    """

    def __init__(self, backend: Backend, *, scores: Scores | None = None, now: float | None = None) -> None:
        self._backend = backend
        self._scores = scores
        self._now = time.time() if now is None else now

    def attributes(self, entries: Sequence[Entry]) -> list[Mapping[str, Any] | StoreError]:
        """Return the attributes of each, or why they cannot be read. Format 2 has them in files of their own."""
        old = [entry for entry in entries if entry.metadata is not None and entry.metadata.zarr_format == 2]  # noqa: PLR2004
        read = dict(zip((entry.path for entry in old), self._each(self._old_attributes, old), strict=True))
        new = (entry.metadata.attributes if entry.metadata is not None else {} for entry in entries)
        return [read.get(entry.path, found) for entry, found in zip(entries, new, strict=True)]

    def ages(self, entries: Sequence[Entry]) -> list[timedelta | StoreError]:
        """Return how long ago each was last written to, or why that is not known. It looks at every chunk."""
        return self._each(self._age, entries)

    def score(self, best: Best, key: Key, attributes: Mapping[str, Any]) -> tuple[float | None, str]:
        """Return the score of an artifact, `None` where it has none, and why it has none."""
        if self._scores is not None:
            return self._scores[best.score].get(key), f"the table of scores has no `{best.score}` of it"
        found = attribute(attributes, best.score)
        why = f"it has no `{best.score}`" if found is None else f"its `{best.score}` is {shown(found)}, not a number"
        return number(found), why

    def _old_attributes(self, entry: Entry) -> Mapping[str, Any] | StoreError:
        try:
            return read_attributes(self._backend, entry.path)
        except StoreError as error:
            return error

    def _age(self, entry: Entry) -> timedelta | StoreError:
        try:
            return timedelta(seconds=self._now - self._backend.modified(entry.path))
        except StoreError as error:
            return error

    def _each(self, ask: Callable[[Entry], T], entries: Sequence[Entry]) -> list[T]:
        if self._backend.in_flight == 1 or not entries:
            return [ask(entry) for entry in entries]
        with ThreadPoolExecutor(min(self._backend.in_flight, len(entries))) as threads:
            return [*threads.map(ask, entries)]


# --- the choice ------------------------------------------------------------------------------------------------------


@frozen
class Reason:
    """Why an artifact is kept: the rule, and a few words."""

    rule: Rule
    text: str

    def __str__(self) -> str:
        return self.text


@frozen
class Verdict:
    """An artifact, and every reason for which it is kept; without any, it is to go."""

    entry: Entry
    reasons: tuple[Reason, ...] = ()


@frozen
class Choice:
    """What a policy says of artifacts, in the order in which they were given."""

    policy: Policy
    grouping: Grouping
    verdicts: tuple[Verdict, ...]

    @property
    def kept(self) -> tuple[Verdict, ...]:
        """What stays."""
        return tuple(verdict for verdict in self.verdicts if verdict.reasons)

    @property
    def removed(self) -> tuple[Entry, ...]:
        """What is to go."""
        return tuple(verdict.entry for verdict in self.verdicts if not verdict.reasons)


def refuse_majority(choice: Choice) -> None:
    """Raise `RefusedError` where more than half of the artifacts would go; whoever means it, does not ask."""
    count, total = len(choice.removed), len(choice.verdicts)
    if 2 * count > total:
        raise RefusedError(f"{count} of {total} artifacts would be removed, more than half; it has to be forced")


@define(eq=False)
class _Case:
    """An artifact whose reasons are being collected."""

    entry: Entry
    attributes: Mapping[str, Any] | StoreError
    reasons: list[Reason] = field(factory=list)
    is_complete: bool | None = field(init=False, default=None)

    def __attrs_post_init__(self) -> None:
        if not isinstance(self.attributes, StoreError):
            self.is_complete = is_complete(self.attributes)

    def keep(self, rule: Rule, text: str) -> None:
        self.reasons.append(Reason(rule, text))


@frozen
class _Known:
    """A case of which all is known that comparing it with others of its group takes."""

    case: _Case
    key: Key
    attributes: Mapping[str, Any]

    @property
    def is_rival(self) -> bool:
        """Whether another artifact may have to give way to it: an unfinished array takes no place."""
        return self.case.is_complete is not False


def choose(entries: Iterable[Entry], policy: Policy, grouped: Grouping, facts: Facts) -> Choice:
    """Return which artifacts of a kind are kept, each with every reason, and which are to go.

    Only where nothing else keeps an artifact, it is asked whether it may be being written. Raises what `entries` raise;
    whether more than half would go is the matter of `refuse_majority`.
    """
    found = [*entries]
    cases = [_Case(*pair) for pair in zip(found, facts.attributes(found), strict=True)]
    for group in _groups(cases, grouped).values():
        if grouped.order is not None and policy.needs_order:
            _keep_by_order(group, policy, grouped.order)
        for best in policy.keep_best:
            _keep_best(group, best, facts)
    _keep_young(cases, policy, facts)
    return Choice(policy, grouped, tuple(Verdict(case.entry, tuple(case.reasons)) for case in cases))


def _groups(cases: Iterable[_Case], grouped: Grouping) -> dict[frozenset[Any], list[_Known]]:
    """Return the groups of all cases that can be compared; the others are kept."""
    groups: dict[frozenset[Any], list[_Known]] = defaultdict(list)
    for case in cases:
        if case.entry.is_ambiguous:
            case.keep("ambiguous", "its path has several readings")
        elif isinstance(case.attributes, StoreError):
            case.keep("unreadable", _said(case.attributes))
        else:
            key = case.entry.key
            rest = ((name, type(value), value) for name, value in key.values.items() if name not in grouped.over)
            groups[frozenset(rest)].append(_Known(case, key, case.attributes))
    return groups


def _keep_by_order(group: Iterable[_Known], policy: Policy, order: str) -> None:
    """Keep the last ones and every so many; several artifacts may have one value."""
    by_value: dict[Any, list[_Known]] = defaultdict(list)
    for one in group:
        if order in one.key.values:
            by_value[one.key.values[order]].append(one)
        else:
            one.case.keep("no-value", f"it has no `{order}`")
    places = policy.keep_last or 0
    for value in sorted(by_value, reverse=True):
        for one in by_value[value]:
            if places > 0:
                one.case.keep("keep-last", f"among the last {policy.keep_last} by `{order}`")
            if policy.keep_every is not None and value % policy.keep_every == 0:
                one.case.keep("keep-every", f"`{order}` is a multiple of {policy.keep_every}")
        places -= any(one.is_rival for one in by_value[value])


def _keep_best(group: Iterable[_Known], best: Best, facts: Facts) -> None:
    """Keep all that is as good as the best finished one."""
    scored: list[tuple[float, _Known]] = []
    for one in group:
        score, why = facts.score(best, one.key, one.attributes)
        if score is None:
            one.case.keep("no-score", why)
        else:
            scored.append((score, one))
    rivals = [score for score, one in scored if one.is_rival] or [score for score, _ in scored]
    threshold = best.best(rivals) if rivals else 0
    for score, one in scored:
        if best.is_as_good(score, threshold):
            one.case.keep("keep-best", f"best by `{best.score}`: {score:g}")


def _keep_young(cases: Iterable[_Case], policy: Policy, facts: Facts) -> None:
    """Keep what is not as old as it has to be, and what may be being written."""
    limit = policy.older_than
    asked = [case for case in cases if limit is not None or not (case.reasons or case.is_complete)]
    for case, age in zip(asked, facts.ages([case.entry for case in asked]), strict=True):
        if isinstance(age, StoreError):
            case.keep("unreadable", _said(age))
            continue
        if limit is not None and age < limit:
            case.keep("older-than", f"younger than {written_duration(limit)}")
        if not case.reasons and not case.is_complete and age < policy.min_age:
            what = "unfinished" if case.is_complete is False else "not known to be finished"
            case.keep("unfinished", f"{what}, and younger than {written_duration(policy.min_age)}")


def _said(error: StoreError) -> str:
    return getattr(error, "strerror", None) or str(error)
