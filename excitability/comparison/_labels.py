"""Labels of a table as text, and how a few of them are told."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from ..labels import CONTROL as CONTROL


def as_text(column: pd.Series) -> pd.Series:
    """Labels as text; a missing one is the empty text. Whole numbers read as floats lose their '.0'."""
    if column.dtype.kind == "f" and (column.dropna() % 1 == 0).all():
        column = column.astype("Int64")
    return column.astype("string").fillna("").replace("n/a", "").astype(object)


def some(labels: Iterable, limit: int = 5) -> str:
    """The first of the labels, and how many more there are.

    >>> some(["01", "02", "03"], limit=2)
    '01, 02 and 1 more'
    """
    words = [str(label) for label in labels]
    return ", ".join(words[:limit]) + (f" and {len(words) - limit} more" if len(words) > limit else "")
