"""What a terminal may be sent."""

from __future__ import annotations

import pytest

from zarrange.report.characters import plain, printable, width


def test_what_is_not_printable_is_escaped():
    """Control characters, format characters and surrogates become their escapes; the rest stays."""
    assert printable("a\x1b[1m\u202eb\ud800 é日\n") == "a\\x1b[1m\\u202eb\\ud800 é日\\n"


def test_a_tab_of_a_source_line_is_four_spaces():
    """Tabs are drawn as spaces, other control characters as escapes."""
    assert plain("\ta\x07") == "    a\\x07"


@pytest.mark.parametrize(("text", "columns"), [("", 0), ("ab", 2), ("日本", 4), ("e\u0301", 1), ("\uff21", 2)])
def test_width_counts_columns(text, columns):
    """Wide characters take two columns, combining ones none."""
    assert width(text) == columns
