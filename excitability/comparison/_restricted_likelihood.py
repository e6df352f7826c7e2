"""The restricted likelihood of a mixed model from sums over cells, with its derivatives in the variances.

A cell is a set of rows with the same random effects. The covariance of a participant's cells is a sum of
known matrices times unknown variances: ones where two cells share a random intercept, products of the
slope's variable for a random slope. Bates et al. 2015 (10.18637/jss.v067.i01) give the profiled criterion.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd


@dataclass(frozen=True)
class Cells:
    """Sufficient statistics; padded to the largest number of cells, a padded cell holds no row."""

    n_rows: int
    counts: np.ndarray  # (n_participants, n_cells)
    z_x: np.ndarray  # (n_participants, n_cells, n_columns): sums of the design over the rows of a cell
    z_y: np.ndarray  # (n_participants, n_cells)
    x_x: np.ndarray
    x_y: np.ndarray
    y_y: float
    bases: np.ndarray  # (n_effects, n_participants, n_cells, n_cells): what a variance contributes
    classes: np.ndarray  # (n_participants,): class of participants with variances of its own
    n_classes: int
    has_slope: bool  # then the first three effects are intercept, slope and their covariance

    @property
    def free_rows(self) -> int:
        """Rows less fixed effects."""
        return self.n_rows - len(self.x_y)


def cells_of(
    y: np.ndarray,
    x: np.ndarray,
    random: Mapping[str, np.ndarray],
    slope: np.ndarray | None = None,
    by: np.ndarray | None = None,
) -> Cells:
    """Sum the rows of each cell; see :func:`mixed_model` for the arguments."""
    codes = [_codes(labels, name) for name, labels in random.items()]
    if codes[0].max(initial=0) < 1:
        raise ValueError("a mixed model needs two or more participants")
    finest = codes[0]
    for code in codes[1:] if slope is None else [*codes[1:], _codes(slope, "slope")]:
        finest = pd.factorize(finest * (code.max() + 1) + code)[0].astype(np.int64)
    n_cells = int(finest.max()) + 1
    sums = [np.bincount(finest, weights=column, minlength=n_cells) for column in (y, *x.T)]
    counts = np.bincount(finest, minlength=n_cells).astype(float)
    first = np.empty(n_cells, dtype=np.int64)
    first[finest[::-1]] = np.arange(len(y))[::-1]
    owner = codes[0][first]
    order = np.argsort(owner, kind="stable")
    sizes = np.bincount(owner)
    place = np.arange(n_cells) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    shape = (len(sizes), int(sizes.max()))

    def laid_out(column: np.ndarray, empty: float = 0.0) -> np.ndarray:
        padded = np.full(shape, empty, dtype=column.dtype)
        padded[owner[order], place] = column[order]
        return padded

    labels = [laid_out(code[first], -1) for code in codes]
    bases = [(label[:, :, None] == label[:, None, :]) & (label >= 0)[:, :, None] for label in labels]
    if slope is not None:
        along = laid_out(np.asarray(slope, dtype=float)[first])
        here = (labels[0] >= 0).astype(float)
        product = along[:, :, None] * along[:, None, :]
        mixed = along[:, :, None] * here[:, None, :] + here[:, :, None] * along[:, None, :]
        bases[1:1] = [product, mixed]
    classes = np.zeros(shape[0], dtype=np.int64) if by is None else _classes(by, codes[0], shape[0])
    return Cells(
        n_rows=len(y),
        counts=laid_out(counts),
        z_x=np.stack([laid_out(column) for column in sums[1:]], axis=-1),
        z_y=laid_out(sums[0]),
        x_x=x.T @ x,
        x_y=x.T @ y,
        y_y=float(y @ y),
        bases=np.array(bases, dtype=float),
        classes=classes,
        n_classes=int(classes.max()) + 1,
        has_slope=slope is not None,
    )


def _codes(labels: np.ndarray, name: str) -> np.ndarray:
    codes = pd.factorize(np.asarray(labels))[0].astype(np.int64)
    if codes.min(initial=0) < 0:
        raise ValueError(f"random effect {name!r} has no label in row {int(np.argmin(codes))}; leave out such rows")
    return codes


def _classes(by: np.ndarray, person: np.ndarray, n: int) -> np.ndarray:
    codes = _codes(by, "by")
    classes = np.zeros(n, dtype=np.int64)
    classes[person] = codes
    if (classes[person] != codes).any():
        raise ValueError("by must be the same in all rows of a participant")
    return classes


def told_apart(cells: Cells) -> bool:
    """Whether the random effects, and the residual, have different covariances in every class."""
    flat = [basis.reshape(len(cells.classes), -1) for basis in cells.bases]
    if (cells.counts <= 1).all():  # one row a cell: the residual is one more effect of cells
        n_cells = cells.counts.shape[1]
        flat.append((cells.counts[:, :, None] * np.eye(n_cells)).reshape(len(cells.classes), -1))
    for number in range(cells.n_classes):
        rows = np.array([part[cells.classes == number].ravel() for part in flat])
        norms = np.sqrt(np.sum(rows**2, axis=1))
        if (norms == 0).any():
            return False
        rows = rows / norms[:, None]
        if np.linalg.matrix_rank(rows @ rows.T, tol=1e-9, hermitian=True) < len(rows):
            return False
    return True


@dataclass(frozen=True)
class Pieces:
    """What the criterion and its derivatives need, for given ratios of variances to the residual one."""

    beta: np.ndarray
    inverse: np.ndarray  # (X'WX)^-1, W = inverse of V / sigma2
    squares: float  # (y - Xb)'W(y - Xb)
    log_determinant: float  # log|V / sigma2| + log|X'WX|
    k: np.ndarray  # Z'WZ
    q: np.ndarray  # Z'WX
    r: np.ndarray  # Z'W(y - Xb)


def pieces_of(ratios: np.ndarray, cells: Cells) -> Pieces:
    """Woodbury's identity within participants; ``ratios`` is (n_effects, n_classes)."""
    n_people, n_cells, n_columns = cells.z_x.shape
    if cells.n_classes == 1:
        between = np.tensordot(ratios[:, 0], cells.bases, axes=1)
    else:
        between = np.einsum("ip,ipab->pab", ratios[:, cells.classes], cells.bases)
    system = cells.counts[:, :, None] * between
    system[:, np.arange(n_cells), np.arange(n_cells)] += 1.0
    solve = np.linalg.inv(system)
    both = solve @ np.concatenate([cells.z_x, cells.z_y[:, :, None]], axis=2)
    spread = (between @ both).reshape(n_people * n_cells, n_columns + 1)
    z_x = cells.z_x.reshape(n_people * n_cells, n_columns)
    x_w_xy = np.column_stack([cells.x_x, cells.x_y]) - z_x.T @ spread
    inverse = np.linalg.inv(x_w_xy[:, :-1])
    beta = inverse @ x_w_xy[:, -1]
    y_w_y = cells.y_y - float(cells.z_y.ravel() @ spread[:, -1])
    q = both[:, :, :-1]
    return Pieces(
        beta=beta,
        inverse=inverse,
        squares=max(y_w_y - float(beta @ x_w_xy[:, -1]), 1e-300),
        log_determinant=float(np.linalg.slogdet(system)[1].sum() - np.linalg.slogdet(inverse)[1]),
        k=solve * cells.counts[:, None, :],
        q=q,
        r=both[:, :, -1] - q @ beta,
    )


