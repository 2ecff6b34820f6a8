"""Random layouts: templates put together from every form of the language, and values for them."""

from __future__ import annotations

import datetime

from hypothesis import strategies as st

HEADER = """\
zarrange: 1
fields:
  run: {type: str}
  name: {type: str, charset: unicode}
  any: {type: str, charset: text}
  n: {type: int, min: 0}
  m: {type: int, min: -50, max: 2000}
  where: {type: path}
  day: {type: date}
  time: {type: datetime}
  flag: {type: bool}
  x: {type: float}
  pick: {type: str, choices: [a, b, ab]}
  kind_of: {type: str, pattern: "[a-c]{1,3}", exclude: [ab, "c+"]}
  short: {type: str, max_length: 3}
"""

PORTABLE = st.from_regex(r"[a-cA0-9_=@][a-cA0-9._=-]{0,5}", fullmatch=True).filter(lambda text: text[-1] != ".")
UNICODE = st.one_of(PORTABLE, st.sampled_from(["é", "a b", "日本", "%2e", "a~b", "'x'[0]", "ß.", "-"]))
TEXT = st.one_of(UNICODE, st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=6))

VALUES = {
    "run": PORTABLE,
    "name": UNICODE,
    "any": TEXT,
    "n": st.integers(0, 10**12) | st.sampled_from([0, 7, 10, 99, 100, 10**19]),
    "m": st.integers(-50, 2000),
    "where": st.lists(PORTABLE, min_size=1, max_size=3).map("/".join),
    "day": st.dates(datetime.date(1000, 1, 1)),
    "time": st.datetimes(datetime.datetime(1000, 1, 1)).map(lambda time: time.replace(microsecond=0)),
    "flag": st.booleans(),
    "x": st.floats(allow_nan=False, allow_infinity=False).filter(lambda x: str(x) != "-0.0"),
    "pick": st.sampled_from(["a", "b", "ab"]),
    "kind_of": st.from_regex("[a-c]{1,3}", fullmatch=True).filter(lambda text: text != "ab" and set(text) != {"c"}),
    "short": PORTABLE.filter(lambda text: len(text) <= 3),
}

SLOTS = {
    **{name: [f"{{{{ {name} }}}}"] for name in VALUES},
    "any": ["{{ any | quote }}"],
    "name": ["{{ name }}", "{{name|quote}}"],
    "n": ["{{ n }}", "{{ n | pad(2) }}", "{{ n|pad( 8 ) }}"],
    "m": ["{{ m }}", "{{ m | pad(4) }}"],
    "where": ["{{ where }}", "{{ where | quote }}"],
    "day": ["{{ day }}", "{{ day | date('%Y%m%d') }}", "{{ day | date('%Y-%j') }}"],
    "time": ["{{ time | date('%Y%m%dT%H%M%S') }}", '{{ time | date("%d.%m.%Y_%H-%M-%S-%f") }}'],
}

LITERALS = st.sampled_from(["a", "b", "x_", "0", "run=", ".zarr", "-", "_", "é", "1", "v1.0"])
EQUAL = {"run": '"a"', "n": "7", "flag": "true", "pick": "'ab'", "short": "'x'"}


@st.composite
def segments(draw, names):
    """One segment, or several where a branch has a slash."""
    parts = []
    for _ in range(draw(st.integers(1, 3))):
        name = draw(st.sampled_from(names))
        slot = draw(st.sampled_from(SLOTS[name]))
        form = draw(st.sampled_from(["literal", "slot", "slot", "optional", "leading", "either", "comment", "equal"]))
        literal = draw(LITERALS)
        if form == "literal":
            parts.append(literal)
        elif form == "slot":
            parts.append(slot)
        elif form == "comment":
            parts.append("{# why #}" + literal)
        elif form == "optional":
            parts.append(f"x{{% if {name} is defined %}}{literal}{slot}{{% endif %}}")
        elif form == "leading":
            parts.append(f"{{% if {name} is defined %}}{slot}/{{% endif %}}{literal}")
        elif form == "either":
            parts.append(f"{{% if {name} is defined %}}{slot}{{% else %}}{literal}{{% endif %}}")
        elif name in EQUAL:
            parts.append(f"{{% if {name} == {EQUAL[name]} %}}{literal}{{% else %}}{literal}{slot}{{% endif %}}")
    return "".join(parts) or draw(LITERALS)


@st.composite
def templates(draw):
    """A template of a few segments; most can be read back, the rest are refused when they are loaded."""
    names = draw(st.lists(st.sampled_from(sorted(VALUES)), min_size=1, max_size=4, unique=True))
    return "/".join(draw(st.lists(segments(names), min_size=1, max_size=3)))


@st.composite
def layout_texts(draw):
    """The text of a layout with a container, an array in it, and a file."""
    container, array, file = draw(templates()), draw(templates()), draw(templates())
    return HEADER + (
        f"containers:\n  box: {{path: {quoted(container + '.zarr')}}}\n"
        f"arrays:\n  grid: {{container: box, path: {quoted(array)}}}\n"
        f"files:\n  note: {{path: {quoted(file)}}}\n"
    )


def quoted(text):
    return "'" + text.replace("'", "''") + "'"


@st.composite
def values_for(draw, kind):
    """Values of a kind's fields; the optional ones may be left out, or given as `None`."""
    values = {}
    for name in kind.fields:
        if name in kind.optional and draw(st.booleans()):
            if draw(st.booleans()):
                values[name] = None
            continue
        values[name] = draw(VALUES[name])
    return values
