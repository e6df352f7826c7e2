"""Mixed models: the numbers of lme4 and lmerTest, refits, permutations, and what TrialModels makes of a trial table."""

import itertools
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from excitability.comparison import mixed_model
from excitability.comparison.bootstrap_refits import bootstrap_refits
from excitability.comparison.design import read_design
from excitability.comparison.permutation import permuted_groups
from excitability.comparison.trial_models import TrialModels

DIFFERENCE = np.array([1.0, -1.0])
FIXTURES = Path(__file__).parent / "fixtures"
DATA, FIXED, RANDOM = (
    pd.read_csv(FIXTURES / f"mixed_models{part}.csv", keep_default_na=False, na_values="NA")
    for part in ("", "_fixed", "_random")
)
CASES = list(dict.fromkeys(DATA["case"]))

# lme4 and lmerTest ------------------------------------------------------------------------------------------


def fit_of(case):
    """Our fit of a case of tests/fixtures/mixed_models.R."""
    data, terms = DATA[DATA["case"] == case], FIXED[FIXED["case"] == case]["term"]
    columns = data.assign(**{"(Intercept)": 1.0, "patient": (data["group"] == "patient").astype(float)})
    x = np.column_stack([columns[term.split(":")].astype(float).prod(axis=1) for term in terms])
    effects = set(RANDOM[RANDOM["case"] == case]["effect"])
    random = {"participant": data["participant"].to_numpy()}
    if effects & {"participant:session", "participant.session"}:
        random["participant:session"] = data["session"].to_numpy()
    if "participant:condition" in effects:
        random["participant:condition"] = data["condition"].to_numpy()
        random["participant:session:condition"] = (data["session"] + data["condition"]).to_numpy()
    slope = {"time": data["time"].to_numpy()} if "slope" in case or case == "perfect_correlation" else None
    by = data["group"].to_numpy() if case == "by_group" else None
    return mixed_model(data["y"].to_numpy(), x, random, slope, by)


@pytest.mark.parametrize("case", CASES)
def test_estimates_errors_degrees_of_freedom_and_p_are_those_of_lmertest(case):
    fit, reference = fit_of(case), FIXED[FIXED["case"] == case]
    assert len(reference) == len(fit.coefficients)
    for weights, row in zip(np.eye(len(reference)), reference.itertuples(), strict=True):
        found = fit.contrast(weights)
        assert found.estimate == pytest.approx(row.estimate, abs=1e-7)
        assert found.standard_error == pytest.approx(row.standard_error, rel=1e-6)
        assert found.df == pytest.approx(row.df, rel=1e-5)
        assert found.estimate / found.standard_error == pytest.approx(row.t, rel=1e-6)
        assert found.p_value == pytest.approx(row.p, rel=1e-5)


@pytest.mark.parametrize("case", CASES)
def test_variances_and_criterion_are_those_of_lme4(case):
    fit, reference = fit_of(case), RANDOM[RANDOM["case"] == case]
    assert fit.criterion == pytest.approx(reference["criterion"].iloc[0], abs=1e-6)
    assert fit.singular == reference["singular"].iloc[0]
    names = {
        "Residual": "residual",
        "participant.session": "participant:session in control",
        "participant.session.1": "participant:session in patient",
        "participant.1": "participant in patient",
    }
    for row in reference.itertuples():
        name = names.get(row.effect, row.effect)
        if case == "by_group" and name == "participant":
            name = "participant in control"
        if row.one == "time":
            name = "participant:time"
        if row.two == "time":
            name = "participant~participant:time"
        assert fit.variances[name] == pytest.approx(row.covariance, rel=2e-6, abs=1e-12), name


