"""Trials with motor evoked potentials of known size and onset."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ..resources import muscle as find_muscle
from ..schema import unknown_word
from .artefacts import pulse_artefact, saturate
from .background import active_background, rest_noise
from .responses import make_shapes, place_responses

_STRETCH = {"leg": 1.9, "arm": 1.1}  # responses of far or long muscles last longer
_CHUNK = 500  # trials made at a time, to bound memory
BACKGROUNDS = ("rest", "active")


def usual_onset(muscle):
    """Onset latency (s) of a muscle: early in the range that ``muscles.toml`` gives (21 ms for FDI)."""
    low, high = find_muscle(muscle).onset_window
    return low + 0.3 * (high - low)


def stretch_of(muscle):
    """How much longer the responses of a muscle are than those of a hand muscle."""
    return _STRETCH.get(find_muscle(muscle).region, 1.0)


def draw_range(value, n, rng):
    """``n`` values: uniform in a (low, high) pair, or one value repeated."""
    low, high = np.broadcast_to(np.asarray(value, float), 2)
    return rng.uniform(low, high, n)


def responses_on(times, amplitude, onset, *, generator, muscle, largest, rng, person=None):
    """Noise-free responses (n, n_times), their ends and areas; rows with amplitude 0 stay empty.

    ``person`` is a seed of what all responses of a person share; by default it is drawn.
    """
    n = len(amplitude)
    x, end, area = np.zeros((n, len(times))), np.full(n, np.nan), np.zeros(n)
    drawn = int(rng.integers(2**63))
    person = drawn if person is None else person
    present = np.flatnonzero(amplitude > 0)
    for first in range(0, present.size, _CHUNK):
        rows = present[first : first + _CHUNK]
        shapes = make_shapes(amplitude[rows] / largest, generator, np.random.default_rng(person), rng)
        x[rows], end[rows], area[rows] = place_responses(
            shapes, amplitude[rows], onset[rows], times, stretch_of(muscle)
        )
    return x, end, area


def silence_gate(times, start, closed, end, ramp=0.008):
    """Gain on ongoing EMG: 1, falling to 0 between ``start`` and ``closed``, back from ``end`` over ``ramp``.

    ``start``, ``closed`` and ``end`` are (n,) in seconds; NaN in ``start`` means no silence, NaN in ``end`` no
    return. Returns (n, n_times).
    """
    start, closed, end = (np.asarray(value, float)[:, None] for value in (start, closed, end))
    fall = np.clip((closed - times) / np.maximum(closed - start, 1e-6), 0.0, 1.0)
    rise = np.clip((times - end) / ramp, 0.0, 1.0)
    gate = np.where(np.isnan(end), fall, np.maximum(fall, rise))
    return np.where(np.isnan(start), 1.0, gate)


def time_axis(sampling_rate, tmin, tmax):
    """Times (n_times,) of an epoch that has a sample at the pulse."""
    if not (sampling_rate > 0 and tmin < tmax):
        raise ValueError(
            f"sampling_rate={sampling_rate}, tmin={tmin}, tmax={tmax}: expected a positive rate in Hz and "
            "tmin < tmax in seconds, for example sampling_rate=5000, tmin=-0.1, tmax=0.2"
        )
    return np.arange(round(tmin * sampling_rate), round(tmax * sampling_rate)) / sampling_rate


def mep_trials(
    n,
    *,
    sampling_rate=5000.0,
    tmin=-0.1,
    tmax=0.2,
    generator="template",
    amplitude_median=0.6e-3,
    amplitude_sigma=0.9,
    no_response=0.2,
    onset_mean=None,
    onset_sd=0.0012,
    noise_rms=(10e-6, 20e-6),
    background="rest",
    hum=0.25,
    artefact="decay",
    muscle="FDI",
    seed,
):
    """Simulate trials with motor evoked potentials whose size and onset are known.

    Parameters
    ----------
    n : int
        Trials.
    sampling_rate : float
        Hz.
    tmin, tmax : float
        Epoch in seconds from the pulse; ``tmax`` is not included.
    generator : str
        How responses are built: ``template``, ``motor_units`` or ``volley`` (see
        :mod:`excitability.simulate.responses`).
    amplitude_median, amplitude_sigma : float
        Log-normal distribution of the peak-to-peak amplitude: median in volts, standard deviation of its
        logarithm.
    no_response : float
        Share of the trials without a response.
    onset_mean, onset_sd : float
        Distribution of the onset in seconds; the mean is by default that of the muscle (21 ms for FDI).
    noise_rms : float or (float, float)
        RMS of the background in volts, or the range it is drawn from in each trial.
    background : str
        ``rest`` (amplifier noise, hum) or ``active`` (interference pattern of motor units, silent after a
        response; give a ``noise_rms`` of 50e-6 to 200e-6).
    hum : float
        Share of the RMS of the background at rest that is mains hum.
    artefact : str
        ``none``, ``decay``, ``ringing`` or ``saturation``.
    muscle : str
        Sets the usual onset and the length of the responses.
    seed : int or numpy.random.Generator

    Returns
    -------
    x : array, (n, n_times)
        Volts.
    times : array, (n_times,)
        Seconds from the pulse.
    truth : DataFrame
        One row a trial: ``present``; ``amplitude`` (peak-to-peak of the noise-free response, V, 0 without
        one); ``onset`` (s, first time the noise-free response exceeds 1 % of its own peak-to-peak); ``end`` (s,
        last such time); ``duration`` (s); ``area`` (V·s, rectified); ``noise_rms`` (V); ``silence_end`` (s,
        where ongoing EMG begins to return; NaN at rest).

    Raises
    ------
    ValueError
        For an unknown generator, background, artefact or muscle, or an impossible epoch.

    Examples
    --------
    >>> from excitability.simulate import mep_trials
    >>> x, times, truth = mep_trials(20, noise_rms=5e-6, seed=1)
    >>> x.shape, times.shape, bool(truth["onset"].dropna().between(0.015, 0.027).all())
    ((20, 1500), (1500,), True)
    """
    if background not in BACKGROUNDS:
        raise ValueError(unknown_word("background", background, BACKGROUNDS))
    rng = np.random.default_rng(seed)
    times = time_axis(sampling_rate, tmin, tmax)
    onset_mean = usual_onset(muscle) if onset_mean is None else onset_mean
    present = rng.random(n) >= no_response
    amplitude = np.where(present, amplitude_median * np.exp(amplitude_sigma * rng.standard_normal(n)), 0.0)
    onset = np.where(present, rng.normal(onset_mean, onset_sd, n), np.nan)
    rms = draw_range(noise_rms, n, rng)
    x, end, area = responses_on(
        times,
        amplitude,
        onset,
        generator=generator,
        muscle=muscle,
        largest=8 * amplitude_median,
        rng=rng,
    )
    silence_end = np.full(n, np.nan)
    if background == "active":
        silence_end = np.where(present, end + rng.uniform(0.03, 0.09, n), np.nan)
        gate = silence_gate(times, onset, end, silence_end)
        ongoing = active_background(n, len(times), sampling_rate, rng) * gate
        x += ongoing * rms[:, None] + 3e-6 * rest_noise(n, len(times), sampling_rate, rng, hum=hum)
    else:
        x += rms[:, None] * rest_noise(n, len(times), sampling_rate, rng, hum=hum)
    x = saturate(x + pulse_artefact(times, n, artefact, rng), artefact)
    truth = pd.DataFrame(
        {
            "present": present,
            "amplitude": amplitude,
            "onset": onset,
            "end": end,
            "duration": end - onset,
            "area": area,
            "noise_rms": rms,
            "silence_end": silence_end,
        }
    )
    return x, times, truth
