"""The state of a viewer: layers, scales, panels, and what is read by whom."""

from __future__ import annotations

import json
import logging
import os

import attrs
import numpy as np
import pytest

from zarrange import Layout, Store
from zarrange.view.axes import Axis
from zarrange.view.neuroglancer import MAX_PANELS, Look, layers_of, state_of
from zarrange.view.scales import in_voxels, together
from zarrange.view.slices import Cut, read_slice
from zarrange.view.sources import DRAWABLE, Converted, Metadata, suggests_labels

SCALED = {"voxel_size": [40, 4, 4], "offset": [80, 8, 16], "units": ["nm", "nm", "nm"]}


@pytest.fixture
def store(tmp_path):
    """A store whose arrays may be called anything."""
    return Store(tmp_path / "store", "training")


def create(store, kind="validation_raw", *, shape=(8, 16, 24), dtype="f4", **options):
    values = options.pop("values", {})
    data = options.pop("data", None)
    data = np.arange(np.prod(shape)).reshape(shape).astype(dtype) if data is None else data
    where = store.identifier(kind, **{"run": "r1", **values})
    store.create(where, data=data, **{"chunks": tuple(min(8, one) for one in data.shape), **options})
    return where


def found(store):
    return [one for one in store.find() if one.node == "array"]


LOOK = Look()


def state(store, look=LOOK, entries=None):
    layers = layers_of(store, found(store) if entries is None else entries, look)
    made = state_of(layers, lambda layer: f"at:{layer.entry.path}", look)
    return json.loads(json.dumps(made, allow_nan=False))


def layer_of(made, name):
    return next(one for one in made["layers"] if one["name"] == name)


