"""Where every artifact of a machine-learning run lives: said once, in YAML.

    from zarrange import Store

    store = Store("runs", layout="training")
    where = store.identifier("validation_prediction", run="r1", iteration=1000, dataset="crop1")
    array = store.create(where, shape=(64, 64, 64), dtype="f4")

The names below are loaded when they are used first, so that `import zarrange` costs next to nothing.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from zarrange.converter import from_json, structure, to_json, unstructure
    from zarrange.diagnostics import Diagnostic, Severity, Span
    from zarrange.errors import LayoutError, StoreError, ZarrangeError
    from zarrange.identifiers import (
        ArrayIdentifier,
        ContainerIdentifier,
        FileIdentifier,
        GroupIdentifier,
        Identifier,
        Key,
    )
    from zarrange.language.filters import Filter
    from zarrange.language.layout import Layout
    from zarrange.stores.store import Store

__all__ = [
    "ArrayIdentifier",
    "ContainerIdentifier",
    "Diagnostic",
    "FileIdentifier",
    "Filter",
    "GroupIdentifier",
    "Identifier",
    "Key",
    "Layout",
    "LayoutError",
    "Severity",
    "Span",
    "Store",
    "StoreError",
    "ZarrangeError",
    "from_json",
    "structure",
    "to_json",
    "unstructure",
]

__version__ = "0.1.0"

_HOMES = {
    "ArrayIdentifier": "identifiers",
    "ContainerIdentifier": "identifiers",
    "Diagnostic": "diagnostics",
    "FileIdentifier": "identifiers",
    "Filter": "language.filters",
    "GroupIdentifier": "identifiers",
    "Identifier": "identifiers",
    "Key": "identifiers",
    "Layout": "language.layout",
    "LayoutError": "errors",
    "Severity": "diagnostics",
    "Span": "diagnostics",
    "Store": "stores.store",
    "StoreError": "errors",
    "ZarrangeError": "errors",
    "from_json": "converter",
    "structure": "converter",
    "to_json": "converter",
    "unstructure": "converter",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'zarrange' has no attribute {name!r}")
    from importlib import import_module

    value: object = getattr(import_module(f"zarrange.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
