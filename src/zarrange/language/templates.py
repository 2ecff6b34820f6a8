"""Templates: a reversible subset of Jinja2, read by Jinja2's own parser into a small checked tree.

The syntax tree is held against an allow-list before anything could compile or evaluate it, so a template from a
stranger can do nothing but name fields. What the tree denotes is worked out in `variants`.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NoReturn, TypeAlias

import jinja2
from attrs import frozen
from jinja2 import nodes

from zarrange.diagnostics import Diagnostic, Span, similar
from zarrange.language import faults
from zarrange.language.fields import Field, Misfit
from zarrange.language.slots import Slot

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from zarrange.identifiers import Value
    from zarrange.language.faults import Fault
    from zarrange.language.filters import Filter

__all__ = ["Branch", "Equals", "Given", "Names", "Text", "Tree", "parse_template"]

MAX_LENGTH = 4096
MAX_NODES = 200
"""Texts, slots and conditions, with those of fragments: a path has a few."""
ENVIRONMENT = jinja2.Environment(keep_trailing_newline=True, autoescape=False)  # noqa: S701 - paths are not HTML
"""Parses templates; nothing is ever compiled or rendered by it."""

_COMPARABLE = ("str", "path", "int", "bool")
_CLOSERS = {"{{": "}}", "{%": "%}", "{#": "#}"}
_FORMS = "write `{{ field }}` or `{{ field | filter }}`"
_TESTS = "write `{% if field is defined %}…{% else %}…{% endif %}` or `{% if field == 'literal' %}`"


@frozen
class Text:
    """Literal text. The `boundary` between a container's path and what is inside it is a text too, a `/`."""

    text: str
    span: Span
    boundary: bool = False


@frozen
class Given:
    """The condition that an optional field has a value."""

    field: Field


@frozen
class Equals:
    """The condition that a field has this value."""

    field: Field
    value: Value


@frozen
class Branch:
    """One tree where the condition holds, another where it does not."""

    condition: Given | Equals
    then: Tree
    otherwise: Tree
    span: Span


Tree: TypeAlias = tuple[Text | Slot | Branch, ...]


@frozen
class Names:
    """What the names in a template mean.

    A fragment is given as a function, for it may use others itself; it returns `None` for one that is wrong.
    """

    fields: Mapping[str, Field]
    fragments: Mapping[str, Callable[[Span], Tree | None]]
    filters: Mapping[str, Filter]
    broken: frozenset[str] = frozenset()
    """Fields that are declared, but wrongly: reported where they are declared, not where they are used."""


@frozen
class _Block:
    """A stretch of a template: data, a comment, `{{ … }}` or `{% … %}`, with its tokens and their offsets."""

    kind: str
    start: int
    end: int
    tokens: tuple[tuple[int, str, str], ...]

    def filters(self) -> list[tuple[int, int]]:
        """Where the names of filters stand, which may be dotted."""
        tokens = [token for token in self.tokens if token[1] != "whitespace"]
        places = []
        for before, at in pairwise(range(len(tokens))):
            if tokens[before][2] == "|":
                last = at
                while tokens[last + 1][2] == ".":
                    last += 2
                places.append((tokens[at][0], tokens[last][0] + len(tokens[last][2])))
        return places

    def words(self) -> list[str]:
        """The tokens between the delimiters, without white space."""
        return [value for _, kind, value in self.tokens[1:-1] if kind != "whitespace"]


class _Rejected(Exception):  # noqa: N818 - control flow: the template was reported and has no tree
    pass


def parse_template(
    text: str, locate: Callable[[int, int], Span], names: Names, report: Callable[[Diagnostic], None]
) -> Tree | None:
    """Return the checked tree of a template, or `None` after reporting what is wrong with it.

    `locate` gives the position in the layout file of a stretch of the template.
    """
    return _Parser(text, locate, names, report).parse()


