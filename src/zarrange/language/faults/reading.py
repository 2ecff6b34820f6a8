"""Faults of a file: what keeps a layout from being read as YAML, or from being found at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zarrange.diagnostics import Diagnostic

if TYPE_CHECKING:
    from zarrange.diagnostics import Label, Span

__all__ = [
    "duplicate_key",
    "extends_cycle",
    "invalid_yaml",
    "too_many_findings",
    "unquoted_template",
    "unreadable_layout",
]


def invalid_yaml(message: str, span: Span, advice: str | None = None, labels: tuple[Label, ...] = ()) -> Diagnostic:
    """A layout file is not the small YAML that layouts are written in.

    ## What it does
    Reads a layout file as one YAML document: UTF-8, at most 64 KiB, not nested deeply. What YAML itself forbids is
    found, and so are anchors, aliases, tags, merge keys, control characters and second documents, which layouts do
    without.

    ## Why is this bad?
    A layout decides where data is written, so its text must mean one thing to every reader and every parser. Aliases
    and tags make a value depend on what stands far away from it, and let a small file grow large when it is read.

    ## Example
    ```yaml
    fields:
      run: &name {type: str}
      dataset: *name
    files:
      log: {path: "{{ run }}/{{ dataset }}.txt"}
    ```

    ## Use instead
    ```yaml
    fields:
      run: {type: str}
      dataset: {type: str}
    files:
      log: {path: "{{ run }}/{{ dataset }}.txt"}
    ```
    """
    return Diagnostic("invalid-yaml", message, span, advice, labels=labels)


def duplicate_key(message: str, span: Span, advice: str | None = None, labels: tuple[Label, ...] = ()) -> Diagnostic:
    """A name stands twice where it may stand once.

    ## What it does
    Looks for a key that stands twice in one mapping, and for a kind that stands in two sections.

    ## Why is this bad?
    Most YAML readers silently keep the last of two equal keys, so half of what was written would mean nothing. A
    kind is asked for by its name alone, whatever its section, so a name can belong to one kind only.

    ## Example
    ```yaml
    files:
      log: {path: "{{ run }}/log.txt"}
      log: {path: "{{ run }}/errors.txt"}
    ```

    ## Use instead
    ```yaml
    files:
      log: {path: "{{ run }}/log.txt"}
      errors: {path: "{{ run }}/errors.txt"}
    ```
    """
    return Diagnostic("duplicate-key", message, span, advice, labels=labels)


def unquoted_template(
    message: str, span: Span, advice: str | None = None, labels: tuple[Label, ...] = ()
) -> Diagnostic:
    """A template stands in the file without quotes.

    ## What it does
    Looks for a value that begins with `{{` or `{%` and is not quoted.

    ## Why is this bad?
    A brace begins a mapping in YAML, so the template never reaches zarrange: YAML reads it as something else, or
    stops with an error that does not mention templates.

    ## Example
    ```yaml
    files:
      log:
        path: {{ run }}/log.txt
    ```

    ## Use instead
    ```yaml
    files:
      log:
        path: "{{ run }}/log.txt"
    ```
    """
    return Diagnostic("unquoted-template", message, span, advice, labels=labels)


def unreadable_layout(
    message: str, span: Span, advice: str | None = None, labels: tuple[Label, ...] = ()
) -> Diagnostic:
    """A layout, or one that it extends, cannot be read.

    ## What it does
    Looks for the file of a layout, and for the files of those that it extends. A layout is the name of one that comes
    with zarrange, or a file of at most 64 KiB; `extends` takes such a name, or the name of a YAML file in the same
    folder.

    ## Why is this bad?
    Without its text there is no layout. `extends` does not lead to other folders, so that a layout from somebody else
    cannot make zarrange read files that have nothing to do with it.

    ## Example
    ```yaml
    zarrange: 1
    extends: ../training.yaml
    ```

    ## Use instead
    ```yaml
    zarrange: 1
    extends: training
    ```
    """
    return Diagnostic("unreadable-layout", message, span, advice, labels=labels)


def extends_cycle(message: str, span: Span, advice: str | None = None, labels: tuple[Label, ...] = ()) -> Diagnostic:
    """Layouts extend each other in a circle.

    ## What it does
    Follows `extends` from file to file. It finds a layout that extends itself, directly or through others, and a chain
    of more than eight layouts.

    ## Why is this bad?
    A layout is what it says itself on top of what it extends. In a circle there is no first layout to begin with, and
    in a very long chain nobody sees any more where a path comes from.

    ## Example
    ```yaml
    # mine.yaml
    zarrange: 1
    extends: ours.yaml
    ```
    ```yaml
    # ours.yaml
    zarrange: 1
    extends: mine.yaml
    ```

    ## Use instead
    ```yaml
    # mine.yaml
    zarrange: 1
    extends: ours.yaml
    ```
    ```yaml
    # ours.yaml
    zarrange: 1
    extends: training
    ```
    """
    return Diagnostic("extends-cycle", message, span, advice, labels=labels)


def too_many_findings(
    message: str, span: Span, advice: str | None = None, labels: tuple[Label, ...] = ()
) -> Diagnostic:
    """A file has more findings than anybody would read.

    ## What it does
    Stops looking when a layout has a hundred findings, and says so.

    ## Why is this bad?
    So many findings mostly have one cause, such as a renamed field or a file that is no layout at all. More of them
    would not help to find it, and a file made to have very many would cost time and memory.

    ## Example
    A layout whose only field was renamed, and whose hundred templates were not.

    ## Use instead
    A layout in which the first findings are mended: the others may go with them.
    """
    return Diagnostic("too-many-findings", message, span, advice, labels=labels)
