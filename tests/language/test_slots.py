"""Slots: the language of each has every text that `value` takes, and no other where the slot `is_regular`."""

from __future__ import annotations

import datetime
import itertools
import math
import re
import struct
from functools import cache
from unicodedata import normalize

import pytest
from hypothesis import example, given, settings, strategies as st

from zarrange.diagnostics import Span
from zarrange.language.charsets import CHARSETS, RESERVED
from zarrange.language.declarations import make_field
from zarrange.language.fields import FieldSpec
from zarrange.language.filters import BUILT_IN, Filter
from zarrange.language.patterns import Builder
from zarrange.language.slots import Slot
from zarrange.language.texts import Texts

FILTERS = {one.name: one for one in BUILT_IN}


@cache
def slot(spec, *filters):
    """The slot of a field, with filters that are given by name or as tuples with their arguments."""
    field, found = make_field("x", spec)
    assert found == []
    chain = []
    for one in filters:
        name, *arguments = one if isinstance(one, tuple) else (one,)
        chain.append((name if isinstance(name, Filter) else FILTERS[name], tuple(arguments)))
    return Slot(field, tuple(chain), Span("f.yaml", 1, 1, 1, 1))


def disagreements(made, texts):
    """The texts that are in the language but have no value, or the other way round."""
    return [text for text in texts if made.language.fullmatch(text) != (made.value(text) is not None)]


def missing(made, texts):
    """The texts that have a value, but are not in the language."""
    return [text for text in texts if made.value(text) is not None and not made.language.fullmatch(text)]


def words(alphabet, length):
    """All texts over an alphabet up to a length."""
    return ["".join(one) for n in range(length + 1) for one in itertools.product(alphabet, repeat=n)]


@st.composite
def mutations(draw, texts, alphabet):
    """Texts near to some others: with a few characters taken out, put in, replaced or doubled."""
    text = draw(texts)
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(text)))
        new = draw(st.sampled_from(alphabet) | st.just("") | st.just(text[at : at + 1] * 2))
        text = text[:at] + new + text[at + draw(st.integers(0, 1)) :]
    return text


PATTERNS = [None, "[a-z.]+", "(?:[^/]|/)*", "a*|c.n", ".{2}", r"\D+", "é?a|[ -~]{3}"]
EXCLUDES = [(), ("a",), ("a.*", "con|[0-9]+"), (".*é.*",)]
SPECS = [
    FieldSpec(type=kind, charset=charset, pattern=pattern, exclude=exclude, max_length=most)
    for kind, charset in [("str", None), ("str", "unicode"), ("str", "text"), ("path", None), ("path", "unicode")]
    for pattern, exclude, most in [
        *[(pattern, (), None) for pattern in PATTERNS],
        *[(None, exclude, most) for exclude in EXCLUDES for most in (None, 3)],
        ("[a-zé/]+", ("a.*",), 2),
    ]
]
NAMES = [
    "a", "con", "CON.x", "con.", "cone", "com1.a", "nul", "aux", "prn", "lpt0", "PRN", "Aux.b", "NUL", "LPT9",
    "zarr.json", "ZARR.json.", "zarr.jso", "Zarr.Json", "ZARR.JSON",
    ".zarray", ".ZATTRS", ".zgroup", ".zmetadata", ".zmetadat", ".", "..", "...", "-a", "a.", "a b", " a", "a ", "a/b",
    "a//b", "a/.", "a/con", "con/a", "a/zarr.json", "a./b", "/a", "a/", "%41", "%", "100%", "a\\b", "a\nb", "\x7f", "~",
]  # fmt: skip
WIDE = ["é", "e\u0301", "日本", "\U0001f600", "aé/b", "\xa0", "\u202e", "\ue000", "\ufffe", "ÿ.", "K", "\u212a"]
INEXACT = {"unicode"}


@pytest.fixture(scope="module")
def plain():
    return [(spec, slot(spec)) for spec in SPECS]