def test_a_fit_from_any_start_reaches_the_same_minimum():
    """Singular or not: the best of several general searches is not below ours."""
    from scipy import optimize

    from excitability.comparison._restricted_likelihood import cells_of, profile
    from excitability.comparison._variance_search import search, to_variances

    rng, singular = np.random.default_rng(3), 0
    for correlation, spread in itertools.product((-0.95, 0.0, 0.95), (0.0, 0.1, 0.6)):
        n, per = 8, 3
        person, session = np.repeat(np.arange(n), 4 * per), np.tile(np.repeat(np.arange(4), per), n)
        time = (session >= 2).astype(float)
        u = rng.normal(0, 0.5, n)
        v = spread * (correlation * u / 0.5 + np.sqrt(1 - correlation**2) * rng.normal(0, 1, n))
        y = u[person] + v[person] * time + rng.normal(0, 0.4, len(person))
        cells = cells_of(y, np.column_stack([np.ones(len(y)), time]), {"p": person, "s": session}, time)
        roots = search(cells)
        own = profile(to_variances(roots, True), cells)[0]
        singular += bool((roots[[0, 1, 3]] == 0).any())

        def criterion(at, cells=cells):
            squared = np.append(at[:3], at[3:] ** 2)
            return profile(to_variances(squared[:, None], True), cells)[0]

        best = min(optimize.minimize(criterion, rng.normal(0, 0.7, 4), method="L-BFGS-B").fun for _ in range(3))
        assert own <= best + 1e-6
    assert 2 <= singular <= 8


def rows(n=6, sessions=2, per=3):
    person = np.repeat(np.arange(n), sessions * per)
    session = np.tile(np.repeat(np.arange(sessions), per), n)
    return person, session, np.random.default_rng(0).normal(size=len(person))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda p, s: dict(random={"p": p, "s": s}, slope={"time": s}), "cannot be told apart.*sessions and the slope"),
        (lambda p, s: dict(random={"p": p, "q": p}), "cannot be told apart"),
        (lambda p, s: dict(random={"p": p, "row": np.arange(len(p))}), "cannot be told apart"),
        (lambda p, s: dict(random={"p": p}, slope={"a": s, "b": s}), "one random slope, got a, b"),
        (lambda p, s: dict(random={"p": p}, slope={"a": s[1:]}), "'a' has 35 labels for 36 rows"),
        (lambda p, s: dict(random={"p": p}, slope={"a": np.where(s, np.nan, 1.0)}), "slope, 'a', must be finite"),
        (lambda p, s: dict(random={"p": p}, by=s), "the same in all rows of a participant"),
        (lambda p, s: dict(random={"p": np.where(p == 2, np.nan, p)}), "'p' has no label in row 12"),
    ],
)
def test_what_cannot_be_fitted_is_said(change, message):
    person, session, y = rows()
    with pytest.raises(ValueError, match=message):
        mixed_model(y, np.ones((len(y), 1)), **change(person, session))


# Refits and rearrangements ----------------------------------------------------------------------------------


@pytest.mark.parametrize("case", ["nested", "slope_and_session", "by_group"])
def test_simulated_sums_have_the_moments_of_simulated_rows(case):
    """Refits simulate sums over cells; the mean of every variance over refits must be what was put in."""
    from excitability.comparison.bootstrap_refits import _Simulation
    from excitability.comparison.mixed_models import fit_cells

    fit = fit_of(case)
    rng, simulate = np.random.default_rng(1), _Simulation(fit)
    names, zero = [name for name in fit.variances if name != "residual"], np.zeros(len(fit.coefficients))
    again = [fit_cells(simulate.cells(rng), names, zero) for _ in range(200)]
    beta = np.array([one.coefficients for one in again])
    spread = beta.std(axis=0) / np.sqrt(np.diag(fit.covariance))
    assert spread == pytest.approx(np.ones(len(zero)), abs=0.15)
    assert np.abs(beta.mean(axis=0)) == pytest.approx(zero, abs=4 * np.sqrt(np.diag(fit.covariance)).max() / 200**0.5)
    residual = np.array([one.variances["residual"] for one in again])
    error = residual.std() / np.sqrt(200)
    assert residual.mean() == pytest.approx(fit.variances["residual"], abs=4 * error)


def test_refits_of_a_balanced_study_give_the_t_interval():
    person, session, noise = rows(10, 2, 8)
    rng = np.random.default_rng(4)
    y = noise + rng.normal(0, 0.8, (10, 2))[person, session] + 0.9 * session
    fit = mixed_model(y, np.column_stack([np.ones(len(y)), session]), {"p": person, "s": session})
    found = bootstrap_refits(fit, [0, 1], n=500, seed=2)
    change = y.reshape(10, 2, 8).mean(axis=2) @ [-1, 1]
    oracle = stats.ttest_1samp(change, 0)
    half = (found.ci_high - found.ci_low) / 2
    assert found.estimate == pytest.approx(change.mean())
    assert half == pytest.approx(oracle.confidence_interval().high - change.mean(), rel=0.12)
    assert found.p_value == pytest.approx(oracle.pvalue, rel=0.5, abs=0.01)
    assert np.array_equal(found.t, bootstrap_refits(fit, [0, 1], n=500, seed=2).t)
    with pytest.raises(ValueError, match="20 refits or more, got 5"):
        bootstrap_refits(fit, [0, 1], n=5)


