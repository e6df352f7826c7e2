"""What the removal of decays leaves of broad, overlapping responses, drawn at random: gain known from the truth."""

from __future__ import annotations

import mne
import numpy as np
import pytest

from excitability.cleaning import apply, remove_decay
from excitability.cleaning._registry import recorded

RATE = 1000.0
TIMES = np.arange(-500, 501) / RATE
MONTAGE = mne.channels.make_standard_montage("biosemi64")
SEEN = (TIMES >= 0.012) & (TIMES <= 0.3)


def field(rng, unit):
    """A dipole somewhere in the upper half, seen through a blurring skull, average-referenced; largest value 1."""
    place = rng.standard_normal(3)
    place[2] = abs(place[2])
    place /= np.linalg.norm(place)
    turned = place + rng.standard_normal(3)
    away = unit - rng.uniform(0.55, 0.8) * place
    seen = away @ turned / (np.linalg.norm(away, axis=1) ** 2 + 0.05) ** 1.5
    seen -= seen.mean()
    return seen / np.abs(seen).max()


def made(seed, decay=0.0, n_trials=30, widths=(0.12, 0.35), rise=1.1):
    """Trials (V), truth, decay of the average. Several components a latency, as wide as a share of it.

    As in real averages those before 50 ms are smaller the earlier they come; with ``rise`` 0 they are not.
    """
    rng = np.random.default_rng([seed, 12])
    unit = np.array(list(MONTAGE.get_positions()["ch_pos"].values())) - [0, 0, 0.04]
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    truth = np.zeros((64, TIMES.size))
    for latency in np.repeat([0.030, 0.045, 0.060, 0.100, 0.180], rng.integers(1, 4, 5)):
        at = latency * np.exp(0.12 * rng.standard_normal())
        wave = np.exp(-0.5 * ((TIMES - at) / (at * rng.uniform(*widths))) ** 2)
        truth += np.outer(
            rng.choice([-1, 1]) * rng.uniform(2e-6, 7e-6) * min(1, at / 0.05) ** rise * field(rng, unit), wave
        )
    if seed % 2:  # a slow potential
        late = np.maximum(TIMES, 0) / 0.12
        truth += 4e-6 * np.outer(field(rng, unit), late * np.exp(1 - late))
    truth *= np.clip(TIMES / 0.008, 0, 1) * np.clip((0.5 - TIMES) / 0.1, 0, 1)
    mixing = np.array([field(rng, unit) for _ in range(25)]).T
    frequency = np.maximum(np.fft.rfftfreq(2 * TIMES.size, 1 / RATE), 1.0)
    spectrum = np.fft.rfft(rng.standard_normal((n_trials, 25, 2 * TIMES.size))) * frequency**-0.6
    sources = np.fft.irfft(spectrum)[..., : TIMES.size]
    x = 2e-6 * mixing @ (sources / sources.std()) + 7e-7 * rng.standard_normal((n_trials, 64, TIMES.size))
    artefact = np.zeros_like(truth)
    for channel in np.flatnonzero(rng.random(64) < 0.6):
        constant, after = np.exp(rng.uniform(np.log(0.006), np.log(0.04))), np.maximum(TIMES, 0)
        shape = (1 + 3 * after / constant) ** -1.3 if rng.random() < 0.5 else np.exp(-((after / constant) ** 0.8))
        size = decay * np.exp(0.4 * rng.standard_normal()) * rng.choice([-1, 1])
        artefact[channel] = size * shape / shape[TIMES.searchsorted(0.010)] * (TIMES >= 0)
    sizes = rng.normal(1, 0.12, n_trials)
    x += rng.normal(1, 0.15, n_trials)[:, None, None] * truth + sizes[:, None, None] * artefact
    x[..., (TIMES >= -0.002) & (TIMES < 0.010)] = 0
    info = mne.create_info(MONTAGE.ch_names, RATE, "eeg").set_montage(MONTAGE)
    return mne.EpochsArray(x, info, tmin=TIMES[0], verbose=False), truth, sizes.mean() * artefact


def error(epochs, cleaned, artefact):
    """Too much taken from the average, average-referenced (n_channels, n_times)."""
    taken = (epochs.get_data() - cleaned.get_data()).mean(axis=0) - artefact
    return (taken - taken.mean(axis=0))[:, SEEN]


def gain(epochs, cleaned, truth, artefact):
    true = (truth - truth.mean(axis=0))[:, SEEN]
    return 1 - np.sum(error(epochs, cleaned, artefact) * true) / np.sum(true**2)


@pytest.mark.parametrize("seed", range(3))
def test_responses_stay_where_there_is_no_decay(seed):
    epochs, truth, nothing = made(seed)
    cleaned = remove_decay(epochs)
    assert gain(epochs, cleaned, truth, nothing) > 0.86
    assert np.sqrt(np.mean(error(epochs, cleaned, nothing) ** 2)) < 0.45e-6


