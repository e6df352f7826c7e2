"""Where the pulses of a map lie: sites, the directions of their rows and columns, cells, what was sampled.

Nothing here depends on how a grid is turned in the frame of the navigation.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

#: Positions closer than this are one site (m).
SAME_SITE = 0.001
#: Coil positions farther apart than this cannot be metres on a head.
LARGEST_EXTENT = 0.5
#: Nodes of a surface that can be computed with.
MOST_NODES = 3000
#: Positions are a grid when they scatter less than this about one, in units of its spacing.
_SCATTER = 0.15
_AROUND = [(i, j) for i in (-1, 0, 1) for j in (-1, 0, 1) if i or j]


@dataclass(frozen=True)
class Grid:
    """A square grid, turned as it may be.

    Attributes
    ----------
    axes : ndarray, shape (2, 2)
        Directions of its rows and columns, in columns.
    spacing : float
        Distance of neighbouring sites (m).
    """

    axes: np.ndarray
    spacing: float

    def cells(self, flat: np.ndarray) -> np.ndarray:
        """Row and column of positions on the grid, from 0; shape (n, 2)."""
        along = flat @ self.axes / self.spacing
        phase = np.angle(np.exp(2j * np.pi * along).mean(axis=0)) / (2 * np.pi)
        cells = np.round(along - phase).astype(int)
        return np.asarray(cells - cells.min(axis=0))

    def neighbours(self, flat: np.ndarray) -> np.ndarray:
        """Number of the site in each of the eight cells around a site, -1 where there is none; (n_sites, 8)."""
        cells = self.cells(flat)
        number = {tuple(cell): i for i, cell in enumerate(cells.tolist())}
        return np.array([[number.get((row + i, column + j), -1) for i, j in _AROUND] for row, column in cells.tolist()])

    def outside(self, flat: np.ndarray) -> np.ndarray:
        """Which cells beside the map would be needed were a site active; (n_sites, n_cells)."""
        cells, missing = self.cells(flat), self.neighbours(flat) < 0
        wanted = (cells[:, None] + np.array(_AROUND))[missing]
        needed = np.zeros((len(flat), 0), dtype=bool)
        if len(wanted):
            places, number = np.unique(wanted, axis=0, return_inverse=True)
            needed = np.zeros((len(flat), len(places)), dtype=bool)
            needed[np.nonzero(missing)[0], number.ravel()] = True
        return needed

    def rectangle(self, flat: np.ndarray) -> np.ndarray:
        """Middles of the cells of the smallest rectangle along the grid that holds the positions."""
        along = flat @ self.axes
        low, high = along.min(axis=0), along.max(axis=0)
        count = np.floor((high - low) / self.spacing + 0.5 + 1e-9).astype(int) + 1
        if count.prod() > MOST_NODES:
            raise ValueError(
                f"spacing={self.spacing:g} m makes {count.prod()} nodes of a map of {1e3 * (high - low)[0]:.0f} × "
                f"{1e3 * (high - low)[1]:.0f} mm; expected at most {MOST_NODES}, so a larger spacing (m)"
            )
        steps = [(np.arange(n) - (n - 1) / 2) * self.spacing for n in count]
        nodes = np.stack([axis.ravel() for axis in np.meshgrid(*steps)], axis=1)
        return np.asarray((nodes + (low + high) / 2) @ self.axes.T)

    def coverage(self, flat: np.ndarray, scattered: bool) -> float:
        """Share of the cells of the stimulated rectangle that hold a pulse, or have one near where it is scattered."""
        if not scattered:
            cells = self.cells(flat)
            return float(len(np.unique(cells, axis=0)) / np.prod(np.ptp(cells, axis=0) + 1))
        from scipy.spatial import cKDTree

        return float(np.mean(cKDTree(flat).query(self.rectangle(flat))[0] <= self.spacing))


def check_positions(place: np.ndarray, spacing: float | None) -> None:
    """Refuse positions that are not metres, and a spacing that is none."""
    extent = float(np.max(np.ptp(place, axis=0)))
    if extent > LARGEST_EXTENT:
        raise ValueError(
            f"coil positions lie {extent:g} m apart; expected metres within a head: millimetres? divide them by 1000"
        )
    if spacing is not None and not 0 < spacing <= LARGEST_EXTENT:
        raise ValueError(f"spacing={spacing:g}; expected the distance of sites in metres, such as 0.01")


def joined(flat: np.ndarray) -> np.ndarray:
    """Number of the site of each position, shape (n,): those within ``SAME_SITE`` of one are that one.

    Examples
    --------
    >>> joined(np.array([[0, 0], [0.0104, 0], [0.0004, 0], [0.0106, 0]])).tolist()
    [0, 1, 0, 1]
    """
    order = np.argsort(np.round(np.linalg.norm(flat - flat.mean(axis=0), axis=1), 9), kind="stable")
    first: list[int] = []
    at = np.empty(len(flat), dtype=int)
    for i in order.tolist():
        apart = np.linalg.norm(flat[first] - flat[i], axis=1) if first else np.empty(0)
        if apart.size and apart.min() < SAME_SITE:
            at[i] = int(apart.argmin())
        else:
            at[i] = len(first)
            first.append(i)
    return np.unique(at, return_inverse=True)[1]


def find_grid(spots: np.ndarray) -> Grid | None:
    """The square grid that sites lie on, None where they are scattered.

    Neighbours tell its direction and about its spacing; a fit to all sites both exactly.

    Examples
    --------
    >>> turn = np.array([[0.8, -0.6], [0.6, 0.8]])
    >>> sites = 0.01 * np.array([[i, j] for i in range(4) for j in range(4)]) @ turn.T
    >>> grid = find_grid(sites)
    >>> round(grid.spacing, 6), np.abs(grid.axes).round(6).tolist()
    (0.01, [[0.8, 0.6], [0.6, 0.8]])
    """
    from scipy.spatial import cKDTree

    place = spots @ np.array([1, 1j])
    tree = cKDTree(spots)
    near = float(np.median(tree.query(spots, k=2)[0][:, 1]))
    pairs = tree.query_pairs(1.3 * near, output_type="ndarray")
    ways = place[pairs[:, 1]] - place[pairs[:, 0]]
    turn = np.exp(0.25j * np.angle(np.sum((ways / np.abs(ways)) ** 4)))
    rest = (place - place.mean()) / turn
    steps = near * np.append(1.0, np.linspace(0.92, 1.25, 67))
    # how well the sites of each spacing agree on where its rows and columns are
    both = np.stack([rest.real, rest.imag])[:, None] / steps[:, None]
    agree = np.abs(np.exp(2j * np.pi * both).mean(axis=2)).sum(axis=0)
    cells = Grid(np.eye(2), float(steps[int(np.argmax(agree))])).cells(np.stack([rest.real, rest.imag], axis=1))
    if len(np.unique(cells, axis=0)) < len(cells):
        return None
    number = cells @ np.array([1, 1j]) - (cells @ np.array([1, 1j])).mean()
    scale = np.vdot(number, place) / np.vdot(number, number)
    apart = np.abs(place - place.mean() - scale * number) / abs(scale)
    if np.sqrt(np.mean(apart**2) / 2) > _SCATTER * np.sqrt(1 - 2 / len(cells)):
        return None
    return Grid(_directions(scale / abs(scale)), float(abs(scale)))


def grid_over(spots: np.ndarray, spacing: float | None) -> Grid:
    """A grid along the smallest rectangle around scattered positions; its spacing is the room that each has."""
    from scipy.spatial import ConvexHull, QhullError, cKDTree

    try:
        outline = spots[ConvexHull(spots).vertices]
        sides = np.roll(outline, -1, axis=0) - outline
    except QhullError:  # on one line
        sides = np.linalg.svd(spots - spots.mean(axis=0), full_matrices=False)[2][:1]
    turns = (sides @ np.array([1, 1j])) / np.linalg.norm(sides, axis=1)
    areas = [np.prod(np.ptp(spots @ _directions(turn), axis=0)) for turn in turns]
    axes = _directions(turns[int(np.argmin(np.round(np.array(areas), 12)))])
    near = float(np.median(cKDTree(spots).query(spots, k=2)[0][:, 1]))
    return Grid(axes, spacing or max(float(np.sqrt(min(areas) / len(spots))), near))


def _directions(turn: complex) -> np.ndarray:
    """Two directions at a right angle, the first within 45° of x, from one of them."""
    turn = turn / 1j ** int(np.round(np.angle(turn) / (np.pi / 2)))
    return np.array([[turn.real, -turn.imag], [turn.imag, turn.real]])
