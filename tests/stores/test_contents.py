"""What is in an array's folder: nothing is taken for a part of it that is not."""

from __future__ import annotations

import os
import re
from contextlib import contextmanager

import pytest

from zarrange.errors import NotInStoreError
from zarrange.stores.local.contents import check_no_node, check_nothing_else


@pytest.fixture
def array(root):
    """The folder of an array of which the metadata are hidden."""
    (root / "a/c/0").mkdir(parents=True)
    (root / "a/c/0/0").write_text("chunk")
    return root / "a"


@contextmanager
def opened(folder):
    number = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield number
    finally:
        os.close(number)


@pytest.mark.parametrize("name", ["c1", "0.0", "12", "c.0.1", "x.partial", ".zattrs", ".zmetadata"])
def test_part_of_an_array(array, name):
    """Metadata, chunks and what an interrupted write left are parts of an array."""
    (array / name.replace("c1", "1")).write_text("{}")
    with opened(array) as folder:
        assert check_nothing_else(folder) is None


@pytest.mark.parametrize("name", ["notes.txt", "raw", "cc", "0.x", ".zgroup.bak", "chunks", "0-0", "C"])
def test_foreign(array, snapshot, name):
    """Anything else is refused and named."""
    (array / name).write_text("mine")
    before = snapshot(array)
    with (
        opened(array) as folder,
        pytest.raises(NotInStoreError, match=f"^{re.escape(repr(name))} in its folder is not"),
    ):
        check_nothing_else(folder)
    assert snapshot(array) == before


@pytest.mark.parametrize("way", ["c/0", "c/0/1/2", "0"])
@pytest.mark.parametrize("metadata", ["zarr.json", ".zarray", ".zgroup"])
@pytest.mark.parametrize("check", [check_no_node, check_nothing_else])
def test_node_inside(array, way, metadata, check):
    """A node at any depth is refused and named."""
    (array / way).mkdir(parents=True, exist_ok=True)
    (array / way / metadata).write_text("{}")
    with opened(array) as folder, pytest.raises(NotInStoreError, match=f"^'{way}' inside is another zarr node"):
        check(folder)


@pytest.mark.parametrize("metadata", ["zarr.json", ".zarray", ".zgroup"])
@pytest.mark.parametrize("check", [check_no_node, check_nothing_else])
def test_a_node_by_now(array, metadata, check):
    """A folder that has metadata again is somebody's new node."""
    (array / metadata).write_text("{}")
    with opened(array) as folder, pytest.raises(NotInStoreError, match=r"^it is a new zarr node; it would be lost"):
        check(folder)


def test_symlinks_are_not_followed(array, root):
    """A symlink among the chunks is not looked through."""
    (root / "outside").mkdir()
    (root / "outside/zarr.json").write_text("{}")
    (array / "c/1").symlink_to(root / "outside")
    with opened(array) as folder:
        assert check_no_node(folder) is None
        assert check_nothing_else(folder) is None


def test_chunks_that_may_not_be_read(shared_folder, as_nobody):
    """Chunk folders that may not be read are an error: a node could be inside."""
    with as_nobody():
        (shared_folder / "a/c").mkdir(parents=True)
        (shared_folder / "a/c").chmod(0)
        with opened(shared_folder / "a") as folder, pytest.raises(PermissionError):
            check_no_node(folder)
