"""Whether a value that is never negative is more than chance makes it: an area, the highest rise of power, a coupling.

Each test makes the value again from trials in which what it means is destroyed and all else is kept, so that it errs
at its level whatever the noise: signs of trials are flipped, before and after the pulse are exchanged, or pieces of the
seed are paired with other pieces of the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from ..schema import join_flags
from ._evoked import window_mask
from ._registry import Measure, check_span
from ._spectrum import Band, coefficients, crossed
from ._wavelets import FREQUENCIES, slower, wavelet_courses
from .connectivity import imaginary_coherence, wpli

#: Share of recordings without a response in which a value is believed to be more than chance.
LEVEL = 0.05

_AT_ONCE = 20_000_000  # values of averages held in memory at a time


def size_p_value(
    data: np.ndarray, times: np.ndarray, function: Callable[..., float], *, n_draws: int = 199, seed: int = 0
) -> float:
    """Share of averages over trials of random sign whose size is as large as that of the average.

    Parameters
    ----------
    data : ndarray, shape (n_trials, n_channels, n_times)
        V.
    times : ndarray, shape (n_times,)
        s.
    function : callable
        ``function(average, times)``: a size, which noise can only make larger.
    n_draws, seed : int
        Draws of the signs.

    Examples
    --------
    >>> rng, times = np.random.default_rng(0), np.arange(50.0)
    >>> noise = rng.standard_normal((30, 4, 50))
    >>> size = lambda x, times: float(x.std(axis=0).mean())
    >>> size_p_value(noise, times, size) > 0.05, size_p_value(noise + rng.standard_normal((1, 4, 1)), times, size)
    (True, 0.005)
    """
    n = len(data)
    observed = float(function(data.mean(axis=0), times))
    if not np.isfinite(observed):
        return np.nan
    signs = np.random.default_rng(seed).choice([-1.0, 1.0], size=(n_draws, n))
    flat = data.reshape(n, -1)
    reached = 0
    for part in np.array_split(signs, max(1, -(-n_draws * flat.shape[1] // _AT_ONCE))):
        averages = (part @ flat / n).reshape(len(part), *data.shape[1:])
        reached += sum(float(function(x, times)) >= observed for x in averages)
    return (1 + reached) / (1 + n_draws)


def rise_p_value(
    data: np.ndarray,
    times: np.ndarray,
    *,
    window: tuple[float, float] = (0.020, 0.200),
    baseline: tuple[float, float] = (-0.4, -0.1),
    frequencies: Sequence[float] = FREQUENCIES,
    n_draws: int = 199,
    seed: int = 0,
) -> float:
    """Share of exchanges of before and after, trial by trial, after which power rises as much at some frequency.

    Parameters
    ----------
    data : ndarray, shape (n_trials, n_channels, n_times)
        V.
    times : ndarray, shape (n_times,)
        s from the pulse.
    window, baseline, frequencies
        As for :func:`natural_frequency`.
    n_draws, seed : int
        Exchanges.
    """
    x, fewer = slower(data, times, float(np.max(frequencies)))
    rate = (fewer.size - 1) / (fewer[-1] - fewer[0])
    where = [window_mask(fewer, span, "natural_frequency") for span in (window, baseline)]
    wanted = np.asarray(frequencies, dtype=float)
    power = np.empty((2, len(x), x.shape[1], wanted.size))
    for channel in range(x.shape[1]):
        for number, course in enumerate(wavelet_courses(x[:, channel], rate, wanted, (3.0, 10.0))):
            size = np.abs(course) ** 2
            for side, mask in enumerate(where):
                power[side, :, channel, number] = size[:, mask].mean(axis=1)
    rng = np.random.default_rng(seed)
    weights = np.vstack([np.ones((1, len(x))), rng.integers(0, 2, size=(n_draws, len(x)))])
    mixed = [
        np.tensordot(weights, power[one], axes=1) + np.tensordot(1 - weights, power[1 - one], axes=1) for one in (0, 1)
    ]
    with np.errstate(divide="ignore", invalid="ignore"):
        rise = np.log(mixed[0] / mixed[1]).mean(axis=1).max(axis=1)
    return float(np.mean(rise >= rise[0])) if np.isfinite(rise).all() else np.nan


def coupling_p_value(
    data: np.ndarray,
    times: np.ndarray,
    index: Callable[..., float],
    *,
    band: Band,
    n_seed: int,
    name: str,
    n_draws: int = 199,
    seed: int = 0,
) -> float:
    """Share of pairings of the seed with other pieces of the rest in which the coupling is as large.

    Parameters
    ----------
    data : ndarray, shape (n_trials, n_channels, n_times)
        Pieces, V; the first ``n_seed`` channels are the seed.
    times : ndarray, shape (n_times,)
        s.
    index : callable
        ``index(cross, seed_power, other_power)``, as of :func:`crossed`.
    band, n_seed, name
        As for :func:`coefficients`.
    n_draws, seed : int
        Pairings.
    """
    own, others = coefficients(data, times, band, n_seed, name)
    observed = index(*crossed(own, others))
    if not np.isfinite(observed):
        return np.nan
    rng = np.random.default_rng(seed)
    reached = sum(index(*crossed(own[rng.permutation(len(own))], others)) >= observed for _ in range(n_draws))
    return (1 + reached) / (1 + n_draws)


def told_of_chance(
    measure: Measure, value: Any, data: np.ndarray, times: np.ndarray, arguments: Mapping[str, Any]
) -> Any:
    """The value, flagged ``not_above_chance`` where it is no more than chance makes of the same trials.

    A frequency whose interval reaches beyond the frequencies that were looked at is flagged ``unstable``.
    """
    parts = list(value.values()) if isinstance(value, dict) else [value]
    if measure.name not in _TESTED or not np.isfinite(parts[0]):
        return value
    known = {**measure.parameters, **arguments}
    p = _TESTED[measure.name](data, times, measure, known)
    flag = "not_above_chance" if p > LEVEL else ""
    if measure.name == "natural_frequency":
        low, high = min(known["frequencies"]), max(known["frequencies"])
        flag = join_flags(flag, "unstable" * (not low <= value.ci_low <= value.ci_high <= high))
    for part in parts:
        part.flag = join_flags(part.flag, flag)
    return value


def _immediate(data: np.ndarray, times: np.ndarray, measure: Measure, known: Mapping[str, Any]) -> float:
    return size_p_value(data, times, lambda x, times: measure.function(x, times, window=known["window"])["amplitude"])


def _size(data: np.ndarray, times: np.ndarray, measure: Measure, known: Mapping[str, Any]) -> float:
    function = partial(measure.function, window=known["window"])
    return size_p_value(*samples_looked_at(data, times, measure, known), function)


def samples_looked_at(
    data: np.ndarray, times: np.ndarray, measure: Measure, arguments: Mapping[str, Any]
) -> tuple[np.ndarray, np.ndarray]:
    """The samples that a size is made of, where it is made of its window alone: resampling need not draw the others."""
    if _TESTED.get(measure.name) is not _size:
        return data, times
    window = {**measure.parameters, **arguments}["window"]
    check_span(window, f"{measure.name}: window")
    at = np.flatnonzero(window_mask(times, window, measure.name))
    if at.size < 2:
        return data, times
    span = slice(max(int(at[0]) - 1, 0), int(at[-1]) + 2)
    return np.ascontiguousarray(data[..., span]), times[span]


def _rise(data: np.ndarray, times: np.ndarray, measure: Measure, known: Mapping[str, Any]) -> float:
    return rise_p_value(data, times, **{name: known[name] for name in ("window", "baseline", "frequencies")})


def _coupling(index: Callable[..., float]) -> Callable[..., float]:
    def p_value(data: np.ndarray, times: np.ndarray, measure: Measure, known: Mapping[str, Any]) -> float:
        return coupling_p_value(data, times, index, band=known["band"], n_seed=known["n_seed"], name=measure.name)

    return p_value


_TESTED: dict[str, Callable[..., float]] = {
    **dict.fromkeys(("gmfa_area", "lmfa_area", "cortical_evoked_activity"), _size),
    "immediate_tep": _immediate,
    "natural_frequency": _rise,
    "alpha_wpli": _coupling(wpli),
    "alpha_imaginary_coherence": _coupling(imaginary_coherence),
}
