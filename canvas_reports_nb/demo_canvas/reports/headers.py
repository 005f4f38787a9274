"""The columns of every table of every report, as one school with its settings exports them.

Final-grade overrides, pronouns and integration ids are on; temporary enrolments, consortium columns and
account-level mastery scales are off.
"""

from collections.abc import Mapping

from canvas_reports_nb.demo_canvas.data import read

COLUMNS: Mapping[str, Mapping[str, Mapping[str, str]]] = read("columns")
"""Of each report and table: from what is printed in the header to the column of our frames below it."""

HEADERS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    report: {table: tuple(columns) for table, columns in tables.items()} for report, tables in COLUMNS.items()
}

TABLES = tuple(COLUMNS["provisioning_csv"])
"""Canvas writes the members of a zip in this order, whatever the order of the switches."""
