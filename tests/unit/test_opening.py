"""Connections open and close: which one is the newest, what stops with it, and what stays on disk."""

import gc
import subprocess
import sys
import threading
import traceback
from pathlib import Path
from typing import Any

import pytest

import canvas_reports_nb as crn
from canvas_reports_nb import opening
from canvas_reports_nb.exceptions import ConfigurationError

TINY = {"enrollments": 100}


def demo_threads() -> set[threading.Thread]:
    return {each for each in threading.enumerate() if each.name.startswith("demo-canvas")}


def added(before: set[threading.Thread]) -> int:
    gc.collect()
    return sum(each.is_alive() for each in demo_threads() - before)


def test_a_demo_stops_when_a_newer_one_takes_its_name() -> None:
    before = demo_threads()
    canvas = crn.demo(**TINY)
    canvas.reports()
    one = added(before)
    for _ in range(3):
        canvas = crn.demo(**TINY)
        canvas.reports()
    assert added(before) == one > 0
    canvas.close()
    assert added(before) == 0


def test_the_newest_demo_runs_without_a_reference_to_it() -> None:
    before = demo_threads()
    url = crn.demo(**TINY).url
    gc.collect()
    assert opening.newest().url == url
    assert len(opening.newest().reports()) > 0
    opening.newest().close()
    assert added(before) == 0


def test_a_job_keeps_its_demo_running() -> None:
    before = demo_threads()
    job = crn.demo(**TINY).start("zero_activity_csv")
    with crn.demo(**TINY):
        gc.collect()
        assert job.refresh().run.report == "zero_activity_csv"
    del job
    assert added(before) == 0


def test_an_older_connection_is_found_while_it_is_referenced(tmp_path: Path) -> None:
    older = crn.connect("canvas.example.edu", "1234~older", store=tmp_path)
    newer = crn.connect("canvas.example.edu", "1234~newer", store=tmp_path, account=7)
    assert opening.newest() is newer
    assert opening.connection_to("canvas.example.edu", "self") is older
    newer.close()
    assert opening.newest() is older
    older.close()


def test_a_connection_to_an_account_closes_with_its_connection(tmp_path: Path) -> None:
    canvas = crn.connect("canvas.example.edu", "1234~token", store=tmp_path)
    account, other = canvas.account(7), canvas.account(8)
    other.close()
    assert (canvas.is_open, account.is_open, other.is_open) == (True, True, False)
    canvas.close()
    assert not account.is_open


CALLS = {
    "reports": lambda canvas: canvas.reports(),
    "report": lambda canvas: canvas.report("zero_activity_csv"),
    "start": lambda canvas: canvas.start("zero_activity_csv"),
    "attach": lambda canvas: canvas.attach("zero_activity_csv", 1),
    "history": lambda canvas: canvas.history("zero_activity_csv"),
    "read_report": lambda canvas: canvas.read_report("zero_activity_csv"),
    "offline": lambda canvas: canvas.read_report("zero_activity_csv", offline=True),
    "read_tables": lambda canvas: canvas.read_tables("zero_activity_csv"),
    "scan_report": lambda canvas: canvas.scan_report("zero_activity_csv"),
    "read_reports": lambda canvas: canvas.read_reports([{"report": "zero_activity_csv"}]),
    "scan_reports": lambda canvas: canvas.scan_reports([{"report": "zero_activity_csv"}]),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
@pytest.mark.parametrize("closed", ["the connection", "its parent", "an account"])
def test_a_closed_connection_says_so(tmp_path: Path, call: Any, closed: str) -> None:
    parent = crn.connect("canvas.example.edu", "1234~token", store=tmp_path)
    canvas = parent if closed == "the connection" else parent.account(7)
    (parent if closed == "its parent" else canvas).close()
    with pytest.raises(ConfigurationError, match=r"canvas.example.edu is closed\.\nCall connect\(\) or demo"):
        call(canvas)
    parent.close()


@pytest.mark.parametrize("limit", [-1, 0, "5 GB", 1.5])
def test_a_store_limit_is_a_number_of_bytes(tmp_path: Path, limit: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"Can't use store_limit=[\s\S]*5_000_000_000"):
        crn.connect("canvas.example.edu", "1234~token", store=tmp_path, store_limit=limit)


LEAVING = """
import sys
import canvas_reports_nb as crn
with crn.demo(enrollments=100) as canvas:
    lazy = canvas.scan_report("zero_activity_csv", progress=False)
    path = canvas.store.path
with crn.demo(enrollments=100) as other:
    assert other.store.path != path
    assert other.store.info().empty
print(path, path.stat().st_mode & 0o777 == 0o700, len(lazy.collect()) > 0)
"""


def test_a_demo_keeps_its_runs_until_the_process_ends(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", LEAVING],
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert (done.returncode, done.stderr) == (0, "")
    path, *facts = done.stdout.split()
    assert facts == ["True", "True"]
    assert not Path(path).exists()


def test_tab_shows_what_a_user_calls(tmp_path: Path) -> None:
    canvas = crn.connect("canvas.example.edu", "1234~token", store=tmp_path)
    expected = """account account_id accounts attach close form history is_open read_report read_reports read_tables
        report reports scan_report scan_reports start store terms url"""
    assert dir(canvas) == expected.split()
    canvas.close()


def test_the_current_term_of_a_demo_is_that_of_its_university() -> None:
    with crn.demo(**TINY, duration=0, clock=lambda: 4e9) as canvas:  # in the year 2096
        runs = [
            canvas.read_report(
                "unused_courses_csv", enrollment_term_id=term, max_age="36500d", progress=False
            )
            for term in ("current", "Spring 2026")
        ]
    assert len({frame.canvas.provenance["run_id"] for frame in runs}) == 1


LONG = "AbCdEfGhIjKlMnOpQrStUvWxYz0123456789AbCdEfGhIjKlMnOpQrStUvWxYz01"
SECRETS = [
    f"1234~{LONG}", LONG, "1234~AbCd.EfGh0123456789", f"1234~{LONG}:80", f"somebody:{LONG}@canvas.example.edu",
    f"eyJhbGciOiJIUzI1NiJ9.{LONG}.{LONG}", f"{LONG} x", f"Bearer {LONG}", f"{LONG}\u00e9", f"https://{LONG}", "7~short secret",
]  # fmt: skip


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize("place", ["url", "both", "token", "CANVAS_API_URL", "CANVAS_API_TOKEN"])
def test_no_error_shows_a_token_not_even_with_local_variables(
    secret: str, place: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    url, home = "https://canvas.example.edu", Path(crn.__file__).parent
    monkeypatch.delenv("CANVAS_API_TOKEN", raising=False)
    how: dict[str, Any] = {"store": tmp_path}
    if place.startswith("CANVAS"):
        monkeypatch.setenv(place, secret)
        how |= {"url": url} if place.endswith("TOKEN") else {"token": "1~x"}
    else:
        how |= {"url": {"token": url}.get(place, secret), "token": {"url": None}.get(place, secret)}
    found: ConfigurationError | None = None
    try:
        crn.connect(**how).close()
    except ConfigurationError as error:
        found = error
    if found is None:
        assert place in {"token", "CANVAS_API_TOKEN"}, "a secret was taken for an address"
        return
    assert secret not in f"{found} {found!r} {vars(found)}"
    assert LONG.lower() not in str(found).lower()
    frames = traceback.TracebackException.from_exception(found, capture_locals=True).stack
    ours = [frame for frame in frames if Path(frame.filename).is_relative_to(home)]
    assert ours
    assert not [frame for frame in ours if secret in str(frame.locals)]
