"""Diagnostics as SARIF 2.1.0, held against the schema of the standard."""

from __future__ import annotations

import json

import jsonschema
import pytest

from zarrange.diagnostics import Diagnostic, Label, Severity, Span
from zarrange.report import diagnostics_as_sarif
from zarrange.report.pages import Page, pages

PAGES = {
    "a-rule": Page("a-rule", Severity.ERROR, "loading", "A thing is wrong.\n\n## What it does\nFinds it."),
    "b-rule": Page("b-rule", Severity.WARNING, "checking", "Another thing is wrong."),
}
FINDING = Diagnostic("a-rule", "m", Span("a.yaml", 1, 2, 3, 4, "text"))


@pytest.fixture(scope="module")
def schema(repository):
    """Hold a log against the standard's schema, the form of URIs included."""
    schema = json.loads((repository / "tests/data/sarif-schema-2.1.0.json").read_text(encoding="utf-8"))
    checker = jsonschema.Draft7Validator.FORMAT_CHECKER
    assert {"uri", "uri-reference"} <= checker.checkers.keys()
    return jsonschema.Draft7Validator(schema, format_checker=checker)


@pytest.fixture
def sarif(schema):
    """Return a log of findings that fits the standard's schema."""

    def log(*findings, known=PAGES, root="/work"):
        text = diagnostics_as_sarif(findings, known, version="1.2.3", root=root)
        assert text.isascii()
        data = json.loads(text)
        schema.validate(data)
        return data

    return log


def uri(log):
    """Return the URI of the only finding."""
    ((result,),) = [run["results"] for run in log["runs"]]
    return result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]


def test_the_schema_is_the_real_one(schema):
    """The schema refuses what is not SARIF, down to single properties and the form of a URI."""
    log = json.loads(diagnostics_as_sarif([FINDING], PAGES, version="1.2.3", root="/"))
    place = log["runs"][0]["results"][0]["locations"][0]["physicalLocation"]
    assert schema.is_valid(log)
    place["artifactLocation"]["uri"] = "a b%"
    assert not schema.is_valid(log)
    place["artifactLocation"]["uri"] = "a"
    place["region"]["startLine"] = 0
    assert not schema.is_valid(log)
    place["region"]["startLine"] = 1
    assert schema.is_valid(log)
    log["runs"][0]["rules"] = []
    assert not schema.is_valid(log)


def test_a_log_has_one_run(sarif):
    """A log names the tool and its version, the rules that occur, and each finding with its place and labels."""
    other = Span("sub/b.yaml", 5, 6, 5, 8, "text")
    warning = Diagnostic(
        "b-rule", "n", other, "do this", Severity.WARNING, (Label(FINDING.span, "here"),), ("a = 1", "a = 2")
    )
    assert sarif(warning, FINDING, FINDING) == {
        "$schema": "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json",
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "zarrange",
                        "version": "1.2.3",
                        "rules": [
                            {
                                "id": "a-rule",
                                "shortDescription": {"text": "A thing is wrong."},
                                "help": {
                                    "text": "A thing is wrong.\n\n## What it does\nFinds it.",
                                    "markdown": "A thing is wrong.\n\n## What it does\nFinds it.",
                                },
                                "defaultConfiguration": {"level": "error"},
                            },
                            {
                                "id": "b-rule",
                                "shortDescription": {"text": "Another thing is wrong."},
                                "help": {"text": "Another thing is wrong.", "markdown": "Another thing is wrong."},
                                "defaultConfiguration": {"level": "warning"},
                            },
                        ],
                    }
                },
                "columnKind": "unicodeCodePoints",
                "results": [
                    {
                        "ruleId": "b-rule",
                        "ruleIndex": 1,
                        "level": "warning",
                        "message": {"text": "n\ninfo: a = 1\ninfo: a = 2\nhelp: do this"},
                        "locations": [
                            {
                                "physicalLocation": {
                                    "artifactLocation": {"uri": "sub/b.yaml"},
                                    "region": {"startLine": 5, "startColumn": 6, "endLine": 5, "endColumn": 8},
                                }
                            }
                        ],
                        "relatedLocations": [
                            {
                                "physicalLocation": {
                                    "artifactLocation": {"uri": "a.yaml"},
                                    "region": {"startLine": 1, "startColumn": 2, "endLine": 3, "endColumn": 4},
                                },
                                "message": {"text": "here"},
                            }
                        ],
                    },
                    *[
                        {
                            "ruleId": "a-rule",
                            "ruleIndex": 0,
                            "level": "error",
                            "message": {"text": "m"},
                            "locations": [
                                {
                                    "physicalLocation": {
                                        "artifactLocation": {"uri": "a.yaml"},
                                        "region": {"startLine": 1, "startColumn": 2, "endLine": 3, "endColumn": 4},
                                    }
                                }
                            ],
                        }
                    ]
                    * 2,
                ],
            }
        ],
    }


