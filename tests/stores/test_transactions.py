"""Transactions as data: no path that leads astray gets in, and what is in whose way is told without a long look."""

from __future__ import annotations

import pickle
import time

import pytest
from attrs import evolve
from hypothesis import example, given, strategies as st

from zarrange.converter import from_json, to_json
from zarrange.errors import BusyError, StructureError
from zarrange.stores.transactions import Intent, Move, Text, Transaction, is_plain

HOSTILE = [
    *("", "/", "/etc/passwd", "a/", "a//b", ".", "..", "./a", "../a", "a/..", "a/.", "a/../b", "a/./b", "a/../../b"),
    *("a\0", "\0", "a/b\0c", ".zarrange", ".zarrange/tx", ".zarrange/trash/x", ".zarrange/store.json"),
]
PLAIN = [
    "a",
    "a/b",
    "a.b/..c",
    "...",
    "a/...",
    " ",
    "a\n",
    "-",
    ".zarrange2",
    "a/.zarrange",
    ".zarrange-x",
    "~",
    "C:\\a",
]


def transaction(**changes):
    wanted = {
        "id": "0123456789abcdef",
        "intent": Intent("remove", "the removal of 'a'", (Move("a/zarr.json", None, is_folder=False),), rests=("a",)),
        "phase": "placed",
        "started": 1.0,
        "keep_until": 1000.0,
        "owner": "process 7 on here",
        "is_live": False,
    }
    return Transaction(**wanted | changes)


class TestPaths:
    """What a journal says can never lead out of a store, nor into the folder that it keeps for itself."""

    @pytest.mark.parametrize("path", HOSTILE)
    @pytest.mark.parametrize(
        "make",
        [
            lambda path: Move(path, None, is_folder=True),
            lambda path: Move("a", path, is_folder=False),
            lambda path: Intent("remove", "", (), rests=(path,)),
            lambda path: Intent("remove", "", (), rests=("a", path)),
            lambda path: Intent("remove", "", (), groups=(path or "/",)),
            lambda path: Intent("migrate", "", (), made=(Text(f"{path}/zarr.json", ""),)),
            lambda path: Intent("migrate", "", (), record=(Text(path.replace("store.json", ""), ""),)),
        ],
        ids=["source", "target", "rest", "second", "group", "made", "record"],
    )
    def test_hostile(self, make, path):
        """A path that is empty, absolute, climbs or leads to where a store keeps its own is refused everywhere."""
        with pytest.raises(ValueError, match=r"is no plain path|is not where a store|is no metadata"):
            make(path)
        assert not is_plain(path)

    @pytest.mark.parametrize("path", PLAIN)
    def test_plain(self, path):
        """A name that only looks odd is a name."""
        assert is_plain(path)
        assert Intent("remove", "", (Move(path, path, is_folder=True),), (path,), (path,)).places == {path}

    def test_the_root_is_a_group(self):
        """The root itself may keep a copy of metadata, and is nothing that is moved or deleted."""
        assert Intent("remove", "", (), groups=("",)).groups == ("",)
        with pytest.raises(ValueError, match="no plain path"):
            Intent("remove", "", (), rests=("",))

    @pytest.mark.parametrize("name", ["chunk", "c/0", "zarr.json.bak", "", "ZARR.JSON", "zarr.json/x"])
    def test_made(self, name):
        """Nothing but metadata of a group is written where a migration needs a group."""
        with pytest.raises(ValueError, match=r"no metadata of a group|no plain path"):
            Intent("migrate", "", (), made=(Text(f"a/{name}", "x"),))
        assert Intent("migrate", "", (), made=(Text("a/.zgroup", "{}"),)).made[0].path == "a/.zgroup"

    @pytest.mark.parametrize(
        "path",
        [
            *("a", "zarr.json", ".zarrange/id", ".zarrange/tx/x.journal", ".zarrange/layout", ".zarrange/layout/"),
            *(".zarrange/layout/..", ".zarrange/layout/.", ".zarrange/layout/a/b", ".zarrange/layout/../../a"),
            *("/.zarrange/store.json", ".zarrange/store.json/", "a/.zarrange/store.json", ".zarrange/layout/a\0"),
        ],
    )
    def test_record(self, path):
        """Nothing but what a store says of itself is written over."""
        with pytest.raises(ValueError, match="not where a store says what it is"):
            Intent("migrate", "", (), record=(Text(path, "x"),))

    @pytest.mark.parametrize("path", [".zarrange/store.json", ".zarrange/layout/mine.yaml", ".zarrange/layout/..a"])
    def test_own_record(self, path):
        """What a store says of itself is in a file of its own, and in those of the layout."""
        assert Intent("migrate", "", (), record=(Text(path, "x"),)).record[0].path == path

    @pytest.mark.parametrize("name", ["", "0123", "0123456789ABCDEF", "../0123456789abcdef", "0123456789abcdef\n"])
    def test_id(self, name):
        """The name of a transaction is no path."""
        with pytest.raises(ValueError, match="id"):
            transaction(id=name)


