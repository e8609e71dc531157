"""The complaint classifier: hashed n-grams, linear weights, calibrated probabilities, exact explanations."""
