"""Figures show the numbers they are given, in display units, and leave the session of their user alone."""

import subprocess
import sys
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from excitability import plots
from excitability.comparison import compare
from excitability.comparison.sentences import subject
from excitability.labels import measure_label
from excitability.plots._style import group_colours, plain_log_axis, readable
from excitability.plots.mep_overlay import artefact_span
from excitability.plots.paired_pulse import as_ratio
from excitability.schema import Estimate

sys.path.insert(0, str(Path(__file__).parent))
import study_tables as study


@pytest.fixture(scope="module")
def results():
    return study.study_results()


@pytest.fixture(scope="module")
def change(results):
    return compare(results, before="pre", after=["post0", "post30"], by="group")


def rendered(figure):
    """The figure drawn as a bitmap."""
    canvas = FigureCanvasAgg(figure)
    with plots.style():
        canvas.draw()
    return canvas.get_renderer()


def drawn_texts(figure):
    """Every visible text with its extent in pixels, after layout."""
    renderer = rendered(figure)
    unseen = set()  # labels of ticks outside the limits are made, but not drawn
    for ax in figure.axes:
        for axis in (ax.xaxis, ax.yaxis):
            low, high = sorted(axis.get_view_interval())
            ticks = [*axis.get_major_ticks(), *axis.get_minor_ticks()]
            unseen |= {tick.label1 for tick in ticks if not low <= tick.get_loc() <= high}
    found = []
    for text in figure.findobj(matplotlib.text.Text):
        if text not in unseen and text.get_visible() and text.get_text().strip():
            found.append((text.get_text(), text.get_window_extent(renderer)))
    return found


def clipped(figure):
    """Texts that reach beyond the figure by more than a pixel."""
    texts = drawn_texts(figure)
    width, height = figure.get_size_inches() * figure.dpi
    return [words for words, box in texts if box.x0 < -1 or box.y0 < -1 or box.x1 > width + 1 or box.y1 > height + 1]


def colliding(figure):
    """Pairs of level tick labels of one axis that touch; the figure has been drawn before."""
    pairs = []
    for ax in figure.axes:
        for axis in (ax.xaxis, ax.yaxis):
            low, high = sorted(axis.get_view_interval())
            labels = [tick.label1 for tick in axis.get_major_ticks() if low <= tick.get_loc() <= high]
            seen = [text for text in labels if text.get_text() and text.get_visible() and not text.get_rotation()]
            boxes = [(text.get_text(), text.get_window_extent()) for text in seen]
            pairs += [(a, b) for i, (a, one) in enumerate(boxes) for b, two in boxes[i + 1 :] if one.overlaps(two)]
    return pairs


def test_importing_plots_does_not_import_matplotlib():
    code = "import sys, excitability.plots; print('matplotlib' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_figures_change_no_global_settings(results):
    before = dict(matplotlib.rcParams)
    plots.paired_pulse(results)
    assert dict(matplotlib.rcParams) == before


def every_figure(results, change):
    x, times, table = study.mep_study()
    trials = study.study_trials(results)
    one = trials[(trials["participant"] == "05") & (trials["session"] == "pre") & (trials["channel"] == "FDI")]
    fit = {"s50": Estimate(60, 58, 62.4), "recruitment_threshold": Estimate(49, 46, 51.3), "mep_max": 3e-3}
    yield plots.mep_overlay(x, times, table, channel="FDI", window=(0.015, 0.05))
    yield plots.recruitment_curve(one, fit, channel="FDI")
    yield plots.recruitment_group(results)
    for protocol in ("m1/sici", "m1/sicf", "m1/lici"):
        yield plots.paired_pulse(results[results["protocol"] == protocol])
    yield plots.paired_pulse(results, before="pre", after="post0")
    yield plots.individual_lines(results, "silent_period")
    yield plots.individual_lines(results, ["p60_amplitude", "n100_amplitude", "gmfa_area"], log=["gmfa_area"])
    yield plots.individual_lines(results, "mep_max", log=True)
    yield plots.change_forest(change)
    yield plots.change_forest(change, contrasts=["post0 - pre"])
    frequencies = np.arange(1.0, 45.0)
    yield plots.power_spectrum(frequencies, {"pre": 1e-11 / frequencies, "post0": 2e-11 / frequencies}, peak=10.2)


def test_nothing_is_clipped_or_empty_and_no_tick_labels_touch(results, change):
    for figure in every_figure(results, change):
        assert isinstance(figure, Figure)
        assert clipped(figure) == []
        assert colliding(figure) == []
        assert all(ax.has_data() for ax in figure.axes if ax.axison)


