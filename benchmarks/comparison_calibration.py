"""Type-I error and interval coverage of ``excitability.compare`` on simulated studies with known answers.

    python benchmarks/comparison_calibration.py --studies 2000 --seed 1

writes ``benchmarks/results/comparison_calibration_<date>.tsv``. A line is one design and one contrast;
``coverage`` should be 0.95 and ``type_1_error`` 0.05, give or take ``standard_error``. The lines whose
``model`` begins with "time-point mixed model" are the alternative that was not chosen as the default.
"""

from __future__ import annotations

import argparse
import datetime
import platform
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import scipy

import excitability
from excitability.comparison import compare, mixed_model

RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True)
class Scenario:
    """A kind of study."""

    name: str
    sizes: tuple[int, ...]
    spread: tuple[float, ...]  # SD of individual changes in each group
    effect: tuple[float, ...] = (0.0, 0.0)
    missing: float = 0.0
    covariate: bool = False
    skewed: bool = False
    share: float = 1.0  # studies, as a share of those asked for (slow models)


SCENARIOS = (
    Scenario("one group", (6,), (0.3,)),
    Scenario("one group", (12,), (0.3,), effect=(0.3,)),
    Scenario("one group, skewed changes", (12,), (0.3,), skewed=True),
    Scenario("one group, 20 % of sessions missing", (15,), (0.3,), missing=0.2),
    Scenario("two groups", (6, 6), (0.3, 0.3)),
    Scenario("two groups", (12, 12), (0.3, 0.3), effect=(0.3, 0.0)),
    Scenario("two groups, unequal spread", (8, 16), (0.6, 0.2)),
    Scenario("two groups, unequal spread", (20, 20), (0.6, 0.2), effect=(0.3, 0.0)),
    Scenario("two groups, covariate", (8, 8), (0.3, 0.3), covariate=True),
    Scenario("two groups, covariate, unequal spread", (8, 16), (0.6, 0.2), covariate=True),
    Scenario("two groups, 20 % of sessions missing", (12, 12), (0.3, 0.3), missing=0.2),
)
TRIAL_SCENARIOS = (
    ("amplitude", 6, 0.3, 0.0),
    ("amplitude", 12, 0.1, 0.0),
    ("amplitude", 6, 0.0, 0.0),
    ("ratio of ratios", 6, 0.2, 0.0),
    ("ratio of ratios", 12, 0.2, 0.3),
    ("ratio of ratios", 12, 0.0, 0.0),
    ("ratio of ratios", 20, 0.2, 0.0),
)


