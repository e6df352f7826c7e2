"""How many people and trials a study needs, simulated from a laboratory's own variances."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import special

from ..schema import unknown_word
from .variance_components import VarianceComponents

#: What is compared with what.
DESIGNS = {
    "pre_post": "one group before and after (one-sample t of the changes)",
    "two_groups": "changes of two groups of n each (Welch's t)",
    "crossover": "everybody in both arms, before and after in each (one-sample t of the differences of changes)",
}
_MOST = 1000  # people a group beyond which no sample size is looked for
_BATCH = 2_000_000  # numbers drawn at a time


@dataclass(frozen=True)
class Power:
    """Share of simulated studies that found the change, with its Monte-Carlo error.

    Attributes
    ----------
    power : float
    standard_error : float
        Of ``power``, from the number of simulated studies.
    n : int
        People; of two groups in each of them.
    trials : int
        Trials a session (of each kind, for a ratio).
    effect : float
        True change, or difference of changes, on the scale of the components.
    half_width : float
        Median half width of the 95 % interval, on the same scale.
    design : str
    n_studies, seed : int
    """

    power: float
    standard_error: float
    n: int
    trials: int
    effect: float
    half_width: float
    design: str
    n_studies: int
    seed: int


def power(
    components: VarianceComponents,
    effect: float,
    n: int,
    trials: int = 20,
    *,
    design: str = "pre_post",
    response: float = 0.0,
    dropout: float = 0.0,
    alpha: float = 0.05,
    n_studies: int = 4000,
    seed: int = 0,
) -> Power:
    """Simulate studies and count those that find a change.

    Parameters
    ----------
    components : VarianceComponents
        From :func:`variance_components`.
    effect : float
        True mean change on their scale: ``np.log(1.25)`` for + 25 % of an amplitude or ratio; in two groups and in a
        crossover the difference of changes.
    n : int
        People; in each of two groups.
    trials : int
        Trials a session, of each kind for a ratio. Without a variance of trials it has no effect.
    design : {"pre_post", "two_groups", "crossover"}
        See :data:`DESIGNS`.
    response : float
        Standard deviation of people's true changes around the mean one.
    dropout : float
        Share of people without a complete set of sessions.
    alpha : float
        Two-sided level.
    n_studies : int
    seed : int

    Returns
    -------
    Power

    Raises
    ------
    ValueError
        For an unknown design, fewer than two people left in a group, shares outside 0 to 1, or no study.

    Examples
    --------
    >>> components = VarianceComponents("mep_amplitude", True, 0.5, 0.15, 0.5)
    >>> found = power(components, np.log(1.3), n=16, trials=20, seed=1)
    >>> found.power > 0.9, round(found.standard_error, 3) < 0.01
    (True, True)
    """
    _check(design, n, trials, dropout, alpha, n_studies, response)
    if not math.isfinite(effect):
        raise ValueError(f"effect is the change to find, a number, not {effect}")
    left = math.floor(n * (1 - dropout))
    if left < 2:
        raise ValueError(f"{left} of {n} people are left after dropout; two or more are needed")
    found, widths = [], []
    rng = np.random.default_rng(seed)
    batch = max(1, _BATCH // (8 * left))
    for start in range(0, n_studies, batch):
        studies = min(batch, n_studies - start)
        t, df, half = _tests(components, effect, left, trials, design, response, studies, rng)
        found.append(2 * special.stdtr(df, -np.abs(t)) < alpha)
        widths.append(half)
    share = float(np.mean(np.concatenate(found)))
    error = math.sqrt(max(share * (1 - share), 1 / n_studies) / n_studies)
    return Power(share, error, n, trials, effect, float(np.median(np.concatenate(widths))), design, n_studies, seed)


def sample_size(
    components: VarianceComponents,
    effect: float,
    trials: int = 20,
    *,
    wanted: float = 0.8,
    design: str = "pre_post",
    response: float = 0.0,
    dropout: float = 0.0,
    alpha: float = 0.05,
    n_studies: int = 4000,
    seed: int = 0,
) -> Power:
    """Fewest people with whom a study finds a change with the wanted power.

    Parameters
    ----------
    components, effect, trials, design, response, dropout, alpha, n_studies, seed
        As in :func:`power`.
    wanted : float
        Power.

    Returns
    -------
    Power
        Of the smallest n whose simulated power is at least ``wanted``; its Monte-Carlo error says how sure that is.

    Raises
    ------
    ValueError
        As :func:`power`, and where 1000 people are not enough.

    Examples
    --------
    >>> components = VarianceComponents("mep_amplitude", True, 0.5, 0.2, 0.5)
    >>> found = sample_size(components, np.log(1.25), trials=20, n_studies=2000)
    >>> found.power >= 0.8, 15 < found.n < 35
    (True, True)
    """
    if not 0 < wanted < 1:
        raise ValueError(f"wanted power lies between 0 and 1, not {wanted:g}")
    if effect == 0:
        raise ValueError("an effect of 0 is never found; say the smallest change that matters")

    def at(n: int) -> Power:
        return power(
            components, effect, n, trials, design=design, response=response, dropout=dropout, alpha=alpha,
            n_studies=n_studies, seed=seed,
        )  # fmt: skip

    low = math.ceil(2 / (1 - dropout)) if dropout < 1 else 2
    if (found := at(low)).power >= wanted:
        return found
    high = 2 * low
    while (found := at(high)).power < wanted:
        if high >= _MOST:
            raise ValueError(f"{high} people have a power of {found.power:.2f}; ask for a larger effect or more trials")
        low, high = high, min(2 * high, _MOST)
    while high - low > 1:
        middle = (low + high) // 2
        trial = at(middle)
        low, high, found = (low, middle, trial) if trial.power >= wanted else (middle, high, found)
    return found


def _tests(
    components: VarianceComponents,
    effect: float,
    n: int,
    trials: int,
    design: str,
    response: float,
    studies: int,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """t, degrees of freedom and half width of the interval of each study."""
    error = components.standard_error(trials)

    def changes(mean: float, spread: float) -> np.ndarray:
        sessions = rng.normal(0.0, error, (2, studies, n))
        return mean + sessions[1] - sessions[0] + spread * rng.standard_normal((studies, n))

    if design == "two_groups":
        one, two = changes(effect, response), changes(0.0, response)
        parts = one.var(axis=1, ddof=1) / n, two.var(axis=1, ddof=1) / n
        variance = parts[0] + parts[1]
        df = variance**2 / ((parts[0] ** 2 + parts[1] ** 2) / (n - 1))
        mean = one.mean(axis=1) - two.mean(axis=1)
    else:
        change = changes(effect, response)
        if design == "crossover":
            change = change - changes(0.0, response)
        variance, mean = change.var(axis=1, ddof=1) / n, change.mean(axis=1)
        df = np.full(studies, n - 1.0)
    spread = np.sqrt(variance)
    return mean / spread, df, special.stdtrit(df, 0.975) * spread


def _check(design: str, n: int, trials: int, dropout: float, alpha: float, n_studies: int, response: float) -> None:
    if design not in DESIGNS:
        raise ValueError(unknown_word("design", design, DESIGNS))
    for name, number in (("n", n), ("trials", trials), ("n_studies", n_studies)):
        if number != int(number):
            raise ValueError(f"{name} is a whole number, not {number:g}")
    if n < 2 or trials < 1 or n_studies < 1:
        raise ValueError(f"two people, one trial and one study or more are needed, got {n}, {trials} and {n_studies}")
    if not (0 <= dropout < 1 and 0 < alpha < 1):
        raise ValueError(f"dropout is a share from 0 and alpha one between 0 and 1, got {dropout:g} and {alpha:g}")
    if not response >= 0:
        raise ValueError(f"response is a standard deviation, 0 or more, not {response:g}")
