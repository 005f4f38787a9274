"""Which rows and cells each file of provisioning_csv and sis_export_csv holds."""

from datetime import timedelta

import pytest

from canvas_reports_nb.demo_canvas.reports import NoFileError
from canvas_reports_nb.demo_canvas.world import NOW

from .conftest import ACCOUNTS, course, enrollment, lines, login, section, user

PROVISIONING, SIS = "provisioning_csv", "sis_export_csv"
SINCE_119_DAYS, SINCE_121_DAYS = (NOW - timedelta(days=days) for days in (119, 121))


def kept(rows, world, file):
    """Return whether the file holds a row by default, with include_deleted, and both in the SIS form."""
    return tuple(
        len(rows(world, report, **{file: 1, "include_deleted": deleted}))
        for report in (PROVISIONING, SIS)
        for deleted in (0, 1)
    )


# The row; then whether it is in: provisioning, the same with include_deleted, SIS form, the same with it.
@pytest.mark.parametrize(("file", "row", "expected"), [
    ("users", {}, (1, 1, 0, 0)),
    ("users", {"sis_id": "S"}, (1, 1, 1, 1)),
    ("users", {"sis_id": "S", "status": "suspended"}, (1, 1, 1, 1)),
    ("users", {"sis_id": "S", "status": "deleted"}, (0, 1, 0, 1)),
    ("users", {"status": "deleted"}, (0, 0, 0, 0)),
    ("accounts", {}, (1, 1, 0, 0)),
    ("accounts", {"sis_id": "S"}, (1, 1, 1, 1)),
    ("accounts", {"sis_id": "S", "status": "deleted"}, (0, 1, 0, 1)),
    ("accounts", {"status": "deleted"}, (0, 0, 0, 0)),
    ("terms", {"sis_id": "S", "status": "deleted"}, (0, 1, 0, 1)),
    ("terms", {"status": "deleted"}, (0, 0, 0, 0)),
    ("terms", {}, (1, 1, 0, 0)),
    ("courses", {}, (1, 1, 0, 0)),
    ("courses", {"sis_id": "S"}, (1, 1, 1, 1)),
    ("courses", {"sis_id": "S", "status": "unpublished"}, (1, 1, 1, 1)),
    ("courses", {"sis_id": "S", "status": "completed"}, (0, 1, 0, 1)),
    ("courses", {"status": "deleted", "updated_at": SINCE_119_DAYS}, (0, 1, 0, 0)),
    ("courses", {"status": "deleted", "updated_at": SINCE_121_DAYS}, (0, 0, 0, 0)),
    ("courses", {"sis_id": "S", "status": "deleted", "updated_at": SINCE_121_DAYS}, (0, 1, 0, 1)),
])  # fmt: skip
def test_users_accounts_terms_and_courses(rows, school, file, row, expected):
    tables = {
        "users": {"users": [user(1)], "logins": [login(1, **row)]},
        "accounts": {
            "accounts": [ACCOUNTS[0], {"id": 5, "parent_id": 1, "name": "A", "status": "active", **row}]
        },
        "terms": {"terms": [{"id": 5, "name": "T", "status": "active", **row}]},
        "courses": {"courses": [course(501, **row)]},
    }
    assert kept(rows, school(**tables[file]), file) == expected


@pytest.mark.parametrize(("file", "row", "of_course", "expected"), [
    ("sections", {}, {}, (1, 1, 0, 0)),
    ("sections", {"sis_id": "S"}, {"sis_id": "C"}, (1, 1, 1, 1)),
    ("sections", {"sis_id": "S"}, {}, (1, 1, 0, 0)),
    ("sections", {}, {"status": "completed"}, (1, 1, 0, 0)),
    ("sections", {}, {"status": "deleted"}, (0, 1, 0, 0)),
    ("sections", {"status": "deleted"}, {"sis_id": "C"}, (0, 0, 0, 0)),
    ("sections", {"status": "deleted", "sis_id": "S"}, {"sis_id": "C"}, (0, 1, 0, 1)),
    ("xlist", {}, {}, (1, 1, 0, 0)),
    ("xlist", {}, {"status": "completed"}, (0, 1, 0, 0)),
    ("xlist", {}, {"status": "deleted"}, (0, 0, 0, 0)),
    ("xlist", {"sis_id": "S"}, {"sis_id": "C", "status": "deleted"}, (0, 1, 0, 1)),
    ("xlist", {"sis_id": "S", "status": "deleted"}, {"sis_id": "C"}, (0, 1, 0, 1)),
    ("xlist", {"sis_id": "S"}, {"sis_id": "C"}, (1, 1, 1, 1)),
])  # fmt: skip
def test_sections_and_cross_listed_ones(*, rows, school, file, row, of_course, expected):
    home = {"home_course_id": 502} if file == "xlist" else {}
    world = school(courses=[course(501, **of_course), course(502)], sections=[section(601, **home, **row)])
    assert kept(rows, world, file) == expected


