"""Intervals that a log or a sidecar states, and the pulse its markers are at, held against the artefacts."""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import excitability as ex
from excitability.protocol.stimulus_flags import stimulus_flags
from excitability.simulate import session
from excitability.trials.pairs import align_stated

sys.path.insert(0, str(Path(__file__).parent))
from pair_recordings import recorded, saved


def marked_first(table, onset):
    return onset - table["inter_stimulus_interval"].fillna(0.0).to_numpy()


@pytest.mark.parametrize("said", ["first", "last", None])
@pytest.mark.parametrize("marked", ["first", "last"])
@pytest.mark.parametrize(("rate", "artefact"), [(5000.0, "decay"), (5000.0, "ringing"), (2000.0, "saturation")])
def test_the_artefacts_say_which_pulse_the_markers_are_at(rate, artefact, marked, said):
    raw, table, onset = recorded(rate, artefact)
    markers = marked_first(table, onset) if marked == "first" else onset
    found, notes = align_stated(raw, table.assign(onset=markers), marked=said)
    assert np.abs(found["onset"] - onset).max() <= 1.1 / rate
    assert "measured_interval" not in found, "the intervals are as stated"
    assert bool(notes) == ((said or "last") != marked)
    assert all(f"markers at the {marked} pulse" in note for note in notes)


def test_what_was_said_holds_where_artefacts_cannot_tell():
    raw, table, onset = recorded(artefact="none")
    found, notes = align_stated(raw, table.assign(onset=marked_first(table, onset)), marked="first")
    np.testing.assert_allclose(found["onset"], onset, atol=1e-9)
    kept, _ = align_stated(raw, table.assign(onset=onset))
    np.testing.assert_allclose(kept["onset"], onset, atol=1e-9)
    assert notes == []


def test_align_trigger_leaves_pulses_where_they_were_said_to_be():
    raw, table, onset = recorded()
    markers = marked_first(table, onset)
    found, notes = align_stated(raw, table.assign(onset=markers), "trigger")
    np.testing.assert_array_equal(found["onset"], markers)
    assert "markers at the first pulse" in notes[0]


def test_delay_and_first_pulse_are_corrected_together():
    raw, table, onset = recorded(n=8)
    found, notes = align_stated(raw, table.assign(onset=marked_first(table, onset) - 0.0016))
    assert np.abs(found["onset"] - onset).max() <= 0.00025
    assert any("1.60 ms after the marker" in note for note in notes)


@pytest.mark.parametrize("marked", ["first", "last"])
@pytest.mark.parametrize("artefact", ["decay", "ringing"])
def test_a_stated_interval_that_the_artefacts_do_not_show_is_told_and_flagged(artefact, marked):
    raw, table, onset = recorded(artefact=artefact)
    markers = marked_first(table, onset) if marked == "first" else onset
    true = table["inter_stimulus_interval"]
    wrong = table.assign(inter_stimulus_interval=true.replace({0.002: 0.003, 0.003: 0.002, 0.1: 0.15}), onset=markers)
    found, notes = align_stated(raw, wrong)
    assert np.abs(found["onset"] - onset).max() <= 0.00025
    np.testing.assert_allclose(found["measured_interval"].fillna(0.0), true.fillna(0.0), atol=0.00025)
    assert any("150 ms is stated, but the artefacts lie 100 ms (6) apart" in note for note in notes)
    flags = stimulus_flags(ex.load_protocol("sici"), found)
    expected = (true != wrong["inter_stimulus_interval"]) & true.notna()
    assert ((flags == "interval_not_as_stated") == expected).all()


def test_one_wrong_row_of_a_log_is_found_in_each_of_its_trials():
    """A log that is shifted by one row gives many trials the interval of another."""
    raw, table, onset = recorded()
    shifted = table.shift(1, fill_value=np.nan).assign(onset=onset)
    found, _ = align_stated(raw, shifted)
    true, told = table["inter_stimulus_interval"].fillna(0.0), shifted["inter_stimulus_interval"].fillna(0.0)
    flagged = stimulus_flags(ex.load_protocol("sici"), found) == "interval_not_as_stated"
    assert not flagged[true == told].any()
    assert flagged[(true != told) & (true > 0)].mean() > 0.9


