"""Options that several commands share, and the words of options as values."""

from __future__ import annotations

import difflib
import re
import warnings
from pathlib import Path
from typing import Annotated, Any

import typer

File = Annotated[Path, typer.Argument(help="The recording; its format is found by content.", show_default=False)]
Stimuli = Annotated[Path | None, typer.Option(help="Log (CSV, TSV) with one row a trial, joined to the pulses.")]
Trigger = Annotated[str | None, typer.Option(help="What marks the pulses, or 'artefact'.")]
Muscles = Annotated[list[str] | None, typer.Option("--muscle", help="CHANNEL=MUSCLE, for each channel.")]
Sidecar = Annotated[Path | None, typer.Option(help="TOML that says what the file does not (docs/sidecar.md).")]
Format = Annotated[str | None, typer.Option("--format", help="The format, where the content does not tell it.")]
DataFormat = Annotated[str | None, typer.Option(help="Neuroscan files: int16 or int32.")]
Rate = Annotated[float | None, typer.Option("--sampling-rate", help="Array files: samples a second.")]
Unit = Annotated[str | None, typer.Option(help="Array files: V, mV or uV.")]
PulseTime = Annotated[float | None, typer.Option(help="Array files: time of the pulse in a trial, in seconds.")]
Variable = Annotated[str | None, typer.Option(help="Array files: name of the array.")]
Axes = Annotated[str | None, typer.Option(help="Array files: one word an axis, e.g. 'samples, trials'.")]
Select = Annotated[str | None, typer.Option(help="Frames to keep, as in Python, e.g. '1::2'.")]
Names = Annotated[list[str] | None, typer.Option("--channel-name", help="New names of all channels, in order.")]
Types = Annotated[list[str] | None, typer.Option("--channel-type", help="Type of all, or CHANNEL=TYPE, e.g. eeg.")]
Montage = Annotated[str | None, typer.Option(help="Positions of EEG channels by name, e.g. colin27_1020.")]
Columns = Annotated[list[str] | None, typer.Option("--set", help="COLUMN=VALUE of all trials, or COLUMN=variable:VAR.")]
Parameters = Annotated[
    list[str] | None,
    typer.Option("--parameter", help="NAME=VALUE of a measure, in SI units, such as f_latency=0.0264."),
]
Child = Annotated[bool, typer.Option("--child", help="Look for responses where children have them.")]
Picks = Annotated[list[str] | None, typer.Option(help="Channels or muscles, repeated or separated by commas.")]
Jobs = Annotated[int, typer.Option("--n-jobs", "-j", help="Recordings at a time; -1: one a core.")]

