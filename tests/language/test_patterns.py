"""Regular expressions as automata: what they match, what they refuse, and what they cost."""

from __future__ import annotations

import itertools
import re
import string
import warnings

import pytest
from hypothesis import given, settings, strategies as st

from zarrange import Layout
from zarrange.errors import LayoutError
from zarrange.language.patterns import MAX_KEPT_STATES, MAX_NFA_STATES, Builder, Language, PatternError, Words

ALPHABET = "ab01_-. /é\u0667\n"

atoms = st.one_of(
    st.sampled_from([*"ab01_", r"\.", r"\-", r"\\", r"\/", ".", r"\d", r"\w", r"\s", r"\D", r"\W", r"\S", r"\n"]),
    st.sampled_from(
        ["[ab]", "[^a]", "[a-b0-9]", r"[\d_]", r"[^\w]", r"[^\d\s]", r"[\D]", "[]a]", "[^]]", "[a^-]", "é", "[à-ÿ]"]
    ),
    st.sampled_from([r"\x61", r"\u00e9", r"[\x61-\x62]", "(?#a note)", "()", "(?:)", "(?P<n>a)"]),
)
patterns = st.recursive(
    atoms,
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=4).map("".join),
        st.lists(inner, min_size=2, max_size=3).map(lambda some: f"(?:{'|'.join(some)})"),
        st.lists(inner, min_size=1, max_size=3).map(lambda some: f"({'|'.join(['', *some])})"),
        st.tuples(inner, st.sampled_from(["*", "+", "?", "{2}", "{1,3}", "{,2}", "{2,}", "*?", "+?", "??", "{0}"])).map(
            lambda pair: f"(?:{pair[0]}){pair[1]}"
        ),
    ),
    max_leaves=8,
)
texts = st.text(st.sampled_from(ALPHABET), max_size=8)


def is_readable(pattern):
    """Whether `re` reads a pattern: a group's name may stand in it twice."""
    try:
        re.compile(pattern)
    except re.error:
        return False
    return True


class TestAgreement:
    """A language has the texts that `re.fullmatch` matches, with ASCII classes."""

    @settings(max_examples=300, deadline=None)
    @given(patterns.filter(is_readable), st.lists(texts, min_size=1, max_size=6))
    def test_agrees_with_re(self, pattern, some):
        """Random patterns and texts: the same answer as Python's own engine."""
        language = Language([pattern])
        own = re.compile(pattern, re.ASCII)
        for text in some:
            assert language.fullmatch(text) == bool(own.fullmatch(text))

    @settings(max_examples=200, deadline=None)
    @given(st.data())
    def test_texts_that_match(self, data):
        """Texts that are made from the pattern are in its language."""
        pattern = data.draw(patterns.filter(is_readable))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            text = data.draw(st.from_regex(re.compile(pattern, re.ASCII), fullmatch=True))
        assert Language([pattern]).fullmatch(text)

    @settings(max_examples=200, deadline=None)
    @given(
        st.lists(patterns.filter(is_readable), max_size=3), st.lists(patterns.filter(is_readable), max_size=3), texts
    )
    def test_include_and_exclude(self, include, exclude, text):
        """A text is in a language if every included pattern matches it and no excluded one does."""
        if not include:
            include = [r"(?:.|\n)*"]
        wanted = all(re.fullmatch(one, text, re.ASCII) for one in include)
        unwanted = any(re.fullmatch(one, text, re.ASCII) for one in exclude)
        assert Language(include, exclude).fullmatch(text) == (wanted and not unwanted)

    @pytest.mark.parametrize(
        ("pattern", "inside", "outside"),
        [
            (r"\d+", ["0", "10"], ["", "\u0667", "\uff11", "1 "]),
            (r"\w+", ["aZ_9"], ["é", "a-b"]),
            (r"\s", [" ", "\t", "\n", "\x0b"], ["\xa0", "\u2003", ""]),
            (".", ["a", "/", "\U0001f600", "\r"], ["\n", "", "ab"]),
            ("[^a]", ["b", "\n", "\U0010ffff"], ["a", ""]),
            ("[a-c-]+", ["-", "ac-"], ["d"]),
            (r"a{2,3}", ["aa", "aaa"], ["a", "aaaa"]),
            ("a|", ["a", ""], ["aa"]),
            ("", [""], ["a"]),
            (r"[\]\\]", ["]", "\\"], ["["]),
            (r"\$\^", ["$^"], ["$"]),
            ("[$^]+", ["$^"], ["a"]),
            (r"x}+", ["x}", "x}}"], ["x"]),
            (r"\++", ["+", "++"], [""]),
            ("é+", ["é", "éé"], ["e\u0301"]),
            ("(a)(?P<n>b)(?:c)", ["abc"], ["ab"]),
        ],
    )
    def test_meaning(self, pattern, inside, outside):
        """What a pattern means is the whole text, in ASCII classes."""
        language = Language([pattern])
        assert [one for one in inside if not language.fullmatch(one)] == []
        assert [one for one in outside if language.fullmatch(one)] == []


