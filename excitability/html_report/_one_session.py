"""What a report shows of one session of one person: its values in words, and the picture of its protocol."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..labels import capital, channel_label, condition_label, measure_in_words, protocol_label, ratio_effect
from ..plots import condition_values, motor_map, paired_pulse_curve, recruitment_curve
from ..schema import Estimate, display_units
from . import _page as html
from ._flags import flag_in_words
from ._tables import main_rows, with_interval

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MOST_LINES = 8
_FIRST = (
    "centre_of_gravity_x", "centre_of_gravity_y", "map_area", "map_volume", "map_overlap_jaccard",
    "centre_of_gravity_distance", "recruitment_threshold", "s50", "mep_max", "peak_slope", "plasticity_index",
    "after_effect",
)  # fmt: skip
#: Flags that change how a value is read.
_CARE = ("no_plateau", "plateau_extrapolated", "map_truncated", "criterion_below_noise", "above_tested_range",
         "below_tested_range", "conditioned_at_noise_floor", "test_at_noise_floor", "clipped")  # fmt: skip
#: What is drawn condition by condition, with its title; the rest is in the table of values.
_TITLES = {
    "conditioned_ratio": "Conditioned relative to test response",
    "after_effect": "Response relative to baseline",
    "mep_amplitude": "MEP amplitude",
    "silent_period": "Silent period",
    "mep_latency": "MEP latency",
}
_CAPTION = "Dots are values, lines their 95 % intervals over trials."
_PAIRED = "At the dashed line the conditioning pulse changed nothing; below it is inhibition, above it facilitation."


def is_one_session(table: pd.DataFrame) -> bool:
    """Whether a prepared result table is of one recording session."""
    return table.groupby(["participant", "session"]).ngroups == 1


def values_in_words(table: pd.DataFrame) -> str:
    """The main values of one session, a line each; a ratio with what it means."""
    done = table[table["error"] == ""].reset_index(drop=True)
    shown = pd.concat([_foremost(own) for _, own in done.groupby("protocol", sort=False)]).reset_index(drop=True)
    if shown.empty:
        return html.paragraph("No value could be computed; Quality, below, says why.")
    shown["_unit"] = display_units(shown)
    cards = []
    for (protocol, channel), own in shown.groupby(["protocol", "channel"], sort=False):
        own = own[own["measure"].isin(_first(own["measure"]))]
        lines = [_line(row) for row in own.head(_MOST_LINES).to_dict("records")]
        words = dict.fromkeys(word for text in own["flag"] for word in text.split(";") if word in _CARE)
        lines += [f"Care: {flag_in_words(word)}" for word in words]
        if len(own) > _MOST_LINES:
            lines.append(f"{len(own) - _MOST_LINES} more below")
        where = f" in {channel_label(str(channel))}" if channel_label(str(channel)) else ""
        said = "".join(f'<span class="line">{html.said(line)}</span>' for line in lines)
        cards.append(f"<li><b>{html.said(protocol_label(str(protocol)) + where)}</b>{said}</li>")
    note = html.paragraph("In brackets: 95 % intervals over trials. One recording shows no change by itself.", "note")
    return f'<ul class="answer">{"".join(cards)}</ul>{note}'


def _first(measures: pd.Series) -> list[str]:
    """Measures that are said first: a map is its centre, area and volume, a curve its threshold, S50 and plateau."""
    names = list(dict.fromkeys(measures))
    known = [name for name in _FIRST if name in names]
    return known if known else names


def _line(row: Mapping[Any, Any]) -> str:
    """One value in words: ``Ratio at 2 ms: 0.39 [0.28, 0.53], inhibition``."""
    factor, unit = row["_unit"]
    value = with_interval(*(factor * float(row[limit]) for limit in ("value", "ci_low", "ci_high")))
    when = condition_label(row["condition"])
    ratio = str(row["measure"]).startswith("conditioned_ratio")
    name = "ratio" if ratio else measure_in_words(row["measure"])
    where = f" at {when}" if when.endswith(" ms") else f", {when}" if when else ""
    meaning = ""
    if ratio and row["form"] == "ratio":
        meaning = effect_of(row["protocol"], row["value"], row["ci_low"], row["ci_high"])
    return capital(f"{name}{where}: {value} {unit}".rstrip()) + meaning


def _foremost(own: pd.DataFrame) -> pd.DataFrame:
    """Main rows of a protocol: of a recruitment curve and a map not the responses of each level."""
    rows, _ = main_rows(own)
    curve = {"s50", "motor_map", "map_area", "after_effect"} & set(rows["measure"])
    return rows[rows["measure"] != "mep_amplitude"] if curve else rows


def effect_of(protocol: str, value: float, low: float, high: float) -> str:
    """What a ratio of one session says, by its interval.

    >>> effect_of("m1/sici", 0.4, 0.3, 0.6), effect_of("m1/sici", 0.9, 0.7, 1.2), effect_of("m1/lcd", 1.5, 1.2, 2.0)
    (', inhibition', ', no clear inhibition', ', facilitation')
    """
    if high < 1:
        return ", inhibition"
    if low > 1:
        return ", facilitation"
    if not np.isfinite(low):
        return ""
    return f", no clear {ratio_effect(protocol) or 'effect'}"


def figures_of_session(
    own: pd.DataFrame, trials: pd.DataFrame | None, *, drawn: bool
) -> Iterator[tuple[str, Figure, str]]:
    """Title, figure and caption of one protocol in one session.

    Parameters
    ----------
    own : DataFrame
        Prepared results of one protocol.
    trials : DataFrame | None
        Its trial table, for curves and maps.
    drawn : bool
        Whether curves and maps come from elsewhere (an example recording).
    """
    usable = own[np.isfinite(own["value"])]
    names = set(usable["measure"])
    if trials is not None and len(trials) and not drawn:
        yield from _from_trials(usable, trials, names)
    if names & {"s50", "map_area", "recruitment_threshold"}:
        return
    for measure in [name for name in _TITLES if name in names]:
        rows = usable[usable["measure"] == measure]
        if measure == "mep_amplitude" and "conditioned_ratio" in names:
            continue
        if rows["condition"].nunique() < 2 and measure != "conditioned_ratio":
            continue
        ratio = rows["form"].isin(["ratio", "percent", "percent_inhibition", "log_ratio"]).all()
        if ratio and rows["condition"].nunique() > 5 and rows["channel"].nunique() == 1:
            try:
                yield "Ratio along the curve", paired_pulse_curve(rows), f"{_CAPTION} {_PAIRED}"
                continue
            except ValueError:  # conditions are no intervals or intensities
                pass
        told = _PAIRED if measure == "conditioned_ratio" else ""
        yield _TITLES[measure], condition_values(rows, measure), f"{_CAPTION} {told}".rstrip()


def _from_trials(usable: pd.DataFrame, trials: pd.DataFrame, names: set[str]) -> Iterator[tuple[str, Figure, str]]:
    """Recruitment curve or motor map of each muscle, from the trials."""
    for channel, table in trials.groupby("channel", sort=False):
        mine = usable[(usable["channel"] == channel) & (usable["condition"] == "all")]
        table = table.reset_index(drop=True)
        try:
            if "recruitment_threshold" in names:
                fit = {row["measure"]: Estimate(row["value"], row["ci_low"], row["ci_high"])
                       for row in mine.to_dict("records")}  # fmt: skip
                told = "Dots are trials, black is their mean; lines are S50 and threshold with their 95 % intervals."
                yield f"Recruitment curve of {channel}", recruitment_curve(table, fit, channel=str(channel)), told
            elif "map_area" in names:
                told = (
                    "Circles are stimulated positions, the line encloses the active area, the star is the hotspot, "
                    "the dot the centre of gravity with its 95 % interval."
                )
                yield f"Motor map of {channel}", motor_map(table, channel=str(channel)), told
        except ValueError as error:
            warnings.warn(f"no figure of {channel}: {error}", stacklevel=2)
