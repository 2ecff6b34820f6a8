"""Alphabets, chains and the twin search: held against `re` and against every text over a few letters."""

from __future__ import annotations

import re
import unicodedata
from itertools import product

import pytest
from hypothesis import given, settings, strategies as st

from zarrange.language import automaton
from zarrange.language.automaton import (
    ANYTHING,
    ENDED,
    INSIDE,
    PREFERRED,
    Alphabet,
    Automaton,
    Budget,
    Chain,
    Position,
    Relation,
    Twins,
    Undecided,
    is_empty,
)
from zarrange.language.patterns import Language

PATTERNS = [
    "a+",
    "[ab]+",
    "b|ab",
    "a-?b",
    "[^/]+",
    "[^-]+",
    "(?:a|b)(?:/(?:a|b))*",
    "a{2}|b{3}",
    "(?:ab)+",
    "[a-]{1,2}",
]
LETTERS = "ab-/"
WORDS = ["".join(word) for length in range(1, 6) for word in product(LETTERS, repeat=length)]
LANGUAGES = {pattern: Language([pattern]) for pattern in PATTERNS}


def chain(*pieces):
    """A chain of literal texts and, in brackets of their own, patterns."""
    return Chain(tuple(piece if isinstance(piece, str) else language(*piece) for piece in pieces))


def language(pattern):
    return LANGUAGES.setdefault(pattern, Language([pattern]))


def plenty():
    return Budget(10**6)


def twins(left, right, **options):
    alphabet = Alphabet([left, right])
    return Twins(Automaton(left, alphabet), Automaton(right, alphabet), **options)


class TestBudget:
    def test_steps(self):
        """A budget gives so many steps, and no more."""
        budget = Budget(3)
        for _ in range(3):
            budget.spend()
        with pytest.raises(Undecided):
            budget.spend()

    def test_parts(self):
        """The steps of a part are taken from the whole too; what is left of a part stays in the whole."""
        whole = Budget(10)
        part = whole.part(4)
        part.spend(4)
        with pytest.raises(Undecided):
            part.spend()
        assert whole.left == 6
        with pytest.raises(Undecided):
            whole.part(100).spend(7)


class TestChain:
    def test_text(self):
        """A chain of literal texts has one text; one with a language has none for sure."""
        assert chain("a/", "b").text == "a/b"
        assert chain("a", ("b+",)).text is None

    def test_equality(self):
        """Chains of the same pieces are the same; equal patterns in two languages are not."""
        assert chain("a", ("b+",)) == chain("a", ("b+",))
        assert hash(chain("a", ("b+",))) == hash(chain("a", ("b+",)))
        assert Chain((Language(["b+"]),)) != Chain((Language(["b+"]),))

    @pytest.mark.parametrize(
        ("one", "other", "can_meet"),
        [
            (["ab", ("x+",)], ["a", ("x+",)], True),
            (["ab", ("x+",)], ["b", ("x+",)], False),
            ([("x+",), ".a"], [("x+",), "b.a"], True),
            ([("x+",), ".a"], [("x+",), ".b"], False),
            ([("x+",), ".a"], ["x", ("x+",)], True),
            (["a"], ["abc", ("x+",)], True),
        ],
    )
    def test_can_meet(self, one, other, can_meet):
        """Chains whose ends differ have no text in common."""
        assert chain(*one).can_meet(chain(*other)) is can_meet
        assert chain(*other).can_meet(chain(*one)) is can_meet


