"""The commands that show pictures: `show`, `compare`; on a real terminal where it matters."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from zarrange import Key, Layout, Store
from zarrange.cli import main
from zarrange.view.colors import label_colors

TEXT = """\
zarrange: 1
name: nets
fields:
  net: {type: str}
  epoch: {type: int, min: 0}
  crop: {type: str}
containers:
  box: {path: "{{ net }}/box.zarr"}
arrays:
  photo: {container: box, path: "photo/{% if crop is defined %}{{ crop }}{% else %}all{% endif %}"}
  guess: {container: box, path: "guess/{{ epoch }}"}
  truth: {container: box, path: truth}
files:
  note: {path: "{{ net }}/note.txt"}
view: {by: net, slider: epoch, overlays: {truth: photo}}
"""
SHADES = np.array([[0, 64, 255], [128, 255, 0], [1, 2, 3]], "u1")
LABELS = np.array([[0, 1], [2, 0], [3, 3]], "u4")
CELL = re.compile(r"\x1b\[([0-9;]*)m|(.)")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with a store that describes itself, and the same of an empty one."""
    folder = tmp_path_factory.mktemp("pictures")
    store = Store.init(folder / "runs", Layout.parse(TEXT, file="nets.yaml"))
    store.create(Key("photo", {"net": "n1"}), data=SHADES)
    store.create(Key("photo", {"net": "n1", "crop": "volume"}), data=np.arange(24, dtype="f4").reshape(2, 3, 4))
    store.create(Key("photo", {"net": "n1", "crop": "nan"}), data=np.array([[np.nan, 0], [1, np.nan]]))
    store.create(Key("photo", {"net": "n1", "crop": "day"}), data=np.zeros((2, 2), "M8[s]"))
    store.create(Key("photo", {"net": "n1", "crop": "large"}), data=np.zeros((300, 200), "u1"))
    store.create(Key("photo", {"net": "n1", "crop": "damaged"}), data=np.arange(100.0).reshape(10, 10))
    Path(store.root, "n1/box.zarr/photo/damaged/c/0/0").write_bytes(b"garbage")
    store.create(Key("truth", {"net": "n1"}), data=LABELS)
    for epoch in (1, 2, 5, 10, 20, 50, 100, 200):
        store.create(Key("guess", {"net": "n1", "epoch": epoch}), data=np.full((4, 4), epoch, "f4"))
    store.create(Key("guess", {"net": "n2", "epoch": 1}), data=np.ones((4, 4), "f4"))
    (folder / "empty").mkdir()
    Store.init(folder / "empty", Layout.parse(TEXT, file="nets.yaml"))
    return folder


@pytest.fixture
def zarrange(folder, monkeypatch, capsys):
    """Run a command in the folder; return its exit status and what it prints."""
    monkeypatch.chdir(folder)
    for name in ("NO_COLOR", "FORCE_COLOR", "COLORTERM"):
        monkeypatch.delenv(name, raising=False)

    def run(*arguments):
        with pytest.raises(SystemExit) as left:
            main([str(one) for one in arguments])
        shown = capsys.readouterr()
        return SimpleNamespace(status=left.value.code, out=shown.out, err=shown.err)

    return run


def pixels_of(file):
    with Image.open(file) as read:
        assert read.format == "PNG"
        return np.asarray(read)


def screen(text):
    """The pixels that lines of half blocks show, `None` for the terminal's own background, and what stands below."""
    *lines, said = text.splitlines()
    return [row for line in lines for row in rows(line)], said


def rows(line):
    upper, lower, ink, paper = [], [], None, None
    for code, block in CELL.findall(line):
        if not block:
            ink, paper = inks(code)
        else:
            pair = {"▀": (ink, paper), "▄": (paper, ink), " ": (paper, paper)}[block]
            upper.append(pair[0])
            lower.append(pair[1])
    return upper, lower


def inks(code):
    found = {
        place: tuple(map(int, parts.split(";")))
        for place, parts in re.findall(r"([34]8);[25];([0-9;]*?)(?=;48|$)", code)
    }
    return found.get("38"), found.get("48")


