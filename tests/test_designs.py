"""Designs of studies: crossovers, doses, several baselines, groups at one time point; trimmed means and permutation."""

import json

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from excitability import schema
from excitability.comparison import compare, compare_by_plan, compare_groups, describe_design
from excitability.comparison._units import in_order
from excitability.comparison.omnibus import joint_test
from excitability.comparison.permutation import permuted_groups
from excitability.comparison.trimmed import trimmed_groups

ARMS = ("exercise", "rest")


def table(cells, **more):
    """Result rows of (participant, timepoint, value) with further columns, as a SICI ratio."""
    frame = pd.DataFrame(cells)
    defaults = {"session": frame["timepoint"], "protocol": "m1/sici", "channel": "FDI", "condition": "isi_0.0025"}
    defaults |= {"measure": "conditioned_ratio", "unit": "1", "form": "ratio"}
    return frame.assign(**{name: value for name, value in (defaults | more).items() if name not in frame})


def crossover(seed=0, n=12, arms=ARMS, effects=(0.3, 0.0), period=0.0, times=("pre", "post0"), tell=True, spread=0.1):
    """Each person in every arm, in one of two orders, and the log changes (n, n_arms) of the first time after."""
    rng = np.random.default_rng(seed)
    cells, changes = [], np.zeros((n, len(arms)))
    for who in range(n):
        person = rng.normal(-0.7, 0.3)
        for place in range(len(arms)):
            arm = (place + who) % len(arms)
            visit = person + rng.normal(0, 0.1)
            for k, time in enumerate(times):
                y = visit + rng.normal(0, spread) + (k > 0) * (effects[arm] + period * place)
                cell = {"participant": f"{who:02d}", "timepoint": time, "arm": arms[arm], "value": np.exp(y)}
                cells.append(cell | ({"period": place + 1} if tell else {}))
                changes[who, arm] += y if k == 1 else -y if k == 0 else 0.0
    return table(cells), changes


def groups(seed=0, sizes=(10, 14), shifts=(0.3, 0.0), names=("patient", "control"), times=("pre", "post0"), by="group"):
    rng = np.random.default_rng(seed)
    cells = []
    for g, n in enumerate(sizes):
        for i in range(n):
            y = rng.normal(-0.7, 0.3)
            for k, time in enumerate(times):
                value = np.exp(y + (k > 0) * shifts[g] + rng.normal(0, 0.1))
                cells.append({"participant": f"{g}{i:02d}", "timepoint": time, by: names[g], "value": value})
    return table(cells)


def wide(results, by="group"):
    """Log values, (n_people, n_times), and the group of each."""
    found = results.assign(y=np.log(results["value"])).pivot(index=["participant", by], columns="timepoint", values="y")
    return found, found.index.get_level_values(by)


# Crossovers -------------------------------------------------------------------------------------------------


def test_crossover_without_an_order_is_the_paired_t():
    results, changes = crossover(tell=False)
    found = compare(results, by="arm").set_index("group")
    assert list(found.index) == ["exercise", "rest", "exercise - rest"]
    oracle = stats.ttest_rel(changes[:, 0], changes[:, 1])
    row = found.loc["exercise - rest"]
    assert row["estimate"] == pytest.approx(np.mean(changes[:, 0] - changes[:, 1]), rel=1e-9)
    assert row["p_value"] == pytest.approx(oracle.pvalue, rel=1e-9)
    assert row["ci_low"] == pytest.approx(oracle.confidence_interval().low, rel=1e-9)
    assert row["n"] == 12
    assert "order_unknown" in row["flag"]
    assert "higher after exercise than after rest, towards less inhibition" in row["sentence"]
    rest = found.loc["rest"]
    assert rest["estimate"] == pytest.approx(changes[:, 1].mean())
    assert "from pre to post0 after rest" in rest["sentence"]


