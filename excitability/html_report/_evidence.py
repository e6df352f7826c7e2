"""Section of the report: what the literature says about the measures that were compared."""

from __future__ import annotations

import pandas as pd

from ..comparison import evidence_in_words, findings_on
from ..labels import measure_in_words, measure_label, protocol_label
from ..schema import NOT_A_CHANGE
from . import _page as html

_HEAD = ["Measure", "Muscle", "Who", "What was compared", "Direction", "Size", "Source", "How verified"]
_NOTHING = "The table of evidence (protocols/shared/evidence.toml) holds no finding on"
_SAME = {"mep_area": "mep_amplitude", "conditioned_ratio_corrected": "conditioned_ratio"}
_MOST = 8
_DIRECTIONS = {"up": "larger", "down": "smaller", "none": "no difference"}


def literature(change: pd.DataFrame | None) -> str:
    """Findings on the measures of a comparison, in its order; empty where there are none."""
    if change is None or change.empty:
        return ""
    found = findings_on(change)
    if found.empty:
        return html.paragraph(f"{_NOTHING} any measure of this comparison.")
    held = set(zip(found["protocol"], found["measure"], strict=True))
    without = [
        f"{protocol_label(protocol)}: {measure_in_words(measure)}"
        for protocol, measure in dict.fromkeys(zip(change["protocol"], change["measure"], strict=True))
        if (protocol.rsplit("/", 1)[-1].removesuffix("_trunk"), _SAME.get(measure, measure)) not in held
    ]
    more = f", and {len(without) - _MOST} more" if len(without) > _MOST else ""
    nothing = html.paragraph(f"{_NOTHING}: {'; '.join(without[:_MOST])}{more}.", "note") if without else ""
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
    return html.paragraph(note, "note") + html.table(_HEAD, rows, caption="Findings on the same measures") + nothing


def with_literature(change: pd.DataFrame) -> pd.DataFrame:
    """The comparison with a sentence on the literature beside each estimate, where it has none yet."""
    needed = {"estimate", "ci_low", "ci_high", "group", "contrast", "channel", "condition"}
    if "literature" in change or not needed <= set(change.columns):
        return change
    told = evidence_in_words(change)
    if "form" in change:
        told = told.where(~change["form"].isin(NOT_A_CHANGE), "")
    return change.assign(literature=told)