class TestAlphabet:
    """The letters of some chains: the classes of characters that none of them tells apart."""

    patterns = st.lists(
        st.sampled_from(["a+", "[a-f]+", "[^/]+", r"\d+", r"\w", "[é-ü]+", "日", "[^a0]", "[0-9A-F]+", "."]), max_size=4
    )
    characters = st.sampled_from("abgzAGZ0589_-./%éßü日本 ~")

    @settings(max_examples=200, deadline=None)
    @given(patterns, st.text(characters, max_size=3), st.lists(characters, min_size=2, max_size=2))
    def test_classes(self, patterns, text, pair):
        """Two characters are the same letter just if all patterns and texts take both or neither."""
        alphabet = Alphabet([Chain((*map(language, patterns), *([text] if text else [])))])
        tests = [lambda one, cls=cls: holds(cls, one) for pattern in patterns for cls in language(pattern).classes()]
        tests += [lambda one, own=own: one == own for own in f"{text}/"]
        one, other = pair
        alike = all(test(one) == test(other) for test in tests)
        assert (alphabet.bit(one) == alphabet.bit(other)) is alike
        assert alphabet.bit(one).bit_count() == 1

    @settings(max_examples=200, deadline=None)
    @given(patterns.filter(bool), characters)
    def test_masks(self, patterns, character):
        """The mask of a class has the letters of its characters, and no others."""
        alphabet = Alphabet([Chain(tuple(map(language, patterns)))])
        for cls in language(patterns[0]).classes():
            assert bool(alphabet.mask([cls]) & alphabet.bit(character)) is holds(cls, character)
        assert alphabet.mask([]) == 0

    @settings(max_examples=100, deadline=None)
    @given(patterns)
    def test_representatives(self, patterns):
        """Each letter stands for its own class, can be printed, and is in normal form."""
        alphabet = Alphabet([Chain(tuple(map(language, patterns)))])
        assert [alphabet.bit(letter) for letter in alphabet.letters] == [1 << at for at in range(len(alphabet.letters))]
        assert "".join(alphabet.letters).isprintable()
        assert all(unicodedata.is_normalized("NFC", letter) for letter in alphabet.letters)

    def test_readable(self):
        """Of each class the most readable character is taken, and the most readable classes come first."""
        alphabet = Alphabet([chain("x-", ("[a-z0-9]+",), ("[5-9]+",))])
        assert alphabet.letters == ["a", "x", "5", "A", "-", "/"]
        everything = alphabet.mask(language("[a-z0-9]+").classes())
        assert [letter for letter, _ in alphabet.split(everything)] == ["a", "x", "5"]
        assert sum(bit for _, bit in alphabet.split(everything)) == everything
        assert list(alphabet.split(0)) == []

    def test_slash(self):
        """The slash is always a letter of its own."""
        alphabet = Alphabet([chain(("(?:.|\n)+",))])
        assert alphabet.letters == ["a", "/"]
        assert [alphabet.letters[alphabet.bit(one).bit_length() - 1] for one in "z/é"] == ["a", "/", "a"]

    def test_unprintable(self):
        """Characters that no path has are no letter; with printable ones in their class, these stand for them."""
        alphabet = Alphabet([chain(("[\x00-\x1f]+",), ("[\u202e\u2066]",))])
        assert (alphabet.bit("\x00"), alphabet.bit("\u202e")) == (0, 0)
        assert alphabet.mask(language("[\x00-\x1f]+").classes()) == 0
        assert "\x00" not in alphabet.letters
        assert Alphabet([chain(("[\x00-\x1f!]+",))]).bit("\x00") != 0

    @pytest.mark.parametrize(
        ("pattern", "letter"),
        [
            ("[à-è]+", "à"),
            ("[\u0300-\u0302è]", "è"),
            ("[\u0300-\u0302]", "\u0300"),
            ("[\u2000-\u2010]", "\u2010"),
            ("[\U0001f600-\U0001f64f]", "\U0001f600"),
            ("[\u212b\u00d8]", "\u00d8"),  # the sign of Ångström is not in normal form
        ],
    )
    def test_beyond_ascii(self, pattern, letter):
        """Beyond ASCII, what stands for a class can be printed, and stands alone and unchanged where there is such."""
        alphabet = Alphabet([chain((pattern,))])
        assert [one for one, _ in alphabet.split(alphabet.mask(language(pattern).classes()))] == [letter]

    def test_private_use(self, monkeypatch):
        """A class too large to look through is a letter all the same: it may have characters that can be printed."""
        monkeypatch.setattr(automaton, "MAX_SCANNED", 10)
        pattern = "[\U000f0000-\U000f00ff]"
        alphabet = Alphabet([chain((pattern,))])
        assert alphabet.mask(language(pattern).classes()) != 0

    def test_preferred(self):
        """Preferred characters can be in a path, each once."""
        assert len(set(PREFERRED)) == len(PREFERRED)
        assert PREFERRED.isprintable()
        assert "/" not in PREFERRED


