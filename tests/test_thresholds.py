"""Motor thresholds: the live search, stochastic approximation, and what every interval covers."""

import itertools
import math

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

import excitability as ex
from excitability.cli import app
from excitability.measures import active_motor_threshold, resting_motor_threshold
from excitability.measures._thresholds import (
    METHODS,
    likelihood_limits,
    maximum_likelihood,
    response_probability,
    stochastic_approximation,
    thresholds,
)
from excitability.threshold import METHODS as SEARCHES
from excitability.threshold import Search, next_intensity, read_response, read_responses


def searched(rng, threshold, method, spread=0.07, **options):
    s, y = [], []
    while not (answer := next_intensity(s, y, method, **options)).done:
        s.append(answer.intensity)
        y.append(rng.random() < response_probability(s[-1], threshold, spread))
    return np.array(s), np.array(y), answer


def typed(*words, given=""):
    return CliRunner().invoke(app, ["threshold", *map(str, words)], input=given)


def test_probability_of_a_response_is_the_published_one():
    found = response_probability(np.array([45, 50, 53.5, 55]), 50)
    assert found == pytest.approx([0.0766, 0.5, 0.8413, 0.9234], abs=5e-5)


@pytest.mark.parametrize("method", ["maximum_likelihood", "stochastic_approximation"])
def test_a_search_finds_the_threshold_in_about_twenty_pulses(method):
    rng = np.random.default_rng(31)
    errors, pulses, hits = [], [], []
    for _ in range(60):
        threshold = rng.uniform(30, 80)
        s, _, answer = searched(rng, threshold, method)
        errors.append(answer.estimate - threshold)
        hits.append(answer.estimate.ci_low <= threshold <= answer.estimate.ci_high)
        pulses.append(s.size)
    assert abs(np.mean(errors)) < 0.6
    assert np.std(errors) < 1.9
    assert np.median(pulses) <= (21 if method == "maximum_likelihood" else 26)
    assert np.mean(hits) >= 0.88


def test_a_search_needs_a_third_of_the_pulses_of_relative_frequency():
    rng = np.random.default_rng(32)
    adaptive, classical, errors = [], [], []
    for threshold in rng.uniform(35, 70, 25):
        adaptive.append(searched(rng, threshold, "maximum_likelihood")[0].size)
        s, _, answer = searched(rng, threshold, "relative_frequency", start=round(1.15 * threshold))
        classical.append(s.size)
        errors.append(answer.estimate - threshold)
    assert np.median(adaptive) < 0.5 * np.median(classical)
    assert np.std(errors) < 2.5


def test_bayesian_search_knows_less_of_a_threshold_because_the_spread_is_unknown():
    rng = np.random.default_rng(33)
    s, y, answer = searched(rng, 55, "bayesian", precision=4.0)
    assert answer.estimate == pytest.approx(55, abs=4)
    levels, index = np.unique(s, return_inverse=True)
    _, low, high = likelihood_limits(levels, np.bincount(index), np.bincount(index, weights=y))
    assert high - low < answer.estimate.ci_high - answer.estimate.ci_low


def test_the_interval_of_maximum_likelihood_does_not_take_the_spread_for_known():
    """Its own likelihood covers 75 to 85 % where the spread is 0.12; the search still ends by it."""
    rng, hits, fixed = np.random.default_rng(42), [], []
    for _ in range(100):
        threshold = rng.uniform(30, 80)
        s = np.repeat(np.round(threshold) + np.arange(-6, 7, 2), 10)
        y = rng.random(s.size) < response_probability(s, threshold, 0.12)
        levels, index = np.unique(s, return_inverse=True)
        count, yes = np.bincount(index), np.bincount(index, weights=y)
        found, (_, low, high) = maximum_likelihood(levels, count, yes), likelihood_limits(levels, count, yes)
        hits.append(found.ci_low <= threshold <= found.ci_high)
        fixed.append(low <= threshold <= high)
    assert np.mean(fixed) < 0.88
    assert np.mean(hits) >= 0.9


@pytest.mark.parametrize("method", SEARCHES)
def test_a_search_ends_at_the_ceiling_without_a_number(method):
    s, y = [], []
    while not (answer := next_intensity(s, y, method)).done:
        assert not s or abs(answer.intensity - s[-1]) <= 10
        s.append(answer.intensity)
        y.append(False)
    assert math.isnan(answer.estimate)
    assert answer.estimate.flag == "ceiling"
    assert answer.estimate.ci_low > 90
    assert len(s) < 80


@pytest.mark.parametrize("method", SEARCHES)
def test_proposals_are_whole_intensities_the_stimulator_has(method):
    rng = np.random.default_rng(34)
    s, _, _ = searched(rng, 88, method, maximum=92)
    assert ((s >= 1) & (s <= 92)).all()
    assert (s == np.round(s)).all()


