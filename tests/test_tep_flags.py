"""Input that makes TMS-EEG numbers wrong without an error: each kind is told by a flag, a NaN or an error."""

import mne
import numpy as np
import pandas as pd
import pytest

import excitability as ex
from excitability.cleaning._leadfield import leadfield_of
from excitability.measures import get_measure
from excitability.measures._chance import told_of_chance
from excitability.protocol.running import run_all
from excitability.schema import Estimate
from excitability.simulate import paired_tep_session, resting_eeg, tep_session
from excitability.simulate.evoked_responses import COMPONENTS
from excitability.simulate.fields import CHANNELS
from excitability.trials import cut

BRIDGED = [{"step": "remove_pulse"}, {"step": "interpolate_pulse"}]
N100 = {"measure": "tep_peak", "roi": "DLPFC_left", "component": "DLPFC N100"}


def quick(name, **sections):
    """A protocol with no more cleaning than it takes to cut the pulse out."""
    return ex.load_protocol(name).replace(cleaning=BRIDGED, **sections)


@pytest.mark.parametrize("name", ["m1/tep", "dlpfc/tep"])
@pytest.mark.parametrize("column", ["block", "stimulus_type"])
def test_sham_trials_are_a_condition_of_their_own(name, column):
    raw, _ = tep_session(name.split("/")[0].upper(), n_trials=8, sham_trials=6, peripheral=1.0, seed=1)
    if column == "stimulus_type":
        table = ex.stimuli(raw)
        sham = table["block"] == "sham"
        raw = ex.set_stimuli(raw, table.drop(columns="block").assign(stimulus_type=np.where(sham, "sham", "tms")))
    rows = ex.run(raw, quick(name, epochs={}, average={"n100": N100}))
    counts = rows[rows["measure"] == "n100_amplitude"].set_index("condition")["n_trials"]
    assert counts.to_dict() == {"all": 8, "sham": 6}
    assert "quality_similarity_to_sham_late" in set(rows["measure"])


def test_pairs_are_left_out_of_a_response_to_single_pulses_and_told():
    raw, _ = paired_tep_session("DLPFC", "sici", n_trials=6, seed=1)
    table = ex.stimuli(raw)
    session = run_all(raw, quick("dlpfc/tep", epochs={}, average={"n100": N100}))
    measured = session.results[~session.results["measure"].str.startswith("quality_")]
    assert (measured["n_trials"] == 6).all()  # neither pairs nor conditioning pulses alone
    assert measured["flag"].str.contains("pairs_left_out").all()
    assert (session.trials["reject"] == "no condition of the protocol").sum() == 12
    pairs = ex.set_stimuli(raw, table[table["pulse_count"] == 2])
    with pytest.raises(ValueError, match=r"dlpfc/sici_tep"):
        ex.run(pairs, "dlpfc/tep")


TIMES = np.arange(-500, 500) / 1000.0


def noise(n_trials, n_channels, seed, low=1.0):
    """Trials of coloured noise of 10 µV (1/f), each with its own course."""
    rng = np.random.default_rng(seed)
    frequencies = np.fft.rfftfreq(TIMES.size, 0.001)
    shape = np.where(frequencies > 80, 0.0, 1 / np.maximum(frequencies, low) ** 0.5)
    values = rng.standard_normal((n_trials, n_channels, frequencies.size, 2)) @ [1, 1j]
    x = np.fft.irfft(values * shape, TIMES.size, axis=-1)
    return 10e-6 * x / x.std()


def wave(latency=0.1, size=5e-6):
    return size * np.exp(-0.5 * ((TIMES - latency) / (0.15 * latency)) ** 2)


def flagged(name, x, **arguments):
    """Whether the row of a measure would say that its value is no more than chance."""
    measure = get_measure(name)
    value = told_of_chance(measure, Estimate(20.0, 10.0, 30.0), x, TIMES, arguments)
    return "not_above_chance" in value.flag


