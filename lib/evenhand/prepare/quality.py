"""What was wrong with the input, counted where only the restricted zone sees it."""

from __future__ import annotations

from functools import reduce

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from evenhand.plan.models import Plan
from evenhand.prepare.consent import has_id
from evenhand.prepare.customers import identified
from evenhand.tables.sources import Sources


def input_quality(prepared: DataFrame, sources: Sources, plan: Plan) -> DataFrame:
    """Restricted: item, finding, count. Imputed and clipped values by feature, rows without an id by source."""
    masks = prepared.groupBy("imputed", "clipped").agg(F.count("*").alias("n"))
    by_feature = [
        F.sum(F.when(F.col(finding).bitwiseAND(F.lit(1 << j).cast("bigint")) != 0, F.col("n")).otherwise(0)).alias(
            f"{finding}_{j}"
        )
        for finding in ("imputed", "clipped")
        for j in range(len(plan.features))
    ]
    labels = [(f.name, finding) for finding in ("imputed", "clipped") for f in plan.features]
    one_row = masks.agg(*by_feature)
    pairs = [
        F.struct(F.lit(item).alias("item"), F.lit(finding).alias("finding"), F.col(c).cast("bigint").alias("count"))
        for (item, finding), c in zip(labels, one_row.columns, strict=True)
    ]
    features = one_row.select(F.inline(F.array(*pairs)))
    return reduce(DataFrame.unionByName, [features, *_without_id(sources, plan)])


def _without_id(sources: Sources, plan: Plan) -> list[DataFrame]:
    tables = [("customers", sources.customers, plan.sources.customers.id), ("consent", sources.consent, plan.sources.consent.id)]
    tables += [(name, sources.events[name], source.id) for name, source in plan.sources.events.items()]
    ids = [(name, identified(rows.select(f"`{column}`"), column)) for name, rows, column in tables]
    return [
        rows.where(~has_id(rows))
        .agg(F.count("*").alias("count"))
        .select(F.lit(name).alias("item"), F.lit("id missing or empty").alias("finding"), "count")
        for name, rows in ids
    ]
