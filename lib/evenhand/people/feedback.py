"""A say: what people answered in a survey about the use of their data, counted by segment through the door, in waves."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from evenhand.ask.answers import answer_counts, answer_shares
from evenhand.erasure.listed import heeding
from evenhand.errors import ArgumentError
from evenhand.job.arguments import checked_id, checked_noise
from evenhand.people.published import newest_published, published_run, require_kept
from evenhand.people.waves import ASK, COUNTED, Wave, begun, gone_on, new_id, refuse_taken
from evenhand.plan.columns import for_survey
from evenhand.plan.data import Key
from evenhand.plan.load import checked_plan
from evenhand.plan.models import Plan
from evenhand.plan.surveys import Survey
from evenhand.prepare.answers import answers_quality, latest_answers
from evenhand.prepare.consent import ID, may_be_used
from evenhand.prepare.customers import timestamp, with_ids
from evenhand.prepare.keys import key_of, pads_of
from evenhand.prepare.pseudonym import with_pseudonym
from evenhand.prepare.sources import Sources
from evenhand.prepare.withheld import as_permitted
from evenhand.privacy.noise import NoiseSource, OpenDPNoise
from evenhand.privacy.release import Door
from evenhand.records.account import Loss
from evenhand.records.audit import known_keys
from evenhand.records.lease import held
from evenhand.records.ledger import Ledger
from evenhand.records.opened import opened
from evenhand.rows.answers import feedback_rows
from evenhand.sources.open import people_of, survey_named, survey_today, vanished_files_named
from evenhand.tables.catalog import FEEDBACK, INPUT_QUALITY, SEGMENTS
from evenhand.tables.store import Store


def feedback(
    plan: Plan,
    spark: SparkSession,
    survey: str,
    *,
    run_id: str | None = None,
    wave_id: str | None = None,
    noise: NoiseSource | None = None,
    say: Callable[[str], None] = lambda line: None,
) -> str:
    """Count the latest answers by segment of a published run (the last one unless named); hands back the wave's id.

    Whoever did not consent to the survey's purpose, or may not be used for the plan's any more, does not count. Started again under
    `wave_id` it goes on where it stopped, with the numbers that were released, and is not charged again.

    Raises:
        EvenhandError: one line; nothing was published.
    """
    plan, source = checked_plan(plan), OpenDPNoise() if noise is None else checked_noise(noise)
    asked = _survey_named(plan, survey)
    run_id = None if run_id is None else checked_id(run_id)
    wave_id = new_id(asked) if wave_id is None else checked_id(wave_id)
    left = f"start it again with --wave {wave_id}, and it goes on at no further charge"
    with opened(plan, spark, "feedback", left) as (store, audit):
        entries = audit.check()
        known, before = known_keys(entries), begun(entries, wave_id)
        if before is None:
            refuse_taken(store, wave_id)
            newest = run_id or newest_published(store, plan, entries)
            wave = Wave(wave_id, asked, plan.survey_budget(asked), newest, datetime.now(UTC))
        else:
            wave = gone_on(before, wave_id, plan, asked, run_id)
        if store.rows(FEEDBACK, wave_id) is not None:
            audit.add_once(wave_id, COUNTED, {})  # cut off just before it
            say(f"wave {wave_id} is counted already; nothing was computed or spent again")
            return wave_id
        run = published_run(store, plan, wave.segments_of)
        require_kept(run, entries)
        key = key_of(plan, run.key_id, known)
        today = survey_today(spark, plan, asked)
        # Pure ε whatever the plan's noise, so it is a spending of its own.
        privacy = plan.privacy.model_copy(update={"epsilon": wave.epsilon, "delta": None})
        ledger = Ledger(store, audit, privacy, people_of(spark, plan), source.private)
        ledger.refuse(wave_id, Loss(wave.epsilon))
        with held(store, wave_id) as lease, survey_named(asked), vanished_files_named(spark, for_survey(plan, asked), today):
            if before is None:
                audit.add(wave_id, ASK, wave.begins(plan, today.versions))
            say(f"wave {wave_id}: if it is cut off, start it again with --wave {wave_id}")
            heeded = _heeded(today, plan, asked, store, known)
            question = answer_counts(asked, len(run.centers), wave.epsilon, wave.fingerprint)
            door = Door(store, ledger, source, wave_id, {question.name: question.cost}, before is not None)
            lease.require()
            (release,) = door.release(_by_segment(heeded, wave, plan, key, store), question)
            shares = answer_shares(release, asked, plan.privacy.minimum_cell)
            store.write(INPUT_QUALITY, answers_quality(heeded, asked, for_survey(plan, asked), wave.as_of), wave_id)
            lease.require()
            store.write(FEEDBACK, feedback_rows(shares, asked, plan.name, run.run_id, wave.as_of), wave_id)  # last: all is there
            audit.add_once(wave_id, COUNTED, {})
    return wave_id


def _survey_named(plan: Plan, name: str) -> Survey:
    surveys = {survey.name: survey for survey in plan.surveys}
    if name not in surveys:
        raise ArgumentError(f"--survey: the plan names no survey {name}; it names {', '.join(surveys) or 'none'}")
    return surveys[name]


def _heeded(today: Sources, plan: Plan, survey: Survey, store: Store, known: Mapping[str, str]) -> Sources:
    """The sources with an objection of whoever was erased, to the plan's purpose and to the survey's, and without what is withheld."""
    now, of_wave = datetime.now(UTC), for_survey(plan, survey)
    for purpose in (plan, of_wave):
        today = heeding(today, purpose, store, known, now)
    return as_permitted(today, of_wave, timestamp(now))


def _by_segment(today: Sources, wave: Wave, plan: Plan, key: Key, store: Store) -> DataFrame:
    """Restricted: segment, question and option, one row a person and question, of those who may be used for both purposes at this moment."""
    now, of_wave = timestamp(datetime.now(UTC)), for_survey(plan, wave.survey)
    allowed = with_ids(today, of_wave)
    for purpose in (plan, of_wave):
        allowed = may_be_used(allowed, today.consent, purpose, now)
    answers = latest_answers(today.events[wave.survey.name], wave.survey, wave.as_of).join(allowed.select(ID), ID, "left_semi")
    under_key = with_pseudonym(answers, pads_of(plan, key).table(store.spark), key.key_id)
    segments = store.read(SEGMENTS).where(F.col("run_id") == wave.segments_of).select("pseudonym", "segment")
    return under_key.join(segments, "pseudonym").select("segment", "question", "option")
