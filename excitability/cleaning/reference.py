"""The reference: EEG is measured against something, and every topography depends on what."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import mne
import numpy as np

from ..schema import unknown_word
from ._instance import data_of, eeg_picks
from ._registry import note, step


@step(on=("raw", "epochs"))
def set_reference(inst: Any, *, reference: str | Sequence[str] = "average") -> Any:
    """Re-reference the EEG: subtract the mean of the good channels, or of those named.

    The subtraction is done on the data, never left as a projector to be applied later.

    Parameters
    ----------
    inst : mne.io.Raw or mne.Epochs
    reference : "average" or sequence of str
        Channels whose mean becomes zero.

    Returns
    -------
    cleaned : same type as ``inst``
        A copy; EMG and other channels are untouched.

    Raises
    ------
    ValueError
        For an unknown channel, or fewer than two channels in an average.

    Examples
    --------
    >>> x = np.random.default_rng(0).standard_normal((3, 4, 50)) * 1e-6
    >>> epochs = mne.EpochsArray(x, mne.create_info(4, 1000.0, "eeg"), verbose=False)
    >>> bool(np.allclose(set_reference(epochs).get_data().mean(axis=1), 0, atol=1e-18))
    True
    """
    picks = eeg_picks(inst, bads=True)
    if isinstance(reference, str) and reference != "average":
        reference = [reference]
    if reference == "average":
        chosen = eeg_picks(inst)
        if len(chosen) < 2:
            raise ValueError("an average reference needs at least two good EEG channels")
        text = f"mean of {len(chosen)} channels"
    else:
        unknown = [name for name in reference if name not in inst.ch_names]
        if unknown:
            raise ValueError(unknown_word("reference channel", unknown[0], inst.ch_names))
        chosen = np.array([inst.ch_names.index(name) for name in reference])
        text = "mean of " + ", ".join(reference)
    data = data_of(inst)
    for block in data if data.ndim == 3 else [data]:
        block[picks] -= block[chosen].mean(axis=0)
    mne.set_eeg_reference(inst, ref_channels=[], copy=False, verbose="error")  # marks the reference as custom
    note(inst, text, passes=partial(_referenced, picks=picks, chosen=chosen))
    return inst


def _referenced(x: np.ndarray, pulses: tuple[float, ...], *, picks: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    x[picks] -= x[chosen].mean(axis=0)
    return x
