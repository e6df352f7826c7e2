"""The tail of the pulse artefact under a response, modelled and taken away; nothing is ever filtered.

Between the pulse and the earliest response a trace holds only noise and artefact. Exponential recoveries and
damped oscillations, whose forms are known (amplifier recovery, electrode polarisation, ringing of filters), are
fitted there and continued under the response. Trials without an artefact are left alone.
"""

from __future__ import annotations

import functools

import numpy as np

_DECAYS = np.array([0.0008, 0.0013, 0.002, 0.003, 0.0045, 0.007, 0.011, 0.017, 0.030, 0.060])
_RING_DECAYS = np.array([0.0015, 0.0022, 0.0032, 0.0048, 0.008])
_RING_FREQUENCIES = np.geomspace(90.0, 900.0, 40)
_FITS = 3  # forms taken one after another; a third one removes what the grid left of the first two
_EXCESS = 1.35  # a fitted stretch this many times louder than the noise holds an artefact


@functools.lru_cache(maxsize=16)
def _forms(n_fit: int, n_ahead: int, step: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pairs of basis functions: orthonormal on the fitted stretch, and the same continued ahead of it."""
    time = np.arange(n_fit + n_ahead) * step
    exponentials = np.exp(-time / _DECAYS[:, None])
    pairs = [(exponentials[i], exponentials[j]) for i in range(len(_DECAYS)) for j in range(i + 2, len(_DECAYS))]
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
    fit = np.stack([first[:, :n_fit], second[:, :n_fit]], axis=1)
    ahead = np.stack([first[:, n_fit:], second[:, n_fit:]], axis=1)
    penalty = np.concatenate([np.ones(len(alone)), np.full(len(pairs), 2.0)])
    return fit, ahead, penalty


def _pursue(y: np.ndarray, ahead: np.ndarray, step: float, noise: np.ndarray) -> None:
    """Take fitted forms away from the stretch ``y`` and from what follows it, in place."""
    fit, forward, penalty = _forms(y.shape[1], ahead.shape[1], step)
    rows = np.arange(len(y))
    for _ in range(_FITS):
        inner = (y @ fit.reshape(-1, y.shape[1]).T).reshape(len(y), -1, 2)
        gain = np.sum(inner**2, axis=2) - 6.0 * penalty * noise[:, None] ** 2
        best = gain.argmax(axis=1)
        wanted = gain[rows, best] > 0
        weights = inner[rows, best] * wanted[:, None]
        y -= np.einsum("nk,nkt->nt", weights, fit[best])
        ahead -= np.einsum("nk,nkt->nt", weights, forward[best])


def without_artefact(
    x: np.ndarray, base: np.ndarray, noise: np.ndarray, pulse: int, search: int, stop: int, step: float
) -> tuple[np.ndarray, int, np.ndarray]:
    """Traces from just after the pulse to the end of the window, without the artefact's tail.

    Parameters
    ----------
    x : array, shape (n_trials, n_times)
    base, noise : array, shape (n_trials,)
        Mean and standard deviation of the baseline.
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
    with np.errstate(invalid="ignore"):
        loud = np.sqrt(np.mean(traces[:, :n_fit] ** 2, axis=1)) > _EXCESS * noise
    todo = np.flatnonzero(loud)
    # A saturated or switched stretch cannot be fitted: shorter stretches next to the window are tried then.
    for share in (1.0, 0.65, 0.4):
        length = int(n_fit * share)
        if not todo.size or length < 8:
            break
        y = x[todo, search - length : search] - base[todo, None]
        ahead = x[todo, search:stop] - base[todo, None]
        _pursue(y, ahead, step, noise[todo])
        left = np.sqrt(np.mean(y**2, axis=1))
        better = ~(left >= residual[todo])
        chosen = todo[better]
        traces[chosen, : n_fit - length] = 0.0
        traces[chosen, n_fit - length : n_fit] = y[better]
        traces[chosen, n_fit:] = ahead[better]
        residual[chosen] = left[better]
        todo = todo[left > 1.5 * noise[todo]]
    return traces, start, residual
