"""A paragraph of methods, from a protocol and from what the recording says of itself."""

from __future__ import annotations

from typing import Any

import mne

from ..protocol import Protocol, load_protocol
from ..reporting_checklist import checklist
from ._words import protocol_methods

#: Sentences by the code of the checklist's item that fills them.
_SENTENCES = {
    "Sti": "Pulses were given with {} ({}).",
    "Cur": "The current in the brain flowed {}.",
    "Int": "Intensity: {}.",
    "Con": "Conditioning intensity: {}.",
    "ISI": "Intervals between the pulses of a pair: {}.",
    "MEP": "Time between trials: {}.",
    "Loc": "Place of the coil: {}.",
    "Tar": "The target muscle: {}.",
    "Num": "Responses: {}.",
    "Unc": "Unconditioned response: {}.",
}


def methods_paragraph(inst: mne.io.BaseRaw | mne.BaseEpochs, protocol: str | Protocol, **options: Any) -> str:
    """Draft of the methods of one recording: what was given, what was recorded, how it was measured.

    Only what the recording and the protocol say; what they do not say is left out, and :func:`checklist` lists it.

    Parameters
    ----------
    inst : Raw | Epochs
        A TMS-EMG recording from :func:`read`.
    protocol : str or Protocol
        What it is run with.
    **options
        As for :func:`checklist`.

    Returns
    -------
    str

    Raises
    ------
    ValueError
        When the recording cannot be run with the protocol.

    Examples
    --------
    >>> import excitability as ex
    >>> raw, truth = ex.simulate.session(["m1/sici"], seed=1)
    >>> text = ex.methods_paragraph(raw, "sici", picks=["FDI"])
    >>> "Intervals between the pulses of a pair: 2, 3 ms." in text
    True
    """
    protocol = load_protocol(protocol)
    items = checklist(inst, protocol, **options)
    answers = dict(zip(items["code"], items["answer"], strict=True))
    said = [f"EMG was sampled at {inst.info['sfreq']:g} Hz."]
    for code, sentence in _SENTENCES.items():
        answer = answers.get(code, "")
        if code == "Sti":
            device = [answers[word] for word in ("Coi", "Pul") if answers.get(word)]
            sentence = sentence if device else "Pulses were given with {}."
            said += [sentence.format(answer, ", ".join(device))] * bool(answer)
        elif answer:
            said.append(sentence.format(answer))
    return " ".join([*said, protocol_methods(protocol)])
