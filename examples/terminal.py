"""What the example programs ask and show on a terminal: options, a progress bar, and a tree of what is on disk."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any, TypeAlias

import zarr
from rich.console import Console
from rich.progress import track
from rich.text import Text
from rich.tree import Tree

from zarrange import ContainerIdentifier
from zarrange.errors import AmbiguousPathError, NotInStoreError

if TYPE_CHECKING:
    from argparse import ArgumentParser
    from collections.abc import Iterable, Iterator

    from zarrange import Identifier, Key, Store


Node: TypeAlias = zarr.Group | zarr.Array[Any]

LONGEST_LINE = 1000


def add_options(parser: ArgumentParser) -> None:
    """Add the options that say what is run."""
    parser.add_argument("--run", default="coins", help="the run's name (default: coins)")
    parser.add_argument(
        "--iterations", type=_positive, default=200, metavar="N", help="train on N mini-batches (default: 200)"
    )
    parser.add_argument(
        "--every", type=_positive, default=50, metavar="N", help="validate after every N of them (default: 50)"
    )


def _positive(text: str) -> int:
    if (number := int(text)) < 1:
        raise ValueError(text)
    return number


_positive.__name__ = "positive number"  # argparse says so in its error


def steps(iterations: int) -> Iterable[int]:
    """Count from 1 to the last iteration; on a terminal, with a progress bar."""
    terminal = Console(stderr=True)
    return track(
        range(1, iterations + 1), "Training", console=terminal, transient=True, disable=not sys.stderr.isatty()
    )


def print_tree(store: Store, run: str) -> None:
    """Print what is on disk of a run: each container and array with what the layout says it is, and its attributes.

    Where a layout allows clashes, as DaCapo's does, a path may be of one kind `or` of another: all are named.
    """
    tree = Tree(_label(store.root, f"layout {store.layout.name}"))
    for container in _containers(store, run):
        branch = tree.add(_label(os.path.relpath(container.path, store.root), _kinds(store, container)))
        _grow(branch, store, container, zarr.open_group(container.path, mode="r"))
    # A long line leaves the screen to the right, or the terminal folds it: cut, a path or a score would be of no use.
    Console(width=LONGEST_LINE).print(tree)


def _containers(store: Store, run: str) -> Iterator[ContainerIdentifier]:
    kinds = [name for name, kind in store.layout.kinds.items() if kind.sort == "container"]
    for entry in store.find(kinds, run=run):
        if isinstance(entry.identifier, ContainerIdentifier):
            yield entry.identifier


def _grow(branch: Tree, store: Store, container: ContainerIdentifier, group: zarr.Group) -> None:
    members = [_unfolded(name, member) for name, member in sorted(group.members())]
    width = max((len(name) for name, member in members if isinstance(member, zarr.Array)), default=0)
    for name, member in members:
        if isinstance(member, zarr.Group):
            _grow(branch.add(_label(name)), store, container, member)
        else:
            kinds = _kinds(store, container.array_identifier(member.path))
            branch.add(_label(name.ljust(width), kinds, member))


def _unfolded(name: str, member: Node) -> tuple[str, Node]:
    """Go down where there is only one way: `best/dice/all` is one line, not three."""
    while isinstance(member, zarr.Group) and member.nmembers() == 1:
        [(inner, member)] = member.members()
        name = f"{name}/{inner}"
    return name, member


def _readings(store: Store, identifier: Identifier) -> tuple[Key, ...]:
    """Return what a path means: one key, several where the layout allows clashes, or none."""
    try:
        return (store.key(identifier),)
    except AmbiguousPathError as error:
        return error.keys
    except NotInStoreError:
        return ()


def _kinds(store: Store, identifier: Identifier) -> str:
    return " or ".join(sorted({key.kind for key in _readings(store, identifier)})) or "not of this layout"


def _label(name: str, about: str = "", array: zarr.Array[Any] | None = None) -> Text:
    label = Text(name, style="bold").append(f"  {about}" if about else "", style="not bold cyan")
    if array is not None:
        label.append(f"  {'x'.join(map(str, array.shape))} {array.dtype}", style="not bold dim")
        for attribute, value in array.attrs.items():
            shown = f"{value:.3f}" if isinstance(value, float) else value
            label.append(f"  {attribute} {shown}", style="not bold green")
    return label
