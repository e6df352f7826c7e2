"""Recruitment curves of a study together: nearer to the truth than each alone, and honest intervals."""

import sys
import types
from importlib.machinery import ModuleSpec
from importlib.util import find_spec

import numpy as np
import pandas as pd
import pytest

from excitability.measures import recruitment_curve
from excitability.measures._curve_draws import draw_curves
from excitability.measures._curve_fit import CurveFit, fit_parts, fit_recruitment_curve, shrunken_parts
from excitability.measures.curves import CURVES, boltzmann
from excitability.measures.recruitment_curve import area_under_curve
from excitability.measures.recruitment_curves_of_study import recruitment_curves_of_study
from excitability.schema import RESULT_COLUMNS

LEVELS = np.repeat(np.arange(30.0, 91, 5), 2)


def simulated(seed, people=8, sessions=1, shift=0.0, s=LEVELS):
    """Log-normal trials of Boltzmann curves; the second session lies ``shift`` %MSO higher."""
    rng = np.random.default_rng(seed)
    trials, truth = [], []
    for i in range(people):
        s50, k, top = rng.normal(55, 6), 4 * rng.lognormal(0, 0.2), 2e-3 * rng.lognormal(0, 0.5)
        for j in range(sessions):
            at = s50 + j * shift + (sessions > 1) * rng.normal(0, 1)
            size = boltzmann(s, top, at, k) * rng.lognormal(-0.11, 0.47, s.size) + 2e-5 * rng.gamma(16, 1 / 16, s.size)
            label = {"participant": f"p{i}", "session": f"s{j}", "channel": "FDI"}
            trials.append(pd.DataFrame({**label, "intensity": s, "mep_amplitude": size}))
            truth.append({**label, "s50": at, "recruitment_threshold": at - 2 * k})
    return pd.concat(trials, ignore_index=True), pd.DataFrame(truth).set_index(["participant", "session"])


def values(found, key):
    return found[found["measure"] == key].set_index(["participant", "session"])


def test_a_study_is_nearer_to_the_truth_than_its_curves_alone_and_covers_it():
    alone, together, hits = [], [], []
    for seed in range(2):
        trials, truth = simulated(seed)
        found = recruitment_curves_of_study(trials)
        for label, part in trials.groupby(["participant", "session"]):
            own = recruitment_curve(part)
            for key in ("s50", "recruitment_threshold"):
                row, answer = values(found, key).loc[label], truth.loc[label, key]
                together.append(row["value"] - answer)
                alone.append(own[key] - answer)
                hits.append(row["ci_low"] <= answer <= row["ci_high"])
    assert np.isfinite(together).all()
    known = np.isfinite(alone)
    assert np.sqrt(np.mean(np.square(together)[known])) < 0.95 * np.sqrt(np.mean(np.square(alone)[known]))
    assert 0.85 <= np.mean(hits) <= 1
    assert abs(np.mean(together)) < 0.6


def test_a_plateau_that_is_not_known_was_not_reached():
    """The best curve passes 90 % of its plateau here, but the data allow plateaus that differ more than sixfold."""
    rng = np.random.default_rng(14)
    s = np.repeat(np.arange(40.0, 61, 4), 3)
    size = boltzmann(s, 2e-3, 55, 4, 2e-5) * rng.lognormal(-0.11, 0.5, s.size)
    fit = fit_recruitment_curve(s, size)
    assert fit.curve.shape(np.array([60.0]), fit.parameters[:-2])[0] > 0.9
    found = recruitment_curve(pd.DataFrame({"intensity": s, "mep_amplitude": size}))
    assert np.isnan(found["s50"])
    assert np.isnan(found["mep_max"])
    reached = found["plateau_reached"]
    assert (float(reached), reached.ci_low, reached.ci_high, reached.flag) == (0, 0, 1, "no_plateau")


def test_flags_and_plateau_never_contradict_each_other():
    for seed in range(30):
        rng = np.random.default_rng(seed)
        s = np.repeat(np.arange(40.0, rng.choice([53, 57, 61, 69]), 4), 4)
        found = recruitment_curve(
            pd.DataFrame(
                {"intensity": s, "mep_amplitude": boltzmann(s, 2e-3, 55, 4, 2e-5) * rng.lognormal(-0.11, 0.5, s.size)}
            )
        )
        reached = found["plateau_reached"]
        if np.isfinite(reached):
            assert (reached == 1) == (reached.flag == "")
            assert ("no_plateau" in found["s50"].flag) == (reached.flag == "no_plateau") == np.isnan(found["mep_max"])
            assert reached.ci_low <= reached <= reached.ci_high


