"""What one would write without zarrange: the same paths and the same checks, by hand or with Jinja2.

Each opponent does what zarrange does for the same kind, and no more: it refuses what the layout refuses and returns a
frozen attrs instance. The checks stand in line, because that is the fastest way to write them. Where one side does
less, a comment says so.
"""

from __future__ import annotations

import re
from operator import index as as_int
from typing import TYPE_CHECKING, Any
from urllib.parse import quote as percent_encode, unquote as percent_decode

from attrs import frozen
from jinja2 import StrictUndefined
from jinja2.sandbox import SandboxedEnvironment
from upath import UPath

from zarrange.language.filters import BUILT_IN

if TYPE_CHECKING:
    from collections.abc import Callable

    from jinja2 import Template

MAX_SEGMENT = 255

DEVICES = "(?:[Cc][Oo][Nn]|[Pp][Rr][Nn]|[Aa][Uu][Xx]|[Nn][Uu][Ll]|[Cc][Oo][Mm][0-9]|[Ll][Pp][Tt][0-9])"
METADATA = r"[Zz][Aa][Rr][Rr]\.[Jj][Ss][Oo][Nn]"
is_name = re.compile(rf"(?!{DEVICES}(?:\.|\Z)|{METADATA}\Z)[A-Za-z0-9_+=@][A-Za-z0-9._+=@-]*(?<!\.)").fullmatch
is_reserved = re.compile(rf"[.-]|{DEVICES}(?=\.|\Z)|{METADATA}\Z").match

PORTABLE = """
zarrange: 1
name: portable
doc: The kinds of `training`, for names that need no quoting.
fields:
  run: {type: str}
  iteration: {type: int, min: 0}
  dataset: {type: str}
  parameters: {type: str}
  criterion: {type: str}
  index: {type: str}
  volume: {type: str}
fragments:
  iteration_dir: "iterations/{{ iteration | pad(8) }}/{{ dataset }}"
  index_dir: "{% if index is defined %}indexed/{{ index }}{% else %}all{% endif %}"
containers:
  snapshot: {path: "{{ run }}/snapshot.zarr"}
  validation: {path: "{{ run }}/validation.zarr"}
arrays:
  snapshot_array: {container: snapshot, path: "{{ volume }}"}
  validation_prediction: {container: validation, path: "{{ iteration_dir }}/prediction"}
  validation_output: {container: validation, path: "{{ iteration_dir }}/outputs/{{ parameters }}"}
  best_validation: {container: validation, path: "best/{{ criterion }}/{{ index_dir }}"}
  validation_raw: {container: validation, path: "inputs/{{ index_dir }}/raw"}
  validation_gt: {container: validation, path: "inputs/{{ index_dir }}/gt"}
"""


@frozen
class HandArray:
    """The opponent's identifier of an array."""

    container: str
    dataset: str


@frozen
class HandKey:
    """The opponent's key."""

    kind: str
    values: dict[str, str | int]


# --- rendering by hand -----------------------------------------------------------------------------------------------


def quote(text: str) -> str:
    """Percent-encode any text into one portable segment."""
    if not text:
        raise ValueError("a name is empty")
    quoted = percent_encode(text, safe="+=@").replace("~", "%7E")
    if is_reserved(quoted):
        quoted = f"%{ord(quoted[0]):02X}{quoted[1:]}"
    return f"{quoted[:-1]}%2E" if quoted.endswith(".") else quoted


def refuse_long(path: str) -> None:
    """Raise `ValueError` for a path with a segment that no file system takes."""
    if any(len(segment) > MAX_SEGMENT for segment in path.split("/")):
        raise ValueError(f"{path!r} has a segment that is too long")


def whole(value: Any) -> int:
    """Return a whole number that is not simply an `int` (numpy has its own), if it fits."""
    if isinstance(value, bool):
        raise ValueError("a truth value is no iteration")  # noqa: TRY004 - as the layout has it
    try:
        number = as_int(value)
    except TypeError as error:
        raise ValueError(f"{value!r} is no whole number") from error
    if not 0 <= number < 10**40:
        raise ValueError(f"{number} is no iteration")
    return number


def portable_raw(run: str, index: str) -> HandArray:
    """`validation_raw` of the layout above, with an index."""
    if not isinstance(run, str) or not is_name(run):
        raise ValueError(f"{run!r} is no run")
    if not isinstance(index, str) or not is_name(index):
        raise ValueError(f"{index!r} is no index")
    made = HandArray(f"{run}/validation.zarr", f"inputs/indexed/{index}/raw")
    if len(made.container) + len(made.dataset) >= MAX_SEGMENT:
        refuse_long(f"{made.container}/{made.dataset}")
    return made