@pytest.fixture(scope="module")
def quoted():
    return [(spec, slot(spec, "quote")) for spec in SPECS]


class TestText:
    """The language of a `str` or `path` slot is its charset, pattern, exclusions and greatest length."""

    def test_names(self, plain):
        """Reserved names, devices, dots, spaces and separators are in exactly where `value` takes them."""
        for spec, made in plain:
            assert made.is_regular_in_ascii, spec
            assert disagreements(made, NAMES) == [], spec

    def test_short_texts(self, plain):
        """All short texts over an alphabet of special characters are decided as `value` decides."""
        texts = words("a.-/c on", 3)
        for spec, made in plain:
            assert disagreements(made, texts) == [], spec

    def test_beyond_ascii(self, plain):
        """No text beyond ASCII is left out; a slot that has others says that it is not regular."""
        for spec, made in plain:
            assert missing(made, WIDE) == [], spec
            if disagreements(made, WIDE):
                assert not made.is_regular, spec
                assert spec.charset == "unicode"

    @pytest.mark.parametrize("charset", ["portable", "text"])
    def test_regular_charsets(self, charset):
        """`portable` and `text` are regular, `unicode` only where the pattern leaves nothing beyond ASCII."""
        assert slot(FieldSpec(type="str", charset=charset)).is_regular
        assert not slot(FieldSpec(type="str", charset="unicode")).is_regular
        assert slot(FieldSpec(type="str", charset="unicode", pattern="[a-z ]+")).is_regular
        assert not slot(FieldSpec(type="str", charset="unicode", pattern="[a-z é]+")).is_regular

    def test_printable(self):
        """Every printable character is in the language of `unicode`; most others are not."""
        takes = re.compile(CHARSETS["unicode"].include).fullmatch
        characters = list(map(chr, range(0x110000)))
        assert [one for one in characters if one.isprintable() and not takes(one)] == [" ", "/", "\\"]
        sure = [*characters[:0xB0], *"\u200b\u202e\ud800\ue000\ufeff\ufffe\uffff\U0010ffff"]
        assert [one for one in sure if not one.isprintable() and takes(one)] == []

    @settings(max_examples=150, deadline=None)
    @given(st.sampled_from(SPECS), mutations(st.sampled_from(NAMES), ".-/ aC%é0\n"))
    def test_near_names(self, spec, text):
        """Texts near to special ones are decided as `value` decides."""
        made = slot(spec)
        assert missing(made, [text]) == []
        if made.is_regular or text.isascii():
            assert disagreements(made, [text]) == []

    @settings(max_examples=150, deadline=None)
    @given(st.sampled_from(SPECS), st.text(max_size=5))
    def test_any_text(self, spec, text):
        """No text at all that has a value is left out."""
        made = slot(spec)
        assert missing(made, [text, normalize("NFC", text)]) == []

    @pytest.mark.parametrize("kind", ["str", "path"])
    @pytest.mark.parametrize("most", [1, 7, 254, 255])
    def test_max_length(self, kind, most):
        """`max_length` counts characters, to the last one."""
        made = slot(FieldSpec(type=kind, charset="unicode", max_length=most))
        texts = [letter * (most + more) for letter in "aé\U0001f600" for more in (-1, 0, 1)]
        assert disagreements(made, texts) == []
        assert [len(one) for one in texts if made.language.fullmatch(one)] == [most - 1, most] * 3 if most > 1 else True

    def test_the_largest_patterns(self):
        """Patterns that are just small enough to load have a language, together with the charset and with `quote`."""
        spec = FieldSpec(type="path", charset="unicode", pattern="[^x]{480}", max_length=255)
        for made in (slot(spec), slot(spec, "quote")):
            assert missing(made, ["a" * 480, "a"]) == []


