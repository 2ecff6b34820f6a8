"""Fields: which values fit, which are refused and with what words, and faults of their declarations."""

from __future__ import annotations

import datetime
import decimal
import enum
import fractions
import math
import pathlib
import re
import unicodedata

import numpy as np
import pytest
from hypothesis import example, given, settings, strategies as st

from zarrange import Key, Layout, LayoutError
from zarrange.errors import FieldError
from zarrange.language.declarations import make_field
from zarrange.language.fields import FieldSpec, Misfit


class Name(str):
    """Text of a type of one's own, which shows itself otherwise."""

    __slots__ = ()

    def __str__(self):
        return "../shown"

    def __format__(self, spec):
        return "../formatted"


class Color(enum.StrEnum):
    RED = "red"


class Style(str, enum.Enum):  # noqa: UP042 - its `str` is not its value
    BOLD = "bold"


class Level(enum.IntEnum):
    LOW = 7


class Plain(enum.Enum):
    A = "a"


class Index:
    def __index__(self):
        return 7


class Wrong:
    def __index__(self):
        raise ValueError("no index after all")


class Shown:
    def __str__(self):
        return "shown"


TEXTS = [
    "a", "a.b", "A-Z_0+9=@", "0", "7", "r1", "_", "+", "=", "@", "..", ".", "", "...", ".a", "-a", "--", "a.",
    "a..", "a..b", "~", "~root", "*", "?", "$HOME", "`id`", "a;b", "a|b", "a&b", "a'b", 'a"b', "/", "//",
    "/etc/passwd", "a/b", "a//b", "a/", "/a", "a/../b", "a/./b", "../a", "a/..", "./a", "a/b/c", "a\\b", "\\",
    "..\\a", "\\\\host\\share", "C:", "C:\\a", "C:/a", "file:///etc", "s3://bucket/key", "a:b", "\0", "a\0", "\0a",
    "a\0.zarr", "\n", "a\n", "\na", "a\nb", "a\r", "a\tb", "\x1b[31m", "\x07", "\x7f", "\x80", "\x85", "\x9f",
    "%2e%2e", "%2E%2E", "%2f", "a%2Fb", "%", "%%", "%00", "%zz", "a%20b", "&#46;&#46;", "\ud800", "\udfff",
    "a\ud83d", "\udc80etc", "\U0001f600", "\U0001f468\u200d\U0001f469", "\u202e", "a\u202egnp.exe", "\u200b",
    "a\u200bb", "\u200d", "\u2060", "\ufeff", "\ufeffa", "\xad", "a\xadb", "\u2028", "\u2029", "\u2066a\u2069", " ",
    "  ", " a", "a ", "a b", "a  b", "\xa0", "a\xa0b", "\u3000", "\u2003a", "\xe9", "e\u0301", "\u0301", "\u212b",
    "\xc5", "\u1e9b\u0323", "\uac00", "\u1100\u1161", "\uff0f", "\u2215", "\u2044", "\uff0e\uff0e", "\u2024\u2024",
    "\u0130", "\ufffe", "\uffff", "\ufffd", "\ue000", "\u0378", "\U0010ffff", "con", "CON", "Con", "con.txt",
    "CON.tar.gz", "prn", "aux", "nul", "NUL.zarr", "com1", "COM0", "lpt9", "LPT9.x", "com10", "conx", "xcon",
    "aux.", "zarr.json", "ZARR.JSON", ".zarray", ".zattrs", ".zgroup", ".zmetadata", ".zarrange", "zarr.jsonx",
    "True", "None", "nan", "7.0", "007", "+7", "-7", "7 ", "1e3", "1_000", "0x7", "\u0667", "\uff17", "-0", "inf",
    "2026-01-31", "{{ x }}", "{% if x %}", "{x}", "%s", "a" * 255, "a" * 256, "\xe9" * 127 + "a", "\xe9" * 128,
    "a" * 5_000, "/".join("ab" * 100), "." * 255,
]  # fmt: skip
"""Texts that a path must not have, or just may."""

OTHERS = [
    True, False, np.True_, np.False_, b"a", b"7", bytearray(b"a"), b"", 0, 7, -7, -1, 1, 10**18, 10**18 + 1,
    -(10**19), 10**39, 10**40, -(10**40), 10**5_000, -(10**5_000), 7.0, 0.0, -0.0, 0.1, 1e300, 5e-324, 1e16, 1e22,
    math.nan, math.inf, -math.inf, 7j, decimal.Decimal(7), decimal.Decimal("NaN"), fractions.Fraction(1, 2),
    fractions.Fraction(1, 3), 2**53, 2**53 + 1, np.int8(7), np.uint64(2**64 - 1), np.int64(-7), np.float64(0.5),
    np.float32(0.1), np.float64("nan"), np.float16(7), np.str_("a"), np.str_("a/b"), np.bytes_(b"a"), np.array(7),
    np.array([7]), np.array([1, 2]), np.array("a"), np.datetime64("2026-01-31"), np.complex128(1), Name("a"),
    Name("../a"), Color.RED, Style.BOLD, Level.LOW, Plain.A, Index(), Wrong(), Shown(), pathlib.PurePosixPath("a"),
    pathlib.PurePosixPath("/etc"), [], ["a"], ("a",), {"a": 1}, {"a"}, object(), type, int, Shown, len, ...,
    NotImplemented, slice(1), range(7), iter("a"), datetime.date(2026, 1, 31), datetime.date(1, 1, 1),
    datetime.date.max, datetime.datetime(2026, 1, 31), datetime.datetime(2026, 1, 31, 12, 30, 45, 7),
    datetime.datetime(2026, 1, 31, tzinfo=datetime.UTC), datetime.time(12), datetime.timedelta(1),
    datetime.datetime.max, datetime.datetime.min,
]  # fmt: skip
"""Values of every other type."""

