"""Read 40 reports at once from a demo Canvas that runs 4 at a time: ``python tests/benchmarks/fanout.py``.

Prints one line per case: the time taken compared with the ideal, and the number of requests. The demo's clock is
stepped, so nothing waits.
"""

from __future__ import annotations

import tempfile
from datetime import UTC, datetime

import canvas_reports_nb as crn
from canvas_reports_nb import demo_canvas

TERMS = (1, 6, 7, 8, 9, 10, 11, 12, 13, 14)
LISTS = (
    "grade_export_csv", "last_user_access_csv", "unused_courses_csv", "course_storage_csv", "zero_activity_csv",
    "public_courses_csv", "unpublished_courses_csv", "recently_deleted_courses_csv", "lti_report_csv",
    "last_enrollment_activity_csv",
)  # fmt: skip
MIXES = {
    "1 list": crn.requests_for(
        "zero_activity_csv",
        start_at=[f"2026-01-{day:02}" for day in range(1, 21)],
        enrollment_term_id=[12, 13],
    ),
    "4 lists": crn.requests_for("grade_export_csv", terms=TERMS, accounts=["self", 2, 3, 7]),
    "40 lists": crn.requests_for(LISTS, accounts=["self", 2, 3, 7]),
}
WIDTH = 4


def measure(mix: str, duration: float, scenario: str | None) -> str:
    """Measure one case and return it as a line of the table."""
    clock = demo_canvas.SteppedClock(datetime(2026, 3, 2, 16, tzinfo=UTC))
    options = {"clock": clock, "enrollments": 100, "scenarios": [scenario] if scenario else []}
    with (
        demo_canvas.serve(width=WIDTH, duration=duration, **options) as server,
        tempfile.TemporaryDirectory() as store,
    ):
        canvas = crn.connect(
            server.url,
            server.token,
            store=store,
            clock=lambda: clock.now().timestamp(),
            sleep=lambda seconds: clock.advance(seconds) and None,
        )
        began = clock.now()
        canvas.obtain_reports(MIXES[mix], progress=False)
        took = (clock.now() - began).total_seconds()
        canvas.close()
        log = server.log
    runs = sum(record.method == "POST" and record.status == 200 for record in log)
    polls = sum(record.method == "GET" and "/reports/" in record.path for record in log)
    throttled = sum(record.status in {403, 429} for record in log)
    ideal = runs * duration / WIDTH
    hours = max(took / 3600, 1.0)
    return (
        f"{mix:9} {scenario or '-':13} {runs:4} {duration:6.0f} s {ideal:8.0f} s {took:8.0f} s"
        f" {took / ideal:6.3f} {polls:9} {polls / hours:9.0f} {throttled:9}"
    )


def main() -> None:
    """Measure all cases and print the table."""
    print("lists     throttle      runs  each run     ideal      took  ratio     polls  per hour throttled")
    cases: list[tuple[str, float, str | None]] = [
        (mix, duration, None) for mix in MIXES for duration in (10, 60, 600, 1800)
    ]
    cases += [(mix, 600, scenario) for mix in MIXES for scenario in ("throttle_403", "throttle_429")]
    for case in cases:
        print(measure(*case), flush=True)


if __name__ == "__main__":
    main()