class TestQuote:
    """The language of a quoted slot is what `quote` makes of the field's language."""

    def test_all_short_texts(self):
        """Of all short texts over percent signs, digits and special characters, exactly the canonical ones are in."""
        made = slot(FieldSpec(type="str", charset="text"), "quote")
        assert made.is_regular
        assert disagreements(made, words("a.-%2E41Con", 4)) == []

    def test_bytes(self):
        """Of all single bytes and pairs of them, those that are well-formed and have to be quoted are in."""
        made = slot(FieldSpec(type="str", charset="text"), "quote")
        ones = [f"%{byte:02X}" for byte in range(256)]
        edges = [f"%{byte:02X}" for byte in (0x20, 0x41, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xC1, 0xC2)]
        leads = [f"%{byte:02X}" for byte in (0xDF, 0xE0, 0xE1, 0xEC, 0xED, 0xEE, 0xEF, 0xF0, 0xF1, 0xF3, 0xF4, 0xF5)]
        texts = [*ones, *map("".join, itertools.product(ones, edges))]
        texts += map("".join, itertools.product([*edges, *leads], edges, edges))
        texts += map("".join, itertools.product(leads, edges, ["%80", "%BF"], ["%80", "%BF", "%C0", "x"]))
        assert disagreements(made, texts) == []
        assert sum(map(made.language.fullmatch, texts)) > 700

    @pytest.mark.parametrize(
        "text", ["%41", "%C3%28", "%ED%A0%80", "%C0%AF", "%c3%A9", "%2e", "%63", "%63one", "a%2Eb", "%2D%2D", "con%2E"]
    )
    def test_not_canonical(self, text):
        """What is quoted in another way, or is no text, is not in the language."""
        made = slot(FieldSpec(type="str", charset="text"), "quote")
        assert made.value(text) is None
        assert not made.language.fullmatch(text)

    def test_names(self, quoted):
        """The quoted forms of special names are in where the field takes the name."""
        quote = FILTERS["quote"].encode
        texts = [quote(one) for one in NAMES]
        for spec, made in quoted:
            assert disagreements(made, texts) == [], spec
            assert missing(made, map(quote, WIDE)) == [], spec

    def test_short_texts(self, quoted):
        """The quoted forms of all short texts, and texts near to them, are decided as `value` decides."""
        texts = [*map(FILTERS["quote"].encode, words("a.-/c é", 3)[1:]), *words("a%2EFno", 3)]
        for spec, made in quoted:
            assert missing(made, texts) == [], spec
            if made.is_regular:
                assert disagreements(made, texts) == [], spec

    def test_regular(self, quoted):
        """Only what is not regular unquoted is not regular when it is quoted; then ASCII is no exception."""
        for spec, made in quoted:
            assert made.is_regular == slot(spec).is_regular
            assert made.is_regular_in_ascii == made.is_regular

    @settings(max_examples=150, deadline=None)
    @given(st.sampled_from(SPECS), st.sampled_from(NAMES + WIDE) | st.text(max_size=4), st.data())
    def test_near_quoted(self, spec, value, data):
        """Texts near to quoted ones are decided as `value` decides."""
        made = slot(spec, "quote")
        near = mutations(st.just(FILTERS["quote"].encode(value.encode(errors="replace").decode())), "%2E4DabC.-/é")
        text = data.draw(near)
        assert missing(made, [text]) == []
        if made.is_regular:
            assert disagreements(made, [text]) == []

    def test_twice(self):
        """What is quoted twice is the quoted form of quoted forms."""
        made = slot(FieldSpec(type="str", charset="text", exclude=("a b",)), "quote", "quote")
        assert made.is_regular
        quote = FILTERS["quote"].encode
        texts = [quote(quote(one)) for one in [*NAMES, *WIDE, "é/"]]
        assert disagreements(made, [*texts, *map(quote, NAMES), *words("a%252E0", 4)]) == []
        assert sum(map(made.language.fullmatch, texts)) == len(texts) - 1

    def test_size(self):
        """A class of all characters stays small when it is quoted: the longest `max_length` does not grow too large."""
        for pattern in (None, "[^x]+"):
            made = slot(FieldSpec(type="str", charset="text", pattern=pattern, max_length=255), "quote")
            assert made.is_regular
            builder = Builder(20_000)
            assert [builder.add(one) for one in made.language.include]
            assert len(builder.nodes) < 15_000

    def test_a_pattern_that_grows_too_large(self):
        """A pattern whose quoted form is too large leaves every quoted text in, and the slot says so."""
        classes = "".join(f"[a-b\\u{0x1001 + 64 * at:04x}-\\u{0x9001 + 64 * at:04x}]" for at in range(40))
        made = slot(FieldSpec(type="str", charset="text", pattern=f"(?:{classes}){{20}}"), "quote")
        assert not made.is_regular
        assert made.language.fullmatch("%E1%80%81" * 3)
        assert not made.language.fullmatch("a.")


