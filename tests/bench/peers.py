"""What one would use instead to find, render and read back: other packages, Python's own means, and a walk by hand.

A peer reads and renders the paths of `validation_output`, and finds the arrays of the tree of `tree.py`, as far as it
can do each, and as fast as its public functions allow. None of the packages checks what it renders, and none looks
into a `zarr.json`: that one is there is enough. Each is imported when it is made, so that those that are not
installed can be left out.
"""

from __future__ import annotations

import glob
import json
import os
import re
import subprocess
import tempfile
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote as percent_decode

from attrs import frozen
from opponents import HandArray, HandKey, is_name, quote

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from tree import Answer

__all__ = ["PEERS", "HandEntry", "Peer", "by_glob", "by_hand", "by_members", "by_walk", "find", "make_peer"]

# The two kinds, as most peers write them.
PREDICTION = "{run}/validation.zarr/iterations/{iteration:08d}/{dataset}/prediction"
OUTPUT = "{run}/validation.zarr/iterations/{iteration:08d}/{dataset}/outputs/{parameters}"
METADATA = "zarr.json"


@frozen
class Peer:
    """What a package can do: `None` where it cannot. `how` says how it scans; `is_slow`: not the whole tree."""

    how: str
    scan: Callable[[str], Iterable[Answer]]
    render: Callable[[Mapping[str, Any]], str] | None = None
    parse: Callable[[str], Mapping[str, Any] | None] | None = None
    is_slow: bool = False


def make_peer(name: str) -> Peer:
    """Return a peer. Raises `ImportError` where its package is not installed."""
    return PEERS[name]()


def answer(values: Mapping[str, Any]) -> Answer:
    """Return what a peer has read as an answer; many leave numbers as text."""
    return values["run"], int(values["iteration"]), values["dataset"], values.get("parameters")


# --- the walk by hand ------------------------------------------------------------------------------------------------


@frozen
class HandEntry:
    """What the walk by hand finds: what zarrange's `Entry` has."""

    path: str
    key: HandKey
    metadata: dict[str, Any]
    root: str
    split: int

    @property
    def identifier(self) -> HandArray:
        """Where the array is."""
        return HandArray(f"{self.root}/{self.path[: self.split]}", self.path[self.split + 1 :])


def by_hand(root: str, run: str | None = None, iteration: int | None = None) -> Iterator[HandEntry]:
    """Yield the predictions and outputs below a root, by a walk written for just this layout, in the paths' order.

    It does less than zarrange's: it knows zarr 3 only, and stops at the first folder that it may not read.
    """
    for run_folder in [quote(run)] if run is not None else _folders(root):
        if (run_name := _name(run_folder)) is None:
            continue
        container = f"{run_folder}/validation.zarr"
        above = f"{root}/{container}/iterations"
        for iteration_folder in [f"{iteration:08d}"] if iteration is not None else _folders(above):
            if (number := _number(iteration_folder)) is None:
                continue
            for dataset_folder in _folders(f"{above}/{iteration_folder}"):
                if (dataset := _name(dataset_folder)) is None:
                    continue
                values: dict[str, str | int] = {"run": run_name, "iteration": number, "dataset": dataset}
                yield from _arrays(root, container, f"iterations/{iteration_folder}/{dataset_folder}", values)


def _arrays(root: str, container: str, inner: str, values: dict[str, str | int]) -> Iterator[HandEntry]:
    outputs = f"{container}/{inner}/outputs"
    for folder in _folders(f"{root}/{outputs}"):
        if (parameters := _name(folder)) is None:
            continue
        if (metadata := _array_metadata(f"{root}/{outputs}/{folder}")) is not None:
            key = HandKey("validation_output", {**values, "parameters": parameters})
            yield HandEntry(f"{outputs}/{folder}", key, metadata, root, len(container))
    path = f"{container}/{inner}/prediction"
    if (metadata := _array_metadata(f"{root}/{path}")) is not None:
        yield HandEntry(path, HandKey("validation_prediction", values), metadata, root, len(container))


