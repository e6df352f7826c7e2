"""From result tables to an answer: changes, their intervals, what is detectable, and how well a measure repeats."""

from .associations import associate
from .bayes_factors import jzs_bayes_factor
from .bootstrap_refits import Refits, bootstrap_refits
from .censored_thresholds import compare_thresholds
from .change import compare
from .clusters import change_map, compare_evoked
from .complete import complete
from .describe import describe_design
from .effect_sizes import d_av, d_ppc2, d_rm, d_z, g_av, hedges_g, small_sample_correction
from .equivalence import equivalence, two_one_sided
from .evidence import beside_evidence, contested_claims, evidence, evidence_in_words, finding_in_words, findings_on
from .groups import compare_groups
from .logistic import LogisticFit, logistic_changes, logistic_model
from .mediation import mediate
from .mixed_models import MixedFit, mixed_model
from .moderation import moderate
from .multiplicity import adjust, benjamini_hochberg, holm
from .plan import compare_by_plan, outcomes_not_compared
from .planned_clusters import compare_planned
from .power import power, sample_size
from .record import comparison_record, left_out
from .reliability import ICC_FORMS, bland_altman, ccc, cv, icc, sdc, sem
from .reliability_table import reliability_table
from .responders import responders
from .tobit import censored_numbers, tobit_changes
from .variance_components import VarianceComponents, trials_needed, variance_components
from .wide_table import wide_table, write_wide

__all__ = [
    "ICC_FORMS",
    "LogisticFit",
    "MixedFit",
    "Refits",
    "VarianceComponents",
    "adjust",
    "associate",
    "benjamini_hochberg",
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
    "comparison_record",
    "complete",
    "contested_claims",
    "cv",
    "d_av",
    "d_ppc2",
    "d_rm",
    "d_z",
    "describe_design",
    "equivalence",
    "evidence",
    "evidence_in_words",
    "finding_in_words",
    "findings_on",
    "g_av",
    "hedges_g",
    "holm",
    "icc",
    "jzs_bayes_factor",
    "left_out",
    "logistic_changes",
    "logistic_model",
    "mediate",
    "mixed_model",
    "moderate",
    "outcomes_not_compared",
    "power",
    "reliability_table",
    "responders",
    "sample_size",
    "sdc",
    "sem",
    "small_sample_correction",
    "tobit_changes",
    "trials_needed",
    "two_one_sided",
    "variance_components",
    "wide_table",
    "write_wide",
]