@pytest.mark.parametrize("form", ["fif", "vhdr", "edf"])
@pytest.mark.parametrize("source", ["codes", "log"])
def test_markers_at_the_first_pulse_give_the_simulated_answer_in_every_file(tmp_path, form, source):
    raw, table, onset = recorded(intervals=(0.003, 0.1), n=8)
    codes = table["inter_stimulus_interval"].map({0.003: "S  2", 0.1: "S  3"}).fillna("S  1")
    names = codes if source == "codes" else ["S  1"] * len(codes)
    path = saved(tmp_path, raw, marked_first(table, onset), [f"Stimulus/{name}" for name in names], form)
    if source == "codes":
        given = {
            "codes": [
                {"code": "S  1", "pulse_count": 1, "intensity": 60},
                {"code": "S  2", "pulse_count": 2, "inter_stimulus_interval": 0.003, "intensity": 60},
                {"code": "S  3", "pulse_count": 2, "inter_stimulus_interval": 0.1, "intensity": 60},
            ]
        }
    else:
        given = {"stimuli": table}
    for extra in ({}, {"pulse": "first"}, {"pulse": "first", "align": "trigger"}):
        stimuli = ex.stimuli(ex.read(path, **given, **extra))
        assert np.abs(stimuli["onset"] - onset).max() < 0.00025, extra
    left = ex.stimuli(ex.read(path, **given, align="trigger"))
    assert np.abs(left["onset"] - marked_first(table, onset)).max() < 0.00025


def test_the_first_pulse_without_intervals_is_an_error(tmp_path):
    raw, table, onset = recorded(artefact="none", intervals=(0.003,), n=3)
    path = saved(tmp_path, raw, marked_first(table, onset), ["S  1"] * len(onset), "fif")
    with pytest.raises(ValueError, match="needs the inter_stimulus_interval"):
        ex.read(path, pulse="first")


def phases(interval, rate, n=4000, seed=0):
    """Measured intervals of pairs whose first pulse falls anywhere between two samples."""
    first = np.random.default_rng(seed).uniform(0.0, 1.0 / rate, n)
    return (np.ceil((first + interval) * rate - 1e-9) - np.ceil(first * rate - 1e-9)) / rate


@pytest.mark.parametrize(
    ("rate", "interval"),
    [(5000.0, 0.0025), (5000.0, 0.0015), (5000.0, 0.0021), (2000.0, 0.0023), (2048.0, 0.003), (4000.0, 0.0019)],
)
def test_an_interval_between_samples_is_one_and_the_same_in_every_session(rate, interval):
    """Its pairs are seen as two numbers of samples, in shares that say where between them it lies."""
    from excitability.trials.alignment import grouped_intervals

    labels = [np.unique(grouped_intervals(phases(interval, rate, 24, seed), 1 / rate)) for seed in range(30)]
    assert all(label.size == 1 for label in labels)
    found = np.concatenate(labels)
    assert np.abs(found - interval).max() <= 0.5 / rate  # no session is wrong by more than half a sample
    assert abs(np.median(found) - interval) < 0.00011
    if rate == 5000.0 and round(interval * 1e4) % 5 == 0:  # what laboratories set
        assert (np.abs(found - interval) < 1e-6).mean() >= 0.9


def test_two_intervals_farther_apart_than_a_sample_stay_two():
    from excitability.trials.alignment import grouped_intervals

    measured = np.concatenate([phases(0.002, 2000.0, 12), phases(0.003, 2000.0, 12)])
    assert np.unique(grouped_intervals(measured, 1 / 2000)).tolist() == [0.002, 0.003]


def test_rough_sampling_of_measured_intervals_is_told():
    from excitability.trials.alignment import align

    for rate, told in ((2000.0, True), (5000.0, False)):
        raw, _, onset = recorded(rate=rate, intervals=(0.010,), n=8)
        _, notes = align(raw, pd.DataFrame({"onset": onset}))
        assert any("2000 Hz measured intervals are rough" in note for note in notes) == told


def test_pairs_lost_by_a_wrongly_stated_interval_are_told_on_the_rows_and_below_the_table(tmp_path, capsys):
    """Stated as 9.9 ms, pairs of 2 ms are no longer those of SICI: nothing else would say that they are gone."""
    from excitability.cli._tables import show_results
    from excitability.inspection import recording_notes
    from excitability.protocol import run_all

    raw, table, onset = recorded(intervals=(0.002, 0.003), n=8)
    said = table["inter_stimulus_interval"].replace(0.002, 0.0099)
    log = tmp_path / "log.csv"
    table.assign(inter_stimulus_interval=said, onset=onset).to_csv(log, index=False)
    path = saved(tmp_path, raw, onset, ["S  1"] * len(onset), "fif")
    read = ex.read(path, stimuli=log, muscles={"RFDI": "FDI", "LES": "LES"})
    done = run_all(read, "sici", ["RFDI"])
    assert "isi_0.003" in set(done.results["condition"])
    assert "isi_0.002" not in set(done.results["condition"])
    assert done.results["flag"].str.contains("trials_lost_by_stated_interval").all()
    notes = recording_notes(read)
    show_results(done, notes)
    shown = " ".join(capsys.readouterr().out.split())
    assert "an interval of 9.9 ms is stated, but the artefacts lie 2 ms (8) apart" in shown
    right = ex.run(ex.read(path, stimuli=table.assign(onset=onset)), "sici", ["RFDI"], muscles={"RFDI": "FDI"})
    assert not right["flag"].str.contains("stated_interval").any()


