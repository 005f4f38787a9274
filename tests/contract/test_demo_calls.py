"""The six calls, as any client sees them."""

import io

import canvasapi
import pytest
import requests

PARALLEL = "grade_export_csv"
NOT_FOUND = {"errors": [{"message": "The specified resource does not exist."}]}


def statuses(caller, runs):
    return [caller.show(run)["status"] for run in runs]


def test_a_run_passes_through_its_states(demo):
    caller = demo(duration=600)
    run = caller.start(PARALLEL)
    assert (run["status"], run["progress"], run["started_at"], run["message"]) == ("created", 0, None, None)
    assert "attachment" not in run
    seen = []
    for seconds in (0, 1, 240, 300, 60):
        caller.server.clock.advance(seconds)
        body = caller.show(run)
        seen.append((body["status"], body["progress"], "attachment" in body))
    assert seen == [
        ("created", 0, False),
        ("running", 0, False),
        ("running", 50, False),
        ("compiling", 0, False),
        ("complete", 100, True),
    ]
    assert body["created_at"] == "2026-03-02T09:14:07-07:00"
    assert body["started_at"] == "2026-03-02T09:14:08-07:00"
    assert body["ended_at"] == "2026-03-02T09:24:08-07:00"
    assert body["attachment"]["created_at"] == "2026-03-02T16:24:08Z"
    assert body["run_time"] == 600
    assert body["parameters"]["locale"] == "en"
    assert body["message"].startswith("Grade Export report successfully generated")


def test_every_response_has_the_date_of_the_demos_own_clock(demo):
    caller = demo()
    assert caller.reports().headers["Date"] == "Mon, 02 Mar 2026 16:14:07 GMT"
    caller.server.clock.advance(3_600)
    assert caller.reports("/unknown/1").headers["Date"] == "Mon, 02 Mar 2026 17:14:07 GMT"


def test_most_reports_show_no_progress_until_the_end(demo):
    caller = demo(duration=600)
    run = caller.start("zero_activity_csv")
    caller.server.clock.advance(590)
    assert caller.show(run)["progress"] == 0
    caller.server.clock.advance(20)
    assert caller.show(run)["progress"] == 100


@pytest.mark.parametrize(
    ("width", "expected"),
    [(1, ["running", "created", "created"]), (2, ["running", "running", "created"])],
)
def test_runs_of_one_school_queue(demo, width, expected):
    caller = demo(duration=600, width=width)
    runs = [caller.start(name) for name in (PARALLEL, "zero_activity_csv", "unused_courses_csv")]
    caller.server.clock.advance(300)
    assert statuses(caller, runs) == expected
    caller.server.clock.advance(1900)
    assert statuses(caller, runs) == ["complete"] * 3


def test_without_a_duration_a_run_takes_a_moment(demo):
    caller = demo(duration=None)
    run = caller.start()
    caller.server.clock.advance(1)
    assert caller.show(run)["status"] == "running"
    caller.server.clock.advance(60)
    assert 2.5 <= caller.show(run)["run_time"] < 4


def test_a_duplicate_gets_409_until_the_run_has_started(demo):
    caller = demo(duration=600)
    first = caller.start(PARALLEL, enrollment_term_id="1")
    again = caller.reports(f"/{PARALLEL}", "POST", json={"parameters": {"enrollment_term_id": "1"}})
    assert (again.status_code, again.json()["id"]) == (409, first["id"])
    assert (
        requests.get(again.headers["Location"], headers=caller.headers, timeout=60).json()["id"]
        == first["id"]
    )
    assert caller.start(PARALLEL, enrollment_term_id="1", include_deleted=True)["id"] != first["id"]
    caller.server.clock.advance(2)
    assert caller.start(PARALLEL, enrollment_term_id="1")["id"] != first["id"]


def test_old_servers_queue_duplicates_and_lack_fields(demo):
    caller = demo(duration=600, old=True)
    first, second = caller.start(), caller.start()
    assert first["id"] != second["id"]
    assert not {"run_time", "message", "user"} & set(first)
    assert caller.reports(f"/zero_activity_csv/{first['id']}/abort", "PUT").status_code == 404


