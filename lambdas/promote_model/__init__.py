"""promote_model: judge an evaluated candidate and register it."""
