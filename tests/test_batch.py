"""Batches: failures are rows, finished work is reused, nothing is lost."""

import os
import shutil

import pandas as pd
import pytest

import excitability as ex
from excitability.batch import load_results, plan_of
from excitability.protocol import load_battery
from excitability.tables import read_table, write_table


@pytest.fixture(scope="module")
def study():
    return ex.sample_data_path() / "study"


def test_a_bids_tree_is_found_with_what_its_tables_say(study):
    sessions = ex.find_sessions(study)
    assert {"participant", "session", "file", "protocol", "timepoint", "group"} <= set(sessions)
    assert set(sessions["timepoint"]) == {"pre", "post0"}
    assert "m1/sici" in set(sessions["protocol"])
    assert sessions["participant"].str.fullmatch(r"\d+").all()


def test_a_sessions_table_is_found(study, tmp_path):
    found = ex.find_sessions(study)
    table = found.assign(file=[os.path.relpath(file, tmp_path) for file in found["file"]])
    table.to_csv(tmp_path / "sessions.tsv", sep="\t", index=False)
    again = ex.find_sessions(tmp_path / "sessions.tsv")
    assert [os.path.realpath(file) for file in again["file"]] == [os.path.realpath(file) for file in found["file"]]
    assert again["protocol"].tolist() == found["protocol"].tolist()
    table.drop(columns="session").to_csv(tmp_path / "wrong.tsv", sep="\t", index=False)
    with pytest.raises(ValueError, match=r"wrong.tsv has no column 'session'"):
        ex.find_sessions(tmp_path / "wrong.tsv")
    with pytest.raises(FileNotFoundError, match="no study"):
        ex.find_sessions(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="holds no recording"):
        ex.find_sessions(tmp_path / "empty")


def test_a_failure_is_a_row_and_all_else_is_computed(study, tmp_path):
    sessions = ex.find_sessions(study).query("protocol == 'm1/sici'").reset_index(drop=True)
    broken = tmp_path / "sub-01_ses-pre_task-sici_emg.bdf"
    broken.write_bytes(b"not a recording")
    sessions.loc[0, "file"] = str(broken)
    sessions.loc[1, "file"] = str(tmp_path / "absent.bdf")
    results = ex.run_batch(sessions, "m1_exercise", tmp_path / "out")
    failed = results[results["error"] != ""]
    assert len(failed) == 2
    assert failed["value"].isna().all()
    assert failed["error"].str.contains("absent.bdf").any()
    good = results[results["error"] == ""]
    assert good[["participant", "session"]].drop_duplicates().shape[0] == len(sessions) - 2
    # mended, the rest is reused and the whole is complete
    shutil.copy(sessions["file"].iloc[2], broken)
    again = ex.run_batch(sessions[sessions.index != 1], "m1_exercise", tmp_path / "out")
    assert "absent.bdf" not in " ".join(again["error"])


def test_finished_work_is_reused_and_changed_work_is_not(study, tmp_path, monkeypatch):
    sessions = ex.find_sessions(study).query("protocol == 'm1/sici'")
    first = ex.run_batch(sessions, "sici", tmp_path)
    calls = []
    from excitability import batch

    original = batch._compute
    monkeypatch.setattr(batch, "_compute", lambda *args: calls.append(1) or original(*args))
    second = ex.run_batch(sessions, "sici", tmp_path)
    assert not calls
    pd.testing.assert_frame_equal(first, second)
    strict = ex.load_protocol("sici").replace(reject={"background_emg": "> 1e-3"})
    ex.run_batch(sessions, strict, tmp_path)
    assert len(calls) == len(sessions)


def test_two_processes_give_the_same_table_as_one(study):
    sessions = ex.find_sessions(study).query("protocol in ('m1/sici', 'm1/lici')")
    pd.testing.assert_frame_equal(
        ex.run_batch(sessions, "m1_exercise"), ex.run_batch(sessions, "m1_exercise", n_jobs=2)
    )


def test_the_tables_of_a_study_are_tidy_and_described(study, tmp_path):
    sessions = ex.find_sessions(study).query("protocol in ('m1/sici', 'm1/recruitment_curve')")
    results = ex.run_batch(sessions, "m1_exercise", tmp_path)
    loaded, trials, battery = load_results(tmp_path)
    pd.testing.assert_frame_equal(loaded, results)
    assert battery == load_battery("m1_exercise")
    with pytest.warns(UserWarning, match="post30"):
        assert plan_of(battery, loaded) == {"before": "pre", "after": ["post0"], "by": "group"}
    assert {"participant", "session", "protocol", "trial", "channel", "mep_amplitude"} <= set(trials)
    import json

    dictionary = json.loads((tmp_path / "results.json").read_text())
    assert set(results.columns) <= set(dictionary)
    assert json.loads((tmp_path / "trials.json").read_text())["mep_amplitude"]["Units"] == "V"
    assert json.loads((tmp_path / "dataset_description.json").read_text())["DatasetType"] == "derivative"
    assert list(tmp_path.glob("sub-*/ses-*/emg/*_task-sici_desc-excitability_results.tsv"))
    assert not list(tmp_path.rglob("*.tmp"))


def test_no_recording_of_the_protocol_is_an_error(study):
    sessions = ex.find_sessions(study).query("protocol == 'm1/sici'")
    with pytest.raises(ValueError, match=r"no recording of m1/motor_map among the sessions; they are of: m1/sici"):
        ex.run_batch(sessions, "motor_map")
    with pytest.raises(ValueError, match="unknown protocol or battery 'm1_exercis': did you mean 'm1_exercise'"):
        ex.run_batch(sessions, "m1_exercis")


def test_a_table_keeps_text_as_text_and_numbers_exact(tmp_path):
    table = pd.DataFrame({"participant": ["01", "02"], "value": [0.1 + 0.2, float("nan")], "flag": ["", "a\tb\nc"]})
    back = read_table(write_table(table, tmp_path / "x.tsv"))
    assert back["participant"].tolist() == ["01", "02"]
    assert back["value"].iloc[0] == 0.1 + 0.2
    assert back["flag"].tolist() == ["", "a b c"]
