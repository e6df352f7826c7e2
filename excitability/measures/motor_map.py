"""Motor map: centre of gravity, area, volume, hotspot, peaks, truncation and coverage."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import pandas as pd

from ..schema import Estimate, unknown_word
from ._maps import ResponseMap, SurfaceChoice, active_sites, as_estimate, centre_of_gravity, response_map, with_interval
from ._registry import measure
from ._tables import is_kept, nothing

UNITS = {
    "centre_of_gravity_x": "m",
    "centre_of_gravity_y": "m",
    "centre_of_gravity_z": "m",
    "map_area": "m^2",
    "map_volume": "V*m^2",
    "map_normalised_volume": "1",
    "map_spread": "m",
    "hotspot_x": "m",
    "hotspot_y": "m",
    "map_peaks": "1",
    "map_truncated": "1",
    "map_sites_needed": "1",
    "map_active_share": "1",
    "map_coverage": "1",
}
#: Values that stop at the edge of what was stimulated.
_BIASED_BY_TRUNCATION = ("centre", "map_area", "map_volume", "map_normalised_volume", "map_spread", "hotspot")


@measure(kind="summary", unit=UNITS, over="table", references=["10.1016/j.clinph.2015.02.001"])
def motor_map(
    table: pd.DataFrame,
    *,
    of: str = "mep_amplitude",
    fraction: float = 0.1,
    criterion: float = 0.0,
    share: float = 0.0,
    sites: Literal["active", "all"] = "active",
    surface: SurfaceChoice = "auto",
    spacing: float | None = None,
    min_height: float = 0.5,
    neighbours: int = 7,
    margin: float = 0.05,
    seed: int = 0,
) -> dict[str, Estimate]:
    """Where and how widely a muscle answers, from responses at many coil positions.

    With ``M`` the mean response of a site at ``(x, y)``, over the active sites: centre of gravity ``Σ M x / Σ M``,
    area ``count × spacing²``, volume ``Σ M × spacing²``, normalised volume ``Σ M / max M``, spread
    ``sqrt(Σ M d² / Σ M)`` about the centre. A site is active when ``M`` is at least ``fraction`` of the largest one
    and ``criterion``, and at least ``share`` of its trials reach the criterion.

    Sites of a grid have the means of their trials. Scattered positions (and grids that are not square) are turned into
    a surface first, a Gaussian process on the logarithm of the responses, which is read on a square grid. How the grid
    is turned in the frame of the coordinates makes no difference.

    Parameters
    ----------
    table : DataFrame
        Trials of one channel and one hemisphere with ``coil_x``, ``coil_y`` and perhaps ``coil_z`` (m).
    of : str
        Column with the size of the response: amplitude at rest, background-subtracted area in a contracting muscle.
    fraction, criterion, share : float
        What makes a site active: share of the largest response, size (in the unit of the column), and share of its
        trials that have this size. Usual choices: ``fraction=0.1``; ``fraction=0, criterion=50e-6, share=0.5``; in a
        contracting muscle ``fraction=0`` and a ``criterion`` one or two SD above the mean of the background.
    sites : {"active", "all"}
        Sites that enter centre of gravity, volumes and spread.
    surface : {"auto", "sites", "smooth"}
        ``"sites"``: means as measured, on a grid. ``"smooth"``: the surface, also on a grid; it does not lean on the
        largest of noisy means, so that area and normalised volume do not shrink when pulses are few.
        ``"auto"``: the former on a grid, the latter elsewhere.
    spacing : float, optional
        Distance of nodes of a surface (m); by default that of the grid, or the room that each of scattered positions
        has. That of a grid whose sites are used as measured may be stated, not changed.
    min_height, neighbours, margin : float, int, float
        A discrete peak is at least ``min_height`` of the largest response, and larger by ``margin`` of it than
        ``neighbours`` of the sites around it.
    seed : int
        Seed of the redrawn maps that make the intervals.

    Returns
    -------
    dict of Estimate
        ``centre_of_gravity_x``, ``_y``, ``_z`` (m), ``map_area`` (m²), ``map_volume`` (V·m²),
        ``map_normalised_volume``, ``map_spread`` (m), ``hotspot_x``, ``hotspot_y`` (m), ``map_peaks`` (count),
        ``map_truncated`` (1 when a site at the border is active), ``map_sites_needed`` (sites to add beside the active
        ones at the border), ``map_active_share`` (active over all sites), ``map_coverage`` (share of the cells of the
        stimulated rectangle that were sampled; no interval). Intervals are the central 95 % of 400 surfaces that
        the trials allow; they are about the map of *expected* responses on the same sites. That of the normalised
        volume reaches up to where several sites may share the largest response.
        Coverage (``benchmarks/map_calibration.py``; 30–60 maps a scenario): area, active share and sites needed
        0.90–1.0, spread 0.92–1.0, centre 0.87–1.0, also where the border scatters much more than the middle. In a
        construction that was kept back (a field against a threshold with two states), five pulses a site, it is
        0.82 for area, active share and spread and 0.77–0.83 for centre: such intervals are too narrow.
        Flags: ``few_sites``, ``no_response``, ``map_truncated`` (responses reach beyond the sites: biased),
        ``biased_by_few_pulses`` (the value as measured lies outside what the trials allow), ``no_coil_z``.

    Raises
    ------
    ValueError
        For an unknown column, choice of sites or surface; positions that cannot be metres, those of both hemispheres,
        a spacing that is none or not that of the grid.

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
    maps = response_map([table], of, spacing, surface, criterion)
    if maps is None:
        return {key: nothing("few_sites", n_rejected=int((~is_kept(table)).sum())) for key in UNITS}
    found = maps[0]
    if not (active_sites(found.mean, fraction, criterion) & (found.share >= share)).any() or found.mean.max() <= 0:
        return {key: nothing("no_response", found.n, found.n_rejected) for key in UNITS}
    rules: dict[str, Any] = {"fraction": fraction, "criterion": criterion, "share": share, "sites": sites}
    peaks = {"min_height": min_height, "neighbours": neighbours, "margin": margin}
    draws = found.draws(np.random.default_rng(seed))
    draws = draws[draws.max(axis=1) > 0]
    drawn = _numbers(found, draws, found.tops(draws), peaks, **rules)
    top = np.array([[found.mean.max()]])
    value = {key: float(values[0]) for key, values in _numbers(found, found.mean[None], top, peaks, **rules).items()}
    cells = {"map_area": found.spacing**2, "map_active_share": 1 / len(found.sites)}
    estimates = {}
    for key in UNITS:
        flag = "map_truncated" if value["map_truncated"] and key.startswith(_BIASED_BY_TRUNCATION) else ""
        if key == "map_coverage":
            estimates[key] = Estimate(found.coverage, n=found.n, n_rejected=found.n_rejected)
        elif key not in value:
            estimates[key] = nothing("no_coil_z", found.n, found.n_rejected)
        elif key == "map_normalised_volume":
            totals = drawn["map_volume"] / found.spacing**2
            limits = normalised_volume_interval(drawn[key], draws, totals, found.surface.logarithmic)
            estimates[key] = as_estimate(value[key], *limits, found, flag)
        else:
            cell = cells.get(key, 0.0)
            estimates[key] = with_interval(value[key], drawn[key], found, flag, cell, cell * len(found.sites))
    return estimates


