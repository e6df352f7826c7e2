"""What a comparison was made of, for the JSON beside its table: design, models, families, who is left out, versions."""

from __future__ import annotations

import datetime
import importlib.metadata
import platform
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from ..schema import QUALITY
from ._labels import as_text
from .describe import describe_design
from .design import level_column
from .plan import outcomes_not_compared

if TYPE_CHECKING:
    from ..protocol.library import Battery

_PACKAGES = ("excitability", "numpy", "scipy", "pandas", "mne")
_SERIES = ["protocol", "channel", "condition"]
_RULE = (
    "changes within groups and differences between groups are corrected apart; primary and secondary outcomes by Holm, "
    "the rest by Benjamini and Hochberg; means, trends, effects of the period and tests of all time points are in none"
)
_SEEDS = (
    "every resampling has a fixed seed: refits of mixed models 0, flips, orders and drawn studies the numbers of people"
)


def comparison_record(
    results: pd.DataFrame,
    change: pd.DataFrame,
    plan: Mapping[str, Any],
    battery: Battery | None = None,
    trials: pd.DataFrame | None = None,
    command: str = "",
) -> dict[str, Any]:
    """What a reader needs to judge a comparison, or to make it again.

    Parameters
    ----------
    results : DataFrame
        Result table that was compared.
    change : DataFrame
        What :func:`compare_by_plan` made of it.
    plan : mapping
        As for :func:`compare_by_plan`.
    battery : Battery, optional
        That declared the families.
    trials : DataFrame, optional
        Trial table; its rejected trials are counted.
    command : str
        Command that was typed.

    Returns
    -------
    dict
        ``Plan``, ``Command``, ``Design`` (in words), ``Method``, ``Models`` (each formula with its measures),
        ``Families`` (with their tests, and outcomes that were not measured), ``LeftOut`` (person, time point, protocol
        and reason), ``TrialsLeftOut``, ``Seed``, ``Date`` and ``Versions``: an entry each of the JSON that
        :func:`excitability.tables.write_table` writes.

    Examples
    --------
    >>> results = pd.DataFrame({"participant": list("abcabc"), "session": ["pre"] * 3 + ["post0"] * 3,
    ...     "measure": "mep_latency", "value": [0.02, 0.021, 0.022, 0.02, 0.022, None], "unit": "s"})
    >>> from excitability.comparison import compare_by_plan
    >>> plan = {"before": "pre", "after": ["post0"]}
    >>> found = comparison_record(results, compare_by_plan(results, plan), plan)
    >>> found["LeftOut"]
    [{'participant': 'c', 'session': 'post0', 'protocol': '', 'measures': ['mep_latency'], 'why': 'no value'}]
    """
    levels = plan_levels(plan)
    record: dict[str, Any] = {"Plan": dict(plan)}
    if command:
        record["Command"] = command
    if "after" in plan:
        record["Design"] = describe_design(results, before=plan["before"], after=plan["after"], by=plan.get("by"))
    return record | {
        "Method": plan.get("method", "t"),
        "Models": _models(change),
        "Families": _families(change, battery),
        "LeftOut": left_out(results, levels, plan.get("covariates", ())),
        "TrialsLeftOut": _rejected(trials),
        "Seed": _SEEDS,
        "Date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "Versions": {"python": platform.python_version()}
        | {name: importlib.metadata.version(name) for name in _PACKAGES},
    }


def plan_levels(plan: Mapping[str, Any]) -> list[str]:
    """Time points that a plan compares, the baseline first."""
    words: list[str] = []
    for name in ("before", "after", "at"):
        given = plan.get(name, ()) if name != "before" or "after" in plan else ()
        words += [given] if isinstance(given, str) else list(given)
    return list(dict.fromkeys(words))


