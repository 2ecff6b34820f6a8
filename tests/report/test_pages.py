"""The pages that explain rules."""

from __future__ import annotations

import json

from zarrange.diagnostics import Severity
from zarrange.language.check import RULES, rule_pages
from zarrange.language.faults import FAULTS
from zarrange.report.pages import Page, pages, pages_as_json, pages_as_text
from zarrange.stores.doctor import STORE_RULES

LOADING = Page("a-rule", Severity.ERROR, "loading", "A thing is wrong.\n\n## Example\n```yaml\n# bad\na: b\n```")
CHECKING = Page("b-rule", Severity.WARNING, "checking", "Another thing is wrong.")


def test_every_rule_has_a_page():
    """There is a page for each rule of layouts and of stores, which says when it is found and how bad it is."""
    known = pages()
    assert list(known) == sorted(FAULTS.keys() | RULES.keys() | STORE_RULES.keys())
    assert all(known[name].rule == name and known[name].text == text for name, text in rule_pages().items())
    assert (known["unknown-field"].found, known["unknown-field"].severity) == ("loading", Severity.ERROR)
    assert (known["missing-example"].found, known["missing-example"].severity) == ("checking", Severity.WARNING)
    assert (known["unmatched-path"].found, known["unmatched-path"].severity) == ("checking a store", Severity.WARNING)
    assert all(known[name].text.count("\n## ") == 4 for name in known)


def test_pages_are_one_markdown_document():
    """Each page has its rule as its heading, how bad it is and when it is found, and its text as it is written."""
    assert pages_as_text([LOADING, CHECKING]) == (
        "# a-rule\n"
        "\n"
        "Error, found when a layout is loaded.\n"
        "\n"
        "A thing is wrong.\n"
        "\n"
        "## Example\n"
        "```yaml\n"
        "# bad\n"
        "a: b\n"
        "```\n"
        "\n"
        "# b-rule\n"
        "\n"
        "Warning, found when a layout is checked.\n"
        "\n"
        "Another thing is wrong."
    )


def test_headings_are_colored():
    """In color, headings are strong, comments in code are no headings, and severities have their colors."""
    assert pages_as_text([LOADING, CHECKING], color=True) == (
        "\x1b[1m# a-rule\x1b[0m\n"
        "\n"
        "\x1b[1;31mError\x1b[0m, found when a layout is loaded.\n"
        "\n"
        "A thing is wrong.\n"
        "\n"
        "\x1b[1m## Example\x1b[0m\n"
        "```yaml\n"
        "# bad\n"
        "a: b\n"
        "```\n"
        "\n"
        "\x1b[1m# b-rule\x1b[0m\n"
        "\n"
        "\x1b[1;33mWarning\x1b[0m, found when a layout is checked.\n"
        "\n"
        "Another thing is wrong."
    )


def test_json_has_each_page_with_its_summary():
    """JSON is a list of pages, each with its first line."""
    assert json.loads(pages_as_json([LOADING])) == [
        {
            "rule": "a-rule",
            "severity": "error",
            "found": "loading",
            "summary": "A thing is wrong.",
            "page": "A thing is wrong.\n\n## Example\n```yaml\n# bad\na: b\n```",
        }
    ]