def test_no_findings_are_a_run_without_results(sarif):
    """Where nothing is found, the run says so: its results are there, and empty."""
    (run,) = sarif()["runs"]
    assert (run["results"], run["tool"]["driver"]["rules"]) == ([], [])


def test_a_rule_without_a_page_is_named(sarif):
    """A finding whose rule nobody explains is a result all the same."""
    (run,) = sarif(FINDING, known={})["runs"]
    assert run["tool"]["driver"]["rules"] == [{"id": "a-rule"}]


def test_every_rule_fits_the_schema(sarif):
    """The page of each rule that there is can stand in a log, with the level that it has by default."""
    known = pages()
    log = sarif(*[Diagnostic(name, "m", FINDING.span) for name in known], known=known)
    rules = log["runs"][0]["tool"]["driver"]["rules"]
    assert {one["id"]: one["defaultConfiguration"]["level"] for one in rules} == {
        name: page.severity.value for name, page in known.items()
    }


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        ("a.yaml", "a.yaml"),
        ("./sub//a.yaml", "sub/a.yaml"),
        ("sub/../a.yaml", "a.yaml"),
        ("/work/sub/a.yaml", "sub/a.yaml"),
        ("/workshop/a.yaml", "file:///workshop/a.yaml"),
        ("../a.yaml", "file:///a.yaml"),
        ("a b,%#?[é]:日.yaml", "a%20b%2C%25%23%3F%5B%C3%A9%5D%3A%E6%97%A5.yaml"),
        ("http:x", "http%3Ax"),
        ("a\r\n\x1b.yaml", "a%0D%0A%1B.yaml"),
        ("a\\b.yaml", "a%5Cb.yaml"),
        ("a\udcff.yaml", "a%FF.yaml"),
        ("a\ud800.yaml", "a%ED%A0%80.yaml"),
        ("<layout>", "%3Clayout%3E"),
    ],
)
def test_files_are_relative_uris(sarif, file, expected):
    """Below the root, a file is a relative URI of percent-encoded bytes; elsewhere, its whole path is a URI."""
    assert uri(sarif(Diagnostic("a-rule", "m", Span(file, 1, 1, 1, 1)))) == expected


def test_the_root_may_be_the_file_systems(sarif):
    """Below `/`, every file is relative."""
    assert uri(sarif(Diagnostic("a-rule", "m", Span("/a/b.yaml", 1, 1, 1, 1)), root="/")) == "a/b.yaml"


def test_messages_are_text(sarif):
    """A message has no lone surrogates, which are no Unicode, and no links; templates and patterns stay as they are."""
    message = "`\udcff` [0-9]{4} {{ run }} [ok](1) [[x](http://y)"
    log = sarif(Diagnostic("a-rule", message, FINDING.span, labels=(Label(FINDING.span, message),)))
    (result,) = log["runs"][0]["results"]
    shown = "`\\udcff` [0-9]{4} {{ run }} \\[ok](1) [\\[x](http://y)"
    assert result["message"] == {"text": shown}
    assert result["relatedLocations"][0]["message"] == {"text": shown}
