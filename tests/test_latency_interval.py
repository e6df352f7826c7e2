"""The interval of a mean latency holds the error that the trials of a recording share."""

import numpy as np
import pandas as pd
import pytest

from excitability.measures import mep_latency, mep_latency_standard_error, trial_mean
from excitability.simulate import mep_trials

TRUE = 0.021


def _table(seed, generator):
    x, times, _ = mep_trials(
        15,
        generator=generator,
        background="active",
        noise_rms=(40e-6, 90e-6),
        amplitude_median=1.5e-3,
        amplitude_sigma=0.45,
        onset_mean=TRUE,
        onset_sd=0.0004,
        no_response=0.0,
        seed=seed,
    )
    latency, error = mep_latency(x, times), mep_latency_standard_error(x, times)
    return pd.DataFrame({"mep_latency": latency, "mep_latency_standard_error": error})


@pytest.mark.parametrize("generator", ["motor_units", "template"])
def test_interval_of_the_mean_latency_covers_what_was_simulated(generator):
    tables = [_table(seed, generator) for seed in range(100, 136)]

    def coverage(statistic, columns):
        found = [trial_mean(table[columns], of="mep_latency", statistic=statistic) for table in tables]
        return np.mean([one.ci_low <= TRUE <= one.ci_high for one in found])

    assert coverage("mean", ["mep_latency"]) < 0.9  # as if the trials were independent
    assert coverage("mean", ["mep_latency", "mep_latency_standard_error"]) >= 0.92
    assert coverage("median", ["mep_latency", "mep_latency_standard_error"]) >= 0.92


def test_trials_whose_onset_lay_at_the_edge_of_the_window_are_told_apart_from_no_response():
    table = pd.DataFrame({"mep_latency": [0.020, 0.021, 0.022, np.nan], "flag": ["", "", "", "spike;window_edge"]})
    assert trial_mean(table, of="mep_latency").flag == "window_edge"
    assert trial_mean(table, of="mep_latency").n == 3
    table.loc[2, "mep_latency"] = np.nan
    assert trial_mean(table, of="mep_latency").flag == "window_edge;no_response;few_trials"
