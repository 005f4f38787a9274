"""One workbook per value of a column, an index, and lists for a mail merge."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import openpyxl
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import canvas_reports_nb as crn
from canvas_reports_nb.analysis.excel import split

RUN = {
    "run_id": 7,
    "report": "grade_export_csv",
    "table": "grade_export_csv",
    "ended_at": "2026-12-14T20:00:00Z",
}


@pytest.fixture
def missing() -> pd.DataFrame:
    """Courses without grades, with their teachers."""
    frame = pd.DataFrame(
        {
            "term sis": "FA25",
            "department": ["Nursing", "History", "Nursing", None, "Art/Design"],
            "course": ["NURS 1", "HIST 1", "NURS 2", "X 1", "ART 1"],
            "names": ["Bea Ng; Joan Lamb", "Ray Dover", "Bea Ng", "Ash", None],
            "emails": [
                "bea@example.edu; joan@example.edu",
                "ray@example.edu",
                "BEA@example.edu",
                "ash@example.edu",
                None,
            ],
            "first_name": ["Bea Ng", "Ray Dover", "Bea Ng", "Ash", None],
            "first_email": ["bea@example.edu", "ray@example.edu", "BEA@example.edu", "ash@example.edu", None],
        }
    )
    frame.attrs = {"canvas_report": RUN, "definition": "A grade exists in Canvas."}
    return frame


def rows(path: Path, sheet: str) -> list[tuple[Any, ...]]:
    return list(openpyxl.load_workbook(path)[sheet].values)


@pytest.mark.filterwarnings("ignore:1 of 5 rows have no address")
def test_no_workbook_has_a_row_of_another_department(missing: pd.DataFrame, tmp_path: Path) -> None:
    folder = tmp_path / "new" / "folder"
    index = crn.workbooks(
        missing, by="department", folder=folder, title="missing grades", note="Due on Friday."
    )
    assert index["file"].tolist() == [
        "FA25_missing-grades_Art-Design_2026-12-14.xlsx",
        "FA25_missing-grades_History_2026-12-14.xlsx",
        "FA25_missing-grades_Nursing_2026-12-14.xlsx",
        "FA25_missing-grades_none_2026-12-14.xlsx",
    ]
    assert index["rows"].tolist() == [1, 1, 2, 1]
    listed = "FA25_missing-grades_index_2026-12-14.xlsx"
    assert sorted(path.name for path in folder.iterdir()) == sorted([*index["file"], listed])
    for department, file in zip(index["department"], index["file"], strict=True):
        header, *cells = rows(folder / file, "grade_export_csv")
        found = {row[header.index("department")] for row in cells}
        assert found == {None if pd.isna(department) else department}
        told = dict(rows(folder / file, "Read me")[2:])
        assert told["Definition"] == "A grade exists in Canvas."
        assert told["Note"] == "Due on Friday."
        assert (folder / file).stat().st_mode & 0o777 == 0o600
    assert [row[1] for row in rows(folder / listed, "Index")[1:]] == index["file"].tolist()
    assert [row[0] for row in rows(folder / listed, "Mail list")[1:]] == [
        "ash@example.edu", "bea@example.edu", "joan@example.edu", "ray@example.edu",
    ]  # fmt: skip


@pytest.mark.filterwarnings("ignore:1 of 5 rows have no address")
def test_a_teacher_gets_all_rows_with_the_name(missing: pd.DataFrame, tmp_path: Path) -> None:
    index = crn.workbooks(missing, by="names", folder=tmp_path)
    assert dict(zip(index["names"].fillna("none"), index["rows"], strict=True)) == {
        "Ash": 1, "Bea Ng": 2, "Joan Lamb": 1, "Ray Dover": 1, "none": 1,
    }  # fmt: skip


@pytest.mark.filterwarnings("ignore:1 of 5 rows have no address")
def test_a_file_in_the_way_stops_all(missing: pd.DataFrame, tmp_path: Path) -> None:
    index = crn.workbooks(missing, by="department", folder=tmp_path, title="m")
    crn.workbooks(missing, by="department", folder=tmp_path, title="m")  # the same contents
    edited = tmp_path / index["file"][2]
    edited.write_bytes(b"edited")
    for path in tmp_path.iterdir():
        if path != edited:
            path.unlink()
    with pytest.raises(crn.exceptions.FileError, match="already exists"):
        crn.workbooks(missing, by="department", folder=tmp_path, title="m")
    assert list(tmp_path.iterdir()) == [edited]
    crn.workbooks(missing, by="department", folder=tmp_path, title="m", overwrite=True)
    assert len(list(tmp_path.iterdir())) == 5


@pytest.mark.parametrize("kind", ["pandas", "polars", "lazy", "arrow", "dask"])
def test_every_kind(kind: str, oracle: Any, missing: pd.DataFrame, tmp_path: Path) -> None:
    plain = missing.dropna(subset="emails")
    frame = oracle.as_kind(pa.Table.from_pandas(plain, preserve_index=False).replace_schema_metadata(), kind)
    index = crn.workbooks(frame, by="department", folder=tmp_path, title="m")
    assert index["file"].tolist() == ["FA25_m_History.xlsx", "FA25_m_Nursing.xlsx", "FA25_m_none.xlsx"]
    made = crn.mail_list(frame)
    assert oracle.kind_of(made) == kind
    assert oracle.rows(made) == (
        ["To", "First name", "Count", "List"],
        [
            ("ash@example.edu", "Ash", 1, "X 1"),
            ("bea@example.edu", "Bea", 2, "NURS 1; NURS 2"),
            ("joan@example.edu", "Joan", 1, "NURS 1"),
            ("ray@example.edu", "Ray", 1, "HIST 1"),
        ],
    )


def test_values_that_look_alike_get_files_of_their_own(tmp_path: Path) -> None:
    names = [
        "a/b",
        "a:b",
        "A b",
        "index",
        "..",
        "é 学",
        "STRASSE",
        "straße",
        *("x" * n + "学" * 100 for n in range(3)),
    ]
    frame = pl.DataFrame({"by": names, "term": "学" * 100, "n": range(len(names))})
    index = crn.workbooks(frame, by="by", folder=tmp_path, title="x" + "é" * 100)
    assert index["file"].str.casefold().is_unique
    assert [index["file"].str.endswith(f"_{name}.xlsx").sum() for name in ("none", "STRASSE", "A-b")] == [
        1
    ] * 3
    assert all(len(rows(tmp_path / file, "Data")) == 2 for file in index["file"])
    assert len(list(tmp_path.iterdir())) == len(names) + 1


def test_rows_without_an_address_are_counted_aloud(missing: pd.DataFrame) -> None:
    with pytest.warns(crn.ReportWarning, match="1 of 5 rows have no address"):
        made = crn.mail_list(missing)
    assert made["Count"].sum() == 5, "NURS 1 has two teachers"


def test_a_list_gives_the_reasons(missing: pd.DataFrame) -> None:
    frame = missing.iloc[:1].assign(reasons="unpublished")
    made = crn.mail_list(frame, to="first_email")
    assert made.to_numpy().tolist() == [["bea@example.edu", "Bea", 1, "NURS 1 (unpublished)"]]
    students = pd.DataFrame({"name": ["Ng, Bea", None], "email": ["b@example.edu", "c@example.edu"]})
    assert crn.mail_list(students)["First name"].fillna("").tolist() == ["Bea", ""]


def test_columns_are_chosen_in_the_documented_order() -> None:
    names = "course, course name, course_name, short_name, long_name, name, section, section name"
    items, addresses = names.split(", "), ["emails", "first_email", "email"]
    columns = {name: [name] for name in (*items, *addresses)}
    for at in range(len(items)):
        made = crn.mail_list(pl.DataFrame(columns).drop(items[:at]))
        assert made["List"].to_list() == [items[at]]
    for at in range(len(addresses)):
        made = crn.mail_list(pl.DataFrame(columns).drop(addresses[:at]))
        assert made["To"].to_list() == [addresses[at]]
    terms = {name: [name] for name in ("term sis", "term_id", "sis_term_id", "term")}
    for at, name in enumerate(terms):
        made = split._file_names(pl.DataFrame(terms).drop(list(terms)[:at]), "x", "UTC")
        assert made == f"{name.replace(' ', '-').replace('_', '-')}_x_{{}}.xlsx"


def test_workbooks_are_in_one_order_whatever_that_of_the_rows() -> None:
    for values in (["b", None, "B", "a"], [None, "a", "B", "b"]):
        found = split._groups(pl.DataFrame({"by": values}), "by")
        assert [value for value, _ in found] == ["a", "B", "b", None]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda frame, folder: crn.workbooks(frame, "dept", folder), "'dept'.*Did you mean|'dept'"),
        (
            lambda frame, folder: crn.workbooks(pl.DataFrame({"n": range(1001)}), "n", folder),
            "1,001 workbooks",
        ),
        (lambda frame, folder: crn.workbooks(frame, "department", folder / "\0"), "Can't use .* as a path"),
        (lambda frame, folder: crn.workbooks(frame, "department", None), "Can't use None as a path"),
        (lambda frame, folder: crn.workbooks(frame[:3], "department", folder / ("x" * 300)), "name too long"),
        (lambda frame, folder: crn.mail_list(frame.drop(columns=["emails", "first_email"])), "'emails'"),
        (lambda frame, folder: crn.mail_list(frame, items="room"), "'room'"),
    ],
)
def test_refused(call: Callable[..., Any], message: str, missing: pd.DataFrame, tmp_path: Path) -> None:
    with pytest.raises(crn.CanvasReportsError, match=message):
        call(missing, tmp_path)
    assert not list(tmp_path.iterdir())
    assert crn.workbooks(missing.iloc[:0], "department", tmp_path).empty
