"""The proof: what it finds where a clash is planted, that it finds none in safe layouts, and what it says else."""

from __future__ import annotations

from itertools import product

import pytest
from tests.language.planted import PLANTED, failures, findings, loaded

from zarrange.language import automaton, chains, proof
from zarrange.language.automaton import Alphabet, Automaton, Position, Relation, Twins
from zarrange.language.patterns import Language
from zarrange.language.proof import Clash, prove


class TestPlanted:
    """Of 20 planted clashes 20 are found, each with the shortest counter-example; where there is none, none is."""

    @pytest.mark.parametrize("planted", PLANTED, ids=str)
    def test_found(self, planted):
        """A planted clash is found, with its witness and nothing beside it."""
        assert findings(planted.clashing) == [(planted.rule, planted.readings)]

    @pytest.mark.parametrize("planted", PLANTED, ids=str)
    def test_near_miss(self, planted):
        """The smallest change that makes the layout safe is enough for the proof."""
        assert findings(planted.safe) == []

    def test_many(self):
        """There are at least twenty of them, each with another name, and all three rules occur."""
        assert len({one.name for one in PLANTED}) == len(PLANTED) >= 20
        assert {one.rule for one in PLANTED} == {"ambiguous-template", "overlapping-kinds", "nested-kinds"}


# --- bugs that are planted in the search -----------------------------------------------------------------------------


def _labels_are_not_compared(patch):
    steps = Twins._steps

    def forgetful(self, pair, budget, *, every):
        return [(letter, (*behind[:2], pair[2])) for letter, behind in steps(self, pair, budget, every=every)]

    patch.setattr(Twins, "_steps", forgetful)


def _labels_always_differ(patch):
    _with_same(patch, lambda *_: False)


def _equal_chains_are_one(patch):
    _with_same(patch, lambda left, right, _: left.chain == right.chain)


def _with_same(patch, same_of):
    make = Twins.__init__
    patch.setattr(
        Twins,
        "__init__",
        lambda self, left, right, *, same, nested=False: make(
            self, left, right, same=same_of(left, right, same), nested=nested
        ),
    )


def _accepting_states_do_not_go_on(patch):
    patch.setattr(Automaton, "_behind", lambda _, piece, state: [Position(piece, state)])


def _nothing_lies_deep_inside(patch):
    moves = Automaton.moves
    patch.setattr(
        Automaton,
        "moves",
        lambda self, position, budget: [] if position.within == automaton.INSIDE else moves(self, position, budget),
    )


def _the_end_is_not_taken_for_an_end(patch):
    relation = automaton._relation
    patch.setattr(automaton, "_relation", lambda pair: None if relation(pair) is Relation.SAME else relation(pair))


def _exclusions_are_ignored(patch):
    of = chains.Languages._of

    def without_exclusions(self, slot, variant, language_of):
        found = of(self, slot, variant, language_of)
        return found if isinstance(found, str) else Language(found.include, (), found._limit)

    patch.setattr(chains.Languages, "_of", without_exclusions)


def _all_characters_are_one_class(patch):
    represent = Alphabet._represent
    patch.setattr(Alphabet, "_represent", lambda self, signatures: represent(self, [1 for _ in signatures]))


def _a_class_is_missing(patch):
    represent = Alphabet._represent
    patch.setattr(Alphabet, "_represent", lambda self, signatures: represent(self, [one >> 2 for one in signatures]))


def _nothing_is_verified(patch):
    def believed(self, left, right):
        return Clash(self.rule, self.kinds, ((self.one.kind.name, left), (self.other.kind.name, right)))

    patch.setattr(proof._Pair, "clash_at", believed)


def _readings_of_one_key_are_two(patch):
    def at(self, left, right):
        pairs = product(self.one.readings(left), self.other.readings(right))
        return next((Clash(self.rule, self.kinds, ((one, left), (other, right))) for one, other in pairs), None)

    _labels_always_differ(patch)
    patch.setattr(proof._Pair, "clash_at", at)


