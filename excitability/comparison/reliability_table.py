"""How well every measure of a study repeats: one row a measure, with all that is said about reliability."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd

from ..labels import capital
from ..schema import Column, Estimate, display, join_flags
from .design import SERIES, read_design
from .reliability import ICC_FORMS, bland_altman, ccc, cv, icc, sdc, sem, sessions_differ
from .sentences import percent, subject

_NUMBERS = {
    **{f"icc_{form.replace(',', '_')}": f"intraclass correlation, Shrout and Fleiss form {form}" for form in ICC_FORMS},
    "sem": "standard error of measurement (agreement)",
    "sem_consistency": "standard error of measurement without the mean difference between sessions",
    "sdc": "smallest detectable change of one person, 1.96 √2 sem",
    "sdc_group": "smallest detectable change of the mean of n people",
    "cv": "coefficient of variation within people",
    "bias": "mean difference, last of the first two sessions minus first (Bland and Altman)",
    "limit_low": "lower limit of agreement of two sessions",
    "limit_high": "upper limit of agreement of two sessions",
    "ccc": "concordance correlation coefficient of the first two sessions (Lin)",
}
_PURE = ("icc", "ccc", "cv")


def _columns() -> dict[str, Column]:
    rows = [
        ("protocol", "", "str", "protocol name"),
        ("measure", "", "str", "name of the measure"),
        ("channel", "", "str", "EMG channel, EEG region or electrode"),
        ("condition", "", "str", "condition of the protocol"),
        ("group", "", "str", "group, or 'all'"),
        ("sessions", "", "str", "sessions that repeat each other"),
        ("n", "1", "int", "participants with all of them"),
        ("unit", "", "str", "unit of the numbers below; 1 for logarithms"),
        ("form", "", "str", "log where the numbers are of natural logarithms, else value"),
        ("mean", "as in mean_unit", "float", "mean over people and sessions, geometric for logarithms"),
        ("mean_unit", "", "str", "unit of mean"),
    ]
    for name, meaning in _NUMBERS.items():
        unit = "1" if name.startswith(_PURE) else "as in unit"
        rows.append((name, unit, "float", meaning))
        rows.append((f"{name}_ci_low", unit, "float", f"lower 95 % limit of {name}"))
        rows.append((f"{name}_ci_high", unit, "float", f"upper 95 % limit of {name}"))
    rows += [
        ("sdc_percent_up", "%", "float", "sdc of a logarithm as a rise"),
        ("sdc_percent_down", "%", "float", "sdc of a logarithm as a fall"),
        ("flag", "", "str", "what a reader of the numbers must know"),
        ("sentence", "", "str", "the result in plain words"),
    ]
    return {row[0]: Column(*row) for row in rows}


#: Columns of :func:`reliability_table`.
COLUMNS = _columns()
_FEW = 10


def reliability_table(
    results: pd.DataFrame,
    sessions: Sequence[str] = ("pre", "pre2"),
    within: str = "session",
    by: str | None = None,
) -> pd.DataFrame:
    """Reliability of every measure of a result table over sessions with nothing done between them.

    Parameters
    ----------
    results : DataFrame
        Result table.
    sessions : sequence of str
        Two or more time points or sessions that repeat each other.
    within : str
        Column of the sessions; as in :func:`compare`, ``"session"`` means the column ``timepoint`` where there is one.
    by : str, optional
        Column of groups; reliability is then told of each, since a coefficient grows with the spread of the people.

    Returns
    -------
    DataFrame
        One row = protocol × measure × channel × condition (× group), columns ``COLUMNS``: the six intraclass
        correlations, standard error of measurement, smallest detectable change of one person and of the group,
        coefficient of variation, limits of agreement and concordance, each with its 95 % interval.

    Raises
    ------
    ValueError
        For fewer than two sessions, unknown ones, and tables that :func:`compare` would refuse.

    Notes
    -----
    Amplitudes, areas and ratios are taken as natural logarithms, as :func:`compare` does: their standard error of
    measurement is a factor, ``exp(sem)``, and a detectable change is a percentage up and another down.

    A shift of all people from one session to the next counts as error here (agreement); the smallest detectable change
    of :func:`compare` leaves it out. Where there is one, the flag ``repeats_differ`` says so.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> person = rng.normal(0.15, 0.03, 20)
    >>> results = pd.DataFrame({"participant": [f"{i:02d}" for i in range(20)] * 2,
    ...     "session": ["pre"] * 20 + ["pre2"] * 20, "protocol": "m1/cortical_silent_period", "channel": "FDI",
    ...     "condition": "all", "measure": "silent_period", "unit": "s", "form": "",
    ...     "value": np.r_[person, person] + rng.normal(0, 0.01, 40)})
    >>> found = reliability_table(results)
    >>> bool(found["sem_ci_low"][0] < 0.01 < found["sem_ci_high"][0])
    True
    """
    labels = (sessions,) if isinstance(sessions, str) else tuple(sessions)
    if len(set(labels)) < 2:
        raise ValueError(f"reliability needs two or more different sessions, got {', '.join(labels) or 'none'}")
    design = read_design(results, within, labels[0], labels[1:], by, ())
    rows = []
    for number, info in enumerate(design.records):
        values = design.values[number][:, : len(labels)]
        for group, name in enumerate(design.group_names):
            own = values[design.groups == group]
            rows.append(_row(info, name, own[np.isfinite(own).all(axis=1)], labels))
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    return table.astype({"n": "int64"})


def _row(info: dict[str, str], group: str, values: np.ndarray, sessions: tuple[str, ...]) -> dict[str, object]:
    log = info["scale"] == "log_ratio"
    n = len(values)
    row: dict[str, object] = {name: info[name] for name in SERIES}
    row |= {"group": group, "sessions": ", ".join(sessions), "n": n, "form": "log" if log else "value"}
    row |= {"unit": "1" if log else info["unit"], "mean_unit": info["unit"]}
    found = _numbers(values, log) if n >= 3 else {}
    for name in _NUMBERS:
        held = found.get(name, Estimate(math.nan))
        row |= {name: float(held), f"{name}_ci_low": held.ci_low, f"{name}_ci_high": held.ci_high}
    mean = float(values.mean()) if n else math.nan
    row["mean"] = math.exp(mean) if log else mean
    change = float(found["sdc"]) if found and log else math.nan
    row["sdc_percent_up"], row["sdc_percent_down"] = percent(change), percent(-change)
    few = "" if n >= _FEW else "few_participants" if found else "not_estimable"
    told = ""
    if found:
        same = float(found["sem"]) == 0
        told = found["icc_2_1"].flag or "identical_sessions" * same or "repeats_differ" * sessions_differ(values)
    row["flag"] = join_flags(info["flag"], told, few)
    row["sentence"] = _sentence(info, group, found, n, log)
    return row


def _numbers(values: np.ndarray, log: bool) -> dict[str, Estimate]:
    """All estimates of participants × sessions, on the scale of estimation."""
    found = {f"icc_{form.replace(',', '_')}": icc(values, form) for form in ICC_FORMS}
    found |= {"sem": sem(values), "sem_consistency": sem(values, "consistency")}
    found |= {"sdc": sdc(values), "sdc_group": sdc(values, n=len(values))}
    positive = log or bool((values > 0).all())
    found["cv"] = cv(np.exp(values), log=True) if log else cv(values, log=False) if positive else Estimate(math.nan)
    first_two = values[:, 0].tolist(), values[:, 1].tolist()
    limits = bland_altman(*first_two)
    found |= {"bias": limits["bias"], "limit_low": limits["lower"], "limit_high": limits["upper"]}
    found["ccc"] = ccc(*first_two)
    return found


def _sentence(info: dict[str, str], group: str, found: dict[str, Estimate], n: int, log: bool) -> str:
    name = capital(subject(*(info[word] for word in SERIES)).rstrip(","))
    whom = "" if group == "all" else f", {group}"
    if not found or not math.isfinite(found["icc_2_1"]):
        return f"{name}: reliability cannot be estimated{whom} ({n} with all sessions)."
    if float(found["sem"]) == 0:
        return (
            f"{name}: all {n} people have the same value in each session{whom}, so that its error cannot be told; are "
            f"these copies?"
        )
    coefficient = found["icc_2_1"]
    known = math.isfinite(coefficient.ci_low)
    interval = f"{coefficient.ci_low:.2f} to {coefficient.ci_high:.2f}; " if known else ""
    factor, unit = display(info["unit"], float(found["sdc"]))

    def reach(value: float) -> str:
        if not log:
            return f"±{value * factor:.3g} {unit}".rstrip()
        return f"+{percent(value):.0f} % or {percent(-value):.0f} %"

    text = (
        f"{name}: a change beyond {reach(found['sdc'])} in one person, or {reach(found['sdc_group'])} in the mean of "
        f"{n}, is more than measurement error; ICC(2,1) {coefficient:.2f} "
        f"({interval}n = {n}{whom})."
    )
    return text.replace("-", "−")
