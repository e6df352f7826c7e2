"""Summaries of trial tables give known values back, and their intervals cover them."""

import numpy as np
import pandas as pd
import pytest

from excitability.measures import (
    active_motor_threshold,
    central_conduction,
    conditioned_ratio,
    intensity_for_target,
    ipsilateral_silent_period,
    motor_map,
    recruitment_curve,
    resting_motor_threshold,
    threshold_tracking,
    trial_mean,
    unconditioned_amplitude,
)
from excitability.measures._curve_fit import fit_recruitment_curve
from excitability.measures._thresholds import response_probability
from excitability.measures.curves import boltzmann
from excitability.measures.overlap import map_overlap

NAN = float("nan")


def log_normal(rng, n, mean, cv):
    sigma = np.sqrt(np.log1p(cv**2))
    return mean * np.exp(sigma * rng.standard_normal(n) - sigma**2 / 2)


def gamma(rng, n, mean, cv):
    return rng.gamma(1 / cv**2, mean * cv**2, n)


def covered(estimate, truth):
    return estimate.ci_low <= truth <= estimate.ci_high


def paired(rng, n_test=15, n=12, cv=0.5, ratio=0.4, draw=log_normal):
    return pd.DataFrame(
        {
            "condition": ["test"] * n_test + ["isi_0.0025"] * n,
            "mep_amplitude": np.r_[draw(rng, n_test, 1e-3, cv), draw(rng, n, 1e-3 * ratio, cv)],
        }
    )


# levels and ratios ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("draw", [log_normal, gamma])
@pytest.mark.parametrize("cv", [0.4, 0.8])
def test_interval_of_a_mean_covers(draw, cv):
    rng = np.random.default_rng(1)
    tables = (pd.DataFrame({"mep_amplitude": draw(rng, n, 1e-3, cv)}) for n in (8, 12, 20) for _ in range(200))
    assert 0.915 <= np.mean([covered(trial_mean(table), 1e-3) for table in tables]) <= 0.985


@pytest.mark.parametrize("draw", [log_normal, gamma])
@pytest.mark.parametrize("sizes", [(8, 8), (20, 10), (10, 20)])
def test_interval_of_a_ratio_covers(draw, sizes):
    rng = np.random.default_rng(2)
    hits = [
        covered(conditioned_ratio(paired(rng, *sizes, cv=cv, draw=draw)), 0.4)
        for cv in (0.4, 0.6, 0.8)
        for _ in range(150)
    ]
    assert 0.925 <= np.mean(hits) <= 0.985


@pytest.mark.parametrize("aggregate", ["mean", "median", "geometric_mean"])
def test_ratio_has_no_bias_on_the_logarithm(aggregate):
    rng = np.random.default_rng(3)
    logs = [conditioned_ratio(paired(rng), form="log_ratio", aggregate=aggregate) for _ in range(300)]
    assert np.mean(logs) == pytest.approx(np.log(0.4), abs=0.04)


def test_ratio_is_that_of_means_and_ignores_gain_order_and_rejected_trials():
    table = paired(np.random.default_rng(4))
    ratio = conditioned_ratio(table)
    means = table.groupby("condition")["mep_amplitude"].mean()
    assert ratio == pytest.approx(means["isi_0.0025"] / means["test"])
    shuffled = table.sample(frac=1, random_state=0)
    louder = table.assign(mep_amplitude=7 * table["mep_amplitude"])
    more = pd.concat([table.assign(reject=""), table.assign(reject="background_emg > 10e-6", mep_amplitude=9.0)])
    for other in (shuffled, louder, more):
        again = conditioned_ratio(other)
        assert (float(again), again.ci_low, again.ci_high, again.n) == pytest.approx(
            (float(ratio), ratio.ci_low, ratio.ci_high, 12)
        )
    assert conditioned_ratio(more).n_rejected == 12


