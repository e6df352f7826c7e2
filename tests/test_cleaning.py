"""Cleaning: rules that every step obeys, found by discovery, and what each step must recover."""

import mne
import numpy as np
import pandas as pd
import pytest

import excitability as ex
from excitability import cleaning
from excitability.cleaning import apply, get_step, label_tms_components, list_steps, log_of
from excitability.cleaning.components import decompose
from excitability.protocol import load_protocol
from excitability.simulate import tep_session
from excitability.trials import cut

RATE = 1000.0
TIMES = np.arange(-500, 501) / RATE
NAMES = mne.channels.make_standard_montage("biosemi32").ch_names
FIXED = {
    "remove_pulse",
    "interpolate_pulse",
    "remove_decay",
    "remove_line_noise",
    "filter",
    "bad_channels",
    "bad_trials",
    "remove_components",
    "sound",
    "ssp_sir",
    "set_reference",
    "cut",
    "resample",
}
ARGUMENTS = {"cut": {"tmin": -0.4, "tmax": 0.4}, "resample": {"sampling_rate": 500.0}}


def background(n_trials, n_channels=32, seed=0):
    """Pink noise of 5 µV with neighbours alike, volts."""
    rng = np.random.default_rng(seed)
    spectrum = np.fft.rfft(rng.standard_normal((n_trials, n_channels, TIMES.size)))
    spectrum[..., 1:] /= np.arange(1, spectrum.shape[-1]) ** 0.5
    noise = np.fft.irfft(spectrum, TIMES.size)
    mixing = np.exp(-np.abs(np.arange(n_channels)[:, None] - np.arange(n_channels)) / 6)
    mixed = np.einsum("cd,tdx->tcx", mixing, noise)
    return 5e-6 * mixed / mixed.std() + 3e-7 * rng.standard_normal(mixed.shape)


def epochs_of(x, emg=None, **metadata):
    names, kinds = list(NAMES[: x.shape[1]]), ["eeg"] * x.shape[1]
    if emg is not None:
        x, names, kinds = np.concatenate([x, emg[:, None]], axis=1), [*names, "FDI"], [*kinds, "emg"]
    info = mne.create_info(names, RATE, kinds)
    info.set_montage("biosemi32")
    table = pd.DataFrame({"pulse_count": np.ones(len(x)), **metadata})
    return mne.EpochsArray(x, info, tmin=TIMES[0], metadata=table)


@pytest.fixture(scope="module")
def noisy():
    """Twelve trials of background with a pulse, and an EMG channel with a response."""
    x = background(12)
    x[..., 500:504] += 3e-3
    emg = 1e-5 * np.random.default_rng(1).standard_normal((12, TIMES.size))
    return epochs_of(x, emg)


# --- rules for every step -------------------------------------------------------------------------------------


def test_the_fixed_names_are_there():
    assert set(list_steps()) >= FIXED


#: Steps of trials; one that needs the whole recording has tests of its own (test_ecg.py).
OF_TRIALS = [name for name in list_steps() if "epochs" in get_step(name).on]


@pytest.mark.parametrize("name", OF_TRIALS)
def test_a_step_leaves_the_rest_alone(name, noisy):
    before = noisy.get_data().copy()
    bridged, _ = apply(noisy, [{"step": "remove_pulse"}, {"step": "interpolate_pulse"}])
    cleaned = get_step(name).function(bridged, **ARGUMENTS.get(name, {}))
    assert np.array_equal(noisy.get_data(), before)
    assert np.array_equal(cleaned.selection, noisy.selection)
    assert cleaned.metadata.equals(noisy.metadata)
    assert cleaned.ch_names == noisy.ch_names
    if name not in ("cut", "resample"):
        assert np.array_equal(cleaned.get_data("emg"), noisy.get_data("emg"))
    row = log_of(cleaned).iloc[-1]
    assert row["step"] == name
    assert row["removed"]
    assert row["n_trials"] == 12
    assert 0 < row["rank"] <= 32


@pytest.mark.parametrize("name", list_steps())
def test_a_step_names_an_unknown_parameter(name, noisy):
    with pytest.raises(ValueError, match=f"unknown parameter of the cleaning step {name} 'windo'"):
        get_step(name).function(noisy, windo=3)