DEVICES = {"con", "prn", "aux", "nul", *(f"{name}{digit}" for name in ("com", "lpt") for digit in range(10))}
ZARR = {"zarr.json", ".zarray", ".zattrs", ".zgroup", ".zmetadata"}


def is_portable(text):
    """The charset, word for word as the documentation has it."""
    return (
        re.fullmatch(r"[A-Za-z0-9._+=@-]+", text, re.ASCII) is not None
        and text[0] not in ".-"
        and text[-1] != "."
        and text.split(".")[0].lower() not in DEVICES
        and text.lower() not in ZARR
        and len(text) <= 255
    )


def is_unicode(text):
    """Printable characters except separators of folders, in NFC, and no reserved name."""
    return (
        text not in {"", ".", ".."}
        and text.lower() not in ZARR
        and not any(one in "/\\" or (unicodedata.category(one)[0] in "CZ" and one != " ") for one in text)
        and text.strip(" ") == text
        and unicodedata.normalize("NFC", text) == text
        and len(text.encode()) <= 255
    )


def is_text(text):
    """Any text, as long as its quoted form is a file's name."""
    if not text or any("\ud800" <= one <= "\udfff" for one in text):
        return False
    kept = sum(one.isascii() and (one.isalnum() or one in "._+=@-") for one in text)
    special = (text[0] in ".-" or text.split(".")[0].lower() in DEVICES or text.lower() in ZARR) + (
        text[-1] == "." and len(text) > 1
    )
    return kept + 3 * (len(text.encode()) - kept) + 2 * special <= 255


def is_whole(value):
    is_scalar = isinstance(value, np.ndarray) and value.shape == () and value.dtype.kind == "i"
    return (
        (is_scalar or isinstance(value, int | np.integer | Index))
        and not isinstance(value, bool)
        and abs(value.__index__()) < 10**40
    )


def is_finite(value):
    if isinstance(value, bool) or not isinstance(value, int | float | np.integer | np.floating | fractions.Fraction):
        return False
    try:
        number = float(value)
    except OverflowError:
        return False
    return math.isfinite(number) and number == value and str(number) != "-0.0"


def of_text(fits):
    return lambda value: isinstance(value, str) and fits(str.__str__(value))


def segments(fits):
    return of_text(lambda text: all(fits(one) for one in text.split("/")))


# name: declaration, template, what fits, the plain type of its values
FIELDS = {
    "portable": ("{type: str}", "{{ x }}", of_text(is_portable), str),
    "unicode": ("{type: str, charset: unicode}", "{{ x }}", of_text(is_unicode), str),
    "text": ("{type: str, charset: text}", "{{ x | quote }}", of_text(is_text), str),
    "portable, quoted": ("{type: str}", "{{ x | quote }}", of_text(is_portable), str),
    "unicode, quoted": (
        "{type: str, charset: unicode}",
        "{{ x | quote }}",
        of_text(lambda one: is_unicode(one) and is_text(one)),
        str,
    ),
    "path": ("{type: path}", "{{ x }}", segments(is_portable), str),
    "unicode path": ("{type: path, charset: unicode}", "{{ x }}", segments(is_unicode), str),
    "path, quoted": (
        "{type: path}",
        "{{ x | quote }}",
        lambda v: segments(is_portable)(v) and is_text(str.__str__(v)),
        str,
    ),
    "path inside": ("{type: path}", "a/{{ x }}/z", segments(is_portable), str),
    "int": ("{type: int}", "{{ x }}", is_whole, int),
    "int, padded": ("{type: int}", "{{ x | pad(4) }}", is_whole, int),
    "int, bounded": (
        "{type: int, min: -10, max: 10}",
        "{{ x }}",
        lambda v: is_whole(v) and -10 <= v.__index__() <= 10,
        int,
    ),
    "int, not negative": (
        "{type: int, min: 0}",
        "a{{ x | pad(8) }}",
        lambda v: is_whole(v) and v.__index__() >= 0,
        int,
    ),
    "int, not large": ("{type: int, max: 10}", "{{ x }}", lambda v: is_whole(v) and v.__index__() <= 10, int),
    "float": ("{type: float}", "{{ x }}", is_finite, float),
    "float, bounded": ("{type: float, min: 0, max: 10.5}", "{{ x }}", lambda v: is_finite(v) and 0 <= v <= 10.5, float),
    "bool": ("{type: bool}", "{{ x }}", lambda v: type(v) is bool, bool),
    "date": ("{type: date}", "{{ x }}", lambda v: type(v) is datetime.date, datetime.date),
    "date, formatted": ("{type: date}", '{{ x | date("%Y%j") }}', lambda v: type(v) is datetime.date, datetime.date),
    "datetime": (
        "{type: datetime}",
        '{{ x | date("%Y%m%dT%H%M%S%f") }}',
        lambda v: type(v) is datetime.datetime and v.tzinfo is None,
        datetime.datetime,
    ),
    "datetime of a day": (
        "{type: datetime}",
        '{{ x | date("%Y%m%d") }}',
        lambda v: type(v) is datetime.datetime and v.tzinfo is None and v.time() == datetime.time(),
        datetime.datetime,
    ),
    "among others": (
        "{type: str, charset: unicode}",
        "a {{ x }}-b/c",
        of_text(lambda one: is_unicode(f"a {one}-b") and is_unicode(one)),
        str,
    ),
}


