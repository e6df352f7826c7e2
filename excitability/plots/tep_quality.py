"""Quality of an evoked potential: what the cleaning lets through, signal over noise, and the first milliseconds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ..labels import name_in_words
from ..schema import QUALITY, display
from ._style import BAND, BLUE, FAINT, PALETTE, SMALL, SOFT, TWO_COLUMNS, new_figure, readable, styled, tidy
from ._tep_panels import average_of

if TYPE_CHECKING:
    import mne
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_LEAST_GAIN, _LEAST_SNR = 0.8, 3.0
_MOST_GAIN = 1.5  # where the axis of the gain ends: beyond it the peak is not known, whatever the number
_COUNTS = (
    ("trials_kept", "trials kept"),
    ("channels_kept", "channels kept"),
    ("channels_rebuilt", "rebuilt"),
    ("rank", "rank"),
)


@styled
def tep_quality(
    results: pd.DataFrame,
    x: np.ndarray | mne.Evoked | None = None,
    times: np.ndarray | None = None,
    *,
    artefact: tuple[float, float] | None = None,
    title: str = "",
) -> Figure:
    """Gain and signal over noise of each peak, and the average soon after the pulse.

    Parameters
    ----------
    results : DataFrame
        Result rows of one session and condition, of which those named ``quality_…`` are drawn.
    x : array, shape (n_channels, n_times), or mne.Evoked, optional
        Average of the channels of the region, V.
    times : array, shape (n_times,), optional
        Seconds from the pulse; only of an array.
    artefact : (float, float), optional
        Span that was bridged, s; greyed.
    title : str
        Title of the figure.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        Where the results hold no row on quality, or shapes do not belong together.
    TypeError
        For what are no result rows.

    Examples
    --------
    >>> rows = pd.DataFrame({"measure": ["quality_n100_gain", "quality_n100_snr"], "value": [0.7, 12.0],
    ...                      "ci_low": [0.65, 9.0], "ci_high": [0.75, 15.0]})
    >>> [ax.get_title(loc="left") for ax in tep_quality(rows).axes]
    ['Gain of the cleaning', 'Signal over noise']
    """
    if not isinstance(results, pd.DataFrame) or "measure" not in results:
        raise TypeError(
            f"tep_quality draws result rows (results = ex.run(raw, protocol)), not {type(results).__name__}; an "
            "average comes after them: tep_quality(results, evoked)"
        )
    if x is not None:
        x, times, _ = average_of(x, times, "tep_quality")
    own = results[results["measure"].astype(str).str.startswith(QUALITY)]
    if own.empty:
        raise ValueError(f"tep_quality: none of the {len(results)} rows begins with {QUALITY}; run a TEP protocol")
    rows = {str(row["measure"]).removeprefix(QUALITY): row for row in own.to_dict("records")}
    if x is not None and (np.ndim(x) != 2 or times is None or np.shape(x)[1] != times.size):
        raise ValueError(f"tep_quality: x must be (n_channels, n_times) with its times, got {np.shape(x)}")
    figure = new_figure(TWO_COLUMNS, 2.3 if x is None else 2.5)
    axes = figure.subplots(1, 2 if x is None else 3, squeeze=False)[0]
    _dots(axes[0], rows, "_gain", _LEAST_GAIN, "Gain of the cleaning", most=_MOST_GAIN)
    axes[0].axhline(1, color=FAINT, lw=0.7, zorder=1)
    _sources(axes[0], rows)
    _dots(axes[1], rows, "_snr", _LEAST_SNR, "Signal over noise")
    if x is not None and times is not None:
        _early(axes[2], np.asarray(x, dtype=float), np.asarray(times, dtype=float), rows, artefact)
    for ax in axes:
        tidy(ax)
    told = _counts(rows)
    if told:
        figure.supxlabel(told, size=SMALL, color=SOFT, x=0.01, ha="left")
    if title:
        figure.suptitle(title, size=9, weight="bold", x=0.01, ha="left")
    return figure


def _dots(ax: Axes, rows: dict[str, dict], end: str, least: float, title: str, most: float = np.inf) -> None:
    """A dot a peak with its limits; vermilion below what is wanted; a number and an arrow where it leaves the panel."""
    names = [name for name in rows if name.endswith(end) and not name.startswith("source")]
    ax.axhspan(0, least, color=BAND, lw=0, zorder=0)
    ax.axhline(least, color=SOFT, lw=0.7, ls=(0, (3, 2)), zorder=1)
    limits = {name: [float(rows[name].get(word, np.nan)) for word in ("value", "ci_low", "ci_high")] for name in names}
    known = np.array([list(three) for three in limits.values()] or [[np.nan]])
    top = min(1.12 * float(np.nanmax([1.25 * least, *known[np.isfinite(known)]])), most)
    for place, (value, low, high) in enumerate(limits.values()):
        if not np.isfinite(value):
            ax.text(place, 0.04, "none", transform=ax.get_xaxis_transform(), ha="center", size=SMALL, color=SOFT)
            continue
        colour = PALETTE[0] if value < least else BLUE
        if np.isfinite(low) and np.isfinite(high):
            ax.plot([place, place], [low, min(high, top)], color=colour, lw=1.2, zorder=2)
        if value > top:
            ax.plot(place, 0.97 * top, "^", color=colour, ms=4.5, zorder=3)
            ax.annotate(f"{value:.1f}", (place, 0.97 * top), (5, 0), textcoords="offset points", va="center",
                        size=SMALL, color=colour)  # fmt: skip
        else:
            ax.plot(place, value, "o", color=colour, ms=4.5, zorder=3)
    peaks = [name_in_words(name.removesuffix(end)) for name in names]
    ax.set_xticks(range(len(names)), peaks)
    ax.set_xlim(-0.6, max(len(names), 1) - 0.4)
    ax.set_ylim(0, top)
    ax.set_title(title)


def _sources(ax: Axes, rows: dict[str, dict]) -> None:
    value = float(rows.get("source_gain", {}).get("value", np.nan))
    if np.isfinite(value):
        ax.axhline(value, color=PALETTE[0] if value < _LEAST_GAIN else SOFT, lw=1.2, zorder=1)
        # the dashed limit and the dots may lie where the words are
        behind = {"facecolor": "white", "edgecolor": "none", "pad": 0.8, "alpha": 0.85}
        ax.text(0.99, value - 0.03, "median of sources", transform=ax.get_yaxis_transform(), ha="right", va="top",
                size=SMALL, color=SOFT, bbox=behind, zorder=4)  # fmt: skip


def _early(
    ax: Axes, x: np.ndarray, times: np.ndarray, rows: dict[str, dict], artefact: tuple[float, float] | None
) -> None:
    """The channels of the region from 20 ms before to 80 ms after the pulse."""
    ms = display("s")[0]
    shown = (times >= -0.020) & (times <= 0.080)
    factor, unit = readable("V", [np.nanmax(np.abs(x[:, shown]))])
    ax.plot(times[shown] * ms, x[:, shown].T * factor, color="#7d93a6", lw=0.8, alpha=0.8)
    ax.axhline(0, color=FAINT, lw=0.6, zorder=0)
    if artefact:
        ax.axvspan(artefact[0] * ms, artefact[1] * ms, color="#dddddd", lw=0, zorder=5)
    usable = float(rows.get("usable_from", {}).get("value", np.nan))
    if usable <= 0.080:
        ax.axvline(usable * ms, color=PALETTE[1], lw=1.2, zorder=6)
        ax.text(usable * ms + 1, 0.97, f"usable from {usable * ms:.0f} ms", transform=ax.get_xaxis_transform(),
                ha="left", va="top", size=SMALL, color=PALETTE[1], zorder=7,
                bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.6, "alpha": 0.8})  # fmt: skip
    low, high = ax.get_ylim()
    ax.set_ylim(low, high + 0.15 * (high - low))
    ax.set_xlim(-20, 80)
    ax.set_xlabel("Time from pulse (ms)")
    ax.set_ylabel(f"Amplitude ({unit})")
    never = usable > 0.080 or "never_usable" in str(rows.get("usable_from", {}).get("flag", ""))
    ax.set_title("The first milliseconds: not usable" if never else "The first milliseconds")


def _counts(rows: dict[str, dict]) -> str:
    """Counts and repeatability in one line."""
    parts = [
        f"{word} {float(rows[name]['value']):.0f}"
        for name, word in _COUNTS
        if name in rows
        and np.isfinite(float(rows[name]["value"]))
        and (name != "channels_rebuilt" or rows[name]["value"])
    ]
    value = float(rows.get("split_half_reliability", {}).get("value", np.nan))
    if np.isfinite(value):
        parts.append(f"split-half reliability {value:.2f}")
    return " · ".join(parts)
