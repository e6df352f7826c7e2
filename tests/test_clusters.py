"""Cluster tests of evoked potentials: the truth by simulation, the same answer as MNE, honest errors."""

import itertools

import mne
import numpy as np
import pandas as pd
import pytest
from scipy.ndimage import gaussian_filter1d
from scipy.sparse.csgraph import connected_components
from scipy.stats import t as student

import excitability as ex
from excitability.comparison import change_map, compare_planned
from excitability.comparison._cluster_test import ClusterTest, t_values
from excitability.comparison._cluster_words import clusters_in_brief, smallest_p
from excitability.comparison._evoked_changes import as_table, read_changes
from excitability.protocol import load_battery
from excitability.protocol.library import Battery, PlannedClusters

CHANNELS = ("F3", "F1", "Fz", "F4", "FC1", "FC3", "FCz", "C3", "Cz", "C4", "P3", "Pz", "P4", "O1", "O2")
RATE, TMIN, N_TIMES = 200.0, -0.05, 70
TIMES = TMIN + np.arange(N_TIMES) / RATE


@pytest.fixture(scope="module")
def info():
    return mne.create_info(list(CHANNELS), RATE, "eeg").set_montage("colin27_1020")


def potential(info, rng, effect=0.0, scale=1.0):
    """Smooth noise over space and time; ``effect`` (V) is at F1 and its neighbours, 60 ms after the pulse."""
    places = np.array([channel["loc"][:3] for channel in info["chs"]])
    near = np.exp(-((np.linalg.norm(places[:, None] - places, axis=2) / 0.05) ** 2))
    x = near @ gaussian_filter1d(rng.standard_normal((len(CHANNELS), N_TIMES)), 2, axis=1)
    wave = np.exp(-(((TIMES - 0.060) / 0.01) ** 2))
    x = 1e-6 * scale * x + effect * near[:, [CHANNELS.index("F1")]] * wave
    return mne.EvokedArray(x, info, TMIN, verbose=False)


def study(info, rng, sizes=(10,), effects=(0.0, 0.0)):
    groups = [("patient", "control")[number] for number, size in enumerate(sizes) for _ in range(size)]
    people = {f"{i:02d}": group for i, group in enumerate(groups)}
    size = dict(zip(("patient", "control"), effects, strict=True))
    before = {who: potential(info, rng) for who in people}
    return {"pre": before, "post0": {who: potential(info, rng, size[group]) for who, group in people.items()}}, people


@pytest.mark.parametrize("sizes", [(7,), (5, 6)])
def test_null_studies_are_significant_one_time_in_twenty(info, sizes):
    """A fast look; benchmarks/tep_cluster_type_one.py has a thousand studies a design."""
    hits = []
    for number in range(80):
        both, groups = study(info, np.random.default_rng([1, number]), sizes)
        [changes] = read_changes(*arguments(both, groups if len(sizes) == 2 else None))
        test = ClusterTest(changes, tuple(range(len(sizes))), "own", (0.04, 0.08), 0.05, 100, number)
        hits.append(test.rows()[0]["p_value"] <= 0.05)
    assert 1 <= sum(hits) <= 9  # 98 % limits


def arguments(both, groups):
    table, by = as_table(both, groups)
    return table, "session", "pre", "post0", by, CHANNELS[:6]


@pytest.mark.parametrize("sizes", [(12,), (10, 10)])
def test_a_known_effect_is_found_where_it_is(info, sizes):
    both, groups = study(info, np.random.default_rng(11), sizes, effects=(-4e-6, 0.0))
    two = len(sizes) == 2
    found = ex.compare_evoked(both, by=groups if two else None, n_permutations=500)
    own = found[(found["group"] == ("patient - control" if two else "all"))]
    first = own[own["window"] == "early"].iloc[0]
    assert first["p_value"] < 0.01
    assert first["sign"] == "negative"
    assert first["t0"] <= 0.060 <= first["t1"]
    assert {"F3", "F1", "Fz"} <= set(first["channels"].split("+"))
    assert abs(first["peak_time"] - 0.060) <= 0.015
    assert "more negative" in first["sentence"]
    assert "description" in first["sentence"]
    assert own[own["window"] == "late"]["p_value"].min() > 0.05


def stacked(both, window=(0.015, 0.080)):
    start, stop = np.searchsorted(TIMES, [window[0] - 1e-9, window[1] + 1e-9])
    return np.array([(both["post0"][who].data - both["pre"][who].data).T for who in sorted(both["pre"])])[:, start:stop]