def layout(declaration, template="{{ x }}"):
    return Layout.parse(f"zarrange: 1\nfields: {{x: {declaration}}}\nfiles: {{k: {{path: '{template}'}}}}\n")


LAYOUTS = {name: layout(*one[:2]) for name, one in FIELDS.items()}


def plain(value, expected):
    """A value in the type that a key holds, by Python's own conversions."""
    if expected is str:
        return str.__str__(value)
    return value if isinstance(value, datetime.date) else expected(value)


def check(name, value):
    """Hold one value against one field: refused with words, or accepted, kept, and read back."""
    _, _, fits, expected = FIELDS[name]
    made = LAYOUTS[name]
    if not fits(value):
        with pytest.raises(FieldError) as caught:
            made.render("k", x=value)
        assert str(caught.value).startswith("k: field `x` ")
        assert (caught.value.kind, caught.value.field) == ("k", "x")
        return
    path = made.render("k", x=value).path
    key = made.key("k", x=value)
    assert type(key["x"]) is expected
    assert key["x"] == plain(value, expected)
    found = made.match(path)
    assert found == key
    assert type(found["x"]) is expected
    for segment in path.split("/"):
        assert segment not in {"", ".", ".."}
        assert segment.isprintable()
        assert len(segment.encode()) <= 255
    if expected is str and FIELDS[name][1] == "{{ x }}":
        assert path == plain(value, str)


class TestHostile:
    """Values are refused, never cleaned; what is accepted reads back as what it was."""

    def test_the_corpus_is_large(self):
        """The corpus has at least 90 texts and 60 values of other types."""
        assert len(set(TEXTS)) == len(TEXTS) >= 90
        assert len(OTHERS) >= 60

    @pytest.mark.parametrize("value", TEXTS, ids=lambda one: ascii(one)[:30])
    def test_texts(self, value):
        """A text is accepted if and only if it is in the field's charset, and then comes back exactly."""
        for name in FIELDS:
            check(name, value)

    @pytest.mark.parametrize("at", range(len(OTHERS)))
    def test_other_types(self, at):
        """A value of another type is accepted if and only if it is the field's, exactly; never by its `str`."""
        for name in FIELDS:
            check(name, OTHERS[at])

    @pytest.mark.parametrize("name", FIELDS)
    def test_none(self, name):
        """`None` counts as not given."""
        with pytest.raises(FieldError, match="k: field `x` is missing"):
            LAYOUTS[name].render("k", x=None)

    @pytest.mark.parametrize(
        "name", ["portable", "unicode", "text", "path", "unicode path", "path, quoted", "among others"]
    )
    @settings(max_examples=60, deadline=None)
    @given(value=st.text(max_size=40) | st.text(st.sampled_from("aA0.-_ /\\%é\u0301\u202e\x00~"), max_size=12))
    @example(value="a" * 255)
    def test_any_text(self, name, value):
        """Any text at all: in the charset and kept, or refused."""
        check(name, value)

    @pytest.mark.parametrize("name", ["int", "int, padded", "int, bounded", "int, not negative", "int, not large"])
    @settings(max_examples=60, deadline=None)
    @given(value=st.integers() | st.integers(-(10**41), 10**41) | st.integers(-12, 12))
    def test_any_int(self, name, value):
        """Any whole number reads back, or is out of its bounds."""
        check(name, value)

    @pytest.mark.parametrize("name", ["float", "float, bounded"])
    @settings(max_examples=100, deadline=None)
    @given(value=st.floats() | st.integers() | st.floats(width=16).map(np.float16))
    def test_any_float(self, name, value):
        """Any finite number reads back, exactly."""
        check(name, value)

    @pytest.mark.parametrize("name", ["date", "date, formatted", "datetime", "datetime of a day"])
    @settings(max_examples=60, deadline=None)
    @given(
        value=st.dates() | st.datetimes() | st.dates().map(lambda day: datetime.datetime(day.year, day.month, day.day))
    )
    def test_any_date(self, name, value):
        """Any day and any time read back; a time that the format would cut is refused."""
        check(name, value)

    @pytest.mark.parametrize("name", FIELDS)
    @settings(max_examples=60, deadline=None)
    @given(path=st.text(max_size=30) | st.text(st.sampled_from("a0179.-+eT/% é"), max_size=12))
    def test_any_path(self, name, path):
        """A path that matches renders back to itself."""
        key = LAYOUTS[name].match(path)
        assert key is None or LAYOUTS[name].render("k", **key.values).path == path

    def test_two_values_never_share_a_path(self):
        """In every field, different accepted texts have different paths."""
        for name, (_, _, fits, _) in FIELDS.items():
            accepted = [one for one in TEXTS if fits(one)]
            paths = {LAYOUTS[name].render("k", x=one).path for one in accepted}
            assert len(paths) == len(accepted)


