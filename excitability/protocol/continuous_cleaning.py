"""Cleaning steps that need the whole recording, before trials are cut from it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import mne
import pandas as pd

from ..cleaning import apply, get_step
from .grammar import Protocol


def continuous_steps(protocol: Protocol) -> tuple[list[Mapping[str, Any]], list[Mapping[str, Any]]]:
    """Cleaning steps that need the whole recording, which come first, and those of trials."""
    whole = [step for step in protocol.cleaning if get_step(step["step"]).on == ("raw",)]
    return whole, [step for step in protocol.cleaning if step not in whole]


def cleaned_whole(inst: Any, steps: list[Mapping[str, Any]], names: list[str]) -> tuple[Any, pd.DataFrame]:
    """The channels asked for, and those of the heart, of a continuous recording that is cleaned before it is cut."""
    if not steps:
        return inst, pd.DataFrame()
    if isinstance(inst, mne.BaseEpochs):
        raise ValueError(
            f"{steps[0]['step']} needs a continuous recording, and this one holds trials cut at the recording; "
            "use a protocol without this step, such as m1/mep"
        )
    types = zip(inst.ch_names, inst.get_channel_types(), strict=True)
    hearts = [name for name, type_ in types if type_ == "ecg"]
    return apply(inst.copy().pick(list(dict.fromkeys([*names, *hearts]))), steps)
