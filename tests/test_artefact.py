"""The pulse artefact: taken away where it is, never continued where it is not, timed, and used to find the pulses."""

import mne
import numpy as np
import pandas as pd
import pytest

import excitability as ex
from excitability.measures import (
    artefact_end,
    mep_amplitude,
    mep_amplitude_corrected,
    mep_amplitude_standard_error,
    mep_latency,
)
from excitability.measures.quality import trial_flags
from excitability.simulate import mep_trials, session
from excitability.trials.alignment import align

NOISE = 8e-6
WINDOW = (0.015, 0.050)


def _times(rate):
    return np.arange(round(-0.11 * rate), round(0.08 * rate)) / rate


def _noise(n, times, colour, rng):
    x = rng.standard_normal((n, times.size))
    if colour == "emg":
        f = np.fft.rfftfreq(times.size, times[1] - times[0])
        x = np.fft.irfft(np.fft.rfft(x) * (f / 20) / np.sqrt(1 + (f / 20) ** 2) / (1 + (f / 150) ** 2), times.size)
    return NOISE * x / x.std()


def _decay(constant, until=np.inf, size=2e-3):
    return lambda t, vary, rng: size * vary * np.exp(-t / constant) * (t < until)


def _ringing(frequency, constant, until=np.inf):
    def shape(t, vary, rng):
        phase = 1.0 + 0.1 * rng.standard_normal(vary.shape)
        return 2e-3 * vary * np.sin(2 * np.pi * frequency * t + phase) * np.exp(-t / constant) * (t < until)

    return shape


def _saturation(until, jitter=0.0):
    def shape(t, vary, rng):
        ends = until * (1 + jitter * rng.standard_normal(vary.shape))
        return np.clip(0.01 * np.exp(-(t - ends) / 0.001), -0.01, 0.01)

    return shape


FAMILIES = {
    "none": lambda t, vary, rng: 0.0 * vary * t,
    "decay": _decay(0.002),
    "slow decay": _decay(0.04),
    "ringing": _ringing(250, 0.003),
    "long ringing": _ringing(200, 0.008),
    **{f"decay cut off at {ms} ms": _decay(0.02, ms / 1000) for ms in (8, 12, 14.8, 16)},
    **{f"ringing cut off at {ms} ms": _ringing(180, 0.02, ms / 1000) for ms in (8, 12, 14.8, 16, 18)},
    **{f"saturated for {ms} ms": _saturation(ms / 1000) for ms in (4, 10, 14.5, 17)},
    **{f"saturated for about {ms} ms": _saturation(ms / 1000, 0.05) for ms in (4, 10, 14.5, 17)},
    "step that ends": lambda t, vary, rng: 6e-4 * vary * (t < 0.03),
    "step that stays": lambda t, vary, rng: 6e-4 * vary * np.ones_like(t),
    "ramp": lambda t, vary, rng: 2e-3 * vary * np.clip(1 - t / 0.013, 0, 1),
    "held sample": lambda t, vary, rng: 2e-3 * vary * (t < 0.011),
    "two forms": lambda t, vary, rng: np.where(
        t < 0.009, _ringing(300, 0.01)(t, vary, rng), _decay(0.02, size=6e-4)(t, vary, rng)
    ),
    "of 3 V": _decay(0.0015, size=3.0),
}
#: Over 15 ms after the pulse: they may neither hide a response nor become one.
OVER_IN_TIME = (
    "none",
    "decay",
    "ringing",
    "decay cut off at 14.8 ms",
    "ringing cut off at 14.8 ms",
    "held sample",
    "of 3 V",
)


def _trials(name, rate, colour, n=40, response=0.0, seed=3):
    rng = np.random.default_rng(seed)
    times = _times(rate)
    artefact = FAMILIES[name](np.maximum(times, 0.0), np.exp(0.15 * rng.standard_normal((n, 1))), rng) * (times >= 0)
    phase = np.clip((times - 0.0215) / 0.014, 0, 1)
    return _noise(n, times, colour, rng) + artefact + 0.5 * response * np.sin(2 * np.pi * phase), times


@pytest.mark.parametrize("rate", [2000.0, 5000.0])
@pytest.mark.parametrize("colour", ["white", "emg"])
@pytest.mark.parametrize("name", FAMILIES)
def test_what_is_taken_away_never_adds(name, colour, rate):
    x, times = _trials(name, rate, colour)
    recorded = mep_amplitude(x, times, window=WINDOW)
    assert (mep_amplitude_corrected(x, times, window=WINDOW) <= recorded + 3 * NOISE).all()
    x, times = _trials(name, rate, colour, response=25 * NOISE)
    recorded = mep_amplitude(x, times, window=WINDOW)
    corrected = mep_amplitude_corrected(x, times, window=WINDOW)
    assert (corrected <= np.maximum(recorded, 25 * NOISE) + 6 * NOISE).all()