class _Parser:
    def __init__(
        self, text: str, locate: Callable[[int, int], Span], names: Names, report: Callable[[Diagnostic], None]
    ) -> None:
        self.text = text
        self.locate = locate
        self.names = names
        self._report = report
        self._rejected = False

    def parse(self) -> Tree | None:
        try:
            blocks = self._lex()
            self._check_blocks(blocks)
            body = self._syntax(blocks).body
            tree = self._tree(body, iter([block for block in blocks if not _is_silent(block)]))
        except _Rejected:
            return None
        return None if self._rejected else tree

    def fail(self, start: int, end: int, fault: Fault, message: str, advice: str | None = None) -> None:
        """Report a finding and go on: one template may have several."""
        self._rejected = True
        self._report(fault(message, self.locate(start, end), advice))

    def stop(self, start: int, end: int, fault: Fault, message: str, advice: str | None = None) -> NoReturn:
        """Report a finding behind which the template makes no sense any more."""
        self.fail(start, end, fault, message, advice)
        raise _Rejected

    # --- from text to Jinja2's syntax tree ---------------------------------------------------------------------------

    def _lex(self) -> list[_Block]:
        if len(self.text) > MAX_LENGTH:
            self.stop(0, 1, faults.invalid_template, f"the template has more than {MAX_LENGTH} characters")
        if not self.text:
            self.stop(0, 1, faults.unsafe_segment, "the template is empty", "name at least one folder")
        blocks: list[_Block] = []
        tokens: list[tuple[int, str, str]] = []
        at = 0
        try:
            for _, kind, value in ENVIRONMENT.lex(self.text):
                at = max(self.text.find(value, at), at)
                tokens.append((at, kind, value))
                at += len(value)
                if kind in {"data", "variable_end", "block_end", "comment_end", "raw_begin", "raw_end"}:
                    start = tokens[0][0]
                    blocks.append(_Block(kind.removesuffix("_end"), start, at, tuple(tokens)))
                    tokens = []
        except jinja2.TemplateSyntaxError as error:
            found = re.search(r" at (\d+)$", error.message or "")
            is_comment = bool(tokens) and tokens[0][2] == "{#"
            offset = int(found[1]) if found else tokens[0][0] if is_comment else at
            advice = "close it with `#}`" if is_comment else _FORMS
            self.stop(offset, offset + 1, faults.invalid_template, _sentence(error), advice)
        if tokens:
            opened = tokens[0][2]
            advice = f"close it with `{_CLOSERS[opened[:2]]}`" if opened[:2] in _CLOSERS else "close it"
            self.stop(tokens[0][0], at, faults.invalid_template, f"`{opened}` is not closed", advice)
        return blocks

    def _check_blocks(self, blocks: list[_Block]) -> None:
        """Refuse what would not even need a syntax tree to be refused, where the position is certain."""
        for block in blocks:
            if block.kind == "data":
                self._check_data(block)
            elif block.kind.startswith("raw"):
                message = "`{% raw %}` is not part of a path"
                self.stop(block.start, block.end, faults.irreversible_template, message, "leave it out")
            elif block.kind == "block":
                word = (block.words() or [""])[0]
                if not word:
                    self.stop(block.start, block.end, faults.invalid_template, "`{% %}` is empty", _TESTS)
                if word not in {"if", "elif", "else", "endif"}:
                    message = f"`{{% {word} %}}` cannot be read back from a path"
                    self.stop(block.start, block.end, faults.irreversible_template, message, _TESTS)

    def _check_data(self, block: _Block) -> None:
        text = self.text[block.start : block.end]
        if brace := re.search(r"[{}]+", text):
            start = block.start + brace.start()
            is_single = len(brace[0]) == 1
            message = f"a single `{brace[0]}` belongs to no template" if is_single else f"`{brace[0]}` is unbalanced"
            self.fail(start, start + len(brace[0]), faults.invalid_template, message, _FORMS)
        bad = next((i for i, one in enumerate(text) if one == "\\" or not one.isprintable()), None)
        if bad is not None:
            message = f"{text[bad]!r} (U+{ord(text[bad]):04X}) cannot stand in a path"
            advice = {"\n": "end a block with `>-` instead of `>` or `|`", "\\": "write `/`"}.get(text[bad])
            self.fail(block.start + bad, block.start + bad + 1, faults.unsafe_segment, message, advice)

    def _syntax(self, blocks: list[_Block]) -> nodes.Template:
        try:
            return ENVIRONMENT.parse(self.text)
        except jinja2.TemplateSyntaxError as error:
            self._stop_at_fault(blocks, _sentence(error))
        except (RecursionError, ValueError, OverflowError):
            self._stop_at_fault(blocks, "the expression is too deeply nested or its number too long")

    def _stop_at_fault(self, blocks: list[_Block], message: str) -> NoReturn:
        """Find the block that cannot be read by itself: Jinja2 tells the line of an error only."""
        for block in blocks:
            text = self.text[block.start : block.end]
            alone = {"if": f"{text}{{% endif %}}", "elif": f"{{% if x %}}{text}{{% endif %}}"}
            if block.kind == "variable" or (block.kind == "block" and block.words()[0] in alone):
                try:
                    ENVIRONMENT.parse(text if block.kind == "variable" else alone[block.words()[0]])
                except (jinja2.TemplateSyntaxError, RecursionError, ValueError, OverflowError):
                    advice = _FORMS if block.kind == "variable" else _TESTS
                    self.stop(block.start, block.end, faults.invalid_template, message, advice)
        tags = [block for block in blocks if block.kind == "block"]
        last = tags[-1] if tags else blocks[0]
        self.stop(last.start, last.end, faults.invalid_template, message, "every `{% if … %}` needs its `{% endif %}`")

    # --- from Jinja2's syntax tree to ours ---------------------------------------------------------------------------

    def _tree(self, body: list[nodes.Node], blocks: Iterator[_Block]) -> Tree:
        made: list[Text | Slot | Branch] = []
        for node in body:
            if isinstance(node, nodes.Output):
                for expression in node.nodes:
                    made.extend(self._output(expression, next(blocks)))
            elif isinstance(node, nodes.If):
                made.extend(self._branch(node, blocks))
            else:  # pragma: no cover - every other statement was refused by its tag
                self.stop(0, 1, faults.irreversible_template, f"`{type(node).__name__}` cannot be read back", _TESTS)
            if sum(map(_size, made)) > MAX_NODES:
                self.stop(0, 1, faults.invalid_template, f"the template has more than {MAX_NODES} parts")
        return tuple(made)

    def _output(self, node: nodes.Node, block: _Block) -> Tree:
        if isinstance(node, nodes.TemplateData):
            return (Text(node.data, self.locate(block.start, block.end)),)
        filters: list[tuple[str, tuple[Any, ...]]] = []
        expression = node
        while isinstance(expression, nodes.Filter) and expression.node is not None:
            arguments = self._arguments(expression, block)
            if arguments is None:
                return ()
            filters.insert(0, (expression.name, arguments))
            expression = expression.node
        if not isinstance(expression, nodes.Name):
            message = "what stands here is no field with filters, and cannot be read back from a path"
            advice = "write a text without braces" if isinstance(expression, nodes.Const) else _FORMS
            self.fail(block.start, block.end, faults.irreversible_template, message, advice)
            return ()
        start, end = self._find(block, expression.name)
        if expression.name in self.names.fragments:
            if filters:
                message = f"a filter is put on the fragment `{expression.name}`"
                self.fail(
                    block.start, block.end, faults.irreversible_template, message, "put it on the fragment's fields"
                )
            tree = self.names.fragments[expression.name](self.locate(start, end))
            self._rejected = self._rejected or tree is None  # what is wrong with it is reported where it stands
            return tree or ()
        field = self._field(expression.name, start, end)
        if field is None:
            return ()
        return self._slot(field, filters, block)

    def _arguments(self, node: nodes.Filter, block: _Block) -> tuple[Any, ...] | None:
        if node.kwargs or node.dyn_args or node.dyn_kwargs or not all(type(one) is nodes.Const for one in node.args):
            advice = "write them as in `pad(8)` or `date('%Y%m%d')`"
            message = f"the arguments of `{node.name}` are not plain literals"
            self.fail(block.start, block.end, faults.irreversible_template, message, advice)
            return None
        return tuple(one.value for one in node.args)  # type: ignore[attr-defined]  # each is a Const

    def _slot(self, field: Field, filters: list[tuple[str, tuple[Any, ...]]], block: _Block) -> Tree:
        chain: list[tuple[Filter, tuple[Any, ...]]] = []
        for (name, arguments), (start, end) in zip(filters, block.filters(), strict=True):
            known = self.names.filters.get(name)
            if known is None:
                message = f"`{name}` is not a reversible filter"
                self.fail(start, end, faults.unknown_filter, message, similar(name, self.names.filters, "filter"))
                return ()
            if ("str" if chain else field.type) not in known.takes:
                given = f"the text that `{chain[-1][0].name}` gives" if chain else f"a field of type `{field.type}`"
                message = f"`{name}` does not apply to {given}"
                advice = f"it applies to {', '.join(f'`{one}`' for one in sorted(known.takes))}"
                self.fail(start, end, faults.misapplied_filter, message, advice)
                return ()
            if why := known.arguments_fault(arguments):
                self.fail(start, end, faults.misapplied_filter, why)
                return ()
            chain.append((known, arguments))
        slot = Slot(field, tuple(chain), self.locate(block.start, block.end))
        if not chain and field.type == "datetime":
            advice = f"write `{{{{ {field.name} | date('%Y%m%dT%H%M%S') }}}}`"
            self.fail(
                block.start, block.end, faults.unsafe_segment, f"`{field.name}` is a time without a format", advice
            )
        elif not chain and field.spec.charset == "text":
            advice = f"write `{{{{ {field.name} | quote }}}}`"
            self.fail(
                block.start, block.end, faults.unsafe_segment, f"`{field.name}` is any text, and not quoted", advice
            )
        return (slot,)

    def _branch(self, node: nodes.If, blocks: Iterator[_Block]) -> Tree:
        block = next(blocks)
        condition = self._condition(node.test, block)
        then = self._tree(node.body, blocks)
        if node.elif_:
            chained = nodes.If(node.elif_[0].test, node.elif_[0].body, node.elif_[1:], node.else_)
            otherwise = self._branch(chained, blocks)
        else:
            otherwise = self._tree(node.else_, blocks)
        if condition is None:
            return ()
        return (Branch(condition, then, otherwise, self.locate(block.start, block.end)),)

    def _condition(self, test: nodes.Node, block: _Block) -> Given | Equals | None:
        if (
            isinstance(test, nodes.Test)
            and test.name == "defined"
            and isinstance(test.node, nodes.Name)
            and not (test.args or test.kwargs or test.dyn_args or test.dyn_kwargs)
        ):
            field = self._field(test.node.name, *self._find(block, test.node.name))
            return Given(field) if field is not None else None
        if (
            isinstance(test, nodes.Compare)
            and isinstance(test.expr, nodes.Name)
            and [operand.op for operand in test.ops] == ["eq"]
            and isinstance(test.ops[0].expr, nodes.Const)
        ):
            field = self._field(test.expr.name, *self._find(block, test.expr.name))
            return self._equals(field, test.ops[0].expr.value, block) if field is not None else None
        message = "this condition cannot be read back from a path"
        advice = _TESTS
        if isinstance(test, nodes.Not) or (isinstance(test, nodes.Compare) and test.ops[0].op == "ne"):
            advice = f"{_TESTS}, with the branches swapped"
        self.fail(block.start, block.end, faults.irreversible_template, message, advice)
        return None

    def _equals(self, field: Field, literal: object, block: _Block) -> Equals | None:
        try:
            if field.type not in _COMPARABLE:
                raise Misfit(f"is of type `{field.type}`, which `==` does not apply to")
            return Equals(field, field.accept(literal))
        except Misfit as misfit:
            self.fail(block.start, block.end, faults.irreversible_template, f"the field `{field.name}` {misfit}")
            return None

    def _field(self, name: str, start: int, end: int) -> Field | None:
        field = self.names.fields.get(name)
        if field is None:
            self._rejected = True
            if name in self.names.fragments:
                message = f"`{name}` is a fragment, which has no value"
                self.fail(start, end, faults.unknown_field, message, similar(name, self.names.fields, "field"))
            elif name not in self.names.broken:
                known = {**self.names.fields, **self.names.fragments}
                message = f"`{name}` is not a declared field"
                self.fail(start, end, faults.unknown_field, message, similar(name, known, "field"))
        return field

    def _find(self, block: _Block, name: str) -> tuple[int, int]:
        """Return where a name stands in a block."""
        at = next((at for at, kind, value in block.tokens if kind == "name" and value == name), block.start)
        return at, at + len(name)


def _size(node: Text | Slot | Branch) -> int:
    return 1 + sum(map(_size, (*node.then, *node.otherwise))) if isinstance(node, Branch) else 1


def _is_silent(block: _Block) -> bool:
    """Whether Jinja2's tree has no node for this block."""
    return block.kind == "comment" or (block.kind == "block" and block.words()[0] in {"else", "endif"})


def _sentence(error: jinja2.TemplateSyntaxError) -> str:
    if (error.message or "").startswith("Unexpected end of template"):
        return "`{% if %}` is not closed"
    if "unknown tag 'endif'" in (error.message or ""):
        return "`{% endif %}` closes nothing"
    message = re.sub(r" at \d+$", "", (error.message or "not a template").rstrip("."))
    return f"Jinja2 cannot read this: {message[0].lower()}{message[1:]}"
