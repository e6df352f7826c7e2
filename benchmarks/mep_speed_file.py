"""From a BrainVision file to values: ours beside MNE, each in a process of its own.

    python benchmarks/mep_speed_file.py WAY recording.vhdr values.npz

runs one way and prints its CPU and wall time and the memory it took.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import mne
import numpy as np
import pandas as pd

import excitability as ex
from excitability.simulate import mep_trials

RATE, N_CHANNELS, N_PULSES = 5000, 64, 1000
MUSCLES = ("FDI", "APB", "ADM", "ECR")
RESOLUTION = 0.5  # µV a step
WINDOW = (0.015, 0.050)
EPOCH = (-0.1, 0.2)


def write_recording(path: Path, minutes: float, seed: int) -> None:
    """A BrainVision recording: 4 EMG channels with responses among EEG-like noise, a stimulus marker a pulse."""
    rng = np.random.default_rng(seed)
    n_samples = round(minutes * 60 * RATE)
    pulses = np.linspace(RATE, n_samples - RATE, N_PULSES).astype(int)
    trials = [mep_trials(N_PULSES, noise_rms=(4e-6, 8e-6), artefact="decay", seed=rng) for _ in MUSCLES]
    noise = rng.normal(0, 40, (RATE, N_CHANNELS)).astype("<i2")  # one second, turned by a different amount each time
    data = np.memmap(path.with_suffix(".eeg"), "<i2", "w+", shape=(n_samples, N_CHANNELS))
    for first in range(0, n_samples, RATE):
        stop = min(first + RATE, n_samples)
        data[first:stop] = np.roll(noise, int(rng.integers(RATE)), axis=0)[: stop - first]
    for channel, (x, times, _) in enumerate(trials):
        steps = np.clip(np.round(x / (RESOLUTION * 1e-6)), -32767, 32767).astype("<i2")
        data[:, channel] //= 4
        for pulse, trial in zip(pulses, steps, strict=True):
            begin = pulse + round(times[0] * RATE)
            data[begin : begin + len(trial), channel] = trial
    data.flush()
    path.write_text(_header(path), encoding="utf-8")
    marks = "".join(f"Mk{i + 2}=Stimulus,S  1,{pulse + 1},1,0\n" for i, pulse in enumerate(pulses))
    path.with_suffix(".vmrk").write_text(
        "BrainVision Data Exchange Marker File Version 1.0\n[Common Infos]\nCodepage=UTF-8\n"
        f"DataFile={path.stem}.eeg\n[Marker Infos]\nMk1=New Segment,,1,1,0\n{marks}",
        encoding="utf-8",
    )


def _header(path: Path) -> str:
    names = [*MUSCLES, *(f"E{i}" for i in range(len(MUSCLES), N_CHANNELS))]
    lines = "".join(f"Ch{i + 1}={name},,{RESOLUTION},µV\n" for i, name in enumerate(names))
    return (
        "BrainVision Data Exchange Header File Version 1.0\n[Common Infos]\nCodepage=UTF-8\n"
        f"DataFile={path.stem}.eeg\nMarkerFile={path.stem}.vmrk\nDataFormat=BINARY\nDataOrientation=MULTIPLEXED\n"
        f"NumberOfChannels={N_CHANNELS}\nSamplingInterval={1e6 / RATE:g}\n[Binary Infos]\nBinaryFormat=INT_16\n"
        f"[Channel Infos]\n{lines}"
    )


def _mne(path: Path, preload: bool) -> dict[str, np.ndarray]:
    raw = mne.io.read_raw_brainvision(path, preload=preload, verbose="ERROR")
    events, names = mne.events_from_annotations(raw, verbose="ERROR")
    pulses = events[events[:, 2] == names["Stimulus/S  1"]]
    epochs = mne.Epochs(raw, pulses, None, *EPOCH, picks=list(MUSCLES), baseline=None, preload=True, verbose="ERROR")
    x = epochs.get_data(copy=False)
    # the limits of our windows are counted in samples from the pulse, both included
    first, last = (round((limit - EPOCH[0]) * RATE) for limit in WINDOW)
    return {"mep_amplitude": np.ptp(x[:, :, first : last + 1], axis=2).T.ravel()}


def _ours(path: Path, trial: dict[str, dict] | None) -> dict[str, np.ndarray]:
    protocol = ex.load_protocol("m1/mep")
    if trial is not None:
        protocol = protocol.replace(trial=trial, reject={}, summary={})
    raw = ex.read(path, trigger="S  1")
    table = ex.trial_table(raw, protocol, picks=list(MUSCLES), muscles={name: name for name in MUSCLES})
    return {name: table[name].to_numpy(float) for name in protocol.trial}


_AMPLITUDE = {"mep_amplitude": {"window": WINDOW}}
WAYS: dict[str, tuple[str, Callable[[Path], dict[str, np.ndarray]]]] = {
    "preload": ("mne preload + mne.Epochs + numpy peak-to-peak", lambda path: _mne(path, True)),
    "lazy": ("mne without preload + mne.Epochs + numpy peak-to-peak", lambda path: _mne(path, False)),
    "amplitude": ("ex.read + ex.trial_table, mep_amplitude only", lambda path: _ours(path, _AMPLITUDE)),
    "table": ("ex.read + ex.trial_table, every measure of m1/mep", lambda path: _ours(path, None)),
    "read": ("ex.read alone", lambda path: {"n": _read(path, "S  1")}),
    "artefact": ("ex.read alone, trigger not named: confirmed by the artefact", lambda path: {"n": _read(path, None)}),
}


def _read(path: Path, trigger: str | None) -> np.ndarray:
    return np.array([len(ex.stimuli(ex.read(path, trigger=trigger)))])


def run_way(name: str, path: Path, values: Path) -> dict[str, float]:
    """One way, after a rehearsal on a short recording that compiles and imports what it needs."""
    with tempfile.TemporaryDirectory() as folder:
        short = Path(folder) / "short.vhdr"
        _shorten(path, short)
        WAYS[name][1](short)
    before = _peak()
    cpu, wall = time.process_time(), time.perf_counter()
    found = WAYS[name][1](path)
    answer = {
        "cpu_s": time.process_time() - cpu,
        "wall_s": time.perf_counter() - wall,
        "memory_mb": _peak() - before,
    }
    np.savez(values, **found)
    return answer


def _peak() -> float:
    """Most memory so far, MB. What getrusage says on Linux counts the program that started this one."""
    status = Path("/proc/self/status")
    if status.exists():
        return int(status.read_text().split("VmHWM:")[1].split()[0]) / 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


def _shorten(path: Path, short: Path, seconds: int = 20) -> None:
    """The first seconds of a recording."""
    n_bytes = seconds * RATE * N_CHANNELS * 2
    with path.with_suffix(".eeg").open("rb") as file:
        short.with_suffix(".eeg").write_bytes(file.read(n_bytes))
    for suffix in (".vhdr", ".vmrk"):
        lines = path.with_suffix(suffix).read_text(encoding="utf-8").replace(path.stem, short.stem).splitlines()
        late = [line for line in lines if "Stimulus" in line and int(line.split(",")[2]) > (seconds - 1) * RATE]
        short.with_suffix(suffix).write_text("\n".join(line for line in lines if line not in late), encoding="utf-8")


def file_to_table(minutes: float, seed: int, scratch: Path | None) -> tuple[pd.DataFrame, str]:
    """Every way on one recording; and whether the amplitudes are the same to the bit."""
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        path = Path(folder) / "recording.vhdr"
        write_recording(path, minutes, seed)
        rows, amplitudes = [], {}
        for name, (title, _) in WAYS.items():
            values = Path(folder) / f"{name}.npz"
            command = [sys.executable, __file__, name, str(path), str(values)]
            answer = subprocess.run(command, capture_output=True, text=True, check=False)
            if answer.returncode != 0:
                reason = answer.stderr.strip().splitlines()[-1] if answer.stderr.strip() else "no message"
                print(f"{title}: {reason}")
                rows.append({"what": f"{title}: failed"})
                continue
            rows.append({"what": title, **json.loads(answer.stdout.splitlines()[-1])})
            with np.load(values) as found:
                amplitudes[name] = found.get("mep_amplitude")
    table = pd.DataFrame(rows)
    for column in ("cpu", "wall"):
        table[f"{column}_ratio"] = table.loc[0, f"{column}_s"] / table[f"{column}_s"]
    return table, _same(amplitudes)


def _same(amplitudes: dict[str, np.ndarray | None]) -> str:
    ours, theirs = amplitudes.get("amplitude"), amplitudes.get("preload")
    if ours is None or theirs is None:
        return "The amplitudes could not be compared."
    if ours.shape != theirs.shape:
        return f"We found {ours.size} trials, MNE {theirs.size}."
    if np.array_equal(ours, theirs):
        return f"All {ours.size:,} amplitudes are the same to the bit."
    return f"Largest difference of amplitude: {np.nanmax(np.abs(ours - theirs)):.3g} V."


if __name__ == "__main__":
    way, recording, output = sys.argv[1:]
    print(json.dumps(run_way(way, Path(recording), Path(output))))
