"""The layout file as classes: what may stand in it, the files that it extends, every piece with its place.

cattrs structures the document strictly; a problem's key path leads to the YAML node and so to a position. What is
wrong is reported and left out, so that the rest is still checked. What is inherited is merged by `inheritance`; what
the pieces mean is `layout`'s matter.
"""

from __future__ import annotations

import copy
import os
import re
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from attrs import define, field, frozen

from zarrange.converter import structure
from zarrange.diagnostics import Diagnostic, Span, similar
from zarrange.errors import LayoutError, StructureError
from zarrange.language import faults
from zarrange.language.fields import FieldSpec
from zarrange.language.notes import Also, Name
from zarrange.language.shipped import shipped_layouts
from zarrange.language.source import MAX_BYTES, KeyPath, Source, parse

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = [
    "AllowSpec",
    "ArraySpec",
    "ContainerSpec",
    "Document",
    "ExampleSpec",
    "FileSpec",
    "GroupSpec",
    "Located",
    "ViewSpec",
    "locate_layout",
    "read_chain",
    "structure_document",
]

MAX_CHAIN = 8
SECTIONS = ("fields", "fragments", "containers", "groups", "arrays", "files")

# --- what may stand in a layout file ---------------------------------------------------------------------------------

BESIDE = r"[A-Za-z0-9_+=@-][A-Za-z0-9_+=@. -]*\.ya?ml"
"""The name of a layout file that another one beside it may extend."""

Renamed = Annotated[Name | None, "Name that it had before: how an older layout calls it."]
Doc = Annotated[str | None, "What it is."]


@frozen
class ExampleSpec:
    """Values of a kind, and the path that they render to."""

    values: Annotated[dict[str, str | int | float | bool | None], "A value for each field; null is not given."]
    path: Annotated[str, "The path that the values render to, from the root."]


Examples = Annotated[tuple[ExampleSpec, ...], "Values and their paths; `zarrange check` holds them against each other."]


@frozen
class ContainerSpec:
    """A `.zarr` folder."""

    path: Annotated[str, "Template of the folder's path, from the root.", Also(minLength=1)]
    zarr_format: Annotated[
        Literal[2, 3] | None, "What new containers are written in: 3 unless given; what exists keeps its own."
    ] = None
    renamed_from: Renamed = None
    doc: Doc = None
    examples: Examples = ()


@frozen
class GroupSpec:
    """A zarr group inside a container."""

    container: Annotated[str, "Name of the container that it is in."]
    path: Annotated[str, "Template of the group's path inside its container.", Also(minLength=1)]
    renamed_from: Renamed = None
    doc: Doc = None
    examples: Examples = ()


@frozen
class ArraySpec:
    """A zarr array inside a container."""

    container: Annotated[str, "Name of the container that it is in."]
    path: Annotated[str, "Template of the array's path inside its container.", Also(minLength=1)]
    renamed_from: Renamed = None
    doc: Doc = None
    examples: Examples = ()


@frozen
class FileSpec:
    """A single file that is not zarr."""

    path: Annotated[str, "Template of the file's path, from the root.", Also(minLength=1)]
    renamed_from: Renamed = None
    doc: Doc = None
    examples: Examples = ()


@frozen
class AllowSpec:
    """A finding that is accepted: its rule, the kinds that it is about, and the reason."""

    rule: Annotated[str, "Which rule has found it."]
    kinds: Annotated[tuple[Name, ...], "The kinds that it is about."]
    because: Annotated[str, "Why it does no harm.", Also(pattern=r"\S")]


@frozen
class ViewSpec:
    """How a store is looked at: what its pages call things, and what they put where."""

    title: Annotated[str | None, "What the pages are headed by; the layout's name unless given."] = None
    by: Annotated[Name | None, "The field that tells runs from each other; else the first that all arrays share."] = (
        None
    )
    slider: Annotated[
        Name | None, "The `int`, `date` or `datetime` field that is slid through; else the one that most arrays have."
    ] = None
    panels: Annotated[tuple[Name, ...], "Arrays that stand first, in this order; the others follow as declared."] = ()
    overlays: Annotated[dict[Name, Name], "Arrays of labels, each with the array that they are drawn over."] = field(
        factory=dict
    )