@pytest.mark.parametrize("name", OF_TRIALS)
def test_a_step_needs_an_eeg_channel(name, noisy):
    if name == "cut":
        return
    with pytest.raises(ValueError, match="EEG channel"):
        get_step(name).function(noisy.copy().pick("emg"), **ARGUMENTS.get(name, {}))


def test_apply_checks_all_names_before_it_works(noisy):
    with pytest.raises(ValueError, match="did you mean 'remove_decay'"):
        apply(noisy, [{"step": "remove_pulse"}, {"step": "remove_decays"}])


def test_the_log_tells_what_was_done(noisy):
    steps = [{"step": "remove_pulse", "window": [-0.002, 0.012]}, {"step": "interpolate_pulse"}]
    cleaned, log = apply(noisy, steps)
    assert log["step"].tolist() == ["remove_pulse", "interpolate_pulse"]
    assert "0.012" in log.loc[0, "parameters"]
    assert "12 ms" in log.loc[1, "removed"], "the bridge spans what was cut"
    again, second = apply(cleaned, [{"step": "set_reference"}])
    assert len(second) == 1
    assert len(log_of(again)) == 3
    assert second.loc[0, "rank"] == 31


# --- pulses ---------------------------------------------------------------------------------------------------


def test_both_pulses_of_a_pair_are_cut():
    x = background(6)
    x[3:, :, 400:404] += 3e-3
    x[..., 500:504] += 3e-3
    epochs = epochs_of(x, inter_stimulus_interval=np.repeat([np.nan, 0.1], 3))
    cleaned, _ = apply(epochs, [{"step": "remove_pulse"}, {"step": "interpolate_pulse"}])
    assert np.abs(cleaned.get_data()).max() < 5e-5
    assert np.array_equal(cleaned.get_data()[:3, :, 390:410], x[:3, :, 390:410]), "single pulses have no first one"


def test_pulses_are_cut_from_a_raw():
    x = np.concatenate(list(background(4)), axis=1)
    pulses = 500 + TIMES.size * np.arange(4)
    for start in pulses:
        x[:, start : start + 4] += 3e-3
    raw = mne.io.RawArray(x, mne.create_info(list(NAMES), RATE, "eeg"))
    raw.set_annotations(mne.Annotations(pulses / RATE, 0, "TMS"))
    cleaned, _ = apply(raw, [{"step": "remove_pulse"}, {"step": "interpolate_pulse"}])
    assert np.abs(cleaned.get_data()).max() < 6e-5
    with pytest.raises(ValueError, match='no "TMS" annotations'):
        cleaning.remove_pulse(raw.copy().set_annotations(None))


def test_milliseconds_are_noticed(noisy):
    with pytest.raises(ValueError, match="milliseconds"):
        cleaning.remove_pulse(noisy, window=(-200, 1000))


# --- decay ----------------------------------------------------------------------------------------------------

DECAYS = {
    "exponential": lambda t: np.exp(-t / 0.015),
    "double": lambda t: 0.8 * np.exp(-t / 0.010) + 0.2 * np.exp(-t / 0.1),
    "power": lambda t: (1 + t / 0.004) ** -1.2,
    "stretched": lambda t: np.exp(-((t / 0.010) ** 0.6)),
}


def response():
    """Six waves on the channels of one side, volts."""
    waves = ((15, -4, 2.5), (30, 5, 4), (45, -6, 5), (60, 5, 7), (100, -9, 16), (180, 8, 28))
    return sum(size * 1e-6 * np.exp(-0.5 * ((1e3 * TIMES - at) / width) ** 2) for at, size, width in waves)


