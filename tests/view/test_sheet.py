"""A sheet of what a comparison has: rows, columns, what is missing, and what cannot be shown."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from zarrange import Key, Layout, Store
from zarrange.view.colors import label_colors
from zarrange.view.comparison import comparison
from zarrange.view.sheet import Cell, Grid, Look, cells, drawn, evenly, sheet
from zarrange.view.slices import Cut

LAYOUT = Layout.parse("""
zarrange: 1
name: nets
fields:
  net: {type: str, charset: text}
  epoch: {type: int, min: 0}
  crop: {type: str}
containers:
  box: {path: "{{ net | quote }}/box.zarr"}
arrays:
  photo: {container: box, path: "photo/{{ crop }}"}
  truth: {container: box, path: "truth/{{ crop }}"}
  guess: {container: box, path: "guess/{{ crop }}/{{ epoch }}"}
view:
  title: Nets that guess
  by: net
  slider: epoch
  overlays: {truth: photo}
""")
NET = "n/1 \u202e<script>"
PHOTO = np.arange(48, dtype="u1").reshape(6, 8)
TRUTH = (np.arange(48).reshape(6, 8) % 3).astype("u1")


def key(kind, **values):
    return Key(kind, {"net": NET, "crop": "a", **values})


@pytest.fixture
def store(tmp_path):
    made = Store.init(tmp_path / "store", LAYOUT)
    made.create(key("photo"), data=PHOTO)
    made.create(key("truth"), data=TRUTH)
    for epoch in (1, 2, 5):
        made.create(key("guess", epoch=epoch), data=np.full((2, 3, 6, 8), epoch, "f4") + PHOTO)
    return made


def looked(store, look=None, rows=(1,)):
    return cells(store, comparison(store, NET), rows, look or Look())


class TestEvenly:
    @pytest.mark.parametrize(
        ("count", "found"),
        [(1, (9,)), (2, (0, 9)), (3, (0, 4, 9)), (4, (0, 3, 6, 9)), (10, tuple(range(10))), (99, tuple(range(10)))],
    )
    def test_the_first_and_the_last(self, count, found):
        """So many steps are spread evenly, the first and the last among them; of one, it is the last."""
        assert evenly(range(10), count) == found

    def test_none(self):
        """Of no steps, none are chosen."""
        assert evenly([], 5) == ()


class TestCells:
    def test_rows_and_columns(self, store):
        """There is a row for each step and a column for each kind; what has no slider is in every row."""
        found = looked(store, rows=(1, 2))
        assert [[cell.text for cell in row] for row in found] == [
            ["0 to 47", "labels", "1 to 48; c:0,z:1"],
            ["0 to 47", "labels", "2 to 49; c:0,z:1"],
        ]
        assert found[0][0] is found[1][0]

    def test_pixels(self, store):
        """A picture has a block of pixels for each value, enlarged by a whole factor."""
        photo = np.asarray(looked(store, Look(size=25))[0][0].picture)
        assert photo.shape == (18, 24)
        assert np.array_equal(photo[::3, ::3], np.floor(PHOTO / 47 * 255 + 0.5))
        assert np.array_equal(photo[::3, ::3], photo[2::3, 2::3])

    def test_labels_over_what_is_below(self, store):
        """Labels are drawn over the kind that the layout names, also where they are bytes; 0 lets it through."""
        found = np.asarray(looked(store, Look(size=8))[0][1].picture).astype(float)
        ground = np.floor(PHOTO / 47 * 255 + 0.5)[..., None]
        top = label_colors(TRUTH)[..., :3]
        mixed = np.where((TRUTH == 0)[..., None], ground, 0.55 * top + 0.45 * ground)
        assert np.abs(found[..., :3] - mixed).max() <= 2

    def test_labels_not_wanted(self, store):
        """Where labels are not wanted, numbers are gray, and nothing is drawn over anything."""
        cell = looked(store, Look(labels=False))[0][1]
        assert (cell.picture.mode, cell.text) == ("L", "0 to 2")

    @pytest.mark.parametrize("photo", [np.zeros((6, 9), "u1"), np.zeros((0, 8), "u1"), np.zeros((6, 8), "M8[s]")])
    def test_labels_alone(self, store, photo):
        """Labels stand alone where what is below has another plane, or none."""
        store.remove(store.identifier("photo", **key("photo").values))
        store.create(key("photo"), data=photo)
        cell = looked(store, Look(size=8))[0][1]
        assert np.array_equal(np.asarray(cell.picture), label_colors(TRUTH))

    def test_a_cut(self, store):
        """Each array takes from a cut the axes that it has; a place that it does not have is told in its place."""
        assert [cell.text for cell in looked(store, Look(cut=Cut.parse("z:2,c:1")))[0]][2] == "1 to 48; c:1,z:2"
        wrong = looked(store, Look(cut=Cut.parse("z:3")))[0]
        assert [cell.picture is None for cell in wrong] == [False, False, True]
        assert wrong[2].text == "`z` is from 0 to 2, not 3"

    def test_a_range(self, store):
        """A given range is that of all gray pictures."""
        found = looked(store, Look(range=(0, 94), size=8))[0]
        assert (found[0].text, found[2].text) == ("0 to 94", "0 to 94; c:0,z:1")
        assert np.asarray(found[0].picture).max() == 128

    def test_what_is_not_there(self, store):
        """A step that a kind does not have is said to be none, and a kind without any array says so."""
        assert looked(store, rows=(7,))[0][2] == Cell(None, "none")
        store.remove(store.identifier("photo", **key("photo").values))
        assert looked(store)[0][0].text.startswith("no photo")

    def test_what_cannot_be_read(self, store):
        """A damaged array is told in its place, and the others are shown."""
        path = comparison(store, NET).panels[2].paths[1]
        Path(store.root, path, "c/0/0/0/0").write_bytes(b"garbage")
        found = looked(store)[0]
        assert [cell.picture is None for cell in found] == [False, False, True]
        assert "cannot be read" in found[2].text

    def test_nothing_but_nan(self, store):
        """An array without any number says so."""
        store.create(key("guess", epoch=9), data=np.full((4, 4), np.nan))
        assert looked(store, rows=(9,))[0][2].text == "no numbers"


class TestSheet:
    def test_the_whole(self, store):
        """A sheet has room for all pictures, and each is where its row and column meet."""
        found = comparison(store, NET)
        one = sheet(store, found, (1, 2), title="Nets", look=Look(size=64))
        less = sheet(store, found, (1,), title="Nets", look=Look(size=64))
        assert one.mode == "RGB"
        assert (one.width, one.height > less.height) == (less.width, True)
        pixels = np.asarray(one)
        for row in cells(store, found, (1, 2), Look(size=64)):
            for cell in row:
                assert self.has(pixels, np.asarray(cell.picture.convert("RGB")))

    def has(self, whole, part):
        """Whether a picture is somewhere in another."""
        height, width, _ = part.shape
        corners = np.argwhere((whole == part[0, -1]).all(-1))
        tops = [(y, x - width + 1) for y, x in corners if x >= width - 1]
        return any(np.array_equal(whole[y : y + height, x : x + width], part) for y, x in tops)

    def test_some_kinds(self, store):
        """Only the kinds that are wanted are on it; what is below them is still drawn."""
        found = comparison(store, NET)
        row = cells(store, found, (1,), Look(frozenset({"truth"}), size=8))[0]
        assert len(row) == 1
        assert row[0].picture.mode == "RGBA"
        assert np.asarray(row[0].picture)[..., 3].min() == 255
        assert sheet(store, found, (1,), title="", look=Look(frozenset({"truth"}))).width < 400

    def test_no_steps(self, store):
        """Without any step, there is one row of what has no slider."""
        for entry in [*store.find("guess")]:
            store.remove(entry.identifier)
        assert sheet(store, comparison(store, NET), (), title="Nets").height < 350

    @pytest.mark.parametrize(
        ("steps", "look", "message"),
        [
            (range(100), Look(size=1000), "too large: take fewer steps or kinds, or smaller pictures"),
            ((1,), Look(frozenset()), "no kinds"),
        ],
    )
    def test_refused(self, store, steps, look, message):
        """A sheet that would fill the memory, or has nothing on it, is refused before anything is read."""
        with pytest.raises(ValueError, match=message):
            sheet(store, comparison(store, NET), steps, title="", look=look)


class TestDrawn:
    @pytest.mark.parametrize(
        "text",
        ["", "x" * 10_000, "\x1b[31m\n\0\t", "\u202e٣日本語😀\udcff", " ".join(["word"] * 500), "\n" * 100],
        ids=range(6),
    )
    def test_any_text(self, text):
        """Whatever names and messages are, they are drawn, and no longer than there is room for."""
        grid = Grid(text, text, (text,), (text, text), ((Cell(None, text), Cell(None, "none")),))
        one = drawn(grid)
        assert one.width < 1600
        assert one.height < 400
        plain = drawn(Grid("", "", ("",), ("", ""), ((Cell(None, ""), Cell(None, "none")),)))
        assert one.height == plain.height

    def test_text_is_seen(self):
        """Text darkens the paper."""
        cell = Cell(None, "a message")
        with_text, without = (drawn(Grid(text, "", (), (text,), ((cell,),))) for text in ("Title", ""))
        assert np.asarray(with_text).min() < 64 < np.asarray(without).min()


def test_gone_meanwhile(store):
    """An array that is gone since it was found is said not to be there, in words."""
    found = comparison(store, NET)
    store.remove(store.identifier("photo", **key("photo").values))
    assert cells(store, found, (1,), Look())[0][0] == Cell(None, "there is no array")
