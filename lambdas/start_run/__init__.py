"""start_run: turns a batch of uploaded files into one run."""
