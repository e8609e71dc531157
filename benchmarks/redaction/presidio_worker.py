"""Run Presidio in its own environment: JSON on the standard input and output.

presidio.py starts it. It imports nothing of the project.
"""

from __future__ import annotations

import json
import logging
import sys
import time


def main() -> None:
    """Analyse the rows, and write what was found and the processor seconds."""
    from presidio_analyzer import AnalyzerEngine
    from presidio_analyzer.nlp_engine import NlpEngineProvider

    logging.disable(logging.CRITICAL)  # tldextract logs that it cannot update its list of domains, and uses the one it has
    given = json.load(sys.stdin)
    models = [{"lang_code": language, "model_name": name} for language, name in given["models"].items()]
    provider = NlpEngineProvider(nlp_configuration={"nlp_engine_name": "spacy", "models": models})
    analyzer = AnalyzerEngine(nlp_engine=provider.create_engine(), supported_languages=list(given["models"]))
    for language, text in given["rows"][:20]:
        analyzer.analyze(text, language=language)
    started = time.process_time()
    spans = []
    for language, text in given["rows"]:
        found = analyzer.analyze(text, language=language, score_threshold=given["least"])
        found.sort(key=lambda one: -one.score)  # the surest of overlapping finds is the kind of a word
        spans.append([(one.start, one.end, one.entity_type) for one in found])
    json.dump({"seconds": time.process_time() - started, "spans": spans}, sys.stdout)


if __name__ == "__main__":
    main()
