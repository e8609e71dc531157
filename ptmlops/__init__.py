"""The operator's tool: drop complaint files, follow runs, fetch results; the same on AWS and on local AWS."""
