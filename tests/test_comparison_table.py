"""The one table of a comparison: families, effect sizes, literature, resampling, thresholds, odds, and its JSON."""

import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from excitability import schema
from excitability.cli import app
from excitability.comparison import (
    compare,
    compare_by_plan,
    compare_groups,
    comparison_record,
    d_ppc2,
    equivalence,
    g_av,
    hedges_g,
    left_out,
    logistic_changes,
    outcomes_not_compared,
    tobit_changes,
)
from excitability.comparison.bootstrap_t import FEWEST, bootstrap_groups
from excitability.comparison.estimation import group_changes
from excitability.comparison.multiplicity import holm
from excitability.protocol import load_battery
from excitability.tables import read_table, write_table

sys.path.insert(0, str(Path(__file__).parent))
from study_tables import study_results


def table(values, measure="conditioned_ratio", unit="1", form="ratio", protocol="m1/sici", **more):
    """Rows of ``values`` (people, time points)."""
    values = np.asarray(values, dtype=float)
    i, t = (axis.ravel() for axis in np.indices(values.shape))
    names = np.array(["pre", "post0", "post30"])
    rows = {"participant": np.char.add("p", np.char.zfill(i.astype(str), 2)), "session": names[t], "protocol": protocol,
            "channel": "FDI", "condition": "isi_0.002", "measure": measure, "value": values.ravel(), "unit": unit,
            "form": form, "group": np.where(i % 2, "control", "patient")}  # fmt: skip
    return pd.DataFrame(rows).assign(**more)


def ratios(n=16, change=0.3, times=2, seed=0):
    rng = np.random.default_rng(seed)
    log = rng.normal(-0.7, 0.3, (n, 1)) + rng.normal(0, 0.15, (n, times))
    log[:, 1:] += change * (np.arange(n) % 2 == 0)[:, None]
    return np.exp(log)


def test_every_row_tells_its_error_its_family_and_the_literature():
    found = compare(table(ratios(times=3)), after=["post0", "post30"], by="group")
    assert list(found.columns) == list(schema.COMPARISON_COLUMNS)
    told = found[found["form"] == "log_ratio"]
    half = (told["ci_high"] - told["ci_low"]) / 2
    from scipy import stats

    assert (told["standard_error"] * stats.t.ppf(0.975, told["df"])).to_numpy() == pytest.approx(half.to_numpy())
    assert set(told["family"]) == {"exploratory"}
    within = ~told["group"].str.contains(" - ")
    assert told.loc[within, "literature"].str.startswith("Literature (exercise): up in").all()
    assert told.loc[~within, "literature"].eq("").all()
    whole = found[found["form"] == "omnibus"].iloc[0]
    assert whole["p_value"] < 1
    assert [whole["family"], whole["adjustment"], whole["literature"]] == ["", "", ""]
    assert np.isnan(whole["p_adjusted"])
    assert set(told.loc[within, "adjustment"]) == {"Benjamini-Hochberg, 4 tests"}


def test_effect_sizes_are_those_of_the_functions_of_their_names():
    values = ratios()
    found = compare(table(values), by="group").set_index("group")
    log = np.log(values)
    patients, controls = log[::2], log[1::2]
    names = ["effect_size", "effect_size_ci_low", "effect_size_ci_high"]
    own = g_av(*patients.T)
    assert found.loc["patient", names].tolist() == pytest.approx([own, own.ci_low, own.ci_high])
    both = d_ppc2(*patients.T, *controls.T)
    assert found.loc["patient - control", names].tolist() == pytest.approx([both, both.ci_low, both.ci_high])
    assert found["effect_size_name"].tolist() == ["g_av", "g_av", "d_ppc2"]
    once = compare_groups(table(values[:, :1]), by="group").set_index("group")
    g = hedges_g(patients[:, 0], controls[:, 0])
    assert once.loc["patient - control", names].tolist() == pytest.approx([g, g.ci_low, g.ci_high])
    assert once.loc["patient - control", "literature"].startswith("Literature (case control)")
    assert once.loc["patient", ["family", "literature"]].tolist() == ["", ""]