# of compare: what is not given follows the plan of the battery
Before = Annotated[list[str] | None, typer.Option(help="Baseline, or several to take the mean of.")]
After = Annotated[list[str] | None, typer.Option(help="Time points after.")]
By = Annotated[
    str | None, typer.Option(help="Column of the groups, or of the arms of a crossover; 'none': all people.")
]
At = Annotated[list[str] | None, typer.Option(help="Time points at which groups are compared, instead of a change.")]
Covariates = Annotated[
    list[str] | None, typer.Option(help="Covariates, as they were before; 'baseline' is the measure before.")
]
Method = Annotated[
    str | None, typer.Option(help="t; without covariates also trimmed (20 % trimmed means), permutation or bootstrap.")
]
SingleTrials = Annotated[bool | None, typer.Option("--trials/--no-trials", help="Mixed models of single trials.")]
Clusters = Annotated[
    list[str] | None, typer.Option(help="Cluster test of evoked potentials: early, late, or START:STOP in s.")
]
TrialCovariates = Annotated[list[str] | None, typer.Option(help="Trial columns that enter these models.")]
Equivalence = Annotated[
    list[str] | None,
    typer.Option(help="Largest change that is none: person, group (detectable), '25 %', or MEASURE=SIZE in SI or %."),
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace a table that other options made.")]
BayesFactor = Annotated[bool, typer.Option("--bayes-factor", help="Evidence for a change against none, per group.")]


def listed(words: list[str] | None) -> list[str] | None:
    """Words of an option that was repeated or separated by commas; None where there is none."""
    return [part for word in words for part in word.split(",") if part] if words else None


def named(pairs: list[str] | None) -> dict[str, str] | None:
    """NAME=VALUE words of an option as a mapping."""
    for pair in pairs or []:
        if "=" not in pair:
            raise ValueError(f"--muscle takes CHANNEL=MUSCLE, for example 'Chan1=FDI', not {pair!r}")
    return dict(pair.split("=", 1) for pair in pairs) if pairs else None


def types(words: list[str] | None) -> dict[str, str] | None:
    """Channel types: a bare word is that of all channels not named."""
    pairs = (word.rpartition("=") for word in listed(words) or [])
    return {channel if mark else "*": kind for channel, mark, kind in pairs} or None


def constants(pairs: list[str] | None, option: str = "--set") -> dict[str, float | str] | None:
    """What was given as NAME=VALUE; numbers become numbers."""
    values: dict[str, float | str] = {}
    for pair in pairs or []:
        if "=" not in pair:
            example = "muscle_state=active" if option == "--set" else "f_latency=0.0264"
            raise ValueError(f"{option} takes NAME=VALUE, for example {example!r}, not {pair!r}")
        name, word = pair.split("=", 1)
        try:
            values[name] = float(word)
        except ValueError:
            values[name] = word
    return values or None


def reading(**options: Any) -> dict[str, Any]:
    """Reading options that were given; what was not given is left to the reader."""
    return {name: value for name, value in options.items() if value is not None}


def asked_clusters(words: list[str] | None, battery: Any) -> list[Any]:
    """Cluster tests that were asked for: those of the battery, or a window for each condition of its EEG protocols."""
    if not words:
        return list(battery.clusters)
    from excitability.protocol.library import PlannedClusters

    evoked = [entry for entry in battery.protocols if entry.modality == "eeg" and entry.epoch.every is None]
    if not evoked:
        raise ValueError(f"--clusters needs evoked potentials; {battery.name} has no EEG protocol with pulses")
    found = []
    for word in listed(words) or []:
        window: Any = word
        if word not in ("early", "late"):
            start, mark, stop = word.partition(":")
            try:
                window = (float(start), float(stop))
            except ValueError:
                mark = ""
            if not mark:
                raise ValueError(f"--clusters takes early, late or START:STOP in s, such as 0.015:0.08, not {word!r}")
        found += [PlannedClusters(protocol=entry.name, condition="", window=window) for entry in evoked]
    return found


def asked_equivalence(words: list[str] | None) -> str | dict[str, str] | None:
    """Bound of equivalence as :func:`excitability.comparison.equivalence` takes it."""
    if not words:
        return None
    sizes = dict(word.split("=", 1) for word in words if "=" in word)
    if len(sizes) == len(words):
        return sizes
    if sizes or len(words) > 1:
        raise ValueError(f"--equivalence takes one bound, or MEASURE=SIZE for each measure, not {' '.join(words)}")
    if re.fullmatch(r"[+-]?[\d.]+(e[+-]?\d+)?", words[0].strip(), re.IGNORECASE):
        raise ValueError(
            f"--equivalence {words[0]} of what? '{words[0].strip()} %' is one of every ratio and amplitude, "
            "MEASURE=SIZE one in SI units, such as mep_latency=0.001"
        )
    return words[0]


def asked_plan(plan: dict[str, Any], table: Any, **given: Any) -> dict[str, Any]:
    """The plan of a battery with what was said on the command line in its place."""
    asked = {name: value for name, value in given.items() if value is not None}
    if len(asked.get("before", ())) == 1:
        asked["before"] = asked["before"][0]
    unasked = {"after", "at"} - set(asked)
    if len(unasked) == 1:  # one of the two was asked for, so that the other is not meant
        plan = {name: value for name, value in plan.items() if name not in unasked}
    plan = grouped({**plan, **asked}, table, asked.get("by"))
    if "by" not in plan and "at" not in asked and "after" in plan:
        plan.pop("at", None)  # groups at one time, where there are none
    if "at" not in plan and not {"before", "after"} <= set(plan):
        from excitability.labels import time_column

        labels = ", ".join(dict.fromkeys(map(str, table[time_column(table)].dropna())))
        raise ValueError(
            f"say what to compare: --before LABEL --after LABEL, or --by COLUMN --at LABEL, with labels of: {labels}"
        )
    return plan


def check_columns(sessions: Any) -> None:
    """Tell columns of a study that look like a misspelt word of the design."""
    for name in sessions.columns:
        near = difflib.get_close_matches(str(name).strip().lower(), ("timepoint", "group", "period"), n=1, cutoff=0.8)
        if near and near[0] not in sessions:
            warnings.warn(
                f"the column {str(name)!r} has no meaning; if {near[0]!r} was meant, call it so", stacklevel=2
            )


def grouped(plan: dict[str, Any], table: Any, asked: str | None) -> dict[str, Any]:
    """A plan with its groups as the table has them: without any where all people are in one, or are to be together.

    ``asked`` is the column that was typed, which is taken at its word; 'none' is no column.
    """
    by = plan.get("by")
    alone = {name: value for name, value in plan.items() if name != "by"}
    if by is None or str(by).strip().lower() in ("", "none"):
        return alone
    if by not in table:
        return plan  # the comparison says which columns there are
    text = table[by].dropna().astype(str).str.strip()
    labels = [label for label in dict.fromkeys(text) if label not in ("", "n/a")]
    if len(labels) == 1 and asked is not None:
        raise ValueError(f"--by {by}: all people are {labels[0]!r}, no two groups; --by none compares them together")
    if len(labels) == 1:
        warnings.warn(f"all people are {labels[0]!r} in the column {by!r}: compared as one group", stacklevel=2)
        return alone
    known: dict[str, str] = {}
    for label in labels:
        first = known.setdefault(label.casefold(), label)
        if first != label:
            warnings.warn(
                f"{first!r} and {label!r} in the column {by!r} count as two groups; write one word if they are one",
                stacklevel=2,
            )
    return plan
