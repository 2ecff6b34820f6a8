"""JSON Schema of the layout format, for editors: made from the classes that a layout file is structured into.

A layout with `extends` has definitions of its own (`Extending…`), for a schema cannot see the other file: what an
entry requires may be inherited, and `null`, which takes away what is inherited, may stand for any entry and any key
that has a default. Without `extends` there is nothing to take away, and loading refuses both. What a schema cannot say
is left to loading: templates, regular expressions, names that lead nowhere, limits that contradict each other.
"""

from __future__ import annotations

import copy
import re
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import attrs

from zarrange.language.assembly import FORMAT
from zarrange.language.charsets import CHARSETS
from zarrange.language.check import ALLOWABLE, RULES
from zarrange.language.declarations import make_field
from zarrange.language.document import BESIDE, AllowSpec, Document
from zarrange.language.fields import FIELD_TYPES, Field, FieldSpec, Misfit, StrField
from zarrange.language.shipped import shipped_layouts

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["layout_schema"]

Schema = dict[str, Any]

_TYPES = {str: "string", int: "integer", float: "number", bool: "boolean"}
_SAMPLES = {
    "string": ("a", "2026-01-31", "2026-01-31T10:00:00", "2026-01-31T10:00:00.000001"),
    "integer": (1,),
    "number": (0.5,),
    "boolean": (True,),
}
"""What a field takes out of YAML is found out by asking it."""


def layout_schema() -> dict[str, Any]:
    """Return the JSON Schema of layout files, draft 2020-12; JSON-ready, and new each time."""
    definitions: dict[str, Schema] = {}
    whole = _Walk(definitions, is_extending=False).reference(Document)
    extending = _Walk(definitions, is_extending=True).reference(Document)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:zarrange:layout:{FORMAT}",
        "title": "zarrange layout",
        "description": "Where every artifact of a training run lives: fields, kinds, and a path template for each.",
        "if": {"properties": {"extends": {"type": "string"}}, "required": ["extends"]},
        "then": extending,
        "else": whole,
        "$defs": definitions,
    }


class _Walk:
    """Turns types into schemas; classes, and what has a title, into definitions that are referred to."""

    def __init__(self, definitions: dict[str, Schema], *, is_extending: bool) -> None:
        self.definitions = definitions
        self.is_extending = is_extending

    def reference(self, cls: type[attrs.AttrsInstance]) -> Schema:
        """Return a reference to the definition of a class, which is made if there is none yet."""
        name = f"Extending{cls.__name__}" if self.is_extending else cls.__name__
        if name not in self.definitions:
            self.definitions[name] = {}  # keeps the place before the classes that this one uses
            self.definitions[name] = self._class(cls)
        return {"$ref": f"#/$defs/{name}"}

    def _class(self, cls: type[attrs.AttrsInstance]) -> Schema:
        attributes = attrs.fields(cls)
        types = get_type_hints(cls, include_extras=True)
        required = [one.name for one in attributes if one.default is attrs.NOTHING]
        return {
            "description": _summary(cls),
            "type": "object",
            "properties": {one.name: self._attribute(cls, one, types[one.name]) for one in attributes},
            **({} if self.is_extending and cls is not Document else {"required": required}),
            "additionalProperties": False,
            **({"allOf": [self._settings(*one) for one in FIELD_TYPES.items()]} if cls is FieldSpec else {}),
        }

    def _attribute(self, cls: type, attribute: attrs.Attribute[Any], target: Any) -> Schema:
        schema = _with_what_is_known_above(cls, attribute.name, self.schema(target))
        return _or_null(schema) if self.is_extending and attribute.default is not attrs.NOTHING else schema

    def schema(self, target: Any) -> Schema:
        """Return what values of a type look like in a layout file."""
        origin, arguments = get_origin(target), get_args(target)
        if origin is Annotated:
            return self._annotated(*arguments)
        if origin is Literal:
            return {"enum": list(arguments)}
        if origin is dict:
            return self._mapping(*map(self.schema, arguments))
        if origin is tuple:
            # Lists are replaced, not merged: what stands in one is never inherited.
            return {"type": "array", "items": _Walk(self.definitions, is_extending=False).schema(arguments[0])}
        if origin in (Union, UnionType):
            return self._union(arguments)
        return self.reference(target) if attrs.has(target) else {"type": _TYPES[target]}

    def _annotated(self, target: Any, *notes: Any) -> Schema:
        texts = [one for one in notes if isinstance(one, str)]
        schema = {"description": " ".join(texts), **self.schema(target)}
        for note in notes:
            schema |= {} if isinstance(note, str) else copy.deepcopy(note.keywords)
        if "title" not in schema:
            return schema
        self.definitions[schema["title"]] = schema
        return {"$ref": f"#/$defs/{schema['title']}"}

    def _mapping(self, names: Schema, values: Schema) -> Schema:
        return {
            "type": "object",
            **({} if names == {"type": "string"} else {"propertyNames": names}),
            "additionalProperties": _or_null(values) if self.is_extending else values,
        }

    def _union(self, members: tuple[Any, ...]) -> Schema:
        schemas = [self.schema(one) for one in members if one is not NoneType]
        schema = schemas[0] if len(schemas) == 1 else _scalar([one["type"] for one in schemas])
        return _or_null(schema) if NoneType in members else schema

    def _settings(self, name: str, cls: type[Field]) -> Schema:
        """Return that a field of one type has only what means something for it."""
        self.definitions[cls.__name__] = {"description": _summary(cls), "properties": _settings(name, cls)}
        is_it = {"properties": {"type": {"const": name}}, "required": ["type"]}
        return {"if": is_it, "then": {"$ref": f"#/$defs/{cls.__name__}"}}


