"""What the paths of a kind look like to an automaton: languages of slots, and variants as chains."""

from __future__ import annotations

import pytest
from hypothesis import given, settings, strategies as st
from tests.language.planted import PLANTED, loaded
from tests.strategies import fitting, values_of

from zarrange import Layout
from zarrange.language.chains import Languages, Shape, outline
from zarrange.language.fields import Misfit
from zarrange.language.filters import Filter
from zarrange.language.patterns import Language
from zarrange.language.slots import Slot

FIELDS = """fields:
  run: {type: str}
  name: {type: str, charset: unicode}
  any: {type: str, charset: text}
  n: {type: int, min: 0}
  m: {type: int, min: -5, max: 20}
  where: {type: path}
  folder: {type: path, charset: unicode, exclude: [".*x.*"]}
  day: {type: date}
  time: {type: datetime}
  flag: {type: bool}
  x: {type: float}
  y: {type: float, min: 0.5}
  pick: {type: str, choices: [a, b, "a.b"]}
  own: {type: str, pattern: "[a-c]{1,3}|a.*", exclude: [ab, "c+"]}
  short: {type: str, max_length: 3}
  long: {type: str, charset: unicode, max_length: 30}
  noted: {type: str, charset: text, pattern: "[^a]*", exclude: [".* .*", "é"]}
"""
SLOTS = [
    "{{ run }}",
    "{{ name }}",
    "{{ name | quote }}",
    "{{ any | quote }}",
    "{{ n }}",
    "{{ n | pad(3) }}",
    "{{ m | pad(3) }}",
    "{{ where }}",
    "{{ where | quote }}",
    "{{ folder }}",
    "{{ folder | quote }}",
    "{{ day }}",
    "{{ day | date('%Y%j') }}",
    "{{ time | date('%Y%m%dT%H%M%S%f') }}",
    "{{ flag }}",
    "{{ x }}",
    "{{ y }}",
    "{{ pick }}",
    "{{ pick | quote }}",
    "{{ own }}",
    "{{ own | quote }}",
    "{{ short }}",
    "{{ long }}",
    "{{ noted | quote }}",
]


def kind_of(path, fields=FIELDS, **options):
    path = path.replace('"', '\\"')
    return Layout.parse(f'zarrange: 1\n{fields}files: {{k: {{path: "{path}"}}}}', **options).kind("k")


def slots_of(kind):
    """The slots of a kind, each with its variant."""
    return [(slot, variant) for variant in kind.variants for slot in variant.pieces if isinstance(slot, Slot)]


def shapes_of(kind, languages=None):
    return [Shape.make(kind, variant, (languages or Languages()).outline) for variant in kind.variants]


def drawn(chain):
    """The pieces of a chain, with `·` for a language."""
    return [piece if isinstance(piece, str) else "·" for piece in chain.pieces]


KINDS = {slot: kind_of(f"v{slot}") for slot in SLOTS}


class TestOutline:
    """An outline has every text of its slot, and perhaps a few more."""

    @pytest.mark.parametrize("slot", SLOTS)
    @settings(max_examples=60, deadline=None)
    @given(data=st.data())
    def test_has_every_text(self, slot, data):
        """Whatever a slot writes is in its outline, and in its exact language."""
        ((made, _),) = slots_of(KINDS[slot])
        try:
            text = made.text(data.draw(fitting(made.field)))
        except Misfit:
            return
        assert outline(made).fullmatch(text)
        assert made.language.fullmatch(text)

    @pytest.mark.parametrize("slot", SLOTS)
    def test_has_few_others(self, slot):
        """An outline has no text that is empty, or that could not be part of a path."""
        ((made, _),) = slots_of(KINDS[slot])
        own = outline(made)
        assert not any(own.fullmatch(text) for text in ("", "/", "a/", "/a", "a//b", "\n", "\x00"))

    @pytest.mark.parametrize(
        ("slot", "texts", "others"),
        [
            ("{{ run }}", ["a", "con", "zarr.json", "a.b"], ["a.", ".a", "-a", "a b", "é", "a/b"]),
            ("{{ where }}", ["a/b", "con/a"], ["a./b", "a/.b"]),
            ("{{ name }}", ["é b", "a."], ["a\\b", "a/b"]),
            ("{{ any | quote }}", ["a%20b", "%FF"], ["a%2", "a%2f", "a b", ".a", "a."]),
            ("{{ noted | quote }}", ["b", "%C3%A9b"], ["b%20b", "%C3%A9", "a"]),
            ("{{ own }}", ["a.b", "b"], ["ab", "cc", "d"]),
            ("{{ short }}", ["abc"], ["abcd"]),
            ("{{ y }}", ["0.1", "1.5", "1e+22"], ["-1.0", "1", "01.0", "1.50", "1e22"]),
            ("{{ pick }}", ["a", "a.b"], ["c"]),
        ],
    )
    def test_table(self, slot, texts, others):
        """What an outline has beside its slot's texts are reserved names and malformed bytes, and little else."""
        ((made, _),) = slots_of(KINDS[slot])
        assert [text for text in texts if not outline(made).fullmatch(text)] == []
        assert [text for text in others if outline(made).fullmatch(text)] == []


