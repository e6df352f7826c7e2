"""Overlap of the maps of two muscles ("smudging")."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ..schema import Estimate
from ._maps import ResponseMap, active_sites, centre_of_gravity, response_map
from ._registry import measure
from ._tables import nothing

KEYS = (
    "map_overlap_jaccard",
    "map_overlap_dice",
    "map_overlap_volume",
    "map_overlap_correlation",
    "centre_of_gravity_distance",
)
N_DRAWS = 300


@measure(
    kind="summary",
    unit={**dict.fromkeys(KEYS[:4], "1"), "centre_of_gravity_distance": "m"},
    over="pairs",
)
def map_overlap(
    table_a: pd.DataFrame,
    table_b: pd.DataFrame,
    *,
    of: str = "mep_amplitude",
    fraction: float = 0.1,
    criterion: float = 0.0,
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
    fraction, criterion, spacing
        As for ``motor_map``.
    seed : int
        Seed of the draws that make the intervals.

    Returns
    -------
    dict of Estimate
        ``map_overlap_jaccard`` (shared over all active sites), ``map_overlap_dice``, ``map_overlap_volume``
        (``Σ min / Σ max`` of the maps, each relative to its peak), ``map_overlap_correlation`` (Pearson), and
        ``centre_of_gravity_distance`` (m). The intervals redraw the site means with their errors, the two muscles
        independently. Flag: ``few_sites``.

    Raises
    ------
    ValueError
        For an unknown column, or tables that hold different pulses.

    Examples
    --------
    >>> x, y = (axis.ravel() / 100 for axis in np.meshgrid(np.arange(6.0), np.arange(6.0)))
    >>> sizes = 1e-3 * np.exp(-((x - 0.02) ** 2 + (y - 0.02) ** 2) / (2 * 0.01**2))
    >>> table = pd.DataFrame({"coil_x": x, "coil_y": y, "mep_amplitude": sizes})
    >>> map_overlap(table, table)["map_overlap_jaccard"] == 1
    True
    """
    if len(table_a) != len(table_b):
        raise ValueError(
            f"the overlap of two maps needs the same pulses for both muscles, "
            f"got {len(table_a)} and {len(table_b)} rows"
        )
    both = _kept_in_both(table_a, table_b)
    maps = [response_map(table[both], of, spacing) for table in (table_a, table_b)]
    if maps[0] is None or maps[1] is None or maps[0].sites.shape != maps[1].sites.shape:
        return {key: nothing("few_sites") for key in KEYS}
    first, second = maps[0], maps[1]
    value = _overlap(first, first.mean, second.mean, fraction, criterion)
    rng = np.random.default_rng(seed)
    drawn = [_overlap(first, first.redrawn(rng), second.redrawn(rng), fraction, criterion) for _ in range(N_DRAWS)]
    low, high = np.nanpercentile(np.array(drawn), [2.5, 97.5], axis=0)
    return {
        key: Estimate(value[i], min(low[i], value[i]), max(high[i], value[i]), first.n) for i, key in enumerate(KEYS)
    }


def _kept_in_both(table_a: pd.DataFrame, table_b: pd.DataFrame) -> np.ndarray:
    kept = np.ones(len(table_a), dtype=bool)
    for table in (table_a, table_b):
        if "reject" in table:
            kept &= (table["reject"].isna() | (table["reject"] == "")).to_numpy()
    return kept


def _overlap(found: ResponseMap, a: np.ndarray, b: np.ndarray, fraction: float, criterion: float) -> tuple[float, ...]:
    active_a, active_b = (active_sites(mean, fraction, criterion) for mean in (a, b))
    shared, total = int((active_a & active_b).sum()), int((active_a | active_b).sum())
    if not active_a.any() or not active_b.any() or min(a.max(), b.max()) <= 0:
        return (np.nan,) * len(KEYS)
    relative_a, relative_b = a / a.max(), b / b.max()
    volume = np.minimum(relative_a, relative_b).sum() / np.maximum(relative_a, relative_b).sum()
    level = np.std(a) > 0 and np.std(b) > 0
    correlation = float(np.corrcoef(a, b)[0, 1]) if level else np.nan
    apart = centre_of_gravity(found.sites, np.where(active_a, a, 0.0)) - centre_of_gravity(
        found.sites, np.where(active_b, b, 0.0)
    )
    return (
        shared / total,
        2 * shared / int(active_a.sum() + active_b.sum()),
        float(volume),
        correlation,
        float(np.linalg.norm(apart)),
    )
