"""Templates: what is accepted, what is refused, where and with what help; and what a hostile template cannot do."""

from __future__ import annotations

import datetime
import json
import re
import subprocess
import sys

import pytest

from zarrange import Layout
from zarrange.errors import LayoutError

ESCAPES = [
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "{{ ''['__class__']['__mro__'][1]['__subclasses__']() }}",
    "{{ ()|attr('__class__')|attr('__base__')|attr('__subclasses__')() }}",
    "{{ x|attr('__class__') }}",
    "{{ x|attr('\\x5f\\x5fclass\\x5f\\x5f') }}",
    "{{ x|attr('__cla' ~ 'ss__') }}",
    "{{ x|attr(['__', 'class', '__']|join) }}",
    "{{ x['__cla' + 'ss__'] }}",
    "{{ x.__class__ }}",
    "{{ x.__init__.__objclass__ }}",
    "{{ x.upper.__self__.__class__ }}",
    "{{ x[:1].__class__ }}",
    "{{ (x,)[0].__class__ }}",
    "{{ {'a': x}['a'].__class__ }}",
    "{{ x if x.__class__ else '' }}",
    "{{ x ~ ''.__class__ }}",
    "{{ x is sameas(x.__class__) }}",
    "{{ x|default(lipsum.__globals__.os.getpid()) }}",
    "{{ lipsum.__globals__.os.getpid() }}",
    "{{ lipsum.__globals__['__builtins__']['__import__']('os').getpid() }}",
    "{{ (lipsum|attr('__globals__')).get('os').getpid() }}",
    "{{ cycler.__init__.__globals__.os.getpid() }}",
    "{{ joiner.__init__.__globals__.os.getpid() }}",
    "{{ namespace.__init__.__globals__.os.getpid() }}",
    "{{ self.__init__.__globals__.__builtins__.__import__('os').getpid() }}",
    "{{ self._TemplateReference__context.cycler.__init__.__globals__.os.getpid() }}",
    "{{ dict.__base__.__subclasses__()|length }}",
    "{{ range.__class__.__base__ }}",
    "{{ config.__class__.__init__.__globals__ }}",
    "{{ request.application.__globals__.__builtins__ }}",
    "{{ url_for.__globals__.current_app }}",
    "{{ '{0.__class__.__mro__}'.format(x) }}",
    "{{ '{a.__class__}'.format_map({'a': x}) }}",
    "{{ '%s' % x.__class__ }}",
    "{{ '%s'|format(x.__class__) }}",
    "{{ [x]|map(attribute='__class__')|join }}",
    "{{ [x]|map('attr', '__class__')|join }}",
    "{{ [x]|groupby('__class__')|list }}",
    "{{ [x]|sort(attribute='__class__.__name__')|first }}",
    "{{ x|map('upper')|join }}",
    "{{ x|pprint }}",
    "{{ joiner('x')() }}",
    "{% for one in ''.__class__.__mro__[1].__subclasses__() %}{{ one.__name__ }}{% endfor %}",
    "{% set one = ''.__class__ %}{{ one }}",
    "{% set ns = namespace(a=lipsum.__globals__) %}{{ ns.a.os.getpid() }}",
    "{% with one = ''.__class__ %}{{ one }}{% endwith %}",
    "{% macro m() %}{% endmacro %}{{ m.__class__.__init__.__globals__|length }}",
    "{% macro m() %}{{ caller() }}{% endmacro %}{% call m() %}{{ ''.__class__ }}{% endcall %}",
    "{% filter attr('__class__') %}x{% endfilter %}",
    "{% block b %}{{ self.b.__class__ }}{% endblock %}",
    "{% if ''.__class__.__mro__[1].__subclasses__() %}x{% endif %}",
    "{% if x is defined and lipsum.__globals__ %}{{ x }}{% endif %}",
    "{% if x.__class__ is defined %}{{ x }}{% endif %}",
    "{% if x == lipsum.__globals__.os.getpid() %}{{ x }}{% else %}{{ x }}{% endif %}",
    "{% include '/etc/passwd' %}",
    "{% import 'os' as os %}{{ os }}",
    "{% from 'os' import system %}{{ system('id') }}",
    "{% extends '/etc/passwd' %}",
    "{{ x|pad(lipsum.__globals__.os.getpid()) }}",
    "{{ x|quote(width=lipsum.__globals__.os.getpid()) }}",
    "{{ x|quote(*[x.__class__]) }}",
]
"""Templates that look into Python through a template, or at files."""

