"""Which trials are a protocol's own: what is lost of them, and what their measures mean."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from ..measures._intervals import nominal_intervals
from ..measures._shared_error import EDGE, ONSET_COLUMNS
from ..query import evaluate
from ..resources import muscle_window
from ..schema import STIMULUS_COLUMNS
from .grammar import Protocol

_ERROR = "mep_latency_standard_error"
#: Flags about a response to the cortex in its window.
_OF_RESPONSES = (EDGE, "artefact_in_window")
_RARE = 0.5  # of the protocol's smallest condition, below which a kind of trial that fits none was not meant to exist


def trial_measures(protocol: Protocol) -> dict[str, Mapping[str, Any]]:
    """Measures of each trial: those of the section [trial], and the error of onsets where a mean of them is wanted.

    Examples
    --------
    >>> import excitability as ex
    >>> [name for name in trial_measures(ex.load_protocol("cortical_silent_period")) if "latency" in name]
    ['mep_latency', 'mep_latency_standard_error']
    """
    wanted = dict(protocol.trial)
    parameters = wanted.get("mep_latency")
    means = any(
        arguments.get("measure", key) == "trial_mean" and arguments.get("of") == "mep_latency"
        for key, arguments in protocol.summary.items()
    )
    if parameters is not None and means and "method" not in parameters and _ERROR not in wanted:
        wanted[_ERROR] = parameters
    return wanted


def without_onset_at_edge(table: pd.DataFrame, protocol: Protocol, window: tuple[float, float], step: float) -> None:
    """Take away onsets on the first or last sample of their window, in place: the response need not begin there."""
    given = protocol.trial.get("mep_latency", {}).get("window", "muscle")
    start, stop = window if given == "muscle" else muscle_window(given) if isinstance(given, str) else given
    near = 1.001 * step
    latency = table["mep_latency"].to_numpy(dtype=float)
    with np.errstate(invalid="ignore"):
        edge = (latency <= start + near) | (latency >= stop - near)
    if edge.any():
        table.loc[edge, [name for name in ONSET_COLUMNS if name in table]] = np.nan


def own_trials_lost(protocol: Protocol, pulses: pd.DataFrame) -> np.ndarray:
    """Pulses of no condition that the protocol should have had: unknown in what its conditions ask for, or strays.

    Pulses of another protocol of the session fit no condition either, and are no loss.

    Parameters
    ----------
    protocol : Protocol
    pulses : DataFrame
        Stimuli, with ``condition`` (empty where none applies).

    Returns
    -------
    ndarray of bool, shape (n_trials,)

    Examples
    --------
    >>> import excitability as ex
    >>> isi = [np.nan] * 6 + [0.002] * 6 + [0.1] * 6 + [0.2]
    >>> pulses = pd.DataFrame({"pulse_count": [1] * 6 + [2] * 13, "inter_stimulus_interval": isi})
    >>> pulses["condition"] = ["test"] * 6 + ["isi_0.002"] * 6 + [""] * 7
    >>> np.flatnonzero(own_trials_lost(ex.load_protocol("sici"), pulses)).tolist()
    [18]
    """
    outside = (pulses["condition"] == "").to_numpy()
    if not outside.any() or outside.all():
        return outside
    kind = _kinds(pulses)
    asked = {word for query in protocol.conditions.values() for word in re.findall(r"[A-Za-z_]\w*", str(query))}
    lost = np.zeros(len(pulses), bool)
    single = (kind["pulse_count"] < 2).to_numpy()
    lost = np.zeros(len(pulses), bool)
    for name in asked & set(pulses.columns):
        unknown = pulses[name].isna().to_numpy()
        if name == "inter_stimulus_interval" or name.startswith("conditioning"):
            unknown = unknown & ~single
        if not unknown.all():
            lost |= outside & unknown
    count = kind.groupby(list(kind.columns))["pulse_count"].transform("size").to_numpy()
    smallest = pulses["condition"][~outside].value_counts().min()
    return lost | (outside & (count < _RARE * smallest))


def lost_by_stated_interval(protocol: Protocol, pulses: pd.DataFrame) -> bool:
    """Whether pulses of no condition would be pairs of the protocol by what their artefacts show, not by what is told.

    Examples
    --------
    >>> import excitability as ex
    >>> pulses = pd.DataFrame({"pulse_count": [1, 2, 2], "inter_stimulus_interval": [np.nan, 0.003, 0.0099]})
    >>> pulses = pulses.assign(condition=["test", "isi_0.003", ""], measured_interval=[np.nan, 0.003, 0.002])
    >>> lost_by_stated_interval(ex.load_protocol("sici"), pulses)
    True
    """
    if "measured_interval" not in pulses:
        return False
    measured = pd.to_numeric(pulses["measured_interval"], errors="coerce")
    outside = (pulses["condition"] == "") & measured.notna()
    if "protocol" in pulses:  # another protocol may have the same intervals
        outside &= pulses["protocol"].isna() | pulses["protocol"].isin(
            [protocol.name, protocol.name.rsplit("/", 1)[-1]]
        )
    shown = pulses[outside].assign(inter_stimulus_interval=nominal_intervals(measured[outside]), pulse_count=2.0)
    return any(evaluate(query, shown, STIMULUS_COLUMNS).any() for query in protocol.conditions.values())


def _kinds(pulses: pd.DataFrame) -> pd.DataFrame:
    """What tells kinds of trials apart: number of pulses, their interval and the kinds of stimulus."""
    paired = pulses.get("pulse_count", pd.Series(1.0, pulses.index)).astype(float).fillna(1.0)
    interval = pulses.get("inter_stimulus_interval", pd.Series(np.nan, pulses.index)).astype(float)
    kind = pd.DataFrame({"pulse_count": paired, "interval": np.nan_to_num(nominal_intervals(interval), nan=-1.0)})
    for name in ("stimulus_type", "conditioning_type", "current_direction"):
        if name in pulses:
            kind[name] = pulses[name].fillna("").astype(str)
    return kind


def is_direct(pulses: pd.DataFrame) -> np.ndarray:
    """Single stimuli to a nerve: in the window of responses to the cortex they have the tail of an M wave."""
    if "stimulus_type" not in pulses:
        return np.zeros(len(pulses), bool)
    paired = pulses["pulse_count"].astype(float).to_numpy() > 1 if "pulse_count" in pulses else False
    return (pulses["stimulus_type"] == "nerve").to_numpy() & ~np.asarray(paired)


def without_words_of_responses(flag: str) -> str:
    """A trial's flags without those about a response to the cortex.

    >>> without_words_of_responses("window_edge;clipped")
    'clipped'
    """
    return ";".join(word for word in flag.split(";") if word not in _OF_RESPONSES)
