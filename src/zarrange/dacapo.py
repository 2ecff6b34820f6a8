"""A drop-in for DaCapo's array store: its classes, signatures and on-disk paths, with the paths from a layout.

Rendering imports no zarr, so an environment with zarr 2 can use it. Names are taken as DaCapo's callers give them
(objects whose `str()` is the name, an int index, slashes); what would leave the base directory is a `ValueError`.
Needs the extra `zarrange[dacapo]`.
"""

from __future__ import annotations

import logging
import math
import os
from abc import ABC, abstractmethod
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from attrs import field, frozen

from zarrange.errors import NotFoundError, NotInStoreError, UnreadableError
from zarrange.identifiers import refuse_credentials
from zarrange.language.layout import Layout
from zarrange.stores.local import LocalBackend
from zarrange.stores.removal import plan_array_removal
from zarrange.stores.upkeep import settle

try:
    from upath import UPath
except ModuleNotFoundError as error:  # pragma: no cover - the tests have it
    raise ModuleNotFoundError("zarrange.dacapo needs universal-pathlib: pip install 'zarrange[dacapo]'") from error

if TYPE_CHECKING:
    from zarrange.identifiers import ArrayIdentifier, ContainerIdentifier
    from zarrange.stores.entries import Entry
    from zarrange.stores.store import Store

__all__ = ["ArrayStore", "LocalArrayIdentifier", "LocalArrayStore", "LocalContainerIdentifier"]

logger = logging.getLogger(__name__)

CACHED_CONTAINERS = 1024
_KINDS = {
    "snapshot": {"run"},
    "validation": {"run"},
    "validation_prediction": {"run", "iteration", "dataset"},
    "validation_output": {"run", "iteration", "dataset", "parameters"},
    "best_validation": {"run", "criterion", "index"},
    "validation_raw": {"run", "index"},
    "validation_gt": {"run", "index"},
}
"""What a layout must have to serve as DaCapo's array store."""


def _container(container: str | os.PathLike[str] | UPath) -> UPath:
    # As it was written: some versions of UPath bring a URL into another form, in which a password is not seen.
    refuse_credentials(str(container), "container")
    return container if isinstance(container, UPath) else UPath(container)


@frozen(order=True)
class LocalArrayIdentifier:
    """A zarr array: `dataset` is its path inside `container`.

    A pickle has the container's path or URL, but not the storage options of a `UPath`: they may hold credentials.
    """

    container: UPath = field(converter=_container, order=str)
    dataset: str = field(converter=str)

    def __reduce__(self) -> tuple[Any, ...]:
        return LocalArrayIdentifier, (str(self.container), self.dataset)


@frozen(order=True)
class LocalContainerIdentifier:
    """A zarr container. What is said of a `LocalArrayIdentifier`'s pickle holds for it too."""

    container: UPath = field(converter=_container, order=str)

    def array_identifier(self, dataset: object) -> LocalArrayIdentifier:
        """Return the identifier of the array `dataset` inside this container."""
        return LocalArrayIdentifier(self.container, str(dataset))

    def __reduce__(self) -> tuple[Any, ...]:
        return LocalContainerIdentifier, (str(self.container),)


class ArrayStore(ABC):
    """What DaCapo asks of the store that keeps its arrays."""

    @abstractmethod
    def best_validation_array(self, run_name: str, criterion: str, index: object = None) -> LocalArrayIdentifier:
        """Return where the best output by `criterion` is; `index` names the dataset, where there are several."""

    @abstractmethod
    def validation_prediction_array(self, run_name: str, iteration: int, dataset: object) -> LocalArrayIdentifier:
        """Return where the prediction on a validation dataset is."""

    @abstractmethod
    def validation_output_array(
        self, run_name: str, iteration: int, parameters: object, dataset: object
    ) -> LocalArrayIdentifier:
        """Return where the output of post-processing with `parameters` is."""

    @abstractmethod
    def validation_input_arrays(
        self, run_name: str, index: object = None
    ) -> tuple[LocalArrayIdentifier, LocalArrayIdentifier]:
        """Return where the raw data and the ground truth of the validation are, in this order."""

    @abstractmethod
    def snapshot_container(self, run_name: str) -> LocalContainerIdentifier:
        """Return where the snapshots of a run are."""

    @abstractmethod
    def validation_container(self, run_name: str) -> LocalContainerIdentifier:
        """Return where the validations of a run are."""

    @abstractmethod
    def remove(self, array_identifier: LocalArrayIdentifier) -> None:
        """Remove an array."""


