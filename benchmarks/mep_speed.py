"""Speed of the trial measures in memory, and from a file to a trial table; everything in one run, as ratios.

About two minutes:

    python benchmarks/mep_speed.py
    python benchmarks/mep_speed.py --no-peers --no-file

writes ``benchmarks/results/mep_speed_<date>.tsv`` and ``.md``. Times are CPU times of one thread, the least of several
turns in which the candidates alternate; seconds depend on the machine and on who else uses it, the ratios less so.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from _common import RESULTS, cpu_seconds, one_thread, provenance, write
from _peers import Task, default_environment, run_peers
from mep_speed_file import file_to_table
from mep_speed_pipeline import TRIALS as PIPELINE_TRIALS
from mep_speed_pipeline import pipelines
from mep_speed_run import by_length, first_runs

from excitability.protocol import load_protocol
from excitability.simulate import mep_trials
from excitability.trials.measuring import measure_trials

CHANNELS, TRIALS, REPEATS = 4, 1000, 7
PEERS = ("mep-cmap bigoni", "mep-cmap cusum", "mep-cmap rms_envelope", "mep-cmap bigoni default pipeline")
PEER_TRIALS = 300
TABLE = (
    "background_emg",
    "mep_probability",
    "mep_amplitude",
    "mep_area",
    "mep_latency",
    "mep_duration",
)  # the table that targets.md speaks of
TARGET = 150_000


def numpy_table(x: np.ndarray, times: np.ndarray) -> tuple[np.ndarray, ...]:
    """What a careful numpy user writes: peak-to-peak, RMS before the pulse, rectified area."""
    window = slice(*np.searchsorted(times, [0.015, 0.050]))
    before = slice(*np.searchsorted(times, [-0.1, -0.005]))
    response, quiet = x[:, window], x[:, before]
    size = response.max(axis=1) - response.min(axis=1)
    centre = quiet.mean(axis=1, keepdims=True)
    rms = np.sqrt(((quiet - centre) ** 2).mean(axis=1))
    return size, rms, np.abs(response - centre).sum(axis=1) * (times[1] - times[0])


def our_table(names: tuple[str, ...], x: np.ndarray, times: np.ndarray) -> dict[str, np.ndarray]:
    """Our measures of the trials of one channel, as a protocol takes them."""
    given = {name: {} if name == "background_emg" else {"window": "muscle"} for name in names}
    return {name: measure_trials(name, x, times, given[name], muscle="FDI")[0] for name in names}


def in_memory(seed: int) -> pd.DataFrame:
    """Windows a second of every candidate."""
    recordings = {}
    for artefact in ("none", "decay", "ringing"):
        rng = np.random.default_rng([seed, len(artefact)])
        trials = [mep_trials(TRIALS, artefact=artefact, noise_rms=(4e-6, 8e-6), seed=rng) for _ in range(CHANNELS)]
        recordings[artefact] = [x for x, _, _ in trials]
        times = trials[0][1]

    def over(channels: list[np.ndarray], task: Callable[[np.ndarray], object]) -> Callable[[], None]:
        def run() -> None:
            for x in channels:
                task(x)

        return run

    plain, target = recordings["decay"], np.empty_like(recordings["decay"][0])
    whole = tuple(name for name in load_protocol("m1/mep").trial)
    tasks = {
        "memory: every sample read once (sum)": over(plain, np.sum),
        "memory: every sample copied": over(plain, lambda x: np.copyto(target, x)),
        "numpy: peak-to-peak": over(plain, lambda x: np.ptp(x[:, 575:751], axis=1)),
        "numpy: peak-to-peak, RMS, area": over(plain, lambda x: numpy_table(x, times)),
    }
    for artefact, channels in recordings.items():
        tasks[f"excitability: trial table, artefact {artefact}"] = over(channels, lambda x: our_table(TABLE, x, times))
    name = f"excitability: all {len(whole)} trial measures of m1/mep, artefact decay"
    tasks[name] = over(plain, lambda x: our_table(whole, x, times))
    for measure in whole:
        label = f"excitability: {measure} alone, artefact decay"
        tasks[label] = over(plain, lambda x, measure=measure: our_table((measure,), x, times))
    seconds = cpu_seconds(tasks, REPEATS)
    rows = [{"what": name, "windows_a_second": CHANNELS * TRIALS / best} for name, best in seconds.items()]
    return pd.DataFrame(rows)


def peers(seed: int, environment: Path) -> pd.DataFrame:
    """Windows a second of the peers' detectors, in their own environment, right after ours."""
    x, times, _ = mep_trials(PEER_TRIALS, noise_rms=(4e-6, 8e-6), seed=seed)
    with tempfile.TemporaryDirectory() as folder:
        task = Task(Path(folder) / "trials.npz", x, times, (0.010, 0.050), (0.018, 0.030), PEERS)
        task.save()
        run_peers([task], environment)
        found = task.found()
    return pd.DataFrame(
        [{"what": f"{name} (onset only)", "windows_a_second": len(x) / cpu} for name, (_, cpu) in found.items()]
    )


