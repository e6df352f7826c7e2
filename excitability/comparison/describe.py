"""The design of a study in words, before anything is estimated: who was measured when, and what cannot be estimated."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import pandas as pd

from ..labels import times_in_order
from ..schema import QUALITY, unknown_word
from ._labels import as_text, some
from ._units import Units, read_units
from .crossover import FEWEST
from .design import level_column

#: Fewest people of whom a mean has an interval.
_FEWEST = 2


def describe_design(
    sessions: pd.DataFrame,
    within: str = "session",
    before: str | Sequence[str] = "pre",
    after: str | Sequence[str] | None = None,
    by: str | None = None,
) -> list[str]:
    """Say what design a study has, who is missing, and what it cannot answer.

    Parameters
    ----------
    sessions : DataFrame
        Sessions table (:func:`excitability.find_sessions`) or result table: ``participant``, ``session`` and, where
        there are such, ``timepoint``, ``group``, ``arm``, ``period`` and ``dose``.
    within, before, after, by
        As for :func:`compare`; ``after`` is all other time points where it is not given.

    Returns
    -------
    list of str
        One sentence each: kind of design, time points, missing sessions, order of the arms, doses, and what cannot be
        estimated.

    Raises
    ------
    ValueError
        For missing columns, unknown time points, and groups that :func:`compare` would refuse.

    Examples
    --------
    >>> sessions = pd.DataFrame([(who, time, arm) for who in ("01", "02", "03") for arm in ("exercise", "rest")
    ...     for time in ("pre", "post0")], columns=["participant", "timepoint", "arm"])
    >>> for line in describe_design(sessions, by="arm"):
    ...     print(line)
    Crossover of 3 people over the arms exercise and rest.
    Baseline pre, then post0.
    Order of the arms unknown (a column 'period' would tell it): the effect of the period is not taken out.
    """
    if "participant" not in sessions:
        raise ValueError(f"the table has no column 'participant': {', '.join(map(str, sessions.columns))}")
    level_name = level_column(sessions, within)
    table = sessions.assign(**{name: as_text(sessions[name]) for name in ("participant", level_name)})
    kept = table["participant"].ne("") & table[level_name].ne("")
    if "measure" in table:
        kept &= ~as_text(table["measure"]).str.startswith(QUALITY) & as_text(table["measure"]).ne("")
    table = table[kept]
    known = list(times_in_order(table[level_name]))
    befores = [before] if isinstance(before, str) else list(before)
    afters = [level for level in known if level not in befores] if after is None else after
    afters = [afters] if isinstance(afters, str) else list(afters)
    for level in (*befores, *afters):
        if level not in known:
            raise ValueError(unknown_word(level_name, level, known))
    units, labels = read_units(table, by, level_name, (*befores, *afters))
    held = pd.crosstab(pd.Series(labels), table[level_name].to_numpy()).reindex(
        index=list(units.labels), columns=known, fill_value=0
    )
    has = held.to_numpy() > 0
    base: np.ndarray = np.asarray(has[:, [known.index(level) for level in befores]].any(axis=1))
    whole = {level: base & has[:, known.index(level)] for level in afters}
    lines = [_kind(units, by, base, whole), _times(befores, afters)]
    lines += _missing(units, base, has, befores, afters, known)
    lines += _order(units) if units.crossed else []
    if units.doses:
        told = ", ".join(f"{dose:g}" for dose in sorted(units.doses))
        lines.append(f"Doses {told}{f' {units.dose_unit}' * bool(units.dose_unit)}: a linear trend is estimated.")
    return lines + _impossible(units, whole, table, by)


def _kind(units: Units, by: str | None, base: np.ndarray, whole: dict[str, np.ndarray]) -> str:
    n_people = int(units.people[-1]) + 1
    if units.crossed:
        return f"Crossover of {n_people} people over the {by}s {_and(units.names)}."
    if by is None:
        return f"One group of {n_people} people."
    sizes = [f"{name} ({int((units.groups == g).sum())})" for g, name in enumerate(units.names)]
    return f"{len(sizes)} groups of different people: {_and(sizes)}."


def _times(befores: list[str], afters: list[str]) -> str:
    baseline = f"Baseline {befores[0]}" if len(befores) == 1 else f"Baseline the mean of {_and(befores)}"
    return f"{baseline}, then {_and(afters)}." if afters else f"{baseline}, and nothing after it."


def _missing(
    units: Units, base: np.ndarray, has: np.ndarray, befores: list[str], afters: list[str], known: list[str]
) -> list[str]:
    """Who lacks a time point; whole arms of a crossover that a person did not have are one entry."""
    lines = []
    wanted = [*befores, *afters]
    absent = ~has[:, [known.index(level) for level in wanted]].any(axis=1)
    if absent.any():
        lines.append(f"Without any of these sessions: {some(np.array(units.labels)[absent])}.")
    for level in wanted:
        lost = ~has[:, known.index(level)] & ~absent
        if lost.any():
            lines.append(f"Without {level}: {some(np.array(units.labels)[lost])}.")
    return lines


def _order(units: Units) -> list[str]:
    """Which of two arms came first in how many people."""
    lines = []
    n_arms = len(units.names)
    for one, two in itertools.combinations(range(n_arms), 2):
        later = units.periods[two::n_arms] - units.periods[one::n_arms]
        first, second = int((later > 0).sum()), int((later < 0).sum())
        if not first + second:
            continue
        told = f"{units.names[one]} came before {units.names[two]} in {first} people, after it in {second}"
        if min(first, second) < FEWEST:
            lines.append(f"{told}: the effect of the period cannot be told from that of the arms.")
        else:
            lines.append(f"{told}: the effect of the period is taken out.")
    if lines:
        return lines
    return ["Order of the arms unknown (a column 'period' would tell it): the effect of the period is not taken out."]


def _impossible(units: Units, whole: dict[str, np.ndarray], table: pd.DataFrame, by: str | None) -> list[str]:
    lines = []
    for level, complete in whole.items():
        few = [name for g, name in enumerate(units.names) if (complete & (units.groups == g)).sum() < _FEWEST]
        if few:
            whom = "" if by is None else f" in {_and(few)}"
            lines.append(f"Change to {level}{whom}: fewer than two people with both sessions, so no interval.")
        if units.crossed:
            both = complete.reshape(-1, len(units.names)).all(axis=1)
            if both.sum() < _FEWEST:
                lines.append(f"Difference of the arms at {level}: fewer than two people have all of them.")
    for name in ("group", "arm"):
        if name != by and name in table and as_text(table[name]).replace("", np.nan).nunique() > 1:
            lines.append(f"Column {name!r} has several values that are not compared (by={name!r} would).")
    return lines


def _and(words: Sequence[str]) -> str:
    return ", ".join(words[:-1]) + f" and {words[-1]}" if len(words) > 1 else words[0] if words else ""
