"""EMG recordings of whole sessions: protocols after one another, from one physiology a muscle."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ..schema import isi_label
from .artefacts import pulse_artefact
from .background import interference_pattern, rest_noise
from .meps import responses_on, silence_gate
from .physiology import physiology
from .stimuli import extras_of, protocol_name, protocol_stimuli

_RESPONSE_END = 0.11  # s; no response lasts longer
_GATE_END = 0.45  # s; nor does a silence
_PAIRED_KINDS = ("sici", "icf", "sicf", "lici")


def _kind(protocol):
    return protocol.split("/")[-1]


def _mean_responses(stimuli, model):
    """Mean amplitude of the response to the first and to the last pulse of every trial (V)."""
    first, last = np.zeros(len(stimuli)), np.zeros(len(stimuli))
    curve = model.mean_amplitude(stimuli["intensity"])
    conditioning = model.mean_amplitude(stimuli["conditioning_intensity"].fillna(0.0))
    paired = (stimuli["pulse_count"] == 2).to_numpy()
    kind = stimuli["protocol"].map(_kind).to_numpy()
    ratio = np.ones(len(stimuli))
    for trial in np.flatnonzero(paired & np.isin(kind, _PAIRED_KINDS)):
        ratio[trial] = model.ratio(kind[trial], stimuli["inter_stimulus_interval"].iat[trial])
    last[:] = curve * ratio
    sicf = paired & (kind == "sicf")  # there the first pulse drives the response
    first[sicf], last[sicf] = conditioning[sicf] * ratio[sicf], 0.0
    lici = paired & (kind == "lici")  # there both pulses evoke one
    first[lici] = conditioning[lici]
    return first, last


def _add(signal_, samples, block):
    """Add windows (n, n_window) to a continuous signal, each from its sample on."""
    np.add.at(signal_, samples[:, None] + np.arange(block.shape[1]), block)


def _simulate_channel(model, stimuli, samples, n_times, rate, generator, artefact, rng):
    """One channel of the recording, and what is true of each of its trials."""
    n = len(stimuli)
    isi = stimuli["inter_stimulus_interval"].fillna(0.0).to_numpy()
    paired = (stimuli["pulse_count"] == 2).to_numpy()
    lag = np.round(isi * rate).astype(int)
    x = model.noise_rms * rest_noise(1, n_times, rate, rng)[0]
    contracts = np.full(n, True) if model.contracting else (stimuli["muscle_state"] == "active").to_numpy()
    gain = np.ones(n_times)
    window = np.arange(round(_RESPONSE_END * rate)) / rate
    gate_window = np.arange(round(_GATE_END * rate)) / rate
    means = _mean_responses(stimuli, model)
    coil = int(rng.integers(2**63))  # both pulses of a pair leave the same artefact, scaled by their intensity
    noise = np.exp(model.variability * rng.standard_normal((2, n)) - model.variability**2 / 2)
    truth = pd.DataFrame({"contracts": contracts})
    for pulse, start, name in ((0, samples - lag, "first_"), (1, samples, "")):
        # between samples, a first pulse is where its interval puts it
        shift = (samples - isi * rate - start) / rate if pulse == 0 else 0.0
        amplitude = np.where(means[pulse] > 2e-6, means[pulse] * noise[pulse], 0.0)
        onset = rng.normal(model.latency, model.latency_sd, n)
        block, end, _ = responses_on(
            window,
            amplitude,
            onset + shift,
            generator=generator,
            muscle=model.muscle,
            largest=2.5 * model.mep_max,
            rng=rng,
        )
        _add(x, start, block)
        silence = np.maximum(rng.normal(model.silent_period, model.silent_period_sd, n), end + 0.005)
        silenced = contracts & (amplitude > 0)
        begin = np.where(silenced, onset, np.nan)
        gate = silence_gate(gate_window, begin, end, silence)
        np.minimum.at(gain, start[:, None] + np.arange(len(gate_window)), gate)
        given = paired if pulse == 0 else np.full(n, True)
        strength = 0.5 + 0.5 * stimuli["conditioning_intensity" if pulse == 0 else "intensity"] / 60
        block = pulse_artefact(window, n, artefact, np.random.default_rng(coil))
        _add(x, start[given], (block * strength.to_numpy()[:, None])[given])
        truth[name + "amplitude"] = amplitude
        truth[name + "latency"] = np.where(amplitude > 0, onset, np.nan)
        truth[name + "silent_period"] = np.where(silenced, silence, np.nan)
    if contracts.any():
        level = np.ones(n_times)
        if not contracts.all():  # the contraction begins half a second before the first of its trials
            level = _contraction(samples[contracts], n_times, rate)
        x += model.background_rms * gain * level * interference_pattern(n_times, rate, rng)
    return x, truth


def _contraction(samples, n_times, rate):
    """1 around the trials with a contraction, 0 elsewhere, with ramps of 50 ms."""
    edges = np.zeros(n_times + 1)
    np.add.at(edges, np.maximum(samples - round(0.5 * rate), 0), 1)
    np.add.at(edges, np.minimum(samples + round(0.5 * rate), n_times), -1)
    level = (np.cumsum(edges[:-1]) > 0).astype(float)
    ramp = np.ones(round(0.05 * rate))
    return np.convolve(level, ramp / len(ramp), mode="same")


def session_stimuli(protocols, threshold, *, n_trials=None, rng):
    """Stimuli of several protocols after one another; ``n_trials`` a number or a mapping by protocol."""
    if isinstance(protocols, pd.DataFrame):
        columns = ("pulse_count", "inter_stimulus_interval", "intensity", "conditioning_intensity")
        stimuli = protocols.reset_index(drop=True)
        missing = [name for name in ("protocol", *columns) if name not in stimuli]
        if missing:
            raise ValueError(f"the table of stimuli has no column {missing[0]!r}; it has {list(stimuli)}")
        return stimuli if "muscle_state" in stimuli else stimuli.assign(muscle_state="rest")
    names = [protocols] if isinstance(protocols, str) else list(protocols)
    counts = n_trials if isinstance(n_trials, dict) else dict.fromkeys(map(protocol_name, names), n_trials)
    counts = {protocol_name(name): count for name, count in counts.items()}
    tables = [protocol_stimuli(name, threshold, n_trials=counts.get(protocol_name(name)), rng=rng) for name in names]
    return pd.concat(tables, ignore_index=True)


def true_measures(stimuli, models):
    """What every measure of a session should be: one row a protocol, channel, condition and measure."""
    rows = []
    for protocol, table in stimuli.groupby("protocol", sort=False):
        for channel, model in models.items():
            rows += [(protocol, channel, *row) for row in _measures_of(_kind(protocol), table, model)]
    return pd.DataFrame(rows, columns=["protocol", "channel", "condition", "measure", "value"])


def _measures_of(kind, stimuli, model):
    """Condition, measure and value of one protocol in one channel."""
    first, last = _mean_responses(stimuli, model)
    mean = pd.Series(np.where(last > 0, last, first))
    rows = [("all", "mep_latency", model.latency)]
    if kind == "resting_motor_threshold":
        return [("all", kind, model.motor_threshold)] if not model.contracting else []
    if kind == "recruitment_curve":
        levels = np.unique(stimuli["intensity"])
        area = np.trapezoid(model.mean_amplitude(levels), levels)
        return [
            *rows,
            ("all", "s50", model.s50),
            ("all", "recruitment_threshold", model.s50 - 2 * model.slope),
            ("all", "mep_max", model.mep_max),
            ("all", "peak_slope", model.mep_max / (4 * model.slope)),
            ("all", "area_under_curve", float(area)),
        ]
    if kind == "cortical_silent_period":
        return [*rows, ("all", "silent_period", model.silent_period), ("all", "mep_amplitude", mean.mean())]
    if kind not in _PAIRED_KINDS:
        return [*rows, ("all", "mep_amplitude", mean.mean())]
    isi = stimuli["inter_stimulus_interval"].reset_index(drop=True)
    rows = [("test", "mep_latency", model.latency), ("test", "mep_amplitude", mean[isi.isna()].mean())]
    for interval in sorted(isi.dropna().unique()):
        label = isi_label(interval)
        rows.append((label, "conditioned_ratio", model.ratio(kind, interval)))
        rows.append((label, "mep_amplitude", mean[isi == interval].mean()))
    return rows


def session(
    protocols=("resting_motor_threshold", "recruitment_curve", "sici", "icf"),
    *,
    channels=None,
    threshold=None,
    n_trials=None,
    sampling_rate=5000.0,
    trial_interval=1.0,
    generator="motor_units",
    artefact="decay",
    seed,
):
    """Simulate an EMG recording of one or more protocols with known excitability.

    The gaps between trials are shortened to about a second, so that recordings stay small.

    Parameters
    ----------
    protocols : str, sequence of str or DataFrame
        Names of protocols (``sici`` or ``m1/sici``; known: ``excitability.simulate.stimuli.PROTOCOLS``), or
        a table of stimuli with the columns ``protocol, pulse_count, inter_stimulus_interval, intensity,
        conditioning_intensity`` and optionally more.
    channels : mapping, optional
        Channel name -> changes to the usual physiology of its muscle, for example ``{"RFDI": {"mep_max": 2e-3,
        "ratios": {"sici": {0.002: 0.3}}}, "LES": {}}``; see
        :class:`excitability.simulate.physiology.Physiology`. By default a right FDI at rest and a left erector
        spinae in contraction.
    threshold : float, optional
        Threshold (%MSO) that intensities are set from; by default the true one of the first channel.
    n_trials : int or mapping, optional
        Trials a condition, or that by protocol.
    sampling_rate : float
        Hz.
    trial_interval : float
        Seconds from trial to trial, ± 5 %; at least 0.7.
    generator, artefact, seed
        As in :func:`mep_trials`.

    Returns
    -------
    raw : mne.io.RawArray
        Volts; one annotation ``TMS`` a trial, at its last pulse, stimulus parameters in ``extras``.
    truth : dict of DataFrame
        ``measures``: ``protocol, channel, condition, measure, value`` in the words of the result table;
        ``trials``: one row a trial and channel with ``amplitude``, ``latency`` and ``silent_period`` of the response
        to the last pulse, and ``first_…`` of the first (SI units; latencies from the pulse that drives them).

    Examples
    --------
    >>> from excitability.simulate import session
    >>> raw, truth = session("sici", n_trials=3, seed=1)
    >>> raw.ch_names, len(raw.annotations), str(raw.annotations.description[0])
    (['RFDI', 'LES'], 9, 'TMS')
    >>> truth["measures"].query("channel == 'RFDI' and measure == 'conditioned_ratio'")["value"].tolist()
    [0.4, 0.5]
    """
    if trial_interval < 0.7:
        raise ValueError(f"trial_interval={trial_interval} s: expected at least 0.7 s, for example 1.0")
    rng = np.random.default_rng(seed)
    channels = {"RFDI": {}, "LES": {}} if channels is None else channels
    models = {name: physiology(name, changes) for name, changes in channels.items()}
    if threshold is None:
        threshold = next(iter(models.values())).motor_threshold
    stimuli = session_stimuli(protocols, threshold, n_trials=n_trials, rng=rng)
    gaps = trial_interval * rng.uniform(0.95, 1.05, len(stimuli))
    samples = np.round((np.cumsum(gaps) - gaps[0] + 0.6) * sampling_rate).astype(int)
    n_times = int(np.ceil(samples[-1] / sampling_rate + 0.8) * sampling_rate)  # whole seconds, as EDF wants
    data, trials = [], []
    for name, model in models.items():
        x, truth = _simulate_channel(model, stimuli, samples, n_times, sampling_rate, generator, artefact, rng)
        data.append(x)
        truth.insert(0, "channel", name)
        trials.append(truth.rename_axis("trial").reset_index())
    raw = _as_raw(np.array(data), models, stimuli, samples, sampling_rate)
    trials = pd.concat(trials, ignore_index=True)
    trials.insert(1, "protocol", trials["trial"].map(stimuli["protocol"]))
    return raw, {"measures": true_measures(stimuli, models), "trials": trials}


def _as_raw(data, models, stimuli, samples, sampling_rate):
    import mne

    info = mne.create_info(list(models), sampling_rate, "emg")
    protocols = stimuli["protocol"].unique()
    info["temp"] = {
        "excitability": {
            "format": "simulated",
            "protocol": protocols[0] if len(protocols) == 1 else None,
            "muscles": {name: model.muscle for name, model in models.items()},
            "stimulator": "simulated",
            "reference": "belly-tendon",
            "notes": ["gaps between trials are shortened"],
        }
    }
    raw = mne.io.RawArray(data, info, verbose="error")
    if len(protocols) == 1:  # the column is for recordings that mix protocols
        stimuli = stimuli.drop(columns="protocol")
    raw.set_annotations(
        mne.Annotations(
            samples / sampling_rate,
            np.zeros(len(samples)),
            ["TMS"] * len(samples),
            extras=extras_of(stimuli),
        )
    )
    return raw