def _equal_literals_never_meet(patch):
    meeting = proof._meeting
    patch.setattr(
        proof,
        "_meeting",
        lambda lefts, rights: (
            (one, other) for one, other in meeting(lefts, rights) if one[0].text is None or other[0].text is None
        ),
    )


def _literals_and_patterns_never_meet(patch):
    meeting = proof._meeting
    patch.setattr(
        proof,
        "_meeting",
        lambda lefts, rights: (
            (one, other) for one, other in meeting(lefts, rights) if (one[0].text is None) == (other[0].text is None)
        ),
    )


def _the_longer_side_is_compared_once(patch):
    meeting = proof._meeting
    patch.setattr(
        proof, "_meeting", lambda lefts, rights: (pair for pair in meeting(lefts, rights) if pair[0] is not pair[1])
    )


def _tails_are_ignored(patch):
    patch.setattr(proof._Search, "_compare_rests", lambda *_: None)


def _nothing_is_settled(patch):
    patch.setattr(proof._Search, "_settle", lambda *_: None)


def _only_pairs_of_variants_are_searched(patch):
    patch.setattr(proof._Search, "_look_for_ambiguity", lambda *_: None)


def _groups_and_containers_are_solid(patch):
    patch.setattr(proof, "_SOLID", frozenset({"array", "file", "group", "container"}))


def _files_are_no_solid(patch):
    patch.setattr(proof, "_SOLID", frozenset({"array"}))


BUGS = [
    _labels_are_not_compared,
    _labels_always_differ,
    _equal_chains_are_one,
    _accepting_states_do_not_go_on,
    _nothing_lies_deep_inside,
    _the_end_is_not_taken_for_an_end,
    _exclusions_are_ignored,
    _all_characters_are_one_class,
    _a_class_is_missing,
    _nothing_is_verified,
    _readings_of_one_key_are_two,
    _equal_literals_never_meet,
    _literals_and_patterns_never_meet,
    _the_longer_side_is_compared_once,
    _tails_are_ignored,
    _nothing_is_settled,
    _only_pairs_of_variants_are_searched,
    _groups_and_containers_are_solid,
    _files_are_no_solid,
]


class TestMutation:
    """A bug in the search does not go unnoticed."""

    @pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.__name__.strip("_"))
    def test_noticed(self, bug, monkeypatch):
        """With a bug in the search, some planted clash or near miss is answered wrongly; without it, rightly."""
        with monkeypatch.context() as patch:
            bug(patch)
            text, expected = next(failures(), ("", None))
        assert expected is not None
        assert findings(text) == expected


# --- what a proof says -----------------------------------------------------------------------------------------------


def proved(text, **options):
    return prove(loaded(text).kinds, **options)


def clashes(text, **options):
    """The rule and the kinds of each clash."""
    return [(clash.rule, clash.kinds) for clash in proved(text, **options).clashes]


