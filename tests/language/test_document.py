"""The layout file as a document: structure, `extends`, and where each piece stands."""

from __future__ import annotations

import pytest

from zarrange import Layout, LayoutError
from zarrange.language.document import ViewSpec

BASE = """\
zarrange: 1
name: base
doc: The base.
fields:
  run: {type: str, doc: The run.}
  part: {type: int}
fragments:
  run_dir: "{{ run }}"
containers:
  box: {path: "{{ run_dir }}/box.zarr", doc: A box.}
arrays:
  grid:
    container: box
    path: "{{ part }}"
    doc: A grid.
    examples: [{values: {run: a, part: 1}, path: a/box.zarr/1}]
files:
  note: {path: "{{ run_dir }}/note.txt"}
allow:
  - {rule: nested-kinds, kinds: [grid], because: It is a test.}
"""

VIEWED = (
    BASE.replace(
        "files:",
        "".join(f"  {name}: {{container: box, path: {name}}}\n" for name in ("mask", "other", "examples")) + "files:",
    )
    + "view: {title: T, by: run, slider: part, panels: [grid, mask], overlays: {mask: other, examples: grid}}\n"
)
OVERLAYS = {"mask": "other", "examples": "grid"}


@pytest.fixture
def load(tmp_path):
    """Write layout files, and load the last of them."""

    def loaded(**files):
        for name, text in files.items():
            (tmp_path / f"{name}.yaml").write_text(text)
        return Layout.load(tmp_path / f"{name}.yaml")

    loaded.folder = tmp_path
    return loaded


def found(caught, folder=None):
    """The rule, the place and the message of every diagnostic; a file in the folder by its bare name."""
    return [
        (one.rule, str(one.span).removeprefix(f"{folder}/"), one.message.replace(f"{folder}/", ""))
        for one in caught.value.diagnostics
    ]


def own(text):
    return f"zarrange: 1\nextends: base.yaml\n{text}"


