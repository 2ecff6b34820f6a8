"""What the dimensions of an array are, by its metadata, its groups', or none."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from zarrange.view.axes import Axis, axes

OME = {
    "axes": [
        {"name": "c", "type": "channel"},
        {"name": "z", "type": "space", "unit": "micrometer"},
        {"name": "y", "type": "space", "unit": "micrometer"},
        {"name": "x", "type": "space", "unit": "micrometer"},
    ],
    "datasets": [
        {"path": "0", "coordinateTransformations": [{"type": "scale", "scale": [1, 2, 0.5, 0.5]}]},
        {
            "path": "deep/1",
            "coordinateTransformations": [
                {"type": "scale", "scale": [1, 2, 1, 1]},
                {"type": "translation", "translation": [0, 0, 0.25, 0.25]},
            ],
        },
    ],
    "coordinateTransformations": [{"type": "scale", "scale": [1, 10, 10, 10]}],
}


def names(found):
    return "".join(one.name for one in found)


def roles(found):
    return " ".join(one.role for one in found)


class TestNames:
    @pytest.mark.parametrize(
        ("count", "expected"),
        [(0, ""), (1, "x"), (2, "yx"), (3, "zyx"), (4, "czyx"), (5, "tczyx"), (7, "d0d1tczyx")],
    )
    def test_without_any_they_go_by_position(self, count, expected):
        """Dimensions that nobody names are x, y and z from the last one on, then channels, then time."""
        assert names(axes((3,) * count, {})) == expected

    def test_dimension_names(self):
        """An array's `dimension_names` are its axes."""
        assert names(axes((1, 2, 3), {}, ["t", "y", "x"])) == "tyx"

    @pytest.mark.parametrize("key", ["_ARRAY_DIMENSIONS", "axis_names", "axes"])
    @pytest.mark.parametrize("written", [["t", "y", "x"], "tyx", [{"name": "t"}, {"name": "y"}, {"name": "x"}]])
    def test_attributes(self, key, written):
        """Each attribute that is used for names is read, as a list, as letters, or as objects."""
        assert names(axes((1, 2, 3), {key: written})) == "tyx"

    def test_a_caret_is_left_out(self):
        """The mark of a dimension that is not in space is no part of its name."""
        found = axes((2, 3, 4, 5), {"axis_names": ["c^", "z", "y", "x"]})
        assert (names(found), roles(found)) == ("czyx", "channel index plane plane")

    def test_order(self):
        """`dimension_names` count more than attributes, and among these `_ARRAY_DIMENSIONS` counts most."""
        attributes = {"axes": "cba", "_ARRAY_DIMENSIONS": ["p", "q", "r"]}
        assert names(axes((1, 2, 3), attributes, ["k", "l", "m"])) == "klm"
        assert names(axes((1, 2, 3), attributes)) == "pqr"

    @pytest.mark.parametrize("written", [["a", "b"], ["", "", ""], [1, 2, 3], 7, None, {"a": "b"}, ["z:1", "a,b", "@"]])
    def test_what_cannot_be_used_is_left_out(self, written):
        """Names that are not as many as dimensions, or that no cut could say, are as if they were not there."""
        assert names(axes((1, 2, 3), {"axes": written})) == "zyx"

    @pytest.mark.parametrize(
        ("written", "expected"),
        [
            (["x", "x", "x"], "xyd2"),
            (["a", None, "x"], "ayx"),
            (["y", None, "x"], "yd1x"),
            (["d1", None, "y"], "d1d2y"),
        ],
    )
    def test_each_stands_once(self, written, expected):
        """A name that is missing, or stands twice, is replaced by one that is free."""
        assert names(axes((1, 2, 3), {}, written)) == expected


