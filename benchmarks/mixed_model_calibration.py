"""Coverage and type-I error of the models on single trials, of censored thresholds and of response probability.

    python benchmarks/mixed_model_calibration.py --studies 1000

writes ``benchmarks/results/mixed_model_calibration_<date>.tsv`` and a page. ``coverage`` should be 0.95 and
``type_1_error`` 0.05, give or take ``standard_error``. Nothing was tuned on these studies but what the docstrings of
``tobit`` and ``logistic`` say.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from _common import RESULTS, one_thread, provenance, write

from excitability.comparison import compare
from excitability.comparison.bootstrap_refits import bootstrap_refits
from excitability.comparison.logistic import logistic_changes
from excitability.comparison.mixed_models import mixed_model
from excitability.comparison.tobit import tobit_changes


@dataclass(frozen=True)
class Trials:
    """A kind of study of trials in two groups."""

    name: str
    sizes: tuple[int, int] = (12, 12)
    spread: tuple[float, float] = (0.3, 0.3)  # SD of true changes
    effect: float = 0.0
    missing: float = 0.0
    background: float = 0.0  # slope of the log amplitude on the log background, which rises by 0.3 afterwards
    session: float = 0.0  # SD of sessions within a time point
    visits: int = 1
    paired: bool = False
    baseline: bool = False


TRIALS = (
    Trials("groups alike"),
    Trials("groups alike", effect=0.3, sizes=(20, 20)),
    Trials("few people", sizes=(6, 6)),
    Trials("unequal spread and size", sizes=(8, 16), spread=(0.6, 0.2)),
    Trials("unequal spread and size", sizes=(16, 8), spread=(0.6, 0.2), effect=0.3),
    Trials("no true scatter of changes", spread=(0.0, 0.0)),
    Trials("20 % of sessions missing", missing=0.2),
    Trials("background rises, taken into account", background=0.8),
    Trials("three sessions a time point", visits=3, session=0.2, sizes=(10, 10)),
    Trials("three sessions a time point, no true scatter of changes", visits=3, session=0.2, spread=(0.0, 0.0)),
    Trials("adjusted for the baseline", baseline=True, session=0.3),
    Trials("ratio of ratios", paired=True),
    Trials("ratio of ratios, unequal spread and size", paired=True, sizes=(8, 16), spread=(0.6, 0.2)),
    Trials("ratio of ratios, no true scatter of changes", paired=True, spread=(0.0, 0.0), sizes=(8, 8)),
)
N_TRIALS = 15


def main() -> None:
    """Run the studies and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--output", type=Path, default=RESULTS)
    options = parser.parse_args()
    one_thread()
    lines: list[dict[str, object]] = []
    for number, kind in enumerate(TRIALS):
        lines += trial_models(kind, options.studies, np.random.default_rng([options.seed, number]))
    lines += bootstrap(options.studies // 2, np.random.default_rng([options.seed, 100]))
    lines += thresholds(options.studies, np.random.default_rng([options.seed, 101]))
    lines += probabilities(options.studies, np.random.default_rng([options.seed, 102]))
    table = pd.DataFrame(lines)
    head = provenance(options.seed) | {"studies": str(options.studies)}
    section = ("Calibration", _TEXT, table)
    for path in write(
        "mixed_model_calibration", "Calibration of the models on trials", head, table, [section], options.output
    ):
        print(f"wrote {path}")
    print(table.to_string())


def trial_models(kind: Trials, studies: int, rng: np.random.Generator) -> list[dict[str, object]]:
    """Intervals of ``compare(trials=...)``."""
    found = []
    for _ in range(studies):
        results, trials = study(kind, rng)
        covariates = ("background_emg",) if kind.background else ()
        table = compare(
            results, by="group", trials=trials, trial_covariates=covariates,
            covariates=("baseline",) if kind.baseline else (),
        )  # fmt: skip
        wanted = "conditioned_ratio" if kind.paired else "mep_amplitude"
        found.append(table[table["measure"] == wanted])
    table = pd.concat(found)
    truth = {"patient": kind.effect, "control": 0.0, "patient - control": kind.effect}
    sizes = "+".join(map(str, kind.sizes))
    return [
        line(kind.name, sizes, label, table[table["group"] == label], answer)
        for label, answer in truth.items()
        if not (kind.baseline and label != "patient - control")  # a group alone is adjusted to everybody's baseline
    ]


def study(kind: Trials, rng: np.random.Generator) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Result and trial table of one study: log-normal amplitudes."""
    n = sum(kind.sizes)
    patient = np.arange(n) < kind.sizes[0]
    conditions = 1 + kind.paired
    shape = (n, 2, kind.visits, conditions, N_TRIALS)
    person, time, visit, condition, _ = (index.ravel() for index in np.indices(shape))
    change = rng.normal(0, np.where(patient, *kind.spread)) + kind.effect * patient
    y = rng.normal(-7, 0.5, n)[person] + rng.normal(0, kind.session, shape[:3])[person, time, visit]
    on = condition == conditions - 1
    y += on * (change[person] * time + kind.paired * rng.normal(-0.7, 0.2, n)[person])
    background = rng.normal(np.log(1e-5), 0.3, len(y)) + 0.3 * time
    y += kind.background * background + rng.normal(0, 0.5, len(y))
    trials = pd.DataFrame({
        "participant": np.char.add("p", np.char.zfill(person.astype(str), 2)), "channel": "FDI",
        "timepoint": np.array(["pre", "post0"])[time],
        "session": np.char.add(time.astype(str), visit.astype(str)),
        "condition": np.array(["test", "isi_0.0025"])[condition], "mep_amplitude": np.exp(y),
        "background_emg": np.exp(background), "group": np.where(patient, "patient", "control")[person],
    })  # fmt: skip
    lost = rng.random((n, 2)) < kind.missing
    trials = trials[~lost[person, time]]
    keys = ["participant", "timepoint", "group"]
    means = trials.groupby([*keys, "condition"], as_index=False)["mep_amplitude"].mean()
    rows = means.rename(columns={"mep_amplitude": "value"}).assign(measure="mep_amplitude", unit="V", form="")
    if kind.paired:
        wide = means.pivot(index=keys, columns="condition", values="mep_amplitude")
        ratio = (wide["isi_0.0025"] / wide["test"]).rename("value").reset_index()
        rows = ratio.assign(condition="isi_0.0025", measure="conditioned_ratio", unit="1", form="ratio")
    return rows.assign(protocol="m1/sici", channel="FDI", session=rows["timepoint"]), trials


def bootstrap(studies: int, rng: np.random.Generator) -> list[dict[str, object]]:
    """Parametric bootstrap, 199 refits, of one group."""
    n, found = 10, []
    person, time = np.repeat(np.arange(n), 20), np.tile(np.repeat([0, 1], 10), n)
    x = np.column_stack([np.ones(len(time)), time])
    for seed in range(studies):
        y = rng.normal(0, 0.6, n)[person] + rng.normal(0, 0.25, (n, 2))[person, time] + rng.normal(0, 0.5, len(time))
        fit = mixed_model(y, x, {"participant": person, "session": time})
        refits = bootstrap_refits(fit, [0, 1], 199, seed)
        found.append((refits.estimate, refits.ci_low, refits.ci_high, refits.p_value))
    table = pd.DataFrame(found, columns=["estimate", "ci_low", "ci_high", "p_value"])
    return [line("parametric bootstrap of sessions in people", str(n), "all", table, 0.0)]


def thresholds(studies: int, rng: np.random.Generator) -> list[dict[str, object]]:
    """Thresholds of which some are above 100 %MSO."""
    lines = []
    for name, sizes, mean, effect in (
        ("thresholds, 10 % censored", (12, 12), 85.0, 0.0),
        ("thresholds, a third censored", (12, 12), 93.0, 6.0),
        ("thresholds, a quarter censored", (20, 10), 90.0, 4.0),
    ):
        found = []
        patient = np.arange(sum(sizes)) < sizes[0]
        for _ in range(studies):
            before = rng.normal(mean, 12, len(patient))
            after = before + rng.normal(effect * patient, np.where(patient, 6, 4))
            cut = np.minimum(before, 100), np.minimum(after, 100), before > 100, after > 100
            found.append(tobit_changes(*cut, np.where(patient, "patient", "control")))
        table = pd.concat(found)
        for label, answer in (("patient", effect), ("patient - control", effect)):
            lines.append(line(name, "+".join(map(str, sizes)), label, table[table["group"] == label], answer))
    return lines


def probabilities(studies: int, rng: np.random.Generator) -> list[dict[str, object]]:
    """Log odds ratios of the population, from 20 trials a session."""
    lines = []
    for name, n, base, effect in (
        ("response probability", 8, 0.0, 0.0),
        ("response probability", 12, 1.0, 0.0),
        ("response probability", 20, 1.0, 0.8),
    ):
        big = rng.normal(base, 1, (400_000, 1)) + np.array([0, 1]) * rng.normal(effect, 0.5, (400_000, 1))
        p = (1 / (1 + np.exp(-big))).mean(axis=0)
        truth = float(np.diff(np.log(p / (1 - p)))[0]) if effect else 0.0
        found = []
        person, after = np.repeat(np.arange(n), 40), np.tile(np.repeat([False, True], 20), n)
        for _ in range(studies):
            odds = rng.normal(base, 1, n)[person] + rng.normal(effect, 0.5, n)[person] * after
            y = (rng.random(len(odds)) < 1 / (1 + np.exp(-odds))).astype(float)
            found.append(logistic_changes(y, person, after))
        lines.append(line(name, str(n), "all", pd.concat(found), truth))
    return lines


def line(name: str, people: str, label: str, found: pd.DataFrame, truth: float) -> dict[str, object]:
    """One line of the table."""
    held = found[np.isfinite(found["estimate"])]
    covered = float(((held["ci_low"] <= truth) & (truth <= held["ci_high"])).mean())
    null = truth == 0
    return {
        "scenario": name,
        "people": people,
        "contrast": label,
        "truth": truth,
        "studies": len(held),
        "not_estimable": len(found) - len(held),
        "coverage": covered,
        "standard_error": float(np.sqrt(covered * (1 - covered) / max(len(held), 1))),
        "type_1_error": float((held["p_value"] < 0.05).mean()) if null else np.nan,
        "power": np.nan if null else float((held["p_value"] < 0.05).mean()),
        "bias": float(held["estimate"].mean() - truth),
    }


_TEXT = (
    f"Lines of trials: `compare(trials=...)`, two groups, {N_TRIALS} trials a session and condition, log-normal. "
    "Thresholds: 12 %MSO between people, changes with an SD of 6 and 4 %MSO in the two groups, limit 100 %MSO; the "
    "truth is in %MSO. Response probability: the log odds ratio of the population."
)


if __name__ == "__main__":
    main()
