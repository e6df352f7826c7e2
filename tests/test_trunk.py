"""Trunk muscles: both hemispheres, anticipatory activation, and protocols in contraction with a heart."""

import mne
import numpy as np
import pandas as pd
import pytest

import excitability as ex
from excitability.measures import get_measure, laterality_index, muscle_onset_difference, voluntary_onset
from excitability.protocol import load_battery
from excitability.protocol.running import conditions_of
from excitability.simulate.background import coloured_noise, interference_pattern

RATE = 2000.0
TIMES = np.arange(-2000, 2000) / RATE
PROTOCOL = {"window": (0.0, 0.8), "baseline": (-0.9, -0.005)}


def covered(estimate, truth):
    return estimate.ci_low <= truth <= estimate.ci_high


def pattern(n, rng, kind):
    """Unit EMG of motor units, or coloured noise: two constructions."""
    length = n * (TIMES.size + 100)
    if kind == "units":
        return interference_pattern(length, RATE, rng).reshape(n, -1)[:, : TIMES.size]
    band = lambda f: (f / 60) / (1 + (f / 60) ** 2) / (1 + (f / 200) ** 2)  # noqa: E731
    return coloured_noise(n, TIMES.size, RATE, band, rng)


def bursts(n, rng, kind="units", tonic=10e-6, burst=80e-6, ramp=0.03, onset=None):
    onset = rng.uniform(0.12, 0.32, n) if onset is None else onset
    gain = np.clip((TIMES - onset[:, None]) / ramp, 0, 1) * np.where(onset[:, None] + 0.25 < TIMES, 0.4, 1)
    noise = 3e-6 * rng.standard_normal((n, TIMES.size))
    return tonic * pattern(n, rng, kind) + burst * gain * pattern(n, rng, kind) + noise, onset


def beats(n, rng, size=100e-6):
    out = np.zeros((n, TIMES.size))
    for row in out:
        at = rng.uniform(-1, -0.2)
        while at < 1:
            lag = TIMES - at
            for shift, width, part in ((0, 0.010, 1), (0.026, 0.009, -0.3), (-0.024, 0.007, -0.15), (0.25, 0.04, 0.22)):
                row += size * part * np.exp(-0.5 * ((lag - shift) / width) ** 2)
            at += rng.uniform(0.75, 0.95)
    return out


# voluntary onset -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["units", "noise"])
@pytest.mark.parametrize("tonic", [2e-6, 20e-6])
def test_onset_of_a_burst_on_tonic_activity(kind, tonic):
    rng = np.random.default_rng(1)
    x, onset = bursts(60, rng, kind, tonic, burst=max(100e-6, 6 * tonic))
    error = voluntary_onset(x, TIMES, **PROTOCOL) - onset
    assert np.isfinite(error).mean() > 0.97
    assert np.nanmedian(np.abs(error)) < 0.007
    assert abs(np.nanmedian(error)) < 0.004


def test_heart_beats_are_no_bursts_and_move_no_onset():
    rng = np.random.default_rng(2)
    heart = beats(80, rng)
    quiet, _ = bursts(80, rng, burst=0.0)
    assert np.isfinite(voluntary_onset(quiet + heart, TIMES, **PROTOCOL)).mean() <= 0.04
    x, onset = bursts(80, rng, burst=100e-6)
    assert np.nanmedian(np.abs(voluntary_onset(x + heart, TIMES, **PROTOCOL) - onset)) < 0.008


@pytest.mark.parametrize("kind", ["units", "noise"])
def test_tonic_activity_alone_has_no_onset(kind):
    x, _ = bursts(150, np.random.default_rng(3), kind, tonic=20e-6, burst=0.0)
    assert np.isfinite(voluntary_onset(x, TIMES, **PROTOCOL)).mean() <= 0.04


def test_a_short_baseline_and_a_late_window_are_errors():
    x = np.zeros((2, TIMES.size))
    with pytest.raises(ValueError, match=r"0\.2 s or more"):
        voluntary_onset(x, TIMES, baseline=(-0.1, -0.005))
    with pytest.raises(ValueError, match="cut a longer epoch"):
        voluntary_onset(x, TIMES, window=(0.96, 0.99))


# muscles and their prime mover ---------------------------------------------------------------------------------


