"""After-effects within a recording, and conditions compared at the same background EMG."""

import mne
import numpy as np
import pandas as pd
import pytest

import excitability as ex
from excitability.measures import (
    background_matched_level,
    background_matched_ratio,
    change_in_baseline_deviations,
    plasticity_index,
)
from excitability.simulate import mep_trials


def covered(estimate, truth):
    return estimate.ci_low <= truth <= estimate.ci_high


def after_effect(rng, n, levels, cv=0.5, draw="log_normal"):
    s = np.sqrt(np.log1p(cv**2))
    n_all = n * len(levels)
    size = rng.lognormal(-s * s / 2, s, n_all) if draw == "log_normal" else rng.gamma(cv**-2, cv**2, n_all)
    sizes = np.repeat(list(levels.values()), n) * size
    return pd.DataFrame({"condition": np.repeat(list(levels), n), "mep_amplitude": sizes})


LEVELS = {"pre": 1e-3, "post0": 1.2e-3, "post10": 1.6e-3, "post20": 1.4e-3}


@pytest.mark.parametrize("draw", ["log_normal", "gamma"])
def test_interval_of_the_plasticity_index_covers(draw):
    rng = np.random.default_rng(1)
    hits = [
        covered(plasticity_index(after_effect(rng, n, LEVELS, 0.6, draw)), 1.4) for n in (8, 20) for _ in range(250)
    ]
    assert 0.93 <= np.mean(hits) <= 0.985


def test_blocks_weigh_the_same_and_baselines_are_pooled():
    table = after_effect(np.random.default_rng(2), 10, LEVELS)
    more = pd.concat([table, table[table["condition"] == "post0"]])
    assert plasticity_index(more) == pytest.approx(plasticity_index(table))
    two = pd.concat([table, table[table["condition"] == "pre"].assign(condition="pre2")])
    assert plasticity_index(two) == pytest.approx(plasticity_index(table))
    assert plasticity_index(table, form="percent") == pytest.approx(100 * plasticity_index(table))
    assert plasticity_index(table.assign(mep_amplitude=7 * table["mep_amplitude"])) == pytest.approx(
        plasticity_index(table)
    )


def test_plasticity_says_what_is_missing():
    table = after_effect(np.random.default_rng(3), 10, LEVELS)
    assert plasticity_index(table[table["condition"] != "pre"]).flag == "no_baseline"
    assert plasticity_index(table[table["condition"] == "pre"]).flag == "no_trials"
    few = plasticity_index(after_effect(np.random.default_rng(3), 2, LEVELS))
    assert few.flag == "few_trials"
    assert np.isnan(few.ci_low)
    assert plasticity_index(table.assign(reject=np.where(table["condition"] == "pre", "x", ""))).flag == "no_baseline"


@pytest.mark.parametrize(("n", "delta"), [(10, 1.0), (20, 0.0), (30, 2.0)])
def test_change_in_baseline_deviations_is_covered_and_unbiased(n, delta):
    rng = np.random.default_rng(4)
    found = []
    for _ in range(400):
        logs = np.r_[rng.standard_normal(n), delta + rng.standard_normal(n)] * 0.5
        table = pd.DataFrame({"condition": np.repeat(["pre", "post"], n), "mep_amplitude": np.exp(logs)})
        found.append(change_in_baseline_deviations(table)["post"])
    assert 0.915 <= np.mean([covered(each, delta) for each in found]) <= 0.985
    assert np.mean(found) == pytest.approx(delta, abs=0.08)


def test_blocks_of_a_recording():
    rate, n, every = 2000.0, 12, 1.0
    levels = {"pre": 0.8e-3, "post0": 1.6e-3}
    parts = [
        mep_trials(
            n,
            sampling_rate=rate,
            tmin=-0.2,
            tmax=0.3,
            amplitude_median=level,
            noise_rms=4e-6,
            no_response=0.0,
            seed=seed,
        )
        for seed, level in enumerate(levels.values())
    ]
    data = np.pad(np.vstack([part[0] for part in parts]), ((0, 0), (0, round(every * rate) - parts[0][0].shape[1])))
    raw = mne.io.RawArray(data.reshape(1, -1), mne.create_info(["FDI"], rate, "emg"), verbose="ERROR")
    onset = 0.2 + every * np.arange(2 * n)
    raw = ex.set_stimuli(raw, pd.DataFrame({"onset": onset, "block": np.repeat(list(levels), n)}))
    result = ex.run(raw, "plasticity").set_index(["measure", "condition"])
    index = result.loc[("plasticity_index", "all")]
    truth = parts[1][2]["amplitude"].mean() / parts[0][2]["amplitude"].mean()
    assert index["value"] == pytest.approx(truth, rel=0.05)
    assert result.loc[("after_effect", "post0"), "value"] == pytest.approx(index["value"])
    assert result.loc[("background_matched_ratio", "post0"), "ci_low"] > 1


