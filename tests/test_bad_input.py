"""Bad input gives a flag, NaN or an error that says what to do, for every trial measure; never a plausible number."""

from __future__ import annotations

import mne
import numpy as np
import pandas as pd
import pytest

import excitability as ex
from excitability.measures import get_measure, list_measures
from excitability.measures.quality import trial_flags
from excitability.simulate import mep_trials

RATE, N, BAD = 5000.0, 8, 2
TIMES = np.arange(-600, 1500) / RATE
# voluntary_onset is of a movement without pulse, in epochs of its own: tests/test_trunk.py
MEASURES = [name for name in list_measures("trial") if name != "voluntary_onset"]
WINDOWED = [name for name in MEASURES if get_measure(name).parameters.get("window", (0, 0))[1] > 0]


def trials(seed=0, background=30e-6):
    """A contracted hand muscle, with silence after the response: every measure has something to find."""
    rng = np.random.default_rng(seed)
    onset = rng.uniform(0.020, 0.023, (N, 1))
    shape = np.sin(2 * np.pi * np.clip((TIMES - onset) / 0.012, 0, 1))
    loud = np.where((TIMES > 0.032) & (TIMES < 0.13), 0.05, 1.0)
    return 0.8e-3 * shape * rng.uniform(0.8, 2, (N, 1)) + background * rng.standard_normal((N, TIMES.size)) * loud


def values(name, x, times=TIMES, **options):
    return get_measure(name).function(x, times, **options)


def during(start, stop, times=TIMES):
    return (times >= start) & (times < stop)


def put(value, start, stop):
    """A fault: the trace is ``value`` for a while."""
    return lambda row, times: np.where(during(start, stop, times), value, row)


def limit(low, high, start=-1.0, stop=1.0):
    """A fault: the amplifier cannot give more."""
    return lambda row, times: np.where(during(start, stop, times), np.clip(row, low, high), row)


#: Fault of one trial, and the flag it must get.
FAULTS = {
    "NaN in the baseline": (put(np.nan, -0.05, -0.04), "nan_samples"),
    "one NaN in the baseline": (put(np.nan, -0.05, -0.0499), "nan_samples"),
    "NaN in the window": (put(np.nan, 0.030, 0.031), "nan_samples"),
    "infinity in the window": (put(np.inf, 0.030, 0.0301), "nan_samples"),
    "infinity in the baseline": (put(-np.inf, -0.03, -0.0299), "nan_samples"),
    "clipped on both sides": (limit(-0.3e-3, 0.3e-3), "clipped"),
    "clipped at the top": (limit(-1.0, 0.3e-3), "clipped"),
    "clipped at the bottom": (limit(-0.3e-3, 1.0), "clipped"),
    "clipped in the baseline": (limit(-20e-6, 20e-6, -1.0, -0.002), "clipped_baseline"),
    "flat window": (put(0.0, 0.010, 0.060), "flat"),
    "flat channel": (put(1e-3, -1.0, 1.0), "flat"),
    "zeros after the pulse": (put(0.0, 0.0, 1.0), "flat"),
    "given out within the response": (put(0.2e-3, 0.025, 1.0), "flat"),
    "flat baseline": (put(0.0, -1.0, -0.001), "flat_baseline"),
    "half of the baseline blanked": (put(0.0, -1.0, -0.05), "flat_baseline"),
}
#: Faults where nothing is measured.
HARMLESS = {
    "NaN at the pulse": put(np.nan, -0.002, 0.002),
    "NaN before the baseline": put(np.nan, -0.12, -0.11),
}


def with_fault(x, fault, times=TIMES):
    out = x.copy()
    out[BAD] = fault(out[BAD], times)
    return out


@pytest.mark.parametrize("what", FAULTS)
def test_a_fault_is_flagged_in_its_trial_and_in_no_other(what):
    fault, word = FAULTS[what]
    flags = trial_flags(with_fault(trials(), fault), TIMES).tolist()
    assert word in flags[BAD].split(";")
    assert not any(np.delete(flags, BAD))