@pytest.mark.parametrize("kind", sorted(DECAYS))
def test_decay_is_taken_from_below_the_response(kind):
    """Of decays of up to 100 µV less than a tenth is left, or 1.5 µV; the response, around an electrode, stays."""
    after, rng = np.maximum(TIMES, 0), np.random.default_rng(0)
    x = background(60, 32, seed=3)
    noise = x.mean(axis=0)
    place = np.array([channel["loc"][:3] for channel in epochs_of(x).info["chs"]])
    field = np.exp(-np.sum((place - place[8]) ** 2, axis=1) / (2 * 0.05**2))
    field = (field - field.mean()) / np.abs(field - field.mean()).max()
    truth = np.outer(field, response())
    artefact = rng.uniform(-1e-4, 1e-4, (32, 1)) * DECAYS[kind](after) * (TIMES >= 0)
    x += truth + artefact * rng.normal(1, 0.1, (60, 1, 1))
    cleaned, _ = apply(epochs_of(x), [{"step": "remove_pulse"}, {"step": "remove_decay"}])
    seen = (TIMES >= 0.0115) & (TIMES <= 0.3)
    left = cleaned.get_data().mean(axis=0) - truth - noise
    for samples in (seen, (TIMES >= 0.0115) & (TIMES <= 0.03)):
        before = np.sqrt(np.mean(artefact[:, samples] ** 2))
        assert np.sqrt(np.mean(left[:, samples] ** 2)) < min(before / 5, max(before / 10, 1.5e-6))
    assert np.sum((truth + left)[:, seen] * truth[:, seen]) / np.sum(truth[:, seen] ** 2) > 0.98


def test_a_response_without_decay_stays():
    x = background(60, 16, seed=4)
    noise = x.mean(axis=0)
    cleaned = cleaning.remove_decay(epochs_of(x + response()))
    seen = (TIMES >= 0.011) & (TIMES <= 0.3)
    change = cleaned.get_data().mean(axis=0) - response() - noise
    assert np.sqrt(np.mean(change[:, seen] ** 2)) < 1.0e-6
    gain = np.mean((response() + change)[:, seen] @ response()[seen]) / (response()[seen] @ response()[seen])
    assert 0.95 < gain < 1.05


def test_decay_needs_a_baseline_and_time(noisy):
    with pytest.raises(ValueError, match="baseline"):
        cleaning.remove_decay(noisy.copy().crop(-0.01, 0.5))
    with pytest.raises(ValueError, match=r"0\.1 s"):
        cleaning.remove_decay(noisy.copy().crop(-0.4, 0.05))
    with pytest.raises(ValueError, match="model of remove_decay"):
        cleaning.remove_decay(noisy, model="gaussian")


# --- filters --------------------------------------------------------------------------------------------------


def test_a_filter_never_carries_anything_across_the_pulse():
    """What stands after the pulse leaves the samples before it bit for bit as they were without it."""
    quiet = background(4)
    loud = quiet.copy()
    loud[..., 511:540] += 1e-3
    steps = [{"step": "filter", "l_freq": None, "h_freq": 80.0, "gap": [-0.002, 0.010]}]
    a, b = (apply(epochs_of(x), steps)[0].get_data() for x in (quiet, loud))
    assert np.array_equal(a[..., :498], b[..., :498])
    slow = [{"step": "filter", "l_freq": 1.0, "h_freq": None}]
    a, b = (apply(epochs_of(x), slow)[0].get_data() for x in (quiet, loud))
    assert np.allclose(a[..., :498], b[..., :498], atol=1e-15), "nor does the high-pass pull the baseline"


def test_the_band_passes_and_stops():
    x = np.stack([1e-6 * np.sin(2 * np.pi * f * TIMES) for f in (0.2, 10, 30, 200)])[None]
    out = cleaning.filter(epochs_of(np.repeat(x, 2, axis=0))).get_data()[0]
    gains = out[:, 50:450].std(axis=1) / x[0][:, 50:450].std(axis=1)
    assert gains[0] < 0.1
    assert gains[1] == pytest.approx(1, abs=0.05)
    assert gains[2] == pytest.approx(1, abs=0.05)
    assert gains[3] < 0.01


def test_resample_keeps_the_pulse_and_the_response(noisy):
    slower = cleaning.resample(epochs_of(background(3) * 0 + response()), sampling_rate=500.0)
    assert slower.info["sfreq"] == 500.0
    assert np.abs(slower.times).min() == 0
    seen = (slower.times > 0.012) & (slower.times < 0.3)
    assert np.abs(slower.get_data()[0, 0, seen] - np.interp(slower.times[seen], TIMES, response())).max() < 2e-7


def test_line_noise_is_found_at_its_true_frequency():
    x = background(8)
    hum = 5e-6 * np.sin(2 * np.pi * 50.07 * TIMES + np.arange(8)[:, None, None])
    cleaned = cleaning.remove_line_noise(epochs_of(x + hum))
    assert np.sqrt(np.mean((cleaned.get_data() - x) ** 2)) < 0.5e-6
    assert "50.0" in log_of(cleaned)["removed"][0]


