"""Time of a mixed model on many trials, ours against statsmodels, and of 1,000 refits.

    python benchmarks/mixed_model_speed.py

writes ``benchmarks/results/mixed_model_speed_<date>.tsv`` and a page. Reading the labels of the participants is part
of every fit. One thread, warm, the least CPU time of many; statsmodels once after a rehearsal.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from _common import RESULTS, cpu_seconds, one_thread, provenance, write

from excitability.comparison import MixedFit, mixed_model
from excitability.comparison.bootstrap_refits import bootstrap_refits

PEOPLE, TRIALS = 40, 360  # 14,400 rows
TARGET_FIT, TARGET_REFITS = 5.0, 5.0  # ms, s


def main() -> None:
    """Time the fits and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--refits", type=int, default=1000)
    parser.add_argument("--no-statsmodels", action="store_true")
    parser.add_argument("--output", type=Path, default=RESULTS)
    options = parser.parse_args()
    one_thread()
    head = provenance(options.seed)
    frame = study(options.seed)
    tasks = models(frame)
    ours = cpu_seconds(tasks, 40)
    theirs = {} if options.no_statsmodels else statsmodels_of(frame)
    lines = [
        line(name, fit(), ours[name], options.refits, options.seed, theirs.get(name)) for name, fit in tasks.items()
    ]
    table = pd.DataFrame(lines)
    for path in write(
        "mixed_model_speed", "Speed of the mixed models", head, table, [("Fits", _TEXT, table)], options.output
    ):
        print(f"wrote {path}")
    print(table.to_string())


def study(seed: int) -> pd.DataFrame:
    """Log amplitudes of 40 people in two groups, 180 trials before and after."""
    rng = np.random.default_rng(seed)
    person = np.repeat(np.arange(PEOPLE), TRIALS)
    time_point = np.tile(np.repeat([0, 1], TRIALS // 2), PEOPLE)
    patient = (person % 2).astype(float)
    y = rng.normal(-7, 0.6, PEOPLE)[person] + rng.normal(0, 0.3, (PEOPLE, 2))[person, time_point]
    y = y + 0.2 * patient * time_point + rng.normal(0, 0.5, len(person))
    return pd.DataFrame({
        "y": y, "participant": np.char.add("sub-", np.char.zfill(person.astype(str), 2)), "person": person,
        "time": time_point.astype(float), "patient": patient, "session": person * 2 + time_point,
        "group": np.where(patient == 1, "patient", "control"),
        "background": rng.normal(0, 0.3, len(person)),
    })  # fmt: skip


def models(frame: pd.DataFrame) -> dict[str, Callable[[], MixedFit]]:
    """The fits that are timed."""
    y, time_point, patient = (frame[name].to_numpy() for name in ("y", "time", "patient"))
    text = frame["participant"].to_numpy(dtype=object)
    person, session, group = (frame[name].to_numpy() for name in ("person", "session", "group"))
    x = np.column_stack([np.ones(len(y)), time_point, patient, time_point * patient])
    wide = np.column_stack([x, frame["background"]])
    people = {"participant": person}
    nested = people | {"participant:session": session}
    return {
        "random intercept": lambda: mixed_model(y, x, people),
        "random intercept, people named in text": lambda: mixed_model(y, x, {"participant": text}),
        "sessions nested in people": lambda: mixed_model(y, x, nested),
        "sessions nested, variances by group, background": lambda: mixed_model(y, wide, nested, by=group),
        "random slope of time": lambda: mixed_model(y, x, people, slope={"time": time_point}),
    }


def statsmodels_of(frame: pd.DataFrame) -> dict[str, tuple[float, np.ndarray]]:
    """Seconds and fixed effects of statsmodels, for those fits that it has."""
    from statsmodels.regression.mixed_linear_model import MixedLM

    y = frame["y"].to_numpy()
    time_point, patient = frame["time"].to_numpy(), frame["patient"].to_numpy()
    x = np.column_stack([np.ones(len(y)), time_point, patient, time_point * patient])
    slope = np.column_stack([np.ones(len(y)), time_point])
    found = {}
    for name, random in (("random intercept", None), ("random slope of time", slope)):
        for _ in range(2):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                start = time.process_time()
                fit = MixedLM(y, x, groups=frame["person"].to_numpy(), exog_re=random).fit(reml=True)
                found[name] = (time.process_time() - start, np.asarray(fit.fe_params))
    return found


def line(
    name: str, fit: MixedFit, seconds: float, refits: int, seed: int, other: tuple[float, np.ndarray] | None
) -> dict[str, object]:
    """One line of the table."""
    weights = np.zeros(len(fit.coefficients))
    weights[3] = 1.0
    start = time.process_time()
    bootstrap_refits(fit, weights, refits, seed)
    bootstrap = time.process_time() - start
    return {
        "model": name,
        "rows": fit.n,
        "milliseconds": 1e3 * seconds,
        "statsmodels_milliseconds": 1e3 * other[0] if other else np.nan,
        "times_faster": other[0] / seconds if other else np.nan,
        "largest_difference": float(np.abs(other[1] - fit.coefficients).max()) if other else np.nan,
        f"seconds_for_{refits}_refits": bootstrap,
    }


_TEXT = (
    f"{PEOPLE} people, {PEOPLE * TRIALS:,} trials, one thread, CPU time; time × group are the fixed effects. The "
    f"targets are {TARGET_FIT:g} ms for the first line and {TARGET_REFITS:g} s for 1,000 refits. `largest difference` "
    "is between the fixed effects; an empty cell has no equal in statsmodels without minutes of waiting (nested "
    "effects) or at all (variances by group)."
)


if __name__ == "__main__":
    main()
