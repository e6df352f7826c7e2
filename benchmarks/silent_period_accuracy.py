"""End of the silent period with known truth: ours, the rules in use and the peer, on three constructions.

Under three minutes on two cores:

    python benchmarks/silent_period_accuracy.py
    python benchmarks/silent_period_accuracy.py --trials 60 --no-peers

writes ``benchmarks/results/silent_period_accuracy_<date>.tsv`` (every cell) and ``.md``.
"""

from __future__ import annotations

import argparse
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
from _common import RESULTS, one_thread, provenance, write
from _peers import default_environment, peer_python
from silence_simulator import gated_noise

from excitability.measures import (
    ipsilateral_silent_period,
    list_silent_period_methods,
    silent_period,
    silent_period_average,
    silent_period_summary,
)
from excitability.measures.silent_period import silent_period_flags
from excitability.simulate import silent_period_trials
from excitability.simulate.background import active_background

OURS, PEER = "excitability", "mep-cmap 1.4.7"
BACKGROUNDS = {"20-40": (20e-6, 40e-6), "50-100": (50e-6, 100e-6), "100-200": (100e-6, 200e-6)}
CONSTRUCTIONS = ("interference pattern, 8 ms ramp", "motor units, one by one", "gated noise, at once")


@dataclass
class Cell:
    """A kind of trial, what was simulated and what each method found."""

    construction: str
    background: str = "50-100"
    rate: float = 5000.0
    special: str = ""
    x: np.ndarray = field(default_factory=lambda: np.empty((0, 0)))
    times: np.ndarray = field(default_factory=lambda: np.empty(0))
    truth: np.ndarray = field(default_factory=lambda: np.empty(0))
    found: dict[str, np.ndarray] = field(default_factory=dict)
    cpu: dict[str, float] = field(default_factory=dict)

    def simulate(self, n: int, seed: np.random.SeedSequence) -> None:
        """Trials of four simulated people."""
        parts = [self._person(n // 4, child) for child in seed.spawn(4)]
        self.x, self.truth = (np.concatenate([part[k] for part in parts]) for k in (0, 2))
        self.times = parts[0][1]

    def _person(self, n: int, seed: np.random.SeedSequence) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        background, rng = BACKGROUNDS[self.background], np.random.default_rng(seed)
        none = {"no return": 0.3}.get(self.special, 0.0)
        if self.construction == CONSTRUCTIONS[2]:
            return gated_noise(n, rate=self.rate, background=background, no_return=none, seed=rng)
        chosen = {"resumption": "one_by_one", "drift": 0.3} if self.construction == CONSTRUCTIONS[1] else {}
        chosen |= {"late_burst": 1.0, "burst_length": (0.005, 0.015)} if self.special == "late burst" else {}
        chosen |= {"no_silence": 1.0} if self.special == "no silence" else {}
        x, times, truth = silent_period_trials(
            n, sampling_rate=self.rate, background_rms=background, no_return=none, seed=rng, **chosen
        )
        return x, times, truth["silent_period"].to_numpy()


def cells() -> list[Cell]:
    """Every cell of the table."""
    found = [Cell(kind, background) for background in BACKGROUNDS for kind in CONSTRUCTIONS]
    found += [Cell(kind, rate=rate) for rate in (2000.0, 10000.0) for kind in CONSTRUCTIONS]
    found += [Cell(kind, special="late burst") for kind in CONSTRUCTIONS[:2]]
    found += [Cell(kind, special="no return") for kind in CONSTRUCTIONS]
    return [*found, Cell(CONSTRUCTIONS[0], special="no silence")]


def search(cell: Cell) -> None:
    """Ours and the rules in use."""
    for method in list_silent_period_methods():
        silent_period(cell.x[:4], cell.times, method=method.name)
        start = time.process_time()
        cell.found[method.name] = silent_period(cell.x, cell.times, method=method.name)
        cell.cpu[method.name] = time.process_time() - start


def search_by_peer(all_cells: list[Cell], environment: Path) -> None:
    """The peer, in its own environment, two programs at a time."""
    program = Path(__file__).with_name("peer_silences.py")
    python = peer_python(environment)
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / f"{number:03d}.npz" for number in range(len(all_cells))]
        for cell, path in zip(all_cells, paths, strict=True):
            np.savez(path, x=cell.x.astype(np.float32), times=cell.times)
        running = [subprocess.Popen([str(python), str(program), *map(str, paths[k::2])]) for k in range(2)]
        if any(process.wait() for process in running):
            raise RuntimeError(f"the peer's program {program.name} failed")
        for cell, path in zip(all_cells, paths, strict=True):
            with np.load(path.with_suffix(".found.npz")) as answer:
                cell.found[PEER], cell.cpu[PEER] = answer["end"], float(answer["cpu"])


def score(mine: list[Cell], method: str) -> dict[str, float]:
    """Figures of one method over cells; errors in ms."""
    truth = np.concatenate([cell.truth for cell in mine])
    found = np.concatenate([cell.found[method] for cell in mine])
    known = np.isfinite(truth)
    error = 1e3 * (found - truth)[known & np.isfinite(found)]
    figures = {
        "n": truth.size,
        "found": np.mean(np.isfinite(found[known])) if known.any() else np.nan,
        "found_where_none": np.mean(np.isfinite(found[~known])) if not known.all() else np.nan,
        "bias_ms": error.mean() if error.size else np.nan,
        "median_error_ms": np.median(np.abs(error)) if error.size else np.nan,
        "p95_error_ms": np.quantile(np.abs(error), 0.95) if error.size else np.nan,
        "over_20_ms": np.mean(np.abs(error) > 20) if error.size else np.nan,
    }
    return figures | {"cpu_s_per_1000": 1e3 * sum(cell.cpu[method] for cell in mine) / truth.size}


def summaries(rng: np.random.Generator) -> pd.DataFrame:
    """Bias of the mean and median of 20 trials of which some outlast an epoch of 170 ms."""
    rows = []
    for _ in range(40):
        x, times, _ = silent_period_trials(20, tmax=0.17, silent_period_mean=0.15, seed=rng)
        values, flags = silent_period(x, times), silent_period_flags(x, times)
        table = pd.DataFrame({"silent_period": values, "flag": flags})
        found = {name: float(value) for name, value in silent_period_summary(table, longest=times[-1] - 0.01).items()}
        rows.append({"mean of those that return": np.nanmean(values), **found})
    table = 1e3 * (pd.DataFrame(rows).drop(columns="silent_period_outlasting") - 0.15)
    columns = {"bias_ms": table.mean().to_numpy(), "sd_ms": table.std().to_numpy()}
    return pd.DataFrame({"estimate": table.columns, **columns})


def averages(rng: np.random.Generator) -> pd.DataFrame:
    """End on the rectified average of 15 trials against the median of the trials' true ends."""
    rows = []
    for kind in CONSTRUCTIONS:
        sets = [Cell(kind)._person(15, np.random.SeedSequence(int(rng.integers(2**32)))) for _ in range(30)]
        for method in [found.name for found in list_silent_period_methods()[1:]]:
            ends = [
                silent_period_average(x[:, None], t, method=method)["silent_period_average_end"] for x, t, _ in sets
            ]
            error = 1e3 * (np.array(ends) - [np.nanmedian(truth) for _, _, truth in sets])
            bias, spread = np.nanmean(error), np.nanstd(error)
            found = np.isfinite(error).mean()
            rows.append(
                {"construction": kind, "method": method, "found": found, "end_bias_ms": bias, "end_sd_ms": spread}
            )
    return pd.DataFrame(rows)


def ipsilateral(rng: np.random.Generator) -> pd.DataFrame:
    """Found, false positives and errors of the ipsilateral silent period: 15 trials, 35 to 60 ms."""
    times = np.arange(-1000, 1500) / 5000
    rows = []
    for depth in (0.0, 0.3, 0.6, 0.9):
        sets = []
        for _ in range(150 if depth == 0 else 50):
            begin, end = (at + 0.002 * rng.standard_normal((15, 1)) for at in (0.035, 0.060))
            dip = np.clip((times - begin) / 0.004 + 0.5, 0, 1) * np.clip((end - times) / 0.004 + 0.5, 0, 1)
            emg = active_background(15, times.size, 5000.0, rng) * (1 - depth * dip)
            emg *= 150e-6 * rng.uniform(0.8, 1.2, (15, 1))
            sets.append((emg + 4e-6 * rng.standard_normal(emg.shape))[:, None])
        for method in (OURS, "sd", "mcd"):
            found = pd.DataFrame([ipsilateral_silent_period(x, times, method=method) for x in sets])
            found = found.rename(columns=lambda name: name.removeprefix("ipsilateral_silent_period_"))
            row = {"depth": depth, "method": method, "found": found["onset"].notna().mean()}
            if depth:
                onset, duration = 1e3 * (found["onset"] - 0.035), 1e3 * (found["duration"] - 0.025)
                row |= {"onset_bias_ms": onset.mean(), "onset_sd_ms": onset.std()}
                row |= {"duration_bias_ms": duration.mean(), "duration_sd_ms": duration.std()}
                row["depth_found"] = found["depth"].mean()
            rows.append(row)
    return pd.DataFrame(rows)


def pages(all_cells: list[Cell], table: pd.DataFrame, rng: np.random.Generator) -> list[tuple[str, str, pd.DataFrame]]:
    """What the page shows."""
    methods = list(all_cells[0].found)
    plain = [cell for cell in all_cells if not cell.special]
    strong = [cell for cell in plain if cell.background != "20-40"]
    pooled = pd.DataFrame([{"method": name, **score(strong, name)} for name in methods])
    beside = table[table["method"].isin((OURS, PEER))].drop(columns=["median_error_ms", "cpu_s_per_1000"])
    return [
        ("All methods, background of 50 µV or more", "Three constructions, 2 to 10 kHz, pooled.", pooled),
        (
            "Per cell, ours and the peer",
            "`found where none`: a value where EMG does not return before the epoch ends, or was never silent.",
            beside,
        ),
        ("Every method, per cell", "Share of errors over 20 ms shows who ends the silence at a late burst.", table),
        (
            "When some outlast the epoch",
            "Mean 150 ms, standard deviation 15 ms, epoch to 170 ms, 20 trials: what is lost by leaving them out.",
            summaries(rng),
        ),
        ("Rectified average of 15 trials", "Against the median of the trials' true ends.", averages(rng)),
        (
            "Ipsilateral silent period",
            "15 trials. Depth 0 has none: what is found there is false. Stated rate of the default: 1 %.",
            ipsilateral(rng),
        ),
    ]


def main() -> None:
    """Simulate, search, score, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=200, help="trials a cell")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--no-peers", action="store_true", help="only ours and the rules in use")
    parser.add_argument("--environment", type=Path, default=default_environment(), help="of the peers")
    parser.add_argument("--output", type=Path, default=RESULTS)
    options = parser.parse_args()
    one_thread()
    head = provenance(options.seed)
    head["trials"] = f"{options.trials} a cell, from 4 simulated people; responses of 1 to 5 mV before the silence"
    head["truth"] = (
        "start of the ramp; first resumed activity above a tenth of the background (one by one); the gate opens"
    )
    head["tuning"] = (
        "that a burst of 20 ms ends a silence was chosen on other seeds of the second construction; all else was older"
    )
    all_cells = cells()
    for cell, seed in zip(all_cells, np.random.SeedSequence(options.seed).spawn(len(all_cells)), strict=True):
        cell.simulate(options.trials, seed)
        search(cell)
    if not options.no_peers:
        search_by_peer(all_cells, options.environment)
    keys = ("construction", "background", "rate", "special")
    rows = [
        {**{key: getattr(cell, key) for key in keys}, "method": name, **score([cell], name)}
        for cell in all_cells
        for name in cell.found
    ]
    table = pd.DataFrame(rows)
    sections = pages(all_cells, table, np.random.default_rng(options.seed))
    title = "End of the silent period, simulated trials with known truth"
    for path in write("silent_period_accuracy", title, head, table, sections, options.output):
        print(f"wrote {path}")


if __name__ == "__main__":
    main()
