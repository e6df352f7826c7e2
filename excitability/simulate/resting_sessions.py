"""Resting EEG with a known spectrum."""

from __future__ import annotations

import numpy as np
import pandas as pd

from .brain_activity import activity_density, coupled_rhythm, ongoing_eeg
from .eeg_truth import resting_measures
from .fields import CHANNELS, eeg_raw

_PROTOCOL = "dlpfc/resting_eeg"
_COUPLED_WIDTH = 1.5  # Hz, standard deviation of the power of the coupled rhythm over frequency


def resting_eeg(
    *,
    duration=60.0,
    aperiodic_exponent=1.2,
    aperiodic_rms=5e-6,
    alpha_frequency=10.0,
    alpha_rms=6e-6,
    beta_rms=0.8e-6,
    coupled_rms=0.0,
    coupled_with="P4",
    blink_amplitude=0.0,
    line_noise=0.0,
    sensor_noise=0.05e-6,
    channels=CHANNELS,
    sampling_rate=500.0,
    seed,
):
    """Simulate resting EEG with a known spectrum, and coupling of the left DLPFC that is no common source.

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
    coupled_rms : float
        Volts: an alpha rhythm under F3 that comes back under another electrode a quarter of a cycle later.
    coupled_with : str
        That electrode.
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
        ``measures``: DataFrame ``protocol, channel, condition, measure, value``: ``aperiodic_exponent``,
        ``individual_alpha_frequency``, band powers, and the coupling of F3 with the electrodes of the region
        ``DLPFC_left_to_scalp`` (0 without ``coupled_rms``), all from the known cross-spectrum.

    Examples
    --------
    >>> from excitability.simulate import resting_eeg
    >>> raw, truth = resting_eeg(duration=4, aperiodic_exponent=1.5, seed=1)
    >>> raw.get_data().shape, truth["measures"]["value"].tolist()[:2]
    ((26, 2000), [1.5, 10.0])
    """
    rng = np.random.default_rng(seed)
    channels = tuple(channels)
    n_times = round(duration * sampling_rate)
    spectrum = {
        "aperiodic_exponent": aperiodic_exponent,
        "aperiodic_rms": aperiodic_rms,
        "alpha_frequency": alpha_frequency,
        "alpha_rms": alpha_rms,
        "beta_rms": beta_rms,
        "sensor_noise": sensor_noise,
    }
    data = ongoing_eeg(
        channels, n_times, sampling_rate, rng, blink_amplitude=blink_amplitude, line_noise=line_noise, **spectrum
    )
    coupled = None
    if coupled_rms:
        unknown = {"F3", coupled_with} - set(channels)
        if unknown:
            raise ValueError(f"no electrode {min(unknown)!r} among the channels; the coupled rhythm needs it")
        coupled = (("F3", coupled_with), alpha_frequency, _COUPLED_WIDTH, coupled_rms)
        data += coupled_rhythm(channels, n_times, sampling_rate, *coupled, rng)
    raw = eeg_raw(data, channels, sampling_rate, _PROTOCOL)
    rows = resting_measures(
        channels,
        lambda frequencies: activity_density(channels, frequencies, sampling_rate, coupled=coupled, **spectrum),
        aperiodic_exponent,
        alpha_frequency,
    )
    measures = [(_PROTOCOL, channel, "all", name, value) for channel, name, value in rows]
    return raw, {"measures": pd.DataFrame(measures, columns=["protocol", "channel", "condition", "measure", "value"])}