# --- channels and trials --------------------------------------------------------------------------------------


def test_bad_channels_are_found_and_rebuilt():
    leadfield = np.random.default_rng(0).standard_normal((32, 20))
    rng = np.random.default_rng(1)
    sources = rng.standard_normal((10, 20, TIMES.size)) * 1e-6
    truth = np.einsum("cs,tsx->tcx", leadfield - leadfield.mean(axis=0), sources)
    x = truth + 2e-7 * rng.standard_normal(truth.shape)
    x[:, 7] += 6e-5 * rng.standard_normal((10, TIMES.size))
    x[:, 20] = 0
    marked = cleaning.bad_channels(epochs_of(x))
    assert marked.info["bads"] == [NAMES[7], NAMES[20]]
    rebuilt = cleaning.sound(marked, leadfield=leadfield, lambda_=0.001)
    assert rebuilt.info["bads"] == []
    for channel in (7, 20):
        assert np.corrcoef(rebuilt.get_data()[:, channel].ravel(), truth[:, channel].ravel())[0, 1] > 0.95
    assert log_of(rebuilt).iloc[-1]["rank"] <= 31


def test_bad_trials_go_and_keep_their_numbers():
    x = background(15)
    x[6] *= 20
    epochs = epochs_of(x)
    cleaned = cleaning.bad_trials(epochs)
    assert cleaned.selection.tolist() == [k for k in range(15) if k != 6]
    assert len(cleaned.metadata) == 14
    assert cleaned.drop_log[6] == ("bad_trial",)


def test_trials_keep_their_numbers_when_only_some_pulses_were_cut():
    x = background(12)
    x[2] *= 20
    data = np.concatenate([np.zeros((x.shape[1], 1000)), *x], axis=1)
    raw = mne.io.RawArray(data, epochs_of(x).info)
    onsets = (1000 + x.shape[2] * (np.arange(12) + 0.5)) / raw.info["sfreq"]
    raw = ex.set_stimuli(raw, pd.DataFrame({"onset": onsets}))
    wanted = np.arange(12) % 2 == 0
    epochs = cut(raw, tmin=-0.2, tmax=0.2, only=wanted).epochs
    assert epochs.selection.tolist() == [0, 2, 4, 6, 8, 10]
    cleaned = cleaning.bad_trials(epochs)
    assert cleaned.selection.tolist() == [0, 4, 6, 8, 10]
    assert cleaned.drop_log[2] == ("bad_trial",)
    assert cleaned.drop_log[1] == ("IGNORED",)


def test_missing_samples_are_an_error(noisy):
    x = noisy.get_data()
    x[3, 2, 10] = np.nan
    holed = mne.EpochsArray(x, noisy.info, tmin=-0.5)
    with pytest.raises(ValueError, match="missing samples"):
        cleaning.remove_pulse(holed)


def test_sound_says_how_much_it_shrinks(noisy):
    bridged, _ = apply(noisy, [{"step": "remove_pulse"}, {"step": "interpolate_pulse"}])
    gains = [
        cleaning.sound(bridged, lambda_=value).info["temp"]["excitability"]["cleaning"][-1]["gain"]
        for value in (0.1, 0.001)
    ]
    assert gains[0] < gains[1] < 1.01


def _dipole_epochs(noise, n_trials=40, late=3e-6, seed=7):
    """Responses of two sources through a known lead field, with sensor noise of a given size, and the truth."""
    rng = np.random.default_rng(seed)
    leadfield = rng.standard_normal((32, 2)) @ rng.standard_normal((2, 60)) + 0.3 * rng.standard_normal((32, 60))
    leadfield -= leadfield.mean(axis=0)
    truth = np.outer(leadfield[:, 3] / np.abs(leadfield[:, 3]).max(), response())
    x = (
        truth
        + late * rng.standard_normal((n_trials, 1, 1)) * leadfield[:, 9:10]
        + noise * rng.standard_normal((n_trials, 32, TIMES.size))
    )
    return epochs_of(x), leadfield, truth


