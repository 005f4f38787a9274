"""Parameters: equal in any spelling, different if the values differ, rejected if Canvas would ignore them."""

from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from canvas_reports_nb.catalog import parameters
from canvas_reports_nb.catalog.parameters import (
    asked_of,
    canonical,
    check_names,
    expected_tables,
    near,
    read_parameters,
)
from canvas_reports_nb.exceptions import InvalidChoiceError, UnknownParameterError

GRADES, PROVISIONING, ZERO = "grade_export_csv", "provisioning_csv", "zero_activity_csv"
BLANKS = [None, "", "  ", float("nan"), np.float32("nan"), np.datetime64("NaT", "us"), pd.NA, pd.NaT, [], ()]


def sent(report: str, asked: dict[str, Any]) -> dict[str, Any]:
    """Return the canonical form of parameters after checking them for sending."""
    return canonical(report, read_parameters(report, asked))


def check(report: str, asked: dict[str, Any], listed: list[str]) -> None:
    check_names(report, asked, listed)
    read_parameters(report, asked)


@pytest.mark.parametrize(
    ("report", "spellings"),
    [
        (
            GRADES,
            [{"include_deleted": value} for value in (True, "true", "TRUE", "1", 1, 1.0, "yes", "on", "t")],
        ),
        (GRADES, [{}, {"include_deleted": False}, {"include_deleted": "0"}, {"include_deleted": np.False_}]),
        (
            GRADES,
            [
                {name: value}
                for name in ("enrollment_term_id", "enrollment_term")
                for value in (12, "12", 12.0)
            ]
            + [{"enrollment_term_id": np.int64(12)}, {"enrollment_term_id": " 12 "}],
        ),
        (
            PROVISIONING,
            [
                {"enrollment_states": value}
                for value in (
                    ["active", "invited"],
                    ("invited", "active"),
                    {"active", "invited"},
                    "active,invited",
                    "invited, active",
                    np.array(["invited", "active"]),
                    pd.Series(["active", "invited"]),
                )
            ],
        ),
        (
            ZERO,
            [
                {"start_at": value}
                for value in (
                    datetime(2026, 3, 2),
                    "2026-03-02T00:00:00",
                    pd.Timestamp("2026-03-02"),
                    np.datetime64("2026-03-02T00:00:00", "ns"),
                )
            ],
        ),
        (ZERO, [{"start_at": date(2026, 3, 2)}, {"start_at": "2026-03-02"}]),
        (ZERO, [{}, *({"start_at": blank, "course_id": blank} for blank in BLANKS)]),
        ("a_vendor_report", [{"x": "1"}, {"x": 1}, {"x": 1.0}, {"x": np.int32(1), "y": None}]),
        (
            GRADES,
            [
                {"enrollment_term_id": "7"},
                {"enrollment_term_id": "7", "locale": "en", "extra_text": "Term: Autumn;"},
                {"enrollment_term_id": 7, "skip_message": True},
                {"enrollment_term_id": "7", "skip_message": "false"},
            ],
        ),
    ],
)
def test_spelling_does_not_matter(report: str, spellings: list[dict[str, Any]]) -> None:
    meant = [sent(report, spelling) for spelling in spellings]
    assert meant == [meant[0]] * len(meant)


@pytest.mark.parametrize("word", ["0", "1", "no", "n", "f", "true", "on"])
def test_a_term_id_that_looks_like_a_switch_is_an_id(word: str) -> None:
    assert sent(GRADES, {"enrollment_term_id": word}) == {"enrollment_term_id": word}


ids = st.integers(min_value=1, max_value=10**17).map(str) | st.from_regex(
    r"sis_term_id:[A-Z0-9]{1,8}", fullmatch=True
)


@given(ids, ids, st.booleans())
def test_another_term_is_another_run(one: str, other: str, deleted: bool) -> None:
    assume(one != other)
    keys = [sent(GRADES, {"enrollment_term_id": term, "include_deleted": deleted}) for term in (one, other)]
    assert keys[0] != keys[1]
    assert keys[0] != sent(GRADES, {"enrollment_term_id": one, "include_deleted": not deleted})


states = st.sets(st.sampled_from(["invited", "active", "completed", "inactive", "deleted"]), min_size=1)


@given(states, states)
def test_lists_are_equal_exactly_when_their_items_are(one: set[str], other: set[str]) -> None:
    key = sent(PROVISIONING, {"enrollment_states": sorted(one), "users": True})
    assert (key == sent(PROVISIONING, {"enrollment_states": ",".join(other), "users": "1"})) == (one == other)


@given(st.dates(), st.dates())
def test_dates_are_equal_exactly_when_they_are(one: date, other: date) -> None:
    assert (sent(ZERO, {"start_at": one}) == sent(ZERO, {"start_at": other.isoformat()})) == (one == other)


