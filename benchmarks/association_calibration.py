"""Type-I error and interval coverage of associations, mediation, equivalence, effect sizes and reliability.

    python benchmarks/association_calibration.py --studies 1000 --seed 1

writes ``benchmarks/results/association_calibration_<date>.tsv`` and ``.md``. A line is one kind of simulated study of
12 to 40 people. ``coverage`` should be 0.95 and ``type_1_error`` 0.05 within Monte-Carlo error (``standard_error``),
except where a remark says why not. Mediations and bootstraps run on fewer studies.
"""

from __future__ import annotations

import argparse
import datetime
import itertools
import platform
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import scipy
from scipy import stats

import excitability
from excitability.comparison import d_ppc2, d_rm, g_av, hedges_g, icc, sem
from excitability.comparison.associations import partial_correlation
from excitability.comparison.equivalence import two_one_sided
from excitability.comparison.mediation import mediation
from excitability.comparison.moderation import difference, slope
from excitability.comparison.multiplicity import benjamini_hochberg, holm
from excitability.comparison.power import power
from excitability.comparison.responders import chance_of_as_many, expected_share
from excitability.comparison.variance_components import VarianceComponents

RESULTS = Path(__file__).parent / "results"
SIZES = (12, 20, 40)
_HEAVY = "outliers shared (t, 5 df)"
_OUTLIERS = "outliers that both share: uncorrelated is then not independent, read the bootstrap"
_PRODUCT = "both paths absent: an interval of a product is wider than it need be"
Line = dict[str, object]


