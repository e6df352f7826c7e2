"""Type-I error and power of ``excitability.compare_evoked`` on simulated studies of TMS-evoked potentials.

    python benchmarks/tep_cluster_type_one.py --studies 400 --seed 1

A study is 8 to 20 people with an evoked potential before and after. Potentials are dipoles in MNE's spherical head
model (P25, N40, P60, N100, P185 over left DLPFC), each person's components of a size of their own at every session, in
the average of 80 trials of ongoing EEG (1/f through 60 background dipoles, alpha). Both change as one over space and
time, as recordings do. Under the null the mean change is zero (in both groups the same); for power P60 and N100 grow by
30 % (SD between people 25 %, error of trials on top). Figures are shares of studies with a cluster of p <= 0.05.
"""

from __future__ import annotations

import argparse
import itertools
import time
from dataclasses import dataclass
from pathlib import Path

import mne
import numpy as np
import pandas as pd
from _common import RESULTS, one_thread, provenance, write

from excitability.comparison import compare_evoked
from excitability.comparison._cluster_test import ClusterTest
from excitability.comparison._evoked_changes import as_table, read_changes
from excitability.comparison.clusters import WINDOWS
from excitability.simulate.brain_activity import aperiodic, rhythm
from excitability.simulate.eeg_sessions import COMPONENTS, true_response
from excitability.simulate.fields import CHANNELS, eeg_info

RATE, TMIN, N_TIMES = 250.0, -0.1, 100
TIMES = TMIN + np.arange(N_TIMES) / RATE
N_TRIALS = 80
SPREAD = 0.25  # SD between people of a session's change of a component, as a share of its size
EFFECT = {"p60": 0.3, "n100": 0.3}
PEAKS = {"early": ("F1", 0.063), "late": ("FC1", 0.110)}


@dataclass(frozen=True)
class Scenario:
    """A kind of study; two sizes are two groups."""

    name: str
    sizes: tuple[int, ...]
    spread: tuple[float, ...] = (SPREAD, SPREAD)
    effect: bool = False
    skewed: bool = False

    @property
    def design(self) -> str:
        return "pre/post" if len(self.sizes) == 1 else "difference of changes"


SCENARIOS = (
    *(Scenario("null", (n,)) for n in (8, 12, 20)),
    *(Scenario("null", (n, n)) for n in (8, 10)),
    Scenario("null", (12, 8)),
    Scenario("null, smaller group twice the spread", (14, 7), spread=(SPREAD / 2, SPREAD)),
    Scenario("null, skewed changes", (12,), skewed=True),
    *(Scenario("effect", (n,), effect=True) for n in (8, 12, 20)),
    *(Scenario("effect", (n, n), effect=True) for n in (10, 20)),
)


def components() -> np.ndarray:
    """Every component by itself, (n_components, n_channels, n_times), V."""
    known = COMPONENTS["DLPFC"]
    return np.array([true_response(CHANNELS, TIMES, {name: known[name]}) for name in known])


def noise(n: int, rng: np.random.Generator) -> np.ndarray:
    """Averages of ongoing EEG, (n, n_channels, n_times), cut from one recording so that slow waves are in them."""
    length = n * N_TIMES
    data = aperiodic(CHANNELS, length, RATE, 1.2, 4e-6, rng)
    data += rhythm(CHANNELS, length, RATE, ("O1", "O2", "Pz"), 10.0, 0.9, 3e-6, rng)
    cut = data.reshape(len(CHANNELS), n, N_TIMES).swapaxes(0, 1) / np.sqrt(N_TRIALS)
    return cut - cut[:, :, TIMES < -0.01].mean(axis=2, keepdims=True)


def study(scenario: Scenario, parts: np.ndarray, info: mne.Info, rng: np.random.Generator) -> tuple[dict, dict]:
    """Evoked potentials by time point and person, and each person's group."""
    both: dict[str, dict[str, mne.Evoked]] = {"pre": {}, "post0": {}}
    groups = {}
    for number, size in enumerate(scenario.sizes):
        own = noise(2 * size, rng)
        for i in range(size):
            who = f"{number}{i:02d}"
            groups[who] = ("patient", "control")[number]
            gain = 1 + 0.3 * rng.standard_normal(len(parts))
            change = scenario.spread[number] * deviations(len(parts), scenario.skewed, rng)
            if scenario.effect and number == 0:
                change += [EFFECT.get(name, 0.0) for name in COMPONENTS["DLPFC"]]
            for level, size_of, told in (("pre", gain, own[2 * i]), ("post0", gain + change, own[2 * i + 1])):
                wave = np.tensordot(size_of, parts, 1) + told
                both[level][who] = mne.EvokedArray(wave, info, TMIN, nave=N_TRIALS, verbose="ERROR")
    return both, groups


