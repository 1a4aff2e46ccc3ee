"""What came of an offer: responses of those whom an activation reached and held back, by segment and protected group, through the door."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as F

from evenhand.ask.outcomes import outcome_counts, outcome_tables, read_outcomes
from evenhand.erasure.listed import heeding
from evenhand.errors import ArgumentError
from evenhand.job.arguments import checked_id, checked_noise
from evenhand.people.published import PublishedRun, plan_of_page, published_run, require_kept
from evenhand.people.recall import header_of
from evenhand.people.waves import ASK_OUTCOME, OUTCOME_COUNTED, Wave, begun, door_of, gone_on, new_id, refuse_begun, refuse_taken
from evenhand.plan.columns import for_outcome
from evenhand.plan.data import Key
from evenhand.plan.load import checked_plan
from evenhand.plan.models import Plan
from evenhand.plan.outcomes import Outcome
from evenhand.prepare.consent import ID, may_be_used
from evenhand.prepare.customers import timestamp, with_ids
from evenhand.prepare.keys import key_of, pads_of
from evenhand.prepare.outcomes import OPTION, farthest_responses, responses_quality
from evenhand.prepare.pseudonym import with_pseudonym
from evenhand.prepare.sources import Sources
from evenhand.prepare.withheld import as_permitted
from evenhand.privacy.noise import NoiseSource, OpenDPNoise
from evenhand.privacy.release import Release
from evenhand.records.audit import AuditLog, known_keys
from evenhand.records.lease import held
from evenhand.records.opened import opened
from evenhand.report.page import write_report
from evenhand.rows.outcomes import outcome_rows, verdict_rows
from evenhand.sources.open import answers_named, answers_today, vanished_files_named
from evenhand.tables.catalog import ACTIVATED, INPUT_QUALITY, OUTCOME_RATES, OUTCOME_VERDICTS, PREPARED
from evenhand.tables.store import Store


def outcomes(
    plan: Plan,
    spark: SparkSession,
    outcome: str,
    activation_id: str,
    *,
    wave_id: str | None = None,
    noise: NoiseSource | None = None,
    say: Callable[[str], None] = lambda line: None,
) -> str:
    """Count the farthest response of everybody whom an activation handed out or held back; hands back the wave's id.

    Whoever may not be used any more does not count. Started again under `wave_id` it goes on where it stopped, and is not charged again.

    Raises:
        EvenhandError: one line; nothing was published.
    """
    plan, source = checked_plan(plan), OpenDPNoise() if noise is None else checked_noise(noise)
    asked = _outcome_named(plan, outcome)
    activation_id, wave_id = checked_id(activation_id), new_id(asked) if wave_id is None else checked_id(wave_id)
    left = f"start it again with --wave {wave_id}, and it goes on at no further charge"
    with opened(plan, spark, "outcomes", left) as (store, audit):
        entries = audit.check()
        before = begun(entries, wave_id)
        if before is None:
            refuse_taken(store, wave_id)
            wave = Wave(wave_id, asked, plan.wave_budget(asked), activation_id, datetime.now(UTC))
        else:
            wave = gone_on(before, wave_id, plan, asked, activation_id)
        header = header_of(store, activation_id)
        run = published_run(store, plan, header.run_id)
        if store.rows(OUTCOME_RATES, wave_id) is None:
            require_kept(run, entries, PREPARED)
            _Count(plan, wave, asked, header, run, store, audit, known_keys(entries), is_new=before is None).do(source, say)
        else:
            say(f"wave {wave_id} is counted already; nothing was computed or spent again")
        audit.add_once(wave_id, OUTCOME_COUNTED, {})
        write_report(store, plan_of_page(run, plan), run.learned.run_id)
    return wave_id


@dataclass(frozen=True)
class _Count:
    """One wave, from the responses to the tables; `known` has the check value of each key, `header` the activation's row."""

    plan: Plan
    wave: Wave
    outcome: Outcome
    header: Row
    run: PublishedRun
    store: Store
    audit: AuditLog
    known: Mapping[str, str]
    is_new: bool

    def do(self, noise: NoiseSource, say: Callable[[str], None]) -> None:
        """Raises before anything is spent where a key, a source or the budget is not there."""
        plan, wave, store, asked = self.plan, self.wave, self.store, self.outcome
        key, of_wave = key_of(plan, self.run.key_id, self.known), for_outcome(plan, asked)
        today = answers_today(store.spark, plan, asked)
        question = outcome_counts(self.run.plan, len(self.run.centers), len(asked.options), wave.epsilon, wave.fingerprint)
        door = door_of(store, self.audit, plan, wave, noise, question, self.is_new)
        with held(store, wave.wave_id) as lease, answers_named(asked), vanished_files_named(store.spark, of_wave, today):
            if self.is_new:
                refuse_begun(self.audit, wave.wave_id, lease)
                self.audit.add(wave.wave_id, ASK_OUTCOME, wave.begins(plan, today.versions))
            say(f"wave {wave.wave_id}: if it is cut off, start it again with --wave {wave.wave_id}")
            lease.require()
            (release,) = door.release(self._reached(today, key), question)
            findings = responses_quality(today, asked, of_wave, wave.as_of)
            store.write(INPUT_QUALITY, findings, wave.wave_id)
            lease.require()
            self._write(release)

    def _reached(self, today: Sources, key: Key) -> DataFrame:
        """Restricted: one row a person of the activation who may be used at this moment: segment, held_back, option (0: none), groups."""
        now, of_wave, store = datetime.now(UTC), for_outcome(self.plan, self.outcome), self.store
        today = as_permitted(heeding(today, self.plan, store, self.known, now), of_wave, timestamp(now))
        since = datetime.fromtimestamp(self.header.moment / 1_000_000, UTC)
        found = farthest_responses(today.events[self.outcome.name], self.outcome, since, self.wave.as_of)
        allowed = may_be_used(with_ids(today, of_wave), today.consent, self.plan, timestamp(now)).select(ID).distinct()
        people = allowed.join(found, ID, "left").select(ID, F.coalesce(OPTION, F.lit(0)).alias(OPTION))
        under_key = with_pseudonym(people, pads_of(self.plan, key).table(store.spark), key.key_id)
        register = (
            store.read(ACTIVATED).where(F.col("activation_id") == self.wave.about).select("pseudonym", "segment", "held_back")
        )
        names = self.run.plan.attribute_names
        groups = store.read(PREPARED, self.run.run_id).select("pseudonym", *names)
        joined = register.join(under_key.select("pseudonym", OPTION), "pseudonym").join(groups, "pseudonym")
        return joined.select("segment", "held_back", OPTION, *names)

    def _write(self, release: Release) -> None:
        plan, wave, asked, store = self.plan, self.wave, self.outcome, self.store
        tables = outcome_tables(self.run.plan, len(self.run.centers))
        noisy = {t.name: read_outcomes(release, t, len(asked.options)) for t in tables}
        noises = {t.name: release.noise(t.name) for t in tables}
        said = {
            "plan_name": plan.name,
            "outcome": asked.name,
            "activation_id": wave.about,
            "offer": self.header.offer,
            "segments_of": self.run.run_id,
            "as_of": wave.as_of,
        }
        store.write(OUTCOME_VERDICTS, verdict_rows(tables, noisy, noises, asked, plan, said), wave.wave_id)
        store.write(
            OUTCOME_RATES, outcome_rows(tables, noisy, noises, asked, plan, said), wave.wave_id
        )  # last: it says that all is there


def _outcome_named(plan: Plan, name: str) -> Outcome:
    found = {outcome.name: outcome for outcome in plan.outcomes}
    if name not in found:
        raise ArgumentError(f"--outcome: the plan names no outcome {name}; it names {', '.join(found) or 'none'}")
    return found[name]
