"""Who is compared with whom: groups of different people, or arms that the same people went through (a crossover)."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..schema import unknown_word
from ._labels import CONTROL, as_text, some

_NUMBER = re.compile(r"(-?\d+(?:\.\d+)?)\s*(\D*)")
_VISIT = re.compile(r"(\D*)(\d+)")


@dataclass(frozen=True)
class Units:
    """One unit a person, or in a crossover one a person and arm."""

    labels: tuple[str, ...]  # one a unit: "01", or "01 (rest)"
    people: np.ndarray  # (n_units,) number of the person
    groups: np.ndarray  # (n_units,) number of the group or arm
    names: tuple[str, ...]  # of the groups; a control comes last
    crossed: bool
    periods: np.ndarray  # (n_units,) when a person had this arm: smaller is earlier; NaN unknown
    doses: tuple[float, ...]  # one a group; empty where the groups are no doses
    dose_unit: str


def read_units(table: pd.DataFrame, by: str | None, level_name: str, levels: Sequence[str]) -> tuple[Units, np.ndarray]:
    """Units of a tidy result table, and the label of the unit of each row ('' where a row belongs to none).

    Raises
    ------
    ValueError
        For an unknown column, fewer than two groups, people without a group, a group that changes in a few people,
        and sessions of a crossover without an arm.
    """
    participants = tuple(sorted(table["participant"].unique()))
    if by in (None, "group") or not _is_crossed(table, str(by), level_name, levels):
        names, groups = groups_of_people(table, by, participants)
        people = np.arange(len(participants))
        doses, unit = _doses(table, by, names)
        nobody = np.full(len(people), np.nan)
        units = Units(participants, people, groups, names, False, nobody, doses, unit)
        return units, table["participant"].to_numpy(dtype=object)
    arm = as_text(table[by])
    nameless = arm.eq("") & table[level_name].isin(list(levels))
    if nameless.any():
        raise ValueError(
            f"column {by!r} is empty in row {some(table.index[nameless])}; in a crossover every session has its {by}"
        )
    names = in_order(arm[arm.ne("")].unique())
    labels = tuple(f"{who} ({name})" for who in participants for name in names)
    keys = np.where(arm.ne(""), table["participant"] + " (" + arm + ")", "").astype(object)
    n_people, n_arms = len(participants), len(names)
    people, groups = np.repeat(np.arange(n_people), n_arms), np.tile(np.arange(n_arms), n_people)
    doses, unit = _doses(table, by, names)
    return Units(labels, people, groups, names, True, _periods(table, keys, labels, people), doses, unit), keys


def groups_of_people(
    table: pd.DataFrame, by: str | None, participants: tuple[str, ...]
) -> tuple[tuple[str, ...], np.ndarray]:
    """Names of the groups, and the number of each person's."""
    if by is None:
        return ("all",), np.zeros(len(participants), dtype=int)
    label = as_text(_column(table, by))
    pairs = pd.DataFrame({"participant": table["participant"], by: label})[label.ne("")].drop_duplicates()
    twice = pairs["participant"][pairs["participant"].duplicated()].unique()
    if len(twice) and by == "group":
        raise ValueError(in_two_groups(pairs, twice))
    if len(twice):
        raise ValueError(
            f"by={by!r} must be the same in all rows of a participant, or in a crossover hold each time point in "
            f"every {by}, but it changes in {some(twice)}"
        )
    lost = sorted(set(participants) - set(pairs["participant"]))
    if lost:
        raise ValueError(f"column {by!r} is empty for participant {some(lost)}")
    names = in_order(pairs[by].unique())
    if len(names) < 2:
        raise ValueError(f"by={by!r} needs two or more groups; all rows are {names[0]!r}. Leave by out")
    group_of = pairs.set_index("participant")[by]
    return names, pd.Index(names).get_indexer(pd.Index(group_of.loc[list(participants)]))


def in_two_groups(pairs: pd.DataFrame, twice: np.ndarray) -> str:
    """What to type where people are in several groups: two people under one code, an arm, or a slip."""
    who = str(twice[0])
    groups = in_order(pairs["group"][pairs["participant"] == who].unique())
    codes = " and ".join(repr(f"{name}{who}") for name in groups[:2])
    return (
        f"everybody is in one group, but the group changes in {some(twice)}: {who} is "
        f"{' and '.join(groups)}. If these are different people, give them codes that differ, such as {codes}; if they "
        "are the same people, call the column 'arm' and compare by='arm'"
    )


