"""The complaint classifier: hashed n-grams, linear weights, calibrated probabilities, explanations that add up (docs/model.md).

fit.py        the recipe: start here
features.py   texts -> words, skip-bigrams and character n-grams (hashing.py, tfidf.py, vocabulary.py)
svm.py        cross_fitting.py, calibration.py, metrics.py: learning, and measuring what was learned
model.py      what training results in; artifact.py writes and reads it
scoring.py    answers (numpy_scoring.py without numba); explain.py: the terms that speak for them
compiled/     the loops over bytes and rows
evaluation.py candidate and champion on the same held-out rows (comparison.py, plots.py)
"""