class TestState:
    def test_an_image_is_one_layer_at_its_place_and_scale(self, store):
        """A layer has the scales of its array's metadata in meters, and begins at its offset in voxels."""
        create(store, attributes=SCALED)
        made = state(store)
        (layer,) = made["layers"]
        assert layer["type"] == "image"
        transform = layer["source"]["transform"]
        assert transform["outputDimensions"] == {"z": [4e-8, "m"], "y": [4e-9, "m"], "x": [4e-9, "m"]}
        assert [row[3] for row in transform["matrix"]] == [2, 2, 4]
        assert [row[:3] for row in transform["matrix"]] == [[1, 0, 0], [0, 1, 0], [0, 0, 1]]
        assert made["displayDimensions"] == ["x", "y", "z"]
        assert made["position"] == [4 + 12, 2 + 8, 2 + 4]
        assert made["layout"] == "4panel"

    def test_the_package_itself_takes_the_state_as_it_is(self, store):
        """What the package reads of the state, it writes as it was."""
        neuroglancer = pytest.importorskip("neuroglancer")
        create(store, attributes=SCALED)
        create(store, "validation_gt", dtype="u8", attributes=SCALED)
        made = state(store)
        read = neuroglancer.ViewerState(made).to_json()
        assert {name: read[name] for name in made} == made

    def test_the_plane_fits_a_small_screen(self, store):
        """A pixel of the screen has so many voxels that the larger side of the plane fits a quarter of it."""
        create(store, shape=(2, 100, 4000), chunks=(2, 100, 100))
        assert state(store)["crossSectionScale"] == 4000 / (800 / 2)

    def test_a_plane_without_depth_has_one_view(self, store):
        """An array of two dimensions is shown from above only."""
        create(store, shape=(16, 24))
        made = state(store)
        assert made["layout"] == "xy"
        assert made["displayDimensions"] == ["x", "y"]

    def test_time_is_no_axis_of_space(self, store):
        """An axis of time has a place, and is not displayed."""
        create(store, shape=(3, 16, 24), dimension_names=["t", "y", "x"])
        made = state(store)
        assert made["displayDimensions"] == ["x", "y"]
        assert [*made["dimensions"]] == ["x", "y", "t"]
        assert made["position"] == [12, 8, 1.5]

    def test_labels_are_a_segmentation_over_their_image(self, store):
        """What the layout draws over an image shares its panel, and is drawn after it."""
        create(store, "validation_gt", dtype="u8")
        create(store)
        made = state(store)
        assert [(one["name"], one["type"]) for one in made["layers"]] == [
            ("validation_raw", "image"),
            ("validation_gt", "segmentation"),
        ]
        assert made["layout"] == "4panel"

    def test_several_images_stand_beside_each_other(self, store):
        """Each array has a panel of its own, with what is below it."""
        create(store)
        create(store, "validation_gt", dtype="u4")
        create(store, "validation_prediction", values={"iteration": 1000, "dataset": "a"})
        made = state(store)
        assert made["layout"]["type"] == "row"
        panels = {tuple(one["layers"]) for one in made["layout"]["children"]}
        assert panels == {("validation_raw",), ("validation_raw", "validation_gt"), ("validation_prediction",)}

    def test_layers_of_a_kind_are_told_by_what_differs(self, store):
        """The name of a layer is its kind, with the values of those fields that differ."""
        for iteration in (1000, 2000):
            create(store, "validation_prediction", values={"iteration": iteration, "dataset": "a"})
        names = [one["name"] for one in state(store)["layers"]]
        assert names == ["validation_prediction 1000", "validation_prediction 2000"]

    def test_very_many_arrays_share_a_panel(self, store):
        """Of more arrays than there is room for, one image and one segmentation of each container are shown."""
        for iteration in range(MAX_PANELS):
            create(store, "validation_prediction", shape=(8, 8), values={"iteration": iteration, "dataset": "a"})
        create(store, "validation_gt", shape=(8, 8), dtype="u4")
        create(store, "snapshot_array", shape=(8, 8), values={"volume": "raw"})
        made = state(store)
        assert len(made["layout"]["children"]) == 2
        shown = [one["name"] for one in made["layers"] if one.get("visible", True)]
        assert shown == ["snapshot_array", "validation_prediction 0", "validation_gt"]

    def test_an_image_goes_from_black_to_white_by_what_is_in_it(self, store):
        """The range of an image is what it has in the middle, in numbers of its own type."""
        data = np.zeros((4, 16, 24), "u1")
        data[2, 3, 4] = 7
        create(store, data=data)
        assert state(store)["layers"][0]["shaderControls"] == {"normalized": {"range": [0, 7]}}

    @pytest.mark.parametrize("value", [0, np.nan, np.inf])
    def test_an_image_without_a_range_has_that_of_its_type(self, store, value):
        """Where all values are the same, or none is a number, the client's own range is left."""
        create(store, data=np.full((4, 16, 24), value, "f4"))
        assert "shaderControls" not in state(store)["layers"][0]

    def test_a_damaged_chunk_leaves_the_client_to_say_so(self, store):
        """An array that cannot be read is a layer all the same."""
        where = create(store, shape=(8, 8), chunks=(8, 8))
        (chunk,) = (one for one in (p for p in _files(where.path)) if one.endswith("c/0/0"))
        with open(chunk, "wb") as file:
            file.write(b"damaged")
        assert "shaderControls" not in state(store)["layers"][0]

    def test_what_is_asked_for_goes_before_what_is_suggested(self, store):
        """A look says where, how near, what is labels, and what stands below what."""
        create(store, attributes=SCALED)
        create(store, "validation_gt", dtype="u4", attributes=SCALED)
        look = Look(Cut({"z": 5}), (3.0, 4.0), 2.0, labels=["validation_raw"], over={}, title="a title")
        made = state(store, look)
        assert made["title"] == "a title"
        assert made["position"] == [4 + 4.5, 2 + 3.5, 2 + 5.5]
        assert made["crossSectionScale"] == state(store, attrs.evolve(look, zoom=1.0))["crossSectionScale"] / 2
        assert {one["type"] for one in made["layers"]} == {"image"}, "floats are never labels"
        assert len(made["layout"]["children"]) == 2

    def test_a_place_beyond_the_array_is_its_last_one(self, store):
        """A cut for several arrays may be beyond one of them, on either side."""
        create(store)
        assert state(store, Look(Cut({"z": 99, "w": 3})))["position"][2] == 7.5
        assert state(store, Look(Cut({"z": -1})))["position"][2] == 0.5

    def test_nothing_is_a_viewer_too(self, store):
        """A viewer of nothing has no layer."""
        made = state(store, entries=[])
        assert made == {"dimensions": {}, "position": [], "layers": [], "layout": "xy"}

    @pytest.mark.filterwarnings("ignore::zarr.errors.UnstableSpecificationWarning")
    def test_what_cannot_be_drawn_is_left_out_and_logged(self, store, caplog):
        """Text, single values and arrays of nothing are left out."""
        create(store)
        create(store, "snapshot_array", data=np.array(["a", "b"], "U1"), chunks=(2,), values={"volume": "text"})
        create(store, "snapshot_array", shape=(7,), values={"volume": "row"})
        create(store, "snapshot_array", data=np.zeros((0, 3)), chunks=(1, 1), values={"volume": "nothing"})
        with caplog.at_level(logging.WARNING):
            assert [one["name"] for one in state(store)["layers"]] == ["validation_raw"]
        assert len(caplog.records) == 3

    def test_what_was_removed_meanwhile_is_left_out(self, store):
        """An array that is gone by now is no layer."""
        where = create(store)
        entries = found(store)
        store.remove(where)
        assert state(store, entries=entries)["layers"] == []