def test_a_plan_corrects_within_the_families_of_the_whole_table():
    results = pd.concat([table(ratios()), table(ratios(seed=1), protocol="m1/icf").assign(condition="isi_0.01")])
    results = results.reset_index(drop=True)
    plan = {"before": "pre", "after": ["post0"], "at": ["pre"], "by": "group", "bayes_factor": True}
    battery = load_battery("m1_exercise")
    found = compare_by_plan(results, plan, battery=battery)
    primary = found[found["family"] == "primary"]
    assert set(primary["protocol"]) == {"m1/sici"}
    between = primary[primary["group"] == "patient - control"]  # the change, and the difference at the baseline
    assert between["p_adjusted"].to_numpy() == pytest.approx(holm(between["p_value"].to_numpy()))
    assert set(between["adjustment"]) == {"Holm, 2 tests"}
    assert found.loc[found["form"].isin(schema.NOT_A_CHANGE), "family"].eq("").all()
    assert np.isfinite(
        found.loc[found["contrast"].eq("post0 - pre") & found["group"].eq("patient"), "bayes_factor"]
    ).all()
    assert "secondary: m1/lici conditioned_ratio isi_0.1" in outcomes_not_compared(found, battery)


def test_equivalence_of_a_whole_table():
    results = pd.concat([table(ratios(change=0.0)), table(0.15 + 0.01 * ratios(), "silent_period", "s", "")])
    results = results.reset_index(drop=True)
    found = compare(results, equivalence="25 %")
    ratio, silent = (found[found["measure"] == name].iloc[0] for name in ("conditioned_ratio", "silent_period"))
    assert ratio["equivalence_bound"] == pytest.approx(np.log(1.25))
    assert ratio["p_equivalence"] < 0.05
    assert np.isnan(silent["equivalence_bound"])
    assert "bayes_factor" not in found
    mixed = compare(results, equivalence={"conditioned_ratio": "25 %", "silent_period": 0.02}, bayes_factor=True)
    assert mixed["equivalence_bound"].tolist() == pytest.approx([np.log(1.25), 0.02])
    assert np.isfinite(mixed["bayes_factor"]).all()
    several = compare(table(ratios(times=3)), after=["post0", "post30"], equivalence="person")
    assert several.loc[several["form"] == "omnibus", "equivalence_sentence"].tolist() == [""]
    for bound, message in (
        (0.02, "cannot be that of changes in 1, s"),
        ({"silent_period": "10 %"}, "has the unit of the estimate"),
        ("ten", "unknown bound 'ten'"),
        ({"conditioned_ratio": "ten"}, "a number, or one with %"),
    ):
        with pytest.raises(ValueError, match=message):
            equivalence(compare(results), bound)


def test_bootstrap_t_holds_the_mean_of_skewed_changes_where_t_does_not():
    rng = np.random.default_rng(5)
    hits, whole = np.zeros(2), np.zeros(12, dtype=int)
    for _ in range(500):
        x = rng.exponential(1, 12) - 1
        for place, fit in enumerate((group_changes(x, whole, 1), bootstrap_groups(x, whole, 1))):
            low, high = fit.contrast(np.ones(1)).interval
            hits[place] += low <= 0 <= high
    assert hits[1] / 500 > 0.925
    assert hits[1] > hits[0]


def test_bootstrap_is_near_t_in_normal_changes_and_says_where_there_are_too_few():
    by_t, drawn = (compare(table(ratios(30)), by="group", method=method) for method in ("t", "bootstrap"))
    assert drawn["estimate"].tolist() == pytest.approx(by_t["estimate"].tolist())
    widths = [(one["ci_high"] - one["ci_low"]).to_numpy() for one in (drawn, by_t)]
    assert widths[0] == pytest.approx(widths[1], rel=0.2)
    assert drawn["model"].str.endswith("4999 drawn studies").all()
    assert ((drawn["p_value"] < 0.05) == (drawn["ci_low"] > 0) | (drawn["ci_high"] < 0)).all()
    few = compare(table(ratios(FEWEST - 1)), method="bootstrap").iloc[0]
    assert np.isnan(few["ci_low"])
    assert "too_few_participants" in few["flag"]


def mep_trials(results, n=12, seed=3):
    """Single trials about the values of a result table, some with a response."""
    rng = np.random.default_rng(seed)
    whole = results.loc[results.index.repeat(n)].reset_index(drop=True)
    trials = whole[["participant", "session", "protocol", "channel", "condition"]]
    chance = 1 / (1 + np.exp(-(whole["value"] / 1e-3 - 1)))
    return trials.assign(
        mep_amplitude=whole["value"] * rng.lognormal(0, 0.4, len(whole)),
        mep_probability=(rng.random(len(whole)) < chance).astype(float),
        reject="",
    )


