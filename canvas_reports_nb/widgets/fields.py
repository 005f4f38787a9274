"""What a form asks for, one field a parameter, before any control is drawn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from canvas_reports_nb import schemas

__all__ = ["FILES", "Field", "files_field", "label_of", "schema_field"]

FieldKind = Literal["term", "switch", "files", "choices", "choice", "date", "integer", "text"]

FILES = "files"
"""Name of the one field that stands for all file switches of a report."""


@dataclass(frozen=True, slots=True)
class Field:
    """One thing a form asks for.

    Attributes
    ----------
    name : str
        The parameter; `FILES` for the file switches.
    kind : {"term", "switch", "files", "choices", "choice", "date", "integer", "text"}
        ``choices`` takes several values, ``choice`` one.
    label, help : str
    options : tuple of (str, str)
        Label and value of each choice; for ``files`` the label and the parameter.
    default : str
        What the server takes when nothing is sent, in words.
    sends : object
        What a ticked switch sends.
    """

    name: str
    kind: FieldKind
    label: str
    help: str = ""
    options: tuple[tuple[str, str], ...] = ()
    default: str = ""
    sends: Any = True


def label_of(name: str) -> str:
    """A parameter's name as people read it.

    Examples
    --------
    >>> label_of("enrollment_term_id")
    'Enrollment term'
    """
    words = name.removesuffix("_id").replace("_", " ").replace(" sis", " SIS").strip()
    return words[:1].upper() + words[1:] if words else name


_KINDS: dict[str, FieldKind] = {
    "term": "term",
    "boolean": "switch",
    "date": "date",
    "integer": "integer",
    "enum": "choice",
    "list": "choices",
    "string": "text",
}


def schema_field(parameter: schemas.Parameter) -> Field:
    """The field of a parameter the schemas describe."""
    kind = _KINDS[parameter.type]
    if kind == "choices" and not parameter.choices:
        kind = "text"
    return Field(
        parameter.name,
        kind,
        label_of(parameter.name),
        parameter.description,
        tuple((label_of(choice), choice) for choice in parameter.choices or ()),
        "" if parameter.default in (None, False) else str(parameter.default),
    )


def files_field(switches: tuple[str, ...]) -> Field:
    """The field of all file switches of a report."""
    return Field(
        FILES,
        "files",
        "Files",
        "The files to write: one at least.",
        tuple((label_of(switch), switch) for switch in switches),
    )
