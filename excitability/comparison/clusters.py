"""Where in time and over the scalp an evoked potential changed: cluster permutation test (Maris & Oostenveld 2007)."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import mne
import numpy as np
import pandas as pd

from ..schema import CLUSTER_COLUMNS, unknown_word
from ._cluster_test import ClusterTest, group_label, t_values
from ._evoked_changes import as_table, read_changes

#: Windows that are declared before the data are seen (s from the pulse).
WINDOWS = {"early": (0.015, 0.080), "late": (0.080, 0.250)}


def compare_evoked(
    evoked: pd.DataFrame | Mapping[str, Mapping[str, mne.Evoked]],
    before: str = "pre",
    after: str | Sequence[str] = "post0",
    by: str | Mapping[str, str] | None = None,
    *,
    within: str = "session",
    window: str | tuple[float, float] | Sequence[str | tuple[float, float]] = ("early", "late"),
    picks: Sequence[str] | None = None,
    threshold: float | str = 0.05,
    n_permutations: int = 5000,
    seed: int = 0,
) -> pd.DataFrame:
    """Compare evoked potentials of two time points, and their change between groups, over all channels and times.

    Parameters
    ----------
    evoked : DataFrame | mapping
        From :func:`excitability.load_evoked` (columns ``participant``, ``session`` or ``timepoint``, ``protocol``,
        ``condition``, ``evoked``, and the groups), or ``{time point: {participant: mne.Evoked}}``.
    before, after : str
        Time points; several after are compared one by one.
    by : str | mapping, optional
        Column of the groups (with a mapping of potentials ``{participant: group}``): one test a group, and one for
        each difference of changes, ``"patient - control"``.
    within : str
        Column of the time points, as for :func:`excitability.compare`.
    window : str | (float, float) | sequence of these
        ``"early"`` (15–80 ms), ``"late"`` (80–250 ms) or (start, stop) in seconds. Each window is a test of its own.
    picks : sequence of str, optional
        EEG channels; all that every recording has by default.
    threshold : float | "tfce"
        Two-sided p value of the t values that make a cluster, or threshold-free cluster enhancement.
    n_permutations : int
        Sign flips, or exchanges of people between groups; where fewer flips exist (up to 13 people for 5,000) all are.
    seed : int
        Of the random permutations.

    Returns
    -------
    DataFrame
        Columns of :data:`excitability.schema.CLUSTER_COLUMNS`, one row a cluster, the most certain first; a test
        without a cluster is one row with ``cluster`` 0. SI units.

    Raises
    ------
    ValueError
        For unknown time points, groups, windows or channels, electrodes without positions, and times that differ.

    Notes
    -----
    Within a group: t values of the changes, signs flipped person by person. Between groups: Welch's t of the changes,
    people exchanged between groups. Neighbouring points in time and on the scalp beyond the threshold, of one sign,
    make a cluster; its mass (sum of t values) is held against the largest mass of each permutation, so the error of the
    whole window is controlled. The test says *that* the potentials differ in the window; where a cluster begins and
    ends is a description [1]_. Bad channels are interpolated (flag ``interpolated_channels``).

    References
    ----------
    .. [1] Maris & Oostenveld 2007, J Neurosci Methods 164:177, doi:10.1016/j.jneumeth.2007.03.024

    Examples
    --------
    >>> import mne, numpy as np
    >>> rng = np.random.default_rng(3)
    >>> info = mne.create_info(["F3", "F1", "Fz", "F4", "C3", "Cz", "C4"], 500.0, "eeg").set_montage("colin27_1020")
    >>> noise = lambda: 1e-6 * rng.standard_normal((7, 150))
    >>> n45 = np.zeros((7, 150)); n45[:3, 70:75] = -3e-6
    >>> both = {"pre": {f"{i:02d}": mne.EvokedArray(noise(), info, -0.1, verbose=False) for i in range(9)},
    ...         "post0": {f"{i:02d}": mne.EvokedArray(noise() + n45, info, -0.1, verbose=False) for i in range(9)}}
    >>> found = compare_evoked(both, window="early").iloc[0]
    >>> found["channels"], bool(found["p_value"] < 0.05), round(1e3 * found["t0"]), round(1e3 * found["t1"])
    ('F3+F1+Fz', True, 40, 48)
    """
    windows = _windows(window)
    _check_numbers(threshold, n_permutations)
    table, column = as_table(evoked, by)
    rows: list[dict[str, Any]] = []
    for changes in read_changes(table, within, before, after, column, picks):
        groups: list[tuple[int, ...]] = [(group,) for group in range(len(changes.group_names))]
        if column is not None:
            groups += itertools.combinations(range(len(changes.group_names)), 2)
        for chosen, (name, span) in itertools.product(groups, windows):
            test = ClusterTest(changes, chosen, name, span, threshold, n_permutations, seed)
            rows += test.rows()
    whole = pd.DataFrame(rows, columns=list(CLUSTER_COLUMNS))
    return whole.astype({name: "int64" for name, column_ in CLUSTER_COLUMNS.items() if column_.dtype == "int"})


def change_map(
    evoked: pd.DataFrame | Mapping[str, Mapping[str, mne.Evoked]],
    before: str = "pre",
    after: str = "post0",
    by: str | Mapping[str, str] | None = None,
    *,
    group: str = "all",
    within: str = "session",
    picks: Sequence[str] | None = None,
) -> tuple[np.ndarray, mne.EvokedArray]:
    """Map of t values of the change, and the mean change, at all times and channels, for a picture.

    Parameters
    ----------
    evoked, before, after, by, within, picks
        As for :func:`compare_evoked`, of one protocol and condition.
    group : str
        ``"all"``, a group, or a difference such as ``"patient - control"``.

    Returns
    -------
    t : array, shape (n_channels, n_times)
        Of one sample, or Welch's of two.
    mean : mne.EvokedArray
        Mean change (V), or the difference of the groups' mean changes.

    Examples
    --------
    >>> import mne, numpy as np
    >>> rng = np.random.default_rng(3)
    >>> info = mne.create_info(["F3", "Fz", "Cz"], 500.0, "eeg").set_montage("colin27_1020")
    >>> both = {time: {who: mne.EvokedArray(1e-6 * rng.standard_normal((3, 100)), info, -0.1, verbose=False)
    ...         for who in "abcd"} for time in ("pre", "post0")}
    >>> t, mean = change_map(both)
    >>> t.shape, mean.nave
    ((3, 100), 4)
    """
    table, column = as_table(evoked, by)
    [changes] = read_changes(table, within, before, after, column, picks)
    choices: dict[str, tuple[int, ...]] = {group_label(changes, (i,)): (i,) for i in range(len(changes.group_names))}
    choices |= {group_label(changes, pair): pair for pair in itertools.combinations(range(len(choices)), 2)}
    if group not in choices:
        raise ValueError(unknown_word("group", group, choices))
    samples = changes.samples(choices[group])
    mean = samples[0].mean(axis=0) - (samples[1].mean(axis=0) if len(samples) > 1 else 0)
    told = mne.EvokedArray(
        mean.T, changes.info, float(changes.times[0]), nave=sum(map(len, samples)), comment=group, verbose="ERROR"
    )
    return t_values(*samples).T, told


def _windows(window: Any) -> list[tuple[str, tuple[float, float]]]:
    given = [window] if isinstance(window, str) or _is_span(window) else list(window)
    found = []
    for one in given:
        if isinstance(one, str):
            if one not in WINDOWS:
                raise ValueError(unknown_word("window", one, WINDOWS) + "; or give (start, stop) in seconds")
            found.append((one, WINDOWS[one]))
            continue
        if not _is_span(one) or not one[0] < one[1]:
            raise ValueError(f"window = {one!r} must be 'early', 'late' or (start, stop) in seconds, start < stop")
        if max(abs(one[0]), abs(one[1])) > 10:
            raise ValueError(f"window = {one!r}: milliseconds? give seconds, such as (0.015, 0.080)")
        found.append(("own", (float(one[0]), float(one[1]))))
    if not found:
        raise ValueError("window is empty; give 'early', 'late' or (start, stop) in seconds")
    return found


def _is_span(window: Any) -> bool:
    try:
        return len(window) == 2 and all(isinstance(end, int | float) for end in window)
    except TypeError:
        return False


def _check_numbers(threshold: float | str, n_permutations: int) -> None:
    if threshold != "tfce" and not (isinstance(threshold, float) and 0 < threshold < 0.5):
        raise ValueError(f"threshold = {threshold!r} must be a p value between 0 and 0.5, such as 0.05, or 'tfce'")
    if n_permutations < 100:
        raise ValueError(f"n_permutations = {n_permutations} is too few for a p value; give 5000 or more")