@pytest.mark.parametrize(("method", "words"), [("bootstrap", "parametric bootstrap, 1000 refits"),
                                               ("permutation", "each person's own change, sign flips")])  # fmt: skip
def test_trials_by_refits_and_by_permutation(method, words):
    results = table(2e-3 * ratios(10), "mep_amplitude", "V", "", "m1/mep")
    given = {"trials": mep_trials(results), "method": method}
    by_t, found = (compare(results, **(given | more)).iloc[0] for more in ({"method": "t"}, {}))
    assert words in found["model"]
    assert "participant_level" not in found["flag"]
    assert found["estimate"] == pytest.approx(by_t["estimate"], abs=1e-6)
    assert found["ci_high"] - found["ci_low"] == pytest.approx(by_t["ci_high"] - by_t["ci_low"], rel=0.25)
    assert found["ci_low"] != by_t["ci_low"]


def thresholds(n=12):
    rng = np.random.default_rng(7)
    person = rng.normal(85, 12, n)[:, None]
    return person + rng.normal(0, 3, (n, 2)) + [0.0, 6.0]


def test_thresholds_above_the_maximum_are_counted():
    values = thresholds()
    above = values > 100
    results = table(np.where(above, np.nan, values), "resting_motor_threshold", "%MSO", "", "m1/rmt")
    results["flag"] = np.where(above.ravel(), "ceiling", "")
    own = tobit_changes(*np.minimum(values, 100).T, *above.T).iloc[0]
    found = compare(results).iloc[0]
    names = ["estimate", "ci_low", "ci_high", "p_value", "df", "n"]
    assert found[names].tolist() == pytest.approx(own[names].tolist())
    assert own["n_censored"] > 0
    assert f"Tobit, {own['n_censored']} of 12 people with a threshold above the limit" in found["model"]
    without = compare(results, method="trimmed").iloc[0]
    assert without["n"] == 12 - own["n_censored"]
    assert "censored_left_out" in without["flag"]
    groups = compare(results, by="group")
    assert groups["model"].str.contains("Tobit").all()
    assert np.isfinite(groups["estimate"]).all()


def test_response_probability_is_compared_by_the_odds_of_single_trials():
    results = table(2e-3 * ratios(14, 0.8), "mep_amplitude", "V", "", "m1/mep")
    trials = mep_trials(results, 20)
    keys = ["participant", "session"]
    share = trials.groupby(keys)["mep_probability"].mean()
    own = results.assign(value=share.reindex(list(results[keys].itertuples(index=False, name=None))).to_numpy())
    own = own.assign(measure="mep_probability", unit="1")
    found = compare(own, by="group", trials=trials)
    after = trials["session"].eq("post0").to_numpy()
    group = trials.merge(own[[*keys, "group"]], on=keys)["group"]
    expected = logistic_changes(trials["mep_probability"], trials["participant"], after, group)
    expected = expected.set_index("group").loc[found["group"]]
    for name in ("estimate", "ci_low", "ci_high", "p_value", "df"):
        assert found[name].to_numpy() == pytest.approx(expected[name].to_numpy(), rel=1e-6)
    assert set(found["form"]) == {"log_odds_ratio"}
    assert found["sentence"].str.contains("odds of a response").all()
    assert set(compare(own, by="group")["form"]) == {"difference"}
    certain = compare(own.assign(value=1.0), trials=trials.assign(mep_probability=1.0)).iloc[0]
    assert "separated" in certain["flag"]


