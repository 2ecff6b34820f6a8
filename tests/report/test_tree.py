"""The tree of a store, as text and as JSON."""

from __future__ import annotations

import json
import os
from datetime import date
from pathlib import Path

import pytest
from tests.stores.handwritten import Tree

from zarrange import Layout
from zarrange.report.characters import width as columns
from zarrange.report.tree import overview_as_json, overview_as_text
from zarrange.stores.entries import Unreadable
from zarrange.stores.overview import overview

DAILY = """
zarrange: 1
name: daily
fields: {site: {type: str}, day: {type: date}}
arrays: {image: {container: box, path: "{{ day }}"}}
containers: {box: {path: "{{ site }}.zarr"}}
"""


@pytest.fixture
def training(tmp_path):
    return Tree(tmp_path, Layout.load("training"))


def fill(tree, run, iterations, parameters=("t=0.3", "t=0.5", "t=0.7")):
    """Add what a run leaves: inputs, and of each iteration a prediction and some outputs on two datasets."""
    for index in ("crop1", "crop2"):
        tree.add("validation_raw", (64, 128, 64), "uint8", run=run, index=index)
        for iteration in iterations:
            values = {"run": run, "iteration": iteration, "dataset": index}
            tree.add("validation_prediction", (64, 64, 64), **values)
            for one in parameters:
                tree.add("validation_output", (64, 64, 64), "uint8", **values, parameters=one)


def seen(tree, **options):
    return overview(tree.results(), tree.layout, **options)


def screen(tree, width=80, *, color=False, **options):
    return overview_as_text(seen(tree, **options), color=color, width=width)


