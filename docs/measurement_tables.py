"""Render the tables of docs/explanation from docs/measurements/*.json, which the benchmarks write."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

MEASUREMENTS = Path(__file__).resolve().parent / "measurements"


def table(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Render a Markdown table."""
    lines = [f"| {' | '.join(headings)} |", f"|{'---|' * len(headings)}"]
    lines += [f"| {' | '.join(str(cell).replace('|', r'&#124;') for cell in row)} |" for row in rows]
    return "\n".join(lines)


def measurement(name: str) -> dict[str, Any]:
    """Read a file of docs/measurements/."""
    data: dict[str, Any] = json.loads((MEASUREMENTS / f"{name}.json").read_text(encoding="utf-8"))
    return data


def source(*names: str) -> str:
    """Say when, where and how measurements were made."""
    lines = []
    for name in names:
        data = measurement(name)["measured"]
        lines.append(f"{data['date']}, {data['machine']}: `{data['command']}` ([data](../measurements/{name}.json)).")
    return "Measured " + " ".join(dict.fromkeys(lines))


def decimal(value: float | None, digits: int = 3) -> str:
    """Format a number, or nothing if it was not measured."""
    return "" if value is None else f"{value:,.{digits}f}"


def model_quality() -> str:
    """Render quality by cross-fitting."""
    names = ("model-quality-cfpb", "model-quality-cfpb-prepared", "model-quality-banking77")
    rows = []
    for data in map(measurement, names):
        error = data.get("macro_f1_standard_error")
        rows.append(
            (
                data["data"],
                decimal(data.get("rows"), 0),
                data["labels"],
                decimal(data["macro_f1"]) + (f" ± {error:.3f}" if error else ""),
                *(decimal(data[key]) for key in ("accuracy", "expected_calibration_error", "coverage_at_95_precision")),
            )
        )
    headings = ("Data", "Rows", "Labels", "Macro-F1", "Accuracy", "Calibration error", "Coverage at 95% precision")
    return f"{table(headings, rows)}\n\n{source(*names)}"


def model_try() -> str:
    """Render quality and time of `ptmlops try`."""
    keys = ("macro_f1", "accuracy", "expected_calibration_error", "coverage_at_95_precision")
    rows = [(row["data"], *(decimal(row[key]) for key in keys), row["seconds"]) for row in measurement("model-try")["rows"]]
    headings = ("Data", "Macro-F1", "Accuracy", "Calibration error", "Coverage at 95% precision", "Seconds")
    return f"{table(headings, rows)}\n\n{source('model-try')}"


def model_speed() -> str:
    """Render training seconds and rows per second, with ratios to the peers."""
    data = measurement("model-speed-cfpb")
    peers = data["peers"]
    rows: list[tuple[object, ...]] = []
    for name, row in peers.items():
        rows.append((name, decimal(row["train_seconds"], 1), decimal(row["rows_per_second"], 0), *[""] * len(peers)))
    parts = {
        "rows_per_second_of_texts_not_learned": "texts that it has not learned",
        "rows_per_second_with_reasons": "with the reasons for each answer",
        "lines_per_second_in_batch_inference": "batch inference, JSON Lines in and out",
        "rows_per_second_without_numba": "without numba",
    }
    for name, row in data["ours"].items():
        ratios = [f"{row['rows_per_second'] / peer['rows_per_second']:.1f}" for peer in peers.values()]
        rows.append((f"**{name}**", decimal(row["train_seconds"], 1), decimal(row["rows_per_second"], 0), *ratios))
        rows += [(f"… {text}", "", decimal(row[key], 0), *[""] * len(peers)) for key, text in parts.items() if key in row]
    headings = ("", "Train, s", "Rows per s", *(f"Times {name.partition(':')[2].strip() or name}" for name in peers))
    return f"{table(headings, rows)}\n\nSeconds of one core; texts of {data['characters']} characters. {source('model-speed-cfpb')}"


def model_growth() -> str:
    """Render time and memory against the number of rows."""
    data = measurement("model-speed-curve")
    rows = [
        (
            decimal(point["rows"], 0),
            decimal(point["train_seconds"], 1),
            decimal(point["score_seconds"], 2),
            decimal(point["megabytes"] / 1024, 1),
        )
        for point in data["curve"]["points"]
    ]
    rows.append(("Exponent (1 is linear)", *(decimal(value, 2) for value in data["curve"]["exponents"].values())))
    return f"{table(('Rows', 'Train, s', 'Score, s', 'Peak memory, GB'), rows)}\n\n{source('model-speed-curve')}"


