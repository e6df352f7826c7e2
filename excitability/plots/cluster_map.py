"""Where and when an evoked potential changed: t values of all channels over time, and the scalp in each cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..schema import display
from ._style import INK, SMALL, SOFT, TWO_COLUMNS, arrange, new_figure, styled, tidy

if TYPE_CHECKING:
    import mne
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MOST_MAPS = 4
_ALPHA = 0.05


@styled
def cluster_map(
    t: np.ndarray,
    times: np.ndarray,
    info: mne.Info,
    clusters: pd.DataFrame,
    *,
    tmin: float = -0.02,
    tmax: float = 0.3,
    title: str = "",
) -> Figure:
    """Image of the t values, clusters outlined, with a topography of each cluster above.

    Parameters
    ----------
    t : array, shape (n_channels, n_times)
        From :func:`excitability.comparison.change_map`.
    times : array, shape (n_times,)
        Seconds from the pulse.
    info : mne.Info
        Of the same channels, with positions.
    clusters : DataFrame
        Rows of :func:`excitability.compare_evoked` of one contrast and group. Drawn are those with p <= 0.05; what is
        no evidence has no outline. Marked electrodes are those of the cluster.
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
    >>> import mne
    >>> info = mne.create_info(["F3", "Fz", "F4", "Cz"], 500.0, "eeg").set_montage("colin27_1020")
    >>> times = np.arange(-0.05, 0.3, 0.002)
    >>> t = np.outer([4.0, 3.0, 1.0, 1.0], np.exp(-(((times - 0.06) / 0.01) ** 2)))
    >>> clusters = pd.DataFrame({"cluster": [1], "p_value": [0.01], "window_start": 0.015, "window_stop": 0.08,
    ...     "t0": 0.052, "t1": 0.068, "channels": "F3+Fz", "sign": "positive", "threshold": 2.0, "peak_time": 0.06})
    >>> figure = cluster_map(t, times, info, clusters)
    >>> [ax.get_xlabel() for ax in figure.axes if ax.get_xlabel()]
    ['Time from pulse (ms)']
    """
    t, times = np.asarray(t, dtype=float), np.asarray(times, dtype=float)
    if t.shape != (len(info["chs"]), times.size):
        raise ValueError(
            f"cluster_map needs t of shape ({len(info['chs'])} channels, {times.size} times), not {t.shape}"
        )
    shown = (times >= tmin) & (times <= tmax)
    drawn = _drawn(clusters)
    size = np.abs(t[:, shown])
    reach = float(np.quantile(size, 0.995)) or float(size.max()) or 1.0  # a few large values would pale the rest
    order = np.argsort([-channel["loc"][1] for channel in info["chs"]], kind="stable")  # frontal above
    figure = new_figure(TWO_COLUMNS * 0.8, 4.6 if len(drawn) else 3.2)
    arrange(figure, hspace=0.02)
    parts: Any = (None, figure)
    if len(drawn):
        parts = figure.subfigures(2, 1, height_ratios=[1.45, 3.1])
        _topographies(parts[0], t, times, info, drawn, reach)
    ax = parts[1].subplots()
    image = _image(ax, t[order][:, shown], times[shown], reach)
    names = [info["ch_names"][i] for i in order]
    ax.set_yticks(range(len(names)), names, size=SMALL if len(names) <= 20 else 5.5)
    _outlines(ax, t[order], times, names, drawn, clusters)
    tidy(ax)
    further = "both" if size.max() > reach else "neither"
    bar = parts[1].colorbar(image, ax=ax, pad=0.01, fraction=0.04, extend=further, extendfrac=0.03)
    bar.set_label("t of the change", size=SMALL)
    bar.outline.set_visible(False)
    bar.ax.tick_params(labelsize=6, length=2, width=0.6)
    if title:
        figure.suptitle(title, size=9, weight="bold", x=0.01, ha="left")
    return figure


def _drawn(clusters: pd.DataFrame) -> pd.DataFrame:
    sure = clusters[(clusters["cluster"] > 0) & clusters["t0"].notna() & (clusters["p_value"] <= _ALPHA)]
    return sure.sort_values("p_value", kind="stable").head(_MOST_MAPS).sort_values("t0", kind="stable")


def _image(ax: Axes, t: np.ndarray, times: np.ndarray, reach: float) -> Any:
    ms = display("s")[0]
    half = (times[1] - times[0]) / 2
    extent = ((times[0] - half) * ms, (times[-1] + half) * ms, len(t) - 0.5, -0.5)
    image = ax.imshow(t, aspect="auto", cmap="RdBu_r", vmin=-reach, vmax=reach, extent=extent, interpolation="nearest")
    ax.axvline(0, color=SOFT, lw=0.8)
    ax.set_autoscale_on(False)
    ax.set_xlabel("Time from pulse (ms)")
    return image


def _outlines(
    ax: Axes, t: np.ndarray, times: np.ndarray, names: list[str], drawn: pd.DataFrame, clusters: pd.DataFrame
) -> None:
    """The windows above the image, and a line around the points of each cluster."""
    ms = display("s")[0]
    for start, stop in clusters[["window_start", "window_stop"]].drop_duplicates().to_numpy(dtype=float):
        gap = 1.0  # ms, so that two windows that touch are seen as two
        span = [start * ms + gap, stop * ms - gap]
        ax.plot(span, [1.02, 1.02], transform=ax.get_xaxis_transform(), color=SOFT, lw=2.5,
                clip_on=False, solid_capstyle="butt")  # fmt: skip
    for number, row in enumerate(drawn.to_dict("records"), start=1):
        mask = _points(t, times, names, row)
        edge = np.pad(mask.astype(float), 1)
        step = times[1] - times[0]
        x = np.concatenate([[times[0] - step], times, [times[-1] + step]]) * ms
        ax.contour(x, np.arange(-1, len(t) + 1), edge, levels=[0.5], colors=INK, linewidths=0.9)
        if not mask.any():
            continue
        place, sample = np.unravel_index(int(np.argmax(np.where(mask, np.abs(t), -1))), t.shape)
        strongest = (times[sample] * ms, place)  # numbers in the middle would stand upon one another
        ax.annotate(str(number), strongest, ha="center", va="center", size=SMALL, weight="bold", color=INK,
                    bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.8, "alpha": 0.85})  # fmt: skip


def _points(t: np.ndarray, times: np.ndarray, names: list[str], row: Any) -> np.ndarray:
    """Points of a cluster: its channels and times, beyond its threshold and of its sign."""
    channels = np.isin(names, str(row["channels"]).split("+"))
    inside = (times >= row["t0"] - 1e-9) & (times <= row["t1"] + 1e-9)
    signed = t if row["sign"] == "positive" else -t
    limit = row["threshold"] if np.isfinite(row["threshold"]) else 0.0  # enhanced values have none
    return channels[:, None] & inside & (signed > limit)


def _topographies(part: Any, t: np.ndarray, times: np.ndarray, info: Any, drawn: pd.DataFrame, reach: float) -> None:
    from mne.viz import plot_topomap

    columns = max(len(drawn), 3)  # one map alone would fill the page
    axes = part.subplots(1, columns, squeeze=False)[0]
    ms = display("s")[0]
    for ax in axes[len(drawn) :]:
        ax.set_visible(False)
    for number, (ax, row) in enumerate(zip(axes, drawn.to_dict("records"), strict=False), start=1):
        inside = (times >= row["t0"] - 1e-9) & (times <= row["t1"] + 1e-9)
        own = np.isin(info["ch_names"], str(row["channels"]).split("+"))
        plot_topomap(
            t[:, inside].mean(axis=1), info, axes=ax, show=False, cmap="RdBu_r", vlim=(-reach, reach), contours=0,
            sensors=False, mask=own,
            mask_params={"marker": "o", "markerfacecolor": INK, "markeredgecolor": "white", "markersize": 3.5},
        )  # fmt: skip
        chance = "p < 0.001" if row["p_value"] < 0.001 else f"p = {row['p_value']:.2g}"
        ax.set_title(
            f"{number}: {row['t0'] * ms:.0f}–{row['t1'] * ms:.0f} ms\n{chance}",
            loc="center",
            size=SMALL,
            weight="normal",
        )
