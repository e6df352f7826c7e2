"""Recordings that are not what a protocol expects, and what is said: averages, stated pulses, rest, codes, logs."""

import mne
import numpy as np
import pandas as pd
import pytest

import excitability as ex
from excitability.cli import main
from excitability.cli._tables import show_results
from excitability.protocol.running import run_all
from excitability.recording import _train
from excitability.trials import cut

ARRAY = {"sampling_rate": 1000.0, "unit": "V", "axes": "channels, samples", "channel_types": "eeg"}


@pytest.fixture
def average(tmp_path):
    """An average of 16 channels: sharp early waves at 18 ms and 219 ms after the pulse at 1 s, nothing at the pulse."""
    times = np.arange(2000) / 1000.0 - 1.0
    wave = np.exp(-(((times - 0.019) / 0.0015) ** 2)) + 0.8 * np.exp(-(((times - 0.219) / 0.0015) ** 2))
    rng = np.random.default_rng(2)
    x = np.outer(rng.uniform(1.0, 3.0, 16), wave) * 1e-6 + 2e-8 * rng.standard_normal((16, times.size))
    np.save(tmp_path / "average.npy", x)
    return tmp_path / "average.npy"


def test_a_stated_pulse_of_an_array_stays_where_it_was_said_to_be(average):
    raw = ex.read(average, pulse_time=1.0, **ARRAY)
    assert ex.stimuli(raw)["onset"].tolist() == [1.0]
    assert ex.stimuli(raw)["pulse_count"].isna().all()
    found = ex.inspect(average, pulse_time=1.0, **ARRAY)
    assert not any("artefact" in text for text in [*found.notes, *found.missing])
    with pytest.raises(ValueError, match=r"pulse_time = 5\.0 s lies outside the array, which lasts"):
        ex.read(average, pulse_time=5.0, **ARRAY)


def test_no_pulse_moves_farther_than_an_artefact_may_lie(average):
    raw = mne.io.RawArray(np.load(average), mne.create_info(16, 1000.0, "eeg"), verbose="ERROR")
    raw.set_annotations(mne.Annotations([1.015], [0.0], ["Stimulus/S  1"]))
    path = average.with_name("marked_raw.fif")
    raw.save(path, verbose="ERROR")
    trials = ex.stimuli(ex.read(path))
    assert abs(trials["onset"].item() - 1.015) <= 0.005
    assert not (trials["pulse_count"] > 1).any()


def test_a_file_of_averages_says_what_to_do_with_them(tmp_path):
    evoked = mne.EvokedArray(np.zeros((3, 200)), mne.create_info(["F3", "Fz", "F4"], 500.0, "eeg"), tmin=-0.1)
    mne.write_evokeds(tmp_path / "a-ave.fif", evoked, verbose="ERROR")
    with pytest.raises(ValueError, match=r"a-ave\.fif holds averages.*mne\.read_evokeds.*gmfa_area.*compare_evoked"):
        ex.read(tmp_path / "a-ave.fif")


def test_a_recording_with_pulses_is_not_measured_as_one_at_rest():
    raw, _ = ex.simulate.tep_session("DLPFC", n_trials=8, seed=1)
    with pytest.raises(ValueError, match=r"holds 8 pulses, the first at .* s, and is not one at rest.*dlpfc/tep"):
        ex.run(raw, "dlpfc/resting_eeg")


def test_markers_without_an_artefact_do_not_make_a_recording_at_rest_one_with_pulses():
    raw, _ = ex.simulate.resting_eeg(duration=20.0, seed=1)
    raw = ex.set_stimuli(raw, pd.DataFrame({"onset": np.arange(2.0, 18.0, 2.0)}))
    assert len(cut(raw, tmin=0.0, tmax=0.0, every=2.0).epochs) == 10


