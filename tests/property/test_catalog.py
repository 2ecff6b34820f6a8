"""What is found is what was written, on disk and in an object store alike."""

from __future__ import annotations

import json
import os
from datetime import date
from itertools import chain, combinations, count
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, event, given, settings, strategies as st

from zarrange import Layout
from zarrange.identifiers import ArrayIdentifier, FileIdentifier, GroupIdentifier, Key
from zarrange.language.selection import select
from zarrange.stores.catalog import Search
from zarrange.stores.local import LocalBackend
from zarrange.stores.remote import RemoteBackend

PORTABLE = """
zarrange: 1
name: small
fields:
  run: {type: str}
  step: {type: int, min: 0}
  day: {type: date}
  index: {type: str, pattern: "[a-c]+"}
containers:
  box: {path: "{{ run }}/box.zarr"}
  days: {path: "{{ run }}/{{ day }}.zarr"}
groups:
  part: {container: box, path: "parts/{{ step | pad(3) }}"}
arrays:
  raw: {container: box, path: "parts/{{ step | pad(3) }}/raw{% if index is defined %}-{{ index }}{% endif %}"}
  best: {container: box, path: "best/{{ index }}_{{ step }}"}
  daily: {container: days, path: "{{ step }}/all"}
files:
  note: {path: "{{ run }}/notes/{{ step }}.txt"}
  log: {path: "logs/{{ day }}/{{ run }}.log"}
"""
FREE = """
zarrange: 1
name: free
fields:
  run: {type: str}
  volume: {type: path}
  step: {type: int}
containers:
  box: {path: "{{ run }}/box.zarr"}
arrays:
  image: {container: box, path: "images/{{ volume }}/{{ step }}"}
files:
  report: {path: "reports/{{ volume }}.txt"}
allow:
  - {rule: nested-kinds, kinds: [image], because: "the tests write none into another"}
"""
LAYOUTS = {"training": Layout.load("training"), "portable": Layout.parse(PORTABLE), "free": Layout.parse(FREE)}
VALUES = {
    "str": st.sampled_from(["a", "b", "a-b", "a.b", "0", "1"]),
    "text": st.sampled_from(["a", "b", "a b", "a/b", "é", "%", "0", ".zarr"]),
    "int": st.sampled_from([0, 1, 10, 11, 100]),
    "date": st.sampled_from([date(2026, 1, 1), date(2026, 1, 2), date(1999, 12, 31)]),
    "path": st.sampled_from(["a", "b", "a/b", "a/b/c", "b/1", "1/a"]),
    "index": st.sampled_from(["a", "b", "ab", "c"]),
}
GROUPS = {3: ("zarr.json", b'{"zarr_format": 3, "node_type": "group"}'), 2: (".zgroup", b'{"zarr_format": 2}')}
NEW_ARRAY = {
    "zarr_format": 3,
    "node_type": "array",
    "shape": [4],
    "data_type": "uint8",
    "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [2]}},
    "chunk_key_encoding": {"name": "default"},
    "fill_value": 0,
    "codecs": [{"name": "bytes"}],
}
OLD_ARRAY = {
    "zarr_format": 2,
    "shape": [4],
    "chunks": [2],
    "dtype": "|u1",
    "fill_value": 0,
    "compressor": None,
    "filters": None,
    "order": "C",
}
ARRAYS = {3: ("zarr.json", json.dumps(NEW_ARRAY).encode()), 2: (".zarray", json.dumps(OLD_ARRAY).encode())}
CHUNKS = {3: ("c/0", "c/1"), 2: ("0", "1")}
STRANGERS = ("notes", "a/unknown.txt", "b/box.zarr/stray", "a/box.zarr/parts/x", ".zarrange/layout.yaml", "zzz/a/b/c")
_numbers = count()


@st.composite
def keys(draw, layout):
    """A key of a layout."""
    kind = layout.kinds[draw(st.sampled_from(sorted(layout.kinds)))]
    values = {}
    for name, field in kind.fields.items():
        choices = VALUES[name if name in VALUES else "text" if field.spec.charset == "text" else field.type]
        if draw(st.booleans()) or name not in _optional(kind):
            values[name] = draw(choices)
    return Key(kind.name, values)


def _is_in(layout, key, path, other):
    """Whether another path is inside an array or a file."""
    return layout.kinds[key.kind].sort in {"array", "file"} and other.startswith(f"{path}/")


def _optional(kind):
    """The fields that a kind's artifacts may lack."""
    return {name for variant in kind.variants for name in variant.absent}


