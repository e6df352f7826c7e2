"""The simulators and the scores of benchmarks/tep_recovery.py; its figures are in benchmarks/results."""

import importlib
import json
import sys
from pathlib import Path

import mne
import numpy as np
import pytest

import excitability as ex

BENCHMARKS = Path(__file__).resolve().parent.parent / "benchmarks"


@pytest.fixture
def tep(monkeypatch):
    if not BENCHMARKS.is_dir():
        pytest.skip("the benchmarks are not part of this copy")
    before = set(sys.modules)
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    yield importlib.import_module("tep_cells"), importlib.import_module("tep_scores").scores
    for name in set(sys.modules) - before:
        if name.startswith("tep_"):
            del sys.modules[name]


def test_truth_scores_fully_and_half_of_it_half(tep):
    module, scores = tep
    found = {}
    for cell in module.cells():
        if cell.rate > 2100 or cell.simulator == "reference":
            continue  # the same with more samples
        session = cell.make(0, 2)
        names = session.raw.ch_names
        assert session.truth.shape == (len(names), session.times.size) == session.floor.shape
        assert len(session.raw.annotations) == 2
        truth = (session.truth, session.times, names, session.bads, cell.peaks)
        perfect = scores(session.truth, session.times, names, *truth)
        assert perfect["r"] == pytest.approx(1)
        assert perfect["peak_error"] == pytest.approx(0, abs=1e-9)
        half = scores(0.5 * session.truth[1:], session.times, names[1:], *truth)
        assert 0.4 < half["gain"] <= 0.5 + 1e-9
        assert np.isfinite(half["latency_error"])
        found[cell.simulator, cell.site] = perfect["rmse"]
    assert len(found) == 4


def test_the_cost_of_a_run_is_measured(monkeypatch, tmp_path):
    if not BENCHMARKS.is_dir():
        pytest.skip("the benchmarks are not part of this copy")
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    peer = importlib.import_module("peer_tep")
    ran = []
    monkeypatch.setattr(ex, "run", lambda raw, protocol: ran.append((raw.times[-1], protocol)))
    raw = mne.io.RawArray(np.zeros((1, 9001)), mne.create_info(1, 300.0, "eeg"), verbose="error")
    raw.save(tmp_path / "some_raw.fif", verbose="error")
    asked = {"recording": str(tmp_path / "some_raw.fif"), "bads": [], "protocol": "dlpfc/tep", "rehearse": True}
    (tmp_path / "task.json").write_text(json.dumps({**asked, "methods": ["excitability_run"]}))
    with mne.use_log_level("error"):
        costs = peer.run(tmp_path / "task.json")
    assert ran == [(20.0, "dlpfc/tep"), (30.0, "dlpfc/tep")]  # a rehearsal, and all of it
    assert costs["excitability_run"]["cpu_s"] >= 0
    assert not list(tmp_path.glob("*.npz"))  # a run has no average to be scored
