"""Which rows and cells the grade exports and the course reports hold."""

import itertools
from datetime import timedelta

import pytest

from canvas_reports_nb.demo_canvas.world import NOW

from .conftest import course, enrollment, lines, login, section, user

GRADES, PERIODS = "grade_export_csv", "mgp_grade_export_csv"
PEOPLE = {"users": [user(1), user(2)], "logins": [login(1), login(2)]}
DAY = timedelta(days=1)


# Grade exports.


@pytest.mark.parametrize(("row", "of_course", "default", "deleted"), [
    ({}, {}, 1, 1), ({"state": "completed"}, {}, 1, 1), ({"state": "inactive"}, {}, 0, 1),
    ({"state": "deleted"}, {}, 0, 1), ({"state": "invited"}, {}, 0, 0), ({"state": "creation_pending"}, {}, 0, 0),
    ({"state": "rejected"}, {}, 0, 0), ({"type": "TeacherEnrollment"}, {}, 0, 0),
    ({"type": "StudentViewEnrollment"}, {}, 0, 0), ({}, {"status": "unpublished"}, 0, 1),
    ({}, {"status": "completed"}, 0, 1), ({}, {"status": "deleted"}, 0, 1),
])  # fmt: skip
def test_the_population_of_the_grade_export(*, rows, school, row, of_course, default, deleted):
    world = school(
        courses=[course(501, **of_course)],
        sections=[section(601, status="deleted")],
        enrollments=[enrollment(1, **row)],
        **PEOPLE,
    )
    assert len(rows(world, GRADES)) == default
    found = rows(world, GRADES, include_deleted="yes")
    assert len(found) == deleted
    state = row.get("state", "active")
    assert {line["enrollment state"] for line in found} <= {"concluded" if state == "completed" else state}


@pytest.mark.parametrize(("row", "ended", "days", "in_it"), [
    ({}, None, "5", True), ({"state": "completed"}, 3, "5", True), ({"state": "completed"}, 7, "5", False),
    ({"state": "completed"}, None, "5", False), ({"state": "completed"}, -9, "5", True),
    ({"state": "deleted", "updated_at": NOW - 3 * DAY}, None, "5", True),
    ({"state": "deleted", "updated_at": NOW - 7 * DAY}, None, "5", False),
    ({"state": "inactive", "updated_at": NOW - 7 * DAY}, 3, "5 days", True),
    ({"state": "completed", "updated_at": NOW - DAY}, None, "5", False),
    ({"state": "deleted", "updated_at": NOW - DAY}, None, "", False), ({"state": "active"}, None, "", True),
])  # fmt: skip
def test_the_limiting_period(*, rows, school, row, ended, days, in_it):
    end = None if ended is None else NOW - ended * DAY
    world = school(
        courses=[course(501, end_at=end)],
        sections=[section(601)],
        enrollments=[enrollment(1, **row)],
        **PEOPLE,
    )
    assert len(rows(world, GRADES, include_deleted=1, limiting_period=days)) == in_it
    plain = len(rows(world, GRADES, limiting_period=days))
    assert plain == (row.get("state", "active") in ("active", "completed")), (
        "without include_deleted it does nothing"
    )


def test_scores_need_work_and_grades_a_scheme(rows, school):
    seen = {"last_activity_at": NOW - DAY}
    world = school(
        courses=[course(501), course(502, graded_by_letter=False), course(503, status="unpublished")],
        sections=[section(601), section(602, course_id=502), section(603, course_id=503)],
        enrollments=[enrollment(1, course_id=500 + n, section_id=600 + n, **seen) for n in (1, 2, 3)],
        **PEOPLE,
    )
    by_course = {row["course id"]: row for row in rows(world, GRADES, include_deleted=1)}
    assert by_course["501"]["current score"]
    assert by_course["501"]["current grade"]
    assert by_course["502"]["current score"]
    assert not by_course["502"]["current grade"]
    assert not by_course["503"]["current score"]


def test_without_a_course_the_grade_export_is_its_header(run, school):
    product = run(school(), GRADES)
    assert product.lines == 1
    assert not product.as_zip


def classes(students: dict[int, int]):
    """Return tables with so many students per course."""
    numbers = itertools.count(1)
    rows = [
        enrollment(1 + n % 2, id=next(numbers), course_id=number, section_id=number)
        for number, count in students.items()
        for n in range(count)
    ]
    return {
        "courses": [course(number) for number in students],
        "sections": [section(number, course_id=number) for number in students],
        "enrollments": rows,
        **PEOPLE,
    }


def test_rows_of_a_batch_interleave_its_slices_of_a_thousand(rows, school):
    found = [int(row["course id"]) for row in rows(school(**classes({1: 1_000, 2: 3, 3: 2})), GRADES)]
    assert found[:10] == [1, 2, 1, 2, 1, 2, 1, 3, 1, 3]
    assert set(found[10:]) == {1}


def test_courses_are_cut_into_batches_of_at_least_25_in_id_order(rows, school):
    tables = classes(dict.fromkeys(range(1, 31), 2) | {5: 1_001})
    found = [int(row["course id"]) for row in rows(school(**tables), GRADES)]
    last = [number for number in found if number > 25]
    assert found[-len(last) :] == last == sorted(last)


def test_members_of_the_period_export_go_round_the_courses(run, school):
    tables = classes({1: 2, 2: 2})
    periods = [{"set_id": 130, "set_title": "S", "id": 131, "title": "Half", "term_id": 13}]
    (path,) = run(school(**tables, grading_periods=periods), PERIODS, enrollment_term_id="13").files
    header, *found = lines(path)
    assert [line[header.index("course id")] for line in found] == ["1", "2", "1", "2"]


