"""Diagnostics in Markdown: a page a rule, `RULE.md`, with inputs and the screens that they give.

Each `##` heading of a page begins a case: prose, the input, and one `text` block, the expected screen. An input is a
`yaml` block, or a `python` block with an expression whose value is a text or bytes that no page could show. It is
written as `layout.yaml`, or as what `file=…` behind the block's language names. Checked is `layout.yaml`, or what
`layout=…` behind `text` names; with `given=text` not as a file. A screen has the findings of the page's rule alone, as
`diagnostics_as_text` draws them; with `screen=whole` it is all that `zarrange check` prints.
`pytest tests/diagnostics --rewrite-diagnostics` writes the screens anew.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from zarrange import Layout, LayoutError
from zarrange.cli import main
from zarrange.language.check import rule_pages
from zarrange.report import diagnostics_as_text

PAGES = sorted(Path(__file__).parent.glob("*.md"))
BLOCK = re.compile(r"^```(\w+)((?: \w+=\S+)*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
CASE = re.compile(r"^(?=## )", re.MULTILINE)


@pytest.fixture
def redraw(tmp_path, monkeypatch, capsys):
    """A function of a page's text and rule that returns the text with each case's screen drawn anew."""

    def redrawn(text, rule):
        head, *cases = CASE.split(text)
        assert cases, "a page has a `##` heading for each of its cases"
        return head + "".join(redrawn_case(case, rule, tmp_path / str(at)) for at, case in enumerate(cases))

    def redrawn_case(case, rule, folder):
        folder.mkdir()
        monkeypatch.chdir(folder)
        blocks = list(BLOCK.finditer(case))
        *inputs, screen = blocks
        assert [block[1] for block in blocks if block[1] == "text"] == ["text"], f"one `text` block ends {case[:80]!r}"
        for language, options, content in (block.groups() for block in inputs):
            written_as(options_of(options).get("file", "layout.yaml"), language, content)
        shown = drawn(rule, **options_of(screen[2]))
        return f"{case[: screen.start(3)]}{shown}\n{case[screen.end(3) :]}"

    def drawn(rule, layout="layout.yaml", given="file", screen="rule"):
        if screen == "whole":
            with pytest.raises(SystemExit):
                main(["check", layout])
            return capsys.readouterr().out.rstrip("\n")
        found = [one for one in findings(layout, given) if one.rule == rule]
        return diagnostics_as_text(found) if found else f"no {rule}"

    return redrawn


def options_of(written):
    return dict(option.split("=", 1) for option in written.split())


def written_as(name, language, content):
    """Write an input to its file; a name with a slash makes folders."""
    made = eval(content) if language == "python" else content
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    Path(name).write_bytes(made.encode() if isinstance(made, str) else made)


def findings(layout, given):
    try:
        loaded = Layout.load(layout) if given == "file" else Layout.parse(Path(layout).read_bytes(), file=layout)
        return loaded.check()
    except LayoutError as error:
        return error.diagnostics


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_screens(page, redraw, request):
    """Every case of a page gives the screen that stands below it."""
    text = page.read_text(encoding="utf-8")
    redrawn = redraw(text, page.stem)
    if request.config.getoption("rewrite_diagnostics"):
        page.write_text(redrawn, encoding="utf-8")
    else:
        assert redrawn == text


def test_every_rule_has_its_page():
    """Each rule has a page, and each page its rule."""
    rules, pages = set(rule_pages()), {page.stem for page in PAGES}
    assert not rules - pages, f"no page in tests/diagnostics for: {', '.join(sorted(rules - pages))}"
    assert not pages - rules, f"no rule for the page of: {', '.join(sorted(pages - rules))}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_page_shows_its_rule(page):
    """A page has its rule's name as its title, says something of each case, and shows a finding of its rule."""
    title, *cases = CASE.split(page.read_text(encoding="utf-8"))
    assert title.startswith(f"# {page.stem}\n")
    assert all(re.match(r"## .+\n\n(?!```)\S", case) for case in cases)
    assert any(f"[{page.stem}]: " in block[3] for case in cases for block in BLOCK.finditer(case))


class TestMachinery:
    PAGE = "# unknown-field\n\n## A case\n\nProse.\n\n{}```yaml\n{}\n```\n\n```{}\nold\n```\n\nMore prose.\n"
    WRONG = 'zarrange: 1\nfiles: {a: {path: "{{ b }}", c: 1}}'

    def test_a_screen_is_drawn_anew(self, redraw):
        """The screen of a case is replaced, and nothing else of the page."""
        page = self.PAGE.format("", self.WRONG, "text")
        screen = (
            "error[unknown-field]: `b` is not a declared field\n"
            " --> layout.yaml:2:23\n"
            "  |\n"
            '2 | files: {a: {path: "{{ b }}", c: 1}}\n'
            "  |                       ^\n"
            "help: no field is declared"
        )
        assert redraw(page, "unknown-field") == page.replace("old", screen)

    def test_a_whole_screen_has_every_rule(self, redraw):
        """The screen of a case may be all that the command prints."""
        page = self.PAGE.format("", self.WRONG, "text screen=whole")
        redrawn = redraw(page, "unknown-field")
        assert re.findall(r"^error\[(.*?)\]", redrawn, re.MULTILINE) == ["unknown-field", "unknown-key"]
        assert "\n1 file checked, 2 findings\n```" in redrawn

    def test_a_case_may_have_several_files(self, redraw):
        """An input may be another file than the one that is checked."""
        base = f"```yaml file=base.yaml\n{self.WRONG}\n```\n\n"
        page = self.PAGE.format(base, "zarrange: 1\nextends: base.yaml", "text")
        assert " --> base.yaml:2:23\n" in redraw(page, "unknown-field")

    def test_no_finding_is_said(self, redraw):
        """A case in which the rule finds nothing says so."""
        page = self.PAGE.format("", "zarrange: 1", "text")
        assert redraw(page, "unknown-field") == page.replace("old", "no unknown-field")

    def test_a_case_without_a_screen_is_refused(self, redraw):
        """A case whose screen was forgotten is no case."""
        page = self.PAGE.format("", self.WRONG, "console")
        with pytest.raises(AssertionError, match="one `text` block ends '## A case"):
            redraw(page, "unknown-field")
