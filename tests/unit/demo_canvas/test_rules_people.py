"""Which rows and cells the reports on students, tokens, tools, portfolios and outcomes hold."""

import itertools
from datetime import timedelta

import polars as pl
import pytest

from canvas_reports_nb.demo_canvas.world import NOW
from canvas_reports_nb.demo_canvas.world.learning import submitted_between

from .conftest import course, enrollment, lines, login, section, user

NO_SUBMISSIONS, ZERO = "students_with_no_submissions_csv", "zero_activity_csv"
PEOPLE = {"users": [user(1), user(2)], "logins": [login(1), login(2)]}
DAY = timedelta(days=1)


# Student reports.


@pytest.mark.parametrize(("sent", "start", "end", "stored"), [
    ({}, NOW - 14 * DAY, NOW, {"start_at", "end_at"}),
    ({"start_at": NOW - 30 * DAY}, NOW - 30 * DAY, NOW - 16 * DAY, {"end_at"}),
    ({"end_at": NOW - 30 * DAY}, NOW - 44 * DAY, NOW - 30 * DAY, {"start_at"}),
    ({"start_at": NOW - 20 * DAY, "end_at": NOW}, NOW - 14 * DAY, NOW, {"start_at"}),
    ({"start_at": NOW - 9 * DAY, "end_at": NOW}, NOW - 9 * DAY, NOW, set()),
    ({"start_at": NOW, "end_at": NOW - 9 * DAY}, NOW, NOW - 9 * DAY, set()),
])  # fmt: skip
def test_the_window_of_submissions(*, run, school, sent, start, end, stored):
    product = run(school(), NO_SUBMISSIONS, **{name: at.isoformat() for name, at in sent.items()})
    window = {"start_at": f"{start:%Y-%m-%dT%H:%M:%SZ}", "end_at": f"{end:%Y-%m-%dT%H:%M:%SZ}"}
    assert product.echo == {name: window[name] for name in stored}


@pytest.mark.parametrize(("row", "of_course", "listed"), [
    ({}, {}, 1), ({"state": "deleted"}, {}, 1), ({"state": "rejected"}, {}, 1), ({"state": "invited"}, {}, 1),
    ({"type": "TeacherEnrollment"}, {}, 0), ({}, {"status": "unpublished"}, 1), ({}, {"status": "completed"}, 1),
    ({}, {"status": "deleted"}, 0),
])  # fmt: skip
def test_students_with_no_submissions(*, rows, school, row, of_course, listed):
    world = school(
        courses=[course(501, **of_course)],
        sections=[section(601, status="deleted")],
        enrollments=[enrollment(1, **row)],
        **PEOPLE,
    )
    assert len(rows(world, NO_SUBMISSIONS)) == listed


def test_a_submission_on_the_border_of_the_window_does_not_count(seeded):
    rows = pl.DataFrame(
        {"user_id": range(500), "course_id": 1, "begins_at": NOW - 90 * DAY, "last_activity_at": NOW}
    )
    second = timedelta(seconds=1)
    submitted = next(
        at
        for at in (NOW - n * second for n in itertools.count(1))
        if submitted_between(seeded.draws, rows, at - second, at + second).any()
    )
    at_all = submitted_between(seeded.draws, rows, submitted - second, submitted + second)
    for start, end in ((submitted, submitted + second), (submitted - second, submitted)):
        assert not (submitted_between(seeded.draws, rows, start, end) & at_all).any()


@pytest.mark.parametrize(("sent", "states"), [
    (None, {"active", "invited", "completed"}), ("all", {"active", "invited", "completed"}), ("active", {"active"}),
    (["active", "completed"], {"active", "completed"}), (["active", "all"], {"active", "invited", "completed"}),
    ("active,completed", set()), ("asleep", set()), ("", {"active", "invited", "completed"}),
])  # fmt: skip
def test_the_enrollment_state_is_compared_as_it_is(rows, school, sent, states):
    world = school(
        courses=[course(501)],
        sections=[section(601)],
        enrollments=[enrollment(1, state=state) for state in ("active", "invited", "completed")],
        **PEOPLE,
    )
    found = rows(world, NO_SUBMISSIONS, enrollment_state=sent, include_enrollment_state="1")
    assert {row["enrollment state"] for row in found} == states
    assert all("enrollment state" not in row for row in rows(world, NO_SUBMISSIONS))


