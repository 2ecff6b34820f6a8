"""Programs that tests use beside Python packages. Where one is missing, tests are skipped and say why.

Where ZARRANGE_TOOLS is `required`, as in CI, they fail instead.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]


def lacking(reason):
    """Skip a test because something is not installed, or fail it where all has to be."""
    if os.environ.get("ZARRANGE_TOOLS") == "required":
        pytest.fail(f"{reason}, and ZARRANGE_TOOLS is required")
    pytest.skip(reason)


def of_npm(path):
    """Return where a file of an npm package is: in the repository's folder of them, or in one above."""
    folders = [REPOSITORY / "node_modules"]
    if npm := shutil.which("npm"):
        done = subprocess.run([npm, "root"], capture_output=True, text=True, cwd=REPOSITORY, check=False)
        folders.append(Path(done.stdout.strip() or "."))
    for folder in folders:
        if (found := folder / path).is_file():
            return found
    package = path.partition("/")[0]
    return lacking(f"{package} is not installed: npm install --no-save {package}")
