"""Layouts: loaded, rendered, matched."""

from __future__ import annotations

import copy
import pickle
import sys
from pathlib import Path

import numpy as np
import pytest

from zarrange import (
    ArrayIdentifier,
    ContainerIdentifier,
    FileIdentifier,
    Filter,
    GroupIdentifier,
    Key,
    Layout,
    LayoutError,
)
from zarrange.errors import AmbiguousPathError, FieldError, UnknownKindError

TEXT = """\
zarrange: 1
name: small
doc: A small layout.
fields:
  run: {type: str, doc: The run.}
  iteration: {type: int, min: 0}
  index: {type: str}
fragments:
  part: "{% if index is defined %}i={{ index }}{% else %}all{% endif %}"
containers:
  box: {path: "{{ run }}/box.zarr", doc: A box.}
  old: {path: "{{ run }}/old.zarr", zarr_format: 2}
groups:
  inputs: {container: box, path: inputs}
arrays:
  grid: {container: box, path: "{{ iteration | pad(4) }}/{{ part }}"}
  flat: {container: old, path: "{{ iteration }}"}
files:
  note: {path: "{{ run }}/notes-{{ iteration }}.txt"}
"""


@pytest.fixture(scope="module")
def layout():
    return Layout.parse(TEXT)


class TestRender:
    def test_each_sort_has_its_identifier(self, layout):
        """Containers, groups, arrays and files render to identifiers of their own class."""
        assert layout.render("box", run="a") == ContainerIdentifier("a/box.zarr")
        assert layout.render("inputs", run="a") == GroupIdentifier("a/box.zarr", "inputs")
        assert layout.render("grid", run="a", iteration=7) == ArrayIdentifier("a/box.zarr", "0007/all")
        assert layout.render("note", run="a", iteration=7) == FileIdentifier("a/notes-7.txt")

    def test_none_counts_as_not_given(self, layout):
        """A value of `None` is the same as leaving the field out."""
        assert layout.render("grid", run="a", iteration=7, index=None) == layout.render("grid", run="a", iteration=7)
        assert layout.render("grid", run="a", iteration=7, index="i").path == "a/box.zarr/0007/i=i"
        with pytest.raises(FieldError, match="grid: field `run` is missing"):
            layout.render("grid", run=None, iteration=7)

    def test_numpy_integers_are_integers(self, layout):
        """Whatever Python takes as an index is an int, and the key holds a plain one."""
        assert layout.render("flat", run="a", iteration=np.int64(7)).dataset == "7"
        value = layout.key("flat", run="a", iteration=np.uint8(7))["iteration"]
        assert (value, type(value)) == (7, int)

    @pytest.mark.parametrize(
        ("values", "message"),
        [
            ({}, "grid: field `run` is missing"),
            ({"run": "a"}, "grid: field `iteration` is missing"),
            ({"run": "a", "iteration": np.True_}, "field `iteration` does not take np.True_: it is of type numpy.bool"),
            ({"run": "a", "iteration": 7.0}, "field `iteration` does not take 7.0: it is of type float"),
            (
                {"run": "a", "iteration": -1},
                "field `iteration` does not take -1; it takes a whole number of at least 0",
            ),
            (
                {"run": "a", "itertion": 7},
                "field `itertion` does not belong to this kind; a similar field exists: `iter",
            ),
            ({"run": "a", "iteration": 7, "self": 1}, "field `self` does not belong to this kind"),
            ({"run": "a" * 300, "iteration": 7}, "field `run` makes 'aaa.*it has 300 bytes, more than the 255"),
        ],
    )
    def test_what_does_not_fit_is_refused(self, layout, values, message):
        """A refusal names the kind, the field, the value and what would fit."""
        with pytest.raises(FieldError, match=message) as caught:
            layout.render("grid", **values)
        assert caught.value.kind == "grid"
        assert isinstance(caught.value, ValueError)

    @pytest.mark.parametrize("kind", ["gird", "", 7, None, "__class__"])
    def test_an_unknown_kind_is_refused(self, layout, kind):
        """A kind that the layout does not have is refused, with the ones that it has."""
        with pytest.raises(UnknownKindError, match="the layout `small` has no kind"):
            layout.render(kind, run="a")

    def test_an_error_inside_a_value_is_not_hidden(self, layout):
        """A `TypeError` that a value raises goes up as it is."""

        class Broken:
            def __index__(self):
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            layout.render("flat", run="a", iteration=Broken())

    def test_none_is_no_value_of_a_key(self):
        """`key` takes `None` as not given, as `render` does."""
        made = Layout.load("dacapo")
        assert made.key("validation_raw", run="r", index=None) == made.key("validation_raw", run="r")

    def test_unicode_choices(self):
        """What is none of the choices is refused in every charset."""
        field = "{type: str, charset: unicode, choices: [a b, é]}"
        text = f"zarrange: 1\nfields: {{a: {field}}}\nfiles: {{k: {{path: '{{{{ a }}}}'}}}}\n"
        made = Layout.parse(text)
        assert made.render("k", a="a b").path == "a b"
        with pytest.raises(FieldError, match="it takes one of 'a b', 'é'"):
            made.render("k", a="zzz")

    def test_a_reserved_segment_anywhere_in_a_path(self):
        """A file of zarr's own is no segment of a path field, wherever it stands."""
        made = Layout.parse(SEAM)
        for one in ("zarr.json/a", "a/zarr.json/b", "a/zarr.json"):
            with pytest.raises(FieldError, match="reserved name"):
                made.render("deep", p=one)
            assert made.match(f"{one}/x") is None

    def test_a_dataset_is_measured_too(self):
        """An overlong segment behind the container is refused."""
        with pytest.raises(FieldError, match="it has 256 bytes"):
            Layout.parse(SEAM).render("inside", c="r", a="x" * 256)

    @pytest.mark.parametrize("value", ["é" * 128, "日" * 86])
    def test_a_segment_is_measured_in_bytes(self, value):
        """A segment of more than 255 bytes is refused, though it has fewer characters, and no path has it."""
        made = Layout.parse(SEAM)
        with pytest.raises(FieldError, match="more than the 255 of a file name"):
            made.render("inside", c="r", a=value)
        assert made.match(f"r.zarr/r/{value}") is None

    def test_what_combines_at_a_seam_is_refused_both_ways(self):
        """Two values that combine where they meet are no path, however short, and such a path has no key."""
        made = Layout.parse(SEAM)
        with pytest.raises(FieldError, match="where two values meet, characters combine"):
            made.render("seam", a="e", b="\u0301")
        assert made.match("e\u0301") is None


