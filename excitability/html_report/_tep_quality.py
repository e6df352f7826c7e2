"""The quality of evoked potentials in a report: one table of a single session, or a line for each of several."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ..labels import channel_label, condition_label, name_in_words, protocol_label
from ..schema import QUALITY, display
from . import _page as html
from ._tables import Rows, number, with_interval
from ._words import flag_in_words

_WORDS = {
    "source_gain": "Gain of sources over the whole head, median, of the weakest peak",
    "source_gain_lowest_tenth": "Gain of sources, lowest tenth, of the weakest peak",
    "split_half_reliability": "Split-half reliability, region",
    "split_half_reliability_scalp": "Split-half reliability, all channels",
    "steepest_early": "Steepest slope in the 10 ms after the bridge",
    "steepest_before_pulse": "Steepest slope before the pulse",
    "decay_removed": "Largest decay removed",
    "decay_time_constant": "Time constant of the decay, median",
    "usable_from": "Early window usable from",
    "trials_kept": "Trials kept",
    "channels_recorded": "Channels recorded",
    "channels_kept": "Channels kept",
    "channels_rebuilt": "Channels rebuilt from the others",
    "rank": "Dimensions left (rank)",
}
_CAPTION = (
    "Gain: predicted share of a response that comes through the whole cleaning; below 0.8 it is marked, and amplitudes "
    "are too small. Its brackets hold what the response may have been; those of the signal over noise are 95 % "
    "intervals, those of the split halves hold 95 % of the random halves."
)


def tep_quality_tables(measured: pd.DataFrame) -> list[str]:
    """Tables of the quality rows of a report, as HTML.

    Parameters
    ----------
    measured : DataFrame
        Prepared result rows whose measures begin with ``quality_``.
    """
    keys = ["participant", "_time", "protocol", "condition"]
    groups = list(measured.groupby(keys, sort=False))
    if len(groups) <= 2:
        return [_one(own, *(str(word) for word in key[2:])) for key, own in groups]
    rows: Rows = [_line(own, *(str(word) for word in key)) for key, own in groups]
    head = ["Participant", "Time", "Protocol", "Lowest gain", "Sources", "Lowest signal / noise", "Split half",
            "Usable from (ms)", "Trials", "Channels kept", "Care"]  # fmt: skip
    return [html.table(head, rows, numbers=range(3, 10), wide=True, tall=len(rows) > 22,
                       caption=f"Quality of evoked potentials, a line a session. {_CAPTION}")]  # fmt: skip


def _one(own: pd.DataFrame, protocol: str, condition: str) -> str:
    """Everything that is known of one session."""
    rows: Rows = []
    for entry in own.to_dict("records"):
        name = str(entry["measure"]).removeprefix(QUALITY)
        factor, unit = display(str(entry["unit"]), abs(float(entry["value"])))
        value = with_interval(*(factor * float(entry[limit]) for limit in ("value", "ci_low", "ci_high")))
        flags = [word for word in str(entry["flag"]).split(";") if word]
        care = "; ".join(flag_in_words(word) for word in flags)
        rows.append([_words(name), channel_label(str(entry["channel"])) or "all", f"{value} {unit}".strip(), care])
    title = " · ".join(word for word in (protocol_label(protocol), condition_label(condition)) if word)
    return html.table(["Quality", "Channels", "Value", "Care"], rows, caption=f"{title}: quality. {_CAPTION}")


def _words(name: str) -> str:
    if name in _WORDS:
        return _WORDS[name]
    if name.startswith("similarity_to_"):
        condition, _, window = name.removeprefix("similarity_to_").rpartition("_")
        return f"Likeness to {condition_label(condition)}, {window}"
    peak, _, kind = name.rpartition("_")
    return f"{name_in_words(peak)}: {'gain' if kind == 'gain' else 'signal over noise'}"


def _line(own: pd.DataFrame, participant: str, time: str, protocol: str, condition: str) -> list[object]:
    """The weakest link of each kind."""
    values = dict(zip(own["measure"].str.removeprefix(QUALITY), own["value"], strict=True))

    def lowest(end: str) -> float:
        found = [value for name, value in values.items() if name.endswith(end) and not name.startswith("source")]
        found = [value for value in found if np.isfinite(value)]
        return min(found, default=float("nan"))

    words = dict.fromkeys(word for flag in own["flag"] for word in str(flag).split(";") if word.startswith(_CARE))
    where = " · ".join(word for word in (protocol_label(protocol), condition_label(condition)) if word)
    shown = [lowest("_gain"), values.get("source_gain", np.nan), lowest("_snr"),
             values.get("split_half_reliability", np.nan)]  # fmt: skip
    counts = [1e3 * values.get("usable_from", np.nan), values.get("trials_kept", np.nan),
              values.get("channels_kept", np.nan)]  # fmt: skip
    return [
        participant, time, where, *(number(float(value), 2) for value in shown), *(number(float(n), 0) for n in counts),
        ", ".join(word.replace("_", " ") for word in words),
    ]  # fmt: skip


_CARE = ("gain_", "lost_by", "low_snr", "early_unusable", "like_sham")
