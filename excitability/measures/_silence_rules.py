"""The rules in use for beginning and end of a silent period: one function each, one table, defaults in the signatures.

Every rule is called as ``rule(emg, times, window=..., baseline=...)``, with further arguments of its own:
- ``emg``, (n_traces, n_times): RECTIFIED EMG in V, of trials or averages; ``times``, (n_times,): s from the pulse;
- ``window``: (start, stop) in s, or one such row a trace, shape (n_traces, 2), where the silence may lie; of single
  trials it begins with the later extreme of the response;
- ``baseline``: likewise, where the background is learnt.

It returns beginning and end of each silence, shape (n_traces, 2), in s; NaN where there is none, or where window or
baseline hold a NaN. An infinite end says that EMG is not back before the window's end. What papers give in samples is
in seconds. **Constants as commonly used; check your paper.** No rule tests whether the silence is more than chance.

>>> import functools
>>> from excitability.measures import silent_period
>>> from excitability.measures._silence_rules import threshold_fraction
>>> from excitability.simulate import silent_period_trials
>>> x, times, truth = silent_period_trials(5, background_rms=100e-6, seed=1)
>>> by_name = silent_period(x, times, method="threshold_fraction")
>>> earlier = silent_period(x, times, method=functools.partial(threshold_fraction, fraction=0.2))
>>> bool((abs(by_name - truth["silent_period"]) < 0.01).all()), bool((earlier <= by_name).all())
(True, True)
"""

from __future__ import annotations

import weakref
from typing import Any

import numpy as np

from ..kernels.onset import variance_change
from ..kernels.silence import silent_run
from ..kernels.windows import extremes, level
from ._named_rules import DEFAULT, Method, NamedRules, Rule
from ._silence import find_silences
from ._unchanged import mark_of
from ._windows import BASELINE, Window, baseline_samples, interval, window_samples

_NAMED = NamedRules(
    "silent period",
    "Quietest lasting stretch, then the expected moment at which activity begins to return; see silent_period.",
)
_rule = _NAMED.register
rule_of = _NAMED.find


def list_silent_period_methods() -> list[Method]:
    """Every ``method`` of :func:`~excitability.measures.silent_period`: name, reference and rule in words.

    Returns
    -------
    list of Method
        The default first; each has ``name``, ``reference``, ``rule`` and ``defaults`` (its own arguments, SI units).

    Examples
    --------
    >>> from excitability.measures import list_silent_period_methods
    >>> [method.name for method in list_silent_period_methods()]
    ['excitability', 'mcd', 'threshold_fraction', 'half_depth', 'sd', 'derivative', 'changepoint']
    """
    return _NAMED.listed(("emg", "times", "window", "baseline"))


def silences(
    x: np.ndarray,
    times: np.ndarray,
    window: Window,
    stop: float | None,
    first_pulse: Any,
    method: str | Rule,
    shortest: float,
) -> np.ndarray:
    """Beginning and end of the silence of each trial, (n_trials, 2) in s from the pulse, by any method.

    The end is infinite where the silence outlasts the search.
    """
    search, _ = window_samples(times, window, "silent_period")
    last = times.size if stop is None else window_samples(times, (float(window[0]), float(stop)), "silent_period")[1]
    quiet = baseline_samples(times, BASELINE, first_pulse, len(x), "silent_period")
    if method == DEFAULT:
        return _remembered(x, times, search, last, quiet, shortest)
    rule = rule_of(method)
    until = min(window_samples(times, window, "silent_period")[1], last)
    emg = np.abs(x - level(x, *quiet)[:, :1])
    later = np.maximum(extremes(x, np.full(len(x), search), np.full(len(x), until))[1].max(axis=1), search)
    limits = np.column_stack([times[np.minimum(later, last - 2)], np.full(len(x), times[last - 1])])
    background = np.column_stack([times[quiet[0]], times[quiet[1] - 1]])
    found = np.array(rule(emg, times, window=limits, baseline=background), dtype=float)
    if found.shape != (len(x), 2):
        raise ValueError(
            f"silent_period: method returned shape {found.shape} for {len(x)} trials; expected beginning and end of "
            f"each, shape ({len(x)}, 2)"
        )
    return found


_LAST: list[tuple[Any, ...]] = []


def _remembered(
    x: np.ndarray, times: np.ndarray, search: int, last: int, quiet: tuple[np.ndarray, np.ndarray], shortest: float
) -> np.ndarray:
    """The default search; the last one is remembered, since the measure, its flags and summaries share it."""
    limits = (search, last, float(shortest), times.tobytes(), quiet[0].tobytes(), quiet[1].tobytes())
    key = (limits, mark_of(x, times.size))
    for trials, known, found in _LAST:
        if trials() is x and known == key:
            return found.copy()
    found = find_silences(x, times, search, last, quiet, shortest)
    _LAST[:] = [(weakref.ref(x), key, found)]
    return found.copy()


