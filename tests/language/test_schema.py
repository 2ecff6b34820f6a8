"""The JSON Schema of the layout format: it says what loading says, as far as a schema can."""

from __future__ import annotations

import ast
import json
import re
import string
import tomllib
from pathlib import Path

import attrs
import pytest
from hypothesis import assume, given, settings, strategies as st
from jsonschema import Draft7Validator, Draft202012Validator
from tests.property.random_layouts import layout_texts

from zarrange import Layout, LayoutError
from zarrange.converter import structure
from zarrange.errors import StructureError
from zarrange.language.charsets import CHARSETS
from zarrange.language.check import ALLOWABLE, RULES
from zarrange.language.document import Document
from zarrange.language.fields import FIELD_TYPES, FieldSpec
from zarrange.language.schema import layout_schema
from zarrange.language.shipped import shipped_layouts
from zarrange.language.source import parse

REPOSITORY = Path(__file__).parents[2]
SCHEMA = layout_schema()
VALIDATOR = Draft202012Validator(SCHEMA)
CLASSES = ("AllowSpec", "ArraySpec", "ContainerSpec", "Document", "ExampleSpec", "FieldSpec", "FileSpec", "GroupSpec")


def loads(text):
    """Whether a text loads as a layout."""
    try:
        Layout.parse(text)
    except LayoutError:
        return False
    return True


def is_valid(text):
    """Whether the data of a text are valid by the schema."""
    return VALIDATOR.is_valid(parse(text, "f").data)


class TestTheSchemaItself:
    def test_it_is_a_schema(self):
        """It is a valid schema of draft 2020-12, and JSON gives it back as it is."""
        Draft202012Validator.check_schema(SCHEMA)
        assert SCHEMA["$schema"] == Draft202012Validator.META_SCHEMA["$id"]
        assert json.loads(json.dumps(SCHEMA)) == SCHEMA

    def test_the_file_beside_the_layouts_is_up_to_date(self):
        """`layouts/layout.schema.json` is what the command prints, byte for byte."""
        written = (REPOSITORY / "layouts/layout.schema.json").read_bytes()
        printed = f"{json.dumps(layout_schema(), indent=2)}\n".encode()
        assert written == printed, "rewrite it: zarrange schema > layouts/layout.schema.json"

    def test_it_is_made_anew(self):
        """Who changes what the function returned does not change the next one's."""
        changed = layout_schema()
        changed["$defs"]["Name"]["not"]["enum"].clear()
        changed["$defs"]["Document"]["properties"]["extends"]["anyOf"].clear()
        changed["$defs"]["FieldSpec"]["properties"]["type"]["enum"].clear()
        assert layout_schema() == SCHEMA

    @pytest.mark.parametrize("name", CLASSES)
    def test_a_class_is_a_definition(self, name):
        """A class has its attributes as properties, all described, those without a default required, and no others."""
        module = {"FieldSpec": "fields"}.get(name, "document")
        cls = getattr(__import__(f"zarrange.language.{module}", fromlist=[name]), name)
        definition = SCHEMA["$defs"][name]
        attributes = attrs.fields(cls)
        assert list(definition["properties"]) == [one.name for one in attributes]
        assert definition["required"] == [one.name for one in attributes if one.default is attrs.NOTHING]
        assert definition["additionalProperties"] is False
        assert definition["description"] == cls.__doc__.splitlines()[0]
        assert all(one["description"][-1] in ".`" for one in definition["properties"].values())

    @pytest.mark.parametrize("name", sorted(set(CLASSES) - {"AllowSpec", "ExampleSpec"}))
    def test_an_extending_layout_may_leave_out_what_it_inherits(self, name):
        """A definition for layouts that extend others has the same properties; only the version is required."""
        definition = SCHEMA["$defs"][f"Extending{name}"]
        assert definition.get("required", []) == (["zarrange"] if name == "Document" else [])
        assert list(definition["properties"]) == list(SCHEMA["$defs"][name]["properties"])

    def test_items_of_lists_are_not_inherited(self):
        """Examples and accepted findings are whole, also in a layout that extends another."""
        assert not {"ExtendingExampleSpec", "ExtendingAllowSpec"} & SCHEMA["$defs"].keys()

    def test_names_are_taken_from_where_they_are_checked(self):
        """Rules, field types, charsets and shipped layouts are those that loading knows."""
        of_document = SCHEMA["$defs"]["Document"]["properties"]
        of_field = SCHEMA["$defs"]["FieldSpec"]["properties"]
        assert list(of_document["rules"]["properties"]) == sorted(RULES)
        assert SCHEMA["$defs"]["AllowSpec"]["properties"]["rule"]["enum"] == list(ALLOWABLE)
        assert of_field["type"]["enum"] == list(FIELD_TYPES)
        assert of_field["charset"]["enum"] == [*CHARSETS, None]
        assert of_document["extends"]["anyOf"][0]["enum"] == sorted(shipped_layouts())

    def test_choices_are_explained(self):
        """An editor shows what each rule finds, and what each type and each charset is."""
        rules = SCHEMA["$defs"]["Document"]["properties"]["rules"]["properties"]
        assert rules["failing-example"] == {
            "description": "An example of a kind does not hold.",
            "default": "error",
            "enum": ["off", "warning", "error"],
        }
        assert all(one["description"].endswith(".") for one in rules.values())
        described = SCHEMA["$defs"]["FieldSpec"]["properties"]
        assert re.findall("^- `(.*?)`: .+", described["type"]["description"], re.MULTILINE) == list(FIELD_TYPES)
        assert re.findall("^- `(.*?)`: .+", described["charset"]["description"], re.MULTILINE) == list(CHARSETS)

    def test_it_is_needed_by_no_program(self):
        """The package that validates by it is needed by the tests alone."""
        project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
        assert [one for one in project["optional-dependencies"]["test"] if one.startswith("jsonschema")]
        assert not [one for one in project["dependencies"] if one.startswith("jsonschema")]


