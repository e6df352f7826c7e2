"""The tail of the pulse artefact under a response, modelled and taken away; nothing is ever filtered.

Between the pulse and the earliest response a trace holds only noise and artefact. Exponential recoveries and
damped oscillations, whose forms are known (amplifier recovery, electrode polarisation, ringing of filters), are
fitted there and continued under the response. Trials without an artefact are left alone.
"""

from __future__ import annotations

import functools

import numpy as np

from ..kernels.fits import take_forms
from ._windows import evenly, quantiles, rows_of

_DECAYS = np.geomspace(0.0006, 0.060, 26)  # s; steps of a fifth, so that a single one fits whatever its constant
_SPIKES = (0.0004, 0.0009)  # what is left of the pulse itself
_RING_DECAYS = np.array([0.0015, 0.0024, 0.0038, 0.007])
_RING_FREQUENCIES = np.geomspace(90.0, 900.0, 28)
_FORM_TRIALS = 60
_PAIR = 0.5  # price of a pair of forms, in what noise alone gives
_SHARED = 2.0  # median power of a common form, over what noise gives, from which it is taken whole
_FITS = 3  # forms taken one after another; a third one removes what the grid left of the first two
_EXCESS = 1.6  # a stretch after the pulse with this many times the power of the noise may hold an artefact
_ENOUGH = 1.3  # and with this many times it no longer does
_SELDOM = 0.98
_NOISE_TRIALS = 60


@functools.lru_cache(maxsize=16)
def _forms(n_fit: int, n_ahead: int, step: float) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of basis functions: orthonormal on the fitted stretch, and the same continued ahead of it."""
    time = np.arange(n_fit + n_ahead) * step
    exponentials = np.exp(-time / _DECAYS[:, None])
    spikes = [np.exp(-time / constant) for constant in _SPIKES]
    pairs = [
        (slow, spike)
        for spike, constant in zip(spikes, _SPIKES, strict=True)
        for slow in exponentials[1.4 * constant < _DECAYS]
    ]
    coarse = exponentials[::2]
    pairs += [(coarse[i], coarse[j]) for i in range(len(coarse)) for j in range(i + 3, len(coarse))]
    highest = 0.4 / step
    for decay in _RING_DECAYS:
        envelope = np.exp(-time / decay)
        for frequency in _RING_FREQUENCIES[highest > _RING_FREQUENCIES]:
            phase = 2 * np.pi * frequency * time
            pairs.append((envelope * np.cos(phase), envelope * np.sin(phase)))
    stacked = np.array(pairs)  # (n_pairs, 2, n)
    first = stacked[:, 0] / np.linalg.norm(stacked[:, 0, :n_fit], axis=1, keepdims=True)
    overlap = np.sum(first[:, :n_fit] * stacked[:, 1, :n_fit], axis=1, keepdims=True)
    second = stacked[:, 1] - overlap * first
    second /= np.linalg.norm(second[:, :n_fit], axis=1, keepdims=True)
    # Single exponentials are pairs whose second member is zero.
    alone = exponentials / np.linalg.norm(exponentials[:, :n_fit], axis=1, keepdims=True)
    first = np.concatenate([alone, first])
    second = np.concatenate([np.zeros_like(alone), second])
    return np.stack([first[:, :n_fit], second[:, :n_fit]]), np.stack([first[:, n_fit:], second[:, n_fit:]])


def _gains(y: np.ndarray, fit: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Inner products with all forms (2, n, n_forms), and the power each form takes away."""
    inner = np.matmul(y, fit.transpose(0, 2, 1))
    power = inner[0] ** 2
    power += inner[1] ** 2
    return inner, power


def _usual_gain(quiet: np.ndarray, n_fit: int, n_ahead: int, step: float) -> float:
    """Power that forms take from noise alone (variance 1), seldom exceeded; coloured noise gives more of it."""
    fit, _ = _forms(n_fit, n_ahead, step)
    parts = [quiet[:, k : k + n_fit] for k in range(0, quiet.shape[1] - n_fit + 1, n_fit)]
    if not parts:
        return 12.0
    stretches = np.concatenate(parts)
    some = np.linspace(0, len(stretches) - 1, min(len(stretches), 2 * _NOISE_TRIALS)).astype(int)
    return quantiles(_gains(stretches[some], fit)[1].max(axis=1), [_SELDOM])[0]


