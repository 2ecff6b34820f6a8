"""Scores: the numbers by which artifacts are best, from a table that somebody gives.

A table is a mapping from keys to numbers, or has rows: mappings, a DataFrame of pandas, a table of pyarrow, or the path
of a CSV file. Its columns are the kind's fields, as in `Store.table`, and each score's own; others are passed over, as
are rows of other kinds (`kind`, where that is no field). What is empty is not there; anything else has to fit.
"""

from __future__ import annotations

import csv
import datetime
import os
from collections.abc import Iterable, Mapping
from contextlib import contextmanager
from decimal import Decimal
from numbers import Real
from typing import TYPE_CHECKING, Any, TypeAlias

from attrs import frozen

from zarrange.diagnostics import shown, similar
from zarrange.identifiers import Key

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from zarrange.language.kinds import Kind

__all__ = ["Scores", "Source", "attribute", "number", "read_scores"]

Scores: TypeAlias = Mapping[str, Mapping[Key, float]]
"""The scores of artifacts, by the score's name."""
Source: TypeAlias = "Mapping[Key, Any] | Iterable[Mapping[str, Any]] | str | os.PathLike[str] | Any"
"""A table as it is given."""


def attribute(attributes: Mapping[str, Any], name: str) -> object:
    """Return the attribute of a name, or `None`: `scores.dice` is one of that very name, or `dice` in `scores`."""
    found: Any = attributes
    for step in [name] if name in attributes else name.split("."):
        found = found.get(step) if isinstance(found, Mapping) else None
    return found


def number(value: object) -> float | None:
    """Return a score as a number; `None` for what is none, NaN among it."""
    if isinstance(value, bool) or not isinstance(value, Real | Decimal):
        return None
    try:
        found = float(value)
    except (OverflowError, ValueError):
        return None
    return None if found != found else found  # noqa: PLR0124 - NaN is no number


def read_scores(source: Source, kind: Kind, names: Sequence[str]) -> dict[str, dict[Key, float]]:
    """Return the scores of artifacts of a kind that a table has, by their names.

    Raises `ValueError` for a column that is missing, for what does not fit, and where rows contradict each other;
    `TypeError` for what is no table; `OSError` for a file that cannot be read.
    """
    names = [*dict.fromkeys(names)]
    if isinstance(source, Mapping):
        return _of_keys(source, kind, names)
    table = _of_csv(os.fspath(source)) if isinstance(source, str | os.PathLike) else _of_rows(source)
    if table.columns is not None:
        _check_columns(table.columns, kind, names)
    found: dict[str, dict[Key, float]] = {name: {} for name in names}
    for where, row in table.rows:
        with _telling(where):
            if _is_of(row, kind):
                _take(row, kind, table, found)
    return found


EXACT = 2.0**53
"""Below, each whole number is a float of its own."""


@frozen
class _Table:
    """What a table has: each of the `rows` comes with where it stands. Without rows, `columns` may not be known."""

    columns: Collection[str] | None
    rows: Iterable[tuple[str, Mapping[str, Any]]]
    is_text: bool = False


def _of_keys(source: Mapping[Any, Any], kind: Kind, names: Sequence[str]) -> dict[str, dict[Key, float]]:
    if len(names) > 1:
        raise ValueError(f"a mapping has one score of each key; for {', '.join(names)}, give rows")
    found: dict[Key, float] = {}
    for key, value in source.items():
        if not isinstance(key, Key):
            raise TypeError(f"scores are a mapping from keys, or rows; {shown(key)} is no Key")
        with _telling(str(key)):
            score = _score("score", value)
            if key.kind == kind.name and score is not None:
                found[kind.key(key.values)] = score
    return dict.fromkeys(names, found)


def _of_csv(path: str) -> _Table:
    with open(path, encoding="utf-8-sig", newline="") as file, _telling(path):
        reader = csv.reader(file, strict=True)
        columns = next(reader, [])
        _refuse_twice(columns)
        rows = []
        for cells in reader:
            if cells and len(cells) != len(columns):
                raise ValueError(f"line {reader.line_num} has {len(cells)} cells, the first one {len(columns)}")
            if cells:
                rows.append((f"{path}:{reader.line_num}", dict(zip(columns, cells, strict=True))))
    return _Table(columns, rows, is_text=True)


