"""What the trials of a recording have in common: an error of their onsets that no number of trials takes away."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ._tables import numbers

#: Share of the mean standard error of the single onsets that is the same in all trials of a recording.
#: Measured on 960 recordings of 10 to 30 trials (four constructions of responses, hand and back, rest and contraction).
_SHARE = 0.45
#: What a trial has none of where its onset lies at the edge of the window, and the flag that tells.
ONSET_COLUMNS = ("mep_latency", "mep_latency_standard_error", "mep_duration")
EDGE = "window_edge"
_NORMAL = 1.959964


def with_shared_error(
    table: pd.DataFrame, of: str, kept: np.ndarray, level: tuple[float, float, float]
) -> tuple[float, float, float]:
    """Level of the onsets of a recording, its interval widened by the error that the trials share.

    The onset of each trial is timed by the average of all of them, and where noise hides the first phase it hides it in
    every trial: means of trials are not as much better than one trial as independent errors would make them.

    Parameters
    ----------
    table : DataFrame
        Trials; without a column ``<of>_standard_error`` nothing is known of the error and nothing is done.
    of : str
        Column of the onsets.
    kept : array of bool
    level : tuple of float
        Level and interval from the scatter of the trials.
    """
    name = f"{of}_standard_error"
    if of != "mep_latency" or name not in table:
        return level
    errors = numbers(table, name)[kept & np.isfinite(numbers(table, of))]
    errors = errors[np.isfinite(errors)]
    value, low, high = level
    if not errors.size:
        return level
    shared = _NORMAL * _SHARE * float(errors.mean())
    return value, value - float(np.hypot(value - low, shared)), value + float(np.hypot(high - value, shared))
