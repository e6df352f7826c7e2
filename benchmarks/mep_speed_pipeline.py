"""A whole recording, from an EDF file to results: ours beside mep-cmap-analyser's pipeline."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd
from _peers import peer_python

import excitability as ex
from excitability.simulate import mep_trials

RATE = 5000
TRIALS, REHEARSAL = 200, 10
_LEAD, _SPACING = 0.15, 0.5  # s; a trial of half a second begins this long before its pulse


def write_edf(path: Path, n: int, seed: int) -> None:
    """One EMG channel in mV, a pulse every half second, marked by the annotation "A"."""
    import edfio

    x, _, _ = mep_trials(n, tmin=-_LEAD, tmax=_SPACING - _LEAD, noise_rms=(4e-6, 8e-6), seed=seed)
    signal = edfio.EdfSignal(1e3 * x.ravel(), RATE, label="FDI", physical_dimension="mV", physical_range=(-12, 12))
    marks = [edfio.EdfAnnotation(_LEAD + _SPACING * i, None, "A") for i in range(n)]
    edfio.Edf([signal], annotations=marks).write(path)


def _ours(path: Path) -> None:
    raw = ex.read(path, trigger="A")
    ex.trial_table(raw, "m1/mep", picks=["FDI"])
    ex.run(raw, "m1/mep", picks=["FDI"])


def pipelines(seed: int, environment: Path) -> pd.DataFrame:
    """CPU and wall time of both, each after a rehearsal on a short recording."""
    with tempfile.TemporaryDirectory() as folder:
        short, path = Path(folder) / "sub-01_short.edf", Path(folder) / "sub-01_mep.edf"
        write_edf(short, REHEARSAL, seed + 1)
        write_edf(path, TRIALS, seed)
        _ours(short)
        cpu, wall = time.process_time(), time.perf_counter()
        _ours(path)
        ours = {"cpu_s": time.process_time() - cpu, "wall_s": time.perf_counter() - wall}
        program = Path(__file__).with_name("peer_pipeline.py")
        command = [str(peer_python(environment)), str(program), str(short), str(path)]
        answer = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)
    if answer.returncode != 0:
        sys.stderr.write(answer.stderr)
        raise RuntimeError("mep-cmap-analyser's pipeline failed; its message is above")
    theirs = json.loads(answer.stdout.splitlines()[-1])
    table = pd.DataFrame(
        [
            {"what": "mep-cmap run_pipeline, bigoni", **theirs},
            {"what": "ex.read + ex.trial_table + ex.run, m1/mep", **ours},
        ]
    )
    table["trials_a_cpu_second"] = TRIALS / table["cpu_s"]
    return table.assign(cpu_ratio=theirs["cpu_s"] / table["cpu_s"], wall_ratio=theirs["wall_s"] / table["wall_s"])