BATCH = {"created_by_sis": True}


@pytest.mark.parametrize(("row", "of_course", "of_section", "expected"), [
    ({}, {}, {}, (1, 1, 0, 0)),
    ({}, {"sis_id": "C"}, {}, (1, 1, 1, 1)),
    ({}, {}, {"sis_id": "S"}, (1, 1, 1, 1)),
    ({"state": "completed"}, {"sis_id": "C"}, {}, (0, 1, 0, 1)),
    ({"state": "deleted"}, {"sis_id": "C"}, {}, (0, 0, 0, 0)),
    ({"state": "deleted", **BATCH}, {"sis_id": "C"}, {}, (0, 1, 0, 1)),
    ({"state": "invited"}, {"sis_id": "C"}, {}, (1, 1, 0, 0)),
    ({"state": "creation_pending"}, {"sis_id": "C"}, {}, (1, 1, 0, 0)),
    ({"state": "rejected"}, {"sis_id": "C"}, {}, (1, 1, 0, 0)),
    ({"state": "inactive"}, {"sis_id": "C"}, {}, (1, 1, 1, 1)),
    ({}, {"status": "completed"}, {}, (1, 1, 0, 0)),
    ({}, {"status": "deleted"}, {}, (1, 1, 0, 0)),
    ({}, {}, {"status": "deleted"}, (1, 1, 0, 0)),
    ({"type": "StudentViewEnrollment"}, {"sis_id": "C"}, {}, (0, 0, 0, 0)),
])  # fmt: skip
def test_enrollments(*, rows, school, row, of_course, of_section, expected):
    world = school(
        courses=[course(501, **of_course)],
        sections=[section(601, **of_section)],
        users=[user(1)],
        logins=[login(1)],
        enrollments=[enrollment(1, **row)],
    )
    assert kept(rows, world, "enrollments") == expected


COURSE_GROUP = {"context_type": "Course", "context_id": 501}


@pytest.mark.parametrize(("file", "row", "of_group", "expected"), [
    ("groups", {}, {}, (1, 1, 0, 0)),
    ("groups", {}, {"sis_id": "G"}, (1, 1, 1, 1)),
    ("groups", {}, {"sis_id": "G", "status": "deleted"}, (0, 1, 0, 1)),
    ("groups", {}, {"status": "deleted"}, (0, 0, 0, 0)),
    ("groups", {}, {"status": "closed"}, (1, 1, 0, 0)),
    ("group_membership", {}, {}, (1, 1, 0, 0)),
    ("group_membership", BATCH, {}, (1, 1, 1, 1)),
    ("group_membership", {"status": "deleted"}, {}, (0, 0, 0, 0)),
    ("group_membership", {"status": "deleted", **BATCH}, {}, (0, 1, 0, 1)),
    ("group_membership", {}, {"status": "deleted"}, (0, 0, 0, 0)),
    ("group_membership", BATCH, {"status": "deleted"}, (0, 1, 0, 1)),
])  # fmt: skip
def test_groups_and_memberships(*, rows, school, file, row, of_group, expected):
    member = {
        "group_id": 61,
        "user_id": 1,
        "status": "accepted",
        "created_by_sis": False,
        **COURSE_GROUP,
        **row,
    }
    world = school(
        courses=[course(501, status="deleted")],
        users=[user(1)],
        logins=[login(1)],
        groups=[
            {
                "id": 61,
                "name": "G",
                "status": "available",
                "created_by_sis": False,
                **COURSE_GROUP,
                **of_group,
            }
        ],
        memberships=[member],
    )
    assert kept(rows, world, file) == expected


