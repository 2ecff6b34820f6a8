"""Where the layouts that come with the package are."""

from __future__ import annotations

from pathlib import Path

__all__ = ["shipped_layouts"]

_PACKAGED = Path(__file__).parent.parent / "layouts"
_REPOSITORY = Path(__file__).parents[3] / "layouts"
"""In an editable install the wheel's folder is not there, and the repository's own is what one edits."""


def shipped_layouts() -> dict[str, Path]:
    """Return the file of each layout that comes with the package, by name."""
    folder = _PACKAGED if _PACKAGED.is_dir() else _REPOSITORY
    return {file.stem: file for file in sorted(folder.glob("*.yaml"))}
