"""Live search for a motor threshold: from the responses so far to the next intensity, and when to stop."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .measures._threshold_responses import read_response, read_responses, understood
from .measures._thresholds import likelihood_limits, posterior_limits, stochastic_reach, stochastic_steps
from .schema import Estimate, unknown_word

__all__ = ["METHODS", "Proposal", "Search", "next_intensity", "read_response", "read_responses", "understood"]

METHODS = ("maximum_likelihood", "bayesian", "stochastic_approximation", "relative_frequency")
#: Pulses at the highest intensity before the search may end there without a threshold.
AT_CEILING = 5
#: Pulses a level of the relative-frequency method (Rossini & Rothwell).
PULSES = 10
#: The search never moves by more than this at once (%MSO), however little is known.
LARGEST_STEP = 10.0


@dataclass(frozen=True)
class Proposal:
    """What a threshold search says after the responses so far.

    Attributes
    ----------
    intensity : float
        Next intensity (%MSO); NaN when the search is over.
    estimate : Estimate
        Threshold so far with its 95 % interval; NaN with the flag ``ceiling`` when it is beyond the stimulator.
    done : bool
        True when the rule to stop is met.
    reason : str
        That rule, in words; empty before.
    """

    intensity: float
    estimate: Estimate
    done: bool
    reason: str = ""

    def __str__(self) -> str:
        known = self.estimate
        said = f"{float(known):.1f} %MSO" if math.isfinite(known) else known.flag.replace("_", " ")
        if math.isfinite(known.ci_low) or math.isfinite(known.ci_high):
            low, high = (f"{limit:.1f}" if math.isfinite(limit) else "" for limit in (known.ci_low, known.ci_high))
            said += f" [{low}, {high}]"
        end = f"stop: {self.reason}" if self.done else f"next: {self.intensity:g} %MSO"
        return f"pulse {known.n:<3} threshold {said}   {end}"


def next_intensity(
    intensities: Sequence[float],
    responses: Sequence[bool],
    method: str = "maximum_likelihood",
    *,
    start: float = 50.0,
    step: float = 1.0,
    maximum: float = 100.0,
    precision: float = 2.5,
    fewest: int = 12,
    most: int = 30,
) -> Proposal:
    """Next intensity of a threshold search, the estimate so far, and whether to stop.

    Nothing is remembered between calls: the answer follows from the responses given, whoever chose the intensities.

    Parameters
    ----------
    intensities : sequence of float
        Intensities delivered so far (%MSO), in order.
    responses : sequence of bool
        Whether each evoked a response.
    method : {"maximum_likelihood", "bayesian", "stochastic_approximation", "relative_frequency"}
        ``maximum_likelihood`` (adaptive PEST; Awiszus 2003) stimulates at the most likely threshold, relative spread
        0.07, and ends by the likelihood of that spread; the interval it states allows for others and is wider.
        ``bayesian`` stimulates at the posterior median, the spread unknown, and ends by that interval: more pulses.
        ``stochastic_approximation`` (Robbins & Monro 1951) steps down after a response and up without one, by ever
        smaller steps. ``relative_frequency`` (Rossini–Rothwell) descends in levels of ten pulses and ends a level as
        soon as it is decided.
    start : float
        First intensity (%MSO); for ``relative_frequency`` one above the threshold.
    step : float
        Resolution of the stimulator (%MSO); for ``relative_frequency`` the step between levels.
    maximum : float
        Highest intensity that may be given (%MSO).
    precision : float
        Half the width of the 95 % interval (%MSO) at which the search ends.
    fewest, most : int
        The search ends after ``fewest`` pulses at the earliest and ``most`` at the latest.

    Returns
    -------
    Proposal
        The search also ends without a threshold when most of five pulses at ``maximum`` fail and the estimate lies
        there or beyond (flag ``ceiling``: right-censored, only ``ci_low`` is known). For ``relative_frequency`` the
        only rule is that a level failed one step below one that did not.

    Raises
    ------
    ValueError
        For an unknown method, sequences of different length, a response that is neither True nor False (or 1 or 0), an
        intensity or option outside 0–100 %MSO, and steps of none or more than 10 %MSO.

    Examples
    --------
    >>> next_intensity([], []).intensity
    50.0
    >>> answer = next_intensity([50, 43, 47, 49, 47], [True, False, False, True, False])
    >>> answer.intensity, answer.done
    (48.0, False)
    """
    if method not in METHODS:
        raise ValueError(unknown_word("method", method, METHODS))
    _check_options(start, step, maximum, precision, fewest, most)
    s, y = np.asarray(intensities, dtype=float), _as_responses(responses)
    if s.shape != y.shape or s.ndim != 1:
        raise ValueError(f"every intensity needs one response, got {s.size} intensities and {y.size} responses")
    if s.size and not ((s >= 0) & (s <= 100)).all():
        raise ValueError(f"an intensity is given in %MSO, 0 to 100, not {s[~((s >= 0) & (s <= 100))][0]:g}")
    if not s.size:
        return Proposal(min(start, maximum), Estimate(math.nan, flag="no_trials"), False)
    if method == "relative_frequency":
        return _descending(s, y, step, maximum)
    value, low, high, known = _so_far(s, y, method)
    aim = np.clip(value, s[-1] - LARGEST_STEP, s[-1] + LARGEST_STEP)
    level = float(np.round(aim / step) * step)
    if abs(level - s[-1]) > LARGEST_STEP:  # of a coarse stimulator, rounding went beyond
        level += step if level < s[-1] else -step
    level = float(np.clip(level, min(step, maximum), maximum))
    estimate = Estimate(value, low, high, s.size)
    if y.all():
        estimate = Estimate(math.nan, ci_high=high, n=s.size, flag="below_tested_range")
    elif not y.any():
        estimate = Estimate(math.nan, ci_low=low, n=s.size, flag="above_tested_range")
    top = s >= maximum - step / 2
    if top.sum() >= AT_CEILING and y[top].mean() < 0.5 and value >= maximum - step:
        return _ceiling(low, s.size, maximum)
    if s.size >= fewest and not estimate.flag and known <= precision:
        given = " for a relative spread of 0.07" if method == "maximum_likelihood" else ""
        return Proposal(math.nan, estimate, True, f"the interval{given} is within ±{precision:g} %MSO")
    if s.size >= most:
        return Proposal(math.nan, estimate, True, f"{most} pulses were given")
    return Proposal(level, estimate, False)


def _check_options(start: float, step: float, maximum: float, precision: float, fewest: int, most: int) -> None:
    """Refuse what no search can follow."""
    if not 0 <= start <= 100:
        raise ValueError(f"start = {start:g} must be an intensity in %MSO, 0 to 100")
    if not 0 < maximum <= 100:
        raise ValueError(f"maximum = {maximum:g} must be an intensity in %MSO, above 0 and up to 100")
    if not 0 < step <= LARGEST_STEP:
        raise ValueError(f"step = {step:g} must be above 0 and up to {LARGEST_STEP:g} %MSO")
    if not precision > 0:
        raise ValueError(f"precision = {precision:g} must be above 0 %MSO, such as 2.5")
    if not 1 <= fewest <= most:
        raise ValueError(f"fewest = {fewest} and most = {most} must be numbers of pulses, 1 <= fewest <= most")


def _as_responses(responses: Sequence[bool]) -> np.ndarray:
    """Responses as booleans; words and amplitudes are all true to Python."""
    for one in responses:
        if not isinstance(one, bool | np.bool_ | int | float | np.number) or one not in (0, 1):
            raise ValueError(f"a response is True or False, not {one!r}; of an amplitude, give amplitude >= 50e-6")
    return np.array([bool(one) for one in responses], dtype=bool)


def _so_far(s: np.ndarray, y: np.ndarray, method: str) -> tuple[float, float, float, float]:
    """Where the search is, the 95 % limits of the threshold, and what the rule that ends it takes for half of them."""
    place, k = stochastic_steps(s, y)
    if method == "stochastic_approximation" and k:
        reach = stochastic_reach(float(place[-1]), k)
        return float(place[-1]), float(place[-1]) - reach, float(place[-1]) + reach, reach
    levels, index = np.unique(np.round(s, 1), return_inverse=True)
    count, yes = np.bincount(index), np.bincount(index, weights=y)
    middle, low, high = posterior_limits(levels, count, yes)
    if method == "bayesian":
        return middle, low, high, (high - low) / 2
    value, least, most = likelihood_limits(levels, count, yes)
    value = float(place[-1]) if method == "stochastic_approximation" else value
    return value, min(low, value), max(high, value), (most - least) / 2


def _ceiling(low: float, n: int, maximum: float) -> Proposal:
    known = Estimate(math.nan, low, math.nan, n, "ceiling")
    return Proposal(math.nan, known, True, f"no threshold up to {maximum:g} %MSO")


def _descending(s: np.ndarray, y: np.ndarray, step: float, maximum: float) -> Proposal:
    """Rossini–Rothwell: the lowest level with half of ten responses whose lower neighbour has fewer."""
    half = PULSES // 2
    levels = np.unique(s)
    passed = [float(level) for level in levels if y[s == level].sum() >= half]
    failed = [float(level) for level in levels if (~y[s == level]).sum() > half]
    n, last = s.size, float(s[-1])
    if last not in passed and last not in failed:  # the level is not decided yet
        return Proposal(last, Estimate(math.nan, n=n, flag="level_undecided"), False)
    highest_failed = max(failed, default=-math.inf)
    above = [level for level in passed if level > highest_failed]
    if not above:
        if highest_failed >= maximum - step / 2:
            return _ceiling(highest_failed, n, maximum)
        # where a lower level passed, only the next levels can tell; else the threshold may be far
        rise = min(highest_failed + (step if passed else LARGEST_STEP / 2), maximum)
        flag = "inconsistent_responses" if passed else "above_tested_range"
        return Proposal(rise, Estimate(math.nan, highest_failed, math.nan, n, flag), False)
    lowest = min(above)
    estimate = Estimate(lowest, n=n)
    if lowest - highest_failed <= step * 1.001:
        return Proposal(math.nan, estimate, True, f"{highest_failed:g} %MSO failed, {lowest:g} %MSO did not")
    if lowest - step <= 0:
        return Proposal(math.nan, Estimate(math.nan, math.nan, lowest, n, "below_tested_range"), True, "no lower level")
    return Proposal(lowest - step, estimate, False)


class Search:
    """A threshold search, response by response; ``proposal`` is what it says now.

    Parameters
    ----------
    method, **options
        As for :func:`next_intensity`.

    Examples
    --------
    >>> search = Search("maximum_likelihood", start=46)
    >>> search.proposal.intensity, search.add(46, True).intensity
    (46, 36.0)
    """

    def __init__(self, method: str = "maximum_likelihood", **options: float) -> None:
        self.method, self.options = method, options
        self.intensities: list[float] = []
        self.responses: list[bool] = []
        self.proposal = next_intensity([], [], method, **options)  # type: ignore[arg-type]

    def add(self, intensity: float, response: bool) -> Proposal:
        """Take one more response and say what to do next."""
        s, y = [*self.intensities, intensity], [*self.responses, response]
        self.proposal = next_intensity(s, y, self.method, **self.options)  # type: ignore[arg-type]
        self.intensities, self.responses = s, y
        return self.proposal

    @property
    def summary(self) -> str:
        """The result in one line; the interval is that of an unknown spread, which any sequence of pulses allows."""
        y = self.responses
        if not any(y) or all(y):
            return f"no threshold from {len(y)} pulses: {self.proposal.estimate.flag.replace('_', ' ')}"
        value, low, high, _ = _so_far(np.array(self.intensities), np.array(y, dtype=bool), "bayesian")
        end = "" if self.proposal.done else "; the rule to stop is not met yet"
        return f"{len(y)} pulses, spread unknown (bayesian): {value:.1f} %MSO [{low:.1f}, {high:.1f}]{end}"