class TestInt:
    """The language of a whole number is its range, to the digit."""

    @pytest.mark.parametrize("width", [None, 1, 2, 3, 4])
    def test_every_text(self, width):
        """In random ranges, all digit strings up to a length of four are decided as `value` decides."""
        texts = [sign + text for sign in ("", "-") for text in words("0159", 4)]
        texts += [f"{number:0{pad}d}" for number in range(-130, 131) for pad in (1, 2, 3, 4)]
        texts += ["+1", " 1", "1 ", "1_0", "\u0661", "--1", "1.0"]
        for low, high in [(0, 0), (-1, 1), (7, 105), (-120, -8), (-9, 100), (99, 100), (-100, -100), (10, 99), (1, 9)]:
            made = slot(FieldSpec(type="int", min=low, max=high), *([] if width is None else [("pad", width)]))
            assert made.is_regular
            assert disagreements(made, texts) == []
            assert len({one for one in texts if made.language.fullmatch(one)}) == high - low + 1

    @settings(max_examples=200, deadline=None)
    @given(
        st.none() | st.integers(-(10**40) + 1, 10**40 - 1) | st.integers(-200, 200),
        st.integers(0, 10**40) | st.integers(0, 200) | st.none(),
        st.sampled_from([None, 1, 2, 8, 40, 41, 42, 64]),
        st.data(),
    )
    def test_bounds(self, low, size, width, data):
        """At both bounds of any range, and next to them, the language is what `value` takes."""
        high = None if size is None or low is None else min(low + size, 10**40 - 1)
        made = slot(FieldSpec(type="int", min=low, max=high), *([] if width is None else [("pad", width)]))
        edges = [one for one in (low, high, 0, 10**40, -(10**40)) if one is not None]
        numbers = [edge + more for edge in edges for more in (-11, -10, -1, 0, 1, 9, 10)] + [data.draw(st.integers())]
        texts = [f"{number:0{pad}d}" for number in numbers for pad in (1, width or 1, (width or 1) + 1)]
        assert disagreements(made, texts) == []
        assert disagreements(made, [data.draw(mutations(st.sampled_from(texts), "0129-"))]) == []

    def test_forty_digits(self):
        """Numbers of up to forty digits are written and read, with a sign or without."""
        made = slot(FieldSpec(type="int"))
        for number in (10**40 - 1, 1 - 10**40, -(10**39)):
            assert made.value(made.text(number)) == number
        assert disagreements(made, [str(sign * 10**40) for sign in (1, -1)]) == []

    def test_quoted(self):
        """A padded number that is quoted has its dash quoted."""
        made = slot(FieldSpec(type="int", min=-20, max=20), ("pad", 3), "quote")
        assert made.is_regular
        texts = [f"{sign}{digits}" for sign in ("", "-", "%2D", "%2d") for digits in words("012", 3)]
        assert disagreements(made, texts) == []
        assert made.language.fullmatch("%2D20")


FLOATS = [
    0.0, 1.0, -1.0, 0.1, 1e-4, 9.999e-5, 1e15, 1e16, 9999999999999998.0, 1.7976931348623157e308, 5e-324, 2.5, 100.0,
    123456789.12345679, 0.00012345678901234567, 1e22, 1e23, 1.5e300, 1e-5, 1e-10, 2.2250738585072014e-308, 1e100,
]  # fmt: skip


