"""Recognize the report and table of a file by its header and, if needed, its name."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

from canvas_reports_nb.catalog.schemas import Table, fold, hosted_reports, reports, schema

# The share of known columns times the share of expected columns found, below which a file resembles no table.
THRESHOLD = 0.5
# Fewer known columns are not enough: half of the tables have "id" and "name".
ENOUGH_COLUMNS = 3
# For example "grade_export_csv_02_Mar_2026_81234...": the report, the day, ids.
_NAMED_BY_CANVAS = re.compile(r"(?:^|[\\/])(\w+?)_\d{2}_[A-Z][a-z]{2}_\d{4}_\d+", re.ASCII)


@dataclass(frozen=True, slots=True)
class Match:
    """The report and table that a header was recognized as.

    Attributes
    ----------
    report
        ``None`` if several reports write exactly this header and nothing else distinguishes them.
    table
        The name of the table in `report`, or in the first candidate.
    candidates
        All (report, table) pairs that match equally well, sorted by name; one pair if there is no doubt.
    exact
        Whether no column is unknown or missing, or the header is one that older versions of Canvas wrote.
    missing, unknown
        Columns that a current table always has and the file lacks; columns of the file that no table has.
    """

    report: str | None
    table: str
    candidates: tuple[tuple[str, str], ...]
    exact: bool
    missing: tuple[str, ...]
    unknown: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Fit:
    table: Table
    score: float
    exact: bool
    missing: tuple[str, ...]
    unknown: tuple[str, ...]


def report_in_name(name: str | None) -> str | None:
    """Return the report in a file name that Canvas gave: ``TYPE_02_Mar_2026_81234...``."""
    found = _NAMED_BY_CANVAS.search(name or "")
    return found[1] if found else None


def recognize(header: Sequence[str], name: str | None = None) -> Match | None:
    """Recognize the report and table that have this header.

    A header with a column that the table does not have needs a name that confirms the report: many reports share
    columns, and a report that is not in the catalog may contain those of one that is.

    Parameters
    ----------
    header
        The first line of the file, in any order and case.
    name
        A file name or path, such as ``provisioning_csv_02_Mar_2026_81234.zip/users.csv`` or
        ``users (1).csv``. If it names a report that can have this header, that one is chosen. If it is a name
        that Canvas gave to another report, nothing matches.

    Returns
    -------
    Match or None
        ``None`` if nothing matches. Several tables can match equally well only if they give every column of
        the header the same kind, so the file gets the same types with each of them.
    """
    columns = _columns(header)
    fits = _best_fits(columns, name)
    if not fits or any(len({_kind(fit.table, column) for fit in fits}) > 1 for column in columns):
        return None
    first, candidates = fits[0], tuple((fit.table.report, fit.table.name) for fit in fits)
    return Match(
        report=first.table.report if len({report for report, _ in candidates}) == 1 else None,
        table=first.table.name,
        candidates=candidates,
        exact=first.exact,
        missing=first.missing,
        unknown=first.unknown,
    )


def _best_fits(columns: tuple[str, ...], name: str | None) -> list[_Fit]:
    """Return the tables that fit a header best and that the file's name allows."""
    words, named = _words(name), report_in_name(name)
    fits = list(_fits(columns, words))
    if named is None:
        confirmed = [fit for fit in fits if _names(words, fit.table.report)]
        fits = confirmed or [fit for fit in fits if not fit.unknown]
    best = max((fit.score for fit in fits), default=0.0)
    return [fit for fit in fits if fit.score == best and named in {None, fit.table.report}]


def describe_nearest(header: Sequence[str], name: str | None = None) -> str:
    """Describe the report that a header resembles without being recognized as it; blank if it resembles none."""
    nearest = max(_fits(_columns(header), _words(name)), key=lambda fit: fit.score, default=None)
    if nearest is None:
        return ""
    report, others = nearest.table.report, ", ".join(map(repr, nearest.unknown))
    differs = f", but {report} has no column {others}" if others else ""
    return f"It resembles {report}{differs}. If it is that report, pass report={report!r}."


def _columns(header: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(column.removeprefix("\ufeff").strip() for column in header))


def _fits(columns: tuple[str, ...], words: str) -> Iterator[_Fit]:
    return (fit for table in _tables() if (fit := _fit(table, columns, words)))


def _tables() -> Iterator[Table]:
    found = map(schema, (*reports(), *hosted_reports()))
    return chain.from_iterable(report.tables.values() for report in found if report)


def _kind(table: Table, name: str) -> str | None:
    column = table.column(name)
    return column.kind if column else None


def _words(name: str | None) -> str:
    """Rewrite a file name as ``_word_word_``, to search it for whole words."""
    return f"_{re.sub(r'[^a-z0-9]+', '_', (name or '').casefold()).strip('_')}_"


def _names(words: str, report: str) -> bool:
    stem = report.removesuffix("_csv")
    # "mgp grade export" contains "grade export" but is another report.
    return f"_{stem}_" in words and not (stem == "grade_export" and "_mgp_grade_export_" in words)


def _matches_by_name_only(table: Table, columns: tuple[str, ...], words: str) -> bool:
    """Whether only the name identifies the table.

    The columns of some tables are not documented; a term without grading periods is a single line of text.
    """
    silent = not table.columns and f"_{table.name}_" in words
    return (silent or (len(columns) == 1 and table.dynamic is not None)) and _names(words, table.report)


def _fit(table: Table, columns: tuple[str, ...], words: str) -> _Fit | None:
    """Compare a header with those a table has now and had before."""
    if len(columns) == 1 and columns[0].casefold() in {text.casefold() for text in table.one_cell_results}:
        return _Fit(table, 1.0, exact=True, missing=(), unknown=())
    if _matches_by_name_only(table, columns, words):
        return _Fit(table, 1.0, exact=False, missing=(), unknown=columns)
    unknown = tuple(column for column in columns if table.column(column) is None)
    known = len(columns) - len(unknown)
    if known < ENOUGH_COLUMNS:
        return None
    folded = set(map(fold, columns))
    always = [column.name for column in table.columns if column.when is None]
    missing = tuple(column for column in always if fold(column) not in folded)
    is_older = any(folded == set(map(fold, header)) for header in table.older_headers)
    score = known / len(columns) * (1.0 if is_older else 1 - len(missing) / len(always))
    exact = is_older or not (missing or unknown)
    return _Fit(table, score, exact, missing, unknown) if score >= THRESHOLD else None
