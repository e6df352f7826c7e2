"""What an attack on the comparison found: people, trials and labels that do not fit are said, and no number lies."""

import numpy as np
import pandas as pd
import pytest

from excitability.comparison import associate, compare, compare_groups, variance_components
from excitability.comparison._labels import alike


def study(n=12, seed=1, change=0.2, spread=0.2, trials=20, ratio=False, label="", lost=0.0):
    """Results and trials of n people before and after; the log change scatters by ``spread`` over people."""
    rng = np.random.default_rng(seed)
    rows, parts = [], []
    for i in range(n):
        who, level, own = f"{label}{i:02d}", rng.normal(-7, 0.5), rng.normal(change, spread)
        for session in ("pre", "post0"):
            shift, means = rng.normal(0, 0.1), {}
            for condition in ("isi_0.002", "test") if ratio else ("all",):
                log = level + shift + rng.normal(0, 0.5, trials)
                log += own * (session == "post0") * (condition != "test") - 0.7 * (condition == "isi_0.002")
                parts.append(
                    pd.DataFrame(
                        {
                            "participant": who,
                            "session": session,
                            "protocol": "m1/sici" if ratio else "m1/mep",
                            "channel": "FDI",
                            "condition": condition,
                            "trial": range(trials),
                            "mep_amplitude": np.exp(log),
                        }
                    )
                )
                means[condition] = np.exp(log).mean()
            value = means["isi_0.002"] / means["test"] if ratio else means["all"]
            if rng.random() >= lost:
                rows.append({"participant": who, "session": session, "value": value})
            else:
                parts = parts[: -len(means)]
    kind = (
        ("m1/sici", "isi_0.002", "conditioned_ratio", "1", "ratio")
        if ratio
        else ("m1/mep", "all", "mep_amplitude", "V", "")
    )
    told = dict(zip(("protocol", "condition", "measure", "unit", "form"), kind, strict=True))
    return pd.DataFrame(rows).assign(channel="FDI", **told), pd.concat(parts, ignore_index=True)


def two_groups(seed, **more):
    """Few patients who change differently, and many controls who hardly change; sessions are missing."""
    patients = study(7, 2 * seed, spread=0.6, label="p", ratio=True, **more)
    controls = study(14, 2 * seed + 1, change=0.0, spread=0.05, label="c", ratio=True, **more)
    both = [pd.concat(pair, ignore_index=True) for pair in zip(patients, controls, strict=True)]
    return [table.assign(group=np.where(table["participant"].str[0] == "p", "patient", "control")) for table in both]


def test_a_difference_of_groups_has_the_degrees_of_freedom_of_welch():
    """It had the sum of both groups': an interval narrower than that of the patients, who make up most of it."""
    held = 0
    for seed in range(4):
        results, trials = two_groups(seed, lost=0.2)
        found = compare(results, by="group", trials=trials).set_index("group")
        if found["flag"].str.contains("participant_level").any():
            continue
        held += 1
        one, two, both = (found.loc[name] for name in ("patient", "control", "patient - control"))
        squares = np.array([one["standard_error"], two["standard_error"]]) ** 2
        welch = squares.sum() ** 2 / np.sum(squares**2 / [one["df"], two["df"]])
        assert both["df"] <= welch + 1e-9
        assert one["df"] <= one["n"] - 1
    assert held >= 2


def test_people_are_counted_whose_trials_are_there():
    results, trials = study()
    whole = compare(results, trials=trials)
    assert whole["n"][0] == 12
    assert "trials_missing" not in whole["flag"][0]
    some = compare(results, trials=trials[trials["participant"] < "05"])
    assert some["n"][0] == 5
    assert some["df"][0] <= 4
    for word in ("trials_missing", "missing_sessions"):
        assert word in some["flag"][0]
    of_these = compare(results[results["participant"] < "05"], trials=trials[trials["participant"] < "05"])
    assert some["effect_size"][0] == pytest.approx(of_these["effect_size"][0])
    half = trials[(trials["session"] == "pre") | (trials["participant"] >= "04")]
    assert compare(results, trials=half)["n"][0] == 8


def test_labels_that_differ_by_zeros_are_said():
    results, trials = study()
    with pytest.raises(ValueError, match="'00' of the results is '0' in the trial table"):
        compare(results, trials=trials.assign(participant=trials["participant"].astype(int)))
    mixed = results.assign(participant=np.where(results["session"] == "pre", "", "sub-") + results["participant"])
    with pytest.raises(ValueError, match="'00' and 'sub-00' are both there"):
        compare(mixed)
    blank = results.assign(participant=np.where(results["session"] == "pre", "", " ") + results["participant"])
    assert compare(blank)["n"][0] == 12
    assert alike(["1.1", "P2"], ["1.01", "P20"]) is None


def test_trials_that_are_there_twice_are_an_error():
    results, trials = study()
    for table in (pd.concat([trials, trials]), pd.concat([trials, trials]).drop(columns="trial")):
        with pytest.raises(ValueError, match="are there more than once"):
            compare(results, trials=table)
        with pytest.raises(ValueError, match="are there more than once"):
            variance_components(table)


