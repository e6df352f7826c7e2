"""What the literature found, beside a laboratory's own estimate; never part of a computation."""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..resources import muscle as find_muscle
from ..resources import protocols_path
from ..schema import unknown_word
from ._labels import CONTROL
from .multiplicity import changes

FIELDS = (
    "protocol",
    "measure",
    "muscle",
    "exercised",
    "population",
    "n",
    "kind",
    "contrast",
    "time",
    "direction",
    "size",
    "size_unit",
    "source",
    "verified",
    "note",
)
KINDS = ("case_control", "exercise", "training", "condition")
_REQUIRED = ("protocol", "measure", "muscle", "population", "kind", "contrast", "direction", "source", "verified")


def evidence(kind: str | None = None) -> pd.DataFrame:
    """Findings of ``protocols/shared/evidence.toml``, one row a finding.

    Parameters
    ----------
    kind : {"case_control", "exercise", "training", "condition"}, optional
        Only findings of this kind.

    Returns
    -------
    DataFrame
        Columns protocol, measure, muscle, exercised, population, n, kind, contrast, time (minutes after
        exercise, NaN where not stated), direction (up, down, none: of the value), size, size_unit, source,
        verified, note.

    Raises
    ------
    ValueError
        For an unknown kind, or a finding that lacks a field or says a word it may not.

    Examples
    --------
    >>> found = evidence("exercise")
    >>> set(found["direction"]) <= {"up", "down", "none"}
    True
    """
    if kind is not None and kind not in KINDS:
        raise ValueError(unknown_word("kind of evidence", kind, KINDS))
    table = _findings(protocols_path() / "shared" / "evidence.toml")
    return table.copy() if kind is None else table[table["kind"] == kind].reset_index(drop=True)


@functools.cache
def _findings(path: Path) -> pd.DataFrame:
    with path.open("rb") as file:
        findings = tomllib.load(file).get("finding", [])
    for number, finding in enumerate(findings, start=1):
        _check(finding, f"{path.name}, finding {number}")
    table = pd.DataFrame(findings, columns=list(FIELDS))
    table["time"] = table["time"].astype(float)
    text = [name for name in FIELDS if name != "time"]
    table[text] = table[text].fillna("")
    return table


def _check(finding: Mapping[str, object], where: str) -> None:
    for name in finding:
        if name not in FIELDS:
            raise ValueError(f"{where}: {unknown_word('field', name, FIELDS)}")
    for name in _REQUIRED:
        if name not in finding:
            raise ValueError(f"{where} has no {name!r}")
    if finding["kind"] not in KINDS:
        raise ValueError(f"{where}: {unknown_word('kind', finding['kind'], KINDS)}")
    if finding["direction"] not in ("up", "down", "none"):
        raise ValueError(f"{where}: {unknown_word('direction', finding['direction'], ('up', 'down', 'none'))}")


def contested_claims() -> pd.DataFrame:
    """Statements of the review by Zou & Hao (2024) where a source says something else, or nothing.

    Returns
    -------
    DataFrame
        ``about``, ``review`` (the claim, in this project's words), ``found``, ``verified``, and ``finding``: whether
        :func:`evidence` holds findings on it.

    Examples
    --------
    >>> claims = contested_claims()
    >>> claims[claims["about"] == "facilitation in chronic low back pain"]["found"].str.contains("not measured").all()
    np.True_
    """
    with (protocols_path() / "shared" / "evidence.toml").open("rb") as file:
        return pd.DataFrame(tomllib.load(file)["claim"])


def _stem(protocol: pd.Series) -> pd.Series:
    """Bare name of a protocol; that of trunk muscles measures the same as the one it is made of."""
    return protocol.astype(str).str.rsplit("/", n=1).str[-1].str.removesuffix("_trunk")


