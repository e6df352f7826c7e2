"""Queries over table columns: parsed, their names checked, then evaluated without ever running code.

The grammar is that of a comparison in Python: ``"pulse_count == 2 and 0.001 <= inter_stimulus_interval <= 0.006"``.
A comparison with a missing value is false, whatever the operator: what is unknown satisfies no condition.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable
from operator import eq, ge, gt, le, lt, ne
from typing import TYPE_CHECKING, Any

import numpy as np

from .schema import unknown_word

if TYPE_CHECKING:
    import pandas as pd

_COMPARE = {ast.Eq: eq, ast.NotEq: ne, ast.Lt: lt, ast.LtE: le, ast.Gt: gt, ast.GtE: ge}


def parse(text: str, known: Iterable[str]) -> ast.expr:
    """Parse a query and check every name in it.

    Parameters
    ----------
    text : str
        The query.
    known : iterable of str
        Column names that may appear.

    Raises
    ------
    ValueError
        When the text is no comparison of known columns with constants.

    Examples
    --------
    >>> parse("__import__('os').system('ls')", ["intensity"])
    Traceback (most recent call last):
    ...
    ValueError: query "__import__('os').system('ls')" may only compare columns with constants, not use Call
    """
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise ValueError(f"query {text!r} is not a comparison such as 'pulse_count == 1'") from error
    _check(tree, text, set(known))
    return tree


def _check(node: ast.AST, text: str, known: set[str]) -> None:
    """Conditions are comparisons joined by and, or, not; each compares at least one column."""
    match node:
        case ast.BoolOp():
            for value in node.values:
                _check(value, text, known)
        case ast.UnaryOp(op=ast.Not()):
            _check(node.operand, text, known)
        case ast.Compare():
            for operator in node.ops:
                if type(operator) not in _COMPARE:
                    raise ValueError(f"query {text!r} may use == != < <= > >=, not {type(operator).__name__}")
            operands = (node.left, *node.comparators)
            for operand in operands:
                _check_operand(operand, text, known)
            if not any(isinstance(operand, ast.Name) for operand in operands):
                raise ValueError(f"query {text!r} compares constants only; name a column: {', '.join(sorted(known))}")
        case _:
            _check_operand(node, text, known)
            raise ValueError(f"query {text!r} is not a comparison such as 'pulse_count == 1'")


def _check_operand(node: ast.AST, text: str, known: set[str]) -> None:
    match node:
        case ast.Name():
            if node.id not in known:
                raise ValueError(f"query {text!r}: " + unknown_word("column", node.id, known))
        case ast.Constant(value=str()):
            return
        case ast.Constant(value=int() | float() as number) if abs(number) < 1e300:
            return
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float())):
            return
        case ast.Constant():
            raise ValueError(f"query {text!r} compares with {str(node.value)[:30]}; use a number or a 'word'")
        case _:
            raise ValueError(f"query {text!r} may only compare columns with constants, not use {type(node).__name__}")


def names(text: str) -> set[str]:
    """Names of the columns that a query uses."""
    return {node.id for node in ast.walk(ast.parse(text.strip(), mode="eval")) if isinstance(node, ast.Name)}


def evaluate(text: str, table: pd.DataFrame, known: Iterable[str] = ()) -> np.ndarray:
    """Rows of ``table`` for which the query holds.

    Parameters
    ----------
    text : str
        The query.
    table : DataFrame
    known : iterable of str
        Columns that may be named though the table lacks them: they are missing values then.

    Returns
    -------
    ndarray of bool, shape (n_rows,)

    Examples
    --------
    >>> import pandas as pd
    >>> evaluate("intensity > 50", pd.DataFrame({"intensity": [40.0, 60.0, float("nan")]}))
    array([False,  True, False])
    """
    tree = parse(text, {*map(str, table.columns), *known})
    return np.broadcast_to(_rows(tree, table), (len(table),)).copy()


def _operand(node: ast.expr, table: pd.DataFrame) -> Any:
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.UnaryOp):
        value = _operand(node.operand, table)
        return -value
    assert isinstance(node, ast.Name)
    if node.id not in table:
        return np.full(len(table), np.nan)
    column = table[node.id]
    return column.to_numpy(dtype=float) if column.dtype.kind in "biuf" else column.to_numpy(dtype=object)


def _missing(value: Any) -> Any:
    if isinstance(value, np.ndarray) and value.dtype == object:
        return np.array([item is None or item != item for item in value], dtype=bool)
    if isinstance(value, str):
        return False
    return np.isnan(np.asarray(value, dtype=float))


def _compare(operator: ast.cmpop, left: Any, right: Any, n_rows: int) -> np.ndarray:
    missing = np.broadcast_to(_missing(left) | _missing(right), (n_rows,))
    function = _COMPARE[type(operator)]
    if not any(isinstance(side, str) or getattr(side, "dtype", None) == np.dtype(object) for side in (left, right)):
        return np.broadcast_to(function(left, right), (n_rows,)) & ~missing
    left, right = np.broadcast_to(left, (n_rows,)).tolist(), np.broadcast_to(right, (n_rows,)).tolist()
    result = np.zeros(n_rows, dtype=bool)
    for row in np.flatnonzero(~missing).tolist():
        a, b = left[row], right[row]
        # text against a number is never equal and has no order
        same = isinstance(a, str) == isinstance(b, str)
        result[row] = function(a, b) if same else isinstance(operator, ast.NotEq)
    return result


def _rows(node: ast.expr, table: pd.DataFrame) -> np.ndarray:
    if isinstance(node, ast.BoolOp):
        parts = [_rows(value, table) for value in node.values]
        return np.logical_and.reduce(parts) if isinstance(node.op, ast.And) else np.logical_or.reduce(parts)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        return ~_rows(node.operand, table)
    if not isinstance(node, ast.Compare):
        raise ValueError("a query combines comparisons with and, or, not")
    result = np.ones(len(table), dtype=bool)
    left = node.left
    for operator, right in zip(node.ops, node.comparators, strict=True):
        result &= _compare(operator, _operand(left, table), _operand(right, table), len(table))
        left = right
    return result