def model_ablations() -> str:
    """Render what each part of the model adds."""
    rows = []
    for row in measurement("model-ablations")["rows"]:
        difference = row.get("difference", round(row.get("after", 0) - row.get("before", 0), 4))
        rows.append(
            (row["data"], row["change"], row["metric"], row.get("before", ""), row.get("after", ""), f"{difference:+.3f}")
        )
    headings = ("Data", "Change", "Metric", "Without", "With", "Difference")
    return f"{table(headings, rows)}\n\n{source('model-ablations')}"


def review_order() -> str:
    """Render what reviewed rows bring, by the order in which they are reviewed."""
    names = ("review-order-cfpb", "review-order-banking77")
    rows = []
    for data in map(measurement, names):
        differences = {name: data["priority_minus"].get(name) for name in data["gains"]}
        for order, gains in data["gains"].items():
            against = differences[order]
            for place, reviewed in enumerate(data["reviewed"]):
                gain = f"{gains[place]['mean']:+.3f} ± {gains[place]['error']:.3f}"
                difference = f"{against[place]['mean']:+.3f} ± {against[place]['error']:.3f}" if against else ""
                rows.append((data["data"], order, decimal(reviewed, 0), gain, difference))
    return (
        f"{table(('Data', 'Order', 'Rows reviewed', 'Gain in macro-F1', 'Priority gains more by'), rows)}\n\n{source(*names)}"
    )


def model_unfamiliar() -> str:
    """Render the share of texts that goes to review, by what the model knows of them."""
    names = ("model-unfamiliar-cfpb", "model-unfamiliar-banking77")
    rows = []
    for data in map(measurement, names):
        kinds = {"new rows of the same data": data["own"], f"rows of {data['other_data']}": data["other"]}
        kinds |= {f"rows of `{label}`, left out of training": found for label, found in data["new_labels"].items()}
        for kind, found in kinds.items():
            shares = (decimal(found[key]) for key in ("below_threshold", "unfamiliar", "review"))
            rows.append((data["data"], kind, decimal(found["rows"], 0), *shares))
    headings = ("Trained on", "Texts", "Rows", "Below the threshold", "Unfamiliar", "To review")
    return f"{table(headings, rows)}\n\n{source(*names)}"


def model_unfamiliar_alternatives() -> str:
    """Render signals that were tried on rows of labels that were left out of training."""
    name = "model-unfamiliar-alternatives"
    rows = [(row["alternative"], decimal(row["cfpb"]), decimal(row["banking77"])) for row in measurement(name)["rows"]]
    return f"{table(('Signal', 'CFPB', 'Banking77'), rows)}\n\n{source(name)}"


def drift_false_alarms() -> str:
    """Render the share of uploads without drift that raise an alarm."""
    names = ("drift-cfpb", "drift-banking77", "drift-made-up")
    rows = []
    for data in map(measurement, names):
        for line in data["false_alarms"]:
            share = f"{line['alarms'] / line['uploads']:.1%}"
            rows.append(
                (data["data"], decimal(line["held_out"], 0), decimal(line["rows"], 0), decimal(line["uploads"], 0), share)
            )
    return f"{table(('Data', 'Rows of the profile', 'Rows per upload', 'Uploads', 'False alarms'), rows)}\n\n{source(*names)}"


def drift_delays() -> str:
    """Render the share of drifted uploads that raise an alarm, by size, and how many uploads of 100 rows that takes."""
    kinds = {
        "subject": "texts about something else",
        "language": "texts in Spanish",
        "length": "only the first 12 words",
        "spelling": "a typing error in every fourth word",
        "label": "rows of a rare label",
    }
    names = ("drift-cfpb", "drift-banking77", "drift-made-up")
    rows = []
    for data in map(measurement, names):
        for line in data["delays"]:
            found = [line["found"][size] for size in ("100", "300", "1000")]
            mean = f"{1 / found[0]:.1f}" if found[0] else ""
            rows.append(
                (data["data"], kinds[line["kind"]], f"{line['share']:.0%}", *(f"{share:.0%}" for share in found), mean)
            )
    headings = (
        "Data",
        "Drifted rows are",
        "Their share",
        "100 rows",
        "300 rows",
        "1,000 rows",
        "Uploads of 100 rows until found",
    )
    return f"{table(headings, rows)}\n\n{source(*names)}"


def drift_by_date() -> str:
    """Render the share of real consecutive uploads that raise an alarm."""
    data = measurement("drift-cfpb")
    rows = [
        (
            decimal(line["rows"], 0),
            decimal(line["uploads"], 0),
            f"{line['alarms'] / line['uploads']:.0%}",
            ", ".join(line["kinds"]),
        )
        for line in data["by_date"]
    ]
    return (
        f"{table(('Rows per upload', 'Uploads', 'Alarms', 'Kinds, the most frequent first'), rows)}\n\n{source('drift-cfpb')}"
    )


