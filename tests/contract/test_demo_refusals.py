"""What the demo refuses, as Canvas does: by role, by token, by scope, by permission."""

import pytest

NOT_PERMITTED = {
    "status": "unauthorized",
    "errors": [{"message": "user not authorized to perform that action"}],
}
REPORTS = "api/v1/accounts/{}/reports"


@pytest.mark.parametrize(("administers", "account", "call", "status"), [
    (1, "1", "", 200), (1, "self", "", 200), (1, "11", "", 200), (1, "1", "/terms", 200), (1, "self", "/terms", 200),
    (1, "7", "/terms", 400), (1, "999", "/terms", 404), (1, "7", "/reports", 200), (1, "7", "/sub_accounts", 200),
    (7, "7", "", 200), (7, "11", "", 200), (7, "1", "", 403), (7, "self", "", 403), (7, "9", "", 403),
    (7, "1", "/terms", 200), (7, "self", "/terms", 200), (7, "7", "/terms", 400),
    (7, "7", "/reports", 200), (7, "11", "/reports", 200), (7, "1", "/reports", 403), (7, "9", "/reports", 403),
    (7, "self", "/reports", 403), (7, "7", "/sub_accounts", 200), (7, "1", "/sub_accounts", 403),
])  # fmt: skip
def test_who_may_ask_what(*, demo, administers, account, call, status):
    reply = demo(administers=administers).get(f"api/v1/accounts/{account}{call}")
    assert reply.status_code == status
    if status == 403:
        assert reply.json() == NOT_PERMITTED
    if status == 400:
        assert reply.json() == {"message": "Terms only belong to root_accounts."}


def test_older_servers_send_401_without_a_permission(demo):
    assert demo(administers=7, old=True).get("api/v1/accounts/1").status_code == 401


def test_a_sub_account_admin_lists_that_account_and_sees_no_sis_ids(demo):
    caller = demo(administers=7)
    assert [item["id"] for item in caller.get("api/v1/accounts").json()] == [7]
    assert "sis_account_id" not in caller.get("api/v1/accounts/7").json()
    terms = caller.get("api/v1/accounts/1/terms").json()["enrollment_terms"]
    assert not any("sis_term_id" in term for term in terms)
    root = demo()
    assert root.get("api/v1/accounts/7").json()["sis_account_id"] == "ENG"
    assert "sis_account_id" not in root.get("api/v1/accounts/1").json()
    terms = root.get("api/v1/accounts/1/terms").json()["enrollment_terms"]
    assert {"FA25", None} <= {term["sis_term_id"] for term in terms}


def test_the_account_names_its_root(demo):
    caller = demo()
    child, root = (caller.get(f"api/v1/accounts/{number}").json() for number in (11, 1))
    assert (child["root_account_id"], child["parent_account_id"], root["root_account_id"]) == (1, 7, None)
    assert root["default_time_zone"] == "America/Denver"


@pytest.mark.parametrize(("asked", "states"), [
    ({}, {"active"}), ({"workflow_state[]": "deleted"}, {"deleted"}), ({"workflow_state[]": "all"}, {"active", "deleted"}),
    ({"workflow_state[]": "nonsense"}, {"active"}), ({"term_name": "fall"}, {"active"}),
])  # fmt: skip
def test_the_list_of_terms(demo, asked, states):
    terms = demo().get("api/v1/accounts/1/terms", params={"per_page": 50, **asked}).json()["enrollment_terms"]
    assert {term["workflow_state"] for term in terms} == states
    starts = [term["start_at"] for term in terms]
    known = [start for start in starts if start]
    assert starts == [None] * (len(starts) - len(known)) + sorted(known, reverse=True)
    assert all(start.endswith("Z") for start in known)
    assert all("fall" in term["name"].lower() for term in terms if "term_name" in asked)


def test_sub_accounts_of_any_depth_have_no_last_page(demo):
    caller = demo()
    direct = caller.get("api/v1/accounts/1/sub_accounts", params={"per_page": 2})
    tree = caller.get("api/v1/accounts/1/sub_accounts", params={"per_page": 2, "recursive": "true"})
    assert "last" in direct.links
    assert "last" not in tree.links
    names = [a["name"] for a in caller.get("api/v1/accounts/1/sub_accounts?order=name&per_page=50").json()]
    assert names == sorted(names)


