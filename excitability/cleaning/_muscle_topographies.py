"""Topographies of what a pulse sets off outside the brain, found without a frequency that muscle must exceed.

A twitch differs from trial to trial by far more than ongoing activity and responses do: this comes first, as it knows
nothing of the average. And it is faster: what is left of a trace without all that slow falls and waves explain holds
little of a response. Both are measured against stretches before the pulse, the first also against what varies later.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ._instance import data_of, pulses_of_trials
from ._registry import recorded

MOST = 6
_UNTIL = 0.05  # s; the twitch is over, and a longer stretch would hold more of the response
_SLOWNESS = np.geomspace(0.004, 0.4, 16)  # time constants of what counts as discharge, s
# courses of discharge left out: 3 leave the tail of a twitch, which varies; 7 leave nothing of an average response
_SLOW_OF_VARYING, _SLOW_OF_ALL = 3, 7
_ABOVE_VARYING, _ABOVE_ALL = 1.3, 1.5  # times the most that any stretch before the pulse has
# The average knows a topography better than its variability does, but tilts it towards a response that runs along with
# the twitch: only its fast part, which holds little of a response, sharpens what varies.
_WEIGHT_OF_AVERAGE = 3.0
_FAST_RESPONSE = 1e-6  # V; root mean square over channels of what a response may have beside slow waves
# V, as _FAST_RESPONSE: by how much any response, and by how much at most one that is seen to vary later too, may vary
# from trial to trial, with the topographies a brain can have
_VARYING_RESPONSE, _MOST_VARYING = 0.5e-6, 3e-6
_AFTER_TWITCH = 0.025  # s; what varies later is response for the most part
_EARLIER = 3.0  # times as much as later, in power, a response may vary early
_LEAST_STRETCH = 12  # samples
_MOST_RATE = 2000.0  # Hz; nothing is gained above


def muscle_subspace(
    inst: Any, picks: np.ndarray, brain: np.ndarray, window: tuple[float, float] | None
) -> tuple[np.ndarray, tuple[int, int]]:
    """Orthonormal topographies (n_channels, n_found), and how many vary and how many more are fast.

    Parameters
    ----------
    brain : ndarray, shape (n_channels, n_channels)
        Covariance of the lead field, mean of the diagonal 1.
    window : tuple of float or None
        Seconds after the pulse; by default from the end of what was cut out around it to 50 ms.
    """
    if window is None:
        cut = recorded(inst, "remove_decay", "window", recorded(inst, "remove_pulse", "window", (-0.002, 0.010)))
        window = (cut[1] + 1.5 / inst.info["sfreq"], max(_UNTIL, cut[1] + 0.02))
    varying, quiet = _moments(inst, picks, window, _SLOW_OF_VARYING, "varying")
    after = (_AFTER_TWITCH, _AFTER_TWITCH + window[1] - window[0])
    later, _ = _moments(inst, picks, after, _SLOW_OF_VARYING, "varying")
    beyond = _limited(_EARLIER * (np.mean(later, axis=0) - np.mean(quiet, axis=0)), _MOST_VARYING**2 * brain)
    quiet = [each + beyond + _VARYING_RESPONSE**2 * brain for each in quiet]  # responses vary too
    averages, quiet_averages = _moments(inst, picks, window, _SLOW_OF_ALL, "average")
    noise = np.mean(quiet, axis=0)
    sharper = noise + _WEIGHT_OF_AVERAGE * np.mean(quiet_averages, axis=0)
    most = _ABOVE_VARYING * _largest(quiet, noise)
    found = np.zeros((len(picks), 0))
    for seen, average in zip(varying, averages, strict=True):
        count = _standing_out(found, seen, noise, most)
        found = _joined(found, seen + _WEIGHT_OF_AVERAGE * average, sharper, count)
    n_varying = found.shape[1]
    whole, quiet = _moments(inst, picks, window, _SLOW_OF_ALL, "whole")
    noise = np.mean(quiet, axis=0) + _FAST_RESPONSE**2 * brain  # a response twice the usual size is fast enough too
    most = _ABOVE_ALL * _largest(quiet, noise)
    for seen in whole:
        found = _joined(found, seen, noise, _standing_out(found, seen, noise, most))
    return found, (n_varying, found.shape[1] - n_varying)


def _limited(difference: np.ndarray, most: np.ndarray) -> np.ndarray:
    """Positive part of a difference of second moments, in no direction more than ``most``."""
    relative, back = _whitened(difference, most)
    values, vectors = np.linalg.eigh(relative)
    vectors = back @ vectors
    return np.asarray((vectors * np.clip(values, 0, 1)) @ vectors.T)


def _largest(quiet: list[np.ndarray], noise: np.ndarray) -> float:
    return max(float(np.linalg.eigvalsh(_whitened(each, noise)[0])[-1]) for each in quiet)


def _beside(found: np.ndarray, seen: np.ndarray, noise: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    left = np.eye(len(seen)) - found @ found.T
    return _whitened(left @ seen @ left, left @ noise @ left)


def _standing_out(found: np.ndarray, seen: np.ndarray, noise: np.ndarray, most: float) -> int:
    return int(np.sum(np.linalg.eigvalsh(_beside(found, seen, noise)[0]) > most))


def _joined(found: np.ndarray, seen: np.ndarray, noise: np.ndarray, n_more: int) -> np.ndarray:
    """``found`` and the ``n_more`` topographies beside them that stand out most from the noise, orthonormal."""
    whitened, back = _beside(found, seen, noise)
    vectors = np.linalg.eigh(whitened)[1][:, ::-1][:, : min(n_more, MOST - found.shape[1])]
    return np.linalg.qr(np.column_stack([found, back @ vectors]))[0]


def _moments(
    inst: Any, picks: np.ndarray, window: tuple[float, float], n_slow: int, kind: str
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Second moments of trials ("whole"), around their average ("varying") or of it, after each pulse and before."""
    rate = float(inst.info["sfreq"])
    step = max(1, int(rate // _MOST_RATE))
    n_times = int(np.ceil((window[1] - window[0]) * rate / step - 1e-6))
    if n_times < _LEAST_STRETCH:
        raise ValueError(f"ssp_sir: {n_times} samples from {window[0]:g} to {window[1]:g} s cannot show muscle")
    slow = _slow(np.arange(n_times) * step / rate, n_slow)
    after: list[np.ndarray] = []
    before: dict[int, list[np.ndarray]] = {}
    for pulses, rows in pulses_of_trials(inst):
        if len(rows) < 4:
            continue
        for pulse in pulses:
            followed = any(pulse < other <= pulse + window[1] for other in pulses)
            samples = int(np.searchsorted(inst.times, pulse + window[0] - 1e-9)) + step * np.arange(n_times)
            if not followed and samples[-1] < inst.times.size:
                after.append(_second_moment(_fast(inst, rows, picks, samples, slow), kind))
        quiet = np.flatnonzero(inst.times < min(pulses, default=-np.inf) - 0.02)[::step]
        for first in range(0, quiet.size - n_times + 1, n_times):
            x = _fast(inst, rows, picks, quiet[first : first + n_times], slow)
            before.setdefault(first, []).append(_second_moment(x, kind))
    if not after or not before:
        raise ValueError(
            "ssp_sir: n_components = 'auto' needs 4 trials or more of a kind, which begin "
            f"{window[1] - window[0] + 0.02:g} s before the first pulse and end {window[1]:g} s after the last"
        )
    return after, [np.mean(each, axis=0) for each in before.values()]


def _slow(times: np.ndarray, n_slow: int) -> np.ndarray:
    """Orthonormal courses (n_times, n_slow) that hold falls of every time constant, best first."""
    falls = np.column_stack([np.ones_like(times), *(np.exp(-times / constant) for constant in _SLOWNESS)])
    return np.linalg.svd(falls, full_matrices=False)[0][:, :n_slow]


def _fast(inst: Any, rows: np.ndarray, picks: np.ndarray, samples: np.ndarray, slow: np.ndarray) -> np.ndarray:
    # evenly spaced samples as a slice: indexing by each of them takes three times as long
    span = slice(int(samples[0]), int(samples[-1]) + 1, int(samples[1] - samples[0]))
    x = data_of(inst)[rows[:, None], picks, span]
    x -= x.mean(axis=1, keepdims=True)
    return x - (x @ slow) @ slow.T


def _second_moment(x: np.ndarray, kind: str) -> np.ndarray:
    scale = len(x) * x.shape[2]
    if kind == "varying":
        x, scale = x - x.mean(axis=0), scale - x.shape[2]
    elif kind == "average":
        x, scale = x.mean(axis=0, keepdims=True), x.shape[2]
    flat = np.swapaxes(x, 0, 1).reshape(x.shape[1], -1)
    return flat @ flat.T / scale


def _whitened(seen: np.ndarray, null: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """``seen`` in coordinates in which ``null`` is the identity, and the way back."""
    values, vectors = np.linalg.eigh(null)
    kept = values > 1e-9 * values[-1]
    root = np.sqrt(values[kept])
    to = vectors[:, kept] / root
    return to.T @ seen @ to, vectors[:, kept] * root


def oblique_projection(topographies: np.ndarray, covariance: np.ndarray) -> np.ndarray:
    """Operator that takes topographies out and puts back what the covariance of the brain says lay along them.

    For the covariance of a lead field this is the source-informed reconstruction of full rank.
    """
    n = len(covariance)
    projector = np.eye(n) - topographies @ topographies.T
    values, vectors = np.linalg.eigh(projector @ covariance @ projector)
    values = values + 1e-5 * np.trace(covariance) / n
    predicted = topographies.T @ covariance @ projector @ (vectors / values) @ vectors.T
    return projector + topographies @ predicted @ projector


def quiet_covariance(inst: Any, picks: np.ndarray) -> np.ndarray:
    """Covariance of the channels before the pulses, average-referenced."""
    total, n_samples = np.zeros((len(picks), len(picks))), 0
    step = max(1, int(inst.info["sfreq"] // 500))
    for pulses, rows in pulses_of_trials(inst):
        quiet = np.flatnonzero(inst.times < min(pulses, default=-np.inf) - 0.02)[::step]
        for row in rows:
            x = data_of(inst)[row][np.ix_(picks, quiet)]
            x = x - x.mean(axis=0)
            x = x - x.mean(axis=1, keepdims=True)
            total += x @ x.T
            n_samples += x.shape[1]
    return total / max(n_samples, 1)
