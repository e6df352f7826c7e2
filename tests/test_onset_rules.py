"""The published onset rules: each finds what was simulated, is NaN where it must be, and can be chosen by name."""

from __future__ import annotations

import functools
import inspect

import numpy as np
import pytest

import excitability as ex
from excitability.measures import _onset_rules as rules
from excitability.measures import list_onset_methods, mep_latency
from excitability.simulate import mep_trials

NAMES = [method.name for method in list_onset_methods()[1:]]
RULES = {name: getattr(rules, name) for name in NAMES}
WINDOW = (0.015, 0.050)

# Largest median error and 95th percentile of the absolute error about it, ms: what each rule's definition allows. A
# threshold is crossed late; the longest rise may begin in noise; a mean of jittering trials begins early.
TOLERANCE = {
    "sd": (0.3, 1.1),
    "ahte": (1.2, 1.5),
    "shte": (1.0, 1.2),
    "derivative": (1.3, 5.0),
    "derivative_ratio": (0.9, 0.9),
    "aic": (0.3, 0.6),
    "changepoint": (0.3, 0.6),
    "changepoint_mean": (1.2, 0.6),
    "cusum": (0.7, 0.6),
    "mad_crossing": (0.4, 0.5),
    "xcorr": (1.3, 1.2),
    "median_rule": (0.3, 0.6),
}


def _clean(rate=5000.0, n=40, generator="motor_units", seed=4, **settings):
    chosen = {"artefact": "none", "noise_rms": 2e-6, "amplitude_median": 1e-3, "amplitude_sigma": 0.4, "no_response": 0}
    return mep_trials(n, sampling_rate=rate, generator=generator, seed=seed, **{**chosen, **settings})


def test_every_rule_has_a_tolerance():
    assert set(TOLERANCE) == set(NAMES)


@pytest.mark.parametrize("rate", [2000.0, 5000.0, 10000.0])
@pytest.mark.parametrize("generator", ["motor_units", "volley"])
@pytest.mark.parametrize("name", NAMES)
def test_onset_of_clean_responses(name, generator, rate):
    x, times, truth = _clean(rate, generator=generator)
    error = 1e3 * (mep_latency(x, times, window=WINDOW, method=name) - truth["onset"].to_numpy())
    middle, spread = TOLERANCE[name]
    assert np.isfinite(error).all()
    assert abs(np.median(error)) <= middle
    assert np.quantile(np.abs(error - np.median(error)), 0.95) <= spread


@pytest.mark.parametrize("name", NAMES)
def test_neither_polarity_nor_offset_nor_size_matters(name):
    x, times, _ = _clean()
    found = mep_latency(x, times, method=name)
    for changed in (-x, x + np.linspace(-1e-3, 1e-3, len(x))[:, None], 2 * x):
        np.testing.assert_allclose(mep_latency(changed, times, method=name), found, atol=1e-9)


@pytest.mark.parametrize("name", NAMES)
def test_a_response_that_comes_later_is_timed_later(name):
    x, times, _ = _clean()
    rule = functools.partial(RULES[name], latest=1.0) if name == "derivative_ratio" else RULES[name]
    delay = 15
    shift = delay * (times[1] - times[0])
    once = rule(x, times, window=WINDOW, baseline=(-0.09, -0.005))
    later = rule(
        np.roll(x, delay, axis=1),
        times,
        window=(WINDOW[0] + shift, WINDOW[1] + shift),
        baseline=(-0.09 + shift, -0.005 + shift),
    )
    np.testing.assert_allclose(later, once + shift, atol=1e-9)


@pytest.mark.parametrize("name", NAMES)
def test_nan_where_nothing_can_be_found(name):
    x, times, _ = _clean(n=8)
    x[1] = np.nan
    x[2, np.searchsorted(times, 0.030)] = np.nan
    x[3] = 1e-3
    x[4, (times >= 0.010) & (times <= 0.055)] = 0.0  # a dead stretch after a live baseline
    found = mep_latency(x, times, method=name)
    assert np.isnan(found[1:5]).all()
    assert np.isfinite(found[[0, 5, 6, 7]]).all()
    alone = mep_latency(x[[0, 5, 6, 7]], times, method=name)
    np.testing.assert_array_equal(alone, found[[0, 5, 6, 7]])


@pytest.mark.parametrize("name", NAMES)
def test_dead_channels_and_no_trials_at_all(name):
    times = np.arange(-500, 1000) / 5000
    for dead in (np.zeros((3, times.size)), np.full((3, times.size), np.nan)):
        assert np.isnan(mep_latency(dead, times, method=name)).all()
    assert mep_latency(np.empty((0, times.size)), times, method=name).shape == (0,)


@pytest.mark.parametrize("name", NAMES)
def test_input_is_left_alone_and_the_order_of_trials_is_irrelevant(name):
    x, times, _ = _clean(n=12)
    before = x.copy()
    found = mep_latency(x, times, method=name)
    np.testing.assert_array_equal(x, before)
    order = np.random.default_rng(0).permutation(len(x))
    np.testing.assert_allclose(mep_latency(x[order], times, method=name), found[order], atol=1e-9)


@pytest.mark.parametrize("name", NAMES)
def test_the_baseline_is_counted_back_from_the_first_pulse(name):
    x, times, _ = _clean(n=8, tmin=-0.2)
    first = np.array([0.0, -0.0025] * 4) - 0.030
    disturbed = x + 5e-3 * np.sin(2000 * times) * ((times > -0.030) & (times < -0.004))
    clean = mep_latency(x, times, first_pulse=first, method=name)
    np.testing.assert_allclose(mep_latency(disturbed, times, first_pulse=first, method=name), clean, atol=1e-9)


