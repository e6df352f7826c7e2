"""The tables of a report: rows of words and numbers in display units."""

from __future__ import annotations

import math
import re
from collections.abc import Container, Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from ..comparison._scale import is_log
from ..labels import (
    LOG_ODDS,
    channel_label,
    condition_label,
    measure_label,
    protocol_label,
    series_label,
    time_column,
    times_in_order,
)
from ..plots._panels import centre
from ..schema import DERIVED, NOT_A_CHANGE, display_units
from ._flags import flag_in_words

_TEXT = ("participant", "session", "protocol", "channel", "condition", "measure", "unit", "form", "flag", "error")
_MINUS = "\u00a0−\u00a0"  # keeps what it stands between on one line
_SHARE = re.compile(r"probability|share|persistence|coverage|plateau_reached|map_truncated|jaccard|dice")
Rows = list[list[object]]
_SUPPORT = ("background_", "mep_probability")  # judged beside the results, not read as results


def prepared(results: pd.DataFrame, by: str | None) -> pd.DataFrame:
    """The result table with text where text belongs, and plain columns ``_time`` and ``_group``."""
    table = results.copy()
    for name in (*_TEXT, "version", "protocol_sha256"):
        table[name] = table[name].astype(object).fillna("").astype(str) if name in table else ""
    for name in ("value", "ci_low", "ci_high", "n_trials", "n_rejected"):
        table[name] = pd.to_numeric(table[name], errors="coerce").astype(float) if name in table else np.nan
    table["_time"] = table[time_column(table)].astype(object).fillna("").astype(str)
    if not table["_time"].any():  # figures and tables need a name for the one time point there is
        table["_time"] = "recorded"
    table["_group"] = table[by].fillna("").astype(str) if by and by in table else ""
    return table


def number(value: float, places: int | None = None, *, sign: bool = False) -> str:
    """A number with three significant figures, or with ``places`` decimals; a dash where there is none.

    >>> number(0.51234), number(-12.34, 1), number(float("nan")), number(3.0, 0, sign=True)
    ('0.512', '−12.3', '–', '+3')
    """
    if math.isnan(value):
        return "–"
    if abs(value) >= 1e5:  # an interval this wide says that nothing is known
        return "> 10⁵" if value > 0 else "< −10⁵"
    if places is None:
        places = max(0, 2 - math.floor(math.log10(abs(value)))) if value else 0
    text = f"{value:{'+' if sign else ''}.{min(places, 6)}f}"
    if float(text) == 0:
        text = text.lstrip("+-")
    return text.replace("-", "−")


def decimals(value: float, low: float, high: float) -> int:
    """Decimals that a value and its interval are shown with: two digits of half the interval's width.

    >>> decimals(21.3456, 21.2, 21.5), decimals(0.387, 0.283, 0.526), decimals(54.2, float("nan"), float("nan"))
    (2, 2, 1)
    >>> decimals(3.0, 0.0, 8.0)  # a count
    0
    """
    if all(number.is_integer() for number in map(float, (value, low, high)) if math.isfinite(number)):
        return 0
    if math.isfinite(high - low) and high - low > 1e-9 * abs(value):
        spread, digits = (high - low) / 2, 1
    else:
        spread, digits = abs(value), 2
    return min(6, max(0, digits - math.floor(math.log10(spread)))) if math.isfinite(spread) and spread > 0 else 0


def with_interval(value: float, low: float, high: float, *, sign: bool = False) -> str:
    """A number and its interval with the same decimals, chosen by the width of the interval."""
    if not math.isfinite(value):
        return "–"
    places = decimals(value, low, high)
    text = number(value, places, sign=sign)
    if math.isnan(low) or math.isnan(high):
        return text
    return f"{text} [{number(low, places, sign=sign)}, {number(high, places, sign=sign)}]"