def _read(pattern):
    """A pattern's language, or `None` and where it is refused."""
    try:
        return Language([pattern]), None
    except PatternError as error:
        return None, error.offset


class TestRefused:
    """What is not regular, or is not a pattern, is refused with its offset."""

    @pytest.mark.parametrize(
        ("pattern", "offset", "length"),
        [
            (r"(a)\1", 3, 2),
            (r"(a)b\10", 4, 3),
            ("(?P<x>a)(?P=x)", 8, 4),
            ("a(?=b)", 1, 3),
            ("a(?!b)", 1, 3),
            ("ab(?<=b)", 2, 4),
            ("ab(?<!b)", 2, 4),
            ("(?>a)", 0, 3),
            ("(a)?(?(1)b|c)", 4, 3),
            ("(?i)a", 0, 3),
            ("a(?s:.)", 1, 3),
            ("(?-i:a)", 0, 3),
            ("^a", 0, 1),
            ("a$", 1, 1),
            (r"a\Z", 1, 2),
            (r"\Aa", 0, 2),
            (r"\ba", 0, 2),
            (r"a\B", 1, 2),
            ("a*+", 1, 2),
            ("a++", 1, 2),
            ("a?+", 1, 2),
            ("a{1,2}+", 5, 2),
            (r"[a\]^]\1", 6, 2),
        ],
    )
    def test_irregular(self, pattern, offset, length):
        """Back-references, look-around, anchors, flags and possessive repeats are pointed at."""
        with pytest.raises(PatternError, match=r"is not regular|has no place in a pattern") as caught:
            Language([pattern])
        assert (caught.value.offset, caught.value.length) == (offset, length)
        assert pattern[offset : offset + length] in str(caught.value)

    @pytest.mark.parametrize(
        ("pattern", "offset"),
        [
            ("(a", 0),
            ("a)", 1),
            ("*a", 0),
            ("a**", 2),
            ("[a", 0),
            ("a{3,2}", 2),
            ("a\\", 1),
            (r"\q", 0),
            ("[b-a]", 1),
            ("(?P<1>a)", 4),
            ("é[", 1),
        ],
    )
    def test_unreadable(self, pattern, offset):
        """What Python's parser does not read is refused where it stops."""
        with pytest.raises(PatternError) as caught:
            Language([pattern])
        assert caught.value.offset == offset

    @pytest.mark.parametrize(
        "pattern",
        [
            "a{99999}",
            "(?:a{1000}){1000}",
            "(?:a?){0,4000}",
            "(?:){4294967290}",
            "(" * 5_000 + "a" + ")" * 5_000,
            "(?:a|b){0,2001}",
        ],
    )
    def test_too_large(self, pattern):
        """A pattern that would need too many states, or nests too deeply, is refused."""
        with pytest.raises(PatternError, match=r"too large|too deeply|too often"):
            Language([pattern])

    @pytest.mark.parametrize(
        ("pattern", "advice"),
        [("^a", "leave it out"), ("a$", "leave it out"), ("(?i)a", "[Aa]"), ("(?!a)", "`exclude`")],
    )
    def test_help(self, pattern, advice):
        """A usual mistake gets help that says what to write instead."""
        with pytest.raises(PatternError) as caught:
            Language([pattern])
        assert advice in caught.value.instead

    @given(st.text(st.sampled_from("ab()[]{}*+?|\\^$.-,0123456789:=!<>PdwsZ\n"), max_size=12))
    @settings(max_examples=300, deadline=None)
    def test_any_text(self, pattern):
        """Any text is a pattern that agrees with `re`, or is refused with an offset inside it."""
        language, offset = _read(pattern)
        if language is None:
            assert 0 <= offset <= len(pattern)
            return
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            own = re.compile(pattern, re.ASCII)
        for text in ["", "a", "ab", "aab", "0", "(", "]", "\\", "\n", "a{2}", "-", ":"]:
            assert language.fullmatch(text) == bool(own.fullmatch(text))

    @pytest.mark.parametrize(
        ("written", "column"),
        [
            ("'a(?=b)'", 36),
            ('"a(?=b)"', 36),
            ('"\\x61\\u0062(?=b)"', 45),
            ("'''(?=b)'", 37),
            ('"\U0001f600(?=b)"', 36),
            ("a(?=b)", 35),
        ],
    )
    def test_position_in_a_file(self, written, column):
        """In a layout the caret stands below the part that is not regular, behind escapes too."""
        with pytest.raises(LayoutError) as caught:
            Layout.parse(f"zarrange: 1\nfields: {{a: {{type: str, pattern: {written}}}}}\n", file="f.yaml")
        (finding,) = caught.value.diagnostics
        assert (finding.rule, finding.span.line, finding.span.column) == ("invalid-pattern", 2, column)


