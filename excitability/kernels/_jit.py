"""The one place where numba is imported and its options are chosen.

Kernels are serial, release the GIL and are cached: a batch is parallel over recordings, never
inside a kernel (``parallel=True`` followed by a fork kills the worker, as measured).
"""

from collections.abc import Callable
from typing import Any

import numba


def njit(function: Callable[..., Any]) -> Any:
    """Compile ``function`` on its first call; set ``NUMBA_DISABLE_JIT=1`` to run its Python body."""
    return numba.njit(cache=True, nogil=True, fastmath=False)(function)
