"""Variants: a template without its conditions, once for each way that they can turn out.

Each variant is a flat sequence of texts and slots, with what is known of the fields when it applies: which are given,
which are absent, which equal a literal. A template can be read back if every variant tells the value of each
field that is given. Renderer and matcher are made from variants, so the two directions cannot drift apart.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from attrs import evolve, field, frozen

from zarrange.diagnostics import shown
from zarrange.language import faults
from zarrange.language.charsets import RESERVED, segment_fault
from zarrange.language.fields import BoolField, Field
from zarrange.language.lattice import Lattice
from zarrange.language.slots import Slot
from zarrange.language.templates import Branch, Equals, Given, Text, Tree

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping

    from zarrange.diagnostics import Diagnostic, Span
    from zarrange.identifiers import Value

__all__ = ["Piece", "Segment", "Variant", "check_variants", "unfold"]

MAX_VARIANTS = 64
MAX_CONDITIONS = 16

Piece: TypeAlias = Text | Slot
Segment: TypeAlias = tuple[Piece, ...]


@frozen
class Variant:
    """One flat form of a template.

    `given` has the fields that must have a value, `absent` those that must not; `equal` and `unequal` what is known of
    the values.
    """

    pieces: tuple[Piece, ...] = ()
    given: Mapping[str, Field] = field(factory=dict)
    absent: frozenset[str] = frozenset()
    equal: Mapping[str, Value] = field(factory=dict)
    unequal: Mapping[str, tuple[Value, ...]] = field(factory=dict)

    @property
    def written(self) -> frozenset[str]:
        """The fields whose values stand in the path."""
        return frozenset(piece.field.name for piece in self.pieces if isinstance(piece, Slot))

    def segments(self) -> list[Segment]:
        """Return the pieces of each path segment; a slot of several segments stands in one."""
        segments: list[list[Piece]] = [[]]
        for piece in self.pieces:
            if isinstance(piece, Slot):
                segments[-1].append(piece)
                continue
            first, *others = piece.text.split("/")
            segments[-1] += [evolve(piece, text=first)] if first else []
            segments += [[evolve(piece, text=other)] if other else [] for other in others]
        return [tuple(segment) for segment in segments]

    def halves(self) -> tuple[tuple[Piece, ...], tuple[Piece, ...]]:
        """Return the pieces before and behind the boundary; all are before where there is none."""
        for at, piece in enumerate(self.pieces):
            if isinstance(piece, Text) and piece.boundary:
                return self.pieces[:at], self.pieces[at + 1 :]
        return self.pieces, ()

    @property
    def depth(self) -> int:
        """How many segments are the container's own path, where the variant has something inside of one; else 0."""
        outside, inside = self.halves()
        return 1 + sum(piece.text.count("/") for piece in outside if isinstance(piece, Text)) if inside else 0

    def with_piece(self, piece: Piece) -> Variant:
        """Return this variant, going on with `piece`."""
        if isinstance(piece, Slot):
            given = {**self.given, piece.field.name: piece.field}
            return evolve(self, pieces=(*self.pieces, piece), given=given)
        return evolve(self, pieces=(*self.pieces, piece))


class TooManyVariants(Exception):  # noqa: N818 - turned into a diagnostic by whoever knows the template
    """A template has more conditions than anybody could keep in mind."""


def unfold(tree: Tree) -> list[Variant]:
    """Return the variants of a checked tree. Raises `TooManyVariants`."""
    if len(_conditions(tree)) > MAX_CONDITIONS:
        raise TooManyVariants
    return list(_unfold(tree, Variant(), [MAX_VARIANTS * 4]))


def _conditions(tree: Tree) -> set[tuple[object, ...]]:
    """The different conditions of a tree."""
    found: set[tuple[object, ...]] = set()
    for node in tree:
        if isinstance(node, Branch):
            found.add((node.condition.field.name, getattr(node.condition, "value", None)))
            found |= _conditions((*node.then, *node.otherwise))
    return found


def _unfold(tree: Tree, so_far: Variant, budget: list[int]) -> Iterator[Variant]:
    for at, node in enumerate(tree):
        if isinstance(node, Branch):
            for holds, known in _outcomes(node.condition, so_far):
                budget[0] -= 1
                if budget[0] < 0:
                    raise TooManyVariants
                chosen = node.then if holds else node.otherwise
                yield from _unfold((*chosen, *tree[at + 1 :]), known, budget)
            return
        if isinstance(node, Slot) and node.field.name in so_far.absent:
            return  # rendering would raise: the field is needed here
        so_far = so_far.with_piece(node)
    yield so_far


