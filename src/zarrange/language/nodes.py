"""Python's syntax nodes, by short names: what `renderer` and `matcher` put their functions together from."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["assign", "both", "call", "compare", "constant", "define", "is_none", "is_type", "joined", "load", "method"]

BUILT_IN: dict[str, object] = {"_int": int, "_len": len, "_str": str, "_type": type}
"""What the functions may call. A leading underscore: a field of a layout may be named `type`, but not `_type`."""


def load(name: str) -> ast.expr:
    """The value of a variable."""
    return ast.Name(name, ast.Load())


def constant(value: Any) -> ast.expr:
    """A constant: text, a number or a truth value."""
    return ast.Constant(value)


def assign(name: str, value: ast.expr) -> ast.stmt:
    """`name = value`."""
    return ast.Assign([ast.Name(name, ast.Store())], value)


def call(name: str, *arguments: ast.expr) -> ast.expr:
    """`name(arguments…)`."""
    return ast.Call(load(name), list(arguments), [])


def method(name: str, of: ast.expr, *arguments: ast.expr) -> ast.expr:
    """`of.name(arguments…)`."""
    return ast.Call(ast.Attribute(of, name, ast.Load()), list(arguments), [])


def compare(left: ast.expr, operator: ast.cmpop, right: ast.expr) -> ast.expr:
    """`left operator right`."""
    return ast.Compare(left, [operator], [right])


def both(tests: Sequence[ast.expr]) -> ast.expr:
    """All the tests, from left to right."""
    return tests[0] if len(tests) == 1 else ast.BoolOp(ast.And(), list(tests))


def is_none(name: str, *, wanted: bool = True) -> ast.expr:
    """`name is None`, or `name is not None`."""
    return compare(load(name), ast.Is() if wanted else ast.IsNot(), constant(None))


def is_type(name: str, expected: str) -> ast.expr:
    """Whether the type of a variable is exactly `expected`, one of `BUILT_IN`."""
    return compare(call("_type", load(name)), ast.Is(), load(expected))


def joined(parts: Sequence[ast.expr]) -> ast.expr:
    """The texts of `parts`, one behind the other."""
    return ast.JoinedStr([one if isinstance(one, ast.Constant) else ast.FormattedValue(one, -1, None) for one in parts])


def define(
    name: str, keywords: Sequence[str], body: list[ast.stmt], known: dict[str, object], positional: Sequence[str] = ()
) -> Callable[..., Any]:
    """Compile a function of keyword arguments, each `None` by default, that sees the objects in `known`."""
    none: list[ast.expr | None] = [constant(None) for _ in keywords]
    first = [ast.arg(one) for one in positional]
    arguments = ast.arguments([], first, None, [ast.arg(one) for one in keywords], none, None, [])
    module = ast.fix_missing_locations(ast.Module([ast.FunctionDef(name, arguments, body, [], None, None)], []))
    space = {**known, **BUILT_IN}
    exec(compile(module, "<zarrange layout>", "exec"), space)  # noqa: S102 - our own nodes, a layout's constants
    return space[name]  # type: ignore[return-value]  # the function just defined
