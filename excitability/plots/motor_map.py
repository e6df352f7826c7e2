"""Motor map of one muscle, or of two and what they share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..measures._maps import ResponseMap, active_sites, centre_of_gravity, response_map, stimulated
from ..measures.overlap import map_overlap
from ..schema import display
from ._style import (
    BLUE,
    INK,
    ONE_COLUMN,
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
    with_unit,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_FINE = 70  # nodes of the drawn surface along the longer side


@dataclass(frozen=True)
class _Drawn:
    """A map with its surface on a fine grid, in the plane of the map."""

    found: ResponseMap
    x: np.ndarray
    y: np.ndarray
    surface: np.ndarray
    level: float
    centre: np.ndarray
    reach: np.ndarray  # outline of the ellipse that holds 95 % of redrawn centres
    hotspot: np.ndarray


@styled
def motor_map(
    table: pd.DataFrame,
    other: pd.DataFrame | None = None,
    *,
    of: str = "mep_amplitude",
    channel: str = "",
    other_channel: str = "",
    fraction: float = 0.1,
    criterion: float = 0.0,
    spacing: float | None = None,
    directions: tuple[str, str] = ("", ""),
    seed: int = 0,
) -> Figure:
    """Sites and surface of a map, its active area, hotspot and centre of gravity; for two muscles also their overlap.

    Parameters
    ----------
    table : DataFrame
        Trial table of one channel, with ``coil_x``, ``coil_y`` and perhaps ``coil_z`` (m).
    other : DataFrame, optional
        Trials of a second channel, from the same pulses.
    of : str
        Column with the size of the response (V).
    channel, other_channel : str
        Names of the muscles.
    fraction, criterion, spacing, seed
        As for the measure ``motor_map``.
    directions : tuple of str
        What x and y grow towards, for the axes: ``("right", "front")`` in scanner and MNI frames, ``("lateral",
        "front")`` of a grid on a cap. Positions do not tell it, so it is left out by default.

    Returns
    -------
    matplotlib.figure.Figure
        One panel a muscle, and one with both active areas where there are two. Positions are in millimetres; those of
        navigated coils in the plane through them.

    Raises
    ------
    ValueError
        With fewer than four sites, or no response.

    Examples
    --------
    >>> rng = np.random.default_rng(3)
    >>> x, y = (np.tile(axis.ravel() / 100, 4) for axis in np.meshgrid(np.arange(6.0), np.arange(6.0)))
    >>> size = 1e-3 * np.exp(-((x - 0.02) ** 2 + (y - 0.03) ** 2) / 2e-4) * rng.lognormal(0, 0.4, x.size)
    >>> figure = motor_map(pd.DataFrame({"coil_x": x, "coil_y": y, "mep_amplitude": size}), channel="FDI")
    >>> figure.axes[0].get_xlabel()
    'Coil position x (mm)'
    """
    tables = [table] if other is None else [table, other]
    if len({len(each) for each in tables}) > 1:
        raise ValueError(f"two maps need the same pulses, got {len(tables[0])} and {len(tables[1])} rows")
    maps = response_map(tables, of, spacing, "auto", criterion)
    if maps is None:
        raise ValueError("a map needs pulses at four or more coil positions")
    names = [channel, other_channel][: len(maps)]
    for found, name in zip(maps, names, strict=True):
        if not active_sites(found.mean, fraction, criterion).any() or found.mean.max() <= 0:
            raise ValueError(f"no site of {name or 'the map'} reaches the criterion ({criterion:g})")
    drawn = [_drawn(found, fraction, criterion, seed) for found in maps]
    single = len(maps) == 1
    shape = float(np.clip(np.ptp(drawn[0].y) / np.ptp(drawn[0].x), 0.5, 1.4))
    figure = new_figure(ONE_COLUMN if single else TWO_COLUMNS, (2.3 if single else 2.15) * shape + 0.95)
    axes = figure.subplots(1, 1 if single else 3, squeeze=False, sharex=True, sharey=True)[0]
    colours = (BLUE, PALETTE[0])
    for ax, one, name, colour in zip(axes, drawn, names, colours, strict=False):
        _map(figure, ax, one, name, colour)
    if other is not None:
        _both(axes[2], drawn, names, colours)
        found = map_overlap(
            table, other, of=of, fraction=fraction, criterion=criterion, spacing=spacing, seed=seed
        )  # fmt: skip
        axes[2].set_title(_shared(found), weight="normal", size=SMALL)
    for place, ax in enumerate(axes):
        ax.set_aspect("equal")
        ax.set_xlabel(_axis_label("x", directions[0]))
        if place == 0:
            ax.set_ylabel(_axis_label("y", directions[1]))
        tidy(ax)
    key(figure, _key(drawn[0]), columns=5 if other is not None else 2)
    return figure


def _drawn(found: ResponseMap, fraction: float, criterion: float, seed: int) -> _Drawn:
    margin = 0.5 * found.spacing
    low, high = found.flat.min(axis=0) - margin, found.flat.max(axis=0) + margin
    step = float((high - low).max()) / _FINE
    x, y = (np.arange(low[i], high[i] + step / 2, step) for i in (0, 1))
    nodes = np.stack([axis.ravel() for axis in np.meshgrid(x, y)], axis=1)
    surface = found.surface.mean(nodes)
    surface[~stimulated(nodes, found.flat, 0.75 * found.spacing)] = np.nan
    active = active_sites(found.mean, fraction, criterion)
    redrawn = found.draws(np.random.default_rng(seed))
    inside = np.where(active_sites(redrawn, fraction, criterion, found.tops(redrawn)), redrawn, 0.0)
    usable = inside.sum(axis=1) > 0
    centre = centre_of_gravity(found.flat, np.where(active, found.mean, 0.0))
    reach = _ellipse(centre_of_gravity(found.flat, inside[usable]))
    level = max(fraction * float(np.nanmax(surface)), criterion)
    return _Drawn(
        found, x, y, surface.reshape(y.size, x.size), level, centre, reach, found.flat[int(found.mean.argmax())]
    )


def _axis_label(axis: str, direction: str) -> str:
    label = with_unit(f"Coil position {axis}", display("m")[1])
    return f"{label}, {direction} \N{RIGHTWARDS ARROW}" if direction else label


def _ellipse(centres: np.ndarray) -> np.ndarray:
    """Outline of the ellipse that holds 95 % of normally scattered points (n, 2), shape (90, 2)."""
    if len(centres) < 3:
        return np.full((1, 2), np.nan)
    angle = np.linspace(0, 2 * np.pi, 90)
    values, vectors = np.linalg.eigh(np.cov(centres.T))
    radii = np.sqrt(np.maximum(values, 0) * -2 * np.log(0.05))  # of chi-squared with two degrees of freedom
    return np.asarray(centres.mean(axis=0) + (np.stack([np.cos(angle), np.sin(angle)], axis=1) * radii) @ vectors.T)


def _map(figure: Figure, ax: Axes, one: _Drawn, name: str, colour: str) -> None:
    """Surface, sites, active area, hotspot and centre of gravity of one muscle."""
    from matplotlib.colors import LinearSegmentedColormap

    length = display("m")[0]
    top = max(float(np.nanmax(one.surface)), float(one.found.mean.max()))
    factor, unit = readable("V", [top])
    shades = LinearSegmentedColormap.from_list("map", ["white", colour])
    image = ax.pcolormesh(
        one.x * length, one.y * length, one.surface * factor, cmap=shades, vmin=0, vmax=1.25 * top * factor,
        shading="nearest", rasterized=True, zorder=1, alpha=0.9,
    )  # fmt: skip
    _outline(ax, one, colour)
    places, sizes = _sites(one.found)
    ax.scatter(
        places[:, 0] * length, places[:, 1] * length, s=1.5 + 60 * sizes / sizes.max(), facecolors="none",
        edgecolors=INK, linewidths=0.6, alpha=0.75, zorder=3,
    )  # fmt: skip
    ax.plot(*(one.hotspot * length), "*", ms=9, color="white", mec=INK, mew=0.8, zorder=5)
    _centre(ax, one, INK)
    ax.set_title(name or "Motor map", y=1.02)
    if _truncated(one):
        ax.text(0.985, 0.015, "truncated", transform=ax.transAxes, ha="right", va="bottom", size=SMALL, color=INK)
    strip = ax.inset_axes((0.55, 1.03, 0.43, 0.026))
    bar = figure.colorbar(image, cax=strip, orientation="horizontal", ticklocation="top")
    strip.set_xlim(0, top * factor)
    bar.outline.set_visible(False)  # type: ignore[operator]
    strip.tick_params(labelsize=6, length=2, width=0.6, pad=1)
    strip.text(-0.04, 0.5, unit, transform=strip.transAxes, ha="right", va="center", size=6)


def _sites(found: ResponseMap) -> tuple[np.ndarray, np.ndarray]:
    """Stimulated positions in the plane of the map and the mean response at each."""
    fitted = found.surface
    return fitted.place, np.maximum(np.bincount(fitted.at, fitted.size) / np.bincount(fitted.at), 0.0)


def _truncated(one: _Drawn) -> bool:
    edge = (one.found.neighbours() < 0).any(axis=1)
    return bool((one.found.mean[edge] >= one.level).any())


def _outline(ax: Axes, one: _Drawn, colour: str) -> None:
    length = display("m")[0]
    ax.contour(
        one.x * length, one.y * length, one.surface, levels=[one.level], colors=[colour], linewidths=1.4, zorder=2
    )  # fmt: skip


def _centre(ax: Axes, one: _Drawn, colour: str) -> None:
    """Centre of gravity with the ellipse of its uncertainty."""
    length = display("m")[0]
    ax.plot(*(one.reach * length).T, color="white", lw=2.2, zorder=5.5)
    ax.plot(*(one.reach * length).T, color=colour, lw=1.2, zorder=6)
    ax.plot(*(one.centre * length), "o", ms=3.4, color=colour, mec="white", mew=0.6, zorder=6.5)


def _both(ax: Axes, drawn: list[_Drawn], names: list[str], colours: tuple[str, ...]) -> None:
    """Active areas and centres of both muscles over each other."""
    length = display("m")[0]
    for one, colour in zip(drawn, colours, strict=True):
        ax.contourf(
            one.x * length,
            one.y * length,
            one.surface,
            levels=[one.level, np.inf],
            colors=[colour],
            alpha=0.22,
            zorder=1,
        )
        _outline(ax, one, colour)
        _centre(ax, one, colour)
    places, _ = _sites(drawn[0].found)
    ax.plot(*(places * length).T, ".", ms=1.5, color=SOFT, zorder=0.5)
    ax.set_facecolor("white")
    for place, (name, colour) in enumerate(zip(names, colours, strict=True)):
        ax.text(0.02, 0.985 - 0.06 * place, name, transform=ax.transAxes, va="top", color=colour, size=SMALL,
                weight="bold", zorder=7, bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.8})  # fmt: skip


def _shared(found: dict[str, Any]) -> str:
    """Overlap and distance with their intervals, two lines."""
    jaccard, apart = found["map_overlap_jaccard"], found["centre_of_gravity_distance"]
    length, unit = display("m")
    return (
        f"Jaccard {float(jaccard):.2f} [{jaccard.ci_low:.2f}, {jaccard.ci_high:.2f}]\n"
        f"centres {float(apart) * length:.1f} {unit} [{apart.ci_low * length:.1f}, {apart.ci_high * length:.1f}] apart"
    )


def _key(one: _Drawn) -> list[Any]:
    site = "site (size: mean response)" if one.found.gridded else "pulse (size: response)"
    return [
        line_handle(site, color=INK, marker="o", mfc="none", mew=0.6, ms=5, lw=0),
        line_handle("active area", color=SOFT, lw=1.4),
        line_handle("centre of gravity", color=INK, marker="o", ms=4.5, lw=0, mec="white"),
        line_handle("its 95 % ellipse", color=INK, marker="o", mfc="none", ms=8, lw=0, mew=1.2),
        line_handle("hotspot", color="white", marker="*", mec=INK, ms=8, mew=0.8, lw=0),
    ]