class TestMatch:
    def test_a_path_gives_its_key(self, layout):
        """A path relative to the root matches the kind that renders it."""
        assert layout.match("a/box.zarr/0007/all") == Key("grid", {"run": "a", "iteration": 7})
        assert layout.match("a/box.zarr") == Key("box", {"run": "a"})
        assert layout.match("a/notes-7.txt") == Key("note", {"run": "a", "iteration": 7})

    @pytest.mark.parametrize(
        "path",
        [
            *["", "/", "a", "a/box.zarr/", "/a/box.zarr", "a//box.zarr", "./a/box.zarr", "a/../box.zarr", "a/BOX.zarr"],
            *["a/box.zarr/7/all", "a/box.zarr/00007/all", "a/notes-07.txt", "a/notes-+7.txt", "a/notes-7.txt\n"],
            *["a/notes-\u0667.txt", "a/notes- 7.txt", "a/notes-7_0.txt", "a" * 256 + "/box.zarr", "\ud800/box.zarr"],
        ],
    )
    def test_what_would_not_be_rendered_does_not_match(self, layout, path):
        """A path that no values render to is the path of no kind."""
        assert layout.match(path) is None
        assert layout.matches(path) == ()

    def test_an_identifier_must_agree_on_the_container(self, layout):
        """An identifier matches if the layout would make the very same one."""
        assert layout.match(ArrayIdentifier("a/box.zarr", "0007/all")) == Key("grid", {"run": "a", "iteration": 7})
        assert layout.match(ArrayIdentifier("a", "box.zarr/0007/all")) is None
        assert layout.match(GroupIdentifier("a/box.zarr", "0007/all")) is None

    def test_several_readings_are_an_error(self):
        """Where a path has several readings, `match` raises and `matches` gives them all."""
        dacapo = Layout.load("dacapo")
        path = dacapo.render("validation_raw", run="r").path
        with pytest.raises(AmbiguousPathError, match=r"'r/validation.zarr/inputs/raw' has several readings: val"):
            dacapo.match(path)
        assert dacapo.matches(path) == (
            Key("best_validation", {"run": "r", "criterion": "inputs/raw"}),
            Key("best_validation", {"run": "r", "criterion": "raw", "index": "inputs"}),
            Key("validation_raw", {"run": "r"}),
        )
        assert dacapo.matches(ArrayIdentifier("r/validation.zarr", "inputs/raw")) == dacapo.matches(path)


