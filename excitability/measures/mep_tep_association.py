"""Whether larger muscle responses go with larger brain responses, from trial to trial."""

from __future__ import annotations

import numpy as np

from ..schema import Estimate
from ._evoked import window_mask
from ._registry import measure

_FEWEST = 10


@measure(kind="epochs", unit={"correlation": "1", "p_value": "1"}, references=["10.1007/BF02294183"])
def mep_tep_association(
    x: np.ndarray,
    times: np.ndarray,
    *,
    responses: np.ndarray | None = None,
    window: tuple[float, float] = (0.025, 0.035),
    second_window: tuple[float, float] | None = None,
    detrend: bool = True,
    n_permutations: int = 2000,
    seed: int = 0,
) -> dict[str, Estimate]:
    """Rank correlation of the muscle's response with the amplitude over a region in single trials.

    Parameters
    ----------
    x : ndarray, shape (n_trials, n_channels, n_times)
        Cleaned trials in the order of recording, V; channels are averaged.
    times : ndarray, shape (n_times,)
        s from the pulse.
    responses : ndarray, shape (n_trials,)
        MEP of each trial, such as ``epochs.metadata["mep_amplitude"]``; a trial with NaN is left out. A protocol hands
        over the column named by ``of`` of its kept trials.
    window : tuple of float
        Where the amplitude is the mean, s: about a component.
    second_window : tuple of float, optional
        A mean that is subtracted, s: of a neighbouring component of opposite sign.
    detrend : bool
        Take a linear trend over the trials off both ranks first: responses that both wane over a session are associated
        without having anything to do with one another.
    n_permutations : int
        Orders tried for the p value.
    seed : int
        Seed of the permutations.

    Returns
    -------
    dict of Estimate
        ``correlation`` with its 95 % interval (Bonett & Wright 2000) and ``p_value``, two-sided, from permuted trials.
        NaN with ``no_responses``, ``too_few_trials`` (fewer than 10) or ``no_variation``.

    Notes
    -----
    What to hold against a correlation: noise of single trials draws it towards 0, so that small ones may hide a tight
    coupling and two sessions may differ by their noise alone; a coil that moves changes both responses; from about
    60 ms on, the twitch itself comes back as sensation; and artefacts that scale with the muscle's twitch or with the
    stimulus look like brain. Trends that are not linear remain.

    References
    ----------
    doi:10.1007/BF02294183

    Examples
    --------
    >>> rng, times = np.random.default_rng(0), np.arange(-100, 200) / 1000.0
    >>> excitability = rng.standard_normal(80)
    >>> x = 1e-6 * rng.standard_normal((80, 2, 300)) + 5e-6 * excitability[:, None, None] * (times > 0.02)
    >>> found = mep_tep_association(x, times, responses=1e-3 * np.exp(excitability))
    >>> bool(found["correlation"] > 0.9), bool(found["p_value"] < 0.01)
    (True, True)
    """
    inside = window_mask(times, window, "mep_tep_association")
    amplitude = x[..., inside].mean(axis=(1, 2))
    if second_window is not None:
        amplitude = amplitude - x[..., window_mask(times, second_window, "mep_tep_association")].mean(axis=(1, 2))
    if responses is None:
        return _nothing("no_responses", 0)
    given = np.asarray(responses, dtype=float)
    if given.shape != (len(x),):
        raise ValueError(
            f"mep_tep_association: responses has shape {given.shape}; expected one value a trial, {len(x)}"
        )
    known = np.flatnonzero(np.isfinite(given) & np.isfinite(amplitude))
    n = known.size
    if n < _FEWEST:
        return _nothing("no_responses" if not np.isfinite(given).any() else "too_few_trials", n)
    ranks = [_centred_ranks(values[known], known if detrend else None) for values in (amplitude, given)]
    sizes = [float(np.linalg.norm(one)) for one in ranks]
    if min(sizes) < 1e-9 * n:
        return _nothing("no_variation", n)
    first, second = (one / size for one, size in zip(ranks, sizes, strict=True))
    value = float(np.clip(first @ second, -1, 1))
    rng = np.random.default_rng(seed)
    chance = np.array([first @ rng.permutation(second) for _ in range(n_permutations)])
    p = (1 + np.sum(np.abs(chance) >= abs(value) - 1e-12)) / (1 + n_permutations)
    half = 1.96 * np.sqrt((1 + value**2 / 2) / (n - 3 - detrend))
    middle = np.arctanh(np.clip(value, -1 + 1e-12, 1 - 1e-12))
    return {
        "correlation": Estimate(value, np.tanh(middle - half), np.tanh(middle + half), n=n),
        "p_value": Estimate(p, n=n),
    }


def _centred_ranks(values: np.ndarray, order: np.ndarray | None) -> np.ndarray:
    """Ranks (ties share theirs) minus their mean, or minus their linear trend over the order of the trials."""
    from scipy.stats import rankdata

    ranks = rankdata(values)
    ranks = ranks - ranks.mean()
    if order is None:
        return ranks
    place = order - order.mean()
    return ranks - place * (place @ ranks) / (place @ place)


def _nothing(flag: str, n: int) -> dict[str, Estimate]:
    return {key: Estimate(np.nan, n=n, flag=flag) for key in ("correlation", "p_value")}