def near(one, other):
    """Whether one path is at, below or above another: the clear way."""
    few, many = sorted((one.split("/"), other.split("/")), key=len)
    return many[: len(few)] == few


segments = st.sampled_from(["a", "b", "ab", "zarr.json"])
paths = st.lists(segments, min_size=1, max_size=4).map("/".join)
moves = st.builds(Move, paths, st.none() | paths, st.booleans())
intents = st.builds(
    Intent,
    st.sampled_from(["remove", "prune", "migrate"]),
    st.just(""),
    st.lists(moves, max_size=3).map(tuple),
    st.lists(paths, max_size=3).map(tuple),
    st.lists(paths | st.just(""), max_size=2).map(tuple),
)


def ends(intent):
    return [*intent.rests, *(end for move in intent.moves for end in (move.source, move.target) if end)]


class TestInTheWay:
    """Two changes are in each other's way where a place of one is at, below or above the other's; migrations always."""

    @given(intents, paths)
    @example(Intent("remove", "", (), rests=("a",)), "ab")
    @example(Intent("remove", "", (), rests=("ab",)), "a")
    def test_concerns(self, intent, path):
        """A path is concerned if it is at, below or above a place."""
        assert intent.concerns(path) is any(near(path, end) for end in ends(intent))

    @given(intents, paths)
    def test_hides(self, intent, path):
        """A path is hidden if it is at or below a place of a removal; a migration hides nothing."""
        below = [end for end in ends(intent) if near(path, end) and path.count("/") >= end.count("/")]
        assert intent.hides(path) is (intent.operation != "migrate" and bool(below))

    @given(intents, intents)
    def test_meets(self, one, other):
        """Two intents meet if any of their places do, whichever is asked."""
        wanted = any(near(here, there) for here in ends(one) for there in ends(other))
        wanted = wanted or "migrate" in (one.operation, other.operation)
        assert one.meets(other) is other.meets(one) is wanted

    @given(intents)
    def test_json(self, intent):
        """What an intent is outlives being written down, pickled, and asked first."""
        assert intent.ways >= intent.places
        assert from_json(to_json(intent), Intent) == intent == pickle.loads(pickle.dumps(intent))

    @pytest.mark.parametrize("path", HOSTILE)
    def test_hostile_json(self, path):
        """A hostile path is refused too where it is read."""
        written = to_json(Intent("remove", "", (), rests=("OWN",))).replace('"OWN"', to_json(path))
        with pytest.raises(StructureError, match=r"^\$"):
            from_json(written, Intent)


class TestBusy:
    """Who is in the way of a transaction is told what it is, whose, and what ends it."""

    @pytest.mark.parametrize(
        ("changes", "wanted"),
        [
            ({"is_live": True, "phase": "begun"}, "is under way: process 7 on here is at it$"),
            ({"phase": "begun"}, "was interrupted: process 7 on here was at it; `zarrange doctor --recover` ends it$"),
            ({"phase": "purging"}, "was interrupted: .* ends it$"),
            ({}, "is done, and can be undone until 19.*; undo it, or purge it by `zarrange doctor --purge=all`$"),
            ({"keep_until": 1e300}, "is done, and can be undone until it is purged; undo it"),
            ({"keep_until": float("inf")}, "is done, and can be undone until it is purged; undo it"),
        ],
    )
    def test_message(self, changes, wanted):
        """The message says what is to be done about it, whatever a journal says of the time."""
        busy = transaction(**changes).busy()
        assert isinstance(busy, BusyError)
        with pytest.raises(BusyError, match=f"^the removal of 'a' {wanted}"):
            raise busy

    def test_states(self):
        """What died amid it is interrupted; what waits in the trash is not, and expires."""
        now = time.time()
        kept = transaction(keep_until=now + 100)
        assert [evolve(kept, phase=phase).is_interrupted for phase in ("begun", "staged", "placed", "purging")] == [
            *(True, True, False, True)
        ]
        assert not evolve(kept, phase="begun", is_live=True).is_interrupted
        assert (kept.is_expired(now), kept.is_expired(now + 101)) == (False, True)
        assert not evolve(kept, is_live=True).is_expired(now + 101)
        assert not evolve(kept, phase="begun").is_expired(now + 101)