@pytest.mark.parametrize("report", [NO_SUBMISSIONS, ZERO])
@pytest.mark.parametrize(("asked", "listed"), [
    ({}, 0), ({"course_id": "501"}, 1), ({"course_id": "501", "enrollment_term_id": "13"}, 1),
    ({"course_id": "501", "enrollment_term_id": "12"}, 0),
])  # fmt: skip
def test_a_chosen_course_may_be_in_any_account_but_must_be_in_the_term(rows, school, report, asked, listed):
    world = school(
        courses=[course(501, account_id=9)], sections=[section(601)], enrollments=[enrollment(1)], **PEOPLE
    )
    assert len(rows(world, report, 7, **asked)) == listed


@pytest.mark.parametrize(("row", "of_course", "of_section", "of_login", "listed"), [
    ({}, {}, {}, {}, 1), ({"state": "invited"}, {}, {}, {}, 0), ({"state": "completed"}, {}, {}, {}, 0),
    ({"type": "TaEnrollment"}, {}, {}, {}, 0), ({}, {"status": "completed"}, {}, {}, 0),
    ({}, {"status": "unpublished"}, {}, {}, 0), ({}, {}, {"status": "deleted"}, {}, 0),
    ({}, {}, {}, {"status": "suspended"}, 0), ({}, {}, {}, {"status": "deleted"}, 0),
    ({"last_activity_at": NOW - DAY}, {}, {}, {}, 0),
])  # fmt: skip
def test_zero_activity(*, rows, school, row, of_course, of_section, of_login, listed):
    world = school(
        courses=[course(501, **of_course)],
        sections=[section(601, **of_section)],
        users=[user(1)],
        logins=[login(1, **of_login)],
        enrollments=[enrollment(1, **row)],
    )
    assert len(rows(world, ZERO)) == listed


# Days since the activity of the student enrollment and of another one in the course; start_at is ten days ago.
@pytest.mark.parametrize(("own", "other", "ever", "since"), [
    (None, None, 1, 1), (None, 20, 0, 1), (None, 5, 0, 0), (20, None, 0, 1), (20, 5, 0, 0), (20, 20, 0, 1),
    (10, None, 0, 0), (5, None, 0, 0), (None, 10, 0, 1),
])  # fmt: skip
@pytest.mark.parametrize("kind", ["StudentEnrollment", "TeacherEnrollment"])
def test_activity_anywhere_in_the_course_counts(*, rows, school, own, other, ever, since, kind):
    def at(days):
        return {"last_activity_at": None if days is None else NOW - days * DAY}

    world = school(
        courses=[course(501)],
        sections=[section(601), section(602)],
        enrollments=[
            enrollment(1, **at(own)),
            enrollment(1, section_id=602, type=kind, state="deleted", **at(other)),
        ],
        **PEOPLE,
    )
    assert len(rows(world, ZERO)) == ever
    asked = {"start_at": (NOW - 10 * DAY).isoformat(), "end_at": (NOW - 30 * DAY).isoformat()}
    assert len(rows(world, ZERO, **asked)) == since


