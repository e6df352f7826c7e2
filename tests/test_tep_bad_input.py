"""Bad TMS-EEG input, by discovery: measures of averages and EEG protocols say in one line what is wrong, or flag it."""

import warnings

import mne
import numpy as np
import pandas as pd
import pytest

import excitability as ex
from excitability import cleaning
from excitability.measures import get_measure, list_measures
from excitability.simulate import tep_session
from excitability.simulate.fields import CHANNELS
from excitability.trials import cut

TIMES = np.arange(-500, 501) / 1000
BRIDGED = [{"step": "remove_pulse"}, {"step": "interpolate_pulse"}]

OF_AVERAGES = [
    name
    for kind in ("average", "epochs")
    for name in list_measures(kind)
    if "window" in get_measure(name).parameters
    and "silent" not in name
    and "contralateral_latency" not in get_measure(name).parameters
]


@pytest.mark.parametrize("name", OF_AVERAGES)
def test_a_window_outside_the_epoch_is_an_error_of_one_line(name):
    entry = get_measure(name)
    x = np.random.default_rng(0).standard_normal((6, 2, TIMES.size))
    x = x if entry.kind == "epochs" else x[0]
    others = {"test": x, "interval": 0.003} if entry.over == "conditioned" else {}
    with pytest.raises(ValueError, match=r"lies outside the epoch") as caught:
        entry.function(x, TIMES, window=(0.4, 0.9), **others)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", OF_AVERAGES)
def test_missing_samples_give_no_number(name):
    entry = get_measure(name)
    x = np.full((6, 2, TIMES.size), np.nan)
    x = x if entry.kind == "epochs" else x[0]
    others = {"test": x, "interval": 0.003} if entry.over == "conditioned" else {}
    with np.errstate(invalid="ignore"):
        value = entry.function(x, TIMES, **others)
    values = value.values() if isinstance(value, dict) else [value]
    assert all(np.isnan(np.asarray(one, dtype=float)).all() for one in values)


SHAMS = ("sham", "realistic_sham", "peripheral", "auditory", "somatosensory")
EEG = [name for name in ex.list_protocols() if ex.load_protocol(name).modality == "eeg" and "resting" not in name]

INTERVALS = {"sici": 0.003, "icf": 0.012, "lici": 0.1}


@pytest.mark.parametrize("name", EEG)
def test_every_eeg_protocol_says_what_a_recording_lacks(name):
    rng = np.random.default_rng(0)
    channels = list(CHANNELS)
    info = mne.create_info(channels, 1000.0, "eeg")
    quiet = mne.io.RawArray(1e-6 * rng.standard_normal((len(channels), 12000)), info)
    with pytest.raises(ValueError, match=r"no .*(pulse|TMS|stimul)"):
        ex.run(quiet, name)
    table = pd.DataFrame({"onset": [1.0, 3.0, 5.0, 7.0], "pulse_count": 1.0, "intensity": 60.0})
    if any(step["step"] == "sound" for step in ex.load_protocol(name).cleaning):
        given = table
        for interval in (value for word, value in INTERVALS.items() if word in name):
            given = table.assign(pulse_count=[1, 2, 1, 2], inter_stimulus_interval=[np.nan, interval] * 2)
        with pytest.raises(ValueError, match=r"no position for the channels .*set_montage"):
            ex.run(ex.set_stimuli(quiet, given), name)
    muscle = quiet.copy().set_channel_types(dict.fromkeys(channels, "emg"))
    with pytest.raises(ValueError, match=r"(?i)eeg"):
        ex.run(ex.set_stimuli(muscle, table), name)


@pytest.mark.parametrize("name", [name for name in EEG if set(ex.load_protocol(name).conditions) <= {"all", *SHAMS}])
def test_every_protocol_flags_too_few_trials_and_a_filter_across_the_pulse(name):
    protocol = ex.load_protocol(name).replace(cleaning=BRIDGED)
    raw, _ = tep_session("M1", n_trials=12, seed=1)
    one = ex.set_stimuli(raw, pd.DataFrame({"onset": [raw.annotations.onset[0]], "pulse_count": [1.0]}))
    rows = ex.run(one, protocol)
    counted = rows["measure"].str.contains("_kept|_recorded|_rebuilt|_rank")  # of the recording, not of its response
    assert rows.loc[~counted, "flag"].str.contains("too_few_trials").all()
    assert rows.loc[~counted, "value"].isna().all()
    assert rows.loc[rows["measure"] == "quality_trials_kept", "value"].eq(1).all()
    spoilt = raw.copy().filter(1.0, 80.0, verbose="error")
    told = ex.run(spoilt, protocol)
    measured = ~told["measure"].str.startswith("quality_")
    assert told.loc[measured, "flag"].str.contains("filtered_across_pulse").all()
    assert not ex.run(raw, protocol)["flag"].str.contains("filtered_across_pulse").any()


@pytest.fixture(scope="module")
def trials():
    raw, _ = tep_session("DLPFC", n_trials=6, seed=1)
    return cut(raw, tmin=-0.3, tmax=0.4, picks="eeg").epochs


def test_single_steps_warn_of_a_pulse_that_is_still_there(trials):
    with pytest.warns(RuntimeWarning, match=r"sound: the TMS pulse is still in these trials.*remove_pulse"):
        cleaning.sound(trials)
    bridged = cleaning.interpolate_pulse(cleaning.remove_pulse(trials))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        cleaning.filter(bridged)
        by_hand = trials.copy().load_data()
        by_hand._data[..., np.abs(by_hand.times - 0.004) < 0.007] = 0.0
        cleaning.filter(by_hand)


def test_sound_warns_of_a_small_gain_and_chooses_by_itself(trials):
    bridged = cleaning.interpolate_pulse(cleaning.remove_pulse(trials))
    with pytest.warns(RuntimeWarning, match=r"sound: with lambda_ = 2 responses come out too small \(gain 0\.[0-7]"):
        cleaning.sound(bridged, lambda_=2.0)
    log = cleaning.log_of(cleaning.sound(bridged))
    assert '"lambda_": "auto"' in log["parameters"].iloc[-1]


def test_missing_samples_are_named_with_their_channel_and_time(trials):
    raw, _ = tep_session("DLPFC", n_trials=2, seed=1)
    raw.pick("eeg")
    raw._data[3, 3200:3300] = np.inf
    with pytest.raises(ValueError, match=rf"remove_pulse: missing samples .* of {raw.ch_names[3]} at 3\.2 s; mark"):
        cleaning.remove_pulse(raw)
    holed = trials.copy().load_data()
    holed._data[4, 2, 10] = np.nan
    with pytest.raises(ValueError, match=rf"missing samples .* of {holed.ch_names[2]} in trial 4; .*drop"):
        cleaning.remove_pulse(holed)


def test_cutting_says_what_it_needs(trials):
    raw, _ = tep_session("DLPFC", n_trials=2, seed=1)
    with pytest.raises(ValueError, match=r"cut trials first, epochs = excitability\.trials\.cut\(raw, tmin"):
        cleaning.cut(raw)
    with pytest.raises(ValueError, match=r"cut needs tmax and tmin: cut\(epochs, tmin=…, tmax=…\)"):
        cleaning.cut(trials)
