"""Values as other software writes them: units of display, ratios without a form, codes for what is missing."""

from __future__ import annotations

import functools
import re

import pandas as pd

from ..measures import get_measure, list_measures
from ._labels import some

NUMBERS = ("value", "ci_low", "ci_high")
#: SI unit and factor of units in which values are often given.
_UNITS = {"mv": ("V", 1e-3), "uv": ("V", 1e-6), "nv": ("V", 1e-9), "volt": ("V", 1.0), "volts": ("V", 1.0),
          "ms": ("s", 1e-3), "us": ("s", 1e-6), "sec": ("s", 1.0), "seconds": ("s", 1.0), "mv*s": ("V*s", 1e-3),
          "uv*s": ("V*s", 1e-6), "mv*ms": ("V*s", 1e-6), "uv*ms": ("V*s", 1e-9), "uv^2": ("V^2", 1e-12),
          "mv^2": ("V^2", 1e-6), "percent": ("%", 1.0)}  # fmt: skip
#: What people write where a value is missing.
CODES = (-9.0, -99.0, -999.0, -9999.0, 99.0, 999.0, 9999.0)
#: So many times the others a value is no measurement if it is just such a code.
_FAR = 20.0
#: Sizes, times and thresholds that cannot be negative; sizes less the noise can.
_POSITIVE = ("mep_amplitude", "test_amplitude", "conditioned_ratio", "m_max", "m_wave_amplitude", "mep_latency",
             "cortical_silent_period", "resting_motor_threshold", "active_motor_threshold")  # fmt: skip
#: Names of values that are mostly ratios.
_RATIO = re.compile(
    r"ratio|percent|inhibition|facilitation|(?<![a-z])(sici|icf|lici|sicf|sai|lai|cbi|ihi)(?![a-z])", re.I
)


def in_si(table: pd.DataFrame) -> pd.DataFrame:
    """Values and limits in the SI unit, where a measure has one unit that is a multiple of it.

    A measure in several units stays as it is, for :func:`check_units` to name the rows.
    """
    held = table["unit"].where(table["value"].notna())
    one = held.groupby([table["protocol"], table["measure"]]).transform("nunique") == 1
    plain = table["unit"].str.replace("[µμ]", "u", regex=True).str.replace("·", "*").str.replace("²", "^2")
    for unit in plain[one].unique():
        if (si := _UNITS.get(unit.lower())) is None or unit.startswith("MV"):
            continue
        here = one & plain.eq(unit)
        table.loc[here, list(NUMBERS)] *= si[1]
        table.loc[here, "unit"] = si[0]
    return table


@functools.cache
def _known() -> frozenset[str]:
    """Every name that the package gives to a value."""
    entries = [get_measure(name) for name in list_measures()]
    return frozenset(
        word for entry in entries for word in (entry.name, *([] if isinstance(entry.unit, str) else entry.unit))
    )


def with_form(table: pd.DataFrame) -> pd.DataFrame:
    """The form of ratios that do not say it, by their measure and unit; column ``_no_form`` where it is not known."""
    bare = table["form"].eq("") & table["unit"].isin(["", "1", "%"])
    table["_no_form"] = False
    for measure, unit in table.loc[bare, ["measure", "unit"]].drop_duplicates().itertuples(index=False, name=None):
        here = bare & table["measure"].eq(measure) & table["unit"].eq(unit)
        if measure in list_measures() and (form := get_measure(measure).form):
            table.loc[here, "form"] = "percent" if unit == "%" and form == "ratio" else form
        elif measure and measure not in _known() and (unit == "%" or _RATIO.search(measure)):
            table.loc[here, "_no_form"] = True
    return table


def check_values(rows: pd.DataFrame) -> None:
    """Refuse codes for what is missing, and negative values of what cannot be negative, naming the rows.

    Raises
    ------
    ValueError
        In one line, with what to type.
    """
    for key, own in rows[rows["value"].isin(CODES)].groupby(["protocol", "measure", "channel", "condition"]):
        same = (rows[["protocol", "measure", "channel", "condition"]] == list(key)).all(axis=1)
        others = rows["value"][same & ~rows["value"].isin(CODES)].dropna()
        if others.empty:
            continue
        number, size = own["value"], float(others.abs().median())
        lone = (number.abs() > _FAR * size) | ((number < -2 * size) & bool((others > 0).all()))
        if lone.any():
            raise ValueError(
                f"measure {key[1]!r} is {number[lone].iloc[0]:g} in row {some(number.index[lone])}, which looks like a "
                "code for missing; leave the cell empty"
            )
    wrong = rows[rows["measure"].isin(_POSITIVE) & rows["form"].isin(["", "ratio", "percent"]) & rows["value"].lt(0)]
    if len(wrong):
        first = wrong.iloc[0]
        raise ValueError(
            f"measure {first['measure']!r} is {first['value']:g} {first['unit']} in row "
            f"{some(wrong.index[wrong['measure'] == first['measure']])}, but cannot be negative; mend the value, or "
            "leave the cell empty if it is missing"
        )
