"""The complaint classifier: hashed n-grams, linear weights, calibrated probabilities, explanations that add up (docs/explanation/model.md).

Start with fit.py, the recipe, and scoring.py, the answers.

- Features: features.py, hashing.py, tfidf.py, vocabulary.py
- Learning: settings.py, svm.py, cross_fitting.py, checkpoints.py, calibration.py, metrics.py, fit.py
- The result: model.py; artifact.py writes and reads it, provenance.py identifies what it was made of
- Answers: scoring.py, explain.py; numpy_scoring.py on machines without numba
- Evaluation: evaluation.py, comparison.py, bootstrap.py, multiple_testing.py, leakage.py, notes.py, plots.py
- Loops over bytes and rows: compiled/
"""
