"""Seal: the mark of an array that says whether all of it was written.

It is an attribute, `{"zarrange": {"complete": true}}`, so that it goes where the array goes. An array without it was
not written this way; nothing is known of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zarrange.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["SEAL", "is_complete", "mark", "marked"]

SEAL = "zarrange"


def marked(attributes: Mapping[str, Any] | None, *, is_complete: bool) -> dict[str, Any]:
    """Return attributes with the mark added. Raises `ValueError` where they have something of that name."""
    if attributes and SEAL in attributes:
        raise ValueError(f"the attribute `{SEAL}` is where a sealed array keeps its mark; give it another name")
    return {**(attributes or {}), SEAL: {"complete": is_complete}}


def mark(array: Any, *, is_complete: bool) -> None:
    """Mark an open `zarr.Array`. Raises `StoreError` where it has something else of that name."""
    attributes = array.attrs.asdict()
    if SEAL in attributes and attributes[SEAL] not in ({"complete": False}, {"complete": True}):
        raise StoreError(f"the array {array.name!r} has an attribute `{SEAL}` of its own, which the mark would replace")
    array.update_attributes({SEAL: {"complete": is_complete}})


def is_complete(attributes: Mapping[str, Any]) -> bool | None:
    """Return whether all of an array was written, by its attributes; `None` where they do not say."""
    found = attributes.get(SEAL)
    complete = found.get("complete") if isinstance(found, dict) else None
    return complete if isinstance(complete, bool) else None
