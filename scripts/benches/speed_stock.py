"""The peer: the same job as a good Spark engineer writes it with stock MLlib, without privacy.

Same tables, same columns, the consent rule in its fast form, features clipped and scaled by the same bounds, the
training rows cached, MLlib KMeans (maxIter 20), transform, sha2, write, counts of group by segment.
"""

from __future__ import annotations

import json
import sys
import time

from pyspark.ml.clustering import KMeans
from pyspark.ml.feature import VectorAssembler
from pyspark.sql import functions as F

from evenhand.spark.session import start
from measure import peak_memory
from speed_data import FEATURES, UPPER

K = 8


def main(folder: str, out: str, as_of: str) -> None:
    spark = start("stock pipeline")
    clock = [time.perf_counter()]
    names = [f"f{j:02d}" for j in range(FEATURES)]
    moment = F.lit(as_of).cast("timestamp")
    events = spark.read.format("delta").load(f"{folder}/consent")
    latest = (
        events.where((F.col("purpose") == "offers") & (F.col("recorded_at") <= moment))
        .groupBy("customer_id")
        .agg(F.max(F.unix_micros("recorded_at") * 2 + (F.col("state") != "granted").cast("bigint")).alias("latest"))
    )
    allowed = latest.where(F.col("latest") % 2 == 0).select("customer_id")
    customers = spark.read.format("delta").load(f"{folder}/customers").select("customer_id", *names, "region")
    scaled = [(F.least(F.greatest(F.col(n), F.lit(0.0)), F.lit(UPPER)) / UPPER).alias(n) for n in names]
    rows = customers.join(allowed, "customer_id", "left_semi").select("customer_id", "region", *scaled)
    training = VectorAssembler(inputCols=names, outputCol="features").transform(rows).persist()
    training.count()
    clock.append(time.perf_counter())
    model = KMeans(k=K, maxIter=20, seed=1).fit(training)
    clock.append(time.perf_counter())
    segments = model.transform(training).select(
        F.sha2(F.concat(F.lit("pepper"), F.col("customer_id").cast("string")), 256).alias("pseudonym"), "prediction", "region"
    )
    segments.drop("region").write.format("delta").mode("overwrite").save(f"{out}/segments")
    clock.append(time.perf_counter())
    counts = model.transform(training).groupBy("prediction", "region").count()
    counts.coalesce(1).write.format("delta").mode("overwrite").save(f"{out}/counts")
    clock.append(time.perf_counter())
    names_of_steps = ("prepare", "fit", "transform and write", "counts")
    steps = {name: end - begin for name, begin, end in zip(names_of_steps, clock, clock[1:], strict=False)}
    result = {
        "steps": steps,
        "training": steps["fit"],
        "whole": clock[-1] - clock[0],
        "memory": peak_memory(spark),
        "iterations": model.summary.numIter,
        "centers": [c.tolist() for c in model.clusterCenters()],
    }
    with open(f"{out}.json", "w", encoding="utf-8") as file:
        json.dump(result, file)


if __name__ == "__main__":
    main(*sys.argv[1:4])