@pytest.mark.parametrize("name", MEASURES)
@pytest.mark.parametrize("what", FAULTS)
def test_a_missing_sample_gives_the_true_value_or_none(what, name):
    """The trial itself: unchanged or NaN where samples are missing. The other trials: as before but for the pooling."""
    x = trials()
    true, found = values(name, x), values(name, with_fault(x, FAULTS[what][0]))
    if FAULTS[what][1] == "nan_samples":
        assert np.isnan(found[BAD]) or found[BAD] == true[BAD]
    else:
        assert not np.isinf(found[BAD])
    found, true = np.delete(found, BAD), np.delete(true, BAD)
    if (
        name == "mep_latency_standard_error"
    ):  # learnt from how the eight trials agree: one less changes each, not the lot
        found, true = np.median(found), np.median(true)
        assert 0.5 < found / true < 2.0
        return
    pooled = 1.0 if name.endswith("standard_error") else 0.02  # an error is learnt from all eight trials
    np.testing.assert_allclose(found, true, rtol=pooled)


@pytest.mark.parametrize("name", MEASURES)
@pytest.mark.parametrize("what", HARMLESS)
def test_what_no_measure_looks_at_changes_nothing(what, name):
    x = trials()
    spoilt = with_fault(x, HARMLESS[what])
    found, true = values(name, spoilt), values(name, x)
    if name == "artefact_end":  # looks at the pulse itself, which is unusable as long as its samples are missing
        found[BAD] = true[BAD]
    np.testing.assert_array_equal(found, true)
    assert not any(trial_flags(spoilt, TIMES))


@pytest.mark.parametrize("name", MEASURES)
def test_a_dead_channel_has_no_response(name):
    for level in (0.0, 1e-3):
        found = values(name, np.full((3, TIMES.size), level))
        assert (np.isnan(found) | (np.abs(found) < 1e-15)).all()


@pytest.mark.parametrize("name", MEASURES)
def test_polarity_is_irrelevant_to_the_last_bits(name):
    for background in (3e-6, 30e-6):
        x = trials(1, background)
        np.testing.assert_allclose(values(name, -x), values(name, x), rtol=1e-12, atol=0)


@pytest.mark.parametrize("name", MEASURES)
def test_the_type_of_the_numbers_is_irrelevant(name):
    counts = np.round(trials() / 1e-6).astype(np.int32)  # as a converter gives them, in microvolts
    np.testing.assert_array_equal(values(name, counts), values(name, counts.astype(float)))
    single = trials().astype(np.float32)
    np.testing.assert_array_equal(values(name, single), values(name, single.astype(float)))
    np.testing.assert_array_equal(values(name, np.asfortranarray(trials())), values(name, trials()))


@pytest.mark.parametrize("name", MEASURES)
def test_times_that_cannot_be_meant_are_refused(name):
    x = trials()
    with pytest.raises(ValueError, match=r"milliseconds\? give seconds"):
        values(name, x, TIMES * 1e3)
    gap = TIMES + 0.01 * (TIMES > 0.1)
    with pytest.raises(ValueError, match=r"not evenly spaced.*gap"):
        values(name, x, gap)
    with pytest.raises(ValueError, match="increasing"):
        values(name, x, TIMES[::-1])
    with pytest.raises(ValueError, match=r"x has shape .* expected"):
        values(name, x, TIMES[:-1])
    rounded = np.arange(-400, 1000) / 3000.0
    values(name, x[:, : rounded.size], np.round(rounded, 4))  # to 0.1 ms, as a text export writes them


@pytest.mark.parametrize("name", MEASURES)
def test_an_epoch_too_short_for_the_measure_is_an_error_that_names_both(name):
    x = trials()
    late = TIMES >= -0.004
    if name in WINDOWED:
        start, stop = get_measure(name).parameters["window"]
        early = stop - 0.010 > TIMES
        with pytest.raises(ValueError, match=f"window {start:g} to {stop:g} s lies outside the epoch"):
            values(name, x[:, early], TIMES[early])
        if name in ("mep_amplitude", "m_wave_amplitude"):  # need no baseline
            np.testing.assert_array_equal(values(name, x[:, late], TIMES[late]), values(name, x))
            return
    with pytest.raises(ValueError, match=r"outside the epoch|the epoch begins at"):
        values(name, x[:, late], TIMES[late])
    with pytest.raises(ValueError, match=r"outside the epoch|the epoch begins at|two samples"):
        values(name, x[:, :2], TIMES[:2])


