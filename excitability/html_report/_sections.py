"""The sections of a report below the answer, each as the HTML of its body; empty when there is nothing to say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from .. import __version__
from ..labels import protocol_label, times_in_order
from ..plots import change_forest
from ..protocol import Derived
from ..schema import NOT_A_CHANGE
from . import _page as html
from . import _tables as tables
from ._derived import derived_methods
from ._done import failures, left_out, models_told, recordings_told, trials_kept
from ._figures import CURVE, figures_of, is_shrunken, worth_drawing
from ._one_session import figures_of_session, is_one_session
from ._tep_quality import tep_quality_tables
from ._words import protocol_methods

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_SOFTWARE = ("numpy", "scipy", "pandas", "mne")
SHRUNKEN = (
    "These values are shrunken to the population of the study. Bands and intervals of this section are those of such "
    "values and too narrow: judge a change by the section Changes, whose intervals give back what shrinking took, and "
    "differences between people by the curves fitted alone."
)
Extra = tuple[str, str, "Figure | None", str]  # section, title, figure or words alone, caption


class Numbers:
    """Numbers the figures of a report as they come."""

    def __init__(self) -> None:
        self.last = 0

    def block(self, figure: Figure | None, title: str, caption: str) -> str:
        if figure is None:
            return f"<p><b>{html.said(title)}.</b> {html.said(caption)}</p>"
        self.last += 1
        return html.figure_block(figure, title, caption, number=self.last)


def as_planned(table: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    """Results in the order of the protocols that were handed over; others follow as they come."""
    rank = {name: i for i, name in enumerate(names)}
    return table.iloc[table["protocol"].map(lambda name: rank.get(name, len(rank))).argsort(kind="stable")]


def in_order(change: pd.DataFrame, table: pd.DataFrame) -> pd.DataFrame:
    """The comparison in the order of the results: protocols, measures, channels and conditions as they were run."""
    series = ("protocol", "measure", "channel", "condition")
    place = {name: {word: i for i, word in enumerate(dict.fromkeys(table[name]))} for name in series}
    keys = [change[name].map(place[name]).fillna(len(table)).astype(int) for name in series]
    order = sorted(range(len(change)), key=lambda i: [key.iloc[i] for key in keys])
    return change.iloc[order].reset_index(drop=True)


def done(table: pd.DataFrame, known: Mapping[str, Any], recordings: Any, change: pd.DataFrame | None = None) -> str:
    """Participants, protocols and recordings, as tables."""
    times = times_in_order(table["_time"])
    versions = ", ".join(sorted({word for word in table["version"] if word})) or __version__
    blocks = [
        html.table(
            ["Group", "Participants", *times],
            tables.who(table),
            numbers=range(1, 2 + len(times)),
            caption="Participants with at least one value, at each time point",
        ),
        html.table(
            ["Protocol", "Channels", "Recordings", "Failed", "Trials a condition", "Fingerprint"],
            tables.what_was_done(table, known),
            numbers=(2, 3, 4),
            caption=f"Protocols, run with excitability {versions}. Trials: median (range) that entered a value. "
            "The fingerprint (SHA-256) is that of the protocol as it was run.",
        ),
    ]
    if change is not None and "model" in change:
        models = models_told(change)
        versions = ", ".join(f"{name} {version(name)}" for name in _SOFTWARE)
        blocks.append(html.table(
            ["Model", "Contrasts", "Measures"], models, numbers=(1,),
            caption=f"How changes were estimated. Compared and reported with excitability {__version__} ({versions})",
        ))  # fmt: skip
    absent = left_out(table)
    if absent:
        blocks.append(html.table(["Protocol", "Left out for want of a time point"], absent))
    else:
        blocks.append(html.paragraph("Nobody lacks a time point of any protocol. Rejected trials: see Quality."))
    told = recordings_told(recordings) if recordings is not None and len(list(recordings)) else []
    if told:
        blocks.append(html.table(["Recordings", "Value (number of recordings)"], told))
    return "\n".join(blocks)


def changes(change: pd.DataFrame | None, table: pd.DataFrame, numbers: Numbers) -> str:
    """Forest plot and table of every comparison."""
    if change is None:
        return ""
    main = _main(change, table)
    blocks = []
    if len(main):
        blocks.append(
            numbers.block(
                change_forest(main),
                "Changes of the main measures",
                "Marks are estimates, lines their 95 % intervals; an arrow says that the interval goes "
                "on. Grey bands reach as far as the smallest detectable "
                "change: of one person (light) and of the group's mean (dark); a change within the band cannot be told "
                "from measurement error. Ratios and amplitudes change in percent, all else in its own unit.",
            )
        )
    rows, shared = tables.comparison_rows(change), tables.shared_cares(change)
    if shared:
        blocks.append(html.paragraph(f"Every contrast: {', '.join(shared)}."))
    blocks.append(
        html.table(
            tables.COMPARISON_HEAD,
            rows,
            numbers=(2, 3, 4, 5, 6, 7),
            caption="All comparisons. p in brackets is corrected for the tests of its family, where that was done. "
            "Literature: direction and number of the findings on the same measure; see below. "
            "Effect size: Hedges' g within a group, its counterpart (d ppc2) between groups. "
            "Responders: share of people whose change exceeds what is detectable in one person. Quality, below, "
            "says what the flags under Care mean.",
            tall=len(rows) > 22,
            wide=True,
        )
    )
    return "\n".join(blocks)


def _main(change: pd.DataFrame, table: pd.DataFrame) -> pd.DataFrame:
    """Rows of the comparison with an estimate, without variants of a measure (corrected, by another method)."""
    drawn = {
        (str(protocol), measure)
        for protocol, own in table.groupby("protocol", sort=False)
        for measure in [*worth_drawing(own), *CURVE]
    }
    keys = zip(change["protocol"], change["measure"], strict=True)
    finite = np.isfinite(pd.to_numeric(change["estimate"], errors="coerce"))
    if "form" in change:
        finite &= ~change["form"].isin(NOT_A_CHANGE)
    return change[finite & np.array([key in drawn for key in keys], dtype=bool)]


def protocol_sections(
    table: pd.DataFrame,
    change: pd.DataFrame | None,
    extras: list[Extra],
    known: Mapping[str, Any],
    numbers: Numbers,
    trials: pd.DataFrame | None = None,
) -> list[tuple[str, str, str]]:
    """One section a protocol: its figures and values; without a comparison the values are all there is, and open."""
    sections = []
    alone = is_one_session(table[table["error"] == ""])
    for name, own in table[table["error"] == ""].groupby("protocol", sort=False):
        log = tables.on_log_scale(own)
        told = getattr(known.get(str(name)), "description", "")
        blocks = [html.paragraph(" ".join(str(told).split()), "soft")]
        if is_shrunken(own):
            blocks.append(html.paragraph(SHRUNKEN, "note"))
        mine = [extra for extra in extras if extra[0] == name]
        if alone:
            rows_of = trials[trials["protocol"] == name] if trials is not None and "protocol" in trials else trials
            found = figures_of_session(own, rows_of, drawn=bool(mine))
        else:
            found = figures_of(own, log)
        blocks += [numbers.block(figure, _within(str(name), title), caption) for title, figure, caption in found]
        blocks += [numbers.block(figure, title, caption) for _, title, figure, caption in mine]
        head, rows = tables.group_values(own)
        if rows:
            shown = html.table(
                head, rows, numbers=range(4, len(head)), wide=True,
                caption="Mean [95 % interval between people], geometric for ratios, amplitudes and areas. "
                "Of one person alone: [95 % interval over trials]",
            )  # fmt: skip
            blocks.append(
                shown
                if len(rows) <= 8 or change is None
                else f"<details><summary>Values ({len(rows)} rows)</summary>{shown}</details>"
            )
        anchor = "p-" + "".join(letter if letter.isalnum() else "-" for letter in str(name))
        sections.append((anchor, protocol_label(str(name)), "\n".join(block for block in blocks if block)))
    return sections


def _within(protocol: str, title: str) -> str:
    """Title of a figure with its protocol, unless they say the same."""
    label = protocol_label(protocol)
    return title if title.lower().startswith(label.lower()) else f"{label}: {title}"


def _placed(extras: Sequence[Extra], section: str) -> list[tuple[Figure | None, str, str]]:
    return [(figure, title, caption) for place, title, figure, caption in extras if place == section]


def further(extras: Sequence[Extra], table: pd.DataFrame, numbers: Numbers) -> list[tuple[str, str, str]]:
    """Sections of figures that belong to no protocol of the results."""
    places = dict.fromkeys(place for place, *_ in extras if place not in set(table["protocol"]))
    return [
        (
            f"x-{i}",
            place,
            "\n".join(numbers.block(figure, title, said) for name, title, figure, said in extras if name == place),
        )
        for i, place in enumerate(places)
    ]


def quality(
    table: pd.DataFrame,
    change: pd.DataFrame | None,
    trials: pd.DataFrame | None,
    measured: pd.DataFrame | None = None,
) -> str:
    """Rejected trials, quality of evoked potentials, failures and flags, explained."""
    blocks = [
        html.table(
            ["Protocol", "Kept", "Rejected", "Share", "Reasons"],
            trials_kept(table, trials),
            numbers=(1, 2, 3),
            caption="Trials × channels over all recordings. A trial without a response is data and is kept.",
        )
    ]
    if measured is not None and len(measured):
        blocks += tep_quality_tables(measured)
    lost = failures(table)
    if lost:
        blocks.append(html.table(["Participant", "Session", "Protocol", "Message"], lost,
                                 caption="Recordings that could not be computed; everything else was"))  # fmt: skip
    else:
        blocks.append(html.paragraph("Every recording was computed."))
    told = table if measured is None or not len(measured) else pd.concat([table, measured])
    flags = tables.flags_explained(told, change)
    if flags:
        head = ["Flag", "Meaning", "Given to", "Protocols", "Sessions or contrasts"]
        blocks.append(html.table(head, flags, numbers=(2,), caption="What a reader of the values must know"))
    return "\n".join(blocks)


def methods(table: pd.DataFrame, known: Mapping[str, Any]) -> str:
    """Draft of the methods, from the protocols as they were run."""
    if not known:
        return ""
    blocks = [html.paragraph("A draft from the protocols as they were run; complete it in your own words.", "note")]
    for name in dict.fromkeys(table["protocol"]):
        protocol = known.get(name)
        if protocol is not None:
            said = getattr(protocol, "title", "") or protocol_label(name)
            text = derived_methods(protocol) if isinstance(protocol, Derived) else protocol_methods(protocol)
            blocks.append(f"<p><b>{escape(said)}.</b> {escape(text)}</p>")
    return "\n".join(blocks)


def cite(known: Mapping[str, Any]) -> str:
    """How to cite the package and the sources of the protocols."""
    text = (
        f"The excitability developers. excitability: from TMS-EMG and TMS-EEG recordings to a calibrated answer, "
        f"version {__version__}."
    )
    blocks = [f"<blockquote>{escape(text)}</blockquote>"]
    references = sorted({str(doi) for protocol in known.values() for doi in getattr(protocol, "references", ())})
    if references:
        links = "".join(
            f'<li><a href="https://doi.org/{escape(doi)}">{escape(doi)}</a></li>'
            if doi.startswith("10.")
            else f"<li>{escape(doi)}</li>"
            for doi in references
        )
        blocks.append(f"<p>And the sources of the protocols:</p><ul>{links}</ul>")
    return "".join(blocks)
