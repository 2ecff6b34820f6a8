"""Rules about clashes: what the proof finds of artifacts that share a path, or swallow each other's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zarrange.diagnostics import Diagnostic, Severity
from zarrange.language.cures import cure_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    from zarrange.language.assembly import Assembly
    from zarrange.language.proof import Clash

__all__ = ["ambiguous_template", "nested_kinds", "overlapping_kinds", "unproved_layout", "unused_allow"]


def ambiguous_template(assembly: Assembly) -> Iterator[Diagnostic]:
    """One path can mean two sets of values of the same kind.

    ## What it does
    Searches for a path that a kind's template gives for two different sets of values, and shows the shortest one.

    ## Why is this bad?
    The second artifact overwrites the first. Nobody notices until the first one is needed, and no path tells any more
    what it was made of.

    ## Example
    ```yaml
    files:
      mask: {path: "{{ cell }}-{{ label }}.png"}  # a-b-c.png: the cell `a` or the cell `a-b`?
    ```

    ## Use instead
    ```yaml
    files:
      mask: {path: "{{ cell }}/{{ label }}.png"}
    ```
    """
    for clash in _clashes(assembly, "ambiguous-template"):
        (name,) = clash.kinds
        if _is_of_the_container(assembly, clash):
            continue
        yield _finding(assembly, clash, name, f"one path can mean two sets of values of `{name}`")


def overlapping_kinds(assembly: Assembly) -> Iterator[Diagnostic]:
    """Two kinds can have the same path.

    ## What it does
    Searches for a path that artifacts of two kinds share, and shows the shortest one with both readings.

    ## Why is this bad?
    Whichever is written later overwrites the other, and what is found at the path may be either.

    ## Example
    ```yaml
    files:
      best: {path: "{{ run }}/{{ criterion }}.pt"}
      checkpoint: {path: "{{ run }}/{{ iteration }}.pt"}  # a criterion may be called 1000
    ```

    ## Use instead
    ```yaml
    files:
      best: {path: "{{ run }}/best/{{ criterion }}.pt"}
      checkpoint: {path: "{{ run }}/checkpoints/{{ iteration }}.pt"}
    ```
    """
    for clash in _clashes(assembly, "overlapping-kinds"):
        one, other = clash.kinds
        yield _finding(assembly, clash, other, f"`{one}` and `{other}` can have the same path")


def nested_kinds(assembly: Assembly) -> Iterator[Diagnostic]:
    """An artifact can lie inside an array or a file of another one.

    ## What it does
    Searches for an array (or a file) whose path, followed by a slash, begins the path of another artifact, and shows
    the shortest pair.

    ## Why is this bad?
    The inner artifact stands among the outer one's chunks: removing or overwriting the outer array destroys it, and
    zarr does not list it. Inside a file nothing can be written at all.

    ## Example
    ```yaml
    arrays:
      best: {container: validation, path: "{{ index }}/{{ criterion }}"}
      prediction: {container: validation, path: "{{ iteration }}/{{ dataset }}/prediction"}  # inside of best 1000/ds
    ```

    ## Use instead
    ```yaml
    arrays:
      best: {container: validation, path: "best/{{ index }}/{{ criterion }}"}
      prediction: {container: validation, path: "iterations/{{ iteration }}/{{ dataset }}/prediction"}
    ```
    """
    for clash in _clashes(assembly, "nested-kinds"):
        outer = clash.outer or ""
        inner = next((kind for kind in clash.kinds if kind != outer), outer)
        whose = "another one" if outer == inner else f"{_ARTICLES[assembly.kinds[outer].sort]} of `{outer}`"
        yield _finding(assembly, clash, inner, f"`{inner}` can lie inside {whose}")


def unproved_layout(assembly: Assembly) -> Iterator[Diagnostic]:
    """The search for clashes had to stop before it knew.

    ## What it does
    Says so where a layout's templates are so many or so intricate that the search took more steps than it is given, or
    found more clashes than anybody would read.

    ## Why is this bad?
    Clashes that were not found may be there. Those that are shown hold all the same.

    ## Example
    A hundred kinds such as `{{ a }}_{{ b }}_{{ c }}_{{ d }}_7`, with fields that may all have the same characters.

    ## Use instead
    Templates whose segments have one field each, such as `7/{{ a }}/{{ b }}/{{ c }}/{{ d }}`.
    """
    if not assembly.proof.is_complete:
        advice = "separate fields by `/`, and begin each kind's path with a folder of its own"
        message = "the search for clashes was ended early, so there may be others"
        yield Diagnostic("unproved-layout", message, assembly.located.span(()), advice)


def unused_allow(assembly: Assembly) -> Iterator[Diagnostic]:
    """A clash is allowed that cannot happen.

    ## What it does
    Looks for entries of `allow` that no finding needs, and for entries that say the same as one before.

    ## Why is this bad?
    Whoever reads the layout takes the clash for real. And should an edit bring it back some day, nobody is told.

    ## Example
    ```yaml
    files:
      best: {path: "best/{{ criterion }}.pt"}
      checkpoint: {path: "checkpoints/{{ iteration }}.pt"}
    allow:
      - {rule: overlapping-kinds, kinds: [best, checkpoint], because: Criteria are never numbers.}
    ```

    ## Use instead
    ```yaml
    files:
      best: {path: "best/{{ criterion }}.pt"}
      checkpoint: {path: "checkpoints/{{ iteration }}.pt"}
    ```
    """
    found = {(clash.rule, frozenset(clash.kinds)) for clash in assembly.proof.clashes}
    allowed: set[tuple[str, frozenset[str]]] = set()
    for at, entry in enumerate(assembly.document.allow):
        key = (entry.rule, frozenset(entry.kinds))
        # Where the search was ended early, it may be a clash that was not found.
        is_needed = key in found or not assembly.proof.is_complete
        if key in allowed or not is_needed:
            kinds = " and ".join(f"`{kind}`" for kind in entry.kinds)
            message = f"there is no such finding to allow: {entry.rule} of {kinds}"
            yield Diagnostic("unused-allow", message, assembly.located.span(("allow", at)), "take the entry out")
        allowed.add(key)


_ARTICLES = {"array": "an array", "file": "a file"}


def _is_of_the_container(assembly: Assembly, clash: Clash) -> bool:
    """Whether the sets of values differ only by what the container's path has: that is told of the container."""
    container = assembly.kinds[clash.kinds[0]].container
    if container is None or not clash.readings:
        return False
    (key, _), (another, _) = clash.readings
    differing = {name for name, _ in key.values.items() ^ another.values.items()}
    is_told = any(one.rule == clash.rule and one.kinds == (container,) for one in assembly.proof.clashes)
    return is_told and differing <= assembly.kinds[container].fields.keys()


def _clashes(assembly: Assembly, rule: str) -> Iterator[Clash]:
    """The clashes of one rule that the layout does not allow."""
    allowed = {(entry.rule, frozenset(entry.kinds)) for entry in assembly.document.allow}
    for clash in assembly.proof.clashes:
        if clash.rule == rule and (rule, frozenset(clash.kinds)) not in allowed:
            yield clash


def _finding(assembly: Assembly, clash: Clash, kind: str, message: str) -> Diagnostic:
    span = assembly.kinds[kind].span
    cure = cure_for(clash, assembly.kinds, assembly.cure_budget)
    if not clash.readings:
        facts = ("no counter-example was found, but it was not proved either that there is none",)
        return Diagnostic(clash.rule, f"possibly {message}", span, cure, Severity.WARNING, info=facts)
    readings = [(str(key), path) for key, path in clash.readings]
    width = max(len(key) for key, _ in readings)
    return Diagnostic(clash.rule, message, span, cure, info=tuple(f"{key:<{width}} → {path}" for key, path in readings))
