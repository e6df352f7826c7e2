"""What a reader of an evoked potential must know of its recording: flags on all rows of a condition."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import mne
import numpy as np

from ..schema import join_flags
from .grammar import Protocol


def flag_rows(
    protocol: Protocol, epochs: mne.BaseEpochs, kept: Mapping[str, np.ndarray], rows: list[dict[str, Any]]
) -> None:
    """Write the flags of a recording and of its conditions onto their rows, in place.

    Parameters
    ----------
    protocol : Protocol
    epochs : mne.Epochs
        Cleaned trials.
    kept : mapping
        Positions of the kept trials of each condition.
    rows : list of dict
        Rows of the measures on averages and on trials; not those of quality.
    """
    of_all = _of_recording(protocol, epochs)
    for entry in rows:
        entry["flag"] = join_flags(entry["flag"], *of_all)


def _of_recording(protocol: Protocol, epochs: mne.BaseEpochs) -> list[str]:
    single = not any("inter_stimulus_interval" in one for one in protocol.conditions)
    return ["pairs_left_out"] * bool(single and _fact(epochs, "pairs_left_out"))


def _fact(epochs: mne.BaseEpochs, name: str, default: Any = None) -> Any:
    return ((epochs.info.get("temp") or {}).get("excitability") or {}).get(name, default)
