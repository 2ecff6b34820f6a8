"""The proof against brute force: on small layouts it finds what enumerating their paths finds, and nothing untrue."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, assume, event, given, settings, strategies as st
from tests.property.small_layouts import FAMILIES, enumerated_clashes, may_be_undecided, small_layouts

from zarrange.errors import LayoutError
from zarrange.language import proof
from zarrange.language.layout import Layout

thousandth = settings(
    max_examples=1000 // len(FAMILIES),
    deadline=None,
    suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow],
)


def loaded(text):
    try:
        return Layout.parse(text)
    except LayoutError as error:
        event(f"refused: {error.diagnostics[0].rule}")
        assume(False)  # noqa: FBT003 - how Hypothesis spells it


class TestAgainstBruteForce:
    """No two artifacts can ever share or swallow a path, or the shortest counter-example is shown."""

    @pytest.mark.parametrize("family", FAMILIES)
    @thousandth
    @given(data=st.data())
    def test_agrees_with_enumeration(self, family, data):
        """Every enumerated clash is found, with two readings that hold and are as short; or it cannot be decided."""
        letters, text = data.draw(small_layouts(family))
        layout = loaded(text)
        proved = proof.prove(layout.kinds)
        assert proved.is_complete
        found = {(clash.rule, clash.kinds): clash for clash in proved.clashes}
        assert len(found) == len(proved.clashes)
        expected = enumerated_clashes(layout, letters)
        assert expected.keys() - found.keys() == set()
        for what, clash in found.items():
            event(f"{'found' if what in expected else 'beyond enumeration'}: {clash.rule}")
            is_exact = not any(may_be_undecided(layout.kind(kind)) for kind in clash.kinds)
            if not clash.readings:
                event("possible")
                assert not is_exact or is_decided(layout, what)
                continue
            assert_holds(layout, clash)
            if what in expected and is_exact:
                assert len(clash.readings[1][1]) <= expected[what]


def is_decided(layout, what):
    """Whether a longer search knows more of a clash than that it is possible."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("STEPS", "SEARCH_STEPS", "SETTLE_STEPS"):
            patch.setattr(proof, name, 10**8)
        return all(one.readings for one in proof.prove(layout.kinds).clashes if (one.rule, one.kinds) == what)


def assert_holds(layout, clash):
    """Hold both readings of a clash against what the layout really renders and reads."""
    (one, left), (other, right) = clash.readings
    assert one != other
    for key, path in clash.readings:
        assert layout.render(key.kind, **key.values).path == path
        assert key in layout.matches(path)
    assert clash.kinds == tuple(sorted({one.kind, other.kind}, key=list(layout.kinds).index))
    if clash.rule == "nested-kinds":
        assert right.startswith(f"{left}/")
        assert layout.kind(one.kind).sort in {"array", "file"}
    else:
        assert left == right
        assert (one.kind == other.kind) == (clash.rule == "ambiguous-template")