SET = [{"set_id": 130, "set_title": "S", "id": 131, "title": "Half", "term_id": 13}]
NO_PERIODS = [["no grading periods configured for this term"]]


@pytest.mark.parametrize(("term", "members"), [
    ("", ["Default Term", "Fall 2025", "Spring 2026"]), ("12", ["Fall 2025"]), (13, ["Spring 2026"]),
    ("99", ["Removed"]),
])  # fmt: skip
def test_the_period_export_has_a_member_per_term(run, school, term, members):
    world = school(courses=[course(501)], sections=[section(601)], grading_periods=SET)
    product = run(world, PERIODS, enrollment_term_id=term)
    assert product.as_zip
    assert [path.stem for path in product.files] == members
    for path in product.files:
        assert (lines(path) == NO_PERIODS) == (path.stem != "Spring 2026")


def test_the_period_export_ignores_the_other_name_of_the_term(run, school):
    files = run(school(grading_periods=SET), PERIODS, enrollment_term="12").files
    assert [path.stem for path in files] == ["Default Term", "Fall 2025", "Spring 2026"]


@pytest.mark.parametrize("term", ["default", "current", "sis_term_id:SP26"])
def test_the_period_export_reads_a_number_and_so_finds_no_term_in_a_word(run, school, term):
    product = run(school(courses=[course(501)], grading_periods=SET), PERIODS, enrollment_term_id=term)
    assert not product.as_zip
    assert product.files[0].read_bytes() == b"\n"
    assert product.summary == f"Term: {'Default Term' if term == 'default' else 'Spring 2026'};"


def test_a_term_with_periods_but_no_course_is_a_header_if_another_term_made_a_batch(run, school):
    world = school(grading_periods=SET)
    (alone,) = run(world, PERIODS, enrollment_term_id="13").files
    assert alone.read_bytes() == b"\n"
    members = {path.stem: lines(path) for path in run(world, PERIODS).files}
    assert len(members["Spring 2026"]) == 1
    assert members["Spring 2026"][0].count("Half current score") == 1


@pytest.mark.parametrize(("asked", "is_blank"), [({}, True), ({"include_deleted": 1}, False)])
def test_a_term_whose_courses_are_all_deleted_makes_a_batch_only_with_include_deleted(
    run, school, asked, is_blank
):
    world = school(grading_periods=SET, courses=[course(501, status="deleted")])
    product = run(world, PERIODS, enrollment_term_id="13", **asked)
    assert (product.files[0].read_bytes() == b"\n") == is_blank
    assert product.as_zip != is_blank


def test_terms_of_one_name_share_a_member_under_the_later_header(run, school):
    terms = [{"id": n, "name": "Spring 2026", "status": "active"} for n in (13, 14)]
    world = school(
        terms=terms,
        courses=[course(501), course(502, term_id=14)],
        sections=[section(601), section(602, course_id=502)],
        enrollments=[enrollment(1), enrollment(2, course_id=502, section_id=602)],
        grading_periods=[*SET, {**SET[0], "id": 141, "title": "Late", "term_id": 14}],
        **PEOPLE,
    )
    (path,) = run(world, PERIODS).files
    header, *found = lines(path)
    assert "Late current score" in header
    assert "Half current score" not in header
    assert len(found) == 2


# Course reports.


@pytest.mark.parametrize(("report", "row", "listed"), [
    ("unpublished_courses_csv", {"status": "unpublished"}, 1), ("unpublished_courses_csv", {"status": "claimed"}, 1),
    ("unpublished_courses_csv", {"status": "created"}, 1), ("unpublished_courses_csv", {}, 0),
    ("public_courses_csv", {"public": True}, 1), ("public_courses_csv", {}, 0),
    ("public_courses_csv", {"public": True, "status": "unpublished"}, 1),
    ("public_courses_csv", {"public": True, "status": "completed"}, 1),
    ("public_courses_csv", {"public": True, "status": "deleted"}, 0),
    ("recently_deleted_courses_csv", {"status": "deleted", "updated_at": NOW - 29 * DAY}, 1),
    ("recently_deleted_courses_csv", {"status": "deleted", "updated_at": NOW - 31 * DAY}, 0),
    ("recently_deleted_courses_csv", {"updated_at": NOW}, 0),
    ("course_storage_csv", {}, 1), ("course_storage_csv", {"status": "deleted"}, 0),
    ("course_storage_csv", {"status": "unpublished"}, 1),
    ("unused_courses_csv", {"unused": True}, 1), ("unused_courses_csv", {}, 0),
    ("unused_courses_csv", {"unused": True, "status": "deleted"}, 0),
])  # fmt: skip
def test_course_reports(rows, school, report, row, listed):
    world = school(courses=[course(501, term_id=12, **row)])
    assert len(rows(world, report)) == listed
    assert len(rows(world, report, enrollment_term_id="12")) == listed
    assert len(rows(world, report, enrollment_term_id="13")) == 0


@pytest.mark.parametrize(("state", "printed"), [
    ("unpublished", "unpublished"), ("available", "active"), ("completed", "concluded"),
])  # fmt: skip
def test_the_status_of_unused_courses(rows, school, state, printed):
    world = school(courses=[course(501, unused=True, status=state)])
    assert [row["status"] for row in rows(world, "unused_courses_csv")] == [printed]


@pytest.mark.parametrize("restricted", [True, False])
def test_course_dates_are_printed_where_they_are_enforced(rows, school, restricted):
    world = school(courses=[course(501, public=True, start_at=NOW, end_at=NOW, restricted=restricted)])
    (row,) = rows(world, "public_courses_csv")
    assert bool(row["start date"]) == bool(row["end date"]) == restricted
