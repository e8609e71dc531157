"""promote_model: judges an evaluated candidate and registers it."""