BOMBS = [
    "{{ 9**(9**9) }}",
    "{% if x is defined %}{{ x }}{% else %}{{ 9**(9**9) }}{% endif %}",
    "{% if x == 9**(9**9) %}{{ x }}{% else %}{{ x }}{% endif %}",
    "{{ x|truncate(9**(9**9)) }}",
    "{{ x|pad(9**(9**9)) }}",
    "{{ 'a'*2000000000 }}",
    "{{ ('a'*100000)*100000 }}",
    "{{ [0]*2000000000 }}",
    "{{ (0,)*10**10 }}",
    "{{ 'a'.ljust(2000000000) }}",
    "{{ 'a'|center(2000000000) }}",
    "{{ 'a'|indent(2000000000, true) }}",
    "{{ 'a'.replace('', 'b'*1000000000) }}",
    "{{ '%2000000000d' % 1 }}",
    "{{ '{:2000000000}'.format(1) }}",
    "{{ '{:>{}}'.format(1, 2000000000) }}",
    "{{ lipsum(n=10000000) }}",
    "{{ range(10**9)|sum }}",
    "{{ range(10**9)|list|length }}",
    "{{ range(10**9)|map('string')|join }}",
    "{{ range(10**9)|batch(2)|list }}",
    "{{ 10**9 in (range(10**9)|map('string')) }}",
    "{% for i in range(10**9) %}{% for j in range(10**9) %}{% endfor %}{% endfor %}",
    "{% macro m(n) %}{% if n %}{{ m(n - 1) }}{{ m(n - 1) }}{% endif %}{% endmacro %}{{ m(60) }}",
    "{% set ns = namespace(a='aa') %}{% for i in range(99) %}{% set ns.a = ns.a ~ ns.a %}{% endfor %}",
]
"""Templates that would take all time or memory: when they are rendered, or already when they are compiled."""

START = "zarrange: 1\nfields: {x: {type: str}}\nfiles:\n  k:\n    path: "

OURS = r"""
import json, resource, sys
from zarrange import Layout
from zarrange.errors import LayoutError

resource.setrlimit(resource.RLIMIT_CPU, (10, 10))
resource.setrlimit(resource.RLIMIT_AS, (2**30, 2**30))
start, payloads = json.load(sys.stdin)
for warm in ("{% if x is defined %}{{ x | quote }}/{% endif %}a", "{{ z }}{{ 'x' }}{{ x | y }}{% if x %}x{% endif %}"):
    try:
        Layout.parse(start + json.dumps(warm))  # what is compiled once a process, is compiled now
    except LayoutError:
        pass
compiled = []

def watch(frame, event, called):
    if event == "c_call" and called in (compile, eval, exec):
        compiled.append(called.__name__)
    if event == "call" and frame.f_code.co_filename.endswith(("jinja2/compiler.py", "jinja2/optimizer.py")):
        compiled.append(frame.f_code.co_name)

for payload in payloads:
    compiled.clear()
    sys.setprofile(watch)
    try:
        Layout.parse(start + json.dumps(payload))
        found = []
    except LayoutError as error:
        found = [[one.rule, one.message, one.span.line, one.span.column] for one in error.diagnostics]
    finally:
        sys.setprofile(None)
    print(json.dumps([payload, found, list(compiled)]), flush=True)

import jinja2
sys.setprofile(watch)
jinja2.Environment().from_string("{{ x }}")
sys.setprofile(None)
print(json.dumps(["a plain template", [], compiled]))
"""

PLAIN = r"""
import json, os, resource, signal, sys
import jinja2

def render(payload):
    try:
        # Killed by the kernel: a fifth of a second of CPU is for ever, and C code does not look for signals.
        signal.setitimer(signal.ITIMER_PROF, 0.2)
        resource.setrlimit(resource.RLIMIT_AS, (2**28, 2**28))
        text = jinja2.Environment().from_string(payload).render(x="x")
        os._exit(10 if len(text) > 0 and text != "x" else 11)
    except MemoryError:
        os._exit(12)
    except BaseException:
        os._exit(13)

for payload in json.load(sys.stdin):
    child = os.fork()
    if child == 0:
        render(payload)
    status = os.waitpid(child, 0)[1]
    happened = {10: "rendered", 11: "nothing", 12: "out of memory", 13: "refused"}
    word = "out of time" if os.WIFSIGNALED(status) else happened[os.WEXITSTATUS(status)]
    print(json.dumps([payload, word]), flush=True)
"""


def run_child(program, data):
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, input=json.dumps(data), capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert done.returncode == 0
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture(scope="module")
def ours():
    """What a child with ten seconds of CPU in all says of the corpus."""
    return {payload: (found, compiled) for payload, found, compiled in run_child(OURS, [START, ESCAPES + BOMBS])}


@pytest.fixture(scope="module")
def plain():
    """What happens to the corpus on a plain Environment, a fifth of a second of CPU and 256 MB each."""
    return dict(run_child(PLAIN, ESCAPES + BOMBS))


