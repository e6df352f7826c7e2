"""Simulated studies for ``comparison_calibration.py``: designs, scatter and missing sessions, with known answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

TIMES = ("pre", "post0", "post30")
#: 20 % trimmed mean of the skewed scatter (exponential, mean 0, SD 1), by 10^7 draws; that of the others is 0.
TRIMMED_MEAN_OF_SKEWED = -0.2392


@dataclass(frozen=True)
class Scenario:
    """A kind of study. Spreads are standard deviations of the changes (of the values at one time point) on log scale.

    ``effects`` are the true changes of each group or arm; ``truth`` maps the label of a row to its true value, None
    where only the p value is judged. ``note`` says why a scenario may miss the limits.
    """

    name: str
    design: str  # groups, crossover or level
    sizes: tuple[int, ...]
    spreads: tuple[float, ...]
    effects: tuple[float, ...] = (0.0, 0.0, 0.0)
    names: tuple[str, ...] = ("patient", "control")
    method: str = "t"
    n_after: int = 1
    n_baselines: int = 1
    scatter: str = "normal"  # or skewed, heavy
    missing: float = 0.0
    covariate: str = ""  # age, baseline
    period: float | None = None  # effect of the second period; None: order not told
    share: float = 1.0
    note: str = ""
    rows: Mapping[str, float | None] = field(default_factory=dict)

    @property
    def by(self) -> str | None:
        """Column of the groups."""
        return None if len(self.names) == 1 else "arm" if self.design == "crossover" or len(self.names) > 2 else "group"

    @property
    def truth(self) -> dict[str, float | None]:
        """True value of each row, by its label."""
        effects = dict(zip(self.names, self.effects, strict=False))
        if self.scatter == "skewed" and self.method == "trimmed":
            moved = dict(zip(self.names, self.spreads, strict=True))
            effects = {name: effects[name] + TRIMMED_MEAN_OF_SKEWED * moved[name] for name in self.names}
        if self.rows:
            return dict(self.rows)
        if len(self.names) == 1:
            return {"all": effects[self.names[0]]}
        one, two = self.names[0], self.names[-1]
        between = {f"{one} - {two}": effects[one] - effects[two]}
        return between if self.design == "level" else {**effects, **between}

    def arguments(self) -> dict[str, Any]:
        """Arguments of ``compare``."""
        given: dict[str, Any] = {"by": self.by, "method": self.method}
        given["covariates"] = [self.covariate] if self.covariate else ()
        given["after"] = list(TIMES[1 : 1 + self.n_after])
        if self.n_baselines > 1:
            given["before"] = ["pre", *(f"pre{i}" for i in range(2, self.n_baselines + 1))]
        return given


def _scatter(kind: str, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """Scatter of mean 0 and SD 1."""
    if kind == "skewed":
        return rng.exponential(1, shape) - 1
    if kind == "heavy":  # one in ten people is far off
        return rng.normal(0, 1, shape) * np.where(rng.random(shape) < 0.1, 3.0, 0.745)
    return rng.normal(0, 1, shape)


def simulate(scenario: Scenario, studies: int, rng: np.random.Generator) -> pd.DataFrame:
    """Result table in which every study is a channel."""
    crossed = scenario.design == "crossover"
    n_arms = len(scenario.names) if crossed else 1
    n = scenario.sizes[0] if crossed else sum(scenario.sizes)
    group = np.zeros(n, dtype=int) if crossed else np.repeat(np.arange(len(scenario.sizes)), scenario.sizes)
    arm = np.arange(n_arms) if crossed else group[:, None]  # (n or 1, n_arms)
    spread, effect = np.asarray(scenario.spreads)[arm], np.asarray(scenario.effects)[arm]
    shape = (studies, n, n_arms)
    change = effect + spread * _scatter(scenario.scatter, shape, rng)
    if crossed:
        change = change + 0.2 * rng.normal(0, 1, (studies, n, 1))
    order = np.argsort(rng.random((n, n_arms)), axis=1) if n_arms > 2 else np.arange(n)[:, None] % 2 ^ np.arange(n_arms)
    if scenario.period is not None and crossed:
        change = change + scenario.period * order
    age = rng.normal(40, 12, n) + 5 * group
    person = rng.normal(np.log(0.5), 0.4, (studies, n, 1))
    before = person + rng.normal(0, 0.1, shape)
    if scenario.covariate == "age":
        change = change + 0.02 * (age - age.mean())[:, None]
    if scenario.covariate == "baseline":
        change = change - 0.5 * (before - np.log(0.5))
    if scenario.design == "level":
        before = np.log(0.5) + change  # the groups differ at the time point itself
    levels = [before, before + change]
    for _ in range(1, scenario.n_after):  # later time points hang together, and scatter more
        levels.append(before + effect + 0.5 * (change - effect) + 1.5 * spread * rng.normal(0, 1, shape))
    names = [*TIMES[: len(levels)]]
    for i in range(2, scenario.n_baselines + 1):
        names.append(f"pre{i}")
        levels.append(before + rng.normal(0, 0.1, shape))
    values = np.exp(np.stack(levels, axis=-1))
    values[rng.random(values.shape) < scenario.missing] = np.nan
    study, who, which, level = (axis.ravel() for axis in np.indices(values.shape))
    table = pd.DataFrame(
        {
            "participant": np.char.add("p", np.char.zfill(np.arange(n).astype(str), 2))[who],
            "timepoint": np.array(names)[level],
            "protocol": "m1/sici",
            "channel": np.char.add("c", study.astype(str)),
            "condition": "isi_0.0025",
            "measure": "conditioned_ratio",
            "value": values.ravel(),
            "unit": "1",
            "form": "ratio",
            "age": age[who],
        }
    )
    if scenario.by is not None:
        table[scenario.by] = np.array(scenario.names)[which if crossed else group[who]]
    if crossed and scenario.period is not None:
        table["period"] = order[who, which] + 1
    return table


_DOSES = ("40 min", "10 min", "0 min")
_ARMS = ("exercise", "rest")
_SKEW = "in few people the mean of skewed changes goes with their spread: where it is low the interval is too narrow"
_OUTLIERS = (
    "drawn studies hold a few outliers once, twice or not at all, and their t is more scattered than that of studies"
)
_FLIPS = "sign flips suppose that changes lie symmetrically about their mean"
_TREND = {"per min": 0.01, "40 min - 0 min": 0.4}


def _by_method(method: str) -> list[Scenario]:
    """The same studies for each of the methods."""
    few = 0.5 if method in ("permutation", "bootstrap") else 1.0
    common: dict[str, Any] = {"method": method, "share": few}
    skew = {"t": _SKEW, "permutation": f"{_SKEW}; {_FLIPS}"}.get(method, "")
    one: dict[str, Any] = {**common, "names": ("all",), "share": 1.0}
    return [
        Scenario("one group", "groups", (12,), (0.3,), (0.3,), **one),
        Scenario("one group", "groups", (20,), (0.3,), **one),
        Scenario("one group, outliers", "groups", (16,), (0.3,), scatter="heavy",
                 note=_OUTLIERS if method == "bootstrap" else "", **one),
        Scenario("one group, skewed changes", "groups", (12,), (0.3,), scatter="skewed", note=skew, **one),
        Scenario("one group, skewed changes", "groups", (16,), (0.3,), scatter="skewed", note=skew, **one),
        Scenario("one group, skewed changes", "groups", (40,), (0.3,), scatter="skewed", note=skew, **one),
        Scenario("one group, 20 % of sessions missing", "groups", (18,), (0.3,), missing=0.2, **one),
        Scenario("two groups", "groups", (12, 12), (0.3, 0.3), (0.3, 0.0), **common),
        Scenario("two groups, unequal sizes and spreads", "groups", (8, 16), (0.6, 0.2), **common),
        Scenario("two groups, unequal sizes and spreads", "groups", (12, 28), (0.2, 0.6), (0.3, 0.0), **common),
        Scenario("two groups, skewed changes", "groups", (15, 15), (0.3, 0.3), scatter="skewed", note=skew, **common),
        Scenario("two groups, 20 % of sessions missing", "groups", (12, 12), (0.3, 0.3), missing=0.2, **common),
        Scenario("crossover, order known", "crossover", (12,), (0.3, 0.3), (0.3, 0.0), _ARMS, period=0.2,
                 rows={"exercise - rest": 0.3, "second - first": 0.2}, **common),
        Scenario("crossover, order known, unequal spreads", "crossover", (20,), (0.5, 0.1), (0.0, 0.0), _ARMS,
                 period=0.0, rows={"exercise - rest": 0.0, "second - first": 0.0}, **common),
        Scenario("crossover, order unknown", "crossover", (14,), (0.3, 0.2), (0.0, 0.0), _ARMS, **common),
        Scenario("crossover, 10 % of sessions missing", "crossover", (18,), (0.3, 0.3), (0.0, 0.0), _ARMS,
                 period=0.2, missing=0.1, rows={"exercise - rest": 0.0, "second - first": 0.2}, **common),
        Scenario("doses in three groups", "groups", (10, 10, 10), (0.3, 0.3, 0.3), (0.4, 0.1, 0.0), _DOSES,
                 rows=_TREND, **common),
        Scenario("doses in three groups, unequal", "groups", (8, 10, 14), (0.5, 0.3, 0.2), names=_DOSES,
                 rows={"per min": 0.0, "40 min - 0 min": 0.0}, **common),
        Scenario("doses within people", "crossover", (12,), (0.3, 0.3, 0.2), (0.4, 0.1, 0.0), _DOSES, rows=_TREND,
                 **common),
        Scenario("two baselines", "groups", (14,), (0.2,), n_baselines=2, **one),
        Scenario("case-control at one time", "level", (15, 15), (0.4, 0.4), (0.3, 0.0), **common),
        Scenario("case-control at one time, unequal", "level", (12, 26), (0.6, 0.3), **common),
        Scenario("case-control at one time, skewed", "level", (18, 18), (0.4, 0.4), scatter="skewed", note=skew,
                 **common),
    ]  # fmt: skip


_JOINT = {"all": None}
SCENARIOS = [
    *_by_method("t"),
    Scenario("two groups", "groups", (6, 6), (0.3, 0.3)),
    Scenario("two groups, covariate", "groups", (8, 8), (0.3, 0.3), covariate="age"),
    Scenario("two groups, covariate, unequal", "groups", (8, 16), (0.6, 0.2), covariate="age"),
    Scenario("two groups, baseline as covariate", "groups", (12, 12), (0.3, 0.3), (0.3, 0.0), covariate="baseline",
             rows={"patient - control": 0.3}),
    Scenario("two groups, baseline as covariate, unequal", "groups", (10, 20), (0.5, 0.2), covariate="baseline",
             rows={"patient - control": 0.0}),
    Scenario("crossover, baseline as covariate", "crossover", (14,), (0.3, 0.3), (0.3, 0.0), _ARMS, period=0.2,
             covariate="baseline", rows={"exercise - rest": 0.3}),
    Scenario("case-control at one time, covariate", "level", (12, 20), (0.5, 0.3), (0.3, 0.0), covariate="age"),
    Scenario("time course, all times together", "groups", (12,), (0.3,), names=("all",), n_after=2, rows=_JOINT),
    Scenario("time course of two groups, all times together", "groups", (10, 20), (0.5, 0.2), n_after=2,
             rows={"patient": None, "patient - control": None}),
    Scenario("time course with a rest day, all times together", "crossover", (16,), (0.3, 0.2), (0.0, 0.0), _ARMS,
             n_after=2, period=0.2, rows={"exercise - rest": None}),
    Scenario("time course with a rest day, 10 % missing", "crossover", (24,), (0.3, 0.2), (0.0, 0.0), _ARMS,
             n_after=2, missing=0.1, rows={"exercise - rest": None}),
    *_by_method("trimmed"),
    *_by_method("permutation"),
    *_by_method("bootstrap"),
]  # fmt: skip
