"""Neuroglancer in a real browser: what it draws, pixel by pixel, is what the arrays have."""

from __future__ import annotations

import io
import os
import textwrap
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest
from PIL import Image

from zarrange import Layout, Store

PATIENCE = 30
"""Seconds after which what is not drawn is taken to be never drawn."""
PANEL = ".neuroglancer-rendered-data-panel"
TOLERANCE = 14
"""Of 255: a voxel is many pixels, but the colors of a picture go through the browser's own."""
SHAPE = (8, 48, 64)
CHUNKS = (4, 16, 32)

LAYOUT = textwrap.dedent("""\
    zarrange: 1
    name: pictures
    doc: Images and labels of both formats of zarr.
    fields:
      name: {type: str, charset: text}
      what: {type: str, charset: text}
    containers:
      old: {path: "{{ name | quote }}/old.zarr", zarr_format: 2}
      new: {path: "{{ name | quote }}/new.zarr", zarr_format: 3}
    arrays:
      old_image: {container: old, path: "images/{{ what | quote }}"}
      old_labels: {container: old, path: "labels/{{ what | quote }}"}
      new_image: {container: new, path: "images/{{ what | quote }}"}
      new_labels: {container: new, path: "labels/{{ what | quote }}"}
    view:
      by: name
      overlays: {old_labels: old_image, new_labels: new_image}
    """)
SCALED = {"voxel_size": [40, 4, 4], "offset": [0, 8, 16], "units": ["nm", "nm", "nm"]}


def gradient():
    """Dark at the left and the top, bright at the right and the bottom, and darker in each deeper plane."""
    z, y, x = np.indices(SHAPE)
    return ((x * 3 + y) / (1 + z)).astype("f4")


def blocks():
    """Labels of six blocks; the first rows have none."""
    _, y, x = np.indices(SHAPE)
    labels = 1 + x // 22 + 3 * (y // 24)
    labels[:, :6] = 0
    return labels


@pytest.fixture
def pictures(tmp_path):
    """An empty store for images and labels of both formats."""
    (tmp_path / "pictures.yaml").write_text(LAYOUT)
    return Store(tmp_path / "store", Layout.load(tmp_path / "pictures.yaml"))


def create(store, kind, data, what="50% & <b>|zarr2:", **options):
    where = store.identifier(kind, name="a b [x]", what=what)
    store.create(where, data=data, **{"chunks": CHUNKS, "attributes": SCALED, **options})
    return where


class Drawn:
    """A page with a viewer, and the colors of its voxels."""

    def __init__(self, page, state):
        self.page = page
        self.state = state
        self.requests = []
        self.errors = []
        page.on("request", lambda one: self.requests.append((one.method, one.url)))
        page.on("pageerror", lambda error: self.errors.append(str(error)))

    def opened(self, url):
        self.page.goto(url)
        return self

    def wait(self, voxels, is_drawn):
        """Wait until voxels have the colors that they should have in each panel, or never will; return whether."""
        for _ in range(PATIENCE * 4):
            shot = np.asarray(Image.open(io.BytesIO(self.page.screenshot())).convert("RGB")).astype(int)
            boxes = [one.bounding_box() for one in self.page.query_selector_all(PANEL)]
            self.colors = [self._colors(shot, box, voxels) for box in boxes if box]
            if len(self.colors) >= len(is_drawn) and all(map(_called, is_drawn, self.colors)):
                break
            self.page.wait_for_timeout(250)
        if folder := os.environ.get("ZARRANGE_SCREENSHOTS"):
            name = os.environ["PYTEST_CURRENT_TEST"].rpartition("::")[2].partition(" ")[0]
            self.page.screenshot(path=Path(folder) / f"{name}.png")
        return [_called(one, colors) for one, colors in zip(is_drawn, self.colors, strict=False)]

    def _colors(self, shot, box, voxels):
        """The colors of voxels (x, y, in the coordinates of the viewer) in a panel of a screenshot."""
        x0, y0 = self.state["position"][:2]
        scale = self.state["crossSectionScale"]
        middle = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        places = [((x + 0.5 - x0) / scale + middle[0], (y + 0.5 - y0) / scale + middle[1]) for x, y in voxels]
        return np.array([shot[round(y), round(x)] for x, y in places])


