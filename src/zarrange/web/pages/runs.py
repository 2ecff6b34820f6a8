"""Runs: the table of all runs. Their names come at once; what they have is filled in row by row."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import evolve, frozen

from zarrange.errors import ZarrangeError
from zarrange.language.arrangement import arrangement
from zarrange.report.characters import printable
from zarrange.view.runs import RunSummary, run_names, run_size, run_summary
from zarrange.web.frame import is_sendable, link, query, streamed, text_of, word, words
from zarrange.web.requests import choice, given, number, refuse_unknown

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from starlette.requests import Request
    from starlette.responses import Response

    from zarrange.identifiers import Value
    from zarrange.stores.store import Store

__all__ = ["answer"]

MAX_ROWS = 200


@frozen
class Row:
    """One run; `summary` and `size` are `None` as long as nobody has asked, `trouble` is why there are none."""

    run: Value | None
    name: str
    shown: str
    text: str
    address: str
    asked: str
    is_plain: bool
    summary: RunSummary | None = None
    size: int | None = None
    trouble: str = ""


@frozen
class Found:
    """The runs of one page of the table, how many there are, and where the other pages are."""

    rows: tuple[Row, ...]
    total: int
    total_unfiltered: int
    said: str
    trouble: str
    first_page: str
    full_page: str
    previous_page: str | None
    next_page: str | None


def answer(store: Store, request: Request) -> Response:
    """Answer with the table, or with those whose names have `.filter`, from `.start` on; `.full` asks for all of it."""
    refuse_unknown(request, (".filter", ".start", ".full"))
    asking = _Asking(store, given(request, ".filter") or "", number(request, ".start", 0), _is_full(request))
    by = arrangement(store.layout).by
    context = {
        "doc": store.layout.fields[by].doc if by else store.layout.doc,
        "pattern": asking.pattern,
        "is_full": asking.is_full,
        "find": asking.find,
        "filled": asking.filled,
    }
    return streamed(store, request, "runs.html", context)


def _is_full(request: Request) -> bool:
    return choice(request, ".full", ("0", "1"), "0") == "1"


@frozen
class _Asking:
    """What is asked for; a template calls these as it comes to them."""

    store: Store
    pattern: str
    start: int
    is_full: bool

    def find(self) -> Found:
        """List the runs, and return those of this page."""
        names, trouble = self._names()
        part = self.pattern.casefold()
        fitting = [name for name in names if part in _named(name).casefold()]
        shown = fitting[self.start : self.start + MAX_ROWS]
        return Found(
            rows=tuple(map(self._row, shown)),
            total=len(fitting),
            total_unfiltered=len(names),
            said=self._said(len(shown), len(fitting), len(names)),
            trouble=trouble,
            first_page=self._page(0),
            full_page=self._page(self.start, ".full"),
            previous_page=self._page(max(0, self.start - MAX_ROWS)) if self.start else None,
            next_page=self._page(self.start + MAX_ROWS) if self.start + MAX_ROWS < len(fitting) else None,
        )

    def filled(self, rows: Iterable[Row]) -> Iterator[Row]:
        """Give rows, each with what its run has where all is asked for."""
        return (self._filled(row) if self.is_full else row for row in rows)

    def _filled(self, row: Row) -> Row:
        try:
            row = evolve(row, summary=run_summary(self.store, row.run))
            return evolve(row, size=run_size(self.store, row.run))
        except ZarrangeError as error:
            return evolve(row, trouble=str(error))

    def _names(self) -> tuple[tuple[Value | None, ...], str]:
        try:
            return run_names(self.store), ""
        except ZarrangeError as error:
            return (), str(error)

    def _row(self, name: Value | None) -> Row:
        layout = self.store.layout
        by = arrangement(layout).by
        values = {} if by is None else {by: name}
        text = text_of(layout, by, name) if by else ""
        return Row(
            run=name,
            name=_named(name),
            shown=_named(name) or ("all" if by is None else f"without {word(by)}"),
            text=text,
            address=link(layout, "/run", values),
            asked=query(layout, values),
            is_plain=bool(by) and is_sendable(text),
        )

    def _page(self, start: int, *flags: str) -> str:
        own: dict[str, object] = {".filter": self.pattern} if self.pattern else {}
        own |= {".start": start} if start else {}
        own |= {".full": 1} if self.is_full or ".full" in flags else {}
        return link(self.store.layout, "/", {}, own)

    def _said(self, shown: int, fitting: int, total: int) -> str:
        by = arrangement(self.store.layout).by
        if by is None:
            return "All that there is"
        one = f"{total:,} {word(by) if total == 1 else words(by)}"
        text = one if fitting == total else f"{fitting:,} of {one}"
        return text if shown == fitting else f"{text}; {self.start + 1:,} to {self.start + shown:,} are shown"


def _named(name: Value | None) -> str:
    return "" if name is None else printable(str(name))