def what_was_done(table: pd.DataFrame, protocols: Mapping[str, Any]) -> Rows:
    """One row a protocol: title, channels, sessions, trials a condition, failures, fingerprint."""
    rows: Rows = []
    for name, own in table.groupby("protocol", sort=False):
        known = protocols.get(str(name))
        title = getattr(known, "title", "") or protocol_label(str(name))
        parts = [protocol_label(part.name) for part in getattr(known, "parts", ())]
        made_of = f"\nfrom {' and '.join(parts)}" if parts else ""
        # a derived measure has rows for sessions that lack a part; they are no sessions that were done
        lacking = own["value"].isna() if str(name).startswith(DERIVED) else own["error"] != ""
        done = own[~lacking]
        trials = done.loc[done["n_trials"] > 0, "n_trials"]
        spread = "–"
        if len(trials):
            low, middle, high = trials.min(), trials.median(), trials.max()
            spread = f"{middle:g}" if low == high else f"{middle:g} ({low:g}–{high:g})"
        sessions = _sessions(done)
        failed = _sessions(own) - sessions if parts else _sessions(own[lacking])
        prints = sorted({sha[:12] for sha in own["protocol_sha256"] if sha})
        named = dict.fromkeys(channel_label(channel) or "all channels" for channel in done["channel"] if channel)
        channels = _few(named)
        rows.append(
            [f"{title}\n{name}{made_of}", channels, sessions, failed or "–", spread, " ".join(prints) or "–"],
        )
    return rows


def _sessions(rows: pd.DataFrame) -> int:
    return rows.groupby(["participant", "session"]).ngroups


def _few(words: Iterable[str], most: int = 6) -> str:
    items = list(words)
    rest = f" and {len(items) - most} more" if len(items) > most else ""
    return ", ".join(items[:most]) + rest or "–"


def who(table: pd.DataFrame) -> Rows:
    """One row a group: participants, and how many were recorded at each time point."""
    times = times_in_order(table["_time"])
    people = table[(table["error"] == "") & ~table["protocol"].str.startswith(DERIVED)]
    rows: Rows = []
    for group in sorted(set(table["_group"])):
        own = people[people["_group"] == group]
        seen = [own.loc[own["_time"] == time, "participant"].nunique() for time in times]
        rows.append([group or "all", own["participant"].nunique(), *seen])
    return rows


COMPARISON_HEAD = (
    "Contrast",
    "Group",
    "n",
    "Change [95 % interval]",
    "p\n(adjusted)",
    "Effect size",
    "Detectable change\n(one person; group)",
    "Responders",
    "Care",
)


def comparison_rows(comparison: pd.DataFrame) -> Rows:
    """The comparison in display units: a heading for each series, then a row for each contrast and group."""
    rows: Rows = []
    units = display_units(comparison)
    comparison = comparison.assign(_row=range(len(comparison)))
    shared = shared_cares(comparison)
    keys = ["protocol", "measure", "unit", "condition", "channel"]
    for (protocol, measure, _, condition, channel), part in comparison.groupby(keys, sort=False):
        found = dict.fromkeys(map(_found, part["literature"])) if "literature" in part else {}
        known = "; ".join(filter(None, found))
        name = series_label(str(protocol), str(condition), str(channel), str(measure))
        rows.append([name + f" (literature, after exercise: {known})" * bool(known)])
        told = ""
        for row in part.to_dict("records"):
            if not _holds_something(row):
                continue
            contrast = str(row["contrast"]).replace(" - ", _MINUS)
            rows.append(["" if contrast == told else contrast, *_contrast(row, units[row["_row"]], shared)])
            told = contrast
    return rows


def _care(row: Mapping[Any, Any], without: Container[str] = ()) -> list[str]:
    """Flags of a contrast in short words, but those that all share."""
    words = [_CARE.get(flag, flag.replace("_", " ")) for flag in _cares(row) if not flag.startswith("sdc_from")]
    return [word for word in words if word not in without]


def shared_cares(comparison: pd.DataFrame) -> list[str]:
    """What every contrast with an estimate is flagged with: said once above the table, not in each row."""
    told = [_care(row) for row in comparison.to_dict("records") if math.isfinite(float(row.get("estimate", math.nan)))]
    return [word for word in told[0] if all(word in words for words in told)] if len(told) > 1 else []


def _holds_something(row: Mapping[Any, Any]) -> bool:
    """Whether a row has an estimate or a p value; of joint tests that too few people allow there is nothing to read."""
    numbers = [float(row.get(name, math.nan)) for name in ("estimate", "p_value")]
    return str(row.get("form", "")) != "omnibus" or any(map(math.isfinite, numbers))


