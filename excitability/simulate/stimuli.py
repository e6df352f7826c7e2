"""Which pulses a protocol gives: one row a trial, in the stimulus columns of ``schema.py``."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd

from ..schema import unknown_word

#: Protocol -> intervals (s), first and last intensity (%RMT), muscle state, trials a condition.
_PAIRED = {
    "m1/sici": ((0.002, 0.003), 80.0, 120.0),
    "m1/icf": ((0.010, 0.015), 80.0, 120.0),
    "m1/sicf": ((0.0014, 0.0027, 0.0043), 120.0, 90.0),
    "m1/lici": ((0.100,), 120.0, 120.0),
}
_SINGLE = {
    "m1/mep": ((120.0,), "rest"),
    "m1/recruitment_curve": ((90.0, 100.0, 110.0, 120.0, 130.0, 140.0, 150.0), "rest"),
    "m1/cortical_silent_period": ((130.0,), "active"),
}
_THRESHOLD_STEPS = np.arange(6, -7, -2)  # %MSO around the first guess, from above
_TRIALS = {
    "m1/mep": 20,
    "m1/resting_motor_threshold": 10,
    "m1/recruitment_curve": 8,
    "m1/cortical_silent_period": 15,
}
PROTOCOLS = ("m1/resting_motor_threshold", *_SINGLE, *_PAIRED)


def protocol_name(name):
    """Full name of a protocol that can be simulated: ``sici`` -> ``m1/sici``."""
    for known in PROTOCOLS:
        if name in (known, known.split("/")[1]):
            return known
    raise ValueError(unknown_word("protocol to simulate", name, PROTOCOLS))


def task_label(protocol):
    """BIDS task of a protocol: its name without folder and without signs (``m1/sici`` -> ``sici``).

    >>> task_label("m1/resting_motor_threshold"), task_label("dlpfc/lici_tep")
    ('restingmotorthreshold', 'licitep')
    """
    return re.sub(r"[^A-Za-z0-9]", "", protocol.split("/")[-1])


def protocol_stimuli(protocol, threshold, *, n_trials=None, rng):
    """Stimuli of one protocol, in the order they are given.

    Parameters
    ----------
    protocol : str
    threshold : float
        Motor threshold (%MSO) that intensities are set from; they are whole %MSO, at most 100.
    n_trials : int, optional
        Trials a condition.

    Returns
    -------
    DataFrame
        Columns ``protocol, pulse_count, inter_stimulus_interval, intensity, conditioning_intensity,
        intensity_rmt, muscle_state`` and more; NaN where there is no conditioning pulse.
    """
    protocol = protocol_name(protocol)
    n_trials = n_trials or _TRIALS.get(protocol, 12)

    def percent(of_threshold):
        return float(np.clip(round(of_threshold / 100 * threshold), 1, 100))

    if protocol in _PAIRED:
        intervals, first, last = _PAIRED[protocol]
        test = first if protocol == "m1/sicf" else last  # SICF compares with the first pulse alone
        rows = [(1, np.nan, percent(test), np.nan)]
        rows += [(2, isi, percent(last), percent(first)) for isi in intervals]
        state = "rest"
    elif protocol in _SINGLE:
        levels, state = _SINGLE[protocol]
        rows = [(1, np.nan, percent(level), np.nan) for level in levels]
    else:
        guess = round(threshold) + rng.integers(-1, 2)
        rows = [(1, np.nan, float(np.clip(guess + step, 1, 100)), np.nan) for step in _THRESHOLD_STEPS]
        state = "rest"
    order = np.repeat(np.arange(len(rows)), n_trials)
    if protocol != "m1/resting_motor_threshold":  # a threshold is looked for from above, the rest is random
        order = rng.permutation(order)
    table = pd.DataFrame(
        [rows[i] for i in order],
        columns=["pulse_count", "inter_stimulus_interval", "intensity", "conditioning_intensity"],
    )
    table.insert(0, "protocol", protocol)
    table["intensity_rmt"] = (100 * table["intensity"] / threshold).round(1)
    table["stimulus_type"] = "tms"
    table["target"] = "M1"
    table["hemisphere"] = "left"
    table["current_direction"] = "PA"
    table["muscle_state"] = state
    return table


def extras_of(stimuli):
    """One dictionary a trial for ``mne.Annotations(extras=…)``; absent values are left out."""
    return [
        {name: value for name, value in row.items() if isinstance(value, str) or value == value}
        for row in stimuli.to_dict("records")
    ]
