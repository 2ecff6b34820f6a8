"""The one cattrs converter: identifiers, keys and layout documents to and from JSON-ready data.

It is strict: `"7"` is not 7, 1 is not `True`, a key that no class has is refused. Every problem is reported, each
with its path (`$.identifiers[2].dataset`). Identifiers and keys carry a tag, `{"type": "array", …}`, so that a list
may mix them; dates are written `{"date": "2026-01-31"}`, for JSON has none.
"""

from __future__ import annotations

import datetime
import json
import math
from itertools import islice
from types import UnionType
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypeVar, Union, get_args, get_origin

import attrs
from cattrs import Converter, override
from cattrs.cols import is_mapping, is_sequence, list_structure_factory, mapping_structure_factory
from cattrs.errors import (
    ClassValidationError,
    ForbiddenExtraKeysError,
    IterableValidationError,
    StructureHandlerNotFoundError,
)
from cattrs.gen import make_dict_structure_fn, make_dict_unstructure_fn

from zarrange.diagnostics import MAX_FINDINGS as MAX_PROBLEMS, shown, similar
from zarrange.errors import StructureError
from zarrange.identifiers import (
    ArrayIdentifier,
    ContainerIdentifier,
    FileIdentifier,
    GroupIdentifier,
    Key,
    Value,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

__all__ = ["Problem", "converter", "from_json", "structure", "to_json", "unstructure", "version_of"]

T = TypeVar("T")
KeyPath = tuple[str | int, ...]

TAGS: dict[str, type] = {
    "array": ArrayIdentifier,
    "container": ContainerIdentifier,
    "file": FileIdentifier,
    "group": GroupIdentifier,
    "key": Key,
}


@attrs.frozen
class Problem:
    """One thing that is wrong with a piece of data. `rule` is `unknown-key`, `missing-key` or `wrong-type`."""

    path: KeyPath
    rule: str
    message: str
    help: str | None = None

    @property
    def location(self) -> str:
        """The path as text: `$.identifiers[2].dataset`."""
        return "$" + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in self.path)

    def __str__(self) -> str:
        return f"{self.location}: {self.message}" + (f" ({self.help})" if self.help else "")


class _Mismatch(ValueError):  # noqa: N818 - never leaves this module
    """What a hook found, for `_problems` to place."""

    def __init__(self, message: str, instead: str | None = None, rule: str = "wrong-type") -> None:
        super().__init__(message)
        self.instead = instead
        self.rule = rule


def unstructure(value: object) -> Any:
    """Return JSON-ready data for `value`: an identifier, a key, or whatever attrs class or collection holds them."""
    return converter.unstructure(value)


def structure(data: object, target: type[T]) -> T:
    """Return `data` as a `target`, which may be a union such as `Identifier`.

    Raises `StructureError`, which carries every problem with its path.
    """
    try:
        return converter.structure(data, target)
    except StructureHandlerNotFoundError:
        raise
    except Exception as error:  # noqa: BLE001 - of cattrs, and told in words of our own
        problems = tuple(islice(_problems(error, ()), MAX_PROBLEMS))
    # Raised out here, it has no cause: those of cattrs cannot be unpickled, and some executors send causes along.
    raise StructureError(problems)


def to_json(value: object) -> str:
    """Return `value` as a JSON text of one line; equal values give equal texts."""
    return json.dumps(unstructure(value), ensure_ascii=False, allow_nan=False, sort_keys=True)


def from_json(text: str | bytes, target: type[T]) -> T:
    """Return what `to_json` wrote. Raises `StructureError`, also for text that is not JSON."""
    try:
        data = json.loads(text, parse_constant=_no_constant, object_pairs_hook=_no_duplicates)
    except (ValueError, RecursionError) as error:
        raise StructureError((Problem((), "wrong-type", f"not JSON: {error}"),)) from error
    return structure(data, target)


def version_of(text: str | bytes) -> int | None:
    """Return the version that a document says, `None` where it says none: a newer one may have anything else."""
    try:
        version = json.loads(text).get("zarrange")
    except (ValueError, RecursionError, AttributeError):
        return None
    return version if type(version) is int else None


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not a JSON value")


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    data = dict(pairs)
    if len(data) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"the key {next(name for name in names if names.count(name) > 1)!r} stands twice")
    return data


