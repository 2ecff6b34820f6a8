"""Deletion: what is in an open folder, for good. No symlink is ever followed: it is deleted itself."""

from __future__ import annotations

import os
import shutil
import stat

__all__ = ["delete"]


def delete(folder: int, name: str) -> None:
    """Delete a file, or a folder with all that is in it."""
    if stat.S_ISDIR(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
        shutil.rmtree(name, dir_fd=folder)
    else:
        os.unlink(name, dir_fd=folder)