@pytest.mark.parametrize(("scenario", "message", "challenge"), [
    ("expired_token", "Expired access token.", True), ("revoked_token", "Revoked access token.", True),
    ("insufficient_scopes", "Insufficient scopes on access token.", False),
    ("unverified", "Complete registration", False),
])  # fmt: skip
def test_refusals_of_a_token(demo, scenario, message, challenge):
    reply = demo(scenarios=[scenario]).reports()
    assert reply.status_code == 401
    assert reply.json()["errors"][0]["message"].startswith(message)
    assert ("WWW-Authenticate" in reply.headers) == challenge


@pytest.mark.parametrize("scenario", ["expired_token", "revoked_token"])
def test_older_servers_don_t_know_a_token_that_is_over(demo, scenario):
    reply = demo(scenarios=[scenario], old=True).reports()
    assert (reply.status_code, reply.json()) == (401, {"errors": [{"message": "Invalid access token."}]})


def test_other_refusals(demo):
    caller = demo()
    assert caller.get("api/v1/users/self?as_user_id=501").ok
    masked = caller.get("api/v1/users/self?as_user_id=9")
    assert (masked.status_code, masked.json()) == (401, {"errors": "Invalid as_user_id"})
    nobody = caller.get("api/v1/users/self", headers={"Authorization": ""})
    assert (nobody.status_code, nobody.json()["status"]) == (401, "unauthenticated")
    silent = caller.get("api/v1/users/self", headers={"User-Agent": ""})
    assert (silent.status_code, silent.text) == (403, "403 Forbidden\n")
    assert caller.get("api/v1/accounts/1/terms?page=x").status_code == 404
    denied = demo(administers=7).get("api/v1/accounts/1")
    assert (denied.json(), "no-store" in denied.headers["Cache-Control"]) == (NOT_PERMITTED, True)


def test_terms_without_their_scope(demo):
    caller = demo(scenarios=["no_terms_scope"])
    assert caller.get("api/v1/accounts/1/terms").status_code == 401
    assert caller.reports().ok


def test_a_short_lived_token_expires_in_the_middle_of_a_run(demo):
    caller = demo(scenarios=["short_lived_token"], duration=7_200)
    run = caller.start()
    caller.server.clock.advance(3_599)
    assert caller.show(run)["status"] == "running"
    caller.server.clock.advance(1)
    reply = caller.reports(f"/{run['report']}/{run['id']}")
    assert (reply.status_code, reply.json()["errors"][0]["message"]) == (401, "Invalid access token.")


def test_elevated_sign_in_refuses_reports_but_nothing_else(demo):
    caller = demo(scenarios=["elevated_sign_in"])
    refused = caller.reports()
    assert (refused.status_code, refused.json()) == (403, NOT_PERMITTED)
    assert caller.get("api/v1/users/self").ok
    assert caller.get("api/v1/accounts/1/terms").ok


def test_only_the_exact_word_bearer_carries_a_token(demo):
    caller = demo()
    assert caller.reports(headers={"Authorization": f"bearer {caller.server.token}"}).status_code == 401
    assert caller.reports().headers["X-Canvas-User-Id"] == "10000000000501"


def test_a_missing_file_permission(demo):
    caller = demo(scenarios=["no_file_permission"])
    body = caller.show(caller.start())
    assert body["status"] == "complete"
    assert (body["attachment"]["url"], body["attachment"]["locked_for_user"]) == ("", True)
    assert caller.get(body["file_url"]).status_code == 403


def test_a_missing_scope_for_the_download(demo):
    caller = demo(scenarios=["no_download_scope"])
    reply = caller.get(caller.show(caller.start())["attachment"]["url"])
    assert (reply.status_code, reply.json()["errors"][0]["message"]) == (
        401, "Insufficient scopes on access token.",
    )  # fmt: skip


