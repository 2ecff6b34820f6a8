"""The rules that a loaded layout is held against: one function a rule, named after the bad pattern.

A layout that breaks the format itself never gets here: loading refuses it, with all that is wrong. Each function's
docstring has four parts: what it does, why it is bad, example, use instead.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zarrange.diagnostics import Diagnostic
from zarrange.errors import FieldError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from zarrange.language.assembly import Assembly
    from zarrange.language.kinds import Example, Kind

__all__ = ["RULES", "check"]


def check(assembly: Assembly) -> tuple[Diagnostic, ...]:
    """Return every finding of every rule, in the order of the file."""
    found = [diagnostic for rule in RULES for diagnostic in rule(assembly)]
    return tuple(sorted(found, key=lambda one: (one.span, one.rule, one.message)))


def failing_example(assembly: Assembly) -> Iterator[Diagnostic]:
    """An example of a kind does not hold.

    ## What it does
    Renders each example's values and reads its path back: the two must agree.

    ## Why is this bad?
    An example is what the reader of a layout believes. One that does not hold says that the template does
    something else than its author meant, or that the template was changed and its users were not told.

    ## Example
    ```yaml
    path: "{{ iteration | pad(8) }}/raw"
    examples:
      - {values: {iteration: 1000}, path: 1000/raw}
    ```

    ## Use instead
    ```yaml
    path: "{{ iteration | pad(8) }}/raw"
    examples:
      - {values: {iteration: 1000}, path: 00001000/raw}
    ```
    """
    for kind in assembly.kinds.values():
        for example in kind.examples:
            fault = _example_fault(assembly, kind, example)
            if fault is not None:
                yield Diagnostic("failing-example", fault[0], example.span, fault[1])


def _example_fault(assembly: Assembly, kind: Kind, example: Example) -> tuple[str, str | None] | None:
    try:
        key = kind.key(kind.from_yaml(example.values))
        path = kind.render(key.values).path
    except FieldError as error:
        return f"the example's values do not fit: {error}", None
    if path != example.path:
        return f"the example of `{kind.name}` renders another path", f"its values give `{path}`"
    if key not in assembly.matcher.matches(path):  # pragma: no cover - the two directions agree, or we have a bug
        return f"the example of `{kind.name}` does not read back", None
    return None


RULES: tuple[Callable[[Assembly], Iterator[Diagnostic]], ...] = (failing_example,)
