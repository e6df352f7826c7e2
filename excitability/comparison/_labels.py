"""Labels of a table as text, and how a few of them are told."""

from __future__ import annotations

import re
from collections.abc import Iterable

import pandas as pd

from ..labels import CONTROL as CONTROL


def as_text(column: pd.Series) -> pd.Series:
    """Labels as text; a missing one is the empty text. Whole numbers read as floats lose their '.0'."""
    if column.dtype.kind == "f" and (column.dropna() % 1 == 0).all():
        column = column.astype("Int64")
    return column.astype("string").str.strip().fillna("").replace("n/a", "").astype(object)


def alike(labels: Iterable[str], others: Iterable[str]) -> tuple[str, str] | None:
    """Two labels of participants that differ in leading zeros or a ``sub-`` only: one person under two names.

    >>> alike(["01", "02"], ["1"]), alike(["01", "02"], ["01", "12"])
    (('01', '1'), None)
    """
    known: dict[str, str] = {}
    for label in labels:
        known.setdefault(_plain(label), label)
    for label in others:
        if known.get(_plain(label), label) != label:
            return known[_plain(label)], label
    return None


def _plain(label: str) -> str:
    return re.sub(r"(?<![\d.])0+(?=\d)", "", label.removeprefix("sub-"))


def some(labels: Iterable, limit: int = 5) -> str:
    """The first of the labels, and how many more there are.

    >>> some(["01", "02", "03"], limit=2)
    '01, 02 and 1 more'
    """
    words = [str(label) for label in labels]
    return ", ".join(words[:limit]) + (f" and {len(words) - limit} more" if len(words) > limit else "")