@given(
    st.dictionaries(
        st.text(min_size=1, max_size=6),
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats(allow_infinity=False)
        | st.text(max_size=6)
        | st.lists(st.text(max_size=3)),
        max_size=4,
    ),
    st.sampled_from([GRADES, PROVISIONING, "a_vendor_report"]),
)
def test_the_parameters_sent_equal_those_requested(given_: dict[str, Any], report: str) -> None:
    assert sent(report, given_) == canonical(report, given_)
    assert canonical(report, asked_of(report, given_)) == canonical(report, given_)


def test_a_stored_run_with_a_name_and_its_alias_can_be_compared() -> None:
    both = {"enrollment_term": "1", "enrollment_term_id": "2"}
    assert canonical(GRADES, both) == canonical(GRADES, {"enrollment_term_id": 2})
    assert canonical(GRADES, dict(reversed(both.items()))) == canonical(GRADES, both)
    with pytest.raises(UnknownParameterError, match="given twice"):
        check(GRADES, both, [])
    check(GRADES, {"enrollment_term": "2", "enrollment_term_id": 2}, [])


@pytest.mark.parametrize("blank", BLANKS, ids=repr)
def test_a_blank_is_not_sent(blank: object) -> None:
    assert read_parameters(GRADES, {"enrollment_term_id": blank, "include_deleted": True}) == {
        "include_deleted": True
    }


@pytest.mark.parametrize(
    ("given_", "wire"),
    [
        ({"start_at": date(2026, 3, 2)}, {"start_at": "2026-03-02"}),
        ({"start_at": datetime(2026, 3, 2, 9, tzinfo=UTC)}, {"start_at": "2026-03-02T09:00:00+00:00"}),
        ({"course": np.int64(5)}, {"course_id": 5}),
        ({"course_id": 5.0}, {"course_id": 5}),
        ({"course_id": "007"}, {"course_id": "007"}),
        ({"skip_message": False}, {}),
        ({"skip_message": "false"}, {}),
        ({"skip_message": "False"}, {}),
        ({"skip_message": "no"}, {}),
        ({"skip_message": True}, {"skip_message": True}),
    ],
)
def test_values_as_they_are_sent(given_: dict[str, Any], wire: dict[str, Any]) -> None:
    read = read_parameters(ZERO, given_)
    assert read == wire
    assert [type(value) for value in read.values()] == [type(value) for value in wire.values()]


@pytest.mark.parametrize(("value", "on"), [(False, False), ("0", False), (True, True)])
def test_created_by_sis_is_on_whenever_sent(value: object, on: bool) -> None:
    assert ("created_by_sis" in read_parameters(PROVISIONING, {"created_by_sis": value})) is on


@pytest.mark.parametrize("word", [" False", "no", "N", "f", "0", "OFF", 0])
def test_every_word_for_off_switches_a_file_off(word: object) -> None:
    assert read_parameters(PROVISIONING, {"users": True, "courses": word}) == {
        "users": True,
        "courses": False,
    }
    assert expected_tables(PROVISIONING, {"users": "Yes", "courses": word}) == ("users",)


def test_values_from_numpy_become_python_values() -> None:
    wire = read_parameters("a_vendor_report", {"ids": [np.int64(1), np.float64(2.0)], "set": {"b", "a"}})
    assert wire == {"ids": [1, 2], "set": ["a", "b"]}
    assert {type(item) for item in wire["ids"]} == {int}


