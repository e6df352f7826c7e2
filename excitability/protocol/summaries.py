"""Result rows of a trial table: the measures of the section [summary]."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from .. import __version__
from ..measures import get_measure
from ..measures._tables import is_kept
from ..schema import RESULT_COLUMNS, STIMULUS_COLUMNS, Estimate, join_flags
from .grammar import Protocol
from .own_trials import is_direct
from .rows import items, missing, row
from .stimulus_flags import OF_CONDITIONS


def summarise(protocol: Protocol, table: pd.DataFrame) -> pd.DataFrame:
    """Result rows of a trial table: see :meth:`Protocol.summarise`."""
    rows = []
    channels = {str(channel): mine for channel, mine in table.groupby("channel", sort=False)}
    for channel, mine in channels.items():
        trials = _Trials(str(channel), mine)
        kept = trials.kept
        among = kept if len(kept) else mine
        flags: dict[tuple[str, ...], tuple[str, str]] = {}
        for key, arguments in protocol.summary.items():
            if get_measure(arguments.get("measure", key)).over == "pairs":
                continue
            try:
                found = _summary_rows(key, dict(arguments), trials)
            except ValueError as error:
                raise ValueError(f"{protocol.name}, [summary] {key}, channel {channel}: {error}") from error
            test = arguments.get("test")
            for entry in found:
                named = (entry["condition"], *([test] if isinstance(test, str) else []))
                if named not in flags:  # most measures are of the same conditions
                    pooled = among if named[0] == "all" else among[among["condition"].isin(named)]
                    flags[named] = _stimulus_words(kept, named), _trial_flags(pooled)
                rows.append({**entry, "flag": join_flags(entry["flag"], *flags[named])})
    for key, arguments in protocol.summary.items():
        if get_measure(arguments.get("measure", key)).over == "pairs":
            rows += _pair_rows(key, dict(arguments), channels)
    return finished(protocol, rows)


@dataclass
class _Trials:
    """Trials of one channel, and what every measure asks of them."""

    channel: str
    mine: pd.DataFrame
    _parts: dict[str, tuple[pd.DataFrame, bool]] = field(default_factory=dict)

    @cached_property
    def kept(self) -> pd.DataFrame:
        return self.mine[is_kept(self.mine)]

    @cached_property
    def rejected(self) -> Counter[str]:
        return Counter(self.mine["condition"][~is_kept(self.mine)])

    @cached_property
    def whole(self) -> pd.DataFrame:
        return self.mine[self.mine["condition"] != ""]

    @cached_property
    def conditions(self) -> list[str]:
        return [condition for condition in dict.fromkeys(self.mine["condition"]) if condition]

    def of(self, condition: str) -> tuple[pd.DataFrame, bool]:
        """Kept trials of a condition, and whether all of its trials answer the nerve itself."""
        if condition not in self._parts:
            direct = bool(is_direct(self.mine[self.mine["condition"] == condition]).all())
            self._parts[condition] = self.kept[self.kept["condition"] == condition], direct
        return self._parts[condition]


def _pair_rows(key: str, arguments: dict[str, Any], channels: Mapping[str, pd.DataFrame]) -> list[dict[str, Any]]:
    """Rows of a measure on each pair of channels; trials that either muscle lost are left out."""
    entry = get_measure(arguments.pop("measure", key))
    rows = []
    for (first, one), (second, two) in combinations(channels.items(), 2):
        lost = int((~is_kept(one) | ~is_kept(two)).sum())
        for name, item, unit in items(key, entry, entry.function(one, two, **arguments)):
            rows.append(row(f"{first}+{second}", "all", name, item, unit, "", lost))
    return rows


def _trial_flags(trials: pd.DataFrame) -> str:
    """Flags that most of the trials carry, and those of at least a fifth as ``…_in_some``."""
    number: Counter[str] = Counter()
    for flags, count in (trials["flag"].value_counts() if "flag" in trials else pd.Series(dtype=int)).items():
        number.update({word: int(count) for word in str(flags).split(";")})
    share = {word: count / len(trials) for word, count in number.most_common() if word not in ("", *OF_CONDITIONS)}
    return join_flags(*(word if part > 0.5 else f"{word}_in_some" for word, part in share.items() if part >= 0.2))


def _stimulus_words(trials: pd.DataFrame, conditions: Iterable[str]) -> str:
    """Flags of the stimuli of some conditions (``"all"``: of all trials), however few trials carry them."""
    if "flag" not in trials or not trials["flag"].str.contains("|".join(OF_CONDITIONS)).any():
        return ""
    told = []
    for condition in conditions:
        flags = trials["flag"] if condition == "all" else trials.loc[trials["condition"] == condition, "flag"]
        for word in OF_CONDITIONS:
            share = flags.str.split(";").map(lambda words, word=word: word in words).mean() if len(flags) else 0.0
            told.append(word if share > 0.5 else f"{word}_in_some" if share else "")
    return join_flags(*told)


def _summary_rows(key: str, arguments: dict[str, Any], trials: _Trials) -> list[dict[str, Any]]:
    entry = get_measure(arguments.pop("measure", key))
    form = arguments.get("form", entry.form) if entry.form else ""
    of = arguments.get("of", entry.parameters.get("of"))
    kept, whole, rejected, conditions = trials.kept, trials.whole, trials.rejected, trials.conditions
    # one row of several conditions: a measure that knows which of them is the test counts what it lost itself
    counts = entry.over == "table" and "test" in entry.parameters
    rows = []

    def add(condition: str, name: str, value: Any, unit: str) -> None:
        estimate = value if isinstance(value, Estimate) else Estimate(float(value), n=len(kept))
        lost = rejected.total() - rejected[""] if condition == "all" else rejected[condition]
        lost = estimate.n_rejected if counts and len(kept) else lost
        unit = "%" if form.startswith("percent") else unit or _unit_of_column(of)
        rows.append(row(trials.channel, condition, name, estimate, unit, form, int(lost)))

    if not len(kept):
        for name, item, unit in missing(key, entry, Estimate(np.nan, flag="no_trials_kept")):
            add("all", name, item, unit)
        return rows
    if entry.over == "condition":
        for condition in conditions:
            part, direct = trials.of(condition)
            if isinstance(of, str) and of.startswith("mep_") and direct:
                continue  # the tail of an M wave
            value = entry.function(part, **arguments)
            for name, item, unit in items(key, entry, value):
                add(condition, name, item, unit)
        return rows
    if entry.over == "conditioned":
        test = arguments.get("test", entry.parameters.get("test"))
        if test not in set(kept["condition"]):
            for condition in conditions:
                add(condition, key, Estimate(np.nan, flag="no_test_trials"), entry.unit_of())
            return rows
    value = entry.function(whole if counts or entry.over == "conditioned" else kept, **arguments)
    if entry.over == "conditioned":
        values = value if isinstance(value, Mapping) else {_only_condition(whole, arguments): value}
        values = values or {"all": Estimate(np.nan, flag="no_conditioned_trials")}
        for condition, item in values.items():
            add(condition, key, item, entry.unit_of())
        return rows
    for name, item, unit in items(key, entry, value):
        add("all", name, item, unit)
    return rows


def _only_condition(whole: pd.DataFrame, arguments: Mapping[str, Any]) -> str:
    """Name of the condition of a measure that returned one value: rows that were all rejected have one too."""
    test = arguments.get("test", "test")
    others = [condition for condition in dict.fromkeys(whole["condition"]) if condition != test]
    return others[0] if others else "all"


def _unit_of_column(name: Any) -> str:
    if name in STIMULUS_COLUMNS:
        return STIMULUS_COLUMNS[name].unit
    return get_measure(name).unit_of() if isinstance(name, str) else ""


def finished(protocol: Protocol, rows: list[dict[str, Any]]) -> pd.DataFrame:
    """Result table of some rows, with what the protocol adds."""
    table = pd.DataFrame(rows, columns=list(RESULT_COLUMNS))
    table["protocol"] = protocol.name
    table["protocol_sha256"] = protocol.sha256
    table["version"] = __version__
    for column in ("participant", "session", "error"):
        table[column] = ""
    return table
