"""Recordings of paired pulses without markers, and files of them, for the tests of markers and stated intervals."""

import mne
import numpy as np
import pandas as pd

from excitability.simulate import session

INTERVALS = (0.002, 0.003, 0.010, 0.100, 0.220)


def recorded(rate=5000.0, artefact="decay", intervals=INTERVALS, n=6, seed=2):
    """A recording without markers, its stimuli, and the true times of the last pulses."""
    single = {"pulse_count": 1.0, "inter_stimulus_interval": np.nan, "intensity": 60.0, "target": "M1"}
    single |= {"protocol": "m1/sici", "intensity_rmt": 120.0, "conditioning_intensity": np.nan}
    rows = [single] * n
    for interval in intervals:
        rows += [
            {**single, "pulse_count": 2.0, "inter_stimulus_interval": interval, "conditioning_intensity": 40.0}
        ] * n
    table = pd.DataFrame(rows).sample(frac=1, random_state=1).reset_index(drop=True)
    known = {"ratios": {"sici": dict.fromkeys(intervals, 0.6)}}
    raw, _ = session(table, channels={"RFDI": known, "LES": known}, sampling_rate=rate, artefact=artefact, seed=seed)
    onset = np.asarray(raw.annotations.onset)
    raw.set_annotations(None)
    return raw, table[["pulse_count", "inter_stimulus_interval", "intensity", "conditioning_intensity"]], onset


def saved(tmp_path, raw, onsets, names, form):
    raw.set_annotations(mne.Annotations(onsets, 0.0, names))
    path = tmp_path / ("rec_raw.fif" if form == "fif" else f"rec.{form}")
    with mne.utils.use_log_level("ERROR"):
        if form == "fif":
            raw.save(path, fmt="double")
        else:
            mne.export.export_raw(path, raw, fmt="brainvision" if form == "vhdr" else "edf")
    return path
