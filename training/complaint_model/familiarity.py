"""Detect texts that have too few words in common with the training rows. Their confidence is not reliable: a person should read them.

A text is unfamiliar if few of its words, or a small share of its words and word pairs, occur in the training rows. Both limits are
quantiles of the training rows. Each training row is counted as if it were not in the training set. The limits adapt to the data: a model
of long complaints sends a short chat message about another subject to review, and a model of short messages sends a long letter.
"""

from __future__ import annotations

import math

import numpy as np

from complaint_model.arrays import Bools, Floats, Ints

# Of the training rows, at most this share goes to review for being unfamiliar alone. On new rows it is up to 0.02.
UNFAMILIAR_SHARE = 0.016
MAX_QUANTILE = 0.05  # of each limit: rows under the threshold of confidence do not count, and may be nearly all
# If training rows are all alike, their quantiles are near their median, and a text that differs a little would be unfamiliar.
HIGHEST_SHARE = 0.75
HIGHEST_WORDS = 0.25  # of the training rows' median


def is_familiar(features: Ints, min_known_words: int, min_known_share: float) -> Bools:
    """Return for each text whether it shares enough with the rows of training.

    Args:
        features: (texts, 3) as `ScoreArrays.features`.
        min_known_words: From `familiarity_limits`, as is `min_known_share`.
    """
    words = features[:, 0]
    return np.asarray((words > 0) & (words >= min_known_words) & (known_share(features) >= min_known_share))


def familiarity_limits(features: Ints, answered: Bools) -> tuple[int, float]:
    """Return the limits of `is_familiar`: equal quantiles of words and share, as high as leaves few answers to review.

    Args:
        features: (rows, 3) as `ScoreArrays.features`, of each training row as if training had not seen it.
        answered: (rows,) whether the row's confidence reaches the threshold.
    """
    rows, words, share = len(features), features[:, 0], known_share(features)
    most_words = math.ceil(HIGHEST_WORDS * np.median(words))
    sorted_words, sorted_share = np.minimum(np.sort(words), most_words), np.minimum(np.sort(share), HIGHEST_SHARE)
    limits = (0, 0.0)
    for rank in range(int(MAX_QUANTILE * rows) + 1):
        unfamiliar = (words < sorted_words[rank]) | (share < sorted_share[rank])
        if np.count_nonzero(unfamiliar & answered) > UNFAMILIAR_SHARE * rows:
            break
        limits = (int(sorted_words[rank]), float(sorted_share[rank]))
    return limits


def known_share(features: Ints) -> Floats:
    """Return for each text the share of its words and word pairs that training saw."""
    return np.asarray(features[:, 1] / np.maximum(features[:, 2], 1))
