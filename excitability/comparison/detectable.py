"""The smallest change that one person, or a group, must show to be more than the error of measurement.

``SDC = 1.96 · √2 · SEM`` and, for the mean of n people, ``SDC / √n``. The error of measurement comes from
the best source that the table holds, and the flag says which:

1. ``sdc_from_repeats``: repeated baselines (levels named like ``before``: pre, pre2), no intervention between.
2. ``sdc_from_controls``: the spread of the control group's own changes. Where controls were treated too,
   their different responses are in it, and it is an upper bound.
3. ``sdc_from_intervals``: the intervals of the single results. They hold the scatter of trials but not the
   change from session to session: a lower bound.
4. ``sdc_from_changes``: the spread of the changes themselves, with people's different responses in it: an
   upper bound.

With no change at all, 5 % of the people lie beyond their smallest detectable change.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from .design import Design

_FACTOR = 1.96 * math.sqrt(2)


@dataclass(frozen=True)
class Detectable:
    """Smallest detectable change of one person, on the scale of estimation, and where it came from."""

    one_person: float
    source: str

    def of_group(self, *sizes: int) -> float:
        """Of the mean of n people, or of the difference between the means of two groups."""
        if not sizes or min(sizes) < 1:
            return math.nan
        return self.one_person * math.sqrt(sum(1 / n for n in sizes))


def smallest_detectable_change(design: Design, number: int, level: int) -> Detectable:
    """Smallest detectable change of series ``number`` from the baseline to ``level``."""
    values = design.values[number]
    change = values[:, level] - values[:, 0]
    control = design.control
    sources = [("sdc_from_repeats", _repeats(design, values))]
    if control is not None:
        sources.append(("sdc_from_controls", _spread(change[design.groups == control][None, :], 3)))
    sources.append(("sdc_from_intervals", _intervals(design.standard_errors[number][:, [0, level]])))
    by_group = [change[design.groups == g] for g in range(len(design.group_names))]
    sources.append(("sdc_from_changes", _spread(by_group, 3)))
    for source, error in sources:
        if math.isfinite(error) and error > 0:
            return Detectable(_FACTOR * error, source)
    return Detectable(math.nan, "sdc_unknown")


def _repeats(design: Design, values: np.ndarray) -> float:
    changes = [
        (values[:, level] - values[:, 0])[design.groups == group]
        for level in design.repeats()
        for group in range(len(design.group_names))
    ]
    return _spread(changes, 3) if changes else math.nan


def _spread(samples: object, least: int) -> float:
    """Error of measurement from differences of two sessions: their pooled SD by √2, sample means removed."""
    squares, df = 0.0, 0
    for sample in samples:  # type: ignore[attr-defined]
        held = sample[np.isfinite(sample)]
        if len(held) > 1:
            squares += float(np.sum((held - held.mean()) ** 2))
            df += len(held) - 1
    return math.sqrt(squares / df / 2) if df >= least - 1 else math.nan


def _intervals(errors: np.ndarray) -> float:
    """Root mean square of the standard errors, where most of the sessions have one."""
    held = errors[np.isfinite(errors)]
    if len(held) < max(2, errors.size // 4):
        return math.nan
    return float(np.sqrt(np.mean(held**2)))
