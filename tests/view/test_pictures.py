"""Pictures of slices: which pixel a value becomes, and how large a picture is."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given, strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

from zarrange.view.colors import label_colors
from zarrange.view.pictures import image, picture, value_range
from zarrange.view.slices import Cut, Slice


def of(values, *, is_labels=False):
    return Slice(np.asarray(values), (), Cut(), is_labels=is_labels)


def pixels(values, **options):
    """The mode and the pixels of the PNG of some values."""
    with Image.open(io.BytesIO(picture(of(values), **options))) as read:
        assert read.format == "PNG"
        return read.mode, np.asarray(read)


def expected(values, low, high):
    """What each value is to be: worked out with as many digits as there are."""
    wide = np.asarray(values).astype(np.longdouble)
    return np.floor(np.clip((wide - low) / (np.longdouble(high) - np.longdouble(low)), 0, 1) * 255 + 0.5)


class TestRange:
    def test_finite_values_count(self):
        """The range goes from the least to the greatest value that is a finite number."""
        assert value_range(np.array([[np.nan, 3, -np.inf], [7, np.inf, 5]])) == (3.0, 7.0)
        assert value_range(np.array([[3, 250]], "u1")) == (3.0, 250.0)
        assert value_range(np.array([[True, False]])) == (0.0, 1.0)

    @pytest.mark.parametrize("values", [[[np.nan]], [[np.inf, -np.inf]], np.zeros((0, 3))])
    def test_none(self, values):
        """Without a finite number, there is no range."""
        assert value_range(np.asarray(values)) is None


class TestGray:
    @pytest.mark.parametrize("dtype", ["u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f2", "f4", "f8"])
    def test_each_value(self, dtype):
        """Of each data type, the least value is black, the greatest white, and the others lie evenly between."""
        values = (np.arange(200).reshape(10, 20) % 101 + (0 if dtype[0] == "u" else -50)).astype(dtype)
        mode, found = pixels(values)
        assert mode == "L"
        assert np.array_equal(found, expected(values, int(values.min()), int(values.max())))

    def test_booleans(self):
        """False is black and true is white, where they are not wanted as labels."""
        assert pixels(np.array([[True, False]]))[1].tolist() == [[255, 0]]

    def test_a_given_range(self):
        """What is beyond a given range has the color of its end."""
        assert pixels(np.array([[-1.0, 0, 1, 2, 3]]), range=(0, 2))[1].tolist() == [[0, 0, 128, 255, 255]]
        assert pixels(np.array([[0, 100, 200]], "u1"), range=(-100, 100))[1].tolist() == [[128, 255, 255]]

    def test_a_range_that_goes_down(self):
        """A range that goes down turns black and white round."""
        assert pixels(np.array([[0.0, 1, 2]]), range=(2, 0))[1].tolist() == [[255, 128, 0]]

    @pytest.mark.parametrize("dtype", ["u1", "i8", "f4", "f8"])
    @pytest.mark.parametrize("value", [0, 1, 100])
    def test_all_the_same(self, dtype, value):
        """Where all values are the same, they are black."""
        assert pixels(np.full((2, 3), value, dtype))[1].tolist() == [[0, 0, 0]] * 2

    def test_a_range_of_one_number(self):
        """Of a range of one number, what is above is white."""
        assert pixels(np.array([[0.9, 1, 1.1]]), range=(1, 1))[1].tolist() == [[0, 0, 255]]

    @pytest.mark.parametrize("span", [(0, np.inf), (np.nan, 1), (-np.inf, np.inf)])
    def test_a_range_that_is_none(self, span):
        """A range has two finite ends."""
        with pytest.raises(ValueError, match="from one number to another"):
            picture(of([[1.0, 2.0]]), range=span)

    @pytest.mark.parametrize(
        ("values", "shades"),
        [
            ([[-1.7e308, 0, 1.7e308]], [0, 128, 255]),
            ([[0, 5e-324, 1e-323]], [0, 128, 255]),
            (np.array([[-3e38, 0, 3e38]], "f4"), [0, 128, 255]),
            (np.array([[-6e4, 0, 6e4]], "f2"), [0, 128, 255]),
            (np.array([[2**53, 2**53 + 2, 2**53 + 4]], "i8"), [0, 128, 255]),
            (np.array([[0, 2**63, 2**64 - 1]], "u8"), [0, 128, 255]),
            (np.array([[-(2**63), 0, 2**63 - 1]], "i8"), [0, 128, 255]),
        ],
    )
    def test_very_large_and_very_small(self, values, shades):
        """Ranges that are as wide or as narrow as numbers can be are shown like others, without a warning."""
        assert pixels(np.asarray(values))[1][0].tolist() == shades

    @given(
        values=arrays.arrays(
            st.sampled_from(["f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u8", "?"]).map(np.dtype), (3, 4)
        )
    )
    def test_any_values(self, values):
        """Whatever the values are, a picture has their shape, and no larger value is darker."""
        found = np.asarray(image(of(values)).convert("LA")).astype(int)
        assert found.shape == (3, 4, 2)
        is_number = ~np.isnan(values) if values.dtype.kind == "f" else np.ones((3, 4), bool)
        assert np.array_equal(found[..., 1] == 255, is_number)
        order = np.argsort(values[is_number], kind="stable")
        assert (np.diff(found[..., 0][is_number][order]) >= 0).all()


class TestNoNumber:
    def test_transparent(self):
        """What is not a number is transparent, and infinities have the colors of the ends."""
        mode, found = pixels(np.array([[np.nan, 0, 1], [np.inf, -np.inf, 2]]))
        assert mode == "LA"
        assert found.tolist() == [[[0, 0], [0, 255], [128, 255]], [[255, 255], [0, 255], [255, 255]]]

    @pytest.mark.parametrize("dtype", ["f2", "f4", "f8"])
    def test_nothing_else(self, dtype):
        """A picture of NaN only is wholly transparent."""
        mode, found = pixels(np.full((3, 4), np.nan, dtype))
        assert (mode, found.shape, found.any()) == ("LA", (3, 4, 2), False)

    def test_infinities_only(self):
        """Infinities without a number beside them are black and white."""
        assert pixels(np.array([[np.inf, -np.inf]]))[1].tolist() == [[255, 0]]


class TestLabels:
    def test_colors(self):
        """Labels have their colors, and label 0 is transparent."""
        values = np.arange(12).reshape(3, 4)
        mode, found = pixels(values, labels=True)
        assert mode == "RGBA"
        assert np.array_equal(found, label_colors(values))
        assert found[0, 0, 3] == 0

    def test_what_the_type_suggests(self):
        """Unless it is said, a slice's data type tells whether its numbers are labels."""
        values = np.arange(4).reshape(2, 2)
        assert image(of(values, is_labels=True)).mode == "RGBA"
        assert image(of(values)).mode == "L"
        assert image(of(values, is_labels=True), labels=False).mode == "L"