@pytest.mark.parametrize(("allowed", "expected"), [
    ([{"sis_id": "Z", "login": "z"}, {"login": "a"}], "Z"),
    ([{"sis_id": "B", "login": "b"}, {"sis_id": "A", "login": "a"}], "A"),
    ([{"sis_id": "A", "status": "suspended"}, {"sis_id": "B"}], {ZERO: "B", NO_SUBMISSIONS: "A"}),
    ([{"sis_id": "A", "status": "deleted"}, {"sis_id": "B", "login": "zz"}], "B"),
])  # fmt: skip
@pytest.mark.parametrize("report", [ZERO, NO_SUBMISSIONS])
def test_one_joined_login(rows, school, allowed, expected, report):
    world = school(
        courses=[course(501)],
        sections=[section(601)],
        users=[user(1)],
        logins=[login(1, **each) for each in allowed],
        enrollments=[enrollment(1)],
    )
    wanted = expected[report] if isinstance(expected, dict) else expected
    assert [row["user sis id"] for row in rows(world, report)] == [wanted]


def test_last_user_access_lists_every_login(rows, school):
    states = ("active", "suspended", "deleted")
    world = school(users=[user(1)], logins=[login(1, sis_id=state, status=state) for state in states])
    assert [row["user sis id"] for row in rows(world, "last_user_access_csv")] == ["active", "suspended"]
    found = rows(world, "last_user_access_csv", include_deleted=1)
    assert [row["user sis id"] for row in found] == list(states)
    assert {row["last access at"] for row in found} == {""}


@pytest.mark.parametrize(("row", "asked", "listed"), [
    ({}, {"enrollment_term_id": "13"}, 1), ({}, {"enrollment_term_id": "12"}, 0), ({}, {"course_id": "501"}, 1),
    ({}, {"course_id": "501", "enrollment_term_id": "12"}, 1), ({"type": "TeacherEnrollment"}, {"course": "501"}, 1),
    ({"type": "ObserverEnrollment"}, {"course_id": "501"}, 1), ({"state": "deleted"}, {"course_id": "501"}, 0),
    ({"state": "deleted"}, {"course_id": "501", "include_deleted": 1}, 1),
    ({"state": "rejected"}, {"course_id": "501"}, 1),
])  # fmt: skip
def test_last_user_access_of_a_term_or_course(*, rows, school, row, asked, listed):
    world = school(
        courses=[course(501, status="completed")],
        sections=[section(601)],
        users=[user(1)],
        logins=[login(1)],
        enrollments=[enrollment(1, **row)],
    )
    assert len(rows(world, "last_user_access_csv", **asked)) == listed


def test_last_enrollment_activity_is_the_latest_of_all_types_and_states(rows, school):
    world = school(
        courses=[
            course(501, status="deleted"),
            course(502, term_id=12, account_id=7),
            course(503, term_id=99),
        ],
        sections=[section(601), section(602, course_id=502)],
        enrollments=[
            enrollment(2, state="deleted", last_activity_at=NOW - DAY),
            enrollment(1, type="TeacherEnrollment", last_activity_at=NOW - 9 * DAY),
            enrollment(1, course_id=502, section_id=602, last_activity_at=NOW - 5 * DAY),
            enrollment(3),
            enrollment(4, type="StudentViewEnrollment", course_id=503, last_activity_at=NOW - DAY),
        ],
        users=[user(1), user(2), user(3), user(4, test=True)],
    )

    def seen(account=1, **asked):
        found = rows(world, "last_enrollment_activity_csv", account, **asked)
        return {row["user id"]: row["last activity at"][:10] for row in found}

    assert list(seen()) == ["1", "2", "4"]
    assert seen() == {"1": "2026-02-25", "2": "2026-03-01", "4": "2026-03-01"}
    assert seen(course_id="501") == {"1": "2026-02-21", "2": "2026-03-01"}
    assert seen(enrollment_term_id="12") == seen(7) == {"1": "2026-02-25"}
    assert seen(course_id="501", enrollment_term_id="12") == {}
    assert seen(enrollment_term_id="99") == {"4": "2026-03-01"}, "test students count"


# Tokens, tools, portfolios, keys.