def test_relative_frequency_never_ends_above_a_level_that_failed():
    s = [50] * 5 + [49] * 6 + [52] * 6
    y = [True] * 5 + [False] * 12
    answer = next_intensity(s, y, "relative_frequency")
    assert (answer.intensity, answer.estimate.flag) == (53, "inconsistent_responses")
    below = next_intensity([50] * 6, [False] * 6, "relative_frequency")
    assert below.intensity == 55


def test_stochastic_approximation_speaks_only_for_trials_it_led():
    rng = np.random.default_rng(35)
    s, y, answer = searched(rng, 47, "stochastic_approximation", fewest=20, most=20)
    found = stochastic_approximation(s, y)
    assert found == pytest.approx(float(answer.estimate))
    assert found == pytest.approx(47, abs=4)
    mixed = rng.permutation(20)
    assert stochastic_approximation(s[mixed], y[mixed]).flag == "not_led_by_stochastic_approximation"


@pytest.mark.parametrize("spread", [0.05, 0.07, 0.10])
def test_intervals_cover_after_every_kind_of_sequence(spread):
    rng = np.random.default_rng(36)
    hits = {"bayesian": [], "mlpest": []}
    for i in range(36):
        threshold = rng.uniform(30, 80)
        if i % 3 == 0:
            s, _, _ = searched(rng, threshold, "maximum_likelihood", fewest=20, most=20)
        elif i % 3 == 1:
            s = np.clip(np.round(rng.uniform(0.75, 1.25, 40) * threshold), 1, 100)
        else:
            s = np.repeat(np.round(threshold) + np.arange(6, -7, -2), 10)
        y = rng.random(s.size) < response_probability(s, threshold, spread)
        found = thresholds(
            pd.DataFrame({"intensity": s, "mep_amplitude": np.where(y, 2e-4, 1e-5)}),
            "rmt", "mep_amplitude", "intensity", 50e-6,
        )  # fmt: skip
        assert set(found) == {"rmt", *(f"rmt_{method}" for method in METHODS)}
        for method, held in hits.items():
            held.append(found[f"rmt_{method}"].ci_low <= threshold <= found[f"rmt_{method}"].ci_high)
    for method, held in hits.items():
        assert 0.88 <= np.mean(held) <= 1, method


def test_profile_interval_is_where_the_likelihood_has_fallen_by_its_quantile():
    levels, count, yes = np.arange(44.0, 57, 2), np.full(7, 10), np.array([0, 1, 3, 5, 8, 9, 10])
    found, low, high = likelihood_limits(levels, count, yes)
    assert found == maximum_likelihood(levels, count, yes)

    def log_likelihood(threshold):
        p = 0.01 + 0.98 * response_probability(levels, threshold)
        end = response_probability(100.0, threshold)  # the virtual response at 100 %
        return float(yes @ np.log(p) + (count - yes) @ np.log1p(-p) + np.log(end))

    top = log_likelihood(found)
    for edge, away in ((low, -0.11), (high, 0.11)):  # the search grid has steps of 0.1
        assert top - log_likelihood(edge) <= 1.93
        assert top - log_likelihood(edge + away) > 1.92


def test_typed_lines():
    assert read_response("52 y", 50) == (52, True)
    assert read_response("0.08", 50) == (50, True)
    assert read_response("0.08", 50, criterion=200e-6) == (50, False)
    assert read_response("47,5 30", 50, unit="uV") == (47.5, False)
    for line, message in (("52 maybe", "type the intensity"), ("1 2 3", "type the"), ("80", "--unit uV")):
        with pytest.raises(ValueError, match=message):
            read_response(line, 50)
    with pytest.raises(ValueError, match="did you mean"):
        next_intensity([], [], "baysian")
    with pytest.raises(ValueError, match="one response"):
        next_intensity([50], [])
    with pytest.raises(ValueError, match="0 to 100"):
        next_intensity([150], [True])


def test_a_table_of_responses_is_read_without_rejected_rows(tmp_path):
    table = pd.DataFrame({
        "intensity": [50, 48, 49], "mep_amplitude": [1e-4, 2e-5, 9e-5], "reject": ["", "", "bad"], "channel": "FDI",
    })  # fmt: skip
    path = tmp_path / "trials.tsv"
    table.to_csv(path, sep="\t", index=False)
    assert read_responses(path) == [(50, True), (48, False)]
    table.assign(channel=["FDI", "APB", "FDI"]).to_csv(path, sep="\t", index=False)
    with pytest.raises(ValueError, match="several channels"):
        read_responses(path)
    path.write_text("intensity\tresponse\n50\ty\n48\t0\n", encoding="utf-8")
    assert read_responses(path) == [(50, True), (48, False)]
    path.write_text("50 y\n48 0.01\n", encoding="utf-8")
    assert read_responses(path) == [(50, True), (48, False)]
    with pytest.raises(FileNotFoundError, match="no file"):
        read_responses(tmp_path / "none.tsv")