class TestShippedLayouts:
    @pytest.mark.parametrize("name", sorted(shipped_layouts()))
    def test_an_editor_finds_the_schema(self, name):
        """A shipped layout begins with the line that leads an editor to the schema, which is beside it."""
        file = REPOSITORY / "layouts" / f"{name}.yaml"
        first = file.read_text().partition("\n")[0]
        found = re.fullmatch(r"# yaml-language-server: \$schema=([a-z.]+)", first)
        assert (file.parent / found[1]).is_file()

    def test_the_wheel_has_the_schema(self):
        """The folder with the layouts and the schema is put into the wheel whole."""
        build = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["tool"]["hatch"]["build"]
        assert build["targets"]["wheel"]["force-include"] == {"layouts": "zarrange/layouts"}
        assert sorted(shipped_layouts()) == sorted(file.stem for file in (REPOSITORY / "layouts").glob("*.yaml"))

    @pytest.mark.parametrize("name", sorted(shipped_layouts()))
    def test_they_are_valid(self, name):
        """A shipped layout is valid by the schema."""
        assert is_valid((REPOSITORY / "layouts" / f"{name}.yaml").read_text())


def written_layouts():
    """Every text in the README, in the tests' own pages and in the tests' code that looks like a layout."""
    for file in [REPOSITORY / "README.md", *(REPOSITORY / "tests").rglob("*.md")]:
        yield from re.findall(r"^```yaml.*?\n(.*?)^```$", file.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    for file in (REPOSITORY / "tests").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and "zarrange:" in node.value:
                yield node.value


def test_whatever_is_written_anywhere_and_loads_is_valid():
    """Each layout of the README and of the tests that loads is valid by the schema."""
    loaded = sorted({text for text in written_layouts() if loads(text)})
    assert len(loaded) > 30
    assert [text for text in loaded if not is_valid(text)] == []


GOOD = """\
zarrange: 1
name: good
doc: Something.
fields:
  run: {type: str, pattern: "[a-z]+", exclude: [inputs], max_length: 100, charset: unicode}
  n: {type: int, min: 0, max: 9, doc: A number., renamed_from: number}
  x: {type: float, min: 0, max: 0.5}
  day: {type: date, min: 2026-01-31}
  time: {type: datetime, min: "2026-01-31T12:00:00"}
  flag: {type: bool, choices: [true]}
  pick: {type: str, choices: [a, b]}
  where: {type: path, charset: unicode}
fragments:
  dir: "{{ run }}"
containers:
  box: {path: "{{ dir }}.zarr", zarr_format: 3}
groups:
  part: {container: box, path: "g{{ n }}"}
arrays:
  grid:
    container: box
    path: "a{{ n }}"
    examples: [{values: {run: r, n: 7}, path: r.zarr/a7}]
  mask: {container: box, path: "m{{ n }}"}
files:
  note: {path: "{{ run }}.txt", doc: null, renamed_from: memo}
rules: {missing-example: off}
allow: [{rule: nested-kinds, kinds: [part, grid], because: It is a test.}]
view: {title: Good ones, by: run, slider: day, panels: [grid], overlays: {mask: grid}}
"""

BROKEN = [
    ("zarrange: 1\n", "", "$"),
    ("zarrange: 1", "zarrange: 2", "$.zarrange"),
    ("zarrange: 1", "zarrange: true", "$.zarrange"),
    ("zarrange: 1", "zarrange: '1'", "$.zarrange"),
    ("name: good", "name: [good]", "$.name"),
    ("name: good", "nam: good", "$"),
    ("name: good", "extends: ../base.yaml", "$.extends"),
    ("name: good", "extends: nothing", "$.extends"),
    ("{type: date, min: 2026-01-31}", "null", "$.fields.day"),
    ("{type: date, min: 2026-01-31}", "date", "$.fields.day"),
    ("{type: date, min: 2026-01-31}", "{min: 2026-01-31}", "$.fields.day"),
    ("type: date,", "type: day,", "$.fields.day.type"),
    ("min: 2026-01-31}", "min: 2026-1-31}", "$.fields.day.min"),
    ("min: 2026-01-31}", "min: 2026}", "$.fields.day.min"),
    ("T12:00:00", "", "$.fields.time.min"),
    ("T12:00:00", "T12:00:00.5", "$.fields.time.min"),
    ("T12:00:00", "T12:00:00Z", "$.fields.time.min"),
    ("type: datetime,", "type: date,", "$.fields.time.min"),
    ("charset: unicode}\n  n", "charset: utf8}\n  n", "$.fields.run.charset"),
    ("type: path, charset: unicode", "type: path, charset: text", "$.fields.where.charset"),
    ("max_length: 100", "max_length: 256", "$.fields.run.max_length"),
    ("max_length: 100", "max_length: 0", "$.fields.run.max_length"),
    ("exclude: [inputs]", "exclude: inputs", "$.fields.run.exclude"),
    ("exclude: [inputs]", "exclude: null", "$.fields.run.exclude"),
    ("exclude: [inputs]", "min: 1", "$.fields.run.min"),
    ("renamed_from: number", "renamed_from: 'a-b'", "$.fields.n.renamed_from"),
    ("renamed_from: number", "renamed_from: 7", "$.fields.n.renamed_from"),
    ("renamed_from: memo", "renamed_from: class", "$.files.note.renamed_from"),
    ("renamed_from: memo", "renamed_from: ''", "$.files.note.renamed_from"),
    ("renamed_from: memo", "renamed: memo", "$.files.note"),
    ("max: 9", "pattern: '[0-9]'", "$.fields.n.pattern"),
    ("max: 9", "exclude: ['[0-9]']", "$.fields.n.exclude"),
    ("max: 9", "charset: text", "$.fields.n.charset"),
    ("max: 9", "max_length: 3", "$.fields.n.max_length"),
    ("max: 9", "max: 9.5", "$.fields.n.max"),
    ("max: 9", "max: nine", "$.fields.n.max"),
    ("max: 0.5", "max: half", "$.fields.x.max"),
    ("choices: [true]", "min: 0", "$.fields.flag.min"),
    ("choices: [true]", "choices: [1]", "$.fields.flag.choices[0]"),
    ("choices: [a, b]", "choices: []", "$.fields.pick.choices"),
    ("choices: [a, b]", "choices: [a, 1]", "$.fields.pick.choices[1]"),
    ("choices: [a, b]", "choice: [a, b]", "$.fields.pick"),
    ("  x:", "  class:", "$.fields"),
    ("  x:", "  'x-y':", "$.fields"),
    ('dir: "{{ run }}"', "dir: 7", "$.fragments.dir"),
    ("  note:", "  1st:", "$.files"),
    ("  grid:", "  none:", "$.arrays"),
    ("zarr_format: 3", "zarr_format: 4", "$.containers.box.zarr_format"),
    ("zarr_format: 3", "zarr_format: '3'", "$.containers.box.zarr_format"),
    ("part: {container: box, ", "part: {", "$.groups.part"),
    (', path: "g{{ n }}"', "", "$.groups.part"),
    ('path: "g{{ n }}"', "path: ''", "$.groups.part.path"),
    ('path: "g{{ n }}"', "path: [g]", "$.groups.part.path"),
    ("{values: {run: r, n: 7}, path: r.zarr/a7}", "{values: {run: r, n: 7}}", "$.arrays.grid.examples[0]"),
    ("n: 7}", "n: [7]}", "$.arrays.grid.examples[0].values.n"),
    ("examples: [{", "example: [{", "$.arrays.grid"),
    ('note: {path: "{{ run }}.txt", ', 'note: {container: box, path: "{{ run }}.txt", ', "$.files.note"),
    ("missing-example: off", "missing-examples: off", "$.rules"),
    ("missing-example: off", "missing-example: false", "$.rules['missing-example']"),
    ("missing-example: off", "missing-example: null", "$.rules['missing-example']"),
    ("rule: nested-kinds", "rule: missing-example", "$.allow[0].rule"),
    ("kinds: [part, grid], ", "", "$.allow[0]"),
    ("kinds: [part, grid]", "kinds: part", "$.allow[0].kinds"),
    ("kinds: [part, grid]", "kinds: [part, 'the grid']", "$.allow[0].kinds[1]"),
    ("because: It is a test.", "because: ' '", "$.allow[0].because"),
    ("allow: [{rule: nested-kinds, kinds: [part, grid], because: It is a test.}]", "allow: nested-kinds", "$.allow"),
    ("title: Good ones", "title: [Good ones]", "$.view.title"),
    ("title: Good ones", "name: Good ones", "$.view"),
    ("by: run", "by: 1", "$.view.by"),
    ("by: run", "by: a-b", "$.view.by"),
    ("slider: day", "slider: ''", "$.view.slider"),
    ("panels: [grid]", "panels: grid", "$.view.panels"),
    ("panels: [grid]", "panels: null", "$.view.panels"),
    ("panels: [grid]", "panels: [class]", "$.view.panels[0]"),
    ("overlays: {mask: grid}", "overlays: [mask, grid]", "$.view.overlays"),
    ("overlays: {mask: grid}", "overlays: null", "$.view.overlays"),
    ("overlays: {mask: grid}", "overlays: {mask: null}", "$.view.overlays.mask"),
    ("overlays: {mask: grid}", "overlays: {the-mask: grid}", "$.view.overlays"),
]


class TestBrokenLayouts:
    def test_what_they_are_made_of_is_whole(self):
        """The layout that is broken below loads, is valid, and has every key of the format but `extends`."""
        data = parse(GOOD, "f").data
        assert loads(GOOD)
        assert VALIDATOR.is_valid(data)
        assert data.keys() | {"extends"} == {one.name for one in attrs.fields(Document)}
        used = set().union(*data["fields"].values())
        assert used == {one.name for one in attrs.fields(FieldSpec)}

    @pytest.mark.parametrize(
        ("name", "values"),
        [
            ("str", ["a", "b"]),
            ("path", ["a/b", "a"]),
            ("int", [-1, 7]),
            ("float", [-1, 0.5]),
            ("date", ["0001-01-01", "2026-01-31"]),
            ("datetime", ["2026-01-31T10:00:00", "2026-01-31T10:00:00.000001"]),
            ("bool", [True, False]),
        ],
    )
    def test_every_form_of_a_value_is_taken(self, name, values):
        """A choice, and a limit where the type has limits, is valid in each form in which it loads."""
        limits = dict(zip(("min", "max"), values, strict=True)) if "min" in FIELD_TYPES[name].settings else {}
        data = {"zarrange": 1, "fields": {"a": {"type": name, "choices": values, **limits}}}
        assert loads(json.dumps(data))
        assert VALIDATOR.is_valid(data)

    @pytest.mark.parametrize(("old", "new", "place"), BROKEN, ids=[f"{old!r}→{new!r}" for old, new, _ in BROKEN])
    def test_one_mistake_is_refused_by_both(self, old, new, place):
        """A layout with one mistake does not load, and the schema refuses it where the mistake is."""
        assert GOOD.count(old) == 1
        text = GOOD.replace(old, new)
        assert not loads(text)
        assert {one.json_path for one in VALIDATOR.iter_errors(parse(text, "f").data)} == {place}

    @pytest.mark.parametrize(("old", "new", "place"), BROKEN, ids=[f"{old!r}→{new!r}" for old, new, _ in BROKEN])
    def test_an_editor_of_an_older_draft_refuses_it_too(self, old, new, place):
        """The schema means the same where it is read by draft-07, which editors know best."""
        older = Draft7Validator({**SCHEMA, "$schema": "http://json-schema.org/draft-07/schema#"})
        assert older.is_valid(parse(GOOD, "f").data)
        assert place in {one.json_path for one in older.iter_errors(parse(GOOD.replace(old, new), "f").data)}


def extending(text):
    return f"zarrange: 1\nextends: training\n{text}\n"


class TestExtends:
    @pytest.mark.parametrize(
        "text",
        [
            "",
            "name: null\ndoc: null",
            'arrays: {validation_raw: {path: "raw/{{ index_dir }}"}}',
            "arrays: {validation_raw: null, validation_gt: {doc: null, examples: null}}",
            "arrays: null",
            "arrays: null\ncontainers: null\nfragments: null\nfields: null\nrules: null\nallow: null",
            "fields: {iteration: {min: 1, max: 10}, run: {max_length: 100, charset: unicode, exclude: null}}",
            "fields: {iteration: {type: float, min: null}}\narrays: null\nfragments: {iteration_dir: null}",
            "fields: {volume: null}\narrays: {snapshot_array: null}",
            "fragments: {index_dir: '{{ index | quote }}'}\narrays: null",
            "rules: {missing-example: off}",
            "containers: {snapshot: {zarr_format: 2}}",
            "files: {log: {path: '{{ run_dir }}/log.txt'}}",
            "fields: {volume: {renamed_from: null}}\narrays: {validation_gt: {renamed_from: truth}}",
        ],
    )
    def test_what_may_be_inherited_may_be_missing_or_taken_away(self, text):
        """An extending layout may leave out required keys, and say `null` for what it does not want."""
        assert loads(extending(text))
        assert is_valid(extending(text))

    @pytest.mark.parametrize(
        ("text", "place"),
        [
            ("zarrange: null", "$.zarrange"),
            ("arrays: {validation_raw: {path: null}}", "$.arrays.validation_raw"),
            ("arrays: {validation_raw: {path: 7}}", "$.arrays.validation_raw"),
            ("arrays: {validation_raw: {paht: raw}}", "$.arrays.validation_raw"),
            ("arrays: {validation_raw: {examples: [{path: a}]}}", "$.arrays.validation_raw"),
            ("arrays: {validation_raw: {examples: [null]}}", "$.arrays.validation_raw"),
            ("arrays: {'a b': {path: a}}", "$.arrays"),
            ("arrays: []", "$.arrays"),
            ("fields: {run: {type: null}}", "$.fields.run"),
            ("fields: {run: {type: str, min: 1}}", "$.fields.run"),
            ("fields: {iteration: {type: int, pattern: '[0-9]'}}", "$.fields.iteration"),
            ("fields: {run: {max_length: 256}}", "$.fields.run"),
            ("fragments: {index_dir: 7}", "$.fragments.index_dir"),
            ("rules: {missing-example: never}", "$.rules['missing-example']"),
            ("allow: [null]", "$.allow[0]"),
            ("allow: [{rule: nested-kinds, kinds: [validation_raw], because: null}]", "$.allow[0].because"),
        ],
    )
    def test_the_rest_is_refused_by_both(self, text, place):
        """What is wrong in any layout is wrong in one that extends another."""
        text = extending(text).removeprefix("zarrange: 1\n" if text.startswith("zarrange") else "")
        assert not loads(text)
        assert {one.json_path for one in VALIDATOR.iter_errors(parse(text, "f").data)} == {place}

    @pytest.mark.parametrize(
        "path",
        [
            *([name] for name in ("zarrange", "fields", "fragments", "containers", "groups", "arrays", "files")),
            ["rules"],
            ["allow"],
            ["fields", "day"],
            ["fields", "run", "exclude"],
            ["fragments", "dir"],
            ["files", "note"],
            ["arrays", "grid", "path"],
            ["arrays", "grid", "examples"],
            ["rules", "missing-example"],
        ],
        ids=".".join,
    )
    def test_without_it_there_is_nothing_to_take_away(self, path):
        """In a layout that extends nothing, `null` is refused where there is no such value."""
        data = parse(GOOD, "f").data
        around = data
        for step in path[:-1]:
            around = around[step]
        assert path[-1] in around
        around[path[-1]] = None
        assert not loads(json.dumps(data))
        assert {tuple(one.absolute_path) for one in VALIDATOR.iter_errors(data)} == {tuple(path)}

    def test_null_extends_nothing(self):
        """`extends: null` is no layout that is extended."""
        assert loads(f"{GOOD}extends: null\n")
        assert is_valid(f"{GOOD}extends: null\n")
        assert not is_valid("zarrange: 1\nextends: null\nfiles: {a: null}")

    @given(
        st.sampled_from(["training", "a.yaml"])
        | st.text("aZ0_-+=@. /~:yml", max_size=8).map(lambda stem: f"{stem}.yaml")
    )
    def test_a_file_beside_it(self, written):
        """What `extends` may say is what loading looks for."""
        text = f"zarrange: 1\nextends: {json.dumps(written)}\n"
        try:
            Layout.parse(text, file="/nowhere/f.yaml")
            message = ""
        except LayoutError as error:
            message = str(error)
        assert is_valid(text) == ("is neither a shipped layout nor" not in message)


JUNK = st.sampled_from(
    [None, True, False, 0, 1, 2, 3, 255, 256, -1, 0.5, "", " ", "a", "a b", "class", "2026-01-31", "[a-z]+", "portable"]
) | st.sampled_from(
    [[], {}, ["a"], [1], [None], {"a": "b"}, {"a": None}, {"a": {}}, {"path": "x"}, "2026-01-31T10:00:00"]
)
NO_NAMES = ["class", "none", "a-b", "1a", "_a"]
NAMES = st.sampled_from(["a", "b", "Box", "x_1", "run", "iteration", "run_dir", "snapshot", "validation_raw"])


def mostly(good):
    """What fits nine times in ten."""
    return st.integers(0, 9).flatmap(lambda one: good if one else JUNK)


def mapping(required, optional):
    """A mapping of some keys; now and then without a required one, or with one that the format does not have."""
    keys = {name: mostly(value) for name, value in (required | optional).items()}
    whole = st.fixed_dictionaries(
        {name: keys[name] for name in required}, optional={name: keys[name] for name in optional}
    )
    return mostly(whole) | st.fixed_dictionaries({}, optional={**keys, "more": st.just(1)})


def section(entries):
    """Some entries; now and then under a name that is none."""
    return st.dictionaries(NAMES | NAMES | NAMES | st.sampled_from(NO_NAMES), entries, max_size=3)


LIMITS = {
    "str": st.sampled_from(["a", "b"]),
    "path": st.sampled_from(["a", "a/b"]),
    "int": st.integers(0, 3),
    "float": st.sampled_from([0, 0.5, 3]),
    "date": st.sampled_from(["2026-01-31", "2026-02-01"]),
    "datetime": st.sampled_from(["2026-01-31T10:00:00", "2026-01-31T10:00:00.000001"]),
    "bool": st.booleans(),
}
OF_TYPE = {
    name: {
        "doc": st.just("text"),
        "choices": st.lists(LIMITS[name], min_size=1, max_size=2),
        "pattern": st.just("[a-z/]+"),
        "exclude": st.just(["x"]),
        "min": LIMITS[name],
        "max": LIMITS[name],
        "max_length": st.sampled_from([1, 3, 255]),
        "charset": st.sampled_from(["portable", "unicode", "text"]),
        "renamed_from": st.sampled_from(["c", "d", "a-b"]),
    }
    for name in FIELD_TYPES
}
EXAMPLES = st.lists(mapping({"values": section(st.sampled_from(["a", 1, 0.5, True, None])), "path": st.just("x")}, {}))
DOCUMENTED = {"doc": st.just("text"), "examples": EXAMPLES, "renamed_from": st.sampled_from(["c", "d", "a-b"])}
ENTRIES = {
    "containers": mapping({"path": st.sampled_from(["x.zarr", "y.zarr"])}, {"zarr_format": st.just(2), **DOCUMENTED}),
    "groups": mapping({"container": st.just("Box"), "path": st.just("x")}, DOCUMENTED),
    "arrays": mapping({"container": st.just("Box"), "path": st.just("x")}, DOCUMENTED),
    "files": mapping({"path": st.just("x")}, DOCUMENTED),
}
ALLOWED = mapping(
    {"rule": st.sampled_from(ALLOWABLE), "kinds": st.just(["Box"]), "because": st.sampled_from(["so", " "])}, {}
)


@st.composite
def fields(draw):
    """A field of some type; its settings fit the type more often than not."""
    name = draw(st.sampled_from(sorted(FIELD_TYPES)))
    settings = {one: values for one, values in OF_TYPE[name].items() if one in FIELD_TYPES[name].settings}
    others = (
        OF_TYPE[name]
        if draw(st.integers(0, 3)) == 0
        else settings | {one: OF_TYPE[name][one] for one in ("choices", "renamed_from")}
    )
    return draw(mapping({"type": st.just(name)}, others))


SECTIONS = {
    "fields": section(fields()),
    "fragments": section(mostly(st.just("x"))),
    **{name: section(entries) for name, entries in ENTRIES.items()},
    "rules": st.dictionaries(
        st.sampled_from(sorted(RULES)), mostly(st.sampled_from(["off", "warning", "error"])), max_size=2
    ),
    "allow": st.lists(ALLOWED, max_size=2),
    "view": mapping(
        {},
        {
            "title": st.just("text"),
            "by": NAMES,
            "slider": NAMES,
            "panels": st.lists(NAMES, max_size=2),
            "overlays": section(NAMES),
        },
    ),
}


@st.composite
def documents(draw, head):
    """The data of a layout with one or two sections beside its `head`: right, or wrong in a few places."""
    names = draw(st.sets(st.sampled_from(sorted(SECTIONS)), min_size=1, max_size=2))
    box = {"containers": {"Box": {"path": "box.zarr"}}} if draw(st.integers(0, 9)) else {}
    return {**head, **box, **{name: draw(mostly(SECTIONS[name])) for name in sorted(names)}}


def has_structure(data):
    try:
        structure(data, Document)
    except StructureError:
        return False
    return True


class TestWhateverLoadsIsValid:
    """Whatever loads is valid by the schema."""

    @given(layout_texts())
    @settings(max_examples=50)
    def test_of_random_templates(self, text):
        """A layout of random templates that loads is valid."""
        assert is_valid(text) or not loads(text)

    @given(documents({"zarrange": 1}))
    @settings(max_examples=300)
    def test_of_random_documents(self, data):
        """A random document that loads is valid; one that is valid has the structure of a layout."""
        is_valid = VALIDATOR.is_valid(data)
        assert is_valid or not loads(json.dumps(data))
        assert has_structure(data) or not is_valid

    @given(documents({"zarrange": 1, "extends": "training"}))
    @settings(max_examples=150)
    def test_of_random_documents_that_extend_another(self, data):
        """A random document that extends a layout and loads is valid, unless it takes away what cannot be there."""
        entries = [entry for part in data.values() if isinstance(part, dict) for entry in part.items()]
        assume(not [name for name, value in entries if value is None and name in NO_NAMES])
        assert VALIDATOR.is_valid(data) or not loads(json.dumps(data))

    @given(
        st.sampled_from(sorted(ENTRIES)),
        NAMES | st.sampled_from(NO_NAMES) | st.text(string.ascii_letters + "_1-. é", min_size=1, max_size=5),
    )
    def test_a_name_is_what_loading_takes_for_one(self, section, name):
        """A name is refused by the schema if and only if loading says that it is none."""
        data = {"zarrange": 1, section: {name: {"path": "x", "container": "x"}}}
        with pytest.raises(LayoutError) as caught:
            Layout.parse(json.dumps({**data, "more": 1}))
        invalid = "invalid-name" in [one.rule for one in caught.value.diagnostics]
        refused = [one for one in VALIDATOR.iter_errors(data) if one.json_path == f"$.{section}"]
        assert bool(refused) == invalid
