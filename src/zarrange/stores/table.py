"""Table: entries as a table of Arrow or pandas, one row an entry.

The columns depend on the kinds asked for and on their fields, never on what was found: `kind`, the fields in the order
of the layout, then what a store knows of an entry. Where the layout has a field of the same name, ours begins with `_`,
as no field does (a layout with a field `path` has `_path` in all its tables). An ambiguous entry has a row for each of
its readings that was asked for. Rows are made batch by batch; pyarrow and pandas, of the extra `table`, are imported by
what needs them.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from zarrange.diagnostics import shown
from zarrange.errors import StoreError
from zarrange.identifiers import ArrayIdentifier, FileIdentifier, GroupIdentifier

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from zarrange.identifiers import Identifier
    from zarrange.language.layout import Layout
    from zarrange.stores.catalog import Entry

__all__ = ["Column", "batches", "columns", "frame", "rows", "schema", "table"]

BATCH = 16_384
"""How many rows are held as Python's objects at a time."""

ColumnType = Literal["string", "int64", "float64", "bool", "date32", "timestamp", "list"]


class Column(NamedTuple):
    """A column: its name, and what it holds. A `timestamp` has microseconds and no zone, a `list` has `int64`."""

    name: str
    type: ColumnType


_OF_FIELDS: dict[str, ColumnType] = {
    "str": "string",
    "path": "string",
    "int": "int64",
    "float": "float64",
    "bool": "bool",
    "date": "date32",
    "datetime": "timestamp",
}
_OURS: dict[str, ColumnType] = {
    "path": "string",
    "container": "string",
    "dataset": "string",
    "node": "string",
    "zarr_format": "int64",
    "shape": "list",
    "dtype": "string",
    "nbytes": "int64",
    "is_ambiguous": "bool",
}


def columns(kinds: Collection[str], layout: Layout) -> tuple[Column, ...]:
    """Return the columns of a table of some kinds. Raises `UnknownKindError`.

    `path` is relative to the store's root. `container` and `dataset` are those of the identifier, which has the root; a
    container has no `dataset`, a file has neither. `nbytes` counts all elements, uncompressed. What has no metadata has
    no `zarr_format`, and what is no array no `shape`, `dtype` and `nbytes`. `kinds` may be `Selection.kinds`.
    """
    fields = [Column(name, _OF_FIELDS[layout.fields[name].type]) for name in _fields(kinds, layout)]
    ours = [Column(_our_name(name, layout), type_) for name, type_ in _OURS.items()]
    return (Column(_our_name("kind", layout), "string"), *fields, *ours)


def _our_name(name: str, layout: Layout) -> str:
    return f"_{name}" if name in layout.fields else name


def _fields(kinds: Collection[str], layout: Layout) -> list[str]:
    """The fields of some kinds, in the order of the layout."""
    found = {name for kind in ([kinds] if isinstance(kinds, str) else kinds) for name in layout.kind(kind).fields}
    return [name for name in layout.fields if name in found]


def rows(entries: Iterable[Entry], kinds: Collection[str], layout: Layout) -> Iterator[tuple[Any, ...]]:
    """Yield the rows, as the plain values that `columns` are made of; a field that is absent is `None`."""
    fields = _fields(kinds, layout)
    for entry in entries:
        node = entry.metadata
        known = (None,) * 4 if node is None else (node.zarr_format, node.shape, node.dtype, node.nbytes)
        for key in entry.keys:
            values = map(key.values.get, fields)
            place = _container(entry.identifier_of(key))
            yield (key.kind, *values, entry.path, *place, entry.node, *known, entry.is_ambiguous)


def _container(identifier: Identifier) -> tuple[str | None, str | None]:
    if isinstance(identifier, FileIdentifier):
        return None, None
    if isinstance(identifier, ArrayIdentifier | GroupIdentifier):
        return identifier.container, identifier.dataset
    return identifier.container, None


