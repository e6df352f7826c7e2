"""Reliability of all measures of a study, and who responded: truth by simulation, bad input named."""

import numpy as np
import pandas as pd
import pytest

from excitability.comparison import compare, icc, sdc
from excitability.comparison.reliability import sem
from excitability.comparison.reliability_table import COLUMNS, reliability_table
from excitability.comparison.responders import chance_of_as_many, expected_share, responders, wilson_interval


def repeated(n=25, seed=1, levels=("pre", "pre2", "post0"), change=0.0, error=0.1, groups=False):
    """SICI ratio (log SD of a session ``error``) and silent period (10 ms) of n people; a change at the end."""
    rng = np.random.default_rng(seed)
    k = len(levels)
    log = rng.normal(np.log(0.5), 0.3, (n, 1)) + rng.normal(0, error, (n, k))
    log[:, -1] += change
    silence = rng.normal(0.15, 0.03, (n, 1)) + rng.normal(0, 0.01, (n, k))
    parts = [
        pd.DataFrame(
            {
                "participant": np.repeat([f"{i:02d}" for i in range(n)], k),
                "session": list(levels) * n,
                "protocol": protocol,
                "channel": "FDI",
                "condition": condition,
                "measure": measure,
                "unit": unit,
                "form": form,
                "value": values.ravel(),
            }
        )
        for protocol, condition, measure, unit, form, values in (
            ("m1/sici", "isi_0.002", "conditioned_ratio", "1", "ratio", np.exp(log)),
            ("m1/cortical_silent_period", "all", "silent_period", "s", "", silence),
        )
    ]
    table = pd.concat(parts, ignore_index=True)
    if groups:
        table["group"] = np.where(table["participant"].astype(int) % 2 == 0, "patient", "control")
    return table, log, silence


def test_every_number_is_that_of_its_function():
    results, log, silence = repeated()
    found = reliability_table(results).set_index("measure")
    assert list(found.reset_index()[list(COLUMNS)].columns) == list(COLUMNS)
    row = found.loc["conditioned_ratio"]
    assert row["icc_2_1"] == pytest.approx(icc(log[:, :2]))
    assert [row["icc_3_k_ci_low"], row["icc_3_k_ci_high"]] == pytest.approx(
        [icc(log[:, :2], "3,k").ci_low, icc(log[:, :2], "3,k").ci_high]
    )
    assert row["sdc"] == pytest.approx(sdc(log[:, :2]))
    assert row["sdc_percent_up"] == pytest.approx(100 * np.expm1(row["sdc"]))
    assert row["mean"] == pytest.approx(np.exp(log[:, :2].mean()))
    assert found.loc["silent_period", "sem"] == pytest.approx(sem(silence[:, :2]))
    assert found.loc["silent_period", "unit"] == "s"
    assert found.loc["silent_period", "sdc_group"] == pytest.approx(sdc(silence[:, :2]) / 5)


def test_the_sentence_is_in_words_and_units_people_read():
    results, *_ = repeated()
    said = reliability_table(results).set_index("measure")["sentence"]
    assert said["silent_period"].startswith("Silent period in FDI: a change beyond ±")
    assert " ms in one person" in said["silent_period"]
    assert " % in one person" in said["conditioned_ratio"]


def test_by_group():
    results, log, _ = repeated(groups=True)
    found = reliability_table(results, by="group")
    own = found[(found["group"] == "patient") & (found["measure"] == "conditioned_ratio")].iloc[0]
    assert own["n"] == 13
    assert own["icc_2_1"] == pytest.approx(icc(log[::2, :2]))


def test_people_without_all_sessions_are_left_out_and_few_are_flagged():
    results, *_ = repeated(n=6)
    results = results.drop(index=results.index[(results["participant"] == "00") & (results["session"] == "pre2")])
    found = reliability_table(results)
    assert set(found["n"]) == {5}
    assert found["flag"].str.contains("few_participants").all()
    two = reliability_table(results[results["participant"] < "02"])
    assert two["flag"].str.contains("not_estimable").all()
    assert two["sem"].isna().all()


def test_one_session_is_an_error():
    results, *_ = repeated()
    with pytest.raises(ValueError, match="two or more different sessions"):
        reliability_table(results, ["pre"])
    with pytest.raises(ValueError, match="did you mean 'pre2'"):
        reliability_table(results, ["pre", "pre22"])


def test_intervals_of_the_error_of_measurement_cover():
    rng = np.random.default_rng(3)
    errors = [sem(rng.normal(0, 1, (14, 1)) + rng.normal(0, 0.5, (14, 2)), "consistency") for _ in range(600)]
    assert 0.93 <= np.mean([e.ci_low <= 0.5 <= e.ci_high for e in errors]) <= 0.97


# Responders -------------------------------------------------------------------------------------------------