@pytest.mark.parametrize(("file", "row", "expected"), [
    ("group_categories", {}, (1, 1, 0, 0)),
    ("group_categories", {"sis_id": "S"}, (1, 1, 0, 0)),
    ("group_categories", BATCH, (1, 1, 1, 1)),
    ("group_categories", {"status": "deleted"}, (0, 1, 0, 0)),
    ("admins", {}, (1, 1, 0, 0)),
    ("admins", BATCH, (1, 1, 1, 1)),
    ("admins", {"status": "deleted"}, (0, 1, 0, 0)),
    ("user_observers", {}, (1, 1, 0, 0)),
    ("user_observers", BATCH, (1, 1, 1, 1)),
    ("user_observers", {"status": "deleted"}, (0, 1, 0, 0)),
])  # fmt: skip
def test_group_sets_admins_and_observers(rows, school, file, row, expected):
    plain = {"status": "active", "created_by_sis": False, **row}
    tables = {
        "group_categories": {"group_sets": [{"name": "Set", **COURSE_GROUP, **plain}]},
        "admins": {"admins": [{"user_id": 1, "account_id": 1, "role": "AccountAdmin", **plain}]},
        "user_observers": {"observer_links": [{"observer_id": 2, "student_id": 1, **plain}]},
    }
    world = school(users=[user(1), user(2)], logins=[login(1), login(2)], **tables[file])
    assert kept(rows, world, file) == expected


@pytest.mark.parametrize(("student", "observer", "default", "deleted"), [
    (["active"], ["active"], 1, 1), (["active"], ["deleted"], 1, 1), (["deleted"], ["active"], 0, 1),
    (["active", "suspended"], ["active", "active"], 4, 4), (["active", "deleted"], ["active"], 1, 2),
])  # fmt: skip
def test_observers_are_pairs_of_logins(*, rows, school, student, observer, default, deleted):
    logins = [login(1, status=status) for status in student] + [
        login(2, status=status) for status in observer
    ]
    link = {"observer_id": 2, "student_id": 1, "status": "active", "created_by_sis": False}
    world = school(users=[user(1), user(2)], logins=logins, observer_links=[link])
    assert kept(rows, world, "user_observers")[:2] == (default, deleted)


@pytest.mark.parametrize("file", ["enrollments", "group_membership", "admins"])
def test_rows_of_people_without_a_usable_login_are_left_out(rows, school, file):
    world = school(
        courses=[course(501)],
        sections=[section(601)],
        users=[user(1), user(2)],
        logins=[login(1, status="deleted")],
        enrollments=[enrollment(1), enrollment(2)],
        groups=[{"id": 61, "status": "available", **COURSE_GROUP}],
        memberships=[{"group_id": 61, "user_id": n, "status": "accepted", **COURSE_GROUP} for n in (1, 2)],
        admins=[{"user_id": n, "account_id": 1, "role": "AccountAdmin", "status": "active"} for n in (1, 2)],
    )
    assert rows(world, PROVISIONING, **{file: 1}) == []
    found = rows(world, PROVISIONING, **{file: 1, "include_deleted": 1})
    assert [row["canvas_user_id"] for row in found] == ["1"], "include_deleted also widens the logins"


def test_test_students_and_their_logins_are_left_out(rows, school):
    view = enrollment(3, type="StudentViewEnrollment")
    world = school(
        courses=[course(501)],
        sections=[section(601)],
        users=[user(1), user(2, test=True), user(3)],
        logins=[login(1), login(2), login(3)],
        enrollments=[enrollment(1), enrollment(2), view],
    )
    assert [row["canvas_user_id"] for row in rows(world, PROVISIONING, users=1)] == ["1"]
    assert [row["canvas_user_id"] for row in rows(world, PROVISIONING, enrollments=1)] == ["1"]