class TestHostile:
    """A template from a stranger can do nothing but name fields."""

    def test_the_corpus_is_large(self):
        """The corpus has at least 30 escapes and 15 bombs, none of them twice."""
        assert len(set(ESCAPES)) == len(ESCAPES) >= 30
        assert len(set(BOMBS)) == len(BOMBS) >= 15

    @pytest.mark.parametrize("payload", ESCAPES + BOMBS)
    def test_refused(self, payload, ours):
        """Each is refused, with a position inside the template, and nothing is compiled on the way."""
        found, compiled = ours[payload]
        assert compiled == []
        assert found
        written = json.dumps(payload)
        for rule, message, line, column in found:
            assert rule in {"irreversible-template", "unknown-field", "unknown-filter", "misapplied-filter"}
            assert message
            assert line == 5
            assert len("    path: ") + 1 < column < len("    path: ") + len(written)

    def test_the_watch_sees(self, ours):
        """What counts compilations does see Jinja2 compile a template."""
        _, compiled = ours["a plain template"]
        assert "generate" in compiled
        assert "compile" in compiled

    def test_the_corpus_can_fail(self, plain):
        """On a plain Environment at least 20 of the escapes and 15 of the bombs do what they are meant to."""
        escaped = [one for one in ESCAPES if plain[one] == "rendered"]
        burst = [one for one in BOMBS if plain[one] in {"out of time", "out of memory"}]
        assert len(escaped) >= 20
        assert len(burst) >= 15

    def test_bombs_that_compiling_sets_off(self, plain):
        """Some bombs need not be rendered: they stand in a branch that is never taken."""
        assert plain[BOMBS[1]] == "out of time"


FIELDS = (
    "zarrange: 1\n"
    "fields:\n"
    "  run: {type: str}\n"
    "  name: {type: str, charset: unicode}\n"
    "  it: {type: int}\n"
    "  flag: {type: bool}\n"
    "  day: {type: date}\n"
    "  time: {type: datetime}\n"
    "  txt: {type: str, charset: text}\n"
    "  tree: {type: path}\n"
    "fragments:\n"
    "  frag: run/{{ run }}\n"
    "  opt: '{% if name is defined %}{{ name }}/{% endif %}'\n"
    "files:\n"
)
LINE = FIELDS.count("\n") + 1
BEFORE = len("  k: {path: '")


def layout(template):
    """A layout of one file, `k`, with this template."""
    return f"{FIELDS}  k: {{path: '{template.replace(chr(39), chr(39) * 2)}'}}\n"


def findings(text):
    with pytest.raises(LayoutError) as caught:
        Layout.parse(text, file="f.yaml")
    return caught.value.diagnostics


class TestAllowed:
    """Every form of the language is accepted, and means what Jinja2 means by it."""

    @pytest.mark.parametrize(
        ("template", "values", "path"),
        [
            ("a/b.c", {}, "a/b.c"),
            ("{{ run }}", {"run": "r"}, "r"),
            ("{{run}}/{{  run  }}", {"run": "r"}, "r/r"),
            ("{{ (run) }}", {"run": "r"}, "r"),
            ("a{{ run }}b/{{ it }}", {"run": "r", "it": 7}, "arb/7"),
            ("{{ name }} and {{ it }}", {"name": "é x", "it": 7}, "é x and 7"),
            ("{{ tree }}/x", {"tree": "a/b"}, "a/b/x"),
            ("{{ flag }}", {"flag": True}, "True"),
            ("{{ frag }}/x", {"run": "r"}, "run/r/x"),
            ("{{ it | pad(8) }}", {"it": 7}, "00000007"),
            ("{{it|pad(2)}}", {"it": 1234}, "1234"),
            ("{{ it | pad(4) | quote }}", {"it": -7}, "%2D007"),
            ("{{ txt | quote }}", {"txt": "a/b"}, "a%2Fb"),
            ("{{ txt | quote() }}", {"txt": "a b"}, "a%20b"),
            ("{{ tree | quote }}", {"tree": "a/b"}, "a%2Fb"),
            ('{{ day | date("%Y%m%d") }}', {"day": datetime.date(2026, 1, 31)}, "20260131"),
            ("{% if name is defined %}{{ name }}/{% endif %}x", {"name": "a"}, "a/x"),
            ("{% if name is defined %}{{ name }}/{% endif %}x", {"name": None}, "x"),
            ("{% if name is defined %}{{ name }}{% else %}no{% endif %}/x", {}, "no/x"),
            ("{{ opt }}x", {}, "x"),
            ('{% if run == "a" %}A{% else %}{{ run }}{% endif %}', {"run": "a"}, "A"),
            ('{% if run == "a" %}A{% elif run == "b" %}B{% else %}{{ run }}{% endif %}', {"run": "b"}, "B"),
            ("{% if run == 'a' %}A{% else %}{{ run }}{% endif %}", {"run": "c"}, "c"),
            ("{% if it == 7 %}seven{% else %}{{ it }}{% endif %}", {"it": 7}, "seven"),
            ("{% if flag == true %}yes{% else %}no{% endif %}", {"flag": False}, "no"),
            (
                "{% if name is defined %}{% if it == 7 %}A{% else %}B{{ it }}{% endif %}/{{ name }}{% endif %}x",
                {"it": 7, "name": "n"},
                "A/nx",
            ),
            ("{# why #}{{ run }}{# because\nof this #}/x", {"run": "r"}, "r/x"),
            ("{{ run }}{# {{ 9**(9**9) }} #}", {"run": "r"}, "r"),
            ("a/ {{- run -}} /x", {"run": "r"}, "a/r/x"),
            ("a/ {%- if name is defined %}{{ name }}/ {%- endif %}x", {"name": "n"}, "a/n/x"),
        ],
    )
    def test_accepted(self, template, values, path):
        """The form loads, renders and reads back."""
        made = Layout.parse(layout(template))
        assert made.render("k", **values).path == path
        given = {name: value for name, value in values.items() if value is not None}
        assert made.key("k", **given) in made.matches(path)


