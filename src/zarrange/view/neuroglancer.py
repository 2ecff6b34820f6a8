"""Neuroglancer: a viewer of several arrays of a store, by the package `neuroglancer` (`zarrange[neuroglancer]`).

Each array is a layer: an image, or a segmentation where its numbers are labels. It stands in a panel of its own, over
the array that the layout has below its kind, at the place and scale that metadata give. The package's own client and
server show it, on this machine only; data come from where `/data` of a server of ours is, or, if they are of a type
that the client has not, from the package's server.
"""

from __future__ import annotations

import logging
import math
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from attrs import evolve, frozen

from zarrange.errors import StoreError
from zarrange.language.arrangement import arrangement
from zarrange.view.listings import likeliest
from zarrange.view.placing import axes_of
from zarrange.view.scales import in_voxels, together
from zarrange.view.sources import Converted, Metadata, is_drawable, suggests_labels

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from zarrange.identifiers import Key
    from zarrange.stores.entries import Entry
    from zarrange.stores.store import Store
    from zarrange.view.axes import Axis
    from zarrange.view.slices import Cut

__all__ = ["LOOPBACK", "MAX_LAYERS", "Layer", "Look", "close", "layers_of", "state_of", "viewer_of"]

logger = logging.getLogger(__name__)

LOOPBACK = "127.0.0.1"
MAX_LAYERS = 200
"""A viewer of more arrays is of no use to anybody."""
MAX_PANELS = 9
"""Of more arrays, those of one container share a panel, in which the first image and the first labels are shown."""
MAX_RANGES = 12
"""Of so many layers at most a piece is read, to see from where to where their values go."""
PIECE = 256
"""How many voxels a side that piece has."""
SCREEN = (500, 800)
"""How many pixels, down and across, there are for all panels on a small screen."""
MAX_COLUMNS = 4
MAX_FLOAT = 3e38
RGB = 3
PLANE = ("y", "x")
NORMALIZED = "#uicontrol invlerp normalized(channel=[0])\n"
TIMES = frozenset({"t", "time"})
EACH, ALL = "'", "^"
"""What a name ends with of an axis whose channels are shown one by one, and whose are there all at once."""


@frozen
class Layer:
    """An array as a layer. `below` is the name of the layer that it is drawn over, `None` where it stands alone.

    `axes` have scales and offsets in units of the SI. `channels` is `ALL` or `EACH`, `channel` the one shown at first.
    """

    name: str
    entry: Entry
    metadata: Metadata
    axes: tuple[Axis, ...]
    is_labels: bool
    channels: str
    channel: int = 0
    below: str | None = None
    range: tuple[float, float] | None = None

    @property
    def names(self) -> list[str]:
        """The names of its axes in the viewer."""
        return [f"{one.name}{self.channels}" if one.role == "channel" else one.name for one in self.axes]

    @property
    def count(self) -> int:
        """How many channels the client has at once; 0 for one, or none."""
        sizes = [one.size for one in self.axes if one.role == "channel"]
        return sizes[0] if self.channels == ALL and sizes and sizes[0] > 1 else 0


@frozen
class Look:
    """How a viewer looks at first, where it is not as metadata and the layout suggest.

    `cut` says where on the axes that are not of the plane, `at` at which pixel of the plane (y, x), `zoom` how much
    larger than what fits; `labels` which kinds are segmentations, `over` over which other kind a kind is drawn.
    """

    cut: Cut | None = None
    at: tuple[float, float] | None = None
    zoom: float = 1.0
    labels: Collection[str] | None = None
    over: Mapping[str, str] | None = None
    title: str = ""


def viewer_of(store: Store, entries: Iterable[Entry], data: str, look: Look = Look()) -> Any:
    """Return a `neuroglancer.Viewer` that shows arrays; `data` is the address of `/data`, without a slash at its end.

    What cannot be drawn is left out, which is logged: strings, arrays of no values or of less than two dimensions, and
    what is gone or damaged. Raises `ModuleNotFoundError`.
    """
    neuroglancer = _package()
    if not neuroglancer.is_server_running():
        neuroglancer.set_server_bind_address(LOOPBACK)
    viewer = neuroglancer.Viewer(allow_credentials=False)

    def source(layer: Layer) -> str:
        if layer.metadata.is_read_by_client:
            return f"{data}/{quote(layer.entry.path, safe='/')}/|zarr{layer.metadata.zarr_format}:"
        return _converted(neuroglancer, viewer, store, layer)

    viewer.set_state(state_of(layers_of(store, entries, look), source, look))
    return viewer


