"""Measures of several protocols and of a whole study, from the battery to the report."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest

import excitability as ex
from excitability.batch import load_results
from excitability.html_report import report_folder
from excitability.html_report._tables import group_values, prepared
from excitability.measures import (
    ei_composite,
    percent_of_m_max,
    transcallosal_conduction,
)
from excitability.measures.curves import boltzmann
from excitability.protocol import derive, load_battery
from excitability.protocol.library import Battery
from excitability.tables import read_table

BATTERY = """
title = "Inhibition and facilitation"
protocols = ["m1/sici", "m1/icf"]
before = "pre"
after = ["post0"]
by = "group"
"""
COMPOSITE = """
[[derived]]
measure = "ei_composite"
inhibition = "sici"
inhibition_condition = "isi_0.002"
facilitation_condition = "isi_0.01"

[[exploratory]]
protocol = "derived/ei_composite"
measure = "ei_composite"
"""


def battery(folder, text, name="lab.toml"):
    path = folder / name
    path.write_text(BATTERY + text, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Two people a group, two sessions of two protocols, and the results of a batch."""
    folder = tmp_path_factory.mktemp("derived")
    ex.simulate.study(
        folder / "study", n_patients=2, n_controls=2, timepoints=("pre", "post0"), protocols=("m1/sici", "m1/icf"),
        eeg=False, n_trials=8, seed=5,
    )  # fmt: skip
    path = battery(folder, COMPOSITE)
    results = ex.run_batch(folder / "study", path, folder / "out")
    return folder, path, results


def composite(results):
    return results[results["protocol"] == "derived/ei_composite"]


def test_the_composite_of_a_battery_is_near_its_truth(study):
    folder, _, results = study
    truth = read_table(folder / "study" / "sourcedata" / "truth.tsv")
    truth = truth[truth["measure"] == "conditioned_ratio"].set_index(["participant", "session", "channel", "condition"])
    true = truth["value"].astype(float).unstack()
    true = np.log(true["isi_0.01"]) - np.log(true["isi_0.002"])
    rows = composite(results)
    hand = rows[rows["channel"] == "RFDI"].set_index(["participant", "session", "channel"])
    assert len(hand) == 8
    known = true[hand.index]
    assert ((hand["ci_low"] <= known) & (known <= hand["ci_high"])).mean() >= 0.75
    assert abs((hand["value"] - known).mean()) < 0.35
    assert hand["flag"].str.contains("exploratory").all()
    assert (rows["measure"] == "ei_composite").all()
    assert (rows["form"] == "log_ratio").all()
    assert rows[["timepoint", "group"]].notna().all(axis=None)


def test_a_resumed_batch_writes_the_same_bytes(study):
    folder, path, results = study
    names = ("results.tsv", "results.json", "trials.tsv", "battery.json")
    before = {name: (folder / "out" / name).read_bytes() for name in names}
    again = ex.run_batch(folder / "study", path, folder / "out")
    assert {name: (folder / "out" / name).read_bytes() for name in names} == before
    pd.testing.assert_frame_equal(again, results)
    loaded, _, known = load_results(folder / "out")
    pd.testing.assert_frame_equal(loaded, results)
    assert known == load_battery(path)


def test_a_changed_entry_changes_its_rows_alone(study):
    folder, path, results = study
    text = COMPOSITE.replace('inhibition_condition = "isi_0.002"\n', "")
    other = ex.run_batch(folder / "study", battery(folder, text, "other.toml"), folder / "out")
    plain = ~results["protocol"].str.startswith("derived/")
    pd.testing.assert_frame_equal(other[plain], results[plain])
    assert not np.allclose(composite(other)["value"], composite(results)["value"])
    assert set(composite(other)["protocol_sha256"]).isdisjoint(composite(results)["protocol_sha256"])
    ex.run_batch(folder / "study", path, folder / "out")