def test_sound_chooses_its_regularisation_by_the_noise():
    """Hardly any where the average is clean; more where sensor noise hides the response; less error than either."""
    chosen = {}
    for noise in (1e-6, 6e-5):
        epochs, leadfield, truth = _dipole_epochs(noise)
        cleaned = cleaning.sound(epochs, leadfield=leadfield, lambda_="auto")
        record = cleaned.info["temp"]["excitability"]["cleaning"][-1]
        chosen[noise] = record["lambda_"]
        assert f"lambda_ {record['lambda_']:g}" in record["removed"]
        seen = (TIMES >= 0.012) & (TIMES <= 0.3)

        def error(epochs, truth=truth, seen=seen):
            return np.sqrt(np.mean((epochs.get_data().mean(axis=0) - truth)[:, seen] ** 2))

        ends = [error(cleaning.sound(epochs, leadfield=leadfield, lambda_=value)) for value in (0.001, 0.1)]
        assert error(cleaned) <= 1.02 * min(ends)
    assert chosen[1e-6] < chosen[6e-5]
    for wrong in ("best", -1.0):
        with pytest.raises(ValueError, match="lambda_ of sound"):
            cleaning.sound(epochs, leadfield=leadfield, lambda_=wrong)
    with pytest.raises(ValueError, match="at least 4 trials"):
        cleaning.sound(epochs[:3], leadfield=leadfield, lambda_="auto")


def test_sound_tells_early_noise_from_late():
    """A channel that holds the rest of a decay is not believed while it lasts, and is believed afterwards."""
    epochs, leadfield, truth = _dipole_epochs(1e-6)
    x = epochs.get_data()
    decay = np.where(TIMES > 0, 1.5e-5 * np.exp(-TIMES / 0.02), 0)
    x[:, 5] += decay
    epochs = mne.EpochsArray(x, epochs.info, tmin=-0.5)

    def left(**given):
        cleaned = cleaning.sound(epochs, leadfield=leadfield, lambda_=0.001, **given)
        return cleaned.get_data()[:, 5].mean(axis=0) - truth[5]

    early, late = (TIMES >= 0.012) & (TIMES <= 0.08), (TIMES >= 0.15) & (TIMES <= 0.3)
    whole, parts = left(), left(early=(0.010, 0.080))
    assert np.sqrt(np.mean(parts[early] ** 2)) < 0.5 * np.sqrt(np.mean(whole[early] ** 2))
    assert np.sqrt(np.mean(parts[late] ** 2)) < 1.1 * np.sqrt(np.mean(whole[late] ** 2))
    with pytest.raises(ValueError, match="20 of each"):
        cleaning.sound(epochs, leadfield=leadfield, early=(0.010, 0.015))


def test_ssp_sir_leaves_a_recording_without_muscle_alone():
    x = background(20, seed=9)
    bridged, _ = apply(epochs_of(x + response()), [{"step": "remove_pulse"}, {"step": "interpolate_pulse"}])
    same = cleaning.ssp_sir(bridged, n_components="auto")
    assert np.array_equal(same.get_data(), bridged.get_data())
    burst = np.where(TIMES > 0.011, 1e-4 * np.sin(2 * np.pi * 150 * TIMES) * np.exp(-TIMES / 0.01), 0)
    muscle = np.array([1.0 if name in ("FC5", "T7") else 0.02 for name in NAMES])[:, None] * burst
    noisy = epochs_of(bridged.get_data() + muscle)
    cleaned = cleaning.ssp_sir(noisy, n_components="auto")
    assert "1 muscle topographies" in log_of(cleaned).iloc[-1]["removed"]
    early = (TIMES > 0.011) & (TIMES < 0.03)
    t7 = NAMES.index("T7")
    left = cleaned.get_data()[:, t7].mean(axis=0) - bridged.get_data()[:, t7].mean(axis=0)
    assert left[early].std() < 0.25 * muscle[t7, early].std()
    with pytest.raises(ValueError, match="number or 'auto'"):
        cleaning.ssp_sir(bridged, n_components="all")


def test_sound_and_ssp_sir_need_positions_or_a_lead_field(noisy):
    bare = mne.EpochsArray(background(3), mne.create_info(list(NAMES), RATE, "eeg"), tmin=-0.5)
    for name in ("sound", "ssp_sir"):
        with pytest.raises(ValueError, match="set_montage"):
            get_step(name).function(bare)
        with pytest.raises(ValueError, match="one row for each of the 32"):
            get_step(name).function(bare, leadfield=np.ones((5, 3)))


