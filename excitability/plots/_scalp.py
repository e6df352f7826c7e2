"""Electrodes on the head: a colour by position, a small head that explains it, and maps of values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ._style import BLUE, FAINT, PALETTE, SMALL, SOFT, tidy

if TYPE_CHECKING:
    import mne
    from matplotlib.axes import Axes

PLAIN = "#7d93a6"  # of channels whose place is not known
BAD = "#CC79A7"
FEWEST = 8  # electrodes that make a map: between fewer it would be invented
_MIDDLE = "#7a7a7a"
_CENTRE = np.array([0.0, 0.0, 0.04])  # m: of a head whose ears are at height 0


def has_positions(info: mne.Info | None, n_channels: int) -> bool:
    """Whether every channel has a place; an error where ``info`` is of other channels."""
    if info is None:
        return False
    if len(info["chs"]) != n_channels:
        raise ValueError(f"info describes {len(info['chs'])} channels, x has {n_channels}: pick the same channels")
    places = np.array([channel["loc"][:3] for channel in info["chs"]])
    return bool(n_channels and np.isfinite(places).all() and np.abs(places).sum(axis=1).all())


def flat_positions(info: mne.Info) -> np.ndarray:
    """Places seen from above, (n_channels, 2), as far from the vertex as on the head; within a circle of 1."""
    from_centre = np.array([channel["loc"][:3] for channel in info["chs"]]) - _CENTRE
    away = np.arccos(from_centre[:, 2] / np.maximum(np.linalg.norm(from_centre, axis=1), 1e-9)) / (np.pi / 2)
    along = from_centre[:, :2] / np.maximum(np.linalg.norm(from_centre[:, :2], axis=1, keepdims=True), 1e-9)
    return away[:, None] * along / max(1.0, float(away.max()) / 0.93)


def channel_colours(info: mne.Info | None, n_channels: int) -> list[Any]:
    """Blue on the left to vermilion on the right, darker in front: hues and lightness all readers tell apart."""
    from matplotlib.colors import to_rgb

    if not has_positions(info, n_channels) or info is None:
        return [PLAIN] * n_channels
    left, middle, right = (np.array(to_rgb(colour)) for colour in (BLUE, _MIDDLE, PALETTE[0]))
    colours = []
    for x, y in np.clip(flat_positions(info), -1, 1):
        side = min(abs(x) / 0.7, 1.0)
        colour = (1 - side) * middle + side * (left if x < 0 else right)
        colours.append(tuple(colour * (1 - 0.4 * y) if y > 0 else colour + (1 - colour) * 0.4 * -y))
    return colours


def head_key(ax: Axes, info: mne.Info, colours: Sequence[Any], bads: Sequence[str] = (), *, place: Any) -> None:
    """A small head within a panel, whose dots have the colours of the lines; open where a channel is bad."""
    head = ax.inset_axes(place)
    turn = np.linspace(0, 2 * np.pi, 100)
    head.plot(np.cos(turn), np.sin(turn), color=SOFT, lw=0.6)
    head.plot([-0.15, 0, 0.15], [0.99, 1.17, 0.99], color=SOFT, lw=0.6)
    for (x, y), colour, name in zip(flat_positions(info), colours, info["ch_names"], strict=True):
        bad = name in bads
        head.plot(x, y, "o", ms=2.6 if bad else 2.0, mfc="white" if bad else colour, mec=BAD if bad else colour,
                  mew=0.9 if bad else 0)  # fmt: skip
    head.set(xlim=(-1.35, 1.35), ylim=(-1.35, 1.35), aspect="equal")
    head.set_axis_off()
    head.patch.set_alpha(0.0)


def topography(ax: Axes, values: np.ndarray, info: mne.Info, reach: float) -> Any:
    """Map of one value an electrode, V, with colours up to ``reach``; gives the image for a colour bar."""
    from mne.viz import plot_topomap

    # in volts: the tolerance of the interpolation is absolute, and in microvolts it takes six times as long
    image, _ = plot_topomap(
        np.clip(values, -reach, reach), info, axes=ax, show=False, cmap="RdBu_r", vlim=(-reach, reach), contours=4,
        sensors=False,
    )  # fmt: skip
    for line in ax.collections:
        line.set_linewidth(0.6)
    return image


def colour_bar(part: Any, image: Any, cax: Axes, scale: tuple[float, str]) -> None:
    """A quiet colour bar in display units; ``scale`` is their factor and label."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    factor, unit = scale
    plain = FuncFormatter(lambda value, _: f"{value * factor:g}".replace("-", "\N{MINUS SIGN}"))
    bar = part.colorbar(image, cax=cax, ticks=MaxNLocator(5, symmetric=True), format=plain)
    bar.set_label(unit, size=SMALL)
    bar.outline.set_edgecolor(FAINT)
    bar.outline.set_linewidth(0.4)
    tidy(bar.ax)
    bar.ax.tick_params(labelsize=6.5, length=2, width=0.6)
