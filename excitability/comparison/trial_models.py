"""Trial-level mixed models behind :func:`compare`: every kept trial, people and sessions as random effects.

A time point is a property of a session, so its effect is judged against the scatter of sessions, never
against that of trials: ``(1 | participant) + (1 | participant:session)``. For a paired pulse the
coefficient ``cond:time`` is the log of a ratio of ratios, and its error is the scatter of the conditioning
effect from session to session; without ``(1 | participant:session:cond)`` the trials would pass for people
and the interval would be far too narrow.

With one session a time point, ``(1 | participant:session)`` is the random slope of time: nothing can tell the
two apart. Where sessions repeat within a time point, ``(1 + time | participant)`` comes in beside it, and
``(1 | participant:time)`` in its place where that fit is singular. Every group has variances of its own, as in
Welch's test: with 8 scattered patients and 16 steady controls one variance for all missed the truth in 14 to 20 %
of the 95 % intervals.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from ..measures._tables import is_kept
from ..schema import TRIAL_COLUMNS, join_flags, unknown_word, validate
from ._labels import alike
from ._trial_rows import Rows, after_only, check_trials, is_logged, own_changes, trial_covariate, trial_numbers
from .bootstrap_refits import Refits, bootstrap_refits, simulated_refits
from .bootstrap_refits import judged as judged_by
from .bootstrap_t import BootstrapContrast
from .design import Design, as_text
from .estimation import Contrast
from .mixed_models import MixedFit, mixed_model
from .permutation import permuted_groups


@dataclass(frozen=True)
class TrialFit:
    """A mixed model of the trials of one series at two time points."""

    fit: MixedFit
    columns: tuple[int, ...]  # column of the design that holds each group's change
    most_df: tuple[float, ...]  # of each group's change: its people less one
    n_covariates: int
    formula: str
    flag: str
    changes: np.ndarray = field(repr=False)  # each whole person's own, of cell means less trial covariates
    groups: np.ndarray = field(repr=False)  # number of that person's group among those in the fit
    people: np.ndarray = field(repr=False)  # (n_participants,) of bool: whose trials fill all cells

    def contrast(self, weights: np.ndarray) -> Contrast:
        """Estimate ``weights @ group_changes``.

        Satterthwaite's degrees of freedom, never more than the participants of a group allow: where the scatter of
        sessions is estimated as zero they would be those of the trials. Those of several groups are Welch's.
        """
        found = self.fit.contrast(self._whole(weights))
        share = 1 - self.n_covariates / sum(self.most_df)  # covariates cost every group its share
        squares, df = [], []
        for place in np.flatnonzero(weights):
            alone = np.zeros(len(self.columns))
            alone[place] = weights[place]
            own = self.fit.contrast(self._whole(alone))
            most = max(1.0, self.most_df[place] * share)
            squares.append(own.standard_error**2)
            df.append(min(own.df, most) if math.isfinite(own.df) else most)
        parts = np.array(squares)
        used = float(parts.sum() ** 2 / np.sum(parts**2 / df)) if parts.any() else max(1.0, share * min(self.most_df))
        return Contrast(found.estimate, found.standard_error, min(found.df, used) if math.isfinite(found.df) else used)

    def judged(self, weights: np.ndarray, method: str = "t") -> Contrast:
        """Estimate ``weights @ group_changes`` with the interval and p value of a method.

        ``"bootstrap"`` refits 1000 simulated studies; ``"permutation"`` takes each person's own change.
        """
        if method == "permutation":
            return self.permutation(weights)
        found = self.contrast(weights)
        if method != "bootstrap" or not found.standard_error > 0:
            return found
        refits = judged_by(self.fit, self._whole(weights), self._refits)
        limits = (refits.ci_low, refits.ci_high)
        return BootstrapContrast(found.estimate, found.standard_error, found.df, limits, refits.p_value, refits.n)

    @functools.cached_property
    def _refits(self) -> list[MixedFit]:
        return simulated_refits(self.fit)

    def bootstrap(self, weights: np.ndarray, n: int = 1000, seed: int = 0) -> Refits:
        """Interval and p value of ``weights @ group_changes`` from refits of simulated studies."""
        return bootstrap_refits(self.fit, self._whole(weights), n, seed)

    def permutation(self, weights: np.ndarray) -> Contrast:
        """Permutation test of ``weights @ group_changes`` with its interval, from each person's own change.

        Signs are flipped within people for one group; people are exchanged for a difference of groups.
        """
        return permuted_groups(self.changes, self.groups, len(self.columns)).contrast(np.asarray(weights, dtype=float))

    def _whole(self, weights: np.ndarray) -> np.ndarray:
        full = np.zeros(len(self.fit.coefficients))
        full[list(self.columns)] = weights
        return full


class TrialModels:
    """A trial table prepared for the series of a design.

    Parameters
    ----------
    trials : DataFrame
        One row a trial × channel with ``participant``, the level column of the design, ``channel``,
        ``condition`` and the trial measures; rows with a ``reject`` reason are left out.
    design : Design
    trial_covariates : sequence of str
        Columns of the trial table that enter with one slope for all trials, such as ``background_emg`` (columns
        named ``background_…`` as their logarithm) and ``trial``, the number of the trial. A trial without a value is
        left out of the model (flag ``trial_covariate_missing``); a column without two values is not in it
        (flag ``trial_covariate_constant``).

    Raises
    ------
    ValueError
        For missing columns, text in a trial covariate, or when no participant or time point agrees with the
        results.
    """

    def __init__(self, trials: pd.DataFrame, design: Design, trial_covariates: Sequence[str] = ()) -> None:
        check_trials(trials)
        if len(set(trial_covariates)) < len(tuple(trial_covariates)):
            raise ValueError(f"trial_covariates={list(trial_covariates)!r}: name each once")
        required = ("participant", design.level_name, "channel", "condition", *trial_covariates)
        for name in required:
            if name not in trials:
                raise ValueError("trial table: " + unknown_word("column", name, map(str, trials.columns)))
        validate(trials, TRIAL_COLUMNS, required=required, what="trial table")
        if (twice := alike(design.participants, as_text(trials["participant"]).unique())) is not None:
            raise ValueError(
                f"participant {twice[0]!r} of the results is {twice[1]!r} in the trial table; name one alike"
            )
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
        self._infinite = {name for name, held in self._measures.items() if held is not None and np.isinf(held).any()}
        self._covariates = tuple(trial_covariates)
        self._extra = np.column_stack(
            [np.empty((len(trials), 0)), *(trial_covariate(trials, name) for name in trial_covariates)]
        )
        apart = "session" in trials and design.level_name != "session"
        self._session = pd.factorize(as_text(trials["session"]))[0] if apart else np.zeros(len(trials), dtype=np.int64)

    def _numbers(self, name: str) -> np.ndarray | None:
        if name not in self._trials or name in TRIAL_COLUMNS:
            return None
        return trial_numbers(self._trials, name)

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
        rows = self._rows(number, name, conditions, level, kept, covariates)
        if rows is None or len(rows.y) < 1.5 * len(np.unique(rows.cell)):
            return None
        if not self._enough(kept, complete, rows):
            return None
        rows, words, flags = self._with_trial_covariates(rows)
        if len(rows.y) < 1.5 * len(np.unique(rows.cell)) or not self._enough(kept, complete, rows):
            return None
        own, people = own_changes(rows)
        adjusted = "baseline" in self._design.covariates
        if adjusted:
            rows, covariates = after_only(rows, covariates, own, people)
        x, columns = self._matrix(rows, kept, covariates, adjusted)
        across = (unit := x / np.sqrt((x * x).sum(axis=0) + 1e-300)).T @ unit
        if len(rows.y) <= x.shape[1] or np.linalg.matrix_rank(across, tol=1e-10, hermitian=True) < x.shape[1]:
            return None
        model, random, flag = _fit(rows, x, self._design.groups if len(kept) > 1 else None, adjusted)
        groups = self._design.groups
        whole = np.zeros(len(groups), dtype=bool)
        whole[people] = True
        most_df = tuple(float((whole & (groups == group)).sum() - 1) for group in kept)
        if min(most_df) < 1 or sum(most_df) - covariates.shape[1] < 1:
            return None
        beta = model.coefficients[x.shape[1] - rows.extra.shape[1] :]
        changes, people = own_changes(replace(rows, y=rows.y - rows.extra @ beta), adjusted)
        return TrialFit(
            model,
            columns,
            most_df,
            covariates.shape[1],
            self._formula(number, name, random, words, rows.is_pair, adjusted),
            join_flags(
                *flags,
                flag,
                "infinite_values" if name in self._infinite else "",
                "singular_fit" if model.singular else "",
                "trials_missing" if (complete & np.isin(groups, kept) & ~whole).any() else "",
            ),
            changes,
            np.searchsorted(kept, groups[people]),
            whole,
        )

    def rows(self, number: int, level: int, kept: Sequence[int], covariates: np.ndarray) -> Rows | None:
        """Trials of a series at two time points, on the scale of the series; None where there are none."""
        source = self._source(number)
        found = self._rows(number, *source, level, kept, covariates) if source is not None else None
        return found if found is not None and len(found.y) else None

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
    ) -> Rows | None:
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
        if row["scale"] == "log_ratio":
            if (y[keep] <= 0).any():
                return None
            y = np.log(y, where=keep, out=np.zeros_like(y))
        after = (time == level).astype(np.int64)
        return Rows(y, person, after, paired, self._session[place], self._extra[place], len(conditions) == 2).where(
            keep
        )

    def _with_trial_covariates(self, rows: Rows) -> tuple[Rows, list[str], list[str]]:
        """Trial covariates centred and scaled, those that say nothing left out; what is in, and flags."""
        finite = np.isfinite(rows.extra)
        spread = [
            float(np.ptp(column[here])) if here.any() else 0.0
            for column, here in zip(rows.extra.T, finite.T, strict=True)
        ]
        used = np.array(spread) > 0
        keep = finite[:, used].all(axis=1)
        flags = ["" if used.all() else "trial_covariate_constant", "" if keep.all() else "trial_covariate_missing"]
        rows = replace(rows, extra=rows.extra[:, used]).where(keep)
        if len(rows.y):
            rows = replace(rows, extra=(rows.extra - rows.extra.mean(axis=0)) / (rows.extra.std(axis=0) + 1e-300))
        named = [name for name, here in zip(self._covariates, used, strict=True) if here]
        return rows, [f"log({name})" if is_logged(name) else name for name in named], flags

    def _find(self, channel: str, condition: str, protocol: str) -> np.ndarray | None:
        if not self._has_protocol:
            return self._places.get((channel, condition))
        for name in (protocol, protocol.rsplit("/", 1)[-1]):
            if (found := self._places.get((channel, condition, name))) is not None:
                return found
        return None

    def _enough(self, kept: Sequence[int], complete: np.ndarray, rows: Rows) -> bool:
        """Every group has two people whose trials fill all their cells."""
        people, filled = np.unique(np.unique(rows.cell) // 4, return_counts=True)
        whole = np.zeros(len(complete), dtype=bool)
        whole[people[filled == 2 * (1 + rows.is_pair)]] = True
        return all((whole & complete & (self._design.groups == group)).sum() >= 2 for group in kept)

    def _matrix(
        self, rows: Rows, kept: Sequence[int], covariates: np.ndarray, adjusted: bool
    ) -> tuple[np.ndarray, tuple[int, ...]]:
        """Fixed effects: time and condition in each group, covariates of people, covariates of trials."""
        inner = [np.ones(len(rows.y))] if adjusted else [np.ones(len(rows.y)), rows.time]
        if rows.is_pair:
            inner += [rows.paired * column for column in inner]
        group = self._design.groups[rows.person]
        blocks = [column * (group == g) for g in kept for column in inner]
        people = np.unique(rows.person)
        for values in covariates.T:
            centred = (values - values[people].mean()) / (values[people].std() or 1.0)
            blocks.extend(column * centred[rows.person] for column in inner)
        columns = tuple(len(inner) * (i + 1) - 1 for i in range(len(kept)))
        return np.column_stack([*blocks, rows.extra]).astype(float), columns

    def _formula(
        self, number: int, name: str, random: list[str], extra: list[str], is_pair: bool, adjusted: bool
    ) -> str:
        log = self._design.records[number]["scale"] == "log_ratio"
        inner = [*(["cond"] if is_pair else []), *([] if adjusted else ["time"])]
        fixed = " * ".join(inner + ([self._design.by] if self._design.by else [])) or "1"
        last = "cond" if adjusted and is_pair else "" if adjusted else "time"
        for term in self._design.covariates:
            fixed += f" + {term}:{last}" if last else f" + {term}"
        for term in extra:
            fixed += f" + {term}"
        response = f"log({name})" if log else name
        response = f"{response} - baseline" if adjusted else response
        kinds = f", variances by {self._design.by}" if self._design.by else ""
        return f"{response} ~ {fixed} + {' + '.join(f'({effect})' for effect in random)}{kinds}"


def _fit(rows: Rows, x: np.ndarray, groups: np.ndarray | None, adjusted: bool) -> tuple[MixedFit, list[str], str]:
    """The richest random effects that the trials bear, their words, and a flag where they are not all asked for."""
    time = rows.person * 2 + rows.time
    random = {"participant": rows.person}
    repeats = rows.repeats(groups)
    if not adjusted:
        random |= {"participant:time" if repeats else "participant:session": time}
    if repeats:
        random |= {"participant:session": time * (rows.session.max() + 1) + rows.session}
    if rows.is_pair:
        condition = {f"{name}:cond": labels * 2 + rows.paired for name, labels in random.items()}
        random |= condition
    by = None if groups is None else groups[rows.person]
    words = [f"1 | {name}" for name in random]
    if not repeats or rows.is_pair or adjusted:
        return mixed_model(rows.y, x, random, by=by), words, ""
    level = {name: labels for name, labels in random.items() if name != "participant:time"}
    sloped = mixed_model(rows.y, x, level, slope={"time": rows.time.astype(float)}, by=by)
    if not sloped.singular:
        return sloped, ["1 + time | participant", *(f"1 | {name}" for name in level if name != "participant")], ""
    return mixed_model(rows.y, x, random, by=by), words, "random_slope_left_out"


def _places(known: Sequence[str], labels: pd.Series) -> np.ndarray:
    """Number of each label among the known ones, −1 for any other."""
    numbers = {label: i for i, label in enumerate(known)}
    return as_text(labels).map(numbers).fillna(-1).to_numpy(dtype=np.int64)