@pytest.mark.parametrize("name", MEASURES)
@pytest.mark.parametrize("rate", [500.0, 1000.0])
def test_slow_recordings_are_measured_without_a_crash(name, rate):
    step = int(RATE / rate)
    found = values(name, trials()[:, ::step], TIMES[::step])
    assert found.shape == (N,)
    assert not np.isinf(found).any()


def test_an_epoch_without_a_baseline_is_flagged():
    late = TIMES >= -0.004
    assert set(trial_flags(trials()[:, late], TIMES[late])) == {"no_baseline"}


def test_an_extreme_or_onset_at_the_edge_of_the_window_is_flagged():
    shape = 1e-3 * np.sin(2 * np.pi * np.clip((TIMES - 0.021) / 0.012, 0, 1))  # peak at 24 ms, trough at 30
    x = shape + 3e-6 * np.random.default_rng(3).standard_normal((N, TIMES.size))
    assert not any(trial_flags(x, TIMES))
    assert all("window_edge" in flag for flag in trial_flags(x, TIMES, (0.026, 0.050)))
    assert all("window_edge" in flag for flag in trial_flags(x, TIMES, (0.010, 0.0275)))
    latency = np.array([0.015, 0.0153, 0.02, np.nan, 0.0498, 0.05, 0.03, 0.04])
    flags = trial_flags(x, TIMES, latency=latency).tolist()
    assert [flag == "window_edge" for flag in flags] == [True, False, False, False, True, True, False, False]


def test_the_baseline_that_is_judged_lies_before_the_first_pulse():
    x = trials()
    x[:, during(-0.030, -0.004)] = 0.0  # the artefact of a conditioning pulse, cut out
    assert all("flat_baseline" in flag for flag in trial_flags(x, TIMES))
    assert not any(trial_flags(x, TIMES, first_pulse=np.full(N, -0.031)))


# --- the same through recordings

PROTOCOL = ex.load_protocol("mep").replace(
    trial={name: {"window": "muscle"} if name in WINDOWED else {} for name in MEASURES}
)
ONSETS = 1.0 + 1.5 * np.arange(N)
COLUMNS = list(MEASURES)


def recording(x=None, onsets=ONSETS, rate=RATE, length=14.0, **columns):
    """Raw with the trials at their pulses, in noise."""
    x = trials(background=4e-6) if x is None else x
    data = 4e-6 * np.random.default_rng(9).standard_normal(int(length * rate))
    for row, onset in zip(x, ONSETS, strict=True):
        start = round((onset + TIMES[0]) * RATE)
        data[start : start + TIMES.size] = row
    raw = mne.io.RawArray(data[None], mne.create_info(["FDI"], rate, "emg"))
    return ex.set_stimuli(raw, pd.DataFrame({"onset": onsets, **columns}))


def table_of(raw, **options):
    return ex.trial_table(raw, PROTOCOL, picks="FDI", **options)


@pytest.fixture(scope="module")
def sound():
    return table_of(recording())


def test_a_sound_recording_has_no_flag(sound):
    assert set(sound["flag"]) == {""}
    assert set(sound["reject"]) == {""}
    assert sound[[name for name in COLUMNS if name != "silent_period"]].notna().all(axis=None)


@pytest.mark.parametrize("what", FAULTS)
def test_a_fault_of_a_recording_reaches_its_row(what, sound):
    fault, word = FAULTS[what]
    if what == "clipped in the baseline":
        fault = limit(-2e-6, 2e-6, -1.0, -0.002)
    table = table_of(recording(with_fault(trials(background=4e-6), fault)))
    assert word in table["flag"][BAD].split(";")
    others = table.drop(index=BAD)
    assert set(others["flag"]) == {""}
    assert set(others["reject"]) == {""}
    if word == "nan_samples":
        row, true = table.loc[BAD, COLUMNS].astype(float), sound.loc[BAD, COLUMNS].astype(float)
        assert (row.isna() | (row == true)).all()


def test_polarity_of_a_recording_is_irrelevant(sound):
    upside_down = table_of(recording(-trials(background=4e-6)))
    np.testing.assert_allclose(upside_down[COLUMNS], sound[COLUMNS], rtol=1e-9)