class TestShow:
    def test_blocks(self, zarrange, monkeypatch):
        """A slice is shown as half blocks in 24-bit color, two pixels a character, with what it is below."""
        monkeypatch.setenv("COLORTERM", "truecolor")
        done = zarrange("show", "runs", "photo", "net=n1", "--color", "always", "--width", 3)
        pixels, said = screen(done.out)
        assert (done.status, done.err) == (0, "")
        assert pixels[:3] == [[(int(shade),) * 3 for shade in row] for row in SHADES]
        assert pixels[3] == [None, None, None]
        assert said == "n1/box.zarr/photo/all: 3 x 3 uint8, from 0 to 255"

    def test_labels(self, zarrange, monkeypatch):
        """Labels have their colors, and label 0 is the terminal's own background."""
        monkeypatch.setenv("COLORTERM", "24bit")
        pixels, said = screen(zarrange("show", "runs", "truth", "net=n1", "--color", "always", "--width", 2).out)
        colors = label_colors(LABELS)
        assert pixels[:3] == [[tuple(one[:3].tolist()) if one[3] else None for one in row] for row in colors]
        assert said == "n1/box.zarr/truth: 3 x 2 uint32, from 0 to 3"

    @pytest.mark.parametrize("said", [None, "", "8bit"])
    def test_256_colors(self, zarrange, monkeypatch, said):
        """A terminal that does not say that it has more gets the 256 colors that all have."""
        if said is not None:
            monkeypatch.setenv("COLORTERM", said)
        done = zarrange("show", "runs", "photo", "net=n1", "--color", "always", "--width", 3)
        pixels, _ = screen(done.out)
        assert pixels[:3] == [[(16,), (238,), (231,)], [(244,), (231,), (16,)], [(16,), (16,), (232,)]]
        labels, _ = screen(zarrange("show", "runs", "truth", "net=n1", "--color", "always", "--width", 2).out)
        sixths = np.rint(label_colors(LABELS)[..., :3] / 51) @ (36, 6, 1) + 16
        assert labels[:3] == [[None, (sixths[0, 1],)], [(sixths[1, 0],), None], [(sixths[2, 0],), (sixths[2, 1],)]]

    def test_no_number(self, zarrange, monkeypatch):
        """What is no number is the terminal's own background."""
        monkeypatch.setenv("COLORTERM", "truecolor")
        done = zarrange("show", "runs", "photo", "net=n1", "crop=nan", "--color", "always", "--width", 2)
        assert screen(done.out)[0] == [[None, (0, 0, 0)], [(255, 255, 255), None]]

    def test_without_colors(self, zarrange):
        """Where there are no colors, it is said what there is, and how to get a picture."""
        done = zarrange("show", "runs", "photo", "net=n1", "crop=volume")
        assert done.status == 0
        assert done.out == (
            "n1/box.zarr/photo/volume: 3 x 4 float32, z:1, from 12 to 23\n"
            "a picture needs a terminal with colors, or --png FILE\n"
        )

    @pytest.mark.parametrize(("columns", "lines"), [(80, 24), (20, 50), (200, 10)])
    def test_it_fits(self, folder, columns, lines):
        """On a terminal, a picture is as large as the screen lets it be, with room for what stands below."""
        import fcntl
        import struct
        import termios

        shown, written = os.openpty()
        fcntl.ioctl(written, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        environment = {name: value for name, value in os.environ.items() if name not in {"NO_COLOR", "FORCE_COLOR"}}
        command = [sys.executable, "-m", "zarrange", "show", "runs", "photo", "net=n1", "crop=large"]
        with subprocess.Popen(
            command, cwd=folder, stdout=written, env={**environment, "TERM": "xterm", "COLORTERM": "truecolor"}
        ) as process:
            os.close(written)
            content = b""
            while part := self.read(shown):
                content += part
        os.close(shown)
        assert process.returncode == 0
        pixels, said = screen(content.decode())
        height, width = len(pixels), len(pixels[0])
        assert width <= columns
        assert height <= 2 * (lines - 2)
        assert width >= columns - 1 or height >= 2 * (lines - 3) - 1
        assert abs(width / height - 200 / 300) < 0.1
        assert said.startswith("n1/box.zarr/photo/large")

    def read(self, shown):
        try:
            return os.read(shown, 100_000)
        except OSError:  # the other end is closed
            return b""

    def test_a_range(self, zarrange, monkeypatch):
        """A range says what is black and what is white; it may begin with a minus sign."""
        monkeypatch.setenv("COLORTERM", "truecolor")
        done = zarrange("show", "runs", "photo", "net=n1", "--range=-255,255", "--color", "always", "--width", 3)
        assert screen(done.out)[0][0] == [(128,) * 3, (160,) * 3, (255,) * 3]

    def test_small_ones_are_enlarged(self, zarrange, monkeypatch):
        """A small picture is enlarged by a whole factor."""
        monkeypatch.setenv("COLORTERM", "truecolor")
        pixels, _ = screen(zarrange("show", "runs", "truth", "net=n1", "--color", "always", "--width", 9).out)
        assert (len(pixels), len(pixels[0])) == (12, 8)
        assert pixels[0][:4] == pixels[3][:4] == [None] * 4


class TestShowAsFile:
    def test_a_png(self, zarrange, tmp_path):
        """With --png, a file is written of one pixel a value, and nothing is printed."""
        done = zarrange("show", "runs", "photo", "net=n1", "--png", tmp_path / "a.png")
        assert (done.status, done.out, done.err) == (0, "", "")
        assert np.array_equal(pixels_of(tmp_path / "a.png"), SHADES)

    def test_a_cut(self, zarrange, tmp_path):
        """A cut says which plane is written, and which region of it."""
        zarrange("show", "runs", "photo", "net=n1", "crop=volume", "--cut", "z:0@0:2,1:3", "--png", tmp_path / "a.png")
        assert pixels_of(tmp_path / "a.png").tolist() == [[0, 51], [204, 255]]

    def test_labels(self, zarrange, tmp_path):
        """Numbers are colored as labels where that is asked for, and labels are gray where it is refused."""
        zarrange("show", "runs", "photo", "net=n1", "--labels", "--png", tmp_path / "a.png")
        zarrange("show", "runs", "truth", "net=n1", "--no-labels", "--png", tmp_path / "b.png")
        assert np.array_equal(pixels_of(tmp_path / "a.png"), label_colors(SHADES))
        assert pixels_of(tmp_path / "b.png").shape == LABELS.shape

    @pytest.mark.parametrize("what", ["file", "symlink", "folder"])
    @pytest.mark.parametrize("command", [("show", "runs", "photo", "net=n1"), ("compare", "runs", "net=n1")])
    def test_what_exists(self, zarrange, tmp_path, what, command):
        """Nothing is written over what exists, whatever it is."""
        file = tmp_path / "a.png"
        {"file": lambda: file.write_text("mine"), "symlink": lambda: file.symlink_to("no"), "folder": file.mkdir}[
            what
        ]()
        done = zarrange(*command, "--png", file)
        assert done.status == 2
        why = "exists already; nothing was written over it (--force does)"
        if what == "folder":
            why = "is a folder; --png takes the name of a file"
        assert done.err == f"zarrange: {str(file)!r} {why}\n"
        assert what != "file" or file.read_text() == "mine"

    @pytest.mark.parametrize("command", [("show", "runs", "photo", "net=n1"), ("compare", "runs", "net=n1")])
    def test_force(self, zarrange, tmp_path, command):
        """With --force, a file is written over."""
        file = tmp_path / "a.png"
        file.write_text("mine")
        assert zarrange(*command, "--png", file, "--force").status == 0
        assert file.read_bytes().startswith(b"\x89PNG")

    def test_where_nothing_can_be_written(self, zarrange, tmp_path):
        """A place where no file can be is told."""
        done = zarrange("show", "runs", "photo", "net=n1", "--png", tmp_path / "no/a.png")
        assert (done.status, done.err) == (2, f"zarrange: {str(tmp_path / 'no/a.png')!r}: no such file or directory\n")


class TestShowRefuses:
    @pytest.mark.parametrize(
        ("words", "message"),
        [
            (("photo",), "say which `net`: there is net=n1\n"),
            (
                ("guess", "net=n1"),
                "say which `epoch`: there is epoch=1, epoch=2, epoch=5, epoch=10, epoch=20, epoch=50, ",
            ),
            (("guess", "net=n9"), "there is no `guess` of net=n9\n"),
            (("guess", "net=n1", "epoch=x"), "guess: field `epoch` does not take 'x'"),
            (("guess", "net=n1", "step=1"), "guess: field `step` does not belong to this kind; known: `epoch`, `net`"),
            (("guess", "net"), "'net' is not FIELD=VALUE"),
            (("nothing", "net=n1"), "nothing"),
            (("note", "net=n1"), "`note` is a kind of file, and pictures are of arrays"),
            (("photo", "net=n1", "--cut", "z"), "'z' is no cut: it is written as in z:3,c:0"),
            (("photo", "net=n1", "--range", "1"), "'1' is no range: it is written as in --range=0,1"),
            (("photo", "net=n1", "--range", "0,inf"), "a range goes from one number to another"),
            (("photo", "net=n1", "--width", "0"), "--width is from 1 to 1000 columns, not 0"),
        ],
    )
    def test_wrong_usage(self, zarrange, words, message):
        """What is asked for wrongly is told, with what would fit."""
        done = zarrange("show", "runs", *words, "--color", "always")
        assert (done.status, done.out) == (2, "")
        assert message in done.err

    @pytest.mark.parametrize(
        ("words", "message"),
        [
            (("guess", "net=n1", "epoch=3"), "there is no array"),
            (("photo", "net=n1", "crop=day"), "values of type datetime64"),
            (("photo", "net=n1", "crop=damaged"), "cannot be read"),
            (("photo", "net=n1", "crop=volume", "--cut", "z:2"), "`z` is from 0 to 1, not 2"),
            (("photo", "net=n1", "crop=volume", "--cut", "t:2"), "no axis `t` to cut on: it has `z`"),
        ],
    )
    def test_what_the_store_is_in_the_way_of(self, zarrange, tmp_path, words, message):
        """What cannot be shown is told, and no file is made."""
        done = zarrange("show", "runs", *words, "--png", tmp_path / "a.png")
        assert (done.status, done.out) == (1, "")
        assert message in done.err
        assert not (tmp_path / "a.png").exists()

    def test_damage_among_many_chunks(self, tmp_path):
        """A damaged chunk among many is one line on the screen, whatever zarr was still about to read."""
        (tmp_path / "nets.yaml").write_text(TEXT)
        store = Store(tmp_path / "runs", Layout.parse(TEXT))
        store.create(Key("photo", {"net": "n1"}), data=np.random.default_rng(0).random((64, 64)), chunks=(8, 8))
        Path(store.root, "n1/box.zarr/photo/all/c/1/1").write_bytes(b"garbage")
        command = [sys.executable, "-m", "zarrange", "show", "runs", "photo", "net=n1", "--layout", "nets.yaml"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (1, "", 1)

    def test_without_pillow(self, folder):
        """Without Pillow, it is said which extra has it."""
        code = (
            "import sys; sys.modules['PIL'] = None; from zarrange.cli import main; "
            "main(['show', 'runs', 'photo', 'net=n1'])"
        )
        done = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr == "zarrange: pictures need Pillow: install zarrange[web]\n"


class TestCompare:
    def sheet(self, zarrange, tmp_path, *words):
        done = zarrange("compare", "runs", *words, "--png", tmp_path / "a.png", "--force")
        assert (done.status, done.out, done.err) == (0, "", "")
        return pixels_of(tmp_path / "a.png")

    def test_a_sheet(self, zarrange, tmp_path):
        """A sheet is one PNG with a row for each step and a column for each kind."""
        one = self.sheet(zarrange, tmp_path, "net=n1", "--steps", "1")
        all_of_them = self.sheet(zarrange, tmp_path, "net=n1", "--steps", "8")
        assert one.shape[1] == all_of_them.shape[1]
        row = (all_of_them.shape[0] - one.shape[0]) / 7
        assert row == int(row) > 240

    def test_steps(self, zarrange, tmp_path):
        """Which steps are shown is said by values, too, one of them with a comma; the number of rows is six else."""
        heights = [
            len(self.sheet(zarrange, tmp_path, "net=n1", *words))
            for words in [
                ("--steps", "1,100"),
                ("--steps", "2"),
                ("--steps", "100,"),
                ("--steps", "1"),
                (),
                ("--steps", "6"),
            ]
        ]
        assert heights[0] == heights[1] > heights[2] == heights[3]
        assert heights[4] == heights[5]

    def test_kinds(self, zarrange, tmp_path):
        """Only the kinds that are asked for have columns; without any, those that have an array."""
        both = self.sheet(zarrange, tmp_path, "net=n1", "--kinds", "guess,truth", "--steps", "1")
        one = self.sheet(zarrange, tmp_path, "net=n1", "--kinds", "guess", "--steps", "1")
        assert both.shape[1] > one.shape[1]
        assert self.sheet(zarrange, tmp_path, "net=n2", "--steps", "1").shape == one.shape

    def test_size(self, zarrange, tmp_path):
        """Pictures are as large as they are asked to be."""
        small = self.sheet(zarrange, tmp_path, "net=n1", "--size", "100", "--steps", "1")
        large = self.sheet(zarrange, tmp_path, "net=n1", "--size", "400", "--steps", "1")
        assert large.shape[0] - small.shape[0] == 300

    def test_what_is_chosen(self, zarrange, tmp_path):
        """What is chosen decides which arrays are shown."""
        zeros = self.sheet(zarrange, tmp_path, "net=n1", "crop=large", "--kinds", "photo")
        other = self.sheet(zarrange, tmp_path, "net=n1", "crop=volume", "--kinds", "photo")
        assert zeros.shape != other.shape or (zeros != other).any()

    def test_the_only_run(self, zarrange, tmp_path):
        """Where there is one run only, it need not be named."""
        store = Store(tmp_path / "one", Layout.parse(TEXT))
        store.create(Key("truth", {"net": "n7"}), data=LABELS)
        (tmp_path / "nets.yaml").write_text(TEXT)
        done = zarrange("compare", tmp_path / "one", "--layout", tmp_path / "nets.yaml", "--png", tmp_path / "b.png")
        assert (done.status, done.err) == (0, "")

    @pytest.mark.parametrize(
        ("words", "message"),
        [
            ((), "say which `net`: there is net=n1, net=n2\n"),
            (("net=n1", "--steps", "3,"), "there is no epoch=3; there is epoch=1, epoch=2, "),
            (("net=n1", "--steps", "0"), "a sheet has at least one row"),
            (("net=n1", "--steps", "x"), "field `epoch` does not take 'x'"),
            (("net=n1", "--steps", ","), "',' names no steps"),
            (("net=n1", "epoch=5"), "`epoch` is what rows are told by: say --steps 5,\n"),
            (("net=n1", "--kinds", "ghost"), "ghost"),
            (("net=n1", "--kinds", ","), "',' names no kinds"),
            (("net=n1", "nat=1"), "`nat` is no field of the layout; a similar field exists: `net`"),
            (("net=n1", "--size", "0"), "--size is from 1 to 2048 pixels, not 0"),
            (("net=n1", "--size", "2048", "--steps", "8"), "too large: take fewer steps or kinds, or smaller pictures"),
            (("net=n1", "--cut", "?"), "is no cut"),
        ],
    )
    def test_wrong_usage(self, zarrange, tmp_path, words, message):
        """What is asked for wrongly is told, with what would fit, and no file is made."""
        done = zarrange("compare", "runs", *words, "--png", tmp_path / "a.png")
        assert (done.status, done.out) == (2, "")
        assert message in done.err
        assert not (tmp_path / "a.png").exists()

    @pytest.mark.parametrize("words", [("net=n3",), ("net=n2", "--kinds", "truth")])
    def test_nothing_to_show(self, zarrange, tmp_path, words):
        """Where no array is there, no sheet is made."""
        done = zarrange("compare", "runs", *words, "--png", tmp_path / "a.png")
        assert (done.status, done.out) == (1, "")
        assert "there is no array to show" in done.err
        assert not (tmp_path / "a.png").exists()

    def test_an_empty_store(self, zarrange, tmp_path):
        """A store without any run says so."""
        done = zarrange("compare", "empty", "--png", tmp_path / "a.png")
        assert (done.status, done.err) == (2, "zarrange: there is no `net` to show\n")

    def test_damage_is_told_on_the_sheet(self, zarrange, tmp_path):
        """An array that cannot be read does not keep the others from being shown."""
        self.sheet(zarrange, tmp_path, "net=n1", "crop=damaged", "--steps", "1")

    def test_what_could_not_be_read(self, zarrange, tmp_path):
        """What is in the way of a search is told, and the sheet has what is there."""
        store = Store.init(tmp_path / "bad", Layout.parse(TEXT, file="nets.yaml"))
        store.create(Key("truth", {"net": "n7"}), data=LABELS)
        Path(store.root, "n7/box.zarr/guess").symlink_to(tmp_path)
        done = zarrange("compare", tmp_path / "bad", "net=n7", "--png", tmp_path / "a.png")
        assert (done.status, done.out) == (1, "")
        assert "n7/box.zarr/guess" in done.err
        assert pixels_of(tmp_path / "a.png").size


def test_nothing_heavy_for_help():
    """What draws pictures is not imported before it is needed."""
    code = (
        "import sys, zarrange.cli; print([name for name in ('numpy', 'PIL', 'zarr', 'attrs') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
