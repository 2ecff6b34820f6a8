"""Random small layouts, and all their clashes among the values over three letters: what the proof is held against.

What is enumerated comes from rendering alone; it knows nothing of automata. Each family of layouts draws its fields and
the forms of its templates from another part of the language.
"""

from __future__ import annotations

import datetime
from itertools import combinations, product
from math import prod

from hypothesis import strategies as st

from zarrange.errors import FieldError
from zarrange.language.fields import BoolField, DateField, FloatField, IntField, PathField
from zarrange.language.slots import Slot

MAX_KEYS = 400
"""How many keys of one kind are enumerated."""

ALPHABETS = ["a0-", "ab_", "a1.", "b=0", "aAx", "01_", "a-."]
BEYOND = ["aéb", "a%2", "é0-", "a&%", "a~0"]
"""Alphabets of fields that take more than portable characters, or are quoted."""

PLAIN = ["{type: str}", "{type: str}", "{type: str, charset: unicode}"]
LIMITED = [
    "{{type: str, max_length: 1}}",
    "{{type: str, max_length: 2}}",
    "{{type: str, pattern: '[{0}{1}]+'}}",
    "{{type: str, pattern: '{0}{{1,2}}'}}",
    "{{type: str, pattern: '{0}*{1}'}}",
    "{{type: str, pattern: '(?:{0}{1}|{1})+'}}",
    "{{type: str, pattern: '[^{0}]+', max_length: 3}}",
    "{{type: str, exclude: ['.*{2}.*']}}",
    "{{type: str, exclude: ['{0}', '{1}.*']}}",
    "{{type: str, exclude: ['[0-9]+']}}",
    "{{type: str, charset: unicode, pattern: '.{{2}}', exclude: ['{0}{0}']}}",
    "{{type: str, choices: ['{0}', '{1}', '{0}{1}']}}",
    "{{type: str, choices: ['{0}{1}{0}', '{0}{0}']}}",
]
NUMBERS = [
    "{type: int}",
    "{type: int, min: 0}",
    "{type: int, min: 0, max: 10}",
    "{type: int, min: 9, max: 101}",
    "{type: int, min: -1, max: 1}",
    "{type: int, choices: [0, 1, 10]}",
]
PATHS = [
    "{{type: path}}",
    "{{type: path, charset: unicode}}",
    "{{type: path, max_length: 3}}",
    "{{type: path, exclude: ['.*/.*/.*']}}",
    "{{type: path, pattern: '{0}/.*'}}",
    "{{type: path, exclude: ['{0}(?:/.*)?']}}",
    "{{type: path, choices: ['{0}', '{0}/{1}']}}",
]
QUOTED = [
    "{{type: str, charset: text}}",
    "{{type: str, charset: unicode}}",
    "{{type: str, charset: text, max_length: 2}}",
    "{{type: str, charset: text, exclude: ['.*{2}.*']}}",
    "{{type: str, charset: text, pattern: '[{0}{1}]+'}}",
]
OTHERS = [
    "{type: bool}",
    "{type: date, min: 1010-01-09, max: 1010-01-11}",
    "{type: date, min: 0999-12-31, max: 1000-01-01}",
    "{type: float, min: 0, max: 1}",
    "{type: float, choices: [0.5, 1.0]}",
    "{type: datetime, min: '1010-01-01T00:00:00', max: '1010-01-01T00:00:01'}",
]
FILTERS = {
    "int": ["", "", " | pad(2)", " | pad(3)"],
    "date": ["", " | date('%Y%m%d')", " | date('%d.%m.%Y')"],
    "datetime": [" | date('%Y%m%dT%H%M%S')"],
    "text": [" | quote"],
}
FAMILIES = {
    "texts": PLAIN,
    "patterns": [*LIMITED, "{{type: str}}"],
    "numbers": [*NUMBERS, "{type: str}"],
    "paths": [*PATHS, "{{type: str}}"],
    "quoted": QUOTED,
    "others": [*OTHERS, "{type: str}", "{type: int, min: 0}"],
    "branches": ["{{type: str}}", *LIMITED[:6], LIMITED[-2], *(f"{{{one}}}" for one in NUMBERS)],
    "repeated": ["{{type: str}}", *LIMITED, "{{type: int, min: 0}}"],
}
"""What the fields of a layout of each family are made from."""


@st.composite
def small_layouts(draw, family):
    """The letters of a layout, and its text: up to four kinds, of up to three fields."""
    beyond = BEYOND if family == "quoted" else [*ALPHABETS, BEYOND[0]] if family == "texts" else []
    letters = draw(st.sampled_from(beyond or ALPHABETS))
    specs = draw(st.lists(st.sampled_from(FAMILIES[family]), min_size=1, max_size=3))
    escaped = [f"\\{one}" if one in ".-" else one for one in letters]
    specs = [one.format(*escaped) if "{{" in one else one for one in specs]
    fields = dict(zip("xyz", specs, strict=False))
    is_deep = draw(st.booleans())
    lines = ["zarrange: 1", "fields:", *(f"  {name}: {spec}" for name, spec in fields.items())]
    template = templates(family, letters, fields)
    if is_deep:
        lines += ["containers:", f"  box: {{path: {_yaml(draw(template))}}}", "arrays:"]
    else:
        lines += ["containers: {box: {path: '{{ x }}'}}", "files:"] if draw(st.booleans()) else ["files:"]
    inner = "container: box, " if is_deep else ""
    for at in range(draw(st.integers(1, 2))):
        lines.append(f"  k{at}: {{{inner}path: {_yaml(draw(template))}}}")
    if is_deep:
        section = draw(st.sampled_from(["groups", "files", "files"]))
        path = _yaml(draw(template))
        lines += [f"{section}:", f"  other: {{{inner if section == 'groups' else ''}path: {path}}}"]
    return letters, "\n".join([*lines, ""])