@pytest.mark.parametrize("rate", [2000.0, 3000.0, 5000.0, 10000.0])
@pytest.mark.parametrize("name", OVER_IN_TIME)
def test_an_artefact_neither_hides_a_response_nor_becomes_one(name, rate):
    x, times = _trials(name, rate, "emg")
    assert np.isfinite(mep_latency(x, times)).mean() <= 0.05
    x, times = _trials(name, rate, "white", response=50 * NOISE)
    onset = mep_latency(x, times)
    assert np.isfinite(onset).all()
    without = mep_latency(*_trials("none", rate, "white", response=50 * NOISE))
    assert abs(np.median(onset) - np.median(without)) <= 0.0003
    assert abs(np.median(mep_amplitude_corrected(x, times)) - 50 * NOISE) <= 2.5 * NOISE


@pytest.mark.parametrize("colour", ["white", "emg"])
@pytest.mark.parametrize(
    "name", ["saturated for about 10 ms", "saturated for 14.5 ms", "saturated for about 14.5 ms", "step that ends"]
)
def test_an_unusable_beginning_of_the_window_hides_no_later_response(name, colour):
    x, times = _trials(name, 5000.0, colour, n=60, seed=4)
    assert np.isfinite(mep_latency(x, times)).mean() <= 0.034  # two trials of 60
    onset = mep_latency(*_trials(name, 5000.0, colour, n=60, response=25 * NOISE, seed=4))
    assert np.isfinite(onset).mean() >= 0.97
    assert np.nanmedian(onset) == pytest.approx(0.0215, abs=0.0005)


@pytest.mark.parametrize("rate", [2000.0, 5000.0])
@pytest.mark.parametrize("colour", ["white", "emg"])
def test_an_artefact_that_reaches_into_the_window_is_flagged(colour, rate):
    for name in ("long ringing", "slow decay", "ringing cut off at 16 ms", "saturated for 17 ms"):
        flags = trial_flags(*_trials(name, rate, colour))
        assert np.mean(["artefact_in_window" in flag for flag in flags]) >= 0.95, name
    for name in ("none", "decay", "decay cut off at 8 ms", "held sample", "step that stays"):  # a step moves no peak
        flags = trial_flags(*_trials(name, rate, colour, response=50 * NOISE))
        assert np.mean(["artefact_in_window" in flag for flag in flags]) <= 0.05, name
    x, times = _trials("none", rate, colour)
    x[:, (times >= 0) & (times < 0.014)] = np.nan  # blanked, not disturbed
    assert not any("artefact_in_window" in flag for flag in trial_flags(x, times))


@pytest.mark.parametrize("harms", [False, True])
def test_a_tail_is_flagged_only_where_it_changes_the_amplitude(harms):
    x, times = _trials("none", 5000.0, "emg", response=0.0 if harms else 100 * NOISE)
    x = x + 12 * NOISE * np.exp(-(times - 0.015) / 0.003) * (times > 0.001)  # 12 times the noise at the window's start
    share = np.mean(["artefact_in_window" in flag for flag in trial_flags(x, times)])
    assert share >= 0.95 if harms else share == 0


def test_a_tail_that_ended_is_not_continued():
    x, times = _trials("ringing cut off at 14.8 ms", 5000.0, "white")
    clean = x - x[:, (times >= -0.1) & (times < -0.005)].mean(axis=1, keepdims=True)
    inside = (times >= 0.0155) & (times <= 0.05)
    spans = np.ptp(clean[:, inside], axis=1)
    assert mep_amplitude_corrected(x, times).max() <= spans.max()


def test_trials_without_artefact_keep_every_sample():
    from excitability.measures._responses import find_responses

    x, times = _trials("none", 5000.0, "white", response=30 * NOISE)
    found = find_responses(x, times, WINDOW)
    own = x[:, times.size - x.shape[1] :] - found.base[:, None]
    stop = np.flatnonzero(times <= 0.05 + 1e-9)[-1] + 1
    alone = np.isnan(found.artefact)
    assert alone.mean() >= 0.9
    assert (found.traces[alone] == own[alone, stop - found.traces.shape[1] : stop]).all()


@pytest.mark.parametrize("colour", ["white", "emg"])
def test_artefact_end_is_when_the_artefact_is_below_the_noise(colour):
    def ends(name):
        return artefact_end(*_trials(name, 5000.0, colour))

    assert np.median(ends("none")) == 0
    for name, true in (("decay", 0.011), ("of 3 V", 0.0193), ("held sample", 0.011), ("ramp", 0.013)):
        assert np.median(ends(name)) == pytest.approx(true, abs=0.0025), name
    for ms in (8, 12, 14.8, 16):
        assert np.median(ends(f"decay cut off at {ms} ms")) == pytest.approx(ms / 1000, abs=0.0003)
    assert np.isnan(ends("step that stays")).all()
    assert np.isnan(ends("slow decay")).mean() > 0.9