class LocalArrayStore(ArrayStore):
    """DaCapo's `LocalArrayStore`, with the paths from a layout.

    `basedir` is a path (relative, or with `~`) or a `UPath`; `layout` the name or path of a layout with DaCapo's kinds
    and fields, or a `Layout`. With `must_exist`, a container that does not exist is a `ValueError`. Names are `str()`
    of what is given; a name that does not fit the layout is a `FieldError`, which is a `ValueError`.
    """

    def __init__(
        self,
        basedir: str | os.PathLike[str] | UPath,
        layout: str | os.PathLike[str] | Layout = "dacapo",
        must_exist: bool = False,  # noqa: FBT001, FBT002 - as a caller of DaCapo's would pass it
    ) -> None:
        if not str(basedir):
            raise ValueError("the base directory is empty; for the working directory, write `.`")
        self.basedir = _container(basedir).expanduser()
        self.layout = layout if isinstance(layout, Layout) else Layout.load(layout)
        self.must_exist = must_exist
        for name, fields in _KINDS.items():
            if set(self.layout.kind(name).fields) != fields:
                raise ValueError(
                    f"the layout `{self.layout.name}` cannot serve as DaCapo's array store: its kind `{name}` has the "
                    f"fields {sorted(self.layout.kind(name).fields)}, not {sorted(fields)}"
                )
        # UPath objects are immutable and slow to make; those of a run are needed for each of its arrays.
        self._container = lru_cache(CACHED_CONTAINERS)(self.basedir.joinpath)
        self._render = {name: self.layout.kind(name).renderer for name in _KINDS}
        self._viewed: Store | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        return LocalArrayStore, (str(self.basedir), self.layout, self.must_exist)

    def __repr__(self) -> str:
        return f"LocalArrayStore({str(self.basedir)!r}, layout={self.layout.name!r})"

    def best_validation_array(self, run_name: str, criterion: str, index: object = None) -> LocalArrayIdentifier:
        index = None if index is None else str(index)
        return self._array(self._render["best_validation"](run=run_name, criterion=str(criterion), index=index))

    def validation_prediction_array(self, run_name: str, iteration: int, dataset: object) -> LocalArrayIdentifier:
        render = self._render["validation_prediction"]
        return self._array(render(run=run_name, iteration=iteration, dataset=str(dataset)))

    def validation_output_array(
        self, run_name: str, iteration: int, parameters: object, dataset: object
    ) -> LocalArrayIdentifier:
        render = self._render["validation_output"]
        return self._array(render(run=run_name, iteration=iteration, dataset=str(dataset), parameters=str(parameters)))

    def validation_input_arrays(
        self, run_name: str, index: object = None
    ) -> tuple[LocalArrayIdentifier, LocalArrayIdentifier]:
        index = None if index is None else str(index)
        raw, gt = self._render["validation_raw"], self._render["validation_gt"]
        return self._array(raw(run=run_name, index=index)), self._array(gt(run=run_name, index=index))

    def snapshot_container(self, run_name: str) -> LocalContainerIdentifier:
        return self._whole(self._render["snapshot"](run=run_name))

    def validation_container(self, run_name: str) -> LocalContainerIdentifier:
        return self._whole(self._render["validation"](run=run_name))

    def remove(self, array_identifier: LocalArrayIdentifier, grace: float = 0) -> None:
        """Remove an array from its container, which must be a local folder named `….zarr`.

        It is deleted for good, and whoever holds it open reads zeros from then on; with a `grace`, in seconds, it can
        be undone, and read by those, until it is purged (see `Store.undo`). One that does not exist is a logged
        warning. Raises `ValueError` for a dataset that is empty, `.`, absolute or climbs with `..`, passes a symlink,
        is a group, or has another array inside: nothing is touched then.
        """
        if not isinstance(array_identifier, LocalArrayIdentifier):
            raise TypeError(f"expected a LocalArrayIdentifier, got {type(array_identifier).__name__}")
        container, dataset = array_identifier.container, array_identifier.dataset
        if container.protocol not in ("", "file", "local"):
            raise NotInStoreError(f"cannot remove from {str(container)!r}: it is not a local folder")
        if container.suffix != ".zarr":
            raise NotInStoreError(f"cannot remove from {str(container)!r}: it does not end in .zarr")
        if os.path.isfile(container.path):
            raise NotInStoreError(f"cannot remove from {str(container)!r}: it is a file, not a folder")
        segments = dataset.split("/")
        if not {"", ".", "..", ".zarrange"}.isdisjoint(segments) or "\0" in dataset:
            message = "it is not a plain path inside the container"
            raise NotInStoreError(f"cannot remove {dataset!r} of {str(container)!r}: {message}")
        root, path = self._place(container.path, dataset)
        backend = LocalBackend(root)
        settle(backend)
        try:
            plan_array_removal(backend, path, grace=grace).apply()
        except NotFoundError:
            logger.warning("Asked to remove dataset %s, but it does not exist in container %s", dataset, container)
        except (NotInStoreError, UnreadableError) as error:
            raise type(error)(f"cannot remove {dataset!r} of {str(container)!r}: {error}") from None
        else:
            logger.info("Removed dataset %s of container %s", dataset, container)

    def _visualize_training(self, run: Any) -> str:
        """Return a link to a viewer of the snapshots and validations of a run: an object with a `name`.

        It is Neuroglancer (`zarrange[neuroglancer]`), served on this machine only, for as long as this store is held.
        Inputs come first, then the newest iterations, as many as a viewer shows. Nothing is created, also where the run
        has nothing yet.
        """
        from zarrange.stores.entries import Entry
        from zarrange.view.neuroglancer import MAX_LAYERS

        store = self._store()
        kinds = [kind.name for kind in self.layout.kinds.values() if kind.sort == "array" and "run" in kind.fields]
        found = [one for one in store.find(kinds, run=run.name).results() if isinstance(one, Entry)]
        found.sort(key=_age)
        if len(found) > MAX_LAYERS:
            logger.warning("%d of %d arrays of the run %s are shown", MAX_LAYERS, len(found), run.name)
        if not found:
            return str(store.neuroglancer(*kinds, run=run.name).get_viewer_url())
        return str(store.neuroglancer(*found[:MAX_LAYERS]).get_viewer_url())

    def _store(self) -> Store:
        """The store of the base directory; one and the same, which keeps its viewers alive."""
        from zarrange.stores.store import Store

        if self._viewed is None:
            is_local = self.basedir.protocol in ("", "file", "local")
            self._viewed = Store(self.basedir.path if is_local else str(self.basedir), self.layout)
        return self._viewed

    def _place(self, container: str, dataset: str) -> tuple[str, str]:
        """The root that keeps what is removed, and the path below it: the base directory, if the container is in it.

        A root may be a symlink, and what is below may not: a container that is reached by one is a root itself.
        """
        base, whole = os.path.abspath(self.basedir.path), os.path.abspath(container)
        inner = whole.removeprefix(f"{base}/")
        if inner != whole and os.path.realpath(whole) == os.path.join(os.path.realpath(base), inner):
            return base, f"{inner}/{dataset}"
        return whole, dataset

    def _array(self, identifier: ArrayIdentifier) -> LocalArrayIdentifier:
        made = _new(LocalArrayIdentifier)
        _set_array_container(made, self._existing(identifier.container))
        _set_dataset(made, identifier.dataset)
        return made

    def _whole(self, identifier: ContainerIdentifier) -> LocalContainerIdentifier:
        made = _new(LocalContainerIdentifier)
        _set_container(made, self._existing(identifier.container))
        return made

    def _existing(self, relative: str) -> UPath:
        container = self._container(relative)
        if self.must_exist and not container.exists():
            raise NotInStoreError(f"the container {str(container)!r} does not exist")
        return container


def _age(entry: Entry) -> float:
    """Order arrays: those of no iteration first, then those of the newest one."""
    found = (key.values.get("iteration") for key in entry.readings)
    return -max((one for one in found if isinstance(one, int)), default=math.inf)


# Identifiers of a store are made of parts that were checked already; `__init__` would check them again.
_new = object.__new__
_set_array_container: Any = LocalArrayIdentifier.container.__set__  # type: ignore[attr-defined]  # a slot
_set_dataset: Any = LocalArrayIdentifier.dataset.__set__  # type: ignore[attr-defined]  # a slot
_set_container: Any = LocalContainerIdentifier.container.__set__  # type: ignore[attr-defined]  # a slot
