"""Faults of an outline: sections, names, fields and references that a layout cannot have."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zarrange.diagnostics import Diagnostic

if TYPE_CHECKING:
    from zarrange.diagnostics import Label, Span

__all__ = [
    "invalid_choice",
    "invalid_name",
    "invalid_pattern",
    "missing_key",
    "undocumented_allow",
    "unknown_container",
    "unknown_key",
    "unknown_kind",
    "unknown_rule",
    "unsupported_version",
    "wrong_type",
]


def unsupported_version(
    message: str, span: Span, advice: str | None = None, labels: tuple[Label, ...] = ()
) -> Diagnostic:
    """A layout is written in a version of the format that is not known.

    ## What it does
    TODO

    ## Why is this bad?
    TODO

    ## Example
    TODO

    ## Use instead
    TODO
    """
    return Diagnostic("unsupported-version", message, span, advice, labels=labels)


def missing_key(message: str, span: Span, advice: str | None = None, labels: tuple[Label, ...] = ()) -> Diagnostic:
    """Something that a layout needs is not there.

    ## What it does
    TODO

    ## Why is this bad?
    TODO

    ## Example
    TODO

    ## Use instead
    TODO
    """
    return Diagnostic("missing-key", message, span, advice, labels=labels)


def unknown_key(message: str, span: Span, advice: str | None = None, labels: tuple[Label, ...] = ()) -> Diagnostic:
    """A key stands where the format has none of that name.

    ## What it does
    TODO

    ## Why is this bad?
    TODO

    ## Example
    TODO

    ## Use instead
    TODO
    """
    return Diagnostic("unknown-key", message, span, advice, labels=labels)


def wrong_type(message: str, span: Span, advice: str | None = None, labels: tuple[Label, ...] = ()) -> Diagnostic:
    """A value is not of the sort that belongs in its place.

    ## What it does
    TODO

    ## Why is this bad?
    TODO

    ## Example
    TODO

    ## Use instead
    TODO
    """
    return Diagnostic("wrong-type", message, span, advice, labels=labels)


def invalid_name(message: str, span: Span, advice: str | None = None, labels: tuple[Label, ...] = ()) -> Diagnostic:
    """A field, a fragment or a kind has a name that templates cannot use.

    ## What it does
    TODO

    ## Why is this bad?
    TODO

    ## Example
    TODO

    ## Use instead
    TODO
    """
    return Diagnostic("invalid-name", message, span, advice, labels=labels)


def invalid_pattern(message: str, span: Span, advice: str | None = None, labels: tuple[Label, ...] = ()) -> Diagnostic:
    """A pattern is no regular expression, or not a regular one.

    ## What it does
    TODO

    ## Why is this bad?
    TODO

    ## Example
    TODO

    ## Use instead
    TODO
    """
    return Diagnostic("invalid-pattern", message, span, advice, labels=labels)


def invalid_choice(message: str, span: Span, advice: str | None = None, labels: tuple[Label, ...] = ()) -> Diagnostic:
    """A field's `choices` have a value that the field itself does not take.

    ## What it does
    TODO

    ## Why is this bad?
    TODO

    ## Example
    TODO

    ## Use instead
    TODO
    """
    return Diagnostic("invalid-choice", message, span, advice, labels=labels)


def unknown_container(
    message: str, span: Span, advice: str | None = None, labels: tuple[Label, ...] = ()
) -> Diagnostic:
    """An array or a group is in a container that is not declared.

    ## What it does
    TODO

    ## Why is this bad?
    TODO

    ## Example
    TODO

    ## Use instead
    TODO
    """
    return Diagnostic("unknown-container", message, span, advice, labels=labels)


def unknown_kind(message: str, span: Span, advice: str | None = None, labels: tuple[Label, ...] = ()) -> Diagnostic:
    """An accepted finding is about a kind that does not exist.

    ## What it does
    TODO

    ## Why is this bad?
    TODO

    ## Example
    TODO

    ## Use instead
    TODO
    """
    return Diagnostic("unknown-kind", message, span, advice, labels=labels)


def unknown_rule(message: str, span: Span, advice: str | None = None, labels: tuple[Label, ...] = ()) -> Diagnostic:
    """A layout names a rule that does not exist, or that cannot be changed.

    ## What it does
    TODO

    ## Why is this bad?
    TODO

    ## Example
    TODO

    ## Use instead
    TODO
    """
    return Diagnostic("unknown-rule", message, span, advice, labels=labels)


def undocumented_allow(
    message: str, span: Span, advice: str | None = None, labels: tuple[Label, ...] = ()
) -> Diagnostic:
    """A finding is accepted without a reason.

    ## What it does
    TODO

    ## Why is this bad?
    TODO

    ## Example
    TODO

    ## Use instead
    TODO
    """
    return Diagnostic("undocumented-allow", message, span, advice, labels=labels)
