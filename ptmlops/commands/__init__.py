"""The commands of `ptmlops`, by subject; ptmlops/main.py puts them in order."""
