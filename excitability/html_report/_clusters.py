"""Figures of the cluster tests of evoked potentials that ``excitability compare`` wrote."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING

from ..batch import load_evoked
from ..comparison import change_map
from ..labels import condition_label
from ..plots import cluster_map
from ..tables import read_table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ._folder import Study

_HOW = (
    "Colours are t values of the change; a line encloses the points of a cluster (dashed where p > 0.05), bars above "
    "are the declared windows, dots the electrodes of a cluster. The test says that potentials differ in a window; "
    "the extent of a cluster in time and over the scalp is a description."
)


def cluster_figures(study: Study) -> Iterator[tuple[str, str, Figure, str]]:
    """Section, title, figure and caption of each contrast and group; nothing where no test was run."""
    path = study.folder / "clusters.tsv"
    if not path.is_file():
        return
    found, evoked = read_table(path), load_evoked(study.folder)
    by = json.loads(path.with_suffix(".json").read_text(encoding="utf-8")).get("Plan", {}).get("by")
    for (protocol, condition, contrast, group), rows in found.groupby(
        ["protocol", "condition", "contrast", "group"], sort=False
    ):
        own = evoked[(evoked["protocol"] == protocol) & (evoked["condition"] == condition)]
        if not len(own) or rows["p_value"].isna().all():
            continue
        after, before = str(contrast).split(" - ", 1)
        try:
            t, mean = change_map(own, before, after, None if group == "all" else by, group=str(group))
        except ValueError as error:  # the tests are of other potentials than are stored now
            warnings.warn(f"no picture of the potentials of {protocol}: {error}", stacklevel=2)
            continue
        told = f", {condition_label(str(condition))}" if condition_label(str(condition)) else ""
        whom = "" if group == "all" else f" ({str(group).replace(' - ', ' − ')})"
        sentences = " ".join(rows.loc[rows["cluster"] <= 1, "sentence"])
        figure = cluster_map(t, mean.times, mean.info, rows)
        yield str(protocol), f"Whole potential{told}: {after} − {before}{whom}", figure, f"{sentences} {_HOW}"