def holds(cls, character):
    """Whether a class has a character."""
    return any(low <= ord(character) <= high for low, high in cls)


class TestAutomaton:
    """Where the runs of a chain can go."""

    def test_literal(self):
        """A literal text goes on by its characters, one at a time, into the next piece."""
        one = chain("ab", ("x+",))
        made = Automaton(one, Alphabet([one]))
        assert made.start == Position(0, 0)
        assert made.moves(Position(0, 0), plenty()) == [(made.alphabet.bit("a"), [Position(0, 1)])]
        assert made.moves(Position(0, 1), plenty()) == [(made.alphabet.bit("b"), [Position(1, language("x+").start)])]

    def test_language(self):
        """Letters that lead to the same state are one move; an accepting state goes on to the next piece too."""
        one = chain(("[xyz]+|q",), "y", ("[x]",))
        made = Automaton(one, Alphabet([one]))
        moves = dict(made.moves(made.start, plenty()))
        both = made.alphabet.bit("x") | made.alphabet.bit("y") | made.alphabet.bit("z")
        assert sorted(moves) == sorted([both, made.alphabet.bit("q")])
        assert [position.piece for position in moves[both]] == [0, 1]
        assert moves[made.alphabet.bit("q")][1] == Position(1, 0)

    def test_ends(self):
        """Behind the end stands a slash and then anything; nothing else."""
        one = chain("a")
        made = Automaton(one, Alphabet([one]))
        end = Position(1, ENDED)
        assert made.moves(Position(0, 0), plenty()) == [(made.alphabet.bit("a"), [end])]
        assert made.moves(end, plenty()) == [(made.alphabet.bit("/"), [Position(1, INSIDE)])]
        ((mask, behind),) = made.moves(Position(1, INSIDE), plenty())
        assert behind == [Position(1, INSIDE)]
        assert all(mask & made.alphabet.bit(letter) for letter in made.alphabet.letters)

    def test_steps(self):
        """What is found out costs steps once, and then no more."""
        one = chain(("[a-z0-9]+",))
        made = Automaton(one, Alphabet([one]))
        with pytest.raises(Undecided):
            made.moves(made.start, Budget(0))
        first = made.moves(made.start, plenty())
        assert made.moves(made.start, Budget(0)) is first

    @settings(max_examples=100, deadline=None)
    @given(st.lists(st.sampled_from([*"ab-", *PATTERNS]), min_size=1, max_size=4), st.sampled_from(WORDS))
    def test_agrees_with_re(self, pieces, word):
        """A run can be at the end behind just those texts that `re` splits into texts of the pieces."""
        one = Chain(tuple(language(piece) if piece in PATTERNS else piece for piece in pieces))
        made = Automaton(one, Alphabet([one, chain(WORDS[-1])]))
        here = {made.start}
        for character in word:
            bit = made.alphabet.bit(character)
            moves = [
                move for position in here if position.within is not ENDED for move in made.moves(position, plenty())
            ]
            here = {position for mask, behind in moves if mask & bit for position in behind}
        assert (Position(len(pieces), ENDED) in here) is bool(splits(one, word))


