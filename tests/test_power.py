"""Variance components come back from trials, trials needed keep their promise, and power is that of the t test."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from excitability.comparison.power import DESIGNS, power, sample_size
from excitability.comparison.variance_components import (
    VarianceComponents,
    components_of_sessions,
    trials_needed,
    variance_components,
)


def trial_table(n=30, sessions=3, trials=15, seed=1, paired=False, between=0.6, session=0.2, trial=0.5):
    rng = np.random.default_rng(seed)
    conditions = ["test", "isi_0.002"] if paired else ["all"]
    shape = (n, sessions, len(conditions), trials)
    log = rng.normal(-7, between, (n, 1, 1, 1)) + rng.normal(0, 0.3, (1, sessions, 1, 1))
    log = log + rng.normal(0, session, (n, sessions, 1 if not paired else 2, 1)) + rng.normal(0, trial, shape)
    if paired:
        log[:, :, 1] += rng.normal(-0.7, 0.4, (n, 1, 1))
    i, s, c, _ = (axis.ravel() for axis in np.indices(shape))
    return pd.DataFrame(
        {
            "participant": [f"{k:02d}" for k in i],
            "session": np.array(["pre", "pre2", "pre3"])[s],
            "protocol": "m1/sici" if paired else "m1/mep",
            "channel": "FDI",
            "condition": np.array(conditions)[c],
            "mep_amplitude": np.exp(log.ravel()),
            "reject": "",
        }
    )


def test_components_of_amplitudes_come_back():
    found = variance_components(trial_table(n=80))
    assert found.log
    assert not found.paired
    assert found.between == pytest.approx(0.6, rel=0.2)
    assert found.session == pytest.approx(0.2, rel=0.15)
    assert found.trial == pytest.approx(0.5, rel=0.03)
    assert (found.n, found.n_sessions, found.n_trials) == (80, 240, 3600)


def test_components_of_a_ratio_are_those_of_its_logarithm():
    """Session to session, the log ratio of this table differs by √2 · 0.2; over people by 0.4."""
    table = trial_table(n=80, paired=True)
    found = variance_components(table, "conditioned_ratio", condition="isi_0.002")
    assert found.paired
    assert found.session == pytest.approx(0.2 * np.sqrt(2), rel=0.15)
    assert found.between == pytest.approx(0.4, rel=0.25)
    means = np.log(table["mep_amplitude"]).groupby([table["participant"], table["session"], table["condition"]]).mean()
    log = means.unstack("condition")
    ratio = (log["isi_0.002"] - log["test"]).unstack("session").to_numpy()
    ratio = ratio - ratio.mean(axis=0)
    seen = np.sqrt(ratio.var(axis=1, ddof=1).mean())
    assert found.standard_error(15) == pytest.approx(seen, rel=0.05)


def test_trials_needed_keep_their_promise():
    components = VarianceComponents("mep_amplitude", True, 0.6, 0.1, 0.5)
    n = trials_needed(components, standard_error=0.14)
    assert components.standard_error(n) <= 0.14 < components.standard_error(n - 1)
    assert trials_needed(components, detectable=0.14 * 1.96 * np.sqrt(2)) == n
    pair = VarianceComponents("conditioned_ratio", True, 0.4, 0.1, 0.5, paired=True)
    assert trials_needed(pair, standard_error=0.14) >= 2 * n - 1


def test_more_trials_cannot_take_away_what_sessions_differ_by():
    with pytest.raises(ValueError, match=r"no number of trials .* sessions alone differ by 0.2"):
        trials_needed(VarianceComponents("mep_amplitude", True, 0.6, 0.2, 0.5), standard_error=0.15)
    with pytest.raises(ValueError, match="give a trial table"):
        trials_needed(VarianceComponents("s50", False, 0.6, 0.2, 0.0), standard_error=0.5)
    with pytest.raises(ValueError, match="either standard_error or detectable"):
        trials_needed(VarianceComponents("s50", False, 0.6, 0.2, 0.1))


def test_sessions_alone_give_between_and_session():
    rng = np.random.default_rng(2)
    found = components_of_sessions(rng.normal(0, 1, (400, 1)) + rng.normal(0, 0.5, (400, 2)), "s50", log=False)
    assert (found.between, found.session) == pytest.approx((1.0, 0.5), rel=0.1)


def test_bad_trial_tables_are_said():
    table = trial_table(n=6)
    with pytest.raises(ValueError, match="did you mean 'mep_amplitude'"):
        variance_components(table, "mep_amplitud")
    with pytest.raises(ValueError, match="did you mean 'FDI'"):
        variance_components(table, channel="FDY")
    with pytest.raises(ValueError, match="several of channel"):
        variance_components(pd.concat([table, table.assign(channel="ADM")]))
    with pytest.raises(ValueError, match="has 6 and 1"):
        variance_components(table, sessions=["pre"])
    with pytest.raises(ValueError, match="condition 'test'"):
        variance_components(table, "conditioned_ratio")
    with pytest.raises(ValueError, match="zero or negative in row 7"):
        variance_components(table.assign(mep_amplitude=table["mep_amplitude"].where(table.index != 7, 0.0)))


# Power ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("design", list(DESIGNS))
def test_power_is_that_of_the_noncentral_t(design):
    components = VarianceComponents("mep_amplitude", True, 0.6, 0.2, 0.5)
    spread = np.sqrt(2) * components.standard_error(20)
    n, effect = 16, 0.25
    df, error = {
        "pre_post": (n - 1, spread / np.sqrt(n)),
        "two_groups": (2 * n - 2, spread * np.sqrt(2 / n)),
        "crossover": (n - 1, np.sqrt(2) * spread / np.sqrt(n)),
    }[design]
    limit = stats.t.ppf(0.975, df)
    oracle = stats.nct.sf(limit, df, effect / error) + stats.nct.cdf(-limit, df, effect / error)
    found = power(components, effect, n, 20, design=design, n_studies=20000)
    assert found.power == pytest.approx(oracle, abs=4 * found.standard_error + 0.003)


def test_without_an_effect_five_percent_find_one():
    components = VarianceComponents("mep_amplitude", True, 0.6, 0.2, 0.5)
    found = power(components, 0.0, 12, n_studies=20000, response=0.3)
    assert 0.045 <= found.power <= 0.055


def test_sample_size_is_the_fewest():
    components = VarianceComponents("mep_amplitude", True, 0.6, 0.2, 0.5)
    found = sample_size(components, np.log(1.25), 20, design="two_groups", n_studies=2000)
    assert found.power >= 0.8
    assert power(components, np.log(1.25), found.n - 1, 20, design="two_groups", n_studies=2000).power < 0.8
    exact = (stats.norm.ppf(0.975) + stats.norm.ppf(0.8)) ** 2 * 4 * components.standard_error(20) ** 2
    assert found.n == pytest.approx(exact / np.log(1.25) ** 2, abs=3)


def test_a_seed_gives_the_same_studies_and_more_of_them_less_error():
    components = VarianceComponents("mep_amplitude", True, 0.6, 0.2, 0.5)
    one, two = (power(components, 0.2, 14, n_studies=1000, seed=3) for _ in range(2))
    assert one == two
    assert power(components, 0.2, 14, n_studies=16000).standard_error == pytest.approx(one.standard_error / 4, rel=0.1)


def test_different_responses_and_dropout_cost_power():
    components = VarianceComponents("mep_amplitude", True, 0.6, 0.2, 0.5)
    best = power(components, 0.2, 16).power
    assert power(components, 0.2, 16, response=0.3).power < best
    assert power(components, 0.2, 16, dropout=0.3).power < best


def test_what_cannot_be_reached_is_said():
    components = VarianceComponents("mep_amplitude", True, 0.6, 0.2, 0.5)
    with pytest.raises(ValueError, match="1000 people have a power of"):
        sample_size(components, 0.001, n_studies=50)
    with pytest.raises(ValueError, match="did you mean 'crossover'"):
        power(components, 0.2, 10, design="cross_over")
    with pytest.raises(ValueError, match="1 of 2 people are left"):
        power(components, 0.2, 2, dropout=0.5)


def test_what_is_no_number_of_people_or_effect_is_said():
    components = VarianceComponents("mep_amplitude", True, 0.5, 0.15, 0.5)
    with pytest.raises(ValueError, match=r"whole number, not 12\.5"):
        power(components, 0.2, 12.5)
    with pytest.raises(ValueError, match="effect is the change to find"):
        sample_size(components, np.nan)
