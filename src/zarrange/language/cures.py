"""Cures: what to write so that two artifacts do not clash, each tried by proving again before it is given.

A cure is something that a field's values must not be: what the counter-example has where the other kind's template has
a text or a number, the separator of two fields, a slash. Where none of them is enough, the advice is a general one.
"""

from __future__ import annotations

import json
import re
from itertools import pairwise
from typing import TYPE_CHECKING

from attrs import frozen

from zarrange.language.fields import IntField, StrField
from zarrange.language.patterns import Language, PatternError
from zarrange.language.proof import prove
from zarrange.language.ranges import NOTHING
from zarrange.language.slots import Slot

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from zarrange.language.automaton import Budget
    from zarrange.language.fields import Field
    from zarrange.language.kinds import Kind
    from zarrange.language.proof import Clash
    from zarrange.language.variants import Piece, Segment

__all__ = ["ALL_STEPS", "cure_for"]

MAX_TRIED = 12
"""How many cures are tried for one clash."""
MAX_STEPS = 20_000
"""How many steps are spent on trying one."""
ALL_STEPS = 60_000
"""How many steps are spent on all cures of a layout."""
MAX_LENGTH = 100
"""Nobody writes a longer pattern of a text."""
GENERAL = {
    "ambiguous-template": "separate the fields by `/`, or by a text that they cannot have",
    "overlapping-kinds": "begin one of the two paths with a folder of its own",
    "nested-kinds": "begin one of the two paths with a folder of its own",
}


@frozen
class _Cure:
    """Values of some fields that are to be excluded, by a pattern; `what` says them in words."""

    fields: tuple[Field, ...]
    pattern: str
    what: str

    def __str__(self) -> str:
        names = " and ".join(f"`{field.name}`" for field in self.fields)
        has_some = any(field.spec.exclude for field in self.fields)
        how = f"add {_as_yaml(self.pattern)} to its `exclude`" if has_some else f"`exclude: [{_as_yaml(self.pattern)}]`"
        return f"keep {names} from {self.what}: {how}"

    def is_harmless(self, kinds: Mapping[str, Kind]) -> bool:
        """Whether no example and no condition of any kind has such a value."""
        excluded = Language([self.pattern])
        values = [value for kind in kinds.values() for field in self.fields for value in _said(kind, field.name)]
        return not any(isinstance(value, str) and excluded.fullmatch(value) for value in values)

    def helps(self, clash: Clash, kinds: Mapping[str, Kind], budget: Budget) -> bool:
        """Whether the kinds do not clash like this any more, and still have paths."""
        try:
            without = prove(kinds, {field.name: (self.pattern,) for field in self.fields}, budget.part(MAX_STEPS))
        except PatternError:  # together with the field's own patterns it is too large
            return False
        return (
            without.is_complete
            and not without.empty
            and clash.rule not in {one.rule for one in without.clashes if one.kinds == clash.kinds}
        )


def cure_for(clash: Clash, kinds: Mapping[str, Kind], budget: Budget) -> str:
    """Return what would keep two kinds of a layout from clashing: a special cure, as far as the budget lasts."""
    concerned = {name: kinds[name] for name in clash.kinds}
    tried: set[_Cure] = set()
    for cure in _cures(clash, concerned):
        if cure not in tried and len(tried) < MAX_TRIED:
            tried.add(cure)
            if cure.is_harmless(kinds) and cure.helps(clash, concerned, budget):
                return str(cure)
    if clash.rule == "ambiguous-template" and len({frozenset(key.values) for key, _ in clash.readings}) > 1:
        return "let the branches of the condition differ by a text that no field can have"
    return GENERAL[clash.rule]


def _said(kind: Kind, name: str) -> Iterator[object]:
    """The values that a kind's examples and conditions give a field."""
    yield from (example.values.get(name) for example in kind.examples)
    for variant in kind.variants:
        yield variant.equal.get(name)
        yield from variant.unequal.get(name, ())


def _cures(clash: Clash, kinds: Mapping[str, Kind]) -> Iterator[_Cure]:
    """The cures worth trying, the most special first."""
    for (key, _), (another, _) in (clash.readings, clash.readings[::-1]) if clash.readings else ():
        fields = [kinds[key.kind].fields[name] for name in key.values]
        texts = [field for field in fields if isinstance(field, StrField) and field.choices is None]
        for pattern, what in _patterns(kinds[another.kind], [str(key.values[field.name]) for field in texts]):
            taken = Language([pattern if len(pattern) <= MAX_LENGTH else NOTHING])
            same = [field for field in texts if taken.fullmatch(str(key.values[field.name]))]
            yield from (_Cure((field,), pattern, f"being {what}") for field in same)
            if len(same) > 1:
                yield _Cure(tuple(same), pattern, f"being {what}")
        for field in texts:
            for separator in _separators(kinds[key.kind], field):
                # A dot takes no line break, which quoted texts may have.
                some = r"[\s\S]*" if field.charset.name == "text" else ".*"
                if len(separator) <= MAX_LENGTH:
                    yield _Cure((field,), f"{some}{_escaped(separator)}{some}", f"having `{separator}`")
        for field in texts:
            if field.type == "path":
                yield _Cure((field,), ".*/.*", "having slashes")


def _patterns(kind: Kind, values: Sequence[str]) -> Iterator[tuple[str, str]]:
    """What stands in a kind's paths where another has some values, as far as it can be said in a few words."""
    segments = [*dict.fromkeys(segment for variant in kind.variants for segment in variant.segments())]
    for value in values:
        if any(value in one.text for segment in segments for one in segment if not isinstance(one, Slot)):
            yield _escaped(value), f"`{value}`"
        if value.isdigit() and any(isinstance(field, IntField) for field in kind.fields.values()):
            yield "[0-9]+", "a number"
    for segment in segments:
        if any(isinstance(one, Slot) for one in segment) and all(map(_is_plain, segment)):
            pieces = ["[0-9]+" if isinstance(one, Slot) else _escaped(one.text) for one in segment]
            yield "".join(pieces), f"like `{_example(segment)}`"


def _is_plain(piece: Piece) -> bool:
    return not isinstance(piece, Slot) or isinstance(piece.field, IntField)


def _example(segment: Segment) -> str:
    return "".join("1" if isinstance(one, Slot) else one.text for one in segment)


def _separators(kind: Kind, field: Field) -> Iterator[str]:
    """The texts that stand beside a field in its segments."""
    for variant in kind.variants:
        for segment in variant.segments():
            for pair in pairwise(segment):
                for one, other in (pair, pair[::-1]):
                    if isinstance(one, Slot) and one.field is field and not isinstance(other, Slot):
                        yield other.text


def _as_yaml(pattern: str) -> str:
    """Return a pattern as YAML has it, quoted where it must be."""
    if re.fullmatch("[A-Za-z][A-Za-z0-9_]*", pattern) and pattern.lower() not in {"true", "false", "null"}:
        return pattern
    return f"'{pattern}'" if "\\" in pattern and "'" not in pattern else json.dumps(pattern, ensure_ascii=False)


def _escaped(text: str) -> str:
    """Return a text as a pattern of it alone, with no more backslashes than it takes."""
    return re.sub(r"[.^$*+?{}\[\]|()\\]", r"\\\g<0>", text)
