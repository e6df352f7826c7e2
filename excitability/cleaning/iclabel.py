"""ICLabel's opinion of independent components, from mne-icalabel, in the shape of our own labels.

Pion-Tonachini et al. 2019, doi:10.1016/j.neuroimage.2019.05.026: a network trained on EEG without stimulation. It knows
eyes, heart, mains and resting muscle; what a pulse leaves it calls "brain" or "other".
"""

from __future__ import annotations

import importlib.util
import warnings
from typing import Any

import mne
import numpy as np

from ._instance import data_of

ICLABEL = ("brain", "muscle artifact", "eye blink", "heart beat", "line noise", "channel noise", "other")
_BAND = (1.0, 100.0)  # Hz; what the network was trained on


def label_iclabel_components(inst: Any, ica: mne.preprocessing.ICA) -> dict[str, Any]:
    """Label components by ICLabel, as :func:`label_tms_components` does by rule.

    Parameters
    ----------
    inst : mne.Epochs
        What the components are components of, with electrode positions.
    ica : mne.preprocessing.ICA
        Of extended infomax or Picard without orthogonality, as ICLabel was trained on.

    Returns
    -------
    dict
        ``labels`` (list of str) and ``y_pred_proba`` (ndarray, shape (n_components,)), as
        ``mne_icalabel.label_components`` gives them for a copy of the trials in average reference, up to 100 Hz.

    Raises
    ------
    ValueError
        When mne-icalabel or a program that runs its network is not installed, or a channel has no position.

    References
    ----------
    doi:10.1016/j.neuroimage.2019.05.026

    Examples
    --------
    >>> from excitability.cleaning.components import decompose
    >>> info = mne.create_info(mne.channels.make_standard_montage("biosemi32").ch_names, 250.0, "eeg")
    >>> info = info.set_montage("biosemi32")
    >>> x = np.random.default_rng(0).laplace(size=(8, 32, 300)) * 1e-6
    >>> epochs = mne.EpochsArray(x, info, tmin=-0.4, verbose=False)
    >>> ica = decompose(epochs, 4, 250.0, 0)
    >>> len(label_iclabel_components(epochs, ica)["labels"])  # doctest: +SKIP
    4
    """
    runs = any(importlib.util.find_spec(name) for name in ("torch", "onnxruntime"))
    if not runs or importlib.util.find_spec("mne_icalabel") is None:
        raise ValueError('method = "iclabel" needs a network; type: pip install mne-icalabel onnxruntime')
    from mne_icalabel import label_components

    picks = [inst.ch_names.index(name) for name in ica.ch_names]
    places = np.array([inst.info["chs"][pick]["loc"][:3] for pick in picks])
    unplaced = ~np.all(np.isfinite(places), axis=1) | ~np.any(places != 0, axis=1)
    if unplaced.any():
        raise ValueError(
            f"iclabel: no position for the channel {ica.ch_names[int(np.argmax(unplaced))]}; "
            'set positions with inst.set_montage("colin27_1005")'
        )
    rate = float(inst.info["sfreq"])
    data = data_of(inst)[:, picks]
    data = data - data.mean(axis=1, keepdims=True)
    data = data - data.mean(axis=2, keepdims=True)  # trials are too short for a high-pass of 1 Hz
    if rate > 2 * _BAND[1]:
        data = mne.filter.filter_data(data, rate, None, _BAND[1], method="iir", verbose="error")
    shown = mne.EpochsArray(data, mne.pick_info(inst.info, picks), tmin=inst.times[0], baseline=None, verbose="error")
    mne.set_eeg_reference(shown, ref_channels=[], copy=False, verbose="error")
    with shown.info._unlock():
        shown.info["highpass"], shown.info["lowpass"], shown.info["custom_ref_applied"] = *_BAND, 1
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=RuntimeWarning, module="mne_icalabel")
        found = label_components(shown, ica, method="iclabel")
    return {"y_pred_proba": np.asarray(found["y_pred_proba"], dtype=float), "labels": list(found["labels"])}
