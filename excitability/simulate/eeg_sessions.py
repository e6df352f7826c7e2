"""TMS-EEG recordings with known truth: single pulses and pairs over M1 or DLPFC, with EMG where it is wanted."""

from __future__ import annotations

import pandas as pd

from ..schema import isi_label, unknown_word
from .eeg_recording import PulseTrain, Recording, record
from .eeg_truth import evoked_measures, immediate_measures, pair_measures
from .evoked_responses import (
    COMPONENTS,
    PERIPHERAL,
    REGIONS,
    WAVEFORMS,
    WINDOWS,
    component_peaks,
    true_response,
)
from .fields import CHANNELS

__all__ = [
    "COMPONENTS",
    "PERIPHERAL",
    "REGIONS",
    "WAVEFORMS",
    "WINDOWS",
    "component_peaks",
    "paired_tep_session",
    "tep_session",
    "true_response",
]
#: Pairs: interval (s), ratio, size of the response to the conditioning pulse, intensity of that pulse (%MSO).
PAIRS = {
    "sici": (0.003, 0.7, 0.3, 40.0),
    "icf": (0.012, 1.3, 0.3, 40.0),
    "lici": (0.1, 0.7, 1.0, 60.0),
}

_IMMEDIATE = 0.010  # s: oscillations before this are fast waves


def _components(target, changes):
    if target not in COMPONENTS:
        raise ValueError(unknown_word("target", target, COMPONENTS))
    return {**COMPONENTS[target], **(changes or {})}


