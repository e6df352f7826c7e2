"""Every kernel gives what its slow twin gives."""

from __future__ import annotations

import inspect
import sys
from pathlib import Path

import numpy as np
import pytest

from excitability.kernels import contrast, edge, fits, likeness, onset, shape, silence, tails, transitions, windows

sys.path.insert(0, str(Path(__file__).parent))
from references import REFERENCES

# Small helpers that are tested through the kernels that call them.
_INNER = {
    "drowned",
    "_small",
    "_ended",
    "_jumps",
    "_rise",
    "mean_of",
    "first_phase",
    "place_of",
    "running_sum",
    "sum_and_largest",
    "range_of",
    "count_turns",
    "end_at",
    "distance_of_rank",
    "pairs_within",
}
_OTHER_ARGUMENTS = {
    "running_mean",
    "running_mean_by_sums",
    "response_end",
    "take_forms",
    "cut_out",
    "refuse_tails",
    "first_rest",
    "loudest_block",
    "tail_sizes",
}


def _trials(n=6, n_times=160, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, n_times))
    time = np.arange(n_times)
    x += 12 * np.sin(2 * np.pi * np.clip((time - 70) / 40, 0, 1)) * rng.uniform(0.2, 3, (n, 1))
    start = rng.integers(5, 20, n)
    return x, start, start + rng.integers(60, 120, n), rng


def _arguments(name):
    x, start, stop, rng = _trials()
    n = len(x)
    centre = rng.normal(0, 0.3, n)
    fractions = np.array([0.85, 0.5, 0.25, 0.05])
    scores = np.append(np.geomspace(2, 85, 40), 90.0) - 5.0
    guess, halves = np.array([70, 66, -1, 80, 72, 60]), np.array([1, 2, -1, 0, 3, 1])
    return {
        "median_distance": (np.round(x[1], 2),),
        "transitions": (x[0], np.linspace(0.5, np.ptp(x[0]), 100)),
        "level": (x, start, stop),
        "extremes": (x, start, stop),
        "held": (np.round(x), windows.extremes(np.round(x), start, stop)[1], stop, 2),
        "longest_constant": (np.round(x), start, stop),
        "fingerprints": (x.view(np.uint64), 60),
        "span": (x, 20, 75),
        "smoothed": (x, rng.random(5)),
        "rested_share": (np.clip(np.round(x), -1, 2), start, stop, 4),
        "rectified_area": (x, start + rng.random(n), stop - rng.random(n), centre, 0.0002),
        "largest_contrast": (x, start, stop, np.array([1, 4, 40])),
        "contrast_power": (x, start, stop, np.array([1, 4, 40])),
        "contrast_apart": (x, np.array([4, 0, 1]), start, stop, np.array([0, 9, 35]), 20, 6, np.array([1, 4, 9])),
        "responses_among": (
            scores,  # where the kernel has its nodes, so that nothing is interpolated
            np.log(scores + 5.0),
            scores[:-1],
            np.log(scores[:-1] + 5.0),
            1.0 / (scores[:-1] + 5.0),
            np.array([2.0, 3.0, 4.0]),
            np.array([0.6, 1.2]),
            np.array([0.1, 0.5, 0.9]),
            np.array([-0.5, 0.0, -0.7]),
            80.0,
        ),
        "smoothed_squares": (x, start, stop, 3),
        "smallest_power": (x, start, stop, centre, 12),
        "quietest_stretch": (x, start, stop, centre, np.full(n, 2.0), 2, 6.0),
        "silent_run": (np.abs(x), start, stop, np.array([1.5, 2.0, 3.0, 0.1, 2.0, 99.0]), 4, 6, 0.5),
        "first_run": (x, start, stop, centre - 2, centre + 2, 3),
        "back_to_level": (x, start, np.array([90, 60, 85, 12, 80, 95]), centre, np.array([3.0, 1, 2, 0.1, 99, 2])),
        "longest_rise": (x, start, stop, 3.5),
        "variance_change": (x, start, stop, 1),
        "first_mean_change": (x, start + 50, start + 80, centre, 3),
        "cusum_alarm": (x, start, stop, centre, np.full(n, 1.5), np.array([10.0, 10, 10, 3, 500, 5]), 0.4),
        "return_onset": (x, guess, 12, start, 150, centre, np.ones(n), np.full(n, 90.0), np.array([1, 6, 15]), 3.0),
        "ends_at": (x, np.array([60, 66, -1, 70, 1, 65]), 120, 2, centre[:, None] ** 2 + [0.5, 2.0, 6.0], 7),
        "turns_and_phases": (x, start, np.array([150, 160, 3, 120, 130, 140]), 1, np.full(n, 1.2)),
        "drowned_background": (
            *(x, start, start + 30, centre, np.ones(n), 3 * x, start + rng.random(n), stop - 0.3),
            np.linspace(0, 1, n),
        ),
        "continued": (
            np.where(np.arange(90) == 50, np.nan, x[:, :90]) - np.exp(-np.arange(90) / 20.0),
            np.where(np.arange(160) == 120, np.inf, x),
            np.linspace(-2, 0, n),
            np.array([np.nan, 1.0, 1.0, np.nan, 1.0, 1.0]),
            30,
            90,
            150,
        ),
        "quietest_pair": (x, np.array([0, 31, -1, 80, 150, 30]), 15),
        "aligned": (x, np.array([-3.5, 0.0, 4.25, 60.5, 140.2, 158.9]), 30, rng.uniform(1, 9, n)),
        "best_lag": (x, 20, 40, x[0, 60:91].copy()),
        "toeplitz_solution": (0.8 ** np.arange(30) * np.cos(np.arange(30) / 3), x[0, :30].copy()),
        "rising_edge": (x, 10, 40, 150, halves, np.full(n, 4.0), 0.05, 12, 2, 20, 4, 15, fractions),
        "onset_on_edge": (
            rng.uniform(0, [9, 9, 60, 1, 90, 30, 25, 22, 20, 2, 2], (40, 11)),
            fractions,
            2.5,
            rng.normal(0, 1, (3, 4)),
            np.array([-3.0, -2.0, -1.0]),
            np.array([1.0, 0.5, 0.1]),
            2,
        ),
    }[name]


