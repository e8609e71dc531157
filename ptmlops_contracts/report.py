"""report.json, which Prepare writes last: what was read, what became of it, and why."""

from __future__ import annotations

from typing import Annotated, TypedDict

from ptmlops_contracts.codes import Code

# A report without `schema_version` was written before version 0.2.0 of the software; it has the fields of version 1.
REPORT_VERSION = 1
LEARNED_SPLITS = ("train", "validation")  # training reads them; the third is held out
SPLITS = (*LEARNED_SPLITS, "test")
HELD_OUT = "test"  # never read in training
# A person writes it into the label column of a review list: the row is rejected as NOT_A_COMPLAINT, and is not learned from.
NOT_A_COMPLAINT = "ptmlops_not_a_complaint"


class Reason(Code):
    """Why a row or a whole file was rejected."""

    UNSUPPORTED_FORMAT = (
        "unsupported_format",
        "File: its name has no supported ending, or a system left it. It has no rows. Export a table as CSV or JSON Lines.",
    )
    EMPTY_FILE = "empty_file", "File: it is empty. Upload the file that was meant."
    BINARY_FILE = "binary_file", "File: it is not text, whatever its name says. It has no rows."
    BROKEN_ENCODING = (
        "broken_encoding",
        "File or row: UTF-16 that ends inside a character (upload the file again), or a row with bytes of another encoding.",
    )
    UNKNOWN_ENCODING = "unknown_encoding", "File: no supported encoding reads it. Save it as UTF-8."
    BROKEN_GZIP = "broken_gzip", "File: its compressed data is damaged. Compress and upload it again."
    TRUNCATED_GZIP = "truncated_gzip", "File: its compressed data ends too early. Compress and upload it again."
    GZIP_BOMB = (
        "gzip_bomb",
        "File: it unpacks to over 200 times its size and 16 MB, or to over 6 GB. Upload it uncompressed, in parts.",
    )
    BROKEN_ZIP = (
        "broken_zip",
        "File: the workbook or zip archive is damaged, or not one whatever its name says. Open it, save it again, and upload the new file.",
    )
    ZIP_BOMB = (
        "zip_bomb",
        "File: the workbook or zip archive unpacks to over 200 times its size and 16 MB, to over 6 GB (a workbook: 1 GB), to over 1,000 files, "
        "or to a sheet of over 40 million cells. Upload it in parts, or its tables as CSV.",
    )
    ENCRYPTED_FILE = "encrypted_file", "File: it is protected with a password. Save it without one, and upload it again."
    UNSAFE_ARCHIVE = (
        "unsafe_archive",
        "File: an archive in an archive, or an archive with links, or with names that occur twice or lead out of its folder. "
        "Pack the tables themselves, and upload that.",
    )
    OTHER_SPREADSHEET = (
        "other_spreadsheet",
        "File: a spreadsheet in another format, such as .xls, .xlsb, .ods or .numbers. Save it as an Excel workbook (.xlsx) or as CSV.",
    )
    OTHER_SHEET = (
        "other_sheet",
        "Sheet: it is empty or has no text column, and another sheet of its workbook has one. It has no rows.",
    )
    NO_HEADER = "no_header", "File: its first line does not hold the column names. Add them."
    NO_TEXT_COLUMN = (
        "no_text_column",
        "File: no column has a name of the text column, or the one that `--text` named. Rename it, name it with `--text` when you upload the file, "
        "add its name to the settings, or remove lines above the header.",
    )
    TOO_MANY_COLUMNS = "too_many_columns", "File: it has over 1,000 columns. Remove those that are not about complaints."
    NOT_JSON_LINES = "not_json_lines", "File: it is neither one JSON object per line nor a list of objects, or it is damaged."
    TOO_LONG = (
        "too_long",
        "File or row: a cell or a text file has over 2,097,152 characters, or a line has over 64 MB.",
    )
    MALFORMED_ROW = (
        "malformed_row",
        "Row: a quote in it is not doubled, it is not JSON, or it has a key twice. Repair the line.",
    )
    WRONG_FIELD_COUNT = "wrong_field_count", "Row: it has more or fewer fields than the header."
    UNCLOSED_QUOTE = "unclosed_quote", "Row: a quote is not closed."
    REPEATED_HEADER = (
        "repeated_header",
        "Row: it repeats the header, because two files were joined. Nothing has to be done.",
    )
    EMPTY_TEXT = (
        "empty_text",
        "Row: fewer than 3 characters are left after cleaning, or the text is a placeholder such as `N/A`, `null` or `-----`.",
    )
    FILE_REFUSED = (
        "file_refused",
        "Row: nothing is wrong with it, but too many other rows of its file were rejected. Repair those and upload the file again.",
    )
    UNKNOWN_LABEL = (
        "unknown_label",
        "Row: its label is not in the label map, and `unknown_labels` is `reject`; or the label has over 80 characters.",
    )
    NOT_A_COMPLAINT = (
        "not_a_complaint",
        f"Row: a person decided that it is not a complaint: its label is `{NOT_A_COMPLAINT}`. It does not count towards `max_reject_share`.",
    )


