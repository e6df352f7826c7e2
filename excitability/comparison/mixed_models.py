"""Linear mixed models by restricted maximum likelihood, fitted from sums over cells instead of rows.

Random intercepts of grouping factors nested in the participant (participant, participant:session, …), and a
random slope of the participant. Then the likelihood needs only the sums of the rows in each cell, the finest
grouping, and a fit of 14,400 trials costs as much as one of 40 (Bates et al. 2015, 10.18637/jss.v067.i01,
give the profiled criterion; Kuznetsova et al. 2017, 10.18637/jss.v082.i13, the degrees of freedom).
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from ._restricted_likelihood import Cells, cells_of, gradient_of, profile, told_apart, variance_gradient_of
from ._variance_search import jacobian, search, to_variances
from .estimation import Contrast


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
        Variance of each random effect, in the order given, and ``residual``. A random slope adds its own
        (``participant:time``) and its covariance with the intercept (``participant~participant:time``); ``by``
        adds the class (``participant in patient``).
    criterion : float
        −2 log restricted likelihood, as lme4 reports it.
    n : int
        Rows in the fit.
    singular : bool
        Whether a variance was estimated to be zero, or a correlation to be one.
    """

    coefficients: np.ndarray
    covariance: np.ndarray
    variances: dict[str, float]
    criterion: float
    n: int
    singular: bool
    _cells: Cells = field(repr=False)
    _roots: np.ndarray = field(repr=False)

    def contrast(self, weights: Sequence[float] | np.ndarray) -> Contrast:
        """A linear combination of the fixed effects with Satterthwaite degrees of freedom.

        Variances estimated to be zero are held at zero, and correlations of one at one.

        Parameters
        ----------
        weights : array-like, shape (n_columns,)
        """
        c = np.asarray(weights, dtype=float)
        variance = float(c @ self.covariance @ c)
        sigma2, roots = self.variances["residual"], self._roots
        searched, information = self._information
        variances = to_variances(roots, self._cells.has_slope) * sigma2
        slopes, last = variance_gradient_of(self._cells, variances, sigma2, c)
        gradient = np.append(slopes.ravel() @ self._turn(searched), last)[self._free]
        try:
            spread = float(gradient @ np.linalg.solve(information, gradient))
        except np.linalg.LinAlgError:
            spread = math.nan
        df = 2 * variance**2 / spread if spread > 0 else math.nan
        return Contrast(float(c @ self.coefficients), math.sqrt(variance), df)

    @property
    def _free(self) -> np.ndarray:
        return np.append(self._roots.ravel() != 0, True)

    def _turn(self, searched: np.ndarray) -> np.ndarray:
        return jacobian(searched[:-1].reshape(self._roots.shape), self._cells.has_slope)

    @functools.cached_property
    def _information(self) -> tuple[np.ndarray, np.ndarray]:
        """What is searched, on the scale of the data, and half the Hessian of the criterion in what is not zero."""
        has_slope, sigma2 = self._cells.has_slope, self.variances["residual"]
        scaled = self._roots * sigma2
        if has_slope:
            scaled[:3] = self._roots[:3] * math.sqrt(sigma2)
        searched, free = np.append(scaled.ravel(), sigma2), np.flatnonzero(self._free)

        def gradient(at: np.ndarray) -> np.ndarray:
            variances = to_variances(at[:-1].reshape(scaled.shape), has_slope)
            slopes, last = gradient_of(variances, float(at[-1]), self._cells)
            return np.append(slopes.ravel() @ self._turn(at), last)[free]

        hessian = np.empty((len(free), len(free)))
        for row, i in enumerate(free):
            step = np.zeros_like(searched)
            step[i] = 1e-4 * abs(searched[i])
            hessian[row] = (gradient(searched + step) - gradient(searched - step)) / (2 * step[i])
        return searched, (hessian + hessian.T) / 4