# --- words, units, colours


def test_small_voltages_are_shown_in_microvolts():
    assert readable("V", [2e-3]) == (1e3, "mV")
    assert readable("V", [-5e-6, np.nan]) == (1e6, "µV")
    assert readable("s", [0.02]) == (1e3, "ms")
    assert readable("V", []) == (1e3, "mV")


def test_a_control_group_is_blue_whatever_its_name_and_order():
    for name in ("control", "healthy", "Sham", "pain-free controls"):
        assert group_colours([name, "aaa"])[name] == "#0072B2"
    assert list(group_colours([""]).values()) == ["#0072B2"]


@pytest.mark.parametrize("limits", [(0.05, 4.0), (0.9, 1.1), (28.0, 31.0), (1e-3, 1e3), (6.0, 10.5)])
def test_logarithmic_axes_have_a_few_plain_ticks(limits):
    ax = Figure().add_subplot()
    ax.set_yscale("log")
    plain_log_axis(ax.yaxis, *limits)
    ticks = ax.yaxis.get_majorticklocs()
    assert 2 <= len(ticks) <= 8
    assert min(ticks) >= limits[0]
    assert max(ticks) <= limits[1]


# --- paired pulses


def test_all_forms_of_a_ratio_are_the_same_ratio():
    values = pd.Series([0.4, np.log(0.4), 40.0, 60.0])
    forms = pd.Series(["ratio", "log_ratio", "percent", "percent_inhibition"])
    assert as_ratio(values, forms).to_numpy() == pytest.approx(0.4)


def test_the_bold_mark_is_the_geometric_mean(results):
    rows = results[(results["protocol"] == "m1/lici") & (results["channel"] == "FDI")]
    figure = plots.paired_pulse(rows, before="pre", after="post0")
    ax = figure.axes[0]
    bold = [line for line in ax.lines if line.get_marker() == "o" and line.get_markersize() == 5]
    own = rows[(rows["group"] == "control") & (rows["session"] == "pre")]["value"]
    assert bold[0].get_ydata()[0] == pytest.approx(np.exp(np.log(own).mean()))
    assert ax.get_yscale() == "log"
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["pre", "post0"] * 2


def test_a_ratio_of_zero_is_said_not_drawn(results):
    rows = results[(results["protocol"] == "m1/lici") & (results["channel"] == "FDI")].copy()
    rows.loc[rows.index[0], "value"] = 0.0
    words = [text.get_text() for text in plots.paired_pulse(rows).axes[0].texts]
    assert any("≤ 0 not shown" in word for word in words)


def test_time_points_without_results_are_named(results):
    with pytest.raises(ValueError, match=r"conditioned_ratio.*pre.*post0.*post30"):
        plots.paired_pulse(results, before="before", after="later")


# --- individual lines


def test_an_unknown_measure_names_the_nearest(results):
    with pytest.raises(ValueError, match="did you mean 'silent_period'"):
        plots.individual_lines(results, "silent_periods")


def test_values_are_in_display_units_and_missing_ones_leave_a_gap(results):
    figure = plots.individual_lines(results[results["channel"] == "FDI"], "silent_period")
    ax = figure.axes[0]
    assert ax.get_ylabel() == "Silent period (ms)"
    thin = next(line for line in ax.lines if line.get_linewidth() == 0.7)
    finite = thin.get_ydata()[np.isfinite(thin.get_ydata())]
    assert 50 < np.median(finite) < 250
    low, high = ax.get_ylim()
    assert low <= finite.min()
    assert high >= finite.max()


def test_channels_of_different_size_have_their_own_unit(results):
    figure = plots.individual_lines(results[results["protocol"] == "m1/sici"], "mep_amplitude")
    assert [ax.get_ylabel() for ax in figure.axes] == ["MEP amplitude (mV)", "MEP amplitude (µV)"]


def test_many_participants_and_one_participant(results):
    many = study.study_results(60)
    assert clipped(plots.paired_pulse(many[many["protocol"] == "m1/sici"])) == []
    one = study.study_results(1, ("pre",), groups=("",))
    assert clipped(plots.individual_lines(one, "silent_period")) == []


@pytest.mark.parametrize("log", [False, True])
def test_people_and_intervals_stay_within_the_axes(log):
    rng = np.random.default_rng(8)
    table = pd.DataFrame([
        {"participant": f"{i}", "session": time, "protocol": "dlpfc/tep", "channel": "DLPFC_left", "condition": "all",
         "measure": "n40_amplitude", "unit": "V", "value": (1e-6 if log else -1e-6) * rng.lognormal(0, 1)}
        for i in range(4) for time in ("pre", "post0")
    ])  # fmt: skip
    ax = plots.individual_lines(table, "n40_amplitude", log=log).axes[0]
    low, high = ax.get_ylim()
    for collection in ax.collections:
        for segment in collection.get_segments():
            assert low < segment[:, 1].min()
            assert segment[:, 1].max() < high