def test_record_says_who_is_left_out_and_why():
    results = table(ratios(8), flag="", error="", age=40.0 + np.arange(16) // 2)
    results.loc[results["participant"].eq("p05"), "age"] = np.nan
    results.loc[3, ["value", "flag"]] = [np.nan, "few_trials"]
    results.loc[8, ["value", "error", "measure"]] = [np.nan, "no pulses found", ""]
    results = results.drop(index=15)
    told = left_out(results, ["pre", "post0"], ["age"])
    assert [(one["participant"], one.get("session"), one["why"]) for one in told] == [
        ("p01", "post0", "few_trials"),
        ("p04", "pre", "no pulses found"),
        ("p07", "post0", "no session"),
        ("p05", None, "no value of age"),
    ]
    plan = {"before": "pre", "after": ["post0"], "covariates": ["age"]}
    change = compare_by_plan(results, plan)
    trials = pd.DataFrame({"participant": ["p00"] * 3, "session": "pre", "reject": ["", "background", "background"]})
    record = comparison_record(results, change, plan, trials=trials, command="excitability compare x")
    assert record["TrialsLeftOut"] == [{"participant": "p00", "session": "pre", "why": "background", "trials": 2}]
    assert change["n"].iloc[0] == 8 - len(told)
    assert record["Models"][0]["model"] == "log(post0) - log(pre) ~ 1 + age; regression, adjusted for age"
    assert {"python", "excitability", "numpy", "scipy", "mne"} <= set(record["Versions"])
    json.dumps(record)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("study")
    write_table(study_results(14, channels=("FDI",)), folder / "results.tsv")
    (folder / "battery.json").write_text(json.dumps(load_battery("m1_exercise").content()))
    return folder


def typed(*words):
    return CliRunner().invoke(app, list(map(str, words)))


def test_the_command_writes_all_of_it_and_prints_little(folder):
    said = typed("compare", folder, "--after", "post0", "--equivalence", "25 %", "--bayes-factor")
    assert said.exit_code == 0, said.output
    plain = " ".join(said.output.split())
    assert "Corrected (Holm, 2 tests): p" in plain
    assert "Literature on SICI ratio at 2 ms (exercise): up in" in plain
    assert "Bayes factor: " in plain
    assert "no change beyond −20 to +25" in plain.replace("\u00a0", " ") or "cannot be ruled out" in plain
    assert "Secondary: " in plain
    assert "Declared, but not measured: secondary: m1/recruitment_curve area_under_curve" in plain
    found = read_table(folder / "comparison.tsv")
    told = json.loads((folder / "comparison.json").read_text())
    assert set(found.columns) <= set(told)
    assert all(told[name]["Description"] != "column of the study" for name in found.columns)
    assert told["Families"]["primary"]["declared"][0]["measure"] == "conditioned_ratio"
    assert told["Plan"]["equivalence"] == "25 %"
    assert {"Design", "Models", "Method", "LeftOut", "TrialsLeftOut", "Seed", "Date", "Versions", "Command"} <= set(
        told
    )
    assert any("no pulses found" in one["why"] for one in told["LeftOut"]) == bool(
        read_table(folder / "results.tsv").query("timepoint in ['pre', 'post0']")["error"].ne("").any()
    )
    back = found[found["family"] == "primary"]
    assert back["p_adjusted"].notna().all()


def test_bad_options_are_one_line(folder):
    for words, message in (
        (["--equivalence", "10"], "10 of what?"),
        (["--equivalence", "25 %", "--equivalence", "silent_period=0.01"], "takes one bound, or MEASURE=SIZE"),
        (["--method", "bootstrap", "--covariate", "age"], "takes no covariates"),
    ):
        said = typed("compare", folder, "--after", "post0", "--overwrite", *words)
        assert said.exit_code != 0
        assert message in str(said.exception)
        assert "\n" not in str(said.exception)


@pytest.mark.parametrize(
    ("outcome", "message"),
    [
        ('protocol = "m1/sici"\nmesure = "conditioned_ratio"', "did you mean 'measure'"),
        ('protocol = "m1/icf"', "unknown protocol of this battery 'm1/icf'"),
        ("", "an outcome names a protocol and a measure"),
    ],
)
def test_a_battery_that_declares_a_family_wrongly_is_refused(tmp_path, outcome, message):
    path = tmp_path / "own.toml"
    path.write_text(f'title = "Own"\nprotocols = ["m1/sici"]\n\n[[primary]]\n{outcome}\n')
    with pytest.raises(ValueError, match=message) as caught:
        load_battery(path)
    assert "[[primary]]" in str(caught.value)


def test_a_battery_may_plan_the_bootstrap(tmp_path):
    path = tmp_path / "own.toml"
    path.write_text('title = "Own"\nprotocols = ["m1/sici"]\nmethod = "bootstrap"\n')
    assert load_battery(path).method == "bootstrap"
