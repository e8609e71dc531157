"""The commands of `ptmlops` by subject; ptmlops/main.py lists them in order."""