class TestMatching:
    """A path is read strictly: only the text that rendering gives."""

    @pytest.mark.parametrize(
        ("name", "texts"),
        [
            (
                "int",
                [
                    "007",
                    "+7",
                    "\u0667",
                    "\uff17",
                    "7 ",
                    " 7",
                    "-0",
                    "00",
                    "1e3",
                    "7.0",
                    "0x7",
                    "1_000",
                    "--7",
                    "-",
                    "",
                    "7\n",
                    "\u22127",
                    "9" * 41,
                    "9" * 5_000,
                ],
            ),
            (
                "int, padded",
                ["7", "07", "007", "00007", "+007", "0\u06670 7", "00 7", "-07", "-0000", "1e03", "9" * 5_000],
            ),
            ("int, not negative", ["a-0000007", "a0000007", "a000000007", "00000007", "a", "b00000007", "a00000007 "]),
            ("int, bounded", ["11", "-11", "010", "+1"]),
            (
                "float",
                [
                    "1",
                    "1.50",
                    "+1.5",
                    "01.5",
                    ".5",
                    "5.",
                    "1e3",
                    "1E+16",
                    "1e16",
                    "nan",
                    "inf",
                    "-inf",
                    "-0.0",
                    "1,5",
                    "1_0.0",
                    "\u0667.0",
                    "1e999",
                    "0x1p3",
                ],
            ),
            ("bool", ["true", "TRUE", "1", "0", "yes", "on", "True ", "", "\uff34rue"]),
            (
                "date",
                [
                    "2026-1-31",
                    "20260131",
                    "2026-W05-6",
                    "2026-02-30",
                    "2026-13-01",
                    "0000-01-01",
                    "2026-01-31T00:00:00",
                    "\u0662026-01-31",
                    "26-01-31",
                ],
            ),
            ("date, formatted", ["2026000", "2026366", "2024367", "202631", "2026-31", "\u0662026031"]),
            (
                "datetime",
                [
                    "20260131T123045",
                    "20260131t123045000007",
                    "20260131T243045000007",
                    "20260131T126045000007",
                    "20260230T000000000000",
                    "20260131T12304500000\u0667",
                ],
            ),
            ("portable", ["..", ".", "", "a.", ".a", "-a", "con", "CON.x", "a b", "\xe9", "a\n", "zarr.json"]),
            (
                "unicode",
                ["..", ".", "", " a", "a ", "e\u0301", "a\u202e", "a\x00", "a\\b", "\xe9" * 128, "a" * 256, ".zarray"],
            ),
            (
                "text",
                [
                    "%61",
                    "%2e",
                    "%2",
                    "%",
                    "%zz",
                    "a%2fb",
                    "%C3",
                    "%ED%A0%80",
                    "%C0%AF",
                    ".",
                    "a b",
                    "\xe9",
                    "con",
                    "a.",
                    "%63%6Fn",
                ],
            ),
            ("path", ["a//b", "/a", "a/", "a/../b", "a/./b", "a/con/b", "a/.b", "a/b.", "a/zarr.json"]),
            ("path inside", ["a/z", "a//z", "a/b/../z", "a/b", "b/z", "/a/b/z", "a/b/z/"]),
        ],
    )
    def test_refused(self, name, texts):
        """`007`, `+7`, `7 `, `-0`, `1e3`, digits of other scripts and their kin are no value, in any type."""
        assert [text for text in texts if LAYOUTS[name].match(text) is not None] == []

    @pytest.mark.parametrize(
        ("name", "text", "value"),
        [
            ("int", "-7", -7),
            ("int", "0", 0),
            ("int", "9" * 40, 10**40 - 1),
            ("int", "-" + "9" * 19, 1 - 10**19),
            ("int", "-1" + "0" * 39, -(10**39)),
            ("int", "-" + "9" * 40, 1 - 10**40),
            ("int, not large", "-" + "9" * 30, 1 - 10**30),
            ("int, padded", "0007", 7),
            ("int, padded", "-007", -7),
            ("int, padded", "12345", 12345),
            ("int, padded", "1" * 30, int("1" * 30)),
            ("float", "1000.0", 1000.0),
            ("float", "1e+16", 1e16),
            ("float", "-5e-324", -5e-324),
            ("bool", "False", False),
            ("date", "0001-01-01", datetime.date(1, 1, 1)),
            ("date, formatted", "2024366", datetime.date(2024, 12, 31)),
            ("text", "%2E.", None),
            ("text", "%2E%2E", ".."),
            ("text", "%2E.a", "..a"),
            ("text", "%63on", "con"),
            ("text", "%E2%80%AE", "\u202e"),
        ],
    )
    def test_read(self, name, text, value):
        """The text that rendering gives is read as its value, of its type."""
        assert LAYOUTS[name].match(text) == (None if value is None else Key("k", {"x": value}))


