"""Which items of the checklist for TMS-EMG reports a recording answers, and which the laboratory must add."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import mne
import numpy as np
import pandas as pd

from .measures._tables import is_kept
from .protocol import Protocol, load_protocol, trial_table
from .protocol.trial_rows import facts_of
from .resources import protocols_path
from .schema import display, unknown_word


def checklist(
    inst: mne.io.BaseRaw | mne.BaseEpochs,
    protocol: str | Protocol,
    *,
    participant: Mapping[str, Any] | None = None,
    answers: Mapping[str, str] | None = None,
    **options: Any,
) -> pd.DataFrame:
    """What a report of this recording can already tell, item by item.

    The items are those of Chipchase et al. 2012, doi:10.1016/j.clinph.2012.05.003, in the words of
    ``protocols/shared/checklist.toml``. An item counts as answered only where the recording, its stimulation log, the
    protocol or the table of participants holds the answer; nothing is assumed.

    Parameters
    ----------
    inst : Raw | Epochs
        A TMS-EMG recording from :func:`read`.
    protocol : str or Protocol
        What it is run with.
    participant : mapping, optional
        What is known of the person: a row of the table of participants.
    answers : mapping of code to str, optional
        What only the laboratory knows, for example ``{"Hot": "largest of 3 responses at 110 % RMT"}``.
    **options
        As for :func:`trial_table` (``picks``, ``muscles``, …).

    Returns
    -------
    DataFrame
        One row an item: ``item`` (1…30), ``code``, ``topic``, ``applies`` (what the protocol's ``checklist`` names: 26
        for single pulses, 30 for pairs, 17 without pulses; where it names nothing, as the pulses are),
        ``answered``, ``answer``, and ``source`` (who can answer: participant, recording or laboratory).

    Raises
    ------
    ValueError
        When the recording cannot be run with the protocol, or an answer has a code that no item has.

    Examples
    --------
    >>> import excitability as ex
    >>> raw, truth = ex.simulate.session(["m1/sici"], seed=1)
    >>> items = ex.checklist(raw, "sici", participant={"age": 31}, picks=["FDI"]).set_index("code")
    >>> items.loc[["Age", "ISI", "Att"], "answered"].tolist()
    [True, True, False]
    >>> items.loc["ISI", "answer"]
    '2, 3 ms'
    """
    protocol = load_protocol(protocol)
    every = trial_table(inst, protocol, **options)
    trials = own_trials(every)
    with (protocols_path() / "shared" / "checklist.toml").open("rb") as file:
        items = tomllib.load(file)
    codes = [item["code"] for item in items.values()]
    for code in answers or {}:
        if code not in codes:
            raise ValueError(unknown_word("item of the checklist", code, codes))
    given = {code: answer.strip() for code, answer in (answers or {}).items() if _told(answer)}
    known = {**_from_recording(facts_of(inst), protocol, trials), "MEP": _interval(every), **given}
    asked = protocol.checklist or _as_given(trials)
    rows = []
    for number, item in items.items():
        columns = [name for name in item.get("columns", ()) if _told((participant or {}).get(name))]
        answer = "; ".join(f"{name} {(participant or {})[name]}" for name in columns) or known.get(item["code"], "")
        applies = asked == "paired_pulse" or not item.get("paired", False)
        applies = applies and (asked != "no_pulse" or not item.get("pulse", False))
        rows.append(
            {
                "item": int(number),
                "code": item["code"],
                "topic": item["topic"],
                "applies": applies,
                "answered": applies and bool(answer),
                "answer": answer if applies else "",
                "source": item["from"],
            }
        )
    return pd.DataFrame(rows)


def own_trials(trials: pd.DataFrame) -> pd.DataFrame:
    """Trials of a protocol's own conditions: a recording may hold those of others."""
    return trials[trials["condition"].fillna("") != ""] if "condition" in trials else trials


def _as_given(trials: pd.DataFrame) -> str:
    """What a protocol that does not say it needs: items on pairs where there are pairs."""
    return "paired_pulse" if (trials.get("pulse_count", pd.Series(dtype=float)) > 1).any() else "single_pulse"


def participant_row(file: str | Path) -> dict[str, Any]:
    """What ``participants.tsv`` of the BIDS study around a file says of its participant; empty where there is none.

    Parameters
    ----------
    file : path
        A recording named ``sub-LABEL_…``.
    """
    label = Path(file).name.split("_")[0]
    for folder in Path(file).resolve().parents:
        table = folder / "participants.tsv"
        if table.is_file():
            if not table.read_text(encoding="utf-8").strip():
                return {}
            people = pd.read_csv(table, sep="\t", na_values="n/a", dtype={"participant_id": str})
            rows = people[people["participant_id"] == label] if "participant_id" in people else people[:0]
            return dict(rows.iloc[0].dropna()) if len(rows) else {}
    return {}


def _told(value: Any) -> bool:
    return value is not None and str(value).strip().lower() not in ("", "nan", "n/a")


