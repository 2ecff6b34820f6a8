"""Colors of labels: stable, transparent for nothing, and well apart for neighbors."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, strategies as st

from zarrange.view.colors import COUNT, label_colors, palette

LABELS = st.integers(-(2**63), 2**64 - 1)


def color(label, dtype):
    return tuple(label_colors(np.array([[label]], dtype))[0, 0].tolist())


class TestStable:
    @pytest.mark.parametrize("dtype", ["u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f2", "f4", "f8", ">i4", ">f8"])
    def test_any_type(self, dtype):
        """A label has the same color whatever its data type."""
        assert [color(label, dtype) for label in range(100)] == [color(label, "i8") for label in range(100)]

    def test_booleans(self):
        """True is label 1."""
        assert (color(label=True, dtype="?"), color(label=False, dtype="?")) == (color(1, "u8"), (0, 0, 0, 0))

    @given(label=LABELS, others=st.lists(LABELS, max_size=5))
    def test_whatever_is_beside_it(self, label, others):
        """A label has the same color whatever else is in the picture."""
        dtype = "u8" if max(label, *others, 0) >= 2**63 else "i8"
        values = [one % 2**64 if dtype == "u8" else one for one in (label, *others)]
        alone = label_colors(np.array([[values[0]]], dtype))
        assert (label_colors(np.array([values], dtype))[0, 0] == alone[0, 0]).all()

    def test_these_colors(self):
        """The colors are these: links and reports of today are to look the same tomorrow."""
        assert [color(label, "u8")[:3] for label in (1, 2, 3, 4, 5, 1000, 2**40)] == KNOWN

    @pytest.mark.parametrize("label", [2**63 - 1, 2**53 + 1, -1, -(2**63)])
    def test_large_ones(self, label):
        """Labels that no float holds are told from those beside them, and negative ones have colors too."""
        assert color(label, "i8")[3] == 255
        assert color(label, "i8") != color(label + 1 if label < 0 else label - 1, "i8")


KNOWN = [(255, 147, 51), (147, 125, 250), (82, 214, 64), (235, 0, 96), (9, 131, 184), (9, 184, 177), (250, 158, 125)]


class TestNothing:
    @pytest.mark.parametrize("dtype", ["?", "u1", "i8", "u8", "f4"])
    def test_zero(self, dtype):
        """Label 0 is transparent, and nothing else is."""
        assert color(0, dtype) == (0, 0, 0, 0)
        assert (palette()[1:, 3] == 255).all()
        assert label_colors(np.arange(1, 3 * COUNT).reshape(1, -1))[..., 3].min() == 255

    def test_what_is_no_number(self):
        """NaN is transparent, infinities are labels like others, and nothing warns."""
        found = label_colors(np.array([[np.nan, np.inf, -np.inf, 0.4, 0.6]]))
        assert found[0, :, 3].tolist() == [0, 255, 255, 0, 255]

    def test_shape(self):
        """There is one color for each value."""
        found = label_colors(np.zeros((3, 5), "u1"))
        assert (found.shape, found.dtype) == ((3, 5, 4), np.dtype("u1"))


class TestApart:
    @pytest.mark.parametrize("step", [1, 2, 3, 4, 5, 10, 100, *(2**power for power in (4, 5, 8, 10, 16, 20, 32, 40))])
    def test_neighbors(self, step):
        """Labels at the distances that labels usually have differ well: nearly all pairs are far apart."""
        labels = np.arange(1, 2000, dtype="i8")
        here, there = (label_colors(one.reshape(1, -1))[0, :, :3].astype(float) for one in (labels, labels + step))
        distances = np.sqrt(((here - there) ** 2).sum(-1))
        assert np.percentile(distances, 5) > 40
        assert np.median(distances) > 75

    def test_seen_on_gray(self):
        """No label is black, white or gray."""
        colors = palette()[1:, :3].astype(int)
        assert (colors.max(-1) - colors.min(-1)).min() > 100
