"""Whether a field takes what another one takes: known where it can be, and never guessed."""

from __future__ import annotations

import datetime

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from tests.strategies import fits, fitting

from zarrange.language import inclusion
from zarrange.language.automaton import Budget, Undecided
from zarrange.language.declarations import make_field
from zarrange.language.fields import FieldSpec
from zarrange.language.inclusion import Refusal, refusal
from zarrange.language.patterns import Language
from zarrange.language.samples import letters, samples, texts


def field(type_="str", **settings):
    made, faults = make_field("x", FieldSpec(type_, **settings))
    assert faults == []
    return made


PORTABLE, UNICODE, TEXT = field(), field(charset="unicode"), field(charset="text")
SHORT, LONG = field(max_length=5), field(charset="text", max_length=200)
PATH, WIDE_PATH = field("path"), field("path", charset="unicode")
NAMES, WORDS = field(pattern="[a-z]+"), field(charset="text", pattern="[a-z]+")
PICKED, OTHERS = field(choices=("a", "b")), field(choices=("b", "c"))
WITHOUT_A = field(exclude=("a.*",))
INT, DIGIT, POSITIVE = field("int"), field("int", min=0, max=9), field("int", min=0)
FEW = field("int", choices=(1, 2))
FLOAT, RATIO = field("float"), field("float", min=0, max=1)
BOOL, TRUE = field("bool"), field("bool", choices=(True,))
DATE, LATER = field("date"), field("date", min="2020-01-01")
TIME, EARLIER = field("datetime"), field("datetime", max="2020-01-01T00:00:00")

TAKEN = [
    (PORTABLE, PORTABLE),
    (PORTABLE, UNICODE),
    (UNICODE, UNICODE),
    (UNICODE, TEXT),
    (PATH, WIDE_PATH),
    (WIDE_PATH, TEXT),
    (UNICODE, WIDE_PATH),
    (NAMES, PORTABLE),
    (WORDS, UNICODE),
    (WORDS, field(charset="text", pattern="[a-z]+|[A-Z]+")),
    (SHORT, LONG),
    (SHORT, field(max_length=5)),
    (PORTABLE, field(charset="text", exclude=(r"[\s\S]*\x00[\s\S]*",))),
    (NAMES, field(exclude=("[0-9]+",))),
    (field(pattern="x[0-9]{3}"), field(max_length=4)),
    (PICKED, PORTABLE),
    (field(pattern="a|b"), PICKED),
    (DIGIT, INT),
    (DIGIT, POSITIVE),
    (DIGIT, FLOAT),
    (field("int", min=1, max=2), FEW),
    (field("int", choices=(0, 1)), RATIO),
    (RATIO, FLOAT),
    (TRUE, BOOL),
    (field("bool"), field("bool", choices=(False, True))),
    (LATER, DATE),
    (EARLIER, TIME),
]

REFUSED = [
    (UNICODE, PORTABLE, "some", "a b"),
    (TEXT, UNICODE, "some", "a/b"),
    (PATH, PORTABLE, "some", "a/b"),
    (PORTABLE, SHORT, "some", "aaaaaa"),
    (PATH, LONG, "some", "a" * 201),
    (WORDS, PORTABLE, "some", "aux"),
    (PORTABLE, WITHOUT_A, "some", "a"),
    (TEXT, field(charset="text", exclude=(r"\x00",)), "some", "\0"),
    (field(pattern="x[0-9]{3}"), NAMES, "all", "x000"),
    (PICKED, OTHERS, "some", "a"),
    (PICKED, field(choices=("c",)), "all", "a"),
    (NAMES, PICKED, "some", "ab"),
    (field(pattern="x+"), PICKED, "all", "x"),
    (INT, POSITIVE, "some", -1),
    (POSITIVE, DIGIT, "some", 10),
    (field("int", max=-1), POSITIVE, "all", -1),
    (DIGIT, FEW, "some", 0),
    (DIGIT, field("int", choices=(10,)), "all", 1),
    (field("int", choices=(7,)), FEW, "all", 7),
    (INT, FLOAT, "some", 2**53 + 1),
    (DIGIT, RATIO, "some", 2),
    (FLOAT, RATIO, "some", 1000.0),
    (field("float", min=0.25), field("float", min=0.5), "some", 0.25),
    (BOOL, TRUE, "some", False),
    (DATE, LATER, "some", datetime.date(2019, 12, 31)),
    (TIME, EARLIER, "some", datetime.datetime(2020, 1, 1, 0, 0, 0, 1)),
    (INT, PORTABLE, "all", 1000),
    (PORTABLE, INT, "all", "a"),
    (BOOL, INT, "all", True),
    (DATE, TIME, "all", datetime.date(2026, 1, 31)),
    (FLOAT, INT, "all", 1000.0),
]


