"""The command line as a person types it: what it prints, and one clear line when something is wrong."""

import resource
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

import excitability as ex
from excitability.protocol import load_protocol, with_arguments

EXCITABILITY = [sys.executable, "-m", "excitability.cli"]


def typed(*words, cwd=None):
    """Run a command in a process of its own, as a shell would."""
    done = subprocess.run([*EXCITABILITY, *map(str, words)], capture_output=True, text=True, timeout=300, cwd=cwd)
    return done.returncode, done.stdout, done.stderr


@pytest.fixture(scope="module")
def study():
    return ex.sample_data_path() / "study"


@pytest.fixture(scope="module")
def recording(study):
    sessions = ex.find_sessions(study)
    return sessions.loc[sessions["protocol"] == "m1/sici", "file"].iloc[0]


def test_help_is_quick_and_imports_nothing_heavy():
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    code, out, _ = typed("--help")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert code == 0
    assert "inspect" in out
    assert (
        after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 0.3
    )  # the target; 0.13 s on an idle machine
    script = "import sys; from excitability import cli; print({'mne', 'scipy', 'numba', 'pandas'} & set(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert loaded.strip() == "set()"


def test_the_whole_way_from_recordings_to_a_report(study, tmp_path):
    out = tmp_path / "results"
    code, said, _ = typed("batch", study, "--protocol", "m1_exercise", "-o", out)
    assert code == 0
    assert "results.tsv" in said
    code, said, err = typed("compare", out, "--after", "post0")
    assert code == 0, err
    assert (out / "comparison.tsv").is_file()
    change = pd.read_csv(out / "comparison.tsv", sep="\t")
    assert {"measure", "channel", "condition", "group", "contrast", "estimate", "ci_low", "model"} <= set(change)
    code, said, err = typed("report", out)
    assert code == 0, err
    page = (out / "report.html").read_text(encoding="utf-8")
    assert page.startswith("<!DOCTYPE html>")
    assert "http://" not in page.replace("http://www.w3.org", "")


def test_inspect_and_run(recording, tmp_path):
    code, said, _ = typed("inspect", recording)
    assert code == 0
    assert "Nothing is missing." in said
    code, said, _ = typed("run", recording, "--protocol", "sici", "--picks", "FDI", "--trials", tmp_path / "t.tsv")
    assert code == 0
    assert "conditioned_ratio" in said
    assert len(pd.read_csv(tmp_path / "t.tsv", sep="\t")) > 10


def test_protocols_are_listed_and_shown():
    assert "m1/sici" in typed("protocols", "list")[1]
    assert "[conditions]" in typed("protocols", "show", "sici")[1]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["inspect", "nowhere.vhdr"], "nowhere.vhdr"),
        (["run", "{recording}", "--protocol", "sicci"], "did you mean 'm1/sici'"),
        (["run", "{recording}", "--protocol", "sici", "--picks", "ECR"], "unknown channel or muscle 'ECR'"),
        (["run", "{recording}", "--protocol", "dlpfc/tep"], "no EEG channel"),
        (["run", "{recording}", "--protocol", "motor_map"], "motor_map"),
        (["run", "{text}", "--protocol", "mep"], "notes.vhdr"),
        (["run", "{recording}", "--protocol", "{toml}"], "unknown section 'trials': did you mean 'trial'"),
        (["run", "{recording}", "-p", "sici", "--muscle", "FDI"], "CHANNEL=MUSCLE"),
        (["batch", "nowhere", "-p", "sici", "-o", "x"], "no study nowhere"),
        (["compare", "nowhere"], "no results.tsv"),
        (["report", "nowhere"], "no results.tsv"),
        (["protocols", "show", "sicii"], "did you mean"),
    ],
)
def test_bad_input_is_one_clear_line(words, message, recording, tmp_path):
    (tmp_path / "notes.vhdr").write_text("these are my notes\n")
    (tmp_path / "mine.toml").write_text('title = "x"\nmodality = "emg"\n[trials]\nmep_amplitude = {}\n')
    places = {"recording": recording, "text": tmp_path / "notes.vhdr", "toml": tmp_path / "mine.toml"}
    code, _, err = typed(*(str(word).format(**places) for word in words), cwd=tmp_path)
    assert code == 1
    lines = [line for line in err.splitlines() if not line.startswith("note:")]
    assert len(lines) == 1, err
    assert lines[0].startswith("error: ")
    assert message in lines[0]
    assert "Traceback" not in err


