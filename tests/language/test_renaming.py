"""Which name becomes which: in both directions, in swaps and chains, and what a layout cannot say."""

from __future__ import annotations

import pytest

from zarrange.language.renaming import contradictions, successors


def names(text):
    """Names as `a b<c`: `b` was called `c`."""
    return {name: before or None for name, _, before in (one.partition("<") for one in text.split())}


@pytest.mark.parametrize(
    ("source", "target", "expected"),
    [
        ("a b", "a b", "a>a b>b"),
        ("a b", "b c", "b>b"),
        ("a", "b<a", "a>b"),
        ("a c", "b<a c", "a>b c>c"),
        ("a b", "a<b b<a", "a>b b>a"),
        ("a b c", "b<a c<b a<c", "a>b b>c c>a"),
        ("a b", "b<a c<b", "a>b b>c"),
        ("a b", "b<a", "a>b"),
        ("b", "b<a", "b>b"),
        ("b<a", "b<a", "b>b"),
        ("a<b b<a", "a<b b<a", "a>a b>b"),
        ("b<a", "b a", "b>b"),
        ("b<a", "c<b", "b>c"),
        ("a", "c<b", ""),
        ("x", "", ""),
        ("", "x", ""),
    ],
)
def test_what_becomes_what(source, target, expected):
    """A renaming that one side says, and that was not done before, counts; else a name stays; each is taken once."""
    found = successors(names(source), names(target))
    assert " ".join(f"{old}>{new}" for old, new in found.items()) == expected


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("a", "b<a"),
        ("a c", "b<a c"),
        ("a b", "a<b b<a"),
        ("a b c", "b<a c<b a<c"),
        ("a b", "b<a c<b"),
        ("a b", "a b"),
        ("b<a", "c<b"),
        ("b<a", "b<a"),
    ],
)
def test_the_way_back_is_the_way_reversed(source, target):
    """What became new names by a renaming becomes the old ones again, swaps and chains included."""
    there, back = successors(names(source), names(target)), successors(names(target), names(source))
    assert back == {new: old for old, new in there.items()}


def test_names_may_merge():
    """A name that something else becomes stays as well, where two may become one."""
    assert successors(names("a b"), names("b<a"), may_merge=True) == {"a": "b", "b": "b"}
    assert successors(names("a b"), names("a<b b<a"), may_merge=True) == {"a": "b", "b": "a"}


@pytest.mark.parametrize("text", ["a b", "b<a", "a<b b<a", "b<a c<b", "a<c b<a"])
def test_what_can_be_said(text):
    """A name that was given on is free for something else."""
    assert list(contradictions(names(text))) == []


@pytest.mark.parametrize(
    ("text", "name", "message", "other"),
    [
        ("a<a", "a", "`a` is renamed from itself", None),
        ("a b<a", "b", "`b` is renamed from `a`, which is still declared", "a"),
        ("b<a a", "b", "`b` is renamed from `a`, which is still declared", "a"),
        ("b<a c<a", "c", "`b` and `c` are both renamed from `a`", "b"),
    ],
)
def test_what_cannot(text, name, message, other):
    """One thing has become one other at most, and has no name that is still in use."""
    (found,) = contradictions(names(text))
    assert (found.name, found.message, found.other) == (name, message, other)
    assert found.help
