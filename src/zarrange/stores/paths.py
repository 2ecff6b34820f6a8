"""Paths of a store: relative to its root, which is `""`, with `/` between segments."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["above", "joined", "ordered_by"]


def joined(path: str, name: str) -> str:
    """Return the path of a name in a folder."""
    return f"{path}/{name}" if path else name


def above(path: str) -> Iterator[str]:
    """Yield the folders above a path, the nearest first; the root is the last."""
    while path:
        path = path.rpartition("/")[0]
        yield path


def ordered_by(path: str, *, is_file: bool) -> str:
    """Return what paths are ordered by, as keys of object stores are: a folder's as if its name ended with `/`."""
    return path if is_file else f"{path}/"