def _outcomes(condition: Given | Equals, known: Variant) -> Iterator[tuple[bool, Variant]]:
    """The ways that a condition can turn out, given what is known, and what is known then."""
    name = condition.field.name
    if isinstance(condition, Given):
        if name not in known.absent:
            yield True, evolve(known, given={**known.given, name: condition.field})
        if name not in known.given:
            yield False, evolve(known, absent=known.absent | {name})
        return
    if name in known.absent:
        return  # comparing a missing value raises
    known = evolve(known, given={**known.given, name: condition.field})
    settled = known.equal.get(name)
    if settled is not None:
        yield settled == condition.value, known
        return
    ruled_out = known.unequal.get(name, ())
    if condition.value not in ruled_out:
        yield True, _with_value(known, name, condition.value)
        ruled_out = (*ruled_out, condition.value)
    possible = _possible(condition.field)
    left = None if possible is None else [value for value in possible if value not in ruled_out]
    if left is None or len(left) > 1:
        yield False, evolve(known, unequal={**known.unequal, name: ruled_out})
    elif left:
        yield False, _with_value(known, name, left[0])


def _with_value(known: Variant, name: str, value: Value) -> Variant:
    unequal = {other: ruled_out for other, ruled_out in known.unequal.items() if other != name}
    return evolve(known, equal={**known.equal, name: value}, unequal=unequal)


def _possible(field: Field) -> tuple[Value, ...] | None:
    """All values that a field can have, where they can be counted."""
    if field.choices is not None:
        return field.choices
    return (True, False) if isinstance(field, BoolField) else None


def check_variants(variants: list[Variant], span: Span, report: Callable[[Diagnostic], None]) -> None:
    """Report what keeps a template from being read back, or from giving a proper path."""
    seen: set[tuple[object, ...]] = set()

    def once(finding: Diagnostic) -> None:
        """Variants share most of their pieces: what is wrong with a piece is said once."""
        key = (finding.rule, finding.message, finding.span)
        if key not in seen:
            seen.add(key)
            report(finding)

    for variant in variants:
        for name in variant.given:
            if name not in variant.written and name not in variant.equal:
                message = f"the value of `{name}` does not stand in the path everywhere that it is given"
                advice = f"write `{{{{ {name} }}}}` in every branch that does not fix its value"
                once(faults.irreversible_template(message, span, advice))
        _check_segments(variant, span, once, is_conditional=len(variants) > 1)


def _check_segments(
    variant: Variant, span: Span, report: Callable[[Diagnostic], None], *, is_conditional: bool
) -> None:
    segments = variant.segments()
    first = variant.depth  # the path of the container was looked at where it stands
    slashes = [piece.span for piece in variant.pieces if isinstance(piece, Text) for _ in range(piece.text.count("/"))]
    for at, segment in enumerate(segments[first:], first):
        if not segment:
            message, advice = _empty_segment(at == first, at == len(segments) - 1, is_conditional)
            # A segment begins behind the slash before it; a path without any slash is empty as a whole.
            report(faults.unsafe_segment(message, slashes[max(at - 1, 0)] if slashes else span, advice))
        elif all(isinstance(piece, Text) for piece in segment):
            text = "".join(piece.text for piece in segment if isinstance(piece, Text))
            if fault := segment_fault(text):
                report(faults.unsafe_segment(f"the segment {shown(text)} is no proper name: {fault}", segment[0].span))
        elif any(
            isinstance(piece, Text) and piece.text[edge] == " " for piece, edge in ((segment[0], 0), (segment[-1], -1))
        ):
            report(faults.unsafe_segment("the segment starts or ends with a space", segment[0].span))
        elif (name := _reserved_name(segment, RESERVED if first else {".", ".."})) is not None:
            message = f"the segment can be `{name}`, which is a reserved name"
            advice = "write another text beside the field, or `exclude` the value"
            report(faults.unsafe_segment(message, segment[0].span, advice))


def _empty_segment(is_first: bool, is_last: bool, is_conditional: bool) -> tuple[str, str]:  # noqa: FBT001 - of one path
    """Say that a segment is empty, and what would help."""
    if is_first and is_last:
        return "the path can be empty", "write a text in the `{% else %}` branch"
    what, advice = ("an empty segment", "write one `/` between two segments")
    verb = "have" if is_conditional else "has"
    if is_first or is_last:
        verb = ("begin" if is_first else "end") + ("" if is_conditional else "s")
        what, advice = "with `/`", "paths are relative: leave the `/` out" if is_first else "leave the `/` out"
    if is_conditional:
        return f"the path can {verb} {what}", "move the `/` into the branch"
    return f"the path {verb} {what}", advice


def _reserved_name(segment: Segment, reserved: Collection[str]) -> str | None:
    """Return a reserved name that texts and slots make together: no slot makes one alone."""
    if len(segment) == 1 or any(isinstance(piece, Slot) and piece.is_multiple for piece in segment):
        return None
    texts = [piece.text for piece in segment if isinstance(piece, Text)]
    for name in sorted(reserved):
        if all(text in name for text in texts):
            pieces = [piece.text if isinstance(piece, Text) else piece.language for piece in segment]
            if next(Lattice(pieces, name).splits(), None) is not None:
                return name
    return None
