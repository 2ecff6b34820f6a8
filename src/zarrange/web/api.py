"""API: what the pages show, as JSON, under `/api/`; `openapi.json` beside the pages' own files says all of it.

Fields of the layout are parameters by their names, written as on the command line; a field that is to be absent is
empty. Our own parameters begin with a dot. A parameter that means nothing is refused, and so is a value that does not
fit. What could not be read is told in the answer, beside what could.
"""

from __future__ import annotations

import datetime
import json
import math
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from itertools import islice
from typing import TYPE_CHECKING, Any

import attrs
from starlette.routing import Route

from zarrange.converter import unstructure
from zarrange.errors import BadRequestError
from zarrange.identifiers import Key
from zarrange.language.arrangement import arrangement
from zarrange.language.selection import read_filters, select
from zarrange.stores.entries import Entry, Unreadable
from zarrange.view.comparison import comparison
from zarrange.view.details import described
from zarrange.view.listings import values_of
from zarrange.view.matrix import matrix
from zarrange.view.runs import run_names, run_size, run_summary
from zarrange.view.scores import scores
from zarrange.web.answers import in_thread, json_answer, telling_errors
from zarrange.web.requests import chosen, given, number, refuse_unknown, run_of, runs_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from starlette.requests import Request
    from starlette.responses import Response

    from zarrange.language.fields import Field
    from zarrange.language.layout import Layout
    from zarrange.stores.store import Store

__all__ = ["document", "routes"]

MOST = 1_000
"""So many of anything are answered at once."""
USUAL = 100
MAX_START = 1_000_000_000
WHOLE = "^(0|[1-9][0-9]{0,17})$"


def routes(store: Store) -> list[Route]:
    """Return the routes of a store; what blocks runs in threads."""
    layout = store.layout
    arranged = arrangement(layout)
    run = {arranged.by} if arranged.by else set[str]()
    fields = {*layout.fields}
    answers: dict[str, tuple[Callable[[Store, Request], Any], Collection[str]]] = {
        "runs": (_runs, {".filter", ".start", ".most"}),
        "runs/summary": (_summary, run),
        "runs/size": (_size, run),
        "matrix": (_matrix, {*run, ".start", ".most"}),
        "compare": (_compare, {*fields, ".kind"}),
        "scores": (_scores, {*run, ".kind", ".score"}),
        "find": (_find, {*fields, ".kind", ".start", ".most"}),
        "values": (_values, {*fields, ".kind", ".field"}),
        "array": (_array, {".path"}),
        "openapi.json": (_document, set[str]()),
    }
    return [Route(f"/api/{name}", _endpoint(store, *answer)) for name, answer in answers.items()]


def _endpoint(store: Store, answer: Callable[[Store, Request], Any], known: Collection[str]) -> Any:
    @telling_errors
    async def endpoint(request: Request) -> Response:
        refuse_unknown(request, known)
        return json_answer(await in_thread(lambda: plain(answer(store, request))))

    return endpoint


# --- answers ---------------------------------------------------------------------------------------------------------


def _runs(store: Store, request: Request) -> Any:
    wanted = (given(request, ".filter") or "").casefold()
    start, most = _part(request)
    arranged = arrangement(store.layout)
    runs = [run for run in run_names(store) if wanted in _written(store.layout, arranged.by, run).casefold()]
    return {
        "layout": store.layout.name,
        "title": arranged.title,
        "by": arranged.by,
        "slider": arranged.slider,
        "total": len(runs),
        "start": start,
        "runs": runs[start : start + most],
    }


def _written(layout: Layout, by: str | None, run: Any) -> str:
    return "" if by is None or run is None else layout.fields[by].encode(run)


def _summary(store: Store, request: Request) -> Any:
    found = run_summary(store, run_of(request, store.layout))
    return {**attrs.asdict(found, recurse=False), "kinds": dict(found.kinds)}


def _size(store: Store, request: Request) -> Any:
    run = run_of(request, store.layout)
    return {"run": run, "bytes": run_size(store, run)}


def _matrix(store: Store, request: Request) -> Any:
    start, most = _part(request)
    return matrix(store, run_of(request, store.layout), start=start, most=most)


def _compare(store: Store, request: Request) -> Any:
    kinds = request.query_params.getlist(".kind") or None
    return comparison(store, run_of(request, store.layout), chosen(request, store.layout), kinds)


def _scores(store: Store, request: Request) -> Any:
    runs = runs_of(request, store.layout)
    return scores(store, kind=given(request, ".kind"), runs=runs, name=given(request, ".score"))


def _find(store: Store, request: Request) -> Any:
    start, most = _part(request)
    kinds, filters = _asked(store.layout, request)
    found = store.find(kinds, **filters).results()
    part = [*islice(found, start, start + most + 1)]
    return {
        "start": start,
        "entries": [_entry(one) for one in part[:most] if isinstance(one, Entry)],
        "unreadable": [one for one in part[:most] if isinstance(one, Unreadable)],
        "has_more": len(part) > most,
    }


def _entry(entry: Entry) -> dict[str, Any]:
    node = entry.metadata
    return {
        "path": entry.path,
        "node": entry.node,
        "keys": entry.keys,
        "is_ambiguous": entry.is_ambiguous,
        "shape": node and node.shape,
        "dtype": node and node.dtype,
        "chunks": node and node.chunks,
        "zarr_format": node and node.zarr_format,
        "nbytes": node and node.nbytes,
    }


