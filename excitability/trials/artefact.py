"""Pulses found by the artefact they leave in the recording itself."""

from __future__ import annotations

import mne
import numpy as np

#: Robust standard deviations of the slope beyond which a sample can belong to a pulse artefact.
THRESHOLD = 12.0


def find_artefacts(raw: mne.io.BaseRaw, *, threshold: float = THRESHOLD, quiet: float = 0.3) -> np.ndarray:
    """Times at which every channel jumps at once, as it does when a coil discharges.

    The slope of each EMG and EEG channel is expressed in its own robust standard deviations; the artefact is
    where the *geometric mean over channels* is large, so a movement of one muscle, or its motor evoked
    potential, does not count. Of each burst of large slopes the first sample is taken.

    Parameters
    ----------
    raw : Raw
    threshold : float
        Least mean slope in robust standard deviations.
    quiet : float
        A pulse follows at least this long (s) after the one before; both pulses of a pair are one burst.

    Returns
    -------
    ndarray, shape (n_pulses,)
        Seconds from the start of the recording.
    """
    picks = mne.pick_types(raw.info, meg=False, emg=True, eeg=True, exclude=[])
    if not picks.size:
        return np.empty(0)
    score = np.zeros(raw.n_times)
    used = 0
    for pick in picks:
        slope = np.abs(np.diff(raw.get_data(picks=[pick])[0], prepend=np.nan))
        spread = np.nanmedian(slope) / 0.6745
        if not spread > 0:  # a flat or heavily quantised channel: half its slopes are zero
            spread = np.sqrt(np.nanmean(np.square(slope)))
        if spread > 0 and np.isfinite(spread):
            score += np.log(np.maximum(np.nan_to_num(slope) / spread, 1e-3))
            used += 1
    if not used:
        return np.empty(0)
    large = np.flatnonzero(score / used > np.log(threshold))
    if not large.size:
        return np.empty(0)
    starts = large[np.r_[True, np.diff(large) > quiet * raw.info["sfreq"]]]
    heights = np.array([score[s : s + int(0.01 * raw.info["sfreq"]) + 1].max() / used for s in starts])
    # pulses of one session resemble one another: a burst a tenth of the usual size is something else
    return starts[heights > np.median(heights) - np.log(10)] / raw.info["sfreq"]
