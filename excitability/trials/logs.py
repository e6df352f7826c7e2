"""A laboratory's stimulus log joined to the pulses of a recording, pulse by pulse."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pandas as pd

from ..schema import STIMULUS_COLUMNS, validate
from .stimuli import check_columns


def read_log(path: str | Path) -> pd.DataFrame:
    """Read a stimulus log (CSV or TSV)."""
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no stimulus log {path}; expected a CSV or TSV with one row a trial")
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        header = file.readline()
    separator = max("\t;,", key=header.count)
    decimal = "," if separator == ";" else "."  # a semicolon is what spreadsheets write where the comma is decimal
    table = pd.read_csv(path, sep=separator, decimal=decimal, na_values=["n/a", "(null)"], encoding="utf-8-sig")
    table.columns = [str(name).strip() for name in table.columns]
    return table


def join_log(pulses: pd.DataFrame, log: pd.DataFrame, *, tolerance: float = 0.5) -> pd.DataFrame:
    """Give each pulse its row of a log.

    Parameters
    ----------
    pulses : DataFrame
        ``onset`` (s) of each trial found in the recording, and what is known of it.
    log : DataFrame
        One row a trial: stimulus columns, and optionally ``onset`` (s, on any clock).
    tolerance : float
        Largest disagreement in seconds of the two clocks after the common shift was removed.

    Returns
    -------
    DataFrame
        The pulses with the columns of the log. Pulses without a row keep missing values; rows without a pulse
        are reported in a warning.

    Raises
    ------
    ValueError
        When the numbers differ and the log has no times to align by, or no row agrees with a pulse.

    Examples
    --------
    >>> pulses = pd.DataFrame({"onset": [10.0, 15.0, 21.0]})
    >>> log = pd.DataFrame({"onset": [0.0, 5.0, 11.0], "intensity": [50, 60, 70]})
    >>> join_log(pulses, log)["intensity"].tolist()
    [50, 60, 70]
    """
    validate(log, STIMULUS_COLUMNS, required=[], what="the stimulus log")
    check_columns(log, "the stimulus log")
    pulses = pulses.reset_index(drop=True)
    if "onset" in log and log["onset"].notna().all() and len(log):
        rows = _aligned(pulses["onset"].to_numpy(float), log["onset"].to_numpy(float), tolerance)
    elif len(log) == len(pulses):
        rows = np.arange(len(log))
    else:
        raise ValueError(
            f"the stimulus log has {len(log)} rows, the recording {len(pulses)} trials; expected one row a trial, "
            "or a column 'onset' (s) to align by"
        )
    joined = log.drop(columns="onset", errors="ignore").reset_index(drop=True).reindex(rows)
    joined.index = pulses.index
    _check_agreement(pulses, joined)
    missing = sorted(set(range(len(log))) - set(rows[rows >= 0].tolist()))
    unexplained = int((rows < 0).sum())
    if missing or unexplained:
        warnings.warn(
            f"stimulus log: {len(missing)} of {len(log)} rows have no pulse (first: {missing[:3]}), "
            f"{unexplained} of {len(pulses)} pulses have no row",
            stacklevel=3,
        )
    result = pulses.drop(columns=[name for name in joined if name in pulses])
    known = pulses[[name for name in joined if name in pulses]]
    joined = joined.combine_first(known) if len(known.columns) else joined
    return pd.concat([result, joined], axis=1)


def _aligned(onset: np.ndarray, logged: np.ndarray, tolerance: float) -> np.ndarray:
    """Row of the log for each pulse (-1: none), under the clock shift that makes most rows agree."""
    best = np.full(onset.size, -1)
    best_score = (0, -np.inf)
    for shift in np.unique(np.round(np.subtract.outer(onset, logged).ravel(), 3)):
        distance = np.abs(np.subtract.outer(onset, logged + shift))
        row = distance.argmin(axis=1) if logged.size else np.zeros(0, dtype=int)
        near = distance[np.arange(onset.size), row]
        hit = (near <= tolerance) & (distance.argmin(axis=0)[row] == np.arange(onset.size))
        score = (int(hit.sum()), -float(near[hit].sum()))
        if score > best_score:
            best, best_score = np.where(hit, row, -1), score
    if best_score[0] < max(2, 0.5 * min(onset.size, logged.size)):
        raise ValueError(
            f"the times of the stimulus log ({logged.size} rows) agree with only {best_score[0]} of {onset.size} "
            "trials of the recording; is it the log of this recording?"
        )
    return best


def _check_agreement(pulses: pd.DataFrame, joined: pd.DataFrame) -> None:
    """The log and the recording must not contradict one another about pairs of pulses."""
    for name, allowed in (("pulse_count", 0.0), ("inter_stimulus_interval", 0.5e-3)):
        if name not in joined or name not in pulses or pulses.attrs.get("pairs") != "seen":
            continue
        differs = (joined[name] - pulses[name]).abs() > allowed
        if differs.any():
            trial = int(np.flatnonzero(differs)[0])
            raise ValueError(
                f"stimulus log and recording disagree about {name} in {int(differs.sum())} trials "
                f"(trial {trial}: log {joined[name].iloc[trial]:g}, recording {pulses[name].iloc[trial]:g})"
            )
