"""Headcounts, credit hours and section sizes, in tables counted by hand."""

from typing import Any

import polars as pl
import pytest

from canvas_reports_nb.analysis import provisioning
from canvas_reports_nb.exceptions import ParameterError, UnknownColumnError

_SEAT = ("canvas_user_id", "canvas_course_id", "canvas_section_id", "role", "status", "base_role_type")


def seats(*rows: tuple[Any, ...]) -> pl.DataFrame:
    schema = {name: pl.Int64 if name.startswith("canvas") else pl.String for name in _SEAT}
    return pl.DataFrame(rows, schema=schema, orient="row")


def student(person: int, course: int, section: int, status: str = "active") -> tuple[Any, ...]:
    return person, course, section, "Degree student", status, "StudentEnrollment"


TABLES = {
    "enrollments": seats(
        *(student(1, 10, 101), student(1, 10, 102), student(1, 20, 201), student(2, 10, 101)),
        *(student(3, 20, 201), student(4, 20, 201, "inactive"), student(5, 20, 201, "invited")),
        (9, 10, 101, "teacher", "active", "TeacherEnrollment"),
    ),
    "courses": pl.DataFrame(
        {
            "canvas_course_id": [10, 20],
            "course_id": ["C10", "C20"],
            "canvas_term_id": [7, 7],
            "canvas_account_id": [12, 1],
        }
    ),
    "terms": pl.DataFrame({"canvas_term_id": [7], "term_id": ["FA26"], "name": ["Fall 2026"]}),
    "accounts": pl.DataFrame(
        {
            "canvas_account_id": [11, 12],
            "account_id": ["H", "HN"],
            "canvas_parent_id": [1, 11],
            "name": ["Health", "Nursing"],
        }
    ),
}
CREDITS = pl.DataFrame({"course_id": ["C10", "C20"], "credits": [3, 4]})


@pytest.mark.parametrize("kind", ["pandas", "polars", "lazy", "arrow", "dask", "duckdb"])
def test_the_worked_example_of_a_census(oracle: Any, kind: str) -> None:
    tables = {name: oracle.as_kind(frame.to_arrow(), kind) for name, frame in TABLES.items()}
    found = provisioning.census(tables, credits=oracle.as_kind(CREDITS.to_arrow(), kind))
    assert oracle.kind_of(found) == kind
    names, rows = oracle.rows(found)
    assert names == [
        *("canvas_term_id", "term_id", "term", "headcount", "seats", "section_seats", "courses", "sections"),
        *("credit_hours", "fte", "seats_without_credits"),
    ]
    assert [(*row[:9], round(row[9], 4), row[10]) for row in rows] == [
        (7, "FA26", "Fall 2026", 3, 4, 5, 2, 3, 14.0, 0.9333, 0)
    ]


def test_a_census_by_college_and_without_credits() -> None:
    found = provisioning.census(TABLES, ("college", "department"))
    assert found.drop("credit_hours", "fte", "seats_without_credits").rows() == [
        ("Health", "Nursing", 2, 2, 3, 1, 2),
        (None, None, 2, 2, 2, 1, 1),
    ]
    assert found["credit_hours"].null_count() == found["seats_without_credits"].null_count() == 2
    everybody = provisioning.census(TABLES, None, states=("active", "invited", "inactive"))
    assert everybody.columns[0] == "headcount"
    assert everybody["headcount"].to_list() == [5]


def test_courses_without_credits_are_counted() -> None:
    listed = pl.DataFrame({"canvas_course_id": ["10", "77", None], "credits": [" 2.5", "1", ""]})
    found = provisioning.census(TABLES, ("account", "course"), credits=listed, full_load=10)
    assert found.columns[:6] == [
        *("canvas_account_id", "canvas_course_id", "account_id", "account", "course_id", "headcount")
    ]
    assert found.select("canvas_course_id", "credit_hours", "fte", "seats_without_credits").rows() == [
        (20, None, None, 2),
        (10, 5.0, 0.5, 0),
    ]


def test_courses_that_the_run_does_not_list_count_in_the_total() -> None:
    tables = TABLES | {"courses": TABLES["courses"].filter(pl.col("canvas_course_id") == 10)}
    found = provisioning.census(tables, None)
    assert found.select("headcount", "seats", "section_seats", "courses").rows() == [(3, 4, 5, 2)]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"by": "collage"}, "Unknown by='collage'(?s:.*)'college'"),
        ({"full_load": 0}, "full_load=0"),
        ({"credits": CREDITS.with_columns(course_id=pl.lit(10))}, "leading zeros(?s:.*)read_file"),
        ({"credits": CREDITS.with_columns(credits=pl.lit("three"))}, "can't read 'three' as a number"),
        ({"credits": CREDITS.with_columns(course_id=pl.lit("C10"))}, "several numbers of credits.*'C10'"),
    ],
)
def test_wrong_options_of_a_census_are_explained(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ParameterError, match=words):
        provisioning.census(TABLES, **options)


