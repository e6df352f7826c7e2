"""Coverage of the intervals of motor maps and of the overlap of two muscles, on simulated maps with known answers.

    python benchmarks/map_calibration.py --maps 400 --seed 1

writes ``benchmarks/results/map_calibration_<date>.tsv`` and ``.md``. The truth of every number is that of the
*expected* responses on the same sites (the nodes of the surface where positions are scattered), with the same rules.
``coverage`` should be 0.95, give or take ``standard_error``.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from _common import RESULTS, one_thread, provenance, write

from excitability.measures import motor_map
from excitability.measures._maps import response_map
from excitability.measures.overlap import map_overlap

FRACTION = 0.1
SHARED = 0.6  # correlation of the logarithms of two muscles' responses to one pulse
SINGLE = ("centre_of_gravity_x", "centre_of_gravity_y", "map_area", "map_volume", "map_normalised_volume", "map_spread")
PAIR = ("map_overlap_jaccard", "map_overlap_volume", "centre_of_gravity_distance")
#: Surfaces that were drawn up after the method was fixed.
UNSEEN = ("crescent",)


@dataclass(frozen=True)
class Scenario:
    """A kind of map: ``side`` sites a side of 1 cm with ``pulses`` each, or ``pulses`` at random in 6 × 6 cm."""

    surface: str
    side: int
    pulses: int
    variation: float
    trials: str = "log-normal"
    apart: float = 0.012

    @property
    def extent(self) -> float:
        return 0.06 if not self.side else 0.01 * (self.side - 1)

    @property
    def design(self) -> str:
        return f"{self.side} × {self.side}, {self.pulses} a site" if self.side else f"{self.pulses} random positions"


DESIGNS = ((5, 5, 0.5), (6, 10, 1.0), (7, 2, 1.0), (7, 5, 0.7), (9, 3, 0.7), (0, 80, 0.7), (0, 150, 1.0))
SCENARIOS = (
    *(
        Scenario(surface, side, pulses, variation)
        for surface in ("gaussian", "elongated", "two peaks", "plateau")
        for side, pulses, variation in DESIGNS
    ),
    *(Scenario("crescent", side, pulses, 0.7) for side, pulses in ((6, 5), (8, 3), (0, 120))),
    Scenario("gaussian on nothing", 7, 5, 0.7),
    Scenario("gaussian", 7, 5, 0.7, trials="gamma"),
    Scenario("gaussian", 0, 120, 1.0, trials="gamma"),
    Scenario("gaussian", 7, 5, 0.7, trials="less variable when large"),
    Scenario("gaussian", 0, 120, 0.7, trials="less variable when large"),
    Scenario("gaussian", 7, 5, 0.7, apart=0.0),
    Scenario("gaussian", 7, 5, 0.7, apart=0.03),
)  # fmt: skip


def expected(kind: str, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Expected response (V) at places about the middle of the map (m); 30 µV where nothing answers."""
    if kind.startswith("gaussian"):
        shape = np.exp(-((x - 0.003) ** 2 + (y + 0.002) ** 2) / (2 * 0.011**2))
    elif kind == "elongated":
        along, across = 0.8 * x + 0.6 * y, 0.8 * y - 0.6 * x
        shape = np.exp(-((along / 0.017) ** 2) / 2 - (across / 0.009) ** 2 / 2)
    elif kind == "two peaks":
        shape = np.exp(-((x + 0.012) ** 2 + y**2) / (2 * 0.008**2))
        shape = shape + 0.8 * np.exp(-((x - 0.013) ** 2 + (y - 0.006) ** 2) / (2 * 0.008**2))
    elif kind == "crescent":
        away, angle = np.hypot(x + 0.015, y), np.arctan2(y, x + 0.015)
        shape = np.exp(-(((away - 0.018) / 0.006) ** 2) / 2 - (angle / 0.9) ** 2 / 2)
    else:
        shape = 1 / (1 + np.exp((np.hypot(x, y - 0.004) - 0.013) / 0.003))
    return 1e-3 * (shape + (1e-6 if kind.endswith("nothing") else 0.03))


