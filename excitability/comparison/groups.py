"""Means of groups or arms at one time point: case against control, without a change."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..schema import join_flags
from ._adjusted import adjusted_for, adjustment
from ._effects import NONE, of_level
from ._fairness import different_test_mep, series_of_test_meps
from ._methods import Fit, Method, check_method, fit_groups, in_words
from ._rows import as_row, as_table, size_flag, words_of
from ._scale import scale_in_words
from .complete import complete
from .crossover import pair_arms
from .design import Design, read_design, tidy
from .estimation import Contrast
from .sentences import Kind
from .sentences import _group as group_in_words

_NOTHING = Contrast(math.nan, math.nan, math.nan)


def compare_groups(
    results: pd.DataFrame,
    by: str = "group",
    at: str | Sequence[str] | None = None,
    within: str = "session",
    covariates: Sequence[str] = (),
    method: Method = "t",
) -> pd.DataFrame:
    """Compare groups of people, or arms within people, at one time point.

    Parameters
    ----------
    results : DataFrame
        Result table, as for :func:`compare`.
    by : str
        Column of the groups; a group named like a control is subtracted. Where the participants have the time point
        in several (``by="arm"``), the difference is taken within people.
    at : str or list of str, optional
        Time point or time points, one comparison each; needed where the table has several.
    within : str
        Column of the time points, as for :func:`compare`.
    covariates : sequence of str
        Participant columns entered as centred regressors, with one slope for all groups (analysis of covariance).
    method : {"t", "trimmed", "permutation", "bootstrap"}
        As for :func:`compare`.

    Returns
    -------
    DataFrame
        Columns of :data:`excitability.schema.COMPARISON_COLUMNS`, with the time point as ``contrast``. A row for each
        group holds its mean (``form`` mean, or geometric_mean of what is compared on a log scale), a row for each two
        groups their difference on the scale of :func:`compare`, with Hedges' g as ``effect_size``.

    Raises
    ------
    ValueError
        As :func:`compare`, and where the time point is not said.

    Notes
    -----
    A difference has Welch's t interval, with covariates that of a regression with a variance for each group. Groups
    that were not drawn by lot differ in more than their name: age, medication and thresholds are worth a covariate.

    Examples
    --------
    >>> rng = np.random.default_rng(2)
    >>> results = pd.DataFrame({"participant": [f"{i:02d}" for i in range(30)], "session": "pre",
    ...     "group": ["patient"] * 15 + ["control"] * 15, "protocol": "m1/sici", "channel": "FDI",
    ...     "condition": "isi_0.0025", "measure": "conditioned_ratio", "unit": "1", "form": "ratio",
    ...     "value": np.exp(rng.normal(np.repeat([-0.4, -0.8], 15), 0.3))})
    >>> found = compare_groups(results)
    >>> found[["group", "form", "n"]].values.tolist()
    [['patient', 'geometric_mean', 15], ['control', 'geometric_mean', 15], ['patient - control', 'log_ratio', 30]]
    >>> bool(found["percent_ci_low"][2] < 49 < found["percent_ci_high"][2])
    True
    """
    check_method(method, covariates)
    if "baseline" in covariates and "baseline" not in results:
        raise ValueError("covariate 'baseline' is for changes: compare(..., covariates=['baseline'])")
    rows: list[dict[str, object]] = []
    for level in _levels(results, at, within):
        design = read_design(results, within, level, None, by, covariates)
        tests = series_of_test_meps(design)
        for number in range(len(design.series)):
            rows.extend(_Level(design, number, tests[number], method).rows())
    return complete(as_table(rows))


def _levels(results: pd.DataFrame, at: str | Sequence[str] | None, within: str) -> list[str]:
    if at is not None:
        return [at] if isinstance(at, str) else list(at)
    table, name = tidy(results, within)
    known = [level for level in table[name].unique() if level]
    if len(known) != 1:
        raise ValueError(f"say at which {name} to compare: at= one of {', '.join(sorted(known)) or '(none)'}")
    return known


@dataclass(frozen=True)
class _Level:
    """One series at one time point, in all its groups."""

    design: Design
    number: int
    test: int | None
    asked: str  # method

    def rows(self) -> list[dict[str, object]]:
        design, units = self.design, self.design.units
        values, covariates = design.values[self.number][:, 0], design.covariate_values
        measured = np.isfinite(values)
        complete = measured & np.isfinite(covariates).all(axis=1)
        lost = measured & ~complete
        n_groups = len(units.names)
        groups = range(n_groups)
        rows = []
        for wanted in [[g] for g in groups] if units.crossed else [list(groups)]:
            kept = [g for g in wanted if (complete & (units.groups == g)).any()]
            fit = self._fit(values, covariates, complete & np.isin(units.groups, wanted), kept)
            contrast = {g: fit.contrast((np.array(kept) == g) * 1.0) if fit and g in kept else _NOTHING for g in wanted}
            rows += [self._row((g,), contrast[g], complete, lost, "mean", 1, "") for g in wanted]
        for pair in itertools.combinations(groups, 2):
            here, n_samples, flag = complete, 2, ""
            if units.crossed:
                paired = pair_arms(units, values, covariates, complete, pair, self.method, self._unknown())
                here, n_samples, flag = paired.members, len(paired.weights), paired.flag
                found = paired.fit.contrast(paired.weights) if paired.fit is not None else _NOTHING
            else:
                weights = (np.array(kept) == pair[0]) * 1.0 - (np.array(kept) == pair[1])
                found = fit.contrast(weights) if fit and set(pair) <= set(kept) else _NOTHING
            rows.append(self._row(pair, found, here, lost, "level", n_samples, flag))
        return rows

    @property
    def shrunken(self) -> bool:
        """Whether the values are shrunken to the population."""
        return bool(self.design.shrunken[self.number])

    @property
    def method(self) -> str:
        """What is used: only the t interval can give back what shrinking took."""
        return "t" if self.shrunken else self.asked

    def _unknown(self) -> np.ndarray | None:
        return self.design.standard_errors[self.number][:, 0] ** 2 if self.shrunken else None

    def _fit(self, values: np.ndarray, covariates: np.ndarray, complete: np.ndarray, kept: list[int]) -> Fit | None:
        codes = np.searchsorted(kept, self.design.groups[complete]) if kept else np.empty(0, dtype=int)
        unknown = self._unknown()
        return fit_groups(
            self.method,
            values[complete],
            codes,
            len(kept),
            covariates[complete],
            unknown=None if unknown is None else unknown[complete],
        )

    def _row(
        self,
        groups: tuple[int, ...],
        contrast: Contrast,
        complete: np.ndarray,
        lost: np.ndarray,
        kind: Kind,
        n_samples: int,
        flag: str,
    ) -> dict[str, object]:
        design, info = self.design, dict(self.design.records[self.number])
        if "as_ratio" in info["flag"]:
            info["unit"] = "1"
        members = [complete & (design.groups == g) for g in groups]
        sizes = [int(member.sum()) for member in members]
        paired = design.units.crossed and len(groups) == 2
        n = sizes[0] if paired else sum(sizes)
        without = len(np.unique(design.units.people[lost & np.isin(design.groups, groups)]))
        missing = max(design.took_part(self.number, groups) - n - without, 0)
        test_flag, test_words = different_test_mep(design, self.test, members, f" at {design.before}")
        adjusted, told = "", ""
        if math.isfinite(contrast.estimate):
            own = np.isin(design.groups, groups) if design.units.crossed else np.ones(len(complete), dtype=bool)
            names = [group_in_words(design.group_names[g]) for g in groups]
            columns, values = design.covariate_columns, design.covariate_values
            adjusted, told = adjustment(columns, values, complete & own, members, names, design.by)
        low, high = contrast.interval
        words = words_of(
            info,
            before=design.before,
            after="",
            groups=tuple(design.group_names[g] for g in groups),
            estimate=contrast.estimate,
            low=low,
            high=high,
            p_value=contrast.p_value if kind == "level" else math.nan,
            n=n,
            missing=missing,
            lost=without,
            detectable=math.nan,
            group_detectable=math.nan,
            responders=math.nan,
            source="",
            test_changed=test_words,
            kind=kind,
            crossed=design.units.crossed,
            adjusted=adjusted_for(design.covariates) if design.covariates else "",
            more=" ".join(part for part in (told, scale_in_words(info["flag"]) if kind == "level" else "") if part),
        )
        log = info["scale"] == "log_ratio"
        terms = " + ".join([str(design.by), *design.covariates])
        how = in_words(self.method, contrast, n_samples=n_samples, covariates=design.covariates)
        model = f"{'log ' * log}{info['measure']} ~ {terms}{', within participants' * paired}; {how}"
        flags = join_flags(
            info["flag"],
            size_flag(sizes, contrast, "no_values"),
            "missing_sessions" if missing else "",
            "covariate_missing" if without else "",
            test_flag,
            "t_instead" if self.method != self.asked else "",
            flag,
            adjusted,
        )
        effect = NONE
        if self.method != "trimmed" and not self.shrunken:
            held = [design.values[self.number][member, 0] for member in members]
            plain = self.method == "t" and not (design.covariates or paired)
            effect = of_level(held, contrast, paired=paired, pooled=plain)
        return as_row(words, model, flags, contrast, effect)
