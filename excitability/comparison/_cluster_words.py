"""A cluster test in plain words."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from ..labels import capital, condition_label, protocol_label
from ..schema import display
from .sentences import _group as the_group
from .sentences import _p

#: Clusters with a larger p value are no evidence.
ALPHA = 0.05
#: Flag of a test whose p value cannot be ALPHA or smaller, whatever the potentials do.
CANNOT_JUDGE = "p_cannot_be_small"


def smallest_p(sizes: Sequence[int]) -> float:
    """Smallest p value that permutation can give: one over the ways to flip signs, or to part people into groups.

    A flip of all signs, and an exchange of two whole groups of one size, leave the test statistic as it is.

    >>> smallest_p([3]), smallest_p([5]), smallest_p([6])
    (0.25, 0.0625, 0.03125)
    >>> smallest_p([3, 3]), round(smallest_p([3, 4]), 3)
    (0.1, 0.029)
    """
    if len(sizes) == 1:
        return 2.0 ** (1 - sizes[0])
    return (2 if sizes[0] == sizes[1] else 1) / math.comb(sum(sizes), sizes[0])


def cluster_sentence(row: Mapping[str, Any], missing: int = 0, least: float = 0.0) -> str:
    """A row of :func:`compare_evoked` in plain words; the extent of a cluster is told as a description.

    ``least`` is the smallest p value that the people allow.

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
    if least > ALPHA:
        return (
            f"{place}: {row['n']} people are too few to judge whether {what} ({people}; smallest possible {_p(least)})."
        )
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


def clusters_in_brief(found: pd.DataFrame) -> list[str]:
    """Cluster tests in a few lines: each test with a cluster beyond chance, then the others counted.

    >>> clusters_in_brief(pd.DataFrame({"cluster": [1, 0], "p_value": [0.01, 1.0], "flag": "", "n": 12,
    ...     "sentence": ["It changed.", "No evidence."]}))
    ['It changed.', 'No evidence.']
    """
    first = found[found["cluster"] <= 1]
    flags = first["flag"].fillna("").str.split(";")
    unknown = flags.map(lambda words: CANNOT_JUDGE in words).astype(bool) | first["p_value"].isna()
    beyond = ~unknown & (first["p_value"] <= ALPHA)
    lines, rest, few = [str(text) for text in first.loc[beyond, "sentence"]], first[~unknown & ~beyond], first[unknown]
    if len(rest) == 1:
        lines.append(str(rest["sentence"].iloc[0]))
    elif len(rest):
        lines.append(
            f"{len(rest)} of {len(first)} cluster tests give no evidence of a change (smallest "
            f"{_p(rest['p_value'].min())})."
        )
    if len(few) == 1:
        lines.append(str(few["sentence"].iloc[0]))
    elif len(few):
        people = sorted(set(few["n"].astype(int)))
        lines.append(
            f"{len(few)} of {len(first)} cluster tests cannot be judged with {' or '.join(map(str, people))} people: p "
            f"cannot be {ALPHA:g} or smaller, whatever the potentials do."
        )
    return lines