def scattered(mean: np.ndarray, scenario: Scenario, noise: np.ndarray) -> np.ndarray:
    """Trials about their mean, from standard normal deviates."""
    if scenario.trials == "gamma":
        from scipy import stats

        shape = 1 / scenario.variation**2
        return mean * stats.gamma.ppf(stats.norm.cdf(noise), shape) / shape
    variation = np.full(mean.shape, scenario.variation)
    if scenario.trials != "log-normal":
        variation = variation * (1.4 - 0.9 * mean / mean.max())
    spread = np.sqrt(np.log1p(variation**2))
    return mean * np.exp(spread * noise - spread**2 / 2)


def positions(scenario: Scenario, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Coil positions of the trials (m)."""
    if not scenario.side:
        return tuple(rng.uniform(0, scenario.extent, (2, scenario.pulses)))  # type: ignore[return-value]
    axis = 0.01 * np.arange(scenario.side)
    return tuple(np.tile(part.ravel(), scenario.pulses) for part in np.meshgrid(axis, axis))  # type: ignore[return-value]


def truth_of(mean: np.ndarray, sites: np.ndarray, cell: float) -> dict[str, float]:
    """Numbers of one map, by their definitions."""
    active = [i for i in range(len(mean)) if mean[i] >= FRACTION * max(mean)]
    total = sum(mean[i] for i in active)
    x, y = (sum(mean[i] * sites[i, axis] for i in active) / total for axis in (0, 1))
    moment = sum(mean[i] * ((sites[i, 0] - x) ** 2 + (sites[i, 1] - y) ** 2) for i in active)
    return dict(
        zip(SINGLE, (x, y, len(active) * cell, total * cell, total / max(mean), (moment / total) ** 0.5), strict=True)
    )


def truth_of_pair(a: np.ndarray, b: np.ndarray, sites: np.ndarray, cell: float) -> dict[str, float]:
    """Numbers of two maps, by their definitions."""
    in_a, in_b = a >= FRACTION * max(a), b >= FRACTION * max(b)
    relative_a, relative_b = a / max(a), b / max(b)
    volume = np.minimum(relative_a, relative_b).sum() / np.maximum(relative_a, relative_b).sum()
    one, other = truth_of(a, sites, cell), truth_of(b, sites, cell)
    way = [one[name] - other[name] for name in SINGLE[:2]]
    return dict(zip(PAIR, ((in_a & in_b).sum() / (in_a | in_b).sum(), volume, np.hypot(*way)), strict=True))


def placed(scenario: Scenario, rng: np.random.Generator) -> Callable[[np.ndarray, np.ndarray, float], np.ndarray]:
    """The expected response at places, of a muscle so far along: turned and shifted between the sites at random."""
    turn, (left, down) = rng.uniform(0, 2 * np.pi), rng.uniform(-0.005, 0.005, 2)

    def response(x: np.ndarray, y: np.ndarray, along: float) -> np.ndarray:
        x, y = x - scenario.extent / 2 - left, y - scenario.extent / 2 - down
        x, y = x * np.cos(turn) + y * np.sin(turn) - along, y * np.cos(turn) - x * np.sin(turn)
        return expected(scenario.surface, x, y)

    return response


def simulate(
    scenario: Scenario, rng: np.random.Generator, response: Callable[[np.ndarray, np.ndarray, float], np.ndarray]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Trial tables of two muscles."""
    x, y = positions(scenario, rng)
    first, own = rng.standard_normal((2, x.size))
    second = SHARED * first + np.sqrt(1 - SHARED**2) * own
    tables = []
    for shift, noise in ((0.0, first), (scenario.apart, second)):
        mean = response(x, y, shift)
        tables.append(pd.DataFrame({"coil_x": x, "coil_y": y, "mep_amplitude": scattered(mean, scenario, noise)}))
    return tables[0], tables[1]


def one_map(scenario: Scenario, seed: int) -> list[dict[str, object]]:
    """Estimates and truths of one simulated session."""
    rng = np.random.default_rng(seed)
    response = placed(scenario, rng)
    tables = simulate(scenario, rng, response)
    rows: list[dict[str, object]] = []
    for surface in ("sites", "smooth") if scenario.side else ("smooth",):
        start = time.process_time()
        found = dict(motor_map(tables[0], surface=surface, seed=seed))
        middle = time.process_time()
        found |= map_overlap(*tables, surface=surface, seed=seed)
        spent = {True: middle - start, False: time.process_time() - middle}
        nodes = response_map(tables[:1], "mep_amplitude", surface=surface)[0]
        means = [response(*nodes.sites.T, shift) for shift in (0.0, scenario.apart)]
        truth = truth_of(means[0], nodes.sites, nodes.spacing**2)
        truth |= truth_of_pair(*means, nodes.sites, nodes.spacing**2)
        for name, answer in truth.items():
            value = found[name]
            rows.append({"surface": surface, "measure": name, "truth": answer, "value": float(value),
                         "low": value.ci_low, "high": value.ci_high, "flagged": "biased_by_few_pulses" in value.flag,
                         "seconds": spent[name in SINGLE]})  # fmt: skip
    return rows


def summary(scenario: Scenario, rows: pd.DataFrame) -> list[dict[str, object]]:
    """A line for each measure and way of taking the values."""
    lines = []
    for (surface, name), own in rows.groupby(["surface", "measure"], sort=False):
        slack = 1e-9 * own["truth"].abs()
        covered = (own["low"] - slack <= own["truth"]) & (own["truth"] <= own["high"] + slack)
        error, scale = own["value"] - own["truth"], own["truth"].mean()
        if name.startswith("centre") or name == "map_spread":
            scale = 1e-3  # millimetres; the rest relative to the truth
        lines.append({
            "surface": scenario.surface, "design": scenario.design, "variation": scenario.variation,
            "trials": scenario.trials, "apart_mm": 1e3 * scenario.apart, "values": surface, "measure": name,
            "truth": own["truth"].mean(), "coverage": covered.mean(),
            "standard_error": float(np.sqrt(covered.mean() * (1 - covered.mean()) / len(own))),
            "bias": error.mean() / scale, "rms_error": float(np.sqrt((error**2).mean())) / scale,
            "median_width": (own["high"] - own["low"]).median() / scale, "flagged": own["flagged"].mean(),
            "milliseconds": 1e3 * own["seconds"].mean(), "maps": len(own),
        })  # fmt: skip
    return lines


def main() -> None:
    """Run the scenarios and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--maps", type=int, default=400, help="maps a scenario")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--output", type=Path, default=RESULTS)
    options = parser.parse_args()
    one_thread()
    lines: list[dict[str, object]] = []
    for number, scenario in enumerate(SCENARIOS):
        base = 1_000_000 * options.seed + 10_000 * number
        rows = pd.DataFrame([row for i in range(options.maps) for row in one_map(scenario, base + i)])
        lines += summary(scenario, rows)
    table = pd.DataFrame(lines)
    head = {**provenance(options.seed), "maps": f"{options.maps} a scenario"}
    title = "Motor maps: coverage of intervals, bias of values"
    for path in write("map_calibration", title, head, table, sections(table), options.output):
        print(path)


def sections(table: pd.DataFrame) -> list[tuple[str, str, pd.DataFrame]]:
    """What the page shows."""

    def across(part: pd.DataFrame, by: list[str]) -> pd.DataFrame:
        groups = part.groupby(by, sort=False)
        return groups.agg(
            coverage=("coverage", "mean"), lowest=("coverage", "min"), highest=("coverage", "max"),
            bias=("bias", "mean"), rms_error=("rms_error", "mean"), median_width=("median_width", "mean"),
        ).reset_index()  # fmt: skip

    kind = table["design"].str.contains("random").map({True: "random", False: "grid"})
    table = table.assign(positions=kind)
    widely = table[["surface", "design", "variation", "trials", "apart_mm", "values"]].drop_duplicates()
    coverage = table.pivot_table(index=list(widely), columns="measure", values="coverage", sort=False).reset_index()
    unit = "Errors of places, spread and distance in mm, all others relative to the truth."
    return [
        ("By measure", f"Mean, lowest and highest coverage over scenarios. {unit}",
         across(table, ["positions", "values", "measure"])),
        ("A surface that nothing was tuned on", f"{', '.join(UNSEEN)}. {unit}",
         across(table[table["surface"].isin(UNSEEN)], ["positions", "values", "measure"])),
        ("By scenario", "Coverage of nominal 95 % intervals.", coverage),
    ]  # fmt: skip


if __name__ == "__main__":
    main()
