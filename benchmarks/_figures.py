"""Figures of the benchmarks: the package's look, panels with letters, written beside the tables."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from excitability.plots._style import INK, SMALL, SOFT, new_figure, style, tidy

DOTS = 300  # per inch


def panels(rows: int, columns: int, width: float, height: float, **settings: Any) -> tuple[Any, list[Any]]:
    """A figure and its panels, row by row; call within ``style()``."""
    figure = new_figure(width, height)
    found = figure.subplots(rows, columns, squeeze=False, **settings).ravel().tolist()
    for ax in found:
        tidy(ax)
    return figure, found


def note(figure: Any, head: Mapping[str, str], text: str) -> None:
    """What is drawn and of which commit, in small print below the panels."""
    figure.supxlabel(f"{text}\n{head['commit']}, {head['date']}", fontsize=6, color=SOFT, x=0.01, ha="left")


def save(figure: Any, name: str, head: Mapping[str, str], output: Path) -> Path:
    """``<name>_<date>.png``."""
    output.mkdir(parents=True, exist_ok=True)
    path = output / f"{name}_{head['date']}.png"
    figure.savefig(path, dpi=DOTS, metadata={"Software": "matplotlib"})
    return path


__all__ = ["INK", "SMALL", "SOFT", "note", "panels", "save", "style", "tidy"]
