"""Pictures of the evoked potential of one recording in a report, each with a plain sentence of what is seen."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from ..cleaning import gap_of
from ..labels import condition_label
from ..measures._tables import is_kept
from ..plots import paired_pulse_tep, tep_cleaning, tep_quality
from ..protocol import clean
from ..protocol.averages import region_channels
from ..resources import roi_channels
from ..schema import QUALITY
from ._tep_quality import removed_in_words, seen_in_words

if TYPE_CHECKING:
    import mne
    from matplotlib.figure import Figure

    from ..protocol import Run

_PAIRED = ("lici_tep", "paired_pulse_tep")
_MOST_CONDITIONS = 2
_HOW = (
    "Left the average as recorded (level before the pulse and mean of the channels taken off), right after cleaning; "
    "colours of lines are places on the head, grey is what was cut out or bridged about a pulse."
)
_PEAKS = (
    " Dots on the global mean field are the peaks, bars the 95 % intervals of their latencies; an open dot is a peak "
    "in doubt."
)


def evoked_figures(done: Run, raw: Any, who: str, example: str = "") -> Iterator[tuple[str, Figure, str]]:
    """Title, figure and caption of each picture of an evoked potential.

    Parameters
    ----------
    done : Run
        What :func:`excitability.protocol.run_all` made of the recording.
    raw : mne.io.Raw or mne.Epochs
        The recording itself.
    who : str
        Whose it is, for the titles.
    example : str
        First sentence of the captions.
    """
    before, _ = clean(raw, done.protocol.replace(cleaning=[]))
    pair = next(
        ({"measure": key, **entry} for key, entry in done.protocol.average.items() if _measure(key, entry) in _PAIRED),
        None,
    )
    conditions = _conditions(done.epochs)
    shown = [name for name in conditions if name == "test"] if pair else conditions[:_MOST_CONDITIONS]
    for name in shown or conditions[:1]:
        told = f", {condition_label(name)}" if condition_label(name) else ""
        seen = " ".join([removed_in_words(done.cleaning), *seen_in_words(_quality_of(done, name))])
        figure = tep_cleaning(before, done.epochs, done.results, condition=name)
        yield (
            f"Evoked potential ({who}{told})",
            figure,
            f"{example} {seen.strip()} {_HOW}{_peaks(done, name)}{_muscle(done)}".strip(),
        )
        yield from _quality(done, name, f"{who}{told}", example)
    if pair is not None:
        yield from _pairs(done, pair, who, example)


def _measure(key: str, entry: Any) -> str:
    return str(entry.get("measure", key))


def _conditions(epochs: mne.BaseEpochs) -> list[str]:
    return [str(name) for name in dict.fromkeys(epochs.metadata["condition"]) if name]


def _quality_of(done: Run, condition: str) -> Any:
    rows = done.results[done.results["measure"].str.startswith(QUALITY)]
    return rows[rows["condition"] == condition]


def _peaks(done: Run, condition: str) -> str:
    rows = done.results[done.results["measure"].str.endswith("_latency") & (done.results["condition"] == condition)]
    return _PEAKS if np.isfinite(rows["value"]).any() else ""


def _muscle(done: Run) -> str:
    """What the panels of the muscle show, where there are any."""
    if "emg" not in done.epochs.get_channel_types():
        return ""
    kept = is_kept(done.trials)
    return f" Below, the muscle's responses to the same pulses; {int(kept.sum())} of {len(kept)} enter its values."


def _quality(done: Run, condition: str, who: str, example: str) -> Iterator[tuple[str, Figure, str]]:
    """Quality of the average of one condition, where the results have it."""
    rows = _quality_of(done, condition)
    if rows.empty:
        return
    region = next((str(name) for name in rows["channel"] if name != "all"), "all")
    mine = done.epochs[(done.epochs.metadata["condition"] == condition).to_numpy()]
    names = [] if region == "all" else region_channels(mine, None, _region(region))[0]
    average = mine.get_data(picks=names or "eeg", verbose="ERROR").mean(axis=0)
    yield (
        f"Quality of the evoked potential ({who})",
        tep_quality(rows, average, mine.times, artefact=gap_of(mine)),
        f"{example} Gain: predicted share of a response that comes through the cleaning; below the dashed line, 0.8, "
        "it comes out too small. Bars of the gain say what the response may have been, those of the signal over noise "
        "are 95 % intervals. Right: the channels of the region; grey is what was bridged.".strip(),
    )


def _region(label: str) -> Any:
    """Name of a region, or its channels."""
    return label.split("+") if "+" in label else label


def _pairs(done: Run, pair: Any, who: str, example: str) -> Iterator[tuple[str, Figure, str]]:
    """Test pulse alone against pairs, where both were recorded."""
    names = _conditions(done.epochs)
    if "test" not in names or len([name for name in names if name not in ("test", "conditioning")]) == 0:
        return
    region = pair.get("roi")
    picks = roi_channels(region) if isinstance(region, str) else (region or done.epochs.copy().pick("eeg").ch_names)
    if not set(picks) & set(done.epochs.ch_names):
        return
    lici = pair["measure"] == "lici_tep"
    subtract = ("test" if pair.get("correct", True) else "none") if lici else pair.get("subtract", "conditioning")
    window = tuple(pair.get("window", (0.05, 0.15) if lici else (0.02, 0.15)))
    figure = paired_pulse_tep(done.epochs, list(picks), done.results, window=window, subtract=subtract)
    yield (
        f"Paired pulses ({who})",
        figure,
        f"{example} {_ratio_in_words(done)}Mean of the channels of the region with 95 % bands over trials; the light "
        "band is the window of the ratio of rectified areas. Map: mean change in this window, pair less test pulse "
        "alone.".strip(),
    )


def _ratio_in_words(done: Run) -> str:
    rows = done.results[done.results["measure"].isin(_PAIRED) & np.isfinite(done.results["value"])]
    rows = rows[rows["form"] == "ratio"]
    parts = []
    for row in rows.to_dict("records"):
        clear = "smaller" if row["ci_high"] < 1 else "larger" if row["ci_low"] > 1 else "not clearly different"
        than = "than" if clear != "not clearly different" else "from"
        when = condition_label(row["condition"])
        parts.append(
            f"At {when} the response is {clear} {than} that to the test pulse alone: ratio {row['value']:.2f} "
            f"[{row['ci_low']:.2f}, {row['ci_high']:.2f}]. "
        )
    return "".join(parts)
