"""Folds of values, and how they are said."""

from __future__ import annotations

import datetime
from itertools import pairwise

import pytest
from hypothesis import given, strategies as st

from zarrange.stores.overview.folds import MAX_VALUES, Fold, Values, written


def folded(type_, values, *, absent=0, unclear=0):
    fold = Fold(type_)
    for value in values:
        fold.add(value)
    fold.absent, fold.unclear = absent, unclear
    return fold.made("x")


def day(number):
    return datetime.date(2026, 1, number)


class TestOrdered:
    @pytest.mark.parametrize(
        ("values", "said"),
        [
            ([], "none"),
            ([1000], "1000"),
            ([2000, 1000], "1000, 2000"),
            ([0, 1, 7], "0, 1, 7"),
            (range(1000, 91000, 1000), "1000 … 90000, step 1000 (90)"),
            (reversed(range(1000, 91000, 1000)), "1000 … 90000, step 1000 (90)"),
            ([*range(1000, 88000, 1000), 90000], "1000 … 90000 (88)"),
            ([-3, -1, 1, 3], "-3 … 3, step 2 (4)"),
        ],
    )
    def test_numbers(self, values, said):
        """Whole numbers are a range with its step where that is even, and a few are listed."""
        assert str(folded("int", values)) == said

    def test_days(self):
        """Days are a range as well, with a step in days."""
        assert str(folded("date", [day(1), day(2), day(3), day(4)])) == "2026-01-01 … 2026-01-04, step 1 day (4)"
        assert str(folded("date", [day(1), day(8), day(15), day(22)])) == "2026-01-01 … 2026-01-22, step 7 days (4)"
        assert str(folded("date", [day(1), day(2), day(3), day(9)])) == "2026-01-01 … 2026-01-09 (4)"

    def test_times(self):
        """Times have a step in hours, minutes and seconds; one of microseconds is not told."""
        start = datetime.datetime(2026, 1, 1)
        hours = [start + datetime.timedelta(hours=6 * at) for at in range(4)]
        assert str(folded("datetime", hours)) == "2026-01-01T00:00:00 … 2026-01-01T18:00:00, step 6:00:00 (4)"
        ticks = [start + datetime.timedelta(microseconds=at) for at in range(4)]
        assert folded("datetime", ticks).step is None

    def test_numbers_with_a_point_have_no_step(self):
        """Floats are ordered, but nobody can count on their differences."""
        assert str(folded("float", [0.1, 0.2, 0.3, 0.4])) == "0.1 … 0.4 (4)"

    def test_the_last_day_of_all_ends_a_range(self):
        """A range that ends with the last day that there is does not go on behind it."""
        days = [datetime.date.max - datetime.timedelta(days=at) for at in (3, 2, 1, 0)]
        assert folded("date", days).count == 4

    @given(st.lists(st.integers(-30, 30)))
    def test_any_order_gives_the_same(self, numbers):
        """What is said of numbers is that of their set, in whatever order and however often they come."""
        values = folded("int", numbers)
        distinct = sorted(set(numbers))
        steps = {later - earlier for earlier, later in pairwise(distinct)}
        assert values.count == len(distinct)
        assert values.some == tuple(distinct if len(distinct) <= 5 else distinct[:3])
        assert (values.first, values.last) == ((distinct[0], distinct[-1]) if distinct else (None, None))
        assert values.step == (steps.pop() if len(steps) == 1 else None)
        assert values == folded("int", distinct)


class TestListed:
    def test_a_few_are_listed(self):
        """Up to five names are listed, in order."""
        assert str(folded("str", ["crop2", "crop1", "crop2"])) == "crop1, crop2"
        assert str(folded("str", "edcba")) == "a, b, c, d, e"

    def test_of_many_the_first_are(self):
        """Of more names, the first three are listed, and how many there are."""
        assert str(folded("str", [f"crop{at}" for at in range(1, 251)])) == "crop1, crop10, crop100, … (250)"

    def test_fewer_if_asked_for(self):
        """Whoever has little room asks for fewer; then the count says what is missing."""
        assert folded("str", "abc").parts(1) == (["a"], ", … (3)")

    def test_what_some_do_not_have(self):
        """Artifacts without the field, and those whose readings differ in it, are counted."""
        assert str(folded("str", ["a"], absent=2)) == "a (2 without)"
        assert str(folded("str", [], absent=2)) == "none"
        assert str(folded("str", [], absent=2, unclear=1)) == "unclear (2 without)"
        assert str(folded("str", [], unclear=1)) == "unclear"
        assert str(folded("int", range(9), absent=1, unclear=2)) == "0 … 8, step 1 (9; 1 without; 2 unclear)"

    def test_readings(self):
        """An artifact counts with its value if all its readings agree in it."""
        fold = Fold("str")
        for readings in (["a"], ["a", "a"], ["a", "b"], ["a", None], [None, None], [None]):
            fold.take(readings)
        assert fold.made("x") == Values("x", 1, ("a",), absent=2, unclear=2)


class TestLimits:
    def test_names_beyond_the_limit(self):
        """Of very many names, it is said that there are more than were told apart."""
        values = folded("str", [f"{at:06}" for at in range(MAX_VALUES + 5)])
        assert str(values) == "000000, 000001, 000002, … (more than 10,000)"

    def test_numbers_beyond_the_limit(self):
        """Numbers by even steps are counted whatever their number; others have at least their ends right."""
        assert str(folded("int", range(3 * MAX_VALUES))) == "0 … 29999, step 1 (30,000)"
        assert str(folded("int", [*range(3 * MAX_VALUES), 10**6])) == "0 … 1000000 (more than 10,000)"
        assert folded("int", [5, 1, *range(0, 4 * MAX_VALUES, 2)]).is_more


class TestWords:
    @pytest.mark.parametrize(
        ("value", "text"),
        [
            ("t=0.5", "t=0.5"),
            ("日本語", "日本語"),
            ("a b", "'a b'"),
            ("a, b", "'a, b'"),
            ("a\x1b[31m", "'a\\x1b[31m'"),
            ("\u202egnp", "'\\u202egnp'"),
            ("\udcff", "'\\udcff'"),
            ("\\x1b", "'\\\\x1b'"),
            ("", "''"),
            ("x" * 81, f"'{'x' * 79}…'"),
            (True, "True"),
            (0.5, "0.5"),
            (day(1), "2026-01-01"),
            ((64, 32), "64x32"),
            ((), "()"),
        ],
    )
    def test_values(self, value, text):
        """A value that could be mistaken for something else, or act on a screen, is quoted."""
        assert written(value) == text

    @given(st.text(st.characters()))
    def test_nothing_acts_on_a_screen(self, value):
        """Whatever a name has in it, what is written of it can be printed."""
        assert written(value).isprintable()