@pytest.mark.parametrize(
    "body",
    [
        {"data": {"parameters[users]": "1", "parameters[kinds][]": ["a", "b"]}},
        {"files": [("parameters[users]", (None, "1")), *[("parameters[kinds][]", (None, x)) for x in "ab"]]},
        {"json": {"parameters": {"users": "1", "kinds": ["a", "b"]}}},
    ],
    ids=["form", "multipart", "json"],
)
def test_parameters_arrive_in_every_encoding(demo, body):
    run = demo(duration=600).reports("/provisioning_csv", "POST", **body).json()
    assert run["parameters"] == {"users": "1", "kinds": ["a", "b"]}


def test_json_values_keep_their_types(demo):
    sent = {"enrollment_term_id": 1, "include_deleted": True}
    assert demo(duration=600).start(PARALLEL, **sent)["parameters"] == sent


@pytest.mark.parametrize(
    ("term", "status"),
    [("1", 200), ("", 200), ("active_terms", 200), ("999999,1", 200), ("999999", 400), ("x", 400)],
)
@pytest.mark.parametrize("name", ["enrollment_term_id", "enrollment_term"])
def test_the_term_is_checked(demo, term, status, name):
    reply = demo(duration=600).reports(f"/{PARALLEL}", "POST", json={"parameters": {name: term}})
    assert reply.status_code == status
    if status == 400:
        assert reply.json() == {"error": f"invalid enrollment_term_id '{term}'"}


def test_old_servers_accept_an_unknown_term_and_then_fail(demo):
    caller = demo(old=True)
    assert caller.show(caller.start(PARALLEL, enrollment_term_id="Fall 2025"))["status"] == "error"


def test_abort_and_delete(demo):
    caller = demo(duration=600)
    runs = [caller.start(name) for name in ("zero_activity_csv", "unused_courses_csv", PARALLEL)]
    paths = [f"/{run['report']}/{run['id']}" for run in runs]
    caller.server.clock.advance(10)
    aborted = caller.reports(f"{paths[0]}/abort", "PUT").json()
    assert (aborted["status"], aborted["progress"], aborted["run_time"]) == ("aborted", 100, 9)
    assert aborted["message"] == "Generating the report, Zero Activity CSV, stopped."
    assert aborted["parameters"]["extra_text"] == "Report has been aborted"
    assert caller.reports(f"{paths[0]}/abort", "PUT").json() == NOT_FOUND
    assert caller.show(runs[1])["status"] == "running", "the queue is free again"
    assert caller.reports(paths[2], "DELETE").json()["status"] == "deleted"
    assert caller.reports(paths[2], "DELETE").status_code == 404
    assert caller.reports(paths[2]).json() == NOT_FOUND
    assert caller.reports(f"/{PARALLEL}").json() == []
    caller.server.clock.advance(700)
    assert caller.reports(f"{paths[1]}/abort", "PUT").status_code == 404
    assert caller.show(runs[1])["status"] == "complete"


def test_a_run_without_a_file_switch_ends_in_error(demo):
    caller = demo()
    body = caller.show(caller.start("provisioning_csv"))
    assert (body["status"], body["progress"], body["file_url"]) == ("error", 100, None)
    assert "attachment" not in body
    text = "Failed, the report failed to generate a file. Please try again."
    assert body["parameters"]["extra_text"] == text
    assert body["message"] == "Generating the report, Provisioning CSV, failed."


@pytest.mark.parametrize(("report", "parameters", "message"), [
    ("lti_report_csv", {}, ("LTI Report report successfully generated with the following settings. "
     "Account: Meridian University; ")),
    ("unused_courses_csv", {"enrollment_term_id": 12}, ("Unused Courses report successfully generated with the "
     "following settings. Account: Meridian University; Term: Fall 2025;")),
    ("zero_activity_csv", {"course_id": "nowhere"}, "Generating the report, Zero Activity CSV, failed."),
    ("mgp_grade_export_csv", {"enrollment_term_id": "active_terms"},
     "Generating the report, Mgp Grade Export CSV, failed."),
])  # fmt: skip
def test_the_message_and_text_of_a_run_that_is_over(demo, report, parameters, message):
    caller = demo()
    body = caller.show(caller.start(report, **parameters))
    assert body["message"] == message
    text = body["parameters"].get("extra_text")
    if message.endswith("failed."):
        code = f"ErrorReport:{body['id']};"
        assert text == f"Failed, please report the following error code to your system administrator: {code}"
    else:
        assert message.endswith(f"University; {text or ''}")