def test_pulses_without_a_marker_are_told():
    from excitability.inspection import recording_notes

    raw, table, onset = recorded(intervals=(0.002,), n=12)
    kept = np.arange(len(onset)) % 3 > 0
    raw = ex.set_stimuli(raw, table[kept].assign(onset=onset[kept]))
    assert "8 of 24 pulse artefacts have no marker" in " ".join(recording_notes(raw))


def test_a_curve_in_steps_of_a_sample_is_not_one_interval():
    """At 5 kHz intervals of 1.0, 1.2, … ms are neighbours, and must not be taken for the jitter of one of them."""
    from excitability.trials.alignment import align

    intervals = [round(0.001 + 0.0002 * step, 4) for step in range(8)]
    raw, table, onset = recorded(intervals=intervals, n=4)
    found, _ = align(raw, pd.DataFrame({"onset": onset}))
    true = table["inter_stimulus_interval"]
    assert (found["inter_stimulus_interval"].fillna(0.0) - true.fillna(0.0)).abs().max() <= 0.0002 + 1e-9
    assert found["inter_stimulus_interval"].nunique() >= 7


def pair(intensity, conditioning, **more):
    return pd.DataFrame([{"pulse_count": 2, "intensity": intensity, "conditioning_intensity": conditioning, **more}])


@pytest.mark.parametrize(
    ("protocol", "stimuli", "flag"),
    [
        ("sici", pair(42, 55), "conditioning_above_test"),
        ("icf", pair(42, 55), "conditioning_above_test"),
        ("sici", pair(55, 42), ""),
        ("sici", pair(50, 50), ""),
        (
            "sici",
            pair(55, 42, active_motor_threshold=50, resting_motor_threshold=46),
            "active_threshold_not_below_resting",
        ),
        ("sici", pair(55, 42, active_motor_threshold=38, resting_motor_threshold=46), ""),
        ("sicf", pair(42, 55), ""),
        ("sicf", pair(55, 42), "conditioning_below_test"),
        ("sicf_curve", pair(55, 42), "conditioning_below_test"),
        ("ihi", pair(42, 55), ""),
        ("lici", pair(50, 55), ""),
        ("threshold_tracking_sai", pair(42, 55), ""),
        ("sici", pair(42, 55, conditioning_type="nerve"), ""),
        ("sici", pair(np.nan, np.nan, intensity_rmt=90, conditioning_intensity_rmt=120), "conditioning_above_test"),
    ],
)
def test_pairs_in_the_wrong_order_for_the_protocol_are_flagged(protocol, stimuli, flag):
    assert stimulus_flags(ex.load_protocol(protocol), stimuli).tolist() == [flag]


def test_results_of_a_condition_carry_the_flags_of_its_stimuli():
    """Few trials of one condition are no reason to keep still about it, nor to flag the others."""
    raw, _ = session("sici", n_trials=6, seed=3)
    table = ex.stimuli(raw)
    wrong = (table["inter_stimulus_interval"] == 0.003).to_numpy()
    table.loc[wrong, "conditioning_intensity"] = table.loc[wrong, "intensity"] + 5
    table["measured_interval"] = table["inter_stimulus_interval"].where(~wrong, 0.002)
    results = ex.run(ex.set_stimuli(raw, table), "sici", picks="FDI")
    told = results[results["measure"] == "conditioned_ratio"].set_index("condition")["flag"]
    for word in ("conditioning_above_test", "interval_not_as_stated"):
        assert word in told["isi_0.003"].split(";")
        assert word not in told["isi_0.002"]


def test_the_order_of_pulses_is_a_word_of_the_protocol():
    sici = ex.load_protocol("sici")
    assert sici.conditioning == "below_test"
    assert sici.replace(conditioning="").sha256 != sici.sha256
    with pytest.raises(ValueError, match="conditioning"):
        sici.replace(conditioning="under")
