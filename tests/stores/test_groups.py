"""The zarr format of a container, told by its own metadata or by a node inside."""

from __future__ import annotations

import pytest
import zarr

from zarrange.stores.groups import zarr_format
from zarrange.stores.local import LocalBackend


@pytest.mark.parametrize("wanted", [2, 3])
@pytest.mark.parametrize("inner", [None, "a", "a/b/c"])
@pytest.mark.parametrize("is_array", [False, True])
def test_the_format_of_a_container(tmp_path, wanted, inner, is_array):
    """A container's format is its own metadata's; without them, that of some node inside, however deep."""
    path = str(tmp_path / "box.zarr") + (f"/{inner}" if inner else "")
    if is_array:
        zarr.create_array(path, shape=(1,), dtype="i1", zarr_format=wanted)
    else:
        zarr.create_group(path, zarr_format=wanted)
    assert zarr_format(LocalBackend(str(tmp_path)), "box.zarr") == wanted


def test_no_format(tmp_path):
    """A container that does not exist, is empty or holds no node has no format yet."""
    backend = LocalBackend(str(tmp_path))
    assert zarr_format(backend, "box.zarr") is None
    (tmp_path / "box.zarr" / "inner").mkdir(parents=True)
    (tmp_path / "box.zarr" / "inner" / "notes.txt").write_text("mine")
    assert zarr_format(backend, "box.zarr") is None