def test_panels_say_their_measure_not_their_region(results):
    table = results.assign(channel=results["channel"].replace({"left DLPFC": "DLPFC_left"}))
    figure = plots.individual_lines(table, ["p60_amplitude", "n100_amplitude"])
    assert [ax.get_title(loc="left") for ax in figure.axes] == ["P60 amplitude", "N100 amplitude"]
    assert [ax.get_ylabel() for ax in figure.axes] == ["µV", "µV"]


def test_figures_and_sentences_use_the_same_words():
    for name in ("n100_amplitude", "gmfa_area_early", "alpha_wpli", "mep_amplitude_corrected", "s50", "mep_max",
                 "test_amplitude", "n40_p60_peak_to_peak", "cmct", "mep_area", "pci_st"):  # fmt: skip
        assert subject("", name, "", "").rstrip(",").lower() == measure_label(name).lower()


# --- changes


def test_the_forest_shows_the_change_and_what_is_detectable():
    row = {"protocol": "m1/sici", "measure": "conditioned_ratio", "channel": "FDI", "condition": "isi_0.002"}
    table = pd.DataFrame([
        {**row, "group": "patient", "contrast": "post0 - pre", "estimate": np.log(1.5), "unit": "1", "n": 12,
         "form": "log_ratio", "ci_low": np.log(1.2), "ci_high": np.log(1.9),
         "smallest_detectable_change": np.log(2.0), "smallest_detectable_group_change": np.log(1.25)},
    ])  # fmt: skip
    ax = plots.change_forest(table).axes[0]
    marks = [line.get_xdata()[0] for line in ax.lines if line.get_marker() == "o"]
    assert marks == [pytest.approx(1.5)]
    bands = sorted((patch.get_x(), patch.get_x() + patch.get_width()) for patch in ax.patches)
    assert bands[0] == pytest.approx((0.5, 2.0))
    assert bands[1] == pytest.approx((0.8, 1.25))
    assert "+50 % [+20, +90]" in [text.get_text() for text in ax.texts]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["SICI 2 ms · FDI"]


def test_odds_have_a_panel_of_their_own_that_says_so():
    row = {"protocol": "m1/mep", "channel": "FDI", "condition": "all", "group": "all", "contrast": "post0 - pre",
           "unit": "1", "n": 12, "estimate": 0.5, "ci_low": 0.1, "ci_high": 0.9}  # fmt: skip
    table = pd.DataFrame([
        {**row, "measure": "mep_probability", "form": "log_odds_ratio"},
        {**row, "measure": "mep_turns", "form": "difference"},
        {**row, "measure": "mep_amplitude", "form": "log_ratio"},
    ])  # fmt: skip
    found = [ax.get_xlabel() for ax in plots.change_forest(table).axes]
    assert found == ["Change (%)", "Log odds ratio", "Change"]


def test_endless_intervals_do_not_widen_the_forest_without_end(change):
    table = change.copy()
    table.loc[table.index[::7], ["ci_low", "ci_high"]] = [-np.inf, np.inf]
    table.loc[table.index[3], ["ci_low", "ci_high"]] = [-800.0, 800.0]
    table.loc[table.index[::7], "n"] = 2
    table.loc[table.index[3], "n"] = 2
    figure = plots.change_forest(table, contrasts=["post0 - pre"])
    assert clipped(figure) == []
    assert all(np.isfinite(ax.get_xlim()).all() for ax in figure.axes)


def test_an_empty_forest_is_an_error(change):
    with pytest.raises(ValueError, match="no finite estimate"):
        plots.change_forest(change.assign(estimate=np.nan))


# --- trials


def test_rejected_trials_are_left_out_of_the_mean():
    times = np.arange(-0.05, 0.1, 0.001)
    x = np.where((times > 0.02) & (times < 0.03), 1e-3, 0.0) * np.array([[1.0], [1.0], [50.0]])
    table = pd.DataFrame({"condition": "test", "mep_latency": [0.021, np.nan, 0.021], "reject": ["", "", "clipped"]})
    ax = plots.mep_overlay(x, times, table, channel="FDI", window=(0.015, 0.05)).axes[0]
    mean = next(line for line in ax.lines if line.get_linewidth() == 1.4)
    assert np.nanmax(mean.get_ydata()) == pytest.approx(1.0)  # mV
    onsets = next(line for line in ax.lines if to_hex(line.get_color()) == "#d55e00")
    assert onsets.get_xdata() == pytest.approx([21.0])  # ms; the rejected trial and the one without MEP have none
    assert "n = 2 (1 rejected)" in [text.get_text() for text in ax.texts]
    assert ax.get_ylim()[1] < 5


