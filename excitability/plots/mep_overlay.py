"""Motor evoked potentials of one channel, trial over trial, condition beside condition."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from ..labels import condition_label, conditions_in_order
from ..measures._tables import is_kept
from ..schema import display
from ._style import (
    BAND,
    BLUE,
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

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MOST_IN_ROW = 4
_ARTEFACT = "#d9d9d9"
_EVENTS = {"mep_latency": ("onset", PALETTE[0]), "silent_period": ("EMG returns", PALETTE[1])}


@styled
def mep_overlay(
    x: np.ndarray,
    times: np.ndarray,
    table: pd.DataFrame,
    *,
    channel: str = "",
    window: tuple[float, float] | None = None,
    artefact: tuple[float, float] | Literal["auto"] | None = "auto",
    lock: Literal["last_pulse", "first_pulse"] = "last_pulse",
    tmin: float | None = None,
    tmax: float | None = None,
) -> Figure:
    """Single trials and their mean for each condition, with detected onsets.

    Parameters
    ----------
    x : array, shape (n_trials, n_times)
        Signal of one channel in volts.
    times : array, shape (n_times,)
        Seconds from the pulse.
    table : DataFrame
        One row a trial, in the order of ``x``: the trial table of this channel. Columns used where present:
        ``condition``, ``mep_latency`` and ``silent_period`` (s, dots on the trial), ``reject`` (drawn faint, left
        out of the mean) and ``inter_stimulus_interval`` (s, an open mark where the first pulse was).
    channel : str
        Name for the title.
    window : (float, float), optional
        Where the response may lie, in seconds; shaded.
    artefact : (float, float) | "auto" | None
        Span that the artefact of a pulse covers, in seconds from that pulse; greyed. ``"auto"`` measures it: as long
        as the median trial after the pulse stands out of the time before it (:func:`artefact_span`).
    lock : {"last_pulse", "first_pulse"}
        Which pulse of a pair lies at time 0.
    tmin, tmax : float, optional
        Limits of the time axis in seconds.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        Where the shapes of ``x``, ``times`` and ``table`` do not belong together.

    Examples
    --------
    >>> rng = np.random.default_rng(3)
    >>> times = np.arange(-0.05, 0.1, 0.0005)
    >>> mep = 1e-3 * np.sin(2 * np.pi * 80 * (times - 0.022)) * ((times > 0.022) & (times < 0.0345))
    >>> x = mep * rng.lognormal(0, 0.3, (10, 1)) + 5e-6 * rng.standard_normal((10, times.size))
    >>> table = pd.DataFrame({"condition": "test", "mep_latency": 0.0222, "reject": ""}, index=range(10))
    >>> figure = mep_overlay(x, times, table, channel="FDI", window=(0.015, 0.05))
    >>> figure.axes[0].get_ylabel()
    'FDI (mV)'
    """
    x, times = np.asarray(x, dtype=float), np.asarray(times, dtype=float)
    if x.ndim != 2 or x.shape != (len(table), times.size):
        raise ValueError(
            f"mep_overlay needs x of shape (rows of table, times) = ({len(table)}, {times.size}), got {x.shape}"
        )
    table = table.reset_index(drop=True)
    condition = table["condition"].fillna("").astype(str) if "condition" in table else pd.Series("", table.index)
    names = conditions_in_order(name for name in condition if name) or [""]
    if artefact == "auto":
        least = 0.04 * _height(x, times, table, window, None)[2]  # what is smaller does not catch the eye
        artefact = artefact_span(x[is_kept(table)], times, table, until=window[0] if window else 0.01, least=least)
    pairs = -1 if lock == "last_pulse" else 1  # where the other pulse of a pair lies
    limits = _time_limits(times, table if pairs < 0 else table.iloc[:0], window, tmin, tmax)
    visible = (times >= limits[0]) & (times <= limits[1])
    factor, unit, reach = _height(x, times, table, window, artefact)
    n_rows = -(-len(names) // _MOST_IN_ROW)
    n_columns = -(-len(names) // n_rows)  # five panels stand as three and two
    figure = new_figure(TWO_COLUMNS if n_columns > 2 else 3.5 * n_columns, 1.75 * n_rows + 0.75)
    axes = figure.subplots(n_rows, n_columns, squeeze=False, sharex=True, sharey=True)
    for place, (ax, name) in enumerate(zip(axes.ravel(), names, strict=False)):
        own = np.flatnonzero(condition == name)
        _background(ax, window, first=place == 0)
        _trials(ax, x[own][:, visible] * factor, times[visible], table.iloc[own])
        _pulses(ax, table.iloc[own], artefact, pairs)
        ax.set_title(condition_label(name) or channel)
        tidy(ax)
        if place % n_columns == 0:
            ax.set_ylabel(f"{channel or 'EMG'} ({unit})")
        if place + n_columns >= len(names):
            ax.set_xlabel("Time from first pulse (ms)" if pairs > 0 else "Time from pulse (ms)")
            ax.tick_params(labelbottom=True)
    for ax in axes.ravel()[len(names) :]:
        ax.set_axis_off()
    axes[0, 0].set_xlim(limits[0] * display("s")[0], limits[1] * display("s")[0])
    axes[0, 0].set_ylim(-reach * factor, reach * factor)
    _legend(figure, table, artefact)
    return figure


def _time_limits(
    times: np.ndarray,
    table: pd.DataFrame,
    window: tuple[float, float] | None,
    tmin: float | None,
    tmax: float | None,
) -> tuple[float, float]:
    longest = 0.0
    if "inter_stimulus_interval" in table:
        intervals = pd.to_numeric(table["inter_stimulus_interval"], errors="coerce")
        longest = float(intervals.max()) if intervals.notna().any() else 0.0
    start = -max(0.02, longest + 0.01) if tmin is None else tmin
    stop = (window[1] + 0.03 if window else 0.1) if tmax is None else tmax
    if tmax is None and "silent_period" in table:
        ends = pd.to_numeric(table["silent_period"], errors="coerce")
        stop = max(stop, float(ends.max()) + 0.06) if ends.notna().any() else stop
    return max(start, float(times[0])), min(stop, float(times[-1]))


def _height(
    x: np.ndarray,
    times: np.ndarray,
    table: pd.DataFrame,
    window: tuple[float, float] | None,
    artefact: tuple[float, float] | None,
) -> tuple[float, str, float]:
    """Factor, unit and half the height of the panels: the kept responses fill them, the artefact may leave."""
    kept = is_kept(table)
    low = window[0] if window else max(0.008, artefact[1] if artefact else 0.0)
    inside = (times >= low) & (times <= (window[1] if window else low + 0.08))
    part = np.abs(x[kept][:, inside]) if kept.any() and inside.any() else np.abs(x)
    finite = part[np.isfinite(part)]
    reach = 1.12 * float(finite.max()) if finite.size and finite.max() > 0 else 1e-4
    factor, unit = readable("V", [reach])
    return factor, unit, reach


def artefact_span(
    x: np.ndarray, times: np.ndarray, table: pd.DataFrame, *, until: float = 0.01, least: float = 0.0
) -> tuple[float, float] | None:
    """Span after the pulse, up to ``until``, in which the median trial exceeds six times the noise before it.

    Parameters
    ----------
    x : array, shape (n_trials, n_times)
    times : array, shape (n_times,)
    table : DataFrame
        Its ``inter_stimulus_interval`` says how far before 0 the first pulse was.
    until : float
        Where responses may begin, in seconds.
    least : float
        What is smaller (V) does not count as artefact.

    Examples
    --------
    >>> times = np.arange(-0.05, 0.05, 0.001)
    >>> x = 1e-6 * np.sin(1e3 * times) + 1e-3 * ((times >= 0) & (times < 0.0035))
    >>> artefact_span(x[None], times, pd.DataFrame(index=[0]))
    (-0.001, 0.004)
    """
    gap = 0.0
    if "inter_stimulus_interval" in table:
        gap = float(np.nan_to_num(pd.to_numeric(table["inter_stimulus_interval"], errors="coerce").max()))
    before, after = times < -gap - 0.005, (times >= 0) & (times < until)
    if not len(x) or before.sum() < 10 or not after.any():
        return None
    trace = np.median(x, axis=0)
    centre = float(np.median(trace[before]))
    noise = 1.4826 * float(np.median(np.abs(trace[before] - centre)))
    loud = np.flatnonzero(after & (np.abs(trace - centre) > max(6 * noise, least)))
    if not loud.size:
        return None
    step = float(times[1] - times[0])
    return -0.001, round(min(float(times[loud[-1]]) + step, until), 6)


def _background(ax: Axes, window: tuple[float, float] | None, *, first: bool) -> None:
    ms = display("s")[0]
    if window:
        ax.axvspan(window[0] * ms, window[1] * ms, color="#eaf2f8", lw=0, zorder=0)
        if first:
            ax.text(window[0] * ms + 1, 0.015, "response window", transform=ax.get_xaxis_transform(), size=6,
                    color=SOFT, va="bottom")  # fmt: skip
    ax.axhline(0, color=BAND, lw=0.6, zorder=0.5)


def _trials(ax: Axes, x: np.ndarray, times: np.ndarray, table: pd.DataFrame) -> None:
    from matplotlib.collections import LineCollection

    ms = display("s")[0]
    kept = is_kept(table)
    looks: tuple[tuple[np.ndarray, dict[str, Any]], ...] = (
        (~kept, {"colors": FAINT, "linewidths": 0.4, "linestyles": (0, (3, 2)), "zorder": 1}),
        (kept, {"colors": BLUE, "linewidths": 0.5, "alpha": 0.38, "zorder": 2}),
    )
    for chosen, look in looks:
        if chosen.any():
            lines = [np.column_stack([times * ms, trial]) for trial in x[chosen]]
            ax.add_collection(LineCollection(lines, rasterized=True, **look), autolim=False)
    if kept.any():
        counts = np.isfinite(x[kept]).sum(axis=0)
        sums = np.nansum(x[kept], axis=0)
        mean = np.divide(sums, counts, out=np.full(times.size, np.nan), where=counts > 0)
        ax.plot(times * ms, mean, color=INK, lw=1.4, zorder=4)
    for column, (_, colour) in _EVENTS.items():
        if column in table:
            when = pd.to_numeric(table[column], errors="coerce").to_numpy(float)
            shown = np.flatnonzero(kept & np.isfinite(when))
            heights = [np.interp(when[i], times, x[i]) for i in shown]
            ax.plot(when[shown] * ms, heights, "o", ms=2.6, color=colour, mec="white", mew=0.3, zorder=5)
    lost = int((~kept).sum())
    note = f"n = {int(kept.sum())}" + (f" ({lost} rejected)" if lost else "")
    ax.text(1, 1.0, note, transform=ax.transAxes, ha="right", va="bottom", size=SMALL, color=SOFT)


def _pulses(ax: Axes, table: pd.DataFrame, artefact: tuple[float, float] | None, pairs: int) -> None:
    """A filled mark at the last pulse, an open one where the first of a pair was; their artefacts greyed."""
    ms = display("s")[0]
    intervals = np.empty(0)
    if "inter_stimulus_interval" in table:
        intervals = pd.to_numeric(table["inter_stimulus_interval"], errors="coerce").dropna().unique()
    # time, and whether it is the last pulse of its trial
    pulses = [(0.0, pairs < 0 or not intervals.size), *((pairs * float(gap), pairs > 0) for gap in intervals)]
    for pulse, last in pulses:
        if artefact:
            start, stop = (ms * (pulse + edge) for edge in artefact)
            ax.axvspan(start, stop, color=_ARTEFACT, alpha=0.88, lw=0, zorder=5.5)
        look: dict[str, Any] = {"color": SOFT} if last else {"mfc": "white", "mec": SOFT}
        ax.plot([pulse * ms], [0.97], "v", ms=4, mew=0.8, transform=ax.get_xaxis_transform(), zorder=6, **look)


def _legend(figure: Figure, table: pd.DataFrame, artefact: tuple[float, float] | None) -> None:
    from matplotlib.patches import Patch

    handles = [line_handle("kept trial", color=BLUE, lw=0.8, alpha=0.6), line_handle("mean", color=INK, lw=1.4)]
    for column, (label, colour) in _EVENTS.items():
        if column in table and table[column].notna().any():
            handles.append(line_handle(label, color=colour, marker="o", ms=3, lw=0))
    if not is_kept(table).all():
        handles.append(line_handle("rejected trial", color=FAINT, lw=0.8, ls=(0, (3, 2))))
    handles.append(line_handle("pulse", color=SOFT, marker="v", ms=4, lw=0))
    if "inter_stimulus_interval" in table and table["inter_stimulus_interval"].notna().any():
        handles.append(line_handle("first pulse", mfc="white", mec=SOFT, marker="v", ms=4, lw=0))
    if artefact:
        handles.append(Patch(color=_ARTEFACT, label="artefact"))
    key(figure, handles, columns=7 if figure.get_figwidth() > 5 else 3)