def splits(one, text):
    """All ways to split a text into texts of a chain's pieces, found by trying."""
    if not one.pieces:
        return [()] if not text else []
    first, rest = one.pieces[0], Chain(one.pieces[1:])
    fits = first.__eq__ if isinstance(first, str) else first.fullmatch
    return [
        (end, *others) for end in range(1, len(text) + 1) if fits(text[:end]) for others in splits(rest, text[end:])
    ]


def words_of(one):
    """The words that a chain has."""
    pieces = (re.escape(piece) if isinstance(piece, str) else f"(?:{piece.include[0]})" for piece in one.pieces)
    return {*filter(re.compile("".join(pieces)).fullmatch, WORDS)}


def shortest(texts):
    return min(map(len, texts), default=None)


class TestTwins:
    """The twin search: whether one text can be read in two ways, and the shortest such text."""

    chains = st.lists(
        st.sampled_from(["a", "b", "-", "a-", *((one,) for one in PATTERNS)]), min_size=1, max_size=3
    ).map(lambda pieces: chain(*pieces))

    @settings(max_examples=150, deadline=None)
    @given(chains)
    def test_one_chain(self, one):
        """Of one chain, the first text is a shortest one that it can be split from in two ways."""
        first = next(twins(one, one, same=True).texts(plenty()), None)
        self.holds(first, [word for word in words_of(one) if len(splits(one, word)) > 1])
        if first is not None:
            assert len(splits(one, first.text)) > 1

    @settings(max_examples=150, deadline=None)
    @given(chains, chains)
    def test_two_chains(self, one, other):
        """Of two chains, the first text is a shortest one that both have."""
        first = next(twins(one, other, same=False).texts(plenty()), None)
        self.holds(first, words_of(one) & words_of(other))
        if first is not None:
            assert (first.relation, first.end) == (Relation.SAME, len(first.text))
            assert splits(one, first.text)
            assert splits(other, first.text)

    @settings(max_examples=150, deadline=None)
    @given(chains, chains)
    def test_nested(self, one, other):
        """With `nested`, the first text of each relation is a shortest one, and its end is that of the outer one."""
        first = {}
        for twin in twins(one, other, same=False, nested=True).texts(plenty()):
            first.setdefault(twin.relation, twin)
        mine, theirs = words_of(one), words_of(other)
        self.holds(first.get(Relation.SAME), mine & theirs)
        for relation, outer, inner in ((Relation.RIGHT_INSIDE, mine, theirs), (Relation.LEFT_INSIDE, theirs, mine)):
            hits = [word for word in inner for at in range(len(word)) if word[at] == "/" and word[:at] in outer]
            self.holds(first.get(relation), hits)
        for twin in first.values():
            left = twin.text if twin.relation is not Relation.RIGHT_INSIDE else twin.text[: twin.end]
            right = twin.text if twin.relation is not Relation.LEFT_INSIDE else twin.text[: twin.end]
            assert splits(one, left)
            assert splits(other, right)
            assert twin.end == len(twin.text) or twin.text[twin.end] == "/"

    def holds(self, first, expected):
        """Hold the first text of a search against all texts up to a length."""
        length = shortest(expected)
        if length is not None:
            assert first is not None
            assert len(first.text) == length
        else:
            assert first is None or len(first.text) > max(map(len, WORDS))

    def test_one_chain_is_not_its_own_twin(self):
        """Of one chain only two different readings count; of two equal ones any text does."""
        one = chain(("a+",), "-", ("b+",))
        assert list(twins(one, one, same=True).texts(plenty())) == []
        assert next(twins(one, one, same=False).texts(plenty())).text == "a-b"

    @settings(max_examples=100, deadline=None)
    @given(chains, chains, st.integers(1, 30))
    def test_tries(self, one, other, tries):
        """Further texts come in order of length, each really with two readings; no more than `tries` a pair of ends."""
        search = twins(one, other, same=False)
        found = [twin.text for twin in search.texts(plenty(), tries)]
        assert found == sorted(found, key=len)
        assert len(found) <= tries
        assert all(splits(one, text) and splits(other, text) for text in found)

    def test_tries_give_other_letters(self):
        """Letters that lead to the same state make texts of their own, where more than one is tried."""
        one, other = chain(("[ab]",), "-", ("[ab]",)), chain(("[a-c]",), "-", ("[bc]",))
        search = twins(one, other, same=False)
        assert [twin.text for twin in search.texts(plenty())] == ["a-b"]
        assert search.is_cut
        search = twins(one, other, same=False)
        assert [twin.text for twin in search.texts(plenty(), 20)] == ["a-b", "b-b"]
        assert not search.is_cut

    def test_cut(self):
        """A search says whether there may be more texts than it gave."""
        endless = twins(chain(("a+",)), chain(("[ab]+",)), same=False)
        assert len(list(endless.texts(plenty(), 5))) == 5
        assert endless.is_cut
        few = twins(chain(("a{1,3}",)), chain(("[ab]+",)), same=False)
        assert [twin.text for twin in few.texts(plenty(), 5)] == ["a", "aa", "aaa"]
        assert not few.is_cut

    def test_nested_twins_of_each_length(self):
        """The outer text ends where its path ends, wherever a slash stands."""
        found = list(twins(chain("a/b"), chain("a/b/c/d"), same=False, nested=True).texts(plenty()))
        assert found == [(Relation.RIGHT_INSIDE, "a/b/c/d", 3)]
        assert list(twins(chain("a/b"), chain("a/bc"), same=False, nested=True).texts(plenty())) == []
        assert list(twins(chain("a/b"), chain("a/b/c"), same=False).texts(plenty())) == []

    def test_undecided(self):
        """A search that needs more steps than it has says that it could not decide."""
        one, other = chain(("(?:a|b)+",), "-a"), chain(("[ab-]+",), "-b")
        assert list(twins(one, other, same=False).texts(plenty())) == []
        with pytest.raises(Undecided):
            list(twins(one, other, same=False).texts(Budget(5)))

    def test_text_that_can_be_read(self):
        """The text that is found is a readable one."""
        one = Chain((Language([r"[^/\x00-\x1f]{3}"]),))
        assert next(twins(one, ANYTHING, same=False).texts(plenty())).text == "aaa"


