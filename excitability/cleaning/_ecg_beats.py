"""Heart beats found on an ECG or EMG channel: waves of one shape that return evenly."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_RATE = 1000.0  # Hz, about; no wave of the ECG needs more
_BAND = (8.0, 45.0)  # Hz; where a QRS complex stands out of muscle, for the search alone
_HALF = 0.06  # s on each side of the R wave
_ALIKE = 0.6  # correlation with the usual wave
_ALIKE_USUALLY = 0.8  # the same at most beats; muscle alone reaches 0.75
_CLEAR = 5.0  # height of the match over what it is elsewhere; muscle alone reaches 2.7, a heart as small as it 10
_SAME = 0.75  # correlation of two waves of one kind
_LEAST_BEATS = 15
_UNEVEN = 0.3  # change from one interval to the next, over their median
_LEAST_SHARE, _MOST_SHARE = 0.4, 1.3  # of the beats expected at the usual interval, that are seen
_SEEN = 0.4  # of the power of a wave that must be seen to time it
_MOST_SNIPPETS = 400


@dataclass(frozen=True)
class Beats:
    """R waves in s from the start; whether each was seen (not inferred); how alike they are; beats a minute."""

    times: np.ndarray
    certain: np.ndarray
    likeness: float
    heart_rate: float


def find_beats(
    x: np.ndarray, rate: float, pulses: np.ndarray, gap: tuple[float, float], shortest: float, longest: float
) -> Beats | None:
    """Heart beats in one channel, or None where nothing plausible returns.

    Parameters
    ----------
    x : array, shape (n_times,)
    rate : float
        Hz.
    pulses : array of int, shape (n_pulses,)
        Samples of the pulses.
    gap : tuple of float
        What the pulses spoil, s around each.
    shortest, longest : float
        Plausible intervals between beats, s.
    """
    from scipy.signal import butter, sosfiltfilt

    factor = max(1, round(rate / _RATE))
    fs = rate / factor
    n = x.size // factor
    y = np.nan_to_num(x[: n * factor]).reshape(n, factor).mean(axis=1)
    hidden = np.zeros(n, bool)
    for pulse in pulses / factor:
        hidden[max(int(pulse + gap[0] * fs), 0) : int(pulse + gap[1] * fs) + 1] = True
    if n < 10 * longest * fs or hidden.all():
        return None
    places = np.arange(n)
    y[hidden] = np.interp(places[hidden], places[~hidden], y[~hidden])
    y = sosfiltfilt(butter(2, _BAND, fs=fs, output="sos", btype="bandpass"), y)
    wave = _usual_wave(y, hidden, fs, shortest)
    if wave is None:
        return None
    at, size, likeness, clear = _alike(y, hidden, wave, fs, shortest)
    if at.size < _LEAST_BEATS or clear < _CLEAR or np.median(likeness) < _ALIKE_USUALLY:
        return None
    # a wave of a third or three times the usual size is something else
    usual = np.median(size)
    keep = (size > 0.35 * usual) & (size < 2.5 * usual)
    at, likeness = at[keep], likeness[keep]
    intervals = np.diff(at) / fs
    single = intervals[(intervals > shortest) & (intervals < longest)]
    if single.size < _LEAST_BEATS:
        return None
    # pauses are multiples of the interval: the lower half tells it
    interval = float(np.median(single[single < 1.4 * np.percentile(single, 30)]))
    share = at.size * interval * fs / n
    uneven = np.median(np.abs(np.diff(single))) / interval
    if not _LEAST_SHARE < share < _MOST_SHARE or uneven > _UNEVEN:
        return None
    at, certain = _filled(at, y, hidden, wave, fs)
    times = (at * factor + 0.5 * (factor - 1)) / rate
    return Beats(times, certain, float(np.median(likeness)), 60.0 / interval)


def _snippets(y: np.ndarray, at: np.ndarray, half: int) -> np.ndarray:
    return y[at[:, None] + np.arange(-half, half + 1)]


def _usual_wave(y: np.ndarray, hidden: np.ndarray, fs: float, shortest: float) -> np.ndarray | None:
    """The wave that most others resemble, averaged over those."""
    from scipy.signal import find_peaks

    half = round(_HALF * fs)
    level = np.median(np.abs(y[~hidden])) / 0.6745
    at, _ = find_peaks(np.abs(y), height=2.5 * level, distance=max(round(0.8 * shortest * fs), 1))
    at = at[(at > half) & (at < y.size - half - 1)]
    at = at[~hidden[at]]
    if at.size < _LEAST_BEATS:
        return None
    some = at[np.unique(np.linspace(0, at.size - 1, _MOST_SNIPPETS).astype(int))]
    rows = _snippets(y, some, half)
    rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    alike = rows @ rows.T > _SAME
    best = int(alike.sum(axis=1).argmax())
    if alike[best].sum() < max(_LEAST_BEATS, 0.1 * some.size):
        return None
    return np.median(_snippets(y, some[alike[best]], half), axis=0)


def _alike(
    y: np.ndarray, hidden: np.ndarray, wave: np.ndarray, fs: float, shortest: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    """Samples (with fractions) at which the trace is like the wave, its size there, its correlation, and how clear.

    Clear is the usual height of the match over what it is elsewhere, in robust standard deviations.
    """
    from scipy.signal import find_peaks

    half = wave.size // 2
    inner = np.convolve(y, wave[::-1], "same")
    power = np.convolve(y**2, np.ones(wave.size), "same")
    own = float(np.sum(wave**2))
    likeness = inner / np.sqrt(np.maximum(power, 1e-300) * own)
    likeness[:half] = likeness[-half:] = 0.0
    likeness[hidden] = 0.0
    # of the candidates within one refractory time the largest is taken, small ones alike by chance
    score = np.where(likeness > _ALIKE, inner, 0.0)
    at, _ = find_peaks(score, height=0.1 * own, distance=max(round(shortest * fs), 1))
    exact = at + np.array([_vertex(inner, place) for place in at])
    rest = np.median(np.abs(inner[~hidden])) / 0.6745
    return exact, inner[at] / own, likeness[at], float(np.median(inner[at]) / rest) if at.size else 0.0


def _vertex(values: np.ndarray, place: int) -> float:
    """Offset of the top of the parabola through a peak and its neighbours."""
    left, middle, right = values[place - 1 : place + 2]
    curve = left - 2.0 * middle + right
    return float(np.clip(0.5 * (left - right) / curve, -0.5, 0.5)) if curve < 0 else 0.0


def _filled(
    at: np.ndarray, y: np.ndarray, hidden: np.ndarray, wave: np.ndarray, fs: float
) -> tuple[np.ndarray, np.ndarray]:
    """Beats with those between them that were not seen; which of all were seen well."""
    half = wave.size // 2
    intervals = np.diff(at)
    out, certain = list(at), [True] * at.size
    for k, interval in enumerate(intervals):
        near = intervals[max(k - 6, 0) : k + 7]
        usual = np.median(near[near < 1.4 * np.percentile(near, 30)])
        parts = round(interval / usual)
        if parts < 2 or parts > 6:
            continue
        for j in range(1, parts):
            guess = at[k] + j * interval / parts
            place, seen = _sought(guess, 0.12 * usual, y, hidden, wave)
            around = hidden[max(int(place) - half, 0) : int(place) + half + 1]
            if seen or around.any():
                out.append(place)
                certain.append(seen)
    order = np.argsort(out)
    return np.array(out)[order], np.array(certain)[order]


def _sought(guess: float, reach: float, y: np.ndarray, hidden: np.ndarray, wave: np.ndarray) -> tuple[float, bool]:
    """Where a beat near ``guess`` fits best what is seen of it, and whether that is enough to be sure."""
    half = wave.size // 2
    steep = np.abs(np.arange(-half, half + 1)) <= half * 2 // 3
    places = np.arange(round(guess - reach), round(guess + reach) + 1)
    places = places[(places >= half) & (places + half + 1 < y.size)]
    likeness = np.zeros(places.size)
    for k, place in enumerate(places):
        rows = slice(place - half, place + half + 1)
        seen = ~hidden[rows]
        if np.sum(wave[seen & steep] ** 2) < _SEEN * np.sum(wave[steep] ** 2):
            continue
        part, model = y[rows][seen], wave[seen]
        if 0.4 < part @ model / (model @ model) < 2.0:
            likeness[k] = part @ model / np.sqrt((part @ part) * (model @ model))
    if not likeness.size or likeness.max() < _ALIKE_USUALLY:
        return guess, False
    best = int(likeness.argmax())
    inner = 0 < best < places.size - 1 and likeness[best - 1] and likeness[best + 1]
    return float(places[best] + (_vertex(likeness, best) if inner else 0.0)), True
