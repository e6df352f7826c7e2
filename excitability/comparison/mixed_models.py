"""Linear mixed models by restricted maximum likelihood, fitted from sums over cells instead of rows.

Every random effect here is an intercept of a grouping factor nested in the participant (participant,
participant:session, …). Then the likelihood needs only the sums of the rows in each cell, the finest
grouping, and a fit of 14,400 trials costs as much as one of 40 (Bates et al. 2015, 10.18637/jss.v067.i01,
give the profiled criterion; Kuznetsova et al. 2017, 10.18637/jss.v082.i13, the degrees of freedom).
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from .estimation import Contrast


@dataclass(frozen=True)
class _Cells:
    """Sufficient statistics; padded to the largest number of cells, a padded cell holds no row."""

    n_rows: int
    counts: np.ndarray  # (n_participants, n_cells)
    z_x: np.ndarray  # (n_participants, n_cells, n_columns): sums of the design over the rows of a cell
    z_y: np.ndarray  # (n_participants, n_cells)
    x_x: np.ndarray
    x_y: np.ndarray
    y_y: float
    same: np.ndarray  # (n_effects, n_participants, n_cells, n_cells): cells that share a random effect


@dataclass(frozen=True)
class MixedFit:
    """A fitted mixed model.

    Attributes
    ----------
    coefficients : ndarray, shape (n_columns,)
        Fixed effects.
    covariance : ndarray, shape (n_columns, n_columns)
        Of the fixed effects.
    variances : dict of float
        Variance of each random effect, in the order given, and ``residual``.
    criterion : float
        −2 log restricted likelihood, as lme4 reports it.
    n : int
        Rows in the fit.
    singular : bool
        Whether a variance was estimated to be zero.
    """

    coefficients: np.ndarray
    covariance: np.ndarray
    variances: dict[str, float]
    criterion: float
    n: int
    singular: bool
    _cells: _Cells = field(repr=False)

    def contrast(self, weights: Sequence[float] | np.ndarray) -> Contrast:
        """A linear combination of the fixed effects with Satterthwaite degrees of freedom.

        Variances estimated to be zero are held at zero.

        Parameters
        ----------
        weights : array-like, shape (n_columns,)
        """
        c = np.asarray(weights, dtype=float)
        variance = float(c @ self.covariance @ c)
        free, information = self._information
        gradient = _variance_gradient(self._cells, np.array(list(self.variances.values())), c)[free]
        try:
            spread = float(gradient @ np.linalg.solve(information, gradient))
        except np.linalg.LinAlgError:
            spread = math.nan
        df = 2 * variance**2 / spread if spread > 0 else math.nan
        return Contrast(float(c @ self.coefficients), math.sqrt(variance), df)

    @functools.cached_property
    def _information(self) -> tuple[np.ndarray, np.ndarray]:
        """Which variances are above zero, and half the Hessian of the criterion in them."""
        variances = np.array(list(self.variances.values()))
        free = np.flatnonzero(variances > 0)
        hessian = np.empty((len(free), len(free)))
        for row, i in enumerate(free):
            step = np.zeros_like(variances)
            step[i] = 1e-4 * variances[i]
            difference = _gradient(variances + step, self._cells) - _gradient(variances - step, self._cells)
            hessian[row] = difference[free] / (2 * step[i])
        return free, (hessian + hessian.T) / 4


def mixed_model(y: np.ndarray, x: np.ndarray, random: Mapping[str, np.ndarray]) -> MixedFit:
    """Fit ``y = x β + random intercepts + residual`` by restricted maximum likelihood.

    Parameters
    ----------
    y : ndarray, shape (n_rows,)
        Response, finite.
    x : ndarray, shape (n_rows, n_columns)
        Fixed effects, of full rank.
    random : mapping of str to array-like, shape (n_rows,)
        Labels of each random intercept. The first is the participant; all others are nested in it
        (labels may repeat between participants).

    Returns
    -------
    MixedFit

    Raises
    ------
    ValueError
        For shapes that do not fit, missing values, fewer than two participants, or a design whose
        columns depend on each other.

    References
    ----------
    .. [1] Bates D et al. J Stat Softw 2015;67(1). 10.18637/jss.v067.i01

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(2)
    >>> person = np.repeat(np.arange(30), 40)
    >>> after = np.tile(np.repeat([0.0, 1.0], 20), 30)
    >>> y = rng.normal(0, 0.5, 30)[person] + 0.3 * after + rng.normal(0, 0.6, 1200)
    >>> fit = mixed_model(y, np.column_stack([np.ones(1200), after]), {"participant": person})
    >>> bool(abs(fit.coefficients[1] - 0.3) < 0.1)
    True
    """
    y, x = np.ascontiguousarray(y, dtype=float), np.ascontiguousarray(x, dtype=float)
    _check(y, x, random)
    # a least-squares fit is taken away first: sums of squares of a large offset would lose digits
    rough = np.linalg.solve(x.T @ x, x.T @ y)
    cells = _cells(y - x @ rough, x, random)
    theta = _optimise(cells)
    value, pieces, sigma2 = _profile(theta, cells)
    names = [*random, "residual"]
    variances = dict(zip(names, [*(float(t) * sigma2 for t in theta), sigma2], strict=True))
    return MixedFit(
        coefficients=pieces.beta + rough,
        covariance=sigma2 * pieces.inverse,
        variances=variances,
        criterion=value,
        n=len(y),
        singular=bool((theta == 0).any()),
        _cells=cells,
    )


def _check(y: np.ndarray, x: np.ndarray, random: Mapping[str, np.ndarray]) -> None:
    if y.ndim != 1 or x.ndim != 2 or len(x) != len(y):
        raise ValueError(f"a mixed model needs y (n,) and x (n, columns), got shapes {y.shape} and {x.shape}")
    if not random:
        raise ValueError("a mixed model needs one random effect or more, e.g. {'participant': labels}")
    for name, labels in random.items():
        if len(labels) != len(y):
            raise ValueError(f"random effect {name!r} has {len(labels)} labels for {len(y)} rows")
    if not (np.isfinite(y).all() and np.isfinite(x).all()):
        raise ValueError("y and x must be finite; leave out the rows with missing values")
    if np.linalg.matrix_rank(x.T @ x) < x.shape[1] or len(y) <= x.shape[1]:
        raise ValueError(f"the {x.shape[1]} columns of x depend on each other, or outnumber the {len(y)} rows")


def _cells(y: np.ndarray, x: np.ndarray, random: Mapping[str, np.ndarray]) -> _Cells:
    codes = [pd.factorize(np.asarray(labels))[0].astype(np.int64) for labels in random.values()]
    if codes[0].max(initial=0) < 1:
        raise ValueError("a mixed model needs two or more participants")
    finest = codes[0]
    for code in codes[1:]:
        finest = pd.factorize(finest * (code.max() + 1) + code)[0].astype(np.int64)
    n_cells = int(finest.max()) + 1
    sums = [np.bincount(finest, weights=column, minlength=n_cells) for column in (y, *x.T)]
    counts = np.bincount(finest, minlength=n_cells).astype(float)
    first = np.empty(n_cells, dtype=np.int64)
    first[finest[::-1]] = np.arange(len(y))[::-1]
    owner = codes[0][first]
    order = np.argsort(owner, kind="stable")
    sizes = np.bincount(owner)
    place = np.arange(n_cells) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    shape = (len(sizes), int(sizes.max()))

    def laid_out(column: np.ndarray, empty: float = 0.0) -> np.ndarray:
        padded = np.full(shape, empty, dtype=column.dtype)
        padded[owner[order], place] = column[order]
        return padded

    labels = [laid_out(code[first], -1) for code in codes]
    same = np.array([(label[:, :, None] == label[:, None, :]) & (label >= 0)[:, :, None] for label in labels])
    return _Cells(
        n_rows=len(y),
        counts=laid_out(counts),
        z_x=np.stack([laid_out(column) for column in sums[1:]], axis=-1),
        z_y=laid_out(sums[0]),
        x_x=x.T @ x,
        x_y=x.T @ y,
        y_y=float(y @ y),
        same=same.astype(float),
    )


@dataclass(frozen=True)
class _Pieces:
    beta: np.ndarray
    inverse: np.ndarray  # (X'WX)^-1, W = inverse of V / sigma2
    squares: float  # (y - Xb)'W(y - Xb)
    log_determinant: float  # log|V / sigma2| + log|X'WX|
    k: np.ndarray  # Z'WZ
    q: np.ndarray  # Z'WX
    r: np.ndarray  # Z'W(y - Xb)


def _pieces(theta: np.ndarray, cells: _Cells) -> _Pieces:
    """Everything that the criterion and its derivatives need, from Woodbury's identity within participants."""
    between = np.tensordot(theta, cells.same, axes=1)
    system = cells.counts[:, :, None] * between
    n_cells = system.shape[1]
    system[:, np.arange(n_cells), np.arange(n_cells)] += 1.0
    solve = np.linalg.inv(system)
    q = solve @ cells.z_x
    q_y = (solve @ cells.z_y[:, :, None])[:, :, 0]
    spread_x = between @ q
    x_w_x = cells.x_x - np.tensordot(cells.z_x, spread_x, axes=([0, 1], [0, 1]))
    x_w_y = cells.x_y - np.tensordot(spread_x, cells.z_y, axes=([0, 1], [0, 1]))
    y_w_y = cells.y_y - float(np.sum(cells.z_y * (between @ q_y[:, :, None])[:, :, 0]))
    inverse = np.linalg.inv(x_w_x)
    beta = inverse @ x_w_y
    return _Pieces(
        beta=beta,
        inverse=inverse,
        squares=max(y_w_y - float(beta @ x_w_y), 1e-300),
        log_determinant=float(np.linalg.slogdet(system)[1].sum() + np.linalg.slogdet(x_w_x)[1]),
        k=solve * cells.counts[:, None, :],
        q=q,
        r=q_y - q @ beta,
    )


