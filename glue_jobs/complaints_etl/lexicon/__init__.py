"""Words that preparation knows, as data: one file per language (es.toml, en.toml, pt.toml), read by lexicon.py."""

from complaints_etl.lexicon.lexicon import CURRENCY_CODES, LEXICON, Lexicon, any_of

__all__ = ["CURRENCY_CODES", "LEXICON", "Lexicon", "any_of"]
