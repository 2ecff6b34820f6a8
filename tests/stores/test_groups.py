"""The groups that an artifact lies in: their zarr format, and the copies of metadata that they keep."""

from __future__ import annotations

import warnings

import pytest
import zarr

from zarrange.stores.copies import groups_above, refresh
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


@pytest.mark.parametrize("wanted", [2, 3])
def test_all_groups_above(tmp_path, wanted):
    """All groups above an artifact that keep a copy learn of it, also those above its container, and no others."""
    root = zarr.create_group(tmp_path, zarr_format=wanted)
    root.create_group("run/box.zarr/a/b")
    copying = {"": "run/box.zarr/a/b/x", "run/box.zarr": "a/b/x", "run/box.zarr/a": "b/x"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", zarr.errors.ZarrUserWarning)
        for group in copying:
            zarr.consolidate_metadata(tmp_path / group)
    zarr.create_array(tmp_path / "run/box.zarr/a/b/x", shape=(1,), dtype="i1", zarr_format=wanted)
    backend = LocalBackend(str(tmp_path))
    for group in groups_above(backend, "run/box.zarr/a/b/x"):
        refresh(backend, group)
    for group, name in copying.items():
        assert name in dict(zarr.open_consolidated(tmp_path / group, mode="r").members(max_depth=None))
    for group in ("run", "run/box.zarr/a/b"):
        with pytest.raises(ValueError, match=r"onsolidated|zmetadata"):
            zarr.open_consolidated(tmp_path / group, mode="r")