def test_compare_and_report_take_it_like_other_measures(study):
    folder, _, results = study
    change = ex.compare(results, before="pre", after="post0", by="group")
    rows = composite(change)
    assert set(rows["group"]) == {"patient", "control", "patient - control"}
    assert rows["flag"].str.contains("exploratory").all()
    assert np.isfinite(rows["estimate"]).all()
    assert rows["sentence"].str.startswith("E/I composite").all()
    page = report_folder(folder / "out", folder / "report.html").read_text(encoding="utf-8")
    assert "from ICF and SICI" in page
    assert "Made of ICF and SICI, of the same session." in page
    assert "declared exploratory" in page


def test_the_mean_of_logarithms_is_not_geometric():
    row = {"protocol": "derived/ei_composite", "measure": "ei_composite", "form": "log_ratio", "unit": "1"}
    rows = [{**row, "participant": f"{i}", "session": "pre", "channel": "FDI", "condition": "all", "value": value}
            for i, value in enumerate((0.1, 0.5, 2.4))]  # fmt: skip
    _, shown = group_values(prepared(pd.DataFrame(rows), None))
    assert shown[0][-1].startswith("1.00")


def test_a_failed_session_has_no_value_and_says_why(study, tmp_path):
    folder, path, results = study
    sessions = ex.find_sessions(folder / "study")
    lost = (sessions["participant"] == "01") & (sessions["session"] == "pre") & (sessions["protocol"] == "m1/icf")
    broken = tmp_path / "broken.bdf"
    broken.write_bytes(b"not a recording")
    sessions.loc[lost, "file"] = str(broken)
    found = ex.run_batch(sessions, path, shutil.copytree(folder / "out", tmp_path / "out"))
    assert (found["error"] != "").sum() == 1
    rows, before = composite(found), composite(results)
    mine = (rows["participant"] == "01") & (rows["session"] == "pre")
    assert set(rows.loc[mine, "channel"]) == {"RFDI", "LES"}
    assert rows.loc[mine, "value"].isna().all()
    assert set(rows.loc[mine, "flag"]) == {"missing_part:m1/icf"}
    keys = ["participant", "session", "channel"]
    same = rows[~mine].set_index(keys)["value"]
    pd.testing.assert_series_equal(same, before.set_index(keys)["value"][same.index])


def test_a_protocol_that_nobody_recorded_is_said_at_every_session(study, tmp_path):
    folder, path, _ = study
    sessions = ex.find_sessions(folder / "study")
    out = shutil.copytree(folder / "out", tmp_path / "out")
    rows = composite(ex.run_batch(sessions[sessions["protocol"] == "m1/sici"], path, out))
    assert len(rows) == 16
    assert rows["value"].isna().all()
    assert set(rows["flag"]) == {"missing_part:m1/icf"}


def test_a_battery_without_derived_measures_is_unchanged(study, tmp_path):
    folder, _, results = study
    path = battery(tmp_path, "")
    plain = ex.run_batch(folder / "study", path, shutil.copytree(folder / "out", tmp_path / "out"))
    assert "derived" not in json.loads((tmp_path / "out" / "battery.json").read_text())
    assert Battery.from_mapping(load_battery(path).content()) == load_battery(path)
    pd.testing.assert_frame_equal(plain, results[~results["protocol"].str.startswith("derived/")])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[[derived]]\nmeasure = "ei_composit"', r"derived\]\] ei_composit: unknown derived measure .* 'ei_composite'"),
        ('[[derived]]\nmeasure = "s50"', "unknown derived measure 's50'"),
        ('[[derived]]\ninhibition = "sici"', "has no 'measure'; its words are: inhibition"),
        ('[[derived]]\nmeasure = "ei_composite"\ninhibitoin = "sici"', "unknown parameter 'inhibitoin': did you mean"),
        ('[[derived]]\nmeasure = "ei_composite"\ninhibition = "m1/lici"', "inhibition: unknown protocol of this"),
        ('[[derived]]\nmeasure = "ei_composite"\ninhibition_condition = 2', "inhibition_condition = 2: .* string"),
        ('[[derived]]\nmeasure = "ei_composite"\ninhibition = "icf"\nfacilitation = "sici"', "are the two swapped"),
        ('[[derived]]\nmeasure = "ei_composite"\nof = "conditioned_rato"', "did you mean 'conditioned_ratio'"),
        (
            '[[derived]]\nmeasure = "ei_composite"\ninhibition_condition = "2ms"',
            "inhibition_condition: unknown condition of m1/sici '2ms'",
        ),
        ('[[derived]]\nmeasure = "transcallosal_conduction"', "onset_protocol: unknown protocol of this battery"),
        ('[[derived]]\nmeasure = "recruitment_curves_of_study"', "say which: protocol ="),
        ('[[derived]]\nmeasure = "ei_composite"\nname = "a/b"', "name = 'a/b' must be one word"),
        (2 * '[[derived]]\nmeasure = "ei_composite"\n', "two entries are called 'derived/ei_composite'"),
        ('[[secondary]]\nprotocol = "derived/ei_composite"', "secondary.*unknown protocol of this battery"),
        ("[derive]", r"lab.toml: unknown word 'derive': did you mean 'derived'"),
    ],
)
def test_a_misspelt_entry_is_an_error_that_names_it(tmp_path, text, message):
    with pytest.raises(ValueError, match=message):
        load_battery(battery(tmp_path, text))


