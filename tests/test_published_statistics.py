"""Published and recomputed fixtures of the statistics, exact (science.md 14.5 and 17)."""

import numpy as np
import pytest

from excitability.comparison import (
    bland_altman,
    ccc,
    d_av,
    d_rm,
    d_z,
    g_av,
    hedges_g,
    icc,
    sdc,
    sem,
    small_sample_correction,
)
from excitability.comparison.reliability import mean_squares

SHROUT_FLEISS = np.array(
    [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]], dtype=float
)
PRE = [1.0, 0.8, 1.2, 0.9, 1.1, 0.7]
POST = [1.3, 0.9, 1.5, 1.0, 1.6, 0.8]


def test_shrout_fleiss_1979_mean_squares():
    ms = mean_squares(SHROUT_FLEISS)
    assert ms.rows == pytest.approx(11.2416667, abs=5e-8)
    assert ms.columns == pytest.approx(32.4861111, abs=5e-8)
    assert ms.error == pytest.approx(1.0194444, abs=5e-8)
    assert ms.within == pytest.approx(6.2638889, abs=5e-8)


@pytest.mark.parametrize(
    ("form", "value"),
    [
        ("1,1", 0.1657418),
        ("2,1", 0.2897638),
        ("3,1", 0.7148407),
        ("1,k", 0.4427971),
        ("2,k", 0.6200505),
        ("3,k", 0.9093155),
    ],
)
def test_shrout_fleiss_1979_six_forms(form, value):
    assert icc(SHROUT_FLEISS, form) == pytest.approx(value, abs=5e-8)


@pytest.mark.parametrize(
    ("form", "low", "high"),
    [
        ("1,1", -0.132932325, 0.72256006),
        ("2,1", 0.018786513, 0.76108437),
        ("3,1", 0.342464765, 0.94585826),
        ("1,k", -0.884442155, 0.91241542),
        ("2,k", 0.071136815, 0.92723204),
        ("3,k", 0.675674714, 0.98589168),
    ],
)
def test_limits_of_the_six_forms_are_those_of_r_psych_2_2_9(form, low, high):
    found = icc(SHROUT_FLEISS, form)
    assert (found.ci_low, found.ci_high) == pytest.approx((low, high), abs=5e-9)


@pytest.mark.parametrize("form", ["1,1", "3,1"])
def test_icc_interval_holds_the_f_distribution(form):
    """The limits are the coefficients at which the observed F sits at its 2.5 % and 97.5 % points."""
    from scipy import stats

    ms, found = mean_squares(SHROUT_FLEISS), icc(SHROUT_FLEISS, form)
    below, df2 = (ms.within, ms.n * (ms.k - 1)) if form == "1,1" else (ms.error, (ms.n - 1) * (ms.k - 1))
    f = ms.rows / below
    for limit, tail in ((found.ci_low, 0.975), (found.ci_high, 0.025)):
        true_f = (1 + (ms.k - 1) * limit) / (1 - limit)
        assert stats.f.cdf(f / true_f, ms.n - 1, df2) == pytest.approx(tail, abs=1e-9)


def test_shrout_fleiss_1979_error_of_measurement():
    # sqrt((MSC - MSE) / 6 + MSE) = 2.50277624; the last digit printed in science.md is one too high
    assert sem(SHROUT_FLEISS) == pytest.approx(2.5027763, abs=1e-7)
    assert sem(SHROUT_FLEISS, "consistency") == pytest.approx(1.0096755, abs=1e-7)
    assert sdc(SHROUT_FLEISS) == pytest.approx(6.9373418, abs=5e-8)


def test_paired_effect_sizes():
    assert d_z(PRE, POST) == pytest.approx(1.4288690, abs=5e-8)
    assert d_av(PRE, POST) == pytest.approx(0.9004794, abs=5e-8)
    assert d_rm(PRE, POST) == pytest.approx(0.4412634, abs=5e-8)
    assert g_av(PRE, POST) == pytest.approx(0.7570769, abs=5e-8)
    assert small_sample_correction(5) * d_z(PRE, POST) == pytest.approx(1.2013197, abs=5e-8)


def test_effect_sizes_are_those_of_r_effectsize_0_8_3():
    one, two = [1.2, 0.4, 2.2, 1.7, 0.9, 1.1, 2.5, 0.3, 1.9], [0.2, 0.9, 1.1, -0.4, 0.6, 1.3, 0.1]
    g = hedges_g(one, two)
    assert (g, g.ci_low, g.ci_high) == pytest.approx((1.088051599, 0.0562891562, 2.08722905), rel=1e-5)
    d = d_z(PRE, POST)
    assert (d, d.ci_low, d.ci_high) == pytest.approx((1.428869017, 0.2256225155, 2.574053993), rel=1e-5)


@pytest.mark.parametrize(("df", "value"), [(9, 0.913875), (18, 0.957646), (38, 0.980110)])
def test_hedges_1981_correction(df, value):
    assert small_sample_correction(df) == pytest.approx(value, abs=5e-7)


def test_two_sessions_sem_is_sd_of_differences_by_root_two():
    table = SHROUT_FLEISS[:, [0, 3]]
    difference = table[:, 1] - table[:, 0]
    assert sem(table, "consistency") == pytest.approx(difference.std(ddof=1) / np.sqrt(2), rel=1e-12)
    limits = bland_altman(table[:, 0], table[:, 1])
    half = (limits["upper"] - limits["lower"]) / 2
    assert half == pytest.approx(sdc(table, "consistency"), rel=1e-12)


def test_lin_1989_concordance_is_the_product_of_precision_and_accuracy():
    x, y = SHROUT_FLEISS[:, 0], SHROUT_FLEISS[:, 3]
    r = np.corrcoef(x, y)[0, 1]
    v = x.std() / y.std()
    u = (x.mean() - y.mean()) / np.sqrt(x.std() * y.std())
    assert ccc(x, y) == pytest.approx(r * 2 / (v + 1 / v + u**2), rel=1e-12)
