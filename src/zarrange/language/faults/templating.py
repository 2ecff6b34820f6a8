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
    TODO

    ## Why is this bad?
    TODO

    ## Example
    TODO

    ## Use instead
    TODO
    """
    return Diagnostic("invalid-template", message, span, advice, labels=labels)


def unknown_field(message: str, span: Span, advice: str | None = None, labels: tuple[Label, ...] = ()) -> Diagnostic:
    """A template names a field that is not declared.

    ## What it does
    TODO

    ## Why is this bad?
    TODO

    ## Example
    TODO

    ## Use instead
    TODO
    """
    return Diagnostic("unknown-field", message, span, advice, labels=labels)


def unknown_filter(message: str, span: Span, advice: str | None = None, labels: tuple[Label, ...] = ()) -> Diagnostic:
    """A template uses a filter that is not known to be reversible.

    ## What it does
    TODO

    ## Why is this bad?
    TODO

    ## Example
    TODO

    ## Use instead
    TODO
    """
    return Diagnostic("unknown-filter", message, span, advice, labels=labels)


def misapplied_filter(
    message: str, span: Span, advice: str | None = None, labels: tuple[Label, ...] = ()
) -> Diagnostic:
    """A filter does not take this sort of field, or these arguments.

    ## What it does
    TODO

    ## Why is this bad?
    TODO

    ## Example
    TODO

    ## Use instead
    TODO
    """
    return Diagnostic("misapplied-filter", message, span, advice, labels=labels)


def irreversible_template(
    message: str, span: Span, advice: str | None = None, labels: tuple[Label, ...] = ()
) -> Diagnostic:
    """A template has something that cannot be read back from a path.

    ## What it does
    TODO

    ## Why is this bad?
    TODO

    ## Example
    TODO

    ## Use instead
    TODO
    """
    return Diagnostic("irreversible-template", message, span, advice, labels=labels)


def fragment_cycle(message: str, span: Span, advice: str | None = None, labels: tuple[Label, ...] = ()) -> Diagnostic:
    """Fragments use each other in a circle.

    ## What it does
    TODO

    ## Why is this bad?
    TODO

    ## Example
    TODO

    ## Use instead
    TODO
    """
    return Diagnostic("fragment-cycle", message, span, advice, labels=labels)


def unsafe_segment(message: str, span: Span, advice: str | None = None, labels: tuple[Label, ...] = ()) -> Diagnostic:
    """A path has a segment that no path should have.

    ## What it does
    TODO

    ## Why is this bad?
    TODO

    ## Example
    TODO

    ## Use instead
    TODO
    """
    return Diagnostic("unsafe-segment", message, span, advice, labels=labels)
