"""Fairness of a ratio: a paired-pulse ratio means little where the test MEP itself has changed."""

from __future__ import annotations

import math

import numpy as np

from .design import Design
from .sentences import percent

#: Changes of the test MEP that are told.
_LIMIT = 0.25


def series_of_test_meps(design: Design) -> list[int | None]:
    """For each paired-pulse series the series of its test MEP, None for any other; −1 where it is not there."""
    keys = {
        (row.protocol, row.channel, row.measure, row.condition): i
        for i, row in enumerate(design.series.itertuples(index=False))
        if row.scale == "log_ratio"
    }
    found: list[int | None] = []
    for row in design.series.itertuples(index=False):
        if not str(row.measure).startswith("conditioned_ratio"):
            found.append(None)
            continue
        candidates = [("test_amplitude", row.condition), ("test_amplitude", "test"), ("test_amplitude", "all")]
        candidates.append(("mep_amplitude", "test"))
        places = [keys.get((row.protocol, row.channel, *candidate)) for candidate in candidates]
        found.append(next((place for place in places if place is not None), -1))
    return found


def changed_test_mep(design: Design, test: int | None, level: int, members: list[np.ndarray]) -> tuple[str, str]:
    """Flag and words for a test MEP (number of its series) that did not stay the same between two time points."""
    if test is None:
        return "", ""
    if test < 0:
        return "test_mep_unknown", ""
    change = design.change(test, level)
    changes = [change[member] for member in members]
    changes = [part[np.isfinite(part)] for part in changes]
    held = np.concatenate(changes)
    if not len(held):
        return "test_mep_unknown", ""
    beyond = int(np.sum((np.expm1(held) > _LIMIT) | (np.expm1(held) < -_LIMIT)))
    means = [float(part.mean()) for part in changes if len(part)]
    strongest = max(means, key=abs)
    if not -_LIMIT <= math.expm1(strongest) <= _LIMIT:
        words = f"Caution: the test MEP itself changed by {percent(strongest):+.0f} %".replace("-", "−")
        return "test_mep_changed", f"{words} (beyond 25 % in {beyond} of {len(held)})."
    if beyond:
        return "test_mep_changed_in_some", f"The test MEP changed by more than 25 % in {beyond} of {len(held)}."
    return "", ""


def different_test_mep(design: Design, test: int | None, members: list[np.ndarray], where: str) -> tuple[str, str]:
    """Flag and words for a test MEP that is not as large in one group as in another."""
    if test is None or len(members) < 2:
        return "", ""
    values = [design.values[test][member, 0] for member in members] if test >= 0 else []
    values = [part[np.isfinite(part)] for part in values]
    if not values or not all(map(len, values)):
        return "test_mep_unknown", ""
    apart = float(values[0].mean() - values[1].mean())
    if -_LIMIT <= math.expm1(apart) <= _LIMIT:
        return "", ""
    told = f"Caution: the test MEP itself was {percent(apart):+.0f} % in the first against the second{where}."
    return "test_mep_differs", told.replace("-", "−")