def onsets(mover, other):
    return (
        pd.DataFrame({"muscle": "AD", "voluntary_onset": mover}),
        pd.DataFrame({"muscle": "MF", "voluntary_onset": other}),
    )


def test_interval_of_an_onset_difference_covers():
    rng = np.random.default_rng(4)
    hits = []
    for _ in range(400):
        mover = 0.25 + 0.03 * rng.standard_normal(10)
        found = muscle_onset_difference(*onsets(mover, mover - 0.02 + 0.015 * rng.standard_normal(10)))
        hits.append(covered(found["muscle_onset_difference"], -0.02))
    assert 0.92 <= np.mean(hits) <= 0.98


def test_order_of_channels_is_irrelevant_and_absence_is_counted():
    mover = np.array([0.20, 0.22, 0.25, 0.21, 0.23])
    other = np.array([0.18, np.nan, 0.33, np.nan, 0.22])
    tables = onsets(mover, other)
    found, swapped = muscle_onset_difference(*tables), muscle_onset_difference(*tables[::-1])
    assert found == swapped
    assert found["muscle_onset_difference"] == pytest.approx(np.mean([-0.02, 0.08, -0.01]))
    assert found["muscle_onset_difference"].flag == "onsets_missing"
    assert found["feed_forward_share"] == pytest.approx(2 / 3)
    assert found["muscle_onset_missing_share"] == pytest.approx(0.4)
    assert muscle_onset_difference(tables[1], tables[1])["feed_forward_share"].flag == "no_prime_mover"
    absent = muscle_onset_difference(tables[0], tables[1].assign(voluntary_onset=np.nan))
    assert absent["muscle_onset_difference"].flag == "no_onsets"
    assert absent["muscle_onset_missing_share"] == 1
    with pytest.raises(ValueError, match="same movements"):
        muscle_onset_difference(tables[0], tables[1].iloc[:2])
    numbered = [table.assign(trial=np.arange(len(table))) for table in tables]
    with pytest.raises(ValueError, match=r"same movements.*'trial' differs"):
        muscle_onset_difference(numbered[0], numbered[1].assign(trial=10 + np.arange(len(numbered[1]))))


def test_anticipatory_activation_of_a_recording():
    rng = np.random.default_rng(5)
    n, pad = 12, 1000
    mover, at = bursts(n, rng, tonic=2e-6, burst=200e-6)
    trunk, _ = bursts(n, rng, tonic=15e-6, burst=100e-6, onset=at - 0.025)
    data = np.array([np.pad(x, ((0, 0), (pad, pad)), mode="wrap").ravel() for x in (mover, trunk)])
    raw = mne.io.RawArray(data, mne.create_info(["R_AD", "L_MF"], RATE, "emg"), verbose="ERROR")
    cue = (np.arange(n) * (TIMES.size + 2 * pad) + pad + 2000) / RATE
    raw = ex.set_stimuli(raw, pd.DataFrame({"onset": cue, "stimulus_type": "movement"}))
    result = ex.run(raw, "anticipatory_activation").set_index(["channel", "measure"])
    row = result.loc[("R_AD+L_MF", "muscle_onset_difference")]
    assert row["value"] == pytest.approx(-0.025, abs=0.008)
    assert row["ci_low"] < -0.025 < row["ci_high"]
    assert row["n_trials"] == n
    assert result.loc[("R_AD+L_MF", "feed_forward_share"), "value"] > 0.9


# laterality ----------------------------------------------------------------------------------------------------


def both(rng, n, contralateral, ipsilateral, cv, signed=False):
    if signed:
        size = np.r_[contralateral + cv * rng.standard_normal(n), ipsilateral + cv * rng.standard_normal(n)]
    else:
        s = np.sqrt(np.log1p(cv**2))
        size = np.repeat([contralateral, ipsilateral], n) * rng.lognormal(-s * s / 2, s, 2 * n)
    return pd.DataFrame({"channel": "MF_right", "hemisphere": np.repeat(["left", "right"], n), "mep_area": 1e-6 * size})