def _problems(error: BaseException, path: KeyPath) -> Iterator[Problem]:
    """Flatten what cattrs raised into problems with their paths."""
    if isinstance(error, ClassValidationError | IterableValidationError):
        located, others = error.group_exceptions()
        for inner, note in located:
            step: str | int = getattr(note, "index" if isinstance(error, IterableValidationError) else "name")
            if isinstance(inner, KeyError) and isinstance(error, ClassValidationError):
                yield Problem(path, "missing-key", f"`{step}` is missing")
            else:
                yield from _problems(inner, (*path, step))
        for inner in others:
            yield from _problems(inner, path)
    elif isinstance(error, ForbiddenExtraKeysError):
        known = [attribute.name for attribute in attrs.fields(error.cl)]
        for key in sorted(error.extra_fields, key=str):
            yield Problem((*path, key), "unknown-key", f"`{key}` is not a key here", similar(str(key), known, "key"))
    else:
        rule = getattr(error, "rule", "wrong-type")
        yield Problem(path, rule, str(error), getattr(error, "instead", None))


def describe(value: object) -> str:
    """Return what a piece of plain data is, in words that fit YAML and JSON alike."""
    names = {dict: "a mapping", list: "a list", str: "text", bool: "a truth value", type(None): "nothing"}
    if type(value) in names:
        return names[type(value)] if type(value) is not str else f"the text {shown(value, 60)}"
    return f"the number {shown(value, 60)}" if isinstance(value, int | float) else f"a {type(value).__name__}"


def _strict(expected: type, name: str) -> Callable[[Any, Any], Any]:
    def hook(value: object, _: object) -> object:
        if type(value) is not expected:
            raise _Mismatch(f"expected {name}, got {describe(value)}")
        return value

    return hook


def _number(value: object, _: object) -> object:
    if type(value) not in (int, float):
        raise _Mismatch(f"expected a number, got {describe(value)}")
    return value


_NAMES: dict[type, str] = {
    str: "text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    type(None): "nothing",
}


def _is_scalar_union(target: Any) -> bool:
    origin: Any = get_origin(target)
    return origin in (Union, UnionType) and set(get_args(target)) <= set(_NAMES)


def _read_scalar(value: object, target: Any) -> object:
    members = get_args(target)
    if type(value) in members or (type(value) is int and float in members):
        return value
    wanted = [_NAMES[one] for one in members if one is not type(None)]
    raise _Mismatch(f"expected {' or '.join(wanted)}, got {describe(value)}")


def _is_literal(target: Any) -> bool:
    origin: Any = get_origin(target)
    return origin is Literal


def _read_literal(value: object, target: Any) -> object:
    if any(value == one and type(value) is type(one) for one in get_args(target)):
        return value
    known = ", ".join(f"`{one}`" for one in get_args(target))
    raise _Mismatch(f"{describe(value)} is not one of {known}")


def _value_from_json(value: object, _: object) -> object:
    if isinstance(value, float) and not math.isfinite(value):
        raise _Mismatch(f"{value} is not a finite number")
    if type(value) in (str, int, bool, float):
        return value
    if isinstance(value, dict) and len(value) == 1:
        ((tag, text),) = value.items()
        readers = {"date": datetime.date.fromisoformat, "datetime": datetime.datetime.fromisoformat}
        if tag in readers and type(text) is str:
            try:
                read = readers[tag](text)
            except ValueError as error:
                raise _Mismatch(str(error)) from error
            if read.isoformat() == text:
                return read
            raise _Mismatch(f"{text!r} is not the ISO form of a {tag}, which is {read.isoformat()!r}")
    raise _Mismatch(
        f'expected text, a number, a truth value, {{"date": …}} or {{"datetime": …}}, got {describe(value)}'
    )


def _value_to_json(value: Value) -> object:
    if isinstance(value, datetime.datetime):
        return {"datetime": value.isoformat()}
    if isinstance(value, datetime.date):
        return {"date": value.isoformat()}
    return value


def _key_to_json(key: Key) -> dict[str, Any]:
    return {"kind": key.kind, "values": {name: _value_to_json(value) for name, value in key.values.items()}}


