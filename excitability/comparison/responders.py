"""In whom: how many people changed by more than measurement error, and how many would if nothing had happened."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy import special

from ..labels import capital
from ..schema import Column, Estimate, join_flags
from .design import SERIES, read_design
from .detectable import Detectable, smallest_detectable_change
from .sentences import subject

#: Columns of :func:`responders`.
COLUMNS = {
    name: Column(name, unit, dtype, meaning)
    for name, unit, dtype, meaning in (
        ("protocol", "", "str", "protocol name"),
        ("measure", "", "str", "name of the measure"),
        ("channel", "", "str", "EMG channel, EEG region or electrode"),
        ("condition", "", "str", "condition of the protocol"),
        ("group", "", "str", "group, or 'all'"),
        ("contrast", "", "str", "what is compared, e.g. 'post0 - pre'"),
        ("n", "1", "int", "participants with both sessions"),
        ("smallest_detectable_change", "as in unit", "float", "change of one person that counts as a response"),
        ("unit", "", "str", "unit of smallest_detectable_change; 1 for a logarithm"),
        ("n_up", "1", "int", "people who rose by more; missing where that cannot be said"),
        ("n_down", "1", "int", "people who fell by more; missing where that cannot be said"),
        ("share", "1", "float", "share of people beyond it, in either direction"),
        ("ci_low", "1", "float", "lower limit of the 95 % interval of share (Wilson)"),
        ("ci_high", "1", "float", "upper limit of the 95 % interval of share"),
        ("expected_share", "1", "float", "share to expect if nothing had happened: 5 % and what its uncertainty adds"),
        ("p_value", "1", "float", "chance of as many or more if nothing had happened"),
        ("flag", "", "str", "where the smallest detectable change came from, and what must be known of it"),
        ("sentence", "", "str", "the result in plain words"),
    )
}
_CONVENTION = 1.96
_NORMAL = 1.959963984540054
_NODES = 400


def wilson_interval(successes: int, n: int) -> Estimate:
    """A share with Wilson's 95 % interval.

    Parameters
    ----------
    successes, n : int

    References
    ----------
    .. [1] Wilson EB. J Am Stat Assoc 1927;22:209-212. 10.1080/01621459.1927.10502953

    Examples
    --------
    >>> share = wilson_interval(0, 10)
    >>> round(share.ci_low, 3), round(share.ci_high, 3)
    (0.0, 0.278)
    """
    if n < 1:
        return Estimate(math.nan)
    share, square = successes / n, _NORMAL**2 / n
    middle = (share + square / 2) / (1 + square)
    half = math.sqrt(share * (1 - share) * square + square**2 / 4) / (1 + square)
    return Estimate(share, max(middle - half, 0.0), min(middle + half, 1.0), n=n)


def expected_share(df: float) -> float:
    """Share of people beyond their smallest detectable change when nothing happens.

    The limit is 1.96 standard deviations as estimated from ``df`` degrees of freedom: 5 % where they are many, more
    where they are few, since a limit that is too small is passed more often than one too large is missed.

    >>> round(expected_share(1e9), 3), round(expected_share(10), 3)
    (0.05, 0.078)
    """
    return float(2 * special.stdtr(df, -_CONVENTION))


def chance_of_as_many(responders: int, n: int, df: float) -> float:
    """Probability of so many responders or more among n when nothing happens.

    All n are judged by one limit, too small or too large for all of them: the binomial is averaged over the
    distribution of the limit, chi-square on ``df`` degrees of freedom.

    >>> round(chance_of_as_many(3, 10, 1e6), 4)
    0.0115
    """
    if responders <= 0:
        return 1.0
    middle = (np.arange(_NODES) + 0.5) / _NODES
    ratio = np.sqrt(special.chdtri(df, 1 - middle) / df)  # estimated over true standard deviation
    beyond = 2 * special.ndtr(-_CONVENTION * ratio)
    return float(np.mean(special.bdtrc(responders - 1, n, beyond)))


def responders(
    results: pd.DataFrame,
    before: str = "pre",
    after: str | Sequence[str] = "post0",
    within: str = "session",
    by: str | None = None,
) -> pd.DataFrame:
    """Count the people whose change is more than the smallest detectable change of one person.

    Parameters
    ----------
    results, before, after, within, by
        As in :func:`compare`.

    Returns
    -------
    DataFrame
        One row = measure × contrast × group, columns ``COLUMNS``.

    Notes
    -----
    The smallest detectable change is that of :func:`compare`, and ``flag`` says where it came from. What to expect
    without a change is known only where it came from people who were not treated (repeated baselines, or a control
    group for the others); from the same changes (``sdc_from_changes``, or the controls by themselves) about 5 % respond
    whatever happens, and from the scatter of trials alone it is too small. There ``expected_share`` is NaN. A person
    beyond it has changed, by whatever cause; one within it may have changed unseen.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> log = rng.normal(-0.7, 0.3, (24, 1)) + rng.normal(0, 0.1, (24, 3)) + [0, 0, 0.5]
    >>> results = pd.DataFrame({"participant": [f"{i:02d}" for i in range(24)] * 3,
    ...     "session": np.repeat(["pre", "pre2", "post0"], 24), "protocol": "m1/sici", "channel": "FDI",
    ...     "condition": "isi_0.002", "measure": "conditioned_ratio", "unit": "1", "form": "ratio",
    ...     "value": np.exp(log.T.ravel())})
    >>> found = responders(results)
    >>> bool(found["share"][0] > 0.5), round(float(found["expected_share"][0]), 3)
    (True, 0.062)
    """
    design = read_design(results, within, before, after, by, ())
    rows = []
    for number, info in enumerate(design.records):
        if design.shrunken[number]:
            continue  # their spread is not that of people
        for level, name in enumerate(design.after, start=1):
            detectable = smallest_detectable_change(design, number, level)
            change = design.values[number][:, level] - design.values[number][:, 0]
            for group, label in enumerate(design.group_names):
                own = change[design.groups == group]
                rows.append(
                    {
                        **{word: info[word] for word in SERIES},
                        "group": label,
                        "contrast": f"{name} - {design.before}",
                        "unit": "1" if info["scale"] == "log_ratio" else info["unit"],
                        **_counted(own[np.isfinite(own)], detectable, control=group == design.control),
                        "sentence": "",
                    }
                )
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    table["sentence"] = [_sentence(row) for row in table.to_dict("records")]
    return table.astype({"n": "int64", "n_up": "Int64", "n_down": "Int64"})


def _counted(change: np.ndarray, detectable: Detectable, *, control: bool) -> dict[str, object]:
    limit, n = detectable.one_person, len(change)
    usable = math.isfinite(limit) and not detectable.uncertain and n > 0
    up, down = int((change > limit).sum()), int((change < -limit).sum())
    share = wilson_interval(up + down, n) if usable else Estimate(math.nan)
    own = detectable.source == "sdc_from_changes" or (detectable.source == "sdc_from_controls" and control)
    known = usable and not own and math.isfinite(detectable.df) and not detectable.raised
    return {
        "n": n,
        "smallest_detectable_change": limit,
        "n_up": up if usable else None,
        "n_down": down if usable else None,
        "share": float(share),
        "ci_low": share.ci_low,
        "ci_high": share.ci_high,
        "expected_share": expected_share(detectable.df) if known else math.nan,
        "p_value": chance_of_as_many(up + down, n, detectable.df) if known else math.nan,
        "flag": join_flags(detectable.flag, "judged_by_own_spread" if own else ""),
    }


def _sentence(row: Mapping[Any, Any]) -> str:
    name = capital(subject(*(str(row[word]) for word in SERIES)).rstrip(","))
    whom = "" if row["group"] == "all" else f" in {row['group']}"
    share, n = float(row["share"]), int(row["n"])
    if not math.isfinite(share):
        return f"{name}: who responded cannot be said ({row['contrast']}{whom}; {n} with both sessions)."
    up, down = row["n_up"], row["n_down"]
    text = (
        f"{name}: {up} of {n}{whom} rose and {down} fell by more than measurement error ({row['contrast']}; "
        f"{100 * share:.0f} %, 95 % interval {100 * float(row['ci_low']):.0f} to {100 * float(row['ci_high']):.0f} %"
    )
    expected = float(row["expected_share"])
    if math.isfinite(expected):
        p = float(row["p_value"])
        text += (
            f"; {100 * expected:.0f} % would if nothing had happened, {'p < 0.001' if p < 0.001 else f'p = {p:.2g}'}"
        )
    return text + ")."
