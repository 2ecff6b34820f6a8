"""What a template unfolds to, and what keeps it from being read back."""

from __future__ import annotations

import pytest

from zarrange import Key, Layout, LayoutError
from zarrange.errors import FieldError

FIELDS = """\
zarrange: 1
fields:
  a: {type: str}
  b: {type: str}
  n: {type: int}
  flag: {type: bool}
  pick: {type: str, choices: [x, y, z]}
"""


def kind_of(path):
    return Layout.parse(f"{FIELDS}files: {{k: {{path: '{path}'}}}}").kinds["k"]


def diagnostics(path):
    with pytest.raises(LayoutError) as caught:
        Layout.parse(f"{FIELDS}files: {{k: {{path: '{path}'}}}}")
    return [(one.rule, one.span.column - 20, one.message) for one in caught.value.diagnostics]


def forms(path):
    """The variants of a template: what is given, absent, equal and unequal in each, with its text."""
    return [
        (
            "".join(getattr(piece, "text", "·") if isinstance(piece.text, str) else "·" for piece in variant.pieces),
            sorted(variant.given),
            sorted(variant.absent),
            dict(variant.equal),
            dict(variant.unequal),
        )
        for variant in kind_of(path).variants
    ]


class TestUnfolding:
    def test_a_plain_template_has_one_variant(self):
        """Without a condition there is one variant, and all fields are given."""
        assert forms("{{ a }}/x-{{ n }}") == [("·/x-·", ["a", "n"], [], {}, {})]

    def test_an_optional_field_makes_two(self):
        """A test for definedness makes a variant with the field, and one without."""
        assert forms("x{% if a is defined %}-{{ a }}{% endif %}") == [
            ("x-·", ["a"], [], {}, {}),
            ("x", [], ["a"], {}, {}),
        ]

    def test_the_same_test_turns_out_the_same(self):
        """Two tests of one field do not make four variants."""
        path = "{% if a is defined %}{{ a }}{% else %}x{% endif %}/{% if a is defined %}y{% else %}z{% endif %}"
        assert [form[0] for form in forms(path)] == ["·/y", "x/z"]

    def test_a_field_that_is_needed_anyway_is_not_optional(self):
        """A test for a field that stands outside of the test as well always holds."""
        assert forms("{% if a is defined %}x{% endif %}/{{ a }}")[0][0] == "x/·"
        assert len(forms("{{ a }}/{% if a is defined %}x{% else %}y{% endif %}")) == 1

    def test_equality_tells_the_value(self):
        """Where a field equals a literal, its value need not stand in the path."""
        assert forms('{% if a == "x" %}special{% else %}{{ a }}{% endif %}') == [
            ("special", ["a"], [], {"a": "x"}, {}),
            ("·", ["a"], [], {}, {"a": ("x",)}),
        ]

    def test_elif_is_a_chain(self):
        """Further tests apply where the earlier ones did not hold."""
        path = '{% if a == "x" %}1{% elif a == "y" %}2{% else %}{{ a }}{% endif %}'
        assert [form[3:] for form in forms(path)] == [({"a": "x"}, {}), ({"a": "y"}, {}), ({}, {"a": ("x", "y")})]

    def test_the_last_choice_is_known(self):
        """Where all values of a field but one are ruled out, it has that one."""
        assert [form[3] for form in forms("{% if flag == true %}on{% else %}off{% endif %}")] == [
            {"flag": True},
            {"flag": False},
        ]
        path = '{% if pick == "x" %}1{% elif pick == "y" %}2{% else %}3{% endif %}'
        assert [form[3]["pick"] for form in forms(path)] == ["x", "y", "z"]

    def test_conditions_render_and_match(self):
        """Each variant renders its own values, and its path gives them back."""
        flag = "{% if flag == true %}on{% else %}off{% endif %}"
        rest = "{% if n == 7 %}seven{% else %}{{ n }}{% endif %}{% if a is defined %}/{{ a }}{% endif %}"
        layout = Layout.parse(f"{FIELDS}files: {{k: {{path: '{flag}/{rest}'}}}}")
        for values, path in [
            ({"flag": True, "n": 7}, "on/seven"),
            ({"flag": False, "n": 8, "a": "x"}, "off/8/x"),
            ({"flag": False, "n": 7, "a": "x"}, "off/seven/x"),
        ]:
            assert layout.render("k", **values).path == path
            assert dict(layout.match(path).values) == values
        assert layout.match("on/7") is None
        with pytest.raises(ValueError, match="field `flag` does not take 1: it is of type int"):
            layout.render("k", flag=1, n=7)
        with pytest.raises(ValueError, match="field `flag` is missing"):
            layout.render("k", n=7)

    def test_fields_that_exclude_each_other(self):
        """Where either of two fields has a place, giving both is an error, not a choice made for the caller."""
        path = "{% if a is defined %}a-{{ a }}{% else %}b-{{ b }}{% endif %}"
        layout = Layout.parse(f"{FIELDS}files: {{k: {{path: '{path}'}}}}")
        assert [layout.render("k", a="1").path, layout.render("k", b="1").path] == ["a-1", "b-1"]
        with pytest.raises(ValueError, match="field `b` has no place beside `a`; leave it out"):
            layout.render("k", a="1", b="2")
        with pytest.raises(ValueError, match="is missing"):
            layout.render("k")

    def test_a_field_that_would_get_lost_is_refused(self):
        """A value that does not stand in the path while another field is missing is an error, not dropped."""
        path = "{% if a is defined %}{{ a }}/{{ b }}{% else %}x{% endif %}"
        layout = Layout.parse(f"{FIELDS}files: {{k: {{path: '{path}'}}}}")
        assert layout.render("k").path == "x"
        assert layout.render("k", a="1", b="2").path == "1/2"
        with pytest.raises(ValueError, match="k: field `a` is missing"):
            layout.render("k", b="2")
        with pytest.raises(ValueError, match="k: field `b` is missing"):
            layout.render("k", a="1")

    @pytest.mark.parametrize("tail", ["", "-{{ b }}"])
    def test_a_value_must_agree_with_its_branch(self, tail):
        """A value that is written in a branch for another value does not match."""
        made = layout_of('{% if a == "x" %}1-{{ a }}{% else %}2-{{ a }}{% endif %}' + tail)
        end = tail and "-q"
        assert made.match(f"1-x{end}").values["a"] == "x"
        assert made.match(f"1-y{end}") is made.match(f"2-x{end}") is None

    def test_a_long_chain(self):
        """Each `elif` has its own branch."""
        path = '{% if a == "x" %}1{% elif a == "y" %}2{% elif a == "z" %}3{% else %}4-{{ a }}{% endif %}'
        made = layout_of(path)
        assert [made.render("k", a=one).path for one in ("x", "y", "z", "w")] == ["1", "2", "3", "4-w"]

    def test_a_known_value_settles_other_comparisons(self):
        """Where a field is known to equal one literal, a comparison with another does not hold."""
        made = layout_of('{% if a == "x" %}{% if a == "y" %}A{% else %}B{% endif %}{% else %}C-{{ a }}{% endif %}')
        assert made.render("k", a="x").path == "B"
        assert made.match("B") == Key("k", {"a": "x"})
        assert made.match("A") is None

    def test_a_missing_value_is_never_compared(self):
        """A comparison where the field is absent makes no variant: rendering it would raise."""
        made = layout_of(
            '{% if a is defined %}a/{{ a }}{% else %}{% if a == "x" %}y{% else %}z/{{ a }}{% endif %}{% endif %}'
        )
        assert made.kinds["k"].optional == frozenset()
        assert made.match("y") is None

    def test_a_field_that_a_value_leaves_no_place_for_is_optional(self):
        """A field that stands in the branch of one value only may be left out, for it has to be for the others."""
        made = layout_of('{% if a == "x" %}A/{{ b }}{% else %}B-{{ a }}{% endif %}')
        assert made.kinds["k"].optional == {"b"}
        assert made.render("k", a="y").path == "B-y"

    def test_a_value_for_which_rendering_would_raise_has_no_variant(self):
        """Where one outcome of a comparison needs a field that is absent, its value is refused."""
        made = layout_of(
            "{% if a is defined %}{{ a }}/{{ b }}{% else %}"
            '{% if b == "x" %}{{ a }}{% else %}{{ b }}{% endif %}{% endif %}'
        )
        assert made.render("k", b="y").path == "y"
        with pytest.raises(FieldError, match="field `a` is missing"):
            made.render("k", b="x")
        assert made.match("x") is None