@pytest.mark.parametrize(
    "text",
    [
        "intensity,response\n50,1\n48,0\n47,n/a\n",
        "# of the morning\nintensity;response\n50;y\n48;n\n",
        "\n# one line\n50 y\n# another\n48 n\n",
        "intensity response\n50 y\n48 n\n",
        "intensity;mep_amplitude\n50;0,0001\n48;0,00002\n",
        "intensity, mep_amplitude, reject\n50, 1e-4,\n48, 2e-5,\n45, 9e-4, bad\n",
    ],
)
def test_responses_are_read_whatever_parts_the_columns(text, tmp_path):
    path = tmp_path / "responses.txt"
    path.write_text(text, encoding="utf-8")
    assert read_responses(path) == [(50, True), (48, False)]


@pytest.mark.parametrize(
    ("text", "line"), [("50 y\n# slip\n48 mybe\n", 3), ("# a\nintensity,response\n50,y\n\n48,perhaps\n", 5)]
)
def test_an_error_names_the_line_of_the_file(text, line, tmp_path):
    path = tmp_path / "responses.txt"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=f"line {line}: type the intensity"):
        read_responses(path)


def test_microvolts_typed_as_millivolts_are_asked_back_and_amplitudes_are_echoed():
    done = typed(given="8\n0.008\n52 0.08\ny\n")
    assert "did you mean 8 µV? type 0.008" in done.stderr
    assert "booked 50 %MSO, 0.008 mV: no response; pulse 1 " in done.output
    assert "booked 52 %MSO, 0.08 mV: response; pulse 2 " in done.output
    assert ", response; pulse 3 " in done.output
    assert read_response("52 4.9", 50) == (52, True)
    assert read_response("52 8", 50, unit="uV") == (52, False)


def test_the_command_answers_every_typed_line_and_a_file(tmp_path):
    done = typed(given="n\n55 y\n0.02\n")
    assert done.exit_code == 0
    said = done.output
    assert said.count("next:") == 4
    assert "next: 60 %MSO" in said
    assert "not met yet" in said
    rng = np.random.default_rng(37)
    s, y, answer = searched(rng, 62, "maximum_likelihood")
    path = tmp_path / "responses.txt"
    path.write_text("".join(f"{a:g} {'y' if b else 'n'}\n" for a, b in zip(s, y, strict=True)), encoding="utf-8")
    said = typed(path).output
    assert f"stop: {answer.reason}" in said
    assert "bayesian" in said.splitlines()[-1]
    wrong = typed(given="n\n52 perhaps\ny\n")  # a slip of the hand does not cost the pulses before it
    assert wrong.exit_code == 0
    assert "type the intensity" in wrong.stderr
    assert wrong.output.count("next:") == 3


def test_search_remembers_what_it_was_told():
    search = Search("bayesian", start=45)
    assert search.proposal.intensity == 45
    search.add(45, True)
    with pytest.raises(ValueError, match="%MSO"):
        search.add(450, True)
    assert search.intensities == [45]
    assert ex.next_intensity([45], [True], "bayesian", start=45).intensity == search.proposal.intensity


@pytest.mark.parametrize("responses", [["y", "n"], [1e-4, 2e-5], [True, np.nan], [True, None], [2, 0]])
def test_a_response_is_true_or_false(responses):
    with pytest.raises(ValueError, match="a response is True or False"):
        next_intensity([50, 45], responses)


def test_ones_and_zeros_are_responses():
    wanted = next_intensity([50, 45], [True, False])
    assert str(next_intensity([50, 45], np.array([1, 0]))) == str(wanted)
    assert str(next_intensity([50, 45], np.array([True, False]))) == str(wanted)


@pytest.mark.parametrize(
    "option",
    [
        {"step": 0}, {"step": 15}, {"step": np.nan}, {"maximum": 120}, {"maximum": -5}, {"maximum": np.nan},
        {"start": -5}, {"start": np.nan}, {"start": 101}, {"precision": 0}, {"fewest": 0}, {"fewest": 20, "most": 10},
    ],
)  # fmt: skip
def test_options_that_no_search_can_follow_are_an_error(option):
    for told in ([], []), ([48.0], [False]):
        with pytest.raises(ValueError, match=f"{next(iter(option))} = "):
            next_intensity(*told, **option)


@pytest.mark.parametrize("step", [1, 3, 7, 10])
def test_a_coarse_stimulator_moves_by_10_at_most(step):
    for last, response in itertools.product(range(step, 101, step), [True, False]):
        found = next_intensity([last], [response], step=step)
        assert abs(found.intensity - last) <= 10
        assert step <= found.intensity <= 100


