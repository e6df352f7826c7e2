"""Motor maps: definitions, intervals, overlap, asymmetry, pictures."""

from __future__ import annotations

import mne
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import excitability as ex
from excitability.measures import _maps, motor_map
from excitability.measures._grid import find_grid
from excitability.measures._maps import response_map
from excitability.measures.map_asymmetry import map_asymmetry
from excitability.measures.motor_map import UNITS, discrete_peaks
from excitability.measures.overlap import distance_interval, map_overlap
from excitability.plots import motor_map as draw


def grid(side=7, pulses=3):
    return tuple(np.tile(axis.ravel() / 100, pulses) for axis in np.meshgrid(np.arange(side), np.arange(side)))


def hill(x, y, centre=(0.031, 0.028), width=0.011, floor=0.03):
    return 1e-3 * (np.exp(-((x - centre[0]) ** 2 + (y - centre[1]) ** 2) / (2 * width**2)) + floor)


def scattered(mean, noise, cv=0.7):
    spread = np.sqrt(np.log1p(cv**2))
    return mean * np.exp(spread * noise - spread**2 / 2)


def table_of(x, y, size, **more):
    return pd.DataFrame({"coil_x": x, "coil_y": y, "mep_amplitude": size, **more})


def truth(sites, mean, cell):
    active = mean >= 0.1 * mean.max()
    total = mean[active].sum()
    x, y = mean[active] @ sites[active, :2] / total
    return {
        "centre_of_gravity_x": x,
        "centre_of_gravity_y": y,
        "map_area": active.sum() * cell,
        "map_volume": total * cell,
        "map_normalised_volume": total / mean.max(),
    }


# definitions -----------------------------------------------------------------------------------------------------


def test_every_number_of_a_map_by_its_formula():
    x, y = grid(pulses=1)
    size = hill(x, y)
    found = motor_map(table_of(x, y, size))
    active = size >= 0.1 * size.max()
    weights, places = size[active], np.stack([x, y], axis=1)[active]
    centre = weights @ places / weights.sum()
    spread = np.sqrt(weights @ np.sum((places - centre) ** 2, axis=1) / weights.sum())
    expected = {
        "centre_of_gravity_x": centre[0],
        "centre_of_gravity_y": centre[1],
        "map_area": active.sum() * 1e-4,
        "map_volume": weights.sum() * 1e-4,
        "map_normalised_volume": weights.sum() / size.max(),
        "map_spread": spread,
        "hotspot_x": 0.03,
        "hotspot_y": 0.03,
        "map_peaks": 1,
        "map_truncated": 0,
        "map_sites_needed": 0,
        "map_active_share": active.mean(),
        "map_coverage": 1,
    }
    assert {key: float(found[key]) for key in expected} == pytest.approx(expected)
    assert found["centre_of_gravity_z"].flag == "no_coil_z"
    assert set(found) == set(UNITS)


def test_sites_that_are_missing_are_counted():
    x, y = grid(5, 1)
    size = np.where((x == 0.04) & (y == 0.02), 1e-3, 1e-6)
    found = motor_map(table_of(x, y, size))
    assert found["map_sites_needed"] == 3  # the column beside it, 1 cm up and down
    assert found["map_area"].flag.startswith("map_truncated")
    kept = ~((x == 0) & (y == 0))
    assert motor_map(table_of(x, y, size)[kept])["map_coverage"] == pytest.approx(24 / 25)


def test_criterion_and_share_of_trials_that_reach_it():
    x, y = grid(4, 2)
    site = np.tile(np.arange(16), 2)
    size = np.where(site < 3, 200e-6, 20e-6)
    size[16] = 10e-6  # the first site answers once in two
    rules = {"fraction": 0.0, "criterion": 50e-6}
    area = [float(motor_map(table_of(x, y, size), share=share, **rules)["map_area"]) for share in (0.5, 0.6)]
    assert area == pytest.approx([3e-4, 2e-4])


def test_peaks_are_counted_and_do_not_depend_on_gain():
    x, y = grid(7, 1)
    two = hill(x, y, (0.01, 0.01), 0.006, 0) + hill(x, y, (0.05, 0.05), 0.006, 0)
    around = response_map([table_of(x, y, two)], "mep_amplitude")[0].neighbours()
    assert discrete_peaks(np.stack([two, 5 * two, hill(x, y)]), around).sum(axis=1).tolist() == [2, 2, 1]


