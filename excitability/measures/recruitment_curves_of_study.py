"""Recruitment curves of all participants and sessions of a study together: each curve helped by the others."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
import pandas as pd

from ..schema import DERIVED, RESULT_COLUMNS, Estimate, unknown_word
from ._curve_fit import CurveFit
from ._curve_population import fit_population
from ._hbmep import MODELS, fit_hbmep, need_hbmep
from ._registry import get_measure, measure
from ._tables import intensities, is_kept, numbers, single_pulses
from .curves import CURVES
from .recruitment_curve import area_under_curve, fitted_values, recruitment_curve, with_background, without_fit

#: Curves of one channel from which a population can be told.
FEWEST = 4
#: How the curves of a study help each other -> the form of their rows.
METHODS = {"empirical_bayes": "hierarchical", "hbmep": "hierarchical_hbmep"}
Trials = Sequence[tuple[np.ndarray, np.ndarray]]
#: (trials, participants, levels) -> each curve and a flag.
Fit = Callable[[Trials, Sequence[int], Sequence[int]], list[tuple[CurveFit, str]]]


@measure(kind="study", unit=get_measure("recruitment_curve").unit, form="hierarchical")
def recruitment_curves_of_study(
    tables: pd.DataFrame | Iterable[pd.DataFrame],
    *,
    of: str = "mep_amplitude",
    by: str = "intensity",
    form: str | None = None,
    levels: Sequence[str] = ("session", "group"),
    method: str = "empirical_bayes",
    seed: int = 0,
    n_chains: int = 4,
    n_warmup: int = 1000,
    n_draws: int = 1000,
) -> pd.DataFrame:
    """Recruitment curves of a study together: the rows of ``recruitment_curve``, shrunken to the population.

    By empirical Bayes, participants differ by a normal distribution around the mean of their session and group,
    sessions of a participant by a second one; both are estimated from the study, with its noise floor and its scatter
    of trials. A curve with few trials borrows from the others, one that is well known keeps its own values. One whose
    plateau the others cannot tell either keeps the flag ``no_plateau``, its S50 and maximum NaN. Contrasts of sessions
    and groups are not shrunken away, because each has a mean of its own; but a participant's shrunken values must not
    be used to estimate how much participants differ.

    With ``method="hbmep"`` the curves come from the posterior of hbMEP [1]_, which takes a hundred times as long, does
    not know which sessions are of one participant, and fits every combination of ``levels`` as a population of its
    own. To install it: ``pip install "excitability[bayes]"``, then ``pip install --no-deps hbmep==0.9.0`` (it declares
    numpy below 2, but computes the same on numpy 2).

    Parameters
    ----------
    tables : DataFrame or iterable of DataFrame
        Trial tables with ``participant``, ``channel`` and, where there are several, ``session``; paired pulses and
        rejected rows are left out. Every channel is a study of its own.
    of, by : str
        Columns with the size of the response and with the intensity (%MSO).
    form : {"boltzmann", "rectified_logistic", "log_logistic"}, optional
        Curve; see ``excitability.measures.curves``. By default ``boltzmann``; with hbMEP ``rectified_logistic``, for
        which it was made (``boltzmann`` is its ``logistic4``; it has no ``log_logistic``).
    levels : sequence of str
        Columns whose combinations have means of their own; those that the tables lack are ignored.
    method : {"empirical_bayes", "hbmep"}
        How the curves help each other.
    seed, n_chains, n_warmup, n_draws : int
        Of hbMEP's sampler: draws are counted a chain, after the warm-up. Empirical Bayes draws no random numbers.

    Returns
    -------
    DataFrame
        One row a participant, session, channel and measure (``s50``, ``recruitment_threshold``, ``mep_max``,
        ``peak_slope``, ``area_under_curve``, ``plateau_reached``), with the columns of every result table and ``form``
        ``hierarchical`` or ``hierarchical_hbmep``; curves fitted alone (fewer than four of a channel) carry the flag
        ``fitted_alone``. Values are medians of what the data allow, intervals its 95 % between equal tails. The area
        needs no curve and is not shrunken. Flags are those of ``recruitment_curve``; ``chains_disagree`` where
        hbMEP's chains have not met (split R-hat above 1.05): draw more.

    Raises
    ------
    ValueError
        For an unknown column, form or method, a form that hbMEP does not have, and rows without participant or channel.
    ImportError
        Where hbMEP is asked for and not installed.

    References
    ----------
    .. [1] Tyagi et al. (2025), Brain Stimulation, https://doi.org/10.1016/j.brs.2025.09.008

    Examples
    --------
    >>> from excitability.measures.curves import boltzmann
    >>> rng = np.random.default_rng(6)
    >>> s = np.repeat(np.arange(40.0, 81, 5), 3)
    >>> tables = [
    ...     pd.DataFrame({"participant": f"p{i}", "channel": "FDI", "intensity": s, "mep_amplitude":
    ...         boltzmann(s, 3e-3, rng.normal(58, 5), 4, 2e-5) * rng.lognormal(0, 0.4, s.size)})
    ...     for i in range(6)
    ... ]
    >>> curves = recruitment_curves_of_study(tables)
    >>> curves[curves["measure"] == "s50"].shape[0]
    6
    """
    if method not in METHODS:
        raise ValueError(unknown_word("method for the curves of a study", method, METHODS))
    forms = list(MODELS if method == "hbmep" else CURVES)
    form = forms[0] if form is None else form
    if form not in forms:
        raise ValueError(unknown_word("form of recruitment curve", form, forms))
    if method == "hbmep":
        need_hbmep()
    table = tables if isinstance(tables, pd.DataFrame) else pd.concat(list(tables), ignore_index=True)
    for name in ("participant", "channel"):
        if name not in table:
            raise ValueError(f"the trial tables have no column {name!r}, which says whose curve a trial belongs to")
        if table[name].isna().any():
            at = table.index[table[name].isna()][0]
            raise ValueError(f"row {at} of the trial tables has no {name!r}, which says whose curve a trial belongs to")
    table = single_pulses(table if "session" in table else table.assign(session=""))
    unsaid = {name: table[name].astype(object).fillna("") for name in ("session", *levels) if name in table}
    table = table.assign(**unsaid)  # no session or group is one of its own

    def fit(trials: Trials, people: Sequence[int], places: Sequence[int]) -> list[tuple[CurveFit, str]]:
        if method == "hbmep":
            return fit_hbmep(trials, places, form, seed, n_chains, n_warmup, n_draws)
        return [(one, "") for one in fit_population(trials, people, places, form)]

    rows: list[dict[str, object]] = []
    for channel, part in table.groupby("channel", sort=False):
        rows += _channel(str(channel), part, of, by, form, [name for name in levels if name in part], fit)
    for row in rows:
        row["protocol"] = f"{DERIVED}recruitment_curves_of_study"
    found = pd.DataFrame(rows, columns=[name for name in RESULT_COLUMNS if not rows or name in rows[0]])
    return found.assign(form=METHODS[method])


def _channel(
    channel: str, table: pd.DataFrame, of: str, by: str, form: str, levels: list[str], fit: Fit
) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    curves: list[tuple[dict[str, object], np.ndarray, np.ndarray, int, tuple[object, ...]]] = []
    used: list[pd.DataFrame] = []
    for (participant, session), part in table.groupby(["participant", "session"], sort=False):
        label = {"participant": participant, "session": session, "channel": channel, "condition": "all"}
        kept = is_kept(part)
        s, y = intensities(part, by), numbers(part, of)
        use = kept & np.isfinite(s) & np.isfinite(y)
        if without_fit(s[use], y[use], form) is not None:
            rows += _rows(label, recruitment_curve(part, of=of, by=by, form=form))  # type: ignore[arg-type]
        else:
            level = tuple(part[name].iloc[0] for name in levels)
            curves.append((label, s[use], y[use], int((~kept).sum()), level))
            used.append(part[use])
    if len(curves) < FEWEST:
        for (label, _, _, n_rejected, _), part in zip(curves, used, strict=True):
            found = recruitment_curve(part, of=of, by=by, form=form)  # type: ignore[arg-type]
            rows += _rows(label, found, "fitted_alone", n_rejected)
        return rows
    people = pd.factorize(np.array([str(label["participant"]) for label, *_ in curves]))[0]
    places = pd.factorize(pd.Series([level for *_, level in curves], dtype=object))[0]
    fits = fit([(s, y) for _, s, y, _, _ in curves], people.tolist(), places.tolist())
    for (label, s, y, n_rejected, _), (one, flag), part in zip(curves, fits, used, strict=True):
        values = with_background(fitted_values(one), one, part, of)
        values["area_under_curve"] = area_under_curve(s, y, one.variance[0])
        known = {
            key: Estimate(value, value.ci_low, value.ci_high, s.size, value.flag, n_rejected)
            for key, value in values.items()
        }
        rows += _rows(label, known, flag)
    return rows


def _rows(
    label: Mapping[str, object], found: Mapping[str, Estimate], flag: str = "", n_rejected: int | None = None
) -> list[dict[str, object]]:
    """Result rows of one curve."""
    entry = get_measure("recruitment_curve")
    return [
        {
            **label,
            "measure": key,
            "value": float(value),
            "unit": entry.unit_of(key),
            "form": "",
            "ci_low": value.ci_low,
            "ci_high": value.ci_high,
            "n_trials": value.n,
            "n_rejected": value.n_rejected if n_rejected is None else n_rejected,
            "flag": ";".join(word for word in (flag, value.flag) if word),
        }
        for key, value in found.items()
    ]
