"""Do the intervals of the summary measures cover? Every registered one, on tables whose truth is known.

    python benchmarks/measure_calibration.py --tables 1000 --seed 1

writes ``benchmarks/results/measure_calibration_<date>.tsv`` and ``.md``. A row is one number of one measure in one
scenario; ``coverage`` should be 0.95, give or take ``standard_error``. Measures are found in the registry: one with
neither a scenario nor a benchmark of its own, or a number with an interval and no truth, is an error (exit status 1).
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import calibration_scenarios_of_curves  # noqa: F401  (its scenarios join the list)
import numpy as np
import pandas as pd
from _common import RESULTS, one_thread, provenance, write
from calibration_scenarios import SCENARIOS, Scenario

from excitability.measures import get_measure, list_measures

HERE = Path(__file__).resolve().parent
#: Measures whose intervals another benchmark judges.
ELSEWHERE = {
    "motor_map": "map_calibration",
    "map_overlap": "map_calibration",
    "recruitment_curve": "threshold_and_curve_calibration",
    "resting_motor_threshold": "threshold_and_curve_calibration",
    "active_motor_threshold": "threshold_and_curve_calibration",
}
#: Resampling that other measures use; no measure of its own.
TOOLS = ("bootstrap_average", "bootstrap_epochs")
LEAST, MOST = 0.93, 0.97


def judge(scenario: Scenario, tables: int, seed: list[int]) -> list[dict[str, object]]:
    """Simulate, measure and count: one row a number."""
    rng = np.random.default_rng(seed)
    start = time.process_time()
    answers: dict[str, list[tuple[float, float, float, float, str]]] = {}
    for _ in range(tables):
        found, truth = scenario.simulate(rng, **scenario.options)
        found = found if isinstance(found, dict) else {scenario.measure: found}
        truth = truth if isinstance(truth, dict) else dict.fromkeys(found, truth)
        for key, value in found.items():
            one = (float(value), value.ci_low, value.ci_high, truth.get(key, np.nan), value.flag)
            answers.setdefault(key, []).append(one)
    milliseconds = 1e3 * (time.process_time() - start) / tables
    return [row for key, lines in answers.items() if (row := _row(scenario, key, lines, milliseconds)) is not None]


def _row(scenario: Scenario, key: str, lines: list[tuple[float, float, float, float, str]], milliseconds: float):
    value, low, high, truth = np.array([line[:4] for line in lines]).T
    told = np.isfinite(value) & (np.isfinite(low) | np.isfinite(high))
    if not told.any() and np.isnan(truth).all():
        return None  # a number that has no interval, such as whether a plateau was reached
    inside = (np.nan_to_num(low, nan=-np.inf) <= truth) & (truth <= np.nan_to_num(high, nan=np.inf))
    cover, n = float(inside[told].mean()) if told.any() else np.nan, int(told.sum())
    entry = get_measure(scenario.measure) if scenario.measure not in TOOLS else None
    flags = [line[4] for line in lines]
    common = max(set(flags) - {""}, key=flags.count, default="")
    known, both = np.isfinite(value) & np.isfinite(truth), told & np.isfinite(high - low)
    return {
        "measure": scenario.measure,
        "key": key,
        "form": scenario.options.get("form", entry.form if entry else ""),
        "scenario": scenario.name,
        "n_tables": len(lines),
        "bias": float(np.median(value[known] - truth[known])) if known.any() else np.nan,
        "root_mean_square_error": float(np.sqrt(np.mean((value[known] - truth[known]) ** 2)))
        if known.any()
        else np.nan,
        "coverage": cover if not np.isnan(truth).all() else np.nan,
        "standard_error": float(np.sqrt(max(cover * (1 - cover), 0.01) / max(n, 1))),
        "truth_below": float((truth < low)[told].mean()) if told.any() else np.nan,
        "truth_above": float((truth > high)[told].mean()) if told.any() else np.nan,
        "median_width": float(np.median((high - low)[both])) if both.any() else np.nan,
        "without_interval": 1 - n / len(lines),
        "flagged": float(np.mean([flag != "" for flag in flags])),
        "commonest_flag": common,
        "milliseconds": milliseconds,
        "_unknown_truth": bool(told.any() and np.isnan(truth).all()),
    }


def elsewhere() -> tuple[pd.DataFrame, list[str]]:
    """The measures that another benchmark judges, checked: registered, named in that script, with a dated result."""
    rows, faults = [], []
    for name, script in ELSEWHERE.items():
        source = HERE / f"{script}.py"
        results = sorted(path.name for path in RESULTS.glob(f"{script}_*.tsv"))
        if name not in list_measures("summary"):
            faults.append(f"{name} (said to be judged by {script}) is no registered summary measure")
        elif not results:
            faults.append(f"{name}: {script} has no dated result in {RESULTS.name}")
        stated = source.read_text(encoding="utf-8") if source.exists() else ""
        if name not in stated and "_thresholds" not in stated:
            faults.append(f"{name}: {script}.py does not name it")
        rows.append({"measure": name, "judged_by": f"{script}.py", "result": results[-1] if results else ""})
    return pd.DataFrame(rows), faults


def missing() -> list[str]:
    """Registered summary measures that nothing judges."""
    judged = {scenario.measure for scenario in SCENARIOS} | set(ELSEWHERE)
    return [f"{name}: no scenario" for name in list_measures("summary") if name not in judged]


def outside(table: pd.DataFrame) -> pd.Series:
    """Rows whose coverage lies outside 93–97 % by more than chance (two standard errors)."""
    low = table["coverage"] + 2 * table["standard_error"] < LEAST
    return low | (table["coverage"] - 2 * table["standard_error"] > MOST)


def by_key(table: pd.DataFrame) -> pd.DataFrame:
    """One row a number: mean, lowest and highest coverage over its scenarios."""
    groups = table.groupby(["measure", "key", "form"], sort=False)
    found = groups.agg(
        scenarios=("coverage", "size"),
        coverage=("coverage", "mean"),
        lowest=("coverage", "min"),
        highest=("coverage", "max"),
        too_low=("coverage", lambda part: int((part < LEAST).sum())),
        too_high=("coverage", lambda part: int((part > MOST).sum())),
        without_interval=("without_interval", "mean"),
        flagged=("flagged", "mean"),
    )
    return found.reset_index()


def main() -> None:
    """Simulate, measure, write, and say what is missing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", type=int, default=1000, help="simulated tables of each scenario")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--measure", action="append", help="this measure only (nothing is written)")
    parser.add_argument("--output", type=Path, default=RESULTS)
    options = parser.parse_args()
    one_thread()
    others, faults = elsewhere()
    faults += missing()
    rows = []
    chosen = [(i, one) for i, one in enumerate(SCENARIOS) if not options.measure or one.measure in options.measure]
    for number, scenario in chosen:
        rows += judge(scenario, min(options.tables, scenario.tables), [options.seed, number])
    table = pd.DataFrame(rows)
    unknown = table[table.pop("_unknown_truth")]
    faults += sorted(
        {f"{measure}: {key} has an interval and no truth" for measure, key in unknown[["measure", "key"]].values}
    )
    if options.measure:
        shown = table.drop(columns=["measure", "form", "n_tables", "commonest_flag"])
        print(shown.to_string(float_format="{:.3g}".format))
    else:
        print(f"{time.process_time():.0f} s of CPU time")
        _write(table, others, faults, options)
    if faults:
        sys.exit("\n".join(faults))