class TestSettings:
    """`choices`, `pattern`, `exclude`, `min`, `max`, `max_length` and `charset` each do what they say."""

    @pytest.mark.parametrize(
        ("declaration", "fit", "unfit"),
        [
            ("{type: str, choices: [aa, bb]}", ["aa", "bb"], ["cc", "a", "aab", "AA", ""]),
            ("{type: path, choices: [a/b, c]}", ["a/b", "c"], ["a", "b", "a/c"]),
            ("{type: int, choices: [1, 10]}", [1, 10, np.int8(10)], [2, 0, 100, True]),
            ("{type: float, choices: [0.5, 2]}", [0.5, 2, 2.0], [1.0, 0.0]),
            ("{type: date, choices: ['2026-01-31']}", [datetime.date(2026, 1, 31)], [datetime.date(2026, 1, 30)]),
            ("{type: str, pattern: '[a-z]+'}", ["a", "abc"], ["A", "a1", "", "aB"]),
            ("{type: str, pattern: 'a|bc'}", ["a", "bc"], ["b", "c", "abc", "ac"]),
            ("{type: str, pattern: '.*'}", ["a"], ["..", ".", "a/b", "a\n"]),
            ("{type: str, charset: unicode, pattern: '(?:.|\\s)*'}", ["a", "é"], ["..", "a/b", "a\n", "\x00"]),
            ("{type: str, pattern: '\\d+'}", ["0", "10"], ["\u0667", "a"]),
            ("{type: str, exclude: [inputs, '[0-9]+']}", ["input", "7a", "inputs2"], ["inputs", "7", "10"]),
            ("{type: str, pattern: '[a-z]+', exclude: ['a.*']}", ["b", "ba"], ["a", "ab", "7"]),
            ("{type: path, pattern: '[a-z]+/[a-z]+'}", ["a/b"], ["a", "a/b/c", "../b"]),
            ("{type: path, exclude: ['inputs(/.*)?']}", ["a/inputs", "inputs2"], ["inputs", "inputs/a"]),
            ("{type: str, max_length: 3}", ["a", "abc"], ["abcd"]),
            ("{type: str, charset: unicode, max_length: 3}", ["ééé", "漢漢漢"], ["éééé"]),
            ("{type: path, max_length: 3}", ["a/b"], ["a/bc"]),
            ("{type: int, min: 5}", [5, 6, 10**30], [4, 0, -5]),
            ("{type: int, max: 5}", [5, 0, -5, -(10**18), -(10**18) - 1, -(10**30)], [6, 10**30]),
            ("{type: int, min: -5, max: -1}", [-5, -1], [0, -6]),
            ("{type: int, min: 1000000000000000000000}", [10**21, 10**22], [10**20, 0]),
            ("{type: float, min: 0.5, max: 1}", [0.5, 1, 1.0], [0.4, 1.1]),
            (
                "{type: date, min: 2026-01-02, max: '2026-01-03'}",
                [datetime.date(2026, 1, 2)],
                [datetime.date(2026, 1, 1), datetime.date(2026, 1, 4)],
            ),
        ],
    )
    def test_setting(self, declaration, fit, unfit):
        """What fits is rendered and read back; what does not is refused, and no path reads as it."""
        made = layout(declaration)
        for value in fit:
            assert made.match(made.render("k", x=value).path)["x"] == value
        for value in unfit:
            with pytest.raises(FieldError, match="field `x` does not take"):
                made.render("k", x=value)
            assert made.match(str(value)) is None

    @pytest.mark.parametrize(
        ("declaration", "template", "fit", "unfit"),
        [
            ("{type: str, charset: text, choices: ['a/b', c]}", "{{ x | quote }}", ["a/b", "c"], ["a", "d"]),
            ("{type: str, charset: text, pattern: '[a-z/]+'}", "{{ x | quote }}", ["a/b"], ["A", "a b"]),
            ("{type: str, charset: text, max_length: 2}", "{{ x | quote }}", ["\u202e\u202e", "%%"], ["abc"]),
            ("{type: str, exclude: [raw]}", "{{ x | quote }}", ["a"], ["raw"]),
            ("{type: str, pattern: '[a-z]+'}", "p{{ x }}-{{ x }}s", ["a", "ab"], ["A", "-"]),
            ("{type: int, max: 5}", "{{ x | pad(3) }}", [5, -5, -(10**19)], [6]),
            ("{type: int, choices: [7]}", "{{ x | pad(3) }}", [7], [8]),
            (
                "{type: datetime, min: '2026-01-01T00:00:00'}",
                '{{ x | date("%Y%m%d") }}',
                [datetime.datetime(2026, 1, 1)],
                [datetime.datetime(2025, 12, 31)],
            ),
        ],
    )
    def test_setting_behind_a_filter(self, declaration, template, fit, unfit):
        """A setting is about the value, whatever filter writes it."""
        made = layout(declaration, template)
        for value in fit:
            assert made.match(made.render("k", x=value).path)["x"] == value
        for value in unfit:
            with pytest.raises(FieldError, match="field `x` does not take"):
                made.render("k", x=value)

    def test_many_choices(self):
        """Long choices are no pattern that is too large: they render, match, and stand beside other fields."""
        many = [f"choice{'x' * 90}{at}" for at in range(40)]
        made = Layout.parse(
            f"zarrange: 1\nfields: {{x: {{type: str, choices: [{', '.join(many)}]}}, y: {{type: str}}}}\n"
            "files: {k: {path: '{{ x }}'}, l: {path: '{{ y }}_{{ x }}'}}\n"
        )
        assert made.match(many[7]) == Key("k", {"x": many[7]})
        assert made.match(f"a_{many[7]}") == Key("l", {"y": "a", "x": many[7]})

    def test_negative_zero_has_one_text(self):
        """0.0 is `0.0`; -0.0, which is equal, is refused, so that no path has two texts."""
        made = layout("{type: float}")
        assert made.render("k", x=0.0).path == "0.0"
        with pytest.raises(FieldError, match="negative zero"):
            made.render("k", x=-0.0)


