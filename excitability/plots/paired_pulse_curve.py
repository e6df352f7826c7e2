"""Conditioned over test response along the interval or the intensity of the conditioning pulse."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ..labels import protocol_label
from ._panels import centre, log_limits
from ._style import (
    INK,
    ONE_COLUMN,
    SOFT,
    group_colours,
    key,
    line_handle,
    new_figure,
    plain_log_axis,
    styled,
    tidy,
)
from .paired_pulse import as_ratio

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Beginning of a condition's name -> what the axis shows, and the factor to its unit.
_AXES = {
    "isi": ("Inter-stimulus interval (ms)", 1e3),
    "n20": ("Interval after N20 (ms)", 1e3),
    "cs": ("Conditioning intensity (%MSO)", 1.0),
}
_LEVEL = re.compile(r"^(isi|n20|cs)_(-?[0-9.]+(?:e-?\d+)?)$")


@styled
def paired_pulse_curve(
    results: pd.DataFrame, *, channel: str | None = None, by: str | None = None, measure: str = "conditioned_ratio"
) -> Figure:
    """Ratios over the inter-stimulus interval or the conditioning intensity.

    One person: each ratio with its 95 % interval over trials. Several: thin lines are people, bold is the geometric
    mean with its 95 % interval (Student's t on logarithms, between people). Open circles are upper limits: most
    conditioned responses were lost in the noise.

    Parameters
    ----------
    results : DataFrame
        Result table of one protocol and time point, with conditions such as ``isi_0.0025`` or ``cs_40``.
    channel : str, optional
        Channel to draw; the only one by default.
    by : str, optional
        Column whose values get a colour each: ``group``, ``timepoint`` or ``session``.
    measure : str
        Name of the ratio.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        Where no row holds a ratio at an interval or intensity, or there are several channels or protocols to choose
        from.

    Examples
    --------
    >>> table = pd.DataFrame([
    ...     {"protocol": "m1/sici_intensity_curve", "channel": "FDI", "condition": f"cs_{level}", "flag": "",
    ...      "measure": "conditioned_ratio", "form": "ratio", "value": ratio, "ci_low": 0.8 * ratio,
    ...      "ci_high": ratio / 0.8}
    ...     for level, ratio in ((30, 0.95), (34, 0.7), (38, 0.4), (42, 0.5))
    ... ])
    >>> paired_pulse_curve(table).axes[0].get_xlabel()
    'Conditioning intensity (%MSO)'
    """
    rows, kind = _rows(results, channel, measure)
    label, factor = _AXES[kind]
    relative = str(rows["protocol"].iloc[0]).rsplit("_", 1)[-1]
    if relative in ("rmt", "amt"):
        label = label.replace("MSO", relative.upper())
    rows["_group"] = rows[by].fillna("").astype(str) if by else ""
    colours = group_colours(rows["_group"])
    figure = new_figure(ONE_COLUMN, 2.7)
    ax = figure.add_subplot()
    several = "participant" in rows and rows["participant"].nunique() > 1
    for group, colour in colours.items():
        draw = _people if several else _person
        draw(ax, rows[rows["_group"] == group].sort_values("_x"), factor, colour if by else INK)
    ax.axhline(1, color=SOFT, lw=0.8, ls=(0, (4, 3)), zorder=1)
    drawn = rows["_ratio"].to_numpy(float)
    if not several:  # an interval that reaches towards 0 is not a reason to press all else into a corner
        drawn = np.r_[drawn, rows["_high"], np.fmax(rows["_low"], 0.3 * drawn)]
    limits = log_limits(drawn, include=1.0)
    ax.set_yscale("log")
    ax.set_ylim(*limits)
    plain_log_axis(ax.yaxis, *limits)
    ax.set_xlabel(label)
    ax.set_ylabel("Conditioned / test response")
    title = (protocol_label(str(rows["protocol"].iloc[0])), str(rows["channel"].iloc[0]))
    ax.set_title(" · ".join(part for part in title if part))
    tidy(ax)
    if by and len(colours) > 1:
        key(figure, [line_handle(group, color=colour, marker="o", ms=4) for group, colour in colours.items()])
    return figure


def _rows(results: pd.DataFrame, channel: str | None, measure: str) -> tuple[pd.DataFrame, str]:
    """Rows with a level, a ratio and its limits, and what kind of level it is."""
    rows = results[results["measure"] == measure]
    if channel is not None:
        rows = rows[rows["channel"] == channel]
    level = rows["condition"].fillna("").astype(str).str.extract(_LEVEL)
    form = rows["form"].fillna("ratio") if "form" in rows else pd.Series("ratio", index=rows.index)
    rows = rows.assign(_kind=level[0], _x=pd.to_numeric(level[1]), _ratio=as_ratio(rows["value"], form))
    for name, column in (("_low", "ci_low"), ("_high", "ci_high")):
        rows[name] = as_ratio(rows[column], form) if column in rows else np.nan
    rows = rows[rows["_x"].notna() & (rows["_ratio"] > 0)].copy()
    if rows.empty:
        raise ValueError(f"no result of {measure!r} has a condition such as 'isi_0.0025' or 'cs_40'")
    for name in ("channel", "protocol", "_kind"):
        if name not in rows:
            rows[name] = ""
        if rows[name].nunique() > 1:
            raise ValueError(
                f"the results hold several of {name.strip('_')!r}: {sorted(rows[name].unique())}; choose one"
            )
    limits = rows[["_low", "_high"]].to_numpy(float)
    rows["_low"], rows["_high"] = np.fmin(*limits.T), np.fmax(*limits.T)  # more inhibition is less of a ratio
    return rows, str(rows["_kind"].iloc[0])


def _person(ax: Axes, rows: pd.DataFrame, factor: float, colour: str) -> None:
    """Ratios of one person with their intervals; upper limits are open circles."""
    x, y = factor * rows["_x"].to_numpy(float), rows["_ratio"].to_numpy(float)
    low, high = rows["_low"].to_numpy(float), rows["_high"].to_numpy(float)
    known = np.isfinite(high)
    bottom = np.where(low > 0, low, y * 1e-3)  # an interval that begins at 0 leaves the picture
    ax.vlines(x[known], bottom[known], high[known], color=colour, lw=1.2, zorder=3)
    ax.plot(x, y, color=colour, lw=1.0, alpha=0.5, zorder=2)
    at_floor = (
        rows["flag"].fillna("").astype(str).str.split(";").map(lambda words: "conditioned_at_noise_floor" in words)
    )
    ax.plot(x[~at_floor], y[~at_floor], "o", color=colour, ms=4.5, mec="white", mew=0.6, zorder=4)
    ax.plot(x[at_floor], y[at_floor], "o", color=colour, mfc="white", ms=4.5, mew=1.0, zorder=4)


def _people(ax: Axes, rows: pd.DataFrame, factor: float, colour: str) -> None:
    """People thin, their geometric mean with its interval bold."""
    wide = rows.pivot_table(index="participant", columns="_x", values="_ratio", aggfunc="mean")
    x = factor * wide.columns.to_numpy(float)
    for values in wide.to_numpy(float):
        ax.plot(x, values, color=colour, lw=0.7, alpha=0.3, zorder=2)
    middle = np.array([centre(values, log=True) for values in wide.to_numpy(float).T])
    ax.plot(x, middle[:, 0], "o-", color=colour, lw=1.8, ms=4.5, mec="white", mew=0.8, zorder=5)
    known = np.isfinite(middle[:, 1])
    ax.vlines(x[known], middle[known, 1], middle[known, 2], color=colour, lw=1.3, zorder=4)
