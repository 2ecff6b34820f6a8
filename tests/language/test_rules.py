"""What single rules must get right beside their pages in tests/diagnostics."""

from __future__ import annotations

from itertools import product

import pytest

from zarrange import Filter, Layout
from zarrange.language import proof
from zarrange.language.proof import prove

QUIET = 'rules: {missing-doc: "off", missing-example: "off"}\n'


def found(text):
    """What is found, as the rule and the message."""
    return [(one.rule, one.message) for one in Layout.parse(f"zarrange: 1\n{QUIET}{text}").check()]


class TestLongPath:
    @pytest.mark.parametrize("sort", ["int", "float"])
    def test_any_limits_have_an_answer(self, sort):
        """Whatever limits a number has, its length is known, or is none."""
        for low, high in product([None, -5, -1, 0, 1], repeat=2):
            if low is None or high is None or low <= high:
                limits = "".join(
                    f", {name}: {limit}" for name, limit in (("min", low), ("max", high)) if limit is not None
                )
                assert (
                    found(f'fields: {{n: {{type: {sort}{limits}}}}}\nfiles: {{a: {{path: "a{{{{ n }}}}.log"}}}}') == []
                )

    @pytest.mark.parametrize("sort", ["date", "datetime"])
    def test_days_outside_of_the_usual(self, sort):
        """A day's length is known whatever days fit."""
        time = "T00:00:00" if sort == "datetime" else ""
        field = f"{{type: {sort}, min: 1010-01-09{time}, max: 1010-01-11{time}}}"
        assert found(f"fields: {{d: {field}}}\nfiles: {{a: {{path: \"{{{{ d | date('%Y%m%d') }}}}\"}}}}") == []

    def test_the_limits_of_a_number_count(self):
        """A number is as long as its longest limit, padding and sign included."""
        text = 'fields: {{n: {{type: int, min: {low}}}}}\nfiles: {{a: {{path: "{x}{{{{ n | pad(8) }}}}"}}}}'
        assert found(text.format(low=0, x="x" * 247)) == []
        assert found(text.format(low=0, x="x" * 248)) == [
            ("long-path", "the segment can have 256 bytes, more than the 255 of a file name")
        ]
        assert len(found(text.format(low=-(10**7), x="x" * 247))) == 1


class TestClashes:
    def test_a_container_is_told_once(self):
        """What is ambiguous about a container's path is not told again of each array in it."""
        text = """fields: {a: {type: str}, b: {type: str}, n: {type: int}, m: {type: int}}
containers: {box: {path: "{{ a }}-{{ b }}.zarr"}}
arrays:
  one: {container: box, path: "one/{{ n }}"}
  two: {container: box, path: "two/{{ n }}{{ m }}"}
"""
        assert [rule for rule, _ in found(text)] == ["ambiguous-template", "ambiguous-template"]
        assert [message for _, message in found(text)] == [
            "one path can mean two sets of values of `box`",
            "one path can mean two sets of values of `two`",
        ]

    def test_a_possible_clash_of_a_container_is_told(self):
        """Where it is not known whether something lies inside an array, whatever the other kind is, it is told."""
        text = """fields: {where: {type: path}}
containers: {box: {path: "{{ where }}{{ where }}.zarr"}}
arrays: {a: {container: box, path: a}}
files: {a_file: {path: a}}
"""
        assert all(message.startswith(("possibly", "`", "one path")) for _, message in found(text))
        assert found(text)

    def test_of_an_unfinished_search_no_entry_is_unused(self, monkeypatch):
        """Where the search was ended early, an entry may be needed; one that stands twice is not."""
        text = """fields: {a: {type: str}, b: {type: str}}
files: {x: {path: "x/{{ a }}"}, y: {path: "y/{{ b }}"}}
allow:
  - {rule: overlapping-kinds, kinds: [x, y], because: Who knows.}
  - {rule: overlapping-kinds, kinds: [y, x], because: Who knows.}
"""
        assert [rule for rule, _ in found(text)] == ["unused-allow", "unused-allow"]
        monkeypatch.setattr(proof, "STEPS", 1)
        assert [rule for rule, _ in found(text)] == ["unproved-layout", "unused-allow"]

    def test_pairs_are_paid_for(self):
        """Very many pairs end the search, whether or not a pair costs a search of its own."""
        kinds = "".join(f'  k{at}: {{path: "{{{{ p }}}}/k{at}"}}\n' for at in range(700))
        layout = Layout.parse(f"zarrange: 1\nfields: {{p: {{type: path}}}}\nfiles:\n{kinds}")
        assert not prove(layout.kinds).is_complete


class TestUnportableSegment:
    @pytest.mark.parametrize(
        ("path", "name"),
        [
            ("com{{ n }}", "com1"),
            ("{{ a }}1.txt", "com1.txt"),
            ("{{ a }}.txt", None),
            ("aux{{ a }}", None),
            ("aux-{{ a }}", None),
            ("con", "con"),
            ("lpt{{ n }}.{{ a }}", "lpt1.a"),
        ],
    )
    def test_names_of_devices(self, path, name):
        """A name of a device is found that pieces make together, and none that no values make."""
        fields = "fields: {a: {type: str}, n: {type: int, min: 1}, q: {type: str, charset: text, max_length: 255}}"
        rules = [
            message
            for rule, message in found(f'{fields}\nfiles: {{f: {{path: "{path}/{{{{ q | quote }}}}"}}}}')
            if rule == "unportable-segment"
        ]
        assert rules == ([] if name is None else [f"the segment can be `{name}`, a device name on Windows"])


class TestCaseCollision:
    @pytest.mark.parametrize(
        ("one", "other", "shown"),
        [
            ("{{ a }}/Log.txt", "{{ b }}/log.txt", ("Log.txt", "log.txt")),
            ("Ckpt-{{ a }}/x", "ckpt-{{ a }}/y", ("Ckpt-*", "ckpt-*")),
            ("Ckpt-{{ a }}/X", "ckpt-{{ b }}/x", ("Ckpt-*", "ckpt-*")),
            ("x/{{ a }}.PNG", "x/{{ b }}.png", ("*.PNG", "*.png")),
            ("{{ a }}/x", "y/{{ b }}/X", None),
            ("{{ a }}.png", "{{ b }}.txt", None),
        ],
    )
    def test_literal_texts(self, one, other, shown):
        """Literal texts that can meet in one folder are compared, whatever fields stand around them."""
        fields = "fields: {a: {type: str}, b: {type: str}}"
        text = f'{fields}\nfiles: {{one: {{path: "{one}"}}, other: {{path: "{other}"}}}}'
        first = next((message for rule, message in found(text) if rule == "case-collision"), None)
        assert first == (None if shown is None else f"`{shown[0]}` and `{shown[1]}` differ by case only")


def test_choices_that_a_filter_refuses():
    """A choice that a filter does not take stands in no path, and is no fault of the checker's."""

    def encode(text):
        if text == "b":
            raise ValueError("not b")
        return text

    short = Filter("short", encode=encode, decode=str, pattern="[a-z]+")
    text = """zarrange: 1
fields: {x: {type: str, choices: [a, b]}}
containers: {box: {path: "box.zarr"}}
arrays: {one: {container: box, path: "{{ x | short }}"}}
"""
    rules = {one.rule for one in Layout.parse(text, filters=[short]).check()}
    assert rules == {"missing-doc", "missing-example"}