class TestMessages:
    """A value that does not fit is a `ValueError` that names the kind, the field, the value and what would fit."""

    @pytest.mark.parametrize(
        ("declaration", "value", "message"),
        [
            (
                "{type: str}",
                "a/b",
                "k: field `x` does not take 'a/b': '/' is not portable; it takes one path segment of A-Z a-z",
            ),
            ("{type: str}", "", "k: field `x` does not take '': it is empty; it takes one path segment"),
            ("{type: str}", ".a", "k: field `x` does not take '.a': it starts with '.'; it takes"),
            ("{type: str}", "a.", "k: field `x` does not take 'a.': it ends with a dot; it takes"),
            ("{type: str}", "con.x", "k: field `x` does not take 'con.x': it is a device name on Windows; it takes"),
            ("{type: str}", 7, "k: field `x` does not take 7: it is of type int, not str; it takes"),
            (
                "{type: str, charset: unicode}",
                "a\u202eb",
                "'a\\u202eb': '\\u202e' (U+202E) is a control, format, separator or unassigned character; it takes",
            ),
            (
                "{type: str, charset: unicode}",
                "e\u0301",
                "it is not in Unicode normal form NFC; it takes one path segment of printable characters",
            ),
            ("{type: str, charset: unicode}", "..", "does not take '..': it is a reserved name; it takes"),
            (
                "{type: path}",
                "a/../b",
                "'a/../b': of its segment '..', it starts with '.'; it takes path segments joined by /, each of",
            ),
            (
                "{type: str, pattern: '[a-z]+'}",
                "A",
                "does not take 'A': the pattern or the exclusion is against it; it takes",
            ),
            ("{type: str, pattern: '[a-z]+'}", "A", "matching '[a-z]+'"),
            ("{type: str, exclude: [a, b]}", "a", "not matching 'a' or 'b'"),
            ("{type: str, max_length: 2}", "abc", "does not take 'abc': it has 3 characters; it takes"),
            ("{type: str, choices: [a, b]}", "c", "does not take 'c'; it takes one of 'a', 'b'"),
            ("{type: int}", True, "does not take True: it is of type bool; it takes a whole number"),
            ("{type: int}", 7.0, "does not take 7.0: it is of type float; it takes a whole number"),
            ("{type: int}", "7", "does not take '7': it is of type str; it takes a whole number"),
            ("{type: int, min: 0}", -1, "does not take -1; it takes a whole number of at least 0"),
            ("{type: int, min: 0, max: 9}", 10, "does not take 10; it takes a whole number from 0 to 9"),
            ("{type: int, max: 9}", 10, "does not take 10; it takes a whole number of at most 9"),
            ("{type: float}", math.nan, "does not take nan: it is not finite"),
            ("{type: float}", "1.5", "does not take '1.5': it is of type str; it takes a finite number"),
            ("{type: bool}", 1, "does not take 1: it is of type int; it takes True or False"),
            ("{type: date}", "2026-01-31", "does not take '2026-01-31': it is of type str; it takes a datetime.date"),
            (
                "{type: date, min: 2026-02-01}",
                datetime.date(2026, 1, 31),
                "it takes a datetime.date of at least 2026-02-01",
            ),
        ],
    )
    def test_message(self, declaration, value, message):
        """What, where, and what would fit, in one sentence without control characters."""
        with pytest.raises(ValueError, match=r"^k: field `x` ") as caught:
            layout(declaration).render("k", x=value)
        assert message in str(caught.value)
        assert str(caught.value).isprintable()
        assert caught.value.value is value

    @pytest.mark.parametrize(
        "value", ["a/" * 10_000, "\x00" * 5_000, 10**5_000, ["a"] * 10_000], ids=["text", "escapes", "digits", "list"]
    )
    @pytest.mark.parametrize("declaration", ["{type: str}", "{type: int}", "{type: float}"])
    def test_message_is_short(self, declaration, value):
        """A value of any length makes a message that one can read."""
        with pytest.raises(FieldError) as caught:
            layout(declaration).render("k", x=value)
        assert len(str(caught.value)) < 400

    def test_zone(self):
        """A time with a zone gets the advice to drop it."""
        made = layout("{type: datetime}", '{{ x | date("%Y%m%d") }}')
        with pytest.raises(FieldError, match=r"has a time zone; convert it to UTC and drop the zone"):
            made.render("k", x=datetime.datetime(2026, 1, 31, tzinfo=datetime.UTC))

    def test_long_segment(self):
        """A segment of more than 255 bytes names the field and the limit."""
        with pytest.raises(FieldError, match=r"k: field `x` .* 256 bytes, more than the 255 of a file name"):
            layout("{type: str, charset: unicode}").render("k", x="\xe9" * 128)

    def test_missing_and_unknown(self):
        """A field that is missing, and one that the kind does not have, are named."""
        made = layout("{type: str}")
        with pytest.raises(FieldError, match="k: field `x` is missing"):
            made.render("k")
        with pytest.raises(
            FieldError, match=r"k: field `xx` does not belong to this kind; a similar field exists: `x`"
        ):
            made.render("k", x="a", xx="b")

    def test_value_without_a_place(self):
        """A value that stands in no path, as another value has it, is refused by its name."""
        made = Layout.parse(
            "zarrange: 1\nfields: {x: {type: str}, b: {type: bool}, d: {type: int}}\n"
            "files: {k: {path: '{{ x }}{% if b == true %}-{{ d }}{% endif %}'}}\n"
        )
        assert made.render("k", x="a", b=True, d=7).path == "a-7"
        assert made.render("k", x="a", b=False).path == "a"
        with pytest.raises(FieldError, match="k: field `d` "):
            made.render("k", x="a", b=False, d=7)


