"""The published rules for the onset of a response: one function each, one table, defaults in the signatures.

Every rule is called as ``rule(x, times, window=..., baseline=...)``, with further arguments of its own:
- ``x``, (n_trials, n_times): volts; ``times``, (n_times,): seconds from the pulse;
- ``window``: (start, stop) in s, where the onset is searched;
- ``baseline``: (start, stop) in s, or one such row a trial, shape (n_trials, 2), where level and noise are learnt.

It returns one onset a trial in s, (n_trials,); NaN where it finds nothing, where window or baseline hold a NaN, and
for a flat window. A window or baseline outside the epoch is a ValueError. What papers give in samples is in seconds.
**Constants as commonly used; check your paper.** Rules with "no test for a response" time any trace: combine them with
``mep_probability`` or a limit on ``mep_amplitude``.

>>> import functools
>>> from excitability.measures import mep_latency
>>> from excitability.measures._onset_rules import sd
>>> from excitability.simulate import mep_trials
>>> x, times, truth = mep_trials(5, artefact="none", noise_rms=5e-6, no_response=0, seed=1)
>>> by_name = mep_latency(x, times, method="sd")
>>> stricter = mep_latency(x, times, method=functools.partial(sd, deviations=5, hold=0.003))
>>> bool((abs(by_name - truth["onset"]) < 0.002).all()), bool((stricter >= by_name).all())
(True, True)
"""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np

from ..kernels import onset as kernels
from ..kernels.windows import extremes, level
from ._named_rules import Method, NamedRules, Rule
from ._windows import BASELINE, Window, baseline_samples, interval, window_samples

_WINDOW: Window = (0.010, 0.050)


_NAMED = NamedRules(
    "onset",
    "First time the response itself, without noise, exceeds 1 % of its peak-to-peak amplitude; see mep_latency.",
)
_rule = _NAMED.register


def list_onset_methods() -> list[Method]:
    """Every ``method`` of :func:`~excitability.measures.mep_latency`: name, reference and rule in words.

    Returns
    -------
    list of Method
        The default first; each has ``name``, ``reference``, ``rule`` and ``defaults`` (its own arguments, SI units).

    Examples
    --------
    >>> from excitability.measures import list_onset_methods
    >>> [method.name for method in list_onset_methods()][:4]
    ['excitability', 'sd', 'ahte', 'shte']
    """
    return _NAMED.listed(("x", "times", "window"))


def onsets_by(method: str | Rule, x: np.ndarray, times: np.ndarray, window: Window, first_pulse: Any) -> np.ndarray:
    """Onsets by a rule's name, or by a callable; the rule's own baseline is counted back from the first pulse.

    Raises
    ------
    ValueError
        For an unknown name, or a callable that does not return one value a trial.
    """
    method = _NAMED.find(method)
    parameter = inspect.signature(method).parameters.get("baseline")
    own = parameter.default if parameter is not None and isinstance(parameter.default, tuple) else BASELINE
    start, stop = baseline_samples(times, own, first_pulse, len(x), "mep_latency")
    window_samples(times, window, "mep_latency")
    limits = np.column_stack([times[start], times[stop - 1]])
    onsets = np.array(method(x, times, window=window, baseline=limits), dtype=float)
    if onsets.shape != (len(x),):
        raise ValueError(f"mep_latency: method returned shape {onsets.shape} for {len(x)} trials; expected one a trial")
    return onsets


class _Trials:
    """What the rules share: limits in samples, level and noise of the baseline, extremes of the window."""

    def __init__(self, x: Any, times: Any, window: Window, baseline: Any, name: str) -> None:
        self.x = np.ascontiguousarray(x, dtype=float)
        self.times = np.asarray(times, dtype=float)
        self.step = interval(self.times)
        self.n = len(self.x)
        first, last = window_samples(self.times, window, name)
        self.span = slice(first, last)
        self.start, self.stop = np.full(self.n, first), np.full(self.n, last)
        self.baseline = np.broadcast_to(np.asarray(baseline, dtype=float), (self.n, 2))
        pairs, where = np.unique(self.baseline, axis=0, return_inverse=True)
        limits = np.array([window_samples(self.times, (a, b), name) for a, b in pairs], dtype=int).reshape(-1, 2)
        self.quiet = limits[where.ravel()]
        self.centre, self.deviation, self.rectified = level(self.x, *np.ascontiguousarray(self.quiet.T)).T.copy()
        self.values, self.at = extremes(self.x, self.start, self.stop)
        self.span_of_values = self.values[:, 1] - self.values[:, 0]
        heights = np.abs(self.values - self.centre[:, None])
        self.largest = heights.max(axis=1, initial=0.0)
        # The earlier extreme; of a response with a single phase, the other extreme is mere noise and no peak.
        self.first_peak = np.where(heights < 0.1 * self.largest[:, None], self.times.size, self.at).min(axis=1)
        self.usable = np.isfinite(self.centre) & (self.span_of_values > 0)

    def samples(self, duration: float) -> int:
        """A duration in samples, at least one."""
        return max(1, round(duration / self.step))

    def find(self, kernel: Any, *arguments: Any) -> np.ndarray:
        """Onsets by a search that begins with the window."""
        return self.seconds(kernel(self.x, self.start, *arguments))

    def seconds(self, at: np.ndarray) -> np.ndarray:
        """Times of samples; NaN for -1 and for trials that cannot be judged."""
        return np.where(self.usable & (at >= 0), self.times[at], np.nan)


