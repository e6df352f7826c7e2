"""Does the change run through another one: exercise raises lactate or BDNF, and that changes inhibition.

The indirect effect is the product of two paths: ``a``, what the treatment does to the mediator, and ``b``, what the
mediator does to the outcome at equal treatment.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import special

from ..schema import Column, join_flags
from ._labels import as_text
from ._person_values import Name, PersonValues, adjusting, group_of, heading, person_values
from ._units import in_order
from .estimation import Contrast, group_changes

#: Columns of :func:`mediate`.
COLUMNS = {
    name: Column(name, unit, dtype, meaning)
    for name, unit, dtype, meaning in (
        ("mediator", "", "str", "what the change may run through"),
        ("outcome", "", "str", "what changes: protocol, measure, condition and channel, or a covariate"),
        ("contrast", "", "str", "what changes are taken between, and in which groups"),
        ("path", "", "str", "a, b, direct, total, or indirect (a·b)"),
        ("estimate", "as in unit", "float", "size of the path"),
        ("ci_low", "as in unit", "float", "lower 95 % limit: t, for the indirect path Monte Carlo from t of a and b"),
        ("ci_high", "as in unit", "float", "upper 95 % limit"),
        ("percentile_low", "as in unit", "float", "lower 95 % limit of the indirect path by percentile bootstrap"),
        ("percentile_high", "as in unit", "float", "upper 95 % limit by percentile bootstrap"),
        ("corrected_low", "as in unit", "float", "lower 95 % limit by bias-corrected bootstrap"),
        ("corrected_high", "as in unit", "float", "upper 95 % limit by bias-corrected bootstrap"),
        ("p_value", "1", "float", "two-sided; of the indirect path the larger of those of a and b"),
        ("n", "1", "int", "participants with all values"),
        ("adjusted_for", "", "str", "values before that both regressions are adjusted for"),
        ("model", "", "str", "the two regressions"),
        ("flag", "", "str", "what a reader of the estimate must know"),
        ("sentence", "", "str", "the result in plain words"),
    )
}
_LIMITS = (0.025, 0.975)
_DRAWS = 20_000
_FEW = 20  # people below which an indirect effect is only a rough guess
#: Squared correlation of the mediator's change with its mean from which the two cannot be told apart: a variance
#: inflation of 10 (Marquardt 1970, 10.1080/00401706.1970.10488699). It is reached where the standard deviation of the
#: baseline is below a sixth of that of the change, as with lactate or a hormone that exercise multiplies.
_SAME = 0.9


@dataclass(frozen=True)
class Mediation:
    """Paths of a mediation and the intervals of the indirect one."""

    a: Contrast
    b: Contrast
    direct: Contrast
    total: Contrast
    indirect: float
    monte_carlo: tuple[float, float]
    percentile: tuple[float, float]
    corrected: tuple[float, float]
    level: bool = False  # whether the person's mean of the mediator is in the second regression

    @property
    def p_value(self) -> float:
        """Of the indirect path: both paths must be there (joint significance)."""
        return max(self.a.p_value, self.b.p_value)


def mediate(
    results: pd.DataFrame,
    mediator: Name,
    outcome: Name,
    before: str = "pre",
    after: str = "post0",
    within: str = "session",
    by: str | None = None,
    adjust: Sequence[Name] = (),
    n_bootstrap: int = 5000,
    seed: int = 0,
) -> pd.DataFrame:
    """Estimate how much of a change runs through the change of a mediator.

    Parameters
    ----------
    results : DataFrame
        Result table with covariates as columns; a covariate may differ from session to session.
    mediator, outcome : str or mapping
        Covariate (``"lactate"``) or measure, named as in :func:`associate`.
    before, after, within : str
        As in :func:`compare`.
    by : str, optional
        Column of two groups; the treatment is then the group, the first of them against the control (or the last).
        Without it the treatment is what happened between ``before`` and ``after``.
    adjust : sequence
        Covariates or measures whose values before enter both regressions.
    n_bootstrap, seed : int

    Returns
    -------
    DataFrame
        One row a path (a, b, direct, total, indirect), columns ``COLUMNS``, on the scale of the changes.

    Raises
    ------
    ValueError
        As :func:`associate`; for other than two groups, and too few people.

    Notes
    -----
    *Without groups* (Judd, Kenny & McClelland 2001, 10.1037/1082-989X.6.2.115; Montoya & Hayes 2017,
    10.1037/met0000086): a is the mean change of the mediator, b the slope of the outcome's change on it with the
    person's mean of the mediator beside. Where the mediator's baseline hardly varies, the mean says the same as the
    change and is left out (flag ``mediator_mean_left_out``): b is then the slope on the change alone. *With two
    groups*: a is the difference of the mediator's changes, b the slope of the outcome's change on the mediator's with
    the group beside.

    *Intervals of a·b.* With 12 to 40 people the percentile bootstrap is somewhat too narrow and the bias-corrected one
    more so (``benchmarks/association_calibration.py``); both are told, but the interval to read is the Monte Carlo one:
    quantiles of the product of a and b drawn from their t distributions. Where both paths are absent every interval
    of a product is wider than it need be.

    That the mediator's change was not randomised remains: something else may move both. A path is no proof of cause.

    Examples
    --------
    >>> rng = np.random.default_rng(2)
    >>> n = 30
    >>> lactate = rng.normal(6, 1, n)
    >>> results = pd.DataFrame({"participant": [f"{i:02d}" for i in range(n)] * 2,
    ...     "session": ["pre"] * n + ["post0"] * n, "protocol": "m1/sici", "channel": "FDI",
    ...     "condition": "isi_0.002", "measure": "conditioned_ratio", "unit": "1", "form": "ratio",
    ...     "value": np.r_[np.full(n, 0.5), 0.5 * np.exp(0.1 * lactate + rng.normal(0, 0.1, n))],
    ...     "lactate": np.r_[rng.normal(1, 0.1, n), 1 + lactate]})
    >>> found = mediate(results, "lactate", "conditioned_ratio").set_index("path")
    >>> bool(found.loc["indirect", "ci_low"] < 0.6 < found.loc["indirect", "ci_high"])
    True
    """
    if (
        by is not None and by in results and "participant" in results
    ):  # the groups first: a crossover is no study of them
        group_of(results, by, pd.Index(as_text(results["participant"]).unique()))
    first = person_values(results, mediator, within, before, after)
    second = person_values(results, outcome, within, before, after)
    if first.name == second.name:
        raise ValueError(f"{first.name!r} is both mediator and outcome")
    people = first.values.index.union(second.values.index)
    groups = group_of(results, by, people)
    z, names = adjusting(results, tuple(adjust), within, before, people)
    m, y = (held.values.reindex(people).to_numpy(dtype=float) for held in (first, second))
    level = (
        person_values(results, mediator, within, before, after, of="before").values.reindex(people).to_numpy() + m / 2
    )
    whole = np.isfinite(m) & np.isfinite(y) & np.isfinite(z).all(axis=1) & (np.isfinite(level) | (by is not None))
    treated, contrast = _treatment(groups, by)
    contrast = f"{after} - {before}{contrast}"
    label = groups.to_numpy()
    smallest = min((int((whole & (label == name)).sum()) for name in set(label)), default=0)
    if smallest < 3 or whole.sum() < 5 + z.shape[1]:
        raise ValueError(
            f"{int(whole.sum())} participants have {first.name} and {second.name} at {before} and {after}; a mediation "
            f"needs {5 + z.shape[1]} or more, and three in each group"
        )
    beside = treated if by else level
    found = mediation(m[whole], y[whole], beside[whole], z[whole], by is not None, n_bootstrap, seed)
    return _table(first, second, contrast, found, int(whole.sum()), names, by)


def _treatment(groups: pd.Series, by: str | None) -> tuple[np.ndarray, str]:
    """1 in the treated group, 0 in the other, and the two in words; a control group is the other."""
    if by is None:
        return np.ones(len(groups)), ""
    names = in_order(groups.unique())
    if len(names) != 2:
        raise ValueError(
            f"by={by!r} has {len(names)} groups ({', '.join(names)}); a mediation compares two: select them"
        )
    return groups.eq(names[0]).to_numpy(dtype=float), f", {names[0]} - {names[1]}"


def mediation(
    m: np.ndarray, y: np.ndarray, beside: np.ndarray, taken: np.ndarray, grouped: bool, n_bootstrap: int, seed: int
) -> Mediation:
    """Paths and intervals of a mediation from changes.

    Parameters
    ----------
    m, y : ndarray, shape (n,)
        Changes of mediator and outcome.
    beside : ndarray, shape (n,)
        With groups: 1 in the treated and 0 in the other; without: each person's mean of the mediator.
    taken : ndarray, shape (n, k)
        Columns that enter both regressions.
    grouped : bool
    n_bootstrap, seed : int

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> m = rng.normal(1, 1, 200)
    >>> found = mediation(m, 0.5 * m + rng.normal(0, 1, 200), rng.normal(0, 1, 200), np.empty((200, 0)), False, 0, 0)
    >>> found.monte_carlo[0] < 0.5 < found.monte_carlo[1]
    True
    """
    n, rng = len(m), np.random.default_rng(seed)
    columns = np.column_stack([m, y, beside, taken])
    level = not grouped and not _same(m, beside)
    a, total = _first_path(columns, 0, grouped), _first_path(columns, 1, grouped)
    b, direct = _contrasts(_second(columns, grouped, level), y, [0, 1])
    unknown = (math.nan, math.nan)
    if not (a.standard_error >= 0 and b.standard_error >= 0):
        return Mediation(a, b, direct, total, math.nan, unknown, unknown, unknown, level)
    draws = [path.estimate + path.standard_error * rng.standard_t(_df(path), _DRAWS) for path in (a, b)]
    low, high = np.quantile(draws[0] * draws[1], _LIMITS)
    indirect = a.estimate * b.estimate
    percentile = corrected = unknown
    if n_bootstrap:
        drawn = _products(columns[_resamples(beside, n, grouped, n_bootstrap, rng)], grouped, level)
        drawn = drawn[np.isfinite(drawn)]
        edges = np.quantile(drawn, _LIMITS)
        shift = special.ndtri(np.clip(np.mean(drawn < indirect), 1 / (2 * n_bootstrap), 1 - 1 / (2 * n_bootstrap)))
        moved = np.quantile(drawn, special.ndtr(2 * shift + special.ndtri(np.array(_LIMITS))))
        percentile, corrected = (float(edges[0]), float(edges[1])), (float(moved[0]), float(moved[1]))
    return Mediation(a, b, direct, total, indirect, (float(low), float(high)), percentile, corrected, level)


def _same(m: np.ndarray, level: np.ndarray) -> bool:
    """Whether the mean of the mediator says the same as its change, or nothing."""
    spread = m.std(), level.std()
    small = 1e-9 * (np.abs(m).max() + np.abs(level).max())
    if min(spread) <= small:
        return spread[1] <= small
    return float(np.mean((m - m.mean()) * (level - level.mean())) / (spread[0] * spread[1])) ** 2 > _SAME


def _df(path: Contrast) -> float:
    return path.df if path.df > 0 else math.inf  # a change that is the same in everybody has no scatter to draw


def _resamples(beside: np.ndarray, n: int, grouped: bool, times: int, rng: np.random.Generator) -> np.ndarray:
    """Numbers of the people in each resample, (times, n); each group keeps its size."""
    if not grouped:
        return rng.integers(0, n, (times, n))
    members = [np.flatnonzero(beside == group) for group in (1.0, 0.0)]
    return np.concatenate([who[rng.integers(0, len(who), (times, len(who)))] for who in members], axis=1)


def _first(columns: np.ndarray, grouped: bool) -> np.ndarray:
    """Regressors of the changes themselves, the treatment first: it, the intercept where it is a group, covariates."""
    taken = columns[..., 3:] - columns[..., 3:].mean(axis=-2, keepdims=True)
    one = np.ones((*columns.shape[:-1], 1))
    return np.concatenate([columns[..., 2:3], one, taken] if grouped else [one, taken], axis=-1)


def _second(columns: np.ndarray, grouped: bool, level: bool) -> np.ndarray:
    """Regressors of the outcome's change, the mediator's first, then as :func:`_first`."""
    parts = [columns[..., :1], _first(columns, grouped)]
    if level:
        parts.append(columns[..., 2:3] - columns[..., 2:3].mean(axis=-2, keepdims=True))
    return np.concatenate(parts, axis=-1)


def _solved(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Coefficients of each sample's regression; x (…, n, k), y (…, n)."""
    across = np.swapaxes(x, -1, -2)
    return (np.linalg.pinv(across @ x, hermitian=True) @ (across @ y[..., None]))[..., 0]