class TestExtends:
    def test_what_is_not_said_is_inherited(self, load):
        """A layout has the fields, fragments and kinds of the one that it extends."""
        layout = load(base=BASE, own=own(""))
        assert list(layout.kinds) == ["box", "grid", "note"]
        assert layout.render("grid", run="a", part=1).path == "a/box.zarr/1"

    def test_mappings_merge_by_key(self, load):
        """A key that is given changes that key alone."""
        layout = load(base=BASE, own=own('arrays: {grid: {path: "p{{ part }}"}}\nfields: {part: {min: 5}}\n'))
        grid = layout.kinds["grid"]
        assert (grid.doc, grid.container) == ("A grid.", "box")
        assert layout.render("grid", run="a", part=5).path == "a/box.zarr/p5"
        with pytest.raises(ValueError, match="of at least 5"):
            layout.render("grid", run="a", part=4)

    def test_a_fragment_changes_every_template_that_uses_it(self, load):
        """An overridden fragment is what inherited templates use."""
        layout = load(base=BASE, own=own('fragments: {run_dir: "runs/{{ run }}"}\n'))
        assert layout.render("grid", run="a", part=1).path == "runs/a/box.zarr/1"
        assert layout.render("note", run="a").path == "runs/a/note.txt"

    def test_null_takes_away(self, load):
        """A key of `null` takes away what would be inherited."""
        layout = load(base=BASE, own=own("files: {note: null}\narrays: {grid: {doc: null}}\n"))
        assert list(layout.kinds) == ["box", "grid"]
        assert layout.kinds["grid"].doc is None

    def test_old_names_are_inherited_and_taken_away(self, load):
        """What something was renamed from is a key as any other."""
        base = BASE.replace("part: {", "part: {renamed_from: piece, ").replace("note: {", "note: {renamed_from: memo, ")
        assert base.count("renamed_from") == 2
        names = [
            (layout.fields["part"].spec.renamed_from, layout.kinds["note"].renamed_from)
            for layout in (
                load(base=base, own=own("files: {note: {doc: More.}}\n")),
                load(base=base, own=own("fields: {part: {renamed_from: bit}}\nfiles: {note: {renamed_from: null}}\n")),
            )
        ]
        assert names == [("piece", "memo"), ("bit", None)]

    def test_name_doc_and_examples_are_not_inherited(self, load):
        """What a file says of itself, and of its own paths, stays its own."""
        layout = load(base=BASE, own=own('arrays: {grid: {path: "p{{ part }}"}}\n'))
        assert (layout.name, layout.doc, layout.kinds["grid"].examples) == ("own", None, ())
        assert [one for one in layout.check() if one.rule == "failing-example"] == []

    def test_accepted_findings_add_up(self, load):
        """`allow` has the base's entries, then one's own."""
        layout = load(base=BASE, own=own("allow: [{rule: overlapping-kinds, kinds: [grid, box], because: So.}]\n"))
        assert [one.rule for one in layout.allow] == ["nested-kinds", "overlapping-kinds"]

    def test_a_shipped_layout_can_be_extended(self, load):
        """A bare name is that of a shipped layout."""
        text = "zarrange: 1\nextends: training\nfragments: {run_dir: 'runs/{{ run | quote }}'}\n"
        layout = load(own=text)
        assert layout.render("validation", run="a b").path == "runs/a%20b/validation.zarr"
        assert "prediction" in layout.render("validation_prediction", run="a", iteration=1, dataset="d").path

    def test_a_view_is_inherited(self, load):
        """Each key of a view is inherited for itself, and `null` takes it away; its title is the file's own."""
        layout = load(base=VIEWED, own=own("view: {panels: [mask], overlays: {examples: null, grid: other}}\n"))
        assert layout.view == ViewSpec(None, "run", "part", ("mask",), {"mask": "other", "grid": "other"})
        assert load(own=own("view: {slider: null, overlays: null, title: Mine}\n")).view == ViewSpec(
            "Mine", "run", None, ("grid", "mask")
        )
        assert load(own=own("view: null\n")).view == ViewSpec()
        assert load(own=own("")).view == ViewSpec(
            None, "run", "part", ("grid", "mask"), {"mask": "other", "examples": "grid"}
        )

    @pytest.mark.parametrize(
        ("text", "view"),
        [
            ("arrays: {mask: null}", (None, "run", "part", ("grid",), {"examples": "grid"})),
            ("arrays: {other: null, examples: null}", (None, "run", "part", ("grid", "mask"), {})),
            ("fields: {part: {type: str}}", (None, "run", None, ("grid", "mask"), OVERLAYS)),
            (
                "fields: {run: null}\nfragments: {run_dir: runs}\nallow: []",
                (None, None, "part", ("grid", "mask"), OVERLAYS),
            ),
            ("view: {by: part}", (None, "part", None, ("grid", "mask"), OVERLAYS)),
            (
                "view: {overlays: {grid: examples}}",
                (None, "run", "part", ("grid", "mask"), {"mask": "other", "grid": "examples"}),
            ),
        ],
    )
    def test_what_a_view_inherits_gives_way(self, load, text, view):
        """What is inherited of a view and does not fit any more goes without a word; what fits stays."""
        assert load(base=VIEWED, own=own(text)).view == ViewSpec(*view)

    def test_what_a_view_says_itself_must_fit(self, load):
        """What a layout says of its view itself is reported, whatever it inherits."""
        with pytest.raises(LayoutError) as caught:
            load(base=VIEWED, own=own("arrays: {other: null}\nview: {slider: run, overlays: {grid: other}}\n"))
        assert found(caught, load.folder) == [
            ("wrong-type", "own.yaml:4:16", "`run` is a field of type `str`, which cannot be slid through"),
            ("unknown-kind", "own.yaml:4:38", "`other` is not a kind"),
        ]

    def test_a_wrong_view_of_a_base_is_wrong(self, load):
        """A key that no view has is reported in the base, too."""
        with pytest.raises(LayoutError) as caught:
            load(base=VIEWED.replace("slider:", "slides:"), own=own(""))
        assert found(caught, load.folder) == [("unknown-key", "base.yaml:24:27", "`slides` is not a key here")]

    def test_several_levels(self, load):
        """A layout may extend one that extends another; the nearest wins."""
        middle = own('fragments: {run_dir: "middle/{{ run }}"}\nfields: {part: {min: 3}}\n')
        layout = load(base=BASE, middle=middle, last="zarrange: 1\nextends: middle.yaml\nfields: {part: {min: 1}}\n")
        assert layout.render("grid", run="a", part=1).path == "middle/a/box.zarr/1"

    def test_an_error_stands_in_the_file_that_has_it(self, load):
        """A finding points into the base or into one's own file, wherever the words stand."""
        with pytest.raises(LayoutError) as caught:
            load(
                base=BASE.replace("{{ run_dir }}/note", "{{ rum_dir }}/note"),
                own=own("allow:\n  - {rule: nested-kinds, kinds: [grib], because: So.}\nfields: {part: {type: inf}}\n"),
            )
        assert found(caught, load.folder) == [
            ("unknown-field", "base.yaml:18:20", "`rum_dir` is not a declared field"),
            ("unknown-kind", "own.yaml:4:34", "`grib` is not a kind"),
            ("wrong-type", "own.yaml:5:23", "`inf` is not a field type"),
        ]

    def test_a_cycle_is_named(self, load):
        """Layouts that extend each other in a circle are an error that names the circle."""
        with pytest.raises(LayoutError) as caught:
            load(
                a="zarrange: 1\nextends: b.yaml\n",
                b="zarrange: 1\nextends: c.yaml\n",
                c="zarrange: 1\nextends: a.yaml\n",
            )
        assert found(caught, load.folder) == [
            ("extends-cycle", "b.yaml:2:10", "the layout extends itself: `c.yaml` → `a.yaml` → `b.yaml` → `c.yaml`")
        ]
        with pytest.raises(LayoutError, match=r"the layout extends itself: `self\.yaml` → `self\.yaml`"):
            load(self="zarrange: 1\nextends: self.yaml\n")

    def test_a_long_chain_is_refused(self, load):
        """More levels than anybody could follow are an error."""
        files = {f"f{at}": f"zarrange: 1\nextends: f{at + 1}.yaml\n" for at in reversed(range(20))}
        with pytest.raises(LayoutError, match="more than 8 layouts extend each other"):
            load(f20="zarrange: 1\n", **files)

    @pytest.mark.parametrize(
        "written",
        [
            "../base.yaml",
            "/etc/passwd",
            "sub/base.yaml",
            "base.txt",
            "..",
            "file:///etc/passwd",
            "~/base.yaml",
            "C:base.yaml",
        ],
    )
    def test_only_a_file_beside_it_can_be_extended(self, load, written):
        """`extends` cannot lead to any other folder."""
        (load.folder / "base.txt").write_text(BASE)
        with pytest.raises(LayoutError) as caught:
            load(own=f"zarrange: 1\nextends: '{written}'\n")
        assert found(caught, load.folder) == [
            (
                "unreadable-layout",
                "own.yaml:2:10",
                f"`{written}` is neither a shipped layout nor the name of a YAML file beside this one",
            )
        ]

    def test_a_missing_base_is_an_error_where_it_is_named(self, load):
        """A base that does not exist is reported at the `extends` that wants it."""
        with pytest.raises(LayoutError) as caught:
            load(own="zarrange: 1\nextends: missing.yaml\n")
        assert found(caught, load.folder) == [
            ("unreadable-layout", "own.yaml:2:10", "cannot read `missing.yaml`: no such file or directory")
        ]

    def test_a_broken_base_is_an_error_in_the_base(self, load):
        """What cannot be read in the base is reported there."""
        with pytest.raises(LayoutError) as caught:
            load(base="zarrange: 1\na: *b\n", own=own(""))
        assert found(caught, load.folder) == [("invalid-yaml", "base.yaml:2:4", "`*b` is an alias")]