def curves(seed=3, people=5, lost=()):
    """Results and trials of a study of recruitment curves, as a batch joins them; the truth beside it."""
    rng = np.random.default_rng(seed)
    s = np.repeat(np.arange(40.0, 81, 5), 3)
    results, trials, truth = [], [], {}
    for person, time in [(f"p{i}", time) for i in range(people) for time in ("pre", "post0")]:
        place = truth.setdefault((person, "pre"), rng.normal(58, 5)) + 4.0 * (time == "post0")
        truth[person, time] = place
        y = boltzmann(s, 2e-3, place, 4, 2e-5) * rng.lognormal(0, 0.4, s.size)
        owner = {"participant": person, "session": f"visit of {person} {time}", "timepoint": time, "group": "all"}
        row = {**owner, "protocol": "m1/recruitment_curve", "value": 1.0, "flag": ""}
        if (person, time) in lost:
            results.append({**row, "channel": "", "measure": "", "error": "OSError: gone"})
            continue
        results.append({**row, "channel": "FDI", "measure": "s50", "error": ""})
        trials.append(
            pd.DataFrame({**owner, "protocol": "m1/recruitment_curve", "channel": "FDI", "intensity": s})
            .assign(mep_amplitude=y, reject="", condition="all")
        )  # fmt: skip
    return pd.DataFrame(results), pd.concat(trials, ignore_index=True), truth


def of_study():
    return next(entry for entry in load_battery("m1_exercise").derived if entry.parts[0].name == "m1/recruitment_curve")


def test_curves_of_a_study_keep_the_contrast_of_time_points_whose_sessions_have_names_of_their_own():
    results, trials, truth = curves()
    rows = derive(of_study(), results, trials)
    s50 = rows[rows["measure"] == "s50"]
    true = [truth[who, session.split(" ")[-1]] for who, session in zip(s50["participant"], s50["session"], strict=True)]
    assert ((s50["ci_low"] <= true) & (true <= s50["ci_high"])).mean() >= 0.7
    assert s50["session"].tolist() == results["session"].tolist()
    after = s50["session"].str.endswith("post0").to_numpy()
    assert (s50["value"][after].mean() - s50["value"][~after].mean()) == pytest.approx(4, abs=1.5)
    assert (rows["protocol"] == "derived/recruitment_curves_of_study").all()


def test_a_session_without_curve_is_missing_and_no_other():
    results, trials, _ = curves(lost=[("p1", "post0")])
    rows = derive(of_study(), results, trials)
    mine = rows["session"] == "visit of p1 post0"
    assert rows[mine]["measure"].nunique() == mine.sum() == 6
    assert rows.loc[mine, "value"].isna().all()
    assert set(rows.loc[mine, "flag"]) == {"missing_part:m1/recruitment_curve"}
    assert rows.loc[~mine & (rows["measure"] == "s50"), "value"].notna().all()
    nothing, none, _ = curves(people=2, lost=[("p1", "pre"), ("p1", "post0"), ("p0", "post0")])
    assert derive(of_study(), nothing[nothing["error"] != ""], none.iloc[:0]).empty  # the failures are rows already


