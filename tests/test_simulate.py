"""The truth that the simulators tell is the truth of what they make."""

import filecmp
import json

import numpy as np
import pandas as pd
import pytest

from excitability import simulate
from excitability.resources import sample_data_path
from excitability.schema import COVARIATES, isi_label
from excitability.simulate.artefacts import ARTEFACTS, pulse_artefact
from excitability.simulate.physiology import physiology
from excitability.simulate.responses import GENERATORS, ONSET_FRACTION
from excitability.simulate.stimuli import protocol_stimuli


def clean(**options):
    return simulate.mep_trials(
        100, noise_rms=0.0, artefact="none", no_response=0.0, sampling_rate=10_000.0, seed=3, **options
    )


@pytest.mark.parametrize("generator", GENERATORS)
def test_amplitude_and_onset_are_those_of_the_noise_free_response(generator):
    x, times, truth = clean(generator=generator)
    size = np.ptp(x, axis=1)
    np.testing.assert_allclose(size, truth["amplitude"], rtol=0.005)
    above = np.abs(x) > ONSET_FRACTION * truth["amplitude"].to_numpy()[:, None]
    first = times[above.argmax(axis=1)]
    assert (first - truth["onset"]).between(-5e-6, 1.05e-4).all()  # within the one sample after the onset
    last = times[len(times) - 1 - above[:, ::-1].argmax(axis=1)]
    assert (truth["end"] - last).between(-5e-6, 1.05e-4).all()
    np.testing.assert_allclose(np.trapezoid(np.abs(x), times), truth["area"], rtol=0.01)


@pytest.mark.parametrize("muscle", ["FDI", "TA", "ES"])
@pytest.mark.parametrize("generator", GENERATORS)
def test_extrema_lie_in_the_window_of_the_muscle(generator, muscle):
    from excitability.resources import muscle_window

    x, times, truth = clean(generator=generator, muscle=muscle)
    start, stop = muscle_window(muscle)
    inside = (times >= start) & (times <= stop)
    agree = np.isclose(np.ptp(x[:, inside], axis=1), truth["amplitude"], rtol=0.01)
    assert agree.mean() >= 0.97


def test_sizes_and_onsets_follow_their_distributions():
    _, _, truth = simulate.mep_trials(4000, tmin=-0.01, tmax=0.02, no_response=0.2, seed=1)
    assert truth["present"].mean() == pytest.approx(0.8, abs=0.02)
    assert truth.loc[~truth["present"], "amplitude"].eq(0).all()
    assert truth.loc[~truth["present"], ["onset", "end"]].isna().all(axis=None)
    there = truth[truth["present"]]
    assert there["amplitude"].median() == pytest.approx(0.6e-3, rel=0.06)
    assert np.log(there["amplitude"]).std() == pytest.approx(0.9, rel=0.05)
    assert there["onset"].mean() == pytest.approx(0.021, abs=1e-4)
    assert there["onset"].std() == pytest.approx(0.0012, rel=0.05)


@pytest.mark.parametrize("background", ["rest", "active"])
@pytest.mark.parametrize("sampling_rate", [2000.0, 5000.0])
def test_background_has_the_stated_rms(background, sampling_rate):
    x, _, _ = simulate.mep_trials(
        300, sampling_rate=sampling_rate, noise_rms=50e-6, background=background, no_response=1.0,
        artefact="none", seed=2,
    )  # fmt: skip
    assert np.sqrt(np.mean(x**2)) == pytest.approx(50e-6, rel=0.03)


def test_active_muscle_is_silent_after_a_response():
    x, times, truth = simulate.mep_trials(
        60, background="active", noise_rms=100e-6, artefact="none", no_response=0.0, seed=4
    )
    for trial, row in enumerate(truth.itertuples()):
        silent = (times > row.end + 1e-3) & (times < row.silence_end)
        assert x[trial, silent].std() < 10e-6 < 40e-6 < x[trial, times < 0].std()