def test_conditions_come_from_the_pulses_where_they_are_not_named():
    table = pd.DataFrame(
        {
            "pulse_count": [1, 1, 1, 2, 2, 2, 2],
            "inter_stimulus_interval": [NAN, NAN, NAN, 0.002, 0.00201, 0.01, 0.01],
            "mep_amplitude": [1e-3, 1.2e-3, 0.9e-3, 4e-4, 5e-4, 1.5e-3, 1.6e-3],
        }
    )
    assert list(conditioned_ratio(table)) == ["isi_0.002", "isi_0.01"]
    assert unconditioned_amplitude(table) == pytest.approx(3.1e-3 / 3)
    with pytest.raises(ValueError, match="neither 'condition' nor 'inter_stimulus_interval'"):
        conditioned_ratio(table[["mep_amplitude"]])


def test_ratio_without_a_test_response_is_unknown():
    table = paired(np.random.default_rng(5)).assign(background_emg=2e-4)
    ratio = conditioned_ratio(table)
    assert np.isnan(ratio)
    assert ratio.flag == "test_at_noise_floor"
    alone = conditioned_ratio(table[table["condition"] != "test"])
    assert np.isnan(alone)
    assert alone.flag == "no_test_trials"


def test_total_inhibition_is_an_upper_limit():
    table = paired(np.random.default_rng(6), ratio=0.01).assign(background_emg=4e-6)
    ratio = conditioned_ratio(table)
    assert ratio.flag == "conditioned_at_noise_floor"
    assert ratio.ci_low == 0
    assert conditioned_ratio(table, form="percent_inhibition").ci_high == 100


def test_mep_probability_decides_over_amplitude():
    table = paired(np.random.default_rng(7), ratio=0.3)
    seen = table.assign(mep_probability=np.where(table["condition"] == "test", 1.0, 0.1))
    assert conditioned_ratio(seen).flag == "conditioned_at_noise_floor"


def test_few_trials_have_no_interval():
    table = pd.DataFrame({"condition": ["test", "isi_0.002"], "mep_amplitude": [1e-3, 5e-4]})
    ratio = conditioned_ratio(table)
    assert ratio == pytest.approx(0.5)
    assert np.isnan(ratio.ci_low)
    assert ratio.flag == "few_trials"


def test_unknown_words_name_the_nearest():
    table = paired(np.random.default_rng(8))
    with pytest.raises(ValueError, match="did you mean 'mep_amplitude'"):
        conditioned_ratio(table, of="mep_amplitud")
    with pytest.raises(ValueError, match="did you mean 'percent_inhibition'"):
        conditioned_ratio(table, form="percent_inhibtion")
    with pytest.raises(ValueError, match="did you mean 'median'"):
        trial_mean(table, statistic="medain")


def test_a_missing_silent_period_is_a_long_one():
    values = np.r_[np.linspace(0.14, 0.16, 9), np.full(4, np.nan)]
    table = pd.DataFrame({"silent_period": values, "mep_latency": values})
    median = trial_mean(table, of="silent_period", statistic="median")
    assert median == pytest.approx(np.sort(values)[6])  # the seventh of thirteen
    assert (median.flag, median.n) == ("censored", 9)
    latency = trial_mean(table, of="mep_latency", statistic="median")
    assert latency == pytest.approx(0.15)
    assert latency.flag == "no_response"
    assert trial_mean(table.iloc[9:], of="silent_period").flag == "no_silent_period"
    assert trial_mean(table.iloc[:0], of="silent_period").flag == "no_trials"


def test_interval_of_a_median_covers():
    rng = np.random.default_rng(9)
    hits = []
    for n in (8, 13, 20):
        for _ in range(200):
            table = pd.DataFrame({"silent_period": rng.normal(0.15, 0.01, n)})
            hits.append(covered(trial_mean(table, of="silent_period", statistic="median"), 0.15))
    assert 0.93 <= np.mean(hits) <= 0.975


def test_probability_stays_between_zero_and_one():
    share = trial_mean(pd.DataFrame({"mep_probability": np.ones(10)}), of="mep_probability")
    assert share == 1
    assert share.ci_high <= 1
    assert share.ci_low == pytest.approx(0.7225, abs=1e-3)  # Wilson's limit for 10 of 10


# recruitment curves --------------------------------------------------------------------------------------------


