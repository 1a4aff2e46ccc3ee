"""The demo's customer base: python scripts/generate_demo.py --out DIR [--customers N] [--seed S].

Three Delta tables, the same for the same seed whatever the number of cores, since every draw is a hash of the id:

- customers: id, age, gender, region, sign-up date, and e-mail and name, which no plan may use.
- transactions: about 11 a customer, from 2025-11-01 to 2026-10-31.
- consent: who said yes to loyalty_offers or newsletter; withdrawals, same-second ties, expired grants, silence.

Five kinds of customers are hidden in it: loyal big spenders, frequent small baskets, online bargain hunters, seasonal
buyers and lapsed ones. One group is treated unevenly: women are half as often among the loyal big spenders as men, and
people of 65 and over twice as often among the lapsed.
"""

from __future__ import annotations

import argparse
import math
import sys

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from evenhand.cli.spark import session
from evenhand.cli.talk import Talk

LAST_DAY = "2026-10-31"
STEPS = 1_000_003  # a prime, so that hashes spread evenly
# Kind: share among (men, women), purchases a year, days since the last one, EUR a purchase, share bought online.
KINDS = {
    "loyal": ((0.24, 0.12), 26, 8, 110.0, 0.35),
    "frequent": ((0.20, 0.26), 30, 6, 18.0, 0.10),
    "online": ((0.22, 0.26), 9, 30, 35.0, 0.93),
    "seasonal": ((0.20, 0.22), 3, 120, 95.0, 0.45),
    "lapsed": ((0.14, 0.14), 1, 290, 40.0, 0.30),
}
SENIOR_LAPSED = 0.16  # that share of people of 65 and over has lapsed on top of the others


