"""The recording's own clear responses as a matched filter: small responses are found, and timed, by their likeness.

The clear responses are aligned, first at their onsets, then with their average, and averaged. A small first phase that
noise hides in single trials shows in their median: read at the noise of each trial, it says how late that trial's edge
seems. Around the usual latency every trial is compared with the average, in the colour of the recording's noise; the
same comparison before the pulse says how much likeness noise has. Where the responses of a recording do not resemble
one another, nothing is used.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np

from ..kernels.likeness import aligned, best_lag, toeplitz_solution
from ._detection import Null, stretches_apart
from ._edges import Smoothing, edges_of
from ._extremes import learn_extremes
from ._onset import onset_from_edge
from ._windows import middle, rows_of

_CLEAR_SIZE = 8.0  # peak-to-peak amplitude over the noise from which a response may teach
_CLEAR_SCORE = 10.0
_LEAST_CLEAR = 6
_MOST_CLEAR = 64
_LIKENESS = 0.75  # median correlation of the clear responses with their average, below which it is not used
_BEFORE = 0.001  # s of the template before the onset
_LONGEST = 0.025
_COLOUR_TRIALS = 50  # that tell the colour of the noise
_LEAST_SPREAD = 0.003  # s on each side of the usual onset that is searched
_LEAST_ERROR = 0.05  # samples
_DOUBT = 1.5  # small responses differ more from the clear ones than these from one another
_HIDDEN = 0.0004  # s; lateness of a hidden first phase
_FARTHEST = 0.002  # s before the edge that less noise may reveal at a step; what stands apart is no part of it
_ENOUGH = 0.97  # share of the template's energy that is compared
_TURNS = 2  # times the responses are aligned with their average
_LEAD = 0.014  # s before the usual onset that are averaged too: a small first phase may hide there
_EARLY = 0.008
_EARLY_SHARE = 0.15  # of the template's energy, in the part that times responses beside the whole
_EARLY_LENGTH = 0.002  # s after the onset that it comprises at least
_NEAR = 0.0015  # s around the place of the whole where it is searched
_RATIOS = np.array([7.0, 10.0, 14.0, 20.0, 28.0, 40.0, 56.0, 80.0, 112.0, 160.0, 300.0])


@dataclass(frozen=True)
class Likeness:
    """Score of each trial (standard Gumbel without response), its onset and standard error in samples.

    ``null_score`` is that of the stretches before the pulse, shape (n_stretches, n_null); ``late`` how much later than
    it is the onset seems where noise hides the beginning of the response; ``ratio`` peak-to-peak over noise;
    ``bursts`` whether the noise comes in bursts.
    """

    score: np.ndarray
    null_score: np.ndarray
    onset: np.ndarray
    error: np.ndarray
    late: np.ndarray
    ratio: np.ndarray
    n_clear: int
    bursts: bool


def _near(
    traces: np.ndarray, begin: np.ndarray, weights: np.ndarray, size: np.ndarray, step: float
) -> tuple[np.ndarray, np.ndarray]:
    """Where near ``begin`` the weighted sum of each trace, over its size, is largest; peak, bend, NaN at the ends."""
    reach = max(2, round(_NEAR / step))
    fit = best_lag(aligned(traces, begin - reach, weights.size + 2 * reach, size), 0, 2 * reach + 1, weights)
    fit[(fit[:, 0] == 0) | (fit[:, 0] == 2 * reach), 1:] = np.nan
    return begin - reach + fit[:, 0], fit[:, 1:]


def _timing(peak: np.ndarray, bend: np.ndarray) -> np.ndarray:
    """Error of the lag of a matched filter, in samples, from its output over the noise; infinite without a peak.

    Cramér and Rao: 1 / (size over noise × bandwidth), the bandwidth from the bend at the peak.
    """
    return 1.0 / np.sqrt(np.maximum(-bend * np.maximum(peak, 1e-12), 1e-12))


@dataclass(frozen=True)
class Average:
    """The clear responses' average: ``taps`` of peak-to-peak amplitude near 1, and how its edge is read.

    ``usual`` is the sample at which the taps begin in most trials; from there, the response ``begins``, and seems
    to begin at ``seen`` in the noise of each of ``_RATIOS``. ``early`` are the first taps, of responses aligned by
    them, since later phases do not keep their distance from the onset.
    """

    taps: np.ndarray
    usual: float
    seen: np.ndarray
    begins: float
    early: np.ndarray


def _average(
    traces: np.ndarray,
    onset: np.ndarray,
    end: np.ndarray,
    size: np.ndarray,
    loud: np.ndarray,
    quiet: np.ndarray,
    search: int,
    how: Smoothing,
) -> Average | None:
    """Average of the aligned clear responses; None where they differ. ``quiet`` is what each held before the pulse."""
    step = how.step
    usual = float(middle(onset))
    near = np.abs(onset - usual) < 0.005 / step
    if near.sum() < _LEAST_CLEAR:
        return None
    before = round(_BEFORE / step)
    length = min(float(middle(end[near] - onset[near])) + before, _LONGEST / step)
    n_taps = int(before + max(length, 0.005 / step))
    n_taps = min(n_taps, int(traces.shape[1] - usual))
    if n_taps < 8:
        return None
    rows, begin, size = traces[near], onset[near] - before, size[near]
    reach = max(2, n_taps // 8)
    for _ in range(_TURNS):
        mean = aligned(rows, begin, n_taps, size).mean(axis=0)
        stretches = aligned(rows, begin - reach, n_taps + 2 * reach, size)
        begin = begin - reach + best_lag(stretches, 0, 2 * reach + 1, mean - mean.mean())[:, 0]
    parts = aligned(rows, begin, n_taps, size)
    mean = parts.mean(axis=0)
    likeness = (parts @ mean) / np.sqrt(np.maximum(np.einsum("ij,ij->i", parts, parts) * (mean @ mean), 1e-300))
    if not middle(likeness) > _LIKENESS:
        return None
    energy = np.cumsum(mean**2)
    taps = mean[: max(int(np.searchsorted(energy, _ENOUGH * energy[-1])) + 1, 8)]
    n_early = int(max(np.searchsorted(energy, _EARLY_SHARE * energy[-1]) + 1, (_BEFORE + _EARLY_LENGTH) / step, 8))
    early = taps[:n_early]
    begin, _ = _near(rows, begin, early - early.mean(), size, step)
    early = aligned(rows, begin, early.size, size).mean(axis=0)
    usual = float(middle(begin))
    lead = int(min(_LEAD / step, usual))
    whole = middle(aligned(rows, begin - lead, lead + n_taps, size))
    # The response may begin before the phase that most trials show, but not before the window.
    inside = max(lead - int(_EARLY / step), lead - int(usual) + search, 1)
    span = float(np.ptp(whole[lead:]))
    noise = 1.25 * float(np.linalg.norm(loud[near] / size)) / len(rows)  # 1.25: of a median
    # What the artefact leaves is alike in all trials, and so is a wave that keeps step with the pulses (mains).
    locked = float(np.std(middle(quiet[near] / size[:, None])))
    ratio = span / max(noise, locked, float(np.std(whole[:inside])), 1e-300)
    ratios = np.append(np.minimum(_RATIOS, ratio), ratio)
    copies = np.repeat(whole[None], ratios.size, axis=0)
    read, _ = onset_from_edge(edges_of(copies, inside, np.full(ratios.size, span), span / ratios, how))
    read = _connected(read, int(np.searchsorted(_RATIOS, middle(size / loud[near]))), _FARTHEST / step)
    return Average(taps, usual, read[:-1] - lead, float(read[-1]) - lead, early)


def _connected(read: np.ndarray, first: int, farthest: float) -> np.ndarray:
    """Onsets of the average in falling noise, without a step far ahead: background that did not average out, or a tail.

    Judged is less noise than the trials have, from ``first`` on. True first phases, however small, lie within 1.3 ms
    of the edge that noise leaves (1 of 670 recordings of four constructions had a farther step, and it was wrong).
    """
    apart = first + np.flatnonzero(np.diff(read[first:]) < -farthest)
    if not apart.size:
        return read
    last = int(apart[0])
    return np.append(read[: last + 1], np.full(read.size - last - 1, read[last]))


@functools.lru_cache(maxsize=64)
def _smooth_number(least: int) -> int:
    """The smallest number from ``least`` on that has no prime factor above 5: a length of fast transforms."""
    found = 1 << (least - 1).bit_length()
    five = 1
    while five < found:
        three = five
        while three < found:
            found = min(found, three << (-(-least // three) - 1).bit_length())
            three *= 3
        five *= 5
    return found


def _covariance(noise: np.ndarray, n_lags: int) -> np.ndarray:
    """Mean covariance of these rows at the first lags."""
    n = noise.shape[1]
    n_padded = _smooth_number(n + n_lags)
    spectrum = np.fft.rfft(noise - noise.mean(axis=1, keepdims=True), n_padded, axis=1)
    power = np.mean(spectrum.real**2 + spectrum.imag**2, axis=0)
    # Lags beyond a third of the baseline are hardly known; a taper keeps the matrix positive.
    return np.asarray(np.fft.irfft(power, n_padded)[:n_lags] / n * np.exp(-((np.arange(n_lags) / (0.4 * n)) ** 2)))


def _whitened(template: np.ndarray, covariance: np.ndarray) -> tuple[np.ndarray, float]:
    """Weights of the matched filter in noise of this covariance, and their standard deviation on it."""
    covariance = covariance[: template.size].copy()
    # a recording without noise (made by hand, or coarsely quantised) has none to whiten by: white noise far below any
    covariance[0] += (1e-6 * np.abs(template).max()) ** 2 if covariance[0] <= 0 else 0.0
    ridge = covariance.copy()
    ridge[0] *= 1.1
    weights = toeplitz_solution(ridge, template)
    own = np.correlate(weights, weights, "full")[template.size - 1 :]
    return weights, float(np.sqrt(2.0 * (own @ covariance) - own[0] * covariance[0]))


def _null(
    rows: np.ndarray, noise: np.ndarray, usual: float, weights: np.ndarray, n_lags: int, slope: float, step: float
) -> np.ndarray:
    """Largest likeness in stretches before the pulse, (n_stretches, n_trials), over the noise expected there.

    Each is judged by noise as far apart from it as that of a trial is from its window.
    """
    length = weights.size + n_lags - 1
    begins, guard = stretches_apart(rows.shape[1], length, step)
    null = np.empty((len(begins), noise.size))
    for k, begin in enumerate(begins):
        first, last = max(begin - guard, 0), min(begin + length + guard, rows.shape[1])
        rest = sum(np.einsum("ij,ij->i", part, part) for part in (rows[:, :first], rows[:, last:]))
        level = noise * np.sqrt(rest / max(rows.shape[1] - last + first, 1) + 1e-12)
        peak = best_lag(rows, begin, n_lags, weights)[:, 1]
        null[k] = peak * noise / (usual * (level / middle(level)) ** slope)
    return null


def _lateness(learnt: Average, ratio: np.ndarray, clear: np.ndarray, seen: np.ndarray, least: float) -> np.ndarray:
    """How much later than it is each onset seems, in samples.

    ``seen`` is where the onsets of the clear responses seem to be, from their beginnings. Where that is sooner than
    the average says, its first phase is small only because the phases do not keep their distances: less is hidden.
    """
    late = np.interp(ratio, _RATIOS, learnt.seen - learnt.begins)
    sooner = seen - np.interp(ratio[clear], _RATIOS, learnt.seen)
    less = float(middle(sooner))
    sure = 1.4826 * float(middle(np.abs(sooner - less))) / np.sqrt(clear.size)
    return np.where(late > 0, np.clip(late + less, 0.0, None), late) if less < -max(2.0 * sure, least) else late


def _calibrated(
    place: np.ndarray, timing: np.ndarray, clear: np.ndarray, onset: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Onsets from places of the template, by the known ones of the clear responses, and their errors, in samples."""
    difference = onset - place[clear]
    usual = middle(difference)
    own = 1.4826 * middle(np.abs(difference - usual))
    return place + usual, np.sqrt(timing**2 + (_DOUBT * own) ** 2 + _LEAST_ERROR**2)