def _pursue(y: np.ndarray, ahead: np.ndarray, step: float, noise: np.ndarray, usual: float) -> None:
    """Take fitted forms away from the stretch ``y`` and from what follows it, in place."""
    fit, forward = _forms(y.shape[1], ahead.shape[1], step)
    by_noise = usual * noise**2
    # A second form must be worth what noise would pay for it: its continuation is the less certain.
    pair = np.where(np.any(fit[1] != 0, axis=1), _PAIR, 0.0)
    todo = np.arange(len(y))
    for _ in range(_FITS):
        # Trials share their amplifier and electrodes: the form that suits them together, where it is enough …
        some = todo[evenly(noise[todo], _FORM_TRIALS)]
        common = int(((1.0 / by_noise[some]) @ _gains(y[some], fit)[1] / some.size - pair).argmax())
        inner = y[todo] @ fit[:, common].T
        left = np.einsum("ij,ij->i", y[todo], y[todo]) - np.einsum("ij,ij->i", inner, inner)
        enough = left <= _ENOUGH * noise[todo] ** 2 * y.shape[1]
        done = todo[enough]
        weights = np.ascontiguousarray(inner[enough].T) * _kept(inner[enough].T, by_noise[done], common=True)
        take_forms(y, ahead, done, np.full(done.size, common), weights, fit, forward)
        todo = todo[~enough]
        if not todo.size:
            return
        # … and each trial's own, if it is clearly better, where it is not.
        products, gain = _gains(y[todo], fit)
        rows = np.arange(todo.size)
        gain -= pair * by_noise[todo, None]
        best = gain.argmax(axis=1)
        best = np.where(gain[rows, best] - gain[:, common] > by_noise[todo], best, common)
        own = products[:, rows, best]
        keep = _kept(own, by_noise[todo], common=todo.size == 1)
        take_forms(y, ahead, todo, best, own * keep, fit, forward)
        todo = todo[keep > 0]
        if not todo.size:
            return


def _kept(inner: np.ndarray, by_noise: np.ndarray, *, common: bool) -> np.ndarray:
    """Share of a form that is taken: what noise alone gives is left, since its continuation only adds noise."""
    power = inner[0] ** 2 + inner[1] ** 2
    # An artefact that most trials share is no accident of noise; shrinking it would leave a part of it in all.
    if common and power.size and np.median(power / by_noise) > _SHARED:
        return np.ones(power.size)
    return np.where(power > 1.5 * by_noise, 1.0 - by_noise / np.maximum(power, 1e-300), 0.0)


def without_artefact(
    x: np.ndarray,
    quiet: tuple[np.ndarray, np.ndarray],
    base: np.ndarray,
    noise: np.ndarray,
    pulse: int,
    search: int,
    stop: int,
    step: float,
) -> tuple[np.ndarray, int, np.ndarray]:
    """Traces from just after the pulse to the end of the window, without the artefact's tail.

    Parameters
    ----------
    x : array, shape (n_trials, n_times)
    quiet : tuple of array of int, shape (n_trials,)
        First sample of the noise before the pulse and the one after its last.
    base, noise : array, shape (n_trials,)
        Mean and standard deviation of that noise.
    pulse, search, stop : int
        Samples of the pulse, of the window's start and of its end.
    step : float
        Sampling interval in s.

    Returns
    -------
    traces : array, shape (n_trials, stop - start)
        About their baseline.
    start : int
        Sample at which they begin.
    residual : array, shape (n_trials,)
        Standard deviation of what the fit left before the window; NaN where there was no artefact.
    """
    start = min(max(pulse + int(np.ceil(0.002 / step)), search - round(0.012 / step)), search - 2)
    start = max(start, 0)
    n_fit = search - start
    traces = x[:, start:stop] - base[:, None]
    residual = np.full(len(x), np.nan)
    shortest = int(np.min(quiet[1] - quiet[0]))
    some = evenly(noise, _NOISE_TRIALS)
    rows = (rows_of(x, some, quiet[0], shortest) - base[some, None]) / noise[some, None]
    power = np.einsum("ij,ij->i", traces[:, :n_fit], traces[:, :n_fit]) / n_fit
    # Blanked samples before the window say nothing of an artefact, and must not spoil what follows.
    blanked = np.isnan(power)
    if blanked.any():
        traces[blanked, :n_fit] = np.nan_to_num(traces[blanked, :n_fit])
    todo = np.flatnonzero(power > _loud(rows, n_fit) * noise**2)
    # A saturated or switched stretch cannot be fitted: shorter stretches next to the window are tried then.
    for share in (1.0, 0.65, 0.4):
        length = int(n_fit * share)
        if not todo.size or length < 8:
            break
        y = x[todo, search - length : search] - base[todo, None]
        ahead = x[todo, search:stop] - base[todo, None]
        usual = _usual_gain(rows, length, stop - search, step)
        _pursue(y, ahead, step, noise[todo], usual)
        left = np.sqrt(np.mean(y**2, axis=1))
        better = ~(left >= residual[todo])
        chosen = todo[better]
        traces[chosen, : n_fit - length] = 0.0
        traces[chosen, n_fit - length : n_fit] = y[better]
        traces[chosen, n_fit:] = ahead[better]
        residual[chosen] = left[better]
        todo = todo[left > 1.5 * noise[todo]]
    return traces, start, residual


def _loud(rows: np.ndarray, n: int) -> float:
    """Power, over that of the noise, which stretches of ``n`` samples before the pulse seldom have."""
    squares = rows**2
    power = [np.mean(squares[:, k : k + n], axis=1) for k in range(0, rows.shape[1] - n + 1, n)]
    return max(quantiles(np.concatenate(power), [_SELDOM])[0], _EXCESS) if power else _EXCESS
