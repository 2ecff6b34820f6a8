"""Plans and transactions: what would be done, what can be undone and what was interrupted, as text and as JSON.

Text has what the plan itself says, in color. JSON has all steps and everything that stays, and its keys are stable.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

from attrs import asdict, frozen

from zarrange.report.characters import printable
from zarrange.report.ink import Ink
from zarrange.stores.outline import MAX_SHOWN, outline

if TYPE_CHECKING:
    from collections.abc import Iterable

    from zarrange.identifiers import Key
    from zarrange.stores.plan import Left, Plan, Step
    from zarrange.stores.transactions import Transaction

__all__ = [
    "Outcome",
    "outcome_as_text",
    "outcomes_as_json",
    "plan_as_json",
    "plan_as_text",
    "transaction_as_json",
    "transactions_as_json",
    "transactions_as_text",
]

State = Literal["kept", "expired", "interrupted", "under way"]
_STYLES: dict[State, str] = {"kept": "help", "expired": "label", "interrupted": "error", "under way": "warning"}


# --- plans -----------------------------------------------------------------------------------------------------------


def plan_as_text(plan: Plan, *, color: bool = False, most: int | None = MAX_SHOWN) -> str:
    """Return a screen: a line for each step, what stays and why, and how much it is; `most` of the steps."""
    ink = Ink(color)
    lines = ("".join(_inked(ink, style, text) for style, text in line) for line in outline(plan, most=most))
    return "\n".join(lines)


def _inked(ink: Ink, style: str, text: str) -> str:
    return ink(style, printable(text)) if style else printable(text)


def plan_as_json(plan: Plan, transaction: Transaction | None = None, *, is_applied: bool = False) -> str:
    """Return a plan as a JSON object; keys are as `zarrange.to_json` writes them, sizes in bytes, `grace` in seconds.

    `applied` says whether it was done, and `transaction` is the id by which that can be undone. Only ASCII characters
    are used, so that a name that is not text can be told from others.
    """
    data = {
        "operation": plan.operation,
        "root": plan.root,
        "steps": [_step(step) for step in plan.steps],
        "left": [_left(left) for left in plan.left],
        "size": plan.size,
        "grace": plan.grace,
        "applied": is_applied,
        "transaction": None if transaction is None else transaction.id,
    }
    return json.dumps(data, indent=2)


def _step(step: Step) -> dict[str, Any]:
    return {
        "key": _key(step.key),
        "path": step.path,
        "target": step.target,
        "target_key": _key(step.target_key),
        "sort": step.sort,
        "size": step.size,
    }


def _left(left: Left) -> dict[str, Any]:
    return {
        "path": left.path,
        "reason": left.reason,
        "readings": [_key(key) for key in left.keys],
        "rules": list(left.rules),
    }


def _key(key: Key | None) -> Any:
    from zarrange.converter import unstructure

    return None if key is None else unstructure(key)


# --- transactions ----------------------------------------------------------------------------------------------------


def transactions_as_text(transactions: Iterable[Transaction], now: float, *, color: bool = False) -> str:
    """Return a line for each transaction: its id, until when it can be undone or what is the matter, what it is about.

    `now` is in seconds since the epoch.
    """
    ink = Ink(color)
    rows = [(one.id, _state(one, now), _said(one, now), printable(one.intent.about)) for one in transactions]
    wide = max((len(said) for _, _, said, _ in rows), default=0)
    lines = (f"{name}  {ink(_STYLES[state], said.ljust(wide))}  {about}" for name, state, said, about in rows)
    return "\n".join(lines)


def _state(transaction: Transaction, now: float) -> State:
    if transaction.is_live:
        return "under way"
    if transaction.is_interrupted:
        return "interrupted"
    return "expired" if transaction.is_expired(now) else "kept"


def _said(transaction: Transaction, now: float) -> str:
    state = _state(transaction, now)
    return f"until {_local(transaction.keep_until)}" if state == "kept" else state


def _local(seconds: float) -> str:
    return datetime.fromtimestamp(seconds).astimezone().isoformat(" ", "seconds")


def transactions_as_json(transactions: Iterable[Transaction], now: float) -> str:
    """Return the transactions as a JSON list; times are in UTC. Only ASCII characters are used.

    `state` is `kept` (it can be undone, at least until `keep_until`), `expired` (it can be, until somebody purges it),
    `interrupted` or `under way`; `keep_until` is null for what cannot be undone.
    """
    return json.dumps([_transaction(one, now) for one in transactions], indent=2)


def transaction_as_json(transaction: Transaction, now: float) -> str:
    """Return a transaction as a JSON object, as those of `transactions_as_json` are."""
    return json.dumps(_transaction(transaction, now), indent=2)


def _transaction(transaction: Transaction, now: float) -> dict[str, Any]:
    state = _state(transaction, now)
    return {
        "id": transaction.id,
        "operation": transaction.intent.operation,
        "about": transaction.intent.about,
        "state": state,
        "started": _utc(transaction.started),
        "keep_until": _utc(transaction.keep_until) if state in {"kept", "expired"} else None,
        "owner": transaction.owner,
    }


def _utc(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


# --- what was done about them ----------------------------------------------------------------------------------------


@frozen
class Outcome:
    """What a doctor has done: `done` in a word or two, to what, and what was in the way, if anything was.

    With a `problem`, it was not done, unless `is_done` says that this is only what has stayed.
    """

    done: Literal["taken back", "carried out", "purged", "swept"]
    about: str
    id: str | None = None
    problem: str | None = None
    is_done: bool = True


def outcome_as_text(outcome: Outcome, *, color: bool = False) -> str:
    """Return a line: what was done, or could not be done, and what was in the way."""
    ink = Ink(color)
    done = ink("help", outcome.done) if outcome.is_done else ink("error", f"not {outcome.done}")
    problem = "" if outcome.problem is None else f": {outcome.problem}"
    return f"{done}: {printable(f'{outcome.about}{problem}')}"


def outcomes_as_json(outcomes: Iterable[Outcome]) -> str:
    """Return what was done as a JSON list; `problem` is null where nothing was in the way. Only ASCII is used.

    `is_done` is true where it was done all the same.
    """
    return json.dumps([asdict(one) for one in outcomes], indent=2)
