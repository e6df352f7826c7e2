"""EMG recordings of whole sessions: protocols after one another, from one physiology a muscle."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ..resources import muscles
from .designs import DESIGNS, Design
from .emg_channel import simulate_channel
from .heart import heart_beats, heart_trace
from .physiology import physiology
from .stimuli import extras_of, protocol_name, protocol_stimuli
from .truth import true_measures

_LEAD, _TAIL = 0.6, 0.8  # s before the first and after the last trial, at least
_HEART = 150e-6  # V, R wave in a muscle of the trunk
_ECG = 1e-3  # V, in the channel of the heart


def session_stimuli(protocols, threshold=None, *, n_trials=None, model=None, rng):
    """Stimuli of several protocols after one another; ``n_trials`` a number or a mapping by protocol."""
    if isinstance(protocols, pd.DataFrame):
        columns = ("pulse_count", "inter_stimulus_interval", "intensity", "conditioning_intensity")
        stimuli = protocols.reset_index(drop=True)
        missing = [name for name in ("protocol", *columns) if name not in stimuli]
        if missing:
            raise ValueError(f"the table of stimuli has no column {missing[0]!r}; it has {list(stimuli)}")
        return stimuli if "muscle_state" in stimuli else stimuli.assign(muscle_state="rest")
    counts = n_trials if isinstance(n_trials, dict) else dict.fromkeys(protocols, n_trials)
    counts = {protocol_name(name): count for name, count in counts.items()}
    tables = [
        protocol_stimuli(name, threshold, n_trials=counts.get(protocol_name(name)), model=model, rng=rng)
        for name in protocols
    ]
    return pd.concat(tables, ignore_index=True)


def _designs(protocols):
    """Designs of the protocols of a session; a table of stimuli may hold others, which need none."""
    if isinstance(protocols, pd.DataFrame):
        return [
            DESIGNS[name] for name in protocols.get("protocol", pd.Series(dtype=object)).unique() if name in DESIGNS
        ]
    return [DESIGNS[protocol_name(name)] for name in protocols]


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
        :class:`excitability.simulate.physiology.Physiology`. By default those of the protocols: a right FDI
        at rest and a left erector spinae in contraction, or what the protocol is about.
    threshold : float, optional
        Threshold (%MSO) that intensities are set from; by default the true one of the first channel.
    n_trials : int or mapping, optional
        Trials a condition, or that by protocol.
    sampling_rate : float
        Hz.
    trial_interval : float
        Seconds from trial to trial, ± 5 %; at least 0.7. Protocols with longer epochs take longer.
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
    protocols = [protocols] if isinstance(protocols, str) else protocols
    designs = _designs(protocols)
    if channels is None:
        channels = {name: changes for design in designs or [Design(())] for name, changes in design.channels.items()}
    models = {name: physiology(name, changes) for name, changes in channels.items()}
    stimuli = session_stimuli(protocols, threshold, n_trials=n_trials, model=next(iter(models.values())), rng=rng)
    longest = max((design.interval for design in designs), default=0.0)
    gaps = max(trial_interval, longest) * rng.uniform(0.95, 1.05, len(stimuli))
    samples = np.round((np.cumsum(gaps) - gaps[0] + max(_LEAD, longest)) * sampling_rate).astype(int)
    n_times = int(np.ceil(samples[-1] / sampling_rate + max(_TAIL, longest)) * sampling_rate)  # whole s, as EDF wants
    data: list[np.ndarray] = []
    trials = []
    for name, model in models.items():
        x, truth = simulate_channel(
            model, stimuli, samples, n_times, sampling_rate,
            generator=generator, artefact=artefact, leads=not data, rng=rng,
        )  # fmt: skip
        data.append(x)
        truth.insert(0, "channel", name)
        trials.append(truth.rename_axis("trial").reset_index())
    if any(design.heart for design in designs):
        _add_heart(data, models, n_times, sampling_rate, rng)
    raw = _as_raw(np.array(data), models, stimuli, samples, sampling_rate)
    trials = pd.concat(trials, ignore_index=True)
    trials.insert(1, "protocol", trials["trial"].map(stimuli["protocol"]))
    return raw, {"measures": true_measures(stimuli, models), "trials": trials}


def _add_heart(data, models, n_times, rate, rng):
    """The heart in the channels of the trunk, and a channel of its own after the others."""
    trace = heart_trace(heart_beats(n_times / rate, rng), n_times, rate)
    for x, model in zip(data, models.values(), strict=True):
        if muscles()[model.muscle].region == "trunk":
            x += _HEART * rng.uniform(0.6, 1.4) * trace
    data.append(_ECG * trace + 10e-6 * rng.standard_normal(n_times))


def _as_raw(data, models, stimuli, samples, sampling_rate):
    import mne

    names = [*models, "ECG"][: len(data)]
    info = mne.create_info(names, sampling_rate, ["ecg" if name == "ECG" else "emg" for name in names])
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