@frozen
class Document:
    """A whole layout file."""

    zarrange: Annotated[int, "Version of the layout format."]
    name: Annotated[str | None, "Name of the layout; its file's unless given."] = None
    doc: Annotated[str | None, "What the layout is for."] = None
    extends: Annotated[str | None, "What this layout changes: a shipped layout, or a YAML file beside this one."] = None
    fields: Annotated[dict[Name, FieldSpec], "The named, typed values that templates use."] = field(factory=dict)
    fragments: Annotated[
        dict[Name, Annotated[str, "A template, or a part of one.", Also(minLength=1)]], "Pieces that templates share."
    ] = field(factory=dict)
    containers: Annotated[dict[Name, ContainerSpec], "The `.zarr` folders."] = field(factory=dict)
    groups: Annotated[dict[Name, GroupSpec], "The zarr groups in containers."] = field(factory=dict)
    arrays: Annotated[dict[Name, ArraySpec], "The zarr arrays in containers."] = field(factory=dict)
    files: Annotated[dict[Name, FileSpec], "The files that are not zarr."] = field(factory=dict)
    rules: Annotated[
        dict[str, Literal["off", "warning", "error"]], "Rules that are turned off, or whose findings weigh otherwise."
    ] = field(factory=dict)
    allow: Annotated[tuple[AllowSpec, ...], "Findings that are accepted, each with its reason."] = ()
    view: Annotated[ViewSpec, "How a store of the layout is looked at; no path depends on it."] = field(
        factory=ViewSpec
    )


@define
class Located:
    """Plain data that may come from several files, and where each piece of it stands."""

    data: Any
    origins: dict[KeyPath, tuple[Source, KeyPath]]

    def span(self, path: KeyPath) -> Span:
        """Return where the value at `path` stands."""
        source, there = self._origin(path)
        return source.span(there)

    def key_span(self, path: KeyPath) -> Span:
        """Return where the key of `path` stands."""
        source, there = self._origin(path)
        return source.key_span(there)

    def inside(self, path: KeyPath, start: int, end: int) -> Span:
        """Return where some characters of the text at `path` stand."""
        source, there = self._origin(path)
        return source.inside(there, start, end)

    def is_inherited(self, path: KeyPath) -> bool:
        """Return whether what is at `path` comes from a file that this one extends."""
        return self._origin(path)[0] is not self.origins[()][0]

    def _origin(self, path: KeyPath) -> tuple[Source, KeyPath]:
        while path and path not in self.origins:
            path = path[:-1]
        return self.origins[path]


# --- files -----------------------------------------------------------------------------------------------------------


def locate_layout(name: str | os.PathLike[str]) -> Path:
    """Return the file of a layout: a shipped one by its bare name, else a path. Raises `LayoutError`."""
    shipped = shipped_layouts()
    if isinstance(name, str) and name in shipped:
        return shipped[name]
    path = Path(name)
    if isinstance(name, str) and not path.suffix and os.sep not in name and not os.path.exists(name):
        message = f"`{name}` is neither a shipped layout nor a file"
        raise LayoutError([faults.unreadable_layout(message, _start_of(name), similar(name, shipped, "layout"))])
    return path


def read_chain(first: Source) -> list[Source]:
    """Return a source with those that it extends, the furthest last. Raises `LayoutError`."""
    chain = [first]
    while (base := _base_of(chain)) is not None:
        chain.append(base)
    return chain


def read_source(path: Path, *, blame: Span | None = None) -> Source:
    """Read a layout file. What keeps it from being read is reported at `blame`. Raises `LayoutError`."""

    def unreadable(reason: str, advice: str | None = None) -> LayoutError:
        span = blame or _start_of(str(path))
        return LayoutError([faults.unreadable_layout(f"cannot read `{path}`: {reason}", span, advice)])

    try:
        # A named pipe or a device would block, or never end.
        status = os.stat(path)
        if not stat.S_ISREG(status.st_mode):
            raise unreadable("it is not a file")
        if status.st_size > MAX_BYTES:
            raise unreadable(f"it has {status.st_size} bytes, more than {MAX_BYTES}", "split it with `extends`")
        content = path.read_bytes()
    except LayoutError:
        raise
    except (OSError, ValueError) as error:
        raise unreadable((getattr(error, "strerror", None) or str(error)).lower()) from error
    return parse(content, str(path))


