"""Amounts, as people read them."""

from __future__ import annotations

import pytest

from zarrange.stores.amounts import counted, in_bytes


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (1536, "1.5 KiB"),
        (1024**2 - 1, "1.0 MiB"),
        (1288490189, "1.2 GiB"),
        (5 * 1024**6, "5.0 EiB"),
        (5000 * 1024**6, "5,000.0 EiB"),
    ],
)
def test_bytes(number, text):
    """Bytes have a unit and one digit behind the point, and never 1024 of a unit."""
    assert in_bytes(number) == text


def test_counts():
    """A count has its noun, of one or of several."""
    assert counted(1, "run") == "1 run"
    assert counted(2000, "run", is_more=True) == "more than 2,000 runs"
    assert counted(2, "class") == "2 class"
