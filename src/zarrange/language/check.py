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
            yield from _example_faults(assembly, kind, example)


def _example_faults(assembly: Assembly, kind: Kind, example: Example) -> Iterator[Diagnostic]:
    try:
        key = kind.key(kind.from_yaml(example.values))
        path = kind.render(key.values).path
    except FieldError as error:
        yield Diagnostic("failing-example", f"the example's values do not fit: {error}", example.values_span)
        return
    if path != example.path:
        message = f"the example of `{kind.name}` renders another path"
        yield Diagnostic("failing-example", message, example.span, f"its values give `{path}`")
    elif key not in assembly.matcher.matches(path):  # pragma: no cover - the two directions agree, or we have a bug
        yield Diagnostic("failing-example", f"the example of `{kind.name}` does not read back", example.span)


RULES: tuple[Callable[[Assembly], Iterator[Diagnostic]], ...] = (failing_example,)
