"""Which trials an evoked potential is made of: single pulses or pairs, without gaps, and enough of them."""

from __future__ import annotations

import mne
import numpy as np
import pandas as pd

from .grammar import Protocol
from .library import list_protocols, load_protocol

_MISSING = 0.5  # share of the trials
_LEAST_OF_SOUND = 4  # trials that the step "sound" learns from
_LEAST_CHANNELS = 4  # that tell what one of them has for itself
_EARLY_OF_SOUND = 20  # samples that it needs of the early part of a trial


def paired(table: pd.DataFrame) -> np.ndarray:
    """Which stimuli are pairs of pulses."""
    if "pulse_count" not in table:
        return np.zeros(len(table), dtype=bool)
    return table["pulse_count"].to_numpy(dtype=float, na_value=np.nan) > 1


def protocols_of_pairs(protocol: Protocol, table: pd.DataFrame) -> str:
    """Which protocols read pairs, where all trials are pairs and this one reads single pulses."""
    folder, _, stem = protocol.name.rpartition("/")
    if not paired(table).all() or not stem.endswith("tep"):
        return ""
    known = [name for name in list_protocols() if name.startswith(f"{folder}/") and name.endswith("_tep")]
    pairs = [name for name in known if any("inter_stimulus_interval" in one for one in load_protocol(name).conditions)]
    return f" These are pairs of pulses: type {' or '.join(pairs)}." if pairs else ""


def without_gaps(epochs: mne.BaseEpochs) -> mne.BaseEpochs:
    """Trials without missing samples; a channel that lacks them in half of the trials or more is bad instead."""
    epochs.load_data()
    everyone = mne.pick_types(epochs.info, eeg=True, exclude=())
    missing = ~np.isfinite(epochs.get_data(copy=False, verbose="ERROR").sum(axis=-1)[:, everyone])
    if not missing.any():
        return epochs
    gone = missing.mean(axis=0) >= _MISSING
    names = [epochs.ch_names[pick] for pick in everyone[gone]]
    epochs.info["bads"] = list(dict.fromkeys([*epochs.info["bads"], *names]))
    bad = np.isin(everyone, [epochs.ch_names.index(name) for name in epochs.info["bads"]])
    epochs.drop(np.flatnonzero(missing[:, ~bad].any(axis=1)), reason="nan_samples", verbose="ERROR")
    if not len(epochs):
        raise ValueError(
            f"every trial has missing samples (NaN or infinite) in one of {', '.join(epochs.ch_names[:3])} …; mark the "
            "channels that have them as bad (raw.info['bads'])"
        )
    for pick in everyone[bad]:  # of a bad channel nothing is used, but a filter would spread what is missing
        epochs.apply_function(lambda x: np.nan_to_num(x, nan=0.0, posinf=0.0, neginf=0.0), picks=[int(pick)])
    return epochs


def check_number(protocol: Protocol, epochs: mne.BaseEpochs) -> None:
    """An error that says so where fewer trials or channels are left than the noise of channels can be told from."""
    good = len(mne.pick_types(epochs.info, eeg=True))
    of_many = [step["step"] for step in protocol.cleaning if step["step"] in ("ssp_sir", "sound")]
    if good < _LEAST_CHANNELS and of_many:
        raise ValueError(
            f"{protocol.name}: {of_many[0]} needs at least {_LEAST_CHANNELS} good EEG channels, not {good}; 60 or more "
            f"are recommended: use a protocol of your own without the step{'s' * (len(of_many) > 1)} "
            f"{' and '.join(of_many)}"
        )
    if len(epochs) < _LEAST_OF_SOUND and any(step["step"] == "sound" for step in protocol.cleaning):
        raise ValueError(
            f"{protocol.name}: {len(epochs)} of {len(epochs.drop_log)} trials can be used; the cleaning of an evoked "
            f"potential needs {_LEAST_OF_SOUND}, and 80 or more are recommended: record more, or use a protocol of "
            'your own without the step "sound"'
        )


def check_rate(protocol: Protocol, rate: float) -> None:
    """An error that says what to do where samples are too few soon after the pulse, before minutes of cleaning.

    Examples
    --------
    >>> import excitability as ex
    >>> check_rate(ex.load_protocol("dlpfc/tep"), 250.0)
    Traceback (most recent call last):
    ...
    ValueError: dlpfc/tep: sampled at 250 Hz, and the cleaning soon after the pulse needs 300 Hz or more (1000 Hz or more is recommended): export the recording at its own rate, or copy the protocol and leave out early = [0.01, 0.08] of the step "sound"
    """  # noqa: E501
    for step in protocol.cleaning:
        early = step.get("early")
        if step["step"] != "sound" or early is None:
            continue
        least = (_EARLY_OF_SOUND + 1) / (early[1] - early[0])
        if rate < least:
            raise ValueError(
                f"{protocol.name}: sampled at {rate:g} Hz, and the cleaning soon after the pulse needs {least:.3g} Hz "
                "or more (1000 Hz or more is recommended): export the recording at its own rate, or copy the protocol "
                f'and leave out early = {list(early)} of the step "sound"'
            )