def test_shapes_that_do_not_belong_together_are_named():
    with pytest.raises(ValueError, match=r"\(3, 10\).*\(2, 10\)"):
        plots.mep_overlay(np.zeros((2, 10)), np.arange(10.0), pd.DataFrame({"condition": ["a"] * 3}))


def test_the_artefact_is_measured_after_each_pulse():
    x, times, table = study.mep_study()
    start, stop = artefact_span(x, times, table, until=0.015)
    assert start < 0 < stop < 0.015
    assert artefact_span(np.zeros((3, times.size)), times, table) is None
    figure = plots.mep_overlay(x, times, table, window=(0.015, 0.05))
    spans = [len([p for p in ax.patches if to_hex(p.get_facecolor()) == "#d9d9d9"]) for ax in figure.axes[:5]]
    assert spans == [1, 2, 2, 2, 2]  # one pulse, then pairs


def test_pairs_locked_to_the_first_pulse_have_their_second_pulse_after_zero():
    x, times, table = study.mep_study()
    figure = plots.mep_overlay(x, times, table, window=(0.015, 0.05), lock="first_pulse")
    marks = [line.get_xdata()[0] for line in figure.axes[4].lines if line.get_marker() == "v"]
    assert sorted(marks) == pytest.approx([0.0, 15.0])
    assert figure.axes[4].get_xlabel() == "Time from first pulse (ms)"


def test_the_fitted_curve_comes_from_its_parameters(results):
    trials = study.study_trials(results)
    one = trials[(trials["participant"] == "01") & (trials["session"] == "pre") & (trials["channel"] == "FDI")]
    fit = {"s50": 60.0, "recruitment_threshold": 50.0, "mep_max": 2e-3}
    ax = plots.recruitment_curve(one, fit, channel="FDI").axes[0]
    curve = next(line for line in ax.lines if line.get_linewidth() == 1.8)
    assert np.interp(60.0, curve.get_xdata(), curve.get_ydata()) == pytest.approx(1.0, rel=1e-3)  # mV, half of 2
    with pytest.raises(ValueError, match="'intensity'"):
        plots.recruitment_curve(one.drop(columns="intensity"))


def test_curves_of_a_study_need_their_three_parameters(results):
    with pytest.raises(ValueError, match="s50"):
        plots.recruitment_group(results[results["measure"] != "mep_max"])


def test_no_curve_of_a_person_leaves_the_panel(results):
    for ax in plots.recruitment_group(results).axes:
        assert max(line.get_ydata().max() for line in ax.lines) < ax.get_ylim()[1]


# --- EEG


def test_the_field_power_is_the_spread_over_channels():
    x, times, info, peaks = study.tep_average()
    figure = plots.tep_butterfly(x, times, peaks=peaks, info=info, artefact=(-0.001, 0.006))
    mean_field = next(ax for ax in figure.axes if ax.get_ylabel().startswith("GMFA"))
    line = next(line for line in mean_field.lines if line.get_linewidth() == 1.4)
    shown = (times >= -0.05) & (times <= 0.3)
    assert line.get_ydata() == pytest.approx(x.std(axis=0)[shown] * 1e6)
    titles = [ax.get_title() for ax in figure.axes]
    assert "N100 · 108 ms" in titles
    with pytest.raises(ValueError, match="60 channels, x has 59"):
        plots.tep_butterfly(x[:59], times, peaks=peaks, info=info)


def test_traces_before_the_pulse_are_not_cut():
    x, times, _, _ = study.tep_average()
    x[:, (times > -0.04) & (times < -0.02)] = 5e-5 * np.linspace(-1, 1, len(x))[:, None]
    butterfly, mean_field = plots.tep_butterfly(x, times, artefact=(-0.001, 0.006)).axes
    assert butterfly.get_ylim()[0] < -50
    assert butterfly.get_ylim()[1] > 50  # µV
    assert mean_field.get_ylim()[1] > x.std(axis=0).max() * 1e6


def test_a_tep_without_positions_has_no_maps():
    x, times, _, peaks = study.tep_average()
    assert len(plots.tep_butterfly(x, times, peaks=peaks).axes) == 2
