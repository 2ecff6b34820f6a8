"""The package as it is installed: what it offers, what it costs to import, what the wheel holds."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import tomllib
import venv
import zipfile

import pytest

import zarrange

PUBLIC = [
    "ArrayIdentifier",
    "ContainerIdentifier",
    "Diagnostic",
    "FileIdentifier",
    "Filter",
    "GroupIdentifier",
    "Identifier",
    "Key",
    "Layout",
    "LayoutError",
    "Severity",
    "Span",
    "Store",
    "StoreError",
    "ZarrangeError",
    "from_json",
    "structure",
    "to_json",
    "unstructure",
]


def test_the_public_names_are_pinned():
    """`zarrange` offers these names, and no others."""
    assert zarrange.__all__ == PUBLIC
    assert len(PUBLIC) <= 20


def test_every_public_name_is_there():
    """Each public name leads to what its module defines."""
    assert all(getattr(zarrange, name) is not None for name in PUBLIC)
    assert set(PUBLIC) <= set(dir(zarrange))


def test_an_unknown_name_is_an_attribute_error():
    """A name that does not exist is refused as any module refuses it."""
    with pytest.raises(AttributeError, match="module 'zarrange' has no attribute 'Layuot'"):
        _ = zarrange.Layuot


def test_the_three_lists_of_names_agree(repository):
    """`__all__`, the homes of the names and what type checkers see are the same names."""
    tree = ast.parse((repository / "src/zarrange/__init__.py").read_text())
    (typed,) = [node for node in tree.body if isinstance(node, ast.If)]
    imported = {
        (alias.name, node.module.removeprefix("zarrange."))
        for node in typed.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert {name for name, _ in imported} == set(PUBLIC)
    assert imported == set(zarrange._HOMES.items())


def imported_by(statement):
    """The top-level modules that a statement imports in a fresh process."""
    code = f"import sys; before = set(sys.modules); {statement}; print(*sorted(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return {name.partition(".")[0] for name in done.stdout.split()}


def test_importing_the_package_is_light():
    """`import zarrange` imports none of its dependencies."""
    assert imported_by("import zarrange").isdisjoint({"zarr", "numpy", "jinja2", "yaml", "cattrs", "attrs"})


@pytest.mark.parametrize(
    "statement",
    [
        "from zarrange import Layout; Layout.load('training').render('validation', run='a')",
        "from zarrange import Store; Store('x', 'training').identifier('validation', run='a')",
        "from zarrange.dacapo import LocalArrayStore; LocalArrayStore('x').best_validation_array('a', 'b')",
    ],
)
def test_rendering_imports_no_zarr(statement):
    """Rendering paths imports neither zarr nor numpy."""
    assert imported_by(statement).isdisjoint({"zarr", "numpy"})


FLOORED = ("dacapo", "dask", "neuroglancer", "remote", "table", "web")


def test_the_floors_are_those_that_ci_tries(repository):
    """The oldest versions that the package admits are the ones that CI runs the tests with."""
    project = tomllib.loads((repository / "pyproject.toml").read_text())["project"]
    extras = (project["optional-dependencies"][name] for name in FLOORED)
    floors = (*project["dependencies"], *(one for extra in extras for one in extra))
    admitted = [one for one in floors if not one.startswith("zarrange[")]
    tried = [line for line in (repository / ".ci/floors.txt").read_text().splitlines() if not line.startswith("#")]
    assert sorted(one.replace(">=", "==") for one in admitted) == sorted(tried)


def test_a_wheel_has_the_layouts(repository, tmp_path):
    """A wheel, installed into a fresh environment, loads every layout of the repository."""
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--outdir", tmp_path, repository], check=True, capture_output=True
    )
    (wheel,) = tmp_path.glob("*.whl")
    layouts = sorted(file.stem for file in (repository / "layouts").glob("*.yaml"))
    assert len(layouts) == 5
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    assert {f"zarrange/layouts/{name}.yaml" for name in layouts} < set(names)
    assert "zarrange/py.typed" in names
    assert "zarrange/layouts/layout.schema.json" in names
    assert not [name for name in names if name.startswith(("tests", "examples"))]

    venv.create(tmp_path / "env", with_pip=True)
    python = tmp_path / "env" / "bin" / "python"
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    subprocess.run([python, "-m", "pip", "install", "-q", wheel], check=True, env=environment, cwd=tmp_path)
    code = f"from zarrange import Layout; print(*(len(Layout.load(name).check()) for name in {layouts!r}))"
    done = subprocess.run(
        [python, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path, env=environment
    )
    assert done.stdout.split() == ["0"] * len(layouts)
    checked = subprocess.run(
        [python.with_name("zarrange"), "check", *layouts], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert (checked.returncode, checked.stdout) == (0, f"{len(layouts)} files checked, no findings\n")
