"""Extremes of noise: the distribution of a largest value, learnt from pre-stimulus windows."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ..kernels.fits import responses_among
from ._windows import quantile_of

_EULER = 0.5772156649
GUMBEL_SPREAD = float(np.pi / np.sqrt(6.0))  # standard deviation of a standard Gumbel variable
_PRIOR_WINDOWS = 12.0  # the general shape of the extremes counts as this many pre-stimulus windows
_OFFSET = 5.0  # score of no amplitude at all, negated: the largest value of noise is about six of its scales
# Candidates for the logarithm of a response's size, and for the share of trials with a response.
_MEANS = np.linspace(1.8, 6.4, 9)
_USUAL_MEAN = (3.0, 1.5)
_SPREADS = np.array([0.7, 1.0, 1.3])
_SHARES = np.array([0.01, 0.05, 0.15, 0.3, 0.45, 0.6, 0.75, 0.87, 0.95, 0.99])
_NODES = 48
_HIGHEST_SCORE = 1e9
_CERTAIN_SCORE = 80.0  # from which no share of responses leaves a doubt that a number could hold
_LAST_PLACE = float(np.log(_CERTAIN_SCORE + _OFFSET))
_LEAST_SIZE = 0.1  # of the middle of noise
_PRIOR_QUANTILES = 60.0
_MEDIAN = 0.36651  # of a standard Gumbel variable
_UPPER_TENTH = 2.25037
_LOWER = (0.9, 0.75)  # share of windows beyond the knots below the middle
_LEAST_BEYOND = 6  # windows beyond the last knot
_PRIOR_BETWEEN = 4.0  # windows that the general shape counts as between two knots
_ODD_TRIALS = 2  # trials that may be out of the ordinary without telling anything about the others
_ODD = 8.0  # upper quartiles above the median, which one window of noise in two thousand exceeds


@dataclass(frozen=True)
class Extremes:
    """Distribution of the largest value of noise: straight lines between knots on Gumbel paper."""

    values: np.ndarray
    scores: np.ndarray
    first_scale: float
    last_scale: float

    def score(self, values: np.ndarray) -> np.ndarray:
        """Values on the scale on which noise is a standard Gumbel variable."""
        below = (values - self.values[0]) / self.first_scale
        above = (values - self.values[-1]) / self.last_scale
        return np.interp(values, self.values, self.scores) + np.minimum(below, 0.0) + np.maximum(above, 0.0)

    def value(self, scores: np.ndarray) -> np.ndarray:
        """Values that have the scores."""
        below = np.minimum(scores - self.scores[0], 0.0) * self.first_scale
        above = np.maximum(scores - self.scores[-1], 0.0) * self.last_scale
        return np.interp(scores, self.scores, self.values) + below + above


def learn_extremes(
    values: np.ndarray, *, prior_spread: float, longer: float = 1.0, n_trials: int | None = None
) -> Extremes:
    """Learn the distribution of the largest value of noise from windows without response.

    Motor units or heart beats in part of the windows make a second hump far out, which no simple shape has: with
    enough windows their own quantiles are the distribution, and few windows lean on the Gumbel shape.

    Parameters
    ----------
    values : array
        Largest values of windows without response.
    prior_spread : float
        Standard deviation expected of them; few windows lean on it.
    longer : float
        How many times longer the window is in which a response is sought.
    n_trials : int, optional
        Trials the windows come from: first one window of each, then the next of each. By default each is a trial.

    Returns
    -------
    Extremes
    """
    values, ordered = _without_odd_trials(values, prior_spread, n_trials)
    n = values.size
    mean = float(values.sum()) / n
    apart = values - mean
    squares = float(apart @ apart) + _PRIOR_WINDOWS * prior_spread**2
    scale = math.sqrt(6.0 * squares / (n + _PRIOR_WINDOWS)) / math.pi
    # With many windows their quantiles are known better than any shape fitted to all of them.
    own = n / (n + _PRIOR_QUANTILES)
    middle, upper = quantile_of(ordered, 0.5), quantile_of(ordered, 0.9)
    scale = own * max((upper - middle) / (_UPPER_TENTH - _MEDIAN), 0.3 * scale) + (1.0 - own) * scale
    mode = own * (middle - _MEDIAN * scale) + (1.0 - own) * (mean - _EULER * scale)
    # Knots where half, a quarter, an eighth ... of the windows lie beyond, and some below the middle: so few that
    # numbers take less time than arrays.
    low = [share for share in _LOWER if n * (1.0 - share) >= _LEAST_BEYOND]
    beyond = low + [0.5**k for k in range(1, max(int(math.log2(n / _LEAST_BEYOND)), 1) + 1)]
    at = [quantile_of(ordered, 1.0 - share) for share in beyond]
    scores = [-math.log(-math.log1p(-share)) for share in beyond]
    knots = [0.0]
    for k in range(len(beyond) - 1):
        between = n * (beyond[k] - beyond[k + 1])
        step = between * (at[k + 1] - at[k]) + _PRIOR_BETWEEN * scale * (scores[k + 1] - scores[k])
        knots.append(knots[-1] + step / (between + _PRIOR_BETWEEN))
    first = (knots[1] - knots[0]) / (scores[1] - scores[0]) if low else scale
    values_at = np.array(knots) + (mode + _MEDIAN * scale - knots[len(low)])
    rest = ordered[np.searchsorted(ordered, values_at[-1], side="right") :] - values_at[-1]
    last = (float(rest.sum()) + _PRIOR_BETWEEN * scale) / (rest.size + _PRIOR_BETWEEN)
    return Extremes(values_at, np.array(scores) - math.log(longer), first, max(last, 0.8 * scale))


def _without_odd_trials(values: np.ndarray, prior_spread: float, n_trials: int | None) -> tuple[np.ndarray, np.ndarray]:
    """A burst of voluntary activity in one or two trials must not hide the responses of all: their values, clipped.

    With them, the same sorted.
    """
    ordered = np.sort(values, axis=None)
    middle, upper = quantile_of(ordered, 0.5), quantile_of(ordered, 0.75)
    most = middle + _ODD * max(upper - middle, 0.1 * prior_spread)
    if ordered[-1] <= most:
        return values, ordered
    table = values.reshape(-1, n_trials or values.size).copy()
    odd = np.argsort(-table.max(axis=0), kind="stable")[:_ODD_TRIALS]
    table[:, odd] = np.minimum(table[:, odd], most)
    return table.ravel(), np.sort(table, axis=None)


def p_value_of(score: np.ndarray) -> np.ndarray:
    """Probability that noise alone reaches the score."""
    return -np.expm1(-np.exp(-np.maximum(score, -30.0)))


def joint_score(one: np.ndarray, other: np.ndarray, share: float) -> np.ndarray:
    """Score of two searches in one trial: the harmonic mean of their p values, ``share`` the weight of ``other``.

    The two searches see the same noise; the harmonic mean keeps small p values small whatever their dependence,
    where the smaller of two would have to be paid for as if they were independent.
    """
    both = np.logaddexp(_surprise(one) + np.log1p(-share), _surprise(other) + np.log(share))
    exact = -np.log(-np.log1p(-np.exp(-np.clip(both, 1e-12, 30.0))))
    return np.where(both > 30.0, both, exact)


def _surprise(score: np.ndarray) -> np.ndarray:
    """Minus the logarithm of the p value."""
    return np.where(score > 30.0, score, -np.log(p_value_of(np.minimum(score, 30.0))))


def probability_of(score: np.ndarray, contrast: Extremes) -> np.ndarray:
    """Probability that a response is present, given the scores of all trials of the recording.

    The score of noise is a standard Gumbel variable. With a response the score is the larger of that and of the
    response's own. The logarithm of the response's size is normal, not that of its score: where single motor units
    fill a range of sizes, many scores lie close together in size, and few responses are to be expected there. How large
    responses are and how many trials hold one is learnt from the trials; where these leave it open (few trials,
    responses lost in muscle activity) the probability is the average over what it may be.

    Parameters
    ----------
    score : array, shape (n_trials,)
    contrast : Extremes
        Tells the size of the contrast that alone would have the score.
    """
    score = np.clip(score, 0.2 - _OFFSET, _HIGHEST_SCORE)
    places = np.linspace(np.log(min(score.min(), 0.9 * _CERTAIN_SCORE) + _OFFSET), _LAST_PLACE, _NODES)
    half = 0.5 * (places[1] - places[0])
    nodes = np.exp(places) - _OFFSET
    between = np.exp(np.append(places - half, places[-1] + half)) - _OFFSET
    slope = np.maximum(np.diff(_log_size(between, contrast)) / np.diff(between), 1e-9)
    log_prior = -0.5 * ((_MEANS - _USUAL_MEAN[0]) / _USUAL_MEAN[1]) ** 2
    size, node_size = _log_size(score, contrast), _log_size(nodes, contrast)
    return responses_among(score, size, nodes, node_size, slope, _MEANS, _SPREADS, _SHARES, log_prior, _CERTAIN_SCORE)


def _log_size(score: np.ndarray, contrast: Extremes) -> np.ndarray:
    """Logarithm of the contrast of each score, in scales of noise: half of the noise lies below ``_OFFSET`` of them."""
    middle = max(float(contrast.value(np.array([_MEDIAN]))[0]), contrast.first_scale)
    return np.log((_OFFSET + _MEDIAN) * np.maximum(contrast.value(score) / middle, _LEAST_SIZE))