# Files and sheets of which nothing is a row: they are reported, and have no rejected row and no export.
NOT_TABLES = frozenset({Reason.UNSUPPORTED_FORMAT, Reason.BINARY_FILE, Reason.OTHER_SHEET})


class Flag(Code):
    """What an accepted row has that a reader may want to know."""

    TRUNCATED = "truncated", "The text was longer than `max_text_characters` and was cut."
    OTHER_LANGUAGE = "other_language", "The text is in none of the settings' languages."
    RARE_LABEL = (
        "rare_label",
        "The label has fewer different texts than `min_label_rows`, in all runs together: the row is scored instead of learned from.",
    )
    UNKNOWN_LABEL = "unknown_label", "The label is not in the label map."
    CONFLICTING_LABEL = "conflicting_label", "The same text came with another label, in this run or an earlier one."
    UNREAD_DATE = "unread_date", "The date could not be read: `received_at` is null."
    ROUNDED_ID = "rounded_id", "A spreadsheet rounded the id (`1.23457E+12`): it is not used, and the row has a made id."
    REPEATED = "repeated", "The same text came with the same label in an earlier run: the row is not learned again."


class NoteCode(Code):
    """What a person should know about a run's files, beside the rows that were rejected."""

    COLUMN_NOT_LABEL = (
        "column_not_label",
        "File: `column` is not read as the label, because the model does not know its values. The rows are classified. "
        "If it is the label, upload the file with `--label`.",
    )
    COLUMN_MISSING = "column_missing", "File: its upload named a column that it does not have. Its header has the names."
    UNFAMILIAR_LABELS = (
        "unfamiliar_labels",
        "File: its labels have nothing in common with those of the serving model. A model that learns them waits for approval by a person.",
    )
    SEVERAL_LABELS = (
        "several_labels",
        "Cells of the label seem to hold several labels. Set `complaints.label_separator` to learn the first, or name each in the label map.",
    )
    REPEATED_ROWS = "repeated_rows", "Rows that came with the same label before. They are not new, and are not learned again."


class RecordStatus(Code):
    """What became of a row that was not rejected."""

    ACCEPTED = "accepted", "The row is learned from or scored."
    DUPLICATE = "duplicate", "Another row of the run is the same complaint; `duplicate_of` names it."


class Rows(TypedDict):
    """Counts of rows: read = accepted + rejected + duplicates."""

    read: Annotated[int, "data rows read"]
    accepted: Annotated[int, "rows that are learned from or scored"]
    rejected: Annotated[int, "rows with a reason code"]
    duplicates: Annotated[int, "rows that are the same complaint as another of the run"]


class Note(TypedDict, total=False):
    """A note. Only `code` is always there."""

    code: Annotated[str, "see the note codes"]
    file: Annotated[str, "key in the raw bucket"]
    column: Annotated[str, "name of a column, redacted"]
    rows: Annotated[int, "how many rows it concerns"]
    values: Annotated[list[str], "at most five values"]
    more: Annotated[int, "how many further values there are"]
    separator: Annotated[str, "what separates the labels of a cell"]


NOTE_VALUES = 5  # that a note names
OTHERS = "(others)"  # in counts per label: labels beyond the most frequent


