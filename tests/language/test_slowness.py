"""Which patterns are slow: in engines that backtrack, and in our own."""

from __future__ import annotations

import pytest

from zarrange.language import slowness
from zarrange.language.slowness import is_exponential, is_large


class TestExponential:
    """A pattern is slow to backtrack where some text leads back to the same state in two ways."""

    @pytest.mark.parametrize(
        "pattern",
        [
            "(a+)+",
            "(a*)*",
            "(a+)*?",
            "(a|aa)+",
            "(aa|aaa)+",
            "(a|a?)+",
            "(a|a)+",
            "([a-zA-Z]+)*",
            "(x+x+)+y",
            r"(\w+\s?)*",
            "(a|b|ab)*c",
            "((a*)+b?)+c",
            "([a-z]+[0-9]*)+[.]x",
            "(.+)+=(.+)+;",
            "(a?b?)*",
            "(a*b*)*",
            "(a{1,3})+",
            "(a{0,3})+",
            "x(y(a+)+z)?",
            "(é+|[^a]+)+",
            "(.*,)*",
            "([^,]+)*,",
            "b*(ab?a?)*",
        ],
    )
    def test_slow(self, pattern):
        """Repeats in repeats, and alternatives that begin alike, can be matched in exponentially many ways."""
        assert is_exponential(pattern)

    @pytest.mark.parametrize(
        "pattern",
        [
            "",
            "a",
            "a+",
            "(a+b)+",
            "(a|b|ab)",
            "(ab|cd)*",
            "(ab?)*",
            "(?:a|b|c)*",
            "(a|[ab])+",  # Python's parser makes one class of it
            "[a-z]+_[0-9]+",
            "(?:[a-z]+-)*[a-z]+",
            "([^,]*,)*",
            "()*",
            "a{0,3}",
            "(?:a{2}b{3}){4}",
            "(a|b)*a(a|b){3}",
        ],
    )
    def test_quick(self, pattern):
        """Where each text is matched in one way, or in few, there is nothing to find."""
        assert not is_exponential(pattern)

    @pytest.mark.parametrize("pattern", ["a*a*", ".*.*.*.*", "(.*a){12}", "(0|1)*1(0|1){12}2", "(a|aa){30}"])
    def test_many_ways_but_not_exponential(self, pattern):
        """A number of ways that only grows with a power of the length is no finding; nor is one that has an end."""
        assert not is_exponential(pattern)

    def test_steps(self, monkeypatch):
        """A pattern whose loops are too intricate to tell is taken for slow."""
        assert not is_exponential("(a|bc)*d")
        monkeypatch.setattr(slowness, "MAX_STEPS", 3)
        assert is_exponential("(a|bc)*d")


class TestLarge:
    """A pattern is slow for us where its deterministic automaton has more states than are kept."""

    @pytest.mark.parametrize(
        ("pattern", "is_found"),
        [
            ("(a|b)*a(a|b){8}", False),
            ("(a|b)*a(a|b){9}", True),
            ("(0|1)*1(0|1){12}2", True),
            (".*a.{20}", True),
            ("[a-z]+", False),
            ("(a+)+", False),
            ("a{400}", False),
            ("", False),
            ("(?:[0-9]{4}-[0-9]{2}-[0-9]{2}|latest)(?:_v[0-9]+)?", False),
        ],
    )
    def test_table(self, pattern, is_found):
        """Its states are counted, whatever the pattern looks like."""
        assert is_large(pattern) is is_found

    def test_steps(self, monkeypatch):
        """Where counting takes too many steps, the pattern is large."""
        assert not is_large("[a-z]{3}")
        monkeypatch.setattr(slowness, "MAX_STEPS", 2)
        assert is_large("[a-z]{3}")
