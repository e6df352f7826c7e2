"""Central motor conduction time by root stimulation or by the F wave (Groppa et al. 2012)."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pandas as pd

from ..schema import Estimate, join_flags
from ._differences import check_statistic, difference_of_levels
from ._f_waves import shortest_latency
from ._registry import measure
from ._shared_error import with_shared_error
from ._tables import FEWEST, FEWEST_OF_MEDIAN, is_kept, level, nothing, numbers, seconds, single_pulses, stimulus_types

#: Time that an F wave needs to turn around in the motor neuron (s).
TURNAROUND = 0.001
#: F waves from which their shortest is taken for that of the fastest axons; 20 are recommended.
FEWEST_F_WAVES = 10
_LONGEST = 0.2  # s: no F wave and no response to the cortex comes later


def peripheral_conduction_time(f_latency: float, m_latency: float) -> float:
    """Time from the motor neuron to the muscle by the F wave, ``(F + M − 1 ms) / 2``, in seconds.

    Parameters
    ----------
    f_latency : float
        Shortest F latency of 20 or more (s).
    m_latency : float
        Distal motor latency (s).

    Raises
    ------
    ValueError
        When the latencies are not seconds, or the F wave does not come after the M wave.

    Examples
    --------
    >>> round(peripheral_conduction_time(0.0264, 0.0033), 5)
    0.01435
    """
    if not 0 < m_latency < f_latency < _LONGEST:
        raise ValueError(
            f"F latency {f_latency:g} and M latency {m_latency:g} must be seconds, the F wave after the M wave, "
            "such as 0.0264 and 0.0033"
        )
    return (f_latency + m_latency - TURNAROUND) / 2


@measure(
    kind="summary",
    unit={
        "central_motor_conduction_time": "s",
        "peripheral_conduction_time": "s",
        "cortical_latency": "s",
        "f_wave_latency": "s",
        "f_wave_persistence": "1",
    },
    over="table",
    references=["10.1016/j.clinph.2012.01.010"],
)
def central_conduction(
    table: pd.DataFrame,
    *,
    of: str = "mep_latency",
    statistic: Literal["mean", "median", "minimum"] = "mean",
    f_latency: float | None = None,
    m_latency: float | None = None,
    f_wave: str = "",
    m_wave: str = "",
    marked: str = "f_wave_marked",
    seed: int = 0,
) -> dict[str, Estimate]:
    """Latency from the cortex minus the peripheral time.

    With ``f_latency`` and ``m_latency``, or with the columns ``f_wave`` and ``m_wave`` of the trials with
    ``stimulus_type`` "nerve", the peripheral time is that of the F wave, ``(F + M − 1 ms) / 2``; else it is the
    latency of the trials with ``stimulus_type`` "root", which leaves the most proximal root in the central part.
    Cortical are the trials with ``stimulus_type`` "tms" or none; paired pulses and movements are left out.

    The F latency is the shortest that was measured. Where the table has ``<f_wave>_standard_error`` its interval holds
    the error of single onsets, a small first phase that noise hides, and that one wave may have been timed far too
    early; it is part of those of the conduction times. Latencies from the nerve laboratory or marked by eye come
    without an error: the interval of the central time then holds that of the cortical latency alone, and the flag
    ``given_latency_without_error`` says so. Intervals of ``mep_latency`` hold what the trials of a recording share, as
    those of ``trial_mean`` do. In simulated recordings of 22 to 25 stimuli (three constructions, 284 recordings) the
    interval of the F latency covers the truth in 90 to 100 %, that of the central time in 90 to 100 %.

    Parameters
    ----------
    table : DataFrame
        Trials of one channel.
    of : str
        Column with the onset latency (s from the pulse).
    statistic : {"mean", "median", "minimum"}
        Level of the latencies. The shortest latency is the clinical convention; it becomes shorter with more
        trials and has no interval here.
    f_latency, m_latency : float, optional
        Shortest F latency and distal motor latency (s).
    f_wave, m_wave : str
        Columns with the F (``"f_wave_latency"``) and M latencies (``"m_wave_latency"``) of the nerve trials: the
        shortest F and the median M are taken.
    marked : str
        Column with F latencies marked by eye (s), empty where there is none: where the stimuli have it, it is taken
        instead of ``f_wave``.
    seed : int
        Of the draws of the shortest F latency.

    Returns
    -------
    dict of Estimate
        ``central_motor_conduction_time``, ``peripheral_conduction_time``, ``cortical_latency`` (s); with ``f_wave``
        also ``f_wave_latency`` (shortest, s) and ``f_wave_persistence`` (share of nerve trials with an F wave;
        Wilson's interval). Flags: ``no_cortical_latency``, ``no_peripheral_latency``, ``no_f_wave``, ``few_trials``,
        ``root`` or ``f_wave`` (the method), ``few_f_waves`` (fewer than 10: the shortest may be too long; 20 are
        recommended), ``given_latency_without_error`` (the interval is that of the cortical latency alone),
        ``negative_conduction_time`` (cortical and peripheral stimuli may be exchanged).

    Raises
    ------
    ValueError
        For an unknown column, statistic or stimulus type, when only one of the two F-wave latencies is given, and for
        latencies that are not seconds or an F wave before the M wave.

    Examples
    --------
    >>> table = pd.DataFrame({"stimulus_type": ["tms"] * 3, "mep_latency": [0.0204, 0.0205, 0.0206]})
    >>> conduction = central_conduction(table, f_latency=0.0264, m_latency=0.0033)
    >>> round(conduction["central_motor_conduction_time"], 5)
    0.00615
    """
    check_statistic(statistic)
    if (f_latency is None) != (m_latency is None):
        raise ValueError("the F-wave method needs both f_latency and m_latency in seconds; only one was given")
    if bool(f_wave) != bool(m_wave):
        raise ValueError("the F-wave method needs both columns, f_wave and m_wave; only one was given")
    table = single_pulses(table)
    latency, kind, kept = numbers(table, of), stimulus_types(table), is_kept(table)
    cortex, root, nerve = (kind == word for word in ("tms", "root", "nerve"))
    seconds(latency[cortex | root], of, _LONGEST)
    known = kept & np.isfinite(latency)
    lost = int((~kept & cortex).sum())
    cortical = _level(table, of, known & cortex, statistic, "no_cortical_latency", lost)
    if f_latency is not None and m_latency is not None:
        peripheral = Estimate(
            peripheral_conduction_time(f_latency, m_latency), n=1, flag="f_wave;given_latency_without_error"
        )
        return _named(_by_f_wave(cortical, peripheral, statistic), peripheral, cortical)
    if f_wave:
        lost = int((~kept & nerve).sum())
        of_nerve = _of_nerve(table[kept & nerve], f_wave, m_wave, marked, seed)
        peripheral, shortest, persistence = (_with_lost(one, lost) for one in of_nerve)
        found = _named(_by_f_wave(cortical, peripheral, statistic), peripheral, cortical)
        return {**found, "f_wave_latency": shortest, "f_wave_persistence": persistence}
    lost = int((~kept & root).sum())
    peripheral = _level(table, of, known & root, statistic, "no_peripheral_latency", lost)
    central = _by_root(cortical, peripheral, statistic, table, of, known & cortex, known & root)
    return _named(central, peripheral, cortical)


def _with_lost(one: Estimate, n_rejected: int, flag: str = "") -> Estimate:
    return Estimate(one, one.ci_low, one.ci_high, one.n, join_flags(one.flag, flag), n_rejected)


def _named(central: Estimate, peripheral: Estimate, cortical: Estimate) -> dict[str, Estimate]:
    backwards = "negative_conduction_time" if central < 0 else ""
    return {
        "central_motor_conduction_time": _with_lost(central, cortical.n_rejected, backwards),
        "peripheral_conduction_time": peripheral,
        "cortical_latency": cortical,
    }


def _level(table: pd.DataFrame, of: str, used: np.ndarray, statistic: str, missing: str, lost: int) -> Estimate:
    values = numbers(table, of)[used]
    if values.size == 0:
        return nothing(missing, n_rejected=lost)
    if statistic == "minimum":
        return Estimate(values.min(), n=values.size, n_rejected=lost)
    few = values.size < (FEWEST_OF_MEDIAN if statistic == "median" else FEWEST)
    found = with_shared_error(table, of, used, level(values, statistic))
    return Estimate(*found, values.size, "few_trials" if few else "", lost)


def _of_nerve(
    table: pd.DataFrame, f_wave: str, m_wave: str, marked: str, seed: int
) -> tuple[Estimate, Estimate, Estimate]:
    """Peripheral time, shortest F latency and persistence of the kept nerve trials."""
    by_eye = marked in table and np.isfinite(numbers(table, marked)).any()
    f_wave_column = marked if by_eye else f_wave
    every = seconds(numbers(table, f_wave_column), f_wave_column, _LONGEST)
    m = seconds(numbers(table, m_wave), m_wave, _LONGEST)
    m = m[np.isfinite(m)]
    found = np.isfinite(every)
    f, n = every[found], int(found.sum())
    if not n or not m.size:
        none = nothing("no_peripheral_latency")
        return none, nothing("no_f_wave", len(table)), _share(n, len(table))
    few = "few_f_waves" if n < FEWEST_F_WAVES else ""
    column = f"{f_wave}_standard_error"
    error = np.zeros(n) if by_eye or column not in table else np.nan_to_num(numbers(table, column)[found])
    peripheral_conduction_time(float(f.min()), float(np.median(m)))  # refuses an F wave before the M wave
    m_level = level(m, "median") if m.size >= FEWEST else (float(np.median(m)), np.nan, np.nan)
    if not error.any():
        time = peripheral_conduction_time(float(f.min()), float(m_level[0]))
        return (
            Estimate(time, n=n, flag=join_flags("f_wave", few, "given_latency_without_error")),
            Estimate(f.min(), n=n, flag=few),
            _share(n, len(table)),
        )
    rng = np.random.default_rng(seed)
    draws = shortest_latency(f, error, rng)
    m_draws = m_level[0] + np.nan_to_num((m_level[2] - m_level[1]) / (2 * 1.96)) * rng.standard_normal(draws.size)
    halves = (draws + m_draws - TURNAROUND) / 2
    time = peripheral_conduction_time(float(f.min()), float(m_level[0]))
    return _drawn(time, halves, n, join_flags("f_wave", few)), _drawn(f.min(), draws, n, few), _share(n, len(table))


def _drawn(value: float, draws: np.ndarray, n: int, flag: str) -> Estimate:
    low, high = np.percentile(draws, [2.5, 97.5])
    return Estimate(value, low, high, n, flag)


def _share(found: int, n: int) -> Estimate:
    """Share of trials with Wilson's interval."""
    if not n:
        return nothing("no_peripheral_latency")
    z = 1.96
    middle, half = (found + z**2 / 2) / (n + z**2), z * np.sqrt(found * (n - found) / n + z**2 / 4) / (n + z**2)
    return Estimate(found / n, middle - half, middle + half, n)


def _by_f_wave(cortical: Estimate, peripheral: Estimate, statistic: str) -> Estimate:
    """Difference of two independent estimates; a peripheral time without an interval adds no error of its own."""
    value = float(cortical) - float(peripheral)
    if np.isnan(value):
        return nothing(cortical.flag or peripheral.flag, cortical.n)
    flag = join_flags(peripheral.flag, cortical.flag)
    if statistic == "minimum":
        return Estimate(value, n=cortical.n, flag=flag)
    below, above = np.nan_to_num([peripheral.ci_high - peripheral, peripheral - peripheral.ci_low])
    low = value - np.hypot(cortical - cortical.ci_low, below)
    high = value + np.hypot(cortical.ci_high - cortical, above)
    return Estimate(value, low, high, cortical.n, flag)


def _by_root(
    cortical: Estimate,
    peripheral: Estimate,
    statistic: str,
    table: pd.DataFrame,
    of: str,
    cortex: np.ndarray,
    root: np.ndarray,
) -> Estimate:
    value = float(cortical) - float(peripheral)
    if np.isnan(value):
        return nothing(cortical.flag or peripheral.flag, cortical.n)
    flag = join_flags("root", peripheral.flag)
    if statistic == "minimum":
        return Estimate(value, n=cortical.n, flag=flag)
    latency = numbers(table, of)
    found = difference_of_levels(latency[cortex], latency[root], statistic)
    for used in (cortex, root):  # two shapes of response, so two errors
        found = with_shared_error(table, of, used, found)
    return Estimate(*found, cortical.n, join_flags(flag, cortical.flag))
