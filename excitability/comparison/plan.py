"""The comparison that a battery, or a command, plans."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pandas as pd

from .change import compare
from .complete import complete
from .groups import compare_groups

if TYPE_CHECKING:
    from ..protocol.library import Battery


def compare_by_plan(
    results: pd.DataFrame,
    plan: Mapping[str, Any],
    trials: pd.DataFrame | None = None,
    battery: Battery | None = None,
) -> pd.DataFrame:
    """Run what a plan asks for: changes where it has ``after``, groups at one time point where it has ``at``.

    Parameters
    ----------
    results : DataFrame
        Result table, as for :func:`compare`.
    plan : mapping
        ``before``, ``after``, ``by``, ``covariates``, ``method``, ``trial_covariates``, ``equivalence`` and
        ``bayes_factor``, as for :func:`compare`;
        ``at``, as for :func:`compare_groups`, which then needs ``by``; ``trials``, whether changes are estimated from
        single trials.
    trials : DataFrame, optional
        Trial table for a plan with ``trials``.
    battery : Battery, optional
        Declares the families of tests, within which the p values of the whole table are corrected.

    Returns
    -------
    DataFrame
        Columns of :data:`excitability.schema.COMPARISON_COLUMNS`, changes first.

    Raises
    ------
    ValueError
        Where the plan asks for nothing, or a comparison cannot be made.

    Examples
    --------
    >>> results = pd.DataFrame({"participant": list("abcdef"), "session": "pre", "group": ["patient", "control"] * 3,
    ...     "measure": "mep_latency", "value": [0.022, 0.021, 0.023, 0.020, 0.022, 0.021], "unit": "s"})
    >>> compare_by_plan(results, {"at": "pre", "by": "group"})["contrast"].tolist()
    ['pre', 'pre', 'pre']
    """
    common = {name: plan[name] for name in ("by", "covariates", "method") if name in plan}
    parts = []
    if "after" in plan:
        own = {name: plan[name] for name in ("before", "after", "trial_covariates") if name in plan}
        if plan.get("trials", "trial_covariates" in plan):
            own["trials"] = trials
        else:
            own.pop("trial_covariates", None)
        parts.append(compare(results, **common, **own))
    if "at" in plan:
        if not plan.get("by"):
            raise ValueError(f"at = {plan['at']!r} compares groups; say by which column, such as by = 'group'")
        named = [name for name in plan.get("covariates", ()) if name != "baseline"]
        parts.append(compare_groups(results, **{**common, "covariates": named}, at=plan["at"]))
    if not parts:
        raise ValueError("the plan compares nothing: give before and after, or by and at")
    whole = pd.concat(parts, ignore_index=True)
    asked = {name: plan[name] for name in ("equivalence", "bayes_factor") if name in plan}
    return complete(whole, battery, **asked)


def outcomes_not_compared(change: pd.DataFrame, battery: Battery) -> list[str]:
    """Outcomes that a battery declares and that no row of a comparison holds, in its own words.

    >>> from excitability.protocol import load_battery
    >>> table = pd.DataFrame({"protocol": ["m1/sici"], "measure": ["conditioned_ratio"], "condition": ["isi_0.002"]})
    >>> outcomes_not_compared(table, load_battery("m1_exercise"))[0]
    'secondary: m1/recruitment_curve area_under_curve'
    """
    told = []
    for kind in ("primary", "secondary", "exploratory"):
        for outcome in getattr(battery, kind):
            here = [change[name].astype(str).eq(str(value)) for name, value in outcome.items() if name in change]
            if not pd.concat(here, axis=1).all(axis=1).any():
                told.append(f"{kind}: {' '.join(map(str, outcome.values()))}")
    return told
