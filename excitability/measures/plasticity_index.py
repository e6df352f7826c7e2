"""After-effect of an intervention over all its time points, relative to baseline (PAS, theta bursts, exercise)."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from ..schema import Estimate, join_flags, unknown_word
from ._registry import measure
from ._tables import (
    CONDITIONED_AT_FLOOR,
    FEWEST,
    LEVEL,
    conditions,
    is_kept,
    log_level,
    noise_floor_flags,
    nothing,
    numbers,
    responded,
    single_pulses,
)
from .conditioned_ratio import FORMS, in_form


@measure(kind="summary", unit="1", form="ratio", over="table")
def plasticity_index(
    table: pd.DataFrame,
    *,
    of: str = "mep_amplitude",
    before: str = "pre",
    after: str = "post",
    form: Literal["ratio", "log_ratio", "percent", "percent_inhibition"] = "ratio",
) -> Estimate:
    """Mean response after an intervention relative to before it, over all time points.

    ``PI = mean of the time points' means / mean of the baseline blocks' means``: each block weighs the same however
    many of its trials were kept. The interval is built on ``ln PI``, from the scatter of trials within blocks, with
    Satterthwaite's degrees of freedom: it tells what these blocks were, NOT what the same blocks would have been
    without the intervention. Excitability drifts from block to block by itself; that is what a control session or a
    sham is for: where each trial is like the one before (correlation 0.3), the interval covers 85–89 %.
    ``conditioned_ratio`` with ``test = "pre"`` gives each time point.

    Parameters
    ----------
    table : DataFrame
        Trials of one channel; ``condition`` names the block of each (or ``block``, where there is no condition).
        Paired pulses and rejected rows are left out.
    of : str
        Column with the size of the response.
    before : str
        Baseline: the blocks of this name, or whose name is this and a number (``pre1``, ``pre_2``).
    after : str
        Time points: the blocks of this name, or whose name is this and a number (``post0``, ``post 30 min``).
    form : {"ratio", "log_ratio", "percent", "percent_inhibition"}
        ``PI``, ``ln PI``, ``100 PI`` or ``100 (1 − PI)``.

    Returns
    -------
    Estimate
        ``n`` counts the trials after the intervention. Flags: ``no_baseline``, ``no_trials`` (NaN), ``few_trials`` (a
        block of fewer than three trials: no interval), ``non_positive``, ``other_blocks_left_out`` (blocks that are
        neither before nor after), ``test_at_noise_floor`` (NaN: most baseline trials hold no response),
        ``conditioned_at_noise_floor`` (most trials afterwards hold none: the index is an upper limit, ``ci_low`` is
        that of no response at all), ``conditioned_at_noise_floor_in_some``.

    Raises
    ------
    ValueError
        For an unknown column or form, and where blocks are named but none is ``after``.

    Examples
    --------
    >>> rng = np.random.default_rng(4)
    >>> table = pd.DataFrame({
    ...     "block": np.repeat(["pre", "post0", "post10", "post20"], 20),
    ...     "mep_amplitude": 1e-3 * np.repeat([1.0, 1.2, 1.6, 1.4], 20) * rng.lognormal(-0.125, 0.5, 80),
    ... })
    >>> index = plasticity_index(table)
    >>> bool(index.ci_low < 1.4 < index.ci_high), index.n
    (True, 60)
    """
    if form not in FORMS:
        raise ValueError(unknown_word("form", form, FORMS))
    table = single_pulses(table)
    labels = conditions(table if "condition" in table else table.rename(columns={"block": "condition"}))
    other = _other_blocks(set(labels) - {""}, before, after)
    values, kept = numbers(table, of), is_kept(table)
    n_rejected = int((~kept & (labels != "")).sum())
    known = kept & np.isfinite(values)
    blocks = {name: values[known & (labels == name)] for name in dict.fromkeys(labels) if name}
    baseline = [part for name, part in blocks.items() if part.size and _is_block(name, before)]
    later = [part for name, part in blocks.items() if part.size and _is_block(name, after)]
    n = sum(part.size for part in later)
    if not baseline or not later:
        return nothing(join_flags("no_trials" if baseline else "no_baseline", other), n, n_rejected)
    tops, bases = (np.array([part.mean() for part in parts]) for parts in (later, baseline))
    floor, at_floor = _floor(table, of, labels, known, before, after)
    if floor:
        return nothing(join_flags(floor, other), n, n_rejected)
    other = join_flags(at_floor, other)
    if tops.mean() <= 0 or bases.mean() <= 0:
        return nothing(join_flags("non_positive", other), n, n_rejected)
    ratio = float(tops.mean() / bases.mean())
    parts = [*later, *baseline]
    if min(part.size for part in parts) < FEWEST:
        return in_form(Estimate(ratio, n=n, flag=join_flags("few_trials", other), n_rejected=n_rejected), form)
    weights = np.concatenate([tops / tops.sum(), bases / bases.sum()])  # of each block's ln mean in ln PI
    variances = weights**2 * [log_level(part, "mean")[1] for part in parts]
    spread = float((variances**2 / [part.size - 1 for part in parts]).sum())
    freedom = float(variances.sum()) ** 2 / spread if spread > 0 else 1.0
    reach = float(stdtrit(freedom, (1 + LEVEL) / 2)) * float(np.sqrt(variances.sum()))
    low = 0.0 if at_floor == CONDITIONED_AT_FLOOR else ratio * np.exp(-reach)
    return in_form(Estimate(ratio, low, ratio * np.exp(reach), n, other, n_rejected), form)


def _floor(
    table: pd.DataFrame, of: str, labels: np.ndarray, known: np.ndarray, before: str, after: str
) -> tuple[str, str]:
    found = responded(table, of)
    if found is None:
        return "", ""
    first, later = (
        np.array([bool(name) and _is_block(name, word) for name in labels], dtype=bool) for word in (before, after)
    )
    return noise_floor_flags(found[known & first], found[known & later])


def _is_block(name: str, word: str) -> bool:
    return name.startswith(word) and name[len(word) :].removesuffix("min").strip("_- .0123456789") == ""


def _other_blocks(names: set[str], before: str, after: str) -> str:
    """Flag of blocks that are counted neither before nor after; an error where all but the baseline are such."""
    other = sorted(name for name in names if not _is_block(name, before) and not _is_block(name, after))
    if other and not any(_is_block(name, after) for name in names):
        raise ValueError(
            f"the blocks {', '.join(map(repr, other[:6]))} are neither before ({before!r}) nor after ({after!r}) the "
            "intervention; give the first letters of their names with before = … and after = …"
        )
    return "other_blocks_left_out" if other else ""