@pytest.mark.parametrize("criterion", [np.nan, -1, 0, 0.05])
def test_a_criterion_is_the_size_of_a_response(criterion, tmp_path):
    (tmp_path / "lines.txt").write_text("50 y\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"criterion = .* such as 50e-6"):
        read_response("50 0.1", 50, criterion)
    with pytest.raises(ValueError, match=r"criterion = .* such as 50e-6"):
        read_responses(tmp_path / "lines.txt", criterion)


def test_files_that_cannot_be_meant_are_an_error(tmp_path):
    path = tmp_path / "told.tsv"

    def told(text):
        path.write_text(text, encoding="utf-8")
        return read_responses(path)

    with pytest.raises(ValueError, match=r"0.5 V is no amplitude of an evoked potential; say its unit"):
        told("intensity\tmep_amplitude\n50\t0.5\n45\t0.03\n40\t0.02\n")
    assert read_responses(path, unit="mV") == [(50, True), (45, False), (40, False)]
    with pytest.raises(ValueError, match="unknown unit 'kV'"):
        read_responses(path, unit="kV")
    assert told("intensity\tresponse\n50\ty\n48\tn/a\n46\t\n45\t0\n") == [(50, True), (45, False)]
    with pytest.raises(ValueError, match=r"holds several participants \(01, 02\)"):
        told("intensity\tresponse\tparticipant\n50\ty\t01\n45\tn\t02\n")
    with pytest.raises(ValueError, match="share of 1"):
        told("intensity\tresponse\n0.5\ty\n0.45\tn\n")
    with pytest.raises(ValueError, match="is empty"):
        told("\n")
    path.write_bytes(b"\xff\xfe\x00\x81")
    with pytest.raises(ValueError, match="is no text"):
        read_responses(path)


def test_responses_in_a_contraction_are_counted_as_the_docstring_says():
    table = pd.DataFrame({"intensity": np.repeat([34.0, 36, 38], 10), "mep_amplitude": 2.5e-4})
    table["mep_probability"] = np.repeat([0.0, 0, 1], 10)
    weak = active_motor_threshold(table.assign(background_emg=2e-5))  # 140 µV: below the criterion
    assert weak["active_motor_threshold"].flag == "below_tested_range;some_responses_doubtful"
    strong = active_motor_threshold(table.assign(background_emg=4e-5))
    assert strong["active_motor_threshold_relative_frequency"] == 38
    assert "criterion_below_noise" in strong["active_motor_threshold"].flag


def method_of(intensity, response, method):
    size = np.where(response, 1e-4, 1e-5)
    table = pd.DataFrame({"intensity": intensity, "mep_amplitude": size})
    return resting_motor_threshold(table)[f"resting_motor_threshold_{method}"]


@pytest.mark.parametrize("top", [60.0, 100.0])
def test_no_level_with_responses_only_is_no_ceiling(top):
    intensity = np.repeat([top - 20, top - 10, top], 10)
    response = np.r_[np.zeros(10), np.arange(10) < 5, np.arange(10) < 9].astype(bool)
    upward = method_of(intensity, response, "mills_nithi")
    assert np.isnan(upward)
    assert upward.ci_low == top - 10  # middle of the highest level without responses and the highest of all
    assert upward.flag == "no_level_with_responses_only"
    downward = method_of(intensity, ~response, "mills_nithi")
    assert downward.flag in ("no_level_without_responses", "inconsistent_responses")
    none = method_of(intensity, np.zeros(30, bool), "mills_nithi")
    assert (none.ci_low, none.flag) == (top, "ceiling" if top == 100 else "above_tested_range")
    every = method_of(intensity, np.ones(30, bool), "mills_nithi")
    assert (every.ci_high, every.flag) == (top - 20, "below_tested_range")


def test_no_level_without_responses_bounds_the_threshold_from_above():
    intensity = np.repeat([40.0, 50.0, 60.0], 10)
    response = np.r_[np.arange(10) < 2, np.arange(10) < 7, np.ones(10)].astype(bool)
    found = method_of(intensity, response, "mills_nithi")
    assert (found.ci_high, found.flag) == (50.0, "no_level_without_responses")


def test_methods_agree_on_one_level_with_half_of_the_responses():
    intensity, response = np.full(10, 50.0), np.arange(10) < 5
    for method in ("relative_frequency", "mlpest", "bayesian"):
        found = method_of(intensity, response, method)
        assert found == pytest.approx(50, abs=1)
        assert found.flag == ""
    assert method_of(intensity, response, "mills_nithi").flag == "no_level_with_responses_only"
    assert method_of(np.full(10, 50.0), np.arange(10) < 2, "bayesian").flag == "above_tested_range"