class _AnyFile(TypedDict):
    bucket: str
    key: Annotated[str, "key in the raw bucket; behind it the file of a zip archive, and the sheet of a workbook with several"]
    version_id: str
    size: Annotated[int, "bytes"]
    header: Annotated[list[str], "columns in their order"]
    columns: Annotated[
        dict[str, str], "the file's column for each of ours: `complaint_id`, `text`, `subject`, `label`, `received_at`"
    ]
    rejected_whole: Annotated[str | None, "reason code if the whole file was rejected, or is not a table and has no rows"]
    refused: Annotated[str | None, "why its good rows were rejected too: a larger share was rejected than the settings allow"]
    rows: Rows


class FileReport(_AnyFile, total=False):
    """One file of the run. How it is written is absent if the whole file was rejected."""

    part_of: Annotated[str, "key of the uploaded workbook or zip archive, if this is a table in it"]
    format: Annotated[str, "csv, jsonl, json (a list of objects), xlsx (a sheet) or text"]
    encoding: Annotated[str, "encoding that the file was read with"]
    separator: Annotated[str, "of a CSV; empty if the file has one column"]
    quoting: Annotated[str, "how a CSV writes a quote inside a quoted cell: doubled or backslash"]
    title_lines: Annotated[int, "lines of a title above the header"]
    survey_rows: Annotated[int, "more rows of headers below the header, as survey tools write them"]
    dialect: Annotated[str, "separator, quoting, title lines and survey rows in words, for people"]
    short_ids: Annotated[
        int, "ids of a sheet that are numbers with fewer figures than others: they may have lost zeros in front"
    ]
    month_first: Annotated[bool, "true if 03/04/2026 is March 4"]


class Counted(TypedDict):
    """The counts of a report, before Prepare knows when it ended."""

    schema_version: Annotated[int, "version of this document"]
    run_id: str
    versions: Annotated[dict[str, str | int], "versions of Prepare, redaction, Spark and Python"]
    rows: Annotated[Rows, "all files together"]
    labelled: Annotated[dict[str, int], "labelled rows per split"]
    labelled_repeated: Annotated[
        dict[str, int], "those of them per split that an earlier run has with the same label: they are not learned again"
    ]
    labelled_earlier: Annotated[dict[str, int], "rows of earlier runs per split, whose labels were rare until this run"]
    to_score: Annotated[int, "accepted rows without a label"]
    refused: Annotated[str | None, "why the run was refused: all its files were, or they have no rows"]
    files: list[FileReport]
    labels: Annotated[dict[str, int], "rows per label"]
    rare_labels: Annotated[dict[str, int], "rows per label that has fewer different texts than `min_label_rows`"]
    min_label_rows: Annotated[int, "different texts that a label needs to be learned"]
    unknown_labels: Annotated[dict[str, int], "accepted and rejected rows per label that the label map does not name"]
    label_variants: Annotated[list[list[str]], "labels that differ in case, accents, punctuation or white space alone"]
    blank_labels: Annotated[int, "rows of files with a label column, without a label"]
    conflicting_texts: Annotated[int, "rows whose text came with another label, too"]
    languages: Annotated[dict[str, int], "accepted rows per language; `und` if it is not certain"]
    characters: Annotated[dict[str, int], "accepted rows per class of length"]
    notes: Annotated[list[Note], "what a person should know about the files"]
    unfamiliar_labels: Annotated[
        list[list[str]], "per file whose labels have nothing in common with those of the serving model: some of its labels"
    ]
    flags: Annotated[dict[str, int], "accepted rows per flag"]
    rejects: Annotated[dict[str, int], "rejected rows per reason code"]
    redactions: Annotated[dict[str, int], "redactions in texts of accepted rows, per kind of personal data"]


class Report(Counted):
    """report.json."""

    labelled_left_out: Annotated[int, "labelled rows of earlier runs that another version of redaction made"]
    started_at: Annotated[str, "ISO 8601, UTC"]
    finished_at: Annotated[str, "ISO 8601, UTC"]
    seconds: Annotated[float, "duration of Prepare"]
