"""Pulses: set, found, paired, joined to a log, cut and rejected."""

import mne
import numpy as np
import pandas as pd
import pytest

import excitability as ex
from excitability.trials import cut, find_artefacts, find_triggers, join_log, pair_pulses, pick_channels, reject
from excitability.trials.muscles import channel_muscles
from excitability.trials.rejection import apply_decisions, read_decisions

RATE = 2000.0


def recording(n_seconds=20, channels=("RFDI", "LAPB"), seed=0, first_samp=0):
    noise = np.random.default_rng(seed).normal(0, 3e-6, (len(channels), int(n_seconds * RATE)))
    return mne.io.RawArray(noise, mne.create_info(list(channels), RATE, "emg"), first_samp=first_samp)


def with_artefacts(onsets, seed=0):
    raw = recording(seed=seed)
    for onset in onsets:
        start = round(onset * RATE)
        raw._data[:, start : start + 4] += 2e-3 * np.array([1, -0.8, 0.4, -0.1])
    return raw


def test_stimuli_come_back_as_they_were_set():
    table = pd.DataFrame(
        {
            "onset": [1.0, 4.003],
            "intensity": [50, 60],
            "inter_stimulus_interval": [np.nan, 0.003],
            "target": ["M1", None],
        }
    )
    back = ex.stimuli(ex.set_stimuli(recording(), table))
    assert back["onset"].tolist() == [1.0, 4.003]
    assert back["pulse_count"].tolist() == [1.0, 2.0]
    assert back["intensity"].tolist() == [50.0, 60.0]
    assert back["target"].tolist()[0] == "M1"
    assert pd.isna(back["target"].tolist()[1])


def test_stimuli_survive_a_first_sample_that_is_not_zero():
    raw = ex.set_stimuli(recording(first_samp=5000), pd.DataFrame({"onset": [2.0]}))
    assert ex.stimuli(raw)["onset"].tolist() == pytest.approx([2.0])
    epochs = cut(raw, tmin=-0.1, tmax=0.1).epochs
    assert epochs.get_data()[0, 0, 0] == raw.get_data()[0, round(1.9 * RATE)]


def test_stimuli_survive_concatenation():
    """MNE before 1.13 lost the extras of annotations here in silence."""
    first = ex.set_stimuli(recording(), pd.DataFrame({"onset": [1.0], "intensity": [50.0]}))
    second = ex.set_stimuli(recording(), pd.DataFrame({"onset": [2.0], "intensity": [70.0]}))
    table = ex.stimuli(mne.concatenate_raws([first, second]))
    assert table["intensity"].tolist() == [50.0, 70.0]
    assert table["onset"].tolist() == pytest.approx([1.0, 22.0])


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"time": [1.0]}, "no column 'onset'"),
        ({"onset": [99.0]}, "seconds from the start"),
        ({"onset": [1.0], "intensty": [3]}, "did you mean 'intensity'"),
        ({"onset": [1.0], "intensity": ["strong"]}, "must hold numbers"),
        ({"onset": [1.0, 1.0]}, "two stimuli"),
    ],
)
def test_a_wrong_stimulus_table_is_refused(table, message):
    with pytest.raises(ValueError, match=message):
        ex.set_stimuli(recording(), pd.DataFrame(table))


def test_artefacts_are_found_where_they_are_and_nowhere_else():
    onsets = np.array([1.0, 6.0, 11.5, 17.0])
    assert find_artefacts(with_artefacts(onsets)) == pytest.approx(onsets, abs=1.5 / RATE)
    assert find_artefacts(recording()).size == 0


def test_an_evoked_potential_of_one_muscle_is_no_artefact():
    raw = recording()
    raw._data[0, 4000:4030] += 2e-3 * np.hanning(30)
    assert find_artefacts(raw).size == 0


def test_triggers_come_from_annotations_and_stimulus_channels():
    raw = recording()
    raw.set_annotations(mne.Annotations([1.0, 3.0], 0, ["S255", "S255"]))
    trigger = np.zeros((1, raw.n_times))
    trigger[0, 4000:4010] = 5
    raw.add_channels([mne.io.RawArray(trigger, mne.create_info(["TTL"], RATE, "stim"))], force_update_info=True)
    found = find_triggers(raw)
    assert found["S255"].tolist() == [1.0, 3.0]
    assert found["TTL"].tolist() == [2.0]