@pytest.mark.parametrize("seed", range(3))
def test_what_waves_larger_and_broader_than_usual_lose(seed):
    """As large at 30 as at 180 ms and up to 0.6 of their latency wide: a decay explains part of them."""
    epochs, truth, nothing = made(seed, widths=(0.2, 0.6), rise=0.0)
    assert gain(epochs, remove_decay(epochs), truth, nothing) > 0.75


@pytest.mark.parametrize("size", [5e-6, 15e-6])
def test_small_decays_are_no_excuse(size):
    """Of decays the size of the response most goes, and the response stays: neither is bought with the other."""
    gains, errors, before = [], [], []
    for seed in (10, 11):
        epochs, truth, artefact = made(seed, size)
        cleaned = remove_decay(epochs)
        gains.append(gain(epochs, cleaned, truth, artefact))
        errors.append(np.mean(error(epochs, cleaned, artefact) ** 2))
        before.append(np.mean((artefact - artefact.mean(axis=0))[:, SEEN] ** 2))
    assert np.mean(gains) > 0.8
    assert np.mean(errors) < 0.2 * np.mean(before)


def test_slow_charge_of_each_electrode_goes():
    """200 µV with a time constant of two seconds, four times as long as the trial after the pulse."""
    epochs, _, artefact = made(3, 15e-6)
    sizes = np.random.default_rng(3).uniform(-2e-4, 2e-4, (64, 1))
    slow = sizes * np.where(TIMES >= 0, np.exp(-np.maximum(TIMES, 0) / 2.0), 0)
    epochs._data += slow
    assert np.sqrt(np.mean(error(epochs, remove_decay(epochs), artefact + slow) ** 2)) < 2.5e-6
    assert np.sqrt(np.mean(slow[:, SEEN] ** 2)) > 80e-6


def test_drift_is_no_decay():
    """Electrodes of direct-coupled amplifiers drift by the same in all trials: 50 µV/s, as before the pulse."""
    epochs, _, artefact = made(4, 15e-6)
    plain = error(epochs, remove_decay(epochs), artefact)
    epochs._data += np.random.default_rng(4).uniform(-5e-5, 5e-5, (64, 1)) * TIMES
    drifting = error(epochs, remove_decay(epochs), artefact)
    assert np.sqrt(np.mean(drifting**2)) < np.sqrt(np.mean(plain**2)) + 0.7e-6


def test_flat_noisy_and_bad_channels_spoil_no_other():
    epochs, _, _ = made(20, 15e-6)
    alone = remove_decay(epochs)
    spoilt = epochs.copy()
    spoilt._data[:, 3] = 0.0
    spoilt._data[:, 9] = 5e-3
    spoilt._data[:, 30] *= 1e3
    spoilt._data[:, 40] += 1e-3 * np.exp(-TIMES / 0.05) * (TIMES > 0)
    spoilt.info["bads"] = [spoilt.ch_names[40]]
    spoilt._data[:, 50] = np.nan
    spoilt.info["bads"] += [spoilt.ch_names[50]]
    cleaned = remove_decay(spoilt)
    assert np.abs(cleaned.get_data()[:, 3]).max() < 1e-12
    assert np.isnan(cleaned.get_data()[:, 50]).all()
    others = np.delete(np.arange(64), [3, 9, 30, 40, 50])
    moved = (cleaned.get_data() - alone.get_data()).mean(axis=0)[others][:, SEEN]
    assert np.sqrt(np.mean(moved**2)) < 0.6e-6


@pytest.mark.parametrize("n_trials", [1, 2, 6])
def test_few_trials_and_channels_without_positions(n_trials):
    epochs, _, artefact = made(21, 60e-6, n_trials)
    largest = [epochs.ch_names[k] for k in np.argsort(-np.abs(artefact).max(axis=1))[:2]]
    for some in (epochs, epochs.copy().set_montage(None), epochs.copy().pick(largest)):
        cleaned = remove_decay(some)
        left = cleaned.get_data(tmin=0.011, tmax=0.015).mean(axis=0)
        assert np.sqrt(np.mean(left**2)) < 0.5 * np.sqrt(np.mean(some.get_data(tmin=0.011, tmax=0.015) ** 2))


def test_the_log_says_what_was_taken():
    epochs, _, artefact = made(22, 60e-6)
    cleaned, _ = apply(epochs, [{"step": "remove_pulse"}, {"step": "remove_decay"}])
    size = recorded(cleaned, "remove_decay", "size")
    at = TIMES.searchsorted(0.010)
    large = np.abs(artefact[:, at]) > 30e-6
    assert size[large] == pytest.approx(np.abs(artefact[large, at]), rel=0.5)
    constants = recorded(cleaned, "remove_decay", "time_constant")[large]
    assert np.all((constants > 0.002) & (constants < 0.5))
    assert recorded(cleaned, "remove_decay", "course").shape == (64, TIMES.size)


def test_wrong_sizes_and_times_are_named():
    epochs, _, _ = made(22, 60e-6, 3)
    with pytest.raises(ValueError, match="response_size is in volts, such as 4e-6, not 4"):
        remove_decay(epochs, response_size=4)
    with pytest.raises(ValueError, match=r"tmax is 0.05 s; 0.1 s or more"):
        remove_decay(epochs, tmax=0.05)