def _slopes(pieces: _Pieces, cells: _Cells) -> tuple[np.ndarray, np.ndarray]:
    """For each effect tr(P V_k) and the quadratic form y'P V_k P y, both for sigma2 = 1."""
    traces, forms = np.empty(len(cells.same)), np.empty(len(cells.same))
    for i, same in enumerate(cells.same):
        middle = np.tensordot(pieces.q, same @ pieces.q, axes=([0, 1], [0, 1]))
        traces[i] = np.sum(pieces.k * same) - np.sum(pieces.inverse * middle)
        forms[i] = np.sum(pieces.r * (same @ pieces.r[:, :, None])[:, :, 0])
    return traces, forms


def _information(pieces: _Pieces, cells: _Cells) -> np.ndarray:
    """tr(P V_k P V_l) of every pair of effects: the expected Hessian of the criterion."""
    reach = [same @ pieces.q for same in cells.same]
    spread = [same @ pieces.k for same in cells.same]
    middle = [pieces.inverse @ np.tensordot(pieces.q, part, axes=([0, 1], [0, 1])) for part in reach]
    found = np.empty((len(reach), len(reach)))
    for i in range(len(reach)):
        for j in range(i + 1):
            cross = np.tensordot(reach[i], pieces.k @ reach[j], axes=([0, 1], [0, 1]))
            found[i, j] = found[j, i] = (
                np.sum(spread[i] * spread[j].transpose(0, 2, 1))
                - 2 * np.sum(pieces.inverse * cross)
                + np.sum(middle[i] * middle[j].T)
            )
    return found


