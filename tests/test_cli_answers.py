"""Commands that ask more of a folder of results: they say the sentences, write their tables, and refuse in one line."""

import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from excitability.batch import load_results
from excitability.cli import app
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
    assert len(read_table(folder / "associations.tsv")) == 6  # two methods, two groups and all
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
    copied = shutil.copytree(folder, tmp_path / "groups")
    battery = json.loads((copied / "battery.json").read_text())
    assert battery.get("by") == "group"
    said = run("mediate", copied, "lactate", "sici conditioned_ratio isi_0.002 FDI")
    assert said.exit_code == 0, said.output
    assert read_table(copied / "mediation.tsv")["contrast"].str.contains("patient - control").all()
    pooled = run("mediate", copied, "lactate", "sici conditioned_ratio isi_0.002 FDI", "--by", "none")
    assert pooled.exit_code == 0, pooled.output
    assert not read_table(copied / "mediation.tsv")["contrast"].str.contains("control").any()


def test_power_of_a_ratio_comes_from_repeats_where_trials_have_no_test_pulse(folder):
    which = ("--measure", "conditioned_ratio", "--protocol", "m1/sici", "--condition", "isi_0.002")
    found = run("power", folder, "--change", "25", *which)
    assert found.exit_code == 0, found.output
