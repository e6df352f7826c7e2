"""The change from one time point to another, in each group and between groups or arms."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import pandas as pd

from ._change_rows import Series
from ._fairness import series_of_test_meps
from ._methods import Method, check_method
from ._rows import as_table
from .complete import complete
from .design import read_design
from .omnibus import joint_rows
from .trial_models import TrialModels

if TYPE_CHECKING:
    from ..protocol.library import Battery


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
    battery: Battery | None = None,
    equivalence: str | float | Mapping[str, float] | None = None,
    bayes_factor: bool = False,
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
    method : {"t", "trimmed", "permutation", "bootstrap"}
        How means are judged. ``"trimmed"``: 20 % trimmed means (Yuen), for a few unusual people, without trials;
        ``"permutation"``: means judged by sign flips, or by exchanging people between groups, with intervals by
        inversion of the test, with trials from each person's own change; ``"bootstrap"``: by the t of drawn studies,
        for changes that lie askew, with trials by refits of studies simulated from the mixed model. Seeds are fixed.
        Covariates go with ``"t"``, and with ``"bootstrap"`` of trials.
    trial_covariates : sequence of str
        Columns of the trial table that enter the mixed models with one slope for all trials, such as
        ``background_emg`` (as its logarithm) and ``trial``.
    battery : Battery, optional
        Declares the families of tests within which p values are corrected (:func:`adjust`); without it all are
        exploratory.
    equivalence : {"person", "group"}, str, float or mapping, optional
        Largest change that counts as none, for the columns of :func:`equivalence`.
    bayes_factor : bool
        Whether a column ``bayes_factor`` is added, for the rows of one group.

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
    amplitudes of a ``tep`` protocol) and a series with a value of zero or below at a time point compared
    (flag ``not_positive_so_difference``). All else (latency, threshold, silent period, dB, probability) is a
    difference in its own unit. Percent inhibition is turned into the ratio first (flag ``as_ratio``), so a
    rise is less inhibition.

    *Model.* One change a participant; a group's change has the one-sample t interval, a difference of
    changes Welch's, with Satterthwaite degrees of freedom when covariates enter. Values of ``form`` hierarchical are
    shrunken to the population (flag ``shrunken``): what shrinking took from the spread of the changes is given back by
    the intervals of the sessions, and there is no effect size and no smallest detectable change, which need the spread
    of people; with covariates there is a warning, because their slopes are shrunken too. Only the two levels of the
    contrast are used, so no assumption links the time points; a participant without both is left out and counted.

    *Thresholds.* Values that are known only to lie above the stimulator's maximum (flag ``ceiling``) or above the
    tested range are taken as such by :func:`tobit_changes`, in a design of one baseline without covariates and by
    ``method="t"``; elsewhere these people are left out (flag ``censored_left_out``).

    *Probability of a response.* With trials, ``mep_probability`` is compared by a logistic regression of the trials
    (:func:`logistic_changes`); ``form`` is then log_odds_ratio.

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
            one = Series(design, number, level, models, tests[number], method, trials is not None)
            rows.extend(one.rows())
        if len(design.after) > 1 and method == "t" and not design.covariates:
            rows.extend(joint_rows(design, number))
    return complete(as_table(rows), battery, equivalence=equivalence, bayes_factor=bayes_factor)
