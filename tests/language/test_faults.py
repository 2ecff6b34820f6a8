"""The pages of the rules, their names, and the words of their messages."""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from pathlib import Path

import pytest

from zarrange import Layout, LayoutError
from zarrange.diagnostics import Severity
from zarrange.language import faults
from zarrange.language.check import RULES, rule_pages
from zarrange.report.pages import pages

REPOSITORY = Path(__file__).parents[2]
HEADINGS = ["What it does", "Why is this bad?", "Example", "Use instead"]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)

FRAME = {
    "doc": "  What the example is about.\n",
    "fields": """\
  run: {type: str, doc: Name of the run.}
  iteration: {type: int, min: 0, doc: Training iteration.}
  dataset: {type: str, doc: Name of the dataset.}
  criterion: {type: str, doc: What the best array is best at.}
  index: {type: str, doc: Which dataset the best array is of.}
  cell: {type: str, doc: Name of the cell.}
  label: {type: str, doc: Name of the label.}
  well: {type: str, doc: Name of the well.}
  number: {type: int, min: 0, doc: Number of the port.}
""",
    "containers": """\
  validation:
    path: "{{ run }}/validation.zarr"
    doc: What is written by a validation.
    examples: [{values: {run: r1}, path: r1/validation.zarr}]
  plate:
    path: plate.zarr
    doc: Wells of a plate.
    examples: [{values: {}, path: plate.zarr}]
""",
}
"""What completes a page's example: each section that it does not have itself."""

WITHOUT_YAML = {"too-many-findings", "unproved-layout"}
"""An example of these would be longer than anybody would read; tests/diagnostics has one."""


