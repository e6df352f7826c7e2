"""Overlap of the maps of two muscles ("smudging")."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ..schema import Estimate
from ._maps import (
    N_DRAWS,
    ResponseMap,
    SurfaceChoice,
    active_sites,
    as_estimate,
    centre_of_gravity,
    response_map,
)
from ._registry import measure
from ._tables import nothing

KEYS = (
    "map_overlap_jaccard",
    "map_overlap_dice",
    "map_overlap_coefficient",
    "map_overlap_volume",
    "map_overlap_correlation",
    "map_overlap_cosine",
    "centre_of_gravity_distance",
)

#: Shares of the difference between two maps that are tried for the limits of their overlap.
DIFFERENCES = np.array([0.0, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0])

Pair = tuple[np.ndarray, np.ndarray]


@measure(kind="summary", unit={**dict.fromkeys(KEYS[:-1], "1"), "centre_of_gravity_distance": "m"}, over="pairs")
def map_overlap(
    table_a: pd.DataFrame,
    table_b: pd.DataFrame,
    *,
    of: str = "mep_amplitude",
    fraction: float = 0.1,
    criterion: float = 0.0,
    surface: SurfaceChoice = "auto",
    spacing: float | None = None,
    seed: int = 0,
) -> dict[str, Estimate]:
    """How much two muscles share of the sites that drive them, from the same pulses.

    Parameters
    ----------
    table_a, table_b : DataFrame
        Trial tables of two channels of one recording, with ``coil_x``, ``coil_y`` (m).
    of : str
        Column with the size of the response.
    fraction, criterion, surface, spacing
        As for ``motor_map``.
    seed : int
        Seed of the draws that make the intervals.

    Returns
    -------
    dict of Estimate
        With ``A`` and ``B`` the active sites and ``a``, ``b`` the maps relative to their peaks:
        ``map_overlap_jaccard`` ``|A∩B| / |A∪B|``, ``map_overlap_dice`` ``2|A∩B| / (|A| + |B|)``,
        ``map_overlap_coefficient`` ``|A∩B| / min(|A|, |B|)``, ``map_overlap_volume`` ``Σ min(a, b) / Σ max(a, b)``,
        ``map_overlap_correlation`` (Pearson) and ``map_overlap_cosine`` of the maps, and
        ``centre_of_gravity_distance`` (m). Intervals redraw both maps; what the responses of the two muscles to one
        pulse share stays shared. Errors always make a distance longer and an overlap smaller: the limits allow for
        it, so that those of maps that are alike reach 1. Coverage (``benchmarks/map_calibration.py``; 30–60 maps a
        scenario): shares 0.90–1.0, distance 0.88–1.0; in a construction that was kept back 0.83–0.93 for distance.
        Flags: ``few_sites``, ``no_response``, ``biased_by_few_pulses``.

    Raises
    ------
    ValueError
        For an unknown column, or tables that hold different pulses or the same in another order.

    Examples
    --------
    >>> x, y = (axis.ravel() / 100 for axis in np.meshgrid(np.arange(6.0), np.arange(6.0)))
    >>> sizes = 1e-3 * np.exp(-((x - 0.02) ** 2 + (y - 0.02) ** 2) / (2 * 0.01**2))
    >>> table = pd.DataFrame({"coil_x": x, "coil_y": y, "mep_amplitude": sizes})
    >>> map_overlap(table, table)["map_overlap_jaccard"] == 1
    True
    """
    maps = response_map([table_a, table_b], of, spacing, surface, criterion)
    if maps is None:
        return {key: nothing("few_sites") for key in KEYS}
    first, second = maps
    means = (first.mean[None], second.mean[None])
    tops = (np.array([[first.mean.max()]]), np.array([[second.mean.max()]]))
    shares, centres = _overlap(first, means, tops, fraction, criterion)
    if not np.isfinite(shares[0]).all():
        return {key: nothing("no_response", first.n, first.n_rejected) for key in KEYS}
    draws = _drawn_together(first, second, seed)
    drawn_tops = first.tops(draws[0]), second.tops(draws[1])
    drawn, drawn_centres = _overlap(first, draws, drawn_tops, fraction, criterion)
    limits = overlap_limits(first, second, draws, drawn, fraction, criterion)
    found = {}
    for i, key in enumerate(KEYS[:-1]):
        found[key] = as_estimate(float(shares[0, i]), limits[0, i], limits[1, i], first)
    distance = float(np.linalg.norm(centres[0]))
    found[KEYS[-1]] = as_estimate(distance, *distance_interval(drawn_centres), first)
    return found


def _drawn_together(first: ResponseMap, second: ResponseMap, seed: int) -> Pair:
    """Redrawn maps of two muscles whose responses to one pulse are alike."""
    rng = np.random.default_rng(seed)
    rest_a, rest_b = first.surface.residuals(), second.surface.residuals()
    both = np.linalg.norm(rest_a) * np.linalg.norm(rest_b)
    alike = float(np.clip(rest_a @ rest_b / both, -1, 1)) if both > 0 else 0.0
    noise_a, own = rng.standard_normal((2, N_DRAWS, len(first.surface.place)))
    noise_b = alike * noise_a + np.sqrt(1 - alike**2) * own
    return first.draws(rng, noise_a), second.draws(rng, noise_b)


def _overlap(
    found: ResponseMap, means: Pair, tops: Pair, fraction: float, criterion: float
) -> tuple[np.ndarray, np.ndarray]:
    """The shares of pairs of maps, shape (n_maps, 6), and the way between their centres of gravity."""
    a, b = means
    active_a, active_b = (active_sites(mean, fraction, criterion, top) for mean, top in zip(means, tops, strict=True))
    shared, n_a, n_b = (part.sum(axis=1) for part in (active_a & active_b, active_a, active_b))
    with np.errstate(divide="ignore", invalid="ignore"):
        relative_a, relative_b = (mean / top for mean, top in zip(means, tops, strict=True))
        volume = np.minimum(relative_a, relative_b).sum(axis=1) / np.maximum(relative_a, relative_b).sum(axis=1)
        level_a, level_b = (mean - mean.mean(axis=1, keepdims=True) for mean in (a, b))
        shares = np.stack(
            [shared / (n_a + n_b - shared), 2 * shared / (n_a + n_b), shared / np.minimum(n_a, n_b), volume,
             _cosine(level_a, level_b), _cosine(a, b)], axis=1,
        )  # fmt: skip
        centres = [centre_of_gravity(found.sites, np.where(active, mean, 0.0)) for active, mean in
                   ((active_a, a), (active_b, b))]  # fmt: skip
    usable = (n_a > 0) & (n_b > 0) & (a.max(axis=1) > 0) & (b.max(axis=1) > 0)
    return np.where(usable[:, None], shares, np.nan), np.where(usable[:, None], centres[0] - centres[1], np.nan)


def overlap_limits(
    first: ResponseMap, second: ResponseMap, draws: Pair, drawn: np.ndarray, fraction: float, criterion: float
) -> np.ndarray:
    """Overlaps of expected maps that the trials do not exclude: lower and upper limits, shape (2, 6).

    Errors make two maps differ where they do not, so redrawn maps overlap too little, and maps that are alike would
    never be found so. Beside the central 95 % of redrawn overlaps stand those of maps that keep a share of the
    difference that was seen, as long as errors on top of it give the seen overlap with more than 2.5 % on either side.
    """
    seen = [found.surface.mean(found.flat) for found in (first, second)]
    tops = [float(mean.max()) for mean in seen]
    if min(tops) <= 0:
        return _central(drawn)
    logarithmic = first.surface.logarithmic and second.surface.logarithmic
    forth, back = (np.log, np.exp) if logarithmic else (np.asarray, np.asarray)
    a, b = (forth(mean / top) for mean, top in zip(seen, tops, strict=True))
    errors = [forth(drawn / top) - level for drawn, top, level in zip(draws, tops, (a, b), strict=True)]
    exact, low, high = (np.empty((DIFFERENCES.size, 6)) for _ in range(3))
    for row, difference in enumerate(DIFFERENCES):
        middle, half = (a + b) / 2, difference * (a - b) / 2
        plain = tops[0] * back(middle + half)[None], tops[1] * back(middle - half)[None]
        noisy = tops[0] * back(middle + half + errors[0]), tops[1] * back(middle - half + errors[1])
        exact[row] = _overlap(first, plain, _largest(plain), fraction, criterion)[0][0]
        shares = _overlap(first, noisy, _largest(noisy), fraction, criterion)[0]
        low[row], high[row] = _central(shares)
    overlap, limits = exact[DIFFERENCES == 1][0], _central(drawn)
    for i in range(6):
        for row, (side, choose) in enumerate(((high, min), (low, max))):
            falling = np.minimum.accumulate(side[:, i])
            difference = np.interp(-overlap[i], -falling, DIFFERENCES)
            limits[row, i] = choose(limits[row, i], float(np.interp(difference, DIFFERENCES, exact[:, i])))
    return limits


def _central(shares: np.ndarray) -> np.ndarray:
    """Central 95 % of each column; NaN where no map has an active site."""
    shares = shares[np.isfinite(shares).all(axis=1)]
    return np.percentile(shares, [2.5, 97.5], axis=0) if len(shares) else np.full((2, 6), np.nan)


def _largest(maps: Pair) -> Pair:
    return maps[0].max(axis=1, keepdims=True), maps[1].max(axis=1, keepdims=True)


def _cosine(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.sum(a * b, axis=1) / np.sqrt(np.sum(a**2, axis=1) * np.sum(b**2, axis=1))


def distance_interval(drawn: np.ndarray) -> tuple[float, float]:
    """Distances that are likely, from redrawn ways between two centres, shape (n_draws, 2 or 3).

    An error in any direction makes a short way longer, so the lengths of the redrawn ways say too much: the limits are
    the distances that would give the mean way with a probability of more than 2.5 % on either side.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> low, high = distance_interval(np.array([1.0, 0.0]) + rng.standard_normal((400, 2)))
    >>> low, 2 < high < 4
    (0.0, True)
    """
    drawn = drawn[np.isfinite(drawn).all(axis=1)]
    if len(drawn) < 2:
        return np.nan, np.nan
    way = drawn.mean(axis=0)
    error = drawn - way
    distance = max(float(np.linalg.norm(way)), 1e-12)
    tried = np.linspace(0.0, distance + 1.2 * float(np.linalg.norm(error, axis=1).max()), 400)
    seen = tried[:, None] ** 2 + 2 * tried[:, None] * (error @ way / distance) + np.sum(error**2, axis=1)
    shorter = np.mean(seen <= distance**2, axis=1)  # falls as the true distance grows
    possible = tried[(shorter < 0.975) & (shorter > 0.025)]
    return (float(possible.min()), float(possible.max())) if possible.size else (0.0, 0.0)