class TestDeclarations:
    """Faults of a declaration have their place in the file."""

    @pytest.mark.parametrize(
        ("declaration", "rule", "below", "message"),
        [
            ("{type: string}", "wrong-type", "string", "`string` is not a field type"),
            ("{type: Str}", "wrong-type", "Str", "`Str` is not a field type"),
            ("{type: 7}", "wrong-type", "7", "expected text, got the number 7"),
            ("{doc: x}", "missing-key", "x: {doc", "`x` has no `type`"),
            ("{type: str, mni: 1}", "unknown-key", "mni", "`mni` is not a key here"),
            ("{type: str, min: 1}", "unknown-key", "min", "`min` means nothing for a field of type `str`"),
            ("{type: str, max: 1}", "unknown-key", "max", "`max` means nothing for a field of type `str`"),
            ("{type: int, pattern: a}", "unknown-key", "pattern", "`pattern` means nothing for a field of type `int`"),
            (
                "{type: int, exclude: [a]}",
                "unknown-key",
                "exclude",
                "`exclude` means nothing for a field of type `int`",
            ),
            ("{type: int, max_length: 3}", "unknown-key", "max_length", "`max_length` means nothing"),
            ("{type: int, charset: unicode}", "unknown-key", "charset", "`charset` means nothing"),
            ("{type: bool, min: 0}", "unknown-key", "min", "`min` means nothing for a field of type `bool`"),
            ("{type: date, charset: text}", "unknown-key", "charset", "`charset` means nothing"),
            ("{type: int, min: '0'}", "wrong-type", "'0'", "`min` is '0'"),
            ("{type: int, min: 0.5}", "wrong-type", "0.5", "`min` is 0.5"),
            ("{type: int, max: .inf}", "wrong-type", ".inf", "`max` is inf"),
            ("{type: int, min: true}", "wrong-type", "true", "a truth value"),
            ("{type: int, min: 5, max: 1}", "wrong-type", "5", "`min` is 5, above `max`, which is 1"),
            ("{type: float, min: .nan}", "wrong-type", ".nan", "`min` is nan"),
            ("{type: float, max: x}", "wrong-type", "x}", "`max` is 'x'"),
            ("{type: date, min: 7}", "wrong-type", "7", "`min` is 7"),
            (
                "{type: date, min: 2026-02-30}",
                "wrong-type",
                "2026-02-30",
                "`min` is '2026-02-30'",
            ),
            ("{type: date, min: 20260131}", "wrong-type", "20260131", "`min` is"),
            ("{type: datetime, max: 2026-01-31}", "wrong-type", "2026-01-31", "`max` is"),
            (
                "{type: str, charset: ascii}",
                "wrong-type",
                "ascii",
                "'ascii' is not one of `portable`, `unicode`, `text`",
            ),
            ("{type: path, charset: text}", "wrong-type", "text", "a `path` has segments, and `text` has none"),
            ("{type: str, max_length: 0}", "wrong-type", "0", "`max_length` is 0"),
            ("{type: str, max_length: 256}", "wrong-type", "256", "`max_length` is 256"),
            ("{type: str, max_length: '3'}", "wrong-type", "'3'", "expected a whole number"),
            ("{type: str, choices: []}", "invalid-choice", "[]", "`choices` is empty, so that no value fits"),
            ("{type: str, choices: a}", "wrong-type", "a}", "expected a list"),
            ("{type: str, choices: [a, b, a]}", "invalid-choice", "a]", "the choice 'a' stands twice"),
            ("{type: float, choices: [1, 1.0]}", "invalid-choice", "1.0", "the choice 1.0 stands twice"),
            ("{type: str, choices: [a, a/b]}", "invalid-choice", "a/b", "does not take 'a/b'"),
            ("{type: str, choices: [a, 7]}", "invalid-choice", "7", "does not take 7"),
            ("{type: int, choices: [1, '7']}", "invalid-choice", "'7'", "does not take '7'"),
            ("{type: int, min: 5, choices: [9, 1]}", "invalid-choice", "1]", "does not take 1"),
            ("{type: str, choices: [a, [b]]}", "wrong-type", "[b]", "got a list"),
            ("{type: str, exclude: a}", "wrong-type", "a}", "expected a list"),
            ("{type: str, exclude: [a, 7]}", "wrong-type", "7", "expected text"),
            ("{type: str, pattern: 'a(b'}", "invalid-pattern", "(b", "missing )"),
            ("{type: str, pattern: 'ab(?=c)'}", "invalid-pattern", "(?=", "`(?=` is not regular"),
            ("{type: str, exclude: [a, 'b+$']}", "invalid-pattern", "$", "`$` has no place in a pattern"),
            ("{type: str, pattern: 'a{9999}'}", "invalid-pattern", "a{9999}", "the pattern is too large"),
            ("str", "wrong-type", "str", "expected a mapping"),
            ("~", "wrong-type", "~", "expected a mapping"),
            ("[a]", "wrong-type", "[a]", "expected a mapping"),
        ],
    )
    def test_fault(self, declaration, rule, below, message):
        """A wrong key, limit, pattern or choice is pointed at, with what is wrong."""
        text = f"zarrange: 1\nfields:\n  x: {declaration}\n"
        with pytest.raises(LayoutError) as caught:
            Layout.parse(text, file="f.yaml")
        (finding,) = caught.value.diagnostics
        line = f"  x: {declaration}"
        start = 0 if below.startswith("x: ") else len("  x: ")
        assert finding.rule == rule
        assert message in finding.message
        assert (finding.span.line, finding.span.column) == (3, line.index(below, start) + 1)
        assert finding.span.text == line

    @pytest.mark.parametrize(
        ("declaration", "advice"),
        [
            ("{type: string}", "a similar field type exists: `str`"),
            ("{type: str, chioces: [a]}", "a similar key exists: `choices`"),
            ("{type: int, min: x}", "use a whole number"),
            ("{type: date, min: x}", "use a day such as 2026-01-31"),
            ("{type: path, charset: text}", "use `type: str`, and `quote` it in the template"),
            ("{type: str, max_length: 999}", "use a number from 1 to 255"),
            ("{type: str, pattern: ^a}", "leave it out"),
            ("{type: int, charset: text}", "known: `choices`, `doc`, `max`, `min`, `renamed_from`, `type`"),
        ],
    )
    def test_help(self, declaration, advice):
        """The help says what to write instead."""
        with pytest.raises(LayoutError) as caught:
            layout(declaration, "a")
        (finding,) = caught.value.diagnostics
        assert advice in finding.help

    def test_all_faults(self):
        """A declaration with several faults has them all reported."""
        with pytest.raises(LayoutError) as caught:
            layout("{type: str, min: 1, pattern: (, exclude: [ok, '*'], max_length: 0, choices: []}", "a")
        rules = [one.rule for one in caught.value.diagnostics]
        assert rules == ["unknown-key", "invalid-pattern", "invalid-pattern", "wrong-type", "invalid-choice"]