def test_the_list_of_reports(demo):
    caller = demo()
    plain = caller.reports()
    assert "Link" not in plain.headers
    items = plain.json()
    assert [item["title"] for item in items] == sorted(item["title"] for item in items)
    assert len(items) == 20
    assert not any({"description_html", "parameters_html"} & set(item) for item in items)
    run = caller.start("zero_activity_csv")
    asked = {"include[]": ["description_html", "parameters_html"]}
    by_name = {item["report"]: item for item in caller.reports(params=asked).json()}
    assert by_name["zero_activity_csv"]["last_run"]["id"] == run["id"]
    assert "zero_activity_csv_form" in by_name["zero_activity_csv"]["parameters_html"]


@pytest.mark.token_in_address
def test_index_walks_by_link_headers(demo):
    caller = demo()
    runs = [caller.start("zero_activity_csv", n=n)["id"] for n in range(7)]
    reply = caller.reports("/zero_activity_csv", params={"per_page": 3, "access_token": caller.server.token})
    assert caller.server.token not in reply.headers["Link"]
    seen = [run["id"] for run in reply.json()]
    while "next" in reply.links:
        reply = caller.get(reply.links["next"]["url"])
        seen += [run["id"] for run in reply.json()]
    assert seen == runs[::-1]
    assert set(reply.links) == {"current", "prev", "first", "last"}
    assert caller.reports("/zero_activity_csv", params={"page": 99}).json() == []
    assert caller.reports("/zero_activity_csv", params={"page": "x"}).status_code == 404
    assert caller.reports("/no_such_csv").json() == []


@pytest.mark.parametrize(("old", "largest"), [(False, 100), (True, 50)])
def test_pages_are_clamped(demo, old, largest):
    reply = demo(old=old).get("api/v1/accounts/1/terms", params={"per_page": 1_000})
    assert reply.links["current"]["url"].endswith(f"page=1&per_page={largest}")


def test_a_sub_account_has_its_own_runs(demo):
    caller = demo()
    child = caller.get("api/v1/accounts/self/sub_accounts").json()[0]
    assert child["parent_account_id"] == 1
    where = f"api/v1/accounts/{child['id']}/reports/unused_courses_csv"
    run = caller.post(where).json()
    assert [past["id"] for past in caller.get(where).json()] == [run["id"]]
    assert caller.reports("/unused_courses_csv").json() == []
    assert caller.reports(f"/unused_courses_csv/{run['id']}").status_code == 404
    file_url = caller.get(where).json()[0]["file_url"]
    assert f"/accounts/{child['id']}/files/" in file_url


def test_a_course(demo):
    caller = demo()
    assert caller.get("api/v1/courses/501").json()["sis_course_id"] == "00123"
    assert caller.get("api/v1/courses/999999999").status_code == 404


@pytest.mark.parametrize(
    ("method", "path", "status", "body"),
    [
        ("GET", "accounts/999999/reports", 404, NOT_FOUND),
        ("POST", "accounts/1/reports/no_such_csv", 404, NOT_FOUND),
        ("GET", "accounts/1/reports/zero_activity_csv/1", 404, NOT_FOUND),
        ("GET", "nothing/here", 404, NOT_FOUND),
        ("GET", "accounts/self", 200, None),
        ("GET", "accounts/hex:sis_account_id:zz", 404, NOT_FOUND),
        ("GET", "users/self", 200, None),
    ],
)
def test_paths(demo, method, path, status, body):
    reply = demo().request(method, f"api/v1/{path}")
    assert reply.status_code == status
    assert reply.headers["content-type"] == "application/json; charset=utf-8"
    assert body is None or reply.json() == body


@pytest.mark.parametrize("sent", [{"json": {"parameters": [1]}}, {"data": {"parameters": "text"}}])
def test_parameters_of_another_shape_are_a_server_error(demo, sent):
    reply = demo().reports("/zero_activity_csv", "POST", **sent)
    assert reply.status_code == 500
    assert reply.json()["errors"] == [
        {"message": "An error occurred.", "error_code": "internal_server_error"}
    ]


