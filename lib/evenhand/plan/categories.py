"""Features of a column with categories, from one entry under `features`: for each category whether a customer is in it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Literal, Self

from pydantic import Field, model_validator

from evenhand.plan.base import Column, Model, Name, Number, Text, Value, written
from evenhand.plan.category import HUNDRED, Category
from evenhand.plan.features import Feature, Words

KIND = "categories"
LONGEST = 40  # characters of a feature's name
# Of each category's feature, beside a feature of numbers with weight 1. Two customers of different categories differ in two of
# them, so their squared distance is 1/12: the variance of a number that is spread evenly over its bounds.
COUNTS = math.sqrt(1 / 24)


class Categories(Model):
    """A feature for each category of a column of the customer table: 100 % for who is in it, 0 % for everybody else."""

    kind: Literal["categories"] = Field(description="Says that the entry stands for a feature a category.")
    name: Name = Field(
        description="What the column is called in tables and reports. `channel` makes `channel_shop`, `channel_online`."
    )
    why: Text = Field(description="Why the purpose needs it, for those who sign the plan.")
    column: Column = Field(description="The column of the customer table: text, a whole number or a boolean.")
    categories: dict[Name, list[Value]] = Field(
        min_length=1,
        max_length=30,
        description="The values that belong to each category, by the category's name. Public and fixed.",
    )
    others: Name = Field(default="other", description="The name of the category of all other values, and of no value.")
    weight: Number = Field(
        default=1.0,
        ge=0.05,
        le=100,
        description="How much it counts that two customers are in different categories. With 1 as much as a feature of numbers does "
        "between two customers who are one standard deviation apart, of customers evenly spread between its bounds.",
    )

    @model_validator(mode="after")
    def _apart(self) -> Self:
        if self.others in self.categories:
            raise ValueError(f"{self.others} is the name of two categories; state another as others")
        for name in (*self.categories, self.others):
            if len(self.feature_name(name)) > LONGEST:
                raise ValueError(f"{self.feature_name(name)} would be the name of a feature, of more than {LONGEST} letters")
        values = [written(value) for value in chain(*self.categories.values())]
        if not all(self.categories.values()):
            raise ValueError("a category without values holds nobody; leave it out")
        if again := next((value for i, value in enumerate(values) if value in values[:i]), None):
            raise ValueError(f"the value {again} is in two categories")
        if wrong := next((v for v in values if "\\" in v or ("'" in v and '"' in v)), None):
            raise ValueError(
                f"the value {wrong} has a backslash or both kinds of quotes, which SQL cannot hold; leave it to others"
            )
        return self

    def feature_name(self, category: str) -> str:
        return f"{self.name}_{category}"

    def features(self) -> list[Feature]:
        """One a category, the others last."""
        named = {name: Category(of=self.name, column=self.column, values=values) for name, values in self.categories.items()}
        rest = Category(of=self.name, column=self.column, values=[*chain(*(c.values for c in named.values()))], others=True)
        return [self._feature(name, category) for name, category in (named | {self.others: rest}).items()]

    def _feature(self, name: str, category: Category) -> Feature:
        said = f"{self.name} {name}".replace("_", " ")
        return Feature(
            name=self.feature_name(name),
            why=self.why,
            expression=category.expression,
            bounds=(0.0, HUNDRED),
            missing=0.0,
            weight=self.weight * COUNTS,
            unit="%",
            words=Words(low=f"fewer with {said}", high=f"more with {said}"),
            category=category,
        )


@dataclass(frozen=True)
class Block:
    """The features of one entry of categories, by their positions among all. A customer is at 100 % in one of them."""

    name: str
    columns: tuple[int, ...]


def blocks(features: Sequence[Feature]) -> tuple[Block, ...]:
    """In the order of the plan."""
    found = dict[str, list[int]]()
    for j, feature in enumerate(features):
        if feature.category is not None:
            found.setdefault(feature.category.of, []).append(j)
    return tuple(Block(name, tuple(columns)) for name, columns in found.items())


def numbers(features: Sequence[Feature]) -> list[int]:
    """The positions of the features that are no categories."""
    return [j for j, feature in enumerate(features) if feature.category is None]


def beside(of_blocks: Sequence[Block], count: int) -> list[int]:
    """The positions of the features beside these blocks, of so many in all."""
    inside = {j for block in of_blocks for j in block.columns}
    return [j for j in range(count) if j not in inside]


def independent(features: Sequence[Feature]) -> int:
    """How many things are said of a customer: the categories of one column are one."""
    return len(numbers(features)) + len(blocks(features))


def contradictions_of_categories(features: Sequence[Feature]) -> list[str]:
    """Names that clash; and whether somebody could be in two categories of a column, in a plan that was not made by `Categories`."""
    problems, names = [], {feature.name for feature in features}
    for block in blocks(features):
        if block.name in names:
            problems.append(f"features.{block.columns[0]}.name: {block.name} is the name of a feature too; choose another")
        of = [features[j].category for j in block.columns]
        named = [written(value) for c in of if c is not None and not c.others for value in c.values]
        rest = [c for c in of if c is not None and c.others]
        if len(rest) > 1:
            problems.append(f"features.{block.columns[0]}.name: {block.name} is named twice")
            continue
        alike = len({c.column for c in of if c is not None}) == len({features[j].weight for j in block.columns}) == len(rest) == 1
        if not alike or len(set(named)) != len(named) or {*map(written, rest[0].values)} != {*named}:
            problems.append(f"features.{block.columns[0]}.category: it is made by an entry of kind: categories; write that")
    return problems
