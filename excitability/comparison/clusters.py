"""Where in time and over the scalp an evoked potential changed: cluster permutation test (Maris & Oostenveld 2007)."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import mne
import numpy as np
import pandas as pd

from ..schema import CLUSTER_COLUMNS, join_flags, unknown_word
from ._cluster_words import ALPHA, cluster_sentence
from ._evoked_changes import Changes, as_table, read_changes

#: Windows that are declared before the data are seen (s from the pulse).
WINDOWS = {"early": (0.015, 0.080), "late": (0.080, 0.250)}
_TFCE = {"start": 0.0, "step": 0.2}
_FEWEST = 3  # people in a group: with fewer a t value means nothing


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
            test = _Test(changes, chosen, name, span, threshold, n_permutations, seed)
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
    choices = {_group_label(changes, (i,)): (i,) for i in range(len(changes.group_names))}
    choices |= {_group_label(changes, pair): pair for pair in itertools.combinations(range(len(choices)), 2)}
    if group not in choices:
        raise ValueError(unknown_word("group", group, choices))
    samples = changes.samples(choices[group])
    mean = samples[0].mean(axis=0) - (samples[1].mean(axis=0) if len(samples) > 1 else 0)
    told = mne.EvokedArray(
        mean.T, changes.info, float(changes.times[0]), nave=sum(map(len, samples)), comment=group, verbose="ERROR"
    )
    return _statistic(*samples).T, told


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


def _statistic(*samples: np.ndarray) -> np.ndarray:
    """t of one sample, or Welch's of two; a channel that holds one value in everybody (a reference) has 0."""
    if len(samples) == 1:
        t = mne.stats.ttest_1samp_no_p(samples[0])
    else:
        t = mne.stats.ttest_ind_no_p(*samples, equal_var=False)
    return np.where(np.isfinite(t), t, 0.0)


def _one_sample(sample: np.ndarray) -> np.ndarray:
    return _statistic(sample)


def _two_samples(one: np.ndarray, two: np.ndarray) -> np.ndarray:
    return _statistic(one, two)


def _p_values(observed: np.ndarray, null: np.ndarray) -> np.ndarray:
    """Share of permutations with a maximum as large. Among few people some repeat the observed groups, or exchange them
    whole: they are ties that must count, though their sums were taken in another order."""
    null = np.sort(np.abs(null))
    below = np.searchsorted(null, np.abs(observed) * (1 - 1e-9), side="left")
    return (null.size - below) / null.size


def _mask(points: tuple[np.ndarray, ...], shape: tuple[int, ...]) -> np.ndarray:
    mask = np.zeros(shape, dtype=bool)
    mask[points] = True
    return mask


def _group_label(changes: Changes, groups: Sequence[int]) -> str:
    return " - ".join(changes.group_names[group] for group in groups)


@dataclass(frozen=True)
class _Cluster:
    """One cluster; the points are (n_times, n_channels) of the window."""

    p_value: float
    mask: np.ndarray


