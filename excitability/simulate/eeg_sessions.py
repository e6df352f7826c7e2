"""EEG recordings: responses to TMS over M1 or DLPFC, and rest."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ..resources import roi_channels
from ..schema import isi_label, unknown_word
from .brain_activity import ongoing_eeg
from .fields import CHANNELS, eeg_info, nearness, topography
from .stimuli import extras_of

#: Component -> (latency s, width s, amplitude V at its strongest electrode, electrode, tangential share).
COMPONENTS = {
    "DLPFC": {
        "p25": (0.025, 0.0035, 4e-6, "F3", 0.2),
        "n40": (0.041, 0.006, -5e-6, "FC1", 0.1),
        "p60": (0.063, 0.009, 6e-6, "F1", 0.1),
        "n100": (0.110, 0.018, -9e-6, "FC1", 0.1),
        "p185": (0.188, 0.028, 7e-6, "FCz", 0.0),
    },
    "M1": {
        "n15": (0.0155, 0.0025, -4e-6, "FC3", 0.2),
        "p30": (0.030, 0.0045, 5e-6, "FC1", 0.1),
        "n45": (0.046, 0.0055, -6e-6, "C3", 0.2),
        "p60": (0.061, 0.008, 5e-6, "C1", 0.1),
        "n100": (0.102, 0.018, -9e-6, "C1", 0.1),
        "p180": (0.182, 0.028, 8e-6, "Cz", 0.0),
    },
}
#: Where each component is looked for (s): the windows of the component tables of the TMS-EEG literature.
WINDOWS = {
    "DLPFC": {
        "p25": (0.015, 0.030),
        "n40": (0.030, 0.050),
        "p60": (0.055, 0.075),
        "n100": (0.090, 0.140),
        "p185": (0.160, 0.240),
    },
    "M1": {
        "n15": (0.010, 0.020),
        "p30": (0.020, 0.040),
        "n45": (0.040, 0.055),
        "p60": (0.050, 0.075),
        "n100": (0.080, 0.150),
        "p180": (0.150, 0.250),
    },
}
REGIONS = {"DLPFC": "DLPFC_left", "M1": "M1_left"}  # as in montages.toml
COIL = {"DLPFC": "F3", "M1": "C3"}
WAVEFORMS = ("gaussian", "skewed")
DECAYS = ("none", "exponential", "power")
_CONDITIONING_INTERVAL = 0.1  # s


def _component_waves(times, components, waveform):
    """Time course of every component, (n_components, n_times), 1 at its latency."""
    if waveform not in WAVEFORMS:
        raise ValueError(unknown_word("waveform", waveform, WAVEFORMS))
    waves = []
    for latency, width, *_ in components.values():
        late = 1.0 if waveform == "gaussian" else 1.5  # skewed: rises faster than it falls
        sides = np.where(times > latency, width * late, width * (2 - late))
        waves.append(np.exp(-0.5 * ((times - latency) / sides) ** 2))
    return np.array(waves)


def true_response(channels, times, components, waveform="gaussian"):
    """Noise-free response to one pulse, (n_channels, n_times), volts, average reference."""
    fields = np.array([topography(channels, electrode, turn) for _, _, _, electrode, turn in components.values()])
    sizes = np.array([amplitude for _, _, amplitude, _, _ in components.values()])
    after = np.where(times > 0, 1 - np.exp(-np.maximum(times, 0) / 0.004), 0.0)  # nothing before the pulse
    return (fields * sizes[:, None]).T @ (_component_waves(times, components, waveform) * after)


def component_peaks(response, channels, times, target):
    """Amplitude and latency of every component in the mean over the region of interest."""
    region = [channels.index(name) for name in roi_channels(REGIONS[target]) if name in channels]
    wave = response[region].mean(axis=0)
    rows = []
    for name, (start, stop) in WINDOWS[target].items():
        inside = np.flatnonzero((times >= start - 1e-9) & (times <= stop + 1e-9))
        sign = 1 if name.startswith("p") else -1
        peak = inside[np.argmax(sign * wave[inside])]
        rows += [(f"{name}_amplitude", wave[peak]), (f"{name}_latency", times[peak])]
    return rows


def _pulse(times, channels, electrode, n, decay, decay_amplitude, muscle_amplitude, rng):
    """What one pulse leaves on the electrodes, (n_trials, n_channels, n_times)."""
    if decay not in DECAYS:
        raise ValueError(unknown_word("decay", decay, DECAYS))
    near = nearness(channels, electrode, 0.045)
    after = np.where(times >= -1e-9, np.maximum(times, 0.0), np.inf)
    ringing = np.exp(-after / 0.0009) * np.where(after < 1, np.cos(2 * np.pi * 310.0 * np.minimum(after, 1)), 0)
    signs = rng.choice([-1.0, 1.0], len(channels))
    fixed = (4e-3 * (0.2 + near) * signs)[:, None] * ringing
    if decay != "none":
        constants = rng.uniform(0.008, 0.014, (len(channels), 1))
        tail = np.exp(-after / constants) if decay == "exponential" else (1 + after / (constants / 3)) ** -1.3
        fixed = fixed + (decay_amplitude * (0.1 + near) * signs)[:, None] * np.where(after < 1, tail, 0)
    block = fixed * (1 + 0.15 * rng.standard_normal((n, 1, 1)))
    if muscle_amplitude:  # scalp muscle: a burst of a few milliseconds at the lateral electrodes near the coil
        temporal = nearness(channels, "F7" if electrode == "F3" else "T7", 0.05)
        burst = np.exp(-0.5 * ((times - 0.007) / 0.0035) ** 2) * np.sin(2 * np.pi * 105.0 * (times - 0.004))
        burst = np.where(times > 0, burst, 0.0)
        gain = muscle_amplitude * (1 + 0.25 * rng.standard_normal((n, 1, 1)))
        block = block + gain * temporal[:, None] * burst
    return block


def tep_session(
    target="DLPFC",
    *,
    n_trials=60,
    lici=False,
    lici_ratio=0.7,
    components=None,
    waveform="gaussian",
    decay="exponential",
    decay_amplitude=40e-6,
    muscle_amplitude=0.0,
    blink_amplitude=100e-6,
    background_rms=4e-6,
    trial_gain=0.15,
    channels=CHANNELS,
    sampling_rate=1000.0,
    trial_interval=1.2,
    seed,
):
    """Simulate a TMS-EEG recording whose evoked potential is known.

    Components are dipoles in MNE's spherical head model. The background is 1/f activity with an alpha rhythm,
    blinks, hum and sensor noise.

    Parameters
    ----------
    target : str
        ``DLPFC`` (P25, N40, P60, N100, P185) or ``M1`` (N15, P30, N45, P60, N100, P180), left hemisphere.
    n_trials : int
        Trials a condition.
    lici : bool
        Mix single pulses with pairs 100 ms apart; annotations are at the last pulse, and the first pulse evokes
        its own response.
    lici_ratio : float
        Size of the response to the last pulse of a pair relative to that of a single pulse.
    components : mapping, optional
        Changes to the components: name -> (latency s, width s, amplitude V, electrode, tangential share).
    waveform : str
        ``gaussian`` or ``skewed`` components.
    decay : str
        Decay artefact near the coil: ``none``, ``exponential`` or ``power`` (a power law).
    decay_amplitude, muscle_amplitude, blink_amplitude, background_rms : float
        Volts.
    trial_gain : float
        Standard deviation of the size of the response from trial to trial.
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
        ``evoked``: noise-free response to a single pulse, ``mne.EvokedArray``, average reference, −0.2 to 0.5 s;
        with ``lici`` also ``conditioned`` (to the last pulse of a pair, without the response to the first);
        ``measures``: DataFrame ``protocol, channel, condition, measure, value`` for the region of interest.

    Examples
    --------
    >>> from excitability.simulate import tep_session
    >>> raw, truth = tep_session("M1", n_trials=4, seed=1)
    >>> len(raw.annotations), round(float(truth["evoked"].get_data("C1")[0].min()) * 1e6) < -5
    (4, True)
    """
    if target not in COMPONENTS:
        raise ValueError(unknown_word("target", target, COMPONENTS))
    rng = np.random.default_rng(seed)
    channels = tuple(channels)
    components = {**COMPONENTS[target], **(components or {})}
    conditions = rng.permutation(np.repeat([1, 2] if lici else [1], n_trials))
    paired = conditions == 2
    gaps = trial_interval * rng.uniform(0.95, 1.05, len(conditions))
    samples = np.round((np.cumsum(gaps) - gaps[0] + 1.2) * sampling_rate).astype(int)
    n_times = int(np.ceil(samples[-1] / sampling_rate + 1.0) * sampling_rate)  # whole seconds, as EDF wants
    data = ongoing_eeg(
        channels,
        n_times,
        sampling_rate,
        rng,
        aperiodic_exponent=1.2,
        aperiodic_rms=background_rms,
        alpha_frequency=10.0,
        alpha_rms=0.8 * background_rms,
        beta_rms=0.2 * background_rms,
        blink_amplitude=blink_amplitude,
        line_noise=0.5e-6,
        sensor_noise=0.3e-6,
    )
    window = np.arange(round(0.5 * sampling_rate)) / sampling_rate
    response = true_response(channels, window, components, waveform)
    coil = int(rng.integers(2**63))
    lag = round(_CONDITIONING_INTERVAL * sampling_rate)
    for starts, size in ((samples - lag)[paired], 1.0), (samples, np.where(paired, lici_ratio, 1.0)):
        gain = size * (1 + trial_gain * rng.standard_normal(len(starts)))
        block = gain[:, None, None] * response + _pulse(
            window,
            channels,
            COIL[target],
            len(starts),
            decay,
            decay_amplitude,
            muscle_amplitude,
            np.random.default_rng(coil),
        )
        for start, trial in zip(starts, block, strict=True):
            data[:, start : start + len(window)] += trial
    raw = _eeg_raw(data, channels, sampling_rate, f"{target.lower()}/{'lici_tep' if lici else 'tep'}")
    _annotate(raw, samples, paired, target)
    return raw, _tep_truth(raw, target, components, waveform, lici_ratio if lici else None)


def _annotate(raw, samples, paired, target):
    import mne

    stimuli = pd.DataFrame(
        {
            "pulse_count": np.where(paired, 2, 1),
            "inter_stimulus_interval": np.where(paired, _CONDITIONING_INTERVAL, np.nan),
            "intensity": 60.0,
            "conditioning_intensity": np.where(paired, 60.0, np.nan),
            "intensity_rmt": 120.0,
            "stimulus_type": "tms",
            "target": target,
            "hemisphere": "left",
        }
    )
    times = samples / raw.info["sfreq"]
    raw.set_annotations(mne.Annotations(times, np.zeros(len(times)), ["TMS"] * len(times), extras=extras_of(stimuli)))


def _tep_truth(raw, target, components, waveform, lici_ratio):
    import mne

    channels, rate = tuple(raw.ch_names), raw.info["sfreq"]
    times = np.arange(round(-0.2 * rate), round(0.5 * rate) + 1) / rate
    response = true_response(channels, times, components, waveform)
    protocol = raw.info["temp"]["excitability"]["protocol"]
    region = f"{target}_left"
    condition = "all" if lici_ratio is None else "test"
    rows = [
        (protocol, region, condition, name, value) for name, value in component_peaks(response, channels, times, target)
    ]

    def evoked(data, comment):
        return mne.EvokedArray(data, raw.info, tmin=times[0], comment=comment, verbose="error")

    truth = {"evoked": evoked(response, "single pulse")}
    if lici_ratio is not None:
        label = isi_label(_CONDITIONING_INTERVAL)
        truth["conditioned"] = evoked(lici_ratio * response, "pair, response to the first removed")
        rows.append((protocol, region, label, "lici_tep", lici_ratio))
    truth["measures"] = pd.DataFrame(rows, columns=["protocol", "channel", "condition", "measure", "value"])
    return truth


def resting_eeg(
    *,
    duration=60.0,
    aperiodic_exponent=1.2,
    aperiodic_rms=5e-6,
    alpha_frequency=10.0,
    alpha_rms=6e-6,
    beta_rms=0.8e-6,
    blink_amplitude=0.0,
    line_noise=0.0,
    sensor_noise=0.05e-6,
    channels=CHANNELS,
    sampling_rate=500.0,
    seed,
):
    """Simulate resting EEG with a known aperiodic exponent and alpha frequency.

    Parameters
    ----------
    duration : float
        Seconds.
    aperiodic_exponent : float
        χ of the power spectrum 1/f**χ (from 0.25 Hz on).
    aperiodic_rms, alpha_rms, beta_rms : float
        Volts: background (mean over electrodes), rhythms (at their strongest electrode).
    alpha_frequency : float
        Hz.
    blink_amplitude, line_noise, sensor_noise : float
        Volts.
    channels : sequence of str
        Electrodes of the 10-20 system.
    sampling_rate : float
        Hz.
    seed : int or numpy.random.Generator

    Returns
    -------
    raw : mne.io.RawArray
        Volts, average reference, with electrode positions.
    truth : dict
        ``measures``: DataFrame ``protocol, channel, condition, measure, value`` with ``aperiodic_exponent`` and
        ``individual_alpha_frequency``.

    Examples
    --------
    >>> from excitability.simulate import resting_eeg
    >>> raw, truth = resting_eeg(duration=4, aperiodic_exponent=1.5, seed=1)
    >>> raw.get_data().shape, truth["measures"]["value"].tolist()
    ((26, 2000), [1.5, 10.0])
    """
    rng = np.random.default_rng(seed)
    data = ongoing_eeg(
        tuple(channels),
        round(duration * sampling_rate),
        sampling_rate,
        rng,
        aperiodic_exponent=aperiodic_exponent,
        aperiodic_rms=aperiodic_rms,
        alpha_frequency=alpha_frequency,
        alpha_rms=alpha_rms,
        beta_rms=beta_rms,
        blink_amplitude=blink_amplitude,
        line_noise=line_noise,
        sensor_noise=sensor_noise,
    )
    raw = _eeg_raw(data, tuple(channels), sampling_rate, "dlpfc/resting_eeg")
    rows = [
        ("dlpfc/resting_eeg", "all", "all", "aperiodic_exponent", float(aperiodic_exponent)),
        ("dlpfc/resting_eeg", "all", "all", "individual_alpha_frequency", float(alpha_frequency)),
    ]
    measures = pd.DataFrame(rows, columns=["protocol", "channel", "condition", "measure", "value"])
    return raw, {"measures": measures}


def _eeg_raw(data, channels, sampling_rate, protocol):
    import mne

    info = eeg_info(channels, sampling_rate)
    info["temp"] = {
        "excitability": {
            "format": "simulated",
            "protocol": protocol,
            "stimulator": "simulated",
            "reference": "average",
            "notes": ["gaps between trials are shortened"],
        }
    }
    return mne.io.RawArray(data, info, verbose="error")