class TestSize:
    @pytest.mark.parametrize("labels", [True, False])
    @pytest.mark.parametrize(
        ("shape", "size", "found"),
        [
            ((100, 50), 10, (5, 10)),
            ((50, 100), 10, (10, 5)),
            ((7, 7), 3, (3, 3)),
            ((10, 20), 20, (20, 10)),
            ((10, 20), 1000, (20, 10)),
            ((1, 10_000), 16, (16, 1)),
            ((10_000, 1), 16, (1, 16)),
            ((5, 5), 1, (1, 1)),
        ],
    )
    def test_at_most(self, labels, shape, size, found):
        """A thumbnail has at most so many pixels a side, is never enlarged, and keeps its proportions."""
        assert image(of(np.ones(shape, "u4")), labels=labels, size=size).size == found

    @pytest.mark.parametrize("size", [0, -1])
    def test_none(self, size):
        """A picture has at least one pixel."""
        with pytest.raises(ValueError, match="at least one pixel"):
            picture(of([[1.0]]), size=size)

    def test_gray_is_averaged(self):
        """Gray thumbnails show the mean of what they leave out, and what is no number takes no part in it."""
        values = np.tile([0.0, 1.0], (4, 2))
        assert np.abs(np.asarray(image(of(values), size=2)).astype(int) - 128).max() <= 1
        values[:, ::2] = np.nan
        values[0, 1] = 0
        found = np.asarray(image(of(values), size=2))
        assert found[1, 0, 0] == 255
        assert 0 < found[1, 0, 1] < 255

    def test_labels_are_not_mixed(self):
        """Thumbnails of labels have colors of labels only."""
        values = np.random.default_rng(0).integers(0, 9, (64, 64))
        found = np.asarray(image(of(values), labels=True, size=16)).reshape(-1, 4)
        assert {*map(tuple, found.tolist())} <= {*map(tuple, label_colors(np.arange(9).reshape(1, -1))[0].tolist())}