@dataclass(frozen=True)
class _Test:
    """One change, in one group or between two, in one window."""

    changes: Changes
    groups: tuple[int, ...]
    name: str
    span: tuple[float, float]
    threshold: float | str
    n_permutations: int
    seed: int

    def rows(self) -> list[dict[str, Any]]:
        """One row a cluster, or one that says that there is none."""
        inside = self._inside()
        times = self.changes.times[inside]
        samples = [np.ascontiguousarray(part[:, inside]) for part in self.changes.samples(self.groups)]
        sizes = [len(part) for part in samples]
        if min(sizes) < _FEWEST:
            return [self._row(times, sizes, np.nan, 0, math.nan, flag="too_few_participants")]
        t = _statistic(*samples)
        limit = math.nan if self.threshold == "tfce" else self._limit(sizes)
        clusters, lowest, drawn = self._clusters(samples, t, limit)
        flag = "few_participants" if self._too_few(sizes) else ""
        if not clusters:
            return [self._row(times, sizes, limit, drawn, lowest, flag=join_flags(flag, "no_cluster"))]
        rows = []
        for number, cluster in enumerate(clusters, start=1):
            rows.append(self._row(times, sizes, limit, drawn, cluster.p_value, number, cluster.mask, t, flag))
        return rows

    def _inside(self) -> np.ndarray:
        times, half = self.changes.times, 1e-9
        inside = (times >= self.span[0] - half) & (times <= self.span[1] + half)
        if self.span[0] < times[0] - half or self.span[1] > times[-1] + half or inside.sum() < 2:
            ends = f"{times[0]:g} to {times[-1]:g} s"
            raise ValueError(f"the window {self.span[0]:g} to {self.span[1]:g} s is not within the potentials ({ends})")
        return inside

    def _limit(self, sizes: list[int]) -> float:
        from scipy.stats import t as student

        return float(student.isf(float(self.threshold) / 2, sum(sizes) - len(sizes)))

    def _too_few(self, sizes: list[int]) -> bool:
        """Whether there are so few ways to permute that p cannot be small, or rests on few of them."""
        return sizes[0] < 6 if len(sizes) == 1 else min(sizes) < 5

    def _clusters(self, samples: list[np.ndarray], t: np.ndarray, limit: float) -> tuple[list[_Cluster], float, int]:
        """Clusters with their p values, the most certain first; the lowest p value; permutations that were used."""
        enhanced = self.threshold == "tfce"
        if not enhanced and not (np.abs(t) > limit).any():
            return [], 1.0, 0
        common: dict[str, Any] = dict(
            threshold=_TFCE if enhanced else limit,
            n_permutations=self.n_permutations,
            adjacency=self.changes.adjacency,
            out_type="indices",
            tail=0,
            buffer_size=None,
            rng=np.random.default_rng(self.seed),
            verbose="ERROR",
        )
        if len(samples) == 1:
            found = mne.stats.spatio_temporal_cluster_1samp_test(samples[0], stat_fun=self._one_sample_fun(t), **common)
        else:
            found = mne.stats.spatio_temporal_cluster_test(samples, stat_fun=_two_samples, **common)
        observed, points, _, null = found
        drawn = len(null)
        if enhanced:
            p_values = _p_values(observed, null)
            return self._joined(t, p_values), float(p_values.min()), drawn
        masks = [_mask(where, t.shape) for where in points]
        p_values = _p_values(np.array([t[mask].sum() for mask in masks]), null)
        clusters = [_Cluster(float(p), mask) for p, mask in zip(p_values, masks, strict=True)]
        clusters.sort(key=lambda cluster: (cluster.p_value, -abs(t[cluster.mask].sum())))
        return clusters, clusters[0].p_value, drawn

    @staticmethod
    def _one_sample_fun(t: np.ndarray) -> Any:
        """MNE's own function, which it permutes fast, where no point is without spread."""
        return mne.stats.ttest_1samp_no_p if (t != 0).all() else _one_sample

    def _joined(self, t: np.ndarray, p_values: np.ndarray) -> list[_Cluster]:
        """Neighbouring points of one sign whose enhanced value is beyond chance, put together as clusters."""
        from scipy.sparse.csgraph import connected_components

        n_times = len(t)
        grid = mne.stats.combine_adjacency(n_times, self.changes.adjacency).tocsr()
        clusters = []
        for sign in (-1, 1):
            points = np.flatnonzero(((p_values <= ALPHA) & (np.sign(t) == sign)).ravel())
            if not points.size:
                continue
            n, labels = connected_components(grid[points][:, points], directed=False)
            for label in range(n):
                mask = np.zeros(t.size, dtype=bool)
                mask[points[labels == label]] = True
                mask = mask.reshape(t.shape)
                clusters.append(_Cluster(float(p_values[mask].min()), mask))
        return sorted(clusters, key=lambda cluster: (cluster.p_value, -abs(t[cluster.mask].sum())))

    def _row(
        self,
        times: np.ndarray,
        sizes: list[int],
        limit: float,
        drawn: int,
        p_value: float,
        number: int = 0,
        mask: np.ndarray | None = None,
        t: np.ndarray | None = None,
        flag: str = "",
    ) -> dict[str, Any]:
        changes = self.changes
        missing = int(changes.missing[list(self.groups)].sum())
        row: dict[str, Any] = {
            "protocol": changes.protocol,
            "condition": changes.condition,
            "group": _group_label(changes, self.groups),
            "contrast": f"{changes.after} - {changes.before}",
            "window": self.name,
            "window_start": self.span[0],
            "window_stop": self.span[1],
            "cluster": number,
            "p_value": p_value,
            "sign": "",
            **dict.fromkeys(("t0", "t1", "peak_time", "peak_t"), math.nan),
            "channels": "",
            "peak_channel": "",
            "mass": 0.0 if math.isfinite(p_value) else math.nan,
            "n": sum(sizes),
            "form": "tfce" if self.threshold == "tfce" else "mass",
            "threshold": limit,
            "n_permutations": drawn,
            "model": self._model(sizes, drawn),
            "flag": join_flags(changes.flag, flag, "missing_sessions" if missing else ""),
        }
        if mask is not None and t is not None:
            at, over = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
            peak = np.unravel_index(np.argmax(np.where(mask, np.abs(t), -1.0)), t.shape)
            names = changes.info["ch_names"]
            row |= {
                "sign": "positive" if t[peak] > 0 else "negative",
                "t0": float(times[at[0]]),
                "t1": float(times[at[-1]]),
                "channels": "+".join(names[i] for i in over),
                "peak_channel": names[peak[1]],
                "peak_time": float(times[peak[0]]),
                "peak_t": float(t[peak]),
                "mass": float(t[mask].sum()),
            }
        return row | {"sentence": cluster_sentence(row, missing)}

    def _model(self, sizes: list[int], drawn: int) -> str:
        if len(sizes) == 2:
            return f"Welch t of the changes, people exchanged between groups {drawn} times"
        exact = drawn == 2 ** (sizes[0] - 1)
        return f"t of the changes, {'all' if exact else drawn} sign flips" + f" ({drawn})" * exact