def _numbers(
    found: ResponseMap, means: np.ndarray, top: np.ndarray, peaks: dict[str, Any], *,
    fraction: float, criterion: float, share: float, sites: str,
) -> dict[str, np.ndarray]:  # fmt: skip
    """Every quantity of many maps with their largest responses ``top`` (n_maps, 1), shape (n_maps,) each."""
    active = active_sites(means, fraction, criterion, top) & (found.share >= share)
    weights = np.where(active, means, 0.0) if sites == "active" else means
    total = weights.sum(axis=1)
    hotspot, cell = means.argmax(axis=1), found.spacing**2
    with np.errstate(divide="ignore", invalid="ignore"):  # a redrawn map may have no active site
        centre = centre_of_gravity(found.sites, weights)
        squared = np.sum((found.sites[None] - centre[:, None]) ** 2, axis=2)
        spread = np.sqrt(np.sum(weights * squared, axis=1) / total)
    around = found.neighbours()
    return {
        **{f"centre_of_gravity_{letter}": places for letter, places in zip("xyz", centre.T, strict=False)},
        "map_area": active.sum(axis=1) * cell,
        "map_volume": total * cell,
        "map_normalised_volume": total / top[:, 0],
        "map_spread": spread,
        "hotspot_x": found.sites[hotspot, 0],
        "hotspot_y": found.sites[hotspot, 1],
        "map_peaks": discrete_peaks(means, around, **peaks).sum(axis=1).astype(float),
        "map_truncated": (active & (around < 0).any(axis=1)).any(axis=1).astype(float),
        "map_sites_needed": (active @ found.outside()).sum(axis=1).astype(float),
        "map_active_share": active.mean(axis=1),
    }


