"""Scalp muscle of the pulse, projected out before the decay; ICLabel beside our rules."""

from __future__ import annotations

import importlib.util
import sys
import types

import mne
import numpy as np
import pytest

from excitability import cleaning
from excitability.cleaning import label_tms_components, log_of, pass_through
from excitability.cleaning._leadfield import leadfield_of
from excitability.cleaning.components import decompose
from excitability.cleaning.iclabel import label_iclabel_components

RATE = 2000.0
TIMES = np.arange(-800, 800) / RATE
NAMES = tuple(name for name in mne.channels.make_standard_montage("biosemi64").ch_names if name != "Iz")
INFO = mne.create_info(list(NAMES), RATE, "eeg").set_montage("biosemi64")
PLACES = np.array([channel["loc"][:3] for channel in INFO["chs"]])
AFTER = np.maximum(TIMES, 0)
EARLY = (TIMES > 0.0125) & (TIMES < 0.04)


def at_muscle(electrode: str, fibre: tuple[float, float, float]) -> np.ndarray:
    """Field of a dipole a few millimetres under an electrode, in a half space: nothing that a brain could make."""
    away = PLACES - 0.93 * PLACES[NAMES.index(electrode)]
    field = away @ np.array(fibre) / (np.sum(away**2, axis=1) + 0.006**2) ** 1.5
    return (field - field.mean()) / np.abs(field).max()


def twitch(latency: float, width: float, tail: float) -> np.ndarray:
    """Two smooth phases with a tail: little of it is above 100 Hz."""
    since = (TIMES - latency) / width
    wave = -since * np.exp(0.5 - 0.5 * since**2) + 0.2 * (1 - np.exp(-AFTER / 0.004)) * np.exp(-AFTER / tail)
    return np.where(TIMES > 0, wave, 0.0)


FIELDS = np.column_stack([at_muscle("F7", (0.2, 0.9, 0.3)), at_muscle("FT7", (0.1, -0.3, 0.9))])
WAVES = np.array([twitch(0.006, 0.004, 0.009), twitch(0.008, 0.003, 0.012)])
MUSCLE = 4e-4 * FIELDS @ (np.array([[1.0], [0.6]]) * WAVES)


@pytest.fixture(scope="module")
def brain() -> dict[str, np.ndarray]:
    """Background of sources all over the head, decays of the electrodes, and a response."""
    rng = np.random.default_rng(3)
    epochs = mne.EpochsArray(np.zeros((1, len(NAMES), TIMES.size)), INFO, tmin=TIMES[0], verbose=False)
    fields = leadfield_of(epochs, np.arange(len(NAMES)), None)
    fields = fields / np.abs(fields).max(axis=0)
    sources = rng.standard_normal((30, 60, TIMES.size + 200))
    sources = np.apply_along_axis(lambda x: np.convolve(x, np.hanning(60), "same"), -1, sources)[..., 100:-100]
    background = 0.5e-6 * fields[:, rng.choice(2000, 60)] @ sources
    background += 0.5e-6 * rng.standard_normal(background.shape)
    near = np.exp(-(np.linalg.norm(PLACES - PLACES[NAMES.index("F3")], axis=1) ** 2) / 0.003)
    size = 6e-5 * near * rng.uniform(0.3, 1, len(NAMES)) * rng.choice([-1, 1], len(NAMES))
    decay = size[:, None] * np.where(TIMES > 0, np.exp(-AFTER / rng.uniform(0.006, 0.02, (len(NAMES), 1))), 0)
    under = fields[:, [np.argmax(fields[NAMES.index(name)]) for name in ("F3", "FC1", "F1")]]
    peaks = [4e-6 * np.exp(-0.5 * ((TIMES - at) / wide) ** 2) for at, wide in ((0.025, 4e-3), (0.041, 6e-3))]
    response = under @ np.array([*peaks, 6e-6 * np.exp(-0.5 * ((TIMES - 0.062) / 9e-3) ** 2)])
    response[:, TIMES <= 0] = 0
    gains = rng.normal(1, 0.2, (30, 1, 1))
    return {"ongoing": background + rng.normal(1, 0.1, (30, 1, 1)) * decay, "response": response, "gains": gains}


def without_pulse(x: np.ndarray) -> mne.EpochsArray:
    return cleaning.remove_pulse(mne.EpochsArray(x, INFO, tmin=TIMES[0], verbose=False))


def test_twitches_that_vary_are_taken_out_under_a_decay_and_the_response_stays(brain):
    rng = np.random.default_rng(4)
    sizes = np.exp(0.35 * rng.standard_normal((30, 2, 1)))
    muscle = np.einsum("ck,tkn->tcn", FIELDS, sizes * 4e-4 * np.array([[1.0], [0.6]]) * WAVES)
    cut = without_pulse(brain["ongoing"] + brain["gains"] * brain["response"] + muscle)
    cleaned = cleaning.ssp_sir(cut, n_components="auto")
    assert "2 muscle topographies" in log_of(cleaned).iloc[-1]["removed"]
    left = pass_through(cleaned, MUSCLE)
    assert np.abs(left[:, EARLY]).max() < 0.06 * np.abs(MUSCLE[:, EARLY]).max()
    true = brain["response"][:, EARLY] - brain["response"][:, EARLY].mean(axis=0)
    kept = pass_through(cleaned, brain["response"])[:, EARLY]
    assert 0.9 < np.sum(kept * true) / np.sum(true**2) < 1.1
    assert np.corrcoef(kept.ravel(), true.ravel())[0, 1] > 0.97


