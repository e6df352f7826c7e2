"""What a reader of a trial's values must know about its trace."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..kernels.windows import extremes, held, level, longest_constant, rested_share
from ._artefact import POOR, at_rest
from ._responses import find_responses
from ._windows import BASELINE, SHORTEST_BASELINE, baseline_samples, interval, window_samples

_SPIKE, _SPIKE_SHARE = 0.0002, 0.4  # s, and share of the span: a wave of 500 Hz bends by 0.1 of its own
_CLIPPED_RUN = 0.0006  # s for which a clipped trace holds one value; a fine converter rarely repeats one that long
_CLIPPED_SHARE = 0.05  # of the baseline that rests on its highest or lowest value: a coarse converter repeats its own
_FLAT_SHARE = 0.25  # of a stretch that holds one value: an amplifier was blanked, or gave out
_CAN_REST = 0.010  # s from the pulse before which no window can begin at rest
_REMAINS = 5.0  # artefact at the window's start, in units of the noise, that may be worth a flag …
_HARM = 0.1  # … where it changes the peak-to-peak amplitude by more than this share, or cannot be taken away


def trial_flags(
    x: np.ndarray,
    times: np.ndarray,
    window: tuple[float, float] = (0.015, 0.050),
    *,
    first_pulse: Any = 0.0,
    latency: np.ndarray | None = None,
) -> np.ndarray:
    """Flags of each trial, joined by ``;``; an empty string where there is nothing to say.

    ``nan_samples`` (a sample in the window or the baseline is NaN or infinite), ``flat`` (a quarter of the window holds
    one value), ``clipped`` (the trace rests on its highest or lowest value for 0.6 ms), ``spike`` (a sample stands out
    from those 0.2 ms around it by 0.4 of the span, as nothing of a muscle does; told from 2.5 kHz on),
    ``window_edge`` (an extreme or the onset lies on the window's first or last sample: the response may not be
    inside), ``artefact_in_window`` (the trace is off the baseline when the window begins, or was not at rest for 2 ms
    between pulse and window, and the artefact changes the peak-to-peak amplitude by more than a tenth, or it cannot be
    told from the response), ``flat_baseline`` and ``clipped_baseline`` (the same of the baseline: its noise is too
    small), and ``no_baseline`` (less than 15 ms of it).

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
    latency : array, shape (n_trials,), optional
        Onset of each response in s, where it is known.

    Returns
    -------
    array of str, shape (n_trials,)

    Raises
    ------
    ValueError
        When the window lies outside the epoch.

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
    whole = np.full(n, start), np.full(n, stop)
    step = interval(times)
    run = max(3, int(np.ceil(_CLIPPED_RUN / step)))
    quiet = _baseline(times, first_pulse, n)
    base = np.zeros((n, 3)) if quiet is None else level(x, *quiet)
    values, at = extremes(x, *whole)
    with np.errstate(invalid="ignore"):  # of infinities
        span = values[:, 1] - values[:, 0]
        known = np.isfinite(span) & np.isfinite(base[:, 1])
        flat = (span == 0) | (longest_constant(x, *whole) >= max(_FLAT_SHARE * (stop - start), 3))
        large = span > 6.0 * base[:, 1]
        edge = large & ((at == start) | (at == stop - 1)).any(axis=1)
        if latency is not None:
            near = 1.001 * step
            edge |= (latency <= times[start] + near) | (latency >= times[stop - 1] - near)
        spike = large & (span > 0) & _spiked(x, large, start, stop, step, span)
        before = x[:, max(start - max(2, round(0.001 / step)), 0) : start + 1]
        remains = np.abs(before.mean(axis=1) - base[:, 0]) > _REMAINS * base[:, 1]
    pulse = max(round(-times[0] / step), 0)
    if quiet is not None and (start - pulse) * step >= _CAN_REST:
        late = np.flatnonzero(at_rest(x, quiet, base, pulse, start, step) < 0)
        remains[late] |= np.isfinite(x[late, pulse:start]).all(axis=1)  # what was blanked says nothing
    if quiet is not None and remains.any():
        remains &= _harmed(x, times, window, first_pulse, span, base[:, 1])
    rules = {
        "nan_samples": ~known,
        "flat": flat & known,
        "clipped": held(x, at, whole[1], run) & ~flat & known,
        "window_edge": edge & known,
        "spike": spike & known,
    }
    if quiet is None:
        rules["no_baseline"] = np.ones(n, bool)
    else:
        same = longest_constant(x, *quiet)
        blank = same >= np.maximum(_FLAT_SHARE * (quiet[1] - quiet[0]), 3)
        rules["artefact_in_window"] = remains & ~flat & ~blank & known
        rules["flat_baseline"] = blank & known
        rests = (same >= run) & ~blank & known
        rests &= rested_share(x, quiet[0], np.where(rests, quiet[1], quiet[0]), run) >= _CLIPPED_SHARE
        rules["clipped_baseline"] = rests
    # few different flags, many trials: each combination is spelt once
    kinds, which = np.unique(np.column_stack(list(rules.values())) @ (1 << np.arange(len(rules))), return_inverse=True)
    spelt = [";".join(word for bit, word in enumerate(rules) if kind >> bit & 1) for kind in kinds.tolist()]
    return np.array(spelt, dtype=object)[which]


def _harmed(
    x: np.ndarray, times: np.ndarray, window: tuple[float, float], first_pulse: Any, span: np.ndarray, noise: np.ndarray
) -> np.ndarray:
    """Whether the artefact matters to what is read from the window: most of it is over before the response begins."""
    start, stop = window_samples(times, window, "trial_flags")
    found = find_responses(x, times, window, first_pulse, name="trial_flags")
    cleaned = found.traces[:, found.traces.shape[1] - (stop - start) :]
    with np.errstate(invalid="ignore"):
        changed = np.abs(span - np.ptp(cleaned, axis=1)) > _HARM * span
        return changed | (cleaned[:, :2] == 0).all(axis=1) | ~(found.artefact <= POOR * noise)


def _spiked(x: np.ndarray, large: np.ndarray, start: int, stop: int, step: float, span: np.ndarray) -> np.ndarray:
    """Whether a sample of the window stands out from those 0.2 ms around it: too short to be of muscle."""
    out, lag = np.zeros(len(x), bool), round(_SPIKE / step)
    if lag < 1 or stop - start <= 2 * lag:
        return out
    rows = x[large, start:stop]
    bend = rows[:, lag:-lag] - 0.5 * (rows[:, : -2 * lag] + rows[:, 2 * lag :])
    out[large] = np.abs(bend).max(axis=1, initial=0.0) > _SPIKE_SHARE * span[large]
    return out


def _baseline(times: np.ndarray, first_pulse: Any, n: int) -> tuple[np.ndarray, np.ndarray] | None:
    """Samples before the first pulse of each trial in which noise is learnt; None where there are too few."""
    earliest = times[0] - float(np.min(first_pulse, initial=0.0))
    if BASELINE[1] - max(earliest, BASELINE[0]) < SHORTEST_BASELINE:
        return None
    return baseline_samples(times, BASELINE, first_pulse, n, "trial_flags")