@st.composite
def templates(draw, family, letters, fields):
    """A template of one to three segments over some letters and fields."""
    literals = _literals(letters)
    names = st.sampled_from(sorted(fields))
    unused = set(fields)
    segments = []
    for _ in range(draw(st.sampled_from([1, 1, 2, 2, 3]))):
        parts = []
        for _ in range(draw(st.sampled_from([1, 1, 2, 3]))):
            name = draw(names)
            is_new = name in unused or family == "repeated"
            if is_new and draw(st.booleans()):
                unused.discard(name)
                parts.append(draw(_branches(family, letters, name, fields[name])))
            else:
                parts.append(draw(literals))
        segments.append("".join(parts))
    return "/".join(segments)


@st.composite
def _branches(draw, family, letters, name, spec):
    """A field, as it is or in a condition."""
    slot = draw(_slots(name, spec))
    literal = draw(_literals(letters))
    forms = ["plain", "optional", "either", "equal", "segment"] if family == "branches" else ["plain"]
    form = draw(st.sampled_from(forms))
    if form == "optional":
        return f"{literal}{{% if {name} is defined %}}{slot}{{% endif %}}"
    if form == "either":
        return f"{{% if {name} is defined %}}{slot}{{% else %}}{literal}{{% endif %}}"
    if form == "segment":
        return f"{{% if {name} is defined %}}{slot}/{{% endif %}}{literal}"
    if form == "equal":
        value = "0" if "int" in spec else f"'{draw(st.sampled_from(letters))}'"
        return f"{{% if {name} == {value} %}}{literal}{{% else %}}{slot}{{% endif %}}"
    return slot


def _literals(letters):
    return st.text(letters, min_size=1, max_size=2)


def _slots(name, spec):
    kind = next((one for one in ("datetime", "date", "int") if f"type: {one}" in spec), "str")
    if "charset: text" in spec:
        kind = "text"
    filters = FILTERS.get(kind, ["", "", " | quote"] if "unicode" in spec else [""])
    return st.sampled_from(filters).map(lambda one: f"{{{{ {name}{one} }}}}")


def _yaml(text):
    return "'" + text.replace("'", "''") + "'"


# --- enumeration -----------------------------------------------------------------------------------------------------


def enumerated_clashes(layout, letters):
    """Every clash among a layout's paths of enumerated values: (rule, kinds) → how long the shortest path is.

    Of nested artifacts the inner one's path counts.
    """
    order = list(layout.kinds)
    keys = {}  # of each path
    for kind in layout.kinds.values():
        for path, key in enumerated_keys(kind, letters):
            keys.setdefault(path, []).append(key)
    found = {}
    for rule, one, other, path in _clashes(layout, keys):
        what = rule, tuple(sorted({one.kind, other.kind}, key=order.index))
        found[what] = min(found.get(what, len(path)), len(path))
    return found


def _clashes(layout, keys):
    for path, some in keys.items():
        for one, other in combinations(some, 2):
            yield "ambiguous-template" if one.kind == other.kind else "overlapping-kinds", one, other, path
        ends = [at for at, character in enumerate(path) if character == "/"]
        outers = [outer for end in ends for outer in keys.get(path[:end], ())]
        for outer, inner in product(outers, some):
            if layout.kind(outer.kind).sort in {"array", "file"}:
                yield "nested-kinds", outer, inner, path


def enumerated_keys(kind, letters):
    """The paths and keys of a kind, for values of letters up to the length that there are not too many of."""
    for length in (4, 3, 2, 1):
        choices = {name: _values(field, letters, length) for name, field in kind.fields.items()}
        for name in kind.optional:
            choices[name] = [None, *choices[name]]
        if prod(map(len, choices.values())) <= MAX_KEYS or length == 1:
            break
    for values in product(*choices.values()):
        given = {name: value for name, value in zip(choices, values, strict=True) if value is not None}
        try:
            path = kind.render(given).path
        except FieldError:
            continue
        yield path, kind.key(given)


def _values(field, letters, length):
    """Values of a field over some letters; not all of them fit."""
    if field.choices is not None:
        return list(field.choices)
    if isinstance(field, BoolField):
        return [True, False]
    if isinstance(field, FloatField):
        return [0.0, 0.5, 1.0, 0.1]
    if isinstance(field, DateField):
        step = datetime.timedelta(days=1) if field.type == "date" else datetime.timedelta(seconds=1)
        return [field.min + at * step for at in range(3)]
    if isinstance(field, IntField):
        numbers = [0, 1, -1, 10, 11, 9, 100, 101, -10] if length > 1 else [0, 1, -1, 10]
        return [one for one in numbers if _fits(field, one)]
    if isinstance(field, PathField):
        letters = f"{letters}/"
    texts = ["".join(one) for n in range(1, length + 1) for one in product(letters, repeat=n)]
    return [one for one in texts if _fits(field, one)]


def _fits(field, value):
    try:
        field.accept(value)
    except ValueError:
        return False
    return True


def may_be_undecided(kind):
    """Whether a field stands twice in one of a kind's paths, or what it writes is not regular."""
    for variant in kind.variants:
        slots = [one for one in variant.pieces if isinstance(one, Slot)]
        if len({one.field.name for one in slots}) < len(slots) or not all(one.is_regular for one in slots):
            return True
    return False