@pytest.mark.token_in_address
@pytest.mark.parametrize(
    ("headers", "status", "message"),
    [
        ({"Authorization": None}, 401, "user authorization required"),
        ({"Authorization": "Bearer wrong"}, 401, "Invalid access token."),
        ({"User-Agent": None}, 403, None),
    ],
)
def test_refused_credentials(demo, headers, status, message):
    caller = demo()
    if headers == {"User-Agent": None}:
        headers = {"User-Agent": ""}
    reply = caller.reports(headers=headers)
    assert reply.status_code == status
    if message:
        assert reply.headers["WWW-Authenticate"] == 'Bearer realm="canvas-lms"'
        assert reply.json()["errors"] == [{"message": message}]
        assert caller.reports(
            headers={"Authorization": None}, params={"access_token": caller.server.token}
        ).ok


def test_ids_as_text_on_request(demo):
    caller = demo(duration=600)
    run = caller.start(enrollment_term_id=1, course_ids=[1, 2])
    accept = {"Accept": "application/json+canvas-string-ids"}
    body = caller.reports(f"/zero_activity_csv/{run['id']}", headers=accept).json()
    assert (body["id"], body["user"]["id"], body["progress"]) == (str(run["id"]), "501", 0)
    assert body["user"]["display_name"] == "R. Quill"
    assert body["parameters"] == {"enrollment_term_id": "1", "course_ids": ["1", "2"]}


def test_terms_in_pages(demo):
    caller = demo()
    shown, url = [], "api/v1/accounts/1/terms?per_page=3"
    while url:
        reply = caller.get(url)
        shown += reply.json()["enrollment_terms"]
        url = reply.links.get("next", {}).get("url")
    everything = caller.get("api/v1/accounts/1/terms?per_page=100&workflow_state[]=all").json()[
        "enrollment_terms"
    ]
    assert {term["workflow_state"] for term in shown} == {"active"}
    assert {term["workflow_state"] for term in everything} == {"active", "deleted"}
    assert len(everything) > len(shown) > 3


def test_another_client_works_unchanged(demo):
    caller = demo()
    with pytest.warns(UserWarning, match="HTTP"):
        canvas = canvasapi.Canvas(caller.server.url, caller.server.token)
    account = canvas.get_account(1)
    assert PARALLEL in {report.report for report in account.get_reports()}
    run = account.create_report(PARALLEL, parameters={"enrollment_term_id": 1})
    assert account.get_report(PARALLEL, run.id).status == "complete"
    assert [past.id for past in account.get_index_of_reports(PARALLEL)] == [run.id]
    assert run.delete_report().status == "deleted"
    with pytest.raises(canvasapi.exceptions.ResourceDoesNotExist):
        account.get_report(PARALLEL, run.id)
    assert canvas.get_current_user().name == "R. Quill"


@pytest.mark.token_in_address
def test_the_log_holds_no_secret(demo):
    caller = demo()
    attachment = caller.show(caller.start())["attachment"]
    body = io.BytesIO(caller.get(attachment["url"]).content)
    caller.reports(params={"access_token": caller.server.token})
    log = caller.server.log
    assert [record.status for record in log] == [200, 200, 302, 200, 200]
    assert len({record.host for record in log}) == 2
    assert caller.server.token not in repr(log)
    assert len(body.getvalue()) == attachment["size"]


def test_a_window_is_stored_as_the_report_computed_it(demo):
    caller = demo(duration=60)
    report = "students_with_no_submissions_csv"
    run = caller.start(report, start_at="2025-01-01T00:00:00Z", end_at="2026-03-01T00:00:00Z")
    assert run["parameters"] == {"start_at": "2025-01-01T00:00:00Z", "end_at": "2026-03-01T00:00:00Z"}
    caller.server.clock.advance(5)
    begun = caller.show(run)
    assert begun["status"] == "running"
    window = {"start_at": "2026-02-15T00:00:00Z", "end_at": "2026-03-01T00:00:00Z"}
    assert begun["parameters"].items() >= window.items()
    caller.server.clock.advance(60)
    assert caller.show(run)["parameters"] == begun["parameters"]