@pytest.mark.parametrize("scatter", [False, True])
def test_a_map_on_the_side_of_the_head_is_not_foreshortened(scatter):
    rng = np.random.default_rng(4)
    x, y = rng.uniform(0, 0.06, (2, 120)) if scatter else grid(7, 2)
    table = table_of(x, y, scattered(hill(x, y), rng.standard_normal(x.size), 0.3))
    turn = np.array([[np.cos(0.8), 0, np.sin(0.8)], [0, 1, 0], [-np.sin(0.8), 0, np.cos(0.8)]])
    places = np.stack([x, y, np.zeros(x.size)], axis=1) @ turn.T + [0.02, 0.01, 0.09]
    turned = table.assign(**dict(zip(("coil_x", "coil_y", "coil_z"), places.T, strict=True)))
    flat, tilted = motor_map(table), motor_map(turned)
    assert tilted["map_area"] == pytest.approx(flat["map_area"], rel=1e-6 if not scatter else 0.05)
    centre = np.array([flat["centre_of_gravity_x"], flat["centre_of_gravity_y"], 0]) @ turn.T + [0.02, 0.01, 0.09]
    found = [float(tilted[f"centre_of_gravity_{axis}"]) for axis in "xyz"]
    assert found == pytest.approx(centre, abs=1e-6 if not scatter else 5e-4)


def test_areas_with_negative_values_have_a_map():
    rng = np.random.default_rng(8)
    x, y = grid(7, 4)
    mean = hill(x, y, floor=0)
    found = motor_map(
        table_of(x, y, mean * (1 + 0.3 * rng.standard_normal(x.size)) + 3e-5 * rng.standard_normal(x.size))
    )
    assert found["centre_of_gravity_x"].ci_low < 0.031 < found["centre_of_gravity_x"].ci_high
    assert found["map_normalised_volume"].ci_high < 12


def test_rejected_and_paired_trials_stay_out():
    x, y = grid(5, 2)
    table = table_of(x, y, hill(x, y, (0.02, 0.02)), reject="", pulse_count=1.0)
    wild = table.iloc[:6].assign(mep_amplitude=1.0)
    more = pd.concat([table, wild.assign(reject="background_emg"), wild.assign(pulse_count=2.0)], ignore_index=True)
    plain, with_others = motor_map(table), motor_map(more)
    assert with_others["map_volume"] == pytest.approx(plain["map_volume"])
    assert with_others["map_volume"].n_rejected == 6


@pytest.mark.parametrize("more", [{"sites": "some"}, {"surface": "rough"}])
def test_unknown_words_are_refused(more):
    x, y = grid(4, 1)
    with pytest.raises(ValueError, match=r"some|rough"):
        motor_map(table_of(x, y, hill(x, y)), **more)


def test_too_few_sites_and_no_response_are_flagged():
    x, y = grid(4, 1)
    assert motor_map(table_of(x, y, hill(x, y))[:3])["map_area"].flag == "few_sites"
    found = motor_map(table_of(x, y, hill(x, y)), fraction=0.0, criterion=1.0)
    assert found["map_area"].flag == "no_response"


# where the pulses lie ---------------------------------------------------------------------------------------------


def turned(table, degrees, shift=(0.0, 0.0)):
    x, y, angle = table["coil_x"], table["coil_y"], np.deg2rad(degrees)
    return table.assign(
        coil_x=x * np.cos(angle) - y * np.sin(angle) + shift[0], coil_y=x * np.sin(angle) + y * np.cos(angle) + shift[1]
    )


