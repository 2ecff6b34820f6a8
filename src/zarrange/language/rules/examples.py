"""Rules about examples: what the reader of a layout believes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zarrange.diagnostics import Diagnostic
from zarrange.errors import FieldError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from zarrange.language.assembly import Assembly
    from zarrange.language.kinds import Example, Kind

__all__ = ["failing_example", "missing_example"]


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
        message = f"the values of an example of `{kind.name}` do not fit: field `{error.field}` {error.reason}"
        yield Diagnostic("failing-example", message, example.values_span)
        return
    if path != example.path:
        message = f"the example of `{kind.name}` renders another path"
        yield Diagnostic("failing-example", message, example.span, f"its values give `{path}`")
    elif key not in assembly.matcher.matches(path):  # pragma: no cover - the two directions agree, or we have a bug
        yield Diagnostic("failing-example", f"the example of `{kind.name}` does not read back", example.span)


def missing_example(assembly: Assembly) -> Iterator[Diagnostic]:
    """A kind has no example.

    ## What it does
    Looks for kinds without `examples`.

    ## Why is this bad?
    An example shows what a template means, and fails as soon as an edit changes its paths. Without one, an edit can
    move every new artifact of a kind away from the old ones without anybody noticing.

    ## Example
    ```yaml
    files:
      note: {path: "{{ run }}.txt"}
    ```

    ## Use instead
    ```yaml
    files:
      note:
        path: "{{ run }}.txt"
        examples:
          - {values: {run: r1}, path: r1.txt}
    ```
    """
    for kind in assembly.kinds.values():
        if not kind.examples:
            yield Diagnostic("missing-example", f"`{kind.name}` has no example", assembly.kind_span(kind))