def _folders(path: str) -> list[str]:
    try:
        with os.scandir(path) as entries:
            return sorted([entry.name for entry in entries if entry.is_dir(follow_symlinks=False)], key=_in_order)
    except FileNotFoundError:
        return []


def _in_order(name: str) -> str:
    return f"{name}/"


def _name(segment: str) -> str | None:
    if is_name(segment):
        return segment
    try:
        name = percent_decode(segment, errors="strict")
        return name if quote(name) == segment else None
    except ValueError:
        return None


_is_number = re.compile(r"[0-9]{8}|[1-9][0-9]{8,39}").fullmatch


def _number(segment: str) -> int | None:
    return int(segment) if _is_number(segment) else None


def _array_metadata(folder: str) -> dict[str, Any] | None:
    try:
        with open(f"{folder}/{METADATA}", "rb") as file:
            metadata = json.loads(file.read())
    except FileNotFoundError:
        return None
    return metadata if metadata["node_type"] == "array" else None


# --- what Python, the system and zarr have ---------------------------------------------------------------------------

_read = re.compile(
    r"([^/]+)/validation\.zarr/iterations/([0-9]{8,40})/([^/]+)/(?:prediction|outputs/([^/]+))"
).fullmatch


def _parsed(path: str) -> Answer | None:
    found = _read(path)
    return None if found is None else (found[1], int(found[2]), found[3], found[4])


def by_walk(root: str, read: Callable[[str], Answer | None] = _parsed, *, pruned: bool = True) -> Iterator[Answer]:
    """`os.walk`, and `read` for the path of each folder with metadata; `pruned`: what was read is not entered."""
    for folder, folders, files in os.walk(root):
        if METADATA in files and (found := read(folder[len(root) + 1 :])) is not None:
            if pruned:
                folders.clear()
            yield found


def by_glob(root: str) -> Iterator[Answer]:
    """`glob` for each of the two kinds, and a regular expression for what it finds."""
    inner = "*/validation.zarr/iterations/*/*"
    for pattern in (f"{inner}/prediction/{METADATA}", f"{inner}/outputs/*/{METADATA}"):
        for path in glob.iglob(pattern, root_dir=root):
            found = _parsed(path.removesuffix(f"/{METADATA}"))
            if found is not None:
                yield found


