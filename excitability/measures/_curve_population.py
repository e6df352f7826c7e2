"""A study's recruitment curves as a sample from a population: empirical Bayes on the draws of each fit.

The parameters of a curve (place, log of width or rate, log of the plateau) are ``z = μ + u + e``: μ the mean of
its session and group, u the participant (covariance B), e the session within the participant (W). What the
trials of one curve say is kept as a normal factor (precision P, precision-weighted mean h), found by drawing
curves under the population and taking the population out again (expectation propagation; Minka 2001), so that a curve
without a plateau says what it knows and no more. μ, B and W follow by EM.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy.special import polygamma

from ._curve_draws import draw_curves
from ._curve_fit import CurveFit, fit_parts, shrunken_parts
from .curves import CURVES, Curve

N_ROUNDS = 6
N_FITS = 2
N_STEPS = 25
#: Weak prior of B and W: as if so many more people of this scatter had been seen.
_SEEN = 2.0
_BETWEEN = {2: (8.0, 0.4, 0.7), 3: (8.0, 0.4, 0.5, 0.7)}
_WITHIN = 0.35  # of the scatter between people
#: The scatter of trials, the floor and the population are taken as known once they are estimated; without this
#: intervals cover 92–95 %.
_HYPER = 1.1


@dataclass
class One:
    """One curve of the study: its trials, its place in the study, and what its trials say."""

    s: np.ndarray
    y: np.ndarray
    participant: int
    level: int
    at: np.ndarray
    covariance: np.ndarray
    phi: float
    rho: float
    criterion: float
    precision: np.ndarray = field(init=False)
    pull: np.ndarray = field(init=False)
    prior: tuple[np.ndarray, np.ndarray] = field(init=False)
    floor: tuple[float, float] = field(init=False)
    draws: np.ndarray = field(init=False)

    @property
    def population(self) -> tuple[np.ndarray, np.ndarray]:
        """Mean and precision of all parameters, the offset last."""
        mean, pull = self.prior
        precision = np.zeros((mean.size + 1, mean.size + 1))
        precision[:-1, :-1], precision[-1, -1] = pull, self.floor[1]
        return np.append(mean, self.floor[0]), precision


def fit_population(
    trials: Sequence[tuple[np.ndarray, np.ndarray]], participants: Sequence[int], levels: Sequence[int], form: str
) -> list[CurveFit]:
    """Curves of a study, each with what the others say about it.

    Parameters
    ----------
    trials : sequence of (intensity, response)
        Single trials of each curve (%MSO, V).
    participants, levels : sequence of int
        Whose curve it is, and which mean it belongs to (session, group), both counted from 0.
    form : str
        Form of the curve; see ``excitability.measures.curves``.
    """
    curve = CURVES[form]
    curves = [One(s, y, participants[i], levels[i], *fit_parts(s, y, curve)) for i, (s, y) in enumerate(trials)]
    _share_scatter(curves)
    scatter = np.diag(np.array(_BETWEEN[curve.n_shape]) ** 2)
    repeated = len(curves) > len({one.participant for one in curves})
    mean = np.tile(np.median([one.at[:-1] for one in curves], axis=0), (max(levels) + 1, 1))
    between, within = scatter.copy(), scatter * (_WITHIN**2 if repeated else 1e-8)
    for one in curves:
        one.prior = mean[one.level], np.linalg.inv(2 * scatter)
    for turn in range(N_ROUNDS):
        if turn < N_FITS:
            _share_floor(curves, curve)
            for one in curves:
                _meet(one, curve)
            _share_scatter(curves)
        for one in curves:
            one.draws = draw_curves(one.s, one.y, one.at, one.covariance, curve, one.phi, one.rho, one.population)
            one.at, one.covariance = typical(one.draws), np.cov(one.draws.T)
            _say(one)
        for _ in range(N_STEPS):
            mean = _means(curves, between + within, mean)
            between, within = _scatters(curves, mean, between, within, scatter, repeated)
        _expect(curves, mean, between, within)
    return [_fit_of(one, form) for one in curves]


class PopulationFit(CurveFit):
    """A fit whose derived values are medians over the draws: its parameters hang together along curved ridges."""

    def derived(self, function: Callable[[np.ndarray], np.ndarray]) -> tuple[float, float, float]:
        """Median and 95 % limits of a function of the parameters (last axis)."""
        low, middle, high = np.percentile(function(self.draws), [2.5, 50, 97.5])
        return float(middle), float(low), float(high)


def typical(draws: np.ndarray) -> np.ndarray:
    """The draw nearest to the middle of all."""
    away = (draws - draws.mean(axis=0)) / np.maximum(draws.std(axis=0), 1e-12)
    return draws[int(np.argmin(np.sum(away**2, axis=1)))]


def _fit_of(one: One, form: str) -> CurveFit:
    low, high = float(one.s.min()), float(one.s.max())
    return PopulationFit(
        form, typical(one.draws), one.draws, (one.phi, one.phi * one.rho), (low, high), one.s.size, one.criterion
    )


def _share_scatter(curves: Sequence[One]) -> None:
    """Scatter of trials drawn towards that of the study, by how alike the curves are (Smyth 2004)."""
    freedom = np.array([max(one.s.size - one.at.size, 2) for one in curves], dtype=float)
    logs = np.log([one.phi for one in curves])
    middle = float(np.median(logs))  # medians: a curve that was misjudged must not set the scatter of all
    excess = (1.4826 * float(np.median(np.abs(logs - middle)))) ** 2 - float(np.mean(polygamma(1, freedom / 2)))
    worth = 2 / max(excess, 0.02)  # trials that the study is worth: the variance of a log χ² is about 2 / freedom
    for one, own in zip(curves, freedom, strict=True):
        one.phi = _HYPER * float((own * one.phi + worth * np.exp(middle)) / (own + worth))


def _meet(one: One, curve: Curve) -> None:
    """Fits a curve anew under its population, from its last fit and from the population, whichever ends better."""
    population = one.population
    found = [shrunken_parts(one.s, one.y, start, curve, population) for start in (one.at, population[0])]
    one.at, one.covariance, one.phi, one.rho, _ = min(found, key=lambda fit: fit[-1])


def _share_floor(curves: Sequence[One], curve: Curve) -> None:
    """Offset of the curves: it is noise, and where one curve has no level below threshold the others know it."""
    sampled = [one for one in curves if curve.shape(np.array([one.s.min()]), one.at[:-2])[0] <= 0.02]
    known = np.array([one.at[-1] for one in (sampled if len(sampled) > 2 else curves)])
    middle = float(np.median(known))
    # of corrected amplitudes the floor is zero, but not known better than its own scatter
    scatter = float(np.median([np.sqrt(one.phi * one.rho) for one in curves]))
    spread = max(1.4826 * float(np.median(np.abs(known - middle))), 0.5 * middle, 0.1 * scatter, 1e-12)
    for one in curves:
        one.floor = middle, 1 / spread**2


def _say(one: One) -> None:
    """What the trials say, as the posterior without the population: never less than a fiftieth of the population."""
    z = one.draws[:, :-1]
    mean, pull = one.prior
    root = np.linalg.cholesky(pull)
    back = np.linalg.inv(root)
    inverse = np.linalg.inv(np.cov(z.T) + 1e-6 * np.linalg.inv(pull))
    values, vectors = np.linalg.eigh(back @ inverse @ back.T)
    along = root @ vectors
    one.precision = (along * np.maximum(values - 1, 0.02)) @ along.T
    one.pull = one.precision @ mean + (one.precision + pull) @ (z.mean(axis=0) - mean)


def _means(curves: Sequence[One], scatter: np.ndarray, last: np.ndarray) -> np.ndarray:
    """Weighted means of the levels."""
    eye = np.eye(scatter.shape[0])
    mean = last.copy()
    for level in range(len(last)):
        own = [one for one in curves if one.level == level]
        weight = sum(np.linalg.solve(eye + one.precision @ scatter, one.precision) for one in own)
        total = sum(np.linalg.solve(eye + one.precision @ scatter, one.pull) for one in own)
        mean[level] = np.linalg.solve(weight + 1e-9 * eye, total + 1e-9 * last[level])
    return mean


def _messages(own: Sequence[One], mean: np.ndarray, within: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """What each curve of a participant says of the participant: precision and precision-weighted mean."""
    eye = np.eye(within.shape[0])
    said = []
    for one in own:
        left = one.pull - one.precision @ mean[one.level]
        spread = eye + one.precision @ within
        said.append((np.linalg.solve(spread, one.precision), np.linalg.solve(spread, left)))
    return said


def _by_participant(curves: Sequence[One]) -> list[list[One]]:
    people: dict[int, list[One]] = {}
    for one in curves:
        people.setdefault(one.participant, []).append(one)
    return list(people.values())


def _scatters(
    curves: Sequence[One],
    mean: np.ndarray,
    between: np.ndarray,
    within: np.ndarray,
    scatter: np.ndarray,
    repeated: bool,
) -> tuple[np.ndarray, np.ndarray]:
    """One EM step of the covariances between and within participants."""
    people = _by_participant(curves)
    total_u, total_e = _SEEN * scatter, _SEEN * _WITHIN**2 * scatter
    inverse_b, inverse_w = np.linalg.inv(between), np.linalg.inv(within)
    for own in people:
        said = _messages(own, mean, within)
        spread = np.linalg.inv(inverse_b + sum(m for m, _ in said))
        u = spread @ sum(h for _, h in said)
        total_u = total_u + spread + np.outer(u, u)
        for one in own if repeated else ():
            a = np.linalg.inv(inverse_w + one.precision)
            e = a @ (one.pull - one.precision @ (mean[one.level] + u))
            through = a @ one.precision
            total_e = total_e + a + np.outer(e, e) + through @ spread @ through.T
    between = total_u / (len(people) + _SEEN)
    return between, total_e / (len(curves) + _SEEN) if repeated else within


def _expect(curves: Sequence[One], mean: np.ndarray, between: np.ndarray, within: np.ndarray) -> None:
    """What the rest of the study says about each curve: the prior of its next draws."""
    counts = np.bincount([one.level for one in curves])
    for own in _by_participant(curves):
        said = _messages(own, mean, within)
        for j, one in enumerate(own):
            others = [said[k] for k in range(len(own)) if k != j]
            spread = np.linalg.inv(np.linalg.inv(between) + sum((m for m, _ in others), np.zeros_like(between)))
            u = spread @ sum((h for _, h in others), np.zeros(len(between)))
            wide = spread + within + (between + within) / counts[one.level]  # the mean is an estimate too
            one.prior = mean[one.level] + u, np.linalg.inv(wide)
