"""The checklist for TMS reports: what a recording answers, and nothing that it does not."""

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

import excitability as ex
from excitability.cli import app
from excitability.reporting_checklist import participant_row


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


def test_every_protocol_of_the_muscles_names_the_items_it_needs():
    for name in ex.protocol.list_protocols():
        protocol = ex.load_protocol(name)
        if name.startswith("m1/"):
            pairs = any("pulse_count == 2" in query or "inter_stimulus_interval" in query
                        for query in protocol.conditions.values())  # fmt: skip
            assert protocol.checklist in ("single_pulse", "paired_pulse", "no_pulse"), name
            assert protocol.checklist == "paired_pulse" or not pairs, name


def test_denominators_are_those_that_the_protocol_names(sici):
    counts = {
        word: int(ex.checklist(sici, ex.load_protocol("sici").replace(checklist=word), picks=["FDI"])["applies"].sum())
        for word in ("single_pulse", "paired_pulse", "no_pulse", "")
    }
    assert counts == {"single_pulse": 26, "paired_pulse": 30, "no_pulse": 17, "": 30}
    bare = ex.load_protocol("sici")
    assert bare.replace(checklist="").sha256 == bare.sha256, "what must be reported changes no number"


def test_the_command_takes_arrays_and_says_what_is_missing(tmp_path):
    rng = np.random.default_rng(0)
    times = np.arange(-500, 1000) / 5000
    x = 1e-3 * np.sin(2 * np.pi * np.clip((times - 0.022) / 0.012, 0, 1)) * np.ones((12, 1))
    np.save(tmp_path / "a.npy", x + 4e-6 * rng.standard_normal(x.shape))
    given = "-p m1/intensity_for_1mv --axes trials,samples --sampling-rate 5000 --unit V --pulse-time 0.1"
    given += " --channel-name FDI --set intensity=55 --height 1.9 --answer"
    words = ["checklist", str(tmp_path / "a.npy"), *given.split(), "Hot=largest of three"]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    assert "of 26 items answered (4 do not apply)" in done.output
    assert "largest of three" in done.output
    assert "missing: Age, Sex" in done.output
    assert "(15 to 50 ms after the pulse)" not in done.output, "the window has moved with the height"


def test_methods_say_what_was_recorded_and_nothing_else(sici):
    text = ex.methods_paragraph(sici, "sici", picks=["FDI"])
    assert "pairs of pulses 2 and 3 ms apart were given over M1" in text
    assert "EMG of FDI (channel RFDI) was recorded at rest at 5000 Hz." in text
    assert "background EMG (5 to 100 ms before the first pulse)" in text
    assert "15 to 50 ms after the pulse" in text
    assert "{}" not in text
    assert "position of the coil" not in text, "no positions were recorded"


@pytest.mark.parametrize(
    "name", ["m1/sici", "m1/mep", "m1/recruitment_curve", "m1/cortical_silent_period", "m1/resting_motor_threshold"]
)
def test_methods_read_as_a_person_would_write_them(name):
    raw, _ = ex.simulate.session([name], seed=1)
    text = ex.methods_paragraph(raw, name, picks=["FDI"])
    assert "window of the muscle" not in text
    assert text.count("after the pulse") == 1, "each window is told once"
    assert ".." not in text
    assert "nothing" not in text
    assert all(sentence[:1].isupper() or sentence[:1].isdigit() for sentence in text.split(". "))
    assert text.endswith(".")
    assert ("first pulse" in text) == (name == "m1/sici")


@pytest.mark.parametrize("blank", ["", "  ", "n/a"])
def test_a_blank_answer_is_none(sici, blank):
    items = ex.checklist(sici, "sici", picks=["FDI"], answers={"Hot": blank, "Att": " counted silently "}).set_index(
        "code"
    )
    assert not items.loc["Hot", "answered"]
    assert items.loc["Att", "answer"] == "counted silently"
    plain = ex.checklist(sici, "sici", picks=["FDI"]).set_index("code")
    blanked = ex.checklist(sici, "sici", picks=["FDI"], answers={"ISI": blank}).set_index("code")
    assert blanked.loc["ISI", "answer"] == plain.loc["ISI", "answer"] != ""


def test_an_empty_table_of_participants_tells_nothing(tmp_path):
    (tmp_path / "participants.tsv").write_text("\n", encoding="utf-8")
    assert participant_row(tmp_path / "sub-1_task-sici_emg.edf") == {}


@pytest.mark.parametrize("word", ["n/a", False])
def test_words_for_no_reason_keep_a_trial_everywhere(word):
    """A table read again may say n/a or False where nothing was rejected: plots, reports and models count alike."""
    from excitability.html_report._done import trials_kept
    from excitability.plots.recruitment_curve import recruitment_curve

    trials = pd.DataFrame(
        {"protocol": "m1/mep", "reject": [word, word, "x"], "intensity": 50.0, "mep_amplitude": [1e-3, 2e-3, 3e-3]}
    ).astype({"reject": object})
    results = pd.DataFrame({"protocol": ["m1/mep"], "error": ""})
    assert trials_kept(results, trials)[0][1:3] == [2, 1]
    plain = trials.assign(reject=["", "", "x"])
    shown = []
    for one in (trials, plain):
        ax = recruitment_curve(one).axes[0]
        shown.append(
            [line.get_xydata().tolist() for line in ax.lines] + [c.get_offsets().tolist() for c in ax.collections]
        )
    assert shown[0] == shown[1]


def test_checklist_and_methods_speak_of_the_trials_of_their_protocol():
    raw, _ = ex.simulate.session(("sici", "lici"), channels={"RFDI": {}}, n_trials=6, seed=1)
    raw = ex.set_stimuli(raw, ex.stimuli(raw).drop(columns="protocol"))  # nobody said which trial is of which
    items = ex.checklist(raw, "sici", picks=["FDI"]).set_index("code")["answer"]
    own = ex.trial_table(raw, "sici", picks=["FDI"])
    mine = int((own["condition"] != "").sum())
    assert mine < len(own)
    assert items["ISI"] == "2, 3 ms"
    kept, rejected = (int(part.split()[-2]) for part in items["Num"].split(","))
    assert kept + rejected == mine
    text = ex.methods_paragraph(raw, "sici", picks=["FDI"])
    assert "pairs of pulses 2 and 3 ms apart" in text
    assert f"of {mine} trials were kept" in text
