"""Paired pulses in the EEG: the response to the test pulse alone, and that within a pair."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..cleaning import gap_of
from ..cleaning._instance import pulses_of_trials
from ..labels import condition_label, conditions_in_order
from ..measures.paired_pulse_tep import corrected_pair
from ..schema import display
from ._scalp import FEWEST, colour_bar, has_positions, topography
from ._style import (
    BAND,
    FAINT,
    INK,
    PALETTE,
    SMALL,
    SOFT,
    TWO_COLUMNS,
    key,
    line_handle,
    new_figure,
    readable,
    styled,
    tidy,
)
from ._tep_panels import LABEL, draw_gaps, limits_of, outside, pulse_gaps

if TYPE_CHECKING:
    import mne
    from matplotlib.figure import Figure

_MOST = 4
_Z = 1.96
_RATIOS = ("lici_tep", "paired_pulse_tep")


@styled
def paired_pulse_tep(
    epochs: mne.BaseEpochs,
    picks: Sequence[str],
    results: pd.DataFrame | None = None,
    *,
    window: tuple[float, float] = (0.020, 0.150),
    subtract: str = "conditioning",
    test: str = "test",
    conditioning: str = "conditioning",
    conditions: Iterable[str] | None = None,
    tmin: float = -0.05,
    tmax: float = 0.3,
    title: str = "",
) -> Figure:
    """Response to the test pulse alone and to the pair, free of its conditioning response, a row a condition.

    The mean of the channels of a region with 95 % bands over trials; dotted the pair as recorded. On the right a map
    of the change in the window: corrected pair less test pulse alone.

    Parameters
    ----------
    epochs : mne.Epochs
        Cleaned trials with ``metadata["condition"]`` and, for the correction,
        ``metadata["inter_stimulus_interval"]`` in s: what :func:`excitability.clean` gives.
    picks : sequence of str
        Channels of the region; those that were not recorded or are bad are left out.
    results : DataFrame, optional
        Result rows of the session, for the ratio and its interval.
    window : (float, float)
        Where the responses are compared, s after the test pulse; shaded.
    subtract : {"conditioning", "test", "none"}
        What stands for the response to the conditioning pulse (``"test"`` where the pulses are equal, as in LICI).
        Without trials of it nothing is taken off, and the key says so.
    test, conditioning : str
        Names of these conditions.
    conditions : iterable of str, optional
        Pairs to draw; all others by default, four at most.
    tmin, tmax : float
        Limits of the time axis, s.
    title : str
        Title of the figure.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        Where there are no trials of the test pulse, of a pair, or no channel of the region.

    Examples
    --------
    >>> import mne
    >>> times, rng = np.arange(-300, 500) / 1000, np.random.default_rng(2)
    >>> n100 = lambda t: -5e-6 * np.exp(-(((t - 0.1) / 0.02) ** 2))
    >>> test, pair = n100(times), 0.6 * n100(times) + n100(times + 0.1)
    >>> x = np.repeat([test, pair], 12, axis=0)[:, None] + 1e-6 * rng.standard_normal((24, 3, times.size))
    >>> table = pd.DataFrame({"condition": np.repeat(["test", "isi_0.1"], 12),
    ...                       "inter_stimulus_interval": np.repeat([np.nan, 0.1], 12)})
    >>> epochs = mne.EpochsArray(x, mne.create_info(["F3", "F1", "FC1"], 1000.0, "eeg"), tmin=-0.3, metadata=table,
    ...                          verbose="error")
    >>> figure = paired_pulse_tep(epochs, ["F3", "F1"], window=(0.05, 0.15), subtract="test")
    >>> figure.axes[0].get_title(loc="left")
    '100 ms'
    """
    known = epochs.metadata["condition"] if epochs.metadata is not None and "condition" in epochs.metadata else []
    labels = np.asarray(known, dtype=object)
    others = [name for name in dict.fromkeys(labels) if name and name not in (test, conditioning)]
    pairs = conditions_in_order(others if conditions is None else conditions)[:_MOST]
    missing = [name for name in (test, *pairs) if not (labels == name).any()]
    if missing or not pairs:
        there = ", ".join(map(repr, dict.fromkeys(labels))) or "none"
        raise ValueError(
            f"paired_pulse_tep needs trials of {missing[0] if missing else 'a pair'!r}; the conditions are: {there}"
        )
    good = [name for name in picks if name in epochs.ch_names and name not in epochs.info["bads"]]
    if not good:
        raise ValueError(f"paired_pulse_tep: none of the channels {', '.join(picks)} was recorded and is good")
    alone = _Trials(epochs, labels == test, good)
    first = _Trials(epochs, labels == conditioning, good) if (labels == conditioning).any() else None
    if subtract == "conditioning" and first is None:
        subtract = "none"
    rows = [_row(epochs, labels == name, good, alone, first, window, subtract) for name in pairs]
    clear = outside(epochs.times, pulse_gaps([0.0], gap_of(epochs))) & (epochs.times >= tmin) & (epochs.times <= tmax)
    drawn = np.array([alone.mean, *(row["mean"] for row in rows)])
    factor, unit = readable("V", [np.nanmax(np.abs(drawn[:, clear]))])
    maps = has_positions(alone.info, len(alone.all)) and len(alone.all) >= FEWEST
    figure = new_figure(TWO_COLUMNS * (0.85 if maps else 0.62), 2.1 * len(pairs) + (0.45 if title else 0.25))
    axes = figure.subplots(len(pairs), 3 if maps else 1, squeeze=False, width_ratios=[3, 1.25, 0.05] if maps else [1])
    reach = max(float(np.nanmax(np.abs(row["change"]))) for row in rows)
    for place, (name, row) in enumerate(zip(pairs, rows, strict=True)):
        ax = axes[place, 0]
        _courses(ax, epochs.times, alone, row, factor, window)
        draw_gaps(ax, pulse_gaps(row["pulses"], gap_of(epochs)))
        ax.set_title(condition_label(name))
        ax.set_title(f"{row['n']} pairs, {alone.n} alone", loc="right", size=SMALL, weight="normal", color=SOFT)
        ax.set_xlim(tmin * display("s")[0], tmax * display("s")[0])
        ax.set_ylim(*limits_of(drawn[:, clear] * factor))
        ax.set_ylabel(f"{'+'.join(good) if len(good) < 3 else 'Region'} ({unit})")
        _told(ax, results, name)
        tidy(ax)
        if maps:
            image = topography(axes[place, 1], row["change"], alone.info, reach or 1e-9)
            axes[place, 1].set_title(f"Mean change,\n{_span(window)}", loc="center", size=SMALL, weight="normal")
            colour_bar(figure, image, axes[place, 2], (factor, unit))
    axes[-1, 0].set_xlabel("Time from test pulse (ms)")
    key(figure, _handles(subtract))
    if title:
        figure.suptitle(title, size=9, weight="bold", x=0.01, ha="left")
    return figure


def _span(window: tuple[float, float]) -> str:
    factor, unit = display("s")
    return f"{window[0] * factor:g}–{window[1] * factor:g} {unit}"


class _Trials:
    """Average of a condition over the scalp, and the mean of the region with its standard error."""

    def __init__(self, epochs: Any, mine: np.ndarray, region: list[str]) -> None:
        import mne

        picks = mne.pick_types(epochs.info, eeg=True, exclude="bads")
        data = epochs.get_data(picks=picks, item=np.flatnonzero(mine), verbose="ERROR")
        names = [epochs.ch_names[pick] for pick in picks]
        course = data[:, [names.index(name) for name in region]].mean(axis=1)
        self.info, self.n, self.all = mne.pick_info(epochs.info, picks), len(data), data.mean(axis=0)
        self.mean = course.mean(axis=0)
        self.error = course.std(axis=0, ddof=1) / np.sqrt(self.n) if self.n > 1 else np.full(course.shape[1], np.nan)


def _row(
    epochs: Any,
    mine: np.ndarray,
    region: list[str],
    alone: _Trials,
    first: _Trials | None,
    window: tuple[float, float],
    subtract: str,
) -> dict[str, Any]:
    """The courses of one kind of pair: as recorded, corrected, with its error, and its change over the scalp."""
    pair, times = _Trials(epochs, mine, region), epochs.times
    interval = float("nan")
    if "inter_stimulus_interval" in epochs.metadata:
        interval = float(epochs.metadata["inter_stimulus_interval"].iloc[np.flatnonzero(mine)].median())
    taken = {"conditioning": first, "test": alone, "none": None}[subtract]
    options = (interval, window, subtract)
    mean, _, _ = corrected_pair(
        pair.mean[None], times, alone.mean[None], None if first is None else first.mean[None], *options
    )
    scalp = [
        corrected_pair(one[None], times, two[None], None if first is None else three[None], *options)[0]
        for one, two, three in zip(pair.all, alone.all, (first or alone).all, strict=True)
    ]
    # the correction brings the error of what is taken off
    late = np.interp(times + interval, times, taken.error) if taken is not None else 0.0
    inside = (times >= window[0]) & (times <= window[1])
    pulses = sorted({pulse for own, rows in pulses_of_trials(epochs) if mine[rows].any() for pulse in own})
    return {"mean": mean, "raw": pair.mean, "error": np.sqrt(pair.error**2 + late**2), "n": pair.n, "pulses": pulses,
            "change": (np.array(scalp) - alone.all)[:, inside].mean(axis=1)}  # fmt: skip


def _courses(
    ax: Any, times: np.ndarray, alone: _Trials, row: dict[str, Any], factor: float, window: tuple[float, float]
) -> None:
    ms = display("s")[0]
    ax.axvspan(window[0] * ms, window[1] * ms, color=BAND, lw=0, zorder=0)
    ax.axhline(0, color=FAINT, lw=0.6, zorder=1)
    ax.axvline(0, color=SOFT, lw=0.8, zorder=1)
    for mean, error, colour in ((alone.mean, alone.error, INK), (row["mean"], row["error"], PALETTE[0])):
        band = ((mean - _Z * error) * factor, (mean + _Z * error) * factor)
        ax.fill_between(times * ms, *band, color=colour, alpha=0.15, lw=0, zorder=2)
        ax.plot(times * ms, mean * factor, color=colour, lw=1.4, zorder=4)
    if not np.array_equal(row["raw"], row["mean"]):
        ax.plot(times * ms, row["raw"] * factor, color=PALETTE[0], lw=0.8, ls=(0, (1, 1.5)), zorder=3)


def _told(ax: Any, results: pd.DataFrame | None, condition: str) -> None:
    """The ratio of the results and its interval."""
    if results is None:
        return
    mine = results[results["measure"].isin(_RATIOS) & (results["condition"] == condition)]
    for row in mine.head(1).to_dict("records"):
        form = "" if row.get("form", "ratio") == "ratio" else f" ({str(row['form']).replace('_', ' ')})"
        words = f"ratio{form} {row['value']:.2f}"
        if np.isfinite(row.get("ci_low", np.nan)):
            words += f" [{row['ci_low']:.2f}, {row['ci_high']:.2f}]"
        ax.text(0.99, 0.97, words, transform=ax.transAxes, ha="right", va="top", size=SMALL, zorder=6, bbox=LABEL)


def _handles(subtract: str) -> list[Any]:
    pair = "pair, nothing taken off" if subtract == "none" else "pair, without its conditioning response"
    handles = [line_handle("test pulse alone", color=INK, lw=1.4), line_handle(pair, color=PALETTE[0], lw=1.4)]
    if subtract != "none":
        handles.append(line_handle("pair as recorded", color=PALETTE[0], lw=0.8, ls=(0, (1, 1.5))))
    return handles