def test_a_pair_is_one_trial_at_its_last_pulse():
    table = pair_pulses(np.array([1.0, 5.0, 5.1, 9.0]))
    assert table["onset"].tolist() == [1.0, 5.1, 9.0]
    assert table["inter_stimulus_interval"].tolist()[1] == pytest.approx(0.1)
    assert table["pulse_count"].tolist() == [1, 2, 1]


def test_a_log_is_joined_by_order_or_by_time():
    pulses = pd.DataFrame({"onset": [10.0, 15.0, 21.0]})
    by_order = join_log(pulses, pd.DataFrame({"intensity": [1, 2, 3]}))
    assert by_order["intensity"].tolist() == [1, 2, 3]
    log = pd.DataFrame({"onset": [0.0, 5.02, 8.0, 11.0], "intensity": [1, 2, 9, 3]})
    with pytest.warns(UserWarning, match="1 of 4 rows have no pulse"):
        by_time = join_log(pulses, log)
    assert by_time["intensity"].tolist() == [1, 2, 3]


def test_a_log_of_another_recording_is_refused():
    pulses = pd.DataFrame({"onset": [10.0, 15.0, 21.0]})
    with pytest.raises(ValueError, match="4 rows, the recording 3 trials"):
        join_log(pulses, pd.DataFrame({"intensity": [1, 2, 3, 4]}))
    with pytest.raises(ValueError, match="is it the log of this recording"):
        join_log(pulses, pd.DataFrame({"onset": [0.0, 77.0, 500.0, 900.0], "intensity": [1, 2, 3, 4]}))


def test_epochs_begin_before_the_first_pulse_of_a_pair():
    table = pd.DataFrame({"onset": [2.0, 5.0], "inter_stimulus_interval": [np.nan, 0.1]})
    raw = ex.set_stimuli(recording(), table)
    assert cut(raw, tmin=-0.1, tmax=0.1).epochs.tmin == pytest.approx(-0.2)
    first = cut(raw, tmin=-0.1, tmax=0.1, lock="first_pulse").epochs
    assert first.tmin == pytest.approx(-0.1)
    assert first.get_data()[1, 0, 0] == raw.get_data()[0, round((5.0 - 0.1 - 0.1) * RATE)]


def test_a_pulse_at_the_edge_stays_a_row():
    raw = ex.set_stimuli(recording(), pd.DataFrame({"onset": [0.02, 5.0], "intensity": [50.0, 50.0]}))
    table = ex.trial_table(raw, "mep", picks="FDI")
    assert table["trial"].tolist() == [0, 1]
    assert table["reject"].tolist()[0] == "epoch outside recording"
    assert np.isnan(table["mep_amplitude"].iloc[0])
    assert np.isfinite(table["mep_amplitude"].iloc[1])


@pytest.mark.parametrize(
    ("channel", "muscle"),
    [
        ("RFDI", "FDI"),
        ("FDI_L", "FDI"),
        ("LES", "ES"),
        ("EMG TA", "TA"),
        ("left erector spinae", "ES"),
        ("R-APB", "APB"),
    ],
)
def test_the_muscle_is_in_the_name(channel, muscle):
    assert channel_muscles(recording(channels=(channel,)), [channel]) == {channel: muscle}


def test_an_unknown_or_ambiguous_muscle_is_an_error_that_lists_the_names():
    raw = recording(channels=("Chan1", "FDI-APB"))
    with pytest.raises(ValueError, match=r"names no muscle; type muscles=.*FDI, APB"):
        channel_muscles(raw, ["Chan1"])
    with pytest.raises(ValueError, match="could be APB or FDI"):
        channel_muscles(raw, ["FDI-APB"])
    assert channel_muscles(raw, ["Chan1"], {"Chan1": "tibialis anterior"}) == {"Chan1": "TA"}