def _products(columns: np.ndarray, grouped: bool, level: bool) -> np.ndarray:
    """a·b of each sample, (n_samples,)."""
    a = _solved(_first(columns, grouped), columns[..., 0])[..., 0]
    return a * _solved(_second(columns, grouped, level), columns[..., 1])[..., 0]


def _contrasts(x: np.ndarray, y: np.ndarray, wanted: Sequence[int]) -> list[Contrast]:
    df = len(y) - x.shape[1]
    if np.linalg.matrix_rank(x / (np.abs(x).max(axis=0) + 1e-300)) < x.shape[1]:
        return [Contrast(math.nan, math.nan, math.nan)] * len(wanted)
    inverse = np.linalg.pinv(x.T @ x, hermitian=True)
    coefficients = inverse @ x.T @ y
    variance = float(np.sum((y - x @ coefficients) ** 2)) / df
    return [Contrast(float(coefficients[i]), math.sqrt(variance * inverse[i, i]), df) for i in wanted]


def _first_path(columns: np.ndarray, which: int, grouped: bool) -> Contrast:
    """Change of the mediator (0) or outcome (1) by the treatment, as :func:`compare` estimates it."""
    codes = (columns[:, 2] != 1).astype(int) if grouped else np.zeros(len(columns), dtype=int)
    fit = group_changes(columns[:, which], codes, 2 if grouped else 1, columns[:, 3:])
    if fit is None:
        return Contrast(math.nan, math.nan, math.nan)
    return fit.contrast(np.array([1.0, -1.0] if grouped else [1.0]))