class TestScreens:
    def test_runs(self, training):
        """Each run has its kinds, and each kind its numbers, what its arrays are, and what its fields have."""
        fill(training, "baseline", range(1000, 6000, 1000))
        fill(training, "seed2", (1000, 2000, 4000, 5000))
        fill(training, "seed3", range(1000, 6000, 1000))
        assert screen(training, root="runs") == (
            "runs  layout training\n"
            "├─ baseline                  43  18.5 MiB\n"
            "│  ├─ validation              1\n"
            "│  ├─ validation_prediction  10  10.0 MiB  64x64x64 float32\n"
            "│  │     iteration 1000 … 5000, step 1000 (5); dataset crop1, crop2\n"
            "│  ├─ validation_output      30   7.5 MiB  64x64x64 uint8\n"
            "│  │     iteration 1000 … 5000, step 1000 (5); dataset crop1, crop2\n"
            "│  │     parameters t=0.3, t=0.5, t=0.7\n"
            "│  └─ validation_raw          2   1.0 MiB  64x128x64 uint8\n"
            "│        index crop1, crop2\n"
            "├─ seed2                     35  15.0 MiB\n"
            "│  ├─ validation              1\n"
            "│  ├─ validation_prediction   8   8.0 MiB  64x64x64 float32\n"
            "│  │     iteration 1000 … 5000 (4); dataset crop1, crop2\n"
            "│  ├─ validation_output      24   6.0 MiB  64x64x64 uint8\n"
            "│  │     iteration 1000 … 5000 (4); dataset crop1, crop2\n"
            "│  │     parameters t=0.3, t=0.5, t=0.7\n"
            "│  └─ validation_raw          2   1.0 MiB  64x128x64 uint8\n"
            "│        index crop1, crop2\n"
            "└─ seed3                     43  18.5 MiB  like baseline\n"
            "\n"
            "3 runs, 121 artifacts, 52.0 MiB uncompressed"
        )

    def test_without_an_end(self, training):
        """Where there is no width, whatever belongs together stands in one line."""
        fill(training, "r1", [1000])
        assert screen(training, None, size=lambda _: 2000) == (
            "layout training\n"
            "└─ r1                        11  4.5 MiB  19.5 KiB stored\n"
            "   ├─ validation              1\n"
            "   ├─ validation_prediction   2  2.0 MiB   3.9 KiB stored  64x64x64 float32\n"
            "   │     iteration 1000; dataset crop1, crop2\n"
            "   ├─ validation_output       6  1.5 MiB  11.7 KiB stored  64x64x64 uint8\n"
            "   │     iteration 1000; dataset crop1, crop2; parameters t=0.3, t=0.5, t=0.7\n"
            "   └─ validation_raw          2  1.0 MiB   3.9 KiB stored  64x128x64 uint8\n"
            "         index crop1, crop2\n"
            "\n"
            "1 run, 11 artifacts, 4.5 MiB uncompressed, 19.5 KiB stored"
        )

    def test_narrow(self, training):
        """On a narrow screen, what does not fit goes on in the next line."""
        fill(training, "r1", range(1000, 6000, 1000), ["a-rather-long-name-of-some-parameters", "b"])
        assert screen(training, 44) == (
            "layout training\n"
            "└─ r1                        33  16.0 MiB\n"
            "   ├─ validation              1\n"
            "   ├─ validation_prediction  10  10.0 MiB\n"
            "   │     64x64x64 float32\n"
            "   │     iteration 1000 … 5000, step 1000 (5)\n"
            "   │     dataset crop1, crop2\n"
            "   ├─ validation_output      20   5.0 MiB\n"
            "   │     64x64x64 uint8\n"
            "   │     iteration 1000 … 5000, step 1000 (5)\n"
            "   │     dataset crop1, crop2\n"
            "   │     parameters a-rather-long-na…, … (2)\n"
            "   └─ validation_raw          2   1.0 MiB\n"
            "         64x128x64 uint8; index crop1, crop2\n"
            "\n"
            "1 run, 33 artifacts, 16.0 MiB uncompressed"
        )

    def test_nothing(self, training):
        """Of an empty store, it is said that it is empty."""
        assert screen(training, root="runs") == "runs  layout training\n\nnothing was found"

    def test_ambiguous(self, tmp_path):
        """What may be something else stands where it most likely belongs, and says what else it may be."""
        tree = Tree(tmp_path, Layout.load("dacapo"))
        for iteration in (1000, 2000):
            values = {"run": "r1", "iteration": iteration, "dataset": "ds"}
            tree.add("validation_prediction", (4,), **values)
            tree.add("validation_output", (4,), "uint8", **values, parameters="t")
        tree.add("best_validation", (4,), "uint8", run="r1", criterion="voi", index="crop1")
        assert screen(tree, root="dacapo") == (
            "dacapo  layout dacapo\n"
            "└─ r1                        6  44 B\n"
            "   ├─ validation             1\n"
            "   ├─ validation_prediction  2  32 B  4 float32\n"
            "   │     iteration 1000, 2000; dataset ds\n"
            "   │     2 ambiguous: may be best_validation as well\n"
            "   ├─ validation_output      2   8 B  4 uint8\n"
            "   │     iteration 1000, 2000; dataset ds; parameters t\n"
            "   │     2 ambiguous: may be best_validation as well\n"
            "   └─ best_validation        1   4 B  4 uint8\n"
            "         index unclear; criterion unclear\n"
            "         1 ambiguous: several values fit\n"
            "\n"
            "1 run, 6 artifacts, 44 B uncompressed"
        )

    def test_incomplete(self, training):
        """What could not be read stands last, where a terminal shows it, and the counts are lower bounds."""
        training.add("validation_raw", (4,), run="r1")
        training.add("validation_raw", (4,), run="r1", index="a")
        Path(training.root, "r1/validation.zarr/inputs/all/raw/zarr.json").write_text("[]")
        os.symlink("/etc", f"{training.root}/link")
        assert screen(training) == (
            "layout training\n"
            "└─ r1                 2  16 B\n"
            "   ├─ validation      1\n"
            "   └─ validation_raw  1  16 B  4 float32\n"
            "         index a\n"
            "\n"
            "at least 1 run, 2 artifacts, 16 B uncompressed\n"
            "incomplete: 2 places could not be read\n"
            "  link: it is a symlink that leads out of the store, which does not follow it\n"
            "  r1/validation.zarr/inputs/all/raw: its zarr.json is damaged: it is not a JSON object"
        )

    def test_very_many_unreadable(self, training):
        """Of very many things that could not be read, the first are named, and the others are counted."""
        results = [Unreadable(f"r{number:02}", "cannot be read: permission denied") for number in range(12)]
        lines = overview_as_text(overview(results, training.layout)).split("\n")
        assert lines[:5] == [
            "layout training",
            "",
            "nothing could be found",
            "incomplete: 12 places could not be read",
            "  r00: cannot be read: permission denied",
        ]
        assert lines[-2:] == ["  r09: cannot be read: permission denied", "  … and 2 more"]

    def test_very_many_runs(self, training):
        """Behind the first of very many runs stand the number of the others, and all of them together."""
        for number in range(5):
            training.add("validation_raw", (4,), run=f"r{number}", index=f"crop{number % 3}")
        assert screen(training, most=2) == (
            "layout training\n"
            "├─ r0                  2  16 B\n"
            "│  ├─ validation       1\n"
            "│  └─ validation_raw   1  16 B  4 float32\n"
            "│        index crop0\n"
            "├─ r1                  2  16 B\n"
            "│  ├─ validation       1\n"
            "│  └─ validation_raw   1  16 B  4 float32\n"
            "│        index crop1\n"
            "├─ … and 3 more runs\n"
            "└─ all 5 runs         10  80 B\n"
            "   ├─ validation       5\n"
            "   │     run r0, r1, r2, r3, r4\n"
            "   └─ validation_raw   5  80 B  4 float32\n"
            "         run r0, r1, r2, r3, r4; index crop0, crop1, crop2\n"
            "\n"
            "5 runs, 10 artifacts, 80 B uncompressed"
        )

    def test_no_groups(self, tmp_path):
        """Where a layout has nothing to group by, the kinds stand at the edge."""
        layout = 'zarrange: 1\nname: flat\nfields: {n: {type: int}}\nfiles: {a: {path: "a/{{ n }}"}, b: {path: b}}\n'
        tree = Tree(tmp_path, Layout.parse(layout.replace("b}}", '"b/x{% if n is defined %}{{ n }}{% endif %}"}}')))
        tree.add("a", n=1)
        tree.add("a", n=2)
        tree.add("b")
        assert screen(tree, size=tree.size) == (
            "layout flat\n"
            "├─ a  2  10 B stored\n"
            "│     n 1, 2\n"
            "└─ b  1   5 B stored\n"
            "      n none\n"
            "\n"
            "3 artifacts, 15 B stored"
        )

    def test_days(self, tmp_path):
        """Days are ranges with their steps, as numbers are."""
        tree = Tree(tmp_path, Layout.parse(DAILY))
        for day in range(1, 29, 7):
            tree.add("image", (2, 2), "uint8", site="north", day=date(2026, 1, day))
        assert screen(tree) == (
            "layout daily\n"
            "└─ north     5  16 B\n"
            "   ├─ box    1\n"
            "   └─ image  4  16 B  2x2 uint8\n"
            "         day 2026-01-01 … 2026-01-22, step 7 days (4)\n"
            "\n"
            "1 site, 5 artifacts, 16 B uncompressed"
        )


