"""A change tested by flipping its sign within people, or a difference of changes by exchanging people."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np

_MOST_EXACT = 2**14


@dataclass(frozen=True)
class Permutation:
    """Result of a permutation test.

    Attributes
    ----------
    estimate : float
        Mean change, or difference of the mean changes (first less second).
    p_value : float
        Two-sided; NaN where fewer than two people stand on a side.
    n : int
        Arrangements that were looked at, the one observed included.
    exact : bool
        Whether these are all there are.
    """

    estimate: float
    p_value: float
    n: int
    exact: bool


def permutation_test(
    changes: np.ndarray, first: np.ndarray | None = None, n: int = 10_000, seed: int = 0
) -> Permutation:
    """Test a mean change, or with ``first`` the difference of two groups' mean changes.

    One group: the sign of each person's change is as likely plus as minus when the sessions could be
    exchanged. Two groups: the people are exchanged, and the statistic is Welch's t, which holds its level
    in large samples when the groups scatter differently (a difference of means would not). All arrangements are looked
    at when there are no more than 16,384, otherwise ``n`` random ones.

    Parameters
    ----------
    changes : ndarray, shape (n_people,)
        One change a person, finite.
    first : ndarray of bool, shape (n_people,), optional
        Who is in the first group.
    n : int
        Random arrangements.
    seed : int

    Returns
    -------
    Permutation

    Raises
    ------
    ValueError
        For shapes that differ and changes that are not finite.

    Examples
    --------
    >>> import numpy as np
    >>> found = permutation_test(np.array([0.2, 0.3, 0.1, 0.4, 0.25, 0.15]))
    >>> found.p_value, found.exact
    (0.03125, True)
    """
    changes = np.asarray(changes, dtype=float)
    if changes.ndim != 1 or not np.isfinite(changes).all():
        raise ValueError(f"a permutation test needs one finite change a person, got shape {changes.shape}")
    rng = np.random.default_rng(seed)
    if first is None:
        return _sign_flips(changes, n, rng)
    first = np.asarray(first, dtype=bool)
    if first.shape != changes.shape:
        raise ValueError(f"first must say of each of {len(changes)} people whether they are in it, got {first.shape}")
    return _exchanges(changes, first, n, rng)


def _sign_flips(changes: np.ndarray, n: int, rng: np.random.Generator) -> Permutation:
    if len(changes) < 2:
        return Permutation(float(changes.mean()) if len(changes) else math.nan, math.nan, 0, False)
    exact = 2 ** len(changes) <= _MOST_EXACT
    if exact:
        signs = 1.0 - 2.0 * ((np.arange(2 ** len(changes))[:, None] >> np.arange(len(changes))) & 1)
    else:
        signs = np.vstack([np.ones(len(changes)), rng.integers(0, 2, (n, len(changes))) * 2.0 - 1.0])
    # with the signs flipped the sum of squares stays, so that the mean orders as its t does
    means = np.abs(signs @ changes)
    return Permutation(float(changes.mean()), _share(means), len(signs), exact)


def _exchanges(changes: np.ndarray, first: np.ndarray, n: int, rng: np.random.Generator) -> Permutation:
    n_people, n_first = len(changes), int(first.sum())
    estimate = float(changes[first].mean() - changes[~first].mean()) if 0 < n_first < n_people else math.nan
    if min(n_first, n_people - n_first) < 2:
        return Permutation(estimate, math.nan, 0, False)
    exact = math.comb(n_people, n_first) <= _MOST_EXACT
    if exact:
        chosen = np.array(list(itertools.combinations(range(n_people), n_first)))
        members = np.zeros((len(chosen), n_people))
        np.put_along_axis(members, chosen, 1.0, axis=1)
        members = np.vstack([first, members[(members != first).any(axis=1)]])
    else:
        members = np.vstack([first, rng.permuted(np.tile(first, (n, 1)), axis=1)])
    return Permutation(estimate, _share(np.abs(_welch(changes - changes.mean(), members))), len(members), exact)


def _welch(changes: np.ndarray, members: np.ndarray) -> np.ndarray:
    """Welch's t of every arrangement; infinite where neither side scatters."""
    means, errors = [], []
    for side in (members.astype(float), 1.0 - members):
        size = side.sum(axis=1)
        mean = side @ changes / size
        means.append(mean)
        errors.append(np.maximum(side @ changes**2 - size * mean**2, 0.0) / (size * (size - 1)))
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.nan_to_num((means[0] - means[1]) / np.sqrt(errors[0] + errors[1]), posinf=np.inf, neginf=-np.inf)


def _share(sizes: np.ndarray) -> float:
    """Share of the arrangements at least as far out as the first, which is the one observed."""
    return float(np.mean(sizes >= sizes[0] * (1 - 1e-9)))