def test_tokens(rows, school):
    token = {"status": "active", "hint": "abcde", "created_at": NOW}
    world = school(
        users=[user(1), user(2), user(3)],
        logins=[login(1), login(2, sis_id="S", status="deleted"), login(2), login(3)],
        tokens=[
            {"id": 1, "user_id": 3, **token, "used_at": NOW - 9 * DAY},
            {"id": 2, "user_id": 3, **token, "used_at": NOW - DAY, "key_id": 12340000000000011},
            {"id": 3, "user_id": 3, **token},
            {"id": 4, "user_id": 1, **token, "status": "deleted"},
            {"id": 5, "user_id": 1, **token, "expires_at": NOW - DAY},
            {"id": 6, "user_id": 1, **token, "status": "pending", "expires_at": NOW + DAY},
            {"id": 7, "user_id": 2, **token},
        ],
    )

    def found(**asked):
        return rows(world, "user_access_tokens_csv", **asked)

    ids = [row["id"] for row in found()]
    assert sorted(ids[:3]) == ["4", "5", "6"]
    assert ids[3:] == ["3", "2", "1"], "never used first, then the newest use"
    assert {row["id"] for row in found(exclude_deleted_and_expired=1)} == {"1", "2", "3", "6"}
    assert {row["id"] for row in found(include_deleted=1)} == {"1", "2", "3", "4", "5", "6", "7"}
    by_id = {row["id"]: row for row in found()}
    assert {row["token hint"] for row in by_id.values()} == {"abcde"}
    assert (by_id["1"]["visible token"], by_id["2"]["visible token"]) == ("abcde...", "")
    assert by_id["2"]["dev key id"] == "12340000000000011"
    assert (by_id["3"]["last used"], by_id["3"]["expiration"]) == ("never", "never")


def test_tokens_made_by_hand_may_have_the_key_of_canvas(rows, school):
    token = {"user_id": 1, "hint": "abcdefgh", "status": "active", "created_at": NOW, "key_id": 7}
    keys = ("User-Generated", "Sync", None)
    world = school(users=[user(1)], logins=[login(1)], tokens=[{**token, "key_name": name} for name in keys])
    found = rows(world, "user_access_tokens_csv")
    assert [row["visible token"] for row in found] == ["abcde...", "", ""]
    assert {row["token hint"] for row in found} == {"abcde"}


@pytest.mark.parametrize(("tool", "account", "default", "deleted"), [
    (("Account", 1, False), 1, 1, 1), (("Account", 11, False), 1, 1, 1), (("Account", 18, False), 1, 0, 1),
    (("Account", 1, True), 1, 0, 1), (("Course", 501, False), 1, 1, 1), (("Course", 502, False), 1, 0, 1),
    (("Course", 503, False), 1, 0, 1), (("Account", 1, False), 7, 0, 0), (("Account", 11, False), 7, 1, 1),
    (("Account", 18, False), 7, 0, 0), (("Course", 501, False), 7, 1, 1), (("Course", 501, False), 9, 0, 0),
])  # fmt: skip
def test_tools(*, rows, school, tool, account, default, deleted):
    kind, place, gone = tool
    world = school(
        courses=[course(501, account_id=11), course(502, status="deleted"), course(503, account_id=18)],
        external_tools=[{"context_type": kind, "context_id": place, "deleted": gone, "name": "T",
                         "privacy": "public", "created_at": NOW}],
    )  # fmt: skip
    assert len(rows(world, "lti_report_csv", account)) == default
    found = rows(world, "lti_report_csv", account, include_deleted=1)
    assert len(found) == deleted
    for row in found:
        assert bool(row["account_name"]) == (kind == "Account")
        assert bool(row["course_name"]) == (kind == "Course")
        assert row["privacy_level"] == ("deleted" if gone else "public")
        assert row["tool_created_at"] == "2026-03-02 16:14:00 UTC"


