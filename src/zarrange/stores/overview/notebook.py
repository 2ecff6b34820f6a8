"""Notebook: the overview of a store as HTML. No scripts, nothing from elsewhere; colors are those of the page around.

Names come from strangers: every text is escaped, and what is not printable in it too, so that it can neither be markup
nor turn the reading direction.
"""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

from zarrange.stores.amounts import counted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from zarrange.stores.overview import Group, Line, Overview

__all__ = ["as_html"]

OPEN = 3
"""So many runs are unfolded from the beginning."""

STYLE = """
.zarrange-overview {line-height: 1.4}
.zarrange-overview details {margin: 0.2em 0}
.zarrange-overview summary {cursor: pointer; display: list-item}
.zarrange-overview table {border-collapse: collapse; margin: 0.3em 0 0.6em 1.2em; background: none}
.zarrange-overview th, .zarrange-overview td {
  text-align: left; vertical-align: top; padding: 0.15em 0.8em 0.15em 0; border: 0; background: none; font-size: 0.9em}
.zarrange-overview tbody tr {border-top: 1px solid rgba(128, 128, 128, 0.35); background: none}
.zarrange-overview .number {text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums}
.zarrange-overview .quiet {opacity: 0.7}
.zarrange-overview .warning {border-left: 0.3em solid #d9822b; padding-left: 0.6em}
"""


def as_html(overview: Overview) -> str:
    """Return an overview as a piece of HTML: one line for each run, which unfolds to a table of its kinds."""
    return "\n".join(['<div class="zarrange-overview">', f"<style>{STYLE}</style>", *_parts(overview), "</div>"])


def _parts(overview: Overview) -> Iterator[str]:
    root = f"<b>{_text(overview.root)}</b> " if overview.root else ""
    yield f'<div>{root}<span class="quiet">layout</span> {_text(overview.layout)}</div>'
    yield f"<div>{_text(overview.summary)}</div>"
    if not overview.is_complete:
        yield from _warning(overview)
    if overview.by is None:
        yield from (row for group in overview.groups for row in _table(group))
        return
    for group, name, like in overview.named():
        yield from _group(group, name, like, is_open=len(overview.groups) <= OPEN)
    if overview.omitted:
        yield f'<div class="quiet">… and {_text(overview.further)}</div>'
        yield from _group(overview.total, f"all {overview.counted}", is_open=True)


def _warning(overview: Overview) -> Iterator[str]:
    yield f'<div class="warning"><b>Incomplete</b>: {_text(overview.warning)}<ul>'
    for one in overview.unreadable:
        yield f"<li><code>{_text(one.path or '.')}</code>: {_text(one.reason)}</li>"
    if more := overview.unreadable_count - len(overview.unreadable):
        yield f"<li>… and {more:,} more</li>"
    yield "</ul></div>"


def _group(group: Group, name: str, like: str | None = None, *, is_open: bool) -> Iterator[str]:
    amounts = ", ".join([counted(group.count, "artifact"), *_sizes(group)])
    about = f'<b><bdi>{_text(name)}</bdi></b> <span class="quiet">{_text(amounts)}'
    if like is not None:
        about += f", like {_text(like)}"
    yield f"<details{' open' * (is_open and like is None)}><summary>{about}</span></summary>"
    yield from _table(group)
    yield "</details>"


def _sizes(group: Group) -> Iterator[str]:
    size, stored = group.sizes
    if size:
        yield size
    if stored:
        yield f"{stored} stored"


def _table(group: Group) -> Iterator[str]:
    headings = ["kind", "count", "uncompressed", *(["stored"] if group.stored is not None else []), "", "fields"]
    cells = "".join(f"<th{_NUMBER * (one in _NUMBERS)}>{one}</th>" for one in headings)
    yield f"<table><thead><tr>{cells}</tr></thead><tbody>"
    yield from (_row(line, is_measured=group.stored is not None) for line in group.lines)
    yield "</tbody></table>"


_NUMBER = ' class="number"'
_NUMBERS = frozenset({"count", "uncompressed", "stored"})


def _row(line: Line, *, is_measured: bool) -> str:
    size, stored = line.sizes
    numbers = [f"{line.count:,}", size, *([stored] if is_measured else [])]
    fields = [f'<span class="quiet">{_text(one.field)}</span> {_text(str(one))}' for one in line.fields]
    fields += [f'<span class="warning">{_text(line.doubt)}</span>'] if line.doubt else []
    cells = [f"<td>{_text(line.kind)}</td>", *(f"<td{_NUMBER}>{_text(one)}</td>" for one in numbers)]
    return f"<tr>{''.join(cells)}<td>{_text(line.about)}</td><td>{'<br>'.join(fields)}</td></tr>"


def _text(text: str) -> str:
    """Return a text that can stand anywhere in HTML."""
    return html.escape(text if text.isprintable() else repr(text)[1:-1])
