"""Do the intervals of conduction, M waves, laterality, after-effects and matched background cover 95 % of the truths?

    python benchmarks/conduction_calibration.py --tables 1000 --seed 1

writes ``benchmarks/results/conduction_calibration_<date>.tsv`` and ``.md``. Tables are drawn from log-normal, gamma and
normal distributions with known levels; nothing was fitted to them. ``measure_calibration.py`` has more scenarios.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from _common import RESULTS, one_thread, provenance, write

from excitability import measures

DRAWS = ("log_normal", "gamma")


def draw(rng, kind, n, mean, cv):
    """Skewed sizes of a given mean and coefficient of variation."""
    if kind == "gamma":
        return rng.gamma(cv**-2, mean * cv**2, n)
    s = np.sqrt(np.log1p(cv**2))
    return mean * rng.lognormal(-s * s / 2, s, n)


def blocks(**columns):
    return pd.concat([pd.DataFrame({"condition": name, **values}) for name, values in columns.items()])


def latency(rng, n, m, statistic):
    table = blocks(LM={"mep_latency": rng.normal(0.0195, 2e-4, n)}, AP={"mep_latency": rng.normal(0.0232, 6e-4, m)})
    return measures.latency_difference(table, statistic=statistic)["AP"], 0.0037


def root(rng, n, m):
    latencies = np.r_[rng.normal(0.0205, 4e-4, n), rng.normal(0.014, 2e-4, m)]
    table = pd.DataFrame({"stimulus_type": ["tms"] * n + ["root"] * m, "mep_latency": latencies})
    return measures.central_conduction(table)["central_motor_conduction_time"], 0.0065


def triple(rng, n, cv):
    sizes = {"control": 12e-3, "cortex": 9.6e-3}
    table = blocks(**{k: {"m_wave_amplitude": draw(rng, "log_normal", n, v, cv)} for k, v in sizes.items()})
    return measures.triple_stimulation(table)["cortex"], 80.0


GROWTH = {
    "logistic": lambda z: 1 / (1 + np.exp(-z)),
    "late": lambda z: np.exp(-np.exp(-0.9 * z)),
    "none": np.ones_like,
}


def m_wave(rng, growth, levels, each, cv):
    intensity = np.repeat(np.linspace(5, 50, levels), each)
    size = 9e-3 * GROWTH[growth]((intensity - 18) / 3) * (1 + cv * rng.standard_normal(intensity.size))
    return measures.m_max(pd.DataFrame({"intensity": intensity, "m_wave_amplitude": size}))["m_max"], 9e-3


def laterality(rng, kind, n, ratio, cv):
    size = np.r_[draw(rng, kind, n, ratio, cv), draw(rng, kind, n, 1.0, cv)]
    table = pd.DataFrame({"channel": "MF_right", "hemisphere": np.repeat(["left", "right"], n), "mep_area": size})
    return measures.laterality_index(table), (ratio - 1) / (ratio + 1)


def net_laterality(rng, n, ipsilateral):
    size = np.r_[3 + rng.standard_normal(n), ipsilateral + rng.standard_normal(n)]
    table = pd.DataFrame({"channel": "MF_right", "hemisphere": np.repeat(["left", "right"], n), "mep_area": size})
    return measures.laterality_index(table), (3 - ipsilateral) / (3 + ipsilateral)


def index(rng, kind, n, n_blocks, cv):
    levels = np.r_[1.0, np.linspace(1.2, 1.6, n_blocks)]
    names = ["pre", *(f"post{k}" for k in range(n_blocks))]
    parts = {name: {"mep_amplitude": draw(rng, kind, n, mean, cv)} for name, mean in zip(names, levels, strict=True)}
    return measures.plasticity_index(blocks(**parts)), levels[1:].mean()


def deviations(rng, n, delta):
    logs = 0.5 * np.r_[rng.standard_normal(n), delta + rng.standard_normal(n)]
    table = pd.DataFrame({"condition": np.repeat(["pre", "post"], n), "mep_amplitude": np.exp(logs)})
    return measures.change_in_baseline_deviations(table)["post"], delta


def background(rng, n, shift, slope, error):
    logs = np.r_[rng.normal(0, 0.25, n), rng.normal(shift, 0.25, n)]
    size = np.exp(slope * logs + np.repeat([0.0, np.log(0.5)], n) + 0.4 * rng.standard_normal(2 * n))
    seen = np.exp(logs + error * rng.standard_normal(2 * n))
    table = pd.DataFrame({"condition": np.repeat(["test", "task"], n), "background_emg": seen, "mep_amplitude": size})
    return measures.background_matched_ratio(table)["task"], 0.5


CASES = [
    *((latency, case) for case in ((5, 5, "mean"), (10, 10, "mean"), (20, 8, "mean"), (10, 10, "median"))),
    *((root, case) for case in ((5, 3), (8, 5), (10, 10))),
    *((triple, case) for case in ((3, 0.03), (5, 0.05), (5, 0.1))),
    *((m_wave, (growth, 8, 3, 0.03)) for growth in GROWTH),
    *((m_wave, (growth, 15, 1, 0.03)) for growth in GROWTH),
    *((laterality, (kind, n, ratio, cv)) for kind in DRAWS for n in (8, 20) for ratio, cv in ((3, 0.4), (1.2, 0.7))),
    *((net_laterality, case) for case in ((10, 0.0), (20, 0.2))),
    *((index, (kind, n, k, cv)) for kind in DRAWS for n, k, cv in ((10, 4, 0.5), (20, 3, 0.8), (8, 6, 0.6))),
    *((deviations, case) for case in ((8, 1.5), (10, 0.0), (20, 0.8), (30, 2.0))),
    *((background, case) for case in ((10, 0.0, 0.8, 0.0), (20, 0.3, 0.8, 0.0), (40, 0.5, 1.0, 0.0))),
    *((background, case) for case in ((20, 0.2, 0.8, 0.15), (20, 0.5, 1.0, 0.15))),  # background with error
]


MEASURES = {
    "latency": "latency_difference",
    "root": "central_conduction",
    "triple": "triple_stimulation",
    "m_wave": "m_max",
    "laterality": "laterality_index",
    "net_laterality": "laterality_index",
    "index": "plasticity_index",
    "deviations": "change_in_baseline_deviations",
    "background": "background_matched_ratio",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", type=int, default=1000, help="simulated tables of each case")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--output", type=Path, default=RESULTS)
    options = parser.parse_args()
    one_thread()
    rows = []
    for number, (simulate, case) in enumerate(CASES):
        rng = np.random.default_rng([options.seed, number])
        found = [simulate(rng, *case) for _ in range(options.tables)]
        value, low, high, truth = np.array([(float(each), each.ci_low, each.ci_high, t) for each, t in found]).T
        known = np.isfinite(low)
        cover = float(np.mean(((low <= truth) & (truth <= high))[known])) if known.any() else np.nan
        rows.append(
            {
                "measure": MEASURES[simulate.__name__],
                "scenario": simulate.__name__.replace("_", " "),
                "case": ", ".join(map(str, case)),
                "n_tables": len(found),
                "coverage": cover,
                "standard_error": float(np.sqrt(max(cover * (1 - cover), 0.01) / max(known.sum(), 1))),
                "bias": float(np.nanmean(value - truth) / (abs(truth[0]) or 1.0)),
                "median_width": float(np.median((high - low)[known])) if known.any() else np.nan,
                "without_interval": float(1 - known.mean()),
                "flagged": float(np.mean([each.flag not in ("", "root") for each, _ in found])),
            }
        )
    table = pd.DataFrame(rows)
    text = (
        "Bias relative to the truth (absolute where that is 0). Cases: numbers of trials, variation, shifts; see the "
    )
    text += "the script."
    head = provenance(options.seed) | {"tables": f"{options.tables} a case"}
    sections = [("Coverage of 95 % intervals", text, table)]
    title = "Conduction and change: coverage"
    for path in write("conduction_calibration", title, head, table, sections, options.output):
        print(f"wrote {path}")


if __name__ == "__main__":
    main()
