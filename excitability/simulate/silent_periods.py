"""Trials with a silent period of known end in a contracting muscle."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ..schema import unknown_word
from ._resumption import resuming_units
from .artefacts import pulse_artefact, saturate
from .background import active_background, rest_noise
from .meps import draw_range, responses_on, silence_gate, time_axis, usual_onset

RESUMPTIONS = ("together", "one_by_one")


def _late_bursts(times, has_burst, silence_start, silence_end, lengths, rng):
    """Window (n, n_times) of a short burst inside the silence, and its start and stop."""
    room = silence_end - silence_start
    length = draw_range(lengths, len(has_burst), rng)
    begin = silence_start + rng.uniform(0.25, 0.6, len(has_burst)) * room
    possible = has_burst & (room > 0.05)
    begin = np.where(possible, begin, np.nan)
    stop = begin + length
    phase = (times - begin[:, None]) / length[:, None]
    inside = (phase > 0) & (phase < 1)
    return np.where(inside, np.sin(np.pi * np.where(inside, phase, 0.0)) ** 2, 0.0), begin, stop


def silent_period_trials(
    n,
    *,
    sampling_rate=5000.0,
    tmin=-0.1,
    tmax=0.4,
    generator="motor_units",
    amplitude_median=2e-3,
    amplitude_sigma=0.4,
    onset_mean=None,
    onset_sd=0.0008,
    silent_period_mean=0.15,
    silent_period_sd=0.015,
    return_ramp=0.008,
    rebound=0.3,
    resumption="together",
    spread=0.03,
    drift=0.0,
    no_silence=0.0,
    no_return=0.0,
    late_burst=0.0,
    burst_length=(0.010, 0.020),
    background_rms=(60e-6, 150e-6),
    noise_rms=4e-6,
    artefact="decay",
    muscle="FDI",
    seed,
):
    """Simulate trials of a contracting muscle whose EMG falls silent after the response.

    Parameters
    ----------
    n : int
        Trials.
    sampling_rate, tmin, tmax, generator, artefact, muscle, seed
        As in :func:`mep_trials`.
    amplitude_median, amplitude_sigma, onset_mean, onset_sd : float
        Responses, as in :func:`mep_trials`; every trial has one.
    silent_period_mean, silent_period_sd : float
        When EMG begins to return, in seconds from the pulse.
    return_ramp : float
        Seconds that the EMG takes to come back to its level.
    rebound : float
        Share by which the EMG exceeds its level just after its return (decays over 50 ms).
    resumption : str
        ``together``: the EMG is faded out and in; ``one_by_one``: motor units stop, and resume one after the other,
        small ones first. Their return is where they first exceed a tenth of the background's RMS, their first
        discharges bunch, and ``return_ramp`` and ``rebound`` are not used.
    spread : float
        Seconds from the first to the last unit that resumes one by one.
    drift : float
        Share by which the contraction changes, linearly and in either direction, from the epoch's start to its end.
    no_silence, no_return, late_burst : float
        Shares of the trials without a silence, without a return before the end of the epoch (censored), and
        with a burst inside the silence.
    burst_length : float or (float, float)
        Length of that burst in seconds, or the range it is drawn from in each trial.
    background_rms : float or (float, float)
        RMS of the contraction in volts, or the range it is drawn from in each trial.
    noise_rms : float
        RMS of the noise that is left in the silence, volts.

    Returns
    -------
    x : array, (n, n_times)
        Volts.
    times : array, (n_times,)
        Seconds from the pulse.
    truth : DataFrame
        One row a trial: ``amplitude`` (V), ``onset`` and ``end`` of the response (s, as in :func:`mep_trials`);
        ``silence_start`` (s, the end of the response), ``silent_period`` (s, from the pulse to where EMG begins to
        return; NaN when there is none or it outlasts the epoch), ``silent`` and ``censored`` (bool),
        ``burst_start`` and ``burst_stop`` (s), ``background_rms`` (V).

    Examples
    --------
    >>> from excitability.simulate import silent_period_trials
    >>> x, times, truth = silent_period_trials(10, silent_period_mean=0.12, seed=1)
    >>> bool(abs(truth["silent_period"].mean() - 0.12) < 0.02)
    True
    """
    if resumption not in RESUMPTIONS:
        raise ValueError(unknown_word("resumption", resumption, RESUMPTIONS))
    rng = np.random.default_rng(seed)
    times = time_axis(sampling_rate, tmin, tmax)
    onset_mean = usual_onset(muscle) if onset_mean is None else onset_mean
    amplitude = amplitude_median * np.exp(amplitude_sigma * rng.standard_normal(n))
    onset = rng.normal(onset_mean, onset_sd, n)
    response, end, _ = responses_on(
        times, amplitude, onset, generator=generator, muscle=muscle, largest=8 * amplitude_median, rng=rng
    )
    silent = rng.random(n) >= no_silence
    censored = silent & (rng.random(n) < no_return)
    returns = np.maximum(rng.normal(silent_period_mean, silent_period_sd, n), end + 0.005)
    censored |= silent & (returns >= times[-1])
    begin = np.where(silent, onset, np.nan)
    gate = silence_gate(times, begin, end, np.where(censored, np.nan, returns), ramp=return_ramp)
    since = times - returns[:, None]
    after = (since > return_ramp) & (silent & ~censored)[:, None]
    gate = gate * np.where(after, 1 + rebound * np.exp(-np.maximum(since - return_ramp, 0) / 0.05), 1.0)
    last = np.where(censored, times[-1], returns)
    has_burst = silent & (rng.random(n) < late_burst)
    burst, burst_start, burst_stop = _late_bursts(times, has_burst, end, last, burst_length, rng)
    rms = draw_range(background_rms, n, rng)
    steady = active_background(n, len(times), sampling_rate, rng)
    if resumption == "together":
        ongoing = steady * np.maximum(gate, burst)
    else:
        ongoing, begins = resuming_units(times, begin, np.where(censored, np.nan, returns), spread, rng)
        ongoing += steady * burst
        returns = np.where(np.isnan(begins), returns, begins)
        censored |= silent & np.isnan(begins)
    if drift:
        slope = drift * rng.uniform(-1, 1, (n, 1))
        ongoing *= 1 + slope * (times - times[0]) / (times[-1] - times[0])
    x = response + rms[:, None] * ongoing + noise_rms * rest_noise(n, len(times), sampling_rate, rng)
    x = saturate(x + pulse_artefact(times, n, artefact, rng), artefact)
    truth = pd.DataFrame(
        {
            "amplitude": amplitude,
            "onset": onset,
            "end": end,
            "silent": silent,
            "censored": censored,
            "silence_start": np.where(silent, end, np.nan),
            "silent_period": np.where(silent & ~censored, returns, np.nan),
            "burst_start": burst_start,
            "burst_stop": burst_stop,
            "background_rms": rms,
        }
    )
    return x, times, truth
