"""Rows of a comparison of changes: one series, one time point against the baseline, in all its groups."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..schema import join_flags
from . import _censored_changes as censored
from . import _effects
from . import _odds as odds
from ._adjusted import adjusted_for, adjustment
from ._fairness import changed_test_mep
from ._methods import Fit, fit_groups, in_words
from ._rows import as_row, size_flag, words_of
from ._scale import scale_in_words
from .crossover import combined_arms, pair_arms
from .design import Design
from .detectable import Detectable, smallest_detectable_change
from .estimation import Contrast
from .sentences import Kind
from .sentences import _group as group_in_words
from .trial_models import TrialFit, TrialModels

_NOTHING = Contrast(math.nan, math.nan, math.nan)


@dataclass(frozen=True)
class _Estimate:
    """One row before it is put into words."""

    groups: tuple[int, ...]
    contrast: Contrast
    members: list[np.ndarray]  # units that enter, one array a group
    n: int
    method: str
    formula: str
    flag: str = ""
    kind: Kind = "change"
    adjusted: tuple[str, str] = ("", "")  # flags of the adjustment for covariates, and what it leaves to be known
    source: str = "people"  # what was fitted: changes of people, trials, thresholds with limits, odds of single trials


@dataclass(frozen=True)
class Series:
    """One series and one contrast, in all its groups."""

    design: Design
    number: int
    level: int
    models: TrialModels | None
    test: int | None
    asked: str  # method
    trials_given: bool

    def rows(self) -> list[dict[str, object]]:
        design = self.design
        change = design.change(self.number, self.level)
        covariates = self._covariates(design.values[self.number][:, 0])
        measured = np.isfinite(change) | self._censored if self.by_tobit else np.isfinite(change)
        complete = measured & np.isfinite(covariates).all(axis=1)
        told = ""
        detectable = smallest_detectable_change(design, self.number, self.level)
        if self.shrunken:  # every source of it is a spread of values
            detectable = Detectable(math.nan, "sdc_unknown")
        groups = range(len(design.group_names))
        if design.units.crossed:  # the same people are in all arms, so that each arm has a fit of its own
            found = [one for g in groups for one in self._within(change, covariates, complete, [g])]
            found += self._between_arms(change, covariates, complete)
        else:
            found = self._within(change, covariates, complete, groups)
        if self._censored.any() and not self.by_tobit:
            told = "censored_left_out"
        return [self._row(one, change, detectable, told) for one in found]

    def _without_covariate(self, one: _Estimate) -> int:
        """People of a row with both values who lack a covariate."""
        design = self.design
        values = design.values[self.number]
        covariates = self._covariates(values[:, 0])
        lost = np.isfinite(values[:, [0, self.level]]).all(axis=1) & ~np.isfinite(covariates).all(axis=1)
        return len(np.unique(design.units.people[lost & np.isin(design.groups, one.groups)]))

    @functools.cached_property
    def _censored(self) -> np.ndarray:
        """People of whom both thresholds are known, one at least only as lying above a limit."""
        at = [0, self.level]
        values, limits = self.design.values[self.number][:, at], self.design.limits[self.number][:, at]
        above = ~np.isfinite(values) & np.isfinite(limits)
        return above.any(axis=1) & (np.isfinite(values) | above).all(axis=1)

    @property
    def by_tobit(self) -> bool:
        """Whether thresholds above the maximum are taken as such, which only a plain design can."""
        design = self.design
        plain = not (design.units.crossed or design.covariates) and len(design.baselines) == 1
        return plain and self.asked == "t" and not self.shrunken and bool(self._censored.any())

    @property
    def shrunken(self) -> bool:
        """Whether the values are shrunken to the population, so that their spread says too little."""
        return bool(self.design.shrunken[self.number])

    @property
    def method(self) -> str:
        """What is used for people: only the t interval can give back what shrinking took, or take covariates."""
        return "t" if self.shrunken or (self.asked == "bootstrap" and self.design.covariates) else self.asked

    def _covariates(self, baseline: np.ndarray) -> np.ndarray:
        columns = self.design.covariate_values
        if "baseline" in self.design.covariates:
            columns = np.column_stack([columns, baseline])
        return columns

    def _within(
        self, change: np.ndarray, covariates: np.ndarray, complete: np.ndarray, wanted: Sequence[int]
    ) -> list[_Estimate]:
        """The wanted groups of different people, their differences and the trend over doses."""
        design, n_groups = self.design, len(self.design.group_names)
        complete = complete & np.isin(design.groups, wanted)
        kept = [g for g in wanted if (complete & (design.groups == g)).any()]
        fit, formula, source, flag = self._fit(change, covariates, complete, kept)
        if isinstance(fit, (TrialFit, odds.OddsFit)):  # people are those of whom there are trials
            complete = fit.people & np.isin(design.groups, wanted)

        def estimate(weights: np.ndarray, groups: tuple[int, ...], kind: Kind = "change") -> _Estimate:
            members = [complete & (design.groups == g) for g in groups]
            contrast = _NOTHING
            if fit is not None and all(member.any() for member in members):
                if isinstance(fit, TrialFit):
                    contrast = fit.judged(weights[kept], self.asked)
                else:
                    contrast = fit.contrast(weights[kept])
            words = self._in_words(source, contrast, int(np.count_nonzero(weights)))
            told = join_flags(flag, str(getattr(contrast, "flag", "")))
            n = sum(int(m.sum()) for m in members)
            by_covariates = self._adjustment(covariates, complete, members, groups) if fit is not None else ("", "")
            return _Estimate(groups, contrast, members, n, words, formula, told, kind, by_covariates, source)

        each = np.eye(n_groups)
        found = [estimate(each[g], (g,)) for g in wanted]
        found += [estimate(each[one] - each[two], (one, two)) for one, two in itertools.combinations(wanted, 2)]
        if design.units.doses and len(wanted) == n_groups:
            found.append(estimate(slope(design.units.doses), tuple(wanted), "trend"))
        return found

    def _adjustment(
        self, covariates: np.ndarray, complete: np.ndarray, members: list[np.ndarray], groups: tuple[int, ...]
    ) -> tuple[str, str]:
        design, record = self.design, self.design.records[self.number]
        columns = [*design.covariate_columns, *["baseline"] * (covariates.shape[1] - len(design.covariate_columns))]
        names = [group_in_words(design.group_names[g]) for g in groups]
        unit = f"{'log ' * (record['scale'] == 'log_ratio')}{record['unit']}"
        return adjustment(columns, covariates, complete, members, names, design.by, unit)

    def _fit(
        self, change: np.ndarray, covariates: np.ndarray, complete: np.ndarray, kept: list[int]
    ) -> tuple[Fit | None, str, str, str]:
        """The fit of the groups that have people, its formula, what was fitted, and a flag."""
        design, flag = self.design, ""
        if self.models is not None:
            if self._asks_for_odds:
                rows = self.models.rows(self.number, self.level, kept, covariates)
                by_odds = odds.odds_fit(rows, design.groups, kept) if rows is not None else None
                if by_odds is not None:
                    name = design.records[self.number]["measure"]
                    return by_odds, f"logit({name}) ~ time{f' * {design.by}' if design.by else ''}", "odds", ""
                flag = "separated" if rows is not None else ""
            fit = None if flag else self.models.fit(self.number, self.level, kept, complete, covariates)
            if fit is not None:
                return fit, fit.formula, "trials", fit.flag
        codes = np.searchsorted(kept, design.groups[complete]) if kept else np.empty(0, dtype=int)
        if self.by_tobit:
            at = [0, self.level]
            values, limits = design.values[self.number][:, at], design.limits[self.number][:, at]
            return censored.censored_fit(values[complete], limits[complete], codes), self._formula(), "censored", ""
        unknown = design.unknown_of_changes(self.number, self.level)[complete] if self.shrunken else None
        plain = fit_groups(self.method, change[complete], codes, len(kept), covariates[complete], unknown=unknown)
        if plain is None and kept and covariates.shape[1]:
            known = np.column_stack([np.eye(len(kept))[codes], covariates[complete]])
            known = known / (np.abs(known).max(axis=0) + 1e-300)
            if len(known) > known.shape[1] and np.linalg.matrix_rank(known) < known.shape[1]:
                flag = join_flags(flag, "covariates_dependent")
        return plain, self._formula(), "people", flag

    @property
    def _asks_for_odds(self) -> bool:
        record = self.design.records[self.number]
        return record["measure"] in odds.MEASURES and self.asked == "t" and not self.design.covariates

    def _between_arms(self, change: np.ndarray, covariates: np.ndarray, complete: np.ndarray) -> list[_Estimate]:
        """Differences of the arms within people, the effect of the period, and the trend over doses."""
        design, units = self.design, self.design.units
        unknown = design.unknown_of_changes(self.number, self.level) if self.shrunken else None
        n_arms, found = len(units.names), []
        for arms in itertools.combinations(range(n_arms), 2):
            pairs = pair_arms(units, change, covariates, complete, arms, self.method, unknown)
            members = [pairs.members & (design.groups == arm) for arm in arms]
            contrast = pairs.fit.contrast(pairs.weights) if pairs.fit is not None else _NOTHING
            words = self._in_words("people", contrast, len(pairs.weights))
            formula = f"{self._formula()}, within participants" + " + period" * pairs.ordered
            found.append(_Estimate(arms, contrast, members, pairs.n, words, formula, pairs.flag))
            if n_arms == 2 and pairs.period_fit is not None:  # in the second order the first arm came second
                contrast = pairs.period_fit.contrast(-pairs.weights)
                words = self._in_words("people", contrast, 2)
                found.append(_Estimate(arms, contrast, members, pairs.n, words, formula, kind="period"))
        if units.doses:
            weights = slope(units.doses)
            fit, n = combined_arms(units, change, covariates, complete, weights, self.method)
            contrast = fit.contrast(np.ones(1)) if fit is not None else _NOTHING
            words = self._in_words("people", contrast, 1)
            formula = f"{self._formula()}, within participants"
            everyone = [complete & (design.groups == arm) for arm in range(n_arms)]
            found.append(_Estimate(tuple(range(n_arms)), contrast, everyone, n, words, formula, kind="trend"))
        return found

    def _in_words(self, source: str, contrast: Contrast, n_samples: int) -> str:
        df = f", df = {contrast.df:.1f}" if math.isfinite(contrast.df) else ""
        if source == "censored":
            return censored.in_words(contrast)
        if source == "odds":
            return "logistic regression of trials, GEE, Kauermann-Carroll" + df
        if source == "trials" and self.asked == "t":
            return "REML, Satterthwaite" + df
        if source == "trials" and self.asked == "bootstrap":
            return f"REML, parametric bootstrap, {getattr(contrast, 'n_drawn', 0)} refits"
        method = self.asked if source == "trials" else self.method
        told = in_words(method, contrast, n_samples=n_samples, covariates=self.design.covariates)
        return f"each person's own change, {told}" if source == "trials" else told

    def _formula(self) -> str:
        terms = [self.design.by or "1", *self.design.covariates]
        return f"{change_formula(self.design, self.number, self.level)} ~ {' + '.join(terms)}"

    def _row(self, one: _Estimate, change: np.ndarray, detectable: Detectable, told: str) -> dict[str, object]:
        design, info = self.design, self.design.records[self.number]
        plain = one.kind == "change"
        if not plain or one.source == "odds":
            detectable = Detectable(math.nan, "")
        sizes = [one.n] if design.units.crossed else [int(member.sum()) for member in one.members]
        lost = self._without_covariate(one)
        missing = max(design.took_part(self.number, one.groups) - one.n - lost, 0)
        test_flag, test_words = changed_test_mep(design, self.test, self.level, one.members) if plain else ("", "")
        from_trials = one.source in ("trials", "odds")
        used = self.asked if one.source != "people" else self.method
        size = size_flag(sizes, one.contrast) if "open_interval" not in one.flag else ""
        flags = join_flags(
            info["flag"],
            size,
            "missing_sessions" if missing else "",
            "covariate_missing" if lost else "",
            told,
            test_flag,
            detectable.flag,
            "participant_level" if self.trials_given and not from_trials else "",
            "t_instead" if used != self.asked else "",
            one.flag,
            "covariate_adjusted" if design.covariates and math.isfinite(one.contrast.estimate) else "",
            one.adjusted[0],
        )
        low, high = one.contrast.interval
        words = words_of(
            info,
            before=design.before,
            after=design.after[self.level - 1],
            groups=tuple(design.group_names[g] for g in one.groups),
            estimate=one.contrast.estimate,
            low=low,
            high=high,
            p_value=one.contrast.p_value,
            n=one.n,
            missing=missing,
            lost=lost,
            detectable=detectable.one_person,
            group_detectable=detectable.of_group(*(int(member.sum()) for member in one.members)),
            responders=self._responders(change, one, detectable),
            source=detectable.source,
            detectable_interval=detectable.interval,
            uncertain=detectable.uncertain,
            test_changed=test_words,
            adjusted=adjusted_for(design.covariates) if design.covariates else "",
            more=" ".join(part for part in (one.adjusted[1], scale_in_words(info["flag"])) if part and plain),
            kind=one.kind,
            crossed=design.units.crossed,
            dose=design.units.dose_unit or "unit of dose",
        )
        row = as_row(words, f"{one.formula}; {one.method}", flags, one.contrast, self._effect(one))
        if one.source == "odds":
            row |= {"form": "log_odds_ratio" if plain else row["form"], "unit": "1"}
            row["sentence"] = odds.sentence(row, (design.before, words.after), words.groups)
        return row

    def _responders(self, change: np.ndarray, one: _Estimate, detectable: Detectable) -> float:
        unknown = not math.isfinite(detectable.one_person) or detectable.uncertain
        if unknown or len(one.members) > 1 or not one.members[0].any():
            return math.nan
        own = change[one.members[0]]
        return (
            float(np.mean(np.abs(own[np.isfinite(own)]) > detectable.one_person))
            if np.isfinite(own).any()
            else math.nan
        )

    def _effect(self, one: _Estimate) -> _effects.Effect:
        """Its standardised size, where the spread of people is known."""
        design = self.design
        if self.shrunken or one.kind != "change" or one.source in ("odds", "censored") or self.method == "trimmed":
            return _effects.NONE
        values = design.values[self.number][:, [0, self.level]]
        pooled = one.source == "people" and self.method == "t" and not (design.covariates or design.units.crossed)
        samples = [values[member & np.isfinite(values).all(axis=1)] for member in one.members]
        n = one.n if design.units.crossed else sum(map(len, samples))
        return _effects.of_change(samples, one.contrast, n, crossed=design.units.crossed, pooled=pooled)


def slope(doses: Sequence[float]) -> np.ndarray:
    """Weights of the means of groups whose sum is their slope over the doses, every group counted once."""
    centred = np.asarray(doses, dtype=float) - np.mean(doses)
    return centred / np.sum(centred**2)


def change_formula(design: Design, number: int, level: int) -> str:
    """What is modelled, such as 'log(post0) - log(pre)'."""
    after, before = design.after[level - 1], design.before
    if len(design.baselines) > 1:
        before = f"mean({before.replace('+', ', ')})"
    log = design.records[number]["scale"] == "log_ratio"
    return f"log({after}) - log({before})" if log else f"{after} - {before}"