def test_effect_of_the_period_is_taken_out_and_told():
    results, changes = crossover(seed=1, n=11, period=0.4)  # six people in one order, five in the other
    found = compare(results, by="arm").set_index("group")
    difference = changes[:, 0] - changes[:, 1]
    first, second = difference[::2], difference[1::2]
    assert found.loc["exercise - rest", "estimate"] == pytest.approx((first.mean() + second.mean()) / 2)
    assert found.loc["second - first", "estimate"] == pytest.approx((second.mean() - first.mean()) / 2)
    oracle = stats.ttest_ind(first, -second, equal_var=False)  # of twice the difference of the arms
    assert found.loc["exercise - rest", "p_value"] == pytest.approx(oracle.pvalue, rel=1e-9)
    assert found.loc["second - first", "form"] == "period"
    assert "higher in the second period than in the first" in found.loc["second - first", "sentence"]
    assert found.loc["second - first", "ci_low"] < 0.4 < found.loc["second - first", "ci_high"]
    untold = compare(results.drop(columns="period"), by="arm").set_index("group")
    width = untold["ci_high"] - untold["ci_low"]
    assert width["exercise - rest"] > (found["ci_high"] - found["ci_low"])["exercise - rest"]


def test_order_is_read_from_numbered_sessions():
    results, _ = crossover(period=0.2)
    numbered = results.assign(session="visit" + results["period"].astype(str)).drop(columns="period")
    told = compare(results, by="arm")
    pd.testing.assert_frame_equal(told, compare(numbered, by="arm"))
    same = results.assign(period=np.where(results["arm"] == "rest", 1, 2))
    row = compare(same, by="arm").set_index("group").loc["exercise - rest"]
    assert "one_order" in row["flag"]


def test_incomplete_crossover_uses_the_people_with_both_arms():
    results, changes = crossover(tell=False, n=12)
    gone = results["participant"].eq("03") & results["arm"].eq("rest")
    half = results["participant"].eq("05") & results["arm"].eq("exercise") & results["timepoint"].eq("post0")
    found = compare(results[~gone & ~half], by="arm").set_index("group")
    kept = [i for i in range(12) if i not in (3, 5)]
    row = found.loc["exercise - rest"]
    assert row["n"] == 10
    assert row["estimate"] == pytest.approx(np.mean(changes[kept, 0] - changes[kept, 1]))
    assert "2 without both arms" in row["sentence"]
    assert (found.loc["exercise", "n"], found.loc["rest", "n"]) == (11, 11)


def test_time_course_with_a_rest_day():
    results, _ = crossover(times=("pre", "post0", "post30"), n=14)
    found = compare(results, by="arm", after=["post0", "post30"])
    joint = found[found["form"] == "omnibus"].set_index("group")
    assert list(joint.index) == ["exercise", "rest", "exercise - rest"]
    assert joint["estimate"].isna().all()
    assert joint["contrast"].eq("post0, post30 - pre").all()
    assert joint.loc["exercise - rest", "p_value"] < 0.01
    assert (
        "the course over post0 and post30 together differs between exercise and rest"
        in joint.loc["exercise - rest", "sentence"]
    )
    assert "shows no clear change from pre over post0 and post30 together after rest" in joint.loc["rest", "sentence"]


def test_baseline_as_covariate_of_a_crossover_is_its_difference():
    import statsmodels.api as sm

    results, changes = crossover(tell=False, n=15)
    row = compare(results, by="arm", covariates=["baseline"]).set_index("group").loc["exercise - rest"]
    before = results[results["timepoint"] == "pre"].assign(y=lambda t: np.log(t["value"]))
    before = before.pivot(index="participant", columns="arm", values="y")
    apart = (before["exercise"] - before["rest"]).to_numpy()
    oracle = sm.OLS(changes[:, 0] - changes[:, 1], sm.add_constant(apart)).fit()
    assert row["estimate"] == pytest.approx(oracle.params[0])
    assert row["p_value"] == pytest.approx(oracle.pvalues[0], rel=1e-6)
    constant = results.assign(age=results["participant"].astype(int) * 2.0)  # the same in both arms: it cancels
    plain = compare(results, by="arm").set_index("group").loc["exercise - rest"]
    with_age = compare(constant, by="arm", covariates=["age"]).set_index("group").loc["exercise - rest"]
    assert with_age["ci_low"] == pytest.approx(plain["ci_low"])


@pytest.mark.parametrize("method", ["t", "trimmed", "permutation"])
def test_order_of_the_arms_in_the_table_does_not_matter(method):
    results, _ = crossover(n=9, period=0.2)
    one = compare(results, by="arm", method=method)
    two = compare(results.sample(frac=1, random_state=3), by="arm", method=method)
    pd.testing.assert_frame_equal(one, two, rtol=1e-6)


# Doses, baselines -------------------------------------------------------------------------------------------


