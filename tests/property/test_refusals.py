"""Values are refused, never cleaned: what a store does with any text."""

from __future__ import annotations

import os
import tempfile

from hypothesis import event, given, settings, strategies as st

from zarrange import Store
from zarrange.errors import FieldError
from zarrange.language.layout import Layout

LAYOUTS = {name: Layout.load(name) for name in ("dacapo", "hive", "training")}

HOSTILE = st.sampled_from(["..", ".", "", "/", "a/../b", "/etc", "a\\b", "CON", "x.", "-x", "\0", "%2e%2e", "~", "é"])
TEXTS = st.one_of(HOSTILE, st.text(max_size=300), st.lists(HOSTILE, max_size=3).map("/".join))


class TestRefusals:
    @settings(max_examples=400, deadline=None)
    @given(name=st.sampled_from(sorted(LAYOUTS)), run=TEXTS, dataset=TEXTS)
    def test_a_refused_value_leaves_no_trace(self, name, run, dataset):
        """A value is taken as it is and comes back, or it is refused and nothing is touched."""
        with tempfile.TemporaryDirectory() as root:
            store = Store(f"{root}/store", LAYOUTS[name])
            values = {"run": run, "iteration": 7, "dataset": dataset}
            try:
                identifier = store.identifier("validation_prediction", **values)
            except FieldError as error:
                identifier, blamed = None, error.field
            assert os.listdir(root) == []
            event("refused" if identifier is None else "taken")
            if identifier is None:
                assert blamed in {"run", "dataset"}
                return
            inner = os.path.relpath(identifier.path, store.root)
            assert not inner.startswith("..")
            assert os.path.normpath(identifier.path) == identifier.path
            assert values in [dict(key.values) for key in store.layout.matches(inner)]
