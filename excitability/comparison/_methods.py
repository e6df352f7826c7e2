"""The ways in which the changes of groups are estimated, by the name that ``method`` gives them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Protocol

import numpy as np

from ..schema import unknown_word
from ._adjusted import adjusted_for
from .bootstrap_t import bootstrap_groups
from .estimation import Contrast, group_changes
from .permutation import permuted_groups
from .trimmed import trimmed_groups

Method = Literal["t", "trimmed", "permutation", "bootstrap"]
METHODS = ("t", "trimmed", "permutation", "bootstrap")


class Fit(Protocol):
    """Estimates of groups, of which any linear combination can be asked for."""

    def contrast(self, weights: np.ndarray) -> Contrast:
        """Estimate ``weights @ groups``."""


def check_method(method: str, covariates: Sequence[str], trials: object | None = None) -> None:
    """Refuse what a method cannot do.

    Raises
    ------
    ValueError
        For an unknown method, for covariates with another than ``"t"`` (or ``"bootstrap"`` of trials), and for trials
        with ``"trimmed"``.
    """
    if method not in METHODS:
        raise ValueError(unknown_word("method", method, METHODS))
    if method == "trimmed" and trials is not None:
        raise ValueError("method='trimmed' needs one value a participant; leave out trials, or method")
    if method != "t" and covariates and not (method == "bootstrap" and trials is not None):
        more = "; with trials method='bootstrap' does" if method == "bootstrap" else ""
        raise ValueError(
            f"method={method!r} takes no covariates ({', '.join(covariates)}){more}; leave method out for them"
        )


def fit_groups(
    method: str,
    changes: np.ndarray,
    groups: np.ndarray,
    n_groups: int,
    covariates: np.ndarray | None = None,
    *,
    centre: bool = True,
    unknown: np.ndarray | None = None,
) -> Fit | None:
    """Fit changes of groups by a method; None where nothing can be estimated.

    Parameters
    ----------
    unknown : ndarray, shape (n,), optional
        Variance of each change given the trials, for values that are shrunken to the population (method "t" only).
    """
    if method == "t":
        fit = group_changes(changes, groups, n_groups, covariates, centre=centre)
        return fit if fit is None or unknown is None else fit.unshrunken(unknown)
    if not len(changes) or (np.bincount(groups, minlength=n_groups) == 0).any():
        return None
    if method == "trimmed":
        return trimmed_groups(changes, groups, n_groups)
    if method == "bootstrap":
        return bootstrap_groups(changes, groups, n_groups)
    return permuted_groups(changes, groups, n_groups)


def in_words(method: str, contrast: Contrast, *, n_samples: int, covariates: Sequence[str] = ()) -> str:
    """What was done, for the column ``model``."""
    df = f", df = {contrast.df:.1f}" if np.isfinite(contrast.df) else ""
    if method == "permutation":
        n = getattr(contrast, "n_permutations", 0)
        what = "sign flips" if n_samples == 1 else "permutation of Welch's t"
        return what + (f", {n} {'flips' if n_samples == 1 else 'orders'}" if n else "")
    if method == "bootstrap":
        n = getattr(contrast, "n_drawn", 0)
        return f"bootstrap of {'t' if n_samples == 1 else 'Welch t'}" + (f", {n} drawn studies" if n else "")
    if method == "trimmed":
        return ("20 % trimmed mean" if n_samples == 1 else "20 % trimmed means, Yuen-Welch") + df
    if covariates:
        told = f"regression, {adjusted_for(covariates)}"
        return told + ("" if n_samples == 1 else ", group variances, Satterthwaite") + df
    return ("one-sample t" if n_samples == 1 else "Welch t") + df