def test_text_among_trials_names_its_row_and_infinite_values_are_left_out():
    results, trials = study()
    text = trials.assign(mep_amplitude=trials["mep_amplitude"].astype(object).where(trials.index != 3, "a"))
    with pytest.raises(ValueError, match="'mep_amplitude' must hold numbers, but has 'a' in row 3"):
        compare(results, trials=text)
    with pytest.raises(ValueError, match="trials is a table of trials"):
        compare(results, trials=[1])
    found = compare(
        results, trials=trials.assign(mep_amplitude=trials["mep_amplitude"].where(trials.index != 3, np.inf))
    )
    assert "infinite_values" in found["flag"][0]
    results.loc[3, "value"] = np.inf
    found = compare(results)
    assert found["n"][0] == 11
    assert "infinite_values" in found["flag"][0]


def test_a_trial_covariate_that_is_the_time_point_is_not_in_a_model():
    """By rounding it was: a change of -1.06 that is no change, or a traceback."""
    results, trials = study(seed=6)
    trials["z"] = (trials["session"] == "post0") * 1.0
    trials = trials[np.random.default_rng(6).random(len(trials)) < 0.6]
    assert "participant_level" in compare(results, trials=trials, trial_covariates=["z"])["flag"][0]


def test_a_missing_covariate_is_no_missing_session():
    results, _ = study()
    results["age"] = np.where(results["participant"] == "03", np.nan, 30.0 + results["participant"].astype(int))
    found = compare(results, covariates=["age"]).iloc[0]
    assert found["n"] == 11
    assert "covariate_missing" in found["flag"]
    assert "missing_sessions" not in found["flag"]
    assert "1 without a covariate" in found["sentence"]
    assert "both sessions" not in found["sentence"]
    results["group"] = np.where(results["participant"] < "06", "patient", "control")
    groups = compare_groups(results, at="pre", covariates=["age"]).set_index("group")
    flags = groups["flag"].str.contains("covariate_missing")
    assert flags.to_dict() == {"patient": True, "control": False, "patient - control": True}
    assert not groups["flag"].str.contains("missing_sessions").any()
    assert "1 without a covariate" in groups.loc["patient - control", "sentence"]


def test_covariates_that_say_the_same_are_named_as_the_cause():
    results, _ = study()
    results["age"] = 30.0 + results["participant"].astype(int)
    found = compare(results.assign(w=2 * results["age"]), covariates=["age", "w"]).iloc[0]
    assert "covariates_dependent" in found["flag"]
    assert "covariates and groups hold the same" in found["sentence"]
    with pytest.raises(ValueError, match="name each once"):
        compare(results, covariates=["age", "age"])


def test_no_change_at_all_has_no_direction():
    results, _ = study(ratio=True)
    said = compare(results.assign(value=0.5))["sentence"][0]
    assert "did not change at all" in said
    assert "towards" not in said


def test_nobody_with_a_value_has_a_sentence():
    results, _ = study(ratio=True)
    results["group"] = np.where(results["participant"] < "06", "patient", "control")
    results["value"] = results["value"].where(results["session"] != "pre")
    said = compare_groups(results, at="pre")["sentence"]
    assert said.str.contains("its value at pre cannot be estimated").all()


def test_a_zero_elsewhere_leaves_the_other_ratios_on_their_scale():
    results, _ = study(ratio=True)
    other = results.assign(condition="isi_0.003")
    other.loc[0, "value"] = 0.0
    later = results[results["session"] == "post0"].assign(session="post30", value=0.0)
    found = compare(pd.concat([results, other, later], ignore_index=True)).set_index("condition")
    assert found["form"].to_dict() == {"isi_0.002": "log_ratio", "isi_0.003": "difference"}
    assert "not_positive_so_difference" not in found.loc["isi_0.002", "flag"]


def test_arguments_of_the_wrong_kind_are_said():
    results, _ = study()
    with pytest.raises(ValueError, match="by is the name of one column"):
        compare(results, by=["group"])
    with pytest.raises(ValueError, match="session"):
        compare(results, before=0, after=1)
    numbered = results.replace({"session": {"pre": 0, "post0": 1}})
    assert compare(numbered, before=0, after=1)["contrast"][0] == "1 - 0"


def test_limits_in_the_wrong_order_are_not_used():
    results, _ = study()
    low, high = 0.8 * results["value"], 1.2 * results["value"]
    assert "interval_reversed" not in compare(results.assign(ci_low=low, ci_high=high))["flag"][0]
    found = compare(results.assign(ci_low=high, ci_high=low))
    assert "interval_reversed" in found["flag"][0]
    assert "sdc_from_intervals" not in found["flag"][0]


def test_names_given_twice_are_said():
    results, trials = study()
    with pytest.raises(ValueError, match="name each once"):
        compare(results, trials=trials, trial_covariates=["trial", "trial"])
    results["age"] = 30.0 + results["participant"].astype(int)
    results["pain_intensity"] = np.random.default_rng(1).uniform(2, 8, len(results))
    with pytest.raises(ValueError, match="name each once"):
        associate(results, "mep_amplitude", "pain_intensity", adjust=["age", "age"])