@pytest.mark.parametrize("name", [name for name in REFERENCES if name not in _OTHER_ARGUMENTS])
def test_kernel_equals_its_reference(name):
    kernel, reference = REFERENCES[name]
    got, expected = kernel(*_arguments(name)), reference(*_arguments(name))
    if not isinstance(got, tuple):
        got, expected = (got,), (expected,)
    for one, other in zip(got, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("half", [0, 1, 4, 9, 200])
@pytest.mark.parametrize("name", ["running_mean", "running_mean_by_sums"])
def test_running_mean_equals_its_reference(name, half):
    kernel, reference = REFERENCES[name]
    source = np.random.default_rng(1).standard_normal(50)
    got, expected = np.empty(50), np.empty(50)
    kernel(source, 50, half, got)
    reference(source, 50, half, expected)
    np.testing.assert_allclose(got, expected, atol=1e-12)


def test_take_forms_equals_its_reference():
    rng = np.random.default_rng(4)
    forms = rng.standard_normal((2, 6, 50))
    trials, which, weights = np.array([4, 0, 2]), np.array([5, 1, 1]), np.array([[1.0, 0.0, 2.0], [0.5, 0.0, -1.0]])
    got = rng.standard_normal((5, 80))
    expected = got.copy()
    kernel, reference = REFERENCES["take_forms"]
    kernel(got, 30, trials, which, weights, forms)
    reference(expected, 30, trials, which, weights, forms)
    np.testing.assert_allclose(got, expected, atol=1e-12)


def test_cut_out_equals_its_reference():
    x = np.random.default_rng(5).standard_normal((4, 60))
    x[1, 13] = x[2, 40] = np.nan
    kernel, reference = REFERENCES["cut_out"]
    for got, expected in zip(kernel(x, x[:, 0], 10, 31, 55), reference(x, x[:, 0], 10, 31, 55), strict=True):
        np.testing.assert_allclose(got, expected, atol=1e-12)


def test_first_rest_equals_its_reference():
    rng = np.random.default_rng(7)
    x = rng.standard_normal((40, 90)) * np.exp(rng.uniform(0, 4, (40, 1)) - np.arange(90) / 20)
    x[3, 30] = x[4] = np.nan
    kernel, reference = REFERENCES["first_rest"]
    arguments = (x, 0.1 * rng.standard_normal(40), rng.uniform(0.1, 2.0, 40), 5, 80, 9)
    assert kernel(*arguments).tolist() == reference(*arguments).tolist()


def test_sizes_of_tails_equal_their_references():
    rng = np.random.default_rng(8)
    x, traces, trials = rng.standard_normal((9, 60)), rng.standard_normal((9, 40)), np.array([0, 3, 4, 8])
    kernel, reference = REFERENCES["loudest_block"]
    np.testing.assert_allclose(kernel(traces, trials, 13, 5), reference(traces, trials, 13, 5))
    kernel, reference = REFERENCES["tail_sizes"]
    arguments = (x, x[:, 0].copy(), traces, trials, np.array([0, 5, 27, 11]), 12, 13, 6)
    for got, expected in zip(kernel(*arguments), reference(*arguments), strict=True):
        np.testing.assert_allclose(got, expected)


@pytest.mark.parametrize("ends", [0, 5, 21, 40, 65])
def test_refuse_tails_equals_its_reference(ends):
    rng = np.random.default_rng(ends)
    n, noise = 40, rng.uniform(0.5, 2.0, 40)
    tail = rng.choice([0.5, 6.0, 7.5, 9.0], (n, 1)) * np.exp(-np.arange(65) / rng.uniform(60, 90, (n, 1)))
    base = 0.1 * rng.standard_normal(n)
    x = noise[:, None] * rng.standard_normal((n, 100)) + base[:, None]
    x[:, 35:] += np.where(np.arange(65) < ends, tail, 0.0)
    got = x[:, 20:] - base[:, None]
    got[:, 15:] -= tail
    expected = got.copy()
    trials = np.arange(0, n, 2)
    kernel, reference = REFERENCES["refuse_tails"]
    arguments = (trials, 20, 15, 7, 1.5, 3.0, 4.0, (1.3, 4.0), 0.9)
    held = kernel(x, base, noise, got, *arguments)
    assert held.tolist() == reference(x, base, noise, expected, *arguments).tolist()
    np.testing.assert_allclose(got, expected, atol=1e-12)
    assert abs(np.median(held) - ends) <= 15


@pytest.mark.parametrize("seed", range(5))
def test_response_end_equals_its_reference(seed):
    kernel, reference = REFERENCES["response_end"]
    s = np.random.default_rng(seed).standard_normal(80) * np.linspace(3, 0.2, 80)
    for quiet_run in (0, 3, 9):
        assert kernel(s, 0.1, 5, 80, 1.0, quiet_run) == reference(s, 0.1, 5, 80, 1.0, quiet_run)


def test_every_kernel_has_a_reference():
    kernels = {
        name
        for module in (contrast, edge, fits, likeness, onset, shape, silence, tails, transitions, windows)
        for name, value in vars(module).items()
        if inspect.getmodule(getattr(value, "py_func", None)) is module
    }
    assert kernels - _INNER == set(REFERENCES)


@pytest.mark.parametrize("name", ["level", "extremes", "largest_contrast", "smallest_power"])
def test_a_nan_stays_within_its_trial(name):
    kernel, _ = REFERENCES[name]
    arguments = list(_arguments(name))
    clean = kernel(*arguments)
    x = arguments[0].copy()
    x[2, arguments[1][2] + 30] = np.nan
    broken = kernel(x, *arguments[1:])
    clean, broken = (v[0] if isinstance(v, tuple) else v for v in (clean, broken))
    others = np.arange(len(x)) != 2
    np.testing.assert_array_equal(clean[others], broken[others])
    if name != "smallest_power":
        assert np.isnan(broken[2]).all()


def test_first_phase_follows_the_response_back_to_its_beginning():
    s = np.zeros(100)
    s[40:46] = 1.0  # first phase, small
    s[46:52] = -5.0  # largest
    s[10] = 3.0  # a spike of one sample, far away
    s[37] = 3.0  # a spike of one sample, just before the response
    assert edge.first_phase(s, 0.0, 0, int(np.abs(s).argmax()), 0.5, 5, 3) == (40, 45)


def test_first_phase_of_a_single_wave_has_its_own_peak():
    s = np.zeros(100)
    s[30:50] = np.sin(np.pi * np.arange(20) / 20)
    assert edge.first_phase(s, 0.0, 0, int(np.abs(s).argmax()), 0.2, 5, 3)[1] == 40