def test_a_response_is_no_artefact():
    x, times = _trials("decay", 5000.0, "white", response=100 * NOISE)
    alone, _ = _trials("decay", 5000.0, "white")
    np.testing.assert_array_equal(artefact_end(x, times), artefact_end(alone, times))


@pytest.mark.parametrize("colour", ["white", "emg"])
@pytest.mark.parametrize(("size", "least"), [(0, 0.9), (3, 0.82), (10, 0.88), (50, 0.9)])
def test_the_standard_error_covers_the_truth(size, least, colour):
    common = {"artefact": "none", "hum": 0.0, "noise_rms": 1e-9, "amplitude_sigma": 1e-6, "no_response": 0.0}
    x, times, truth = mep_trials(150, generator="volley", amplitude_median=max(size, 0.001) * NOISE, seed=5, **common)
    x = x + _noise(len(x), times, colour, np.random.default_rng(9))
    off = np.abs(mep_amplitude_corrected(x, times) - truth["amplitude"].to_numpy())
    assert np.mean(off <= 1.96 * mep_amplitude_standard_error(x, times)) >= least


def _pairs(intervals, n=6):
    single = {"protocol": "paired", "pulse_count": 1, "inter_stimulus_interval": np.nan, "intensity": 60.0}
    rows = [{**single, "conditioning_intensity": np.nan}] * n
    for interval in intervals:
        rows += [{**single, "pulse_count": 2, "inter_stimulus_interval": interval, "conditioning_intensity": 40.0}] * n
    return pd.DataFrame(rows).sample(frac=1, random_state=1).reset_index(drop=True)


def _recording(table, rate, artefact, seed=2):
    raw, _ = session(table, channels={"RFDI": {}, "LES": {}}, sampling_rate=rate, artefact=artefact, seed=seed)
    onset = np.asarray(raw.annotations.onset)
    raw.set_annotations(None)
    return raw, onset


@pytest.mark.parametrize("marked", ["first", "last"])
@pytest.mark.parametrize(("rate", "artefact"), [(5000.0, "decay"), (5000.0, "ringing"), (2000.0, "saturation")])
def test_pulses_pairs_delay_and_jitter_are_found_by_the_artefact(rate, artefact, marked):
    table = _pairs([0.002, 0.003, 0.010, 0.100])
    raw, onset = _recording(table, rate, artefact)
    interval = table["inter_stimulus_interval"].fillna(0.0).to_numpy()
    jitter = 0.0003 * np.random.default_rng(1).standard_normal(onset.size)
    trigger = onset - 0.0015 + jitter - (interval if marked == "first" else 0.0)
    found, notes = align(raw, pd.DataFrame({"onset": trigger}))
    assert np.abs(found["onset"] - onset).max() <= 1.1 / rate
    np.testing.assert_allclose(found["inter_stimulus_interval"].fillna(0.0), interval, atol=1.1 / rate)
    assert found["pulse_count"].tolist() == table["pulse_count"].tolist()
    assert any("after the trigger" in note for note in notes)
    assert any("pairs" in note for note in notes)
    kept, _ = align(raw, pd.DataFrame({"onset": trigger}), to="trigger")
    assert np.abs(kept["onset"] - (onset - 0.0015 + jitter)).max() <= 1.1 / rate


@pytest.mark.parametrize("artefact", ["decay", "ringing", "saturation", "none"])
def test_responses_are_no_pulses_and_exact_triggers_stay(artefact):
    raw, onset = _recording("recruitment_curve", 5000.0, artefact)
    table = pd.DataFrame({"onset": onset})
    found, notes = align(raw, table)
    assert found.equals(table)
    assert notes == []


def test_pulses_closer_than_their_artefacts_stay_unknown():
    table = _pairs([0.0006])
    raw, onset = _recording(table, 5000.0, "decay")
    found, _ = align(raw, pd.DataFrame({"onset": onset}))
    assert "pulse_count" not in found


def test_pairs_are_found_without_any_trigger(tmp_path):
    raw, onset = _recording(_pairs([0.003, 0.012]), 5000.0, "decay")
    path = tmp_path / "no_triggers_raw.fif"
    with mne.utils.use_log_level("ERROR"):
        raw.save(path, fmt="double")
    found = ex.stimuli(ex.read(path))
    assert np.abs(found["onset"] - onset).max() <= 0.0005
    assert sorted(found["inter_stimulus_interval"].dropna().unique().round(4)) == [0.003, 0.012]
