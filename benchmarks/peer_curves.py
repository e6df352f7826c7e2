"""Recruitment curves by hbMEP or RecruitmentCurveFitting, run in the peers' environment.

    python peer_curves.py hbmep TRIALS.csv FOUND.csv CHAINS WARMUP SAMPLES

reads ``participant``, ``intensity`` (%MSO) and ``mep_amplitude`` (mV) and writes one row a participant and measure:
value, ci_low, ci_high (%MSO), and the CPU time of the whole study in ``cpu``. Nothing of excitability is imported here.
"""

from __future__ import annotations

import sys
import time

import numpy as np
import pandas as pd


def hbmep(table: pd.DataFrame, chains: int, warmup: int, samples: int) -> list[dict[str, object]]:
    """Hierarchical rectified logistic by MCMC."""
    from hbmep import StandardHB

    variables = {"intensity": "intensity", "features": ["participant"], "response": ["mep_amplitude"]}
    mcmc = {"num_chains": chains, "num_warmup": warmup, "num_samples": samples}
    model = StandardHB(config={"variables": variables, "mcmc_kw": mcmc})
    model._model = model.rectified_logistic
    coded, encoders = model.process(table)
    _, posterior = model.run(coded)[:2]
    a, b, h, v = (np.asarray(posterior[name])[..., 0] for name in ("a", "b", "h", "v"))
    names = encoders["participant"].classes_ if isinstance(encoders, dict) else sorted(table["participant"].unique())
    half = a + (np.log1p(2 * v / h) - np.log(v / h)) / b
    return [
        {"participant": name, "measure": measure, **_limits(draws[:, i])}
        for i, name in enumerate(names)
        for measure, draws in (("recruitment_threshold", a), ("s50", half))
    ]


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


def _limits(draws: np.ndarray) -> dict[str, float]:
    low, middle, high = np.percentile(draws, [2.5, 50, 97.5])
    return {"value": float(middle), "ci_low": float(low), "ci_high": float(high)}


def main() -> None:
    """Run one program on one study."""
    program, source, target, *numbers = sys.argv[1:]
    table = pd.read_csv(source, dtype={"participant": str})
    start = time.process_time()
    rows = hbmep(table, *map(int, numbers)) if program == "hbmep" else recruitmentcurvefitting(table)
    pd.DataFrame(rows).assign(cpu=time.process_time() - start).to_csv(target, index=False)


if __name__ == "__main__":
    main()
