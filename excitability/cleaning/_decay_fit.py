"""One decay told from the response it lies upon.

The trial average of a channel after the pulse is the sum of

- the decay: one or two shapes out of a dictionary of exponentials and power laws, of unknown size;
- the response: a random curve whose waves broaden with latency, as those of evoked potentials do, so that its
  correlation depends on the ratio of two latencies; its size is unknown within limits;
- scalp muscle: a random oscillation around 80 Hz that dies out within some 20 ms; absent, or large;
- background: as the average shows it before the pulse.

All parts but the choice are Gaussian, so every choice of shapes and sizes has a likelihood in closed form. The decay
subtracted is the mean over all choices, weighted by it: the response is expected, not taken for an outlier, and a decay
that is not there has no weight.
"""

from __future__ import annotations

from itertools import combinations, pairwise, product

import numpy as np
from scipy.linalg import cho_factor, cho_solve

_TIME_CONSTANTS = np.geomspace(0.003, 0.4, 15)
_POWERS = ((0.002, 0.7), (0.002, 1.0), (0.002, 1.5), (0.006, 1.0), (0.006, 1.5), (0.006, 2.5))
_RESPONSE_SIZES = (0.25, 1.0, 2.0)  # times response_size
_MUSCLE_SIZES = (0.0, 20e-6, 100e-6)  # V, at the start of the fit
_LEAST_DECAY = 20e-6  # V: a decay may be this large at the start of the fit, or as large as what is seen there
MODELS = ("auto", "exponential", "double", "power")


class DecayFit:
    """What the channels have in common: the samples fitted, the dictionary on them, the covariances.

    Parameters
    ----------
    times : ndarray, shape (n_times,)
        s.
    span : tuple of float
        First and last time of the fit, s.
    pulse : float
        Time of the pulse that the decay belongs to, s.
    model : str
        One of ``MODELS``.
    response_size : float
        V.
    """

    def __init__(
        self, times: np.ndarray, span: tuple[float, float], pulse: float, model: str, response_size: float
    ) -> None:
        self.times, self.pulse = times, pulse
        self.bins = _log_bins(times, span, pulse)
        self.after = slice(self.bins[0].start, times.size)
        centres = np.array([times[b].mean() for b in self.bins]) - pulse
        self.coarse, self.constants = _dictionary(centres, centres[0])
        self.fine, _ = _dictionary(times[self.after] - pulse, centres[0])
        self.pairs = _choices(model)
        response, muscle = _response_covariance(centres), _muscle_covariance(centres)
        self.covariances = [
            (response_size * a) ** 2 * response + b**2 * muscle for a, b in product(_RESPONSE_SIZES, _MUSCLE_SIZES)
        ]
        self.lag = np.abs(centres[:, None] - centres)
        self.estimators: dict[int, np.ndarray] = {}
        self.courses: dict[int, np.ndarray] = {}

    def subtract(
        self, data: np.ndarray, rows: np.ndarray, pick: int, level: tuple[np.ndarray, np.ndarray]
    ) -> tuple[float, float]:
        """Subtract the decay of one channel in place.

        Parameters
        ----------
        data : ndarray, shape (n_trials, n_channels, n_times)
        rows, pick : ndarray of int, int
            Trials and channel.
        level : tuple of ndarray
            Level of each trial before the pulse, and the average trace around it.

        Returns
        -------
        size, time_constant : float
            V at the start of the fit; s, of the shape that is largest there.
        """
        traces = data[rows, pick] - level[0][:, None]
        binned = self._binned(traces, 0)
        background = level[1].var() * np.exp(-self.lag / 0.02)
        background[np.diag_indices_from(background)] += binned.var(axis=0).min() / len(rows)
        estimator = self._estimator(binned.mean(axis=0), background)
        self.estimators[int(pick)] = estimator
        amplitudes = _shrunk(binned @ estimator.T, self._without_decay(traces, estimator))
        data[rows, pick, self.after] -= amplitudes @ self.fine
        self.courses[int(pick)] = amplitudes.mean(axis=0) @ self.fine
        share = amplitudes.mean(axis=0) * self.fine[:, 0]
        return abs(float(share.sum())), float(self.constants[np.argmax(np.abs(share))])

    def taken(self, trace: np.ndarray, pick: int) -> np.ndarray:
        """What was taken from a channel, had its average been this trace (n_times,), with the weights it had."""
        return self.estimators[pick] @ self._binned(trace[None], 0)[0] @ self.fine

    def _estimator(self, average: np.ndarray, background: np.ndarray) -> np.ndarray:
        """Matrix (n_shapes, n_bins) that turns a binned trace into the size of each shape."""
        largest = max(np.abs(average[:5]).max(), _LEAST_DECAY)
        wanted = np.column_stack([average, self.coarse.T])
        scores, solvers = [], []
        for covariance in self.covariances:
            factor = cho_factor(covariance + background, lower=True, overwrite_a=True, check_finite=False)
            solved = cho_solve(factor, wanted, check_finite=False)
            project = solved[:, 1:].T
            constant = -np.log(np.diag(factor[0])).sum() - 0.5 * (average @ solved[:, 0])
            score, inverse = _evidence(project @ self.coarse.T, project @ average, self.pairs, largest)
            scores.append(constant + score)
            solvers.append((inverse, project))
        weights = np.exp(np.array(scores) - np.max(scores))
        weights /= weights.sum()
        estimator = np.zeros((len(self.coarse), average.size))
        for weight, (inverse, project) in zip(weights, solvers, strict=True):
            mixed = np.zeros((len(self.coarse), len(self.coarse)))
            for a, b in product(range(2), repeat=2):
                np.add.at(mixed, (self.pairs[:, a], self.pairs[:, b]), weight * inverse[:, a, b])
            estimator += mixed @ project
        return estimator

    def _binned(self, traces: np.ndarray, shift: int) -> np.ndarray:
        return np.stack([traces[:, b.start - shift : b.stop - shift].mean(axis=1) for b in self.bins], axis=1)

    def _without_decay(self, traces: np.ndarray, estimator: np.ndarray) -> np.ndarray | None:
        """Sizes that the estimator finds where there is no decay: before the pulse."""
        before = int(np.searchsorted(self.times, self.pulse - 0.02))
        shift = self.bins[-1].stop - before
        if shift > self.bins[0].start:
            return None
        return self._binned(traces, shift) @ estimator.T


