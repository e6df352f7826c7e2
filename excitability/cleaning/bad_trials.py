"""Trials spoilt by movement or electrode pops: dropped when they stand out from the session's own trials."""

from __future__ import annotations

from typing import Any

import mne  # noqa: F401  (used by the example)
import numpy as np

from ._instance import around_pulses, data_of, eeg_picks, pulses_of_trials
from ._passing import unchanged
from ._registry import note, step


@step()
def bad_trials(
    inst: Any,
    *,
    threshold: float = 5.0,
    share: float = 0.4,
    ignore: tuple[float, float] = (-0.005, 0.02),
) -> Any:
    """Drop trials in which many channels have far more power than they usually have.

    Parameters
    ----------
    inst : mne.Epochs
    threshold : float
        Robust standard deviations of the logarithm of a channel's variance over trials.
    share : float
        A trial is dropped when more than this share of the good channels exceeds the threshold. Blinks reach fewer;
        they are for :func:`remove_components`.
    ignore : tuple of float
        Window around each pulse that is not looked at, s: artefacts of the pulse are for other steps.

    Returns
    -------
    cleaned : mne.Epochs
        A copy; ``selection`` and ``drop_log`` say which trials are left and why others went ("bad_trial").

    Raises
    ------
    ValueError
        When more than half of the trials would go.

    Examples
    --------
    >>> x = np.random.default_rng(0).standard_normal((12, 6, 400)) * 1e-6
    >>> x[4] *= 50
    >>> epochs = mne.EpochsArray(x, mne.create_info(6, 1000.0, "eeg"), tmin=-0.2, verbose=False)
    >>> bad_trials(epochs).selection.tolist()
    [0, 1, 2, 3, 5, 6, 7, 8, 9, 10, 11]
    """
    picks = eeg_picks(inst)
    power = np.empty((len(inst), len(picks)))
    for pulses, rows in pulses_of_trials(inst):
        seen = np.flatnonzero(~around_pulses(inst.times, pulses, ignore))
        seen = seen[:: max(1, int(inst.info["sfreq"] // 500))]  # a variance needs no more samples than that
        for row in rows:
            power[row] = data_of(inst)[row][np.ix_(picks, seen)].var(axis=1)
    level = np.log(np.maximum(power, np.finfo(float).tiny))
    deviation = level - np.median(level, axis=0)
    # trials of one session differ by 30 % or so in power: a smaller spread comes from few trials, not from calm
    spread = np.maximum(1.4826 * np.median(np.abs(deviation), axis=0), 0.3)
    bad = np.mean(deviation > threshold * spread, axis=1) > share
    bad |= ~np.all(np.isfinite(power), axis=1)
    if bad.sum() > len(inst) / 2:
        raise ValueError(f"bad_trials: {bad.sum()} of {len(inst)} trials stand out; the threshold cannot be right")
    dropped = inst.selection[bad].tolist()
    n_trials = len(inst)
    if dropped:
        inst.drop(np.flatnonzero(bad), reason="bad_trial", verbose="error")
    note(inst, f"{len(dropped)} of {n_trials} trials" if dropped else "nothing", trials=dropped, passes=unchanged)
    return inst
