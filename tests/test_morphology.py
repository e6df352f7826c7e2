"""End, turns, phases, thickness and net area of responses whose shape is known."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.io import loadmat

from excitability import measures
from excitability.measures import (
    background_emg,
    background_mean_rectified,
    background_peak_to_peak,
    mep_area,
    mep_duration,
    mep_end,
    mep_latency,
    mep_phases,
    mep_thickness,
    mep_turns,
)
from excitability.resources import muscle_window
from excitability.simulate import mep_trials

TIMES = np.arange(-500, 1000) / 5000

#: Heights of successive half-sine lobes of 2.5 ms from 22 ms on, with their turns and phases.
LOBES = {
    "biphasic": ([1.0, -0.8], 2, 2),
    "triphasic": ([0.3, -1.0, 0.6], 3, 3),
    "polyphasic": ([0.4, -0.7, 1.0, -0.6, 0.3], 5, 5),
    "monophasic": ([1.0], 1, 1),
}


def _lobes(heights, width=0.0025):
    shape = np.zeros(TIMES.size)
    for k, height in enumerate(heights):
        place = (TIMES - 0.022 - k * width) / width
        shape += height * np.sin(np.pi * np.clip(place, 0.0, 1.0))
    return shape


def _trials(shape, noise, n=40, amplitude=1e-3, seed=0):
    rng = np.random.default_rng(seed)
    return amplitude * shape + noise * rng.standard_normal((n, TIMES.size))


@pytest.mark.parametrize("name", LOBES)
@pytest.mark.parametrize("noise", [2e-6, 15e-6])
def test_turns_and_phases_of_known_shapes(name, noise):
    heights, turns, phases = LOBES[name]
    x = _trials(_lobes(heights), noise)
    assert np.mean(mep_turns(x, TIMES) == turns) >= 0.95
    assert np.mean(mep_phases(x, TIMES) == phases) >= 0.95


def test_a_notch_is_a_turn_but_no_phase():
    double = _lobes([1.0, -1.0], width=0.006) - 0.6 * np.exp(-0.5 * ((TIMES - 0.025) / 0.0007) ** 2)
    x = _trials(double, 3e-6)
    assert np.all(mep_turns(x, TIMES) == 3)
    assert np.all(mep_phases(x, TIMES) == 2)


def test_noise_does_not_turn():
    """In noise small turns are lost, none are added: the median of a biphasic response stays 2, the mean below."""
    x = _trials(_lobes([1.0, -0.9], width=0.005), 20e-6, n=300, amplitude=0.15e-3)
    turns = mep_turns(x, TIMES)
    assert np.nanmedian(turns) == 2
    assert np.nanmean(turns > 2) < 0.03


def test_nothing_is_known_of_a_response_that_is_not_there():
    x, times, truth = mep_trials(100, noise_rms=10e-6, no_response=0.5, seed=2)
    absent = ~truth["present"].to_numpy() & ~np.isfinite(mep_latency(x, times))
    assert absent.sum() > 30
    for measure in (mep_end, mep_duration, mep_turns, mep_phases, mep_thickness):
        assert np.isnan(measure(x, times)[absent]).all()


@pytest.mark.parametrize("generator", ["template", "motor_units", "volley"])
@pytest.mark.parametrize("muscle", ["FDI", "TA"])
@pytest.mark.parametrize(
    ("noise", "background", "bias", "median"),
    [((3e-6, 6e-6), "rest", 0.0015, 0.002), ((10e-6, 20e-6), "rest", 0.003, 0.0045), (70e-6, "active", 0.003, 0.003)],
)
def test_the_end_is_that_of_the_response(generator, muscle, noise, background, bias, median):
    x, times, truth = mep_trials(
        250, generator=generator, muscle=muscle, noise_rms=noise, background=background, seed=21
    )  # fmt: skip
    error = mep_end(x, times, window=muscle_window(muscle)) - truth["end"].to_numpy()
    error = error[truth["present"].to_numpy() & np.isfinite(error)]
    assert abs(np.mean(error)) < bias
    assert np.median(np.abs(error)) < median


def test_a_response_may_outlast_its_window():
    shape = np.exp(-np.clip(TIMES - 0.03, 0, None) / 0.010) * _lobes([1.0], width=0.090)
    x = _trials(shape, 1e-6)
    assert np.all(mep_end(x, TIMES) > 0.052)
    assert np.all(mep_end(x, TIMES) <= 0.0802)
    same = mep_latency(x, TIMES) + mep_duration(x, TIMES)
    np.testing.assert_allclose(same, mep_end(x, TIMES))


def test_the_tail_of_an_artefact_is_no_part_of_the_area():
    rng = np.random.default_rng(5)
    tail = 300e-6 * np.exp(-np.clip(TIMES, 0, None) / 0.020) * (TIMES >= 0) * rng.uniform(0.9, 1.1, (40, 1))
    shape = _lobes([1.0, -1.0], width=0.005)
    plain = _trials(shape, 3e-6)
    area = mep_area(plain + tail, TIMES)
    np.testing.assert_allclose(np.median(area), np.median(mep_area(plain, TIMES)), rtol=0.06)


@pytest.mark.parametrize("generator", ["template", "motor_units"])
def test_area_in_active_muscle_has_the_size_of_the_response(generator):
    """Background that goes on under the response: the usual formula takes a fifth of it away, this one does not."""
    clean = {"artefact": "none", "muscle": "ES", "amplitude_median": 1.2e-3, "amplitude_sigma": 0.4}
    x, times, truth = mep_trials(200, generator=generator, noise_rms=1e-9, hum=0.0, no_response=0.2, seed=6, **clean)
    ongoing, _, _ = mep_trials(200, noise_rms=80e-6, background="active", no_response=1.0, seed=7, **clean)
    present = truth["present"].to_numpy()
    window = muscle_window("ES")
    off = {
        how: mep_area(x + ongoing, times, window=window, background=how) - truth["area"].to_numpy()
        for how in ("adaptive", "subtract")
    }
    usual = truth["area"][present].mean()
    assert abs(np.mean(off["adaptive"][present])) < 0.10 * usual
    assert np.mean(off["subtract"][present]) < -0.15 * usual
    # without a response the area scatters about zero, whatever the formula
    assert abs(np.mean(off["adaptive"][~present])) < 0.05 * usual
    assert (off["adaptive"][~present] < 0).any()


def test_thickness_does_not_grow_with_the_size():
    shape = _lobes([1.0, -1.0], width=0.005)
    small, large = (mep_thickness(_trials(shape, 2e-6, amplitude=size), TIMES) for size in (0.3e-3, 3e-3))
    np.testing.assert_allclose(np.median(small), np.median(large), rtol=0.03)
    np.testing.assert_allclose(np.median(large), 0.010 / np.pi, rtol=0.03)


def test_backgrounds_of_a_known_wave():
    x = np.tile(10e-6 * np.sin(2 * np.pi * 100 * TIMES), (3, 1)) + 1e-3
    np.testing.assert_allclose(background_mean_rectified(x, TIMES), 20e-6 / np.pi, rtol=0.01)
    np.testing.assert_allclose(background_peak_to_peak(x, TIMES), 20e-6, rtol=0.01)
    np.testing.assert_allclose(background_emg(x, TIMES), 10e-6 / np.sqrt(2), rtol=0.01)


@pytest.mark.parametrize(
    ("name", "muscle", "turns", "phases"),
    [("ID01", "FDI", 0.8, 0.95), ("ID03", "TA", 0.5, 0.6), ("ID10", "ECR", 0.3, 0.8)],
)
def test_morphology_agrees_with_mepfeatx(real_data, name, muscle, turns, phases):
    """Share of equal counts is what the definitions have in common; within one is what both see."""
    x = np.ascontiguousarray(loadmat(real_data / "mepfeatx" / "epochs" / f"{name}.mat")["meps"].T * 1e-6, dtype=float)
    times = np.arange(x.shape[1]) / 3000 - 0.05
    told = pd.read_csv(real_data / "mepfeatx" / "features" / f"{name}_features.csv")
    window = muscle_window(muscle)
    both = (told["Latency"] > 0).to_numpy() & np.isfinite(mep_latency(x, times, window=window))
    for measure, column, least in (("mep_turns", "nTurns", turns), ("mep_phases", "nPhases", phases)):
        off = (getattr(measures, measure)(x, times, window=window) - told[column].to_numpy())[both]
        assert np.mean(off == 0) > least
        assert np.mean(np.abs(off) <= 1) > 0.75
    for measure, column, unit in (("mep_area", "AUC", 1e9), ("mep_thickness", "Thickness", 1e3)):
        ours = getattr(measures, measure)(x, times, window=window)[both] * unit
        assert np.corrcoef(ours, told[column].to_numpy()[both])[0, 1] > 0.9
        assert abs(np.median(ours / told[column].to_numpy()[both]) - 1) < 0.03