class TestTable:
    @pytest.mark.parametrize(
        ("one", "other", "text"),
        [
            (["a", ("b+",)], [("[ab]+",), "b"], "ab"),
            (["a", ("b+",)], [("[ab]+",), "a"], None),
            ([("[à-é]+",)], ["é"], "é"),
            ([("[à-è]+",)], ["é"], None),
            ([("a{3}|b{2}",)], [("[ab]+",)], "bb"),
            (["ab"], ["ab", ("c+",)], None),
        ],
    )
    def test_table(self, one, other, text):
        """Two chains have a shortest text in common, or none."""
        first = next(twins(chain(*one), chain(*other), same=False).texts(plenty()), None)
        assert (first and first.text) == text

    def test_steps(self):
        """Where the steps are used up, there is no answer."""
        search = twins(chain(("a{50}",)), chain(("[ab]{50}",)), same=False)
        assert next(search.texts(plenty())).text == "a" * 50
        with pytest.raises(Undecided):
            next(search.texts(Budget(20)))


class TestIsEmpty:
    def test_table(self):
        """A chain is empty if one of its languages is."""
        assert is_empty(Chain((Language(["a"], ["a"]),)))
        assert is_empty(chain("x", ("[^\\x00-\U0010ffff]",)))
        assert not is_empty(chain("x", ("a{50}",)))

    def test_steps(self):
        """Where the steps are used up, there is no answer."""
        with pytest.raises(Undecided):
            is_empty(chain(("a{50}",)), 20)


def test_re_agrees_on_the_patterns():
    """The patterns of these tests mean what `re` says that they mean."""
    assert all(bool(re.fullmatch(one, word)) is LANGUAGES[one].fullmatch(word) for one in PATTERNS for word in WORDS)