def _profile(theta: np.ndarray, cells: _Cells) -> tuple[float, _Pieces, float]:
    """Criterion with β and σ² profiled out, the pieces behind it, and σ²."""
    pieces = _pieces(theta, cells)
    free = cells.n_rows - cells.x_x.shape[0]
    sigma2 = pieces.squares / free
    return pieces.log_determinant + free * (1 + math.log(2 * math.pi * sigma2)), pieces, sigma2


def _optimise(cells: _Cells) -> np.ndarray:
    """Variance ratios at the minimum; those that the data put at zero are exactly zero.

    Fisher scoring with an active set: a ratio at zero leaves it again where the slope points inwards.
    (L-BFGS in the roots of the ratios, tried before, stuck at zero and took ten times longer.)
    """
    n_effects, free_rows = len(cells.same), cells.n_rows - cells.x_x.shape[0]
    theta = np.full(n_effects, 0.2)
    value, pieces, sigma2 = _profile(theta, cells)
    for _ in range(100):
        traces, forms = _slopes(pieces, cells)
        slope = traces - forms / sigma2
        free = (theta > 0) | (slope < 0)
        hessian = (_information(pieces, cells) - np.outer(traces, traces) / free_rows)[np.ix_(free, free)]
        step = np.zeros(n_effects)
        step[free] = -np.linalg.lstsq(hessian, slope[free], rcond=None)[0]
        if -slope @ step < 1e-12:
            break
        moved = _shorten(theta, step, value, cells)
        if moved is None:
            break
        theta, value, pieces, sigma2 = moved
    return theta


def _shorten(
    theta: np.ndarray, step: np.ndarray, value: float, cells: _Cells
) -> tuple[np.ndarray, float, _Pieces, float] | None:
    """The longest of ever shorter steps, kept at or above zero, that lowers the criterion."""
    for power in range(25):
        trial = np.maximum(theta + step * 0.5**power, 0.0)
        trial_value, pieces, sigma2 = _profile(trial, cells)
        if trial_value < value:
            return trial, trial_value, pieces, sigma2
    return None


def _gradient(variances: np.ndarray, cells: _Cells) -> np.ndarray:
    """Gradient of −2 log restricted likelihood in the variances, the residual one last."""
    sigma2 = variances[-1]
    pieces = _pieces(variances[:-1] / sigma2, cells)
    traces, forms = _slopes(pieces, cells)
    slopes = traces / sigma2 - forms / sigma2**2
    free = cells.n_rows - cells.x_x.shape[0]
    # the criterion is homogeneous: sum of variance × slope = free − y'Py
    last = (free - pieces.squares / sigma2 - float(variances[:-1] @ slopes)) / sigma2
    return np.append(slopes, last)


def _variance_gradient(cells: _Cells, variances: np.ndarray, c: np.ndarray) -> np.ndarray:
    """Gradient of var(c'β) in the variances, the residual one last."""
    sigma2 = variances[-1]
    pieces = _pieces(variances[:-1] / sigma2, cells)
    a = pieces.inverse @ c
    reach = pieces.q @ a
    slopes = [float(np.sum(reach * (same @ reach[:, :, None])[:, :, 0])) for same in cells.same]
    # homogeneous again: sum of variance × slope = var(c'β)
    last = float(c @ a) - float(variances[:-1] @ slopes) / sigma2
    return np.append(slopes, last)
