"""Drawing: diagnostics as text for people, as JSON, as GitHub's annotations or as SARIF; and what a search found.

The only place that knows what a screen looks like. Nothing here prints, or looks at the terminal: whoever calls says
whether to color. Text that comes from a layout or a path is shown with its control characters escaped, so that it can
neither move the cursor nor hide. What a search found is drawn by `listing` and `tree`, which are imported as modules:
who checks layouts pays for no tables.
"""

from __future__ import annotations

from zarrange.report.characters import printable
from zarrange.report.data import diagnostics_as_json
from zarrange.report.github import diagnostics_as_github
from zarrange.report.sarif import diagnostics_as_sarif
from zarrange.report.text import diagnostics_as_text, summary

__all__ = [
    "diagnostics_as_github",
    "diagnostics_as_json",
    "diagnostics_as_sarif",
    "diagnostics_as_text",
    "printable",
    "summary",
]