def test_a_fifth_of_the_trials_with_a_fault_flags_the_result():
    x = trials(background=4e-6)
    x[:2] = np.clip(x[:2], -0.3e-3, 0.3e-3)
    result = ex.run(recording(x), "mep", picks="FDI")
    assert result["flag"].str.contains("clipped_in_some").all()
    x[:] = np.clip(x, -0.3e-3, 0.3e-3)
    result = ex.run(recording(x), "mep", picks="FDI")
    assert result["flag"].str.split(";").map(lambda words: "clipped" in words).all()


def test_missing_samples_are_counted_in_the_result():
    x = trials(background=4e-6)
    x[:3, during(0.03, 0.031)] = np.nan
    result = ex.run(recording(x), "mep", picks="FDI").set_index("measure")
    assert result.loc["mep_amplitude", "n_trials"] == N - 3
    assert {"missing_values", "nan_samples_in_some"} <= set(result.loc["mep_amplitude", "flag"].split(";"))
    x[:] = np.nan
    result = ex.run(recording(x), "mep", picks="FDI")
    assert result["value"].isna().all()
    assert (result["flag"] != "").all()


@pytest.mark.parametrize("factor", [1e6, 1e3, 1e-6])
def test_a_wrong_unit_is_flagged(factor):
    table = table_of(recording().apply_function(lambda x: factor * x, picks="all"))
    assert table["flag"].str.contains("implausible_scale").all()


def test_the_same_pulse_twice_is_refused():
    with pytest.raises(ValueError, match=r"two stimuli have the onset 1\.0000 s"):
        recording(onsets=np.r_[1.0, 1.0, 4.0])
    raw = recording()
    raw.annotations.append(raw.annotations.onset[3], 0.0, "TMS")
    with pytest.raises(ValueError, match=r"same sample|same onset|each"):
        table_of(raw)


def test_pulses_within_one_another_are_flagged():
    near = np.sort(np.r_[ONSETS, ONSETS[4] + 0.001])
    table = table_of(recording(onsets=near))
    assert np.flatnonzero(table["flag"].str.contains("another_pulse")).tolist() == [4, 5]
    late = np.sort(np.r_[ONSETS, ONSETS[4] + 0.08])  # within the baseline of the second, behind the first's window
    table = table_of(recording(onsets=late))
    assert np.flatnonzero(table["flag"].str.contains("another_pulse")).tolist() == [5]


def test_a_bouncing_trigger_is_no_pair_that_a_single_pulse_protocol_would_measure():
    bounced = ex.trials.pair_pulses(np.sort(np.r_[ONSETS, ONSETS[:2] + 0.001]))
    table = table_of(ex.set_stimuli(recording(), bounced))
    assert table["reject"].tolist()[:2] == ["no condition of the protocol"] * 2
    assert table["flag"].str.contains("trials_without_condition").all()
    whole = ex.trials.pair_pulses(np.sort(np.r_[ONSETS, ONSETS + 0.001]))
    with pytest.raises(ValueError, match="belongs to a condition"):
        table_of(ex.set_stimuli(recording(), whole))


def test_a_log_with_more_or_fewer_rows_than_pulses_is_reported(tmp_path):
    raw = recording()
    raw.annotations.rename({"TMS": "trigger"})
    raw.save(tmp_path / "rec_raw.fif")
    log = pd.DataFrame({"onset": ONSETS + 0.01, "intensity": np.arange(40, 40 + N)})
    log.loc[1:, "onset"] += 0.2  # not at a constant interval, which could be read in two ways
    with pytest.warns(UserWarning, match="1 of 8 pulses have no row"):
        fewer = ex.read(tmp_path / "rec_raw.fif", stimuli=log.drop(index=3))
    assert ex.stimuli(fewer)["intensity"].isna().tolist() == [False] * 3 + [True] + [False] * 4
    more = pd.concat([log, pd.DataFrame({"onset": [13.7], "intensity": [99]})])
    with pytest.warns(UserWarning, match="1 of 9 rows have no pulse"):
        assert ex.stimuli(ex.read(tmp_path / "rec_raw.fif", stimuli=more))["intensity"].max() == 47
    with pytest.raises(ValueError, match="9 rows, the recording 8 trials"):
        ex.read(tmp_path / "rec_raw.fif", stimuli=more.drop(columns="onset"))