VALUE = "write `{{ field }}` or `{{ field | filter }}`"
TEST = "write `{% if field is defined %}"
OTHER = "irreversible-template"

REFUSED = [
    # template, rule, what the caret is below, message, help, a template that follows the help
    ("a/{{ rnu }}", "unknown-field", "rnu", "`rnu` is not a declared field", "`run`", "a/{{ run }}"),
    ("{{ fargment }}", "unknown-field", "fargment", "not a declared field", "`frag`", "{{ frag }}"),
    ("{{ self }}/x", "unknown-field", "self", "not a declared field", "`", "{{ run }}/x"),
    ("{{ loop }}/x", "unknown-field", "loop", "not a declared field", "`", "{{ run }}/x"),
    ('{{ run ~ "a" }}', OTHER, '{{ run ~ "a" }}', "no field with filters", VALUE, "{{ run }}a"),
    ("x/{{ it + 1 }}", OTHER, "{{ it + 1 }}", "no field with filters", VALUE, "x/{{ it }}"),
    ("{{ -it }}", OTHER, "{{ -it }}", "no field with filters", VALUE, "{{ it }}"),
    ("{{ run.x }}", OTHER, "{{ run.x }}", "no field with filters", VALUE, "{{ run }}"),
    ("{{ run[0] }}", OTHER, "{{ run[0] }}", "no field with filters", VALUE, "{{ run }}"),
    ("{{ run() }}", OTHER, "{{ run() }}", "no field with filters", VALUE, "{{ run }}"),
    ('a{{ "b" }}', OTHER, '{{ "b" }}', "no field with filters", "without braces", "ab"),
    ("{{ 7 }}", OTHER, "{{ 7 }}", "no field with filters", "without braces", "7"),
    ("{{ none }}", OTHER, "{{ none }}", "no field with filters", "without braces", "{{ run }}"),
    ("{{ [run] }}", OTHER, "{{ [run] }}", "no field with filters", VALUE, "{{ run }}"),
    ("{{ run, it }}", OTHER, "{{ run, it }}", "no field with filters", VALUE, "{{ run }}-{{ it }}"),
    ("{{ run is defined }}", OTHER, "{{ run is defined }}", "no field with filters", VALUE, "{{ run }}"),
    ("{{ run if flag else it }}", OTHER, "{{ run if flag else it }}", "no field with filters", VALUE, "{{ run }}"),
    ('{{ "a" | quote }}', OTHER, '{{ "a" | quote }}', "no field with filters", "without braces", "{{ run | quote }}"),
    # filters
    (
        "{{ it | pad(width=8) }}",
        OTHER,
        "{{ it | pad(width=8) }}",
        "not plain literals",
        "`pad(8)`",
        "{{ it | pad(8) }}",
    ),
    ("{{ it | pad(-8) }}", OTHER, "{{ it | pad(-8) }}", "not plain literals", "`pad(8)`", "{{ it | pad(8) }}"),
    ("{{ it | pad(4 + 4) }}", OTHER, "{{ it | pad(4 + 4) }}", "not plain literals", "`pad(8)`", "{{ it | pad(8) }}"),
    ("{{ it | pad(it) }}", OTHER, "{{ it | pad(it) }}", "not plain literals", "`pad(8)`", "{{ it | pad(8) }}"),
    ("{{ it | pad([8]) }}", OTHER, "{{ it | pad([8]) }}", "not plain literals", "`pad(8)`", "{{ it | pad(8) }}"),
    ("{{ it | pad(*[8]) }}", OTHER, "{{ it | pad(*[8]) }}", "not plain literals", "`pad(8)`", "{{ it | pad(8) }}"),
    ("{{ it | pad(**{}) }}", OTHER, "{{ it | pad(**{}) }}", "not plain literals", "`pad(8)`", "{{ it | pad(8) }}"),
    ("{{ it | pad }}", "misapplied-filter", "pad", "takes 1 argument (width), not 0", "", "{{ it | pad(8) }}"),
    ("{{ it | pad(8, 9) }}", "misapplied-filter", "pad", "takes 1 argument (width), not 2", "", "{{ it | pad(8) }}"),
    ("{{ it | pad(0) }}", "misapplied-filter", "pad", "a width from 1 to 64, not 0", "", "{{ it | pad(1) }}"),
    ("{{ it | pad(65) }}", "misapplied-filter", "pad", "a width from 1 to 64, not 65", "", "{{ it | pad(64) }}"),
    ('{{ it | pad("8") }}', "misapplied-filter", "pad", "a width from 1 to 64, not '8'", "", "{{ it | pad(8) }}"),
    ("{{ it | pad(true) }}", "misapplied-filter", "pad", "a width from 1 to 64, not True", "", "{{ it | pad(8) }}"),
    ("{{ it | pad(8.0) }}", "misapplied-filter", "pad", "a width from 1 to 64, not 8.0", "", "{{ it | pad(8) }}"),
    ("{{ txt | quote(1) }}", "misapplied-filter", "quote", "takes 0 arguments, not 1", "", "{{ txt | quote }}"),
    ("{{ day | date }}", "misapplied-filter", "date", "takes 1 argument (form), not 0", "", '{{ day | date("%Y%j") }}'),
    ("{{ day | date(7) }}", "misapplied-filter", "date", "a format such as '%Y-%m-%d'", "", '{{ day | date("%Y%j") }}'),
    ('{{ day | date("%y") }}', "misapplied-filter", "date", "`%y` does not read back", "", '{{ day | date("%Y%j") }}'),
    ('{{ day | date("%Y/%m/%d") }}', "misapplied-filter", "date", "/", "", '{{ day | date("%Y%m%d") }}'),
    (
        "{{ run | upper }}",
        "unknown-filter",
        "upper",
        "`upper` is not a reversible filter",
        "`quote`",
        "{{ run | quote }}",
    ),
    ("{{ it | pda(8) }}", "unknown-filter", "pda", "`pda` is not a reversible filter", "`pad`", "{{ it | pad(8) }}"),
    ("{{ it | a.b }}", "unknown-filter", "a.b", "`a.b` is not a reversible filter", "`pad`", "{{ it | pad(8) }}"),
    (
        "{{ it | pad(8) | upper }}",
        "unknown-filter",
        "upper",
        "not a reversible filter",
        "`quote`",
        "{{ it | pad(8) | quote }}",
    ),
    (
        "{{ run | pad(8) }}",
        "misapplied-filter",
        "pad",
        "does not apply to a field of type `str`",
        "`int`",
        "{{ it | pad(8) }}",
    ),
    ("{{ it | quote }}", "misapplied-filter", "quote", "of type `int`", "`path`, `str`", "{{ tree | quote }}"),
    (
        "{{ it | pad(8) | pad(8) }}",
        "misapplied-filter",
        "pad(8) }}",
        "the text that `pad` gives",
        "`int`",
        "{{ it | pad(8) }}",
    ),
    (
        "{{ frag | quote }}",
        OTHER,
        "{{ frag | quote }}",
        "a filter is put on the fragment `frag`",
        "fragment's fields",
        "{{ frag }}",
    ),
    # fields that need a filter
    (
        "{{ txt }}",
        "unsafe-segment",
        "{{ txt }}",
        "`txt` is any text, and not quoted",
        "`{{ txt | quote }}`",
        "{{ txt | quote }}",
    ),
    (
        "{{ time }}",
        "unsafe-segment",
        "{{ time }}",
        "`time` is a time without a format",
        "`{{ time | date('%Y%m%dT%H%M%S') }}`",
        "{{ time | date('%Y%m%dT%H%M%S') }}",
    ),
    # conditions
    (
        "{% if name is not defined %}a{% else %}{{ name }}{% endif %}",
        OTHER,
        "{% if name is not defined %}",
        "this condition cannot be read back",
        "with the branches swapped",
        "{% if name is defined %}{{ name }}{% else %}a{% endif %}",
    ),
    (
        "{% if not name is defined %}a{% else %}{{ name }}{% endif %}",
        OTHER,
        "{% if not name is defined %}",
        "this condition cannot be read back",
        "with the branches swapped",
        "{% if name is defined %}{{ name }}{% else %}a{% endif %}",
    ),
    (
        '{% if run != "a" %}{{ run }}{% else %}A{% endif %}',
        OTHER,
        '{% if run != "a" %}',
        "this condition cannot be read back",
        "with the branches swapped",
        '{% if run == "a" %}A{% else %}{{ run }}{% endif %}',
    ),
    *(
        (
            f"x/{{% if {test} %}}{{{{ run }}}}{{% else %}}b{{% endif %}}",
            OTHER,
            f"{{% if {test} %}}",
            "this condition cannot be read back",
            TEST,
            "x/{% if run is defined %}{{ run }}{% else %}b{% endif %}",
        )
        for test in [
            "run",
            "true",
            "run == it",
            'run < "b"',
            'run in "ab"',
            'run == "a" == "b"',
            '"a" == run',
            "run is defined and it is defined",
            "run is none",
            "run is string",
            "run is defined(1)",
            "run is defined 1",
            "run is defined(a=1)",
            'run | quote == "a"',
            "run.x is defined",
        ]
    ),
    (
        "{% if rnu is defined %}a/{% endif %}{{ run }}",
        "unknown-field",
        "rnu",
        "`rnu` is not a declared field",
        "`run`",
        "{% if run is defined %}a/{{ run }}{% else %}b{% endif %}",
    ),
    (
        '{% if it == "7" %}a{% else %}{{ it }}{% endif %}',
        OTHER,
        '{% if it == "7" %}',
        "`it` does not take '7'",
        "",
        "{% if it == 7 %}a{% else %}{{ it }}{% endif %}",
    ),
    (
        '{% if run == "a/b" %}a{% else %}{{ run }}{% endif %}',
        OTHER,
        '{% if run == "a/b" %}',
        "`run` does not take 'a/b'",
        "",
        '{% if run == "a" %}a{% else %}{{ run }}{% endif %}',
    ),
    # tags
    *(
        (
            f"x/{{% {tag} %}}",
            OTHER,
            f"{{% {tag} %}}",
            f"`{{% {tag.split()[0]} %}}` cannot be read back",
            TEST,
            "x/{{ run }}",
        )
        for tag in [
            "for a in run",
            "set a = run",
            "macro m()",
            'include "x"',
            'import "x" as y',
            'from "x" import y',
            'extends "x"',
            "block b",
            "call m()",
            "filter upper",
            "with",
            "autoescape true",
            "do run",
            "endfor",
            "wat",
        ]
    ),
    ("x/{% raw %}{{ run }}{% endraw %}", OTHER, "{% raw %}", "`{% raw %}` is not part of a path", "", "x/{{ run }}"),
    # braces
    ("{{ run", "invalid-template", "{{ run", "`{{` is not closed", "close it", "{{ run }}"),
    ("{{ run }", "invalid-template", "}", "unexpected '}'", VALUE, "{{ run }}"),
    ("{{ run }}}/a", "invalid-template", "}/a", "a single `}` belongs to no template", VALUE, "{{ run }}"),
    ("a/{ run }", "invalid-template", "{", "a single `{` belongs to no template", VALUE, "a/{{ run }}"),
    ("run }}/x", "invalid-template", "}}", "`}}` is unbalanced", VALUE, "{{ run }}/x"),
    ("a%}b", "invalid-template", "}", "a single `}` belongs to no template", VALUE, "ab"),
    ("{{ }}", "invalid-template", "{{ }}", "expected an expression", VALUE, "{{ run }}"),
    ("x/{{ run it }}", "invalid-template", "{{ run it }}", "Jinja2 cannot read this", VALUE, "x/{{ run }}"),
    ("x/{{ (run }}", "invalid-template", "}}", "Jinja2 cannot read this", VALUE, "x/{{ (run) }}"),
    ('x/{{ run | pad("8) }}', "invalid-template", '"8', "Jinja2 cannot read this", VALUE, "x/{{ run }}"),
    ("{# a", "invalid-template", "{# a", "omment", "", "{# a #}x"),
    ("{% if %}a{% endif %}", "invalid-template", "{% if %}", "expected an expression", TEST, "a"),
    (
        "{% if run is defined %}{{ run }}",
        "invalid-template",
        "{% if run is defined %}",
        "`{% if %}` is not closed",
        "`{% endif %}`",
        "{{ run }}",
    ),
    ("a{% endif %}", "invalid-template", "{% endif %}", "`{% endif %}` closes nothing", "`{% endif %}`", "a"),
    ("a{% else %}b", "invalid-template", "{% else %}", "nknown tag", "`{% endif %}`", "a"),
    # text
    ("/{{ run }}", "unsafe-segment", "/", "the path begins with `/`", "leave the `/` out", "{{ run }}"),
    ("{{ run }}/", "unsafe-segment", "/", "the path ends with `/`", "", "{{ run }}"),
    ("{{ run }}//x", "unsafe-segment", "//x", "the path has an empty segment", "one `/`", "{{ run }}/x"),
    ("../{{ run }}", "unsafe-segment", "../", "the segment '..' is no proper name", "", "{{ run }}"),
    ("{{ run }}/./x", "unsafe-segment", "/./x", "the segment '.' is no proper name", "", "{{ run }}/x"),
    ("{{ run }}/a\\b", "unsafe-segment", "\\", "cannot stand in a path", "", "{{ run }}/a/b"),
    ("{{ run }}/a\u202eb", "unsafe-segment", "\u202e", "(U+202E) cannot stand in a path", "", "{{ run }}/ab"),
    ("{{ run }}/a\u200bb", "unsafe-segment", "\u200b", "(U+200B) cannot stand in a path", "", "{{ run }}/ab"),
    ("{{ run }}/e\u0301", "unsafe-segment", "/e", "Unicode normal form NFC", "", "{{ run }}/\xe9"),
    ("{{ run }}/ x", "unsafe-segment", "/ x", "starts or ends with a space", "", "{{ run }}/x"),
]


