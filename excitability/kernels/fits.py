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
def responses_among(score, size, node_score, node_size, slope, means, spreads, shares, log_prior, certain):
    """Probability of a response for each score, averaged over what the responses of a recording may be like.

    Without a response the score is a standard Gumbel variable; with one it is the larger of that and of the
    response's own, whose size has a normal logarithm. Mean and standard deviation of that and the share of trials with
    a response are weighted by how well they explain all scores.

    Parameters
    ----------
    score : array, shape (n_trials,)
    size : array, shape (n_trials,)
        Logarithm of the size of a response that has this score.
    node_score, node_size : array, shape (n_nodes,)
        The same for scores, from the smallest to ``certain``, between which straight lines are drawn.
    slope : array, shape (n_nodes,)
        Derivative of ``node_size`` with respect to the score.
    means, spreads, shares : array
        Candidates.
    log_prior : array, shape (n_means,)
    certain : float
        Score from which a trial holds a response whatever the others do.
    """
    n, n_nodes = score.size, node_score.size
    node, beyond = np.empty(n, np.int64), np.empty(n)
    count = np.zeros(n_nodes)
    n_sure, sure_sum, sure_squares = 0, 0.0, 0.0
    for i in range(n):
        if score[i] >= certain:
            n_sure += 1
            sure_sum += size[i]
            sure_squares += size[i] ** 2
            continue
        left = min(max(np.searchsorted(node_score, score[i]) - 1, 0), n_nodes - 2)
        part = (score[i] - node_score[left]) / (node_score[left + 1] - node_score[left])
        node[i], beyond[i] = left, part
        count[left] += 1.0 - part
        count[left + 1] += part
    ratio = np.empty((means.size * spreads.size, n_nodes))
    weight = np.empty((means.size * spreads.size, shares.size))
    for a in range(means.size):
        for b in range(spreads.size):
            mean, spread, k = means[a], spreads[b], a * spreads.size + b
            sure = sure_squares - 2.0 * mean * sure_sum + n_sure * mean * mean
            sure = -0.5 * sure / (spread * spread) - n_sure * math.log(spread)
            for j in range(n_nodes):
                deviation = (node_size[j] - mean) / spread
                density = math.exp(-0.5 * deviation * deviation) * slope[j] / (spread * math.sqrt(2.0 * math.pi))
                # f·G + F·g over g, for a noise density g with distribution G: G/g = exp(z).
                own = max(density, 1e-12) * math.exp(node_score[j])
                ratio[k, j] = own + 0.5 * math.erfc(-deviation / math.sqrt(2.0))
            for c in range(shares.size):
                total = log_prior[a] + sure + n_sure * math.log(shares[c])
                for j in range(n_nodes):
                    if count[j] > 0.0:
                        total += count[j] * math.log(shares[c] * ratio[k, j] + 1.0 - shares[c])
                weight[k, c] = total
    weight = np.exp(weight - weight.max())
    weight /= weight.sum()
    curve = np.zeros(n_nodes)
    for k in range(ratio.shape[0]):
        for c in range(shares.size):
            if weight[k, c] > 1e-7:
                for j in range(n_nodes):
                    with_one = shares[c] * ratio[k, j]
                    curve[j] += weight[k, c] * with_one / (with_one + 1.0 - shares[c])
    posterior = np.ones(n)
    for i in range(n):
        if score[i] < certain:
            left = node[i]
            posterior[i] = min(curve[left] + beyond[i] * (curve[left + 1] - curve[left]), 1.0)
    return posterior