def portable_output(run: str, iteration: int, dataset: str, parameters: str) -> HandArray:
    """`validation_output` of the layout above."""
    if not isinstance(run, str) or not is_name(run):
        raise ValueError(f"{run!r} is no run")
    if type(iteration) is not int or not 0 <= iteration < 10**18:
        iteration = whole(iteration)
    if not isinstance(dataset, str) or not is_name(dataset):
        raise ValueError(f"{dataset!r} is no dataset")
    if not isinstance(parameters, str) or not is_name(parameters):
        raise ValueError(f"{parameters!r} are no parameters")
    made = HandArray(f"{run}/validation.zarr", f"iterations/{iteration:08d}/{dataset}/outputs/{parameters}")
    if len(made.container) + len(made.dataset) >= MAX_SEGMENT:
        refuse_long(f"{made.container}/{made.dataset}")
    return made


def training_raw(run: str, index: str) -> HandArray:
    """`validation_raw` of the shipped layout `training`, with an index."""
    if not isinstance(run, str) or not isinstance(index, str):
        raise ValueError("a name is no text")  # noqa: TRY004 - as the layout has it
    run = run if is_name(run) else quote(run)
    index = index if is_name(index) else quote(index)
    made = HandArray(f"{run}/validation.zarr", f"inputs/indexed/{index}/raw")
    if len(made.container) + len(made.dataset) >= MAX_SEGMENT:
        refuse_long(f"{made.container}/{made.dataset}")
    return made


def training_output(run: str, iteration: int, dataset: str, parameters: str) -> HandArray:
    """`validation_output` of the shipped layout `training`."""
    if not isinstance(run, str) or not isinstance(dataset, str) or not isinstance(parameters, str):
        raise ValueError("a name is no text")  # noqa: TRY004 - as the layout has it
    if type(iteration) is not int or not 0 <= iteration < 10**18:
        iteration = whole(iteration)
    run = run if is_name(run) else quote(run)
    dataset = dataset if is_name(dataset) else quote(dataset)
    parameters = parameters if is_name(parameters) else quote(parameters)
    made = HandArray(f"{run}/validation.zarr", f"iterations/{iteration:08d}/{dataset}/outputs/{parameters}")
    if len(made.container) + len(made.dataset) >= MAX_SEGMENT:
        refuse_long(f"{made.container}/{made.dataset}")
    return made


# --- rendering by Jinja2 ---------------------------------------------------------------------------------------------

# The same template with the same filters. Jinja2 does less: it checks no value and gives a text, not an identifier.
_INDEX = "{{% if index is defined %}}indexed/{{{{ index{0} }}}}{{% else %}}all{{% endif %}}"
_RAW = "{{{{ run{0} }}}}/validation.zarr/inputs/" + _INDEX + "/raw"
_OUTPUT = (
    "{{{{ run{0} }}}}/validation.zarr/iterations/{{{{ iteration | pad(8) }}}}/{{{{ dataset{0} }}}}"
    "/outputs/{{{{ parameters{0} }}}}"
)


def _jinja() -> SandboxedEnvironment:
    environment = SandboxedEnvironment(undefined=StrictUndefined, keep_trailing_newline=True)
    environment.filters.update({one.name: one.encode for one in BUILT_IN})
    return environment


def jinja_raw(filters: str) -> Template:
    """Return the template of `validation_raw`, its names written through `filters`."""
    return _jinja().from_string(_RAW.format(filters))


def jinja_output(filters: str) -> Template:
    """Return the template of `validation_output`, its names written through `filters`."""
    return _jinja().from_string(_OUTPUT.format(filters))


# --- reading back by hand --------------------------------------------------------------------------------------------

_PLAIN = rf"((?!{DEVICES}(?:[./]|\Z)|{METADATA}(?:/|\Z))[A-Za-z0-9_+=@][A-Za-z0-9._+=@-]*(?<!\.))"
_QUOTED = rf"((?!{DEVICES}(?:[./]|\Z)|{METADATA}(?:/|\Z))[A-Za-z0-9_+=@%][A-Za-z0-9._+=@%-]*(?<!\.))"
_NUMBER = "([0-9]{8}|[1-9][0-9]{8,39})"


def _paths(name: str) -> re.Pattern[str]:
    """All eight kinds in one expression, what they share factored out; an empty group marks which of them it is."""
    return re.compile(
        rf"{name}/(?:"
        rf"snapshot\.zarr(?:()|/{name}())|"
        r"validation\.zarr(?:()|/(?:"
        rf"iterations/{_NUMBER}/{name}/(?:prediction()|outputs/{name}())|"
        rf"best/{name}/(?:all()|indexed/{name}())|"
        rf"inputs/(?:all|indexed/{name})/(?:raw()|gt()))))"
    )