def test_trend_over_doses_between_people_and_within():
    names = ("0 min", "20 min", "40 min")
    results = groups(sizes=(8, 8, 8), shifts=(0.0, 0.2, 0.4), names=names, by="arm")
    found = compare(results, by="arm").set_index("group")
    assert list(found.index[:3]) == ["40 min", "20 min", "0 min"]
    y, group = wide(results, "arm")
    means = [(y["post0"] - y["pre"])[group == name].mean() for name in names]
    row = found.loc["per min"]
    assert row["estimate"] == pytest.approx(np.polyfit([0, 20, 40], means, 1)[0])
    assert row["form"] == "trend"
    assert row["ci_low"] < 0.01 < row["ci_high"]
    assert "higher with every further min" in row["sentence"]
    within, changes = crossover(arms=("0", "10", "30"), effects=(0.0, 0.1, 0.3), n=9, tell=False)
    slope = compare(within, by="arm").set_index("group").loc["per unit of dose"]
    own = changes @ (np.array([0, 10, 30]) - 40 / 3) / np.sum((np.array([0, 10, 30]) - 40 / 3) ** 2)
    assert slope["estimate"] == pytest.approx(own.mean())
    assert slope["p_value"] == pytest.approx(stats.ttest_1samp(own, 0).pvalue, rel=1e-9)


def test_doses_from_a_column_and_numbers_that_are_none():
    results = groups(sizes=(6, 6, 6), shifts=(0.0, 0.1, 0.2), names=("low", "mid", "high"), by="arm")
    assert "per unit of dose" not in set(compare(results, by="arm")["group"])
    dosed = results.assign(dose=results["arm"].map({"low": 1, "mid": 2, "high": 4}))
    assert "per unit of dose" in set(compare(dosed, by="arm")["group"])
    codes = groups(sizes=(6, 6, 6), shifts=(0, 0, 0), names=("1", "2", "3"))  # numbers of groups are no doses
    assert not compare(codes, by="group")["form"].eq("trend").any()


def test_mean_of_several_baselines():
    rng = np.random.default_rng(3)
    y = rng.normal(-0.7, 0.3, (14, 1)) + rng.normal(0, 0.1, (14, 3)) + [0, 0, 0.4]
    y[2, 1] = np.nan  # one person has one baseline only
    cells = [
        {"participant": f"{i:02d}", "timepoint": time, "value": np.exp(y[i, k])}
        for i in range(14)
        for k, time in enumerate(("pre", "pre2", "post0"))
    ]
    found = compare(table(cells), before=["pre", "pre2"]).iloc[0]
    change = y[:, 2] - np.nanmean(y[:, :2], axis=1)
    assert found["contrast"] == "post0 - pre+pre2"
    assert found["estimate"] == pytest.approx(change.mean())
    assert found["p_value"] == pytest.approx(stats.ttest_1samp(change, 0).pvalue)
    assert "from pre and pre2 to post0" in found["sentence"]
    assert "mean(pre, pre2)" in found["model"]
    repeats = np.delete(y[:, 1] - y[:, 0], 2).std(ddof=1) / np.sqrt(2)
    assert "sdc_from_repeats" in found["flag"]
    assert found["smallest_detectable_change"] == pytest.approx(1.96 * np.sqrt(1.5) * repeats)


# Groups at one time point -----------------------------------------------------------------------------------


def test_groups_at_one_time_point_are_welch():
    results = groups(times=("pre",))
    found = compare_groups(results).set_index("group")
    y, group = wide(results)
    one, two = y["pre"][group == "patient"], y["pre"][group == "control"]
    oracle = stats.ttest_ind(one, two, equal_var=False)
    row = found.loc["patient - control"]
    assert row["p_value"] == pytest.approx(oracle.pvalue, rel=1e-9)
    assert row["ci_high"] == pytest.approx(oracle.confidence_interval().high, rel=1e-9)
    assert row["contrast"] == "pre"
    assert found.loc["patient", "form"] == "geometric_mean"
    assert found.loc["patient", "estimate"] == pytest.approx(np.exp(one.mean()))
    pooled = np.sqrt((9 * one.var() + 13 * two.var()) / 22)
    assert row["effect_size"] == pytest.approx((1 - 3 / (4 * 22 - 1)) * (one.mean() - two.mean()) / pooled, rel=1e-3)
    assert "at pre" in row["sentence"]
    assert found.loc["patient", "sentence"].startswith("SICI ratio at 2.5 ms in FDI was 0.")
    assert list(found.reset_index().columns.sort_values()) == sorted(schema.COMPARISON_COLUMNS)


