"""One cluster permutation test: the change in one group, or between two, in one window."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import mne
import numpy as np

from ..schema import join_flags
from ._cluster_words import ALPHA, CANNOT_JUDGE, cluster_sentence, smallest_p
from ._evoked_changes import Changes

_TFCE = {"start": 0.0, "step": 0.2}
_FEWEST = 3  # people in a group: with fewer a t value means nothing


def t_values(*samples: np.ndarray) -> np.ndarray:
    """t of one sample, or Welch's of two; a channel that holds one value in everybody (a reference) has 0."""
    if len(samples) == 1:
        t = mne.stats.ttest_1samp_no_p(samples[0])
    else:
        t = mne.stats.ttest_ind_no_p(*samples, equal_var=False)
    return np.where(np.isfinite(t), t, 0.0)


def _one_sample(sample: np.ndarray) -> np.ndarray:
    return t_values(sample)


def _two_samples(one: np.ndarray, two: np.ndarray) -> np.ndarray:
    return t_values(one, two)


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


def group_label(changes: Changes, groups: Sequence[int]) -> str:
    """Name of a group, or of the difference of two."""
    return " - ".join(changes.group_names[group] for group in groups)


@dataclass(frozen=True)
class _Cluster:
    """One cluster; the points are (n_times, n_channels) of the window."""

    p_value: float
    mask: np.ndarray


@dataclass(frozen=True)
class ClusterTest:
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
        t = t_values(*samples)
        limit = math.nan if self.threshold == "tfce" else self._limit(sizes)
        clusters, lowest, drawn = self._clusters(samples, t, limit)
        cannot = CANNOT_JUDGE if smallest_p(sizes) > ALPHA else ""
        flag = join_flags("few_participants" if self._too_few(sizes) else "", cannot)
        if not clusters:
            return [self._row(times, sizes, limit, drawn, lowest, flag=join_flags(flag, "no_cluster"))]
        rows = []
        for number, cluster in enumerate(clusters, start=1):
            rows.append(self._row(times, sizes, limit, drawn, cluster.p_value, number, cluster.mask, t, flag))
        return rows

    def _inside(self) -> np.ndarray:
        times, half = self.changes.times, 1e-9
        inside = (times >= self.span[0] - half) & (times <= self.span[1] + half)
        if self.span[0] < times[0] - half or self.span[1] > times[-1] + half:
            ends = f"{times[0]:g} to {times[-1]:g} s"
            raise ValueError(f"the window {self.span[0]:g} to {self.span[1]:g} s is not within the potentials ({ends})")
        if inside.sum() < 2:
            raise ValueError(
                f"the window {self.span[0]:g} to {self.span[1]:g} s holds {inside.sum()} sample of the potentials, "
                f"which are {times[1] - times[0]:g} s apart; give a longer one"
            )
        return inside

    def _limit(self, sizes: list[int]) -> float:
        from scipy.stats import t as student

        return float(student.isf(float(self.threshold) / 2, sum(sizes) - len(sizes)))

    def _too_few(self, sizes: list[int]) -> bool:
        """Whether p rests on few ways to permute."""
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
            rng=self.seed,
            verbose="ERROR",
        )
        if len(samples) == 1:
            found = mne.stats.spatio_temporal_cluster_1samp_test(samples[0], stat_fun=self._one_sample_fun(t), **common)
        else:
            found = self._between(samples, common)
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

    def _between(self, samples: list[np.ndarray], common: dict[str, Any]) -> tuple[Any, ...]:
        """Two groups, both signs side by side as positive masses.

        Of a signed statistic MNE 1.13 notes the largest positive mass of a permutation only, which makes two-sided
        p values up to half as large as they are.
        """
        if self.threshold == "tfce":  # enhanced values have no sign
            return mne.stats.spatio_temporal_cluster_test(samples, stat_fun=_two_samples, **common)
        from scipy.sparse import block_diag

        n = samples[0].shape[2]

        def both_signs(one: np.ndarray, two: np.ndarray) -> np.ndarray:
            t = t_values(one.reshape(len(one), -1, 2 * n)[..., :n], two.reshape(len(two), -1, 2 * n)[..., :n])
            return np.concatenate([t, -t], axis=1).ravel()

        common |= {"tail": 1, "adjacency": block_diag([common["adjacency"]] * 2, format="coo")}
        doubled = [np.concatenate([part, -part], axis=2) for part in samples]
        t, points, p_values, null = mne.stats.spatio_temporal_cluster_test(doubled, stat_fun=both_signs, **common)
        return t[:, :n], [(when, where % n) for when, where in points], p_values, null

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
                mask = _mask(np.unravel_index(points[labels == label], t.shape), t.shape)
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
            "group": group_label(changes, self.groups),
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
        return row | {"sentence": cluster_sentence(row, missing, smallest_p(sizes))}

    def _model(self, sizes: list[int], drawn: int) -> str:
        if len(sizes) == 2:
            return f"Welch t of the changes, people exchanged between groups {drawn} times"
        exact = drawn == 2 ** (sizes[0] - 1)
        return f"t of the changes, {'all' if exact else drawn} sign flips" + f" ({drawn})" * exact
