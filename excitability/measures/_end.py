"""End of every response."""

from __future__ import annotations

import numpy as np

from ._responses import Responses
from ._windows import Window


def response_ends(found: Responses, x: np.ndarray, times: np.ndarray, window: Window) -> np.ndarray:
    """Time at which each response ends, s; NaN where there is none."""
    return found.end