def mixed_model(
    y: np.ndarray,
    x: np.ndarray,
    random: Mapping[str, np.ndarray],
    slope: Mapping[str, np.ndarray] | None = None,
    by: np.ndarray | None = None,
) -> MixedFit:
    """Fit ``y = x β + random effects + residual`` by restricted maximum likelihood.

    Parameters
    ----------
    y : ndarray, shape (n_rows,)
        Response, finite.
    x : ndarray, shape (n_rows, n_columns)
        Fixed effects, of full rank.
    random : mapping of str to array-like, shape (n_rows,)
        Labels of each random intercept. The first is the participant; all others are nested in it
        (labels may repeat between participants).
    slope : mapping of one str to array-like, shape (n_rows,), optional
        A variable whose slope differs between participants, correlated with their intercepts:
        ``(1 + time | participant)``.
    by : array-like, shape (n_rows,), optional
        Class of each participant. Every class then has random-effect variances of its own, as groups of
        patients and controls need; the residual variance is common.

    Returns
    -------
    MixedFit

    Raises
    ------
    ValueError
        For shapes that do not fit, missing values, fewer than two participants, a design whose columns depend
        on each other, or random effects that the rows cannot tell apart.

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
    slope = {name: np.asarray(along, dtype=float) for name, along in (slope or {}).items()}
    _check(y, x, random, slope, by)
    # a least-squares fit is taken away first: sums of squares of a large offset would lose digits
    rough = np.linalg.solve(x.T @ x, x.T @ y)
    cells = cells_of(y - x @ rough, x, random, next(iter(slope.values()), None), by)
    names = _names(random, slope, by)
    if not told_apart(cells):
        raise ValueError(
            f"the random effects {', '.join(names)} cannot be told apart in these rows; leave one out "
            "(with one session a time point, sessions and the slope of time are the same)"
        )
    return fit_cells(cells, names, rough)


def fit_cells(cells: Cells, names: Sequence[str], offset: np.ndarray, start: np.ndarray | None = None) -> MixedFit:
    """Fit sums over cells; ``offset`` is added to the fixed effects, ``start`` are roots to search from."""
    roots = search(cells, start)
    ratios = to_variances(roots, cells.has_slope)
    value, pieces, sigma2 = profile(ratios, cells)
    variances = [float(ratio) * sigma2 for ratio in ratios.ravel()]
    ends = roots[[0, 1, *range(3, len(roots))]] if cells.has_slope else roots
    return MixedFit(
        coefficients=pieces.beta + offset,
        covariance=sigma2 * pieces.inverse,
        variances=dict(zip([*names, "residual"], [*variances, sigma2], strict=True)),
        criterion=value,
        n=cells.n_rows,
        singular=bool((ends == 0).any()),
        _cells=cells,
        _roots=roots,
    )


def _names(random: Mapping[str, np.ndarray], slope: Mapping[str, np.ndarray], by: np.ndarray | None) -> list[str]:
    names = list(random)
    for along in slope:
        names[1:1] = [f"{names[0]}:{along}", f"{names[0]}~{names[0]}:{along}"]
    if by is None:
        return names
    classes = list(dict.fromkeys(np.asarray(by).tolist()))
    return [f"{name} in {word}" for name in names for word in classes] if len(classes) > 1 else names


def _check(
    y: np.ndarray,
    x: np.ndarray,
    random: Mapping[str, np.ndarray],
    slope: Mapping[str, np.ndarray],
    by: np.ndarray | None,
) -> None:
    if y.ndim != 1 or x.ndim != 2 or len(x) != len(y):
        raise ValueError(f"a mixed model needs y (n,) and x (n, columns), got shapes {y.shape} and {x.shape}")
    if not random:
        raise ValueError("a mixed model needs one random effect or more, e.g. {'participant': labels}")
    if len(slope) > 1:
        raise ValueError(f"a mixed model takes one random slope, got {', '.join(slope)}")
    for name, labels in (dict(random) | dict(slope) | ({} if by is None else {"by": by})).items():
        if len(labels) != len(y):
            raise ValueError(f"random effect {name!r} has {len(labels)} labels for {len(y)} rows")
    if not (np.isfinite(y).all() and np.isfinite(x).all()):
        raise ValueError("y and x must be finite; leave out the rows with missing values")
    if not all(np.isfinite(along).all() for along in slope.values()):
        raise ValueError(f"the variable of the slope, {next(iter(slope))!r}, must be finite")
    if np.linalg.matrix_rank(x.T @ x) < x.shape[1] or len(y) <= x.shape[1]:
        raise ValueError(f"the {x.shape[1]} columns of x depend on each other, or outnumber the {len(y)} rows")
