"""Trimmed means of groups: an answer that a few unusual people do not decide."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from .estimation import Contrast

#: Share of the people left out at either end.
TRIMMED = 0.2


@dataclass(frozen=True)
class TrimmedGroups:
    """20 % trimmed means of groups with their standard errors.

    A group's mean has the interval of Tukey and McLaughlin, a difference of two groups that of Yuen and Welch. What is
    estimated is the trimmed mean of the population: in a skewed population it is not the mean.

    References
    ----------
    .. [1] Yuen KK. Biometrika 1974;61:165-170. 10.1093/biomet/61.1.165
    """

    means: np.ndarray  # (n_groups,)
    variances: np.ndarray  # of the means, NaN where there are too few people
    df: np.ndarray

    def contrast(self, weights: np.ndarray) -> Contrast:
        """Estimate ``weights @ trimmed_means``; Welch's degrees of freedom."""
        active = weights != 0
        estimate = float(weights[active] @ self.means[active])
        parts = weights[active] ** 2 * self.variances[active]
        variance = float(parts.sum())
        if not math.isfinite(variance):
            return Contrast(estimate, math.nan, math.nan)
        if variance <= 0:
            return Contrast(estimate, 0.0, math.nan)
        return Contrast(estimate, math.sqrt(variance), variance**2 / float(np.sum(parts**2 / self.df[active])))


def trimmed_groups(changes: np.ndarray, groups: np.ndarray, n_groups: int) -> TrimmedGroups:
    """Trimmed mean of each group; every group must have a member.

    Examples
    --------
    >>> found = trimmed_groups(np.array([1.0, 2, 3, 4, 90]), np.zeros(5, dtype=int), 1)
    >>> float(found.means[0])
    3.0
    """
    means, variances, df = (np.full(n_groups, np.nan) for _ in range(3))
    smallest = (1e-12 * float(np.abs(changes).max(initial=0.0))) ** 2  # below it a variance is rounding
    for group in range(n_groups):
        own = np.sort(changes[groups == group])
        cut = int(TRIMMED * len(own))
        held = len(own) - 2 * cut
        means[group] = own[cut : len(own) - cut].mean()
        df[group] = held - 1
        if held > 1:
            drawn_in = np.clip(own, own[cut], own[len(own) - 1 - cut])  # winsorised
            squares = float(np.sum((drawn_in - drawn_in.mean()) ** 2))
            variances[group] = squares / (held * (held - 1)) if squares > smallest * len(own) else 0.0
    return TrimmedGroups(means, variances, df)
