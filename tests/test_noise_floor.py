"""One judgement of the noise floor in all measures that compare: noise, what cannot tell, and what is only a limit."""

import warnings

import numpy as np
import pandas as pd
import pytest

from excitability.measures import (
    background_matched_level,
    background_matched_ratio,
    change_in_baseline_deviations,
    conditioned_ratio,
    paired_pulse_curve,
    plasticity_index,
    resting_motor_threshold,
    threshold_tracking,
    trial_mean,
)
from excitability.measures._tables import noise_floor_flags, responded, share_of_responses

NOISE = 1e-5


def two_conditions(first=1e-3, second=1e-3, n=20, seed=40):
    """Responses before and after (or of test and conditioned pulses), with a background that varies a little."""
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "condition": np.repeat(["pre", "post"], n),
            "intensity": np.tile([48.0, 49.0, 50.0, 51.0, 52.0], 2 * n // 5),
            "mep_amplitude": np.repeat([first, second], n)
            * np.tile(1.3 ** np.arange(-2, 3), 2 * n // 5)
            * rng.lognormal(0, 0.05, 2 * n),
            "background_emg": NOISE * rng.lognormal(0, 0.05, 2 * n),
        }
    )


COMPARISONS = {
    "conditioned_ratio": lambda table: conditioned_ratio(table, test="pre"),
    "plasticity_index": plasticity_index,
    "change_in_baseline_deviations": lambda table: change_in_baseline_deviations(table)["post"],
    "background_matched_ratio": lambda table: background_matched_ratio(table, test="pre")["post"],
    "threshold_tracking": lambda table: threshold_tracking(table, test="pre"),
}


@pytest.mark.parametrize("name", COMPARISONS)
@pytest.mark.parametrize("told", ["background", "probability"])
def test_nothing_is_compared_with_noise(name, told):
    table = two_conditions(4e-5, 1e-3)
    if told == "probability":
        table = table.assign(background_emg=1e-7, mep_probability=np.repeat([0.0, 1.0], 20))
    found = COMPARISONS[name](table)
    assert np.isnan(found)
    assert found.flag == "test_at_noise_floor"


@pytest.mark.parametrize("name", COMPARISONS)
def test_a_comparison_with_noise_on_the_other_side_is_a_limit(name):
    found = COMPARISONS[name](two_conditions(1e-3, 3e-5))
    assert "conditioned_at_noise_floor" in found.flag.split(";")
    if name == "threshold_tracking":
        assert np.isnan(found.ci_high)
        assert np.isfinite(found.ci_low)
    else:
        assert np.nan_to_num(found.ci_low) == 0
        assert found.ci_high > found
    clear = COMPARISONS[name](two_conditions(1e-3, 8e-4))
    assert "noise_floor" not in clear.flag
    assert clear.ci_low < clear < clear.ci_high


@pytest.mark.parametrize("name", COMPARISONS)
@pytest.mark.parametrize("column", ["background_emg", "mep_probability"])
def test_an_unknown_background_or_probability_is_no_missing_response(name, column):
    table = two_conditions().assign(mep_probability=1.0)
    table[column] = table[column].where(np.arange(40) % 4 == 0)
    if name == "background_matched_ratio" and column == "background_emg":
        table = pd.concat([table] * 4)  # trials without a background cannot be matched
    found = COMPARISONS[name](table)
    assert np.isfinite(found)
    assert "noise_floor" not in found.flag


def test_what_each_trial_says():
    table = pd.DataFrame(
        {
            "mep_amplitude": [1e-3, 1e-5, 1e-3, 1e-3, np.nan],
            "background_emg": [1e-5, 1e-5, np.nan, 1e-5, 1e-5],
            "mep_probability": [np.nan, np.nan, np.nan, 0.1, 0.9],
        }
    )
    found = responded(table, "mep_amplitude")
    np.testing.assert_array_equal(found, [1, 0, np.nan, 0, 1])
    assert share_of_responses(found) == 0.5
    assert share_of_responses(None) == share_of_responses(np.full(3, np.nan)) == 1
    assert responded(table[["mep_amplitude"]], "mep_amplitude") is None
    assert noise_floor_flags(np.zeros(3), np.ones(3)) == ("test_at_noise_floor", "")
    assert noise_floor_flags(np.ones(3), np.r_[np.ones(7), np.zeros(3)])[1] == "conditioned_at_noise_floor_in_some"


