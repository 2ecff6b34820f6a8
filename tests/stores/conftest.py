"""A store with all four sorts of artifacts, and the whole of a folder as data that can be compared."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.stores.servers import azure_server, s3_server

from zarrange import Layout, Store

SMALL = """
zarrange: 1
name: small
fields:
  run: {type: str}
  step: {type: int, min: 0}
  volume: {type: path, charset: unicode}
containers:
  box: {path: "{{ run }}/box.zarr", zarr_format: 3}
  old_box: {path: "{{ run }}/old.zarr", zarr_format: 2}
  free_box: {path: "{{ run }}/free.zarr"}
groups:
  part: {container: box, path: "parts/{{ step }}"}
  old_part: {container: old_box, path: "parts/{{ step }}"}
arrays:
  image: {container: box, path: "images/{{ step }}/{{ volume }}"}
  old_image: {container: old_box, path: "images/{{ step }}/{{ volume }}"}
  free_image: {container: free_box, path: "images/{{ step }}/{{ volume }}"}
files:
  note: {path: "{{ run }}/notes/{{ step }}.txt"}
allow:
  - {rule: nested-kinds, kinds: [image], because: A volume may have slashes.}
  - {rule: nested-kinds, kinds: [old_image], because: A volume may have slashes.}
  - {rule: nested-kinds, kinds: [free_image], because: A volume may have slashes.}
"""

NOBODY = 65534


def take_snapshot(root):
    """Return everything below `root`, and the root itself: type, mode, and the bytes or the symlink's target."""
    found = {".": _described(os.fspath(root))}
    for folder, folders, files in os.walk(root, onerror=_raise):
        for name in (*folders, *files):
            path = os.path.join(folder, name)
            found[os.path.relpath(path, root)] = _described(path)
    return found


def _described(path):
    mode = os.lstat(path).st_mode
    if stat.S_ISLNK(mode):
        return "symlink", os.readlink(path)
    content = Path(path).read_bytes() if stat.S_ISREG(mode) else None
    return stat.S_IFMT(mode), oct(stat.S_IMODE(mode)), content


def _raise(error):
    raise error


@pytest.fixture(scope="session")
def snapshot():
    """The function that takes one."""
    return take_snapshot


@pytest.fixture(scope="session")
def layout():
    return Layout.parse(SMALL)


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "store"
    folder.mkdir()
    return folder


@pytest.fixture
def store(root, layout):
    return Store(root, layout)


@pytest.fixture
def shared_folder():
    """A folder that every user may enter, which `tmp_path` is not."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o777)
    yield folder
    for path, _, _ in os.walk(folder):
        os.chmod(path, 0o700)
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def as_nobody():
    """A context in which permissions count: a superuser becomes nobody for a while, everybody else has them anyway."""

    @contextmanager
    def context():
        if os.geteuid() != 0:
            yield
            return
        os.seteuid(NOBODY)
        try:
            yield
        finally:
            os.seteuid(0)

    return context


@pytest.fixture(scope="session")
def s3():
    """A server of the S3 protocol, for all tests of this process."""
    with s3_server() as server:
        yield server


@pytest.fixture(scope="session")
def azure():
    """A server of Azure's protocol, for all tests of this process."""
    with azure_server() as server:
        yield server


@pytest.fixture
def server(s3):
    """The server, with nothing asked and nothing wrong yet."""
    s3.asked.clear()
    yield s3
    s3.faults.clear()