def marked(tmp_path):
    """A recording of single pulses whose markers are those of BrainVision: two spaces before one digit."""
    raw, _ = ex.simulate.tep_session("DLPFC", n_trials=6, seed=1)
    onset = ex.stimuli(raw)["onset"].to_numpy()
    raw.set_annotations(mne.Annotations(onset, 0.0, ["Stimulus/S  1", "Stimulus/S 11"] * 3))
    raw.save(tmp_path / "marked_raw.fif", verbose="ERROR")
    return tmp_path / "marked_raw.fif"


def test_codes_match_by_number_and_whatever_their_spaces(tmp_path):
    path = marked(tmp_path)
    for code in (1, "1", "S  1", "S 1", "S1", "Stimulus/S 1"):
        trials = ex.stimuli(ex.read(path, codes=[{"code": code, "pulse_count": 1, "intensity": 60}]))
        assert len(trials) == 3, code
    assert len(ex.stimuli(ex.read(path, trigger="S 11"))) == 3
    with pytest.raises(ValueError, match=r"unknown code '7':? .*Stimulus/S  1, Stimulus/S 11"):
        ex.read(path, codes=[{"code": 7, "pulse_count": 1}])


def test_a_number_that_two_markers_have_is_no_code():
    trains = {"Stimulus/S  1": np.ones(2), "Response/R  1": np.ones(1)}
    assert _train(trains, "S 1", "code").size == 2
    with pytest.raises(ValueError, match=r"code '1' may be any of 'Stimulus/S  1', 'Response/R  1'; give the whole"):
        _train(trains, "1", "code")


def test_the_command_line_shows_markers_with_all_their_spaces(tmp_path, capsys, monkeypatch):
    (tmp_path / "lab.toml").write_text("[[stimuli.codes]]\ncode = 7\npulse_count = 1\n")
    call = ["excitability", "inspect", str(marked(tmp_path)), "--sidecar", str(tmp_path / "lab.toml")]
    monkeypatch.setattr("sys.argv", call)
    with pytest.raises(SystemExit):
        main()
    assert "Stimulus/S  1" in capsys.readouterr().err


def pairs(n_trials=4):
    """A recording of pairs, test pulses and conditioning pulses, and its stimuli."""
    raw, _ = ex.simulate.paired_tep_session("M1", "sici", n_trials=n_trials, seed=1)
    return raw, ex.stimuli(raw)


def quick(name):
    """A protocol with no more cleaning than it takes to cut the pulse out, and one value."""
    protocol = ex.load_protocol(name)
    own = {"average": dict(list(protocol.average.items())[:1]), "epochs": {}}
    return protocol.replace(cleaning=[{"step": "remove_pulse"}, {"step": "interpolate_pulse"}], **own)


def values(raw, name):
    rows = ex.run(raw, quick(name))
    return rows[~rows["measure"].str.startswith("quality_")]


def test_single_pulses_of_which_nobody_said_what_they_are_are_told():
    raw, table = pairs()
    bare = ex.set_stimuli(raw, table[["onset", "pulse_count", "inter_stimulus_interval"]])
    assert values(bare, "m1/sici_tep")["flag"].str.contains("single_pulses_assumed_test").all()
    assert not values(raw, "m1/sici_tep")["flag"].str.contains("single_pulses_assumed_test").any()
    known = table[table["condition"] != "conditioning"] if "condition" in table else table[table["intensity"].notna()]
    assert not values(ex.set_stimuli(raw, known), "m1/sici_tep")["flag"].str.contains("assumed").any()


def test_a_protocol_of_pairs_without_pairs_or_without_test_pulses_is_an_error():
    raw, table = pairs()
    single = ex.set_stimuli(raw, table[table["pulse_count"] == 1])
    with pytest.raises(ValueError, match=r"m1/sici_tep: no trial is a pair: .*0\.001 <= .*\(.*test: 4.*\)"):
        ex.run(single, quick("m1/sici_tep"))
    unknown = table.assign(pulse_count=table["pulse_count"].where(table["pulse_count"] == 2))
    assert any(text.startswith("pulse_count of 8 trials") for text in ex.inspect(ex.set_stimuli(raw, unknown)).missing)
    told = r"nothing to compare pairs with: condition 'test' \(pulse_count == 1 .* has none of the 12 .*known of 4"
    with pytest.raises(ValueError, match=told):
        ex.run(ex.set_stimuli(raw, unknown), quick("m1/sici_tep"))


