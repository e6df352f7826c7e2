"""The smallest change that one person, or a group, must show to be more than the error of measurement.

``SDC = 1.96 · √2 · SEM`` and, for the mean of n people, ``SDC / √n``; from the mean of k baselines it is
``1.96 · √(1 + 1/k) · SEM``. The error of measurement comes from the best source that the table holds, and the flag
says which:

1. ``sdc_from_repeats``: repeated baselines (those given as ``before``, and levels named like it: pre, pre2), no
   intervention between. A shift of everybody from one repeat to the next is left out, as it is of a change between
   groups; where there is one (``repeats_differ``), a change of one group may be no more than that.
2. ``sdc_from_controls``: the spread of the control group's own changes. Where controls were treated too,
   their different responses are in it, and it is an upper bound.
3. ``sdc_from_intervals``: the intervals of the single results. They hold the scatter of trials but not the
   change from session to session: a lower bound.
4. ``sdc_from_changes``: the spread of the changes themselves, with people's different responses in it: an
   upper bound.

With no change at all, 5 % of the people lie beyond their smallest detectable change.

A spread of few people has an enormous error of its own: its 95 % interval by chi-square on its degrees of freedom
(``SD √(df / χ²)``) reaches from 0.57 to 3.7 times the value for 3 and from 0.70 to 1.8 times for 10. Below
``FEWEST_DF`` = 10 the value is told but nothing is judged by it (``sdc_uncertain``): no change is called more than
measurement error and nobody is counted as a responder. That limit is a choice of this package. And what the intervals
of the single results say is a lower bound of every other source: a spread below it is chance, and the value is raised
to the bound (``sdc_raised``).

SDC, its group form and the rule of responders: Beaulieu et al. 2017 and Schambra et al. 2015, the reviews on
reliability of TMS measures; interval of a standard deviation: any textbook of statistics.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from scipy import special

from ..schema import join_flags
from .design import Design
from .reliability import sessions_differ

_NORMAL = 1.96
#: Degrees of freedom from which the spread of people is known well enough to judge by.
FEWEST_DF = 10


@dataclass(frozen=True)
class Detectable:
    """Smallest detectable change of one person, on the scale of estimation, and where it came from.

    ``df`` are the degrees of freedom of the spread of people that it came from (NaN where it came from none) and
    ``interval`` its 95 % limits, NaN where there is no spread of people to give them. ``raised`` where the
    spread was smaller than the scatter of trials alone makes it; ``repeats_differ`` where the means of the repeated
    baselines differ, which the spread within people leaves out.
    """

    one_person: float
    source: str
    df: float = math.nan
    interval: tuple[float, float] = (math.nan, math.nan)
    raised: bool = False
    repeats_differ: bool = False

    @property
    def uncertain(self) -> bool:
        """Whether it rests on too few people to judge a change by."""
        return self.df < FEWEST_DF

    @property
    def flag(self) -> str:
        """Where it came from, and what must be known of it."""
        return join_flags(
            self.source,
            "sdc_raised" * self.raised,
            "repeats_differ" * self.repeats_differ,
            "sdc_uncertain" * self.uncertain,
        )

    def of_group(self, *sizes: int) -> float:
        """Of the mean of n people, or of the difference between the means of two groups."""
        if not sizes or min(sizes) < 1:
            return math.nan
        return self.one_person * math.sqrt(sum(1 / n for n in sizes))


def smallest_detectable_change(design: Design, number: int, level: int) -> Detectable:
    """Smallest detectable change of series ``number`` from the baseline to ``level``."""
    change = design.change(number, level)
    by_group = [change[design.groups == g] for g in range(len(design.group_names))]
    bound = _NORMAL * math.sqrt(2) * _intervals(design.standard_errors[number][:, [0, level]])
    bound = bound if bound > 0 else math.nan
    sources = [("sdc_from_repeats", _repeats(design, number))]
    if design.control is not None:
        sources.append(("sdc_from_controls", _spread([by_group[design.control]])))
    if math.isnan(bound):
        sources.append(("sdc_from_changes", _spread(by_group)))
    for source, (error, df) in sources:
        if math.isfinite(error) and error > 0:
            found = _NORMAL * error
            differ = source == "sdc_from_repeats" and _differ(design, number)
            low, high = (np.fmax(limit, bound) for limit in interval_of_spread(found, df))
            return Detectable(
                float(np.fmax(found, bound)), source, df, (float(low), float(high)), found < bound, differ
            )
    return Detectable(bound, "sdc_unknown" if math.isnan(bound) else "sdc_from_intervals")


def interval_of_spread(spread: float, df: float) -> tuple[float, float]:
    """95 % interval of a standard deviation, or of a multiple of one, from its degrees of freedom.

    >>> low, high = interval_of_spread(1.0, 3)
    >>> round(low, 2), round(high, 2)
    (0.57, 3.73)
    """
    upper, lower = (float(special.chdtri(df, tail)) for tail in (0.025, 0.975))
    return spread * math.sqrt(df / upper), spread * math.sqrt(df / lower)


def _repeats(design: Design, number: int) -> tuple[float, int]:
    """Standard deviation of a change without any intervention, from the people who have all repeats of the baseline."""
    levels = design.repeats()
    if len(levels) < 2:
        return math.nan, 0
    squares, df = 0.0, 0
    for group in range(len(design.group_names)):
        held = design.values[number][np.ix_(design.groups == group, levels)]
        held = held[np.isfinite(held).all(axis=1)]
        if len(held) > 1:
            rest = held - held.mean(axis=1, keepdims=True) - held.mean(axis=0) + held.mean()
            squares += float(np.sum(rest**2))
            df += (len(held) - 1) * (len(levels) - 1)
    error = math.sqrt(squares / df) if df >= 2 else math.nan
    return error * math.sqrt(1 + 1 / len(design.baselines)), df


def _differ(design: Design, number: int) -> bool:
    """Whether the repeated baselines of any group differ in their mean."""
    levels = design.repeats()
    for group in range(len(design.group_names)):
        held = design.values[number][np.ix_(design.groups == group, levels)]
        held = held[np.isfinite(held).all(axis=1)]
        if len(held) > 2 and sessions_differ(held):
            return True
    return False


def _spread(samples: Iterable[np.ndarray]) -> tuple[float, int]:
    """Pooled standard deviation of changes, and its degrees of freedom.

    The means of the samples are removed; fewer than two degrees of freedom tell nothing.
    """
    squares, df = 0.0, 0
    for sample in samples:
        held = sample[np.isfinite(sample)]
        if len(held) > 1:
            squares += float(np.sum((held - held.mean()) ** 2))
            df += len(held) - 1
    return (math.sqrt(squares / df) if df >= 2 else math.nan), df


def _intervals(errors: np.ndarray) -> float:
    """Root mean square of the standard errors, where most of the sessions have one."""
    held = errors[np.isfinite(errors)]
    if len(held) < max(2, errors.size // 4):
        return math.nan
    return float(np.sqrt(np.mean(held**2)))
