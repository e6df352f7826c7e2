"""TMS-evoked potential: all channels, their global mean field, and the scalp at its peaks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..schema import Estimate, display
from ._scalp import FEWEST, channel_colours, colour_bar, has_positions, head_key, topography
from ._style import SMALL, SOFT, TWO_COLUMNS, arrange, new_figure, readable, styled, tidy
from ._tep_panels import (
    average_of,
    draw_channels,
    draw_gaps,
    draw_mean_field,
    latency_words,
    limits_of,
    name_peaks,
    outside,
    peaks_of,
)

if TYPE_CHECKING:
    import mne
    from matplotlib.figure import Figure


@styled
def tep_butterfly(
    x: np.ndarray | mne.Evoked | mne.BaseEpochs,
    times: np.ndarray | None = None,
    *,
    peaks: Mapping[str, float] | pd.DataFrame | None = None,
    info: mne.Info | None = None,
    artefact: tuple[float, float] | None = None,
    tmin: float = -0.05,
    tmax: float = 0.3,
    title: str = "",
) -> Figure:
    """Butterfly plot with the global mean field amplitude below and topographies above.

    Parameters
    ----------
    x : array, shape (n_channels, n_times), mne.Evoked or mne.Epochs
        Average over trials in volts; of what MNE holds the good EEG channels, with their positions.
    times : array, shape (n_times,), optional
        Seconds from the pulse; only of an array.
    peaks : mapping or DataFrame, optional
        Latency in seconds of each named peak, or result rows of one condition; NaN is left out. An ``Estimate`` (and
        a result row) brings the interval of the latency, drawn as a bar, and flags: a peak in doubt is drawn open.
    info : mne.Info, optional
        Of the same channels; where it holds their positions, lines are coloured by them, and from eight channels on
        topographies are drawn.
    artefact : (float, float), optional
        Span that was interpolated or is covered by the artefact, in seconds; greyed.
    tmin, tmax : float
        Limits of the time axis in seconds.
    title : str
        Title of the figure.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        Where shapes do not belong together.
    TypeError
        For what is no average.

    Examples
    --------
    >>> rng = np.random.default_rng(4)
    >>> times = np.arange(-0.1, 0.4, 0.001)
    >>> n100 = -5e-6 * np.exp(-(((times - 0.1) / 0.02) ** 2))
    >>> x = rng.uniform(0, 1, (20, 1)) * n100 + 2e-7 * rng.standard_normal((20, times.size))
    >>> figure = tep_butterfly(x, times, peaks={"N100": 0.1})
    >>> [ax.get_ylabel() for ax in figure.axes]
    ['Amplitude (µV)', 'GMFA (µV)']
    """
    x, times, own = average_of(x, times, "tep_butterfly")
    info = own if info is None else info
    if x.ndim != 2 or x.shape[1] != times.size:
        raise ValueError(f"tep_butterfly needs x of shape (channels, {times.size} times), got {x.shape}")
    shown = (times >= tmin) & (times <= tmax)
    clear = shown & outside(times, [artefact or (-0.002, 0.0)])  # what the panels must hold
    clear = clear if clear.any() else shown
    found = {name: when for name, when in peaks_of(peaks).items() if tmin <= when <= tmax}
    factor, unit = readable("V", [np.nanmax(np.abs(x[:, clear]))])
    maps = has_positions(info, len(x)) and len(x) >= FEWEST and bool(found)
    figure = new_figure(TWO_COLUMNS * 0.8, 4.9 if maps else 3.6)
    arrange(figure, hspace=0.02)
    parts: Any = (None, figure)
    if maps:
        parts = figure.subfigures(2, 1, height_ratios=[1.4, 3.6])
    top, lower = parts
    butterfly, mean_field = lower.subplots(2, 1, sharex=True, height_ratios=[2.2, 1])
    colours = channel_colours(info, len(x))
    draw_channels(butterfly, x[:, shown] * factor, times[shown], colours)
    butterfly.set_ylim(*limits_of(x[:, clear] * factor))
    name_peaks(butterfly, found, tmax - tmin)
    butterfly.text(0.995, 0.02, f"{len(x)} channels", transform=butterfly.transAxes, ha="right", va="bottom",
                   size=SMALL, color=SOFT)  # fmt: skip
    if has_positions(info, len(x)) and info is not None:
        head_key(butterfly, info, colours, place=(0.88, 0.07, 0.12, 0.26))
    gmfa = np.nanstd(x, axis=0) * factor  # spread over channels, divisor n
    draw_mean_field(mean_field, gmfa[shown], times[shown], found)
    mean_field.set_ylim(0, 1.15 * float(np.nanmax(gmfa[clear])) or None)
    for ax in (butterfly, mean_field):
        ax.axvline(0, color=SOFT, lw=0.8, zorder=0)
        draw_gaps(ax, [artefact] if artefact else [])
        tidy(ax)
    butterfly.set_ylabel(f"Amplitude ({unit})")
    mean_field.set_ylabel(f"GMFA ({unit})")
    mean_field.set_xlabel("Time from pulse (ms)")
    mean_field.set_xlim(tmin * display("s")[0], tmax * display("s")[0])
    lower.align_ylabels([butterfly, mean_field])
    if top is not None:
        _topographies(top, x, times, found, info, (factor, unit))
    if title:
        figure.suptitle(title, size=9, weight="bold", x=0.01, ha="left")
    return figure


def _topographies(
    part: Any, x: np.ndarray, times: np.ndarray, peaks: Mapping[str, Estimate], info: Any, scale: tuple[float, str]
) -> None:
    axes = part.subplots(1, len(peaks) + 1, squeeze=False, width_ratios=[1.0] * len(peaks) + [0.015 * len(peaks)])[0]
    columns = [x[:, int(np.argmin(np.abs(times - when)))] for when in peaks.values()]
    reach = float(np.nanmax(np.abs(columns)))
    image = None
    for ax, (name, when), values in zip(axes[:-1], peaks.items(), columns, strict=True):
        image = topography(ax, values, info, reach)
        ax.set_title(latency_words(name, when), loc="center", size=SMALL, weight="normal")
    colour_bar(part, image, axes[-1], scale)
