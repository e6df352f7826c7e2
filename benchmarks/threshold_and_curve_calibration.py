"""Error and interval coverage of motor thresholds and recruitment curves on simulated people with known answers.

    python benchmarks/threshold_and_curve_calibration.py --people 900 --studies 25 --seed 1 [--peers 2]

writes ``benchmarks/results/threshold_and_curve_calibration_<date>.tsv`` and ``.md``. ``--peers N`` also lets hbMEP
(``recruitment_curves_of_study(..., method="hbmep")``, which must be installed: see its docstring) and
RecruitmentCurveFitting (in an environment of its own, made on demand) fit N studies of 8 people: the same trials.
"""

from __future__ import annotations

import argparse
import subprocess
import tempfile
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd
from _common import RESULTS, one_thread, provenance, write
from _peers import default_environment, peer_python
from curve_studies import CONSTRUCTIONS, Study, study
from scipy.special import expit, ndtr

from excitability.measures import recruitment_curve
from excitability.measures._thresholds import METHODS, thresholds
from excitability.measures.recruitment_curves_of_study import recruitment_curves_of_study
from excitability.threshold import METHODS as SEARCHES
from excitability.threshold import next_intensity

HERE = Path(__file__).resolve().parent
SHAPES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "normal": ndtr,
    "logistic": lambda z: expit(1.702 * z),
    "steep above": lambda z: -np.expm1(-np.log(2) * np.exp(1.15 * z)),
}
SPREADS = (0.05, 0.07, 0.10)
SEQUENCES = ("descending", "maximum_likelihood", "stochastic_approximation", "random", "up and down", "curve")
FORMS = {"rectified logistic": "rectified_logistic", "boltzmann": "boltzmann", "scattered threshold": "boltzmann"}
#: Pulses a level, people, sessions, whether places are skewed.
DESIGNS = ((2, 8, 1, False), (2, 8, 2, False), (3, 20, 1, False), (2, 12, 1, True))
KEYS = ("recruitment_threshold", "s50")