class TestFloat:
    """The language of a float has all texts that `repr` writes, and few others."""

    @settings(max_examples=300, deadline=None)
    @given(st.floats(allow_nan=False, allow_infinity=False) | st.binary(min_size=8, max_size=8))
    @example(struct.pack(">d", 1e16))
    def test_every_float(self, value):
        """Any float's text is in the language, of the bits whatever they are."""
        number = struct.unpack(">d", value)[0] if isinstance(value, bytes) else value
        made = slot(FieldSpec(type="float"))
        assert made.language.fullmatch(repr(number)) == (math.isfinite(number) and repr(number) != "-0.0")

    @pytest.mark.parametrize("number", [*FLOATS, *(-one for one in FLOATS)])
    @pytest.mark.parametrize("bounds", [(None, None), (0, None), (None, 0), (-1, 1), (0.5, None), (None, -0.5), (0, 0)])
    def test_bounds(self, number, bounds):
        """What bounds leave is in; a sign that they rule out is not."""
        made = slot(FieldSpec(type="float", min=bounds[0], max=bounds[1]))
        assert missing(made, [repr(number)]) == []
        if bounds[0] is not None and number < 0 <= bounds[0]:
            assert not made.language.fullmatch(repr(number))

    def test_other_forms(self):
        """Zeros and exponents that `repr` does not write are out."""
        made = slot(FieldSpec(type="float"))
        texts = [
            "1", "01.0", "1.50", "1.", ".5", "-0.0", "1e5", "1e15", "1.0e16", "1e+15", "1e-4", "1e-05x", "0.00001",
            "1e+309", "1e-325", "1E+16", "+1.0", "1e16", "00.1", "-", "", "nan", "inf", "1234567890.12345678",
            "12345678901234567.0", "1e+016", "1e-5", "0e+16",
        ]  # fmt: skip
        assert [one for one in texts if made.language.fullmatch(one)] == []
        assert not made.is_regular
        assert not made.is_regular_in_ascii

    def test_bool(self):
        """A truth value has two texts."""
        made = slot(FieldSpec(type="bool"))
        assert made.is_regular
        assert [one for one in ("True", "False", "true", "1", "", "TrueFalse") if made.language.fullmatch(one)] == [
            "True",
            "False",
        ]


FORMS = ["%Y-%m-%d", "%Y%j", "%d.%m.%Y", "%j of %Y", "%m%Y%d", "%d%%%Y%m%H", "%H%Y%m%d", "年%Y-%m-%d"]
YEARS = [1, 4, 100, 1900, 2000, 2023, 2024, 9999]


def numbered(form, year, hour=0, **parts):
    """A format filled with numbers that need not be a date."""
    numbers = {"%Y": f"{year:04d}", "%H": f"{hour:02d}"}
    numbers |= {f"%{part}": f"{number:0{3 if part == 'j' else 2}d}" for part, number in parts.items()}
    for part, text in {**numbers, "%%": "%"}.items():
        form = form.replace(part, text)
    return form


