"""A kernel and its messages, without a browser: clicks, the bar and Interrupt while a cell blocks.

Older front ends send clicks to the main shell, newer ones to a subshell. Kernels differ in when and on which thread
they run the callback; these tests hold for all of them. ``nox -s kernels`` runs them on three kernels.
"""

import os
import queue
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from jupyter_client import BlockingKernelClient, KernelManager

ROOT = Path(__file__).parents[2]
REPORT = "grade_export_csv"
PATIENCE = 120.0

Message = dict[str, Any]

OPEN = """
import time
from datetime import UTC, datetime
import canvas_reports_nb as crn
clock = crn.demo_canvas.SteppedClock(datetime(2026, 3, 2, 16, tzinfo=UTC))
def sleep(seconds):
    time.sleep(seconds)
    clock.advance(seconds)  # a slow machine misses no state of a run
server = crn.demo_canvas.serve(enrollments=300, duration=3, clock=clock)
canvas = crn.connect(server.url, server.token, clock=lambda: clock.now().timestamp(), sleep=sleep)
"""
BLOCK = f"rows = len(canvas.read_report({REPORT!r}, max_age=0))"
FORM = """
def found(widget, css):
    if css in getattr(widget, "_dom_classes", ()):
        return widget
    return next((hit for child in getattr(widget, "children", ()) if (hit := found(child, css))), None)
form = canvas.form()
report, start = found(form, "crn-reports"), found(form, "crn-run")
while report.disabled:
    time.sleep(0.05)
report.value = "zero_activity_csv"
while found(form, "crn-param-enrollment_term_id").children[0].disabled:
    time.sleep(0.05)  # Run starts nothing while the terms are loading
"""


