"""Array: what is known of one array, a picture of it, and how to open it elsewhere."""

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any

from attrs import frozen

from zarrange.errors import BadRequestError
from zarrange.language.arrangement import arrangement
from zarrange.report.characters import printable
from zarrange.view.details import Described, described
from zarrange.view.slices import Cut
from zarrange.web.frame import link, page, place_of, text_of
from zarrange.web.requests import refuse_unknown

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from starlette.requests import Request
    from starlette.responses import Response

    from zarrange.identifiers import Key, Value
    from zarrange.stores.store import Store
    from zarrange.view.axes import Axis

__all__ = ["answer"]

INDEX = ".index"
THUMBNAIL = 512
MAX_ITEMS = 200
"""A list or a mapping of attributes is shown up to here,"""
MAX_DEPTH = 8
"""as deep as this,"""
MAX_NODES = 3_000
"""all of them up to here,"""
MAX_TEXT = 2_000
"""and a text so far."""


@frozen
class Node:
    """An attribute as it is shown: its text, or the parts that it has (`more` of which are left out)."""

    name: str
    text: str = ""
    sort: str = ""
    parts: tuple[Node, ...] = ()
    more: int = 0


@frozen
class Place:
    """An axis that is not of the picture, and where the picture is on it."""

    axis: Axis
    at: int


def answer(store: Store, request: Request) -> Response:
    """Answer with one array; `.index` says where its picture is, once for each axis that is not of the picture."""
    refuse_unknown(request, (INDEX,))
    found = described(store, request.path_params["path"])
    places = _places(found, request.query_params.getlist(INDEX))
    cut = str(Cut({one.axis.name: one.at for one in places}))
    image = place_of("/image", found.path)
    key = found.keys[0]
    own = {".show": key.kind, **({".cut": cut} if cut else {})}
    context = {
        "found": found,
        "keys": tuple(_written(store, one) for one in found.keys),
        "places": places,
        "image": link(store.layout, image, {}, {**_cut(cut), "size": THUMBNAIL}),
        "whole": link(store.layout, image, {}, _cut(cut)),
        "file": f"{found.path.replace('/', '_')}{f'_{cut}' if cut else ''}.png".replace(":", ""),
        "run_page": link(store.layout, "/run", _run(store, found)),
        "compare": link(store.layout, "/compare", key.values, {".cut": cut} if cut else {}),
        "neuroglancer": link(store.layout, "/neuroglancer", key.values, own),
        "attributes": tree(found.attributes or {}),
        "index": INDEX,
    }
    return page(store, "array.html", context)


def _run(store: Store, found: Described) -> dict[str, Value | None]:
    by = arrangement(store.layout).by
    return {} if by is None else {by: found.run}


def _cut(cut: str) -> dict[str, object]:
    return {"cut": cut} if cut else {}


def _written(store: Store, key: Key) -> tuple[str, tuple[tuple[str, str], ...]]:
    """Return a key as its kind and its fields' names and values, which are texts."""
    return key.kind, tuple((name, text_of(store.layout, name, value)) for name, value in key.values.items())


def _places(found: Described, texts: Sequence[str]) -> tuple[Place, ...]:
    """Return where the picture is: in the middle, on channel 0, unless it is said."""
    free = [axis for axis in found.axes if axis.role != "plane"] if 0 not in found.shape else []
    if texts and len(texts) != len(free):
        raise BadRequestError(f"`{INDEX}` is given {len(texts)} times; {found.path!r} takes it {len(free)} times")
    if not texts:
        return tuple(Place(axis, 0 if axis.role == "channel" else axis.size // 2) for axis in free)
    return tuple(Place(axis, _index(axis, text)) for axis, text in zip(free, texts, strict=True))


def _index(axis: Axis, text: str) -> int:
    is_whole = text.isascii() and text.isdigit() and len(text) < MAX_TEXT
    if not is_whole or int(text) >= axis.size:
        shown = f"{text[:20]!r}"
        raise BadRequestError(
            f"`{INDEX}` does not take {shown} for {axis.name}; it takes a number from 0 to {axis.size - 1}"
        )
    return int(text)


# --- attributes ------------------------------------------------------------------------------------------------------


def tree(attributes: Mapping[str, Any]) -> tuple[Node, ...]:
    """Return attributes as they are shown; of very many, the first ones."""
    return _Drawing().parts(attributes, 1)


class _Drawing:
    """Attributes may be as large as anybody likes."""

    def __init__(self) -> None:
        self._left = MAX_NODES

    def parts(self, attributes: Mapping[str, Any] | Sequence[Any], depth: int) -> tuple[Node, ...]:
        """Return the parts of a mapping or a list."""
        pairs = attributes.items() if isinstance(attributes, Mapping) else enumerate(attributes)
        return tuple(self._node(printable(str(name))[:MAX_TEXT], value, depth) for name, value in self._first(pairs))

    def _first(self, pairs: Any) -> Iterator[tuple[Any, Any]]:
        for pair in islice(pairs, MAX_ITEMS):
            if self._left <= 0:
                return
            self._left -= 1
            yield pair

    def _node(self, name: str, value: Any, depth: int) -> Node:
        if not isinstance(value, Mapping | list | tuple):
            text = printable(value) if isinstance(value, str) else _json(value)
            return Node(name, f"{text[:MAX_TEXT]}{'…' * (len(text) > MAX_TEXT)}", type(value).__name__)
        if _is_short(value):
            return Node(name, f"[{', '.join(map(_json, value))}]", "list")
        parts = self.parts(value, depth + 1) if depth < MAX_DEPTH else ()
        return Node(name, "", "mapping" if isinstance(value, Mapping) else "list", parts, len(value) - len(parts))


MAX_SHORT = 12
MAX_WORD = 16


def _is_short(value: Mapping[str, Any] | Sequence[Any]) -> bool:
    """Whether something is a short list without parts of its own, which is read best in one line."""
    if isinstance(value, Mapping) or len(value) > MAX_SHORT:
        return False
    return all(len(one) <= MAX_WORD if isinstance(one, str) else not isinstance(one, Mapping | list) for one in value)


def _json(value: object) -> str:
    """Return a single value as JSON has it, and what JSON does not have as Python does."""
    return printable(json.dumps(value, ensure_ascii=False, default=str))
