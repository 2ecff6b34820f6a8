"""Filters: `pad`, `quote`, `date`, and those that users bring."""

from __future__ import annotations

import datetime
import re
from urllib.parse import unquote

import pytest
from hypothesis import given, settings, strategies as st

from zarrange import Filter, Key, Layout
from zarrange.errors import FieldError, LayoutError


def layout(declaration, template, *filters):
    text = f"zarrange: 1\nfields: {{x: {declaration}, y: {{type: str}}}}\nfiles: {{k: {{path: '{template}'}}}}\n"
    return Layout.parse(text, file="f.yaml", filters=filters)


def finding(declaration, template, *filters):
    with pytest.raises(LayoutError) as caught:
        layout(declaration, template, *filters)
    (found,) = caught.value.diagnostics
    return found


def refusal(made, value):
    with pytest.raises(FieldError) as caught:
        made.render("k", x=value)
    assert str(caught.value).startswith("k: field `x` ")
    return str(caught.value)


PAD = layout("{type: int}", "{{ x | pad(8) }}")
QUOTE = layout("{type: str, charset: text}", "{{ x | quote }}")


class TestPad:
    """`pad(width)` writes a whole number with leading zeros, so that names sort like numbers."""

    @pytest.mark.parametrize(
        ("width", "value", "text"),
        [
            (8, 0, "00000000"),
            (8, 1000, "00001000"),
            (8, 99999999, "99999999"),
            (8, 100000000, "100000000"),
            (8, 10**30, "1" + "0" * 30),
            (8, -7, "-0000007"),
            (8, -12345678, "-12345678"),
            (1, 0, "0"),
            (1, 7, "7"),
            (1, -7, "-7"),
            (2, -7, "-7"),
            (3, -7, "-07"),
            (64, 7, "0" * 63 + "7"),
        ],
    )
    def test_text(self, width, value, text):
        """The text has at least that many characters, the sign among them."""
        made = layout("{type: int}", f"{{{{ x | pad({width}) }}}}")
        assert made.render("k", x=value).path == text
        assert made.match(text) == Key("k", {"x": value})

    @settings(max_examples=200, deadline=None)
    @given(
        st.integers(-(10**39), 10**39) | st.integers(-(10**9), 10**9), st.sampled_from([1, 2, 8, 16, 17, 18, 19, 64])
    )
    def test_round_trip(self, value, width):
        """Every whole number comes back from its padded text, whatever the width."""
        made = PADDED[width]
        path = made.render("k", x=value).path
        assert len(path) >= width
        assert int(path) == value
        assert made.match(path) == Key("k", {"x": value})

    @settings(max_examples=200, deadline=None)
    @given(st.lists(st.integers(0, 10**8 - 1), min_size=2, max_size=20))
    def test_order(self, values):
        """Numbers that fit the width sort by name."""
        paths = [PAD.render("k", x=value).path for value in sorted(values)]
        assert paths == sorted(paths)

    @settings(max_examples=200, deadline=None)
    @given(st.from_regex(r"-?[0-9]{1,20}", fullmatch=True))
    def test_one_text(self, text):
        """A text of digits is read only if it is how its number is padded."""
        found = PAD.match(text)
        assert (found is not None) == (text == f"{int(text):08d}")

    @pytest.mark.parametrize("width", [2, 8])
    def test_takes_the_field_s_values(self, width):
        """What the field refuses, a filter does not let in, in either direction."""
        made = layout("{type: int, min: 5, max: 1000}", f"{{{{ x | pad({width}) }}}}")
        assert "does not take 4" in refusal(made, 4)
        assert "it is of type float" in refusal(made, 7.0)
        assert made.match(f"{4:0{width}d}") is None
        assert made.match(f"{1001:0{width}d}") is None
        assert made.match(f"{1000:0{width}d}") == Key("k", {"x": 1000})

    @pytest.mark.parametrize(
        ("call", "message"),
        [
            ("pad", "`pad` takes 1 argument (width), not 0"),
            ("pad()", "`pad` takes 1 argument (width), not 0"),
            ("pad(8, 9)", "`pad` takes 1 argument (width), not 2"),
            ("pad(0)", "`pad` takes a width from 1 to 64, not 0"),
            ("pad(65)", "`pad` takes a width from 1 to 64, not 65"),
            ("pad(1000000000)", "`pad` takes a width from 1 to 64, not 1000000000"),
            ('pad("8")', "`pad` takes a width from 1 to 64, not '8'"),
            ("pad(true)", "`pad` takes a width from 1 to 64, not True"),
            ("pad(none)", "`pad` takes a width from 1 to 64, not None"),
            ("pad(8.0)", "`pad` takes a width from 1 to 64, not 8.0"),
        ],
    )
    def test_arguments(self, call, message):
        """A width that makes no sense is refused at load, below the filter's name."""
        found = finding("{type: int}", f"a/{{{{ x | {call} }}}}")
        assert (found.rule, found.message) == ("misapplied-filter", message)
        line = found.span.text
        assert line[found.span.column - 1 : found.span.end_column - 1] == "pad"

    @pytest.mark.parametrize(
        "declaration", ["{type: str}", "{type: float}", "{type: bool}", "{type: path}", "{type: date}"]
    )
    def test_other_types(self, declaration):
        """`pad` is for whole numbers only."""
        found = finding(declaration, "{{ x | pad(8) }}")
        assert found.rule == "misapplied-filter"
        assert found.help == "it applies to `int`"


