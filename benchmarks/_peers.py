"""The environment of the peers, made on demand, and their detectors run in it as a program."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

_HERE = Path(__file__).resolve().parent
REQUIREMENTS = _HERE / "peers.txt"


def default_environment() -> Path:
    """Folder of the peers' environment: in the user's cache, never in the repository."""
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    return cache / "excitability-benchmarks" / "peers"


def peer_python(environment: Path, requirements: Path = REQUIREMENTS) -> Path:
    """Interpreter of the peers' environment; the environment is made when it is missing or out of date."""
    folder = "Scripts" if os.name == "nt" else "bin"
    python = environment / folder / "python"
    stamp = environment / "installed.txt"
    wanted = requirements.read_text(encoding="utf-8")
    if stamp.exists() and stamp.read_text(encoding="utf-8") == wanted:
        return python
    print(f"making the environment of the peers in {environment}", flush=True)
    subprocess.run([sys.executable, "-m", "venv", str(environment)], check=True)
    install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", str(requirements)]
    subprocess.run(install, check=True)
    stamp.write_text(wanted, encoding="utf-8")
    return python


@dataclass(frozen=True)
class Task:
    """Trials of one recording for the peers."""

    path: Path
    x: np.ndarray  # (n_trials, n_times), V
    times: np.ndarray
    window: tuple[float, float]
    onset_window: tuple[float, float]
    methods: tuple[str, ...]

    def save(self) -> None:
        """Write the trials where :mod:`peer_detectors` reads them."""
        np.savez(
            self.path,
            x=self.x.astype(np.float32),
            times=self.times,
            window=self.window,
            onset_window=self.onset_window,
            methods=np.array(self.methods),
        )

    def found(self) -> dict[str, tuple[np.ndarray, float]]:
        """Onsets (s, NaN without one) and CPU time (s) of each method."""
        with np.load(self.path.with_suffix(".found.npz")) as answer:
            return {name: (answer[name], float(answer[f"cpu {name}"])) for name in self.methods}


def run_peers(tasks: Sequence[Task], environment: Path, jobs: int = 1) -> None:
    """Let the peers search saved trials; their answers lie beside them afterwards."""
    python = peer_python(environment)
    single = {name: "1" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}
    shares = [[str(task.path) for task in tasks[k::jobs]] for k in range(jobs)]
    running = [
        subprocess.Popen([str(python), str(_HERE / "peer_detectors.py"), *share], env={**os.environ, **single})
        for share in shares
        if share
    ]
    failed = [process.args for process in running if process.wait() != 0]
    if failed:
        raise RuntimeError(f"the peers' program failed: {failed[0][:3]}")
