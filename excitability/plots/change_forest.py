"""Changes with their intervals, against the smallest change that could have been detected."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..labels import LOG_ODDS, series_label
from ..schema import NOT_A_CHANGE
from ._style import (
    INK,
    SOFT,
    TWO_COLUMNS,
    group_colours,
    key,
    line_handle,
    new_figure,
    readable,
    styled,
    tidy,
    with_unit,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_PERSON, _GROUP = "#e9e9e9", "#cccccc"  # bands of the smallest detectable change
_FEW, _MOST = 5, 2.5  # intervals of so few people are drawn to so many times what else is drawn, then end in an arrow
_LANE = 0.12  # inches a group takes within a row
_RATIO_TICKS = (
    (0.8, 0.9, 1, 1.1, 1.2),
    (0.6, 0.8, 1, 1.25, 1.5),
    (0.5, 0.75, 1, 1.5, 2),
    (0.25, 0.5, 1, 2, 4),
    (0.1, 0.3, 1, 3, 10),
    (0.01, 0.1, 1, 10, 100),
)


@styled
def change_forest(comparison: pd.DataFrame, *, contrasts: Sequence[str] | None = None) -> Figure:
    """Every change with its 95 % interval, one row a series, one mark a group, one column a contrast.

    Changes that were estimated as log ratios share one axis in percent, those of probabilities one of log odds ratios;
    each other measure has its own axis in its own unit. Grey bands reach as far as the smallest detectable change: of
    one person (light) and of the group's mean (dark). A difference of changes between groups is a black diamond. Rows
    that are no change (means, trends over doses, tests of several time points together) are not drawn.

    Parameters
    ----------
    comparison : DataFrame
        Table that ``compare`` returns.
    contrasts : sequence of str, optional
        Contrasts to show; all if not given.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        Where the table holds no finite estimate.

    Examples
    --------
    >>> table = pd.DataFrame({
    ...     "protocol": "m1/sici", "measure": "conditioned_ratio", "channel": "FDI", "condition": "isi_0.002",
    ...     "group": ["patient", "control"], "contrast": "post0 - pre", "estimate": [0.35, 0.02], "unit": "1",
    ...     "form": "log_ratio", "ci_low": [0.1, -0.2], "ci_high": [0.6, 0.24]})
    >>> change_forest(table).axes[0].get_xlabel()
    'Change (%)'
    """
    rows = _rows(comparison, contrasts)
    columns = list(dict.fromkeys(rows["contrast"]))
    groups = _groups_in_order(rows["group"])
    panels = [part for _, part in rows.groupby("_panel", sort=False)]
    colours = group_colours(name for name in groups if not _is_difference(name))
    heights = [_row_height(part) * part["label"].nunique() + 0.12 for part in panels]
    figure = new_figure(TWO_COLUMNS, sum(heights) + 0.5 * len(panels) + 0.55)
    axes = figure.subplots(len(panels), len(columns), squeeze=False, height_ratios=heights)
    for line, part in zip(axes, panels, strict=True):
        for ax, contrast in zip(line, columns, strict=True):
            _panel(ax, part, contrast, groups, colours, columns=len(columns))
            if ax is not line[0]:
                ax.tick_params(axis="y", labelleft=False)
    for ax, contrast in zip(axes[0], columns, strict=True):
        ax.set_title(contrast.replace(" - ", " − "))
    _legend(figure, rows, groups, colours)
    return figure


def _rows(comparison: pd.DataFrame, contrasts: Sequence[str] | None) -> pd.DataFrame:
    rows = comparison[np.isfinite(pd.to_numeric(comparison["estimate"], errors="coerce"))].copy()
    if "form" in rows:
        rows = rows[~rows["form"].isin(NOT_A_CHANGE)]
    if contrasts is not None:
        rows = rows[rows["contrast"].isin(list(contrasts))]
    if rows.empty:
        raise ValueError("the comparison holds no finite estimate to draw")
    for name in ("ci_low", "ci_high", "smallest_detectable_change", "smallest_detectable_group_change"):
        rows[name] = pd.to_numeric(rows[name], errors="coerce") if name in rows else np.nan
    for name in ("protocol", "measure", "channel", "condition", "group", "unit", "form"):
        rows[name] = rows[name].fillna("").astype(str) if name in rows else ""
    rows["_ratio"] = rows["form"].eq("log_ratio")
    rows["_panel"] = _panels(rows)
    homes = rows.groupby("measure")["protocol"].nunique()  # a measure of one protocol needs no protocol's name
    rows["label"] = [
        series_label(row.protocol, row.condition, row.channel)
        if row.measure == "conditioned_ratio"
        else series_label("" if homes[row.measure] == 1 else row.protocol, row.condition, row.channel, row.measure)
        for row in rows.itertuples()
    ]
    first = {name: place for place, name in enumerate(dict.fromkeys(rows["_panel"]))}
    order = rows["_panel"].map(lambda name: -1 if name == "ratio" else first[name])
    return rows.iloc[np.argsort(order.to_numpy(), kind="stable")]


def _panels(rows: pd.DataFrame) -> pd.Series:
    """Name of each row's panel: all log ratios, all log odds ratios, else measures of one unit and of similar reach."""
    panel = pd.Series("ratio", index=rows.index)
    reaches: dict[str, float] = {}
    odds = rows["form"].eq("log_odds_ratio")
    panel[odds] = LOG_ODDS
    for (measure, unit), part in rows[~rows["_ratio"] & ~odds].groupby(["measure", "unit"], sort=False):
        _, label = readable(str(unit), part[["ci_low", "ci_high"]])
        reach = _limit(part, 1.0)
        alike = [name for name, other in reaches.items() if name.startswith(f"{label} ") and 1 / 3 < reach / other < 3]
        name = alike[0] if alike else f"{label} {measure}"
        reaches.setdefault(name, reach)
        panel[part.index] = name
    return panel


