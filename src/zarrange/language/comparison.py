"""Comparison of two kinds: which keys of the one have none of the other, and whether any path differs.

Templates are compared case by case: a case is a variant of each, with the values that conditions settle. Where the
pieces of both are the same in every case, no path differs; where they are not, an artifact that differs is looked for.
What is said of an artifact was tried with it; what is said of all was proved; the rest is not known. Nothing is said
of what is wrong with a path as a whole: a name that gets too long, characters that combine.
"""

from __future__ import annotations

import datetime
from contextlib import suppress
from functools import cached_property
from typing import TYPE_CHECKING, Any

from attrs import evolve

from zarrange.errors import FieldError
from zarrange.language.cases import Case, TooManyCases, cases
from zarrange.language.changes import FieldChange, KindChange, Obstacle, PathPair
from zarrange.language.fields import DateField, FieldSpec, IntField, Misfit, StrField
from zarrange.language.inclusion import refusal
from zarrange.language.renaming import successors
from zarrange.language.samples import samples
from zarrange.language.slots import Slot

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from zarrange.identifiers import Key, Value
    from zarrange.language.changes import Extent, Paths, Translation
    from zarrange.language.fields import Field
    from zarrange.language.inclusion import Refusal
    from zarrange.language.variants import Piece, Variant

__all__ = ["Comparison", "field_changes"]

_PORTABLE = StrField("portable", FieldSpec("str"))


def field_changes(
    old: Mapping[str, Field], new: Mapping[str, Field], fixed: Mapping[str, object]
) -> tuple[FieldChange, ...]:
    """Return what becomes of the fields of a kind, in order, those that are new last.

    Raises `FieldError` for a fixed value that its field does not take.
    """
    names = successors(*({name: one.spec.renamed_from for name, one in fields.items()} for fields in (old, new)))
    kept = [
        FieldChange(name, names[name]) if name in names else FieldChange(name, None, *_fixed(old[name], fixed))
        for name in old
    ]
    lone = [name for name in new if name not in names.values()]
    return (*kept, *(FieldChange(None, name, *_fixed(new[name], fixed)) for name in lone))


def _fixed(field: Field, fixed: Mapping[str, object]) -> tuple[bool, Value | None]:
    """Return whether a field has a fixed value, and that value in its plain form."""
    value = fixed.get(field.name)
    try:
        return field.name in fixed, None if value is None else field.accept(value)
    except Misfit as misfit:
        raise FieldError("fixed value", field.name, value, str(misfit)) from None