THEMES = ("themes-cfpb", "themes-banking77", "themes-generated")


def themes() -> str:
    """Render in how many uploads a label that training lacked is found, by its share of the upload."""
    rows = []
    for data in map(measurement, THEMES):
        for found in data["shares"]:
            rows.append(
                (
                    data["data"],
                    decimal(data["upload_rows"], 0),
                    f"{found['share']:.1%} ({found['rows']})",
                    f"{found['found']} of {data['tries']}",
                    decimal(found["recall"], 2),
                    decimal(found["precision"], 2),
                )
            )
    headings = (
        "Data",
        "Rows of an upload",
        "Rows of the new label",
        "Found",
        "Of its rows in the theme",
        "Of the theme's rows, its own",
    )
    return f"{table(headings, rows)}\n\n{source(*THEMES)}"


def theme_alarms() -> str:
    """Render how many uploads without a new label raise a theme."""
    rows = [
        (data["data"], *(f"{data[kind]['alarms']} of {data[kind]['uploads']}" for kind in ("undrifted", "shifted")))
        for data in map(measurement, THEMES)
    ]
    return table(("Data", "Undrifted uploads with a theme", "Uploads with one label three times as frequent"), rows)


def theme_alternatives() -> str:
    """Render other designs of the search."""

    def of_20(found: Sequence[int | None] | None) -> str:
        return " / ".join("–" if count is None else str(count) for count in found or (None,) * 3)

    data = measurement("themes-alternatives")
    rows = [(row["design"], of_20(row["banking77"]), of_20(row["cfpb"])) for row in data["rows"]]
    headings = ("Design", "Banking77: found of 20 at 0.5% / 1% / 5%", "CFPB")
    return f"{table(headings, rows)}\n\n{source('themes-alternatives')}"


def wrong_labels() -> str:
    """Render how well wrong labels are found, next to cleanlab."""
    names = ("wrong-labels-cfpb", "wrong-labels-banking77")
    rows = []
    for data in map(measurement, names):
        for result in data["results"]:
            for name, found in result["lists"].items():
                numbers = (decimal(found[key], 2) for key in ("precision_of_first_100", "recall_at_twice"))
                reported = (
                    decimal(found["reported"], 0),
                    *(decimal(found[f"reported_{k}"], 2) for k in ("precision", "recall")),
                )
                wrong = f"{result['rate']:.0%} ({result['flipped']:,})"
                rows.append((data["data"], wrong, name, *numbers, *reported))
    headings = (
        "Data", "Wrong labels", "List", "Precision of the first 100", "Recall at twice their number", "Listed",
        "Precision of the listed", "Recall of the listed",
    )  # fmt: skip
    return f"{table(headings, rows)}\n\n{source(*names)}"


def contradicting_runs() -> str:
    """Render in how many uploads the labels contradict a model, right and wrong ones."""
    names = ("contradicting-runs-cfpb", "contradicting-runs-banking77")
    rows, kinds = [], list[str]()
    for data in map(measurement, names):
        for result in data["results"]:
            kinds = list(result["found"])
            found = (f"{result['found'][kind]:,}" for kind in kinds)
            rows.append((data["data"], result["held_out_rows"], f"{result['uploads']:,}", *found))
    headings = ("Data", "Held-out rows of an upload", "Uploads", *(f"Reported: {kind}" for kind in kinds))
    return f"{table(headings, rows)}\n\n{source(*names)}"


def model_alternatives() -> str:
    """Render models that were tried and not taken."""
    rows = [(row["alternative"], row["macro_f1"]) for row in measurement("model-alternatives")["rows"]]
    return f"{table(('Alternative', 'Macro-F1'), rows)}\n\n{source('model-alternatives')}"


def prepare_speed() -> str:
    """Render Prepare against its contenders, and the benchmark's goals."""
    titles = {"spark_copy": "Spark copies CSV to Parquet", "prepare": "Prepare", "pandas": "pandas", "polars": "polars"}
    data = measurement("prepare")
    rows = [
        (
            titles[row["name"]],
            decimal(row["input_rows"], 0),
            decimal(row["seconds"], 1),
            decimal(row.get("times_copy"), 1),
            decimal(row.get("cpu_seconds"), 0),
        )
        for row in data["runs"]
    ]
    goals = [(name, value, "met" if met else "missed") for name, (value, met) in data["goals"].items()]
    runs = table(("", "Rows", "Seconds", "Times the copy", "CPU seconds"), rows)
    return f"{runs}\n\n{table(('Goal', 'Measured', ''), goals)}\n\n{source('prepare')}"


