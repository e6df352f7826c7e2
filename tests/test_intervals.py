"""Intervals of summary measures: every registered one is judged by a benchmark, and those that were mended hold.

The thorough versions are in ``benchmarks/measure_calibration.py``.
"""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from excitability.measures import (
    background_matched_level,
    background_matched_ratio,
    change_in_baseline_deviations,
    intensity_for_target,
    latency_difference,
    tep_peak,
    trial_mean,
)
from excitability.measures.bootstrap import bootstrap_average

BENCHMARKS = Path(__file__).resolve().parent.parent / "benchmarks"


@pytest.fixture(scope="module")
def calibration():
    if not BENCHMARKS.exists():
        pytest.skip("the benchmarks are not part of this copy")
    sys.path.insert(0, str(BENCHMARKS))
    import measure_calibration

    yield measure_calibration
    sys.path.remove(str(BENCHMARKS))


def covered(estimate, truth):
    return estimate.ci_low <= truth <= estimate.ci_high


def test_no_eeg_measure_escapes_its_benchmark(calibration):
    import tep_measure_calibration

    assert tep_measure_calibration.missing() == []


def test_the_latency_of_a_broad_wave_has_an_interval_that_covers():
    """Taking off what resampling adds, as amplitudes want it, held it in 81 % of the sessions."""
    rng, times = np.random.default_rng(11), np.arange(60, 200) / 1000.0
    wave = -np.exp(-0.5 * ((times - 0.11) / np.where(times > 0.11, 0.027, 0.013)) ** 2)
    held = 0
    for run in range(80):
        frequency, phase = rng.uniform(8, 20, (40, 1, 1)), rng.uniform(0, 2 * np.pi, (40, 1, 1))
        noise = 1.5 * rng.rayleigh(1, (40, 1, 1)) * np.cos(2 * np.pi * frequency * times + phase)
        held += covered(bootstrap_average(wave + noise, times, tep_peak, seed=run)["latency"], 0.11)
    assert held >= 73  # of 80; 76 expected


def test_no_summary_measure_escapes_the_benchmark(calibration):
    assert calibration.missing() == []
    assert calibration.elsewhere()[1] == []


def test_every_number_with_an_interval_has_a_truth_in_its_scenario(calibration):
    seen = set()
    for scenario in calibration.SCENARIOS:
        if scenario.simulate in seen or "curve" in scenario.measure or "sicf" in scenario.measure:
            continue
        seen.add(scenario.simulate)
        rows = calibration.judge(scenario, 3, [1])
        assert rows, scenario.name
        assert not [row["key"] for row in rows if row["_unknown_truth"]], scenario.name


def contractions(rng, error, n=25, shift=0.5):
    logs = np.r_[rng.normal(0, 0.25, n), rng.normal(shift, 0.25, n)]
    size = np.repeat([1.0, 0.5], n) * np.exp(logs) * rng.lognormal(0, 0.3, 2 * n)
    seen = 2e-5 * np.exp(logs + error * rng.standard_normal(2 * n))
    return pd.DataFrame(
        {"condition": np.repeat(["test", "task"], n), "background_emg": seen, "mep_amplitude": size, "mep_area": size}
    )


@pytest.mark.parametrize("error", [0.0, 0.15])
def test_a_background_seen_with_error_is_allowed_for(error):
    rng = np.random.default_rng(61)
    tables = [contractions(rng, error) for _ in range(200)]
    assert np.mean([covered(background_matched_ratio(table)["task"], 0.5) for table in tables]) >= 0.92
    exact = [covered(background_matched_ratio(table, background_error=0.0)["task"], 0.5) for table in tables]
    assert np.mean(exact) < 0.9 if error else np.mean(exact) >= 0.92


def test_an_exact_background_changes_no_value_and_a_wrong_error_is_refused():
    table = contractions(np.random.default_rng(62), 0.15)
    usual, exact = (background_matched_level(table, at=2e-5, background_error=error)["task"] for error in (0.15, 0.0))
    assert float(usual) == float(exact)
    assert usual.ci_low < exact.ci_low
    assert usual.ci_high == exact.ci_high  # below its own background: a steeper slope lowers the level
    with pytest.raises(ValueError, match=r"such as 0\.15"):
        background_matched_ratio(table, background_error=15)


@pytest.mark.parametrize("n", [8, 15])
def test_resampled_averages_of_few_trials_are_covered(n):
    rng, times = np.random.default_rng(63), np.arange(4.0)
    hits = []
    for _ in range(300):
        data = rng.gamma(4.0, 0.25, (n, 1, 1)) * np.ones(4)
        hits.append(covered(bootstrap_average(data, times, lambda x, times: float(x.mean()), n_boot=150), 1.0))
    assert 0.91 <= np.mean(hits) <= 0.98


def test_the_intensity_of_a_target_is_found_on_a_curve_that_saturates():
    rng, found = np.random.default_rng(64), []
    intensity = np.repeat(55.0 + np.arange(-9, 10, 3), 8)
    for _ in range(200):
        drive = intensity - 55 + 2 * rng.standard_normal(intensity.size)
        size = 2e-3 / (1 + np.exp(-drive / 5)) * rng.lognormal(0, 0.3, drive.size)
        found.append(intensity_for_target(pd.DataFrame({"intensity": intensity, "mep_amplitude": size})))
    assert abs(np.median(found) - 55) < 0.5
    assert np.mean([covered(one, 55) for one in found]) >= 0.9


@pytest.mark.parametrize(("n", "delta"), [(8, 0.0), (8, 1.5), (20, 3.0)])
def test_deviations_from_baseline_follow_the_noncentral_t_distribution(n, delta):
    rng = np.random.default_rng(65)
    found = []
    for _ in range(400):
        logs = 0.5 * np.r_[rng.standard_normal(n), delta + rng.standard_normal(n)]
        table = pd.DataFrame({"condition": np.repeat(["pre", "post"], n), "mep_amplitude": np.exp(logs)})
        found.append(change_in_baseline_deviations(table)["post"])
    assert 0.925 <= np.mean([covered(one, delta) for one in found]) <= 0.98
    low, high = (np.mean([getattr(one, end) for one in found]) - delta for end in ("ci_low", "ci_high"))
    assert delta == 0 or high > 0 > low


def test_a_median_of_five_trials_says_why_it_has_no_interval():
    table = pd.DataFrame({"condition": np.repeat(["LM", "AP"], 5), "mep_latency": 0.02 + 1e-4 * np.arange(10)})
    assert latency_difference(table, statistic="median")["AP"].flag == "few_trials"
    assert latency_difference(table)["AP"].flag == ""
    assert trial_mean(table[:5], of="mep_latency", statistic="median").flag == "few_trials"


@pytest.mark.parametrize(("plateau", "slope"), [(3e-3, 1.8), (3e-3, 3.2), (8e-3, 3.2)])
def test_the_intensity_of_a_target_is_found_where_levels_run_far_into_the_plateau(plateau, slope):
    """A parabola through these lay 0.3 to 0.9 %MSO too high and covered 39 to 94 %."""
    rng, found = np.random.default_rng(66), []
    intensity = np.repeat(46 * np.arange(0.9, 1.51, 0.1), 6).round()
    place = 60 - slope * np.log(plateau / 1e-3 - 1)
    for _ in range(120):
        size = plateau / (1 + np.exp((60 - intensity) / slope)) * rng.lognormal(0, 0.45, intensity.size)
        found.append(intensity_for_target(pd.DataFrame({"intensity": intensity, "mep_amplitude": size})))
    assert abs(np.mean(found) - place) < 0.4
    assert np.mean([covered(one, place) for one in found]) >= 0.89