class TestRoles:
    @pytest.mark.parametrize(
        ("written", "expected"),
        [
            ("x", "plane"),
            ("yx", "plane plane"),
            ("cx", "plane plane"),
            ("xyz", "index plane plane"),
            ("yxc", "plane plane channel"),
            ("zyxc", "index plane plane channel"),
            ("ycx", "plane channel plane"),
            ("czyx", "channel index plane plane"),
            ("tzyx", "index index plane plane"),
            ("tczyx", "index channel index plane plane"),
        ],
    )
    def test_the_plane_is_last(self, written, expected):
        """The picture is of the last two dimensions, channels left aside as long as two are left."""
        assert roles(axes((2,) * len(written), {"axes": written})) == expected

    @pytest.mark.parametrize("name", ["channel", "Channel", "channels", "C"])
    def test_what_a_channel_is_called(self, name):
        """A channel is known by its name, however it is written."""
        assert roles(axes((2, 3, 4), {}, [name, "y", "x"])) == "channel plane plane"

    def test_four_dimensions(self):
        """The first of four dimensions without names is the channel, and with other names it is not."""
        assert roles(axes((2, 3, 4, 5), {})) == "channel index plane plane"
        assert roles(axes((2, 3, 4, 5), {"axes": "tzyx"})) == "index index plane plane"


class TestScales:
    @pytest.mark.parametrize("key", ["voxel_size", "resolution"])
    def test_of_the_array(self, key):
        """An array's attributes say how large voxels are, where the first one is, and in which units."""
        found = axes((4, 5, 6), {key: [40, 4, 4], "offset": [80, 0, -4], "units": ["nm", "nm", "nm"]})
        assert found == (
            Axis("z", 4, "index", 40.0, "nm", 80.0),
            Axis("y", 5, "plane", 4.0, "nm", 0.0),
            Axis("x", 6, "plane", 4.0, "nm", -4.0),
        )

    def test_of_the_space_only(self):
        """As many numbers as there are dimensions beside the channels are theirs, and one unit is for all."""
        found = axes((4, 5, 2), {"axes": "yxc", "voxel_size": [4, 8], "units": "nm"})
        assert [(one.name, one.scale, one.unit) for one in found] == [
            ("y", 4.0, "nm"),
            ("x", 8.0, "nm"),
            ("c", None, None),
        ]

    def test_of_the_last_ones(self):
        """Fewer numbers than dimensions in space are of the last ones."""
        assert [one.scale for one in axes((9, 4, 5), {"axes": "tyx", "voxel_size": [4, 8]})] == [None, 4.0, 8.0]

    @pytest.mark.parametrize(
        "written",
        [[1, 0, 1], [1, -1, 1], ["1", "1", "1"], [True, 1, 1], [float("nan"), 1, 1], [10**400, 1, 1], 3, "abc"],
    )
    def test_nonsense(self, written):
        """A scale that no voxel can have is left out."""
        assert [one.scale for one in axes((4, 5, 6), {"voxel_size": written})] == [None, None, None]

    @pytest.mark.parametrize("unit", ["", "x" * 100, "a\nb", 7, None])
    def test_units_that_are_none(self, unit):
        """What is no short line of text is no unit."""
        assert axes((4,), {"voxel_size": [1], "units": [unit]})[0].unit is None