def _called(function, colors):
    return function(colors)


@pytest.fixture
def look(browser):
    """A function that opens a viewer, or an address that leads to one."""
    pages = []

    def opened(viewer, url=None):
        page = browser.new_page(viewport={"width": 1300, "height": 900})
        pages.append(page)
        drawn = Drawn(page, viewer and viewer.state.to_json())
        return drawn.opened(url or viewer.get_viewer_url())

    yield opened
    for page in pages:
        page.close()


VOXELS = [(x, y) for y in (3, 17, 32) for x in (4, 14, 28, 40, 58)]
"""Away from the middle, where the viewer draws lines of its own, from its scale bar, and from where labels meet."""
SHIFTED = [(x + 4, y + 2) for x, y in VOXELS]
"""The same in the coordinates of the viewer, by the offset of 16 nm and 8 nm."""


def gray(plane, low=None, high=None):
    """The gray of voxels, from black at the lowest value of the plane to white at its highest."""
    low, high = plane.min() if low is None else low, plane.max() if high is None else high
    values = np.array([plane[y, x] for x, y in VOXELS]).astype("f8")
    return np.repeat(np.clip((values - low) / (high - low), 0, 1)[:, np.newaxis] * 255, 3, axis=1)


def is_near(expected, colors):
    return bool(np.all(np.abs(colors - expected) <= TOLERANCE))


def is_colored(plane, colors, below=None):
    """Whether each label has a color of its own, the same everywhere, and where none is what is below is seen."""
    labels = np.array([plane[y, x] for x, y in VOXELS])
    by_label = {int(label): colors[labels == label] for label in np.unique(labels) if label}
    firsts = [tuple(found[0]) for found in by_label.values()]
    is_seen = below is None or is_near(below[labels == 0], colors[labels == 0])
    has_hues = all(np.ptp(one) > 20 for one in firsts)
    is_same = below is not None or all(np.ptp(found, axis=0).max() <= TOLERANCE for found in by_label.values())
    return is_seen and has_hues and is_same and len(set(firsts)) == len(firsts)


def test_images_are_as_bright_as_their_arrays_at_the_places_that_metadata_give(pictures, look):
    """Images of either format, of types that the client has or has not, are drawn by their values, scales and
    offsets, side by side."""
    made = [
        (create(pictures, kind, data, dtype), data)
        for kind in ("old_image", "new_image")
        for dtype in ("f4", "u1", "f8", ">u2")
        for data in [gradient().astype(dtype)]
    ]
    viewer = pictures.neuroglancer(*(where for where, _ in made))
    page = look(viewer)
    assert page.wait(SHIFTED, [partial(is_near, gray(data[4])) for _, data in made]) == [True] * 8
    assert page.errors == []
    assert {urlsplit(url).hostname for _, url in page.requests if url.startswith("http")} == {"127.0.0.1"}


def test_labels_have_colors_and_are_drawn_over_their_image(pictures, look):
    """Labels of either format, of types that the client has or has not, have a color each, over the image that the
    layout has below them."""
    made = []
    for kind, dtypes in (("old", ("u8", "i8")), ("new", ("u4", "i8"))):
        for dtype in dtypes:
            made += [create(pictures, f"{kind}_image", gradient(), dtype)]
            made += [create(pictures, f"{kind}_labels", blocks().astype(dtype), dtype)]
    viewer = pictures.neuroglancer(*made)
    image, labels = partial(is_near, gray(gradient()[4])), partial(is_colored, blocks()[4], below=gray(gradient()[4]))
    page = look(viewer)
    assert page.wait(SHIFTED, [image, labels] * 4) == [True] * 8