PADDED = {width: layout("{type: int}", f"{{{{ x | pad({width}) }}}}") for width in [1, 2, 8, 16, 17, 18, 19, 64]}


class TestQuote:
    """`quote` percent-encodes any text into one portable segment."""

    @pytest.mark.parametrize(
        ("value", "text"),
        [
            ("train", "train"),
            ("t=0.5", "t=0.5"),
            ("a b", "a%20b"),
            ("a/b", "a%2Fb"),
            ("a\\b", "a%5Cb"),
            ("%", "%25"),
            ("%2F", "%252F"),
            ("%2e%2e", "%252e%252e"),
            (".", "%2E"),
            ("..", "%2E%2E"),
            ("...", "%2E.%2E"),
            (".a", "%2Ea"),
            ("a.", "a%2E"),
            ("a..", "a.%2E"),
            ("a.b", "a.b"),
            ("-a", "%2Da"),
            ("-", "%2D"),
            ("con", "%63on"),
            ("CON", "%43ON"),
            ("con.txt", "%63on.txt"),
            ("con.", "%63on%2E"),
            ("COM1.a.b", "%43OM1.a.b"),
            ("cone", "cone"),
            ("con e", "con%20e"),
            ("com10", "com10"),
            ("zarr.json", "%7Aarr.json"),
            ("zarr.json5", "zarr.json5"),
            (".zarray", "%2Ezarray"),
            ("\x00", "%00"),
            ("\n", "%0A"),
            ("\xe9", "%C3%A9"),
            ("e\u0301", "e%CC%81"),
            ("\U0001f600", "%F0%9F%98%80"),
            ("\u202e", "%E2%80%AE"),
            ("W(id=0, bias=0.1)", "W%28id=0%2C%20bias=0.1%29"),
            ("a" * 255, "a" * 255),
            ("[labels]_['labels']_8nm", "%5Blabels%5D_%5B%27labels%27%5D_8nm"),
        ],
    )
    def test_text(self, value, text):
        """The text is exactly this, portable, and reads back."""
        assert QUOTE.render("k", x=value).path == text
        assert QUOTE.match(text) == Key("k", {"x": value})
        assert unquote(text) == value

    @settings(max_examples=300, deadline=None)
    @given(
        st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
        | st.text("./%-con\x00é ", min_size=1, max_size=9)
    )
    def test_round_trip(self, value):
        """Any text comes back, and its path is portable: one segment, no dots, no device."""
        path = QUOTE.render("k", x=value).path
        assert QUOTE.match(path) == Key("k", {"x": value})
        assert unquote(path) == value
        assert re.fullmatch("[A-Za-z0-9_+=@%][A-Za-z0-9._+=@%-]*", path)
        assert not path.endswith(".")
        assert not re.match(r"(?i)(con|prn|aux|nul|com[0-9]|lpt[0-9])(\.|$)", path)

    @settings(max_examples=300, deadline=None)
    @given(st.text("%2eEF0aA9cC3./", min_size=1, max_size=9))
    def test_one_text(self, path):
        """A text that is percent-encoded in another way reads as nothing."""
        found = QUOTE.match(path)
        assert found is None or QUOTE.render("k", **found.values).path == path

    @settings(max_examples=200, deadline=None)
    @given(st.lists(st.text("aA./%-é ", min_size=1, max_size=3), min_size=2, max_size=9, unique=True))
    def test_injective(self, values):
        """Different values never have one path."""
        assert len({QUOTE.render("k", x=value).path for value in values}) == len(values)

    @pytest.mark.parametrize("value", ["a" * 256, "\xe9" * 43, "/" * 86, "." * 255])
    def test_too_long(self, value):
        """A text whose quoted form is longer than a file's name is refused."""
        assert "more than the 255 of a file name" in refusal(QUOTE, value)

    @pytest.mark.parametrize("value", ["\ud800", "a\udfff", ""])
    def test_no_text(self, value):
        """Nothing, and half of a surrogate pair, have no quoted form."""
        assert "does not take" in refusal(QUOTE, value)

    def test_path_in_one_segment(self):
        """A `path` can be quoted too: it is then one segment."""
        made = layout("{type: path}", "{{ x | quote }}/raw")
        assert made.render("k", x="a/b").path == "a%2Fb/raw"
        assert made.match("a%2Fb/raw") == Key("k", {"x": "a/b"})
        assert made.match("a/b/raw") is None
        assert made.match("%2Fa/raw") is None

    def test_behind_pad(self):
        """`quote` may follow a filter that gives text."""
        made = layout("{type: int}", "{{ x | pad(4) | quote }}")
        assert made.render("k", x=-7).path == "%2D007"
        assert made.match("%2D007") == Key("k", {"x": -7})
        assert made.match("-007") is None

    @pytest.mark.parametrize("call", ["quote(1)", 'quote("/")', "quote(none)"])
    def test_arguments(self, call):
        """`quote` has no arguments."""
        found = finding("{type: str}", f"{{{{ x | {call} }}}}")
        assert (found.rule, found.message) == ("misapplied-filter", "`quote` takes 0 arguments, not 1")

    @pytest.mark.parametrize("declaration", ["{type: int}", "{type: float}", "{type: bool}", "{type: date}"])
    def test_other_types(self, declaration):
        """`quote` is for text only."""
        found = finding(declaration, "{{ x | quote }}")
        assert (found.rule, found.help) == ("misapplied-filter", "it applies to `path`, `str`")


