"""TMS-EEG cleaning programs, run on a saved recording: ``python peer_tep.py TASK.json [METHOD]``.

Runs INSIDE the peers' environment for the peers, in ours for ours: the same code times and measures all of them. A
task names a recording (FIF with annotations ``TMS``), its bad channels (told to peers that cannot find them) and
methods; averages are written beside it as ``TASK.<method>.npz``, CPU times and memory printed as JSON. With METHOD only
that one is run, without rehearsal, so that the peak of resident memory is its own.
"""

from __future__ import annotations

import json
import resource
import sys
import time
import warnings
from pathlib import Path

import mne
import numpy as np

SPAN = (-0.8, 0.8)  # s; epochs of the peers
BASELINE = (-0.3, -0.02)
PASS = (1.0, 80.0)  # Hz


def _events(raw):
    return mne.events_from_annotations(raw, {"TMS": 1})[0]


def _epochs(raw, span=SPAN, **settings):
    return mne.Epochs(raw, _events(raw), tmin=span[0], tmax=span[1], baseline=BASELINE, preload=True, **settings)


def filter_and_epoch(raw, bads, protocol):
    """What every user of MNE pays: filter, cut, average. The unit of time and of memory."""
    return _epochs(raw.copy().filter(*PASS)).average()


def mne_alone(raw, bads, protocol):
    """The pulse replaced by a line, filter, average reference, average; true bad channels are told."""
    raw = raw.copy()
    raw.info["bads"] = list(bads)
    raw = mne.preprocessing.fix_stim_artifact(raw, _events(raw), tmin=-0.002, tmax=0.010, mode="linear")
    return _epochs(raw.filter(*PASS).set_eeg_reference("average")).average()


def mne_with_ica(raw, bads, protocol):
    """The same and ICA of 30 components (extended infomax); what ICLabel calls neither brain nor other is removed."""
    from mne_icalabel import label_components

    raw = raw.copy()
    raw.info["bads"] = list(bads)
    raw = mne.preprocessing.fix_stim_artifact(raw, _events(raw), tmin=-0.002, tmax=0.010, mode="linear")
    epochs = _epochs(raw.filter(*PASS).set_eeg_reference("average"))
    epochs.decimate(max(1, int(raw.info["sfreq"] // 500)))
    ica = mne.preprocessing.ICA(30, method="infomax", fit_params={"extended": True}, random_state=0, max_iter=300)
    ica.fit(epochs)
    labels = label_components(epochs, ica, method="iclabel")["labels"]
    ica.exclude = [k for k, label in enumerate(labels) if label not in ("brain", "other")]
    return ica.apply(epochs).average()


def _denoise(raw, until, muscle):
    from mne_denoise.sound import SOUND

    raw = mne.preprocessing.fix_stim_artifact(raw.copy(), _events(raw), tmin=-0.002, tmax=until, mode="linear")
    epochs = _epochs(raw).resample(1000.0)
    epochs = SOUND(random_state=0).fit_transform(epochs)
    if not muscle:
        return epochs.average()
    from mne_denoise.sspsir import SSPSIR

    return SSPSIR(n_components=3).fit_transform(epochs).average().filter(*PASS, method="iir")


def sound_4(raw, bads, protocol):
    """mne-denoise: pulse replaced by a line until 4 ms, 1 kHz, SOUND as it comes."""
    return _denoise(raw, 0.004, muscle=False)


def sound_sspsir_4(raw, bads, protocol):
    """And SSP-SIR with three components, 1-80 Hz."""
    return _denoise(raw, 0.004, muscle=True)


def sound_sspsir_10(raw, bads, protocol):
    """The same with the pulse replaced until 10 ms."""
    return _denoise(raw, 0.010, muscle=True)


def ours(raw, bads, protocol):
    """``excitability.clean`` as shipped; nothing is told."""
    import excitability

    return excitability.clean(raw, protocol)[0].average()


def ours_measured(raw, bads, protocol):
    """``excitability.run``: the same cleaning, and all measures with intervals and quality; no average."""
    import excitability

    excitability.run(raw, protocol)


METHODS = {
    "filter_epoch": filter_and_epoch,
    "mne": mne_alone,
    "mne_ica": mne_with_ica,
    "sound": sound_4,
    "sound_sspsir": sound_sspsir_4,
    "sound_sspsir_10ms": sound_sspsir_10,
    "excitability": ours,
    "excitability_run": ours_measured,
}


def _memory():
    """Peak of resident memory so far (MB). What getrusage says on Linux counts the program that started this one."""
    status = Path("/proc/self/status")
    if status.exists():
        return int(status.read_text().split("VmHWM:")[1].split()[0]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def run(task: Path, only: str | None = None) -> dict[str, dict[str, float]]:
    """Run the methods of a task; CPU seconds and peak memory (MB) of each."""
    wanted = json.loads(task.read_text())
    warnings.simplefilter("ignore")
    mne.set_log_level("error")
    raw = mne.io.read_raw_fif(wanted["recording"], preload=True)
    answer = {}
    for name in [only] if only else wanted["methods"]:
        method = METHODS[name]
        if not only and wanted.get("rehearse"):  # imports, compilation and tables are not timed
            method(raw.copy().crop(0, min(20.0, raw.times[-1])), wanted["bads"], wanted["protocol"])
        before, start = _memory(), time.process_time()
        evoked = method(raw, wanted["bads"], wanted["protocol"])
        answer[name] = {"cpu_s": time.process_time() - start, "before_mb": before, "peak_mb": _memory()}
        if not only and evoked is not None:
            data = evoked.get_data(picks="eeg")
            names = [evoked.ch_names[k] for k in mne.pick_types(evoked.info, eeg=True, exclude=())]
            np.savez(task.with_suffix(f".{name}.npz"), data=data, times=evoked.times, names=names)
    return answer


if __name__ == "__main__":
    print(json.dumps(run(Path(sys.argv[1]), *sys.argv[2:3])))
