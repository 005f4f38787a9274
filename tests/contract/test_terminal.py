"""A server's texts, and those of its files, reach a terminal or a log without characters that steer it."""

import json
import logging
import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import canvas_reports_nb as crn
from canvas_reports_nb import demo_canvas
from canvas_reports_nb.cli import cli
from canvas_reports_nb.exceptions import CanvasReportsError
from tests.unit.frames.test_reading import many_zipped

EVIL = "\x1b]0;PWNED\x07\x1b[2J\x9b2J\r\nERROR forged\u2028\u202e"
UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e]|\nERROR forged")
KEPT = {
    "id",
    "report",
    "url",
    "file_url",
    "created_at",
    "started_at",
    "ended_at",
    "workflow_state",
    "content-type",
}


def spoiled(value: Any, name: str = "", *, status: bool) -> Any:
    """Return a JSON value with `EVIL` in every text that means nothing to a client."""
    if isinstance(value, dict):
        return {key: spoiled(each, key, status=status) for key, each in value.items()}
    if isinstance(value, list):
        return [spoiled(each, name, status=status) for each in value]
    is_kept = (
        name in KEPT or name.endswith("_at") or (name == "status" and value in ENDED | {""} and not status)
    )
    return value + EVIL if isinstance(value, str) and not is_kept else value


ENDED = {"complete", "error", "aborted", "deleted"}


class Evil:
    """Middleware that spoils every JSON response, and the body of errors."""

    def __init__(self) -> None:
        self.refuses = ""

    def __call__(self, app: Any) -> Any:
        async def wrapped(scope: Any, receive: Any, send: Any) -> None:
            parts: list[Any] = []

            async def keep(message: Any) -> None:
                parts.append(message)

            await app(scope, receive, keep)
            head, body = parts[0], b"".join(part.get("body", b"") for part in parts[1:])
            if self.refuses and self.refuses in scope["path"]:
                head, body = (
                    {**head, "status": 400},
                    json.dumps({"errors": [{"message": "no"}], "error": "term"}).encode(),
                )
            with suppress(ValueError):
                body = json.dumps(spoiled(json.loads(body), status=False)).encode()
            headers = [(name, value) for name, value in head["headers"] if name != b"content-length"]
            await send({**head, "headers": [*headers, (b"content-length", b"%d" % len(body))]})
            await send({"type": "http.response.body", "body": body})

        return wrapped


@pytest.fixture(scope="module")
def evil() -> Iterator[Any]:
    made = Evil()
    with demo_canvas.serve(enrollments=300, duration=3, middleware=made) as server:
        server.evil = made  # type: ignore[attr-defined]
        yield server


def check(what: str, *texts: str) -> None:
    for text in texts:
        # A progress bar draws its line again after "\r", and moves up a line.
        found = UNSAFE.search(
            re.sub("\r(?![\n\ufffd])|\x1b\\[A", "", text) if "it/s" in text or "%|" in text else text
        )
        assert found is None, (what, text[max(found.start() - 80, 0) : found.end() + 20])


@pytest.fixture
def heard(caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]) -> Callable[..., None]:
    """Make a call, and check all that it shows: output, log, warnings and its error."""

    def call(what: str, run: Callable[[], Any]) -> None:
        caplog.set_level(logging.DEBUG, "canvas_reports_nb")
        shown = ""
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                run()
            except CanvasReportsError as error:
                shown = f"{error}\0{error.message}\0{error.hint}".replace("\0", " ")
        lines = [
            record.getMessage() for record in caplog.records if record.name.startswith("canvas_reports_nb")
        ]
        check(what, *capsys.readouterr(), shown, *lines, *(str(each.message) for each in caught))
        caplog.clear()

    return call


