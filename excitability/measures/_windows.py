"""Seconds to samples, with one message for a window that does not fit the epoch."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np

Window = tuple[float, float]

#: Where noise and background are learnt, in s before the first pulse; the last 5 ms may hold leaked artefact.
BASELINE: Window = (-0.1, -0.005)

#: The shortest baseline (s) that still says what the noise is.
SHORTEST_BASELINE = 0.015


def interval(times: np.ndarray) -> float:
    """Sampling interval in s."""
    return float(times[-1] - times[0]) / (times.size - 1)


def window_samples(times: np.ndarray, window: Window, name: str) -> tuple[int, int]:
    """First sample of a window and the one after its last; both limits of the window belong to it.

    Raises
    ------
    ValueError
        When the window is not two increasing times within the epoch.
    """
    begin, end = (float(value) for value in window)
    step = interval(times)
    if not begin < end:
        raise ValueError(f"{name}: window ({begin:g}, {end:g}) s; expected (start, stop) with start < stop")
    if begin < times[0] - step or end > times[-1] + step:
        raise ValueError(
            f"{name}: window {begin:g} to {end:g} s lies outside the epoch, {times[0]:g} to {times[-1]:g} s; "
            "cut a longer epoch or give a window within it"
        )
    start = max(int(np.ceil((begin - times[0]) / step - 1e-6)), 0)
    stop = min(int(np.floor((end - times[0]) / step + 1e-6)) + 1, times.size)
    if stop - start < 2:
        raise ValueError(f"{name}: window {begin:g} to {end:g} s holds fewer than two samples")
    return start, stop


def per_trial_samples(
    times: np.ndarray, window: Window, first_pulse: Any, n_trials: int, name: str
) -> tuple[np.ndarray, np.ndarray]:
    """The same for each trial; a window that ends before 0 is counted back from the trial's first pulse."""
    first = np.broadcast_to(np.asarray(first_pulse, dtype=float), (n_trials,))
    if np.isnan(first).any() or (first > 1e-9).any():
        raise ValueError(f"{name}: first_pulse must be 0 or before (s from the pulse the trial is locked to)")
    if window[1] >= 0 or not first.any():
        start, stop = window_samples(times, window, name)
        return np.full(n_trials, start), np.full(n_trials, stop)
    values, where = np.unique(first, return_inverse=True)
    limits = np.array([window_samples(times, (window[0] + v, window[1] + v), name) for v in values])
    return np.ascontiguousarray(limits[where, 0]), np.ascontiguousarray(limits[where, 1])


def baseline_samples(
    times: np.ndarray, baseline: Window, first_pulse: Any, n_trials: int, name: str
) -> tuple[np.ndarray, np.ndarray]:
    """Stretch before the first pulse in which noise is learnt: ``baseline``, or what the epoch holds of it.

    Raises
    ------
    ValueError
        When fewer than 15 ms are left.
    """
    first = np.broadcast_to(np.asarray(first_pulse, dtype=float), (n_trials,))
    earliest = times[0] - float(np.min(first, initial=0.0))
    begin = max(float(baseline[0]), earliest)
    if baseline[1] - begin < SHORTEST_BASELINE:
        raise ValueError(
            f"{name}: the noise is learnt from {baseline[0]:g} to {baseline[1]:g} s before the first pulse, but the "
            f"epoch begins at {times[0]:g} s; cut it from {baseline[0] + float(np.min(first, initial=0.0)):g} s"
        )
    return per_trial_samples(times, (begin, float(baseline[1])), first, n_trials, name)


def evenly(values: np.ndarray, n: int) -> np.ndarray:
    """Places of at most ``n`` values, evenly spread over their ranks: a sample that no order of trials changes."""
    order = np.argsort(values, kind="stable")
    return order if order.size <= n else order[_ranks(order.size, n)]


@functools.lru_cache(maxsize=64)
def _ranks(size: int, n: int) -> np.ndarray:
    return np.linspace(0, size - 1, n).astype(int)


def rows_of(x: np.ndarray, trials: np.ndarray, start: np.ndarray, length: int) -> np.ndarray:
    """``length`` samples of some trials from their ``start`` on, one row each."""
    begin = start[trials]
    if begin.size and (begin == begin[0]).all():
        return x[trials, begin[0] : begin[0] + length]
    return np.take_along_axis(x[trials], begin[:, None] + np.arange(length), axis=1)


def quantiles(values: np.ndarray, shares: Sequence[float]) -> list[float]:
    """Quantiles by straight lines between the sorted values; np.quantile takes longer than all else here."""
    ordered = np.sort(values, axis=None)
    return [quantile_of(ordered, share) for share in shares]


def quantile_of(ordered: np.ndarray, share: float) -> float:
    """The same of values that are sorted already."""
    place = share * (ordered.size - 1)
    left = int(place)
    value = float(ordered[left])
    return value if place == left else value + (place - left) * (float(ordered[left + 1]) - value)


def middle(values: np.ndarray) -> Any:
    """Median over the first axis, of values without NaN; np.median takes several times longer."""
    ordered = np.sort(values.T, axis=-1)
    n = ordered.shape[-1]
    return 0.5 * (ordered[..., (n - 1) // 2] + ordered[..., n // 2])
