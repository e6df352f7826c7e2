"""Published ways to find the onset that have no package to run: slow and obvious, from their descriptions.

Each takes trials ``x`` (n_trials, n_times) in volts, ``times`` (s from the pulse) and ``window`` (s), and returns the
onsets in seconds, NaN where the method reports none.
"""

from __future__ import annotations

import itertools

import numpy as np

from excitability.simulate import mep_trials

_DELMEP_WINDOW = (0.010, 0.050)
_DELMEP_POINTS = 120
_DELMEP_LAYERS = (120, 30, 30, 1)


def bigoni(x: np.ndarray, times: np.ndarray, window: tuple[float, float]) -> np.ndarray:
    """The longest uninterrupted rise on the way to the first of the two extremes (Bigoni 2022).

    A trace whose minimum comes first is turned over. The onset is where the longest run of positive differences
    before the first extreme begins; a run of 0.8 ms or less is no onset. There is no test for a response.
    """
    inside = np.flatnonzero((times >= window[0] - 1e-9) & (times < window[1] - 1e-9))
    shortest = 0.0008 / (times[1] - times[0]) + 1e-6
    found = np.full(len(x), np.nan)
    for i, trial in enumerate(x[:, inside]):
        if trial.argmin() < trial.argmax():
            trial = -trial
        longest, begin, run = 0, 0, 0
        for j in range(1, int(trial.argmax()) + 1):
            run = run + 1 if trial[j] > trial[j - 1] else 0
            if run > longest:
                longest, begin = run, j - run
        if longest > shortest:
            found[i] = times[inside[begin]]
    return found


def five_deviations(x: np.ndarray, times: np.ndarray, window: tuple[float, float]) -> np.ndarray:
    """First sample in the window above five standard deviations of the 100 ms before the pulse (Huang's rule)."""
    inside = np.flatnonzero((times >= window[0]) & (times < window[1]))
    found = np.full(len(x), np.nan)
    for i, trial in enumerate(x):
        before = trial[(times >= -0.1) & (times < -0.005)]
        above = trial[inside] - before.mean() > 5 * before.std()
        if above.any():
            found[i] = times[inside[above.argmax()]]
    return found


def fifty_microvolts(x: np.ndarray, times: np.ndarray, window: tuple[float, float]) -> np.ndarray:
    """The clinical criterion: a response is 50 µV peak-to-peak. Present or not; 0 stands for present."""
    inside = (times >= window[0]) & (times < window[1])
    return np.where(np.ptp(x[:, inside], axis=1) >= 50e-6, 0.0, np.nan)


class DelmepLike:
    """A small network in the manner of DELMEP: 120 points of 10 to 50 ms, two layers of 30, one latency.

    It is trained here on trials of our own three generators, hand muscle, rest, which is kinder to it than the
    weights that were published. It reports a latency for every trial.

    Parameters
    ----------
    seed : int
        Of the training; the trials of the benchmark have other seeds.
    n_recordings, n_trials : int
        Recordings of each generator at each noise level, trials of each.
    """

    def __init__(self, seed: int, n_recordings: int = 8, n_trials: int = 150) -> None:
        rng = np.random.default_rng([seed, 4591])
        inputs, targets = [], []
        for generator in ("template", "motor_units", "volley"):
            for noise in ((3e-6, 6e-6), (10e-6, 20e-6)):
                for _ in range(n_recordings):
                    x, times, truth = mep_trials(
                        n_trials, generator=generator, noise_rms=noise, no_response=0.0, seed=rng
                    )
                    inputs.append(self.prepare(x, times))
                    targets.append(truth["onset"].to_numpy())
        self.weights = _train(np.concatenate(inputs), 1e3 * np.concatenate(targets), rng)

    @staticmethod
    def prepare(x: np.ndarray, times: np.ndarray) -> np.ndarray:
        """120 points: moving mean of 7, minus the mean of the first 14, over the largest, rectified."""
        grid = np.linspace(*_DELMEP_WINDOW, _DELMEP_POINTS)
        points = np.array([np.interp(grid, times, trial) for trial in x])
        padded = np.pad(points, ((0, 0), (3, 3)), mode="edge")
        points = np.mean([padded[:, k : k + _DELMEP_POINTS] for k in range(7)], axis=0)
        points -= points[:, :14].mean(axis=1, keepdims=True)
        return np.abs(points / np.abs(points).max(axis=1, keepdims=True))

    def __call__(self, x: np.ndarray, times: np.ndarray, window: tuple[float, float]) -> np.ndarray:
        """Onsets in s; ``window`` belongs to the network and is not used."""
        return 1e-3 * _forward(self.prepare(x, times), self.weights)[-1][:, 0]


def _forward(inputs, weights):
    """Activations of every layer; rectified but for the last."""
    layers = [inputs]
    for k, (matrix, offset) in enumerate(weights):
        value = layers[-1] @ matrix + offset
        layers.append(value if k == len(weights) - 1 else np.maximum(value, 0.0))
    return layers


def _train(inputs, targets, rng, epochs=60, batch=64):
    """Least squares by Adam, with a rate that falls; plain numpy."""
    weights = [
        (rng.standard_normal((a, b)) * np.sqrt(2 / a), np.zeros(b)) for a, b in itertools.pairwise(_DELMEP_LAYERS)
    ]
    weights[-1] = (weights[-1][0], np.full(1, targets.mean()))
    moments = [[(np.zeros_like(p), np.zeros_like(p)) for p in layer] for layer in weights]
    step = 0
    for epoch in range(epochs):
        order = rng.permutation(len(inputs))
        for first in range(0, len(order), batch):
            rows, step = order[first : first + batch], step + 1
            layers = _forward(inputs[rows], weights)
            slope = 2 * (layers[-1] - targets[rows, None]) / len(rows)
            rate = 2e-3 * 0.5 * (1 + np.cos(np.pi * epoch / epochs))
            for k in range(len(weights) - 1, -1, -1):
                gradients = (layers[k].T @ slope, slope.sum(axis=0))
                slope = (slope @ weights[k][0].T) * (layers[k] > 0)
                weights[k], moments[k] = _adam(weights[k], gradients, moments[k], rate, step)
    return weights


def _adam(parameters, gradients, moments, rate, step):
    """One step of one layer."""
    new, kept = [], []
    for value, gradient, (mean, square) in zip(parameters, gradients, moments, strict=True):
        mean, square = 0.9 * mean + 0.1 * gradient, 0.999 * square + 0.001 * gradient**2
        change = (mean / (1 - 0.9**step)) / (np.sqrt(square / (1 - 0.999**step)) + 1e-8)
        new.append(value - rate * change)
        kept.append((mean, square))
    return tuple(new), kept