def test_a_pulse_at_the_edge_of_the_recording_is_a_row_without_values():
    onsets = np.r_[0.0, ONSETS[1:-1], 14.0 - 1 / RATE]
    table = table_of(recording(onsets=onsets))
    assert len(table) == N
    edge = table.iloc[[0, -1]]
    assert (edge["reject"] == "epoch outside recording").all()
    assert edge[COLUMNS].isna().all(axis=None)
    inner = table.iloc[1:-1]
    assert inner["mep_amplitude"].notna().all()
    assert ex.run(recording(onsets=onsets), "mep", "FDI")["n_rejected"].eq(2).all()
    with pytest.raises(ValueError, match="none of the 1 trials fits into the recording"):
        table_of(recording(onsets=[14.0 - 1 / RATE]))
    with pytest.raises(ValueError, match=r"onset 14\.1; expected seconds from the start"):
        recording(onsets=[14.1])


def test_a_trial_within_a_bad_annotation_is_rejected():
    raw = recording()
    raw.annotations.append(ONSETS[4] - 0.05, 0.02, "BAD_movement")
    table = table_of(raw)
    assert table["reject"].tolist() == [""] * 4 + ["BAD_movement"] + [""] * 3
    assert ex.run(raw, "mep", "FDI")["n_rejected"].eq(1).all()


def test_no_trial_and_one_trial():
    raw = recording()
    raw.annotations.delete(np.arange(N))
    with pytest.raises(ValueError, match="no pulses"):
        table_of(raw)
    one = table_of(recording(onsets=ONSETS[:1]))
    assert len(one) == 1
    assert one["mep_amplitude"].notna().all()
    result = ex.run(recording(onsets=ONSETS[:1]), "mep", "FDI")
    assert result.loc[result["measure"] == "mep_amplitude", "flag"].tolist() == ["few_trials"]
    two = ex.run(recording(onsets=ONSETS[:2]), "mep", "FDI").set_index("measure").loc["mep_amplitude"]
    assert np.isnan(two["ci_low"])
    assert two["flag"] == "few_trials"


def test_a_slow_recording_is_flagged():
    slow = recording().resample(1000.0)
    assert table_of(slow)["flag"].str.contains("low_sampling_rate").all()
    assert not table_of(recording().resample(2000.0))["flag"].str.contains("low_sampling_rate").any()


@pytest.mark.parametrize("name", ["brainvision.vhdr", "edf.edf"])
def test_a_file_that_was_cut_short_is_flagged(name, tmp_path):
    for file in (ex.sample_data_path() / "formats" / "mne_formats").glob(f"{name.split('.')[0]}*"):
        data = file.read_bytes()
        whole = file.suffix not in (".eeg", ".edf")
        (tmp_path / file.name).write_bytes(data if whole else data[: int(0.7 * len(data))])
    table = ex.trial_table(ex.read(tmp_path / name), "mep")
    assert table["flag"].str.contains("recording_cut_short").all()
    sound = ex.trial_table(ex.read(ex.sample_data_path() / "formats" / "mne_formats" / name), "mep")
    assert not sound["flag"].str.contains("recording_cut_short").any()


def test_a_channel_marked_bad_is_used_only_when_it_is_asked_for_and_then_flagged():
    raw = recording()
    raw.info["bads"] = ["FDI"]
    with pytest.raises(ValueError, match="no EMG channel"):
        ex.trial_table(raw, PROTOCOL)
    assert table_of(raw)["flag"].str.contains("bad_channel").all()
    assert ex.run(raw, "mep", picks=["FDI"])["flag"].str.contains("bad_channel").all()


@pytest.mark.parametrize(("tmin", "tmax", "told"), [(-0.01, 0.29, "before"), (-0.12, 0.03, "outside the epoch")])
def test_frames_too_short_for_the_protocol_are_an_error_that_says_so(tmin, tmax, told):
    inside = during(tmin, tmax)
    info = mne.create_info(["FDI"], RATE, "emg")
    frames = mne.EpochsArray(trials()[:, None, inside], info, tmin=tmin)
    with pytest.raises(ValueError, match=told):
        ex.trial_table(frames, "mep")


