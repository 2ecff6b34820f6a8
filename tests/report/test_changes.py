"""The difference of two layouts as text and as JSON."""

from __future__ import annotations

import json

import pytest

from zarrange import Layout
from zarrange.language.difference import difference
from zarrange.report.changes import difference_as_json, difference_as_text

OLD = """\
zarrange: 1
name: old
fields:
  run: {type: str}
  step: {type: int, min: 0}
  fold: {type: int}
  day: {type: date}
containers: {box: {path: "{{ run }}.zarr"}}
arrays: {grid: {container: box, path: "{{ step }}/f{{ fold }}"}}
files: {log: {path: "logs/{{ run }}.txt"}, table: {path: "{{ day }}.csv"}, plot: {path: plot.png}}
"""
NEW = """\
zarrange: 1
name: new
fields:
  run: {type: str}
  iteration: {type: int, min: 10, renamed_from: step}
  split: {type: str}
containers: {store: {path: "{{ run }}.zarr", renamed_from: box}}
arrays:
  image: {container: store, path: "{{ split }}/{{ iteration }}", renamed_from: grid}
  plot: {container: store, path: plot}
files: {log: {path: "logs/{{ run }}.txt"}, note: {path: note.txt}}
"""
SCREEN = """\
old → new

box → store: same
  box(run="a") is store(run="a")

grid → image: changed, `step` becomes `iteration`, `fold` is dropped (0), `split` is new ('train')
  grid(run="a", step=1000, fold=0) is image(run="a", split="train", iteration=1000)
  - a.zarr/1000/f0
  + a.zarr/train/1000

log: same
table: dropped
plot: not mapped
note: new

warning[refused-value]: `step`, which becomes `iteration`, does not take 9
kinds: grid
example: grid(run="a", step=9, fold=0)
help: it takes a whole number of at least 10

error[dropped-kind]: `new` has no kind `table`
kinds: table
help: declare the kind that it becomes with `renamed_from: table`

error[changed-sort]: `plot` is a file, and `plot` of `new` is an array
kinds: plot
help: give the new kind a name of its own

6 kinds: 1 changed, 1 not mapped, 1 dropped, 2 same, 1 new; 3 problems"""


@pytest.fixture
def found():
    return difference(Layout.parse(OLD), Layout.parse(NEW), {"fold": 0, "split": "train"})


def files(fields, *paths, file="<layout>"):
    entries = ", ".join(f'{name}: {{path: "{path}"}}' for name, path in zip("abc", paths, strict=False))
    return Layout.parse(f"zarrange: 1\nfields: {fields}\nfiles: {{{entries}}}\n", file=file)


class TestText:
    """A block for each kind, what is in the way, and a line that sums it up."""

    def test_a_whole_screen(self, found):
        """Kinds come with what becomes of them and an example, problems with their kinds, examples and advice."""
        assert difference_as_text(found) == SCREEN

    def test_nothing_changes(self):
        """Layouts without a difference are said to be so; where their names are the same, files are named."""
        one, other = files("{}", "x", "y", file="v1.yaml"), files("{}", "x", "y", file="v2.yaml")
        assert difference_as_text(difference(one, other)) == (
            "v1 → v2\n\na: same\nb: same\n\n2 kinds: 2 same; no artifact is lost"
        )
        title = difference_as_text(difference(one, files("{}", "x", file="more/v1.yaml"))).splitlines()[0]
        assert title == "v1.yaml → more/v1.yaml"

    def test_no_kinds_at_all(self):
        """Two layouts without any kind have nothing to compare."""
        one = Layout.parse("zarrange: 1", file="v1.yaml")
        assert difference_as_text(difference(one, one)).endswith("\n\n0 kinds: nothing to compare; no artifact is lost")

    def test_what_is_said_of_several_kinds_is_said_once(self):
        """A problem of several kinds names them all, and has one example."""
        wide, narrow = "{x: {type: str, charset: unicode}}", "{x: {type: str}}"
        drawn = difference_as_text(
            difference(files(wide, "p/{{ x }}", "q/{{ x }}"), files(narrow, "p/{{ x }}", "q/{{ x }}"))
        )
        assert drawn.count("[refused-value]") == 1
        assert "\nkinds: a, b\n" in drawn
        assert drawn.endswith("2 kinds: 2 same; 1 problem")

    def test_what_is_not_known(self):
        """A template that differs where no path is found that does is said to be so, and what is open is no error."""
        fields = "{n: {type: int, choices: [10, 11]}, x: {type: str, charset: text, pattern: '[\u0250-\u02af]'}}"
        other = fields.replace("charset: text", "charset: unicode")
        found = difference(
            files(fields, "{{ n }}", "{{ x | quote }}"), files(other, "{{ n | pad(2) }}", "{{ x | quote }}")
        )
        drawn = difference_as_text(found)
        assert "a: perhaps changed\n  the templates differ, but no artifact was found whose path does\n" in drawn
        assert "unknown[refused-value]: `x` may not take every value that it took\n" in drawn
        assert drawn.endswith("2 kinds: 1 perhaps changed, 1 same; 1 problem")

    def test_clashes_have_both_artifacts(self):
        """Two artifacts that would share a path are both shown."""
        fields = "{x: {type: str}, y: {type: str}}"
        drawn = difference_as_text(difference(files(fields, "{{ x }}/{{ y }}"), files(fields, "{{ x }}_{{ y }}")))
        problem = drawn.split("\n\n")[-2].splitlines()
        assert problem[0].startswith("warning[shared-path]: two artifacts come to lie at '")
        assert [line.partition(":")[0] for line in problem[1:]] == ["kinds", "example", "example"]

    def test_fixed_values_are_shown(self):
        """A value that is fixed stands behind its field, also one that is no text and one that is none."""
        fields = "{x: {type: str}, d: {type: date}}"
        path = "{{ x }}{% if d is defined %}_/{{ d }}{% endif %}"
        old, new = files(fields, path), files("{x: {type: str}}", "{{ x }}")
        drawn = [
            difference_as_text(difference(old, new, {"d": old.fields["d"].from_text(one) if one else None}))
            for one in ("2026-01-31", "")
        ]
        assert "a: changed, `d` is dropped (2026-01-31)\n" in drawn[0]
        assert "a: same, `d` is dropped (absent)\n" in drawn[1]

    def test_color(self, found):
        """Colors are only added: without them the text is the same."""
        colored = difference_as_text(found, color=True)
        assert "\x1b[1;31m  - a.zarr/1000/f0\x1b[0m" in colored
        assert "\x1b[36m  + a.zarr/train/1000\x1b[0m" in colored
        for style in ("1;31", "1;33", "34", "36", "1", "0"):
            colored = colored.replace(f"\x1b[{style}m", "")
        assert colored == SCREEN

    def test_what_cannot_be_printed_is_escaped(self):
        """A path from a layout can neither move the cursor nor hide."""
        fields = '{x: {type: str, charset: text, choices: ["\\u202e"]}}'
        drawn = difference_as_text(difference(files(fields, "{{ x | quote }}"), files(fields, "d/{{ x | quote }}")))
        assert 'a(x="\\u202e")' in drawn
        assert "\u202e" not in drawn