def test_labels_alone_have_one_color_each(pictures, look):
    """What is labeled the same has the same color; booleans are labels."""
    wheres = [create(pictures, "new_labels", blocks().astype("u4"), "u4")]
    wheres += [create(pictures, "old_labels", blocks() > 2, "bool")]
    planes = [blocks()[4], blocks()[4] > 2]
    page = look(pictures.neuroglancer(*wheres))
    assert page.wait(SHIFTED, [partial(is_colored, plane) for plane in planes]) == [True, True]


def test_channels_are_drawn_as_colors_or_the_first_one_as_gray(pictures, look):
    """Three channels are colors, of more the first is shown, also where they are in chunks of their own."""
    plane = gradient() / gradient()[4].max()
    channels = np.stack([plane, 1 - plane, plane * 0 + 0.5, plane * 0, plane * 0]).clip(0, 1).astype("f4")
    scaled = {"attributes": SCALED, "dimension_names": ["c", "z", "y", "x"]}
    made = [
        create(pictures, "new_image", channels[:3], "1 colors", chunks=(3, *CHUNKS), **scaled),
        create(pictures, "new_image", channels, "2 at once", chunks=(5, *CHUNKS), **scaled),
        create(pictures, "new_image", channels, "3 one by one", chunks=(1, *CHUNKS), **scaled),
        create(pictures, "new_image", channels.astype("f8"), "4 converted", chunks=(1, *CHUNKS), **scaled),
    ]
    ranges = channels[:3, 4].min(), channels[:3, 4].max()
    colors = np.stack([gray(one, *ranges)[:, 0] for one in channels[:3, 4]], axis=1)
    first = partial(is_near, gray(channels[0, 4]))
    page = look(pictures.neuroglancer(*made))
    assert page.wait(SHIFTED, [partial(is_near, colors), first, first, first]) == [True] * 4


def test_shards_are_read_in_ranges_without_asking_first(pictures, look):
    """A plane is drawn from parts of a shard, which the browser asks for as it is."""
    data = gradient()
    where = create(pictures, "new_image", data, shards=SHAPE, chunks=CHUNKS)
    flat = create(pictures, "new_image", data[4], "flat", chunks=CHUNKS[1:], attributes={})
    page = look(pictures.neuroglancer(where))
    assert page.wait(SHIFTED, [partial(is_near, gray(data[4]))]) == [True]
    asked = [method for method, url in page.requests if "/data/" in url]
    assert set(asked) == {"GET", "HEAD"}
    page = look(pictures.neuroglancer(flat))
    assert page.wait(VOXELS, [partial(is_near, gray(data[4]))]) == [True]


def test_no_name_is_run_as_script(pictures, look):
    """What a layer is called is text, whatever it says."""
    names = ["<img src=x onerror=window.hit=1>", "</script><script>window.hit=1</script>", "'\"`${window.hit=1}"]
    for name in names:
        where = pictures.identifier("new_image", name=name, what="a")
        pictures.create(where, data=gradient(), chunks=CHUNKS, attributes=SCALED)
    page = look(pictures.neuroglancer())
    assert page.wait(SHIFTED, [partial(is_near, gray(gradient()[4]))] * 3) == [True] * 3
    assert page.page.evaluate("window.hit") is None
    assert all(page.page.get_by_text(name).count() for name in names[:1])


def test_the_compare_page_leads_to_a_viewer_of_what_it_shows(served, look):
    """The address of the Compare page, but for its first part, opens the same arrays at the same place."""
    page = look(None, f"{served.url}/neuroglancer?run=r1&iteration=2000&dataset=crop1&.cut=z:3&.show=validation_raw")
    page.state = {"position": [20, 14], "crossSectionScale": 0.096}
    raw = served.store.open(served.store.identifier("validation_raw", run="r1"))[3]
    voxels = [(x, y) for y in (2, 9, 20) for x in (3, 12, 25, 30)]
    values = np.array([raw[y, x] for x, y in voxels])
    expected = np.repeat(((values - raw.min()) / np.ptp(raw))[:, np.newaxis] * 255, 3, axis=1)
    shifted = [(x + 4, y + 2) for x, y in voxels]
    assert page.wait(shifted, [partial(is_near, expected)])[0]