def test_picks_are_channels_or_muscles():
    raw = recording(channels=("RFDI", "LFDI", "RAPB"))
    assert pick_channels(raw, "FDI", "emg") == ["RFDI", "LFDI"]
    assert pick_channels(raw, ["RAPB"], "emg") == ["RAPB"]
    with pytest.raises(ValueError, match="unknown channel or muscle 'ECR'"):
        pick_channels(raw, "ECR", "emg")
    with pytest.raises(ValueError, match="no EEG channel"):
        pick_channels(raw, None, "eeg")


def test_rules_reject_for_the_first_reason_and_keep_the_rest():
    table = pd.DataFrame(
        {"background_emg": [3e-6, 12e-6, np.nan, 50e-6], "muscle_state": ["rest", "rest", "rest", "active"]}
    )
    rules = {"background_emg": {"rule": "> 10e-6", "when": "state == 'rest'"}}
    assert reject(table, rules).tolist() == ["", "background_emg > 10e-6", "", ""]
    outside = reject(
        pd.DataFrame({"background_emg": [1.0, 1.1, 0.9, 2.0]}), {"background_emg": "outside 0.25 of median"}
    )
    assert (outside != "").tolist() == [False, False, False, True]


def test_decisions_by_hand_override_the_rules(tmp_path):
    path = tmp_path / "rec_decisions.tsv"
    path.write_text("pulse\tchannel\tdecision\twho\twhy\n0\tn/a\treject\tAB\tcoil moved\n1\tFDI\tkeep\tAB\tfine\n")
    decisions = read_decisions(tmp_path / "rec.vhdr")
    table = pd.DataFrame({"trial": [0, 1], "channel": ["FDI", "FDI"], "reject": ["", "background_emg > 10e-6"]})
    assert apply_decisions(table, decisions)["reject"].tolist() == ["by hand (AB): coil moved", ""]
    path.write_text("pulse\tchannel\tdecision\twho\twhy\n0\tn/a\tdrop\tAB\tx\n")
    with pytest.raises(ValueError, match="unknown decision 'drop'"):
        read_decisions(tmp_path / "rec.vhdr")


def test_annotate_takes_any_epochs_and_counts_baselines_from_the_first_pulse():
    rng = np.random.default_rng(3)
    x = rng.normal(0, 2e-6, (4, 1, 1200))
    times = np.arange(1200) / RATE - 0.3
    x[:, 0, np.searchsorted(times, -0.1) : np.searchsorted(times, -0.09)] += 5e-3  # artefact of the first pulse
    metadata = pd.DataFrame({"inter_stimulus_interval": [0.1] * 4})
    epochs = mne.EpochsArray(x, mne.create_info(["FDI"], RATE, "emg"), tmin=times[0], metadata=metadata)
    annotated = ex.annotate(epochs, ["background_emg", "mep_amplitude"], picks="FDI")
    assert (annotated.metadata["background_emg"] < 4e-6).all()
    assert "mep_amplitude" in annotated.metadata
    assert epochs.metadata.columns.tolist() == ["inter_stimulus_interval"]
    assert len(annotated["background_emg < 10e-6"]) == 4


def test_a_trial_over_a_bad_span_or_a_join_is_rejected_with_its_name():
    raw = recording()
    raw.set_annotations(mne.Annotations([4.95, 10.0], [0.1, 0.0], ["BAD movement", "EDGE boundary"]))
    raw = ex.set_stimuli(raw, pd.DataFrame({"onset": [5.1, 10.05, 15.0]}))
    table = ex.trial_table(raw, "mep", picks="FDI")
    assert table["reject"].tolist() == ["BAD movement", "EDGE boundary", ""]
    assert table["mep_amplitude"].notna().all()