def curve_table(rng, s, cv=0.5, s50=58.0, k=4.0, top=2e-3, floor=2e-5, draw=log_normal):
    mean = boltzmann(s, top, s50, k)
    size = mean * draw(rng, s.size, 1.0, cv) + floor * (1 + 0.12 * rng.standard_normal(s.size))
    return pd.DataFrame({"intensity": s, "mep_amplitude": size})


def test_recruitment_curve_comes_back_and_is_covered():
    rng = np.random.default_rng(10)
    s = np.repeat(np.arange(45.0, 76, 5), 8)
    truth = {
        "s50": 58,
        "recruitment_threshold": 50,
        "mep_max": 2e-3,
        "peak_slope": 2e-3 / 16,
        "area_under_curve": float(np.trapezoid(boltzmann(np.arange(45.0, 76, 5), 2e-3, 58, 4, 2e-5), dx=5)),
    }
    found = [recruitment_curve(curve_table(rng, s, draw=draw)) for draw in (log_normal, gamma) for _ in range(60)]
    for key, value in truth.items():
        estimates = [curve[key] for curve in found if np.isfinite(curve[key])]
        assert len(estimates) > 110, key
        assert np.median(estimates) == pytest.approx(value, rel=0.05), key
        assert np.mean([covered(each, value) for each in estimates]) >= 0.88, key
    assert np.std([curve["s50"] for curve in found]) < 2.0


def test_plateau_that_was_not_reached_is_unknown():
    rng = np.random.default_rng(11)
    found = recruitment_curve(curve_table(rng, np.repeat(np.arange(42.0, 55, 2), 8)))
    assert np.isnan(found["s50"])
    assert np.isnan(found["mep_max"])
    assert found["s50"].flag == "no_plateau"
    assert found["plateau_reached"] == 0
    assert found["area_under_curve"] > 0
    assert np.isfinite(found["peak_slope"])


def test_curve_without_responses_is_unknown():
    rng = np.random.default_rng(12)
    s = np.repeat(np.arange(40.0, 71, 5), 6)
    flat = pd.DataFrame({"intensity": s, "mep_amplitude": 2e-5 * (1 + 0.1 * rng.standard_normal(s.size))})
    assert recruitment_curve(flat)["s50"].flag == "no_response"
    assert recruitment_curve(flat.iloc[:0])["s50"].flag == "no_trials"
    two = flat[flat["intensity"] <= 45]
    assert recruitment_curve(two)["mep_max"].flag == "few_intensities"
    assert np.isfinite(recruitment_curve(two)["area_under_curve"])


def test_curve_ignores_paired_pulses_and_rejected_trials():
    rng = np.random.default_rng(13)
    table = curve_table(rng, np.repeat(np.arange(45.0, 76, 5), 8)).assign(pulse_count=1, reject="")
    noise = table.assign(pulse_count=2, mep_amplitude=5.0)
    bad = table.assign(reject="by hand", mep_amplitude=5.0)
    plain, mixed = recruitment_curve(table), recruitment_curve(pd.concat([table, noise, bad]))
    assert mixed["s50"] == pytest.approx(plain["s50"])
    assert mixed["s50"].n_rejected == len(table)


def test_curve_scales_with_the_signal():
    table = curve_table(np.random.default_rng(14), np.repeat(np.arange(45.0, 76, 5), 8))
    small = recruitment_curve(table)
    large = recruitment_curve(table.assign(mep_amplitude=2 * table["mep_amplitude"]))
    for key, factor in {
        "s50": 1,
        "recruitment_threshold": 1,
        "mep_max": 2,
        "peak_slope": 2,
        "area_under_curve": 2,
    }.items():
        assert large[key] == pytest.approx(factor * small[key], rel=1e-3), key


@pytest.mark.parametrize("form", ["rectified_logistic", "log_logistic", "best"])
def test_every_form_fits(form):
    table = curve_table(np.random.default_rng(15), np.repeat(np.arange(42.0, 79, 4), 8), cv=0.3)
    found = recruitment_curve(table, form=form)
    assert found["s50"] == pytest.approx(58, abs=2.5)
    assert found["mep_max"] == pytest.approx(2e-3, rel=0.2)