@settings(max_examples=25, deadline=None, derandomize=True)
@given(st.floats(-180, 180), st.floats(-0.1, 0.1), st.sampled_from(["one", "two", "gap", "random"]))
def test_a_turned_grid_is_the_same_map(degrees, shift, kind):
    x, y = np.random.default_rng(5).uniform(0, 0.06, (2, 60)) if kind == "random" else grid(7, 1)
    size = hill(x, y) if kind != "two" else hill(x, y, (0.01, 0.03), 0.007, 0) + hill(x, y, (0.05, 0.03), 0.007, 0)
    table = table_of(x, y, size)
    table = table[~((x > 0.035) & (y < 0.015))] if kind == "gap" else table
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_maps, "N_DRAWS", 4)
        plain, other = motor_map(table), motor_map(turned(table, degrees, (shift, 0.02)))
    alike = [key for key in UNITS if not key.startswith(("centre", "hotspot"))]
    assert [float(other[key]) for key in alike] == pytest.approx([float(plain[key]) for key in alike], rel=1e-6)
    place = pd.DataFrame({f"coil_{axis}": [float(plain[f"centre_of_gravity_{axis}"])] for axis in "xy"})
    place = turned(place, degrees, (shift, 0.02)).iloc[0]
    found = [float(other[f"centre_of_gravity_{axis}"]) for axis in "xy"]
    assert found == pytest.approx([place["coil_x"], place["coil_y"]], abs=1e-8)
    if kind != "random":
        assert (float(plain["map_coverage"]) == 1) == (kind != "gap")


@pytest.mark.parametrize("scatter", [0.0, 0.0015])
def test_a_grid_that_navigation_shook_keeps_its_spacing(scatter):
    rng = np.random.default_rng(6)
    x, y = grid(7, 1)
    sites = np.stack([x, y], axis=1) + scatter * rng.standard_normal((49, 2))
    found = find_grid(sites)
    assert found.spacing == pytest.approx(0.01, rel=0.05)
    assert len(np.unique(found.cells(sites), axis=0)) == 49
    assert find_grid(rng.uniform(0, 0.06, (49, 2))) is None
    rows = np.floor(y * 100)  # a hexagonal grid is no square one
    assert find_grid(np.stack([x + 0.005 * (rows % 2), 0.00866 * rows], axis=1)) is None


def test_positions_in_millimetres_and_both_hemispheres_are_refused():
    x, y = grid(5, 1)
    table = table_of(x, y, hill(x, y))
    with pytest.raises(ValueError, match="divide them by 1000"):
        motor_map(table.assign(coil_x=1e3 * x, coil_y=1e3 * y))
    both = table.assign(hemisphere=np.where(x < 0.02, "left", "right"))
    with pytest.raises(ValueError, match="both hemispheres"):
        motor_map(both)
    assert motor_map(both.assign(reject=np.where(x < 0.02, "moved", "")))["map_area"].n == 15


def test_a_spacing_that_cannot_be_is_refused():
    x, y = grid(5, 1)
    for spacing, said in ((-0.01, "the distance"), (0.0, "the distance"), (np.nan, "the distance"), (0.02, "0.01 m")):
        with pytest.raises(ValueError, match=said):
            motor_map(table_of(x, y, hill(x, y)), spacing=spacing)
    with pytest.raises(ValueError, match="nodes"):
        motor_map(table_of(x, y, hill(x, y)), spacing=1e-4, surface="smooth")


def test_shares_and_areas_stay_within_the_sites():
    x, y = grid(4, 3)
    found = motor_map(table_of(x, y, 1e-3 * np.random.default_rng(7).lognormal(0, 0.1, x.size)))
    assert found["map_active_share"] == found["map_active_share"].ci_high == pytest.approx(1)
    assert found["map_area"].ci_high == pytest.approx(16e-4)


def test_the_overlap_needs_the_same_pulses():
    x, y = grid(5, 2)
    table = table_of(x, y, hill(x, y), pulse_count=1, trial=np.arange(x.size))
    for other in (table[::-1], table.assign(pulse_count=2), table.assign(coil_x=x + 0.1), table[:-1]):
        with pytest.raises(ValueError, match=r"same pulses.*('trial'|'pulse_count'|'coil_x'| 49 rows)"):
            map_overlap(table, other)
    pairs = table.assign(pulse_count=2)
    assert map_overlap(pairs, pairs)["map_overlap_jaccard"].flag == "few_sites"


# intervals (thoroughly: benchmarks/map_calibration.py) ---------------------------------------------------------------


