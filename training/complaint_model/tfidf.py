"""Tf-idf values of words and pairs: training and scoring use the same."""

from __future__ import annotations

import numpy as np

from complaint_model.arrays import Float32s, Floats, Ints


def inverse_document_frequency(frequency: Ints, texts: int) -> Float32s:
    """Return 1 + ln((1 + texts) / (1 + texts with the feature)), as scikit-learn does."""
    idf: Float32s = (1.0 + np.log((1 + texts) / (1 + frequency))).astype(np.float32)
    return idf


def word_values(document: Ints, count: Ints, idf: Float32s) -> Floats:
    """Return (1 + ln(count)) * idf, divided by the length of the text's vector, so that long and short texts weigh the same."""
    values = (1.0 + np.log(count.astype(np.float64))) * idf
    return np.asarray(values / np.sqrt(np.bincount(document, weights=values * values))[document], dtype=np.float64)


def pair_values(document: Ints, count: Ints, idf: Float32s) -> Floats:
    """Return count * idf, divided by the length of a vector that has one component per occurrence of a pair in the text."""
    single = idf.astype(np.float64)
    length = np.sqrt(np.bincount(document, weights=count * single * single))
    return np.asarray(count * single / length[document], dtype=np.float64)
