"""Ways: which groups on the way to what moves are left with nothing, and which are missing."""

from __future__ import annotations

import json
from itertools import count

import numpy as np
import pytest
import zarr

from zarrange import Key, Layout, Store
from zarrange.stores.migration import Asked, look
from zarrange.stores.ways import Ways

TEXT = """
zarrange: 1
name: {}
fields:
  run: {{type: str}}
  a: {{type: int, min: 0}}
containers:
  box: {{path: "{{{{ run }}}}/{}.zarr"}}
groups:
  part: {{container: box, path: "parts/{{{{ a }}}}"}}
arrays:
  image: {{container: box, path: "{}"}}
files:
  note: {{path: "{{{{ run }}}}/notes/{{{{ a }}}}"}}
"""
OLD = Layout.parse(TEXT.format("old", "box", "i/x/{{ a }}"))
_numbers = count()


@pytest.fixture(params=["disk", "memory"])
def place(request, root):
    return root if request.param == "disk" else f"memory://ways-{next(_numbers)}/in"


def ways_of(store, container="box", image="j/{{ a }}"):
    view = look(store._backend, Asked(OLD, Layout.parse(TEXT.format("new", container, image))))
    return Ways(store._backend, view)


def filled(place, *steps, attributes=None, zarr_format=3):
    """A store with a container and some images in it."""
    store = Store(place, OLD)
    zarr.create_group(store._backend.zarr_store("r/box.zarr"), zarr_format=zarr_format, attributes=attributes)
    for step in steps:
        store.create(Key("image", {"run": "r", "a": step}), data=np.arange(3))
    return store


def dropped(ways):
    return [move.source for move in ways.dropped()]


def without_nothing(data):
    """Metadata without the copy that some versions of zarr write down not to be there."""
    return {key: one for key, one in data.items() if (key, one) != ("consolidated_metadata", None)}


def made(ways):
    return {text.path: without_nothing(json.loads(text.content)) for text in ways.made()}


PLAIN = {"attributes": {}, "zarr_format": 3, "node_type": "group"}


def test_another_name(place):
    """Groups with nothing else in them are dropped, the inmost first, and those to the new place are made like them."""
    ways = ways_of(filled(place, 1, 2))
    assert dropped(ways) == ["r/box.zarr/i/x/zarr.json", "r/box.zarr/i/zarr.json"]
    assert made(ways) == {"r/box.zarr/j/zarr.json": PLAIN}


def test_format_2(place):
    """Groups of format 2 are made in format 2, with the files that those on the way have."""
    ways = ways_of(filled(place, 1, zarr_format=2))
    names = {path.rpartition("/")[2] for path in dropped(ways)}
    assert names in ({".zgroup", ".zattrs"}, {".zgroup"})
    assert made(ways)["r/box.zarr/j/.zgroup"] == {"zarr_format": 2}
    assert {path.rpartition("/")[2] for path in made(ways)} == names


def test_container_moves(place):
    """With the container, which is an artifact, all groups in it are made at its new place, but not itself."""
    ways = ways_of(filled(place, 1), "crate", "i/x/{{ a }}")
    assert dropped(ways) == ["r/box.zarr/i/x/zarr.json", "r/box.zarr/i/zarr.json"]
    assert made(ways) == {"r/crate.zarr/i/zarr.json": PLAIN, "r/crate.zarr/i/x/zarr.json": PLAIN}


def test_something_stays(place):
    """A group in which something stays, stays, and so do those above it."""
    store = filled(place, 1)
    store._backend.write("r/box.zarr/i/notes.md", b"mine")
    ways = ways_of(store)
    assert dropped(ways) == ["r/box.zarr/i/x/zarr.json"]


def test_something_to_say(place):
    """A group with attributes stays, and is no model for others; neither is a container with some."""
    store = filled(place, 1, attributes={"box": 1})
    zarr.open_group(store._backend.zarr_store("r/box.zarr"), path="i/x", mode="r+").attrs["said"] = 1
    ways = ways_of(store)
    assert dropped(ways) == []
    assert made(ways) == {"r/box.zarr/j/zarr.json": PLAIN}


def test_known_groups(place):
    """A group that some kind has is an artifact, and no way."""
    store = filled(place, 1)
    store.create(Key("part", {"run": "r", "a": 1}))
    ways = ways_of(store, "crate")
    assert "r/box.zarr/parts/1/zarr.json" not in dropped(ways)
    assert "r/crate.zarr/parts/1/zarr.json" not in made(ways)
    assert "r/box.zarr/parts/zarr.json" in dropped(ways)
    assert "r/crate.zarr/parts/zarr.json" in made(ways)


def test_no_group_before(place):
    """What is in a container without metadata gets no groups."""
    store = Store(place, OLD)
    zarr.create_array(store._backend.zarr_store("r/box.zarr/i/x/1"), data=np.arange(3))
    ways = ways_of(store, "crate")
    assert dropped(ways) == []
    assert made(ways) == {}


def test_needed_again(place):
    """A group that is needed for what comes, stays as it is, and is not made again."""
    ways = ways_of(filled(place, 1), "box", "i/{{ a }}")
    assert dropped(ways) == ["r/box.zarr/i/x/zarr.json"]
    assert made(ways) == {}


def test_taken(place):
    """A place is taken by what stays there: an array, a file, a folder with something in it; not by what goes."""
    store = filled(place, 1)
    store._backend.write("r/box.zarr/k/notes.md", b"mine")
    zarr.create_array(store._backend.zarr_store("r/box.zarr/extra"), data=np.arange(3))
    ways = ways_of(store)
    assert [ways.is_taken(f"r/box.zarr/{path}") for path in ("k", "k/notes.md", "extra")] == [True] * 3
    assert [ways.is_taken(f"r/box.zarr/{path}") for path in ("i/x/1", "i/x", "none", "none/at/all")] == [False] * 4
    assert ways.obstacle("r/box.zarr/extra") == "an array"
    assert ways.obstacle("r/box.zarr/k/notes.md") == "a file, or a symlink"
    assert ways.obstacle("r/box.zarr/i/x/1") is None
    assert ways.obstacle("r/box.zarr/k") is None


@pytest.mark.filterwarnings("ignore:Consolidated metadata")
def test_copies(place):
    """Groups that keep copies of metadata are told, where they are and where they come to."""
    store = filled(place, 1)
    assert ways_of(store).copies() == ()
    zarr.consolidate_metadata(store._backend.zarr_store("r/box.zarr"))
    assert ways_of(store).copies() == ("r/box.zarr",)
    assert ways_of(store, "crate").copies() == ("r/box.zarr", "r/crate.zarr")
