"""Figures of the cluster tests of evoked potentials that ``excitability compare`` wrote."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pandas as pd

from ..batch import load_evoked
from ..comparison import change_map
from ..comparison._cluster_words import CANNOT_JUDGE, clusters_in_brief
from ..labels import condition_label
from ..plots import cluster_map
from ..tables import read_table

if TYPE_CHECKING:
    from ._folder import Study
    from ._sections import Extra

_HOW = (
    "Colours are t values of the change; a line encloses the points of a cluster with p ≤ 0.05, bars above "
    "are the declared windows, dots the electrodes of a cluster. The test says that potentials differ in a window; "
    "the extent of a cluster in time and over the scalp is a description."
)


def cluster_figures(study: Study) -> Iterator[Extra]:
    """Section, title, figure and caption of each contrast and group; nothing where no test was run.

    Contrasts that so few people cannot judge have no figure, which would show noise as if it were a finding; one
    paragraph on all of them follows.
    """
    path = study.folder / "clusters.tsv"
    if not path.is_file():
        return
    found, evoked = read_table(path), load_evoked(study.folder)
    by = json.loads(path.with_suffix(".json").read_text(encoding="utf-8")).get("Plan", {}).get("by")
    unjudged: dict[str, list[pd.DataFrame]] = {}
    for (protocol, condition, contrast, group), rows in found.groupby(
        ["protocol", "condition", "contrast", "group"], sort=False
    ):
        own = evoked[(evoked["protocol"] == protocol) & (evoked["condition"] == condition)]
        if not len(own):
            continue
        first = rows[rows["cluster"] <= 1]
        if (first["p_value"].isna() | first["flag"].fillna("").str.contains(CANNOT_JUDGE, regex=False)).all():
            unjudged.setdefault(str(protocol), []).append(first)
            continue
        after, before = str(contrast).split(" - ", 1)
        try:
            t, mean = change_map(own, before, after, None if group == "all" else by, group=str(group))
        except ValueError as error:  # the tests are of other potentials than are stored now
            warnings.warn(f"no picture of the potentials of {protocol}: {error}", stacklevel=2)
            continue
        told = f", {condition_label(str(condition))}" if condition_label(str(condition)) else ""
        whom = "" if group == "all" else f" ({str(group).replace(' - ', ' − ')})"
        sentences = " ".join(first["sentence"])
        figure = cluster_map(t, mean.times, mean.info, rows)
        yield str(protocol), f"Whole potential{told}: {after} − {before}{whom}", figure, f"{sentences} {_HOW}"
    for protocol, parts in unjudged.items():
        rows = pd.concat(parts)
        contrasts = ", ".join(dict.fromkeys(rows["contrast"])).replace(" - ", " − ")
        yield protocol, f"Whole potential: {contrasts}", None, " ".join(clusters_in_brief(rows))