@pytest.mark.parametrize("progress", ["log", "tqdm"])
def test_python_shows_no_control_characters(evil: Any, tmp_path: Path, heard: Any, progress: Any) -> None:
    canvas = crn.connect(evil.url, evil.token, store=tmp_path, sleep=lambda _: None)
    how: dict[str, Any] = {"progress": progress, "timeout": 60}
    calls: dict[str, Callable[[], Any]] = {
        "read_report": lambda: canvas.read_report("provisioning_csv", users=True, **how),
        "read_reports": lambda: canvas.read_reports(
            [{"report": "zero_activity_csv"}, {"report": "courses"}], **how
        ),
        "term": lambda: canvas.read_report("grade_export_csv", enrollment_term_id="Fall", **how),
        "parameter": lambda: canvas.read_report("grade_export_csv", enrollment_trm_id=1, **how),
        "report": lambda: canvas.read_report("grade_export", **how),
        "history": lambda: print(canvas.history("provisioning_csv"), canvas.terms(), canvas.reports()),
        "attach": lambda: canvas.attach("provisioning_csv", 1),
        "aborted": lambda: canvas.start("zero_activity_csv", max_age=0).abort().result(**how),
        "repr": lambda: print(canvas.report("provisioning_csv"), canvas.start("last_user_access_csv").run),
        "account": lambda: canvas.account("sis_account_id:\x1b[2J").reports(),
    }
    for what, call in calls.items():
        heard(what, call)
    for part in ("/reports/provisioning_csv", "/terms", "/reports"):
        evil.evil.refuses = part
        for what, call in calls.items():
            heard(f"{what}, {part} refused", call)
    evil.evil.refuses = ""


def test_the_shell_shows_no_control_characters(
    evil: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("URL", evil.url), ("TOKEN", evil.token)):
        monkeypatch.setenv(f"CANVAS_API_{name}", value)
    monkeypatch.setenv("CANVAS_REPORTS_CACHE", str(tmp_path))
    for words in (
        "list", "terms", "accounts", "doctor", "history provisioning_csv", "history grade_export",
        "run zero_activity_csv --progress log --head", "run grade_export_csv -p enrollment_term_id=Fall", "store list",
        "status provisioning_csv 1",
    ):  # fmt: skip
        result = CliRunner().invoke(
            cli, words.split(), obj={"clock": __import__("time").time, "sleep": lambda _: None}
        )
        check(words, result.stdout, result.stderr)
        assert result.exception is None or isinstance(result.exception, SystemExit), words


FILES = {
    "a name in a zip": many_zipped((f"Fall{EVIL}.csv", b"a\n1\n"), (f"x{EVIL}.txt", b"")),
    "two names in a zip": many_zipped((f"Fall{EVIL}.csv", b"a\n1\n"), (f"Fall{EVIL}.csv", b"a\n1\n")),
    "a path out of the zip": many_zipped((f"../Fall{EVIL}.csv", b"a\n1\n")),
    "a header": f'"a{EVIL}",b\n1,2\n'.encode(),
    "a known header": f'user id,user name,last activity at\n"{EVIL}",A,2026-03-02T09:14:07Z\n'.encode(),
    "an odd cell": f'user id,user name,last activity at\n"7{EVIL}",A,x\n'.encode(),
    "a byte": '"a\u202e",b\n1,2\n'.encode() + b"\xff,3\n" + "é,é\n".encode(),
}


@pytest.mark.parametrize("what", FILES)
def test_a_file_shows_no_control_characters(what: str, tmp_path: Path, heard: Any) -> None:
    data = FILES[what]
    for name in ("report.csv", "provisioning_csv_02_Mar_2026_81234.zip"):
        for report in (None, "mgp_grade_export_csv"):
            heard(f"{what} {name}", lambda report=report: crn.read_file(data, report))
        path = tmp_path / name
        path.write_bytes(data)
        heard(f"{what} {name}", lambda path=path: crn.read_file(path))
        for option in ("--head", "--check", "--json", "--describe"):
            result = CliRunner().invoke(cli, ["file", str(path), option])
            check(f"{what} {option}", result.stdout, result.stderr)
            assert result.exception is None or isinstance(result.exception, SystemExit), (what, option)