class TestStructure:
    @pytest.mark.parametrize(
        ("text", "rule", "place", "message"),
        [
            ("fields: {a: {type: str}}", "missing-key", "1:1", "`zarrange` is missing"),
            ("zarrange: '1'", "wrong-type", "1:11", "expected a whole number, got the text '1'"),
            ("zarrange: true", "wrong-type", "1:11", "expected a whole number, got a truth value"),
            ("zarrange: 1.0", "wrong-type", "1:11", "expected a whole number, got the number 1.0"),
            ("zarrange: 2", "unsupported-version", "1:11", "version 2 of the format is not known"),
            ("zarrange: 1\nfield: {}", "unknown-key", "2:1", "`field` is not a key here"),
            ("zarrange: 1\nfields: []", "wrong-type", "2:9", "expected a mapping, got a list"),
            ("zarrange: 1\nfields:", "wrong-type", "2:8", "expected a mapping, got nothing"),
            ("zarrange: 1\nfields: {a: str}", "wrong-type", "2:13", "expected a mapping, got the text 'str'"),
            ("zarrange: 1\nfields: {a: {type: 7}}", "wrong-type", "2:20", "expected text, got the number 7"),
            ("zarrange: 1\nfields: {a: {}}", "missing-key", "2:10", "`a` has no `type`"),
            (
                "zarrange: 1\nfields: {a: {type: str, charset: utf8}}",
                "wrong-type",
                "2:34",
                "the text 'utf8' is not one of `portable`, `unicode`, `text`",
            ),
            (
                "zarrange: 1\nfields: {a: {type: str, exclude: x}}",
                "wrong-type",
                "2:34",
                "expected a list, got the text 'x'",
            ),
            (
                "zarrange: 1\nfields: {a: {type: str, exclude: [x, 7]}}",
                "wrong-type",
                "2:38",
                "expected text, got the number 7",
            ),
            (
                "zarrange: 1\nfields: {a: {type: str, exclude: [7]}}",
                "wrong-type",
                "2:35",
                "expected text, got the number 7",
            ),
            ("zarrange: 1\nfiles: {a: {path: [a]}}", "wrong-type", "2:19", "expected text, got a list"),
            (
                "zarrange: 1\ncontainers: {a: {path: a, zarr_format: '2'}}",
                "wrong-type",
                "2:40",
                "the text '2' is not one of `2`, `3`",
            ),
            (
                "zarrange: 1\nfiles: {a: {path: a, examples: [{values: {x: [1]}, path: a}]}}",
                "wrong-type",
                "2:46",
                "expected text or a whole number or a number or true or false, got a list",
            ),
            ("zarrange: 1\nallow: [{rule: nested-kinds, because: x}]", "missing-key", "2:9", "`kinds` is missing"),
            ("zarrange: 1\nview:", "wrong-type", "2:6", "expected a mapping, got nothing"),
            ("zarrange: 1\nview: {panel: []}", "unknown-key", "2:8", "`panel` is not a key here"),
            ("zarrange: 1\nview: {overlays: []}", "wrong-type", "2:18", "expected a mapping, got a list"),
            ("zarrange: 1\nview: {overlays: {a: null}}", "wrong-type", "2:22", "expected text, got nothing"),
            ("[]", "wrong-type", "1:1", "expected a mapping, got a list"),
            ("text", "wrong-type", "1:1", "expected a mapping, got the text 'text'"),
        ],
    )
    def test_what_does_not_fit_is_placed(self, text, rule, place, message):
        """A wrong piece of a document is reported where it stands, in the words of YAML."""
        with pytest.raises(LayoutError) as caught:
            Layout.parse(text, file="f")
        assert found(caught) == [(rule, f"f:{place}", message)]

    def test_the_rest_is_checked_all_the_same(self):
        """What is wrong in one entry hides neither the others nor the rest of that entry."""
        with pytest.raises(LayoutError) as caught:
            Layout.parse(
                "zarrange: 1\n"
                "fields: {a: {type: str, min: {}}, b: {type: str}}\n"
                'containers: {box: {path: "{{ a }}/{{ c }}", zarr_format: 4}}\n'
                'arrays: {x: {container: box, path: 7}, y: {container: box, path: "{{ d }}", extra: 1}}\n',
                file="f",
            )
        assert found(caught) == [
            ("wrong-type", "f:2:30", "expected a whole number or a number or text, got a mapping"),
            ("unknown-field", "f:3:38", "`c` is not a declared field"),
            ("wrong-type", "f:3:58", "the number 4 is not one of `2`, `3`"),
            ("wrong-type", "f:4:36", "expected text, got the number 7"),
            ("unknown-field", "f:4:70", "`d` is not a declared field"),
            ("unknown-key", "f:4:77", "`extra` is not a key here"),
        ]
