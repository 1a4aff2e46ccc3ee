"""A say: what people answered in a survey about the use of their data, counted by segment through the door, in waves."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from pyspark.sql import DataFrame, SparkSession

from evenhand.ask.answers import answer_counts, answer_shares
from evenhand.erasure.listed import heeding
from evenhand.errors import ArgumentError
from evenhand.job.arguments import checked_id, checked_noise
from evenhand.people.published import PublishedRun, newest_published, plan_of_page, published_run, require_kept
from evenhand.people.waves import ASK_SURVEY, SURVEY_COUNTED, Wave, begun, door_of, gone_on, new_id, refuse_begun, refuse_taken
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
from evenhand.records.audit import AuditLog, known_keys
from evenhand.records.lease import held
from evenhand.records.opened import opened
from evenhand.report.page import write_report
from evenhand.rows.answers import feedback_rows, read_before
from evenhand.sources.open import answers_named, answers_today, vanished_files_named
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
        before = begun(entries, wave_id)
        if before is None:
            refuse_taken(store, wave_id)
            newest = run_id or newest_published(store, plan, entries)
            wave = Wave(wave_id, asked, plan.wave_budget(asked), newest, datetime.now(UTC))
        else:
            wave = gone_on(before, wave_id, plan, asked, run_id)
        run = published_run(store, plan, wave.about)
        if store.rows(FEEDBACK, wave_id) is None:
            require_kept(run, entries)
            _Count(plan, wave, asked, run, store, audit, known_keys(entries), is_new=before is None).do(source, say)
        else:
            say(f"wave {wave_id} is counted already; nothing was computed or spent again")
        audit.add_once(wave_id, SURVEY_COUNTED, {})
        write_report(store, plan_of_page(run, plan), run.learned.run_id)
    return wave_id


@dataclass(frozen=True)
class _Count:
    """One wave, from the answers to the table; `known` has the check value of each key."""

    plan: Plan
    wave: Wave
    survey: Survey
    run: PublishedRun
    store: Store
    audit: AuditLog
    known: Mapping[str, str]
    is_new: bool

    def do(self, noise: NoiseSource, say: Callable[[str], None]) -> None:
        """Raises before anything is spent where a key, a source or the budget is not there."""
        plan, wave, store, survey = self.plan, self.wave, self.store, self.survey
        key, spark = key_of(plan, self.run.key_id, self.known), store.spark
        today = answers_today(spark, plan, survey)
        question = answer_counts(survey, len(self.run.centers), wave.epsilon, wave.fingerprint)
        door = door_of(store, self.audit, plan, wave, noise, question, self.is_new)
        with held(store, wave.wave_id) as lease, answers_named(survey), vanished_files_named(spark, self._of_wave, today):
            if self.is_new:
                refuse_begun(self.audit, wave.wave_id, lease)
                self.audit.add(wave.wave_id, ASK_SURVEY, wave.begins(plan, today.versions))
            say(f"wave {wave.wave_id}: if it is cut off, start it again with --wave {wave.wave_id}")
            heeded = self._heeded(today)
            lease.require()
            (release,) = door.release(self._by_segment(heeded, key), question)
            store.write(INPUT_QUALITY, answers_quality(heeded, survey, self._of_wave, wave.as_of), wave.wave_id)
            before = read_before(store, survey, plan.name, self.run.learned.run_id, wave.as_of)
            shares = answer_shares(release, survey, plan.privacy.minimum_cell)
            lease.require()
            # Last: its rows say that all is there.
            store.write(FEEDBACK, feedback_rows(shares, survey, plan.name, self.run.run_id, wave.as_of, before), wave.wave_id)

    @property
    def _of_wave(self) -> Plan:
        return for_survey(self.plan, self.survey)

    def _heeded(self, today: Sources) -> Sources:
        """The sources with an objection of whoever was erased, to the plan's purpose and to the survey's, and without what is withheld."""
        now = datetime.now(UTC)
        for purpose in (self.plan, self._of_wave):
            today = heeding(today, purpose, self.store, self.known, now)
        return as_permitted(today, self._of_wave, timestamp(now))

    def _by_segment(self, today: Sources, key: Key) -> DataFrame:
        """Restricted: segment, question and option, one row a person and question, of those who may be used for both purposes at this moment."""
        now, survey = timestamp(datetime.now(UTC)), self.survey
        allowed = with_ids(today, self._of_wave)
        for purpose in (self.plan, self._of_wave):
            allowed = may_be_used(allowed, today.consent, purpose, now)
        answers = latest_answers(today.events[survey.name], survey, self.wave.as_of).join(allowed.select(ID), ID, "left_semi")
        under_key = with_pseudonym(answers, pads_of(self.plan, key).table(self.store.spark), key.key_id)
        segments = self.store.read(SEGMENTS, self.wave.about).select("pseudonym", "segment")
        return under_key.join(segments, "pseudonym").select("segment", "question", "option")


def _survey_named(plan: Plan, name: str) -> Survey:
    surveys = {survey.name: survey for survey in plan.surveys}
    if name not in surveys:
        raise ArgumentError(f"--survey: the plan names no survey {name}; it names {', '.join(surveys) or 'none'}")
    return surveys[name]
