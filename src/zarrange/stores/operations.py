"""Operations: what removes, prunes and moves artifacts, each as a plan that changes nothing until it is applied.

Before any of them, what others were interrupted at is brought to its end.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from attrs import evolve

from zarrange.errors import StoreError
from zarrange.identifiers import Key
from zarrange.language.layout import Layout
from zarrange.language.selection import select
from zarrange.stores.migration import Asked, Choice, plan_migration
from zarrange.stores.places import Places
from zarrange.stores.pruning import Pruning, plan_prune
from zarrange.stores.record import agreed_layout, read_record
from zarrange.stores.removal import plan_removal, refuse_clashes, targets
from zarrange.stores.replication import plan_copy
from zarrange.stores.retention import MIN_AGE, Policy
from zarrange.stores.transactions import Transaction
from zarrange.stores.upkeep import purge, recover, refuse_busy, refuse_interrupted, settle, undo

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import timedelta

    from zarrange.stores.backend import Backend
    from zarrange.stores.catalog import Search
    from zarrange.stores.places import Artifact
    from zarrange.stores.plan import Plan
    from zarrange.stores.retention.scores import Source

__all__ = ["Operations"]

DAY = 86_400
"""For how many seconds a prune can be undone, unless it is said."""


class Operations(Places):
    """What can be done to the artifacts of a store as wholes."""

    _backend: Backend
    _record: bytes | None

    def plan_removal(self, artifact: Artifact, *, recursive: bool = False, grace: float = 0) -> Plan:
        """Return the plan that removes an artifact: an array's own folder or a file, and nothing else.

        A container or a group in which there is something goes with all of it, and only if `recursive` says so. What is
        removed can be put back for `grace` seconds (`undo`); until then, whoever has an array open can read it. Raises
        `NotFoundError`; `NotInStoreError` for what is not of this store, lies behind a symlink, is not what the
        identifier says, or holds something else; `AmbiguousPathError` for a key whose path has other readings (an
        identifier says which place is meant); `StoreError` for a layout with a clash that is neither disproved nor
        accepted under `allow`.
        """
        identifier, kind = self._resolve(artifact)
        relative = self._relative(identifier)
        refuse_clashes(self.layout)
        if isinstance(artifact, Key):
            self.layout.match(relative)  # raises where the place may hold another key's artifact
        key = artifact if isinstance(artifact, Key) else next(iter(self.layout.matches(relative)), None)
        place = (relative.path, kind.sort, key)
        return plan_removal(self._backend, self.layout, [place], is_recursive=recursive, grace=grace)

    def plan_removal_of(self, search: Search, *, recursive: bool = False, grace: float = 0) -> Plan:
        """Return the plan that removes all that a search (`find`) gives: all of it together, or nothing.

        What may be several artifacts stays, and so does what could not be read: `Plan.left`. Takes and raises what
        `plan_removal` does.
        """
        refuse_clashes(self.layout)
        self._look()
        found, left = targets(search, is_recursive=recursive)
        plan = plan_removal(self._backend, self.layout, found, is_recursive=recursive, grace=grace)
        return evolve(plan, left=tuple(left))

    def remove(self, artifact: Artifact, *, recursive: bool = False, grace: float = 0) -> Transaction | None:
        """Remove an artifact, out of sight at once; return what can be undone, if there is a `grace` (in seconds).

        Without a grace it is deleted for good, and whoever holds it open loses what they are reading: zarr reads chunks
        that are gone as zeros. When it is deleted, the folders and groups above go that are left with nothing, have no
        attributes, and are of no kind themselves. Takes and raises what `plan_removal` and `Plan.apply` do;
        `LeftoverError` where it is out of sight but could not be deleted, `EmptyFoldersError` where only those stayed.
        """
        self._begin()
        done = self.plan_removal(artifact, recursive=recursive, grace=grace).apply()
        return done if grace > 0 else None

    def plan_prune(  # noqa: PLR0913 - each rule is one argument
        self,
        kind: str,
        /,
        *,
        keep_last: int | None = None,
        keep_every: int | None = None,
        keep_best: str | Iterable[str] | None = None,
        older_than: timedelta | str | None = None,
        min_age: timedelta | str = MIN_AGE,
        by: str | Sequence[str] | None = None,
        scores: Source | None = None,
        grace: float = DAY,
        force: bool = False,
        **filters: object,
    ) -> Plan:
        """Return the plan that removes what no rule keeps, of the arrays or files of a kind that `filters` find.

        Artifacts that are alike in all fields but `by` (the kind's only field of numbers or days, unless it is given)
        are a group. Within each, the last `keep_last` stay, those whose value is a multiple of `keep_every`, and the
        best ones by `keep_best`, such as `"criterion=dice:max"`: by an attribute of the arrays, or the table `scores`
        (a mapping from keys, rows, a frame, or a CSV file). So does what is younger than `older_than` (`"7d"`), and
        what may be being written: unfinished and younger than `min_age`. `Plan.left` has what stays, with the reasons.
        What is removed can be put back for `grace` seconds. Raises what `find` raises; `ValueError` for what is not to
        be pruned; `IncompleteError` where not everything could be read, and `RefusedError` where the store does not say
        which layout it has or more than half would go: unless `force`.
        """
        policy = Policy(
            keep_last=keep_last, keep_every=keep_every, keep_best=keep_best, older_than=older_than, min_age=min_age
        )
        return self.plan_pruning(kind, Pruning(policy, by, scores, grace, force), filters)

    def plan_pruning(self, kind: str, asked: Pruning, filters: Mapping[str, object]) -> Plan:
        """Return the plan of a prune; `plan_prune` says what it does. Fields may have any names here."""
        self._look()
        return plan_prune(self._backend, self.layout, select(self.layout, kind, filters), asked)

    def plan_migration(
        self,
        layout: str | os.PathLike[str] | Layout,
        *,
        fixed: Mapping[str, object] | None = None,
        chosen: Mapping[str, Key] | None = None,
        prefer: Sequence[str] = (),
        force: bool = False,
    ) -> Plan:
        """Return the plan that brings the store to another layout, in which every artifact keeps its key.

        Fields and kinds are those of the same name, or by `renamed_from` in the new layout. `fixed` are values of
        fields that only one of them has. What may be several artifacts stays where it is, unless `chosen` says by its
        path which key it has, or one of its readings is the only one of the first kind among `prefer` that has any;
        what no kind has stays too: `Plan.left`. When it is applied, the new layout is recorded at the root, and this
        `Store`, which has the old one, has served its time. Raises `FieldError`, `UnknownKindError` for what has no key
        in the new layout; `StoreError` for targets that collide, exist or are too long, and for a layout with a clash;
        `IncompleteError` where something could not be read, and `RefusedError` for an unfinished array, unless `force`.
        """
        new = layout if isinstance(layout, Layout) else Layout.load(layout)
        choice = Choice(chosen or {}, tuple(self.layout.kind(kind).name for kind in prefer))
        with self._looking():
            return plan_migration(self._backend, Asked(self.layout, new, fixed or {}, choice, force))

    def plan_copy(
        self,
        into: Operations,
        *,
        fixed: Mapping[str, object] | None = None,
        chosen: Mapping[str, Key] | None = None,
        prefer: Sequence[str] = (),
        force: bool = False,
    ) -> Plan:
        """Return the plan that copies every artifact into another store, which may have another layout.

        Each is read back and compared before it counts, and appears as a whole. What is there already and the same is
        left out, so that a copy that was interrupted goes on where it stopped. This store is not changed. When the plan
        is applied, the other store's layout is recorded at its root. Takes and raises what `plan_migration` does.
        """
        choice = Choice(chosen or {}, tuple(self.layout.kind(kind).name for kind in prefer))
        self._look()
        into._look()
        asked = Asked(self.layout, into.layout, fixed or {}, choice, force)
        return plan_copy(self._backend, into._backend, asked)

    def transactions(self) -> list[Transaction]:
        """Return what is under way, was interrupted, or can be undone; the oldest first."""
        return self._backend.transactions()

    def undo(self, transaction: Transaction | str | None = None) -> Transaction:
        """Put back what a removal or a prune took: the last one that can be, or the given one; return it.

        Raises `NotFoundError` where there is none, `AlreadyExistsError` where something is there by now, `StoreError`
        for one that is being purged.
        """
        self._begin()
        return undo(self._backend, transaction.id if isinstance(transaction, Transaction) else transaction)

    def recover(self) -> None:
        """Bring what was interrupted to its end, as every operation that changes something does before it begins."""
        recover(self._backend)

    def purge(self, *, is_now: bool = False) -> list[Transaction]:
        """Delete for good what was removed and has been kept long enough, or with `is_now` all of it; return it.

        Raises `LeftoverError` or `NotInStoreError` for the first that could not be deleted, when all were tried.
        """
        done = [*purge(self._backend, is_now=is_now)]
        for _, error in done:
            if error is not None:
                raise error
        return [transaction for transaction, _ in done]

    # --- others at work ----------------------------------------------------------------------------------------------

    def _begin(self) -> None:
        """Bring to an end what others have left. Raises `StoreError` where the store has another layout by now."""
        settle(self._backend)
        self._check_record()

    def _look(self) -> None:
        """Raise `BusyError` where others have left what is to be ended first: planning itself changes nothing."""
        refuse_interrupted(self._backend)
        self._check_record()

    @contextmanager
    def _looking(self) -> Iterator[None]:
        """Look before and afterwards, also where the body fails: what it looked at may just have been moved away."""
        self._look()
        try:
            yield
        except (StoreError, OSError):
            self._look()
            raise
        self._look()

    def _check_record(self) -> None:
        record = read_record(self._backend)
        if record == self._record:
            return
        try:
            agreed_layout(self._backend, self.layout)
        except StoreError as error:
            raise StoreError(f"since this store was opened, its layout has changed: {error}; open it again") from error
        self._record = record

    def _refuse_busy(self, path: str) -> None:
        """Raise `BusyError` for what somebody else is changing.

        It is asked before something is made and again when it is there: whoever begins to change the whole store
        meanwhile either sees it, or is seen.
        """
        refuse_busy(self._backend, path)
        self._check_record()
