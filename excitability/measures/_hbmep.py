"""Recruitment curves of a study by hbMEP, the hierarchical Bayesian model of Tyagi et al. (2024), sampled by MCMC."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec

import numpy as np
import pandas as pd

from ._curve_fit import CurveFit, scatter_of
from ._curve_population import PopulationFit, typical
from .curves import CURVES

#: Our names of the curves that hbMEP knows -> its own.
MODELS = {"rectified_logistic": "rectified_logistic", "boltzmann": "logistic4"}
#: hbMEP 0.9.0 declares numpy < 2 but computes the same on 2: it is installed without what it requires, which the extra
#: installs.
INSTALL = 'pip install "excitability[bayes]" && pip install --no-deps hbmep==0.9.0'
#: Largest potential scale reduction (Gelman and Rubin) of chains that agree.
AGREED = 1.05
_SMALLEST = 1e-9  # draws of plateaus and rates (mV, 1/%MSO) whose logarithm is taken


def need_hbmep() -> None:
    """Say what to type where hbMEP is missing, before anything is computed."""
    if find_spec("hbmep") is None:
        raise ImportError(f"method 'hbmep' needs the library hbmep, which is not installed: {INSTALL}")


def fit_hbmep(
    trials: Sequence[tuple[np.ndarray, np.ndarray]],
    levels: Sequence[int],
    form: str,
    seed: int = 0,
    n_chains: int = 4,
    n_warmup: int = 1000,
    n_draws: int = 1000,
) -> list[tuple[CurveFit, str]]:
    """Curves of a study from the posterior of hbMEP, every level (session, group) a population of its own.

    Parameters
    ----------
    trials : sequence of (intensity, response)
        Single trials of each curve (%MSO, V); hbMEP's priors are meant for these units.
    levels : sequence of int
        Which population each curve belongs to, counted from 0.
    form : {"rectified_logistic", "boltzmann"}
        Form of the curve; ``boltzmann`` is hbMEP's ``logistic4``.
    seed, n_chains, n_warmup, n_draws : int
        Of the sampler; draws are counted a chain, after the warm-up.

    Returns
    -------
    list of (CurveFit, flag)
        One a curve; the flag is ``chains_disagree`` where its chains did not reach the same distribution.
    """
    posteriors: dict[int, np.ndarray] = {}
    for level in dict.fromkeys(levels):
        own = [i for i, at in enumerate(levels) if at == level]
        draws = _posterior([trials[i] for i in own], form, seed, n_chains, n_warmup, n_draws)
        posteriors |= {i: draws[j] for j, i in enumerate(own)}
    return [(_fit_of(s, y, form, posteriors[i]), _agreement(posteriors[i])) for i, (s, y) in enumerate(trials)]


def _posterior(
    trials: Sequence[tuple[np.ndarray, np.ndarray]], form: str, seed: int, n_chains: int, n_warmup: int, n_draws: int
) -> np.ndarray:
    """Draws of one population in the parameters of ``curves``: (n_curves, n_chains, n_draws, n_parameters)."""
    with _silence():
        import jax
        from hbmep import StandardHB

        # chains run beside one another where hbMEP has told JAX of enough cores
        how = "parallel" if jax.local_device_count() >= n_chains else "sequential"
        sampler = {"num_chains": n_chains, "num_warmup": n_warmup, "num_samples": n_draws}
        model = StandardHB(
            key=jax.random.key(seed),
            config={
                "variables": {"intensity": "intensity", "features": ["curve"], "response": ["response"]},
                "mcmc_kw": sampler | {"chain_method": how, "progress_bar": False},
            },
        )
        model._model = getattr(model, MODELS[form])  # hbMEP's documented way to choose a curve
        table = pd.concat(
            [pd.DataFrame({"curve": i, "intensity": s, "response": 1e3 * y}) for i, (s, y) in enumerate(trials)],
            ignore_index=True,
        )
        coded, _ = model.process(table)
        _, posterior = model.run(coded)
    found = {
        name: np.moveaxis(np.asarray(posterior[name]).reshape(n_chains, n_draws, len(trials)), -1, 0)
        for name in ("a", "b", "g", "h", "v")
        if name in posterior
    }
    rate, height = np.maximum(found["b"], _SMALLEST), np.maximum(found["h"], _SMALLEST)
    if form == "boltzmann":
        theta = [found["a"], -np.log(rate)]
    else:
        theta = [found["a"], np.log(rate), np.log(np.maximum(found["v"], _SMALLEST) / height)]
    return np.stack([*theta, np.log(1e-3 * height), 1e-3 * found["g"]], axis=-1)


@contextmanager
def _silence() -> Iterator[None]:
    """HbMEP logs every step to the console, and JAX warns of processors that it does not find."""
    log = logging.getLogger("hbmep")
    before = log.level
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        log.setLevel(logging.WARNING)
        try:
            yield
        finally:
            log.setLevel(before)


def _fit_of(s: np.ndarray, y: np.ndarray, form: str, posterior: np.ndarray) -> CurveFit:
    draws = posterior.reshape(-1, posterior.shape[-1])
    middle = typical(draws)
    phi, rho, _ = scatter_of(s, y, middle, CURVES[form])
    return PopulationFit(form, middle, draws, (phi, phi * rho), (float(s.min()), float(s.max())), s.size, np.nan)


def _agreement(posterior: np.ndarray) -> str:
    """Whether the halves of all chains of one curve agree, in everything but the offset."""
    half = posterior.shape[1] // 2
    parts = np.concatenate([posterior[:, :half, :-1], posterior[:, half : 2 * half, :-1]])
    within = parts.var(axis=1, ddof=1).mean(axis=0)
    between = parts.mean(axis=1).var(axis=0, ddof=1)
    return "" if np.all(np.sqrt((half - 1) / half + between / within) <= AGREED) else "chains_disagree"
