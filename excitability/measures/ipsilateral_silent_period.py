"""Interruption of contraction by stimulation of the motor cortex of the same side."""

from __future__ import annotations

import functools

import numpy as np

from ._named_rules import DEFAULT, Rule
from ._registry import measure
from ._silence_rules import moving_average, rule_of, sd
from ._windows import interval, window_samples

_NAME = "ipsilateral_silent_period"
_LENGTHS = (0.005, 0.008, 0.012, 0.018, 0.027)  # s of the interruptions whose chance is judged
_N_SHIFTS = 199
_SMOOTHING = 0.003  # s of the moving average whose crossings are the limits
#: The published rule for averages, beside which the one for single trials would be another.
_ONE_SD = functools.partial(sd, deviations=1.0, smoothing=0.0, below=0.005, above=0.005)


@measure(
    kind="epochs",
    unit={
        "ipsilateral_silent_period_onset": "s",
        "ipsilateral_silent_period_duration": "s",
        "ipsilateral_silent_period_depth": "1",
        "ipsilateral_silent_period_area": "V*s",
        "ipsilateral_silent_period_normalised_area": "1",
        "transcallosal_conduction_time": "s",
    },
    references=["10.1016/j.jneumeth.2020.108950"],
)
def ipsilateral_silent_period(
    x: np.ndarray,
    times: np.ndarray,
    *,
    window: tuple[float, float] = (0.025, 0.080),
    baseline: tuple[float, float] = (-0.1, -0.005),
    shortest: float = 0.005,
    false_positive_rate: float = 0.01,
    contralateral_latency: float = float("nan"),
    method: str | Rule = DEFAULT,
    seed: int = 0,
) -> dict[str, float]:
    """Onset, duration, depth and area of the ipsilateral silent period of the rectified average.

    The trials are rectified and averaged. Of all stretches of the window, the one is taken that a rectangular dip
    below the background fits best, and its limits are where the average crosses half of the depth. It is a silent
    period when it stands out more than ``false_positive_rate`` of the averages do that are made of the background
    alone, each trial's shifted at random.

    Parameters
    ----------
    x : ndarray, shape (n_trials, 1, n_times)
        EMG of one contracting muscle (V).
    times : ndarray, shape (n_times,)
        Seconds from the pulse.
    window : tuple of float
        Where the silent period is looked for (s). One that reaches the end of the window is cut there.
    baseline : tuple of float
        Background before the pulse (s).
    shortest : float
        Shortest interruption that counts (s).
    false_positive_rate : float
        Share of averages without an interruption that may get one; of the default method.
    contralateral_latency : float
        Onset latency (s) of the response of the same muscle to stimulation of the other side.
    method : str or callable
        ``"excitability"`` is what is described above. ``"sd"``: below the background's mean - 1 SD for 5 ms, until
        5 ms are above. ``"mcd"`` and the other rules of :func:`~excitability.measures.list_silent_period_methods`,
        applied to the rectified average; or your own, see :func:`silent_period`. None of these has a test against
        chance, and the weak limits are often passed by chance.
    seed : int
        Of the shifts.

    Returns
    -------
    dict of float
        Beginning with ``ipsilateral_silent_period``: ``_onset`` (s from the pulse), ``_duration`` (s), ``_depth``
        (share of the background that is missing in the silent period, 0…1), ``_area`` (missing EMG, V·s),
        ``_normalised_area`` (area over background times duration of the window); and
        ``transcallosal_conduction_time`` (s, onset minus ``contralateral_latency``). All NaN when there is none.

    Raises
    ------
    ValueError
        When x holds more than one channel, a window lies outside the epoch, or the method is unknown.

    Examples
    --------
    >>> rng = np.random.default_rng(3)
    >>> times = np.arange(-0.1, 0.2, 1 / 5000)
    >>> strength = np.where((times > 0.035) & (times < 0.060), 0.3, 1.0)
    >>> x = 100e-6 * strength * rng.standard_normal((20, 1, times.size))
    >>> found = ipsilateral_silent_period(x, times, contralateral_latency=0.021)
    >>> abs(found["ipsilateral_silent_period_onset"] - 0.035) < 0.003
    True
    """
    if x.shape[1] != 1:
        raise ValueError(f"{_NAME} takes one channel, got {x.shape[1]}; pick one with picks=")
    inside, before = (slice(*window_samples(times, span, _NAME)) for span in (window, baseline))
    step = interval(times)
    emg = np.abs(x[:, 0] - x[:, 0].mean(axis=-1, keepdims=True))
    trace = emg.mean(axis=0)
    level = float(trace[before].mean())
    if not (level > 0 and np.isfinite(trace[inside]).all()):
        return _result(None)
    length = max(2, round(shortest / step))
    if method == DEFAULT:
        widths = [width for width in (round(value / step) for value in _LENGTHS) if width >= length] or [length]
        if not _stands_out(level - trace[inside], emg[:, before], widths, false_positive_rate, seed):
            return _result(None)
        dip = _best_dip(trace[inside] / level, length)
        smooth = moving_average(trace[None], max(1, round(_SMOOTHING / step)))[0, inside]
        start, stop = (inside.start + at for at in _half_way(smooth, *dip, level))
    else:
        rule = _ONE_SD if method == "sd" else rule_of(method)
        limits = (times[inside.start], times[inside.stop - 1])
        first, end = np.asarray(rule(trace[None], times, window=limits, baseline=baseline), dtype=float)[0]
        if np.isnan(first):
            return _result(None)
        start = round((first - times[0]) / step)
        stop = inside.stop if np.isinf(end) else round((end - times[0]) / step)
        if stop - start < length:
            return _result(None)
    missing = level - trace[start:stop]
    area = float(missing.sum() * step)
    normalised = area / (level * (window[1] - window[0]))
    onset = float(times[start])
    return _result(
        (onset, (stop - start) * step, float(missing.mean() / level), area, normalised, onset - contralateral_latency)
    )


