"""How trials scatter: several constructions of sizes with a mean of 1 and a given coefficient of variation.

No measure was fitted to any of them in particular. Levels that have no formula come from a million draws.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np

Scatter = Callable[[np.random.Generator, int, float], np.ndarray]


def log_normal(rng: np.random.Generator, n: int, cv: float) -> np.ndarray:
    """Multiplicative noise."""
    s = np.sqrt(np.log1p(cv**2))
    return rng.lognormal(-s * s / 2, s, n)


def gamma(rng: np.random.Generator, n: int, cv: float) -> np.ndarray:
    """Skewed to the right with a longer tail towards zero."""
    return rng.gamma(cv**-2, cv**2, n)


def two_source(rng: np.random.Generator, n: int, cv: float) -> np.ndarray:
    """Noise before and after a saturating curve (Goetz and others 2014), skewed to the left below saturation."""
    drive = 1.1 + 0.9 * cv * rng.standard_normal(n)
    return (0.01 + 1 / (1 + np.exp(-3 * (drive - 1)))) * rng.lognormal(0, 0.5 * cv, n)


def contaminated(rng: np.random.Generator, n: int, cv: float) -> np.ndarray:
    """One trial in ten hardly responds, one in twenty is twice as large."""
    kind = rng.random(n)
    size = log_normal(rng, n, 0.7 * cv)
    return np.where(kind < 0.1, 0.2 * size, np.where(kind > 0.95, 2.0 * size, size))


def correlated(rng: np.random.Generator, n: int, cv: float) -> np.ndarray:
    """Log-normal, each trial like the one before: the correlation of neighbours is 0.3 (of logarithms)."""
    noise = rng.standard_normal(n)
    for i in range(1, n):
        noise[i] = 0.3 * noise[i - 1] + np.sqrt(1 - 0.09) * noise[i]
    s = np.sqrt(np.log1p(cv**2))
    return np.exp(s * noise - s * s / 2)


SCATTERS: dict[str, Scatter] = {
    "log-normal": log_normal,
    "gamma": gamma,
    "two-source": two_source,
    "contaminated": contaminated,
    "correlated": correlated,
}
#: Each trial tells nothing about the next: what every interval here takes for granted.
INDEPENDENT = ("log-normal", "gamma", "two-source", "contaminated")


@functools.cache
def levels(scatter: str, cv: float) -> dict[str, float]:
    """Mean, median, geometric mean, and standard deviation of the logarithm, of one construction."""
    rng = np.random.default_rng(20)
    kind = "log-normal" if scatter == "correlated" else scatter  # the same sizes in another order
    size = SCATTERS[kind](rng, 1_000_000, cv)
    mean = 1.0 if scatter in ("log-normal", "correlated", "gamma") else float(size.mean())
    logs = np.log(size)
    return {
        "mean": mean,
        "median": float(np.median(size)),
        "geometric_mean": float(np.exp(logs.mean())),
        "log_sd": float(logs.std()),
    }


def sizes(rng: np.random.Generator, scatter: str, n: int, mean: float, cv: float) -> np.ndarray:
    """``n`` positive sizes around ``mean`` (of the construction's own mean)."""
    return mean * SCATTERS[scatter](rng, n, cv) / levels(scatter, cv)["mean"]


def level(scatter: str, cv: float, statistic: str) -> float:
    """Level of sizes whose mean is 1."""
    known = levels(scatter, cv)
    return known[statistic] / known["mean"]


def symmetric(rng: np.random.Generator, n: int, sd: float, kind: str) -> np.ndarray:
    """Errors around zero: normal, skewed (a shifted gamma distribution), or heavy-tailed (Student, 4)."""
    if kind == "skewed":
        return sd * (rng.gamma(2.0, 1.0, n) - 2.0) / np.sqrt(2)
    if kind == "heavy tails":
        return sd * rng.standard_t(4, n) / np.sqrt(2)
    return sd * rng.standard_normal(n)


#: Median of the shifted gamma distribution above.
MEDIAN_OF = {"normal": 0.0, "heavy tails": 0.0, "skewed": (1.6783469900166605 - 2.0) / np.sqrt(2)}
