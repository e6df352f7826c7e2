"""The tail of the pulse artefact under a response, modelled and taken away; nothing is ever filtered.

Between the pulse and the earliest response a trace holds only noise and artefact. Exponential recoveries and
damped oscillations, whose forms are known (amplifier recovery, electrode polarisation, ringing of filters), are
fitted there and continued under the response; where the record contradicts the continuation it is left as it is.
Trials without an artefact are left alone.
"""

from __future__ import annotations

import functools

import numpy as np

from ..kernels.fits import take_forms
from ..kernels.tails import cut_out, refuse_tails
from ._windows import evenly, quantiles, rows_of

_DECAYS = np.append(np.geomspace(0.0006, 0.060, 26), 1e3)  # s; a fifth apart, so that one fits any; a step that stays
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
_SHARES = (1.0, 0.65, 0.4)  # of the stretch before the window
_SHORTEST = 8  # samples that can be fitted
_BLOCK = 0.0015  # s in which the record is compared with the tail taken away from it
_RAISED = 1.5  # factor by which that may raise the power of the window's first block
_QUIET = 3.0  # power, over that of the noise, with which the record shows neither tail nor response
_CLEAR = 4.0  # and by which a tail that is not there must raise it to be told from noise


@functools.lru_cache(maxsize=16)
def _forms(n_fit: int, n_ahead: int, step: float) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of basis functions, orthonormal on the fitted stretch: there, and with what follows it."""
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
    forms = np.stack([np.concatenate([alone, first]), np.concatenate([np.zeros_like(alone), second])])
    return np.ascontiguousarray(forms[:, :, :n_fit]), forms


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


def _pursue(
    traces: np.ndarray, begin: int, split: int, todo: np.ndarray, step: float, noise: np.ndarray, usual: float
) -> None:
    """Take forms fitted to ``traces[todo, begin:split]`` away from it and from what follows it, in place."""
    fit, forms = _forms(split - begin, traces.shape[1] - split, step)
    by_noise = usual * noise**2
    # A second form must be worth what noise would pay for it: its continuation is the less certain.
    pair = np.where(np.any(fit[1] != 0, axis=1), _PAIR, 0.0)
    for _ in range(_FITS):
        # Trials share their amplifier and electrodes: the form that suits them together, where it is enough …
        some = todo[evenly(noise[todo], _FORM_TRIALS)]
        power = _gains(traces[some, begin:split], fit)[1]
        common = int(((1.0 / by_noise[some]) @ power / some.size - pair).argmax())
        y = traces[todo, begin:split]
        inner = fit[:, common] @ y.T
        left = np.einsum("ij,ij->i", y, y) - np.einsum("ij,ij->j", inner, inner)
        enough = left <= _ENOUGH * noise[todo] ** 2 * y.shape[1]
        done = todo[enough]
        weights = inner[:, enough] * _kept(inner[:, enough], by_noise[done], common=True)
        take_forms(traces, begin, done, np.full(done.size, common), weights, forms)
        todo, y = todo[~enough], y[~enough]
        if not todo.size:
            return
        # … and each trial's own, if it is clearly better, where it is not.
        products, gain = _gains(y, fit)
        rows = np.arange(todo.size)
        gain -= pair * by_noise[todo, None]
        best = gain.argmax(axis=1)
        best = np.where(gain[rows, best] - gain[:, common] > by_noise[todo], best, common)
        own = products[:, rows, best]
        keep = _kept(own, by_noise[todo], common=todo.size == 1)
        take_forms(traces, begin, todo, best, own * keep, forms)
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
    split = search - start
    residual = np.full(len(x), np.nan)
    # Blanked samples before the window say nothing of an artefact, and must not spoil what follows.
    traces, power = cut_out(x, base, start, search, stop)
    shortest = int(np.min(quiet[1] - quiet[0]))
    some = evenly(noise, _NOISE_TRIALS)
    rows = (rows_of(x, some, quiet[0], shortest) - base[some, None]) / noise[some, None]
    todo = loud = np.flatnonzero(power > _loud(rows, split) * noise**2)
    # A saturated or switched stretch cannot be fitted: shorter stretches next to the window are tried then.
    for share in _SHARES:
        length = int(split * share)
        if not todo.size or length < _SHORTEST:
            break
        usual = _usual_gain(rows, length, stop - search, step)
        first = length == split
        fitted, at = (traces, todo) if first else (x[todo, start:stop] - base[todo, None], np.arange(todo.size))
        _pursue(fitted, split - length, split, at, step, noise if first else noise[todo], usual)
        left = np.sqrt(np.mean(fitted[at, split - length : split] ** 2, axis=1))
        better = ~(left >= residual[todo])
        if not first:
            fitted[:, : split - length] = 0.0
            traces[todo[better]] = fitted[better]
        residual[todo[better]] = left[better]
        todo = todo[left > 1.5 * noise[todo]]
    _check_tails(x, base, noise, traces, loud, start, split, step, residual)
    return traces, start, residual


def _check_tails(
    x: np.ndarray,
    base: np.ndarray,
    noise: np.ndarray,
    traces: np.ndarray,
    fitted: np.ndarray,
    start: int,
    split: int,
    step: float,
    residual: np.ndarray,
) -> None:
    """Give back what was taken away from under the window where nothing was, in place.

    What rang or decayed before a tail that ended (a gated amplifier, a held sample) is set to 0: it says nothing of
    what follows.
    """
    block = max(round(_BLOCK / step), 3)
    held = refuse_tails(x, base, noise, traces, fitted, start, split, block, _RAISED, _QUIET, _CLEAR)
    for i in fitted[held == 0]:
        before = x[i, start : start + split] - base[i]
        blocks = [np.mean(before[max(k - block, 0) : k] ** 2) for k in range(split, 0, -block)]
        noisy = [k for k, power in enumerate(blocks) if not power <= _QUIET * noise[i] ** 2]
        quiet_from = max(split - block * noisy[0], 0) if noisy else 0
        before[:quiet_from] = 0.0
        traces[i, :split] = before
        residual[i] = np.sqrt(np.mean(before[quiet_from:] ** 2)) if quiet_from < split else np.nan


def _loud(rows: np.ndarray, n: int) -> float:
    """Power, over that of the noise, which stretches of ``n`` samples before the pulse seldom have."""
    squares = rows**2
    power = [np.mean(squares[:, k : k + n], axis=1) for k in range(0, rows.shape[1] - n + 1, n)]
    return max(quantiles(np.concatenate(power), [_SELDOM])[0], _EXCESS) if power else _EXCESS