def _is_difference(group: str) -> bool:
    return " - " in group or " − " in group


def _groups_in_order(groups: pd.Series) -> list[str]:
    return sorted(dict.fromkeys(groups), key=lambda name: (_is_difference(name), name == "all"))


def _row_height(part: pd.DataFrame) -> float:
    return _LANE * part["group"].nunique() + 0.07


def _panel(
    ax: Axes, part: pd.DataFrame, contrast: str, groups: list[str], colours: dict[str, str], *, columns: int
) -> None:
    names = list(dict.fromkeys(part["label"]))
    present = [group for group in groups if (part["group"] == group).any()]
    step = _LANE / _row_height(part)
    marks: Any = part[part["contrast"] == contrast].itertuples()
    ratio = bool(part["_ratio"].iloc[0])
    factor, unit = (1.0, "%") if ratio else readable(part["unit"].iloc[0], part[["ci_low", "ci_high"]])
    limit = _limit(part, factor)
    ends = (np.exp(-limit), np.exp(limit)) if ratio else (-limit, limit)
    if ratio:
        ax.set_xscale("log")
    ax.axvline(1 if ratio else 0, color=SOFT, lw=0.8, zorder=2)
    for row in marks:
        offset = (present.index(row.group) - (len(present) - 1) / 2) * step
        colour = INK if _is_difference(row.group) else colours.get(row.group, INK)
        _mark(ax, row, names.index(row.label) + offset, step, factor, ratio, colour, ends)
        if columns == 1:
            ax.annotate(_numbers(row, factor, ratio), (1, names.index(row.label) + offset), (4, 0),
                        xycoords=("axes fraction", "data"), textcoords="offset points", va="center",
                        size=6, color=colour)  # fmt: skip
    for place in range(1, len(names)):
        ax.axhline(place - 0.5, color="#f0f0f0", lw=0.7, zorder=0)
    ax.set_yticks(range(len(names)), names)
    ax.set_ylim(len(names) - 0.5, -0.5)
    ax.set_xlim(*ends)
    tidy(ax)
    ax.tick_params(axis="y", length=0, pad=5)  # clear of the arrows of endless intervals
    ax.spines["left"].set_visible(False)
    if ratio:
        # what labels and numbers leave of the page, about
        _percent_axis(ax, *ends, width=4.6 if columns == 1 else 5.2 / columns)
    ax.set_xlabel(LOG_ODDS.capitalize() if part["_panel"].iloc[0] == LOG_ODDS else with_unit("Change", unit))


