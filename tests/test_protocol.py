"""Protocol files: what they may say, and what is said when they say something else."""

import pytest

import excitability as ex
from excitability.protocol import list_batteries, load_battery
from excitability.protocol.grammar import condition_labels

MINIMAL = """
title = "A test"
modality = "emg"
[conditions]
test = "pulse_count == 1"
[trial]
mep_amplitude = { window = "muscle" }
[summary]
trial_mean = { of = "mep_amplitude" }
"""


def load(tmp_path, text):
    path = tmp_path / "mine.toml"
    path.write_text(text)
    return ex.load_protocol(path)


def test_every_protocol_and_battery_of_the_package_loads():
    names = ex.list_protocols()
    sites = ["mep", "resting_motor_threshold", "active_motor_threshold", "recruitment_curve", "motor_map"]
    pairs = ["sici", "icf", "sicf", "lici", "sai", "lai", "ihi", "threshold_tracking_sici"]
    others = ["cortical_silent_period", "ipsilateral_silent_period", "central_conduction"]
    assert {f"m1/{name}" for name in (*sites, *pairs, *others)} <= set(names)
    assert {"dlpfc/tep", "dlpfc/lici_tep", "dlpfc/resting_eeg", "m1/tep"} <= set(names)
    for name in names:
        protocol = ex.load_protocol(name)
        assert protocol.title
        assert len(protocol.sha256) == 64
    for name in list_batteries():
        assert load_battery(name).protocols


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("[trial]", "[trials]"), "unknown section 'trials': did you mean 'trial'"),
        (
            ("mep_amplitude = {", "mep_amplitud = {"),
            r"\[trial\] mep_amplitud: unknown measure 'mep_amplitud': did you mean",
        ),
        (("window", "windw"), r"\[trial\] mep_amplitude: unknown parameter 'windw': did you mean 'window'"),
        (("pulse_count == 1", "pulse_cont == 1"), r"\[conditions\] test: .*did you mean 'pulse_count'"),
        (('of = "mep_amplitude"', 'of = "mep_area"'), r"\[summary\] trial_mean: of = unknown column 'mep_area'"),
        (("pulse_count == 1", "__import__('os')"), "may only compare"),
        (('modality = "emg"', 'modality = "meg"'), "modality"),
        (('title = "A test"', ""), "'title' is missing"),
        (("[conditions]", "[conditions"), "no valid TOML"),
    ],
)
def test_a_mistake_names_the_file_the_entry_and_the_nearest_word(tmp_path, change, message):
    with pytest.raises(ValueError, match=message) as caught:
        load(tmp_path, MINIMAL.replace(*change))
    assert "mine.toml" in str(caught.value)


def test_rejection_rules_are_checked(tmp_path):
    assert load(tmp_path, MINIMAL + '[reject]\nmep_amplitude = "> 1"\n').reject
    with pytest.raises(ValueError, match="neither a comparison"):
        load(tmp_path, MINIMAL + '[reject]\nmep_amplitude = "big"\n')
    with pytest.raises(ValueError, match=r"\[reject\]: unknown column 'background_emg'"):
        load(tmp_path, MINIMAL + '[reject]\nbackground_emg = "> 1"\n')


def test_a_protocol_is_a_value():
    sici = ex.load_protocol("sici")
    assert sici.name == "m1/sici"
    assert sici == ex.load_protocol("m1/sici")
    strict = sici.replace(reject={"background_emg": "> 5e-6"})
    assert strict.sha256 != sici.sha256
    assert sici.replace(title="Another title").sha256 == sici.sha256
    with pytest.raises(AttributeError):
        sici.title = "x"
    with pytest.raises(ValueError, match="unknown section 'rejects'"):
        sici.replace(rejects={})


def test_unknown_and_ambiguous_names():
    with pytest.raises(ValueError, match=r"did you mean 'm1/sic[fi]'"):
        ex.load_protocol("m1/sic")
    with pytest.raises(ValueError, match=r"ambiguous: say 'dlpfc/tep' or 'm1/tep'"):
        ex.load_protocol("tep")


def test_extends_one_level(tmp_path):
    mine = load(tmp_path, 'extends = "sici"\ntitle = "SICI, strict"\n[reject]\nbackground_emg = "> 5e-6"\n')
    assert mine.conditions == ex.load_protocol("sici").conditions
    assert mine.reject["background_emg"] == "> 5e-6"


def test_condition_templates_group_intervals_to_a_tenth_of_a_millisecond():
    import pandas as pd

    table = pd.DataFrame({"inter_stimulus_interval": [0.00249999, 0.0025001, 0.010]})
    labels = condition_labels("isi_{inter_stimulus_interval}", table)
    assert labels.tolist() == ["isi_0.0025", "isi_0.0025", "isi_0.01"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (('window = "muscle"', "window = [50, 15]"), "start < stop"),
        (('window = "muscle"', "window = [15, 50000]"), "milliseconds"),
        (('window = "muscle"', "window = 0.02"), "must be .start, stop. in seconds"),
        (("pulse_count == 1", "1 == 1"), "compares constants only"),
        (("pulse_count == 1", "not pulse_count"), "not a comparison"),
        (("pulse_count == 1", "pulse_count == -'a'"), "may only compare"),
        (('test = "pulse', '"{pulse_count!r}" = "pulse'), "names columns only"),
        (("[conditions]", "[epoch]\ntmin = 0.2\ntmax = 0.1\n[conditions]"), "tmin < tmax"),
        (("[summary]", "[reject]\nmep_amplitude = '> 10e-6 V'\n[summary]"), "neither a comparison"),
        (("[summary]", "[reject]\nmep_amplitude = '> 1 or 1 == 1'\n[summary]"), "neither a comparison"),
        (("[summary]", "[reject]\nmep_amplitude = 'outside 1.2.3 of median'\n[summary]"), "neither a comparison"),
        (
            ('trial_mean = { of = "mep_amplitude" }', 'conditioned_ratio = { of = "mep_amplitude", test = "tst" }'),
            "unknown condition 'tst': did you mean 'test'",
        ),
    ],
)
def test_what_would_fail_late_is_refused_at_once(tmp_path, change, message):
    with pytest.raises(ValueError, match=message) as caught:
        load(tmp_path, MINIMAL.replace(*change))
    assert "mine.toml" in str(caught.value)
