"""Which independent components are artefacts? Our rules and ICLabel on the same components of known mixtures.

``python benchmarks/tep_component_labels.py`` needs a network for ICLabel (``pip install mne-icalabel onnxruntime``);
``--no-peers`` does without. Every source of a recording is known: a component belongs to the class that gives it more
than half of its power. The rules were last changed on recordings 0 to 9; the table is of others.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import mne
import numpy as np
import pandas as pd
from _common import RESULTS, one_thread, provenance, write

from excitability.cleaning import label_tms_components
from excitability.cleaning._leadfield import leadfield_of
from excitability.cleaning.components import decompose
from excitability.cleaning.iclabel import label_iclabel_components

RATE = 1000.0
TIMES = np.arange(-600, 600) / RATE
CLASSES = ("brain", "response", "blink", "eye movement", "tms muscle", "decay", "channel noise", "line noise")
RIGHT = {
    "blink": {"eye blink"},
    "eye movement": {"eye movement", "eye blink"},  # ICLabel has one word for both
    "tms muscle": {"tms muscle", "muscle artifact"},
    "channel noise": {"channel noise"},
    "line noise": {"line noise"},
    "brain": {"brain", "other"},
    "response": {"brain", "other"},
}
KEPT = {"brain", "other"}
REMOVED = {"rules": {"tms muscle", "eye blink", "eye movement"}, "ICLabel": {"eye blink", "muscle artifact"}}


def main() -> None:
    """Simulate, decompose, label, count."""
    arguments = _arguments()
    one_thread()
    rows: list[dict] = []
    for seed in range(arguments.seed, arguments.seed + arguments.recordings):
        rows += recording(seed, not arguments.no_peers)
        print(f"recording {seed}", flush=True)
    table = summary(pd.DataFrame(rows))
    text = """Components of which more than half of the power comes from one class (*mixed*: no class has half). *called
