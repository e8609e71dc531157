"""Define the settings that Prepare and Publish read: how complaints are read, and how results are presented."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[int, Field(ge=1)]
Language = Annotated[str, Field(pattern=r"^[a-z]{2}$")]
DisplayName = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^\S.*\S$|^\S$")]
Names = tuple[Annotated[str, Field(min_length=1)], ...]


class SettingsTable(BaseModel):
    """Base of every table: frozen, and closed to unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=False)


class Columns(SettingsTable):
    """Column names that Prepare recognises, in order of preference. Case, accents and punctuation do not matter."""

    complaint_id: Names = Field(
        default=(
            *("complaint_id", "id", "radicado", "numero de radicado", "ticket", "ticket id", "case id", "case number", "caso"),
            *("numero de caso", "id de la queja", "numero de queja", "ticket number", "protocolo"),
        ),
        description="The complaint's id. Without such a column, Prepare makes ids",
    )
    text: Names = Field(
        default=(
            *("text", "consumer complaint narrative", "narrative", "texto de la queja", "descripcion de la queja"),
            *("detalle de la queja", "texto", "queja", "descripcion", "complaint", "message", "description", "reclamo"),
            *("mensaje", "comentario", "comentarios", "detalle", "hechos", "relato", "complaint what happened", "reclamacion"),
            *(
                "ticket description",
                "body",
                "content",
                "utterance",
                "review",
                "feedback",
                "review text",
                "comment",
                "comments",
            ),
            *("contenido", "cuerpo", "observaciones", "observacion", "detalles", "mensagem", "descricao", "reclamacao"),
        ),
        min_length=1,
        description="The complaint's text. A file that has neither such a column nor a subject is rejected",
    )
    subject: Names = Field(
        default=(
            *("subject", "asunto", "case subject", "ticket subject", "email subject", "asunto del correo", "titulo"),
            *("titulo de la queja", "title", "summary", "resumen", "encabezado", "headline"),
        ),
        description="What the text is about. It is read as part of the text (`join_subject`), or as the text if there is no other",
    )
    label: Names = Field(
        default=(
            *("label", "category", "categoria", "etiqueta", "motivo", "motivo de la queja", "tipo de queja", "tipologia"),
            *("tipo de reclamo", "issue", "issue type", "ticket type", "reason", "motivo del reclamo", "causa", "causal"),
            *("intent", "intencion", "complaint type", "complaint category", "topic", "tema", "clasificacion"),
        ),
        description="The category. Rows with a label are training data; rows without are classified",
    )
    fallback_label: Names = Field(
        default=("product", "producto", "service", "servicio", "queue", "department", "departamento", "area", "assunto"),
        description="What often is a property of the complaint and not its category. Such a column is the label if the serving model "
        "knows its values, or if the environment has no labels and no file of the run has another label column",
    )
    received_at: Names = Field(
        default=(
            *("received_at", "date received", "fecha", "fecha de recepcion", "received", "date", "created at", "opened at"),
            *("fecha de radicacion", "fecha de creacion"),
        ),
        description="When the complaint was received",
    )


class Complaints(SettingsTable):
    """How Prepare reads, cleans and labels complaints."""

    columns: Columns = Columns()
    join_subject: bool = Field(
        default=True, description="Read the subject as the beginning of the text. `false`: it is a column like any other"
    )
    label_separator: str = Field(
        default="",
        max_length=5,
        description="Separates the labels of a cell that has several: the first counts. Empty: one label",
    )
    label_map: dict[str, str] = Field(
        default_factory=dict, description="Renames labels: old name = canonical label. Case does not matter"
    )
    languages: tuple[Language, ...] = Field(
        default=("es", "en"),
        min_length=1,
        description="Expected languages. Texts in others are kept and flagged `other_language`",
    )
    max_reject_share: Share = Field(
        default=0.2,
        description="If a larger share of a file's rows is rejected, all its rows are. A run without other files stops",
    )
    max_text_characters: int = Field(
        default=20_000, ge=100, le=100_000, description="Longer texts are cut and flagged `truncated`"
    )
    unknown_labels: Literal["keep", "reject", "other"] = Field(
        default="keep", description="What to do with a label that `label_map` does not contain, if `label_map` is not empty"
    )
    min_label_rows: Positive = Field(
        default=10,
        description="Labels with fewer different texts are not trained on. Their rows are classified and flagged `rare_label`",
    )
    products: Names = Field(
        default=(
            *("tarjeta de crédito", "tarjeta débito", "billetera", "préstamo"),
            *("credit card", "debit card", "wallet", "loan"),
        ),
        description="Product names that Prepare finds in texts",
    )
    channels: Names = Field(
        default=("app", "web", "corresponsal", "call center", "sucursal", "branch", "chat", "email"),
        description="Service channels that Prepare finds in texts",
    )


class Results(SettingsTable):
    """How results are presented.

    `[results.display_names.es]` and `[results.display_names.en]` name labels for people: `card_fraud = "Fraude con tarjeta"`. report.html
    and review.html show these names. Data files, uploads and models keep the labels.
    """

    language: Literal["es", "en"] = Field(default="es", description="Language of report.html and review.html")
    audit_sample: int = Field(
        default=50, ge=0, le=10_000, description="Rows drawn at random for review, in addition to the uncertain ones"
    )
    excel: bool = Field(default=True, description="Write the review list and exports as Excel workbooks, too")
    display_names: dict[Literal["es", "en"], dict[str, DisplayName]] = Field(
        default_factory=dict,
        description="Names of labels on report.html and review.html, per language: label = name. Case of the label does not matter",
    )

    @model_validator(mode="after")
    def _names_are_distinct(self) -> Self:
        for language, names in self.display_names.items():
            labels = {label.casefold(): label for label in names}
            if len(labels) < len(names):
                raise ValueError(f"display_names.{language} names a label twice: labels that differ only in case are the same")
            named: dict[str, str] = {}
            for label, name in names.items():
                other = named.setdefault(name.casefold(), label)
                if labels.get(name.casefold(), label) != label:
                    other = labels[name.casefold()]
                if other != label:
                    raise ValueError(
                        f'display_names.{language} calls "{label}" "{name}", as another label ("{other}"): people could not tell them apart'
                    )
        return self