class TestLanguages:
    def test_one_object_for_each(self):
        """Slots that write the same have the same language, whatever their fields are called."""
        languages = Languages()
        fields = "fields: {a: {type: str}, b: {type: str}, c: {type: str, max_length: 3}}\n"
        found = [languages.outline(*one) for one in slots_of(kind_of("{{ a }}-{{ b }}-{{ c }}-{{ a }}", fields))]
        assert found[0] is found[1] is found[3]
        assert found[0] is not found[2]
        exact = [languages.exact(*one) for one in slots_of(kind_of("{{ a }}-{{ b }}", fields))]
        assert exact[0] is exact[1] is not found[0]

    def test_equal(self):
        """Where a value is known, the slot is a literal text: as it is written."""
        kind = kind_of("{% if n == 7 %}x{{ n | pad(3) }}{% else %}y{{ n }}{% endif %}")
        (known, other) = [Languages().exact(*one) for one in slots_of(kind)]
        assert known == "007"
        assert not other.fullmatch("7")
        assert other.fullmatch("8")
        assert other.fullmatch("70")

    def test_unequal(self):
        """Where values are ruled out, their texts are; in the outline too."""
        kind = kind_of('{% if any == "a b" %}1{% elif any == "é" %}2{% else %}{{ any | quote }}{% endif %}')
        ((slot, variant),) = slots_of(kind)
        for language in (Languages().outline(slot, variant), Languages().exact(slot, variant)):
            assert [text for text in ("a%20b", "%C3%A9", "a", "a%20c") if language.fullmatch(text)] == ["a", "a%20c"]

    def test_a_value_that_a_filter_refuses(self):
        """A variant for a value that its filter does not take has no text, and rules out nothing."""

        def upper(value):
            if value == "x":
                raise ValueError("not this one")
            return value.upper()

        own = Filter("upper", upper, str.lower, pattern="[A-Z]+")
        kind = kind_of('{% if run == "x" %}1{{ run | upper }}{% else %}2{{ run | upper }}{% endif %}', filters=[own])
        for language_of in (Languages().exact, Languages().outline):
            known, other = (language_of(*one) for one in slots_of(kind))
            assert not any(known.fullmatch(text) for text in ("x", "X", ""))
            assert other.fullmatch("A")

    @pytest.mark.parametrize(
        ("slot", "pattern", "inside", "outside"),
        [
            ("{{ run }}", "a+", ["b", "ab"], ["a", "aa"]),
            ("{{ any | quote }}", ".*/.*", ["a", "a%20b"], ["a%2Fb"]),
            ("{{ any | quote }}", ".*%.*", ["a%2Fb", "a"], ["a%25"]),
            ("{{ where }}", ".*/.*", ["a"], ["a/b"]),
        ],
    )
    def test_excluding(self, slot, pattern, inside, outside):
        """Values that should not be are no texts any more, as they would be written."""
        ((made, variant),) = slots_of(KINDS[slot])
        languages = Languages({made.field.name: (pattern,), "other": (".*",)})
        for language in (languages.outline(made, variant), languages.exact(made, variant)):
            assert [text for text in inside if not language.fullmatch(text)] == []
            assert [text for text in outside if language.fullmatch(text)] == []