class TestDate:
    """The language of dates is the calendar, between the bounds."""

    @pytest.mark.parametrize("form", FORMS)
    @pytest.mark.parametrize("year", YEARS)
    def test_all_days(self, form, year):
        """Of all numbers of a month and a day, or of a day of the year, those that the year has are in."""
        made = slot(FieldSpec(type="date"), ("date", form))
        assert made.is_regular
        if "%j" in form:
            texts = [numbered(form, year, j=day) for day in range(370)]
        else:
            texts = [numbered(form, year, m=month, d=day) for month in range(14) for day in range(33)]
        assert disagreements(made, texts) == []
        assert sum(map(made.language.fullmatch, texts)) in {365, 366}

    @pytest.mark.parametrize(
        ("form", "step", "leap"), [("%Y-%m-%d", 1, 2424), ("%j of %Y", 1, 2424), ("%d%%%Y%m%H", 4, 2424)]
    )
    def test_all_years(self, form, step, leap):
        """Of all years, those from 1 to 9999 are in, and a leap day where there is one."""
        made = slot(FieldSpec(type="date"), ("date", form))
        texts = [numbered(form, year, m=2, d=29, j=366) for year in range(0, 10_000, step)]
        assert disagreements(made, texts) == []
        assert sum(map(made.language.fullmatch, texts)) == leap

    @pytest.mark.parametrize("form", [None, *FORMS])
    @settings(max_examples=20, deadline=None)
    @given(st.lists(st.dates(), min_size=2, max_size=2).map(sorted), st.booleans(), st.booleans(), st.data())
    def test_bounds(self, form, bounds, has_low, has_high, data):
        """At the bounds, and next to them in any part, the language is what `value` takes, whatever the order."""
        low, high = (one.isoformat() if given else None for one, given in zip(bounds, (has_low, has_high), strict=True))
        made = slot(FieldSpec(type="date", min=low, max=high), *([] if form is None else [("date", form)]))
        days = [data.draw(st.dates())]
        for edge, step in itertools.product(bounds, (-366, -31, -1, 0, 1, 30, 365)):
            days.append(datetime.date.fromordinal(min(max(edge.toordinal() + step, 1), 3_652_059)))
        texts = [
            numbered(form or "%Y-%m-%d", day.year, hour, m=day.month, d=day.day, j=day.timetuple().tm_yday)
            for day in days
            for hour in (0, 1)
        ]
        assert made.is_regular
        assert disagreements(made, texts) == []
        near = data.draw(mutations(st.sampled_from(texts), "0123459-"))
        assert disagreements(made, [near]) == []

    @pytest.mark.parametrize(
        "form", [None, "%Y%m%dT%H%M%S.%f", "%f-%S-%M-%H %d.%m.%Y", "%Y%m%d", "%Y%jT%H%M", "%Y%m%d %M"]
    )
    @settings(max_examples=25, deadline=None)
    @given(st.lists(st.datetimes(), min_size=2, max_size=2).map(sorted), st.sampled_from([0, 1, 60, 3600]), st.data())
    def test_times(self, form, bounds, cut, data):
        """Times are in between the bounds to the microsecond, also where the format leaves parts out."""
        if cut:
            bounds = sorted(one.replace(microsecond=0, second=one.second * (cut < 60)) for one in bounds)
        low, high = (one.isoformat() for one in bounds)
        made = slot(FieldSpec(type="datetime", min=low, max=high), *([] if form is None else [("date", form)]))
        write = datetime.datetime.isoformat if form is None else lambda value: FILTERS["date"].encode(value, form)
        steps = [
            datetime.timedelta(**{unit: n}) for unit in ("microseconds", "seconds", "hours", "days") for n in (-1, 1)
        ]
        moments = [*bounds, data.draw(st.datetimes())]
        for edge, step in itertools.product(bounds, steps):
            if datetime.datetime.min - edge < step < datetime.datetime.max - edge:
                moments.append(edge + step)
        texts = [write(one) for one in moments] + [write(one.replace(hour=0, minute=0)) for one in moments]
        assert made.is_regular
        assert disagreements(made, texts) == []
        assert disagreements(made, [data.draw(mutations(st.sampled_from(texts), "012356.T:-"))]) == []

    @pytest.mark.parametrize(
        "text",
        [
            "20240131T240000",
            "20240131T236000",
            "20240131T235960",
            "20240131T235959",
            "00000131T000000",
            "20230229T000000",
        ],
    )
    def test_clock(self, text):
        """A day has 24 hours, an hour 60 minutes, a minute 60 seconds."""
        made = slot(FieldSpec(type="datetime"), ("date", "%Y%m%dT%H%M%S"))
        assert made.language.fullmatch(text) == (text == "20240131T235959")
        assert disagreements(made, [text]) == []

    @pytest.mark.parametrize(
        "text", ["2024-01-31T00:00:00", "2024-01-31T00:00:00.000000", "2024-01-31T00:00:00.000001"]
    )
    def test_iso(self, text):
        """Microseconds stand in the ISO form only where there are some."""
        made = slot(FieldSpec(type="datetime"))
        assert made.language.fullmatch(text) == (not text.endswith(".000000"))
        assert disagreements(made, [text]) == []

    def test_bounds_that_leave_nothing(self):
        """Where no text of a format is within the bounds, the language is empty."""
        spec = FieldSpec(type="datetime", min="2024-01-31T01:00:00", max="2024-01-31T02:00:00")
        made = slot(spec, ("date", "%Y%m%d"))
        texts = ["20240131", "20240130", "20240201"]
        assert disagreements(made, texts) == []
        assert not any(map(made.language.fullmatch, texts))

    @pytest.mark.parametrize("form", [" %Y%m%d", "%Y%m%d ", "e\u0301%Y%m%d", "%Y%m%d" + "é" * 130])
    def test_format_that_is_no_segment(self, form):
        """A format that no path can have has an empty language, unless it is quoted."""
        made = slot(FieldSpec(type="date"), ("date", form))
        text = FILTERS["date"].encode(datetime.date(2024, 2, 29), form)
        assert disagreements(made, [text]) == []
        assert not made.language.fullmatch(text)
        behind = slot(FieldSpec(type="date"), ("date", form), "quote")
        assert missing(behind, [FILTERS["quote"].encode(text)]) == []

    def test_quoted(self):
        """A date that is quoted is the calendar, with its spaces and other characters quoted."""
        made = slot(FieldSpec(type="date"), ("date", "%Y %m/%d".replace("/", "é")), "quote")
        assert made.is_regular
        texts = [f"2023%20{month:02d}%C3%A9{day:02d}" for month in range(14) for day in range(33)]
        assert disagreements(made, texts) == []
        assert sum(map(made.language.fullmatch, texts)) == 365

    def test_a_day_told_twice(self):
        """A format that tells the day twice leaves no day out, and says that it is not regular."""
        made = slot(FieldSpec(type="date"), ("date", "%Y%m%d %j"))
        days = [datetime.date(2024, 1, 1) + datetime.timedelta(at) for at in range(366)]
        assert [day for day in days if not made.language.fullmatch(made.text(day))] == []
        assert not made.is_regular