def test_portfolios(run, rows, school):
    portfolio = {"user_id": 1, "created_at": NOW, "updated_at": NOW, "status": "active", "public": True}
    world = school(
        courses=[course(501)],
        users=[user(1), user(2), user(3)],
        logins=[login(1), login(1, status="deleted"), login(2)],
        enrollments=[enrollment(1, state="deleted")],
        eportfolios=[
            {"id": 1, **portfolio},
            {"id": 2, **portfolio, "status": "deleted"},
            {"id": 3, **portfolio, "user_id": 2, "public": None},
            {"id": 4, **portfolio, "user_id": 3},
        ],
    )

    def ids(account=1, **asked):
        return [row["eportfolio_id"] for row in rows(world, "eportfolio_report_csv", account, **asked)]

    assert ids() == ids(9) == ["1", "1", "3"], "one row per login, deleted ones included, in every account"
    assert ids(include_deleted=1) == ["2", "2"]
    assert ids(no_enrollments=1) == ["3"]
    text = run(world, "eportfolio_report_csv").files[0].read_text()
    assert ',"",active\n' in text, "a null public flag is an empty text"
    assert "2026-03-02 16:14:00 UTC" in text


def test_developer_keys_of_this_very_account_and_the_site(rows, school):
    keys = [{"id": n, "inherited": inherited, "status": "On"} for n, inherited in ((1, False), (2, True))]
    world = school(developer_keys=keys)
    assert [row["Global ID"] for row in rows(world, "developer_key_report_csv")] == ["1", "2"]
    (site,) = rows(world, "developer_key_report_csv", 7)
    assert (site["Global ID"], site["Placements"], site["Permitted API Endpoints"]) == ("2", "None", "All")
    unbound = school(developer_keys=[{"id": 2, "inherited": True}, {"id": 3, "inherited": False}])
    found = rows(unbound, "developer_key_report_csv")
    assert [(row["Global ID"], row["Status"]) for row in found] == [("3", "Allow"), ("2", "Allow")]


# Outcome reports.

RATINGS = [{"points": 4.0, "description": "Best"}, {"points": 0.0, "description": "None"}]


def outcomes_world(school, row=None, of_course=None, logins=(), **tables):
    aligned = {"course_id": 501, "assignment_id": 81, "outcome_id": 401, "due_at": NOW - 30 * DAY,
               "assignment_title": "Essay", "kind": "assignment"}  # fmt: skip
    outcome = {"id": 401, "account_id": 1, "group_id": 301, "title": "O", "mastery": 3.0, "ratings": RATINGS}
    plain = {
        "courses": [course(501, account_id=11, **(of_course or {}))],
        "sections": [section(601), section(602)],
        "users": [user(n) for n in range(1, 30)],
        "logins": [login(n) for n in range(1, 30)] if not logins else list(logins),
        "enrollments": [enrollment(n, last_activity_at=NOW, **(row or {})) for n in range(1, 30)],
        "outcome_groups": [{"id": 301, "account_id": 1, "title": "G", "parent_id": None}],
        "outcomes": [outcome, {**outcome, "id": 402, "account_id": 11}],
        "assessments": [aligned],
    }
    return school(**{**plain, **tables})


RESULTS, MAP, EXPORT = "outcome_results_csv", "student_assignment_outcome_map_csv", "outcome_export_csv"


def found_in(rows, world, report, account=1, **asked):
    return [
        row for row in rows(world, report, account, **asked) if row["student name"] != "No outcomes found"
    ]


@pytest.mark.parametrize("report", [RESULTS, MAP])
@pytest.mark.parametrize(("row", "of_course", "default", "deleted"), [
    ({}, {}, True, True), ({"state": "completed"}, {}, True, True), ({"state": "invited"}, {}, True, True),
    ({"state": "rejected"}, {}, True, True), ({"state": "deleted"}, {}, False, True),
    ({}, {"status": "completed"}, True, True), ({}, {"status": "unpublished"}, False, True),
    ({}, {"status": "deleted"}, False, True), ({"type": "TeacherEnrollment"}, {}, False, False),
])  # fmt: skip
def test_outcomes_of_students(*, rows, school, report, row, of_course, default, deleted):
    world = outcomes_world(school, row, of_course)
    assert bool(found_in(rows, world, report)) == default
    assert bool(found_in(rows, world, report, include_deleted=1)) == deleted


