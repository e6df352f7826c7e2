"""What a reader of a trial's values must know about its trace."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..kernels.windows import extremes, level
from ..schema import join_flags
from ._windows import BASELINE, baseline_samples, interval, window_samples

_CLIPPED_RUN = 0.0006  # s for which a clipped trace holds one value; a fine converter rarely repeats one that long
_REMAINS = 5.0  # artefact at the window's start, in units of the noise, that is worth a flag


def trial_flags(
    x: np.ndarray, times: np.ndarray, window: tuple[float, float] = (0.015, 0.050), *, first_pulse: Any = 0.0
) -> np.ndarray:
    """Flags of each trial, joined by ``;``; an empty string where there is nothing to say.

    ``nan_samples`` (a NaN in the window or the baseline), ``flat`` (the window holds one value), ``clipped`` (the
    trace rests on its highest or lowest value for 0.6 ms), ``window_edge`` (an extreme lies on the window's first or
    last sample: the response may not be inside) and ``artefact_in_window`` (the trace has not come back to the
    baseline when the window begins).

    Parameters
    ----------
    x : array, shape (n_trials, n_times)
        Trials in V.
    times : array, shape (n_times,)
        Seconds from the pulse.
    window : tuple of float
        Where the response may lie, in s.
    first_pulse : float or array, shape (n_trials,)
        Time of the trial's first pulse in s, 0 or before.

    Returns
    -------
    array of str, shape (n_trials,)

    Raises
    ------
    ValueError
        When the window lies outside the epoch, or the epoch holds less than 15 ms of noise.

    Examples
    --------
    >>> import numpy as np
    >>> from excitability.measures.quality import trial_flags
    >>> times = np.arange(-500, 1001) / 5000
    >>> x = 5e-6 * np.random.default_rng(0).standard_normal((2, times.size))
    >>> x[1] = np.clip(x[1] + 2e-3 * np.sin(2 * np.pi * np.clip((times - 0.02) / 0.01, 0, 1)), -1e-3, 1e-3)
    >>> trial_flags(x, times).tolist()
    ['', 'clipped']
    """
    x = np.ascontiguousarray(x, dtype=np.float64)
    times = np.asarray(times, dtype=np.float64)
    n = len(x)
    start, stop = window_samples(times, window, "trial_flags")
    quiet = baseline_samples(times, BASELINE, first_pulse, n, "trial_flags")
    step = interval(times)
    base = level(x, *quiet)
    values, at = extremes(x, np.full(n, start), np.full(n, stop))
    missing = np.isnan(values[:, 0]) | np.isnan(base[:, 0])
    span = values[:, 1] - values[:, 0]
    flat = ~missing & (span == 0)
    with np.errstate(invalid="ignore"):
        clipped = ~flat & ~missing & _held(x[:, start:stop], values, max(3, int(np.ceil(_CLIPPED_RUN / step))))
        large = span > 6.0 * base[:, 1]
        edge = large & ((at == start) | (at == stop - 1)).any(axis=1)
        before = x[:, max(start - max(2, round(0.001 / step)), 0) : start + 1]
        remains = np.abs(before.mean(axis=1) - base[:, 0]) > _REMAINS * base[:, 1]
    rules = {
        "nan_samples": missing,
        "flat": flat,
        "clipped": clipped,
        "window_edge": edge & ~missing,
        "artefact_in_window": remains & ~missing & ~flat,
    }
    return np.array([join_flags(*(word for word, hit in rules.items() if hit[i])) for i in range(n)], dtype=object)


def _held(x: np.ndarray, values: np.ndarray, run: int) -> np.ndarray:
    """Whether the trace stays on its highest or lowest value for ``run`` samples."""
    out = np.zeros(len(x), bool)
    for side in (0, 1):
        equal = (x == values[:, side, None]).astype(np.int32)
        if x.shape[1] >= run:
            summed = np.cumsum(np.pad(equal, ((0, 0), (1, 0))), axis=1)
            out |= (summed[:, run:] - summed[:, :-run] == run).any(axis=1)
    return out