class TestNames:
    def test_names_are_quoted_where_they_could_mislead(self, training):
        """A name with a comma, a space or an escape sequence is quoted as Python does it."""
        for run in ("a b [x]", "evil\x1b[31m\n", "\u202egnp", "日本語"):
            values = {"run": run, "iteration": 1, "dataset": "a, b"}
            training.add("validation_output", (4,), **values, parameters="W(id=0)" if run == "日本語" else "t")
        assert screen(training) == (
            "layout training\n"
            "├─ 'a b [x]'             2  16 B\n"
            "│  ├─ validation         1\n"
            "│  └─ validation_output  1  16 B  4 float32\n"
            "│        iteration 1; dataset 'a, b'; parameters t\n"
            "├─ 'evil\\x1b[31m\\n'      2  16 B  like 'a b [x]'\n"
            "├─ '\\u202egnp'           2  16 B  like 'a b [x]'\n"
            "└─ 日本語                2  16 B\n"
            "   ├─ validation         1\n"
            "   └─ validation_output  1  16 B  4 float32\n"
            "         iteration 1; dataset 'a, b'; parameters 'W(id=0)'\n"
            "\n"
            "4 runs, 8 artifacts, 64 B uncompressed"
        )

    def test_long_names_are_cut(self, training):
        """A name that is longer than a line is cut; the numbers of a long name stand below it."""
        training.add("validation", run="r" * 40)
        training.add("validation", run="s" * 100)
        assert screen(training, 60) == (
            "layout training\n"
            "├─ rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrr  1\n"
            "│  └─ validation  1\n"
            "└─ 'ssssssssssssssssssssssssssssssssssssssssssssssssssssss…'\n"
            "      1  like rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrr\n"
            "\n"
            "2 runs, 2 artifacts"
        )

    @pytest.mark.parametrize("width", [40, 57, 80, 133])
    def test_no_line_is_longer(self, training, width):
        """However long names are, no line of the tree is wider than the screen, and none ends in a space."""
        fill(
            training,
            "run" * 20,
            range(1, 30, 7),
            ["Parameters(id=0, bias=0.1, context=(32, 32))" * at for at in (1, 2)],
        )
        fill(training, "日本語の実験" * 4, [3], [f"{at}, {'日本語' * 9}" for at in range(9)])
        lines = screen(training, width).split("\n\n")[0].split("\n")
        assert max(map(columns, lines)) <= width
        assert [line for line in lines if line != line.rstrip()] == []

    def test_nothing_acts_on_the_terminal(self, training):
        """Without color, a screen has nothing but printable characters and ends of lines, whatever is in the store."""
        fill(training, "\x1b]0;title\x07\r\x9b\u2028", [1], ["\x1b[2J", "\u202e", "\x00"])
        results = [*training.results(), Unreadable("\x1b[31m\n", "cannot be read: \x1b[2J")]
        text = overview_as_text(overview(results, training.layout, root="/data/\x1b[31m"))
        assert all(one.isprintable() for one in text.replace("\n", ""))


