"""Which pulses a protocol gives: one row a trial, in the stimulus columns of ``schema.py``."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd

from ..schema import unknown_word
from .designs import DESIGNS
from .expected import kind_of, shift_of
from .physiology import TRACKED_SIZE, physiology

PROTOCOLS = tuple(DESIGNS)
ORDERS = ("parallel", "serial")
#: Columns of what is drawn with the stimuli and belongs to no recording: they begin with this.
HIDDEN = "simulated_"
_COLUMNS = ("pulse_count", "inter_stimulus_interval", "intensity", "conditioning_intensity")
F_WAVES = 0.8  # share of the stimuli of a nerve that an F wave follows
_F_SPREAD = 0.003  # s from the shortest to the longest


def protocol_name(name):
    """Full name of a protocol that can be simulated: ``sici`` -> ``m1/sici``."""
    for known in PROTOCOLS:
        if name in (known, known.split("/")[1]):
            return known
    raise ValueError(unknown_word("protocol to simulate", name, PROTOCOLS))


def task_label(protocol):
    """BIDS task of a protocol: its name without folder and without signs (``m1/sici`` -> ``sici``).

    >>> task_label("m1/resting_motor_threshold"), task_label("dlpfc/lici_tep")
    ('restingmotorthreshold', 'licitep')
    """
    return re.sub(r"[^A-Za-z0-9]", "", protocol.split("/")[-1])


def protocol_stimuli(protocol, threshold=None, *, n_trials=None, model=None, tracking="parallel", rng):
    """Stimuli of one protocol, in the order they are given.

    Parameters
    ----------
    protocol : str
    threshold : float, optional
        Motor threshold (%MSO) that intensities are set from, by default the true one (active or resting, as the
        protocol asks) of the model; they are whole %MSO, at most 100.
    n_trials : int, optional
        Trials a condition.
    model : Physiology, optional
        The muscle whose responses lead a tracked protocol, and to which F waves belong; by default a right FDI.
    tracking : str
        Of a tracked protocol: ``parallel`` (conditions interleaved) or ``serial`` (one after the other).

    Returns
    -------
    DataFrame
        Columns ``protocol, pulse_count, inter_stimulus_interval, intensity, conditioning_intensity,
        intensity_rmt, muscle_state`` and more; NaN where there is no conditioning pulse. Columns that begin with
        ``simulated_`` are for :func:`excitability.simulate.session` and are not in its recordings.
    """
    protocol = protocol_name(protocol)
    if tracking not in ORDERS:
        raise ValueError(unknown_word("tracking", tracking, ORDERS))
    design = DESIGNS[protocol]
    n_trials = n_trials or design.n_trials
    model = physiology("RFDI") if model is None else model
    if threshold is None:
        threshold = model.active_motor_threshold if design.relative_to == "amt" else model.motor_threshold
    guess = threshold
    if any("steps" in row for row in design.rows):
        guess = round(threshold) + rng.integers(-1, 2)
    rows = [_row(row, threshold, guess) for row in design.rows]
    if design.order == "tracked":
        table = _tracked(protocol, pd.DataFrame(rows), n_trials, model, tracking, rng)
    else:
        order = np.repeat(np.arange(len(rows)), n_trials)
        if design.order == "random":
            order = rng.permutation(order)
        table = pd.DataFrame([rows[i] for i in order])
    table = _with_columns(table, protocol, design, threshold)
    if protocol.startswith("m1/central_conduction_f_wave"):
        table[HIDDEN + "f_wave"] = _f_waves(table, model, rng)
    if (table["stimulus_type"] == "movement").any():
        table[HIDDEN + "movement"] = rng.normal(0.25, 0.03, len(table))  # s from the cue to the prime mover
    if design.contraction != 1.0:
        table[HIDDEN + "contraction"] = design.contraction
    return table


def _row(row, threshold, guess):
    """A row of a design with its intensities in %MSO."""

    def percent(of_threshold):
        return float(np.clip(round(of_threshold / 100 * threshold), 1, 100))

    row = dict(row)
    if "steps" in row:
        row["intensity"] = float(np.clip(guess + row.pop("steps"), 1, 100))
    if "percent" in row:
        row["intensity"] = percent(row.pop("percent"))
    conditioning = row.pop("conditioning_percent", None)
    if conditioning is not None and row.get("conditioning_type") != "nerve":  # a nerve knows no %MSO
        row["conditioning_intensity"] = percent(conditioning)
    return row


def _with_columns(table, protocol, design, threshold):
    """The columns that every recording has, in their usual order, and those that the design adds."""
    usual = {
        "stimulus_type": "tms",
        "target": "M1",
        "hemisphere": "left",
        "current_direction": "PA",
        "muscle_state": design.state,
    }
    told = table
    table = told.reindex(columns=list(_COLUMNS))
    if table["pulse_count"].notna().all():
        table["pulse_count"] = table["pulse_count"].astype(int)
    table.insert(0, "protocol", protocol)
    relative = f"intensity_{design.relative_to}"
    table[relative] = (100 * table["intensity"] / threshold).round(1)
    for name, value in usual.items():
        table[name] = told[name].fillna(value) if name in told else value
    magnetic = table["stimulus_type"] == "tms"
    if not magnetic.all():
        table.loc[~magnetic, [relative, "target", "hemisphere", "current_direction"]] = np.nan
    if protocol.startswith("m1/sici_intensity_curve_") or protocol == "m1/sici_trunk":
        table[f"conditioning_{relative}"] = (100 * table["conditioning_intensity"] / threshold).round(1)
    for name in told.columns.difference(table.columns, sort=False):
        table[name] = told[name]
    return table


def _tracked(protocol, rows, n_trials, model, tracking, rng):
    """Trials whose intensity follows from the responses before them, with the deviates that made these."""
    trials = []
    intervals = rows["inter_stimulus_interval"]
    shifts = [shift_of(kind_of(protocol), interval, model) if interval > 0 else 0.0 for interval in intervals]
    if tracking == "serial":
        order = np.repeat(np.arange(len(rows)), n_trials)
    else:
        order = np.concatenate([rng.permutation(len(rows)) for _ in range(n_trials)])
    at = np.full(len(rows), float(round(model.intensity_for(TRACKED_SIZE))))
    deviates = rng.standard_normal(order.size)
    for which, deviate in zip(order, deviates, strict=True):
        trials.append(at[which])
        mean = model.mean_amplitude(at[which] - shifts[which])
        size = mean * np.exp(model.variability * deviate - model.variability**2 / 2)
        away = np.log(TRACKED_SIZE / size)
        at[which] = np.clip(at[which] + np.sign(away) * (abs(away) > 0.2) * (1 + (abs(away) > 0.9)), 1, 100)
    table = rows.iloc[order].reset_index(drop=True)
    return table.assign(**{"intensity": trials, HIDDEN + "deviate": deviates})


def _f_waves(table, model, rng):
    """Latencies (s) of F waves after stimuli of the nerve; NaN where there is none."""
    late = model.f_latency + _F_SPREAD * rng.random(len(table)) ** 1.5
    there = (table["stimulus_type"] == "nerve") & (rng.random(len(table)) < F_WAVES)
    return np.where(there, late, np.nan)


def extras_of(stimuli):
    """One dictionary a trial for ``mne.Annotations(extras=…)``; absent and hidden values are left out."""
    told = stimuli.drop(columns=[name for name in stimuli if name.startswith(HIDDEN)])
    return [
        {name: value for name, value in row.items() if isinstance(value, str) or value == value}
        for row in told.to_dict("records")
    ]
