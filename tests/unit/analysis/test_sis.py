"""Canvas against the school's list: the worked example, plain SQL, and the import file."""

import csv
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import canvas_reports_nb as crn
from canvas_reports_nb import sis
from canvas_reports_nb.exceptions import ParameterError, UnknownColumnError

ENROLLMENT = {
    "user_id": pl.String,
    "section_id": pl.String,
    "canvas_user_id": pl.Int64,
    "canvas_section_id": pl.Int64,
    "canvas_course_id": pl.Int64,
    "role": pl.String,
    "base_role_type": pl.String,
    "status": pl.String,
    "created_by_sis": pl.Boolean,
}
EXTRACT = {"user_id": pl.String, "section_id": pl.String, "status": pl.String}
PEOPLE = {
    name: number for number, name in enumerate(("000481", "0044", "0055", "0066", "0103", "0104", "000777"))
}
SECTIONS = {"S1": 101, "S2": 102}


def enrolled(user: str, section: str, status: str = "active", *, by_sis: bool = True) -> tuple[Any, ...]:
    role = ("Degree student", "StudentEnrollment")
    return user, section, PEOPLE[user], SECTIONS[section], 10, *role, status, by_sis


TABLES = {
    "users": pl.DataFrame(
        {"user_id": [*PEOPLE, "0091"], "canvas_user_id": [*PEOPLE.values(), 91]}
    ).with_columns(
        login_id="user_id",
        full_name=pl.format("Person {}", "user_id"),
        email=pl.format("{}@example.edu", "user_id"),
        status=pl.lit("active"),
    ),
    "sections": pl.DataFrame(
        {"section_id": SECTIONS.keys(), "canvas_section_id": SECTIONS.values()}
    ).with_columns(canvas_course_id=pl.lit(10), course_id=pl.lit("C1")),
    "enrollments": pl.DataFrame(
        [
            enrolled("000481", "S1"),
            enrolled("0044", "S2"),
            enrolled("0055", "S1", by_sis=False),
            enrolled("0066", "S1"),
            enrolled("0103", "S1"),
            enrolled("0104", "S1", "inactive"),
            enrolled("000777", "S1"),
            (*enrolled("0104", "S2")[:5], "teacher", "TeacherEnrollment", "active", True),
        ],
        schema=ENROLLMENT,
        orient="row",
    ),
}
LIST = pl.DataFrame(
    [
        *(("000481", "S1", "E"), ("0044", "S1", "E"), ("0091", "S1", "E"), ("0102", "S2", "E")),
        *(("0103", "S1", "D"), ("0104", "S1", "E"), ("777", "S1", "E")),
    ],
    schema=EXTRACT,
    orient="row",
)
LISTED = [
    ("still active in Canvas", "0103", "S1", "D", "active", True, "0103"),
    ("not in SIS", "0066", "S1", None, "active", True, "0066"),
    ("not in SIS, by hand", "0055", "S1", None, "active", False, "0055"),
    ("not in Canvas", "0091", "S1", "E", None, None, None),
    ("not active in Canvas", "0104", "S1", "E", "inactive", True, "0104"),
    ("other section", "0044", "S1", "E", None, None, None),
    ("other section", "0044", "S2", None, "active", True, "0044"),
    ("id written differently", "000777", "S1", None, "active", True, "000777"),
    ("id written differently", "777", "S1", "E", None, None, "000777"),
    ("no such user", "0102", "S2", "E", None, None, None),
]
SHOWN = (
    "finding",
    "user_id",
    "section_id",
    "sis_status",
    "canvas_status",
    "created_by_sis",
    "canvas_spelling",
)


def imported(text: str) -> list[tuple[str, ...]]:
    header, *rows = csv.reader(io.StringIO(text))
    assert header == ["user_id", "role", "section_id", "status"]
    return [tuple(row) for row in rows]


@pytest.mark.parametrize("kind", ["pandas", "polars", "lazy", "arrow", "dask", "duckdb"])
def test_the_worked_example(oracle: Any, kind: str) -> None:
    tables = {name: oracle.as_kind(frame.to_arrow(), kind) for name, frame in TABLES.items()}
    found = sis.reconcile(tables, oracle.as_kind(LIST.to_arrow(), kind), status="status")
    assert isinstance(found, type(tables["users"]))
    names, rows = oracle.rows(found.frame)
    assert names == [
        *("finding", "user_id", "section_id", "course_id"),
        *("canvas_user_id", "canvas_section_id", "canvas_course_id", "name", "email"),
        *("sis_status", "canvas_status", "created_by_sis", "canvas_spelling"),
    ]
    assert [tuple(row[names.index(name)] for name in SHOWN) for row in rows] == LISTED
    assert oracle.kind_of(found.summary()) == kind
    assert sum(count for _, count in oracle.rows(found.summary())[1]) == 11
    with pytest.raises(ParameterError, match=r"drop 2 of the 6 active enrollments \(33%\)"):
        found.to_sis_csv()
    assert imported(found.to_sis_csv(drop="deleted", limit=0.5)) == [
        ("0066", "Degree student", "S1", "deleted"),
        ("0103", "Degree student", "S1", "deleted"),
    ]