@pytest.mark.parametrize("report", [RESULTS, MAP])
def test_only_outcomes_of_this_very_account_count(rows, school, report):
    world = outcomes_world(school)
    assert found_in(rows, world, report)
    assert not found_in(rows, world, report, 11), "the course is in account 11, its outcome in the root"
    assert rows(world, report, 11) == [{"student name": "No outcomes found"}]


@pytest.mark.parametrize("report", [RESULTS, MAP])
def test_one_row_per_login_unless_it_is_deleted(rows, school, report):
    logins = [login(1, sis_id=state, status=state) for state in ("active", "suspended", "deleted")]
    rows_of_one = [enrollment(n, last_activity_at=NOW) for n in range(1, 30)]
    world = outcomes_world(school, logins=[*logins, login(2)], enrollments=rows_of_one)
    by_person = {row["student sis id"] for row in found_in(rows, world, report) if row["student id"] == "1"}
    assert by_person <= {"active", "suspended"}
    widened = {row["student sis id"] for row in found_in(rows, world, report, include_deleted=1)}
    assert widened <= {"active", "suspended", "deleted", ""}
    assert len(widened) >= len(by_person)


@pytest.mark.parametrize(("report", "states", "sections", "expected"), [
    (RESULTS, ("active", "active"), (601, 601), 1), (RESULTS, ("active", "completed"), (601, 601), 1),
    (RESULTS, ("active", "active"), (601, 602), 2), (MAP, ("active", "active"), (601, 601), 1),
    (MAP, ("active", "completed"), (601, 601), 2), (MAP, ("active", "active"), (601, 602), 2),
])  # fmt: skip
def test_enrollments_of_one_section_are_merged(*, rows, school, report, states, sections, expected):
    pairs = [
        enrollment(n, state=state, section_id=place, last_activity_at=NOW)
        for n in range(1, 30)
        for state, place in zip(states, sections, strict=True)
    ]
    world = outcomes_world(school, enrollments=pairs)
    per_person = {}
    for row in found_in(rows, world, report):
        per_person.setdefault(row["student id"], []).append(row)
    assert {len(found) for found in per_person.values()} == {expected}


def test_the_map_has_ungraded_assignments_too(rows, school):
    world = outcomes_world(school)
    people = {row["student id"] for row in found_in(rows, world, MAP)}
    assert people == {str(n) for n in range(1, 30)}
    graded = {row["student id"] for row in found_in(rows, world, RESULTS)}
    assert graded < people
    blank = next(row for row in found_in(rows, world, MAP) if row["student id"] not in graded)
    assert (blank["submission date"], blank["submission score"], blank["outcome score"]) == ("", "", "")
    assert blank["assignment url"] == f"https://{world.host}/courses/501/assignments/81"


def test_ungraded_rows_have_no_cell_of_a_result(rows, school):
    outcome = {"id": 401, "account_id": 1, "title": "O", "display_name": "Shown", "friendly": "I can",
               "mastery": 3.0, "ratings": RATINGS}  # fmt: skip
    world = outcomes_world(school, enrollments=[enrollment(1)], outcomes=[outcome])
    (row,) = found_in(rows, world, MAP)
    assert {name for name, cell in row.items() if not cell} == {
        "student sis id", "submission date", "submission score", "attempt", "outcome score", "course sis id",
        "section sis id", "learning outcome points possible", "learning outcome mastered",
        "learning outcome rating", "learning outcome rating points", "learning outcome group title",
        "learning outcome group id",
    }  # fmt: skip
    assert (row["learning outcome mastery score"], row["learning outcome friendly name"]) == ("3.0", "Shown")


