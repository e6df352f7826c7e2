"""A map of responses over coil positions: sites, their mean response, and maps redrawn with their error."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from ._tables import is_kept, numbers, single_pulses

AXES = ("coil_x", "coil_y", "coil_z")
#: Positions closer than this are one site (m).
SAME_SITE = 0.001


@dataclass(frozen=True)
class ResponseMap:
    """Mean response on sites.

    Attributes
    ----------
    sites : ndarray, shape (n_sites, 2 or 3)
        Positions (m).
    mean : ndarray, shape (n_sites,)
        Mean response (V).
    operator : ndarray, shape (n_sites, n_trials)
        Weights with which single trials make the means.
    size : ndarray, shape (n_trials,)
        Responses (V).
    error : ndarray, shape (n_trials,)
        Standard deviation of single trials about their mean (V).
    spacing : float
        Distance of neighbouring sites (m).
    gridded : bool
        The sites are those that were stimulated; else they are nodes of an interpolated surface.
    inflation : float
        How much more a surface scatters than redrawn weights show: each node leans on few trials, one of them its own.
    """

    sites: np.ndarray
    mean: np.ndarray
    operator: np.ndarray
    size: np.ndarray
    error: np.ndarray
    spacing: float
    gridded: bool
    inflation: float

    @property
    def n(self) -> int:
        """Trials in the map."""
        return int(self.error.size)

    def redrawn(self, rng: np.random.Generator) -> np.ndarray:
        """Site means as another session could have given them.

        A grid keeps its sites and gets new noise; scattered positions are drawn anew too (random weights a trial).
        """
        if self.gridded:
            noise = self.operator @ (self.error * rng.standard_normal(self.n))
            return np.maximum(self.mean + noise, 1e-12 * float(self.mean.max()))
        weights = self.operator * rng.standard_exponential(self.n)
        return np.asarray(weights @ self.size / weights.sum(axis=1))

    def adjacent(self) -> np.ndarray:
        """Whether two sites are neighbours (eight around each on a square grid), shape (n_sites, n_sites)."""
        apart = np.linalg.norm(self.sites[:, None, :2] - self.sites[None, :, :2], axis=2)
        return np.asarray((apart <= 1.5 * self.spacing) & (apart > 0))


def response_map(table: pd.DataFrame, of: str, spacing: float | None = None) -> ResponseMap | None:
    """Map of the kept single pulses with a position; None with fewer than four sites."""
    table = single_pulses(table)
    height = [axis for axis in AXES[2:] if axis in table and np.isfinite(numbers(table, axis)).any()]
    place = np.stack([numbers(table, axis) for axis in (*AXES[:2], *height)], axis=1)
    size = numbers(table, of)
    known = is_kept(table) & np.isfinite(size) & np.isfinite(place).all(axis=1)
    place, size = place[known], size[known]
    if len(place) < 4:
        return None
    _, first, site = np.unique(np.round(place[:, :2] / SAME_SITE), axis=0, return_index=True, return_inverse=True)
    site = site.ravel()
    n_sites = int(first.size)
    if n_sites < 4:
        return None
    from scipy.spatial import cKDTree

    grid = _is_grid(place, n_sites)
    if grid:
        operator = np.zeros((n_sites, size.size))
        operator[site, np.arange(size.size)] = 1.0
        operator /= operator.sum(axis=1, keepdims=True)
        sites, expected = operator @ place, (operator @ size)[site]
        spacing = spacing or float(np.median(cKDTree(sites[:, :2]).query(sites[:, :2], k=2)[0][:, 1]))
        spent = float(n_sites)
    else:
        spacing = spacing or float(np.sqrt(np.prod(np.ptp(place[:, :2], axis=0)) / len(place)))
        sites = _nodes(place, spacing)
        operator = _kernel(sites, place, spacing)
        hat = _kernel(place, place, spacing)
        expected, spent = hat @ size, float(np.trace(hat))
    error = _scatter(size, expected, spent)
    inflation = 1.0 if grid else float(np.sqrt(size.size / max(size.size - spent, 1)))
    return ResponseMap(sites, operator @ size, operator, size, error, spacing, grid, inflation)


def _is_grid(place: np.ndarray, n_sites: int) -> bool:
    """Repeated sites, or rows and columns: otherwise the positions are scattered."""
    rows, columns = (np.unique(np.round(place[:, i] / SAME_SITE)).size for i in (0, 1))
    return 2 * n_sites <= len(place) or rows * columns <= 2 * n_sites


def _nodes(place: np.ndarray, spacing: float) -> np.ndarray:
    """Square grid over the stimulated area; height is that of the stimulated positions around."""
    low, high = place[:, :2].min(axis=0), place[:, :2].max(axis=0)
    axes = [np.arange(low[i], high[i] + spacing / 2, spacing) for i in (0, 1)]
    nodes = np.stack([axis.ravel() for axis in np.meshgrid(*axes)], axis=1)
    from scipy.spatial import cKDTree

    nodes = nodes[cKDTree(place[:, :2]).query(nodes)[0] <= spacing]
    if place.shape[1] == 2:
        return nodes
    return np.column_stack([nodes, _kernel(nodes, place, spacing) @ place[:, 2]])


def _kernel(nodes: np.ndarray, place: np.ndarray, spacing: float) -> np.ndarray:
    """Weights of a Gaussian kernel average with a standard deviation of 0.7 spacings."""
    squared = np.sum((nodes[:, None, :2] - place[None, :, :2]) ** 2, axis=2)
    weights = np.exp(-squared / (2 * (0.7 * spacing) ** 2))
    return weights / weights.sum(axis=1, keepdims=True)


def _scatter(size: np.ndarray, expected: np.ndarray, spent: float) -> np.ndarray:
    """Scatter of single trials: in proportion to the response, on top of that of the smallest ones."""
    expected = np.maximum(expected, 1e-12)
    freedom = size.size / max(size.size - spent, 1)
    squared = (size - expected) ** 2 * freedom
    floor = float(np.median(squared[expected <= np.quantile(expected, 0.25)]))
    high = expected > 0.2 * expected.max()  # the few large sites make the centre of gravity
    share = max(float(np.mean((squared[high] - floor) / expected[high] ** 2)), 0.0)
    return np.asarray(np.sqrt(share * expected**2 + floor))


def active_sites(mean: np.ndarray, fraction: float, criterion: float) -> np.ndarray:
    """Sites that respond: at least a share of the largest response and the criterion."""
    return np.asarray(mean >= max(fraction * float(mean.max()), criterion))


def centre_of_gravity(sites: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """Response-weighted mean position ``Σ M x / Σ M``.

    Examples
    --------
    >>> sites = np.array([[3, 0], [4, 0], [5, 0], [3, 1], [4, 1], [5, 1]])
    >>> centre_of_gravity(sites, np.array([0.1, 0.4, 0.2, 0.05, 0.8, 0.3])).round(6)
    array([4.189189, 0.621622])
    """
    return np.asarray(mean @ sites / mean.sum())
