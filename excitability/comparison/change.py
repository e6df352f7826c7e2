"""The change from one time point to another, in each group and between groups or arms."""

from __future__ import annotations

import itertools
import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..schema import join_flags
from ._fairness import changed_test_mep, series_of_test_meps
from ._methods import Fit, Method, check_method, fit_groups, in_words
from ._rows import as_row, as_table, size_flag, words_of
from .crossover import combined_arms, pair_arms
from .design import Design, read_design
from .detectable import Detectable, smallest_detectable_change
from .effect_sizes import small_sample_correction
from .estimation import Contrast
from .omnibus import joint_rows
from .sentences import Kind
from .trial_models import TrialFit, TrialModels

_NOTHING = Contrast(math.nan, math.nan, math.nan)


def compare(
    results: pd.DataFrame,
    within: str = "session",
    before: str | Sequence[str] = "pre",
    after: str | Sequence[str] = "post0",
    by: str | None = None,
    covariates: Sequence[str] = (),
    trials: pd.DataFrame | None = None,
    method: Method = "t",
    trial_covariates: Sequence[str] = (),
) -> pd.DataFrame:
    """Compare time points within participants, and their change between groups or arms.

    Parameters
    ----------
    results : DataFrame
        Result table (:data:`excitability.schema.RESULT_COLUMNS`) with, where needed, ``timepoint``, ``group``
        and covariates. ``participant``, ``measure``, ``value`` and ``unit`` are required.
    within : str
        Column of the levels compared within participants. ``"session"`` means the column ``timepoint``
        where there is one, else the session label.
    before : str or list of str
        Baseline level. Of several (repeated baselines) the mean of those a person has is taken, on the scale of
        estimation.
    after : str or list of str
        Level or levels compared with it. Several also give one row for all together (``form`` omnibus, a p value
        without an estimate), where the method is ``"t"`` and no covariates enter.
    by : str, optional
        Column that parts the sessions. Where every participant has one value, these are groups of people: one row a
        group and one row for each difference of changes, ``"patient - control"``; a group named like a control is
        subtracted. Where participants have each time point in several (``by="arm"``), it is a crossover: one row an
        arm, and each difference of changes is taken within people, from those with both arms.
    covariates : sequence of str
        Participant columns (the value at the baseline is used) entered as centred regressors of the change,
        with one slope for all groups. ``"baseline"`` is the measure itself before (analysis of covariance).
    trials : DataFrame, optional
        Trial table with ``participant`` and the level column. Measures with a column of their own, and
        ``conditioned_ratio``, are then estimated by a mixed model on the trials. Not in a crossover, nor with several
        baselines (flag ``participant_level``).
    method : {"t", "trimmed", "permutation"}
        How means are judged. ``"trimmed"``: 20 % trimmed means (Yuen), for a few unusual people; ``"permutation"``:
        means judged by sign flips, or by exchanging people between groups, with intervals by inversion of the test
        (fixed seed). Neither takes covariates nor trials.
    trial_covariates : sequence of str
        Columns of the trial table that enter the mixed models with one slope for all trials, such as
        ``background_emg`` (as its logarithm) and ``trial``.

    Returns
    -------
    DataFrame
        Columns of :data:`excitability.schema.COMPARISON_COLUMNS`; one row = protocol × measure × channel ×
        condition × contrast × group. What cannot be estimated is NaN with a flag.

    Raises
    ------
    ValueError
        For unknown columns or time points, duplicated rows, mixed units or forms, text where numbers
        belong, fewer than two groups, and constant covariates; the message names the rows.

    Notes
    -----
    *Scale.* Paired-pulse rows (any ``form``) and measures in volts, V·s, V², V/%MSO, V·%MSO, m² or V·m² are
    compared as log ratios, with the percent change beside. Exceptions: signed peaks (``n100_amplitude``,
    amplitudes of a ``tep`` protocol) and a protocol × measure in which any value is zero or negative
    (flag ``not_positive_so_difference``). All else (latency, threshold, silent period, dB, probability) is a
    difference in its own unit. Percent inhibition is turned into the ratio first (flag ``as_ratio``), so a
    rise is less inhibition.

    *Model.* One change a participant; a group's change has the one-sample t interval, a difference of
    changes Welch's, with Satterthwaite degrees of freedom when covariates enter. Values of ``form`` hierarchical are
    shrunken to the population (flag ``shrunken``): what shrinking took from the spread of the changes is given back by
    the intervals of the sessions, and there is no effect size and no smallest detectable change, which need the spread
    of people; with covariates there is a warning, because their slopes are shrunken too. Only the two levels of the
    contrast are used, so no assumption links the time points; a participant without both is left out and counted.

    *Crossover.* A difference between arms has the paired t interval. Where the order of the arms is known (a column
    ``period``, or sessions numbered through) and both orders were used, the difference is the mean of those of the two
    orders, so that practice or fatigue from period to period does not enter, and a row ``"second - first"`` gives the
    effect of the period. An effect of the first arm that lasts into the second cannot be told from these data; it
    needs a pause long enough. Covariates that are the same in both arms cancel.

    *Doses.* Where the names of three or more groups or arms are numbers (``"0 min"``, ``"20 min"``, ``"40 min"``; not
    for ``by="group"``), or each has one value in a column ``dose``, a row of ``form`` trend gives the change per unit
    of dose, the slope of the means of the groups.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> rng = np.random.default_rng(1)
    >>> person = rng.normal(np.log(0.5), 0.3, 12)
    >>> value = np.exp(np.r_[person, person + np.log(1.4)] + rng.normal(0, 0.1, 24))
    >>> results = pd.DataFrame({"participant": [f"{i:02d}" for i in range(12)] * 2,
    ...     "session": ["pre"] * 12 + ["post0"] * 12, "protocol": "m1/sici", "channel": "FDI",
    ...     "condition": "isi_0.0025", "measure": "conditioned_ratio", "value": value, "unit": "1",
    ...     "form": "ratio"})
    >>> change = compare(results)
    >>> change[["contrast", "form", "n"]].values.tolist()
    [['post0 - pre', 'log_ratio', 12]]
    >>> bool(change["percent_ci_low"][0] < 40 < change["percent_ci_high"][0])
    True
    """
    check_method(method, covariates, trials)
    if trial_covariates and trials is None:
        raise ValueError(f"trial_covariates={list(trial_covariates)!r} are columns of a trial table; give trials too")
    design = read_design(results, within, before, after, by, covariates)
    by_trial = trials is not None and not design.units.crossed and len(design.baselines) == 1
    models = TrialModels(trials, design, trial_covariates) if trials is not None and by_trial else None
    if design.covariates and design.series["shrunken"].any():
        names = ", ".join(dict.fromkeys(design.series["measure"][design.series["shrunken"]]))
        warnings.warn(
            f"{names}: values of form 'hierarchical' are shrunken to the population, so that differences between "
            "people, and with them the slopes of covariates, are too small; use the curves fitted alone for these",
            stacklevel=2,
        )
    tests = series_of_test_meps(design)
    rows: list[dict[str, object]] = []
    for number in range(len(design.series)):
        for level in range(1, len(design.after) + 1):
            one = _Series(design, number, level, models, tests[number], method, trials is not None)
            rows.extend(one.rows())
        if len(design.after) > 1 and method == "t" and not design.covariates:
            rows.extend(joint_rows(design, number))
    return as_table(rows)


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


