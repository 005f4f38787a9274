"""The reports of Canvas: their parameters, tables and columns.

There is one JSON file per report in ``catalog/data``, read on first use. Everything here is immutable. Schools
hosted by Instructure may see more report types: the few whose header is known are in ``catalog/data/hosted``, and for
all others `schema` returns ``None``.
"""

import json
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, get_args

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

Kind = Literal[
    "canvas_id", "sis_id", "guid", "text", "name", "login", "email", "url", "host", "ip", "token", "html",
    "integer", "float", "grade", "boolean", "timestamp", "enum", "list",
]  # fmt: skip
KINDS: tuple[Kind, ...] = get_args(Kind)

#: The identity of a personal value by its kind, unless the JSON file gives another one.
_IDENTITIES: Mapping[str, str] = MappingProxyType(
    {
        "canvas_id": "person",
        "sis_id": "sis",
        "name": "name",
        "login": "login",
        "email": "email",
        "ip": "ip",
        "token": "token",
    }
)

#: What the name of a text column adds to that of a typed column with documented words, such as ``never``.
COMPANION = " (text)"
#: Parameters that every report accepts and none lists. Canvas overwrites ``locale``.
COMMON_PARAMETERS = ("skip_message", "extra_text")


@lru_cache(maxsize=4096)
def fold(name: str) -> str:
    """Return a column name without case, invisible characters and differences between blanks."""
    if name.isascii():
        return " ".join(name.split()).casefold()
    # A joiner (Cf) or a variation selector (Mn) comes with an emoji, and changes nothing one can see in a name.
    visible = "".join(c for c in name if unicodedata.category(c) != "Cf" and c not in "\ufe0e\ufe0f")
    return " ".join(visible.split()).casefold()


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table.

    Attributes
    ----------
    personal
        Whether the value can identify a person, alone or combined with other data.
    identity
        What a personal value identifies. Columns with the same identity hold the same values, even under other
        names and in other tables. ``None`` if the column is not personal, and for times and free text.
    education_record
        Whether the value is a grade, a result or a submission time.
    nullable
        Whether a cell may be empty; ``None`` if unknown.
    when
        The condition under which Canvas writes the column; ``None`` if it always does.
    values, open
        The values of an enumeration or boolean, and whether other values are possible.
    words
        Words that a timestamp column may hold instead of a time. In a frame, they are missing there, and the column
        ``<name> (text)`` has the text of all cells.
    """

    name: str
    kind: Kind
    personal: bool
    identity: str | None
    education_record: bool
    nullable: bool | None
    when: str | None
    values: tuple[str, ...] | None
    open: bool
    words: tuple[str, ...]
    meaning: str


@dataclass(frozen=True, slots=True)
class DynamicColumns:
    """A group of columns that repeats, each time named after a title that the school chose.

    Attributes
    ----------
    placeholder
        The placeholder for the title in the names of `columns`.
    insert_after
        The fixed column that the groups follow.
    for_each
        What each group belongs to, and in which order the groups come.
    """

    placeholder: str
    insert_after: str
    for_each: str
    columns: tuple[Column, ...]

    def column(self, name: str) -> Column | None:
        """Return the column whose fixed ending matches `name`, renamed to `name`.

        The longest ending wins, because one ending can be the end of another.
        """
        lowered = fold(name)
        fitting = [
            (len(ending), column)
            for column in self.columns
            if lowered.endswith(ending := fold(column.name.removeprefix(self.placeholder)))
        ]
        if not fitting:
            return None
        return replace(max(fitting, key=lambda pair: pair[0])[1], name=name)


@dataclass(frozen=True, slots=True)
class Table:
    """One CSV of a report.

    Attributes
    ----------
    grain
        What one row represents.
    selection
        Which of them the table holds, by default and with ``include_deleted``.
    key, older_key
        Columns that identify a row; `older_key` uses only columns that older files also have.
    key_note
        Why these columns do; each part begins with ``fact:`` or ``judgment:``.
    ragged
        Whether rows may be longer or shorter than the header.
    one_cell_results
        Texts that mean "nothing to report" when they are the only cell of the file.
    verified
        ``False`` if no real file has confirmed the columns.
    older_headers
        Headers written by earlier versions of Canvas.
    """

    name: str
    report: str
    grain: str
    selection: str
    key: tuple[str, ...]
    older_key: tuple[str, ...] | None
    key_note: str
    ragged: bool
    one_cell_results: tuple[str, ...]
    verified: bool
    older_headers: tuple[tuple[str, ...], ...]
    columns: tuple[Column, ...]
    dynamic: DynamicColumns | None

    def column(self, name: str) -> Column | None:
        """Find a column by exact name, then as `fold` compares names, then as a companion or by pattern."""
        for column in self.columns:
            if column.name == name:
                return column
        folded = fold(name)
        for column in self.columns:
            if fold(column.name) == folded:
                return column
        worded = self.column(name.removesuffix(COMPANION)) if name.endswith(COMPANION) else None
        if worded and worded.words:
            meaning = f"The text of {worded.name!r} as written, which may be: {', '.join(worded.words)}."
            return replace(worded, name=name, kind="text", words=(), nullable=None, meaning=meaning)
        return self.dynamic.column(name) if self.dynamic else None


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a report.

    Attributes
    ----------
    advertised
        Whether Canvas lists it; Canvas also accepts those it does not list.
    aliases
        Other names that Canvas accepts for it.
    when
        Which versions of Canvas have it; ``None`` if all do.
    selects_table
        The table that is included if the value is true.
    """

    name: str
    type: Literal["term", "boolean", "date", "string", "integer", "enum", "list"]
    choices: tuple[str, ...] | None
    default: Any
    advertised: bool
    aliases: tuple[str, ...]
    description: str
    when: str | None
    selects_table: str | None


