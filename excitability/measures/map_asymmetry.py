"""Asymmetry of the motor maps of the two hemispheres."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ..schema import Estimate
from ._maps import ResponseMap, SurfaceChoice, active_sites, as_estimate, response_map, spread_over_cell
from ._registry import measure
from ._tables import is_kept, nothing, numbers

KEYS = ("map_area_asymmetry", "map_volume_asymmetry")


@measure(kind="summary", unit=dict.fromkeys(KEYS, "1"), over="table")
def map_asymmetry(
    table: pd.DataFrame,
    *,
    of: str = "mep_amplitude",
    fraction: float = 0.1,
    criterion: float = 0.0,
    surface: SurfaceChoice = "auto",
    spacing: float | None = None,
    seed: int = 0,
) -> dict[str, Estimate]:
    """``(left − right) / (left + right)`` of area and volume of the maps of the left and the right hemisphere.

    Positive: the map of the left hemisphere is larger; 0: both are alike; ±1: one of them only. The maps are those of
    one channel, as for trunk muscles that both hemispheres drive. For limb muscles join the trials of either hemisphere
    with the opposite muscle first. ``laterality_index`` is the same balance of the responses at one site.

    Parameters
    ----------
    table : DataFrame
        Trials with ``hemisphere`` (left or right: the stimulated one), ``coil_x``, ``coil_y`` (m).
    of : str
        Column with the size of the response.
    fraction, criterion, surface, spacing
        As for ``motor_map``; ``fraction`` is of the largest response of the same hemisphere.
    seed : int
        Seed of the redrawn maps that make the intervals.

    Returns
    -------
    dict of Estimate
        ``map_area_asymmetry`` and ``map_volume_asymmetry``, with the central 95 % of redrawn pairs of maps. ``n``
        counts the trials of both hemispheres. Flags: ``no_left_hemisphere``, ``no_right_hemisphere``, ``few_sites``,
        ``no_response``, ``biased_by_few_pulses``.

    Raises
    ------
    ValueError
        For an unknown column or surface.

    Examples
    --------
    >>> x, y = (np.tile(axis.ravel() / 100, 2) for axis in np.meshgrid(np.arange(6.0), np.arange(6.0)))
    >>> top = np.repeat([3e-3, 1e-3], 36)
    >>> size = top * np.exp(-((x - 0.02) ** 2 + (y - 0.02) ** 2) / (2 * 0.01**2))
    >>> table = pd.DataFrame({"coil_x": x, "coil_y": y, "mep_amplitude": size,
    ...                       "hemisphere": np.repeat(["left", "right"], 36)})
    >>> {key: round(float(value), 3) for key, value in map_asymmetry(table).items()}
    {'map_area_asymmetry': 0.0, 'map_volume_asymmetry': 0.5}
    """
    numbers(table, of)
    side = (table["hemisphere"] if "hemisphere" in table else pd.Series("", index=table.index)).to_numpy(object)
    lost = int((~is_kept(table)).sum())
    maps = []
    for name in ("left", "right"):
        if not (side == name).any():
            return {key: nothing(f"no_{name}_hemisphere", n_rejected=lost) for key in KEYS}
        own = response_map([table[side == name]], of, spacing, surface, criterion)
        if own is None:
            return {key: nothing("few_sites", n_rejected=lost) for key in KEYS}
        maps += own
    n = sum(found.n for found in maps)
    left, right = (_extent(found, found.mean[None], found.mean.max(keepdims=True)[None], fraction, criterion)
                   for found in maps)  # fmt: skip
    if not (left + right > 0).all():
        return {key: nothing("no_response", n, lost) for key in KEYS}
    rng = np.random.default_rng(seed)
    drawn: list[np.ndarray] = []
    for found in maps:
        draws = found.draws(rng)
        sizes = _extent(found, draws, found.tops(draws), fraction, criterion)
        sizes[0] = np.maximum(spread_over_cell(sizes[0], found.spacing**2, len(drawn)), 0.0)
        drawn.append(sizes)
    with np.errstate(invalid="ignore"):  # a redrawn pair may have no active site
        value = (left - right) / (left + right)
        likely = (drawn[0] - drawn[1]) / (drawn[0] + drawn[1])
    estimates = {}
    for key, middle, shares in zip(KEYS, value[:, 0], likely, strict=True):
        low, high = np.nanpercentile(shares, [2.5, 97.5])
        one = as_estimate(float(middle), float(low), float(high), maps[0])
        estimates[key] = Estimate(one, one.ci_low, one.ci_high, n, one.flag, lost)
    return estimates


def _extent(found: ResponseMap, means: np.ndarray, top: np.ndarray, fraction: float, criterion: float) -> np.ndarray:
    """Area (m²) and volume (V·m²) of maps, shape (2, n_maps)."""
    active = active_sites(means, fraction, criterion, top) & (means > 0)
    return np.stack([active.sum(axis=1), np.where(active, means, 0.0).sum(axis=1)]) * found.spacing**2
