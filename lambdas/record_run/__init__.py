"""record_run: writes down how a run ended, and tells the subscribers."""