@pytest.mark.parametrize("kind", ARTEFACTS)
def test_artefacts_begin_at_the_pulse_and_are_over_after_fifteen_milliseconds(kind):
    times = np.arange(-100, 300) / 5000
    for seed in range(10):
        artefact = pulse_artefact(times, 20, kind, np.random.default_rng(seed))
        assert not artefact[:, times < -1e-9].any()
        assert np.abs(artefact[:, times > 0.015]).max(initial=0) < 40e-6
        if kind != "none":
            assert np.abs(artefact).max() > 0.3e-3


def test_same_seed_same_trials():
    for make in (simulate.mep_trials, simulate.silent_period_trials):
        x, _, truth = make(12, seed=5)
        again, _, same = make(12, seed=5)
        other, _, _ = make(12, seed=6)
        np.testing.assert_array_equal(x, again)
        pd.testing.assert_frame_equal(truth, same)
        assert not np.array_equal(x, other)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"generator": "motor_unit"}, "did you mean 'motor_units'"),
        ({"artefact": "decai"}, "did you mean 'decay'"),
        ({"background": "activ"}, "did you mean 'active'"),
        ({"muscle": "FDII"}, "FDI"),
        ({"tmin": 0.2, "tmax": 0.1}, "tmin < tmax"),
    ],
)
def test_unknown_words_name_the_nearest(wrong, message):
    with pytest.raises(ValueError, match=message):
        simulate.mep_trials(5, seed=1, **wrong)


def test_silence_lasts_from_the_response_to_where_the_emg_returns():
    x, times, truth = simulate.silent_period_trials(
        150, no_silence=0.1, no_return=0.15, late_burst=0.3, artefact="none", seed=1
    )
    assert truth.loc[~truth["silent"] | truth["censored"], "silent_period"].isna().all()
    assert truth["silent"].mean() == pytest.approx(0.9, abs=0.07)
    stop = truth["silent_period"].where(truth["silent"], np.nan).fillna(times[-1])
    for trial in np.flatnonzero(truth["silent"]):
        row = truth.iloc[trial]
        burst = (times >= row["burst_start"]) & (times <= row["burst_stop"])
        quiet = (times > row["silence_start"] + 1e-3) & (times < stop[trial]) & ~burst
        assert x[trial, quiet].std() < 9e-6
        if not row["censored"]:
            back = (times > row["silent_period"] + 0.008) & (times < row["silent_period"] + 0.1)
            assert x[trial, back].std() > 0.4 * row["background_rms"]
    assert truth["burst_start"].notna().sum() > 20


def test_half_of_the_responses_reach_the_criterion_at_the_threshold():
    stimuli = pd.DataFrame(
        {
            "protocol": "m1/resting_motor_threshold",
            "pulse_count": 1,
            "inter_stimulus_interval": np.nan,
            "intensity": 50.0,
            "conditioning_intensity": np.nan,
        },
        index=range(1000),
    )
    channels = {"RFDI": {"motor_threshold": 50.0}}
    _, truth = simulate.session(stimuli, channels=channels, sampling_rate=1000.0, seed=1)
    assert (truth["trials"]["amplitude"] >= 50e-6).mean() == pytest.approx(0.5, abs=0.05)


def test_curve_is_half_way_at_s50():
    fdi = physiology("RFDI")
    assert fdi.mean_amplitude(fdi.s50) == pytest.approx(fdi.mep_max / 2)


