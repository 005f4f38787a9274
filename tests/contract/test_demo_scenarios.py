"""Scenarios of the demo Canvas, and the faults that the tests inject into it."""

import pytest
import requests

from canvas_reports_nb import demo_canvas
from tests.faults import choose


def finished(caller):
    return caller.show(caller.start("zero_activity_csv"))


def test_an_unknown_scenario_is_named_with_the_known_ones(demo):
    with pytest.raises(ValueError, match=r"Unknown scenario trottle.*throttle_403"):
        demo(scenarios=["trottle"])


@pytest.mark.parametrize("status", [403, 429])
def test_the_throttle_refuses_and_recovers(demo, status):
    caller = demo(scenarios=[f"throttle_{status}"])
    replies = [caller.reports() for _ in range(12)]
    good = [reply for reply in replies if reply.ok]
    refused = replies[-1]
    assert 0 < len(good) < 12
    levels = [float(reply.headers["X-Rate-Limit-Remaining"]) for reply in good]
    assert levels == sorted(levels, reverse=True)
    assert all(float(reply.headers["X-Request-Cost"]) > 0 for reply in good)
    assert refused.status_code == status
    assert refused.text.endswith("(Rate Limit Exceeded)\n")
    assert refused.headers["X-Rate-Limit-Remaining"] == "0.0"
    assert not {"X-Request-Cost", "Retry-After"} & set(refused.headers)
    caller.server.clock.advance(30)
    assert caller.reports().ok


@pytest.mark.parametrize(
    ("scenario", "old", "status"),
    [("no_permission", False, 403), ("no_permission", True, 401), ("expired_token", False, 401)],
)
def test_refusals(demo, scenario, old, status):
    reply = demo(scenarios=[scenario], old=old).reports()
    assert reply.status_code == status
    assert reply.json()["errors"][0]["message"]
    assert ("WWW-Authenticate" in reply.headers) == (scenario == "expired_token")


def test_passing_faults(demo):
    caller = demo(scenarios=["server_error"])
    assert [caller.reports().status_code for _ in range(5)] == [500, 500, 500, 200, 200]
    caller = demo(scenarios=["bad_gateway"])
    replies = [caller.reports() for _ in range(3)]
    assert [reply.status_code for reply in replies] == [502, 502, 200]
    assert replies[0].headers["content-type"].startswith("text/html")
    assert caller.get("api/v1/users/self").status_code == 502


def test_an_unknown_state_is_shown_for_half_the_run(demo):
    caller = demo(scenarios=["unknown_state"], duration=600)
    run = caller.start()
    seen = []
    for seconds in (2, 400, 400):
        caller.server.clock.advance(seconds)
        seen.append(caller.show(run)["status"])
    assert seen == ["postprocessing", "running", "complete"]


def test_every_run_fails(demo):
    body = finished(demo(scenarios=["fails"]))
    assert body["status"] == "error"
    assert "ErrorReport:" in body["parameters"]["extra_text"]


@pytest.mark.parametrize(("scenario", "lines"), [("one_cell", [b"No outcomes found"]), ("no_rows", None)])
def test_small_files(demo, scenario, lines):
    caller = demo(scenarios=[scenario])
    content = caller.get(finished(caller)["attachment"]["url"]).content.splitlines()
    assert len(content) == 1
    assert lines is None or content == lines


def test_a_truncated_body_can_be_resumed(demo):
    caller = demo(scenarios=["truncated"])
    attachment = finished(caller)["attachment"]
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        caller.get(attachment["url"])
    half = attachment["size"] // 2
    rest = caller.get(attachment["url"], headers={"Range": f"bytes={half}-"})
    assert (rest.status_code, len(rest.content)) == (206, attachment["size"] - half)


def test_download_faults(demo):
    caller = demo(scenarios=["expired_link"])
    url = finished(caller)["attachment"]["url"]
    assert [caller.get(url).status_code for _ in range(2)] == [403, 200]
    caller = demo(scenarios=["login_page"])
    reply = caller.get(finished(caller)["attachment"]["url"])
    assert (reply.status_code, reply.headers["content-type"]) == (200, "text/html; charset=utf-8")


@pytest.mark.parametrize(("times", "failing"), [("", 1), ("*2", 2), ("*", 4)])
def test_a_fault_hits_as_many_calls_as_its_name_says(demo, times, failing):
    caller = demo(scenarios=[f"http_503_retry@list{times}"])
    replies = [caller.reports() for _ in range(4)]
    assert [reply.status_code for reply in replies] == [503] * failing + [200] * (4 - failing)
    assert "GMT" in replies[0].headers["Retry-After"]
    assert caller.get("api/v1/users/self").ok
    assert [record.status for record in caller.server.log][:4] == [reply.status_code for reply in replies]


@pytest.mark.parametrize(("fault", "made"), [("reset_before", 0), ("reset_unanswered", 1)])
def test_a_broken_connection(demo, fault, made):
    caller = demo(scenarios=[f"{fault}@start"])
    with pytest.raises(requests.ConnectionError):
        caller.start("zero_activity_csv")
    assert len(caller.reports("/zero_activity_csv").json()) == made


def test_the_same_seed_draws_the_same_faults():
    drawn = [choose(f"schedule:{seed}") for seed in (*range(20), *range(20))]
    assert drawn[:20] == drawn[20:]
    assert len(set(drawn)) > 10


@pytest.mark.parametrize("name", ["reset_before@nowhere", "nothing@show", "schedule:x", "cut@file*x", "cut@"])
def test_an_unknown_fault_is_refused(name):
    with pytest.raises(ValueError, match=r"Unknown fault .*schedule:SEED.*reset_before.*delete"):
        choose(name)


def test_ids_as_text_unrequested(demo):
    assert finished(demo(scenarios=["string_ids"]))["id"] == "81234"


def test_closing_is_quick_final_and_repeatable():
    server = demo_canvas.serve(enrollments=300)
    url = server.url
    with requests.Session() as kept_alive, server:
        assert kept_alive.get(f"{url}/login", timeout=60).ok
    server.close()
    with pytest.raises(requests.ConnectionError):
        requests.get(url, timeout=1)
    assert "closed" in repr(server)
