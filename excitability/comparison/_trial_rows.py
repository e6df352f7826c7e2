"""Trials of one series at two time points, and what is made of them before they are modelled."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from ._labels import as_text, some


@dataclass(frozen=True)
class Rows:
    """Trials of one series at two time points."""

    y: np.ndarray
    person: np.ndarray
    time: np.ndarray  # 0, 1
    paired: np.ndarray  # 1 where conditioned
    session: np.ndarray  # labels, where sessions repeat within a time point
    extra: np.ndarray  # (n, n_trial_covariates)
    is_pair: bool

    @property
    def cell(self) -> np.ndarray:
        """Number of the participant × time point × condition."""
        return (self.person * 2 + self.time) * 2 + self.paired

    def repeats(self, groups: np.ndarray | None) -> bool:
        """Whether most participants of every group have several sessions at a time point."""
        sessions = np.unique(np.column_stack([self.person, self.time, self.session]), axis=0)
        several = np.flatnonzero(np.bincount(sessions[:, 0] * 2 + sessions[:, 1]) > 1) // 2
        people = np.unique(self.person)
        repeated = np.isin(people, several)
        of_people = np.zeros(len(people), dtype=int) if groups is None else groups[people]
        return all(repeated[of_people == group].mean() > 0.5 for group in np.unique(of_people))

    def where(self, keep: np.ndarray) -> Rows:
        """Some of the rows."""
        names = ("y", "person", "time", "paired", "session", "extra")
        return replace(self, **{name: getattr(self, name)[keep] for name in names})


def own_changes(rows: Rows, adjusted: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Change of every person whose cells are all filled, from the means of cells, and who they are."""
    people, person = np.unique(rows.person, return_inverse=True)
    cell = (person * 2 + rows.time) * 2 + rows.paired
    with np.errstate(invalid="ignore"):
        means = np.bincount(cell, weights=rows.y, minlength=4 * len(people)) / np.bincount(
            cell, minlength=4 * len(people)
        )
    means = means.reshape(-1, 2, 2)
    values = means[:, :, 1] - means[:, :, 0] if rows.is_pair else means[:, :, 0]
    changes = values[:, 1] if adjusted else values[:, 1] - values[:, 0]
    whole = np.isfinite(changes)
    return changes[whole], people[whole]


def after_only(rows: Rows, covariates: np.ndarray, own: np.ndarray, people: np.ndarray) -> tuple[Rows, np.ndarray]:
    """Analysis of covariance: trials after, less the mean before, which is a covariate too.

    Trial covariates become their difference from the person's mean before, so that the change is that at an
    unchanged background. The last of the covariates, the baseline of the results, becomes that of the trials.
    """
    held = rows.where(np.isin(rows.person, people))
    before = held.time == 0
    cell = held.person * 2 + held.paired
    n_cells = int(cell.max()) + 1

    def mean(column: np.ndarray) -> np.ndarray:
        with np.errstate(invalid="ignore"):
            sums = np.bincount(cell[before], weights=column[before], minlength=n_cells)
            return sums / np.bincount(cell[before], minlength=n_cells)

    level = mean(held.y)
    moved = np.column_stack([np.empty((len(held.y), 0)), *(c - mean(c)[cell] for c in held.extra.T)])
    after = replace(held, y=held.y - level[cell], extra=moved).where(~before)
    covariates = covariates.copy()
    covariates[people, -1] = level[people * 2 + 1] - level[people * 2] if rows.is_pair else level[people * 2]
    return after, covariates


def check_trials(trials: pd.DataFrame) -> None:
    """Refuse what is no table of trials, and trials that are there twice.

    Without a column ``trial`` a few alike are taken as chance, half of them are not.
    """
    if not isinstance(trials, pd.DataFrame):
        raise ValueError(f"trials is a table of trials (pandas DataFrame), not {type(trials).__name__}")
    twice = trials.duplicated(keep=False).to_numpy()
    if "trial" in trials:
        twice = twice & trials["trial"].notna().to_numpy()
    if twice.any() and ("trial" in trials or twice.mean() > 0.5):
        rows = some(trials.index[twice])
        raise ValueError(
            f"trial table: {int(twice.sum())} rows are there more than once (rows {rows}); keep one of each"
        )


def trial_numbers(trials: pd.DataFrame, name: str) -> np.ndarray:
    """A column of the trial table as numbers; what is empty is NaN.

    Raises
    ------
    ValueError
        For text, naming the row.
    """
    values = pd.to_numeric(trials[name], errors="coerce").to_numpy(dtype=float)
    bad = np.isnan(values) & trials[name].notna().to_numpy()
    if bad.any() and (bad := bad & as_text(trials[name]).ne("").to_numpy()).any():
        row = trials.index[bad][0]
        raise ValueError(f"trial table: {name!r} must hold numbers, but has {trials[name][bad].iloc[0]!r} in row {row}")
    return values


def is_logged(name: str) -> bool:
    """Whether a trial covariate enters as its logarithm: the size of the background."""
    return name.startswith("background_")


def trial_covariate(trials: pd.DataFrame, name: str) -> np.ndarray:
    """A column of numbers, as its logarithm where it is the size of the background."""
    values = pd.to_numeric(trials[name], errors="coerce").to_numpy(dtype=float)
    bad = ~np.isfinite(values) & trials[name].notna().to_numpy() & as_text(trials[name]).ne("").to_numpy()
    if bad.any():
        row = trials.index[bad][0]
        raise ValueError(f"trial covariate {name!r} must hold numbers, but has {trials[name][row]!r} in row {row}")
    if is_logged(name):
        values = np.log(np.where(values > 0, values, np.nan))
    return values