def profile(ratios: np.ndarray, cells: Cells) -> tuple[float, Pieces, float]:
    """−2 log restricted likelihood with β and σ² profiled out, the pieces behind it, and σ²."""
    pieces = pieces_of(ratios, cells)
    sigma2 = pieces.squares / cells.free_rows
    return pieces.log_determinant + cells.free_rows * (1 + math.log(2 * math.pi * sigma2)), pieces, sigma2


def _in_classes(found: np.ndarray, cells: Cells) -> np.ndarray:
    """Sums over the participants of each class: (n_effects, n_participants, …) to (n_effects, n_classes, …)."""
    if cells.n_classes == 1:
        return found.sum(axis=1, keepdims=True)
    return np.stack([found[:, cells.classes == number].sum(axis=1) for number in range(cells.n_classes)], axis=1)


def slopes_of(pieces: Pieces, cells: Cells) -> tuple[np.ndarray, np.ndarray]:
    """For each variance tr(P V_k) and the quadratic form y'P V_k P y, both for sigma2 = 1 and (effects, classes)."""
    traces = np.sum(pieces.k * cells.bases, axis=(2, 3))
    traces -= np.sum((pieces.q @ pieces.inverse) * (cells.bases @ pieces.q), axis=(2, 3))
    r = pieces.r[:, :, None]
    forms = np.sum(r * (cells.bases @ r), axis=(2, 3))
    return _in_classes(traces, cells), _in_classes(forms, cells)


def information_of(pieces: Pieces, cells: Cells) -> np.ndarray:
    """tr(P V_k P V_l) of every pair of variances, the expected Hessian; effects run slower than classes."""
    n_effects, n_people = cells.bases.shape[:2]
    reach, spread = cells.bases @ pieces.q, cells.bases @ pieces.k
    people = (n_people, n_effects, -1)

    def by_person(part: np.ndarray) -> np.ndarray:
        return np.ascontiguousarray(np.moveaxis(part, 1, 0)).reshape(people)

    own = by_person(spread) @ by_person(spread.swapaxes(2, 3)).swapaxes(1, 2)
    own -= 2 * by_person(reach @ pieces.inverse) @ by_person(pieces.k @ reach).swapaxes(1, 2)
    whole = _in_classes(np.moveaxis(own, 0, 1), cells)  # (n_effects, n_classes, n_effects)
    found = np.zeros((n_effects, cells.n_classes, n_effects, cells.n_classes))
    for number in range(cells.n_classes):
        found[:, number, :, number] = whole[:, number]
    size = n_effects * cells.n_classes
    middle = pieces.inverse @ _in_classes(pieces.q.swapaxes(1, 2) @ reach, cells)
    rows = middle.reshape(size, -1)
    return found.reshape(size, size) + rows @ middle.swapaxes(2, 3).reshape(size, -1).T


def gradient_of(variances: np.ndarray, sigma2: float, cells: Cells) -> tuple[np.ndarray, float]:
    """Gradient of −2 log restricted likelihood in the variances (effects, classes), and in the residual one."""
    pieces = pieces_of(variances / sigma2, cells)
    traces, forms = slopes_of(pieces, cells)
    slopes = traces / sigma2 - forms / sigma2**2
    # the criterion is homogeneous: sum of variance × slope = free − y'Py
    last = (cells.free_rows - pieces.squares / sigma2 - float(np.sum(variances * slopes))) / sigma2
    return slopes, last


def variance_gradient_of(
    cells: Cells, variances: np.ndarray, sigma2: float, weights: np.ndarray
) -> tuple[np.ndarray, float]:
    """Gradient of the variance of ``weights @ β``, in the same order."""
    pieces = pieces_of(variances / sigma2, cells)
    a = pieces.inverse @ weights
    reach = (pieces.q @ a)[:, :, None]
    slopes = _in_classes(np.sum(reach * (cells.bases @ reach), axis=(2, 3)), cells)
    # homogeneous again: sum of variance × slope = var(c'β)
    return slopes, float(weights @ a) - float(np.sum(variances * slopes)) / sigma2
