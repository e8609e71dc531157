"""plan_run: decide what a run does after Prepare."""
