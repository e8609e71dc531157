"""New themes: complaints that training does not explain, found in uploads, in the lists and in the report, and in nothing else."""

from __future__ import annotations

import io
import random
from datetime import UTC, datetime
from typing import IO

import numpy as np
import pytest
from complaint_model import features
from complaint_model.fit import fit
from complaint_model.records import Rows
from complaint_model.scoring import score
from complaint_model.settings import Settings
from complaint_model.term_profile import learn_term_profile, to_bytes
from complaints_etl.publish.join import ANSWER, Run, join_answers, predictions
from complaints_etl.publish.model_terms import find_terms
from complaints_etl.publish.review import review_list
from complaints_etl.publish.theme_rows import mark_themes, search_themes
from complaints_etl.publish.themes import Candidate, Profile, find_themes, log_upper_tail, read_profile, summary
from pyspark.sql import SparkSession
from scipy.special import betainc

from ptmlops.generator import complaints

RUN = Run(
    run_id="20261124-100000-abcdef01", model_version="3", answered_at=datetime(2026, 11, 24, 10, 5, tzinfo=UTC), audit_sample=2
)
NEW_LABEL = "card_delivery"
USUAL = ("cobro", "cuota", "banco", "cuenta", "línea", "agencia", "crédito", "interés", "seguro", "pago", "saldo", "cliente")


def seeded(seed: int) -> random.Random:
    return random.Random(seed)  # noqa: S311 - test data


def usual_text(draw: random.Random) -> str:
    return " ".join(draw.choices(USUAL, k=12))


def profile_of(texts: list[str], confidence: float = 0.6) -> Profile:
    rows = Rows(texts, ["a"] * len(texts), [str(index) for index in range(len(texts))])
    # All rows have the same confidence, so all are counted.
    found = read_profile(to_bytes(learn_term_profile(rows, np.full(len(texts), confidence))))
    assert found is not None
    return found


def upload(texts: list[str]) -> list[Candidate]:
    return [Candidate(group_id=str(index), text=text) for index, text in enumerate(texts)]


@pytest.fixture(scope="module")
def known() -> Profile:
    draw = seeded(1)
    return profile_of([usual_text(draw) for _ in range(400)])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("Pagué $1,234 a <NAME> y el señor <ID_NUMBER> no devolvió NADA", "accents, capitals, an amount, masks"),
        ("it's XXXX'x XX/XX/2021, don’t o_o re-charged", "apostrophes, masks of the CFPB, underscores, hyphens"),
        ("我的卡 没有到 12 天 قرض бан­к 한국어 카드", "ideographs, Arabic, a soft hyphen, Hangul"),
        ("ﬁnanciación Ⅳ x xx xxx <b> <", "a ligature, a Roman numeral, a lone x, brackets"),
        ("", "nothing"),
    ],
)
def test_terms_have_the_models_buckets(text: str, why: str) -> None:
    _, expected, _ = features.count_features([text, "la línea"], max_skip=1, lead_words=0)
    found = find_terms([text, "la línea"])
    buckets = set(found.buckets[found.term].tolist())
    assert buckets <= set(expected.tolist()), why
    # The model also counts numbers and masks, and pairs with them.
    words = find_terms([text.replace("$1,234", "").replace("<NAME>", "")])
    assert set(words.buckets[words.term].tolist()) <= set(expected.tolist()) | buckets | set(words.buckets.tolist()), why


@pytest.mark.parametrize(
    ("least", "draws", "chance"), [(5, 5, 0.2), (12, 40, 0.1), (300, 900, 0.25), (1, 1, 0.5), (0, 3, 0.5)]
)
def test_the_chance_of_a_count_is_the_binomial_tail(least: int, draws: int, chance: float) -> None:
    exact = 1.0 if least == 0 else float(betainc(least, draws - least + 1, chance))
    assert np.exp(log_upper_tail(least, draws, chance)) == pytest.approx(exact, rel=1e-9)


def test_a_chance_below_the_smallest_number_is_still_ordered() -> None:
    assert log_upper_tail(5000, 5000, 0.1) == pytest.approx(5000 * np.log(0.1))


