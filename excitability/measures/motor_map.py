"""Motor map: centre of gravity, area, volume, hotspot, peaks and truncation."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pandas as pd

from ..schema import Estimate, unknown_word
from ._maps import ResponseMap, active_sites, centre_of_gravity, response_map
from ._registry import measure
from ._tables import nothing

#: Maps redrawn with the error of their site means.
N_DRAWS = 200
KEYS = (
    "centre_of_gravity_x",
    "centre_of_gravity_y",
    "centre_of_gravity_z",
    "map_area",
    "map_volume",
    "map_normalised_volume",
    "hotspot_x",
    "hotspot_y",
    "map_peaks",
    "map_truncated",
)


@measure(
    kind="summary",
    unit={
        "centre_of_gravity_x": "m",
        "centre_of_gravity_y": "m",
        "centre_of_gravity_z": "m",
        "map_area": "m^2",
        "map_volume": "V*m^2",
        "map_normalised_volume": "1",
        "hotspot_x": "m",
        "hotspot_y": "m",
        "map_peaks": "1",
        "map_truncated": "1",
    },
    over="table",
    references=["10.1016/j.clinph.2015.02.001"],
)
def motor_map(
    table: pd.DataFrame,
    *,
    of: str = "mep_amplitude",
    fraction: float = 0.1,
    criterion: float = 0.0,
    sites: Literal["active", "all"] = "active",
    spacing: float | None = None,
    min_height: float = 0.5,
    neighbours: int = 7,
    margin: float = 0.05,
    seed: int = 0,
) -> dict[str, Estimate]:
    """Where and how widely a muscle answers, from responses at many coil positions.

    Positions on a grid (several pulses a site, or rows and columns) are averaged by site. Scattered positions are
    turned into a surface first: a Gaussian kernel average on a square grid. A site is active when its mean response is
    at least ``fraction`` of the largest one and ``criterion``.

    Parameters
    ----------
    table : DataFrame
        Trials of one channel with ``coil_x``, ``coil_y`` and perhaps ``coil_z`` (m).
    of : str
        Column with the size of the response: amplitude at rest, background-subtracted area in a contracting muscle.
    fraction, criterion : float
        What makes a site active: share of the largest response, and size (in the unit of the column).
    sites : {"active", "all"}
        Sites that enter centre of gravity and volumes.
    spacing : float, optional
        Distance of sites (m); by default that of the grid, or what scattered positions allow.
    min_height, neighbours, margin : float, int, float
        A discrete peak is at least ``min_height`` of the largest response, and larger by ``margin`` of it than
        ``neighbours`` of the sites around it.
    seed : int
        Seed of the redrawn maps that make the intervals.

    Returns
    -------
    dict of Estimate
        ``centre_of_gravity_x``, ``_y``, ``_z`` (m), ``map_area`` (m²), ``map_volume`` (V·m²),
        ``map_normalised_volume`` (sum of the site means over the largest), ``hotspot_x``, ``hotspot_y`` (m),
        ``map_peaks`` (count), ``map_truncated`` (1 when a border site is active).
        Flags: ``few_sites``, ``no_response``, ``truncated`` (responses reach beyond the grid; biased), ``no_height``
        (no coil_z).

    Raises
    ------
    ValueError
        For an unknown column or choice of sites.

    Examples
    --------
    >>> x, y = np.meshgrid(np.arange(7) / 100, np.arange(7) / 100)
    >>> x, y = np.tile(x.ravel(), 3), np.tile(y.ravel(), 3)
    >>> size = 1e-3 * np.exp(-((x - 0.03) ** 2 + (y - 0.032) ** 2) / (2 * 0.012**2))
    >>> found = motor_map(pd.DataFrame({"coil_x": x, "coil_y": y, "mep_amplitude": size}))
    >>> round(found["centre_of_gravity_x"], 3), round(found["centre_of_gravity_y"], 3), found["map_peaks"] == 1
    (0.03, 0.032, True)
    """
    if sites not in ("active", "all"):
        raise ValueError(unknown_word("choice of sites", sites, ["active", "all"]))
    found = response_map(table, of, spacing)
    if found is None:
        return {key: nothing("few_sites") for key in KEYS}
    if not active_sites(found.mean, fraction, criterion).any() or found.mean.max() <= 0:
        return {key: nothing("no_response", found.n) for key in KEYS}
    around = found.adjacent()
    border = around.sum(axis=1) < 8

    def numbers_of(mean: np.ndarray) -> dict[str, float]:
        return _numbers(found, mean, around, border, (fraction, criterion, sites, min_height, neighbours, margin))

    value = numbers_of(found.mean)
    rng = np.random.default_rng(seed)
    drawn = [numbers_of(found.redrawn(rng)) for _ in range(N_DRAWS)]
    flag = "truncated" if value["map_truncated"] else ""
    return {
        key: _with_interval(key, value[key], np.array([draw[key] for draw in drawn]), found, flag)
        if key in value
        else nothing("no_height", found.n)
        for key in KEYS
    }


def _with_interval(key: str, value: float, drawn: np.ndarray, found: ResponseMap, flag: str) -> Estimate:
    """Interval from redrawn maps: their spread about the value; for counts and places the central 95 % of them."""
    if key.startswith(("hotspot", "map_peaks", "map_truncated")):
        low, high = np.percentile(drawn, [2.5, 97.5])
        return Estimate(value, min(low, value), max(high, value), found.n, "" if key == "map_truncated" else flag)
    reach = 1.959964 * found.inflation * float(np.std(drawn))
    return Estimate(value, value - reach, value + reach, found.n, flag)


def _numbers(
    found: ResponseMap, mean: np.ndarray, around: np.ndarray, border: np.ndarray, rules: tuple
) -> dict[str, float]:
    """Every quantity of one map."""
    fraction, criterion, sites, min_height, neighbours, margin = rules
    active = active_sites(mean, fraction, criterion)
    weights = np.where(active, mean, 0.0) if sites == "active" else mean
    centre = centre_of_gravity(found.sites, weights)
    top, cell = int(np.argmax(mean)), found.spacing**2
    return {
        **{f"centre_of_gravity_{letter}": float(place) for letter, place in zip("xyz", centre, strict=False)},
        "map_area": float(active.sum()) * cell,
        "map_volume": float(weights.sum()) * cell,
        "map_normalised_volume": float(weights.sum() / mean[top]),
        "hotspot_x": float(found.sites[top, 0]),
        "hotspot_y": float(found.sites[top, 1]),
        "map_peaks": float(discrete_peaks(mean, around, min_height, neighbours, margin).sum()),
        "map_truncated": float((active & border).any()),
    }


def discrete_peaks(
    mean: np.ndarray, around: np.ndarray, min_height: float, neighbours: int, margin: float
) -> np.ndarray:
    """Sites that are discrete peaks; of neighbours that qualify, the largest; one site of the map at least."""
    top = mean.max()
    lower = np.sum(around & (mean[None, :] < mean[:, None] - margin * top), axis=1)
    needed = np.clip(around.sum(axis=1) - 1, 1, neighbours)
    peaks = (mean >= min_height * top) & (lower >= needed)
    best = np.where(peaks, mean, -np.inf)
    peaks &= ~np.any(around & (best[None, :] > mean[:, None]), axis=1)
    if not peaks.any():
        peaks[int(np.argmax(mean))] = True
    return peaks
