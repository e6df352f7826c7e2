"""The scale on which a measure is compared: logarithms of ratios, amplitudes and areas, else its own unit."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import pandas as pd

from ..schema import join_flags

_NORMAL = 1.959963984540054
LOG_FORMS = ("ratio", "percent", "percent_inhibition", "log_ratio")
_LOG_UNITS = ("V", "V*s", "V^2", "V/%MSO", "V*%MSO", "V*m^2", "m^2")


def is_signed(protocol: str, measure: str) -> bool:
    """Whether a measure in volts has a sign, as the peaks of an evoked potential do."""
    evoked = "tep" in re.split(r"[/_]", protocol)
    return bool(re.match(r"^[np]\d+_amplitude$", measure)) or (evoked and measure.endswith("_amplitude"))


def is_log(protocol: str, measure: str, unit: str, form: str) -> bool:
    """Whether changes and means of a measure are taken of logarithms: ratios, amplitudes, areas.

    >>> is_log("m1/mep", "mep_amplitude", "V", ""), is_log("dlpfc/tep", "n100_amplitude", "V", "")
    (True, False)
    """
    return form in LOG_FORMS or (unit in _LOG_UNITS and not is_signed(protocol, measure))


def to_scale(
    series: pd.DataFrame, values: np.ndarray, low: np.ndarray, high: np.ndarray, used: Sequence[int]
) -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    """Bring every series to the scale on which its change is estimated, by its values at the levels that are used.

    A value of zero at another level is NaN on the scale of logarithms.
    """
    values, spread = values.copy(), np.full(values.shape, np.nan)
    scales, flags = np.full(len(series), "difference", dtype=object), series["flag"].to_numpy(dtype=object)
    for number, (protocol, measure, form, unit) in enumerate(
        series[["protocol", "measure", "form", "unit"]].itertuples(index=False, name=None)
    ):
        part, ends = values[number], np.stack([low[number], high[number]])
        wanted = is_log(protocol, measure, unit, form)
        flag = ""
        if form == "percent_inhibition" and not (part[:, list(used)] >= 100).any():
            part, ends, flag = 1 - part / 100, 1 - ends / 100, "as_ratio"
        if wanted and form != "log_ratio":
            if (part[:, list(used)] <= 0).any() or (form == "percent_inhibition" and not flag):
                wanted, flag = False, "not_positive_so_difference"
            else:
                with np.errstate(divide="ignore", invalid="ignore"):
                    part, ends = np.log(np.where(part > 0, part, np.nan)), np.log(ends)
        with np.errstate(invalid="ignore"):
            values[number], spread[number] = part, np.abs(ends[1] - ends[0])
        scales[number] = "log_ratio" if wanted else "difference"
        flags[number] = join_flags(flags[number], flag)
    errors = np.where(np.isfinite(spread), spread / (2 * _NORMAL), np.nan)
    return series.assign(scale=scales, flag=flags), values, errors


def scale_in_words(flags: str) -> str:
    """Why a change is told as a difference in its own unit, where a ratio was to be expected; else empty."""
    given = flags.split(";")
    if "not_positive_so_difference" in given:
        return "Compared as differences instead of ratios, because a value is zero or negative."
    if "form_unknown" in given:
        return (
            "Compared as differences in their own unit (percent are points), because no column 'form' says ratio or "
            "percent."
        )
    return ""
