"""Faults: the rules that loading holds a layout file against, one function a rule.

A function makes the finding of its rule, and its docstring explains it in four parts. A layout with a fault is not
loaded; what can only be wrong with one that is, is found by `zarrange.language.rules`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from zarrange.diagnostics import Diagnostic
from zarrange.language.faults.declaring import (
    contradictory_renaming,
    contradictory_view,
    invalid_choice,
    invalid_name,
    invalid_pattern,
    missing_key,
    undocumented_allow,
    unknown_container,
    unknown_key,
    unknown_kind,
    unknown_rule,
    unsupported_version,
    wrong_type,
)
from zarrange.language.faults.reading import (
    duplicate_key,
    extends_cycle,
    invalid_yaml,
    too_many_findings,
    unquoted_template,
    unreadable_layout,
)
from zarrange.language.faults.templating import (
    fragment_cycle,
    invalid_template,
    irreversible_template,
    misapplied_filter,
    unknown_field,
    unknown_filter,
    unsafe_segment,
)

__all__ = [
    "FAULTS",
    "Fault",
    "contradictory_renaming",
    "contradictory_view",
    "duplicate_key",
    "extends_cycle",
    "fragment_cycle",
    "invalid_choice",
    "invalid_name",
    "invalid_pattern",
    "invalid_template",
    "invalid_yaml",
    "irreversible_template",
    "misapplied_filter",
    "missing_key",
    "too_many_findings",
    "undocumented_allow",
    "unknown_container",
    "unknown_field",
    "unknown_filter",
    "unknown_key",
    "unknown_kind",
    "unknown_rule",
    "unquoted_template",
    "unreadable_layout",
    "unsafe_segment",
    "unsupported_version",
    "wrong_type",
]

Fault: TypeAlias = Callable[..., Diagnostic]
"""A function that makes the finding of one rule: of a message, a span, advice and labels."""

FAULTS: dict[str, Fault] = {
    fault.__name__.replace("_", "-"): fault
    for fault in (
        contradictory_renaming,
        contradictory_view,
        duplicate_key,
        extends_cycle,
        fragment_cycle,
        invalid_choice,
        invalid_name,
        invalid_pattern,
        invalid_template,
        invalid_yaml,
        irreversible_template,
        misapplied_filter,
        missing_key,
        too_many_findings,
        undocumented_allow,
        unknown_container,
        unknown_field,
        unknown_filter,
        unknown_key,
        unknown_kind,
        unknown_rule,
        unquoted_template,
        unreadable_layout,
        unsafe_segment,
        unsupported_version,
        wrong_type,
    )
}