def test_ratios_of_many_trials_are_the_true_ones():
    raw, truth = simulate.session(
        ("sici", "icf", "sicf", "lici"),
        n_trials=300,
        sampling_rate=1000.0,
        artefact="none",
        generator="template",
        seed=2,
    )
    stimuli = pd.DataFrame(list(raw.annotations.extras))
    for channel in ("RFDI", "LES"):
        trials = truth["trials"][truth["trials"]["channel"] == channel].reset_index(drop=True)
        size = trials[["amplitude", "first_amplitude"]].to_numpy()
        driven = np.where(stimuli["protocol"] == "m1/sicf", size.max(axis=1), size[:, 0])
        measures = truth["measures"]
        measures = measures[(measures["channel"] == channel) & (measures["measure"] == "conditioned_ratio")]
        for row in measures.itertuples():
            here = stimuli["protocol"] == row.protocol
            conditioned = stimuli["inter_stimulus_interval"].map(isi_label, na_action="ignore") == row.condition
            alone = stimuli["pulse_count"] == 1
            ratio = driven[here & conditioned].mean() / driven[here & alone].mean()
            assert ratio == pytest.approx(row.value, rel=0.1)


def test_session_marks_the_last_pulse_and_says_what_was_given():
    raw, truth = simulate.session(("lici", "sicf"), channels={"RFDI": {}}, n_trials=5, artefact="none", seed=3)
    assert raw.get_channel_types() == ["emg"]
    assert set(raw.annotations.description) == {"TMS"}
    x, times = raw.get_data()[0], raw.times
    trials = truth["trials"]
    for extras, onset, row in zip(raw.annotations.extras, raw.annotations.onset, trials.itertuples(), strict=True):

        def largest(pulse, x=x):
            inside = (times > pulse + 0.018) & (times < pulse + 0.05)
            return np.ptp(x[inside])

        if extras["pulse_count"] == 1:
            assert "conditioning_intensity" not in extras
            assert largest(onset) == pytest.approx(row.amplitude, abs=40e-6)
        elif extras["protocol"] == "m1/lici":
            assert largest(onset - 0.1) == pytest.approx(row.first_amplitude, abs=40e-6)
            assert largest(onset) == pytest.approx(row.amplitude, abs=40e-6)
        else:
            assert row.amplitude == 0
            assert largest(onset - extras["inter_stimulus_interval"]) == pytest.approx(row.first_amplitude, abs=40e-6)


def test_session_says_what_it_does_not_know():
    with pytest.raises(ValueError, match="did you mean 'm1/sici'"):
        simulate.session("m1/sicii", seed=1)
    with pytest.raises(ValueError, match="names no single muscle"):
        simulate.session("sici", channels={"EMG1": {}}, seed=1)
    with pytest.raises(ValueError, match="did you mean 'mep_max'"):
        simulate.session("sici", channels={"RFDI": {"mepmax": 1e-3}}, seed=1)
    table = protocol_stimuli("sici", 50, n_trials=2, rng=np.random.default_rng(1))
    with pytest.raises(ValueError, match="no sici ratio"):
        simulate.session(table.replace(0.003, 0.005), seed=1)


@pytest.mark.parametrize("target", ["DLPFC", "M1"])
def test_average_of_many_trials_is_the_true_evoked_potential(target):
    import mne

    raw, truth = simulate.tep_session(
        target, n_trials=150, decay="none", blink_amplitude=0.0, background_rms=1e-6, sampling_rate=500.0, seed=1
    )
    events, _ = mne.events_from_annotations(raw, verbose="error")
    epochs = mne.Epochs(raw, events, tmin=-0.2, tmax=0.4, baseline=None, preload=True, verbose="error")
    average = epochs.average().crop(0.012, 0.3)
    true = truth["evoked"].copy().crop(0.012, 0.3)
    assert np.corrcoef(average.data.ravel(), true.data.ravel())[0, 1] > 0.98
    peak = truth["measures"].set_index("measure")["value"]
    assert peak["n100_amplitude"] < -1e-6
    assert 0.09 < peak["n100_latency"] < 0.14


def test_response_to_the_last_pulse_of_a_pair_is_reduced():
    raw, truth = simulate.paired_tep_session("DLPFC", "lici", n_trials=8, ratio=0.6, seed=1)
    np.testing.assert_allclose(truth["conditioned"].data, 0.6 * truth["evoked"].data)
    counts = [extras["pulse_count"] for extras in raw.annotations.extras]
    assert sorted(counts) == [1] * 8 + [2] * 8
    measures = truth["measures"].set_index(["condition", "measure"])["value"]
    assert measures["isi_0.1", "lici_tep"] == pytest.approx(0.6)


