"""Covariates of people and sessions: known names, their units, and what no person can have."""

from __future__ import annotations

import difflib
import warnings
from collections.abc import Mapping

import pandas as pd

from .schema import COVARIATES

#: Limits of the covariates; outside them a number is a slip or in another unit. Scales have theirs in the unit.
LIMITS = {
    "age": (0, 120),
    "height": (0.3, 2.6),
    "weight": (1, 400),
    "time_of_day": (0, 24),
    "sleep": (0, 24),
    "caffeine": (0, 3000),
    "pain_duration": (0, 1200),
    "disability": (0, 100),
    "stop_signal_reaction_time": (0.02, 2),
    "physical_activity": (0, 60_000),
    "vo2_peak": (3, 100),
    "bdnf": (0, 500),
    "probdnf": (0, 500),
    "igf1": (0, 2000),
    "vegf": (0, 20_000),
    "lactate": (0, 40),
    "beta_hydroxybutyrate": (0, 30),
    "cortisol": (0, 3000),
    "crp": (0, 600),
    "interleukin_6": (0, 5000),
    "glx": (0, 100),
    "gaba": (0, 50),
    "cortical_thickness": (0.5, 8),
    "hippocampal_volume": (500, 20_000),
}
#: Other names that studies give them.
ALIASES = {
    "pcs": "pain_catastrophizing",
    "catastrophizing": "pain_catastrophizing",
    "catastrophising": "pain_catastrophizing",
    "pain_catastrophising": "pain_catastrophizing",
    "tsk": "kinesiophobia",
    "tampa": "kinesiophobia",
    "fear_of_movement": "kinesiophobia",
    "nrs": "pain_intensity",
    "vas": "pain_intensity",
    "pain": "pain_intensity",
    "odi": "disability",
    "oswestry": "disability",
    "rmdq": "roland_morris",
    "pseq": "self_efficacy",
    "hads_a": "anxiety",
    "hads_d": "depression",
    "bdi": "beck_depression",
    "moca": "cognition",
    "ssrt": "stop_signal_reaction_time",
    "ipaq": "physical_activity",
    "vo2peak": "vo2_peak",
    "vo2max": "vo2_peak",
    "vo2_max": "vo2_peak",
    "igf_1": "igf1",
    "igf-1": "igf1",
    "il6": "interleukin_6",
    "il_6": "interleukin_6",
    "il-6": "interleukin_6",
    "val66met": "bdnf_genotype",
    "gender": "sex",
}
#: Units of the same size, as they are written.
_SAME = {"year": "years", "yr": "years", "y": "years", "month": "months", "hours": "h", "hour": "h", "kilogram": "kg"}
_SAME |= {"kilograms": "kg", "metre": "m", "metres": "m", "meter": "m", "meters": "m", "percent": "%", "mm3": "mm^3"}
_SAME |= {"mm³": "mm^3", "ml/min/kg": "ml/kg/min", "mm/l": "mmol/l", "mm": "mm", "millimetre": "mm", "second": "s"}
_SAME |= {"seconds": "s", "µg/l": "ng/ml", "ug/l": "ng/ml", "ng/l": "pg/ml", "mmol": "mmol/l"}
#: What a value in another unit is multiplied by.
_FACTORS = {
    ("cm", "m"): "0.01",
    ("mm", "m"): "0.001",
    ("g", "kg"): "0.001",
    ("lb", "kg"): "0.4536",
    ("years", "months"): "12",
    ("weeks", "months"): "0.23",
    ("pg/ml", "ng/ml"): "0.001",
    ("ng/ml", "pg/ml"): "1000",
    ("mg/dl", "mmol/l"): "0.111 (lactate)",
    ("µg/dl", "nmol/l"): "27.59 (cortisol)",
    ("ug/dl", "nmol/l"): "27.59 (cortisol)",
    ("ms", "s"): "0.001",
    ("cm^3", "mm^3"): "1000",
    ("ml", "mm^3"): "1000",
}


def limits_of(name: str) -> tuple[float, float] | None:
    """Smallest and largest value of a covariate; None where it has none.

    >>> limits_of("kinesiophobia"), limits_of("lactate")
    ((17.0, 68.0), (0, 40))
    """
    if name in LIMITS:
        return LIMITS[name]
    low, dash, high = COVARIATES[name].unit.partition("-") if name in COVARIATES else ("", "", "")
    return (float(low), float(high)) if dash and low.isdigit() and high.isdigit() else None