def test_the_contrast_of_two_sessions_is_not_shrunken_away():
    trials, truth = simulated(11, people=10, sessions=2, shift=6.0)
    s50 = values(recruitment_curves_of_study(trials), "s50")["value"].unstack()
    true = truth["s50"].unstack()
    assert (s50["s1"] - s50["s0"]).mean() == pytest.approx((true["s1"] - true["s0"]).mean(), abs=1.5)


def test_a_curve_without_a_plateau_borrows_and_a_well_known_one_keeps_its_own():
    trials, truth = simulated(12)
    long, _ = simulated(12, s=np.repeat(np.arange(30.0, 91, 2.5), 12))
    cut = (trials["participant"] == "p0") & (trials["intensity"] > truth["s50"].iloc[0])
    mixed = pd.concat([trials[~cut & (trials["participant"] != "p1")], long[long["participant"] == "p1"]])
    s50 = values(recruitment_curves_of_study(mixed), "s50")
    own = recruitment_curve(long[long["participant"] == "p1"])["s50"]
    assert s50.loc[("p1", "s0"), "value"] == pytest.approx(own, abs=0.5)
    width = s50["ci_high"] - s50["ci_low"]
    assert width["p1", "s0"] < 0.5 * width.drop([("p1", "s0"), ("p0", "s0")]).median()
    borrowed = s50.loc[("p0", "s0")]
    assert "no_plateau" in borrowed["flag"] or borrowed["ci_low"] < truth["s50"].iloc[0] < borrowed["ci_high"]


def test_rows_are_those_of_every_result_and_what_cannot_be_fitted_is_said():
    trials, _ = simulated(13, people=5)
    flat = trials["participant"] == "p2"
    trials.loc[flat, "mep_amplitude"] = 2e-5 * (1 + np.arange(flat.sum()) % 3)
    trials["reject"] = np.where(trials.index == 0, "background", "")
    found = recruitment_curves_of_study([part for _, part in trials.groupby("participant")])
    assert set(found.columns) <= set(RESULT_COLUMNS)
    assert set(values(found, "s50").loc["p2", "flag"]) == {"no_response"}
    first = values(found, "s50").loc[("p0", "s0")]
    assert (first["n_trials"], first["n_rejected"], first["form"]) == (LEVELS.size - 1, 1, "hierarchical")
    few = recruitment_curves_of_study(trials[trials["participant"].isin(["p0", "p1"])])
    assert few["flag"].str.contains("fitted_alone").all()
    with pytest.raises(ValueError, match="did you mean 'boltzmann'"):
        recruitment_curves_of_study(trials, form="boltzman")
    with pytest.raises(ValueError, match="'participant'"):
        recruitment_curves_of_study(trials.drop(columns="participant"))


def test_results_scale_with_the_signal_and_ignore_the_order_of_trials():
    trials, _ = simulated(14, people=5)
    found = recruitment_curves_of_study(trials)
    louder = recruitment_curves_of_study(trials.assign(mep_amplitude=2 * trials["mep_amplitude"]))
    for key, factor in (("s50", 1), ("mep_max", 2), ("peak_slope", 2)):
        assert values(louder, key)["value"].to_numpy() == pytest.approx(factor * values(found, key)["value"], rel=0.03)
    mixed = pd.concat([part.sample(frac=1, random_state=3) for _, part in trials.groupby("participant")])
    again = recruitment_curves_of_study(mixed)
    assert values(again, "s50")["value"].to_numpy() == pytest.approx(values(found, "s50")["value"], rel=0.01)


def test_a_sharp_population_decides_and_a_vague_one_says_nothing():
    trials, _ = simulated(15, people=1)
    s, y, curve = trials["intensity"].to_numpy(), trials["mep_amplitude"].to_numpy(), CURVES["boltzmann"]
    at, covariance, phi, rho, _ = fit_parts(s, y, curve)
    sharp = np.array([70.0, np.log(6), np.log(2e-3), 2e-5]), np.diag([1e8, 1e8, 1e8, 1e16])
    assert shrunken_parts(s, y, at, curve, sharp)[0] == pytest.approx(sharp[0], rel=0.01)
    vague = at + 0.5, np.diag(np.full(4, 1e-8))
    assert shrunken_parts(s, y, at, curve, vague)[0][:3] == pytest.approx(at[:3], rel=0.02)
    plain = draw_curves(s, y, at, covariance, curve, phi, rho)
    told = draw_curves(s, y, at, covariance, curve, phi, rho, (at, np.diag([1.0, 0, 0, 0])))
    assert told[:, 0].std() < plain[:, 0].std()
    assert abs(told[:, 0].mean() - at[0]) < 1


