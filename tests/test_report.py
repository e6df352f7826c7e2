"""The report is one file that stands alone, says what it is given, and never half replaces another."""

import re
import sys
from html.parser import HTMLParser
from pathlib import Path

import mne
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from excitability import plots
from excitability.comparison import adjust, compare
from excitability.html_report import _done, _page, _tables, add_to_mne_report, report
from excitability.html_report._answer import many_tests_in_words
from excitability.html_report._figures import figures_of
from excitability.html_report._flags import flag_in_words
from excitability.html_report._tep_quality import gain_with_limits, tep_quality_tables
from excitability.html_report._words import protocol_methods
from excitability.labels import time_column
from excitability.measures import recruitment_curves_of_study
from excitability.protocol import load_battery, load_protocol

sys.path.insert(0, str(Path(__file__).parent))
import study_tables as study

VOID = {"meta", "link", "br", "img", "hr", "input"}
PRIMARY = ({"protocol": "m1/sici", "measure": "conditioned_ratio", "condition": "isi_0.002"},)


class Page(HTMLParser):
    """What a page holds: tags that are closed, names, references, sources, visible text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.references: list[str] = []
        self.sources: list[str] = []
        self.tags: set[str] = set()
        self.words: list[str] = []
        self.alternatives = 0
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.append(value)
            if name in ("href", "xlink:href", "src", "srcset", "data", "action"):
                (self.references if value.startswith("#") else self.sources).append(value)
            if name in ("alt", "aria-label") and value and tag in ("svg", "img"):
                self.alternatives += 1
            self.references += [f"#{name}" for name in re.findall(r"url\(#([^)]+)\)", value or "")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" not in self.open:
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


@pytest.fixture(scope="module")
def results():
    return study.study_results()


@pytest.fixture(scope="module")
def change(results):
    return compare(results, before="pre", after=["post0", "post30"], by="group")


@pytest.fixture(scope="module")
def few(results, change):
    """Results and comparison of one protocol, where the rest adds nothing but time."""
    return tuple(table[table["protocol"] == "m1/icf"] for table in (results, change))


@pytest.fixture(scope="module")
def battery():
    return load_battery("m1_exercise")


@pytest.fixture(scope="module")
def page(results, change, battery, tmp_path_factory):
    x, times, table = study.mep_study()
    figure = plots.mep_overlay(x, times, table, channel="FDI", window=(0.015, 0.05))
    figures = [
        ("m1/sici", "Motor evoked potentials", figure, "Participant 01 before."),
        ("Navigation", "Sites", plots.power_spectrum(np.arange(1.0, 40), 1 / np.arange(1.0, 40)), "Elsewhere."),
    ]
    path = report(
        results,
        change,
        tmp_path_factory.mktemp("report") / "study.html",
        trials=study.study_trials(results),
        figures=figures,
        recordings=[{"stimulator": "MagPro", "source": "a.edf"}] * 3 + [{"stimulator": "Magstim"}],
        protocols=battery.protocols,
        primary=PRIMARY,
    )
    return path.read_text(encoding="utf-8")


def test_the_file_needs_nothing_but_itself(page):
    found = Page(page)
    assert "script" not in found.tags
    assert "iframe" not in found.tags
    outside = [source for source in found.sources if not source.startswith("data:")]
    assert all(source.startswith("https://doi.org/10.") for source in outside)  # links to follow, never loaded
    assert "@import" not in page
    assert not re.search(r"url\((?!#|['\"]?data:)", page)


def test_the_page_is_well_formed_and_its_names_are_unique(page):
    found = Page(page)
    assert len(found.ids) == len(set(found.ids))
    assert {reference[1:] for reference in found.references} <= set(found.ids)
    assert page.startswith("<!DOCTYPE html>")
    assert 'lang="en"' in page


def test_every_figure_has_words_for_who_cannot_see_it(page):
    found = Page(page)
    drawn = page.count("<figure>")
    assert drawn >= 9
    assert found.alternatives == drawn
    numbers = re.findall(r"<b>Figure (\d+)\.", page)
    assert numbers == [str(i + 1) for i in range(drawn)]


def test_it_opens_with_the_planned_outcome(page, change):
    planned = change[(change["measure"] == "conditioned_ratio") & (change["condition"] == "isi_0.002")]
    planned = planned[planned["protocol"] == "m1/sici"]
    answer = Page(page[page.index('id="answer"') - 9 : page.index('id="done"') - 9]).text.replace("\xa0", " ")
    for row in planned.itertuples():
        name = f"SICI ratio at 2 ms in {row.channel}"  # the heading of its card
        assert name in answer
        assert row.sentence.removeprefix(name).lstrip(": ") in answer
    first = answer[: answer.index("more on the planned outcome")]
    assert first.count(" to post0") == 6
    assert "post30" not in first
    assert first.index("in FDI") < first.index("in ES")  # the hand before the back
    assert answer.index("post0") < answer.index("post30")
    assert re.search(rf"{np.isfinite(change['p_value']).sum()} (tests|comparisons) were made", answer)


def test_what_cannot_be_estimated_does_not_stand_first(results, change, tmp_path):
    results, change = (table[table["protocol"] == "m1/sici"] for table in (results, change))
    table = change.assign(estimate=change["estimate"].where(change["channel"] != "FDI"))
    table["sentence"] = table["sentence"].where(table["channel"] != "FDI", "nothing can be said of it")
    page = report(results, table, tmp_path / "a.html", primary=PRIMARY).read_text(encoding="utf-8")
    answer = page[page.index('id="answer"') : page.index('id="done"')]
    assert "in ES" in answer[: answer.index("<details>")]
    assert "nothing can be said of it" in answer[answer.index("<details>") :]


def test_without_a_plan_the_answer_is_not_chosen_by_p_value(few, tmp_path):
    results, change = few
    page = report(results, change, tmp_path / "a.html").read_text(encoding="utf-8")
    shuffled = change.assign(p_value=np.random.default_rng(1).permutation(change["p_value"].to_numpy()))
    again = report(results, shuffled, tmp_path / "b.html").read_text(encoding="utf-8")
    assert "No primary outcome was planned" in page
    assert re.findall(r"<li>(.*?)</li>", page) == re.findall(r"<li>(.*?)</li>", again)


def test_the_numbers_of_the_comparison_are_in_display_units(page, change):
    text = Page(page).text.replace("\xa0", " ")
    row = change[(change["measure"] == "silent_period") & (change["contrast"] == "post0 - pre")].iloc[0]
    limits = [1e3 * float(row[name]) for name in ("estimate", "ci_low", "ci_high")]
    assert f"{_tables.with_interval(*limits, sign=True)} ms" in text
    sici = change[(change["measure"] == "conditioned_ratio") & (change["contrast"] == "post0 - pre")].iloc[0]
    limits = [float(sici[name]) for name in ("percent_change", "percent_ci_low", "percent_ci_high")]
    assert f"{_tables.with_interval(*limits, sign=True)} %" in text


def test_failures_flags_and_rejections_are_told(page):
    text = Page(page).text.replace("\xa0", " ")
    assert "no pulses found; say stimuli='log.csv' <or a channel>" in text
    assert "&lt;or a channel&gt;" in page
    assert "most conditioned trials hold no response: the ratio is an upper limit" in text
    assert "background EMG (" in text  # the reason of the rejected trials
    assert "MagPro (3); Magstim (1)" in text


def test_methods_and_sources_come_from_the_protocols(page, battery):
    text = Page(page).text
    assert "Short-interval intracortical inhibition. Epochs reached from" in text
    assert "background EMG was above 10 µV (muscle at rest)" in text
    for protocol in battery.protocols:
        for doi in protocol.references:
            assert f"https://doi.org/{doi}" in page


def test_the_literature_stands_beside_the_changes(page):
    text = Page(page).text
    assert "What the literature says" in text
    assert "Hendy 2022" in text


def test_each_cleaning_step_is_told_with_its_parameters():
    text = protocol_methods(load_protocol("dlpfc/tep"))
    assert "remove pulse: set the EEG samples around every pulse to zero (window −2 to 10 ms)" in text
    assert "(lambda chosen from the data, early 10 to 80 ms)" in text
    assert "(high-pass 1 Hz, low-pass 80 Hz)" in text
    assert "(sampling rate 1000 Hz)" in text
    assert "log that ex.clean returns" in text


def test_flags_of_the_comparison_are_placed_and_those_without_sense_left_out(results, change):
    table = change.assign(flag=np.where(change["protocol"] == "dlpfc/tep", "test_mep_unknown;few_participants", ""))
    found = {row[0]: row for row in _tables.flags_explained(_tables.prepared(results, "group"), table)}
    assert "test_mep_unknown" not in found
    assert found["few_participants"][3] == "DLPFC TEP"
    assert "post0" in found["few_participants"][4]
    assert flag_in_words("window_edge_in_some").startswith("in some trials: the peak lies at the edge")


def test_one_unit_of_volts_a_protocol_and_channel():
    row = {"participant": "01", "session": "pre", "protocol": "m1/mep", "channel": "FDI", "condition": "all"}
    results = pd.DataFrame([
        {**row, "measure": "mep_amplitude", "value": 24e-6, "unit": "V"},
        {**row, "measure": "mep_amplitude_corrected", "value": 8e-6, "unit": "V"},
        {**row, "measure": "mep_max", "value": 9e-4, "unit": "V"},
    ])  # fmt: skip
    _, rows = _tables.group_values(_tables.prepared(results, None))
    assert {name.rsplit(", ", 1)[1] for name, *_ in rows} == {"µV"}


def test_figures_go_to_their_section(page):
    sici = page[page.index('id="p-m1-sici"') : page.index('id="p-m1-icf"')]
    assert "Motor evoked potentials" in sici
    assert ">Navigation</h2>" in page


def test_what_is_given_is_text_never_markup(few, tmp_path):
    results, change = few
    evil = results.assign(participant="<script>alert(1)</script>", group='"><b>', error=results["error"])
    page = report(evil, change.assign(sentence="a < b & c"), tmp_path / "x.html", title="<i>T</i>").read_text("utf-8")
    assert "<script" not in page
    assert "<i>T</i>" not in page
    assert "a &lt; b &amp; c" in page
    Page(page)


def test_results_alone_are_enough(few, tmp_path):
    results, _ = few
    for comparison in (None, pd.DataFrame()):
        page = report(results, comparison, tmp_path / "x.html").read_text(encoding="utf-8")
        assert "No comparison was made" in page
        assert 'id="changes"' not in page


def test_one_session_of_one_person_has_its_values_open_and_in_words(tmp_path):
    results = study.study_results(1, ("pre",), groups=("",))
    results = results.assign(participant="01")
    page = report(results, None, tmp_path / "x.html").read_text(encoding="utf-8")
    row = results[results["measure"] == "resting_motor_threshold"].iloc[0]
    answer = page[page.index('id="answer"') : page.index('id="done"')]
    assert "One recording session, no comparison:" in answer
    assert "Resting motor threshold in FDI" in answer
    sici = results[(results["protocol"] == "m1/sici") & (results["channel"] == "FDI")].set_index("condition")
    ratio = sici[sici["measure"] == "conditioned_ratio"].loc["isi_0.002"]
    clear = "inhibition" if ratio["ci_high"] < 1 else "no clear inhibition" if ratio["ci_low"] < 1 else "facilitation"
    assert f"Ratio at 2 ms: {_tables.with_interval(*ratio[['value', 'ci_low', 'ci_high']])}, {clear}" in answer
    assert f"{row['value']:.1f} [{row['ci_low']:.1f}, {row['ci_high']:.1f}]" in page
    assert "(n = 1)" not in page
    assert "<details>" not in page
    assert "SICI: Conditioned relative to test response" in page


@pytest.mark.parametrize(
    ("protocol", "picture"),
    [("m1/motor_map", "Motor map of FDI"), ("m1/recruitment_curve", "Recruitment curve of FDI")],
)
def test_one_session_has_the_picture_of_its_protocol(protocol, picture, tmp_path):
    rng = np.random.default_rng(4)
    x, y = (np.tile(axis.ravel() / 100, 3) for axis in np.meshgrid(np.arange(6.0), np.arange(6.0)))
    trials = pd.DataFrame({
        "protocol": protocol, "channel": "FDI", "coil_x": x, "coil_y": y, "reject": "", "condition": "all",
        "intensity": 40 + 100 * x, "mep_amplitude": 1e-3 * np.exp(-((x - 0.02) ** 2 + (y - 0.03) ** 2) / 2e-4)
        * rng.lognormal(0, 0.2, x.size),
    })  # fmt: skip
    row = {"participant": "01", "session": "", "protocol": protocol, "channel": "FDI", "condition": "all", "form": ""}
    found = {"map_area": (1e-3, "m^2"), "recruitment_threshold": (44.0, "%MSO"), "s50": (50.0, "%MSO"),
             "mep_max": (1e-3, "V")}  # fmt: skip
    names = ["map_area"] if protocol == "m1/motor_map" else ["recruitment_threshold", "s50", "mep_max"]
    rows = [{**row, "measure": name, "value": found[name][0], "ci_low": 0.9 * found[name][0],
             "ci_high": 1.1 * found[name][0], "unit": found[name][1], "flag": ""} for name in names]  # fmt: skip
    page = report(pd.DataFrame(rows), None, tmp_path / "x.html", trials=trials).read_text(encoding="utf-8")
    assert picture in page
    assert page.count("<figure>") == 1


def test_blocks_of_one_session_are_drawn_in_time(tmp_path):
    row = {"participant": "01", "session": "", "protocol": "m1/plasticity", "channel": "FDI", "unit": "V", "form": "",
           "measure": "mep_amplitude", "flag": ""}  # fmt: skip
    rows = [{**row, "condition": name, "value": v, "ci_low": 0.8 * v, "ci_high": 1.2 * v}
            for name, v in (("post30", 1.1e-3), ("pre", 1e-3), ("post0", 1.5e-3))]  # fmt: skip
    page = report(pd.DataFrame(rows), None, tmp_path / "x.html").read_text(encoding="utf-8")
    assert "Plasticity: MEP amplitude" in page
    figure = plots.condition_values(pd.DataFrame(rows), "mep_amplitude")
    assert [text.get_text() for text in figure.axes[0].get_xticklabels()] == ["pre", "post0", "post30"]


def test_intervals_of_amplitudes_and_shares_stay_where_they_can_be():
    row = {"session": "pre", "protocol": "m1/mep", "channel": "FDI", "condition": "all", "form": ""}
    sizes, shares = (2e-4, 3e-4, 3e-3, 9e-3), (1.0, 0.9, 1.0, 0.2)
    rows = [{**row, "participant": f"{i}", "measure": name, "value": values[i], "unit": unit}
            for name, values, unit in (("mep_amplitude", sizes, "V"), ("mep_probability", shares, "1"))
            for i in range(4)]  # fmt: skip
    _, shown = _tables.group_values(_tables.prepared(pd.DataFrame(rows), None))
    amplitude, share = (line[-1] for line in shown)
    assert "−" not in amplitude
    assert amplitude.startswith(f"{1e3 * np.exp(np.mean(np.log(sizes))):.2f}")
    assert "1.000] (n = 4)" in share


def test_slopes_without_a_plateau_are_not_drawn_and_the_curve_is_told_by_its_own_values():
    rows = []
    for i in range(5):
        flag = "no_plateau" if i > 2 else ""
        row = {
            "participant": f"{i}",
            "session": "pre",
            "protocol": "m1/recruitment_curve",
            "channel": "FDI",
            "form": "",
        }
        known = {"recruitment_threshold": 40.0 + i, "s50": np.nan if flag else 50.0 + i, "mep_max": 2e-3 + 1e-4 * i,
                 "peak_slope": 1e-4 * (i + 1), "area_under_curve": 0.01}  # fmt: skip
        rows += [{**row, "condition": "all", "measure": name, "value": value, "unit": "V", "flag": flag}
                 for name, value in known.items()]  # fmt: skip
        rows += [{**row, "condition": f"mso_{level}", "measure": "mep_amplitude", "value": 1e-3, "unit": "V",
                  "flag": ""}
                 for level in range(10)]  # fmt: skip
    own = _tables.prepared(pd.DataFrame(rows), None)
    *_, (title, _, caption) = list(figures_of(own, set()))
    assert title == "Recruitment threshold, S50, maximal MEP amplitude, peak slope"
    assert "Slopes of 2 curves that reached no plateau are not drawn" in caption


def test_a_pair_of_muscles_has_no_trials_of_its_own():
    row = {"participant": "01", "session": "pre", "protocol": "m1/motor_map", "condition": "all", "measure": "map_area",
           "value": 1.0, "unit": "m^2", "n_trials": 196, "n_rejected": 0}  # fmt: skip
    rows = [{**row, "channel": name} for name in ("FDI", "APB", "FDI+APB")]
    assert _done.trials_kept(_tables.prepared(pd.DataFrame(rows), None), None)[0][1] == 392


def test_the_curves_of_a_study_can_be_reported(tmp_path):
    rng = np.random.default_rng(6)
    s = np.repeat(np.arange(40.0, 81, 5), 3)
    tables = [pd.DataFrame({"participant": f"p{i}", "channel": "FDI", "intensity": s, "mep_amplitude":
              3e-3 / (1 + np.exp((rng.normal(58, 5) - s) / 4)) * rng.lognormal(0, 0.4, s.size)})
              for i in range(5)]  # fmt: skip
    page = report(recruitment_curves_of_study(tables), None, tmp_path / "x.html").read_text(encoding="utf-8")
    assert "Recruitment curves of study" in page


def test_only_the_columns_of_a_run_are_needed(few, tmp_path):
    results, _ = few
    columns = ["participant", "session", "protocol", "channel", "condition", "measure", "value", "unit"]
    page = report(results[columns], None, tmp_path / "x.html").read_text(encoding="utf-8")
    assert "ICF" in page
    with pytest.raises(ValueError, match="no column 'measure'"):
        report(results.drop(columns="measure"), None, tmp_path / "y.html")
    with pytest.raises(ValueError, match="result table with rows"):
        report(results.iloc[:0], None, tmp_path / "y.html")


def test_only_failures_can_be_reported(results, tmp_path):
    lost = results[results["error"] != ""]
    page = report(lost, None, tmp_path / "x.html").read_text(encoding="utf-8")
    assert "no pulses found" in page


def test_a_failed_report_leaves_the_old_one(few, tmp_path):
    results, _ = few
    path = tmp_path / "study.html"
    path.write_text("old", encoding="utf-8")
    with pytest.raises(AttributeError):
        report(results, None, path, figures={"not a figure": "text"})
    assert path.read_text(encoding="utf-8") == "old"
    assert [file.name for file in tmp_path.iterdir()] == ["study.html"]


def test_a_heavy_figure_becomes_a_bitmap():
    figure = Figure(figsize=(4, 3))
    ax = figure.add_subplot()
    rng = np.random.default_rng(4)
    for _ in range(300):
        ax.plot(rng.standard_normal(200))
    block = _page.figure_block(figure, "Many lines", "All of them", number=1)
    assert "data:image/webp;base64," in block
    assert 'alt="Many lines. All of them"' in block
    light = Figure(figsize=(4, 3))
    light.add_subplot().plot([0, 1])
    assert "<svg" in _page.figure_block(light, "One line", "", number=2)


def test_two_figures_do_not_share_names():
    blocks = []
    for number in (1, 2):
        figure = Figure(figsize=(3, 2))
        figure.add_subplot().plot([0, 1], marker="o")
        blocks.append(_page.figure_block(figure, "Same", "", number=number))
    first, second = (set(Page(block).ids) for block in blocks)
    assert first
    assert not first & second


def test_numbers_are_written_for_people():
    assert _tables.with_interval(0.304, 0.171, 0.452, sign=True) == "+0.30 [+0.17, +0.45]"
    assert _tables.with_interval(52.1, 34.0, 73.0) == "52 [34, 73]"
    assert _tables.number(-0.0001, 2, sign=True) == "0.00"
    assert _tables.number(np.inf) == "> 10⁵"
    assert _tables.number(float("nan")) == "–"


def test_an_mne_report_takes_the_figures(few):
    target = mne.Report(title="Mine", verbose=False)
    add_to_mne_report(target, *few)
    assert len(target) >= 3


def test_many_tests_are_told_with_their_correction_where_there_is_one(few, tmp_path):
    results, change = few
    bare = change.drop(columns=["family", "p_adjusted", "adjustment", "literature"], errors="ignore")
    plain = Page(report(results, bare, tmp_path / "plain.html").read_text(encoding="utf-8")).text
    assert "without correction for their number" in plain
    corrected = adjust(change)
    said = Page(report(results, corrected, tmp_path / "adjusted.html").read_text(encoding="utf-8")).text
    assert "without correction for their number" not in said
    survivors = corrected.loc[corrected["group"].str.contains(" - "), "p_adjusted"].dropna()
    assert f"{(survivors < 0.05).sum()} of {len(survivors)} with adjusted p < 0.05 (Benjamini-Hochberg)" in said
    assert "Corrected for the number of tests (Benjamini-Hochberg" in said
    assert "So few people carry none of them" not in said
    assert "So few people carry none of them" in many_tests_in_words(corrected.assign(flag="few_participants"))


def test_the_literature_stands_beside_each_estimate_and_models_and_people_left_out_are_told(results, change, tmp_path):
    own, mine = (table[table["protocol"] == "m1/sici"] for table in (results, change))
    one = own["participant"].iloc[0]
    own = own[~((own["participant"] == one) & (own[time_column(own)] == "post30"))]
    said = Page(report(own, mine, tmp_path / "r.html", primary=PRIMARY).read_text(encoding="utf-8")).text
    answer = said[said.index("Answer", 200) : said.index("What was done", 400)]
    assert "Literature (exercise):" in answer
    assert "How changes were estimated" in said
    assert "Welch t" in said
    assert "~" in said
    assert f"{one} (post30)" in said


def test_a_log_odds_ratio_is_called_so():
    row = {"protocol": "m1/mep", "measure": "mep_probability", "channel": "FDI", "condition": "all", "group": "all",
           "contrast": "post0 - pre", "unit": "1", "n": 12, "estimate": 0.5, "ci_low": 0.1, "ci_high": 0.9}  # fmt: skip
    table = pd.DataFrame([{**row, "form": "log_odds_ratio"}, {**row, "form": "difference"}])
    odds, plain = (line[3] for line in _tables.comparison_rows(table)[1:])
    assert odds.startswith("+0.5")
    assert odds.endswith("] log odds ratio")
    assert plain.endswith("]")


def test_tables_hold_no_empty_rows_and_every_name(results, change):
    rows = _tables.comparison_rows(change.assign(p_value=np.nan, estimate=np.nan))
    assert not any(str(row[0]).startswith("post0, post30") for row in rows)
    table = results[results["protocol"] == "m1/icf"].head(2).assign(channel=["FDI", "all"])
    assert _tables.what_was_done(_tables.prepared(table, None), {})[0][1] == "FDI, all channels"


def test_gains_have_no_sampling_limits():
    assert gain_with_limits(0.84, 0.8376, 0.8421) == "0.84"
    measured = pd.DataFrame({
        "participant": "01", "session": ["post0", "post30", "pre"], "protocol": "dlpfc/tep", "channel": "all",
        "condition": "all", "measure": "quality_n100_gain", "unit": "1", "form": "", "flag": "", "error": "",
        "value": 0.84, "ci_low": 0.8376, "ci_high": 0.8421})  # fmt: skip
    told = " ".join(tep_quality_tables(_tables.prepared(measured, None)))
    assert told.index("<td>pre") < told.index("<td>post0") < told.index("<td>post30")
    one = " ".join(tep_quality_tables(_tables.prepared(measured.head(1), None)))
    assert "0.8376" not in one
    assert "no sampling limits" in one
