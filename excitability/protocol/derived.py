"""Measures of a battery that need the results of several protocols, or the trials of all sessions together."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_type_hints

import pandas as pd
from pydantic import TypeAdapter, ValidationError

from .. import __version__
from ..labels import ratio_effect
from ..measures import DERIVED_KINDS, Measure, get_measure, list_measures
from ..schema import DERIVED, RESULT_COLUMNS, join_flags, unknown_word
from .grammar import Protocol

_OWNER = ["participant", "session"]
_GROUPS = ("group", "arm")
_EFFECTS = ("inhibition", "facilitation")


@dataclass(frozen=True)
class Derived:
    """One ``[[derived]]`` entry of a battery.

    Attributes
    ----------
    name : str
        What stands in the column ``protocol`` of its rows, such as ``"derived/ei_composite"``.
    measure : str
    arguments : mapping
        Arguments of the measure, the protocols that it is made of by their full names.
    parts : tuple of Protocol
        Protocols that it is made of.
    """

    name: str
    measure: str
    arguments: Mapping[str, Any]
    parts: tuple[Protocol, ...]

    def content(self) -> dict[str, Any]:
        """The entry as plain values, for :func:`read_derived`."""
        own = {"measure": self.measure, "name": self.name.removeprefix(DERIVED), **self.arguments}
        study = get_measure(self.measure).kind == "study"
        return own | ({"protocol": self.parts[0].name} if study else {})

    @property
    def description(self) -> str:
        """What the measure is: the first two paragraphs of its documentation."""
        text = (get_measure(self.measure).function.__doc__ or "").split("\n    Parameters\n")[0]
        return re.sub(r"``?", "", " ".join(" ".join(text.split("\n\n")[:2]).split()))

    @property
    def references(self) -> tuple[str, ...]:
        """Sources of the measure."""
        return get_measure(self.measure).references

    @property
    def sha256(self) -> str:
        """Fingerprint of everything that can change a number."""
        numbers = [self.measure, dict(self.arguments), [part.sha256 for part in self.parts]]
        return hashlib.sha256(json.dumps(numbers, sort_keys=True, default=str).encode()).hexdigest()


def read_derived(entries: Iterable[Mapping[str, Any]], protocols: Iterable[Protocol], where: str) -> list[Derived]:
    """The ``[[derived]]`` entries of a battery, checked word by word.

    Raises
    ------
    ValueError
        Naming the file, the entry and the nearest valid word.
    """
    known = {protocol.name: protocol for protocol in protocols}
    found: list[Derived] = []
    for entry in entries:
        try:
            found.append(_read(entry, known))
        except ValueError as error:
            raise ValueError(f"{where}, [[derived]] {entry.get('measure', '')}: {error}") from None
        if found[-1].name in [other.name for other in found[:-1]]:
            raise ValueError(
                f"{where}, [[derived]] {entry['measure']}: two entries are called {found[-1].name!r}; "
                "give one of them a name = '…' of its own"
            )
    return found


def _read(entry: Mapping[str, Any], protocols: Mapping[str, Protocol]) -> Derived:
    if "measure" not in entry:
        raise ValueError(f"the entry has no 'measure'; its words are: {', '.join(entry) or '(none)'}")
    names = [name for kind in DERIVED_KINDS for name in list_measures(kind)]
    if entry["measure"] not in names:
        raise ValueError(unknown_word("derived measure", entry["measure"], names))
    measure = get_measure(entry["measure"])
    words = ("measure", "name", *(("protocol",) if measure.kind == "study" else ()), *measure.parameters)
    for word in entry:
        if word not in words:
            raise ValueError(unknown_word("parameter", word, words))
    name = str(entry.get("name", measure.name))
    if not re.fullmatch(r"\w+", name):
        raise ValueError(f"name = {name!r} must be one word of letters, digits and _")
    arguments = {word: _checked(measure, word, value) for word, value in entry.items() if word in measure.parameters}
    if measure.kind == "study":
        if "protocol" not in entry:
            raise ValueError("it takes the trials of one protocol; say which: protocol = 'm1/…'")
        parts = [_resolved("protocol", entry["protocol"], protocols)]
    else:
        parts = [_resolved(word, entry.get(word, measure.parameters[word]), protocols) for word in measure.parts]
        arguments.update(zip(measure.parts, (part.name for part in parts), strict=True))
        _check_words(measure, arguments, parts)
    return Derived(f"{DERIVED}{name}", measure.name, arguments, tuple(parts))


def _check_words(measure: Measure, arguments: Mapping[str, Any], parts: Sequence[Protocol]) -> None:
    """Refuse what can be known to fail before anything is run: protocols swapped, conditions and measures unknown."""
    named = dict(zip(measure.parts, parts, strict=True))
    for word, part in named.items():
        effect = ratio_effect(part.name)
        if word in _EFFECTS and effect in _EFFECTS and effect != word:
            raise ValueError(f"{word}: {part.name} is a protocol of {effect}; are the two swapped?")
        _check_condition(f"{word}_condition", arguments.get(f"{word}_condition"), part)
        if len(measure.parts) == 2 and set(measure.parts) == set(_EFFECTS):
            of = arguments.get("of", measure.parameters["of"])
            if of not in part.summary and not part.average and not part.epochs:
                raise ValueError(unknown_word(f"measure of {part.name}", of, part.summary))


def _check_condition(word: str, condition: Any, part: Protocol) -> None:
    """Whether a protocol can have a condition of this name, as far as its templates say."""
    if condition is None or not part.conditions:
        return
    patterns = [re.sub(r"\\\{\w+\\\}", ".+", re.escape(name)) for name in part.conditions]
    if not any(re.fullmatch(pattern, condition) for pattern in patterns):
        raise ValueError(f"{word}: " + unknown_word(f"condition of {part.name}", condition, part.conditions))


def _checked(measure: Measure, word: str, value: Any) -> Any:
    """A value of the kind that the function's signature says."""
    try:
        TypeAdapter(get_type_hints(measure.function)[word]).validate_python(value)
    except ValidationError as error:
        raise ValueError(f"{word} = {value!r}: {error.errors()[0]['msg']}") from None
    return value


