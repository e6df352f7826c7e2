"""Recruitment curves of a study: each person's fitted curve and the mean curve at each time point."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ..labels import time_column, times_in_order
from ._panels import centre
from ._style import (
    BLUE,
    PALETTE,
    SOFT,
    TWO_COLUMNS,
    group_colours,
    key,
    line_handle,
    new_figure,
    readable,
    styled,
    tidy,
)
from .recruitment_curve import boltzmann

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_FIT = ["s50", "recruitment_threshold", "mep_max"]


@styled
def recruitment_group(results: pd.DataFrame, *, times: Sequence[str] | None = None, by: str | None = "group") -> Figure:
    """Fitted recruitment curves across time points, one panel a channel and group.

    The curves are rebuilt from the results ``s50``, ``recruitment_threshold`` (S50 − 2k) and ``mep_max``. Thin
    lines are people at the first time point; bold lines are the mean over people at each intensity. The band is
    the 95 % interval of that mean without the differences between people (Cousineau 2005; Morey 2008), so that
    bands that part mean a change within people.

    Parameters
    ----------
    results : DataFrame
        Result table.
    times : sequence of str, optional
        Time points to show, in this order.
    by : str | None
        Column of the groups.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        Where no session has all three measures.

    Examples
    --------
    >>> rng = np.random.default_rng(2)
    >>> rows = [
    ...     {"participant": f"{i:02d}", "timepoint": time, "protocol": "m1/recruitment_curve", "channel": "FDI",
    ...      "condition": "all", "measure": name, "value": value}
    ...     for i in range(5) for time, gain in (("pre", 1.0), ("post0", 1.3))
    ...     for name, value in (("s50", 60 + i), ("recruitment_threshold", 50.0 + i), ("mep_max", gain * 2e-3))
    ... ]
    >>> len(recruitment_group(pd.DataFrame(rows)).axes)
    1
    """
    fits = _fits(results, by)
    order = [name for name in (times or times_in_order(fits["_time"])) if (fits["_time"] == name).any()]
    groups, channels = list(group_colours(fits["_group"])), list(dict.fromkeys(fits["channel"]))
    colours = dict(zip(order, ["#555555", BLUE, *PALETTE], strict=False))
    cells = [(channel, group) for channel in channels for group in groups]
    n_columns = min(len(cells), 2 if len(groups) == 2 else 3)
    n_rows = -(-len(cells) // n_columns)
    figure = new_figure(min(TWO_COLUMNS, 3.3 * n_columns + 0.2), 2.3 * n_rows + 0.4)
    reach = (fits["s50"] - fits["recruitment_threshold"]) / 2
    span = np.nanpercentile(np.r_[fits["s50"] - 3 * reach, fits["s50"] + 3 * reach], [5, 95])
    grid = np.linspace(max(span[0], 0), min(span[1], 100), 160)
    heights: dict[str, float] = {}
    panels = []
    for place, (channel, group) in enumerate(cells):
        ax = figure.add_subplot(n_rows, n_columns, place + 1)
        alike = fits[fits["channel"] == channel]
        own = alike[alike["_group"] == group]
        factor, unit = readable("V", alike["mep_max"])
        tallest = _draw(ax, own, grid, factor, colours)
        heights[channel] = max(heights.get(channel, 0.0), tallest)
        count = own["participant"].nunique()
        ax.set_title(" · ".join(part for part in (channel, group) if part) + f"  (n = {count})")
        ax.set_ylabel(f"MEP amplitude ({unit})")
        if place + n_columns >= len(cells):
            ax.set_xlabel("Stimulus intensity (%MSO)")
        ax.set_xlim(grid[0], grid[-1])
        tidy(ax)
        panels.append((channel, ax))
    for channel, ax in panels:
        ax.set_ylim(0, 1.06 * heights[channel])
    banded = any(ax.collections for _, ax in panels)
    handles = [
        line_handle(f"{name}, mean{' and band' * banded}", color=colour, lw=2) for name, colour in colours.items()
    ]
    key(figure, [*handles, line_handle(f"one person, {order[0]}", color=SOFT, lw=0.6, alpha=0.6)], columns=4)
    return figure


def _fits(results: pd.DataFrame, by: str | None) -> pd.DataFrame:
    """One row a session and channel with the three parameters of its curve."""
    rows = results[results["measure"].isin(_FIT)].copy()
    rows["_time"] = rows[time_column(results)].astype(str)
    rows["_group"] = rows[by].fillna("").astype(str) if by and by in rows else ""
    index = ["participant", "_time", "_group", "protocol", "channel"]
    wide = rows.pivot_table(index=index, columns="measure", values="value", aggfunc="first", sort=False)
    wide = wide.reindex(columns=_FIT).dropna().reset_index()
    wide = wide[wide["s50"] > wide["recruitment_threshold"]]
    if wide.empty:
        raise ValueError(f"no session has a fitted curve: the results need {', '.join(_FIT)} of the same channel")
    return wide


def _draw(ax: Axes, fits: pd.DataFrame, grid: np.ndarray, factor: float, colours: dict[str, str]) -> float:
    """Curves of one channel and group; returns the height of the highest."""
    curves = {
        str(time): pd.DataFrame(
            [
                boltzmann(grid, s50, (s50 - threshold) / 2, top)
                for s50, threshold, top in zip(*(own[name] for name in _FIT), strict=True)
            ],
            index=own["participant"],
        )
        * factor
        for time, own in fits.groupby("_time")
    }
    tallest = 0.0
    for number, (time, colour) in enumerate(colours.items()):
        if time not in curves:
            continue
        if number == 0:
            ax.plot(grid, curves[time].T, color=SOFT, lw=0.5, alpha=0.4, zorder=1)
            tallest = float(curves[time].to_numpy().max())
        middle = np.array([centre(column, log=False) for column in within_person(curves, time).T])
        if np.isfinite(middle[:, 1]).any():
            ax.fill_between(grid, np.maximum(middle[:, 1], 0), middle[:, 2], color=colour, alpha=0.2, lw=0, zorder=2)
            tallest = max(tallest, float(np.nanmax(middle[:, 2])))
        ax.plot(grid, middle[:, 0], color=colour, lw=1.8, zorder=3 + number)
        tallest = max(tallest, float(middle[:, 0].max()))
    return tallest


def within_person(curves: Mapping[str, pd.DataFrame], time: str) -> np.ndarray:
    """Curves of one time point without the differences between people (Cousineau 2005; Morey 2008).

    People recorded at all time points keep their own changes but share one mean curve; with one time point, or
    fewer than two such people, the curves are returned as they are.

    Parameters
    ----------
    curves : mapping of DataFrame
        For each time point one row a person, one column an intensity.
    time : str
        Time point to return.

    Examples
    --------
    >>> pre = pd.DataFrame([[1.0], [3.0]], index=["01", "02"])
    >>> within_person({"pre": pre, "post": pre + 1}, "post").ravel().tolist()
    [3.0, 3.0]
    """
    people = sorted(set.intersection(*(set(table.index) for table in curves.values())))
    if len(curves) < 2 or len(people) < 2:
        return curves[time].to_numpy()
    held = np.array([table.loc[people].to_numpy() for table in curves.values()])
    own = curves[time].loc[people].to_numpy()
    shift = own - held.mean(axis=0)  # each person's change from their own mean curve
    typical = shift.mean(axis=0)
    spread = (len(curves) / (len(curves) - 1)) ** 0.5
    return held.mean(axis=(0, 1)) + typical + spread * (shift - typical)
