"""From result tables to an answer: changes, their intervals, what is detectable, and how well a measure repeats."""

from .bootstrap_refits import Refits, bootstrap_refits
from .censored_thresholds import compare_thresholds
from .change import compare
from .clusters import change_map, compare_evoked
from .describe import describe_design
from .effect_sizes import d_av, d_ppc2, d_rm, d_z, g_av, hedges_g, small_sample_correction
from .evidence import beside_evidence, contested_claims, evidence, finding_in_words, findings_on
from .groups import compare_groups
from .logistic import LogisticFit, logistic_changes, logistic_model
from .mixed_models import MixedFit, mixed_model
from .plan import compare_by_plan
from .planned_clusters import compare_planned
from .reliability import ICC_FORMS, bland_altman, ccc, cv, icc, sdc, sem
from .tobit import censored_numbers, tobit_changes

__all__ = [
    "ICC_FORMS",
    "LogisticFit",
    "MixedFit",
    "Refits",
    "beside_evidence",
    "bland_altman",
    "bootstrap_refits",
    "ccc",
    "censored_numbers",
    "change_map",
    "compare",
    "compare_by_plan",
    "compare_evoked",
    "compare_groups",
    "compare_planned",
    "compare_thresholds",
    "contested_claims",
    "cv",
    "d_av",
    "d_ppc2",
    "d_rm",
    "d_z",
    "describe_design",
    "evidence",
    "finding_in_words",
    "findings_on",
    "g_av",
    "hedges_g",
    "icc",
    "logistic_changes",
    "logistic_model",
    "mixed_model",
    "sdc",
    "sem",
    "small_sample_correction",
    "tobit_changes",
]