def main() -> None:
    """Run all kinds of studies and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=1000, help="studies a line (bootstraps: half of them)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--output", type=Path, default=RESULTS)
    options = parser.parse_args()
    kinds: tuple[Callable[[int, np.random.Generator], Iterator[Line]], ...] = (
        correlations, moderations, mediations, equivalences, effect_sizes, reliabilities, responses, corrections,
        powers,
    )  # fmt: skip
    lines: list[Line] = []
    for kind, seed in zip(kinds, np.random.SeedSequence(options.seed).spawn(len(kinds)), strict=True):
        start = time.perf_counter()
        lines += kind(options.studies, np.random.default_rng(seed))
        print(f"{kind.__name__}: {time.perf_counter() - start:.0f} s", flush=True)
    table = pd.DataFrame(lines)
    options.output.mkdir(parents=True, exist_ok=True)
    stem = options.output / f"association_calibration_{datetime.date.today():%Y-%m-%d}"
    table.assign(seed=options.seed, **provenance()).to_csv(f"{stem}.tsv", sep="\t", index=False, float_format="%.4f")
    Path(f"{stem}.md").write_text(page(table, options.seed), encoding="utf-8")
    print(page(table, options.seed))
    print(f"wrote {stem}.tsv and .md")


def line(
    topic: str, study: str, interval: str, n: str, truth: float, low: list, high: list, p: list, remark: str = ""
) -> Line:
    """One line of the table, from the limits and p values of its studies."""
    lows, highs, ps = (np.array(values, dtype=float) for values in (low, high, p))
    held = np.isfinite(lows)
    coverage = float(((lows <= truth) & (truth <= highs))[held].mean()) if held.any() else np.nan
    found = float((ps[np.isfinite(ps)] < 0.05).mean()) if np.isfinite(ps).any() else np.nan
    studies = int(held.sum()) if held.any() else int(np.isfinite(ps).sum())
    share = coverage if np.isfinite(coverage) else found
    return {
        "topic": topic,
        "study": study,
        "interval": interval,
        "people": n,
        "truth": truth,
        "studies": studies,
        "coverage": coverage,
        "type_1_error": found if truth == 0 else np.nan,
        "power": found if truth != 0 else np.nan,
        "standard_error": float(np.sqrt(share * (1 - share) / max(studies, 1))),
        "remark": remark,
    }


def correlations(studies: int, rng: np.random.Generator) -> Iterator[Line]:
    """Changes of two measures; age moves both where it is taken out; outliers that both share."""
    for n in SIZES:
        for r in (0.0, 0.5):
            for method, kind in itertools.chain(
                itertools.product(("pearson", "spearman"), ("normal", _HEAVY)), [("pearson", "age taken out")]
            ):
                truth = r if method == "pearson" else _spearman(r, kind)
                found = []
                for _ in range(studies // 2):
                    x, y = rng.multivariate_normal([0, 0], [[1, r], [r, 1]], n).T
                    taken = np.empty((n, 0))
                    if kind.startswith("age"):
                        age = rng.standard_normal(n)
                        x, y, taken = x + age, y + age, age[:, None]
                    if kind.startswith("outliers"):
                        scale = np.sqrt(5 / rng.chisquare(5, n))
                        x, y = x * scale, y * scale
                    found.append(partial_correlation(x, y, taken, method, 499, rng))
                name = f"{method}, {kind}"
                for interval, ends in (
                    ("Fisher z", ("ci_low", "ci_high")),
                    ("bootstrap t", ("bootstrap_low", "bootstrap_high")),
                ):
                    limits = [[one[end] for one in found] for end in ends]
                    p = [one["p_value"] for one in found] if interval == "Fisher z" else [np.nan]
                    remark = _OUTLIERS if "outliers" in name and interval == "Fisher z" else ""
                    yield line("correlation", name, interval, str(n), truth, *limits, p, remark)


def _spearman(r: float, kind: str) -> float:
    """True rank correlation of two normal or heavy-tailed variables."""
    if not kind.startswith("outliers"):
        return 6 / np.pi * np.arcsin(r / 2)
    rng = np.random.default_rng(0)
    z = rng.multivariate_normal([0, 0], [[1, r], [r, 1]], 400_000) * np.sqrt(5 / rng.chisquare(5, 400_000))[:, None]
    return 0.0 if r == 0 else float(stats.spearmanr(z[:, 0], z[:, 1]).statistic)


def moderations(studies: int, rng: np.random.Generator) -> Iterator[Line]:
    """A change that depends on a value before; of two groups the difference of the slopes."""
    for n in SIZES:
        for truth in (0.0, 0.5):
            found = []
            for _ in range(2 * studies):
                x = rng.standard_normal(n)
                found.append(slope(truth * x + rng.standard_normal(n), x, np.empty((n, 0))))
            yield line("moderation", "one group", "t", str(n), truth, *_of(found))
            for spread in (1.0, 3.0):
                found = []
                for _ in range(2 * studies):
                    one, two = rng.standard_normal((2, n))
                    first = slope(truth * one + spread * rng.standard_normal(n), one, np.empty((n, 0)))
                    found.append(difference(first, slope(rng.standard_normal(n), two, np.empty((n, 0)))))
                name = f"two groups, spread {spread:g} to 1"
                yield line("moderation", name, "Welch t", f"{n}+{n}", truth, *_of(found))


def _of(contrasts: list) -> tuple[list, list, list]:
    intervals = [one.interval for one in contrasts]
    return [low for low, _ in intervals], [high for _, high in intervals], [one.p_value for one in contrasts]


def mediations(studies: int, rng: np.random.Generator) -> Iterator[Line]:
    """Paths present and absent, within people and between two groups."""
    for grouped in (False, True):
        for n in SIZES:
            for a, b in ((0.0, 0.0), (1.2, 0.0), (0.0, 1.0), (1.0, 0.7)):
                found = [_mediation(n, a, b, grouped, rng) for _ in range(studies // 2)]
                name = f"{'two groups' if grouped else 'within people'}, a = {a:g}, b = {b:g}"
                for interval, ends in (
                    ("Monte Carlo t", "monte_carlo"),
                    ("percentile", "percentile"),
                    ("bias-corrected", "corrected"),
                ):
                    limits = [getattr(one, ends) for one in found]
                    excludes = [0.0 if low > 0 or high < 0 else 1.0 for low, high in limits]
                    p = [one.p_value for one in found] if interval == "Monte Carlo t" else excludes
                    low, high = [low for low, _ in limits], [high for _, high in limits]
                    remark = _PRODUCT if a == b == 0 else ""
                    yield line("mediation", name, interval, str(n), a * b, low, high, p, remark)


def _mediation(n: int, a: float, b: float, grouped: bool, rng: np.random.Generator):
    if grouped:
        beside = np.repeat([1.0, 0.0], n // 2)
        m = a * beside + rng.standard_normal(n)
        y = b * m + 0.2 * beside + rng.standard_normal(n)
    else:
        beside = rng.standard_normal(n)
        m = a + rng.standard_normal(n)
        y = 0.2 + b * m + 0.1 * beside + rng.standard_normal(n)
    seed = int(rng.integers(2**31))
    return mediation(m, y, beside, np.empty((n, 0)), grouped, 499, seed)


def equivalences(studies: int, rng: np.random.Generator) -> Iterator[Line]:
    """Two one-sided tests where the true change is at the bound (their largest error), and where it is zero."""
    for n in SIZES:
        for truth, name in ((1.0, "change at the bound: error"), (0.0, "no change: power")):
            change = truth + rng.standard_normal((4 * studies, n)) * 1.2
            error = change.std(axis=1, ddof=1) / np.sqrt(n)
            tests = [two_one_sided(m, e, n - 1, 1.0) for m, e in zip(change.mean(axis=1), error, strict=True)]
            shown = float(np.mean([one.p_value < 0.05 for one in tests]))
            covered = float(np.mean([one.low <= truth <= one.high for one in tests]))
            row = line(
                "equivalence",
                name,
                "90 %",
                str(n),
                truth,
                [np.nan],
                [np.nan],
                [np.nan],
                f"90 % interval covers {covered:.3f}",
            )
            row |= {"studies": len(tests), "standard_error": float(np.sqrt(shown * (1 - shown) / len(tests)))}
            yield {**row, "type_1_error" if truth else "power": shown}


def effect_sizes(studies: int, rng: np.random.Generator) -> Iterator[Line]:
    """Standardised changes; people correlate by r between sessions; the spread grows where it says so."""
    for n in SIZES:
        for truth in (0.0, 0.5, 1.0):
            for r, growth in ((0.5, 1.0), (0.8, 1.0), (0.8, 1.5)):

                def pair(shift: float, r: float = r, growth: float = growth, n: int = n) -> np.ndarray:
                    before, after = rng.multivariate_normal([0, 0], [[1, r], [r, 1]], n).T
                    return np.array([before, growth * after + shift])

                name = f"r = {r:g}, spread × {growth:g}"
                truths = {"g_av": truth, "d_rm": truth, "d_ppc2": truth}
                shift = {"g_av": truth * (1 + growth) / 2, "d_ppc2": truth}
                shift["d_rm"] = truth * np.sqrt(1 + growth**2 - 2 * r * growth) / np.sqrt(2 * (1 - r))
                found: dict[str, list] = {measure: [] for measure in truths}
                for _ in range(studies // 2):
                    found["g_av"].append(g_av(*pair(shift["g_av"])))
                    found["d_rm"].append(d_rm(*pair(shift["d_rm"])))
                    found["d_ppc2"].append(d_ppc2(*pair(shift["d_ppc2"]), *pair(0.0)))
                for measure, values in found.items():
                    people = f"{n}+{n}" if measure == "d_ppc2" else str(n)
                    limits = [one.ci_low for one in values], [one.ci_high for one in values]
                    bias = f"mean {np.mean(values):.3f}"
                    interval = "delta method" if measure == "d_rm" else "noncentral t"
                    yield line("effect size", f"{measure}, {name}", interval, people, truth, *limits, [np.nan], bias)
            groups = [hedges_g(rng.normal(truth, 1, n), rng.normal(0, 1, n)) for _ in range(studies // 2)]
            limits = [one.ci_low for one in groups], [one.ci_high for one in groups]
            yield line(
                "effect size",
                "hedges_g",
                "noncentral t",
                f"{n}+{n}",
                truth,
                *limits,
                [np.nan],
                f"mean {np.mean(groups):.3f}",
            )


def reliabilities(studies: int, rng: np.random.Generator) -> Iterator[Line]:
    """Intraclass correlations and the error of measurement from two sessions of people with ICC 0.5 and 0.8."""
    for n in SIZES:
        for truth in (0.5, 0.8):
            error = np.sqrt(1 / truth - 1)
            tables = [rng.normal(0, 1, (n, 1)) + rng.normal(0, error, (n, 2)) for _ in range(2 * studies)]
            for form in ("1,1", "2,1", "3,1"):
                found = [icc(table, form) for table in tables]
                limits = [one.ci_low for one in found], [one.ci_high for one in found]
                yield line("reliability", f"ICC({form})", "F", str(n), truth, *limits, [np.nan])
            for kind in ("consistency", "agreement"):
                found = [sem(table, kind) for table in tables]
                limits = [one.ci_low for one in found], [one.ci_high for one in found]
                yield line("reliability", f"SEM, {kind}", "chi-square", str(n), error, *limits, [np.nan])


def responses(studies: int, rng: np.random.Generator) -> Iterator[Line]:
    """Responders when nothing happened, judged by repeated baselines of the same people."""
    for n in SIZES:
        values = rng.standard_normal((8 * studies, n, 3))
        limit = 1.96 * (values[..., 1] - values[..., 0]).std(axis=1, ddof=1)
        count = (np.abs(values[..., 2] - values[..., 0]) > limit[:, None]).sum(axis=1)
        table = np.array([chance_of_as_many(k, n, n - 1) for k in range(n + 1)])
        told = f"share {np.mean(count) / n:.3f}, expected {expected_share(n - 1):.3f}; counts are whole numbers"
        yield line(
            "responders", "no change, repeated baseline", "", str(n), 0.0, [np.nan], [np.nan], list(table[count]), told
        )


def corrections(studies: int, rng: np.random.Generator) -> Iterator[Line]:
    """Any false positive in a family of six null tests that correlate by 0.36."""
    z = 0.6 * rng.standard_normal((8 * studies, 1)) + 0.8 * rng.standard_normal((8 * studies, 6))
    p = 2 * stats.norm.sf(np.abs(z))
    for name, method in (("Holm", holm), ("Benjamini-Hochberg", benjamini_hochberg), ("none", np.asarray)):
        smallest = [float(method(row).min()) for row in p]
        remark = "any false positive among six" + (": what correction is for" if name == "none" else "")
        yield line("multiplicity", name, "", "", 0.0, [np.nan], [np.nan], smallest, remark)


def powers(studies: int, rng: np.random.Generator) -> Iterator[Line]:
    """Simulated power against the noncentral t."""
    components = VarianceComponents("mep_amplitude", True, 0.6, 0.2, 0.5)
    spread = np.sqrt(2) * components.standard_error(20)
    for n in SIZES:
        exact = _noncentral(0.2 / (spread / np.sqrt(n)), n - 1)
        found = power(components, 0.2, n, 20, n_studies=8 * studies, seed=int(rng.integers(2**31)))
        row = line("power", "pre_post", "", str(n), 0.2, [np.nan], [np.nan], [np.nan], f"noncentral t {exact:.3f}")
        yield {**row, "studies": found.n_studies, "power": found.power, "standard_error": found.standard_error}


def _noncentral(shift: float, df: int) -> float:
    limit = stats.t.ppf(0.975, df)
    return float(stats.nct.sf(limit, df, shift) + stats.nct.cdf(-limit, df, shift))


def page(table: pd.DataFrame, seed: int) -> str:
    """The table in words, and what lies outside."""
    told = table[table["remark"].str.startswith(("both paths", "outliers", "any false", "share")) == False]  # noqa: E712
    outside = told[(told["coverage"] < 0.93) | (told["coverage"] > 0.97)]
    outside = outside[~outside["interval"].isin(["percentile", "bias-corrected"])]
    errors = told[(told["type_1_error"] < 0.035) | (told["type_1_error"] > 0.065)]
    errors = errors[~errors["interval"].isin(["percentile", "bias-corrected"])]
    parts = [
        "# Associations, mediation, equivalence, effect sizes, reliability: calibration",
        f"{datetime.date.today():%Y-%m-%d}, seed {seed}, commit {provenance()['commit']}; 12 to 40 people a study.",
        f"Lines: {len(table)}. Coverage outside 93 to 97 % without a remark or a better interval beside: "
        f"{len(outside)} of {int(told['coverage'].notna().sum())}; type-I error outside 3.5 to 6.5 %: {len(errors)} of "
        f"{int(told['type_1_error'].notna().sum())}.",
    ]
    grouped = table.groupby(["topic", "interval"], sort=False)
    rows = ["| topic | interval | lines | coverage | type-I error |", "| --- | --- | --- | --- | --- |"]
    for (topic, interval), own in grouped:
        rows.append(
            f"| {topic} | {interval} | {len(own)} | {_range(own['coverage'])} | {_range(own['type_1_error'])} |"
        )
    detail = ["| topic | study | interval | people | truth | studies | coverage | type-I error | power | remark |",
              "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |"]  # fmt: skip
    for row in table.itertuples():
        numbers = [
            f"{value:.3f}" if np.isfinite(value) else "" for value in (row.coverage, row.type_1_error, row.power)
        ]
        detail.append(
            f"| {row.topic} | {row.study} | {row.interval} | {row.people} | {row.truth:.2f} | {row.studies} | "
            f"{' | '.join(numbers)} | {row.remark} |"
        )
    return "\n\n".join(parts) + "\n\n" + "\n".join(rows) + "\n\n" + "\n".join(detail) + "\n"


def _range(values: pd.Series) -> str:
    held = values.dropna()
    return "" if held.empty else f"{held.min():.3f} to {held.max():.3f}"


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
        "python": platform.python_version(),
    }


if __name__ == "__main__":
    main()