def _base_of(chain: Sequence[Source]) -> Source | None:
    """Return what the last source of a chain extends."""
    source = chain[-1]
    written = source.data.get("extends") if isinstance(source.data, dict) else None
    if not isinstance(written, str):
        return None  # a wrong type is reported with everything else that is wrong with the document
    span = source.span(("extends",))
    shipped = shipped_layouts()
    if written in shipped:
        path = shipped[written]
    elif re.fullmatch(BESIDE, written):
        path = Path(source.file).parent / written
    else:
        message = f"`{written}` is neither a shipped layout nor the name of a YAML file beside this one"
        raise LayoutError([faults.unreadable_layout(message, span, similar(written, shipped, "layout"))])
    known = [Path(one.file) for one in chain]
    if any(path == one or _is_same_file(path, one) for one in known):
        names = " → ".join(f"`{one.name}`" for one in [*known, path])
        raise LayoutError([faults.extends_cycle(f"the layout extends itself: {names}", span)])
    if len(chain) >= MAX_CHAIN:
        raise LayoutError([faults.extends_cycle(f"more than {MAX_CHAIN} layouts extend each other", span)])
    return read_source(path, blame=span)


def _is_same_file(one: Path, other: Path) -> bool:
    return os.path.exists(one) and os.path.exists(other) and os.path.samefile(one, other)


def _start_of(file: str) -> Span:
    return Span(file, 1, 1, 1, 1)


# --- structure -------------------------------------------------------------------------------------------------------


def structure_document(
    located: Located, report: Callable[[Diagnostic], None]
) -> tuple[Document | None, frozenset[KeyPath]]:
    """Return the document without what is wrong with it, and the entries that were left out for that.

    What is wrong is left out as precisely as the rest allows, for the rest is to be checked too: first the very keys,
    then the entries that cannot do without.
    """
    data = located.data
    broken: set[KeyPath] = set()
    for attempt in range(3):
        try:
            return structure(data, Document), frozenset(broken)
        except StructureError as error:
            if attempt == 0:
                for problem in error.problems:
                    report(_diagnostic(problem, located))
            if not isinstance(data, dict):
                break
            wrong = [_place_to_leave_out(problem, whole_entry=attempt > 0) for problem in error.problems]
            broken.update(path for path in wrong if len(path) == 2 and path[0] in SECTIONS)  # noqa: PLR2004 - an entry
            data = _pruned(data, wrong)
    return None, frozenset(broken)


def _place_to_leave_out(problem: Any, *, whole_entry: bool) -> KeyPath:
    """Return the path of a wrong key, or of the entry that it stands in, where that cannot do without."""
    path: KeyPath = problem.path
    is_entry = path[:1] and path[0] in SECTIONS
    if is_entry and path[2:3] == ("examples",):
        return path[:3]
    # A field without one of its keys would be another field.
    if problem.rule != "unknown-key" and (whole_entry or problem.rule == "missing-key" or path[:1] == ("fields",)):
        return path[: 2 if is_entry else 1]
    return path


def _diagnostic(problem: Any, located: Located) -> Diagnostic:
    at = located.span if problem.rule == "wrong-type" else located.key_span
    message, advice = problem.message, problem.help
    if problem.rule == "missing-key" and not problem.path:
        advice = "begin the file with `zarrange: 1`"
    elif problem.rule == "missing-key" and isinstance(problem.path[-1], str):
        message = f"`{problem.path[-1]}` has no {problem.message.partition(' ')[0]}"
    return faults.FAULTS[problem.rule](message, at(problem.path), advice)


def _pruned(data: dict[str, Any], paths: Sequence[KeyPath]) -> dict[str, Any]:
    """Leave out what is at `paths`, and put in the version, which is required."""
    left: dict[str, Any] = {"zarrange": 1, **copy.deepcopy(data)}
    for path in paths:
        around: Any = left
        steps = path[:3]
        for step in steps[:-1]:
            around = around.get(step) if isinstance(around, dict) else None
        if steps and isinstance(around, dict):
            around.pop(steps[-1], None)
        elif steps and around is not None:  # a section that is no mapping; `None` is what went with another path
            left.pop(str(steps[0]), None)
    return {"zarrange": 1, **left}
