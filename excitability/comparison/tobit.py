"""Changes of thresholds of which some are only known to lie above what the stimulator gives."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import special

from ._censored_pairs import Shape, log_likelihood

#: Multiples of a standard error at which the profile likelihood is looked at, on either side of the estimate.
_STEPS = (0.5, 1.0, 1.75, 2.5, 3.5, 5.0, 8.0, 13.0, 20.0)
#: Spread that is allowed to the logarithm of the ratio of the standard deviations after and before, where some
#: thresholds are censored: left free, the slope through a few measured people leads anywhere.
_LOG_RATIO = 0.2
#: People with both thresholds measured below which nothing, or only with a flag, is said where others are censored.
_FEWEST, _FEW = 3, 5


def censored_numbers(column: pd.Series | Sequence[object]) -> tuple[np.ndarray, np.ndarray]:
    """Numbers of a column in which ``">100"`` stands for a threshold above 100, and which they are.

    Returns
    -------
    values : ndarray of float, shape (n,)
        The number, or the limit; NaN where the cell is empty.
    censored : ndarray of bool, shape (n,)

    Raises
    ------
    ValueError
        For text that is neither a number nor ``>`` and a number; the message names the row.

    Examples
    --------
    >>> values, censored = censored_numbers(["54", ">100", 61.5, None])
    >>> values.tolist(), censored.tolist()
    ([54.0, 100.0, 61.5, nan], [False, True, False, False])
    """
    series = pd.Series(column)
    words = series.astype(object).where(series.notna(), "").map(lambda cell: str(cell).strip())
    censored = words.str.startswith(">").to_numpy(dtype=bool)
    values = pd.to_numeric(pd.Series(words.str.lstrip(">").str.strip()), errors="coerce")
    bad = values.isna().to_numpy() & words.ne("").to_numpy()
    if bad.any():
        raise ValueError(f"{words[bad].iloc[0]!r} in row {series.index[bad][0]} is neither a number nor like '>100'")
    return values.to_numpy(dtype=float), censored


def tobit_changes(
    before: np.ndarray,
    after: np.ndarray,
    before_censored: np.ndarray,
    after_censored: np.ndarray,
    groups: Sequence[str] | np.ndarray | None = None,
) -> pd.DataFrame:
    """Mean change of a threshold, and its difference between groups, where some are above the maximum output.

    Both thresholds of a person are taken as two correlated normal numbers, every group with means, spreads and
    correlation of its own, fitted by maximum likelihood; a censored one only says that it lies above its limit.
    Where some are censored, spreads that differ much between before and after are held to be unlikely
    (a normal prior on the logarithm of their ratio, SD 0.2). The interval is that
    of the profile likelihood, drawn so that without any censored value it is the paired t interval, and that of a
    difference Welch's.

    Parameters
    ----------
    before, after : ndarray, shape (n_people,)
        Thresholds, or the limit where censored. People without both are left out.
    before_censored, after_censored : ndarray of bool, shape (n_people,)
        Where the threshold is above the number given.
    groups : array-like of str, shape (n_people,), optional

    Returns
    -------
    DataFrame
        ``group`` (all, a group, or a difference ``"a - b"`` in order of appearance), ``estimate``, ``ci_low``,
        ``ci_high``, ``p_value``, ``df``, ``n``, ``n_censored`` and ``flag``: ``not_estimable`` (fewer than three
        people with both thresholds measured), ``few_uncensored`` (fewer than five), both only where some are
        censored, ``open_interval``
        (an end at infinity: the data do not bound it).

    Raises
    ------
    ValueError
        For lengths that differ.

    References
    ----------
    .. [1] Tobin J. Econometrica 1958;26:24-36. 10.2307/1907382
    .. [2] Zou GY, Donner A. Stat Med 2008;27:1693-1702. 10.1002/sim.3095 (interval of a difference)

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(1)
    >>> before = rng.normal(85, 12, 20)
    >>> after = before + rng.normal(6, 4, 20)
    >>> table = tobit_changes(np.minimum(before, 100), np.minimum(after, 100), before > 100, after > 100)
    >>> bool(table["ci_low"][0] < 6 < table["ci_high"][0]), int(table["n_censored"][0])
    (True, 2)
    """
    columns = [np.asarray(column) for column in (before, after, before_censored, after_censored)]
    n = len(columns[0])
    names = np.full(n, "all") if groups is None else np.asarray(groups, dtype=str)
    if any(column.shape != (n,) for column in [*columns, names]):
        shapes = ", ".join(str(column.shape) for column in [*columns, names])
        raise ValueError(f"thresholds, where they are censored and groups need one entry a person, got shapes {shapes}")
    both = np.isfinite(columns[0].astype(float)) & np.isfinite(columns[1].astype(float))
    parts = {name: _Group.of(*(column[both & (names == name)] for column in columns)) for name in dict.fromkeys(names)}
    rows = [_row(name, (part,)) for name, part in parts.items()]
    rows += [_row(f"{a} - {b}", (parts[a], parts[b])) for a, b in itertools.combinations(parts, 2)]
    return pd.DataFrame(rows)


@dataclass(frozen=True)
class _Group:
    """Thresholds of one group, centred and scaled for the search."""

    y: np.ndarray  # (n, 2)
    censored: np.ndarray  # (n, 2)
    scale: float

    @classmethod
    def of(
        cls, before: np.ndarray, after: np.ndarray, before_censored: np.ndarray, after_censored: np.ndarray
    ) -> _Group:
        y = np.column_stack([before, after]).astype(float)
        spread = float(y.std()) if len(y) else 0.0
        return cls(y, np.column_stack([before_censored, after_censored]).astype(bool), spread or 1.0)

    @property
    def n_measured(self) -> int:
        """People with both thresholds measured."""
        return int((~self.censored.any(axis=1)).sum())

    @property
    def size(self) -> float:
        """People; one with one threshold above its limit counts half and one with both not at all, as they tell less.

        With all counted whole 94.8 % of the intervals held the truth, counted so 95.4 % (2,400 studies).
        """
        return self.n_measured + 0.5 * float((self.censored.sum(axis=1) == 1).sum())

    @property
    def can_estimate(self) -> bool:
        """Whether enough people have both thresholds measured, and their changes differ."""
        whole = self.y[~self.censored.any(axis=1)]
        fewest = _FEWEST if self.censored.any() else 2
        return self.n_measured >= fewest and float(np.ptp(whole[:, 1] - whole[:, 0])) > 1e-9 * self.scale

    @functools.cached_property
    def _scaled(self) -> np.ndarray:
        return (self.y - self.y.mean()) / self.scale

    def _loss(self, at: np.ndarray, change: float | None) -> tuple[float, np.ndarray]:
        """Loss and slope; ``at`` is mean before, log SD before, Fisher's z, log ratio of the SDs, and the change."""
        mean, log_sd, correlation, ratio = at[0], at[1], math.tanh(at[2]), math.exp(at[3])
        moved = at[4] if change is None else change
        sd, rest = math.exp(log_sd), 1 - correlation**2
        shape = Shape(sd, correlation * ratio, sd * ratio * math.sqrt(rest))
        found, slopes = log_likelihood(self._scaled, self.censored, mean, moved, shape)
        d_mean, d_sd, d_slope, d_left, d_change = slopes
        d_fisher = d_slope * ratio * rest - d_left * correlation
        derivatives = np.array([d_mean, d_sd + d_left, d_fisher, d_slope * shape.slope + d_left, d_change])
        if self.censored.any():
            found -= 0.5 * (at[3] / _LOG_RATIO) ** 2
            derivatives[3] -= at[3] / _LOG_RATIO**2
        return -found, -derivatives[: len(at)]

    def _fit(self, start: np.ndarray, change: float | None = None) -> tuple[float, np.ndarray]:
        from scipy import optimize

        limits = [(-20.0, 20.0), (-9.0, 5.0), (-5.0, 5.0), (-5.0, 5.0), (-50.0, 50.0)][: len(start)]
        found = optimize.minimize(self._loss, start, args=(change,), jac=True, method="L-BFGS-B", bounds=limits,
                                  options={"ftol": 1e-13, "gtol": 1e-7})  # fmt: skip
        return float(found.fun), found.x

    @functools.cached_property
    def _best(self) -> tuple[float, np.ndarray]:
        z = self._scaled
        start = [z[:, 0].mean(), math.log(z.std() + 0.05), 1.0, 0.0, np.diff(z.mean(axis=0))[0]]
        return self._fit(np.array(start))

    @property
    def estimate(self) -> float:
        """Mean change."""
        return float(self._best[1][4]) * self.scale

    def t_at(self, change: float) -> float:
        """Size of the t with which a change is refused; without censored values that of the paired t test."""
        return self._t_at(change / self.scale, self._best[1][:4])[0]

    def _t_at(self, change: float, start: np.ndarray) -> tuple[float, np.ndarray]:
        loss, at = self._fit(start, change)
        ratio = max(2 * (loss - self._best[0]), 0.0)
        return math.sqrt((self.size - 1) * math.expm1(min(ratio / self.size, 500.0))), at

    @functools.cached_property
    def _profile(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Sizes of t and the changes refused with them, below and above the estimate."""
        centre, sides = self._best[1][4], []
        for sign in (-1.0, 1.0):
            rough = 0.05
            for _ in range(20):  # the step at which t is about 1
                t = self._t_at(centre + sign * rough, self._best[1][:4])[0]
                if 0.5 <= t <= 2:
                    break
                rough *= min(max(1 / max(t, 0.05), 0.2), 5.0)
            ts, changes, at = [0.0], [0.0], self._best[1][:4]
            for step in _STEPS:
                t, at = self._t_at(centre + sign * step * rough, at)
                if t > ts[-1] * (1 + 1e-6) + 1e-6:
                    ts.append(t)
                    changes.append(step * rough * self.scale)
                if t > 6:
                    break
            sides += [np.array(ts), np.array(changes)]
        return sides[0], sides[1], sides[2], sides[3]

    def reach(self, t: float) -> tuple[float, float]:
        """How far the interval with this t reaches below and above the estimate."""
        from scipy.interpolate import PchipInterpolator

        low_t, low, high_t, high = self._profile
        found = [
            float(PchipInterpolator(ts, changes)(t)) if t <= ts[-1] and len(ts) > 1 else math.inf
            for ts, changes in ((low_t, low), (high_t, high))
        ]
        return found[0], found[1]


def _row(name: str, parts: tuple[_Group, ...]) -> dict[str, object]:
    row: dict[str, object] = {"group": name, "estimate": math.nan, "ci_low": math.nan, "ci_high": math.nan,
                              "p_value": math.nan, "df": math.nan}  # fmt: skip
    counts = {"n": sum(len(part.y) for part in parts), "n_censored": int(sum(part.censored.sum() for part in parts))}
    if not all(part.can_estimate for part in parts):
        return row | counts | {"flag": "not_estimable"}
    flags = ["few_uncensored"] if any(part.n_measured < _FEW and part.censored.any() for part in parts) else []
    estimate = parts[0].estimate - (parts[1].estimate if len(parts) > 1 else 0.0)
    df = _df(parts)
    low, high = _reach(parts, float(special.stdtrit(df, 0.975)))
    if not (math.isfinite(low) and math.isfinite(high)):
        flags.append("open_interval")
    found = {"estimate": estimate, "ci_low": estimate - low, "ci_high": estimate + high}
    return row | found | {"p_value": _p_value(parts, estimate, df), "df": df} | counts | {"flag": ";".join(flags)}


def _df(parts: tuple[_Group, ...]) -> float:
    """Welch's, from the half-widths at t = 1."""
    if len(parts) == 1:
        return parts[0].size - 1
    squares = [(sum(part.reach(1.0)) / 2) ** 2 for part in parts]
    return sum(squares) ** 2 / sum(square**2 / (part.size - 1) for square, part in zip(squares, parts, strict=True))


def _reach(parts: tuple[_Group, ...], t: float) -> tuple[float, float]:
    """Reach of the interval below and above the estimate; that of a difference takes the other group's other side."""
    if len(parts) == 1:
        return parts[0].reach(t)
    (low, high), (other_low, other_high) = (part.reach(t) for part in parts)
    return math.hypot(low, other_high), math.hypot(high, other_low)


def _p_value(parts: tuple[_Group, ...], estimate: float, df: float) -> float:
    """From the t at which the interval touches zero."""
    if len(parts) == 1:
        return float(2 * special.stdtr(df, -parts[0].t_at(0.0)))
    low, high = 0.0, min(float(part._profile[i][-1]) for part in parts for i in (0, 2))
    side = 0 if estimate > 0 else 1
    if _reach(parts, high)[side] < abs(estimate):
        return float(2 * special.stdtr(df, -high))  # at most this
    for _ in range(50):
        middle = (low + high) / 2
        if _reach(parts, middle)[side] < abs(estimate):
            low = middle
        else:
            high = middle
    return float(2 * special.stdtr(df, -low))