@pytest.mark.parametrize("scatter", [False, True])
def test_intervals_cover_the_expected_map(scatter):
    rng = np.random.default_rng(12)
    hits = []
    for _ in range(16 if scatter else 30):
        x, y = rng.uniform(0, 0.06, (2, 60)) if scatter else grid(6, 3)
        table = table_of(x, y, scattered(hill(x, y), rng.standard_normal(x.size)))
        found, nodes = motor_map(table), response_map([table], "mep_amplitude")[0]
        wanted = truth(nodes.sites, hill(*nodes.sites.T), nodes.spacing**2)
        hits.append([found[key].ci_low - 1e-12 <= value <= found[key].ci_high + 1e-12 for key, value in wanted.items()])
    assert np.mean(hits) >= 0.9
    assert np.min(np.mean(hits, axis=0)) >= 0.8


@pytest.mark.parametrize("pulses", [1, 4])
def test_the_border_may_scatter_more_than_the_middle(pulses):
    """A pulse near the border is answered rarely, but then fully: the mean lies far above the typical response."""
    rng = np.random.default_rng(25)
    x, y = grid(7, pulses)
    chance = 1 / (1 + np.exp((np.hypot(x - 0.03, y - 0.031) - 0.011) / 0.004))
    mean = 0.7e-3 * chance + 25e-6
    wanted = truth(np.stack([x, y], axis=1)[:49], mean[:49], 1e-4)
    weight, sites = np.where(mean[:49] >= 0.1 * mean.max(), mean[:49], 0.0), np.stack([x, y], axis=1)[:49]
    centre = weight @ sites / weight.sum()
    wanted["map_spread"] = np.sqrt(weight @ np.sum((sites - centre) ** 2, axis=1) / weight.sum())
    hits = []
    for _ in range(15):
        answer = 0.7e-3 * rng.gamma(3.0, 1 / 3, x.size) * (rng.random(x.size) < chance)
        found = motor_map(table_of(x, y, answer + rng.gamma(5.0, 5e-6, x.size)))
        hits.append([found[key].ci_low - 1e-12 <= value <= found[key].ci_high + 1e-12 for key, value in wanted.items()])
    assert np.mean(hits) >= 0.9
    assert np.min(np.mean(hits, axis=0)) >= 0.8


def test_intervals_shrink_with_the_square_root_of_pulses():
    rng = np.random.default_rng(13)
    width = {}
    for pulses in (3, 12):
        x, y = grid(6, pulses)
        found = [motor_map(table_of(x, y, scattered(hill(x, y), rng.standard_normal(x.size)))) for _ in range(5)]
        width[pulses] = {key: np.median([each[key].ci_high - each[key].ci_low for each in found])
                         for key in ("centre_of_gravity_x", "map_volume")}  # fmt: skip
    for key, wide in width[3].items():
        assert 1.5 < wide / width[12][key] < 2.7, key


def test_the_surface_does_not_shrink_the_map_when_pulses_are_few():
    rng = np.random.default_rng(14)
    x, y = grid(6, 2)
    sites = np.stack([x, y], axis=1)[:36]
    wanted = truth(sites, hill(*sites.T), 1e-4)["map_normalised_volume"]
    error = {surface: [] for surface in ("sites", "smooth")}
    for _ in range(20):
        table = table_of(x, y, scattered(hill(x, y), rng.standard_normal(x.size), 1.0))
        for surface, errors in error.items():
            errors.append(float(motor_map(table, surface=surface)["map_normalised_volume"]) / wanted - 1)
    assert np.mean(error["sites"]) < -0.15  # the largest of noisy means is too large
    assert abs(np.mean(error["smooth"])) < 0.12


def test_a_plateau_keeps_its_normalised_volume_within_the_interval():
    """The largest of many equal sites is too large by chance, and the sum over it too small."""
    rng = np.random.default_rng(21)
    x, y = grid(7, 3)
    mean = 1e-3 * (1 / (1 + np.exp((np.hypot(x - 0.03, y - 0.031) - 0.013) / 0.003)) + 0.03)
    wanted = truth(np.stack([x, y], axis=1)[:49], mean[:49], 1e-4)["map_normalised_volume"]
    found = [motor_map(table_of(x, y, scattered(mean, rng.standard_normal(x.size))))["map_normalised_volume"]
             for _ in range(30)]  # fmt: skip
    assert np.mean([each.ci_low <= wanted <= each.ci_high for each in found]) >= 0.85  # 0.6 before


# overlap ---------------------------------------------------------------------------------------------------------


