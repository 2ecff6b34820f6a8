"""Layout: where every artifact of a run lives, rendered and read back.

A `Layout` is loaded whole or not at all: everything that is wrong with its file is raised at once, as one
`LayoutError`. Loaded, it is immutable and knows no root; `zarrange.stores` applies it to one.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, get_args

from attrs import evolve

from zarrange.diagnostics import similar
from zarrange.errors import LayoutError, UnknownKindError
from zarrange.identifiers import Identifier
from zarrange.language.assembly import assemble
from zarrange.language.check import check, check_settings, clashes
from zarrange.language.document import locate_layout, read_chain, read_source
from zarrange.language.filters import BUILT_IN, Filter
from zarrange.language.findings import Findings, TooManyFindings
from zarrange.language.inheritance import merge
from zarrange.language.source import Source, parse

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable, Mapping

    from zarrange.diagnostics import Diagnostic
    from zarrange.identifiers import Key
    from zarrange.language.document import AllowSpec, Document, ViewSpec
    from zarrange.language.fields import Field
    from zarrange.language.kinds import Kind

__all__ = ["Layout"]


class Layout:
    """Fields, kinds, and a path template for each kind, from one YAML document.

    Made by `Layout.load` or `Layout.parse`. Layouts are equal if their texts are.
    """

    def __init__(self, sources: Iterable[Source], filters: Iterable[Filter] = ()) -> None:
        self._sources = tuple(sources)
        self._filters = tuple(filters)
        found = Findings()
        assembly = None
        with suppress(TooManyFindings):
            assembly = assemble(merge(self._sources, found.report), _by_name(self._filters), found.report)
            if assembly is not None:
                check_settings(assembly, found.report)
        if found or assembly is None:
            raise LayoutError(sorted(found, key=lambda one: (one.span, one.rule, one.message)))
        self._assembly = assembly
        self._renderers = _Renderers(self)

    @classmethod
    def load(cls, layout: str | os.PathLike[str], *, filters: Iterable[Filter] = ()) -> Layout:
        """Load a layout: a shipped one by its name (`"dacapo"`), or a file by its path.

        `filters` are reversible filters beside the built-in ones. Raises `LayoutError`, with every diagnostic.
        """
        return cls(read_chain(read_source(locate_layout(layout))), filters)

    @classmethod
    def parse(cls, text: str | bytes, *, file: str = "<layout>", filters: Iterable[Filter] = ()) -> Layout:
        """Load a layout from text. `file` is what positions call it; what it extends is looked for beside it."""
        if not isinstance(text, str | bytes):
            raise TypeError(f"expected the text of a layout, got {type(text).__name__}")
        return cls(read_chain(parse(text, file)), filters)

    @classmethod
    def from_texts(cls, texts: Iterable[tuple[str, str]], *, filters: Iterable[Filter] = ()) -> Layout:
        """Load a layout from its `files` and `texts`, pairwise: nothing else is read. Raises `LayoutError`."""
        return cls([parse(text, file) for file, text in texts], filters)

    @property
    def name(self) -> str:
        """The layout's name; its file's, if it gives none."""
        return self._assembly.document.name or Path(self.file).stem

    @property
    def doc(self) -> str | None:
        """What the layout says of itself."""
        return self._assembly.document.doc

    @property
    def file(self) -> str:
        """The file that it was loaded from."""
        return self._sources[0].file

    @property
    def files(self) -> tuple[str, ...]:
        """The file that it was loaded from, and those that it extends, the furthest last."""
        return tuple(source.file for source in self._sources)

    @property
    def texts(self) -> tuple[str, ...]:
        """The texts of `files`."""
        return tuple(source.text for source in self._sources)

    @property
    def filters(self) -> tuple[Filter, ...]:
        """The filters beside the built-in ones."""
        return self._filters

    @property
    def fields(self) -> Mapping[str, Field]:
        """The declared fields, by name."""
        return MappingProxyType(self._assembly.fields)

    @property
    def kinds(self) -> Mapping[str, Kind]:
        """The kinds, by name: containers, groups, arrays, files."""
        return MappingProxyType(self._assembly.kinds)

    @property
    def allow(self) -> tuple[AllowSpec, ...]:
        """The findings that the layout accepts, each with its reason."""
        return self._assembly.document.allow

    @property
    def view(self) -> ViewSpec:
        """What the layout says of how its stores are looked at; `arrangement` adds what it leaves open."""
        return self._assembly.view

    def kind(self, name: str) -> Kind:
        """Return a kind by its name. Raises `UnknownKindError`."""
        try:
            return self._assembly.kinds[name]
        except (KeyError, TypeError):
            known = similar(str(name), self._assembly.kinds, "kind")
            raise UnknownKindError(f"the layout `{self.name}` has no kind {name!r}; {known}") from None

    def render(self, kind: str, /, **values: object) -> Identifier:
        """Return the identifier of a kind's values, relative to a root.

        A value of `None` counts as not given. Raises `UnknownKindError`, or `FieldError` for a value that does not fit,
        is missing or does not belong to the kind; values are never cleaned.
        """
        try:
            identifier: Identifier = self._renderers[kind](**values)
        except TypeError:
            self.kind(kind).refuse_unknown(values)
            raise
        return identifier

    def key(self, kind: str, /, **values: object) -> Key:
        """Return the key of a kind's values, each in its plain form. Raises what `render` raises."""
        return self.kind(kind).key(values)

    def compiled(self) -> Layout:
        """Compile what reads paths, which is else done when the first one is read; return the layout."""
        _ = self._assembly.matcher
        return self

    def match(self, path: str | Identifier) -> Key | None:
        """Return the key whose path this is, or `None` where no kind has it.

        A text is a path relative to the root, with `/` between its segments. An identifier must also agree on where
        the container ends. Accepted only if rendering the key gives the path again. Raises `AmbiguousPathError` where
        a layout that allows clashes has several readings: `matches` gives them all.
        """
        if isinstance(path, str):
            return self._assembly.matcher.match(path)
        found = self.matches(path)
        return self._assembly.matcher.only(path.path, found)

    def matches(self, path: str | Identifier) -> tuple[Key, ...]:
        """Return every key whose path this is, in order."""
        if isinstance(path, str):
            return self._assembly.matcher.matches(path)
        if not isinstance(path, get_args(Identifier)):
            raise TypeError(f"expected a path or an identifier, got {type(path).__name__}")
        found = self._assembly.matcher.matches(path.path)
        return tuple(key for key in found if self._renderers[key.kind](**key.values) == path)

    def agrees_with(self, other: Layout) -> bool:
        """Return whether both have the same kinds, fields, templates and filters, whatever they say of them beside."""
        mine, others = _meaning(self._assembly.document), _meaning(other._assembly.document)
        return mine == others and self.filters == other.filters

    def check(self) -> tuple[Diagnostic, ...]:
        """Return what is wrong with a layout that can be loaded: an example that does not hold."""
        return check(self._assembly)

    def clashes(self) -> tuple[Diagnostic, ...]:
        """Return the clashes that are neither disproved nor accepted under `allow`, be their rules turned off or not.

        Where there is one, nothing may be removed or moved: it might be another artifact, too.
        """
        return clashes(self._assembly)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Layout):
            return NotImplemented
        return self._identity() == other._identity()

    def __hash__(self) -> int:
        return hash(self._identity())

    def __repr__(self) -> str:
        return f"<Layout {self.name!r}: {', '.join(self._assembly.kinds)}>"

    def __reduce__(self) -> tuple[Callable[..., Layout], tuple[list[tuple[str, str]], tuple[Filter, ...]]]:
        return _restored, ([*zip(self.files, self.texts, strict=True)], self._filters)

    def _identity(self) -> tuple[object, ...]:
        return self.texts, self._filters