def _from_recording(facts: Mapping[str, Any], protocol: Protocol, trials: pd.DataFrame) -> dict[str, str]:
    """Answers by the code of the item; what is not known is absent or empty."""
    pulses = trials.drop_duplicates("trial")
    paired = pulses[pulses.get("pulse_count", pd.Series(1.0, pulses.index)) > 1]
    kept = trials[is_kept(trials)]
    coil = [name for name in ("coil_x", "coil_y", "coil_z") if name in pulses and pulses[name].notna().any()]
    answers = {
        "Ele": str(facts.get("placement", "") or ""),
        "Tar": _contraction(trials),
        "Coi": str(facts.get("coil", "") or ""),
        "Cur": _values(pulses, "current_direction"),
        "Loc": _scatter(pulses[coil]) if coil else "",
        "Sti": str(facts.get("stimulator", "") or ""),
        "Int": _intensities(pulses, "intensity"),
        "Pul": str(facts.get("waveform", "") or ""),
        "Thr": protocol.title if "threshold" in protocol.name else "",
        "Num": "; ".join(
            f"{channel}: {len(rows)} kept, {int((trials['channel'] == channel).sum()) - len(rows)} rejected"
            for channel, rows in kept.groupby("channel", sort=False)
        ),
        "Tes": _intensities(paired, "intensity"),
        "Con": _intensities(paired, "conditioning_intensity"),
        "ISI": _values(paired, "inter_stimulus_interval", unit="s"),
        "Mea": _size(protocol, trials),
    }
    if len(paired):
        single = kept[kept["trial"].isin(set(pulses["trial"]) - set(paired["trial"]))]
        answers["Unc"] = _unconditioned(single)
    return answers


def _values(table: pd.DataFrame, column: str, suffix: str = "", *, unit: str = "") -> str:
    """Values of a column as a reader writes them: all where they are few, their range where they are many."""
    if column not in table or not table[column].notna().any():
        return ""
    values = sorted(set(table[column].dropna()))
    if values and isinstance(values[0], str):
        return ", ".join(value for value in values if value)
    factor, label = display(unit) if unit else (1.0, "")
    suffix = f" {label}" if label else suffix
    shown = [f"{value * factor:.4g}" for value in values]
    return (", ".join(shown) if len(shown) <= 8 else f"{shown[0]} to {shown[-1]}") + suffix


def _intensities(pulses: pd.DataFrame, column: str) -> str:
    """Intensities in %MSO, and what they are of the motor thresholds where that is known."""
    told = [_values(pulses, column, " %MSO")]
    for name, label in (("rmt", " % of resting motor threshold"), ("amt", " % of active motor threshold")):
        relative = f"{column}_{name}"
        if relative in pulses:
            told.append(_values(pulses.assign(**{relative: pulses[relative].round()}), relative, label))
    return "; ".join(part for part in told if part)


def _shown(value: float, unit: str) -> str:
    factor, label = display(unit, abs(value))
    return f"{value * factor:.3g} {label}"


def _contraction(trials: pd.DataFrame) -> str:
    state = _values(trials, "muscle_state")
    if "background_emg" not in trials or not trials["background_emg"].notna().any():
        return state
    level = trials.groupby("channel", sort=False)["background_emg"].median()
    told = ", ".join(f"{channel} {_shown(float(value), 'V')}" for channel, value in level.items())
    return "; ".join(part for part in (state, f"background EMG (median RMS) {told}") if part)


def _scatter(places: pd.DataFrame) -> str:
    spread = float(np.sqrt((places.std() ** 2).sum()))
    return f"known for {int(places.notna().all(axis=1).sum())} of {len(places)} pulses, spread {_shown(spread, 'm')}"


def _interval(pulses: pd.DataFrame) -> str:
    apart = np.diff(np.sort(pulses["onset"].dropna().unique())) if "onset" in pulses else np.array([])
    apart = apart[apart > 0]
    if not apart.size:
        return ""
    low, middle, high = np.percentile(apart, [5, 50, 95])
    return f"median {middle:.3g} s, 90 % between {low:.3g} and {high:.3g} s"


def _size(protocol: Protocol, trials: pd.DataFrame) -> str:
    measured = [name for name in ("mep_amplitude", "mep_amplitude_corrected", "mep_area") if name in protocol.trial]
    if not measured:
        return ""
    words = {
        "mep_amplitude": "peak to peak",
        "mep_amplitude_corrected": "peak to peak without the bias of noise",
        "mep_area": "rectified area",
    }
    factor, unit = display("s")
    spans = trials.drop_duplicates("channel")
    limits = spans[["window_start", "window_stop"]].to_numpy(dtype=float) * factor
    told = ", ".join(
        f"{channel} {low:.3g} to {high:.3g} {unit}"
        for channel, (low, high) in zip(spans["channel"], limits, strict=True)
    )
    return f"{', '.join(words[name] for name in measured)}; window {told}"


def _unconditioned(single: pd.DataFrame) -> str:
    if "mep_amplitude" not in single or single.empty:
        return ""
    factor, unit = display("V")
    sizes = single.groupby("channel", sort=False)["mep_amplitude"]
    return "; ".join(
        f"{channel} mean {rows.mean() * factor:.3g} {unit}, SD {rows.std() * factor:.3g}, n {len(rows)}"
        for channel, rows in sizes
    )