class Comparison:
    """One kind held against what it becomes. `refusals` tells which values of a field another one refuses."""

    def __init__(self, way: Translation, refusals: Callable[[Field, Field], Refusal | None] = refusal) -> None:
        self._way = way
        self._refusals = refusals
        self._obstacles: list[Obstacle] = []
        self._sampled: dict[str, list[Value]] = {}

    def run(self) -> KindChange:
        """Return what becomes of the kind."""
        way = self._way
        self._look_at_lone_fields()
        self._look_at_values()
        if not any(one.extent == "all" for one in self._obstacles):
            self._look_at_cases()
        paths: Paths | None = None
        example: PathPair | None = None
        if not any(one.extent == "all" for one in self._obstacles):
            example = self._example
            paths = "same" if self._cases is not None and all(map(self._is_same, self._mapped)) else "unknown"
            if paths == "unknown" and example is not None and example.old_path != example.new_path:
                paths = "changed"
        return KindChange(way.old.name, way.new.name, way.fields, paths, example, tuple(self._obstacles))

    def _note(self, rule: Any, extent: Extent, message: str, **more: Any) -> None:
        self._obstacles.append(Obstacle(rule, extent, message, (self._way.old.name,), **more))

    def _note_refused(
        self, rule: Any, message: str, name: str, values: Sequence[Value], *, are_all: bool = True, **more: Any
    ) -> None:
        """Note that some values of a field are refused, or all, and so every key that has to have one."""
        if name not in self._way.old.optional and are_all:
            self._note(rule, "all", message, field=name, **more)
            return
        found = (self._refused_key(name, value) for value in values)
        examples = tuple(key for key in (next((one for one in found if one is not None), None),) if key is not None)
        self._note(rule, "some" if examples else "unknown", message, field=name, examples=examples, **more)

    # --- fields ------------------------------------------------------------------------------------------------------

    def _look_at_lone_fields(self) -> None:
        way = self._way
        for name, change in way.dropped.items():
            is_optional = name in way.old.optional
            if not change.is_fixed:
                advice = "say which value of it all artifacts have, or which field was `renamed_from` it"
                message = f"`{way.new.name}` has no `{name}`"
                self._note_refused("dropped-field", message, name, samples(way.old.fields[name]), help=advice)
            elif change.fixed is None and not is_optional:
                self._note("dropped-field", "all", f"`{name}` is never absent from `{way.old.name}`", field=name)
        for name, change in way.added.items():
            if change.fixed is None and name not in way.new.optional:
                advice = "say which value of it all artifacts have, or which field it was `renamed_from`"
                message = f"`{name}` is new, and no `{way.new.name}` is without it"
                self._note("new-field", "all", message, field=name, help=advice)

    def _look_at_values(self) -> None:
        way = self._way
        for old, new in way.renamed.items():
            source, target = way.old.fields[old], way.new.fields[new]
            refused = self._refusals(source, target)
            what = f"`{new}`" if old == new else f"`{old}`, which becomes `{new}`,"
            if refused is None:
                self._look_at_filters(old, new, what)
            elif refused.value is None:
                self._note("refused-value", "unknown", f"{what} may not take every value that it took", field=old)
            else:
                reason, _, taken = refused.reason.partition("; it takes ")
                message, are_all = f"{what} {reason}", refused.extent == "all"
                advice = f"it takes {taken}"
                self._note_refused("refused-value", message, old, [refused.value], are_all=are_all, help=advice)

    def _look_at_filters(self, old: str, new: str, what: str) -> None:
        """Note where the filters of a field may not write every value, as they need not if they did so before."""
        for variant in self._way.new.variants:
            for slot in _slots(variant, new):
                if not _writes_all(slot) and not self._wrote(old, slot):
                    values = [one for one in self._samples(old) if not [*slot.written([one])]]
                    message = f"{what} is written through filters that may not take every value"
                    self._note_refused("refused-value", message, old, values, are_all=False)
                    return

    def _wrote(self, name: str, slot: Slot) -> bool:
        """Whether every old path with a field has it through the same filters."""
        is_alike = _text_form(self._way.old.fields[name]) == _text_form(slot.field)
        variants = [one for one in self._way.old.variants if name in one.given]
        return is_alike and all(any(one.filters == slot.filters for one in _slots(v, name)) for v in variants)

    # --- cases -------------------------------------------------------------------------------------------------------

    @cached_property
    def _cases(self) -> list[Case] | None:
        with suppress(TooManyCases):
            return cases(self._way)
        return None

    @cached_property
    def _mapped(self) -> list[Case]:
        """The cases some of whose keys have a new one."""
        way = self._way
        refused = {old: self._refusals(way.old.fields[old], way.new.fields[new]) for old, new in way.renamed.items()}
        lost = {old for old, one in refused.items() if one is not None and one.extent == "all"}
        return [case for case in self._cases or () if case.new is not None and not lost & case.old.given.keys()]

    def _look_at_cases(self) -> None:
        way = self._way
        if self._cases is None:
            message = f"the conditions of `{way.old.name}` and `{way.new.name}` have too many outcomes to compare them"
            self._note("refused-combination", "unknown", message)
        elif not self._cases:
            self._note("refused-combination", "all", f"no `{way.old.name}` has the fixed values")
        told = set[str]()
        for case in self._cases or ():
            if case.new is not None:
                continue
            found = ((values, error) for values in self._values(case) if (error := self._error(values)))
            values, error = next(found, ({}, None))
            message = str(error) if error else f"values of `{way.old.name}` may not go together in `{way.new.name}`"
            if message not in told:
                told.add(message)
                extent: Extent = "unknown" if error is None else "some" if self._mapped else "all"
                examples = (way.old.key(values),) if extent == "some" else ()
                self._note("refused-combination", extent, message, examples=examples)

    # --- paths -------------------------------------------------------------------------------------------------------

    def _is_same(self, case: Case) -> bool:
        """Whether both variants of a case are the same pieces."""
        if case.new is None:
            return True
        return self._pieces(case, case.old, is_old=True) == self._pieces(case, case.new, is_old=False)

    def _pieces(self, case: Case, variant: Variant, *, is_old: bool) -> list[object]:
        """Return what a variant writes: texts, and new fields with the form that they are written in."""
        found: list[Any] = []
        for piece in variant.pieces:
            text = self._text(case, piece, is_old=is_old)
            if text is None and isinstance(piece, Slot):
                found.append(self._form(piece, is_old=is_old))
            elif text is not None and found and isinstance(found[-1], str):
                found[-1] += text
            else:
                found.append(text)
        return found

    def _text(self, case: Case, piece: Piece, *, is_old: bool) -> str | None:
        """Return what a piece writes, where that is known."""
        if not isinstance(piece, Slot):
            return piece.text
        name = piece.field.name
        if is_old and name in self._way.dropped:
            values = [self._way.dropped[name].fixed]
        else:
            new = self._way.renamed[name] if is_old else name
            values = [case.known[new]] if new in case.known else []
        return next(piece.written(values), None)

    def _form(self, slot: Slot, *, is_old: bool) -> tuple[object, ...]:
        """Return what tells how the values of a field are written: equal forms write equal texts."""
        way = self._way
        name = way.renamed.get(slot.field.name) if is_old else slot.field.name
        origin = next((old for old, new in way.renamed.items() if new == name), None)
        if origin is None:
            return name, slot.field, slot.filters
        source = way.old.fields[origin]
        filters = tuple(
            (one.name if one.is_built_in else one, arguments)
            for one, arguments in slot.filters
            if not self._is_idle(source, slot, one.name, arguments)
        )
        if not filters and slot.field.type == "date":
            filters = (("date", ("%Y-%m-%d",)),)
        return name, _text_form(slot.field), filters

    def _is_idle(self, source: Field, slot: Slot, name: str, arguments: tuple[Any, ...]) -> bool:
        """Whether the only filter of a slot leaves every value of the old field as it is written without."""
        if len(slot.filters) > 1:
            return False
        if name == "quote":
            return isinstance(source, StrField) and self._refusals(source, _PORTABLE) is None
        if name == "pad" and isinstance(source, IntField):
            least = 10 ** (arguments[0] - 1)
            return least == 1 or (source.min is not None and source.min >= least)
        return False

    # --- artifacts ---------------------------------------------------------------------------------------------------

    @cached_property
    def _example(self) -> PathPair | None:
        """An artifact by both layouts, one whose path changes if one is found."""
        first = None
        for values in self._candidates():
            pair = self._pair(values)
            if pair is not None and pair.old_path != pair.new_path:
                return pair
            first = first or pair
        return first

    def _candidates(self) -> Iterator[Mapping[str, Any]]:
        """Yield values to try: those of the layout's own examples are the most telling ones."""
        for example in self._way.old.examples:
            with suppress(FieldError):
                yield self._way.old.from_yaml(example.values)
        for case in self._mapped:
            yield from self._values(case)

    def _pair(self, values: Mapping[str, Any]) -> PathPair | None:
        way = self._way
        try:
            old = way.old.key(values)
            new = way.key(values)
        except FieldError:
            return None
        return PathPair(old, way.old.render(old.values).path, new, way.new.render(new.values).path)

    def _values(self, case: Case, **fixed: Value) -> Iterator[dict[str, Value]]:
        """Yield values of a case: all fields have their first sample, but one at a time has each of its others."""
        choices = {name: [fixed[name]] if name in fixed else self._choices(case, name) for name in case.old.given}
        if all(choices.values()):
            first = {name: some[0] for name, some in choices.items()}
            yield first
            yield from ({**first, name: one} for name, some in choices.items() for one in some[1:])

    def _choices(self, case: Case, name: str) -> Sequence[Value]:
        """Return values to try for an old field."""
        if name in case.old.equal:
            return [case.old.equal[name]]
        if name in self._way.dropped and self._way.dropped[name].fixed is not None:
            return [self._way.dropped[name].fixed]  # type: ignore[list-item]  # just seen
        new = self._way.renamed.get(name, "")
        if new in case.known:
            return [case.known[new]]
        ruled_out = (*case.ruled_out.get(new, ()), *case.old.unequal.get(name, ()))
        return [one for one in self._samples(name) if one not in ruled_out]

    def _samples(self, name: str) -> list[Value]:
        """Return values of an old field, such that the new one takes as well if there are any."""
        if name not in self._sampled:
            field, new = self._way.old.fields[name], self._way.renamed.get(name)
            both = samples(field, self._way.new.fields[new]) if new is not None else []
            self._sampled[name] = both or samples(field)
        return self._sampled[name]

    def _refused_key(self, name: str, value: Value) -> Key | None:
        """Return an old key with this value, which really has no new one."""
        for variant in self._way.old.variants:
            if name in variant.given:
                for values in self._values(Case(variant, None, {}, {}), **{name: value}):
                    if self._error(values) is not None:
                        return self._way.old.key(values)
        return None

    def _error(self, values: Mapping[str, Value]) -> FieldError | None:
        """Return why an old key has no new one, or `None` if it has one, or is none."""
        with suppress(FieldError):
            self._way.old.key(values)
            try:
                self._way.key(values)
            except FieldError as error:
                return error
        return None


def _slots(variant: Variant, name: str) -> list[Slot]:
    """Return the places of a variant where a field stands."""
    return [one for one in variant.pieces if isinstance(one, Slot) and one.field.name == name]


def _text_form(field: Field) -> str:
    """Return what fields have in common that write equal values alike."""
    return "text" if isinstance(field, StrField) else field.type


def _writes_all(slot: Slot) -> bool:
    """Whether the filters of a slot are sure to take every value of its field."""
    if not all(one.is_built_in for one, _ in slot.filters):
        return False
    if not isinstance(slot.field, DateField) or not slot.filters:
        return True
    # A format that keeps every part of one time keeps those of all; what stands between them is the same in all.
    unlimited = evolve(slot, field=type(slot.field)(slot.field.name, FieldSpec(slot.field.type)))
    return len([*unlimited.written([_TIME if slot.field.type == "datetime" else _TIME.date()])]) == 1


_TIME = datetime.datetime(2026, 1, 31, 12, 30, 15, 250_000)