def _resolved(word: str, name: Any, protocols: Mapping[str, Protocol]) -> Protocol:
    hits = [full for full in protocols if name in (full, full.rsplit("/", 1)[-1])]
    if len(hits) != 1:
        raise ValueError(f"{word}: " + unknown_word("protocol of this battery", name, protocols))
    return protocols[hits[0]]


def derive(derived: Derived, results: pd.DataFrame, trials: pd.DataFrame, by: str = "") -> pd.DataFrame:
    """Result rows of a derived measure; a person and session that lack a part have NaN and a flag.

    Parameters
    ----------
    derived : Derived
    results : DataFrame
        Result rows of all sessions, failures included.
    trials : DataFrame
        Trial rows of all sessions with ``protocol``, and ``timepoint``, ``group`` … where the study has them.
    by : str
        Column of the groups.

    Returns
    -------
    DataFrame
        Columns of a result table; empty where no part was recorded at all.
    """
    rows = results[results["protocol"].isin([part.name for part in derived.parts])]
    if rows.empty:
        return pd.DataFrame(columns=list(RESULT_COLUMNS))
    good = rows[(rows["error"] == "") & (rows["measure"] != "")]
    try:
        found, told = _computed(derived, good, trials, by), ""
    except (ValueError, ImportError) as error:  # is said at each of the sessions; what they gave is not lost for it
        found, told = pd.DataFrame(), "see_log:" + " ".join(str(error).split()).replace(";", ",")[:160]
    table = _with_missing(derived, rows, good, found, told)
    table["protocol"], table["protocol_sha256"], table["version"] = derived.name, derived.sha256, __version__
    table["error"] = ""
    return table.astype({"n_trials": "int64", "n_rejected": "int64"})[list(RESULT_COLUMNS)]


def _computed(derived: Derived, good: pd.DataFrame, trials: pd.DataFrame, by: str) -> pd.DataFrame:
    entry, arguments = get_measure(derived.measure), dict(derived.arguments)
    if entry.kind == "results":
        return entry.function(good, **arguments)
    mine = trials[trials["protocol"] == derived.parts[0].name] if "protocol" in trials else trials
    if mine.empty:
        return pd.DataFrame()
    if "levels" in entry.parameters and "levels" not in arguments:
        # what will be compared must not be shrunken away: each time point and group has a mean of its own
        time = "timepoint" if "timepoint" in mine and mine["timepoint"].fillna("").ne("").any() else "session"
        levels = [name for name in dict.fromkeys((time, *_GROUPS, by)) if name in mine]
        mine = mine.assign(**{name: mine[name].fillna("") for name in levels})
        arguments["levels"] = levels
    return entry.function(mine, **arguments)


def _with_missing(
    derived: Derived, rows: pd.DataFrame, good: pd.DataFrame, found: pd.DataFrame, told: str
) -> pd.DataFrame:
    """The rows that were found and those that are missing, in the order of the sessions."""
    entry = get_measure(derived.measure)
    form = str(found["form"].iloc[0]) if len(found) else entry.form
    there = {key: part for key, part in found.groupby([*_OWNER, "channel"], sort=False)} if len(found) else {}
    has = set(zip(good["protocol"], good["participant"], good["session"], good["channel"], strict=True))
    everywhere = list(dict.fromkeys(channel for channel in good["channel"] if channel and "+" not in channel))
    parts = []
    for participant, session in rows[_OWNER].drop_duplicates().itertuples(index=False):
        person = {channel for _, who, _, channel in has if who == participant}
        own = {channel for _, who, when, channel in has if (who, when) == (participant, session)}
        for channel in [name for name in everywhere if name in (own or person or everywhere)]:
            if (participant, session, channel) in there:
                parts.append(there[participant, session, channel])
                continue
            absent = [part.name for part in derived.parts if (part.name, participant, session, channel) not in has]
            flag = f"missing_part:{', '.join(absent)}" if absent else told or "missing_part"
            owner = {"participant": participant, "session": session, "channel": channel}
            parts.append(_missing_rows(entry, owner | {"form": form}, flag))
    if not parts:
        return pd.DataFrame({name: [] for name in RESULT_COLUMNS})
    table = pd.concat(parts, ignore_index=True).reindex(columns=list(RESULT_COLUMNS))
    text = [name for name, column in RESULT_COLUMNS.items() if column.dtype == "str"]
    table[text] = table[text].astype(object).fillna("").astype("str")
    table["flag"] = [join_flags(flag) for flag in table["flag"]]
    return table.fillna({"n_trials": 0, "n_rejected": 0})


def _missing_rows(entry: Measure, owner: Mapping[str, str], flag: str) -> pd.DataFrame:
    names = [entry.name] if isinstance(entry.unit, str) else list(entry.unit)
    nothing = {"value": float("nan"), "ci_low": float("nan"), "ci_high": float("nan"), "n_trials": 0, "n_rejected": 0}
    return pd.DataFrame(
        [
            {**owner, "condition": "all", "measure": name, "unit": entry.unit_of(name), **nothing} | {"flag": flag}
            for name in names
        ]
    )