@pytest.mark.parametrize("name", ["gmfa_area", "lmfa_area", "cortical_evoked_activity"])
def test_areas_of_noise_are_flagged_and_those_of_a_response_are_not(name):
    window = (0.08, 0.15)
    empty = np.mean([flagged(name, noise(20, 5, seed), window=window) for seed in range(24)])
    assert empty >= 0.8  # 0.95 in the long run
    field = np.array([-0.5, 0.0, 0.5, 1.0, 1.5])[:, None]
    real = [flagged(name, noise(20, 5, seed) + field * wave(size=15e-6), window=window) for seed in range(12)]
    assert np.mean(real) <= 0.05


def test_a_natural_frequency_of_noise_is_flagged_and_that_of_a_ringing_is_not():
    empty = [flagged("natural_frequency", noise(20, 2, seed)) for seed in range(24)]
    assert np.mean(empty) >= 0.8
    ring = np.where(TIMES > 0, np.sin(2 * np.pi * 20 * TIMES) * np.exp(-TIMES / 0.1), 0.0)
    assert not any(flagged("natural_frequency", noise(20, 2, seed) + 15e-6 * ring) for seed in range(10))


def test_a_natural_frequency_whose_interval_leaves_the_frequencies_is_unstable():
    measure = get_measure("natural_frequency")
    x = noise(20, 1, 0)
    assert "unstable" in told_of_chance(measure, Estimate(16.0, -5.5, 37.7), x, TIMES, {}).flag
    assert "unstable" not in told_of_chance(measure, Estimate(16.0, 14.0, 18.0), x, TIMES, {}).flag


@pytest.mark.parametrize("name", ["alpha_wpli", "alpha_imaginary_coherence"])
def test_coupling_of_independent_channels_is_flagged_and_that_of_a_lagged_rhythm_is_not(name):
    rng = np.random.default_rng(0)
    empty = [flagged(name, rng.standard_normal((10, 8, 1000))) for _ in range(24)]
    assert np.mean(empty) >= 0.8
    phase = rng.uniform(0, 2 * np.pi, (10, 1, 1)) - np.linspace(0, 2, 8)[:, None]
    assert not flagged(name, np.sin(2 * np.pi * 10 * TIMES + phase) + rng.standard_normal((10, 8, 1000)))


def flags_of(raw, name="dlpfc/tep", average=None, cleaning=BRIDGED):
    """Flags of the rows of a session: measures of the region and of the whole head."""
    average = {"n100": N100, "gmfa_area": {"window": [0.02, 0.25]}} if average is None else average
    rows = ex.run(raw, ex.load_protocol(name).replace(cleaning=cleaning, epochs={}, average=average))
    return rows.set_index("measure")["flag"].str.split(";")


@pytest.fixture(scope="module")
def session():
    return tep_session("DLPFC", n_trials=22, decay="none", muscle_amplitude=0.0, blink_amplitude=0.0, seed=3)[0]


def test_a_sound_session_has_none_of_these_flags(session):
    told = flags_of(session)
    for name in ("n100_amplitude", "gmfa_area"):
        assert told[name] == [""], told[name]


def test_a_region_that_was_rebuilt_is_told_and_has_no_gain(session):
    raw = session.copy()
    raw.info["bads"] = [name for name in raw.ch_names if name[0] in "FA"]  # all of the region
    sound = [*BRIDGED, {"step": "sound", "lambda_": 0.1}, {"step": "set_reference", "reference": "average"}]
    rows = ex.run(raw, ex.load_protocol("dlpfc/tep").replace(cleaning=sound, epochs={}, average={"n100": N100}))
    rows = rows.set_index("measure")
    assert "region_rebuilt" in rows.loc["n100_amplitude", "flag"]
    assert "few_channels" in rows.loc["n100_amplitude", "flag"]
    assert np.isnan(rows.loc["quality_n100_gain", "value"])
    assert rows.loc["quality_n100_gain", "flag"] == "region_rebuilt"


@pytest.mark.parametrize("name", ["DLPFC", "M1"])
def test_a_recharge_nobody_declared_is_told(name):
    raw, _ = tep_session(name, n_trials=20, recharge=0.15, seed=3)
    average = {"n100": {"measure": "tep_peak", "component": f"{name} N100"}}
    assert "recharge_suspected" in flags_of(raw, f"{name.lower()}/tep", average)["n100_amplitude"]
    known = [BRIDGED[0], BRIDGED[1], {"step": "remove_recharge"}]
    assert "recharge_suspected" not in flags_of(raw, f"{name.lower()}/tep", average, known)["n100_amplitude"]
    usual, _ = tep_session(name, n_trials=20, muscle_amplitude=400e-6, seed=4)
    assert "recharge_suspected" not in flags_of(usual, f"{name.lower()}/tep", average)["n100_amplitude"]


