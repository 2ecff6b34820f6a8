"""What a folder on disk is to zarr: an array, a group, nothing, or damaged."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from tests.stores.test_contents import opened
from tests.stores.test_folders import ARRAY, GROUP, write_node

from zarrange.errors import StoreError
from zarrange.stores.local.nodes import node_type


class TestNodeType:
    """What sort of zarr node a folder is: unreadable is not absent, and absent is not unreadable."""

    @pytest.mark.parametrize(
        ("name", "content", "wanted"),
        [
            ("zarr.json", json.dumps(ARRAY), "array"),
            ("zarr.json", json.dumps(GROUP), "group"),
            (".zarray", "{}", "array"),
            (".zgroup", "{}", "group"),
            (".zattrs", "{}", None),
            (".zmetadata", "{}", None),
            ("data.bin", "", None),
        ],
    )
    @pytest.mark.parametrize("as_descriptor", [False, True])
    def test_by_metadata(self, tmp_path, name, content, wanted, as_descriptor):
        """The metadata's name tells, and for zarr 3 what is in it; a path and a descriptor give the same answer."""
        (tmp_path / name).write_text(content)
        if as_descriptor:
            with opened(tmp_path) as folder:
                assert node_type(folder) == wanted
        else:
            assert node_type(str(tmp_path)) == wanted

    @pytest.mark.parametrize(("below", "wanted"), [("", None), ("absent", None), ("file", None), ("file/absent", None)])
    def test_nothing_there(self, tmp_path, below, wanted):
        """An empty folder, a file, and what does not exist are no nodes."""
        (tmp_path / "folder").mkdir()
        (tmp_path / "folder" / "file").write_text("")
        assert node_type(str(tmp_path / "folder" / below)) is wanted

    @pytest.mark.parametrize(
        "content",
        [
            b"",
            b"{",
            b'{"zarr_format": 3, "node_type": "arr',
            b"{}",
            b"[]",
            b"null",
            b'"array"',
            b'{"node_type": "thing"}',
            b'{"node_type": ["array"]}',
            b'{"node_type": null}',
            b"\xff\xfe",
            b"\0" * 100,
            b"[" * 100_000,
        ],
        ids=lambda content: repr(content[:40]),
    )
    @pytest.mark.parametrize("as_descriptor", [False, True])
    def test_damaged(self, tmp_path, content, as_descriptor):
        """A damaged zarr.json is an error that says so, never an absent node; the folder is named where it is known."""
        (tmp_path / "zarr.json").write_bytes(content)
        with opened(tmp_path) as folder, pytest.raises(StoreError, match=r"its zarr\.json is damaged"):
            node_type(folder if as_descriptor else str(tmp_path))
        if not as_descriptor:
            with pytest.raises(StoreError, match=re.escape(repr(str(tmp_path)))):
                node_type(str(tmp_path))

    @pytest.mark.parametrize("make", [Path.mkdir, lambda path: path.symlink_to("absent"), os.mkfifo])
    def test_not_a_file(self, tmp_path, make):
        """A zarr.json that is no plain file is an error of the store, never an absent node; nothing waits for it."""
        make(tmp_path / "zarr.json")
        script = f"from zarrange.stores.local.nodes import node_type; node_type({str(tmp_path)!r})"
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=5)
        assert "DamagedError" in done.stderr

    def test_no_permission(self, shared_folder, as_nobody):
        """A folder or metadata that may not be read is an error, never an absent node."""
        with as_nobody():
            node = write_node(shared_folder / "a", ARRAY)
            (node / "zarr.json").chmod(0)
            with pytest.raises(PermissionError):
                node_type(str(node))
            node.chmod(0)
            with pytest.raises(PermissionError):
                node_type(str(node))
