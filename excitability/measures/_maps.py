"""A map of responses over coil positions: sites, their mean response, and maps that the same trials allow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from ..schema import Estimate, join_flags, unknown_word
from ._surface import Surface, fit_surface
from ._tables import is_kept, numbers, single_pulses

AXES = ("coil_x", "coil_y", "coil_z")
#: Positions closer than this are one site (m).
SAME_SITE = 0.001
N_DRAWS = 400
SURFACES = ("auto", "sites", "smooth")
SurfaceChoice = Literal["auto", "sites", "smooth"]
_AROUND = np.array([(i, j) for i in (-1, 0, 1) for j in (-1, 0, 1) if i or j], dtype=float)


@dataclass(frozen=True)
class ResponseMap:
    """Mean response on sites.

    Attributes
    ----------
    sites : ndarray, shape (n_sites, 2 or 3)
        Positions (m): those that were stimulated, or nodes of a surface.
    flat : ndarray, shape (n_sites, 2)
        The same in the plane of the map: (x, y), or the plane through positions that have a height.
    mean : ndarray, shape (n_sites,)
        Mean response (V), as measured at the sites or of the surface at the nodes.
    share : ndarray, shape (n_sites,)
        Share of the site's trials that reach the criterion; 1 at nodes of a surface.
    surface : Surface
        Model of the responses, from which maps are redrawn.
    spacing : float
        Distance of neighbouring sites (m).
    gridded : bool
        The sites are those that were stimulated.
    coverage : float
        Share of the cells of the stimulated rectangle that hold a pulse.
    n, n_rejected : int
        Trials in the map, and rejected ones.
    """

    sites: np.ndarray
    flat: np.ndarray
    mean: np.ndarray
    share: np.ndarray
    surface: Surface
    spacing: float
    gridded: bool
    coverage: float
    n: int
    n_rejected: int

    def draws(self, rng: np.random.Generator, noise: np.ndarray | None = None) -> np.ndarray:
        """Maps of expected responses that could have given these trials, shape (N_DRAWS, n_sites)."""
        if noise is None:
            noise = rng.standard_normal((N_DRAWS, len(self.surface.place)))
        return self.surface.draws(self.flat, N_DRAWS, rng, noise)

    def tops(self, draws: np.ndarray) -> np.ndarray:
        """Largest response of each redrawn map, shape (n_draws, 1).

        Chance raises the largest of many sites, in redrawn maps once more than in the surface they scatter about;
        the latter's is their middle.
        """
        largest = draws.max(axis=1, keepdims=True)
        middle = float(np.median(largest))
        top = float(self.surface.mean(self.flat).max())
        return np.asarray(largest * (top / middle if middle > 0 and top > 0 else 1.0))

    def neighbours(self) -> np.ndarray:
        """Number of the site in each of the eight places around a site, -1 where there is none; (n_sites, 8)."""
        from scipy.spatial import cKDTree

        wanted = self.flat[:, None] + self.spacing * _AROUND
        apart, near = cKDTree(self.flat).query(wanted)
        return np.where(apart < 0.5 * self.spacing, near, -1)

    def outside(self) -> np.ndarray:
        """Which places beside the map would be needed were a site active; (n_sites, n_places)."""
        missing = self.neighbours() < 0
        wanted = (self.flat[:, None] + self.spacing * _AROUND)[missing]
        if not len(wanted):
            return np.zeros((len(self.sites), 0), dtype=bool)
        cells = np.round((wanted - self.flat.min(axis=0)) / self.spacing)
        places, number = np.unique(cells, axis=0, return_inverse=True)
        needed = np.zeros((len(self.sites), len(places)), dtype=bool)
        needed[np.nonzero(missing)[0], number.ravel()] = True
        return needed


def response_map(
    tables: Sequence[pd.DataFrame],
    of: str,
    spacing: float | None = None,
    surface: SurfaceChoice = "auto",
    criterion: float = 0.0,
) -> list[ResponseMap] | None:
    """Maps of one or more muscles from the same pulses; None with fewer than four sites.

    Kept single pulses with a position and a response in all muscles enter.
    """
    if surface not in SURFACES:
        raise ValueError(unknown_word("surface", surface, SURFACES))
    tables = [single_pulses(table) for table in tables]
    kept = np.all([is_kept(table) for table in tables], axis=0)
    first = tables[0]
    height = [axis for axis in AXES[2:] if axis in first and np.isfinite(numbers(first, axis)).any()]
    place = np.stack([numbers(first, axis) for axis in (*AXES[:2], *height)], axis=1)
    sizes = np.stack([numbers(table, of) for table in tables])
    known = kept & np.isfinite(sizes).all(axis=0) & np.isfinite(place).all(axis=1)
    place, sizes = place[known], sizes[:, known]
    if len(place) < 4:
        return None
    axes, middle = _plane(place), place.mean(axis=0)
    flat = (place - middle) @ axes[:, :2] + middle[:2]
    _, start, at = np.unique(np.round(flat / SAME_SITE), axis=0, return_index=True, return_inverse=True)
    at = at.ravel()
    if start.size < 4:
        return None
    sites = np.stack([np.bincount(at, column) for column in place.T], axis=1) / np.bincount(at)[:, None]
    gridded = _is_grid(flat, int(start.size))
    spots = (sites - middle) @ axes[:, :2] + middle[:2]
    apart = spacing or (_nearest(spots) if gridded else _room(flat))
    as_measured = gridded and surface != "smooth"
    nodes = spots if gridded and (as_measured or spacing is None) else _nodes(spots, apart)
    places = sites if nodes is spots else _back(nodes, spots, sites, axes, apart)
    coverage, n_rejected = _coverage(spots, apart, gridded), int((~kept).sum())
    maps = []
    for size in sizes:
        fitted = fit_surface(spots, at, size, apart)
        if as_measured:
            mean = np.bincount(at, size) / np.bincount(at)
            share = np.bincount(at, size >= criterion) / np.bincount(at)
        else:
            mean, share = fitted.mean(nodes), np.ones(len(nodes))
        maps.append(
            ResponseMap(places, nodes, mean, share, fitted, apart, as_measured, coverage, size.size, n_rejected)
        )
    return maps


def _plane(place: np.ndarray) -> np.ndarray:
    """Two directions in the plane of the map, the first nearest to x, and its normal: columns of (2 or 3, 2 or 3).

    On the side of the head, (x, y) of navigated positions would show the map foreshortened.
    """
    if place.shape[1] == 2:
        return np.eye(2)
    rest = place - place.mean(axis=0)
    if np.ptp(rest[:, 2]) < SAME_SITE:
        return np.eye(3)
    normal = np.linalg.svd(rest, full_matrices=False)[2][2]
    if abs(normal[2]) < 0.05:  # upright: no view from above
        return np.eye(3)
    normal = normal * np.sign(normal[2])
    first = np.array([1.0, 0, 0]) - normal[0] * normal
    first = first / np.linalg.norm(first)
    return np.stack([first, np.cross(normal, first), normal], axis=1)


def _back(nodes: np.ndarray, spots: np.ndarray, sites: np.ndarray, axes: np.ndarray, spacing: float) -> np.ndarray:
    """Positions of nodes in space: their height above the plane is that of the stimulated positions around."""
    if sites.shape[1] == 2:
        return nodes
    squared = np.sum((nodes[:, None] - spots[None]) ** 2, axis=2)
    weights = np.exp(-(squared - squared.min(axis=1, keepdims=True)) / (2 * spacing**2))
    height = weights @ (sites @ axes[:, 2]) / weights.sum(axis=1)
    origin = sites[0] - axes[:, :2] @ spots[0]  # what the plane's own coordinates leave out
    origin = origin - axes[:, 2] * (origin @ axes[:, 2])
    return np.asarray(nodes @ axes[:, :2].T + origin + height[:, None] * axes[:, 2])


def _is_grid(flat: np.ndarray, n_sites: int) -> bool:
    """Repeated sites, or rows and columns: otherwise the positions are scattered."""
    rows, columns = (np.unique(np.round(flat[:, i] / SAME_SITE)).size for i in (0, 1))
    return 2 * n_sites <= len(flat) or rows * columns <= 2 * n_sites


def _nearest(flat: np.ndarray) -> float:
    """Median distance of a site to the next one."""
    from scipy.spatial import cKDTree

    return float(np.median(cKDTree(flat).query(flat, k=2)[0][:, 1]))


def _room(flat: np.ndarray) -> float:
    """Side of the square that each of scattered positions has to itself."""
    return float(np.sqrt(np.prod(np.ptp(flat, axis=0)) / len(flat)))


def _nodes(flat: np.ndarray, spacing: float) -> np.ndarray:
    """Square grid over the stimulated area: within the outline of the positions, or half a step beside one."""
    nodes = _rectangle(flat, spacing)
    return np.asarray(nodes[stimulated(nodes, flat, 0.5 * spacing)])


def stimulated(nodes: np.ndarray, flat: np.ndarray, margin: float) -> np.ndarray:
    """Whether nodes lie within the outline (convex hull) of positions, or within a margin of one."""
    from scipy.spatial import Delaunay, QhullError, cKDTree

    near = cKDTree(flat).query(nodes)[0] <= margin
    try:
        return np.asarray(near | (Delaunay(flat).find_simplex(nodes) >= 0))
    except QhullError:  # positions on one line
        return np.asarray(near)


def _rectangle(flat: np.ndarray, spacing: float) -> np.ndarray:
    low, high = flat.min(axis=0), flat.max(axis=0)
    axes = [np.arange(low[i], high[i] + spacing / 2, spacing) for i in (0, 1)]
    return np.stack([axis.ravel() for axis in np.meshgrid(*axes)], axis=1)


def _coverage(flat: np.ndarray, spacing: float, gridded: bool) -> float:
    """Share of the cells of the stimulated rectangle with a pulse near their middle."""
    from scipy.spatial import cKDTree

    apart = cKDTree(flat).query(_rectangle(flat, spacing))[0]
    return float(np.mean(apart <= (0.5 if gridded else 1.0) * spacing))


def active_sites(mean: np.ndarray, fraction: float, criterion: float, top: np.ndarray | None = None) -> np.ndarray:
    """Sites that respond: at least a share of the largest response of the map and the criterion; (…, n_sites)."""
    top = mean.max(axis=-1, keepdims=True) if top is None else top
    return np.asarray(mean >= np.maximum(fraction * top, criterion))


def centre_of_gravity(sites: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """Response-weighted mean position ``Σ M x / Σ M``.

    Examples
    --------
    >>> sites = np.array([[3, 0], [4, 0], [5, 0], [3, 1], [4, 1], [5, 1]])
    >>> centre_of_gravity(sites, np.array([0.1, 0.4, 0.2, 0.05, 0.8, 0.3])).round(6)
    array([4.189189, 0.621622])
    """
    return np.asarray(mean @ sites / mean.sum(axis=-1, keepdims=True))


def with_interval(value: float, drawn: np.ndarray, found: ResponseMap, flag: str = "", cell: float = 0.0) -> Estimate:
    """A value with the central 95 % of what redrawn maps gave.

    A count of cells (each ``cell`` large) stands for an area that ends between them: the draws are spread over a cell.
    """
    drawn = drawn[np.isfinite(drawn)]
    if not drawn.size:
        return as_estimate(value, np.nan, np.nan, found, flag)
    if not cell:
        low, high = np.percentile(drawn, [2.5, 97.5])
        return as_estimate(value, low, high, found, flag)
    low, high = np.percentile(spread_over_cell(drawn, cell), [2.5, 97.5])
    return as_estimate(value, max(low, 0.0), max(high, 0.0), found, flag)


def spread_over_cell(drawn: np.ndarray, cell: float, seed: int = 0) -> np.ndarray:
    """Redrawn counts of cells, each ``cell`` large, spread evenly over one."""
    places = (np.arange(drawn.size) + 0.5) / drawn.size - 0.5
    return np.asarray(drawn + cell * np.random.default_rng(seed).permutation(places))


def as_estimate(value: float, low: float, high: float, found: ResponseMap, flag: str = "") -> Estimate:
    """The value with its limits; one outside them is what few pulses make of a maximum, and is flagged."""
    slack = 1e-9 * max(abs(low), abs(high))
    if np.isfinite(low) and not low - slack <= value <= high + slack:
        flag, low, high = join_flags(flag, "biased_by_few_pulses"), min(low, value), max(high, value)
    return Estimate(value, low, high, found.n, flag, found.n_rejected)