@pytest.mark.parametrize("exponent", [0.8, 1.6])
def test_spectrum_falls_with_the_stated_exponent(exponent):
    from scipy import signal

    raw, _ = simulate.resting_eeg(aperiodic_exponent=exponent, alpha_rms=0.0, beta_rms=0.0, seed=1)
    frequencies, power = signal.welch(raw.get_data(), raw.info["sfreq"], nperseg=2000)
    band = (frequencies >= 2) & (frequencies <= 40)
    slope = np.polyfit(np.log(frequencies[band]), np.log(power.mean(axis=0)[band]), 1)[0]
    assert -slope == pytest.approx(exponent, abs=0.05)


def test_alpha_peaks_at_its_frequency():
    from scipy import signal

    raw, _ = simulate.resting_eeg(alpha_frequency=9.0, seed=1)
    frequencies, power = signal.welch(raw.get_data(picks=["O1", "O2"]), raw.info["sfreq"], nperseg=2000)
    band = (frequencies >= 7) & (frequencies <= 13)
    assert frequencies[band][power.mean(axis=0)[band].argmax()] == pytest.approx(9.0, abs=0.5)


@pytest.fixture(scope="module")
def small_study(tmp_path_factory):
    root = tmp_path_factory.mktemp("bids") / "study"
    options = {
        "n_patients": 1, "n_controls": 1, "timepoints": ("pre", "post0"), "protocols": ["sici"],
        "eeg": ["pre"], "n_trials": 4, "eeg_trials": 3, "rest_duration": 4.0, "seed": 7,
    }  # fmt: skip
    return root, simulate.study(root, **options), options


def test_study_opens_in_mne_bids(small_study):
    import mne_bids

    root, _, _ = small_study
    path = mne_bids.BIDSPath(root=root, subject="01", session="pre", task="sici", datatype="emg")
    raw = mne_bids.read_raw_bids(path, verbose="error")
    assert raw.get_channel_types() == ["emg", "emg"]
    assert len(raw.annotations) == 12
    assert set(raw.annotations.description) == {"TMS"}
    pairs = [extras for extras in raw.annotations.extras if extras["pulse_count"] == 2]
    assert sorted({float(extras["inter_stimulus_interval"]) for extras in pairs}) == [0.002, 0.003]
    assert np.abs(raw.get_data()).max() < 0.02
    assert mne_bids.get_entity_vals(root, "task") == ["licitep", "restingeeg", "sici", "tep"]
    eeg = mne_bids.read_raw_bids(path.copy().update(task="tep", datatype="eeg"), verbose="error")
    assert set(eeg.get_channel_types()) == {"eeg"}
    assert eeg.get_montage() is not None
    assert len(eeg.annotations) == 3


def test_study_writes_what_was_simulated(small_study):
    import mne_bids

    root, _, _ = small_study
    raw = mne_bids.read_raw_bids(
        mne_bids.BIDSPath(root=root, subject="01", session="pre", task="sici", datatype="emg"), verbose="error"
    )
    assert raw.info["sfreq"] == 2000.0
    samples = raw.annotations.onset * raw.info["sfreq"]
    np.testing.assert_allclose(samples, np.round(samples), atol=1e-6)
    signals = raw.get_data()
    pulse = np.round(samples).astype(int)
    before = np.array([np.abs(signals[0, at - 40 : at - 20]).max() for at in pulse])
    after = np.array([np.abs(signals[0, at : at + 3]).max() for at in pulse])
    assert (after > 3 * before).all()  # the artefact begins at the mark
    steps = np.diff(np.unique(signals[0]))
    assert steps.min() < 1e-8  # V, resolution of the file


