"""Changes of groups of participants, each group with a variance of its own, with honest degrees of freedom."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from scipy import special


@dataclass(frozen=True)
class Contrast:
    """A linear combination of group changes with its standard error and degrees of freedom."""

    estimate: float
    standard_error: float
    df: float

    @property
    def interval(self) -> tuple[float, float]:
        """95 % interval."""
        half = float(special.stdtrit(self.df, 0.975)) * self.standard_error if self.df >= 1 else math.nan
        return self.estimate - half, self.estimate + half

    @property
    def p_value(self) -> float:
        """Two-sided p value of the hypothesis of no change."""
        if not (self.df >= 1 and self.standard_error > 0):
            return math.nan
        return float(2 * special.stdtr(self.df, -abs(self.estimate / self.standard_error)))


@dataclass(frozen=True)
class StatedContrast(Contrast):
    """A combination whose limits and p value do not come from a t distribution."""

    limits: tuple[float, float]
    p: float

    @property
    def interval(self) -> tuple[float, float]:
        """95 % interval: NaN where there are too few people for one, infinite where the data do not bound it."""
        return self.limits

    @property
    def p_value(self) -> float:
        """Two-sided p value of the hypothesis of no change."""
        return self.p


@dataclass(frozen=True)
class GroupChanges:
    """Individual changes by group, one variance a group; covariates may enter with one slope for all groups.

    Without covariates a group's contrast is the one-sample t and a difference of two groups is Welch's t.
    """

    coefficients: np.ndarray  # of the groups
    rows: np.ndarray  # (n_groups, n): coefficients = rows @ changes
    groups: np.ndarray
    variances: np.ndarray  # (n_groups,), NaN in a group without degrees of freedom
    residual_maker: np.ndarray | None  # (n, n) when covariates enter

    def contrast(self, weights: np.ndarray) -> Contrast:
        """Estimate ``weights @ group_changes``; Satterthwaite degrees of freedom."""
        n_groups = len(self.variances)
        estimate = float(weights @ self.coefficients)
        used = np.bincount(self.groups, weights=(weights @ self.rows) ** 2, minlength=n_groups)
        active = used > 1e-14 * used.max()
        if not np.isfinite(self.variances[active]).all():
            return Contrast(estimate, math.nan, math.nan)
        parts = used * np.where(active, self.variances, 0.0)
        variance = float(parts.sum())
        if variance <= 0:
            return Contrast(estimate, 0.0, math.nan)
        if self.residual_maker is None:
            sizes = np.bincount(self.groups, minlength=n_groups)
            df = variance**2 / float(np.sum(parts[active] ** 2 / (sizes[active] - 1)))
        else:
            df = self._df(used, variance, self.residual_maker)
        return Contrast(estimate, math.sqrt(variance), df)

    def unshrunken(self, unknown: np.ndarray) -> GroupChanges:
        """Undo what shrinking took from the variance of the changes.

        Of a change with variance T over people and estimates, shrinking leaves ``λT`` in the mean and a spread of
        ``s² = λ²T``; what the trials leave open of a person is about ``v = λ(1 − λ)T``, so that ``T = (s² + v)² / s²``.

        Parameters
        ----------
        unknown : ndarray, shape (n,)
            Variance of each person's change given the trials, NaN where it is not known.
        """
        known = np.isfinite(unknown)
        sizes = np.bincount(self.groups[known], minlength=len(self.variances))
        sums = np.bincount(self.groups[known], weights=unknown[known], minlength=len(self.variances))
        with np.errstate(invalid="ignore", divide="ignore"):
            whole = (self.variances + sums / sizes) ** 2 / self.variances
        return replace(self, variances=np.where(self.variances > 0, whole, self.variances))

    def _df(self, used: np.ndarray, variance: float, maker: np.ndarray) -> float:
        # the variance estimate is a quadratic form d'Bd; its degrees of freedom follow from tr(BSBS)
        held = np.isfinite(self.variances)
        b = np.zeros(len(self.variances))
        b[held] = np.linalg.solve(_squares(maker, self.groups, held), used[held])
        sigma = np.where(held, self.variances, 0.0)[self.groups]
        scaled = (maker * b[self.groups]) @ maker * sigma
        spread = float(np.sum(scaled * scaled.T))
        if spread <= 0:
            return math.nan
        # Welch's degrees of freedom are never fewer than those of the smallest group; variances that come out with
        # opposite signs in the quadratic form can make them appear so
        lost = len(maker) - len(self.variances) - round(float(np.trace(maker)))
        sizes = np.bincount(self.groups, minlength=len(self.variances))
        fewest = int(sizes[used > 1e-14 * used.max()].min()) - 1 - lost
        return max(variance**2 / spread, float(fewest))


def _squares(m: np.ndarray, groups: np.ndarray, held: np.ndarray) -> np.ndarray:
    indicator = (groups[:, None] == np.flatnonzero(held)).astype(float)
    return indicator.T @ (m * m) @ indicator


def group_changes(
    changes: np.ndarray,
    groups: np.ndarray,
    n_groups: int,
    covariates: np.ndarray | None = None,
    *,
    centre: bool = True,
) -> GroupChanges | None:
    """Fit the changes of ``n_groups`` groups.

    Parameters
    ----------
    changes : ndarray, shape (n,)
        One change a participant, finite.
    groups : ndarray of int, shape (n,)
        Group of each participant.
    n_groups : int
        Number of groups; every one must have a member.
    covariates : ndarray, shape (n, n_covariates), optional
        Centred here at the mean of all participants, with one slope for all groups.
    centre : bool
        False for covariates whose zero is what is asked for: differences between two arms.

    Returns
    -------
    GroupChanges or None
        None when the design cannot be estimated (an empty group, a covariate that is a function of the
        group, or no degrees of freedom left by the covariates).
    """
    sizes = np.bincount(groups, minlength=n_groups)
    if not len(changes) or (sizes == 0).any():
        return None
    members = (groups[:, None] == np.arange(n_groups)).astype(float)
    smallest = (1e-12 * float(np.abs(changes).max())) ** 2  # below it a variance is rounding
    if covariates is None or not covariates.shape[1]:
        rows = members.T / sizes[:, None]
        means = rows @ changes
        squares = np.bincount(groups, weights=(changes - means[groups]) ** 2, minlength=n_groups)
        variances = np.where(sizes > 1, squares / np.maximum(sizes - 1, 1), np.nan)
        return GroupChanges(means, rows, groups, _cleared(variances, smallest), None)
    if (np.ptp(covariates, axis=0) == 0).any():
        return None
    centred = covariates - covariates.mean(axis=0) if centre else covariates
    design = np.column_stack([members, centred / covariates.std(axis=0)])
    if len(changes) <= design.shape[1] or np.linalg.matrix_rank(design) < design.shape[1]:
        return None
    projection = np.linalg.solve(design.T @ design, design.T)
    maker = np.eye(len(changes)) - design @ projection
    squares = np.bincount(groups, weights=(maker @ changes) ** 2, minlength=n_groups)
    variances = _cleared(_variances(maker, groups, squares), smallest)
    rows = projection[:n_groups]
    return GroupChanges(rows @ changes, rows, groups, variances, maker)


def _cleared(variances: np.ndarray, smallest: float) -> np.ndarray:
    return np.where(variances <= smallest, 0.0, variances)


def _variances(maker: np.ndarray, groups: np.ndarray, squares: np.ndarray) -> np.ndarray:
    """Unbiased variance of each group; a group without degrees of freedom has NaN."""
    free = np.bincount(groups, weights=np.diag(maker), minlength=len(squares))
    held = free > 1e-9
    variances = np.full(len(squares), np.nan)
    variances[held] = np.linalg.solve(_squares(maker, groups, held), squares[held])
    if (variances[held] < 0).any():  # possible only in tiny groups
        variances[held] = squares[held].sum() / free[held].sum()
    return variances
