"""One thread for linear algebra on small matrices."""

from __future__ import annotations

import contextlib
from typing import Any


def one_thread() -> contextlib.AbstractContextManager[Any]:
    """Run linear algebra on one thread.

    What multiplies or factors many small matrices waits for its threads more than it works: on two threads of a busy
    machine the decay fit took twenty times the processor time, components eleven times, and paired-pulse curves sixty
    times. A batch is parallel over sessions anyway.
    """
    from threadpoolctl import threadpool_limits

    return threadpool_limits(1, user_api="blas")
