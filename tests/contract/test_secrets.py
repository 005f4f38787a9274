"""The token, the keys in file links and the signed links are never written, printed, logged or raised.

A demo's random token is used in the main job, its failures, the shell and a kernel. Then everything that these
produced is searched for the token in every encoding.
"""

import base64
import io
import json
import logging
import os
import pickle
import stat
import sys
import traceback
import warnings
import zipfile
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import click
import nbformat
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from nbclient import NotebookClient

import canvas_reports_nb as crn
from canvas_reports_nb.canvas_api.models import Attachment
from canvas_reports_nb.cli import cli
from canvas_reports_nb.demo_canvas import downloads
from canvas_reports_nb.demo_canvas.bodies import file_uuid
from canvas_reports_nb.exceptions import CanvasReportsError
from tests.plugins.token_search import error_text, spellings

FAILING = [
    "bad_gateway", "expired_link", "expired_token", "fails", "login_page", "no_permission", "server_error",
    "throttle_403", "throttle_429", "truncated",
]  # fmt: skip


def leaks(secrets: list[str], where: str, data: bytes | str) -> list[str]:
    text = data.encode(errors="surrogatepass") if isinstance(data, str) else data
    return [
        f"{kind} in {where}"
        for secret in secrets
        for kind, spelled in spellings(secret).items()
        if spelled in text
    ]


def unfolded(path: Path) -> Iterator[bytes]:
    """Yield the bytes of a file, and its compressed contents."""
    data = path.read_bytes()
    yield data
    if path.suffix == ".zip":
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            yield from map(archive.read, archive.namelist())
    if path.suffix == ".parquet":
        table = pq.read_table(path)
        yield json.dumps(table.to_pylist(), default=str).encode()
        yield repr(table.schema.metadata).encode()


def written(*folders: Path) -> Iterator[tuple[str, bytes]]:
    for folder in folders:
        for path in folder.rglob("*"):
            yield "a file's name", str(path).encode()
            if path.is_file():
                yield from ((path.name, data) for data in unfolded(path))


def pickled(value: object) -> bytes:
    try:
        return pickle.dumps(value)
    except (TypeError, AttributeError, pickle.PicklingError):  # not picklable, like a token
        return b""


class Listening(logging.Handler):
    """A handler that keeps every log line with its arguments."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[tuple[str, str]] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append((record.name, f"{record.getMessage()} {record.args!r}"))


@pytest.fixture
def logged() -> Iterator[Listening]:
    root, listening = logging.getLogger(), Listening()
    level = root.level
    root.setLevel(logging.DEBUG)
    root.addHandler(listening)
    yield listening
    root.removeHandler(listening)
    root.setLevel(level)


@pytest.fixture
def links(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The signatures of all links that the demo creates."""
    made: list[str] = []
    sign = downloads._signature

    def signing(*arguments: Any) -> str:
        made.append(sign(*arguments))
        return made[-1]

    monkeypatch.setattr(downloads, "_signature", signing)
    return made


def secrets_of(server: Any, links: list[str]) -> list[str]:
    """Return the token, the signatures of links, and on an old server the keys in file addresses."""
    keys = (
        [file_uuid(server._canvas, run) for run in server._canvas.runs] if server._canvas.options.old else []
    )
    return [server.token, *dict.fromkeys(links), *keys]


def main_job(connection: crn.Connection) -> Iterator[object]:
    """Make every call a user makes, and yield the results."""
    yield connection
    yield connection.reports()
    yield connection.report("grade_export_csv")
    yield connection.account("self")
    job = connection.start("provisioning_csv", users=True, courses=True)
    yield job
    yield job.wait(progress="log")
    yield job.run
    yield job.run.attachment
    result = job.result(progress=False)
    yield result
    yield result.provenance
    for engine in ("pandas", "polars", "arrow"):
        yield connection.read_report("grade_export_csv", engine=engine, progress="tqdm")
    frame = connection.read_report("grade_export_csv", progress=False)
    yield frame.attrs
    yield crn.provenance(frame)
    yield connection.history("grade_export_csv")
    yield connection.store
    yield connection.store.info()