class TestJson:
    """An object with stable keys has everything that the text has."""

    def test_a_whole_object(self, found):
        """Kinds, fields, examples and problems are objects; what is missing is null."""
        data = json.loads(difference_as_json(found))
        kinds = data.pop("kinds")
        assert data == {
            "old": {"name": "old", "file": "<layout>"},
            "new": {"name": "new", "file": "<layout>"},
            "same": False,
            "lossless": False,
            "fixed": {"fold": 0, "split": "train"},
            "clashes": [],
        }
        assert [(one["old"], one["new"], one["paths"]) for one in kinds] == [
            ("box", "store", "same"),
            ("grid", "image", "changed"),
            ("log", "log", "same"),
            ("table", None, None),
            ("plot", "plot", None),
            (None, "note", None),
        ]
        assert kinds[1] == {
            "old": "grid",
            "new": "image",
            "paths": "changed",
            "fields": [
                {"old": "run", "new": "run"},
                {"old": "step", "new": "iteration"},
                {"old": "fold", "new": None, "fixed": 0},
                {"old": None, "new": "split", "fixed": "train"},
            ],
            "example": {
                "old": {
                    "key": {"type": "key", "kind": "grid", "values": {"run": "a", "step": 1000, "fold": 0}},
                    "path": "a.zarr/1000/f0",
                },
                "new": {
                    "key": {
                        "type": "key",
                        "kind": "image",
                        "values": {"run": "a", "split": "train", "iteration": 1000},
                    },
                    "path": "a.zarr/train/1000",
                },
            },
            "problems": [
                {
                    "rule": "refused-value",
                    "extent": "some",
                    "message": "`step`, which becomes `iteration`, does not take 9",
                    "kinds": ["grid"],
                    "field": "step",
                    "examples": [{"type": "key", "kind": "grid", "values": {"run": "a", "step": 9, "fold": 0}}],
                    "help": "it takes a whole number of at least 10",
                }
            ],
        }
        assert kinds[5] == {"old": None, "new": "note", "paths": None, "fields": [], "example": None, "problems": []}

    def test_values_are_as_keys_have_them(self):
        """A date is written as it is in a key; no value is null."""
        fields = "{x: {type: str}, d: {type: date}}"
        old = files(fields, "{{ x }}{% if d is defined %}_/{{ d }}{% endif %}")
        new = files("{x: {type: str}}", "{{ x }}")
        day = old.fields["d"].from_text("2026-01-31")
        for value, written in ((day, {"date": "2026-01-31"}), (None, None)):
            data = json.loads(difference_as_json(difference(old, new, {"d": value})))
            assert data["fixed"] == {"d": written}
            assert data["kinds"][0]["fields"][1] == {"old": "d", "new": None, "fixed": written}

    def test_only_ascii(self):
        """The text is valid in any encoding."""
        old = files("{x: {type: str, charset: unicode, choices: [é]}}", "{{ x }}")
        drawn = difference_as_json(difference(old, files("{x: {type: str, charset: unicode}}", "d/{{ x }}")))
        assert drawn.isascii()
        assert json.loads(drawn)["kinds"][0]["example"]["new"]["path"] == "d/é"
