"""The change from one time point to another, in each group and between groups."""

from __future__ import annotations

import itertools
import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..schema import COMPARISON_COLUMNS, join_flags
from .design import SERIES, Design, read_design
from .detectable import Detectable, smallest_detectable_change
from .effect_sizes import small_sample_correction
from .estimation import Contrast, GroupChanges, group_changes
from .sentences import Words, percent, sentence
from .trial_models import TrialFit, TrialModels


def compare(
    results: pd.DataFrame,
    within: str = "session",
    before: str = "pre",
    after: str | Sequence[str] = "post0",
    by: str | None = None,
    covariates: Sequence[str] = (),
    trials: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Compare time points within participants, and their change between groups.

    Parameters
    ----------
    results : DataFrame
        Result table (:data:`excitability.schema.RESULT_COLUMNS`) with, where needed, ``timepoint``, ``group``
        and covariates. ``participant``, ``measure``, ``value`` and ``unit`` are required.
    within : str
        Column of the levels compared within participants. ``"session"`` means the column ``timepoint``
        where there is one, else the session label.
    before : str
        Baseline level.
    after : str or list of str
        Level or levels compared with it.
    by : str, optional
        Column that parts the participants into groups. Gives one row a group and one row for each
        difference of changes, ``"patient - control"``; a group named like a control is subtracted.
    covariates : sequence of str
        Participant columns (the value at the baseline is used) entered as centred regressors of the change,
        with one slope for all groups. ``"baseline"`` is the measure itself before (analysis of covariance).
    trials : DataFrame, optional
        Trial table with ``participant`` and the level column. Measures with a column of their own, and
        ``conditioned_ratio``, are then estimated by a mixed model on the trials.

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
    design = read_design(results, within, before, after, by, covariates)
    models = None if trials is None else TrialModels(trials, design)
    tests = _test_meps(design)
    if design.covariates and design.series["shrunken"].any():
        names = ", ".join(dict.fromkeys(design.series["measure"][design.series["shrunken"]]))
        warnings.warn(
            f"{names}: values of form 'hierarchical' are shrunken to the population, so that differences between "
            "people, and with them the slopes of covariates, are too small; use the curves fitted alone for these",
            stacklevel=2,
        )
    rows: list[dict[str, object]] = []
    for number in range(len(design.series)):
        for level in range(1, len(design.after) + 1):
            rows.extend(_Series(design, number, level, models, tests[number]).rows())
    table = pd.DataFrame(rows, columns=list(COMPARISON_COLUMNS))
    return table.astype({name: "int64" for name, column in COMPARISON_COLUMNS.items() if column.dtype == "int"})


def _test_meps(design: Design) -> list[int | None]:
    """For each paired-pulse series the series of its test MEP, None for any other; −1 where it is not there."""
    keys = {
        (row.protocol, row.channel, row.measure, row.condition): i
        for i, row in enumerate(design.series.itertuples(index=False))
        if row.scale == "log_ratio"
    }
    found: list[int | None] = []
    for row in design.series.itertuples(index=False):
        if not str(row.measure).startswith("conditioned_ratio"):
            found.append(None)
            continue
        candidates = [("test_amplitude", row.condition), ("test_amplitude", "test"), ("test_amplitude", "all")]
        candidates.append(("mep_amplitude", "test"))
        places = [keys.get((row.protocol, row.channel, *candidate)) for candidate in candidates]
        found.append(next((place for place in places if place is not None), -1))
    return found


@dataclass(frozen=True)
class _Series:
    """One series and one contrast, in all its groups."""

    design: Design
    number: int
    level: int
    models: TrialModels | None
    test: int | None

    def rows(self) -> list[dict[str, object]]:
        design, info = self.design, self.design.records[self.number]
        values = design.values[self.number]
        change = values[:, self.level] - values[:, 0]
        covariates = self._covariates(values[:, 0])
        complete = np.isfinite(change) & np.isfinite(covariates).all(axis=1)
        flag = "" if np.isfinite(covariates[np.isfinite(change)]).all() else "covariate_missing"
        detectable = smallest_detectable_change(design, self.number, self.level)
        if self.shrunken:  # every source of it is a spread of values
            detectable = Detectable(math.nan, "sdc_unknown")
        fit, kept, model = self._fit(change, covariates, complete)
        base = dict(info=info, change=change, complete=complete, detectable=detectable, model=model)
        rows = []
        for group in range(len(design.group_names)):
            rows.append(self._row((group,), fit, kept, flag, **base))
        if design.by is not None:
            for one, two in itertools.combinations(range(len(design.group_names)), 2):
                rows.append(self._row((one, two), fit, kept, flag, **base))
        return rows

    @property
    def shrunken(self) -> bool:
        """Whether the values are shrunken to the population, so that their spread says too little."""
        return bool(self.design.series["shrunken"].iloc[self.number])

    def _covariates(self, baseline: np.ndarray) -> np.ndarray:
        columns = self.design.covariate_values
        if "baseline" in self.design.covariates:
            columns = np.column_stack([columns, baseline])
        return columns

    def _fit(
        self, change: np.ndarray, covariates: np.ndarray, complete: np.ndarray
    ) -> tuple[GroupChanges | TrialFit | None, list[int], str]:
        """The fit, the groups that are in it, and the model in words."""
        design = self.design
        kept = [g for g in range(len(design.group_names)) if (complete & (design.groups == g)).any()]
        codes = np.searchsorted(kept, design.groups[complete]) if kept else np.empty(0, dtype=int)
        if self.models is not None:
            fit = self.models.fit(self.number, self.level, kept, complete, covariates)
            if fit is not None:
                return fit, kept, fit.formula
        plain = group_changes(change[complete], codes, len(kept), covariates[complete])
        if plain is not None and self.shrunken:
            plain = plain.unshrunken(design.unknown_of_changes(self.number, self.level)[complete])
        return plain, kept, self._formula()

    def _formula(self) -> str:
        after, before = self.design.after[self.level - 1], self.design.before
        change = (
            f"log({after}) - log({before})"
            if self.design.records[self.number]["scale"] == "log_ratio"
            else f"{after} - {before}"
        )
        terms = [self.design.by or "1", *self.design.covariates]
        return f"{change} ~ {' + '.join(terms)}"

    def _row(
        self,
        groups: tuple[int, ...],
        fit: GroupChanges | TrialFit | None,
        kept: list[int],
        flag: str,
        *,
        info: dict[str, str],
        change: np.ndarray,
        complete: np.ndarray,
        detectable: Detectable,
        model: str,
    ) -> dict[str, object]:
        design = self.design
        members = [complete & (design.groups == g) for g in groups]
        sizes = [int(member.sum()) for member in members]
        among = np.isin(design.groups, groups)
        missing = int((design.expected[self.number] & among & ~complete).sum())
        contrast = _contrast(fit, kept, groups) if min(sizes) else Contrast(math.nan, math.nan, math.nan)
        low, high = contrast.interval
        test_flag, test_words = self._test_mep(members)
        from_trials = isinstance(fit, TrialFit)
        flags = join_flags(
            info["flag"],
            _size_flag(sizes, contrast),
            "missing_sessions" if missing else "",
            flag,
            test_flag,
            detectable.flag,
            "participant_level" if self.models is not None and not from_trials else "",
            fit.flag if isinstance(fit, TrialFit) else "",
        )
        words = Words(
            **{name: info[name] for name in (*SERIES, "unit")},
            log=info["scale"] == "log_ratio",
            before=design.before,
            after=design.after[self.level - 1],
            groups=tuple(design.group_names[g] for g in groups),
            estimate=contrast.estimate,
            low=low,
            high=high,
            p_value=contrast.p_value,
            n=sum(sizes),
            missing=missing,
            detectable=detectable.one_person,
            group_detectable=detectable.of_group(*sizes),
            responders=self._responders(change, members, detectable),
            source=detectable.source,
            detectable_interval=detectable.interval,
            uncertain=detectable.uncertain,
            test_changed=test_words,
        )
        effect = self._effect_size(contrast.estimate, members)
        model = _model_words(model, len(groups), contrast, design, from_trials)
        return _as_row(words, model, effect, flags)

    def _responders(self, change: np.ndarray, members: list[np.ndarray], detectable: Detectable) -> float:
        unknown = not math.isfinite(detectable.one_person) or detectable.uncertain
        if unknown or len(members) > 1 or not members[0].any():
            return math.nan
        return float(np.mean(np.abs(change[members[0]]) > detectable.one_person))

    def _effect_size(self, estimate: float, members: list[np.ndarray]) -> float:
        """Hedges g_av in a group, Morris d_ppc2 between groups, both on the scale of the estimate."""
        values = self.design.values[self.number]
        held = [values[member] for member in members]
        if self.shrunken or min(len(part) for part in held) < 2:
            return math.nan
        if len(held) == 1:
            df = len(held[0]) - 1
            spread = float((held[0][:, 0].std(ddof=1) + held[0][:, self.level].std(ddof=1)) / 2)
        else:
            df = sum(len(part) for part in held) - 2
            spread = math.sqrt(sum((len(p) - 1) * float(p[:, 0].var(ddof=1)) for p in held) / df)
        return small_sample_correction(df) * estimate / spread if spread > 0 else math.nan

    def _test_mep(self, members: list[np.ndarray]) -> tuple[str, str]:
        """Fairness of a ratio: whether the test MEP stayed the same between the two time points."""
        if self.test is None:
            return "", ""
        if self.test < 0:
            return "test_mep_unknown", ""
        values = self.design.values[self.test]
        changes = [(values[:, self.level] - values[:, 0])[member] for member in members]
        changes = [part[np.isfinite(part)] for part in changes]
        held = np.concatenate(changes)
        if not len(held):
            return "test_mep_unknown", ""
        beyond = int(np.sum((np.expm1(held) > 0.25) | (np.expm1(held) < -0.25)))
        means = [float(part.mean()) for part in changes if len(part)]
        strongest = max(means, key=abs)
        if not -0.25 <= math.expm1(strongest) <= 0.25:
            words = f"Caution: the test MEP itself changed by {percent(strongest):+.0f} %".replace("-", "−")
            return "test_mep_changed", f"{words} (beyond 25 % in {beyond} of {len(held)})."
        if beyond:
            return "test_mep_changed_in_some", f"The test MEP changed by more than 25 % in {beyond} of {len(held)}."
        return "", ""


def _as_row(words: Words, model: str, effect: float, flags: str) -> dict[str, object]:
    """A row of the comparison table."""
    limits = (words.estimate, words.low, words.high)
    back = [percent(limit) if words.log else math.nan for limit in limits]
    return {
        "protocol": words.protocol,
        "measure": words.measure,
        "channel": words.channel,
        "condition": words.condition,
        "group": " - ".join(words.groups),
        "contrast": f"{words.after} - {words.before}",
        "estimate": words.estimate,
        "unit": "1" if words.log else words.unit,
        "form": "log_ratio" if words.log else "difference",
        "ci_low": words.low,
        "ci_high": words.high,
        "p_value": words.p_value,
        "n": words.n,
        "model": model,
        "percent_change": back[0],
        "percent_ci_low": back[1],
        "percent_ci_high": back[2],
        "effect_size": effect,
        "smallest_detectable_change": words.detectable,
        "smallest_detectable_group_change": words.group_detectable,
        "smallest_detectable_ci_low": words.detectable_interval[0],
        "smallest_detectable_ci_high": words.detectable_interval[1],
        "responders": words.responders,
        "flag": flags,
        "sentence": sentence(words),
    }


def _contrast(fit: GroupChanges | TrialFit | None, kept: list[int], groups: tuple[int, ...]) -> Contrast:
    if fit is None:
        return Contrast(math.nan, math.nan, math.nan)
    weights = np.zeros(len(kept))
    for sign, group in zip((1.0, -1.0), groups, strict=False):
        weights[kept.index(group)] = sign
    return fit.contrast(weights)


def _size_flag(sizes: list[int], contrast: Contrast) -> str:
    if not min(sizes):
        return "no_complete_pairs"
    if not math.isfinite(contrast.estimate):
        return "not_estimable"
    if contrast.standard_error == 0:
        return "no_variation"
    if not math.isfinite(contrast.standard_error) or contrast.df < 1:
        return "too_few_participants"
    return "few_participants" if min(sizes) < 5 else ""


def _model_words(model: str, n_groups: int, contrast: Contrast, design: Design, from_trials: bool) -> str:
    if from_trials:
        method = "REML, Satterthwaite"
    elif design.covariates:
        method = "regression, group variances, Satterthwaite" if design.by else "regression"
    else:
        method = "one-sample t" if n_groups == 1 else "Welch t"
    df = f", df = {contrast.df:.1f}" if math.isfinite(contrast.df) else ""
    return f"{model}; {method}{df}"
