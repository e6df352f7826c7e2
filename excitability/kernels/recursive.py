"""A recursive filter run forth and back over many channels at once: samples wait for each other, channels do not."""

from __future__ import annotations

import numpy as np

from ._jit import njit


@njit
def filter_both_ways(x, sections):
    """Filter ``x`` in place, forwards and then backwards, each time as if its first sample had lasted for ever.

    Parameters
    ----------
    x : array, shape (n_times, n_channels)
    sections : array, shape (n_sections, 6)
        Second-order sections, as ``scipy.signal.butter(..., output="sos")`` gives them.
    """
    n_times, n_channels = x.shape
    n_sections = len(sections)
    first, second = np.empty((n_sections, n_channels)), np.empty((n_sections, n_channels))
    for way in range(2):
        start = x[0] if way == 0 else x[n_times - 1]
        level = 1.0  # of what each section is given, and has settled to, for an input of one
        for s in range(n_sections):
            b0, b1, b2 = sections[s, 0], sections[s, 1], sections[s, 2]
            a1, a2 = sections[s, 4], sections[s, 5]
            gain = (b0 + b1 + b2) / (1.0 + a1 + a2)
            for c in range(n_channels):
                second[s, c] = (b2 - a2 * gain) * level * start[c]
                first[s, c] = (b1 - a1 * gain + b2 - a2 * gain) * level * start[c]
            level *= gain
        for t in range(n_times):
            row = x[t] if way == 0 else x[n_times - 1 - t]
            for s in range(n_sections):
                b0, b1, b2 = sections[s, 0], sections[s, 1], sections[s, 2]
                a1, a2 = sections[s, 4], sections[s, 5]
                one, two = first[s], second[s]
                for c in range(n_channels):
                    before = row[c]
                    after = b0 * before + one[c]
                    one[c] = b1 * before - a1 * after + two[c]
                    two[c] = b2 * before - a2 * after
                    row[c] = after