def test_groups_at_one_time_point_say_more():
    results = groups(times=("pre", "post0"), shifts=(0.8, 0.0))
    assert list(compare_groups(results, at=["pre", "post0"])["contrast"]) == ["pre"] * 3 + ["post0"] * 3
    clear = compare_groups(results, at="post0").set_index("group").loc["patient - control", "sentence"]
    assert "at post0 was" in clear
    assert "higher in the patient group than in the control group, less inhibition" in clear
    with pytest.raises(ValueError, match="say at which timepoint to compare: at= one of post0, pre"):
        compare_groups(results)
    with pytest.raises(ValueError, match="unknown timepoint 'pree': did you mean 'pre'"):
        compare_groups(results, at="pree")
    with pytest.raises(ValueError, match="'baseline' is for changes"):
        compare_groups(results, at="pre", covariates=["baseline"])
    threshold = results.assign(measure="resting_motor_threshold", unit="%MSO", form="", condition="all")
    mean = compare_groups(threshold, at="pre").set_index("group").loc["control"]
    assert (mean["form"], mean["unit"]) == ("mean", "%MSO")
    test = results.assign(measure="test_amplitude", unit="V", form="", condition="test", value=1e-3)
    test.loc[test["group"] == "patient", "value"] = 2e-3
    both = compare_groups(pd.concat([results, test], ignore_index=True), at="pre")
    ratio = both[both["measure"].eq("conditioned_ratio") & both["group"].eq("patient - control")].iloc[0]
    assert "test_mep_differs" in ratio["flag"]
    assert "+100 %" in ratio["sentence"]


def test_arms_at_one_time_point_are_compared_within_people():
    results, _ = crossover(tell=False)
    row = compare_groups(results, by="arm", at="pre").set_index("group").loc["exercise - rest"]
    y = np.log(results[results["timepoint"] == "pre"].pivot(index="participant", columns="arm", values="value"))
    assert row["p_value"] == pytest.approx(stats.ttest_rel(y["exercise"], y["rest"]).pvalue, rel=1e-9)
    assert row["n"] == 12


# Robust and permutation -------------------------------------------------------------------------------------


def test_trimmed_means_are_scipys():
    rng = np.random.default_rng(2)
    one, two = rng.normal(0.5, 1, 11), rng.normal(0, 3, 16)
    fit = trimmed_groups(np.r_[one, two], np.repeat([0, 1], [11, 16]), 2)
    oracle = stats.ttest_ind(one, two, equal_var=False, trim=0.2)
    found = fit.contrast(np.array([1.0, -1.0]))
    assert found.p_value == pytest.approx(oracle.pvalue, rel=1e-9)
    assert found.interval == pytest.approx(tuple(oracle.confidence_interval()), rel=1e-9)
    alone = fit.contrast(np.array([1.0, 0.0]))
    assert alone.estimate == pytest.approx(stats.trim_mean(one, 0.2))
    drawn = stats.mstats.winsorize(one, limits=(0.2, 0.2))
    assert alone.standard_error == pytest.approx(np.std(drawn, ddof=1) / (0.6 * np.sqrt(11)), rel=0.06)  # h for 0.6 n


def test_one_person_far_off_moves_the_trimmed_mean_little():
    results = groups(sizes=(12,), shifts=(0.3,), names=("all",))
    odd = results.copy()
    odd.loc[odd["participant"].eq("003") & odd["timepoint"].eq("post0"), "value"] *= 20
    plain, robust = ([compare(one, method=method).iloc[0] for one in (results, odd)] for method in ("t", "trimmed"))
    assert plain[1]["estimate"] - plain[0]["estimate"] > 0.2
    assert abs(robust[1]["estimate"] - robust[0]["estimate"]) < 0.05
    assert robust[1]["p_value"] < 0.01 < plain[1]["p_value"]
    assert "20 % trimmed mean" in robust[1]["model"]
    assert np.isnan(robust[1]["effect_size"])


