"""
The main job: from recordings to an answer
==========================================

A small study is simulated as a BIDS tree, so that the right answer is known: patients with chronic low back pain and
controls, before, right after and 30 minutes after exercise. Every session is read and measured with the batteries
``m1_exercise`` and ``dlpfc_exercise``, the time points are compared by group, and one HTML report is written.

Run it with ``make demo``, or with ``python docs/gallery/main_job.py FOLDER``.
"""

import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
from joblib import Parallel, delayed
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

import excitability as ex
from excitability.batch import load_results
from excitability.comparison import compare_planned
from excitability.html_report import report_folder
from excitability.tables import write_table

#: The three numbers a reader wants first: protocol, measure, channel, condition, group.
FIRST = {
    "SICI, patients": ("m1/sici", "conditioned_ratio", "RFDI", "isi_0.002", "patient"),
    "SICI, patients − controls": ("m1/sici", "conditioned_ratio", "RFDI", "isi_0.002", "patient - control"),
    "DLPFC N100, patients": ("dlpfc/tep", "n100_amplitude", "DLPFC_left", "all", "patient"),
}


@contextmanager
def progress(what):
    columns = (TextColumn("{task.description:<44}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total, label="": bar.update(
            task, completed=done, total=total, description=f"{what}: {label}"[:44]
        )


def main(folder):
    start = time.perf_counter()
    study, output = folder / "study", folder / "results"

    # %%
    # Simulate: participants, sessions and recordings in BIDS, with the truth in ``sourcedata/``.
    with progress("simulate") as advance:
        truth = ex.simulate.study(
            study, n_patients=5, n_controls=5, eeg=("pre", "post0"), seed=1, n_jobs=2, progress=advance
        )

    # %%
    # Read and measure every session, with both batteries. Failures would be rows of the table.
    sessions = ex.find_sessions(study)
    folders = [output / battery for battery in ("m1_exercise", "dlpfc_exercise")]
    for path in folders:
        with progress(path.name) as advance:
            ex.run_batch(sessions, path.name, path, n_jobs=2, progress=advance)

    # %%
    # Compare, and write one HTML file with the figures people look at: a battery a process.
    changes, reports = [], []
    with progress("compare and report") as advance:
        for change, report in Parallel(n_jobs=2, return_as="generator")(delayed(answer)(path) for path in folders):
            changes.append(change)
            reports.append(report)
            advance(len(reports), len(folders))

    # %%
    # What a reader wants first, next to the truth.
    print_answer(pd.concat(changes, ignore_index=True), truth["changes"])
    print("(five patients and five controls: the intervals say how little so few can show)")
    failed = sum((load_results(path)[0]["error"] != "").sum() for path in folders)
    print(f"\n{len(sessions)} recordings, {failed} failures, {time.perf_counter() - start:.0f} s to run")
    print("tables  ", output / "*" / "results.tsv, comparison.tsv, trials.tsv")
    for report in reports:
        print("report  ", report)


def answer(folder):
    """Compare the time points of one battery by group, and report them."""
    results, _, battery = load_results(folder)
    # EEG was recorded before and right after
    after = [label for label in ("post0", "post30") if label in set(results["timepoint"])]
    plan = {"before": "pre", "after": after, "by": "group"}
    change = ex.compare(results, **plan)
    write_table(change, folder / "comparison.tsv")
    if battery.clusters:
        # whole evoked potentials, beside their peaks: the cluster tests that the battery plans
        clusters = compare_planned(ex.load_evoked(folder), battery.clusters, plan)
        write_table(clusters, folder / "clusters.tsv", facts={"Plan": plan})
    return change, report_folder(folder)


def print_answer(change, truth):
    """Change from before to right after exercise, with its interval, beside what was simulated."""
    print(f"\n{'post0 against pre':<28}{'estimate':>10}   {'95 % interval':<18}{'simulated':>10}")
    for name, (protocol, measure, channel, condition, group) in FIRST.items():
        rows = pd.Series({"protocol": protocol, "measure": measure, "channel": channel, "condition": condition})
        where = {"group": group, "contrast": "post0 - pre", **rows}
        found = _row(change, where)
        true = _row(truth, where)["estimate"]
        if found["form"] == "log_ratio":
            low, value, high = (found[key] for key in ("percent_ci_low", "percent_change", "percent_ci_high"))
            true, unit = 100 * (2.718281828459045**true - 1), "%"
        else:
            factor, unit = ex.schema.display(found["unit"], max(abs(found["ci_low"]), abs(found["ci_high"])))
            low, value, high, true = (factor * x for x in (found["ci_low"], found["estimate"], found["ci_high"], true))
        interval = f"{low:+.2g} to {high:+.2g}"
        print(f"{name:<28}{value:>+8.2g} {unit:<3}  {interval:<18}{true:>+8.2g} {unit}")


def _row(table, where):
    for column, value in where.items():
        table = table[table[column] == value]
    if len(table) != 1:
        raise LookupError(f"{len(table)} rows for {where}")
    return table.iloc[0]


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "demo"))