def test_fit_for_plots_has_a_band_around_it():
    table = curve_table(np.random.default_rng(16), np.repeat(np.arange(45.0, 76, 5), 8))
    fit = fit_recruitment_curve(table["intensity"].to_numpy(), table["mep_amplitude"].to_numpy())
    s = np.linspace(45, 75, 31)
    low, high = fit.band(s)
    assert np.all((low < fit.predict(s)) & (fit.predict(s) < high))
    truth = boltzmann(s, 2e-3, 58, 4, 2e-5)
    assert np.mean((low < truth) & (truth < high)) > 0.6
    with pytest.raises(ValueError, match="at least 4 intensities"):
        fit_recruitment_curve(np.full(9, 50.0), np.ones(9))
    with pytest.raises(ValueError, match="did you mean 'boltzmann'"):
        fit_recruitment_curve(s, s, form="boltzman")


# thresholds ----------------------------------------------------------------------------------------------------


def staircase(rng, threshold, spread=0.07, levels=None, n=10):
    levels = threshold.round() + np.arange(6, -7, -2) if levels is None else levels
    s = np.repeat(levels, n).astype(float)
    response = rng.random(s.size) < response_probability(s, threshold, spread)
    return pd.DataFrame({"intensity": s, "mep_amplitude": np.where(response, 1.5e-4, 2e-5)})


def test_threshold_comes_back_and_is_covered():
    rng = np.random.default_rng(17)
    errors, hits, classical = [], [], []
    for _ in range(150):
        threshold = np.float64(rng.uniform(40, 60))
        found = resting_motor_threshold(staircase(rng, threshold, spread=rng.choice([0.04, 0.07, 0.10])))
        preferred = found["resting_motor_threshold"]
        errors.append(preferred - threshold)
        hits.append(covered(preferred, threshold))
        classical.append(found["resting_motor_threshold_relative_frequency"] - threshold)
    assert abs(np.nanmean(errors)) < 0.25
    assert np.nanstd(errors) < 1.2
    assert 0.90 <= np.mean(hits) <= 0.99
    assert np.nanstd(classical) > np.nanstd(errors)


def test_methods_agree_on_a_clean_staircase():
    found = resting_motor_threshold(staircase(np.random.default_rng(18), np.float64(50), spread=0.03, n=20))
    for method in ("relative_frequency", "mills_nithi", "mlpest", "bayesian"):
        estimate = found[f"resting_motor_threshold_{method}"]
        assert estimate == pytest.approx(50, abs=2), method
        assert estimate.ci_low <= 50 <= estimate.ci_high, method
        assert estimate.n == 140


def test_ceiling_is_censored_never_one_hundred():
    table = pd.DataFrame({"intensity": np.repeat([80.0, 90.0, 100.0], 10), "mep_amplitude": 2e-5})
    for name, estimate in resting_motor_threshold(table).items():
        assert np.isnan(estimate), name
    found = resting_motor_threshold(table)["resting_motor_threshold"]
    assert found.flag == "ceiling"
    assert found.ci_low > 85
    low = resting_motor_threshold(table.assign(mep_amplitude=1e-3))["resting_motor_threshold"]
    assert (np.isnan(low), low.flag) == (True, "below_tested_range")


def test_threshold_of_an_adaptive_sequence():
    rng = np.random.default_rng(19)
    errors = []
    for _ in range(40):
        s = np.clip(np.round(47 + np.r_[6, -4, 3, -2, rng.integers(-2, 3, 14)]), 1, 100).astype(float)
        response = rng.random(s.size) < response_probability(s, 47)
        found = resting_motor_threshold(pd.DataFrame({"intensity": s, "mep_amplitude": np.where(response, 2e-4, 1e-5)}))
        errors.append(found["resting_motor_threshold"] - 47)
    assert abs(np.nanmean(errors)) < 0.6
    assert np.nanstd(errors) < 2


def test_active_threshold_asks_more_of_a_response():
    table = staircase(np.random.default_rng(20), np.float64(45), levels=np.arange(35, 56, 2.0))
    assert active_motor_threshold(table)["active_motor_threshold"].flag == "above_tested_range"
    large = table.assign(mep_amplitude=3 * table["mep_amplitude"], background_emg=3e-5)
    found = active_motor_threshold(large)["active_motor_threshold"]
    assert found == pytest.approx(45, abs=2)
    assert found.flag == "criterion_below_noise"


