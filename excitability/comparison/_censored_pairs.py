"""Likelihood of pairs of correlated normal numbers of which some are only known to lie above a limit."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import special


@dataclass(frozen=True)
class Shape:
    """Spread of a pair: SD of the first, slope of the second on it, and SD left; logarithms of the SDs are searched."""

    sd: float
    slope: float
    left: float

    @property
    def total(self) -> float:
        """SD of the second."""
        return math.hypot(self.slope * self.sd, self.left)

    @property
    def correlation(self) -> float:
        """Of the two."""
        return self.slope * self.sd / self.total


# In every function below the first array is the log likelihood of each pair, the second its derivatives (5, n) in
# the first number, the second number, log sd, slope and log left.


def _both_known(one: np.ndarray, two: np.ndarray, shape: Shape) -> tuple[np.ndarray, np.ndarray]:
    e, f = one / shape.sd, (two - shape.slope * one) / shape.left
    found = -0.5 * (e**2 + f**2) - math.log(shape.sd * shape.left) - math.log(2 * math.pi)
    turned = f / shape.left
    return found, np.array([-e / shape.sd + shape.slope * turned, -turned, e**2 - 1, one * turned, f**2 - 1])


def _second_above(one: np.ndarray, two: np.ndarray, shape: Shape) -> tuple[np.ndarray, np.ndarray]:
    e, f = one / shape.sd, (two - shape.slope * one) / shape.left
    found = -0.5 * e**2 - math.log(shape.sd) + _HALF_LOG_TWO_PI + special.log_ndtr(-f)
    hazard = _hazard(f)
    turned = hazard / shape.left
    return found, np.array([-e / shape.sd + shape.slope * turned, -turned, e**2 - 1, one * turned, hazard * f])


def _first_above(one: np.ndarray, two: np.ndarray, shape: Shape) -> tuple[np.ndarray, np.ndarray]:
    total, rho = shape.total, shape.correlation
    back, rest = shape.slope * (shape.sd / total) ** 2, shape.sd * shape.left / total
    e, f = two / total, (one - back * two) / rest
    found = -0.5 * e**2 - math.log(total) + _HALF_LOG_TWO_PI + special.log_ndtr(-f)
    hazard, per_slope = _hazard(f), shape.sd * rho / total
    # derivatives of log total, back and log rest in log sd, slope, log left
    of_total = (rho**2, per_slope, 1 - rho**2)
    of_back = (2 * back * (1 - rho**2), (shape.sd / total) ** 2 - 2 * back * per_slope, -2 * back * (1 - rho**2))
    of_rest = (1 - rho**2, -per_slope, rho**2)
    shapes = [
        (e**2 - 1) * t + hazard * (two * b / rest + f * r) for t, b, r in zip(of_total, of_back, of_rest, strict=True)
    ]
    return found, np.array([-hazard / rest, -e / total + hazard * back / rest, *shapes])


def _both_above(one: np.ndarray, two: np.ndarray, shape: Shape) -> tuple[np.ndarray, np.ndarray]:
    total, rho = shape.total, shape.correlation
    h, k, root = -one / shape.sd, -two / total, math.sqrt(max(1 - shape.correlation**2, 1e-14))
    h, k = np.where(h == 0, 1e-12, h), np.where(k == 0, 1e-12, k)
    # Owen's T gives the probability that both lie below
    found = 0.5 * (special.ndtr(h) + special.ndtr(k)) - np.where(h * k < 0, 0.5, 0.0)
    found -= special.owens_t(h, (k / h - rho) / root) + special.owens_t(k, (h / k - rho) / root)
    found = np.maximum(found, 1e-300)
    of_h = _density(h) * special.ndtr((k - rho * h) / root) / found
    of_k = _density(k) * special.ndtr((h - rho * k) / root) / found
    of_rho = np.exp(-(h**2 - 2 * rho * h * k + k**2) / (2 * root**2)) / (2 * math.pi * root) / found
    per_slope = shape.sd / total
    shapes = [
        -of_h * h - of_k * k * rho**2 + of_rho * rho * (1 - rho**2),
        -of_k * k * per_slope * rho + of_rho * per_slope * (1 - rho**2),
        -of_k * k * (1 - rho**2) - of_rho * rho * (1 - rho**2),
    ]
    return np.log(found), np.array([-of_h / shape.sd, -of_k / total, *shapes])


_HALF_LOG_TWO_PI = -0.5 * math.log(2 * math.pi)
_KINDS = (((False, False), _both_known), ((False, True), _second_above),
          ((True, False), _first_above), ((True, True), _both_above))  # fmt: skip


def _density(x: np.ndarray) -> np.ndarray:
    return np.exp(-0.5 * x**2 + _HALF_LOG_TWO_PI)


def _hazard(x: np.ndarray) -> np.ndarray:
    """Density over the probability beyond."""
    return np.exp(-0.5 * x**2 + _HALF_LOG_TWO_PI - special.log_ndtr(-x))


def log_likelihood(
    z: np.ndarray, censored: np.ndarray, mean: float, change: float, shape: Shape
) -> tuple[float, np.ndarray]:
    """Log likelihood of all pairs, and its derivatives in the mean, log sd, slope, log left and the change.

    Parameters
    ----------
    z, censored : ndarray, shape (n, 2)
        Numbers or limits; True where the number lies above.
    """
    one, two = z[:, 0] - mean, z[:, 1] - mean - change
    total, derivatives = 0.0, np.zeros(5)
    for kind, function in _KINDS:
        here = (censored == kind).all(axis=1)
        if here.any():
            found, part = function(one[here], two[here], shape)
            total += float(found.sum())
            derivatives += part.sum(axis=1)
    first, second = derivatives[:2]
    return total, np.array([-first - second, *derivatives[2:], -second])