@pytest.mark.parametrize(("value", "on"), [
    (True, True), ("", True), ("false", True), (0, True), (False, False), (None, False),
])  # fmt: skip
@pytest.mark.parametrize("file", ["users", "courses", "group_categories", "admins"])
def test_created_by_sis_is_on_unless_null_or_false_and_skips_two_files(rows, school, value, on, file):
    world = school(
        courses=[course(501), course(502, created_by_sis=True)],
        users=[user(1), user(2)],
        logins=[login(1), login(2, created_by_sis=True)],
        group_sets=[
            {"name": "Set", "status": "active", "created_by_sis": sis, **COURSE_GROUP} for sis in (0, 1)
        ],
        admins=[
            {"user_id": 1, "account_id": 1, "status": "active", "created_by_sis": sis}
            for sis in (False, True)
        ],
    )
    narrowed = on and file in ("users", "courses")
    assert len(rows(world, PROVISIONING, **{file: 1, "created_by_sis": value})) == (1 if narrowed else 2)


@pytest.mark.parametrize(("asked", "types", "states"), [
    ({}, {"StudentEnrollment", "TeacherEnrollment"}, {"active", "invited", "inactive", "rejected"}),
    ({"enrollment_filter": "TeacherEnrollment"}, {"TeacherEnrollment"}, {"active", "invited", "inactive", "rejected"}),
    ({"enrollment_states": "active,completed"}, {"StudentEnrollment", "TeacherEnrollment"}, {"active"}),
    ({"enrollment_states": "deleted"}, set(), set()),
    ({"enrollment_states": "deleted", "include_deleted": 1}, {"TeacherEnrollment"}, {"deleted"}),
    ({"enrollment_filter": "Student"}, set(), set()),
])  # fmt: skip
def test_the_filters_come_on_top_of_the_state_rule(rows, school, asked, types, states):
    every = ("active", "invited", "creation_pending", "inactive", "rejected", "completed", "deleted")
    world = school(
        courses=[course(501)],
        sections=[section(601)],
        users=[user(1)],
        logins=[login(1)],
        enrollments=[
            enrollment(1, type=kind, state=state, created_by_sis=kind == "TeacherEnrollment")
            for kind in ("StudentEnrollment", "TeacherEnrollment")
            for state in every
        ],
    )
    found = rows(world, PROVISIONING, enrollments=1, **asked)
    assert {row["base_role_type"] for row in found} == types
    assert {row["status"] for row in found} == states


@pytest.mark.parametrize(("file", "expected"), [
    ("users", {1}), ("accounts", {11, 18}), ("terms", {1, 12, 13, 99}), ("courses", {501}), ("sections", {601}),
    ("enrollments", {1}), ("groups", {61, 62}), ("group_categories", {51, 52}), ("xlist", {601}), ("admins", {7, 11}),
    ("user_observers", {1}),
])  # fmt: skip
def test_a_sub_account_has_its_own_rows_but_every_term(rows, school, file, expected):
    places = {501: 11, 502: 9}
    contexts = [("Course", 501), ("Account", 11), ("Course", 502), ("Account", 18), ("Account", 1)]
    world = school(
        courses=[course(n, account_id=place) for n, place in places.items()],
        sections=[section(601, home_course_id=502), section(602, course_id=502)],
        users=[user(1), user(2)],
        logins=[login(1), login(2)],
        enrollments=[enrollment(1), enrollment(2, course_id=502, section_id=602)],
        group_sets=[{"id": 51 + n, "context_type": kind, "context_id": place, "status": "active"}
                    for n, (kind, place) in enumerate(contexts)],
        groups=[{"id": 61 + n, "context_type": kind, "context_id": place, "status": "available"}
                for n, (kind, place) in enumerate(contexts)],
        admins=[{"user_id": 1, "account_id": place, "status": "active"} for place in (1, 7, 11, 18, 9)],
        observer_links=[{"observer_id": 2 - n, "student_id": 1 + n, "status": "active"} for n in (0, 1)],
    )  # fmt: skip
    key = {"users": "canvas_user_id", "accounts": "canvas_account_id", "terms": "canvas_term_id",
           "courses": "canvas_course_id", "sections": "canvas_section_id", "enrollments": "canvas_user_id",
           "groups": "canvas_group_id", "group_categories": "canvas_group_category_id", "xlist": "canvas_section_id",
           "admins": "canvas_account_id", "user_observers": "canvas_student_id"}[file]  # fmt: skip
    found = rows(world, PROVISIONING, 7, **{file: 1, "include_deleted": file in ("accounts", "terms")})
    assert {int(row[key]) for row in found} == expected
    if file in ("sections", "enrollments", "xlist"):
        original = {int(row[key]) for row in rows(world, PROVISIONING, 9, **{file: 1})}
        assert not original & expected, "cross-listing adds no account"


