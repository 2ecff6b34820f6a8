"""Document → fields and kinds: names resolved, templates parsed, everything that is wrong reported."""

from __future__ import annotations

import re
from functools import cached_property
from typing import TYPE_CHECKING, Any

from attrs import frozen

from zarrange.diagnostics import Diagnostic, Label, Span, shown, similar
from zarrange.language import faults
from zarrange.language.automaton import Budget
from zarrange.language.cures import ALL_STEPS
from zarrange.language.declarations import make_field
from zarrange.language.document import Document, Located, ViewSpec, structure_document
from zarrange.language.kinds import Example, Kind, Sort
from zarrange.language.matcher import Matcher
from zarrange.language.notes import NAME, NO_NAMES
from zarrange.language.proof import Proof, prove
from zarrange.language.renaming import contradictions
from zarrange.language.templates import Names, Text, Tree, parse_template
from zarrange.language.variants import MAX_CONDITIONS, TooManyVariants, check_variants, unfold
from zarrange.language.viewing import sound_view

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from zarrange.language.faults import Fault
    from zarrange.language.fields import Field
    from zarrange.language.filters import Filter
    from zarrange.language.source import KeyPath

__all__ = ["Assembly", "assemble"]

FORMAT = 1

_NAMES = "use letters, digits and _, a letter first, and no word of Python's own"
_SECTIONS: dict[str, Sort] = {"containers": "container", "groups": "group", "arrays": "array", "files": "file"}


@frozen(slots=False, eq=False)
class Assembly:
    """What a layout file comes to: what `check` looks at and `Layout` offers.

    `named` has the names of all kinds, those that have faults included. `view` is what the document says of it, without
    what is inherited and does not fit.
    """

    document: Document
    located: Located
    fields: Mapping[str, Field]
    kinds: Mapping[str, Kind]
    named: frozenset[str]
    view: ViewSpec

    @cached_property
    def proof(self) -> Proof:
        """Which clashes there are."""
        return prove(self.kinds)

    @cached_property
    def cure_budget(self) -> Budget:
        """What is left of the steps that the search for cures may take: of many clashes, the first ones have some."""
        return Budget(ALL_STEPS)

    def kind_span(self, kind: Kind) -> Span:
        """Return where a kind's name stands in the layout file."""
        section = next(section for section, sort in _SECTIONS.items() if sort == kind.sort)
        return self.located.key_span((section, kind.name))

    @cached_property
    def matcher(self) -> Matcher:
        """Reads paths by all kinds."""
        return Matcher((kind.name, variant) for kind in self.kinds.values() for variant in kind.variants)


def assemble(located: Located, filters: Mapping[str, Filter], report: Callable[[Diagnostic], None]) -> Assembly | None:
    """Return what a document comes to, or `None` where not even its outline makes sense; faults are reported."""
    document, broken = structure_document(located, report)
    if document is None:
        return None
    return _Assembler(document, located, broken, filters, report).assemble()


def _is_name(text: str) -> bool:
    return re.fullmatch(NAME, text) is not None and text not in NO_NAMES


