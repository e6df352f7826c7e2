"""Input that makes TMS-EEG numbers wrong without an error: each kind is told by a flag, a NaN or an error."""

import numpy as np
import pytest

import excitability as ex
from excitability.protocol.running import run_all
from excitability.simulate import paired_tep_session, tep_session

BRIDGED = [{"step": "remove_pulse"}, {"step": "interpolate_pulse"}]
N100 = {"measure": "tep_peak", "roi": "DLPFC_left", "component": "DLPFC N100"}


def quick(name, **sections):
    """A protocol with no more cleaning than it takes to cut the pulse out."""
    return ex.load_protocol(name).replace(cleaning=BRIDGED, **sections)


@pytest.mark.parametrize("name", ["m1/tep", "dlpfc/tep"])
@pytest.mark.parametrize("column", ["block", "stimulus_type"])
def test_sham_trials_are_a_condition_of_their_own(name, column):
    raw, _ = tep_session(name.split("/")[0].upper(), n_trials=8, sham_trials=6, peripheral=1.0, seed=1)
    if column == "stimulus_type":
        table = ex.stimuli(raw)
        sham = table["block"] == "sham"
        raw = ex.set_stimuli(raw, table.drop(columns="block").assign(stimulus_type=np.where(sham, "sham", "tms")))
    rows = ex.run(raw, quick(name, epochs={}, average={"n100": N100}))
    counts = rows[rows["measure"] == "n100_amplitude"].set_index("condition")["n_trials"]
    assert counts.to_dict() == {"all": 8, "sham": 6}
    assert "quality_similarity_to_sham_late" in set(rows["measure"])


def test_pairs_are_left_out_of_a_response_to_single_pulses_and_told():
    raw, _ = paired_tep_session("DLPFC", "sici", n_trials=6, seed=1)
    table = ex.stimuli(raw)
    session = run_all(raw, quick("dlpfc/tep", epochs={}, average={"n100": N100}))
    measured = session.results[~session.results["measure"].str.startswith("quality_")]
    assert (measured["n_trials"] == 6).all()  # neither pairs nor conditioning pulses alone
    assert measured["flag"].str.contains("pairs_left_out").all()
    assert (session.trials["reject"] == "no condition of the protocol").sum() == 12
    pairs = ex.set_stimuli(raw, table[table["pulse_count"] == 2])
    with pytest.raises(ValueError, match=r"dlpfc/sici_tep"):
        ex.run(pairs, "dlpfc/tep")