# --- what run and compare print ---------------------------------------------------------------------------------


def _printed(capsys, *words):
    """What a command prints, in this process."""
    from excitability.cli import app

    app([str(word) for word in words], standalone_mode=False)
    return capsys.readouterr().out


def test_run_prints_main_rows_reasons_of_rejection_and_what_a_ratio_means(recording, capsys):
    said = _printed(capsys, "run", recording, "-p", "sici", "--picks", "FDI")
    assert all(len(line) <= 100 for line in said.splitlines())
    assert "A ratio below 1 is inhibition; a smaller ratio is more inhibition." in said
    assert "conditioned_ratio_corrected" not in said.split("Not shown")[0]
    assert "--all shows them" in said
    whole = _printed(capsys, "run", recording, "-p", "sici", "--picks", "FDI", "--all")
    assert "conditioned_ratio_corrected" in whole
    assert "Not shown" not in whole


def test_rows_without_a_value_are_folded_with_their_reason_and_rejected_trials_with_theirs(capsys):
    from types import SimpleNamespace

    from excitability.cli._tables import show_results

    row = {"protocol": "m1/sicf", "channel": "FDI", "unit": "V", "form": "", "ci_low": np.nan, "ci_high": np.nan,
           "n_trials": 10, "n_rejected": 2}  # fmt: skip
    peaks = [
        {**row, "condition": "all", "measure": f"sicf_peak_{i}", "value": np.nan, "flag": "absent"} for i in range(9)
    ]
    rows = [{**row, "condition": "all", "measure": "mep_amplitude", "value": 8e-4, "flag": "few_trials"}, *peaks,
            {**row, "condition": "all", "measure": "background_emg", "value": 4e-6, "flag": ""}]  # fmt: skip
    trials = pd.DataFrame({"channel": "FDI", "reject": ["", "background_emg", "background_emg;clipped"]})
    summary = {"mep_amplitude": {"measure": "trial_mean", "statistic": "geometric_mean"}}
    protocol = SimpleNamespace(name="m1/sicf", summary=summary)
    done = SimpleNamespace(protocol=protocol, results=pd.DataFrame(rows), trials=trials)
    show_results(done)
    said = " ".join(capsys.readouterr().out.split())
    assert "0.800 mV" in said
    assert said.count("no response was found") == 1
    assert "2 of 3 trials rejected: background EMG (2), the amplifier was saturated" in said
    assert "mep_amplitude: geometric mean over trials." in said
    assert "1 few_trials: too few trials: for an interval" in said
    show_results(done, everything=True)
    assert "4 µV" in " ".join(capsys.readouterr().out.split())


def test_compare_says_what_was_measured_once(capsys):
    from excitability.cli._tables import show_changes

    name = "SICI ratio at 2 ms in FDI"
    change = pd.DataFrame({"protocol": "m1/sici", "measure": "conditioned_ratio", "channel": "FDI",
                           "condition": "isi_0.002", "flag": "sdc_from_controls",
                           "sentence": [f"{name} rose by 9 % (n = 12; detectable: 8 %).",
                                        f"{name}: 5 % higher in a than in b."]})  # fmt: skip
    show_changes(change)
    said = capsys.readouterr().out
    assert said.count(name) == 1
    assert "– rose by 9" in said
    assert said.count("Detectable: the smallest change") == 1
    show_changes(change[1:])  # where no sentence holds the word, it is not explained
    assert "Detectable" not in capsys.readouterr().out


def test_a_slip_does_not_end_a_piped_threshold_search_and_q_does():
    done = subprocess.run(
        [*EXCITABILITY, "threshold", "--start", "60"], input="y\nfoo\n55 n\nq\n58 y\n", capture_output=True, text=True
    )
    assert done.returncode == 0
    assert "'foo'" in done.stderr
    assert done.stdout.splitlines()[-1].startswith("2 pulses")


def test_a_latency_of_the_nerve_laboratory_is_given_on_the_command_line():
    protocol = with_arguments(load_protocol("ipsilateral_silent_period"), {"contralateral_latency": 0.0217})
    assert protocol.epochs["ipsilateral_silent_period"]["contralateral_latency"] == 0.0217
    with pytest.raises(ValueError, match="did you mean 'contralateral_latency'"):
        with_arguments(load_protocol("ipsilateral_silent_period"), {"contralateral_latncy": 0.0217})
