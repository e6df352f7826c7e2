"""Trial-level mixed models behind :func:`compare`: every kept trial, people and sessions as random effects.

A time point is a property of a session, so its effect is judged against the scatter of sessions, never
against that of trials: ``(1 | participant) + (1 | participant:session)``. For a paired pulse the
coefficient ``cond:time`` is the log of a ratio of ratios, and its error is the scatter of the conditioning
effect from session to session; without ``(1 | participant:session:cond)`` the trials would pass for people
and the interval would be far too narrow.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..measures._tables import is_kept
from ..schema import TRIAL_COLUMNS, unknown_word, validate
from .design import Design, as_text
from .estimation import Contrast
from .mixed_models import MixedFit, mixed_model


@dataclass(frozen=True)
class TrialFit:
    """A mixed model of the trials of one series at two time points."""

    fit: MixedFit
    columns: tuple[int, ...]  # column of the design that holds each group's change
    most_df: float
    formula: str
    flag: str

    def contrast(self, weights: np.ndarray) -> Contrast:
        """Estimate ``weights @ group_changes``.

        Satterthwaite's degrees of freedom, never more than the participants allow: where the scatter of
        sessions is estimated as zero they would be those of the trials.
        """
        full = np.zeros(len(self.fit.coefficients))
        full[list(self.columns)] = weights
        found = self.fit.contrast(full)
        df = min(found.df, self.most_df) if math.isfinite(found.df) else self.most_df
        return Contrast(found.estimate, found.standard_error, df)


class TrialModels:
    """A trial table prepared for the series of a design.

    Parameters
    ----------
    trials : DataFrame
        One row a trial × channel with ``participant``, the level column of the design, ``channel``,
        ``condition`` and the trial measures; rows with a ``reject`` reason are left out.
    design : Design

    Raises
    ------
    ValueError
        For missing columns, or when no participant or time point agrees with the results.
    """

    def __init__(self, trials: pd.DataFrame, design: Design) -> None:
        required = ("participant", design.level_name, "channel", "condition")
        for name in required:
            if name not in trials:
                raise ValueError("trial table: " + unknown_word("column", name, map(str, trials.columns)))
        validate(trials, TRIAL_COLUMNS, required=required, what="trial table")
        trials = trials[is_kept(trials)]
        self._design = design
        self._trials = trials
        self._person = _places(design.participants, trials["participant"])
        self._level = _places(design.levels, trials[design.level_name])
        if not ((self._person >= 0) & (self._level >= 0)).any():
            raise ValueError(
                f"trial table: no row has a participant and a {design.level_name} of the result table; "
                f"it has {design.level_name} {', '.join(sorted(as_text(trials[design.level_name]).unique())[:8])}"
            )
        self._has_protocol = "protocol" in trials and trials["protocol"].notna().all()
        keys = ["channel", "condition"] + (["protocol"] if self._has_protocol else [])
        self._places: dict[tuple[str, ...], np.ndarray] = {}
        for key, places in trials.groupby(keys).indices.items():
            words = key if isinstance(key, tuple) else (key,)
            self._places[tuple(map(str, words))] = np.asarray(places)
        self._measures = {name: self._numbers(name) for name in ("mep_amplitude", *set(design.series["measure"]))}

    def _numbers(self, name: str) -> np.ndarray | None:
        if name not in self._trials or name in TRIAL_COLUMNS:
            return None
        return pd.to_numeric(self._trials[name], errors="coerce").to_numpy(dtype=float)

    def fit(
        self, number: int, level: int, kept: Sequence[int], complete: np.ndarray, covariates: np.ndarray
    ) -> TrialFit | None:
        """Model of series ``number`` from the baseline to ``level``; None where the trials cannot say.

        Parameters
        ----------
        kept : sequence of int
            Groups with complete pairs.
        complete : ndarray of bool, shape (n_participants,)
            Participants with both sessions and all covariates.
        covariates : ndarray, shape (n_participants, n_covariates)
        """
        source = self._source(number)
        if source is None:
            return None
        name, conditions = source
        found = self._rows(number, name, conditions, level, kept, covariates)
        if found is None:
            return None
        y, person, time, paired = found
        cell = (person * 2 + time) * 2 + paired
        if len(y) < 1.5 * len(np.unique(cell)) or not self._enough(kept, complete, cell, len(conditions)):
            return None
        x, columns = self._matrix(person, time, paired, len(conditions) == 2, kept, covariates)
        if np.linalg.matrix_rank(x.T @ x) < x.shape[1]:
            return None
        random = {"participant": person, "participant:session": person * 2 + time}
        if len(conditions) == 2:
            random |= {"participant:cond": person * 2 + paired, "participant:session:cond": cell}
        model = mixed_model(y, x, random)
        most_df = float(complete[np.isin(self._design.groups, kept)].sum() - len(kept) - covariates.shape[1])
        if most_df < 1:
            return None
        formula = self._formula(number, name, list(random))
        return TrialFit(model, columns, most_df, formula, "singular_fit" if model.singular else "")

    def _source(self, number: int) -> tuple[str, tuple[str, ...]] | None:
        """Trial column and conditions of a series; a paired pulse has its test pulses second."""
        row = self._design.records[number]
        if row["measure"] == "conditioned_ratio":
            return ("mep_amplitude", (row["condition"], "test")) if row["scale"] == "log_ratio" else None
        if row["form"]:
            return None
        name = "mep_amplitude" if row["measure"] == "test_amplitude" else row["measure"]
        condition = "test" if row["measure"] == "test_amplitude" else row["condition"]
        return (name, (condition,)) if self._measures.get(name) is not None else None

    def _rows(
        self,
        number: int,
        name: str,
        conditions: tuple[str, ...],
        level: int,
        kept: Sequence[int],
        covariates: np.ndarray,
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray] | None:
        """Response, participant, time (0, 1) and whether conditioned (0, 1) of the trials of a series."""
        design, values = self._design, self._measures[name]
        row = design.records[number]
        found = [self._find(row["channel"], condition, row["protocol"]) for condition in conditions]
        places = [place for place in found if place is not None]
        if values is None or len(places) < len(conditions):
            return None
        place, first = np.concatenate(places), len(places[0])
        paired = (np.arange(len(place)) < first).astype(np.int64) if len(conditions) == 2 else np.zeros(len(place), int)
        person, time, y = self._person[place], self._level[place], values[place]
        allowed = np.isin(design.groups, kept) & np.isfinite(covariates).all(axis=1)
        keep = np.isfinite(y) & (person >= 0) & np.isin(time, (0, level))
        keep[keep] = allowed[person[keep]]
        y, person, time, paired = y[keep], person[keep], (time[keep] == level).astype(np.int64), paired[keep]
        if row["scale"] == "log_ratio":
            if (y <= 0).any():
                return None
            y = np.log(y)
        return y, person, time, paired

    def _find(self, channel: str, condition: str, protocol: str) -> np.ndarray | None:
        if not self._has_protocol:
            return self._places.get((channel, condition))
        for name in (protocol, protocol.rsplit("/", 1)[-1]):
            if (found := self._places.get((channel, condition, name))) is not None:
                return found
        return None

    def _enough(self, kept: Sequence[int], complete: np.ndarray, cell: np.ndarray, n_conditions: int) -> bool:
        """Every group has two people whose trials fill all their cells."""
        people, filled = np.unique(np.unique(cell) // 4, return_counts=True)
        whole = np.zeros(len(complete), dtype=bool)
        whole[people[filled == 2 * n_conditions]] = True
        return all((whole & complete & (self._design.groups == group)).sum() >= 2 for group in kept)

    def _matrix(
        self,
        person: np.ndarray,
        time: np.ndarray,
        paired: np.ndarray,
        is_pair: bool,
        kept: Sequence[int],
        covariates: np.ndarray,
    ) -> tuple[np.ndarray, tuple[int, ...]]:
        inner = [np.ones(len(time)), time]
        if is_pair:
            inner = [np.ones(len(time)), time, paired, paired * time]
        group = self._design.groups[person]
        blocks = [column * (group == g) for g in kept for column in inner]
        people = np.unique(person)
        for values in covariates.T:
            centred = (values - values[people].mean()) / (values[people].std() or 1.0)
            blocks.extend(column * centred[person] for column in inner)
        columns = tuple(len(inner) * (i + 1) - 1 for i in range(len(kept)))
        return np.column_stack(blocks).astype(float), columns

    def _formula(self, number: int, name: str, random: list[str]) -> str:
        log = self._design.records[number]["scale"] == "log_ratio"
        fixed = "cond * time" if len(random) > 2 else "time"
        for term in (self._design.by, *self._design.covariates):
            fixed += f" * {term}" if term == self._design.by and term else f" + {term}:time" if term else ""
        effects = " + ".join(f"(1 | {effect})" for effect in random)
        return f"{f'log({name})' if log else name} ~ {fixed} + {effects}"


def _places(known: Sequence[str], labels: pd.Series) -> np.ndarray:
    """Number of each label among the known ones, −1 for any other."""
    numbers = {label: i for i, label in enumerate(known)}
    return as_text(labels).map(numbers).fillna(-1).to_numpy(dtype=np.int64)
