"""What a comparison is completed with once all its rows are there: families, literature, equivalence, Bayes factors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import pandas as pd

from .equivalence import bayes_factors
from .equivalence import equivalence as test_equivalence
from .evidence import evidence_in_words
from .multiplicity import adjust

if TYPE_CHECKING:
    from ..protocol.library import Battery


def complete(
    change: pd.DataFrame,
    battery: Battery | None = None,
    *,
    equivalence: str | float | Mapping[str, float] | None = None,
    bayes_factor: bool = False,
) -> pd.DataFrame:
    """Fill in what depends on all rows of a comparison, and what was asked for beyond the estimates.

    Parameters
    ----------
    change : DataFrame
        Rows of a comparison, whose ``family``, ``p_adjusted``, ``adjustment`` and ``literature`` are written anew.
    battery : Battery, optional
        Declares the families; without it all are exploratory.
    equivalence, bayes_factor
        As for :func:`compare`.

    Returns
    -------
    DataFrame
        Copy with these columns, those of :func:`equivalence` and ``bayes_factor`` where they were asked for.
    """
    found = adjust(change, battery)
    literature = evidence_in_words(found)
    at_once = evidence_in_words(found, "case_control")
    found["literature"] = literature.where(literature.ne(""), at_once)
    if equivalence is not None:
        found = test_equivalence(found, equivalence)
        if not bayes_factor:
            found = found.drop(columns="bayes_factor")
    elif bayes_factor:
        found["bayes_factor"] = bayes_factors(found)
    return found
