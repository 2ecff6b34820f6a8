"""The difference of two layouts against rendering for real: what it says of all keys holds for those enumerated."""

from __future__ import annotations

import re
from itertools import combinations, islice

import pytest
from hypothesis import HealthCheck, assume, event, given, settings, strategies as st
from tests.property.small_layouts import ALPHABETS, FAMILIES, enumerated_keys, templates

from zarrange.errors import FieldError, LayoutError, UnknownKindError
from zarrange.language.difference import difference
from zarrange.language.layout import Layout

MAX_KEYS = 60
"""How many keys of a kind are mapped."""

few = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow]
)


def loaded(text):
    try:
        return Layout.parse(text)
    except LayoutError as error:
        event(f"refused: {error.diagnostics[0].rule}")
        assume(False)  # noqa: FBT003 - how Hypothesis spells it


@st.composite
def pairs(draw, family):
    """The letters of two layouts, and both: the new one has the old one's fields and kinds, changed here and there."""
    letters = draw(st.sampled_from(ALPHABETS))
    escaped = [f"\\{one}" if one in ".-" else one for one in letters]
    specs = st.sampled_from(FAMILIES[family]).map(lambda one: one.format(*escaped) if "{{" in one else one)
    fields = dict(zip("xyz", draw(st.lists(specs, min_size=1, max_size=3)), strict=False))
    kinds = {name: draw(templates(family, letters, fields)) for name in draw(st.sampled_from([["k0"], ["k0", "k1"]]))}
    old = loaded(written(fields, kinds, {}))
    others = {name: draw(specs) if draw(st.integers(0, 3)) == 0 else spec for name, spec in fields.items()}
    fresh = templates(family, letters, others)
    changed = {name: draw(fresh) if draw(st.booleans()) else draw(edited(one, letters)) for name, one in kinds.items()}
    names = draw(st.sampled_from([{}, {}, {"x": "u"}, {"x": "u", "k0": "k2"}, {"k1": "k0"}, {"x": "y", "y": "x"}]))
    return letters, old, loaded(written(others, changed, names))


@st.composite
def edited(draw, template, letters):
    """A template that is nearly the given one."""
    form = draw(st.sampled_from(["same", "turned", "deeper", "filters", "filters", "filters", "fresh text"]))
    if form == "turned" and "%}" not in template:
        return "/".join(reversed(template.split("/")))
    if form == "deeper":
        return f"{draw(st.sampled_from(letters))}_/{template}"
    if form == "filters":
        swaps = [
            (" | quote", ""),
            (" | pad(2)", " | pad(3)"),
            (" | pad(3)", ""),
            ("%Y%m%d'", "%Y-%m-%d'"),
            (" }}", " | quote }}"),
        ]
        one, other = draw(st.sampled_from([one for one in swaps if one[0] in template] or swaps))
        return template.replace(one, other)
    return f"{template}{draw(st.sampled_from(letters))}" if form == "fresh text" else template


def written(fields, kinds, names):
    """The text of a layout in which things may have new names; one is not renamed to a name that is taken."""
    names = {old: new for old, new in names.items() if old in fields or old in kinds}
    taken = {*fields, *kinds} - names.keys()
    names = {old: new for old, new in names.items() if new not in taken and (new not in names or new in names.values())}
    back = {new: old for old, new in names.items()}
    if any(name in back and name not in names and (name in fields or name in kinds) for name in [*fields, *kinds]):
        names = {}

    def entry(name, text):
        now = names.get(name, name)
        return f"  {now}: {{{text}{f', renamed_from: {name}' if name in names else ''}}}"

    def path(text):
        return re.sub(r"\b([xyz])\b(?=[^{}]*[|}%]})", lambda one: names.get(one[1], one[1]), text) if names else text

    lines = ["zarrange: 1", "fields:", *(entry(name, spec[1:-1]) for name, spec in fields.items()), "files:"]
    for name, template in kinds.items():
        quoted = path(template).replace("'", "''")
        lines.append(entry(name, f"path: '{quoted}'"))
    return "\n".join([*lines, ""])


@st.composite
def fixed_values(draw, old, new):
    """Values for some of the fields that only one of the layouts has in a kind; most are taken."""
    found = {}
    for change in difference(old, new).kinds:
        for one in change.fields if change.new is not None else ():
            if (one.old is None or one.new is None) and draw(st.booleans()):
                field = (old.fields if one.new is None else new.fields)[one.old or one.new]
                found[field.name] = draw(st.sampled_from([*(field.choices or ()), "a", "b", 0, 1, True, 0.5, None]))
    return found