def said(one):
    settings_ = {
        name: getattr(one.spec, name) for name in ("charset", "pattern", "choices", "min", "max", "max_length")
    }
    return " ".join([one.type, *(f"{name}={value}" for name, value in settings_.items() if value is not None)])


@pytest.mark.parametrize(("source", "target"), TAKEN, ids=said)
def test_all_values_are_taken(source, target):
    """A field that takes everything that another one takes is known to."""
    assert refusal(source, target) is None


@pytest.mark.parametrize(
    ("source", "target", "extent", "value"),
    REFUSED,
    ids=lambda one: said(one) if hasattr(one, "spec") else repr(one)[:20],
)
def test_some_values_are_refused(source, target, extent, value):
    """A refused value is given with the reason; it is told whether all values are refused."""
    found = refusal(source, target)
    assert (found.extent, found.value, type(found.value)) == (extent, value, type(value))
    assert "does not take" in found.reason
    assert fits(source, value)
    assert not fits(target, value)


def test_what_takes_too_long_is_not_known(monkeypatch):
    """A search that would take too many steps says that nobody knows, and guesses neither way."""
    monkeypatch.setattr(inclusion, "STEPS", 10)
    one, other = field(pattern="(?:ab|ba){1,9}"), field(pattern="(?:[ab]{2}){1,9}")
    found = refusal(one, other)
    assert (found.extent, found.value) == ("unknown", None)


def test_what_no_automaton_says_is_not_known():
    """What can be printed is no regular language, so that a pattern may or may not be within it."""
    one, other = field(charset="text", pattern="[\u0250-\u02af]"), field(charset="unicode")
    assert refusal(one, other) == Refusal("unknown")


FIELDS = [one for pair in TAKEN for one in pair] + [one for pair in REFUSED for one in pair[:2]]


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow])
@given(st.sampled_from(FIELDS), st.sampled_from(FIELDS), st.data())
def test_no_value_contradicts(source, target, data):
    """Of fields that were compared, no value says otherwise."""
    found = refusal(source, target)
    value = data.draw(fitting(source))
    if found is None:
        assert fits(target, value)
    elif found.extent == "all":
        assert not fits(target, value)


class TestSamples:
    @pytest.mark.parametrize("one", FIELDS, ids=said)
    def test_they_fit(self, one):
        """Every field has samples, which it takes, without any twice."""
        found = samples(one)
        assert found
        assert all(fits(one, value) for value in found)
        assert len({(type(value), value) for value in found}) == len(found)

    def test_they_fit_all(self):
        """Samples of several fields fit each of them, also where few values do."""
        assert samples(field(pattern="[a-z]{3}"), field(pattern="x.*z"))[0] == "xaz"
        assert samples(INT, field("int", min=5, max=6)) == [5, 6]
        assert samples(PICKED, OTHERS) == ["b"]
        assert samples(NAMES, field(pattern="[0-9]+")) == []
        assert samples(DATE, field("date", min="1999-12-31", max="1999-12-31")) == [datetime.date(1999, 12, 31)]
        assert samples(field("date", max="0001-01-01")) == [datetime.date(1, 1, 1)]

    def test_texts_come_shortest_first(self):
        """Texts of a language come by their length, and none only where there is none."""
        assert list(texts(Language(["a{1,3}|[xy]"]), Budget(1000))) == ["a", "x", "aa", "aaa"]
        assert list(texts(Language(["(?:ab)?"]), Budget(1000))) == ["", "ab"]
        assert list(texts(Language(["a+"], ["a*"]), Budget(1000))) == []
        with pytest.raises(Undecided):
            list(texts(Language(["[ab]{9}"]), Budget(3)))

    def test_characters_that_cannot_be_printed_are_no_exception(self):
        """A class of characters none of which can be printed has a letter all the same."""
        assert letters(Language(["[\x00-\x05]x|a"]))[0] == "a"
        assert "\0" in letters(Language(["[\x00-\x05]x|a"]))
