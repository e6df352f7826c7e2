"""One HTML file that holds a study: the answer, what was done, figures, quality, methods."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterable, Mapping
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from .. import __version__
from ..labels import protocol_label, times_in_order
from ..plots import change_forest
from ..schema import QUALITY
from ..tables import read_table, write_text
from . import _page as html
from . import _sections as sections
from . import _tables as tables
from ._answer import answer
from ._evidence import literature, with_literature
from ._figures import figures_of
from ._sections import Extra

if TYPE_CHECKING:
    import mne
    from matplotlib.figure import Figure


_TEXT = (
    *("protocol", "measure", "channel", "condition", "group", "contrast", "unit", "form", "flag", "sentence"),
    *("family", "adjustment", "literature"),
)


def report(
    results: pd.DataFrame,
    comparison: pd.DataFrame | None,
    path: str | Path,
    *,
    trials: pd.DataFrame | None = None,
    figures: Mapping[str, Figure] | Iterable[Extra] | None = None,
    recordings: pd.DataFrame | Iterable[Mapping[str, Any]] | None = None,
    protocols: Iterable[Any] = (),
    primary: Iterable[Mapping[str, str]] = (),
    by: str | None = "group",
    title: str | None = None,
) -> Path:
    """Write one self-contained HTML file: no other file and no network is needed to read it.

    Parameters
    ----------
    results : DataFrame
        Result table of :func:`excitability.run` or :func:`excitability.run_batch`.
    comparison : DataFrame | None
        What :func:`excitability.compare` returned; without it the report holds no changes.
    path : path
        The file to write; replaced at once, or not at all.
    trials : DataFrame, optional
        Trial table of the study, for the reasons of rejection.
    figures : mapping or iterable, optional
        Figures of your own: title → Figure, or tuples of section, title, Figure and caption. A section that is the
        name of a protocol (``"m1/sici"``) puts the figure there.
    recordings : DataFrame or iterable of mappings, optional
        Acquisition facts, one entry a recording: stimulator, coil, sampling rate, filters …
    protocols : iterable of Protocol or Derived, optional
        For titles, references and the draft of the methods.
    primary : iterable of mappings, optional
        The planned primary outcomes, such as ``{"protocol": "m1/sici", "measure": "conditioned_ratio"}``; their
        sentences open the report. Without it the differences between groups do, in the order of the table.
    by : str | None
        Column of the groups.
    title : str, optional
        Title of the page.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    ValueError
        For a result table that is empty or lacks its columns.

    Examples
    --------
    >>> import tempfile
    >>> results = pd.DataFrame({
    ...     "participant": ["01", "02"], "session": "pre", "protocol": "m1/sici", "channel": "FDI",
    ...     "condition": "isi_0.002", "measure": "conditioned_ratio", "value": [0.4, 0.6], "unit": "1",
    ...     "form": "ratio"})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = report(results, None, Path(folder) / "study.html")
    ...     "SICI" in path.read_text(encoding="utf-8")
    True
    """
    _check(results)
    known = {str(getattr(entry, "name", "")): entry for entry in protocols}
    everything = sections.as_planned(tables.prepared(results, by), list(known))
    of_quality = everything["measure"].str.startswith(QUALITY)
    table, measured = everything[~of_quality], everything[of_quality]
    change = comparison if comparison is not None and len(comparison) else None
    if change is not None:
        change = sections.in_order(
            change.assign(**{name: change[name].fillna("") for name in _TEXT if name in change}), table
        )
        change = with_literature(change)
    numbers = sections.Numbers()
    extras = _extras(figures)
    parts = [
        ("answer", "Answer", answer(table, change, list(primary))),
        ("done", "What was done", sections.done(table, known, recordings, change)),
        ("changes", "Changes", sections.changes(change, table, numbers)),
        *sections.protocol_sections(table, change, extras, known, numbers, trials),
        *sections.further(extras, table, numbers),
        ("literature", "What the literature says", literature(change)),
        ("quality", "Quality", sections.quality(table, change, trials, measured)),
        ("methods", "Methods", sections.methods(table, known)),
        ("cite", "How to cite", sections.cite(known)),
    ]
    shown = [(anchor, name, body) for anchor, name, body in parts if body]
    heading = title or _title(table)
    text = html.page(
        heading,
        "\n".join(html.section(anchor, name, body) for anchor, name, body in shown),
        head=html.paragraph(_subtitle(table), "soft"),
        contents=[(anchor, name) for anchor, name, _ in shown],
        foot=escape(f"Made with excitability {__version__} on {datetime.date.today().isoformat()}."),
    )
    return write_text(Path(path), text)


def _check(results: pd.DataFrame) -> None:
    if not isinstance(results, pd.DataFrame) or not len(results):
        raise ValueError("report needs a result table with rows: what run or run_batch returned")
    for name in ("participant", "protocol", "measure", "value", "unit"):
        if name not in results:
            raise ValueError(f"the result table has no column {name!r}; its columns are: {', '.join(results.columns)}")


def _extras(figures: Mapping[str, Figure] | Iterable[Extra] | None) -> list[Extra]:
    if isinstance(figures, Mapping):
        return [("Further figures", str(name), figure, "") for name, figure in figures.items()]
    return list(figures or ())


def _title(table: pd.DataFrame) -> str:
    eeg = any("tep" in name or "eeg" in name for name in table["protocol"])
    emg = any("tep" not in name and "eeg" not in name for name in table["protocol"])
    signals = " and ".join(word for word, here in (("TMS-EMG", emg), ("TMS-EEG", eeg)) if here)
    return f"Excitability report: {signals}"


def _subtitle(table: pd.DataFrame) -> str:
    people = table["participant"].nunique()
    times = times_in_order(table["_time"])
    groups = sorted({group for group in table["_group"] if group})
    text = f"{people} participant{'s' * (people != 1)}"
    if groups:
        text += f" ({', '.join(groups)})"
    if times:
        text += f" · {', '.join(times)}"
    return text + f" · {', '.join(protocol_label(name) for name in dict.fromkeys(table['protocol']) if name)}"


def report_folder(
    folder: str | Path,
    path: str | Path | None = None,
    *,
    comparison: str | Path | None = None,
    title: str | None = None,
    progress: Callable[[int, int, str], None] | None = None,
) -> Path:
    """Report of a folder that :func:`excitability.run_batch` wrote, with figures of an example recording.

    Parameters
    ----------
    folder : path
        Holds ``results.tsv`` and, where ``excitability compare`` was run, ``comparison.tsv``.
    path : path, optional
        The HTML file; ``report.html`` in the folder by default.
    comparison : path, optional
        Table of a comparison that was written elsewhere than ``comparison.tsv``.
    title : str, optional
        Title of the page.
    progress : callable, optional
        Called with (done, all, label) as figures are made.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    FileNotFoundError
        When the folder holds no results.

    Examples
    --------
    >>> import tempfile
    >>> import excitability as ex
    >>> sessions = ex.find_sessions(ex.sample_data_path() / "study")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     results = ex.run_batch(sessions[sessions["protocol"] == "m1/sici"], "sici", folder)
    ...     report_folder(folder).name
    'report.html'
    """
    from ._clusters import cluster_figures
    from ._folder import Study, example_figures

    study = Study(Path(folder))
    return report(
        study.results,
        study.comparison if comparison is None else read_table(comparison),
        Path(path) if path is not None else Path(folder) / "report.html",
        trials=study.trials if len(study.trials) else None,
        figures=[*cluster_figures(study), *example_figures(study, progress)],
        recordings=study.acquisition,
        protocols=(*study.battery.protocols, *study.battery.derived),
        primary=study.battery.primary,
        by=study.battery.by or "group",
        title=title,
    )


def add_to_mne_report(
    target: mne.Report, results: pd.DataFrame, comparison: pd.DataFrame | None = None, *, by: str | None = "group"
) -> None:
    """Add the figures and tables of a study to an ``mne.Report`` that you keep.

    Parameters
    ----------
    target : mne.Report
        Changed in place.
    results, comparison : DataFrame
        As for :func:`report`.
    by : str | None
        Column of the groups.

    Examples
    --------
    >>> import mne
    >>> results = pd.DataFrame({
    ...     "participant": ["01", "02"], "session": "pre", "protocol": "m1/sici", "channel": "FDI",
    ...     "condition": "isi_0.002", "measure": "conditioned_ratio", "value": [0.4, 0.6], "unit": "1",
    ...     "form": "ratio"})
    >>> target = mne.Report(verbose=False)
    >>> add_to_mne_report(target, results)
    >>> len(target) > 0
    True
    """
    _check(results)
    table = tables.prepared(results, by)
    table = table[~table["measure"].str.startswith(QUALITY)]
    if comparison is not None and len(comparison):
        target.add_html(html.table(tables.COMPARISON_HEAD, tables.comparison_rows(comparison)), title="Comparison")
        target.add_figure(change_forest(comparison), title="Change of every measure")
    for name, own in table[table["error"] == ""].groupby("protocol", sort=False):
        for title, figure, caption in figures_of(own, set()):
            target.add_figure(figure, title=title, caption=caption, section=protocol_label(str(name)))
