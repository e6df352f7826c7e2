"""Tables of what was done: models, people left out, facts of the recordings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from ..labels import measure_label, protocol_label, times_in_order
from ..measures._tables import is_kept
from ..schema import DERIVED
from ._flags import reasons_in_words
from ._tables import Rows, _few


def models_told(change: pd.DataFrame) -> Rows:
    """Each model with its number of contrasts and its measures; degrees of freedom and counts are of single rows."""
    plain = change["model"].fillna("").astype(str).str.replace(r", df = [\d.]+|, \d+ (?=flips|orders)", "", regex=True)
    by_measure = [
        text.replace(f"{measure} ~", "value ~") for text, measure in zip(plain, change["measure"], strict=True)
    ]
    rows: Rows = []
    for model, own in change.groupby(pd.Series(by_measure, change.index), sort=False):
        if model:
            names = _few(dict.fromkeys(measure_label(str(name)) for name in own["measure"]), 4)
            rows.append([str(model).replace(" - ", " − "), len(own), names])
    return rows


def left_out(table: pd.DataFrame) -> Rows:
    """People who lack a time point of a protocol, with the time points."""
    times = times_in_order(table["_time"])
    if len(times) < 2:
        return []
    rows: Rows = []
    plain = table[~table["protocol"].str.startswith(DERIVED)]
    for name, own in plain.groupby("protocol", sort=False):
        held = own[own["value"].notna()].groupby("participant")["_time"].agg(set)
        told = [
            f"{who} ({', '.join(time for time in times if time not in held.get(who, set()))})"
            for who in sorted(set(own["participant"]))
            if set(times) - held.get(who, set())
        ]
        if told:
            rows.append([protocol_label(str(name)), "; ".join(told)])
    return rows


def recordings_told(recordings: pd.DataFrame | Iterable[Mapping[str, Any]]) -> Rows:
    """Acquisition facts: each fact with its values and how many recordings have them."""
    table = recordings if isinstance(recordings, pd.DataFrame) else pd.DataFrame([dict(entry) for entry in recordings])
    rows: Rows = []
    for name in table.columns:
        if name in ("participant", "session", "file", "source", "protocol", "timepoint", "group"):
            continue
        values = table[name].map(lambda value: "" if value is None or value is np.nan else str(value))
        counts = values[values != ""].value_counts()
        told = "; ".join(f"{value} ({count})" for value, count in counts.head(5).items())
        if told:
            rows.append([str(name).replace("_", " ").capitalize(), told])
    return rows


def failures(table: pd.DataFrame) -> Rows:
    """Recordings that could not be computed, with their messages."""
    lost = table[table["error"] != ""]
    return [
        [
            row["participant"] or "–",
            row["_time"] or row["session"] or "–",
            protocol_label(row["protocol"]),
            row["error"],
        ]
        for row in lost.to_dict("records")
    ]


def trials_kept(table: pd.DataFrame, trials: pd.DataFrame | None) -> Rows:
    """Trials kept and rejected for each protocol, with the commonest reasons where trials are known."""
    rows: Rows = []
    for name, own in table[table["error"] == ""].groupby("protocol", sort=False):
        if str(name).startswith(DERIVED):  # made of trials that their own protocol counts
            continue
        mine = None
        if trials is not None and {"protocol", "reject"} <= set(trials.columns):
            mine = trials[trials["protocol"] == name]
        if mine is not None and len(mine):
            good = is_kept(mine)
            kept, lost = int(good.sum()), int((~good).sum())
            reason = mine["reject"].astype(str).where(~good, "")
            reasons = reasons_in_words(reason)
        else:
            kept, lost = _counted(own)
            reasons = "–"
        share = f"{100 * lost / (kept + lost):.1f} %" if kept + lost else "–"
        rows.append([protocol_label(str(name)), kept, lost, share, reasons or "–"])
    return rows


def _counted(own: pd.DataFrame) -> tuple[int, int]:
    """Trials as the results count them: each condition once, 'all' only where there is nothing finer."""
    keys = ["participant", "session", "channel", "condition"]
    channels = set(own["channel"])
    pairs = {name for name in channels if "+" in name and set(name.split("+")) <= channels}
    own = own[~own["channel"].isin(pairs)]  # a pair of muscles has no trials but theirs
    counts = own.groupby(keys)[["n_trials", "n_rejected"]].max().reset_index()
    finer = counts["condition"] != "all"
    has_finer = finer.groupby([counts[key] for key in keys[:3]]).transform("any")
    counts = counts[finer | ~has_finer]
    return int(counts["n_trials"].fillna(0).sum()), int(counts["n_rejected"].fillna(0).sum())