def _files(folder):
    return [os.path.join(above, name) for above, _, names in os.walk(folder) for name in names]


class TestChannels:
    NAMES = ("c", "z", "y", "x")

    def layer(self, store, count, chunk, dtype="f4"):
        create(store, shape=(count, 4, 16, 24), chunks=(chunk, 4, 16, 24), dimension_names=self.NAMES, dtype=dtype)
        return state(store)["layers"][0]

    def test_three_channels_are_colors(self, store):
        """Three channels that are there at once are red, green and blue."""
        layer = self.layer(store, 3, 3)
        assert [*layer["source"]["transform"]["outputDimensions"]] == ["c^", "z", "y", "x"]
        assert "emitRGB" in layer["shader"]

    def test_of_more_channels_one_is_chosen(self, store):
        """More channels that are there at once have a slider."""
        layer = self.layer(store, 5, 5)
        assert "slider(min=0, max=4, default=0)" in layer["shader"]

    def test_channels_in_chunks_of_their_own_are_gone_through(self, store):
        """Channels that are not in one chunk, which the client would not draw, are shown one by one."""
        layer = self.layer(store, 3, 1)
        assert layer["localDimensions"] == {"c'": [1, ""]}
        assert layer["localPosition"] == [0]
        assert "shader" not in layer

    @pytest.mark.parametrize("chunk", [1, 5])
    def test_the_channel_that_is_asked_for_is_shown_first(self, store, chunk):
        """A cut may say which channel, of those that are there."""
        create(store, shape=(5, 4, 16, 24), chunks=(chunk, 4, 16, 24), dimension_names=self.NAMES)
        (layer,) = state(store, Look(Cut({"c": 3})))["layers"]
        assert layer.get("localPosition") == [3] or "default=3" in layer["shader"]
        assert layer["shaderControls"]["normalized"]["range"][0] == (3 * 4 + 2) * 16 * 24
        (layer,) = state(store, Look(Cut({"c": 99})))["layers"]
        assert layer.get("localPosition") == [4] or "default=4" in layer["shader"]

    def test_labels_have_no_channels_at_once(self, store):
        """A segmentation has one number a voxel."""
        assert self.layer(store, 3, 3, "u4")["localPosition"] == [0]

    def test_inner_chunks_of_shards_count(self, store):
        """Of a shard, an inner chunk is what is there at once."""
        create(store, shape=(3, 4, 16, 24), shards=(3, 4, 16, 24), chunks=(1, 4, 8, 8), dimension_names=self.NAMES)
        assert state(store)["layers"][0]["localPosition"] == [0]


