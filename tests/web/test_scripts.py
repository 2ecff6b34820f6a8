"""The scripts of the pages: modules that import downwards only."""

from __future__ import annotations

import re
from graphlib import TopologicalSorter
from importlib.resources import files

STATIC = files("zarrange.web") / "static"
SCRIPTS = {one.name: one.read_text(encoding="utf-8") for one in STATIC.iterdir() if one.name.endswith(".js")}
_imported = re.compile(r'^import (?:.* from )?"\./([^"]+)";$', re.MULTILINE)
_exported = re.compile(r"^export (?:const|class|function|async function) (\w+|\[\w+\])", re.MULTILINE)
_names = re.compile(r'^import \{ (.*) \} from "\./([^"]+)";$', re.MULTILINE)


def test_no_circles():
    """Each module can be read after those that it imports."""
    graph = {name: _imported.findall(text) for name, text in SCRIPTS.items()}
    assert [*TopologicalSorter(graph).static_order()][-1] in SCRIPTS
    assert len(graph["compare.js"]) > 4


def test_names():
    """What is imported is exported there, and used; what is exported is imported somewhere."""
    exported = {name: {one.strip("[]") for one in _exported.findall(text)} for name, text in SCRIPTS.items()}
    wanted = {name: set() for name in SCRIPTS}
    for text in SCRIPTS.values():
        for names, module in _names.findall(text):
            wanted[module] |= {*names.split(", ")}
            assert [one for one in names.split(", ") if len(re.findall(rf"\b{one}\b", text)) < 2] == []
    assert exported == wanted