class TestColor:
    def test_color_changes_nothing_but_color(self, training):
        """Without its codes, the colored screen is the plain one."""
        fill(training, "r1", [1000])
        os.symlink("/etc", f"{training.root}/link")
        colored, plain = screen(training, color=True), screen(training)
        assert "\x1b[1mr1\x1b[0m" in colored
        assert "\x1b[36mvalidation_output\x1b[0m" in colored
        assert "\x1b[34mdataset\x1b[0m crop1, crop2" in colored
        assert "\x1b[1;31mincomplete\x1b[0m: 1 place could not be read" in colored
        for code in ("1", "34", "36", "1;31", "1;33", "0"):
            colored = colored.replace(f"\x1b[{code}m", "")
        assert colored == plain


class TestJson:
    def test_it_has_everything(self, tmp_path):
        """The JSON has what the screen shows, unfolded: groups, lines, fields, and whether it is complete."""
        tree = Tree(tmp_path, Layout.parse(DAILY))
        for day in range(1, 29, 7):
            tree.add("image", (2, 3), "uint8", site="north", day=date(2026, 1, day))
        data = json.loads(overview_as_json(seen(tree, root="sites")))
        assert {key: data[key] for key in ("complete", "count", "nbytes", "layout", "root", "omitted")} == {
            "complete": True,
            "count": 5,
            "nbytes": 24,
            "layout": "daily",
            "root": "sites",
            "omitted": 0,
        }
        (group,) = data["groups"]
        assert group["value"] == "north"
        box, image = group["lines"]
        assert (box["kind"], box["count"], box["stored"]) == ("box", 1, None)
        assert image["shapes"]["some"] == [[2, 3]]
        assert image["fields"] == [
            {
                "field": "day",
                "count": 4,
                "some": [{"date": f"2026-01-{day:02}"} for day in (1, 8, 15, 22)],
                "first": {"date": "2026-01-01"},
                "last": {"date": "2026-01-22"},
                "step": 7,
                "is_more": False,
                "absent": 0,
                "unclear": 0,
            }
        ]

    def test_incomplete(self, training):
        """What could not be read is counted and named, in ASCII characters only."""
        training.add("validation", run="r1")
        results = [*training.results(), Unreadable("café\x1b", "cannot be read: permission denied")]
        text = overview_as_json(overview(results, training.layout))
        assert text.isascii()
        data = json.loads(text)
        assert (data["complete"], data["unreadable_count"]) == (False, 1)
        assert data["unreadable"] == [{"path": "café\x1b", "reason": "cannot be read: permission denied"}]
