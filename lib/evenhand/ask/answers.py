"""How many people chose each option of a survey's questions, by segment, and the shares that follow; noisy, empty cells too."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from evenhand.plan.surveys import Survey, SurveyQuestion
from evenhand.privacy.intervals import LEVEL, Estimate, share_bounds
from evenhand.privacy.question import Integers, Part, Question
from evenhand.privacy.release import Release
from evenhand.privacy.sample import Sample, counted
from evenhand.privacy.suppression import suppressed_cells

ANSWERS = "answers"
WHY = "a customer is in one segment and has one answer to a question, or none"
KEYS = "segment", "question", "option"


def answer_counts(survey: Survey, k: int, epsilon: float, about: str = "") -> Question:
    """People by segment and option, a part a question, each at its part of `epsilon`; `about` is what the segments and answers are of.

    A customer is in one cell of a part at most, so L1 sensitivity 1. Asked of rows with `segment` from 1, `question` from 0 and `option` from 1, one a
    person and question at most; a sample has the segment and the option of each question, 0 for none, as its groups.
    """
    questions = survey.questions
    parts = tuple(Part(q.name, k * len(q.options), 1, epsilon / len(questions), WHY) for q in questions)

    def in_spark(answers: DataFrame) -> DataFrame:
        return answers.groupBy(*KEYS).agg(F.count("*").alias("n"))

    def in_numpy(people: Sample) -> pa.Table:
        options = people.groups[:, 1:]
        person, question = np.nonzero(options)
        found = people.groups[person, 0], question, options[person, question]
        return counted(dict(zip(KEYS, found, strict=True)))

    def vectors(table: pa.Table) -> Mapping[str, Integers]:
        return _vectors(table, k, questions)

    return Question(ANSWERS, parts, in_spark, in_numpy, vectors, of_sources=True, about=about)


def _vectors(table: pa.Table, k: int, questions: list[SurveyQuestion]) -> Mapping[str, Integers]:
    columns = [table[name].to_numpy().astype(np.int64) for name in (*KEYS, "n")]
    found = {}
    for position, question in enumerate(questions):
        full = np.zeros((k, len(question.options)), dtype=np.int64)
        segment, _, option, n = (column[columns[1] == position] for column in columns)
        full[segment - 1, option - 1] = n
        found[question.name] = full.ravel()
    return found


@dataclass(frozen=True)
class AnswerShare:
    """How many of a segment chose an option, and their share of those in it who answered the question; intervals hold for the noise, with 95 % each.

    None of it is to be shown where it is `suppressed`.
    """

    question: str
    option: str
    segment: int
    count: Estimate
    share: Estimate
    suppressed: bool


def answer_shares(release: Release, survey: Survey, minimum: int) -> Iterator[AnswerShare]:
    """Post-processing: every question, segment and option, in this order. Counts below the `minimum`, and those that would give one away
    with it, are suppressed.
    """
    for question in survey.questions:
        noise, reach = release.noise(question.name), release.noise(question.name).half_width(LEVEL)
        table = release[question.name].reshape(-1, len(question.options)).astype(np.float64)
        for segment, noisy in enumerate(table, 1):
            hidden, (low, high) = suppressed_cells((noisy < minimum)[None], noisy[None])[0], share_bounds(noisy, noise)
            clipped = np.maximum(noisy, 0.0)
            shares = clipped / np.maximum(clipped + np.maximum(noisy.sum() - noisy, 0.0), 1.0)
            for j, option in enumerate(question.option_names):
                count = Estimate(clipped[j], max(noisy[j] - reach, 0.0), max(noisy[j] + reach, 0.0))
                yield AnswerShare(question.name, option, segment, count, Estimate(shares[j], low[j], high[j]), bool(hidden[j]))
