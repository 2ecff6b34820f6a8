"""Layouts with one planted clash each, and the same ones made safe by the smallest change.

Each shows another feature of the language. What the proof has to find is spelt out: the rule, and both readings with
their paths, or `None` where it can only say that a clash is possible.
"""

from __future__ import annotations

from attrs import frozen

from zarrange.language.layout import Layout
from zarrange.language.proof import prove


@frozen
class Planted:
    """A layout that has one clash, what is found of it, and its near miss, in which there is none."""

    name: str
    clashing: str
    rule: str
    readings: tuple[str, str]
    safe: str

    def __str__(self):
        return self.name


def loaded(text):
    return Layout.parse(f"zarrange: 1\n{text}")


def findings(text):
    """What the proof finds in a layout: the rule of each clash, with its readings."""
    proof = prove(loaded(text).kinds)
    found = [(clash.rule, tuple(f"{key} → {path}" for key, path in clash.readings)) for clash in proof.clashes]
    return found if proof.is_complete else [*found, ("unproved-layout", ())]


def failures():
    """Yield the layouts that are not answered as they should be, with what should be found in them."""
    for one in PLANTED:
        for text, expected in ((one.clashing, [(one.rule, one.readings)]), (one.safe, [])):
            if findings(text) != expected:
                yield text, expected


