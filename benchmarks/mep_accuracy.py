"""Detection and onset of MEPs with known truth: ours beside the peers and published methods.

About six minutes on two cores, and half a minute more the first time, to install the peers:

    python benchmarks/mep_accuracy.py
    python benchmarks/mep_accuracy.py --trials 150 --no-peers

writes ``benchmarks/results/mep_accuracy_<date>.tsv`` (every cell) and ``.md`` (the tables people look at). Each cell is
a kind of trial; its trials come from several simulated recordings, and every method sees one recording at a time.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
from _common import RESULTS, one_thread, provenance, write
from _peers import Task, default_environment, run_peers
from held_out_simulator import held_out_trials
from mep_accuracy_pages import NETWORK_WHERE_OURS, OURS, pages
from published_methods import DelmepLike, bigoni, fifty_microvolts, five_deviations
from reference_simulator import reference_trials

from excitability.measures import mep_amplitude, mep_amplitude_corrected, mep_latency, mep_probability
from excitability.resources import muscle as find_muscle
from excitability.simulate import mep_trials

PACKAGE = ("template", "motor_units", "volley")
GENERATORS = (*PACKAGE, "reference", "held out")
NOISE = {"noisy": (10e-6, 20e-6), "quiet": (3e-6, 6e-6), "active": (50e-6, 200e-6)}
WHOLE = ("mep-cmap rms_envelope", "mep-cmap bigoni", "mep-cmap cusum", "mep-cmap bigoni default pipeline")
# the slower ones, or those that the others cover, search the first recordings of a cell only
PART = ("mep-cmap methods_median", "mep-cmap boyles", "mep-cmap bigoni_walkback", "mep-cmap cusum default pipeline")
PART_RECORDINGS = 2


@dataclass(frozen=True)
class Cell:
    """A kind of trial."""

    generator: str
    background: str = "noisy"
    artefact: str = "decay"
    rate: float = 5000.0
    muscle: str = "FDI"
    amplitude: float = 0.6e-3
    noise: tuple[float, float] = (0.0, 0.0)
    disturbance: str = "usual"
    no_response: float = 0.2


def cells() -> list[Cell]:
    """Every cell of the table."""
    found = [Cell(generator, background) for background in ("noisy", "quiet") for generator in GENERATORS]
    found += [Cell(generator, "active", amplitude=1.5e-3) for generator in GENERATORS]
    found += [Cell(generator, rate=rate) for rate in (2000.0, 3000.0, 10000.0) for generator in GENERATORS]
    wide = (*PACKAGE, "held out")  # the reference simulator knows one artefact and one muscle
    found += [Cell(generator, artefact=kind) for kind in ("none", "ringing", "saturation") for generator in wide]
    found += [Cell(name, "quiet", kind) for kind in ("ringing", "saturation") for name in ("motor_units", "held out")]
    found += [Cell(generator, muscle="TA") for generator in wide]
    found += [Cell(generator, "active", muscle="ES", noise=(30e-6, 80e-6)) for generator in wide]
    found += [Cell("held out", background, "recovery") for background in ("noisy", "quiet")]
    calm = {"generator": "held out", "artefact": "none", "noise": (5e-6, 10e-6), "no_response": 2 / 3}
    found += [Cell(**calm, disturbance=kind) for kind in ("motor unit", "bursts", "drift", "mains")]
    found.append(Cell(**calm, muscle="ES", disturbance="heartbeat"))
    return found


@dataclass
class Recording:
    """Trials of one simulated person, and what each method found in them."""

    cell: Cell
    x: np.ndarray
    times: np.ndarray
    truth: pd.DataFrame
    found: dict[str, np.ndarray] = field(default_factory=dict)
    cpu: dict[str, float] = field(default_factory=dict)
    probability: np.ndarray = field(default_factory=lambda: np.empty(0))


def simulate(cell: Cell, n: int, seed: np.random.SeedSequence) -> Recording:
    """One recording of a cell."""
    rng = np.random.default_rng(seed)
    common = {"sampling_rate": cell.rate, "noise_rms": cell.noise if any(cell.noise) else NOISE[cell.background]}
    common |= {"amplitude_median": cell.amplitude, "no_response": cell.no_response}
    active = cell.background == "active"
    if cell.generator == "reference":
        return Recording(cell, *reference_trials(n, seed=rng, active=active, **common))
    background = "active" if active else "rest"
    if cell.generator == "held out":
        common |= {"artefact": cell.artefact, "muscle": cell.muscle, "background": background}
        common["disturbance"] = cell.disturbance
        return Recording(cell, *held_out_trials(n, seed=rng, **common))
    names = {"generator": cell.generator, "artefact": cell.artefact, "muscle": cell.muscle, "background": background}
    return Recording(cell, *mep_trials(n, seed=rng, **names, **common))


def windows(cell: Cell) -> tuple[tuple[float, float], tuple[float, float]]:
    """Response and onset window that the peers and published methods get: theirs for a hand, ours for others."""
    if cell.muscle == "FDI":
        return (0.010, 0.050), (0.018, 0.030)
    found = find_muscle(cell.muscle)
    return found.window, found.onset_window


def search(recording: Recording, published: dict[str, Callable]) -> None:
    """Ours and the published methods on one recording."""
    x, times, cell = recording.x, recording.times, recording.cell
    mep_latency(x[:4], times, window=cell.muscle)  # tables that belong to a rate are made once
    start = time.process_time()
    recording.found[OURS] = mep_latency(x, times, window=cell.muscle)
    recording.cpu[OURS] = time.process_time() - start
    recording.probability = mep_probability(x, times, window=cell.muscle)
    for name, method in published.items():
        if name.startswith("DELMEP") and cell.muscle != "FDI":
            continue
        start = time.process_time()
        recording.found[name] = method(x, times, windows(cell)[0])
        recording.cpu[name] = time.process_time() - start
        if name.startswith("DELMEP"):
            recording.found[NETWORK_WHERE_OURS] = np.where(
                np.isfinite(recording.found[OURS]), recording.found[name], np.nan
            )
            recording.cpu[NETWORK_WHERE_OURS] = recording.cpu[OURS] + recording.cpu[name]


def search_by_peers(recordings: list[Recording], environment: Path, per_cell: int) -> None:
    """The peers' detectors, in their own environment, two programs at a time."""
    with tempfile.TemporaryDirectory() as folder:
        tasks = []
        for number, recording in enumerate(recordings):
            window, onset_window = windows(recording.cell)
            some = number % per_cell < PART_RECORDINGS and recording.cell.disturbance == "usual"
            methods = WHOLE + (PART if some else ())
            path = Path(folder) / f"{number:04d}.npz"
            tasks.append(Task(path, recording.x, recording.times, window, onset_window, methods))
            tasks[-1].save()
        run_peers(tasks, environment, jobs=2)
        for recording, task in zip(recordings, tasks, strict=True):
            for name, (onset, cpu) in task.found().items():
                recording.found[name], recording.cpu[name] = onset, cpu


