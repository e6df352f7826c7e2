"""Associations between people: known correlations come back, in the numbers of scipy and statsmodels, and in words."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from excitability.comparison.associations import associate, partial_correlation
from excitability.comparison.moderation import difference, moderate, slope


def study(n=40, r=0.7, seed=1, groups=False):
    """SICI, ICF and their test pulses in n people before and after; the ratio and pain change together."""
    rng = np.random.default_rng(seed)
    change, pain = rng.multivariate_normal([0, 0], [[1, r], [r, 1]], n).T
    age = rng.normal(50, 10, n)
    parts = []
    for protocol, measure, condition, values in (
        ("m1/sici", "conditioned_ratio", "isi_0.002", [np.full(n, 0.5), 0.5 * np.exp(0.3 * change)]),
        ("m1/sici", "conditioned_ratio", "isi_0.003", np.exp(rng.normal(-0.5, 0.3, (2, n)))),
        ("m1/sici", "test_amplitude", "test", np.exp(rng.normal(-7, 0.3, (2, n)))),
        ("m1/icf", "conditioned_ratio", "isi_0.01", np.exp(rng.normal(0.3, 0.3, (2, n)))),
    ):
        parts.append(
            pd.DataFrame(
                {
                    "participant": [f"{i:02d}" for i in range(n)] * 2,
                    "session": ["pre"] * n + ["post0"] * n,
                    "protocol": protocol,
                    "channel": "FDI",
                    "condition": condition,
                    "measure": measure,
                    "unit": "V" if measure == "test_amplitude" else "1",
                    "form": "" if measure == "test_amplitude" else "ratio",
                    "value": np.concatenate(list(values)),
                    "pain_intensity": np.r_[np.full(n, 5.0), 5 + pain],
                    "age": np.tile(age, 2),
                }
            )
        )
    table = pd.concat(parts, ignore_index=True)
    if groups:
        table["group"] = np.where(table["participant"].astype(int) % 2 == 0, "patient", "control")
    return table, 0.3 * change, pain, age


FIRST = "sici conditioned_ratio isi_0.002"


def test_pearson_and_spearman_are_those_of_scipy():
    table, x, y, _ = study()
    found = associate(table, FIRST, "pain_intensity", n_bootstrap=0).set_index("method")
    oracle = stats.pearsonr(x, y)
    assert found.loc["pearson", "estimate"] == pytest.approx(oracle.statistic)
    assert found.loc["pearson", "p_value"] == pytest.approx(oracle.pvalue)
    limits = oracle.confidence_interval()
    assert found.loc["pearson", ["ci_low", "ci_high"]].tolist() == pytest.approx([limits.low, limits.high])
    rank = stats.spearmanr(x, y)
    assert found.loc["spearman", "estimate"] == pytest.approx(rank.statistic)
    z = np.arctanh(rank.statistic) / np.sqrt((1 + rank.statistic**2 / 2) / (len(x) - 3))  # Bonett & Wright, not t
    assert found.loc["spearman", "p_value"] == pytest.approx(2 * stats.norm.sf(abs(z)))


def test_bonett_wright_2000_interval_of_spearman():
    table, x, y, _ = study(n=25)
    found = associate(table, FIRST, "pain_intensity", method=["spearman"], n_bootstrap=0).iloc[0]
    r = stats.spearmanr(x, y).statistic
    half = 1.959963984540054 * np.sqrt((1 + r**2 / 2) / 22)
    assert found["ci_low"] == pytest.approx(np.tanh(np.arctanh(r) - half))


def test_partial_correlation_is_that_of_the_residuals():
    """Age is taken out of both; the p value has one degree of freedom less, as in a regression with age."""
    import statsmodels.api as sm

    table, x, y, age = study(n=22)
    found = associate(table, FIRST, "pain_intensity", adjust=["age"], method=["pearson"], n_bootstrap=0).iloc[0]
    design = sm.add_constant(np.column_stack([x, age]))
    fit = sm.OLS(y, design).fit()
    rest = [v - np.polyval(np.polyfit(age, v, 1), age) for v in (x, y)]
    assert found["estimate"] == pytest.approx(np.corrcoef(*rest)[0, 1])
    assert found["p_value"] == pytest.approx(fit.pvalues[1])
    assert found["adjusted_for"] == "age"


def test_group_means_do_not_make_a_correlation():
    table, *_ = study(n=40, r=0.0, groups=True)
    table = table.rename(columns={"pain_intensity": "score"})
    patient = (table["group"] == "patient") & (table["session"] == "post0")
    table.loc[patient & (table["condition"] == "isi_0.002"), "value"] *= np.exp(3)
    table.loc[patient, "score"] += 10
    whole = associate(table, FIRST, "score", method=["pearson"], n_bootstrap=0)
    assert whole["estimate"][0] > 0.8
    apart = associate(table, FIRST, "score", by="group", method=["pearson"], n_bootstrap=0)
    assert list(apart["group"]) == ["patient", "control", "all"]
    assert apart.set_index("group").loc["all", "ci_low"] < 0


def test_the_bootstrap_interval_covers():
    rng = np.random.default_rng(3)
    hits = 0
    for _ in range(150):
        x, y = rng.multivariate_normal([0, 0], [[1, 0.6], [0.6, 1]], 20).T
        found = partial_correlation(x, y, np.empty((20, 0)), "pearson", 399, rng)
        hits += found["bootstrap_low"] <= 0.6 <= found["bootstrap_high"]
    assert 0.87 <= hits / 150 <= 0.99


def test_sentence_says_what_goes_with_what():
    table, *_ = study()
    said = associate(table, FIRST, "pain_intensity", n_bootstrap=0)["sentence"][0]
    assert said.startswith(
        "People whose SICI ratio at 2 ms in FDI rose more had more of a rise of pain intensity (r = 0."
    )
    table, *_ = study(n=15, r=0.0, seed=3)
    assert "no clear association" in associate(table, FIRST, "pain_intensity", n_bootstrap=0)["sentence"][0]


def test_ratios_to_the_same_test_pulses_are_flagged():
    table, *_ = study()
    found = associate(table, FIRST, "sici conditioned_ratio isi_0.003", n_bootstrap=0)
    assert found["flag"].str.contains("shared_test_trials").all()
    found = associate(table, FIRST, {"protocol": "m1/sici", "measure": "test_amplitude"}, n_bootstrap=0)
    assert found["flag"].str.contains("shared_test_trials").all()
    assert not associate(table, FIRST, "icf", n_bootstrap=0)["flag"].str.contains("shared").any()


def test_names_that_do_not_fit():
    table, *_ = study()
    with pytest.raises(ValueError, match="fits 2 measures"):
        associate(table, "sici conditioned_ratio", "pain_intensity")
    with pytest.raises(ValueError, match="did you mean 'pain_intensity'"):
        associate(table, FIRST, "pain_intensit")
    with pytest.raises(ValueError, match="did you mean 'condition'"):
        associate(table, {"conditions": "isi_0.002"}, "pain_intensity")
    with pytest.raises(ValueError, match="is both measures"):
        associate(table, FIRST, FIRST)


def test_covariates_that_cannot_change_or_are_text():
    table, *_ = study()
    with pytest.raises(ValueError, match="'age' is the same at pre and post0 in everybody"):
        associate(table, FIRST, "age")
    table["pain_intensity"] = table["pain_intensity"].astype(object)
    table.loc[3, "pain_intensity"] = "four"
    with pytest.raises(ValueError, match=r"'pain_intensity' must hold numbers \(0-10\), but has 'four' in row 3"):
        associate(table, FIRST, "pain_intensity")


def test_too_few_people_are_said():
    table, *_ = study(n=3)
    found = associate(table, FIRST, "pain_intensity")
    assert found["estimate"].isna().all()
    assert found["flag"].str.contains("not_estimable").all()


def test_moderation_is_the_regression_of_statsmodels():
    import statsmodels.api as sm

    table, x, _, age = study(n=24)
    table["value"] = np.where(table["session"] == "pre", table["value"], table["value"] * np.exp(0.02 * table["age"]))
    found = moderate(table, FIRST, "age").iloc[0]
    fit = sm.OLS(x + 0.02 * age, sm.add_constant(age)).fit()
    assert found["estimate"] == pytest.approx(fit.params[1])
    assert found["p_value"] == pytest.approx(fit.pvalues[1])
    assert [found["ci_low"], found["ci_high"]] == pytest.approx(list(fit.conf_int()[1]))
    assert "% per year, 95 % interval" in found["sentence"]


def test_moderation_of_a_treatment_is_the_difference_of_slopes():
    table, x, _, age = study(n=40, groups=True)
    found = moderate(table, FIRST, "age", by="group").set_index("group")
    even = np.arange(40) % 2 == 0
    patient, control = (slope(x[who], age[who], np.empty((20, 0))) for who in (even, ~even))
    assert found.loc["patient - control", "estimate"] == pytest.approx(patient.estimate - control.estimate)
    assert found.loc["patient - control", "p_value"] == pytest.approx(difference(patient, control).p_value)


def test_a_moderator_that_is_the_outcome_itself_is_flagged():
    table, *_ = study()
    found = moderate(table, "icf", "icf")
    assert "coupled" in found["flag"][0]
    assert found["estimate"][0] < 0  # regression to the mean, of values without any person in them


def test_a_constant_moderator_is_an_error():
    table, *_ = study()
    with pytest.raises(ValueError, match="'age' is 50 in every participant"):
        moderate(table.assign(age=50.0), FIRST, "age")


def test_the_bootstrap_of_ranks_does_not_reach_a_perfect_correlation_of_the_other_sign():
    """Its t did (-0.98 to +1.00 at r = -0.92), because people drawn twice are ties."""
    rng = np.random.default_rng(1)
    x = np.arange(10.0)
    y = np.array([9.0, 8, 7, 5, 6, 4, 3, 1, 2, 0])
    found = partial_correlation(x, y, np.empty((10, 0)), "spearman", 999, rng)
    assert found["estimate"] < -0.9
    assert found["bootstrap_high"] < -0.5


def test_labels_that_were_read_as_floats_are_those_that_compare_reads():
    table, *_ = study(groups=True)
    wanted = associate(table, FIRST, "pain_intensity", by="group", n_bootstrap=0)
    table["participant"] = table["participant"].astype(float)
    found = associate(table, FIRST, "pain_intensity", by="group", n_bootstrap=0)
    pd.testing.assert_frame_equal(found, wanted)
    assert found["n"].tolist() == [20, 20, 40] * 2


def test_a_table_without_its_columns_is_said():
    table, *_ = study()
    for name in ("participant", "measure", "value"):
        with pytest.raises(ValueError, match=name):
            associate(table.drop(columns=name), FIRST, "pain_intensity")
