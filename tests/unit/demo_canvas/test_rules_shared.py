"""The rules that all reports share: parameters, terms, dates, accounts, logins, names, cells, summaries."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from canvas_reports_nb.demo_canvas.reports import (
    REPORT_TYPES,
    ReportFailed,
    as_text,
    is_given,
    resolve_account,
    resolve_term,
)
from canvas_reports_nb.demo_canvas.reports.csv_out import float_text
from canvas_reports_nb.demo_canvas.reports.parameters import Request, truth
from canvas_reports_nb.demo_canvas.settings import Settings
from canvas_reports_nb.demo_canvas.world import NOW

from .conftest import course, enrollment, login, section, user

GRADES = "grade_export_csv"


@pytest.mark.parametrize(("value", "on"), [
    ("yes", True), ("Y", True), ("TRUE", True), ("t", True), ("On", True), ("1", True), (1, True), (True, True),
    ("no", False), ("n", False), ("false", False), ("F", False), ("off", False), ("0", False), (0, False),
    ("2", True), ("-1", True), ("3 of them", True), ("0.9", False), ("abc", False), ("", False), (None, False),
    (1.0, False), (["1"], False), ({"a": 1}, False), (False, False), (7, True),
])  # fmt: skip
def test_switches(value, on):
    assert truth(value) is on


@pytest.mark.parametrize(("value", "given"), [
    ("", False), ("  ", False), (None, False), (False, False), ([], False), ("false", True), (0, True), (["a"], True),
])  # fmt: skip
def test_a_parameter_counts_when_it_is_not_blank(value, given):
    assert is_given(value) is given


@pytest.mark.parametrize(("value", "kept"), [
    ("TeacherEnrollment,TaEnrollment", ["TaEnrollment", "TeacherEnrollment"]),
    ("TeacherEnrollment, TaEnrollment", ["TeacherEnrollment"]),
    (["TaEnrollment", "nonsense"], ["TaEnrollment"]),
    (" TeacherEnrollment", []), ("teacherenrollment", []), ("nonsense", []), ([], None), ("", None),
])  # fmt: skip
def test_lists_split_at_commas_without_trimming_and_drop_unknown_words(school, value, kept):
    found = Request(school(), {"f": value}, 1).words("f", ("TaEnrollment", "TeacherEnrollment"))
    assert found == kept


@pytest.mark.parametrize(("text", "term"), [
    ("12", 12), (" 12 ", 12), ("sis_term_id:FA25", 12), ("hex:sis_term_id:46413235", 12), ("default", 1),
    ("current", 13), ("99", 99), ("sis_term_id:OLD", 99), ("Fall 2025", None), ("FA25", None),
    ("name:Fall 2025", None), ("status:active", None), ("sis_account_id:FA25", None),
    ("sis_term_id:XX", None), ("hex:sis_term_id:zz", None), ('["12"]', None), ("active_terms", 13), ("x,12", 12),
])  # fmt: skip
def test_spellings_of_a_term_at_the_start(school, text, term):
    assert resolve_term(school(), text) == term


@pytest.mark.parametrize(("starts", "ends", "found"), [
    (None, 5, True), (-5, None, True), (-5, 5, True), (1, 5, False), (-5, -1, False), (None, None, False),
])  # fmt: skip
def test_the_current_term_needs_one_date_and_may_lack_the_other(school, starts, ends, found):
    def at(days):
        return None if days is None else NOW + timedelta(days=days)

    term = {"id": 5, "name": "T", "status": "active", "start_at": at(starts), "end_at": at(ends)}
    assert resolve_term(school(terms=[term]), "current") == (5 if found else None)
    twice = [term, {**term, "id": 6}]
    assert resolve_term(school(terms=twice), "current") is None


@pytest.mark.parametrize("term", ["active_terms", "12,13", "99999"])
@pytest.mark.parametrize("report", [GRADES, "mgp_grade_export_csv", "provisioning_csv", "unused_courses_csv"])
def test_a_run_reads_its_term_as_one_id(run, school, report, term):
    with pytest.raises(ReportFailed):
        run(school(), report, enrollment_term_id=term, users=1)


def test_a_list_is_printed_as_ruby_does():
    assert as_text(["12", 13, True]) == '["12", 13, true]'


@pytest.mark.parametrize(("text", "found"), [
    ("7", 7), ("self", 1), ("default", 1), ("sis_account_id:ENG", 7), ("sis_integration_id:int-eng", 7),
    ("hex:sis_account_id:454e47", 7), ("sis_account_id:", None), ("name:Eng", None), ("x", None), ("8", None),
])  # fmt: skip
def test_spellings_of_an_account(school, text, found):
    assert resolve_account(school(), text) == found


@pytest.mark.parametrize(("text", "courses"), [
    ("501", {"501"}), ("sis_course_id:00123", {"501"}), ("sis_integration_id:i", {"501"}), ("", {"501", "502"}),
])  # fmt: skip
@pytest.mark.parametrize("name", ["course_id", "course"])
def test_spellings_of_a_course(rows, school, text, courses, name):
    world = school(
        courses=[course(501, sis_id="00123", integration_id="i"), course(502)],
        sections=[section(601), section(602, course_id=502)],
        users=[user(1)],
        logins=[login(1)],
        enrollments=[enrollment(1), enrollment(1, course_id=502, section_id=602)],
    )
    found = rows(world, "zero_activity_csv", **{name: text})
    assert {row["course id"] for row in found} == courses


@pytest.mark.parametrize(("text", "found"), [
    (f"uuid:{'a' * 40}", 501), ("uuid:short", None), ("lti_context_id:L", 501), ("name:Course 501", None),
])  # fmt: skip
def test_spellings_of_a_course_whose_frame_has_more_ids(school, text, found):
    world = school(courses=[course(501)])
    named = {"uuid": "a" * 40 if found else "short", "lti_context_id": "L"}
    world = replace(world, courses=world.courses.with_columns(**{k: pl.lit(v) for k, v in named.items()}))
    request = Request(world, {"course_id": text}, 1)
    if found:
        assert request.course() == found
        return
    with pytest.raises(ReportFailed):
        request.course()


@pytest.mark.parametrize("report", REPORT_TYPES)
def test_an_unknown_course_ends_the_run_in_error_only_where_it_is_read(run, school, report):
    reads = {"zero_activity_csv", "students_with_no_submissions_csv", "last_user_access_csv",
             "last_enrollment_activity_csv"}  # fmt: skip
    if report in reads:
        with pytest.raises(ReportFailed):
            run(school(), report, course_id="4711")
    else:
        assert "Course" not in run(school(), report, course_id="4711", users=1).summary


@pytest.mark.parametrize(("text", "at"), [
    ("2026-03-02T10:00:00Z", datetime(2026, 3, 2, 10, tzinfo=UTC)),
    ("2026-03-02T10:00:00+02:00", datetime(2026, 3, 2, 8, tzinfo=UTC)),
    ("2026-03-02", datetime(2026, 3, 2, 7, tzinfo=UTC)),  # midnight in the school's zone
    ("2026-03-02 10:30", datetime(2026, 3, 2, 17, 30, tzinfo=UTC)),
    ("2026/7/1", datetime(2026, 7, 1, 6, tzinfo=UTC)),
    ("Mar 2, 2026 9:15pm", datetime(2026, 3, 3, 4, 15, tzinfo=UTC)),
    ("2 March 2026", datetime(2026, 3, 2, 7, tzinfo=UTC)),
    ("20260302", datetime(2026, 3, 2, 7, tzinfo=UTC)),
    ("02/03/2026", datetime(2026, 3, 2, 7, tzinfo=UTC)),  # the day comes first
    ("2026-02-30", datetime(2026, 3, 2, 7, tzinfo=UTC)),  # rolls into March
    ("soon", None), ("", None), ("2 Foo 2026", None),
])  # fmt: skip
def test_dates(school, text, at):
    assert Request(school(), {"start_at": text}, 1).moment("start_at") == at


@pytest.mark.parametrize(
    "text", ["2026-13-01", "2026-03-02T25:00:00Z", "03/14/2026", "2026-03-02T10:00+99:99"]
)
def test_an_impossible_month_or_hour_ends_the_run_in_error(run, school, text):
    with pytest.raises(ReportFailed):
        run(school(), "zero_activity_csv", start_at=text)


@pytest.mark.parametrize(("account", "courses"), [
    (1, {1, 2, 3, 4}), (7, {2, 3, 4}), (11, {3}), (18, {4}), (9, set()),
])  # fmt: skip
def test_a_sub_account_has_the_courses_of_its_whole_tree(rows, school, account, courses):
    places = {1: 1, 2: 7, 3: 11, 4: 18}
    world = school(courses=[course(n, account_id=place) for n, place in places.items()])
    found = rows(world, "course_storage_csv", account)
    assert {int(row["id"]) for row in found} == courses


# Who is associated with account 7; the course is in its sub-account 11.
@pytest.mark.parametrize(("tables", "associated"), [
    ({"enrollments": [enrollment(1, course_id=3, section_id=601)]}, True),
    ({"enrollments": [enrollment(1, course_id=3, section_id=601, state="deleted")]}, False),
    ({"enrollments": [enrollment(1, course_id=3, section_id=601, state="rejected")]}, False),
    ({"enrollments": [enrollment(1, course_id=4, section_id=602)]}, True),  # cross-listed from course 3
    ({"enrollments": [enrollment(1, course_id=4, section_id=603)]}, False),
    ({"admins": [{"user_id": 1, "account_id": 11, "role": "AccountAdmin", "status": "active"}]}, True),
    ({"admins": [{"user_id": 1, "account_id": 11, "role": "AccountAdmin", "status": "deleted"}]}, False),
    ({"admins": [{"user_id": 1, "account_id": 9, "role": "AccountAdmin", "status": "active"}]}, False),
    ({"memberships": [{"user_id": 1, "context_type": "Account", "context_id": 7, "status": "accepted"}]}, True),
    ({"memberships": [{"user_id": 1, "context_type": "Account", "context_id": 9, "status": "accepted"}]}, False),
    ({}, False),
])  # fmt: skip
@pytest.mark.parametrize("report", ["provisioning_csv", "last_user_access_csv", "user_access_tokens_csv"])
def test_people_are_associated_by_enrollments_roles_and_account_groups(
    rows, school, tables, associated, report
):
    world = school(
        courses=[course(3, account_id=11), course(4, account_id=9)],
        sections=[
            section(601, course_id=3),
            section(602, course_id=4, home_course_id=3),
            section(603, course_id=4),
        ],
        users=[user(1)],
        logins=[login(1)],
        tokens=[{"user_id": 1, "hint": "abcde", "status": "active", "created_at": NOW}],
        **tables,
    )
    assert len(rows(world, report, 7, users=True)) == associated
    assert len(rows(world, report, 1, users=True)) == 1, "the root account lists everyone"


# Logins in order of preference: the SIS id of the one that represents the person.
@pytest.mark.parametrize(("logins", "default", "deleted"), [
    ([{"sis_id": "B", "login": "b"}, {"sis_id": "A", "login": "a"}], "A", "A"),
    ([{"login": "a"}, {"sis_id": "B", "login": "b"}], "B", "B"),
    ([{"sis_id": "S", "status": "suspended"}, {"status": "active"}], "", ""),
    ([{"sis_id": "S", "status": "suspended"}], "S", "S"),
    ([{"sis_id": "D", "status": "deleted"}, {"sis_id": "S", "status": "suspended"}], "S", "D"),
    ([{"sis_id": "D", "status": "deleted"}], None, "D"),
    ([{"sis_id": "2", "login": "Zoe"}, {"sis_id": "1", "login": "adam"}], "1", "1"),
    ([], None, None),
])  # fmt: skip
def test_the_best_login_in_the_root(rows, school, logins, default, deleted):
    world = school(
        courses=[course(501)],
        sections=[section(601)],
        users=[user(1)],
        logins=[login(1, **each) for each in logins],
        enrollments=[enrollment(1)],
    )
    for report, column, asked in (
        (GRADES, "student sis", {}),
        ("provisioning_csv", "user_id", {"enrollments": 1}),
    ):
        for switch, wanted in ((0, default), (1, deleted)):
            found = rows(world, report, include_deleted=switch, **asked)
            assert [row[column] for row in found] == ([] if wanted is None else [wanted]), (report, switch)


# The login to which the enrollment is tied; the best login of the person is B.
@pytest.mark.parametrize(("tied", "default", "deleted"), [
    (None, "B", "B"), ("X", "X", "X"), ("S", "S", "S"), ("D", "B", "D"),
])  # fmt: skip
def test_the_login_to_which_an_enrollment_is_tied(*, rows, school, tied, default, deleted):
    states = {"B": "active", "X": "active", "S": "suspended", "D": "deleted"}
    logins = [
        login(1, id=n, sis_id=sis, login=f"{n}{sis}", status=state)
        for n, (sis, state) in enumerate(states.items(), start=1)
    ]
    world = school(
        courses=[course(501)],
        sections=[section(601)],
        users=[user(1)],
        logins=logins,
        enrollments=[enrollment(1)],
    )
    number = list(states).index(tied) + 1 if tied else None
    ties = world.enrollments.with_columns(login_id=pl.lit(number, dtype=pl.Int64))
    world = replace(world, enrollments=ties)
    for report, column, asked in (
        (GRADES, "student sis", {}),
        ("provisioning_csv", "user_id", {"enrollments": 1}),
    ):
        for switch, wanted in ((0, default), (1, deleted)):
            found = rows(world, report, include_deleted=switch, **asked)
            assert [row[column] for row in found] == [wanted], (report, switch)


@pytest.mark.parametrize(("trusting", "own", "represented"), [
    (True, [], ("P", "partner.example.org")), (False, [], None),
    (True, [{"sis_id": "O"}], ("O", "canvas.example.edu")), (False, [{"sis_id": "O"}], ("O", None)),
    (True, [{"sis_id": "O", "status": "deleted"}], ("P", "partner.example.org")),
])  # fmt: skip
def test_logins_of_trusted_schools_come_after_its_own(*, rows, school, trusting, own, represented):
    world = school(
        courses=[course(501)],
        sections=[section(601)],
        users=[user(1)],
        logins=[login(1, sis_id="P", login="a"), *(login(1, **each) for each in own)],
        enrollments=[enrollment(1)],
        admins=[{"user_id": 1, "account_id": 1, "role": "AccountAdmin", "status": "active"}],
        settings=Settings.of({"trusted_accounts": trusting}),
    )
    elsewhere = pl.when(sis_id="P").then(pl.lit("partner.example.org"))
    world = replace(world, logins=world.logins.with_columns(host=elsewhere))
    for file in ("enrollments", "admins"):
        found = rows(world, "provisioning_csv", **{file: 1})
        assert [(row["user_id"], row.get("root_account")) for row in found] == [represented] * bool(
            represented
        )
    assert len(rows(world, "provisioning_csv", users=1, include_deleted=1)) == len(own), "its own logins only"
    assert len(rows(world, "last_user_access_csv", include_deleted=1)) == len(own)
    chosen = rows(world, "students_with_no_submissions_csv")
    assert chosen == [], "the first login of all accounts is that of the partner"


@pytest.mark.parametrize(("sortable", "first", "last"), [
    ("Quill, R.", "R.", "Quill"), ("Doe, Jo, Jr.", "Jo", "Doe"), ("Doe, Jo, Ann", "Jo Ann", "Doe"),
    ("Doe, Jo, III", "Jo", "Doe"), ("Ng", "Ng", None),
])  # fmt: skip
def test_first_and_last_names_are_cut_from_the_sortable_name(run, school, sortable, first, last):
    world = school(users=[user(1, sortable=sortable, email=None)], logins=[login(1)])
    text = run(world, "provisioning_csv", users=1).files[0].read_text()
    cells = text.splitlines()[1].split(",")
    assert cells[4:7] == ["u1", first, last or ""], "a missing name is null, not an empty text"


@pytest.mark.parametrize(("value", "text"), [
    (88.0, "88.0"), (97.25, "97.25"), (0.0, "0.0"), (0.0001, "0.0001"), (0.00001, "1.0e-05"), (1e15, "1000000000000000.0"),
    (1e16, "1.0e+16"), (2.5e-7, "2.5e-07"), (-1e20, "-1.0e+20"),
])  # fmt: skip
def test_floats_are_printed_as_ruby_does(value, text):
    assert float_text(value) == text


@pytest.mark.parametrize(
    ("zone", "printed"), [("UTC", "Z"), ("America/Denver", "-07:00"), ("Asia/Kolkata", "+05:30")]
)
def test_times_have_the_offset_of_the_zone_and_no_fractions(rows, school, zone, printed):
    at = NOW + timedelta(microseconds=987_654)
    world = replace(school(courses=[course(1, unused=True, created_at=at)]), zone=zone)
    (row,) = rows(world, "unused_courses_csv")
    assert row["created at"].endswith(f":00{printed}")
    assert datetime.fromisoformat(row["created at"]) == NOW


def test_which_name_of_a_person_is_printed(rows, school):
    world = school(
        courses=[course(501)],
        sections=[section(601)],
        users=[user(1, name="Display N.", sortable="N., Display")],
        logins=[login(1)],
        enrollments=[enrollment(1)],
        admins=[{"user_id": 1, "account_id": 1, "role": "Help desk", "status": "active"}],
        tokens=[{"user_id": 1, "hint": "abcde", "status": "active", "created_at": NOW}],
    )
    assert rows(world, GRADES)[0]["student name"] == "Display N."
    (role,) = rows(world, "provisioning_csv", admins=1)
    assert (role["admin_user_name"], role["role"]) == ("Display N.", "Help desk")
    for report in ("zero_activity_csv", "last_user_access_csv", "user_access_tokens_csv"):
        (row,) = rows(world, report)
        assert {"N., Display"} == {row.get("name"), row.get("user name")} - {None}


def test_extreme_floats_reach_the_file(rows, school):
    world = school(courses=[course(1, storage_mb=1e16, files_mb=0.00001)])
    (row,) = rows(world, "course_storage_csv")
    assert (row["storage used in MB"], row["sum of all files in MB"]) == ("1.0e+16", "1.0e-05")


DELETED = "Include Deleted/Concluded Objects;"


@pytest.mark.parametrize(("report", "parameters", "text"), [
    ("provisioning_csv", {"users": 1}, "Term: All Terms; Reports: users "),
    ("provisioning_csv", {"terms": 1, "users": 1, "include_deleted": 1, "enrollment_term_id": 12,
                          "enrollment_filter": "StudentEnrollment,TeacherEnrollment,ObserverEnrollment",
                          "enrollment_states": ["deleted", "active"]},
     (f"Term: Fall 2025; {DELETED} Include Enrollment Roles: TeacherEnrollment, StudentEnrollment, and "
     "ObserverEnrollment; Include Enrollment States: active and deleted; Reports: users terms ")),
    ("sis_export_csv", {"users": 1, "enrollment_filter": "x", "created_by_sis": 1},
     "Term: All Terms; Include Enrollment Roles: ; Reports: users "),
    (GRADES, {"limiting_period": "5"}, "Term: All Terms; deleted objects limited by days specified;"),
    (GRADES, {"include_deleted": "t", "limiting_period": ""}, f"Term: All Terms; {DELETED}"),
    ("mgp_grade_export_csv", {"enrollment_term_id": "current"}, "Term: Spring 2026;"),
    ("mgp_grade_export_csv", {"enrollment_term": "12", "include_deleted": 1}, f"Term: Fall 2025; {DELETED}"),
    ("last_enrollment_activity_csv", {"include_deleted": 1, "course_id": 501},
     f"{DELETED} Term: All Terms; For Course: 501;"),
    ("students_with_no_submissions_csv", {"include_deleted": "on", "start_at": "2026-02-01", "end_at": "2026-02-02"},
     (f"{DELETED} Term: All Terms; Start At: 2026-02-01T00:00:00-07:00; End At: 2026-02-02T00:00:00-07:00; "
      "Enrollment States: all;")),
    ("course_storage_csv", {"course_id": "4711", "start_at": "2026-02-01"}, "Term: All Terms;"),
    ("outcome_results_csv", {"order": "Courses"}, "Term: All Terms; Order: courses"),
    ("outcome_results_csv", {"order": "sideways"}, "Term: All Terms;"),
    ("student_assignment_outcome_map_csv", {"order": "users"}, "Term: All Terms;"),
    ("unused_courses_csv", {"include_deleted": 1}, "Term: All Terms;"),
    ("zero_activity_csv", {"include_deleted": 1, "start_at": "2026-02-01", "course_id": "sis_course_id:S"},
     f"{DELETED} Term: All Terms; Start At: 2026-02-01T00:00:00-07:00; For Course: 501;"),
    ("last_user_access_csv", {"enrollment_term_id": "12", "course": "501"}, "Term: Fall 2025; For Course: 501;"),
    ("students_with_no_submissions_csv",
     {"start_at": "2026-02-01T00:00:00Z", "include_enrollment_state": 1, "enrollment_state": ["active", "invited"]},
     ("Term: All Terms; Start At: 2026-01-31T17:00:00-07:00; End At: 2026-02-14T17:00:00-07:00; "
     "Include Enrollment State: true; Enrollment States: active invited;")),
    ("user_access_tokens_csv", {}, ""), ("user_access_tokens_csv", {"include_deleted": 1}, DELETED),
    ("lti_report_csv", {"include_deleted": 1}, DELETED), ("outcome_export_csv", {"include_deleted": 1}, DELETED),
    ("eportfolio_report_csv", {"no_enrollments": 1, "include_deleted": 1},
     f"{DELETED} Only users with no enrollments"),
    ("developer_key_report_csv", {"include_deleted": 1}, ""),
    ("lti_report_csv", {"include_deleted": 1, "extra_text": "Mine."}, f"Mine. {DELETED}"),
])  # fmt: skip
def test_the_summary(run, school, report, parameters, text):
    world = school(courses=[course(501, sis_id="S")])
    assert run(world, report, **parameters).summary == text