def _meaning(document: Document) -> list[dict[str, Any]]:
    """What decides where artifacts are: fields, fragments and kinds, without what is only said about them."""
    kinds = (document.containers, document.groups, document.arrays, document.files)
    fields = {name: evolve(one, doc=None, renamed_from=None) for name, one in document.fields.items()}
    bare = [
        {name: evolve(one, doc=None, examples=(), renamed_from=None) for name, one in sort.items()} for sort in kinds
    ]
    return [fields, dict(document.fragments), *bare]


class _Renderers(dict[str, "Callable[..., Any]"]):
    """The render function of each kind, compiled when it is used first."""

    def __init__(self, layout: Layout) -> None:
        super().__init__()
        self._layout = layout

    def __missing__(self, name: str) -> Callable[..., Any]:
        self[name] = self._layout.kind(name).renderer
        return self[name]


def _by_name(filters: Iterable[Filter]) -> dict[str, Filter]:
    known = {one.name: one for one in BUILT_IN}
    for one in filters:
        if not isinstance(one, Filter):
            raise TypeError(f"expected a Filter, got {type(one).__name__}")
        if one.name in known:
            raise ValueError(f"there is a filter `{one.name}` already; give yours another name")
        known[one.name] = one
    return known


def _restored(sources: list[tuple[str, str]], filters: tuple[Filter, ...]) -> Layout:
    return Layout.from_texts(sources, filters=filters)