class TestTheLayoutItself:
    def test_it_says_what_it_has(self, layout):
        """Name, doc, fields and kinds are there to be read."""
        assert (layout.name, layout.doc, layout.allow) == ("small", "A small layout.", ())
        assert list(layout.kinds) == ["box", "old", "inputs", "grid", "flat", "note"]
        assert list(layout.fields) == ["run", "iteration", "index"]
        grid = layout.kinds["grid"]
        assert (grid.sort, grid.container, grid.zarr_format) == ("array", "box", None)
        assert (list(grid.fields), grid.optional) == (["run", "iteration", "index"], {"index"})
        assert (layout.kinds["flat"].zarr_format, layout.kinds["note"].zarr_format) == (2, None)
        assert repr(layout) == "<Layout 'small': box, old, inputs, grid, flat, note>"

    def test_it_cannot_be_changed(self, layout):
        """The mappings of a layout are read-only."""
        with pytest.raises(TypeError):
            layout.kinds["box"] = None
        with pytest.raises(TypeError):
            layout.fields["run"] = None

    def test_it_is_named_after_its_file(self, tmp_path):
        """A layout without a name has that of its file."""
        (tmp_path / "mine.yaml").write_text("zarrange: 1\nfiles: {a: {path: a}}\n")
        loaded = Layout.load(tmp_path / "mine.yaml")
        assert (loaded.name, loaded.file) == ("mine", str(tmp_path / "mine.yaml"))

    def test_equal_texts_are_equal_layouts(self, layout):
        """Layouts are equal, and hash alike, if their texts are; copies and pickles are equal."""
        other = Layout.parse(TEXT.replace("small", "large"))
        assert layout == Layout.parse(TEXT, file="elsewhere.yaml") != other
        assert layout != "small"
        for again in (copy.copy(layout), copy.deepcopy(layout), pickle.loads(pickle.dumps(layout))):
            assert (again, hash(again)) == (layout, hash(layout))

    def test_a_pickle_needs_no_files(self, tmp_path):
        """A pickled layout has what it extends inside, for a worker on another machine."""
        (tmp_path / "base.yaml").write_text(TEXT)
        (tmp_path / "own.yaml").write_text("zarrange: 1\nextends: base.yaml\nfiles: {extra: {path: extra}}\n")
        frozen = pickle.dumps(Layout.load(tmp_path / "own.yaml"))
        (tmp_path / "base.yaml").unlink()
        (tmp_path / "own.yaml").unlink()
        again = pickle.loads(frozen)
        assert (again.render("extra").path, again.render("box", run="a").path) == ("extra", "a/box.zarr")

    def test_fields_may_be_named_like_functions(self):
        """A field may have the name of whatever rendering and matching use themselves."""
        names = ["type", "len", "str", "int", "self", "kind", "render", "parts", "values", "cls", "object"]
        fields = "".join(f"  {name}: {{type: {'int' if at % 2 else 'str'}}}\n" for at, name in enumerate(names))
        slots = "/".join(f"{{{{ {name} }}}}" for name in names)
        odd = Layout.parse(f'zarrange: 1\nfields:\n{fields}files:\n  x: {{path: "{slots}"}}\n')
        values = {name: at if at % 2 else f"v{at}" for at, name in enumerate(names)}
        path = odd.render("x", **values).path
        assert path == "v0/1/v2/3/v4/5/v6/7/v8/9/v10"
        assert odd.match(path) == Key("x", values)

    def test_a_layout_cannot_reach_what_renders_it(self):
        """What a layout's texts spell never becomes code: names that are not plain are refused."""
        for name in ("_made", "__import__", "a b", "a.b", "é", "1a", "class", "None", "a)(", ""):
            with pytest.raises(LayoutError) as caught:
                Layout.parse(f"zarrange: 1\nfields:\n  {name!r}: {{type: str}}\nfiles: {{x: {{path: a}}}}\n")
            assert [one.rule for one in caught.value.diagnostics] == ["invalid-name"]

    def test_bounds_may_be_equal(self):
        """A field whose bounds are equal has one value."""
        text = "zarrange: 1\nfields: {n: {type: int, min: 3, max: 3}}\nfiles: {k: {path: '{{ n }}'}}\n"
        assert Layout.parse(text).match("3") is not None

    def test_filters_are_part_of_a_layout(self):
        """Layouts of one text with different filters differ."""
        text = "zarrange: 1\nfields: {a: {type: str}}\nfiles: {k: {path: '{{ a | f }}'}}\n"
        one = Layout.parse(text, filters=[Filter("f", str.upper, str.lower)])
        other = Layout.parse(text, filters=[Filter("f", str.lower, str.upper)])
        assert one != other


