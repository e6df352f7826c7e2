"""Who responded, in words: the count of a group, the people, and once for all why it cannot be said."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

_KEYS = ["protocol", "measure", "channel", "condition", "group", "contrast"]


def responders_in_words(found: pd.DataFrame, people: pd.DataFrame) -> Iterator[str]:
    """Sentences of the counts that can be said, the people below each, then how many cannot be said and why."""
    own = {key: rows for key, rows in people.groupby(_KEYS, sort=False, dropna=False)}
    reasons: dict[str, int] = {}
    for row in found.to_dict("records"):
        if not math.isfinite(row["share"]):
            why = _why(str(row["flag"]), int(row["n"]))
            reasons[why] = reasons.get(why, 0) + 1
            continue
        yield f"– {row['sentence']}"
        rows = own.get(tuple(row[name] for name in _KEYS))
        for direction, word in (("up", "rose"), ("down", "fell")):
            beyond = [] if rows is None else rows[rows["response"] == direction].to_dict("records")
            if beyond:
                yield f"  {word}: {', '.join(_person(one) for one in beyond)}"
    for why, number in reasons.items():
        yield f"{number} of {len(found)} cannot be said: {why}"


def _person(row: dict) -> str:
    percent = float(row["percent_change"])
    return f"{row['participant']} ({percent:+.0f} %)" if math.isfinite(percent) else str(row["participant"])


def _why(flag: str, n: int) -> str:
    from ..comparison.detectable import FEWEST_DF

    if n == 0:
        return "nobody has both sessions"
    if "sdc_unknown" in flag:
        return "no smallest detectable change is known; repeated baselines (pre, pre2) or a control group give one"
    enough = f"{FEWEST_DF + 1} are needed"
    if "sdc_from_controls" in flag:
        whom = f"the changes of too few controls ({enough})"
    elif "sdc_from_repeats" in flag:
        return f"the smallest detectable change comes from repeated baselines of too few people ({enough} in one group)"
    else:
        whom = f"the changes of too few people ({enough} in one group)"
    return f"the smallest detectable change comes from {whom}; repeated baselines (pre, pre2) of all would give it, too"
