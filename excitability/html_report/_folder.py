"""The report of a folder that ``run_batch`` wrote, with figures of one example recording a protocol."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..batch import load_results, windows_of
from ..measures._curve_fit import fit_recruitment_curve
from ..measures._tables import is_kept
from ..plots import mep_overlay
from ..plots import motor_map as draw_motor_map
from ..plots import recruitment_curve as draw_recruitment_curve
from ..protocol import Protocol, clean, run_all
from ..recording import read
from ..schema import display
from ..store import as_given, stems
from ..tables import read_table
from ._evoked_potential import evoked_figures
from ._resting_eeg import resting_figures

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ..protocol import Run

Progress = Callable[[int, int, str], None]
_THRESHOLDS = ("resting_motor_threshold", "active_motor_threshold")


class Study:
    """What a folder of results holds: tables, battery and where its recordings are."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.results, self.trials, self.battery = load_results(folder)
        sessions = folder / "sessions.tsv"
        self.sessions = read_table(sessions) if sessions.is_file() else pd.DataFrame()

    @property
    def comparison(self) -> pd.DataFrame | None:
        """The comparison that was written beside the results."""
        path = self.folder / "comparison.tsv"
        return read_table(path) if path.is_file() else None

    def reading(self, row: Mapping[str, Any], protocol: Protocol) -> dict[str, Any]:
        """Options that the batch read a recording with."""
        [stem] = stems(self.folder, [(dict(row), protocol)])
        path = Path(f"{stem}_results.json")
        if not path.is_file():  # of a recording that shares its place with another
            path = next(iter(sorted(self.folder.glob("sub-*/**/*_results.json"))), path)
        inputs = json.loads(path.read_text(encoding="utf-8")).get("Inputs", {}) if path.is_file() else {}
        return as_given(inputs.get("Reading", {}) or {})

    @property
    def acquisition(self) -> list[dict[str, Any]]:
        """Facts of the acquisition of each stored recording: stimulator, coil, filters …"""
        stored = sorted(self.folder.glob("sub-*/**/*_results.json"))
        return [json.loads(path.read_text(encoding="utf-8")).get("Acquisition", {}) for path in stored]

    def example(self, protocol: Protocol) -> tuple[pd.Series, Path] | None:
        """The first session at the baseline that was computed; never the best-looking one."""
        if not {"file", "protocol"} <= set(self.sessions.columns):
            return None
        done = self.results[(self.results["protocol"] == protocol.name) & (self.results["error"] == "")]
        time = "timepoint" if "timepoint" in self.sessions else "session"
        rows = self.sessions.sort_values(["participant", "session"], kind="stable")
        if self.battery.before in set(rows[time]):
            rows = rows[rows[time] == self.battery.before]
        for _, row in rows.iterrows():
            known = row["protocol"] in (protocol.name, "")
            here = (done["participant"] == row["participant"]) & (done["session"] == row["session"])
            file = self.folder / str(row["file"])
            if known and here.any() and file.exists():
                return row, file
        return None


def example_figures(study: Study, progress: Progress | None = None) -> Iterator[tuple[str, str, Figure, str]]:
    """Section, title, figure and caption of one example recording for each protocol.

    A recording that can no longer be read (moved, changed) has no figure; its results are in the tables.
    """
    protocols = study.battery.protocols
    for number, protocol in enumerate(protocols):
        if progress is not None:
            progress(number, len(protocols), protocol.name)
        found = study.example(protocol)
        if found is None:
            continue
        row, file = found
        reading = study.reading({**row, "file": file}, protocol)
        emg = protocol.modality == "emg"
        who = f"participant {row['participant']}, {row.get('timepoint') or row['session']}"
        try:
            raw = read(file, **(reading.get("options") or {}))
            if protocol.epoch.every is not None:
                yield from ((protocol.name, *words) for words in _rest(study, raw, protocol, row, who))
                continue
            done = run_all(
                raw,
                _with_onsets(protocol) if emg else protocol,
                reading.get("picks") if emg else None,
                muscles=reading.get("muscles") if emg else None,
                **(windows_of(dict(row), reading) if emg else {}),
            )
        except (OSError, ValueError) as error:
            warnings.warn(f"no example of {protocol.name}: {error}", stacklevel=2)
            continue
        yield from (
            (protocol.name, *words) for words in (_emg(done, who) if emg else evoked_figures(done, raw, who, _EXAMPLE))
        )
    if progress is not None:
        progress(len(protocols), len(protocols), "done")


