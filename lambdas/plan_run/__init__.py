"""plan_run: decides what a run does after Prepare."""