def test_from_the_root_accounts_of_every_depth_are_listed_but_not_the_root(rows, school):
    found = rows(school(), PROVISIONING, accounts=1)
    assert {int(row["canvas_account_id"]) for row in found} == {7, 11, 9}


@pytest.mark.parametrize("file", ["courses", "sections", "enrollments", "xlist"])
def test_the_term_acts_on_four_files(rows, school, file):
    world = school(
        courses=[course(501, term_id=12), course(502)],
        sections=[section(601, home_course_id=502), section(602, course_id=502, home_course_id=501)],
        users=[user(1)],
        logins=[login(1)],
        enrollments=[enrollment(1), enrollment(1, course_id=502, section_id=602)],
    )
    assert len(rows(world, PROVISIONING, **{file: 1})) == 2
    assert len(rows(world, PROVISIONING, **{file: 1, "enrollment_term_id": 12})) == 1
    assert len(rows(world, PROVISIONING, users=1, enrollment_term_id=12)) == 1


@pytest.mark.parametrize(("state", "provisioning", "sis"), [
    ("unpublished", "unpublished", "active"), ("created", "unpublished", "active"),
    ("claimed", "unpublished", "active"), ("available", "active", "active"),
    ("completed", "concluded", "completed"), ("deleted", "deleted", "deleted"),
])  # fmt: skip
def test_the_status_of_courses(rows, school, state, provisioning, sis):
    world = school(courses=[course(501, sis_id="S", status=state)])
    asked = {"courses": 1, "include_deleted": 1}
    assert [row["status"] for row in rows(world, PROVISIONING, **asked)] == [provisioning]
    assert [row["status"] for row in rows(world, SIS, **asked)] == [sis]


@pytest.mark.parametrize(("state", "of_course", "of_section", "printed"), [
    ("active", "available", "active", "active"), ("completed", "available", "active", "concluded"),
    ("invited", "available", "active", "invited"), ("creation_pending", "available", "active", "invited"),
    ("inactive", "completed", "active", "inactive"), ("rejected", "available", "active", "rejected"),
    ("active", "deleted", "active", "deleted"), ("active", "available", "deleted", "deleted"),
    ("completed", "deleted", "deleted", "deleted"),
])  # fmt: skip
def test_the_status_of_enrollments(*, rows, school, state, of_course, of_section, printed):
    world = school(
        courses=[course(501, status=of_course)],
        sections=[section(601, status=of_section)],
        users=[user(1)],
        logins=[login(1)],
        enrollments=[enrollment(1, state=state)],
    )
    (row,) = rows(world, PROVISIONING, enrollments=1, include_deleted=1)
    assert row["status"] == printed


@pytest.mark.parametrize("restricted", [True, False])
def test_dates_are_printed_where_they_are_enforced(rows, school, restricted):
    dates = {"start_at": NOW, "end_at": NOW + timedelta(days=1), "restricted": restricted}
    world = school(courses=[course(501, **dates)], sections=[section(601, **dates)])
    for file in ("courses", "sections"):
        (row,) = rows(world, PROVISIONING, **{file: 1})
        assert bool(row["start_date"]) == bool(row["end_date"]) == restricted


def test_other_cells(rows, school):
    world = school(
        courses=[course(501, account_id=11, blueprint_id=90), course(502, account_id=9), course(90)],
        sections=[section(601, home_course_id=502)],
        users=[user(1), user(2)],
        logins=[login(1, sis_id="000481"), login(2, sis_id="0002")],
        enrollments=[
            enrollment(1, role_id=41, limit_privileges=True),
            enrollment(2, type="ObserverEnrollment", associated_user_id=1),
        ],
        groups=[{"id": 61, "status": "available", **COURSE_GROUP}],
    )
    first, second = rows(world, PROVISIONING, enrollments=1)
    assert (first["role"], first["limit_section_privileges"]) == ("Suspended Student", "true")
    assert (second["role"], second["associated_user_id"], second["limit_section_privileges"]) == (
        "observer", "000481", "",
    )  # fmt: skip
    (listed,) = rows(world, PROVISIONING, sections=1)
    assert (listed["canvas_account_id"], listed["account_id"]) == ("11", "CIV"), "of the course it is in now"
    blueprint = {row["canvas_course_id"]: row for row in rows(world, PROVISIONING, courses=1)}["501"]
    assert (blueprint["canvas_blueprint_course_id"], blueprint["blueprint_course_id"]) == ("90", "")
    (group,) = rows(world, PROVISIONING, groups=1)
    assert (group["canvas_account_id"], group["canvas_course_id"], group["context_type"]) == (
        "",
        "501",
        "Course",
    )
    assert {row["password"] for row in rows(world, SIS, users=1)} == {""}