@dataclass(frozen=True)
class _Series:
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
        complete = np.isfinite(change) & np.isfinite(covariates).all(axis=1)
        lost = "" if np.isfinite(covariates[np.isfinite(change)]).all() else "covariate_missing"
        detectable = smallest_detectable_change(design, self.number, self.level)
        if self.shrunken:  # every source of it is a spread of values
            detectable = Detectable(math.nan, "sdc_unknown")
        groups = range(len(design.group_names))
        if design.units.crossed:  # the same people are in all arms, so that each arm has a fit of its own
            found = [one for g in groups for one in self._within(change, covariates, complete, [g])]
            found += self._between_arms(change, covariates, complete)
        else:
            found = self._within(change, covariates, complete, groups)
        return [self._row(one, change, detectable, lost) for one in found]

    @property
    def shrunken(self) -> bool:
        """Whether the values are shrunken to the population, so that their spread says too little."""
        return bool(self.design.series["shrunken"].iloc[self.number])

    @property
    def method(self) -> str:
        """What is used: only the t interval can give back what shrinking took."""
        return "t" if self.shrunken else self.asked

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
        fit, formula = self._fit(change, covariates, complete, kept)
        method = "trials" if isinstance(fit, TrialFit) else self.method
        flag = fit.flag if isinstance(fit, TrialFit) else ""

        def estimate(weights: np.ndarray, groups: tuple[int, ...], kind: Kind = "change") -> _Estimate:
            members = [complete & (design.groups == g) for g in groups]
            contrast = _NOTHING
            if fit is not None and all(member.any() for member in members):
                contrast = fit.contrast(weights[kept])
            words = self._in_words(method, contrast, int(np.count_nonzero(weights)))
            return _Estimate(groups, contrast, members, sum(int(m.sum()) for m in members), words, formula, flag, kind)

        each = np.eye(n_groups)
        found = [estimate(each[g], (g,)) for g in wanted]
        found += [estimate(each[one] - each[two], (one, two)) for one, two in itertools.combinations(wanted, 2)]
        if design.units.doses and len(wanted) == n_groups:
            found.append(estimate(slope(design.units.doses), tuple(wanted), "trend"))
        return found

    def _fit(
        self, change: np.ndarray, covariates: np.ndarray, complete: np.ndarray, kept: list[int]
    ) -> tuple[Fit | None, str]:
        """The fit of the groups that have people, and its formula."""
        design = self.design
        if self.models is not None:
            fit = self.models.fit(self.number, self.level, kept, complete, covariates)
            if fit is not None:
                return fit, fit.formula
        codes = np.searchsorted(kept, design.groups[complete]) if kept else np.empty(0, dtype=int)
        unknown = design.unknown_of_changes(self.number, self.level)[complete] if self.shrunken else None
        plain = fit_groups(self.method, change[complete], codes, len(kept), covariates[complete], unknown=unknown)
        return plain, self._formula()

    def _between_arms(self, change: np.ndarray, covariates: np.ndarray, complete: np.ndarray) -> list[_Estimate]:
        """Differences of the arms within people, the effect of the period, and the trend over doses."""
        design, units = self.design, self.design.units
        unknown = design.unknown_of_changes(self.number, self.level) if self.shrunken else None
        n_arms, found = len(units.names), []
        for arms in itertools.combinations(range(n_arms), 2):
            pairs = pair_arms(units, change, covariates, complete, arms, self.method, unknown)
            members = [pairs.members & (design.groups == arm) for arm in arms]
            contrast = pairs.fit.contrast(pairs.weights) if pairs.fit is not None else _NOTHING
            words = self._in_words(self.method, contrast, len(pairs.weights))
            formula = f"{self._formula()}, within participants" + " + period" * pairs.ordered
            found.append(_Estimate(arms, contrast, members, pairs.n, words, formula, pairs.flag))
            if n_arms == 2 and pairs.period_fit is not None:  # in the second order the first arm came second
                contrast = pairs.period_fit.contrast(-pairs.weights)
                words = self._in_words(self.method, contrast, 2)
                found.append(_Estimate(arms, contrast, members, pairs.n, words, formula, kind="period"))
        if units.doses:
            weights = slope(units.doses)
            fit, n = combined_arms(units, change, covariates, complete, weights, self.method)
            contrast = fit.contrast(np.ones(1)) if fit is not None else _NOTHING
            words = self._in_words(self.method, contrast, 1)
            formula = f"{self._formula()}, within participants"
            everyone = [complete & (design.groups == arm) for arm in range(n_arms)]
            found.append(_Estimate(tuple(range(n_arms)), contrast, everyone, n, words, formula, kind="trend"))
        return found

    def _in_words(self, method: str, contrast: Contrast, n_samples: int) -> str:
        if method == "trials":
            return "REML, Satterthwaite" + (f", df = {contrast.df:.1f}" if math.isfinite(contrast.df) else "")
        return in_words(method, contrast, n_samples=n_samples, covariates=bool(self.design.covariates))

    def _formula(self) -> str:
        terms = [self.design.by or "1", *self.design.covariates]
        return f"{change_formula(self.design, self.number, self.level)} ~ {' + '.join(terms)}"

    def _row(self, one: _Estimate, change: np.ndarray, detectable: Detectable, lost: str) -> dict[str, object]:
        design, info = self.design, self.design.records[self.number]
        plain = one.kind == "change"
        if not plain:
            detectable = Detectable(math.nan, "")
        sizes = [one.n] if design.units.crossed else [int(member.sum()) for member in one.members]
        missing = design.took_part(self.number, one.groups) - one.n
        test_flag, test_words = changed_test_mep(design, self.test, self.level, one.members) if plain else ("", "")
        from_trials = one.method.startswith("REML")
        flags = join_flags(
            info["flag"],
            size_flag(sizes, one.contrast),
            "missing_sessions" if missing else "",
            lost,
            test_flag,
            detectable.flag,
            "participant_level" if self.trials_given and not from_trials else "",
            "t_instead" if self.method != self.asked else "",
            one.flag,
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
            detectable=detectable.one_person,
            group_detectable=detectable.of_group(*(int(member.sum()) for member in one.members)),
            responders=self._responders(change, one, detectable),
            source=detectable.source,
            detectable_interval=detectable.interval,
            uncertain=detectable.uncertain,
            test_changed=test_words,
            kind=one.kind,
            crossed=design.units.crossed,
            dose=design.units.dose_unit or "unit of dose",
        )
        effect = self._effect_size(one) if plain and self.method != "trimmed" else math.nan
        return as_row(words, f"{one.formula}; {one.method}", effect, flags)

    def _responders(self, change: np.ndarray, one: _Estimate, detectable: Detectable) -> float:
        unknown = not math.isfinite(detectable.one_person) or detectable.uncertain
        if unknown or len(one.members) > 1 or not one.members[0].any():
            return math.nan
        return float(np.mean(np.abs(change[one.members[0]]) > detectable.one_person))

    def _effect_size(self, one: _Estimate) -> float:
        """Hedges g_av in a group, Morris d_ppc2 between groups or arms, both on the scale of the estimate."""
        values = self.design.values[self.number]
        held = [values[member] for member in one.members]
        if self.shrunken or min(len(part) for part in held) < 2:
            return math.nan
        df = one.n - len(held) if not self.design.units.crossed else one.n - 1
        if len(held) == 1:
            spread = float((held[0][:, 0].std(ddof=1) + held[0][:, self.level].std(ddof=1)) / 2)
        else:
            pooled = sum((len(p) - 1) * float(p[:, 0].var(ddof=1)) for p in held)
            spread = math.sqrt(pooled / sum(len(p) - 1 for p in held))
        return small_sample_correction(df) * one.contrast.estimate / spread if spread > 0 else math.nan


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
