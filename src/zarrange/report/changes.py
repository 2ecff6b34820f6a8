"""Changes: the difference of two layouts, as text for people and as JSON.

Text has a block for each kind, then what is in the way, told once for all kinds that it concerns, and one line that
sums it up. Paths and keys are shown with what is not printable escaped. JSON has everything, and its keys are stable.
"""

from __future__ import annotations

import json
from collections import Counter
from itertools import groupby
from typing import TYPE_CHECKING, Any

from zarrange.diagnostics import shown
from zarrange.report.characters import printable
from zarrange.report.ink import Ink

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from zarrange.identifiers import Key, Value
    from zarrange.language.difference import Difference, FieldChange, KindChange, Obstacle, PathPair
    from zarrange.language.layout import Layout

__all__ = ["difference_as_json", "difference_as_text"]

_LEVELS = {"all": ("error", "error"), "some": ("warning", "warning"), "unknown": ("unknown", "info")}
"""What is called how, and its style."""
_SUMMED = ("changed", "perhaps changed", "not mapped", "dropped", "same", "new")


# --- text ------------------------------------------------------------------------------------------------------------


def difference_as_text(difference: Difference, *, color: bool = False) -> str:
    """Return a screen: what becomes of each kind with an example, what is in the way, and a line that sums it up."""
    ink = Ink(color)
    kinds = [[*_kind(change, ink)] for change in difference.kinds]
    # Kinds of which there is one line only stand together.
    blocks = [[line for lines in some for line in lines] for _, some in groupby(kinds, _block)]
    problems = _gathered(difference.problems)
    blocks += [[*_problem(one, names, ink)] for one, names in problems]
    title, summary = ink("strong", _title(difference)), _summary(difference, len(problems))
    return "\n\n".join([title, *map("\n".join, blocks), summary])


def _block(lines: Sequence[str]) -> object:
    """Tell apart what stands in blocks of its own."""
    return tuple(lines) if len(lines) > 1 else None


def _title(difference: Difference) -> str:
    names = [difference.old.name, difference.new.name]
    if names[0] == names[1]:
        names = [difference.old.file, difference.new.file]
    return printable(" → ".join(names))


def _kind(change: KindChange, ink: Ink) -> Iterator[str]:
    name = change.old or change.new or ""
    becomes = f" → {change.new}" if change.new not in {None, name} else ""
    status = _status(change)
    facts = [status, *([_field(one) for one in change.fields if one.old != one.new] if change.new else [])]
    yield f"{ink('strong', name)}{ink('strong', becomes)}: {', '.join(facts)}"
    pair = change.example
    if pair is None or (change.paths == "same" and not _is_renamed(pair)):
        return
    if change.paths == "unknown":
        yield "  the templates differ, but no artifact was found whose path does"
        return
    is_renamed = f" is {printable(str(pair.new))}" if _is_renamed(pair) else ""
    yield f"  {printable(str(pair.old))}{is_renamed}"
    if change.paths != "same":
        yield ink("error", f"  - {printable(pair.old_path)}")
        yield ink("help", f"  + {printable(pair.new_path)}")


def _is_renamed(pair: PathPair) -> bool:
    return pair.old != pair.new


def _status(change: KindChange) -> str:
    if change.old is None or change.new is None:
        return "new" if change.old is None else "dropped"
    return {"same": "same", "changed": "changed", "unknown": "perhaps changed"}.get(change.paths or "", "not mapped")


def _field(change: FieldChange) -> str:
    if change.old is not None and change.new is not None:
        return f"`{change.old}` becomes `{change.new}`"
    what = f"`{change.new}` is new" if change.old is None else f"`{change.old}` is dropped"
    return f"{what} ({'absent' if change.fixed is None else _written(change.fixed)})" if change.is_fixed else what


def _written(value: Value) -> str:
    return printable(shown(value) if isinstance(value, str) else str(value))


