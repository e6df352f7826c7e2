"""Extremes of noise: the Gumbel distribution of a largest value, learnt from pre-stimulus windows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..kernels.fits import responses_among
from ._windows import quantiles

_EULER = 0.5772156649
_PRIOR_WINDOWS = 12.0  # the general shape of the extremes counts as this many pre-stimulus windows
_OFFSET = 5.0  # score of no amplitude at all, negated: the largest value of noise is about six of its scales
_RESPONSE_SCORE = (3.2, 1.1**2)  # of the logarithm of a response's score: mean and variance to start from
_PRIOR_TRIALS = 4.0  # and the trials they count as
_HIGHEST_SCORE = 1e9
_CERTAIN_SCORE = 80.0  # from which no share of responses leaves a doubt that a number could hold
_ITERATIONS = 40
_PRIOR_QUANTILES = 60.0
_AT_MEDIAN = 0.36651  # quantiles of a standard Gumbel variable
_AT_TAIL = 2.25037
_TAIL = 0.1  # share of the windows that make the tail
_PRIOR_BEYOND = 4.0  # windows in the tail that the general shape counts as


@dataclass(frozen=True)
class Extremes:
    """Distribution of the largest value of noise: Gumbel, with its own exponential tail beyond ``tail_from``."""

    mode: float
    scale: float
    tail_from: float
    tail_scale: float

    def score(self, values: np.ndarray) -> np.ndarray:
        """Values on the scale on which noise is a standard Gumbel variable."""
        body = (values - self.mode) / self.scale
        edge = (self.tail_from - self.mode) / self.scale
        return np.where(values > self.tail_from, edge + (values - self.tail_from) / self.tail_scale, body)


def learn_extremes(values: np.ndarray, *, prior_spread: float, longer: float = 1.0) -> Extremes:
    """Learn the distribution of the largest value of noise from windows without response.

    Parameters
    ----------
    values : array
        Largest values of windows without response.
    prior_spread : float
        Standard deviation expected of them; few windows lean on it.
    longer : float
        How many times longer the window is in which a response is sought.

    Returns
    -------
    Extremes
    """
    # A burst of voluntary activity in a few windows must not hide the responses of all trials.
    middle, upper = quantiles(values, [0.5, 0.75])
    values = np.minimum(values, middle + 8.0 * max(upper - middle, 0.1 * prior_spread))
    mean = float(np.mean(values))
    squares = np.sum((values - mean) ** 2) + _PRIOR_WINDOWS * prior_spread**2
    scale = float(np.sqrt(6.0 * squares / (len(values) + _PRIOR_WINDOWS)) / np.pi)
    # With many windows their quantiles are known better than any shape fitted to all of them.
    own = len(values) / (len(values) + _PRIOR_QUANTILES)
    middle, upper = quantiles(values, [0.5, 1.0 - _TAIL])
    scale = own * max((upper - middle) / (_AT_TAIL - _AT_MEDIAN), 0.3 * scale) + (1.0 - own) * scale
    mode = own * (middle - _AT_MEDIAN * scale) + (1.0 - own) * (mean - _EULER * scale)
    # Noise of muscle has heavier tails than that of amplifiers: the largest tenth say how heavy.
    tail_from = mode + scale * _AT_TAIL
    beyond = values[values > tail_from] - tail_from
    tail_scale = float((beyond.sum() + _PRIOR_BEYOND * scale) / (beyond.size + _PRIOR_BEYOND))
    shift = scale * float(np.log(longer))
    return Extremes(mode + shift, scale, tail_from + shift, max(tail_scale, 0.8 * scale))


def p_value_of(score: np.ndarray) -> np.ndarray:
    """Probability that noise alone reaches the score."""
    return -np.expm1(-np.exp(-np.maximum(score, -30.0)))


def best_of_two(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Score of the stronger of two searches, paid for with a doubled p value."""
    doubled = np.minimum(2.0 * p_value_of(np.maximum(one, other)), 1.0 - 1e-12)
    with np.errstate(divide="ignore"):
        exact = -np.log(-np.log1p(-np.maximum(doubled, 1e-300)))
    return np.where(np.maximum(one, other) > 30.0, np.maximum(one, other) - np.log(2.0), exact)


def probability_of(score: np.ndarray) -> np.ndarray:
    """Probability that a response is present, given the scores of all trials of the recording.

    The score of noise is a standard Gumbel variable. With a response the score is the larger of that and of
    the response's own, whose logarithm is normal; its mean and spread and the share of responses are learnt from
    the trials (expectation maximisation), starting from and held near wide guesses.
    """
    return responses_among(
        np.clip(score, 0.2 - _OFFSET, _HIGHEST_SCORE),
        _OFFSET,
        *_RESPONSE_SCORE,
        _PRIOR_TRIALS,
        _CERTAIN_SCORE,
        _ITERATIONS,
    )
