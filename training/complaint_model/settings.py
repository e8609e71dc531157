"""The hyperparameters of training, and what follows from the length of the texts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

# Below this median length, character n-grams help (+.014 macro-F1), and so do skip-bigrams (+.008). In longer texts the
# former make training three times as long for nothing, and the latter add noise (docs/explanation/model.md).
SHORT_TEXT_WORDS = 60
SHORT_TEXT_MAX_SKIP, LONG_TEXT_MAX_SKIP = 20, 1
# A long complaint states its subject first: its lead words count for more than the same words further down. In a short one all
# neighbours count for more than the same two words farther apart (+.003).
LEAD_WORDS = 15


class TrainingError(Exception):
    """The data cannot be learned from. The message has the reason and what to do."""


@dataclass(frozen=True)
class Settings:
    """Hyperparameters. training/hyperparameters.json has the ranges of those that are tuned."""

    cost: float = 0.6  # of a margin violation (liblinear's C)
    weight_power: float = 0.7  # a row weighs frequency of its label ** -weight_power
    bayes_power: float = 0.5  # exponent of the naive Bayes scaling; 0 turns it off
    char_ngrams: str = "auto"  # auto | on | off
    min_rows: int = 2  # features of fewer rows are dropped
    folds: int = 5
    target_precision: float = 0.95
    seed: int = 20


@dataclass(frozen=True)
class FeatureSettings:
    """The features that texts have (features.word_occurrences)."""

    max_skip: int  # how far apart the words of a pair may be; 1 means neighbours
    lead_words: int  # how many words at the beginning of a text are features of their own, too
    char_ngrams: bool


def feature_settings(texts: Sequence[str], char_ngrams: str) -> FeatureSettings:
    """Return the features that pay off for texts of such length; `char_ngrams` is auto, on or off."""
    words = sorted(text.count(" ") + 1 for text in texts)
    short = bool(words) and words[len(words) // 2] < SHORT_TEXT_WORDS
    return FeatureSettings(
        max_skip=SHORT_TEXT_MAX_SKIP if short else LONG_TEXT_MAX_SKIP,
        lead_words=SHORT_TEXT_WORDS if short else LEAD_WORDS,
        char_ngrams=short if char_ngrams == "auto" else char_ngrams == "on",
    )
