"""Recovery of known TMS-evoked potentials: ``excitability.clean`` as shipped beside MNE, mne-denoise, TESA.

    python benchmarks/tep_recovery.py [--quick] [--seeds N] [--jobs N] [--output FOLDER]

Writes ``results/tep_recovery_<date>.tsv`` (every score), ``.md`` (summary, cells, peaks, time and memory, TESA) and
``.png``. One seed a cell with ``--quick`` (4 min), three otherwise.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import mne
import numpy as np
import pandas as pd
import tep_recovery_pages as pages
from _common import RESULTS, one_thread, provenance, write
from _peers import default_environment, peer_python
from tep_cells import Cell, cells
from tep_scores import scores

HERE = Path(__file__).resolve().parent
REQUIREMENTS = HERE / "peers_tep.txt"
PEERS = ("mne", "sound", "sound_sspsir", "sound_sspsir_10ms")
SLOW = ("mne_ica",)  # on the first recording of each simulator only
OURS = "excitability"
MEASURED = "excitability_run"  # cleaning and measures: of what it costs only


def main() -> None:
    """Simulate, run everybody, score, write."""
    arguments = _arguments()
    one_thread()
    if arguments.tables:
        table = pd.concat([pd.read_csv(path, sep="\t", comment="#") for path in arguments.tables], ignore_index=True)
        _write(table, _head_of(arguments.tables), arguments)
        return
    python = None if arguments.no_peers else peer_python(arguments.environment, REQUIREMENTS)
    wanted = [cell for cell in cells() if arguments.simulator in ("all", cell.simulator)]
    tasks = [(k, cell, seed) for seed in range(arguments.seeds) for k, cell in enumerate(wanted)]
    firsts = {next(k for k, cell in enumerate(wanted) if cell.simulator == name) for name in _simulators(wanted)}
    slow = [seed == 0 and k in firsts and not arguments.no_ica for k, _, seed in tasks]
    with tempfile.TemporaryDirectory(dir=arguments.scratch) as folder:
        settings = (python, Path(folder), arguments.pulses)
        rows: list[dict] = []
        context = multiprocessing.get_context("spawn")
        with concurrent.futures.ProcessPoolExecutor(arguments.jobs, mp_context=context) as pool:
            for found in pool.map(_recording, [(*task, *settings, ica) for task, ica in zip(tasks, slow, strict=True)]):
                rows += found
                print(_progress(found), flush=True)
        table = pd.DataFrame(rows)
        costs = pd.DataFrame() if arguments.no_costs else _costs(wanted, python, Path(folder), arguments.pulses)
    head = {**provenance(0), "recordings": f"{len(tasks)}, {arguments.pulses} pulses each"}
    _write(pd.concat([table, costs.assign(part="cost")] if len(costs) else [table]), head, arguments)


def _head_of(tables: list[Path]) -> dict[str, str]:
    """Where and with what tables were made: what they state themselves, once if all state the same."""
    heads = []
    for path in tables:
        lines = [line[2:] for line in path.read_text(encoding="utf-8").splitlines() if line.startswith("# ")]
        heads.append(dict(line.split(": ", 1) for line in lines))
    return {key: "; ".join(dict.fromkeys(head[key] for head in heads)) for key in heads[0]}


def _write(table: pd.DataFrame, head: dict[str, str], arguments: argparse.Namespace) -> None:
    costs = table[table["part"] == "cost"].dropna(axis=1, how="all") if "part" in table else pd.DataFrame()
    scored = table[table["part"] != "cost"] if "part" in table else table
    sections = [*pages.recovery(scored), *pages.costs(costs), *pages.tesa(arguments.oracle)]
    title = "Recovery of known TMS-evoked potentials"
    paths = write("tep_recovery", title, head, table, sections, arguments.output)
    paths.append(pages.figure(scored, head, arguments.output))
    print("\n".join(str(path) for path in paths))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one seed a cell")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--pulses", type=int, default=100)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--simulator", default="all", choices=("all", "package", "reference", "held-out"))
    parser.add_argument("--no-peers", action="store_true")
    parser.add_argument("--no-ica", action="store_true")
    parser.add_argument("--no-costs", action="store_true", help="without time and memory")
    parser.add_argument("--environment", type=Path, default=default_environment().with_name("peers_tep"))
    parser.add_argument("--scratch", type=Path, default=None, help="folder for recordings (1 GB)")
    parser.add_argument("--oracle", type=Path, default=HERE.parent.parent / "shared/data/tesa_oracle")
    parser.add_argument("--tables", type=Path, nargs="+", help="show what earlier runs wrote (TSV) and run nothing")
    parser.add_argument("--output", type=Path, default=RESULTS)
    found = parser.parse_args()
    found.seeds = 1 if found.quick else found.seeds
    return found


def _simulators(wanted: list[Cell]) -> list[str]:
    return list(dict.fromkeys(cell.simulator for cell in wanted))


def _recording(task: tuple[int, Cell, int, Path | None, Path, int, bool]) -> list[dict]:
    """All programs on one recording; a row each."""
    k, cell, seed, python, folder, n_pulses, ica = task
    session = cell.make(seed, n_pulses)
    stem = folder / f"cell{k}_seed{seed}"
    recording = stem.with_name(stem.name + "_raw.fif")
    session.raw.save(recording, fmt="single", verbose="error")
    names = list(session.raw.ch_names)
    truth = (session.truth, session.times, names, session.bads, cell.peaks)
    facts = {name: getattr(cell, name) for name in ("simulator", "site", "rate", "decay")} | {"seed": seed}
    rows = [{**facts, "method": "no artefacts", **scores(session.floor, session.times, names, *truth)}]
    del session
    programs = [(Path(sys.executable), (OURS,))]
    if python:
        programs.append((python, PEERS + (SLOW if ica else ())))
    for interpreter, methods in programs:
        asked = {"recording": str(recording), "bads": truth[3], "protocol": cell.protocol, "methods": methods}
        path = stem.with_suffix(".json")
        path.write_text(json.dumps(asked))
        costs = run_program(interpreter, path)
        for method in methods:
            with np.load(path.with_suffix(f".{method}.npz")) as found:
                scored = scores(found["data"], found["times"], found["names"].tolist(), *truth)
                rows.append({**facts, "method": method, **scored, "cpu_s": costs[method]["cpu_s"]})
    for path in folder.glob(f"{stem.name}*"):
        path.unlink()
    return rows


def run_program(interpreter: Path, task: Path, *only: str) -> dict[str, dict[str, float]]:
    """Run :mod:`peer_tep` and read what it printed; its own errors are shown when it fails."""
    command = [str(interpreter), str(HERE / "peer_tep.py"), str(task), *only]
    here = os.environ.get("PYTHONPATH", "")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [str(HERE.parent), here]))}
    if interpreter != Path(sys.executable):
        environment.pop("PYTHONPATH")
    answer = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if answer.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{answer.stderr[-2000:]}")
    return dict(json.loads(answer.stdout.strip().splitlines()[-1]))


def _costs(wanted: list[Cell], python: Path | None, folder: Path, n_pulses: int) -> pd.DataFrame:
    """CPU time (second turn of a process) and peak memory (a process each), one recording of each simulator."""
    rows = []
    for simulator in _simulators(wanted):
        cell = next(cell for cell in wanted if cell.simulator == simulator)
        session = cell.make(0, n_pulses)
        recording = folder / f"cost_{simulator}_raw.fif"
        session.raw.save(recording, fmt="single", verbose="error")
        size = session.raw.get_data().nbytes / 2**20
        asked = {"recording": str(recording), "bads": session.bads, "protocol": cell.protocol}
        del session
        path = folder / f"cost_{simulator}.json"
        programs = [(Path(sys.executable), ("filter_epoch", OURS, MEASURED))]
        if python:
            programs.append((python, ("filter_epoch", *PEERS)))
        for interpreter, methods in programs:
            path.write_text(json.dumps({**asked, "methods": methods, "rehearse": True}))
            timed = run_program(interpreter, path)
            for method in methods:
                alone = run_program(interpreter, path, method)[method]
                memory = {"peak_mb": alone["peak_mb"], "recording_mb": size}
                unit = timed["filter_epoch"]["cpu_s"]
                rows.append({"simulator": simulator, "method": method, "cpu_s": timed[method]["cpu_s"], **memory})
                rows[-1]["times_mne_filter_epoch"] = timed[method]["cpu_s"] / unit
        recording.unlink()
    table = pd.DataFrame(rows).drop_duplicates(["simulator", "method"])
    unit = table[table["method"] == "filter_epoch"].set_index("simulator")["peak_mb"]
    table["memory_over_mne"] = table["peak_mb"] / table["simulator"].map(unit)
    table["memory_over_recording"] = table["peak_mb"] / table["recording_mb"]
    return table


def _progress(rows: list[dict]) -> str:
    first = rows[0]
    shown = ", ".join(f"{row['method']} {row['r']:.2f}/{row['rmse']:.2f}" for row in rows)
    return f"{first['simulator']} {first['site']} {first['rate']:g} {first['decay']} {first['seed']}: r/RMSE {shown}"


if __name__ == "__main__":
    mne.set_log_level("error")
    main()