@pytest.mark.parametrize("text", ["\ud800", "a\udfffb"])
def test_half_of_a_pair_is_no_text(text):
    """Both halves of a surrogate pair are refused by the charset itself, before any filter sees them."""
    field, _ = make_field("x", FieldSpec("str", charset="text"))
    with pytest.raises(Misfit, match="half of a surrogate pair"):
        field.accept(text)


@pytest.mark.parametrize("charset", ["portable", "unicode"])
@pytest.mark.parametrize("text", ["zarr.json", "a/zarr.json", "zarr.json/a", "a/b./c", "a/con/b", "con.x"])
def test_the_language_of_a_path_leaves_reserved_segments_out(charset, text):
    """What a path field excludes is no text of its language either, in whatever segment it stands."""
    field, _ = make_field("x", FieldSpec("path", charset=charset))
    with_zarr = charset == "portable" or "zarr.json" in text
    assert field.language.fullmatch(text) is not with_zarr


def test_patterns_that_are_too_large_together():
    """Patterns that are fine one by one, but not together, are one error at the field."""
    text = (
        "zarrange: 1\nfields: {x: {type: str, exclude: ['[a-z]{300}', '[0-9]{300}']}}\nfiles: {k: {path: '{{ x }}'}}\n"
    )
    with pytest.raises(LayoutError) as caught:
        Layout.parse(text)
    (one,) = caught.value.diagnostics
    assert (one.rule, one.message, one.span.line) == ("invalid-pattern", "the pattern is too large", 2)


def test_the_fault_of_a_pattern_is_underlined_whole():
    """The span of an irregular part has its full length."""
    text = "zarrange: 1\nfields: {x: {type: str, pattern: 'a(?=b)c'}}\n"
    with pytest.raises(LayoutError) as caught:
        Layout.parse(text)
    (one,) = caught.value.diagnostics
    assert one.span.text[one.span.column - 1 : one.span.end_column - 1] == "(?="