def test_wilson_is_that_of_statsmodels():
    from statsmodels.stats.proportion import proportion_confint

    for k, n in ((0, 8), (3, 12), (12, 12)):
        share = wilson_interval(k, n)
        assert (share.ci_low, share.ci_high) == pytest.approx(proportion_confint(k, n, method="wilson"), abs=1e-12)


def test_without_a_change_few_respond_and_with_one_many():
    none, some = (responders(repeated(n=40, change=c)[0]).set_index("measure") for c in (0.0, 0.6))
    assert none.loc["conditioned_ratio", "p_value"] > 0.05
    assert none.loc["conditioned_ratio", "share"] < 0.2
    row = some.loc["conditioned_ratio"]
    assert row["share"] > 0.8
    assert row["n_down"] == 0
    assert row["p_value"] < 0.001
    assert row["flag"] == "sdc_from_repeats"
    assert "rose and 0 fell by more than measurement error" in row["sentence"]
    assert "would if nothing had happened" in row["sentence"]


@pytest.mark.parametrize("df", [5, 11, 30])
def test_expected_share_when_the_limit_is_uncertain(df):
    rng = np.random.default_rng(4)
    spread = np.sqrt(rng.chisquare(df, 40000) / df)
    assert np.mean(np.abs(rng.standard_normal(40000)) > 1.96 * spread) == pytest.approx(expected_share(df), abs=0.004)


def test_chance_of_as_many_is_a_p_value():
    rng = np.random.default_rng(5)
    df, n = 15, 20
    limit = 1.96 * np.sqrt(rng.chisquare(df, 4000) / df)
    count = (np.abs(rng.standard_normal((4000, n))) > limit[:, None]).sum(axis=1)
    table = np.array([chance_of_as_many(k, n, df) for k in range(n + 1)])
    assert np.mean(table[count] < 0.05) <= 0.056
    for k in (1, 3, 5):
        assert np.mean(count >= k) == pytest.approx(table[k], abs=0.02)


def test_nobody_is_judged_by_what_too_few_people_say():
    found = responders(repeated(n=6)[0])
    assert found["share"].isna().all()
    assert found["sentence"].str.contains("cannot be said").all()


def test_the_spread_of_the_same_changes_expects_nothing():
    found = responders(repeated(n=30, levels=("pre", "post0"))[0])
    assert found["flag"].str.contains("judged_by_own_spread").all()
    assert found["expected_share"].isna().all()


def test_a_shift_between_repeats_is_told_by_both_definitions_of_detectable():
    results, *_ = repeated(n=30)
    assert not reliability_table(results)["flag"].str.contains("repeats_differ").any()
    assert not compare(results)["flag"].str.contains("repeats_differ").any()
    later = (results["session"] == "pre2") & (results["measure"] == "conditioned_ratio")
    results.loc[later, "value"] *= np.exp(0.3)
    told = reliability_table(results).set_index("measure")["flag"]
    changed = compare(results).set_index("measure")["flag"]
    assert ["repeats_differ" in told[name] for name in ("conditioned_ratio", "silent_period")] == [True, False]
    assert ["repeats_differ" in changed[name] for name in ("conditioned_ratio", "silent_period")] == [True, False]


def test_copies_are_no_repeats():
    results, *_ = repeated()
    again = results.assign(session="pre2")[results["session"] == "pre"]
    found = reliability_table(pd.concat([results[results["session"] != "pre2"], again], ignore_index=True))
    assert found["flag"].str.contains("identical_sessions").all()
    assert found["sentence"].str.contains("the same value in each session").all()
    assert not found["sentence"].str.contains("more than measurement error").any()


def test_sessions_that_oppose_each_other_have_a_sentence_without_nan():
    results, *_ = repeated(n=3, levels=("pre", "pre2"))
    opposed = [-0.62093196, 0.82658999, 0.14413728, -0.48017382, -1.83119399, 1.51782591]
    results["value"] = np.exp(np.tile(opposed, 2))
    assert not reliability_table(results)["sentence"].str.contains("nan").any()


def test_too_few_people_have_no_number_and_no_percent():
    few = reliability_table(repeated(n=2)[0])
    assert few[["sdc_percent_up", "sdc_percent_down"]].isna().all(axis=None)
    found = responders(repeated(n=6)[0])
    assert found[["n_up", "n_down"]].isna().all(axis=None)


def test_a_second_baseline_after_the_intervention_is_no_repeat():
    results, *_ = repeated(n=30, levels=("pre1", "post1", "pre2", "post2"))
    found = compare(results, before="pre1", after="post1")
    assert not found["flag"].str.contains("sdc_from_repeats").any()
    both = compare(results, before=["pre1", "pre2"], after="post1")
    assert both["flag"].str.contains("sdc_from_repeats").all()
    named = compare(results.replace({"session": {"post2": "end", "post1": "after"}}), before="pre1", after="after")
    assert named["flag"].str.contains("sdc_from_repeats").all()
