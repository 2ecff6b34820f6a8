"""Faults of a template: what cannot be read, cannot be read back, or is no path."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zarrange.diagnostics import Diagnostic

if TYPE_CHECKING:
    from zarrange.diagnostics import Label, Span

__all__ = [
    "fragment_cycle",
    "invalid_template",
    "irreversible_template",
    "misapplied_filter",
    "unknown_field",
    "unknown_filter",
    "unsafe_segment",
]


def invalid_template(message: str, span: Span, advice: str | None = None, labels: tuple[Label, ...] = ()) -> Diagnostic:
    """A template is not Jinja2.

    ## What it does
    Reads each template by Jinja2's own parser, and looks for braces that belong to nothing. Templates of more than
    4,096 characters or 200 parts are refused as well.

    ## Why is this bad?
    What a template means must be certain before anything is written to its paths. A single brace is legal text to
    Jinja2, and nearly always a slip: the braces would become part of every path.

    ## Example
    ```yaml
    files:
      log: {path: "{ run }/log.txt"}
    ```

    ## Use instead
    ```yaml
    files:
      log: {path: "{{ run }}/log.txt"}
    ```
    """
    return Diagnostic("invalid-template", message, span, advice, labels=labels)


def unknown_field(message: str, span: Span, advice: str | None = None, labels: tuple[Label, ...] = ()) -> Diagnostic:
    """A template or the view names a field that is not declared.

    ## What it does
    Looks for each name in a template among the layout's `fields` and `fragments`. A condition asks for a field: a
    fragment has no value. The fields that `view` names are looked for as well; what a view inherits goes with its
    field.

    ## Why is this bad?
    The type of a field says which values fit and how they are read back, so a path with an unknown field has no
    meaning. Jinja2 alone would put an empty text in its place, and the paths of different artifacts would be the same.

    ## Example
    ```yaml
    fields:
      sample: {type: str}
    files:
      log: {path: "{{ smaple }}.txt"}
    ```

    ## Use instead
    ```yaml
    fields:
      sample: {type: str}
    files:
      log: {path: "{{ sample }}.txt"}
    ```
    """
    return Diagnostic("unknown-field", message, span, advice, labels=labels)


def unknown_filter(message: str, span: Span, advice: str | None = None, labels: tuple[Label, ...] = ()) -> Diagnostic:
    """A template uses a filter that is not known to be reversible.

    ## What it does
    Looks for each filter of a template among the reversible ones: `pad`, `quote`, `date`, and those that the program
    gives to `Layout.load`.

    ## Why is this bad?
    A path must tell the values that it was made of. Most of Jinja2's own filters lose something: behind `lower`, `A`
    and `a` are the same file, and one of them overwrites the other.

    ## Example
    ```yaml
    files:
      log: {path: "{{ run | lower }}/log.txt"}
    ```

    ## Use instead
    ```yaml
    files:
      log: {path: "{{ run }}/log.txt"}
    ```
    """
    return Diagnostic("unknown-filter", message, span, advice, labels=labels)


def misapplied_filter(
    message: str, span: Span, advice: str | None = None, labels: tuple[Label, ...] = ()
) -> Diagnostic:
    """A filter does not take this sort of field, or these arguments.

    ## What it does
    Holds each filter against the type of its field, and its arguments against what the filter takes.

    ## Why is this bad?
    The filter could only fail, at the first artifact that is written. A date format that leaves out the day, or has
    the time in a form that is not the same everywhere, would not read back.

    ## Example
    ```yaml
    files:
      log: {path: "{{ run | pad(8) }}.txt"}
    ```

    ## Use instead
    ```yaml
    files:
      log: {path: "{{ iteration | pad(8) }}.txt"}
    ```
    """
    return Diagnostic("misapplied-filter", message, span, advice, labels=labels)


def irreversible_template(
    message: str, span: Span, advice: str | None = None, labels: tuple[Label, ...] = ()
) -> Diagnostic:
    """A template has something that cannot be read back from a path.

    ## What it does
    Looks for anything in a template but text, fields, fragments, filters and two sorts of conditions, `is defined` and
    `== 'literal'`, and for branches that take a field's value and do not write it.

    ## Why is this bad?
    What exists is found by reading paths back. A path that does not tell all of its values cannot be found by them,
    and two artifacts with different values can share it.

    ## Example
    ```yaml
    files:
      log: {path: "{{ run }}/{{ iteration // 1000 }}.txt"}
    ```

    ## Use instead
    ```yaml
    files:
      log: {path: "{{ run }}/{{ iteration }}.txt"}
    ```
    """
    return Diagnostic("irreversible-template", message, span, advice, labels=labels)


def fragment_cycle(message: str, span: Span, advice: str | None = None, labels: tuple[Label, ...] = ()) -> Diagnostic:
    """Fragments use each other in a circle.

    ## What it does
    Follows the fragments that a fragment uses, and finds one that uses itself, directly or through others.

    ## Why is this bad?
    A fragment stands for its text. One that has itself in its text would never end.

    ## Example
    ```yaml
    fragments:
      home: "{{ run_dir }}/home"
      run_dir: "{{ home }}/{{ run }}"
    files:
      log: {path: "{{ run_dir }}/log.txt"}
    ```

    ## Use instead
    ```yaml
    fragments:
      home: "home"
      run_dir: "{{ home }}/{{ run }}"
    files:
      log: {path: "{{ run_dir }}/log.txt"}
    ```
    """
    return Diagnostic("fragment-cycle", message, span, advice, labels=labels)


def unsafe_segment(message: str, span: Span, advice: str | None = None, labels: tuple[Label, ...] = ()) -> Diagnostic:
    """A path has a segment that no path should have.

    ## What it does
    Looks at what stands between the slashes of a template: an empty segment, `.` or `..`, a name that zarr keeps for
    itself, characters that no path can have, any text that is not quoted, a time without a format.

    ## Why is this bad?
    Such a path leads elsewhere: to another folder, out of the store, into zarr's own metadata, or to two places that a
    file system takes for one. Values are refused rather than cleaned, so a template must not make a bad segment of
    good values either.

    ## Example
    ```yaml
    files:
      log: {path: "/{{ run }}/../log.txt"}
    ```

    ## Use instead
    ```yaml
    files:
      log: {path: "logs/{{ run }}/log.txt"}
    ```
    """
    return Diagnostic("unsafe-segment", message, span, advice, labels=labels)
