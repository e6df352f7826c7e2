"""Coverage of the changes that ``compare`` finds in recruitment curves that were shrunken to the population.

Studies of two groups and two sessions are simulated with known changes; the share of 95 % intervals that hold them is
counted, with the width that ``compare`` gives them and without (as if the values were not shrunken).

    python benchmarks/shrunken_contrasts.py 60 OUTPUT.tsv
"""

import sys

import numpy as np
import pandas as pd

import excitability as ex
from excitability.measures import recruitment_curves_of_study
from excitability.measures.curves import boltzmann

TRUTH = {"s50": -2.0, "recruitment_threshold": -2.0, "mep_max": 0.0}
GROUPS = {"patient": 1.0, "control": 0.0, "patient - control": 1.0}


def simulated(seed, people, trials):
    """Trials of a study: in patients the curve moves by 2 %MSO from the first to the second session."""
    rng = np.random.default_rng(seed)
    rows = []
    for i in range(2 * people):
        group = "patient" if i < people else "control"
        place, width, top = rng.normal(55, 8), 3 * rng.lognormal(0, 0.3), 1.5e-3 * rng.lognormal(0, 0.6)
        for session in ("pre", "post0"):
            moved = TRUTH["s50"] * (session == "post0") * (group == "patient")
            s = rng.uniform(35, 90, trials).round()
            size = boltzmann(s, top * rng.lognormal(0, 0.2), place + rng.normal(0, 2) + moved, width)
            size = size * rng.lognormal(-0.08, 0.4, trials) + 2e-5 * rng.gamma(16, 1 / 16, trials)
            owner = {"participant": f"p{i:02d}", "session": session, "group": group, "channel": "FDI"}
            rows.append(pd.DataFrame({**owner, "intensity": s, "mep_amplitude": size}))
    return pd.concat(rows, ignore_index=True)


def contrasts(seed, people, trials):
    """Rows of the comparison of one study, with and without the correction."""
    table = simulated(seed, people, trials)
    curves = recruitment_curves_of_study(table).assign(protocol="derived/curves")
    curves = curves.merge(table[["participant", "group"]].drop_duplicates(), on="participant")
    for corrected in (True, False):
        rows = curves if corrected else curves.assign(form="")
        change = ex.compare(rows[rows["measure"].isin(TRUTH)], before="pre", after="post0", by="group")
        for row in change.to_dict("records"):
            truth = TRUTH[row["measure"]] * GROUPS[row["group"]]
            yield {
                "trials": trials, "people": people, "corrected": corrected, "measure": row["measure"],
                "group": row["group"], "error": row["estimate"] - truth,
                "covers": row["ci_low"] <= truth <= row["ci_high"], "width": row["ci_high"] - row["ci_low"],
            }  # fmt: skip


def main(studies, output):
    rows = [
        row for trials in (20, 48) for seed in range(5000, 5000 + studies) for row in contrasts(seed, 8, trials)
    ]  # fmt: skip
    keys = ["trials", "people", "corrected", "measure", "group"]
    found = pd.DataFrame(rows).groupby(keys, sort=False)
    table = found.agg(
        studies=("covers", "size"), coverage=("covers", "mean"), bias=("error", "mean"),
        spread=("error", "std"), median_width=("width", "median"),
    ).reset_index()  # fmt: skip
    table.round(4).to_csv(output, sep="\t", index=False)
    print(table.round(3).to_string(index=False))


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