class Kernel:
    """A kernel and the messages it sends, in order."""

    def __init__(self, folder: Path) -> None:
        # Free TCP ports are found before the kernel takes them: with servers around, another may be faster.
        # Sockets are files, which must not be those of another test run in this folder.
        self.manager = KernelManager(kernel_name="python3", transport="ipc", ip=str(folder / "s"))
        plain = {name: text for name, text in os.environ.items() if not name.startswith("CANVAS_")}
        self.manager.start_kernel(cwd=str(ROOT), env={**plain, "CANVAS_REPORTS_CACHE": str(folder / "store")})
        self.client: BlockingKernelClient = self.manager.blocking_client()
        self.seen: list[Message] = []
        self.unanswered = 0

    def open(self) -> None:
        """Wait for the kernel, then open the demo in it."""
        self.client.start_channels()
        # wait_for_ready asks on the shell channel, where a second request can get lost: see `wait`. On the control
        # channel, ipykernel 7.3 loses only what arrives too early.
        for _ in range(int(PATIENCE)):
            self.client.control_channel.send(self.client.session.msg("kernel_info_request", {}))
            with suppress(queue.Empty):
                self.client.get_control_msg(timeout=1)
                self.client.get_iopub_msg(timeout=1)
                break
        self.run(OPEN)

    def close(self) -> None:
        """Stop the kernel."""
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)

    def until(self, wanted: Callable[[Message], bool]) -> Message:
        """Read messages up to the first wanted one."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            try:
                message = self.client.get_iopub_msg(timeout=1)
            except queue.Empty:
                continue
            self.seen.append(message)
            if wanted(message):
                return message
        raise AssertionError([(each["msg_type"], each["content"]) for each in self.seen[-20:]])

    def execute(self, code: str, *, watched: bool = True) -> str:
        """Send a cell as a user or, if not watched, as a machine does; forget the messages before it."""
        self.seen.clear()
        self.unanswered += 1
        return str(self.client.execute(code, allow_stdin=watched))

    def wait(self, cell: str) -> None:
        """Read messages up to the end of a cell.

        That includes its reply: while ipykernel 7.0 to 7.3 sends one, it can miss the next request, and then every
        later one (ipykernel#1554).
        """
        self.until(is_end_of(cell))
        while self.client.get_shell_msg(timeout=PATIENCE)["parent_header"].get("msg_id") != cell:
            pass
        self.unanswered -= 1

    def run(self, code: str, *, watched: bool = True) -> list[Message]:
        """Run a cell and return its messages."""
        self.wait(self.execute(code, watched=watched))
        assert not [each["content"]["traceback"] for each in self.seen if each["msg_type"] == "error"]
        return list(self.seen)

    def value(self, expression: str) -> str:
        """Return the value of an expression in the kernel as text."""
        (result,) = [each for each in self.run(expression) if each["msg_type"] == "execute_result"]
        return str(result["content"]["data"]["text/plain"])

    def click(self, model: str, subshell: str | None) -> None:
        """Click a button."""
        data = {"method": "custom", "content": {"event": "click"}, "buffers": []}
        message = self.client.session.msg("comm_msg", {"comm_id": model, "data": data})
        if subshell is not None:
            message["header"]["subshell_id"] = subshell
        self.client.shell_channel.send(message)

    def control(self, kind: str) -> Any:
        """Send a request on the control channel and return its reply."""
        request = self.client.session.msg(kind, {})
        self.unanswered += 1
        self.client.control_channel.send(request)
        while True:
            reply = self.client.get_control_msg(timeout=PATIENCE)
            if reply["parent_header"].get("msg_id") == request["header"]["msg_id"]:
                self.unanswered -= 1
                return reply["content"]


def is_end_of(cell: str) -> Callable[[Message], bool]:
    return lambda message: (
        message["msg_type"] == "status"
        and message["parent_header"].get("msg_id") == cell
        and message["content"]["execution_state"] == "idle"
    )


def models(messages: list[Message], name: str) -> list[str]:
    """Return the ids of the new widgets of a kind."""
    return [
        message["content"]["comm_id"]
        for message in messages
        if message["msg_type"] == "comm_open"
        and message["content"]["data"]["state"].get("_model_name") == name
    ]


def updates(messages: list[Message], model: str, trait: str) -> list[Any]:
    """Return the values that a trait was set to."""
    return [
        message["content"]["data"]["state"][trait]
        for message in messages
        if message["msg_type"] == "comm_msg"
        and message["content"]["comm_id"] == model
        and trait in message["content"]["data"].get("state", {})
    ]


@pytest.fixture(scope="module")
def kernels() -> Iterator[list[Kernel]]:
    """The kernel in use, if any."""
    used: list[Kernel] = []
    yield used
    for kernel in used:
        if not kernel.unanswered:
            kernel.run("canvas.close(); server.close()")
        kernel.close()


@pytest.fixture
def kernel(kernels: list[Kernel], tmp_path_factory: pytest.TempPathFactory) -> Kernel:
    """The kernel of the test before, or a new one if that has not answered everything."""
    if kernels and kernels[0].unanswered:
        kernels.pop().close()
    if not kernels:
        kernels.append(Kernel(tmp_path_factory.mktemp("k")))
        kernels[0].open()
    return kernels[0]


@pytest.fixture(params=["main shell", "subshell"])
def subshell(request: pytest.FixtureRequest, kernel: Kernel) -> str | None:
    """The shell that a front end sends its clicks to."""
    if request.param == "main shell":
        return None
    features = kernel.control("kernel_info_request").get("supported_features", [])
    if "kernel subshells" not in features:
        pytest.skip("this kernel has no subshells")
    return str(kernel.control("create_subshell_request")["subshell_id"])


def test_a_click_on_the_form_during_a_blocking_cell_starts_its_run(
    kernel: Kernel, subshell: str | None
) -> None:
    kernel.run(FORM)
    start = kernel.value("start.model_id").strip("'")
    cell = kernel.execute(BLOCK)
    kernel.until(lambda message: bool(models([message], "IntProgressModel")))
    (bar,) = models(kernel.seen, "IntProgressModel")
    kernel.click(start, subshell)
    kernel.wait(cell)
    during = list(kernel.seen)
    assert updates(during, bar, "value")[-1] == 100
    assert "done" in updates(during, bar, "description")
    if not updates(during, start, "disabled"):
        kernel.until(lambda message: bool(updates([message], start, "disabled")))
    assert updates(kernel.seen, start, "disabled")[0] is True
    assert int(kernel.value("form.wait(progress=False).to_pandas().shape[0]")) > 0
    assert kernel.value("form.job.status") == "'complete'"


def test_the_bar_moves_while_the_cell_blocks_and_leaves_text(kernel: Kernel) -> None:
    seen = kernel.run(BLOCK)
    (bar,) = models(seen, "IntProgressModel")
    texts = updates(seen, bar, "description")
    assert any(text.startswith("running") for text in texts)
    assert texts[-1] == "done"
    closed = [each["content"]["comm_id"] for each in seen if each["msg_type"] == "comm_close"]
    opened = [each["content"]["comm_id"] for each in seen if each["msg_type"] == "comm_open"]
    assert set(opened) <= set(closed)
    (shown,) = [each["content"] for each in seen if each["msg_type"] == "display_data"]
    (left,) = [each["content"] for each in seen if each["msg_type"] == "update_display_data"]
    assert left["transient"]["display_id"] == shown["transient"]["display_id"]
    assert set(left["data"]) == {"text/plain", "text/html"}
    assert f"{REPORT} run " in left["data"]["text/plain"]
    assert f"{kernel.value('rows')}" in left["data"]["text/plain"].replace(",", "")


def test_a_cell_run_by_a_machine_shows_no_widget(kernel: Kernel) -> None:
    seen = kernel.run(BLOCK, watched=False)
    # On a slow machine, the form of an earlier test still changes.
    opened = {each["content"]["comm_id"] for each in seen if each["msg_type"] == "comm_open"}
    ours = [each for each in seen if each["msg_type"] != "comm_msg" or each["content"]["comm_id"] in opened]
    assert {each["msg_type"] for each in ours} <= {"status", "execute_input"}


def test_interrupt_detaches_and_prints_the_line_that_attaches_again(kernel: Kernel) -> None:
    cell = kernel.execute(BLOCK)
    kernel.until(
        lambda message: any(
            text.startswith(("queued", "running"))
            for model in models(kernel.seen, "IntProgressModel")
            for text in updates([message], model, "description")
        )
    )
    kernel.manager.interrupt_kernel()
    kernel.wait(cell)
    (error,) = [each["content"] for each in kernel.seen if each["msg_type"] == "error"]
    assert error["ename"] == "KeyboardInterrupt"
    (left,) = [each["content"]["data"] for each in kernel.seen if each["msg_type"] == "update_display_data"]
    line = left["text/plain"].rpartition("To get it later: ")[2]
    assert line.startswith(f"canvas.attach({REPORT!r}, ")
    assert line in "".join(error["traceback"])
    assert int(kernel.value(f"len({line}.to_pandas())")) > 0


GRADES = f"grades = crn.read_file({str(ROOT / 'tests/data/11_grade_export_21col.csv')!r})"
PICTURES = [
    "crn.charts.grade_distribution(grades)",
    "crn.charts.grade_distribution(grades)",
    "grades.canvas.plot.grade_distribution()",
    "import matplotlib.pyplot as plt; plt.plot([1, 2]); None",
    "ax = crn.charts.grade_distribution(grades)",
    "import matplotlib.pyplot as plt; plt.plot([1, 2]); crn.charts.grade_distribution(grades, ax=plt.gca()); None",
]


def test_every_chart_appears_and_none_disturbs_the_users_own(kernel: Kernel) -> None:
    """Nobody typed %matplotlib inline; the first figure of the kernel is a chart of ours."""
    kernel.run(GRADES)
    for code in PICTURES:
        sent = [each for each in kernel.run(code) if each["msg_type"] in {"display_data", "execute_result"}]
        # One picture, and no line of text with the type and the whole description of the axes.
        assert [(each["msg_type"], "image/png" in each["content"]["data"]) for each in sent] == [
            ("display_data", True)
        ], code
    look = "(plt.rcParams['figure.facecolor'], plt.rcParams['axes.spines.top'], plt.isinteractive())"
    assert kernel.value(look) == "('white', True, True)"
