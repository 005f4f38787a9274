"""A search for demo tokens in everything the tests print, log, raise or write.

The run fails if a token is found. All demo tokens begin with the same mark, in every process. The search covers the
captured output and log lines of every test (including urllib3's at DEBUG), the output a test reads from itself, a
shell command, a process or a kernel, every error of this package and every error that a test expects, the session's
folders at its end, and files and folders that are removed before.
"""

import base64
import functools
import importlib
import os
import re
import sys
import traceback
import urllib.parse
import zipfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

MARK = "demo-canvas~"
TOKEN = re.compile(re.escape(MARK).encode() + rb"[\w-]{20,}")
# `canvas-reports demo --files` prints this line on purpose, for the user to paste into another shell.
EXPORT_LINE = re.compile(rb"^export CANVAS_API_TOKEN=\S+$", re.MULTILINE)
MAX_UNPACKED = 64_000_000
"""The most bytes of a zip that are unpacked for the search; some test zips are bombs."""


def spellings(secret: str) -> dict[str, bytes]:
    """Return a secret in plain text and in common encodings."""
    plain = secret.encode()
    found = {"plain": plain, "hex": plain.hex().encode(), "backwards": plain[::-1]}
    found["percent"] = urllib.parse.quote(secret, safe="").encode()
    found["every sign percent"] = "".join(f"%{byte:02X}" for byte in plain).encode()
    found["utf-16"] = secret.encode("utf-16-le")
    for shift in range(3):
        # Base64 depends on the position in the text; the characters at both ends also depend on their neighbors.
        inside = base64.b64encode(b"\x00" * shift + plain)[4 if shift else 0 :].rstrip(b"=")[:-1]
        found[f"base64 shifted by {shift}"] = inside
        found[f"url-safe base64 shifted by {shift}"] = inside.translate(bytes.maketrans(b"+/", b"-_"))
    return found


def error_text(error: BaseException) -> str:
    """Return everything that a shell, a notebook or a crash report could show of an error."""
    shown = [str(error), repr(error), repr(error.args), repr(getattr(error, "__notes__", ()))]
    shown += traceback.format_exception(error)
    shown += [f"{name}={value!r}" for name, value in vars(error).items()]
    return "\n".join(shown)


class Search:
    """A search for tokens that records where it found one, but never the token itself."""

    def __init__(self) -> None:
        self.on = True
        self.found: list[str] = []
        # Percent-encoding does not change the mark.
        self._needles = {needle: kind for kind, needle in reversed(spellings(MARK).items())}

    def look(self, where: str, *parts: str | bytes | None) -> None:
        for part in parts:
            data = part.encode(errors="surrogatepass") if isinstance(part, str) else part or b""
            kinds = [kind for needle, kind in self._needles.items() if needle in data]
            if kinds and (kinds != ["plain"] or TOKEN.search(EXPORT_LINE.sub(b"", data))):
                test = os.environ.get("PYTEST_CURRENT_TEST", "")
                self.found.append(f"{where} ({', '.join(kinds)}) {test}".rstrip())

    def look_into(self, path: Path) -> None:
        """Search a file, or all files in a folder, including the members of zips."""
        for each in (path, *path.rglob("*")):
            self.look(f"the name of {each.name!r}", str(each))
            with suppress(OSError):  # deleted in the meantime, or a socket
                if each.is_file() and not each.is_symlink():
                    self.look(str(each), each.read_bytes(), *unpacked(each))

    def take_found(self) -> list[str]:
        """Return what was found since the last call."""
        found, self.found = list(dict.fromkeys(self.found)), []
        return found


def unpacked(path: Path) -> Iterator[bytes]:
    # A test zip can be damaged in any way.
    with suppress(Exception):
        if path.suffix == ".zip":
            with zipfile.ZipFile(path) as archive:
                if sum(entry.file_size for entry in archive.infolist()) < MAX_UNPACKED:
                    yield from map(archive.read, archive.namelist())


TAPS: dict[tuple[str, str, str], Callable[[tuple[Any, ...], Any], list[Any]]] = {
    ("pytest", "CaptureFixture", "readouterr"): lambda _, read: [read.out, read.err],
    ("pytest", "RaisesExc", "__exit__"): lambda given, _: [error_text(given[2])] if given[2] else [],
    ("subprocess", "Popen", "communicate"): lambda _, read: list(read),
    ("click.testing", "CliRunner", "invoke"): lambda _, ran: [
        ran.output,
        ran.stderr,
        error_text(ran.exception) if ran.exception else "",
    ],
    ("nbclient", "NotebookClient", "process_message"): lambda given, _: [repr(given[1])],
    ("canvas_reports_nb.exceptions", "CanvasReportsError", "__init__"): lambda given, _: [
        error_text(given[0])
    ],
}
"""Calls whose output pytest does not capture: from arguments and result to the texts to search."""


def tapped(search: Search, where: str, call: Any, parts: Callable[..., list[Any]]) -> Any:
    @functools.wraps(call)
    def through(*arguments: Any, **named: Any) -> Any:
        result = call(*arguments, **named)
        search.look(where, *(part for part in parts(arguments, result) if isinstance(part, str | bytes)))
        return result

    return through


SEARCH = pytest.StashKey[Search]()


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "token_in_address: sends the token in the URL, as some clients do; urllib3 logs the URL."
    )
    config.stash[SEARCH] = search = Search()
    config.option.log_level = config.option.log_level or "DEBUG"

    def search_before_removal(event: str, arguments: tuple[Any, ...]) -> None:
        # Inside a folder being removed, files are named relative to a descriptor: they were searched with the folder.
        if search.on and event in {"os.remove", "shutil.rmtree"} and arguments[1] in {-1, None}:
            with suppress(OSError, TypeError):
                search.look_into(Path(os.fsdecode(arguments[0])))

    sys.addaudithook(search_before_removal)


def pytest_collection_finish(session: pytest.Session) -> None:
    patch = pytest.MonkeyPatch()
    session.config.add_cleanup(patch.undo)
    for (module, kind, name), parts in TAPS.items():
        if module in sys.modules:  # a module that no test imports is not used
            owner = getattr(importlib.import_module(module), kind)
            call = tapped(session.config.stash[SEARCH], f"{kind}.{name}", getattr(owner, name), parts)
            patch.setattr(owner, name, call)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    report: Any = yield
    search = item.config.stash[SEARCH]
    search.look("the report", report.longreprtext)
    if report.when == "teardown":
        for name, text in report.sections:
            search.look(name, text)
    found = search.take_found()
    if found and item.get_closest_marker("token_in_address") is None:
        report.outcome = "failed"
        report.longrepr = "\n".join(["A demo token was found in:", *found])
    return report


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    search = session.config.stash[SEARCH]
    search.on = False
    worker_output: dict[str, Any] | None = getattr(session.config, "workeroutput", None)
    if worker_output is not None:
        # The main process searches this worker's folder at the end, because it is inside its own.
        worker_output["tokens"] = search.take_found()
        return
    search.look_into(session.config._tmp_path_factory.getbasetemp())
    if search.found and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    node.config.stash[SEARCH].found += getattr(node, "workeroutput", {}).get("tokens", [])


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    for found in config.stash[SEARCH].take_found():
        terminalreporter.write_line(f"A demo token was found in: {found}", red=True)
