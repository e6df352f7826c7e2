"""Crossovers: the same people in several arms, so that the arms are compared within people."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ._methods import Fit, fit_groups
from ._units import Units

#: Fewest people in each order of two arms for the effect of the period to be told from that of the arms.
FEWEST = 2


@dataclass(frozen=True)
class Pairs:
    """Differences between two arms within people, in the order in which they had the arms.

    Where both orders are there, the difference is the mean of those of the two orders, which the effect of the period
    does not enter, and half their difference is the effect of the period.
    """

    members: np.ndarray  # (n_units,) units that are in a pair
    fit: Fit | None
    period_fit: Fit | None  # None where the periods cannot be told apart
    weights: np.ndarray  # of the orders
    n: int
    flag: str

    @property
    def ordered(self) -> bool:
        """Whether the effect of the period is taken out."""
        return len(self.weights) == 2


def pair_arms(
    units: Units,
    changes: np.ndarray,
    covariates: np.ndarray,
    complete: np.ndarray,
    arms: tuple[int, int],
    method: str,
    unknown: np.ndarray | None = None,
) -> Pairs:
    """Differences of the changes in two arms, in the people who have both.

    Parameters
    ----------
    changes : ndarray, shape (n_units,)
    covariates : ndarray, shape (n_units, n_covariates)
        Their differences between the arms enter; one that is the same in both arms cancels.
    complete : ndarray of bool, shape (n_units,)
    arms : tuple of int
        Numbers of the two arms.
    method : str
    unknown : ndarray, shape (n_units,), optional
        As for :func:`fit_groups`.
    """
    n_arms = len(units.names)
    one, two = (np.arange(arm, len(changes), n_arms) for arm in arms)
    both = complete[one] & complete[two]
    one, two = one[both], two[both]
    members = np.zeros(len(changes), dtype=bool)
    members[one] = members[two] = True
    difference = changes[one] - changes[two]
    apart = covariates[one] - covariates[two]
    apart = apart[:, np.ptp(apart, axis=0) > 0] if len(apart) else apart
    left_open = None if unknown is None else unknown[one] + unknown[two]
    first = np.sign(units.periods[two] - units.periods[one])  # 1 where the first arm came first
    known = bool(len(one)) and bool(np.isfinite(first).all())
    sizes = [int((first == sign).sum()) for sign in (1, -1)]
    if not known or min(sizes) < FEWEST or sum(sizes) < len(one):
        flag = "" if not len(one) else "one_order" if known else "order_unknown"
        whole = np.zeros(len(one), dtype=int)
        fit = fit_groups(method, difference, whole, 1, apart, centre=False, unknown=left_open) if len(one) else None
        return Pairs(members, fit, None, np.ones(1), len(one), flag)
    order = (first < 0).astype(int)
    # with its sign changed in the second order, a difference is ± that of the arms + that of the periods
    turned = fit_groups(method, difference * first, order, 2, apart * first[:, None], centre=False, unknown=left_open)
    straight = fit_groups(method, difference, order, 2, apart, centre=False, unknown=left_open)
    return Pairs(members, turned, straight, np.array([0.5, -0.5]), len(one), "")


def combined_arms(
    units: Units, changes: np.ndarray, covariates: np.ndarray, complete: np.ndarray, weights: np.ndarray, method: str
) -> tuple[Fit | None, int]:
    """Linear combination of the arms within each person who has all that enter it, as one group; and their number."""
    n_arms, used = len(units.names), np.flatnonzero(weights)
    held = complete.reshape(-1, n_arms)[:, used].all(axis=1)
    own = changes.reshape(-1, n_arms)[np.ix_(held, used)] @ weights[used]
    values = covariates.reshape(len(changes) // n_arms, n_arms, covariates.shape[1])
    apart = np.einsum("pac,a->pc", values[held][:, used], weights[used])
    if not len(own):
        return None, 0
    apart = apart[:, np.ptp(apart, axis=0) > 0]
    return fit_groups(method, own, np.zeros(len(own), dtype=int), 1, apart, centre=False), len(own)