def _contrast(row: Mapping[Any, Any], shown_in: tuple[float, str], shared: Container[str] = ()) -> list[object]:
    form = str(row.get("form", ""))
    ratio = form == "log_ratio" or (form in NOT_A_CHANGE and math.isfinite(float(row.get("percent_change", math.nan))))
    factor, unit = (1.0, "%") if ratio else (1.0, LOG_ODDS) if form == "log_odds_ratio" else shown_in
    values = [float(row.get(name, math.nan)) for name in ("estimate", "ci_low", "ci_high")]
    with np.errstate(over="ignore"):
        values = [float(100 * np.expm1(value)) if ratio else value * factor for value in values]
    change = with_interval(*values, sign=form not in ("mean", "geometric_mean"))
    names = ("smallest_detectable_change", "smallest_detectable_group_change")
    bands = [_detectable(row.get(name), factor, ratio=ratio) for name in names]
    return [
        str(row.get("group", "")).replace(" - ", _MINUS) or "all",
        int(row.get("n", 0)),
        f"{change} {unit}".strip() if change != "–" else change,
        _p_values(row),
        number(float(row.get("effect_size", math.nan)), 2, sign=True),
        "–" if bands == ["–", "–"] else f"{'; '.join(bands)} {unit}".strip(),
        _share(row.get("responders")),
        ", ".join(_care(row, shared)),
    ]


#: Short words for flags whose names hold an abbreviation.
_CARE = {
    "sdc_raised": "spread below that of trials",
    "sdc_uncertain": "detectable change uncertain",
    "sdc_unknown": "detectable change unknown",
    "few_participants": "too few people",
}


def _found(text: Any) -> str:
    """The directions that the literature found, with how many findings: the sentence in short."""
    counts = re.findall(r"(up|down|no change|no difference) in (\d+) finding", str(text))
    return ", ".join(f"{words} ({n})" for words, n in counts)


def _p_values(row: Mapping[Any, Any]) -> str:
    adjusted = float(row.get("p_adjusted", math.nan))
    plain = p_value(float(row.get("p_value", math.nan)))
    return f"{plain} ({p_value(adjusted)})" if math.isfinite(adjusted) else plain


def _flags(text: Any) -> list[str]:
    return [flag for flag in str(text).split(";") if flag] if isinstance(text, str) else []


def _cares(row: Mapping[Any, Any]) -> list[str]:
    """Flags of a contrast that mean something for its measure: only ratios of MEPs depend on a test MEP."""
    ratio = str(row.get("measure", "")).startswith("conditioned_ratio")
    return [flag for flag in _flags(row.get("flag")) if ratio or flag != "test_mep_unknown"]


def _detectable(size: Any, factor: float, *, ratio: bool) -> str:
    size = float(size) if size is not None else math.nan
    if not math.isfinite(size):
        return "–"
    if ratio:  # a factor up is not the same percentage as the same factor down
        return f"{number(100 * math.expm1(-size), 0)}/{number(100 * math.expm1(size), 0, sign=True)}"
    return f"±{number(size * factor)}"


def p_value(value: float) -> str:
    """A p value in three decimals.

    >>> p_value(0.0004), p_value(0.034)
    ('< 0.001', '0.034')
    """
    if not math.isfinite(value):
        return "–"
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def _share(value: Any) -> str:
    value = float(value) if value is not None else math.nan
    return f"{100 * value:.0f} %" if math.isfinite(value) else "–"


def on_log_scale(own: pd.DataFrame) -> set[str]:
    """Measures of one protocol whose means are geometric: ratios, amplitudes and areas that are all positive.

    Their intervals can then not reach below zero.
    """
    names = set()
    for (protocol, measure), part in own[np.isfinite(own["value"])].groupby(["protocol", "measure"], sort=False):
        form, unit = str(part["form"].max()), str(part["unit"].max())
        plain = form not in ("log_ratio", "percent_inhibition") and bool((part["value"] > 0).all())
        if plain and is_log(str(protocol), str(measure), unit, form):
            names.add(str(measure))
    return names


