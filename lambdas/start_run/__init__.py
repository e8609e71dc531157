"""start_run: turn a batch of uploaded files into one run."""
