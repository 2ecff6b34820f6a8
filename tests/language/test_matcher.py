"""Reading paths back: several slots in a segment, slots of several segments, and what it costs."""

from __future__ import annotations

import pytest

from zarrange import Key, Layout
from zarrange.errors import AmbiguousPathError
from zarrange.language.lattice import Lattice
from zarrange.language.matcher import is_simple
from zarrange.language.patterns import Language

FIELDS = """\
zarrange: 1
fields:
  a: {type: str}
  b: {type: str}
  n: {type: int}
  m: {type: int, min: 3, max: 12}
  where: {type: path}
  then: {type: path}
  odd: {type: str, pattern: "[a-c]+", exclude: [abc]}
"""


def layout_of(*paths):
    files = ", ".join(f"k{at}: {{path: '{path}'}}" for at, path in enumerate(paths))
    return Layout.parse(f"{FIELDS}files: {{{files}}}")


def readings(layout, path):
    """The values of every reading, and the promise that both ways of matching find them."""
    matcher = layout._assembly.matcher
    assert matcher.matches(path) == matcher.readings_by_characters(path)
    return [dict(key.values) for key in layout.matches(path)]


class TestReadings:
    def test_texts_around_a_slot(self):
        """A slot may have texts before and behind it in its segment."""
        layout = layout_of("run-{{ a }}.d/{{ n }}s")
        assert readings(layout, "run-x.d/7s") == [{"a": "x", "n": 7}]
        assert readings(layout, "run-.d/7s") == readings(layout, "run-x/7s") == readings(layout, "run-x.d/s") == []

    def test_texts_that_overlap(self):
        """The text before a slot and the one behind it do not share characters."""
        layout = layout_of("aba{{ a }}aba")
        assert readings(layout, "ababa") == readings(layout, "abaaba") == []
        assert readings(layout, "abaxaba") == [{"a": "x"}]

    def test_several_slots_in_a_segment(self):
        """Where texts between slots can be part of their values, every split is a reading."""
        layout = layout_of("{{ a }}-{{ b }}")
        assert readings(layout, "x-y") == [{"a": "x", "b": "y"}]
        assert readings(layout, "x-y-z") == [{"a": "x", "b": "y-z"}, {"a": "x-y", "b": "z"}]
        with pytest.raises(AmbiguousPathError, match="several readings: k0"):
            layout.match("x-y-z")
        assert readings(layout_of("{{ a }}{{ n }}"), "x12") == [{"a": "x", "n": 12}, {"a": "x1", "n": 2}]

    def test_slots_of_several_segments(self):
        """A path field takes as many segments as the rest leaves."""
        layout = layout_of("{{ where }}/x/{{ n }}")
        assert readings(layout, "a/b/x/7") == [{"n": 7, "where": "a/b"}]
        assert readings(layout, "a/x/x/7") == [{"n": 7, "where": "a/x"}]
        assert readings(layout, "x/7") == readings(layout, "/x/7") == readings(layout, "a//x/7") == []

    def test_a_repeated_field_has_one_value(self):
        """Where a field stands twice, both must say the same."""
        layout = layout_of("{{ a }}/{{ a }}.zarr", "{{ b }}-{{ b }}")
        assert readings(layout, "x/x.zarr") == [{"a": "x"}]
        assert readings(layout, "x/y.zarr") == []
        assert readings(layout, "x-x-x-x") == [{"b": "x-x"}]

    def test_bounds_hold_for_what_is_read(self):
        """A number outside of its bounds is no value, read either way."""
        layout = layout_of("{{ m }}", "{{ m | pad(3) }}", "p{{ m }}-{{ a }}")
        assert [readings(layout, path) for path in ("2", "3", "12", "13", "012", "002", "p13-x", "p4-x")] == [
            *([], [{"m": 3}], [{"m": 12}], [], [{"m": 12}], [], [], [{"a": "x", "m": 4}])
        ]

    def test_numbers_of_any_size(self):
        """Large and negative numbers are read where the field has no bounds."""
        layout = layout_of("{{ n }}/{{ n | pad(3) }}")
        for number, path in [(10**20, f"{10**20}/{10**20}"), (-7, "-7/-07"), (0, "0/000"), (1000, "1000/1000")]:
            assert layout.render("k0", n=number).path == path
            assert readings(layout, path) == [{"n": number}]
        assert [readings(layout, path) for path in ("-0/-00", "00/000", "1000/01000", f"{10**40}/{10**40}")] == [[]] * 4

    def test_patterns_and_exclusions_hold(self):
        """A text that the pattern or the exclusion is against does not match."""
        layout = layout_of("{{ odd }}", "{{ odd }}-{{ n }}")
        assert [bool(readings(layout, path)) for path in ("abc", "abca", "d", "abc-1", "abca-1")] == [
            *(False, True, False, False, True)
        ]

    def test_two_kinds_may_share_a_path(self):
        """Kinds that the layout does not keep apart are all found, in order."""
        layout = layout_of("{{ a }}/x", "{{ a }}/{{ b }}")
        assert layout.matches("1/x") == (Key("k0", {"a": "1"}), Key("k1", {"a": "1", "b": "x"}))