def main_rows(results: pd.DataFrame, *, everything: bool = False) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Rows with a value that are results themselves, and those that only stand beside them.

    Of a measure with and without correction for noise the plain one is shown. What has no value is in neither.
    """
    if everything:
        return results, results.iloc[:0]
    known = results[results["value"].notna()]
    names = set(results["measure"])

    def stands_beside(name: str) -> bool:
        corrected = name.endswith("_corrected") and name.removesuffix("_corrected") in names
        conditioned = name.startswith("mep_amplitude") and "test_amplitude" in names  # the ratio says it
        return name.startswith(_SUPPORT) or corrected or conditioned

    beside = known["measure"].map(stands_beside).astype(bool)
    return (known, known.iloc[:0]) if beside.all() else (known[~beside], known[beside])


def group_values(own: pd.DataFrame) -> tuple[list[str], Rows]:
    """Group means at each time point with 95 % intervals, for the results of one protocol."""
    times = times_in_order(own["_time"])
    groups = sorted(set(own["_group"]))
    rows: Rows = []
    usable = own[np.isfinite(own["value"])].reset_index(drop=True)
    units, log_measures = display_units(usable), on_log_scale(usable)
    several = usable["participant"].nunique() > 1
    keys = ["measure", "unit", "form", "condition", "channel"]
    for (measure, _, form, condition, channel), part in usable.groupby(keys, sort=False):
        log = measure in log_measures
        factor, label = units[part.index[0]]
        label = {"ratio": "ratio", "log_ratio": "log ratio"}.get(str(form), label)
        typical = float(part["value"].abs().median()) * factor
        places = max(0, 2 - math.floor(math.log10(typical))) if typical > 0 else 2
        for group in groups:
            mine = part[part["_group"] == group]
            if mine.empty:
                continue
            cells: list[object] = []
            for time in times:
                values = mine.loc[mine["_time"] == time, "value"].to_numpy() * factor
                limits: tuple[float, ...] = centre(values, log=log)
                if values.size == 1:
                    alone = mine[mine["_time"] == time]
                    limits = (limits[0], *(float(alone[name].iloc[0]) * factor for name in ("ci_low", "ci_high")))
                if _SHARE.search(str(measure)):  # cannot lie outside 0 to 1, nor can what is known of it
                    limits = (limits[0], *(float(np.clip(limit, 0, 1)) for limit in limits[1:]))
                middle, low, high = (number(limit, places) for limit in limits)
                interval = "" if low == "–" else f" [{low}, {high}]"
                people = f" (n = {values.size})" if several else ""
                cells.append(f"{middle}{interval}{people}" if values.size else "–")
            name = measure_label(str(measure))
            name = f"{name}, {label}" if label and not (label == "ratio" and "ratio" in name.lower()) else name
            rows.append(
                [name, condition_label(str(condition)) or "–", channel_label(channel) or "–", group or "all", *cells]
            )
    return ["Measure", "Condition", "Channel", "Group", *times], rows


def flags_explained(table: pd.DataFrame, comparison: pd.DataFrame | None) -> Rows:
    """Each flag with its meaning, how often it was given, and where."""
    found: dict[str, list[tuple[str, str]]] = {}
    for row in table.to_dict("records"):
        for flag in _flags(row["flag"]):
            found.setdefault(flag, []).append((protocol_label(row["protocol"]), f"{row['participant']} {row['_time']}"))
    rows: Rows = []
    for flag, places in sorted(found.items(), key=lambda item: -len(item[1])):
        protocols = ", ".join(dict.fromkeys(protocol for protocol, _ in places))
        sessions = _few(dict.fromkeys(session for _, session in places), 4)
        name = "message of the reader" if flag.startswith("see_log:") else flag
        rows.append([name, flag_in_words(flag), _counted_as(len(places), "value"), protocols, sessions])
    if comparison is not None and "flag" in comparison:
        told: dict[str, list[tuple[str, str]]] = {}
        for row in comparison.to_dict("records"):
            for flag in _cares(row):
                place = protocol_label(str(row["protocol"])), str(row["contrast"]).replace(" - ", _MINUS)
                told.setdefault(flag, []).append(place)
        for flag, places in told.items():
            protocols, contrasts = (_few(dict.fromkeys(words), 8) for words in zip(*places, strict=True))
            rows.append([flag, flag_in_words(flag), _counted_as(len(places), "contrast"), protocols, contrasts])
    return rows


def _counted_as(n: int, thing: str) -> str:
    return f"{n} {thing}{'s' * (n != 1)}"
