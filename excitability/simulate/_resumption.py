"""Ongoing EMG whose motor units fall silent together and resume one by one."""

from __future__ import annotations

import numpy as np
from scipy import signal

from .responses import motor_unit_potentials

_VISIBLE = 0.1  # the return is where resumed activity first exceeds this share of the background's RMS


def resuming_units(times, silence_start, returns, spread, rng, n_units=45, n_kernels=6):
    """Motor-unit trains (n, n_times), unit RMS before the pulse, and where each trial's EMG begins to return.

    No unit fires between ``silence_start`` and ``returns``, (n,) s each, NaN for no silence and for no return. Then
    the small units resume first and the last one ``spread`` s later, each with a discharge, so that the first
    discharges bunch and the EMG exceeds its level for a while. The return is where the resumed activity first
    exceeds a tenth of the RMS of the background.
    """
    n, step = len(returns), times[1] - times[0]
    rate = 1 / step
    kernels = motor_unit_potentials(rng, n_kernels, rate, widening=1.6)
    sizes = np.exp(np.linspace(0.0, np.log(12.0), n_units))
    silence_start = np.where(np.isnan(silence_start), np.inf, silence_start)
    returns = np.where(np.isnan(returns), np.inf, returns)
    rank = np.arange(n_units) + rng.normal(0, 5.0, (n, n_units))
    rank -= rank.min(axis=1, keepdims=True)
    delay = spread * rank / rank.max(axis=1, keepdims=True)
    before, after = np.zeros((2, n_kernels, n, times.size))
    for unit in range(n_units):  # a loop over units, not samples
        period = 1 / rng.uniform(7.0, 18.0)
        count = int((times[-1] - times[0]) / period * 1.5) + 20
        gaps = period * np.maximum(1 + 0.18 * rng.standard_normal((2, n, count)), 0.3)
        steady = times[0] - rng.uniform(0, 5 * period, (n, 1)) + np.cumsum(gaps[0], axis=1)
        again = (returns + delay[:, unit])[:, None] + np.cumsum(gaps[1], axis=1) - gaps[1, :, :1]
        for train, fires, kept in (
            (before, steady, steady < silence_start[:, None]),
            (after, again, np.isfinite(again)),
        ):
            trial, which = np.nonzero(kept & (fires >= times[0]) & (fires < times[-1]))
            place = ((fires[trial, which] - times[0]) * rate).astype(int)
            np.add.at(train[unit % n_kernels], (trial, place), sizes[unit])
    before, after = (
        signal.oaconvolve(train, kernels[:, None], axes=2)[..., : times.size].sum(axis=0) for train in (before, after)
    )
    unit_rms = np.sqrt(np.mean(before[:, times < 0] ** 2))
    before, after = before / unit_rms, after / unit_rms
    visible = np.abs(after) > _VISIBLE
    begins = np.where(visible.any(axis=1), times[visible.argmax(axis=1)], np.nan)
    return before + after, begins