@pytest.mark.parametrize(
    ("name", "share"), [("sd", 0.05), ("cusum", 0.02), ("mad_crossing", 0.0), ("median_rule", 0.05)]
)
def test_rules_with_a_test_find_little_in_noise(name, share):
    x, times, _ = _clean(n=200, no_response=1.0, noise_rms=5e-6)
    assert np.isfinite(mep_latency(x, times, method=name)).mean() <= share


@pytest.mark.parametrize("name", ["sd", "cusum", "median_rule"])
def test_rules_give_the_same_time_at_every_sampling_rate(name):
    fine, times, _ = _clean(10000.0, artefact="none")
    found = mep_latency(fine, times, method=name)
    halved = mep_latency(fine[:, ::5], times[::5], method=name)
    assert np.median(np.abs(found - halved)) <= 0.0006


def test_known_answers_on_a_ramp():
    """A ramp from 20 to 25 ms, down again to 30 ms, on a baseline of known spread: thresholds by hand."""
    times = np.arange(-1000, 1000) / 10000
    wave = 1e-3 * np.interp(times, [0.020, 0.025, 0.030], [0, 1, 0])
    noise = np.where(times < 0, 1e-5 * (-1.0) ** np.arange(times.size), 0.0)
    x = (wave + noise)[None]
    expected = {
        "sd": 0.0201,  # rectified baseline is 10 µV with no spread; 10 µV is reached 50 µs after the start of the ramp
        "ahte": 0.0206,  # 10 % of 1 mV, from 100 µV at 20.5 ms; the next sample is above
        "mad_crossing": 0.02015,  # 3 x 10 µV on a ramp of 0.2 V/s
        "aic": 0.0201,
    }
    for name, onset in expected.items():
        assert mep_latency(x, times, window=(0.010, 0.050), method=name)[0] == pytest.approx(onset, abs=1.1e-4), name


def test_cusum_counts_time_not_samples():
    """A step of 4 SD: (4 - 1.545) SD a sample of 0.5 ms exceeds 10 SD with the fifth, 2.5 ms, at any rate."""
    for rate in (2000, 10000):
        times = np.arange(-rate // 10, rate // 10) / rate
        x = np.where(times < 0, (-1.0) ** np.arange(times.size), 0.0)
        x = np.where(times >= 0.020 - 1e-9, 4.0, x)[None] * 1e-6
        assert 0.0219 < mep_latency(x, times, method="cusum")[0] < 0.0223


def test_the_list_is_complete_and_says_where_each_rule_comes_from():
    methods = list_onset_methods()
    assert methods[0].name == inspect.signature(mep_latency).parameters["method"].default
    needed = ["sd", "ahte", "shte", "derivative", "aic", "changepoint", "cusum", "mad_crossing", "xcorr", "median_rule"]
    assert set(needed) <= {method.name for method in methods}
    text = inspect.getdoc(mep_latency)
    for method in methods[1:]:
        assert f"``{method.name}``" in text
        assert "doi:" in method.reference or "Zisin" in method.reference
        assert 30 < len(method.rule) < 160
        assert method.rule.endswith(".")
        assert "baseline" in method.defaults
    assert "``excitability``" in text.replace('"', "")


def test_an_unknown_name_lists_the_nearest():
    x, times, _ = _clean(n=2)
    with pytest.raises(ValueError, match="unknown onset method 'cumsum': did you mean 'cusum'"):
        mep_latency(x, times, method="cumsum")


def test_a_rule_of_ones_own():
    x, times, _ = _clean(n=5)
    asked = {}

    def mine(x, times, window, baseline):
        asked.update(window=window, baseline=baseline)
        return np.full(len(x), 0.02)

    assert (mep_latency(x, times, window="FDI", method=mine) == 0.02).all()
    assert asked["window"] == (0.015, 0.05)
    assert asked["baseline"].shape == (5, 2)
    stricter = functools.partial(rules.sd, deviations=8, hold=0.003)
    assert (mep_latency(x, times, method=stricter) >= mep_latency(x, times, method="sd")).all()
    with pytest.raises(ValueError, match=r"method returned shape \(3,\) for 5 trials"):
        mep_latency(x, times, method=lambda x, times, window, baseline: np.zeros(3))


def test_limits_outside_the_epoch_are_errors():
    x, times, _ = _clean(n=2)
    with pytest.raises(ValueError, match=r"window .* lies outside the epoch"):
        mep_latency(x, times, window=(0.3, 0.4), method="sd")
    with pytest.raises(ValueError, match=r"epoch begins at -0\.01 s; cut it from"):
        mep_latency(x[:, times > -0.0101], times[times > -0.0101], method="sd")
    with pytest.raises(ValueError, match=r"sd: window -0\.3 to -0\.2 s lies outside the epoch"):
        rules.sd(x, times, baseline=(-0.3, -0.2))


def test_a_protocol_may_name_the_rule(tmp_path):
    text = 'extends = "m1/mep"\ntitle = "As in 2015"\n[trial]\nmep_latency = { window = "muscle", method = "cusum" }\n'
    (tmp_path / "old.toml").write_text(text, encoding="utf-8")
    protocol = ex.load_protocol(tmp_path / "old.toml")
    assert protocol.trial["mep_latency"]["method"] == "cusum"
    assert protocol.sha256 != ex.load_protocol("m1/mep").sha256
    from excitability.trials.measuring import measure_trials

    x, times, _ = _clean(n=5)
    values, _ = measure_trials("mep_latency", x, times, protocol.trial["mep_latency"], muscle="FDI")
    np.testing.assert_array_equal(values, mep_latency(x, times, window="FDI", method="cusum"))