def _log_bins(times: np.ndarray, span: tuple[float, float], pulse: float, per_unit: float = 22.0) -> list[slice]:
    """Slices of samples of equal width in log latency: a decay changes fast at first and slowly later."""
    start = int(np.searchsorted(times, span[0] + 1e-9))
    stop = int(np.searchsorted(times, span[1] + 1e-9))
    edges = [start]
    while edges[-1] < stop:
        latency = times[edges[-1]] - pulse
        target = np.searchsorted(times, pulse + latency * np.exp(1 / per_unit))
        edges.append(int(max(target, edges[-1] + 1)))
    edges[-1] = stop
    return [slice(a, b) for a, b in pairwise(edges) if b > a]


def _dictionary(t: np.ndarray, start: float) -> tuple[np.ndarray, np.ndarray]:
    """Every shape (n_shapes, n_times), 1 at ``start``, the last empty; and the time (s) each takes to fall to 1/e."""
    exponentials = np.exp(-(t - start) / _TIME_CONSTANTS[:, None])
    powers = [((scale + t) / (scale + start)) ** -power for scale, power in _POWERS]
    constants = [*_TIME_CONSTANTS, *((scale + start) * (np.e ** (1 / power) - 1) for scale, power in _POWERS), np.nan]
    return np.vstack([exponentials, powers, np.zeros_like(t)]), np.array(constants)


def _choices(model: str) -> np.ndarray:
    """Pairs of shapes (n_choices, 2); the empty shape stands where there is only one, or none."""
    n_exponentials = len(_TIME_CONSTANTS)
    powers = range(n_exponentials, n_exponentials + len(_POWERS))
    empty = n_exponentials + len(_POWERS)
    singles = [(k, empty) for k in range(n_exponentials)]
    # two exponentials nearer than a factor of two cannot be told apart from one between them
    doubles = [(j, k) for j, k in combinations(range(n_exponentials), 2) if _TIME_CONSTANTS[k] > 2 * _TIME_CONSTANTS[j]]
    laws = [(k, empty) for k in powers]
    mixed = [(k, j) for k in powers for j in range(n_exponentials) if _TIME_CONSTANTS[j] > 0.04]
    sets = {
        "exponential": singles,
        "double": doubles,
        "power": laws,
        "auto": [(empty, empty), *singles, *doubles, *laws, *mixed],
    }
    return np.array(sets[model])


def _evidence(gram: np.ndarray, cross: np.ndarray, pairs: np.ndarray, largest: float) -> tuple[float, np.ndarray]:
    """Log likelihood summed over all choices of shapes, and the weighted solver (n_choices, 2, 2) of each."""
    precision = 1 / largest**2
    first, second = pairs.T
    a, b = gram[first, first] + precision, gram[second, second] + precision
    off = gram[first, second] * (first != second)
    determinant = a * b - off**2
    inverse = np.array([[b, -off], [-off, a]]).transpose(2, 0, 1) / determinant[:, None, None]
    c = np.stack([cross[first], cross[second]], axis=1)
    explained = np.einsum("ka,kab,kb->k", c, inverse, c)
    scores = 0.5 * explained - 0.5 * np.log(determinant / precision**2)
    best = scores.max()
    weights = np.exp(scores - best)
    total = weights.sum()
    return float(best + np.log(total / len(pairs))), inverse * (weights / total)[:, None, None]


def _response_covariance(centres: np.ndarray) -> np.ndarray:
    """Evoked waves of unit size: their width grows with latency, and they have died out by half a second."""
    ratio = np.log(centres[:, None] / centres)
    envelope = 1 / (1 + (centres / 0.35) ** 4)
    covariance = np.exp(-0.5 * (ratio / 0.2) ** 2) * np.sqrt(np.outer(envelope, envelope))
    covariance[np.diag_indices_from(covariance)] += 1e-4
    return covariance


def _muscle_covariance(centres: np.ndarray) -> np.ndarray:
    """Muscle of unit size at the start: a band around 80 Hz, 40 Hz wide either way, that falls to 1/e in 6 ms."""
    lag = centres[:, None] - centres
    fall = np.exp(-(centres - centres[0]) / 0.006)
    covariance = np.outer(fall, fall) * np.exp(-0.5 * (lag / 0.004) ** 2) * np.cos(2 * np.pi * 80 * lag)
    covariance[np.diag_indices_from(covariance)] += 1e-4 * fall**2
    return covariance


def _shrunk(amplitudes: np.ndarray, without: np.ndarray | None) -> np.ndarray:
    """Sizes in single trials, drawn towards their mean by the share of their variance that is noise."""
    mean = amplitudes.mean(axis=0)
    if without is None or len(amplitudes) < 5:
        return np.broadcast_to(mean, amplitudes.shape).copy()
    total, noise = amplitudes.var(axis=0, ddof=1), without.var(axis=0, ddof=1)
    share = np.clip(1 - noise / np.maximum(total, np.finfo(float).tiny), 0, 1)
    return mean + share * (amplitudes - mean)