class TestChoices:
    """The language of a field with choices is their texts."""

    @pytest.mark.parametrize(
        ("spec", "filters"),
        [
            (FieldSpec(type="str", choices=("a", "ab", "b.c", "abc")), ()),
            (FieldSpec(type="str", charset="text", choices=("a b", "é", "con", ".", "a")), ("quote",)),
            (FieldSpec(type="path", choices=("a/b", "a", "a/c")), ()),
            (FieldSpec(type="path", choices=("a/b", "a", "a/c")), ("quote",)),
            (FieldSpec(type="int", choices=(1, 10, -1, 0)), ()),
            (FieldSpec(type="int", choices=(1, 10, -1, 0)), (("pad", 2),)),
            (FieldSpec(type="int", choices=(1, 10, -1, 0)), (("pad", 2), "quote")),
            (FieldSpec(type="float", choices=(0.1, 1, 1e16)), ()),
            (FieldSpec(type="bool", choices=(True,)), ()),
            (FieldSpec(type="date", choices=("2024-02-29", "2024-03-01")), (("date", "%Y%j"),)),
            (FieldSpec(type="datetime", choices=("2024-02-29T00:00:00", "2024-03-01T10:00:00")), (("date", "%Y%j"),)),
        ],
    )
    def test_texts(self, spec, filters):
        """Exactly the choices that can be written are in, through any filters."""
        made = slot(spec, *filters)
        assert made.is_regular
        written = {
            made.text(one) for one in made.field.choices if not isinstance(one, datetime.datetime) or not one.hour
        }
        texts = [*words("ab/.c%01-", 3), "0.1", "1.0", "1e+16", "True", "False", "2024060", "2024061", *written]
        assert disagreements(made, texts) == []
        assert {one for one in texts if made.language.fullmatch(one)} == written

    def test_many(self):
        """As many and as long choices as a layout can have are no language that is too large."""
        texts = tuple(f"{at:04d}{'é ' * 20}x" for at in range(150))
        made = slot(FieldSpec(type="str", charset="text", choices=texts), "quote")
        quote = FILTERS["quote"].encode
        assert all(made.language.fullmatch(quote(one)) for one in texts[::7])
        assert not any(made.language.fullmatch(quote(one[:-1])) for one in texts[::7])


