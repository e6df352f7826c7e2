"""Balance of the responses of one muscle to stimulation of the opposite and of the same hemisphere."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from ..schema import Estimate, unknown_word
from ._registry import measure
from ._tables import FEWEST, LEVEL, is_kept, nothing, numbers, single_pulses
from .conditioned_ratio import ratio_of_levels

_OTHER = {"left": "right", "right": "left"}


@measure(kind="summary", unit="1", over="table")
def laterality_index(table: pd.DataFrame, *, of: str = "mep_area", side: str = "channel") -> Estimate:
    """``(contralateral − ipsilateral) / (contralateral + ipsilateral)`` of the mean responses of a muscle.

    1 is a muscle that only the opposite hemisphere drives, 0 one that both drive alike, as many trunk muscles are.
    Of positive responses the interval is that of ``R = contralateral / ipsilateral``, built on its logarithm, since the
    index is ``(R − 1) / (R + 1)``. Background-subtracted areas may be negative where there is no response: then it is
    Fieller's interval of the same ratio, and the index may exceed 1; where such areas are skewed it covers 90–93 %.

    Parameters
    ----------
    table : DataFrame
        Trials of one channel, with ``hemisphere`` (left or right: the stimulated one); paired pulses and rejected rows
        are left out.
    of : str
        Column with the size of the response, best the rectified area net of background, at matched background.
    side : {"channel", "left", "right"}
        Side of the muscle. ``"channel"`` reads it from the column ``channel``: the words left and right, a single
        letter (``ES_L``, ``R ES``), or L or R before or after the name of the column ``muscle`` (``LMF``, ``RES``).

    Returns
    -------
    Estimate
        ``n`` counts the trials of both hemispheres. Flags: ``side_unknown``, ``no_contralateral_trials``,
        ``no_ipsilateral_trials``, ``contralateral_at_noise_floor`` and ``ipsilateral_negative`` (NaN: a mean of net
        areas is negative, or may be, by so much that the two do not add up to a response), ``few_trials``.

    Raises
    ------
    ValueError
        For an unknown column or side.

    Examples
    --------
    >>> rng = np.random.default_rng(5)
    >>> table = pd.DataFrame({
    ...     "channel": "MF_right", "hemisphere": ["left"] * 20 + ["right"] * 20,
    ...     "mep_area": np.repeat([3e-6, 1e-6], 20) * rng.lognormal(-0.08, 0.4, 40),
    ... })
    >>> index = laterality_index(table)
    >>> bool(index.ci_low < 0.5 < index.ci_high), index.n
    (True, 40)
    """
    if side not in ("channel", "left", "right"):
        raise ValueError(unknown_word("side", side, ["channel", "left", "right"]))
    table = single_pulses(table)
    values, kept = numbers(table, of), is_kept(table)
    n_rejected = int((~kept).sum())
    mine = side if side != "channel" else _side_of(table)
    if not mine:
        return nothing("side_unknown", n_rejected=n_rejected)
    hemisphere = (table["hemisphere"] if "hemisphere" in table else pd.Series("", index=table.index)).to_numpy(object)
    known = kept & np.isfinite(values)
    opposite = values[known & (hemisphere == _OTHER[mine])]
    same = values[known & (hemisphere == mine)]
    n = opposite.size + same.size
    if not opposite.size or not same.size:
        return nothing("no_ipsilateral_trials" if opposite.size else "no_contralateral_trials", n, n_rejected)
    if opposite.mean() <= 0:
        return nothing("contralateral_at_noise_floor", n, n_rejected)
    if opposite.mean() + same.mean() <= 0:
        return nothing("ipsilateral_negative", n, n_rejected)
    value = float((opposite.mean() - same.mean()) / (opposite.mean() + same.mean()))
    if min(opposite.size, same.size) < FEWEST:
        return Estimate(value, n=n, flag="few_trials", n_rejected=n_rejected)
    if min(opposite.min(), same.min()) > 0:
        _, low, high = ratio_of_levels(opposite, same, "mean")
        return Estimate(value, (low - 1) / (low + 1), (high - 1) / (high + 1), n, "", n_rejected)
    low, high = _fieller(same, opposite)  # of ipsilateral over contralateral, in which the index falls
    if not low > -1:
        return nothing("contralateral_at_noise_floor" if np.isnan(low) else "ipsilateral_negative", n, n_rejected)
    return Estimate(value, (1 - high) / (1 + high), (1 - low) / (1 + low), n, "", n_rejected)


def _fieller(top: np.ndarray, base: np.ndarray) -> tuple[float, float]:
    """Interval of a ratio of means that may have either sign; NaN where the base cannot be told from zero."""
    a, b = float(top.mean()), float(base.mean())
    va, vb = (float(part.var(ddof=1)) / part.size for part in (top, base))
    ratio = a / b
    parts = np.array([va, ratio**2 * vb])
    freedom = parts.sum() ** 2 / max(float((parts**2 / [top.size - 1, base.size - 1]).sum()), 1e-300)
    t2 = float(stdtrit(max(freedom, 1.0), (1 + LEVEL) / 2)) ** 2
    lead = b**2 - t2 * vb
    inside = a**2 * b**2 - lead * (a**2 - t2 * va)
    if lead <= 0 or inside < 0:
        return np.nan, np.nan
    return (a * b - float(np.sqrt(inside))) / lead, (a * b + float(np.sqrt(inside))) / lead


def _side_of(table: pd.DataFrame) -> str:
    """Side that the channel's name tells; empty where it does not."""
    if "channel" not in table or not len(table):
        return ""
    name = str(table["channel"].iloc[0]).lower()
    muscle = str(table["muscle"].iloc[0]).lower() if "muscle" in table else ""
    letters = {"l": "left", "r": "right"}
    words = re.split(r"[^a-z0-9]+", name)
    found = {side for side in ("left", "right") if side in name} | {letters[word] for word in words if word in letters}
    for word in words if muscle else ():
        bare = word.rstrip("0123456789")
        if bare in (f"l{muscle}", f"r{muscle}"):
            found.add(letters[bare[0]])
        elif bare in (f"{muscle}l", f"{muscle}r"):
            found.add(letters[bare[-1]])
    return found.pop() if len(found) == 1 else ""
