"""Check: a loaded layout held against every rule, and what it says of the rules itself.

A layout may turn a rule off or change its severity under `rules`, and accept single clashes, each with its reason,
under `allow`. A layout with a fault of the format never gets here: loading refuses it, with all that is wrong.
"""

from __future__ import annotations

import inspect
from contextlib import suppress
from typing import TYPE_CHECKING

from attrs import evolve, frozen

from zarrange.diagnostics import Diagnostic, Severity, similar
from zarrange.language import faults
from zarrange.language.findings import Findings, TooManyFindings
from zarrange.language.rules.clashes import (
    ambiguous_template,
    nested_kinds,
    overlapping_kinds,
    unproved_layout,
    unused_allow,
)
from zarrange.language.rules.examples import failing_example, missing_example
from zarrange.language.rules.fields import missing_doc, slow_pattern, unfillable_field, unused_field, unused_fragment
from zarrange.language.rules.lengths import long_path
from zarrange.language.rules.names import case_collision, chunk_name, unmarked_container, unportable_segment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from zarrange.language.assembly import Assembly

__all__ = ["RULES", "Rule", "check", "check_settings", "clashes", "rule_pages"]


@frozen
class Rule:
    """A rule that a loaded layout is held against: `find` yields its findings, which have this `severity`."""

    find: Callable[[Assembly], Iterator[Diagnostic]]
    severity: Severity

    def severity_of(self, finding: Diagnostic) -> Severity:
        """How bad a finding is, if the layout says nothing else: not worse than the finding itself says."""
        return self.severity if finding.severity is Severity.ERROR else finding.severity

    @property
    def name(self) -> str:
        """The bad pattern: the function's name, as users write it."""
        return self.find.__name__.replace("_", "-")


ALLOWABLE = ("ambiguous-template", "overlapping-kinds", "nested-kinds")
"""The findings that a layout may accept one by one, under `allow`."""

RULES: dict[str, Rule] = {
    rule.name: rule
    for rule in (
        Rule(unproved_layout, Severity.WARNING),  # first: of very many findings the last ones are left out
        Rule(ambiguous_template, Severity.ERROR),
        Rule(overlapping_kinds, Severity.ERROR),
        Rule(nested_kinds, Severity.ERROR),
        Rule(failing_example, Severity.ERROR),
        Rule(unfillable_field, Severity.ERROR),
        Rule(unused_allow, Severity.WARNING),
        Rule(case_collision, Severity.WARNING),
        Rule(chunk_name, Severity.WARNING),
        Rule(unportable_segment, Severity.WARNING),
        Rule(unmarked_container, Severity.WARNING),
        Rule(long_path, Severity.WARNING),
        Rule(slow_pattern, Severity.WARNING),
        Rule(unused_field, Severity.WARNING),
        Rule(unused_fragment, Severity.WARNING),
        Rule(missing_example, Severity.WARNING),
        Rule(missing_doc, Severity.WARNING),
    )
}


def check(assembly: Assembly) -> tuple[Diagnostic, ...]:
    """Return every finding of every rule that is not turned off, in the order of the file."""
    found = Findings()
    with suppress(TooManyFindings):
        for rule in RULES.values():
            level = assembly.document.rules.get(rule.name)
            if level != "off":
                for one in rule.find(assembly):
                    found.report(evolve(one, severity=rule.severity_of(one) if level is None else Severity(level)))
    return tuple(sorted(found, key=lambda one: (one.span, one.rule, one.message)))


def clashes(assembly: Assembly) -> tuple[Diagnostic, ...]:
    """Return the clashes that are neither disproved nor allowed, also where their rules are turned off."""
    return tuple(one for name in ("unproved-layout", *ALLOWABLE) for one in RULES[name].find(assembly))


def rule_pages() -> dict[str, str]:
    """Return what explains each rule, by its name: Markdown with four headings."""
    functions = {**faults.FAULTS, **{name: rule.find for name, rule in RULES.items()}}
    return {name: inspect.cleandoc(function.__doc__ or "") for name, function in sorted(functions.items())}


def check_settings(assembly: Assembly, report: Callable[[Diagnostic], None]) -> None:
    """Report what is wrong with what a layout says of the rules: it is part of the format."""
    located = assembly.located
    for name in assembly.document.rules:
        if name not in RULES:
            is_fault = name in faults.FAULTS
            message = f"`{name}` is a fault of the format, and not a matter of severity"
            message = message if is_fault else f"`{name}` is no rule that can be turned off or changed"
            advice = "take the entry out" if is_fault else similar(name, RULES, "rule")
            report(faults.unknown_rule(message, located.key_span(("rules", name)), advice))
    for at, entry in enumerate(assembly.document.allow):
        if entry.rule not in ALLOWABLE:
            message = f"`{entry.rule}` is not a finding that can be allowed"
            span = located.span(("allow", at, "rule"))
            report(faults.unknown_rule(message, span, similar(entry.rule, ALLOWABLE, "rule")))
        for i, kind in enumerate(entry.kinds):
            if kind not in assembly.named:
                span = located.span(("allow", at, "kinds", i))
                report(faults.unknown_kind(f"`{kind}` is not a kind", span, similar(kind, assembly.named, "kind")))
        if not entry.because.strip():
            span = located.span(("allow", at, "because"))
            message = "the finding is allowed without a reason"
            report(faults.undocumented_allow(message, span, "say why it does no harm"))