class FakeModel:
    """Stands in for hbMEP's model: its posterior lies around curves whose S50 is 50, 52, … %MSO."""

    def __init__(self, key, config):
        self.sampler = config["mcmc_kw"]
        assert self.sampler["progress_bar"] is False

    rectified_logistic = logistic4 = None

    def process(self, table):
        assert table["response"].max() > 0.1  # mV
        return table, {}

    def run(self, table):
        rng = np.random.default_rng(0)
        shape = (self.sampler["num_chains"] * self.sampler["num_samples"], table["curve"].nunique(), 1)
        draws = {"b": 0.25, "h": 2.0, "g": 0.02}
        posterior = {name: value * np.exp(0.02 * rng.standard_normal(shape)) for name, value in draws.items()}
        posterior["a"] = 50.0 + 2 * np.arange(shape[1])[:, None] + 0.5 * rng.standard_normal(shape)
        posterior["a"][: self.sampler["num_samples"], 1] += 5  # the first chain went elsewhere with the second curve
        return None, posterior


@pytest.fixture
def fake_hbmep(monkeypatch):
    library = types.ModuleType("hbmep")
    library.__spec__, library.StandardHB = ModuleSpec("hbmep", None), FakeModel
    processor = types.SimpleNamespace(random=types.SimpleNamespace(key=int), local_device_count=lambda: 1)
    monkeypatch.setitem(sys.modules, "hbmep", library)
    monkeypatch.setitem(sys.modules, "jax", processor)


def same_rows(one, other):
    columns = ["participant", "session", "channel", "condition", "measure", "unit", "n_trials", "n_rejected"]
    assert list(one.columns) == list(other.columns)
    pd.testing.assert_frame_equal(one[columns], other[columns])


def test_the_table_of_hbmep_is_ours(fake_hbmep):
    trials, _ = simulated(16, people=4, sessions=2)
    found = recruitment_curves_of_study(trials, form="boltzmann", method="hbmep", n_draws=200)
    same_rows(found, recruitment_curves_of_study(trials))
    assert set(found["form"]) == {"hierarchical_hbmep"}
    s50, height, slope = (values(found, key) for key in ("s50", "mep_max", "peak_slope"))
    for session in ("s0", "s1"):  # each a population of its own
        assert s50["value"].xs(session, level="session")["p0"] == pytest.approx(50, abs=0.1)
        assert s50["value"].xs(session, level="session")["p3"] == pytest.approx(56, abs=0.1)
    assert (s50["ci_high"] - s50["ci_low"])["p0", "s0"] == pytest.approx(2 * 1.96 * 0.5, rel=0.15)
    assert height["value"].to_numpy() == pytest.approx(2e-3, rel=0.01)  # V
    assert slope["value"].to_numpy() == pytest.approx(2e-3 * 0.25 / 4, rel=0.01)
    assert s50["flag"].eq("chains_disagree").groupby("participant").all().to_dict() == {
        "p0": False,
        "p1": True,
        "p2": False,
        "p3": False,
    }


def test_hbmep_that_is_missing_or_has_no_such_curve_is_said(monkeypatch):
    trials, _ = simulated(17, people=4)
    monkeypatch.setitem(sys.modules, "hbmep", None)
    with pytest.raises(ImportError, match=r"pip install --no-deps hbmep"):
        recruitment_curves_of_study(trials, method="hbmep")
    with pytest.raises(ValueError, match=r"'log_logistic'.*Known: boltzmann, rectified_logistic$"):
        recruitment_curves_of_study(trials, method="hbmep", form="log_logistic")
    with pytest.raises(ValueError, match="did you mean 'hbmep'"):
        recruitment_curves_of_study(trials, method="hbme")


@pytest.mark.skipif(find_spec("hbmep") is None, reason="hbMEP is not installed")
def test_hbmep_and_empirical_bayes_agree_on_one_study(capfd):
    trials, _ = simulated(18, people=5)
    options = {"method": "hbmep", "form": "boltzmann", "n_chains": 2, "n_warmup": 300, "n_draws": 200}
    found, ours = recruitment_curves_of_study(trials, **options), recruitment_curves_of_study(trials)
    assert capfd.readouterr() == ("", "")
    same_rows(found, ours)
    for key, apart in (("s50", 3.0), ("recruitment_threshold", 3.0)):
        both = values(found, key)["value"] - values(ours, key)["value"]
        assert both.abs().median() < apart