def score(recordings: list[Recording], method: str) -> dict[str, float]:
    """Figures of one method over recordings of one cell, or of several cells."""
    mine = [recording for recording in recordings if method in recording.found]
    present = np.concatenate([r.truth["present"].to_numpy() for r in mine])
    truth = np.concatenate([r.truth["onset"].to_numpy() for r in mine])
    found = np.concatenate([r.found[method] for r in mine])
    person = np.repeat(np.arange(len(mine)), [len(r.x) for r in mine])
    hit = present & np.isfinite(found)
    error = 1e3 * (found[hit] - truth[hit])
    figures = {
        "n": len(present),
        "n_mep": int(present.sum()),
        "n_empty": int((~present).sum()),
        "detection": np.mean(np.isfinite(found[present])),
        "false_positives": np.mean(np.isfinite(found[~present])),
        "bias_ms": np.nan,
        "median_error_ms": np.nan,
        "p95_error_ms": np.nan,
        "within_1_ms": np.sum(np.abs(error) <= 1.0) / present.sum(),
        "correlation": np.nan,
    }
    if method == "50 uV criterion":  # says whether, not when
        figures["within_1_ms"] = np.nan
    elif hit.sum() > 10:
        figures["bias_ms"] = np.median(error)
        figures["median_error_ms"], figures["p95_error_ms"] = np.quantile(np.abs(error), [0.5, 0.95])
        figures["correlation"] = _within(found[hit], truth[hit], person[hit])
    figures["cpu_s_per_1000"] = 1e3 * sum(r.cpu[method] for r in mine) / len(present)
    return figures


