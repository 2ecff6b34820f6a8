"""Findings: what is wrong with one file, as far as anybody would read it."""

from __future__ import annotations

from zarrange.diagnostics import MAX_FINDINGS, Diagnostic
from zarrange.language import faults

__all__ = ["Findings", "TooManyFindings"]


class TooManyFindings(Exception):  # noqa: N818 - ends a search for findings; it is no error of the caller
    """There are as many findings as anybody would read."""


class Findings(list[Diagnostic]):
    """The findings of one file: `report` stops whoever looks for more than anybody would read."""

    def report(self, finding: Diagnostic) -> None:
        """Add a finding. Raises `TooManyFindings` when there are enough."""
        self.append(finding)
        if len(self) >= MAX_FINDINGS:
            message = f"there may be more findings than these {MAX_FINDINGS}"
            self.append(faults.too_many_findings(message, finding.span))
            raise TooManyFindings
