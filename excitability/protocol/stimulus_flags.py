"""What is wrong with the stimuli of each trial, before anything is measured."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ..schema import join_flags
from .grammar import Protocol

#: Largest difference of a measured from a stated inter-stimulus interval (s).
INTERVAL_TOLERANCE = 0.0003

#: Flags that hold for the trials of one condition, and are carried by its results however few they are.
OF_CONDITIONS = ("interval_not_as_stated", "conditioning_above_test", "conditioning_below_test")

_SCALES = ("", "_rmt", "_amt")


def stimulus_flags(protocol: Protocol, pulses: pd.DataFrame) -> np.ndarray:
    """Flags of each trial: an interval that is not as stated, a pair in the wrong order, thresholds in the wrong order.

    Parameters
    ----------
    protocol : Protocol
        ``conditioning`` says what the first pulse of its pairs is.
    pulses : DataFrame
        Stimulus columns.

    Returns
    -------
    ndarray of str, shape (n_trials,)

    Examples
    --------
    >>> import excitability as ex
    >>> pulses = pd.DataFrame({"pulse_count": [1, 2], "intensity": [55, 42], "conditioning_intensity": [np.nan, 55]})
    >>> stimulus_flags(ex.load_protocol("sici"), pulses).tolist()
    ['', 'conditioning_above_test']
    """
    words = np.full(len(pulses), "", dtype=object)
    for flag, rows in (
        ("interval_not_as_stated", _other_interval(pulses)),
        ("conditioning_above_test", _order(pulses, 1) & (protocol.conditioning == "below_test")),
        ("conditioning_below_test", _order(pulses, -1) & (protocol.conditioning == "above_test")),
        ("active_threshold_not_below_resting", _active_above_resting(pulses)),
    ):
        words[rows] = [join_flags(word, flag) for word in words[rows]]
    return words


def _other_interval(pulses: pd.DataFrame) -> np.ndarray:
    measured = _numbers(pulses, "measured_interval")
    stated = np.nan_to_num(_numbers(pulses, "inter_stimulus_interval"))
    return np.abs(measured - np.where(_numbers(pulses, "pulse_count") == 1, 0.0, stated)) > INTERVAL_TOLERANCE


def _order(pulses: pd.DataFrame, sign: int) -> np.ndarray:
    """Pairs of pulses over the cortex whose first pulse is stronger (1) or weaker (-1) than the last."""
    stronger = np.zeros(len(pulses), dtype=bool)
    for scale in _SCALES:
        difference = _numbers(pulses, f"conditioning_intensity{scale}") - _numbers(pulses, f"intensity{scale}")
        stronger |= np.sign(difference) == sign
    nerve = pulses["conditioning_type"] == "nerve" if "conditioning_type" in pulses else False
    return stronger & (_numbers(pulses, "pulse_count") == 2) & ~np.asarray(nerve)


def _active_above_resting(pulses: pd.DataFrame) -> np.ndarray:
    """Trials whose active motor threshold is no lower than the resting one, as it is in every muscle."""
    return _numbers(pulses, "active_motor_threshold") >= _numbers(pulses, "resting_motor_threshold")


def _numbers(pulses: pd.DataFrame, name: str) -> np.ndarray:
    if name not in pulses:
        return np.full(len(pulses), np.nan)
    return pd.to_numeric(pulses[name], errors="coerce").to_numpy(dtype=float)