EVIL = [
    ("(a+)+b", "a"),
    ("(a*)*b", "a"),
    ("(a|a)*b", "a"),
    ("(a|aa)+b", "a"),
    ("(a|a?)+b", "a"),
    ("(.*a){12}b", "a"),
    ("(x+x+)+y", "x"),
    ("(.*)(.*)(.*)(.*)(.*)b", "a"),
    ("([a-z]+)*[0-9]", "a"),
    (r"(\w+\s?)*!", "ab "),
    ("(?:a?){30}a{30}b", "a"),
    ("(([^/])+.)+/", "a"),
    ("(0*1?)*2", "01"),
    ("(.+)_(.+)_(.+)_(.+)", "_a"),
]


class Counted(Language):
    """A language that counts its work: the steps, and the nodes of the automaton that each one looks at."""

    def __init__(self, include, exclude=()):
        self.steps = 0
        self.work = 0
        super().__init__(include, exclude)

    def step(self, state, character):
        self.steps += 1
        self.work += len(state.nodes)
        return super().step(state, character)

    def run(self, text):
        """Match a text by hand: one step a character. Return the steps and the nodes looked at."""
        self.steps = self.work = 0
        state = self.start
        for character in text:
            state = self.step(state, character)
            if state is None:
                break
        return self.steps, self.work


