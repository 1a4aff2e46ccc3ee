"""Why a limit on the page is not that of the plan."""

from __future__ import annotations

from evenhand.fairness.possible import OF_ASSOCIATION, OF_BALANCE
from evenhand.report.facts import Facts
from evenhand.report.words import SHORT_NAMES

# The statistics whose limit the sizes of groups, segments and offers may set.
ADAPTED = ("balance", "cramers_v", "mutual_information", "total_variation", "jensen_shannon", "selection_difference")


def adapted(facts: Facts) -> list[str]:
    """Why a limit on the page is not that of the plan, a sentence each: the sizes of groups and segments set what can be reached."""
    found = []
    for row in facts.verdicts:
        if row["metric"] not in ADAPTED or row["threshold"] is None:
            continue
        asked = float(getattr(facts.plan.fairness.thresholds, row["metric"]))
        if row["threshold"] == asked:
            continue
        offer = f", {row['offer'].replace('_', ' ')}" if row["offer"] else ""
        by = f"By {row['attribute'].replace('_', ' ')} the plan's limit for {SHORT_NAMES[row['metric']]}{offer}, {asked:g},"
        limit = f"{row['threshold']:.2g}"
        if row["metric"] == "balance":
            found.append(
                f"{by} cannot be reached: the smallest group is that small among all customers. So {limit} is even here, "
                f"{OF_BALANCE:.0%} of the balance of all customers."
            )
        else:
            found.append(
                f"{by} could hardly be missed, because groups, segments and offers of these sizes cannot be far apart in it. So at "
                f"most {limit} is even here, {OF_ASSOCIATION:.0%} of the largest value that the sizes allow."
            )
    return found