def test_a_threshold_counts_responses_whose_background_is_not_known():
    table = pd.DataFrame({"intensity": np.repeat([45.0, 50.0, 55.0], 10), "background_emg": 2e-5})
    table["mep_amplitude"] = np.repeat([1e-5, 4e-4, 4e-4], 10)
    known = resting_motor_threshold(table)["resting_motor_threshold"]
    table["background_emg"] = table["background_emg"].where(np.arange(30) % 2 == 0)
    assert resting_motor_threshold(table)["resting_motor_threshold"] == known


def test_a_limit_at_zero_is_open_as_a_logarithm():
    table = two_conditions(1e-3, 3e-5)
    found = conditioned_ratio(table, test="pre", form="log_ratio")
    assert np.isnan(found.ci_low)
    assert found < found.ci_high < 0
    assert "conditioned_at_noise_floor" in found.flag
    assert conditioned_ratio(table, test="pre").ci_low == 0


@pytest.mark.parametrize(("background", "ratio"), [([1.0, 1.0], True), ([1.0, 2.0], False)])
def test_a_constant_background_adjusts_nothing(background, ratio):
    table = two_conditions(1e-3, 5e-4).assign(background_emg=np.repeat(background, 20) * 1e-6)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = background_matched_ratio(table, test="pre")["post"]
    if ratio:
        plain = conditioned_ratio(table, test="pre", aggregate="geometric_mean")
        assert found == pytest.approx(plain)
        assert found.ci_low == pytest.approx(plain.ci_low, rel=0.05)
    else:
        assert np.isnan(found)
        assert "slope_unknown" in found.flag
    levels = background_matched_level(table, of="mep_amplitude")
    assert np.isfinite(levels["pre"]) == ratio


@pytest.mark.parametrize(("at", "scale"), [(-1e-5, "linear"), (-1e-5, "log"), (0.0, "log")])
def test_a_background_to_adjust_to_is_positive(at, scale):
    with pytest.raises(ValueError, match="must be a background above 0"):
        background_matched_level(two_conditions(), of="mep_amplitude", at=at, scale=scale)


def test_what_tracking_and_baselines_cannot_use_is_said():
    table = two_conditions(n=20).drop(columns="background_emg")
    with pytest.raises(ValueError, match="target"):
        threshold_tracking(table, test="pre", target=-1)
    table.loc[3, "mep_amplitude"] = 0.0
    assert "non_positive" in threshold_tracking(table, test="pre").flag
    alike = table.assign(mep_amplitude=1e-3)
    assert change_in_baseline_deviations(alike)["post"].flag == "no_variation"


def test_interval_of_a_probability_holds_its_level():
    table = pd.DataFrame({"mep_probability": [0.0, 0, 0, 1, 1, 1, 1]})
    for statistic, chances in (("median", table), ("mean", table), ("geometric_mean", table.replace(0.0, 0.2))):
        found = trial_mean(chances, of="mep_probability", statistic=statistic)
        assert 0 <= found.ci_low <= found <= found.ci_high <= 1


def test_paired_pulse_curve_of_conditions_without_background():
    rng = np.random.default_rng(41)
    level = np.repeat([np.nan, 30, 34, 38, 42], 12)
    table = pd.DataFrame(
        {
            "condition": np.where(np.isnan(level), "test", "pair"),
            "conditioning_intensity": level,
            "mep_amplitude": 1e-3 * rng.lognormal(0, 0.4, level.size),
            "background_emg": np.where(np.arange(level.size) % 3, np.nan, 3e-6),
        }
    )
    found = paired_pulse_curve(table, by="conditioning_intensity")["ratio_mean"]
    assert np.isfinite(found)
    assert found.flag == ""
