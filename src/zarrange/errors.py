"""Every exception that zarrange raises on purpose.

    ZarrangeError
    ├── LayoutError            (ValueError)         a layout file is wrong; carries all its diagnostics
    ├── FieldError             (ValueError)         a value does not fit its field, is missing or is not wanted
    ├── UnknownKindError       (ValueError)         the layout has no kind of that name
    ├── AmbiguousPathError     (ValueError)         a path has several readings; carries them
    ├── BadRequestError        (ValueError)         a parameter of an address does not fit
    ├── StructureError         (ValueError)         JSON-ready data is not what was asked for; carries all problems
    └── StoreError
        ├── NotInStoreError    (ValueError)         an identifier, a path or a node that this operation must not touch
        ├── AlreadyExistsError (FileExistsError)    something is there already; nothing was changed
        ├── NotFoundError      (FileNotFoundError)  nothing is there
        ├── CutError           (ValueError)         an array has no such slice
        ├── NoPictureError                          what is there cannot be shown as a picture
        ├── BusyError                               something else is at work there; nothing was changed
        ├── RefusedError                            more would change than is likely meant; nothing was changed
        ├── LeftoverError                           hidden from the store, but not wholly deleted; says where it is
        │   └── EmptyFoldersError                   deleted, but empty folders above it may have stayed
        ├── UnreadableError                         something is there, or may be, that cannot be read; says why
        │   ├── DamagedError                        the metadata of a node are damaged
        │   └── AccessDeniedError  (PermissionError) it may not be read
        └── IncompleteError                         a search that could not read everything; carries what it could not

A value of the wrong Python type is a `ValueError` too, where it was given for a field: what a caller does about
`7.0` for an iteration is what they do about `-7`. Arguments that concern no artifact (a root that is no folder, an
option that cannot be given) are refused with a plain `ValueError` or `TypeError`.
"""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING, Any

from zarrange.diagnostics import shown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zarrange.diagnostics import Diagnostic
    from zarrange.identifiers import Key

__all__ = [
    "AccessDeniedError",
    "AlreadyExistsError",
    "AmbiguousPathError",
    "BadRequestError",
    "BusyError",
    "CutError",
    "DamagedError",
    "EmptyFoldersError",
    "FieldError",
    "IncompleteError",
    "LayoutError",
    "LeftoverError",
    "NoPictureError",
    "NotFoundError",
    "NotInStoreError",
    "RefusedError",
    "StoreError",
    "StructureError",
    "UnknownKindError",
    "UnreadableError",
    "ZarrangeError",
]


MAX_SHOWN = 5
"""How many of many things a message tells."""


class ZarrangeError(Exception):
    """The root of the tree."""


class LayoutError(ZarrangeError, ValueError):
    """A layout file is wrong. `diagnostics` has every finding, in the order of the file."""

    def __init__(self, diagnostics: Sequence[Diagnostic]) -> None:
        self.diagnostics = tuple(diagnostics)
        super().__init__(self.diagnostics)

    def __str__(self) -> str:
        return "\n".join(str(diagnostic) for diagnostic in self.diagnostics)


class FieldError(ZarrangeError, ValueError):
    """A value does not fit: `kind` and `field` say where, `value` is what was given."""

    def __init__(self, kind: str, field: str, value: object, reason: str) -> None:
        self.kind = kind
        self.field = field
        self.value = value
        self.reason = reason
        super().__init__(kind, field, value, reason)

    def __str__(self) -> str:
        return f"{self.kind}: field `{self.field}` {self.reason}"

    def __reduce__(self) -> tuple[Any, ...]:
        # Whatever was given as a value may not be picklable; an error from a worker must arrive all the same.
        try:
            pickle.dumps(self.value)
        except Exception:  # noqa: BLE001 - somebody's `__reduce__` may raise anything
            return type(self), (self.kind, self.field, shown(self.value), self.reason)
        return type(self), (self.kind, self.field, self.value, self.reason)


class UnknownKindError(ZarrangeError, ValueError):
    """The layout has no kind of that name."""


class AmbiguousPathError(ZarrangeError, ValueError):
    """A path has several readings. `keys` has the first ones; it is empty where there were too many ways to try."""

    def __init__(self, path: str, keys: Sequence[Key]) -> None:
        self.path = path
        self.keys = tuple(keys)
        super().__init__(path, self.keys)

    def __str__(self) -> str:
        if not self.keys:
            return f"{self.path!r} can be split in too many ways to try them all"
        return f"{self.path!r} has several readings: {'; '.join(str(key) for key in self.keys)}"


class BadRequestError(ZarrangeError, ValueError):
    """A parameter of an address does not fit."""


class StructureError(ZarrangeError, ValueError):
    """Data is not what was asked for. `problems` has one `Problem` for each finding."""

    def __init__(self, problems: Sequence[Any]) -> None:
        self.problems = tuple(problems)
        super().__init__(self.problems)

    def __str__(self) -> str:
        return "\n".join(str(problem) for problem in self.problems)


class StoreError(ZarrangeError):
    """A store refused; it is as it was unless the message says otherwise."""


class NotInStoreError(StoreError, ValueError):
    """An identifier, a path or a node that this operation must not touch."""


class AlreadyExistsError(StoreError, FileExistsError):
    """Something is there already; nothing was changed."""


class NotFoundError(StoreError, FileNotFoundError):
    """Nothing is there."""


class CutError(StoreError, ValueError):
    """An array has no such slice."""


class NoPictureError(StoreError):
    """What is there cannot be shown as a picture."""


class BusyError(StoreError):
    """Somebody else is changing the place, or what was removed there can still be put back; nothing was changed."""


class RefusedError(StoreError):
    """An operation would change more than is likely to be meant; nothing was changed, and it can be forced."""


class LeftoverError(StoreError):
    """An artifact is out of the store's sight, but not wholly deleted; the message says where the rest is.

    What is left of it is deleted later on.
    """


class EmptyFoldersError(LeftoverError):
    """An artifact is wholly deleted, but folders or groups above it that nothing is left in may have stayed.

    Or a copy of metadata may still list them. Nobody comes back to it; `zarrange doctor` tells what is there.
    """


class UnreadableError(StoreError):
    """Something cannot be read; the message goes on from its path. Unreadable is not absent."""


class DamagedError(UnreadableError):
    """The metadata of a node are damaged."""


class AccessDeniedError(UnreadableError, PermissionError):
    """Something may not be read: by its permissions, or with the credentials that were given."""


class IncompleteError(StoreError):
    """A search could not read everything: what it gave is not all that there is.

    `unreadable` has a pair for each such place: its path, relative to the root, and the reason.
    """

    def __init__(self, unreadable: Sequence[tuple[str, str]]) -> None:
        self.unreadable = tuple(unreadable)
        super().__init__(self.unreadable)

    def __str__(self) -> str:
        first = "; ".join(f"{path or '.'!r}: {reason}" for path, reason in self.unreadable[:MAX_SHOWN])
        more = len(self.unreadable) - MAX_SHOWN
        return f"not everything could be read: {first}" + (f"; and {more} more" if more > 0 else "")