def _table(
    first: PersonValues,
    second: PersonValues,
    contrast: str,
    found: Mediation,
    n: int,
    names: list[str],
    by: str | None,
) -> pd.DataFrame:
    given = "".join(f" + {name}" for name in names)
    beside = f" + {by}" if by else " + mean of mediator" * found.level
    model = f"mediator ~ {by or '1'}{given}; outcome ~ mediator{beside}{given}"
    left_out = "" if by or found.level else "mediator_mean_left_out"
    unknown = "" if math.isfinite(found.indirect) else "not_estimable"
    base = {
        "mediator": first.name,
        "outcome": second.name,
        "contrast": contrast,
        "n": n,
        "adjusted_for": ", ".join(names),
        "flag": join_flags("not_randomised", "few_participants" if n < _FEW else "", left_out, unknown),
    }
    nothing = dict.fromkeys(("percentile_low", "percentile_high", "corrected_low", "corrected_high"), math.nan)
    rows: list[dict[str, object]] = []
    for path in ("a", "b", "direct", "total"):
        held: Contrast = getattr(found, path)
        low, high = held.interval
        told = {"path": path, "estimate": held.estimate, "ci_low": low, "ci_high": high, "p_value": held.p_value}
        rows.append({**base, **nothing, **told, "model": f"{model}{_told_df(held)}", "sentence": ""})
    told = {
        "path": "indirect",
        "estimate": found.indirect,
        "ci_low": found.monte_carlo[0],
        "ci_high": found.monte_carlo[1],
        "percentile_low": found.percentile[0],
        "percentile_high": found.percentile[1],
        "corrected_low": found.corrected[0],
        "corrected_high": found.corrected[1],
        "p_value": found.p_value,
        "model": f"{model}; Monte Carlo of t, joint significance",
        "sentence": _sentence(first, second, contrast, found, n),
    }
    rows.append({**base, **told})
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype({"n": "int64"})


