"""Rows of the comparison table."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from ..schema import COMPARISON_COLUMNS
from ._effects import NONE, Effect
from .estimation import Contrast
from .sentences import FEWEST, Words, percent, sentence

#: Form of the rows that are not one change: what they hold cannot be read as one.
_FORMS = {"trend": "trend", "period": "period", "omnibus": "omnibus"}

#: Text that is filled in when the table is whole.
_LATER = {"family": "", "adjustment": "", "literature": ""}


def words_of(info: Mapping[str, str], **rest: Any) -> Words:
    """What a sentence about a series is made of, from the record of the series."""
    own: dict[str, Any] = {name: info[name] for name in ("protocol", "measure", "channel", "condition", "unit")}
    return Words(**own, log=info["scale"] == "log_ratio", **rest)


def as_row(
    words: Words, model: str, flags: str, contrast: Contrast | None = None, effect: Effect = NONE
) -> dict[str, object]:
    """A row of the comparison table; families and literature come in when the table is whole."""
    limits = [words.estimate, words.low, words.high]
    back = [percent(limit) if words.log and words.kind != "mean" else math.nan for limit in limits]
    if words.kind == "mean" and words.log:
        limits = [math.exp(limit) for limit in limits]
    return _LATER | {
        "protocol": words.protocol,
        "measure": words.measure,
        "channel": words.channel,
        "condition": words.condition,
        "group": group_label(words),
        "contrast": words.before if words.kind in ("mean", "level") else f"{words.after} - {words.before}",
        "estimate": limits[0],
        "unit": "1" if words.log and words.kind != "mean" else words.unit,
        "form": _form(words),
        "ci_low": limits[1],
        "ci_high": limits[2],
        "p_value": words.p_value,
        "standard_error": contrast.standard_error if contrast else math.nan,
        "df": contrast.df if contrast else math.nan,
        "n": words.n,
        "model": model,
        "percent_change": back[0],
        "percent_ci_low": back[1],
        "percent_ci_high": back[2],
        "effect_size": effect.value,
        "effect_size_ci_low": effect.low,
        "effect_size_ci_high": effect.high,
        "effect_size_name": effect.name,
        "smallest_detectable_change": words.detectable,
        "smallest_detectable_group_change": words.group_detectable,
        "smallest_detectable_ci_low": words.detectable_interval[0],
        "smallest_detectable_ci_high": words.detectable_interval[1],
        "responders": words.responders,
        "flag": flags,
        "sentence": sentence(words, flags),
    }


def group_label(words: Words) -> str:
    """Who a row is about."""
    if words.kind == "trend":
        return f"per {words.dose}"
    return "second - first" if words.kind == "period" else " - ".join(words.groups)


def _form(words: Words) -> str:
    if words.kind == "mean":
        return "geometric_mean" if words.log else "mean"
    return _FORMS.get(words.kind, "log_ratio" if words.log else "difference")


def size_flag(sizes: list[int], contrast: Contrast, nobody: str = "no_complete_pairs") -> str:
    """What the number of people does to an estimate."""
    if not min(sizes):
        return nobody
    if not math.isfinite(contrast.estimate):
        return "not_estimable"
    if contrast.standard_error == 0:
        return "no_variation"
    if not all(map(math.isfinite, contrast.interval)):
        return "too_few_participants"
    return "few_participants" if min(sizes) < FEWEST else ""


def as_table(rows: list[dict[str, object]]) -> pd.DataFrame:
    """Rows as a comparison table."""
    table = pd.DataFrame(rows, columns=list(COMPARISON_COLUMNS))
    return table.astype({name: "int64" for name, column in COMPARISON_COLUMNS.items() if column.dtype == "int"})
