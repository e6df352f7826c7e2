"""How the recordings of a study are described: beside a link, in a column, or by one sidecar for all."""

import sys
from pathlib import Path

import mne
import pandas as pd
import pytest
from typer.testing import CliRunner

import excitability as ex
from excitability.cli import app

sys.path.insert(0, str(Path(__file__).parent))
from pair_recordings import recorded, saved

SIDECAR = """
[channels.muscles]
RFDI = "FDI"
[[stimuli.codes]]
code = "S  1"
pulse_count = 1
intensity = 60
[[stimuli.codes]]
code = "S  2"
pulse_count = 2
inter_stimulus_interval = 0.003
intensity = 60
"""


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """A study of links into a store, as DataLad keeps it."""
    store, folder = tmp_path_factory.mktemp("store"), tmp_path_factory.mktemp("study")
    raw, table, onset = recorded(intervals=(0.003,), n=6)
    names = ["S  2" if count == 2 else "S  1" for count in table["pulse_count"]]
    file = saved(store, raw, onset, names, "fif")
    rows = [{"participant": label, "session": "pre", "file": f"{label}_raw.fif", "protocol": "sici"} for label in "ab"]
    for row in rows:
        (folder / row["file"]).symlink_to(file)
    pd.DataFrame(rows).to_csv(folder / "study.tsv", sep="\t", index=False)
    return folder


def ratios(results):
    assert (results["error"] == "").all(), results["error"].tolist()
    found = results[(results["measure"] == "conditioned_ratio") & (results["channel"] == "RFDI")]
    return found.set_index("participant")["condition"].to_dict()


def test_a_sidecar_beside_a_link_is_found_from_both_kinds_of_study(study, tmp_path):
    for label in "ab":
        (study / f"{label}_raw.toml").write_text(SIDECAR)
    try:
        sessions = ex.find_sessions(study / "study.tsv")
        assert sessions["file"].tolist() == [str(study / "a_raw.fif"), str(study / "b_raw.fif")]
        results = ex.run_batch(sessions, "sici", tmp_path / "out", picks="RFDI")
        assert ratios(results) == {"a": "isi_0.003", "b": "isi_0.003"}
        assert results["flag"].str.contains("not_as_stated").sum() == 0
    finally:
        for label in "ab":
            (study / f"{label}_raw.toml").unlink()
    emg = tmp_path / "sub-01" / "emg"
    emg.mkdir(parents=True)
    (emg / "sub-01_task-sici_emg.fif").symlink_to((study / "a_raw.fif").resolve())
    assert ex.find_sessions(tmp_path)["file"].tolist() == [str(emg / "sub-01_task-sici_emg.fif")]


def test_one_sidecar_describes_a_study_and_a_row_may_have_its_own(study, tmp_path):
    general = tmp_path / "lab.toml"
    general.write_text(SIDECAR)
    words = ["batch", str(study / "study.tsv"), "-p", "sici", "-o", str(tmp_path / "out"), "--picks", "RFDI"]
    done = CliRunner().invoke(app, [*words, "--sidecar", str(general)])
    assert done.exit_code == 0, done.output
    results, _, _ = ex.batch.load_results(tmp_path / "out")
    assert ratios(results.fillna("")) == {"a": "isi_0.003", "b": "isi_0.003"}
    own = tmp_path / "own.toml"
    own.write_text(SIDECAR.replace("0.003", "0.004"))
    table = pd.read_csv(study / "study.tsv", sep="\t").assign(sidecar=["", str(own)])
    table["file"] = [str(study / file) for file in table["file"]]
    table.to_csv(tmp_path / "study.tsv", sep="\t", index=False)
    results = ex.run_batch(tmp_path / "study.tsv", "sici", options={"sidecar": general}, picks="RFDI")
    assert ratios(results) == {"a": "isi_0.003", "b": "isi_0.004"}
    told = results[(results["participant"] == "b") & (results["condition"] == "isi_0.004")]
    assert told["flag"].str.contains("interval_not_as_stated").all()


@pytest.mark.parametrize("protocol", ["mep_trunk", "anticipatory_activation", "sici"])
def test_mne_prints_nothing_into_the_results(tmp_path, protocol):
    raw, _ = ex.simulate.session([f"m1/{protocol}"], seed=1)
    path = tmp_path / "rec_raw.fif"
    raw.save(path, fmt="double", verbose="ERROR")
    with mne.utils.use_log_level("INFO"), mne.utils.catch_logging() as told:
        ex.inspect(path)
        ex.run(ex.read(path), protocol)
    assert told.getvalue() == ""
