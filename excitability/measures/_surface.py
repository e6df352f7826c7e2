"""A smooth surface through responses at coil positions, and other surfaces that the same responses allow.

Gaussian process on the logarithm of the responses (Matérn kernel of order 3/2): responses scatter in proportion to
their size, and neighbouring positions respond alike; a smoother kernel would shoot over the edge of a plateau. The
range of that likeness, the strength of the surface and the scatter of trials are not fixed but averaged over what the
data allow. How far the mean lies above the typical response may depend on the latter (``_trend``). The sum of the
responses anchors the size of the surface, so that nothing depends on the trials being log-normal. Responses that may be
negative (background-subtracted areas) are modelled as they are, with a scatter that grows with their size.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ._trend import Trend, between, fit_trend

N_LENGTHS, N_RATIOS = 8, 13
#: Variance of the surface's level before anything is seen, in units of its variance over positions.
LEVEL_VARIANCE = 4.0


@dataclass(frozen=True)
class Surface:
    """What trials at positions say of the expected response everywhere.

    Attributes
    ----------
    place : ndarray, shape (n_places, 2)
        Distinct positions (m).
    at : ndarray, shape (n_trials,)
        Position of each trial.
    size : ndarray, shape (n_trials,)
        Responses.
    level : ndarray, shape (n_places,)
        Mean of the (logarithmic) responses at each position, about ``middle``.
    weight : ndarray, shape (n_places,)
        Trials at each position, over their relative variance.
    middle : float
        Mean (logarithmic) response.
    logarithmic : bool
        Responses were positive and enter by their logarithm.
    lengths, ratios : ndarray
        Ranges of the kernel (m) and its variances relative to that of a trial, and
    probability : ndarray, shape (n_lengths, n_ratios)
        how well each pair explains the responses.
    spent : ndarray, shape (n_lengths, n_ratios)
        Sum of squares that the scatter of a trial is known from, on
    freedom : float
        degrees of freedom.
    modes : tuple of (values, vectors)
        Modes of the kernel at the positions for each of ``lengths``.
    trend : Trend, optional
        How the mean of logarithmic responses over their level depends on the latter.
    """

    place: np.ndarray
    at: np.ndarray
    size: np.ndarray
    level: np.ndarray
    weight: np.ndarray
    middle: float
    logarithmic: bool
    lengths: np.ndarray
    ratios: np.ndarray
    probability: np.ndarray
    spent: np.ndarray
    freedom: float
    modes: tuple[tuple[np.ndarray, np.ndarray], ...]
    trend: Trend | None = None

    def mean(self, nodes: np.ndarray) -> np.ndarray:
        """Expected response at nodes, shape (n_nodes,)."""
        return self._anchored(self.levels(nodes)[None], len(nodes), np.ones(1))[0]

    def levels(self, nodes: np.ndarray) -> np.ndarray:
        """Expected (logarithmic) response at nodes and positions, shape (n_nodes + n_places,)."""
        both = np.zeros(len(nodes) + len(self.place))
        apart = _apart(np.vstack([nodes, self.place]), self.place)
        for row, length in enumerate(self.lengths):
            share = self.probability[row]
            if share.sum() < 1e-3:
                continue
            values, vectors = self.modes[row]
            known = (vectors.T @ (np.sqrt(self.weight) * self.level))[:, None]
            gain = vectors @ (known * (self.ratios / (1 + values[:, None] * self.ratios)) @ share)
            both += _kernel(apart, length) @ (np.sqrt(self.weight) * gain)
        return both / self.probability.sum() + self.middle

    def levels_without_own(self) -> np.ndarray:
        """Expected (logarithmic) response at the position of each trial had it not been given, shape (n_trials,)."""
        share = self.probability / self.probability.sum()
        own = np.zeros(len(self.place))
        for (values, vectors), chance in zip(self.modes, share, strict=True):
            own += vectors**2 @ (values[:, None] * self.ratios / (1 + values[:, None] * self.ratios) @ chance)
        own = np.minimum((own / np.bincount(self.at))[self.at], 0.95)
        response = np.log(self.size) if self.logarithmic else self.size
        return np.asarray(response - (response - self.levels(self.place[:0])[self.at]) / (1 - own))

    def draws(self, nodes: np.ndarray, count: int, rng: np.random.Generator, noise: np.ndarray) -> np.ndarray:
        """Surfaces that could have given these responses, shape (count, n_nodes).

        ``noise`` (count, n_places) is the standardised error of the positions' levels: muscles that were recorded
        together share a part of it.
        """
        pick = rng.choice(self.probability.size, size=count, p=(self.probability / self.probability.sum()).ravel())
        rows, columns = np.unravel_index(pick, self.probability.shape)
        variance = self.spent[rows, columns] / rng.chisquare(self.freedom, count)
        found = np.empty((count, len(nodes) + len(self.place)))
        root = np.sqrt(self.weight)
        apart = _apart(*(np.vstack([nodes, self.place]),) * 2)
        for row in np.unique(rows):
            mine = np.flatnonzero(rows == row)
            ratio, scale = self.ratios[columns[mine]][:, None], np.sqrt(variance[mine])[:, None]
            joint = _kernel(apart, self.lengths[row])
            joint[np.diag_indices_from(joint)] += 1e-8
            before = (
                np.sqrt(ratio) * scale * (rng.standard_normal((mine.size, len(joint))) @ np.linalg.cholesky(joint).T)
            )
            gap = self.level - before[:, len(nodes) :] - scale * noise[mine] / root
            values, vectors = self.modes[row]
            gain = ((root * gap) @ vectors * (ratio / (1 + values * ratio))) @ vectors.T
            found[mine] = before + (root * gain) @ joint[len(nodes) :]
        # the sum of all responses varies as its trials do
        total = np.ones(count)
        if self.logarithmic:
            error, skewness, freedom = self.total_error()
            chance = rng.standard_t(freedom, count)
            # the sum of skewed trials is known less well upwards: Hall's transformation of the t statistic
            chance = chance + skewness / 3 * chance**2 + skewness**2 / 27 * chance**3 + skewness / 6
            total = np.maximum(1 + error * chance, 0.1)
        slopes = self.trend.drawn(rng, count) if self.trend else None
        return self._anchored(found + self.middle, len(nodes), total, slopes)

    def residuals(self) -> np.ndarray:
        """What trials differ by from the surface, on the scale they were modelled on; shape (n_trials,)."""
        response = np.log(self.size) if self.logarithmic else self.size
        scatter = np.sqrt(np.bincount(self.at) / self.weight)
        return np.asarray((response - self.levels(self.place[:0])[self.at]) / scatter[self.at])

    def total_error(self) -> tuple[float, float, float]:
        """Relative standard error of the sum of all responses, its skewness, the large trials it is known from."""
        expected = self.mean(self.place)[self.at]
        rest = self.size - expected
        relative = float(np.sum(rest**2) / np.sum(expected**2)) * self.size.size / max(self.freedom_left(), 1.0)
        # skewed trials: the variance is underestimated just when the mean is
        logs = float(np.var(np.log(self.size / expected)))
        relative = float(np.clip(np.expm1(min(logs, 20.0)), relative, 1.5 * relative))
        large = float(np.sum(expected**2) ** 2 / np.sum(expected**4))
        error = float(np.sqrt(relative * np.sum(expected**2)) / np.sum(expected))
        # that of gamma-distributed trials: more than none, less than log-normal ones
        skewness = 2 * np.sqrt(relative) * float(np.sum(expected**3) / np.sum(expected**2) ** 1.5)
        return error, float(min(skewness, 1.0)), max(large - 1, 2.0)

    def freedom_left(self) -> float:
        """Trials less what the surface spends on following them."""
        row, column = np.unravel_index(int(np.argmax(self.probability)), self.probability.shape)
        values, _ = self.modes[row]
        return float(self.size.size - np.sum(values * self.ratios[column] / (1 + values * self.ratios[column])))

    def _anchored(
        self, levels: np.ndarray, n_nodes: int, total: np.ndarray, slopes: np.ndarray | None = None
    ) -> np.ndarray:
        """Responses from levels at nodes and positions: their sum over the trials is the one that was seen."""
        if not self.logarithmic:
            return levels[:, :n_nodes]
        trials = np.bincount(self.at, minlength=len(self.place))
        if self.trend:
            levels = levels + self.trend.logarithm(levels, slopes)
        top = levels.max(axis=1, keepdims=True)
        shape = np.exp(levels - top)
        return shape[:, :n_nodes] * (self.size.sum() * total / (shape[:, n_nodes:] @ trials))[:, None]


def fit_surface(place: np.ndarray, at: np.ndarray, size: np.ndarray, spacing: float) -> Surface:
    """Surface through the responses ``size`` of trials at positions ``place[at]``."""
    if not size.min() > 0:
        return _fitted(place, at, size, spacing, _relative_variance(place, at, size, spacing), False)
    found = _fitted(place, at, size, spacing, np.ones(len(place)), True)
    # a surface that a trial has shaped lies too near to it, and one without it is too smooth: the truth is between
    level, without = found.levels(place[:0])[at], found.levels_without_own()
    trend = fit_trend(level, size / np.exp(level))
    return replace(
        found, trend=between(trend, fit_trend(without, size / np.exp(without), (trend.middle, trend.spread)))
    )


def _fitted(
    place: np.ndarray, at: np.ndarray, size: np.ndarray, spacing: float, variance: np.ndarray, logarithmic: bool
) -> Surface:
    """Surface for a known relative variance of a trial at each position."""
    trials = np.bincount(at).astype(float)
    response = np.log(size) if logarithmic else size
    weight = trials / variance
    middle = float(np.average(response, weights=1 / variance[at]))
    level = np.bincount(at, response - middle) / trials
    within = float(np.sum((response - middle - level[at]) ** 2 / variance[at]))
    apart = _apart(place, place)
    extent = float(apart.max()) / np.sqrt(2)  # the side of a square
    lengths = np.geomspace(0.7 * spacing, max(1.5 * extent, 2 * spacing), N_LENGTHS)
    ratios = np.geomspace(0.1, 1e5, N_RATIOS)
    log_evidence, spent = np.empty((N_LENGTHS, N_RATIOS)), np.empty((N_LENGTHS, N_RATIOS))
    freedom = float(size.size - 1)
    floor = 1e-12 * float(np.sum((response - middle) ** 2)) + 1e-300
    modes = tuple(_modes(apart, weight, length) for length in lengths)
    for row, (values, vectors) in enumerate(modes):
        known = (vectors.T @ (np.sqrt(weight) * level)) ** 2
        spread = 1 + values[:, None] * ratios
        spent[row] = within + (known[:, None] / spread).sum(axis=0) + floor
        log_evidence[row] = -0.5 * np.log(spread).sum(axis=0) - 0.5 * freedom * np.log(spent[row])
    probability = np.exp(log_evidence - log_evidence.max())
    return Surface(
        place, at, size, level, weight, middle, logarithmic, lengths, ratios, probability, spent, freedom, modes
    )


def _relative_variance(place: np.ndarray, at: np.ndarray, size: np.ndarray, spacing: float) -> np.ndarray:
    """Variance of a trial at each position, relative to their mean: it grows with the square of the response."""
    squared = np.sum((place[:, None] - place[None]) ** 2, axis=2)
    near = np.exp(-squared / (2 * (0.7 * spacing) ** 2))[:, at]
    expected = np.maximum(near @ size / near.sum(axis=1), 0.0)
    rest = (size - expected[at]) ** 2
    low = expected[at] <= np.quantile(expected, 0.4)
    floor = max(float(rest[low].mean()), 1e-6 * float(rest.mean()), 1e-300)
    high = expected[at] > 0.2 * expected.max()
    share = max(float(np.mean(rest[high]) - floor) / max(float(np.mean(expected[at][high] ** 2)), 1e-300), 0.0)
    variance = share * expected**2 + floor
    return np.asarray(variance / variance.mean())


def _apart(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Distances of positions, shape (len(a), len(b))."""
    return np.hypot(np.subtract.outer(a[:, 0], b[:, 0]), np.subtract.outer(a[:, 1], b[:, 1]))


def _kernel(apart: np.ndarray, length: float) -> np.ndarray:
    """Matérn kernel of order 3/2 of unit variance, and the level's variance."""
    apart = np.sqrt(3) / length * apart
    return np.asarray((1 + apart) * np.exp(-apart) + LEVEL_VARIANCE)


def _modes(apart: np.ndarray, weight: np.ndarray, length: float) -> tuple[np.ndarray, np.ndarray]:
    """Eigenvalues and vectors of the kernel at the positions, each weighted by its trials."""
    root = np.sqrt(weight)
    values, vectors = np.linalg.eigh(root[:, None] * _kernel(apart, length) * root)
    return np.maximum(values, 0.0), vectors
