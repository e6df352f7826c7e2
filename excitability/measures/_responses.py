"""Everything the MEP measures share, found once: noise, artefact, evidence, onset and end of every response."""

from __future__ import annotations

import weakref
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from ..kernels.edge import EDGE_COLUMNS
from ..kernels.windows import level, span
from ._artefact import without_artefact
from ._detection import Detection, detect, usual_place
from ._edges import edges_of, smoothing_of
from ._extremes import GUMBEL_SPREAD, joint_score, learn_extremes, p_value_of, probability_of
from ._onset import FRACTIONS, onset_from_edge, standard_error_of_edge, standard_error_of_two
from ._template import Likeness, likeness
from ._unchanged import mark_of
from ._windows import BASELINE, Window, baseline_samples, interval, window_samples

FALSE_POSITIVE_RATE = 0.005
_LEAST_PROBABILITY = 0.1  # of a response that has a latency: the few of noise among many trials that hold none have not
_LIKENESS_SHARE = 0.65  # weight of the likeness to clear responses beside the largest contrast
_LEAST_NOISE = 1e-4  # of the peak-to-peak amplitude
_LEAST_ERROR = 0.05  # samples; straight lines between them are no better
_UNSURE = 0.5  # share of what noise hides that may be wrong
_APART = 3.0  # standard errors between edge and likeness beyond which one of them is wrong
_QUIET = (12.0, 120.0)  # peak-to-peak over even noise, and over noise in bursts, from which an early edge is believed


@dataclass(frozen=True)
class Responses:
    """The response of every trial; times in s from the pulse, NaN where there is no response."""

    p_value: np.ndarray
    probability: np.ndarray
    present: np.ndarray
    onset: np.ndarray
    onset_error: np.ndarray
    end: np.ndarray
    base: np.ndarray
    noise: np.ndarray
    rectified_noise: np.ndarray
    artefact: np.ndarray
    traces: np.ndarray
    edges: np.ndarray


_LAST: list[tuple[Any, ...]] = []


#: Spans in volts between which a trial can be a signal at all.
SMALLEST, LARGEST = 1e-12, 1e6


def find_responses(
    x: np.ndarray,
    times: np.ndarray,
    window: Window,
    first_pulse: Any = 0.0,
    *,
    baseline: Window = BASELINE,
    false_positive_rate: float = FALSE_POSITIVE_RATE,
    name: str = "find_responses",
) -> Responses:
    """Search every trial for a response; the last search is remembered, since several measures share it."""
    first = np.broadcast_to(np.asarray(first_pulse, dtype=float), (len(x),))
    key = (tuple(window), tuple(baseline), float(false_positive_rate), first.tobytes(), times.tobytes())
    mark = mark_of(x, window_samples(times, window, name)[1])
    if _LAST and _LAST[0][0]() is x and _LAST[0][1] == key and _LAST[0][2] == mark:
        return _LAST[0][3]
    found = _search_usable(x, times, window, first, baseline, false_positive_rate, name)
    _LAST[:] = [(weakref.ref(x), key, mark, found)]
    return found


def _search_usable(
    x: np.ndarray,
    times: np.ndarray,
    window: Window,
    first: np.ndarray,
    baseline: Window,
    false_positive_rate: float,
    name: str,
) -> Responses:
    """Search the trials that hold a signal; the others are NaN throughout."""
    if not 0 < false_positive_rate < 1:
        raise ValueError(f"{name}: false_positive_rate is {false_positive_rate!r}; expected a number between 0 and 1")
    search, stop = window_samples(times, window, name)
    if len(x):
        quiet = baseline_samples(times, baseline, first, len(x), name)
        levels = level(x, *quiet)
        spans = span(x, search, stop)
        # squares of values beyond these overflow or vanish, and no amplifier gives them
        usable = (spans > SMALLEST) & (spans < LARGEST) & (np.abs(levels) < LARGEST).all(axis=1)
    else:
        usable = np.zeros(0, bool)
    if usable.all() and len(x):
        return _search(x, times, window, quiet, levels, spans, false_positive_rate)
    if not usable.any():
        nothing = np.full(len(x), np.nan)
        return Responses(
            *(nothing,) * 2,
            np.zeros(len(x), bool),
            *(nothing,) * 7,
            traces=np.full((len(x), stop - search), np.nan),
            edges=np.full((len(x), len(EDGE_COLUMNS) + len(FRACTIONS) + 2), np.nan),
        )
    quiet = (quiet[0][usable], quiet[1][usable])
    some = _search(x[usable], times, window, quiet, levels[usable], spans[usable], false_positive_rate)
    return Responses(*(_scatter(getattr(some, entry.name), usable) for entry in fields(Responses)))


