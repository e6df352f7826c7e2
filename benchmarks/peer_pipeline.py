"""Runs INSIDE the peers' environment: mep-cmap-analyser's whole pipeline on EDF files; prints the CPU time of the last.

    python peer_pipeline.py REHEARSAL.edf RECORDING.edf

The call is the documented one, without figures of single trials and without the dialogue for outliers.
"""

from __future__ import annotations

import json
import sys
import time

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.figure
import matplotlib.pyplot  # noqa: F401  (the pipeline needs both imported by its caller)
from mep_cmap import pipeline


def run(path):
    """Run the pipeline once; CPU and wall time."""
    cpu, wall = time.process_time(), time.perf_counter()
    pipeline.run_pipeline(
        path,
        100,
        200,
        10,
        50,
        prestim_ms=100,
        apply_humbug=False,
        apply_filter=True,
        apply_bandpass=True,
        apply_notch=False,
        highpass=20,
        lowpass=450,
        notch_freq=50,
        notch_q=30,
        filter_order=2,
        enable_individual_plots=False,
        enable_outlier_review=False,
        onset_method="bigoni",
        latency_map={"A": (18.0, 30.0)},
    )
    return {"cpu_s": time.process_time() - cpu, "wall_s": time.perf_counter() - wall}


if __name__ == "__main__":
    print(json.dumps([run(path) for path in sys.argv[1:]][-1]))