class TestMetadata:
    @pytest.mark.parametrize("dtype", sorted(DRAWABLE))
    def test_labels_are_suggested_as_for_slices(self, store, dtype):
        """The name of a data type suggests labels just where the values of a slice do."""
        create(store, data=np.zeros((4, 4), dtype))
        (entry,) = store.find("validation_raw")
        assert suggests_labels(entry.metadata.dtype) == read_slice(store, entry).is_labels

    @pytest.mark.parametrize(
        ("dtype", "is_read"),
        [("f4", True), ("u1", True), (">u2", True), ("u8", True), ("f8", False), ("bool", False), ("c8", False)],
    )
    def test_the_client_reads_what_it_has_types_for(self, store, dtype, is_read):
        """Floats of 64 bits, booleans and complex numbers are converted."""
        create(store, data=np.zeros((4, 4), dtype))
        (entry,) = store.find("validation_raw")
        assert Metadata(store, entry).is_read_by_client is is_read

    @pytest.mark.parametrize(
        ("metadata", "is_read"),
        [
            ({"compressor": {"id": "blosc", "cname": "lz4"}}, True),
            ({"compressor": {"id": "lz4"}}, False),
            ({"compressor": []}, False),
            ({"compressor": {"id": ["zstd"]}}, False),
            ({"filters": [{"id": "delta"}]}, False),
            ({"dtype": "<i8"}, True),
            ({"dtype": [["a", "<i4"]]}, False),
        ],
    )
    def test_the_client_reads_few_codecs_of_format_2(self, tmp_path, metadata, is_read):
        """An array of format 2 with filters, or with a compressor that the client has not, is converted."""
        assert self.metadata(tmp_path, 2, metadata, {}).is_read_by_client is is_read

    @pytest.mark.parametrize(
        ("metadata", "is_read"),
        [
            ({"codecs": [{"name": "bytes"}, {"name": "gzip"}]}, True),
            ({"codecs": [{"name": "bytes"}, {"name": "lz4"}]}, False),
            ({"codecs": "bytes"}, False),
            ({"codecs": [{"name": "sharding_indexed", "configuration": {"codecs": [{"name": "vlen-utf8"}]}}]}, False),
            ({"codecs": [{"name": "sharding_indexed"}]}, False),
            ({"data_type": {"name": "numpy.datetime64"}}, False),
            ({"chunk_grid": {"name": "rectangular"}}, False),
            ({"storage_transformers": [{"name": "x"}]}, False),
            ({"dimension_names": ["y", "y"]}, True),
            ({"dimension_names": ["y", "a b"]}, False),
            ({"dimension_names": "yx"}, False),
            ({"attributes": {"dimension_units": ["voxel", "voxel"]}}, False),
        ],
    )
    def test_the_client_reads_few_codecs_of_format_3(self, tmp_path, metadata, is_read):
        """An array of format 3 with codecs, types or names that the client stumbles over is converted."""
        assert self.metadata(tmp_path, 3, metadata, {}).is_read_by_client is is_read

    def metadata(self, tmp_path, zarr_format, changes, attributes):
        text = f"""\
zarrange: 1
name: one
doc: One array.
containers:
  all: {{path: "all.zarr", zarr_format: {zarr_format}}}
arrays:
  one: {{container: all, path: "one"}}
"""
        (tmp_path / "one.yaml").write_text(text)
        store = Store(tmp_path / "store", Layout.load(tmp_path / "one.yaml"))
        store.create(store.identifier("one"), data=np.zeros((4, 4), "f4"), attributes=attributes)
        (entry,) = store.find("one")
        name = tmp_path / "store" / "all.zarr" / "one" / ("zarr.json" if zarr_format == 3 else ".zarray")
        name.write_text(json.dumps({**json.loads(name.read_text()), **changes}))
        return Metadata(store, evolved(store, entry))

    @pytest.mark.parametrize(
        ("zarr_format", "changes", "attributes", "names"),
        [
            (3, {}, {}, ["dim_0", "dim_1"]),
            (3, {"dimension_names": ["y", None]}, {}, ["y", "dim_1"]),
            (3, {"dimension_names": ["y", "y"]}, {}, ["y", "y1"]),
            (2, {}, {}, ["d0", "d1"]),
            (2, {}, {"_ARRAY_DIMENSIONS": ["y", "x"]}, ["y", "x"]),
        ],
    )
    def test_dimensions_are_called_as_the_client_calls_them(self, tmp_path, zarr_format, changes, attributes, names):
        """Names that are missing or there twice are made up as the client does."""
        assert self.metadata(tmp_path, zarr_format, changes, attributes).names == names


def evolved(store, entry):
    """The entry as it is found after its metadata were changed by hand, or as it was if they cannot be read."""
    found = [one for one in store.find(entry.key.kind).results() if getattr(one, "metadata", None)]
    return found[0] if found else entry