@pytest.mark.parametrize(
    ("contralateral", "ipsilateral", "cv", "signed"),
    [(3, 1, 0.4, False), (1.2, 1, 0.7, False), (3, 0, 1, True), (3, 0.2, 1, True)],
)
def test_interval_of_the_laterality_index_covers(contralateral, ipsilateral, cv, signed):
    rng = np.random.default_rng(6)
    truth = (contralateral - ipsilateral) / (contralateral + ipsilateral)
    found = [
        laterality_index(both(rng, n, contralateral, ipsilateral, cv, signed)) for n in (10, 20) for _ in range(150)
    ]
    assert 0.92 <= np.mean([covered(each, truth) for each in found]) <= 0.985


@pytest.mark.parametrize(
    ("channel", "muscle", "sign"),
    [
        ("MF_right", "MF", 1),
        ("left MF", "MF", -1),
        ("LMF", "MF", -1),
        ("RES", "ES", 1),
        ("MF_R2", "MF", 0),
        ("LES", "MF", 0),
    ],
)
def test_the_side_is_read_from_the_channel(channel, muscle, sign):
    table = both(np.random.default_rng(7), 10, 3, 1, 0.3).assign(channel=channel, muscle=muscle)
    found = laterality_index(table)
    if sign:
        assert np.sign(found) == sign
        assert laterality_index(table, side="right" if sign > 0 else "left") == found
    else:
        assert found.flag == "side_unknown"


def test_laterality_says_what_is_missing():
    table = both(np.random.default_rng(8), 10, 3, 1, 0.3)
    assert laterality_index(table.iloc[:10]).flag == "no_ipsilateral_trials"
    assert laterality_index(table.drop(columns="hemisphere")).flag == "no_contralateral_trials"
    assert laterality_index(table.assign(mep_area=-table["mep_area"])).flag == "contralateral_at_noise_floor"
    assert laterality_index(table.iloc[[0, 1, 10, 11]]).flag == "few_trials"
    with pytest.raises(ValueError, match="unknown side 'lft'"):
        laterality_index(table, side="lft")


@pytest.mark.parametrize(
    "name",
    [
        "active_motor_threshold_trunk",
        "recruitment_curve_trunk",
        "trunk_laterality",
        "mep_trunk",
        "sici_trunk",
        "sicf_trunk",
        "motor_map_trunk",
        "cortical_silent_period_trunk",
    ],
)
def test_trunk_protocols_remove_the_heart_and_keep_active_trials(name):
    protocol = ex.load_protocol(name)
    assert protocol.cleaning[0]["step"] == "remove_ecg"
    assert protocol.reject["ecg_distance"] == "< 0.05"
    assert protocol.reject["background_emg"] == "outside 0.5 of median"


def test_the_trunk_battery_declares_outcomes_that_its_protocols_give():
    battery = load_battery("m1_trunk")
    given = {}
    for protocol in battery.protocols:
        names = set()
        for key, arguments in {**protocol.summary, **protocol.epochs}.items():
            unit = get_measure(arguments.get("measure", key)).unit
            names |= {key} if isinstance(unit, str) else set(unit)
        given[protocol.name] = names
    assert len(battery.primary) == 1
    for outcome in (*battery.primary, *battery.secondary, *battery.exploratory):
        assert outcome["measure"] in given[outcome["protocol"]], outcome


def test_pairs_of_other_intensities_are_left_out_where_active_threshold_is_known():
    pairs = pd.DataFrame(
        {
            "pulse_count": [1.0, 2.0, 2.0, 2.0],
            "inter_stimulus_interval": [np.nan, 0.002, 0.002, 0.003],
            "conditioning_intensity_amt": [np.nan, 80.0, 110.0, np.nan],
        }
    )
    assert conditions_of(ex.load_protocol("sici_trunk"), pairs).tolist() == ["test", "isi_0.002", "", "isi_0.003"]


@pytest.mark.parametrize("n", [2, 20])
def test_a_negative_ipsilateral_mean_is_no_laterality(n):
    rng = np.random.default_rng(50)
    area = np.repeat([1e-6, -1.5e-6], n) * rng.lognormal(0, 0.1, 2 * n)
    table = pd.DataFrame({"channel": "MF_right", "hemisphere": np.repeat(["left", "right"], n), "mep_area": area})
    found = laterality_index(table)
    assert np.isnan(found)
    assert found.flag == "ipsilateral_negative"
