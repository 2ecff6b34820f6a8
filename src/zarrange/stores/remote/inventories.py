"""Inventories: what there was to take when a transaction began, object by object, kept beside what it has taken.

The metadata of nodes are kept in it; of all else, the inventory has the paths, and by what a store tells whether an
object is still the same. It names nothing that lies elsewhere than in the places which the transaction's intent names.
"""

from __future__ import annotations

import errno
from base64 import b64decode, b64encode
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from attrs import field, frozen

from zarrange.errors import DamagedError, NotFoundError, NotInStoreError
from zarrange.stores.metadata import LEFTOVER, METADATA, NODE_METADATA, is_chunk_like, parse_type
from zarrange.stores.paths import above, joined
from zarrange.stores.remote.connection import is_proper
from zarrange.stores.remote.copying import Stamp, stamp, stamps
from zarrange.stores.remote.tombstones import VERSION, dumped, parsed, place_of, read

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from concurrent.futures import Executor

    from zarrange.stores.remote.objects import Objects
    from zarrange.stores.transactions import Intent, Move

__all__ = [
    "Copied",
    "Inventory",
    "Kept",
    "arrays",
    "aside_of",
    "is_maker",
    "is_part",
    "load",
    "path_of",
    "save",
    "source_of",
    "survey",
    "target_of",
]

NAME = "inventory.json"


def _inner(_: object, __: object, path: str) -> None:
    if path and not is_proper(path):
        raise ValueError(f"{path!r} leads out of the place that it is in")


def _all_inner(_: object, __: object, paths: tuple[str, ...]) -> None:
    for path in paths:
        if not is_proper(path):
            raise ValueError(f"{path!r} leads out of the place that it is in")


@frozen
class Kept:
    """A file of metadata: which move takes it, its path below the move's source (or `""`), its content as base64."""

    move: int
    path: str = field(validator=_inner)
    content: str

    @property
    def data(self) -> bytes:
        """The content."""
        return b64decode(self.content)


@frozen
class Copied:
    """Another object that a move takes: as `Kept`, and its stamp at that time."""

    move: int
    path: str = field(validator=_inner)
    mark: str


@frozen
class Rest:
    """A folder that is to be deleted, and the objects in it, relative to it, but for those that moves take."""

    path: str
    keys: tuple[str, ...] = field(validator=_all_inner)


@frozen
class Inventory:
    """All that a transaction takes or deletes."""

    zarrange: int
    kept: tuple[Kept, ...]
    copied: tuple[Copied, ...]
    rests: tuple[Rest, ...]


# --- making one ------------------------------------------------------------------------------------------------------


def survey(objects: Objects, intent: Intent, pool: Executor) -> tuple[Inventory, dict[str, Stamp]]:
    """Return what there is to take, with the stamps of what is to be copied.

    Raises `NotFoundError`, and `NotInStoreError` for what would be lost that is not part of what is to go.
    """
    taken: dict[str, tuple[int, Stamp | None]] = {}
    for number, found in enumerate(pool.map(partial(_below, objects), intent.moves)):
        taken |= {path: (number, one) for path, one in found.items() if path not in taken}
    metadata = [path for path in taken if _name(path) in METADATA]
    contents = dict(zip(metadata, pool.map(lambda path: _content(objects, path), metadata), strict=True))
    kept = [
        Kept(number, _inside(path, intent.moves[number].source), b64encode(contents[path]).decode())
        for path, (number, _) in taken.items()
        if path in contents
    ]
    found_stamps = {path: one for path, (_, one) in taken.items() if one is not None and path not in contents}
    copied = [
        Copied(taken[path][0], _inside(path, intent.moves[taken[path][0]].source), one.mark)
        for path, one in found_stamps.items()
    ]
    rests = tuple(pool.map(lambda rest: _rest(objects, intent, rest, taken.keys()), outermost(intent.rests)))
    return Inventory(VERSION, tuple(kept), tuple(copied), rests), found_stamps


def _below(objects: Objects, move: Move) -> dict[str, Stamp | None]:
    """What a move takes. The metadata of nodes are not asked for here: they are read."""
    found: dict[str, Stamp | None] = {}
    if move.is_folder:
        found |= stamps(objects, move.source)
    elif _name(move.source) in METADATA:
        found[move.source] = None
    elif (one := stamp(objects, move.source)) is not None:
        found[move.source] = one
    if not found:
        raise NotFoundError(errno.ENOENT, "nothing is there", objects.url(move.source))
    return found


