"""A map of responses over coil positions: sites, their mean response, and maps that the same trials allow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from ..schema import Estimate, join_flags, unknown_word
from ._grid import Grid, check_positions, find_grid, grid_over, joined
from ._same_trials import check_same_trials
from ._surface import Surface, fit_surface
from ._tables import is_kept, numbers, single_pulses

AXES = ("coil_x", "coil_y", "coil_z")
#: Heights that differ by less are one (m).
_LEVEL = 0.001
#: A spacing that is given may differ from that of the grid by this share of it.
_SPACING_TOLERANCE = 0.1
N_DRAWS = 400
SURFACES = ("auto", "sites", "smooth")
SurfaceChoice = Literal["auto", "sites", "smooth"]


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
    grid : Grid
        Directions of its rows and columns, and their distance.
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
    grid: Grid
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

    @property
    def spacing(self) -> float:
        """Distance of neighbouring sites (m)."""
        return self.grid.spacing

    def neighbours(self) -> np.ndarray:
        """Number of the site in each of the eight places around a site, -1 where there is none; (n_sites, 8)."""
        return self.grid.neighbours(self.flat)

    def outside(self) -> np.ndarray:
        """Which places beside the map would be needed were a site active; (n_sites, n_places)."""
        return self.grid.outside(self.flat)


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
    for table in tables[1:]:
        check_same_trials(tables[0], table, "the overlap of two maps")
    tables = [single_pulses(table) for table in tables]
    kept = np.all([is_kept(table) for table in tables], axis=0)
    _check_hemisphere(tables[0][kept])
    place, sizes = _positions(tables, of, kept)
    if len(place):
        check_positions(place, spacing)
    axes, middle = _plane(place), place.mean(axis=0) if len(place) else np.zeros(place.shape[1])
    flat = (place - middle) @ axes[:, :2] + middle[:2]
    at = joined(flat) if len(place) else np.zeros(0, dtype=int)
    if len(np.unique(at)) < 4:
        return None
    spots = _means(flat, at)
    found = find_grid(spots)
    grid = found or grid_over(spots, spacing)
    # sites are numbered along the grid, so that nothing depends on the order of trials
    order = np.lexsort(np.round(spots @ grid.axes, 6).T)
    at = np.argsort(order)[at]
    sites, spots = _means(place, at), spots[order]
    as_measured = found is not None and surface != "smooth"
    if found is not None and spacing is not None:
        if as_measured and abs(spacing / found.spacing - 1) > _SPACING_TOLERANCE:
            raise ValueError(
                f"spacing={spacing:g} m, but the sites are a grid of {found.spacing:.4g} m; leave spacing out, or read "
                "a surface at that spacing with surface='smooth'"
            )
        grid = Grid(found.axes, spacing if not as_measured else found.spacing)
    nodes = spots if found is not None and (as_measured or spacing is None) else _nodes(spots, grid)
    places = sites if nodes is spots else _back(nodes, spots, sites, axes, grid.spacing)
    coverage, n_rejected = (found or grid).coverage(spots, found is None), int((~kept).sum())
    maps = []
    for size in sizes:
        fitted = fit_surface(spots, at, size, grid.spacing)
        if as_measured:
            mean, share = _means(size, at), _means(size >= criterion, at)
        else:
            mean, share = fitted.mean(nodes), np.ones(len(nodes))
        maps.append(ResponseMap(places, nodes, mean, share, fitted, grid, as_measured, coverage, size.size, n_rejected))
    return maps


def _check_hemisphere(table: pd.DataFrame) -> None:
    """Refuse pulses of both hemispheres: they are two maps."""
    if "hemisphere" not in table:
        return
    sides = sorted({str(side) for side in table["hemisphere"].dropna()} & {"left", "right"})
    if len(sides) > 1:
        raise ValueError(
            "the trials hold pulses over both hemispheres, which are two maps; give the rows of one, as in "
            "table[table['hemisphere'] == 'left'], or compare them with map_asymmetry"
        )


def _positions(tables: Sequence[pd.DataFrame], of: str, kept: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Positions (n, 2 or 3) and responses (n_tables, n) of trials that have both."""
    first = tables[0]
    height = [axis for axis in AXES[2:] if axis in first and np.isfinite(numbers(first, axis)).any()]
    place = np.stack([numbers(first, axis) for axis in (*AXES[:2], *height)], axis=1)
    sizes = np.stack([numbers(table, of) for table in tables])
    known = kept & np.isfinite(sizes).all(axis=0) & np.isfinite(place).all(axis=1)
    return place[known], sizes[:, known]