def deviations(n: int, skewed: bool, rng: np.random.Generator) -> np.ndarray:
    if not skewed:
        return rng.standard_normal(n)
    values = rng.lognormal(0, 0.6, n)
    return (values - np.exp(0.18)) / np.sqrt(np.expm1(0.36) * np.exp(0.36))


def tests(both: dict, groups: dict | None, permutations: int, seed: int) -> pd.DataFrame:
    """Rows of ``compare_evoked`` for the design: of two groups only their difference, a third of the time."""
    if groups is None:
        return compare_evoked(both, n_permutations=permutations, seed=seed)
    [changes] = read_changes(*_arguments(both, groups))
    rows = [ClusterTest(changes, (0, 1), *window, 0.05, permutations, seed).rows() for window in WINDOWS.items()]
    return pd.DataFrame(list(itertools.chain.from_iterable(rows)))


def _arguments(both: dict, groups: dict) -> tuple:
    table, by = as_table(both, groups)
    return table, "session", "pre", "post0", by, None


def one_study(scenario: Scenario, parts: np.ndarray, info: mne.Info, permutations: int, seed: list[int]) -> list[dict]:
    """One row a window: smallest p, and whether a cluster of p <= 0.05 holds the peak that changed."""
    rng = np.random.default_rng(seed)
    both, groups = study(scenario, parts, info, rng)
    found = tests(both, groups if len(scenario.sizes) == 2 else None, permutations, int(rng.integers(2**31)))
    rows = []
    for window, own in found.groupby("window", sort=False):
        channel, when = PEAKS[str(window)]
        sure = own[own["p_value"] <= 0.05]
        at = [
            channel in row.channels.split("+") and row.t0 - 0.004 <= when <= row.t1 + 0.004 for row in sure.itertuples()
        ]
        rows.append({"window": window, "p_value": own["p_value"].min(), "at_peak": any(at)})
    return rows


def measure(scenario: Scenario, studies: int, permutations: int, seed: int, number: int, n_jobs: int) -> list[dict]:
    from joblib import Parallel, delayed

    parts, info = components(), eeg_info(CHANNELS, RATE)
    work = (delayed(one_study)(scenario, parts, info, permutations, [seed, number, i]) for i in range(studies))
    table = pd.DataFrame(itertools.chain.from_iterable(Parallel(n_jobs=n_jobs)(work)))
    rows = []
    for window, own in table.groupby("window", sort=False):
        share = float((own["p_value"] <= 0.05).mean())
        rows.append(
            {
                "design": scenario.design,
                "scenario": scenario.name,
                "people": " + ".join(map(str, scenario.sizes)),
                "window": window,
                "studies": len(own),
                "significant": share,
                "standard_error": np.sqrt(share * (1 - share) / len(own)),
                "at_peak": float(own["at_peak"].mean()) if scenario.effect else np.nan,
            }
        )
    return rows


def pooled(table: pd.DataFrame) -> pd.DataFrame:
    """Type-I error over the sizes of each design, without the scenarios that break its assumption."""
    null = table[table["scenario"] == "null"]
    null = null.assign(hits=null["significant"] * null["studies"])
    found = null.groupby(["design", "window"], sort=False)[["hits", "studies"]].sum().reset_index()
    share = found["hits"] / found["studies"]
    found["significant"], found["standard_error"] = share, np.sqrt(share * (1 - share) / found["studies"])
    return found.drop(columns="hits")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--studies", type=int, default=400, help="a scenario; a quarter of it for power and unfair nulls"
    )
    parser.add_argument("--permutations", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--n-jobs", type=int, default=1)
    parser.add_argument("--output", type=Path, default=RESULTS)
    options = parser.parse_args()
    one_thread()
    rows: list[dict] = []
    for number, scenario in enumerate(SCENARIOS):
        start = time.perf_counter()
        studies = options.studies if scenario.name == "null" else options.studies // 4
        rows += measure(scenario, studies, options.permutations, options.seed, number, options.n_jobs)
        print(scenario.name, scenario.sizes, rows[-2:], f"{time.perf_counter() - start:.0f} s", flush=True)
    table = pd.DataFrame(rows)
    head = {**provenance(options.seed), "permutations": str(options.permutations)}
    null = table["scenario"].str.startswith("null")
    sections = [
        ("Type-I error by design", "Share of null studies with p <= 0.05, all sizes together.", pooled(table)),
        ("Type-I error by scenario", "Changes that are skewed, or spread unequally in groups of unequal size, are not "
         "exchangeable: there the test is approximate.", table[null].drop(columns="at_peak")),
        ("Power", "P60 and N100 grow by 30 %, SD between people 25 %. at peak: a cluster of p <= 0.05 that holds the "
         "electrode and the time of the true peak.", table[~null]),
    ]  # fmt: skip
    for path in write(
        "tep_cluster_type_one", "Cluster test of evoked potentials", head, table, sections, options.output
    ):
        print(path)


if __name__ == "__main__":
    main()