@pytest.mark.parametrize(("kind", "role_id", "role"), [
    ("DesignerEnrollment", 6, "designer"), ("StudentEnrollment", 41, "Suspended Student"),
    ("TaEnrollment", 99, "ta"), ("TeacherEnrollment", None, "teacher"),
])  # fmt: skip
def test_the_role_is_a_custom_name_or_that_of_the_type(*, rows, school, kind, role_id, role):
    world = school(
        courses=[course(501)],
        sections=[section(601)],
        users=[user(1)],
        logins=[login(1)],
        enrollments=[enrollment(1, type=kind, role_id=role_id)],
    )
    (row,) = rows(world, PROVISIONING, enrollments=1)
    assert (row["role"], row["base_role_type"]) == (role, kind)


def test_groups_and_memberships_show_the_ids_of_their_set_and_group(rows, school):
    where = {"context_type": "Account", "context_id": 7}
    world = school(
        users=[user(1)],
        logins=[login(1)],
        group_sets=[{"id": 51, "sis_id": "SET", "status": "active", **where}],
        groups=[
            {"id": 61, "sis_id": "G", "set_id": 51, "status": "available", "created_by_sis": True, **where},
            {"id": 62, "set_id": 52, "set_sis_id": "OTHER", "status": "available", **where},
        ],
        memberships=[{"group_id": 61, "user_id": 1, "status": "accepted", "created_by_sis": True}],
    )
    assert [row["group_category_id"] for row in rows(world, PROVISIONING, 7, groups=1)] == ["SET", "OTHER"]
    for report in (PROVISIONING, SIS):
        assert [row["group_id"] for row in rows(world, report, 7, group_membership=1)] == ["G"]
    assert rows(world, PROVISIONING, 9, group_membership=1) == []


@pytest.mark.parametrize(("stored", "printed"), [
    ("she_her", "She/Her"), ("he/him", "He/Him"), ("they_them", "They/Them"), ("human/being", "human/being"),
])  # fmt: skip
def test_pronouns(rows, school, stored, printed):
    world = school(users=[user(1, pronouns=stored)], logins=[login(1)])
    assert [row["pronouns"] for row in rows(world, PROVISIONING, users=1)] == [printed]


def test_enrollments_come_by_id_and_group_sets_too(rows, school):
    world = school(
        courses=[course(501)],
        sections=[section(601)],
        users=[user(1)],
        logins=[login(1)],
        enrollments=[enrollment(1, id=n) for n in (9, 3, 5)],
        group_sets=[{"id": n, "status": "active", **COURSE_GROUP} for n in (9, 3, 5)],
    )
    assert [row["canvas_enrollment_id"] for row in rows(world, PROVISIONING, enrollments=1)] == [
        "3",
        "5",
        "9",
    ]
    sets = rows(world, PROVISIONING, group_categories=1)
    assert [row["canvas_group_category_id"] for row in sets] == ["3", "5", "9"]


def test_one_file_is_a_csv_more_are_a_zip_in_fixed_order_and_none_is_an_error(run, school):
    assert not run(school(), PROVISIONING, users=1, nonsense=1).as_zip
    product = run(school(), PROVISIONING, xlist=1, users="on", terms=True)
    assert [path.stem for path in product.files] == ["users", "terms", "xlist"]
    assert product.as_zip
    assert all(len(lines(path)) >= 1 for path in product.files)
    with pytest.raises(NoFileError):
        run(school(), PROVISIONING, users="0")