def test_saturated_and_bridged_electrodes_are_told_where_they_matter(session):
    clipped = session.copy()
    clipped._data = np.clip(clipped._data, -10e-6, 10e-6)
    assert "clipped" in flags_of(clipped)["n100_amplitude"]
    one = session.copy()
    rear = one.ch_names.index("O1")
    one._data[rear] = np.clip(one._data[rear], -5e-6, 5e-6)
    told = flags_of(one)
    assert "clipped" in told["gmfa_area"]
    assert "clipped" not in told["n100_amplitude"]
    bridged = session.copy()
    bridged._data[bridged.ch_names.index("F1")] = bridged._data[bridged.ch_names.index("F3")]
    assert "bridged_electrodes" in flags_of(bridged)["n100_amplitude"]
    filtered = session.copy().filter(None, 100.0, verbose="error")  # neighbours are alike then, and not bridged
    assert "bridged_electrodes" not in flags_of(filtered)["gmfa_area"]


def test_few_trials_and_pulses_that_overlap_are_told(session):
    table = ex.stimuli(session)
    few = ex.set_stimuli(session, table.iloc[:6])
    assert "few_trials" in flags_of(few)["n100_amplitude"]
    extra = table.assign(onset=table["onset"] + 0.3)
    both = ex.set_stimuli(session, pd.concat([table, extra]).sort_values("onset", ignore_index=True))
    assert "another_pulse" in flags_of(both)["n100_amplitude"]
    three = ex.set_stimuli(session, table.iloc[:3])
    with pytest.raises(ValueError, match=r"dlpfc/tep: 3 of 3 trials .* needs 4"):
        ex.run(three, "dlpfc/tep")


def test_flags_of_a_region_are_not_on_rows_of_the_whole_recording(session):
    raw = session.copy().rename_channels({name: f"X{name}" for name in session.ch_names if name[0] in "FA"})
    decay = [*BRIDGED[:1], {"step": "remove_decay"}, BRIDGED[1]]
    rows = ex.run(raw, ex.load_protocol("dlpfc/tep").replace(cleaning=decay, epochs={}, average={"n100": N100}))
    rows = rows.set_index("measure")
    assert rows.loc["quality_n100_gain", "flag"] == "no_channel_of_region"
    for name in ("trials_kept", "channels_kept", "rank", "decay_removed", "split_half_reliability_scalp"):
        assert "region" not in rows.loc[f"quality_{name}", "flag"]
        assert np.isfinite(rows.loc[f"quality_{name}", "value"])


def test_microvolts_are_told_on_rows_of_quality_too(session):
    raw = session.copy()
    raw._data *= 1e6
    rows = ex.run(raw, ex.load_protocol("dlpfc/tep").replace(cleaning=BRIDGED, epochs={}, average={"n100": N100}))
    rows = rows.set_index("measure")["flag"]
    assert "implausible_scale" in rows["n100_amplitude"]
    assert "implausible_scale" in rows["quality_steepest_before_pulse"]


@pytest.mark.parametrize("ringing", [0.0005, 0.0009])
@pytest.mark.parametrize("rate", [10000.0, 25000.0])
def test_ringing_of_the_pulse_is_no_immediate_response(rate, ringing):
    components = {name: (*entry[:2], 0.0, *entry[3:]) for name, entry in COMPONENTS["M1"].items()}
    raw, _ = tep_session(
        "M1", n_trials=6, sampling_rate=rate, trial_interval=0.6, decay="none", components=components, ringing=ringing,
        channels=CHANNELS[8:], seed=0,
    )  # fmt: skip
    rows = ex.run(raw, "m1/immediate_tep").set_index("measure")
    told = rows.loc["amplitude", "flag"]
    if rate == 25000.0 and ringing == 0.0005:  # over before the window: there is noise
        assert "not_above_chance" in told
        return
    assert np.isnan(rows.loc["amplitude", "value"])
    assert "rings_on" in told