def test_what_a_measure_cannot_take_is_a_flag_and_no_crash():
    results, trials, _ = curves(people=4)
    rows = derive(of_study(), results, trials.drop(columns="mep_amplitude"))
    assert rows["value"].isna().all()
    assert rows["flag"].str.startswith("see_log:unknown column of the trial table 'mep_amplitude'").all()


def shrunken_table(seed, n=10, reliability=0.4):
    """Changes whose estimates are shrunken by what is known of each: mean 1, variance 1 over people."""
    rng = np.random.default_rng(seed)
    true = rng.normal(1, 1, n)
    error = np.sqrt(1 / reliability - 1)
    seen = true + rng.normal(0, error, n)
    change = seen.mean() + reliability * (seen - seen.mean())
    half = 1.96 * np.sqrt((1 - reliability) / 2 / 0.7)
    rows = []
    for i in range(n):
        row = {"participant": f"p{i}", "protocol": "derived/x", "channel": "FDI", "condition": "all", "measure": "s50"}
        for session, value in (("pre", 50.0), ("post0", 50.0 + change[i])):
            limits = {"value": value, "ci_low": value - half, "ci_high": value + half}
            rows.append({**row, **limits, "session": session, "unit": "%MSO", "form": "hierarchical", "age": 20 + i})
    return pd.DataFrame(rows)


def test_the_interval_of_a_change_gives_back_what_shrinking_took():
    table = shrunken_table(0, n=400)
    found, plain = ex.compare(table).iloc[0], ex.compare(table.assign(form="")).iloc[0]
    half = 1.966 * np.sqrt((1 + 1.5) / 400)  # of people, and of what is seen of each
    assert (found["ci_high"] - found["ci_low"]) / 2 == pytest.approx(half, rel=0.1)
    assert (plain["ci_high"] - plain["ci_low"]) / 2 == pytest.approx(0.4 * half, rel=0.1)
    assert found["ci_low"] < 1 < found["ci_high"]
    assert "shrunken" in found["flag"].split(";")
    assert "shrunken" not in plain["flag"].split(";")
    assert np.isnan(found[["effect_size", "smallest_detectable_change", "responders"]].astype(float)).all()


def test_slopes_between_people_are_warned_of():
    with pytest.warns(UserWarning, match="s50: values of form 'hierarchical' are shrunken"):
        ex.compare(shrunken_table(1), covariates=["age"])


def test_percent_of_m_max_holds_the_errors_of_both():
    row = {"participant": "01", "session": "pre", "channel": "FDI", "form": "", "n_trials": 9, "flag": ""}
    rows = []
    rng = np.random.default_rng(8)
    for person in range(300):
        for protocol, measure, condition, true, se in (
            ("m1/mep", "mep_amplitude", "all", 1e-3, 0.1),
            ("m1/m_max", "m_max", "all", 8e-3, 0.05),
            ("m1/m_max", "mep_amplitude", "cortex", 2e-3, 0.1),
        ):
            value, limits = true * rng.lognormal(0, se), np.exp(1.96 * se * np.array([-1, 1]))
            whose = {"participant": f"{person:03d}", "protocol": protocol, "measure": measure, "condition": condition}
            rows.append({**row, **whose, "value": value, "ci_low": value * limits[0], "ci_high": value * limits[1]})
    found = percent_of_m_max(pd.DataFrame(rows))
    assert len(found) == 300
    assert set(found["condition"]) == {"all"}
    assert 0.92 <= ((found["ci_low"] <= 12.5) & (found["ci_high"] >= 12.5)).mean() <= 0.98
    zero = pd.DataFrame(rows[:2])
    zero.loc[0, ["value", "ci_low"]] = 0.0
    assert np.isnan(percent_of_m_max(zero)["value"].iloc[0])


RATIO = {
    "channel": "FDI",
    "measure": "conditioned_ratio",
    "form": "ratio",
    "n_trials": 15,
    "flag": "",
    "condition": "a",
}


