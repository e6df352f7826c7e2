"""No change, shown: two one-sided tests of a change against bounds on either side of zero (Schuirmann 1987)."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import special

from ..labels import capital
from ..schema import Column, display, unknown_word
from .bayes_factors import jzs_bayes_factor
from .multiplicity import changes
from .sentences import percent, subject

#: What :func:`equivalence` adds to a comparison.
COLUMNS = {
    name: Column(name, unit, dtype, meaning)
    for name, unit, dtype, meaning in (
        ("equivalence_bound", "as in unit", "float", "changes within ± this count as none"),
        ("ci90_low", "as in unit", "float", "lower limit of the 90 % interval, which the two one-sided tests read"),
        ("ci90_high", "as in unit", "float", "upper limit of the 90 % interval"),
        ("p_equivalence", "1", "float", "larger p value of the two one-sided tests"),
        ("bayes_factor", "1", "float", "how many times likelier the data are with a change than without (JZS)"),
        ("equivalence_sentence", "", "str", "what the two tests say, in plain words"),
    )
}
_DF = re.compile(r"df = (\d+\.?\d*)")
_SDC = {"person": "smallest_detectable_change", "group": "smallest_detectable_group_change"}


@dataclass(frozen=True)
class TwoOneSided:
    """Result of two one-sided tests: the larger p value and the 90 % interval."""

    p_value: float
    low: float
    high: float


_UNKNOWN = TwoOneSided(math.nan, math.nan, math.nan)


def two_one_sided(
    estimate: float, standard_error: float, df: float, bound: float, upper: float = math.nan
) -> TwoOneSided:
    """Test whether a change lies within bounds around zero.

    Parameters
    ----------
    estimate, standard_error, df : float
        The change, its standard error, and the degrees of freedom of its t distribution.
    bound : float
        Changes from −bound to bound count as none.
    upper : float
        Upper bound where the two differ; ``bound`` is then the size of the lower one.

    Returns
    -------
    TwoOneSided
        Equivalence is shown at 5 % where ``p_value`` is below 0.05, that is, where the 90 % interval lies within
        the bounds. NaN where the standard error is not known.

    Raises
    ------
    ValueError
        For a bound that is not above zero.

    References
    ----------
    .. [1] Schuirmann DJ. J Pharmacokinet Biopharm 1987;15:657-680. 10.1007/BF01068419

    Examples
    --------
    >>> found = two_one_sided(0.02, 0.05, 20, bound=0.2)
    >>> found.p_value < 0.05, round(found.high, 3)
    (True, 0.106)
    """
    upper = bound if math.isnan(upper) else upper
    if not (bound > 0 and upper > 0):
        raise ValueError(f"a bound of equivalence is a size above 0 in the unit of the change, not {min(bound, upper)}")
    if not (standard_error > 0 and df >= 1):
        return TwoOneSided(math.nan, math.nan, math.nan)
    below = float(special.stdtr(df, -(estimate + bound) / standard_error))
    above = float(special.stdtr(df, (estimate - upper) / standard_error))
    half = float(special.stdtrit(df, 0.95)) * standard_error
    return TwoOneSided(max(below, above), estimate - half, estimate + half)


def equivalence(comparison: pd.DataFrame, bound: str | float | Mapping[str, float] = "person") -> pd.DataFrame:
    """Ask of every contrast of a comparison whether a change worth mentioning can be ruled out.

    Parameters
    ----------
    comparison : DataFrame
        Table that :func:`compare` returned.
    bound : {"person", "group"}, float or mapping of str to float
        Largest change that counts as none: the smallest detectable change of one person (the default: whatever was
        ruled out would have been hidden by measurement error in a person), or of the group (seldom shown, since it is
        hardly wider than the interval), or a size in the unit of the estimate – ``np.log(1.25)`` for a ratio between
        −20 and +25 %, or ``"25 %"``, which leaves out what is no ratio – for all rows or by measure. A bound that means
        something for people beats one from the data.

    Returns
    -------
    DataFrame
        Copy with :data:`COLUMNS`.

    Raises
    ------
    ValueError
        For a table without standard errors, an unknown measure or word, or a bound that is not above zero.

    Notes
    -----
    A bound from the smallest detectable change is itself estimated; a row whose ``flag`` has ``sdc_uncertain`` has
    none. The Bayes factor takes the t of the contrast with the sizes of its groups; it is NaN for differences, whose
    groups may have different variances.

    Examples
    --------
    >>> table = pd.DataFrame({"protocol": ["m1/cortical_silent_period"], "measure": "silent_period", "channel": "FDI",
    ...     "condition": "all", "group": "all", "contrast": "post0 - pre", "estimate": [1e-3], "unit": "s",
    ...     "form": "difference", "standard_error": [2e-3], "df": [19.0], "n": [20]})
    >>> print(equivalence(table, 0.01)["equivalence_sentence"][0])
    Silent period in FDI: no change beyond ±10 ms (post0 - pre; 90 % interval −2.46 to 4.46 ms, p < 0.001).
    """
    for name in ("estimate", "measure"):
        if name not in comparison:
            raise ValueError(f"comparison table has no column {name!r}; pass what compare returned")
    bounds = _bounds(comparison, bound)
    errors, dfs = standard_errors(comparison)
    factors, rows = bayes_factors(comparison), []
    nothing = (math.nan, math.nan, math.nan, math.nan, math.nan, "")
    each = zip(comparison.to_dict("records"), changes(comparison), errors, dfs, bounds, factors, strict=True)
    for row, change, error, df, size, factor in each:
        if not change:
            rows.append(nothing)
            continue
        tests = two_one_sided(float(row["estimate"]), error, df, size) if size > 0 else _UNKNOWN
        rows.append((size, tests.low, tests.high, tests.p_value, factor, _sentence(row, size, tests)))
    added = pd.DataFrame(rows, columns=list(COLUMNS), index=comparison.index)
    return pd.concat([comparison, added], axis=1)


def bayes_factors(comparison: pd.DataFrame) -> np.ndarray:
    """JZS Bayes factor of each change of one group; NaN for differences, and for what is no change or no t."""
    errors, _ = standard_errors(comparison)
    factors = np.full(len(comparison), np.nan)
    held = changes(comparison) & (errors > 0)
    for place, row in enumerate(comparison.to_dict("records")):
        alone = " - " not in str(row.get("group", "")) and int(row.get("n", 0)) > 1
        if held[place] and alone and row.get("form") != "log_odds_ratio":
            factors[place] = jzs_bayes_factor(float(row["estimate"]) / errors[place], int(row["n"]))
    return factors


def standard_errors(comparison: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Standard error and degrees of freedom of each contrast of a comparison.

    From the columns of these names, else from the 95 % interval and the degrees of freedom that ``model`` tells.
    """
    if {"standard_error", "df"} <= set(comparison.columns):
        return tuple(comparison[name].to_numpy(dtype=float) for name in ("standard_error", "df"))  # type: ignore[return-value]
    for name in ("ci_low", "ci_high", "model"):
        if name not in comparison:
            raise ValueError(f"comparison table has no column {name!r}; pass what compare returned")
    df = comparison["model"].astype(str).str.extract(_DF, expand=False).astype(float).to_numpy()
    half = (comparison["ci_high"] - comparison["ci_low"]).to_numpy(dtype=float) / 2
    return half / special.stdtrit(df, 0.975), df