def test_overlap_by_its_formulas():
    x, y = grid(7, 1)
    a, b = hill(x, y, (0.02, 0.03)), hill(x, y, (0.04, 0.03))
    found = map_overlap(table_of(x, y, a), table_of(x, y, b))
    in_a, in_b = a >= 0.1 * a.max(), b >= 0.1 * b.max()
    expected = {
        "map_overlap_jaccard": (in_a & in_b).sum() / (in_a | in_b).sum(),
        "map_overlap_dice": 2 * (in_a & in_b).sum() / (in_a.sum() + in_b.sum()),
        "map_overlap_coefficient": (in_a & in_b).sum() / min(in_a.sum(), in_b.sum()),
        "map_overlap_volume": np.minimum(a / a.max(), b / b.max()).sum() / np.maximum(a / a.max(), b / b.max()).sum(),
        "map_overlap_correlation": np.corrcoef(a, b)[0, 1],
        "map_overlap_cosine": a @ b / np.sqrt(a @ a * (b @ b)),
    }
    assert {key: float(found[key]) for key in expected} == pytest.approx(expected)


@pytest.mark.parametrize("shift", [0.0, 0.004])
def test_maps_that_are_alike_may_be_found_so(shift):
    rng = np.random.default_rng(22)
    x, y = grid(6, 3)
    means = [hill(x, y, (0.024 + way, 0.025)) for way in (0.0, shift)]
    relative = [mean / mean.max() for mean in means]
    wanted = np.minimum(*relative).sum() / np.maximum(*relative).sum()
    hits = []
    for _ in range(12):
        tables = [table_of(x, y, scattered(mean, rng.standard_normal(x.size))) for mean in means]
        found = map_overlap(*tables)
        assert found["map_overlap_volume"].ci_high <= 1 + 1e-12
        hits.append(found["map_overlap_volume"].ci_low <= wanted <= found["map_overlap_volume"].ci_high + 1e-9)
    assert np.mean(hits) >= 0.8  # 0 and 0.75 by redrawn maps alone


def test_the_overlap_of_areas_with_negative_values_has_limits():
    rng = np.random.default_rng(23)
    x, y = grid(6, 4)
    tables = [
        table_of(x, y, hill(x, y, (at, 0.025), floor=0) * (1 + 0.3 * noise) + 3e-5 * rng.standard_normal(x.size))
        for at, noise in zip((0.018, 0.032), rng.standard_normal((2, x.size)), strict=True)
    ]
    found = map_overlap(*tables)["map_overlap_jaccard"]
    assert 0 <= found.ci_low < found < found.ci_high < 1


# asymmetry -------------------------------------------------------------------------------------------------------


def test_asymmetry_is_left_less_right_over_both_and_covers():
    rng = np.random.default_rng(24)
    x, y = grid(6, 3)
    one = len(x)
    mean = np.concatenate([hill(x, y, width=0.013), 0.5 * hill(x, y, width=0.009)])
    table = table_of(np.tile(x, 2), np.tile(y, 2), mean, hemisphere=np.repeat(["left", "right"], one))
    sides = [truth(np.stack([x, y], axis=1)[:36], part[:36], 1e-4) for part in (mean[:one], mean[one:])]
    wanted = {f"{key}_asymmetry": (sides[0][key] - sides[1][key]) / (sides[0][key] + sides[1][key])
              for key in ("map_area", "map_volume")}  # fmt: skip
    assert {key: float(value) for key, value in map_asymmetry(table).items()} == pytest.approx(wanted)
    hits = []
    for _ in range(8):
        found = map_asymmetry(table.assign(mep_amplitude=scattered(mean, rng.standard_normal(2 * one))))
        hits.append([found[key].ci_low <= value <= found[key].ci_high for key, value in wanted.items()])
    assert np.mean(hits) >= 0.85
    turned = table.assign(hemisphere=table["hemisphere"].map({"left": "right", "right": "left"}))
    assert map_asymmetry(turned)["map_volume_asymmetry"] == pytest.approx(-wanted["map_volume_asymmetry"])


def test_asymmetry_needs_both_hemispheres():
    x, y = grid(4, 1)
    table = table_of(x, y, hill(x, y), hemisphere="left")
    assert map_asymmetry(table)["map_area_asymmetry"].flag == "no_right_hemisphere"
    assert map_asymmetry(table.drop(columns="hemisphere"))["map_area_asymmetry"].flag == "no_left_hemisphere"
    few = table.assign(hemisphere=np.where(np.arange(len(x)) < 3, "right", "left"))
    assert map_asymmetry(few)["map_volume_asymmetry"].flag == "few_sites"