def _means(values: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Mean of the trials of each site; (n_sites,) or (n_sites, n_columns)."""
    columns = values.reshape(len(at), -1).T
    means = np.stack([np.bincount(at, column) for column in columns], axis=1) / np.bincount(at)[:, None]
    return np.asarray(means if values.ndim > 1 else means[:, 0])


def _plane(place: np.ndarray) -> np.ndarray:
    """Two directions in the plane of the map, the first nearest to x, and its normal: columns of (2 or 3, 2 or 3).

    On the side of the head, (x, y) of navigated positions would show the map foreshortened.
    """
    if place.shape[1] == 2 or len(place) < 4:
        return np.eye(place.shape[1])
    rest = place - place.mean(axis=0)
    if np.ptp(rest[:, 2]) < _LEVEL:
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


def _nodes(flat: np.ndarray, grid: Grid) -> np.ndarray:
    """Square grid over the stimulated area: within the outline of the positions, or half a step beside one."""
    nodes = grid.rectangle(flat)
    return np.asarray(nodes[stimulated(nodes, flat, 0.5 * grid.spacing)])


def stimulated(nodes: np.ndarray, flat: np.ndarray, margin: float) -> np.ndarray:
    """Whether nodes lie within the outline (convex hull) of positions, or within a margin of one."""
    from scipy.spatial import Delaunay, QhullError, cKDTree

    near = cKDTree(flat).query(nodes)[0] <= margin
    try:
        return np.asarray(near | (Delaunay(flat).find_simplex(nodes) >= 0))
    except QhullError:  # positions on one line
        return np.asarray(near)


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


def with_interval(
    value: float, drawn: np.ndarray, found: ResponseMap, flag: str = "", cell: float = 0.0, most: float = np.inf
) -> Estimate:
    """A value with the central 95 % of what redrawn maps gave.

    A count of cells (each ``cell`` large) stands for an area that ends between them: the draws are spread over a cell.
    It is ``most`` when every site is active.
    """
    drawn = drawn[np.isfinite(drawn)]
    if not drawn.size:
        return as_estimate(value, np.nan, np.nan, found, flag)
    if not cell:
        low, high = np.percentile(drawn, [2.5, 97.5])
        return as_estimate(value, low, high, found, flag)
    low, high = np.percentile(spread_over_cell(drawn, cell), [2.5, 97.5])
    low, high = np.clip([low, high], 0.0, most)
    return as_estimate(value, low, high, found, flag)


def spread_over_cell(drawn: np.ndarray, cell: float, seed: int = 0) -> np.ndarray:
    """Redrawn counts of cells, each ``cell`` large, spread evenly over one."""
    places = (np.arange(drawn.size) + 0.5) / drawn.size - 0.5
    return np.asarray(drawn + cell * np.random.default_rng(seed).permutation(places))


def as_estimate(value: float, low: float, high: float, found: ResponseMap, flag: str = "") -> Estimate:
    """The value with its limits; one outside them is what few pulses make of a maximum, and is flagged."""
    slack = 1e-9 * max(abs(low), abs(high))
    if np.isfinite(low) and not low - slack <= value <= high + slack:
        flag = join_flags(flag, "biased_by_few_pulses")
    return Estimate(value, min(low, value), max(high, value), found.n, flag, found.n_rejected)
