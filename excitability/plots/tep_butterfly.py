"""TMS-evoked potential: all channels, their global mean field, and the scalp at its peaks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ..schema import display
from ._style import FAINT, INK, PALETTE, SMALL, SOFT, TWO_COLUMNS, arrange, new_figure, readable, styled, tidy

if TYPE_CHECKING:
    import mne
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@styled
def tep_butterfly(
    x: np.ndarray,
    times: np.ndarray,
    *,
    peaks: Mapping[str, float] | None = None,
    info: mne.Info | None = None,
    artefact: tuple[float, float] | None = None,
    tmin: float = -0.05,
    tmax: float = 0.3,
    title: str = "",
) -> Figure:
    """Butterfly plot with the global mean field amplitude below and topographies above.

    Parameters
    ----------
    x : array, shape (n_channels, n_times)
        Average over trials in volts.
    times : array, shape (n_times,)
        Seconds from the pulse.
    peaks : mapping, optional
        Latency in seconds of each named peak; NaN is left out.
    info : mne.Info, optional
        Of the same channels; topographies are drawn where it holds their positions.
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
    x, times = np.asarray(x, dtype=float), np.asarray(times, dtype=float)
    if x.ndim != 2 or x.shape[1] != times.size:
        raise ValueError(f"tep_butterfly needs x of shape (channels, {times.size} times), got {x.shape}")
    shown = (times >= tmin) & (times <= tmax)
    covered = artefact or (-0.002, 0.0)
    clear = shown & ((times < covered[0]) | (times > covered[1]))  # what the panels must hold
    found = {name: when for name, when in (peaks or {}).items() if tmin <= when <= tmax}
    factor, unit = readable("V", [np.nanmax(np.abs(x[:, clear if clear.any() else shown]))])
    maps = _has_positions(info, x) and bool(found)
    figure = new_figure(TWO_COLUMNS * 0.8, 4.9 if maps else 3.6)
    arrange(figure, hspace=0.02)
    parts: Any = (None, figure)
    if maps:
        parts = figure.subfigures(2, 1, height_ratios=[1.35, 3.6])
    top, lower = parts
    butterfly, mean_field = lower.subplots(2, 1, sharex=True, height_ratios=[2.2, 1])
    _butterfly(butterfly, x, times, shown, clear, factor, info)
    gmfa = np.nanstd(x, axis=0)  # spread over channels, divisor n
    mean_field.plot(times[shown] * 1e3, gmfa[shown] * factor, color=INK, lw=1.4)
    tall = float(np.nanmax(gmfa[clear])) * factor if clear.any() else None
    mean_field.set_ylim(0, tall * 1.15 if tall else None)
    _peaks(butterfly, mean_field, found)
    for ax in (butterfly, mean_field):
        ax.axvline(0, color=SOFT, lw=0.8, zorder=0)
        if artefact:
            ax.axvspan(artefact[0] * display("s")[0], artefact[1] * display("s")[0], color="#dddddd", lw=0, zorder=5)
        tidy(ax)
    butterfly.set_ylabel(f"Amplitude ({unit})")
    mean_field.set_ylabel(f"GMFA ({unit})")
    mean_field.set_xlabel("Time from pulse (ms)")
    mean_field.set_xlim(tmin * display("s")[0], tmax * display("s")[0])
    figure.align_ylabels([butterfly, mean_field])
    if top is not None:
        _topographies(top, x * factor, times, found, info, unit)
    if title:
        figure.suptitle(title, size=9, weight="bold", x=0.01, ha="left")
    return figure


def _has_positions(info: mne.Info | None, x: np.ndarray) -> bool:
    if info is None:
        return False
    if len(info["chs"]) != len(x):
        raise ValueError(f"info describes {len(info['chs'])} channels, x has {len(x)}: pick the same channels")
    positions = np.array([channel["loc"][:3] for channel in info["chs"]])
    return bool(np.isfinite(positions).all() and np.abs(positions).sum(axis=1).all())


def _butterfly(
    ax: Axes, x: np.ndarray, times: np.ndarray, shown: np.ndarray, clear: np.ndarray, factor: float, info: Any
) -> None:
    from matplotlib.collections import LineCollection

    ms = display("s")[0]
    lines = [np.column_stack([times[shown] * ms, channel[shown] * factor]) for channel in x]
    # a quiet grey for all: the colours of channels say nothing without their positions
    ax.add_collection(LineCollection(lines, colors="#7d93a6", linewidths=0.5, alpha=0.6, zorder=2, rasterized=True))
    part = x[:, clear] * factor if clear.any() else x[:, shown] * factor
    low, high = float(np.nanmin(part)), float(np.nanmax(part))
    margin = 0.12 * (high - low) or 1.0
    ax.set_ylim(low - margin, high + 1.6 * margin)
    ax.axhline(0, color=FAINT, lw=0.6, zorder=1)
    ax.text(0.995, 0.02, f"{len(x)} channels", transform=ax.transAxes, ha="right", va="bottom", size=SMALL, color=SOFT)


def _peaks(butterfly: Axes, mean_field: Axes, peaks: Mapping[str, float]) -> None:
    ms = display("s")[0]
    edge = butterfly.get_xaxis_transform()
    last = -np.inf
    level = 0
    for name, when in sorted(peaks.items(), key=lambda item: item[1]):
        for ax in (butterfly, mean_field):
            ax.axvline(when * ms, color=PALETTE[0], lw=0.7, ls=(0, (2, 2)), zorder=1)
        level = (level + 1) % 2 if when * ms - last < 22 else 0  # neighbours stand on two lines
        last = when * ms
        butterfly.annotate(name, (when * ms, 1 - 0.085 * level), (0, 1), xycoords=edge, textcoords="offset points",
                           ha="center", va="top", size=SMALL, color=PALETTE[0], zorder=6,
                           bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.6, "alpha": 0.8})  # fmt: skip


def _topographies(
    part: Any, x: np.ndarray, times: np.ndarray, peaks: Mapping[str, float], info: Any, unit: str
) -> None:
    from mne.viz import plot_topomap

    ordered = sorted(peaks.items(), key=lambda item: item[1])
    axes = part.subplots(
        1, len(ordered) + 1, squeeze=False, width_ratios=[1.0] * len(ordered) + [0.015 * len(ordered)]
    )[0]
    columns = [x[:, int(np.argmin(np.abs(times - when)))] for _, when in ordered]
    reach = float(np.nanmax(np.abs(columns)))
    image = None
    for ax, (name, when), values in zip(axes[:-1], ordered, columns, strict=True):
        image, _ = plot_topomap(
            values, info, axes=ax, show=False, cmap="RdBu_r", vlim=(-reach, reach), contours=4, sensors=False
        )
        ax.set_title(f"{name} · {when * display('s')[0]:.0f} ms", loc="center", size=SMALL, weight="normal")
    bar = part.colorbar(image, cax=axes[-1])
    bar.set_label(unit, size=SMALL)
    bar.outline.set_visible(False)
    bar.ax.tick_params(labelsize=6, length=2, width=0.6)
