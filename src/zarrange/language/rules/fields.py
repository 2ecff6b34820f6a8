"""Rules about what a layout declares: fields and fragments that nothing uses, or that nothing fits."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from jinja2 import nodes

from zarrange.diagnostics import Diagnostic
from zarrange.language.automaton import Chain, Undecided, is_empty
from zarrange.language.fields import StrField
from zarrange.language.slowness import is_exponential, is_large
from zarrange.language.templates import ENVIRONMENT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from zarrange.language.assembly import Assembly

__all__ = ["missing_doc", "slow_pattern", "unfillable_field", "unused_field", "unused_fragment"]


def missing_doc(assembly: Assembly) -> Iterator[Diagnostic]:
    """Something in a layout is not documented.

    ## What it does
    Looks for a `doc` of the layout itself, of each field and of each kind.

    ## Why is this bad?
    A layout is the one place where it is said what each folder and each part of a name means. Years later, somebody
    else decides by it what may be deleted.

    ## Example
    ```yaml
    fields:
      run: {type: str}
    ```

    ## Use instead
    ```yaml
    fields:
      run: {type: str, doc: Name of the training run.}
    ```
    """
    located = assembly.located
    if not assembly.document.doc:
        yield Diagnostic("missing-doc", "the layout has no `doc`", located.key_span(("zarrange",)))
    for name, field in assembly.fields.items():
        if not field.doc:
            yield Diagnostic("missing-doc", f"the field `{name}` has no `doc`", located.key_span(("fields", name)))
    for kind in assembly.kinds.values():
        if not kind.doc:
            yield Diagnostic("missing-doc", f"`{kind.name}` has no `doc`", assembly.kind_span(kind))


def unused_field(assembly: Assembly) -> Iterator[Diagnostic]:
    """A field stands in no template.

    ## What it does
    Looks for declared fields that no kind's path uses.

    ## Why is this bad?
    Whoever reads the layout looks for what the field tells apart, and finds nothing. Often a template was to have it.

    ## Example
    ```yaml
    fields:
      run: {type: str}
      trial: {type: int}
    files:
      log: {path: "{{ run }}.log"}
    ```

    ## Use instead
    ```yaml
    fields:
      run: {type: str}
      trial: {type: int}
    files:
      log: {path: "{{ run }}/{{ trial }}.log"}
    ```
    """
    used = {name for kind in assembly.kinds.values() for name in kind.fields}
    for name in assembly.fields:
        if name not in used:
            span = assembly.located.key_span(("fields", name))
            yield Diagnostic("unused-field", f"the field `{name}` stands in no path", span, "take it out, or use it")


def unused_fragment(assembly: Assembly) -> Iterator[Diagnostic]:
    """A fragment stands in no template.

    ## What it does
    Looks for fragments that no kind's path uses, directly or through other fragments.

    ## Why is this bad?
    An edit to it changes nothing, to the surprise of whoever made it.

    ## Example
    ```yaml
    fragments:
      run_dir: "{{ run }}"
    files:
      log: {path: "{{ run }}/log.txt"}
    ```

    ## Use instead
    ```yaml
    fragments:
      run_dir: "{{ run }}"
    files:
      log: {path: "{{ run_dir }}/log.txt"}
    ```
    """
    document = assembly.document
    sections = (document.containers, document.groups, document.arrays, document.files)
    waiting = [entry.path for section in sections for entry in section.values()]
    unused = dict(document.fragments)
    while waiting:
        names = {node.name for node in ENVIRONMENT.parse(waiting.pop()).find_all(nodes.Name)}
        waiting += [unused.pop(name) for name in names & unused.keys()]
    for name in unused:
        span = assembly.located.key_span(("fragments", name))
        yield Diagnostic("unused-fragment", f"the fragment `{name}` stands in no path", span, "take it out, or use it")


def unfillable_field(assembly: Assembly) -> Iterator[Diagnostic]:
    """No value fits a field.

    ## What it does
    Asks whether any text at all is in a field's charset, matches its `pattern` and none of its `exclude`.

    ## Why is this bad?
    Nothing that uses the field can be stored or found.

    ## Example
    ```yaml
    fields:
      name: {type: str, pattern: "[a-z ]+", exclude: ["[a-z]+"]}  # a space is not portable
    ```

    ## Use instead
    ```yaml
    fields:
      name: {type: str, pattern: "[a-z ]+", exclude: ["[a-z]+"], charset: unicode}
    ```
    """
    for name, field in assembly.fields.items():
        span = assembly.located.key_span(("fields", name))
        if isinstance(field, StrField) and (field.spec.pattern is not None or field.spec.exclude):
            with suppress(Undecided):
                if is_empty(Chain((field.language,))):
                    advice = "its charset, its `pattern` and its `exclude` leave nothing over: widen one of them"
                    yield Diagnostic("unfillable-field", f"no value fits the field `{name}`", span, advice)


def slow_pattern(assembly: Assembly) -> Iterator[Diagnostic]:
    """A pattern takes very long to match, or very much memory.

    ## What it does
    Looks for patterns with nested repeats that can match one text in exponentially many ways, and for patterns whose
    automaton needs more than a thousand states.

    ## Why is this bad?
    zarrange itself matches in linear time whatever the pattern, but editors and programs that read the pattern from
    the layout's schema use engines that backtrack: one wrong name hangs them. Of a very large automaton only a part is
    kept, and the rest is worked out again and again.

    ## Example
    ```yaml
    fields:
      name: {type: str, pattern: "([a-z]+)+"}
    ```

    ## Use instead
    ```yaml
    fields:
      name: {type: str, pattern: "[a-z]+"}
    ```
    """
    for name, field in assembly.fields.items():
        paths = [("pattern",), *(("exclude", at) for at in range(len(field.spec.exclude)))]
        patterns = [field.spec.pattern, *field.spec.exclude]
        for path, pattern in zip(paths, patterns, strict=True):
            if pattern is None:
                continue
            span = assembly.located.span(("fields", name, *path))
            if is_exponential(pattern):
                advice = "let one repeat do the work of two, as `a+` does that of `(a+)+`"
                message = f"`{pattern}` can match one text in exponentially many ways"
                yield Diagnostic("slow-pattern", message, span, advice)
            elif is_large(pattern):
                advice = "use smaller repeat counts, or fewer alternatives that begin alike"
                yield Diagnostic("slow-pattern", f"the automaton of `{pattern}` has too many states", span, advice)