def _bounds(comparison: pd.DataFrame, bound: str | float | Mapping[str, float]) -> np.ndarray:
    if isinstance(bound, str) and bound in _SDC:
        if _SDC[bound] not in comparison:
            raise ValueError(f"comparison table has no column {_SDC[bound]!r}; pass what compare returned, or a bound")
        sizes = pd.to_numeric(comparison[_SDC[bound]], errors="coerce").to_numpy(dtype=float)
        flags = comparison["flag"].fillna("").astype(str) if "flag" in comparison else pd.Series("", comparison.index)
        return np.where(flags.str.contains("sdc_uncertain|sdc_unknown"), np.nan, sizes)
    ratio = comparison["form"].eq("log_ratio").to_numpy() if "form" in comparison else np.zeros(len(comparison), bool)
    sizes = np.full(len(comparison), np.nan)
    if isinstance(bound, Mapping):
        for name, size in bound.items():
            own = comparison["measure"].astype(str).eq(name).to_numpy()
            if not own.any():
                raise ValueError(unknown_word("measure", name, comparison["measure"].astype(str).unique()))
            sizes[own] = _size(size, bool(ratio[own].any()), name)
    elif isinstance(bound, str) and not bound.rstrip().endswith("%"):
        raise ValueError(unknown_word("bound", bound, _SDC) + "; or give a size in the unit of the estimate, or '25 %'")
    elif isinstance(bound, str):
        sizes[ratio] = _size(bound, True, "ratios")
    else:
        units = comparison["unit"].astype(str)[changes(comparison)].unique() if "unit" in comparison else ()
        if len(units) > 1:
            known = ", ".join(sorted(units)[:4])
            raise ValueError(f"one bound, {bound:g}, cannot be that of changes in {known}; give one for each measure")
        sizes[:] = bound
    if (sizes <= 0).any():
        raise ValueError(
            f"a bound of equivalence is a size above 0 in the unit of the estimate, not {np.nanmin(sizes)}"
        )
    return sizes


