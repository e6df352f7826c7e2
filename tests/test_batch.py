"""Batches: failures are rows, finished work is reused, nothing is lost."""

import os
import shutil

import pandas as pd
import pytest

import excitability as ex
from excitability import store
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
    good = results[(results["error"] == "") & ~results["protocol"].str.startswith("derived/")]
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


def sici(study):
    return ex.find_sessions(study).query("protocol == 'm1/sici'").reset_index(drop=True)


def test_a_changed_log_is_noticed(study, tmp_path):
    one = sici(study)[:1]
    table = ex.stimuli(ex.read(one["file"].iloc[0])).drop(columns="onset")
    log = tmp_path / "log.csv"
    table.to_csv(log, index=False)
    first = ex.run_batch(one, "sici", tmp_path / "out", options={"stimuli": str(log)})
    table.assign(inter_stimulus_interval=table["inter_stimulus_interval"].sample(frac=1, random_state=1).values).drop(
        columns="pulse_count"
    ).to_csv(log, index=False)
    second = ex.run_batch(one, "sici", tmp_path / "out", options={"stimuli": str(log)})
    assert first["error"].iloc[0] == ""
    assert not first["value"].equals(second["value"])


def test_a_kill_between_two_writes_spoils_nothing(study, tmp_path, monkeypatch):
    from excitability import tables

    one = sici(study)[:1]
    ex.run_batch(one, "sici", tmp_path)
    strict = ex.load_protocol("sici").replace(reject={"mep_amplitude": "> 0.5e-3"})
    original = tables.write_text

    def killed(path, text):
        if path.name.endswith("_results.tsv"):
            raise KeyboardInterrupt
        return original(path, text)

    monkeypatch.setattr(tables, "write_text", killed)
    with pytest.raises(KeyboardInterrupt):
        ex.run_batch(one, strict, tmp_path)
    monkeypatch.setattr(tables, "write_text", original)
    pd.testing.assert_frame_equal(ex.run_batch(one, strict, tmp_path), ex.run_batch(one, strict))
    pd.testing.assert_frame_equal(ex.run_batch(one, "sici", tmp_path), ex.run_batch(one, "sici"))


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b"\xff\xfe\x00", b"participant\n"])
def test_a_damaged_store_is_computed_again(study, tmp_path, damage):
    one = sici(study)[:1]
    fresh = ex.run_batch(one, "sici", tmp_path)
    for pattern in ("*_results.json", "*_results.tsv", "*_trials.tsv"):
        next(tmp_path.rglob(pattern)).write_bytes(damage)
        pd.testing.assert_frame_equal(ex.run_batch(one, "sici", tmp_path), fresh)


def test_two_recordings_never_share_a_place(study, tmp_path):
    two = sici(study)[:2].assign(participant=["P-1", "P1"], session="a")
    first = ex.run_batch(two, "sici", tmp_path)
    again = ex.run_batch(two, "sici", tmp_path)
    pd.testing.assert_frame_equal(first, again)
    assert len(list(tmp_path.rglob("*_results.tsv"))) == 2


def test_a_sessions_table_is_checked(study):
    sessions = sici(study)
    with pytest.raises(ValueError, match="has a column 'condition', which results have too"):
        ex.run_batch(sessions.assign(condition="sham"), "sici")
    with pytest.raises(ValueError, match="lists a recording twice"):
        ex.run_batch(pd.concat([sessions, sessions[:1]]), "sici")
    misspelt = sessions.assign(protocol=["scii", *["sici"] * (len(sessions) - 1)])
    failed = ex.run_batch(misspelt, "sici").query("error != ''")
    assert failed["error"].str.contains("did you mean 'm1/sici'").tolist() == [True]
    nothing = sessions.assign(file=[None, *sessions["file"][1:]])
    failed = ex.run_batch(nothing, "sici").query("error != ''")
    assert failed["error"].str.contains("names no file").tolist() == [True]
    unsaid = ex.run_batch(sessions.drop(columns="protocol")[:1], "m1_exercise")
    assert unsaid["error"].str.contains("add a column 'protocol'").all()


def test_each_session_can_have_its_own_log(study, tmp_path):
    rows = []
    for number, row in enumerate(sici(study)[:2].to_dict("records")):
        raw = ex.read(row["file"])
        ex.stimuli(raw).drop(columns="onset").to_csv(tmp_path / f"log{number}.csv", index=False)
        bare = ex.set_stimuli(raw, ex.stimuli(raw)[["onset"]])
        bare.save(tmp_path / f"rec{number}_raw.fif", overwrite=True)
        rows.append({**row, "file": f"rec{number}_raw.fif", "stimuli": f"log{number}.csv"})
    pd.DataFrame(rows).to_csv(tmp_path / "sessions.tsv", sep="\t", index=False)
    results = ex.run_batch(ex.find_sessions(tmp_path / "sessions.tsv"), "sici")
    assert (results["error"] == "").all()
    assert "stimuli" not in results
    assert results.query("measure == 'conditioned_ratio'")["value"].notna().all()


def test_options_of_reading_are_found_again_without_the_checksums_of_their_files(tmp_path):
    log = tmp_path / "log.csv"
    log.write_text("intensity\n50\n")
    given = {"options": {"stimuli": str(log), "trigger": "S 1"}, "picks": ["FDI"]}
    held = store._fingerprint(given)
    assert held != given
    assert store.as_given(held) == given