def test_average_reference_leaves_out_bad_channels(noisy):
    epochs = noisy.copy()
    epochs.info["bads"] = [NAMES[0]]
    x = cleaning.set_reference(epochs).get_data(list(NAMES))
    good = [k for k in range(32) if k != 0]
    assert np.allclose(x[:, good].mean(axis=1), 0, atol=1e-12)
    one = cleaning.set_reference(noisy, reference="Cz").get_data("eeg")
    assert np.abs(one[:, NAMES.index("Cz")]).max() == 0


# --- components -----------------------------------------------------------------------------------------------


def test_blinks_and_muscle_are_labelled_and_the_brain_is_not():
    x = background(30, seed=5) + response() * np.linspace(0.2, 1, 32)[:, None]
    lateral = np.array([1.0 if name in ("FC5", "T7") else 0.02 for name in NAMES])
    frontal = np.array([{"Fp1": 1.0, "Fp2": 1.0, "AF3": 0.6, "AF4": 0.6}.get(name, 0.05) for name in NAMES])
    rng = np.random.default_rng(6)
    for trial in range(0, 30, 2):
        at = rng.uniform(-0.4, 0.4)
        x[trial] += 1.5e-4 * frontal[:, None] * np.exp(-0.5 * ((TIMES - at) / 0.05) ** 2)
    burst = np.where(TIMES > 0, 2e-4 * np.sin(2 * np.pi * 45 * TIMES) * np.exp(-TIMES / 0.015), 0)
    x += lateral[:, None] * burst * rng.normal(1, 0.2, (30, 1, 1))
    epochs = epochs_of(x)
    labels = label_tms_components(epochs, decompose(epochs, 15, 250.0, 0))
    assert set(labels) == {"labels", "y_pred_proba"}
    assert labels["labels"].count("eye blink") == 1
    assert labels["labels"].count("tms muscle") >= 1
    cleaned = cleaning.remove_components(epochs, n_components=15)
    early = (TIMES > 0.011) & (TIMES < 0.03)
    t7 = NAMES.index("T7")
    assert np.abs(cleaned.get_data()[:, t7].mean(axis=0)[early]).max() < 2.5e-5
    assert np.abs(cleaned.get_data()[:, 0]).max() < 0.6 * np.abs(x[:, 0]).max()
    edf = epochs.copy().rename_channels({name: f"EEG {name}-REF" for name in NAMES})
    assert label_tms_components(edf, decompose(edf, 15, 250.0, 0))["labels"].count("eye blink") == 1


# --- the whole chain ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("target", "decay"), [("DLPFC", "exponential"), ("M1", "power")])
def test_the_protocols_recover_a_known_response(target, decay):
    from excitability import clean

    raw, truth = tep_session(target, n_trials=40, decay=decay, seed=11)
    epochs, log = clean(raw, f"{target.lower()}/tep")
    average = epochs.average().get_data()
    true = truth["evoked"].copy().crop(0.012, 0.3)
    found = average[:, (epochs.times >= 0.0119) & (epochs.times <= 0.3001)]
    assert np.corrcoef(found.ravel(), true.data.ravel())[0, 1] > 0.9
    assert 0.9 < np.sum(found * true.data) / np.sum(true.data**2) < 1.12
    assert log["step"].tolist() == [entry["step"] for entry in load_protocol(f"{target.lower()}/tep").cleaning]


def test_offsets_and_drifts_of_electrodes_are_nothing_to_early_noise_levels():
    epochs, leadfield, _ = _dipole_epochs(1e-6)
    rng = np.random.default_rng(1)
    n_trials, n_channels, _ = epochs.get_data().shape
    drift = rng.uniform(-2e-2, 2e-2, (n_trials, n_channels, 1)) + 1e-3 * rng.standard_normal(
        (n_trials, n_channels, 1)
    ) * (epochs.times - epochs.times[0])
    moved = mne.EpochsArray(epochs.get_data() + drift, epochs.info, tmin=epochs.tmin, verbose="error")
    still = mne.EpochsArray(epochs.get_data(), epochs.info, tmin=epochs.tmin, verbose="error")
    one, two = (cleaning.sound(each, leadfield=leadfield, lambda_=0.01, early=(0.01, 0.08)) for each in (still, moved))
    np.testing.assert_allclose(two.get_data(), one.get_data(), rtol=0, atol=1e-12)