def shown(value: object) -> str:
    html = getattr(value, "_repr_html_", str)()
    return "\n".join([repr(value), str(value), str(html)])


@pytest.mark.parametrize("old", [False, True], ids=["today", "old"])
@pytest.mark.parametrize("scenario", [None, *FAILING])
def test_no_secret_leaves(
    *,
    canvas: Callable[..., Any],
    logged: Listening,
    links: list[str],
    tmp_path: Path,
    scenario: str | None,
    old: bool,
) -> None:
    connection = canvas(scenarios=[scenario] if scenario else [], old=old)
    printed = io.StringIO()
    found: list[tuple[str, bytes | str]] = []
    with redirect_stdout(printed), redirect_stderr(printed), warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        try:
            for value in main_job(connection):
                found.append((f"repr of {type(value).__name__}", shown(value)))
                if not isinstance(value, Attachment):  # an attachment contains the address itself
                    found.append((f"pickle of {type(value).__name__}", pickled(value)))
        except CanvasReportsError as error:
            found += [("error", error_text(error)), ("pickled error", pickled(error))]
            # Some crash reports include the values of all variables.
            inner = traceback.TracebackException.from_exception(error, capture_locals=True)
            assert not leaks([connection.server.token], "locals", "".join(inner.format()))
    found.append(("printed", printed.getvalue()))
    found += [("warning", str(each.message)) for each in warned]
    found.append(("log", "\n".join(line for _, line in logged.lines)))
    found += written(tmp_path)
    secrets = secrets_of(connection.server, links)
    assert secrets
    assert [leak for where, data in found for leak in leaks(secrets, where, data)] == []
    if scenario is None:
        assert len(found) > 50
        assert links, "no file was downloaded"
        assert list(tmp_path.rglob("*.sqlite"))
        assert list(tmp_path.rglob("*.parquet"))


def test_a_debug_log_contains_no_usable_link(
    canvas: Callable[..., Any], logged: Listening, links: list[str]
) -> None:
    connection = canvas(old=True)
    connection.read_report("zero_activity_csv", progress=False)
    log_text = "\n".join(line for _, line in logged.lines)
    assert "verifier=***" in log_text, "the link is logged without its key"
    assert leaks(secrets_of(connection.server, links), "the log", log_text) == []