def test_permutation_is_scipys():
    rng = np.random.default_rng(4)
    one, two = rng.normal(0.6, 1, 9), rng.normal(0, 1, 6)
    fit = permuted_groups(np.r_[one, two], np.repeat([0, 1], [9, 6]), 2)
    flips = stats.permutation_test((one,), np.mean, permutation_type="samples", n_resamples=np.inf)
    assert fit.contrast(np.array([1.0, 0.0])).p_value == pytest.approx(flips.pvalue)

    def welch(a, b, axis=-1):
        return stats.ttest_ind(a, b, equal_var=False, axis=axis).statistic

    orders = stats.permutation_test((one, two), welch, vectorized=True, n_resamples=np.inf)
    found = fit.contrast(np.array([1.0, -1.0]))
    # scipy doubles the smaller tail, here both tails are counted
    assert found.p_value == pytest.approx(orders.pvalue, abs=0.01)
    assert found.n_permutations == 5005


@pytest.mark.parametrize("weights", [(1.0, 0.0), (0.0, 1.0), (1.0, -1.0), (0.5, -0.5)])
def test_interval_of_a_permutation_holds_what_its_test_does_not_refuse(weights):
    rng = np.random.default_rng(5)
    x, codes = np.r_[rng.normal(0.5, 1, 8), rng.normal(0, 2, 7)], np.repeat([0, 1], [8, 7])
    w = np.array(weights)
    low, high = permuted_groups(x, codes, 2).contrast(w).interval
    scores = (w / np.sum(w**2))[codes]
    for limit, inside in ((low, 1), (high, -1)):
        p_in = permuted_groups(x - (limit + inside * 1e-3) * scores, codes, 2).contrast(w).p_value
        p_out = permuted_groups(x - (limit - inside * 1e-3) * scores, codes, 2).contrast(w).p_value
        assert p_out <= 0.05 <= p_in


def test_permutation_with_few_people_has_no_interval():
    results = groups(sizes=(5,), shifts=(0.5,), names=("all",))
    found = compare(results, method="permutation").iloc[0]
    assert found["p_value"] == pytest.approx(2 / 32)
    assert np.isnan(found["ci_low"])
    assert "too_few_participants" in found["flag"]
    assert "no interval to judge it by" in found["sentence"]


@pytest.mark.parametrize("method", ["trimmed", "permutation"])
def test_methods_cover(method):
    """Studies as channels of one table: 12 and 9 people of unequal spread."""
    rng = np.random.default_rng(6)
    effect, spread = np.repeat([0.3, 0.0], [12, 9]), np.repeat([0.4, 0.2], [12, 9])
    n = 250 if method == "trimmed" else 60
    change = effect + spread * rng.normal(0, 1, (n, 21))
    before = rng.normal(-0.7, 0.3, (n, 21))
    study, who, level = (axis.ravel() for axis in np.indices((n, 21, 2)))
    cells = {
        "participant": np.char.zfill(who.astype(str), 2),
        "timepoint": np.array(["pre", "post0"])[level],
        "channel": np.char.add("c", study.astype(str)),
        "group": np.array(["patient", "control"])[(who >= 12).astype(int)],
        "value": np.exp(np.stack([before, before + change], axis=-1)).ravel(),
    }
    found = compare(table(cells), by="group", method=method)
    for label, truth in (("patient", 0.3), ("control", 0.0), ("patient - control", 0.3)):
        part = found[found["group"] == label]
        covered = ((part["ci_low"] <= truth) & (truth <= part["ci_high"])).mean()
        assert covered >= 0.88, label


def test_joint_test_is_hotelling():
    rng = np.random.default_rng(7)
    one = rng.multivariate_normal([0.3, 0.2], [[1, 0.5], [0.5, 2]], 15)
    t2 = 15 * one.mean(axis=0) @ np.linalg.solve(np.cov(one.T), one.mean(axis=0))
    assert joint_test([one], np.ones(1)) == pytest.approx(stats.f.sf(t2 * 13 / (2 * 14), 2, 13))
    single = one[:, :1], rng.normal(0, 2, (9, 1))
    welch = stats.ttest_ind(single[0][:, 0], single[1][:, 0], equal_var=False).pvalue
    assert joint_test(list(single), np.array([1.0, -1.0])) == pytest.approx(welch)
    rejected = [
        joint_test([rng.normal(0, [1, 3], (8, 2)), rng.normal(0, [2, 0.5], (20, 2))], np.array([1.0, -1.0])) < 0.05
        for _ in range(1000)
    ]
    assert 0.03 <= np.mean(rejected) <= 0.07
    assert np.isnan(joint_test([one[:3]], np.ones(1)))


