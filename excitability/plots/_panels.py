"""Results across time points, group beside group: the panel that several figures share."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ..labels import channel_label, condition_label, conditions_in_order, measure_label, protocol_label
from ._style import INK, SMALL, TWO_COLUMNS, new_figure, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_SERIES = ("protocol", "measure", "channel", "condition")
GAP = 0.9  # between groups, in steps of time points


@dataclass(frozen=True)
class Lanes:
    """Where groups and time points lie on the horizontal axis."""

    times: tuple[str, ...]
    colours: Mapping[str, str]
    width: float = 2.0  # of a panel's axes, inches

    def place(self, group: str) -> np.ndarray:
        """Positions of a group's time points."""
        number = list(self.colours).index(group)
        return number * (len(self.times) - 1 + GAP + 0.2) + np.arange(len(self.times), dtype=float)

    @property
    def limits(self) -> tuple[float, float]:
        return -0.45, float(self.place(list(self.colours)[-1])[-1]) + 0.45


def as_lanes(table: pd.DataFrame, time: str, by: str | None) -> pd.DataFrame:
    """Rows with a finite value, with plain ``_time`` and ``_group`` columns."""
    rows = table[np.isfinite(pd.to_numeric(table["value"], errors="coerce"))].copy()
    rows["value"] = rows["value"].astype(float)
    rows["_time"] = rows[time].astype(str)
    rows["_group"] = rows[by].fillna("").astype(str) if by and by in rows else ""
    for name in ("protocol", "channel", "condition", "participant"):
        rows[name] = rows[name].fillna("").astype(str) if name in rows else ""
    return rows


def centre(values: np.ndarray, *, log: bool) -> tuple[float, float, float]:
    """Mean (geometric on a log axis) and, from four values on, its 95 % interval by Student's t.

    Student's t of two or three people reaches so far that it says nothing; their points are all there is.

    >>> mean, low, high = centre(np.array([0.5, 2.0, 0.25, 4.0]), log=True)
    >>> round(mean, 12), low < 0.5
    (1.0, True)
    """
    from scipy import stats

    values = np.log(values[values > 0]) if log else values
    values = values[np.isfinite(values)]
    if not values.size:
        return np.nan, np.nan, np.nan
    mean = float(values.mean())
    reach = np.nan
    if values.size > 3:
        reach = float(stats.t.ppf(0.975, values.size - 1)) * float(values.std(ddof=1)) / values.size**0.5
    limits = (mean, mean - reach, mean + reach)
    return tuple(float(np.exp(number)) for number in limits) if log else limits  # type: ignore[return-value]


def draw_lanes(ax: Axes, rows: pd.DataFrame, lanes: Lanes, *, log: bool) -> None:
    """Individual lines thin, the group's mean with its interval bold."""
    for group, colour in lanes.colours.items():
        own = rows[rows["_group"] == group]
        if own.empty:
            continue
        wide = own.pivot_table(index="participant", columns="_time", values="value", aggfunc="mean")
        wide = wide.reindex(columns=list(lanes.times))
        values = wide.to_numpy(float)
        if log:
            values = np.where(values > 0, values, np.nan)
        x = lanes.place(group)
        separated = np.column_stack([values, np.full(len(values), np.nan)])  # NaN lifts the pen between people
        ax.plot(
            np.tile(np.append(x, np.nan), len(values)), separated.ravel(), color=colour, lw=0.7,
            alpha=0.35 if len(values) < 25 else 0.2, marker="o", ms=1.8 if len(lanes.times) > 1 else 4, mew=0, zorder=2,
        )  # fmt: skip
        middle = np.array([centre(column, log=log) for column in values.T])
        ax.plot(x, middle[:, 0], color=colour, lw=1.8, zorder=4)
        seen = np.isfinite(middle[:, 1])
        ax.vlines(x[seen], middle[seen, 1], middle[seen, 2], color=colour, lw=1.3, zorder=4)
        ax.plot(x, middle[:, 0], "o", color=colour, ms=5, mec="white", mew=0.8, zorder=5)
    _label_lanes(ax, rows, lanes)


def _label_lanes(ax: Axes, rows: pd.DataFrame, lanes: Lanes) -> None:
    positions = np.concatenate([lanes.place(group) for group in lanes.colours])
    labels = list(lanes.times) * len(lanes.colours)
    ax.set_xticks(positions, labels)
    ax.set_xlim(*lanes.limits)
    tidy(ax)
    ax.tick_params(axis="x", length=0)
    longest = max(map(len, labels))
    # a letter of a tick label is about 0.057 inches wide
    slanted = 0.057 * longest > 0.97 * lanes.width / (lanes.limits[1] - lanes.limits[0])
    if slanted:
        ax.tick_params(axis="x", labelrotation=35)
        for text in ax.get_xticklabels():
            text.set_horizontalalignment("right")
            text.set_rotation_mode("anchor")
    drop = 13 if not slanted else 9 + 2.3 * longest
    for group, colour in lanes.colours.items():
        count = rows.loc[rows["_group"] == group, "participant"].nunique()
        name = f"{group}\nn = {count}" if group else f"n = {count}"
        ax.annotate(
            name, (float(lanes.place(group).mean()), 0), (0, -drop), xycoords=("data", "axes fraction"),
            textcoords="offset points", ha="center", va="top", color=colour if group else INK, size=SMALL,
            linespacing=1.1,
        )  # fmt: skip


