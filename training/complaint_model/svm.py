"""One-vs-rest linear SVMs on features scaled by their naive Bayes log-count ratio (NB-SVM: Wang and Manning, 2012)."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_matrix

from complaint_model import compiled
from complaint_model.arrays import Float32s, Floats, Ints
from complaint_model.settings import Settings

PASSES = 8  # over the rows; more passes change no label


def fit_svms(matrix: csr_matrix, labels: Ints, label_count: int, settings: Settings) -> tuple[Float32s, Floats]:
    """Fit one linear SVM with squared hinge loss per label against the rest.

    Args:
        matrix: (rows, features)
        labels: (rows,)
        label_count: Labels, of which some may have no row.
        settings: cost, weight_power and bayes_power.

    Returns:
        (features, labels) weights, which include the naive Bayes scales, and (labels,) biases.
    """
    kernels = compiled.require()
    frequency = np.bincount(labels, minlength=label_count).astype(np.float64)
    costs = np.maximum(frequency, 1)[labels] ** -settings.weight_power
    costs *= settings.cost * len(labels) / costs.sum()
    starts, columns = matrix.indptr.astype(np.int64), matrix.indices
    table = np.zeros((matrix.shape[1], 2 * label_count), dtype=np.float32)  # NumPy asks for large pages, the kernels do not
    weights, scales = table[:, :label_count], table[:, label_count:]
    if settings.bayes_power:
        kernels.bayes_scales(starts, columns, labels, settings.bayes_power, scales)
    else:
        scales[:] = 1
    single = costs.astype(np.float32)
    biases = kernels.fit_svms(starts, columns, matrix.data, labels, single, table, PASSES, settings.seed)
    return np.ascontiguousarray(weights), biases.astype(np.float64)
