"""Commands that ask more of a folder of results: they say the sentences, write their tables, and refuse in one line."""

import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

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