def check_covariates(
    table: pd.DataFrame, units: Mapping[str, str] | None = None, what: str = "the sessions table"
) -> pd.DataFrame:
    """Check the covariates of a table: numbers where numbers belong, in the unit expected, within what is possible.

    A column whose name is almost that of a covariate, or another name of one, is kept as it is, with a warning that
    names the covariate.

    Parameters
    ----------
    table : DataFrame
        One row a session or a person; covariates may change from session to session. Columns that are no covariates
        are left alone.
    units : mapping of str to str, optional
        Unit of each column, where the study says it (``Units`` of the JSON beside a BIDS table).
    what : str
        Name of the table, for messages.

    Returns
    -------
    DataFrame
        Copy with numeric covariates as numbers, NaN where missing.

    Raises
    ------
    ValueError
        Naming the rows that hold text or an impossible number, or the unit that differs.

    Examples
    --------
    >>> sessions = pd.DataFrame({"participant": ["01", "02"], "height": [1.75, 168.0]})
    >>> check_covariates(sessions)
    Traceback (most recent call last):
        ...
    ValueError: the sessions table: 'height' is 168 in row 1 (participant 02); it is in m and lies between 0.3 and 2.6
    """
    checked = table.copy()
    for name in map(str, table.columns):
        if name not in COVARIATES:
            _suggest(name, table, what)
            continue
        expected = COVARIATES[name]
        if units and units.get(name):
            _check_unit(name, units[name], expected.unit, what)
        if expected.dtype == "float":
            checked[name] = _numbers(table, name, expected.unit, what)
    return checked


def _numbers(table: pd.DataFrame, name: str, unit: str, what: str) -> pd.Series:
    column = table[name]
    said = column.notna() & ~column.astype(str).str.strip().isin(["", "n/a"])
    numbers = pd.to_numeric(column.where(said), errors="coerce").astype(float)
    bad = said & numbers.isna()
    in_unit = f"({unit})" if unit[:1].isdigit() or not unit else f"in {unit}"
    if bad.any():
        raise ValueError(
            f"{what}: {name!r} must hold numbers {in_unit}, but has {column[bad].iloc[0]!r} in row {_rows(table, bad)}"
        )
    limits = limits_of(name)
    if limits is not None:
        beyond = (numbers < limits[0]) | (numbers > limits[1])
        if beyond.any():
            raise ValueError(
                f"{what}: {name!r} is {numbers[beyond].iloc[0]:g} in row {_rows(table, beyond)}; it is "
                f"{'in ' + unit + ' and lies' if in_unit.startswith('in') else 'a score'} between {limits[0]:g} and "
                f"{limits[1]:g}"
            )
    return numbers


def _rows(table: pd.DataFrame, bad: pd.Series) -> str:
    """The first rows, with who they are of."""
    index = list(table.index[bad])
    words = [str(row) for row in index[:5]]
    if "participant" in table:
        words = [f"{row} (participant {table.loc[row, 'participant']})" for row in index[:5]]
    return ", ".join(words) + (f" and {len(index) - 5} more" if len(index) > 5 else "")


def _check_unit(name: str, given: str, expected: str, what: str) -> None:
    said = given.strip().lower()
    said = _SAME.get(said, said)
    if said == expected.lower() or expected[:1].isdigit() or not expected or said in ("", "n/a", "1"):
        return
    factor = next(
        (f"; multiply by {f}" for (one, other), f in _FACTORS.items() if (one, other) == (said, expected)), ""
    )
    raise ValueError(f"{what}: {name!r} is said to be in {given!r}, but is expected in {expected}{factor}")


def _suggest(name: str, table: pd.DataFrame, what: str) -> None:
    plain = name.strip().lower().replace(" ", "_").replace("-", "_")
    near = ALIASES.get(plain) or (plain if plain in COVARIATES else None)
    if near is None and len(plain) > 4:
        near = next(iter(difflib.get_close_matches(plain, COVARIATES, n=1, cutoff=0.85)), None)
    if near is not None and near not in table:
        unit = f" ({COVARIATES[near].unit})" if COVARIATES[near].unit else ""
        told = f"{what}: column {name!r} is kept as it is; call it {near!r}{unit} to have it checked"
        warnings.warn(told, stacklevel=3)
