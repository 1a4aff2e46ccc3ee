"""Of whom a population's budget is: the customer table, and the column by which one customer is told from another."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from evenhand.errors import PlanError
from evenhand.plan.privacy import Privacy


@dataclass(frozen=True)
class People:
    """A customer table as Delta knows it, and its id column.

    The id that Delta gives a table stays with it wherever it is moved; made anew in its place (CREATE OR REPLACE), the
    table gets another. So two are the same people where either is the same. It holds no figure about people.
    """

    table: str
    location: str
    id_column: str

    def in_table_of(self, other: People) -> bool:
        return self.table == other.table or self.location == other.location

    def same_as(self, other: People) -> bool:
        """Whether both count the same customers, and the same as one customer; Spark has no case in names of columns."""
        return self.in_table_of(other) and self.id_column.casefold() == other.id_column.casefold()

    def __str__(self) -> str:
        return f"{self.location} by {self.id_column}"


def check_people(spent: Iterable[tuple[str, People]], privacy: Privacy, mine: People) -> None:
    """Compare whom a plan's population is with whom ledger entries were spent on, from the first to the newest.

    Raises:
        PlanError: the same people under another population, whose ε would add up without anybody counting, or the
            population with other people; and the plan does not say that it has moved from there.
    """
    known = list(spent)
    if any(name == privacy.population and people.same_as(mine) for name, people in known):
        return
    elsewhere = [(name, people) for name, people in known if name != privacy.population and people.in_table_of(mine)]
    own = [(name, people) for name, people in known if name == privacy.population]
    for name, people in [*elsewhere[-1:], *own[-1:]]:
        _check_moved(name, people, privacy, mine)


def _check_moved(name: str, people: People, privacy: Privacy, mine: People) -> None:
    """Raises PlanError where the plan does not name what differs from what the ledger knows."""
    counts, asked = f"the ledger counts {people}", []
    if name != privacy.population:
        asked.append((f"{counts} as population {name}; under two names their ε adds up uncounted: name that one", {name}))
    if not people.in_table_of(mine):
        asked.append((f"{counts}, the plan reads {mine}: name another population", {people.location, people.table}))
    if people.id_column.casefold() != mine.id_column.casefold():
        asked.append((f"{counts}, the plan by {mine.id_column}: take that column", {people.id_column}))
    moved = privacy.population_moved
    if moved is None or all(moved.before not in names for _, names in asked):
        why, names = asked[0]
        shown = people.location if people.location in names else min(names)
        raise PlanError(
            [
                f"population {privacy.population}: {why}, or state why not under privacy.population_moved, from: {shown}, and a "
                "reason; nothing was spent"
            ],
            "privacy.population",
        )
