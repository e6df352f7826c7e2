"""Changes of groups of participants, each group with a variance of its own, with honest degrees of freedom."""

from __future__ import annotations

import math
from dataclasses import dataclass

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
        half = float(special.stdtrit(self.df, 0.975)) * self.standard_error if self.df > 0 else math.nan
        return self.estimate - half, self.estimate + half

    @property
    def p_value(self) -> float:
        """Two-sided p value of the hypothesis of no change."""
        if not (self.df > 0 and self.standard_error > 0):
            return math.nan
        return float(2 * special.stdtr(self.df, -abs(self.estimate / self.standard_error)))


@dataclass(frozen=True)
class GroupChanges:
    """Regression of individual changes on group and centred covariates, one variance a group.

    Without covariates a group's contrast is the one-sample t and a difference of two groups is Welch's t.
    """

    coefficients: np.ndarray
    projection: np.ndarray  # (n_coefficients, n): coefficients = projection @ changes
    residual_maker: np.ndarray
    groups: np.ndarray
    variances: np.ndarray  # (n_groups,)

    def contrast(self, weights: np.ndarray) -> Contrast:
        """Estimate ``weights @ group_changes``; Satterthwaite degrees of freedom."""
        n_groups = len(self.variances)
        a = weights @ self.projection[:n_groups]
        estimate = float(weights @ self.coefficients[:n_groups])
        used = np.array([np.sum(a[self.groups == g] ** 2) for g in range(n_groups)])
        active = used > 1e-14 * max(float(used.max(initial=0.0)), 1e-300)
        if not np.isfinite(self.variances[active]).all():
            return Contrast(estimate, math.nan, math.nan)
        variance = float(np.sum(used[active] * self.variances[active]))
        if variance <= 0:
            return Contrast(estimate, 0.0, math.nan)
        return Contrast(estimate, math.sqrt(variance), self._df(used, variance))

    def _df(self, used: np.ndarray, variance: float) -> float:
        # the variance estimate is a quadratic form d'Bd; its degrees of freedom follow from tr(BS), tr(BSBS)
        held = np.isfinite(self.variances)
        b = np.zeros(len(self.variances))
        b[held] = np.linalg.solve(_squares(self.residual_maker, self.groups, held).T, used[held])
        sigma = np.where(held, self.variances, 0.0)[self.groups]
        scaled = (self.residual_maker * b[self.groups]) @ self.residual_maker * sigma
        spread = float(np.sum(scaled * scaled.T))
        return variance**2 / spread if spread > 0 else math.nan


def _squares(m: np.ndarray, groups: np.ndarray, held: np.ndarray) -> np.ndarray:
    indicator = (groups[:, None] == np.flatnonzero(held)).astype(float)
    return indicator.T @ (m * m) @ indicator


def group_changes(
    changes: np.ndarray, groups: np.ndarray, n_groups: int, covariates: np.ndarray | None = None
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

    Returns
    -------
    GroupChanges or None
        None when the design cannot be estimated (an empty group, a covariate that is a function of the
        group, or no degrees of freedom left by the covariates).
    """
    n = len(changes)
    design = (groups[:, None] == np.arange(n_groups)).astype(float)
    if n == 0 or (design.sum(axis=0) == 0).any():
        return None
    if covariates is not None and covariates.shape[1]:
        centred = covariates - covariates.mean(axis=0)
        spread = centred.std(axis=0)
        if (spread == 0).any():
            return None
        design = np.column_stack([design, centred / spread])
        if np.linalg.matrix_rank(design) < design.shape[1] or n <= design.shape[1]:
            return None
    projection = np.linalg.solve(design.T @ design, design.T)
    coefficients = projection @ changes
    maker = np.eye(n) - design @ projection
    residual = maker @ changes
    sums = np.array([np.sum(residual[groups == g] ** 2) for g in range(n_groups)])
    variances = _variances(maker, groups, sums)
    return GroupChanges(coefficients, projection, maker, groups, variances)


def _variances(maker: np.ndarray, groups: np.ndarray, sums: np.ndarray) -> np.ndarray:
    """Unbiased variance of each group; a group without degrees of freedom has NaN."""
    n_groups = len(sums)
    free = np.array([np.trace(maker[np.ix_(groups == g, groups == g)]) for g in range(n_groups)])
    held = free > 1e-9
    variances = np.full(n_groups, np.nan)
    if held.any():
        variances[held] = np.linalg.solve(_squares(maker, groups, held), sums[held])
        if (variances[held] < 0).any():  # possible only with covariates in tiny groups
            variances[held] = sums[held].sum() / free[held].sum()
    return variances