@_rule("in general use; compared by Šoda et al. 2020, doi:10.1109/ACCESS.2020.3033075")
def sd(
    x: Any,
    times: Any,
    window: Window = _WINDOW,
    baseline: Any = BASELINE,
    *,
    deviations: float = 3.0,
    hold: float = 0.002,
) -> np.ndarray:
    """First sample from which the rectified EMG exceeds mean + ``deviations`` SD of the rectified baseline.

    It stays above for ``hold`` s. 2 to 3 SD (5 in a contracted muscle) and 1 to 3 ms are in use.
    """
    trials = _Trials(x, times, window, baseline, "sd")
    spread = np.sqrt(np.maximum(trials.deviation**2 - trials.rectified**2, 0))
    limit = trials.rectified + deviations * spread
    low, high, length = trials.centre - limit, trials.centre + limit, trials.samples(hold)
    return trials.find(kernels.first_run, trials.stop, low, high, length)


@_rule("absolute hard threshold, as compared by Šoda et al. 2020, doi:10.1109/ACCESS.2020.3033075")
def ahte(
    x: Any,
    times: Any,
    window: Window = _WINDOW,
    baseline: Any = BASELINE,
    *,
    fraction: float = 0.1,
    threshold: float | None = None,
) -> np.ndarray:
    """Back from the first peak to where the rectified EMG came above ``fraction`` of the peak-to-peak amplitude.

    The first peak is the earlier of the two extremes. 5 to 10 % are in use; a ``threshold`` in V replaces the
    fraction. No test for a response.
    """
    trials = _Trials(x, times, window, baseline, "ahte")
    height = fraction * trials.span_of_values if threshold is None else np.full(trials.n, float(threshold))
    return trials.find(kernels.back_to_level, trials.first_peak, trials.centre, height)


@_rule("squared hard threshold, after Šoda et al. 2020, doi:10.1109/ACCESS.2020.3033075 (constants not seen)")
def shte(
    x: Any, times: Any, window: Window = _WINDOW, baseline: Any = BASELINE, *, fraction: float = 0.01
) -> np.ndarray:
    """Back from the first peak to where the squared EMG came above ``fraction`` of its largest value in the window.

    The paper's constants were not seen; the default is 10 % of the largest deflection. No test for a response.
    """
    trials = _Trials(x, times, window, baseline, "shte")
    height = np.sqrt(fraction) * trials.largest
    return trials.find(kernels.back_to_level, trials.first_peak, trials.centre, height)


@_rule("Bigoni et al. 2022, doi:10.1088/1741-2552/ac636c")
def derivative(
    x: Any, times: Any, window: Window = _WINDOW, baseline: Any = BASELINE, *, shortest: float = 0.0008
) -> np.ndarray:
    """Beginning of the longest uninterrupted rise towards the first peak, longer than ``shortest``.

    A trace whose first extreme is the minimum is turned over. ``shortest``, in s, is four samples at 5 kHz. The
    baseline is not used. No test for a response.
    """
    trials = _Trials(x, times, window, baseline, "derivative")
    trials.usable = trials.span_of_values > 0
    return trials.find(kernels.longest_rise, trials.stop, shortest / trials.step + 1e-6)