def _of_rows(source: Any) -> _Table:
    if hasattr(source, "to_pylist"):
        _refuse_twice(source.column_names)
        return _Table(source.column_names, _numbered(source.to_pylist()))
    if hasattr(source, "to_dict") and hasattr(source, "columns"):
        columns = [*source.columns]
        _refuse_twice(columns)
        plain = source.astype(object).where(source.notna(), None)
        return _Table(columns, _numbered(plain.to_dict("records")))
    rows = [*source] if isinstance(source, Iterable) else [source]
    for row in rows:
        if not isinstance(row, Mapping):
            raise TypeError(f"scores are a mapping from keys, rows, or the path of a CSV file, not {shown(source)}")
    return _Table(dict.fromkeys(name for row in rows for name in row) if rows else None, _numbered(rows))


def _numbered(rows: Iterable[Mapping[str, Any]]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    return ((f"row {at} of the scores", row) for at, row in enumerate(rows))


def _refuse_twice(columns: Sequence[str]) -> None:
    if twice := [name for name in dict.fromkeys(columns) if list(columns).count(name) > 1]:
        raise ValueError(f"the table of scores has the column {twice[0]!r} twice")


def _check_columns(columns: Collection[str], kind: Kind, names: Sequence[str]) -> None:
    known = [str(name) for name in columns]
    needed = [name for name in kind.fields if name not in kind.optional]
    for name in [*names, *needed]:
        if name not in columns:
            why = "" if name in names else f", which tells whose a score is: it is a field of `{kind.name}`"
            raise ValueError(f"the table of scores has no column `{name}`{why}; {similar(name, known, 'column')}")


def _is_of(row: Mapping[str, Any], kind: Kind) -> bool:
    """Whether a row is of a kind, by the column in which `Store.table` says it."""
    said = row.get("_kind") or (None if "kind" in kind.fields else row.get("kind"))
    return said is None or said in ("", kind.name)


def _take(row: Mapping[str, Any], kind: Kind, table: _Table, found: dict[str, dict[Key, float]]) -> None:
    """Take the scores of a row. Raises `ValueError`."""
    given = {name: row[name] for name in kind.fields if not _is_nothing(row.get(name))}
    key = kind.key(
        kind.from_text(given) if table.is_text else {name: _plain(kind, name, given[name]) for name in given}
    )
    for name, scores in found.items():
        score = _score(name, _read(row.get(name)) if table.is_text else row.get(name))
        if score is not None and scores.setdefault(key, score) != score:
            raise ValueError(f"{key} has the score `{name}` twice: {scores[key]} and {score}")


def _score(name: str, value: object) -> float | None:
    if not _is_nothing(value) and (isinstance(value, bool) or not isinstance(value, Real | Decimal)):
        raise ValueError(f"its `{name}` is {shown(value)}, not a number")
    return number(value)


def _read(text: str | None) -> object:
    """Return the number that is written; `1_0` is none, though Python takes it."""
    try:
        return float(text) if text and "_" not in text else text
    except ValueError:
        return text


def _is_nothing(value: object) -> bool:
    return value is None or value == "" or (isinstance(value, float) and value != value)  # noqa: PLR0124 - NaN


def _plain(kind: Kind, name: str, value: Any) -> Any:
    """Return a value as its field takes it: a DataFrame has days as midnights, and 1.0 for 1 beside a hole."""
    wanted = kind.fields[name].type
    if wanted == "date" and isinstance(value, datetime.datetime) and value.time() == datetime.time():
        return value.date()
    is_whole = wanted == "int" and isinstance(value, float) and value.is_integer() and abs(value) < EXACT
    return int(value) if is_whole else value


@contextmanager
def _telling(where: str) -> Iterator[None]:
    """Say where something is wrong."""
    try:
        yield
    except UnicodeDecodeError:
        raise ValueError(f"{where}: it is not UTF-8") from None
    except (ValueError, csv.Error) as error:
        raise ValueError(f"{where}: {error}") from None