def test_a_peak_on_a_wave_of_the_other_sign_is_told():
    peak = get_measure("tep_peak").function
    course = (wave(0.185, 4e-6) - wave(0.2, 20e-6))[None]
    course[0] += 4e-6 * np.exp(-0.5 * ((TIMES - 0.185) / 0.006) ** 2)
    found = peak(course, TIMES, window=(0.16, 0.24), sign=1)
    assert found["amplitude"] < 0
    assert found["amplitude"].flag == "opposite_sign"
    assert peak(-course, TIMES, window=(0.16, 0.24), sign=-1)["amplitude"].flag == "opposite_sign"
    assert peak(wave()[None], TIMES, window=(0.08, 0.15), sign=1)["amplitude"].flag == ""


def test_one_channel_has_no_field(session):
    protocol = ex.load_protocol("dlpfc/tep").replace(cleaning=BRIDGED, epochs={}, average={"gmfa_area": {}})
    rows = ex.run(session, protocol, picks=["F3"]).set_index("measure")
    assert np.isnan(rows.loc["gmfa_area", "value"])
    assert "too_few_channels" in rows.loc["gmfa_area", "flag"]


def test_the_package_is_a_command():
    import excitability.__main__ as command

    assert callable(command.main)


@pytest.mark.parametrize(("factor", "told"), [(1e3, "in metres"), (0.0, "one place")])
def test_positions_that_are_no_head_are_an_error(session, factor, told):
    raw = session.copy().pick([name for name in session.ch_names if name[0] in "FCP"])
    for channel in raw.info["chs"]:
        channel["loc"][:3] = channel["loc"][:3] * factor + (factor == 0) * np.array([0.0, 0.0, 0.1])
    epochs = cut(raw, tmin=-0.1, tmax=0.2).epochs
    with pytest.raises(ValueError, match=told):
        leadfield_of(epochs, np.arange(len(epochs.ch_names)), None)


def test_a_high_pass_across_the_pulse_is_told(session):
    assert "filtered_across_pulse" in flags_of(session.copy().filter(1.0, None, verbose="error"))["n100_amplitude"]


@pytest.mark.parametrize("kind", ["misc", "seeg"])
def test_a_recording_without_eeg_says_so(session, kind):
    raw = session.copy().set_channel_types(dict.fromkeys(session.ch_names, kind), verbose="error")
    with pytest.raises(ValueError, match=r"has no EEG channel.*set_channel_types"):
        ex.run(raw, "dlpfc/tep")


def potentials(names=("F3", "F1", "Fz", "C3", "Cz"), n=6):
    rng = np.random.default_rng(0)
    info = mne.create_info(list(names), 500.0, "eeg").set_montage("colin27_1020")
    return {
        level: {who: mne.EvokedArray(1e-6 * rng.standard_normal((len(names), 150)), info, -0.1) for who in "abcdef"[:n]}
        for level in ("pre", "post0")
    }


def test_a_person_in_microvolts_is_an_error_of_a_comparison():
    both = potentials()
    for level in both:
        both[level]["c"].data *= 1e6
    with pytest.raises(ValueError, match=r"'c' .*microvolts"):
        ex.compare_evoked(both, n_permutations=100)


def test_a_window_shorter_than_a_sample_is_said_to_be_so():
    with pytest.raises(ValueError, match=r"holds 1 sample .*longer"):
        ex.compare_evoked(potentials(), window=(0.03, 0.0304), n_permutations=100)


def test_a_person_with_two_channels_leaves_a_comparison_of_two():
    both = potentials()
    both["pre"]["a"] = both["pre"]["a"].copy().pick(["F3", "F1"])
    told = ex.compare_evoked(both, window="early", n_permutations=100)
    assert told["flag"].str.contains("channels_left_out").all()


