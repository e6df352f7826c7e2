"""The examples of the guides to TMS-EEG and to comparisons run, in the order of the page, on small simulated data."""

import re
import warnings
from functools import partial
from io import StringIO
from pathlib import Path

import pandas as pd
import pytest

import excitability as ex
from excitability.protocol import averages
from excitability.protocol.running import conditions_of

PAGE = (Path(__file__).parents[1] / "docs" / "tms_eeg.md").read_text(encoding="utf-8")
COMPARISON = (Path(__file__).parents[1] / "docs" / "comparison.md").read_text(encoding="utf-8")
PYTHON = re.findall(r"^```python\n(.*?)^```", PAGE, flags=re.M | re.S)


def test_the_examples_run_one_after_the_other(monkeypatch):
    import matplotlib.pyplot as plt

    monkeypatch.setattr(averages, "bootstrap_average", partial(averages.bootstrap_average, n_boot=10))
    words: dict = {}
    ran = [block for block in PYTHON if "study/" not in block]
    assert len(ran) >= 5
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for block in ran:
            code = block.replace("n_trials=60", "n_trials=8")
            exec(compile(code, f"tms_eeg.md: {block.splitlines()[0]}", "exec"), words)
    plt.close("all")
    assert {"p25_amplitude", "quality_p25_gain"} <= set(words["result"]["measure"])
    assert 1e-8 < words["area"] < 1e-5
    assert [record["step"] for record in words["steps"]].count("ssp_sir") == 0


@pytest.mark.parametrize("name", sorted(set(re.findall(r"\bex((?:\.[a-z_]+)+)", PAGE + COMPARISON))))
def test_every_name_of_the_page_exists(name):
    found = ex
    for word in name.strip(".").split("."):
        found = getattr(found, word)


def test_the_log_of_the_page_has_a_test_pulse_a_pair_and_a_conditioning_pulse():
    (text,) = re.findall(r"^```csv\n(.*?)^```", PAGE, flags=re.M | re.S)
    raw, _ = ex.simulate.paired_tep_session("M1", "sici", n_trials=2, seed=1)
    onset = ex.stimuli(raw)["onset"].head(3)
    raw = ex.set_stimuli(raw, pd.read_csv(StringIO(text)).assign(onset=onset))
    table = ex.stimuli(raw)
    conditions = conditions_of(ex.load_protocol("m1/sici_tep"), table)
    assert conditions.tolist() == ["test", "isi_0.003", "conditioning"]


def test_the_table_of_steps_is_in_the_order_of_the_protocols():
    section = PAGE.split("## The steps")[1].split("\n## ")[0]
    rows = re.findall(r"^\| (`.*?) \|", section, flags=re.M)
    told = [name for row in rows for name in re.findall(r"`(\w+)`", row)]
    steps = [step["step"] for step in ex.load_protocol("dlpfc/tep").cleaning]
    assert [name for name in told if name in steps] == steps


def test_a_table_of_ones_own_is_compared_as_the_page_says(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(ex, "report", lambda *given: given)  # the page itself has tests of its own
    words: dict = {}
    for block in re.findall(r"^```python\n(.*?)^```", COMPARISON, flags=re.M | re.S):
        exec(compile(block, f"comparison.md: {block.splitlines()[0]}", "exec"), words)
    said = capsys.readouterr().out
    assert said.count("\n") == 3
    assert "rose by" in said
    assert "in the patient group" in said
    assert {"p_adjusted", "equivalence_sentence", "bayes_factor"} <= set(words["change"])
    assert len(words["one_row_a_person"]) == 14
    needed = re.findall(r"^\| `(\w+)` \| needed", COMPARISON, flags=re.M)
    for name in needed:  # what the page calls needed is asked for
        with pytest.raises(ValueError, match=name):
            ex.compare(words["table"].drop(columns=name), before="pre", after="post")
    least = words["table"][[*needed, "timepoint"]]
    assert len(ex.compare(least, before="pre", after="post")) == 1


def test_the_page_on_comparisons_names_functions_that_exist():
    from excitability import comparison

    named = ("associate", "moderate", "mediate", "power", "sample_size", "reliability_table")
    assert all(f"`{name}" in COMPARISON and callable(getattr(comparison, name)) for name in named)