def _write(table: pd.DataFrame, others: pd.DataFrame, faults: list[str], options: argparse.Namespace) -> None:
    columns = ["measure", "key", "form", "scenario", "n_tables", "bias", "coverage", "standard_error", "median_width"]
    columns += ["truth_below", "truth_above", "without_interval", "flagged", "commonest_flag"]
    wrong = table[outside(table)]
    sections = [
        (
            "Measures without a scenario",
            "Nothing must stand here.",
            pd.DataFrame({"fault": faults or ["none"]}),
        ),
        (
            "By number",
            f"Coverage over scenarios; too low and too high count those outside {100 * LEAST:g} to {100 * MOST:g} %.",
            by_key(table),
        ),
        (
            "Outside 93 to 97 % by more than chance",
            "By more than two standard errors. The truth lies below the interval, or above it, in these shares.",
            wrong[columns],
        ),
        ("All scenarios", "Bias is the median error, in the unit of the number.", table[columns]),
        ("Judged elsewhere", "Checked against the registry.", others),
    ]
    head = provenance(options.seed) | {"tables": f"{options.tables} a scenario, {len(SCENARIOS)} scenarios"}
    for path in write("measure_calibration", "Summary measures: coverage", head, table, sections, options.output):
        print(f"wrote {path}")


if __name__ == "__main__":
    main()
