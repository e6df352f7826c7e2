"""Which figures a report draws for each protocol."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ..labels import capital, measure_in_words, times_in_order
from ..plots import individual_lines, paired_pulse, recruitment_group

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_MEASURES = 6  # of a protocol in one figure; what is not drawn is in its table
MOST_CHANNELS = 4
MOST_PANELS = 12
CURVE = {"s50", "recruitment_threshold", "mep_max"}
_SUPPORT = ("background_emg", "mep_probability", "plateau_reached")  # judged by their numbers, in the tables
_PAIRED = ("conditioned_ratio",)
_PARTED = ", so bands that part mean a change within people"


def figures_of(own: pd.DataFrame, log_measures: set[str]) -> Iterator[tuple[str, Figure, str]]:
    """Title, figure and caption for the results of one protocol, one after the other.

    Parameters
    ----------
    own : DataFrame
        Prepared results of one protocol.
    log_measures : set of str
        Measures that were compared as ratios; they are drawn on a logarithmic axis.
    """
    usable = own[np.isfinite(own["value"])]
    if usable.groupby(["participant", "_time"]).ngroups < 2:
        return  # one session of one person: its values and their intervals are in the table
    channels = list(dict.fromkeys(usable["channel"]))
    note = ""
    if len(channels) > MOST_CHANNELS:
        note = f" The first {MOST_CHANNELS} of {len(channels)} channels are drawn; the table holds all."
        usable = usable[usable["channel"].isin(channels[:MOST_CHANNELS])]
    by = "_group" if usable["_group"].ne("").any() else None
    usable = usable.assign(timepoint=usable["_time"])
    measures = worth_drawing(usable)
    for measure in [name for name in measures if name in _PAIRED and _in_a_form(usable, name)]:
        measures.remove(measure)
        rows = usable[usable["measure"] == measure]
        times = times_in_order(rows["_time"])
        yield (
            "Conditioned response relative to the test response",
            paired_pulse(rows, before=times[0], after=times[1:], by=by, measure=measure),
            "Thin lines are people, bold is the geometric mean of a group with its 95 % interval (from four people "
            "on). At the dashed line the conditioning pulse changed nothing; below it is inhibition, above it "
            f"facilitation.{note}",
        )
    if "s50" in measures and _has_curves(usable):
        yield (
            "Fitted curves",
            recruitment_group(usable, by=by),
            f"Mean of the fitted curves of all people{_bands(usable)}. "
            f"Thin grey: each person's curve at the first time point.{note}",
        )
    measures = [] if is_shrunken(usable) else measures[:MOST_MEASURES]  # lines of people would show too little scatter
    if measures:
        usable, left_out = _with_known_slopes(usable)
        note += left_out
        positive = usable.groupby("measure")["value"].min() > 0
        log = [name for name in measures if name in log_measures and positive[name]]
        means = (
            "geometric mean" if len(log) == len(measures) else "mean (geometric on logarithmic axes)" if log else "mean"
        )
        yield (
            ", ".join(
                capital(text) if not number else text for number, text in enumerate(map(measure_in_words, measures))
            ),
            individual_lines(usable, measures, by=by, log=log),
            f"Thin lines are people, bold is the {means} of a group with its 95 % interval (from four people on)."
            f"{note}",
        )


def _bands(usable: pd.DataFrame) -> str:
    if usable["_time"].nunique() < 2:
        return ""
    told = " at each time point. Bands: 95 % interval without the differences between people (Cousineau–Morey)"
    return told + ("" if is_shrunken(usable) else _PARTED)


def _with_known_slopes(usable: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """Without the slopes of curves that reached no plateau, and how many these were."""
    unknown = (usable["measure"] == "peak_slope") & usable["flag"].str.split(";").map(
        lambda words: "no_plateau" in words
    )
    if not unknown.any() or unknown.sum() == (usable["measure"] == "peak_slope").sum():
        return usable, ""
    return usable[~unknown], f" Slopes of {int(unknown.sum())} curves that reached no plateau are not drawn."


def is_shrunken(rows: pd.DataFrame) -> bool:
    """Whether values are shrunken to the population of the study, so that they scatter too little."""
    return bool(rows["form"].str.startswith("hierarchical").any())


def _in_a_form(usable: pd.DataFrame, measure: str) -> bool:
    return bool((usable.loc[usable["measure"] == measure, "form"] != "").any())


def worth_drawing(usable: pd.DataFrame) -> list[str]:
    """Measures with a picture of their own: not variants of another, not constants, not too many panels."""
    names = [name for name in dict.fromkeys(usable["measure"]) if name not in _SUPPORT]
    plain = [name for name in names if not any(name != other and name.startswith(f"{other}_") for other in names)]
    if "test_amplitude" in plain:  # the response the ratio depends on; amplitudes of all conditions add nothing
        plain = [name for name in plain if name != "mep_amplitude"]
    if CURVE & set(names):  # responses at each level are the curve's; its area depends on the levels
        plain = [name for name in plain if name not in ("mep_amplitude", "area_under_curve")]
    kept = []
    for name in plain:
        own = usable[usable["measure"] == name]
        constant = own["value"].nunique() == 1 and own["participant"].nunique() > 1
        if own.groupby(["channel", "condition"]).ngroups <= MOST_PANELS and not constant:
            kept.append(name)
    first = ("recruitment_threshold", "s50", "mep_max")
    return sorted(kept, key=lambda name: (name not in _PAIRED, name not in first, name.endswith("_latency")))


def _has_curves(usable: pd.DataFrame) -> bool:
    rows = usable[usable["measure"].isin(CURVE)]
    if rows.empty:
        return False
    wide = rows.pivot_table(index=["participant", "_time", "channel"], columns="measure", values="value")
    wide = wide.reindex(columns=sorted(CURVE)).dropna()
    return bool((wide["s50"] > wide["recruitment_threshold"]).any())
