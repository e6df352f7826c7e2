"""How large, how late and of which kind the responses to each trial are on average."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..resources import muscles
from .physiology import TRACKED_SIZE

#: Paired pulses: protocol -> the kind of ratio that physiology knows.
RATIO_KINDS = {
    **{name: name for name in ("sici", "icf", "sicf", "lici", "lcd", "ihi", "lihi", "cbi", "sai", "lai")},
    **{name: name for name in ("sicf_curve", "paired_pulse_curve", "sai_n20", "dual_site")},
    "sici_trunk": "sici",
    "sicf_trunk": "sicf",
    "sicf_sum": "sicf",
    "sici_intensity_curve": "sici_intensity_curve",
    "sici_intensity_curve_rmt": "sici_intensity_curve",
    "sici_intensity_curve_amt": "sici_intensity_curve",
}
#: There the first pulse drives the response.
FIRST_DRIVES = ("sicf", "sicf_curve", "sicf_sum", "sicf_trunk")
#: There both pulses evoke one.
_BOTH_EVOKE = ("lici", "lcd")
#: Protocols in which it matters whether the hemisphere is that of the muscle's own side.
SIDED = ("ipsilateral_silent_period", "trunk_laterality")
#: Columns that tell which ratio a pair has.
_TELLING = ("inter_stimulus_interval", "conditioning_target", "conditioning_intensity", "interval_after_n20")
_NERVE_MIDDLE, _NERVE_WIDTH = 20.0, 2.5  # mA at which half of the axons of a nerve are excited; k of that curve
WRIST_TO_ERB = 0.009  # s from the stimulus at the wrist to the one at Erb's point (triple stimulation)


def kind_of(protocol):
    """Last part of a protocol's name."""
    return protocol.split("/")[-1]


def kinds(stimuli):
    """Last part of the protocol's name of each trial, (n,)."""
    return stimuli["protocol"].map(kind_of).to_numpy()


def column(stimuli, name):
    """A column of the stimuli, (n,); missing values where there is none."""
    return stimuli[name].to_numpy() if name in stimuli else np.full(len(stimuli), np.nan)


def is_ipsilateral(stimuli, model):
    """Trials (n,) over the hemisphere of the muscle's own side, where the protocol compares sides."""
    return np.isin(kinds(stimuli), SIDED) & (column(stimuli, "hemisphere") == model.side)


def ratio_of(kind, row, model):
    """True ratio of a paired trial; ``row`` is a mapping of stimulus columns."""
    name, level = RATIO_KINDS[kind], row["inter_stimulus_interval"]
    if kind == "dual_site":
        name = row["conditioning_target"]
    elif kind == "sai_n20":
        level = row["interval_after_n20"]
    elif name == "sici_intensity_curve":
        level = 100 * row["conditioning_intensity"] / model.motor_threshold
    return model.ratio(name, level)


def shift_of(kind, interval, model):
    """By how much (%MSO) a conditioning stimulus moves the recruitment curve of a tracked trial."""
    change = model.threshold_change(kind.removeprefix("threshold_tracking_"), interval)
    return change / 100 * model.intensity_for(TRACKED_SIZE)


def mean_responses(stimuli, model):
    """Mean amplitude of the response to the first and to the last pulse of every trial (V)."""
    n = len(stimuli)
    first = np.zeros(n)
    kind, type_ = kinds(stimuli), column(stimuli, "stimulus_type")
    paired = (stimuli["pulse_count"] == 2).to_numpy()
    isi = stimuli["inter_stimulus_interval"].to_numpy() if "inter_stimulus_interval" in stimuli else np.full(n, np.nan)
    intensity = stimuli["intensity"].to_numpy(dtype=float, copy=True)
    ratio = np.ones(n)
    rows = stimuli.to_dict("records")
    known = {}
    for trial in np.flatnonzero(paired):
        if kind[trial] in RATIO_KINDS:
            key = tuple(rows[trial].get(name) for name in ("protocol", *_TELLING))
            if key not in known:
                known[key] = ratio_of(kind[trial], rows[trial], model)
            ratio[trial] = known[key]
        elif kind[trial].startswith("threshold_tracking"):
            intensity[trial] -= shift_of(kind[trial], isi[trial], model)
    curve = model.mean_amplitude(intensity)
    given = column(stimuli, "conditioning_intensity").astype(float)
    conditioning = model.mean_amplitude(np.where(np.isnan(given), 0.0, given))
    last = curve * ratio
    reversed_ = paired & np.isin(kind, FIRST_DRIVES)
    together = conditioning + np.where(kind == "sicf_sum", curve, 0.0)
    first[reversed_], last[reversed_] = (together * ratio)[reversed_], 0.0
    both = paired & np.isin(kind, _BOTH_EVOKE)
    first[both] = conditioning[both]
    last = last * _factors(stimuli, model)
    last[np.isin(type_, ("nerve", "movement"))] = 0.0
    same = is_ipsilateral(stimuli, model)
    trunk = muscles()[model.muscle].region == "trunk"
    last[same] *= model.ipsilateral_ratio if trunk else 0.0
    return first, last


def _factors(stimuli, model):
    """What after-effects and the coil's position make of the responses, (n,)."""
    factor = np.ones(len(stimuli))
    if "block" in stimuli:
        factor = factor * stimuli["block"].map(lambda block: model.after_effects.get(block, 1.0)).to_numpy()
    if "coil_x" in stimuli:
        factor = factor * model.map_factor(stimuli["coil_x"], stimuli["coil_y"])
    return factor


def mean_latencies(stimuli, model):
    """Onset (s) of the response to the last pulse, on average, (n,)."""
    latency = np.full(len(stimuli), model.latency)
    if "current_direction" in stimuli:
        latency = latency + stimuli["current_direction"].map(model.current_lags).fillna(0.0).to_numpy()
    latency[column(stimuli, "stimulus_type") == "root"] = model.root_latency
    latency[is_ipsilateral(stimuli, model)] += model.ipsilateral_lag
    return latency


@dataclass(frozen=True)
class DirectResponses:
    """M waves (or F waves) of some trials: mean amplitude (V; 0 for none) and onset from the last pulse (s), (n,).

    M waves are smooth and alike, whatever makes the other responses; F waves are made of a few motor units.
    """

    amplitude: np.ndarray
    onset: np.ndarray
    shape: str = "template"
    alike: bool = True
    variability: float = 0.02


def direct_responses(stimuli, model):
    """Responses to stimulation of the nerve, without the cortex; an empty list where no nerve was stimulated."""
    nerve = column(stimuli, "stimulus_type") == "nerve"
    if not nerve.any():
        return []
    triple = nerve & (kinds(stimuli) == "triple_stimulation")
    excited = 1 / (1 + np.exp((_NERVE_MIDDLE - stimuli["intensity"].to_numpy(float)) / _NERVE_WIDTH))
    size = np.where(nerve, model.m_max * excited, 0.0)
    reached = np.where(column(stimuli, "conditioning_type") == "tms", model.reached, 1.0)
    main = DirectResponses(
        np.where(triple, size * reached, size), np.where(triple, model.erb_latency, model.m_wave_latency)
    )
    wrist = DirectResponses(np.where(triple, size, 0.0), np.full(len(stimuli), model.m_wave_latency - WRIST_TO_ERB))
    late = column(stimuli, "simulated_f_wave").astype(float)
    small, late = np.where(np.isnan(late), 0.0, 0.02 * size), np.where(np.isnan(late), 0.03, late)
    f_waves = DirectResponses(small, late, "motor_units", alike=False, variability=0.4)
    return [found for found in (main, wrist, f_waves) if found.amplitude.any()]
