"""Evidence for a change against evidence for none: the default Bayes factor of a t test (Rouder et al. 2009)."""

from __future__ import annotations

import math


def jzs_bayes_factor(t: float, n: int, n_second: int | None = None, *, scale: float = math.sqrt(0.5)) -> float:
    """How many times likelier an observed t is with an effect than without one.

    The effect size has a Cauchy prior, the variance Jeffreys' (JZS). Above 1 the data speak for a change, below 1 for
    none; between 1/3 and 3 they say little.

    Parameters
    ----------
    t : float
        Observed t of a one-sample, paired or two-sample test with equal variances.
    n : int
        Participants, or those of the first group.
    n_second : int, optional
        Participants of the second group.
    scale : float
        Half of the prior effect sizes lie within ± this.

    Returns
    -------
    float
        Bayes factor of the alternative (BF10); NaN for a t that is not finite.

    Raises
    ------
    ValueError
        For a group of fewer than two, or a scale that is not positive.

    References
    ----------
    .. [1] Rouder JN et al. Psychon Bull Rev 2009;16:225-237. 10.3758/PBR.16.2.225

    Examples
    --------
    >>> round(jzs_bayes_factor(3.5, 20, 20), 2), round(jzs_bayes_factor(0.3, 12), 2)
    (26.74, 0.3)
    """
    if min(n, n_second or n) < 2:
        raise ValueError(f"a Bayes factor needs two or more participants a group, got {min(n, n_second or n)}")
    if not scale > 0:
        raise ValueError(f"scale is the width of the prior of effect sizes, above 0, not {scale}")
    if not math.isfinite(t):
        return math.nan
    effective = n if n_second is None else n * n_second / (n + n_second)
    df = n - 1 if n_second is None else n + n_second - 2
    from scipy import integrate

    null = -(df + 1) / 2 * math.log1p(t * t / df)

    def relative(log_g: float) -> float:
        # density of g, inverse gamma (1/2, scale²/2), times the likelihood ratio given g, in log g
        g = math.exp(log_g)
        spread = 1 + effective * g
        density = math.log(scale) - 0.5 * math.log(2 * math.pi) - 0.5 * log_g - scale**2 / (2 * g)
        return math.exp(density - 0.5 * math.log(spread) - (df + 1) / 2 * math.log1p(t * t / (spread * df)) - null)

    value, _ = integrate.quad(relative, -12.0, 40.0, limit=400, epsabs=0, epsrel=1e-9, points=[-4.0, 0.0, 4.0, 10.0])
    return float(value)


def in_words(factor: float) -> str:
    """What a Bayes factor says.

    >>> in_words(0.25), in_words(26.7)
    ('4.0 times likelier without a change', '27 times likelier with a change')
    """
    if not math.isfinite(factor) or factor <= 0:
        return "cannot be known"
    times = max(factor, 1 / factor)
    side = "with" if factor > 1 else "without"
    number = f"{times:.2g}" if times >= 10 else f"{times:.1f}"
    return f"{number if times < 1000 else 'more than 1000'} times likelier {side} a change"