def main() -> None:
    parser = argparse.ArgumentParser(description="Generate the demo tables.")
    parser.add_argument("--out", required=True)
    parser.add_argument("--customers", type=int, default=300_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    if options.customers < 1:
        sys.exit("generate_demo: --customers must be at least 1")
    talk = Talk(as_json=False)
    with talk.at("warning"):
        spark = session("demo data", talk)
    people = _people(spark, options.customers, options.seed)
    for name, rows in {
        "customers": _customers(people),
        "transactions": _transactions(people),
        "consent": _consent(people),
    }.items():
        rows.write.format("delta").mode("overwrite").save(f"{options.out}/{name}")


def uniform(*of: Column | str) -> Column:
    """A number in (0, 1) that depends on these values only."""
    return (F.pmod(F.xxhash64(*[F.col(c) if isinstance(c, str) else c for c in of]), F.lit(STEPS)) + 0.5) / STEPS


def normal(*of: Column | str) -> Column:
    """Box and Muller, 1958."""
    one, two = uniform(*of, F.lit("a")), uniform(*of, F.lit("b"))
    return F.sqrt(-2.0 * F.log(one)) * F.cos(two * 2.0 * math.pi)


def _people(spark: SparkSession, count: int, seed: int) -> DataFrame:
    people = spark.range(0, count, 1, 8).withColumn("seed", F.lit(seed))

    def draw(what: str) -> Column:
        return uniform("id", "seed", F.lit(what))

    people = people.select(
        "*",
        F.least(F.greatest((F.lit(47.0) + normal("id", "seed", F.lit("age")) * 17).cast("int"), F.lit(18)), F.lit(95)).alias(
            "age"
        ),
        F.when(draw("gender") < 0.49, "male").when(draw("gender") < 0.985, "female").otherwise("other").alias("gender"),
        draw("kind").alias("lot"),
    )
    kind = F.lit("lapsed")
    bound = [0.0, 0.0]
    choices = []
    for name, (shares, *_) in KINDS.items():
        bound = [b + s for b, s in zip(bound, shares, strict=True)]
        choices.append((name, F.when(F.col("gender") == "male", bound[0]).otherwise(bound[1])))
    for name, up_to in reversed(choices[:-1]):
        kind = F.when(F.col("lot") < up_to, name).otherwise(kind)
    senior_lapsed = (F.col("age") >= 65) & (draw("senior") < SENIOR_LAPSED)
    return people.withColumn("kind", F.when(senior_lapsed, "lapsed").otherwise(kind))


def _by_kind(position: int) -> Column:
    value = F.lit(None).cast("double")
    for name, row in KINDS.items():
        value = F.when(F.col("kind") == name, float(row[position])).otherwise(value)
    return value


def _id() -> Column:
    return F.format_string("C%07d", F.col("id")).alias("customer_id")


def _customers(people: DataFrame) -> DataFrame:
    regions = F.array(*[F.lit(r) for r in ("north", "east", "south", "west", "abroad")])
    return people.select(
        _id(),
        F.format_string("customer%d@example.org", F.col("id")).alias("email"),
        F.format_string("Name %d", F.col("id")).alias("full_name"),
        "age",
        "gender",
        F.element_at(regions, (uniform("id", "seed", F.lit("region")) * 5 + 1).cast("int")).alias("region"),
        F.date_sub(F.lit(LAST_DAY).cast("date"), (uniform("id", "seed", F.lit("since")) * 2500).cast("int")).alias("signup_date"),
    )


def _transactions(people: DataFrame) -> DataFrame:
    yearly = _by_kind(1) * F.exp(normal("id", "seed", F.lit("count")) * 0.35)
    rows = people.withColumn("n", F.greatest(F.round(yearly).cast("int"), F.lit(1)))
    rows = rows.withColumn("number", F.explode(F.sequence(F.lit(1), F.col("n"))))

    def draw(what: str) -> Column:
        return uniform("id", "seed", "number", F.lit(what))

    last = -_by_kind(2) * F.log(uniform("id", "seed", F.lit("last")) * 0.9 + 0.05)
    last = F.when(F.col("kind") == "lapsed", 200 + uniform("id", "seed", F.lit("last")) * 160).otherwise(last)
    last = F.least(last, F.lit(360.0))
    days = F.when(F.col("number") == 1, last).otherwise(last + draw("day") * (F.lit(363.0) - last))
    seconds = F.unix_timestamp(F.lit(f"{LAST_DAY} 20:00:00").cast("timestamp")) - (days * 86_400).cast("bigint")
    return rows.select(
        _id(),
        F.timestamp_seconds(seconds).alias("purchased_at"),
        F.round(_by_kind(3) * F.exp(normal("id", "seed", "number", F.lit("amount")) * 0.45), 2).alias("amount"),
        F.when(draw("online") < _by_kind(4), F.when(draw("app") < 0.5, "app").otherwise("web"))
        .otherwise("store")
        .alias("channel"),
        (draw("returned") < 0.04).alias("returned"),
    )


def _consent(people: DataFrame) -> DataFrame:
    lot = uniform("id", "seed", F.lit("consent"))
    asked = F.lit("2025-06-01 09:00:00").cast("timestamp")

    def event(who: Column, purpose: str, state: str, later: str, expires: str | None = None) -> DataFrame:
        return people.where(who).select(
            _id(),
            F.lit(purpose).alias("purpose"),
            F.lit(state).alias("state"),
            F.lit("1.0").alias("notice_version"),
            (asked + F.expr(f"INTERVAL {later}")).alias("recorded_at"),
            F.lit(expires).cast("timestamp").alias("expires_at"),
            F.lit("website").alias("source"),
        )

    events = [
        event(lot < 0.86, "loyalty_offers", "granted", "0 seconds"),
        event(lot < 0.05, "loyalty_offers", "withdrawn", "200 days"),
        event((lot >= 0.05) & (lot < 0.06), "loyalty_offers", "withdrawn", "0 seconds"),  # the same second: a no
        event((lot >= 0.06) & (lot < 0.08), "loyalty_offers", "granted", "30 days", "2026-01-01"),  # has run out
        event((lot >= 0.86) & (lot < 0.92), "loyalty_offers", "withdrawn", "0 seconds"),
        event(lot > 0.5, "newsletter", "granted", "10 days"),
    ]
    rows = events[0]
    for more in events[1:]:
        rows = rows.unionByName(more)
    return rows


if __name__ == "__main__":
    main()