@_rule("Boyles et al. 2026, doi:10.1038/s41598-026-61560-0")
def derivative_ratio(
    x: Any,
    times: Any,
    window: Window = (0.005, 0.045),
    baseline: Any = (-0.1, -0.001),
    *,
    block: float = 0.0025,
    cut: float = 0.85,
    jitter: float = 0.015,
    latest: float = 0.035,
    gate: float = 1.1,
) -> np.ndarray:
    """Where the mean absolute slope after a sample, over that before it, comes within ``cut`` of its peak ratio.

    Slopes are averaged over ``block`` s on each side (five samples at 2 kHz); the ratio is searched up to the trial's
    peak, which lies within ``jitter`` s of the grand mean's, and to ``latest`` s at most (raise it for a leg).
    No onset below ``gate`` times the peak-to-peak of the baseline. Without the paper's notch filter.
    """
    trials = _Trials(x, times, window, baseline, "derivative_ratio")
    if not trials.usable.any():
        return np.full(trials.n, np.nan)
    size, reach, first, last = trials.samples(block), trials.samples(jitter), trials.span.start, trials.span.stop
    grand = np.mean(trials.x[trials.usable] - trials.centre[trials.usable, None], axis=0)
    middle = first + int(np.abs(grand[trials.span]).argmax())
    quiet, _ = extremes(trials.x, *np.ascontiguousarray(trials.quiet.T))
    present = trials.usable & (trials.span_of_values >= gate * (quiet[:, 1] - quiet[:, 0]))
    found = np.full(trials.n, -1)
    for i in np.flatnonzero(present):
        row = trials.x[i]
        begin = max(first, middle - reach)
        peak = begin + int(np.abs(row[begin : min(last, middle + reach + 1)] - trials.centre[i]).argmax())
        slopes = np.abs(np.diff(row))
        means = np.convolve(slopes, np.full(size, 1 / size), "valid")  # means[j] is that of slopes j to j + size - 1
        at = np.arange(max(first, size), min(peak, means.size - 1) + 1)
        at = at[trials.times[at] <= latest + 1e-9]
        if at.size == 0:
            continue
        ratio = means[at] / np.maximum(means[at - size], 1e-9 * slopes[first:last].max())
        top = int(ratio.argmax())
        below = np.flatnonzero(ratio[:top] < cut * ratio[top])
        found[i] = at[below[-1] + 1 if below.size else 0]
    return trials.seconds(found)


@_rule("Maeda 1985, Zisin 38:365-379 (arrival of seismic waves)")
def aic(x: Any, times: Any, window: Window = _WINDOW, baseline: Any = BASELINE) -> np.ndarray:
    """Least Akaike criterion ``k ln var(x[:k]) + (n - k - 1) ln var(x[k:])`` from the window's start to the first peak.

    No constants. No test for a response.
    """
    trials = _Trials(x, times, window, baseline, "aic")
    trials.usable = trials.span_of_values > 0
    return trials.find(kernels.variance_change, trials.first_peak + 1, 1)


@_rule("one change of log-variance; Killick et al. 2012, doi:10.1080/01621459.2012.737745")
def changepoint(x: Any, times: Any, window: Window = _WINDOW, baseline: Any = BASELINE) -> np.ndarray:
    """Cut with the least summed log-variance of the two parts, from the window's start to the later extreme.

    It ends there since the end of a response is a change too. The baseline is not used. No test for a response.
    """
    trials = _Trials(x, times, window, baseline, "changepoint")
    trials.usable = trials.span_of_values > 0
    last = trials.at.max(axis=1, initial=-1)
    return trials.find(kernels.variance_change, last + 1, 0)


@_rule("VETA, Jackson & Greenhouse 2019, doi:10.3389/fnins.2019.00975")
def changepoint_mean(
    x: Any, times: Any, window: Window = (0.018, 0.1), baseline: Any = (-0.05, -0.005), *, changes: int = 10
) -> np.ndarray:
    """First of the ``changes`` cuts that best divide the rectified EMG of the window into parts of constant mean.

    No test for a response. (The last of the cuts is where the response ends.)
    """
    trials = _Trials(x, times, window, baseline, "changepoint_mean")
    return trials.find(kernels.first_mean_change, trials.stop, trials.centre, int(changes))


@_rule("Ellaway 1978, doi:10.1016/0013-4694(78)90017-2; constants of TMSMultiLab")
def cusum(
    x: Any,
    times: Any,
    window: Window = _WINDOW,
    baseline: Any = (-0.1, -0.001),
    *,
    limit: float = 10.0,
    shift: float = 3.09,
    sample: float = 0.0005,
) -> np.ndarray:
    """First sample at which the cumulative sum above, or below, the baseline exceeds ``limit`` SD.

    Half of ``shift`` SD, the smallest shift to be found, is taken off each sample. The published sum counts samples:
    here a sample counts for the time it lasts, and ``sample``, in s, is what counts as one (0.5 ms: as published at
    2 kHz; give the interval of your old recordings to repeat them).
    """
    trials = _Trials(x, times, window, baseline, "cusum")
    drift, most = 0.5 * shift * trials.deviation, limit * trials.deviation
    return trials.find(kernels.cusum_alarm, trials.stop, trials.centre, drift, most, trials.step / sample)


