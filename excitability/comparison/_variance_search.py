"""The variances of a mixed model at the minimum of its criterion.

Fisher scoring with an active set: a variance at zero leaves it again where the slope points inwards. (L-BFGS in
the roots of the variances, tried before, stuck at zero and took ten times longer.) The covariance matrix
of an intercept and a slope is searched in its Cholesky factor, which keeps it a covariance matrix.
"""

from __future__ import annotations

import numpy as np

from ._restricted_likelihood import Cells, Pieces, information_of, profile, slopes_of


def to_variances(roots: np.ndarray, has_slope: bool) -> np.ndarray:
    """Variances from what is searched, both (n_effects, n_classes).

    Without a slope the two are the same. With one, the first three rows are ``a, c, b`` of the Cholesky factor
    ``[[a, 0], [b, c]]``, and become the variances of intercept and slope and their covariance.
    """
    if not has_slope:
        return roots
    variances = roots.copy()
    a, c, b = roots[:3]
    variances[0], variances[1], variances[2] = a * a, b * b + c * c, a * b
    return variances


def jacobian(roots: np.ndarray, has_slope: bool) -> np.ndarray:
    """Derivatives of the variances (rows) in what is searched (columns), both flattened."""
    n_effects, n_classes = roots.shape
    found = np.eye(roots.size).reshape(n_effects, n_classes, n_effects, n_classes)
    if has_slope:
        for g in range(n_classes):
            a, c, b = roots[:3, g]
            found[:3, g, :3, g] = [[2 * a, 0, 0], [0, 2 * c, 2 * b], [b, 0, a]]
    return found.reshape(roots.size, roots.size)


def curvature(slopes: np.ndarray, has_slope: bool) -> np.ndarray:
    """What the bend of :func:`to_variances` adds to the Hessian where the slopes are not zero."""
    n_effects, n_classes = slopes.shape
    found = np.zeros((n_effects, n_classes, n_effects, n_classes))
    if has_slope:
        for g in range(n_classes):
            intercept, slope, both = slopes[:3, g]
            found[:3, g, :3, g] = [[2 * intercept, 0, both], [0, 2 * slope, 0], [both, 0, 2 * slope]]
    return found.reshape(slopes.size, slopes.size)


def search(cells: Cells, start: np.ndarray | None = None) -> np.ndarray:
    """Ratios to the residual variance at the minimum, as :func:`to_variances` takes them.

    Those that the data put at zero are exactly zero.
    """
    roots = _start(cells) if start is None else start
    value, pieces, sigma2 = profile(to_variances(roots, cells.has_slope), cells)
    for _ in range(100):
        slope, step = _step(roots, pieces, sigma2, cells)
        if -slope @ step < 1e-12:
            break
        moved = _shorten(roots, step.reshape(roots.shape), value, cells)
        if moved is None:
            break
        roots, value, pieces, sigma2 = moved
    return _cleared(roots, value, cells) if cells.has_slope else roots


def _start(cells: Cells) -> np.ndarray:
    roots = np.full((len(cells.bases), cells.n_classes), 0.2)
    if cells.has_slope:
        scale = np.sqrt(np.mean(np.diagonal(cells.bases[1], axis1=1, axis2=2)[cells.counts > 0]))
        roots[0], roots[1], roots[2] = np.sqrt(0.2), np.sqrt(0.2) / (scale or 1.0), 0.0
    return roots


def _step(roots: np.ndarray, pieces: Pieces, sigma2: float, cells: Cells) -> tuple[np.ndarray, np.ndarray]:
    """Slope and next step, flattened; a variance at zero that wants below zero stays."""
    traces, forms = slopes_of(pieces, cells)
    slopes = traces - forms / sigma2
    slope, hessian = slopes.ravel(), information_of(pieces, cells) - np.outer(traces, traces) / cells.free_rows
    free = (roots > 0) | (slopes < 0)
    if cells.has_slope:
        turn = jacobian(roots, True)
        slope, hessian = turn.T @ slope, turn.T @ hessian @ turn + curvature(slopes, True)
        free[:3] = True
    free, step = free.ravel(), np.zeros(roots.size)
    hessian = hessian[np.ix_(free, free)]
    if cells.has_slope:  # the bend may point downwards: its size is kept, its sign is not
        values, vectors = np.linalg.eigh(hessian)
        hessian = (vectors * np.maximum(np.abs(values), 1e-12 * np.abs(values).max(initial=0.0))) @ vectors.T
    step[free] = -np.linalg.lstsq(hessian, slope[free], rcond=None)[0]
    return slope, step


def _shorten(
    roots: np.ndarray, step: np.ndarray, value: float, cells: Cells
) -> tuple[np.ndarray, float, Pieces, float] | None:
    """The longest of ever shorter steps, variances kept at or above zero, that lowers the criterion."""
    for power in range(25):
        trial = roots + step * 0.5**power
        first = 3 if cells.has_slope else 0
        trial[first:] = np.maximum(trial[first:], 0.0)
        trial_value, pieces, sigma2 = profile(to_variances(trial, cells.has_slope), cells)
        if trial_value < value:
            return trial, trial_value, pieces, sigma2
    return None


def _cleared(roots: np.ndarray, value: float, cells: Cells) -> np.ndarray:
    """Roots that are zero but for rounding are set to zero, which is how a singular fit is known."""
    for g in range(cells.n_classes):
        a, c, b = roots[:3, g]
        for one in ((0.0, np.hypot(b, c), 0.0), (a, 0.0, b), (a, 0.0, 0.0)):
            trial = roots.copy()
            trial[:3, g] = one
            changed = profile(to_variances(trial, True), cells)[0]
            if changed <= value + 1e-7:
                roots, value = trial, changed
    return roots