def tep_session(
    target="DLPFC",
    *,
    n_trials=60,
    components=None,
    oscillations=(),
    sham_trials=0,
    peripheral=0.0,
    muscles=None,
    association=0.0,
    component_spread=0.5,
    waveform="gaussian",
    decay="exponential",
    decay_amplitude=40e-6,
    muscle_amplitude=0.0,
    blink_amplitude=100e-6,
    background_rms=4e-6,
    trial_gain=0.15,
    ringing=0.0009,
    recharge=None,
    channels=CHANNELS,
    sampling_rate=1000.0,
    trial_interval=1.2,
    seed,
):
    """Simulate a TMS-EEG recording of single pulses whose evoked potential is known.

    Components are dipoles in MNE's spherical head model. The background is 1/f activity with an alpha rhythm,
    blinks, hum and sensor noise.

    Parameters
    ----------
    target : str
        ``DLPFC`` (P25, N40, P60, N100, P185) or ``M1`` (N15, P30, N45, P60, N100, P180), left hemisphere.
    n_trials : int
        Trials.
    components : mapping, optional
        Changes to the components: name -> (latency s, width s, amplitude V, electrode, tangential share).
    oscillations : sequence of excitability.simulate.Oscillation
        Evoked or induced beside the components.
    sham_trials : int
        Trials with a sham coil mixed in: what is heard and felt, and a small artefact (``block`` is ``sham`` or
        ``real``).
    peripheral : float
        What is heard and felt of each pulse, real or sham: 1 is 6 µV at FCz after 105 ms and 7 µV at Cz after 195 ms.
    muscles : mapping, optional
        EMG in the same recording: channel name -> changes to the usual physiology of its muscle, as for
        :func:`session`; pulses are then at 120 % of the threshold of the first.
    association : float
        Rank correlation, over trials, of the size of the MEPs with that of the P30 (DLPFC: P25), −1 to 1.
    component_spread : float
        Standard deviation of the size of that component from trial to trial, where there are muscles.
    waveform : str
        ``gaussian`` or ``skewed`` components.
    decay : str
        Decay artefact near the coil: ``none``, ``exponential`` or ``power`` (a power law).
    decay_amplitude, muscle_amplitude, blink_amplitude, background_rms : float
        Volts.
    trial_gain : float
        Standard deviation of the size of the whole response from trial to trial.
    ringing : float
        Time constant of the artefact of the pulse itself, s.
    recharge : float, optional
        When the stimulator recharges, s from the pulse: a second, smaller artefact.
    channels : sequence of str
        Electrodes of the 10-20 system.
    sampling_rate, trial_interval : float
        Hz; seconds from trial to trial (± 5 %), which is shorter than in a real session.
    seed : int or numpy.random.Generator

    Returns
    -------
    raw : mne.io.RawArray
        Volts, with electrode positions and one annotation ``TMS`` a trial.
    truth : dict
        ``evoked``: noise-free response to a pulse, ``mne.EvokedArray``, average reference, −0.2 to 0.5 s; with a sham
        also ``sham`` (what is heard and felt); ``measures``: DataFrame ``protocol, channel, condition, measure,
        value`` in the words of the result table; ``trials``: one row a trial with the size of each component
        (``size_p30`` …, 1 on average), and ``mep_amplitude_RFDI`` … (V) of each muscle.

    Examples
    --------
    >>> from excitability.simulate import tep_session
    >>> raw, truth = tep_session("M1", n_trials=4, seed=1)
    >>> len(raw.annotations), round(float(truth["evoked"].get_data("C1")[0].min()) * 1e6) < -5
    (4, True)
    >>> raw, truth = tep_session("M1", n_trials=4, muscles={"RFDI": {}}, association=0.6, seed=1)
    >>> raw.ch_names[-1], truth["trials"].columns[-1], truth["measures"]["measure"].iloc[-1]
    ('RFDI', 'mep_amplitude_RFDI', 'correlation')
    """
    components = _components(target, components)
    recording = Recording(
        target, tuple(channels), sampling_rate, trial_interval, waveform, decay, decay_amplitude, muscle_amplitude,
        blink_amplitude, background_rms, trial_gain, ringing, recharge,
    )  # fmt: skip
    stimuli = pd.DataFrame({"kind": ["real"] * n_trials + ["sham"] * sham_trials})
    train = {
        "real": PulseTrain(
            responses=((0.0, components, 1.0),), peripheral=peripheral, oscillations=tuple(oscillations)
        ),
        "sham": PulseTrain(responses=((0.0, {}, 0.3),), peripheral=peripheral),
    }
    name = f"{target.lower()}/tep"
    made = record(
        recording, stimuli, train, name, name, seed,
        muscles=muscles, association=association, component_spread=component_spread,
    )  # fmt: skip
    rows = _single_measures(made, recording, train["real"], "all")
    truth = {"evoked": made.evoked(train["real"], "single pulse")}
    measures = made.table(rows)
    if any(one.locking == 1 and one.latency < _IMMEDIATE for one in oscillations):
        early = made.table([(REGIONS[target], "all", *row) for row in immediate_measures(*made.course(train["real"]))])
        measures = pd.concat([measures, early.assign(protocol=f"{target.lower()}/immediate_tep")], ignore_index=True)
    if sham_trials:
        truth["sham"] = made.evoked(train["sham"], "sham pulse")
    return made.raw, truth | {"measures": measures, "trials": made.trials}


def _single_measures(made, recording, train, condition):
    response, times = made.response(train)
    found = evoked_measures(response, recording.channels, times, recording.target)
    found += [(REGIONS[recording.target], *row) for row in made.time_frequency(train).items()]
    return [(channel, condition, name, value) for channel, name, value in found] + made.muscle_measures(condition)


