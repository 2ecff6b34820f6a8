"""Splitting paths: by segments where that is certain, with what going by characters finds, and no more memory."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, strategies as st

from zarrange import Layout
from zarrange.errors import AmbiguousPathError
from zarrange.language import splitting
from zarrange.language.splitting import is_by_segments

LAYOUT = """\
zarrange: 1
fields:
  n: {type: int, min: 1, max: 120}
  a: {type: str}
  where: {type: path}
  then: {type: path, exclude: [b/b]}
  odd: {type: path, pattern: "a(b|a/a|c/a)*", charset: unicode}
  few: {type: path, choices: [a, a/b, b/a/a]}
files:
  whole: {path: "{{ where }}"}
  two: {path: "{{ where }}/{{ then }}"}
  between: {path: "a/{{ where }}/b-{{ n | pad(2) }}.c/{{ then }}"}
  patterned: {path: "{{ odd }}/a/{{ few }}"}
  again: {path: "{{ where }}/b/{{ where }}"}
  optional: {path: "{% if a is defined %}{{ a }}/{% endif %}{{ where }}/a"}
  split: {path: "{{ a }}-{{ n }}/{{ where }}"}
  joined: {path: "x{{ where }}"}
"""
SEGMENTS = ["a", "b", "a-3", "b-07.c", "b-7.c", "b-120.c", "b-121.c", "ab", "aba", "c", "é", "xa", "-", "b-.c"]


@pytest.fixture(scope="module")
def layout():
    return Layout.parse(LAYOUT)


def both(layout, path):
    """What is read in a path in both ways."""
    matcher = layout._assembly.matcher
    return matcher.matches(path), matcher.readings_by_characters(path)


def test_which_variants_go_by_segments(layout):
    """Slots that share a segment with another one, and texts beside a slot of several segments, need characters."""
    by_segments = {kind.name: {*map(is_by_segments, kind.variants)} for kind in layout.kinds.values()}
    assert {name for name, found in by_segments.items() if found == {False}} == {"split", "joined"}
    assert {*map(len, by_segments.values())} == {1}


@given(st.lists(st.sampled_from(SEGMENTS), min_size=1, max_size=7).map("/".join))
def test_both_ways_read_the_same(layout, path):
    """Whatever the path, going by segments finds the keys that going by characters does."""
    quick, clear = both(layout, path)
    assert quick == clear
    assert [layout.render(key.kind, **key.values).path for key in quick] == [path] * len(quick)


@pytest.mark.parametrize(
    ("path", "kinds"),
    [
        ("a/a/b-07.c/x", ["between"]),
        ("a/a/b-7.c/x", []),  # two digits are asked for
        ("a/a/b-121.c/x", []),
        ("a/a/b-.c/x", []),
        ("ac/a/a/a/b", ["patterned"]),
        ("a/a/b/a/a", ["again", "patterned"]),
        ("aa/a/a/a/b", ["patterned"]),
        ("a/c/a/b", []),
        ("x/b/x", ["again"]),
        ("x/y/b/x/y", ["again"]),
        ("x/b/y", []),
    ],
)
def test_by_example(layout, path, kinds):
    """Texts, bounds, patterns, choices and repeated fields hold for segments, too."""
    quick, clear = both(layout, path)
    assert quick == clear
    chosen = {"between", "patterned", "again"}
    assert [key.kind for key in quick if key.kind in chosen] == kinds


def test_very_many_ways():
    """A path with very many ways to be read is an error, at once; two of its readings are found without the others."""
    deep = Layout.parse(
        "zarrange: 1\nfields:\n"
        + "".join(f"  {name}: {{type: path}}\n" for name in "abcd")
        + "files: {one: {path: '{{ a }}/{{ b }}/{{ c }}/{{ d }}'}}\n"
    )
    path = "/".join("x" * 400)
    with pytest.raises(AmbiguousPathError, match="can be split in too many ways"):
        deep.matches(path)
    with pytest.raises(AmbiguousPathError) as caught:
        deep.match(path)
    assert len(caught.value.keys) == 2


def test_what_is_remembered_is_bounded(monkeypatch):
    """More segments than are remembered are read as rightly, by several threads at once, too."""
    monkeypatch.setattr(splitting, "MAX_REMEMBERED", 8)
    layout = Layout.parse(LAYOUT)
    paths = [f"a/p{number}/q/b-{number % 100:02}.c/r{number}" for number in range(300)]
    with ThreadPoolExecutor(4) as threads:
        found = [*threads.map(layout.matches, paths)]
    assert found == [*map(layout._assembly.matcher.readings_by_characters, paths)]
    sizes = [
        len(remembered)
        for one in layout._assembly.matcher._others
        for read in one._reads
        for remembered in (getattr(read.language, "_known", {}), getattr(read.language, "_states", {}))
        if isinstance(remembered, dict)
    ]
    assert 0 < max(sizes) <= 8 + 4