def test_the_rating_is_the_highest_that_the_score_reaches(rows, school):
    found = found_in(rows, outcomes_world(school), RESULTS)
    reached = {
        (row["outcome score"], row["learning outcome rating points"], row["learning outcome mastered"])
        for row in found
    }
    assert len(reached) > 2
    for score, points, mastered in reached:
        best = 4.0 if float(score) >= 4.0 else 0.0
        assert (float(points), mastered) == (best, "1" if float(score) >= 3.0 else "0")


@pytest.mark.parametrize(("report", "per_person"), [(RESULTS, 1), (MAP, 2)])
def test_an_outcome_in_two_groups_and_in_another_account(rows, school, report, per_person):
    outcome = {"id": 401, "account_id": 1, "title": "O", "mastery": 3.0, "ratings": RATINGS}
    links = [{**outcome, "group_id": 301}, {**outcome, "group_id": 302}, {**outcome, "account_id": 11}]
    found = found_in(rows, outcomes_world(school, outcomes=links), report)
    counts = [sum(row["student id"] == who for row in found) for who in {row["student id"] for row in found}]
    assert set(counts) == {per_person}


def test_questions_of_quizzes_are_results_but_not_aligned_assignments(rows, school):
    quiz = {"course_id": 501, "assignment_id": 82, "outcome_id": 401, "kind": "quiz", "question": "Q",
            "question_id": 9, "due_at": NOW - 30 * DAY}  # fmt: skip
    free = {"course_id": 501, "outcome_id": 401}
    world = outcomes_world(school, assessments=[quiz, free])
    found = found_in(rows, world, RESULTS)
    cells = {tuple(row[name] for name in ("assessment type", "assessment question id")) for row in found}
    assert cells == {("quiz", "9"), ("", "")}
    assert {row["assignment url"].rsplit("/", 1)[1] for row in found} == {"82", ""}
    assert not found_in(rows, world, MAP)


def test_an_outcome_names_all_its_groups_and_lists_its_ratings_best_first(run, school):
    points = (0.0, 10.0, 2.0)
    outcome = {"id": 401, "account_id": 1, "title": "O", "mastery": 3.0,
               "ratings": [{"points": each, "description": f"R{each:.0f}"} for each in points]}  # fmt: skip
    world = school(
        outcome_groups=[
            {"id": n, "account_id": 1, "guid": guid, "title": "G"} for n, guid in ((302, None), (301, "a"))
        ],
        outcomes=[{**outcome, "group_id": group} for group in (302, 301, None)]
        + [{"id": 402, "account_id": 1, "title": "P"}],
    )
    _, _, _, first, second = lines(run(world, EXPORT).files[0])
    assert first[8] == "a canvas_outcome_group:302"
    assert first[11:] == ["10.0", "R10", "2.0", "R2", "0.0", "R0"]
    assert second[10:] == [""], "without ratings there are no cells for them"


def test_the_outcome_export(run, school):
    groups = [
        {"id": 303, "account_id": 1, "guid": "deep", "parent_id": 302, "title": "Deep"},
        {"id": 302, "account_id": 1, "parent_id": None, "title": "Top"},
        {"id": 309, "account_id": 7, "parent_id": None, "title": "Elsewhere"},
    ]
    outcome = {"account_id": 1, "title": "O", "mastery": 3.0, "ratings": RATINGS}
    world = school(
        outcome_groups=groups,
        outcomes=[
            {"id": 402, "group_id": None, "guid": "o", **outcome},
            {"id": 401, "group_id": 303, **outcome},
        ],
    )
    _, *found = lines(run(world, EXPORT).files[0])
    assert [line[0] for line in found] == ["canvas_outcome_group:302", "deep", "canvas_outcome:401", "o"]
    assert [line[8] for line in found] == ["", "canvas_outcome_group:302", "deep", ""]
    assert [len(line) for line in found[:2]] == [11, 11], "groups have no rating cells"
    assert found[2][10:] == ["3.0", "4.0", "Best", "0.0", "None"]
    assert lines(run(world, EXPORT, include_deleted=1).files[0])[1:] == found