class TestDate:
    """`date(format)` writes a day or a time in a format that reads back."""

    @pytest.mark.parametrize(
        ("form", "value", "text"),
        [
            ("%Y-%m-%d", datetime.datetime(2026, 1, 31), "2026-01-31"),
            ("%Y%m%d", datetime.datetime(1, 2, 3), "00010203"),
            ("%Y%j", datetime.datetime(2024, 12, 31), "2024366"),
            ("%d.%m.%Y", datetime.datetime(2026, 1, 31), "31.01.2026"),
            ("%Y%m%dT%H%M%S", datetime.datetime(2026, 1, 31, 1, 2, 3), "20260131T010203"),
            ("%Y%m%dT%H%M%S.%f", datetime.datetime(2026, 1, 31, 1, 2, 3, 4), "20260131T010203.000004"),
            ("%Y%m%dT%H", datetime.datetime(2026, 1, 31, 23), "20260131T23"),
            ("y%Ym%md%d", datetime.datetime(2026, 1, 31), "y2026m01d31"),
            ("%Y%%%m%%%d", datetime.datetime(2026, 1, 31), "2026%01%31"),
            ("(%Y)+[%m].%d", datetime.datetime(2026, 1, 31), "(2026)+[01].31"),
            ("%Y年%m月%d日", datetime.datetime(2026, 1, 31), "2026年01月31日"),
        ],
    )
    def test_text(self, form, value, text):
        """The text is exactly this, and reads back."""
        made = layout("{type: datetime}", f'{{{{ x | date("{form}") }}}}')
        assert made.render("k", x=value).path == text
        assert made.match(text) == Key("k", {"x": value})

    @settings(max_examples=200, deadline=None)
    @given(st.datetimes())
    def test_round_trip_of_times(self, value):
        """Every time comes back from a format that has all its parts."""
        path = TIMES.render("k", x=value).path
        assert path == f"{value.year:04d}{value:%m%dT%H%M%S%f}"
        assert TIMES.match(path) == Key("k", {"x": value})

    @settings(max_examples=200, deadline=None)
    @given(st.dates(), st.sampled_from(["%Y-%m-%d", "%Y%j", "%d%m%Y"]))
    def test_round_trip_of_days(self, value, form):
        """Every day comes back, as a day."""
        made = DAYS[form]
        found = made.match(made.render("k", x=value).path)
        assert found == Key("k", {"x": value})
        assert type(found["x"]) is datetime.date

    @settings(max_examples=200, deadline=None)
    @given(st.from_regex(r"[0-9]{8}", fullmatch=True))
    def test_one_text(self, text):
        """Eight digits are read if they are a day of the calendar."""
        found = YMD.match(text)
        try:
            day = datetime.date(int(text[:4]), int(text[4:6]), int(text[6:]))
        except ValueError:
            day = None
        assert found == (None if day is None else Key("k", {"x": day}))

    def test_what_the_format_leaves_out(self):
        """A part of the time that the format would cut off must be zero."""
        made = layout("{type: datetime}", '{{ x | date("%Y%m%dT%H%M") }}')
        assert made.render("k", x=datetime.datetime(2026, 1, 31, 12, 30)).path == "20260131T1230"
        message = refusal(made, datetime.datetime(2026, 1, 31, 12, 30, 1))
        assert "reads back as datetime.datetime(2026, 1, 31, 12, 30)" in message

    @pytest.mark.parametrize(
        ("call", "message"),
        [
            ("date", "`date` takes 1 argument (form), not 0"),
            ('date("%Y%m%d", 1)', "`date` takes 1 argument (form), not 2"),
            ("date(7)", "`date` takes a format such as '%Y-%m-%d', not 7"),
            ('date("")', "`date` takes a format such as '%Y-%m-%d', not ''"),
            ("date(none)", "`date` takes a format such as '%Y-%m-%d', not None"),
            ('date("%y%m%d")', "`%y` does not read back everywhere"),
            ('date("%Y%b%d")', "`%b` does not read back everywhere"),
            ('date("%Y%m%d%Z")', "`%Z` does not read back everywhere"),
            ('date("%c")', "`%c` does not read back everywhere"),
            ('date("%-d%m%Y")', "`%-` does not read back everywhere"),
            ('date("%Y%m%d%")', "ends with `%`"),
            ('date("%Y")', "the format '%Y' does not tell the day"),
            ('date("%Y%m")', "the format '%Y%m' does not tell the day"),
            ('date("%H%M%S")', "the format '%H%M%S' does not tell the day"),
            ('date("%m%d")', "the format '%m%d' does not tell the day"),
            ('date("day")', "the format 'day' does not tell the day"),
            ('date("%Y%m%d%Y")', "the format '%Y%m%d%Y' has a part twice"),
        ],
    )
    def test_arguments(self, call, message):
        """A format that does not read back is refused at load, with what it lacks."""
        found = finding("{type: datetime}", f"{{{{ x | {call} }}}}")
        assert found.rule == "misapplied-filter"
        assert message in found.message
        assert found.span.text[found.span.column - 1 : found.span.end_column - 1] == "date"

    @pytest.mark.parametrize(
        "form", ["%Y/%m/%d", "/%Y%m%d", "%Y%m%d\\\\", "%Y%m%d\u202e", "%Y%m%d\\x00", "%Y%m%d" + "a" * 2_100]
    )
    def test_format_that_is_no_segment(self, form):
        """A format that would leave its segment, or the charset, is refused at load: no value could be rendered."""
        found = finding("{type: date}", f'{{{{ x | date("{form}") }}}}')
        assert found.rule in {"misapplied-filter", "unsafe-segment"}

    def test_long_format(self):
        """A format of any length that loads also matches."""
        made = layout("{type: date}", '{{ x | date("%Y%m%d' + "a" * 200 + '") }}-{{ y }}')
        path = made.render("k", x=datetime.date(2026, 1, 31), y="b").path
        assert made.match(path) == Key("k", {"x": datetime.date(2026, 1, 31), "y": "b"})

    def test_a_field_named_like_its_filter(self):
        """The caret of a wrong filter is below the filter, also where the field has the same name."""
        text = "zarrange: 1\nfields: {date: {type: date}}\nfiles: {k: {path: '{{ date | date }}'}}\n"
        with pytest.raises(LayoutError) as caught:
            Layout.parse(text)
        (found,) = caught.value.diagnostics
        assert found.span.column == text.splitlines()[2].rindex("date") + 1

    @pytest.mark.parametrize("declaration", ["{type: str}", "{type: int}", "{type: bool}", "{type: path}"])
    def test_other_types(self, declaration):
        """`date` is for days and times only."""
        found = finding(declaration, '{{ x | date("%Y%j") }}')
        assert (found.rule, found.help) == ("misapplied-filter", "it applies to `date`, `datetime`")


