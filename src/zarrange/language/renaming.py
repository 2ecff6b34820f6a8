"""Renaming: which name of one layout becomes which of another, and what a layout cannot say of it.

What is given are names, each with what it was called before (or `None`). A renaming counts where one side says it and
the other has the old name, in both directions: what moved to the new names can move back. One that both sides say
was done before either, and is over. Everything else keeps its name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import frozen

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["Contradiction", "contradictions", "successors"]


@frozen
class Contradiction:
    """What is wrong with the renaming of `name`: `other` is the name that it contradicts, `label` what that is."""

    name: str
    message: str
    help: str
    other: str | None = None
    label: str = ""


def contradictions(names: Mapping[str, str | None]) -> Iterator[Contradiction]:
    """Yield what is wrong with the renamings that one layout declares."""
    first: dict[str, str] = {}
    for name, before in names.items():
        if before is None:
            continue
        if before == name:
            yield Contradiction(name, f"`{name}` is renamed from itself", "leave `renamed_from` out")
        elif before in first:
            message = f"`{first[before]}` and `{name}` are both renamed from `{before}`"
            yield Contradiction(name, message, "take one of them out", first[before], "the first one")
        elif before in names and names[before] is None:
            message = f"`{name}` is renamed from `{before}`, which is still declared"
            advice = f"take `{before}` out, or say what it was renamed from itself"
            yield Contradiction(name, message, advice, before, "declared here")
        first.setdefault(before, name)


def successors(
    source: Mapping[str, str | None], target: Mapping[str, str | None], *, may_merge: bool = False
) -> dict[str, str]:
    """Return which name of `source` becomes which of `target`; those that become none are left out.

    A name that the target has for something else is free only if names `may_merge`.
    """
    forward = {old: new for new, old in target.items() if old is not None and old in source and source.get(new) != old}
    found = {**_backward(source, target, forward), **forward}
    taken = set(found.values())
    for name in source:
        if name not in found and name in target and (may_merge or name not in taken):
            found[name] = name
    return {name: found[name] for name in source if name in found}


def _backward(
    source: Mapping[str, str | None], target: Mapping[str, str | None], forward: Mapping[str, str]
) -> dict[str, str]:
    """Return the renamings of the source that are taken back."""
    found = {
        new: old
        for new, old in source.items()
        if old is not None and old in target and target.get(new) != old
        if new not in forward and old not in forward.values()
    }
    # A name that the target has as well is the same thing there, unless something else goes by it.
    while stays := [name for name in found if name in target and name not in {*found.values(), *forward.values()}]:
        for name in stays:
            del found[name]
    return found
