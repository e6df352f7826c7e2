"""Central motor conduction time by root stimulation or by the F wave (Groppa et al. 2012)."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pandas as pd

from ..schema import Estimate, join_flags
from ._differences import check_statistic, difference_of_levels
from ._registry import measure
from ._tables import FEWEST, is_kept, level, nothing, numbers

#: Time that an F wave needs to turn around in the motor neuron (s).
TURNAROUND = 0.001
#: F waves whose shortest is taken for that of the fastest axons.
F_WAVES = 20


def peripheral_conduction_time(f_latency: float, m_latency: float) -> float:
    """Time from the motor neuron to the muscle by the F wave, ``(F + M − 1 ms) / 2``, in seconds.

    Parameters
    ----------
    f_latency : float
        Shortest F latency of 20 or more (s).
    m_latency : float
        Distal motor latency (s).

    Examples
    --------
    >>> round(peripheral_conduction_time(0.0264, 0.0033), 5)
    0.01435
    """
    return (f_latency + m_latency - TURNAROUND) / 2


@measure(
    kind="summary",
    unit={
        "central_motor_conduction_time": "s",
        "peripheral_conduction_time": "s",
        "cortical_latency": "s",
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
) -> dict[str, Estimate]:
    """Latency from the cortex minus the peripheral time.

    With ``f_latency`` and ``m_latency``, or with the columns ``f_wave`` and ``m_wave`` of the trials with
    ``stimulus_type`` "nerve", the peripheral time is that of the F wave, ``(F + M − 1 ms) / 2``; else it is the
    latency of the trials with ``stimulus_type`` "root", which leaves the most proximal root in the central part. The
    interval of the F-wave method holds the error of the cortical latency alone: the shortest of some F waves has none
    that its trials could tell.

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
        Columns with the F latencies (marked by eye and given with the stimuli) and M latencies (``"m_wave_latency"``)
        of the nerve trials: the shortest F and the median M are taken.

    Returns
    -------
    dict of Estimate
        ``central_motor_conduction_time``, ``peripheral_conduction_time``, ``cortical_latency`` (s). Flags:
        ``no_cortical_latency``, ``no_peripheral_latency``, ``few_trials``, ``root`` or ``f_wave`` (the method),
        ``few_f_waves`` (fewer than 20: the shortest may be too long).

    Raises
    ------
    ValueError
        For an unknown column or statistic, or when only one of the two F-wave latencies is given.

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
    if f_wave and f_wave not in table:
        raise ValueError(
            f"the trials have no {f_wave!r} (s); mark the F waves of the nerve trials and give them as a column of the "
            "stimulus table, or give f_latency and m_latency"
        )
    latency = numbers(table, of)
    kind = table["stimulus_type"].to_numpy(dtype=object) if "stimulus_type" in table else np.full(len(table), "tms")
    known = is_kept(table) & np.isfinite(latency)
    root = np.array([word == "root" for word in kind], dtype=bool)
    nerve = np.array([word == "nerve" for word in kind], dtype=bool)
    cortical = _level(latency[known & ~root & ~nerve], statistic, "no_cortical_latency")
    if f_latency is not None and m_latency is not None:
        peripheral = Estimate(peripheral_conduction_time(f_latency, m_latency), n=1, flag="f_wave")
    elif f_wave:
        mine = is_kept(table) & nerve
        peripheral = _by_f_waves(numbers(table, f_wave)[mine], numbers(table, m_wave)[mine])
    else:
        peripheral = _level(latency[known & root], statistic, "no_peripheral_latency")
    return {
        "central_motor_conduction_time": _difference(cortical, peripheral, statistic, latency, known, root, nerve),
        "peripheral_conduction_time": peripheral,
        "cortical_latency": cortical,
    }


def _level(values: np.ndarray, statistic: str, missing: str) -> Estimate:
    if values.size == 0:
        return nothing(missing)
    if statistic == "minimum":
        return Estimate(values.min(), n=values.size)
    return Estimate(*level(values, statistic), n=values.size, flag="few_trials" if values.size < FEWEST else "")


def _by_f_waves(f: np.ndarray, m: np.ndarray) -> Estimate:
    f, m = f[np.isfinite(f)], m[np.isfinite(m)]
    if not f.size or not m.size:
        return nothing("no_peripheral_latency")
    flag = join_flags("f_wave", "few_f_waves" if f.size < F_WAVES else "")
    return Estimate(peripheral_conduction_time(float(f.min()), float(np.median(m))), n=f.size, flag=flag)


def _difference(
    cortical: Estimate,
    peripheral: Estimate,
    statistic: str,
    latency: np.ndarray,
    known: np.ndarray,
    root: np.ndarray,
    nerve: np.ndarray,
) -> Estimate:
    value = float(cortical) - float(peripheral)
    n = cortical.n
    if np.isnan(value):
        return nothing(cortical.flag or peripheral.flag, n)
    method = "f_wave" if peripheral.flag.startswith("f_wave") else "root"
    if statistic == "minimum":
        return Estimate(value, n=n, flag=join_flags(method, peripheral.flag))
    if method == "f_wave":  # a single number from the nerve laboratory: its own error is not known here
        flag = join_flags(peripheral.flag, cortical.flag)
        return Estimate(value, cortical.ci_low - peripheral, cortical.ci_high - peripheral, n, flag)
    found = difference_of_levels(latency[known & ~root & ~nerve], latency[known & root], statistic)
    return Estimate(*found, n, join_flags(method, peripheral.flag, cortical.flag))