def test_what_nobody_told_of_the_pulses_is_not_known():
    raw = ex.set_stimuli(recording(), pd.DataFrame({"onset": [2.0, 5.0], "intensity": [50.0, 60.0]}))
    assert ex.stimuli(raw)["pulse_count"].isna().all()
    with pytest.raises(ValueError, match="none of the 2 trials belongs to a condition of m1/sici"):
        ex.run(raw, "sici", "FDI")
    assert len(ex.run(raw, "mep", "FDI"))
    table = ex.stimuli(raw).drop(columns="pulse_count").assign(inter_stimulus_interval=[np.nan, 0.002])
    told = ex.stimuli(ex.set_stimuli(raw, table))
    assert told["pulse_count"].tolist() == [1.0, 2.0]


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"inter_stimulus_interval": [3.0]}, "milliseconds"),
        ({"inter_stimulus_interval": [-0.003]}, "expected 0 to 1 s"),
        ({"intensity": [550.0]}, "expected 0 to 100 %MSO"),
        ({"intensity": [0.55]}, "not a fraction"),
        ({"coil_x": [35.0]}, "millimetres"),
        ({"ISI": [0.003]}, "did you mean 'inter_stimulus_interval' \\(s\\)"),
        ({"isi_ms": [3]}, "did you mean 'inter_stimulus_interval'"),
        ({"CS": [40]}, "did you mean 'conditioning_intensity'"),
        ({"Intensity": [40]}, "did you mean 'intensity'"),
    ],
)
def test_values_and_columns_that_cannot_be_meant_are_refused(table, message):
    with pytest.raises(ValueError, match=message):
        ex.set_stimuli(recording(), pd.DataFrame({"onset": [5.0], **table}))


def test_text_in_the_extras_of_an_annotation_is_refused():
    raw = recording()
    raw.set_annotations(mne.Annotations([5.0], 0, ["TMS"], extras=[{"inter_stimulus_interval": "2.5ms"}]))
    with pytest.raises(ValueError, match=r"inter_stimulus_interval.*must hold numbers.*2\.5ms"):
        ex.stimuli(raw)


def test_a_log_that_fits_in_two_ways_is_refused_and_the_same_clock_wins():
    onset = 5.0 * np.arange(20) + 3
    log = pd.DataFrame({"onset": onset, "intensity": np.arange(20)})
    with pytest.warns(UserWarning, match="1 of 20 rows"):
        joined = join_log(pd.DataFrame({"onset": onset[:-1]}), log)
    assert joined["intensity"].tolist() == list(range(19))
    with pytest.raises(ValueError, match="in more than one way"):
        join_log(pd.DataFrame({"onset": onset[:-1] + 101.7}), log)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "latin-1"])
def test_a_log_in_any_encoding_is_read(tmp_path, encoding):
    from excitability.trials.logs import read_log

    path = tmp_path / "log.csv"
    path.write_bytes("intensity;trial;note\n40,5;1;gêne\n\n50;2;\n".encode(encoding))
    table = read_log(path)
    assert table["intensity"].tolist() == [40.5, 50]
    assert table["log_trial"].tolist() == [1, 2]
    path.write_bytes(b"")
    with pytest.raises(ValueError, match="is empty"):
        read_log(path)


def test_epochs_cut_by_somebody_keep_what_their_annotations_say():
    table = pd.DataFrame({"onset": [2.0, 5.0], "inter_stimulus_interval": [np.nan, 0.1], "intensity": [60.0, 60.0]})
    raw = ex.set_stimuli(recording(), table)
    events, _ = mne.events_from_annotations(raw)
    epochs = mne.Epochs(raw, events, tmin=-0.3, tmax=0.1, baseline=None, preload=True)
    annotated = ex.annotate(epochs, ["background_emg"], picks="FDI").metadata
    assert annotated["pulse_count"].tolist() == [1.0, 2.0]
    assert annotated["intensity"].tolist() == [60.0, 60.0]


def test_trials_of_no_condition_are_rejected_rows():
    table = pd.DataFrame({"onset": [2.0, 5.0, 8.0], "inter_stimulus_interval": [np.nan, 0.002, 0.05]})
    raw = ex.set_stimuli(recording(), table)
    trials = ex.trial_table(raw, "sici", "FDI")
    assert trials["reject"].tolist() == ["", "", "no condition of the protocol"]
    assert not trials["flag"].str.contains("trials_without_condition").any()  # a pair of another protocol is no loss