def findings_on(change: pd.DataFrame) -> pd.DataFrame:
    """What the literature reports on the measures of a comparison, each finding once.

    Parameters
    ----------
    change : DataFrame
        A table with the columns ``protocol`` and ``measure``, from :func:`compare`.

    Returns
    -------
    DataFrame
        Rows of :func:`evidence` on these measures in their order: exercise first, then training, case-control
        studies and experimental conditions. Areas net of background stand beside findings on amplitudes.

    Raises
    ------
    ValueError
        For a table without ``protocol`` or ``measure``.

    Examples
    --------
    >>> own = pd.DataFrame({"protocol": ["m1/lici"], "measure": ["conditioned_ratio"]})
    >>> set(findings_on(own)["measure"])
    {'conditioned_ratio'}
    """
    for name in ("protocol", "measure"):
        if name not in change:
            raise ValueError(f"comparison table has no column {name!r}; pass what compare returned")
    same = {"mep_area": "mep_amplitude", "conditioned_ratio_corrected": "conditioned_ratio"}
    own = pd.DataFrame({"protocol": _stem(change["protocol"]), "measure": change["measure"].replace(same)})
    own = own.drop_duplicates(ignore_index=True).assign(_order=lambda table: range(len(table)))
    found = evidence().merge(own, on=["protocol", "measure"], how="inner")
    found["_kind"] = found["kind"].map(["exercise", "training", "case_control", "condition"].index)
    return found.sort_values(["_order", "_kind"], kind="stable", ignore_index=True).drop(columns=["_order", "_kind"])


def finding_in_words(finding: Mapping[Any, Any] | pd.Series) -> str:
    """One finding as a line: where, in whom, what was compared, what came out, who says so and how that was checked.

    >>> print(finding_in_words(evidence("exercise").iloc[0]))
    sici conditioned_ratio, ECR: up (after - before moderate cycling; n = 12). Singh 2014 (abstract)
    """
    said = {name: str(finding[name]) for name in FIELDS if name != "time"}
    unit = f" {said['size_unit']}" if said["size_unit"] != "%" else " %"
    size = f", {said['size']}{unit}" if said["size"] else ""
    where = f", {said['muscle']}" if said["muscle"] else ""
    n = said["n"] if not said["n"].split(" ")[0].isdigit() or " " in said["n"] else f"n = {said['n']}"
    whom = "" if said["population"].startswith("not stated") else said["population"]
    time = finding["time"]
    later = f"{time:g} min after" if isinstance(time, float) and time == time else ""
    brackets = "; ".join(part for part in (whom, said["contrast"], later, n) if part)
    note = f" {said['note']}" if said["note"] else ""
    outcome = {"none": "no change" if said["kind"] in ("exercise", "training") else "no difference"}
    direction = outcome.get(said["direction"], said["direction"])
    return (
        f"{said['protocol']} {said['measure']}{where}: {direction}{size} ({brackets}). {said['source']} "
        f"({said['verified']}){'.' * bool(note)}{note}"
    )


def beside_evidence(
    change: pd.DataFrame, kind: str = "exercise", muscles: Mapping[str, str] | None = None
) -> pd.DataFrame:
    """Every row of a comparison with the findings on the same measure.

    Parameters
    ----------
    change : DataFrame
        A table from :func:`compare`.
    kind : {"exercise", "training", "case_control", "condition"}
        Kind of finding to lay beside it.
    muscles : mapping of str to str, optional
        Muscle of each channel; findings on the same muscle are then told apart.

    Returns
    -------
    DataFrame
        One row = row of ``change`` × finding: protocol, measure, channel, condition, group, contrast, estimate,
        ci_low, ci_high, ``found`` (up, down or unclear, from the interval), ``literature`` (up, down, none),
        ``same_muscle`` (yes, no, unknown), population, size, time and source of the finding. An unclear own
        result agrees with nothing and contradicts nothing.

    Raises
    ------
    ValueError
        For an unknown kind or a table that :func:`compare` did not make.

    Examples
    --------
    >>> change = pd.DataFrame({"protocol": ["m1/sici"], "measure": ["conditioned_ratio"], "channel": ["FDI"],
    ...     "condition": ["isi_0.0025"], "group": ["all"], "contrast": ["post0 - pre"], "estimate": [0.2],
    ...     "ci_low": [0.1], "ci_high": [0.3]})
    >>> set(beside_evidence(change)["found"])
    {'up'}
    """
    own = ["protocol", "measure", "channel", "condition", "group", "contrast", "estimate", "ci_low", "ci_high"]
    for name in own:
        if name not in change:
            raise ValueError(f"comparison table has no column {name!r}; pass what compare returned")
    found = evidence(kind).rename(columns={"protocol": "stem", "contrast": "literature_contrast"})
    rows = change[own].assign(stem=_stem(change["protocol"]))
    table = rows.merge(found, on=["stem", "measure"], how="inner")
    table["found"] = _direction(table)
    known = {channel: find_muscle(name).name for channel, name in (muscles or {}).items()}
    own_muscle = table["channel"].map(known)
    table["same_muscle"] = np.where(
        own_muscle.isna() | table["muscle"].eq(""),
        "unknown",
        np.where(own_muscle.eq(table["muscle"]), "yes", "no"),
    )
    table = table.rename(columns={"direction": "literature"})
    shown = ["muscle", "population", "literature_contrast", "time", "size", "size_unit", "source", "verified"]
    return table[[*own, "found", "literature", "same_muscle", *shown]]


