"""What a measure varies by in a laboratory's own data (people, sessions, trials), and how many trials that needs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..schema import unknown_word
from ._labels import as_text
from ._scale import is_log
from ._trial_rows import check_trials, trial_numbers
from .design import level_column
from .mixed_models import mixed_model


@dataclass(frozen=True)
class VarianceComponents:
    """Standard deviations of a measure, on the scale on which its changes are estimated.

    Attributes
    ----------
    measure : str
    log : bool
        Whether they are of natural logarithms.
    between : float
        Between people, of their true values.
    session : float
        Of one person from session to session, without the scatter of trials.
    trial : float
        From trial to trial; of a ratio that of each of its two responses. Zero where only values of sessions are known.
    paired : bool
        Whether a session's value is a ratio, with as many test as conditioned trials.
    n, n_sessions, n_trials : int
        People, sessions and trials that this is known from.
    """

    measure: str
    log: bool
    between: float
    session: float
    trial: float
    paired: bool = False
    n: int = 0
    n_sessions: int = 0
    n_trials: int = 0

    def standard_error(self, trials: float) -> float:
        """Standard error of measurement of a session with so many trials (of each kind, for a ratio)."""
        return math.sqrt(self.session**2 + (1 + self.paired) * self.trial**2 / trials)

    def icc(self, trials: float) -> float:
        """Share of the variance of a session's value that is between people."""
        error = self.standard_error(trials) ** 2
        return self.between**2 / (self.between**2 + error)


def variance_components(
    trials: pd.DataFrame,
    measure: str = "mep_amplitude",
    *,
    channel: str | None = None,
    condition: str | None = None,
    protocol: str | None = None,
    sessions: Sequence[str] = (),
    within: str = "session",
) -> VarianceComponents:
    """Variance between people, sessions and trials, from a trial table by a mixed model.

    Parameters
    ----------
    trials : DataFrame
        Trial table of a study: ``participant``, the column of sessions, ``channel``, ``condition``, the measure.
    measure : str
        A column of the table, or ``"conditioned_ratio"``: of ``condition`` to the condition ``test`` of its protocol.
    channel, condition, protocol : str, optional
        Rows to take; must be said where there are several.
    sessions : sequence of str
        Those that repeat each other. All by default: each session's mean over people is taken out, but what people
        answer differently to an intervention then counts as measurement error.
    within : str
        Column of the sessions.

    Returns
    -------
    VarianceComponents

    Notes
    -----
    Of logarithms it is the mean of the logarithms that scatters by ``trial / √trials``, as in the models on trials; the
    logarithm of an arithmetic mean scatters by about ``√((exp(trial²) − 1) / trials)``.

    Raises
    ------
    ValueError
        For an unknown column or label, fewer than three people or two sessions, or values without logarithms.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> person, session = (np.repeat(np.arange(20), 60), np.tile(np.repeat([0, 1, 2], 20), 20))
    >>> log = rng.normal(-7, 0.6, 20)[person] + rng.normal(0, 0.2, (20, 3))[person, session] + rng.normal(0, 0.5, 1200)
    >>> trials = pd.DataFrame({"participant": person, "session": session, "channel": "FDI", "condition": "all",
    ...     "mep_amplitude": np.exp(log)})
    >>> found = variance_components(trials)
    >>> 0.1 < found.session < 0.3, 0.45 < found.trial < 0.55
    (True, True)
    """
    paired = measure == "conditioned_ratio"
    column = "mep_amplitude" if paired else measure
    if column not in trials:
        raise ValueError(unknown_word("measure of the trial table", column, map(str, trials.columns)))
    check_trials(trials)
    level_name = level_column(trials, within)
    rows = trials[as_text(trials["reject"]).eq("")] if "reject" in trials else trials
    rows = _chosen(rows, "protocol", protocol) if "protocol" in rows else rows
    rows = _chosen(rows, "channel", channel) if "channel" in rows else rows
    if paired:
        rows, conditioned = _pair(rows, condition)
    else:
        rows = _chosen(rows, "condition", condition) if "condition" in rows else rows
        conditioned = np.zeros(len(rows), dtype=np.int64)
    y = trial_numbers(rows, column)
    level = as_text(rows[level_name]).to_numpy()
    for label in sessions:
        if label not in level:
            raise ValueError(unknown_word(level_name, label, set(level)))
    keep = np.isfinite(y) & (np.isin(level, list(sessions)) if sessions else level != "")
    name = str(rows["protocol"].iloc[0]) if "protocol" in rows and len(rows) else ""
    log = paired or is_log(name, column, _unit(column), "")
    if log and (y[keep] <= 0).any():
        raise ValueError(
            f"{column} is zero or negative in row {rows.index[keep][y[keep] <= 0][0]}; it has no logarithm"
        )
    person, session = pd.factorize(as_text(rows["participant"])[keep])[0], pd.factorize(level[keep])[0]
    if person.max(initial=-1) < 2 or session.max(initial=-1) < 1:
        found = f"{person.max(initial=-1) + 1} and {session.max(initial=-1) + 1}"
        raise ValueError(f"variance components need three people and two sessions or more; {measure} has {found}")
    return _fitted(np.log(y[keep]) if log else y[keep], person, session, conditioned[keep], measure, log, paired)