class TestMultiscales:
    @pytest.mark.parametrize("wrapped", [True, False])
    def test_of_the_group(self, wrapped):
        """Names, scales and units are those of the level in the group's multiscale, of OME-Zarr 0.4 and 0.5."""
        group = {"ome": {"multiscales": [OME]}} if wrapped else {"multiscales": [OME]}
        found = axes((2, 3, 4, 5), {}, None, [group], path="plate.zarr/A/1/0/0")
        assert names(found) == "czyx"
        assert roles(found) == "channel index plane plane"
        assert [one.scale for one in found] == [None, 20.0, 5.0, 5.0]
        assert [one.unit for one in found] == [None, "micrometer", "micrometer", "micrometer"]

    def test_a_level_further_down(self):
        """A level whose path has two segments is found in the group two above."""
        found = axes((2, 3, 4, 5), {}, None, [{}, {"multiscales": [OME]}], path="a.zarr/deep/1")
        assert [one.scale for one in found] == [None, 20.0, 10.0, 10.0]

    @pytest.mark.parametrize("begin", [0.0, 7.0])
    def test_levels_begin_together(self, begin):
        """What levels state are the middles of their first voxels, so that all begin where the finest one does."""
        moved = {"type": "translation", "translation": [0, begin, begin, begin]}
        group = {**OME, "coordinateTransformations": [*OME["coordinateTransformations"], moved]}
        fine = axes((2, 3, 8, 10), {}, None, [{"multiscales": [group]}], path="a.zarr/0")
        coarse = axes((2, 3, 4, 5), {}, None, [{}, {"multiscales": [group]}], path="a.zarr/deep/1")
        for found in (fine, coarse):
            assert [one.offset for one in found] == [None, begin, begin, begin]

    def test_a_level_elsewhere(self):
        """A level that is stated to be elsewhere is there."""
        place = {"type": "translation", "translation": [0, 0, 3, 0.25]}
        level = {"path": "1", "coordinateTransformations": [{"type": "scale", "scale": [1, 2, 1, 1]}, place]}
        group = {**OME, "datasets": [OME["datasets"][0], level]}
        found = axes((2, 3, 4, 5), {}, None, [{"multiscales": [group]}], path="a.zarr/1")
        assert [one.offset for one in found] == [None, 0.0, 27.5, 0.0]

    def test_another_array_of_the_group(self):
        """An array that is no level of the multiscale has none of its scales."""
        found = axes((2, 3, 4, 5), {"voxel_size": [7, 7, 7]}, None, [{"multiscales": [OME]}], path="a.zarr/2")
        assert [one.scale for one in found] == [None, 7.0, 7.0, 7.0]

    def test_it_counts_more(self):
        """What a group says of its levels counts more than what the array says."""
        found = axes((2, 3, 4, 5), {"voxel_size": [7, 7, 7]}, list("dcba"), [{"multiscales": [OME]}], path="a.zarr/0")
        assert (names(found), found[1].scale) == ("czyx", 20.0)

    def test_names_only(self):
        """Of OME-Zarr 0.3, where axes are plain names, the names are taken, and the array says the rest."""
        group = {"multiscales": [{"axes": ["t", "y", "x"], "datasets": [{"path": "0"}]}]}
        found = axes((2, 3, 4), {}, None, [group], path="a.zarr/0")
        assert (names(found), [one.scale for one in found]) == ("tyx", [None, None, None])


TRANSFORMED = ("coordinateTransformations", "translation")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                ["ome", "multiscales", "axes", "datasets", "path", "name", "type", "scale", "units", *TRANSFORMED]
            ),
            inner,
        )
    ),
    max_leaves=12,
)
KEYS = ["ome", "multiscales", "axes", "axis_names", "_ARRAY_DIMENSIONS", "voxel_size", "resolution", "offset", "units"]
ATTRIBUTES = st.dictionaries(st.sampled_from(KEYS), JSON)


class TestAnything:
    @given(
        shape=st.lists(st.integers(0, 9), max_size=8),
        attributes=ATTRIBUTES,
        names=st.none() | st.lists(st.none() | st.text(max_size=3), max_size=8),
        parents=st.lists(ATTRIBUTES, max_size=2),
    )
    def test_nothing_raises(self, shape, attributes, names, parents):
        """Whatever metadata say, each dimension has an axis with a name of its own, and at most two make the plane."""
        found = axes(tuple(shape), attributes, names, parents, path="a.zarr/0")
        assert [one.size for one in found] == shape
        assert len({one.name for one in found}) == len(shape)
        assert sum(one.role == "plane" for one in found) == min(2, len(shape))
        assert all(one.name.isidentifier() and one.name.isascii() for one in found)
