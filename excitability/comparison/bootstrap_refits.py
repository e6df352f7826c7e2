"""Parametric bootstrap of a mixed model: studies simulated from the fit and fitted again.

The sums over cells are simulated, not the rows, so that a refit of 14,400 trials costs as much as one of 40.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from ._restricted_likelihood import Cells
from ._variance_search import to_variances
from .mixed_models import MixedFit, fit_cells


@dataclass(frozen=True)
class Refits:
    """What the refits say of a contrast.

    Attributes
    ----------
    estimate : float
        Of the data.
    ci_low, ci_high : float
        95 % interval: the estimate give or take its standard error times the 95 % point of \\|t\\| among the refits.
    p_value : float
        Share of the refits of a study without effect with a \\|t\\| at least as large; never below 1 / (n + 1).
    n : int
        Refits.
    singular : float
        Share of the refits in which a variance was estimated to be zero.
    t : ndarray, shape (n,)
        t of each refit about the truth it was simulated from.
    """

    estimate: float
    ci_low: float
    ci_high: float
    p_value: float
    n: int
    singular: float
    t: np.ndarray = field(repr=False)


def bootstrap_refits(fit: MixedFit, weights: Sequence[float] | np.ndarray, n: int = 1000, seed: int = 0) -> Refits:
    """Interval and p value of a contrast from refits of simulated studies.

    The error of a restricted-likelihood estimate does not depend on the fixed effects, so that one set of simulated
    studies gives both the interval (refits about the estimate) and the p value (refits without effect).

    Parameters
    ----------
    fit : MixedFit
    weights : array-like, shape (n_columns,)
        Of the fixed effects.
    n : int
        Number of refits.
    seed : int

    Returns
    -------
    Refits

    Raises
    ------
    ValueError
        For fewer than 20 refits, which have no 95 % point.

    Notes
    -----
    The simulated studies have the variances that were estimated. Where one was estimated as zero (``fit.singular``)
    they have too little scatter, and the interval is too narrow as is that of any parametric bootstrap.

    Examples
    --------
    >>> import numpy as np
    >>> from excitability.comparison import mixed_model
    >>> rng = np.random.default_rng(2)
    >>> person, after = np.repeat(np.arange(10), 20), np.tile(np.repeat([0.0, 1.0], 10), 10)
    >>> y = rng.normal(0, 0.5, 10)[person] + 0.3 * after + rng.normal(0, 0.6, 200)
    >>> fit = mixed_model(y, np.column_stack([np.ones(200), after]), {"participant": person})
    >>> found = bootstrap_refits(fit, [0, 1], n=200, seed=1)
    >>> found.ci_low < found.estimate < found.ci_high
    True
    """
    return judged(fit, weights, simulated_refits(fit, n, seed))


def simulated_refits(fit: MixedFit, n: int = 1000, seed: int = 0) -> list[MixedFit]:
    """Studies without effects simulated from a fit and fitted again, from which every contrast can be judged."""
    if n < 20:
        raise ValueError(f"a 95 % interval needs 20 refits or more, got {n}")
    rng = np.random.default_rng(seed)
    simulate = _Simulation(fit)
    offset = np.zeros(len(fit.coefficients))
    names = [name for name in fit.variances if name != "residual"]
    # a search from a variance of exactly zero may leave it, but takes longer to
    start = np.where(fit._roots == 0, 0.05, fit._roots)
    return [fit_cells(simulate.cells(rng), names, offset, start) for _ in range(n)]


def judged(fit: MixedFit, weights: Sequence[float] | np.ndarray, refits: Sequence[MixedFit]) -> Refits:
    """What refits say of a contrast."""
    weights = np.asarray(weights, dtype=float)
    coefficients = np.array([weights @ again.coefficients for again in refits])
    t = coefficients / np.sqrt([weights @ again.covariance @ weights for again in refits])
    n, singular = len(refits), sum(again.singular for again in refits)
    estimate = float(weights @ fit.coefficients)
    error = math.sqrt(float(weights @ fit.covariance @ weights))
    half = error * float(np.quantile(np.abs(t), 0.95))
    beyond = int(np.sum(np.abs(t) >= abs(estimate) / error))
    return Refits(estimate, estimate - half, estimate + half, (1 + beyond) / (1 + n), n, singular / n, t)


class _Simulation:
    """Sums over cells of studies without fixed effects and with the variances of a fit."""

    def __init__(self, fit: MixedFit) -> None:
        cells = self._cells = fit._cells
        self._sigma = math.sqrt(fit.variances["residual"])
        ratios = to_variances(fit._roots, cells.has_slope)
        between = np.einsum("ip,ipab->pab", ratios[:, cells.classes], cells.bases)
        values, vectors = np.linalg.eigh(between)
        self._root = vectors * np.sqrt(np.maximum(values, 0.0))[:, None, :]
        filled = np.where(cells.counts > 0, cells.counts, 1.0)
        self._means = cells.z_x / filled[:, :, None]
        # the design within cells, which the sums of the cells do not hold
        within = cells.x_x - np.tensordot(cells.z_x, self._means, axes=([0, 1], [0, 1]))
        values, vectors = np.linalg.eigh(within)
        held = values > 1e-10 * max(float(np.trace(cells.x_x)), 1e-300)
        self._within = vectors[:, held] * np.sqrt(values[held])
        self._rest = cells.n_rows - int((cells.counts > 0).sum()) - int(held.sum())

    def cells(self, rng: np.random.Generator) -> Cells:
        """One study."""
        cells = self._cells
        effects = (self._root @ rng.normal(size=(*cells.counts.shape, 1)))[:, :, 0]
        means = (effects + rng.normal(size=cells.counts.shape) / np.sqrt(np.maximum(cells.counts, 1.0))) * self._sigma
        within = rng.normal(size=self._within.shape[1]) * self._sigma
        rest = self._sigma**2 * rng.chisquare(self._rest) if self._rest > 0 else 0.0
        z_y = cells.counts * means
        return replace(
            cells,
            z_y=z_y,
            x_y=np.tensordot(cells.z_x, means, axes=([0, 1], [0, 1])) + self._within @ within,
            y_y=float(np.sum(z_y * means) + within @ within) + rest,
        )
