"""Paired-pulse ratios before and after, person by person."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ..labels import time_column, times_in_order
from ._panels import Lanes, as_lanes, draw_lanes, drawn_values, log_limits, panel_grid, rows_of
from ._style import SMALL, SOFT, arrange, group_colours, plain_log_axis, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_WORDS = 0.72  # inches beside the panels for the words at 1


def as_ratio(values: pd.Series, form: pd.Series) -> pd.Series:
    """Paired-pulse results of any form as conditioned / test.

    >>> as_ratio(pd.Series([60.0, 0.6]), pd.Series(["percent_inhibition", "ratio"])).tolist()
    [0.4, 0.6]
    """
    numbers = pd.to_numeric(values, errors="coerce").astype(float)
    ratio = numbers.where(form != "percent", numbers / 100)
    ratio = ratio.where(form != "percent_inhibition", 1 - numbers / 100)
    return ratio.where(form != "log_ratio", np.exp(numbers.where(form == "log_ratio", 0.0)))


@styled
def paired_pulse(
    results: pd.DataFrame,
    *,
    before: str = "pre",
    after: str | Sequence[str] | None = None,
    by: str | None = "group",
    measure: str = "conditioned_ratio",
) -> Figure:
    """Paired-pulse ratios of each person across time points, with the geometric mean of each group.

    One panel a protocol, condition and channel, on a logarithmic axis with a line at 1 (no effect of the
    conditioning pulse). Thin lines are people; bold is the geometric mean with its 95 % interval (Student's t
    on logarithms, between people).

    Parameters
    ----------
    results : DataFrame
        Result table; rows of ``measure`` in any form are shown as ratios.
    before, after : str, sequence of str
        Time points to show, in this order; all where ``after`` is None.
    by : str | None
        Column of the groups.
    measure : str
        Name of the paired-pulse measure.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        Where no row holds a ratio of the measure at these time points.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> table = pd.DataFrame([
    ...     {"participant": f"{i:02d}", "timepoint": time, "group": "patient", "protocol": "m1/sici",
    ...      "channel": "FDI", "condition": "isi_0.002", "measure": "conditioned_ratio", "form": "ratio",
    ...      "value": rng.lognormal(level, 0.3)}
    ...     for i in range(8) for time, level in (("pre", -0.7), ("post0", -0.3))
    ... ])
    >>> figure = paired_pulse(table, before="pre", after="post0")
    >>> figure.axes[0].get_yscale()
    'log'
    """
    time = time_column(results)
    rows = results[results["measure"] == measure].copy()
    form = rows["form"].fillna("ratio") if "form" in rows else pd.Series("ratio", index=rows.index)
    rows["value"] = as_ratio(rows["value"], form)
    rows = as_lanes(rows, time, by)
    chosen = [after] if isinstance(after, str) else after
    times = [before, *chosen] if chosen is not None else times_in_order(rows["_time"])
    rows = rows[rows["_time"].isin(times)]
    hidden = rows[rows["value"] <= 0]
    rows = rows[rows["value"] > 0]
    if rows.empty:
        raise ValueError(
            f"no result of {measure!r} at the time points {times}; the table holds the measures "
            f"{sorted(results['measure'].unique())} at {times_in_order(results[time])}"
        )
    lanes = Lanes(tuple(t for t in times if (rows["_time"] == t).any()), group_colours(rows["_group"]))
    figure, panels = panel_grid(rows, lanes, margin=_WORDS, shared_axis=True)
    share = 1 - _WORDS / figure.get_figwidth()
    arrange(figure, rect=(0, 0, share, 1))
    limits = log_limits(drawn_values(rows, log=True), include=1.0)
    # room on both sides of 1 for the words beside it
    limits = min(limits[0], 0.6), max(limits[1], 1.6)
    for panel in panels:
        ax = panel.ax
        ax.set_yscale("log")
        ax.axhline(1, color=SOFT, lw=0.8, ls=(0, (4, 3)), zorder=1)
        draw_lanes(ax, rows_of(panel, rows), panel.lanes, log=True)
        ax.set_ylim(*limits)
        plain_log_axis(ax.yaxis, *limits)
        if panel.first_in_row:
            ax.set_ylabel("Conditioned / test response")
        else:
            ax.tick_params(axis="y", labelleft=False)
        missing = len(rows_of(panel, hidden))
        if missing:
            ax.text(0.98, 0.02, f"{missing} ratio(s) ≤ 0 not shown", transform=ax.transAxes, ha="right",
                    va="bottom", size=6, color=SOFT)  # fmt: skip
    for panel in _last_in_rows(panels):
        for text, shift, align in (("facilitation ↑", 3, "bottom"), ("inhibition ↓", -3, "top")):
            beside = panel.ax.annotate(
                text, (1, 1), (3, shift), xycoords=("axes fraction", "data"), size=SMALL,
                textcoords="offset points", ha="left", va=align, color=SOFT, annotation_clip=False,
            )  # fmt: skip
            beside.set_in_layout(False)
    return figure


def _last_in_rows(panels: list) -> list:
    following = [*panels[1:], None]
    return [panel for panel, after in zip(panels, following, strict=True) if after is None or after.first_in_row]