def test_pre_post_is_what_mne_gives_for_the_same_input(info):
    both, _ = study(info, np.random.default_rng(5), (9,), effects=(1e-6, 0.0))
    found = ex.compare_evoked(both, window="early", n_permutations=5000)
    assert (found["n_permutations"] == 2**8).all()  # every sign flip
    assert found["model"].str.contains("all sign flips").all()
    x = stacked(both)
    adjacency = mne.channels.find_ch_adjacency(info, "eeg")[0]
    t, clusters, p_values, _ = mne.stats.spatio_temporal_cluster_1samp_test(
        x, threshold=student.isf(0.025, 8), n_permutations=5000, adjacency=adjacency, verbose="ERROR"
    )
    np.testing.assert_allclose(sorted(found["p_value"]), sorted(p_values), rtol=1e-12)
    np.testing.assert_allclose(sorted(found["mass"]), sorted(t[where].sum() for where in clusters), rtol=1e-9)


def test_a_difference_between_groups_is_the_exact_answer_of_all_partitions(info):
    both, groups = study(info, np.random.default_rng(6), (4, 5), effects=(2e-6, 0.0))
    found = ex.compare_evoked(both, by=groups, window="early", n_permutations=4000)
    first = found[found["group"] == "patient - control"].iloc[0]
    x = stacked(both)
    adjacency = mne.channels.find_ch_adjacency(info, "eeg")[0]

    def largest(chosen):
        t = t_values(x[list(chosen)], x[[i for i in range(9) if i not in chosen]]).ravel()
        masses = [0.0]
        for beyond in (t > limit, t < -limit):
            points = np.flatnonzero(beyond)
            n, labels = connected_components(grid[points][:, points], directed=False) if points.size else (0, [])
            masses += [abs(t[points[labels == label]].sum()) for label in range(n)]
        return max(masses)

    grid = mne.stats.combine_adjacency(x.shape[1], adjacency).tocsr()
    limit = float(first["threshold"])
    null = np.array([largest(chosen) for chosen in itertools.combinations(range(9), 4)])
    exact = np.mean(null >= abs(first["mass"]) * (1 - 1e-9))
    assert np.isclose(null, abs(first["mass"])).any()
    assert first["p_value"] == pytest.approx(exact, abs=4 * np.sqrt(exact * (1 - exact) / 4000))


def test_the_seed_decides_and_signs_are_symmetric(info):
    both, groups = study(info, np.random.default_rng(7), (7, 7), effects=(1e-6, 0.0))
    one, two = (ex.compare_evoked(both, by=groups, window="early", n_permutations=200, seed=4) for _ in range(2))
    pd.testing.assert_frame_equal(one, two)
    other = ex.compare_evoked(both, by=groups, window="early", n_permutations=200, seed=5)
    pair = one["group"] == "patient - control"
    assert not np.array_equal(one.loc[pair, "p_value"], other.loc[pair, "p_value"])
    turned = {level: both[swapped] for level, swapped in (("pre", "post0"), ("post0", "pre"))}
    back = ex.compare_evoked(turned, by=groups, window="early", n_permutations=200, seed=4)
    np.testing.assert_allclose(sorted(back["p_value"]), sorted(one["p_value"]))
    np.testing.assert_allclose(sorted(-back["mass"]), sorted(one["mass"]), rtol=1e-9)


def test_few_people_bad_channels_and_missing_sessions_are_said(info):
    both, groups = study(info, np.random.default_rng(8), (4, 2))
    both["post0"]["00"].info["bads"] = ["Cz"]
    del both["post0"]["01"]
    found = ex.compare_evoked(both, by=groups, window="early", n_permutations=200)
    patients = found[found["group"] == "patient"].iloc[0]
    assert patients["n"] == 3
    assert patients["p_value"] >= 0.25
    assert set(patients["flag"].split(";")) >= {"few_participants", "interpolated_channels", "missing_sessions"}
    assert "p_cannot_be_small" in patients["flag"]
    assert "3 people are too few to judge whether the potential changed from pre to post0" in patients["sentence"]
    assert "1 without both sessions; smallest possible p = 0.25" in patients["sentence"]
    controls = found[found["group"] == "control"].iloc[0]
    assert np.isnan(controls["p_value"])
    assert "too_few_participants" in controls["flag"]


@pytest.mark.parametrize(("sizes", "judged"), [((5,), False), ((6,), True), ((3, 3), False), ((4, 4), True)])
def test_what_so_few_people_cannot_show_is_said(info, sizes, judged):
    """An enormous effect in all: p is its smallest possible, and the sentence says whether that can mean anything."""
    both, groups = study(info, np.random.default_rng(11), sizes, effects=(-30e-6, 30e-6))
    found = ex.compare_evoked(both, by=groups if len(sizes) == 2 else None, window="early", n_permutations=1000)
    row = found[found["group"] == ("patient - control" if len(sizes) == 2 else "all")].iloc[0]
    if len(sizes) == 1:
        assert row["p_value"] == pytest.approx(smallest_p(sizes))
    else:  # drawn at random among the ways to part people
        assert row["p_value"] == pytest.approx(smallest_p(sizes), abs=0.03)
    assert ("p_cannot_be_small" not in row["flag"]) == judged
    assert ("too few to judge" not in row["sentence"]) == judged
    figure = ex.plots.cluster_map(*_picture(both, groups if len(sizes) == 2 else None, row), found)
    assert any(ax.get_title() for ax in figure.axes) == (row["p_value"] <= 0.05)