@pytest.mark.parametrize("kind", list(spellings("x" * 9)))
def test_the_search_finds_every_encoding(kind: str, tmp_path: Path) -> None:
    secret = "a~b+c/d-0123456789abcdef~"
    hidden = b"before " + spellings(secret)[kind] + b" after"
    assert leaks([secret], "here", hidden)
    with zipfile.ZipFile(tmp_path / "raw.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("users.csv", hidden)
    assert any(leaks([secret], name, data) for name, data in written(tmp_path))
    basic = base64.b64encode(f"user:{secret}".encode())
    assert leaks([secret], "a header", basic)


@pytest.mark.skipif(os.name != "posix", reason="other systems have no file modes")
def test_only_the_owner_can_read_the_store(canvas: Callable[..., Any], tmp_path: Path) -> None:
    mask = os.umask(0)
    try:
        connection = canvas()
        for _ in main_job(connection):
            pass
    finally:
        os.umask(mask)
    store = tmp_path / "store"
    rights = {path: stat.S_IMODE(path.stat().st_mode) for path in (store, *store.rglob("*"))}
    assert {path.name: oct(mode) for path, mode in rights.items() if path.is_dir() and mode != 0o700} == {}
    assert {path.name: oct(mode) for path, mode in rights.items() if path.is_file() and mode != 0o600} == {}
    assert len(rights) > 10


@pytest.mark.skipif(os.name != "posix", reason="other systems have no file modes")
def test_only_the_owner_can_read_the_store_of_a_demo() -> None:
    mask = os.umask(0)
    try:
        with crn.demo(enrollments=300, duration=0) as connection:
            connection.read_report("zero_activity_csv", progress=False)
    finally:
        os.umask(mask)
    root = connection.store.path
    folders = [root, *(path for path in root.rglob("*") if path.is_dir())]
    assert len(folders) > 2
    assert {path.name: stat.S_IMODE(path.stat().st_mode) for path in folders} == {
        path.name: 0o700 for path in folders
    }


def commands(group: click.Group) -> Iterator[click.Command]:
    context = click.Context(group)
    for command in filter(None, (group.get_command(context, name) for name in group.list_commands(context))):
        yield command
        if isinstance(command, click.Group):
            yield from commands(command)


def test_no_shell_option_takes_a_token() -> None:
    found = [cli, *commands(cli)]
    assert len(found) > 4
    for command in found:
        for parameter in command.params:
            words = f"{parameter.name} {parameter.opts} {getattr(parameter, 'envvar', None)}".lower()
            assert not any(word in words for word in ("token", "secret", "password", "key")), (command, words)


@pytest.mark.parametrize("scenario", [None, "expired_token", "no_permission", "fails"])
def test_the_shell_shows_no_secret(
    demo: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
    links: list[str],
    tmp_path: Path,
    scenario: str | None,
) -> None:
    server = demo(scenarios=[scenario] if scenario else []).server
    monkeypatch.setitem(sys.modules, "keyring", None)
    monkeypatch.setenv("CANVAS_API_URL", server.url)
    monkeypatch.setenv("CANVAS_API_TOKEN", server.token)
    monkeypatch.setenv("CANVAS_REPORTS_CACHE", str(tmp_path / "store"))
    # Failed calls are retried after a pause, and the shell can't be given a clock.
    monkeypatch.setattr("time.sleep", lambda _: None)
    output = str(tmp_path / "out.parquet")
    for arguments in (["list"], ["run", "zero_activity_csv", "-o", output], ["doctor"], ["run", "nonsense"]):
        result = CliRunner().invoke(cli, ["-v", *arguments])
        text = result.output + result.stderr + (error_text(result.exception) if result.exception else "")
        assert leaks(secrets_of(server, links), " ".join(arguments), text) == []
    assert [
        leak for where, data in written(tmp_path) for leak in leaks(secrets_of(server, links), where, data)
    ] == []


def test_a_saved_notebook_contains_no_secret(
    demo: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, links: list[str], tmp_path: Path
) -> None:
    server = demo(old=True).server
    monkeypatch.setenv("CANVAS_API_URL", server.url)
    monkeypatch.setenv("CANVAS_API_TOKEN", server.token)
    monkeypatch.setenv("CANVAS_REPORTS_CACHE", str(tmp_path / "store"))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    cells = [
        "import canvas_reports_nb as crn\ncanvas = crn.connect()\ncanvas",
        "frame = canvas.read_report('zero_activity_csv', progress='widget')\nframe.attrs",
        "canvas.report('zero_activity_csv')",
        "job = canvas.start('zero_activity_csv').wait(progress='widget')\njob",
        "job.run",
        "%xmode Verbose",
        "canvas.attach('zero_activity_csv', 987654)",
        "canvas.account(987654).reports()",
    ]
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    ran = NotebookClient(book, timeout=600, allow_errors=True, store_widget_state=True).execute()
    outputs = [output for cell in ran.cells for output in cell.outputs]
    assert [output.ename for output in outputs if output.output_type == "error"] == [
        "UnknownRunError",
        "UnknownAccountError",
    ]
    assert leaks(secrets_of(server, links), "the notebook", nbformat.writes(ran)) == []
    assert [
        leak for where, data in written(tmp_path) for leak in leaks(secrets_of(server, links), where, data)
    ] == []