def _gathered(problems: Iterable[Obstacle]) -> list[tuple[Obstacle, tuple[str, ...]]]:
    """Return problems that say the same of several kinds once, the first of them, with all their kinds."""
    first: dict[tuple[object, ...], Obstacle] = {}
    kinds: dict[tuple[object, ...], dict[str, None]] = {}
    for one in problems:
        what = (one.rule, one.extent, one.message)
        first.setdefault(what, one)
        kinds.setdefault(what, {}).update(dict.fromkeys(one.kinds))
    return [(one, tuple(kinds[what])) for what, one in first.items()]


def _problem(problem: Obstacle, kinds: Sequence[str], ink: Ink) -> Iterator[str]:
    name, style = _LEVELS[problem.extent]
    yield ink(style, f"{name}[{problem.rule}]") + ink("strong", f": {printable(problem.message)}")
    yield f"{ink('label', 'kinds')}: {', '.join(kinds)}"
    for key in problem.examples:
        yield f"{ink('info', 'example')}: {printable(str(key))}"
    if problem.help:
        yield f"{ink('help', 'help')}: {printable(problem.help)}"


def _summary(difference: Difference, problems: int) -> str:
    counts = Counter(map(_status, difference.kinds))
    listed = ", ".join(f"{counts[name]} {name}" for name in _SUMMED if counts[name])
    verdict = f"{problems} problem{'s' * (problems != 1)}" if problems else "no artifact is lost"
    total = len(difference.kinds)
    return f"{total} kind{'s' * (total != 1)}: {listed or 'nothing to compare'}; {verdict}"


# --- JSON ------------------------------------------------------------------------------------------------------------


def difference_as_json(difference: Difference) -> str:
    """Return the difference as a JSON object; keys are as `zarrange.to_json` writes them.

    `same` and `lossless` are what `zarrange diff` goes by. Of a kind that is new or dropped one name is null, and
    `paths` is null where there are none to compare. Only ASCII characters are used.
    """
    data = {
        "old": _layout(difference.old),
        "new": _layout(difference.new),
        "same": difference.is_same,
        "lossless": difference.is_lossless,
        "fixed": {name: _value(value) for name, value in difference.fixed.items()},
        "kinds": [_kind_data(change) for change in difference.kinds],
        "clashes": [_problem_data(one) for one in difference.clashes],
    }
    return json.dumps(data, indent=2)


def _layout(layout: Layout) -> dict[str, Any]:
    return {"name": layout.name, "file": layout.file}


def _kind_data(change: KindChange) -> dict[str, Any]:
    return {
        "old": change.old,
        "new": change.new,
        "paths": change.paths,
        "fields": [_field_data(one) for one in change.fields],
        "example": change.example and _pair_data(change.example),
        "problems": [_problem_data(one) for one in change.problems],
    }


def _field_data(change: FieldChange) -> dict[str, Any]:
    fixed = {"fixed": _value(change.fixed)} if change.is_fixed else {}
    return {"old": change.old, "new": change.new, **fixed}


def _pair_data(pair: PathPair) -> dict[str, Any]:
    old, new = ({"key": _key(key), "path": path} for key, path in _sides(pair))
    return {"old": old, "new": new}


def _sides(pair: PathPair) -> list[tuple[Key, str]]:
    return [(pair.old, pair.old_path), (pair.new, pair.new_path)]


def _problem_data(problem: Obstacle) -> dict[str, Any]:
    return {
        "rule": problem.rule,
        "extent": problem.extent,
        "message": problem.message,
        "kinds": list(problem.kinds),
        "field": problem.field,
        "examples": [_key(key) for key in problem.examples],
        "help": problem.help,
    }


def _key(key: Key) -> Any:
    from zarrange.converter import unstructure

    return unstructure(key)


def _value(value: Value | None) -> Any:
    """Return a value as it stands in a key."""
    from zarrange.identifiers import Key

    return None if value is None else _key(Key("fixed", {"value": value}))["values"]["value"]