def find(root: str, *, pruned: bool = False) -> Iterator[Answer]:
    """The program `find`, and a regular expression for what it prints; `pruned`: folders of chunks are not entered."""
    leave = ["-name", "c", "-prune", "-o"] if pruned else []
    with subprocess.Popen(["find", root, *leave, "-name", METADATA, "-print"], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        for line in process.stdout:
            found = _parsed(os.fsdecode(line)[len(root) + 1 : -len(METADATA) - 2])
            if found is not None:
                yield found


def by_members(root: str) -> Iterator[Answer]:
    """All members of each container, as zarr gives them, and a regular expression for their names."""
    import zarr

    for run in os.listdir(root):
        container = f"{run}/validation.zarr"
        for name, member in zarr.open_group(f"{root}/{container}", mode="r").members(max_depth=None):
            found = _parsed(f"{container}/{name}") if isinstance(member, zarr.Array) else None
            if found is not None:
                yield found


# --- packages --------------------------------------------------------------------------------------------------------


def _by_reading(read_kinds: Iterable[Callable[[str], Mapping[str, Any] | None]]) -> Callable[[str], Iterator[Answer]]:
    """A walk for those that read paths and find none: the best that one can do around them."""
    kinds = list(read_kinds)

    def read(path: str) -> Answer | None:
        return next((answer(values) for kind in kinds if (values := kind(path)) is not None), None)

    return lambda root: by_walk(root, read)


def _trollsift(*, looks: bool = False) -> Peer:
    trollsift = import_module("trollsift")
    output = trollsift.Parser(OUTPUT)

    def scan(root: str) -> Iterator[Answer]:
        for template in (PREDICTION, OUTPUT):
            parser = trollsift.Parser(f"{root}/{template}/{METADATA}")
            for path in glob.iglob(parser.globify()):
                if not looks or _array_metadata(os.path.dirname(path)) is not None:
                    yield answer(parser.parse(path))

    if looks:
        return Peer("as above, and reads each `zarr.json`", scan)
    return Peer("`globify`, `glob`, `parse`", scan, output.compose, output.parse)


def _parse() -> Peer:
    output, prediction = (import_module("parse").compile(one, case_sensitive=True) for one in (OUTPUT, PREDICTION))

    def reader(parser: Any) -> Callable[[str], Mapping[str, Any] | None]:
        def read(path: str) -> Mapping[str, Any] | None:
            found = parser.parse(path)
            return None if found is None else found.named

        return read

    # Rendering is `str.format`.
    return Peer("`os.walk`, `parse`", _by_reading(map(reader, (prediction, output))), parse=reader(output))


def _lucidity() -> Peer:
    lucidity = import_module("lucidity")
    inner = r"{run:[^/]+}/validation.zarr/iterations/{iteration:[0-9]+}/{dataset:[^/]+}/"
    output, prediction = (
        lucidity.Template("", inner + end, anchor=lucidity.Template.ANCHOR_BOTH)
        for end in (r"outputs/{parameters:[^/]+}", "prediction")
    )

    def reader(template: Any) -> Callable[[str], Mapping[str, Any] | None]:
        def read(path: str) -> Mapping[str, Any] | None:
            try:
                return template.parse(path)  # type: ignore[no-any-return]
            except lucidity.ParseError:
                return None

        return read

    def render(values: Mapping[str, Any]) -> str:
        # It takes no formats: what is rendered is text already.
        return output.format({**values, "iteration": f"{values['iteration']:08d}"})  # type: ignore[no-any-return]

    return Peer("`os.walk`, `parse`", _by_reading(map(reader, (prediction, output))), render, reader(output))


def _snakemake() -> Peer:
    snakemake = import_module("snakemake.io")
    prediction = r"{run,[^/]+}/validation.zarr/iterations/{iteration,\d+}/{dataset,[^/]+}/prediction"
    output = r"{run,[^/]+}/validation.zarr/iterations/{iteration,\d+}/{dataset,[^/]+}/outputs/{parameters,[^/]+}"

    def scan(root: str) -> Iterator[Answer]:
        for pattern in (prediction, output):
            found = snakemake.glob_wildcards(f"{root}/{pattern}/{METADATA}")
            for values in zip(*found, strict=True):
                yield answer(dict(zip(found._fields, values, strict=True)))

    def render(values: Mapping[str, Any]) -> str:
        return snakemake.expand(OUTPUT, **values)[0]  # type: ignore[no-any-return]

    def parse(path: str) -> Mapping[str, Any]:
        # The regular expression that this makes, kept, would be Python's own (0.6 µs, and all values text).
        return {name: values[0] for name, values in snakemake.glob_wildcards(output, files=[path])._asdict().items()}

    return Peer("`glob_wildcards`, a kind at a time", scan, render, parse)


def _file_tree() -> Peer:
    file_tree = import_module("file_tree")

    def tree(root: str) -> Any:
        lines = [PREDICTION.removesuffix("/prediction"), f"    prediction/{METADATA} (prediction_metadata)"]
        lines += ["    outputs/{parameters} (output)", f"        {METADATA} (output_metadata)"]
        return file_tree.FileTree.from_string("\n".join(lines), top_level=root)

    def scan(root: str) -> Iterator[Answer]:
        made = tree(root)
        for name in ("prediction_metadata", "output_metadata"):
            yield from map(answer, made.get_template(name).all_matches(made.placeholders))

    relative = tree("")

    def render(values: Mapping[str, Any]) -> str:
        return relative.update(**values).get("output")  # type: ignore[no-any-return]

    return Peer(
        "`all_matches` (`glob`, `parse`)", scan, render, file_tree.template.TemplateParts.parse(OUTPUT).get_parser()
    )


def _signac() -> Peer:
    signac, crawl = import_module("signac"), import_module("signac.import_export")
    # Private: what is public imports what it finds, folder by folder.
    output = crawl._make_path_based_schema_function(OUTPUT.replace(":08d", ":int"))

    def scan(root: str) -> Iterator[Answer]:
        def schema(path: str) -> Any:
            relative = path[len(root) + 1 :]
            # What follows the last field of a schema is dropped, so predictions are read by hand.
            if relative.endswith("/prediction") and (found := _parsed(relative)) is not None:
                return dict(zip(("run", "iteration", "dataset"), found, strict=False))
            return output(relative)

        with tempfile.TemporaryDirectory() as folder:
            project = signac.init_project(folder)
            for _, one in crawl._analyze_directory_for_import(root, project, schema):
                yield answer(one.job.cached_statepoint)

    # Rendering is `str.format`.
    return Peer("the crawl of `import_from`, nothing imported", scan, parse=output)


def _pybids(ignored: str | None) -> Peer:
    bids, models, writing = map(import_module, ("bids.layout", "bids.layout.models", "bids.layout.writing"))
    patterns = {
        "iteration": r"/iterations/(\d+)/",
        "dataset": r"/iterations/\d+/([^/]+)/",
        "parameters": r"/outputs/([^/]+)",
        "array": rf"/(prediction|outputs/[^/]+)/{re.escape(METADATA)}$",
    }
    entities: list[dict[str, str]] = [{"name": name, "pattern": pattern} for name, pattern in patterns.items()]
    config = {"name": "training", "entities": entities}

    def scan(root: str) -> Iterator[Answer]:
        # It takes what is named `*.zarr` for one file, unless it is the root.
        with tempfile.TemporaryDirectory() as folder:
            Path(folder, "config.json").write_text(json.dumps(config), encoding="utf-8")
            for run in os.listdir(root):
                indexer = bids.BIDSLayoutIndexer(
                    validate=False, index_metadata=False, ignore=[re.compile(ignored)] if ignored else None
                )
                layout = bids.BIDSLayout(
                    f"{root}/{run}/validation.zarr", validate=False, config=f"{folder}/config.json", indexer=indexer
                )
                for file in layout.get(array=bids.Query.REQUIRED):
                    yield answer({"run": run, **file.entities})

    pattern = OUTPUT.replace(":08d", "")

    def render(values: Mapping[str, Any]) -> str:
        return writing.build_path({**values, "iteration": f"{values['iteration']:08d}"}, pattern)  # type: ignore[no-any-return]

    whole = models.Config("training", entities=[{"name": "run", "pattern": r"^/([^/]+)/"}, *entities])

    def parse(path: str) -> Mapping[str, Any]:
        return bids.parse_file_entities(f"/{path}", config=[whole])  # type: ignore[no-any-return]

    if ignored:
        return Peer("an index of each container, folders of chunks ignored", scan, render, parse, is_slow=True)
    return Peer("an index of each container", scan, is_slow=True)


PEERS: dict[str, Callable[[], Peer]] = {
    "trollsift": _trollsift,
    "trollsift, arrays told from groups": lambda: _trollsift(looks=True),
    "parse": _parse,
    "lucidity": _lucidity,
    "pybids": lambda: _pybids(r"/c(/|$)"),
    "pybids, as it comes": lambda: _pybids(None),
    "snakemake": _snakemake,
    "signac": _signac,
    "file-tree": _file_tree,
}
"""How each peer is made, by its name."""