def _scatter(values: np.ndarray, usable: np.ndarray) -> np.ndarray:
    """Values of the usable trials among all trials; the others are NaN, or False."""
    fill = False if values.dtype == bool else np.nan
    out = np.full((usable.size, *values.shape[1:]), fill, dtype=values.dtype)
    out[usable] = values
    return out


def _search(
    x: np.ndarray,
    times: np.ndarray,
    window: Window,
    quiet: tuple[np.ndarray, np.ndarray],
    levels: np.ndarray,
    spans: np.ndarray,
    false_positive_rate: float,
) -> Responses:
    """Search trials that all hold a signal; their noise, of ``levels``, is in ``quiet``."""
    step = interval(times)
    search, stop = window_samples(times, window, "find_responses")
    # A trace without any noise has the noise of its converter.
    noise = np.maximum(levels[:, 1], _LEAST_NOISE * spans)
    pulse = round(-times[0] / step)
    traces, start, residual = without_artefact(x, quiet, levels[:, 0], noise, pulse, search, stop, step)
    inside = search - start
    remains = np.where(np.isfinite(residual), int(inside * 0.4), -1)
    found = detect(x, quiet, traces, inside, remains, noise, step)
    # Landmarks are read wherever there may be a response; whether there is one is decided last.
    loud = np.fmax(noise, residual)
    size = span(traces, inside, traces.shape[1])
    smoothing = smoothing_of(x, quiet, noise, step)
    edges = edges_of(traces, inside, size, loud, smoothing)
    onset, error = onset_from_edge(edges)
    end = edges[:, 4]
    alike = likeness(x, quiet, traces, inside, found.score, onset, end, size, noise, loud, found.null, smoothing)
    if alike is None:
        error = standard_error_of_edge(edges, size / np.maximum(loud, 1e-300))
    else:
        onset, error = _combined(onset, error, alike)
    score = _all_evidence(found, alike, inside, traces.shape[1], step)
    p_value = p_value_of(score)
    probability = probability_of(score, found.extremes)
    present = (p_value <= false_positive_rate) & (probability >= _LEAST_PROBABILITY)
    at = np.maximum(times[0] + (start + onset) * step, float(window[0]))
    end = times[0] + (start + end) * step
    present &= end > at
    return Responses(
        p_value,
        probability,
        present,
        np.where(present, at, np.nan),
        np.where(present, error * step, np.nan),
        np.where(present, end, np.nan),
        levels[:, 0],
        noise,
        levels[:, 2],
        residual,
        traces,
        edges,
    )


def _all_evidence(found: Detection, alike: Likeness | None, begin: int, stop: int, step: float) -> np.ndarray:
    """Score of every trial from the largest contrast, its place and the likeness to clear responses.

    Whatever is combined is combined in the same way before the pulse, which tells what noise makes of it.
    """
    weight = usual_place(found, begin, stop, step)
    if weight is None:
        return found.score
    score = found.score + weight[found.at - begin]
    null = found.null.score + weight[found.null.at - begin]
    if alike is not None:
        score = joint_score(score, alike.score, _LIKENESS_SHARE)
        null = joint_score(null, alike.null_score, _LIKENESS_SHARE)
    extremes = learn_extremes(null.ravel(), prior_spread=GUMBEL_SPREAD, n_trials=null.shape[1])
    return extremes.score(score)


def _combined(onset: np.ndarray, error: np.ndarray, alike: Likeness) -> tuple[np.ndarray, np.ndarray]:
    """Onset by the edge and by likeness, each weighted by what is known of its error.

    Beyond their errors a late edge is one that has skipped a small first phase, and an early one in noise is noise: the
    likeness, which uses the whole response, decides. An early edge far above the noise is a phase that the others lack,
    unless a burst of a contraction may have joined it.
    """
    edge = onset - alike.late
    edge_error = np.sqrt(np.maximum(error, _LEAST_ERROR) ** 2 + (_UNSURE * alike.late) ** 2)
    edge_weight = 1.0 / edge_error**2
    like_weight = 1.0 / alike.error**2
    both = (edge_weight * edge + like_weight * alike.onset) / (edge_weight + like_weight)
    apart = (edge - alike.onset) / np.sqrt(edge_error**2 + alike.error**2)
    early = apart < -_APART
    lost = ~(apart <= _APART) | (early & (alike.ratio < _QUIET[int(alike.bursts)]))
    own = ~lost & early
    value = np.where(lost, alike.onset, np.where(own, edge, both))
    spread = np.where(lost, alike.error, np.where(own, edge_error, 1.0 / np.sqrt(edge_weight + like_weight)))
    disagreement = np.where(np.isfinite(edge), edge - alike.onset, 0.0)
    return value, standard_error_of_two(spread, disagreement, alike.n_clear)