def with_ratios(table: pd.DataFrame) -> pd.DataFrame:
    """Ratios to numpy and to the memory limit of the same run."""
    rate = table.set_index("what")["windows_a_second"]
    return table.assign(
        times_numpy=table["windows_a_second"] / rate["numpy: peak-to-peak, RMS, area"],
        share_of_memory_limit=table["windows_a_second"] / rate["memory: every sample read once (sum)"],
    )


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--no-peers", action="store_true")
    parser.add_argument("--no-file", action="store_true")
    parser.add_argument("--minutes", type=float, default=10.0, help="length of the recording that is written")
    parser.add_argument("--environment", type=Path, default=default_environment(), help="of the peers")
    parser.add_argument("--scratch", type=Path, help="folder for the recording (384 MB); a temporary one by default")
    parser.add_argument("--output", type=Path, default=RESULTS)
    options = parser.parse_args()
    one_thread()
    head = provenance(options.seed)
    memory = in_memory(options.seed)
    if not options.no_peers:
        memory = pd.concat([memory, peers(options.seed, options.environment)], ignore_index=True)
    memory = with_ratios(memory)
    sections = [("In memory", _MEMORY.format(target=TARGET, table=", ".join(TABLE)), memory)]
    lengths = by_length(lambda x, times: our_table(TABLE, x, times), options.seed)
    sections.append(("By the number of trials", _LENGTHS, lengths))
    waits = first_runs()
    sections.append(("What a user waits for", _WAITS, waits))
    table = pd.concat([memory.assign(part="memory"), lengths.assign(part="length"), waits.assign(part="wait")])
    if not options.no_file:
        file, check = file_to_table(options.minutes, options.seed, options.scratch)
        sections.append(("From a file to a trial table", _FILE.format(check=check), file))
        table = pd.concat([table, file.assign(part="file")], ignore_index=True)
    if not (options.no_peers or options.no_file):
        whole = pipelines(options.seed, options.environment)
        sections.append(("A whole recording", _PIPELINE, whole))
        table = pd.concat([table, whole.assign(part="pipeline")], ignore_index=True)
    table.insert(0, "part", table.pop("part"))
    for path in write("mep_speed", "Speed of the trial measures", head, table, sections, options.output):
        print(f"wrote {path}")


_MEMORY = (
    f"{CHANNELS} channels × {TRIALS} trials of 300 ms at 5 kHz (1,500 samples, 12 kB each), one thread, CPU time. "
    "`trial table` is {table}; the target is {target:,} windows a second. The memory limit is what it takes to read "
    "those samples once and do nothing else; numpy reads only the windows it needs."
)
_LENGTHS = (
    "One channel. `trial table` is that of the table above, of trials in memory; `run` is `ex.run` of a recording in "
    "memory under m1/mep: cutting, every measure, flags, rejection and intervals. The target is 0.25 s for 100 trials."
)
_WAITS = (
    "The first two each in a process of its own, which compiles into or loads from a new folder; making the recording, "
    "which loads MNE and scipy, is not counted. The target for the help is 0.3 s."
)
_FILE = (
    "BrainVision int16, 10 min × 64 channels × 5 kHz, 1,000 pulses, trials of 4 EMG channels; each line in a process "
    "of its own, imports and compilation not counted, the file in the system's cache. `memory` is the peak above that "
    "of a rehearsal on 20 s. Ratios are to the first line. {check}"
)
_PIPELINE = (
    f"{PIPELINE_TRIALS} trials of one channel in an EDF file. The peer writes its tables and figures, which it cannot "
    "leave out; we compute tables in memory and write nothing. Both after a rehearsal on a short file."
)


if __name__ == "__main__":
    main()
