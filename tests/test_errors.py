"""Exceptions: one tree, drawn in its module's docstring; each says what is wrong and travels between processes."""

from __future__ import annotations

import errno
import inspect
import os
import pickle
import re
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import pytest

from zarrange import errors
from zarrange.converter import structure
from zarrange.diagnostics import Diagnostic, Span
from zarrange.errors import (
    AccessDeniedError,
    AlreadyExistsError,
    AmbiguousPathError,
    BadRequestError,
    BusyError,
    CutError,
    DamagedError,
    EmptyFoldersError,
    FieldError,
    IncompleteError,
    LayoutError,
    LeftoverError,
    NoPictureError,
    NotFoundError,
    NotInStoreError,
    RefusedError,
    StoreError,
    StructureError,
    UnknownKindError,
    UnreadableError,
    ZarrangeError,
)
from zarrange.identifiers import FileIdentifier, Key
from zarrange.language.layout import Layout

FINDING = Diagnostic(
    "unknown-field", "`smaple` is not a declared field", Span("cells.yaml", 8, 29, 8, 35), "try `sample`"
)
SAMPLES = [
    ZarrangeError("nothing works"),
    LayoutError([FINDING]),
    FieldError("raw", "run", "..", "does not take '..': it is a reserved name"),
    UnknownKindError("the layout `small` has no kind 'rwa'; a similar kind exists: `raw`"),
    AmbiguousPathError("r1/a", [Key("raw", {"run": "r1"}), Key("gt", {"run": "r1"})]),
    StructureError(["$.dataset: expected text, got the number 7"]),
    StoreError("the zarr.json of '/data/x' is damaged"),
    NotInStoreError("'/data/x' is a symlink"),
    AlreadyExistsError(errno.EEXIST, "there is an array already", "/data/x"),
    NotFoundError(errno.ENOENT, "there is no array", "/data/x"),
    BadRequestError("`.start` is 'x'; it is a whole number"),
    CutError("there is no axis 't'; the axes are z, y, x"),
    NoPictureError("an array of text cannot be shown as a picture"),
    BusyError("'/data/r1' is being removed"),
    RefusedError("9 of 10 artifacts would be removed, more than half; it has to be forced"),
    LeftoverError("removed, but what is left of it in '/data/.zarrange/trash/0' could not be deleted"),
    EmptyFoldersError("removed, but folders above it may have stayed: '/data/r1': Permission denied"),
    UnreadableError("it is a symlink that leads nowhere"),
    AccessDeniedError("cannot be read: permission denied"),
    DamagedError("its zarr.json is damaged: it is not a JSON object"),
    IncompleteError([("r1", "cannot be read: permission denied")]),
]
each = pytest.mark.parametrize("error", SAMPLES, ids=lambda error: type(error).__name__)


def real_tree():
    found = {"ZarrangeError": ("Exception",)}
    pending = [ZarrangeError]
    while pending:
        for cls in pending.pop().__subclasses__():
            found[cls.__name__] = tuple(base.__name__ for base in cls.__bases__)
            pending.append(cls)
    return found


def drawn_tree():
    """Read the lines `├── Name (Base)`: how far a name is indented says what it is below of."""
    drawn = {}
    above = []
    for line in inspect.getdoc(errors).splitlines():
        match = re.match(r"(?P<indent>[ │├└─]*)(?P<name>\w+Error)\b(?: +\((?P<other>\w+)\))?", line)
        if match is None:
            continue
        above = [one for one in above if one[0] < len(match["indent"])]
        parent = above[-1][1] if above else "Exception"
        drawn[match["name"]] = (parent, *([match["other"]] if match["other"] else []))
        above.append((len(match["indent"]), match["name"]))
    return drawn