def _fitted(
    y: np.ndarray,
    person: np.ndarray,
    session: np.ndarray,
    conditioned: np.ndarray,
    measure: str,
    log: bool,
    paired: bool,
) -> VarianceComponents:
    kinds = session * 2 + conditioned
    x = (kinds[:, None] == np.unique(kinds)).astype(float)
    cell = person * (session.max() + 1) + session
    random = {"participant": person, "participant:session": cell}
    if paired:
        random |= {"participant:cond": person * 2 + conditioned, "participant:session:cond": cell * 2 + conditioned}
    found = mixed_model(y, x, random).variances
    # of a ratio, what the two responses of a session share is gone and what they do not share counts twice
    between = 2 * found["participant:cond"] if paired else found["participant"]
    own = 2 * found["participant:session:cond"] if paired else found["participant:session"]
    return VarianceComponents(
        measure=measure,
        log=log,
        between=math.sqrt(between),
        session=math.sqrt(own),
        trial=math.sqrt(found["residual"]),
        paired=paired,
        n=int(person.max()) + 1,
        n_sessions=len(np.unique(cell)),
        n_trials=len(y),
    )


def components_of_sessions(values: np.ndarray, measure: str, *, log: bool) -> VarianceComponents:
    """Variance between people and sessions, where only values of sessions are known.

    Parameters
    ----------
    values : ndarray, shape (n_participants, n_sessions)
        On the scale of estimation; people without all sessions are left out. Their session's error holds the
        scatter of as many trials as were given.
    measure : str
    log : bool
        Whether they are logarithms.
    """
    from .reliability import mean_squares

    ms = mean_squares(values)
    between = max(0.0, (ms.rows - ms.error) / ms.k)
    return VarianceComponents(
        measure, log, math.sqrt(between), math.sqrt(ms.error), 0.0, n=ms.n, n_sessions=ms.n * ms.k
    )


def trials_needed(
    components: VarianceComponents, *, standard_error: float = math.nan, detectable: float = math.nan
) -> int:
    """Trials a session that a wanted standard error of measurement, or smallest detectable change, asks for.

    Parameters
    ----------
    components : VarianceComponents
    standard_error : float
        Wanted standard error of measurement, on the scale of the components (0.1 of logarithms is about 10 %).
    detectable : float
        Or the wanted smallest detectable change of one person on that scale, 1.96 √2 times as large.

    Returns
    -------
    int
        Trials; of a ratio as many conditioned and as many test trials.

    Raises
    ------
    ValueError
        Where neither or both are given, and where no number of trials reaches it: what changes from session to
        session stays.

    Examples
    --------
    >>> trials_needed(VarianceComponents("mep_amplitude", True, 0.5, 0.10, 0.5), standard_error=0.15)
    20
    """
    if math.isnan(standard_error) == math.isnan(detectable):
        raise ValueError("say either standard_error or detectable, the one that is wanted")
    wanted = standard_error if math.isnan(detectable) else detectable / (1.96 * math.sqrt(2))
    if not wanted > 0:
        raise ValueError(f"a wanted error is above 0, not {wanted:g}")
    room = wanted**2 - components.session**2
    if components.trial == 0:
        raise ValueError("how much trials scatter is not known from values of sessions; give a trial table")
    if room <= 0:
        least = f"{components.session:.3g} (smallest detectable change {1.96 * math.sqrt(2) * components.session:.3g})"
        raise ValueError(
            f"no number of trials gives a standard error of {wanted:.3g}: sessions alone differ by {least}"
        )
    return max(1, math.ceil((1 + components.paired) * components.trial**2 / room * (1 - 1e-12)))


def _chosen(rows: pd.DataFrame, name: str, label: str | None) -> pd.DataFrame:
    text = as_text(rows[name])
    known = [word for word in text.unique() if word]
    if label is None:
        if len(known) > 1:
            raise ValueError(f"the trial table has several of {name}: {', '.join(known[:8])}; say which")
        return rows[text.ne("")] if known else rows
    fits = text.eq(label) | text.str.rsplit("/", n=1).str[-1].eq(label)
    if not fits.any():
        raise ValueError(unknown_word(name, label, known))
    return rows[fits]


def _pair(rows: pd.DataFrame, condition: str | None) -> tuple[pd.DataFrame, np.ndarray]:
    """Test and conditioned trials, and which of them are conditioned."""
    text = as_text(rows["condition"])
    if "test" not in set(text):
        raise ValueError("a conditioned ratio needs trials of the condition 'test'; the table has none")
    conditioned = _chosen(rows[text.ne("test")], "condition", condition)
    both = pd.concat([conditioned, rows[text.eq("test")]])
    return both, (np.arange(len(both)) < len(conditioned)).astype(np.int64)


def _unit(column: str) -> str:
    from ..measures import get_measure, list_measures

    return get_measure(column).unit_of() if column in list_measures("trial") else ""
