"""The promises of the template language, for random layouts and values."""

from __future__ import annotations

import jinja2.sandbox
import pytest
from hypothesis import HealthCheck, assume, event, given, settings, strategies as st
from tests.property.random_layouts import SLOTS, VALUES, layout_texts, values_for

from zarrange.errors import AmbiguousPathError, FieldError, LayoutError
from zarrange.language.filters import BUILT_IN
from zarrange.language.layout import Layout

KINDS = ("box", "grid", "note")


def loaded(text):
    try:
        return Layout.parse(text)
    except LayoutError as error:
        event(f"refused: {error.diagnostics[0].rule}")
        assume(False)  # noqa: FBT003 - how Hypothesis spells it


def rendered(layout, kind, values):
    try:
        return layout.render(kind, **values).path
    except FieldError as error:
        event(f"refused: {error.reason[:30]}")
        assume(False)  # noqa: FBT003 - how Hypothesis spells it


def template_of(text, kind):
    """The Jinja2 source of a kind's whole path, as it stands in the layout's text."""
    lines = {line.split(":")[0].strip(): line for line in text.splitlines() if "path: '" in line}
    path = {name: lines[name].split("path: ")[1][1:-2].replace("''", "'") for name in KINDS}
    return f"{path['box']}/{path['grid']}" if kind == "grid" else path[kind]


@pytest.fixture(scope="module")
def jinja():
    """Jinja2's own sandboxed environment; a missing value is an error there as well."""
    environment = jinja2.sandbox.ImmutableSandboxedEnvironment(undefined=jinja2.StrictUndefined, autoescape=False)
    environment.filters.update({one.name: one.encode for one in BUILT_IN})
    return environment


quick = settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow]
)


class TestBothDirections:
    @quick
    @given(text=layout_texts(), kind=st.sampled_from(KINDS), data=st.data())
    def test_render_is_what_jinja_renders(self, jinja, text, kind, data):
        """For all templates and values, our renderer and Jinja2's own agree."""
        layout = loaded(text)
        values = data.draw(values_for(layout.kind(kind)))
        given_values = {name: value for name, value in values.items() if value is not None}
        assert rendered(layout, kind, values) == jinja.from_string(template_of(text, kind)).render(given_values)

    @quick
    @given(text=layout_texts(), kind=st.sampled_from(KINDS), data=st.data())
    def test_match_gives_back_what_was_rendered(self, text, kind, data):
        """A rendered path matches, and gives the values that it was rendered from."""
        layout = loaded(text)
        values = data.draw(values_for(layout.kind(kind)))
        path = rendered(layout, kind, values)
        key = layout.key(kind, **values)
        assert dict(key.values) == {name: value for name, value in values.items() if value is not None}
        assert key in layout.matches(path)
        if len(layout.matches(path)) == 1:
            assert layout.match(path) == key
        else:
            with pytest.raises(AmbiguousPathError):
                layout.match(path)

    @quick
    @given(text=layout_texts(), kind=st.sampled_from(KINDS), data=st.data())
    def test_what_matches_renders_back(self, text, kind, data):
        """A path that matches renders back to itself, whatever path it is."""
        layout = loaded(text)
        path = rendered(layout, kind, data.draw(values_for(layout.kind(kind))))
        for changed in (path, data.draw(mutations(path))):
            readings = layout.matches(changed)
            assert [layout.render(key.kind, **key.values).path for key in readings] == [changed] * len(readings)
            assert len(set(readings)) == len(readings)

    @quick
    @given(text=layout_texts(), kind=st.sampled_from(KINDS), data=st.data())
    def test_the_fast_matcher_is_the_clear_one(self, text, kind, data):
        """The compiled matcher and what goes by segments find what going by characters finds."""
        layout = loaded(text)
        path = rendered(layout, kind, data.draw(values_for(layout.kind(kind))))
        matcher = layout._assembly.matcher
        for changed in (path, data.draw(mutations(path))):
            assert matcher.matches(changed) == matcher.readings_by_characters(changed)

    @quick
    @given(text=layout_texts(), kind=st.sampled_from(KINDS), data=st.data())
    def test_a_layout_is_the_same_after_pickling(self, text, kind, data):
        """A pickled layout renders and matches as before."""
        import pickle

        layout = loaded(text)
        again = pickle.loads(pickle.dumps(layout))
        assert again == layout
        assert hash(again) == hash(layout)
        values = data.draw(values_for(layout.kind(kind)))
        path = rendered(layout, kind, values)
        assert again.render(kind, **values).path == path
        assert again.matches(path) == layout.matches(path)


@st.composite
def mutations(draw, path):
    """A path that is nearly the given one."""
    at = draw(st.integers(0, len(path)))
    insert = draw(st.sampled_from(["", "0", "a", "/", ".", "%", "+", "é", "\u0301", " ", "\n", "A", "٣"]))
    return path[:at] + insert + path[at + draw(st.integers(0, 2)) :]


def test_every_slot_has_values():
    """The strategies cover every field that the random templates use."""
    assert SLOTS.keys() == VALUES.keys()
