"""Ranges of whole numbers as regular expressions: every number between the bounds, and nothing else."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings, strategies as st

from zarrange.language.patterns import Builder, Language
from zarrange.language.ranges import NOTHING, decimal_range

LARGEST = 10**40 - 1
numbers = st.integers(-LARGEST, LARGEST) | st.integers(-1200, 1200)


def texts_of(low, high, width):
    return {f"{number:0{width}d}" for number in range(low, high + 1)}


class TestDecimalRange:
    """`decimal_range` matches the texts `f"{value:0{width}d}"` of the numbers from one bound to the other."""

    @pytest.mark.parametrize("width", [1, 2, 3, 5])
    def test_every_small_range(self, width):
        """In small ranges of either sign, exactly the numbers between the bounds match, in exactly one form."""
        texts = {f"{number:0{pad}d}" for number in range(-125, 126) for pad in range(1, 7)} | {"", "-", "-0", "--1"}
        for low in range(-120, 121, 7):
            for high in range(low - 1, 121, 11):
                own = re.compile(decimal_range(low, high, width))
                assert {text for text in texts if own.fullmatch(text)} == texts_of(low, high, width), (low, high)

    @settings(max_examples=300, deadline=None)
    @given(numbers, numbers, numbers, st.integers(1, 64))
    def test_any_range(self, one, other, number, width):
        """Of ranges of any size: the bounds match, the numbers beside them do not, and any number as it compares."""
        low, high = sorted((one, other))
        own = re.compile(decimal_range(low, high, width))
        for value in (number, low - 1, low, low + 1, high - 1, high, high + 1, 0, low // 10, high * 10, -low, -high):
            assert bool(own.fullmatch(f"{value:0{width}d}")) == (low <= value <= high)

    @settings(max_examples=100, deadline=None)
    @given(numbers, numbers, numbers, st.integers(1, 45), st.integers(1, 45))
    def test_padding(self, one, other, number, width, pad):
        """A number that is padded to another width does not match."""
        low, high = sorted((one, other))
        text = f"{number:0{pad}d}"
        matches = bool(re.fullmatch(decimal_range(low, high, width), text))
        assert matches == (low <= number <= high and text == f"{number:0{width}d}")

    @pytest.mark.parametrize(("low", "high"), [(1, 0), (5, -5), (-5, -6)])
    def test_empty(self, low, high):
        """Bounds with nothing in between have a pattern that matches nothing."""
        assert decimal_range(low, high) == NOTHING
        assert [text for text in ("", "0", "1", "-", "\n", "\U0010ffff") if Language([NOTHING]).fullmatch(text)] == []

    @pytest.mark.parametrize(
        ("low", "high", "most"),
        [
            (0, LARGEST, 100),
            (-LARGEST, LARGEST, 200),
            (1, 2**31, 150),
            (-(2**63), 2**63 - 1, 500),
            (int("1234567890" * 4), int("9876543210" * 4), 1000),
        ],
    )
    def test_size(self, low, high, most):
        """Patterns are small: a few hundred states for the largest bounds."""
        builder = Builder(2000)
        builder.add(decimal_range(low, high))
        assert len(builder.nodes) <= most
