"""Who responded: the change of every person beside the smallest detectable change of one."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd

from ..schema import Column
from .design import SERIES, read_design
from .detectable import smallest_detectable_change

#: Columns of :func:`responding_people`.
COLUMNS = {
    name: Column(name, unit, dtype, meaning)
    for name, unit, dtype, meaning in (
        ("protocol", "", "str", "protocol name"),
        ("measure", "", "str", "name of the measure"),
        ("channel", "", "str", "EMG channel, EEG region or electrode"),
        ("condition", "", "str", "condition of the protocol"),
        ("participant", "", "str", "label of the person"),
        ("group", "", "str", "group, or 'all'"),
        ("contrast", "", "str", "what is compared, e.g. 'post0 - pre'"),
        ("change", "as in unit", "float", "change of the person; missing where a session is"),
        ("percent_change", "%", "float", "the same in percent, where it is one of logarithms"),
        ("smallest_detectable_change", "as in unit", "float", "change of one person that counts as a response"),
        ("unit", "", "str", "unit of change; 1 for a logarithm"),
        ("response", "", "str", "up, down, within (the error of measurement); empty where that cannot be said"),
        ("flag", "", "str", "where the smallest detectable change came from, and what must be known of it"),
    )
}


def responding_people(
    results: pd.DataFrame,
    before: str | Sequence[str] = "pre",
    after: str | Sequence[str] = "post0",
    within: str = "session",
    by: str | None = None,
) -> pd.DataFrame:
    """List the people with their changes, and whether each is beyond the smallest detectable change of one person.

    Parameters
    ----------
    results, before, after, within, by
        As in :func:`compare`.

    Returns
    -------
    DataFrame
        One row = measure × contrast × person, columns ``COLUMNS``. :func:`responders` counts the same people.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> value = 0.02 + rng.normal(0, 1e-4, (24, 3)) + [0, 0, 1e-3]
    >>> results = pd.DataFrame({"participant": [f"{i:02d}" for i in range(24)] * 3,
    ...     "session": np.repeat(["pre", "pre2", "post0"], 24), "measure": "mep_latency", "unit": "s",
    ...     "value": value.T.ravel()})
    >>> responding_people(results)["response"].value_counts().to_dict()
    {'up': 24}
    """
    design = read_design(results, within, before, after, by, ())
    rows = []
    for number, info in enumerate(design.records):
        if design.shrunken[number]:
            continue  # their spread is not that of people
        log = info["scale"] == "log_ratio"
        for level, name in enumerate(design.after, start=1):
            detectable = smallest_detectable_change(design, number, level)
            usable = math.isfinite(detectable.one_person) and not detectable.uncertain
            for person, group, change in zip(
                design.participants, design.groups, design.change(number, level), strict=True
            ):
                known = usable and math.isfinite(change)
                beyond = abs(change) > detectable.one_person
                rows.append(
                    {
                        **{word: info[word] for word in SERIES},
                        "participant": person,
                        "group": design.group_names[group],
                        "contrast": f"{name} - {design.before}",
                        "change": change,
                        "percent_change": 100 * np.expm1(change) if log else math.nan,
                        "smallest_detectable_change": detectable.one_person,
                        "unit": "1" if log else info["unit"],
                        "response": ("up" if change > 0 else "down") if known and beyond else "within" * known,
                        "flag": detectable.flag,
                    }
                )
    return pd.DataFrame(rows, columns=list(COLUMNS))