def paired_tep_session(
    target="M1",
    kind="sici",
    *,
    n_trials=40,
    interval=None,
    ratio=None,
    conditioning_size=None,
    components=None,
    muscles=None,
    seed,
    **recording,
):
    """Simulate a TMS-EEG recording of pairs of pulses, mixed with test pulses and conditioning pulses alone.

    The response to the first pulse of a pair goes on under that to the last. Annotations are at the last pulse.

    Parameters
    ----------
    target : str
        ``M1`` or ``DLPFC``.
    kind : {"sici", "icf", "lici"}
        Of equal pulses (LICI) the test pulse is also the conditioning pulse, and none is given alone.
    n_trials : int
        Trials a condition.
    interval : float, optional
        Between the pulses, s; usually 3, 12 or 100 ms.
    ratio : float or mapping of str to float, optional
        Size of the response to the last pulse of a pair relative to that of a test pulse, of all components or by
        component (others stay 1); usually 0.7, 1.3 or 0.7.
    conditioning_size : float, optional
        Size of the response to the conditioning pulse relative to that of a test pulse; usually 0.3, of equal pulses 1.
    components, muscles, seed
        As for :func:`tep_session`; of muscles the ratio is that of their physiology.
    **recording
        ``waveform``, ``decay``, ``decay_amplitude``, ``muscle_amplitude``, ``blink_amplitude``, ``background_rms``,
        ``trial_gain``, ``ringing``, ``recharge``, ``channels``, ``sampling_rate``, ``trial_interval``, as for
        :func:`tep_session`.

    Returns
    -------
    raw : mne.io.RawArray
    truth : dict
        ``evoked`` (test pulse alone), ``conditioned`` (last pulse of a pair, without what the first evokes) and
        ``conditioning`` (that pulse alone), noise-free ``mne.EvokedArray``; ``measures`` and ``trials`` as of
        :func:`tep_session`.

    Examples
    --------
    >>> from excitability.simulate import paired_tep_session
    >>> raw, truth = paired_tep_session("M1", "sici", n_trials=3, ratio=0.6, seed=1)
    >>> row = truth["measures"].iloc[0]
    >>> len(raw.annotations), row["condition"], row["measure"], round(float(row["value"]), 3)
    (9, 'isi_0.003', 'paired_pulse_tep', 0.6)
    """
    if kind not in PAIRS:
        raise ValueError(unknown_word("kind of pair", kind, PAIRS))
    components = _components(target, components)
    usual = PAIRS[kind]
    interval = usual[0] if interval is None else interval
    ratio = usual[1] if ratio is None else ratio
    size = usual[2] if conditioning_size is None else conditioning_size
    strength = usual[3] / 60.0
    settings = Recording(target, **recording)
    factors = ratio if isinstance(ratio, dict) else dict.fromkeys(components, ratio)
    unknown = set(factors) - set(components)
    if unknown:
        raise ValueError(unknown_word("component", min(unknown), components))
    conditioned = _scaled(components, factors)
    first = _scaled(components, dict.fromkeys(components, size))
    train = {
        "test": PulseTrain(((0.0, components, 1.0),)),
        "pair": PulseTrain(((-interval, first, strength), (0.0, conditioned, 1.0))),
        "conditioning": PulseTrain(((0.0, first, strength),)),
    }
    kinds = ["test", "pair"] if kind == "lici" else ["test", "pair", "conditioning"]
    stimuli = pd.DataFrame({"kind": [name for name in kinds for _ in range(n_trials)]})
    stimuli["conditioning_intensity"] = stimuli["kind"].map({"pair": usual[3], "conditioning": usual[3]})
    name = f"{target.lower()}/{kind}_tep"
    made = record(settings, stimuli, train, name, f"m1/{kind}", seed, muscles=muscles, interval=interval)
    (test, times), (both, _) = (made.response(train[name]) for name in ("test", "pair"))
    response = true_response(settings.channels, times, conditioned, settings.waveform)
    labels = {"test": "test", "pair": isi_label(interval)}
    rows = [
        (REGIONS[target], labels[condition], measure, value)
        for condition, measure, value in pair_measures(test, response, both, settings.channels, times, target, kind)
    ]
    truth = {
        "evoked": made.evoked(train["test"], "test pulse"),
        "conditioned": made.evoked(PulseTrain(((0.0, conditioned, 1.0),)), "pair, response to the first removed"),
        "conditioning": made.evoked(train["conditioning"], "conditioning pulse"),
    }
    return made.raw, truth | {"measures": made.table(rows + made.muscle_measures("")), "trials": made.trials}


def _scaled(components, factors):
    return {
        name: (latency, width, amplitude * factors.get(name, 1.0), electrode, turn)
        for name, (latency, width, amplitude, electrode, turn) in components.items()
    }