def _column(table: pd.DataFrame, by: str) -> pd.Series:
    if by not in table:
        raise ValueError(unknown_word("column for by", by, [n for n in table.columns if not str(n).startswith("_")]))
    return table[by]


def in_order(names: Sequence[str] | np.ndarray) -> tuple[str, ...]:
    """Larger numbers first and controls last, so that what is subtracted comes behind."""

    def place(name: str) -> tuple[bool, float, str]:
        number = _NUMBER.fullmatch(name)
        return bool(CONTROL.match(name)), -float(number.group(1)) if number else math.inf, name

    return tuple(sorted(names, key=place))


def _is_crossed(table: pd.DataFrame, by: str, level_name: str, levels: Sequence[str]) -> bool:
    """Whether most people have the same time point in two arms; a label that changes once is a mistake."""
    label = as_text(_column(table, by))
    held = pd.DataFrame({"who": table["participant"], "level": table[level_name], "arm": label})
    held = held[label.ne("") & table[level_name].isin(list(levels))].drop_duplicates()
    n_arms = held.groupby(["who", "level"])["arm"].nunique()
    crossed = sorted(set(n_arms.index[n_arms > 1].get_level_values("who")))
    several = held.groupby("who")["arm"].nunique()
    if crossed and len(crossed) * 2 < len(several):
        raise ValueError(
            f"by={by!r}: {some(crossed)} have {level_name} {levels[0]!r} or a later one in several {by}s, most others "
            f"in one; a crossover needs most people in two, and groups need everybody in one"
        )
    return bool(crossed)


def _doses(table: pd.DataFrame, by: str | None, names: tuple[str, ...]) -> tuple[tuple[float, ...], str]:
    """Dose of each group: its name where that is a number ("20 min"), else the column ``dose``; empty without three."""
    if by is None or len(names) < 3:
        return (), ""
    numbers = [_NUMBER.fullmatch(name) for name in names]
    found: list[float] = []
    unit = ""
    if by != "group" and all(numbers) and len({number.group(2) for number in numbers if number}) == 1:
        found = [float(number.group(1)) for number in numbers if number]
        unit = numbers[0].group(2).strip(" _-") if numbers[0] else ""
    elif "dose" in table:
        dose = pd.to_numeric(table["dose"], errors="coerce").groupby(as_text(table[by]))
        if (dose.nunique().reindex(names) == 1).all():
            found = [float(value) for value in dose.first().reindex(names)]
    return (tuple(found), unit) if len(set(found)) > 2 else ((), "")


def _periods(table: pd.DataFrame, keys: np.ndarray, labels: tuple[str, ...], people: np.ndarray) -> np.ndarray:
    """When each unit was: the column ``period``, else sessions that are numbered through (1, 2, …; visit1, visit2)."""
    if "period" in table:
        number = pd.to_numeric(as_text(table["period"]).where(lambda s: s.ne("")), errors="coerce")
        wrong = number.isna() & as_text(table["period"]).ne("")
        if wrong.any():
            given = as_text(table["period"])[wrong].iloc[0]
            raise ValueError(f"column 'period' must hold numbers (1, 2, …), but has {given!r} in row "
                             f"{some(table.index[wrong])}")  # fmt: skip
    elif "session" in table:
        visits = as_text(table["session"]).str.extract(_VISIT.pattern + "$")
        if visits[1].isna().any() or visits[0].nunique() > 1:
            return np.full(len(labels), np.nan)
        number = visits[1].astype(float)
    else:
        return np.full(len(labels), np.nan)
    spans = number.astype(float).groupby(keys).agg(["min", "max"]).reindex(labels).to_numpy()
    for person in range(int(people[-1]) + 1):  # arms that overlap in time have no order
        own = np.flatnonzero(people == person)
        order = own[np.argsort(spans[own, 0])]
        if (spans[order[:-1], 1] >= spans[order[1:], 0]).any():
            spans[own] = np.nan
    return spans[:, 0]