def _content(objects: Objects, path: str) -> bytes:
    found = objects.told(path, objects.content, path)
    if found is None:
        raise NotFoundError(errno.ENOENT, "nothing is there", objects.url(path))
    return found


def _rest(objects: Objects, intent: Intent, rest: str, taken: Collection[str]) -> Rest:
    keys = [key for key in objects.told(rest, lambda: [*objects.keys(rest)]) if key not in taken]
    inner = [key[len(rest) + 1 :] for key in keys]
    for path in inner:
        folder, _, name = path.rpartition("/")
        if name in NODE_METADATA:
            raise NotInStoreError(f"{folder or rest!r} inside is another zarr node; it would be lost with it")
        if not intent.is_recursive and not is_part(path) and name not in METADATA:
            raise NotInStoreError(f"{path.partition('/')[0]!r} in {rest!r} is not part of the array; it would be lost")
    return Rest(rest, tuple(inner))


def is_part(path: str) -> bool:
    """Return whether a path in the folder of an array is a chunk's, or that of one that was not written to its end."""
    first, _, more = path.partition("/")
    return is_chunk_like(first) is not None or (not more and first.endswith(LEFTOVER))


def outermost(folders: tuple[str, ...]) -> list[str]:
    """Return the folders that are in none of the others."""
    known = frozenset(folders)
    return [folder for folder in dict.fromkeys(folders) if not any(one in known for one in above(folder))]


def _inside(path: str, folder: str) -> str:
    return path[len(folder) + 1 :]


def _name(path: str) -> str:
    return path.rpartition("/")[2]


# --- keeping it ------------------------------------------------------------------------------------------------------


def path_of(intent: Intent, name: str) -> str:
    """Return where the inventory of a transaction is."""
    return joined(place_of(intent, name), NAME)


def save(objects: Objects, intent: Intent, name: str, inventory: Inventory) -> None:
    """Write an inventory."""
    path = path_of(intent, name)
    objects.replace(path, dumped(inventory, objects.url(path)))


def load(objects: Objects, intent: Intent, name: str) -> Inventory | None:
    """Return the inventory of a transaction, `None` where there is none. Raises `StoreError`."""
    path = path_of(intent, name)
    found = read(objects, path)
    if found is None:
        return None
    inventory = parsed(found[0], Inventory, objects.url(path))
    for problem in _problems(inventory, intent):
        raise DamagedError(f"{objects.url(path)!r} is damaged: {problem}")
    return inventory


def _problems(inventory: Inventory, intent: Intent) -> Iterator[str]:
    everything: list[Kept | Copied] = [*inventory.kept, *inventory.copied]
    for one in everything:
        if not 0 <= one.move < len(intent.moves):
            yield f"there is no move {one.move}"
        elif bool(one.path) is not intent.moves[one.move].is_folder:
            yield f"{one.path!r} is nothing that the move {one.move} takes"
    for kept in inventory.kept:
        if _name(source_of(intent, kept)) not in METADATA:
            yield f"{kept.path!r} is no metadata"
        with suppress(ValueError):
            b64decode(kept.content, validate=True)
            continue
        yield f"the content of {kept.path!r} is not base64"
    allowed = frozenset(intent.rests)
    for rest in inventory.rests:
        if rest.path not in allowed:
            yield f"{rest.path!r} is not to be deleted"


# --- where it all is -------------------------------------------------------------------------------------------------


def source_of(intent: Intent, one: Kept | Copied) -> str:
    """Return where something was."""
    return _at(intent.moves[one.move].source, one.path)


def target_of(intent: Intent, one: Kept | Copied) -> str:
    """Return where something is to go."""
    move = intent.moves[one.move]
    return _at(move.source if move.target is None else move.target, one.path)


def aside_of(intent: Intent, name: str, one: Copied) -> str:
    """Return where something is while it is on its way, or in the trash."""
    return _at(f"{place_of(intent, name)}/{one.move}", one.path)


def _at(root: str, path: str) -> str:
    return f"{root}/{path}" if path else root


def is_maker(path: str) -> bool:
    """Return whether a path is that of metadata that make its folder a node."""
    return _name(path) in NODE_METADATA


def arrays(inventory: Inventory, intent: Intent) -> frozenset[str]:
    """Return the folders that were arrays, by the metadata that are kept."""
    found = set()
    for one in inventory.kept:
        folder, _, name = source_of(intent, one).rpartition("/")
        with suppress(DamagedError):
            if name in NODE_METADATA and parse_type(name, one.data) == "array":
                found.add(folder)
    return frozenset(found)
