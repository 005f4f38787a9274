"""The API calls of one account: odd items of a list, foreign answers, and what an error suggests."""

from collections.abc import Iterator
from typing import Any

import pytest

from canvas_reports_nb.canvas_api.client import AccountReports
from canvas_reports_nb.exceptions import (
    AuthenticationError,
    NotPermittedError,
    ParameterError,
    UnexpectedAnswerError,
    UnknownReportError,
)

GRADES = "grade_export_csv"


class Answering:
    """A transport that responds the same to every request, or raises."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer

    def json(self, *_: Any, **__: Any) -> Any:
        return self.answer

    def pages(self, *_: Any, **__: Any) -> Iterator[Any]:
        if isinstance(self.answer, Exception):
            raise self.answer
        yield self.answer


def api(answer: Any) -> AccountReports:
    return AccountReports(Answering(answer), "self")  # type: ignore[arg-type]


ODD = [None, 7, "text", [], {}, {"id": "x"}, {"id": 7}, {"report": 7}, {"id": None, "status": "complete"}]


@pytest.mark.parametrize("odd", ODD, ids=repr)
def test_one_report_is_read_without_the_others(odd: Any) -> None:
    client = api([odd, {"report": "x", "parameters": odd}, {"report": GRADES, "parameters": {"a": odd}}])
    assert [offer.report for offer in client.available(only=GRADES)] == [GRADES]
    assert client.available(only="none") == []
    assert client.offered[GRADES] == ("a",)


@pytest.mark.parametrize("odd", ODD, ids=repr)
def test_one_invalid_item_does_not_hide_the_others(odd: Any) -> None:
    offers = api([odd, {"report": GRADES, "last_run": odd}]).available()
    assert [(offer.report, offer.last_run) for offer in offers] == [(GRADES, None)]
    good = {"id": 8, "report": GRADES, "status": "complete"}
    assert [run.id for run in api([odd, good]).index(GRADES)] == [8]
    terms = api({"enrollment_terms": [odd, {"id": 12, "name": "Fall"}]}).terms()
    assert [term["id"] for term in terms if term.get("name")] == [12]
    assert all(str(term["id"]).isdecimal() for term in terms)


@pytest.mark.parametrize("call", ["show", "delete", "abort"])
@pytest.mark.parametrize(
    "answer", [{"id": 9}, {"report": "provisioning_csv"}], ids=["another run", "another report"]
)
def test_a_response_to_another_request_is_an_error(call: str, answer: dict[str, Any]) -> None:
    asked = {"id": 8, "report": GRADES, "status": "complete"}
    assert getattr(api(asked), call)(GRADES, "8").id == 8
    with pytest.raises(UnexpectedAnswerError, match="instead of"):
        getattr(api(asked | answer), call)(GRADES, 8)


@pytest.mark.parametrize(
    ("account", "theirs", "is_right"),
    [
        ("7", "7", True),
        ("7", "10000000000007", True),  # the same account, as a hosted Canvas may write it
        ("12~34", "34", True),
        ("self", "1", True),
        ("sis_account_id:ENG", "7", True),
        ("7", "8", False),
        ("7", "1", False),
        ("10000000000007", "8", False),
    ],
)
def test_a_response_about_another_account_is_an_error(account: str, theirs: str, *, is_right: bool) -> None:
    url = f"https://canvas.example.edu/accounts/{theirs}/files/9/download"
    run = {"id": 8, "report": GRADES, "status": "complete", "file_url": url}
    one = AccountReports(Answering(run), account)  # type: ignore[arg-type]
    many = AccountReports(Answering([run]), account)  # type: ignore[arg-type]
    about = AccountReports(Answering({"id": int(theirs)}), account)  # type: ignore[arg-type]
    assert [each.id for each in many.index(GRADES)] == [8] * is_right
    for call in (lambda: one.show(GRADES, 8), lambda: one.start(GRADES, {}), about.about):
        if is_right:
            call()
        else:
            with pytest.raises(UnexpectedAnswerError, match=f"account {theirs} instead of {account}"):
                call()


def test_a_started_run_of_another_report_is_an_error() -> None:
    with pytest.raises(UnexpectedAnswerError, match="instead of 'grade_export_csv'"):
        api({"id": 8, "report": "provisioning_csv", "status": "created"}).start(GRADES, {})


def test_runs_of_another_report_are_not_in_the_list() -> None:
    runs = [
        {"id": n, "report": name, "status": "complete"} for n, name in enumerate((GRADES, "other_csv", ""))
    ]
    assert [run.id for run in api(runs).index(GRADES)] == [0, 2]


@pytest.mark.parametrize(
    "refused", [NotPermittedError("no"), ParameterError("Terms only belong to root_accounts.")]
)
def test_terms_that_may_not_be_listed(refused: Exception) -> None:
    with pytest.raises(NotPermittedError) as caught:
        api(refused).terms()
    assert "Canvas id" in str(caught.value)
    assert "sis_term_id:X" in str(caught.value)
    assert "Reports - manage" not in str(caught.value)


def test_a_token_without_the_scope_of_the_terms() -> None:
    lists = {"accounts/self/terms": AuthenticationError("no scope"), "accounts/self/reports": []}
    with pytest.raises(NotPermittedError, match="may not list the terms"):
        api_of(lists).terms()
    with pytest.raises(AuthenticationError, match="expired"):
        api(AuthenticationError("expired")).terms()


@pytest.mark.parametrize("account", ["self", "7"])
def test_terms_from_the_form_of_a_report(account: str) -> None:
    form = '<select name="parameters[enrollment_term_id]"><option value="12">Fall</option></select>'
    lists = {
        "accounts/7": {"id": 7, "root_account_id": 1},
        "accounts/self/terms": NotPermittedError("no"),
        "accounts/1/terms": NotPermittedError("no"),
        f"accounts/{account}/reports": [
            {"report": "lti_report_csv"},
            {"report": GRADES, "parameters_html": form},
        ],
    }
    assert api_of(lists, account).terms() == [{"id": 12, "name": "Fall"}]


def test_the_root_account_may_keep_the_files_of_its_sub_accounts() -> None:
    run = {"id": 8, "report": GRADES, "status": "complete"}
    lists: dict[str, Any] = {"accounts/7": {"id": 7, "root_account_id": 1}}
    for keeper in (1, 7):
        lists[f"accounts/7/reports/{GRADES}/8"] = run | {"file_url": f"/accounts/{keeper}/files/9/download"}
        assert api_of(lists, "7").show(GRADES, 8).id == 8
    lists[f"accounts/7/reports/{GRADES}/8"] = run | {"file_url": "/accounts/2/files/9/download"}
    with pytest.raises(UnexpectedAnswerError, match="account 2 instead of 7"):
        api_of(lists, "7").show(GRADES, 8)


class Lists(Answering):
    """A transport with one response, or error, per path."""

    def pages(self, path: str, **_: Any) -> Iterator[Any]:
        answer = self.answer[path]
        if isinstance(answer, Exception):
            raise answer
        yield answer

    def json(self, _method: str, path: str, **_: Any) -> Any:
        return next(self.pages(path))


def test_accounts_below_that_may_not_be_listed() -> None:
    refused = NotPermittedError("no")
    lists = {"accounts/self": {"id": 1}, "accounts/1/sub_accounts": refused}
    with pytest.raises(NotPermittedError, match="may not list the accounts"):
        api_of(lists).accounts()
    with pytest.raises(NotPermittedError, match="may not list the accounts"):
        api_of({"accounts/self": refused, "accounts": []}).accounts()


def test_nested_accounts_of_one_admin_are_listed_once() -> None:
    lists = {
        "accounts/self": NotPermittedError("no"),
        "accounts": [{"id": 7}, *ODD, {"id": 9}, {"id": "10"}],
        "accounts/7/sub_accounts": [{"id": 8}, None, {"id": 9}],
        "accounts/10/sub_accounts": [],
    }
    assert [int(each["id"]) for each in api_of(lists).accounts()] == [7, 8, 9, 10]


def api_of(lists: dict[str, Any], account: str = "self") -> AccountReports:
    return AccountReports(Lists(lists), account)  # type: ignore[arg-type]


def test_a_described_report_has_every_parameter() -> None:
    form = '<input name="parameters[enrollment_term]"><select name="parameters[roles][]"></select>'
    listed = {"enrollment_term_id": {"required": True, "description": "Our terms"}, "include_deleted": None}
    lists = {"accounts/self/reports": [{"report": GRADES, "parameters": listed, "parameters_html": form}]}
    found = api_of(lists).describe(GRADES).parameters
    assert list(found) == ["enrollment_term_id", "include_deleted", "limiting_period", "roles"]
    assert found["enrollment_term_id"].description == "Our terms"
    assert found["enrollment_term_id"].required
    assert found["include_deleted"].description
    assert found["roles"].description is None


@pytest.mark.parametrize("title", ["Student Competency", " student competency "])
def test_a_title_instead_of_a_name(title: str) -> None:
    offers = api([{"report": "outcome_export_csv", "title": "Outcomes"}]).available()
    offers += api(
        [{"report": "student_assignment_outcome_map_csv", "title": "Student Competency"}]
    ).available()
    error = api([]).not_offered(title, offers)
    assert isinstance(error, UnknownReportError)
    assert "Did you mean 'student_assignment_outcome_map_csv'?" in str(error)
