"""Values of one person and session with their intervals, condition by condition."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ..labels import condition_label, conditions_in_order, measure_label, protocol_label, times_in_order
from ..schema import unknown_word
from ._panels import linear_limits, log_limits
from ._style import BLUE, INK, SOFT, TWO_COLUMNS, new_figure, plain_log_axis, readable, styled, tidy, with_unit
from .paired_pulse import as_ratio

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_RATIOS = ("ratio", "percent", "percent_inhibition", "log_ratio")
_MOST_IN_ROW = 3


@styled
def condition_values(results: pd.DataFrame, measure: str) -> Figure:
    """A measure of one session in each condition (intervals, blocks before and after), with 95 % intervals over trials.

    One panel a channel. Ratios of conditioned to test response are drawn on a logarithmic axis with a line at 1.

    Parameters
    ----------
    results : DataFrame
        Result table of one protocol, person and session.
    measure : str
        Name of the measure.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        For a measure that the table does not hold, or holds without a value.

    Examples
    --------
    >>> table = pd.DataFrame({
    ...     "protocol": "m1/plasticity", "channel": "FDI", "condition": ["pre", "post0", "post10"],
    ...     "measure": "mep_amplitude", "unit": "V", "form": "", "value": [1e-3, 1.4e-3, 1.2e-3],
    ...     "ci_low": [0.8e-3, 1.1e-3, 1e-3], "ci_high": [1.2e-3, 1.8e-3, 1.5e-3]})
    >>> [text.get_text() for text in condition_values(table, "mep_amplitude").axes[0].get_xticklabels()]
    ['pre', 'post0', 'post10']
    """
    if measure not in set(results["measure"]):
        raise ValueError(unknown_word("measure", measure, results["measure"].dropna().unique()))
    rows = results[(results["measure"] == measure) & np.isfinite(pd.to_numeric(results["value"], errors="coerce"))]
    if rows.empty:
        raise ValueError(f"no result of {measure!r} holds a value")
    form = rows["form"].fillna("") if "form" in rows else pd.Series("", index=rows.index)
    ratio = bool(form.isin(_RATIOS).all())
    factor, unit = (1.0, "") if ratio else readable(str(rows["unit"].iloc[0]), rows["value"])
    scaled = {name: as_ratio(rows[name], form) if ratio else factor * rows[name].astype(float)
              for name in ("value", "ci_low", "ci_high") if name in rows}  # fmt: skip
    rows = rows.assign(ci_low=np.nan, ci_high=np.nan).assign(**scaled)
    channels = list(dict.fromkeys(rows["channel"]))
    order = _in_order(rows["condition"].fillna("").astype(str))
    n_columns = min(len(channels), _MOST_IN_ROW)
    n_rows = -(-len(channels) // n_columns)
    width = min(TWO_COLUMNS, n_columns * float(np.clip(0.42 * len(order) + 1.1, 1.9, TWO_COLUMNS)))
    figure = new_figure(width, 2.3 * n_rows)
    title = protocol_label(str(rows["protocol"].iloc[0])) if "protocol" in rows else ""
    for place, channel in enumerate(channels):
        ax = figure.add_subplot(n_rows, n_columns, place + 1)
        _draw(ax, rows[rows["channel"] == channel].set_index("condition"), order, ratio=ratio)
        ax.set_title(" · ".join(part for part in (title, str(channel)) if part))
        if place % n_columns == 0:
            paired = measure.startswith("conditioned_ratio")
            ax.set_ylabel("Conditioned / test response" if paired else with_unit(measure_label(measure), unit))
    return figure


def _in_order(names: pd.Series) -> list[str]:
    """Blocks with the baseline first; else the test condition first, then by interval or intensity."""
    blocks = times_in_order(names)
    before = bool(blocks) and times_in_order(["zz 0", blocks[0]])[0] == blocks[0]
    return blocks if before else conditions_in_order(names)


def _draw(ax: Axes, rows: pd.DataFrame, order: list[str], *, ratio: bool) -> None:
    """One channel: a dot a condition with its interval; ratios whose interval leaves 1 out in colour."""
    here = [name for name in order if name in rows.index]
    own = rows[~rows.index.duplicated()].loc[here]
    x = np.arange(len(here), dtype=float)
    value, low, high = (own[name].to_numpy(float) for name in ("value", "ci_low", "ci_high"))
    low, high = np.fmin(low, high), np.fmax(low, high)
    known = np.isfinite(low) & np.isfinite(high)
    ax.vlines(x[known], low[known], high[known], color=INK, lw=1.2, zorder=3)
    ax.plot(x, value, "o", color=BLUE, ms=5, mec="white", mew=0.7, zorder=4)
    drawn = np.concatenate([value, low, high])
    if ratio:
        limits = log_limits(drawn[drawn > 0.02 * np.nanmin(np.abs(value))], include=1.0)
        ax.set_yscale("log")
        ax.axhline(1, color=SOFT, lw=0.8, ls=(0, (4, 3)), zorder=1)
        plain_log_axis(ax.yaxis, *limits)
    else:
        limits = linear_limits(drawn)
    ax.set_ylim(*limits)
    labels = [condition_label(name) or name for name in here]
    slanted = sum(map(len, labels)) > 34 or len(labels) > 8
    ax.set_xticks(x, labels, rotation=40 if slanted else 0, ha="right" if slanted else "center")
    ax.set_xlim(-0.6, len(here) - 0.4)
    tidy(ax)
