"""Fitted forms taken away from traces, and the iteration that tells responses from noise: loops over a few numbers."""

from __future__ import annotations

import math

import numpy as np

from ._jit import njit


@njit
def take_forms(traces, begin, trials, which, weights, forms):
    """Subtract one pair of forms from each of ``trials``, in place.

    Parameters
    ----------
    traces : array, shape (n_trials, n_samples)
    begin : int
        Sample of the traces at which the forms begin; they reach to the last.
    trials, which : array of int, shape (n_taken,)
        Rows of ``traces``, each once, and the pair that each loses.
    weights : array, shape (2, n_taken)
    forms : array, shape (2, n_forms, n_samples - begin)
    """
    for k in range(trials.size):
        one, other = weights[0, k], weights[1, k]
        if one == 0.0 and other == 0.0:
            continue
        row, first, second = traces[trials[k], begin:], forms[0, which[k]], forms[1, which[k]]
        for j in range(row.size):
            row[j] -= one * first[j] + other * second[j]


@njit
def responses_among(score, offset, mean, variance, prior_trials, certain, n_iterations):
    """Probability of a response for each score: a mixture fitted by expectation maximisation.

    Without a response the score is a standard Gumbel variable; with one it is the larger of that and of the
    response's own, whose logarithm (of ``offset`` + score) is normal.

    Parameters
    ----------
    score : array, shape (n_trials,)
        Above ``-offset``.
    offset : float
        Score that an amplitude of 0 has, negated: the sum is in proportion to the amplitude.
    mean, variance : float
        Of the logarithm of a response's score, to start from; they count as ``prior_trials`` trials.
    prior_trials : float
    certain : float
        Score from which a trial holds a response whatever the others do.
    n_iterations : int
    """
    n = score.size
    logarithm = np.empty(n)
    posterior = np.empty(n)
    doubtful = np.empty(n, np.int64)
    n_doubtful = 0
    sure_sum = 0.0
    for i in range(n):
        logarithm[i] = math.log(score[i] + offset)
        posterior[i] = 1.0
        if score[i] > certain:
            sure_sum += logarithm[i]
        else:
            doubtful[n_doubtful] = i
            n_doubtful += 1
    n_sure = n - n_doubtful
    sure_mean = sure_sum / max(n_sure, 1)
    sure_squares = 0.0
    for i in range(n):
        if score[i] > certain:
            sure_squares += (logarithm[i] - sure_mean) ** 2
    share, start_mean, start_variance = 0.5, mean, variance
    for _ in range(n_iterations):
        total, first = float(n_sure), sure_sum
        deviation_of = math.sqrt(variance)
        for k in range(n_doubtful):
            i = doubtful[k]
            deviation = (logarithm[i] - mean) / deviation_of
            density = math.exp(-0.5 * deviation * deviation - logarithm[i]) / math.sqrt(2.0 * math.pi * variance)
            # f·G + F·g over g, for a noise density g with distribution G: G/g = exp(z).
            ratio = max(density, 1e-12) * math.exp(score[i]) + 0.5 * math.erfc(-deviation / math.sqrt(2.0))
            posterior[i] = share * ratio / (share * ratio + 1.0 - share)
            total += posterior[i]
            first += posterior[i] * logarithm[i]
        share = (1.0 + total) / (2.0 + n)
        mean = (prior_trials * start_mean + first) / (prior_trials + total)
        squares = sure_squares + n_sure * (sure_mean - mean) ** 2
        for k in range(n_doubtful):
            i = doubtful[k]
            squares += posterior[i] * (logarithm[i] - mean) ** 2
        variance = (prior_trials * start_variance + squares) / (prior_trials + total)
    return posterior