def test_sign_flips_are_scipys():
    changes = np.random.default_rng(5).normal(0.3, 0.5, 9)
    oracle = stats.permutation_test(
        (changes,), np.mean, permutation_type="samples", n_resamples=np.inf, alternative="two-sided"
    )
    found = permuted_groups(changes, np.zeros(9, dtype=int), 1).contrast(np.ones(1))
    assert found.n_permutations == 512
    assert found.p_value == pytest.approx(oracle.pvalue)


def test_exchanges_are_scipys_of_welchs_t():
    rng = np.random.default_rng(6)
    changes, second = np.r_[rng.normal(0.4, 0.8, 5), rng.normal(0, 0.3, 7)], np.arange(12) >= 5

    def size(one, two, axis):
        return np.abs(stats.ttest_ind(one, two, axis=axis, equal_var=False).statistic)

    oracle = stats.permutation_test(
        (changes[~second], changes[second]), size, n_resamples=np.inf, alternative="greater", vectorized=True
    )
    found = permuted_groups(changes, second.astype(int), 2).contrast(DIFFERENCE)
    assert found.n_permutations == 792
    assert found.p_value == pytest.approx(oracle.pvalue)


# Trial tables -----------------------------------------------------------------------------------------------

N = 14


def trial_table(seed=0, effect=0.0, background=0.0, fatigue=0.0, paired=False, visits=1, slope=0.3, per=10, drift=0.3):
    """Trials whose logarithm depends on the background (which rises by drift afterwards) and on the trial."""
    rng, parts = np.random.default_rng(seed), []
    for person in range(N):
        u, v, cond = rng.normal(0, 0.5), rng.normal(0, slope), rng.normal(-0.7, 0.2)
        for time, visit in itertools.product((0, 1), range(visits)):
            w = rng.normal(0, 0.15)
            for condition in ("test", "isi_0.0025")[: 1 + paired]:
                trial = np.arange(per)
                active = np.log(1e-5) + rng.normal(0, 0.3, per) + drift * time
                y = -7 + u + w + background * (active - np.log(1e-5)) - fatigue * trial + rng.normal(0, 0.4, per)
                on = condition != "test" or not paired
                y = y + on * ((v + effect * (person < N // 2)) * time + cond * paired)
                parts.append(pd.DataFrame({
                    "participant": f"{person:02d}", "session": f"{time}{visit}", "timepoint": ("pre", "post0")[time],
                    "channel": "FDI", "condition": condition, "trial": trial, "mep_amplitude": np.exp(y),
                    "background_emg": np.exp(active), "group": "patient" if person < N // 2 else "control",
                }))  # fmt: skip
    return pd.concat(parts, ignore_index=True)


def trial_fit(trials, trial_covariates=(), by="group", covariates=(), measure="mep_amplitude"):
    keys = ["participant", "timepoint", "group"]
    means = trials.groupby([*keys, "condition"], as_index=False)["mep_amplitude"].mean()
    results = means.rename(columns={"mep_amplitude": "value"}).assign(measure="mep_amplitude", unit="V", form="")
    if measure == "conditioned_ratio":
        wide = means.pivot(index=keys, columns="condition", values="mep_amplitude")
        results = (wide["isi_0.0025"] / wide["test"]).rename("value").reset_index()
        results = results.assign(measure=measure, unit="1", form="ratio", condition="isi_0.0025")
    results = results.assign(protocol="m1/sici", channel="FDI", session=results["timepoint"])
    design = read_design(results, "session", "pre", "post0", by, ())
    if covariates:
        design = design.__class__(**{**design.__dict__, "covariates": tuple(covariates)})
    models = TrialModels(trials, design, trial_covariates)
    everybody = np.ones(N, dtype=bool)
    extra = np.zeros((N, 0)) if not covariates else design.values[0][:, :1]
    return models.fit(0, 1, [0, 1] if by else [0], everybody, extra)


def test_background_and_trial_number_are_taken_into_account():
    trials = trial_table(background=0.8, fatigue=0.03, slope=0.0)
    plain, adjusted = trial_fit(trials, by=None), trial_fit(trials, ("background_emg", "trial"), by=None)
    one = np.ones(1)
    assert plain.contrast(one).interval[0] > 0.1  # the background rose by 0.3 and took the amplitude with it: 0.24
    low, high = adjusted.contrast(one).interval
    assert low < 0 < high
    assert "~ time + log(background_emg) + trial + (1 | participant)" in adjusted.formula
    assert adjusted.fit.coefficients[-2] / trials["background_emg"].transform(np.log).std(ddof=0) == pytest.approx(
        0.8, abs=0.1
    )
    assert adjusted.changes.mean() == pytest.approx(adjusted.contrast(one).estimate, abs=0.02)
    assert adjusted.flag == ""


def test_trial_covariates_that_are_missing_or_constant_are_told():
    trials = trial_table(background=0.8)
    gaps = trials.assign(background_emg=trials["background_emg"].where(trials.index % 7 > 0, 0.0))
    fit = trial_fit(gaps, ("background_emg",))
    assert "trial_covariate_missing" in fit.flag
    assert fit.fit.n == (trials.index % 7 > 0).sum()
    constant = trial_fit(trials.assign(background_emg=1e-5), ("background_emg", "trial"))
    assert "trial_covariate_constant" in constant.flag
    assert "background" not in constant.formula
    assert "+ trial +" in constant.formula
    unknown = trial_fit(trials.assign(background_emg=np.nan), ("background_emg",))
    assert "trial_covariate_constant" in unknown.flag
    with pytest.raises(ValueError, match="unknown column 'bakground_emg': did you mean 'background_emg'"):
        trial_fit(trials, ("bakground_emg",))
    odd = trials.astype({"background_emg": object})
    odd.loc[3, "background_emg"] = "high"
    with pytest.raises(ValueError, match="must hold numbers, but has 'high' in row 3"):
        trial_fit(odd, ("background_emg",))


def test_groups_that_scatter_differently_have_variances_of_their_own():
    trials = trial_table(slope=0.0, per=8)
    rng = np.random.default_rng(1)
    noise = dict(zip(trials["participant"].unique(), rng.normal(0, np.where(np.arange(N) < 7, 2.0, 0.05)), strict=True))
    moved = trials["participant"].map(noise) * (trials["timepoint"] == "post0")
    trials["mep_amplitude"] *= np.exp(moved)
    fit = trial_fit(trials)
    oracle = stats.ttest_ind(fit.changes[fit.groups == 0], fit.changes[fit.groups == 1], equal_var=False)
    found = fit.contrast(np.array([1.0, -1.0]))
    if not fit.fit.singular:
        assert found.interval == pytest.approx(tuple(oracle.confidence_interval()), rel=1e-3)
    sizes = [fit.contrast(weights).standard_error for weights in np.eye(2)]
    assert max(sizes) > 3 * min(sizes)
    assert "variances by group" in fit.formula


@pytest.mark.parametrize("seed", range(3))
def test_sessions_that_repeat_bring_a_random_slope_of_time(seed):
    fit = trial_fit(trial_table(seed, visits=3, slope=0.5), by=None)
    named = "(1 + time | participant) + (1 | participant:session)" in fit.formula
    left_out = "(1 | participant:time) + (1 | participant:session)" in fit.formula
    assert named != left_out
    assert ("random_slope_left_out" in fit.flag) == left_out
    # people differ in their change: the error is theirs, not that of 42 sessions
    own = fit.changes.std(ddof=1) / np.sqrt(N)
    assert fit.contrast(np.ones(1)).standard_error == pytest.approx(own, rel=0.15)


def test_a_random_slope_that_is_not_there_is_left_out_and_told():
    told = [trial_fit(trial_table(seed, visits=2, slope=0.0), by=None) for seed in range(4)]
    fallen = [fit for fit in told if "random_slope_left_out" in fit.flag]
    assert fallen
    assert all("1 + time" not in fit.formula for fit in fallen)


def test_sessions_that_repeat_in_one_group_alone_are_put_together():
    trials = trial_table(0, visits=2)
    once = trials[~((trials["group"] == "control") & trials["session"].str.endswith("1"))]
    fit = trial_fit(once)
    assert "(1 | participant) + (1 | participant:session), variances by group" in fit.formula
    assert "1 + time" in trial_fit(trials).formula or "participant:time" in trial_fit(trials).formula


def test_analysis_of_covariance_of_trials_is_that_of_the_means():
    """With equal numbers of trials the model of trials must agree with the regression on means of logarithms."""
    import statsmodels.formula.api as smf

    trials = trial_table(3, effect=0.5, slope=0.5)
    fit = trial_fit(trials, covariates=("baseline",))
    log = trials.assign(y=np.log(trials["mep_amplitude"]))
    wide = log.groupby(["participant", "timepoint"])["y"].mean().unstack()
    frame = pd.DataFrame({"post": wide["post0"], "pre": wide["pre"], "patient": (np.arange(N) < N // 2).astype(float)})
    # groups have variances of their own: the regression must give them the same weights
    of_people = {group: fit.fit.variances[f"participant in {group}"] for group in (0, 1)}
    control = fit.fit.variances["residual"] / 10 + pd.Series(np.repeat([of_people[0], of_people[1]], N // 2))
    oracle = smf.wls("post ~ patient + pre", frame, weights=1 / control.to_numpy()).fit(cov_type="fixed scale")
    found = fit.contrast(DIFFERENCE)
    assert found.estimate == pytest.approx(oracle.params["patient"], rel=1e-6)
    assert found.standard_error == pytest.approx(oracle.bse["patient"], rel=1e-6)
    assert "log(mep_amplitude) - baseline ~ group + baseline + (1 | participant)" in fit.formula


def test_covariance_on_the_baseline_gains_where_regression_to_the_mean_does():
    """Sessions scatter much: a change is mostly the return from the baseline, which the covariate takes away."""
    widths = np.zeros(2)
    rng = np.random.default_rng(0)
    for _ in range(8):
        y = -7 + rng.normal(0, 0.6, (N, 2, 1)) + rng.normal(0, 0.2, (N, 2, 12))
        person, time, _ = np.indices(y.shape).reshape(3, -1)
        trials = pd.DataFrame({
            "participant": np.char.zfill(person.astype(str), 2), "session": time, "channel": "FDI",
            "timepoint": np.array(["pre", "post0"])[time], "condition": "test", "mep_amplitude": np.exp(y).ravel(),
            "group": np.array(["control", "patient"])[person % 2],
        })  # fmt: skip
        for i, covariates in enumerate(((), ("baseline",))):
            low, high = trial_fit(trials.astype({"session": str}), covariates=covariates).contrast(DIFFERENCE).interval
            widths[i] += high - low
    assert 0.6 < widths[1] / widths[0] < 0.85  # 0.71 but for the degree of freedom that the covariate costs


def test_paired_pulse_ancova_keeps_the_conditioning_effect():
    fit = trial_fit(trial_table(4, effect=0.6, paired=True), covariates=("baseline",), measure="conditioned_ratio")
    estimates = [fit.contrast(weights).estimate for weights in np.eye(2)]
    assert max(estimates) - min(estimates) == pytest.approx(0.6, abs=0.5)
    assert "~ cond * group + baseline:cond + (1 | participant) + (1 | participant:cond)" in fit.formula


def test_bootstrap_and_permutation_of_a_trial_model_agree_with_it():
    fit = trial_fit(trial_table(5, effect=0.9, slope=0.4))
    found = fit.contrast(DIFFERENCE)
    refits = fit.bootstrap(DIFFERENCE, n=300, seed=1)
    assert refits.estimate == pytest.approx(found.estimate)
    assert refits.ci_high - refits.ci_low == pytest.approx(found.interval[1] - found.interval[0], rel=0.3)
    exchanged = fit.permutation(DIFFERENCE)
    assert exchanged.estimate == pytest.approx(found.estimate, rel=0.02)
    assert (exchanged.p_value < 0.05) == (found.p_value < 0.05)
    flipped = fit.permutation(np.array([1.0, 0.0]))
    assert flipped.n_permutations == 2**7
    assert flipped.estimate == pytest.approx(fit.contrast(np.array([1.0, 0.0])).estimate, rel=0.02)