def _size(size: str | float, ratio: bool, name: str) -> float:
    """A bound as a number; percent of a ratio is the change upwards, whose inverse bounds it below."""
    if not isinstance(size, str):
        return float(size)
    word = size.strip()
    try:
        if not word.endswith("%"):
            return float(word)
        if ratio:
            return math.log1p(float(word.removesuffix("%")) / 100)
    except ValueError:
        raise ValueError(f"a bound of equivalence is a number, or one with %, not {size!r}") from None
    raise ValueError(f"{size!r} of {name}: this change is a difference, so that its bound has the unit of the estimate")


def _sentence(row: Mapping[Any, Any], bound: float, tests: TwoOneSided) -> str:
    words = [str(row.get(name, "") or "") for name in ("protocol", "measure", "channel", "condition")]
    what = "change" if " - " in str(row.get("contrast", " - ")) else "difference"  # of two groups at one time point
    name = capital(subject(*words).rstrip(","))
    if not math.isfinite(tests.p_value):
        return f"{name}: whether a {what} can be ruled out cannot be known ({row.get('contrast', '')})."
    log = row.get("form") == "log_ratio"
    factor, label = display(str(row.get("unit", "")), max(abs(tests.low), abs(tests.high), bound))
    label = " %" if log else f" {label}" if label else ""

    def shown(value: float) -> str:
        number = percent(value) if log else value * factor
        return f"{number:.0f}" if log and abs(number) >= 10 else f"{number:.3g}"

    limits = f"{shown(-bound)} to +{shown(bound)}{label}" if log else f"±{shown(bound)}{label}"
    p = "p < 0.001" if tests.p_value < 0.001 else f"p = {tests.p_value:.2g}"
    shows = tests.p_value < 0.05
    said = f"no {what} beyond {limits}" if shows else f"a {what} beyond {limits} cannot be ruled out"
    whom = "" if row.get("group") in (None, "", "all") else f"{row['group']}, "
    interval = f"90 % interval {shown(tests.low)} to {shown(tests.high)}{label}"
    return f"{name}: {said} ({whom}{row.get('contrast', '')}; {interval}, {p}).".replace("-", "−").replace(" − ", " - ")
