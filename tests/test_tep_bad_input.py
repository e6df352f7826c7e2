"""Bad TMS-EEG input, by discovery: measures of averages and EEG protocols say in one line what is wrong, or flag it."""

import mne
import numpy as np
import pandas as pd
import pytest

import excitability as ex
from excitability.measures import get_measure, list_measures
from excitability.simulate import tep_session
from excitability.simulate.fields import CHANNELS

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
        with pytest.raises(ValueError, match=r"no position for the channels .*set_montage"):
            ex.run(ex.set_stimuli(quiet, table), name)
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