class TestConverted:
    @pytest.mark.parametrize(
        ("dtype", "is_labels", "made"),
        [
            ("bool", True, "uint8"),
            ("f8", False, "float32"),
            ("f2", False, "float32"),
            ("c16", False, "float32"),
            ("i8", True, "uint64"),
            ("i8", False, "float32"),
            (">i4", True, "int32"),
            ("u2", False, "uint16"),
        ],
    )
    def test_values_are_of_the_nearest_type(self, store, dtype, is_labels, made):
        """A block of a converted array has the values of the array, in a type that the client has."""
        data = np.arange(64).reshape(8, 8).astype(dtype)
        create(store, data=data)
        (entry,) = store.find("validation_raw")
        converted = Converted(store, entry, is_labels=is_labels)
        assert converted.shape == (8, 8)
        assert converted.dtype == made
        block = converted[2:5, 1:8]
        assert block.dtype == made
        assert np.array_equal(block, np.abs(data)[2:5, 1:8].astype(made))

    def test_no_symlink_is_followed(self, store, tmp_path):
        """A chunk that leads elsewhere is not read."""
        where = create(store, shape=(8, 8), chunks=(8, 8), dtype="f8")
        (entry,) = store.find("validation_raw")
        (chunk,) = (one for one in _files(where.path) if one.endswith("c/0/0"))
        os.rename(chunk, tmp_path / "elsewhere")
        os.symlink(tmp_path / "elsewhere", chunk)
        with pytest.raises(Exception, match="symlink"):
            Converted(store, entry, is_labels=False)[0:2, 0:2]


def axis(name="x", scale=None, unit=None, offset=None, role="plane"):
    return Axis(name, 10, role, scale, unit, offset)


class TestScales:
    @pytest.mark.parametrize(
        ("unit", "scale", "symbol"),
        [
            ("nm", 4e-9, "m"),
            ("nanometer", 4e-9, "m"),
            ("micrometer", 4e-6, "m"),
            ("µm", 4e-6, "m"),
            ("angstrom", 4e-10, "m"),
            ("meter", 4, "m"),
            ("millisecond", 4e-3, "s"),
            ("minute", 240, "s"),
            ("parrots", 4, ""),
            (None, 4, ""),
        ],
    )
    def test_units_become_those_of_the_si(self, unit, scale, symbol):
        """Units of OME-Zarr and their symbols are known; others are none."""
        (((made),),) = together([(axis(scale=4.0, unit=unit),)])
        assert made.scale == pytest.approx(scale)
        assert made.unit == symbol

    def test_who_says_nothing_is_as_the_first_who_does(self):
        """An axis without a scale, or without a unit, has that of the first array that says it."""
        (a,), (b,), (c,) = together(
            [
                (axis(),),
                (axis(scale=8.0, offset=16.0),),
                (axis(scale=4.0, unit="nm", offset=8.0),),
            ]
        )
        assert (a.scale, a.unit, in_voxels(a)) == (4e-9, "m", 0)
        assert (b.scale, b.unit) == (8e-9, "m")
        assert in_voxels(b) == pytest.approx(2)
        assert in_voxels(c) == pytest.approx(2)

    @pytest.mark.parametrize("scale", [0.0, 1e-300, 1e300])
    def test_senseless_scales_are_none(self, scale):
        """A voxel of no size, or larger than the world, has no size that anybody knows."""
        ((made,),) = together([(axis(scale=scale, unit="nm", offset=3.0),)])
        assert (made.scale, made.unit) == (1.0, "")

    def test_senseless_places_are_the_beginning(self):
        """What is too far away for numbers to tell is at the beginning."""
        ((made,),) = together([(axis(scale=1e-9, unit="m", offset=1e9),)])
        assert in_voxels(made) == 0

    def test_units_of_other_sorts_are_read_as_the_others(self):
        """Seconds where meters were said first are meters."""
        _, (made,) = together([(axis(scale=1.0, unit="nm"),), (axis(scale=2.0, unit="s"),)])
        assert (made.scale, made.unit) == (2e-9, "m")

    def test_channels_have_no_scale(self):
        """A channel is a channel, whatever its scale is said to be."""
        ((made,),) = together([(axis("c", 4.0, "nm", 8.0, "channel"),)])
        assert (made.scale, made.unit, in_voxels(made)) == (1.0, "", 0)