@pytest.mark.parametrize(("target", "told"), [("DLPFC", True), ("left M1", False), ("F3", False)])
def test_pulses_over_another_area_than_that_of_the_protocol_are_told(target, told):
    raw, table = pairs()
    there = ex.set_stimuli(raw, table[table["intensity"].notna()].assign(target=target))
    assert values(there, "m1/sici_tep")["flag"].str.contains("another_target").all() == told


def saved(raw, path):
    raw.save(path, verbose="ERROR")
    return path


def test_inspect_names_the_protocol_of_an_eeg_recording_by_its_area(tmp_path):
    raw, _ = ex.simulate.tep_session("DLPFC", n_trials=6, seed=1)
    found = ex.inspect(saved(raw, tmp_path / "a_raw.fif"))
    assert "--protocol dlpfc/tep" in found.next
    assert found.missing == []
    assert any("EEG channels, where the protocols ask for 60" in note for note in found.notes)
    assert any("6 trials, where 80 or more" in note for note in found.notes)
    raw, table = pairs()
    found = ex.inspect(saved(raw, tmp_path / "b_raw.fif"))
    assert "--protocol m1/sici_tep" in found.next
    bare = ex.set_stimuli(raw, table[["onset", "pulse_count", "inter_stimulus_interval"]])
    (which, area) = sorted(ex.inspect(bare).missing, reverse=True)
    assert which.startswith("which single pulses are test pulses")
    assert area.startswith("the stimulated area")


def test_inspect_asks_for_positions_and_gives_the_montage_to_the_next_command(tmp_path):
    raw, _ = ex.simulate.tep_session("DLPFC", n_trials=6, seed=1)
    found = ex.inspect(saved(raw.copy().set_montage(None), tmp_path / "a_raw.fif"))
    assert any("positions of" in text and text.endswith("--montage colin27_1005") for text in found.missing)
    assert found.next.endswith("--montage colin27_1005")


def test_inspect_leads_from_rest_to_resting_eeg(tmp_path):
    raw, _ = ex.simulate.resting_eeg(duration=20.0, seed=1)
    found = ex.inspect(saved(raw, tmp_path / "rest_raw.fif"))
    assert "--protocol dlpfc/resting_eeg" in found.next
    assert any("nothing, if the recording is one at rest" in text for text in found.missing)


def test_quality_is_one_line_at_the_command_line_unless_all_rows_are_wanted(capsys):
    raw, _ = ex.simulate.tep_session("DLPFC", n_trials=6, seed=1)
    done = run_all(raw, quick("dlpfc/tep"))
    show_results(done)
    said = " ".join(capsys.readouterr().out.split())
    assert "Quality: 6 trials, " in said
    assert "quality_p25_snr" not in said
    show_results(done, everything=True)
    assert "quality_p25_snr" in capsys.readouterr().out


def test_a_simulated_study_with_eeg_leads_to_both_batteries(tmp_path, capsys, monkeypatch):
    call = ["excitability", "simulate", str(tmp_path), "--patients", "1", "--controls", "1"]
    monkeypatch.setattr("excitability.simulate.study", lambda *given, **options: None)
    for eeg, batteries in (("--eeg", ["m1_exercise", "dlpfc_exercise"]), ("--no-eeg", ["m1_exercise"])):
        monkeypatch.setattr("sys.argv", [*call, eeg])
        with pytest.raises(SystemExit):
            main()
        said = capsys.readouterr().out
        assert [name for name in ("m1_exercise", "dlpfc_exercise") if f"--protocol {name}" in said] == batteries