def redaction_first_sight() -> str:
    """Render recall and precision on complaints whose rules had not been adapted to them."""
    parts = measurement("redaction-first-sight")["parts"]
    kinds = list(parts[0]["recall"])
    rows = []
    for part in parts:
        cells = [
            f"{part['recall'][kind]:.2f}" + (f" ({part['precision'][kind]:.2f})" if kind in part["precision"] else "")
            for kind in kinds
        ]
        rows.append((part["part"], part["content"], *cells))
    headings = ("Part", "Content", *(f"`{kind}`" if kind.isupper() else f"{kind}, lowest" for kind in kinds))
    return f"{table(headings, rows)}\n\n{source('redaction-first-sight')}"


def redaction_now() -> str:
    """Render recall and precision of today's rules on all sets of the benchmark."""
    sets = {name: result["redaction"] for name, result in measurement("redaction")["sets"].items()}
    kinds = list(next(iter(sets.values())))
    rows = []
    for kind in kinds:
        rows.append((f"`{kind}`", *(_both(result[kind]) for result in sets.values())))
    return f"{table(('Kind', *sets), rows)}\n\nEach cell: recall / precision. {source('redaction')}"


def redaction_people() -> str:
    """Render recall and precision of what the tagger finds, and its finds in texts without names."""
    kinds = {
        "NAME": "names",
        "ADDRESS": "addresses",
        "BIRTH_DATE": "birth dates",
        "ID_NUMBER": "identifiers",
        "PHONE": "telephones",
    }
    rows, plain = [], {}
    for name, scores in measurement("redaction-people")["sets"].items():
        if "texts" in scores:
            plain = scores
            continue
        cells = (_both(scores[kind]) if kind in scores else "" for kind in kinds)
        rows.append((name, *cells))
    shares = [f"{decimal(plain[kind], 1)} {kinds[kind]}" for kind in ("NAME", "ADDRESS", "BIRTH_DATE")]
    finds = f"In {decimal(plain['texts'], 0)} real texts that the training did not see: {', '.join(shares)} per 1,000 texts."
    return f"{table(('Texts', *kinds.values()), rows)}\n\nEach cell: recall / precision. {finds} {source('redaction-people')}"


def redaction_presidio() -> str:
    """Render recall and precision of redaction and of Presidio on the same texts, and their time."""
    data = measurement("redaction-presidio")
    rows = []
    for name, result in data["sets"].items():
        ours, theirs = result["redaction"], result["presidio"]
        for kind, row in ours["kinds"].items():
            rows.append((name, f"`{kind}`", decimal(row["n"], 0), _both(row), _both(theirs["kinds"][kind])))
        times = (f"{side['milliseconds_per_text']} ms per text" for side in (ours, theirs))
        rows.append((name, "time", f"{decimal(result['texts'], 0)} texts", *times))
    models = ", ".join((*data["libraries"], *data["models"].values()))
    missing = "".join(f" Left out: {language}, {reason}." for language, reason in data["missing"].items())
    rendered = table(("Texts", "Kind", "Words", "Redaction", "Presidio"), rows)
    notes = f"Each cell: recall / precision, by word. {models}.{missing} {source('redaction-presidio')}"
    return f"{rendered}\n\n{notes}"


def _both(row: dict[str, float | None]) -> str:
    """Format recall and precision; a kind that was not claimed has no precision."""
    return f"{decimal(row['recall'])} / {decimal(row['precision']) or '–'}"


GENERATORS: dict[str, Callable[[], str]] = {
    "model-quality": model_quality,
    "model-try": model_try,
    "model-speed": model_speed,
    "model-growth": model_growth,
    "model-ablations": model_ablations,
    "model-alternatives": model_alternatives,
    "model-unfamiliar": model_unfamiliar,
    "model-unfamiliar-alternatives": model_unfamiliar_alternatives,
    "drift-false-alarms": drift_false_alarms,
    "drift-delays": drift_delays,
    "drift-by-date": drift_by_date,
    "themes": themes,
    "theme-alarms": theme_alarms,
    "theme-alternatives": theme_alternatives,
    "wrong-labels": wrong_labels,
    "contradicting-runs": contradicting_runs,
    "review-order": review_order,
    "prepare-speed": prepare_speed,
    "redaction-first-sight": redaction_first_sight,
    "redaction-now": redaction_now,
    "redaction-people": redaction_people,
    "redaction-presidio": redaction_presidio,
}
