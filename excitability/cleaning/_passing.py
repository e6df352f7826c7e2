"""What of a known response comes through a cleaning that was done: its steps again, as they were fixed by the data.

Every step is linear once its parameters are chosen: the channels to rebuild, the weights of the decays, the components
to leave out. Steps note how (``note(..., passes=function)``), and here a response that was never in the recording takes
the same way. What a step would have chosen had the response been another one does not enter.
"""

from __future__ import annotations

from collections.abc import Callable

import mne
import numpy as np

from ._instance import pulses_of_trials
from ._registry import _records

Pulses = tuple[float, ...]
#: Gives back the channels (n_channels, n_times) of a trial with these pulses as the step leaves them.
Passes = Callable[[np.ndarray, Pulses], np.ndarray]


def unchanged(x: np.ndarray, pulses: Pulses) -> np.ndarray:
    """What passes a step that changes no sample."""
    return x


def times_before(epochs: mne.BaseEpochs) -> np.ndarray:
    """Times of the trials as the first step found them (s): later steps may have cut or resampled them."""
    return next((record["times"] for record in _records(epochs) if "times" in record), epochs.times)


def unknown_steps(epochs: mne.BaseEpochs) -> list[str]:
    """Steps of the log that do not say what they let through."""
    return [record["step"] for record in _records(epochs) if "passes" not in record]


def pass_through(
    epochs: mne.BaseEpochs, x: np.ndarray, pulses: Pulses | None = None, *, without: str = ""
) -> np.ndarray:
    """A response as the cleaning of these trials would have left it.

    Parameters
    ----------
    epochs : mne.Epochs
        Cleaned trials, with the log that :func:`apply` left on them.
    x : ndarray, shape (n_channels, n_times)
        The response at all channels of ``epochs``, at the times of the trials before cleaning, V.
    pulses : tuple of float, optional
        Pulses of the trials that are meant, s; by default those of the first group.

    without : str
        A step that is left out: what it takes shows in the difference.

    Returns
    -------
    ndarray, shape (n_channels, epochs.times.size)
        V. Steps that do not say what they let through count as letting all through (:func:`unknown_steps`).

    Raises
    ------
    ValueError
        When the response has another shape than a trial before cleaning.

    Examples
    --------
    >>> from excitability.cleaning import apply, pass_through
    >>> x = np.random.default_rng(0).standard_normal((5, 3, 400)) * 1e-6
    >>> epochs = mne.EpochsArray(x, mne.create_info(3, 1000.0, "eeg"), tmin=-0.2, verbose=False)
    >>> cleaned, _ = apply(epochs, [{"step": "set_reference"}])
    >>> response = np.outer([3e-6, 0, 0], np.hanning(400))
    >>> (pass_through(cleaned, response).max(axis=1) * 1e6).round(1).tolist()
    [2.0, 0.0, 0.0]
    """
    expected = (len(epochs.ch_names), times_before(epochs).size)
    if np.shape(x) != expected:
        raise ValueError(f"pass_through: x has shape {np.shape(x)}; the trials had {expected} before cleaning")
    pulses = pulses_of_trials(epochs)[0][0] if pulses is None else pulses
    passed = np.array(x, dtype=float)
    for record in _records(epochs):
        if "passes" in record and record["step"] != without:
            passed = record["passes"](passed, pulses)
    return passed
