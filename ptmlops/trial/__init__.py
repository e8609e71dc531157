"""`ptmlops try`: the pipeline's own code on two files, without AWS; ptmlops/trial/flow.py has the order."""