@dataclass(frozen=True)
class Panel:
    """One panel: a series of results."""

    protocol: str
    measure: str
    channel: str
    condition: str
    lanes: Lanes
    ax: Axes
    first_in_row: bool


def panel_grid(
    rows: pd.DataFrame, lanes: Lanes, *, margin: float = 0.0, shared_axis: bool = False
) -> tuple[Figure, list[Panel]]:
    """A figure with one panel a series: channels below each other, measures and conditions beside each other.

    ``margin`` is kept free at the right; with ``shared_axis`` only the first panel of a row has a labelled axis.
    """
    series = rows[list(_SERIES)].drop_duplicates()
    several = {name for name in _SERIES if series[name].nunique() > 1}
    rank = {name: place for place, name in enumerate(conditions_in_order(series["condition"]))}
    blocks: list[list[tuple[str, ...]]] = []
    for channel in dict.fromkeys(series["channel"]):
        own = series[series["channel"] == channel]
        turn = {name: i for i, name in enumerate(dict.fromkeys(own["protocol"] + "\n" + own["measure"]))}
        keys = own.itertuples(index=False, name=None)
        blocks.append(sorted(keys, key=lambda key: (turn[f"{key[0]}\n{key[1]}"], rank[key[3]])))
    ticks = len(lanes.times) * len(lanes.colours)
    axis = 0.15 if shared_axis else 0.55  # inches beside a panel for its axis
    width = max(1.5, 0.29 * ticks + 0.1) + axis
    free = TWO_COLUMNS - margin - (0.45 if shared_axis else 0.0)
    most = max(1, int((free + 0.25) // width))
    if max(map(len, blocks)) == 1:  # nothing to set beside each other but the channels
        blocks = [[key for block in blocks for key in block]]
    longest = max(map(len, blocks))
    n_columns = -(-longest // -(-longest // most))  # four panels stand as two and two, not as three and one
    table = [block[start : start + n_columns] for block in blocks for start in range(0, len(block), n_columns)]
    column = min(free / n_columns, 1.18 * max(width, 1.95))
    total = TWO_COLUMNS - free + n_columns * column
    lanes = replace(lanes, width=column - axis)
    figure = new_figure(total, 2.25 * len(table) + 0.3)
    grid = figure.add_gridspec(len(table), n_columns)
    panels = []
    for row, line in enumerate(table):
        for place, (protocol, measure, channel, condition) in enumerate(line):
            ax = figure.add_subplot(grid[row, place])
            title = _title(protocol, measure, channel, condition, several)
            ax.set_title(textwrap.fill(title, max(16, int(16 * column))))  # letters an inch
            panels.append(Panel(protocol, measure, channel, condition, lanes, ax, place == 0))
    return figure, panels


def _title(protocol: str, measure: str, channel: str, condition: str, several: set[str]) -> str:
    """What a panel shows and its neighbours do not; the channel where nothing else is to be said."""
    where = "" if channel == "all" else channel_label(channel)
    head = f"{protocol_label(protocol) if 'protocol' in several else ''} {condition_label(condition)}".strip()
    name = measure_label(measure) if "measure" in several else ""
    place = where if "channel" in several or not (name or head) else ""
    return " · ".join(part for part in (name, head, place) if part) or measure_label(measure)


def rows_of(panel: Panel, rows: pd.DataFrame) -> pd.DataFrame:
    """The results that belong to a panel."""
    return rows[np.logical_and.reduce([rows[name] == getattr(panel, name) for name in _SERIES])]


def drawn_values(rows: pd.DataFrame, *, log: bool) -> np.ndarray:
    """All that a panel draws of these rows: the people, and the ends of the intervals of their means.

    >>> rows = pd.DataFrame({"protocol": "p", "measure": "m", "channel": "", "condition": "", "_group": "",
    ...                      "_time": "pre", "participant": list("abcd"), "value": [1.0, 2.0, 3.0, 10.0]})
    >>> drawn_values(rows, log=False).round(1).tolist()  # the last three: mean and its interval
    [1.0, 2.0, 3.0, 10.0, 4.0, -2.5, 10.5]
    """
    people = rows.groupby([*_SERIES, "_group", "_time", "participant"], sort=False)["value"].mean()
    means = people.groupby([*_SERIES, "_group", "_time"], sort=False)
    ends = [centre(own.to_numpy(float), log=log) for _, own in means]
    return np.concatenate([people.to_numpy(float), np.ravel(ends)])


def log_limits(values: Sequence[float] | np.ndarray, *, include: float | None = None) -> tuple[float, float]:
    """Limits of a logarithmic axis with a margin."""
    positive = [value for value in values if np.isfinite(value) and value > 0]
    positive += [include] if include else []
    low, high = (min(positive), max(positive)) if positive else (0.5, 2.0)
    margin = max(1.03, (high / low) ** 0.06)
    return low / margin, high * margin


def linear_limits(values: np.ndarray) -> tuple[float, float]:
    """Limits of a linear axis with a margin; from zero where the values come near it."""
    finite = values[np.isfinite(values)]
    if not finite.size:
        return 0.0, 1.0
    low, high = float(finite.min()), float(finite.max())
    margin = 0.06 * (high - low) or 0.05 * abs(high) or 1.0
    if 0 <= low < 0.4 * high:
        return 0.0, high + margin
    if 0 >= high > 0.4 * low:
        return low - margin, 0.0
    return low - margin, high + margin