class TestRefused:
    """Everything else is a diagnostic at load that says what to write instead."""

    @pytest.mark.parametrize("case", REFUSED, ids=[one[0] for one in REFUSED])
    def test_refused(self, case):
        """One finding: its rule, what it says, a caret below the fault, and help that leads to a layout that loads."""
        template, rule, below, message, advice, fixed = case
        text = layout(template)
        (finding,) = findings(text)
        span = finding.span
        line = text.splitlines()[LINE - 1]
        assert finding.rule == rule
        assert message in finding.message
        assert (span.file, span.line, span.text) == ("f.yaml", LINE, line)
        at = template.rindex(below) if rule in {"unknown-filter", "misapplied-filter"} else template.index(below)
        assert span.column == BEFORE + at + 1
        assert span.end_column > span.column
        assert advice in (finding.help or "")
        assert Layout.parse(layout(fixed)).kinds

    def test_fragment_in_a_condition(self):
        """A condition on a fragment is refused without the advice to use that fragment."""
        (finding,) = findings(layout("{% if frag is defined %}a/{% endif %}{{ run }}"))
        assert (finding.span.line, finding.span.column) == (LINE, 20)
        assert "a similar field exists: `frag`" not in (finding.help or "")

    def test_a_value_that_is_not_written(self):
        """A value that is given but does not stand in the path is refused, at the template as a whole."""
        (finding,) = findings(layout("{% if name is defined %}a{% else %}b{% endif %}"))
        assert (finding.rule, finding.span.line, finding.span.column) == (OTHER, LINE, BEFORE)
        assert finding.message.startswith("the value of `name` does not stand in the path")
        assert finding.help == "write `{{ name }}` in every branch that does not fix its value"
        assert Layout.parse(layout("{% if name is defined %}a{{ name }}{% else %}b{% endif %}")).kinds

    def test_several(self):
        """One template may have several findings, in the order of the file."""
        found = findings(layout("{{ a1 }}/{{ run.x }}/{{ run | upper }}/{{ it | pad(0) }}/\u200b"))
        assert [(one.rule, one.span.column) for one in found] == [
            ("unknown-field", 17),
            ("irreversible-template", 23),
            ("unknown-filter", 44),
            ("misapplied-filter", 61),
            ("unsafe-segment", 71),
        ]

    def test_conditions_do_not_multiply(self):
        """A template of 40 conditions is refused instead of unfolded into 2**40 variants."""
        fields = "".join(f"  f{i}: {{type: str}}\n" for i in range(40))
        path = "/".join(f"{{% if f{i} is defined %}}{{{{ f{i} }}}}{{% else %}}no{{% endif %}}" for i in range(40))
        (finding,) = findings(f"zarrange: 1\nfields:\n{fields}files:\n  k: {{path: '{path}'}}\n")
        assert (finding.rule, finding.message) == (
            "irreversible-template",
            "the template has more than 16 conditions, or too many ways to combine them",
        )

    @pytest.mark.parametrize("style", ["'{}'", '"{}"', ">-\n      {}", "|-\n      {}", "{}"])
    def test_column_in_every_style(self, style):
        """The caret is below the fault whatever kind of scalar the template is."""
        written = style.format("x/{{ run }}/\U0001f600{{ rnu }}")
        text = f"{FIELDS}  k:\n    path: {written}\n"
        (finding,) = findings(text)
        line = text.splitlines()[finding.span.line - 1]
        assert line[finding.span.column - 1 : finding.span.end_column - 1] == "rnu"

    def test_column_in_a_folded_template(self):
        """A template may be folded over lines; the caret stands in the right one."""
        text = f"{FIELDS}  k:\n    path: >-\n      {{# what\n      it is #}}a/{{{{ run\n      }}}}/{{{{ rnu }}}}\n"
        (finding,) = findings(text)
        line = text.splitlines()[finding.span.line - 1]
        assert finding.span.line == LINE + 4
        assert line[finding.span.column - 1 : finding.span.end_column - 1] == "rnu"


