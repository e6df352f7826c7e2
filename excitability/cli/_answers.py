"""Commands that ask more of a study: how reliable it is, who responded, what goes with what, and how many people."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ._options import Overwrite, grouped, listed
from ._writing import check_place

if TYPE_CHECKING:
    import pandas as pd

    from ..comparison.power import Power
    from ..comparison.variance_components import VarianceComponents
    from ..protocol.library import Battery

Folder = Annotated[Path, typer.Argument(help="Folder that 'batch' wrote.", show_default=False)]
Sessions = Annotated[list[str] | None, typer.Option("--session", help="Sessions that repeat each other: pre, pre2.")]
By = Annotated[
    str | None, typer.Option(help="Column of the groups, or 'none' for all people; the battery's plan by default.")
]
Before = Annotated[str | None, typer.Option(help="Time point before; the battery's plan by default.")]
After = Annotated[str | None, typer.Option(help="Time point after; the first of the battery's plan by default.")]
Adjust = Annotated[list[str] | None, typer.Option(help="Covariates, or measures before, that are taken out.")]
Everything = Annotated[bool, typer.Option("--all", help="Print every sentence, not the planned outcomes only.")]
Output = Annotated[Path | None, typer.Option("--output", "-o", help="TSV; beside the results by default.")]

_NO_REPEATS = (
    "note: no session repeats another (such as pre2); true differences between people's changes count as errors of "
    "measurement, and more people are asked for than are needed"
)


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    for command in (reliability, responders, associate, mediate, power, wide):
        app.command()(command)


def reliability(
    results: Folder,
    session: Sessions = None,
    by: By = None,
    everything: Everything = False,
    output: Output = None,
    overwrite: Overwrite = False,
) -> None:
    """How well every measure repeats: ICC, error of measurement, smallest detectable change, limits of agreement."""
    from excitability.batch import load_results
    from excitability.comparison.reliability_table import COLUMNS, reliability_table

    table, _, battery = load_results(results)
    labels = listed(session) or _repeats(table, battery)
    if len(labels) < 2:
        raise ValueError(
            f"no session repeats {battery.before!r}; say two or more with nothing done between them: "
            f"--session {battery.before} --session LABEL, with LABEL of {', '.join(_labels(table))}"
        )
    by = grouped({"by": by}, table, by).get("by")
    asked = {"session": list(labels), "by": by}
    path = check_place(output or results / "reliability.tsv", asked, overwrite)
    found = reliability_table(table, labels, by=by)
    _say(battery.planned(found), found, everything)
    _write(found, path, COLUMNS, asked)


def responders(
    results: Folder,
    before: Before = None,
    after: After = None,
    by: By = None,
    everything: Everything = False,
    output: Output = None,
    overwrite: Overwrite = False,
) -> None:
    """In whom: how many people changed by more than measurement error, and how many would by chance."""
    from excitability.comparison.responders import COLUMNS
    from excitability.comparison.responders import responders as count
    from excitability.comparison.responding_people import COLUMNS as OF_PEOPLE
    from excitability.comparison.responding_people import responding_people

    from ._responders import responders_in_words

    table, battery, plan = _planned(results, before, after, by)
    path = check_place(output or results / "responders.tsv", plan, overwrite)
    found = count(table, plan["before"], plan["after"], by=plan["by"])
    people = responding_people(table, plan["before"], plan["after"], by=plan["by"])
    planned = battery.planned(found)
    shown = found if everything or planned.empty else planned
    for line in responders_in_words(shown, people):
        typer.echo(line)
    if len(shown) < len(found):
        typer.echo(f"{len(found) - len(shown)} more are in the table; --all prints them")
    _write(found, path, COLUMNS, plan)
    _write(people, path.with_name(f"{path.stem}_people{path.suffix}"), OF_PEOPLE, plan)


def associate(
    results: Folder,
    first: Annotated[
        str, typer.Argument(help="A covariate, or words of a measure: 'sici conditioned_ratio isi_0.002 FDI'.")
    ],
    second: Annotated[str, typer.Argument(help="Another one: 'pain_intensity'.")],
    before: Before = None,
    after: After = None,
    by: By = None,
    adjust: Adjust = None,
    moderator: Annotated[bool, typer.Option("--moderator", help="SECOND as it was before, not its change.")] = False,
    output: Output = None,
    overwrite: Overwrite = False,
) -> None:
    """Whether the changes of two things go together over people, or a change depends on what people were before."""
    from excitability.comparison.associations import COLUMNS
    from excitability.comparison.associations import associate as correlate
    from excitability.comparison.moderation import moderate

    table, _, plan = _planned(results, before, after, by)
    first_time = plan["before"] if isinstance(plan["before"], str) else plan["before"][0]
    asked: dict[str, Any] = {"before": first_time, "after": plan["after"][0], "by": plan["by"]}
    asked["adjust"] = listed(adjust) or ()
    question = {"first": first, "second": second, "moderator": moderator, **asked}
    found = (moderate if moderator else correlate)(table, first, second, **asked)
    own = results / _named("associations", first, second, *(["moderator"] if moderator else []))
    path = check_place(output or own, question, overwrite)
    _say(found, found, True)
    _write(found, path, COLUMNS, question)


def mediate(
    results: Folder,
    mediator: Annotated[str, typer.Argument(help="What the change may run through: 'lactate'.")],
    outcome: Annotated[
        str, typer.Argument(help="What changes, by words that fit only it: 'sici conditioned_ratio isi_0.002 FDI'.")
    ],
    before: Before = None,
    after: After = None,
    by: Annotated[
        str | None,
        typer.Option(help="Column of two groups of different people; that of the battery, or 'none'."),
    ] = None,
    adjust: Adjust = None,
    output: Output = None,
    overwrite: Overwrite = False,
) -> None:
    """Whether a change runs through another one, such as that of lactate or BDNF."""
    from excitability.comparison.mediation import COLUMNS
    from excitability.comparison.mediation import mediate as estimate

    table, _, plan = _planned(results, before, after, by)
    first_time = plan["before"] if isinstance(plan["before"], str) else plan["before"][0]
    taken = tuple(listed(adjust) or ())
    question = {"mediator": mediator, "outcome": outcome, **plan, "adjust": taken}
    found = estimate(table, mediator, outcome, first_time, plan["after"][0], by=plan["by"], adjust=taken)
    path = check_place(output or results / _named("mediation", mediator, outcome), question, overwrite)
    for row in found.to_dict("records"):
        typer.echo(f"{row['path']:<9}{row['estimate']:>10.4g}  95 % {row['ci_low']:.4g} to {row['ci_high']:.4g}")
    typer.echo(found["sentence"].iloc[-1])
    _write(found, path, COLUMNS, question)


def power(
    results: Folder,
    change: Annotated[float, typer.Option(help="Change to find: percent of amplitudes and ratios, else in SI units.")],
    measure: Annotated[str, typer.Option(help="Measure, such as conditioned_ratio.")] = "mep_amplitude",
    protocol: Annotated[str | None, typer.Option(help="Protocol, where the measure has several.")] = None,
    channel: Annotated[str | None, typer.Option(help="Channel, where there are several.")] = None,
    condition: Annotated[str | None, typer.Option(help="Condition, where there are several.")] = None,
    session: Sessions = None,
    design: Annotated[str, typer.Option(help="pre_post, two_groups or crossover.")] = "pre_post",
    n: Annotated[int | None, typer.Option(help="People (a group); without it the fewest are looked for.")] = None,
    trials: Annotated[int, typer.Option(help="Trials a session, of each kind for a ratio.")] = 20,
    wanted: Annotated[float, typer.Option(help="Wanted power.")] = 0.8,
    response: Annotated[float, typer.Option(help="SD of people's true changes, in the unit of --change.")] = 0.0,
    dropout: Annotated[float, typer.Option(help="Share of people lost.")] = 0.0,
    seed: Annotated[int, typer.Option(help="Seed of the random numbers.")] = 0,
) -> None:
    """How many people and trials it takes to find a change, from the variances of these results."""
    import math

    from excitability.comparison.power import power as simulate
    from excitability.comparison.power import sample_size

    components = _components(results, measure, protocol, channel, condition, listed(session))
    scale = (lambda value: math.log1p(value / 100)) if components.log else float
    if components.log and not change > -100:
        raise ValueError(f"--change is in percent of {measure}, above -100, not {change:g}")
    if components.log and 0 < abs(change) < 1:
        typer.echo(
            f"note: --change {change:g} is {change:g} %; {100 * change:g} % is --change {100 * change:g}", err=True
        )
    asked: dict[str, Any] = {"design": design, "response": scale(response), "dropout": dropout, "seed": seed}
    found = (
        sample_size(components, scale(change), trials, wanted=wanted, **asked)
        if n is None
        else simulate(components, scale(change), n, trials, **asked)
    )
    for line in _power_in_words(components, found):
        typer.echo(line)


def wide(
    results: Folder,
    measure: Annotated[list[str] | None, typer.Option(help="Measures to keep; all by default.")] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="CSV or TSV; RESULTS/wide.csv.")] = None,
) -> None:
    """One row a participant, one column a measure and time point, for SPSS, R or JASP, and its dictionary."""
    from excitability.batch import load_results
    from excitability.comparison.wide_table import write_wide
    from excitability.schema import unknown_word

    table, _, _ = load_results(results)
    measures = listed(measure) or []
    for word in measures:
        if word not in set(table["measure"]):
            raise ValueError(unknown_word("measure", word, table["measure"].dropna().astype(str).unique()))
    if measures:
        table = table[table["measure"].isin(measures)]
    own = Path(_named("wide", *measures)).with_suffix(".csv")
    for path in write_wide(table, output or results / own):
        typer.echo(f"wrote {path}")


def _planned(
    results: Path, before: str | None, after: str | None, by: str | None
) -> tuple[pd.DataFrame, Battery, dict[str, Any]]:
    """Results, battery, and the plan: time points and groups as said, else as the battery has them."""
    from excitability.batch import load_results, plan_of

    table, _, battery = load_results(results)
    plan = plan_of(battery, table)
    plan = {
        "before": before or plan.get("before"),
        "after": [after] if after else plan.get("after"),
        "by": plan.get("by") if by is None else by,
    }
    plan["by"] = grouped(plan, table, by).get("by")
    if not plan["before"] or not plan["after"]:
        raise ValueError(f"say what to compare: --before LABEL --after LABEL, with two of: {', '.join(_labels(table))}")
    return table, battery, plan


def _components(
    results: Path,
    measure: str,
    protocol: str | None,
    channel: str | None,
    condition: str | None,
    sessions: Sequence[str] | None,
) -> VarianceComponents:
    """From the trials where they hold the measure, else from the values of repeated sessions."""
    from excitability.batch import load_results
    from excitability.comparison._person_values import session_values
    from excitability.comparison.variance_components import components_of_sessions, variance_components

    table, trials, battery = load_results(results)
    labels = list(sessions or _repeats(table, battery))
    tested = "mep_amplitude" in trials and "condition" in trials and trials["condition"].eq("test").any()
    named = {"measure": measure, "protocol": protocol, "channel": channel, "condition": condition}
    if measure in trials or (measure == "conditioned_ratio" and tested):
        held = trials[trials[measure].notna()] if measure in trials else trials
        if measure not in trials:
            held = trials[trials["protocol"].isin(trials["protocol"][trials["condition"].eq("test")])]
        _check_one(held, named, battery)
        if len(labels) < 2:
            typer.echo(_NO_REPEATS, err=True)
            labels = []
        return variance_components(
            trials, measure, protocol=protocol, channel=channel, condition=condition, sessions=labels
        )
    if len(labels) < 2:
        labels = _labels(table)
        typer.echo(_NO_REPEATS, err=True)
    _check_one(table[table["measure"] == measure], named, battery)
    values, log = session_values(table, {name: word for name, word in named.items() if word}, labels)
    return components_of_sessions(values, measure, log=log)


def _check_one(rows: pd.DataFrame, named: Mapping[str, str | None], battery: Battery) -> None:
    """Refuse several protocols, channels or conditions where none was said, in the words of the options."""
    for name in ("protocol", "channel", "condition"):
        if name not in rows:
            continue
        text, label = rows[name].fillna("").astype(str), named[name]
        if label is not None:
            rows = rows[text.eq(label) | text.str.rsplit("/", n=1).str[-1].eq(label)]
            continue
        paired = name == "condition" and named["measure"] == "conditioned_ratio"
        known = [word for word in dict.fromkeys(text) if word and not (paired and word == "test")]
        if len(known) < 2:
            continue
        more = f" and {len(known) - 6} more" if len(known) > 6 else ""
        first = next(iter(battery.primary), {})
        planned = " ".join(f"--{key} {value}" for key, value in first.items())
        hint = f"; the first primary outcome of the battery is {planned}" if planned else ""
        raise ValueError(f"{named['measure']}: say which --{name}: {', '.join(known[:6])}{more}{hint}")


def _power_in_words(components: VarianceComponents, found: Power) -> list[str]:
    import math

    def shown(value: float) -> str:
        return f"{100 * math.expm1(value):.3g} %" if components.log else f"{value:.4g}"

    kind = " (each kind)" if components.paired else ""
    lines = [
        f"{components.measure}: SD between people {shown(components.between)}, from session to session "
        f"{shown(components.session)}, from trial to trial {shown(components.trial)} "
        f"({components.n} people, {components.n_sessions} sessions)"
    ]
    if components.trial:
        for number in (5, 10, 20, 40):
            error = components.standard_error(number)
            lines.append(
                f"  {number:>3} trials{kind}: standard error of measurement {shown(error)}, smallest detectable change "
                f"{shown(1.96 * math.sqrt(2) * error)}, ICC {components.icc(number):.2f}"
            )
    people = f"{found.n} people" + (" in each group" if found.design == "two_groups" else "")
    lines.append(
        f"{found.design}: with {people} and {found.trials} trials{kind} a change of {shown(found.effect)} is found in "
        f"{100 * found.power:.1f} % of studies (± {100 * found.standard_error:.1f}, {found.n_studies} simulated, "
        f"seed {found.seed})"
    )
    return lines


def _labels(table: pd.DataFrame) -> list[str]:
    from excitability.labels import time_column

    column = time_column(table)
    return [label for label in dict.fromkeys(map(str, table[column])) if label and label != "nan"]


def _repeats(table: pd.DataFrame, battery: Battery) -> list[str]:
    """The baseline of a battery and the labels that repeat it: pre, pre2."""
    own = [battery.before] if isinstance(battery.before, str) else list(battery.before)
    pattern = re.compile(rf"{re.escape(own[0])}[\W_]?(\d+|[a-z]|retest|repeat)?", re.IGNORECASE)
    return [label for label in _labels(table) if label in own or pattern.fullmatch(label)]


def _say(planned: pd.DataFrame, found: pd.DataFrame, everything: bool) -> None:
    """Sentences of the planned outcomes, or of all where nothing is planned or all were asked for."""
    shown = found if everything or planned.empty else planned
    for text in shown["sentence"]:
        typer.echo(f"– {text}")
    if len(shown) < len(found):
        typer.echo(f"{len(found) - len(shown)} more are in the table; --all prints them")


def _named(*words: str) -> str:
    """File of the answer to one question: associations_pain_intensity_bdnf.tsv."""
    return "_".join(re.sub(r"[^\w.]+", "_", word.strip()) for word in words) + ".tsv"


def _write(found: pd.DataFrame, path: Path, columns: Mapping[str, Any], asked: Mapping[str, Any]) -> None:
    from excitability.tables import write_table

    measures = {name: (column.unit, column.meaning) for name, column in columns.items()}
    typer.echo(f"wrote {write_table(found, path, measures=measures, facts={'Plan': dict(asked)})} ({len(found)} rows)")
