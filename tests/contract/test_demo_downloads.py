"""Getting the file of a run."""

import csv
import io
import zipfile
from urllib.parse import urlsplit

import pytest
import requests


def finished(caller, report="zero_activity_csv", **parameters):
    body = caller.show(caller.start(report, **parameters))
    assert body["status"] == "complete", body
    return body


def test_a_lone_csv_and_its_name(demo):
    caller = demo()
    body = finished(caller)
    attachment = body["attachment"]
    reply = caller.get(attachment["url"])
    assert attachment["content-type"] == reply.headers["content-type"] == "text/csv"
    assert len(reply.content) == attachment["size"] == int(reply.headers["content-length"])
    assert attachment["filename"].startswith(f"zero_activity_csv_02_Mar_2026_{body['id']}20260302-")
    assert attachment["filename"] in reply.headers["content-disposition"]
    assert body["current_line"] == len(list(csv.reader(io.StringIO(reply.text))))
    assert caller.get(body["file_url"]).content == reply.content


def test_every_listed_report_can_be_downloaded(demo):
    caller = demo()
    switches = dict.fromkeys(("users", "enrollments"), "1")
    for item in caller.reports().json():
        attachment = finished(caller, item["report"], **switches)["attachment"]
        reply = caller.get(attachment["url"])
        assert reply.ok
        assert len(reply.content) == attachment["size"]
        assert zipfile.is_zipfile(io.BytesIO(reply.content)) == attachment["filename"].endswith(".zip")


def test_several_tables_come_as_a_zip(demo):
    caller = demo()
    body = finished(caller, "provisioning_csv", users=True, accounts="true")
    reply = caller.get(body["attachment"]["url"])
    assert reply.headers["content-type"] == "application/zip"
    assert body["attachment"]["filename"] == f"provisioning_csv_02_Mar_2026_{body['id']}.zip"
    with zipfile.ZipFile(io.BytesIO(reply.content)) as archive:
        assert archive.namelist() == ["users.csv", "accounts.csv"]
        assert archive.testzip() is None


def test_the_token_stays_on_the_canvas_host(demo):
    caller = demo()
    attachment = finished(caller)["attachment"]
    first = caller.get(attachment["url"], allow_redirects=False)
    link = first.headers["Location"]
    assert first.status_code == 302
    assert urlsplit(link).netloc != urlsplit(caller.server.url).netloc
    assert caller.get(attachment["url"]).ok, "requests drops the header on the way"
    assert requests.get(link, headers=caller.headers, timeout=60).status_code == 400
    assert caller.server.log[-1].status == 400


def test_a_link_lives_a_minute(demo):
    caller = demo()
    link = caller.get(finished(caller)["attachment"]["url"], allow_redirects=False).headers["Location"]
    caller.server.clock.advance(59)
    assert requests.get(link, timeout=60).status_code == 200
    caller.server.clock.advance(2)
    assert requests.get(link, timeout=60).status_code == 403
    assert requests.get(link[:-1] + ("0" if link[-1] != "0" else "1"), timeout=60).status_code == 403


def test_ranges(demo):
    caller = demo()
    url = finished(caller)["attachment"]["url"]
    whole = caller.get(url)
    part = caller.get(url, headers={"Range": "bytes=10-"})
    assert (part.status_code, part.content) == (206, whole.content[10:])
    same = {"Range": "bytes=10-", "If-Range": whole.headers["ETag"]}
    assert caller.get(url, headers=same).status_code == 206
    assert caller.get(url, headers={**same, "If-Range": '"other"'}).status_code == 200
    assert caller.get(url, headers={"Range": "bytes=99999999-"}).status_code == 416


@pytest.mark.parametrize("key", ["file_url", "url"])
def test_without_a_token_the_login_page_is_sent(demo, key):
    caller = demo()
    body = finished(caller)
    url = body.get(key) or body["attachment"][key]
    reply = requests.get(url, timeout=60)
    assert (reply.status_code, reply.history[0].status_code) == (200, 302)
    assert reply.url.endswith("/login")
    assert reply.headers["content-type"].startswith("text/html")
    as_json = requests.get(url, headers={"Accept": "application/json"}, timeout=60)
    assert (as_json.status_code, as_json.json()["status"]) == (401, "unauthenticated")


def test_old_servers_accept_a_verifier_and_otherwise_need_a_browser(demo):
    caller = demo(old=True)
    body = finished(caller)
    assert requests.get(body["attachment"]["url"], timeout=60).headers["content-type"] == "text/csv"
    assert caller.get(body["file_url"]).headers["content-type"].startswith("text/html")


def test_the_file_of_a_deleted_run_is_kept(demo):
    caller = demo()
    body = finished(caller)
    caller.server.clock.advance(5)
    deleted = caller.reports(f"/{body['report']}/{body['id']}", "DELETE").json()
    assert deleted["attachment"]["id"] == body["attachment"]["id"]
    assert caller.get(body["attachment"]["url"]).ok