def test_truth_of_a_study_speaks_of_sessions_and_groups(small_study):
    root, truth, _ = small_study
    written = pd.read_csv(root / "sourcedata" / "truth.tsv", sep="\t", dtype={"participant": str})
    np.testing.assert_allclose(written["value"], truth["measures"]["value"])
    ratio = truth["measures"].query("measure == 'conditioned_ratio' and channel == 'RFDI' and condition == 'isi_0.002'")
    ratio = ratio.set_index(["group", "session"])["value"]
    changes = truth["changes"].query(
        "measure == 'conditioned_ratio' and channel == 'RFDI' and condition == 'isi_0.002'"
    )
    changes = changes.set_index("group")
    for group in ("patient", "control"):
        change = np.log(ratio[group, "post0"] / ratio[group, "pre"])
        assert changes.loc[group, "estimate"] == pytest.approx(change)
    assert changes.loc["patient", "population"] == 0.4
    assert changes.loc["patient - control", "population"] == pytest.approx(0.2)
    assert (changes["form"] == "log_ratio").all()


def test_tables_of_a_study_hold_groups_time_points_and_covariates(small_study):
    root, _, _ = small_study
    people = pd.read_csv(root / "participants.tsv", sep="\t")
    assert sorted(people["group"]) == ["control", "patient"]
    assert set(people) - {"participant_id", "group"} <= set(COVARIATES)
    sessions = pd.read_csv(root / "sub-01" / "sub-01_sessions.tsv", sep="\t")
    assert sessions["timepoint"].tolist() == ["pre", "post0"]
    assert set(sessions) == {"session_id", "timepoint", "bdnf", "lactate"}
    channels = pd.read_csv(root / "sub-01/ses-pre/emg/sub-01_ses-pre_task-sici_channels.tsv", sep="\t")
    assert channels["target_muscle"].tolist() == ["FDI", "ES"]
    sidecar = json.loads((root / "sub-01/ses-pre/emg/sub-01_ses-pre_task-sici_emg.json").read_text())
    for required in ("TaskName", "SamplingFrequency", "PowerLineFrequency", "SoftwareFilters",
                     "EMGReference", "EMGPlacementScheme", "RecordingType"):  # fmt: skip
        assert required in sidecar


def test_same_seed_same_study(small_study, tmp_path):
    root, _, options = small_study
    done = []
    simulate.study(tmp_path / "again", **options, progress=lambda *count: done.append(count))
    assert done == [(1, 4), (2, 4), (3, 4), (4, 4)]
    files = [path.relative_to(root) for path in root.rglob("*") if path.is_file()]
    same, different, errors = filecmp.cmpfiles(root, tmp_path / "again", files, shallow=False)
    assert (len(same), different, errors) == (len(files), [], [])


def test_study_does_not_write_over_another(small_study):
    root, _, options = small_study
    with pytest.raises(ValueError, match="not empty"):
        simulate.study(root, **options)
    with pytest.raises(ValueError, match="such as 'post30'"):
        simulate.study(root.parent / "other", timepoints=("pre", "later"), seed=1)
    assert not (root.parent / "other").exists()


#: How ``sample_data/study`` was made.
SAMPLE = {
    "n_patients": 2, "n_controls": 2, "timepoints": ("pre", "post0"),
    "protocols": ["sici", "cortical_silent_period"], "eeg": False,
    "n_trials": {"sici": 4, "cortical_silent_period": 3}, "sampling_rate": 1500.0, "seed": 20,
}  # fmt: skip


def test_sample_study_is_small_and_made_by_this_simulator(tmp_path):
    root = sample_data_path() / "study"
    files = [path.relative_to(root) for path in root.rglob("*") if path.is_file()]
    assert sum((root / path).stat().st_size for path in files) <= 1.5e6
    truth = simulate.study(tmp_path / "study", **SAMPLE)
    assert all((tmp_path / "study" / path).is_file() for path in files)
    written = pd.read_csv(root / "sourcedata" / "truth.tsv", sep="\t")
    np.testing.assert_allclose(written["value"], truth["measures"]["value"])