def test_words_that_training_lacks_form_a_theme_with_its_size_and_terms(known: Profile) -> None:
    draw = seeded(2)
    new = [f"{usual_text(draw)} el DRON repartidor {usual_text(draw)}" for _ in range(12)]
    [theme] = find_themes(upload([*(usual_text(draw) for _ in range(100)), *new]), known)
    assert theme.complaints == 12
    assert theme.groups == [str(index) for index in range(100, 112)]
    assert theme.expected == 0
    assert {word for term in theme.terms for word in term.split()} == {"el", "dron", "repartidor"}
    assert theme.example.text in new
    assert summary([theme]) == [{"theme": ", ".join(theme.terms), "complaints": 12, "terms": list(theme.terms)}]


def test_terms_are_shown_with_their_accents(known: Profile) -> None:
    draw = seeded(3)
    new = [f"{usual_text(draw)} {word} {usual_text(draw)}" for word in ("Camión", "camión", "CAMIÓN") for _ in range(5)]
    [theme] = find_themes(upload([*(usual_text(draw) for _ in range(100)), *new]), known)
    assert list(theme.terms) == ["camión"]


def test_an_upload_like_the_training_rows_has_no_theme(known: Profile) -> None:
    draw = seeded(4)
    alarms = [find_themes(upload([usual_text(draw) for _ in range(100)]), known) for _ in range(50)]
    assert not any(alarms)


def test_a_word_of_few_complaints_is_never_shown() -> None:
    draw = seeded(5)
    # Even next to training data that is large enough to make four rows significant.
    large = profile_of([usual_text(draw) for _ in range(20_000)])
    names = [f"{usual_text(draw)} Wenceslao Iturbide" for _ in range(4)]
    assert find_themes(upload([*(usual_text(draw) for _ in range(40)), *names]), large) == []


def test_texts_of_one_template_count_once(known: Profile) -> None:
    draw = seeded(6)
    letter = " ".join(f"considerando{chr(97 + index % 26)}{chr(97 + index // 26)}" for index in range(60))
    campaign = [f"{usual_text(draw)} {letter} {usual_text(draw)}" for _ in range(20)]
    assert find_themes(upload([*(usual_text(draw) for _ in range(100)), *campaign]), known) == []


def test_two_subjects_are_two_themes(known: Profile) -> None:
    draw = seeded(7)
    drones = [f"{usual_text(draw)} dron {usual_text(draw)}" for _ in range(15)]
    ferries = [f"{usual_text(draw)} ferry {usual_text(draw)}" for _ in range(12)]
    themes = find_themes(upload([*(usual_text(draw) for _ in range(100)), *drones, *ferries]), known)
    assert [(theme.number, list(theme.terms), theme.complaints) for theme in themes] == [(1, ["dron"], 15), (2, ["ferry"], 12)]


def test_a_sample_gives_an_estimate_of_the_size(known: Profile) -> None:
    draw = seeded(8)
    new = [f"{usual_text(draw)} dron {usual_text(draw)}" for _ in range(15)]
    [theme] = find_themes(upload([*(usual_text(draw) for _ in range(100)), *new]), known, sampled=0.25)
    assert theme.complaints == 60


def test_near_copies_count_once_in_the_profile() -> None:
    texts = ["una tarjeta perdida"] * 3 + ["otra cosa"]
    found = learn_term_profile(Rows(texts, ["a"] * 4, ["g", "g", "g", "h"]), np.full(4, 0.5))
    assert found.size == 2
    assert found.rows.max() == 1


