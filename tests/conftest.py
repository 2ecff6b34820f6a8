"""What every test may use."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

REPOSITORY = Path(__file__).parents[1]


def pytest_addoption(parser):
    parser.addoption(
        "--rewrite-diagnostics", action="store_true", help="write the screens of tests/diagnostics/*.md anew"
    )


@pytest.fixture(scope="session")
def repository() -> Path:
    return REPOSITORY
