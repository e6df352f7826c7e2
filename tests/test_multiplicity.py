"""Corrections for many tests: equal to statsmodels, and their errors on simulated null studies."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.multitest import multipletests

from excitability.comparison.multiplicity import adjust, benjamini_hochberg, holm
from excitability.protocol import load_battery


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_corrections_are_those_of_statsmodels(p):
    assert holm(p) == pytest.approx(multipletests(p, method="holm")[1], abs=1e-12)
    assert benjamini_hochberg(p) == pytest.approx(multipletests(p, method="fdr_bh")[1], abs=1e-12)


def test_what_was_not_tested_is_not_counted():
    assert holm([0.01, np.nan, 0.02])[[0, 2]].tolist() == [0.02, 0.02]
    assert np.isnan(benjamini_hochberg([0.01, np.nan])[1])


def test_p_values_outside_the_unit_interval_are_refused():
    with pytest.raises(ValueError, match="from 0 to 1"):
        holm([0.2, 1.2])


def comparison(p=0.02):
    """Two groups, two time points: SICI at two intervals, ICF, silent period."""
    rows = [
        {"protocol": protocol, "measure": measure, "condition": condition, "channel": "FDI", "group": group,
         "contrast": contrast, "p_value": p}
        for protocol, measure, condition in (
            ("m1/sici", "conditioned_ratio", "isi_0.002"),
            ("m1/sici", "conditioned_ratio", "isi_0.003"),
            ("m1/icf", "conditioned_ratio", "isi_0.01"),
            ("m1/cortical_silent_period", "silent_period", "all"),
        )
        for group in ("patient", "control", "patient - control")
        for contrast in ("post0 - pre", "post30 - pre")
    ]  # fmt: skip
    return pd.DataFrame(rows)


def test_families_are_those_of_the_battery():
    found = adjust(comparison(), load_battery("m1_exercise"))
    between = found["group"] == "patient - control"
    primary = (found["protocol"] == "m1/sici") & (found["condition"] == "isi_0.002")
    assert (found["family"] == "primary").tolist() == primary.tolist()
    assert (found.loc[found["protocol"] == "m1/icf", "family"] == "secondary").all()
    assert found.loc[primary & between, "p_adjusted"].tolist() == pytest.approx([0.04, 0.04])
    assert set(found.loc[primary & between, "adjustment"]) == {"Holm, 2 tests"}
    assert set(found.loc[primary & ~between, "adjustment"]) == {"Holm, 4 tests"}
    rest = found["family"] == "exploratory"
    assert set(found.loc[rest & between, "adjustment"]) == {"Benjamini-Hochberg, 4 tests"}
    assert (found["p_adjusted"] >= found["p_value"]).all()


def test_an_outcome_in_two_classes_is_primary():
    entry = {"protocol": "m1/icf"}
    found = adjust(comparison(), SimpleNamespace(primary=(entry,), secondary=(entry,)))
    assert set(found.loc[found["protocol"] == "m1/icf", "family"]) == {"primary"}


def test_a_misspelt_word_of_an_outcome_is_an_error():
    battery = SimpleNamespace(primary=({"protocol": "m1/icf", "chanel": "FDI"},), secondary=())
    with pytest.raises(ValueError, match="did you mean 'channel'"):
        adjust(comparison(), battery)


def test_family_wise_error_of_a_null_family():
    """Correlated tests of one family: the chance of any false positive stays at or below 5 %."""
    rng = np.random.default_rng(4)
    z = 0.6 * rng.standard_normal((4000, 1)) + 0.8 * rng.standard_normal((4000, 6))
    from scipy import stats

    p = 2 * stats.norm.sf(np.abs(z))
    any_false = np.mean([(holm(row) < 0.05).any() for row in p])
    assert 0.03 < any_false < 0.06
    assert np.mean((p < 0.05).any(axis=1)) > 0.15
