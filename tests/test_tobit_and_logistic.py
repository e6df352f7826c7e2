"""Thresholds above the maximum output, and probabilities of a response: oracles, known truth, bad input."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from excitability.comparison._censored_pairs import Shape, log_likelihood
from excitability.comparison.censored_thresholds import compare_thresholds
from excitability.comparison.logistic import logistic_changes, logistic_model
from excitability.comparison.tobit import censored_numbers, tobit_changes


def thresholds(seed, n=14, mean=80.0, change=4.0, spread=5.0):
    rng = np.random.default_rng(seed)
    before = rng.normal(mean, 12, n)
    return before, before + rng.normal(change, spread, n)


def cut(before, after, limit=100.0):
    return np.minimum(before, limit), np.minimum(after, limit), before > limit, after > limit


# Thresholds -------------------------------------------------------------------------------------------------


def test_without_censoring_it_is_the_paired_t_and_welchs():
    before, after = thresholds(0, 13)
    groups, never = np.repeat(["patient", "control"], [5, 8]), np.zeros(13, dtype=bool)
    found = tobit_changes(before, after, never, never, groups).set_index("group")
    change = after - before
    one = stats.ttest_1samp(change[:5], 0)
    two = stats.ttest_ind(change[:5], change[5:], equal_var=False)
    for name, oracle in (("patient", one), ("patient - control", two)):
        row, interval = found.loc[name], oracle.confidence_interval()
        assert (row["ci_low"], row["ci_high"]) == pytest.approx((interval.low, interval.high), abs=1e-3)
        assert row["p_value"] == pytest.approx(oracle.pvalue, rel=1e-3)
        assert row["df"] == pytest.approx(oracle.df, rel=1e-3)
        assert row["flag"] == ""
    assert found.loc["patient - control", "estimate"] == pytest.approx(change[:5].mean() - change[5:].mean(), abs=1e-4)


def test_the_likelihood_is_that_of_the_two_dimensional_normal_and_its_slope_is_right():
    shape, mean, change = Shape(1.2, 0.6, 0.7), 0.3, 0.4
    covariance = np.array([[shape.sd**2, shape.slope * shape.sd**2], [shape.slope * shape.sd**2, shape.total**2]])
    joint = stats.multivariate_normal([mean, mean + change], covariance)
    z = np.array([[0.1, -0.4], [1.3, 0.9]])
    for kind in ([False, False], [True, True]):
        found = log_likelihood(z, np.array([kind, kind]), mean, change, shape)[0]
        if kind[0]:  # above both limits: below the mirrored ones
            centre = np.array([mean, mean + change])
            oracle = sum(np.log(stats.multivariate_normal(-centre, covariance).cdf(-row)) for row in z)
        else:
            oracle = joint.logpdf(z).sum()
        assert found == pytest.approx(oracle, abs=1e-6)
    grid = np.linspace(-12, 12, 20001)
    for kind, known in (([False, True], 0), ([True, False], 1)):
        points = np.full((len(grid), 2), z[0, known])
        points[:, 1 - known] = grid
        density = np.where(grid > z[0, 1 - known], joint.pdf(points), 0.0)
        found = log_likelihood(z[:1], np.array([kind]), mean, change, shape)[0]
        assert found == pytest.approx(np.log(np.trapezoid(density, grid)), abs=2e-3)
    rng = np.random.default_rng(1)
    points, censored = rng.normal(0, 1, (40, 2)), rng.random((40, 2)) < 0.5
    at = np.array([0.1, np.log(1.1), -0.6, np.log(0.8), 0.2])

    def value(at):
        return log_likelihood(points, censored, at[0], at[4], Shape(np.exp(at[1]), at[2], np.exp(at[3])))

    slope = [(value(at + step)[0] - value(at - step)[0]) / 2e-6 for step in np.eye(5) * 1e-6]
    assert value(at)[1] == pytest.approx(np.array(slope), abs=1e-5)


def test_a_rise_that_leaves_the_stimulator_is_not_lost():
    """A censored threshold is neither 100 nor missing: both would understate the rise."""
    ours, at_limit, left_out, whole, covered = [], [], [], [], []
    for seed in range(24):
        before, after = thresholds(seed, 16, 92, 8, 6)
        limited = cut(before, after)
        row = tobit_changes(*limited).iloc[0]
        ours.append(row["estimate"])
        covered.append(row["ci_low"] <= 8 <= row["ci_high"])
        whole.append(np.mean(after - before))
        at_limit.append(np.mean(limited[1] - limited[0]))
        left_out.append(np.mean((after - before)[~limited[2] & ~limited[3]]))
    assert np.mean(ours) == pytest.approx(np.mean(whole), abs=1)
    assert np.mean(at_limit) < np.mean(whole) - 2
    assert np.mean(left_out) < np.mean(whole) - 1
    assert np.mean(covered) >= 0.85


def test_the_difference_of_groups_is_seen_where_one_is_censored():
    before, after = thresholds(3, 30, 88, 0, 4)
    after[:15] += 8
    groups = np.repeat(["patient", "control"], 15)
    found = tobit_changes(*cut(before, after), groups).set_index("group")
    row = found.loc["patient - control"]
    assert row["ci_low"] < 8 < row["ci_high"]
    assert row["ci_low"] > 0
    assert row["p_value"] < 0.05
    assert row["n_censored"] == found.loc["patient", "n_censored"] + found.loc["control", "n_censored"] > 3
    twin = tobit_changes(*cut(before, after), np.where(groups == "patient", "b", "a")).set_index("group")
    assert twin.loc["b - a", "estimate"] == pytest.approx(row["estimate"])
    scaled = tobit_changes(*(part / 10 for part in cut(before, after)[:2]), *cut(before, after)[2:], groups)
    assert scaled["ci_low"].to_numpy() * 10 == pytest.approx(found["ci_low"].to_numpy(), rel=1e-4)


def test_what_censoring_leaves_open_is_told():
    before, after = thresholds(1, 8, 70, 5)
    few, none = after > np.sort(after)[3], after > np.sort(after)[1]
    never = np.zeros(8, dtype=bool)
    row = tobit_changes(before, after, never, few).iloc[0]
    assert "few_uncensored" in row["flag"]
    assert np.isfinite(row["estimate"])
    row = tobit_changes(before, after, never, none).iloc[0]
    assert row["flag"] == "not_estimable"
    assert np.isnan(row["estimate"])
    gaps = np.where(np.arange(8) < 2, np.nan, after)
    assert tobit_changes(before, gaps, never, never)["n"][0] == 6
    with pytest.raises(ValueError, match="one entry a person, got shapes"):
        tobit_changes(before, after[1:], never, never)


def test_few_measured_people_among_many_do_not_lead_the_search_astray():
    """Started from the slope through a few people, or with them alone, the search went anywhere."""
    rng = np.random.default_rng(1)
    for _ in range(40):
        before, after = thresholds(rng.integers(10**6), 12, 96, 6, 6)
        row = tobit_changes(*cut(before, after)).iloc[0]
        if row["flag"] != "not_estimable":
            assert row["ci_low"] < row["estimate"] < row["ci_high"]
            assert abs(row["estimate"] - 6) < 15


def test_thresholds_above_the_limit_are_read():
    values, censored = censored_numbers(pd.Series(["54", "> 100", 61.5, None, ">90.5"]))
    np.testing.assert_array_equal(values, [54, 100, 61.5, np.nan, 90.5])
    assert censored.tolist() == [False, True, False, False, True]
    with pytest.raises(ValueError, match="'high' in row 1 is neither"):
        censored_numbers(["54", "high"])


def threshold_rows(seed=0, n=16):
    before, after = thresholds(seed, n, 88, 4, 4)
    table = pd.DataFrame({
        "participant": [f"{i:02d}" for i in range(n)] * 2, "timepoint": np.repeat(["pre", "post0"], n),
        "protocol": "m1/rmt", "channel": "FDI", "condition": "all", "measure": "resting_motor_threshold",
        "value": np.r_[before, after], "ci_low": np.nan, "flag": "", "group": ["patient", "control"] * n,
    })  # fmt: skip
    high = table["value"] > 100
    return table.assign(flag=np.where(high, "few_trials;ceiling", ""), value=table["value"].where(~high)), before, after


def test_thresholds_of_a_result_table_keep_those_at_the_ceiling():
    table, before, after = threshold_rows()
    found = compare_thresholds(table.sample(frac=1, random_state=1), by="group").set_index("group")
    groups = np.array(["patient", "control"] * 8)
    own = tobit_changes(*cut(before, after), groups).set_index("group")
    assert found["n_censored"].sum() > 2
    for name in ("patient", "control"):
        assert found.loc[name, "estimate"] == pytest.approx(own.loc[name, "estimate"], rel=1e-6)
        assert found.loc[name, "n"] == 8
    assert found["contrast"].eq("post0 - pre").all()
    tested = table.assign(flag=table["flag"].str.replace("ceiling", "above_tested_range"), ci_low=100.0)
    assert compare_thresholds(tested)["estimate"][0] == pytest.approx(compare_thresholds(table)["estimate"][0])
    unknown = table.assign(flag=table["flag"].str.replace("ceiling", "no_responses"))
    assert compare_thresholds(unknown)["n"][0] == ((before <= 100) & (after <= 100)).sum()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (dict(measure="resting_threshold"), "unknown measure 'resting_threshold': did you mean 'resting_motor_thresh"),
        (dict(after="post"), "unknown timepoint 'post': did you mean 'post0'"),
        (dict(by="grup"), "did you mean 'group'"),
    ],
)
def test_a_threshold_that_is_not_there_is_said(change, message):
    table, *_ = threshold_rows()
    with pytest.raises(ValueError, match=message):
        compare_thresholds(table, **change)
    with pytest.raises(ValueError, match="more than one value of a participant at one timepoint: rows 0, 1"):
        compare_thresholds(pd.concat([table.iloc[[0]], table], ignore_index=True))


# Probabilities ----------------------------------------------------------------------------------------------


def responses(seed, n=10, effect=0.0, per=20, base=0.3, spread=0.5):
    rng = np.random.default_rng(seed)
    person, after = np.repeat(np.arange(n), 2 * per), np.tile(np.repeat([False, True], per), n)
    change = rng.normal(effect, spread, n)
    odds = (base + rng.normal(0, 1, n))[person] + change[person] * after
    return (rng.random(len(odds)) < 1 / (1 + np.exp(-odds))).astype(float), person, after


def test_logistic_model_is_statsmodels():
    import statsmodels.api as sm

    y, person, after = responses(0, 9)
    rng = np.random.default_rng(1)
    x = np.column_stack([np.ones(len(y)), after, rng.normal(size=len(y))])
    keep = rng.random(len(y)) > 0.15  # unequal numbers of trials
    y, person, x = y[keep], person[keep], x[keep]
    found = logistic_model(y, x, person, "mancl")
    model = sm.GEE(y, x, groups=person, family=sm.families.Binomial(), cov_struct=sm.cov_struct.Independence())
    oracle = model.fit(cov_type="bias_reduced")
    assert found.coefficients == pytest.approx(oracle.params, abs=1e-8)
    assert np.sqrt(np.diag(found.covariance)) == pytest.approx(oracle.bse, rel=1e-8)
    ours, plain = logistic_model(y, x, person), model.fit(cov_type="robust")
    assert np.all(np.diag(ours.covariance) < np.diag(found.covariance))
    assert np.all(np.diag(ours.covariance) > plain.bse**2)


def test_with_equal_numbers_of_trials_the_error_is_the_sample_variance():
    y, person, after = responses(2, 8)
    row = logistic_changes(y, person, after).iloc[0]
    counts = pd.DataFrame({"y": y, "p": person, "a": after}).groupby(["p", "a"])["y"].mean().unstack().to_numpy()
    p = counts.mean(axis=0)
    own = ((counts - p) / (p * (1 - p))) @ [-1, 1]
    assert row["estimate"] == pytest.approx(np.diff(np.log(p / (1 - p)))[0])
    half = own.std(ddof=1) / np.sqrt(8) * stats.t.ppf(0.975, 7)
    assert row["ci_high"] - row["estimate"] == pytest.approx(half, rel=1e-6)
    assert row["odds_ratio"] == pytest.approx(np.exp(row["estimate"]))


def test_people_are_the_sample_not_trials():
    """Changes differ between people: a logistic regression of trials would be sure far too often."""
    import statsmodels.api as sm

    ours, of_trials = [], []
    for seed in range(120):
        y, person, after = responses(seed, 8, spread=1.4, per=25)
        ours.append(logistic_changes(y, person, after)["p_value"][0] < 0.05)
        x = np.column_stack([np.ones(len(y)), after]).astype(float)
        of_trials.append(sm.GLM(y, x, family=sm.families.Binomial()).fit().pvalues[1] < 0.05)
    assert np.mean(ours) <= 0.1
    assert np.mean(of_trials) > 0.2


def test_groups_covariates_and_people_without_both_time_points():
    y, person, after = responses(4, 12, effect=0.0, spread=0.2)
    strong, *_ = responses(5, 12, effect=2.0, spread=0.2)
    group = np.where(person < 6, "patient", "control")
    y = np.where(person < 6, strong, y)
    lost = (person == 11) & after
    found = logistic_changes(y[~lost], person[~lost], after[~lost], group[~lost]).set_index("group")
    assert list(found.index) == ["patient", "control", "patient - control"]
    assert found.loc["control", "n"] == 5
    assert found.loc["patient - control", "ci_low"] > 0
    background = np.random.default_rng(0).normal(size=(len(y), 1))
    adjusted = logistic_changes(y, person, after, group, background).set_index("group")
    assert adjusted.loc["patient", "df"] == 4
    assert adjusted.loc["patient", "estimate"] == pytest.approx(found.loc["patient", "estimate"], abs=0.1)


def test_where_all_respond_the_odds_are_not_made_up():
    y, person, after = responses(0, 6)
    y[after] = 1.0
    row = logistic_changes(y, person, after).iloc[0]
    assert row["flag"] == "separated"
    assert np.isnan(row[["estimate", "ci_low", "p_value"]].astype(float)).all()
    alone = logistic_changes(y[person == 0], person[person == 0], after[person == 0]).iloc[0]
    assert alone["flag"] == "too_few_participants"


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda y, p, a: logistic_changes(y * 0.5, p, a), "0 or 1; for a probability of each session use compare"),
        (lambda y, p, a: logistic_changes(y[1:], p, a), "differ in length"),
        (lambda y, p, a: logistic_model(y + 3, np.ones((len(y), 1)), p), "y must be 0 or 1"),
        (lambda y, p, a: logistic_model(y, np.ones((len(y), 2)), p), "2 columns of x depend"),
        (lambda y, p, a: logistic_model(y, np.ones((3, 1)), p), "needs y"),
        (lambda y, p, a: logistic_model(y, np.ones((len(y), 1)), p, "manc"), "did you mean 'mancl'"),
    ],
)
def test_bad_input_is_one_clear_line(call, message):
    with pytest.raises(ValueError, match=message) as caught:
        call(*responses(0, 4))
    assert "\n" not in str(caught.value)
