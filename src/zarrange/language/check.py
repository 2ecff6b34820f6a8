"""Check: a loaded layout held against every rule, and what it says of the rules itself.

A layout may turn a rule off or change its severity under `rules`, and accept single clashes, each with its reason,
under `allow`. A layout with a fault of the format never gets here: loading refuses it, with all that is wrong.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING

from attrs import evolve, frozen

from zarrange.diagnostics import Diagnostic, Severity, similar
from zarrange.language import faults
from zarrange.language.rules.examples import failing_example, missing_example

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from zarrange.language.assembly import Assembly

__all__ = ["RULES", "Rule", "check", "check_settings", "rule_pages"]


@frozen
class Rule:
    """A rule that a loaded layout is held against: `find` yields its findings, which have this `severity`."""

    find: Callable[[Assembly], Iterator[Diagnostic]]
    severity: Severity

    @property
    def name(self) -> str:
        """The bad pattern: the function's name, as users write it."""
        return self.find.__name__.replace("_", "-")


ALLOWABLE = ("ambiguous-template", "overlapping-kinds", "nested-kinds")
"""The findings that a layout may accept one by one, under `allow`."""

RULES: dict[str, Rule] = {
    rule.name: rule
    for rule in (
        Rule(failing_example, Severity.ERROR),
        Rule(missing_example, Severity.WARNING),
    )
}


def check(assembly: Assembly) -> tuple[Diagnostic, ...]:
    """Return every finding of every rule that is not turned off, in the order of the file."""
    found = []
    for rule in RULES.values():
        level = assembly.document.rules.get(rule.name, rule.severity.value)
        if level != "off":
            found += [evolve(one, severity=Severity(level)) for one in rule.find(assembly)]
    return tuple(sorted(found, key=lambda one: (one.span, one.rule, one.message)))


def rule_pages() -> dict[str, str]:
    """Return what explains each rule, by its name: Markdown with four headings."""
    functions = {**faults.FAULTS, **{name: rule.find for name, rule in RULES.items()}}
    return {name: inspect.cleandoc(function.__doc__ or "") for name, function in sorted(functions.items())}


def check_settings(assembly: Assembly, report: Callable[[Diagnostic], None]) -> None:
    """Report what is wrong with what a layout says of the rules: it is part of the format."""
    located = assembly.located
    for name in assembly.document.rules:
        if name not in RULES:
            message = f"`{name}` is no rule that can be turned off or changed"
            report(faults.unknown_rule(message, located.key_span(("rules", name)), similar(name, RULES, "rule")))
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