def _picture(both, groups, row):
    t, mean = change_map(both, by=groups, group=row["group"])
    return t, mean.times, mean.info


def test_many_cluster_tests_are_told_in_few_lines():
    tests = pd.DataFrame(
        {
            "cluster": [1, 2, 1, 0, 1, 1],
            "p_value": [0.01, 0.3, 0.4, 1.0, 0.25, 0.5],
            "n": 3,
            "flag": ["", "", "", "", "p_cannot_be_small", "p_cannot_be_small"],
            "sentence": "It changed.",
        }
    )
    assert clusters_in_brief(tests) == [
        "It changed.",
        "2 of 5 cluster tests give no evidence of a change (smallest p = 0.40).",
        "2 of 5 cluster tests cannot be judged with 3 people: p cannot be 0.05 or smaller, whatever the potentials do.",
    ]


def test_enhanced_values_need_no_threshold(info):
    both, _ = study(info, np.random.default_rng(9), (8,), effects=(4e-6, 0.0))
    found = ex.compare_evoked(both, window=(0.04, 0.08), threshold="tfce", n_permutations=128, picks=CHANNELS[:8])
    first = found.iloc[0]
    assert first["p_value"] <= 0.05
    assert first["form"] == "tfce"
    assert np.isnan(first["threshold"])
    assert first["t0"] <= 0.060 <= first["t1"]


def test_bad_input_says_what_to_type(info):
    both, _ = study(info, np.random.default_rng(10), (6,))
    with pytest.raises(ValueError, match="unknown window 'erly': did you mean 'early'"):
        ex.compare_evoked(both, window="erly")
    with pytest.raises(ValueError, match="milliseconds"):
        ex.compare_evoked(both, window=(15, 80))
    with pytest.raises(ValueError, match="not within the potentials"):
        ex.compare_evoked(both, window=(0.2, 0.6))
    with pytest.raises(ValueError, match="post1"):
        ex.compare_evoked(both, after="post1")
    with pytest.raises(ValueError, match="tfce"):
        ex.compare_evoked(both, threshold=2.5)
    with pytest.raises(ValueError, match="unknown EEG channel"):
        ex.compare_evoked(both, picks=["F3", "XX"])
    with pytest.raises(TypeError, match="load_evoked"):
        ex.compare_evoked([1, 2])
    naked = mne.create_info(list(CHANNELS), RATE, "eeg")
    bare = {
        level: {who: mne.EvokedArray(one.data, naked, TMIN, verbose=False) for who, one in people.items()}
        for level, people in both.items()
    }
    with pytest.raises(ValueError, match=r"montage; type evoked.set_montage\('colin27_1020'\)"):
        ex.compare_evoked(bare)
    both["post0"]["01"] = both["post0"]["01"].copy().crop(tmax=0.2)
    with pytest.raises(ValueError, match=r"times of participant '01'.*evoked.resample and evoked.crop"):
        ex.compare_evoked(both)


def test_a_battery_plans_cluster_tests(tmp_path):
    battery = load_battery("dlpfc_exercise")
    assert [(entry.protocol, entry.window) for entry in battery.clusters] == [
        ("dlpfc/tep", "early"),
        ("dlpfc/tep", "late"),
    ]
    import json

    assert Battery.from_mapping(json.loads(json.dumps(battery.content()))) == battery
    text = 'title = "x"\nprotocols = ["dlpfc/tep", "dlpfc/resting_eeg"]\n[[clusters]]\n'
    for entry, message in (
        (
            'protocol = "dlpfc/resting_eeg"\nwindow = "early"',
            r"unknown protocol of this battery with evoked potentials",
        ),
        ('protocol = "dlpfc/tep"\nwindw = "early"', r"unknown word of \[\[clusters\]\] 'windw': did you mean 'window'"),
        ('protocol = "dlpfc/tep"\nwindow = [80, 15]', "window"),
    ):
        (tmp_path / "b.toml").write_text(text + entry)
        with pytest.raises(ValueError, match=message):
            load_battery(tmp_path / "b.toml")


