"""The recharge artefact: a second, smaller artefact when the stimulator loads its capacitors again.

It comes a fixed time after the pulse, tens to hundreds of milliseconds, which many stimulators let one choose. Cutting
it out as one does the pulse is what the guidelines advise (Hernandez-Pavon et al. 2023,
doi:10.1016/j.brs.2023.02.009).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import mne  # noqa: F401  (used by the example)
import numpy as np

from ._instance import between, check_window, data_of, eeg_picks, pulses_of_trials, quantile_over_channels
from ._registry import note, step
from .pulse import METHODS, bridge

_JITTER = 0.001  # s by which it may come earlier or later from trial to trial
_LONGEST = 0.010  # s; what jumps for longer is no recharge: muscle, or movement
_FIT = (0.02, 0.02)  # s on either side that the bridge is built from
_BACKGROUND = 0.050  # s over which the usual size of jumps is learnt


@step(references=["10.1016/j.brs.2023.02.009"])
def remove_recharge(
    inst: Any,
    *,
    at: float | Sequence[float] | None = None,
    window: tuple[float, float] = (-0.002, 0.005),
    search: tuple[float, float] = (0.020, 0.500),
    threshold: float = 8.0,
    method: str = "cubic",
) -> Any:
    """Cut the recharge artefact out of each trial and bridge the gap.

    Parameters
    ----------
    inst : mne.Epochs
        Pulses at 0; take their artefact away first.
    at : float or sequence of float, optional
        When the stimulator recharges, s from the last pulse; found where not given.
    window : tuple of float
        First and last sample replaced, s from the recharge.
    search : tuple of float
        Where it is looked for, s from the last pulse.
    threshold : float
        How many times the usual jump from sample to sample, at the same time in most trials and in a quarter of the
        channels, is a recharge.
    method : {"cubic", "linear", "autoregressive"}
        As of :func:`interpolate_pulse`.

    Returns
    -------
    cleaned : mne.Epochs
        A copy; EMG and other channels are untouched, and so is the rest of each trial. The log says when the
        artefact came. An artefact that decays for longer than ``window`` needs a longer one.

    Raises
    ------
    ValueError
        When a given time lies outside the trials, a window is not in seconds, or the method is unknown.

    References
    ----------
    doi:10.1016/j.brs.2023.02.009

    Examples
    --------
    >>> x = 1e-6 * np.random.default_rng(0).standard_normal((20, 4, 500))
    >>> x[..., 350:352] += 1e-3  # 150 ms after the pulse
    >>> epochs = mne.EpochsArray(x, mne.create_info(4, 1000.0, "eeg"), tmin=-0.2, verbose="error")
    >>> float(abs(remove_recharge(epochs).get_data()).max()) < 1e-5
    True
    """
    window = check_window(window, "window of remove_recharge")
    search = check_window(search, "search of remove_recharge")
    if method not in METHODS:
        raise ValueError(f"method of remove_recharge must be one of {', '.join(METHODS)}, not {method!r}")
    given = None if at is None else np.atleast_1d(np.asarray(at, dtype=float))
    for time in () if given is None else given:
        if not 0 < time + window[1] < inst.times[-1] or time + window[0] < inst.times[0]:
            raise ValueError(
                f"remove_recharge: a recharge at {time:g} s lies outside the trials, which end at {inst.times[-1]:g} s"
            )
    picks = eeg_picks(inst, bads=True)
    data = data_of(inst)
    seen: set[float] = set()
    for pulses, rows in pulses_of_trials(inst):
        if not pulses:
            continue
        found = _found(inst, rows, max(pulses), search, threshold, window) if given is None else given
        for time in found:
            gap = between(inst.times, time + max(pulses) + window[0], time + max(pulses) + window[1])
            piece = data[np.ix_(rows, picks)]
            bridge(piece, inst.times, gap, method, _FIT)
            data[np.ix_(rows, picks, np.flatnonzero(gap))] = piece[..., gap]
            seen.add(round(1e3 * float(time), 1))
    when = ", ".join(f"{time:g}" for time in sorted(seen))
    text = f"recharge {when} ms after the pulse" if seen else "nothing: no recharge found"
    passes = partial(_bridged, picks=picks, times=inst.times, at=sorted(seen), window=window, method=method)
    note(inst, text, recharge=sorted(seen), passes=passes)
    return inst


def recharge_times(inst: Any, *, search: tuple[float, float] = (0.020, 0.500), threshold: float = 8.0) -> list[float]:
    """When a recharge artefact comes, s after the last pulse; empty where none is found. Arguments as of the step."""
    seen: set[float] = set()
    for pulses, rows in pulses_of_trials(inst):
        if pulses and inst.times[-1] > max(pulses) + search[0] + 0.05:
            seen |= {round(time, 4) for time in _found(inst, rows, max(pulses), search, threshold, (-0.002, 0.005))}
    return sorted(seen)


def _bridged(
    x: np.ndarray,
    pulses: tuple[float, ...],
    *,
    picks: np.ndarray,
    times: np.ndarray,
    at: list[float],
    window: tuple[float, float],
    method: str,
) -> np.ndarray:
    piece = x[picks]
    for milliseconds in at:
        when = 1e-3 * milliseconds + max(pulses)
        gap = between(times, when + window[0], when + window[1])
        bridge(piece, times, gap, method, _FIT)
    x[picks] = piece
    return x


def _found(
    inst: Any,
    rows: np.ndarray,
    pulse: float,
    search: tuple[float, float],
    threshold: float,
    window: tuple[float, float],
) -> list[float]:
    """Times of recharge after ``pulse``, s: jumps far above what is usual, at one time in most trials."""
    from scipy.ndimage import maximum_filter1d, median_filter

    rate = float(inst.info["sfreq"])
    picks, reach = eeg_picks(inst), max(1, round(_JITTER * rate))
    jumps = np.empty((len(rows), inst.times.size - 1))
    for number, row in enumerate(rows):
        steps = np.abs(np.diff(data_of(inst)[row, picks], axis=-1))
        jumps[number] = quantile_over_channels(steps, 0.75)
    usual = np.median(jumps, axis=0)
    common = np.median(maximum_filter1d(jumps, 2 * reach + 1, axis=1), axis=0)
    level = median_filter(usual, size=2 * round(_BACKGROUND * rate / 2) + 1, mode="nearest")
    # a bridged pulse has no jumps at all and must not make its neighbours look large
    level = np.maximum(level, np.median(usual[usual > 0])) if (usual > 0).any() else level
    last = min(pulse + search[1], inst.times[-1] - window[1] - 0.02)
    inside = between(inst.times[1:], pulse + search[0], last)
    hits = np.flatnonzero((common > threshold * level) & inside)
    runs = np.split(hits, np.flatnonzero(np.diff(hits) > round(0.005 * rate)) + 1) if hits.size else []
    times = []
    for run in runs:
        if (run[-1] - run[0] + 1 - 2 * reach) / rate <= _LONGEST:
            times.append(float(inst.times[run[0] + reach + 1]) - pulse)
    return times
