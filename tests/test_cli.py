"""The command line as a person types it: what it prints, and one clear line when something is wrong."""

import resource
import subprocess
import sys

import pandas as pd
import pytest

import excitability as ex

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
