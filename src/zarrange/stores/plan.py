"""Plan: what an operation would do, step by step. Printing it is the dry run; applying it checks every step again."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Literal, TypeAlias

from attrs import evolve, field, frozen

from zarrange.errors import StoreError
from zarrange.stores.outline import MAX_SHOWN, outline
from zarrange.stores.paths import joined
from zarrange.stores.spreading import Progress, spread
from zarrange.stores.transactions import nothing
from zarrange.stores.upkeep import settle

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from concurrent.futures import Executor

    from zarrange.identifiers import Key
    from zarrange.stores.backend import Backend
    from zarrange.stores.transactions import Check, Identity, Intent, Transaction

__all__ = ["Do", "Left", "Plan", "Progress", "Sort", "Step", "transacting"]

Do: TypeAlias = "Callable[[Check, Progress, Executor | None], Transaction | None]"
"""What a plan comes to: it is given what checks every step again, and what is told how much is done."""
Sort: TypeAlias = Literal["array", "group", "container", "file", "link"]
BATCH = 64
MAX_GRACE = 100 * 366 * 86_400


@frozen
class Step:
    """One thing that is removed or moved: `path`, and with a move its `target`, relative to the root.

    `key` is what the layout calls it, `None` for what goes only because of what it lies in. `size` is in bytes, `None`
    where it was not measured. `versions` are its precondition: what is there has to be the same when it is applied; and
    where the age counted, nothing may have been written to it since it was `modified` (seconds since the epoch).
    """

    path: str
    sort: Sort
    key: Key | None
    target: str | None = None
    target_key: Key | None = None
    size: int | None = None
    versions: Mapping[str, str] = field(factory=dict, repr=False, hash=False)
    modified: float | None = field(default=None, repr=False)


@frozen
class Left:
    """Something that a plan leaves as it is, although it was looked at, and why.

    `keys` are what the layout calls it: several, where its path has several readings. `rules` are the names of what
    keeps it from being pruned.
    """

    path: str
    reason: str
    keys: tuple[Key, ...] = ()
    rules: tuple[str, ...] = ()


def _seconds(_: object, __: object, value: float) -> None:
    if not 0 <= value <= MAX_GRACE:
        raise ValueError(f"grace is {value!r}; it is a number of seconds, from 0 to {MAX_GRACE:,}")


@frozen
class Plan:
    """Steps that are taken together: all of them, or none.

    `left` is what stays as it is; `grace` is for how many seconds what is removed can be put back. Making a plan
    changes nothing.
    """

    operation: Literal["remove", "prune", "migrate", "copy"]
    root: str
    steps: tuple[Step, ...]
    left: tuple[Left, ...] = ()
    grace: float = field(default=0, validator=_seconds)
    _backend: Backend = field(kw_only=True, repr=False, eq=False)
    _do: Do = field(kw_only=True, repr=False, eq=False)
    _recheck: Check | None = field(kw_only=True, default=None, repr=False, eq=False)
    """What is looked at once more in place of the steps, one by one."""
    _is_more: bool = field(kw_only=True, default=False, repr=False, eq=False)
    """Whether there is something to do beside the steps, such as to record a layout."""

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to do."""
        return not (self.steps or self._is_more)

    @property
    def size(self) -> int | None:
        """The bytes of all steps; `None` where they were not measured."""
        sizes = [step.size for step in self.steps]
        return None if None in sizes else sum(size or 0 for size in sizes)

    def measured(self, *, executor: Executor | None = None, progress: Progress | None = None) -> Plan:
        """Return the plan with the bytes that each step has, which looks at every chunk."""
        measure = partial(_measure, self._backend)
        batch = 1 if executor is None else BATCH
        workers = self._backend.in_flight
        sizes = spread(measure, self.steps, executor=executor, batch=batch, workers=workers, progress=progress)
        return evolve(self, steps=tuple(step for batch in sizes for step in batch))

    def apply(self, *, executor: Executor | None = None, progress: Progress | None = None) -> Transaction | None:
        """Take all steps, or none; return what can be undone, `None` where there is nothing to do.

        Raises `StoreError` where the store is not as it was when the plan was made, `BusyError` where somebody else is
        at work; nothing is changed then.
        """
        if self.is_empty:
            return None
        settle(self._backend)
        return self._do(partial(self._check, executor), progress or nothing, executor)

    def _check(self, executor: Executor | None) -> Mapping[str, Identity] | None:
        """Hold every step against what is there; return what is told of which ones they are. Raises `StoreError`."""
        if self._recheck is not None:
            return self._recheck()
        changed = spread(partial(_changed, self._backend), self.steps, executor=executor, batch=BATCH)
        for path in (path for batch in changed for path in batch):
            raise StoreError(f"{path!r} is not as it was when the plan was made; nothing was changed: plan again")
        return None

    def __str__(self) -> str:
        return "\n".join(self.lines())

    def lines(self, *, most: int | None = MAX_SHOWN) -> list[str]:
        """Return the plan in words: a line for each step, of very many the first ones, and what stays as it is.

        With `most=None` it has all of them, and why each thing stays.
        """
        return ["".join(_printable(text) for _, text in line) for line in outline(self, most=most)]


def transacting(backend: Backend, intent: Intent, grace: float = 0) -> Do:
    """Return what does an intent as one transaction; what it removes can be put back for `grace` seconds."""
    return partial(_transact, backend, intent, grace)


def _transact(
    backend: Backend, intent: Intent, grace: float, check: Check, progress: Progress, _: Executor | None
) -> Transaction:
    return backend.transact(intent, grace=grace, check=check, progress=progress)


def _printable(text: str) -> str:
    return text if text.isprintable() else repr(text)[1:-1]


def _measure(backend: Backend, steps: Sequence[Step]) -> list[Step]:
    return [evolve(step, size=_size(backend, step)) for step in steps]


def _size(backend: Backend, step: Step) -> int:
    """The bytes of a step: of a group its metadata, for what is in it has steps of its own, or stays where it is."""
    if step.sort in {"array", "file"}:
        return backend.size(step.path)
    return sum(backend.size(joined(step.path, name)) for name in step.versions)


def _changed(backend: Backend, steps: Sequence[Step]) -> list[str]:
    return [step.path for step in steps if step.sort != "link" and not _is_as_it_was(backend, step)]


def _is_as_it_was(backend: Backend, step: Step) -> bool:
    if backend.versions(step.path) != dict(step.versions):
        return False
    return step.modified is None or backend.modified(step.path) == step.modified
