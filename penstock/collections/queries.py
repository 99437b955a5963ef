"""``query``: an expression in text, parsed as Python and built from known operations only."""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path
from typing import Any

from penstock.errors import (
    QueryNameError,
    QuerySyntaxError,
    UnsupportedError,
    column_not_found,
)

_BINARY = {
    ast.Add: "add", ast.Sub: "sub", ast.Mult: "mul", ast.Div: "truediv",
    ast.FloorDiv: "floordiv", ast.Mod: "mod", ast.Pow: "pow",
    ast.BitAnd: "and", ast.BitOr: "or", ast.BitXor: "xor",
}  # fmt: skip
_COMPARE = {
    ast.Eq: "eq", ast.NotEq: "ne", ast.Lt: "lt", ast.LtE: "le", ast.Gt: "gt", ast.GtE: "ge",
}  # fmt: skip
_PACKAGE = str(Path(__file__).resolve().parent.parent)
# Texts come first: what stands in them is no name.
_TOKEN = re.compile(
    r"""(?P<text>'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*")|`(?P<quoted>[^`]+)`|@(?P<local>[A-Za-z_]\w*)"""
)


def query_mask(frame: Any, text: str, variables: dict[str, Any] | None) -> Any:
    """Return the boolean Series that `text` describes over the columns of `frame`.

    Nothing of the text is executed: only names, literals, arithmetic,
    comparisons, logic and ``in`` are understood.

    Raises
    ------
    UnsupportedError
        For any other construct.
    QueryNameError
        For a name that is no column, level or local variable.
    QuerySyntaxError
        For text that is no expression.
    """
    tree, quoted = _parsed(text)
    known = _caller_variables() if variables is None else variables
    mask = _Builder(frame, text, quoted, known).build(tree.body)
    if not hasattr(mask, "_elementwise"):
        raise UnsupportedError(f"query {text!r} is no condition on rows: it names no column")
    return mask


def names_in(text: str) -> list[str]:
    """Return the names of columns that a query speaks of, each once.

    Raises
    ------
    QuerySyntaxError
        For text that is no expression.

    Examples
    --------
    >>> names_in("fare > 0 and `tip amount` > fare")
    ['fare', 'tip amount']
    """
    tree, quoted = _parsed(text)
    names = (node.id for node in ast.walk(tree) if isinstance(node, ast.Name))
    return list(dict.fromkeys(quoted.get(one, one) for one in names if one[:8] != "__local_"))


def _parsed(text: str) -> tuple[ast.Expression, dict[str, str]]:
    """Return the tree of `text` and what the names in it stand for that were in backquotes."""
    quoted: dict[str, str] = {}

    def hide(match: re.Match[str]) -> str:
        if match["text"] is not None:
            return match["text"]
        if match["local"] is not None:
            return f"__local_{match['local']}"
        name = f"__quoted_{len(quoted)}__"
        quoted[name] = match["quoted"]
        return name

    try:
        return ast.parse(_TOKEN.sub(hide, text).strip(), mode="eval"), quoted
    except SyntaxError as error:
        raise QuerySyntaxError(f"query {text!r} cannot be parsed: {error.msg}") from error


def _caller_variables() -> dict[str, Any]:
    frame = sys._getframe(2)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_PACKAGE):
        frame = frame.f_back
    return {**frame.f_globals, **frame.f_locals}


class _Builder:
    def __init__(
        self, frame: Any, text: str, quoted: dict[str, str], variables: dict[str, Any]
    ) -> None:
        self.frame = frame
        self.text = text
        self.quoted = quoted
        self.variables = variables

    def build(self, node: ast.AST) -> Any:
        if isinstance(node, ast.Constant):
            return node.value
        if isinstance(node, ast.Name):
            return self._name(node.id)
        if isinstance(node, ast.List | ast.Tuple):
            return [self.build(item) for item in node.elts]
        if isinstance(node, ast.BinOp) and type(node.op) in _BINARY:
            return _apply(_BINARY[type(node.op)], self.build(node.left), self.build(node.right))
        if isinstance(node, ast.UnaryOp):
            return self._unary(node)
        if isinstance(node, ast.BoolOp):
            op = "and" if isinstance(node.op, ast.And) else "or"
            values = [self.build(value) for value in node.values]
            result = values[0]
            for value in values[1:]:
                result = _apply(op, result, value)
            return result
        if isinstance(node, ast.Compare):
            return self._compare(node)
        raise UnsupportedError(
            f"query {self.text!r}: {type(node).__name__} is not understood; build the mask from "
            "columns instead"
        )

    def _name(self, name: str) -> Any:
        if name.startswith("__local_"):
            wanted = name[len("__local_") :]
            if wanted not in self.variables:
                raise QueryNameError(f"query {self.text!r}: no local variable {wanted!r}")
            return self.variables[wanted]
        label = self.quoted.get(name, name)
        if label in self.frame.columns:
            return self.frame[label]
        if label == "index" or label in self.frame.plan.schema.index_names:
            return self.frame.index
        missing = column_not_found(label, self.frame.columns)
        raise QueryNameError(f"query {self.text!r}: {missing}")

    def _unary(self, node: ast.UnaryOp) -> Any:
        value = self.build(node.operand)
        if isinstance(node.op, ast.Not | ast.Invert):
            return ~value
        return -value if isinstance(node.op, ast.USub) else value

    def _compare(self, node: ast.Compare) -> Any:
        result: Any = None
        left = self.build(node.left)
        for op, right_node in zip(node.ops, node.comparators, strict=True):
            right = self.build(right_node)
            if isinstance(op, ast.In | ast.NotIn):
                part = left.isin(right)
                part = ~part if isinstance(op, ast.NotIn) else part
            elif isinstance(right, list):
                part = left.isin(right) if isinstance(op, ast.Eq) else ~left.isin(right)
            else:
                part = _apply(_COMPARE[type(op)], left, right)
            result = part if result is None else result & part
            left = right
        return result


_SWAPPED = {"lt": "gt", "le": "ge", "gt": "lt", "ge": "le", "eq": "eq", "ne": "ne"}


def _apply(op: str, left: Any, right: Any) -> Any:
    if hasattr(left, "_elementwise"):
        return left._elementwise(op, right)
    if hasattr(right, "_elementwise"):
        if op in _SWAPPED:
            return right._elementwise(_SWAPPED[op], left)
        return right._elementwise(op, left, reverse=True)
    import operator

    functions = {"and": "and_", "or": "or_"}
    return getattr(operator, functions.get(op, op))(left, right)
