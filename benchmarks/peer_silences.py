"""Runs INSIDE the peers' environment: reads trials, lets a peer find their silent periods, writes the ends.

    python peer_silences.py TRIALS.npz ...

Each file holds ``x`` (n_trials, n_times) in volts and ``times`` (s from the pulse). Beside it ``TRIALS.found.npz`` is
written: ``end`` (s, NaN where none was reported) and ``cpu`` (s). mep-cmap-analyser's detector is called with its
defaults, in millivolts, from the later extreme between 10 and 60 ms on, as its pipeline does.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import matplotlib as mpl
import numpy as np

mpl.use("Agg")
import matplotlib.figure  # noqa: F401  (mep-cmap-analyser 1.4.7 needs it imported by its caller)
from mep_cmap.detection import csp_detection


def ends_of(x, times):
    """End of each silent period in seconds. ``x`` in millivolts."""
    rate = 1 / np.median(np.diff(times))
    settings = csp_detection.CspSettings()
    inside = np.flatnonzero((times >= 0.010) & (times <= 0.060))
    found = []
    for trial in x:
        part = trial[inside]
        peak = times[inside[max(part.argmax(), part.argmin())]]
        truncated = []
        answer = csp_detection.detect_csp_for_trial(
            trial,
            rate,
            1e3 * times,
            settings,
            second_peak_ms=1e3 * peak,
            pre_ms=-1e3 * times[0],
            truncated_out=truncated,
        )
        if answer is None or any(truncated):  # it says that the end is a lower bound
            found.append(np.nan)
        else:
            found.append(times[min(int(answer[1]), times.size - 1)])
    return np.array(found)


def main(paths):
    """Search every file."""
    for number, path in enumerate(map(Path, paths)):
        with np.load(path) as task:
            x, times = 1e3 * task["x"].astype(float), task["times"]
        if number == 0:
            ends_of(x[:3], times)  # imports and caches are not the method's time
        start = time.process_time()
        end = ends_of(x, times)
        np.savez(path.with_suffix(".found.npz"), end=end, cpu=time.process_time() - start)


if __name__ == "__main__":
    main(sys.argv[1:])
