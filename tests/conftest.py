"""No token of a demo in anything the tests print, log, raise or write: where one is found, the run fails.

All these tokens begin with the same mark, in whatever process they were made, so that they need not be known.
What is searched: captured output and log lines of every test (urllib3's at DEBUG among them), what a test reads
of its own output, of a shell command, a process or a kernel; every error of ours and every one that a test
expects; the folders of the session at its end, and whatever is removed before.
"""

import base64
import functools
import importlib
import os
import re
import sys
import tempfile
import traceback
import urllib.parse
import zipfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

# A test's result depends on the code alone: every run tries the same examples, and no slow machine fails one.
# To search for new examples: python -m pytest --hypothesis-profile=search
settings.register_profile(
    "repeatable",
    deadline=None,
    derandomize=True,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile("search", settings.get_profile("repeatable"), derandomize=False, max_examples=1000)
settings.load_profile("repeatable")

# The machine's own proxy, Canvas and passwords stay out. Subprocesses and test workers inherit this.
SWITCHES = {"CANVAS_REPORTS_ALL_NOTEBOOKS", "CANVAS_REPORTS_SCREENSHOTS"}
for name in set(os.environ) - SWITCHES:
    if name.startswith("CANVAS_") or name.lower().endswith("_proxy"):
        del os.environ[name]
os.environ["NETRC"] = os.devnull

MARK = "demo-canvas~"
TOKEN = re.compile(re.escape(MARK).encode() + rb"[\w-]{20,}")
# `canvas-reports demo --files` ends with this line, for the user to paste into another shell.
GIVEN = re.compile(rb"^export CANVAS_API_TOKEN=\S+$", re.MULTILINE)
MOST = 64_000_000
"""Bytes of a zip's members that are unpacked for the search; some zips of the tests are bombs."""


def spellings(secret: str) -> dict[str, bytes]:
    """A secret as it stands, and as it would look once encoded."""
    plain = secret.encode()
    found = {"plain": plain, "hex": plain.hex().encode(), "backwards": plain[::-1]}
    found["percent"] = urllib.parse.quote(secret, safe="").encode()
    found["every sign percent"] = "".join(f"%{byte:02X}" for byte in plain).encode()
    found["utf-16"] = secret.encode("utf-16-le")
    for shift in range(3):
        # Base64 depends on where in a text the secret begins; the signs at its two ends on its neighbours, too.
        inside = base64.b64encode(b"\x00" * shift + plain)[4 if shift else 0 :].rstrip(b"=")[:-1]
        found[f"base64 shifted by {shift}"] = inside
        found[f"url-safe base64 shifted by {shift}"] = inside.translate(bytes.maketrans(b"+/", b"-_"))
    return found


def told(error: BaseException) -> str:
    """All that a shell, a notebook or a crash report would show of an error."""
    shown = [str(error), repr(error), repr(error.args), repr(getattr(error, "__notes__", ()))]
    shown += traceback.format_exception(error)
    shown += [f"{name}={value!r}" for name, value in vars(error).items()]
    return "\n".join(shown)


class Search:
    """Looks for tokens, and keeps where it found some: never the token itself."""

    def __init__(self) -> None:
        self.on = True
        self.found: list[str] = []
        # A mark looks the same plain and percent-encoded.
        self._needles = {needle: kind for kind, needle in reversed(spellings(MARK).items())}

    def look(self, where: str, *parts: str | bytes | None) -> None:
        for part in parts:
            data = part.encode(errors="surrogatepass") if isinstance(part, str) else part or b""
            kinds = [kind for needle, kind in self._needles.items() if needle in data]
            if kinds and (kinds != ["plain"] or TOKEN.search(GIVEN.sub(b"", data))):
                test = os.environ.get("PYTEST_CURRENT_TEST", "")
                self.found.append(f"{where} ({', '.join(kinds)}) {test}".rstrip())

    def look_into(self, path: Path) -> None:
        """A file, or all files of a folder, and what lies packed in them."""
        for each in (path, *path.rglob("*")):
            self.look(f"the name of {each.name!r}", str(each))
            with suppress(OSError):  # gone meanwhile, or a socket
                if each.is_file() and not each.is_symlink():
                    self.look(str(each), each.read_bytes(), *unpacked(each))

    def taken(self) -> list[str]:
        """What was found since the last question."""
        found, self.found = list(dict.fromkeys(self.found)), []
        return found


def unpacked(path: Path) -> Iterator[bytes]:
    # A test's zip may be broken in any way.
    with suppress(Exception):
        if path.suffix == ".zip":
            with zipfile.ZipFile(path) as archive:
                if sum(entry.file_size for entry in archive.infolist()) < MOST:
                    yield from map(archive.read, archive.namelist())


TAPS: dict[tuple[str, str, str], Callable[[tuple[Any, ...], Any], list[Any]]] = {
    ("pytest", "CaptureFixture", "readouterr"): lambda _, read: [read.out, read.err],
    ("pytest", "RaisesExc", "__exit__"): lambda given, _: [told(given[2])] if given[2] else [],
    ("subprocess", "Popen", "communicate"): lambda _, read: list(read),
    ("click.testing", "CliRunner", "invoke"): lambda _, ran: [
        ran.output,
        ran.stderr,
        told(ran.exception) if ran.exception else "",
    ],
    ("nbclient", "NotebookClient", "process_message"): lambda given, _: [repr(given[1])],
    ("canvas_reports_nb.exceptions", "CanvasReportsError", "__init__"): lambda given, _: [told(given[0])],
}
"""Where something comes to light that pytest itself does not see: from arguments and result to what is searched."""


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
        "markers", "token_in_address: plays a client that sends its token so; urllib3 logs the address."
    )
    config.stash[SEARCH] = search = Search()
    config.option.log_level = config.option.log_level or "DEBUG"

    def before_it_is_gone(event: str, arguments: tuple[Any, ...]) -> None:
        # Below a folder that goes as a whole, files are named by a descriptor: they were seen with it.
        if search.on and event in {"os.remove", "shutil.rmtree"} and arguments[1] in {-1, None}:
            with suppress(OSError, TypeError):
                search.look_into(Path(os.fsdecode(arguments[0])))

    sys.addaudithook(before_it_is_gone)


