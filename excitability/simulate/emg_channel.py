"""One EMG channel of a session: responses, artefacts, silences and contraction around every trial."""

from __future__ import annotations

import numpy as np
import pandas as pd

from .artefacts import pulse_artefact, shock_artefact
from .background import interference_pattern, rest_noise
from .expected import WRIST_TO_ERB, column, direct_responses, is_ipsilateral, kinds, mean_latencies, mean_responses
from .meps import responses_on, silence_gate
from .responses import make_shapes, place_responses
from .stimuli import HIDDEN

_RESPONSE_END = 0.11  # s; no response lasts longer
_GATE_END = 0.45  # s; nor does a silence
_DIRECT_START = -0.01  # s; the M wave of the stimulus at the wrist begins before the last pulse
_DIRECT_STRETCH = 0.8  # M waves are short: all axons are excited at once
_DIRECT_JITTER = 0.0001  # s, of their onset
_INTERRUPTION_SD, _INTERRUPTION_RAMP = 0.0005, 0.001  # s, of the ipsilateral silent period
_BURST = (0.012, 0.3, 0.1)  # s: a voluntary burst grows, lasts and fades
_BURST_SD = 0.008  # s, of its onset in muscles that follow the prime mover


def simulate_channel(model, stimuli, samples, n_times, rate, *, generator, artefact, leads, rng):
    """One channel of the recording, and what is true of each of its trials.

    Parameters
    ----------
    model : Physiology
    stimuli : DataFrame
    samples : array of int, (n_trials,)
        Sample of the last pulse of each trial.
    n_times : int
    rate : float
        Hz.
    generator, artefact : str
    leads : bool
        The intensities of tracked trials followed from the responses of this channel.
    rng : numpy.random.Generator

    Returns
    -------
    x : array, (n_times,)
        Volts.
    truth : DataFrame
        One row a trial.
    """
    n = len(stimuli)
    x = model.noise_rms * rest_noise(1, n_times, rate, rng)[0]
    contracts = np.full(n, True) if model.contracting else (stimuli["muscle_state"] == "active").to_numpy()
    gain = np.ones(n_times)
    truth = _add_evoked(x, gain, model, stimuli, samples, rate, generator, artefact, contracts, leads, rng)
    _add_direct(x, model, stimuli, samples, rate, truth, rng)
    _interrupt(gain, model, stimuli, samples, rate, contracts, truth, rng)
    if contracts.any():
        level = np.ones(n_times)
        if not contracts.all():  # the contraction begins half a second before the first of its trials
            level = _contraction(samples[contracts], n_times, rate)
        x += (
            model.background_rms
            * gain
            * level
            * _strength(stimuli, samples, n_times)
            * interference_pattern(n_times, rate, rng)
        )
    _add_bursts(x, model, stimuli, samples, rate, truth, rng)
    return x, truth


def _add(signal_, samples, block):
    """Add windows (n, n_window) to a continuous signal, each from its sample on."""
    np.add.at(signal_, samples[:, None] + np.arange(block.shape[1]), block)


def _add_evoked(x, gain, model, stimuli, samples, rate, generator, artefact, contracts, leads, rng):
    """Responses to the first and the last pulse, their silences and artefacts; returns the truth of the trials."""
    n = len(stimuli)
    isi = stimuli["inter_stimulus_interval"].fillna(0.0).to_numpy()
    paired = (stimuli["pulse_count"] >= 2).to_numpy()
    lag = np.round(isi * rate).astype(int)
    window = np.arange(round(_RESPONSE_END * rate)) / rate
    gate_window = np.arange(round(_GATE_END * rate)) / rate
    means, latencies = mean_responses(stimuli, model), (model.latency, mean_latencies(stimuli, model))
    coil = int(rng.integers(2**63))  # both pulses of a pair leave the same artefact, scaled by their intensity
    deviate = rng.standard_normal((2, n))
    if leads and HIDDEN + "deviate" in stimuli:
        told = stimuli[HIDDEN + "deviate"].to_numpy()
        deviate[1] = np.where(np.isnan(told), deviate[1], told)
    noise = np.exp(model.variability * deviate - model.variability**2 / 2)
    truth = pd.DataFrame({"contracts": contracts})
    # Where a pair is compared with a first pulse alone, both have one shape. Recordings of m1/sicf stay as they were:
    # its amplitudes do not depend on it.
    person = coil if np.isin(kinds(stimuli), ("sicf_curve", "sicf_sum", "sicf_trunk")).any() else None
    for pulse, start, name in ((0, samples - lag, "first_"), (1, samples, "")):
        # between samples, a first pulse is where its interval puts it
        shift = (samples - isi * rate - start) / rate if pulse == 0 else 0.0
        amplitude = np.where(means[pulse] > 2e-6, means[pulse] * noise[pulse], 0.0)
        onset = rng.normal(latencies[pulse], model.latency_sd, n)
        block, end, _ = responses_on(
            window,
            amplitude,
            onset + shift,
            generator=generator,
            muscle=model.muscle,
            largest=2.5 * model.mep_max,
            rng=rng,
            person=person,
        )
        _add(x, start, block)
        silence = np.maximum(rng.normal(model.silent_period, model.silent_period_sd, n), end + 0.005)
        silenced = contracts & (amplitude > 0)
        gate = silence_gate(gate_window, np.where(silenced, onset, np.nan), end, silence)
        np.minimum.at(gain, start[:, None] + np.arange(len(gate_window)), gate)
        given = paired if pulse == 0 else np.full(n, True)
        _add_artefacts(x, stimuli, start, given, pulse == 0, window, artefact, coil)
        truth[name + "amplitude"] = amplitude
        truth[name + "latency"] = np.where(amplitude > 0, onset, np.nan)
        truth[name + "silent_period"] = np.where(silenced, silence, np.nan)
    return truth