def likeness(
    x: np.ndarray,
    baseline: tuple[np.ndarray, np.ndarray],
    traces: np.ndarray,
    search: int,
    score: np.ndarray,
    onset: np.ndarray,
    end: np.ndarray,
    size: np.ndarray,
    noise: np.ndarray,
    loud: np.ndarray,
    before_pulse: Null,
    how: Smoothing,
) -> Likeness | None:
    """Compare every trial with the recording's clear responses; None where there are too few, or they differ.

    Parameters
    ----------
    x, traces : array, shape (n_trials, …)
        Recorded trials; the part after the pulse without artefact.
    baseline : tuple of array of int
        First sample of the noise of each trial and the one after its last.
    search : int
        Sample of ``traces`` where the window begins.
    score, onset, end : array, shape (n_trials,)
        Evidence, onset and end (samples of ``traces``) found so far.
    size, noise : array, shape (n_trials,)
        Peak-to-peak amplitude, and standard deviation of the noise.
    loud : array, shape (n_trials,)
        The same, with what remains of an artefact.
    before_pulse : Null
        The search so far, before the pulse.
    how : Smoothing
        Of the edges, as those of the trials were read.
    """
    step = how.step
    ratio = size / loud
    clear = np.flatnonzero((score > _CLEAR_SCORE) & (ratio > _CLEAR_SIZE) & np.isfinite(onset + end))
    if clear.size < _LEAST_CLEAR:
        return None
    # The largest teach: their onsets are the least disturbed.
    count = min(max(2 * _LEAST_CLEAR, clear.size // 2), _MOST_CLEAR)
    clear = clear[np.argsort(-ratio[clear], kind="stable")[:count]]
    shortest = int(np.min(baseline[1] - baseline[0]))
    rows = rows_of(x, clear, baseline[0], shortest)
    learnt = _average(traces[clear], onset[clear], end[clear], size[clear], loud[clear], rows, search, how)
    if learnt is None:
        return None
    template, usual = learnt.taps, learnt.usual
    spread = 1.4826 * float(middle(np.abs(onset[clear] - middle(onset[clear]))))
    reach = int(np.ceil(max(_LEAST_SPREAD / step, 4.0 * spread)))
    first = max(int(max(usual - reach, search - round(_BEFORE / step))), 0)
    n_lags = int(min(usual + reach, traces.shape[1] - template.size)) - first + 1
    if n_lags < 3 or shortest < template.size + n_lags:
        return None
    quiet = before_pulse.trials
    rows = rows_of(x, quiet, baseline[0], shortest)
    rows -= rows.mean(axis=1, keepdims=True)
    rows /= noise[quiet, None]
    covariance = _covariance(rows[:: max(1, len(rows) // _COLOUR_TRIALS)], template.size)
    weights, deviation = _whitened(template, covariance)
    usual_noise = float(middle(noise))
    null = _null(rows, noise[quiet], usual_noise, weights, n_lags, before_pulse.slope, step)
    null = null[-len(before_pulse.begins) :]  # the stretches that tell
    level = usual_noise * (noise / usual_noise) ** before_pulse.slope
    level = np.where(loud > noise, np.fmax(loud, level), level)
    lag, peak, bend = best_lag(traces, first, n_lags, weights).T
    peak, bend = peak / (deviation * level), bend / (deviation * level)
    extremes = learn_extremes((null / deviation).ravel(), prior_spread=0.6, n_trials=quiet.size)
    place = first + lag
    late = _lateness(learnt, ratio, clear, onset[clear] - place[clear], _HIDDEN / step)
    known = (onset - late)[clear]
    whole, error = _calibrated(place, _timing(peak, bend), clear, known)
    # Of the whole template and its early part, the one that tells more is used, trial by trial.
    early_weights, early_deviation = _whitened(learnt.early, covariance)
    early, fit = _near(traces, place, early_weights, early_deviation * level, step)
    early, early_error = _calibrated(early, _timing(*fit.T), clear, known)
    better = early_error < error
    place, error = np.where(better, early, whole), np.where(better, early_error, error)
    # A trial that shows what noise hides in others of its size is not late.
    late = np.where((np.abs(late) > _HIDDEN / step) & (np.abs(onset - place) < np.abs(onset - late - place)), 0.0, late)
    null_score = extremes.score(null / deviation)
    return Likeness(extremes.score(peak), null_score, place, error, late, ratio, clear.size, how.bursts)