# Plans, words, mistakes -------------------------------------------------------------------------------------


def test_plan_runs_changes_and_groups():
    results = groups(times=("pre", "post0"))
    plan = {"before": "pre", "after": ["post0"], "at": ["pre"], "by": "group", "method": "trimmed"}
    found = compare_by_plan(results, plan)
    assert list(found["contrast"]) == ["post0 - pre"] * 3 + ["pre"] * 3
    assert found["model"].str.contains("trimmed").all()
    with pytest.raises(ValueError, match="say by which column"):
        compare_by_plan(results, {"at": "pre"})
    with pytest.raises(ValueError, match="compares nothing"):
        compare_by_plan(results, {"before": "pre"})


def test_battery_plans_a_crossover(tmp_path):
    from excitability.batch import plan_of
    from excitability.protocol import load_battery
    from excitability.protocol.library import Battery

    path = tmp_path / "own.toml"
    path.write_text(
        'title = "Crossover"\nprotocols = ["m1/sici"]\nbefore = ["pre", "pre2"]\nafter = ["post0"]\nby = "arm"\n'
        'at = ["pre"]\nmethod = "permutation"\n'
    )
    battery = load_battery(path)
    results = pd.DataFrame({"timepoint": ["pre", "pre2", "post0"], "arm": "rest"})
    plan = plan_of(battery, results)
    assert plan == {
        "before": ["pre", "pre2"], "after": ["post0"], "by": "arm", "at": ["pre"], "method": "permutation"
    }  # fmt: skip
    assert plan_of(battery, results[results["timepoint"] != "pre2"])["before"] == "pre"
    assert Battery.from_mapping(battery.content()) == battery
    path.write_text('title = "x"\nprotocols = ["m1/sici"]\nmethod = "bayes"\n')
    with pytest.raises(ValueError, match="method"):
        load_battery(path)


def test_command_line_compares_arms_and_groups(tmp_path):
    from typer.testing import CliRunner

    from excitability.cli import app
    from excitability.protocol import load_battery

    results, _ = crossover(n=8, period=0.1)
    results = results.assign(group=np.where(results["participant"].astype(int) < 4, "patient", "control"))
    results.to_csv(tmp_path / "results.tsv", sep="\t", index=False)
    (tmp_path / "battery.json").write_text(json.dumps(load_battery("m1/sici").content()))
    asked = ["compare", str(tmp_path), "--before", "pre", "--after", "post0", "--by", "arm", "--method", "trimmed"]
    done = CliRunner().invoke(app, asked)
    assert done.exit_code == 0, done.output
    assert "Crossover of 8 people over the arms exercise and rest." in done.output
    written = pd.read_csv(tmp_path / "comparison.tsv", sep="\t")
    assert "exercise - rest" in set(written["group"])
    done = CliRunner().invoke(app, ["compare", str(tmp_path), "--by", "arm", "--at", "pre", "--overwrite"])
    assert done.exit_code == 0, done.output
    assert set(pd.read_csv(tmp_path / "comparison.tsv", sep="\t")["contrast"]) == {"pre"}


def test_design_in_words():
    results, _ = crossover(n=6, times=("pre", "post0", "post30"))
    lines = describe_design(results, by="arm")
    assert lines[0] == "Crossover of 6 people over the arms exercise and rest."
    assert lines[1] == "Baseline pre, then post0 and post30."
    assert "exercise came before rest in 3 people, after it in 3: the effect of the period is taken out." in lines
    lost = results[~(results["participant"].eq("02") & results["timepoint"].eq("post30"))]
    assert "Without post30: 02 (exercise), 02 (rest)." in describe_design(lost, by="arm")
    parallel = groups(sizes=(4, 1))
    lines = describe_design(parallel, by="group")
    assert lines[0] == "2 groups of different people: patient (4) and control (1)."
    assert "Change to post0 in control: fewer than two people with both sessions, so no interval." in lines
    assert any("Column 'group' has several values that are not compared" in line for line in describe_design(parallel))
    doses = groups(sizes=(3, 3, 3), shifts=(0, 0, 0), names=("0 min", "20 min", "40 min"), by="arm")
    assert "Doses 0, 20, 40 min: a linear trend is estimated." in describe_design(doses, by="arm")
    sessions = results[["participant", "session", "timepoint", "arm"]].drop_duplicates()
    assert "Order of the arms unknown" in describe_design(sessions, by="arm")[-1]


