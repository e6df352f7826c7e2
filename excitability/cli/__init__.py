"""The command line: the words of the Python interface, no defaults and no logic of its own."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from ._answers import register
from ._compare import compare
from ._options import (
    Axes,
    Child,
    Columns,
    DataFormat,
    File,
    Format,
    Jobs,
    Montage,
    Muscles,
    Names,
    Parameters,
    Picks,
    PulseTime,
    Rate,
    Select,
    Sidecar,
    Stimuli,
    Trigger,
    Types,
    Unit,
    Variable,
    check_columns,
    constants,
    listed,
    named,
    reading,
    types,
)
from ._progress import progress_bar
from ._tables import show_results

app = typer.Typer(
    help="From TMS-EMG and TMS-EEG recordings to a calibrated answer.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
protocols_app = typer.Typer(help="The protocols: list them, show one.", no_args_is_help=True)
app.add_typer(protocols_app, name="protocols")
app.command()(compare)
register(app)


@app.command()
def inspect(
    file: File,
    stimuli: Stimuli = None,
    trigger: Trigger = None,
    muscle: Muscles = None,
    sidecar: Sidecar = None,
    sampling_rate: Rate = None,
    unit: Unit = None,
    pulse_time: PulseTime = None,
    variable: Variable = None,
    axes: Axes = None,
    select: Select = None,
    channel_name: Names = None,
    channel_type: Types = None,
    montage: Montage = None,
    format_: Format = None,
    data_format: DataFormat = None,
    set_: Columns = None,
) -> None:
    """What a file holds: channels, rates, pulses by trigger and by artefact, and what is missing."""
    import excitability as ex

    options = reading(
        stimuli=stimuli, trigger=trigger, muscles=named(muscle), sidecar=sidecar, sampling_rate=sampling_rate,
        unit=unit, pulse_time=pulse_time, variable=variable, axes=axes, select=select,
        channel_names=listed(channel_name), channel_types=types(channel_type), montage=montage, format=format_,
        data_format=data_format, columns=constants(set_),
    )  # fmt: skip
    typer.echo(str(ex.inspect(file, **options)))


@app.command()
def run(
    file: File,
    protocol: Annotated[str, typer.Option("--protocol", "-p", help="Name or path of a protocol.")],
    picks: Picks = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="TSV to write the results to.")] = None,
    trials: Annotated[Path | None, typer.Option(help="TSV to write the trial table to.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Print all rows, also those without a value.")] = False,
    parameter: Parameters = None,
    stimuli: Stimuli = None,
    trigger: Trigger = None,
    muscle: Muscles = None,
    child: Child = False,
    height: Annotated[float | None, typer.Option(help="Body height in m: response windows move with it.")] = None,
    sidecar: Sidecar = None,
    sampling_rate: Rate = None,
    unit: Unit = None,
    pulse_time: PulseTime = None,
    variable: Variable = None,
    axes: Axes = None,
    select: Select = None,
    channel_name: Names = None,
    channel_type: Types = None,
    montage: Montage = None,
    format_: Format = None,
    data_format: DataFormat = None,
    set_: Columns = None,
) -> None:
    """Run one protocol on one recording."""
    import excitability as ex
    from excitability.inspection import recording_notes
    from excitability.protocol import load_protocol, run_all, with_arguments
    from excitability.store import measure_columns
    from excitability.tables import write_table

    options = reading(
        stimuli=stimuli, trigger=trigger, muscles=named(muscle), sidecar=sidecar, sampling_rate=sampling_rate,
        unit=unit, pulse_time=pulse_time, variable=variable, axes=axes, select=select,
        channel_names=listed(channel_name), channel_types=types(channel_type), montage=montage, format=format_,
        data_format=data_format, columns=constants(set_),
    )  # fmt: skip
    asked = with_arguments(load_protocol(protocol), constants(parameter, "--parameter") or {})
    recording = ex.read(file, **options)
    done = run_all(recording, asked, listed(picks), child=child, height=height)
    notes = recording_notes(recording)
    show_results(done, notes, everything=everything)
    if output is not None:
        told = {"Notes of the recording": notes} if notes else None
        typer.echo(f"wrote {write_table(done.results, output, facts=told)}")
    if trials is not None:
        typer.echo(f"wrote {write_table(done.trials, trials, measures=measure_columns())}")


@app.command()
def batch(
    study: Annotated[Path, typer.Argument(help="BIDS folder, or TSV of participant, session, file.")],
    protocol: Annotated[str, typer.Option("--protocol", "-p", help="Protocol or battery.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the tables.")],
    picks: Picks = None,
    muscle: Muscles = None,
    child: Child = False,
    height: Annotated[bool, typer.Option("--height", help="Move windows by the column 'height' (m).")] = False,
    sidecar: Annotated[
        Path | None, typer.Option(help="TOML for every recording whose row of the table names none (column 'sidecar').")
    ] = None,
    n_jobs: Jobs = 1,
) -> None:
    """Run a protocol or battery over all sessions of a study; failures are rows, finished work is reused."""
    import excitability as ex

    sessions = ex.find_sessions(study)
    check_columns(sessions)
    with progress_bar("recordings") as progress:
        results = ex.run_batch(
            sessions,
            protocol,
            output,
            n_jobs,
            picks=listed(picks),
            muscles=named(muscle),
            child=child,
            height=height,
            options=None if sidecar is None else {"sidecar": sidecar},
            progress=progress,
        )
    failed = results[results["error"] != ""]
    for error, rows in failed.groupby("error", sort=False):
        who = ", ".join(rows[["participant", "session", "protocol"]].head(3).astype(str).agg(" ".join, axis=1))
        more = f" and {len(rows) - 3} more" if len(rows) > 3 else ""
        typer.echo(f"failed: {who}{more}: {error}", err=True)
    lost = int((results["protocol"].str.startswith("derived/") & results["value"].isna()).sum())
    told = f", {lost} derived without a value: see 'flag'" * bool(lost)
    typer.echo(f"wrote {output / 'results.tsv'} ({len(results) - len(failed)} values, {len(failed)} failures{told})")
    typer.echo(f"next: excitability compare {output}")
    if len(failed) == len(results):
        raise typer.Exit(1)


@app.command()
def report(
    results: Annotated[Path, typer.Argument(help="Folder that 'batch' (and 'compare') wrote.")],
    output: Annotated[Path | None, typer.Option("--output", "-o", help="HTML; RESULTS/report.html by default.")] = None,
    comparison: Annotated[
        Path | None, typer.Option(help="What 'compare -o' wrote; RESULTS/comparison.tsv by default.")
    ] = None,
) -> None:
    """One HTML file with the results, the comparison and the figures."""
    from excitability.html_report import report_folder

    if not (results / "results.tsv").is_file():
        raise FileNotFoundError(f"{results} holds no results.tsv; run 'excitability batch STUDY -o {results}' first")
    with progress_bar("figures") as progress:
        path = report_folder(results, output or results / "report.html", comparison=comparison, progress=progress)
    typer.echo(f"wrote {path}")


@app.command()
def simulate(
    path: Annotated[Path, typer.Argument(help="Folder for the BIDS study.")],
    patients: Annotated[int, typer.Option(help="Patients with chronic low back pain.")] = 6,
    controls: Annotated[int, typer.Option(help="Controls.")] = 6,
    eeg: Annotated[bool, typer.Option(help="With TMS-EEG and resting EEG.")] = True,
    timepoint: Annotated[
        list[str] | None,
        typer.Option(
            help="pre, post0, post30 by default; with pre2 the baseline is repeated (reliability, responders)."
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the random numbers.")] = 0,
    n_jobs: Jobs = 1,
) -> None:
    """Write a BIDS study with known answers."""
    import excitability as ex

    given = {} if timepoint is None else {"timepoints": listed(timepoint)}
    with progress_bar("sessions") as progress:
        ex.simulate.study(
            path,
            n_patients=patients,
            n_controls=controls,
            eeg=eeg,
            seed=seed,
            n_jobs=n_jobs,
            progress=progress,
            **given,
        )
    typer.echo(f"wrote {path}")
    for battery in ("m1_exercise", *(["dlpfc_exercise"] if eeg else [])):
        typer.echo(f"next: excitability batch {path} --protocol {battery} -o {path}/derivatives/{battery}")


@app.command()
def checklist(
    file: File,
    protocol: Annotated[str, typer.Option("--protocol", "-p", help="Name or path of a protocol.")],
    picks: Picks = None,
    stimuli: Stimuli = None,
    trigger: Trigger = None,
    muscle: Muscles = None,
    answer: Annotated[list[str] | None, typer.Option(help="CODE=ANSWER, what only the laboratory knows.")] = None,
    child: Child = False,
    height: Annotated[float | None, typer.Option(help="Body height in m: response windows move with it.")] = None,
    sidecar: Sidecar = None,
    sampling_rate: Rate = None,
    unit: Unit = None,
    pulse_time: PulseTime = None,
    variable: Variable = None,
    axes: Axes = None,
    select: Select = None,
    channel_name: Names = None,
    channel_type: Types = None,
    montage: Montage = None,
    format_: Format = None,
    data_format: DataFormat = None,
    set_: Columns = None,
) -> None:
    """Which items of the checklist for TMS reports (Chipchase 2012) a recording answers, and which are missing."""
    import excitability as ex
    from excitability.reporting_checklist import participant_row

    given = dict(pair.split("=", 1) for pair in answer or [] if "=" in pair)
    if len(given) < len(answer or []):
        raise ValueError("--answer takes CODE=ANSWER, for example 'Hot=largest of three responses'")
    options = reading(
        stimuli=stimuli, trigger=trigger, muscles=named(muscle), sidecar=sidecar, sampling_rate=sampling_rate,
        unit=unit, pulse_time=pulse_time, variable=variable, axes=axes, select=select,
        channel_names=listed(channel_name), channel_types=types(channel_type), montage=montage, format=format_,
        data_format=data_format, columns=constants(set_),
    )  # fmt: skip
    raw = ex.read(file, **options)
    known: dict[str, Any] = {"participant": participant_row(file), "answers": given, "picks": listed(picks)}
    known |= {"child": child, "height": height}
    items = ex.checklist(raw, protocol, **known)
    asked = items[items["applies"]]
    for row in asked.itertuples():
        typer.echo(f"{row.item:>3} {row.code:<4} {row.topic:<48} {row.answer or f'- missing ({row.source})'}")
    missing = asked[~asked["answered"]]
    typer.echo(
        f"{int(asked['answered'].sum())} of {len(asked)} items answered ({len(items) - len(asked)} do not apply)"
    )
    if len(missing):
        typer.echo(f"missing: {', '.join(missing['code'])}; add them with --answer CODE=ANSWER or in participants.tsv")
    typer.echo(f"\nDraft of the methods\n{ex.methods_paragraph(raw, protocol, **known)}")


@app.command()
def threshold(
    responses: Annotated[
        Path | None, typer.Argument(help="Lines 'INTENSITY RESPONSE', TSV or CSV; typed on standard input without it.")
    ] = None,
    method: Annotated[
        str,
        typer.Option(help="maximum_likelihood, bayesian, stochastic_approximation or relative_frequency."),
    ] = "maximum_likelihood",
    start: Annotated[float, typer.Option(help="First intensity, %MSO.")] = 50.0,
    criterion: Annotated[float, typer.Option(help="Smallest response in V: 50e-6 at rest, 200e-6 active.")] = 50e-6,
    unit: Annotated[str, typer.Option(help="Unit of amplitudes: mV, uV or V; typed ones are in mV.")] = "",
    step: Annotated[float, typer.Option(help="Resolution of the stimulator, %MSO.")] = 1.0,
    maximum: Annotated[float, typer.Option(help="Highest intensity that may be given, %MSO.")] = 100.0,
) -> None:
    """Find a motor threshold: after each response the next intensity, the estimate, and when to stop."""
    from ._threshold import search_threshold

    search_threshold(responses, method, start=start, criterion=criterion, unit=unit, step=step, maximum=maximum)


@protocols_app.command("list")
def list_all() -> None:
    """All protocols and batteries with their titles."""
    from excitability.protocol import list_batteries, list_protocols, load_battery, load_protocol

    for name in list_protocols():
        typer.echo(f"{name:<36}{load_protocol(name).title}")
    for name in list_batteries():
        typer.echo(f"{name:<36}{load_battery(name).title} (battery)")


@protocols_app.command("show")
def show(name: Annotated[str, typer.Argument(help="Protocol or battery.")]) -> None:
    """The file of one protocol or battery."""
    from excitability.protocol import protocol_path

    typer.echo(protocol_path(name).read_text(encoding="utf-8").rstrip())


@app.callback(invoke_without_command=True)
def version_of(
    version: Annotated[bool, typer.Option("--version", help="Print the version and stop.")] = False,
) -> None:
    """From TMS-EMG and TMS-EEG recordings to a calibrated answer."""
    if version:
        from excitability import __version__

        typer.echo(__version__)
        raise typer.Exit()


def main() -> None:
    """Entry point: errors of use are one line on standard error and exit code 1."""
    import warnings

    os.environ.setdefault("MNE_LOGGING_LEVEL", "WARNING")  # MNE would tell its progress among the results

    def told(message: Warning | str, *_: Any, **__: Any) -> None:
        sys.stderr.write(f"note: {' '.join(str(message).split())}\n")

    warnings.showwarning = told  # type: ignore[assignment]
    try:
        app()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(1) from None
    except (ValueError, TypeError, OSError, ImportError) as error:
        sys.stderr.write(f"error: {' '.join(line.strip() for line in str(error).splitlines())}\n")
        raise SystemExit(1) from None
