"""The doctor distinguishes every way in which a Canvas can reject it."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from canvas_reports_nb.canvas_api.client import AccountReports
from canvas_reports_nb.canvas_api.models import AvailableReport
from canvas_reports_nb.catalog.schemas import reports
from canvas_reports_nb.cli import cli
from canvas_reports_nb.doctor import Finding, examine

OFFERED = [AvailableReport(report, "") for report in reports()]
CALLS = ("token accepted", "permission", "reports")


def seen(server: Any, store: Path, token: str | None = None, **given: Any) -> dict[str, Finding]:
    findings = examine(
        server.url,
        token or server.token,
        store=store,
        clock=lambda: server.clock.now().timestamp(),
        sleep=lambda seconds: server.clock.advance(seconds) and None,
        **given,
    )
    return {finding.name: finding for finding in findings}


def test_every_check_passes_on_the_demo(demo: Callable[..., Any], tmp_path: Path) -> None:
    server = demo().server
    found = seen(server, tmp_path / "store")
    assert [name for name, finding in found.items() if not finding.ok] == []
    assert f"{len(reports())} offered" in found["reports"].says
    assert server.token not in repr(found)
    assert not any(record.method == "POST" for record in server.log), "no run is started"
    assert list((tmp_path / "store").rglob("*")) == [], "no response is cached"


def test_an_unknown_report_is_an_invitation_to_send_its_header(
    demo: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = demo().server
    assert seen(server, tmp_path)["reports"].do == ""
    offers = [*map(AvailableReport, ("our_own_csv", "user_course_access_log_csv"), ("", "")), *OFFERED]
    monkeypatch.setattr(AccountReports, "available", lambda _: offers)
    found = seen(server, tmp_path)["reports"]
    assert found.ok
    assert found.says.endswith("; unknown: our_own_csv")
    assert "first line" in found.do
    assert "never rows" in found.do


@pytest.mark.parametrize(
    ("scenario", "old", "account", "fails", "says"),
    [
        ("expired_token", False, "self", "token accepted", "Expired access token"),
        ("no_permission", False, "self", "permission", "may not do this"),
        ("no_permission", True, "self", "permission", "may not do this"),
        (None, False, "987654", "permission", "account 987654"),
    ],
)
def test_a_rejected_call(
    demo: Callable[..., Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    scenario: str | None,
    old: bool,
    account: str,
    fails: str,
    says: str,
) -> None:
    server = demo(scenarios=[scenario] if scenario else [], old=old).server
    monkeypatch.chdir(tmp_path)
    found = seen(server, tmp_path / "store", account=account)
    assert list(tmp_path.rglob("*")) == [tmp_path / "store"], "no response is cached"
    before = CALLS.index(fails)
    assert [found[name].ok for name in CALLS] == [True] * before + [False] + [None] * (2 - before)
    assert says in found[fails].says
    assert found[fails].do


def test_a_wrong_token(demo: Callable[..., Any], tmp_path: Path) -> None:
    found = seen(demo().server, tmp_path, token="1234~hidden")
    assert found["token"].ok
    assert found["token accepted"].ok is False
    assert "hidden" not in repr(found)


def test_temporary_errors_are_retried(demo: Callable[..., Any], tmp_path: Path) -> None:
    assert seen(demo(scenarios=["bad_gateway"]).server, tmp_path)["reports"].ok


def test_https_to_a_server_without_tls(demo: Callable[..., Any], tmp_path: Path) -> None:
    server = demo().server
    findings = examine(server.url.replace("http:", "https:"), server.token, store=tmp_path)
    (connection,) = [finding for finding in findings if finding.name == "connection"]
    assert connection.ok is False
    assert "TLS" in connection.says
    assert not [record for record in server.log if record.path.startswith("/api/")]


def test_the_command_on_the_demo() -> None:
    shown = CliRunner().invoke(cli, ["doctor", "--demo"])
    assert shown.exit_code == 0, shown.output
    assert "FAILED" not in shown.output
    assert "20 offered" in shown.output


def test_the_command_without_permission(
    demo: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    server = demo(scenarios=["no_permission"]).server
    monkeypatch.setitem(sys.modules, "keyring", None)
    monkeypatch.setenv("CANVAS_API_URL", server.url)
    monkeypatch.setenv("CANVAS_API_TOKEN", server.token)
    monkeypatch.setenv("CANVAS_REPORTS_CACHE", str(tmp_path / "store"))
    shown = CliRunner().invoke(cli, ["doctor"])
    assert shown.exit_code == 1, shown.output
    lines = shown.output.splitlines()
    (at,) = [place for place, line in enumerate(lines) if line.startswith("FAILED  permission")]
    assert "Reports - manage" in lines[at + 1]
    assert any(line.startswith("skipped reports") for line in lines)
    assert "permission" in lines[-1]
    assert server.token not in shown.output