def test_trials_too_short_for_a_component_give_the_others(session):
    epochs = cut(session, tmin=-0.1, tmax=0.15).epochs
    average = {"n40": N100 | {"component": "DLPFC N40"}, "p185": N100 | {"component": "DLPFC P185"}}
    late = {"beta_evoked": {"measure": "band_power_change", "band": [13.0, 30.0]}}
    rows = ex.run(epochs, ex.load_protocol("dlpfc/tep").replace(cleaning=BRIDGED, epochs=late, average=average))
    rows = rows.set_index("measure")
    assert np.isfinite(rows.loc["n40_amplitude", "value"])
    for name in ("p185_amplitude", "beta_evoked"):
        assert np.isnan(rows.loc[name, "value"])
        assert "outside_epoch" in rows.loc[name, "flag"]


def test_names_as_edf_writes_them_are_found(session):
    raw = session.copy().rename_channels({name: f"EEG {name}-REF" for name in session.ch_names})
    assert flags_of(raw)["n100_amplitude"] == [""]


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_trials_with_missing_samples_are_dropped_and_a_channel_of_them_is_bad(session, value):
    raw = session.copy()
    first = int(raw.annotations.onset[2] * raw.info["sfreq"])
    raw._data[4, first : first + 200] = value
    raw._data[7] = np.nan
    protocol = ex.load_protocol("dlpfc/tep").replace(cleaning=BRIDGED, epochs={}, average={"gmfa_area": {}})
    told = run_all(raw, protocol)
    rows = told.results.set_index("measure")
    assert rows.loc["gmfa_area", "n_trials"] == 21
    assert np.isfinite(rows.loc["gmfa_area", "value"])
    assert told.trials.loc[2, "reject"] == "nan_samples"
    assert raw.ch_names[7] in told.epochs.info["bads"]


STEPS = {"step20": (20e-6, np.inf), "decay": (200e-6, 2.0), "usual": (60e-6, 0.02)}


def with_charge(size, constant):
    """A session with charge that each electrode keeps for itself, the same in all trials."""
    raw, _ = tep_session("DLPFC", n_trials=10, decay="none", seed=3)
    picks, rng = mne.pick_types(raw.info, eeg=True), np.random.default_rng(5)
    sizes = size * rng.uniform(0.3, 1, len(picks)) * rng.choice([-1, 1], len(picks))
    constants = constant * rng.uniform(0.7, 1.4, len(picks))
    since = np.arange(900) / raw.info["sfreq"]
    course = sizes[:, None] * np.exp(-since / constants[:, None])
    for onset in np.round(raw.annotations.onset * raw.info["sfreq"]).astype(int):
        raw._data[picks, onset : onset + since.size] += course
    return raw


@pytest.mark.parametrize("kind", list(STEPS))
def test_charge_that_outlasts_the_trial_is_told_on_all_rows(kind):
    decay = [{"step": "remove_pulse"}, {"step": "remove_decay"}, {"step": "interpolate_pulse"}]
    areas = {"gmfa_area": {"window": [0.02, 0.25]}, "n100": N100}
    protocol = ex.load_protocol("dlpfc/tep").replace(cleaning=decay, epochs={}, average=areas)
    rows = ex.run(with_charge(*STEPS[kind]), protocol)
    told = rows.set_index("measure")["flag"]
    for name in ("gmfa_area", "n100_amplitude", "quality_decay_time_constant", "quality_usable_from"):
        assert ("decay_longer_than_trial" in told[name]) == (kind != "usual"), name
    usable = rows.set_index("measure")["value"]["quality_usable_from"]
    if kind == "usual":
        assert 0.015 < usable < 0.1
        assert "before_usable" not in told["n100_amplitude"]


@pytest.mark.parametrize("fall", [0.0, 0.75])
@pytest.mark.parametrize("n_pieces", [6, 40])
def test_noise_has_no_alpha_rhythm_and_a_rhythm_is_kept(fall, n_pieces):
    """White noise and 1/f**1.5: of 20 recordings of 26 channels chance gives one a peak; four have p = 0.02."""
    times, found = np.arange(500) / 250.0, 0
    shape = np.maximum(np.fft.rfftfreq(1000, 1 / 250), 0.5) ** -fall
    for seed in range(20):
        noise = np.random.default_rng(seed).standard_normal((n_pieces, 26, 501, 2)) @ [1, 1j]
        x = np.fft.irfft(noise * shape, 1000)[..., :500]
        measured = get_measure("individual_alpha_frequency").function(x, times)
        found += bool(np.isfinite(measured).any())
    assert found < 4
    x[:, :5] += 1.5 * x.std() * np.sin(2 * np.pi * 9.5 * times + np.arange(n_pieces)[:, None, None])
    measured = get_measure("individual_alpha_frequency").function(x, times)
    assert np.isfinite(measured[:5]).all()
    assert measured[:5].mean() == pytest.approx(9.5, abs=0.2)


