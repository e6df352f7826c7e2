"""A cluster test in plain words."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from ..labels import capital, condition_label, protocol_label
from ..schema import display
from .sentences import _group as the_group
from .sentences import _p

#: Clusters with a larger p value are no evidence.
ALPHA = 0.05


def cluster_sentence(row: Mapping[str, Any], missing: int = 0) -> str:
    """A row of :func:`compare_evoked` in plain words; the extent of a cluster is told as a description.

    >>> cluster_sentence({"protocol": "dlpfc/tep", "condition": "all", "group": "all", "contrast": "post0 - pre",
    ...     "window": "early", "window_start": 0.015, "window_stop": 0.08, "cluster": 0, "p_value": 1.0, "n": 12})
    'DLPFC TEP, early window (15 to 80 ms): no evidence that the potential changed from pre to post0 (no cluster...'
    """
    factor, unit = display("s")
    after, before = row["contrast"].split(" - ", 1)
    when = condition_label(row["condition"])
    name = capital(protocol_label(row["protocol"]) or "evoked potential") + (f" ({when})" if when else "")
    span = f"{row['window_start'] * factor:g} to {row['window_stop'] * factor:g} {unit}"
    place = f"{name}, {'early ' if row['window'] == 'early' else 'late ' * (row['window'] == 'late')}window ({span})"
    people = f"n = {row['n']}" + (f", {missing} without both sessions" if missing else "")
    pair = row["group"].split(" - ", 1)
    whom = "" if pair == ["all"] else f" in {the_group(pair[0])}"
    what = f"the potential changed from {before} to {after}{whom}"
    if len(pair) == 2:
        groups = f"{the_group(pair[0])} and {the_group(pair[1])}"
        what = f"the change from {before} to {after} differs between {groups}"
    if not math.isfinite(row["p_value"]):
        return f"{place}: too few people to say whether {what} ({people})."
    if not row["cluster"]:
        cluster = "no cluster" if row["p_value"] == 1 else f"smallest {_p(row['p_value'])}"
        return f"{place}: no evidence that {what} ({cluster}; {people})."
    more = "more positive" if row["sign"] == "positive" else "more negative"
    if len(pair) == 2:
        more += f" change in {the_group(pair[0])}"
    channels = row["channels"].split("+")
    over = "one channel" if len(channels) == 1 else f"{len(channels)} channels"
    seen = (
        f"{more}, at about {row['t0'] * factor:.0f} to {row['t1'] * factor:.0f} {unit} over {over}, "
        f"most at {row['peak_channel']}, {row['peak_time'] * factor:.0f} {unit}"
    )
    if row["p_value"] > ALPHA:
        return f"{place}: no clear evidence that {what} (cluster {_p(row['p_value'])}; {people}; largest: {seen})."
    return (
        f"{place}: {what} (cluster {_p(row['p_value'])}; {people}). The cluster: {seen}; its extent is a description, "
        "not a result."
    )
