"""What every benchmark states and how it writes: machine, versions, commit and seed; dated TSV and Markdown."""

from __future__ import annotations

import datetime
import importlib.metadata
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pandas as pd

ROOT = Path(__file__).resolve().parent.parent
RESULTS = Path(__file__).resolve().parent / "results"
_PACKAGES = ("excitability", "numpy", "scipy", "numba", "pandas", "mne")


def one_thread() -> None:
    """Start this script again with one thread for linear algebra, so that CPU times are of one core."""
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    if any(os.environ.get(name) != "1" for name in names):
        os.environ.update(dict.fromkeys(names, "1"))
        os.execv(sys.executable, [sys.executable, *sys.argv])


def provenance(seed: int) -> dict[str, str]:
    """Where and with what the numbers were made: one line a fact, for the head of a table."""
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in _PACKAGES)
    return {
        "date": f"{datetime.date.today():%Y-%m-%d}",
        "commit": _commit(),
        "machine": f"{_processor()}, {os.cpu_count()} cores, {_memory()}, {platform.system()} {platform.machine()}",
        "versions": f"Python {platform.python_version()}, {versions}",
        "seed": str(seed),
    }


def _commit() -> str:
    commit = _git("rev-parse", "--short", "HEAD") or "unknown"
    changed = _git("status", "--porcelain", "--", "excitability", "benchmarks/*.py")
    return f"{commit} with uncommitted changes" if changed else commit


def _git(*arguments: str) -> str:
    answer = subprocess.run(["git", *arguments], capture_output=True, text=True, cwd=ROOT, check=False)
    return answer.stdout.strip()


def _processor() -> str:
    information = Path("/proc/cpuinfo")
    if information.exists():
        for line in information.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or "unknown processor"


def _memory() -> str:
    if not hasattr(os, "sysconf") or "SC_PHYS_PAGES" not in os.sysconf_names:
        return "memory unknown"
    return f"{os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE') / 2**30:.0f} GiB"


def cpu_seconds(tasks: Mapping[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    """Least CPU time (s, all threads of this process) of each task.

    The tasks take turns, so that what else runs on the machine disturbs all of them alike. Each is called once
    before, which compiles it and loads its tables.
    """
    best = dict.fromkeys(tasks, float("inf"))
    for task in tasks.values():
        task()
    for _ in range(repeats):
        for name, task in tasks.items():
            start = time.process_time()
            task()
            best[name] = min(best[name], time.process_time() - start)
    return best


def write(
    name: str,
    title: str,
    head: Mapping[str, str],
    table: pd.DataFrame,
    sections: Sequence[tuple[str, str, pd.DataFrame]],
    output: Path = RESULTS,
) -> list[Path]:
    """Write ``<name>_<date>.tsv`` (``table``, whole) and ``<name>_<date>.md`` (``sections``, for people).

    Parameters
    ----------
    name, title : str
        Of the files; of the page.
    head : mapping
        :func:`provenance` and what else must be known; comment lines of the TSV, a list in the page.
    table : DataFrame
        Every number.
    sections : sequence of (heading, text, DataFrame)
        What the page shows.
    """
    output.mkdir(parents=True, exist_ok=True)
    stem = f"{name}_{head['date']}"
    comments = "".join(f"# {key}: {value}\n" for key, value in head.items())
    tsv, page = output / f"{stem}.tsv", output / f"{stem}.md"
    tsv.write_text(comments + table.to_csv(sep="\t", index=False, float_format="%.4g"), encoding="utf-8")
    parts = [f"# {title}\n", "".join(f"- {key}: {value}\n" for key, value in head.items())]
    for heading, text, shown in sections:
        parts += [f"## {heading}\n", text + "\n", markdown(shown)]
    page.write_text("\n".join(parts), encoding="utf-8")
    return [tsv, page]


def markdown(table: pd.DataFrame) -> str:
    """A Markdown table; numbers with three significant digits, an unknown value is an empty cell."""
    rows = [[str(name).replace("_", " ") for name in table.columns], ["---"] * table.shape[1]]
    rows += [[_cell(value) for value in row] for row in table.itertuples(index=False)]
    return "".join("| " + " | ".join(row) + " |\n" for row in rows)


def _cell(value: object) -> str:
    if isinstance(value, float):
        if value != value:
            return ""
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    return str(value).replace("|", "\\|")
