"""What every table and column of the catalog means to those who read it. `docs/tables.md` is made of this."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

# Columns that mean the same in every table that has them, unless the table says otherwise.
COMMON = {
    "run_id": "The run that wrote the row.",
    "at": "When the row was written; in the open zone the day only, since exact times tell roughly how many customers there are.",
    "key_id": "The name of the pseudonym's key.",
    "pseudonym": "The customer: the keyed hash of the id, 32 bytes, different for each purpose and key.",
    "segment": "The segment, from 1. A segment that the last run had too keeps its number; in a first run number 1 is the largest on the private summary.",
    "attribute": "The protected attribute, or an intersection such as `gender × age_band`.",
    "group": "The group of the attribute.",
    "feature": "The feature of the plan.",
    "offer": "The offer, for selection rates; else null.",
    "low": "Lower end of the interval for `value`.",
    "high": "Upper end of the interval for `value`.",
    "suppressed": "Whether the figures are left out because so few are behind them.",
    "not_private": "Whether the noise was left out, as only tests do. Such answers stand in zones of their own.",
    "population": "The population of the plan.",
    "parts": "The parts of the question as JSON: cells, sensitivity, cost, scale of the noise, and why.",
    "question": "The name of the question, such as `summary`.",
}
_OF_OUTCOMES = {
    "plan_name": "The plan's name.",
    "outcome": "The outcome of the plan.",
    "activation_id": "The activation whose people were counted.",
    "offer": "The offer that was handed out; null where segments were named by number.",
    "segments_of": "The published run whose segments were handed out.",
    "as_of": "When the count began: responses before it count.",
    "option": "The response: whoever went at least that far.",
    "run_id": "The count.",
}


@dataclass(frozen=True)
class Meaning:
    """A table in a sentence or two, its columns that are not common, and those that are beside the fixed ones (`more`)."""

    table: str
    columns: Mapping[str, str] = field(default_factory=dict)
    more: str = ""

    def of(self, column: str) -> str:
        """Raises KeyError where nobody has said what the column means."""
        return self.columns.get(column) or COMMON[column]


MEANINGS = {
    "prepared": Meaning(
        "One row a customer who may be used, as the plan's features say. Personal data under pseudonyms. No row where nobody may be used.",
        {
            "imputed": "The features that were missing, a bit each: 2⁰ for the first of the plan, 2¹ for the second, and so on.",
            "clipped": "The features that were outside of their bounds, a bit each.",
        },
        "One INT a feature, by its name: fixed point from 0 (lower bound) to 65,535 (upper bound), on the feature's scale. "
        "One INT a protected attribute, by its name: the position of the customer's group, from 0.",
    ),
    "segments": Meaning("Who is in which segment. Personal data under pseudonyms."),
    "erased": Meaning(
        "Who was erased: one row a person, purpose and key. It is kept apart from the restricted zone, so that a backup of that, put back, "
        "brings nobody back.",
        {
            "purpose": "The purpose of the pseudonym.",
            "requested_at": "When the person asked for it. A consent after it counts again.",
            "erasure_id": "The erasure, as in its certificate.",
            "erased_at": "When it was done. Rows of runs as of an earlier moment are removed wherever they come back.",
        },
    ),
    "activations": Meaning(
        "What was handed out of which run, and where to: a row an activation.",
        {
            "activation_id": "The activation.",
            "offer": "The offer of the plan; null where segments were named by number.",
            "segments": "The segments that were handed out.",
            "holdout": "The share of their people who were held back.",
            "form": "`delta`, `parquet` or `csv`.",
            "destination": "The path or the table that the ids went to.",
        },
    ),
    "activated": Meaning(
        "Who was handed out by which activation, and who was held back. Personal data under pseudonyms.",
        {
            "activation_id": "The activation.",
            "held_back": "Whether the customer was not handed out, so that what the offer does can be measured.",
        },
    ),
    "recalled": Meaning(
        "Who was handed out by which activation and has been listed to be taken back. Personal data under pseudonyms.",
        {
            "activation_id": "The activation.",
            "reason": "`withdrawn or objected`, `consent has ended` or `not a customer any more`. Who was erased is not here.",
        },
    ),
    "input_quality": Meaning(
        "What was wrong with the input, counted exactly. A run never tells these counts outside of the restricted zone.",
        {
            "item": "A feature, or a source of the plan.",
            "finding": "What was found, such as `imputed`, `clipped`, `id missing or empty`, `objection that matches no customer`.",
            "count": "How many values or rows, exactly.",
        },
    ),
    "releases": Meaning(
        "The noisy answers, so that a run that is resumed draws no noise twice. They passed the noise, and are restricted since cells that "
        "are too small to be shown stand in them.",
        {
            "about": "A fingerprint of what the question depends on, such as centers or boxes; empty for the plan alone.",
            "noisy": "The noisy integers of all parts, 64 bits each, compressed by zlib.",
        },
    ),
    "audit_log": Meaning(
        "Who did what, when and why: one chain of entries that is only ever added to. It holds no figure about people.",
        {
            "sequence": "The number of the entry, from 1, without gaps.",
            "actor": "The account that ran the job.",
            "action": "`start`, `resume`, `spend`, `approve`, `publish`, `block`, `fail`, and what later jobs add.",
            "details": "What belongs to the action, as canonical JSON.",
            "previous_hash": "The hash of the entry before; empty in the first.",
            "hash": "SHA-256 of all other fields, in hexadecimal digits.",
        },
    ),
    "leases": Meaning(
        "Which process works on a run, so that two never do.",
        {
            "number": "The number of the row, from 1. Two processes cannot take one.",
            "owner": "The process, by a name that it drew.",
            "machine": "The machine it runs on.",
            "pid": "Its process id there.",
            "since": "When it took the run.",
            "until": "Until when it has the run without another sign of life.",
        },
    ),
    "consent_quarantine": Meaning(
        "Rows of consent that an import could not understand. Personal data, with ids as they came.",
        {
            "customer_id": "The id as it came, null where there was none.",
            "content": "The whole row, as JSON.",
            "reasons": "Why it was not taken as it stood, such as `recorded_at is no time`.",
            "kept_as_no": "Whether the consent table has it as a no: where it says whose it is.",
            "row_hash": "SHA-256 of `content`: the same row comes in once.",
            "run_id": "The import that wrote the row.",
        },
    ),
    "runs": Meaning(
        "The state of each run. A run counts as published when a row says so; readers join on that.",
        {
            "status": "`running`, `published`, `blocked`, `failed`, `refused` or `abandoned`.",
            "reasons": "The findings of a run that is published or blocked, or why it was refused or given up.",
            "version": "The version of Evenhand.",
            "plan_name": "The plan's name.",
            "plan_fingerprint": "SHA-256 of the plan's canonical form.",
            "plan": "The plan's canonical form, as JSON.",
            "sources": "The versions of the sources that were read, as JSON.",
            "as_of": "The point in time for which consent and events were read.",
            "centers_of": "The earlier run to whose centers customers were assigned; null where the run has learned its own.",
            "centers_as_of": "The point in time of that earlier run.",
            "epsilon": "The ε of the run; 0 where it has learned nothing.",
            "delta": "The δ of the run; null for pure ε.",
        },
    ),
    "budget": Meaning(
        "The ledger: one row a run, or a count of a survey or an outcome, that has spent. The rows are numbered through all populations, and Delta's log keeps the newest number.",
        {
            "customers_table": "The id that Delta gave the customer table.",
            "customers_location": "The place of the customer table.",
            "id_column": "The column with the customer's id.",
            "number": "The number of the entry, from 1, without gaps.",
            "run_id": "The run that has spent, or the count.",
            "paid_by": "The process that spent, by a name that it drew.",
            "period": "The period in which it is counted: `always`, `2026`, `2026-Q4` or `2026-11`.",
            "epsilon": "What the run spent.",
            "delta": "What the run spent of δ.",
            "total": "What the population may spend in a period.",
            "delta_total": "The same of δ.",
            "renews": "`never`, `yearly`, `quarterly` or `monthly`.",
        },
    ),
    "budget_entries": Meaning(
        "What each answer cost, and how that is made up. It stands before anybody sees the answer.",
        {
            "period": "The period in which it is counted.",
            "epsilon": "The cost of the question; null where the plan states a δ.",
            "rho": "The cost in ρ where the plan states a δ; else null.",
            "composition": "How the cost is made up, in words.",
        },
    ),
    "feature_bounds": Meaning(
        "The bounds that were found with noise, of features without bounds in the plan. Intervals hold for the noise, 19 times in 20.",
        {
            "low": "The lower bound that the run uses.",
            "low_low": "Lower end of the interval for the lower bound.",
            "low_high": "Upper end of the interval for the lower bound.",
            "high": "The upper bound that the run uses.",
            "high_low": "Lower end of the interval for the upper bound.",
            "high_high": "Upper end of the interval for the upper bound.",
        },
    ),
    "private_summary": Meaning(
        "The boxes of the feature space with their noisy counts and means, which the segments were learned from. Boxes below `minimum_cell` have no row.",
        {
            "box": "The number of the box.",
            "noisy_count": "How many customers it holds, with noise.",
            "noisy_count_low": "Lower end of the interval for the count.",
            "noisy_count_high": "Upper end of the interval for the count.",
            "means_low": "Lower ends of the intervals for the means, in the plan's order of features.",
            "means_high": "Upper ends of the intervals for the means, in the plan's order of features.",
        },
        "One DOUBLE a feature, by its name: the noisy mean of the box, in the feature's unit.",
    ),
    "segment_centers": Meaning(
        "The centers by which customers are assigned.",
        {
            "was": "Which segment of the run `was_in` it continues; null where it is new.",
            "was_in": "The last published run of the same plan name and purpose, whose numbers segments keep; null in a first run.",
            "fixed_point": "The center as it was used, one integer a feature in the plan's order: fixed point from 0 to 65,535, with four bits behind the point.",
            "centers_low": "Lower ends of the intervals for the mean of the segment's customers, in the plan's order of features; null where "
            "the center is no such mean, as with mitigation.",
            "centers_high": "Upper ends of the same intervals.",
        },
        "One DOUBLE a feature, by its name: the center in the feature's unit.",
    ),
    "segment_fits": Meaning(
        "The fits that competed on the private summary, and the curve over k where the plan gives a range.",
        {
            "k": "The number of segments.",
            "method": "How it was found; `curve over k` for the curve.",
            "cost": "Sum of squared distances on the private summary, in the unit cube, stretched where features have weights.",
            "cost_low": "Lower end of the interval for the cost.",
            "cost_high": "Upper end of the interval for the cost.",
            "silhouette": "Simplified silhouette, from 0 to 1; on the curve only.",
            "silhouette_low": "Lower end of the interval for the silhouette.",
            "silhouette_high": "Upper end of the interval for the silhouette.",
            "silhouette_evenly": "The silhouette of as many segments of customers who are spread evenly, as widely as these.",
            "chosen": "Whether it is the one that the run went on with.",
        },
    ),
    "segment_profiles": Meaning(
        "What each segment is like: a row a segment and measure. A suppressed segment keeps its rows, without figures.",
        {
            "label": "The segment in words; those of the last run where they still hold.",
            "measure": "`size`, `share`, or a feature.",
            "value": "The size, the share, or the typical value: the mean on the feature's scale, in its unit. Null where it says nothing.",
            "deviations": "How many standard deviations of everybody the segment's mean is from everybody's; of features only.",
            "deviations_low": "Lower end of the interval for `deviations`; null where the noise bounds nothing.",
            "deviations_high": "Upper end of the interval for `deviations`; null where the noise bounds nothing.",
            "fifth_low": "From which fifth of all customers on the segment's mean of a feature is, 1 being the fifth with the lowest values. Null without histograms.",
            "fifth_high": "Up to which fifth it is, at most 5.",
            "unit": "The unit of the value.",
        },
    ),
    "segment_distribution": Meaning(
        "How features are distributed over and inside the segments: a row a segment, feature and figure. No row where there is nothing of the kind.",
        {
            "figure": "`share of the total`: the segment's share in the sum over all customers, of values inside the bounds; of features that are a sum or count of events. "
            "With `segments.distribution` also `lower quartile`, `median` and `upper quartile`: the least value that so many of the segment's customers do not exceed.",
            "value": "The figure; null where suppressed, and where its ends are all that can be told.",
            "unit": "The feature's unit; empty of shares.",
        },
    ),
    "everybody": Meaning(
        "Figures about all customers of the run.",
        {
            "figure": "`customers`, `standard deviation`, or `share outside of the fullest eighth of the bounds`.",
            "feature": "The feature; null for `customers`.",
            "value": "The figure; deviations are on the feature's scale.",
        },
    ),
    "fairness_stats": Meaning(
        "Groups by segment: a row an attribute, group and segment.",
        {
            "count": "How many of the group are in the segment.",
            "count_low": "Lower end of its interval, for the customers of this run.",
            "count_high": "Upper end of its interval, for the customers of this run.",
            "share": "Share of the group in the segment, among the groups that are large enough to judge.",
            "share_low": "Lower end of its interval, for sampling and noise.",
            "share_high": "Upper end of its interval, for sampling and noise.",
            "representation_ratio": "That share over the group's share of everybody, or of the stated reference; 1 is even.",
            "representation_ratio_low": "Lower end of its interval.",
            "representation_ratio_high": "Upper end of its interval.",
        },
    ),
    "fairness_groups": Meaning(
        "Figures of each group: a row an attribute, group, measure and offer.",
        {
            "measure": "`share of customers`, `mean squared distance` to the own center, or `selection rate` of an offer.",
            "value": "The figure; null where it is suppressed or says nothing.",
        },
    ),
    "fairness_summary": Meaning(
        "The verdicts: a row an attribute, metric and offer. Where no group is large enough to judge, one row of metric `all`.",
        {
            "metric": "The statistic, as under `fairness.thresholds`; see the page on fairness.",
            "value": "The statistic; null where it says nothing, or would give a suppressed figure away.",
            "threshold": "What counts as even: the plan's, or what the sizes of the groups allow.",
            "verdict": "`even`, `uneven` or `cannot tell`.",
            "reference": "What is even, in words.",
            "over": "The groups that the figure is about.",
            "too_small": "The groups that are too small to judge.",
            "unjudged_offers": "The offers that no segment gets, or all do.",
            "change": "The change since the last published run that means the same; else null.",
            "change_low": "Lower end of the interval for the change.",
            "change_high": "Upper end of the interval for the change.",
        },
    ),
    "fairness_proxies": Meaning(
        "Which features tell the group: a row an attribute and feature.",
        {
            "rank": "1 for the feature that tells the most.",
            "value": "The correlation ratio, from 0 to 1: the root of the share of the feature's spread that lies between the groups.",
        },
    ),
    "movement": Meaning(
        "How many customers went from which segment of the last run to which of this one: a row for each of both, and for each of this one a row of "
        "who was in none; then how many stayed in their segment, and how many did not. With `segments.movement` only. Where there is nothing to compare, one row says why.",
        {
            "since": "The last run, whose segments `before` is about: the one in `was_in` of `segment_centers`. Null in a first run.",
            "figure": "`moved`: from `before` to `segment`. `stayed`: all of both runs who are in the segment that they were in, whatever its number; `changed`: all of both who are in another. "
            "These two are not there where no segment was found again. Null where nothing is compared.",
            "before": "The segment in which they were, by its number in that run; null for those who were in none, and for sums.",
            "segment": "The segment in which they are, by its number in this run; null for sums.",
            "count": "How many customers; null where suppressed.",
            "count_low": "Lower end of the interval for `count`.",
            "count_high": "Upper end of the interval for `count`.",
            "sure": "Whether a move is more than the noise makes of nobody: true of no empty row of the table, 19 times in 20. Null for sums.",
            "not_compared": "Why there is nothing to compare; else null.",
        },
    ),
    "assignment_map": Meaning(
        "How balanced segments are assigned, one row a joint group. With balanced mitigation only.",
        {
            "joint_group": "The number of the combination of groups.",
            "centers": "The centers by which customers choose, as fixed point.",
            "numbers": "The segment of each of these centers. The figures by segment below stand in the same order.",
            "prices": "What a segment costs the group beside the distance, by segment.",
            "edges": "The ascending edges of the bins of what a customer loses by going to the next segment.",
            "reach": "By segment, below which loss it is a customer's next.",
            "moved": "The share, of 2²⁰, that goes to the next segment, by cell.",
            "far": "The share, of 2²⁰, that goes to another segment, by cell.",
        },
    ),
    "mitigation_bounds": Meaning(
        "The bounds of balanced segments, as shares of a segment: a row a group that has one. With balanced mitigation only.",
        {
            "asked_low": "The least share that the plan asks for.",
            "asked_high": "The greatest share that the plan asks for.",
            "used_low": "The least share that was used: where the bounds do not hold the group's share of everybody, widened to it.",
            "used_high": "The greatest share that was used.",
            "share": "The group's share of everybody.",
            "share_low": "Lower end of its interval.",
            "share_high": "Upper end of its interval.",
            "feasible": "Whether the bounds can be met: `yes`, `no` or `cannot tell`.",
        },
    ),
    "mitigation_verdicts": Meaning(
        "Whether the published segments keep the bounds: a row a group that has one. With balanced mitigation only.",
        {
            "segment": "The segment in which the group is farthest out of its bounds, or nearest to them; null where all is suppressed.",
            "of_segment": "The group's share of that segment.",
            "of_segment_low": "Lower end of its interval.",
            "of_segment_high": "Upper end of its interval.",
            "verdict": "`kept`, `missed` or `cannot tell`.",
        },
    ),
    "fairness_tradeoff": Meaning(
        "What fairness costs, on the private summary: a row a stage, attribute, metric and offer. With mitigation only.",
        {
            "stage": "`before` and `after` mitigation, or `curve` for other bounds.",
            "bound": "The least representation ratio, on the curve; else null.",
            "left_out": "The groups that are too small for it.",
            "metric": "`price` (the cost over that of the unconstrained segments), `worst_group_cost`, or a statistic of fairness.",
            "value": "The figure; null of fewer than two groups.",
        },
    ),
    "feedback": Meaning(
        "What people said in a survey, by segment of a run: a row a question, segment and option. A wave is there whole or not at all.",
        {
            "plan_name": "The plan's name.",
            "survey": "The survey of the plan.",
            "segments_of": "The published run whose segments these are.",
            "as_of": "When the wave began: answers before it count.",
            "question": "The question, as the answers name it.",
            "asks": "What people were asked, in words.",
            "option": "The answer that could be chosen.",
            "position": "Its place in the plan, from 1; of a scale the step.",
            "count": "How many of the segment chose it.",
            "count_low": "Lower end of its interval, for the noise.",
            "count_high": "Upper end of its interval, for the noise.",
            "share": "Their share of those in the segment who answered the question.",
            "share_low": "Lower end of its interval, for the noise: it speaks of those who answered.",
            "share_high": "Upper end of its interval.",
            "before": "The wave before that the share is held against; null where none asked the same of the same segment, or it is not shown.",
            "change": "The share less that of the wave before.",
            "change_low": "Lower end of the interval for the change, for the noise of both.",
            "change_high": "Upper end of the interval for the change.",
            "run_id": "The wave.",
        },
    ),
    "outcome_rates": Meaning(
        "What came of an offer: a row a segment or group, and option. Figures are null where too little is known, or they would give a small count away.",
        _OF_OUTCOMES
        | {
            "position": "The option's place in the plan, from 1.",
            "attribute": "`segment`, the protected attribute, or an intersection such as `gender × age_band`.",
            "group": "The segment's number, or the group.",
            "rate": "How many of those who got the offer went at least that far, of all who got it.",
            "rate_low": "Lower end of its interval, for sampling and noise.",
            "rate_high": "Upper end of its interval.",
            "held_back_rate": "The same of those who were held back.",
            "held_back_rate_low": "Lower end of its interval.",
            "held_back_rate_high": "Upper end of its interval.",
            "added": "What the offer adds: the one rate less the other.",
            "added_low": "Lower end of its interval.",
            "added_high": "Upper end of its interval.",
        },
    ),
    "outcome_verdicts": Meaning(
        "Whether those of all groups who got the offer respond alike: a row an attribute or intersection, option and metric.",
        _OF_OUTCOMES
        | {
            "metric": "`selection_ratio`, the lowest rate of a group over the highest, or `selection_difference`, the gap between them.",
            "value": "The statistic; null where it says nothing, or would give a small count away.",
            "threshold": "What counts as even, from `fairness.thresholds`.",
            "verdict": "`even`, `uneven` or `cannot tell`.",
            "over": "The groups that the figure is about.",
        },
    ),
}
