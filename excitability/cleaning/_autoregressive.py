"""Prediction of a trace into a gap from both sides by autoregressive models."""

from __future__ import annotations

import numpy as np

_MOST = 40  # coefficients: more follow noise and cost time


def autoregressive_bridge(before: np.ndarray, after: np.ndarray, n_gap: int) -> np.ndarray:
    """Samples between two pieces of a trace.

    Each side is continued by an autoregressive model of its own (Burg's method, which is always stable); the two
    continuations are blended by a sigmoid, so that each counts where it is near what was recorded.

    Parameters
    ----------
    before, after : ndarray, shape (..., n_samples)
        What was recorded on the two sides of the gap, V.
    n_gap : int
        Samples to predict.

    Returns
    -------
    ndarray, shape (..., n_gap)
        V.

    Examples
    --------
    >>> wave = np.sin(2 * np.pi * 0.06 * np.arange(110))
    >>> found = autoregressive_bridge(wave[:50], wave[60:], 10)
    >>> bool(np.abs(found - wave[50:60]).max() < 0.05)
    True
    """
    forward = _continued(before, n_gap)
    backward = _continued(after[..., ::-1], n_gap)[..., ::-1]
    place = (np.arange(n_gap) + 1) / (n_gap + 1)
    weight = 1 / (1 + np.exp(-12 * (place - 0.5)))
    return (1 - weight) * forward + weight * backward


def _continued(x: np.ndarray, n: int) -> np.ndarray:
    level = x.mean(axis=-1, keepdims=True)
    flat = (x - level).reshape(-1, x.shape[-1])
    coefficients = burg(flat, min(x.shape[-1] // 3, _MOST))
    order = coefficients.shape[1]
    out = np.concatenate([flat[:, -order:], np.empty((len(flat), n))], axis=1)
    for sample in range(order, order + n):
        out[:, sample] = -np.sum(coefficients * out[:, sample - order : sample][:, ::-1], axis=1)
    return out[:, order:].reshape(*x.shape[:-1], n) + level


def burg(x: np.ndarray, order: int) -> np.ndarray:
    """Coefficients ``a`` of ``x[t] + a[0] x[t-1] + … = noise`` of each row, (n_rows, order), by Burg's method.

    Examples
    --------
    >>> noise, x = np.random.default_rng(0).standard_normal(5000), np.zeros((1, 5000))
    >>> for t in range(1, 5000):
    ...     x[0, t] = 0.8 * x[0, t - 1] + noise[t]
    >>> burg(x, 1).round(1).tolist()
    [[-0.8]]
    """
    ahead, back = x[:, 1:], x[:, :-1]
    coefficients = np.zeros((len(x), 0))
    for _ in range(order):
        power = np.sum(ahead**2 + back**2, axis=1)
        both = np.sum(ahead * back, axis=1)
        reflection = np.divide(-2 * both, power, out=np.zeros_like(power), where=power > 0)[:, None]
        coefficients = np.hstack([coefficients + reflection * coefficients[:, ::-1], reflection])
        ahead, back = (ahead + reflection * back)[:, 1:], (back + reflection * ahead)[:, :-1]
    return coefficients