@pytest.mark.parametrize("scale", [1.0, 2.5])
def test_a_response_and_a_decay_without_muscle_are_left_alone(brain, scale):
    cut = without_pulse(brain["ongoing"] + scale * brain["gains"] * brain["response"])
    assert np.array_equal(cleaning.ssp_sir(cut, n_components="auto").get_data(), cut.get_data())


def test_a_twitch_of_one_size_is_found_because_it_is_fast(brain):
    wave = np.where(TIMES > 0, np.sin(2 * np.pi * 90 * TIMES) * np.exp(-AFTER / 0.01), 0)
    cut = without_pulse(brain["ongoing"] + 5e-5 * np.outer(FIELDS[:, 0], wave))
    cleaned = cleaning.ssp_sir(cut, n_components="auto")
    assert "(0 as they vary, 1 as they are fast)" in log_of(cleaned).iloc[-1]["removed"]


def test_the_first_pulse_of_a_pair_is_looked_after_too(brain):
    import pandas as pd

    rng = np.random.default_rng(5)
    sizes = 4e-4 * np.exp(0.35 * rng.standard_normal((30, 2, 1)))
    early = np.roll(MUSCLE, -round(0.1 * RATE), axis=1)
    waves = np.roll(np.array([[1.0], [0.6]]) * WAVES, -round(0.1 * RATE), axis=1)
    x = brain["ongoing"] + np.einsum("ck,tkn->tcn", FIELDS, sizes * waves)
    epochs = mne.EpochsArray(x, INFO, tmin=TIMES[0], verbose=False)
    epochs.metadata = pd.DataFrame({"inter_stimulus_interval": [0.1] * 30})
    cleaned = cleaning.ssp_sir(cleaning.remove_pulse(epochs), n_components="auto")
    left = pass_through(cleaned, early)
    seen = np.roll(EARLY, -round(0.1 * RATE))
    assert np.abs(left[:, seen]).max() < 0.1 * np.abs(early[:, seen]).max()


def test_auto_says_what_it_needs(brain):
    cut = without_pulse(brain["ongoing"])
    for bad in (cut[:3], cut.copy().crop(-0.03, 0.3), cut.copy().crop(-0.3, 0.03)):
        with pytest.raises(ValueError, match="4 trials or more of a kind"):
            cleaning.ssp_sir(bad, n_components="auto")
    with pytest.raises(ValueError, match="cannot show muscle"):
        cleaning.ssp_sir(cut, n_components="auto", window=(0.010, 0.012))


# --- ICLabel beside our rules ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def blinking(brain) -> mne.EpochsArray:
    rng = np.random.default_rng(7)
    x = brain["ongoing"].copy()
    front = np.exp(-(np.linalg.norm(PLACES - PLACES[NAMES.index("Fpz")], axis=1) ** 2) / 0.004)
    for trial in range(0, 30, 2):
        x[trial] += 1.5e-4 * np.outer(front, np.exp(-0.5 * ((TIMES - rng.uniform(-0.3, 0.3)) / 0.06) ** 2))
    return cleaning.interpolate_pulse(cleaning.remove_decay(without_pulse(x)))


@pytest.fixture
def network(monkeypatch) -> None:
    """Stands in for mne-icalabel's network: it calls the first component a blink."""

    def label_components(inst, ica, method):
        assert method == "iclabel"
        assert (inst.info["highpass"], inst.info["lowpass"]) == (1.0, 100.0)
        assert np.allclose(inst.get_data(copy=False).mean(axis=1), 0, atol=1e-12)
        n = ica.n_components_
        return {"y_pred_proba": np.full(n, 0.9, np.float32), "labels": ["eye blink", *["brain"] * (n - 1)]}

    found = importlib.util.find_spec
    present = ("mne_icalabel", "onnxruntime")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *a: name if name in present else found(name, *a))
    monkeypatch.setitem(sys.modules, "mne_icalabel", types.SimpleNamespace(label_components=label_components))


def test_rules_and_iclabel_label_the_same_components_in_one_shape(blinking, network):
    ica = decompose(blinking, 10, 100.0, 0)
    for found in (label_tms_components(blinking, ica), label_iclabel_components(blinking, ica)):
        assert list(found) == ["y_pred_proba", "labels"]
        assert isinstance(found["labels"], list)
        assert len(found["labels"]) == 10
        assert found["y_pred_proba"].shape == (10,)
        assert found["y_pred_proba"].dtype == float


def test_components_that_either_names_go(blinking, network):
    theirs = cleaning.remove_components(blinking, method="iclabel", n_components=10)
    assert log_of(theirs).iloc[-1]["removed"] == "1 of 10 components: eye blink (0.90, ICLabel)"
    both = cleaning.remove_components(blinking, method="both", labels=["eye blink"], n_components=10)
    assert "eye blink" in log_of(both).iloc[-1]["removed"]
    with pytest.raises(ValueError, match="component label 'tms muscle'"):
        cleaning.remove_components(blinking, method="iclabel", labels=["tms muscle"])
    with pytest.raises(ValueError, match="method of remove_components"):
        cleaning.remove_components(blinking, method="icalabel")


def test_iclabel_without_a_network_says_what_to_type(blinking, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *a: None)
    with pytest.raises(ValueError, match="pip install mne-icalabel onnxruntime"):
        label_iclabel_components(blinking, None)


@pytest.mark.skipif(
    not any(importlib.util.find_spec(name) for name in ("onnxruntime", "torch")), reason="ICLabel's network"
)
def test_iclabel_itself_finds_the_blink(blinking):
    cleaned = cleaning.remove_components(blinking, method="iclabel", labels=["eye blink"], n_components=15)
    assert "eye blink" in log_of(cleaned).iloc[-1]["removed"]
