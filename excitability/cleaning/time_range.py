"""The time range of the trials."""

from __future__ import annotations

from functools import partial
from typing import Any

import mne  # noqa: F401  (used by the example)
import numpy as np

from ._registry import note, step


@step()
def cut(inst: Any, *, tmin: float, tmax: float) -> Any:
    """Keep the samples of each trial from ``tmin`` to ``tmax`` (s from the pulse the trial is locked to).

    Parameters
    ----------
    inst : mne.Epochs
    tmin, tmax : float
        First and last time kept, s.

    Returns
    -------
    cleaned : mne.Epochs
        A copy, all channels shortened alike.

    Raises
    ------
    ValueError
        When the range is not within the trials.

    Examples
    --------
    >>> x = np.zeros((3, 2, 400))
    >>> epochs = mne.EpochsArray(x, mne.create_info(2, 1000.0, "eeg"), tmin=-0.2, verbose=False)
    >>> [round(float(t), 3) for t in cut(epochs, tmin=-0.1, tmax=0.1).times[[0, -1]]]
    [-0.1, 0.1]
    """
    sample = 1 / inst.info["sfreq"]
    if tmin < inst.times[0] - sample or tmax > inst.times[-1] + sample or tmin >= tmax:
        raise ValueError(
            f"cut: {tmin:g} to {tmax:g} s is not within the trials, "
            f"which last from {inst.times[0]:g} to {inst.times[-1]:g} s"
        )
    before = inst.times
    inst.crop(max(tmin, inst.times[0]), min(tmax, inst.times[-1]))
    kept = np.isin(before, inst.times)
    note(inst, f"all outside {1e3 * tmin:g} to {1e3 * tmax:g} ms", passes=partial(_cut, kept=kept))
    return inst


def _cut(x: np.ndarray, pulses: tuple[float, ...], *, kept: np.ndarray) -> np.ndarray:
    return x[:, kept]