def test_less_than_a_minute_of_rest_is_told():
    raw = resting_eeg(duration=64.0, sampling_rate=250.0, seed=1)[0]
    protocol = ex.load_protocol("dlpfc/resting_eeg").replace(cleaning=[], epochs={"alpha_power": {}})
    assert "few_pieces" not in ex.run(raw, protocol)["flag"][0]
    assert "few_pieces" in ex.run(raw.crop(0, 20), protocol)["flag"][0]


def test_an_average_and_a_rate_too_low_say_what_to_do_before_any_cleaning():
    raw, _ = tep_session("DLPFC", n_trials=6, seed=1)
    evoked = cut(raw, tmin=-0.1, tmax=0.3).epochs.average()
    with pytest.raises(TypeError, match=r"not an average; with averages: ex\.measures\.gmfa_area\(evoked\.data"):
        ex.run(evoked, "dlpfc/tep")
    slow = raw.copy().resample(250.0)
    with pytest.raises(ValueError, match=r"dlpfc/tep: sampled at 250 Hz.* needs 300 Hz .*early = \[0\.01, 0\.08\]"):
        ex.run(slow, "dlpfc/tep")


def test_a_protocol_of_pairs_without_pairs_is_refused_before_the_cleaning(monkeypatch):
    raw, _ = tep_session("DLPFC", n_trials=6, seed=1)
    monkeypatch.setattr("excitability.protocol.running.apply", lambda *given: pytest.fail("cleaned first"))
    with pytest.raises(ValueError, match="no trial is a pair"):
        ex.run(raw, "dlpfc/sici_tep")


def test_numbered_channels_are_found_by_where_they_lie():
    raw, _ = tep_session("DLPFC", n_trials=6, decay="none", seed=1)
    numbered = raw.copy()
    numbered.rename_channels({name: f"EEG {n:03d}" for n, name in enumerate(raw.ch_names, 1)})
    named, placed = (ex.run(one, quick("dlpfc/tep", epochs={}, average={"n100": N100})) for one in (raw, numbered))
    assert placed["value"].iloc[0] == pytest.approx(named["value"].iloc[0])
    assert "region_by_position" in placed["flag"].iloc[0]
    assert "region_by_position" not in named["flag"].iloc[0]
    bare = numbered.set_montage(None)
    assert "no_channel_of_region" in ex.run(bare, quick("dlpfc/tep", epochs={}, average={"n100": N100}))["flag"].iloc[0]


@pytest.mark.parametrize("kept", [1, 3])
def test_too_few_channels_for_muscle_are_told_in_one_line(kept):
    raw, _ = tep_session("DLPFC", n_trials=6, decay="none", seed=1)
    with pytest.raises(ValueError, match=rf"ssp_sir needs at least 4 good EEG channels, not {kept}"):
        ex.run(raw.pick(raw.ch_names[:kept]), "dlpfc/tep")


def test_intensities_that_one_average_mixes_are_told():
    raw, _ = tep_session("DLPFC", n_trials=6, decay="none", seed=1)
    table = ex.stimuli(raw)
    protocol = quick(
        "dlpfc/tep", epochs={}, average={"n100": N100, "area": {"measure": "gmfa_area", "window": [0, 0.2]}}
    )
    mixed = ex.run(ex.set_stimuli(raw, table.assign(intensity=[50.0, 70.0] * 3)), protocol)
    alike = ex.run(ex.set_stimuli(raw, table.assign(intensity=[60.0, 61.0] * 3)), protocol)
    assert "mixed_intensities" in mixed["flag"].iloc[0]
    assert "mixed_intensities" not in alike["flag"].iloc[0]
    assert (
        "before_usable" not in alike.set_index("measure")["flag"]["area"]
    )  # a window from the pulse on is no early one
