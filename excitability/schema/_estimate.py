"""A value with its interval and its flags."""

from __future__ import annotations

import math
from typing import Any


class Estimate(float):
    """A number that knows how sure it is.

    Parameters
    ----------
    value : float
        The estimate, NaN when it cannot be known.
    ci_low, ci_high : float
        Limits of the 95 % interval.
    n : int
        Trials that entered the value.
    flag : str
        Why the value needs care, or why it is NaN.
    n_rejected : int
        Trials of the same condition that were rejected.

    Examples
    --------
    >>> ratio = Estimate(0.52, 0.41, 0.66, n=15)
    >>> ratio < 1, ratio.ci_high
    (True, 0.66)
    """

    ci_low: float
    ci_high: float
    n: int
    flag: str
    n_rejected: int

    def __new__(
        cls,
        value: float,
        ci_low: float = math.nan,
        ci_high: float = math.nan,
        n: int = 0,
        flag: str = "",
        n_rejected: int = 0,
    ) -> Estimate:
        self = super().__new__(cls, value)
        self.ci_low, self.ci_high = float(ci_low), float(ci_high)
        self.n, self.flag, self.n_rejected = int(n), flag, int(n_rejected)
        return self

    def __getnewargs__(self) -> tuple[Any, ...]:  # pickling, for the workers of a batch
        return float(self), self.ci_low, self.ci_high, self.n, self.flag, self.n_rejected

    def __repr__(self) -> str:
        flag = f", {self.flag}" if self.flag else ""
        return f"{float(self):.6g} [{self.ci_low:.6g}, {self.ci_high:.6g}] (n={self.n}{flag})"


def join_flags(*flags: str) -> str:
    """Join flags into one string, each once, in order.

    >>> join_flags("clipped", "", "few_trials;clipped")
    'clipped;few_trials'
    """
    words = [word for flag in flags for word in flag.split(";") if word]
    return ";".join(dict.fromkeys(words))