def _rest(study: Study, raw: Any, protocol: Protocol, row: pd.Series, who: str) -> Iterator[tuple[str, Figure, str]]:
    """The spectrum of a recording at rest; its values are those of the study."""
    if protocol.modality != "eeg":
        return
    done = study.results[study.results["protocol"] == protocol.name]
    mine = (done["participant"] == row["participant"]) & (done["session"] == row["session"])
    yield from resting_figures(clean(raw, protocol)[0], done[mine], who, _EXAMPLE)


def _with_onsets(protocol: Protocol) -> Protocol:
    """The protocol with the onset of each response, which a reader wants to see on the trials."""
    if "mep_amplitude" not in protocol.trial or "mep_latency" in protocol.trial:
        return protocol
    window = protocol.trial["mep_amplitude"].get("window", "muscle")
    return protocol.replace(trial={**protocol.trial, "mep_latency": {"window": window}})


_EXAMPLE = "An example: the first participant of the table at the first time point."


def _emg(done: Run, who: str) -> Iterator[tuple[str, Figure, str]]:
    trials, stem = done.trials, done.protocol.name.rsplit("/", 1)[-1]
    if not len(trials) or stem in _THRESHOLDS:
        return
    if stem == "motor_map":
        yield from _maps(trials, who)
        return
    for channel, table in trials.groupby("channel", sort=False):
        if stem == "recruitment_curve":
            yield f"Recruitment curve of {channel} ({who})", _curve(done, table, str(channel)), _EXAMPLE
            continue
        place = {int(trial): i for i, trial in enumerate(done.epochs.selection)}
        table = table[table["trial"].isin(place) & table["condition"].fillna("").ne("")]
        data = done.epochs.get_data(picks=[channel])[:, 0]
        figure = mep_overlay(
            data[[place[int(trial)] for trial in table["trial"]]],
            done.epochs.times,
            table,
            channel=str(channel),
            window=_window(table),
            artefact=_artefact(done.protocol) or "auto",
            lock=done.protocol.epoch.lock,
        )
        yield (
            f"Responses of {channel} ({who})",
            figure,
            f"{_EXAMPLE} Every kept trial, and the mean in black.{_looked(table)}",
        )


def _maps(trials: pd.DataFrame, who: str) -> Iterator[tuple[str, Figure, str]]:
    """Maps of the muscles, two by two; none where the recording has no positions or no response."""
    tables = list(trials.groupby("channel", sort=False))
    for start in range(0, len(tables), 2):
        pair = tables[start : start + 2]
        names = [str(name) for name, _ in pair]
        own = [table.reset_index(drop=True) for _, table in pair]
        try:
            figure = draw_motor_map(own[0], *own[1:], channel=names[0], other_channel=names[-1])
        except ValueError as error:
            warnings.warn(f"no map of {' and '.join(names)}: {error}", stacklevel=2)
            continue
        yield (
            f"Motor map of {' and '.join(names)} ({who})",
            figure,
            f"{_EXAMPLE} Circles are stimulated positions, their size the response there; shades are the surface "
            "through them. The line encloses the active area, the star is the hotspot, the dot the centre of gravity "
            "with its 95 % interval.",
        )


def _window(table: pd.DataFrame) -> tuple[float, float] | None:
    """Where the responses of a trial table were looked for."""
    if not len(table) or "window_start" not in table:
        return None
    return float(table["window_start"].iloc[0]), float(table["window_stop"].iloc[0])


def _looked(table: pd.DataFrame) -> str:
    window, (factor, unit) = _window(table), display("s")
    if window is None:
        return ""
    return f" Responses were looked for {window[0] * factor:g} to {window[1] * factor:g} {unit} after the pulse."


def _artefact(protocol: Protocol) -> tuple[float, float] | None:
    """Span that the protocol cuts out around a pulse."""
    for step in protocol.cleaning:
        if step.get("step") == "remove_pulse" and "window" in step:
            start, stop = step["window"]
            return float(start), float(stop)
    return None


def _curve(done: Run, table: pd.DataFrame, channel: str) -> Figure:
    """Trials of a recruitment curve with the fit of its results, and the band where the curve can be fitted again."""
    own = done.results[done.results["channel"] == channel]
    fit = dict(zip(own["measure"], own["value"], strict=True))
    kept = table[is_kept(table)].dropna(subset=["intensity", "mep_amplitude"])
    curve = None
    if np.isfinite(fit.get("recruitment_threshold", np.nan)):
        again = fit_recruitment_curve(kept["intensity"].to_numpy(float), kept["mep_amplitude"].to_numpy(float))
        grid = np.linspace(kept["intensity"].min(), kept["intensity"].max(), 200)
        curve = (grid, again.predict(grid), *again.band(grid))
    return draw_recruitment_curve(table, fit, curve=curve, channel=channel)