def _within(found: np.ndarray, truth: np.ndarray, person: np.ndarray) -> float:
    """Correlation after each recording's mean is taken from both."""
    count = np.bincount(person)
    a, b = (v - (np.bincount(person, v) / np.maximum(count, 1))[person] for v in (found, truth))
    return float(np.sum(a * b) / np.sqrt(np.sum(a**2) * np.sum(b**2)))


def table_of(recordings: list[Recording]) -> pd.DataFrame:
    """One row a cell and method."""
    rows = []
    for cell, mine in by_cell(recordings):
        names = dict.fromkeys(name for recording in mine for name in recording.found)
        for name in names:
            place = {
                "method": name,
                "generator": cell.generator,
                "background": cell.background,
                "artefact": cell.artefact,
                "rate": cell.rate,
                "muscle": cell.muscle,
                "disturbance": cell.disturbance,
            }
            rows.append({**place, **score(mine, name)})
    return pd.DataFrame(rows)


def by_cell(recordings: list[Recording]) -> Iterator[tuple[Cell, list[Recording]]]:
    """Recordings of each cell."""
    for cell in dict.fromkeys(recording.cell for recording in recordings):
        yield cell, [recording for recording in recordings if recording.cell == cell]


def main() -> None:
    """Simulate, search, score, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=500, help="trials a cell")
    parser.add_argument("--recordings", type=int, default=5, help="recordings the trials of a cell come from")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--no-peers", action="store_true", help="only ours and the published methods")
    parser.add_argument("--environment", type=Path, default=default_environment(), help="of the peers")
    parser.add_argument("--output", type=Path, default=RESULTS)
    options = parser.parse_args()
    one_thread()
    head = provenance(options.seed)
    head["trials"] = (
        f"{options.trials} a cell, from {options.recordings} recordings; three times that under a disturbance"
    )
    kinds = cells()
    seeds = iter(np.random.SeedSequence(options.seed).spawn(len(kinds) * options.recordings))
    published = {
        "Bigoni (published)": bigoni,
        "DELMEP-like network": DelmepLike(options.seed),
        "5 SD (published)": five_deviations,
        "50 uV criterion": fifty_microvolts,
    }
    per_recording = options.trials // options.recordings
    search(simulate(kinds[0], 20, np.random.SeedSequence(0)), published)  # compile before the clock runs
    recordings = []
    for cell in kinds:
        # false positives are rare: as many trials as tell half a per cent from two
        n = per_recording * (1 if cell.disturbance == "usual" else 3)
        for _ in range(options.recordings):
            recordings.append(simulate(cell, n, next(seeds)))
            search(recordings[-1], published)
    print(f"{len(recordings)} recordings of {len(kinds)} kinds searched by us; now the peers", flush=True)
    if not options.no_peers:
        search_by_peers(recordings, options.environment, options.recordings)
    table = table_of(recordings)
    measured = amplitudes(recordings)
    sections = pages(table, recordings, score, measured)
    title = "MEP detection and onset latency, simulated trials with known truth"
    for path in write("mep_accuracy", title, head, table, sections, options.output):
        print(f"wrote {path}")


def amplitudes(recordings: list[Recording]) -> pd.DataFrame:
    """Size of every trial at rest, measured in three ways, with the truth and the noise (V)."""
    parts = []
    for recording in recordings:
        cell, x, times = recording.cell, recording.x, recording.times
        if (cell.muscle, cell.artefact, cell.rate, cell.disturbance) != ("FDI", "decay", 5000, "usual"):
            continue
        if cell.background == "active":
            continue
        inside = (times >= 0.010) & (times < 0.050)
        part = recording.truth[["amplitude", "noise_rms"]].assign(generator=cell.generator)
        part["max - min, 10 to 50 ms"] = np.ptp(x[:, inside], axis=1)
        part["mep_amplitude"] = mep_amplitude(x, times, window="FDI")
        part["mep_amplitude_corrected"] = mep_amplitude_corrected(x, times, window="FDI")
        parts.append(part)
    return pd.concat(parts, ignore_index=True)


if __name__ == "__main__":
    main()