class _Assembler:
    def __init__(
        self,
        document: Document,
        located: Located,
        broken: frozenset[KeyPath],
        filters: Mapping[str, Filter],
        report: Callable[[Diagnostic], None],
    ) -> None:
        self.document = document
        self.located = located
        self.broken = {section: {str(path[1]) for path in broken if path[0] == section} for section in located.data}
        self.filters = filters
        self.report = report
        self.fields: dict[str, Field] = {}
        self.fragments: dict[str, Tree | None] = {}
        self.open_fragments: list[str] = []
        self.containers: dict[str, Tree] = {}

    def assemble(self) -> Assembly:
        if self.document.zarrange != FORMAT:
            message = f"version {shown(self.document.zarrange)} of the format is not known"
            self._fault(
                faults.unsupported_version, message, self.located.span(("zarrange",)), f"write `zarrange: {FORMAT}`"
            )
        self._make_fields()
        names = self._names()
        for name in self.document.fragments:
            if self._check_name("fragments", name, "fragment"):
                self._fragment(name, names, self.located.key_span(("fragments", name)))
        kinds = {kind.name: kind for kind in self._kinds(names)}
        self._check_renamings(["fields"], "field")
        self._check_renamings([*_SECTIONS], "kind")
        sorts = {name: sort for section, sort in _SECTIONS.items() for name in self._declared(section)}
        fields = {name: self.fields.get(name) for name in self._declared("fields")}
        view = sound_view(self.document.view, self.located, fields, sorts, self.report)
        return Assembly(self.document, self.located, self.fields, kinds, frozenset(sorts), view)

    def _declared(self, section: str) -> tuple[str, ...]:
        """Return the names that stand in a section, those of what has faults included."""
        return (*getattr(self.document, section), *self.broken.get(section, ()))

    def _fault(self, fault: Fault, message: str, span: Span, advice: str | None = None, *labels: Label) -> None:
        self.report(fault(message, span, advice, labels))

    def _check_name(self, section: str, name: str, what: str) -> bool:
        if _is_name(name):
            return True
        message = f"`{name}` is no name for a {what}" if name else f"a {what} has no name"
        self._fault(faults.invalid_name, message, self.located.key_span((section, name)), _NAMES)
        return False

    def _check_renamings(self, sections: Sequence[str], what: str) -> None:
        """Report what is wrong with the names that things are said to have had before."""
        before, places = dict[str, str | None](), dict[str, tuple[str, str]]()
        for section in sections:
            for name, spec in getattr(self.document, section).items():
                places[name] = (section, name)
                before[name] = spec.renamed_from
                if before[name] is not None and not _is_name(spec.renamed_from):
                    before[name] = None
                    message = f"{shown(spec.renamed_from)} never was the name of a {what}"
                    span = self.located.span((section, name, "renamed_from"))
                    self._fault(faults.invalid_name, message, span, _NAMES)
        for one in contradictions(before):
            label = [] if one.other is None else [Label(self.located.key_span(places[one.other]), one.label)]
            span = self.located.span((*places[one.name], "renamed_from"))
            self._fault(faults.contradictory_renaming, one.message, span, one.help, *label)

    # --- fields and fragments ----------------------------------------------------------------------------------------

    def _make_fields(self) -> None:
        for name, spec in self.document.fields.items():
            if not self._check_name("fields", name, "field"):
                continue
            if name in self.document.fragments:
                message = f"`{name}` is a field and a fragment"
                field, fragment = (self.located.key_span((section, name)) for section in ("fields", "fragments"))
                self._fault(faults.invalid_name, message, fragment, "rename one of them", Label(field, "the field"))
            made, wrong = make_field(name, spec)
            for fault in wrong:
                path = ("fields", name, *fault.path)
                at = self.located.key_span(path) if fault.fault is faults.unknown_key else self.located.span(path)
                span = self.located.inside(path, *fault.inside) if fault.inside else at
                self._fault(fault.fault, fault.message, span, fault.help)
            if made is not None:
                self.fields[name] = made

    def _names(self) -> Names:
        broken = self.document.fields.keys() - self.fields.keys()
        broken |= self.broken.get("fields", set()) | self.broken.get("fragments", set())
        names: Names
        fragments = {
            name: (lambda span, name=name: self._fragment(name, names, span)) for name in self.document.fragments
        }
        names = Names(self.fields, fragments, self.filters, frozenset(broken))
        return names

    def _fragment(self, name: str, names: Names, span: Span) -> Tree | None:
        """Return a fragment's tree, which is parsed when it is used first; `span` is where it is used."""
        if name in self.open_fragments:
            cycle = " → ".join(f"`{one}`" for one in [*self.open_fragments[self.open_fragments.index(name) :], name])
            self._fault(faults.fragment_cycle, f"the fragment uses itself: {cycle}", span)
            return None
        if name not in self.fragments:
            self.open_fragments.append(name)
            self.fragments[name] = self._parse(("fragments", name), self.document.fragments[name], names)
            self.open_fragments.pop()
        return self.fragments[name]

    def _parse(self, path: KeyPath, text: str, names: Names) -> Tree | None:
        return parse_template(text, lambda start, end: self.located.inside(path, start, end), names, self.report)

    # --- kinds -------------------------------------------------------------------------------------------------------

    def _kinds(self, names: Names) -> Iterator[Kind]:
        taken: dict[str, str] = {}
        for section, sort in _SECTIONS.items():
            for name, spec in getattr(self.document, section).items():
                if not self._check_name(section, name, "kind"):
                    continue
                if name in taken:
                    message = f"the kind `{name}` stands under `{taken[name]}` already"
                    here, first = (self.located.key_span((one, name)) for one in (section, taken[name]))
                    self._fault(
                        faults.duplicate_key, message, here, "rename one of them", Label(first, "the first one")
                    )
                    continue
                taken[name] = section
                kind = self._kind((section, name), sort, spec, names)
                if kind is not None:
                    yield kind

    def _kind(self, path: KeyPath, sort: Sort, spec: Any, names: Names) -> Kind | None:
        tree = self._parse((*path, "path"), spec.path, names)
        outer: Tree | None = ()
        container = getattr(spec, "container", None)
        if container is not None:
            outer = self._container(path, container)
        if sort == "container" and tree is not None:
            self.containers[str(path[1])] = tree
        span = self.located.span((*path, "path"))
        if tree is None:
            return None
        if outer is None:
            self._variants(tree, span)  # what is wrong with it is wrong in any container
            return None
        if container is not None:
            outer = (*outer, Text("/", span, boundary=True))
        variants = self._variants((*outer, *tree), span)
        if variants is None:
            return None
        examples = tuple(
            Example(
                example.values,
                example.path,
                self.located.span((*path, "examples", at, "path")),
                self.located.span((*path, "examples", at, "values")),
            )
            for at, example in enumerate(spec.examples)
        )
        zarr_format = spec.zarr_format if sort == "container" else None
        if container is not None:
            zarr_format = self.document.containers[container].zarr_format
        name = str(path[1])
        before = spec.renamed_from
        return Kind(name, sort, variants, container, zarr_format, spec.doc, examples, before, span=span)

    def _variants(self, tree: Tree, span: Span) -> tuple[Any, ...] | None:
        """Return the variants of a whole template, or `None` after saying why it cannot be read back."""
        found: list[Diagnostic] = []
        try:
            variants = unfold(tree)
            check_variants(variants, span, found.append)
        except TooManyVariants:
            message = f"the template has more than {MAX_CONDITIONS} conditions, or too many ways to combine them"
            found.append(faults.irreversible_template(message, span, "make several kinds of it"))
        for one in found:
            self.report(one)
        return None if found else tuple(variants)

    def _container(self, path: KeyPath, name: str) -> Tree | None:
        """Return the tree of the container that a group or an array names."""
        if name not in self.document.containers and name not in self.broken.get("containers", set()):
            advice = similar(name, self.document.containers, "container")
            message = f"`{name}` is not a declared container"
            self._fault(faults.unknown_container, message, self.located.span((*path, "container")), advice)
        return self.containers.get(name)
