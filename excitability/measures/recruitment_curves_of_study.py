"""Recruitment curves of all participants and sessions of a study together: each curve helped by the others."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd

from ..schema import RESULT_COLUMNS, Estimate, unknown_word
from ._curve_population import fit_population
from ._registry import get_measure, measure
from ._tables import is_kept, numbers, single_pulses
from .curves import CURVES
from .recruitment_curve import area_under_curve, fitted_values, recruitment_curve, without_fit

#: Curves of one channel from which a population can be told.
FEWEST = 4


@measure(kind="study", unit=get_measure("recruitment_curve").unit, form="hierarchical")
def recruitment_curves_of_study(
    tables: pd.DataFrame | Iterable[pd.DataFrame],
    *,
    of: str = "mep_amplitude",
    by: str = "intensity",
    form: str = "boltzmann",
    levels: Sequence[str] = ("session", "group"),
) -> pd.DataFrame:
    """Recruitment curves of a study by empirical Bayes: the rows of ``recruitment_curve``, shrunken to the population.

    Participants differ by a normal distribution around the mean of their session and group, sessions of a participant
    by a second one; both are estimated from the study, with its noise floor and its scatter of trials. A curve with
    few trials or without a plateau borrows from the others, one that is well known keeps its own values. Contrasts of
    sessions and groups are not shrunken away, because each has a mean of its own; but a participant's shrunken values
    must not be used to estimate how much participants differ.

    Parameters
    ----------
    tables : DataFrame or iterable of DataFrame
        Trial tables with ``participant``, ``channel`` and, where there are several, ``session``; paired pulses and
        rejected rows are left out. Every channel is a study of its own.
    of, by : str
        Columns with the size of the response and with the intensity (%MSO).
    form : {"boltzmann", "rectified_logistic", "log_logistic"}
        Curve; see ``excitability.measures.curves``.
    levels : sequence of str
        Columns whose combinations have means of their own; those that the tables lack are ignored.

    Returns
    -------
    DataFrame
        One row a participant, session, channel and measure (``s50``, ``recruitment_threshold``, ``mep_max``,
        ``peak_slope``, ``area_under_curve``, ``plateau_reached``), with the columns of every result table and ``form``
        ``hierarchical``; curves fitted alone (fewer than four of a channel) carry the flag ``fitted_alone``.
        The area needs no curve and is not shrunken. Flags are those of ``recruitment_curve``.

    Raises
    ------
    ValueError
        For an unknown column or form.

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
    if form not in CURVES:
        raise ValueError(unknown_word("form of recruitment curve", form, CURVES))
    table = tables if isinstance(tables, pd.DataFrame) else pd.concat(list(tables), ignore_index=True)
    for name in ("participant", "channel"):
        if name not in table:
            raise ValueError(f"the trial tables have no column {name!r}, which says whose curve a trial belongs to")
    table = single_pulses(table if "session" in table else table.assign(session=""))
    rows: list[dict[str, object]] = []
    for channel, part in table.groupby("channel", sort=False):
        rows += _channel(str(channel), part, of, by, form, [name for name in levels if name in part])
    return pd.DataFrame(rows, columns=[name for name in RESULT_COLUMNS if not rows or name in rows[0]])


def _channel(
    channel: str, table: pd.DataFrame, of: str, by: str, form: str, levels: list[str]
) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    curves: list[tuple[dict[str, object], np.ndarray, np.ndarray, int, tuple[object, ...]]] = []
    for (participant, session), part in table.groupby(["participant", "session"], sort=False):
        label = {"participant": participant, "session": session, "channel": channel, "condition": "all"}
        kept = is_kept(part)
        s, y = numbers(part, by), numbers(part, of)
        use = kept & np.isfinite(s) & np.isfinite(y)
        if without_fit(s[use], y[use], form) is not None:
            rows += _rows(label, recruitment_curve(part, of=of, by=by, form=form))  # type: ignore[arg-type]
        else:
            level = tuple(part[name].iloc[0] for name in levels)
            curves.append((label, s[use], y[use], int((~kept).sum()), level))
    if len(curves) < FEWEST:
        for label, s, y, n_rejected, _ in curves:
            found = recruitment_curve(pd.DataFrame({by: s, of: y}), of=of, by=by, form=form)  # type: ignore[arg-type]
            rows += _rows(label, found, "fitted_alone", n_rejected)
        return rows
    people = pd.factorize(np.array([str(label["participant"]) for label, *_ in curves]))[0]
    places = pd.factorize(pd.Series([level for *_, level in curves], dtype=object))[0]
    fits = fit_population([(s, y) for _, s, y, _, _ in curves], people.tolist(), places.tolist(), form)
    for (label, s, y, n_rejected, _), fit in zip(curves, fits, strict=True):
        values = fitted_values(fit)
        values["area_under_curve"] = area_under_curve(s, y, fit.variance[0])
        known = {
            key: Estimate(value, value.ci_low, value.ci_high, s.size, value.flag, n_rejected)
            for key, value in values.items()
        }
        rows += _rows(label, known)
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
            "form": "hierarchical",
            "ci_low": value.ci_low,
            "ci_high": value.ci_high,
            "n_trials": value.n,
            "n_rejected": value.n_rejected if n_rejected is None else n_rejected,
            "flag": ";".join(word for word in (flag, value.flag) if word),
        }
        for key, value in found.items()
    ]