def test_intensity_for_one_millivolt_comes_back():
    rng = np.random.default_rng(21)
    s = np.repeat(np.arange(50.0, 69, 3), 6)
    hits = []
    for _ in range(150):
        size = 1e-3 * 10 ** (0.05 * (s - 58) + 0.2 * rng.standard_normal(s.size))
        hits.append(covered(intensity_for_target(pd.DataFrame({"intensity": s, "mep_amplitude": size})), 58))
    assert 0.91 <= np.mean(hits) <= 0.99
    assert intensity_for_target(pd.DataFrame({"intensity": s, "mep_amplitude": 1e-5})).flag == "few_intensities"


def test_tracked_inhibition_comes_back_and_is_covered():
    rng = np.random.default_rng(22)
    hits, values = [], []
    for _ in range(150):
        s = np.r_[50 + rng.normal(0, 2, 25).round(), 55 + rng.normal(0, 2, 25).round()]
        threshold = np.repeat([50.0, 55.0], 25)
        size = 2e-4 * 10 ** (0.08 * (s - threshold) + 0.25 * rng.standard_normal(50))
        table = pd.DataFrame({"condition": ["test"] * 25 + ["isi_0.003"] * 25, "intensity": s, "mep_amplitude": size})
        found = threshold_tracking(table)
        values.append(found)
        hits.append(covered(found, 10))
    assert np.nanmedian(values) == pytest.approx(10, abs=0.5)
    assert 0.91 <= np.mean(hits) <= 0.99


# conduction, silent period, maps -------------------------------------------------------------------------------


def test_central_conduction_by_root_is_covered():
    rng = np.random.default_rng(23)
    hits = []
    for _ in range(200):
        latency = np.r_[rng.normal(0.0205, 4e-4, 8), rng.normal(0.0140, 2e-4, 5)]
        table = pd.DataFrame({"stimulus_type": ["tms"] * 8 + ["root"] * 5, "mep_latency": latency})
        hits.append(covered(central_conduction(table)["central_motor_conduction_time"], 0.0065))
    assert 0.91 <= np.mean(hits) <= 0.985
    assert central_conduction(table.iloc[:8])["central_motor_conduction_time"].flag == "no_peripheral_latency"
    shortest = central_conduction(table, statistic="minimum")["cortical_latency"]
    assert shortest == pytest.approx(latency[:8].min())
    with pytest.raises(ValueError, match="both f_latency and m_latency"):
        central_conduction(table, f_latency=0.026)


def test_ipsilateral_silent_period_comes_back():
    rng = np.random.default_rng(24)
    times = np.arange(-0.1, 0.2, 1 / 5000)
    strength = np.where((times > 0.035) & (times < 0.060), 0.3, 1.0)
    found = ipsilateral_silent_period(1e-4 * strength * rng.standard_normal((20, 1, times.size)), times)
    values = {key.removeprefix("ipsilateral_silent_period_"): value for key, value in found.items()}
    assert values["onset"] == pytest.approx(0.035, abs=0.0015)
    assert values["duration"] == pytest.approx(0.025, abs=0.002)
    assert values["depth"] == pytest.approx(0.7, abs=0.06)
    steady = ipsilateral_silent_period(1e-4 * rng.standard_normal((20, 1, times.size)), times)
    assert np.isnan(list(steady.values())).all()
    with pytest.raises(ValueError, match="one channel"):
        ipsilateral_silent_period(np.zeros((4, 2, times.size)), times)


def map_table(rng, centre=(0.031, 0.028), n=4, cv=0.4, width=0.011):
    x, y = (np.tile(axis.ravel() / 100, n) for axis in np.meshgrid(np.arange(7.0), np.arange(7.0)))
    mean = 1e-3 * np.exp(-((x - centre[0]) ** 2 + (y - centre[1]) ** 2) / (2 * width**2))
    return pd.DataFrame({"coil_x": x, "coil_y": y, "mep_amplitude": mean * log_normal(rng, x.size, 1.0, cv)})