class TestChecks:
    @pytest.mark.parametrize(
        ("path", "column", "name"),
        [
            ("x{% if a is defined %}y{% endif %}", -1, "a"),
            ("{{ b }}{% if n == 7 %}y{% else %}z{% endif %}", -1, "n"),
            (
                '{% if pick == "x" %}1{% elif pick == "y" %}2{% else %}3{% endif %}/{% if a is defined %}y{% endif %}',
                -1,
                "a",
            ),
        ],
    )
    def test_a_value_that_does_not_stand_in_the_path(self, path, column, name):
        """A field whose value cannot be told from the path is an error of the template."""
        message = f"the value of `{name}` does not stand in the path everywhere that it is given"
        assert ("irreversible-template", column, message) in diagnostics(path)

    @pytest.mark.parametrize(
        ("path", "column", "message"),
        [
            ("/{{ a }}", 0, "the path begins with `/`"),
            ("{{ a }}/", 7, "the path ends with `/`"),
            ("{{ a }}//{{ b }}", 7, "the path has an empty segment"),
            ("../{{ a }}", 0, "the segment '..' is no proper name: it is a reserved name"),
            ("{{ a }}/./x", 7, "the segment '.' is no proper name: it is a reserved name"),
            ("{{ a }}/ x", 7, "the segment ' x' is no proper name: it starts or ends with a space"),
            ("{{ a }}/zarr.json", 7, "the segment 'zarr.json' is no proper name: it is a reserved name"),
            ("{{ a }}/e\u0301", 7, "the segment 'e\u0301' is no proper name: it is not in Unicode normal form NFC"),
            ("{% if a is defined %}{{ a }}{% endif %}/x", 39, "the path can begin with `/`"),
            ("x/{% if a is defined %}{{ a }}{% endif %}", 0, "the path can end with `/`"),
            ("x/{% if a is defined %}{{ a }}{% endif %}/y", 0, "the path can have an empty segment"),
            (".{% if a is defined %}{{ a }}{% endif %}", 0, "the segment '.' is no proper name: it is a reserved name"),
            (f"{{{{ a }}}}/{'x' * 256}", 7, f"the segment '{'x' * 78}… is no proper name: it has 256 bytes"),
        ],
    )
    def test_a_path_that_is_none(self, path, column, message):
        """A template that can give an empty, a reserved or an overlong segment is an error, at that segment."""
        (one,) = diagnostics(path)
        assert one[:2] == ("unsafe-segment", column)
        assert one[2].startswith(message)

    @pytest.mark.parametrize(
        ("path", "name"),
        [
            ("{{ b }}.json", "zarr.json"),
            ("x/z{{ b }}", "zarr.json"),
            (".z{{ b }}", ".zarray"),
            ("{{ a }}{{ b }}", "zarr.json"),
        ],
    )
    def test_a_reserved_name_of_several_pieces(self, path, name):
        """Inside a container, texts and values that make a name of zarr's own are an error; excluding them mends it."""
        text = (
            f"{FIELDS}containers: {{c: {{path: '{{{{ a }}}}.json'}}}}\narrays: {{k: {{container: c, path: '{path}'}}}}"
        )
        with pytest.raises(LayoutError) as caught:
            Layout.parse(text)
        (one,) = caught.value.diagnostics
        assert (one.rule, one.message) == ("unsafe-segment", f"the segment can be `{name}`, which is a reserved name")
        digits = "{type: str, pattern: '[0-9]+'}"
        mended = text.replace("a: {type: str}", f"a: {digits}").replace("b: {type: str}", f"b: {digits}")
        assert Layout.parse(mended).kinds["k"]

    def test_a_reserved_name_outside_of_containers(self):
        """Beside containers, `zarr.json` is a name like any other; `..` is never one."""
        assert kind_of("{{ a }}/{{ b }}.json")
        assert kind_of("{{ a }}/.{{ b }}")

    def test_too_many_conditions(self):
        """A template with more variants than anybody could keep in mind is refused, and quickly."""
        fields = "".join(f"  f{at}: {{type: str}}\n" for at in range(40))
        path = "x" + "".join(f"{{% if f{at} is defined %}}-{{{{ f{at} }}}}{{% endif %}}" for at in range(40))
        with pytest.raises(LayoutError, match="the template has more than 16 conditions"):
            Layout.parse(f"zarrange: 1\nfields:\n{fields}files: {{k: {{path: '{path}'}}}}")

    @pytest.mark.parametrize(("literals", "fits"), [(16, True), (17, False)])
    def test_conditions_on_one_field_are_counted(self, literals, fits):
        """Sixteen different conditions are as many as a template may have."""
        path = "".join(f'{{% {"elif" if at else "if"} a == "v{at}" %}}{at}' for at in range(literals))
        path += "{% else %}other-{{ a }}{% endif %}"
        if fits:
            assert layout_of(path).render("k", a="v15").path == "15"
        else:
            assert diagnostics(path)[0][2].startswith("the template has more than 16 conditions")

    def test_a_fault_of_several_variants_is_said_once(self):
        """What is wrong with a piece that all variants share is one finding."""
        assert len(diagnostics("{% if a is defined %}{{ a }}{% endif %}x/../y")) == 1

    def test_an_empty_segment_stands_at_its_slash(self):
        """Of several pieces with slashes, the one at the empty segment is marked."""
        assert diagnostics("x/{{ a }}//y") == [("unsafe-segment", 9, "the path has an empty segment")]


def layout_of(path):
    return Layout.parse(f"{FIELDS}files: {{k: {{path: '{path}'}}}}")
