"""The sentences a reader wants first."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from ..comparison.sentences import _p, detectable_in_words, subject
from ..labels import capital, without_subject
from ..resources import muscles, muscles_in_name
from . import _page as html
from ._one_session import is_one_session, values_in_words

_MOST_CARDS = 6
_MOST_LINES = 3  # two groups and their difference
_SERIES = ["protocol", "measure", "condition", "channel"]


def answer(table: pd.DataFrame, change: pd.DataFrame | None, primary: list[Mapping[str, str]]) -> str:
    """The sentences a reader wants first."""
    if change is None:
        done = table[table["error"] == ""]
        people = done["participant"].nunique()
        if people and is_one_session(done):
            return html.paragraph("One recording session, no comparison:") + values_in_words(done)
        return html.paragraph(
            f"No comparison was made. {len(done)} values of {people} participant{'s' * (people != 1)} follow."
        )
    change = change[change["sentence"] != ""] if "sentence" in change else change.iloc[:0]
    planned = _planned(change, primary)
    shown = planned if len(planned) else _foremost(change)
    first, rest = _cards(shown)
    said = f'<ul class="answer">{"".join(first)}</ul>'
    if len(planned) and rest:
        said += f"<details><summary>{len(rest)} more on the planned outcome</summary>"
        said += f'<ul class="answer">{"".join(rest)}</ul></details>'
    lead = "Planned primary outcome:" if len(planned) else "No primary outcome was planned. Some of the results:"
    note = many_tests_in_words(change)
    if note:
        judged = shown[shown["sentence"].str.contains("detectable: ", regex=False)]
        note += f" {detectable_in_words(list(judged['flag']) if 'flag' in judged else [])}"
    return html.paragraph(lead) + said + html.paragraph(note, "note")


_FAMILIES = {"primary": "primary outcomes", "secondary": "secondary outcomes", "exploratory": "all else (exploratory)"}


def many_tests_in_words(change: pd.DataFrame) -> str:
    """How many tests there are, how they were corrected for their number, and how many survive it.

    >>> many_tests_in_words(pd.DataFrame({"p_value": [0.01, 0.03, 0.2], "family": "exploratory", "group": "all",
    ...     "p_adjusted": [0.03, 0.045, 0.2], "adjustment": "Benjamini-Hochberg, 3 tests"}))
    '3 tests were made. Corrected for their number: all else (exploratory): 2 of 3 with adjusted p < 0.05 (Benjamini...'
    """
    p_values = _numbers(change, "p_value")
    finite = int(p_values.notna().sum())
    if finite < 2:
        return ""
    adjusted = _numbers(change, "p_adjusted")
    if not adjusted.notna().any() or "family" not in change:
        return (
            f"{finite} comparisons were made in all, without correction for their number: if nothing had changed, "
            f"about {0.05 * finite:.0f} of them would still have p < 0.05. Judge a change by its interval and by "
            "what is detectable."
        )
    told = []
    between = change["group"].astype(str).str.contains(" - ", regex=False)
    for family, name in _FAMILIES.items():
        for question, words in ((False, "changes within groups"), (True, "differences between groups")):
            own = adjusted[(change["family"] == family) & (between == question)].dropna()
            if len(own):
                how = str(change.loc[own.index[0], "adjustment"]).split(",")[0] if "adjustment" in change else ""
                where = f"{name}, {words}" if between.any() else name
                told.append(f"{where}: {int((own < 0.05).sum())} of {len(own)} with adjusted p < 0.05 ({how})")
    few = change.loc[p_values.notna(), "flag"].fillna("").astype(str) if "flag" in change else pd.Series("", [0])
    alas = " So few people carry none of them." if few.str.contains("few_participants", regex=False).all() else ""
    return (
        f"{finite} tests were made. Corrected for their number: {'; '.join(told)}.{alas} Intervals and unadjusted p "
        "values are those of single contrasts."
    )


def _numbers(change: pd.DataFrame, name: str) -> pd.Series:
    return pd.to_numeric(change[name], errors="coerce") if name in change else pd.Series(float("nan"), change.index)


def _planned(change: pd.DataFrame, primary: list[Mapping[str, str]]) -> pd.DataFrame:
    chosen = pd.Series(False, index=change.index)
    for outcome in primary:
        fits = pd.Series(True, index=change.index)
        for name, value in outcome.items():
            if name in change:
                fits &= change[name].astype(str) == str(value)
        chosen |= fits
    return change[chosen]


def _cards(rows: pd.DataFrame) -> tuple[list[str], list[str]]:
    """What is read first, and the rest: a card for each outcome, channel and contrast, a line for each group.

    First come hand muscles and regions at the first contrast; other contrasts, and what cannot be estimated, follow
    in the rest.
    """
    if rows.empty:
        return [], []
    rows = rows.assign(**{name: rows[name].fillna("").astype(str) for name in (*_SERIES, "contrast")})
    known = pd.to_numeric(rows["estimate"], errors="coerce").notna()
    first: list[tuple[bool, str]] = []
    rest: list[tuple[bool, str]] = []
    for contrast in dict.fromkeys(rows["contrast"]):
        for key, own in rows[rows["contrast"] == contrast].groupby(_SERIES, sort=False):
            usable = own[known[own.index]]
            ahead = contrast == rows["contrast"].iloc[0] and len(usable) and len(first) < _MOST_CARDS
            lines = usable.iloc[:_MOST_LINES] if ahead else own
            (first if ahead else rest).append((_beside(str(key[-1])) or not len(usable), _card(key, lines)))
            left = own.drop(lines.index)
            if len(left):
                rest.append((not known[left.index].any(), _card(key, left)))
    sides = ([card for _, card in sorted(cards, key=lambda card: card[0])] for cards in (first, rest))
    return next(sides), next(sides)


def _beside(channel: str) -> bool:
    """Whether a channel is a muscle other than of the hand, which the coil is seldom aimed at."""
    found = [muscles()[name].region for name in muscles_in_name(channel)]
    return bool(found) and "hand" not in found


def _card(key: tuple[str, ...], rows: pd.DataFrame) -> str:
    """One outcome: its name as a heading where every sentence begins with it, then the sentences."""
    protocol, measure, condition, channel = key
    name = subject(protocol, measure, channel, condition).rstrip(",")
    told = [
        str(sentence) + _adjusted(row) for sentence, (_, row) in zip(rows["sentence"], rows.iterrows(), strict=True)
    ]
    below = without_subject(name, told) if len(told) > 1 else None
    known = [str(text) for text in rows["literature"]] if "literature" in rows else []
    aside = "".join(f'<span class="aside">{html.said(text)}</span>' for text in dict.fromkeys(filter(None, known)))
    if below is not None:
        return f"<li><b>{html.said(capital(name))}</b>{''.join(map(_line, below))}{aside}</li>"
    return f"<li>{'<br>'.join(map(html.said, told))}{aside}</li>"


def _adjusted(row: pd.Series) -> str:
    """The p value corrected for the tests of its family, behind a sentence that tells the plain one."""
    if "Corrected (" in str(row["sentence"]):  # it says so itself
        return ""
    value = float(row.get("p_adjusted", float("nan")))
    how = (
        str(row.get("adjustment", ""))
        .lower()
        .replace("holm", "Holm")
        .replace("benjamini-hochberg", "Benjamini-Hochberg")
    )
    return f" Corrected for the number of tests ({how}): {_p(value)}." if value == value else ""


def _line(text: str) -> str:
    return f'<span class="line">{html.said(text)}</span>'


def _foremost(change: pd.DataFrame) -> pd.DataFrame:
    """Differences between groups at the first contrast where there are groups; never chosen by p value."""
    first = change[change["contrast"] == change["contrast"].iloc[0]] if len(change) else change
    between = first[first["group"].astype(str).str.contains(" - ", regex=False)]
    rows = between if len(between) else first
    ratios = rows[rows["measure"] == "conditioned_ratio"]
    return pd.concat([ratios, rows.drop(ratios.index)])
