"""Runs INSIDE the peers' environment: reads trials, lets each method of a peer search them, writes the onsets.

    python peer_detectors.py TRIALS.npz ...

Each file holds ``x`` (n_trials, n_times) in volts, ``times`` (s from the pulse), ``window`` (where the response may
lie, s), ``onset_window`` (where it may begin, s) and ``methods``. Beside it ``TRIALS.found.npz`` is written: for each
method the onsets in seconds (NaN where none was reported) and its CPU time. The peers are called as their users
would call them, with the settings that they document for such a recording.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import matplotlib as mpl
import numpy as np

mpl.use("Agg")
import matplotlib.figure  # noqa: F401  (mep-cmap-analyser 1.4.7 needs it imported by its caller)
from mep_cmap import pipeline
from mep_cmap.detection import dispatch

MILLIVOLTS = 1e3
PIPELINE = " default pipeline"  # its filters, then the method, as its graphical interface does


def search(method, x, times, window, onset_window):
    """Onsets in seconds of one method, NaN where it reports none. ``x`` in millivolts."""
    rate = 1 / np.median(np.diff(times))
    name = method.removeprefix("mep-cmap ")
    before = -1e3 * times[0]
    if name.endswith(PIPELINE):
        settings = pipeline.PipelineConfig(
            pre_ms=before,
            post_ms=1e3 * (times[-1] + 1 / rate),
            onset_method=name.removesuffix(PIPELINE),
            apply_filter=True,
            latency_map={"A": tuple(1e3 * np.array(onset_window))},
        )
        filtered = pipeline.pipeline_apply_filters(x.ravel(), rate, settings).reshape(x.shape)
        first, last = (round((limit - times[0]) * rate) for limit in window)
        found = pipeline.pipeline_detect_onsets(
            "A", filtered, set(), first, last, rate, settings, log_callback=lambda *_: None
        )
        answers = [found.get(trial) for trial in range(len(x))]
    else:
        template = np.median(x, axis=0)
        answers = [
            dispatch.dispatch_onset(
                trial,
                rate,
                {"onset_method": name},
                pre_ms=before,
                search_start_ms=1e3 * window[0],
                search_end_ms=1e3 * window[1],
                min_latency_ms=1e3 * onset_window[0],
                max_latency_ms=1e3 * onset_window[1],
                template=template,
            )
            for trial in x
        ]
    return np.array([np.nan if answer is None else 1e-3 * answer for answer in answers], dtype=float)


def main(paths):
    """Search every file."""
    warm = set()
    for path in map(Path, paths):
        with np.load(path) as task:
            x = task["x"].astype(float) * MILLIVOLTS
            times, window, onset_window = task["times"], task["window"], task["onset_window"]
            methods = [str(name) for name in task["methods"]]
        answers = {}
        for method in methods:
            if method not in warm:  # imports and caches are not the method's time
                search(method, x[:4], times, window, onset_window)
                warm.add(method)
            start = time.process_time()
            answers[method] = search(method, x, times, window, onset_window)
            answers[f"cpu {method}"] = time.process_time() - start
        np.savez(path.with_suffix(".found.npz"), **answers)


if __name__ == "__main__":
    main(sys.argv[1:])