def _add_artefacts(x, stimuli, start, given, first, window, artefact, coil):
    """Artefacts of the coil or of the shock, whichever a pulse was; movements leave none."""
    type_ = column(stimuli, "stimulus_type")
    if first:
        told = column(stimuli, "conditioning_type")
        type_ = np.where(pd.isna(told), "tms", told)
    shock = given & (type_ == "nerve")
    magnetic = given & ~np.isin(type_, ("nerve", "movement"))
    strength = 0.5 + 0.5 * stimuli["conditioning_intensity" if first else "intensity"] / 60
    strength = strength.fillna(1.0).to_numpy()
    block = pulse_artefact(window, len(stimuli), artefact, np.random.default_rng(coil))
    _add(x, start[magnetic], (block * strength[:, None])[magnetic])
    if artefact != "none" and shock.any():
        _add(x, start[shock], shock_artefact(window, int(shock.sum())))


def _add_direct(x, model, stimuli, samples, rate, truth, rng):
    """M waves and F waves, with the shock at the wrist of the triple stimulation."""
    found = direct_responses(stimuli, model)
    window = np.arange(round(_DIRECT_START * rate), round(_RESPONSE_END * rate)) / rate
    for number, direct in enumerate(found):
        there = np.flatnonzero(direct.amplitude > 0)
        size = direct.amplitude[there] * np.exp(direct.variability * rng.standard_normal(there.size))
        onset = direct.onset[there] + _DIRECT_JITTER * rng.standard_normal(there.size)
        person = np.random.default_rng(int(rng.integers(2**63)))
        count = 1 if direct.alike else there.size
        shapes = make_shapes(rng.uniform(0.02, 0.1, count), direct.shape, person, rng)
        shapes = np.broadcast_to(shapes, (there.size, shapes.shape[1]))
        block, _, _ = place_responses(shapes, size, onset, window, _DIRECT_STRETCH)
        _add(x, samples[there] + round(_DIRECT_START * rate), block)
        if number == 0:
            truth["m_wave_amplitude"], truth["m_wave_latency"] = np.nan, np.nan
            truth.loc[there, "m_wave_amplitude"] = size
            truth.loc[there, "m_wave_latency"] = onset
    triple = kinds(stimuli) == "triple_stimulation"
    if triple.any():
        at = samples[triple] - round(WRIST_TO_ERB * rate)
        _add(x, at, shock_artefact(window[window >= 0], int(triple.sum())))


def _interrupt(gain, model, stimuli, samples, rate, contracts, truth, rng):
    """Ipsilateral silent periods: the contraction is weaker for a while."""
    same = contracts & is_ipsilateral(stimuli, model) & (kinds(stimuli) == "ipsilateral_silent_period")
    if not same.any():
        return
    begin = np.where(same, rng.normal(model.ipsilateral_onset, _INTERRUPTION_SD, len(same)), np.nan)
    window = np.arange(round(_GATE_END * rate)) / rate
    half = _INTERRUPTION_RAMP / 2  # the limits are where half of the depth is reached
    stop = begin + model.ipsilateral_duration
    gate = silence_gate(window, begin - half, begin + half, stop - half, ramp=_INTERRUPTION_RAMP)
    gate = 1 - model.ipsilateral_depth * (1 - gate)
    np.minimum.at(gain, samples[:, None] + np.arange(len(window)), gate)
    truth["ipsilateral_onset"] = begin


def _contraction(samples, n_times, rate):
    """1 around the trials with a contraction, 0 elsewhere, with ramps of 50 ms."""
    edges = np.zeros(n_times + 1)
    np.add.at(edges, np.maximum(samples - round(0.5 * rate), 0), 1)
    np.add.at(edges, np.minimum(samples + round(0.5 * rate), n_times), -1)
    level = (np.cumsum(edges[:-1]) > 0).astype(float)
    ramp = np.ones(round(0.05 * rate))
    return np.convolve(level, ramp / len(ramp), mode="same")


def _strength(stimuli, samples, n_times):
    """Strength of the contraction at every sample: that of the nearest trial; 1 where all contract as usual."""
    if HIDDEN + "contraction" not in stimuli:
        return 1.0
    middle = (samples[1:] + samples[:-1]) // 2
    nearest = np.searchsorted(middle, np.arange(n_times))
    return stimuli[HIDDEN + "contraction"].fillna(1.0).to_numpy()[nearest]


def _add_bursts(x, model, stimuli, samples, rate, truth, rng):
    """Voluntary bursts of EMG after the cues of movements."""
    cue = column(stimuli, HIDDEN + "movement").astype(float)
    moved = np.flatnonzero(np.isfinite(cue))
    if not moved.size:
        return
    lag = model.voluntary_lag
    scatter = _BURST_SD * rng.standard_normal(moved.size) * (lag != 0)
    onset = cue[moved] + lag + scatter
    grow, last, fade = _BURST
    window = np.arange(round(1.0 * rate)) / rate
    since = window - onset[:, None]
    envelope = np.clip(since / grow, 0, 1) * np.clip((grow + last + fade - since) / fade, 0, 1)
    pattern = interference_pattern(len(x), rate, rng)
    level = np.zeros(len(x))
    _add(level, samples[moved], envelope)
    x += model.voluntary_rms * level * pattern
    truth.loc[moved, "voluntary_onset"] = onset