def test_report_shows_a_crossover(tmp_path):
    import excitability as ex

    results, _ = crossover(n=8, times=("pre", "post0", "post30"), period=0.1)
    results = results.assign(
        flag="", error="", n_trials=10, n_rejected=0, ci_low=np.nan, ci_high=np.nan, protocol_sha256="", version=""
    )
    change = pd.concat([compare(results, by="arm", after=["post0", "post30"]), compare_groups(results, "arm", "pre")])
    path = ex.report(results, change.reset_index(drop=True), tmp_path / "report.html", by="arm")
    text = path.read_text()
    assert "after exercise than after rest" in text
    assert "post0, post30" in text


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda r: compare(r, by="arm", method="bayes"), "unknown method 'bayes'"),
        (lambda r: compare(r, by="arm", method="trimmed", covariates=["baseline"]), "takes no covariates"),
        (lambda r: compare(r, by="arm", method="trimmed", trials=r), "leave out trials"),
        (lambda r: compare(r, by="arm", method="bootstrap", covariates=["baseline"]), "with trials method="),
        (lambda r: compare(r, by="arm", trial_covariates=["trial"]), "give trials too"),
        (lambda r: compare(r), "rows 0, 2. They differ in 'arm': by='arm' compares the arms"),
        (lambda r: compare(r.assign(arm=r["arm"].where(r.index != 4)), by="arm"), "column 'arm' is empty in row 4"),
        (lambda r: compare(r.assign(period=r["period"].astype(object).where(r.index != 4, "two")), by="arm"),
         "'period' must hold numbers.*'two' in row 4"),
        (lambda r: compare(r, by="arm", before=["pre", "pre"]), "each once"),
        (lambda r: compare(r, by="arm", before=["pre", "pre3"]), "unknown timepoint 'pre3'"),
        (lambda r: compare(pd.concat([r, r.iloc[[3]]], ignore_index=True), by="arm"), "rows 3, 48"),
        (lambda r: compare_groups(r[r["arm"] == "rest"], "arm", "pre"), "needs two or more groups"),
        (lambda r: describe_design(r.drop(columns="participant")), "no column 'participant'"),
    ],
)  # fmt: skip
def test_mistakes_are_one_clear_line(call, message):
    results, _ = crossover()
    with pytest.raises(ValueError, match=message) as caught:
        call(results)
    assert "\n" not in str(caught.value)


def test_label_that_changes_in_a_few_people_is_a_mistake_and_no_crossover():
    results = groups(times=("pre", "post0"))
    twice = results[results["participant"] == "001"].assign(group="control")
    both = pd.concat([results, twice], ignore_index=True)
    with pytest.raises(ValueError, match=r"by='arm': 001 have.*a crossover needs most people in two"):
        compare(both.rename(columns={"group": "arm"}), by="arm")
    with pytest.raises(ValueError, match="everybody is in one group, but the group changes in 001"):
        compare(both, by="group")
    results.loc[0, "group"] = "control"
    with pytest.raises(ValueError, match="changes in 000"):
        compare(results, by="group")


def test_cluster_tests_of_a_crossover_are_not_run_and_that_is_said():
    from excitability.comparison import compare_planned
    from excitability.protocol.library import PlannedClusters

    evoked = pd.DataFrame({"participant": ["01"] * 2, "arm": ARMS, "protocol": "dlpfc/tep", "condition": "all"})
    plan = {"before": ["pre", "pre2"], "after": ["post0"], "by": "arm"}
    with pytest.warns(UserWarning, match="changes within people: none is run"):
        found = compare_planned(evoked, [PlannedClusters(protocol="dlpfc/tep", window="early")], plan)
    assert not len(found)


def test_controls_by_their_usual_names():
    names = (
        "CTL,HV,NC,asymptomatic,usual care,waitlist,Healthy Controls,rest_day,sham tDCS,age-matched controls,Control_1"
    )
    for name in names.split(","):
        assert in_order(["zz", name, "aa"])[-1] == name


def test_groups_that_only_begin_like_a_control():
    names = "restorative,controlled_exercise,restless legs,contralateral,motor control,unhealthy,concentric"
    for name in names.split(","):
        assert in_order([name, "zz"]) == (name, "zz")
