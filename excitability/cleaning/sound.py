"""SOUND: the source-estimate-utilising noise-discarding algorithm.

Mutanen, Metsomaa, Liljander & Ilmoniemi 2018, doi:10.1016/j.neuroimage.2017.10.021. What one channel shows and the
others, through the head, cannot explain is its noise; sources are then estimated with each channel trusted by its
noise. Noise levels come from mne-denoise, which agrees with TESA's own output; the last step is here because it must
also give bad channels back from the sources, which mne-denoise does not.

Two things are added, both off by default. What a decay leaves behind makes a channel noisy soon after the pulse only:
noise may be told apart for that time. And the regularisation may be chosen from the data, by Stein's estimate of the
error of the average (1981, doi:10.1214/aos/1176345632) with the background as averages of alternating sign show it.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import mne
import numpy as np

from ._instance import around_pulses, check_window, data_of, eeg_picks, pulses_of_trials
from ._leadfield import leadfield_of
from ._registry import data_rank, note, step

_DOI = "10.1016/j.neuroimage.2017.10.021"
_STEIN = "10.1214/aos/1176345632"
# below the first, responses came through whole in every simulation and nothing more was gained
_LAMBDAS = (0.001, 0.003, 0.01, 0.03, 0.1)
_RESPONSE = (0.012, 0.3)
_TOLERANCE = 0.01
_EDGE = 0.006
_FEWEST = 20  # samples that tell a level


@step(references=[_DOI, _STEIN])
def sound(
    inst: Any,
    *,
    leadfield: np.ndarray | mne.Forward | str | None = None,
    lambda_: float | str = "auto",
    n_iter: int = 5,
    early: tuple[float, float] | None = None,
    replace_bads: bool = True,
) -> Any:
    """Suppress noise that single channels have for themselves, and give bad channels back.

    Parameters
    ----------
    inst : mne.Epochs
    leadfield : ndarray (n_channels, n_sources), mne.Forward, str or None
        Rows in the order of the EEG channels (bad ones included); the file of a forward solution;
        ``"fsaverage"`` for the template head of MNE; None builds a spherical head on the montage.
    lambda_ : float or "auto"
        Regularisation. TESA's is 0.1; it shrinks responses (see the gain in the log), 0.01 does so less.
        "auto" takes the smallest of 0.001 to 0.1 whose expected error of the average, 12 to 300 ms after the pulse,
        is within a hundredth of the least: noise is worth removing only where the response does not pay for it.
    n_iter : int
        Rounds of noise estimation.
    early : tuple of float, optional
        Seconds after each pulse that get noise levels of their own, e.g. (0.010, 0.080): what was left of a decay
        is noise there and not later; the level and slope that a channel has outside the response, which are no
        noise of its own, are then taken off each trial. By default the whole trial has one noise level.
    replace_bads : bool
        Whether channels in ``info["bads"]``, which never take part, are rebuilt from the sources and freed.

    Returns
    -------
    cleaned : mne.Epochs
        A copy in average reference. The log gives the noise found, the regularisation and the gain: the factor by
        which the topography of a source comes through, median and lowest tenth over all sources of the lead field,
        in the part of the trial where it is smaller.

    Raises
    ------
    ValueError
        Without positions or lead field, with fewer than four good channels or data of a rank below half of them, when
        mne-denoise is not installed, for "auto" with fewer than four trials, or for an early window with too few
        samples.

    References
    ----------
    doi:10.1016/j.neuroimage.2017.10.021, doi:10.1214/aos/1176345632

    Examples
    --------
    >>> info = mne.create_info(mne.channels.make_standard_montage("biosemi32").ch_names, 500.0, "eeg")
    >>> info = info.set_montage("biosemi32")
    >>> x = np.random.default_rng(0).standard_normal((4, 32, 100)) * 1e-6
    >>> x[:, 5] *= 30  # one noisy electrode
    >>> epochs = mne.EpochsArray(x, info, tmin=-0.1, verbose=False)
    >>> bool(sound(epochs).get_data()[:, 5].std() < 5e-6)
    True
    """
    if isinstance(lambda_, str):
        if lambda_ != "auto":
            raise ValueError(f"lambda_ of sound must be a number or 'auto', not {lambda_!r}")
    elif lambda_ < 0:
        raise ValueError(f"lambda_ of sound must not be negative, not {lambda_}")
    if n_iter < 1:
        raise ValueError(f"n_iter of sound must be 1 or more, not {n_iter}")
    everyone, good = eeg_picks(inst, bads=True), eeg_picks(inst)
    if len(good) < 4:
        raise ValueError(f"sound needs at least 4 good EEG channels, not {len(good)}")
    rank = data_rank(inst)
    if rank < len(good) / 2:
        raise ValueError(
            f"sound: the data of {len(good)} channels have rank {rank}; noise of single channels is told apart from "
            f"rank {-(-len(good) // 2)} on: run sound before the steps that project components out"
        )
    gain = leadfield_of(inst, everyone, leadfield)
    kept = np.flatnonzero(np.isin(everyone, good))
    share = _early_share(inst, early)
    trend = None if share is None else _Trend(inst)
    if trend is not None:
        for trial in data_of(inst):  # two operators would make a step of a level that they let through differently
            trial[everyone] = trend.taken_from(trial[everyone])
    average = data_of(inst).mean(axis=0)[good]
    chosen = _choose(inst, good, average, gain, kept, n_iter) if isinstance(lambda_, str) else float(lambda_)
    parts = [average] if share is None else [average[:, share <= 0.5], average[:, share > 0.5]]
    found = [sound_operator(part, gain, kept, chosen, n_iter) for part in parts]
    bads = [name for name in inst.info["bads"] if name in {inst.ch_names[pick] for pick in everyone}]
    out = everyone if replace_bads else good
    rows = np.arange(len(everyone)) if replace_bads else kept
    for trial in data_of(inst):
        x = trial[good]
        trial[out] = found[0][0][rows] @ x
        if share is not None:
            trial[out] = (1 - share) * trial[out] + share * (found[1][0][rows] @ x)
    if replace_bads:
        inst.info["bads"] = [name for name in inst.info["bads"] if name not in bads]
    mne.set_eeg_reference(inst, ref_channels=[], copy=False, verbose="error")  # marks the reference as custom
    operators = [operator[rows] for operator, _ in found]
    passes = partial(_rebuilt, good=good, out=out, operators=operators, share=share, trend=trend)
    _report(inst, found, gain, kept, chosen, bads if replace_bads else [], passes)
    return inst


def _rebuilt(
    x: np.ndarray,
    pulses: tuple[float, ...],
    *,
    good: np.ndarray,
    out: np.ndarray,
    operators: list[np.ndarray],
    share: np.ndarray | None,
    trend: _Trend | None,
) -> np.ndarray:
    seen = x[good] if trend is None else trend.taken_from(x[good])
    parts = [operator @ seen for operator in operators]
    x[out] = parts[0] if share is None else (1 - share) * parts[0] + share * parts[1]
    return x


def _report(
    inst: Any,
    found: list[tuple[np.ndarray, np.ndarray]],
    leadfield: np.ndarray,
    kept: np.ndarray,
    lambda_: float,
    rebuilt: list[str],
    passes: Any,
) -> None:
    quantiles = [np.quantile(source_gain(operator, leadfield, kept), [0.1, 0.5]) for operator, _ in found]
    low, middle = min(quantiles, key=lambda pair: pair[1])
    noise = np.stack([levels for _, levels in found])
    text = f"noise of {1e6 * noise.min():.2g} to {1e6 * noise.max():.2g} µV; lambda_ {lambda_:g}"
    text += f", gain {middle:.2f}, lowest tenth {low:.2f}"
    if middle < 0.8:
        text += " (below 0.8: responses come out too small, choose a smaller lambda_)"
    if rebuilt:
        text += f"; rebuilt {', '.join(rebuilt)}"
    values = {"operator": found[0][0], "noise": found[0][1], "gain": float(middle), "lambda_": lambda_}
    if len(found) > 1:
        values |= {"early_operator": found[1][0], "early_noise": found[1][1]}
    note(inst, text, **values, replaced=rebuilt, passes=passes)


class _Trend:
    """Level and slope of each channel of a trial outside the response: of drifts and offsets, not of the brain."""

    def __init__(self, inst: Any) -> None:
        pulses = tuple({pulse for pulses, _ in pulses_of_trials(inst) for pulse in pulses}) or (0.0,)
        times = inst.times
        self.outside = (times < min(pulses) - 0.02) | (times > max(pulses) + _RESPONSE[1])
        self.line = np.column_stack([np.ones_like(times), times])
        if times[-1] < max(pulses) + _RESPONSE[1] + 0.05:
            self.line = self.line[:, :1]  # a slope cannot be told from before the pulse alone
        if self.outside.sum() < _FEWEST:
            self.outside = np.ones(times.size, dtype=bool)
        self.fit = np.linalg.pinv(self.line[self.outside])

    def taken_from(self, x: np.ndarray) -> np.ndarray:
        """``x (n_channels, n_times)`` without it."""
        return x - (x[:, self.outside] @ self.fit.T) @ self.line.T


def _early_share(inst: Any, early: tuple[float, float] | None) -> np.ndarray | None:
    """How much of each sample belongs to the early part: 1 within it, 0 outside, with smooth edges."""
    if early is None:
        return None
    early = check_window(early, "early of sound")
    share = np.zeros(inst.times.size)
    for pulse in {pulse for pulses, _ in pulses_of_trials(inst) for pulse in pulses}:
        since = inst.times - pulse
        falling = 1 / (1 + np.exp(np.clip((since - early[1]) / _EDGE, -50, 50)))
        share = np.maximum(share, np.where(since >= early[0] - 1e-9, falling, 0.0))  # before it lies the bridged pulse
    if min(np.sum(share > 0.5), np.sum(share <= 0.5)) < _FEWEST:
        raise ValueError(
            f"sound: early = {early} leaves {np.sum(share > 0.5)} early and {np.sum(share <= 0.5)} other samples of "
            f"the trial at {inst.info['sfreq']:g} Hz; {_FEWEST} of each are needed: leave early out"
        )
    return share


def _choose(
    inst: Any, good: np.ndarray, average: np.ndarray, leadfield: np.ndarray, kept: np.ndarray, n_iter: int
) -> float:
    """Regularisation with the least expected error, by Stein's estimate."""
    data = data_of(inst)
    if len(data) < 4:
        raise ValueError(f"sound: lambda_ = 'auto' needs at least 4 trials, not {len(data)}; give a number")
    pulses = tuple({pulse for pulses, _ in pulses_of_trials(inst) for pulse in pulses}) or (0.0,)
    seen = around_pulses(inst.times, pulses, _RESPONSE)
    response = average[:, seen] - average[:, seen].mean(axis=0)
    trials = data[:, good][:, :, seen]
    rng = np.random.default_rng(0)
    noises = []
    for _ in range(10):
        sign = np.ones(len(data))
        sign[rng.permutation(len(data))[: len(data) // 2]] = -1
        noise = np.tensordot(sign, trials, 1) / len(data)
        noises.append(noise - noise.mean(axis=0))
    expected = []
    for value in _LAMBDAS:
        operator = sound_operator(average, leadfield, kept, value, n_iter)[0][kept]
        operator = operator - operator.mean(axis=0)
        bias = np.sum((operator @ response - response) ** 2)
        expected.append(bias + 2 * np.mean([np.sum(noise * (operator @ noise)) for noise in noises]))
    return next(
        value
        for value, error in zip(_LAMBDAS, expected, strict=True)
        if error <= min(expected) + _TOLERANCE * abs(min(expected))
    )


def sound_operator(
    average: np.ndarray, leadfield: np.ndarray, kept: np.ndarray, lambda_: float, n_iter: int
) -> tuple[np.ndarray, np.ndarray]:
    """Matrix from the good channels to all, average-referenced, and the noise of each good channel (V).

    Parameters
    ----------
    average : ndarray, shape (n_good, n_times)
    leadfield : ndarray, shape (n_channels, n_sources)
        All channels, average-referenced.
    kept : ndarray of int
        Rows of ``leadfield`` that are good.
    """
    try:
        from mne_denoise.sound import compute_sound_ref_best
    except ImportError as error:
        raise ValueError("sound needs mne-denoise; type: pip install excitability[eeg]") from error
    # volts are near the smallest numbers that a noise level is divided by: microvolts keep it well scaled
    _, noise, _, best = compute_sound_ref_best(
        1e6 * average, leadfield[kept], lambda_=lambda_, n_iter=n_iter, random_state=0, verbose="error"
    )
    n = len(kept)
    others = np.delete(np.arange(n), best)
    referenced = leadfield[kept][others] - leadfield[kept][best]
    weighted = referenced / noise[:, None]
    gram = weighted @ weighted.T
    gram[np.diag_indices_from(gram)] += lambda_ * np.trace(gram) / (n - 1)
    reference = np.eye(n)[others] - np.eye(n)[best]
    operator = (leadfield - leadfield.mean(axis=0)) @ weighted.T @ np.linalg.solve(gram, reference / noise[:, None])
    levels = np.insert(noise, best, noise.min())
    return operator, 1e-6 * levels


def source_gain(operator: np.ndarray, leadfield: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """Share of each source's topography that comes through an operator: 1 is untouched, 0 is lost."""
    passed = operator @ leadfield[kept]
    return np.sum(passed * leadfield, axis=0) / np.sum(leadfield**2, axis=0)
