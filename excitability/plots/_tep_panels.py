"""Panels that figures of evoked potentials share: all channels, the global mean field, peaks, gaps of the pulses."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..schema import Estimate, display
from ._style import FAINT, INK, PALETTE, SMALL, SOFT

if TYPE_CHECKING:
    from matplotlib.axes import Axes

GAP = "#dddddd"
_LATENCY = re.compile(r"^(?!quality_|mep_)\w+_latency$")
_DOUBTFUL = ("unstable", "low_snr", "before_usable")
_CLOSE = 0.08  # of the time axis: labels nearer than this stand on two lines
LABEL = {"facecolor": "white", "edgecolor": "none", "pad": 0.6, "alpha": 0.8}

Spans = Sequence[tuple[float, float]]


def peaks_of(peaks: Mapping[str, float] | pd.DataFrame | None, condition: str | None = None) -> dict[str, Estimate]:
    """Latency of each peak in order, s, from a mapping or from result rows named ``…_latency``."""
    if peaks is None:
        return {}
    if isinstance(peaks, pd.DataFrame):
        rows = peaks[peaks["measure"].astype(str).str.match(_LATENCY.pattern)]
        if condition is not None and "condition" in rows:
            rows = rows[rows["condition"] == condition]
        found: dict[str, Estimate] = {}
        for row in rows.to_dict("records"):
            low, high = (float(row.get(limit, np.nan)) for limit in ("ci_low", "ci_high"))
            name = str(row["measure"]).removesuffix("_latency").upper()
            found.setdefault(name, Estimate(float(row["value"]), low, high, flag=str(row.get("flag", "") or "")))
    else:
        found = {name: one if isinstance(one, Estimate) else Estimate(float(one)) for name, one in peaks.items()}
    return dict(sorted(((name, one) for name, one in found.items() if np.isfinite(one)), key=lambda item: item[1]))


def outside(times: np.ndarray, gaps: Spans) -> np.ndarray:
    """Samples that no gap covers."""
    clear = np.ones(times.size, dtype=bool)
    for start, stop in gaps:
        clear &= (times < start) | (times > stop)
    return clear


def draw_channels(ax: Axes, x: np.ndarray, times: np.ndarray, colours: Sequence[Any]) -> None:
    """All channels as lines; ``x`` in display units."""
    from matplotlib.collections import LineCollection

    ms = display("s")[0]
    lines = [np.column_stack([times * ms, channel]) for channel in x]
    plain = len(set(map(str, colours))) == 1
    ax.add_collection(LineCollection(lines, colors=list(colours), linewidths=0.5 if plain else 0.6,
                                     alpha=0.6 if plain else 0.75, zorder=2, rasterized=True))  # fmt: skip
    ax.axhline(0, color=FAINT, lw=0.6, zorder=1)


def limits_of(x: np.ndarray, room: float = 0.12) -> tuple[float, float]:
    """Limits that hold all values, with room for the names of peaks above."""
    low, high = float(np.nanmin(x)), float(np.nanmax(x))
    margin = room * (high - low) or 1.0
    return low - margin, high + 1.8 * margin


def draw_gaps(ax: Axes, gaps: Spans) -> None:
    """Pulses as lines, and what was cut out or bridged about them in grey."""
    ms = display("s")[0]
    for start, stop in gaps:
        ax.axvspan(start * ms, stop * ms, color=GAP, lw=0, zorder=5)


def name_peaks(ax: Axes, peaks: Mapping[str, Estimate], width: float) -> None:
    """A dashed line at each peak and its name above; neighbours stand on two lines."""
    ms = display("s")[0]
    last, level = -np.inf, 0
    for name, when in peaks.items():
        level = (level + 1) % 2 if when - last < _CLOSE * width else 0
        last = float(when)
        line_at(ax, when)
        ax.annotate(name, (when * ms, 1 - 0.085 * level), (0, 1), xycoords=ax.get_xaxis_transform(),
                    textcoords="offset points", ha="center", va="top", size=SMALL, color=_colour(when), zorder=6,
                    bbox=LABEL)  # fmt: skip


def line_at(ax: Axes, when: Estimate) -> None:
    """The dashed line of a peak."""
    ax.axvline(when * display("s")[0], color=_colour(when), lw=0.7, ls=(0, (2, 2)), zorder=1)


def draw_mean_field(
    ax: Axes, field: np.ndarray, times: np.ndarray, peaks: Mapping[str, Estimate], *, marked: bool = True
) -> None:
    """Global mean field with a dot and the interval of the latency at each peak; open where a peak is in doubt."""
    ms = display("s")[0]
    ax.plot(times * ms, field, color=INK, lw=1.4, zorder=3)
    for when in peaks.values():
        line_at(ax, when)
        height = float(np.interp(when, times, field))
        if not marked:
            continue
        if np.isfinite(when.ci_low) and np.isfinite(when.ci_high):
            ax.plot([when.ci_low * ms, when.ci_high * ms], [height, height], color=_colour(when), lw=2.2, alpha=0.7,
                    solid_capstyle="butt", zorder=6)  # fmt: skip
        sure = not is_doubtful(when)
        ax.plot(when * ms, height, "o", ms=4, mfc=_colour(when) if sure else "white", mec=_colour(when), mew=0.9,
                zorder=7)  # fmt: skip


def is_doubtful(peak: Estimate) -> bool:
    """Whether flags say that the peak is hardly above noise or under the artefact."""
    return any(word in _DOUBTFUL for word in peak.flag.split(";"))


def _colour(peak: Estimate) -> str:
    return SOFT if is_doubtful(peak) else PALETTE[0]


def latency_words(name: str, peak: Estimate, *, interval: bool = True) -> str:
    """``N100 · 105 ms``, and below it the limits of the latency where they are known."""
    ms = display("s")[0]
    text = f"{name} · {peak * ms:.0f} ms"
    if interval and np.isfinite(peak.ci_low) and np.isfinite(peak.ci_high):
        text += f"\n[{peak.ci_low * ms:.0f}, {peak.ci_high * ms:.0f}]"
    return text


def pulse_gaps(pulses: Iterable[float], gap: tuple[float, float]) -> list[tuple[float, float]]:
    """The gap about each pulse; those that touch are one."""
    found: list[tuple[float, float]] = []
    for start, stop in sorted((pulse + gap[0], pulse + gap[1]) for pulse in pulses):
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(stop, found[-1][1]))
        else:
            found.append((start, stop))
    return found


def average_of(what: Any, times: Any, name: str) -> tuple[np.ndarray, np.ndarray, Any]:
    """Average (n_channels, n_times), times and info: of arrays as they are (info is then None), or of what MNE holds.

    Of Evoked and Epochs the good EEG channels are taken.
    """
    if hasattr(what, "average") and hasattr(what, "events"):
        what = what.average(picks="eeg")
    if hasattr(what, "nave") and hasattr(what, "info"):
        evoked = what.copy().pick("eeg", exclude="bads", verbose="ERROR")
        return evoked.data, evoked.times, evoked.info
    if hasattr(what, "info") or not hasattr(what, "__len__"):
        raise TypeError(
            f"{name} draws an average (mne.Evoked, mne.Epochs, or an array and its times), not {_kind(what)}"
        )
    if times is None:
        raise TypeError(f"{name} needs the times of an array: {name}(x, times)")
    return np.asarray(what, dtype=float), np.asarray(times, dtype=float), None


def _kind(what: Any) -> str:
    hint = "; cut trials first: ex.clean(raw, protocol)[0]" if hasattr(what, "annotations") else ""
    return f"{type(what).__name__}{hint}"