def test_a_plan_whose_potentials_are_missing_is_said():
    empty = pd.DataFrame(columns=["participant", "session", "protocol", "condition", "evoked"])
    with pytest.warns(UserWarning, match="run 'excitability batch' again"):
        found = compare_planned(empty, [PlannedClusters(protocol="dlpfc/tep", window="early")], {"before": "pre"})
    assert found.empty


def test_the_picture_holds_the_clusters(info):
    both, groups = study(info, np.random.default_rng(3), (6, 6), effects=(-3e-6, 0.0))
    found = ex.compare_evoked(both, by=groups, n_permutations=100)
    own = found[found["group"] == "patient - control"]
    t, mean = change_map(both, by=groups, group="patient - control")
    assert t.shape == (len(CHANNELS), N_TIMES)
    i, j = CHANNELS.index(own.iloc[0]["peak_channel"]), np.argmin(np.abs(TIMES - own.iloc[0]["peak_time"]))
    assert t[i, j] == pytest.approx(own.iloc[0]["peak_t"])
    figure = ex.plots.cluster_map(t, mean.times, mean.info, own)
    assert any("p" in ax.get_title() for ax in figure.axes)
    with pytest.raises(ValueError, match="shape"):
        ex.plots.cluster_map(t[:3], mean.times, mean.info, own)


@pytest.fixture(scope="module")
def recordings(tmp_path_factory):
    """Two people before and after, as files."""
    folder, rows = tmp_path_factory.mktemp("study"), []
    for who, when in itertools.product(("01", "02"), ("pre", "post0")):
        raw, _ = ex.simulate.tep_session("DLPFC", n_trials=3, seed=len(rows))
        raw.set_meas_date(1.6e9)
        path = folder / f"sub-{who}_ses-{when}_task-tep_eeg.fif"
        raw.save(path, verbose="ERROR")
        rows.append({"participant": who, "session": when, "file": str(path), "protocol": "dlpfc/tep", "group": "a"})
    return pd.DataFrame(rows)


def test_a_batch_stores_evoked_potentials_once_and_the_same_bytes(recordings, tmp_path):
    protocol = ex.load_protocol("dlpfc/tep").replace(cleaning=[])
    ex.run_batch(recordings, protocol, tmp_path)
    files = sorted(tmp_path.glob("sub-*/ses-*/eeg/*_task-tep_desc-excitability_ave.fif"))
    assert len(files) == 4
    first = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in files}
    files[0].unlink()  # what is lost is made again, what is there is left alone
    ex.run_batch(recordings, protocol, tmp_path)
    assert files[0].read_bytes() == first[files[0]][0]
    assert all(path.stat().st_mtime_ns == first[path][1] for path in files[1:])
    table = ex.load_evoked(tmp_path)
    assert table[["participant", "session", "condition", "group"]].to_numpy().tolist() == [
        [who, when, "all", "a"] for who, when in itertools.product(("01", "02"), ("post0", "pre"))
    ]
    one = table["evoked"].iloc[0]
    assert one.nave == 3
    assert one.info["meas_date"].year != 2020  # who and when is not told
    epochs, _ = ex.clean(ex.read(recordings["file"].iloc[1]), protocol)
    np.testing.assert_allclose(one.data, epochs.average(picks="eeg").data, atol=1e-11)
    found = ex.compare_evoked(table, window="early", n_permutations=100)
    assert found["flag"].str.contains("too_few_participants").all()


def test_the_command_line_compares_and_the_report_shows(recordings, tmp_path):
    from typer.testing import CliRunner

    from excitability.cli import app
    from excitability.html_report import report_folder

    protocol = ex.load_protocol("dlpfc/tep").replace(cleaning=[], average={"gmfa_area": {"window": [0.02, 0.25]}})
    people = [recordings.assign(participant=recordings["participant"] + suffix) for suffix in ("a", "b", "c")]
    ex.run_batch(pd.concat(people, ignore_index=True), protocol, tmp_path)
    told = CliRunner().invoke(app, ["compare", str(tmp_path), "--after", "post0", "--clusters", "0.02:0.05"])
    assert told.exit_code == 0, told.output
    assert "clusters.tsv" in told.output
    assert "window (20 to 50 ms)" in " ".join(told.output.split())
    found = pd.read_csv(tmp_path / "clusters.tsv", sep="\t")
    assert (found["n"] == 6).all()
    page = report_folder(tmp_path).read_text(encoding="utf-8")
    assert "Whole potential: post0 − pre" in page
    found.assign(flag="p_cannot_be_small").to_csv(tmp_path / "clusters.tsv", sep="\t", index=False)
    few = report_folder(tmp_path).read_text(encoding="utf-8")
    assert "Whole potential: post0 − pre" in few
    assert few.count("<figure>") == page.count("<figure>") - 1  # noise is not drawn as if it were a finding