def test_words_and_infinities_in_a_trial_table_are_refused():
    table = pd.DataFrame({"mep_amplitude": [1e-3, "1,2e-3", "n/a", None]})
    with pytest.raises(ValueError, match=r"'mep_amplitude' .* holds '1,2e-3' in row 1"):
        get_measure("trial_mean").function(table)
    mean = get_measure("trial_mean").function(table.drop(index=1))
    assert (float(mean), mean.n) == (1e-3, 1)
    with pytest.raises(ValueError, match="holds inf in row 2"):
        get_measure("trial_mean").function(pd.DataFrame({"mep_amplitude": [1e-3, 2e-3, np.inf]}))


# --- whose window it was


def test_the_window_used_is_in_the_trial_table():
    def window(**options):
        table = ex.trial_table(recording(), "mep", picks="FDI", **options)
        assert table["window_start"].nunique() == table["window_stop"].nunique() == 1
        return table["window_start"].iloc[0], table["window_stop"].iloc[0], table["flag"].iloc[0]

    assert window() == (0.015, 0.050, "")
    assert window(child=True) == (0.012, 0.050, "")
    assert window(height=1.70) == window()
    assert window(height=1.95) == (0.0179, 0.0529, "")
    assert window(muscles={"FDI": "TA"}, child=True) == (0.022, 0.082, "window_edge;adult_window")
    with pytest.raises(ValueError, match="give one"):
        window(child=True, height=1.2)
    with pytest.raises(ValueError, match=r"height = 185; give metres"):
        window(height=185)


def test_an_early_response_of_a_child_is_missed_by_the_window_of_adults_and_found_by_its_own():
    early = np.roll(trials(background=4e-6), -round(0.0075 * RATE), axis=1)  # onset at 12.5 to 15.5 ms
    of_adults, of_children = (ex.trial_table(recording(early), "mep", "FDI", child=child) for child in (False, True))
    assert of_adults["flag"].str.contains("window_edge|artefact_in_window").mean() > 0.5
    assert set(of_children["flag"]) == {""}
    result = ex.run(recording(early), "mep", "FDI", child=True).set_index("measure")
    assert 0.0125 < result.loc["mep_latency", "value"] < 0.0155


def test_windows_that_a_protocol_fixes_are_kept_and_the_wish_for_others_is_flagged():
    fixed = ex.load_protocol("mep").replace(trial={"mep_amplitude": {"window": [0.018, 0.045]}}, reject={}, summary={})
    table = ex.trial_table(recording(), fixed, "FDI", height=1.9)
    assert table[["window_start", "window_stop"]].drop_duplicates().to_numpy().tolist() == [[0.018, 0.045]]
    assert set(table["flag"]) == {"adult_window"}


def test_windows_of_a_batch_follow_the_sessions_table(tmp_path):
    recording().save(tmp_path / "rec_raw.fif")
    people = pd.DataFrame({"participant": ["01", "02"], "session": ["pre"] * 2, "height": ["1.95", "n/a"]})
    people["file"] = [str(tmp_path / "rec_raw.fif")] * 2
    with pytest.raises(ValueError, match="no column 'height'"):
        ex.run_batch(people.drop(columns="height"), "mep", height=True)
    results = ex.run_batch(people, "mep", tmp_path / "out", height=True)
    assert set(results["error"]) == {""}
    stored = pd.read_csv(tmp_path / "out" / "trials.tsv", sep="\t", dtype={"participant": str})
    assert stored.groupby("participant")["window_start"].unique().str[0].tolist() == [0.0179, 0.015]
    ex.run_batch(people, "mep", tmp_path / "out")  # another wish is another computation
    again = pd.read_csv(tmp_path / "out" / "trials.tsv", sep="\t")
    assert set(again["window_start"]) == {0.015}


def test_a_spike_is_flagged_and_a_response_is_not():
    x = trials()
    spiked = x.copy()
    spiked[BAD, np.searchsorted(TIMES, 0.030)] += 3e-3
    assert "spike" not in ";".join(trial_flags(x, TIMES))
    assert ["spike" in flag for flag in trial_flags(spiked, TIMES)] == [i == BAD for i in range(len(x))]
    for rate in (2000.0, 5000.0, 20000.0):
        for kind in ("template", "motor_units", "volley"):
            x, times, _ = mep_trials(40, generator=kind, sampling_rate=rate, seed=3)
            assert not any("spike" in flag for flag in trial_flags(x, times)), (rate, kind)