class TestShape:
    @pytest.mark.parametrize(
        ("path", "chains", "has_tail"),
        [
            ("a/b", [["a"], ["b"]], False),
            ("x{{ run }}-{{ n }}/b", [["x", "·", "-", "·"], ["b"]], False),
            ("{{ run }}/{{ where }}/c/{{ n }}", [["·"], ["·", "/c/", "·"]], True),
            ("a/{{ where }}", [["a"], ["·"]], True),
            ("{{ where }}", [["·"]], True),
            ("a/x{{ where | quote }}/b", [["a"], ["x", "·"], ["b"]], False),
            ("{{ run }}/a{{ where }}b/{{ where }}", [["·"], ["a", "·", "b/", "·"]], True),
        ],
    )
    def test_chains(self, path, chains, has_tail):
        """Each segment is a chain; from one that may be several on, all are one chain, the tail."""
        (shape,) = shapes_of(kind_of(path))
        assert [drawn(chain) for chain in shape.chains] == chains
        assert shape.has_tail is has_tail

    def test_a_known_value_joins_its_neighbors(self):
        """A slot whose value is known is one literal text with those beside it."""
        shapes = shapes_of(kind_of('v{% if run == "a" %}{{ run }}.x{% else %}{{ run }}{% endif %}'))
        assert [[drawn(chain) for chain in shape.chains] for shape in shapes] == [[["va.x"]], [["v", "·"]]]
        assert shapes[0].chains[0].text == "va.x"

    def test_rest(self):
        """The rest of a shape is all its segments from one on as one chain, the same one each time."""
        (shape,) = shapes_of(kind_of("a/{{ run }}/b/{{ n }}"))
        assert [drawn(shape.rest(at)) for at in range(4)] == [
            ["a/", "·", "/b/", "·"],
            ["·", "/b/", "·"],
            ["b/", "·"],
            ["·"],
        ]
        assert shape.rest(1) is shape.rest(1)

    def test_equal_shapes_of_two_kinds(self):
        """Kinds with the same templates have equal chains, so that what is found of one is known of the other."""
        kinds = loaded(
            "fields: {a: {type: str}, b: {type: str}}\nfiles: {k: {path: 'x{{ a }}'}, l: {path: 'x{{ b }}'}}"
        ).kinds
        languages = Languages()
        one, other = (shapes_of(kind, languages)[0] for kind in kinds.values())
        assert one.chains == other.chains
        assert one != other

    @pytest.mark.parametrize(
        ("path", "is_regular"),
        [("{{ run }}/{{ n }}", True), ("{{ name }}", False), ("{{ x }}", False), ("{{ any | quote }}", True)],
    )
    def test_is_regular(self, path, is_regular):
        """A shape is regular if all texts of its exact languages are written for some value."""
        (shape,) = shapes_of(kind_of(path))
        assert shape.is_regular is is_regular

    def test_readings(self):
        """Readings are keys of this variant alone, and really render to the path."""
        kind = kind_of("{{ run }}-{{ own }}{% if n is defined %}/{{ n | pad(2) }}{% endif %}")
        with_n, without = shapes_of(kind)
        assert [dict(key.values) for key in without.readings("a-b-b")] == [{"run": "a-b", "own": "b"}]
        assert without.readings("a-b/01") == []
        assert [dict(key.values) for key in with_n.readings("a-b/01")] == [{"run": "a", "own": "b", "n": 1}]
        assert [with_n.readings(path) for path in ("a-b/1", "a-ab/01", "con-b/01", "")] == [[], [], [], []]
        assert {tuple(key.values.values()) for key in without.readings("a-a-b")} == {("a", "a-b"), ("a-a", "b")}

    def test_too_long(self):
        """A path that could not be rendered has no reading."""
        (shape,) = shapes_of(kind_of("x{{ run }}"))
        assert len(shape.readings(f"x{'a' * 254}")) == 1
        assert shape.readings(f"x{'a' * 255}") == []

    @pytest.mark.parametrize("planted", PLANTED, ids=str)
    @settings(max_examples=15, deadline=None)
    @given(data=st.data())
    def test_chains_have_every_path(self, planted, data):
        """Every path that a kind renders is in the chains of one of its shapes, segment by segment."""
        kinds = PARSED[planted.name]
        kind = kinds[data.draw(st.sampled_from(sorted(kinds)))]
        path = kind.render(data.draw(values_of(kind))).path
        for languages in (Languages().outline, Languages().exact):
            shapes = [Shape.make(kind, variant, languages) for variant in kind.variants]
            assert any(has(shape, path) for shape in shapes)


PARSED = {planted.name: loaded(planted.clashing).kinds for planted in PLANTED}


def has(shape, path):
    """Whether a path is in the chains of a shape."""
    segments = path.split("/")
    count = len(shape.chains) - shape.has_tail
    if len(segments) < count or (not shape.has_tail and len(segments) > count):
        return False
    texts = [*segments[:count], *(["/".join(segments[count:])] if shape.has_tail else [])]
    return all(_fits(chain.pieces, text) for chain, text in zip(shape.chains, texts, strict=True))


def _fits(pieces, text):
    if not pieces:
        return not text
    first, *rest = pieces
    if isinstance(first, str):
        return text.startswith(first) and _fits(rest, text[len(first) :])
    assert isinstance(first, Language)
    return any(first.fullmatch(text[:end]) and _fits(rest, text[end:]) for end in range(1, len(text) + 1))
