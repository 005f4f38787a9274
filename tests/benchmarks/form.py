"""Measure how fast the form answers: ``python tests/benchmarks/form.py``.

Prints a table in Markdown: the first paint on the demo, every click while a run goes on, and how many requests
the main thread sent (none is promised). The best of some rounds counts, since whatever else the machine does
can only slow them down. The kernel's share alone; a browser adds its own.
"""

from __future__ import annotations

import threading
import time
from collections import Counter, defaultdict
from statistics import median
from typing import TYPE_CHECKING, Any

import canvas_reports_nb as crn
from canvas_reports_nb.canvas_api.transport import Transport

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PAINT_MS, CLICK_MS, ROUNDS = 1000, 100, 7


def parts(widget: Any) -> Iterator[Any]:
    """A widget and all inside it."""
    yield widget
    for child in getattr(widget, "children", ()):
        yield from parts(child)


def part(form: Any, css: str) -> Any:
    """The control of this class."""
    return next(each for each in parts(form) if css in getattr(each, "_dom_classes", ()))


def settle(name: str = "canvas-reports-background") -> None:
    """Wait for the threads of this name."""
    for thread in threading.enumerate():
        if thread.name == name:
            thread.join()


def milliseconds(action: Callable[[], Any]) -> float:
    """How long an action takes."""
    begun = time.perf_counter()
    action()
    return (time.perf_counter() - begun) * 1000


def count_callers() -> Counter[bool]:
    """Requests from now on, by whether the main thread sent them."""
    callers: Counter[bool] = Counter()
    send = Transport._send

    def counted(self: Transport, *given: Any) -> Any:
        callers[threading.current_thread() is threading.main_thread()] += 1
        return send(self, *given)

    Transport._send = counted
    return callers


def clicks(form: Any) -> Iterator[tuple[str, float]]:
    """What a user does while a run goes on, and how long the kernel is busy with it."""
    chooser = part(form, "crn-reports")
    for report in ("provisioning_csv", "grade_export_csv", "zero_activity_csv"):
        yield f"choose {report}", milliseconds(lambda name=report: setattr(chooser, "value", name))
        settle()
    term = part(form, "crn-param-enrollment_term_id").children[0]
    yield "set a term", milliseconds(lambda: setattr(term, "value", term.options[0]))
    yield "start once more", milliseconds(part(form, "crn-run").click)
    yield "refresh", milliseconds(part(form, "crn-refresh").click)
    yield "abort", milliseconds(part(form, "crn-stop").click)


def main() -> None:
    """Measure and print."""
    taken: dict[str, list[float]] = defaultdict(list)
    promised: dict[str, int] = {}
    with crn.demo(duration=60) as canvas:
        canvas.reports()  # the demo's own university is built by the first request
        callers = count_callers()
        for _ in range(ROUNDS):
            begun = time.perf_counter()
            form = crn.report_form(canvas)
            built = (time.perf_counter() - begun) * 1000
            settle()
            listed = (time.perf_counter() - begun) * 1000
            part(form, "crn-reports").value = "grade_export_csv"
            settle()
            part(form, "crn-run").click()
            found = [("first paint", built, PAINT_MS), ("reports and terms listed", listed, PAINT_MS)]
            found += [(name, took, CLICK_MS) for name, took in clicks(form)]
            for name, took, most in found:
                taken[name].append(took)
                promised[name] = most
            settle("canvas-reports-run")
            settle()
    print(f"| what | best of {ROUNDS}, ms | median, ms | promised, ms | kept |\n|---|---:|---:|---:|---|")
    for name, each in taken.items():
        best, most = min(each), promised[name]
        print(f"| {name} | {best:.0f} | {median(each):.0f} | {most} | {'yes' if best <= most else 'NO'} |")
    print(
        f"| requests of the main thread (of {callers.total()}) | {callers[True]} | | 0 | {'NO' if callers[True] else 'yes'} |"
    )


if __name__ == "__main__":
    main()