def test_a_result_is_used_like_its_frame() -> None:
    tables = {name: frame.to_pandas() for name, frame in TABLES.items()}
    found = sis.reconcile(tables, LIST.to_pandas(), status="status", all=True)
    assert isinstance(found, pd.DataFrame)
    assert (len(found), found.shape, list(found)) == (11, (11, 13), list(found.columns))
    assert (found["finding"] == "agrees").sum() == 1
    assert "finding" in found
    assert {"summary", "to_sis_csv", "query"} <= set(dir(found))
    assert repr(found) == repr(found.frame)
    assert crn.definition(found).startswith("Enrollments as student that differ")
    pd.testing.assert_frame_equal(found, found.frame.copy())
    assert found[found["finding"] == "agrees"]["name"].tolist() == ["Person 000481"]


def test_an_import_adds_only_if_asked_and_is_written_for_the_owner_only(tmp_path: Path) -> None:
    found = sis.reconcile(TABLES, LIST, status="status")
    path = tmp_path / "enrollments.csv"
    text = found.to_sis_csv("completed", add=True, limit=1, path=path)
    assert imported(text) == [
        ("0066", "Degree student", "S1", "completed"),
        ("0091", "student", "S1", "active"),
        ("0103", "Degree student", "S1", "completed"),
    ]
    assert path.read_bytes() == text.encode()
    assert path.stat().st_mode & 0o077 == 0
    by_hand = TABLES["enrollments"].with_columns(created_by_sis=pl.lit(value=False))
    assert (
        imported(sis.reconcile({**TABLES, "enrollments": by_hand}, LIST, status="status").to_sis_csv()) == []
    )


def test_the_limit_holds_per_term() -> None:
    many = [(f"p{number}", "S9", 1000 + number, 109, 90) for number in range(100)]
    rows = pl.DataFrame(
        [(*row, "student", "StudentEnrollment", "active", True) for row in many],
        schema=ENROLLMENT,
        orient="row",
    )
    tables = {**TABLES, "enrollments": pl.concat([TABLES["enrollments"], rows])}
    extract = pl.concat([LIST, rows.select("user_id", "section_id", status=pl.lit("E"))])
    assert len(imported(sis.reconcile(tables, extract, status="status").to_sis_csv())) == 2
    courses = pl.DataFrame(
        {"canvas_course_id": [10, 90], "canvas_term_id": [1, 2], "term_id": ["FA26", None]}
    )
    found = sis.reconcile({**tables, "courses": courses}, extract, status="status")
    with pytest.raises(ParameterError, match="of the 6 active enrollments of the term FA26") as caught:
        found.to_sis_csv()
    assert imported(found.to_sis_csv(limit=float(caught.value.hint.rpartition("=")[2].rstrip("."))))


@pytest.mark.parametrize(
    ("change", "options", "words"),
    [
        ({}, {"on": {"user": "x"}}, "Can't match on 'user'"),
        (
            {"user_id": pl.lit(481)},
            {},
            r"'user_id' of the extract are numbers \(Int32\)(?s:.*)read_file.*zfill",
        ),
        ({"section_id": pl.lit(1.5)}, {}, r"'section_id' of the extract are numbers \(Float64\)"),
        ({"user_id": pl.lit("63232.0")}, {}, r"are numbers \(such as '63232.0'\)"),
        ({"user_id": pl.lit("0044"), "section_id": pl.lit("S1")}, {}, "'0044' in section 'S1'.*rows 1, 2, 3"),
    ],
)
def test_a_list_that_can_not_be_matched_is_explained(change: Any, options: Any, words: str) -> None:
    with pytest.raises(ParameterError, match=words):
        sis.reconcile(TABLES, LIST.with_columns(**change), **options)


def test_the_line_that_restores_zeros_keeps_blank_ids_blank() -> None:
    frame = pd.DataFrame({"user_id": [481.0, None]})
    with pytest.raises(ParameterError) as caught:
        sis.reconcile(TABLES, LIST.with_columns(user_id=pl.lit(481)))
    restored = eval(caught.value.hint.rpartition("in pandas: ")[2].rstrip("."), {"frame": frame})
    assert restored[0] == "000481"
    assert restored.isna().tolist() == [False, True]


