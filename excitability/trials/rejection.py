"""Rejection by declared rules, and by the decisions a person wrote down."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from ..query import evaluate
from ..schema import STIMULUS_COLUMNS, unknown_word

_OUTSIDE = re.compile(r"outside\s+([0-9.eE+-]+)\s+of\s+median$")
_COMPARISON = re.compile(r"(==|!=|<=|>=|<|>)\s*(-?[0-9.]+([eE][+-]?[0-9]+)?|'[^']*')")

#: Median background (V, RMS) above which a muscle whose state nobody told is taken as contracted: resting EMG stays
#: below 10 µV in usable trials, and 5 % of a maximal contraction is far above 20 µV.
CONTRACTION = 20e-6

#: Columns a rule's ``when`` may ask about beside the stimulus columns.
CONTEXT = ("channel", "muscle", "state")


def muscle_state(table: pd.DataFrame, usual: str, before: np.ndarray, times: np.ndarray) -> tuple[str, str]:
    """State of a muscle in a recording, and a flag where it had to be inferred.

    Parameters
    ----------
    table : DataFrame
        Trial table of one channel.
    usual : {"rest", "active"}
        How the muscle is usually tested.
    before : ndarray, shape (n_trials, n_times)
        EMG before the pulse, V.
    times : ndarray, shape (n_times,)

    Returns
    -------
    state : {"rest", "active", "unknown"}
    flag : str
        Where no stimulus column says it and the background is too large for rest: ``taken_as_active``, or
        ``background_is_line_noise`` (state unknown) where most of it is a 50 or 60 Hz wave.
    """
    told = "muscle_state" in table and table["muscle_state"].notna().any()
    if usual == "active" or told or "background_emg" not in table:
        return usual, ""
    if not table["background_emg"].median() > CONTRACTION:
        return usual, ""
    if line_noise_share(before, times) > 0.5:
        return "unknown", "background_is_line_noise"
    return "active", "taken_as_active"


def line_noise_share(x: np.ndarray, times: np.ndarray) -> float:
    """Share of the variance of trials that a 50 or 60 Hz wave explains (the larger of both, median over trials).

    Examples
    --------
    >>> times = np.arange(500) / 5000.0
    >>> noise = np.random.default_rng(0).normal(0, 1, (5, 500))
    >>> line_noise_share(noise, times) < 0.1 < 0.9 < line_noise_share(noise + 9 * np.sin(314.159 * times), times)
    True
    """
    x = np.nan_to_num(x - np.mean(x, axis=1, keepdims=True))
    whole = np.sum(x**2, axis=1)
    shares = [0.0]
    for frequency in (50.0, 60.0):
        phase = 2 * np.pi * frequency * times
        basis, _ = np.linalg.qr(np.column_stack([np.sin(phase), np.cos(phase)]))
        explained = np.sum((x @ basis) ** 2, axis=1)
        shares.append(float(np.median(explained / np.maximum(whole, np.finfo(float).tiny))))
    return max(shares)


def check_rule(rule: str) -> None:
    """Refuse a rule that is no comparison, before anything is computed."""
    found = _OUTSIDE.fullmatch(rule.strip()) or _COMPARISON.fullmatch(rule.strip())
    number = found.group((found.re is _COMPARISON and 2) or 1) if found else ""
    try:
        float(number if not number.startswith("'") else 0)
    except ValueError:
        raise ValueError(
            f"rejection rule {rule!r} is neither a comparison with a number in SI units, such as '> 10e-6', "
            "nor 'outside 0.25 of median'"
        ) from None


def reject(table: pd.DataFrame, rules: Mapping[str, str | Mapping[str, str]], state: str = "rest") -> pd.Series:
    """Reason for which each trial of one channel is rejected, empty where it is kept.

    Parameters
    ----------
    table : DataFrame
        Trial table of one channel.
    rules : mapping
        Column to a comparison (``"> 10e-6"``), to ``"outside 0.25 of median"``, or to a mapping with ``rule``
        and ``when``, a query that says which trials the rule is for.
    state : {"rest", "active"}
        How the muscle is usually tested; a muscle usually tested in contraction (trunk) is active even where the
        stimulus column ``muscle_state``, which speaks of the target muscle, says rest.

    Returns
    -------
    Series of str

    Examples
    --------
    >>> table = pd.DataFrame({"background_emg": [3e-6, 40e-6]})
    >>> reject(table, {"background_emg": "> 10e-6"}).tolist()
    ['', 'background_emg > 10e-6']
    """
    reasons = pd.Series("", index=table.index, dtype=object)
    told = table.get("muscle_state", pd.Series(np.nan, index=table.index))
    context = table.assign(state="active" if state == "active" else told.where(told.notna(), state))
    for column, entry in rules.items():
        rule = (entry if isinstance(entry, str) else entry["rule"]).strip()
        when = "" if isinstance(entry, str) else entry.get("when", "")
        if column in STIMULUS_COLUMNS and column not in table:
            continue  # the recording does not know it (no heart was found): nothing is left out for it
        applies = evaluate(when, context, (*STIMULUS_COLUMNS, *CONTEXT)) if when else np.ones(len(table), bool)
        outside = _OUTSIDE.fullmatch(rule)
        if outside:
            middle = table.loc[applies, column].median()
            hit = (table[column] - middle).abs().to_numpy() > float(outside.group(1)) * abs(middle)
        else:
            hit = evaluate(f"{column} {rule}", table)
        hit &= applies & (reasons == "").to_numpy()
        reasons[hit] = f"{column} {rule}"
    return reasons


def read_decisions(source: str | Path) -> pd.DataFrame | None:
    """Manual decisions beside a recording (``<recording>_decisions.tsv``), or None.

    The file has the columns ``pulse, channel, decision, who, why``; ``channel`` may be ``n/a`` for all channels,
    ``decision`` is ``keep`` or ``reject``.
    """
    source = Path(source)
    path = source.with_name(source.name.split(".")[0] + "_decisions.tsv")
    if not path.is_file():
        return None
    table = pd.read_csv(path, sep="\t", dtype={"channel": str, "who": str, "why": str})
    for name in ("pulse", "channel", "decision", "who", "why"):
        if name not in table:
            raise ValueError(f"{path.name} has no column {name!r}; expected pulse, channel, decision, who, why")
    unknown = set(table["decision"]) - {"keep", "reject"}
    if unknown:
        raise ValueError(f"{path.name}: " + unknown_word("decision", sorted(map(str, unknown))[0], ["keep", "reject"]))
    return table


def apply_decisions(table: pd.DataFrame, decisions: pd.DataFrame) -> pd.DataFrame:
    """Trial table in which a person's decisions override the rules."""
    table = table.copy()
    for row in decisions.to_dict("records"):
        here = table["trial"] == row["pulse"]
        if isinstance(row["channel"], str) and row["channel"] not in ("n/a", "all"):
            here &= table["channel"] == row["channel"]
        if not here.any():
            raise ValueError(
                f"the decision file names pulse {row['pulse']}, channel {row['channel']}; the recording has pulses "
                f"{table['trial'].min()} to {table['trial'].max()} on {', '.join(table['channel'].unique())}"
            )
        reason = f"by hand ({row['who']}): {row['why']}" if row["decision"] == "reject" else ""
        table.loc[here, "reject"] = reason
    return table
