"""Where the peaks and troughs of short-interval intracortical facilitation lie in one person."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ..schema import Estimate
from ._ratio_curve import RatioPoints, estimate_of, extreme, ratio_curves, ratio_points
from ._tables import nothing

#: Name, where it is looked for (s), and whether it is a peak. Peaks follow each other every 1.1–1.5 ms.
WINDOWS = (
    ("peak_1", (0.0010, 0.0018), True),
    ("trough_1", (0.0016, 0.0024), False),
    ("peak_2", (0.0023, 0.0031), True),
    ("trough_2", (0.0030, 0.0040), False),
    ("peak_3", (0.0039, 0.0049), True),
)
#: Intervals that a window must hold: with fewer there is nothing to choose from.
FEWEST_INTERVALS = 3
#: How far the curve stays alike (s) and how high it rises (ln R): five extremes follow each other in 4 ms.
_LENGTHS = (0.00015, 0.0002, 0.0003, 0.0004)
_HEIGHTS = (0.35, 0.6, 1.0)


def sicf_extremes(table: pd.DataFrame, of: str, test: str, seed: int) -> dict[str, tuple[Estimate, Estimate]]:
    """Interval (s) and ratio of each peak and trough, with what is open about it."""
    points = ratio_points(table, of, "inter_stimulus_interval", test)
    enough = points.levels.size >= FEWEST_INTERVALS
    curves = ratio_curves(points, seed, _LENGTHS, _HEIGHTS) if enough else None
    found = {}
    for name, window, largest in WINDOWS:
        inside = (points.levels >= window[0] - 1e-9) & (points.levels <= window[1] + 1e-9)
        most = extreme(curves, window, largest=largest) if curves is not None else None
        if most is None or inside.sum() < FEWEST_INTERVALS:
            found[name] = (_unknown(points), _unknown(points))
            continue
        places, logs, at_edge = most
        flag = "at_edge_of_window" if at_edge > 0.5 else ""
        place = estimate_of(places, points, flag)
        if np.ptp(np.quantile(places, [0.025, 0.975])) > 0.8 * (window[1] - window[0]):
            place = Estimate(np.nan, place.ci_low, place.ci_high, points.n, "not_distinct", points.n_rejected)
        found[name] = (place, estimate_of(np.exp(logs), points, flag))
    return found


def _unknown(points: RatioPoints) -> Estimate:
    return nothing(points.flag if not points.levels.size else "few_intervals", points.n, points.n_rejected)
