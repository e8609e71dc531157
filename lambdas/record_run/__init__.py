"""record_run: record how a run ended, and notify the subscribers."""