def test_map_comes_back_and_is_covered():
    rng = np.random.default_rng(25)
    found = [motor_map(map_table(rng)) for _ in range(40)]
    for key, truth in {"centre_of_gravity_x": 0.031, "centre_of_gravity_y": 0.028}.items():
        assert np.mean([each[key] for each in found]) == pytest.approx(truth, abs=3e-4)
        assert np.mean([covered(each[key], truth) for each in found]) >= 0.85
    volume = 1e-3 * 2 * np.pi * 0.011**2
    assert np.mean([each["map_volume"] for each in found]) == pytest.approx(volume, rel=0.12)
    assert np.isnan(found[0]["centre_of_gravity_z"])
    assert found[0]["map_truncated"] == 0


def test_map_moves_with_the_grid_and_not_with_the_gain():
    table = map_table(np.random.default_rng(26))
    plain = motor_map(table)
    moved = motor_map(table.assign(coil_x=table["coil_x"] + 0.02, mep_amplitude=3 * table["mep_amplitude"]))
    assert moved["centre_of_gravity_x"] == pytest.approx(plain["centre_of_gravity_x"] + 0.02)
    assert moved["map_volume"] == pytest.approx(3 * plain["map_volume"])
    for key in ("map_area", "map_peaks", "map_normalised_volume"):
        assert moved[key] == pytest.approx(plain[key]), key


def test_smooth_map_has_one_peak_and_two_hills_have_two():
    one = map_table(np.random.default_rng(27), cv=1e-6)
    assert motor_map(one)["map_peaks"] == 1
    other = map_table(np.random.default_rng(27), centre=(0.05, 0.05), cv=1e-6, width=0.006)
    near = map_table(np.random.default_rng(27), centre=(0.01, 0.01), cv=1e-6, width=0.006)
    assert motor_map(near.assign(mep_amplitude=near["mep_amplitude"] + other["mep_amplitude"]))["map_peaks"] == 2


def test_map_at_the_border_is_truncated():
    found = motor_map(map_table(np.random.default_rng(28), centre=(0.0, 0.03)))
    assert found["map_truncated"] == 1
    assert found["centre_of_gravity_x"].flag == "map_truncated"


def test_scattered_positions_give_the_same_centre():
    rng = np.random.default_rng(29)
    x, y = rng.uniform(0, 0.06, 150), rng.uniform(0, 0.06, 150)
    size = 1e-3 * np.exp(-((x - 0.031) ** 2 + (y - 0.028) ** 2) / (2 * 0.011**2)) * log_normal(rng, 150, 1, 0.3)
    table = pd.DataFrame({"coil_x": x, "coil_y": y, "coil_z": 0.1, "mep_amplitude": size})
    found = motor_map(table)
    assert found["centre_of_gravity_x"] == pytest.approx(0.031, abs=0.002)
    assert found["centre_of_gravity_y"] == pytest.approx(0.028, abs=0.002)
    assert found["centre_of_gravity_z"] == pytest.approx(0.1)


def test_overlap_of_maps():
    rng = np.random.default_rng(30)
    a, b = map_table(rng, (0.02, 0.03)), map_table(rng, (0.045, 0.03))
    same, apart = map_overlap(a, a), map_overlap(a, b)
    assert same["map_overlap_jaccard"] == 1
    assert same["centre_of_gravity_distance"] == 0
    assert apart["map_overlap_jaccard"] < 0.8
    assert covered(apart["centre_of_gravity_distance"], 0.025)
    with pytest.raises(ValueError, match="same pulses"):
        map_overlap(a, b.iloc[:-1])
    with pytest.raises(ValueError, match="coil_x"):
        motor_map(a.drop(columns="coil_x"))


def test_the_mean_of_intensities_that_were_chosen_has_no_interval():
    found = trial_mean(pd.DataFrame({"intensity": [50.0, 51.0, 50.0, 49.0]}), of="intensity")
    assert found == pytest.approx(50)
    assert np.isnan([found.ci_low, found.ci_high]).all()
