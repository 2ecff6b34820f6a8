"""Names resolved: fields, fragments, containers, kinds, accepted findings."""

from __future__ import annotations

import pytest

from zarrange import Layout, LayoutError

HEAD = "zarrange: 1\nfields: {a: {type: str}, n: {type: int}}\n"


def diagnostics(text):
    with pytest.raises(LayoutError) as caught:
        Layout.parse(HEAD + text, file="f")
    return [(one.rule, str(one.span), one.message, one.help) for one in caught.value.diagnostics]


class TestNames:
    def test_a_name_means_one_thing(self):
        """A fragment cannot have the name of a field, nor a kind that of another kind."""
        assert diagnostics("fragments: {a: x}\nfiles: {k: {path: k}}\ncontainers: {k: {path: k.zarr}}") == [
            ("invalid-name", "f:3:13", "`a` is a field and a fragment", "rename one of them"),
            ("duplicate-key", "f:4:9", "the kind `k` stands under `containers` already", "rename one of them"),
        ]

    @pytest.mark.parametrize(("section", "what"), [("files", "kind"), ("fragments", "fragment")])
    def test_a_name_is_plain(self, section, what):
        """Names are words of letters, digits and underscores, and none of Python's own."""
        entry = "{path: x}" if section == "files" else "x"
        advice = "use letters, digits and _, a letter first, and no word of Python's own"
        assert diagnostics(f"{section}: {{'a-b': {entry}, lambda: {entry}, _x: {entry}}}") == [
            ("invalid-name", f"f:3:{len(section) + column}", f"`{name}` is no name for a {what}", advice)
            for name, column in (
                ("a-b", 4),
                ("lambda", 4 + len(f"'a-b': {entry}, ")),
                ("_x", 4 + len(f"'a-b': {entry}, lambda: {entry}, ")),
            )
        ]

    def test_a_container_must_be_declared(self):
        """An array names a container that the layout has; a similar one is suggested."""
        assert diagnostics("containers: {masks: {path: m.zarr}}\narrays: {x: {container: mask, path: x}}") == [
            ("unknown-container", "f:4:25", "`mask` is not a declared container", "a similar container exists: `masks`")
        ]

    def test_a_wrong_field_is_reported_once(self):
        """Templates that use a field which is declared wrongly are not blamed for it."""
        text = 'zarrange: 1\nfields: {a: {type: strr}}\nfiles: {x: {path: "{{ a }}"}, y: {path: "y/{{ a }}"}}'
        with pytest.raises(LayoutError) as caught:
            Layout.parse(text)
        assert [one.rule for one in caught.value.diagnostics] == ["wrong-type"]

    def test_a_wrong_container_is_reported_once(self):
        """Arrays in a container that is declared wrongly are not blamed for it."""
        assert [one[0] for one in diagnostics("containers: {b: {}}\narrays: {x: {container: b, path: x}}")] == [
            "missing-key"
        ]


class TestFragments:
    def test_fragments_use_fragments(self):
        """A fragment may be made of others, in any order."""
        text = HEAD + 'fragments: {outer: "{{ inner }}/o", inner: "{{ a }}-i"}\nfiles: {x: {path: "{{ outer }}/x"}}'
        assert Layout.parse(text).render("x", a="1").path == "1-i/o/x"

    def test_a_circle_is_an_error(self):
        """Fragments that use each other in a circle are an error that names the circle."""
        assert diagnostics('fragments: {p: "{{ q }}", q: "{{ p }}"}') == [
            ("fragment-cycle", "f:3:34", "the fragment uses itself: `p` → `q` → `p`", None)
        ]

    def test_an_error_in_a_fragment_stands_in_the_fragment(self):
        """What is wrong in a fragment is reported there, once, however often it is used."""
        text = 'fragments: {p: "{{ b }}"}\nfiles: {x: {path: "{{ p }}/x"}, y: {path: "{{ p }}/y"}}'
        assert [one[:2] for one in diagnostics(text)] == [("unknown-field", "f:3:20")]

    def test_a_fragment_that_is_not_used_is_checked(self):
        """A fragment is checked even if no template uses it."""
        assert [one[0] for one in diagnostics('fragments: {p: "{{ b }}"}')] == ["unknown-field"]


class TestAllow:
    def test_entries_are_checked(self):
        """An accepted finding needs a rule that can be accepted, kinds that exist, and a reason."""
        text = "files: {x: {path: x}}\nallow:\n  - {rule: nested-kind, kinds: [x, z], because: ' '}\n"
        assert diagnostics(text) == [
            (
                "unknown-rule",
                "f:5:12",
                "`nested-kind` is not a finding that can be allowed",
                "a similar rule exists: `nested-kinds`",
            ),
            ("unknown-kind", "f:5:36", "`z` is not a kind", "known: `x`"),
            ("undocumented-allow", "f:5:49", "the finding is allowed without a reason", "say why it does no harm"),
        ]
