"""A small first phase that only the average of a recording shows: believed where it leads into the response."""

import numpy as np
import pytest

from excitability.measures import mep_latency
from excitability.simulate import mep_trials


@pytest.mark.parametrize("seed", [1, 6, 8])
def test_what_stands_apart_from_the_response_is_not_its_first_phase(seed):
    x, times, truth = mep_trials(
        15,
        background="active",
        muscle="ES",
        noise_rms=30e-6,
        amplitude_median=1e-3,
        amplitude_sigma=0.3,
        onset_mean=0.0165,
        onset_sd=0.0004,
        no_response=0.0,
        artefact="none",
        seed=seed,
    )
    apart = -60e-6 * np.exp(-0.5 * ((times - 0.0125) / 0.0007) ** 2)  # background in step with the pulse, or a tail
    latency = mep_latency(x + apart, times, window="ES")
    assert np.nanmedian(latency) == pytest.approx(np.median(truth["onset"]), abs=0.001)
