"""The probability of a response among the changes of a comparison: odds, from single trials."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ..labels import capital
from ._trial_rows import Rows
from .estimation import Contrast
from .logistic import group_change
from .sentences import subject

#: Measures whose trials hold the probability that a response is there.
MEASURES = ("mep_probability", "response_probability")


@dataclass(frozen=True)
class OddsFit:
    """Change of the log odds of a response in each group, each fitted alone."""

    parts: tuple[Contrast, ...]
    people: np.ndarray  # (n_participants,) of bool: who has trials at both time points

    def contrast(self, weights: np.ndarray) -> Contrast:
        """Estimate ``weights @ changes``; Welch's degrees of freedom."""
        used = [(float(w), part) for w, part in zip(weights, self.parts, strict=True) if w]
        squares = [(w * part.standard_error) ** 2 for w, part in used]
        estimate, variance = sum(w * part.estimate for w, part in used), sum(squares)
        if not variance > 0:
            return Contrast(estimate, math.nan, math.nan)
        df = variance**2 / sum(square**2 / part.df for square, (_, part) in zip(squares, used, strict=True))
        return Contrast(estimate, math.sqrt(variance), df)


def odds_fit(rows: Rows, groups: np.ndarray, kept: list[int]) -> OddsFit | None:
    """Logistic regression of the trials of each group; None where all trials of a time point had a response, or none.

    Parameters
    ----------
    rows : Rows
        Trials at both time points; ``y`` is the probability that the trial holds a response.
    groups : ndarray of int
        Group of each participant of the design.
    kept : list of int
        Groups that have people.
    """
    whole = np.intersect1d(rows.person[rows.time == 1], rows.person[rows.time == 0])
    rows = rows.where(np.isin(rows.person, whole) & np.isfinite(rows.extra).all(axis=1))
    group, parts = groups[rows.person], []
    for number in kept:
        own = group == number
        found, _, flag = group_change(rows.y[own], rows.person[own], rows.time[own] == 1, rows.extra[own])
        if flag:
            return None
        parts.append(found)
    people = np.zeros(len(groups), dtype=bool)
    people[np.unique(rows.person)] = True
    return OddsFit(tuple(parts), people)


def sentence(row: Mapping[str, object], span: tuple[str, str], groups: tuple[str, ...]) -> str:
    """A change of the odds in plain words."""
    name = capital(subject(*(str(row[word]) for word in ("protocol", "measure", "channel", "condition")))).rstrip(",")
    estimate, low, high, p = (float(str(row[word])) for word in ("estimate", "ci_low", "ci_high", "p_value"))
    if not math.isfinite(estimate):
        return f"{name}: the change from {span[0]} to {span[1]} cannot be estimated (n = {row['n']})."
    times = f"{_ratio(estimate)} times"
    inside = (
        f"95 % interval {_ratio(low)} to {_ratio(high)}; n = {row['n']}, p {'< 0.001' if p < 1e-3 else f'= {p:.2g}'}"
    )
    clear = low > 0 or high < 0
    if len(groups) == 2:
        if not clear:
            told = f"the change of the odds of a response shows no clear difference between {groups[0]} and {groups[1]}"
            return f"{name}: {told} (ratio of the odds ratios {_ratio(estimate)}, {inside})."
        return f"{name}: the odds of a response changed by {times} the factor of {groups[1]} in {groups[0]} ({inside})."
    whom = "" if groups[0] == "all" else f" in {groups[0]}"
    if not clear:
        told = f"the odds of a response show no clear change from {span[0]} to {span[1]}{whom}"
        return f"{name}: {told} (odds ratio {_ratio(estimate)}, {inside})."
    return f"{name}: the odds of a response were {times} those at {span[0]} at {span[1]}{whom} ({inside})."


def _ratio(log: float) -> str:
    value = math.exp(min(log, 50.0))
    return f"{value:.2f}" if value < 10 else f"{value:.3g}"
