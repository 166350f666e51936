"""Arithmetic over fields, such as ``weight / (height / 100) ** 2``: parsed, never run as code."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping

import numpy as np

from casemix.errors import MappingError
from casemix.evaluation.statistics import FloatArray

_OPERATORS: dict[type[ast.operator], Callable] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
}
_FILTER_NODES = (
    ast.BoolOp, ast.And, ast.Or, ast.UnaryOp, ast.Not, ast.USub, ast.Compare, ast.cmpop,
    ast.Name, ast.Attribute, ast.Constant, ast.List, ast.Tuple, ast.Load,
)  # fmt: skip


def names_in(expression: str) -> tuple[str, ...]:
    """Return the dotted names of an expression, each once, in order.

    >>> names_in("weight / (tabular.height / 100) ** 2")
    ('weight', 'tabular.height')
    """
    found: list[str] = []

    def visit(node: ast.AST) -> None:
        if isinstance(node, ast.Name | ast.Attribute):
            found.append(ast.unparse(node))
            return
        for child in ast.iter_child_nodes(node):
            visit(child)

    visit(_tree(expression))
    return tuple(dict.fromkeys(found))


def check_filter(expression: str) -> None:
    """Raise unless an expression has the form of a row filter (`casemix.core.expressions`).

    Raises:
        MappingError: it cannot be read, or holds anything but comparisons.
    """
    for node in ast.walk(_tree(expression)):
        if not isinstance(node, _FILTER_NODES):
            raise MappingError(
                "The expression is not a comparison.",
                given=expression,
                next_step="Write comparisons joined by and, or, not: age > 70 and sex == 'F'",
            )


def check_arithmetic(expression: str) -> None:
    """Raise unless an expression is arithmetic over names and numbers.

    Raises:
        MappingError: it cannot be read, or holds anything but + - * / ** and parentheses.
    """
    zeros = {name: np.zeros(0) for name in names_in(expression)}
    compute(expression, zeros)


def compute(expression: str, columns: Mapping[str, FloatArray]) -> FloatArray:
    """Return the value of an arithmetic expression, (n,); NaN where it is undefined.

    Args:
        expression: names, numbers, + - * / ** and parentheses.
        columns: name -> (n,) values.
    """
    with np.errstate(all="ignore"):
        values = np.asarray(_value(_tree(expression), columns), dtype=np.float64)
    return np.where(np.isfinite(values), values, np.nan)


def _value(node: ast.expr, columns: Mapping[str, FloatArray]) -> FloatArray | float:
    if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
        left, right = _value(node.left, columns), _value(node.right, columns)
        combined: FloatArray = _OPERATORS[type(node.op)](np.asarray(left), np.asarray(right))
        return combined
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return -_value(node.operand, columns)
    if isinstance(node, ast.Name | ast.Attribute):
        return columns[ast.unparse(node)]
    if isinstance(node, ast.Constant) and type(node.value) in (int, float):
        return float(node.value)  # type: ignore[arg-type]
    raise MappingError(
        "The formula holds something that is not arithmetic.",
        given=ast.unparse(node),
        allowed="names, numbers, + - * / ** and parentheses",
    )


def _tree(expression: str) -> ast.expr:
    try:
        return ast.parse(expression, mode="eval").body
    except (SyntaxError, ValueError) as error:
        raise MappingError("The expression cannot be read.", given=expression) from error