def evidence_in_words(change: pd.DataFrame, kind: str = "exercise") -> pd.Series:
    """What the literature found, in a sentence for each contrast of a comparison: directions, sizes and sources.

    Parameters
    ----------
    change : DataFrame
        A table from :func:`compare`.
    kind : {"exercise", "training", "case_control", "condition"}

    Returns
    -------
    Series of str
        With the index of ``change``; empty where nothing is known of the measure, and for rows that findings of this
        kind do not speak of: those of case_control belong to differences from controls at one time point, all others to
        changes of one group.

    Raises
    ------
    ValueError
        For an unknown kind or a table that :func:`compare` did not make.

    Examples
    --------
    >>> change = pd.DataFrame({"protocol": ["m1/lici"], "measure": ["conditioned_ratio"], "channel": ["FDI"],
    ...     "condition": ["isi_0.1"], "group": ["all"], "contrast": ["post0 - pre"], "estimate": [0.2],
    ...     "ci_low": [0.1], "ci_high": [0.3]})
    >>> print(evidence_in_words(change)[0][:59])
    Literature (exercise): up in 2 findings (Mooney 2016, 10 mi
    """
    places = np.flatnonzero(_spoken_of(change, kind))
    asked = change.iloc[places]
    same = pd.DataFrame({"stem": _stem(asked["protocol"]), "measure": asked["measure"], "found": _direction(asked)})
    told = np.full(len(change), "", dtype=object)
    for own in same.groupby(list(same), sort=False).indices.values():  # the words depend on nothing else
        table = beside_evidence(asked.iloc[own[:1]], kind)
        told[places[own]] = _summary(table, kind) if len(table) else ""
    return pd.Series(told, index=change.index)


def _spoken_of(change: pd.DataFrame, kind: str) -> np.ndarray:
    """Rows that findings of a kind speak of: changes of one group, or differences from controls at one time."""
    if kind not in KINDS:
        raise ValueError(unknown_word("kind of evidence", kind, KINDS))
    for name in ("protocol", "measure", "group", "contrast", "ci_low", "ci_high"):
        if name not in change:
            raise ValueError(f"comparison table has no column {name!r}; pass what compare returned")
    second = change["group"].astype(str).str.partition(" - ")[2]
    over_time = change["contrast"].astype(str).str.contains(" - ", regex=False)
    wanted = second.str.match(CONTROL) & ~over_time if kind == "case_control" else second.eq("") & over_time
    return wanted.to_numpy(dtype=bool) & changes(change)


def _direction(change: pd.DataFrame) -> np.ndarray:
    return np.where(change["ci_low"] > 0, "up", np.where(change["ci_high"] < 0, "down", "unclear"))


def _summary(own: pd.DataFrame, kind: str) -> str:
    """Findings on one contrast, by direction, and whether the own result agrees."""
    parts = []
    for direction, words in (("up", "up"), ("down", "down"), ("none", "no change")):
        held = own[own["literature"] == direction]
        if len(held):
            sources = "; ".join(dict.fromkeys(_source(row) for row in held.to_dict("records")))
            parts.append(f"{words} in {len(held)} finding{'s' * (len(held) != 1)} ({sources})")
    found = own["found"].iloc[0]
    changed = own.loc[own["literature"] != "none", "literature"]
    if found == "unclear":
        verdict = "this study: unclear"
    elif changed.empty:
        verdict = f"this study: {found}"
    else:
        same = int((changed == found).sum())
        verdict = f"this study: {found}, as {same} of the {len(changed)} that found a change"
    return f"Literature ({kind.replace('_', ' ')}): {', '.join(parts)}; {verdict}."


def _source(row: Mapping[Any, Any]) -> str:
    """Who says so, when after the exercise, and the size, without journal and remarks."""
    time = f", {row['time']:g} min after" if row["time"] == row["time"] else ""
    unit = str(row["size_unit"]).split(" (")[0]
    size = f": {row['size']} {unit}".rstrip() if row["size"] else ""
    return f"{str(row['source']).split(',')[0]}{time}{size}"