class _Traces:
    """What the rules share: limits in samples, mean and spread of the background, which traces can be judged."""

    def __init__(self, emg: Any, times: Any, window: Any, baseline: Any, name: str) -> None:
        self.emg = np.ascontiguousarray(emg, dtype=float)
        self.times = np.asarray(times, dtype=float)
        self.step = interval(self.times)
        self.n = len(self.emg)
        self.start, self.stop = self._limits(window, name)
        self.quiet = self._limits(baseline, name)
        self.mean, self.deviation, _ = level(self.emg, *self.quiet).T.copy()
        clean = [np.isfinite(row[a:b]).all() for row, a, b in zip(self.emg, self.start, self.stop, strict=True)]
        self.usable = np.array(clean, dtype=bool) & np.isfinite(self.mean) & (self.mean > 0)
        self.emg = np.nan_to_num(self.emg)  # what is missing elsewhere must not spread with a moving average

    def _limits(self, span: Any, name: str) -> tuple[np.ndarray, np.ndarray]:
        rows = np.broadcast_to(np.asarray(span, dtype=float), (self.n, 2))
        pairs, where = np.unique(rows, axis=0, return_inverse=True)
        limits = np.array([window_samples(self.times, (a, b), name) for a, b in pairs], dtype=int).reshape(-1, 2)
        return tuple(np.ascontiguousarray(limits[where.ravel()].T))

    def samples(self, duration: float) -> int:
        """A duration in samples, at least one."""
        return max(1, round(duration / self.step))

    def smooth(self, duration: float) -> None:
        """Replace the traces by their moving average, and learn the background anew."""
        self.emg = moving_average(self.emg, self.samples(duration))
        self.mean, self.deviation, _ = level(self.emg, *self.quiet).T.copy()

    def find(self, limit: np.ndarray, fallback: float, below: float, above: float, share: float) -> np.ndarray:
        """Silences below a limit; ``fallback`` of the background's mean where the limit is not positive."""
        limit = np.where(limit > 0, limit, fallback * self.mean)
        return self.seconds(
            silent_run(self.emg, self.start, self.stop, limit, self.samples(below), self.samples(above), share)
        )

    def seconds(self, at: np.ndarray) -> np.ndarray:
        """Times of samples: NaN without a silence, infinite where its end is -1."""
        found = self.times[at]
        found[at[:, 1] < 0, 1] = np.inf
        found[(at[:, 0] < 0) | ~self.usable] = np.nan
        return found


