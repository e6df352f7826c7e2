"""One row of a result table, and the rows that a measure which returns a mapping makes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ..measures import Measure
from ..schema import Estimate


def items(key: str, entry: Measure, value: Any) -> Iterator[tuple[str, Any, str]]:
    """Names, values and units of what a measure returned: a mapping gives one row a key."""
    if not isinstance(value, Mapping):
        yield key, value, entry.unit_of()
        return
    for part, item in value.items():
        yield (part if key == entry.name else f"{key}_{part}"), item, entry.unit_of(part)


def row(channel: str, condition: str, name: str, estimate: Estimate, unit: str, form: str, lost: int) -> dict[str, Any]:
    """A row without what the protocol and the session add."""
    return {
        "channel": channel,
        "condition": condition,
        "measure": name,
        "value": float(estimate),
        "unit": unit,
        "form": form,
        "ci_low": estimate.ci_low,
        "ci_high": estimate.ci_high,
        "n_trials": estimate.n,
        "n_rejected": lost,
        "flag": estimate.flag,
    }


def missing(key: str, entry: Measure, value: Estimate) -> Iterator[tuple[str, Estimate, str]]:
    """The rows that a measure would have made, all NaN: their names do not depend on whether there is a value."""
    if isinstance(entry.unit, str):
        yield key, value, entry.unit_of()
        return
    for part in entry.unit:
        yield (part if key == entry.name else f"{key}_{part}"), value, entry.unit_of(part)