def _with_what_is_known_above(cls: type, name: str, schema: Schema) -> Schema:
    """Add to an attribute what the modules that use it know of it."""
    match cls.__name__, name:
        case Document.__name__, "zarrange":
            return {**schema, "const": FORMAT}
        case Document.__name__, "extends":
            return {**schema, "anyOf": [{"enum": sorted(shipped_layouts())}, {"pattern": f"^{BESIDE}$"}]}
        case Document.__name__, "rules":
            return _rules(schema)
        case AllowSpec.__name__, "rule":
            return {**schema, "enum": list(ALLOWABLE)}
        case FieldSpec.__name__, "type":
            known = {name: _summary(one) for name, one in FIELD_TYPES.items()}
            return {**schema, "description": _listed(schema, known), "enum": list(known)}
        case FieldSpec.__name__, "charset":
            return {**schema, "description": _listed(schema, {one.name: f"{one.fits}." for one in CHARSETS.values()})}
    return schema


def _rules(schema: Schema) -> Schema:
    """Name the rules one by one, each with what it finds."""
    level = schema["additionalProperties"]
    rules = {
        name: {"description": _summary(rule.find), "default": rule.severity.value, **level}
        for name, rule in sorted(RULES.items())
    }
    return {**schema, "properties": rules, "additionalProperties": False}


def _settings(name: str, cls: type[Field]) -> Schema:
    """Return what holds of the other keys of a field of one type."""
    value = _value(cls(name, FieldSpec(name)))
    known = frozenset[str]().union(*(one.settings for one in FIELD_TYPES.values()))
    properties: Schema = {"choices": {"items": value}}
    for attribute in attrs.fields(FieldSpec):
        if attribute.name in known - cls.settings:
            # Given as its default it is not there; `null` takes away that of another type.
            unset = list(attribute.default) if attribute.default == () else attribute.default
            properties[attribute.name] = {"enum": [unset] if unset is None else [unset, None]}
    if "min" in cls.settings:
        properties |= {"min": _or_null(value), "max": _or_null(value)}
    if "charset" in cls.settings:
        specs = [FieldSpec(name, charset=one) for one in CHARSETS]  # type: ignore[arg-type]  # a test holds them to it
        fitting = [one.charset for one in specs if make_field("", one)[0]]
        properties |= {"charset": {"enum": [*fitting, None]}} if len(fitting) < len(specs) else {}
    return properties


def _value(field: Field) -> Schema:
    """Return what a scalar must be so that a field may take it."""
    taken = {name: [one for one in samples if _takes(field, one)] for name, samples in _SAMPLES.items()}
    schema = _scalar([name for name, samples in taken.items() if samples])
    if schema["type"] == "string" and not isinstance(field, StrField):
        return {**schema, "pattern": f"^(?:{'|'.join(map(_shape, taken['string']))})$"}
    return schema


def _takes(field: Field, sample: object) -> bool:
    try:
        field.from_yaml(sample)
    except Misfit:
        return False
    return True


def _shape(sample: object) -> str:
    """Return a pattern of texts that differ from a sample in their digits alone."""
    return re.sub("[0-9]+", lambda digits: f"[0-9]{{{len(digits[0])}}}", str(sample).replace(".", "[.]"))


def _scalar(types: list[str]) -> Schema:
    """Return a schema of scalars; a whole number is a number."""
    types = [one for one in types if one != "integer" or "number" not in types]
    return {"type": types[0] if len(types) == 1 else types}


def _or_null(schema: Schema) -> Schema:
    """Return a schema that takes `null` as well."""
    if "enum" in schema:
        return {**schema, "enum": [*schema["enum"], *([] if None in schema["enum"] else [None])]}
    if {"type": "null"} in schema.get("anyOf", ()):
        return schema
    if "type" not in schema:
        return {"anyOf": [schema, {"type": "null"}]}
    types = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    return {**schema, "type": [*types, *([] if "null" in types else ["null"])]}


def _listed(schema: Schema, meanings: Mapping[str, str]) -> str:
    """Return a description with what each choice means below it."""
    return "\n".join([schema["description"], *(f"- `{name}`: {meaning}" for name, meaning in meanings.items())])


def _summary(documented: object) -> str:
    """Return the first line of what the code says of itself."""
    return (documented.__doc__ or "").partition("\n")[0]
