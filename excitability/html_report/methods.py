"""A paragraph of methods, from a protocol and from what the recording says of itself."""

from __future__ import annotations

from typing import Any

import mne
import pandas as pd

from ..measures._tables import is_kept
from ..protocol import Protocol, load_protocol, trial_table
from ..reporting_checklist import checklist, own_trials
from ._words import protocol_methods


def methods_paragraph(inst: mne.io.BaseRaw | mne.BaseEpochs, protocol: str | Protocol, **options: Any) -> str:
    """Draft of the methods of one recording: what was given, what was recorded, how it was measured.

    Only what the recording and the protocol say; what they do not say is left out, and :func:`checklist` lists it.

    Parameters
    ----------
    inst : Raw | Epochs
        A TMS-EMG recording from :func:`read`.
    protocol : str or Protocol
        What it is run with.
    **options
        As for :func:`checklist`.

    Returns
    -------
    str

    Raises
    ------
    ValueError
        When the recording cannot be run with the protocol.

    Examples
    --------
    >>> import excitability as ex
    >>> raw, truth = ex.simulate.session(["m1/sici"], seed=1)
    >>> text = ex.methods_paragraph(raw, "sici", picks=["FDI"])
    >>> "pairs of pulses 2 and 3 ms apart" in text
    True
    """
    protocol = load_protocol(protocol)
    items = checklist(inst, protocol, **options)
    answers = dict(zip(items["code"], items["answer"], strict=True))
    passed = {name: value for name, value in options.items() if name not in ("participant", "answers")}
    trials = own_trials(trial_table(inst, protocol, **passed))
    spans = trials.drop_duplicates("channel").set_index("channel")[["window_start", "window_stop"]]
    windows = {str(name): (float(row.iloc[0]), float(row.iloc[1])) for name, row in spans.iterrows()}
    said = [*_stimulation(answers, trials, protocol), *_recording(inst, answers, trials)]
    return " ".join([*said, protocol_methods(protocol, windows), *_trials(answers, trials)])


def _stimulation(answers: dict[str, str], trials: pd.DataFrame, protocol: Protocol) -> list[str]:
    """What was given, with what, how strong and how often."""
    device = ", ".join(answers[word] for word in ("Coi", "Pul") if answers.get(word))
    means = f" with a {answers['Sti']} stimulator" if answers.get("Sti") else ""
    means += f" ({device})" if device else ""
    target = f" over {protocol.target}" if protocol.target in ("M1", "DLPFC") else ""
    pairs = "Single pulses" if answers.get("ISI") else "Pulses"
    pairs += f" and pairs of pulses {_and(answers['ISI'])} apart" if answers.get("ISI") else ""
    said = []
    if means or answers.get("Int"):
        strength = f" at {_relative(answers['Int'])}" if answers.get("Int") else ""
        first = f", the first pulse of a pair at {_relative(answers['Con'])}" if answers.get("Con") else ""
        said.append(f"{pairs} were given{target}{means}{strength}{first}.")
    if answers.get("Cur"):
        said.append(f"The induced current flowed {_and(answers['Cur'])}.")
    if answers.get("MEP"):
        said.append(f"Trials were {answers['MEP'].removeprefix('median ').replace(', 90 %', ' apart (median; 90 %')}).")
    if answers.get("Loc"):
        said.append(f"The position of the coil was {answers['Loc']}.")
    return said


def _recording(inst: mne.io.BaseRaw | mne.BaseEpochs, answers: dict[str, str], trials: pd.DataFrame) -> list[str]:
    """From which muscles, in which state."""
    muscles = trials.drop_duplicates("channel")[["channel", "muscle"]]
    named = [f"{muscle} (channel {channel})" if muscle and muscle != channel else str(channel)
             for channel, muscle in muscles.itertuples(index=False)]  # fmt: skip
    states = sorted(set(trials["muscle_state"].dropna())) if "muscle_state" in trials else []
    state = {"rest": " at rest", "active": " in contraction"}.get(states[0], "") if len(states) == 1 else ""
    placed = f" ({answers['Ele']})" if answers.get("Ele") else ""
    text = f"EMG of {', '.join(named)}{placed} was recorded{state} at {inst.info['sfreq']:g} Hz."
    level = answers.get("Tar", "").rpartition("background EMG (median RMS) ")[2] if "background" in answers.get(
        "Tar", "") else ""  # fmt: skip
    return [text, f"Background EMG was {_without_names(level, trials)} (median RMS)."] if level else [text]


def _trials(answers: dict[str, str], trials: pd.DataFrame) -> list[str]:
    """How many trials were kept, and the response that the others are compared with."""
    said = []
    if answers.get("Num"):
        good = pd.Series(is_kept(trials), trials.index)
        kept = good.groupby(trials["channel"], sort=False).agg(["sum", "size"])
        counts = [
            f"{int(row['sum'])} of {int(row['size'])}" + f" ({name})" * (len(kept) > 1) for name, row in kept.iterrows()
        ]
        said.append(f"{' and '.join(counts)} trials were kept.")
    if answers.get("Unc"):
        said.append(f"The unconditioned response was {_without_names(answers['Unc'].replace(' mean', ''), trials)}.")
    return said


def _without_names(text: str, trials: pd.DataFrame) -> str:
    """A text on one channel without its name."""
    channels = trials["channel"].unique()
    return text.removeprefix(f"{channels[0]} ") if len(channels) == 1 else text


def _and(text: str) -> str:
    """The last comma of a list as a word: 2, 3 ms -> 2 and 3 ms."""
    start, comma, last = text.rpartition(", ")
    return f"{start} and {last}" if comma else text


def _relative(text: str) -> str:
    """Intensities in %MSO, those relative to threshold in brackets."""
    absolute, *rest = text.split("; ")
    return _and(absolute) + (f" ({'; '.join(_and(part) for part in rest)})" if rest else "")