def test_columns_of_the_list_may_have_other_names_and_must_exist() -> None:
    school = LIST.rename({"user_id": "EMPLID", "section_id": "CLASS", "status": "STAT"})
    on = {"user_id": "EMPLID", "section_id": "CLASS"}
    assert sis.reconcile(TABLES, school, on=on, status="STAT").frame.equals(
        sis.reconcile(TABLES, LIST, status="status").frame
    )
    with pytest.raises(UnknownColumnError, match=r"in the extract,.*'user_id'"):
        sis.reconcile(TABLES, school)


@pytest.mark.parametrize("options", [{"drop": "gone"}, {"limit": 5}])
def test_wrong_options_of_an_import_are_explained(options: Any) -> None:
    with pytest.raises(ParameterError, match=f"{next(iter(options))}="):
        sis.reconcile(TABLES, LIST).to_sis_csv(**options)


def test_another_sis_id_of_the_same_person_is_a_spelling() -> None:
    users = pl.concat(
        [TABLES["users"], TABLES["users"].filter(user_id="0066").with_columns(user_id=pl.lit("N66"))]
    )
    extract = pl.DataFrame({"user_id": ["N66"], "section_id": ["S1"]})
    found = sis.reconcile({**TABLES, "users": users}, extract)
    spelled = found.filter(pl.col("finding") == "id written differently")
    assert spelled.select("user_id", "canvas_spelling").rows() == [("0066", "0066"), ("N66", "0066")]


def test_a_list_compared_with_itself_and_empty_tables_find_nothing() -> None:
    own = TABLES["enrollments"].filter(base_role_type="StudentEnrollment")
    assert sis.reconcile(TABLES, own, status="status", enrolled="active").height == 0
    empty = sis.reconcile(
        {name: frame.clear() for name, frame in TABLES.items()}, LIST.clear(), status="status"
    )
    assert (empty.height, empty.summary().height, imported(empty.to_sis_csv())) == (0, 0, [])
    assert empty.frame.schema == sis.reconcile(TABLES, LIST, status="status").frame.schema


RECONCILE_SQL = """
    WITH canvas AS (
        SELECT DISTINCT ON (user_id, section_id) * FROM enrollments
        WHERE base_role_type = 'StudentEnrollment' AND user_id IS NOT NULL AND section_id IS NOT NULL
        ORDER BY user_id, section_id, status <> 'active', NOT created_by_sis, status
    ), sis AS (
        SELECT s.*, status = 'E' IS TRUE AS enrolled, u.person, c.course
        FROM extract s LEFT JOIN (SELECT user_id, min(canvas_user_id) AS person FROM users GROUP BY ALL) u USING (user_id)
        LEFT JOIN (SELECT section_id, min(canvas_course_id) AS course FROM sections GROUP BY ALL) c USING (section_id)
    ), joined AS (
        SELECT s.user_id AS su, c.user_id AS cu, coalesce(s.user_id, c.user_id) AS user_id,
            coalesce(s.section_id, c.section_id) AS section_id, s.enrolled, c.status = 'active' AS active,
            c.created_by_sis, s.person, s.course, c.canvas_user_id, c.canvas_course_id, s.enrolled IS NOT NULL AS in_sis,
            c.status IS NOT NULL AS in_canvas
        FROM sis s FULL JOIN canvas c ON s.user_id = c.user_id AND s.section_id = c.section_id
    )
    SELECT CASE
        WHEN in_sis AND in_canvas THEN CASE WHEN enrolled = active THEN 'agrees'
            WHEN enrolled THEN 'not active in Canvas' ELSE 'still active in Canvas' END
        WHEN in_sis THEN CASE WHEN NOT enrolled THEN 'agrees'
            WHEN EXISTS (SELECT 1 FROM canvas o WHERE o.section_id = b.section_id
                AND (ltrim(lower(o.user_id), '0') = ltrim(lower(b.user_id), '0') OR o.canvas_user_id = b.person))
                THEN 'id written differently'
            WHEN person IS NULL THEN 'no such user' WHEN course IS NULL THEN 'no such section'
            WHEN EXISTS (SELECT 1 FROM enrollments o WHERE o.canvas_user_id = b.person AND o.canvas_course_id = b.course
                AND o.status = 'active' AND base_role_type = 'StudentEnrollment') THEN 'other section'
            ELSE 'not in Canvas' END
        WHEN EXISTS (SELECT 1 FROM sis o WHERE o.section_id = b.section_id
            AND (ltrim(lower(o.user_id), '0') = ltrim(lower(b.user_id), '0') OR o.person = b.canvas_user_id))
            THEN 'id written differently'
        WHEN EXISTS (SELECT 1 FROM sis o WHERE o.person = b.canvas_user_id AND o.course = b.canvas_course_id
            AND o.enrolled) THEN 'other section'
        WHEN created_by_sis THEN 'not in SIS' ELSE 'not in SIS, by hand' END AS finding, user_id, section_id
    FROM joined b WHERE in_sis OR active
    UNION ALL SELECT 'no SIS id', any_value(user_id), any_value(section_id) FROM enrollments
    WHERE base_role_type = 'StudentEnrollment' AND status = 'active' AND (user_id IS NULL OR section_id IS NULL)
    GROUP BY canvas_user_id, canvas_section_id
    ORDER BY ALL NULLS LAST
"""


