"""Recruitment curves as functions of intensity: Boltzmann, rectified logistic, log-logistic.

Every form is ``offset + mep_max · u(s)``, where ``u`` rises from 0 to 1 and holds the two or three parameters
that are not linear. :class:`Curve` describes ``u`` once, for fitting, for derived quantities and for plots.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import expit

Shape = Callable[[np.ndarray, np.ndarray], np.ndarray]
Derived = Callable[[np.ndarray], np.ndarray]


def boltzmann(intensity: np.ndarray, mep_max: float, s50: float, k: float, offset: float = 0.0) -> np.ndarray:
    """Boltzmann curve ``offset + mep_max / (1 + exp((s50 − s) / k))`` (Devanne et al. 1997).

    Parameters
    ----------
    intensity : ndarray
        Stimulus intensity (%MSO).
    mep_max : float
        Plateau above the offset (V).
    s50 : float
        Intensity of the half-maximal response (%MSO).
    k : float
        Width (%MSO); a larger k is a shallower curve. The peak slope is ``mep_max / (4 k)`` and its tangent
        meets the offset at ``s50 − 2 k``.
    offset : float
        Peak-to-peak of the noise (V).

    Examples
    --------
    >>> boltzmann(np.array([40.0, 60.0, 80.0]), mep_max=4e-3, s50=60, k=6).round(6)
    array([0.000138, 0.002   , 0.003862])
    """
    return offset + mep_max * expit((np.asarray(intensity, dtype=float) - s50) / k)


def rectified_logistic(
    intensity: np.ndarray,
    threshold: float,
    growth: float,
    mep_max: float,
    curvature: float,
    offset: float = 0.0,
) -> np.ndarray:
    """Rectified logistic ``g + max(0, −v + (h + v) · σ(b (s − a) − ln h + ln v))`` (Tyagi et al. 2024).

    Parameters
    ----------
    intensity : ndarray
        Stimulus intensity (%MSO).
    threshold : float
        a: where the curve leaves the offset (%MSO).
    growth : float
        b: growth rate (1/%MSO).
    mep_max : float
        h: plateau above the offset (V).
    curvature : float
        v: how sharply the curve leaves the offset (V).
    offset : float
        g: peak-to-peak of the noise (V).

    Examples
    --------
    >>> rectified_logistic(np.array([40.0, 50.0, 80.0]), 45, 0.2, 3e-3, 3e-4, 2e-5).round(6)
    array([2.00e-05, 4.25e-04, 2.99e-03])
    """
    theta = np.array([threshold, np.log(growth), np.log(curvature / mep_max)])
    return offset + mep_max * _rectified(np.asarray(intensity, dtype=float), theta)


def log_logistic(intensity: np.ndarray, mep_max: float, s50: float, exponent: float, offset: float = 0.0) -> np.ndarray:
    """Log-logistic (Hill) curve ``offset + mep_max / (1 + (s50 / s)^exponent)``, zero without stimulus.

    With exponent n it is steepest below its middle, at ``s50 ((n − 1) / (n + 1))^(1/n)``, where its slope is up to a
    third larger than at S50; the tangent there meets the offset at ``(n − 1) / (n + 1)`` of that intensity.

    Examples
    --------
    >>> log_logistic(np.array([30.0, 60.0]), mep_max=4e-3, s50=60, exponent=8).round(6)
    array([1.6e-05, 2.0e-03])
    """
    theta = np.array([s50, np.log(exponent)])
    return offset + mep_max * _hill(np.asarray(intensity, dtype=float), theta)


def _sigmoid(s: np.ndarray, theta: np.ndarray) -> np.ndarray:
    return expit((s - theta[..., 0]) / np.exp(theta[..., 1]))


def _rectified(s: np.ndarray, theta: np.ndarray) -> np.ndarray:
    ratio = np.exp(theta[..., 2])
    return np.maximum(0.0, -ratio + (1 + ratio) * expit(np.exp(theta[..., 1]) * (s - theta[..., 0]) + theta[..., 2]))


def _hill(s: np.ndarray, theta: np.ndarray) -> np.ndarray:
    logs = np.log(np.maximum(s, 1e-6)) - np.log(np.maximum(theta[..., 0], 1e-6))
    return expit(np.exp(theta[..., 1]) * logs)


def _rectified_s50(theta: np.ndarray) -> np.ndarray:
    ratio = np.exp(theta[..., 2])
    return theta[..., 0] + (np.log1p(2 * ratio) - theta[..., 2]) / np.exp(theta[..., 1])


def _rectified_slope(theta: np.ndarray) -> np.ndarray:
    ratio = np.exp(theta[..., 2])
    at = np.maximum(0.5, ratio / (1 + ratio))  # the steepest point, or the threshold where that lies above it
    return (1 + ratio) * np.exp(theta[..., 1]) * at * (1 - at)


def _hill_middle(theta: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Exponent n, ``(s / s50)^n`` at the steepest point, and that point; S50 itself where n is 1 or less."""
    n = np.exp(theta[..., 1])
    power = np.where(n > 1, (n - 1) / (n + 1), 1.0)
    return n, power, theta[..., 0] * power ** (1 / n)


