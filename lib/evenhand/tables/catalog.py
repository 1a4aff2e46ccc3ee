"""Every table that Evenhand writes: its name, its zone, its columns. Wide tables add one column a feature or attribute."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Zone = Literal["restricted", "open", "erasures"]


@dataclass(frozen=True)
class TableSpec:
    name: str
    zone: Zone
    columns: str  # Spark DDL; the columns that every run's rows have
    by_run: bool = True  # partitioned by run_id, one run's rows are replaced as one
    # Raised with every change of columns or of what they mean. A table says its own (format.py); of another it is refused.
    format: int = 1


PREPARED = TableSpec("prepared", "restricted", "pseudonym BINARY, key_id STRING, imputed BIGINT, clipped BIGINT, run_id STRING")
SEGMENTS = TableSpec("segments", "restricted", "pseudonym BINARY, key_id STRING, segment INT, run_id STRING")
INPUT_QUALITY = TableSpec("input_quality", "restricted", "item STRING, finding STRING, count BIGINT, run_id STRING")
# Noisy, so private; restricted all the same, since cells that are too small to be shown stand in it.
RELEASES = TableSpec(
    "releases",
    "restricted",
    "run_id STRING, question STRING, about STRING, parts STRING, noisy BINARY, not_private BOOLEAN, at TIMESTAMP",
    by_run=False,
)
AUDIT_LOG = TableSpec(
    "audit_log",
    "restricted",
    "sequence BIGINT, at TIMESTAMP, actor STRING, run_id STRING, action STRING, details STRING, previous_hash STRING, hash STRING",
    by_run=False,
)
# Who works on a run, one process at a time (lease.py).
LEASES = TableSpec(
    "leases",
    "restricted",
    "run_id STRING, number BIGINT, owner STRING, machine STRING, pid BIGINT, since TIMESTAMP, until TIMESTAMP",
    by_run=False,
)
# What was handed out, to whom it went and on whose behalf (people/activate.py): a row an activation.
ACTIVATIONS = TableSpec(
    "activations",
    "restricted",
    "activation_id STRING, run_id STRING, key_id STRING, offer STRING, segments ARRAY<INT>, holdout DOUBLE, form STRING, "
    "destination STRING, at TIMESTAMP",
    by_run=False,
)
# Who was handed out, and who of those whom the offer would reach was held back to measure it.
ACTIVATED = TableSpec(
    "activated",
    "restricted",
    "activation_id STRING, pseudonym BINARY, key_id STRING, segment INT, held_back BOOLEAN",
    by_run=False,
)
# Rows of consent that an import could not understand (people/consent_import.py).
CONSENT_QUARANTINE = TableSpec(
    "consent_quarantine",
    "restricted",
    "customer_id STRING, content STRING, reasons ARRAY<STRING>, kept_as_no BOOLEAN, row_hash STRING, at TIMESTAMP, run_id STRING",
    by_run=False,
)

# Who was handed out and has been listed to be taken back (people/recall.py).
RECALLED = TableSpec(
    "recalled",
    "restricted",
    "activation_id STRING, pseudonym BINARY, key_id STRING, reason STRING, at TIMESTAMP",
    by_run=False,
)

# Who was erased, and when: what a restored backup is cleaned by, and what stands as an objection (erasure/listed.py).
ERASED = TableSpec(
    "erased",
    "erasures",
    "pseudonym BINARY, purpose STRING, key_id STRING, requested_at TIMESTAMP, erasure_id STRING, erased_at TIMESTAMP",
    by_run=False,
)

RUNS = TableSpec(
    "runs",
    "open",
    "run_id STRING, status STRING, reasons ARRAY<STRING>, version STRING, plan_name STRING, plan_fingerprint STRING, plan STRING, "
    "sources STRING, as_of TIMESTAMP, centers_of STRING, centers_as_of TIMESTAMP, epsilon DOUBLE, delta DOUBLE, "
    "not_private BOOLEAN, at TIMESTAMP",
    by_run=False,
)
BUDGET = TableSpec(
    "budget",
    "open",
    "population STRING, customers_table STRING, customers_location STRING, id_column STRING, number BIGINT, run_id STRING, "
    "paid_by STRING, period STRING, epsilon DOUBLE, delta DOUBLE, total DOUBLE, delta_total DOUBLE, renews STRING, not_private BOOLEAN, "
    "at TIMESTAMP",
    by_run=False,
)
BUDGET_ENTRIES = TableSpec(
    "budget_entries",
    "open",
    "population STRING, period STRING, run_id STRING, question STRING, epsilon DOUBLE, rho DOUBLE, composition STRING, parts STRING, at TIMESTAMP",
    by_run=False,
)
FEATURE_BOUNDS = TableSpec(
    "feature_bounds",
    "open",
    "feature STRING, low DOUBLE, low_low DOUBLE, low_high DOUBLE, high DOUBLE, high_low DOUBLE, high_high DOUBLE, run_id STRING",
)
PRIVATE_SUMMARY = TableSpec(
    "private_summary",
    "open",
    "box INT, noisy_count BIGINT, noisy_count_low DOUBLE, noisy_count_high DOUBLE, means_low ARRAY<DOUBLE>, "
    "means_high ARRAY<DOUBLE>, run_id STRING",
)
SEGMENT_CENTERS = TableSpec(
    "segment_centers",
    "open",
    "segment INT, was INT, was_in STRING, fixed_point ARRAY<BIGINT>, centers_low ARRAY<DOUBLE>, centers_high ARRAY<DOUBLE>, run_id STRING",
)
SEGMENT_FITS = TableSpec(
    "segment_fits",
    "open",
    "k INT, method STRING, cost DOUBLE, cost_low DOUBLE, cost_high DOUBLE, silhouette DOUBLE, silhouette_low DOUBLE, "
    "silhouette_high DOUBLE, silhouette_evenly DOUBLE, chosen BOOLEAN, run_id STRING",
)
SEGMENT_PROFILES = TableSpec(
    "segment_profiles",
    "open",
    "segment INT, label STRING, measure STRING, value DOUBLE, low DOUBLE, high DOUBLE, deviations DOUBLE, deviations_low DOUBLE, "
    "deviations_high DOUBLE, fifth_low INT, fifth_high INT, unit STRING, suppressed BOOLEAN, run_id STRING",
)
# Who brings the total of each feature that can be added up; where the plan asks, median and quartiles too.
SEGMENT_DISTRIBUTION = TableSpec(
    "segment_distribution",
    "open",
    "segment INT, feature STRING, figure STRING, value DOUBLE, low DOUBLE, high DOUBLE, unit STRING, suppressed BOOLEAN, run_id STRING",
)
# How many customers there are, and the standard deviation of each feature on its scale.
EVERYBODY = TableSpec("everybody", "open", "figure STRING, feature STRING, value DOUBLE, low DOUBLE, high DOUBLE, run_id STRING")
FAIRNESS_STATS = TableSpec(
    "fairness_stats",
    "open",
    "attribute STRING, `group` STRING, segment INT, count DOUBLE, count_low DOUBLE, count_high DOUBLE, share DOUBLE, "
    "share_low DOUBLE, share_high DOUBLE, representation_ratio DOUBLE, representation_ratio_low DOUBLE, "
    "representation_ratio_high DOUBLE, suppressed BOOLEAN, run_id STRING",
)
FAIRNESS_GROUPS = TableSpec(
    "fairness_groups",
    "open",
    "attribute STRING, `group` STRING, measure STRING, offer STRING, value DOUBLE, low DOUBLE, high DOUBLE, suppressed BOOLEAN, "
    "run_id STRING",
)
FAIRNESS_SUMMARY = TableSpec(
    "fairness_summary",
    "open",
    "attribute STRING, metric STRING, offer STRING, value DOUBLE, low DOUBLE, high DOUBLE, threshold DOUBLE, verdict STRING, "
    "reference STRING, over ARRAY<STRING>, too_small ARRAY<STRING>, unjudged_offers ARRAY<STRING>, change DOUBLE, change_low DOUBLE, change_high DOUBLE, run_id STRING",
)
FAIRNESS_PROXIES = TableSpec(
    "fairness_proxies",
    "open",
    "attribute STRING, feature STRING, rank INT, value DOUBLE, low DOUBLE, high DOUBLE, run_id STRING",
)
# Who went from which segment of the last run to which of this one; or why there is nothing to compare.
MOVEMENT = TableSpec(
    "movement",
    "open",
    "since STRING, figure STRING, before INT, segment INT, count DOUBLE, count_low DOUBLE, count_high DOUBLE, sure BOOLEAN, suppressed BOOLEAN, "
    "not_compared STRING, run_id STRING",
)
# How balanced segments are assigned (assignment/fair_map.py): made of releases only.
ASSIGNMENT_MAP = TableSpec(
    "assignment_map",
    "open",
    "joint_group INT, centers ARRAY<ARRAY<BIGINT>>, numbers ARRAY<INT>, prices ARRAY<BIGINT>, edges ARRAY<BIGINT>, reach ARRAY<BIGINT>, "
    "moved MAP<INT, INT>, far MAP<INT, INT>, run_id STRING",
)
# The bounds of balanced segments, as shares of a segment: asked for, used, and the group's share of everybody.
MITIGATION_BOUNDS = TableSpec(
    "mitigation_bounds",
    "open",
    "attribute STRING, `group` STRING, asked_low DOUBLE, asked_high DOUBLE, used_low DOUBLE, used_high DOUBLE, share DOUBLE, "
    "share_low DOUBLE, share_high DOUBLE, feasible STRING, run_id STRING",
)
# What the published segments came to: the group's share of the segment that is farthest out of its bounds, or nearest to them.
MITIGATION_VERDICTS = TableSpec(
    "mitigation_verdicts",
    "open",
    "attribute STRING, `group` STRING, segment INT, of_segment DOUBLE, of_segment_low DOUBLE, of_segment_high DOUBLE, "
    "verdict STRING, run_id STRING",
)
FAIRNESS_TRADEOFF = TableSpec(
    "fairness_tradeoff",
    "open",
    "stage STRING, bound DOUBLE, attribute STRING, left_out ARRAY<STRING>, metric STRING, offer STRING, value DOUBLE, low DOUBLE, "
    "high DOUBLE, run_id STRING",
)
# What people said in a survey, by segment of a run: a wave is written whole, in one commit (people/feedback.py).
FEEDBACK = TableSpec(
    "feedback",
    "open",
    "plan_name STRING, survey STRING, segments_of STRING, as_of TIMESTAMP, question STRING, asks STRING, option STRING, "
    "position INT, segment INT, count DOUBLE, count_low DOUBLE, count_high DOUBLE, share DOUBLE, share_low DOUBLE, share_high DOUBLE, "
    "suppressed BOOLEAN, before STRING, change DOUBLE, change_low DOUBLE, change_high DOUBLE, run_id STRING",
)
# What came of an offer, for those who got it and those who were held back (people/outcomes.py).
OUTCOME_RATES = TableSpec(
    "outcome_rates",
    "open",
    "plan_name STRING, outcome STRING, activation_id STRING, offer STRING, segments_of STRING, as_of TIMESTAMP, attribute STRING, "
    "`group` STRING, option STRING, position INT, rate DOUBLE, rate_low DOUBLE, rate_high DOUBLE, held_back_rate DOUBLE, held_back_rate_low DOUBLE, held_back_rate_high DOUBLE, "
    "added DOUBLE, added_low DOUBLE, added_high DOUBLE, run_id STRING",
)
OUTCOME_VERDICTS = TableSpec(
    "outcome_verdicts",
    "open",
    "plan_name STRING, outcome STRING, activation_id STRING, offer STRING, segments_of STRING, as_of TIMESTAMP, attribute STRING, "
    "option STRING, metric STRING, "
    "value DOUBLE, low DOUBLE, high DOUBLE, threshold DOUBLE, verdict STRING, over ARRAY<STRING>, run_id STRING",
)

ALL = (
    PREPARED,
    SEGMENTS,
    INPUT_QUALITY,
    AUDIT_LOG,
    LEASES,
    ERASED,
    ACTIVATIONS,
    ACTIVATED,
    CONSENT_QUARANTINE,
    RECALLED,
    RUNS,
    BUDGET,
    BUDGET_ENTRIES,
    RELEASES,
    FEATURE_BOUNDS,
    PRIVATE_SUMMARY,
    SEGMENT_CENTERS,
    SEGMENT_FITS,
    SEGMENT_PROFILES,
    SEGMENT_DISTRIBUTION,
    EVERYBODY,
    FAIRNESS_STATS,
    FAIRNESS_GROUPS,
    FAIRNESS_SUMMARY,
    FAIRNESS_PROXIES,
    MOVEMENT,
    ASSIGNMENT_MAP,
    MITIGATION_BOUNDS,
    MITIGATION_VERDICTS,
    FAIRNESS_TRADEOFF,
    FEEDBACK,
    OUTCOME_RATES,
    OUTCOME_VERDICTS,
)
