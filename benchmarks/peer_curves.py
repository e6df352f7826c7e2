"""Recruitment curves by RecruitmentCurveFitting, run in an environment of its own.

    python peer_curves.py TRIALS.csv FOUND.csv

reads ``participant``, ``intensity`` (%MSO) and ``mep_amplitude`` (mV) and writes one row a participant and measure:
value, ci_low, ci_high (%MSO), and the CPU time of the whole study in ``cpu``. Nothing of excitability is imported here.
"""

from __future__ import annotations

import sys
import time

import numpy as np
import pandas as pd


def recruitmentcurvefitting(table: pd.DataFrame) -> list[dict[str, object]]:
    """Least-squares sigmoid; its 5 % point stands for the threshold, as its authors use it; no intervals."""
    from RecruitmentCurveFitting import Sigmoid

    rows: list[dict[str, object]] = []
    for name, part in table.groupby("participant"):
        fit = Sigmoid(part["intensity"].to_numpy(), part["mep_amplitude"].to_numpy())
        for measure, share in (("recruitment_threshold", 0.05), ("s50", 0.5)):
            value = float(fit.Backward(share, scaled=True))
            rows.append({"participant": name, "measure": measure, "value": value, "ci_low": np.nan, "ci_high": np.nan})
    return rows


def main() -> None:
    """Fit one study."""
    source, target = sys.argv[1:]
    table = pd.read_csv(source, dtype={"participant": str})
    start = time.process_time()
    rows = recruitmentcurvefitting(table)
    pd.DataFrame(rows).assign(cpu=time.process_time() - start).to_csv(target, index=False)


if __name__ == "__main__":
    main()
