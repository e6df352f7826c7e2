"""Any measure across time points, person by person."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ..labels import measure_label, time_column, times_in_order
from ..schema import unknown_word
from ._panels import Lanes, Panel, as_lanes, draw_lanes, drawn_values, linear_limits, log_limits, panel_grid, rows_of
from ._style import group_colours, plain_log_axis, readable, styled, with_unit

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@styled
def individual_lines(
    results: pd.DataFrame,
    measure: str | Sequence[str],
    *,
    times: Sequence[str] | None = None,
    by: str | None = "group",
    log: bool | Iterable[str] = False,
) -> Figure:
    """A measure of each person across time points, with the mean of each group.

    One panel a protocol, condition and channel. Thin lines are people; bold is the mean with its 95 % interval
    (Student's t, between people), both geometric where ``log`` is true.

    Parameters
    ----------
    results : DataFrame
        Result table in SI units; shown in mV, µV, ms …
    measure : str or sequence of str
        Name of the measure, or of several, beside each other.
    times : sequence of str, optional
        Time points to show, in this order; all of them if not given.
    by : str | None
        Column of the groups.
    log : bool or iterable of str
        Logarithmic axis, for amplitudes and ratios: for all measures or for those named.

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
    ...     "participant": ["01", "01", "02", "02"], "session": ["pre", "post", "pre", "post"],
    ...     "protocol": "m1/cortical_silent_period", "channel": "FDI", "condition": "all",
    ...     "measure": "silent_period", "unit": "s", "value": [0.151, 0.162, 0.120, 0.135]})
    >>> figure = individual_lines(table, "silent_period")
    >>> figure.axes[0].get_ylabel()
    'Silent period (ms)'
    """
    measures = [measure] if isinstance(measure, str) else list(measure)
    for name in measures:
        if name not in set(results["measure"]):
            raise ValueError(unknown_word("measure", name, results["measure"].dropna().unique()))
    on_log = set(measures if log is True else log or ())
    time = time_column(results)
    rows = as_lanes(results[results["measure"].isin(measures)], time, by)
    order = list(times) if times is not None else times_in_order(rows["_time"])
    rows = rows[rows["_time"].isin(order) & ((rows["value"] > 0) | ~rows["measure"].isin(on_log))]
    rows = rows.iloc[np.argsort(rows["measure"].map(measures.index).to_numpy(), kind="stable")]
    if rows.empty:
        raise ValueError(f"no result of {' or '.join(map(repr, measures))} holds a value at the time points {order}")
    lanes = Lanes(tuple(t for t in order if (rows["_time"] == t).any()), group_colours(rows["_group"]))
    figure, panels = panel_grid(rows, lanes)
    for panel in panels:
        alone = rows["measure"].nunique() == 1  # else the title says the measure
        _draw(panel, rows[rows["measure"] == panel.measure], log=panel.measure in on_log, named=alone)
    return figure


def _draw(panel: Panel, alike: pd.DataFrame, *, log: bool, named: bool) -> None:
    """One panel; ``alike`` holds all results of its measure, for the limits of the axis."""
    own = rows_of(panel, alike)
    if not _comparable(alike):
        alike = alike[alike["channel"] == panel.channel]
    factor, unit = readable(str(own["unit"].iloc[0]) if "unit" in own else "", alike["value"])
    draw_lanes(panel.ax, own.assign(value=own["value"] * factor), panel.lanes, log=log)
    values = drawn_values(alike, log=log) * factor
    limits = log_limits(values) if log else linear_limits(values)
    if log:
        panel.ax.set_yscale("log")
        plain_log_axis(panel.ax.yaxis, *limits)
    panel.ax.set_ylim(*limits)
    panel.ax.set_ylabel(with_unit(measure_label(panel.measure), unit) if named else unit)


def _comparable(rows: pd.DataFrame) -> bool:
    """Whether the channels can stand on one axis: same unit as shown, and sizes within a factor of three."""
    sizes = rows["value"].abs().groupby(rows["channel"]).max()
    units = {
        readable(str(own["unit"].iloc[0]) if "unit" in own else "", own["value"])[1]
        for _, own in rows.groupby("channel")
    }
    return len(units) == 1 and bool(sizes.max() < 3 * sizes.min())