@dataclass(frozen=True, slots=True)
class Report:
    """One report type.

    Attributes
    ----------
    report
        Its name in the API, such as ``grade_export_csv``.
    output
        ``"csv"``, or ``"csv-or-zip"`` if it depends on the parameters.
    locale_csv
        Whether separator, byte order mark and, in the outcome export, the decimal separator depend on settings.
    """

    report: str
    title: str
    description: str
    output: Literal["csv", "csv-or-zip"]
    locale_csv: bool
    parameters: Mapping[str, Parameter]
    tables: Mapping[str, Table]

    def table(self, name: str) -> Table | None:
        """Return the table with this name; if the files are named after terms, any name matches."""
        pattern = next((table for table in self.tables.values() if table.dynamic), None)
        return self.tables.get(name, pattern)

    def parameter(self, name: str) -> Parameter | None:
        """Return the parameter with this name or alias."""
        return self.parameters.get(name) or next(
            (parameter for parameter in self.parameters.values() if name in parameter.aliases), None
        )


def _texts(raw: list[str] | None) -> tuple[str, ...]:
    return tuple(raw or ())


def _column(raw: Mapping[str, Any]) -> Column:
    personal = raw.get("personal", False)
    return Column(
        name=raw["name"],
        kind=raw["kind"],
        personal=personal,
        identity=raw.get("identity", _IDENTITIES.get(raw["kind"])) if personal else None,
        education_record=raw.get("education_record", False),
        nullable=raw["nullable"],
        when=raw.get("when"),
        values=tuple(raw["values"]) if "values" in raw else None,
        open=raw.get("open", False),
        words=_texts(raw.get("words")),
        meaning=raw["meaning"],
    )


def _dynamic(raw: Mapping[str, Any]) -> DynamicColumns:
    return DynamicColumns(**{**raw, "columns": tuple(map(_column, raw["columns"]))})


def _table(report: str, name: str, raw: Mapping[str, Any]) -> Table:
    return Table(
        name=name,
        report=report,
        grain=raw["grain"],
        selection=raw["selection"],
        key=_texts(raw["key"]),
        older_key=_texts(raw["older_key"]) if "older_key" in raw else None,
        key_note=raw["key_note"],
        ragged=raw.get("ragged", False),
        one_cell_results=_texts(raw.get("one_cell_results")),
        verified=raw["verified"],
        older_headers=tuple(map(tuple, raw.get("older_headers", ()))),
        columns=tuple(map(_column, raw["columns"])),
        dynamic=_dynamic(raw["pattern"]) if "pattern" in raw else None,
    )


def _parameter(name: str, raw: Mapping[str, Any]) -> Parameter:
    return Parameter(
        name=name,
        type=raw["type"],
        choices=tuple(raw["choices"]) if "choices" in raw else None,
        default=raw["default"],
        advertised=raw.get("advertised", True),
        aliases=_texts(raw.get("aliases")),
        description=raw["description"],
        when=raw.get("when"),
        selects_table=raw.get("selects_table"),
    )


@cache
def reports() -> tuple[str, ...]:
    """Return the names of the reports of open-source Canvas, sorted."""
    return _names_in("data")


@cache
def hosted_reports() -> tuple[str, ...]:
    """Return the names of the reports in the catalog that only hosted schools have, sorted."""
    return _names_in("data/hosted")


def _names_in(folder: str) -> tuple[str, ...]:
    names = (file.name for file in _catalog().joinpath(folder).iterdir())
    return tuple(sorted(name.removesuffix(".json") for name in names if name.endswith(".json")))


def _catalog() -> "Traversable":
    # At the top, importlib.resources would double the import time of this module.
    from importlib.resources import files  # noqa: PLC0415  (see above)

    return files("canvas_reports_nb.catalog")


@cache
def schema(report: str) -> Report | None:
    """Return the catalog's description of a report, or ``None`` for a report that is not in the catalog."""
    folder = "data" if report in reports() else "data/hosted" if report in hosted_reports() else None
    if folder is None:
        return None
    raw = json.loads(_catalog().joinpath(folder, f"{report}.json").read_text(encoding="utf-8"))
    parameters = {name: _parameter(name, value) for name, value in raw["parameters"].items()}
    tables = {name: _table(report, name, value) for name, value in raw["tables"].items()}
    return Report(
        **{**raw, "parameters": MappingProxyType(parameters), "tables": MappingProxyType(tables)},
    )
