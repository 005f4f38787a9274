"""Trace four calls through the package: ``python tests/benchmarks/call_trace.py``.

Prints one line per call: the number of modules it uses, the module changes (consecutive function calls in different
modules of the package, counted per thread), the calls to the functions in `COUNTED`, and the HTTP requests sent. The
demo Canvas is not counted and runs on a stepped clock, so nothing waits. Every call is made once before it is traced,
so that imports are not part of the trace. ``--modules`` also lists the calls into each module.
"""

from __future__ import annotations

import sys
import tempfile
import threading
from collections import Counter
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeAlias

import canvas_reports_nb as crn
from canvas_reports_nb import demo_canvas

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

COUNTED = ("read_parameters", "canonical")
"""Functions that normalize parameters, by qualified name: the caller's, and those of runs that Canvas lists."""
PACKAGE, DEMO = crn.__name__, demo_canvas.__name__
REPORT, TERM, TERMS = "grade_export_csv", "current", [11, 12, 13]
RUN_SECONDS = 10.0
EARLIER = (1, 6, 7, 8, 9, 10, 11, 12, 13, 14)
"""Terms of earlier runs with another parameter; they are in Canvas's history before each trace."""
RUN_BUTTON = "crn-run"
"""The class of the button that starts a run."""


class Trace:
    """A count of the package's function calls, in this thread and all threads started after installation."""

    def __init__(self) -> None:
        self.modules: Counter[str] = Counter()
        self.counted: Counter[str] = Counter()
        self.changes = 0
        self._last: dict[int, str] = {}

    def __call__(self, frame: FrameType, event: str, _argument: object) -> None:
        """Count one event of the profiler."""
        module = frame.f_globals.get("__name__", "")
        if event != "call" or not module.startswith(PACKAGE) or module.startswith(DEMO):
            return
        thread = threading.get_ident()
        self.changes += self._last.get(thread, module) != module
        self._last[thread] = module
        self.modules[module] += 1
        if frame.f_code.co_qualname in COUNTED:
            self.counted[frame.f_code.co_qualname] += 1

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Trace this thread and those it starts."""
        threading.setprofile(self)
        sys.setprofile(self)
        try:
            yield
        finally:
            sys.setprofile(None)
            threading.setprofile(None)  # type: ignore[arg-type]


Prepared: TypeAlias = "Callable[[], Any]"


def cached(canvas: Any) -> Prepared:
    """Prepare a read of a run that is in the store."""
    canvas.read_report(REPORT, enrollment_term_id=TERM, progress=False)
    return lambda: canvas.read_report(REPORT, enrollment_term_id=TERM, progress=False)


def new_run(canvas: Any) -> Prepared:
    """Prepare a read that starts a run."""
    return lambda: canvas.read_report(REPORT, enrollment_term_id=TERM, progress=False)


def three_rows(canvas: Any) -> Prepared:
    """Prepare a read of three reports, all new."""
    requests = crn.requests_for(REPORT, terms=TERMS)
    return lambda: canvas.read_reports(requests, progress=False)


def form_run(canvas: Any) -> Prepared:
    """Prepare a form with a selected report; the trace is from the click to the frame."""
    form = canvas.form()
    settle()
    part(form, "crn-reports").value = REPORT
    settle()

    def click() -> Any:
        part(form, RUN_BUTTON).click()
        settle()
        return form.frame

    return click


CASES: dict[str, Callable[[Any], Prepared]] = {
    "read_report, cached": cached,
    "read_report, new run": new_run,
    "read_reports, three rows": three_rows,
    "form, Run until the frame": form_run,
}


def parts(widget: Any) -> Iterator[Any]:
    """Yield a widget and all widgets inside it."""
    yield widget
    for child in getattr(widget, "children", ()):
        yield from parts(child)


def part(form: Any, css: str) -> Any:
    """Return the control with this class."""
    return next(each for each in parts(form) if css in getattr(each, "_dom_classes", ()))


def settle() -> None:
    """Wait for the threads of the form."""
    while busy := [each for each in threading.enumerate() if each.name.startswith("canvas-reports-")]:
        busy[0].join()


def traced(prepare: Callable[[Any], Prepared]) -> tuple[Trace, int]:
    """Trace one call on a new demo and store; return the trace and the number of requests."""
    clock = demo_canvas.SteppedClock(datetime(2026, 3, 2, 16, tzinfo=UTC))
    with (
        demo_canvas.serve(enrollments=300, duration=RUN_SECONDS, clock=clock) as server,
        tempfile.TemporaryDirectory() as store,
        crn.connect(
            server.url,
            server.token,
            store=store,
            clock=lambda: clock.now().timestamp(),
            sleep=lambda seconds: clock.advance(seconds) and None,
        ) as canvas,
    ):
        for term in EARLIER:
            canvas.start(REPORT, enrollment_term_id=term, include_deleted=True)
        clock.advance(len(EARLIER) * RUN_SECONDS)
        call, trace = prepare(canvas), Trace()
        before = len(server.log)
        with trace.installed():
            frame = call()
        assert len(frame) > 0
        return trace, len(server.log) - before


def main() -> None:
    """Trace the calls and print the table."""
    print(f"| call | modules | module changes | {' | '.join(COUNTED)} | requests |")
    print(f"|---|{'---:|' * (len(COUNTED) + 3)}")
    for name, prepare in CASES.items():
        traced(prepare)
        trace, requests = traced(prepare)
        counts = [len(trace.modules), trace.changes, *(trace.counted[each] for each in COUNTED), requests]
        print(f"| {name} | {' | '.join(map(str, counts))} |")
        if "--modules" in sys.argv:
            for module, calls in sorted(trace.modules.items()):
                print(f"  {calls:6} {module}")


if __name__ == "__main__":
    main()