def _result(values: tuple[float, ...] | None) -> dict[str, float]:
    names = [f"{_NAME}_{name}" for name in ("onset", "duration", "depth", "area", "normalised_area")]
    names.append("transcallosal_conduction_time")
    return dict(zip(names, values or [float("nan")] * len(names), strict=True))


def _best_dip(share: np.ndarray, shortest: int) -> tuple[int, int]:
    """First sample and the one after the last of the likeliest stretch whose mean is below the background's.

    ``share`` is the average over its background. Its noise grows with its level, as that of a gamma variable does;
    least squares would reach out for the noise beside the dip.
    """
    summed = np.r_[0.0, np.cumsum(share)]
    place = np.arange(summed.size)
    length = place[None] - place[:, None]
    mean = np.maximum((summed[None] - summed[:, None]) / np.maximum(length, 1), 1e-6)
    gain = length * (mean - 1 - np.log(mean))
    start, stop = np.unravel_index(int(np.where((length >= shortest) & (mean < 1), gain, -1.0).argmax()), gain.shape)
    return int(start), int(stop)


def _half_way(smooth: np.ndarray, start: int, stop: int, level: float) -> tuple[int, int]:
    """The dip's limits moved to where the smoothed average crosses half of the dip's depth.

    The likeliest stretch lies within the dip's slopes, which come from trials whose interruptions are not alike.
    """
    half = (level + smooth[start:stop].mean()) / 2
    middle = (start + stop) // 2
    while start < middle and smooth[start] > half:
        start += 1
    while start > 0 and smooth[start - 1] < half:
        start -= 1
    while stop - 1 > middle and smooth[stop - 1] > half:
        stop -= 1
    while stop < smooth.size and smooth[stop] < half:
        stop += 1
    return start, stop


def _stands_out(deficit: np.ndarray, background: np.ndarray, widths: list[int], rate: float, seed: int) -> bool:
    """Whether a dip is deeper than in averages of the background, each trial's rotated by its own random lag."""
    n, n_times = background.shape
    widths = [width for width in widths if width < min(deficit.size, n_times)]
    lags = np.random.default_rng(seed).integers(0, n_times, (_N_SHIFTS, n))
    place = (np.arange(min(deficit.size, n_times)) - lags[..., None]) % n_times
    shifted = np.zeros(place[:, 0].shape)
    for trial in range(n):
        shifted += background[trial, place[:, trial]]
    # The level is learnt beside the window, but of what is rotated it is part: one adds to the scatter, one takes.
    sizes = np.array(widths, dtype=float)
    by_chance = _deepest(background.mean() - shifted / n, widths, np.sqrt(sizes * (1 - sizes / n_times)))
    found = _deepest(deficit[None], widths, np.sqrt(sizes * (1 + sizes / n_times)))
    return bool(found[0] > np.quantile(by_chance, 1 - rate))


def _deepest(deficits: np.ndarray, widths: list[int], scale: np.ndarray) -> np.ndarray:
    """Largest sum of each row over any of the widths, in units of its scatter."""
    summed = np.pad(np.cumsum(deficits, axis=1), ((0, 0), (1, 0)))
    parts = [(summed[:, w:] - summed[:, :-w]).max(axis=1) / unit for w, unit in zip(widths, scale, strict=True)]
    return np.max(parts, axis=0)
