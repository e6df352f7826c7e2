"""Fit of a recruitment curve with noise that grows with the response, and intervals of what is derived from it.

Trials scatter in proportion to the response (``φ f²``) on top of the scatter of the noise floor (``τ²``). The mean
curve is fitted by quasi-likelihood: weighted least squares with weights from the current fit, which assumes the
two moments only and so holds for log-normal and gamma trials alike.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..schema import unknown_word
from ._curve_draws import draw_curves
from .curves import CURVES, Curve

N_STEPS = 40
#: Mean and precision (inverse covariance) of the parameters.
Population = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class CurveFit:
    """A fitted recruitment curve: what the plots draw and the summaries report.

    Attributes
    ----------
    form : str
        Name of the curve.
    parameters : ndarray
        Shape parameters, log of the plateau, offset (V).
    draws : ndarray, shape (n_draws, n_parameters)
        Parameters of curves that the data allow, all equally likely.
    variance : tuple of float
        ``φ`` (squared coefficient of variation of the responses) and ``τ²`` (V², scatter of the noise floor).
    range : tuple of float
        Tested intensities (%MSO).
    n : int
        Trials.
    criterion : float
        Small-sample information criterion (AICc); smaller is better, comparable on the same trials only.
    """

    form: str
    parameters: np.ndarray
    draws: np.ndarray
    variance: tuple[float, float]
    range: tuple[float, float]
    n: int
    criterion: float

    @property
    def curve(self) -> Curve:
        """The form's description."""
        return CURVES[self.form]

    @property
    def mep_max(self) -> float:
        """Plateau above the offset (V)."""
        return float(np.exp(self.parameters[-2]))

    @property
    def offset(self) -> float:
        """Peak-to-peak of the noise (V)."""
        return float(self.parameters[-1])

    def predict(self, intensity: np.ndarray) -> np.ndarray:
        """Mean response at each intensity (V)."""
        return _mean(np.asarray(intensity, dtype=float), self.parameters, self.curve)

    def band(self, intensity: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Pointwise 95 % limits of the mean curve (V)."""
        s = np.asarray(intensity, dtype=float)
        curves = np.exp(self.draws[:, -2:-1]) * self.curve.shape(s[None], self.draws[:, None, :-2])
        low, high = np.percentile(curves + self.draws[:, -1:], [2.5, 97.5], axis=0)
        return low, high

    def derived(self, function: Callable[[np.ndarray], np.ndarray]) -> tuple[float, float, float]:
        """Value and 95 % limits of a function of the parameters (last axis).

        Where the best curve lies in a corner of what the data allow (a step between two levels), the value is the
        median of all that they allow: a value at its own limit is no estimate.
        """
        value = float(function(self.parameters[None])[0])
        low, middle, high = (float(limit) for limit in np.percentile(function(self.draws), [2.5, 50, 97.5]))
        return (value if low <= value <= high else middle), low, high


def fit_recruitment_curve(intensity: np.ndarray, response: np.ndarray, form: str = "boltzmann") -> CurveFit:
    """Fit a recruitment curve to single trials.

    Parameters
    ----------
    intensity : ndarray, shape (n_trials,)
        Stimulus intensity (%MSO).
    response : ndarray, shape (n_trials,)
        Size of the response (V).
    form : {"boltzmann", "rectified_logistic", "log_logistic", "best"}
        ``best`` takes the form with the smallest information criterion.

    Raises
    ------
    ValueError
        For an unknown form, or with fewer distinct intensities than the curve has parameters.

    Examples
    --------
    >>> from excitability.measures.curves import boltzmann
    >>> rng = np.random.default_rng(3)
    >>> s = np.repeat(np.arange(40.0, 81, 5), 8)
    >>> response = boltzmann(s, 3e-3, 58, 4, 2e-5) * rng.lognormal(0, 0.3, s.size)
    >>> fit = fit_recruitment_curve(s, response)
    >>> bool(abs(fit.parameters[0] - 58) < 2)
    True
    """
    if form not in (*CURVES, "best"):
        raise ValueError(unknown_word("form of recruitment curve", form, [*CURVES, "best"]))
    s, y = np.asarray(intensity, dtype=float), np.asarray(response, dtype=float)
    n_levels = np.unique(s).size
    if n_levels < 4 or s.size < 6:
        raise ValueError(f"a recruitment curve needs at least 4 intensities and 6 trials, got {n_levels} and {s.size}")
    fits = {name: fit_parts(s, y, CURVES[name]) for name in (CURVES if form == "best" else [form])}
    form = min(fits, key=lambda name: fits[name][-1])
    at, covariance, phi, rho, criterion = fits[form]
    draws = draw_curves(s, y, at, covariance, CURVES[form], phi, rho)
    return CurveFit(form, at, draws, (phi, phi * rho), (float(s.min()), float(s.max())), s.size, criterion)


def fit_parts(s: np.ndarray, y: np.ndarray, curve: Curve) -> tuple[np.ndarray, np.ndarray, float, float, float]:
    """Parameters, linear covariance, φ, τ²/φ and AICc."""
    smooth = _rising_mean(s, y)
    weights = 1 / np.maximum(smooth, 0.02 * smooth.max()) ** 2
    at = _start(s, y, weights, curve)
    phi, rho = 0.0, 0.0
    for _ in range(4):
        at = _refine(s, y, weights, at, curve)
        phi, rho, weights = scatter_of(s, y, at, curve)
    at = _refine(s, y, weights, at, curve)
    information = _information(s, weights / phi, at, curve)
    scale = np.ones(at.size)
    scale[0], scale[-1] = np.ptp(s), y.max()
    free = np.ones(at.size, dtype=bool)
    free[-1] = at[-1] > 0
    # where the data say nothing (a step between two levels) the uncertainty is that of the tested range
    information += np.diag(1 / (0.7 * scale) ** 2)
    covariance = np.zeros_like(information)
    covariance[np.ix_(free, free)] = np.linalg.inv(information[np.ix_(free, free)])
    variance = phi / weights
    deviance = float(np.sum(np.log(2 * np.pi * variance) + (y - _mean(s, at, curve)) ** 2 / variance))
    n, k = s.size, at.size + 2  # φ and τ are estimated too
    return at, covariance, phi, rho, deviance + 2 * k + 2 * k * (k + 1) / max(n - k - 1, 1)


def _mean(s: np.ndarray, at: np.ndarray, curve: Curve) -> np.ndarray:
    return at[-1] + np.exp(at[-2]) * curve.shape(s, at[:-2])


def _jacobian(s: np.ndarray, at: np.ndarray, curve: Curve) -> np.ndarray:
    height, theta = np.exp(at[-2]), at[:-2]
    u = curve.shape(s, theta)
    jacobian = np.empty((s.size, at.size))
    for i in range(theta.size):
        moved = theta.copy()
        step = 1e-5 * max(abs(theta[i]), 1.0)
        moved[i] += step
        jacobian[:, i] = height * (curve.shape(s, moved) - u) / step
    jacobian[:, -2] = height * u
    jacobian[:, -1] = 1.0
    return jacobian


def _rising_mean(s: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Rising step function through the trials (pool adjacent violators): a first guess of the mean."""
    levels, index = np.unique(s, return_inverse=True)
    total = np.bincount(index, weights=y)
    count = np.bincount(index).astype(float)
    blocks: list[list[float]] = []
    for mass, weight in zip(total, count, strict=True):
        blocks.append([mass, weight, 1])
        while len(blocks) > 1 and blocks[-2][0] * blocks[-1][1] >= blocks[-1][0] * blocks[-2][1]:
            last = blocks.pop()
            blocks[-1] = [a + b for a, b in zip(blocks[-1], last, strict=True)]
    steps = np.concatenate([np.full(int(size), mass / weight) for mass, weight, size in blocks])
    assert steps.size == levels.size
    return np.maximum(steps[index], 1e-12)


def _start(s: np.ndarray, y: np.ndarray, weights: np.ndarray, curve: Curve) -> np.ndarray:
    """Best point of a grid of shapes; plateau and offset follow by weighted least squares."""
    low, high = s.min(), s.max()
    places = np.linspace(low - 0.1 * (high - low), high + 0.3 * (high - low), 28)
    rest = curve.grid(low, high)
    theta = np.concatenate([np.repeat(places, len(rest))[:, None], np.tile(rest, (places.size, 1))], axis=1)
    u = curve.shape(s[None, :], theta[:, None, :])
    su, suu = u @ weights, u**2 @ weights
    suy, sw, sy = u @ (weights * y), weights.sum(), weights @ y
    determinant = suu * sw - su**2
    with np.errstate(divide="ignore", invalid="ignore"):
        height = (suy * sw - su * sy) / determinant
        offset = (suu * sy - su * suy) / determinant
        without = suy / suu  # the offset is no less than zero
    height = np.where(offset < 0, without, height)
    offset = np.maximum(offset, 0.0)
    cost = (weights @ y**2) - 2 * height * suy - 2 * offset * sy + height**2 * suu
    cost = cost + 2 * height * offset * su + offset**2 * sw
    bad = ~np.isfinite(cost) | ~(height > 0) | (height > 5 * y.max())
    best = int(np.argmin(np.where(bad, np.inf, cost)))
    tallest = height[best] if np.isfinite(height[best]) and height[best] > 0 else y.max()
    return np.array([*theta[best], np.log(min(tallest, 5 * y.max())), max(float(np.nan_to_num(offset[best])), 0)])


def _limits(s: np.ndarray, y_max: float, size: int, curve: Curve) -> tuple[np.ndarray, np.ndarray]:
    low, high = np.full(size, -8.0), np.full(size, 8.0)
    reach = s.max() - s.min()
    low[0], high[0] = max(s.min() - 0.5 * reach, 1e-3), s.max() + reach
    low[1], high[1] = curve.rest_limits(float(s.min()), float(s.max()))
    low[-2], high[-2] = np.log(y_max) - 8, np.log(y_max) + np.log(10)
    low[-1], high[-1] = 0.0, y_max
    return low, high


def shrunken_parts(
    s: np.ndarray, y: np.ndarray, start: np.ndarray, curve: Curve, population: Population
) -> tuple[np.ndarray, np.ndarray, float, float, float]:
    """As :func:`fit_parts`, pulled towards a population; the last number is the deviance with what the pull costs."""
    at = start
    for _ in range(3):
        phi, rho, weights = scatter_of(s, y, at, curve)
        at = _refine(s, y, weights, at, curve, population)
    phi, rho, weights = scatter_of(s, y, at, curve)
    information = _information(s, weights / phi, at, curve)
    information += population[1]
    variance = phi / weights
    residual = (y - _mean(s, at, curve)) ** 2
    deviance = float(np.sum(np.log(2 * np.pi * variance) + residual / variance)) + _pull(at, population)
    return at, np.linalg.inv(information), phi, rho, deviance


def _pull(at: np.ndarray, population: Population) -> float:
    away = at - population[0]
    return float(away @ population[1] @ away)


def _refine(
    s: np.ndarray,
    y: np.ndarray,
    weights: np.ndarray,
    at: np.ndarray,
    curve: Curve,
    population: Population | None = None,
) -> np.ndarray:
    """Levenberg–Marquardt within bounds, in units where every parameter is about 1."""
    scale = np.ones(at.size)
    scale[0], scale[-1] = s.max() - s.min(), y.max()
    low, high = _limits(s, y.max(), at.size, curve)
    phi = max(float(np.mean(weights * (y - _mean(s, at, curve)) ** 2)), 1e-12)
    weights = weights / phi
    best, cost, damping = at.copy(), _cost(s, y, weights, at, curve, population), 1e-3
    for _ in range(N_STEPS):
        jacobian = _jacobian(s, best, curve) * scale
        gradient = jacobian.T @ (weights * (y - _mean(s, best, curve)))
        hessian = jacobian.T @ (weights[:, None] * jacobian)
        if curve.prior is not None:
            i = at.size - 3
            gradient[i] -= (best[i] - curve.prior[0]) / curve.prior[1] ** 2
            hessian[i, i] += 1 / curve.prior[1] ** 2
        if population is not None:
            gradient -= scale * (population[1] @ (best - population[0]))
            hessian += population[1] * np.outer(scale, scale)
        hessian += damping * np.diag(np.diag(hessian) + 1e-12)
        move = np.clip(best + scale * np.linalg.solve(hessian, gradient), low, high)
        new = _cost(s, y, weights, move, curve, population)
        if new > cost:
            damping *= 10
            if damping > 1e6:
                break
            continue
        done = cost - new < 1e-7 * (1 + abs(cost))
        best, cost, damping = move, new, damping / 5
        if done:
            break
    return best


def _cost(
    s: np.ndarray, y: np.ndarray, weights: np.ndarray, at: np.ndarray, curve: Curve, population: Population | None
) -> float:
    cost = float(np.sum(weights * (y - _mean(s, at, curve)) ** 2))
    if curve.prior is not None:
        cost += ((at[-3] - curve.prior[0]) / curve.prior[1]) ** 2
    return cost + (_pull(at, population) if population is not None else 0.0)


def scatter_of(s: np.ndarray, y: np.ndarray, at: np.ndarray, curve: Curve) -> tuple[float, float, np.ndarray]:
    """φ, τ²/φ and the weights ``1 / (f² + τ²/φ)`` by pseudo-likelihood of the residuals."""
    f = _mean(s, at, curve) - at[-1]
    squared = (y - _mean(s, at, curve)) ** 2
    top = float(f.max())
    rho = (np.geomspace(1e-3, 0.7, 24) * top) ** 2
    variance = f[None, :] ** 2 + rho[:, None]
    phi = np.mean(squared / variance, axis=1)
    cost = s.size * np.log(np.maximum(phi, 1e-8)) + np.log(variance).sum(axis=1)
    best = int(np.argmin(cost))
    plain = max(float(phi[best] * s.size / max(s.size - at.size, 1)), 1e-8)  # noise-free examples
    return _guarded(plain, s, y, f, at[-1], rho[best]), float(rho[best]), 1 / variance[best]


def _guarded(plain: float, s: np.ndarray, y: np.ndarray, f: np.ndarray, offset: float, rho: float) -> float:
    """φ of skewed trials is underestimated when large trials are missing: see ``_tables.relative_variance``."""
    high = (f > 3 * np.sqrt(rho)) & (y > 0)
    if high.sum() < 8:
        return plain
    logs = np.log(y[high] / (f[high] + offset))
    log_normal = float(np.expm1(min(np.var(logs, ddof=1), 5.0))) * s.size / max(s.size - 4, 1)
    return float(np.clip(log_normal, plain, 1.25 * plain))


def _information(s: np.ndarray, weights: np.ndarray, at: np.ndarray, curve: Curve) -> np.ndarray:
    jacobian = _jacobian(s, at, curve)
    if at[-1] <= 0:
        jacobian[:, -1] = 0.0
    information = jacobian.T @ (weights[:, None] * jacobian)
    if curve.prior is not None:
        information[-3, -3] += 1 / curve.prior[1] ** 2
    return information
