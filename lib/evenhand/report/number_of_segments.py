"""How the number of segments was chosen, and whether customers fall into groups at all, in words."""

from __future__ import annotations

from evenhand.learn.choose_k import AS_GOOD
from evenhand.report.facts import Facts

# Of the silhouette above that of evenly spread customers. In trials with 30,000 customers, 2 to 6 features and ε of 0.3 to 3, groups
# came to 0.16 and more unless they overlapped, evenly or normally spread customers to 0.04 at most but for one case of 0.07.
STANDS_OUT = 0.05


def chosen_in_words(facts: Facts) -> list[str]:
    """A sentence or two; empty for a number that the plan states."""
    if not facts.curve:
        return []
    prefer, chosen = facts.plan.segments.prefer, next(row for row in facts.curve if row["chosen"])
    best = max(row["silhouette"] for row in facts.curve)
    as_good = [row["k"] for row in facts.curve if row["silhouette"] >= best - AS_GOOD]
    said = [f"Of {facts.curve[0]['k']} to {facts.curve[-1]['k']} segments {chosen['k']} were chosen."]
    if len(as_good) > 1:
        listed = f"{', '.join(map(str, as_good[:-1]))} and {as_good[-1]}"
        why = (
            f"the plan prefers {prefer}"
            if prefer
            else "the greatest silhouette decided; segments.prefer in the plan can say fewer or more"
        )
        said.append(f"{listed} segments are about as good as each other, and {why}.")
    else:
        said.append("Customers are clearly best apart there on the private summary.")
    if any(row["silhouette_high"] >= chosen["silhouette_low"] for row in facts.curve if row is not chosen):
        said.append("Noise may have decided between some of these numbers.")
    return said


def no_natural_groups(facts: Facts) -> str | None:
    """That no number of segments stands out from customers who are spread evenly, where that is so."""
    beyond = [row["silhouette"] - row["silhouette_evenly"] for row in facts.curve]
    if not beyond or max(beyond) >= STANDS_OUT:
        return None
    return (
        "The private summary shows no natural groups: customers are about as far apart as if they were spread evenly. The segments divide "
        "a continuum, so where one ends and the next begins is a choice, not a finding."
    )
