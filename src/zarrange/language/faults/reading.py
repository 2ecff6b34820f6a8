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
    TODO

    ## Why is this bad?
    TODO

    ## Example
    TODO

    ## Use instead
    TODO
    """
    return Diagnostic("invalid-yaml", message, span, advice, labels=labels)


def duplicate_key(message: str, span: Span, advice: str | None = None, labels: tuple[Label, ...] = ()) -> Diagnostic:
    """A name stands twice where it may stand once.

    ## What it does
    TODO

    ## Why is this bad?
    TODO

    ## Example
    TODO

    ## Use instead
    TODO
    """
    return Diagnostic("duplicate-key", message, span, advice, labels=labels)


def unquoted_template(
    message: str, span: Span, advice: str | None = None, labels: tuple[Label, ...] = ()
) -> Diagnostic:
    """A template stands in the file without quotes.

    ## What it does
    TODO

    ## Why is this bad?
    TODO

    ## Example
    TODO

    ## Use instead
    TODO
    """
    return Diagnostic("unquoted-template", message, span, advice, labels=labels)


def unreadable_layout(
    message: str, span: Span, advice: str | None = None, labels: tuple[Label, ...] = ()
) -> Diagnostic:
    """A layout, or one that it extends, cannot be read.

    ## What it does
    TODO

    ## Why is this bad?
    TODO

    ## Example
    TODO

    ## Use instead
    TODO
    """
    return Diagnostic("unreadable-layout", message, span, advice, labels=labels)


def extends_cycle(message: str, span: Span, advice: str | None = None, labels: tuple[Label, ...] = ()) -> Diagnostic:
    """Layouts extend each other in a circle.

    ## What it does
    TODO

    ## Why is this bad?
    TODO

    ## Example
    TODO

    ## Use instead
    TODO
    """
    return Diagnostic("extends-cycle", message, span, advice, labels=labels)


def too_many_findings(
    message: str, span: Span, advice: str | None = None, labels: tuple[Label, ...] = ()
) -> Diagnostic:
    """A file has more findings than anybody would read.

    ## What it does
    TODO

    ## Why is this bad?
    TODO

    ## Example
    TODO

    ## Use instead
    TODO
    """
    return Diagnostic("too-many-findings", message, span, advice, labels=labels)