def compare(oracle: Any, tables: dict[str, pa.Table], extract: pa.Table, kinds: tuple[str, ...]) -> None:
    _, wanted = oracle.sql(RECONCILE_SQL, **tables, extract=extract)
    for kind in kinds:
        of_kind = {name: oracle.as_kind(table, kind) for name, table in tables.items()}
        found = sis.reconcile(of_kind, oracle.as_kind(extract, kind), status="status", all=True)
        names, rows = oracle.rows(found.frame)
        assert names[:3] == ["finding", "user_id", "section_id"]
        cells = [row[:3] for row in rows]
        assert sorted(map(repr, cells)) == sorted(map(repr, wanted)), kind


# Each person has one or two SIS ids, each section one or none; sections 1 to 3 are of one course.
LOGINS = {"481": 1, "0481": 2, "ab": 3, "AB": 3, "é": 4, "NA": 5}
PLACES = {1: ("S1", 10), 2: ("s1", 10), 3: ("S3", 10), 4: ("S4", 20), 5: (None, 20)}
SEAT = st.tuples(
    st.sampled_from([*LOGINS.items(), (None, 5)]),
    st.sampled_from([*PLACES.items()]),
    st.sampled_from(["StudentEnrollment"] * 3 + ["TaEnrollment"]),
    st.sampled_from(["active", "active", "inactive", "deleted"]),
    st.booleans(),
)
ROW = st.tuples(
    st.sampled_from([*LOGINS, "00481", "Ab", "x", None]),
    st.sampled_from(["S1", "s1", "S3", "S4", "S9", None]),
    st.sampled_from(["E", "E", "D", None]),
)


@settings(max_examples=40)
@given(seats=st.lists(SEAT, max_size=10), rows=st.lists(ROW, max_size=10, unique_by=lambda row: row[:2]))
def test_any_list_gives_what_sql_gives(oracle: Any, seats: list[Any], rows: list[Any]) -> None:
    tables = {
        "users": pl.DataFrame(
            {"user_id": LOGINS.keys(), "canvas_user_id": LOGINS.values()},
            schema_overrides={"user_id": pl.String},
        ).with_columns(status=pl.lit("active")),
        "sections": pl.DataFrame(
            [(name, number, course) for number, (name, course) in PLACES.items()],
            schema=["section_id", "canvas_section_id", "canvas_course_id"],
            orient="row",
        ),
        "enrollments": pl.DataFrame(
            [
                (user, place[1][0], person, place[0], place[1][1], "student", *rest)
                for (user, person), place, *rest in seats
            ],
            schema=ENROLLMENT,
            orient="row",
        ),
    }
    extract = pl.DataFrame(rows, schema=EXTRACT, orient="row").to_arrow()
    compare(oracle, {name: frame.to_arrow() for name, frame in tables.items()}, extract, ("polars",))


def test_the_demo_against_a_list_with_mistakes(
    oracle: Any, larger: Callable[..., dict[str, pa.Table]]
) -> None:
    tables = larger("provisioning_csv", users=True, sections=True, enrollments=True, include_deleted=True)
    rows = pl.DataFrame(pl.from_arrow(tables["enrollments"])).filter(
        pl.col("base_role_type").cast(pl.String) == "StudentEnrollment",
        pl.all_horizontal(pl.col("user_id", "section_id").is_not_null()),
    )
    once = rows.unique(["user_id", "section_id"], keep="first", maintain_order=True)
    number = pl.int_range(pl.len())
    extract = once.filter(number % 11 != 0).select(
        pl.when(number % 13 == 0).then(pl.col("user_id").str.strip_chars_start("0")).otherwise("user_id"),
        pl.when(number % 17 == 0).then(pl.lit("S9")).otherwise("section_id").alias("section_id"),
        status=pl.when((number % 7 == 0) == (pl.col("status").cast(pl.String) == "active"))
        .then(pl.lit("D"))
        .otherwise(pl.lit("E")),
    )
    extract = extract.unique(["user_id", "section_id"], keep="first", maintain_order=True).to_arrow()
    compare(oracle, tables, extract, ("polars", "pandas", "duckdb"))
