"""What a layout inherits from those that it extends, merged into one document; every piece keeps its place.

Mappings merge by key, anything else replaces, `null` takes away what was inherited. What a file calls itself and its
examples, which speak of the paths of the file that has them, are not inherited; accepted findings (`allow`) add up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zarrange.diagnostics import similar
from zarrange.language import faults
from zarrange.language.document import SECTIONS, Located

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from zarrange.diagnostics import Diagnostic
    from zarrange.language.source import KeyPath, Source

__all__ = ["merge"]


def merge(chain: Sequence[Source], report: Callable[[Diagnostic], None]) -> Located:
    """Return the data of a source with what it inherits from those that it extends (the furthest is last)."""
    merged = _own(chain[-1])
    for source in reversed(chain[:-1]):
        own = _own(source)
        if isinstance(merged.data, dict) and isinstance(own.data, dict):
            _check_taken_away(merged.data, own, report)
        merged = _merge(merged, own)
    return merged


def _check_taken_away(base: dict[str, Any], own: Located, report: Callable[[Diagnostic], None]) -> None:
    """Report entries that are to be taken away but were not inherited: most likely a slip of the pen."""
    for path in (*((section,) for section in SECTIONS), ("rules",), ("view",), ("view", "overlays")):
        entries, known = _mapping_at(own.data, path), _mapping_at(base, path)
        for name in [name for name, entry in entries.items() if entry is None]:
            if name not in known:
                message = f"`{name}` is not inherited, so it cannot be taken away"
                report(faults.unknown_key(message, own.key_span((*path, name)), similar(name, known, "entry")))


def _mapping_at(data: Any, path: KeyPath) -> dict[str, Any]:
    for key in path:
        data = data.get(key) if isinstance(data, dict) else None
    return data if isinstance(data, dict) else {}


def _own(source: Source) -> Located:
    origins: dict[KeyPath, tuple[Source, KeyPath]] = {}
    _record(source.data, (), (), source, origins)
    return Located(source.data, origins)


def _record(data: Any, path: KeyPath, there: KeyPath, source: Source, origins: dict[Any, Any]) -> None:
    origins[path] = (source, there)
    items = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, value in items:
        _record(value, (*path, key), (*there, key), source, origins)


def _merge(base: Located, own: Located) -> Located:
    source = own.origins[()][0]
    if not isinstance(base.data, dict) or not isinstance(own.data, dict):
        return own if isinstance(base.data, dict) else base  # whichever is wrong
    origins = {path: origin for path, origin in base.origins.items() if not _is_of_the_file_alone(path)}
    origins.update(own.origins)
    data = _merged(_inheritable(base.data, ()), own.data)
    data.pop("extends", None)
    # A version is not inherited, and what is wrong with a base is wrong, whatever the layout on top of it says.
    for key, is_fine in (
        ("zarrange", base.data.get("zarrange") == 1),
        ("extends", isinstance(base.data.get("extends"), str)),
    ):
        if key in base.data and not is_fine:
            data[key], origins[key,] = base.data[key], base.origins[key,]
    if isinstance(base.data.get("allow"), list) and isinstance(own.data.get("allow"), list):
        data["allow"] = [*base.data["allow"], *own.data["allow"]]
        origins.update({path: origin for path, origin in base.origins.items() if path[:1] == ("allow",) and path[1:]})
        for at, item in enumerate(own.data["allow"]):
            _record(item, ("allow", len(base.data["allow"]) + at), ("allow", at), source, origins)
    return Located(data, origins)


def _inheritable(data: Any, path: KeyPath) -> Any:
    if not isinstance(data, dict) or len(path) > 2:  # noqa: PLR2004 - below the key of an entry all is inherited
        return data
    return {
        key: _inheritable(value, (*path, key)) for key, value in data.items() if not _is_of_the_file_alone((*path, key))
    }


def _is_of_the_file_alone(path: KeyPath) -> bool:
    """Whether what is at `path` speaks of the file that it stands in, and of no layout that extends it."""
    if path[:1] and path[0] in SECTIONS:
        return path[2:3] == ("examples",)
    return path[:1] in {("zarrange",), ("name",), ("doc",), ("extends",)} or path == ("view", "title")


def _merged(base: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    result = dict(base)
    for key, value in own.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, dict):
            inherited = result.get(key)
            result[key] = _merged(inherited if isinstance(inherited, dict) else {}, value)
        else:
            result[key] = value
    return result