class TestLinear:
    """No input makes matching slower than linear."""

    @pytest.mark.parametrize(("pattern", "unit"), EVIL)
    def test_evil_patterns(self, pattern, unit):
        """Twice the input takes less than three times the steps, and less than three times the work."""
        language = Counted([pattern])
        counts = [language.run(unit * length) for length in (500, 1_000, 2_000, 4_000)]
        for (steps, work), (more_steps, more_work) in itertools.pairwise(counts):
            assert more_steps < 3 * steps
            assert more_work < 3 * work

    @pytest.mark.parametrize(("pattern", "unit"), EVIL)
    def test_one_step_a_character(self, pattern, unit):
        """`fullmatch` takes at most one step a character, each time that it is asked."""
        language = Counted([pattern])
        text = unit * 2_000
        assert not language.fullmatch(text + "\n")
        assert language.steps <= len(text) + 1
        assert len(language._kept) <= MAX_KEPT_STATES

    @pytest.mark.parametrize(("pattern", "unit"), EVIL)
    def test_what_evil_patterns_mean(self, pattern, unit):
        """An evil pattern matches what it should, as `re` says for texts that are short enough for it."""
        language = Language([pattern])
        for length in range(9):
            for end in ("", "b", "y", "!", "2", "/", "7"):
                text = unit * length + end
                assert language.fullmatch(text) == bool(re.fullmatch(pattern, text, re.ASCII))

    def test_kept_states_are_bounded(self):
        """A pattern with 2**60 deterministic states keeps a bounded number of them, and still answers."""
        language = Language(["(?:a|b)*a(?:a|b){60}"])
        bits = format(7**5_000 % 2**10_000, "010000b")
        text = bits.replace("0", "a").replace("1", "b")
        assert language.fullmatch(text) == (text[-61] == "a")
        assert len(language._kept) <= MAX_KEPT_STATES
        assert language.fullmatch("a" * 61)
        assert not language.fullmatch("b" + "a" * 60)

    def test_kept_edges_are_bounded(self):
        """Texts of ever new characters do not make a language keep ever more."""
        language = Language(["[^/]+"])
        for code in range(0x10000, 0x10000 + 150_000):
            assert language.fullmatch(chr(code))
        assert sum(len(state.edges) for state in language._kept.values()) <= 50 * MAX_KEPT_STATES

    def test_a_dead_end_is_left(self):
        """Where no continuation can match any more, the rest of the text is not looked at."""
        language = Counted(["ab*"], ["abbb.*"])
        assert not language.fullmatch("x" * 100_000)
        assert language.steps == 1

    def test_through_a_layout(self):
        """A path of 100,000 characters against an evil pattern is no match, in two templates."""
        made = Layout.parse(
            "zarrange: 1\nfields: {a: {type: str, pattern: '(a+)+b'}, c: {type: str, pattern: '(a|aa)+'}}\n"
            "files: {k: {path: '{{ a }}/x'}, l: {path: '{{ a }}-{{ c }}'}}\n"
        )
        assert made.match("a" * 100_000 + "/x") is None
        assert made.match("a" * 240 + "/x") is None
        assert made.match("a" * 120 + "-" + "a" * 120) is None
        assert made.match("a" * 120 + "b/x") == made.key("k", a="a" * 120 + "b")
        assert made.match("a" * 100 + "b-" + "a" * 100) == made.key("l", a="a" * 100 + "b", c="a" * 100)


class TestSteps:
    """A language can be run by hand: `start`, then `step`, until `accepts`."""

    def test_by_hand(self):
        """Stepping gives the same answer as `fullmatch`, and `None` at a dead end."""
        language = Language(["a[0-9]+"], ["a0"])
        state = language.start
        assert not state.accepts
        answers = []
        for character in "a01":
            state = language.step(state, character)
            answers.append(state.accepts)
        assert answers == [False, False, True]
        assert language.step(state, "x") is None

    def test_states_are_the_same(self):
        """Equal states are one object: a set of them is a set of positions."""
        language = Language(["a*"])
        first = language.step(language.start, "a")
        assert language.step(first, "a") is first

    def test_exclusion_is_of_the_whole_text(self):
        """An excluded pattern rules out the texts that it matches as a whole, and no longer ones."""
        language = Language(["[a-z0-9]+"], ["inputs", "[0-9]+"])
        assert [one for one in ["inputs", "7", "inputs2", "7a", "input"] if language.fullmatch(one)] == [
            "inputs2",
            "7a",
            "input",
        ]