def moving_average(traces: np.ndarray, width: int) -> np.ndarray:
    """Centred moving average over an odd number of samples; the ends are repeated."""
    width += 1 - width % 2
    padded = np.pad(traces, ((0, 0), (width // 2 + 1, width // 2)), mode="edge")
    summed = np.cumsum(padded, axis=1)
    return np.ascontiguousarray((summed[:, width:] - summed[:, :-width]) / width)


@_rule("after Garvey et al. 2001 (mean consecutive difference; run lengths vary between laboratories)")
def mcd(
    emg: Any,
    times: Any,
    window: Any,
    baseline: Any = BASELINE,
    *,
    factor: float = 2.66,
    fallback: float = 0.25,
    below: float = 0.001,
    above: float = 0.005,
    share: float = 0.5,
) -> np.ndarray:
    """Below the background's mean - ``factor`` MCD for ``below`` s, until ``share`` of the next ``above`` s is not.

    MCD is the mean absolute difference of consecutive samples of the background's rectified EMG; 2.66 MCD are three
    standard deviations of independent samples. Where that limit is not positive (single trials, low sampling rates),
    it is ``fallback`` times the mean. Made for rectified averages; it depends on the sampling rate.
    """
    traces = _Traces(emg, times, window, baseline, "mcd")
    differences = np.abs(np.diff(traces.emg, axis=1))
    start, stop = traces.quiet
    mean_difference = level(np.ascontiguousarray(differences), start, stop - 1)[:, 0]
    return traces.find(traces.mean - factor * mean_difference, fallback, below, above, share)


@_rule("in general use")
def threshold_fraction(
    emg: Any,
    times: Any,
    window: Any,
    baseline: Any = BASELINE,
    *,
    fraction: float = 0.5,
    smoothing: float = 0.005,
    below: float = 0.010,
    above: float = 0.005,
) -> np.ndarray:
    """Below ``fraction`` of the background's mean for ``below`` s, until it is above for ``above`` s.

    The rectified EMG is smoothed by a moving average of ``smoothing`` s. 20 to 50 % and 5 to 10 ms are in use.
    """
    traces = _Traces(emg, times, window, baseline, "threshold_fraction")
    traces.smooth(smoothing)
    return traces.find(fraction * traces.mean, fraction, below, above, 1.0)


@_rule("this package, for averages")
def half_depth(
    emg: Any,
    times: Any,
    window: Any,
    baseline: Any = BASELINE,
    *,
    smoothing: float = 0.005,
    floor: float = 0.010,
    below: float = 0.010,
    above: float = 0.010,
) -> np.ndarray:
    """Below the middle between the background's mean and the quietest ``floor`` s, for ``below`` s, until above it.

    It must stay above for ``above`` s. The rectified EMG is smoothed by a moving average of ``smoothing`` s.
    """
    traces = _Traces(emg, times, window, baseline, "half_depth")
    lowest = _quietest(traces, floor)[1]
    traces.smooth(smoothing)
    return traces.find((traces.mean + lowest) / 2, 0.5, below, above, 1.0)


@_rule("in general use")
def sd(
    emg: Any,
    times: Any,
    window: Any,
    baseline: Any = BASELINE,
    *,
    deviations: float = 2.0,
    fallback: float = 0.25,
    smoothing: float = 0.005,
    below: float = 0.010,
    above: float = 0.005,
) -> np.ndarray:
    """Below the background's mean - ``deviations`` SD for ``below`` s, until it is above for ``above`` s.

    Mean and SD are of the rectified EMG after a moving average of ``smoothing`` s; without one the limit is often
    negative. Where it is not positive, it is ``fallback`` times the mean.
    """
    traces = _Traces(emg, times, window, baseline, "sd")
    traces.smooth(smoothing)
    return traces.find(traces.mean - deviations * traces.deviation, fallback, below, above, 1.0)


@_rule("after Julkunen et al. 2013, PMID 23660523 (constants not seen)")
def derivative(
    emg: Any,
    times: Any,
    window: Any,
    baseline: Any = BASELINE,
    *,
    fraction: float = 0.5,
    smoothing: float = 0.005,
    below: float = 0.010,
    above: float = 0.005,
) -> np.ndarray:
    """As ``threshold_fraction``, of the absolute difference of consecutive samples of the rectified EMG."""
    slopes = np.abs(np.diff(np.asarray(emg, dtype=float), axis=1, append=np.asarray(emg, dtype=float)[:, -1:]))
    traces = _Traces(slopes, times, window, baseline, "derivative")
    traces.smooth(smoothing)
    return traces.find(fraction * traces.mean, fraction, below, above, 1.0)


@_rule("one change of log-variance; Killick et al. 2012, doi:10.1080/01621459.2012.737745")
def changepoint(
    emg: Any, times: Any, window: Any, baseline: Any = BASELINE, *, fraction: float = 0.5, floor: float = 0.020
) -> np.ndarray:
    """Cut with the least summed log-variance of the two parts, on either side of the quietest ``floor`` s.

    One cut lies between the window's start and the middle of the quietest stretch, one from there to its end. There is
    a silence when the stretch's mean is below ``fraction`` of the background's; it ends when what follows is above.
    """
    traces = _Traces(emg, times, window, baseline, "changepoint")
    middle, lowest = _quietest(traces, floor)
    traces.usable &= lowest < fraction * traces.mean
    known = np.where(traces.usable, middle, traces.start)
    end = variance_change(traces.emg, known, traces.stop, 0)
    begin = variance_change(traces.emg, traces.start, known, 0)
    begin = np.where(begin < 0, traces.start, begin)
    for i in np.flatnonzero(traces.usable & (end >= 0)):
        if traces.emg[i, end[i] : traces.stop[i]].mean() < fraction * traces.mean[i]:
            end[i] = -1
    return traces.seconds(np.column_stack([begin, end]))


def _quietest(traces: _Traces, duration: float) -> tuple[np.ndarray, np.ndarray]:
    """Middle sample and mean of the quietest stretch of each trace's window."""
    width = traces.samples(duration)
    width += 1 - width % 2
    means = moving_average(traces.emg, width)
    place = np.arange(traces.times.size)
    first, last = (traces.start + width // 2)[:, None], (traces.stop - width // 2)[:, None]
    means = np.where((place >= first) & (place < last), means, np.inf)
    middle = means.argmin(axis=1)
    return middle, np.take_along_axis(means, middle[:, None], axis=1)[:, 0]
