"""Motor threshold from any sequence of (intensity, response): the methods laboratories use, on counts a level.

Responses follow ``P(s) = Φ((s − θ) / (κ θ))`` (Awiszus 2003): θ is the threshold, κ the relative spread, about 0.07.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.special import ndtr, stdtrit

from ..schema import STIMULUS_COLUMNS, Estimate, join_flags
from ._tables import NOISE_RANGE, intensities, is_kept, nothing, numbers, responded, single_pulses

SPREAD = 0.07
#: Chance of a response (or a miss) that has nothing to do with the intensity; keeps one odd trial from ruling.
LAPSE = 0.01
#: Gives exp(−ln2·exp(−c·z)) the slope of the normal distribution at z = 0.
_SAME_SLOPE = 2 / np.log(2) / np.sqrt(2 * np.pi)
#: Mean chance, worth a flag, that a response of criterion size is none, among those up to some intensity: single motor
#: units that fire by themselves pass the clinical criterion too, and the weakest stimuli decide about the threshold.
DOUBTFUL = 0.25
_LEAST_DOUBTED = 5  # responses
_LEAST_ERROR = 0.01  # decades by which responses of one intensity differ at least
_STEP = 1.0  # %MSO, of most stimulators
METHODS = ("relative_frequency", "mills_nithi", "mlpest", "bayesian", "stochastic_approximation", "regression")
#: First gain of stochastic approximation (%MSO): steps of 10 until the response first changes.
GAIN = 20.0


def response_probability(intensity: np.ndarray, threshold: float, spread: float = SPREAD) -> np.ndarray:
    """Probability of a response at an intensity (Awiszus 2003).

    Examples
    --------
    >>> response_probability(np.array([45.0, 50.0, 53.5]), 50).round(4)
    array([0.0766, 0.5   , 0.8413])
    """
    return ndtr((np.asarray(intensity, dtype=float) - threshold) / (spread * threshold))


def thresholds(table: pd.DataFrame, name: str, of: str, by: str, criterion: float) -> dict[str, Estimate]:
    """Every threshold of one channel; the entry ``name`` is the preferred one, the Bayesian estimate."""
    table = single_pulses(table)
    kept = is_kept(table)
    n_rejected = int((~kept).sum())
    s, size = intensities(table, by), numbers(table, of)
    seen = responded(table, of)
    known = kept & np.isfinite(s) & np.isfinite(size)
    response = size >= criterion
    noise = ""
    if "background_emg" in table and known.any():
        floor = NOISE_RANGE * float(np.median(numbers(table, "background_emg")[known]))
        noise = "criterion_below_noise" if of == "mep_amplitude" and floor > criterion else ""
    if seen is not None and (response & known).any():
        if noise:  # noise alone reaches the criterion: only what stands out of it is a response
            response &= seen != 0  # NaN: cannot tell
        elif _doubt(table, s, seen, response & known) > DOUBTFUL:
            noise = "some_responses_doubtful"
    s, size, response = s[known], size[known], response[known]
    found = _all(s, size, response, criterion) if s.size else {m: nothing("no_trials") for m in METHODS}
    found = {method: beyond_what_was_tested(value, by) for method, value in found.items()}
    found = {
        method: Estimate(value, value.ci_low, value.ci_high, s.size, join_flags(value.flag, noise), n_rejected)
        for method, value in found.items()
    }
    return {name: found["bayesian"], **{f"{name}_{method}": value for method, value in found.items()}}


def _doubt(table: pd.DataFrame, s: np.ndarray, seen: np.ndarray, response: np.ndarray) -> float:
    """Largest mean chance that the responses counted up to some intensity are none, at least five of them."""
    chance = 1.0 - numbers(table, "mep_probability") if "mep_probability" in table else 1.0 - seen
    s, chance = s[response], chance[response]
    known = np.isfinite(chance)
    order = np.argsort(s[known])
    s, chance = s[known][order], chance[known][order]
    if not s.size:
        return 0.0
    until = np.searchsorted(s, np.unique(s), side="right")  # trials of one intensity are judged together
    until = until[until >= min(_LEAST_DOUBTED, s.size)]
    return float(np.max(np.cumsum(chance)[until - 1] / until))


def _all(s: np.ndarray, size: np.ndarray, response: np.ndarray, criterion: float) -> dict[str, Estimate]:
    levels, index = np.unique(np.round(s, 1), return_inverse=True)
    count = np.bincount(index)
    yes = np.bincount(index, weights=response)
    return {
        "relative_frequency": relative_frequency(levels, count, yes),
        "mills_nithi": mills_nithi(levels, count, yes),
        "mlpest": maximum_likelihood(levels, count, yes),
        "bayesian": bayesian(levels, count, yes),
        "stochastic_approximation": stochastic_approximation(s, response),
        "regression": intensity_by_regression(s, size, criterion),
    }


def relative_frequency(levels: np.ndarray, count: np.ndarray, yes: np.ndarray, fewest: int = 5) -> Estimate:
    """Lowest level with responses in at least half of the trials, as at every higher level (Rossini–Rothwell).

    Where that is the lowest level tested, the threshold lies below it, unless exactly half responded there.
    The interval lies between the nearest levels whose share of responses differs from a half (exact binomial
    limits); levels with fewer than ``fewest`` trials are not judged.
    """
    from scipy.stats import beta

    judged = count >= fewest
    levels, count, yes = levels[judged], count[judged], yes[judged]
    if levels.size == 0:
        return nothing("few_trials_per_level")
    above = yes / count >= 0.5
    first = levels.size - int(np.argmin(above[::-1])) if not above.all() else 0
    if first == levels.size:
        return _beyond(levels)
    if first == 0 and yes[0] > count[0] / 2:
        return Estimate(np.nan, ci_high=levels[0], flag="below_tested_range")
    upper = beta.ppf(0.975, yes + 1, np.maximum(count - yes, 1e-9))
    lower = beta.ppf(0.025, np.maximum(yes, 1e-9), count - yes + 1)
    below = levels[(np.arange(levels.size) < first) & (upper < 0.5)]
    over = levels[(np.arange(levels.size) >= first) & (lower > 0.5)]
    return Estimate(levels[first], below.max() if below.size else np.nan, over.min() if over.size else np.nan)


def mills_nithi(levels: np.ndarray, count: np.ndarray, yes: np.ndarray, fewest: int = 5) -> Estimate:
    """Middle between the highest level without and the lowest level with responses only (Mills & Nithi 1997).

    Where one of the two was not reached, the middle lies beyond that of the other and the outermost level tested.
    """
    judged = count >= fewest
    levels, count, yes = levels[judged], count[judged], yes[judged]
    if levels.size == 0:
        return nothing("few_trials_per_level")
    always, never = levels[yes == count], levels[yes == 0]
    if not yes.any():
        return _beyond(levels)
    if (yes == count).all():
        return Estimate(np.nan, ci_high=levels[0], flag="below_tested_range")
    if always.size == 0:
        low = (never.max() + levels[-1]) / 2 if never.size else np.nan
        return Estimate(np.nan, ci_low=low, flag="no_level_with_responses_only")
    if never.size == 0:
        return Estimate(np.nan, ci_high=(always.min() + levels[0]) / 2, flag="no_level_without_responses")
    upper, lower = always.min(), never.max()
    if upper < lower:
        return nothing("inconsistent_responses")
    return Estimate((upper + lower) / 2, lower, upper)


def beyond_what_was_tested(value: Estimate, by: str) -> Estimate:
    """The stimulator ends at 100 %MSO only: in percent of a threshold, or in another unit, 100 is no ceiling."""
    if value.flag != "ceiling" or (by in STIMULUS_COLUMNS and STIMULUS_COLUMNS[by].unit == "%MSO"):
        return value
    return Estimate(value, value.ci_low, value.ci_high, value.n, "above_tested_range", value.n_rejected)


def _beyond(levels: np.ndarray) -> Estimate:
    """No threshold up to the highest level: right-censored there, never a number."""
    return Estimate(np.nan, ci_low=levels.max(), flag="ceiling" if levels.max() >= 100 else "above_tested_range")


def _inside(value: float, low: float, high: float, levels: np.ndarray) -> Estimate:
    """An estimate that lies in the range tested, or less than the step of a stimulator beyond it."""
    if value > levels.max() + (_STEP if levels.max() < 100 else 0):
        censored = _beyond(levels)
        return Estimate(np.nan, ci_low=low, flag=censored.flag)
    if value < levels.min() - _STEP:
        return Estimate(np.nan, ci_high=high, flag="below_tested_range")
    return Estimate(value, low, high)


def maximum_likelihood(levels: np.ndarray, count: np.ndarray, yes: np.ndarray) -> Estimate:
    """Maximum-likelihood threshold with κ = 0.07 (Awiszus 2003), with the interval of a spread that is not known.

    As in adaptive PEST, two virtual trials (none at 0, a response at 100 %MSO) keep the maximum in range. Unlike there,
    1 % of the trials are a response and 1 % a miss whatever the intensity, so that one odd trial does not rule, and the
    maximum is that of a grid of 0.1 over 1–130 %MSO. Where the
    likelihood of κ = 0.07 has fallen by 1.92 is no interval of a person whose spread is 0.10: it covers 82–89 %, and
    its profile over the spread 86–93 %. The interval is that of :func:`bayesian`.
    """
    value = likelihood_limits(levels, count, yes)[0]
    _, low, high = posterior_limits(levels, count, yes)
    return _inside(value, min(low, value), max(high, value), levels)


def likelihood_limits(levels: np.ndarray, count: np.ndarray, yes: np.ndarray) -> tuple[float, float, float]:
    """Maximum of the likelihood of a threshold with κ = 0.07, and where it has fallen by 1.92.

    The limits hold for people of that spread only; the live search ends by them.
    """
    grid = np.arange(1.0, 130.05, 0.1)
    chance = ndtr((levels - grid[:, None]) / (SPREAD * grid[:, None]))
    likelihood = _log_likelihood(chance, count, yes) + np.log(np.maximum(ndtr((100 - grid) / (SPREAD * grid)), 1e-12))
    inside = grid[likelihood >= likelihood.max() - 1.92]
    best = grid[likelihood >= likelihood.max() - 1e-9]
    return float(best.mean()), float(inside[0]), float(inside[-1])


def bayesian(levels: np.ndarray, count: np.ndarray, yes: np.ndarray) -> Estimate:
    """Posterior median of the threshold with its 95 % credible interval, the spread and shape being unknown.

    The prior is flat over 1–150 %MSO for θ, and log-normal around 0.07 (factor 1.8 a standard deviation) for κ. Three
    shapes of the same θ and slope at θ are averaged: the symmetric one above, one that approaches certainty slowly, and
    its mirror image, half as likely beforehand. That weight was chosen after looking at five real recordings (those of
    ``tests/test_real.py``), where responses fail above the threshold more often than they appear below it; equal
    weights move their estimates by at most 0.1 %MSO.
    """
    return _inside(*posterior_limits(levels, count, yes), levels)


def posterior_limits(levels: np.ndarray, count: np.ndarray, yes: np.ndarray) -> tuple[float, float, float]:
    """Median and 95 % limits of the posterior of a threshold whose spread and shape are unknown."""
    coarse = np.arange(1.0, 151.0)
    near = coarse[(rough := _posterior(coarse, levels, count, yes)) > 1e-7 * rough.max()]
    grid = np.arange(max(near[0] - 2, 1.0), min(near[-1] + 2, 150.0) + 0.05, 0.2)
    posterior = _posterior(grid, levels, count, yes)
    cumulative = np.cumsum(posterior) - posterior / 2
    low, middle, high = np.interp(np.array([0.025, 0.5, 0.975]) * posterior.sum(), cumulative, grid)
    return float(middle), float(low), float(high)


def _posterior(grid: np.ndarray, levels: np.ndarray, count: np.ndarray, yes: np.ndarray) -> np.ndarray:
    """Posterior of thresholds, summed over spreads and shapes; not normalised."""
    steps = np.linspace(-2.5, 2.5, 15)
    spread = SPREAD * np.exp(np.log(1.8) * steps)
    z = (levels - grid[:, None, None]) / (spread[None, :, None] * grid[:, None, None])
    ahead = np.log(2) * np.exp(np.clip(_SAME_SLOPE * z, -50, 50))
    shapes = {
        "symmetric": (ndtr(z), 1.0),
        "slow": (np.exp(-(np.log(2) ** 2) / ahead), 1.0),
        "mirror": (-np.expm1(-ahead), 0.5),
    }
    log_posterior = np.stack(
        [_log_likelihood(shape, count, yes) - steps**2 / 2 + np.log(prior) for shape, prior in shapes.values()]
    )
    return np.exp(log_posterior - log_posterior.max()).sum(axis=(0, 2))


def stochastic_steps(intensity: np.ndarray, response: np.ndarray) -> tuple[np.ndarray, int]:
    """Where stochastic approximation goes after each response, and the number of steps that were shortened.

    ``s ← s − a_k (y − ½)`` (Robbins & Monro 1951): the gain ``a_k`` stays ``GAIN`` until the response first changes and
    is ``GAIN / k`` from there on. What is delivered is rounded; each step starts where the last one ended, unless
    another intensity was delivered.
    """
    place = np.empty(len(response))
    k, at = 1, float(intensity[0])
    for i, (delivered, y) in enumerate(zip(intensity, response, strict=True)):
        at = at if abs(at - delivered) <= 1 else float(delivered)
        k += k > 1 or (i > 0 and y != response[i - 1])
        at -= GAIN / k * (float(y) - 0.5)
        place[i] = at
    return place, k - 1


def stochastic_approximation(intensity: np.ndarray, response: np.ndarray) -> Estimate:
    """Where stochastic approximation ends, for trials that it led; the interval is that of its limit distribution.

    Around its limit the variance is ``(a/2)² / (2 a β − 1) / k`` after k shortened steps, β being the slope of the
    response probability at the threshold (κ = 0.08, a little shallower than usual).
    """
    intensity, response = np.asarray(intensity, dtype=float), np.asarray(response, dtype=bool)
    place, k = stochastic_steps(intensity, response)
    followed = np.abs(np.clip(place[:-1], 0, 100) - intensity[1:]) <= 1
    if response.size < 6 or not followed.all():
        return nothing("not_led_by_stochastic_approximation")
    value = float(place[-1])
    if k == 0:
        return nothing("below_tested_range" if response[-1] else "ceiling" if value >= 100 else "above_tested_range")
    reach = stochastic_reach(value, k)
    return _inside(value, value - reach, value + reach, intensity)


def stochastic_reach(value: float, k: int) -> float:
    """Half the width of the 95 % interval of a stochastic approximation after k shortened steps."""
    slope = 1 / (np.sqrt(2 * np.pi) * 0.08 * value)
    return float(1.96 * GAIN / 2 / np.sqrt(max(2 * GAIN * slope - 1, 0.5) * k))


def _log_likelihood(chance: np.ndarray, count: np.ndarray, yes: np.ndarray) -> np.ndarray:
    chance = LAPSE + (1 - 2 * LAPSE) * chance
    return np.log(chance) @ yes + np.log1p(-chance) @ (count - yes)


def intensity_by_regression(s: np.ndarray, size: np.ndarray, target: float) -> Estimate:
    """Intensity of a target amplitude: log amplitude regressed on intensity around it.

    A curve with a plateau where there are four levels and twelve trials (:func:`solve_curve`); else a line. Levels
    enter whose median amplitude lies within a factor of 20 of the target and clear of the floor.
    """
    levels, index = np.unique(np.round(s, 1), return_inverse=True)
    positive = size > 0
    middle = np.array([np.median(size[index == i]) for i in range(levels.size)])
    clear = (middle > 1.5 * middle.min()) & (middle > target / 20) & (middle < target * 20)
    use = clear[index] & positive
    if use.sum() < 8 or np.unique(index[use]).size < 3:
        return nothing("few_intensities")
    x, y = s[use], np.log10(size[use])
    straight = solve_line(x, y, np.log10(target), levels)
    if np.isnan(straight) or x.size < 12 or np.unique(np.round(x, 1)).size < 4:
        return straight
    return _inside(*solve_curve(x, y, np.log10(target)), levels)


def solve_curve(x: np.ndarray, y: np.ndarray, target: float) -> tuple[float, float, float]:
    """Posterior median and 95 % limits of the intensity at which a curve with a plateau reaches a target.

    ``y = h − log10(1 + (10^(h − target) − 1) exp((θ − x) / k))``: a line that saturates at ``h``, as recruitment curves
    do; θ is sought. A straight line through such a curve meets 1 mV a %MSO too high, and a parabola 0.3 to 1. The prior
    is flat over θ, over the logarithm of k (1/40 to all of the range of ``x``), and over that of how far the plateau
    lies above the target (a factor of 1.15 to 50).
    """
    levels, index = np.unique(np.round(x, 1), return_inverse=True)
    count = np.bincount(index)
    mean = np.bincount(index, weights=y) / count
    within = float(np.sum((y - mean[index]) ** 2)) + x.size * _LEAST_ERROR**2
    span = float(np.ptp(levels))
    width = span * np.geomspace(1 / 40, 1, 20)
    above = np.log1p(np.geomspace(0.15, 49, 14))

    def posterior(place: np.ndarray) -> np.ndarray:
        fall = np.exp(np.clip((place[:, None, None] - levels) / width[:, None], -60, 60))
        error = [
            np.square(mean - target - (high - np.log1p(np.expm1(high) * fall)) / np.log(10)) @ count for high in above
        ]
        logs = -(x.size - 1) / 2 * np.log(within + np.stack(error))
        return np.exp(logs - logs.max()).sum(axis=(0, 2))

    coarse = np.linspace(levels[0] - span / 2, levels[-1] + span / 2, 61)
    near = np.flatnonzero((rough := posterior(coarse)) > 1e-6 * rough.max())
    grid = np.linspace(coarse[max(near[0] - 1, 0)], coarse[min(near[-1] + 1, 60)], 121)
    chance = posterior(grid)
    cumulative = np.cumsum(chance) - chance / 2
    low, middle, high = np.interp(np.array([0.025, 0.5, 0.975]) * chance.sum(), cumulative, grid)
    return float(middle), float(low), float(high)


def solve_line(x: np.ndarray, y: np.ndarray, target: float, levels: np.ndarray) -> Estimate:
    """Where a regression line reaches a target (Fieller 1954)."""
    n, centre = x.size, x.mean()
    sxx = float(np.sum((x - centre) ** 2))
    slope = float(np.sum((x - centre) * (y - y.mean())) / sxx)
    error = float(np.sum((y - y.mean() - slope * (x - centre)) ** 2) / (n - 2))
    t = float(stdtrit(n - 2, 0.975))
    if slope <= 0 or t**2 * error >= slope**2 * sxx:
        return nothing("slope_unknown")
    g = t**2 * error / (slope**2 * sxx)
    away = (target - y.mean()) / slope
    middle = away / (1 - g)
    reach = t / slope / (1 - g) * np.sqrt(error * ((1 - g) / n + away**2 / sxx))
    return _inside(centre + away, centre + middle - reach, centre + middle + reach, levels)