def test_without_the_include_scope_the_forms_are_silently_missing(demo):
    caller = demo(scenarios=["no_include_scope"])
    items = caller.reports(params={"include[]": ["parameters_html", "description_html"]}).json()
    assert not any({"parameters_html", "description_html"} & set(item) for item in items)


def test_a_null_attachment_on_a_complete_run(demo):
    caller = demo(scenarios=["null_attachment"])
    body = caller.show(caller.start())
    assert (body["status"], body["attachment"]) == ("complete", None)
    assert "attachment" not in caller.start("unused_courses_csv")


@pytest.mark.parametrize(("first", "second", "status"), [
    ({"a": 1, "b": 2}, {"a": 1, "b": 2}, 409), ({"a": 1, "b": 2}, {"b": 2, "a": 1}, 200), ({"a": 1}, {"a": "1"}, 200),
    ({}, {}, 409), ({"a": 1}, {}, 200),
])  # fmt: skip
def test_duplicates_are_compared_as_stored_and_only_while_created(demo, first, second, status):
    caller = demo(duration=600)
    run = caller.start(**first)
    reply = caller.reports("/zero_activity_csv", "POST", json={"parameters": second})
    assert reply.status_code == status
    assert (reply.json()["id"] == run["id"]) == (status == 409)
    caller.server.clock.advance(30)
    assert caller.reports("/zero_activity_csv", "POST", json={"parameters": first}).status_code == 200


def test_a_run_that_waits_for_more_than_twelve_hours_is_no_duplicate(demo):
    caller = demo(duration=50_000)
    caller.start("unused_courses_csv")
    run = caller.start()
    caller.server.clock.advance(43_199)
    assert caller.reports("/zero_activity_csv", "POST").json()["id"] == run["id"]
    caller.server.clock.advance(1)
    assert caller.show(run)["status"] == "created"
    assert caller.reports("/zero_activity_csv", "POST").status_code == 200


def test_an_aborted_parallel_run_is_never_finalized(demo):
    caller = demo(duration=600)
    run = caller.start("grade_export_csv")
    caller.server.clock.advance(301)
    aborted = caller.reports(f"/grade_export_csv/{run['id']}/abort", "PUT").json()
    assert (aborted["status"], aborted["ended_at"], aborted["message"]) == ("aborted", None, None)
    assert 0 < aborted["progress"] < 100
    assert aborted["parameters"]["extra_text"] == "Term: All Terms;"
    caller.server.clock.advance(3_600)
    later = caller.show(run)
    assert (later["progress"], later["ended_at"]) == (aborted["progress"], None)
    assert later["run_time"] > aborted["run_time"] + 3_000


@pytest.mark.parametrize("state", ["complete", "aborted", "deleted"])
def test_a_run_that_is_over_cannot_be_aborted(demo, state):
    caller = demo(duration=600)
    run = caller.start()
    where = f"/{run['report']}/{run['id']}"
    caller.server.clock.advance(601 if state == "complete" else 10)
    if state != "complete":
        assert caller.reports(f"{where}/abort" if state == "aborted" else where,
                              "PUT" if state == "aborted" else "DELETE").ok  # fmt: skip
    assert caller.reports(f"{where}/abort", "PUT").status_code == 404
    assert caller.reports(where, "DELETE").status_code == (404 if state == "deleted" else 200)


@pytest.mark.parametrize("term", [["12"], "Fall 2025", "FA25", "sis_term_id:nope"])
def test_a_term_in_another_spelling_is_a_bad_request(demo, term):
    reply = demo().reports("/grade_export_csv", "POST", json={"parameters": {"enrollment_term_id": term}})
    printed = '["12"]' if term == ["12"] else term
    assert (reply.status_code, reply.json()) == (400, {"error": f"invalid enrollment_term_id '{printed}'"})


@pytest.mark.parametrize(("administers", "account"), [(1, "self"), (1, "1"), (1, "7"), (7, "7"), (7, "self")])
def test_our_client_reads_the_terms_of_the_root_account(canvas, administers, account):
    terms = canvas(administers=administers).account(account).api.terms()
    assert "Fall 2025" in {term["name"] for term in terms}
