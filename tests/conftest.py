"""Shared by all tests: where the real recordings are, and quiet libraries."""

from pathlib import Path

import mne
import pytest

mne.set_log_level("ERROR")

#: Real recordings beside the checkout; nothing of them is part of the project.
REAL = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of the real recordings, or a skip that says why."""
    if not REAL.is_dir():
        pytest.skip("the folder of real recordings (../shared/data beside the checkout) is absent")
    return REAL