@pytest.mark.slow
def test_a_label_that_training_lacked_is_found_in_the_first_upload() -> None:
    made = list(complaints(2600, seed=3))
    known_rows = list({made_of.text: made_of for made_of in made if made_of.label != NEW_LABEL}.values())
    new_rows = list({made_of.text: made_of for made_of in made if made_of.label == NEW_LABEL}.values())
    trained, waiting = known_rows[:1500], known_rows[1500:]
    rows = Rows([row.text for row in trained], [row.label for row in trained], [str(index) for index in range(len(trained))])
    model, crossfit = fit(rows, Settings())
    profile = read_profile(to_bytes(learn_term_profile(rows, crossfit.confidence)))
    assert profile is not None

    def themes_of(texts: list[str]) -> list[set[str]]:
        confidence = score(model, texts).confidence
        unsure = [text for text, value in zip(texts, confidence, strict=True) if value <= profile.confidence]
        candidates = [Candidate(group_id=text, text=text) for text in unsure]
        return [set(theme.groups) for theme in find_themes(candidates, profile)]

    usual = [row.text for row in waiting]
    added = {row.text for row in new_rows[:80]}
    assert themes_of(usual) == []
    themes = themes_of([*usual, *sorted(added)])
    assert themes
    found = set.union(*themes)
    assert len(found & added) >= 0.5 * len(found)
    assert len(found & added) >= 0.25 * len(added)


RECORD = (
    "complaint_id string, text string, language string, group_id string, status string, label string, duplicate_of string,"
    "received_at timestamp, source_file string, entities struct<amounts:array<struct<value:decimal(20,2),currency:string>>,"
    "dates:array<date>,references:array<string>,products:array<string>,channels:array<string>>"
)


@pytest.mark.slow
def test_complaints_of_a_theme_are_marked_in_the_table_and_come_together_in_the_review_list(
    spark: SparkSession, known: Profile
) -> None:
    draw = seeded(9)
    texts = [usual_text(draw) for _ in range(60)] + [f"{usual_text(draw)} dron {usual_text(draw)}" for _ in range(12)]
    ids = [f"C{index:03}" for index in range(len(texts))]
    records = [
        (name, text, "es", f"g{name}", "accepted", None, None, None, "a.csv", None)
        for name, text in zip(ids, texts, strict=True)
    ]
    # A near-copy and a duplicate (which the table leaves out) of a complaint of the theme, and a confident answer with the word.
    records += [
        ("near", f"{texts[-1]} adjunto", "es", f"g{ids[-1]}", "accepted", None, None, None, "a.csv", None),
        ("copy", texts[-1], "es", f"g{ids[-1]}", "duplicate", None, ids[-1], None, "a.csv", None),
        ("sure", f"{usual_text(draw)} dron", "es", "gsure", "accepted", None, None, None, "a.csv", None),
    ]
    answered = [
        {"complaint_id": name, "label": "fees", "confidence": 0.99 if name == "sure" else 0.4, "needs_review": name == ids[0],
         "review_reason": "uncertain" if name == ids[0] else None, "alternatives": [{"label": "fees", "probability": 0.4}], "top_terms": []}
        for name in [*ids, "near", "sure"]
    ]  # fmt: skip
    joined = join_answers(spark.createDataFrame(records, RECORD), spark.createDataFrame(answered, ANSWER)).cache()
    themes = search_themes(joined, known, RUN)
    assert [(theme.name, theme.complaints) for theme in themes] == [("dron", 12)]

    marked = mark_themes(joined, themes).cache()
    table = {row["complaint_id"]: row["theme"] for row in predictions(marked, RUN).collect()}
    of_theme = {*ids[60:], "near"}
    assert {name for name, theme in table.items() if theme == "dron"} == of_theme
    assert {theme for name, theme in table.items() if name not in of_theme} == {None}

    stored: dict[str, bytes] = {}

    def put(key: str, body: IO[bytes]) -> None:
        stored[key] = body.read()

    found = review_list(marked, RUN, put, complaints={"fees": len(ids)}, excel=False)
    assert found.counts == {"not answered": 0, "new theme": 13, "uncertain": 1, "unfamiliar": 0, "audit sample": 2}
    [content] = stored.values()
    lines = io.StringIO(content.decode("utf-8-sig")).read().splitlines()[1:]
    assert ["new theme: dron" in line for line in lines] == [True] * 13 + [False] * 3
    assert [row.theme for row in found.first.rows] == ["dron"] * 13 + [""] * 3
    assert mark_themes(joined, []).where("theme IS NOT NULL").count() == 0
