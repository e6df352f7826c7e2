"""Onset of one muscle relative to the prime mover of a movement (anticipatory postural activation)."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from ..schema import Estimate, join_flags, unknown_word
from ._registry import measure
from ._same_trials import check_same_trials
from ._tables import FEWEST, LEVEL, is_kept, nothing, numbers
from .trial_mean import _share

KEYS = ("muscle_onset_difference", "feed_forward_share", "muscle_onset_missing_share")


@measure(
    kind="summary",
    unit={"muscle_onset_difference": "s", "feed_forward_share": "1", "muscle_onset_missing_share": "1"},
    over="pairs",
)
def muscle_onset_difference(
    table_a: pd.DataFrame,
    table_b: pd.DataFrame,
    *,
    of: str = "voluntary_onset",
    prime_mover: str = "AD",
    feed_forward_start: float = -0.100,
    feed_forward_stop: float = 0.050,
) -> dict[str, Estimate]:
    """Onset of a trunk muscle minus that of the prime mover, trial by trial.

    A trunk muscle that begins before the prime mover's movement can have stirred any reflex is prepared by the brain:
    feed-forward, ``−100 ms < difference < +50 ms``. About ten repetitions; the mean of the paired differences has
    Student's interval, the shares have Wilson's.

    Parameters
    ----------
    table_a, table_b : DataFrame
        Trial tables of two channels of one recording, the same movements in the same order.
    of : str
        Column with the onset (s from the event).
    prime_mover : str
        Muscle (column ``muscle``) or channel of the prime mover; anterior deltoid for arm flexion.
    feed_forward_start, feed_forward_stop : float
        Differences that count as feed-forward (s).

    Returns
    -------
    dict of Estimate
        ``muscle_onset_difference`` (s; negative: before the prime mover), ``feed_forward_share`` (of the trials in
        which both muscles have an onset), ``muscle_onset_missing_share`` (of the trials in which the prime mover has
        one and the other muscle none: absent activation is a finding). Flags: ``no_prime_mover`` (neither of the two,
        or both), ``no_onsets``, ``few_trials``, ``onsets_missing`` (in more than a fifth of the movements).

    Raises
    ------
    ValueError
        For an unknown column, or tables that hold different trials.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> deltoid = 0.25 + 0.03 * rng.standard_normal(10)
    >>> tables = [
    ...     pd.DataFrame({"muscle": "AD", "voluntary_onset": deltoid}),
    ...     pd.DataFrame({"muscle": "TrA", "voluntary_onset": deltoid - 0.02 + 0.01 * rng.standard_normal(10)}),
    ... ]
    >>> found = muscle_onset_difference(*tables)
    >>> bool(found["muscle_onset_difference"].ci_low < -0.02 < found["muscle_onset_difference"].ci_high)
    True
    """
    check_same_trials(table_a, table_b, "the difference of two onsets", "movements")
    movers = [_is_mover(table, prime_mover) for table in (table_a, table_b)]
    if movers[0] == movers[1]:
        return dict.fromkeys(KEYS, nothing("no_prime_mover"))
    other, mover = (table_b, table_a) if movers[0] else (table_a, table_b)
    kept = is_kept(table_a) & is_kept(table_b)
    n_rejected = int((~kept).sum())
    onset, reference = numbers(other, of)[kept], numbers(mover, of)[kept]
    moved = np.isfinite(reference)
    if not moved.any():
        return dict.fromkeys(KEYS, nothing("no_onsets", n_rejected=n_rejected))
    missing = np.isnan(onset[moved]).astype(float)
    absent = Estimate(float(missing.mean()), *_share(missing), missing.size, "", n_rejected)
    difference = (onset - reference)[moved & np.isfinite(onset)]
    if not difference.size:
        empty = nothing("no_onsets", n_rejected=n_rejected)
        return dict(zip(KEYS, (empty, empty, absent), strict=True))
    n = difference.size
    flag = join_flags("few_trials" if n < FEWEST else "", "onsets_missing" if missing.mean() > 0.2 else "")
    spread = float(difference.std(ddof=1)) if n >= FEWEST else np.nan
    reach = float(stdtrit(max(n - 1, 1), (1 + LEVEL) / 2)) * spread / np.sqrt(n)
    value = float(difference.mean())
    early = ((difference > feed_forward_start) & (difference < feed_forward_stop)).astype(float)
    share = Estimate(float(early.mean()), *_share(early), n, flag, n_rejected)
    return dict(
        zip(KEYS, (Estimate(value, value - reach, value + reach, n, flag, n_rejected), share, absent), strict=True)
    )


def _is_mover(table: pd.DataFrame, prime_mover: str) -> bool:
    told = [str(table[name].iloc[0]).lower() for name in ("muscle", "channel") if name in table and len(table)]
    if not told:
        raise ValueError(
            f"the trial tables name no muscle or channel: {unknown_word('column', 'muscle', table.columns)}"
        )
    return prime_mover.lower() in told