@st.composite
def stores(draw, layout):
    """What is in a store: artifacts by their keys, groups above some of them, chunks, and what is no artifact."""
    drawn = draw(st.lists(keys(layout), min_size=1, max_size=8))
    has_groups, old = draw(st.booleans()), draw(st.sets(st.sampled_from("ab01")))
    files, written = {}, {}
    for key in drawn:
        identifier = layout.render(key.kind, **key.values)
        path = identifier.path
        if any(
            path == one or _is_in(layout, other, one, path) or _is_in(layout, key, path, one)
            for one, other in written.items()
        ):
            continue
        written[path] = key
        zarr_format = 2 if path[0] in old else 3
        if isinstance(identifier, FileIdentifier):
            files[path] = b"1"
            continue
        name, content = (ARRAYS if isinstance(identifier, ArrayIdentifier) else GROUPS)[zarr_format]
        files[f"{path}/{name}"] = content
        if isinstance(identifier, ArrayIdentifier):
            files |= {f"{path}/{chunk}": b"12" for chunk in CHUNKS[zarr_format]}
        if has_groups and isinstance(identifier, ArrayIdentifier | GroupIdentifier):
            steps = identifier.dataset.split("/")
            for length in range(len(steps)):
                name, content = GROUPS[zarr_format]
                files["/".join([identifier.container, *steps[:length], name])] = content
    for stranger in draw(st.sets(st.sampled_from(STRANGERS), max_size=3)):
        if not any(f"{stranger}/".startswith(f"{one}/") or one.startswith(f"{stranger}/") for one in files):
            files[stranger] = b""
    return files, written


def there(layout, files):
    """Every artifact that is there: its path and its key, by the files alone."""
    arrays = {
        path.rpartition("/")[0] for path, content in files.items() if content in (one for _, one in ARRAYS.values())
    }
    groups = {
        path.rpartition("/")[0] for path, content in files.items() if content in (one for _, one in GROUPS.values())
    }
    found = set()
    for path in files:
        steps = path.split("/")
        for length in range(1, len(steps) + 1):
            way = "/".join(steps[:length])
            if way in arrays:
                fits = {"array"}
            elif length == len(steps):
                fits = {"file"}
            else:
                fits = {"group", "container"} if way in groups else {"container"}
            found |= {(way, key) for key in layout.matches(way) if layout.kinds[key.kind].sort in fits}
            if way in arrays or steps[0] == ".zarrange":
                break
    return found


def subsets(names):
    """All combinations of names."""
    return chain.from_iterable(combinations(sorted(names), length) for length in range(len(names) + 1))


def answer(backend, layout, kinds, filters):
    """What a search gives, in its order."""
    return [(entry.path, entry.key) for entry in Search(backend, layout, select(layout, kinds, filters))]


def put(backends, root, files):
    """Write the same files to disk and into memory."""
    for path, content in files.items():
        whole = os.path.join(root, path)
        os.makedirs(os.path.dirname(whole), exist_ok=True)
        with open(whole, "wb") as file:
            file.write(content)
        backends.write(path, content)


@pytest.mark.parametrize("name", sorted(LAYOUTS))
@given(data=st.data())
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_written_is_found(name, data):
    """For random stores, `find` equals the set written, under every combination of bound fields, on disk and in memory://."""
    layout = LAYOUTS[name]
    files, written = data.draw(stores(layout))
    everything = there(layout, files)
    assert everything >= set(written.items())
    chosen = data.draw(st.sampled_from(sorted(written.values())))
    kind = layout.kinds[chosen.kind]
    with TemporaryDirectory() as root:
        remote = RemoteBackend(f"memory://catalog-{next(_numbers)}/in")
        put(remote, root, files)
        for bound in subsets(kind.fields):
            filters = {one: chosen.values.get(one) for one in bound}
            for kinds in (None, chosen.kind):
                asked = {one for one, other in layout.kinds.items() if set(bound) <= set(other.fields)}
                asked = asked if kinds is None else {kinds}
                expected = {
                    (path, key)
                    for path, key in everything
                    if key.kind in asked and all(key.values.get(one) == value for one, value in filters.items())
                }
                found = answer(LocalBackend(root), layout, kinds, filters)
                assert len(found) == len(expected)
                assert set(found) == expected
                for page in (0, 1000, 3):
                    remote.page = page
                    assert answer(remote, layout, kinds, filters) == found
                event(f"{len(found) > 0}, {len(bound)} bound")
