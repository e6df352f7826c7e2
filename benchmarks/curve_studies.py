"""Simulated studies of recruitment curves with known thresholds and half-maxima, of several constructions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

#: Scatter of people: SD of the place (%MSO) and of the logarithms of width and plateau.
PLACE, WIDTH, PLATEAU = 7.0, 0.3, 0.6
LEVELS = np.arange(30.0, 91, 5)


@dataclass(frozen=True)
class Study:
    """Trials (``participant``, ``session``, ``channel``, ``intensity``, ``mep_amplitude`` in V) and the truth."""

    trials: pd.DataFrame
    truth: pd.DataFrame  # participant, session, recruitment_threshold, s50


def rectified(
    rng: np.random.Generator, s: np.ndarray, place: float, width: float, top: float
) -> tuple[np.ndarray, dict[str, float]]:
    """Rectified logistic with gamma trials of CV 0.45 and noise of 20 µV: the construction of hbMEP."""
    rate, bend = 1 / width, 0.1
    growing = -bend + (1 + bend) / (1 + np.exp(-rate * (s - place) - np.log(bend)))
    mean = 2e-5 + top * np.maximum(growing, 0)
    half = place + (np.log1p(2 * bend) - np.log(bend)) * width
    return rng.gamma(1 / 0.45**2, mean * 0.45**2), {"recruitment_threshold": place, "s50": half}


def boltzmann(
    rng: np.random.Generator, s: np.ndarray, place: float, width: float, top: float
) -> tuple[np.ndarray, dict[str, float]]:
    """Boltzmann curve with log-normal trials of CV 0.5 and additive noise."""
    half = place + 2 * width
    mean = top / (1 + np.exp((half - s) / width))
    sigma = np.sqrt(np.log1p(0.5**2))
    size = mean * np.exp(sigma * rng.standard_normal(s.size) - sigma**2 / 2)
    return size + 2e-5 * rng.gamma(16, 1 / 16, s.size), {"recruitment_threshold": place, "s50": half}


def scattered_threshold(
    rng: np.random.Generator, s: np.ndarray, place: float, width: float, top: float
) -> tuple[np.ndarray, dict[str, float]]:
    """Boltzmann curve whose place varies from pulse to pulse (SD 3 % of it): two sources of scatter."""
    half = place + 2 * width
    mean = top / (1 + np.exp((half + 0.03 * half * rng.standard_normal(s.size) - s) / width))
    size = mean * np.exp(0.3 * rng.standard_normal(s.size) - 0.045)
    return size + 2e-5 * rng.gamma(16, 1 / 16, s.size), {"recruitment_threshold": np.nan, "s50": half}


CONSTRUCTIONS = {"rectified logistic": rectified, "boltzmann": boltzmann, "scattered threshold": scattered_threshold}


def study(
    rng: np.random.Generator,
    construction: str,
    people: int,
    pulses_a_level: int,
    sessions: int = 1,
    skewed: bool = False,
) -> Study:
    """One study; sessions of one person differ by 2 %MSO, 10 % in width and 20 % in plateau (SD).

    With ``skewed`` the places of people are not normal but exponential, of the same SD.
    """
    trials, truth = [], []
    s = np.repeat(LEVELS, pulses_a_level)
    for i in range(people):
        place = 45 + PLACE * ((rng.exponential() - 1) if skewed else rng.standard_normal())
        width, top = 4.5 * np.exp(WIDTH * rng.standard_normal()), 2e-3 * np.exp(PLATEAU * rng.standard_normal())
        for j in range(sessions):
            apart = rng.standard_normal(3) * np.array([2.0, 0.1, 0.2]) * (sessions > 1)
            size, known = CONSTRUCTIONS[construction](
                rng, s, place + apart[0], width * np.exp(apart[1]), top * np.exp(apart[2])
            )
            label = {"participant": f"p{i:02d}", "session": f"s{j}", "channel": "FDI"}
            trials.append(pd.DataFrame({**label, "intensity": s, "mep_amplitude": size}))
            truth.append({**label, **known})
    return Study(pd.concat(trials, ignore_index=True), pd.DataFrame(truth))
