"""Row filters such as ``age > 70 and sex == 'F'``: parsed, checked and never evaluated as code."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from casemix.core.fields import Kind, Schema
from casemix.errors import ConditionError, did_you_mean

_COMPARE: dict[type[ast.cmpop], Callable] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
_HELP = "Write comparisons joined by and, or, not: age > 70 and sex == 'F' and group in ['a', 'b']"


def evaluate(expression: str, rows: pd.DataFrame, schema: Schema) -> np.ndarray:
    """Return for each row whether the expression holds, bool of shape (n,).

    Comparisons with an unspecified cell are false, and so is their negation's inside.

    Raises:
        ConditionError: a syntax error, an unknown field, or anything but comparisons.
    """
    return _truth(parse(expression, schema), rows, schema)


def parse(expression: str, schema: Schema) -> ast.expr:
    """Return the checked syntax tree of an expression over a schema's fields."""
    try:
        tree = ast.parse(expression, mode="eval").body
    except (SyntaxError, ValueError) as error:
        raise ConditionError(
            "The expression cannot be read.", given=expression, next_step=_HELP
        ) from error
    _truth(tree, schema.empty(pd.Index([])), schema)  # an empty frame checks names and form
    return tree


def fixed_cells(expression: str, schema: Schema) -> dict[str, Any]:
    """Return the cells that an expression fixes outright: its top-level ``field == value``.

    >>> from casemix.core.fields import Field
    >>> s = Schema((Field("age", "numeric"), Field("sex", "binary", levels=("F", "M"))))
    >>> fixed_cells("sex == 'F' and age > 70", s)
    {'sex': 'F'}
    """
    tree = parse(expression, schema)
    whole_and = isinstance(tree, ast.BoolOp) and isinstance(tree.op, ast.And)
    parts = tree.values if whole_and else [tree]  # type: ignore[attr-defined]
    fixed: dict[str, Any] = {}
    for part in parts:
        if isinstance(part, ast.Compare) and len(part.ops) == 1 and isinstance(part.ops[0], ast.Eq):
            sides = (part.left, part.comparators[0])
            left, right = reversed(sides) if isinstance(sides[0], ast.Constant) else sides
            fixed[_field(left, schema)] = _constant(right)
    return fixed


def names(expression: str, schema: Schema) -> tuple[str, ...]:
    """Return the fields of the schema that an expression reads, sorted.

    >>> from casemix.core.fields import Field
    >>> names("age > 70", Schema((Field("age", "numeric"), Field("bmi", "numeric"))))
    ('age',)
    """
    parts = ast.walk(parse(expression, schema))
    found = {ast.unparse(part) for part in parts if isinstance(part, ast.Name | ast.Attribute)}
    return tuple(sorted(found & set(schema.names)))


def _truth(node: ast.expr, rows: pd.DataFrame, schema: Schema) -> np.ndarray:
    if isinstance(node, ast.BoolOp):
        parts = [_truth(value, rows, schema) for value in node.values]
        return (
            np.logical_and.reduce(parts)
            if isinstance(node.op, ast.And)
            else np.logical_or.reduce(parts)
        )
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        return ~_truth(node.operand, rows, schema)
    if isinstance(node, ast.Compare):
        return _comparison(node, rows, schema)
    raise ConditionError(
        "The expression is not a comparison.", given=ast.unparse(node), next_step=_HELP
    )


def _comparison(node: ast.Compare, rows: pd.DataFrame, schema: Schema) -> np.ndarray:
    if len(node.ops) != 1:  # 60 < age < 70
        chain = [node.left, *node.comparators]
        pairs = zip(chain[:-1], node.ops, chain[1:], strict=True)
        return np.logical_and.reduce([_single(a, op, b, rows, schema) for a, op, b in pairs])
    return _single(node.left, node.ops[0], node.comparators[0], rows, schema)


def _single(
    left: ast.expr, op: ast.cmpop, right: ast.expr, rows: pd.DataFrame, schema: Schema
) -> np.ndarray:
    if isinstance(left, ast.Constant) and isinstance(op, ast.In | ast.NotIn):
        return _contains(left, op, right, rows, schema)
    if isinstance(left, ast.Constant):  # 70 < age
        swapped = {ast.Lt: ast.Gt, ast.LtE: ast.GtE, ast.Gt: ast.Lt, ast.GtE: ast.LtE}
        left, right, op = right, left, swapped.get(type(op), type(op))()
    name, value = _field(left, schema), _constant(right)
    column = rows[name]
    if isinstance(op, ast.In | ast.NotIn):
        allowed = value if isinstance(value, list | tuple) else [value]
        _check_values(name, list(allowed), schema)
        inside = column.isin(list(allowed)).to_numpy(dtype=bool)
        return inside if isinstance(op, ast.In) else ~inside & column.notna().to_numpy()
    _check_values(name, [value], schema)
    return _compared(column, op, value, schema[name].levels)


def _contains(
    code: ast.Constant, op: ast.cmpop, field: ast.expr, rows: pd.DataFrame, schema: Schema
) -> np.ndarray:
    """Return where ``'I21' in diagnoses`` holds."""
    name = _field(field, schema)
    if schema[name].kind is not Kind.CODES:
        raise ConditionError(f"'{name}' is not a list of codes.", next_step=_HELP)
    known = rows[name].notna().to_numpy(dtype=bool)
    inside = np.array([v is not None and str(code.value) in v for v in rows[name]], dtype=bool)
    return known & (inside if isinstance(op, ast.In) else ~inside)


def _compared(
    column: pd.Series, op: ast.cmpop, value: object, levels: tuple[str, ...]
) -> np.ndarray:
    compare = _COMPARE.get(type(op))
    if compare is None:
        raise ConditionError("This comparison is not supported.", next_step=_HELP)
    known = column.notna().to_numpy(dtype=bool)
    if levels:  # ordinal comparison follows the order of the levels
        rank = {level: i for i, level in enumerate(levels)}
        ranks = column.map(rank).to_numpy(dtype="float64", na_value=np.nan)
        return known & compare(ranks, float(rank[str(value)]))
    return known & compare(column.to_numpy(dtype="float64"), value)


def _check_values(name: str, values: list[object], schema: Schema) -> None:
    f = schema[name]
    if f.kind is Kind.CODES:
        raise ConditionError(
            f"'{name}' is a list of codes.", next_step=f"Write 'CODE' in {name} or not in {name}."
        )
    for value in values:
        numeric = isinstance(value, int | float) and not isinstance(value, bool)
        if f.kind is Kind.NUMERIC and not numeric:
            raise ConditionError(f"'{name}' is numeric.", given=repr(value), next_step=_HELP)
        if f.levels and value not in f.levels:
            raise ConditionError(
                f"Unknown level of '{name}'.",
                given=repr(value),
                allowed=f.levels,
                next_step=did_you_mean(str(value), f.levels),
            )


def _field(node: ast.expr, schema: Schema) -> str:
    name = ast.unparse(node) if isinstance(node, ast.Name | ast.Attribute) else ""
    if name not in schema:
        raise ConditionError(
            "The expression compares something that is not a field.",
            given=name or ast.unparse(node),
            allowed=schema.names,
            next_step=did_you_mean(name, schema.names) or _HELP,
        )
    return name


def _constant(node: ast.expr) -> Any:
    try:
        return ast.literal_eval(node)
    except ValueError as error:
        raise ConditionError(
            "The expression compares with something that is not a plain value.",
            given=ast.unparse(node),
            next_step=_HELP,
        ) from error