def _limit(part: pd.DataFrame, factor: float) -> float:
    """Half the width of a panel: intervals are seen unless they are very wide, and so are bands of one person."""
    estimates = part["estimate"].abs().to_numpy(float)
    intervals = part[["ci_low", "ci_high"]].abs()
    few = np.zeros(len(part), dtype=bool)
    if "n" in part:
        groups = np.array([1 + _is_difference(name) for name in part["group"]])
        few = pd.to_numeric(part["n"], errors="coerce").to_numpy(float) < _FEW * groups
    bands = part[["smallest_detectable_change", "smallest_detectable_group_change"]].abs().to_numpy(float)
    core = np.concatenate([estimates, intervals[~few].to_numpy(float).ravel(), bands[:, 1]])
    seen = float(core[np.isfinite(core)].max(initial=0.0))
    reach = intervals.to_numpy(float)
    seen = 1.08 * max(seen, min(float(reach[np.isfinite(reach)].max(initial=0.0)), _MOST * seen))
    widest = float(bands[np.isfinite(bands)].max(initial=0.0)) * 1.05
    limit = max(seen, min(widest, 1.5 * seen)) or 1.0
    return min(limit, 4.6) if part["form"].iloc[0] == "log_ratio" else limit * factor


def _mark(
    ax: Axes, row: Any, y: float, step: float, factor: float, ratio: bool, colour: str, ends: tuple[float, float]
) -> None:
    def shown(value: float) -> float:
        return float(np.exp(value)) if ratio else value * factor

    for size, shade in ((row.smallest_detectable_change, _PERSON), (row.smallest_detectable_group_change, _GROUP)):
        if np.isfinite(size) and size > 0:
            low, high = max(shown(-size), ends[0]), min(shown(size), ends[1])
            ax.barh(y, high - low, left=low, height=0.86 * step, color=shade, lw=0, zorder=1)
    if not np.isnan([row.ci_low, row.ci_high]).any():
        with np.errstate(over="ignore"):
            low, high = shown(row.ci_low), shown(row.ci_high)
        ax.hlines(y, max(low, ends[0]), min(high, ends[1]), color=colour, lw=1.2, zorder=3)
        for beyond, edge, arrow in ((low < ends[0], ends[0], "<"), (high > ends[1], ends[1], ">")):
            if beyond:  # the interval goes on
                ax.plot(edge, y, arrow, ms=3.5, color=colour, mew=0, zorder=3, clip_on=False)
    marker, size = ("D", 3.6) if _is_difference(row.group) else ("o", 4.4)
    ax.plot(shown(row.estimate), y, marker, ms=size, color=colour, mec="white", mew=0.6, zorder=4)


def _numbers(row: Any, factor: float, ratio: bool) -> str:
    values = np.array([row.estimate, row.ci_low, row.ci_high], dtype=float)
    with np.errstate(over="ignore"):
        values = 100 * np.expm1(values) if ratio else values * factor
    if np.abs(values).max() >= 1e4:
        return f"{values[0]:+.0f}{' %' if ratio else ''} (very wide)".replace("-", "−") if abs(values[0]) < 1e4 else ""
    places = 0 if ratio or np.nanmax(np.abs(values)) >= 100 else 1 if np.nanmax(np.abs(values)) >= 10 else 2
    estimate, low, high = (f"{value:+.{places}f}".replace("-", "−") for value in values.round(places) + 0.0)
    interval = f" [{low}, {high}]" if np.isfinite(values).all() else ""
    return f"{estimate}{' %' if ratio else ''}{interval}"


def _percent_axis(ax: Axes, low: float, high: float, *, width: float) -> None:
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    inside = [1.0]
    for candidates in _RATIO_TICKS:
        inside = [tick for tick in candidates if low <= tick <= high]
        apart = np.diff(np.log(inside)).min(initial=np.inf) / np.log(high / low)
        if len(inside) >= 3 and apart * width > 0.34:  # inches, so that labels do not touch
            break
    ax.xaxis.set_major_locator(FixedLocator(inside))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_major_formatter(
        FuncFormatter(lambda tick, _: "0" if tick == 1 else f"{100 * (tick - 1):+.0f}".replace("-", "−"))
    )


def _legend(figure: Figure, rows: pd.DataFrame, groups: list[str], colours: dict[str, str]) -> None:
    from matplotlib.patches import Patch

    handles: list[Any] = []
    for group in groups:
        difference = _is_difference(group)
        look = {"color": INK, "marker": "D", "ms": 3.6} if difference else {"color": colours[group], "marker": "o"}
        text = f"difference: {group.replace(' - ', ' − ')}" if difference else group
        handles.append(line_handle(text or "all", lw=1.2, **{"ms": 4.4, **look}))
    if rows["smallest_detectable_change"].notna().any():
        handles.append(Patch(color=_PERSON, label="smallest detectable change, one person"))
    if rows["smallest_detectable_group_change"].notna().any():
        handles.append(Patch(color=_GROUP, label="… of the group"))
    key(figure, handles, where="outside upper left", columns=6)