def _values(store: Store, request: Request) -> Any:
    name = given(request, ".field")
    if name is None:
        raise BadRequestError("`.field` is missing; it is the field whose values are asked for")
    kinds, filters = _asked(store.layout, request)
    wanted = select(store.layout, kinds, {name: lambda _: True, **filters})
    found = values_of(store, name, [*wanted.kinds], filters)
    return {"field": name, "values": found.values, "unreadable": found.unreadable}


def _array(store: Store, request: Request) -> Any:
    path = given(request, ".path")
    if path is None:
        raise BadRequestError("`.path` is missing; it is the path of an array, from the store's root on")
    return described(store, path)


def _part(request: Request) -> tuple[int, int]:
    """Return which part of a list is asked for."""
    return number(request, ".start", 0, most=MAX_START), number(request, ".most", USUAL, least=1, most=MOST)


def _asked(layout: Layout, request: Request) -> tuple[list[str] | None, dict[str, Any]]:
    """Return the kinds and the filters that are asked for, as the command line reads them; empty is absent."""
    kinds = request.query_params.getlist(".kind")
    texts = {name: request.query_params.getlist(name) for name in request.query_params if not name.startswith(".")}
    filters = read_filters(layout, kinds, {name: [one for one in all_ if one] for name, all_ in texts.items()})
    for name, written in texts.items():
        if "" in written:
            found = filters[name]
            if not isinstance(found, list):
                raise BadRequestError(f"`{name}` takes a range, or nothing, not both")
            filters[name] = [*found, None]
    return kinds or None, filters


# --- JSON ------------------------------------------------------------------------------------------------------------


def plain(value: Any) -> Any:
    """Return data as JSON has them: days with a tag, as in keys, and numbers that JSON does not have as text."""
    if isinstance(value, Key):
        return unstructure(value)
    if attrs.has(type(value)):
        return {name: plain(one) for name, one in attrs.asdict(value, recurse=False).items()}
    if isinstance(value, Mapping):
        return {_name(name): plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    if isinstance(value, datetime.date):
        return {"datetime" if isinstance(value, datetime.datetime) else "date": value.isoformat()}
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return value


def _name(value: Any) -> str:
    """A step of the slider as the name of a member."""
    return value.isoformat() if isinstance(value, datetime.date) else str(value)


# --- the document ----------------------------------------------------------------------------------------------------


def _document(store: Store, _: Request) -> Any:
    return document(store.layout)


def document(layout: Layout) -> dict[str, Any]:
    """Return the document of OpenAPI for a layout: where it says so, fields are parameters by their names."""
    made: dict[str, Any] = json.loads(_template())
    roles = _roles(layout)
    for item in made["paths"].values():
        for operation in item.values():
            found = [(one, roles.get(one["$ref"].rpartition("/")[2])) for one in operation["parameters"]]
            operation["parameters"] = [one for each, fields in found for one in ([each] if fields is None else fields)]
    parameters = made["components"]["parameters"]
    for name in roles:
        del parameters[name]
    arrays = [name for name, kind in layout.kinds.items() if kind.sort == "array"]
    parameters["kind"]["schema"]["enum"] = parameters["arrays"]["schema"]["items"]["enum"] = arrays
    parameters["kinds"]["schema"]["items"]["enum"] = [*layout.kinds]
    parameters["field"]["schema"]["enum"] = [*layout.fields]
    return made


@cache
def _template() -> bytes:
    return (files("zarrange.web") / "static" / "openapi.json").read_bytes()


def _roles(layout: Layout) -> dict[str, list[dict[str, Any]]]:
    """Return the parameters that fields are: what tells the run, once or often, what is chosen, and what filters."""
    by = arrangement(layout).by
    runs = [one for name, one in layout.fields.items() if name == by]
    others = [one for name, one in layout.fields.items() if name != by]
    some = {"type": "array", "items": {"type": "string"}}
    may_lack = {name for kind in layout.kinds.values() for name in kind.optional}

    def run(one: Field) -> dict[str, Any]:
        return {"anyOf": [_text(one), {"const": ""}]} if one.name in may_lack else _text(one)

    return {
        "run": [{**_parameter(one, run(one)), "required": True} for one in runs],
        "runs": [_parameter(one, {"type": "array", "items": run(one)}) for one in runs],
        "choices": [_parameter(one, {"anyOf": [_text(one), {"const": ""}]}) for one in others],
        "filters": [_parameter(one, some) for one in layout.fields.values()],
    }


def _parameter(field: Field, schema: dict[str, Any]) -> dict[str, Any]:
    said = field.doc or f"The field `{field.name}` of the layout."
    return {"name": field.name, "in": "query", "description": said, "schema": schema}


def _text(field: Field) -> dict[str, Any]:
    """Return what is said of the texts of a field; it may take fewer."""
    if field.choices is not None:
        return {"type": "string", "enum": [field.encode(one) for one in field.choices]}
    if field.type == "int":
        return {"type": "string", "pattern": "^(0|-?[1-9][0-9]{0,17})$" if field.spec.min is None else WHOLE}
    return {"type": "string", "minLength": 1}