def pytest_collection_finish(session: pytest.Session) -> None:
    patch = pytest.MonkeyPatch()
    session.config.add_cleanup(patch.undo)
    for (module, kind, name), parts in TAPS.items():
        if module in sys.modules:  # what no test has imported, none uses
            owner = getattr(importlib.import_module(module), kind)
            call = tapped(session.config.stash[SEARCH], f"{kind}.{name}", getattr(owner, name), parts)
            patch.setattr(owner, name, call)


@pytest.fixture(scope="session", autouse=True)
def in_one_place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Whatever is written without a word on where goes into the session's folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CANVAS_REPORTS_CACHE", str(tmp_path_factory.mktemp("cache") / "store"))
        patch.setenv("TMPDIR", str(tmp_path_factory.mktemp("t")))
        patch.setattr(tempfile, "tempdir", None)
        yield


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    report: Any = yield
    search = item.config.stash[SEARCH]
    search.look("the report", report.longreprtext)
    if report.when == "teardown":
        for name, text in report.sections:
            search.look(name, text)
    found = search.taken()
    if found and item.get_closest_marker("token_in_address") is None:
        report.outcome = "failed"
        report.longrepr = "\n".join(["A demo's token stands in:", *found])
    return report


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    search = session.config.stash[SEARCH]
    search.on = False
    told: dict[str, Any] | None = getattr(session.config, "workeroutput", None)
    if told is not None:
        # One of several processes: its folder lies in that of the process that started it, and comes last.
        told["tokens"] = search.taken()
        return
    search.look_into(session.config._tmp_path_factory.getbasetemp())
    if search.found and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    node.config.stash[SEARCH].found += getattr(node, "workeroutput", {}).get("tokens", [])


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    for report in terminalreporter.stats.get("passed", []):
        for line in (value for name, value in report.user_properties if name == "told"):
            terminalreporter.write_line(line)
    for found in config.stash[SEARCH].taken():
        terminalreporter.write_line(f"A demo's token stands in: {found}", red=True)
