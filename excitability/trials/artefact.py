"""Pulses found by the artefact they leave in the recording itself."""

from __future__ import annotations

import mne
import numpy as np
from scipy.ndimage import maximum_filter1d

#: Robust standard deviations of the slope beyond which a sample of a single channel can belong to a pulse artefact,
#: the least that many channels together need (noise is never large on all of them at once), and the most that one of
#: several channels can add: a large evoked potential of one muscle must not count for all.
THRESHOLD, LEAST, CAP = 12.0, 6.0, 24.0


def find_artefacts(raw: mne.io.BaseRaw, *, threshold: float | None = None, quiet: float = 0.3) -> np.ndarray:
    """Times at which every channel jumps at once, as it does when a coil discharges.

    The slope of each EMG and EEG channel is expressed in its own robust standard deviations; the artefact is
    where the *geometric mean over channels* is large, so a movement of one muscle, or its motor evoked
    potential, does not count. Amplifiers delay the artefact by a sample or two: each channel may be largest
    anywhere within three samples. Of each burst of large slopes the steepest sample of its first millisecond is taken.

    Parameters
    ----------
    raw : Raw
    threshold : float, optional
        Least mean slope in robust standard deviations; by default 12 for one channel, and less for several.
    quiet : float
        A pulse follows at least this long (s) after the one before; both pulses of a pair are one burst.

    Returns
    -------
    ndarray, shape (n_pulses,)
        Seconds from the start of the recording.
    """
    rate = raw.info["sfreq"]
    score, used = _mean_slope(raw)
    if not used:
        return np.empty(0)
    least = threshold or max(LEAST, THRESHOLD / np.sqrt(used))
    large = np.flatnonzero(score > np.log(least))
    if not large.size:
        return np.empty(0)
    starts = large[np.r_[True, np.diff(large) > quiet * rate]]
    reach = max(int(0.001 * rate), 3)
    steepest = np.array([start + score[start : start + reach].argmax() for start in starts])
    heights = np.array([score[start : start + int(0.01 * rate) + 1].max() for start in starts])
    # pulses of one session resemble one another: a burst a tenth of the usual size is something else
    return steepest[heights > np.median(heights) - np.log(10)] / rate


def _mean_slope(raw: mne.io.BaseRaw) -> tuple[np.ndarray, int]:
    """Mean over channels of the log slope in robust standard deviations, and the number of channels."""
    total = np.zeros(raw.n_times)
    used = 0
    picks = mne.pick_types(raw.info, meg=False, emg=True, eeg=True, exclude=[])
    most = CAP if len(picks) > 1 else np.inf
    for pick in picks:
        slope = np.abs(np.diff(raw.get_data(picks=[pick])[0], prepend=np.nan))
        spread = np.nanmedian(slope) / 0.6745
        if not spread > 0:  # a flat or heavily quantised channel: half its slopes are zero
            spread = np.sqrt(np.nanmean(np.square(slope)))
        if spread > 0 and np.isfinite(spread):
            slope = np.nan_to_num(slope) / spread
            total += np.log(np.clip(maximum_filter1d(slope, size=3), 1e-3, most))
            used += 1
    return total / max(used, 1), used


def artefact_offsets(raw: mne.io.BaseRaw, onsets: np.ndarray, *, reach: float = 0.005, most: int = 40) -> np.ndarray:
    """Time from each marker to the artefact within ``reach`` of it, NaN where there is none.

    Only the samples around the markers are read, so a long recording costs no more than a short one.

    Parameters
    ----------
    raw : Raw
    onsets : ndarray, shape (n_markers,)
        Seconds from the start of the recording.
    reach : float
        Farthest an artefact may lie from its marker (s).
    most : int
        Markers looked at, spread over the recording.

    Returns
    -------
    ndarray, shape (min(n_markers, most),)
    """
    rate = raw.info["sfreq"]
    picks = mne.pick_types(raw.info, meg=False, emg=True, eeg=True, exclude=[])
    if not picks.size:
        return np.full(min(len(onsets), most), np.nan)
    cap = CAP if len(picks) > 1 else np.inf
    least = np.log(max(LEAST, THRESHOLD / np.sqrt(len(picks))))
    offsets = []
    for onset in np.asarray(onsets)[np.unique(np.linspace(0, len(onsets) - 1, min(len(onsets), most)).astype(int))]:
        middle, near = round(onset * rate), max(round(reach * rate), 2)
        start = max(middle - round(0.1 * rate), 0)
        slope = np.abs(np.diff(raw.get_data(picks=picks, start=start, stop=min(middle + near + 3, raw.n_times))))
        quiet = max(middle - near - 1 - start, 0)
        if quiet < 10 or slope.shape[1] <= quiet:
            offsets.append(np.nan)
            continue
        spread = np.median(slope[:, :quiet], axis=1, keepdims=True) / 0.6745
        ratio = np.divide(slope, spread, out=np.zeros_like(slope), where=spread > 0)
        score = np.log(np.clip(maximum_filter1d(ratio, size=3, axis=1), 1e-3, cap)).mean(axis=0)[quiet:]
        found = np.flatnonzero(score > least)
        offsets.append((start + quiet + found[0] + 1) / rate - onset if found.size else np.nan)
    return np.array(offsets)
