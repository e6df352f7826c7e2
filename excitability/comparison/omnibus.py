"""One test of several time points together: Hotelling's T², which assumes nothing of how they hang together."""

from __future__ import annotations

import itertools
import math

import numpy as np
from scipy import special

from ..schema import join_flags
from ._rows import as_row, words_of
from .design import Design


def joint_test(samples: list[np.ndarray], weights: np.ndarray) -> float:
    """Two-sided p value of ``weights @ mean vectors = 0``, every sample with a covariance matrix of its own.

    With one sample it is Hotelling's T² and exact for normal changes; with several the degrees of freedom are those of
    Krishnamoorthy and Yu (2004). NaN where there are too few people.

    Parameters
    ----------
    samples : list of ndarray, shape (n, n_times)
        Changes of the people of each sample.
    weights : ndarray, shape (n_samples,)

    References
    ----------
    .. [1] Krishnamoorthy K, Yu J. Stat Probab Lett 2004;66:161-169.

    Examples
    --------
    >>> changes = np.random.default_rng(0).normal(1, 1, (12, 2))
    >>> joint_test([changes], np.ones(1)) < 0.05
    True
    """
    p = samples[0].shape[1]
    if min(len(sample) for sample in samples) < p + 2:
        return math.nan
    mean = sum(w * sample.mean(axis=0) for w, sample in zip(weights, samples, strict=True))
    parts = [
        w**2 * np.atleast_2d(np.cov(sample, rowvar=False)) / len(sample)
        for w, sample in zip(weights, samples, strict=True)
    ]
    whole = np.sum(parts, axis=0)
    if np.linalg.matrix_rank(whole) < p:
        return math.nan
    t2 = float(mean @ np.linalg.solve(whole, mean))
    traces = 0.0
    for part, sample in zip(parts, samples, strict=True):
        share = np.linalg.solve(whole, part)
        traces += (float(np.trace(share @ share)) + float(np.trace(share)) ** 2) / (len(sample) - 1)
    df = (p + p**2) / traces
    if df <= p - 1:
        return math.nan
    return float(special.fdtrc(p, df - p + 1, t2 * (df - p + 1) / (df * p)))


def joint_rows(design: Design, number: int) -> list[dict[str, object]]:
    """All time points after the baseline in one test: in each group, and between two groups or arms."""
    info, units = design.records[number], design.units
    levels = list(range(1, len(design.after) + 1))
    changes = design.values[number][:, levels] - design.values[number][:, [0]]
    complete = np.isfinite(changes).all(axis=1)
    n_groups = len(units.names)
    pairs = itertools.combinations(range(n_groups), 2) if design.by is not None else ()
    rows = []
    for groups in [*((g,) for g in range(n_groups)), *pairs]:
        members = [complete & (units.groups == g) for g in groups]
        samples = [changes[member] for member in members]
        if units.crossed and len(groups) == 2:
            one, two = (np.arange(arm, len(changes), n_groups) for arm in groups)
            both = complete[one] & complete[two]
            samples = _in_order(
                changes[one[both]] - changes[two[both]], units.periods[two[both]] - units.periods[one[both]]
            )
        shrunken = bool(design.series["shrunken"].iloc[number])
        weights = np.array([1.0, -1.0])[: len(samples)]
        p_value = math.nan if shrunken else joint_test(samples, weights)
        n = sum(map(len, samples))
        missing = design.took_part(number, groups) - n
        model = f"{'log ' if info['scale'] == 'log_ratio' else ''}changes ~ {design.by or '1'}; Hotelling's T²" + (
            ", Krishnamoorthy-Yu" if len(samples) == 2 else ""
        )
        words = words_of(
            info,
            before=design.before,
            after=", ".join(design.after),
            groups=tuple(design.group_names[g] for g in groups),
            **dict.fromkeys(("estimate", "low", "high", "detectable", "group_detectable", "responders"), math.nan),
            p_value=p_value,
            n=n,
            missing=missing,
            source="",
            kind="omnibus",
            crossed=units.crossed,
        )
        flag = "" if math.isfinite(p_value) else "not_estimable" if shrunken else "too_few_participants"
        rows.append(as_row(words, model, join_flags(info["flag"], flag, "missing_sessions" * bool(missing))))
    return rows


def _in_order(differences: np.ndarray, later: np.ndarray) -> list[np.ndarray]:
    """Differences of two arms by the order of the arms, those of the second with their sign changed; else as they are.

    Their difference is then twice that of the arms, without the effect of the period.
    """
    parts = [differences[later > 0], -differences[later < 0]]
    whole = sum(map(len, parts)) == len(differences)
    return parts if whole and min(map(len, parts)) >= differences.shape[1] + 2 else [differences]
