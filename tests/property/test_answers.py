"""Every text has an answer: whatever is written in a layout, it is refused with reasons or it is checked."""

from __future__ import annotations

from hypothesis import HealthCheck, event, given, settings
from tests.property.edited_layouts import answer, edited_layouts


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(edited_layouts())
def test_every_text_has_an_answer(text):
    """A text that is nearly a layout is loaded and checked, or refused with at least one reason that can be drawn."""
    drawn, is_loaded = answer(text)
    event("loaded" if is_loaded else "refused")
    assert is_loaded or "error[" in drawn
    assert drawn.isprintable() or set(drawn) - {"\n", "\x1b"} <= {one for one in drawn if one.isprintable()}
