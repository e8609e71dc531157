"""SECRET: what proves who somebody is without a number: answers to security questions, passphrases, the words that open a wallet.

Positive: `maiden name (Gonzalez)`, `first pet? Biscuit`. Negative: `my first job was hard`.
"""

from __future__ import annotations

import re

from complaints_etl.lexicon import LEXICON
from complaints_etl.redaction.rule import Rule
from complaints_etl.redaction.scanner import Prefixes

ANSWER_PREFIXES = Prefixes(*LEXICON.prefixes("security_questions", "seed_phrases", "passphrases"))
_FIRSTS = LEXICON.pattern("security_questions", "firsts")
_QUESTIONS = LEXICON.pattern("security_questions")
_SEED_PHRASE = LEXICON.pattern("seed_phrases")
_PASSPHRASE = LEXICON.pattern("passphrases")

RULES = (
    Rule(
        name="security answer, first pet or school",
        type="SECRET",
        example="my first pet was Biscuit",
        prefixes=ANSWER_PREFIXES,
        # The question, a verb or a question mark, and a name: "first car was 79 Camaro".
        pattern=re.compile(
            rf"(?P<keep>\b(?i:{_FIRSTS})"
            r"[^.!?\n\d]{0,20}[.?,:]?\s?(?i:\b(?:and\s)?I (?:said|put|typed)\s|\bit's\s|\bis\s|\bwas\s|\bes\s|\bera\s|\bdije\s|(?<=\?)\s))"
            r"(?P<value>(?:\d\d )?[A-ZÁÉÍÓÚÑ][\w']{2,20}(?: (?:Lane|Street|St|Ave|Avenue|Road|Drive)\b)?)"
        ),
    ),
    Rule(
        name="seed phrase",
        type="SECRET",
        example="frase semilla mesa gato luna pan río tren silla flor dedo nube sal taza",
        prefixes=ANSWER_PREFIXES,
        pattern=re.compile(
            rf"(?i)(?P<keep>\b(?:{_SEED_PHRASE})\b[\s:,\"“]*(?:(?:es|is|was|era)\s)?)[^\W\d_]{{3,10}}(?:\s[^\W\d_]{{3,10}}){{11,23}}"
        ),
    ),
    Rule(
        name="security answer",
        type="SECRET",
        example="my security answer is Rocky",
        prefixes=ANSWER_PREFIXES,
        # The question; in the same sentence a verb, a sign or a bracket; up to four words with capitals.
        pattern=re.compile(
            rf"(?P<keep>\b(?i:{_QUESTIONS})\b[^.!?\n]{{0,80}}?"
            r"(?:\b(?i:es|is|era|was|respond[ií]|contest[eé]|dije|puse|said|typed|put|it's|that's)\s+|[:,]\s|\(|(?<=answer)\s)[\"“]?)"
            r"(?P<value>(?!X{2})[A-ZÁÉÍÓÚÑ]\w{2,20}(?: (?:[A-ZÁÉÍÓÚÑ]\w{1,20}|\d{1,4})\b){0,3})"
        ),
    ),
    Rule(
        name="passphrase in quotes",
        type="SECRET",
        example='the pass phrase "seven green lamps"',
        prefixes=ANSWER_PREFIXES,
        pattern=re.compile(rf"(?i)(?P<keep>\b(?:{_PASSPHRASE})\b[^.!?\n\"“]{{0,20}}[\"“])[^\"”\n]{{5,60}}(?=[\"”])"),
    ),
    Rule(
        name="multi-word passphrase",
        type="SECRET",
        example="my passphrase was seven green lamps but it fails",
        prefixes=ANSWER_PREFIXES,
        pattern=re.compile(
            rf"(?i)(?P<keep>\b(?:{_PASSPHRASE})\s(?:is|was)\s)(?!(?:not?|wrong|too|being|in)\b)(?:\w{{1,20}} ){{2,5}}?\w{{1,20}}"
            r"(?=\s(?:but|and|or)\b|[.,;\n]|\Z)"
        ),
    ),
)
