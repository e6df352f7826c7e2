"""The wheel, installed and run from another folder: its data files are found there too."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SCRIPT = """
import excitability as ex
assert "elsewhere" in ex.__file__, ex.__file__
assert "m1/sici" in ex.list_protocols()
sessions = ex.find_sessions(ex.sample_data_path() / "study")
assert "_bundled" in str(ex.sample_data_path())
results = ex.run_batch(sessions[sessions["protocol"] == "m1/sici"][:1], "m1_exercise")
assert (results["error"] == "").all(), results["error"].iloc[0]
print(len(results))
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    out = tmp_path_factory.mktemp("wheel")
    subprocess.run([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(out)], cwd=ROOT, check=True)
    return next(out.glob("*.whl"))


def test_the_wheel_holds_the_data_and_nothing_else(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    assert "excitability/_bundled/protocols/m1/sici.toml" in names
    assert any(name.startswith("excitability/_bundled/sample_data/study/") for name in names)
    assert not [name for name in names if name.startswith(("tests", "benchmarks", "docs", "protocols"))]
    assert sum(entry.file_size for entry in zipfile.ZipFile(wheel).infolist()) < 8e6


def test_the_wheel_works_from_another_folder(wheel, tmp_path):
    target = tmp_path / "elsewhere"
    zipfile.ZipFile(wheel).extractall(target)
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(target)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 0