def close(viewer: Any) -> None:
    """End a viewer: its address leads nowhere from now on."""
    from neuroglancer import server  # type: ignore[import-untyped]  # it has none

    if server.global_server is not None:
        server.global_server.viewers.pop(viewer.token, None)


def _package() -> Any:
    try:
        import neuroglancer
    except ModuleNotFoundError as error:
        message = "Neuroglancer is shown by the package neuroglancer: pip install 'zarrange[neuroglancer]'"
        raise ModuleNotFoundError(message) from error
    return neuroglancer


def _converted(neuroglancer: Any, viewer: Any, store: Store, layer: Layer) -> str:
    """Return the source of an array that the package's own server converts."""
    values = Converted(store, layer.entry, is_labels=layer.is_labels)
    dimensions = neuroglancer.CoordinateSpace(names=layer.names, scales=[1] * len(layer.axes), units="")
    sort = "segmentation" if layer.is_labels else "image"
    return str(viewer.volume_manager.register_volume(neuroglancer.LocalVolume(values, dimensions, sort)))


# --- layers ----------------------------------------------------------------------------------------------------------


def layers_of(store: Store, entries: Iterable[Entry], look: Look = Look()) -> list[Layer]:
    """Return the layers of arrays, in the same order; those that cannot be drawn are left out."""
    panels = arrangement(store.layout).panels
    over = {one.kind: one.over for one in panels if one.over} if look.over is None else look.over
    read = [one for entry in entries if (one := _read(store, entry)) is not None]
    keys = [_key(store, entry) for entry, _, _ in read]
    names = _names(keys)
    placed = together([axes for _, _, axes in read])
    others = dict(zip(names, keys, strict=True))
    found: list[Layer] = []
    for name, key, (entry, metadata, _), axes in zip(names, keys, read, placed, strict=True):
        is_labels = _has_labels(entry, key.kind in (over if look.labels is None else look.labels), look)
        below = _below(key, over.get(key.kind), others) if is_labels else None
        channels = _channels(metadata, axes, is_labels=is_labels)
        channel = max((_first(one, look.cut) for one in axes if one.role == "channel"), default=0)
        found.append(Layer(name, entry, metadata, axes, is_labels, channels, channel, below))
    images = [one.name for one in found if not one.is_labels][:MAX_RANGES]
    return [evolve(one, range=_range(store, one, look.cut)) if one.name in images else one for one in found]


def _read(store: Store, entry: Entry) -> tuple[Entry, Metadata, tuple[Axis, ...]] | None:
    if not is_drawable(entry):
        logger.warning("left out of the viewer: %r has nothing that could be drawn", entry.path)
        return None
    try:
        return entry, Metadata(store, entry), axes_of(store, entry)
    except StoreError as error:
        logger.warning("left out of the viewer: %s", error)
        return None


def _key(store: Store, entry: Entry) -> Key:
    kind = likeliest(store.layout, entry)
    return next((key for key in entry.readings if key.kind == kind), entry.keys[0])


def _names(keys: Sequence[Key]) -> list[str]:
    """Tell layers by their kinds, and by the fields in which those of a kind differ."""
    names: list[str] = []
    for key in keys:
        values = [one.values for one in keys if one.kind == key.kind]
        fields = dict.fromkeys(name for one in values for name in one)
        differing = [name for name in fields if len({one.get(name) for one in values}) > 1]
        name = " ".join([key.kind, *(str(key.values[name]) for name in differing if name in key.values)])
        times = sum(one == name or one.startswith(f"{name} (") for one in names)
        names.append(f"{name} ({times + 1})" if times else name)
    return names


def _below(key: Key, kind: str | None, others: Mapping[str, Key]) -> str | None:
    """Return the layer of a kind whose key agrees with another one in every field that both have."""
    for name, other in others.items():
        shared = key.values.keys() & other.values.keys()
        if other.kind == kind and all(key.values[field] == other.values[field] for field in shared):
            return name
    return None


def _has_labels(entry: Entry, is_meant: bool, look: Look) -> bool:  # noqa: FBT001
    """Whether an array is a segmentation: by its kind or, unless somebody chose, by its data type; never of floats."""
    dtype = (entry.metadata and entry.metadata.dtype) or ""
    if look.labels is None and suggests_labels(dtype):
        return True
    return is_meant and (dtype == "bool" or "int" in dtype)


