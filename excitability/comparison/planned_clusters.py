"""The cluster tests that a battery plans."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from ..protocol.library import PlannedClusters
from ..schema import CLUSTER_COLUMNS
from .clusters import compare_evoked


def compare_planned(
    evoked: pd.DataFrame, planned: Iterable[PlannedClusters], plan: Mapping[str, Any], seed: int = 0
) -> pd.DataFrame:
    """Run the ``[[clusters]]`` of a battery.

    Parameters
    ----------
    evoked : DataFrame
        From :func:`excitability.load_evoked`.
    planned : iterable of PlannedClusters
    plan : mapping
        ``before``, ``after`` and perhaps ``by``, as for :func:`excitability.compare`; covariates do not enter, of
        several baselines the first is taken, and a crossover is not tested (with a warning).
    seed : int

    Returns
    -------
    DataFrame
        Columns of :data:`excitability.schema.CLUSTER_COLUMNS`; an entry whose potentials were not recorded has no rows,
        and a warning.
    """
    arguments = {name: plan[name] for name in ("before", "after", "by") if name in plan}
    if not isinstance(arguments.get("before", ""), str):
        arguments["before"] = arguments["before"][0]
    by = arguments.get("by")
    if by is not None and by in evoked and evoked.groupby("participant")[by].nunique().gt(1).any():
        warnings.warn(
            f"cluster tests compare groups of people, and {by!r} changes within people: none is run", stacklevel=2
        )
        planned = ()
    parts = []
    for entry in planned:
        wanted = evoked["condition"].eq(entry.condition) | (entry.condition == "")
        own = evoked[wanted & evoked["protocol"].eq(entry.protocol)]
        if not len(own):
            warnings.warn(
                f"no evoked potential of {entry.protocol} is stored; run 'excitability batch' again to compare them",
                stacklevel=2,
            )
            continue
        numbers: dict[str, Any] = {"threshold": entry.threshold, "n_permutations": entry.n_permutations}
        parts.append(compare_evoked(own, **arguments, window=entry.window, seed=seed, **numbers))
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=list(CLUSTER_COLUMNS))