def _hill_slope(theta: np.ndarray) -> np.ndarray:
    n, power, at = _hill_middle(theta)
    return n / at * power / (1 + power) ** 2


def _hill_threshold(theta: np.ndarray) -> np.ndarray:
    n, power, at = _hill_middle(theta)
    return at * (1 - (1 + power) / n)  # where the tangent at the steepest point meets the offset


@dataclass(frozen=True)
class Curve:
    """A form of recruitment curve: its shape ``u(s, theta)`` and what follows from theta.

    ``theta[..., 0]`` is a place (%MSO), the rest are logarithms of widths or rates. ``grid`` gives starting values
    of the rest, relative to the tested range.
    """

    shape: Shape
    n_shape: int
    s50: Derived
    threshold: Derived
    slope: Derived
    grid: Callable[[float, float], np.ndarray]
    #: +1 where theta[..., 1] is the log of a width, −1 where it is the log of a rate.
    width_sign: float = 1.0
    #: Mean and SD of a weak prior on the last element of theta, which data alone rarely determine.
    prior: tuple[float, float] | None = None

    def rest_limits(self, low: float, high: float) -> tuple[float, float]:
        """Range of ``theta[..., 1]`` that could be told from intensities between low and high."""
        grid = self.grid(low, high)[:, 0]
        return float(grid.min()) - 1.0, float(grid.max()) + 1.0


def _widths(low: float, high: float) -> np.ndarray:
    return np.log(np.geomspace((high - low) / 60, (high - low) / 1.5, 10))[:, None]


def _rates(low: float, high: float) -> np.ndarray:
    rates = -_widths(low, high)[:, 0]
    ratios = np.log([0.03, 0.15, 0.7])
    return np.stack([axis.ravel() for axis in np.meshgrid(rates, ratios)], axis=1)


def _exponents(low: float, high: float) -> np.ndarray:
    return np.log(np.geomspace(2, 60, 10))[:, None]


CURVES = {
    "boltzmann": Curve(
        _sigmoid,
        2,
        s50=lambda theta: theta[..., 0],
        threshold=lambda theta: theta[..., 0] - 2 * np.exp(theta[..., 1]),
        slope=lambda theta: np.exp(-theta[..., 1]) / 4,
        grid=_widths,
    ),
    "rectified_logistic": Curve(
        _rectified,
        3,
        s50=_rectified_s50,
        threshold=lambda theta: theta[..., 0],
        slope=_rectified_slope,
        grid=_rates,
        width_sign=-1.0,
        prior=(float(np.log(0.15)), 1.2),
    ),
    "log_logistic": Curve(
        _hill,
        2,
        s50=lambda theta: theta[..., 0],
        threshold=_hill_threshold,
        slope=_hill_slope,
        grid=_exponents,
        width_sign=-1.0,
    ),
}
