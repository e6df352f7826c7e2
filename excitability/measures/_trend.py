"""How far the mean of the responses of a site lies above their typical size, depending on the latter.

At the border of a map responses are small, often missing and now and then large; over its middle they are alike. The
mean of the former lies farther above their geometric mean. Taken for constant, area and spread come out too small.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

#: How far the logarithm of a ratio is thought to change per standard deviation of the level, and with its square.
_PRIOR = np.array([np.inf, 1.0, 0.5])


@dataclass(frozen=True)
class Trend:
    """Quadratic in the level of the responses, as a factor: ``exp(b z + c z²)`` up to a constant.

    Attributes
    ----------
    middle, spread, low, high : float
        Mean and standard deviation of the level over trials, and its range, beyond which the trend stays level.
    slopes : ndarray, shape (2,)
    covariance : ndarray, shape (2, 2)
    """

    middle: float
    spread: float
    low: float
    high: float
    slopes: np.ndarray
    covariance: np.ndarray

    def logarithm(self, level: np.ndarray, slopes: np.ndarray | None = None) -> np.ndarray:
        """Logarithm of the factor at levels (…, n), for the likeliest slopes or for each row its own (…, 2)."""
        z = (np.clip(level, self.low, self.high) - self.middle) / self.spread
        slopes = self.shrunk() if slopes is None else slopes
        return np.asarray(slopes[..., :1] * z + slopes[..., 1:] * z**2)

    def shrunk(self) -> np.ndarray:
        """Slopes less what chance makes of them (James-Stein): their errors would raise the top of a map."""
        squared = float(self.slopes @ np.linalg.pinv(self.covariance) @ self.slopes)
        return np.asarray(self.slopes * max(1 - self.slopes.size / squared, 0.0) if squared > 0 else self.slopes)

    def drawn(self, rng: np.random.Generator, count: int) -> np.ndarray:
        """Slopes that could be, shape (count, 2)."""
        values, vectors = np.linalg.eigh(self.covariance)
        return self.slopes + rng.standard_normal((count, 2)) * np.sqrt(np.maximum(values, 0)) @ vectors.T


def fit_trend(level: np.ndarray, ratio: np.ndarray, scale: tuple[float, float] | None = None) -> Trend:
    """Trend of the mean of positive ratios over the level: gamma regression with a prior.

    Its covariance is the sandwich with residuals as if each had been left out (HC3): ratios are skewed, and few.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> level = rng.standard_normal(4000)
    >>> bool(abs(fit_trend(level, np.exp(0.8 * level) * rng.gamma(1.0, 1.0, 4000)).slopes - [0.8, 0.0]).max() < 0.1)
    True
    """
    middle, spread = scale or (float(level.mean()), float(level.std()) or 1.0)
    z = (level - middle) / spread
    design = np.stack([np.ones_like(z), z, z**2], axis=1)
    prior = np.diag(1 / _PRIOR**2)
    floor = 1e-12 * float(ratio.max()) + 1e-300
    slopes = np.array([np.log(max(float(ratio.mean()), floor)), 0.0, 0.0])
    for _ in range(30):
        rest = np.maximum(ratio, floor) / np.exp(design @ slopes) - 1
        dispersion = float(np.clip(np.mean(rest**2), 1e-3, 4.0))
        fisher = design.T @ design + dispersion * prior
        step = np.linalg.solve(fisher, design.T @ rest - dispersion * prior @ slopes)
        step = step / max(1.0, float(np.abs(step).max()))
        slopes = slopes + step
        if np.abs(step).max() < 1e-4:
            break
    rest = ratio / np.exp(design @ slopes) - 1
    inverse = np.linalg.inv(fisher)
    leverage = np.minimum(np.einsum("ij,jk,ik->i", design, inverse, design), 0.9)
    inner = (design.T * (rest / (1 - leverage)) ** 2) @ design + dispersion**2 * prior
    covariance = inverse @ inner @ inverse
    return Trend(middle, spread, float(level.min()), float(level.max()), slopes[1:], covariance[1:, 1:])


def between(one: Trend, other: Trend) -> Trend:
    """Trend halfway between two of the same scale, as uncertain as either and their difference."""
    apart = (one.slopes - other.slopes) / 2
    covariance = (one.covariance + other.covariance) / 2 + np.outer(apart, apart)
    return Trend(one.middle, one.spread, one.low, one.high, (one.slopes + other.slopes) / 2, covariance)
