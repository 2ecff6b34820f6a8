"""Listing: what `zarrange find` prints, in each of its formats, and how it goes about it.

Entries are written as they come, one by one (Parquet: batch by batch), and none is kept: whoever iterates prints what
there is so far. Text ends with the end of a line. Reading to the end, and saying what could not be read, is the
caller's: a search that raises goes up, and what was written until then is no whole JSON document and no Parquet file.
"""

from __future__ import annotations

import csv
import datetime
import io
import json
from itertools import groupby
from typing import IO, TYPE_CHECKING, Any, TypeAlias

from zarrange.report.characters import printable, width
from zarrange.report.ink import Ink
from zarrange.stores.entries import Entry
from zarrange.stores.table import batches, columns, rows, schema

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from zarrange.language.layout import Layout
    from zarrange.stores.catalog import Explanation, Result, Unreadable

__all__ = [
    "explanation_as_json",
    "explanation_as_text",
    "listing_as_csv",
    "listing_as_json",
    "listing_as_text",
    "unreadable_as_text",
    "write_listing_as_parquet",
]


# --- text ------------------------------------------------------------------------------------------------------------


def listing_as_text(entries: Iterable[Entry], *, color: bool = False) -> Iterator[str]:
    """Yield a line for each entry: its path, its key, and the shape and data type of an array."""
    ink = Ink(color)
    for entry in entries:
        node = entry.metadata
        form = "" if node is None or node.shape is None else f"  {_dimensions(node.shape)} {node.dtype}"
        yield f"{printable(entry.path)}: {_meaning(entry, ink)}{printable(form)}\n"


def _meaning(entry: Entry, ink: Ink) -> str:
    keys = "; ".join(printable(str(key)) for key in entry.readings)
    return f"{ink('warning', f'ambiguous, {len(entry.readings)} readings')}: {keys}" if entry.is_ambiguous else keys


def _dimensions(shape: Sequence[int]) -> str:
    """Return a shape as `64x64x64`; one without dimensions, which is not a missing one, as `()`."""
    return "x".join(map(str, shape)) or "()"


def unreadable_as_text(unreadable: Iterable[Unreadable], *, color: bool = False) -> Iterator[str]:
    """Yield a line for each place that could not be read; the store's root is `.`."""
    ink = Ink(color)
    for one in unreadable:
        yield f"{ink('error', 'unreadable')}: {printable(one.path) or '.'}: {printable(one.reason)}\n"


# --- JSON ------------------------------------------------------------------------------------------------------------


def listing_as_json(results: Iterable[Result]) -> Iterator[str]:
    """Yield a JSON list, an object and a line for each entry; what could not be read has a `path` and a `reason`.

    `kind` and `values` are those of its key; both are null where what was asked for leaves several readings. An
    ambiguous entry, and no other, has `readings`, all its keys. Keys and `identifier` are as `zarrange.to_json` writes
    them. Only ASCII characters are used, so that a name that is not text can be told from others.
    """
    lead = "[\n"
    for result in results:
        data = _as_data(result) if isinstance(result, Entry) else {"path": result.path, "reason": result.reason}
        yield f"{lead}  {json.dumps(data, allow_nan=False)}"
        lead = ",\n"
    yield "[]\n" if lead == "[\n" else "\n]\n"


def _identifier(entry: Entry) -> Any:
    """Return where an entry is; nothing where its readings do not agree on where its container ends."""
    from zarrange.converter import unstructure

    places = {entry.identifier_of(key) for key in entry.keys}
    return unstructure(places.pop()) if len(places) == 1 else None


def _as_data(entry: Entry) -> dict[str, Any]:
    from zarrange.converter import unstructure

    key = {"kind": None, "values": None} if len(entry.keys) > 1 else unstructure(entry.key)
    readings = {"readings": unstructure(list(entry.readings))} if entry.is_ambiguous else {}
    node = entry.metadata
    return {
        "path": entry.path,
        "kind": key["kind"],
        "values": key["values"],
        **readings,
        "identifier": _identifier(entry),
        "node": entry.node,
        "shape": node and node.shape,
        "dtype": node and node.dtype,
        "zarr_format": node and node.zarr_format,
    }


# --- CSV and Parquet -------------------------------------------------------------------------------------------------


