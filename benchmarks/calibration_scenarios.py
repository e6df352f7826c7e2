"""What a scenario of ``measure_calibration.py`` is, and those of levels, ratios and differences of trials."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from calibration_scatter import INDEPENDENT, MEDIAN_OF, SCATTERS, level, levels, sizes, symmetric

from excitability import measures

Answer = tuple[Any, Any]
NUMBERS = (8, 15, 30)
ERRORS = ("normal", "skewed", "heavy tails")


@dataclass(frozen=True)
class Scenario:
    """One construction of tables: ``simulate(rng, **options)`` returns what was found and what is true."""

    measure: str
    simulate: Callable[..., Answer]
    options: dict[str, Any] = field(default_factory=dict)
    tables: int = 1000

    @property
    def name(self) -> str:
        return f"{self.simulate.__name__.replace('_', ' ')}: " + ", ".join(
            f"{key.replace('_', ' ')} {value}" for key, value in self.options.items() if key != "form"
        )


SCENARIOS: list[Scenario] = []


def covers(*names: str, tables: int = 1000, **grid: tuple[Any, ...]) -> Callable[[Callable[..., Answer]], Any]:
    """Every combination of the options is a scenario of each of the measures."""

    def register(function: Callable[..., Answer]) -> Callable[..., Answer]:
        for values in itertools.product(*grid.values()):
            options = dict(zip(grid, values, strict=True))
            more = ({"name": name} for name in names) if len(names) > 1 else ({},)
            SCENARIOS.extend(
                Scenario(name, function, options | extra, tables) for name, extra in zip(names, more, strict=True)
            )
        return function

    return register


def blocks(column: str, **values: np.ndarray) -> pd.DataFrame:
    """A table with one condition a keyword."""
    return pd.DataFrame(
        {
            "condition": np.repeat(list(values), [part.size for part in values.values()]),
            column: np.concatenate(list(values.values())),
        }
    )


def in_form(ratio: float, form: str) -> float:
    """A true ratio in one of the forms."""
    forms = {"ratio": ratio, "log_ratio": np.log(ratio), "percent": 100 * ratio}
    return float(forms.get(form, 100 * (1 - ratio)))


# ---- levels ----


@covers("trial_mean", scatter=tuple(SCATTERS), n=NUMBERS, statistic=("mean", "median", "geometric_mean"))
def amplitudes(rng, scatter, n, statistic):
    table = pd.DataFrame({"mep_amplitude": sizes(rng, scatter, n, 1e-3, 0.6)})
    return measures.trial_mean(table, statistic=statistic), 1e-3 * level(scatter, 0.6, statistic)


@covers("trial_mean", errors=ERRORS, n=NUMBERS)
def areas_net_of_background(rng, errors, n):
    table = pd.DataFrame({"mep_area": 1e-6 + symmetric(rng, n, 1e-6, errors)})
    return measures.trial_mean(table, of="mep_area"), 1e-6


@covers("trial_mean", share=(0.5, 0.9), n=NUMBERS, tells=("surely", "softly"))
def probabilities(rng, share, n, tells):
    held = rng.random(n) < share
    chance = held.astype(float)
    if tells == "softly":  # calibrated: what is said to be likely in 80 % is so in 80 %
        chance = rng.beta(8 * share, 8 * (1 - share), n)
    return measures.trial_mean(pd.DataFrame({"mep_probability": chance}), of="mep_probability"), share


@covers("unconditioned_amplitude", scatter=tuple(SCATTERS), n=NUMBERS)
def unconditioned_responses(rng, scatter, n):
    table = blocks("mep_amplitude", test=sizes(rng, scatter, n, 1e-3, 0.6), pair=sizes(rng, scatter, n, 4e-4, 0.6))
    return measures.unconditioned_amplitude(table), 1e-3


# ---- ratios ----


@covers(
    "conditioned_ratio",
    scatter=INDEPENDENT,
    aggregate=("mean", "median", "geometric_mean"),
    n=((8, 8), (30, 15)),
)
def pairs(rng, scatter, aggregate, n):
    """The conditioned responses scatter more, as small responses do."""
    table = blocks(
        "mep_amplitude", test=sizes(rng, scatter, n[0], 1e-3, 0.5), pair=sizes(rng, scatter, n[1], 4e-4, 0.8)
    )
    truth = 0.4 * level(scatter, 0.8, aggregate) / level(scatter, 0.5, aggregate)
    return measures.conditioned_ratio(table, aggregate=aggregate), truth


@covers("conditioned_ratio", form=("log_ratio", "percent", "percent_inhibition"), scatter=("log-normal", "gamma"))
def pairs_in_another_form(rng, form, scatter):
    table = blocks("mep_amplitude", test=sizes(rng, scatter, 15, 1e-3, 0.6), pair=sizes(rng, scatter, 15, 4e-4, 0.6))
    return measures.conditioned_ratio(table, form=form), in_form(0.4, form)


@covers("conditioned_ratio", order=("interleaved", "in blocks"), n=NUMBERS)
def pairs_in_a_drifting_session(rng, order, n):
    """Neighbouring trials are alike (correlation 0.3), and the conditions interleaved or one after the other."""
    pair = np.repeat([False, True], n)
    pair = rng.permutation(pair) if order == "interleaved" else pair
    size = sizes(rng, "correlated", 2 * n, 1e-3, 0.6) * np.where(pair, 0.4, 1.0)
    table = pd.DataFrame({"condition": np.where(pair, "pair", "test"), "mep_amplitude": size})
    return measures.conditioned_ratio(table), 0.4


@covers(
    "conditioned_ratio",
    aggregate=("mean", "median", "geometric_mean"),
    ratio=(0.03, 0.15),
    scatter=("log-normal", "gamma"),
    n=((15, 12),),
)
def pairs_near_the_noise_floor(rng, aggregate, ratio, scatter, n):
    """Noise of 5 µV adds to a peak-to-peak; the truth is the ratio without it."""
    size = np.r_[sizes(rng, scatter, n[0], 5e-4, 0.6), sizes(rng, scatter, n[1], 5e-4 * ratio, 0.6)]
    noise = 5e-6 * rng.normal(5.3, 0.7, size.size)
    table = pd.DataFrame(
        {
            "condition": np.repeat(["test", "pair"], n),
            "mep_amplitude": np.hypot(size, noise),
            "background_emg": 5e-6 * rng.lognormal(0, 0.1, size.size),
        }
    )
    return measures.conditioned_ratio(table, aggregate=aggregate), ratio


@covers("conditioned_ratio", scatter=("log-normal", "gamma"), n=NUMBERS)
def pairs_beside_the_sum_of_both_pulses(rng, scatter, n):
    parts = {name: sizes(rng, scatter, n, mean, 0.6) for name, mean in (("s1", 8e-4), ("s2", 2e-4), ("pair", 2e-3))}
    return measures.conditioned_ratio(blocks("mep_amplitude", **parts), test="s1", second="s2")["pair"], 2.0


@covers("conditioned_ratio", errors=ERRORS, n=NUMBERS)
def areas_that_may_be_negative(rng, errors, n):
    table = blocks("mep_area", test=3 + symmetric(rng, n, 1.0, errors), pair=1 + symmetric(rng, n, 1.0, errors))
    return measures.conditioned_ratio(table, of="mep_area"), 1 / 3


@covers("laterality_index", scatter=INDEPENDENT, n=NUMBERS, ratio=(3.0, 1.2))
def two_hemispheres(rng, scatter, n, ratio):
    size = np.r_[sizes(rng, scatter, n, ratio, 0.6), sizes(rng, scatter, n, 1.0, 0.6)]
    table = pd.DataFrame({"channel": "MF_right", "hemisphere": np.repeat(["left", "right"], n), "mep_area": size})
    return measures.laterality_index(table), (ratio - 1) / (ratio + 1)


@covers("laterality_index", errors=ERRORS, n=NUMBERS)
def two_hemispheres_net_of_background(rng, errors, n):
    size = np.r_[3 + symmetric(rng, n, 1.0, errors), 0.2 + symmetric(rng, n, 1.0, errors)]
    table = pd.DataFrame({"channel": "MF_right", "hemisphere": np.repeat(["left", "right"], n), "mep_area": size})
    return measures.laterality_index(table), 2.8 / 3.2


@covers("plasticity_index", scatter=tuple(SCATTERS), n=NUMBERS, form=("ratio",))
@covers("plasticity_index", scatter=("log-normal",), n=(15,), form=("log_ratio", "percent"))
def blocks_after_an_intervention(rng, scatter, n, form):
    means = {"pre": 1.0, "post0": 1.2, "post10": 1.6, "post20": 1.4}
    parts = {name: sizes(rng, scatter, n, mean, 0.6) for name, mean in means.items()}
    return measures.plasticity_index(blocks("mep_amplitude", **parts), form=form), in_form(1.4, form)


@covers("change_in_baseline_deviations", scatter=INDEPENDENT, n=NUMBERS, growth=(1.0, 1.6))
def beside_baseline_scatter(rng, scatter, n, growth):
    parts = {"pre": sizes(rng, scatter, n, 1.0, 0.6), "post": sizes(rng, scatter, n, growth, 0.6)}
    truth = np.log(growth) / levels(scatter, 0.6)["log_sd"]
    return measures.change_in_baseline_deviations(blocks("mep_amplitude", **parts))["post"], truth


@covers("triple_stimulation", scatter=("log-normal", "gamma", "contaminated"), n=(3, 8, 15), form=("percent", "ratio"))
def collisions(rng, scatter, n, form):
    cv = 0.05
    draw = "log-normal" if scatter == "contaminated" else scatter
    parts = {name: sizes(rng, draw, n, mean, cv) for name, mean in (("control", 12e-3), ("cortex", 9.6e-3))}
    if scatter == "contaminated":  # a collision that failed in some trials, in expectation allowed for
        parts["cortex"] = parts["cortex"] * np.where(rng.random(n) < 0.1, 0.8, 1.0) / 0.98
    return measures.triple_stimulation(blocks("m_wave_amplitude", **parts), form=form)["cortex"], in_form(0.8, form)


@covers("normalised_amplitude", scatter=("log-normal", "two-source"), n=NUMBERS)
def beside_m_max(rng, scatter, n):
    """Responses around a tenth of a plateau that six of ten M waves have reached."""
    intensity = np.repeat([8.0, 14.0, 20.0, 26.0, 32.0], 2)
    waves = 10e-3 / (1 + np.exp(-(intensity - 12) / 1.2)) * (1 + 0.03 * rng.standard_normal(10))
    table = pd.DataFrame(
        {
            "condition": ["m_wave"] * 10 + ["all"] * n,
            "intensity": np.r_[intensity, np.full(n, 50.0)],
            "m_wave_amplitude": np.r_[waves, np.full(n, np.nan)],
            "mep_amplitude": np.r_[np.full(10, np.nan), sizes(rng, scatter, n, 1e-3, 0.6)],
        }
    )
    return measures.normalised_amplitude(table)["all"], 10.0


GROWTH = {
    "logistic": lambda z: 1 / (1 + np.exp(-z)),
    "late": lambda z: np.exp(-np.exp(-0.9 * z)),
    "none": np.ones_like,
}


@covers("m_max", growth=tuple(GROWTH), noise=("proportional", "constant"), n=((8, 1), (8, 3)))
def m_waves(rng, growth, noise, n):
    """``n`` intensities with so many M waves each; the plateau takes up half of the range."""
    intensity = np.repeat(np.linspace(5, 50, n[0]), n[1])
    mean = 9e-3 * GROWTH[growth]((intensity - 18) / 3)
    error = 0.03 * rng.standard_normal(intensity.size) * (mean if noise == "proportional" else 9e-3)
    return measures.m_max(pd.DataFrame({"intensity": intensity, "m_wave_amplitude": mean + error})), {"m_max": 9e-3}


# ---- matched background ----


@covers(
    "background_matched_ratio",
    scatter=("log-normal", "gamma"),
    error=(0.0, 0.1, 0.2),
    shift=(0.1, 0.5),
    n=NUMBERS,
)
def contractions(rng, scatter, error, shift, n):
    """Responses halve in the task and grow with the 0.8th power of the true background, which is seen with error."""
    logs = np.r_[rng.normal(0, 0.25, n), rng.normal(shift, 0.25, n)]
    size = np.repeat([1.0, 0.5], n) * np.exp(0.8 * logs) * sizes(rng, scatter, 2 * n, 1.0, 0.4)
    seen = 2e-5 * np.exp(logs + error * rng.standard_normal(2 * n))
    table = pd.DataFrame({"condition": np.repeat(["test", "task"], n), "background_emg": seen, "mep_amplitude": size})
    return measures.background_matched_ratio(table)["task"], 0.5


@covers("background_matched_ratio", form=("log_ratio", "percent"), scatter=("log-normal", "gamma"))
def contractions_in_another_form(rng, form, scatter):
    logs = np.r_[rng.normal(0, 0.25, 15), rng.normal(0.2, 0.25, 15)]
    size = np.repeat([1.0, 0.5], 15) * np.exp(0.8 * logs) * sizes(rng, scatter, 30, 1.0, 0.4)
    condition = np.repeat(["test", "task"], 15)
    table = pd.DataFrame({"condition": condition, "background_emg": 2e-5 * np.exp(logs), "mep_amplitude": size})
    return measures.background_matched_ratio(table, form=form)["task"], in_form(0.5, form)


@covers(
    "background_matched_level",
    scale=("linear", "log"),
    errors=("normal", "skewed"),
    error=(0.0, 0.15),
    shift=(0.2, 0.5),
    n=(8, 30),
)
def levels_at_one_background(rng, scale, errors, error, shift, n):
    logs = np.r_[rng.normal(0, 0.25, n), rng.normal(shift, 0.25, n)]
    true, added = 2e-5 * np.exp(logs), np.repeat([0.0, 1.0], n)
    noise = symmetric(rng, 2 * n, 0.3, errors)
    size = np.exp(np.log(true / 2e-5) + added + noise) if scale == "log" else true / 2e-5 + added + noise
    table = pd.DataFrame(
        {
            "condition": np.repeat(["all", "task"], n),
            "background_emg": true * np.exp(error * rng.standard_normal(2 * n)),
            "mep_area": size,
        }
    )
    found = measures.background_matched_level(table, at=2e-5 * np.exp(shift / 2), scale=scale)
    truth = np.exp(shift / 2 + 1) if scale == "log" else np.exp(shift / 2) + 1
    return found["task"], truth


# ---- latencies and onsets ----


@covers("latency_difference", errors=ERRORS, n=((5, 5), (8, 8), (15, 15), (30, 12)), statistic=("mean", "median"))
def directions(rng, errors, n, statistic):
    middle = MEDIAN_OF[errors] if statistic == "median" else 0.0
    table = blocks(
        "mep_latency",
        LM=0.0195 + symmetric(rng, n[0], 2e-4, errors),
        AP=0.0232 + symmetric(rng, n[1], 6e-4, errors),
    )
    return measures.latency_difference(table, statistic=statistic)["AP"], 0.0037 + 4e-4 * middle


@covers("central_conduction", errors=ERRORS, n=((5, 3), (8, 5), (15, 8), (30, 15)), statistic=("mean", "median"))
def cortex_and_root(rng, errors, n, statistic):
    middle = MEDIAN_OF[errors] if statistic == "median" else 0.0
    latency = np.r_[0.0205 + symmetric(rng, n[0], 4e-4, errors), 0.014 + symmetric(rng, n[1], 2e-4, errors)]
    table = pd.DataFrame({"stimulus_type": np.repeat(["tms", "root"], n), "mep_latency": latency})
    truth = {
        "central_motor_conduction_time": 0.0065 + 2e-4 * middle,
        "peripheral_conduction_time": 0.014 + 2e-4 * middle,
        "cortical_latency": 0.0205 + 4e-4 * middle,
    }
    return measures.central_conduction(table, statistic=statistic), truth


@covers("central_conduction", errors=("normal", "skewed"), n=(10, 20))
def cortex_and_f_waves(rng, errors, n):
    """``n`` nerve trials, of which some lack an F wave; the truth is the shortest true latency of those recorded."""
    present = rng.random(n) < 0.85
    true = 0.0265 + rng.gamma(2.0, 0.0006, n)
    error = rng.uniform(1e-4, 3e-4, n)
    seen = true + error * symmetric(rng, n, 1.0, errors)
    table = pd.DataFrame(
        {
            "stimulus_type": np.repeat(["tms", "nerve"], [10, n]),
            "mep_latency": np.r_[0.0205 + symmetric(rng, 10, 4e-4, errors), np.full(n, np.nan)],
            "m_wave_latency": np.r_[np.full(10, np.nan), 0.0033 + symmetric(rng, n, 1e-4, "normal")],
            "f_wave_latency": np.r_[np.full(10, np.nan), np.where(present, seen, np.nan)],
            "f_wave_latency_standard_error": np.r_[np.full(10, np.nan), np.where(present, error, np.nan)],
        }
    )
    found = measures.central_conduction(table, f_wave="f_wave_latency", m_wave="m_wave_latency")
    shortest = true[present].min()
    peripheral = (shortest + 0.0033 - 0.001) / 2
    truth = {"peripheral_conduction_time": peripheral, "central_motor_conduction_time": 0.0205 - peripheral}
    return found, truth | {"cortical_latency": 0.0205, "f_wave_latency": shortest, "f_wave_persistence": 0.85}


@covers("muscle_onset_difference", errors=ERRORS, n=NUMBERS, absent=(0.05, 0.15))
def prepared_movements(rng, errors, n, absent):
    """Feed-forward where the trunk muscle begins before +50 ms; its share follows from the errors."""
    mover = 0.25 + 0.03 * rng.standard_normal(n)
    later = 0.03 + symmetric(rng, n, 0.03, errors)
    other = np.where(rng.random(n) < absent, np.nan, mover + later)
    tables = [
        pd.DataFrame({"muscle": name, "voluntary_onset": onset}) for name, onset in (("AD", mover), ("TrA", other))
    ]
    draws = symmetric(np.random.default_rng(3), 1_000_000, 0.03, errors) + 0.03 if errors not in _EARLY else None
    if draws is not None:
        _EARLY[errors] = float(np.mean((draws > -0.1) & (draws < 0.05)))
    truth = {"muscle_onset_difference": 0.03, "feed_forward_share": _EARLY[errors]}
    return measures.muscle_onset_difference(*tables), truth | {"muscle_onset_missing_share": absent}


_EARLY: dict[str, float] = {}