class TestLoad:
    def test_a_shipped_layout_by_its_name(self):
        """A bare name is that of a shipped layout."""
        assert Layout.load("training").name == "training"

    def test_a_file_by_its_path(self, tmp_path, monkeypatch):
        """A path is that of a file, as text or as a path object; a bare name in the working directory works too."""
        (tmp_path / "mine.yaml").write_text(TEXT)
        (tmp_path / "bare").write_text(TEXT)
        monkeypatch.chdir(tmp_path)
        layouts = [Layout.load("mine.yaml"), Layout.load(Path("mine.yaml")), Layout.load(tmp_path / "mine.yaml")]
        assert {one.name for one in [*layouts, Layout.load("bare")]} == {"small"}

    @pytest.mark.parametrize(
        ("name", "message", "advice"),
        [
            ("trainng", "`trainng` is neither a shipped layout nor a file", "a similar layout exists: `training`"),
            ("missing.yaml", "cannot read `missing.yaml`: no such file or directory", None),
            (".", "cannot read `.`: it is not a file", None),
            ("/dev/zero", "cannot read `/dev/zero`: it is not a file", None),
            ("nul\0.yaml", "cannot read `nul\0.yaml`: .*", None),
        ],
    )
    def test_what_cannot_be_read_is_a_positioned_error(self, tmp_path, monkeypatch, name, message, advice):
        """A file that is missing, or no file, is a diagnostic like any other."""
        monkeypatch.chdir(tmp_path)
        with pytest.raises(LayoutError, match=message) as caught:
            Layout.load(name)
        (found,) = caught.value.diagnostics
        assert (found.rule, found.span.line, found.span.column, found.help) == ("unreadable-layout", 1, 1, advice)

    def test_a_named_pipe_does_not_block(self, tmp_path):
        """A named pipe is no file, and is not waited for."""
        import os

        os.mkfifo(tmp_path / "pipe.yaml")
        with pytest.raises(LayoutError, match="it is not a file"):
            Layout.load(tmp_path / "pipe.yaml")

    def test_a_huge_file_is_not_read(self, tmp_path):
        """A file above the limit is refused before it is read."""
        with open(tmp_path / "huge.yaml", "wb") as file:
            file.truncate(2**40)
        with pytest.raises(LayoutError, match="1099511627776 bytes, more than 65536"):
            Layout.load(tmp_path / "huge.yaml")

    def test_all_errors_come_at_once(self):
        """What is wrong in different places of a file is reported together, in the order of the file."""
        with pytest.raises(LayoutError) as caught:
            Layout.parse(
                "zarrange: 2\n"
                "fields:\n"
                "  a: {type: strr}\n"
                "  b: {type: int, min: low}\n"
                "  c: {type: str}\n"
                "containers:\n"
                '  box: {path: "/{{ d }}"}\n'
                "arrays:\n"
                '  x: {container: bix, path: "{{ c | pad(3) }}"}\n'
                '  y: {container: box, path: "{{ b }}", extra: 1}\n'
                "allow: [{rule: nothing, kinds: [z], because: ''}]\n",
                file="f.yaml",
            )
        assert [(one.rule, one.span.line, one.span.column) for one in caught.value.diagnostics] == [
            ("unsupported-version", 1, 11),
            ("wrong-type", 3, 13),
            ("wrong-type", 4, 23),
            ("unknown-field", 7, 20),
            ("unknown-container", 9, 18),
            ("misapplied-filter", 9, 37),
            ("unknown-key", 10, 40),
            ("unknown-rule", 11, 16),
            ("unknown-kind", 11, 33),
            ("undocumented-allow", 11, 46),
        ]

    def test_a_filter_cannot_replace_a_built_in_one(self):
        """The names of the built-in filters mean the same in every layout."""
        from zarrange import Filter

        mine = Filter("pad", encode=str, decode=str)
        with pytest.raises(ValueError, match="there is a filter `pad` already"):
            Layout.parse(TEXT, filters=[mine])

    def test_loading_leaves_the_recursion_limit_alone(self):
        """Deep recursion in a hostile layout is caught where the caller's stack is deep as well."""

        def deep(levels):
            return deep(levels - 1) if levels else Layout.parse(TEXT).name

        assert deep(sys.getrecursionlimit() // 3) == "small"

    @pytest.mark.parametrize("count", [100, 101, 1000])
    def test_many_findings_are_cut(self, count):
        """A hundred findings are given, and one that says that there may be more."""
        fields = "".join(f"  f{at}: {{type: nonsense}}\n" for at in range(count))
        with pytest.raises(LayoutError) as caught:
            Layout.parse(f"zarrange: 1\nfields:\n{fields}")
        rules = [one.rule for one in caught.value.diagnostics]
        assert rules.count("wrong-type") == 100
        assert rules.count("too-many-findings") == 1


SEAM = """\
zarrange: 1
fields:
  a: {type: str, charset: unicode}
  b: {type: str, charset: unicode}
  p: {type: path, charset: unicode}
  c: {type: str}
containers: {box: {path: "{{ c }}.zarr"}}
arrays: {inside: {container: box, path: "{{ c }}/{{ a }}"}}
files: {seam: {path: "{{ a }}{{ b }}"}, deep: {path: "{{ p }}/x"}, chosen: {path: "{{ c }}-{{ c }}/y"}}
"""


BASE = "zarrange: 1\nextends: training\nfiles: {note: {path: '{{ run_dir }}/note.txt'}}\n"
OWN = "zarrange: 1\nextends: base.yaml\nfiles: {more: {path: '{{ run_dir }}/more.txt'}}\n"


class TestItsTexts:
    """A layout is all that its texts say: they can be kept, and made a layout again, without its files."""

    @pytest.fixture
    def own(self, tmp_path):
        """The file of a layout that extends another one, which extends a shipped one."""
        (tmp_path / "base.yaml").write_text(BASE)
        (tmp_path / "own.yaml").write_text(OWN)
        return tmp_path / "own.yaml"

    def test_files_and_texts_are_those_that_it_extends_too(self, own):
        """`files` and `texts` begin with the layout's own, and the furthest one that it extends stands last."""
        layout = Layout.load(own)
        assert [Path(file).name for file in layout.files] == ["own.yaml", "base.yaml", "training.yaml"]
        assert layout.files[0] == layout.file == str(own)
        assert layout.texts == (OWN, BASE, Layout.load("training").texts[0])

    def test_a_layout_alone_has_one(self, layout):
        """A layout that extends nothing has one file and one text."""
        assert (layout.files, layout.texts) == (("<layout>",), (TEXT,))

    @pytest.mark.parametrize("content", [b"\xef\xbb\xbf" + TEXT.encode(), TEXT.replace("\n", "\r\n").encode()])
    def test_any_text_comes_back(self, content):
        """Byte order marks and line ends of any sort do not keep a text from making the same layout again."""
        layout = Layout.parse(content)
        assert Layout.from_texts(zip(layout.files, layout.texts, strict=True)) == layout

    def test_nothing_else_is_read(self, own):
        """`from_texts` takes what is extended from the texts, also where the files are gone or say something else."""
        layout = Layout.load(own)
        own.unlink()
        (own.parent / "base.yaml").write_text("zarrange: 1\n")
        again = Layout.from_texts(zip(layout.files, layout.texts, strict=True))
        assert again == layout
        assert again.files == layout.files
        assert list(again.kinds) == list(layout.kinds)
        assert again.render("note", run="a b").path == "a%20b/note.txt"

    def test_the_files_of_texts_are_names_only(self):
        """A file that `from_texts` is given is what positions call it, and the name of a layout without one."""
        with pytest.raises(LayoutError, match=r"^/nowhere/x\.yaml:1:11: error\[unsupported-version\]"):
            Layout.from_texts([("/nowhere/x.yaml", "zarrange: 2\n")])
        assert Layout.from_texts([("/nowhere/x.yaml", "zarrange: 1\nfiles: {a: {path: a}}\n")]).name == "x"

    def test_texts_with_filters(self):
        """`from_texts` takes the filters that the texts use, and refuses texts without them."""
        text = "zarrange: 1\nfields: {a: {type: str}}\nfiles: {k: {path: '{{ a | f }}'}}\n"
        mine = Filter("f", str.upper, str.lower)
        layout = Layout.from_texts([("x.yaml", text)], filters=[mine])
        assert (layout, layout.filters) == (Layout.parse(text, filters=[mine]), (mine,))
        with pytest.raises(LayoutError, match="unknown-filter"):
            Layout.from_texts([("x.yaml", text)])


def edited(*pairs):
    text = TEXT
    for old, new in pairs:
        assert text.count(old) == 1
        text = text.replace(old, new)
    return text


class TestAgreement:
    """Layouts agree if they have the same kinds, fields, templates and filters, whatever they say of them beside."""

    @pytest.mark.parametrize(
        "text",
        [
            TEXT,
            edited(("name: small\n", "")),
            edited(("doc: A small layout.", "doc: Another text.")),
            edited((", doc: The run.", ", doc: Its run."), (", doc: A box.", "")),
            edited(("doc: A box.", "examples: [{values: {run: a}, path: a/box.zarr}]")),
            edited(("fields:", "rules: {missing-example: error}\nfields:")),
            edited(("fields:", "allow: [{rule: nested-kinds, kinds: [grid, flat], because: Why not.}]\nfields:")),
            edited(
                ("fields:", "view: {title: Look, slider: iteration, panels: [flat], overlays: {grid: flat}}\nfields:")
            ),
            edited(("{type: int, min: 0}", "{min: 0, type: int}  # a comment")),
            edited(("min: 0", "min: 0, renamed_from: step"), ("doc: A box.", "doc: A box., renamed_from: chest")),
        ],
    )
    def test_other_words_agree(self, layout, text):
        """Names, docs, examples, rules, allowed findings and views may differ."""
        other = Layout.parse(text)
        assert layout.agrees_with(other)
        assert other.agrees_with(layout)

    @pytest.mark.parametrize(
        "text",
        [
            edited(("min: 0", "min: 1")),
            edited(("min: 0", "min: 0, max: 9")),
            edited(("index: {type: str}", "index: {type: int}")),
            edited(("index: {type: str}", "index: {type: str, max_length: 9}")),
            edited(("pad(4)", "pad(5)")),
            edited(("i={{ index }}", "j={{ index }}")),
            edited(("flat: {container: old", "flat: {container: box")),
            edited(("path: inputs", "path: input")),
            edited(("  note:", "  memo:")),
            edited(('/old.zarr", zarr_format: 2', '/old.zarr"')),
            TEXT.partition("files:")[0],
            TEXT + "  more: {path: more}\n",
        ],
    )
    def test_other_paths_do_not(self, layout, text):
        """Whatever changes a path, or what is a path of a kind, is no agreement."""
        other = Layout.parse(text)
        assert not layout.agrees_with(other)
        assert not other.agrees_with(layout)

    def test_extending_is_no_matter(self, tmp_path, layout):
        """A layout that is written in one file agrees with the same one that is written in two."""
        (tmp_path / "base.yaml").write_text(TEXT.partition("files:")[0])
        (tmp_path / "own.yaml").write_text("zarrange: 1\nextends: base.yaml\nfiles:" + TEXT.partition("files:")[2])
        assert Layout.load(tmp_path / "own.yaml").agrees_with(layout)
        assert Layout.load(tmp_path / "own.yaml") != layout

    def test_filters_count(self):
        """A filter of the same name that does something else is no agreement."""
        text = "zarrange: 1\nfields: {a: {type: str}}\nfiles: {k: {path: '{{ a | f }}'}}\n"
        mine, other = Filter("f", str.upper, str.lower), Filter("f", str.lower, str.upper)
        one = Layout.parse(text, filters=[mine])
        assert one.agrees_with(Layout.parse(text + "# More.\n", filters=[mine]))
        assert one.agrees_with(pickle.loads(pickle.dumps(one)))
        assert not one.agrees_with(Layout.parse(text, filters=[other]))
