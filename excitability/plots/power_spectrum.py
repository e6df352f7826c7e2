"""Power spectrum of resting EEG with its aperiodic part."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from ..schema import display
from ._style import (
    BLUE,
    INK,
    ONE_COLUMN,
    PALETTE,
    SMALL,
    SOFT,
    key,
    line_handle,
    new_figure,
    plain_log_axis,
    styled,
    tidy,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_BANDS = {"θ": (4.0, 8.0), "α": (8.0, 13.0), "β": (13.0, 30.0)}


@styled
def power_spectrum(
    frequencies: np.ndarray,
    power: np.ndarray | Mapping[str, np.ndarray],
    *,
    aperiodic: np.ndarray | None = None,
    peak: float | None = None,
) -> Figure:
    """Power spectral density on double logarithmic axes.

    Parameters
    ----------
    frequencies : array, shape (n_frequencies,)
        Hz; zero is left out.
    power : array, shape (n_frequencies,) or (n_channels, n_frequencies), or a mapping of them
        Density in V²/Hz; of several channels the mean of the logarithm is drawn bold. A mapping draws one line a
        name (time points, regions).
    aperiodic : array, shape (n_frequencies,), optional
        Aperiodic part in V²/Hz.
    peak : float, optional
        Individual alpha frequency in Hz; marked.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> frequencies = np.arange(1.0, 45.0)
    >>> figure = power_spectrum(frequencies, 1e-11 / frequencies)
    >>> figure.axes[0].get_xlabel()
    'Frequency (Hz)'
    """
    frequencies = np.asarray(frequencies, dtype=float)
    usable = frequencies > 0
    factor, unit = display("V^2")
    figure = new_figure(ONE_COLUMN, 2.7)
    ax = figure.add_subplot()
    ax.set_xscale("log")
    ax.set_yscale("log")
    lines = power if isinstance(power, Mapping) else {"": power}
    handles = []
    for (name, values), colour in zip(lines.items(), [INK, BLUE, *PALETTE], strict=False):
        values = np.atleast_2d(np.asarray(values, dtype=float))[:, usable] * factor
        if len(values) > 1:
            ax.plot(frequencies[usable], values.T, color=colour, lw=0.4, alpha=0.25)
        ax.plot(frequencies[usable], np.exp(np.log(values).mean(axis=0)), color=colour, lw=1.6)
        if name:
            handles.append(line_handle(name, color=colour, lw=1.6))
    if aperiodic is not None:
        ax.plot(frequencies[usable], np.asarray(aperiodic)[usable] * factor, color=PALETTE[0], lw=1, ls=(0, (4, 2)))
        handles.append(line_handle("aperiodic part", color=PALETTE[0], lw=1, ls=(0, (4, 2))))
    limits = frequencies[usable][[0, -1]]
    for number, (name, (low, high)) in enumerate(_BANDS.items()):
        if low >= limits[0] and high <= limits[1]:
            ax.axvspan(low, high, color="#f3f3f3" if number % 2 else "#e9e9e9", lw=0, zorder=0)
            ax.text((low * high) ** 0.5, 0.98, name, transform=ax.get_xaxis_transform(), ha="center", va="top",
                    size=SMALL, color=SOFT)  # fmt: skip
    if peak is not None and np.isfinite(peak):
        ax.plot([peak, peak], [0, 0.92], color=SOFT, lw=0.8, ls=(0, (2, 2)), transform=ax.get_xaxis_transform())
        ax.annotate(f"{peak:.1f} Hz", (peak, 0.02), (3, 0), xycoords=ax.get_xaxis_transform(),
                    textcoords="offset points", size=SMALL, color=SOFT)  # fmt: skip
    ax.set_xlim(*limits)
    plain_log_axis(ax.yaxis, *ax.get_ylim())
    ticks = [tick for tick in (1, 2, 4, 8, 13, 20, 30, 45, 80) if limits[0] <= tick <= limits[1]]
    ax.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    ax.minorticks_off()
    ax.set_xlabel("Frequency (Hz)")
    ax.set_ylabel(f"Power ({unit}/Hz)")
    tidy(ax)
    key(figure, handles)
    return figure
