"""Type-I error and interval coverage of ``compare`` and ``compare_groups`` on simulated studies with known answers.

    python benchmarks/comparison_calibration.py --studies 2000 --seed 1

writes ``benchmarks/results/comparison_calibration_<date>.tsv`` and a page beside it that names every line outside 93
to 97 % coverage or 3.5 to 6.5 % type-I error, and why. A line is one design, one method and one contrast; its figures
are good to about twice ``standard_error``; where that reaches back into the limits the reason says so. The lines of
the model "time-point mixed model" are an alternative that was not chosen.

``--only WORD`` runs the scenarios whose name holds a word, ``--without-trials`` leaves out the models of single trials.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import _common
import numpy as np
import pandas as pd
from comparison_studies import SCENARIOS, Scenario, simulate

from excitability.comparison import compare, compare_groups, mixed_model

COVERAGE = (0.93, 0.97)
TYPE_1 = (0.035, 0.065)
TRIAL_SCENARIOS = (
    ("amplitude", 6, 0.3, 0.0),
    ("amplitude", 12, 0.1, 0.0),
    ("amplitude", 6, 0.0, 0.0),
    ("ratio of ratios", 6, 0.2, 0.0),
    ("ratio of ratios", 12, 0.2, 0.3),
    ("ratio of ratios", 12, 0.0, 0.0),
    ("ratio of ratios", 20, 0.2, 0.0),
)
_NO_SCATTER = (
    "sessions without any scatter: a variance at its bound of zero; the interval is kept as wide as people allow"
)
_SPHERICITY = "the alternative that was not chosen: a random intercept supposes that all time points scatter alike"


def main() -> None:
    """Run the scenarios and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=2000, help="studies a scenario (trial models: a fifth)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", help="scenarios whose name and method hold this word")
    parser.add_argument("--without-trials", action="store_true")
    parser.add_argument("--output", type=Path, default=_common.RESULTS)
    options = parser.parse_args()
    seeds = np.random.SeedSequence(options.seed).spawn(len(SCENARIOS) + len(TRIAL_SCENARIOS) + 2)
    lines: list[dict[str, object]] = []
    for scenario, seed in zip(SCENARIOS, seeds, strict=False):
        if options.only in f"{scenario.name} {scenario.method}":
            studies = max(int(options.studies * scenario.share), 50)
            lines += participant_level(scenario, studies, np.random.default_rng(seed))
    if not options.without_trials and not options.only:
        for scenario, seed in zip(TRIAL_SCENARIOS, seeds[len(SCENARIOS) :], strict=False):
            lines += trial_level(*scenario, max(options.studies // 5, 50), np.random.default_rng(seed))
        for linked, seed in zip((False, True), seeds[-2:], strict=True):
            lines += time_point_models(linked, max(options.studies // 2, 50), np.random.default_rng(seed))
    table = pd.DataFrame(lines)
    facts = _common.provenance(options.seed) | {"studies": f"{options.studies} a scenario"}
    title = "Comparisons: type-I error and coverage"
    for path in _common.write("comparison_calibration", title, facts, table, page(table), options.output):
        print(f"wrote {path}")


def participant_level(scenario: Scenario, studies: int, rng: np.random.Generator) -> list[dict[str, object]]:
    """Studies of one number a session; every study is a channel of one table."""
    results = simulate(scenario, studies, rng)
    start = time.perf_counter()
    if scenario.design == "level":
        given = {"covariates": [scenario.covariate] if scenario.covariate else (), "method": scenario.method}
        found = compare_groups(results, by=str(scenario.by), at="pre", **given)
    else:
        found = compare(results, **scenario.arguments())
    seconds = (time.perf_counter() - start) / studies
    lines = []
    for label, answer in scenario.truth.items():
        own = found[(found["group"] == label) & (found["form"].eq("omnibus") == (answer is None))]
        one = own.groupby("channel", sort=False).head(1)  # the first of several time points
        lines.append(line(scenario.name, scenario.method, scenario.sizes, label, one, answer, seconds, scenario.note))
    return lines


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
        line(
            name,
            "trials",
            (n, n),
            label,
            table[table["group"] == label],
            answer,
            seconds / studies,
            _NO_SCATTER if not spread else "",
        )
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
    return [
        line(name, "random intercept", (n,), label, part, 0.0, np.nan, _SPHERICITY)
        for label, part in table.groupby("label")
    ]


def line(
    name: str,
    method: str,
    sizes: tuple[int, ...],
    label: str,
    found: pd.DataFrame,
    truth: float | None,
    seconds: float,
    note: str,
) -> dict[str, object]:
    """One line of the table; without a true value only the p value is judged."""
    held = found[np.isfinite(found["p_value"])]
    n = max(len(held), 1)
    coverage = np.nan
    if truth is not None:
        limits = held[np.isfinite(held["ci_low"])]  # of five people or fewer, permutation gives a p value only
        coverage = float(((limits["ci_low"] <= truth) & (truth <= limits["ci_high"])).mean())
    rejected = float((held["p_value"] < 0.05).mean())
    type_1 = rejected if not truth else np.nan
    outside = [
        word
        for share, limits, word in ((coverage, COVERAGE, "coverage"), (type_1, TYPE_1, "type I"))
        if np.isfinite(share) and not limits[0] <= share <= limits[1]
    ]
    shares = ((coverage, COVERAGE), (type_1, TYPE_1))
    near = all(not np.isfinite(share) or _near(share, n, limits) for share, limits in shares)
    return {
        "scenario": name,
        "method": method,
        "participants": "+".join(map(str, sizes)),
        "contrast": label,
        "truth": truth,
        "studies": len(held),
        "not_estimable": len(found) - len(held),
        "coverage": coverage,
        "standard_error": float(np.sqrt(0.05 * 0.95 / n)),
        "type_1_error": type_1,
        "power": rejected if truth else np.nan,
        "bias": float(held["estimate"].mean() - truth) if truth is not None else np.nan,
        "median_width": float((held["ci_high"] - held["ci_low"]).median()),
        "milliseconds_a_study": 1e3 * seconds,
        "outside": ", ".join(outside),
        "why": "" if not outside else note or ("within Monte Carlo error" if near else "not known"),
        "model": str(held["model"].iloc[0]).split(", df")[0] if len(held) else "",
    }


def _near(share: float, n: int, limits: tuple[float, float]) -> bool:
    """Whether a share lies in the limits but for twice its Monte Carlo error."""
    slack = 2 * np.sqrt(0.05 * 0.95 / n)
    return limits[0] - slack <= share <= limits[1] + slack


def page(table: pd.DataFrame) -> list[tuple[str, str, pd.DataFrame]]:
    """Sections of the page: by method, and every line that is outside."""
    shown = ["scenario", "method", "participants", "contrast", "coverage", "type_1_error", "studies"]
    missed = table["outside"].ne("")
    methods = table.assign(missed=missed).groupby("method", sort=False).agg(
        lines=("missed", "size"),
        outside=("missed", "sum"),
        least_coverage=("coverage", "min"),
        most_coverage=("coverage", "max"),
        least_type_1=("type_1_error", "min"),
        most_type_1=("type_1_error", "max"),
    )  # fmt: skip
    found = f"{int(missed.sum())} of {len(table)} lines."
    return [
        ("By method", "Lines outside 93 to 97 % coverage or 3.5 to 6.5 % type-I error, and the extremes.",
         methods.reset_index()),
        ("Outside", found, table.loc[missed, [*shown, "outside", "why"]]),
        ("All", "Coverage is empty where a row has a p value only, type-I error where the truth is not zero.",
         table[shown]),
    ]  # fmt: skip


if __name__ == "__main__":
    _common.one_thread()
    main()
