"""What the proof costs, and what it would cost without its shortcuts.

    python tests/bench/proof.py

Timed are, in seconds of processor time and always with layouts that were just loaded (nothing of theirs is known yet):

- 100 kinds of four fields, for several shapes of templates: half a second at most;
- `check()` of each shipped layout, all rules together: a tenth of a second at most;
- 14 kinds of the same shapes, against the twin search of each pair of whole paths, without comparing segments first,
  and against rendering values over three letters and looking which paths occur twice or begin another. The ratios do
  not depend on the machine. All three must find the same clashes, enumeration perhaps fewer.

Exit status 0 if no target is missed.
"""

from __future__ import annotations

import gc
import sys
from collections import defaultdict
from functools import partial
from itertools import combinations_with_replacement, product
from statistics import median
from time import process_time
from typing import TYPE_CHECKING, Any

from attrs import frozen
from timing import fresh_process

from zarrange import Layout
from zarrange.language.automaton import Alphabet, Automaton, Budget, Relation, Twins
from zarrange.language.chains import Languages, Shape
from zarrange.language.proof import prove
from zarrange.language.shipped import shipped_layouts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from zarrange.language.proof import Proof

TURNS = 5
MANY = 100
FEW = 14
MANY_LIMIT = 500
SHIPPED_LIMIT = 100
"""Milliseconds."""
LETTERS = "a0_"

HEADER = """\
zarrange: 1
fields:
  run: {type: str}
  iteration: {type: int, min: 0}
  dataset: {type: str}
  parameters: {type: str, charset: text}
  name: {type: str, charset: unicode}
containers:
  box: {path: "{{ run }}.zarr"}
arrays:
"""
SHAPES = {
    "a literal folder last": "{{ iteration }}/{{ dataset }}/{{ parameters | quote }}/kN",
    "a literal folder first": "kN/{{ iteration }}/{{ dataset }}/{{ parameters | quote }}",
    "a prefix": "kN_{{ iteration }}/{{ dataset }}/{{ parameters | quote }}",
    "a suffix": "{{ dataset }}/{{ iteration }}/{{ parameters | quote }}.kNx",
    "names beyond ASCII": "{{ name }}/{{ iteration }}/{{ dataset }}/kN",
    "two fields a segment": "{{ dataset }}_kN_{{ iteration }}/{{ parameters | quote }}/xN",
    "all paths the same": "{{ dataset }}/{{ iteration }}/{{ parameters | quote }}",
}
"""Templates of many kinds, where `N` is the number of each."""


@frozen
class Row:
    """One line of the table: times in seconds; `limit` is a target in milliseconds."""

    what: str
    ours: float
    against: str = "-"
    theirs: float | None = None
    limit: int | None = None
    note: str = ""

    @property
    def is_met(self) -> bool:
        """Whether the target is not missed."""
        return self.limit is None or self.ours * 1000 <= self.limit

    def __str__(self) -> str:
        theirs, ratio = ("-", "-")
        if self.theirs is not None:
            theirs, ratio = _time(self.theirs), f"{self.theirs / self.ours:.1f} x dearer"
        target = "-" if self.limit is None else f"≤ {self.limit} ms"
        met = "-" if self.limit is None else "met" if self.is_met else "**not met**"
        return f"| {' | '.join([self.what, _time(self.ours), self.against, theirs, ratio, target, met, self.note])} |"