def upper(text):
    return text.upper()


def lower(text):
    return text.lower()


class TestCustom:
    """The language of a filter of one's own is what its pattern and the rules of a segment leave."""

    def test_pattern(self):
        """Texts of the pattern are in, names that no segment may have are not; the slot is not regular."""
        made = slot(FieldSpec(type="str"), (Filter("upper", upper, lower, pattern="[A-Z.]*|/| A"),))
        texts = ["A", "ABC", "a", "", ".", "..", "/", " A", ".ZARRAY", "ZARR.JSON"]
        assert [one for one in texts if made.language.fullmatch(one)] == ["A", "ABC"]
        assert not made.is_regular

    def test_quoted(self):
        """What is quoted behind such a filter is the quoted form of its pattern's texts."""
        made = slot(FieldSpec(type="str"), (Filter("upper", upper, lower, pattern="[A-Z.]+"),), "quote")
        assert [one for one in ["A", "%43ON", "CON", "a", "A%2E"] if made.language.fullmatch(one)] == [
            "A",
            "%43ON",
            "A%2E",
        ]
        assert missing(made, ["A", "%43ON", "ABC", "A.B"]) == []

    def test_output_outside_of_the_pattern(self):
        """A value for which a filter writes what its pattern does not match is refused, and such a text is not read."""
        made = slot(FieldSpec(type="str"), (Filter("upper", upper, lower, pattern="[A-M]+"),))
        assert made.text("abc") == "ABC"
        with pytest.raises(ValueError, match="`upper` gives 'XYZ' for it, which its pattern does not match"):
            made.text("xyz")
        assert made.value("XYZ") is None
        assert made.value("ABC") == "abc"

    @settings(max_examples=100, deadline=None)
    @given(st.text("abM. é/", max_size=4))
    def test_no_text_is_left_out(self, text):
        """Whatever is read through a filter of one's own is in the language."""
        made = slot(FieldSpec(type="str", charset="text"), (Filter("upper", upper, lower, pattern="[^M]+"),))
        assert missing(made, [text, text.upper()]) == []


class TestSharing:
    """Slots of a field share what they can."""

    def test_one_language(self):
        """Two slots of a field without filters have one language; `quote` adds nothing to portable names."""
        field, _ = make_field("x", FieldSpec(type="str", pattern="[a-z]+"))
        span = Span("f.yaml", 1, 1, 1, 1)
        one, other = Slot(field, (), span), Slot(field, ((FILTERS["quote"], ()),), span)
        assert one.language is other.language is field.language

    def test_regular_by_default(self):
        """What is regular is regular in ASCII, unless it is said otherwise."""
        assert Texts(("a",)).is_regular_in_ascii
        assert not Texts(("a",), is_regular=False).is_regular_in_ascii
        assert Texts(("a",), is_regular=False, is_regular_in_ascii=True).is_regular_in_ascii

    def test_all_reserved_names(self):
        """No charset lets a reserved name through, in any case of its letters."""
        for charset in ("portable", "unicode"):
            made = slot(FieldSpec(type="str", charset=charset))
            names = [case(name) for name in RESERVED for case in (str.lower, str.upper, str.title)]
            assert not any(map(made.language.fullmatch, names))