def different(old, new, fixed):
    try:
        return difference(old, new, fixed)
    except FieldError:
        event("a fixed value that does not fit")
        assume(False)  # noqa: FBT003 - how Hypothesis spells it


def mapped(found, key):
    """The new key, `None` where it is refused; a path that is wrong as a whole is nothing that is known before."""
    try:
        return found.key(key)
    except FieldError as error:
        assume("no proper path" not in error.reason)
        return None
    except UnknownKindError:
        return None


def usable(old, new):
    """The fields that only one of the layouts has in a kind that both have."""
    kinds = [change for change in difference(old, new).kinds if None not in {change.old, change.new}]
    return {one.old or one.new for change in kinds for one in change.fields if None in {one.old, one.new}}


def is_left(change, key):
    """Whether a key has the fixed values of fields that are dropped."""
    return all(key.values.get(one.old) == one.fixed for one in change.fields if one.new is None and one.is_fixed)


class TestAgainstRendering:
    """Whatever `difference` says of all keys is so for each key, and its examples are real ones."""

    @pytest.mark.parametrize("family", FAMILIES)
    @few
    @given(data=st.data())
    def test_what_is_said_holds(self, family, data):
        """Same paths are equal, no key is lost of a kind without problems, and what all keys lack every key lacks."""
        letters, old, new = data.draw(pairs(family))
        found = different(old, new, data.draw(fixed_values(old, new)))
        back = difference(new, old, {name: one for name, one in found.fixed.items() if name in usable(new, old)})
        places = []
        for change in found.kinds:
            if change.old is None:
                continue
            event(f"{change.paths}: {', '.join(sorted({f'{one.rule} {one.extent}' for one in change.problems}))}")
            for path, key in islice(enumerated_keys(old.kind(change.old), letters), MAX_KEYS):
                becomes = mapped(found, key)
                assert becomes is None or not any(one.extent == "all" for one in change.problems)
                if not is_left(change, key):
                    assert becomes is None
                    continue
                assert becomes is not None or change.problems
                if becomes is not None:
                    new_path = new.render(becomes.kind, **becomes.values).path
                    assert change.paths is not None
                    assert new_path == path or change.paths != "same"
                    if [one.new for one in found.kinds].count(change.new) == 1:
                        assert mapped(back, becomes) in {key, None}
                    places.append((path, new_path, old.kind(change.old).sort, change))
        assert_examples_hold(found)
        if found.is_lossless:
            event("lossless")
            assert_apart(places)

    @few
    @given(data=st.data())
    def test_a_layout_is_the_same_as_itself(self, data):
        """No layout differs from itself, renamed names included."""
        _, _, layout = data.draw(pairs(data.draw(st.sampled_from([*FAMILIES]))))
        found = difference(layout, layout)
        assert found.is_lossless
        assert found.is_same


def assert_apart(places):
    """Hold that artifacts that had nothing to do with each other do not share a path, or lie inside of one, now."""
    for (old, new, sort, _), (other_old, other_new, other_sort, _) in combinations(places, 2):
        assert new != other_new or old == other_old
        for outer, inner, outer_new, inner_new, outer_sort in (
            (old, other_old, new, other_new, sort),
            (other_old, old, other_new, new, other_sort),
        ):
            if outer_sort in {"array", "file"} and inner_new.startswith(f"{outer_new}/"):
                assert inner.startswith(f"{outer}/")


def assert_examples_hold(found):
    """Hold every example against what both layouts really render."""
    old, new = found.old, found.new
    for change in found.kinds:
        if change.example is not None:
            one = change.example
            assert (old.render(one.old.kind, **one.old.values).path, found.key(one.old)) == (one.old_path, one.new)
            assert new.render(one.new.kind, **one.new.values).path == one.new_path
            assert (one.old_path != one.new_path) == (change.paths == "changed")
        for problem in change.problems:
            assert (problem.extent == "some") == bool(problem.examples)
            for key in problem.examples:
                assert old.key(key.kind, **key.values) == key
                assert mapped(found, key) is None
    for clash in found.clashes:
        assert (clash.extent == "some") == bool(clash.examples)
        if clash.examples:
            outer, inner = (new.render(key.kind, **key.values).path for key in map(found.key, clash.examples))
            assert inner == outer if clash.rule == "shared-path" else inner.startswith(f"{outer}/")