def schema(kinds: Collection[str], layout: Layout) -> Any:
    """Return the `pyarrow.Schema` of a table of some kinds."""
    arrow = _pyarrow()
    types = {
        "string": arrow.string(),
        "int64": arrow.int64(),
        "float64": arrow.float64(),
        "bool": arrow.bool_(),
        "date32": arrow.date32(),
        "timestamp": arrow.timestamp("us"),
        "list": arrow.list_(arrow.int64()),
    }
    return arrow.schema([(column.name, types[column.type]) for column in columns(kinds, layout)])


def batches(entries: Iterable[Entry], kinds: Collection[str], layout: Layout, size: int = BATCH) -> Iterator[Any]:
    """Yield each `pyarrow.RecordBatch` of at most `size` rows. Raises `StoreError` for what a column cannot hold."""
    arrow, made = _pyarrow(), schema(kinds, layout)
    found = rows(entries, kinds, layout)
    while chunk := list(islice(found, size)):
        held = [list(values) for values in zip(*chunk, strict=True)]
        paths = held[-len(_OURS)]
        arrays = [_array(column, values, paths) for column, values in zip(made, held, strict=True)]
        yield arrow.RecordBatch.from_arrays(arrays, schema=made)


def _array(column: Any, values: Sequence[Any], paths: Sequence[str]) -> Any:
    """Return the values of a column, one of a `pyarrow.Schema`, as an array; `paths` are whose values they are."""
    arrow = _pyarrow()
    try:
        return arrow.array(values, column.type)
    except (ValueError, OverflowError):
        if len(values) == 1:
            why = "it is not valid Unicode" if column.type == arrow.string() else "it takes more than 64 bits"
            message = f"{paths[0]!r}: column `{column.name}` cannot hold {shown(values[0])}: {why}"
            raise StoreError(message) from None
        for value, path in zip(values, paths, strict=True):
            _array(column, [value], [path])
        raise


def table(entries: Iterable[Entry], kinds: Collection[str], layout: Layout) -> Any:
    """Return the `pyarrow.Table` of entries of some kinds.

    Raises `StoreError` for what a column cannot hold (a whole number of more than 64 bits), and whatever `entries`
    raises: of a search that is not complete there is no table.
    """
    return _pyarrow().Table.from_batches(batches(entries, kinds, layout), schema(kinds, layout))


def frame(entries: Iterable[Entry], kinds: Collection[str], layout: Layout) -> Any:
    """Return the same table as a `pandas.DataFrame`.

    Whole numbers are `int64`, or `Int64` in a column where some are absent; truth values `bool` or `boolean`; days
    `datetime64`; shapes tuples. Raises what `table` raises.
    """
    pandas = _pandas()
    arrow, made = _pyarrow(), table(entries, kinds, layout)
    with_holes = {arrow.int64(): pandas.Int64Dtype(), arrow.bool_(): pandas.BooleanDtype()}
    framed = made.to_pandas(date_as_object=False)
    for name, column in zip(made.column_names, made.columns, strict=True):
        if arrow.types.is_list(column.type):
            shapes = [None if shape is None else tuple(shape) for shape in column.to_pylist()]
            framed[name] = pandas.Series(shapes, dtype=object)
        elif column.null_count and column.type in with_holes:
            framed[name] = column.to_pandas(types_mapper=with_holes.get)
    return framed


def _pyarrow() -> Any:
    try:
        import pyarrow  # type: ignore[import-untyped]  # it has no types
    except ModuleNotFoundError as error:
        raise _missing(error) from error
    return pyarrow


def _pandas() -> Any:
    try:
        import pandas  # type: ignore[import-untyped]  # its types are a package of their own
    except ModuleNotFoundError as error:
        raise _missing(error) from error
    return pandas


def _missing(error: ModuleNotFoundError) -> ModuleNotFoundError:
    return ModuleNotFoundError(f"a table needs {error.name}: pip install 'zarrange[table]'", name=error.name)
