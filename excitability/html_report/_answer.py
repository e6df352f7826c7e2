"""The sentences a reader wants first."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from . import _page as html

_MOST_SENTENCES = 6


def answer(table: pd.DataFrame, change: pd.DataFrame | None, primary: list[Mapping[str, str]]) -> str:
    """The sentences a reader wants first."""
    if change is None:
        done = table[table["error"] == ""]
        return html.paragraph(
            f"No comparison was made. {len(done)} values of {done['participant'].nunique()} "
            f"participant{'s' * (done['participant'].nunique() != 1)} follow."
        )
    change = change[change["sentence"] != ""] if "sentence" in change else change.iloc[:0]
    planned = _planned(change, primary)
    rows = _first_contrast_first(planned) if len(planned) else _foremost(change)
    items = [f"<li>{html.said(sentence)}</li>" for sentence in rows["sentence"]]
    said = f'<ul class="answer">{"".join(items[:_MOST_SENTENCES])}</ul>'
    if len(planned) and items[_MOST_SENTENCES:]:
        rest = "".join(items[_MOST_SENTENCES:])
        said += f"<details><summary>{len(items) - _MOST_SENTENCES} more on the planned outcome</summary>"
        said += f'<ul class="answer">{rest}</ul></details>'
    lead = "Planned primary outcome:" if len(planned) else "No primary outcome was planned. Some of the results:"
    finite = int(pd.to_numeric(change["p_value"], errors="coerce").notna().sum()) if "p_value" in change else 0
    note = ""
    if finite > 1:
        note = (
            f"{finite} comparisons were made in all, without correction for their number: if nothing had changed, "
            f"about {0.05 * finite:.0f} of them would still have p < 0.05. Judge a change by its interval and by the "
            "smallest detectable change, which says how large a change has to be to exceed measurement error."
        )
    return html.paragraph(lead) + said + html.paragraph(note, "note")


def _planned(change: pd.DataFrame, primary: list[Mapping[str, str]]) -> pd.DataFrame:
    chosen = pd.Series(False, index=change.index)
    for outcome in primary:
        fits = pd.Series(True, index=change.index)
        for name, value in outcome.items():
            if name in change:
                fits &= change[name].astype(str) == str(value)
        chosen |= fits
    return change[chosen]


def _first_contrast_first(rows: pd.DataFrame) -> pd.DataFrame:
    contrasts = list(dict.fromkeys(rows["contrast"]))
    return rows.iloc[rows["contrast"].map(contrasts.index).argsort(kind="stable")]


def _foremost(change: pd.DataFrame) -> pd.DataFrame:
    """Differences between groups at the first contrast where there are groups; never chosen by p value."""
    first = change[change["contrast"] == change["contrast"].iloc[0]] if len(change) else change
    between = first[first["group"].astype(str).str.contains(" - ", regex=False)]
    rows = between if len(between) else first
    ratios = rows[rows["measure"] == "conditioned_ratio"]
    return pd.concat([ratios, rows.drop(ratios.index)])