class Person:
    """Somebody with a threshold of 30–80 %MSO who responds or does not."""

    def __init__(self, rng: np.random.Generator, number: int) -> None:
        self.rng, self.threshold = rng, float(rng.uniform(30, 80))
        self.shape, self.spread = list(SHAPES)[number % 3], SPREADS[number // 3 % 3]

    def __call__(self, intensity: float) -> bool:
        z = (intensity - self.threshold) / (self.spread * self.threshold)
        return bool(self.rng.random() < SHAPES[self.shape](np.array(z)))


def sequence(kind: str, person: Person) -> tuple[np.ndarray, np.ndarray]:
    """Intensities and responses of one way to look for a threshold."""
    place, rng = person.threshold, person.rng
    if kind in SEARCHES:
        return search(kind, person, fewest=20, most=20)[:2]
    if kind == "descending":  # ten a level, on until two levels fail
        s, y, failed, level = [], [], 0, round(place * 1.15)
        while failed < 2:
            s += [level] * 10
            y += [person(level) for _ in range(10)]
            failed, level = failed + (sum(y[-10:]) < 5), level - 2
        return np.array(s, dtype=float), np.array(y)
    if kind == "up and down":
        s, y = [float(round(place * 1.15))], []
        for _ in range(30):
            y.append(person(s[-1]))
            s.append(s[-1] - 2 if y[-1] else s[-1] + 2)
        return np.array(s[:-1]), np.array(y)
    levels = rng.uniform(0.7, 1.3, 40) if kind == "random" else np.repeat(np.arange(0.8, 1.41, 0.1), 8)
    s = np.clip(np.round(levels * place), 1, 100)
    return s, np.array([person(level) for level in s])


def search(method: str, person: Person, **options: int) -> tuple[np.ndarray, np.ndarray, object]:
    """A live search to its end."""
    s: list[float] = []
    y: list[bool] = []
    start = round(person.threshold * 1.15) if method == "relative_frequency" else 50.0
    while not (answer := next_intensity(s, y, method, start=start, **options)).done:
        s.append(answer.intensity)
        y.append(person(s[-1]))
    return np.array(s), np.array(y), answer.estimate


def offline(people: int, seed: int) -> pd.DataFrame:
    """Every threshold method on every kind of sequence."""
    rows = []
    for kind in SEQUENCES:
        rng = np.random.default_rng([seed, SEQUENCES.index(kind)])
        for number in range(people):
            person = Person(rng, number)
            s, y = sequence(kind, person)
            table = pd.DataFrame({"intensity": s, "mep_amplitude": np.where(y, 2e-4, 1e-5)})
            found = thresholds(table, "rmt", "mep_amplitude", "intensity", 50e-6)
            rows += [
                line("threshold", kind, method, found[f"rmt_{method}"], person.threshold, person.spread, s.size)
                for method in METHODS
                if method != "regression"
            ]
    return pd.DataFrame(rows)


def live(people: int, seed: int) -> pd.DataFrame:
    """Live searches to their own end."""
    rows = []
    for method in SEARCHES:
        rng = np.random.default_rng([seed, 100])
        for number in range(people if method != "bayesian" else people // 5):
            person = Person(rng, number)
            s, _, estimate = search(method, person)
            rows.append(line("live search", "", method, estimate, person.threshold, person.spread, s.size))
    return pd.DataFrame(rows)


def curves(studies: int, seed: int) -> pd.DataFrame:
    """Curves fitted one by one and together."""
    rows = []
    for construction in CONSTRUCTIONS:
        for pulses, people, sessions, skewed in (
            (2, 8, 1, False),
            (2, 8, 2, False),
            (3, 20, 1, False),
            (2, 12, 1, True),
        ):
            name = f"{construction}, {people} people, {sessions} session(s), {13 * pulses} pulses"
            for number in range(max(studies * 8 // people // sessions, 1)):
                rng = np.random.default_rng([seed, list(CONSTRUCTIONS).index(construction), people, sessions, number])
                one = study(rng, construction, people, pulses, sessions, skewed)
                rows += compared(one, name + (", skewed places" if skewed else ""), FORMS[construction])
    return pd.DataFrame(rows)


def compared(one: Study, name: str, form: str) -> list[dict[str, object]]:
    """Lines of one study, each curve alone and all together."""
    groups = list(one.trials.groupby(["participant", "session"]))
    start = time.process_time()
    alone = [(label, recruitment_curve(part, form=form)) for label, part in groups]
    between = time.process_time()
    together = recruitment_curves_of_study(one.trials, form=form).set_index(["participant", "session", "measure"])
    seconds = np.array([between - start, time.process_time() - between]) / len(groups)
    truth = one.truth.set_index(["participant", "session"])
    rows = []
    for label, values in alone:
        for key in KEYS:
            known = (truth.loc[label, key], np.nan, len(one.trials) // len(groups))
            rows.append(line(key, name, "each curve alone", values[key], *known, seconds[0]))
            rows.append(line(key, name, "study together", together.loc[(*label, key)], *known, seconds[1]))
    return rows


def peers(studies: int, seed: int, iterations: int) -> pd.DataFrame:
    """HbMEP, RecruitmentCurveFitting and we on the same trials."""
    python = peer_python(default_environment().with_name("peers_curves"), HERE / "peers_curves.txt")
    rows = []
    for construction in ("rectified logistic", "boltzmann"):
        for number in range(studies):
            one = study(np.random.default_rng([seed, 999, number]), construction, 8, 2)
            name = f"{construction}, 8 people, 26 pulses"
            rows += compared(one, name, FORMS[construction])
            truth = one.truth.set_index("participant")
            for program, found in (
                ("hbmep", by_hbmep(one, FORMS[construction], iterations)),
                ("recruitmentcurvefitting", by_program(python, one)),
            ):
                for row in found[found["measure"].isin(KEYS)].to_dict("records"):
                    answer = truth.loc[row["participant"], row["measure"]]
                    rows.append(line(row["measure"], name, program, row, answer, np.nan, 26, row["cpu"] / 8))
    return pd.DataFrame(rows)


def by_hbmep(one: Study, form: str, iterations: int) -> pd.DataFrame:
    """The study's table with hbMEP behind it, and the processor time of all."""
    start = time.process_time()
    sampler = {"n_chains": 2, "n_warmup": iterations, "n_draws": iterations}
    found = recruitment_curves_of_study(one.trials, form=form, method="hbmep", **sampler)
    return found.assign(cpu=time.process_time() - start)


def by_program(python: Path, one: Study) -> pd.DataFrame:
    """What RecruitmentCurveFitting finds in one study."""
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "trials.csv", Path(folder) / "found.csv"
        one.trials.assign(mep_amplitude=1e3 * one.trials["mep_amplitude"]).to_csv(source, index=False)
        command = [str(python), str(HERE / "peer_curves.py"), str(source), str(target)]
        subprocess.run(command, check=True, capture_output=True)
        return pd.read_csv(target)


def line(
    what: str,
    scenario: str,
    method: str,
    found: object,
    truth: float,
    spread: float,
    pulses: int,
    seconds: float = np.nan,
) -> dict[str, object]:
    """One estimate."""
    if isinstance(found, float):
        value, low, high = float(found), found.ci_low, found.ci_high  # type: ignore[attr-defined]
    else:
        value, low, high = found["value"], found["ci_low"], found["ci_high"]  # type: ignore[index]
    return {
        "what": what,
        "scenario": scenario,
        "method": method,
        "spread": spread,
        "error": value - truth,
        "covered": float(low <= truth <= high) if np.isfinite([value, low, high, truth]).all() else np.nan,
        "width": high - low,
        "pulses": pulses,
        "seconds": seconds,
    }


def summary(rows: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """Error, coverage and cost by scenario and method."""
    return (
        rows.groupby(keys, sort=False, dropna=False)
        .agg(
            n=("error", "size"),
            not_estimable=("error", lambda v: float(v.isna().mean())),
            bias=("error", "mean"),
            median_error=("error", lambda v: float(v.abs().median())),
            root_mean_square_error=("error", lambda v: float(np.sqrt(np.mean(v**2)))),
            coverage=("covered", "mean"),
            median_width=("width", "median"),
            median_pulses=("pulses", "median"),
            seconds_a_curve=("seconds", "mean"),
        )
        .reset_index()
    )


def main() -> None:
    """Simulate, measure, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=900, help="simulated people a threshold sequence")
    parser.add_argument("--studies", type=int, default=25, help="studies of eight curves (larger studies: fewer)")
    parser.add_argument("--peers", type=int, default=0, help="studies of eight people that the peers fit too")
    parser.add_argument(
        "--iterations", type=int, default=1000, help="of hbMEP's warm-up and of its sampling, two chains"
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--output", type=Path, default=RESULTS)
    options = parser.parse_args()
    one_thread()
    sections, parts = [], []
    names = ["what", "scenario", "method"]
    found = offline(options.people, options.seed)
    parts += [summary(found, names), summary(found, [*names, "spread"])]
    sections.append(("Thresholds from recorded trials", "%MSO; spreads of 5, 7 and 10 %, three shapes.", parts[0]))
    parts.append(summary(live(options.people, options.seed), [*names, "spread"]))
    sections.append(("Live search", "From 50 %MSO to the method's own end, at most 30 pulses.", parts[-1]))
    parts.append(summary(curves(options.studies, options.seed), names))
    sections.append(("Recruitment curves", "%MSO; values that cannot be known are counted, not guessed.", parts[-1]))
    if options.peers:
        parts.append(summary(peers(options.peers, options.seed, options.iterations), names).assign(beside="peers"))
        text = f"hbMEP {version('hbmep')} through our table: 2 chains of {options.iterations} + {options.iterations} "
        text += "(our default: 4 of 1000 + 1000), seconds of processor time with the compilation. The threshold of a "
        text += "Boltzmann curve is where its tangent meets the floor; RecruitmentCurveFitting means its 5 % point "
        text += "there, so compare S50."
        sections.append(("Beside hbMEP and RecruitmentCurveFitting", text, parts[-1].drop(columns="beside")))
    table = pd.concat(parts, ignore_index=True)
    head = provenance(options.seed) | {"simulated": f"{options.people} people a sequence, {options.studies} studies"}
    for path in write(
        "threshold_and_curve_calibration", "Thresholds and recruitment curves", head, table, sections, options.output
    ):
        print(f"wrote {path}")


if __name__ == "__main__":
    main()