@pytest.mark.parametrize(
    "pattern", ["[a-zb]", "[ba-z]", "[^a-zb]", "[^ba-z]", "[a-mk-z]", r"[\w_]", r"[^\wa]", "[a-za-c]"]
)
def test_ranges_that_overlap(pattern):
    """A class means the same whether its ranges overlap or not."""
    language = Language([pattern])
    for character in string.printable:
        assert language.fullmatch(character) == bool(re.fullmatch(pattern, character)), character


def test_many_patterns_do_not_mix():
    """The classes of one pattern are never taken for those of another."""
    letters = string.ascii_lowercase
    for _ in range(20):
        language = Language(["[a-z]"], [f"[{one}{one.upper()}]" for one in letters[:-1]])
        assert [one for one in letters if language.fullmatch(one)] == ["z"]


def test_states_that_can_be_reached_are_bounded():
    """What was determinised and then dropped is not held by the edges of what is kept."""
    language = Language(["(?:a|b)*a(?:a|b){60}"])
    bits = format(7**5_000 % 2**10_000, "010000b")
    language.fullmatch(bits.replace("0", "a").replace("1", "b"))
    seen, waiting = {id(language.start)}, [language.start]
    while waiting:
        for state in waiting.pop().edges.values():
            if state is not None and id(state) not in seen:
                seen.add(id(state))
                waiting.append(state)
    assert len(seen) <= MAX_KEPT_STATES + 1


class TestWords:
    """`Words` is the automaton of some texts, whatever their number."""

    @settings(max_examples=200, deadline=None)
    @given(st.lists(texts, max_size=6), st.lists(texts, max_size=6), texts)
    def test_agrees_with_a_set(self, some, others, text):
        """A text is in the language if it is one of the words, and none of the excluded ones."""
        language = Language([Words(tuple(some))], [Words(tuple(others))])
        for one in (*some, *others, text, text[:-1]):
            assert language.fullmatch(one) == (one in some and one not in others)

    def test_beside_patterns(self):
        """Words and patterns stand side by side, included and excluded."""
        language = Language(["[ab]+", Words(("a", "ab", "c"))], [Words(("a",)), "b"])
        assert [one for one in ("a", "ab", "abc", "b", "c") if language.fullmatch(one)] == ["ab"]

    def test_beginnings_are_shared(self):
        """Words that begin alike share their states."""
        builder = Builder()
        builder.add(Words(tuple("a" * 100 + end for end in "0123456789")))
        assert len(builder.nodes) < 150


class TestLimit:
    """How large a pattern, and all of them together, may be is up to whoever makes the language."""

    def test_default(self):
        """Without a limit of one's own, it is that of a layout's patterns."""
        with pytest.raises(PatternError, match="too large"):
            Language([f"a{{{MAX_NFA_STATES}}}"])
        with pytest.raises(PatternError, match=f"more than {MAX_NFA_STATES} characters"):
            Language(["a" * (MAX_NFA_STATES + 1)])

    def test_larger(self):
        """A larger limit holds for the characters of each pattern and for the states of all of them."""
        language = Language(["a{1,2000}", Words(("a" * 1500, "b"))], limit=10_000)
        assert language.fullmatch("a" * 1500)
        assert not language.fullmatch("a" * 1499)
        assert Language(["a" * 1500], limit=2000).fullmatch("a" * 1500)
        with pytest.raises(PatternError, match="more than 2000 characters"):
            Language(["a" * 2001], limit=2000)

    def test_without(self):
        """What is made of a language has its limit."""
        language = Language(["a{1,2000}"], limit=10_000).without(["a{2}"])
        assert [n for n in (1, 2, 3, 2000, 2001) if language.fullmatch("a" * n)] == [1, 3, 2000]