def _channels(metadata: Metadata, axes: Sequence[Axis], *, is_labels: bool) -> str:
    """Whether channels are there at once: the client draws nothing where a chunk has not all of them."""
    if is_labels:
        return EACH
    if not metadata.is_read_by_client:
        return ALL
    whole = [one.size == size for one, size in zip(axes, metadata.chunk, strict=False) if one.role == "channel"]
    return ALL if len(whole) == 1 and all(whole) else EACH


def _range(store: Store, layer: Layer, cut: Cut | None) -> tuple[float, float] | None:
    """Return from where to where the values go in the middle of the plane that is shown first."""
    from zarrange.view.pictures import value_range
    from zarrange.view.slices import Cut, read_slice

    spans = [(max(0, (one.size - PIECE) // 2), min(one.size, (one.size + PIECE) // 2)) for one in _plane(layer)]
    index = {one.name: _first(one, cut) for one in layer.axes if one.role != "plane"}
    channel = next((one.name for one in layer.axes if one.role == "channel"), None)
    ranges = []
    for place in range(RGB) if channel and layer.count == RGB else [None]:
        chosen = index if place is None else {**index, str(channel): place}
        try:
            values = read_slice(store, layer.entry, Cut(chosen, (*spans[0], *spans[1]))).values
        except StoreError:  # the client says it as well
            return None
        ranges += [found] if (found := value_range(values)) is not None else []
    low, high = min((one[0] for one in ranges), default=0), max((one[1] for one in ranges), default=0)
    return (low, high) if -MAX_FLOAT < low < high < MAX_FLOAT else None


def _plane(layer: Layer) -> list[Axis]:
    return [one for one in layer.axes if one.role == "plane"]


def _first(axis: Axis, cut: Cut | None) -> int:
    """Where the viewer is at first."""
    middle = 0 if axis.role == "channel" else axis.size // 2
    return min(max((cut.index if cut else {}).get(axis.name, middle), 0), axis.size - 1)


# --- state -----------------------------------------------------------------------------------------------------------


def state_of(layers: Sequence[Layer], source: Callable[[Layer], str], look: Look = Look()) -> dict[str, Any]:
    """Return the state of a viewer, as its JSON has it."""
    panels = _panels(layers)
    space: dict[str, Axis] = {}
    for axis in (axis for one in layers for axis in one.axes if axis.role != "channel"):
        space.setdefault(axis.name, axis)
    shown = _shown(layers[0]) if layers else []
    names = [*shown, *(name for name in space if name not in shown)]
    hidden = _hidden(layers, panels)
    drawn = sorted(layers, key=lambda one: one.is_labels)  # the client draws later ones over earlier ones
    found = {
        "title": look.title or None,
        "dimensions": {name: _dimension(space[name]) for name in names},
        "displayDimensions": shown or None,
        "position": [in_voxels(space[name]) + _place(space[name], shown, look) for name in names],
        "crossSectionScale": _scale(layers[0], shown, _grid(len(panels), len(shown))) / look.zoom if layers else None,
        "layers": [_layer(one, source(one), is_hidden=one.name in hidden) for one in drawn],
        "layout": _layout(panels, is_deep=len(shown) > len(PLANE)),
    }
    return {name: value for name, value in found.items() if value is not None}


def _shown(layer: Layer) -> list[str]:
    """The axes of space: those of the plane, and the next one that is not time."""
    deep = [one.name for one in layer.axes if one.role == "index" and one.name not in TIMES and one.unit != "s"]
    return [*(one.name for one in reversed(_plane(layer))), *deep[-1:]]


def _place(axis: Axis, shown: Sequence[str], look: Look) -> float:
    if axis.role == "plane" and look.at is not None and axis.name in shown[: len(PLANE)]:
        return look.at[1 - shown.index(axis.name)] + 0.5
    if axis.role != "plane" and look.cut is not None and axis.name in look.cut.index:
        return _first(axis, look.cut) + 0.5
    return axis.size / 2


def _dimension(axis: Axis) -> list[float | str]:
    return [axis.scale or 1.0, axis.unit or ""]


def _scale(layer: Layer, shown: Sequence[str], grid: tuple[int, int]) -> float:
    """How many of the smallest voxels a pixel of the screen has, so that the plane fits its panel."""
    smallest = min(one.scale or 1.0 for one in layer.axes if one.name in shown)
    sizes = [one.size * (one.scale or 1.0) / smallest for one in _plane(layer)]
    return max(size * count / pixels for size, count, pixels in zip(sizes, grid, SCREEN, strict=True))


def _layer(layer: Layer, source: str, *, is_hidden: bool) -> dict[str, Any]:
    dimensions = [_dimension(one) for one in layer.axes]
    inputs = layer.metadata.names if layer.metadata.is_read_by_client else layer.names
    count = len(layer.axes)
    matrix = [[float(at == other) for other in range(count)] + [in_voxels(layer.axes[at])] for at in range(count)]
    transform = {
        "inputDimensions": dict(zip(inputs, dimensions, strict=True)),
        "outputDimensions": dict(zip(layer.names, dimensions, strict=True)),
        "matrix": matrix,
    }
    found: dict[str, Any] = {
        "type": "segmentation" if layer.is_labels else "image",
        "name": layer.name,
        "source": {"url": source, "transform": transform},
    }
    each = [one for one in layer.names if one.endswith(EACH)]
    if each:
        found |= {
            "localDimensions": {name: [1.0, ""] for name in each},
            "localPosition": [float(layer.channel)] * len(each),
        }
    if not layer.is_labels:
        found |= _drawing(layer)
    return {**found, "visible": False} if is_hidden else found


def _drawing(layer: Layer) -> dict[str, Any]:
    """How an image is drawn: three channels as colors, one of more as gray, from black to white by what it has."""
    controls = {} if layer.range is None else {"shaderControls": {"normalized": {"range": _numbers(layer)}}}
    if layer.count == RGB:
        values = ", ".join(f"normalized(getDataValue({at}))" for at in range(RGB))
        return {**controls, "shader": f"{NORMALIZED}void main() {{ emitRGB(vec3({values})); }}"}
    if layer.count:
        slider = f"#uicontrol int channel slider(min=0, max={layer.count - 1}, default={layer.channel})\n"
        main = "void main() { emitGrayscale(normalized(getDataValue(channel))); }"
        return {**controls, "shader": f"{NORMALIZED}{slider}{main}"}
    return controls


def _numbers(layer: Layer) -> list[float]:
    is_float = layer.entry.metadata is not None and "float" in (layer.entry.metadata.dtype or "float")
    return [one if is_float else int(one) for one in layer.range or ()]


# --- panels ----------------------------------------------------------------------------------------------------------


def _panels(layers: Sequence[Layer]) -> list[list[str]]:
    """Return which layers stand together: each with what is below it, or those of a container, or all."""
    stacks = [[one.name] if one.below is None else [one.below, one.name] for one in layers]
    if len(layers) == 2 and len(stacks[0]) + len(stacks[1]) > 2:  # noqa: PLR2004 - labels over their image
        return [max(stacks, key=len)]
    if len(stacks) <= MAX_PANELS:
        return stacks
    by_container: dict[str, list[str]] = {}
    for one in layers:
        by_container.setdefault(_container(one.entry), []).append(one.name)
    return [*by_container.values()] if len(by_container) <= MAX_PANELS else [[one.name for one in layers]]


def _container(entry: Entry) -> str:
    identifier = entry.identifier_of(entry.keys[0])
    return identifier.path.removesuffix(getattr(identifier, "dataset", ""))


def _hidden(layers: Sequence[Layer], panels: Sequence[Sequence[str]]) -> set[str]:
    """Return the layers that are not shown at first, because others of their panel would be below them."""
    if len(layers) <= MAX_PANELS:
        return set()
    shown: set[str] = set()
    for panel in panels:
        for labels in (False, True):
            sorts = (one.name for one in layers if one.name in panel and one.is_labels == labels)
            shown |= {*list(sorts)[:1]}
    return {one.name for one in layers} - shown


def _grid(panels: int, depth: int) -> tuple[int, int]:
    """How many panels stand below each other, and beside each other; one of a volume has four views."""
    if panels < 2:  # noqa: PLR2004
        return (2, 2) if depth > len(PLANE) else (1, 1)
    columns = panels if panels <= MAX_COLUMNS else math.ceil(math.sqrt(panels))
    return math.ceil(panels / columns), columns


def _layout(panels: Sequence[Sequence[str]], *, is_deep: bool) -> Any:
    if len(panels) < 2:  # noqa: PLR2004
        return "4panel" if is_deep else "xy"
    _, columns = _grid(len(panels), 0)
    viewers = [{"type": "viewer", "layers": [*panel], "layout": "xy"} for panel in panels]
    rows = [{"type": "row", "children": viewers[at : at + columns]} for at in range(0, len(viewers), columns)]
    return rows[0] if len(rows) == 1 else {"type": "column", "children": rows}