class TestProof:
    def test_kinds_are_in_the_order_of_the_file(self):
        """Clashes come in the order of their kinds, which is that of the layout, whatever lies inside of what."""
        text = "fields: {x: {type: str}}\nfiles: {c: {path: 'a/b'}, b: {path: a}, a: {path: '{{ x }}'}}"
        found = proved(text).clashes
        assert [(clash.rule, clash.kinds) for clash in found] == [
            ("nested-kinds", ("c", "b")),
            ("nested-kinds", ("c", "a")),
            ("overlapping-kinds", ("b", "a")),
        ]
        assert [[key.kind for key, _ in clash.readings] for clash in found] == [["b", "c"], ["a", "c"], ["b", "a"]]

    def test_all_three_rules_of_two_kinds(self):
        """A pair of kinds has one clash of each rule at most: the shortest."""
        text = """fields: {x: {type: path}, y: {type: path}}
files: {one: {path: "{% if x is defined %}b/{{ x }}{% else %}a{% endif %}"}, other: {path: "{{ y }}"}}"""
        found = {(clash.rule, clash.kinds): [path for _, path in clash.readings] for clash in proved(text).clashes}
        assert found == {
            ("nested-kinds", ("one",)): ["b/a", "b/a/a"],
            ("nested-kinds", ("other",)): ["a", "a/a"],
            ("nested-kinds", ("one", "other")): ["b", "b/a"],
            ("overlapping-kinds", ("one", "other")): ["a", "a"],
        }

    def test_same_paths_of_several_segments(self):
        """Two kinds with the same template clash, although their paths look the same to an automaton."""
        text = "fields: {w: {type: path, pattern: 'a/b+'}}\nfiles: {one: {path: '{{ w }}'}, other: {path: '{{ w }}'}}"
        assert clashes(text) == [("overlapping-kinds", ("one", "other"))]

    def test_same_paths_where_the_shortest_is_refused(self):
        """Two kinds with the same template clash, although the first text that comes to mind is a reserved name."""
        text = (
            "fields: {w: {type: str, pattern: 'con|zebra'}}\nfiles: {one: {path: '{{ w }}'}, other: {path: '{{ w }}'}}"
        )
        assert findings(text) == [("overlapping-kinds", ('one(w="zebra") → zebra', 'other(w="zebra") → zebra'))]

    def test_letters_that_lead_to_the_same_are_all_tried(self):
        """Where a field stands twice, a letter that does not hold is not taken for all that lead to the same state."""
        text = """fields:
  x: {type: str, pattern: "[ef]"}
  y: {type: str, pattern: "[ef]"}
  z: {type: str, pattern: "[fg]"}
files: {one: {path: "{{ x }}-{{ x }}"}, other: {path: "{{ y }}-{{ z }}"}}"""
        assert findings(text) == [("overlapping-kinds", ('one(x="f") → f-f', 'other(y="f", z="f") → f-f'))]

    def test_possible(self):
        """What cannot be decided is a clash without readings."""
        text = """fields: {x: {type: str}, y: {type: str}}
files: {one: {path: "{{ x }}/{{ x }}"}, other: {path: "{{ y }}/{{ y }}b"}}"""
        assert proved(text).clashes == (Clash("overlapping-kinds", ("one", "other")),)

    def test_a_field_twice_can_be_decided(self):
        """Where no text can be read in both ways, a field that stands twice makes no clash possible."""
        text = """fields: {x: {type: str}, y: {type: str}}
files: {one: {path: "{{ x }}/{{ x }}.a"}, other: {path: "{{ y }}/{{ y }}.b"}}"""
        assert findings(text) == []

    @pytest.mark.parametrize(
        ("fields", "path"),
        [
            ("{x: {type: path}}", "{{ x }}."),
            ("{x: {type: str, charset: text, exclude: ['.* .*']}}", "{{ x | quote }}/y"),
            ("{x: {type: float}, y: {type: float}}", "{{ x }}a{{ y }}"),
            ("{x: {type: path, max_length: 3}}", "{{ x }}/aa"),
            ("{x: {type: str, pattern: '[^0]+', max_length: 3}}", "1{{ x }}/{{ x }}"),
            ("{x: {type: datetime}, y: {type: datetime}}", "{{ x | date('%Y%j%H%M%S') }}{{ y | date('%Y%j%H%M%S') }}"),
        ],
    )
    def test_decided(self, fields, path):
        """Of ordinary templates it is decided that they have no clash, within the steps that a search may take."""
        text = f'fields: {fields}\ncontainers: {{one: {{path: "{path}"}}}}'
        assert findings(text) == []

    def test_no_steps_left(self, monkeypatch):
        """Where the steps are used up, the proof is not complete, and calls no kind empty."""
        text = """fields: {x: {type: str}, y: {type: str}}
files: {one: {path: "{{ x }}-{{ y }}"}, other: {path: "{{ x }}"}}"""
        whole = proved(text)
        assert whole.is_complete
        for steps in (0, 10, 60):
            monkeypatch.setattr(proof, "STEPS", steps)
            found = proved(text)
            assert not found.is_complete
            assert found.empty == ()
            assert set(found.clashes) <= set(whole.clashes)

    def test_steps_of_one_search(self, monkeypatch):
        """A search that takes too long leaves the others their steps."""
        monkeypatch.setattr(proof, "SEARCH_STEPS", 200)
        text = """fields:
  x: {type: str, pattern: "(?:a|b{2}){9}"}
  y: {type: str, pattern: "(?:aa|b){9}"}
  n: {type: bool}
files: {hard: {path: "{{ x }}{{ y }}.x"}, one: {path: "b/{{ n }}"}, other: {path: "b/True"}}"""
        found = proved(text)
        assert not found.is_complete
        assert [clash.kinds for clash in found.clashes] == [("one", "other")]

    def test_what_settling_may_take(self, monkeypatch):
        """Without steps to settle it, a counter-example that does not hold leaves a possible clash."""
        text = next(one.clashing for one in PLANTED if one.name == "a field that stands twice")
        assert all(clash.readings for clash in proved(text).clashes)
        monkeypatch.setattr(proof, "SETTLE_STEPS", 3)
        assert [clash.readings for clash in proved(text).clashes] == [()]

    def test_more_clashes_than_anybody_reads(self):
        """The search ends after a hundred clashes, and says so."""
        kinds = ", ".join(f"k{at}: {{path: '{{{{ x }}}}'}}" for at in range(20))
        found = proved(f"fields: {{x: {{type: str}}}}\nfiles: {{{kinds}}}")
        assert not found.is_complete
        assert len(found.clashes) == proof.MAX_CLASHES + 1
        assert all(clash.readings for clash in found.clashes)

    def test_empty(self):
        """Variants that no values render are told, and clash with nothing."""
        text = """fields: {x: {type: str, pattern: "[0-9]+", exclude: ["[0-9]+"]}, y: {type: str}}
files:
  nothing: {path: "{{ x }}"}
  some: {path: "{{ y }}"}
  half: {path: "a/{% if x is defined %}{{ x }}/{% endif %}b"}"""
        found = proved(text)
        assert [(shape.kind.name, sorted(shape.variant.given)) for shape in found.empty] == [
            ("nothing", ["x"]),
            ("half", ["x"]),
        ]
        assert [(clash.rule, clash.kinds) for clash in found.clashes] == [("nested-kinds", ("some", "half"))]

    def test_no_kinds(self):
        """A layout without kinds has no clash."""
        assert prove({}) == proof.Proof((), ())

    def test_only_arrays_and_files_swallow(self):
        """What lies in a container or a group lies where it belongs; in an array or a file it is lost."""
        text = """fields: {x: {type: str}}
containers: {box: {path: "{{ x }}"}, inner: {path: "{{ x }}/a/b.zarr"}}
groups: {level: {container: box, path: a}}
arrays: {deep: {container: box, path: a/b}}
files: {note: {path: "{{ x }}/a/b/c"}}"""
        assert clashes(text) == [("nested-kinds", ("deep", "note"))]

    def test_excluding(self):
        """A pattern that values should not match is tried without writing it into the layout."""
        planted = next(one for one in PLANTED if one.name == "a name that is a number")
        assert clashes(planted.clashing, excluding={"criterion": ("[0-9]+",)}) == []
        assert clashes(planted.clashing, excluding={"criterion": ("[0-8]+",)}) == [
            (planted.rule, ("best", "checkpoint"))
        ]

    def test_excluding_is_of_values(self):
        """What is tried are values as they are given, not as they are quoted."""
        text = """fields: {x: {type: str, charset: text}}
files: {one: {path: "{{ x | quote }}"}, fixed: {path: "a%2Fb"}}"""
        assert clashes(text, excluding={"x": ("a/b",)}) == []
        assert clashes(text, excluding={"x": ("a%2Fb",)}) == [("overlapping-kinds", ("one", "fixed"))]

    @pytest.mark.parametrize("slot", ["{{ x }}", "{{ x | quote }}"])
    def test_a_pattern_as_large_as_can_be(self, slot):
        """A field whose pattern just fits the limit is searched like any other."""
        text = f"""fields: {{x: {{type: str, pattern: "(?:[ab]{{496}})?c?"}}}}
files: {{one: {{path: "{slot}"}}, other: {{path: c}}}}"""
        assert ("overlapping-kinds", ('one(x="c") → c', "other() → c")) in findings(text)
