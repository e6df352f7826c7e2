"""A laboratory's stimulus log joined to the pulses of a recording, pulse by pulse."""

from __future__ import annotations

import io
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

from ..schema import STIMULUS_COLUMNS, TRIAL_COLUMNS, validate
from .localite import is_localite, read_localite
from .stimuli import check_columns


def read_log(path: str | Path) -> pd.DataFrame:
    """Read a stimulus log: CSV or TSV, or positions of the coil from a Localite session (file or folder)."""
    path = Path(path)
    if is_localite(path):
        return read_localite(path)
    if not path.is_file():
        raise FileNotFoundError(f"no stimulus log {path}; expected a CSV or TSV with one row a trial")
    raw = path.read_bytes()
    try:
        text = raw.decode("utf-16" if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
    except UnicodeDecodeError:
        text = raw.decode("latin-1")  # what spreadsheets of the West write; every byte is a letter there
    if not text.strip() or "\x00" in text:
        raise ValueError(f"stimulus log {path} is {'empty' if not text.strip() else 'no text'}; expected a CSV or TSV")
    header = text.lstrip().splitlines()[0]
    separator = max("\t;,", key=header.count)
    decimal = "," if separator == ";" else "."  # a semicolon is what spreadsheets write where the comma is decimal
    table = pd.read_csv(io.StringIO(text), sep=separator, decimal=decimal, na_values=["n/a", "(null)"])
    table = table.dropna(how="all").reset_index(drop=True)
    table.columns = [str(name).strip() for name in table.columns]
    # columns of a trial table have their own meaning; what the log says under these names is kept beside it
    table = table.rename(columns={name: f"log_{name}" for name in table if name in TRIAL_COLUMNS and name != "onset"})
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
    if "onset" in log:
        log = log.assign(onset=_seconds(log["onset"]))
    if "onset" in log and len(log):
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


def _seconds(onset: pd.Series) -> pd.Series:
    seconds = pd.to_numeric(onset, errors="coerce")
    bad = seconds.isna()
    if bad.any():
        raise ValueError(
            f"the stimulus log has onset {onset[bad].iloc[0]!r} in row {onset.index[bad][0]}; "
            "expected seconds, as a number"
        )
    return seconds


def _aligned(onset: np.ndarray, logged: np.ndarray, tolerance: float) -> np.ndarray:
    """Row of the log for each pulse (-1: none), under the clock shift that makes most rows agree.

    Raises
    ------
    ValueError
        When few rows agree, or two shifts explain the pulses equally well (as at a constant interval).
    """
    best = np.full(onset.size, -1)
    best_score = (0, -np.inf)
    rival = False
    shifts = np.unique(np.round(np.subtract.outer(onset, logged).ravel(), 3))
    for shift in sorted(shifts, key=abs):  # the same clock first: a tie goes to the smallest shift
        distance = np.abs(np.subtract.outer(onset, logged + shift))
        row = distance.argmin(axis=1) if logged.size else np.zeros(0, dtype=int)
        near = distance[np.arange(onset.size), row]
        hit = (near <= tolerance) & (distance.argmin(axis=0)[row] == np.arange(onset.size))
        found = np.where(hit, row, -1)
        score = (int(hit.sum()), -round(float(near[hit].sum()), 2))
        if score > best_score:
            best, best_score, rival = found, score, False
        elif score == best_score and not np.array_equal(found, best) and not _same_clock(onset, logged, best):
            rival = True
    if best_score[0] < max(2, 0.5 * min(onset.size, logged.size)):
        raise ValueError(
            f"the times of the stimulus log ({logged.size} rows) agree with only {best_score[0]} of {onset.size} "
            "trials of the recording; is it the log of this recording?"
        )
    if rival:
        raise ValueError(
            f"the times of the stimulus log ({logged.size} rows) fit the {onset.size} trials of the recording in more "
            "than one way; give onsets on the recording's own clock, or one row a trial without onsets"
        )
    return best


def _same_clock(onset: np.ndarray, logged: np.ndarray, rows: np.ndarray) -> bool:
    """Whether the log's own times agree with the recording's, so that no other shift need be thought of."""
    found = rows >= 0
    return bool(found.any()) and float(np.abs(onset[found] - logged[rows[found]]).max()) < 0.01


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