def _told_df(path: Contrast) -> str:
    return f"; df = {path.df:.0f}" if math.isfinite(path.df) else ""


def _sentence(first: PersonValues, second: PersonValues, contrast: str, found: Mediation, n: int) -> str:
    low, high = found.monte_carlo
    clear = low > 0 or high < 0
    on = " on the logarithm" * second.log
    numbers = f"{found.indirect:.3g}{on}, 95 % interval {low:.3g} to {high:.3g}, n = {n}".replace("-", "−")
    a, b = ("p < 0.001" if path.p_value < 0.001 else f"p = {path.p_value:.2g}" for path in (found.a, found.b))
    name = heading(second.words)
    if not math.isfinite(found.indirect):
        return (
            f"{name}: whether its change ({contrast}) runs through {first.words} cannot be estimated: in these {n} "
            f"participants {first.words} cannot be told apart from the treatment and what is adjusted for."
        )
    if not clear:
        return (
            f"{name}: no clear part of its change ({contrast}) runs through {first.words} "
            f"(indirect effect {numbers}; treatment to {first.words} {a}, {first.words} to outcome {b})."
        )
    way = "raising" if found.indirect > 0 else "lowering"
    return (
        f"{name}: the change of {first.words} ({contrast}) goes with {way} it (indirect effect {numbers}; treatment to "
        f"{first.words} {a}, {first.words} to outcome {b}), unless something else moves both."
    )
