"""Where a plot's lines, marks and ticks are."""

from __future__ import annotations

import datetime
import math
from itertools import pairwise

import pytest
from hypothesis import given, strategies as st

from zarrange.web.pages.plot import MAX_MARKS, SHAPES, Point, Size, plot

SIZE = Size()
INSIDE_X = (SIZE.left, SIZE.width - SIZE.right)
INSIDE_Y = (SIZE.top, SIZE.height - SIZE.bottom)
numbers = st.floats(allow_nan=False, allow_infinity=False)
places = st.one_of(
    st.lists(st.integers(-(10**39), 10**39), min_size=1, max_size=8, unique=True),
    st.lists(st.dates(), min_size=1, max_size=8, unique=True),
    st.lists(st.datetimes(), min_size=1, max_size=8, unique=True),
)


def points(values, steps=None):
    return [Point(step, value) for step, value in zip(steps or range(len(values)), values, strict=False)]


def labels(ticks):
    return [one.label for one in ticks]


def is_inside(plot):
    marks = [mark for line in plot.lines for mark in line.marks]
    across = [*(mark.x for mark in marks), *(tick.at for tick in plot.xs)]
    up = [*(mark.y for mark in marks), *(tick.at for tick in plot.ys)]
    return all(INSIDE_X[0] - 0.1 <= x <= INSIDE_X[1] + 0.1 for x in across) and all(
        INSIDE_Y[0] - 0.1 <= y <= INSIDE_Y[1] + 0.1 for y in up
    )


class TestPlot:
    @given(places, st.data(), st.booleans())
    def test_all_of_it_is_inside_whatever_the_numbers_are(self, steps, data, is_log):
        """Every mark and every tick is inside of the axes, for numbers and places of any size."""
        values = data.draw(st.lists(numbers, min_size=len(steps), max_size=len(steps)))
        made = plot([points(values, sorted(steps))], SIZE, is_log=is_log)

        kept = [one for one in values if one > 0 or not is_log]
        assert (made is None) == (not kept)
        assert made is None or (is_inside(made) and made.skipped == len(values) - len(kept))

    @given(st.lists(numbers, min_size=2, max_size=6), st.booleans())
    def test_order_is_kept(self, values, is_log):
        """A greater value is never drawn below a smaller one."""
        made = plot([points(values)], SIZE, is_log=is_log)
        marks = [] if made is None else sorted(made.lines[0].marks, key=lambda mark: mark.point.value)

        assert all(before.y >= after.y for before, after in pairwise(marks))

    def test_ticks_are_round_numbers_at_their_places(self):
        """Ticks are round, evenly spaced, and exactly where such a value would be."""
        made = plot([points([0.2, 0.9], [1000, 12000])], SIZE)

        assert labels(made.xs) == ["2,000", "4,000", "6,000", "8,000", "10,000", "12,000"]
        assert labels(made.ys) == ["0.2", "0.3", "0.4", "0.5", "0.6", "0.7", "0.8", "0.9"]
        first, last = made.lines[0].marks
        assert (made.ys[0].at, made.ys[-1].at) == (first.y, last.y)
        assert made.xs[-1].at == last.x

    def test_a_slider_of_whole_numbers_has_no_ticks_between_them(self):
        """The ticks of a slider of few whole numbers are these."""
        assert labels(plot([points([1, 2, 3])], SIZE).xs) == ["0", "1", "2"]

    def test_a_single_point_is_in_the_middle(self):
        """One point alone is drawn in the middle, with ticks around it."""
        made = plot([[Point(1000, 0.5)]], SIZE)

        assert made.lines[0].marks[0].x == pytest.approx(sum(INSIDE_X) / 2, abs=0.1)
        assert labels(made.xs) == ["999", "1,000", "1,001"]

    def test_days_have_ticks_of_days(self):
        """A slider of days has days at its ticks."""
        days = [datetime.date(2026, 1, 31) + datetime.timedelta(days=one) for one in range(5)]

        assert labels(plot([points([1, 2, 3, 4, 5], days)], SIZE).xs) == [day.isoformat() for day in days]

    def test_a_logarithmic_scale_has_powers_of_ten(self):
        """On a logarithmic scale ticks are powers of ten, equally far apart."""
        made = plot([points([1e-4, 1, 1e4])], SIZE, is_log=True)

        assert labels(made.ys) == ["0.0001", "0.001", "0.01", "0.1", "1", "10", "100", "1,000", "10,000"]
        gaps = [before.at - after.at for before, after in pairwise(made.ys)]
        assert max(gaps) - min(gaps) < 0.2

    def test_no_logarithm_of_nothing(self):
        """Points of 0 or less are skipped on a logarithmic scale, and counted."""
        made = plot([points([-1, 0, 10, 100])], SIZE, is_log=True)

        assert (made.skipped, len(made.lines[0].marks)) == (2, 2)

    def test_very_many_points_have_fewer_marks(self):
        """A line goes through all of its points, but only some have marks where there are very many."""
        made = plot([points([math.sin(one) for one in range(5000)])], SIZE)

        assert len(made.lines[0].marks) <= MAX_MARKS
        assert made.lines[0].path.count("L") == 4999

    def test_lines_are_told_apart_without_colors(self):
        """Neighboring lines differ in the form of their marks, and no two of the first 40 look the same."""
        lines = plot([points([one, one]) for one in range(40)], SIZE).lines

        assert all(before.shape != after.shape for before, after in pairwise(lines))
        assert len({(one.color, one.shape, one.dash) for one in lines}) == 40
        assert {one.shape for one in lines} == set(SHAPES)

    def test_nothing_is_no_plot(self):
        """Without any point there is no plot."""
        assert plot([], SIZE) is None
        assert plot([[]], SIZE) is None
