"""Equivalence and Bayes factors: equal to statsmodels and R's BayesFactor, sized as they should be, and in words."""

import numpy as np
import pandas as pd
import pytest
from scipy import integrate, stats
from statsmodels.stats.weightstats import ttost_paired

from excitability.comparison import compare, compare_groups
from excitability.comparison.bayes_factors import in_words, jzs_bayes_factor
from excitability.comparison.equivalence import COLUMNS, equivalence, two_one_sided


def changes(values, measure="silent_period", unit="s", form=""):
    """Result rows of values (n, 2) at pre and post0."""
    n = len(values)
    return pd.DataFrame(
        {
            "participant": [f"{i:02d}" for i in range(n)] * 2,
            "session": ["pre"] * n + ["post0"] * n,
            "protocol": "m1/cortical_silent_period" if unit == "s" else "m1/sici",
            "channel": "FDI",
            "condition": "all" if unit == "s" else "isi_0.002",
            "measure": measure,
            "value": np.concatenate([values[:, 0], values[:, 1]]),
            "unit": unit,
            "form": form,
        }
    )


def test_two_one_sided_tests_are_those_of_statsmodels():
    rng = np.random.default_rng(5)
    before, after = rng.normal(0, 1, (2, 15))
    p, lower, upper = ttost_paired(after, before, -0.8, 1.1)
    change = after - before
    found = two_one_sided(change.mean(), stats.sem(change), 14, 0.8, 1.1)
    assert found.p_value == pytest.approx(p, rel=1e-9)
    assert found.p_value == pytest.approx(max(lower[1], upper[1]), rel=1e-9)


def test_a_change_at_the_bound_is_called_none_in_five_percent():
    """Size of the test where it is largest: the true change is the bound."""
    rng = np.random.default_rng(6)
    change = rng.normal(0.5, 0.4, (3000, 12))
    error = change.std(axis=1, ddof=1) / np.sqrt(12)
    found = [two_one_sided(m, e, 11, 0.5).p_value < 0.05 for m, e in zip(change.mean(axis=1), error, strict=True)]
    assert 0.035 <= np.mean(found) <= 0.065


def test_the_p_value_and_the_90_percent_interval_say_the_same():
    rng = np.random.default_rng(7)
    for _ in range(50):
        found = two_one_sided(rng.normal(0, 0.3), 0.2, 12, 0.5)
        assert (found.p_value < 0.05) == (found.low > -0.5 and found.high < 0.5)


def test_bounds_are_above_zero():
    with pytest.raises(ValueError, match="above 0"):
        two_one_sided(0.1, 0.1, 10, 0)


def test_of_a_comparison_by_given_bounds():
    rng = np.random.default_rng(8)
    person = rng.normal(0.15, 0.03, (20, 1))
    results = changes(person + rng.normal(0, 0.002, (20, 2)))
    found = equivalence(compare(results), {"silent_period": 0.01}).iloc[0]
    difference = results["value"][20:].to_numpy() - results["value"][:20].to_numpy()
    oracle = stats.ttest_1samp(difference, 0).confidence_interval(0.9)
    assert (found["ci90_low"], found["ci90_high"]) == pytest.approx((oracle.low, oracle.high), abs=2e-6)
    assert found["p_equivalence"] < 0.001
    assert "no change beyond ±10 ms" in found["equivalence_sentence"]
    assert found["bayes_factor"] == pytest.approx(
        jzs_bayes_factor(difference.mean() / stats.sem(difference), 20), rel=1e-3
    )


def test_a_ratio_is_bounded_in_percent():
    rng = np.random.default_rng(9)
    log = rng.normal(-0.7, 0.3, (24, 1)) + rng.normal(0, 0.1, (24, 2))
    found = equivalence(compare(changes(np.exp(log), "conditioned_ratio", "1", "ratio")), np.log(1.25)).iloc[0]
    assert "−20 to +25 %" in found["equivalence_sentence"]


def test_the_smallest_detectable_change_bounds_it_by_default():
    rng = np.random.default_rng(10)
    values = rng.normal(0.15, 0.03, (20, 1)) + rng.normal(0, 0.004, (20, 2))
    change = compare(changes(values))
    found = equivalence(change).iloc[0]
    assert found["equivalence_bound"] == change["smallest_detectable_change"].iloc[0]
    assert set(COLUMNS) <= set(equivalence(change, "group").columns)


def test_few_people_give_no_bound():
    rng = np.random.default_rng(11)
    change = compare(changes(rng.normal(0.15, 0.03, (5, 1)) + rng.normal(0, 0.004, (5, 2))))
    found = equivalence(change).iloc[0]
    assert np.isnan(found["p_equivalence"])
    assert "cannot be known" in found["equivalence_sentence"]


def test_bad_bounds_are_said():
    rng = np.random.default_rng(12)
    change = compare(changes(rng.normal(0.15, 0.03, (8, 2))))
    with pytest.raises(ValueError, match="did you mean 'person'"):
        equivalence(change, "persons")
    with pytest.raises(ValueError, match="did you mean 'silent_period'"):
        equivalence(change, {"silent_periods": 0.01})
    with pytest.raises(ValueError, match="above 0"):
        equivalence(change, -0.01)


@pytest.mark.parametrize(
    ("t", "sizes", "scale", "value"),
    [
        (2.5, (20,), np.sqrt(0.5), 2.702145165),
        (0.3, (12,), np.sqrt(0.5), 0.2988269197),
        (3.5, (20, 20), np.sqrt(0.5), 26.74354621),
        (-1.4, (15, 22), 1.0, 0.5626582625),
    ],
)
def test_bayes_factors_of_r_bayesfactor_0_9_12(t, sizes, scale, value):
    assert jzs_bayes_factor(t, *sizes, scale=scale) == pytest.approx(value, rel=1e-8)


def test_the_bayes_factor_is_the_average_likelihood_over_the_cauchy_prior():
    t, n, scale = 2.2, 16, 0.8
    above, _ = integrate.quad(
        lambda d: stats.nct.pdf(t, n - 1, d * np.sqrt(n)) * stats.cauchy.pdf(d, scale=scale), -8, 8, limit=200
    )
    assert jzs_bayes_factor(t, n, scale=scale) == pytest.approx(above / stats.t.pdf(t, n - 1), rel=1e-5)


def test_bayes_factors_speak_for_no_change_as_people_are_added():
    few, many = (jzs_bayes_factor(0.0, n) for n in (10, 1000))
    assert many < few < 1
    assert in_words(many).endswith("without a change")


def test_groups_at_one_time_point_differ_and_do_not_change():
    rng = np.random.default_rng(2)
    people = [f"{i:02d}" for i in range(30)]
    results = pd.DataFrame({"participant": people, "session": "pre", "value": rng.normal(0.02, 0.001, 30)})
    results = results.assign(measure="latency", protocol="m1/mep", channel="FDI", condition="all", unit="s", form="")
    results["group"] = ["patient"] * 15 + ["control"] * 15
    found = equivalence(compare_groups(results), 0.01)
    assert found["p_equivalence"].notna().tolist() == [False, False, True]
    assert found["bayes_factor"].isna().all()
    assert "no difference beyond" in found["equivalence_sentence"][2]
