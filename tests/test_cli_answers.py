"""Commands that ask more of a folder of results: they say the sentences, write their tables, and refuse in one line."""

import json
import re
import shutil
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from excitability.batch import load_results
from excitability.cli import app
from excitability.cli._options import asked_equivalence, check_columns, grouped
from excitability.cli._tables import _beside
from excitability.protocol import load_battery
from excitability.tables import read_table, write_table

sys.path.insert(0, str(Path(__file__).parent))
from study_tables import study_results

TIMES = ("pre", "pre2", "post0", "post30")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Results of 24 people with a repeated baseline, lactate that rises, and the trials of their MEPs."""
    folder = tmp_path_factory.mktemp("results")
    rng = np.random.default_rng(1)
    results = study_results(24, TIMES, channels=("FDI",))
    results = results.assign(pain_intensity=rng.uniform(2, 8, len(results)).round(1))
    people = results["participant"].unique()
    rise = dict(zip(people, rng.normal(6, 1.5, len(people)), strict=True))
    after = results["timepoint"].str.startswith("post")
    results["lactate"] = np.where(after, 1.2 + results["participant"].map(rise), 1.2)
    results["pain_intensity"] = results.groupby(["participant", "timepoint"])["pain_intensity"].transform("first")
    log = rng.normal(-7, 0.5, 24)[:, None, None] + rng.normal(0, 0.2, (24, 4, 1)) + rng.normal(0, 0.5, (24, 4, 12))
    i, s, _ = (axis.ravel() for axis in np.indices(log.shape))
    trials = pd.DataFrame({"participant": people[i], "session": np.array(TIMES)[s], "timepoint": np.array(TIMES)[s]})
    trials = trials.assign(
        protocol="m1/mep", channel="FDI", condition="all", mep_amplitude=np.exp(log.ravel()), reject=""
    )
    write_table(results, folder / "results.tsv")
    write_table(trials, folder / "trials.tsv")
    (folder / "battery.json").write_text(json.dumps(load_battery("m1_exercise").content()))
    return folder


def run(*words):
    return CliRunner().invoke(app, list(map(str, words)))


def test_reliability(folder):
    said = run("reliability", folder)
    assert said.exit_code == 0, said.output
    assert "SICI ratio at 2 ms in FDI: a change beyond" in said.output
    assert "more are in the table" in said.output
    table = read_table(folder / "reliability.tsv")
    assert {"icc_2_1", "sdc_percent_up", "ccc"} <= set(table.columns)
    told = json.loads((folder / "reliability.json").read_text())
    assert told["icc_2_1"]["Description"].startswith("intraclass correlation")
    assert told["sessions"]["Description"] == "sessions that repeat each other"


def test_responders(folder):
    said = run("responders", folder, "--by", "group")
    assert said.exit_code == 0, said.output
    assert "by more than measurement error (post0 - pre" in said.output
    assert (read_table(folder / "responders.tsv")["flag"] == "sdc_from_repeats").any()


def test_associate_and_moderate(folder):
    said = run("associate", folder, "sici conditioned_ratio isi_0.002", "lactate", "--after", "post0")
    assert said.exit_code == 0, said.output
    (path,) = folder.glob("associations_*_lactate.tsv")
    assert len(read_table(path)) == 6  # two methods, two groups and all
    said = run("associate", folder, "sici isi_0.002 conditioned_ratio", "pain_intensity", "--moderator")
    assert said.exit_code == 0, said.output
    assert "depend" in said.output


def test_mediate(folder):
    said = run("mediate", folder, "lactate", "sici conditioned_ratio isi_0.002")
    assert said.exit_code == 0, said.output
    assert [line.split()[0] for line in said.output.splitlines()[:5]] == ["a", "b", "direct", "total", "indirect"]


def test_power_from_trials_and_from_sessions(folder):
    said = run("power", folder, "--change", 25)
    assert said.exit_code == 0, said.output
    assert "smallest detectable change" in said.output
    assert "a change of 25 % is found in 8" in said.output
    said = run("power", folder, "--measure", "silent_period", "--change", 0.01, "--n", 20, "--design", "two_groups")
    assert said.exit_code == 0, said.output
    assert "20 people in each group" in said.output


def test_wide(folder):
    said = run("wide", folder)
    assert said.exit_code == 0, said.output
    wide = pd.read_csv(folder / "wide.csv")
    assert len(wide) == 24
    assert {"lactate_pre", "sici_conditioned_ratio_2ms_FDI_post30"} <= set(wide.columns)
    assert (folder / "wide_dictionary.csv").is_file()


def test_a_word_that_fits_nothing_is_said(folder):
    said = run("associate", folder, "sici conditioned_ratio isi_0.002", "lactat")
    assert said.exit_code == 1
    assert "did you mean 'lactate'" in str(said.exception)


def test_files_that_are_none_are_named(folder, tmp_path):
    shutil.copy(folder / "results.tsv", tmp_path)
    for content, said in (("{}", "holds no battery"), ("{", "is no JSON"), (None, "holds no battery.json")):
        (tmp_path / "battery.json").unlink(missing_ok=True)
        if content is not None:
            (tmp_path / "battery.json").write_text(content)
        with pytest.raises((ValueError, FileNotFoundError), match=said) as told:
            load_results(tmp_path)
        assert str(tmp_path) in str(told.value)
    shutil.copy(folder / "battery.json", tmp_path)
    for content in (b"", b"\x81\xfe\x00"):
        (tmp_path / "results.tsv").write_bytes(content)
        with pytest.raises(ValueError, match=r"results\.tsv is no table"):
            load_results(tmp_path)


def test_an_empty_column_of_time_points_is_no_label(folder, tmp_path):
    table = read_table(folder / "results.tsv")
    write_table(table.assign(timepoint=""), tmp_path / "results.tsv")
    shutil.copy(folder / "battery.json", tmp_path)
    said = run("responders", tmp_path)  # the sessions are named like the time points of the plan
    assert said.exit_code == 0, said.output


def test_mediation_takes_the_groups_of_the_plan(folder, tmp_path):
    copied = shutil.copytree(folder, tmp_path / "groups", ignore=shutil.ignore_patterns("mediation*"))
    battery = json.loads((copied / "battery.json").read_text())
    assert battery.get("by") == "group"
    said = run("mediate", copied, "lactate", "sici conditioned_ratio isi_0.002 FDI")
    assert said.exit_code == 0, said.output
    path = copied / "mediation_lactate_sici_conditioned_ratio_isi_0.002_FDI.tsv"
    assert read_table(path)["contrast"].str.contains("patient - control").all()
    pooled = run("mediate", copied, "lactate", "sici conditioned_ratio isi_0.002 FDI", "--by", "none", "--overwrite")
    assert pooled.exit_code == 0, pooled.output
    assert not read_table(path)["contrast"].str.contains("control").any()


def test_power_of_a_ratio_comes_from_repeats_where_trials_have_no_test_pulse(folder):
    which = ("--measure", "conditioned_ratio", "--protocol", "m1/sici", "--condition", "isi_0.002")
    found = run("power", folder, "--change", "25", *which)
    assert found.exit_code == 0, found.output


def one_group(folder, path):
    """The same folder with the patients only."""
    table = read_table(folder / "results.tsv")
    path.mkdir()
    write_table(table[(table["group"] == "patient") & (table["protocol"] == "m1/sici")], path / "results.tsv")
    for name in ("battery.json", "trials.tsv"):
        shutil.copy(folder / name, path)
    return path


@pytest.mark.filterwarnings("ignore:no recording at the planned")
def test_one_group_is_compared_without_being_asked(folder, tmp_path):
    alone = one_group(folder, tmp_path / "alone")
    with pytest.warns(UserWarning, match="all people are 'patient' in the column 'group': compared as one group"):
        said = run("compare", alone, "--after", "post0")
    assert said.exit_code == 0, said.output
    assert set(read_table(alone / "comparison.tsv")["group"]) == {"all"}
    with pytest.warns(UserWarning, match="one group"):
        assert run("responders", alone).exit_code == 0
    said = run("compare", alone, "--by", "group", "--after", "post0")
    assert "--by none compares them together" in str(said.exception)


@pytest.mark.filterwarnings("ignore:no recording at the planned")
def test_all_people_are_compared_together_where_groups_were_planned(folder, tmp_path):
    table = read_table(folder / "results.tsv")
    write_table(table[table["protocol"] == "m1/sici"], tmp_path / "results.tsv")
    shutil.copy(folder / "battery.json", tmp_path)
    said = run("compare", tmp_path, "--by", "none", "--after", "post0", "-o", tmp_path / "all.tsv")
    assert said.exit_code == 0, said.output
    assert set(read_table(tmp_path / "all.tsv")["group"]) == {"all"}
    said = run("reliability", tmp_path, "--by", "none", "-o", tmp_path / "reliability.tsv")
    assert said.exit_code == 0, said.output


def test_groups_that_differ_in_capitals_are_told(folder):
    table = pd.DataFrame({"group": ["patient", "Patient", "control", None]})
    with pytest.warns(UserWarning, match="'patient' and 'Patient' in the column 'group' count as two groups"):
        assert grouped({"by": "group"}, table, None) == {"by": "group"}


@pytest.mark.parametrize("command", ["associate", "mediate"])
def test_the_examples_of_the_help_fit_one_measure(folder, command):
    words = " ".join(run(command, "--help").output.replace("│", " ").split())
    (example,) = re.findall(r"'(sici [^']*)'", words)
    found = run("associate", folder, example, "lactate", "--after", "post0", "-o", folder.parent / f"{command}.tsv")
    assert found.exit_code == 0, found.exception


@pytest.mark.parametrize("bound", ["10", "0.05"])
def test_a_bound_without_a_unit_names_what_to_type(bound):
    with pytest.raises(ValueError, match=f"'{bound} %' is one of .* MEASURE=SIZE"):
        asked_equivalence([bound])


def test_results_that_pandas_saved_again_are_read(folder, tmp_path):
    shutil.copy(folder / "battery.json", tmp_path)
    again = pd.read_csv(folder / "results.tsv", sep="\t")
    again.loc[0, "lactate"] = np.nan
    assert again["value"].isna().any()
    again.to_csv(tmp_path / "results.tsv", sep="\t", index=False)
    assert "n/a" not in (tmp_path / "results.tsv").read_text()
    table = read_table(tmp_path / "results.tsv")
    assert table["value"].dtype == table["lactate"].dtype == float
    assert table["value"].isna().sum() == again["value"].isna().sum()
    assert (table["flag"] == "").any()
    said = run("associate", tmp_path, "sici conditioned_ratio isi_0.002", "lactate", "--after", "post0")
    assert said.exit_code == 0, said.exception


def test_no_answer_replaces_that_to_another_question(folder, tmp_path):
    copied = shutil.copytree(folder, tmp_path / "copied", ignore=shutil.ignore_patterns("associations*", "relia*"))
    sici = "sici conditioned_ratio isi_0.002"
    for words in (("lactate",), ("pain_intensity",), ("pain_intensity", "--moderator")):
        assert run("associate", copied, sici, *words, "--after", "post0").exit_code == 0
    assert len([*copied.glob("associations_*.tsv")]) == 3
    said = run("associate", copied, sici, "lactate", "--after", "post30")
    assert said.exit_code == 1
    assert "after was post0, is post30" in str(said.exception)
    assert "--overwrite replaces it" in str(said.exception)
    assert run("associate", copied, sici, "lactate", "--after", "post30", "--overwrite").exit_code == 0
    assert run("reliability", copied).exit_code == 0
    assert run("reliability", copied).exit_code == 0  # the same question again
    assert "session was" in str(run("reliability", copied, "--session", "pre,post0").exception)


def test_a_comparison_is_not_replaced_and_the_report_shows_the_one_just_made(folder, tmp_path, monkeypatch):
    from excitability import html_report
    from excitability.html_report import _folder

    copied = shutil.copytree(folder, tmp_path / "copied", ignore=shutil.ignore_patterns("comparison*"))
    few = read_table(copied / "results.tsv").query("protocol == 'm1/sici' and timepoint in ('pre', 'post0', 'post30')")
    write_table(few, copied / "results.tsv")
    assert run("compare", copied).exit_code == 0
    said = run("compare", copied, "--method", "trimmed")
    assert "method was none, is trimmed" in str(said.exception)
    other = tmp_path / "trimmed.tsv"
    said = run("compare", copied, "--method", "trimmed", "-o", other)
    assert said.exit_code == 0, said.output
    line = said.output.splitlines()[-1]
    assert line == f"next: excitability report {copied} --comparison {other} -o {tmp_path / 'trimmed.html'}"
    shown = []
    monkeypatch.setattr(
        html_report, "report", lambda results, comparison, path, **rest: shown.append(comparison) or path
    )
    monkeypatch.setattr(_folder, "example_figures", lambda *given: [])
    assert run(*line.split()[2:]).exit_code == 0
    pd.testing.assert_frame_equal(shown[0], read_table(other))


@pytest.mark.filterwarnings("ignore:no recording at the planned")
def test_responders_lists_the_people_and_says_once_why_it_cannot_be_said(folder, tmp_path):
    said = run("responders", folder, "-o", tmp_path / "all.tsv")
    assert said.exit_code == 0, said.output
    people, counted = read_table(tmp_path / "all_people.tsv"), read_table(tmp_path / "all.tsv")
    keys = ["protocol", "measure", "channel", "condition", "group", "contrast"]
    up = people[people["response"] == "up"].groupby(keys).size()
    wanted = counted.set_index(keys)["n_up"]
    assert wanted[wanted > 0].to_dict() == up.to_dict()
    sici = people.query("measure == 'conditioned_ratio' and condition == 'isi_0.002' and response == 'up'")
    assert len(sici)
    assert f"rose: {sici['participant'].iloc[0]} (+" in said.output
    table = read_table(folder / "results.tsv")
    shutil.copy(folder / "battery.json", tmp_path)
    first = table["participant"].isin([f"{n:02d}" for n in range(1, 11)])
    write_table(table[first & table["timepoint"].isin(["pre", "post0"])], tmp_path / "results.tsv")
    said = run("responders", tmp_path, "--after", "post0")
    assert said.exit_code == 0, said.output
    assert said.output.count("cannot be said") == 1
    assert "too few controls (11 are needed)" in said.output


def test_equivalence_that_cannot_be_said_is_said():
    row = {"equivalence_sentence": "MEP: whether cannot be known (post - pre).", "equivalence_bound": np.nan}
    (told,) = _beside({**row, "flag": "sdc_from_controls;sdc_uncertain"})
    assert told == "Equivalence: cannot be said, as the detectable change comes from too few people (11 are needed)."


def test_power_names_the_option_that_it_needs(folder):
    said = run("power", folder, "--measure", "conditioned_ratio", "--change", 25)
    assert "conditioned_ratio: say which --protocol: m1/sici, m1/icf" in str(said.exception)
    assert "--protocol m1/sici --measure conditioned_ratio --condition isi_0.002" in str(said.exception)
    said = run("power", folder, "--change", 0.3, "--n", 5)
    assert "note: --change 0.3 is 0.3 %; 30 % is --change 30" in said.output


def test_a_wide_table_of_some_measures(folder):
    said = run("wide", folder, "--measure", "silent_period,s50")
    assert said.exit_code == 0, said.output
    wide = pd.read_csv(folder / "wide_silent_period_s50.csv")
    assert any("silent_period" in name for name in wide)
    assert not any("conditioned_ratio" in name for name in wide)
    assert "did you mean 's50'" in str(run("wide", folder, "--measure", "s51").exception)


def test_a_study_is_simulated_with_a_repeated_baseline(tmp_path, monkeypatch):
    import excitability as ex

    given = {}
    monkeypatch.setattr(ex.simulate, "study", lambda path, **options: given.update(options))
    assert run("simulate", tmp_path, "--timepoint", "pre,pre2,post0").exit_code == 0
    assert given["timepoints"] == ["pre", "pre2", "post0"]


@pytest.mark.parametrize(
    ("name", "meant"), [("timepont", "timepoint"), ("Group", "group"), ("time_point", "timepoint")]
)
def test_a_misspelt_column_of_a_study_is_told(name, meant):
    with pytest.warns(UserWarning, match=f"column '{name}' has no meaning; if '{meant}' was meant"):
        check_columns(pd.DataFrame(columns=["participant", "session", "file", name]))
    check_columns(pd.DataFrame(columns=["participant", "session", "file", "timepoint", "group", "age_group", name]))


def test_a_word_among_empty_cells_stays(tmp_path):
    (tmp_path / "t.tsv").write_text("participant\tvalue\tnote\n01\t1.5\tx\n02\tn.d.\t\n03\t\t\n")
    table = read_table(tmp_path / "t.tsv")
    assert table["value"].iloc[1] == "n.d."
    assert table["value"].isna().tolist() == [False, False, True]
    assert table["note"].tolist() == ["x", "", ""]