def _untagged(value: object, tags: Iterable[str]) -> tuple[str, dict[str, Any]]:
    """Take the tag off a mapping; it must be one of `tags`."""
    if not isinstance(value, dict):
        raise _Mismatch(f"expected a mapping with a `type`, got {describe(value)}")
    if "type" not in value:
        raise _Mismatch("`type` is missing", f"known: {', '.join(tags)}", "missing-key")
    tag = value["type"]
    if type(tag) is not str or tag not in tags:
        raise _Mismatch(f"`type` is {describe(tag)}", similar(str(tag), tags, "type"))
    return tag, {key: item for key, item in value.items() if key != "type"}


def _is_tagged_union(target: Any) -> bool:
    members = get_args(target)
    return len(members) > 1 and set(members) <= set(TAGS.values())


# --- hooks: what the converter does with each type -------------------------------------------------------------------

Hook: TypeAlias = "Callable[[Any, Any], Any]"


def _fill(target: Any) -> Hook:
    attrs.resolve_types(target, include_extras=False)
    validated = {
        attribute.name: override(struct_hook=_validated(target, attribute))
        for attribute in attrs.fields(target)
        if attribute.validator is not None
    }
    options: dict[str, Any] = {"_cattrs_forbid_extra_keys": True, "_cattrs_detailed_validation": True, **validated}
    return make_dict_structure_fn(target, converter, **options)


def _validated(target: Any, attribute: attrs.Attribute[Any]) -> Hook:
    """Run an attribute's validator where its value is structured, so that the refusal has the value's path."""
    validate: Any = attribute.validator
    blank = object.__new__(target)

    def hook(value: object, kind: Any) -> object:
        made = converter.structure(value, kind)
        validate(blank, attribute, made)
        return made

    return hook


def _checked(hook: Callable[[Any], Any], expected: type | UnionType, name: str) -> Hook:
    """A hook that refuses what is not of the expected type, before cattrs would iterate over it."""

    def checked(value: object, _: object) -> object:
        if not isinstance(value, expected):
            raise _Mismatch(f"expected {name}, got {describe(value)}")
        return hook(value)

    return checked


def _class_hook(target: type) -> Hook:
    fill = _fill(target)
    return _checked(lambda value: fill(value, target), dict, "a mapping")


def _mapping_hook(target: Any) -> Hook:
    fill: Callable[[Any], Any] = mapping_structure_factory(target, converter)
    return _checked(fill, dict, "a mapping")


def _list_hook(target: Any) -> Hook:
    fill = list_structure_factory(target, converter)
    finish = tuple if get_origin(target) is tuple else list
    # Text is iterable, but it is not a list of characters.
    return _checked(lambda value: finish(fill(value, target)), list | tuple, "a list")


def _union_hook(target: Any) -> Hook:
    tags = [tag for tag, cls in TAGS.items() if cls in get_args(target)]
    return lambda value, _: converter.structure(value, TAGS[_untagged(value, tags)[0]])


def _tag_class(tag: str, cls: type, write: Callable[[Any], Any]) -> None:
    fill = _fill(cls)
    converter.register_unstructure_hook(cls, lambda instance: {"type": tag, **write(instance)})
    converter.register_structure_hook(cls, lambda value, _: fill(_untagged(value, [tag])[1], cls))


converter = Converter(forbid_extra_keys=True, detailed_validation=True)
"""Strict both ways; `structure` and `unstructure` are its public face."""

for _type in (str, int, bool):
    converter.register_structure_hook(_type, _strict(_type, _NAMES[_type]))
converter.register_structure_hook(float, _number)
converter.register_structure_hook_func(_is_scalar_union, _read_scalar)
converter.register_structure_hook_func(_is_literal, _read_literal)
converter.register_structure_hook(Value, _value_from_json)
converter.register_structure_hook_factory(attrs.has, _class_hook)
converter.register_structure_hook_factory(is_sequence, _list_hook)
converter.register_structure_hook_factory(is_mapping, _mapping_hook)
converter.register_structure_hook_factory(_is_tagged_union, _union_hook)
for _name, _class in TAGS.items():
    _tag_class(_name, _class, _key_to_json if _class is Key else make_dict_unstructure_fn(_class, converter))