class TestCost:
    def test_what_is_simple_takes_the_fast_way(self):
        """One slot a segment is read by the compiled function; anything else by the lattice."""
        layout = layout_of("x/{{ a }}/{{ n | pad(3) }}-y", "{{ a }}-{{ b }}", "{{ where }}/x")
        assert [is_simple(kind.variants[0]) for kind in layout.kinds.values()] == [True, False, False]
        assert all(
            is_simple(variant)
            for name in ("training", "hive", "ome-zarr-plate", "cellmap")
            for kind in Layout.load(name).kinds.values()
            for variant in kind.variants
        )

    def test_the_lattice_is_linear(self, monkeypatch):
        """Splitting a text that is twice as long takes about twice the steps, however many splits there are."""
        steps = []
        step = Language.step
        monkeypatch.setattr(Language, "step", lambda *arguments: steps.append(1) or step(*arguments))
        counts = []
        for length in (100, 200, 400):
            steps.clear()
            language = Language(["(?:a|b|ab)+"])
            splits = Lattice([language, "a", language, "a", language, "c"], "ab" * (length // 2) + "c").splits()
            assert next(splits)
            counts.append(len(steps))
        assert counts[1] < 3 * counts[0]
        assert counts[2] < 3 * counts[1]

    def test_too_many_splits_are_an_error_and_not_a_wait(self):
        """A path that can be split in very many ways, all wrong in the end, is given up with an error."""
        layout = layout_of("{{ n }}{{ n | pad(2) }}{{ n | pad(3) }}{{ n | pad(4) }}")
        with pytest.raises(AmbiguousPathError, match="can be split in too many ways to try them all"):
            layout.matches("1" * 120)

    def test_a_field_that_is_repeated_often_is_no_search(self):
        """Where a field stands several times in the same form, its first text tells all the others."""
        layout = layout_of("{{ n }}{{ n }}{{ n }}/{{ n }}{{ n }}{{ n }}")
        path = layout.render("k0", n=10**19).path
        assert layout.matches(path) == (Key("k0", {"n": 10**19}),)

    def test_two_readings_are_found_without_all_the_others(self):
        """`match` stops at the second reading of a path that has very many."""
        layout = layout_of("{{ where }}/{{ then }}")
        path = "/".join("x" * 300)
        with pytest.raises(AmbiguousPathError) as caught:
            layout.match(path)
        assert len(caught.value.keys) == 2
        assert len(layout.matches(path)) == 299


class TestLattice:
    def test_all_splits_are_found(self):
        """Every way to split a text is found, once."""
        language = Language(["[ab]+"])
        splits = list(Lattice([language, "-", language], "a-b").splits())
        assert splits == [("a", "b")]
        assert sorted(Lattice([language, language], "abab").splits()) == [("a", "bab"), ("ab", "ab"), ("aba", "b")]

    def test_no_piece_is_empty(self):
        """A language that has the empty text gives no empty piece."""
        assert list(Lattice([Language(["a*"]), "b"], "b").splits()) == []
        assert list(Lattice([Language(["a*"])], "").splits()) == []

    def test_texts_alone_need_no_languages(self):
        """Pieces that are texts match that text only."""
        assert list(Lattice(["a", "b"], "ab").splits()) == [()]
        assert list(Lattice(["a", "b"], "abc").splits()) == list(Lattice(["a"], "b").splits()) == []
