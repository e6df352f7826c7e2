"""Independent components of eyes and of muscle set off by the pulse: labelled by rules, then removed.

The rules are those of TESA (Rogasch et al. 2017, doi:10.1016/j.neuroimage.2016.10.031); classifiers trained without
stimulation call the artefacts of the pulse "brain" or "other". Labelling changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import mne
import numpy as np

from ..labels import electrode as site
from ..schema import unknown_word
from ._instance import around_pulses, data_of, eeg_picks, one_thread, pulses_of_trials
from ._passing import unchanged
from ._registry import note, step
from .iclabel import ICLABEL, label_iclabel_components

LABELS = ("brain", "tms muscle", "eye blink", "eye movement", "muscle artifact", "channel noise")
_KNOWN = {"rules": LABELS, "iclabel": ICLABEL}
_METHODS = {"rules": ("rules",), "iclabel": ("iclabel",), "both": ("rules", "iclabel")}
_USUAL = ("tms muscle", "eye blink", "eye movement")
_SIDES = (("F7", "F8"), ("AF7", "AF8"), ("FT7", "FT8"))
_FRONT = (("Fp1", "Fp2"), ("AF7", "AF8"), ("AF3", "AF4"))
_NEAR_EYES = {"fp1", "fpz", "fp2", "af7", "af8", "af3", "af4", "afz", "f7", "f8", "ft7", "ft8", "f9", "f10"}


@step(references=["10.1016/j.neuroimage.2016.10.031"])
def remove_components(
    inst: Any,
    *,
    labels: Sequence[str] | None = None,
    method: str = "rules",
    n_components: int | None = 20,
    sampling_rate: float = 100.0,
    max_removed: float = 0.5,
    seed: int = 0,
) -> Any:
    """Remove independent components that the rules of :func:`label_tms_components`, or ICLabel, call artefact.

    Parameters
    ----------
    inst : mne.Epochs
        After the pulse was bridged.
    labels : sequence of str, optional
        Labels to remove; by default "tms muscle" (of the rules), "eye blink" and "eye movement".
    method : {"rules", "iclabel", "both"}
        Who labels: our rules, ICLabel (:func:`label_iclabel_components`), or both side by side: what either names goes.
    n_components : int or None
        Components estimated (None: as many as the rank). Eyes and muscle are large and come first.
    sampling_rate : float
        Rate at which the components are estimated, Hz; they are removed at the full rate.
    max_removed : float
        More than this share of the components is never removed.
    seed : int
        Seed of the decomposition.

    Returns
    -------
    cleaned : mne.Epochs
        A copy; EMG and other channels are untouched.

    Raises
    ------
    ValueError
        For an unknown label or method, when more than ``max_removed`` would go, or when ICLabel is not installed.

    Examples
    --------
    >>> names = ["Fp1", "Fp2", "F7", "F3", "Fz", "F4", "F8", "C3", "Cz", "C4", "P3", "P4"]
    >>> rng = np.random.default_rng(0)
    >>> x = rng.laplace(size=(20, 12, 300)) * 1e-6
    >>> blink = np.exp(-np.linspace(-4, 4, 150) ** 2) * 2e-4
    >>> x[3:18:3, :2, 100:250] += blink
    >>> epochs = mne.EpochsArray(x, mne.create_info(names, 250.0, "eeg"), tmin=-0.4, verbose=False)
    >>> bool(abs(remove_components(epochs, n_components=8).get_data()[:, :2]).max() < 1e-4)
    True
    """
    if method not in _METHODS:
        raise ValueError(unknown_word("method of remove_components", method, _METHODS))
    known = [*dict.fromkeys(label for name in _METHODS[method] for label in _KNOWN[name])]
    labels = [label for label in _USUAL if label in known] if labels is None else labels
    for label in labels:
        if label not in known:
            raise ValueError(unknown_word("component label", label, known))
    ica = decompose(inst, n_components, sampling_rate, seed)
    opinions = {name: _LABELLERS[name](inst, ica) for name in _METHODS[method]}
    named = {
        index: f"{label} ({sure:.2f}{', ICLabel' if name == 'iclabel' else ''})"
        for name, found in reversed(opinions.items())
        for index, (label, sure) in enumerate(zip(found["labels"], found["y_pred_proba"], strict=True))
        if label in labels
    }
    bad = sorted(named)
    if len(bad) > max_removed * ica.n_components_:
        raise ValueError(
            f"remove_components: {len(bad)} of {ica.n_components_} components are called artefact; "
            "clean the pulse and its decay first, or name fewer labels"
        )
    if bad:
        ica.apply(inst, exclude=bad, verbose="error")
    text = (
        f"{len(bad)} of {ica.n_components_} components: {', '.join(named[index] for index in bad)}"
        if bad
        else "nothing"
    )
    passes = partial(_without, picks=eeg_picks(inst), operator=_operator(ica, bad)) if bad else unchanged
    note(inst, text, labels=opinions, passes=passes)
    return inst


def _operator(ica: mne.preprocessing.ICA, bad: list[int]) -> np.ndarray:
    """Matrix (n_channels, n_channels) of removing components, as MNE does it: read off its answer to each channel."""
    n = len(ica.ch_names)
    each = mne.io.RawArray(np.eye(n, n + 1), mne.create_info(ica.ch_names, 1000.0, "eeg"), verbose="error")
    answer = ica.apply(each, exclude=bad, verbose="error").get_data()
    return answer[:, :n] - answer[:, n:]  # what is left of zero is the mean that MNE takes out and puts back


def _without(x: np.ndarray, pulses: tuple[float, ...], *, picks: np.ndarray, operator: np.ndarray) -> np.ndarray:
    x[picks] = operator @ x[picks]
    return x


def decompose(inst: Any, n_components: int | None, sampling_rate: float, seed: int) -> mne.preprocessing.ICA:
    """Independent components (extended Picard) of the good EEG channels, at a reduced rate, trials centred."""
    try:
        import picard  # noqa: F401  (MNE imports it late, with an error that does not say how to get it)
    except ImportError as error:
        raise ValueError("remove_components needs python-picard; type: pip install excitability[eeg]") from error
    picks = eeg_picks(inst)
    factor = max(1, int(inst.info["sfreq"] // sampling_rate))
    thinned = mne.EpochsArray(
        _thinned(data_of(inst)[:, picks], factor),
        mne.create_info([inst.ch_names[pick] for pick in picks], inst.info["sfreq"] / factor, "eeg"),
        baseline=None,
        verbose="error",
    )
    with thinned.info._unlock():
        thinned.info["highpass"] = 1.0  # each trial is centred; what is slower than it is gone
    rank = int(np.linalg.matrix_rank(np.cov(np.concatenate(list(thinned.get_data(copy=False)), axis=1)), tol=1e-18))
    n_components = min(n_components or rank, rank)
    ica = mne.preprocessing.ICA(
        n_components=n_components,
        method="picard",
        # this tolerance takes a fifth of the time of the default and separates eyes and muscle as well
        fit_params={"extended": True, "ortho": False, "tol": 1e-3},
        random_state=seed,
        max_iter=200,
        verbose="error",
    )
    with one_thread():
        ica.fit(thinned, verbose="error")
    return ica


def _thinned(data: np.ndarray, factor: int) -> np.ndarray:
    """Means of ``factor`` samples, each trial around its own mean."""
    n_times = data.shape[-1] // factor * factor
    thinned = data[..., :n_times].reshape(*data.shape[:-1], -1, factor).mean(axis=-1)
    return thinned - thinned.mean(axis=-1, keepdims=True)


def label_tms_components(
    inst: Any,
    ica: mne.preprocessing.ICA,
    *,
    muscle_ratio: float = 8.0,
    blink: float = 1.8,
    movement: float = 2.0,
    slope: float = -0.31,
    electrode: float = 4.0,
    alone: float = 1.7,
    muscle_window: tuple[float, float] = (0.011, 0.030),
    least_muscle: float = 15e-6,
    least_eye: float = 40e-6,
    least_movement: float = 20e-6,
) -> dict[str, Any]:
    """Label the components of a TMS-EEG recording by rule; the first that holds decides.

    Parameters
    ----------
    inst : mne.Epochs
        What the components are components of.
    ica : mne.preprocessing.ICA
    muscle_ratio : float
        "tms muscle": mean size of the average in ``muscle_window`` over that of the whole trial.
    blink : float
        "eye blink": mean z value of the topography at Fp1 and Fp2, both with the same sign, the course being mostly
        still (kurtosis above 4) and the strongest channel near the eyes. TESA's 2.5, which looks at the topography
        alone, misses blinks that spread.
    movement : float
        "eye movement": z values at F7 and F8 beyond this, with opposite signs, and both poles near the eyes.
    slope : float
        "muscle artifact": slope of log power on log frequency, 7 to 70 Hz, above this.
    electrode, alone : float
        "channel noise": one channel with a z value beyond the first, and this many times as strong as the next.
    muscle_window : tuple of float
        Seconds after the pulse.
    least_muscle, least_eye, least_movement : float
        What a component must add at its strongest channel, V, to be "tms muscle" (mean size of the average in
        ``muscle_window``) or of the eyes (largest value but for one sample in a thousand; ``least_movement`` is
        enough for a movement whose course is mostly still). Below this an early
        cortical response looks the same, and losing it costs more than the artefact.

    Returns
    -------
    dict
        ``labels`` (list of str) and ``y_pred_proba`` (ndarray, shape (n_components,)), as of
        ``mne_icalabel.label_components``. The numbers say how far the deciding rule was passed: 0.5 at the
        threshold, towards 1 beyond it; for "brain", how far the nearest rule is.

    Notes
    -----
    Thresholds on z values are those for 62 channels; with fewer they are lowered as the largest possible value is.

    References
    ----------
    doi:10.1016/j.neuroimage.2016.10.031

    Examples
    --------
    >>> names = ["Fp1", "Fp2", "F7", "F3", "Fz", "F4", "F8", "C3", "Cz", "C4", "P3", "P4"]
    >>> x = np.random.default_rng(0).laplace(size=(8, 12, 300)) * 1e-6
    >>> epochs = mne.EpochsArray(x, mne.create_info(names, 250.0, "eeg"), tmin=-0.4, verbose=False)
    >>> labels = label_tms_components(epochs, decompose(epochs, 4, 250.0, 0))
    >>> len(labels["labels"]), labels["y_pred_proba"].shape
    (4, (4,))
    """
    sources = _sources(inst, ica)
    maps = ica.get_components()
    z = (maps - maps.mean(axis=0)) / maps.std(axis=0)
    place = {site(name): row for row, name in enumerate(ica.ch_names)}
    # two channels of n cannot have a mean z value above the root of (n - 2) / 2: the thresholds, made for 62, follow it
    few = np.sqrt(min(max(len(maps) - 2, 1), 60) / 60)
    sparse = np.mean(sources**4, axis=(0, 2)) / np.mean(sources**2, axis=(0, 2)) ** 2 > 4  # blinks are rare and large
    strongest = np.abs(maps * ica.pre_whitener_).max(axis=0)  # V for each unit of the course
    largest = strongest * np.quantile(np.abs(sources), 0.999, axis=(0, 2))
    large = largest >= least_eye
    moves = large | (sparse & (largest >= least_movement))
    ordered = np.sort(np.abs(maps), axis=0)
    ratio, size = _muscle(inst, sources, muscle_window)
    rules = {
        "tms muscle": ratio / muscle_ratio * (strongest * size >= least_muscle),
        "eye blink": _front(z, place) / (blink * few) * sparse * large,
        "eye movement": _sides(z, place) / (movement * few) * moves,
        "muscle artifact": _slope(sources, inst.info["sfreq"], slope),
        "channel noise": np.abs(z).max(axis=0) / (electrode * few) * (ordered[-1] >= alone * ordered[-2]),
    }
    labels, certainty = [], np.empty(ica.n_components_)
    for index in range(ica.n_components_):
        passed = [label for label, values in rules.items() if values[index] >= 1]
        label = passed[0] if passed else "brain"
        labels.append(label)
        nearest = rules[label][index] if passed else max(values[index] for values in rules.values())
        certainty[index] = nearest / (1 + nearest) if passed else 1 / (1 + max(nearest, 0))
    return {"y_pred_proba": certainty, "labels": labels}


def _sources(inst: Any, ica: mne.preprocessing.ICA) -> np.ndarray:
    """Courses (n_trials, n_components, n_times), each trial around its own mean."""
    picks = [inst.ch_names.index(name) for name in ica.ch_names]
    unmixing = ica.unmixing_matrix_ @ ica.pca_components_[: ica.n_components_] / ica.pre_whitener_.ravel()
    data = data_of(inst)
    courses = np.stack([unmixing @ trial[picks] for trial in data])
    return courses - courses.mean(axis=-1, keepdims=True)


def _muscle(inst: Any, sources: np.ndarray, window: tuple[float, float]) -> tuple[np.ndarray, np.ndarray]:
    """Mean size of the average early after the pulse: over that of the whole trial, and itself."""
    early = around_pulses(inst.times, (0.0,), window)
    if not early.any() or not any(pulses for pulses, _ in pulses_of_trials(inst)):
        return np.zeros(sources.shape[1]), np.zeros(sources.shape[1])
    average = np.abs(sources.mean(axis=0))
    size = average[:, early].mean(axis=1)
    return size / average.mean(axis=1), size


def _front(z: np.ndarray, place: dict[str, int]) -> np.ndarray:
    """Mean z value at the foremost pair of electrodes there is; 0 unless the strongest channel is near the eyes."""
    near = _near_eyes(np.abs(z).argmax(axis=0), place)
    for left, right in _FRONT:
        if left.lower() in place and right.lower() in place:
            a, b = z[place[left.lower()]], z[place[right.lower()]]
            return near * np.where(a * b > 0, np.abs(a + b) / 2, 0.0)
    return np.zeros(z.shape[1])


def _sides(z: np.ndarray, place: dict[str, int]) -> np.ndarray:
    """The smaller of the z values at both temples; 0 unless they have opposite signs and the poles lie there."""
    near = _near_eyes(z.argmax(axis=0), place) * _near_eyes(z.argmin(axis=0), place)
    for left, right in _SIDES:
        if left.lower() in place and right.lower() in place:
            a, b = z[place[left.lower()]], z[place[right.lower()]]
            return near * np.where(a * b < 0, np.minimum(np.abs(a), np.abs(b)), 0.0)
    return np.zeros(z.shape[1])


def _near_eyes(rows: np.ndarray, place: dict[str, int]) -> np.ndarray:
    names = {row: name for name, row in place.items()}
    return np.array([names[int(row)] in _NEAR_EYES for row in rows], dtype=float)


def _slope(sources: np.ndarray, rate: float, threshold: float) -> np.ndarray:
    """1 at the threshold and above it for a flatter spectrum (7 to 70 Hz); brain activity falls steeply."""
    window = np.hanning(sources.shape[-1])
    power = np.mean(np.abs(np.fft.rfft(sources * window, axis=-1)) ** 2, axis=0)
    frequencies = np.fft.rfftfreq(sources.shape[-1], 1 / rate)
    band = (frequencies >= 7) & (frequencies <= min(70, 0.4 * rate))
    if band.sum() < 3:
        return np.zeros(sources.shape[1])
    x = np.log(frequencies[band])
    slopes = np.polyfit(x, np.log(power[:, band]).T, 1)[0]
    return 1 + (slopes - threshold)


_LABELLERS: dict[str, Callable[[Any, mne.preprocessing.ICA], dict[str, Any]]] = {
    "rules": label_tms_components,
    "iclabel": label_iclabel_components,
}