def test_nobody_is_lost_whose_session_or_name_is_missing():
    rng = np.random.default_rng(70)
    s = np.repeat(np.arange(40.0, 81, 5), 3)
    tables = [
        pd.DataFrame(
            {
                "participant": f"p{i}",
                "channel": "FDI",
                "intensity": s,
                "mep_amplitude": boltzmann(s, 3e-3, 50 + 3 * i, 4, 2e-5) * rng.lognormal(0, 0.4, s.size),
            }
        )
        for i in range(5)
    ]
    study = pd.concat(tables, ignore_index=True)
    plain = recruitment_curves_of_study(study)
    unsaid = recruitment_curves_of_study(study.assign(session=np.nan))
    np.testing.assert_allclose(unsaid["value"], plain["value"])
    half = recruitment_curves_of_study(study.assign(session=np.where(study["participant"] == "p1", None, "a")))
    assert len(half) == len(plain)
    for name in ("participant", "channel"):
        with pytest.raises(ValueError, match=f"has no '{name}'"):
            recruitment_curves_of_study(study.assign(**{name: study[name].where(study["participant"] != "p1")}))


def test_area_does_not_change_with_the_last_digit_of_an_intensity():
    rng = np.random.default_rng(71)
    s = np.repeat(np.arange(40.0, 81, 5), 5)
    y = boltzmann(s, 3e-3, 58, 4, 2e-5) * rng.lognormal(0, 0.4, s.size)
    plain = area_under_curve(s, y)
    jittered = area_under_curve(s + rng.normal(0, 1e-6, s.size), y)
    assert jittered == pytest.approx(plain, rel=1e-5)
    assert (jittered.ci_low, jittered.ci_high) == pytest.approx((plain.ci_low, plain.ci_high), rel=1e-4)
    assert area_under_curve(np.full(5, 50.0), y[:5]).flag == "few_intensities"


def active_muscle(rng, background, people=5):
    """Amplitudes of curves of a 0.6 mV plateau over a background (RMS, V) that adds in squares."""
    s = np.repeat(np.arange(40.0, 81, 5), 4)
    for person in range(people):
        true = boltzmann(s, 0.6e-3, 58 + person, 4, 0.0) * rng.lognormal(0, 0.3, s.size)
        noise = 5.3 * background * rng.lognormal(0, 0.15, s.size)
        yield pd.DataFrame({
            "participant": f"p{person}", "channel": "LES", "intensity": s, "background_emg": background,
            "mep_amplitude": np.hypot(true, noise),
            "mep_amplitude_corrected": true + rng.normal(0, background / 2, s.size),
        })  # fmt: skip


def test_a_curve_bent_by_its_background_is_flagged():
    for background, bent in ((30e-6, True), (3e-6, False)):
        tables = list(active_muscle(np.random.default_rng(4), background))
        alone = recruitment_curve(tables[0])
        together = recruitment_curves_of_study(tables).set_index(["participant", "measure"])["flag"]
        for key in ("s50", "recruitment_threshold", "mep_max"):
            assert ("background_bends_curve" in alone[key].flag) == bent
            assert ("background_bends_curve" in together["p0", key]) == bent


def test_a_floor_of_zero_leaves_the_intervals_of_a_study_their_width():
    tables = list(active_muscle(np.random.default_rng(5), 30e-6, people=8))
    found = recruitment_curves_of_study(tables, of="mep_amplitude_corrected")
    s50 = found[found["measure"] == "s50"]
    truth = 58 + s50["participant"].str[1:].astype(int)
    assert (s50["ci_high"] - s50["ci_low"] > 0.5).all()
    assert ((s50["ci_low"] < truth) & (truth < s50["ci_high"])).sum() >= 7


def test_a_value_never_lies_outside_what_the_data_allow():
    draws = np.tile([58.0, 1.0, -6.0, 0.0], (100, 1)) + np.linspace(-1, 1, 100)[:, None] * [2.0, 0.1, 0.1, 0.0]
    corner = CurveFit("boltzmann", np.array([70.0, 1.0, -6.0, 0.0]), draws, (0.1, 0.0), (40.0, 80.0), 40, 0.0)
    value, low, high = corner.derived(lambda at: at[:, 0])
    assert low < value < high
    assert value == pytest.approx(58.0)
