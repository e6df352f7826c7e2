"""The command that compares time points and groups, and what it prints."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from ._options import (
    After,
    At,
    BayesFactor,
    Before,
    By,
    Clusters,
    Covariates,
    Equivalence,
    Method,
    Overwrite,
    SingleTrials,
    TrialCovariates,
    asked_clusters,
    asked_equivalence,
    asked_plan,
    listed,
)
from ._tables import show_changes, show_clusters, show_families
from ._writing import check_place


def compare(
    results: Annotated[Path, typer.Argument(help="Folder that 'batch' wrote.")],
    before: Before = None,
    after: After = None,
    by: By = None,
    at: At = None,
    covariate: Covariates = None,
    method: Method = None,
    trials: SingleTrials = None,
    trial_covariate: TrialCovariates = None,
    equivalence: Equivalence = None,
    bayes_factor: BayesFactor = False,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="TSV; RESULTS/comparison.tsv by default.")
    ] = None,
    clusters: Clusters = None,
    evidence: Annotated[
        bool | None,
        typer.Option(help="Findings of the literature one by one, or none; in one line by default."),
    ] = None,
    overwrite: Overwrite = False,
) -> None:
    """Compare time points, by group or arm, or groups at one time, under the plan of the battery or as said here."""
    from excitability.batch import load_evoked, load_results, plan_of
    from excitability.comparison import (
        compare_by_plan,
        compare_planned,
        comparison_record,
        describe_design,
        finding_in_words,
        findings_on,
        outcomes_not_compared,
    )
    from excitability.comparison.equivalence import COLUMNS
    from excitability.tables import write_table

    table, single, battery = load_results(results)
    given: dict[str, Any] = {"before": listed(before), "after": listed(after), "by": by, "at": listed(at)}
    given |= {"covariates": listed(covariate), "method": method, "trials": trials}
    given |= {"equivalence": asked_equivalence(equivalence), "bayes_factor": bayes_factor or None}
    plan = asked_plan(plan_of(battery, table), table, **given, trial_covariates=listed(trial_covariate))
    path = check_place(output or results / "comparison.tsv", plan, overwrite)
    tests = asked_clusters(clusters, battery)
    of_clusters = path.with_name(f"{path.stem}_clusters.tsv") if output else results / "clusters.tsv"
    asked = {**plan, "clusters": [repr(test) for test in tests]}
    if tests:
        check_place(of_clusters, asked, overwrite)
    if "after" in plan:
        typer.echo(" ".join(describe_design(table, before=plan["before"], after=plan["after"], by=plan.get("by"))))
    change = compare_by_plan(table, plan, single, battery)
    command = " ".join(["excitability", *sys.argv[1:]])
    record = comparison_record(table, change, plan, battery, single, command)
    measures = {name: (column.unit, column.meaning) for name, column in COLUMNS.items()}
    write_table(change, path, measures=measures, facts=record)
    shown = battery.planned(change)
    show_changes(shown, literature=evidence is not False)
    if evidence:
        typer.echo("\nWhat the literature says (up: a larger value; a larger ratio is less inhibition)")
        for finding in findings_on(change).to_dict("records"):
            typer.echo(f"  {finding_in_words(finding)}")
    show_families(change, outcomes_not_compared(change, battery))
    record_name = path.with_suffix(".json").name
    typer.echo(f"\nwrote {path} ({len(change)} contrasts; {record_name}: models, families, who is left out, versions)")
    if tests:
        found = compare_planned(load_evoked(results), tests, plan)
        write_table(found, of_clusters, facts={"Plan": asked})
        show_clusters(found)
        typer.echo(f"wrote {of_clusters} ({len(found)} rows)")
    own = f" --comparison {path} -o {path.with_suffix('.html')}" if output else ""
    typer.echo(f"next: excitability report {results}{own}")
