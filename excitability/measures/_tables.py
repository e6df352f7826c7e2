"""What every summary measure does with a trial table: kept rows, columns, responses and intervals of a level."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.special import betainc, stdtrit

from ..schema import STIMULUS_COLUMNS, Estimate, isi_label, unknown_word
from ._intervals import nominal_intervals

LEVEL = 0.95
#: Trials from which an interval says something: that of two rests on a single difference.
FEWEST = 3
#: Trials from which order statistics give an interval of 95 %.
FEWEST_OF_MEDIAN = 6
#: Peak-to-peak of EMG noise in a response window, in units of its RMS. Measured on band-limited noise
#: (20–1000 Hz, 35 ms windows): 5.3 ± 0.7, and 7.0 is exceeded by 1 % of the windows without a response.
NOISE_RANGE = 7.0
#: Flag where most conditioned trials hold no response.
CONDITIONED_AT_FLOOR = "conditioned_at_noise_floor"
#: Words in the column ``reject`` of trials that are kept.
_NO_REASON = {"", "n/a", "nan", "none", "<na>", "false", "0", "0.0"}
#: Largest intensity that can be meant, by unit.
_LARGEST = {"%MSO": 100.0, "%RMT": 400.0, "%AMT": 400.0}
#: What a stimulus can be; see ``STIMULUS_COLUMNS``.
_STIMULUS_TYPES = ("tms", "nerve", "root", "movement")
#: Percentages that all lie below this are shares of 1.
_FRACTION = 2.0


def check_table(table: pd.DataFrame) -> None:
    """Refuse a table whose rows must not be pooled: summary measures take the trials of one muscle of one person.

    Raises
    ------
    ValueError
        When the table holds several channels or participants, or two columns of one name.
    """
    twice = table.columns[table.columns.duplicated()]
    if len(twice):
        raise ValueError(f"the trial table has two columns {str(twice[0])!r}; keep one of them")
    for name in ("channel", "participant", "participant_id"):
        words = [word for word in table[name].dropna().unique() if word != ""] if name in table else []
        if len(words) > 1:
            raise ValueError(
                f"the trial table holds several {name}s ({', '.join(map(str, words[:6]))}); give the rows of one, "
                f"as in table[table[{name!r}] == {words[0]!r}]"
            )


def is_kept(table: pd.DataFrame) -> np.ndarray:
    """True for rows that were not rejected; a table without ``reject`` keeps all.

    ``reject`` holds the reason, and nothing, ``n/a`` or False in rows that are kept.
    """
    if "reject" not in table:
        return np.ones(len(table), dtype=bool)
    codes, reasons = pd.factorize(table["reject"], use_na_sentinel=False)  # few reasons, many rows
    return np.array([str(reason).strip().lower() in _NO_REASON for reason in reasons], dtype=bool)[codes]


def is_paired(table: pd.DataFrame) -> np.ndarray:
    """True for trials of several pulses, as ``pulse_count`` says or, where it is not known, the interval between them.

    An interval of 0 is none: so loggers write single pulses.
    """
    unknown = np.full(len(table), np.nan)
    count = numbers(table, "pulse_count") if "pulse_count" in table else unknown
    interval = numbers(table, "inter_stimulus_interval") if "inter_stimulus_interval" in table else unknown
    return np.where(np.isfinite(count), count > 1, np.isfinite(interval) & (interval != 0)).astype(bool)


def single_pulses(table: pd.DataFrame) -> pd.DataFrame:
    """Trials of one pulse: thresholds, curves and maps must not see conditioned responses."""
    return table[~is_paired(table)]


def stimulus_types(table: pd.DataFrame) -> np.ndarray:
    """Word of ``stimulus_type`` of each trial, ``"tms"`` where nothing was said.

    Raises
    ------
    ValueError
        For a word that is none of the schema's: its trials would be counted among others, or nowhere.
    """
    if "stimulus_type" not in table:
        return np.full(len(table), "tms", dtype=object)
    words = table["stimulus_type"].fillna("tms").replace("", "tms").to_numpy(dtype=object)
    for word in words:
        if word not in _STIMULUS_TYPES:
            raise ValueError(unknown_word("stimulus_type", word, _STIMULUS_TYPES))
    return words


def seconds(values: np.ndarray, what: str, longest: float = 1.0) -> np.ndarray:
    """The same latencies.

    Raises
    ------
    ValueError
        For one that is negative, or so long that it is meant in milliseconds.
    """
    bad = (values < 0) | (values > longest)
    if bad.any():
        given = float(values[bad][0])
        hint = f"; {given / 1000:g} if that was milliseconds" if given > longest else ""
        raise ValueError(f"{what} = {given:g}; expected seconds from 0 to {longest:g}{hint}")
    return values


def numbers(table: pd.DataFrame, name: str) -> np.ndarray:
    """Values of a column as floats; ``n/a`` and empty cells are NaN.

    Raises
    ------
    ValueError
        When the table has no such column (the message names the nearest one), or it holds a word or an infinity.
    """
    if name not in table and name in STIMULUS_COLUMNS:
        unit = STIMULUS_COLUMNS[name].unit
        raise ValueError(
            f"the trials have no {name!r}{f' ({unit})' if unit else ''}; give it with --stimuli LOG.csv, "
            "ex.read(path, stimuli=…) or ex.set_stimuli"
        )
    if name not in table:
        raise ValueError(unknown_word("column of the trial table", name, table.columns))
    column = table[name]
    values = pd.to_numeric(column, errors="coerce").to_numpy(dtype=float, na_value=np.nan)
    words = np.isnan(values) & column.notna().to_numpy()
    if words.any():  # left out silently, they would be trials that nobody counts
        words &= ~column.astype(str).str.strip().str.lower().isin(["", "n/a", "nan", "none"]).to_numpy()
    bad = words | np.isinf(values)
    if bad.any():
        at = int(np.flatnonzero(bad)[0])
        given = repr(column.iloc[at]) if words[at] else f"{values[at]:g}"
        raise ValueError(
            f"column {name!r} of the trial table holds {given} in row {column.index[at]}; "
            "expected a number, or n/a where there is none"
        )
    return values


def intensities(table: pd.DataFrame, by: str) -> np.ndarray:
    """Values of a column of intensities, in percent of the stimulator's output or of a threshold.

    Raises
    ------
    ValueError
        As for :func:`numbers`, and for values that cannot be meant: negative, more than the stimulator can, or so
        small throughout that they are shares of 1. A column that the schema does not know may hold anything.
    """
    values = numbers(table, by)
    unit = STIMULUS_COLUMNS[by].unit if by in STIMULUS_COLUMNS else ""
    if unit not in _LARGEST or not np.isfinite(values).any():
        return values
    bad = (values < 0) | (values > _LARGEST[unit])
    if bad.any():
        at = int(np.flatnonzero(bad)[0])
        raise ValueError(
            f"column {by!r} of the trial table holds {values[at]:g} in row {table.index[at]}; "
            f"expected 0 to {_LARGEST[unit]:g} {unit}"
        )
    largest = float(np.nanmax(values))
    if 0 < largest < _FRACTION:
        raise ValueError(
            f"column {by!r} of the trial table reaches {largest:g} only; expected {unit}, such as 50 for half: "
            f"a share of 1? multiply it by 100"
        )
    return values


def conditions(table: pd.DataFrame) -> np.ndarray:
    """Condition of each trial, empty where there is none.

    Raises
    ------
    ValueError
        When the table does not tell.
    """
    if "condition" not in table:
        raise ValueError(
            "the trial table has no column 'condition', which tells its trials apart; add it, as in "
            "table.assign(condition=…)"
        )
    return table["condition"].fillna("").astype(str).to_numpy(dtype=object)


def with_condition(table: pd.DataFrame, test: str = "test") -> pd.DataFrame:
    """The table with a ``condition`` column, derived from the pulses where it is missing.

    Raises
    ------
    ValueError
        When the table tells neither condition nor interval, or a kept pair has no interval above 0.
    """
    if "condition" in table:
        return table
    if "inter_stimulus_interval" not in table:
        raise ValueError(
            "the trial table has neither 'condition' nor 'inter_stimulus_interval'; "
            "add one of them so that test and conditioned trials can be told apart"
        )
    interval, paired = numbers(table, "inter_stimulus_interval"), is_paired(table)
    unknown = paired & ~(interval > 0)
    lost = unknown & is_kept(table)
    if lost.any():
        at = int(np.flatnonzero(lost)[0])
        raise ValueError(
            f"row {table.index[at]} of the trial table is a pair with an inter_stimulus_interval of {interval[at]:g}; "
            "expected seconds above 0, or a reason in 'reject'"
        )
    nominal = nominal_intervals(np.where(paired & ~unknown, interval, np.nan))
    labels = np.array([isi_label(value) if np.isfinite(value) else test for value in nominal], dtype=object)
    labels[unknown] = ""
    return table.assign(condition=labels)


def responded(table: pd.DataFrame, of: str) -> np.ndarray | None:
    """1 for each trial that holds a response, 0 for one that holds none, NaN where nothing tells; None for a column of
    which nothing could.

    ``mep_probability`` decides where it is known; else a peak-to-peak amplitude is compared with
    what the trial's own background EMG would reach by chance.
    """
    if not of.startswith("mep_"):
        return None
    found = np.full(len(table), np.nan)
    if of == "mep_amplitude" and "background_emg" in table:
        size, background = numbers(table, of), numbers(table, "background_emg")
        found = np.where(np.isfinite(size) & np.isfinite(background), size > NOISE_RANGE * background, np.nan)
    if "mep_probability" in table and of != "mep_probability":
        probability = numbers(table, "mep_probability")
        found = np.where(np.isfinite(probability), probability >= 0.5, found)
    return found if np.isfinite(found).any() else None


def share_of_responses(found: np.ndarray | None) -> float:
    """Share of the trials that :func:`responded`, among those that can tell; 1 where none can."""
    known = np.empty(0) if found is None else found[np.isfinite(found)]
    return float(known.mean()) if known.size else 1.0


def noise_floor_flags(test: np.ndarray | None, conditioned: np.ndarray | None) -> tuple[str, str]:
    """What two sets of trials say of the noise floor, by :func:`responded`: a reason to give no value, and a flag.

    Most test trials hold no response: there is nothing to compare with. Most conditioned trials hold none: their size
    is that of noise, and the true one is smaller.
    """
    nothing_to_compare = "test_at_noise_floor" if share_of_responses(test) < 0.5 else ""
    share = share_of_responses(conditioned)
    word = CONDITIONED_AT_FLOOR if share < 0.5 else f"{CONDITIONED_AT_FLOOR}_in_some" if share <= 0.8 else ""
    return nothing_to_compare, word


def relative_variance(values: np.ndarray) -> float:
    """Squared coefficient of variation, the larger of the sample's and a log-normal's (at most a quarter more).

    The variance of skewed trials is underestimated just when their mean is, so that plain intervals of 8–20
    amplitudes cover 92–94 %. With this guard they cover 94–97 % for log-normal and gamma trials of CV 0.4–0.8
    and for mixtures with absent responses. Where some values are not positive, it is the sample's.
    """
    plain = float(np.var(values, ddof=1) / np.mean(values) ** 2)
    if values.min() <= 0:
        return plain
    log_normal = float(np.expm1(min(np.var(np.log(values), ddof=1), 20.0)))
    return float(np.clip(log_normal, plain, 1.25 * plain))


def log_level(values: np.ndarray, statistic: str) -> tuple[float, float, float]:
    """Logarithm of a positive mean or geometric mean, its variance and degrees of freedom."""
    n = values.size
    if statistic == "geometric_mean":
        logs = np.log(values)
        return float(logs.mean()), float(logs.var(ddof=1) / n) if n >= FEWEST else np.nan, n - 1
    return float(np.log(values.mean())), relative_variance(values) / n if n >= FEWEST else np.nan, n - 1


def median_interval(values: np.ndarray) -> tuple[float, float]:
    """Interval of a median from order statistics, interpolated to 95 % (Hettmansperger & Sheather 1986).

    NaN counts as larger than any value (a silent period that outlasts the epoch), so that the median and
    its interval survive censoring; a limit among the censored trials is NaN.
    """
    n = values.size
    ordered = np.sort(np.where(np.isnan(values), np.inf, values))
    if n < FEWEST_OF_MEDIAN:  # the whole range covers less than 95 %
        return np.nan, np.nan
    depth = np.arange(1, n // 2 + 1)
    cover = 1 - 2 * betainc(n - depth + 1, depth, 0.5)  # of the binomial distribution
    k = int(depth[cover >= LEVEL].max())
    inner = float(cover[k]) if k < depth.size else 0.0
    share = (float(cover[k - 1]) - LEVEL) / (float(cover[k - 1]) - inner)
    weight = (n - k) * share / (k + (n - 2 * k) * share)
    low = (1 - weight) * ordered[k - 1] + weight * ordered[k]
    if np.isinf(ordered[n - k]):
        return float(low), np.nan
    high = (1 - weight) * ordered[n - k] + weight * ordered[n - k - 1]
    return float(low), float(high)


def level(values: np.ndarray, statistic: str) -> tuple[float, float, float]:
    """Mean, median or geometric mean of trials with its interval."""
    if statistic not in ("mean", "median", "geometric_mean"):
        raise ValueError(unknown_word("statistic", statistic, ["mean", "median", "geometric_mean"]))
    if statistic == "median":
        middle = float(np.median(np.where(np.isnan(values), np.inf, values)))
        return (middle if np.isfinite(middle) else np.nan, *median_interval(values))
    values = values[np.isfinite(values)]
    n = values.size
    if n == 0 or (statistic == "geometric_mean" and values.min() <= 0):
        return np.nan, np.nan, np.nan
    if n < FEWEST:
        only = np.exp(np.mean(np.log(values))) if statistic == "geometric_mean" else values.mean()
        return float(only), np.nan, np.nan
    t = float(stdtrit(n - 1, (1 + LEVEL) / 2))
    if values.min() > 0:
        centre, variance, _ = log_level(values, statistic)
        reach = t * np.sqrt(variance)
        return float(np.exp(centre)), float(np.exp(centre - reach)), float(np.exp(centre + reach))
    mean, reach = float(values.mean()), t * float(values.std(ddof=1)) / np.sqrt(n)
    return mean, mean - reach, mean + reach


def nothing(flag: str, n: int = 0, n_rejected: int = 0) -> Estimate:
    """A value that cannot be known, with the reason."""
    return Estimate(np.nan, n=n, flag=flag, n_rejected=n_rejected)
