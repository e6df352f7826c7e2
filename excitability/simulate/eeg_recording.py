"""Putting a TMS-EEG recording together: trials, responses, artefacts, background, and EMG beside it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from .brain_activity import activity_density, ongoing_eeg
from .eeg_artefacts import pulse_on_scalp, recharge_on_scalp
from .emg_channel import simulate_channel
from .evoked_responses import PERIPHERAL, REGIONS, component_responses, region_rows
from .expected import RATIO_KINDS, kind_of
from .fields import CHANNELS, eeg_raw
from .oscillations import time_frequency_truth
from .physiology import physiology
from .stimuli import HIDDEN, extras_of
from .truth import measures_of

COIL = {"DLPFC": "F3", "M1": "C3"}
#: The component that goes with the MEPs.
ASSOCIATED = {"DLPFC": "p25", "M1": "p30"}
_LEAD = 1.2  # s before the first trial
_LASTING = 0.5  # s; no response lasts longer
_ONGOING = {"aperiodic_exponent": 1.2, "alpha_frequency": 10.0, "sensor_noise": 0.3e-6}


@dataclass(frozen=True)
class Recording:
    """How a recording is made; see :func:`excitability.simulate.tep_session`."""

    target: str
    channels: tuple[str, ...] = CHANNELS
    sampling_rate: float = 1000.0
    trial_interval: float = 1.2
    waveform: str = "gaussian"
    decay: str = "exponential"
    decay_amplitude: float = 40e-6
    muscle_amplitude: float = 0.0
    blink_amplitude: float = 100e-6
    background_rms: float = 4e-6
    trial_gain: float = 0.15
    ringing: float = 0.0009
    recharge: float | None = None

    @property
    def spectrum(self):
        """The ongoing EEG without blinks and hum."""
        rms = self.background_rms
        return _ONGOING | {"aperiodic_rms": rms, "alpha_rms": 0.8 * rms, "beta_rms": 0.2 * rms}


@dataclass(frozen=True)
class PulseTrain:
    """What one kind of trial holds.

    ``responses`` are (s from the last pulse, components, strength of the artefact), one a pulse; ``peripheral`` is the
    size of what is heard and felt of the last.
    """

    responses: tuple
    peripheral: float = 0.0
    oscillations: tuple = ()


@dataclass
class Made:
    """A recording, and what is needed to say what is true of it."""

    raw: Any
    recording: Recording
    protocol: str
    trials: pd.DataFrame
    muscles: dict
    stimuli: pd.DataFrame
    association: float
    spread: float

    def response(self, train):
        """Noise-free response (n_channels, n_times) to a kind of trial, from −0.2 to 0.5 s, and its times."""
        rate = self.recording.sampling_rate
        times = np.arange(round(-0.2 * rate), round(0.5 * rate) + 1) / rate
        return _response(self.recording, train, times), times

    def course(self, train):
        """Mean over the region of what is locked among fast oscillations, and its times."""
        response, times = self.response(PulseTrain((), oscillations=train.oscillations))
        return response[region_rows(self.recording.channels, self.recording.target)].mean(axis=0), times

    def evoked(self, train, comment):
        import mne

        response, times = self.response(train)
        info = self.raw.copy().pick("eeg").info
        return mne.EvokedArray(response, info, tmin=times[0], comment=comment, verbose="error")

    def time_frequency(self, train):
        """Measures of evoked and induced power in the region; see :func:`time_frequency_truth`."""
        here = self.recording
        rate = 500.0  # faster than wavelets look; what oscillates above them is left out
        times = np.arange(round(-0.6 * rate), round(0.6 * rate) + 1) / rate
        train = replace(train, oscillations=tuple(one for one in train.oscillations if one.frequency < 100))
        rows = region_rows(here.channels, here.target)
        free = np.zeros((len(rows), times.size))
        for one in train.oscillations:
            free += np.sqrt(1 - one.locking**2) * np.outer(one.field(here.channels)[rows], one.courses(times, [0.0])[0])

        def density_of(frequencies):
            cross = activity_density(here.channels, frequencies, here.sampling_rate, **here.spectrum)
            return np.real(np.einsum("fcc->cf", cross))[rows]

        locked = _response(here, train, times)[rows]
        varying = [here.trial_gain * locked]
        if self.muscles:
            components = train.responses[-1][1]
            alone = {name: one for name, one in components.items() if name == ASSOCIATED[here.target]}
            course = component_responses(here.channels, times, alone, here.waveform)[0]
            varying.append(self.spread * course[rows])
        return time_frequency_truth(locked, free, varying, rate, times, density_of)

    def muscle_measures(self, condition):
        """Channel, condition, measure and value of the EMG, and of its association with the EEG."""
        found = []
        for channel, model in self.muscles.items():
            told = self.stimuli[self.stimuli["kind"].isin(("real", "test", "pair"))].reset_index(drop=True)
            kind = kind_of(told["protocol"].iloc[0])
            if kind in RATIO_KINDS:
                rows = measures_of(kind, told, model)
                keep = ("conditioned_ratio", "mep_amplitude")
                found += [(channel, *row) for row in rows if row[1] in keep]
                continue
            amplitude = float(model.mean_amplitude(told["intensity"]).mean())
            found.append((channel, condition, "mep_amplitude", amplitude))
            where = f"{REGIONS[self.recording.target]}+{channel}"
            found.append((where, condition, "correlation", float(self.association)))
        return found

    def table(self, rows):
        table = pd.DataFrame(rows, columns=["channel", "condition", "measure", "value"])
        table.insert(0, "protocol", self.protocol)
        return table


def _response(recording, train, times):
    """Noise-free, without what is not locked to the pulse."""
    total = np.zeros((len(recording.channels), times.size))
    for shift, components, _ in train.responses:
        if components:
            total += component_responses(recording.channels, times - shift, components, recording.waveform).sum(axis=0)
    if train.peripheral:
        heard = component_responses(recording.channels, times, PERIPHERAL, recording.waveform).sum(axis=0)
        total += train.peripheral * heard
    for one in train.oscillations:
        total += one.locking * np.outer(one.field(recording.channels), one.courses(times, [0.0])[0])
    return total


def record(
    recording,
    stimuli,
    trains,
    protocol,
    emg_protocol,
    seed,
    *,
    muscles=None,
    association=0.0,
    component_spread=0.0,
    interval=np.nan,
):
    """Make a recording.

    Parameters
    ----------
    recording : Recording
    stimuli : DataFrame
        ``kind`` of each trial, in any order, and ``conditioning_intensity`` where there is one.
    trains : mapping of str to PulseTrain
        By kind.
    protocol, emg_protocol : str
        Of the rows of truth; of the muscles' ratios.
    seed : int or numpy.random.Generator
    muscles : mapping, optional
    association, component_spread : float
    interval : float
        Of pairs, s.

    Returns
    -------
    Made
    """
    rng = np.random.default_rng(seed)
    rate, channels = recording.sampling_rate, tuple(recording.channels)
    stimuli = stimuli.iloc[rng.permutation(len(stimuli))].reset_index(drop=True)
    gaps = recording.trial_interval * rng.uniform(0.95, 1.05, len(stimuli))
    samples = np.round((np.cumsum(gaps) - gaps[0] + _LEAD) * rate).astype(int)
    n_times = int(np.ceil(samples[-1] / rate + 1.0) * rate)  # whole seconds, as EDF wants
    data = ongoing_eeg(
        channels,
        n_times,
        rate,
        rng,
        blink_amplitude=recording.blink_amplitude,
        line_noise=0.5e-6,
        **recording.spectrum,
    )
    coil = int(rng.integers(2**63))
    trials = pd.DataFrame({"kind": stimuli["kind"]})
    models = {name: physiology(name, changes) for name, changes in (muscles or {}).items()}
    extra = component_spread * rng.standard_normal(len(stimuli)) if models else np.zeros(len(stimuli))
    for kind, train in trains.items():
        here = np.flatnonzero(stimuli["kind"] == kind)
        if here.size:
            _add_trials(data, recording, train, samples[here], extra[here], here, trials, coil, rng)
    stimuli = _stimuli(stimuli, recording, models, interval)
    told = stimuli.drop(columns="kind")
    emg = []
    for name, model in models.items():
        column = trials[f"size_{ASSOCIATED[recording.target]}"].to_numpy()
        spread = np.hypot(component_spread, recording.trial_gain)
        x, truth = _muscle(
            model, stimuli, emg_protocol, samples, n_times, rate, (column - 1) / spread, association, rng
        )
        emg.append(x)
        trials[f"mep_amplitude_{name}"] = truth["amplitude"].to_numpy()
    stimuli["protocol"] = emg_protocol
    names = {name: model.muscle for name, model in models.items()}
    raw = eeg_raw(np.vstack([data, *emg]), channels, rate, protocol, names)
    _annotate(raw, samples, told)
    return Made(raw, recording, protocol, trials, models, stimuli, association, component_spread)


def _add_trials(data, recording, train, samples, extra, here, trials, coil, rng):
    """Responses and artefacts of all trials of one kind; their sizes go into the table of trials."""
    rate, channels = recording.sampling_rate, tuple(recording.channels)
    window = np.arange(round(_LASTING * rate)) / rate
    for shift, components, strength in train.responses:
        start = samples + round(shift * rate)
        gain = 1 + recording.trial_gain * rng.standard_normal(len(start))
        block = strength * pulse_on_scalp(
            window, channels, COIL[recording.target], len(start), recording.decay, recording.decay_amplitude,
            recording.muscle_amplitude, recording.ringing, np.random.default_rng(coil),
        )  # fmt: skip
        if recording.recharge is not None:
            block = block + strength * recharge_on_scalp(window, channels, COIL[recording.target], recording.recharge)
        if components:
            fields = component_responses(channels, window, components, recording.waveform)
            sizes = np.repeat(gain[:, None], len(components), axis=1)
            if ASSOCIATED[recording.target] in components:
                sizes[:, list(components).index(ASSOCIATED[recording.target])] += extra
            block = block + np.tensordot(sizes, fields, axes=1)
            if shift == 0:
                trials.loc[here, [f"size_{name}" for name in components]] = sizes
        _add(data, start, block)
    if train.peripheral:
        heard = train.peripheral * component_responses(channels, window, PERIPHERAL, recording.waveform).sum(axis=0)
        gain = 1 + recording.trial_gain * rng.standard_normal(len(samples))
        _add(data, samples, gain[:, None, None] * heard)
    for one in train.oscillations:
        courses = one.courses(window, one.phases(len(samples), rng))
        _add(data, samples, one.field(channels)[:, None] * courses[:, None])


def _add(data, starts, block):
    for start, trial in zip(starts, block, strict=True):
        data[:, start : start + trial.shape[1]] += trial


def _stimuli(stimuli, recording, models, interval):
    """Stimulus columns, as they are annotated, beside ``kind``."""
    kind = stimuli["kind"]
    threshold = next(iter(models.values())).motor_threshold if models else 50.0
    conditioning = stimuli.get("conditioning_intensity", pd.Series(np.nan, stimuli.index)) * threshold / 50.0
    table = pd.DataFrame(
        {
            "kind": kind,
            "pulse_count": np.where(kind == "pair", 2, 1),
            "inter_stimulus_interval": np.where(kind == "pair", interval, np.nan),
            "intensity": np.where(kind == "conditioning", np.nan, np.round(1.2 * threshold)),
            "conditioning_intensity": conditioning.round(),
            "intensity_rmt": np.where(kind == "conditioning", np.nan, 120.0),
            "stimulus_type": "tms",
            "target": recording.target,
            "hemisphere": "left",
            "muscle_state": "rest",
        }
    )
    if (kind == "sham").any():
        table["block"] = kind.to_numpy()
    return table


def _muscle(model, stimuli, protocol, samples, n_times, rate, size, association, rng):
    """EMG of one muscle, whose deviates go with the sizes of a component by the rank correlation stated."""
    if not -1 <= association <= 1:
        raise ValueError(f"association={association}: expected a rank correlation between -1 and 1")
    pearson = 2 * np.sin(np.pi * association / 6)  # of the normal variables behind the ranks
    own = rng.standard_normal(len(stimuli))
    known = np.isfinite(size)
    deviate = np.where(known, pearson * np.where(known, size, 0.0) + np.sqrt(1 - pearson**2) * own, own)
    table = stimuli.drop(columns=["kind", "block"], errors="ignore").assign(protocol=protocol)
    weak = (stimuli["kind"] == "conditioning").to_numpy()
    table.loc[weak, "intensity"] = table.loc[weak, "conditioning_intensity"]
    table.loc[weak, "conditioning_intensity"] = np.nan
    table.loc[(stimuli["kind"] == "sham").to_numpy(), "intensity"] = 1.0
    table[HIDDEN + "deviate"] = deviate
    return simulate_channel(
        model, table, samples, n_times, rate, generator="motor_units", artefact="decay", leads=True, rng=rng
    )


def _annotate(raw, samples, stimuli):
    import mne

    times = samples / raw.info["sfreq"]
    raw.set_annotations(mne.Annotations(times, np.zeros(len(times)), ["TMS"] * len(times), extras=extras_of(stimuli)))
