"""Recruitment (input-output) curve of one channel."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ..measures._tables import is_kept
from ._style import (
    BLUE,
    FAINT,
    INK,
    ONE_COLUMN,
    PALETTE,
    SMALL,
    key,
    line_handle,
    new_figure,
    readable,
    styled,
    tidy,
    with_unit,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@styled
def recruitment_curve(
    table: pd.DataFrame,
    fit: Mapping[str, float] | None = None,
    *,
    curve: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray] | None = None,
    of: str = "mep_amplitude",
    against: str = "intensity",
    channel: str = "",
) -> Figure:
    """Responses against stimulus intensity, with the fitted curve, its band, S50 and threshold.

    Parameters
    ----------
    table : DataFrame
        Trial table of one channel: ``against`` (%MSO), ``of`` (V) and ``reject`` where present.
    fit : mapping, optional
        What the curve's measure returned: ``s50`` and ``recruitment_threshold`` (%MSO) are marked, with their
        intervals where they have ``ci_low`` and ``ci_high``; ``mep_max`` (V) is marked at the right edge.
    curve : (intensity, fitted, low, high), optional
        Arrays of the fitted curve (%MSO, V) and its 95 % band (V; NaN where unknown). Without it, a Boltzmann
        curve is drawn from ``fit`` where that holds ``s50``, ``recruitment_threshold`` (S50 − 2k) and ``mep_max``.
    of, against : str
        Columns of the response and of the intensity.
    channel : str
        Name for the axis.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        Where the table lacks a column or holds no trial.

    Examples
    --------
    >>> rng = np.random.default_rng(5)
    >>> intensity = np.repeat(np.arange(40.0, 85, 5), 5)
    >>> size = boltzmann(intensity, s50=60.0, slope=5.0, mep_max=3e-3) * rng.lognormal(0, 0.3, intensity.size)
    >>> table = pd.DataFrame({"intensity": intensity, "mep_amplitude": size})
    >>> fit = {"s50": 60.0, "recruitment_threshold": 50.0, "mep_max": 3e-3}
    >>> recruitment_curve(table, fit, channel="FDI").axes[0].get_xlabel()
    'Stimulus intensity (%MSO)'
    """
    for name in (of, against):
        if name not in table:
            raise ValueError(f"the trial table has no column {name!r}; its columns are: {', '.join(table.columns)}")
    kept = pd.Series(is_kept(table), table.index)
    trials = pd.DataFrame({"x": table[against], "y": table[of], "kept": kept}).dropna()
    if trials.empty:
        raise ValueError(f"no trial holds both {against!r} and {of!r}")
    factor, unit = readable("V", [trials["y"].quantile(0.95)])
    figure = new_figure(ONE_COLUMN, 2.9)
    ax = figure.add_subplot()
    _points(ax, trials, factor)
    curve = curve if curve is not None else _curve_of(fit, trials["x"])
    handles = [
        line_handle("trial", color=FAINT, marker="o", ms=3, lw=0),
        line_handle("mean ± SE", color=INK, marker="o", ms=4, lw=0),
    ]
    if curve is not None:
        intensity, fitted, low, high = (np.asarray(part, dtype=float) for part in curve)
        banded = np.isfinite(low) & np.isfinite(high)
        ax.fill_between(intensity, low * factor, high * factor, where=banded, color=BLUE, alpha=0.18, lw=0, zorder=1)
        ax.plot(intensity, fitted * factor, color=BLUE, lw=1.8, zorder=3)
        handles.append(line_handle("fit, 95 % band" if banded.any() else "fit", color=BLUE, lw=1.8))
    top = float(trials["y"].max() * factor) * 1.12
    ax.set_ylim(-0.03 * top, top)
    _marks(ax, fit or {})
    label = "MEP amplitude" if of.startswith("mep_amplitude") else of.replace("_", " ").capitalize()
    ax.set_ylabel(with_unit(f"{channel} {label}".strip(), unit))
    relative = against.rsplit("_", 1)[-1].upper()
    ax.set_xlabel(f"Stimulus intensity (%{relative if relative in ('RMT', 'AMT') else 'MSO'})")
    tidy(ax)
    key(figure, handles)
    return figure


def boltzmann(intensity: np.ndarray, s50: float, slope: float, mep_max: float) -> np.ndarray:
    """Sigmoid that recruitment curves follow: ``mep_max / (1 + exp((s50 − intensity) / slope))``.

    >>> float(boltzmann(60.0, 60.0, 5.0, 2e-3))
    0.001
    """
    power = np.clip((s50 - np.asarray(intensity, dtype=float)) / slope, -500, 500)
    return mep_max / (1 + np.exp(power))


def _curve_of(fit: Mapping[str, float] | None, intensity: pd.Series) -> tuple | None:
    if not fit or not {"s50", "recruitment_threshold", "mep_max"} <= set(fit):
        return None
    slope = (fit["s50"] - fit["recruitment_threshold"]) / 2
    if not np.isfinite([slope, fit["mep_max"]]).all() or slope <= 0:
        return None
    grid = np.linspace(float(intensity.min()), float(intensity.max()), 200)
    unknown = np.full(grid.size, np.nan)
    return grid, boltzmann(grid, float(fit["s50"]), float(slope), float(fit["mep_max"])), unknown, unknown


def _points(ax, trials: pd.DataFrame, factor: float) -> None:
    kept, lost = trials[trials["kept"]], trials[~trials["kept"]]
    ax.plot(kept["x"], kept["y"] * factor, "o", ms=2.6, color=FAINT, mew=0, alpha=0.8, zorder=2)
    ax.plot(lost["x"], lost["y"] * factor, "x", ms=2.6, color=FAINT, mew=0.6, zorder=2)
    levels = kept.groupby("x")["y"]
    few = levels.ngroups > 0.7 * len(kept)  # an adaptive series hardly repeats an intensity
    if not few:
        mean, error = levels.mean() * factor, levels.sem().fillna(0) * factor
        ax.errorbar(mean.index, mean, error, fmt="o", ms=4, color=INK, elinewidth=1, mec="white", mew=0.6, zorder=4)


def _marks(ax, fit: Mapping[str, float]) -> None:
    """S50 and threshold as lines with their names and intervals on top of the axes."""
    edge = ax.get_xaxis_transform()
    for name, label, colour, height in (
        ("recruitment_threshold", "threshold", PALETTE[1], 1.07),
        ("s50", "S50", PALETTE[0], 1.0),
    ):
        value = fit.get(name, np.nan)
        if not np.isfinite(value):
            continue
        ax.axvline(float(value), color=colour, lw=0.9, ls=(0, (4, 2)), zorder=1.5)
        low, high = getattr(value, "ci_low", np.nan), getattr(value, "ci_high", np.nan)
        text = f"{label} {float(value):.1f}"
        if np.isfinite([low, high]).all():
            ax.axvspan(low, high, color=colour, alpha=0.1, lw=0, zorder=0.5)
            text += f" [{low:.1f}, {high:.1f}]"
        ax.annotate(text, (float(value), height), (0, 1), xycoords=edge, textcoords="offset points", ha="center",
                    va="bottom", size=SMALL, color=colour)  # fmt: skip