@_rule("MEPFeatX, Nguyen et al. 2023, doi:10.1038/s41598-023-37775-w")
def mad_crossing(
    x: Any,
    times: Any,
    window: Window = _WINDOW,
    baseline: Any = (-0.04, -0.005),
    *,
    deviations: float = 3.0,
    smallest: float = 50e-6,
    noisiest: float = 0.2,
    upsample: int = 10,
) -> np.ndarray:
    """Last crossing of ``deviations`` mean absolute deviations of the baseline before the first clear peak.

    On a trace ``upsample`` times finer (cubic spline). A peak of three times the threshold is clear, else it is the
    earlier extreme. No onset where the peak-to-peak is below ``smallest`` V or the threshold above ``noisiest`` of it.
    MEPFeatX raises its threshold where the trace never crosses it; here such a trial is NaN.
    """
    from scipy.interpolate import CubicSpline

    trials = _Trials(x, times, window, baseline, "mad_crossing")
    threshold = deviations * trials.rectified
    loud = (trials.span_of_values >= smallest) & (threshold <= noisiest * trials.span_of_values)
    chosen = np.flatnonzero(trials.usable & loud)
    onsets = np.full(trials.n, np.nan)
    if chosen.size == 0 or trials.stop[0] - trials.start[0] < 4:
        return onsets
    coarse = trials.times[trials.span]
    fine = np.linspace(coarse[0], coarse[-1], (coarse.size - 1) * upsample + 1)
    y = np.ascontiguousarray(CubicSpline(coarse, trials.x[chosen, trials.span], axis=1)(fine))
    centre, threshold, begin = trials.centre[chosen], threshold[chosen], np.zeros(chosen.size, int)
    extreme = (trials.first_peak[chosen] - trials.span.start) * upsample
    clear = kernels.first_run(y, begin, extreme + 1, centre - 3 * threshold, centre + 3 * threshold, 1)
    found = kernels.back_to_level(y, begin, np.where(clear >= 0, clear, extreme), centre, threshold)
    onsets[chosen] = np.where(found >= 0, fine[found], np.nan)
    return onsets


@_rule("Woody 1967, doi:10.1007/BF02474247")
def xcorr(
    x: Any,
    times: Any,
    window: Window = _WINDOW,
    baseline: Any = BASELINE,
    *,
    largest_lag: float = 0.005,
    template_rule: Rule = ahte,
) -> np.ndarray:
    """Onset of the mean of the recording's own trials, plus the lag at which a trial resembles that mean most.

    The lag has the largest cross-correlation; no onset where that is at ``largest_lag`` s, or not positive.
    The mean's onset (by ``template_rule``) is early if trials jitter: a relative latency. No test for a response.
    """
    trials = _Trials(x, times, window, baseline, "xcorr")
    if not trials.usable.any():
        return np.full(trials.n, np.nan)
    centred = trials.x - trials.centre[:, None]
    mean = centred[trials.usable].mean(axis=0)
    template = mean[trials.span]
    earliest = trials.baseline[np.argmin(trials.baseline[:, 1])]  # ends before any trial's first pulse
    reach = min(trials.samples(largest_lag), template.size - 1)
    lags = np.arange(-reach, reach + 1)
    padded = np.pad(template, reach)
    shifted = np.stack([padded[reach - lag : reach - lag + template.size] for lag in lags])
    score = np.where(trials.usable[:, None], centred[:, trials.span], 0.0) @ shifted.T
    best = score.argmax(axis=1)
    found = trials.usable & (score.max(axis=1) > 0) & (np.abs(lags[best]) < reach)
    onset = float(template_rule(mean[None], trials.times, window=window, baseline=earliest)[0])
    return np.where(found, onset + lags[best] * trials.step, np.nan)


@_rule("Letham & Raij 2011, doi:10.1016/j.jneumeth.2010.10.016")
def median_rule(
    x: Any, times: Any, window: Window = _WINDOW, baseline: Any = BASELINE, *, ranges: float = 2.3, hold: float = 0.001
) -> np.ndarray:
    """First sample from which the EMG lies outside median ± ``ranges`` interquartile ranges of the baseline.

    It stays outside for ``hold`` s. The baseline's distribution does not matter, nor do its outliers.
    """
    trials = _Trials(x, times, window, baseline, "median_rule")
    quartiles = np.full((trials.n, 3), np.nan)
    for i in np.flatnonzero(trials.usable):
        quartiles[i] = np.percentile(trials.x[i, slice(*trials.quiet[i])], (25, 50, 75))
    reach, middle = ranges * (quartiles[:, 2] - quartiles[:, 0]), quartiles[:, 1]
    return trials.find(kernels.first_run, trials.stop, middle - reach, middle + reach, trials.samples(hold))
