"""Triple stimulation technique: how many of a muscle's motor neurons the cortex can reach (Magistris et al. 1998)."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pandas as pd

from ..schema import Estimate
from ._registry import measure
from ._tables import FEWEST, conditions, is_kept, nothing, numbers
from .conditioned_ratio import in_form, ratio_of_levels


def triple_stimulation_delays(cortical_latency: float, wrist_latency: float, erb_latency: float) -> tuple[float, float]:
    """Delays from the cortical pulse to the wrist stimulus and from there to the stimulus at Erb's point, in seconds.

    The wrist stimulus must meet the descending action potentials between Erb's point and the wrist:
    ``cortical latency − wrist latency``, then ``Erb latency − wrist latency``.

    Parameters
    ----------
    cortical_latency : float
        Shortest latency of the response to the cortical pulse (s).
    wrist_latency, erb_latency : float
        Latencies of the responses to supramaximal stimulation at the wrist and at Erb's point (s).

    Raises
    ------
    ValueError
        When the latencies are not in the order wrist < Erb < cortex.

    Examples
    --------
    >>> [round(delay, 5) for delay in triple_stimulation_delays(0.0205, 0.0033, 0.0125)]
    [0.0172, 0.0092]
    """
    if not 0 < wrist_latency < erb_latency < cortical_latency < 0.1:
        raise ValueError(
            f"wrist {wrist_latency:g}, Erb {erb_latency:g} and cortical latency {cortical_latency:g} must be seconds "
            "in this order, each longer than the one before, such as 0.0033, 0.0125 and 0.0205"
        )
    return cortical_latency - wrist_latency, erb_latency - wrist_latency


@measure(kind="summary", unit="1", form="percent", over="conditioned")
def triple_stimulation(
    table: pd.DataFrame,
    *,
    of: str = "m_wave_amplitude",
    test: str = "control",
    form: Literal["ratio", "log_ratio", "percent", "percent_inhibition"] = "percent",
) -> dict[str, Estimate]:
    """Response to cortex – wrist – Erb's point relative to that to Erb's point – wrist – Erb's point.

    Each motor neuron that the cortical pulse fires loses the impulse that came back from the wrist, and so takes part
    in the response to the last stimulus at Erb's point: ``100 · mean(test) / mean(control)`` is the share of motor
    neurons that were reached, freed of the desynchronisation that makes a usual MEP smaller. The interval is built on
    the logarithm with Welch's degrees of freedom. It is not cut at 100 %.

    Parameters
    ----------
    table : DataFrame
        Trials of one channel, with ``condition``.
    of : str
        Column with amplitude or area of the response to the LAST stimulus, in its own window.
    test : str
        Condition of the control curve.
    form : {"percent", "ratio", "log_ratio", "percent_inhibition"}
        ``100 R``, ``R``, ``ln R`` or ``100 (1 − R)``.

    Returns
    -------
    dict of str to Estimate
        One for each other condition. Flags: ``no_trials``, ``no_test_trials`` (NaN), ``few_trials`` (fewer than three:
        no interval), ``above_control`` (the whole interval lies above 100 %: one of the stimuli was not supramaximal),
        ``non_positive``.

    Raises
    ------
    ValueError
        For an unknown column or form.

    Examples
    --------
    >>> rng = np.random.default_rng(3)
    >>> table = pd.DataFrame({
    ...     "condition": ["control"] * 5 + ["cortex"] * 5,
    ...     "m_wave_amplitude": 12e-3 * np.repeat([1.0, 0.8], 5) * rng.lognormal(0, 0.03, 10),
    ... })
    >>> found = triple_stimulation(table)["cortex"]
    >>> bool(found.ci_low < 80 < found.ci_high)
    True
    """
    values, kept = numbers(table, of), is_kept(table)
    condition = conditions(table)
    known = kept & np.isfinite(values)
    control = values[known & (condition == test)]
    return {
        name: in_form(_share(values[known & (condition == name)], control, (condition == name) & ~kept), form)
        for name in sorted(set(condition) - {"", test})
    }


def _share(values: np.ndarray, control: np.ndarray, lost: np.ndarray) -> Estimate:
    n_rejected = int(lost.sum())
    if not values.size or not control.size:
        return nothing("no_test_trials" if values.size else "no_trials", values.size, n_rejected)
    ratio, low, high = ratio_of_levels(values, control, "mean")
    flag = "few_trials" if min(values.size, control.size) < FEWEST else ""
    if not np.isfinite(ratio):
        flag = "non_positive"
    elif low > 1:
        flag = "above_control"
    return Estimate(ratio, low, high, values.size, flag, n_rejected)