class TestTree:
    """Every exception that zarrange raises on purpose."""

    def test_drawn_is_real(self):
        """The tree in the docstring is the real tree, with every other base that an exception has."""
        assert drawn_tree() == real_tree()

    def test_all_public(self):
        """The module's public names are exactly the tree's."""
        assert set(errors.__all__) == real_tree().keys()
        assert errors.__all__ == sorted(errors.__all__)

    def test_all_sampled(self):
        """The samples below are of every class of the tree."""
        assert {type(error).__name__ for error in SAMPLES} == real_tree().keys()

    def test_all_explained(self):
        """Every exception says in its own docstring what it means."""
        assert all(type(error).__dict__["__doc__"] for error in SAMPLES)

    @each
    def test_caught(self, error):
        """Every exception is caught as a `ZarrangeError`, and the built-in ones as what they are in Python."""
        with pytest.raises(ZarrangeError):
            raise error
        for name in drawn_tree()[type(error).__name__]:
            assert name in {cls.__name__ for cls in type(error).__mro__}


@each
class TestEach:
    """Every exception says what is wrong, and survives the way between processes."""

    @pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
    def test_pickle(self, error, protocol):
        """A pickle gives an exception of the same class with the same text, arguments and attributes."""
        again = pickle.loads(pickle.dumps(error, protocol))
        assert type(again) is type(error)
        assert str(again) == str(error)
        assert again.args == error.args
        assert vars(again) == vars(error)

    def test_one_sentence(self, error):
        """The text of one problem is one line, without the name of a class, an address or a bare tuple."""
        text = str(error)
        assert text.strip() == text
        assert len(text) > 10
        assert "\n" not in text
        assert not re.search(r"0x[0-9a-f]{6,}|^\(|Error\(", text)


class TestContents:
    """An error that can have several causes carries them all."""

    def test_layout(self):
        """A layout's error carries its diagnostics and has one line for each."""
        error = LayoutError([FINDING, FINDING])
        assert error.diagnostics == (FINDING, FINDING)
        line = "cells.yaml:8:29: error[unknown-field]: `smaple` is not a declared field (help: try `sample`)"
        assert str(error).splitlines() == [line, line]

    def test_field(self):
        """A field's error names the kind, the field, the value and what would fit."""
        with pytest.raises(
            FieldError, match=r"^snapshot: field `run` does not take '': it is empty; it takes "
        ) as caught:
            Layout.load("training").render("snapshot", run="")
        assert (caught.value.kind, caught.value.field, caught.value.value) == ("snapshot", "run", "")

    def test_field_with_any_value(self):
        """A field's error pickles even if the value that was refused does not."""
        error = FieldError("raw", "run", lambda: None, "does not take this")
        again = pickle.loads(pickle.dumps(error))
        assert (str(again), again.kind, again.field) == (str(error), "raw", "run")

    def test_ambiguous(self):
        """An ambiguous path's error names the path and carries the readings."""
        with pytest.raises(
            AmbiguousPathError, match=r"^'r1/validation.zarr/inputs/raw' has several readings: "
        ) as caught:
            Layout.load("dacapo").match("r1/validation.zarr/inputs/raw")
        assert {key.kind for key in caught.value.keys} == {"best_validation", "validation_raw"}

    def test_unknown_kind(self):
        """An unknown kind's error names the similar one that exists."""
        with pytest.raises(UnknownKindError, match=r"no kind 'snapshto'; a similar kind exists: `snapshot`$"):
            Layout.load("dacapo").render("snapshto", run="r1")

    def test_structure(self):
        """An error of data carries every problem."""
        with pytest.raises(StructureError) as caught:
            structure([7, {"type": "file", "path": "a"}, None], list[FileIdentifier])
        assert [problem.location for problem in caught.value.problems] == ["$[0]", "$[2]"]

    @pytest.mark.parametrize(("cls", "number"), [(NotFoundError, errno.ENOENT), (AlreadyExistsError, errno.EEXIST)])
    def test_system_errors(self, cls, number):
        """What is an `OSError` too has its number and its path."""
        error = cls(number, "something is wrong", os.fspath("/data/x"))
        assert (error.errno, error.strerror, error.filename) == (number, "something is wrong", "/data/x")

    def test_between_processes(self):
        """An error that is raised in another process arrives as it is."""
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            error = pool.submit(Layout.load("training").render, "validation", run=["not", 7]).exception()
        assert isinstance(error, FieldError)
        assert error.value == ["not", 7]
