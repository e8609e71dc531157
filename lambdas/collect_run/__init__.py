"""collect_run: decide when a run stops collecting files and starts to work."""
