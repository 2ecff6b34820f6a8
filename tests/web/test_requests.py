"""What query parameters say: read strictly, refused with what would fit."""

from __future__ import annotations

import pytest
from starlette.requests import Request

from zarrange import Layout
from zarrange.errors import BadRequestError
from zarrange.web.requests import choice, chosen, given, number, refuse_unknown, run_of, runs_of, value_of

LAYOUT = Layout.load("training")


def asked(query):
    return Request({"type": "http", "query_string": query.encode(), "headers": [], "method": "GET", "path": "/"})


def test_given():
    """A parameter is given once or not at all."""
    assert given(asked("a=1&b="), "a") == "1"
    assert given(asked("a=1&b="), "b") == ""
    assert given(asked("a=1"), "b") is None
    with pytest.raises(BadRequestError, match="`a` is given 2 times; it is given once"):
        given(asked("a=1&a=1"), "a")


def test_numbers():
    """A number is a whole one, within its limits; one that is not given is the default, which need not be."""
    assert number(asked(".start=7"), ".start", 0) == 7
    assert number(asked(""), ".start", 0, least=1) == 0
    assert number(asked("n=-3"), "n", 0, least=-5, most=5) == -3


@pytest.mark.parametrize(
    "text", ["", "x", "1.0", "1e3", "0x1", "+1", " 1", "1 ", "--1", "-", "٣", "²", "1" * 19, "1_0"]
)
def test_what_is_no_number(text):
    """Whatever is not written as a number is none."""
    with pytest.raises(BadRequestError, match=r"`n` does not take .*; it takes a whole number, from 0 to 9"):
        number(asked(f"n={text.replace('+', '%2B')}"), "n", 0, most=9)


@pytest.mark.parametrize("text", ["-1", "10", "999999999999999999"])
def test_numbers_beyond(text):
    """A number beyond the limits is refused, with the limits."""
    with pytest.raises(BadRequestError, match=r"it takes a whole number, from 0 to 9"):
        number(asked(f"n={text}"), "n", 0, most=9)
    with pytest.raises(BadRequestError, match=r"it takes a whole number, from 5 on"):
        number(asked("n=4"), "n", 0, least=5)


def test_choices():
    """A word is one of those that mean something."""
    assert choice(asked("range=own"), "range", ("own", "shared"), "shared") == "own"
    assert choice(asked(""), "range", ("own", "shared"), "shared") == "shared"
    with pytest.raises(BadRequestError, match="`range` does not take 'mine'; it takes one of own, shared"):
        choice(asked("range=mine"), "range", ("own", "shared"), "shared")


def test_unknown_parameters():
    """A parameter that means nothing is refused, with one that is similar."""
    refuse_unknown(asked("run=r1&.start=2"), ("run", ".start"))
    with pytest.raises(BadRequestError, match=r"'.strat' is no parameter of this; .*`.start`"):
        refuse_unknown(asked(".strat=2"), ("run", ".start"))


def test_values():
    """A value is read as its field writes it."""
    assert value_of(LAYOUT, "iteration", "1000") == 1000
    assert value_of(LAYOUT, "run", "a b/c") == "a b/c"
    for text in ("01000", "1e3", "-1", ""):
        with pytest.raises(BadRequestError, match="field `iteration` does not take"):
            value_of(LAYOUT, "iteration", text)
    with pytest.raises(BadRequestError, match=r"'iterations' is no field of the layout; .*`iteration`"):
        value_of(LAYOUT, "iterations", "1")


def test_runs():
    """Runs are asked for by the field that tells them, in order, each once."""
    assert runs_of(asked("run=b&run=a&run=b&iteration=1"), LAYOUT) == ("b", "a")
    assert runs_of(asked(""), LAYOUT) == ()
    assert run_of(asked("run=b%20c"), LAYOUT) == "b c"
    for query in ("", "run=a&run=b"):
        with pytest.raises(BadRequestError, match=r"values of `run` are given; one is needed, as in \?run=NAME"):
            run_of(asked(query), LAYOUT)


def test_a_layout_without_runs():
    """Where the layout has nothing to tell runs by, there is one, which has no name."""
    layout = Layout.parse("""
        zarrange: 1
        fields: {a: {type: int}, b: {type: int}}
        containers: {one: {path: "one.zarr"}, two: {path: "two.zarr"}}
        arrays: {first: {container: one, path: "{{ a }}"}, second: {container: two, path: "{{ b }}"}}
    """)
    assert runs_of(asked(""), layout) == (None,)
    assert run_of(asked(""), layout) is None
    assert chosen(asked("a=1&.cut=z:1"), layout) == {"a": 1}


def test_what_belongs_to_no_run():
    """Where the field that tells runs may be absent, an empty text asks for what has none; else it is no value."""
    layout = Layout.parse("""
        zarrange: 1
        fields: {run: {type: str}, n: {type: int}}
        containers: {c: {path: "x{% if run is defined %}-{{ run }}{% endif %}.zarr"}}
        arrays: {a: {container: c, path: "a/{{ n }}"}}
    """)
    assert runs_of(asked("run=&run=r"), layout) == (None, "r")
    assert run_of(asked("run="), layout) is None
    with pytest.raises(BadRequestError, match="field `run` does not take ''"):
        run_of(asked("run="), LAYOUT)


def test_chosen():
    """What else is asked for are values of fields; ours are left out, and an empty text asks for those without one."""
    query = "run=r1&iteration=1000&dataset=a%2Fb&index=&.cut=z:3&.show="
    assert chosen(asked(query), LAYOUT) == {"iteration": 1000, "dataset": "a/b", "index": None}
    with pytest.raises(BadRequestError, match="field `iteration` does not take 'x'"):
        chosen(asked("iteration=x"), LAYOUT)
    with pytest.raises(BadRequestError, match="'itaration' is no field"):
        chosen(asked("itaration="), LAYOUT)
    with pytest.raises(BadRequestError, match="`iteration` is given 2 times"):
        chosen(asked("iteration=1&iteration=2"), LAYOUT)