PLANTED = [
    Planted(
        "two fields in a segment",
        "fields: {x: {type: str}, y: {type: str}}\nfiles: {mask: {path: '{{ x }}-{{ y }}.png'}}",
        "ambiguous-template",
        ('mask(x="a-a", y="a") → a-a-a.png', 'mask(x="a", y="a-a") → a-a-a.png'),
        "fields: {x: {type: str, exclude: ['.*-.*']}, y: {type: str}}\nfiles: {mask: {path: '{{ x }}-{{ y }}.png'}}",
    ),
    Planted(
        "a name that is a number",
        """fields: {run: {type: str}, criterion: {type: str}, n: {type: int, min: 0}}
files: {best: {path: "{{ run }}/{{ criterion }}.pt"}, checkpoint: {path: "{{ run }}/{{ n }}.pt"}}""",
        "overlapping-kinds",
        ('best(run="a", criterion="0") → a/0.pt', 'checkpoint(run="a", n=0) → a/0.pt'),
        """fields: {run: {type: str}, criterion: {type: str, exclude: ["[0-9]+"]}, n: {type: int, min: 0}}
files: {best: {path: "{{ run }}/{{ criterion }}.pt"}, checkpoint: {path: "{{ run }}/{{ n }}.pt"}}""",
    ),
    Planted(
        "an exclusion that is not enough",
        """fields: {criterion: {type: str, exclude: ["[0-9]"]}, n: {type: int, min: 0}}
files: {best: {path: "{{ criterion }}.pt"}, checkpoint: {path: "{{ n }}.pt"}}""",
        "overlapping-kinds",
        ('best(criterion="10") → 10.pt', "checkpoint(n=10) → 10.pt"),
        """fields: {criterion: {type: str, exclude: ["[0-9]"]}, n: {type: int, min: 0, max: 9}}
files: {best: {path: "{{ criterion }}.pt"}, checkpoint: {path: "{{ n }}.pt"}}""",
    ),
    Planted(
        "an array inside an array",
        """fields: {run: {type: str}, index: {type: str}, what: {type: str}, n: {type: int, min: 0}}
containers: {box: {path: "{{ run }}.zarr"}}
arrays:
  best: {container: box, path: "{{ index }}/{{ what }}"}
  prediction: {container: box, path: "{{ n }}/{{ what }}/prediction"}""",
        "nested-kinds",
        (
            'best(run="a", index="0", what="a") → a.zarr/0/a',
            'prediction(run="a", n=0, what="a") → a.zarr/0/a/prediction',
        ),
        """fields: {run: {type: str}, index: {type: str, exclude: ['\\d+']}, what: {type: str}, n: {type: int, min: 0}}
containers: {box: {path: "{{ run }}.zarr"}}
arrays:
  best: {container: box, path: "{{ index }}/{{ what }}"}
  prediction: {container: box, path: "{{ n }}/{{ what }}/prediction"}""",
    ),
    Planted(
        "padding that overflows into a digit",
        """fields: {n: {type: int, min: 0}, m: {type: int, min: 0, max: 99}}
files: {one: {path: "s{{ n | pad(2) }}"}, other: {path: "s1{{ m | pad(2) }}"}}""",
        "overlapping-kinds",
        ("one(n=100) → s100", "other(m=0) → s100"),
        """fields: {n: {type: int, min: 0, max: 99}, m: {type: int, min: 0, max: 99}}
files: {one: {path: "s{{ n | pad(2) }}"}, other: {path: "s1{{ m | pad(2) }}"}}""",
    ),
    Planted(
        "the edge of a range",
        "fields: {n: {type: int, min: 3, max: 107}}\nfiles: {numbered: {path: '{{ n }}'}, last: {path: '107'}}",
        "overlapping-kinds",
        ("numbered(n=107) → 107", "last() → 107"),
        "fields: {n: {type: int, min: 3, max: 107}}\nfiles: {numbered: {path: '{{ n }}'}, last: {path: '108'}}",
    ),
    Planted(
        "two numbers side by side",
        "fields: {n: {type: int, min: 0}, m: {type: int, min: 0}}\nfiles: {both: {path: '{{ n }}{{ m }}'}}",
        "ambiguous-template",
        ("both(n=11, m=0) → 110", "both(n=1, m=10) → 110"),
        "fields: {n: {type: int, min: 0, max: 99}, m: {type: int, min: 0}}\n"
        "files: {both: {path: '{{ n | pad(2) }}{{ m }}'}}",
    ),
    Planted(
        "the sign of a number",
        "fields: {x: {type: str}, n: {type: int}}\nfiles: {shift: {path: '{{ x }}-{{ n }}'}}",
        "ambiguous-template",
        ('shift(x="a-", n=1) → a--1', 'shift(x="a", n=-1) → a--1'),
        "fields: {x: {type: str}, n: {type: int, min: 0}}\nfiles: {shift: {path: '{{ x }}-{{ n }}'}}",
    ),
    Planted(
        "a date that is a number",
        """fields: {day: {type: date, min: 2024-02-28, max: 2024-03-01}, n: {type: int, min: 20240229}}
files: {daily: {path: "{{ day | date('%Y%m%d') }}"}, numbered: {path: "{{ n }}"}}""",
        "overlapping-kinds",
        ("daily(day=2024-02-29) → 20240229", "numbered(n=20240229) → 20240229"),
        """fields: {day: {type: date, min: 2023-02-28, max: 2023-03-01}, n: {type: int, min: 20230229, max: 20230300}}
files: {daily: {path: "{{ day | date('%Y%m%d') }}"}, numbered: {path: "{{ n }}"}}""",
    ),
    Planted(
        "a text that is quoted like a literal",
        "fields: {x: {type: str, charset: text}}\nfiles: {note: {path: '{{ x | quote }}'}, fixed: {path: 'a%2Fb'}}",
        "overlapping-kinds",
        ('note(x="a/b") → a%2Fb', "fixed() → a%2Fb"),
        "fields: {x: {type: str, charset: text}}\nfiles: {note: {path: '{{ x | quote }}'}, fixed: {path: 'a%2fb'}}",
    ),
    Planted(
        "two quoted texts in a segment",
        """fields: {x: {type: str, charset: text}, y: {type: str, charset: text}}
files: {mask: {path: "{{ x | quote }}-{{ y | quote }}"}}""",
        "ambiguous-template",
        ('mask(x="a-a", y="a") → a-a-a', 'mask(x="a", y="a-a") → a-a-a'),
        """fields: {x: {type: str, charset: text}, y: {type: str, charset: text}}
files: {mask: {path: "{{ x | quote }}~{{ y | quote }}"}}""",
    ),
    Planted(
        "choices that run into each other",
        """fields: {size: {type: str, choices: [s, sm]}, what: {type: str, choices: [mask, ask]}}
files: {one: {path: "{{ size }}{{ what }}"}}""",
        "ambiguous-template",
        ('one(size="sm", what="ask") → smask', 'one(size="s", what="mask") → smask'),
        """fields: {size: {type: str, choices: [s, sm]}, what: {type: str, choices: [mask, task]}}
files: {one: {path: "{{ size }}{{ what }}"}}""",
    ),
    Planted(
        "a value left out, and one that is written alike",
        "fields: {n: {type: int, min: 0}}\n"
        "files: {one: {path: '{% if n is defined %}{{ n }}{% else %}0{% endif %}.pt'}}",
        "ambiguous-template",
        ("one() → 0.pt", "one(n=0) → 0.pt"),
        "fields: {n: {type: int, min: 1}}\n"
        "files: {one: {path: '{% if n is defined %}{{ n }}{% else %}0{% endif %}.pt'}}",
    ),
    Planted(
        "an optional folder",
        """fields: {run: {type: str}, index: {type: str}}
files: {one: {path: "{{ run }}/{% if index is defined %}i{{ index }}/{% endif %}raw"}, other: {path: "a/ib/raw"}}""",
        "overlapping-kinds",
        ('one(run="a", index="b") → a/ib/raw', "other() → a/ib/raw"),
        """fields: {run: {type: str}, index: {type: str, max_length: 1}}
files: {one: {path: "{{ run }}/{% if index is defined %}i{{ index }}/{% endif %}raw"}, other: {path: "a/ibc/raw"}}""",
    ),
    Planted(
        "a value that is written as another one",
        """fields: {what: {type: str}}
files: {one: {path: '{% if what == "raw" %}volume{% else %}{{ what }}{% endif %}'}}""",
        "ambiguous-template",
        ('one(what="raw") → volume', 'one(what="volume") → volume'),
        """fields: {what: {type: str, exclude: [volume]}}
files: {one: {path: '{% if what == "raw" %}volume{% else %}{{ what }}{% endif %}'}}""",
    ),
    Planted(
        "a path of several segments",
        """fields: {where: {type: path}, run: {type: str}}
containers: {one: {path: "{{ where }}/raw.zarr"}, other: {path: "{{ run }}/x/raw.zarr"}}""",
        "overlapping-kinds",
        ('one(where="a/x") → a/x/raw.zarr', 'other(run="a") → a/x/raw.zarr'),
        """fields: {where: {type: path, exclude: [".*/x"]}, run: {type: str}}
containers: {one: {path: "{{ where }}/raw.zarr"}, other: {path: "{{ run }}/x/raw.zarr"}}""",
    ),
    Planted(
        "a path inside a path of its own kind",
        "fields: {where: {type: path}}\nfiles: {one: {path: 'x/{{ where }}'}}",
        "nested-kinds",
        ('one(where="a") → x/a', 'one(where="a/a") → x/a/a'),
        "fields: {where: {type: path, exclude: ['.*/.*']}}\nfiles: {one: {path: 'x/{{ where }}'}}",
    ),
    Planted(
        "two kinds of the same paths",
        """fields: {where: {type: path, pattern: "[a-c]/[a-c]"}}
files: {one: {path: "{{ where }}"}, other: {path: "{{ where }}"}}""",
        "overlapping-kinds",
        ('one(where="a/a") → a/a', 'other(where="a/a") → a/a'),
        """fields: {where: {type: path, pattern: "[a-c]/[a-c]"}}
files: {one: {path: "{{ where }}"}, other: {path: "{{ where }}s"}}""",
    ),
    Planted(
        "characters beyond ASCII",
        """fields: {name: {type: str, charset: unicode, pattern: "[à-é]+"}}
files: {named: {path: "{{ name }}/x"}, summer: {path: "é/x"}}""",
        "overlapping-kinds",
        ('named(name="é") → é/x', "summer() → é/x"),
        """fields: {name: {type: str, charset: unicode, pattern: "[à-è]+"}}
files: {named: {path: "{{ name }}/x"}, summer: {path: "é/x"}}""",
    ),
    Planted(
        "a container and a file",
        """fields: {run: {type: str}, end: {type: str, pattern: "[a-z]+"}}
containers: {box: {path: "{{ run }}.zarr"}}
files: {other: {path: "{{ run }}.{{ end }}"}}""",
        "overlapping-kinds",
        ('box(run="a") → a.zarr', 'other(run="a", end="zarr") → a.zarr'),
        """fields: {run: {type: str}, end: {type: str, pattern: "[a-z]{1,3}"}}
containers: {box: {path: "{{ run }}.zarr"}}
files: {other: {path: "{{ run }}.{{ end }}"}}""",
    ),
    Planted(
        "a file inside an array",
        """fields: {run: {type: str}, note: {type: str}}
containers: {box: {path: "{{ run }}.zarr"}}
arrays: {raw: {container: box, path: raw}}
files: {note: {path: "{{ run }}.zarr/raw/{{ note }}.txt"}}""",
        "nested-kinds",
        ('raw(run="a") → a.zarr/raw', 'note(run="a", note="a") → a.zarr/raw/a.txt'),
        """fields: {run: {type: str}, note: {type: str}}
containers: {box: {path: "{{ run }}.zarr"}}
arrays: {raw: {container: box, path: raw}}
files: {note: {path: "{{ run }}.zarr/raw-{{ note }}.txt"}}""",
    ),
    Planted(
        "an array inside of what is a file",
        """fields: {run: {type: str}, what: {type: str}, n: {type: int, min: 0}}
containers: {box: {path: "{{ run }}.zarr"}}
arrays: {level: {container: box, path: "s{{ n }}/data"}}
files: {note: {path: "{{ run }}.zarr/{{ what }}"}}""",
        "nested-kinds",
        ('note(run="a", what="s0") → a.zarr/s0', 'level(run="a", n=0) → a.zarr/s0/data'),
        """fields: {run: {type: str}, what: {type: str, pattern: "[a-z]+"}, n: {type: int, min: 0}}
containers: {box: {path: "{{ run }}.zarr"}}
arrays: {level: {container: box, path: "s{{ n }}/data"}}
files: {note: {path: "{{ run }}.zarr/{{ what }}"}}""",
    ),
    Planted(
        "a group and an array",
        """fields: {run: {type: str}, index: {type: str}, what: {type: str}}
containers: {box: {path: "{{ run }}.zarr"}}
groups: {inputs: {container: box, path: "inputs/{{ index }}"}}
arrays: {best: {container: box, path: "{{ what }}/best"}}""",
        "overlapping-kinds",
        (
            'inputs(run="a", index="best") → a.zarr/inputs/best',
            'best(run="a", what="inputs") → a.zarr/inputs/best',
        ),
        """fields: {run: {type: str}, index: {type: str, exclude: [best]}, what: {type: str}}
containers: {box: {path: "{{ run }}.zarr"}}
groups: {inputs: {container: box, path: "inputs/{{ index }}"}}
arrays: {best: {container: box, path: "{{ what }}/best"}}""",
    ),
    Planted(
        "a field that stands twice",
        """fields: {x: {type: str}, y: {type: str, choices: [b, c]}}
files: {one: {path: "{{ x }}/{{ x }}.txt"}, other: {path: "{{ y }}/c.txt"}}""",
        "overlapping-kinds",
        ('one(x="c") → c/c.txt', 'other(y="c") → c/c.txt'),
        """fields: {x: {type: str}, y: {type: str, choices: [a, b]}}
files: {one: {path: "{{ x }}/{{ x }}.txt"}, other: {path: "{{ y }}/c.txt"}}""",
    ),
    Planted(
        "a truth value",
        "fields: {flag: {type: bool}}\nfiles: {flagged: {path: '{{ flag }}'}, fixed: {path: 'False'}}",
        "overlapping-kinds",
        ("flagged(flag=False) → False", "fixed() → False"),
        "fields: {flag: {type: bool}}\nfiles: {flagged: {path: '{{ flag }}'}, fixed: {path: 'false'}}",
    ),
    Planted(
        "a number with a point",
        "fields: {x: {type: float, min: 0}}\nfiles: {at: {path: 't{{ x }}'}, fixed: {path: 't0.5'}}",
        "overlapping-kinds",
        ("at(x=0.5) → t0.5", "fixed() → t0.5"),
        "fields: {x: {type: float, min: 0}}\nfiles: {at: {path: 't{{ x }}'}, fixed: {path: 't0.50'}}",
    ),
    Planted(
        "a pattern",
        "fields: {x: {type: str, pattern: '(?:ab)+'}}\nfiles: {one: {path: '{{ x }}'}, fixed: {path: 'abab'}}",
        "overlapping-kinds",
        ('one(x="abab") → abab', "fixed() → abab"),
        "fields: {x: {type: str, pattern: '(?:ab)+'}}\nfiles: {one: {path: '{{ x }}'}, fixed: {path: 'ababa'}}",
    ),
    Planted(
        "the longest value",
        "fields: {x: {type: str, max_length: 3}}\nfiles: {one: {path: '{{ x }}'}, fixed: {path: 'abc'}}",
        "overlapping-kinds",
        ('one(x="abc") → abc', "fixed() → abc"),
        "fields: {x: {type: str, max_length: 3}}\nfiles: {one: {path: '{{ x }}'}, fixed: {path: 'abcd'}}",
    ),
    Planted(
        "a name that Windows does not keep for itself",
        "fields: {x: {type: str}}\nfiles: {one: {path: '{{ x }}'}, fixed: {path: 'cone.txt'}}",
        "overlapping-kinds",
        ('one(x="cone.txt") → cone.txt', "fixed() → cone.txt"),
        "fields: {x: {type: str}}\nfiles: {one: {path: '{{ x }}'}, fixed: {path: 'con.txt'}}",
    ),
]
