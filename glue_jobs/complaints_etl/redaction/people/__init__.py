"""Find the names and addresses of people by their context: a tagger of words (tagger.py), and what makes spans of its tags (spans.py)."""

from complaints_etl.redaction.people.spans import find_people

__all__ = ["find_people"]