def test_shared_excitability_makes_the_distance_surer():
    rng = np.random.default_rng(15)
    x, y = grid(6, 4)
    width = []
    for shared in (0.0, 0.95):
        first, own = rng.standard_normal((2, x.size))
        second = shared * first + np.sqrt(1 - shared**2) * own
        apart = map_overlap(
            table_of(x, y, scattered(hill(x, y, (0.022, 0.025), 0.009), first)),
            table_of(x, y, scattered(hill(x, y, (0.030, 0.025), 0.009), second)),
        )["centre_of_gravity_distance"]
        width.append(apart.ci_high - apart.ci_low)
    assert width[1] < 0.75 * width[0]


def test_a_distance_of_nothing_has_an_interval_from_nothing():
    rng = np.random.default_rng(16)
    low, high = distance_interval(1e-3 * rng.standard_normal((400, 2)))
    assert low == 0
    assert high < 1e-3
    low, high = distance_interval([0.01, 0] + 1e-3 * rng.standard_normal((400, 2)))
    assert (low, high) == pytest.approx((0.008, 0.012), abs=3e-4)


# pictures --------------------------------------------------------------------------------------------------------


def test_picture_of_one_and_of_two_muscles():
    rng = np.random.default_rng(18)
    x, y = grid(6, 2)
    a, b = (table_of(x, y, scattered(hill(x, y, (at, 0.025)), rng.standard_normal(x.size))) for at in (0.02, 0.03))
    one, two = draw(a, channel="FDI"), draw(a, b, channel="FDI", other_channel="ECR")
    assert [ax.get_title(loc="left") for ax in one.axes[:1]] == ["FDI"]
    assert [ax.get_title(loc="left").split()[0] for ax in two.axes[:3]] == ["FDI", "ECR", "Jaccard"]
    assert draw(a, directions=("right", "front")).axes[0].get_ylabel() == "Coil position y (mm), front →"
    assert two.axes[0].get_xlabel() == "Coil position x (mm)"
    with pytest.raises(ValueError, match="same pulses"):
        draw(a, b[:-1])
    with pytest.raises(ValueError, match="four or more"):
        draw(a[:2])


def test_the_protocol_gives_every_number_of_a_map():
    rng = np.random.default_rng(19)
    x, y = grid(4, 2)
    info = mne.create_info(["FDI", "APB"], 2000.0, "emg")
    epochs = mne.EpochsArray(1e-6 * rng.standard_normal((x.size, 2, 540)), info, tmin=-0.12, verbose="error")
    wave = np.sin(2 * np.pi * np.linspace(0, 1, 20))
    epochs._data[:, :, 284:304] += hill(x, y, (0.015, 0.015))[:, None, None] / 2 * wave
    epochs.metadata = pd.DataFrame({"coil_x": x, "coil_y": y, "pulse_count": 1.0, "muscle_state": "rest"})
    found = ex.run(epochs, "motor_map")
    assert set(UNITS) <= set(found["measure"])
    assert set(found.loc[found["measure"] == "map_overlap_jaccard", "channel"]) == {"FDI+APB"}
    place = found.set_index(["channel", "measure"])["value"]["FDI", "centre_of_gravity_x"]
    assert place == pytest.approx(0.015, abs=0.002)


def test_the_report_draws_muscles_two_by_two_and_says_why_not():
    from excitability.html_report._folder import _maps

    x, y = grid(4, 2)
    table = pd.concat([table_of(x, y, hill(x, y, (0.015, 0.015)), channel=name) for name in ("FDI", "APB", "ECR")])
    drawn = list(_maps(table, "participant 01, pre"))
    assert [title for title, _, _ in drawn] == [
        "Motor map of FDI and APB (participant 01, pre)",
        "Motor map of ECR (participant 01, pre)",
    ]
    with pytest.warns(UserWarning, match="no map of FDI and APB.*coil_x"):
        next(_maps(table[table["channel"] != "ECR"].drop(columns="coil_x"), "participant 01"), None)