artefact*: any label but "brain" and "other"; *removed*: labels that `remove_components` takes out by default, with
ICLabel those of eyes and muscle. Of brain and response both are false. *right name*: the label of that class (ICLabel
says "eye blink" for all of the eyes; what a decay should be called is open, and our rules have no mains)."""
    head = {**provenance(arguments.seed), "recordings": str(arguments.recordings)}
    title = "Labels of independent components"
    for path in write("tep_component_labels", title, head, table, [("By class", text, table)], arguments.output):
        print(path)


def recording(seed: int, with_peer: bool) -> list[dict]:
    """One row a component: its class, its share of that class, and what each labeller calls it."""
    rng = np.random.default_rng([seed, 11])
    parts, info = sources(rng)
    epochs = mne.EpochsArray(sum(parts.values()), info, tmin=TIMES[0], verbose="error")
    ica = decompose(epochs, 20, 100.0, 0)
    unmixing = ica.unmixing_matrix_ @ ica.pca_components_[: ica.n_components_] / ica.pre_whitener_.ravel()
    power = {}
    for name, x in parts.items():
        courses = np.einsum("kc,tcn->tkn", unmixing, x)
        courses -= courses.mean(axis=2, keepdims=True)
        power[name] = (courses**2).mean(axis=(0, 2))
    whole = np.array([power[name] for name in CLASSES])
    share = whole / whole.sum(axis=0)
    labels = {"rules": label_tms_components(epochs, ica)["labels"]}
    if with_peer:
        labels["ICLabel"] = label_iclabel_components(epochs, ica)["labels"]
    rows = []
    for index in range(ica.n_components_):
        best = int(np.argmax(share[:, index]))
        kind = CLASSES[best] if share[best, index] > 0.5 else "mixed"
        row = {"seed": seed, "class": kind, "share": share[best, index]}
        rows.append({**row, **{name: found[index] for name, found in labels.items()}})
    return rows


def summary(rows: pd.DataFrame) -> pd.DataFrame:
    """Shares by class and labeller."""
    out = []
    for kind in (*CLASSES, "mixed"):
        these = rows[rows["class"] == kind]
        row: dict = {"class": kind, "components": len(these)}
        for name in ("rules", "ICLabel"):
            if name in rows and len(these):
                row[f"called artefact, {name}"] = float((~these[name].isin(KEPT)).mean())
                row[f"removed, {name}"] = float(these[name].isin(REMOVED[name]).mean())
                row[f"right name, {name}"] = float(these[name].isin(RIGHT[kind]).mean()) if kind in RIGHT else np.nan
        out.append(row)
    return pd.DataFrame(out)


def sources(rng: np.random.Generator, n_trials: int = 60) -> tuple[dict[str, np.ndarray], mne.Info]:
    """Every class of activity by itself (n_trials, n_channels, n_times), V, after the pulse was bridged."""
    names = [name for name in mne.channels.make_standard_montage("biosemi64").ch_names if name != "Iz"]
    info = mne.create_info(names, RATE, "eeg").set_montage("biosemi64")
    places = np.array([channel["loc"][:3] for channel in info["chs"]])
    blank = mne.EpochsArray(np.zeros((1, len(names), TIMES.size)), info, tmin=TIMES[0], verbose="error")
    fields = leadfield_of(blank, np.arange(len(names)), None)
    fields = fields / np.abs(fields).max(axis=0)
    shape = (n_trials, TIMES.size)

    def near(electrode: str, width: float) -> np.ndarray:
        away = np.linalg.norm(places - places[names.index(electrode)], axis=1)
        return np.exp(-0.5 * (away / width) ** 2)

    def spread(field: np.ndarray, courses: np.ndarray) -> np.ndarray:
        return (field - field.mean())[:, None] * courses[:, None, :]

    parts = {"brain": np.zeros((n_trials, len(names), TIMES.size))}
    for k, source in enumerate(rng.choice(fields.shape[1], 14, replace=False)):
        parts["brain"] += spread(fields[:, source], rng.uniform(4e-6, 9e-6) * _ongoing(shape, rng, alpha=k < 3))
    parts["brain"] += 0.4e-6 * rng.standard_normal(parts["brain"].shape)
    parts["response"] = np.zeros_like(parts["brain"])
    for electrode, at, width, size in (
        ("F3", 0.025, 4e-3, 4e-6),
        ("FC1", 0.11, 2e-2, -9e-6),
        ("FCz", 0.19, 3e-2, 7e-6),
    ):
        field = fields[:, np.argmax(fields[names.index(electrode)])]
        wave = size * np.exp(-0.5 * ((TIMES - at) / width) ** 2) * (TIMES > 0)
        parts["response"] += spread(field, rng.normal(1, 0.2, (n_trials, 1)) * wave)
    lids = rng.uniform(0.035, 0.075)  # from blinks of the foremost electrodes only to broad ones
    blink = near("Fp1", lids) + rng.uniform(0.8, 1.2) * near("Fp2", lids)
    parts["blink"] = spread(blink / blink.max(), rng.uniform(70e-6, 180e-6) * _blinks(shape, rng))
    gaze = near("F7", 0.045) - near("F8", 0.045)
    parts["eye movement"] = spread(gaze / gaze.max(), rng.uniform(25e-6, 70e-6) * _saccades(shape, rng))
    after = np.maximum(TIMES, 0)
    gone = np.where(TIMES < 0.010, np.clip(TIMES / 0.010, 0, 1), 1.0)  # what a bridge leaves of it
    phases = np.sin(2 * np.pi * rng.uniform(30, 60) * after + rng.uniform(0, 6)) * np.exp(-after / 0.010) * gone
    twitches = rng.uniform(60e-6, 300e-6) * np.exp(0.3 * rng.standard_normal((n_trials, 1))) * phases
    parts["tms muscle"] = spread(near(str(rng.choice(["F7", "FT7", "AF7"])), rng.uniform(0.02, 0.04)), twitches)
    charge = near("F3", 0.04) * rng.uniform(0.2, 1, len(names)) * rng.choice([-1, 1], len(names))
    falls = np.exp(-after / rng.uniform(0.008, 0.03)) * gone * rng.normal(1, 0.1, (n_trials, 1))
    parts["decay"] = spread(charge, rng.uniform(30e-6, 80e-6) * falls)
    alone = np.zeros(len(names))
    alone[rng.integers(len(names))] = 1.0
    parts["channel noise"] = spread(alone, rng.uniform(15e-6, 30e-6) * rng.standard_normal(shape))
    turns = 2 * np.pi * (48.0 * TIMES + rng.uniform(0, 1, (n_trials, 1)))  # 50 Hz would fold onto zero at 100 Hz
    parts["line noise"] = spread(rng.uniform(-1, 1, len(names)), rng.uniform(3e-6, 8e-6) * np.sin(turns))
    return parts, info


def _ongoing(shape: tuple[int, int], rng: np.random.Generator, alpha: bool) -> np.ndarray:
    frequencies = np.fft.rfftfreq(2 * shape[1], 1 / RATE)
    size = np.maximum(frequencies, 1.0) ** -rng.uniform(0.5, 0.8)
    if alpha:
        size = size + 1.5 * np.exp(-0.5 * ((frequencies - rng.uniform(9, 11)) / 0.8) ** 2)
    phase = np.exp(2j * np.pi * rng.uniform(size=(shape[0], frequencies.size)))
    strength = np.abs(rng.standard_normal((shape[0], frequencies.size)))
    x = np.fft.irfft(size * strength * phase)[:, : shape[1]]
    return x / x.std()


def _blinks(shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    at = rng.uniform(-2.5, 2.5, (shape[0], 1))  # one in four falls into a trial
    return rng.uniform(0.6, 1.4, (shape[0], 1)) * np.exp(-0.5 * ((TIMES - at) / 0.07) ** 2)


def _saccades(shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    at = rng.uniform(-1.8, 1.8, (shape[0], 1))
    return rng.choice([-1.0, 1.0], (shape[0], 1)) / (1 + np.exp(-np.clip((TIMES - at) / 0.008, -50, 50)))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--recordings", type=int, default=40)
    parser.add_argument("--seed", type=int, default=100)
    parser.add_argument("--no-peers", action="store_true")
    parser.add_argument("--output", type=Path, default=RESULTS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
