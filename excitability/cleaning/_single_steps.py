"""What is said to somebody who runs one cleaning step: missing samples, a pulse that is still there, a small gain."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import mne
import numpy as np

from ._instance import data_of, eeg_picks, facts_of

_AFTER_THE_PULSE = ("sound", "ssp_sir", "filter", "remove_components")  # steps that a pulse spoils
_PULSE = (-0.001, 0.008)  # s
_BEFORE = -0.02  # s: the trials end here that tell how large the background is
_TIMES = 20.0  # standard deviations of the background that no response reaches
_LEAST_GAIN = 0.8


def refuse_missing(inst: Any, name: str, kinds: tuple[str, ...]) -> None:
    """An error that names a good channel with missing samples, and where they are.

    Examples
    --------
    >>> raw = mne.io.RawArray(np.ones((2, 300)), mne.create_info(["F3", "F4"], 100.0, "eeg"), verbose="error")
    >>> raw._data[1, 120:150] = np.nan
    >>> refuse_missing(raw, "filter", ("eeg",))
    Traceback (most recent call last):
    ...
    ValueError: filter: missing samples (NaN or infinite) of F4 at 1.2 s; mark the channel as bad (inst.info['bads']), or crop them away
    """  # noqa: E501
    types = inst.get_channel_types()
    good = [pick for pick, kind in enumerate(types) if kind in kinds and inst.ch_names[pick] not in inst.info["bads"]]
    data = data_of(inst)
    missing = ~np.isfinite(data.sum(axis=-1)[..., good])
    if not missing.any():
        return
    trial, channel = (
        (None, int(np.argmax(missing))) if missing.ndim == 1 else divmod(int(np.argmax(missing)), len(good))
    )
    trace = data[good[channel]] if trial is None else data[trial, good[channel]]
    when = inst.times[int(np.argmin(np.isfinite(trace)))]
    where = f"at {when:.4g} s" if trial is None else f"in trial {int(inst.selection[trial])}"
    cure = "crop them away" if trial is None else "drop the trial (epochs.drop)"
    raise ValueError(
        f"{name}: missing samples (NaN or infinite) of {inst.ch_names[good[channel]]} {where}; mark the channel as "
        f"bad (inst.info['bads']), or {cure}"
    )


def warn_uncut(inst: Any, name: str) -> None:
    """Warn where trials that a step is given still hold the pulse."""
    if name not in _AFTER_THE_PULSE or not isinstance(inst, mne.BaseEpochs) or not len(inst):
        return
    records = facts_of(inst).get("cleaning", [])
    pulse = (inst.times >= _PULSE[0]) & (inst.times <= _PULSE[1])
    before = inst.times < _BEFORE
    if any(record.get("step") == "remove_pulse" for record in records) or not pulse.any() or before.sum() < 2:
        return
    x = inst.get_data(picks=eeg_picks(inst), verbose="ERROR")
    usual = x[..., before].std(axis=(0, 2))
    level = x[..., before].mean(axis=(0, 2))
    highest = np.abs(x[..., pulse].mean(axis=0) - level[:, None]).max(axis=1)
    if np.median(highest - _TIMES * usual) > 0:
        warnings.warn(
            f"{name}: the TMS pulse is still in these trials and spoils what comes of it; cut it out first: "
            "epochs = cleaning.interpolate_pulse(cleaning.remove_pulse(epochs))",
            RuntimeWarning,
            stacklevel=3,
        )


def warn_small_gain(name: str, record: Mapping[str, Any]) -> None:
    """Warn where SOUND, with a number that somebody gave, makes responses clearly smaller."""
    gain = record.get("gain", 1.0)
    if name == "sound" and gain < _LEAST_GAIN and record["parameters"]["lambda_"] != "auto":
        warnings.warn(
            f"sound: with lambda_ = {record['lambda_']:g} responses come out too small (gain {gain:.2f}, median of "
            "sources); choose a smaller lambda_, or 'auto' (cleaning.log_of(epochs) has the details)",
            RuntimeWarning,
            stacklevel=3,
        )
