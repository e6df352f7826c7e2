"""Two muscles are compared pulse by pulse: their tables must hold the same trials in the same order."""

from __future__ import annotations

import numpy as np
import pandas as pd

#: Columns that are those of the pulse, whatever the muscle.
_OF_TRIAL = (
    "session", "block", "trial", "onset", "condition", "hemisphere", "pulse_count", "inter_stimulus_interval",
    "coil_x", "coil_y", "coil_z",
)  # fmt: skip


def check_same_trials(table_a: pd.DataFrame, table_b: pd.DataFrame, what: str, trials: str = "pulses") -> None:
    """Refuse two tables whose rows are not those of the same pulses or movements.

    Raises
    ------
    ValueError
        Naming what differs. Columns that only one of the tables has are not compared.
    """
    expected = f"{what} needs the same {trials} for both muscles"
    if len(table_a) != len(table_b):
        raise ValueError(f"{expected}, got {len(table_a)} and {len(table_b)} rows")
    for name in _OF_TRIAL:
        if name not in table_a or name not in table_b:
            continue
        one, other = (table[name].reset_index(drop=True) for table in (table_a, table_b))
        differ = (one != other) & ~(one.isna() & other.isna())
        if pd.api.types.is_numeric_dtype(one) and pd.api.types.is_numeric_dtype(other):
            differ &= ~np.isclose(one.astype(float), other.astype(float), rtol=0, atol=1e-6, equal_nan=True)
        if differ.any():
            row = int(np.flatnonzero(differ)[0])
            raise ValueError(
                f"{expected}, in the same order; column {name!r} differs in {int(differ.sum())} rows, first in row "
                f"{row}: {one[row]} and {other[row]}"
            )