def left_out(results: pd.DataFrame, levels: Sequence[str], covariates: Sequence[str] = ()) -> list[dict[str, Any]]:
    """Who is not in a comparison with which measures, and why.

    Parameters
    ----------
    results : DataFrame
        Result table.
    levels : sequence of str
        Time points that are compared.
    covariates : sequence of str
        Columns without which a person is left out.

    Returns
    -------
    list of dict
        ``participant``, the time point, ``protocol``, ``measures`` (with channel and condition; ``all`` where nothing
        of the protocol is there) and ``why``: the message of a failed recording, the flags of a value that is missing,
        ``no session``, or ``no value of`` a covariate.
    """
    level_name = level_column(results, "session")
    rows = pd.DataFrame({name: as_text(results[name]) if name in results else "" for name in
                         (*_SERIES, "participant", "measure", "flag", "error", level_name)},
                        index=results.index)  # fmt: skip
    rows["value"] = pd.to_numeric(results["value"], errors="coerce")
    rows = rows[~rows["measure"].str.startswith(QUALITY) & rows["participant"].ne("")]
    here = rows[rows[level_name].isin(list(levels))]
    told = []
    for (person, level, protocol), own in here.groupby(["participant", level_name, "protocol"], sort=True):
        where: dict[str, Any] = {"participant": person, level_name: level, "protocol": protocol}
        for error in own.loc[own["error"].ne(""), "error"].unique():
            told.append(where | {"measures": "all", "why": error})
        lost = own[own["error"].eq("") & own["measure"].ne("") & own["value"].isna()]
        for flag, without in lost.groupby("flag", sort=True):
            names = without[["measure", "channel", "condition"]].agg(" ".join, axis=1).str.split().str.join(" ")
            told.append(where | {"measures": names.tolist(), "why": str(flag) or "no value"})
    for protocol, own in rows[rows["protocol"].ne("") | rows["measure"].ne("")].groupby("protocol", sort=True):
        held = set(zip(own["participant"], own[level_name], strict=True))
        measured = [level for level in levels if own[level_name].eq(level).any()]
        told += [
            {"participant": person, level_name: level, "protocol": protocol, "measures": "all", "why": "no session"}
            for person in sorted(own["participant"].unique())
            for level in measured
            if (person, level) not in held
        ]
    for name in covariates:
        if name in results:
            known = as_text(results[name]).ne("").groupby(as_text(results["participant"])).any()
            told += [
                {"participant": person, "measures": "all", "why": f"no value of {name}"}
                for person in known.index[~known]
            ]
    return told


def _models(change: pd.DataFrame) -> list[dict[str, Any]]:
    """Each model once, without its degrees of freedom, with the measures and the number of rows it was used for."""
    models = change["model"].str.replace(r", (?:df = |\d+ (?:of|orders|flips)).*$", "", regex=True)
    names = change[["protocol", "measure"]].agg(" ".join, axis=1).str.strip()
    found = []
    for model, own in names.groupby(models, sort=False):
        found.append({"model": model, "measures": list(dict.fromkeys(own)), "rows": len(own)})
    return found


def _families(change: pd.DataFrame, battery: Battery | None) -> dict[str, Any]:
    found: dict[str, Any] = {"rule": _RULE}
    for name in ("primary", "secondary", "exploratory"):
        own = change[change["family"].eq(name)]
        outcomes = [dict(outcome) for outcome in getattr(battery, name, ())]
        used = sorted(set(own["adjustment"]) - {""})
        found[name] = {"declared": outcomes, "tests": int(own["p_value"].notna().sum()), "adjustment": used}
    if battery is not None and (lacking := outcomes_not_compared(change, battery)):
        found["not measured"] = lacking
    return found


def _rejected(trials: pd.DataFrame | None) -> list[dict[str, Any]]:
    """Rejected trials of each person, time point and channel, by reason."""
    if trials is None or "reject" not in trials or "participant" not in trials:
        return []
    keys = [name for name in ("participant", "session", "protocol", "channel") if name in trials]
    lost = trials[as_text(trials["reject"]).ne("")]
    reasons = lost[keys].astype(str).assign(why=as_text(lost["reject"]))
    counts = reasons.value_counts(sort=False).sort_index()
    rows = counts.rename("trials").reset_index().to_dict("records")
    return [{str(name): value if name != "trials" else int(value) for name, value in row.items()} for row in rows]
