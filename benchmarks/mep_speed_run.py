"""What a user waits for: runs of short and long recordings, the first one in a process, on a new machine, and the help.

    python benchmarks/mep_speed_run.py N_TRIALS

prints the CPU time of the first two runs of a fresh process on a recording of one channel.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import mne
import numpy as np
import pandas as pd
from _common import cpu_seconds

import excitability as ex
from excitability.simulate import mep_trials

RATE = 5000
LENGTHS = (20, 100, 1000, 4000)  # trials of a recording
_TRIAL = (-0.25, 0.75)  # s around each pulse


def recording(n: int, seed: int) -> mne.io.BaseRaw:
    """One EMG channel in memory with ``n`` pulses, one a second."""
    x, _, _ = mep_trials(n, tmin=_TRIAL[0], tmax=_TRIAL[1], noise_rms=(4e-6, 8e-6), artefact="decay", seed=seed)
    raw = mne.io.RawArray(x.reshape(1, -1), mne.create_info(["FDI"], RATE, "emg"), verbose="ERROR")
    onset = [(i * x.shape[1] - _TRIAL[0] * RATE) / RATE for i in range(n)]
    return ex.set_stimuli(raw, pd.DataFrame({"onset": onset}))


def by_length(
    table: Callable[[np.ndarray, np.ndarray], object], seed: int, lengths: Sequence[int] = LENGTHS
) -> pd.DataFrame:
    """Windows a second of the trial table alone, and CPU time of ``ex.run``, by the number of trials of a recording."""
    trials = {n: mep_trials(n, noise_rms=(4e-6, 8e-6), artefact="decay", seed=seed)[:2] for n in lengths}
    raws = {n: recording(n, seed) for n in lengths}
    tasks: dict[str, Callable[[], object]] = {}
    for n in lengths:
        tasks[f"table {n}"] = lambda given=trials[n]: table(*given)
        tasks[f"run {n}"] = lambda raw=raws[n]: ex.run(raw, "m1/mep")
    seconds = cpu_seconds(tasks, 7)
    return pd.DataFrame(
        [
            {
                "trials": n,
                "trial_table_windows_a_second": n / seconds[f"table {n}"],
                "run_cpu_s": seconds[f"run {n}"],
                "run_trials_a_cpu_second": n / seconds[f"run {n}"],
            }
            for n in lengths
        ]
    )


def first_runs(n: int = 100) -> pd.DataFrame:
    """CPU and wall time of the first run in a process, with compiled code at hand and without, and of the help."""
    with tempfile.TemporaryDirectory() as cache:
        environment = {**os.environ, "NUMBA_CACHE_DIR": cache}
        command = [sys.executable, __file__, str(n)]
        new, known = (_answer(command, environment) for _ in range(2))
    rows = [
        {"what": f"ex.run on {n} trials, first on a new machine: everything compiled", **new["first"]},
        {"what": f"ex.run on {n} trials, first in a process: libraries and compiled code loaded", **known["first"]},
        {"what": f"ex.run on {n} trials, again", **known["again"]},
        {"what": "excitability --help", **_help()},
    ]
    return pd.DataFrame(rows)


def _answer(command: list[str], environment: dict[str, str]) -> dict[str, dict[str, float]]:
    answer = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    return json.loads(answer.stdout.splitlines()[-1])


def _help(repeats: int = 5) -> dict[str, float]:
    """Least CPU and wall time of the help, a process each."""
    best = {"cpu_s": float("inf"), "wall_s": float("inf")}
    command = [str(Path(sys.executable).with_name("excitability")), "--help"]
    for _ in range(repeats):
        before, wall = os.times(), time.perf_counter()
        subprocess.run(command, capture_output=True, check=True)
        after = os.times()
        used = after.children_user + after.children_system - before.children_user - before.children_system
        best = {"cpu_s": min(best["cpu_s"], used), "wall_s": min(best["wall_s"], time.perf_counter() - wall)}
    return best


def _timed(task: Callable[[], object]) -> dict[str, float]:
    cpu, wall = time.process_time(), time.perf_counter()
    task()
    return {"cpu_s": time.process_time() - cpu, "wall_s": time.perf_counter() - wall}


if __name__ == "__main__":
    raw = recording(int(sys.argv[1]), 1)
    print(json.dumps({name: _timed(lambda: ex.run(raw, "m1/mep")) for name in ("first", "again")}))
