"""Stand-ins that several tests of runs share."""

from pathlib import Path

from canvas_reports_nb.frames.provenance import Provenance
from canvas_reports_nb.runs.progress import ProgressEvent
from canvas_reports_nb.store.stored_run import ReportResult

GRADES = "grade_export_csv"


class Recorder:
    """A sink that records its events, and how often it was closed."""

    def __init__(self) -> None:
        self.events: list[ProgressEvent] = []
        self.closed = 0

    def show(self, event: ProgressEvent) -> None:
        self.events.append(event)

    def close(self) -> None:
        self.closed += 1


def stored(run_id: int = 7, rows: int = 3, ended_at: str | None = None) -> ReportResult:
    """Return a stored run of one table, without files."""
    made = Provenance(report=GRADES, run_id=run_id, rows=rows, ended_at=ended_at).to_dict()
    tables = {GRADES: {"provenance": made}}
    return ReportResult(Path("unused"), {"provenance": made, "tables": tables, "raw": {"file": "raw.csv"}})