def _time(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms"


def layout(template: str, count: int) -> Layout:
    """Return a layout of so many kinds of one shape."""
    kinds = (f'  k{at}: {{container: box, path: "{template.replace("N", str(at))}"}}\n' for at in range(count))
    return Layout.parse(HEADER + "".join(kinds))


def timed(make: Callable[[], Any], work: Callable[[Any], Any], turns: int = TURNS) -> tuple[float, Any]:
    """Return the median time of `work` on what `make` makes anew for each turn, and what it returned."""
    times = []
    for _ in range(turns):
        made = make()
        gc.collect()
        gc.disable()
        began = process_time()
        found = work(made)
        times.append(process_time() - began)
        gc.enable()
    return median(times), found


def proved(made: Layout) -> Proof:
    """The proof of a layout's kinds, without anything that the layout kept."""
    return prove(made.kinds)


# --- the rows --------------------------------------------------------------------------------------------------------


def many_rows() -> Iterator[Row]:
    """100 kinds of each shape."""
    for what, template in SHAPES.items():
        seconds, found = timed(partial(layout, template, MANY), proved)
        end = "" if found.is_complete else ", ended early"
        yield Row(f"{MANY} kinds, {what}", seconds, limit=MANY_LIMIT, note=f"{_counted(found.clashes)}{end}")


def shipped_rows() -> Iterator[Row]:
    """Each shipped layout: `check()` in a process of its own, and again."""
    for name in shipped_layouts():
        code = (
            "from time import process_time as now; from zarrange import Layout\n"
            f"one, other = Layout.load({name!r}), Layout.load({name!r})\n"
            "a = now(); found = one.check(); b = now(); other.check(); c = now(); print(b - a, c - b, len(found))"
        )
        first, again, found = zip(*fresh_process(code, TURNS), strict=True)
        note = f"{found[0]} findings"
        yield Row(
            f"`{name}`, `check()`, the first in a process", median(map(float, first)), limit=SHIPPED_LIMIT, note=note
        )
        yield Row(f"`{name}`, `check()`, of a layout just loaded", median(map(float, again)), limit=SHIPPED_LIMIT)


def opponent_rows() -> Iterator[Row]:
    """A few kinds of each shape: against other ways to find the same."""
    for what, template in SHAPES.items():
        ours, proof = timed(partial(layout, template, FEW), proved)
        mine = {(clash.rule, clash.kinds) for clash in proof.clashes}
        opponents = {
            "each pair of whole paths": pairwise_clashes,
            "rendering values of three letters": enumerated_clashes,
        }
        for against, other in opponents.items():
            theirs, found = timed(partial(layout, template, FEW), other, turns=1)
            if not found <= mine or (other is pairwise_clashes and proof.is_complete and found != mine):
                raise SystemExit(f"{what}: {against} gives {found ^ mine}")
            yield Row(f"{FEW} kinds, {what}", ours, against, theirs, note=f"{_counted(mine)}, it finds {len(found)}")


def _counted(found: Any) -> str:
    return f"{len(found)} clash{'es' * (len(found) != 1)}"


# --- other ways ------------------------------------------------------------------------------------------------------


def pairwise_clashes(made: Layout) -> set[tuple[str, tuple[str, ...]]]:
    """The twin search of whole paths, for each pair of kinds."""
    languages = Languages()
    shapes = [Shape.make(kind, variant, languages.outline) for kind in made.kinds.values() for variant in kind.variants]
    alphabet = Alphabet({chain for shape in shapes for chain in shape.chains})
    automata = {shape: Automaton(shape.rest(0), alphabet) for shape in shapes}
    found = set()
    for one, other in combinations_with_replacement(shapes, 2):
        search = Twins(automata[one], automata[other], same=one is other, nested=True)
        for relation in {twin.relation for twin in search.texts(Budget(sys.maxsize))}:
            outer = other if relation is Relation.LEFT_INSIDE else one
            if relation is Relation.SAME or outer.kind.sort in {"array", "file"}:
                found.add(_clash(relation is not Relation.SAME, one.kind.name, other.kind.name))
    return found


def enumerated_clashes(made: Layout) -> set[tuple[str, tuple[str, ...]]]:
    """Render values over three letters, of one letter or two, and look which paths occur twice or begin another."""
    texts = ["".join(text) for length in (1, 2) for text in product(LETTERS, repeat=length)]
    paths: defaultdict[str, set[tuple[str, int]]] = defaultdict(set)
    for kind in made.kinds.values():
        choices = [[0, 1, 10] if name == "iteration" else texts for name in kind.fields]
        for number, values in enumerate(product(*choices)):
            paths[kind.render(dict(zip(kind.fields, values, strict=True))).path].add((kind.name, number))
    found = set()
    for path, keys in paths.items():
        found |= {_clash(False, one[0], other[0]) for one in keys for other in keys if one < other}  # noqa: FBT003
        for at, character in enumerate(path):
            if character == "/":
                outers = {name for name, _ in paths.get(path[:at], ()) if made.kind(name).sort in {"array", "file"}}
                found |= {_clash(True, outer, inner) for outer in outers for inner, _ in keys}  # noqa: FBT003
    return found


def _clash(is_nested: bool, one: str, other: str) -> tuple[str, tuple[str, ...]]:  # noqa: FBT001
    kinds = tuple(sorted({one, other}, key=lambda name: int(name[1:]) if name != "box" else -1))
    if is_nested:
        return "nested-kinds", kinds
    return "ambiguous-template" if one == other else "overlapping-kinds", kinds


def main() -> int:
    """Print the table; return the exit status."""
    out = sys.stdout
    out.write(
        "| what | zarrange | against | its time | ratio | target | | found |\n|---|---:|---|---:|---:|---|---|---|\n"
    )
    all_met = True
    for rows in (many_rows, shipped_rows, opponent_rows):
        for row in rows():
            out.write(f"{row}\n")
            out.flush()
            all_met = all_met and row.is_met
    out.write(f"\n{'All targets are met.' if all_met else 'Not all targets are met.'}\n")
    return 0 if all_met else 1


if __name__ == "__main__":
    sys.exit(main())