TIMES = layout("{type: datetime}", '{{ x | date("%Y%m%dT%H%M%S%f") }}')
DAYS = {form: layout("{type: date}", f'{{{{ x | date("{form}") }}}}') for form in ["%Y-%m-%d", "%Y%j", "%d%m%Y"]}
YMD = layout("{type: date}", '{{ x | date("%Y%m%d") }}')


def shout(text):
    return text.upper()


def whisper(text):
    return text.lower()


def reverse(text):
    return text[::-1]


def surround(text, mark, times=1):
    return f"{mark * times}{text}{mark * times}"


def unsurround(text, mark, times=1):
    ends = mark * times
    if not (text.startswith(ends) and text.endswith(ends) and len(text) > 2 * len(ends)):
        raise ValueError(text)
    return text[len(ends) : -len(ends)]


def raising(text):
    raise ValueError(f"cannot write {text}")


class TestCustom:
    """Other filters can be registered, with both directions."""

    def test_both_directions(self):
        """A filter of one's own renders and reads back."""
        made = layout("{type: str}", "a/{{ x | reverse }}/b", Filter("reverse", reverse, reverse))
        assert made.render("k", x="abc").path == "a/cba/b"
        assert made.match("a/cba/b") == Key("k", {"x": "abc"})

    def test_arguments(self):
        """Arguments are handed to both directions; what the function does not take is refused at load."""
        surrounds = Filter("surround", surround, unsurround)
        made = layout("{type: str}", '{{ x | surround("_", 2) }}', surrounds)
        assert made.render("k", x="a").path == "__a__"
        assert made.match("__a__") == Key("k", {"x": "a"})
        assert made.match("_a_") is None
        found = finding("{type: str}", "{{ x | surround }}", surrounds)
        assert found.message == "`surround` takes 2 arguments (mark, times), not 0"

    @pytest.mark.parametrize(
        "arguments",
        [{"encode": shout}, {"decode": shout}, {"encode": shout, "decode": None}, {"encode": None, "decode": shout}],
    )
    def test_one_direction_only(self, arguments):
        """A filter with one direction cannot be made."""
        with pytest.raises(TypeError):
            Filter("shout", **arguments)

    @pytest.mark.parametrize("name", ["Shout", "a b", "", "a.b", "7a", "_a"])
    def test_name(self, name):
        """A filter's name is one that a template can have."""
        with pytest.raises(ValueError, match=r"name"):
            Filter(name, shout, whisper)

    @pytest.mark.parametrize("name", ["pad", "quote", "date", "mine"])
    def test_name_is_taken(self, name):
        """A filter cannot take the place of another."""
        filters = [Filter("mine", reverse, reverse), Filter(name, shout, whisper)]
        with pytest.raises(ValueError, match=f"there is a filter `{name}` already; give yours another name"):
            Layout.parse("zarrange: 1\n", filters=filters)

    def test_lossy(self):
        """A value that a filter does not give back is refused when it is rendered, with what it would read as."""
        made = layout("{type: str}", "{{ x | shout }}", Filter("shout", shout, whisper))
        assert made.render("k", x="abc").path == "ABC"
        assert made.match("ABC") == Key("k", {"x": "abc"})
        assert "`shout` gives 'ABC' for it, which reads back as 'abc'" in refusal(made, "Abc")
        assert made.match("Abc") is None

    def test_not_decodable(self):
        """A text that the filter cannot read back at all is refused too."""
        made = layout("{type: str}", "{{ x | bad }}", Filter("bad", shout, raising))
        assert "reads back as None" in refusal(made, "abc")
        assert made.match("ABC") is None

    @pytest.mark.parametrize(
        ("text", "why"),
        [
            ("a/b", "separates folders"),
            ("a\\b", "separates folders"),
            ("..", "reserved name"),
            (".", "reserved name"),
            ("", "it is empty"),
            ("a\x00", "control"),
            ("\u202ea", "control, format"),
            (" a", "starts or ends with a space"),
            ("e\u0301", "NFC"),
            ("a" * 256, "255"),
            ("zarr.json", "reserved name"),
        ],
    )
    def test_output_is_one_segment(self, text, why):
        """A filter that writes a slash, dots or worse is refused when it renders, though it reads back."""
        made = layout("{type: str}", "{{ x | fixed }}", Filter("fixed", lambda _: text, lambda _: "a"))
        message = refusal(made, "a")
        assert "`fixed` gives" in message
        assert why in message

    @pytest.mark.parametrize("output", [7, None, b"a", ["a"]])
    def test_output_is_text(self, output):
        """A filter that writes no text is refused."""
        made = layout("{type: str}", "{{ x | fixed }}", Filter("fixed", lambda _: output, lambda _: "a"))
        assert f"`fixed` gives {output!r} for it" in refusal(made, "a")

    def test_value_of_another_type(self):
        """A filter must give back the value's own type: 7 is not "7", and `True` is not 1."""
        made = layout("{type: int}", "{{ x | hexed }}", Filter("hexed", hex, lambda text: text, frozenset({"int"})))
        assert "reads back as '0x7'" in refusal(made, 7)
        good = layout(
            "{type: int, min: 0}",
            "{{ x | hexed }}",
            Filter("hexed", hex, lambda text: int(text, 16), frozenset({"int"})),
        )
        assert good.match(good.render("k", x=255).path) == Key("k", {"x": 255})
        assert good.match("0xFF") is None
        assert good.match("ff") is None

    def test_encode_refuses(self):
        """A value that a filter does not take is refused with the kind, the field and the value."""
        made = layout("{type: str}", "{{ x | bad }}", Filter("bad", raising, reverse))
        assert "'abc'" in refusal(made, "abc")

    def test_takes(self):
        """A filter applies to the types that it names."""
        found = finding(
            "{type: int}", "{{ x | reverse }}", Filter("reverse", reverse, reverse, frozenset({"str", "path"}))
        )
        assert (found.rule, found.help) == ("misapplied-filter", "it applies to `path`, `str`")

    @pytest.mark.parametrize("types", [{"int"}, ["int"], ("int",)])
    def test_takes_any_collection(self, types):
        """The types may be named by a set or a list: the filter keeps its own, which does not change."""
        made = layout(
            "{type: int}", "{{ x | plus }}", Filter("plus", lambda one: f"+{one}", lambda text: int(text[1:]), types)
        )
        assert made.match(made.render("k", x=7).path) == Key("k", {"x": 7})

    def test_chained(self):
        """Filters are undone in the reverse order."""
        made = layout(
            "{type: str}",
            '{{ x | reverse | surround("b") | quote }}',
            Filter("reverse", reverse, reverse),
            Filter("surround", surround, unsurround),
        )
        assert made.render("k", x="ac").path == "bcab"
        assert made.match("bcab") == Key("k", {"x": "ac"})

    def test_pattern(self):
        """`pattern` tells two slots of one segment apart, and may depend on the arguments."""
        hexed = Filter(
            "hexed",
            lambda value, width: f"{value:0{width}x}",
            lambda text, _: int(text, 16),
            frozenset({"int"}),
            lambda width: f"[0-9a-f]{{{width}}}",
        )
        made = layout("{type: int, min: 0}", "{{ x | hexed(4) }}{{ y }}", hexed)
        assert made.match("00ffabc") == Key("k", {"x": 255, "y": "abc"})

    def test_output_that_does_not_match_the_pattern(self):
        """A filter's output that its pattern does not match is refused, since no proof would know of it."""
        made = layout("{type: str}", "{{ x | reverse }}", Filter("reverse", reverse, reverse, pattern="[a-m]+"))
        assert made.match(made.render("k", x="abc").path) == Key("k", {"x": "abc"})
        assert "`reverse` gives 'zyx' for it, which its pattern does not match" in refusal(made, "xyz")
        assert made.match("zyx") is None

    def test_output_of_an_inner_filter(self):
        """The pattern of each filter of a chain is held, not only of the last one."""
        inner = Filter("reverse", reverse, reverse, pattern="[a-m]+")
        made = layout("{type: str}", "{{ x | reverse | quote }}", inner)
        assert made.render("k", x="abc").path == "cba"
        assert "`reverse` gives 'zyx' for it" in refusal(made, "xyz")

    @pytest.mark.parametrize("pattern", ["(?=a).*", "(", r"(a)\1", "a{9999}"])
    def test_pattern_that_is_not_regular(self, pattern):
        """A filter's pattern that no automaton has is refused when the layout is loaded, not when a path is matched."""
        found = finding("{type: str}", "{{ y }}-{{ x | mine }}", Filter("mine", reverse, reverse, pattern=pattern))
        assert found.rule == "misapplied-filter"

    def test_slash_in_a_slot_of_several(self):
        """A filter's slash cannot move the border between two fields."""
        made = layout(
            "{type: str}",
            "{{ x | fixed }}/{{ y }}",
            Filter("fixed", lambda text: f"{text}/z", lambda text: text[:-2], pattern=".+"),
        )
        with pytest.raises(FieldError, match="separates folders"):
            made.render("k", x="a", y="b")
        assert made.match("a/z/b") is None

    def test_not_handed_in(self):
        """A layout that uses a filter of one's own needs it each time."""
        found = finding("{type: str}", "{{ x | reverse }}")
        assert (found.rule, found.message) == ("unknown-filter", "`reverse` is not a reversible filter")

    @settings(max_examples=100, deadline=None)
    @given(st.text("abAB01_=+@", min_size=1, max_size=20))
    def test_round_trip(self, value):
        """What a lossless filter of one's own renders, it reads."""
        path = REVERSED.render("k", x=value).path
        assert path == value[::-1]
        assert REVERSED.match(path) == Key("k", {"x": value})

    @pytest.mark.parametrize("error", [ValueError, KeyError, IndexError, OverflowError])
    def test_decode_refuses(self, error):
        """Whatever a filter's `decode` raises for a text that it does not know, that text is of no kind."""

        def decode(_):
            raise error

        assert layout("{type: str}", "{{ x | f }}", Filter("f", str, decode)).match("a") is None

    def test_output_that_combines_with_its_neighbor(self):
        """A filter's output that combines with the text before it is refused, whatever pattern it promises."""
        acute = Filter("acute", lambda text: f"\u0301{text}", lambda text: text[1:])
        assert "characters combine" in refusal(layout("{type: str}", "e{{ x | acute }}", acute), "v")

    def test_behind_pad(self):
        """A filter behind `pad` gets the padded text, both ways."""
        turned = Filter("turned", lambda text: text[::-1], lambda text: text[::-1])
        made = layout("{type: int, min: -9}", "{{ x | pad(4) | turned }}", turned)
        assert made.render("k", x=12).path == "2100"
        assert made.match("2100") == Key("k", {"x": 12})
        assert made.match("21") is None

    def test_lossy_before_a_built_in_one(self):
        """A lossy filter is found out though a built-in one stands behind it, and no path of it is read."""
        made = layout("{type: str}", "{{ x | lower | quote }}", Filter("lower", str.lower, str))
        assert made.render("k", x="a").path == "a"
        assert "reads back as 'a'" in refusal(made, "A")
        odd = layout("{type: str}", "{{ x | lower | quote }}", Filter("lower", str, str.lower))
        assert odd.match("A") is None

    def test_an_equal_value_of_another_type(self):
        """What reads back as an equal value of another type is refused."""
        made = layout("{type: int}", "{{ x | loose }}", Filter("loose", str, float, {"int"}, "[0-9]+"))
        assert "which reads back as 7.0" in refusal(made, 7)


REVERSED = layout("{type: str}", "{{ x | reverse }}", Filter("reverse", reverse, reverse))