def test_what_a_group_or_the_credits_need_is_named() -> None:
    without = {name: frame for name, frame in TABLES.items() if name not in ("terms", "accounts")}
    with pytest.raises(ParameterError, match="census needs the table 'accounts' for by='college'"):
        provisioning.census(without, "college")
    with pytest.raises(ParameterError, match="census needs the table 'terms' for by='term'"):
        provisioning.census(without)
    with pytest.raises(UnknownColumnError, match=r"in credits,.*'credits'"):
        provisioning.census(TABLES, credits=CREDITS.drop("credits"))


@pytest.mark.parametrize("analysis", [provisioning.census, provisioning.section_sizes])
def test_empty_tables_give_an_empty_table(analysis: Any) -> None:
    sections = pl.DataFrame({"canvas_section_id": [1], "canvas_course_id": [10], "status": ["active"]})
    tables = {**TABLES, "sections": sections}
    found = analysis({name: frame.clear() for name, frame in tables.items()}, by="term")
    assert found.height == 0
    assert found.schema == analysis(tables, by="term").schema


def classes(sizes: list[int]) -> dict[str, pl.DataFrame]:
    rows = [student(person, place, place) for place, size in enumerate(sizes) for person in range(size)]
    ids = list(range(len(sizes)))
    sections = pl.DataFrame({"canvas_section_id": ids, "canvas_course_id": ids, "status": "active"})
    return {"enrollments": seats(*rows), "sections": sections}


def test_the_worked_example_of_section_sizes() -> None:
    found = provisioning.section_sizes(classes([0, 1, 2, 9, 10, 19, 20, 49, 50, 99, 100]))
    assert found.rows() == [
        *(("excluded", 2), ("2-9", 2), ("10-19", 2), ("20-29", 1), ("40-49", 1), ("50-99", 2), ("100+", 1)),
    ]
    two = provisioning.section_sizes(classes([0, 1, 2, 3, 9]), bands=(1, 2, 4))
    assert two.rows() == [("excluded", 1), ("1", 1), ("2-3", 2), ("4+", 1)]


def test_cross_listed_sections_are_one_class_or_belong_to_their_own_courses() -> None:
    # Sections 101 and 102 are of course 10; 201 came from course 20; 301 once came from 30 and was given back.
    people = range(5)
    enrolled = seats(
        *(student(person, 10, 101) for person in people),
        *(student(person + 3, 10, 102) for person in people),
        *(student(person + 6, 10, 201) for person in people),
        *(student(person, 30, 301) for person in people),
    )
    tables = {
        **TABLES,
        "enrollments": enrolled,
        "courses": pl.DataFrame({"canvas_course_id": [10, 20, 30], "canvas_term_id": [7, 8, 9]}),
        "terms": pl.DataFrame({"canvas_term_id": [7, 8, 9], "name": ["Fall", "Winter", "Spring"]}),
        "sections": pl.DataFrame(
            {
                "canvas_section_id": [101, 102, 201, 301, 302],
                "canvas_course_id": [10, 10, 10, 30, 30],
                "status": ["active", "active", "active", "active", "deleted"],
            }
        ),
        "xlist": pl.DataFrame(
            {
                "canvas_section_id": [201, 301],
                "canvas_xlist_course_id": [10, 30],
                "canvas_nonxlist_course_id": [20, 20],
                "status": ["active", "deleted"],
            }
        ),
    }
    merged = provisioning.section_sizes(tables, "term")
    assert merged.rows() == [(7, "Fall", "10-19", 1), (9, "Spring", "2-9", 1)]
    home = provisioning.section_sizes(tables, "term", crosslists="home")
    assert home.rows() == [(7, "Fall", "2-9", 2), (8, "Winter", "2-9", 1), (9, "Spring", "2-9", 1)]
    assert provisioning.section_sizes({**tables, "xlist": tables["xlist"].clear()}).rows() == [("2-9", 4)]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"crosslists": "host"}, "Unknown crosslists='host'"),
        ({"bands": (10, 2)}, r"bands=\(10, 2\)"),
        ({"bands": ()}, r"bands=\(\)"),
        ({"by": "term"}, "needs the table 'courses'"),
    ],
)
def test_wrong_options_of_section_sizes_are_explained(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ParameterError, match=words):
        provisioning.section_sizes(classes([1]), **options)