def test_a_composite_takes_ratios_only():
    tracked = {**RATIO, "measure": "threshold_tracking", "form": ""}
    rows = pd.DataFrame([
        {**tracked, "protocol": "m1/sici", "value": 10.0, "ci_low": 5.0, "ci_high": 15.0},
        {**tracked, "protocol": "m1/icf", "value": 5.0, "ci_low": 3.0, "ci_high": 7.0},
    ])  # fmt: skip
    with pytest.raises(ValueError, match="threshold_tracking of m1/icf is no ratio"):
        ei_composite(rows, of="threshold_tracking")
    with pytest.raises(ValueError, match="is no ratio"):
        ei_composite(rows.drop(columns="form"), of="threshold_tracking")


def composite_of(**more):
    rows = [
        {**RATIO, "protocol": "m1/sici", "condition": "isi_0.002", "value": 0.5, "ci_low": 0.4, "ci_high": 0.625},
        {**RATIO, "protocol": "m1/icf", "condition": "isi_0.01", "value": 1.5, "ci_low": 1.2, "ci_high": 1.875},
        {**RATIO, "protocol": "m1/icf", "condition": "isi_0.015", "value": 1.2, "ci_low": 1.0, "ci_high": 1.4},
    ]
    rows[0] |= more
    return pd.DataFrame(rows)


def test_a_composite_says_what_it_averaged():
    found = ei_composite(composite_of()).iloc[0]
    assert found["condition"] == "mean_of_isi_0.01+isi_0.015-isi_0.002"
    assert "mean_over_conditions" in found["flag"].split(";")
    named = ei_composite(composite_of(), facilitation_condition="isi_0.01").iloc[0]
    assert (named["condition"], named["flag"]) == ("all", "exploratory")


def test_a_composite_of_swapped_protocols_is_refused():
    with pytest.raises(ValueError, match="inhibition = 'm1/icf' is a protocol of facilitation; swap them"):
        ei_composite(composite_of(), inhibition="m1/icf", facilitation="m1/sici")


def test_a_ratio_of_zero_is_no_infinite_composite():
    found = ei_composite(composite_of(value=0.0, ci_low=np.nan, ci_high=np.nan)).iloc[0]
    assert np.isnan(found["value"])
    assert "no_logarithm" in found["flag"]


def test_what_a_row_does_not_tell_is_no_flag_and_no_trial():
    rows = pd.DataFrame([
        {**RATIO, "protocol": "m1/sici", "value": 0.5, "ci_low": 0.4, "ci_high": 0.625, "flag": np.nan},
        {**RATIO, "protocol": "m1/icf", "value": 1.5, "ci_low": 1.2, "ci_high": 1.875, "n_trials": np.nan},
    ])  # fmt: skip
    found = ei_composite(rows).iloc[0]
    assert (found["flag"], found["n_trials"]) == ("exploratory", 15)
    bare = ei_composite(rows.drop(columns=["flag", "n_trials"])).iloc[0]
    assert (bare["flag"], bare["n_trials"]) == ("exploratory", 0)


def test_transcallosal_time_has_a_row_for_each_condition_of_the_silent_period():
    late = {"measure": "ipsilateral_silent_period_onset", "protocol": "m1/ipsilateral_silent_period", "form": ""}
    early = {"measure": "mep_latency", "protocol": "m1/mep", "form": "", "condition": "all"}
    rows = pd.DataFrame([
        {**RATIO, **late, "condition": "weak", "value": 0.035, "ci_low": 0.033, "ci_high": 0.037},
        {**RATIO, **late, "condition": "strong", "value": 0.060, "ci_low": 0.058, "ci_high": 0.062, "flag": np.nan},
        {**RATIO, **early, "value": 0.0215, "ci_low": 0.0212, "ci_high": 0.0218, "n_trials": np.nan},
    ])  # fmt: skip
    found = transcallosal_conduction(rows).set_index("condition")
    assert found["value"].to_dict() == pytest.approx({"weak": 0.0135, "strong": 0.0385})
    assert found["flag"].tolist() == ["", ""]
    twice = pd.concat([rows, rows[2:].assign(condition="active")])
    with pytest.raises(ValueError, match=r"2 rows of mep_latency .* give latency_condition"):
        transcallosal_conduction(twice)
    assert len(transcallosal_conduction(twice, latency_condition="active")) == 2