def normalised_volume_interval(
    relative: np.ndarray, draws: np.ndarray, totals: np.ndarray, logarithmic: bool
) -> tuple[float, float]:
    """Limits of a map's sum over its maximum, where the maximum may be any of several sites.

    The largest of noisy responses is too large, the more so the more sites compete to be it, and the sum over it too
    small. The upper limit is that of an intersection bound (Chernozhukov, Lee & Rosen 2013, Econometrica 81:667): of
    all sites that may be the largest, none exceeds its lower limit by chance in more than 2.5 % of maps.

    Parameters
    ----------
    relative : ndarray, shape (n_draws,)
        Sum over maximum of redrawn maps.
    draws : ndarray, shape (n_draws, n_sites)
        The redrawn maps.
    totals : ndarray, shape (n_draws,)
        Their sums.
    logarithmic : bool
        The responses were modelled by their logarithm.

    Returns
    -------
    tuple of float

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> flat = rng.lognormal(0, 0.2, (400, 9))  # nine equal sites: the truth is 9
    >>> low, high = normalised_volume_interval(flat.sum(axis=1) / flat.max(axis=1), flat, flat.sum(axis=1), True)
    >>> bool(low < 9 < high), bool(np.percentile(flat.sum(axis=1) / flat.max(axis=1), 97.5) < 9)
    (True, True)
    """
    usable = np.isfinite(relative) & (totals > 0)
    if not usable.any():
        return np.nan, np.nan
    low, high = np.percentile(relative[usable], [2.5, 97.5])
    share = draws[usable] / totals[usable, None]
    share = np.log(share) if logarithmic else share
    middle, error = np.median(share, axis=0), share.std(axis=0)
    best = int(np.argmax(middle))
    apart = np.sqrt(np.var(share - share[:, [best]], axis=0))
    rival = (middle[best] - middle <= 2 * apart) & (error > 0)
    if not rival.any():
        return float(low), float(high)
    chance = np.max((middle - share)[:, rival] / error[rival], axis=1)
    least = float(np.max((middle - np.percentile(chance, 97.5) * error)[rival]))
    least = float(np.exp(least)) if logarithmic else least
    return float(low), float(max(high, 1 / least)) if least > 0 else np.nan


def discrete_peaks(
    means: np.ndarray, around: np.ndarray, min_height: float = 0.5, neighbours: int = 7, margin: float = 0.05
) -> np.ndarray:
    """Sites of each map that are discrete peaks.

    Of neighbours that qualify, the largest; one site of a map at least.

    Parameters
    ----------
    means : ndarray, shape (n_maps, n_sites)
    around : ndarray, shape (n_sites, 8)
        Numbers of the neighbours of each site, -1 where there is none.
    min_height, neighbours, margin
        As for :func:`motor_map`.

    Returns
    -------
    ndarray of bool, shape (n_maps, n_sites)

    Examples
    --------
    >>> around = np.array([[1, -1], [0, 2], [1, 3], [2, -1]])  # a row of four sites
    >>> discrete_peaks(np.array([[1.0, 0.2, 0.2, 0.7]]), around).tolist()
    [[True, False, False, True]]
    """
    top = means.max(axis=1, keepdims=True)
    here = around >= 0
    beside = np.where(here, means[:, around], -np.inf)
    lower = np.sum(here & (beside < (means - margin * top)[:, :, None]), axis=2)
    needed = np.clip(here.sum(axis=1) - 1, 1, neighbours)
    peaks = (means >= min_height * top) & (lower >= needed)
    best = np.where(peaks, means, -np.inf)
    peaks &= ~np.any(here & (best[:, around] > means[:, :, None]), axis=2)
    none = ~peaks.any(axis=1)
    peaks[none, means[none].argmax(axis=1)] = True
    return np.asarray(peaks)
