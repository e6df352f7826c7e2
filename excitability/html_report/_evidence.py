"""Section of the report: what the literature says about the measures that were compared."""

from __future__ import annotations

import pandas as pd

from ..comparison import findings_on
from ..labels import measure_label, protocol_label
from . import _page as html

_HEAD = ["Measure", "Muscle", "Who", "What was compared", "Direction", "Size", "Source", "How verified"]
_DIRECTIONS = {"up": "larger", "down": "smaller", "none": "no difference"}


def literature(change: pd.DataFrame | None) -> str:
    """Findings on the measures of a comparison, in its order; empty where there are none."""
    if change is None or change.empty:
        return ""
    found = findings_on(change)
    if found.empty:
        return ""
    note = "Not part of any computation. Larger and smaller are of the value: a larger ratio is less inhibition."
    rows = [
        [
            f"{protocol_label(row['protocol'])}: {measure_label(row['measure'])}",
            row["muscle"] or "not stated",
            ", ".join(part for part in (row["population"], row["n"]) if part),
            row["contrast"] + (f", {row['time']:g} min after" if row["time"] == row["time"] else ""),
            _DIRECTIONS[row["direction"]],
            f"{row['size']} {row['size_unit']}".strip(),
            row["source"],
            row["verified"] + (f". {row['note']}" if row["note"] else ""),
        ]
        for row in found.to_dict("records")
    ]
    return html.paragraph(note, "note") + html.table(_HEAD, rows, caption="Findings on the same measures")
