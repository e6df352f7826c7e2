"""The checklist for TMS reports: what a recording answers, and nothing that it does not."""

import pytest
from typer.testing import CliRunner

import excitability as ex
from excitability.cli import app


@pytest.fixture(scope="module")
def sici():
    return ex.simulate.session(["m1/sici"], seed=1)[0]


def test_items_are_those_of_the_published_list(sici):
    items = ex.checklist(sici, "sici", picks=["FDI"])
    assert items["item"].tolist() == list(range(1, 31))
    assert items["code"].is_unique
    assert items["applies"].all(), "pairs were given: every item applies"


def test_only_what_is_known_is_answered(sici):
    bare = ex.checklist(sici, "sici", picks=["FDI"]).set_index("code")
    assert not bare.loc[["Age", "Sex", "Hot", "Att", "Ori", "Day"], "answered"].any()
    told = ex.checklist(
        sici, "sici", participant={"age": 31, "sex": float("nan")}, answers={"Hot": "largest of three"}, picks=["FDI"]
    ).set_index("code")
    assert told.loc[["Age", "Hot"], "answered"].all()
    assert not told.loc["Sex", "answered"]
    assert told["answered"].sum() == bare["answered"].sum() + 2


def test_answers_are_those_of_the_recording(sici):
    items = ex.checklist(sici, "sici", picks=["FDI"]).set_index("code")["answer"]
    table = ex.trial_table(sici, "sici", picks=["FDI"])
    pairs = table[table["pulse_count"] == 2]
    for isi in pairs["inter_stimulus_interval"].unique():
        assert f"{isi * 1e3:g}" in items["ISI"]
    assert f"{int((table['reject'] == '').sum())} kept" in items["Num"]
    single = table[(table["pulse_count"] == 1) & (table["reject"] == "")]["mep_amplitude"]
    assert f"{single.mean() * 1e3:.3g} mV" in items["Unc"]


def test_items_on_pairs_do_not_apply_to_single_pulses():
    raw, _ = ex.simulate.session(["m1/mep"], seed=2)
    items = ex.checklist(raw, "m1/mep", picks=["FDI"]).set_index("code")
    assert not items.loc[["Tes", "Con", "ISI", "Unc"], "applies"].any()
    assert items["applies"].sum() == 26


def test_an_unknown_item_is_named(sici):
    with pytest.raises(ValueError, match="Hot"):
        ex.checklist(sici, "sici", answers={"Hott": "x"}, picks=["FDI"])


def test_command_reads_the_table_of_participants():
    study = ex.sample_data_path() / "study"
    file = study / "sub-01/ses-pre/emg/sub-01_ses-pre_task-sici_emg.bdf"
    done = CliRunner().invoke(app, ["checklist", str(file), "-p", "sici", "--picks", "FDI"])
    assert done.exit_code == 0, done.output
    assert "age 56" in done.output
    assert "sex F" in done.output
    assert "items answered" in done.output
    assert "Draft of the methods" in done.output


def test_methods_say_what_was_recorded_and_nothing_else(sici):
    text = ex.methods_paragraph(sici, "sici", picks=["FDI"])
    assert "Intervals between the pulses of a pair: 2, 3 ms." in text
    assert "sampled at 5000 Hz" in text
    assert "{}" not in text
    assert "Place of the coil" not in text, "no positions were recorded"
