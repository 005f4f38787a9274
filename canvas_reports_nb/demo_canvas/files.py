"""A folder of report files, each served as a finished run of the report it is recognized as."""

import csv
import re
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, NamedTuple

from .reports import HEADERS

UNRECOGNIZED = "unrecognized_csv"
LEAST_KNOWN = 0.5
"""Share of a file's columns that must be columns of a report."""

NAMED_BY_CANVAS = re.compile(r"(\w+_csv)_\d{2}_[A-Z][a-z]{2}_\d{4}_\d+", re.ASCII)
"""Such as "grade_export_csv_02_Mar_2026_81234...": the report, the day, ids."""

OFF = frozenset({"", "none", "no", "n", "false", "f", "off", "0"})

Tables = Mapping[str, tuple[str, ...]]


class Match(NamedTuple):
    """How well a file matches a report."""

    known: int
    shortness: int
    tables: frozenset[str]


@dataclass(frozen=True, slots=True)
class FoundFile:
    """One file of the folder and the report it was recognized as."""

    path: Path
    report: str
    tables: frozenset[str]
    modified: datetime

    def parameters(self) -> dict[str, object]:
        """Return the file switches that produce this file; none for a report without switches."""
        return dict.fromkeys(sorted(self.tables & switches(self.report)), "true")


def scan(folder: Path) -> tuple[FoundFile, ...]:
    """Recognize every CSV and zip file in a folder, in the order of their names."""
    if not folder.is_dir():
        raise NotADirectoryError(f"There is no folder {folder}. Pass a folder of report files.")
    paths = (path for path in folder.iterdir() if path.suffix.lower() in {".csv", ".zip"})
    return tuple(_found(path) for path in sorted(paths, key=lambda path: path.name))


def switches(report: str) -> frozenset[str]:
    """Return the tables of a report that have a switch each."""
    tables = HEADERS.get(report, {})
    return frozenset(tables if len(tables) > 1 else ())


def newest(found: Iterable[FoundFile], report: str, tables: frozenset[str]) -> FoundFile | None:
    """Return the newest file of a report with exactly `tables`, or with any if the report has no switches."""
    fitting = [f for f in found if f.report == report and (not switches(report) or f.tables == tables)]
    return max(fitting, key=lambda f: (f.modified, f.path.name), default=None)


def asked_tables(report: str, parameters: Mapping[str, object]) -> frozenset[str]:
    """Return the tables that `parameters` switch on."""
    return frozenset(name for name in switches(report) if str(parameters.get(name, "")).lower() not in OFF)


def _found(path: Path) -> FoundFile:
    members = _headers(path)
    columns = sum(len(header) for header in members.values())
    named = [report for report in HEADERS if path.name.startswith(report)]
    matches = {
        report: _match(HEADERS[report], members) for report in ([max(named, key=len)] if named else HEADERS)
    }
    report = max(matches, key=lambda name: (matches[name].known, matches[name].shortness))
    match = matches[report]
    if not named and match.known < max(1, LEAST_KNOWN * columns):
        by_canvas = NAMED_BY_CANVAS.match(path.name)
        report, match = by_canvas[1] if by_canvas else UNRECOGNIZED, Match(0, 0, frozenset())
    modified = datetime.fromtimestamp(path.stat().st_mtime, UTC).replace(microsecond=0)
    return FoundFile(path, report, match.tables, modified)


def _match(tables: Tables, members: Mapping[str, frozenset[str]]) -> Match:
    """Compare the columns of each zip member with those of a report."""
    known, shortness, chosen = 0, 0, set[str]()
    for stem, header in members.items():
        options = {stem: tables[stem]} if stem in tables else tables
        overlap, short, table = max(
            (len(header.intersection(names)), -len(names), t) for t, names in options.items()
        )
        if overlap:
            chosen.add(table)
        known += overlap
        shortness += short
    return Match(known, shortness, frozenset(chosen))


def _headers(path: Path) -> dict[str, frozenset[str]]:
    """Return the columns of each table in a file by the name of its zip member, or ""."""
    if not zipfile.is_zipfile(path):
        with path.open("rb") as file:
            return {"": _columns(file)}
    headers = {}
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            if name.lower().endswith(".csv"):
                with archive.open(name) as member:
                    headers[Path(name).stem] = _columns(member)
    return headers


def _columns(file: IO[bytes]) -> frozenset[str]:
    line = file.readline().decode("utf-8-sig", errors="replace")
    separator = ";" if line.count(";") > line.count(",") else ","
    return frozenset(next(csv.reader([line], delimiter=separator), []))
