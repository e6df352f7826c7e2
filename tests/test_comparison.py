"""The comparison layer: known changes come back with honest intervals, and bad input is said."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from excitability import schema
from excitability.comparison import (
    beside_evidence,
    compare,
    contested_claims,
    evidence,
    evidence_in_words,
    finding_in_words,
    findings_on,
    g_av,
    mixed_model,
)
from excitability.comparison.detectable import interval_of_spread
from excitability.comparison.sentences import Words, sentence

N_TRIALS = 12


def people(n):
    return [f"{i:02d}" for i in range(n)]


def rows(measure, values, unit="1", form="", **more):
    """Result rows; values (n_participants, n_levels) in the order pre, post0, post30."""
    values = np.asarray(values, dtype=float)
    table = pd.DataFrame(
        [
            {"participant": people(len(values))[i], "timepoint": level, "value": values[i, k]}
            for k, level in enumerate(("pre", "post0", "post30")[: values.shape[1]])
            for i in range(len(values))
        ]
    )
    defaults = {"protocol": "m1/sici", "channel": "FDI", "condition": "isi_0.0025"}
    table = table.assign(session=table["timepoint"], measure=measure, unit=unit, form=form, **(defaults | more))
    return table


def ratios(seed=0, n=12, change=0.3, spread=0.1, levels=2):
    rng = np.random.default_rng(seed)
    log = rng.normal(np.log(0.5), 0.3, (n, 1)) + rng.normal(0, spread / np.sqrt(2), (n, levels))
    log[:, 1:] += change
    return np.exp(log)


def study(seed, n=8, effect=0.3, paired=True, spread=0.2):
    """Result and trial tables of two groups of n; the effect is in the patients."""
    rng = np.random.default_rng(seed)
    conditions = ["test", "isi_0.0025"] if paired else ["test"]
    mean = rng.normal(-7, 0.5, (2 * n, 1, 1)) + rng.normal(0, 0.2, (2 * n, 2, 1)) * np.ones(len(conditions))
    mean[:, :, -1] += rng.normal(-0.7 * paired, 0.2, (2 * n, 1)) + rng.normal(0, spread / np.sqrt(2), (2 * n, 2))
    mean[:n, 1, -1] += effect
    amplitude = np.exp(mean[..., None] + rng.normal(0, 0.4, (*mean.shape, N_TRIALS)))
    i, s, c, _ = (axis.ravel() for axis in np.indices(amplitude.shape))
    trials = pd.DataFrame(
        {
            "participant": np.array(people(2 * n))[i],
            "timepoint": np.array(["pre", "post0"])[s],
            "channel": "FDI",
            "condition": np.array(conditions)[c],
            "mep_amplitude": amplitude.ravel(),
            "reject": "",
        }
    )
    group = {"group": np.tile(np.repeat(["patient", "control"], n), 2)}
    average = amplitude.mean(axis=-1)
    results = [rows("mep_amplitude", average[:, :, 0], "V", condition="test", **group)]
    if paired:
        results.append(rows("conditioned_ratio", average[:, :, 1] / average[:, :, 0], form="ratio", **group))
    return pd.concat(results, ignore_index=True), trials


# What comes back --------------------------------------------------------------------------------------------


def test_one_group_is_the_paired_t():
    values = ratios()
    found = compare(rows("conditioned_ratio", values, form="ratio")).iloc[0]
    change = np.log(values[:, 1] / values[:, 0])
    oracle = stats.ttest_1samp(change, 0)
    interval = oracle.confidence_interval()
    assert found["estimate"] == pytest.approx(change.mean(), rel=1e-12)
    assert found["p_value"] == pytest.approx(oracle.pvalue, rel=1e-9)
    assert (found["ci_low"], found["ci_high"]) == pytest.approx((interval.low, interval.high), rel=1e-9)
    assert found["percent_change"] == pytest.approx(100 * np.expm1(change.mean()))
    assert found["form"] == "log_ratio"
    assert found["effect_size"] == pytest.approx(float(g_av(*np.log(values).T)))


def test_difference_of_changes_is_welch():
    values = np.vstack([ratios(1, 9, 0.4, 0.5), ratios(2, 14, 0.0, 0.1)])
    table = rows("conditioned_ratio", values, form="ratio")
    table["group"] = np.tile(["patient"] * 9 + ["control"] * 14, 2)
    found = compare(table, by="group").set_index("group")
    assert list(found.index) == ["patient", "control", "patient - control"]
    change = np.log(values[:, 1] / values[:, 0])
    oracle = stats.ttest_ind(change[:9], change[9:], equal_var=False)
    assert found.loc["patient - control", "p_value"] == pytest.approx(oracle.pvalue, rel=1e-9)
    assert found.loc["patient - control", "ci_low"] == pytest.approx(oracle.confidence_interval().low, rel=1e-9)
    assert found.loc["patient - control", "n"] == 23


def test_covariates_are_ordinary_regression_in_one_group():
    import statsmodels.api as sm

    rng = np.random.default_rng(3)
    age = rng.normal(40, 10, 15)
    values = 0.02 + rng.normal(0, 0.001, (15, 2)) + np.column_stack([np.zeros(15), 1e-4 * age])
    table = rows("mep_latency", values, "s", age=np.tile(age, 2), condition="test")
    found = compare(table, covariates=["age"]).iloc[0]
    oracle = sm.OLS(values[:, 1] - values[:, 0], sm.add_constant(age - age.mean())).fit()
    assert found["estimate"] == pytest.approx(oracle.params[0], rel=1e-9)
    assert found["p_value"] == pytest.approx(oracle.pvalues[0], rel=1e-6)
    assert found["unit"] == "s"
    assert found["form"] == "difference"


def test_baseline_as_covariate_is_analysis_of_covariance():
    import statsmodels.formula.api as smf

    rng = np.random.default_rng(4)
    before = rng.normal(50, 5, 400)
    group = np.repeat(["patient", "control"], 200)
    after = 0.5 * before + 25 + 2 * (group == "patient") + rng.normal(0, 2, 400)
    values = np.column_stack([before, after])
    table = rows("s50", values, "%MSO", group=np.tile(group, 2), condition="all")
    found = compare(table, by="group", covariates=["baseline"]).set_index("group")
    frame = pd.DataFrame({"b": before, "a": after, "g": (group == "patient").astype(float)})
    oracle = smf.ols("a ~ b + g", frame).fit()
    difference = found.loc["patient - control"]
    assert difference["estimate"] == pytest.approx(oracle.params["g"], rel=1e-9)
    assert difference["ci_high"] == pytest.approx(oracle.conf_int().loc["g", 1], rel=0.02)
    assert difference["estimate"] == pytest.approx(found["estimate"]["patient"] - found["estimate"]["control"])


def test_coverage_and_type_one_error():
    """500 small studies in one call: every channel is a study of 7 patients and 10 controls, unequal spread."""
    rng = np.random.default_rng(5)
    spread = np.repeat([0.5, 0.2], [7, 10])
    effect = np.repeat([0.25, 0.0], [7, 10])
    parts = []
    for _ in range(500):
        log = rng.normal(-0.7, 0.3, 17)
        after = log + effect + rng.normal(0, 1, 17) * spread
        parts.append(np.exp(np.column_stack([log, after])))
    values = np.stack(parts)
    n_studies, n, _ = values.shape
    table = pd.DataFrame(
        {
            "participant": np.tile(np.repeat(people(n), 2), n_studies),
            "session": np.tile(["pre", "post0"], n_studies * n),
            "channel": np.repeat([f"c{i}" for i in range(n_studies)], 2 * n),
            "group": np.tile(np.repeat(["patient"] * 7 + ["control"] * 10, 2), n_studies),
            "value": values.ravel(),
            "measure": "conditioned_ratio",
            "form": "ratio",
            "unit": "1",
            "protocol": "m1/sici",
            "condition": "isi_0.0025",
        }
    )
    found = compare(table, by="group")
    for label, truth in (("patient", 0.25), ("control", 0.0), ("patient - control", 0.25)):
        part = found[found["group"] == label]
        covered = ((part["ci_low"] <= truth) & (truth <= part["ci_high"])).mean()
        assert 0.92 <= covered <= 0.98, label
    control = found[found["group"] == "control"]
    assert 0.025 <= (control["p_value"] < 0.05).mean() <= 0.08


@pytest.mark.parametrize("paired", [True, False])
def test_trial_models_cover(paired):
    """Sessions scatter: a model that took trials for people would cover far less."""
    truth = {"patient": 0.3, "control": 0.0, "patient - control": 0.3}
    covered = []
    for seed in range(25):
        results, trials = study(seed, 6, 0.3, paired)
        measure = "conditioned_ratio" if paired else "mep_amplitude"
        found = compare(results[results["measure"] == measure], by="group", trials=trials)
        for row in found.itertuples():
            assert "(1 | participant:session" in row.model
            covered.append(row.ci_low <= truth[row.group] <= row.ci_high)
    assert 0.85 <= np.mean(covered) <= 1


def test_balanced_trial_model_is_the_t_of_the_mean_logs():
    """With equal numbers of trials the mixed model of a ratio of ratios must agree with the simple answer."""
    results, trials = study(3, 10)
    found = compare(results, by="group", trials=trials)
    found = found[found["measure"].eq("conditioned_ratio")].set_index("group")
    log = trials.assign(y=np.log(trials["mep_amplitude"]))
    wide = log.groupby(["participant", "timepoint", "condition"])["y"].mean().unstack(["timepoint", "condition"])
    change = wide["post0"]["isi_0.0025"] - wide["post0"]["test"] - wide["pre"]["isi_0.0025"] + wide["pre"]["test"]
    oracle = stats.ttest_ind(change[:10], change[10:], equal_var=False)
    row = found.loc["patient - control"]
    assert row["estimate"] == pytest.approx(change[:10].mean() - change[10:].mean(), rel=1e-6)
    assert row["ci_low"] == pytest.approx(oracle.confidence_interval().low, rel=1e-3, abs=1e-3)


def test_trial_model_keeps_a_session_without_partner_and_drops_rejected_trials():
    results, trials = study(4, 8, paired=False)
    trials.loc[0, ["mep_amplitude", "reject"]] = [1e3, "artefact"]
    lost = trials["participant"].eq("01") & trials["timepoint"].eq("post0")
    gone = results["participant"].eq("01") & results["timepoint"].eq("post0")
    found = compare(results[~gone], by="group", trials=trials[~lost]).set_index("group")
    assert found.loc["patient", "n"] == 7
    assert "missing_sessions" in found.loc["patient", "flag"]
    assert abs(found.loc["control", "estimate"]) < 0.5


# The solver -------------------------------------------------------------------------------------------------


def test_mixed_model_is_statsmodels():
    import warnings

    import statsmodels.formula.api as smf

    rng = np.random.default_rng(0)
    n, per = 14, 15
    person = np.repeat(np.arange(n), 2 * per)
    time = np.tile(np.repeat([0, 1], per), n)
    y = rng.normal(3, 0.5, n)[person] + rng.normal(0, 0.6, (n, 2))[person, time] + 0.2 * time
    y = y + rng.normal(0, 0.6, len(y))
    keep = rng.random(len(y)) > 0.2  # unbalanced
    person, time, y = person[keep], time[keep], y[keep]
    x = np.column_stack([np.ones(len(y)), time])
    fit = mixed_model(y, x, {"participant": person, "session": time})
    frame = pd.DataFrame({"y": y, "time": time.astype(float), "person": person, "session": person * 2 + time})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = smf.mixedlm("y ~ time", frame, groups="person", vc_formula={"s": "0 + C(session)"}, re_formula="1")
        oracle = model.fit(reml=True, method=["nm"])
    assert fit.coefficients == pytest.approx(oracle.fe_params.to_numpy(), abs=1e-5)
    assert np.sqrt(np.diag(fit.covariance)) == pytest.approx(oracle.bse_fe.to_numpy(), rel=1e-3)
    assert fit.criterion <= -2 * oracle.llf + 1e-6  # at least as good a fit, in the same measure
    assert fit.criterion == pytest.approx(-2 * oracle.llf, abs=1e-4)
    assert fit.variances["residual"] == pytest.approx(oracle.scale, rel=1e-3)


def test_random_intercept_of_a_balanced_design_is_analysis_of_variance():
    rng = np.random.default_rng(1)
    n, k = 10, 3
    y = rng.normal(0, 1, (n, 1)) + rng.normal(0, 0.5, (n, k))
    x = np.tile(np.eye(k), (n, 1))
    fit = mixed_model(y.ravel(), x, {"participant": np.repeat(np.arange(n), k)})
    rest = y - y.mean(axis=1, keepdims=True) - y.mean(axis=0) + y.mean()
    error = np.sum(rest**2) / ((n - 1) * (k - 1))
    between = (k * np.sum((y.mean(axis=1) - y.mean()) ** 2) / (n - 1) - error) / k
    assert fit.variances["residual"] == pytest.approx(error, rel=1e-6)
    assert fit.variances["participant"] == pytest.approx(between, rel=1e-6)
    contrast = fit.contrast([-1, 1, 0])
    assert contrast.df == pytest.approx((n - 1) * (k - 1), rel=1e-4)
    assert contrast.standard_error == pytest.approx(np.sqrt(2 * error / n), rel=1e-6)


def test_variance_leaves_zero_again():
    """A search that stops at a variance of zero makes intervals too narrow (an L-BFGS search did)."""
    for seed in range(8):
        results, trials = study(seed, 8, 0.0)
        found = compare(results, by="group", trials=trials)
        found = found[found["measure"].eq("conditioned_ratio")]
        log = trials.assign(y=np.log(trials["mep_amplitude"]))
        wide = log.groupby(["participant", "timepoint", "condition"])["y"].mean().unstack(["timepoint", "condition"])
        change = (wide["post0"]["isi_0.0025"] - wide["post0"]["test"]) - (
            wide["pre"]["isi_0.0025"] - wide["pre"]["test"]
        )
        half = (found["ci_high"] - found["ci_low"]).iloc[0] / 2
        own = change[:8].std() / np.sqrt(8) * stats.t.ppf(0.975, 7)
        # where a variance is rightly zero its mean square is pooled with the next, otherwise this is the paired t
        assert half >= 0.85 * own
        if "singular_fit" not in found["flag"].iloc[0]:
            assert half == pytest.approx(own, rel=1e-6)


@pytest.mark.parametrize(
    ("y", "x", "random", "message"),
    [
        ([1.0, 2, 3], np.ones((2, 1)), {"p": [0, 0, 1]}, "shapes"),
        ([1.0, np.nan, 3], np.ones((3, 1)), {"p": [0, 0, 1]}, "finite"),
        ([1.0, 2, 3], np.ones((3, 2)), {"p": [0, 0, 1]}, "depend on each other"),
        ([1.0, 2, 3], np.ones((3, 1)), {"p": [0, 0, 0]}, "two or more participants"),
        ([1.0, 2, 3], np.ones((3, 1)), {"p": [0, 0]}, "2 labels for 3 rows"),
        ([1.0, 2, 3], np.ones((3, 1)), {}, "one random effect"),
    ],
)
def test_mixed_model_says_what_is_wrong(y, x, random, message):
    with pytest.raises(ValueError, match=message):
        mixed_model(np.array(y), x, random)


# Scale, forms and fairness ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("measure", "unit", "form", "protocol", "sign", "scale"),
    [
        ("mep_amplitude", "V", "", "m1/mep", 1, "log_ratio"),
        ("mep_area", "V*s", "", "m1/mep", 1, "log_ratio"),
        ("alpha_power", "V^2", "", "dlpfc/resting_eeg", 1, "log_ratio"),
        ("n100_amplitude", "V", "", "dlpfc/tep", -1, "difference"),
        ("p60_amplitude", "V", "", "dlpfc/tep", 1, "difference"),
        ("gmfa_area", "V*s", "", "dlpfc/tep", 1, "log_ratio"),
        ("mep_latency", "s", "", "m1/mep", 1, "difference"),
        ("resting_motor_threshold", "%MSO", "", "m1/resting_motor_threshold", 1, "difference"),
        ("silent_period", "s", "", "m1/cortical_silent_period", 1, "difference"),
        ("trsp", "dB", "", "dlpfc/tep", 1, "difference"),
        ("conditioned_ratio", "1", "ratio", "m1/sici", 1, "log_ratio"),
        ("conditioned_ratio", "%", "percent", "m1/sici", 1, "log_ratio"),
        ("conditioned_ratio", "1", "log_ratio", "m1/sici", -1, "log_ratio"),
    ],
)
def test_scale_follows_form_unit_and_sign(measure, unit, form, protocol, sign, scale):
    found = compare(rows(measure, sign * ratios(), unit, form, protocol=protocol)).iloc[0]
    assert found["form"] == scale
    assert found["unit"] == ("1" if scale == "log_ratio" else unit)


def test_all_forms_of_a_ratio_give_one_answer():
    values = ratios()
    forms = {
        "ratio": values,
        "percent": 100 * values,
        "percent_inhibition": 100 * (1 - values),
        "log_ratio": np.log(values),
    }
    found = {form: compare(rows("conditioned_ratio", part, form=form)).iloc[0] for form, part in forms.items()}
    for row in found.values():
        assert row["estimate"] == pytest.approx(found["ratio"]["estimate"], rel=1e-9)
        assert "rose by" in row["sentence"]
        assert "less inhibition" in row["sentence"]
    assert "as_ratio" in found["percent_inhibition"]["flag"]


def test_value_of_zero_turns_the_measure_into_a_difference():
    values = ratios()
    values[0, 0] = 0.0
    found = compare(rows("conditioned_ratio", values, form="ratio")).iloc[0]
    assert found["form"] == "difference"
    assert "not_positive_so_difference" in found["flag"]
    assert found["n"] == 12


@settings(max_examples=10, deadline=None)
@given(gain=st.floats(1e-3, 1e3), seed=st.integers(0, 99))
def test_gain_of_the_amplifier_does_not_matter(gain, seed):
    table = rows("mep_amplitude", 1e-3 * ratios(seed), "V", condition="test")
    louder = table.assign(value=gain * table["value"])
    one, two = compare(table).iloc[0], compare(louder).iloc[0]
    for name in ("estimate", "ci_low", "ci_high", "effect_size", "smallest_detectable_change"):
        assert one[name] == pytest.approx(two[name], rel=1e-6, abs=1e-9)


@settings(max_examples=5, deadline=None)
@given(seed=st.integers(0, 999))
def test_order_of_rows_does_not_matter(seed):
    results, trials = study(1, 6)
    mixed = results.sample(frac=1, random_state=seed)
    for extra, shuffled in ((None, None), (trials, trials.sample(frac=1, random_state=seed))):
        pd.testing.assert_frame_equal(
            compare(results, by="group", trials=extra), compare(mixed, by="group", trials=shuffled), rtol=1e-5
        )


def test_changed_test_mep_is_said_beside_the_ratio():
    rng = np.random.default_rng(0)
    test = 1e-3 * np.exp(rng.normal(0, 0.02, (12, 2)))
    ratio = rows("conditioned_ratio", ratios(), form="ratio")
    steady = compare(pd.concat([ratio, rows("test_amplitude", test, "V")], ignore_index=True)).iloc[0]
    assert "test_mep" not in steady["flag"]
    some = test.copy()
    some[3, 1] *= 1.6
    part = compare(pd.concat([ratio, rows("test_amplitude", some, "V")], ignore_index=True)).iloc[0]
    assert "test_mep_changed_in_some" in part["flag"]
    assert "in 1 of 12" in part["sentence"]
    test[:, 1] *= 1.5
    moved = compare(pd.concat([ratio, rows("test_amplitude", test, "V")], ignore_index=True)).iloc[0]
    assert "test_mep_changed" in moved["flag"].split(";")
    assert "the test MEP itself changed by +5" in moved["sentence"]
    assert "test_mep_unknown" in compare(ratio).iloc[0]["flag"]


# Detectable change, responders ------------------------------------------------------------------------------


def test_smallest_detectable_change_prefers_repeats_then_controls_then_intervals():
    rng = np.random.default_rng(8)
    values = ratios(8, 40, 0.3, 0.1)
    table = rows("conditioned_ratio", values, form="ratio", group=np.tile(np.repeat(["patient", "control"], 20), 2))
    alone = compare(table).iloc[0]
    change = np.log(values[:, 1] / values[:, 0])
    assert "sdc_from_changes" in alone["flag"]
    assert alone["smallest_detectable_change"] == pytest.approx(1.96 * change.std(ddof=1))
    assert alone["smallest_detectable_group_change"] == pytest.approx(1.96 * change.std(ddof=1) / np.sqrt(40))

    held = table.assign(ci_low=table["value"] * np.exp(-0.196), ci_high=table["value"] * np.exp(0.196))
    by_interval = compare(held).iloc[0]
    assert "sdc_from_intervals" in by_interval["flag"]
    assert by_interval["smallest_detectable_change"] == pytest.approx(1.96 * np.sqrt(2) * 0.1, rel=1e-4)

    controls = compare(held, by="group").iloc[0]
    assert "sdc_from_controls" in controls["flag"]
    own, bound = 1.96 * change[20:].std(ddof=1), 1.96 * np.sqrt(2) * 0.1
    assert own < bound  # trials alone scatter more
    assert "sdc_raised" in controls["flag"]
    assert controls["smallest_detectable_change"] == pytest.approx(bound, rel=1e-4)
    held = table.assign(ci_low=table["value"] * np.exp(-0.0196), ci_high=table["value"] * np.exp(0.0196))
    controls = compare(held, by="group").iloc[0]
    assert "sdc_raised" not in controls["flag"]
    assert controls["smallest_detectable_change"] == pytest.approx(own)

    again = np.log(values[:, 0]) + rng.normal(0, 0.05, 40)
    repeat = held[held["timepoint"] == "pre"].assign(value=np.exp(again), timepoint="pre2", session="pre2")
    repeated = compare(pd.concat([held, repeat], ignore_index=True), by="group")
    assert repeated["flag"].str.contains("sdc_from_repeats").all()
    first = repeated.iloc[0]["smallest_detectable_change"]
    assert first == pytest.approx(1.96 * 0.05, rel=0.3)
    assert repeated.iloc[2]["smallest_detectable_group_change"] == pytest.approx(first * np.sqrt(1 / 20 + 1 / 20))


def test_nothing_is_judged_by_the_spread_of_four_controls():
    rng = np.random.default_rng(5)
    values = ratios(8, 16, 0.3, 0.1)
    values[:12, 1] *= np.exp(0.3)
    values[12:, 1] = values[12:, 0] * np.exp(rng.normal(0, 0.005, 4))  # by chance all but the same
    group = np.tile(["patient"] * 12 + ["control"] * 4, 2)
    table = rows("conditioned_ratio", values, form="ratio", group=group)
    table = table.assign(ci_low=table["value"] * np.exp(-0.196), ci_high=table["value"] * np.exp(0.196))
    few = compare(table, by="group").iloc[0]
    assert few["smallest_detectable_change"] == pytest.approx(1.96 * np.sqrt(2) * 0.1, rel=1e-4)
    assert {"sdc_from_controls", "sdc_raised", "sdc_uncertain"} <= set(few["flag"].split(";"))
    assert np.isnan(few["responders"])
    assert "than measurement error" not in few["sentence"]
    assert "itself from too few controls" in few["sentence"]


def test_the_interval_of_a_smallest_detectable_change_covers_it():
    rng = np.random.default_rng(6)
    covered = 0
    for _ in range(400):
        change = rng.normal(0, 1, 4)
        low, high = interval_of_spread(change.std(ddof=1), 3)
        covered += low <= 1 <= high
    assert 0.92 <= covered / 400 <= 0.98
    held = compare(rows("mep_latency", 0.02 + rng.normal(0, 1e-4, (12, 2)), "s")).iloc[0]
    assert held["smallest_detectable_ci_low"] < held["smallest_detectable_change"] < held["smallest_detectable_ci_high"]


def test_a_lower_bound_of_the_error_is_not_called_the_error():
    table = rows("conditioned_ratio", ratios(8, 12, 0.5, 0.05), form="ratio")
    narrow, wide = (
        compare(table.assign(ci_low=table["value"] * np.exp(-half), ci_high=table["value"] * np.exp(half))).iloc[0]
        for half in (0.1, 2.0)
    )
    assert "sdc_from_intervals" in narrow["flag"]
    assert "more than the scatter of trials (" in narrow["sentence"]
    assert "not more than measurement error (" in wide["sentence"]  # a lower bound rules that out


@pytest.mark.parametrize(
    ("before", "other", "repeats"),
    [
        ("pre", "pre2", 1),
        ("pre", "pre_b", 1),
        ("baseline", "baseline-2", 1),
        ("pre1", "pre2", 1),
        ("T0", "T2", 0),
        ("day1", "day3", 0),
        ("pre", "post30", 0),
        ("01", "03", 0),
        ("pretest", "pres", 0),
    ],
)
def test_only_a_named_baseline_is_a_repeat(before, other, repeats):
    names = {"pre": before, "post0": "after", "post30": other}
    table = rows("conditioned_ratio", ratios(levels=3), form="ratio").replace({"timepoint": names})
    flag = compare(table, before=before, after="after").iloc[0]["flag"]
    assert ("sdc_from_repeats" in flag) == bool(repeats)


def test_labels_may_be_numbers():
    results, trials = study(2, 5)
    asked = compare(results, by="group", trials=trials)
    for table in (results, trials):
        table["participant"] = table["participant"].astype(float)
    pd.testing.assert_frame_equal(asked, compare(results, by="group", trials=trials))


def test_responders_without_any_change_are_one_in_twenty():
    rng = np.random.default_rng(9)
    log = rng.normal(0, 0.3, (3000, 1)) + rng.normal(0, 0.1, (3000, 2))
    table = rows("conditioned_ratio", np.exp(log[:90]), form="ratio")
    big = pd.DataFrame(
        {
            "participant": np.repeat([f"p{i}" for i in range(3000)], 2),
            "timepoint": np.tile(["pre", "post0"], 3000),
            "value": np.exp(log).ravel(),
        }
    ).assign(**{name: table[name].iloc[0] for name in ("protocol", "channel", "condition", "measure", "unit", "form")})
    assert compare(big).iloc[0]["responders"] == pytest.approx(0.05, abs=0.012)


# Missing and unusual data -----------------------------------------------------------------------------------


def test_missing_sessions_are_dropped_pairwise_and_counted():
    values = ratios()
    values[0, 1] = np.nan
    table = rows("conditioned_ratio", values, form="ratio")
    table = table[~(table["participant"].eq("01") & table["timepoint"].eq("pre"))]
    failed = table["participant"].eq("02") & table["timepoint"].eq("post0")
    table.loc[failed, ["measure", "channel", "condition", "value", "error"]] = ["", "", "", np.nan, "no pulses"]
    found = compare(table).iloc[0]
    assert found["n"] == 9
    assert "missing_sessions" in found["flag"]
    assert "3 without both sessions" in found["sentence"]
    assert found["estimate"] == pytest.approx(np.mean(np.log(values[3:, 1] / values[3:, 0])))


@pytest.mark.parametrize(
    ("n", "flag"), [(0, "no_complete_pairs"), (1, "too_few_participants"), (5, "few_participants"), (6, "")]
)
def test_few_participants(n, flag):
    values = ratios()
    values[n:, 1] = np.nan
    table = rows("conditioned_ratio", values, form="ratio")
    other = rows("mep_amplitude", ratios(), "V", condition="test")
    found = compare(pd.concat([table, other], ignore_index=True)).iloc[0]
    assert found["n"] == n
    assert flag in found["flag"]
    assert np.isfinite(found["estimate"]) == (n > 0)
    assert np.isfinite(found["ci_low"]) == (n > 1)
    assert found["sentence"].endswith(".")


def test_no_variation_gives_no_p_value():
    found = compare(rows("s50", np.tile([50.0, 51.0], (6, 1)), "%MSO")).iloc[0]
    assert found["estimate"] == pytest.approx(1.0)
    assert np.isnan(found["p_value"])
    assert "no_variation" in found["flag"]


def test_group_without_any_pair_leaves_the_others():
    values = ratios(n=10)
    values[5:, 1] = np.nan
    table = rows("conditioned_ratio", values, form="ratio", group=np.tile(np.repeat(["patient", "control"], 5), 2))
    other = rows("s50", ratios(n=10), "%MSO", group=np.tile(np.repeat(["patient", "control"], 5), 2))
    found = compare(pd.concat([table, other], ignore_index=True), by="group")
    found = found[found["measure"] == "conditioned_ratio"].set_index("group")
    assert np.isfinite(found.loc["patient", "ci_low"])
    assert np.isnan(found.loc[["control", "patient - control"], "estimate"]).all()
    assert found.loc["patient - control", "flag"].startswith("no_complete_pairs")


def test_several_time_points_and_three_groups():
    values = ratios(n=12, levels=3)
    table = rows("conditioned_ratio", values, form="ratio", group=np.tile(np.repeat(["high", "control", "low"], 4), 3))
    found = compare(table, after=["post0", "post30"], by="group")
    assert list(found["group"][:6]) == ["high", "low", "control", "high - low", "high - control", "low - control"]
    assert set(found["contrast"]) == {"post0 - pre", "post30 - pre", "post0, post30 - pre"}


def test_settings_that_differ_between_sessions_are_flagged():
    table = rows("conditioned_ratio", ratios(), form="ratio", protocol_sha256="a")
    table.loc[table["timepoint"] == "post0", "protocol_sha256"] = "b"
    assert "protocol_changed" in compare(table).iloc[0]["flag"]


def test_text_covariate_becomes_classes():
    table = rows("s50", 50 + ratios(), "%MSO", sex=np.tile(["f", "m", "f"] * 4, 2))
    assert "+ sex" in compare(table, covariates=["sex"]).iloc[0]["model"].replace("1 + sex", "+ sex")


def test_covariate_that_is_the_group_cannot_be_estimated():
    group = np.tile(np.repeat(["patient", "control"], 6), 2)
    table = rows("s50", 50 + ratios(), "%MSO", group=group, pain_intensity=np.where(group == "patient", 5.0, 0.0))
    found = compare(table, by="group", covariates=["pain_intensity"])
    assert found["estimate"].isna().all()
    assert found["flag"].str.contains("not_estimable").all()


# Sentences --------------------------------------------------------------------------------------------------


def test_sentences_use_display_units_and_plain_words():
    rng = np.random.default_rng(2)
    latency = 0.022 + rng.normal(0, 2e-4, (12, 2)) + np.array([0, 1e-3])
    found = compare(rows("mep_latency", latency, "s", protocol="m1/mep", condition="test")).iloc[0]
    assert found["estimate"] == pytest.approx(1e-3, abs=2e-4)
    assert found["sentence"].startswith("MEP latency (test) in FDI rose by")
    assert "more than measurement error (95 % interval " in found["sentence"]
    assert " ms; n = 12, p < 0.001; detectable: " in found["sentence"]


def test_a_sentence_says_what_a_ratio_means_before_any_statistics():
    common = dict(measure="conditioned_ratio", channel="FDI", condition="isi_0.002", unit="1", log=True, before="pre",
                  after="post0", p_value=0.03, n=12, missing=0, detectable=0.4, group_detectable=0.2, responders=0.2,
                  source="sdc_from_controls")  # fmt: skip
    rose = dict(estimate=0.3, low=0.1, high=0.5)
    told = sentence(Words(protocol="m1/sici", **common, groups=("patients",), **rose))
    plain, _, numbers = told.partition(" (")
    assert plain == (
        "SICI ratio at 2 ms in FDI rose by 35 % from pre to post0 in patients, "
        "less inhibition and more than measurement error"
    )
    assert numbers == "95 % interval 11 to 65 %; n = 12, p = 0.03; detectable: +22 % or −18 %)."
    for protocol, means in (("m1/icf", "more facilitation"), ("m1/sici_trunk", "less inhibition"), ("m1/mep", "")):
        words = Words(protocol=protocol, **common, groups=("patients",), **rose)
        assert (means or "by 35 % from pre to post0 in patients, more than") in sentence(words)
    between = sentence(Words(protocol="m1/sici", **common, groups=("patients", "controls"), **rose))
    assert "35 % higher in patients than in controls, towards less inhibition" in between
    unclear = sentence(Words(protocol="m1/sici", **common, groups=("patients",), estimate=0.3, low=-0.1, high=0.5))
    assert "no clear change from pre to post0 in patients (+35 %, towards less inhibition; 95 %" in unclear


def test_a_sentence_does_not_contradict_itself():
    common = dict(protocol="dlpfc/tep", measure="n100_amplitude", channel="DLPFC_left", condition="all", unit="V",
                  log=False, before="pre", after="post0", p_value=0.1, n=12, missing=0, detectable=1e-6,
                  group_detectable=3e-7, responders=0.25, source="sdc_from_controls")  # fmt: skip
    unclear = sentence(Words(**common, groups=("patients",), estimate=5e-7, low=-1e-7, high=1.1e-6))
    assert unclear.startswith("N100 amplitude (TEP) in left DLPFC shows no clear change from pre to post0 in patients")
    assert "measurement error" not in unclear
    assert "(+0.5 µV, towards a smaller negative peak; " in unclear
    clear = sentence(Words(**common, groups=("patients",), estimate=7.89e-7, low=1e-7, high=1.1e-6))
    assert "became 0.789 µV more positive from pre to post0 in patients, a smaller negative peak" in clear
    assert "95 % interval 0.1 to 1.1 µV" in clear
    fell = sentence(Words(**common, groups=("patients",), estimate=-7.89e-7, low=-1.1e-6, high=-1e-7))
    assert "a larger negative peak" in fell
    between = sentence(Words(**common, groups=("patients", "controls"), estimate=5e-7, low=-1e-7, high=1.1e-6))
    assert "the change from pre to post0 shows no clear difference between patients and controls" in between
    nothing = sentence(Words(**common, groups=("patients",), estimate=5e-7, low=np.nan, high=np.nan))
    assert "no clear change" not in nothing


def test_table_has_the_declared_columns():
    found = compare(rows("conditioned_ratio", ratios(), form="ratio"))
    assert list(found.columns) == list(schema.COMPARISON_COLUMNS)
    schema.validate(found, schema.COMPARISON_COLUMNS, required=schema.COMPARISON_COLUMNS, what="comparison")
    assert len(schema.in_display_units(found)) == 1


def test_evidence_is_laid_beside():
    found = beside_evidence(compare(rows("conditioned_ratio", ratios(), form="ratio")), muscles={"FDI": "FDI"})
    assert {"up", "none"} <= set(found["literature"])
    assert set(found["found"]) == {"up"}
    assert {"yes", "no", "unknown"} >= set(found["same_muscle"])
    with pytest.raises(ValueError, match="no column"):
        beside_evidence(pd.DataFrame({"measure": []}))


def test_findings_are_told_beside_a_result_once_and_in_words():
    own = pd.DataFrame(
        {"protocol": ["m1/sici_trunk"] * 2 + ["m1/m_max"], "measure": ["conditioned_ratio"] * 2 + ["m_max"]}
    )
    found = findings_on(own)
    assert not found.duplicated().any()
    assert set(found["protocol"]) == {"sici"}
    assert found["kind"].tolist() == sorted(found["kind"], key=["exercise", "training", "case_control"].index)
    lines = [finding_in_words(row) for row in found.to_dict("records")]
    assert any("MF: up" in line and "Massé-Alarie 2016" in line and "(abstract)" in line for line in lines)
    assert not any("nan" in line or ".." in line for line in lines)
    with pytest.raises(ValueError, match="no column 'measure'"):
        findings_on(own[["protocol"]])


def test_contested_claims_of_the_review_have_findings_where_they_are_on_a_measure():
    claims = contested_claims()
    assert len(claims) == 12
    assert (claims[["about", "review", "found", "verified"]] != "").all(axis=None)
    sources = " ".join(evidence()["source"])
    for name in ("Corti 2022", "Massé-Alarie 2016", "Gil Ávila 2024", "Alibazi 2021", "Lulic 2017", "Nicolini 2019"):
        assert name in sources
        assert claims.loc[claims["finding"], "found"].str.contains(name).any() or name == "Corti 2022"


# Bad input --------------------------------------------------------------------------------------------------


def good():
    return rows("conditioned_ratio", ratios(), form="ratio", group=np.tile(["patient", "control"] * 6, 2), age=30.0)


def broken(column, row, value):
    table = good().astype({column: object}) if column in good() else good()
    table.loc[row, column] = value
    return table


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: compare(good(), after="post"), "unknown timepoint 'post': did you mean 'post0'"),
        (lambda: compare(good(), before="pree"), "did you mean 'pre'"),
        (lambda: compare(good(), after="pre"), "other than before"),
        (lambda: compare(good(), after=[]), "other than before"),
        (lambda: compare(good(), after=["post0", "post0"]), "each once"),
        (lambda: compare(good(), within="sesion"), "did you mean 'session'"),
        (lambda: compare(good(), by="grup"), "did you mean 'group'"),
        (lambda: compare(good(), covariates=["agee"]), "did you mean 'age'"),
        (lambda: compare(good(), covariates=["age"]), "a constant explains nothing"),
        (lambda: compare(broken("age", 3, "old"), covariates=["age"]), "'old' in row 3 .participant 03"),
        (lambda: compare(broken("age", 3, 300.0), covariates=["age"]), "'age' is 300 in row 3 .participant 03"),
        (lambda: compare(broken("value", 5, "high")), "'high' in row 5"),
        (lambda: compare(broken("unit", 7, "mV")), "more than one unit.*'mV' in row 7"),
        (lambda: compare(broken("form", 7, "percent")), "more than one form.*'percent' in row 7"),
        (lambda: compare(good().assign(form="inverse")), "unknown form 'inverse'"),
        (lambda: compare(broken("participant", 2, None)), "no participant in row 2"),
        (lambda: compare(broken("group", 0, "control"), by="group"), "changes in 00"),
        (lambda: compare(good().assign(group="patient"), by="group"), "needs two or more groups"),
        (
            lambda: compare(good().assign(group=lambda t: t["group"].where(t["participant"] != "04")), by="group"),
            "empty for participant 04",
        ),
        (lambda: compare(pd.concat([good(), good().iloc[[3]]], ignore_index=True)), "rows 3, 24"),
        (lambda: compare(good()[good()["timepoint"] == "pre"]), "unknown timepoint 'post0'"),
        (lambda: compare(good().drop(columns="measure")), "no column 'measure'"),
        (lambda: compare(good().iloc[:0]), "empty"),
        (lambda: compare({"value": [1]}), "not dict"),
        (lambda: compare(good(), trials=pd.DataFrame({"participant": ["00"]})), "unknown column 'timepoint'"),
        (
            lambda: compare(
                good(),
                trials=pd.DataFrame(
                    {"participant": ["xx"], "timepoint": ["pre"], "channel": ["FDI"], "condition": ["test"]}
                ),
            ),
            "no row has a participant",
        ),
    ],
)
def test_bad_input_is_one_clear_line(call, message):
    with pytest.raises(ValueError, match=message) as caught:
        call()
    assert "\n" not in str(caught.value)


def test_a_large_study_is_fast():
    import time

    rng = np.random.default_rng(0)
    parts = []
    for channel in range(100):
        values = np.exp(rng.normal(0, 0.3, (18, 2)))
        parts.append(rows("conditioned_ratio", values, form="ratio", channel=f"c{channel}", group=["patient"] * 36))
    table = pd.concat(parts, ignore_index=True)
    table["group"] = np.where(table["participant"].astype(int) < 9, "patient", "control")
    start = time.process_time()
    assert len(compare(table, by="group")) == 300
    assert time.process_time() - start < 1.0


def test_evidence_stands_beside_each_contrast_in_words():
    """Direction, size, source and agreement for changes within groups; nothing for differences between them."""
    found, _ = study(3)
    change = compare(found.assign(protocol="m1/lici"), by="group")
    said = evidence_in_words(change)
    within = (change["measure"] == "conditioned_ratio") & ~change["group"].str.contains(" - ")
    assert said[within].str.startswith("Literature (exercise): up in 2 findings (Mooney 2016, 10 min after: 13").all()
    assert said[within].str.contains("this study: (?:up|down|unclear)", regex=True).all()
    assert said[change["group"].str.contains(" - ")].eq("").all()


def test_what_has_no_estimate_has_no_percent():
    """It was infinite, in the row of every joint test too."""
    found = compare(rows("conditioned_ratio", ratios(levels=3), form="ratio"), after=["post0", "post30"])
    unknown = found["estimate"].isna()
    assert unknown.any()
    percents = ["percent_change", "percent_ci_low", "percent_ci_high"]
    assert found.loc[unknown, percents].isna().all(axis=None)
    assert np.isfinite(found.loc[~unknown, percents]).all(axis=None)