@pytest.mark.parametrize(
    ("report", "given_", "error", "hint"),
    [
        (GRADES, {"term": 1}, UnknownParameterError, "'enrollment_term_id'"),
        (GRADES, {"enrolment_term_id": 1}, UnknownParameterError, "Did you mean 'enrollment_term_id'"),
        (GRADES, {"course_id": 1}, UnknownParameterError, "It takes: enrollment_term_id, include_deleted"),
        (GRADES, {"zzz": None}, UnknownParameterError, "It takes"),
        ("developer_key_report_csv", {"x": 1}, UnknownParameterError, "It takes no parameters"),
        ("a_vendor_report", {"x": 1}, UnknownParameterError, "It takes no parameters"),
        (GRADES, {"include_deleted": "maybe"}, InvalidChoiceError, "True or False"),
        ("outcome_results_csv", {"order": "user"}, InvalidChoiceError, "Did you mean 'users'"),
        (
            PROVISIONING,
            {"enrollment_states": ["active", "actve"]},
            InvalidChoiceError,
            "Did you mean 'active'",
        ),
        (
            PROVISIONING,
            {"enrollment_filter": "StudentEnrollment,Pupil"},
            InvalidChoiceError,
            "TeacherEnrollment",
        ),
        (PROVISIONING, {"enrollment_states": np.array(["nope"])}, InvalidChoiceError, "Use: invited"),
        (GRADES, {"enrollment_term_id": [1, 2]}, InvalidChoiceError, "one term"),
        (PROVISIONING, {"enrollment_states": {"0": "active"}}, InvalidChoiceError, "Use: invited"),
        (ZERO, {"start_at": "02/03/2026"}, InvalidChoiceError, '"2026-02-01"'),
        (ZERO, {"course_id": [1, 2]}, InvalidChoiceError, "once for each"),
        (GRADES, {"limiting_period": "ten"}, InvalidChoiceError, "whole number"),
        *(
            (GRADES, {name: value}, InvalidChoiceError, f"{name} can't be")
            for name in ("enrollment_term", "extra_text", "include_deleted")
            for value in (pd.Period("2026"), b"12", float("inf"), [1, float("nan")], {1, "x"}, object())
        ),
    ],
)
def test_invalid_parameters_are_rejected_before_the_start(
    report: str, given_: dict[str, Any], error: type[ValueError], hint: str
) -> None:
    with pytest.raises(error) as caught:
        check(report, given_, ["enrollment_term_id"] if report == GRADES else [])
    assert hint in str(caught.value)
    assert caught.value.report == report  # type: ignore[attr-defined]
    names = set(given_) if error is InvalidChoiceError else {None}
    assert caught.value.parameter in names, "the form marks its field"  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("report", "given_", "listed"),
    [
        (GRADES, {"enrollment_term": 1, "skip_message": True, "extra_text": "x"}, []),
        (GRADES, {"new_on_this_server": 1}, ["new_on_this_server"]),
        ("a_vendor_report", {"start_at": "2026-03-02"}, ["start_at"]),
        ("outcome_results_csv", {"order": "Users"}, []),
        (PROVISIONING, {"enrollment_states": "active, invited", "users": "yes"}, []),
        (PROVISIONING, {"enrollment_states": {"active"}, "enrollment_filter": None, "users": np.True_}, []),
    ],
)
def test_valid_parameters_are_accepted(report: str, given_: dict[str, Any], listed: list[str]) -> None:
    assert check(report, given_, listed) is None


@pytest.mark.parametrize(
    ("report", "given_", "tables"),
    [
        (GRADES, {}, (GRADES,)),
        (
            PROVISIONING,
            {"enrollments": "1", "users": True, "courses": False, "terms": None},
            ("users", "enrollments"),
        ),
        (PROVISIONING, {"include_deleted": True}, ()),
        ("mgp_grade_export_csv", {}, None),
        ("a_vendor_report", {"users": True}, None),
    ],
)
def test_expected_tables(report: str, given_: dict[str, Any], tables: tuple[str, ...] | None) -> None:
    assert expected_tables(report, given_) == tables


def test_switches_and_near_names() -> None:
    assert parameters.switches(PROVISIONING)["group_membership"] == "group_membership"
    assert parameters.switches("a_vendor_report") == {}
    assert near("q", ["enrollment_term_id"]) == ""


@pytest.mark.parametrize("value", ["false", "", 0, "0", "no", [], True])
def test_canvas_reads_created_by_sis_as_on_unless_it_is_null_or_false(value: object) -> None:
    on = canonical(PROVISIONING, {"users": True, "created_by_sis": True})
    assert canonical(PROVISIONING, {"users": "true", "created_by_sis": value}) == on
    for off in (None, False):
        assert canonical(PROVISIONING, {"users": "1", "created_by_sis": off}) == {"users": True}


@pytest.mark.parametrize(
    ("stored", "read"),
    [
        ("active,invited", ["active", "invited"]),
        ("active, invited", ["active"]),  # Canvas keeps the space, so it does not recognize the second word
        ("Active", []),
        (["active", "nope"], ["active"]),
    ],
)
def test_a_list_is_compared_as_canvas_reads_it(stored: object, read: list[str]) -> None:
    assert canonical(PROVISIONING, {"enrollment_states": stored}) == {"enrollment_states": read}


@pytest.mark.parametrize(
    ("value", "on"), [("2", True), ("abc", False), (1.5, False), ([1], False), (3, True)]
)
def test_a_switch_is_compared_as_canvas_reads_it(value: object, on: bool) -> None:
    assert canonical(GRADES, {"include_deleted": value}) == ({"include_deleted": True} if on else {})


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"include_sections": True}, {"include_groups": True}),
        ({"from": "2026-01-01", "to": "2026-02-01"}, {"from": "2026-02-01", "to": "2026-01-01"}),
        ("Doe, Jane", "Jane, Doe"),
        (["a,b"], ["a", "b"]),
        (["a", "b"], ["b", "a"]),
        (True, False),
    ],
)
def test_values_of_unknown_reports_are_compared_exactly(one: object, other: object) -> None:
    assert canonical("a_vendor_report", {"p": one}) != canonical("a_vendor_report", {"p": other})


def test_checked_values_are_those_sent_and_compared() -> None:
    asked = {"users": "yes", "enrollment_states": "Active, invited", "created_by_sis": "no"}
    wire = read_parameters(PROVISIONING, asked)
    assert wire == {"users": True, "enrollment_states": ["active", "invited"]}
    assert canonical(PROVISIONING, wire) == wire
