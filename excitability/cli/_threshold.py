"""A threshold search at the terminal: responses typed one by one, or those of a file."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import typer


def search_threshold(
    responses: Path | None,
    method: str,
    *,
    start: float,
    criterion: float,
    unit: str,
    step: float,
    maximum: float,
) -> None:
    """After each response say the next intensity, the estimate, and when to stop; typed ones are echoed."""
    from excitability.threshold import Search, read_response, read_responses, understood

    search = Search(method, start=start, step=step, maximum=maximum)
    typer.echo(str(search.proposal))
    if responses is not None:
        for intensity, response in read_responses(responses, criterion, unit):
            typer.echo(str(search.add(intensity, response)))
        typer.echo(search.summary)
        return
    for line in _typed():
        try:  # a slip of the hand must not cost the pulses before it
            intensity, response = read_response(line, search.proposal.intensity, criterion, unit or "mV")
            proposal = search.add(intensity, response)
        except ValueError as error:
            typer.echo(str(error), err=True)
            continue
        typer.echo(f"booked {intensity:g} %MSO, {understood(line, response, unit or 'mV')}; {proposal}")
        if proposal.done:
            break
    typer.echo(search.summary)


def _typed() -> Iterator[str]:
    """Lines of standard input that say something, up to one that ends the search."""
    for line in sys.stdin:
        if line.strip().lower() in ("q", "quit", "exit"):
            return
        if line.strip():
            yield line