# background ----------------------------------------------------------------------------------------------------


def contractions(rng, n, shift, slope, ratio=0.5, error=0.0):
    logs = np.r_[rng.normal(0, 0.25, n), rng.normal(shift, 0.25, n)]
    size = slope * logs + np.repeat([0.0, np.log(ratio)], n) + 0.4 * rng.standard_normal(2 * n)
    seen = logs + error * rng.standard_normal(2 * n)
    condition = np.repeat(["test", "task"], n)
    columns = {"background_emg": 20e-6 * np.exp(seen), "mep_amplitude": 1e-3 * np.exp(size)}
    return pd.DataFrame({"condition": condition, **columns})


@pytest.mark.parametrize(("shift", "slope"), [(0.0, 0.8), (0.3, 0.8), (0.5, 1.2), (0.3, 0.0)])
def test_ratio_at_matched_background_is_covered(shift, slope):
    rng = np.random.default_rng(5)
    found = [background_matched_ratio(contractions(rng, 20, shift, slope))["task"] for _ in range(300)]
    assert 0.925 <= np.mean([covered(each, 0.5) for each in found]) <= 0.985
    assert np.mean(np.log(found)) == pytest.approx(np.log(0.5), abs=0.03)


def test_an_unadjusted_ratio_is_wrong_where_the_background_differs():
    table = contractions(np.random.default_rng(6), 60, 0.5, 1.0)
    means = table.groupby("condition")["mep_amplitude"].mean()
    assert means["task"] / means["test"] > 0.65
    adjusted = background_matched_ratio(table)["task"]
    assert covered(adjusted, 0.5)
    assert adjusted.flag == "backgrounds_differ"


def test_levels_at_a_given_background_are_covered():
    rng = np.random.default_rng(7)
    hits = []
    for _ in range(300):
        background = 20e-6 * np.exp(np.r_[rng.normal(0, 0.2, 15), rng.normal(0.2, 0.2, 15)])
        area = 0.1 * background + np.repeat([0.0, 1e-6], 15) + 0.02 * background * rng.standard_normal(30)
        condition = np.repeat(["all", "task"], 15)
        table = pd.DataFrame({"condition": condition, "background_emg": background, "mep_area": area})
        hits.append(covered(background_matched_level(table, at=22e-6)["task"], 3.2e-6))
    assert 0.92 <= np.mean(hits) <= 0.985


def test_what_cannot_be_compared_is_flagged():
    table = contractions(np.random.default_rng(8), 12, 4.0, 1.0)
    assert background_matched_ratio(table)["task"].flag == "backgrounds_differ;backgrounds_apart"
    assert background_matched_level(table, of="mep_amplitude", at=20e-6)["task"].flag == "extrapolated"
    assert background_matched_ratio(table.iloc[:14])["task"].flag == "few_trials"
    assert background_matched_ratio(table, test="rest")["task"].flag == "no_test_trials"
    with pytest.raises(ValueError, match="unknown scale 'ln'"):
        background_matched_level(table, of="mep_amplitude", scale="ln")


def test_blocks_that_are_neither_before_nor_after_are_not_counted():
    table = after_effect(np.random.default_rng(8), 15, LEVELS)
    index = plasticity_index(table)
    practice = after_effect(np.random.default_rng(9), 15, {"practice": 9e-3, "": 9e-3})
    more = plasticity_index(pd.concat([practice, table], ignore_index=True))
    assert (more, more.ci_low, more.ci_high, more.n) == pytest.approx((index, index.ci_low, index.ci_high, index.n))
    assert (index.flag, more.flag) == ("", "other_blocks_left_out")
    named = table.assign(condition=table["condition"].str.replace("post", "T").replace({"T0": "T 0 min"}))
    with pytest.raises(ValueError, match=r"'T 0 min', 'T10', 'T20' are neither before .* give the first letters"):
        plasticity_index(named)
    assert plasticity_index(named, after="T") == pytest.approx(index)


def test_pairs_among_the_blocks_are_left_out():
    table = after_effect(np.random.default_rng(10), 15, LEVELS).assign(pulse_count=1)
    pairs = after_effect(np.random.default_rng(11), 20, {"pre": 1e-5}).assign(pulse_count=2)
    index, more = plasticity_index(table), plasticity_index(pd.concat([table, pairs], ignore_index=True))
    assert (more, more.ci_low, more.n, more.n_rejected) == pytest.approx((index, index.ci_low, index.n, 0))


def test_blocks_without_a_name_are_an_error_in_words():
    with pytest.raises(ValueError, match="no column 'condition'"):
        plasticity_index(pd.DataFrame({"mep_amplitude": [1e-3] * 9}))
