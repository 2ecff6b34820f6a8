"""Overviews as HTML: what a notebook shows."""

from __future__ import annotations

import os
from html.parser import HTMLParser

import pytest
from tests.stores.handwritten import Tree

from zarrange import Layout
from zarrange.stores.overview import overview

EMPTY_TAGS = {"br"}


class Page(HTMLParser):
    """The texts and tags of a page. Raises where an end does not belong to the last beginning."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.texts, self.attributes = [], [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in EMPTY_TAGS:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if data.strip() and "style" not in self.open:
            self.texts.append(data.strip())


@pytest.fixture
def tree(tmp_path):
    return Tree(tmp_path, Layout.load("training"))


def page(tree, **options):
    return Page(overview(tree.results(), tree.layout, **options)._repr_html_())


def test_each_run_unfolds_to_a_table(tree):
    """A run is one line, which unfolds to a table with a row for each kind."""
    for iteration in (1000, 2000):
        tree.add("validation_prediction", (4, 5), run="r1", iteration=iteration, dataset="a")
    found = page(tree, root="runs")
    assert found.texts == [
        *("runs", "layout", "training"),
        "1 run, 3 artifacts, 160 B uncompressed",
        *("r1", "3 artifacts, 160 B"),
        *("kind", "count", "uncompressed", "fields"),
        *("validation", "1"),
        *("validation_prediction", "2", "160 B", "4x5 float32"),
        *("iteration", "1000, 2000", "dataset", "a"),
    ]
    assert found.tags.count("details") == found.tags.count("table") == 1
    assert ("open", None) in found.attributes


def test_measured_bytes_have_a_column(tree):
    """What was measured is told in the line of a run and in a column of its own."""
    tree.add("validation_raw", (4,), run="r1")
    texts = page(tree, size=lambda _: 2048).texts
    assert "2 artifacts, 16 B, 2.0 KiB stored" in texts
    assert texts[texts.index("kind") :][:5] == ["kind", "count", "uncompressed", "stored", "fields"]


def test_many_runs_are_folded(tree):
    """More than a few runs are one line each until somebody unfolds them; one like another says so."""
    for number in range(4):
        tree.add("validation", run=f"r{number}")
    found = page(tree)
    assert ("open", None) not in found.attributes
    assert found.texts.count("1 artifact, like r0") == 3


def test_runs_that_are_not_shown_are_counted(tree):
    """Behind the first of very many runs stand the number of all others and a table of everything."""
    for number in range(4):
        tree.add("validation", run=f"r{number}")
    texts = page(tree, most=1).texts
    assert "… and 3 more runs" in texts
    assert "all 4 runs" in texts


def test_a_store_without_groups_is_one_table(tmp_path):
    """Where a layout has nothing to group by, the table stands alone."""
    tree = Tree(tmp_path, Layout.parse('{zarrange: 1, files: {one: {path: "one.txt"}}}'))
    tree.add("one")
    found = page(tree)
    assert "details" not in found.tags
    assert found.texts[-2:] == ["one", "1"]


def test_what_could_not_be_read_stands_above(tree):
    """An incomplete overview says so before anything that could be taken for all."""
    tree.add("validation", run="r1")
    for number in range(12):
        os.symlink("/etc", f"{tree.root}/link{number:02}")
    texts = page(tree).texts
    assert texts.index("Incomplete") < texts.index("r1")
    assert ": 12 places could not be read" in texts
    assert "link00" in texts
    assert "… and 2 more" in texts


def test_ambiguous_artifacts_are_marked(tmp_path):
    """A line of artifacts that may be something else says what."""
    tree = Tree(tmp_path, Layout.load("dacapo"))
    tree.add("validation_raw", (4,), run="r1")
    assert "1 ambiguous: may be best_validation as well" in page(tree).texts


@pytest.mark.parametrize(
    "name", ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "&lt;b&gt;", "</style>", "</details>"]
)
def test_names_are_never_markup(tree, name):
    """Whatever a name has in it, it is text: the page has the same tags as for any other."""
    tags = []
    for one in ("plain", name):
        tree.add("validation_prediction", (4,), run="r", iteration=1, dataset=one)
        found = overview(tree.results(), tree.layout, root=one)
        tags.append(Page(found._repr_html_()).tags)
    assert tags[0] == tags[1]
    assert not {"script", "img", "link", "iframe"} & set(tags[1])


def test_nothing_turns_the_reading_direction(tree):
    """Characters that are not printable are shown as escapes, in names and in the root alike."""
    tree.add("validation", run="\u202egnp.zarr")
    text = overview(tree.results(), tree.layout, root="/data/\u202e\x1b[31m")._repr_html_()
    assert "\\u202egnp.zarr" in text
    assert "/data/\\u202e\\x1b[31m" in text
    assert not {"\u202e", "\x1b"} & set(text)


def test_nothing_comes_from_elsewhere(tree):
    """A page has no scripts and names no addresses."""
    tree.add("validation_raw", (4,), run="r1")
    text = overview(tree.results(), tree.layout)._repr_html_()
    assert not any(word in text for word in ("http", "src=", "href=", "url(", "@import", "<script", "javascript"))