class TestElsewhere:
    """A fault is reported where it is written, once, wherever it is used."""

    def test_in_a_fragment(self):
        """The fault of a fragment stands in the fragment, and once however often it is used."""
        text = (
            "zarrange: 1\nfields: {run: {type: str}}\nfragments:\n  one: a/{{ two }}\n  two: b/{{ rnu }}\nfiles:\n"
            "  a: {path: '{{ one }}'}\n  b: {path: '{{ one }}/{{ two }}'}\n"
        )
        (finding,) = findings(text)
        assert (str(finding.span), finding.rule) == ("f.yaml:5:13", "unknown-field")

    def test_in_a_container(self):
        """The fault of a container's path stands there, and its arrays are not blamed."""
        text = (
            "zarrange: 1\ncontainers:\n  c: {path: '{{ rnu }}.zarr'}\n"
            "arrays:\n  a: {container: c, path: x}\n  b: {container: c, path: y}\n"
        )
        assert [str(one.span) for one in findings(text)] == ["f.yaml:3:17"]

    def test_slash_from_a_fragment(self):
        """A path that a fragment makes absolute is refused where the slash is written."""
        text = (
            "zarrange: 1\nfields: {run: {type: str}}\nfragments:\n  f: /{{ run }}\nfiles:\n  a: {path: '{{ f }}/x'}\n"
        )
        (finding,) = findings(text)
        assert (str(finding.span), finding.rule) == ("f.yaml:4:6", "unsafe-segment")

    def test_nothing_is_left(self):
        """A path that is empty when an optional field is absent is refused."""
        (finding,) = findings(layout("{% if name is defined %}{{ name }}{% endif %}"))
        assert (finding.rule, finding.span.line) == ("unsafe-segment", LINE)

    def test_cycle(self):
        """Fragments that use each other are refused with the cycle."""
        (finding,) = findings("zarrange: 1\nfragments:\n  a: x{{ b }}\n  b: y{{ c }}\n  c: z{{ a }}\n")
        assert (str(finding.span), finding.rule) == ("f.yaml:5:10", "fragment-cycle")
        assert finding.message.endswith("`a` → `b` → `c` → `a`")

    def test_through_extends(self, tmp_path):
        """A fault that is inherited stands in the file that has it; one's own in one's own."""
        base = tmp_path / "base.yaml"
        base.write_text(
            "zarrange: 1\nfields: {run: {type: str}}\nfragments:\n  f: x/{{ rnu }}\nfiles:\n  a: {path: '{{ f }}'}\n"
        )
        own = tmp_path / "own.yaml"
        own.write_text("zarrange: 1\nextends: base.yaml\nfiles:\n  b: {path: '{{ f }}/{{ nur }}'}\n")
        with pytest.raises(LayoutError) as caught:
            Layout.load(own)
        found = {(one.span.file, one.span.line, one.span.column) for one in caught.value.diagnostics}
        assert found == {(str(base), 4, 11), (str(own), 4, 25)}

    def test_extends_mends(self, tmp_path):
        """A fragment that the extending file writes anew is no fault any more."""
        (tmp_path / "base.yaml").write_text(
            "zarrange: 1\nfields: {run: {type: str}}\nfragments:\n  f: x/{{ rnu }}\nfiles:\n  a: {path: '{{ f }}'}\n"
        )
        own = tmp_path / "own.yaml"
        own.write_text("zarrange: 1\nextends: base.yaml\nfragments:\n  f: y/{{ run }}\n")
        assert Layout.load(own).render("a", run="r").path == "y/r"

    def test_broken_field(self):
        """A field that is declared wrongly is reported where it is declared, not where it is used."""
        (finding,) = findings("zarrange: 1\nfields:\n  run: {type: sting}\nfiles:\n  a: {path: '{{ run }}'}\n")
        assert re.fullmatch(r"f\.yaml:3:15", str(finding.span))