def sections(page):
    """The text below each heading of a page."""
    parts = re.split(r"^## (.*)$", page, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def completed(text):
    """Return the whole layout that a page's example stands for.

    An example is a whole layout (it has `zarrange`), or some of its sections, or the entry of one kind: a file, or an
    array, if it has a `container`. What it lacks is in the frame.
    """
    keys = re.findall(r"^(\w+):", text, re.MULTILINE)
    if "zarrange" in keys:
        return text
    if "path" in keys:
        section = "arrays" if "container" in keys else "files"
        text, keys = f"{section}:\n  artifact:\n{textwrap.indent(text, '    ')}", [section]
    lacking = ["doc", "fields", *(["containers"] if {"groups", "arrays"} & {*keys} else [])]
    frame = "".join(f"{section}:\n{FRAME[section]}" for section in lacking if section not in keys)
    return f"zarrange: 1\n{frame}{text}"


def findings(example, folder):
    """The findings of an example; of several blocks, each begins with its file's name and the first is checked."""
    names = []
    for language, text in BLOCK.findall(example):
        assert language == "yaml"
        named = re.match(r"# (\w+\.yaml)\n", text)
        names.append(named[1] if named else "layout.yaml")
        (folder / names[-1]).write_text(completed(text))
    try:
        return Layout.load(folder / names[0]).check()
    except LayoutError as error:
        return error.diagnostics


@pytest.mark.parametrize("rule", rule_pages())
class TestPages:
    def test_a_page_has_its_four_parts(self, rule):
        """A page says what its rule does and why the pattern is bad, and shows an example and what to use instead."""
        page = rule_pages()[rule]
        assert re.findall(r"^## (.*)$", page, re.MULTILINE) == HEADINGS
        assert all(part.strip() for part in sections(page).values())

    def test_a_page_begins_with_one_sentence(self, rule):
        """The first line of a page is a sentence by itself."""
        first, blank, *_ = rule_pages()[rule].split("\n")
        assert re.fullmatch(r"[A-Z`].*[^.]\.", first)
        assert blank == ""

    def test_a_page_is_short(self, rule):
        """What a rule does, and why, is said in one to four sentences without examples."""
        for heading in HEADINGS[:2]:
            words = re.sub(r"`[^`]*`", "", sections(rule_pages()[rule])[heading])
            assert "`" not in words
            assert 1 <= len(re.findall(r"\.(?=\s)", words)) <= 4

    def test_the_example_has_exactly_this_finding(self, rule, tmp_path):
        """A page's example has findings of its rule, and of no other that what stands there instead has not as well."""
        page = sections(rule_pages()[rule])
        if rule in WITHOUT_YAML:
            assert "```" not in page["Example"] + page["Use instead"]
            return
        bad = findings(page["Example"], tmp_path)
        good = findings(page["Use instead"], tmp_path)
        assert {one.rule for one in bad} - {one.rule for one in good} == {rule}
        assert [str(one) for one in good if one.severity is Severity.ERROR] == []


SOURCES = {file: ast.parse(file.read_text(encoding="utf-8")) for file in (REPOSITORY / "src").rglob("*.py")}
NODES = [(file, node) for file, tree in SOURCES.items() for node in ast.walk(tree)]


class TestNames:
    @pytest.mark.parametrize("rule", rule_pages())
    def test_a_name_is_kebab_case(self, rule):
        """A rule's name is two or more lower-case words with dashes between them."""
        assert re.fullmatch(r"[a-z]+(-[a-z]+)+", rule)

    @pytest.mark.parametrize("rule", rule_pages())
    def test_a_name_reads_well_behind_allow(self, rule):
        """A rule's name is that of the bad pattern: no demand, and no negation of a demand."""
        assert not re.match(r"(no|not|use|avoid|require|must|should|check|prefer|disallow|ban)-", rule)
        assert not re.search(r"-(check|error|warning|finding|violation)$", rule)

    def test_a_name_is_that_of_its_function(self):
        """A rule is found in the code by its name."""
        functions = {**faults.FAULTS, **{name: rule.find for name, rule in RULES.items()}}
        assert {name: one.__name__.replace("_", "-") for name, one in functions.items()} == {n: n for n in functions}
        assert [name for name in faults.FAULTS if not hasattr(faults, name.replace("-", "_"))] == []

    def test_no_name_is_both(self):
        """What keeps a layout from being loaded is not found in a loaded one."""
        assert faults.FAULTS.keys() & RULES.keys() == set()
        assert rule_pages().keys() == faults.FAULTS.keys() | RULES.keys()

    def test_every_rule_that_is_emitted_is_registered(self):
        """Each diagnostic that the source makes has a rule that can be explained."""
        emitted = {
            node.args[0].value
            for _, node in NODES
            if isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id == "Diagnostic"
            and node.args
            and isinstance(node.args[0], ast.Constant)
        }
        assert emitted - pages().keys() == set()
        assert faults.FAULTS.keys() <= emitted

    def test_a_fault_has_the_rule_of_its_name(self):
        """A function makes findings of the rule that it is named after, with what it is given."""
        for name, fault in faults.FAULTS.items():
            made = fault("a message", None, "advice", ("a label",))
            assert (made.rule, made.message, made.help, made.labels) == (name, "a message", "advice", ("a label",))
            assert made.severity is Severity.ERROR

    @pytest.mark.parametrize("name", faults.FAULTS)
    def test_every_fault_is_found_somewhere(self, name):
        """No fault is explained that the source never reports."""
        outside = [node for file, node in NODES if "faults" not in file.parts]
        called = any(isinstance(node, ast.Attribute) and node.attr == name.replace("-", "_") for node in outside)
        named = any(isinstance(node, ast.Constant) and node.value == name for node in outside)
        assert called or named


def test_every_module_lists_its_faults():
    """What the package offers is what its modules have, and all of it is registered."""
    assert sorted(faults.__all__) == sorted(["FAULTS", "Fault", *(one.replace("-", "_") for one in faults.FAULTS)])
    assert all(inspect.getmodule(one).__all__.count(one.__name__) == 1 for one in faults.FAULTS.values())


PAGES = "".join(page.read_text(encoding="utf-8") for page in (REPOSITORY / "tests" / "diagnostics").glob("*.md"))
MESSAGES = sorted(set(re.findall(r"^(?:error|warning)\[[\w-]+\]: (.*)$", PAGES, re.MULTILINE)))
"""Each message of the screens in tests/diagnostics."""


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: message[:60])
class TestMessages:
    def test_a_message_has_no_advice(self, message):
        """What would fit is said by the help; what a message quotes may be any words."""
        words = re.sub(r"`[^`]*`|'[^']*'", "", message)
        assert not re.search(r"\b(use|write|try|instead|please|should|must|consider|leave|rename|quote)\b", words)

    def test_a_message_is_one_plain_sentence(self, message):
        """A message begins in lower case, or with what it quotes or a proper name, and has no full stop at its end."""
        assert re.match(r"[a-z]|[`'\"]|Jinja2 ", message)
        assert not message.endswith((".", "!", ":", " "))