def main() -> None:
    """Run the scenarios and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=2000, help="studies a scenario (trial models: a fifth)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--output", type=Path, default=RESULTS)
    options = parser.parse_args()
    seeds = np.random.SeedSequence(options.seed).spawn(len(SCENARIOS) + len(TRIAL_SCENARIOS) + 2)
    lines: list[dict[str, object]] = []
    for scenario, seed in zip(SCENARIOS, seeds, strict=False):
        lines += participant_level(scenario, options.studies, np.random.default_rng(seed))
    for scenario, seed in zip(TRIAL_SCENARIOS, seeds[len(SCENARIOS) :], strict=False):
        lines += trial_level(*scenario, max(options.studies // 5, 50), np.random.default_rng(seed))
    for linked, seed in zip((False, True), seeds[-2:], strict=True):
        lines += time_point_models(linked, max(options.studies // 2, 50), np.random.default_rng(seed))
    table = pd.DataFrame(lines).assign(seed=options.seed, **provenance())
    options.output.mkdir(parents=True, exist_ok=True)
    path = options.output / f"comparison_calibration_{datetime.date.today():%Y-%m-%d}.tsv"
    table.to_csv(path, sep="\t", index=False, float_format="%.4f")
    with pd.option_context("display.width", 200, "display.max_columns", 20, "display.max_colwidth", 60):
        print(table.drop(columns=list(provenance())))
    print(f"wrote {path}")


def participant_level(scenario: Scenario, studies: int, rng: np.random.Generator) -> list[dict[str, object]]:
    """Studies of one number a session; every study is a channel of one table."""
    n = sum(scenario.sizes)
    group = np.repeat(np.arange(len(scenario.sizes)), scenario.sizes)
    covariate = rng.normal(40, 12, n) + 5 * group
    noise = rng.normal(0, 1, (studies, n))
    if scenario.skewed:
        noise = (rng.exponential(1, (studies, n)) - 1) * 1.0
    change = np.array(scenario.effect)[group] + noise * np.array(scenario.spread)[group]
    if scenario.covariate:
        change = change + 0.02 * (covariate - covariate.mean())
    before = rng.normal(np.log(0.5), 0.4, (studies, n))
    values = np.exp(np.stack([before, before + change]))
    values[rng.random(values.shape) < scenario.missing] = np.nan
    index = pd.MultiIndex.from_product([("pre", "post0"), range(studies), range(n)], names=["t", "study", "p"])
    table = index.to_frame(index=False)
    results = pd.DataFrame(
        {
            "participant": "p" + table["p"].astype(str).str.zfill(2),
            "session": table["t"],
            "protocol": "m1/sici",
            "channel": "c" + table["study"].astype(str),
            "condition": "isi_0.0025",
            "measure": "conditioned_ratio",
            "value": values.ravel(),
            "unit": "1",
            "form": "ratio",
            "group": np.array(["patient", "control"])[group[table["p"]]],
            "age": covariate[table["p"]],
        }
    )
    two = len(scenario.sizes) > 1
    start = time.perf_counter()
    found = compare(results, by="group" if two else None, covariates=["age"] if scenario.covariate else ())
    seconds = time.perf_counter() - start
    # a group's change is reported at the mean of the covariate over everybody
    truth = {"all": scenario.effect[0]}
    if two:
        truth = {"patient": scenario.effect[0], "control": scenario.effect[1]}
        truth["patient - control"] = scenario.effect[0] - scenario.effect[1]
    return [
        line(scenario.name, scenario.sizes, label, found[found["group"] == label], answer, seconds / studies)
        for label, answer in truth.items()
    ]


def trial_level(
    kind: str, n: int, spread: float, effect: float, studies: int, rng: np.random.Generator
) -> list[dict[str, object]]:
    """Studies of 20 trials a condition and session, two groups of n, analysed by the model on trials."""
    found, seconds = [], 0.0
    for _ in range(studies):
        results, trials = trial_study(kind, n, spread, effect, rng)
        start = time.perf_counter()
        change = compare(results, by="group", trials=trials)
        seconds += time.perf_counter() - start
        wanted = "conditioned_ratio" if kind == "ratio of ratios" else "mep_amplitude"
        found.append(change[change["measure"] == wanted])
    table = pd.concat(found)
    truth = {"patient": effect, "control": 0.0, "patient - control": effect}
    name = f"trials, {kind}, SD of true changes {spread:g}"
    return [
        line(name, (n, n), label, table[table["group"] == label], answer, seconds / studies)
        for label, answer in truth.items()
    ]


def trial_study(
    kind: str, n: int, spread: float, effect: float, rng: np.random.Generator
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """One study: log-normal MEPs, people and sessions that differ, an effect in the patients."""
    paired = kind == "ratio of ratios"
    people, sessions, conditions, n_trials = 2 * n, 2, 2 if paired else 1, 20
    patient = np.arange(people) < n
    mean = rng.normal(np.log(1e-3), 0.6, (people, 1, 1)) + np.zeros((people, sessions, conditions))
    after = patient * effect
    session = rng.normal(0, (0.2 if paired else spread) / np.sqrt(2), (people, sessions))
    mean += session[:, :, None]
    if paired:
        mean[:, :, 1] += rng.normal(np.log(0.5), 0.3, (people, 1))
        mean[:, :, 1] += rng.normal(0, spread / np.sqrt(2), (people, sessions))
    mean[:, 1, -1] += after
    amplitude = np.exp(mean[..., None] + rng.normal(0, 0.5, (*mean.shape, n_trials)))
    i, s, c, _ = np.indices(amplitude.shape)
    names = np.array(["test", "isi_0.0025"])
    trials = pd.DataFrame(
        {
            "participant": np.char.add("p", i.ravel().astype(str)),
            "session": np.array(["pre", "post0"])[s.ravel()],
            "channel": "FDI",
            "condition": names[c.ravel()],
            "mep_amplitude": amplitude.ravel(),
        }
    )
    means = trials.groupby(["participant", "session", "channel", "condition"], as_index=False).mean()
    rows = means.rename(columns={"mep_amplitude": "value"}).assign(measure="mep_amplitude", unit="V", form="")
    if paired:
        wide = means.pivot(index=["participant", "session"], columns="condition", values="mep_amplitude")
        ratio = (wide["isi_0.0025"] / wide["test"]).rename("value").reset_index()
        ratio = ratio.assign(channel="FDI", condition="isi_0.0025", measure="conditioned_ratio", unit="1", form="ratio")
        rows = pd.concat([rows[rows["condition"] == "test"], ratio], ignore_index=True)
    number = rows["participant"].str[1:].astype(int)
    return rows.assign(protocol="m1/sici", group=np.where(number < n, "patient", "control")), trials


def time_point_models(linked: bool, studies: int, rng: np.random.Generator) -> list[dict[str, object]]:
    """The alternative: one random-intercept model over pre, post0, post30, against the paired t of compare.

    With ``linked`` the late time point is as near to the baseline as a repeat: sphericity fails.
    """
    n, rows = 12, []
    scatter = np.array([0.1, 0.4, 0.1]) if linked else np.array([0.2, 0.2, 0.2])
    design = np.tile(np.column_stack([np.ones(3), [0, 1, 0], [0, 0, 1]]), (n, 1)).astype(float)
    for _ in range(studies):
        y = rng.normal(0, 0.5, (n, 1)) + rng.normal(0, 1, (n, 3)) * scatter
        fit = mixed_model(y.ravel(), design, {"participant": np.repeat(np.arange(n), 3)})
        for label, weights in (("post0 - pre", [0, 1, 0]), ("post30 - pre", [0, 0, 1])):
            contrast = fit.contrast(weights)
            low, high = contrast.interval
            rows.append((label, contrast.estimate, low, high, contrast.p_value))
    table = pd.DataFrame(rows, columns=["label", "estimate", "ci_low", "ci_high", "p_value"])
    table["model"] = "time-point mixed model, random intercept"
    name = "three time points, " + ("unequal scatter" if linked else "equal scatter")
    return [line(name, (n,), label, part, 0.0, np.nan) for label, part in table.groupby("label")]


def line(
    name: str, sizes: tuple[int, ...], label: str, found: pd.DataFrame, truth: float, seconds: float
) -> dict[str, object]:
    """One line of the table."""
    held = found[np.isfinite(found["ci_low"])]
    coverage = float(((held["ci_low"] <= truth) & (truth <= held["ci_high"])).mean())
    return {
        "scenario": name,
        "participants": "+".join(map(str, sizes)),
        "contrast": label,
        "truth": truth,
        "studies": len(held),
        "not_estimable": len(found) - len(held),
        "coverage": coverage,
        "standard_error": float(np.sqrt(coverage * (1 - coverage) / max(len(held), 1))),
        "type_1_error": float((held["p_value"] < 0.05).mean()) if truth == 0 else np.nan,
        "power": float((held["p_value"] < 0.05).mean()) if truth else np.nan,
        "bias": float(held["estimate"].mean() - truth),
        "median_width": float((held["ci_high"] - held["ci_low"]).median()),
        "milliseconds_a_study": 1e3 * seconds,
        "model": str(held["model"].iloc[0]).split(", df")[0],
    }


def provenance() -> dict[str, str]:
    """Where the numbers come from."""
    git = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, cwd=Path(__file__).parent, check=False
    )
    return {
        "commit": git.stdout.strip() or "unknown",
        "excitability": excitability.__version__,
        "numpy": np.__version__,
        "scipy": scipy.__version__,
        "pandas": pd.__version__,
        "python": platform.python_version(),
    }


if __name__ == "__main__":
    main()
