"""The quality of evoked potentials in a report: one table of a single session, or a line for each of several."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ..labels import channel_label, condition_label, name_in_words, protocol_label, times_in_order
from ..schema import QUALITY, display
from . import _page as html
from ._flags import flag_in_words
from ._tables import Rows, number, with_interval

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
    "are too small. The gain of sources is of a response from anywhere in the head: it bears on maps and the global "
    "field, not on the amplitudes over the region. The limits of a gain are what a response of another shape would "
    "pass with, no sampling limits; the gain itself is a prediction, off by 0.05 to 0.15 early after a large decay. "
    "Those of the signal over noise are 95 % intervals, those of the split halves hold 95 % of the random halves."
)


#: Steps whose log says what was taken out of the potential, in words.
_REMOVING = {
    "bad_channels": "bad channels",
    "bad_trials": "bad trials",
    "remove_line_noise": "line noise",
    "remove_decay": "",
    "ssp_sir": "",
    "remove_components": "",
    "remove_recharge": "recharging of the stimulator",
}
_LEAST, _MOST = 0.8, 1.25  # beyond the latter a peak is too small for its gain to be known


def removed_in_words(log: pd.DataFrame) -> str:
    """What the cleaning of one recording took out, in one sentence; empty where it took out nothing."""
    parts = []
    for step, removed in zip(log["step"], log["removed"].astype(str), strict=True):
        if step in _REMOVING and not removed.startswith("nothing"):
            words = removed.split(";")[0].split(", rebuilt")[0].replace("marked ", "")
            parts.append(f"{_REMOVING[step]} ({words})" if _REMOVING[step] else words)
    return f"The cleaning took out: {'; '.join(parts)}." if parts else ""


def seen_in_words(rows: pd.DataFrame) -> list[str]:
    """Plain sentences on the quality of one average: what was kept, what comes through, from when it can be read.

    >>> rows = pd.DataFrame({"measure": ["quality_n100_gain", "quality_p30_gain", "quality_usable_from"],
    ...                      "value": [0.7, 0.95, 0.012]})
    >>> seen_in_words(rows)[0]
    'Warning: of the N100 only 0.70 comes through, so it is too small; of the other peaks 0.95.'
    """
    values = dict(zip(rows["measure"].str.removeprefix(QUALITY), rows["value"].astype(float), strict=True))
    values = {name: value for name, value in values.items() if np.isfinite(value)}
    return [text for text in (_kept(values), _come_through(values), _sources(values), _readable(values)) if text]


def _kept(values: dict[str, float]) -> str:
    parts = [f"{values['trials_kept']:.0f} trials"] if "trials_kept" in values else []
    if "channels_kept" in values:
        parts.append(f"{values['channels_kept']:.0f} of {values.get('channels_recorded', np.nan):.0f} channels")
    if not parts:
        return ""
    rebuilt = values.get("channels_rebuilt", 0)
    return f"Kept: {' and '.join(parts)}" + (f" ({rebuilt:.0f} rebuilt from the others)." if rebuilt else ".")


def _come_through(values: dict[str, float]) -> str:
    """The gain of the peaks; those below what is wanted come first, by name."""
    gains = {
        name_in_words(name.removesuffix("_gain")): value
        for name, value in values.items()
        if name.endswith("_gain") and not name.startswith("source")
    }
    low = {name: value for name, value in gains.items() if value < _LEAST}
    good = [value for value in gains.values() if _LEAST <= value <= _MOST]
    unknown = [name for name, value in gains.items() if value > _MOST]
    span = f"{min(good):.2f}" + (f" to {max(good):.2f}" if max(good) - min(good) >= 0.01 else "") if good else ""
    parts = []
    if low:
        told = ", ".join(f"of the {name} only {_rounded_down(value)}" for name, value in low.items())
        verb, so = ("comes", "it is") if len(low) == 1 else ("come", "they are")
        parts.append(f"Warning: {told} {verb} through, so {so} too small")
        parts += [f"of the other peaks {span}"] if span else []
    elif span:
        parts.append(f"Predicted share of the peaks that comes through: {span}")
    if unknown:
        parts.append(f"of the {', '.join(unknown)} it cannot be told")
    return f"{'; '.join(parts)}." if parts else ""


def _rounded_down(value: float) -> str:
    """Two decimals, so that what is below 0.8 is never told as 0.80."""
    return f"{np.floor(100 * value) / 100:.2f}"


def _sources(values: dict[str, float]) -> str:
    value = values.get("source_gain", np.nan)
    if not value < _LEAST:
        return ""
    through = _rounded_down(value)
    return f"Warning: of sources over the whole head only {through} (median) comes through at the weakest peak."


def _readable(values: dict[str, float]) -> str:
    if not np.isfinite(values.get("usable_from", np.nan)):
        return ""
    factor, unit = display("s")
    return f"The potential can be read from {values['usable_from'] * factor:.0f} {unit} on."


def over_sessions(measured: pd.DataFrame) -> str:
    """One sentence on the quality of several sessions."""
    keys = ["participant", "_time", "protocol", "condition"]
    gains = measured[measured["measure"].str.endswith("_gain") & np.isfinite(measured["value"])]
    gains = gains[~gains["measure"].str.startswith(f"{QUALITY}source")]
    if gains.empty:
        return ""
    lowest = gains.groupby(keys, sort=False)["value"].min()
    low = int((lowest < _LEAST).sum())
    peaks = gains.loc[gains["value"] < _LEAST, "measure"].str.removeprefix(QUALITY).str.removesuffix("_gain")
    often = ", ".join(f"{name_in_words(name)} in {count}" for name, count in peaks.value_counts().head(3).items())
    start = measured.loc[measured["measure"] == f"{QUALITY}usable_from", "value"].dropna()
    factor, unit = display("s")
    read = f" Potentials can be read from {start.median() * factor:.0f} {unit} on (median)." if len(start) else ""
    if not low:
        return f"In all {len(lowest)} averages at least 0.8 of every peak is predicted to come through.{read}"
    return (
        f"Warning: in {low} of {len(lowest)} averages less than 0.8 of some peak is predicted to come through "
        f"({often}).{read}"
    )


def tep_quality_tables(measured: pd.DataFrame) -> list[str]:
    """Tables of the quality rows of a report, as HTML.

    Parameters
    ----------
    measured : DataFrame
        Prepared result rows whose measures begin with ``quality_``.
    """
    keys = ["participant", "_time", "protocol", "condition"]
    place = {time: i for i, time in enumerate(times_in_order(measured["_time"]))}
    groups = sorted(
        measured.groupby(keys, sort=False), key=lambda item: (str(item[0][0]), place.get(str(item[0][1]), -1))
    )
    if len(groups) <= 2:
        return [_one(own, *(str(word) for word in key[2:])) for key, own in groups]
    rows: Rows = [_line(own, *(str(word) for word in key)) for key, own in groups]
    above = html.paragraph(over_sessions(measured))
    head = ["Participant", "Time", "Protocol", "Lowest gain", "Sources", "Lowest signal / noise", "Split half",
            "Usable from (ms)", "Trials", "Channels kept", "Care"]  # fmt: skip
    return [above, html.table(head, rows, numbers=range(3, 10), wide=True, tall=len(rows) > 22,
                       caption=f"Quality of evoked potentials, a line a session. {_CAPTION}")]  # fmt: skip


def _one(own: pd.DataFrame, protocol: str, condition: str) -> str:
    """Everything that is known of one session."""
    rows: Rows = []
    for entry in own.to_dict("records"):
        name = str(entry["measure"]).removeprefix(QUALITY)
        factor, unit = display(str(entry["unit"]), abs(float(entry["value"])))
        three = [factor * float(entry[limit]) for limit in ("value", "ci_low", "ci_high")]
        value = gain_with_limits(*three) if is_gain(name) else with_interval(*three)
        flags = [word for word in str(entry["flag"]).split(";") if word]
        care = "; ".join(flag_in_words(word) for word in flags)
        rows.append([_words(name), channel_label(str(entry["channel"])) or "all", f"{value} {unit}".strip(), care])
    title = " · ".join(word for word in (protocol_label(protocol), condition_label(condition)) if word)
    seen = html.paragraph(f"{title}. {' '.join(seen_in_words(own))}")
    return seen + html.table(["Quality", "Channels", "Value", "Care"], rows, caption=f"{title}: quality. {_CAPTION}")


def is_gain(measure: str) -> bool:
    """Whether a row on quality is a predicted gain, whose limits come from no sample."""
    return measure.endswith("_gain") or measure.removeprefix(QUALITY).startswith("source_gain")


def gain_with_limits(value: float, low: float, high: float) -> str:
    """A gain with two decimals, which is what a prediction is worth, and its limits where they differ so far.

    >>> gain_with_limits(0.84, 0.8376, 0.8421), gain_with_limits(0.65, 0.601, 0.72)
    ('0.84', '0.65 (0.60 to 0.72)')
    """
    shown = [number(limit, 2) for limit in (value, low, high)]
    return shown[0] if len(set(shown)) == 1 or "–" in shown else f"{shown[0]} ({shown[1]} to {shown[2]})"


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