def listing_as_csv(entries: Iterable[Entry], kinds: Collection[str], layout: Layout) -> Iterator[str]:
    r"""Yield the names of the columns of `zarrange.stores.table`, and a row for each of its rows; lines end with `\n`.

    What is absent is empty, a shape is `64x64x64` (`()` without dimensions), a value is as a filter is written. Texts
    are left as they are, also where they begin with `=`, `+`, `-` or `@`, which a spreadsheet may take for a formula:
    with a sign put before it, a text would be another one, which no program could tell from one that has the sign.
    """
    yield _line([column.name for column in columns(kinds, layout)])
    for row in rows(entries, kinds, layout):
        yield _line(map(_cell, row))


def _line(cells: Iterable[str]) -> str:
    held = io.StringIO()
    # Told that lines end with both, the writer quotes a text that has either; a carriage return breaks a row as well.
    csv.writer(held, lineterminator="\r\n").writerow(cells)
    return held.getvalue().removesuffix("\r\n") + "\n"


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, tuple):
        return _dimensions(value)
    return value.isoformat() if isinstance(value, datetime.date) else str(value)


def write_listing_as_parquet(
    entries: Iterable[Entry], kinds: Collection[str], layout: Layout, stream: IO[bytes]
) -> None:
    """Write the table of `zarrange.stores.table` as Parquet, batch by batch; the stream need not be one to seek in.

    If `entries` raise, the footer is left out: nobody can take what was written for the whole. Raises `StoreError` for
    what a column cannot hold.
    """
    made = schema(kinds, layout)
    from pyarrow.parquet import ParquetWriter  # type: ignore[import-untyped]  # it has no types

    sink = _Sink(stream)
    with ParquetWriter(sink, made) as writer:
        try:
            for batch in batches(entries, kinds, layout):
                writer.write_batch(batch)
        except BaseException:
            # The writer finishes its file whatever happens, even when it is forgotten.
            sink.is_cut_off = True
            raise


class _Sink(io.RawIOBase):
    """A stream that can be cut off: what is written from then on is dropped."""

    def __init__(self, stream: IO[bytes]) -> None:
        super().__init__()
        self._stream = stream
        self.is_cut_off = False

    def writable(self) -> bool:
        return True

    def write(self, content: Any) -> int:
        return len(content) if self.is_cut_off else self._stream.write(content)


# --- how a search goes -----------------------------------------------------------------------------------------------


Segments: TypeAlias = "Sequence[tuple[str, str]]"


def explanation_as_text(explanation: Explanation, *, color: bool = False) -> str:
    """Return a screen: how the search goes and why, then the segments of each kind, each with how one gets past it.

    A segment stands below what it is in, and ends with `/` where something is below it; ways share their beginnings.
    """
    ink = Ink(color)
    strategy = {"levels": "level by level", "flat": "flat listing"}[explanation.strategy]
    lines = [f"{ink('strong', strategy)}: {printable(explanation.reason)}"]
    drawn = [
        (kind, list(_branches([segments for _, segments in ways], 1)))
        for kind, ways in groupby(explanation.ways, key=lambda way: way[0])
    ]
    column = max((width(name) for _, branches in drawn for name, _ in branches), default=0)
    for kind, branches in drawn:
        lines += ["", ink("strong", printable(kind))]
        lines += [f"{name}{' ' * (column - width(name))}  {how}" for name, how in branches]
    return "\n".join(lines if drawn else [*lines, "", "no path can be of what is asked for"])


def _branches(ways: Sequence[Segments], depth: int) -> Iterator[tuple[str, str]]:
    """Yield the names of some ways from a depth on, indented, each with how one gets past it."""
    behind: dict[tuple[str, str, bool], list[Segments]] = {}
    for (name, how), *rest in ways:
        behind.setdefault((name, how, bool(rest)), []).append(rest)
    for (name, how, leads_on), below in behind.items():
        yield f"{'  ' * depth}{printable(name)}{'/' * leads_on}", printable(how)
        if leads_on:
            yield from _branches(below, depth + 1)


def explanation_as_json(explanation: Explanation) -> str:
    """Return how a search goes as a JSON object; only ASCII characters are used."""
    ways = [
        {"kind": kind, "segments": [{"segment": name, "how": how} for name, how in segments]}
        for kind, segments in explanation.ways
    ]
    return json.dumps({"strategy": explanation.strategy, "reason": explanation.reason, "ways": ways}, indent=2)
