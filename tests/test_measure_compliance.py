"""Rules for every measure on arrays, applied by discovery: a new measure is held to them without being named here."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

from excitability.measures import get_measure, list_measures

RATE = 2000.0
TIMES = np.arange(-1000, 1200) / RATE
N_TRIALS = 8


def _responses(n, seed):
    """Trials of a contracted hand muscle: noise, response, silence, return, burst: every measure finds something."""
    rng = np.random.default_rng(seed)
    onset = rng.uniform(0.020, 0.023, (n, 1))
    phase = np.clip((TIMES - onset) / 0.012, 0, 1)
    loud = np.where((TIMES > 0.03) & (TIMES < 0.13), 0.05, np.where(TIMES > 0.3, 8.0, 1.0))
    noise = 5e-6 * rng.standard_normal((n, TIMES.size)) * loud
    return 0.8e-3 * np.sin(2 * np.pi * phase) * rng.uniform(0.5, 2, (n, 1)) + noise


def _input(kind):
    if kind in ("trial", "average", "course"):
        return _responses(N_TRIALS, 0)
    return np.stack([_responses(4, seed) for seed in range(N_TRIALS)])


def _values(result):
    """All numbers of a result in one flat mapping."""
    if isinstance(result, dict):
        return {str(key): np.asarray(value, float) for key, value in result.items()}
    return {"": np.asarray(result, float)}


def _unit(name, key):
    return get_measure(name).unit_of(key)


TRIAL = list_measures("trial")
# A measure that compares two sets of trials asks for the second: it cannot be called with defaults alone.
ARRAY = TRIAL + [
    name
    for kind in ("average", "course", "epochs")
    for name in list_measures(kind)
    if "test" not in inspect.signature(get_measure(name).function).parameters
]


def _call(name, x):
    try:
        return get_measure(name).function(x, TIMES)
    except ValueError as error:
        if "takes one channel" not in str(error):
            raise
        return get_measure(name).function(x[:, :1] if x.ndim == 3 else x[:1], TIMES)


@pytest.mark.parametrize("name", TRIAL)
def test_one_value_a_trial(name):
    value = _call(name, _input("trial"))
    assert value.shape == (N_TRIALS,)
    assert value.dtype == np.float64
    assert np.isfinite(value).all()


@pytest.mark.parametrize("name", TRIAL)
def test_no_trials_give_no_values(name):
    assert _call(name, np.empty((0, TIMES.size))).shape == (0,)


@pytest.mark.parametrize("name", TRIAL)
def test_one_trial_is_enough(name):
    assert np.isfinite(_call(name, _input("trial")[:1])).all()


@pytest.mark.parametrize("name", TRIAL)
def test_a_nan_makes_its_own_trial_nan_and_no_other(name):
    x = _input("trial")
    x[2] = np.nan
    value = _call(name, x)
    assert np.isnan(value[2])
    assert np.isfinite(np.delete(value, 2)).all()


@pytest.mark.parametrize("name", TRIAL)
def test_only_nan_gives_only_nan(name):
    assert np.isnan(_call(name, np.full((3, TIMES.size), np.nan))).all()


@pytest.mark.parametrize("name", TRIAL)
def test_a_dead_channel_does_not_raise(name):
    value = _call(name, np.zeros((3, TIMES.size)))
    assert value.shape == (3,)
    assert not (value > 0).any()


@pytest.mark.parametrize("name", TRIAL)
def test_order_of_trials_is_irrelevant(name):
    x = _input("trial")
    order = np.random.default_rng(3).permutation(N_TRIALS)
    np.testing.assert_allclose(_call(name, x[order]), _call(name, x)[order], rtol=1e-6, atol=1e-15)


@pytest.mark.parametrize("name", TRIAL)
def test_polarity_is_irrelevant(name):
    x = _input("trial")
    np.testing.assert_allclose(_call(name, -x), _call(name, x), rtol=1e-6, atol=1e-15)


@pytest.mark.parametrize("name", TRIAL)
def test_offset_is_irrelevant(name):
    x = _input("trial")
    shifted = x + np.linspace(-1e-3, 1e-3, N_TRIALS)[:, None]
    np.testing.assert_allclose(_call(name, shifted), _call(name, x), rtol=1e-5, atol=1e-12)


@pytest.mark.parametrize("name", TRIAL)
def test_input_is_left_alone(name):
    x = _input("trial")
    before = x.copy()
    _call(name, x)
    np.testing.assert_array_equal(x, before)


@pytest.mark.parametrize("name", TRIAL)
def test_a_changed_array_is_measured_again(name):
    x = _input("trial")
    _call(name, x)
    x[0] = x[1]
    again = _call(name, x)
    np.testing.assert_allclose(again, _call(name, x.copy()), rtol=1e-12)


@pytest.mark.parametrize("name", ARRAY)
def test_the_unit_implies_the_scaling(name):
    x = _input(get_measure(name).kind)
    once, twice = _values(_call(name, x)), _values(_call(name, 2 * x))
    assert once
    for key, value in once.items():
        unit = _unit(name, key)
        if "V^2" in unit or "V²" in unit:
            factor = 4.0
        else:
            factor = 2.0 if "V" in unit.split("/")[0].replace("*", " ").split() else 1.0
        np.testing.assert_allclose(twice[key], factor * value, rtol=1e-6, atol=1e-15, err_msg=f"{name} {key} in {unit}")


@pytest.mark.parametrize("name", [name for name in TRIAL if "window" in get_measure(name).parameters])
def test_a_window_outside_the_epoch_names_both(name):
    window = (-0.9, -0.6) if get_measure(name).parameters["window"][1] < 0 else (0.3, 0.9)
    with pytest.raises(ValueError, match=r"window .* lies outside the epoch, -0\.5 to 0\.5995 s"):
        get_measure(name).function(_input("trial"), TIMES, window=window)


@pytest.mark.parametrize("name", [name for name in TRIAL if "window" in get_measure(name).parameters])
def test_a_window_may_be_a_muscle(name):
    x = _input("trial")
    function = get_measure(name).function
    by_name, by_time = function(x, TIMES, window="FDI"), function(x, TIMES, window=(0.015, 0.050))
    np.testing.assert_array_equal(by_name, by_time)


@pytest.mark.parametrize("name", ARRAY)
def test_every_argument_after_the_times_has_a_default(name):
    parameters = list(inspect.signature(get_measure(name).function).parameters.values())
    assert [p.name for p in parameters[:2]] == ["x", "times"]
    assert all(p.default is not inspect.Parameter.empty for p in parameters[2:])


@pytest.mark.parametrize("name", ARRAY)
def test_a_wrong_shape_says_what_was_expected(name):
    with pytest.raises(ValueError, match=r"x has shape .* expected x \(n_"):
        get_measure(name).function(np.zeros(TIMES.size), TIMES)


@pytest.mark.parametrize("name", ARRAY)
def test_the_docstring_has_an_example(name):
    text = inspect.getdoc(get_measure(name).function)
    assert all(word in text for word in ("Parameters", "Returns", "Examples", ">>> "))


@pytest.mark.parametrize("name", [n for n in TRIAL if "first_pulse" in get_measure(n).parameters])
def test_the_baseline_is_counted_back_from_the_first_pulse(name):
    """A conditioning artefact 30 ms before the pulse changes nothing once the measure knows of it."""
    x = _input("trial")
    disturbed = x + 5e-3 * ((TIMES > -0.030) & (TIMES < -0.004))
    first = np.full(N_TRIALS, -0.032)
    function = get_measure(name).function
    clean = function(x, TIMES, first_pulse=first)
    np.testing.assert_allclose(function(disturbed, TIMES, first_pulse=first), clean, rtol=1e-9, atol=1e-15)