# What the groups of a match make, by the number of its last group, which is the empty one.
_KEYS: dict[int | None, Callable[..., HandKey]] = {
    2: lambda g: HandKey("snapshot", {"run": g[0]}),
    4: lambda g: HandKey("snapshot_array", {"run": g[0], "volume": g[2]}),
    5: lambda g: HandKey("validation", {"run": g[0]}),
    8: lambda g: HandKey("validation_prediction", {"run": g[0], "iteration": int(g[5]), "dataset": g[6]}),
    10: lambda g: HandKey(
        "validation_output", {"run": g[0], "iteration": int(g[5]), "dataset": g[6], "parameters": g[8]}
    ),
    12: lambda g: HandKey("best_validation", {"run": g[0], "criterion": g[10]}),
    14: lambda g: HandKey("best_validation", {"run": g[0], "criterion": g[10], "index": g[12]}),
    16: lambda g: HandKey("validation_raw", _with_index(g[0], g[14])),
    17: lambda g: HandKey("validation_gt", _with_index(g[0], g[14])),
}


def _with_index(run: str, index: str | None) -> dict[str, str | int]:
    return {"run": run} if index is None else {"run": run, "index": index}


def _unquoted(text: str | int) -> str | int:
    """Return the name that is quoted as `text`. Raises `ValueError` where no name is."""
    if isinstance(text, int) or "%" not in text:
        return text
    name = percent_decode(text, errors="strict")
    if name == text or quote(name) != text:
        raise ValueError(f"{text!r} is not how {name!r} is quoted")
    return name


def hand_matcher(*, quoted: bool) -> Callable[[str], HandKey | None]:
    """Return the function that reads the paths of the layout above, or those of `training`, which are `quoted`."""
    fullmatch = _paths(_QUOTED if quoted else _PLAIN).fullmatch

    def match(path: str) -> HandKey | None:
        found = fullmatch(path)
        if found is None or (len(path) > MAX_SEGMENT and any(len(one) > MAX_SEGMENT for one in path.split("/"))):
            return None
        key = _KEYS[found.lastindex](found.groups())
        if "%" in path:
            try:
                return HandKey(key.kind, {name: _unquoted(text) for name, text in key.values.items()})
            except ValueError:
                return None
        return key

    return match


# --- DaCapo's array store, by joining UPaths -------------------------------------------------------------------------


@frozen
class JoinedArray:
    """What DaCapo's own store returns for an array."""

    container: UPath
    dataset: str


@frozen
class JoinedContainer:
    """What DaCapo's own store returns for a container."""

    container: UPath


class JoiningStore:
    """The paths of DaCapo's own store: a `UPath` joined and a text formatted at each call.

    It does less than zarrange's: no name is checked.
    """

    def __init__(self, basedir: str) -> None:
        self.basedir = UPath(basedir)

    def validation_prediction_array(self, run_name: str, iteration: int, dataset: object) -> JoinedArray:
        """Return where the prediction on a validation dataset is."""
        container = self.validation_container(run_name).container
        return JoinedArray(container, f"{iteration}/{dataset}/prediction")

    def validation_output_array(
        self, run_name: str, iteration: int, parameters: object, dataset: object
    ) -> JoinedArray:
        """Return where the output of post-processing with `parameters` is."""
        container = self.validation_container(run_name).container
        return JoinedArray(container, f"{iteration}/{dataset}/output/{parameters}")

    def best_validation_array(self, run_name: str, criterion: str, index: object = None) -> JoinedArray:
        """Return where the best validation output by `criterion` is."""
        container = self.validation_container(run_name).container
        return JoinedArray(container, f"{criterion}" if index is None else f"{index}/{criterion}")

    def validation_input_arrays(self, run_name: str, index: object = None) -> tuple[JoinedArray, JoinedArray]:
        """Return where the raw data and the ground truth of the validation are."""
        container = self.validation_container(run_name).container
        inputs = "inputs" if index is None else f"inputs/{index}"
        return JoinedArray(container, f"{inputs}/raw"), JoinedArray(container, f"{inputs}/gt")

    def snapshot_container(self, run_name: str) -> JoinedContainer:
        """Return where the snapshots of a run are."""
        return JoinedContainer(self.basedir / run_name / "snapshot.zarr")

    def validation_container(self, run_name: str) -> JoinedContainer:
        """Return where the validations of a run are."""
        return JoinedContainer(self.basedir / run_name / "validation.zarr")
