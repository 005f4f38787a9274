"""One of many runs that are wanted at once, and how far it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from canvas_reports_nb.exceptions import CanvasReportsError
from canvas_reports_nb.models import RunStatus
from canvas_reports_nb.run_lines import RunLine

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from canvas_reports_nb.models import ReportRun
    from canvas_reports_nb.obtaining import Runs
    from canvas_reports_nb.progress import ProgressEvent
    from canvas_reports_nb.results import ReportResult

__all__ = ["Task"]


@dataclass(slots=True, eq=False)
class Task:
    """One run that is wanted, and how far it is.

    Attributes
    ----------
    runs : Runs
        Of its account.
    report : str
    wire : mapping
        Its parameters, checked.
    label : str
    known : collection of int or None
        The runs Canvas's list held before it is started; ``None`` where it was not read.
    run : ReportRun or None
        As Canvas last told it; ``None`` until it is started.
    result : ReportResult or None
    error : CanvasReportsError or None
    rows : int or None
        Of all tables of the result.
    """

    runs: Runs
    report: str
    wire: Mapping[str, Any]
    label: str
    known: Collection[int] | None = None
    run: ReportRun | None = None
    result: ReportResult | None = None
    error: CanvasReportsError | None = None
    rows: int | None = None
    began: float | None = None
    took: float | None = None
    is_ours: bool = False
    fetches: int = 0
    fetched: ProgressEvent | None = None

    def join(self, run: ReportRun, *, ours: bool = False) -> None:
        """Let a run serve the task."""
        self.run, self.is_ours, self.began = run, ours, self.runs.clock()

    def settle(self, outcome: ReportResult | CanvasReportsError) -> None:
        """End the task with its result or its error."""
        if isinstance(outcome, CanvasReportsError):
            # One that has a result may still turn out not to have what was wanted of it.
            self.error, self.result, self.rows = outcome, None, None
        else:
            self.result = outcome
            self.rows = sum(outcome.load("arrow", table, []).num_rows for table in outcome.tables)
        if self.began is not None:
            self.took = self.runs.clock() - self.began

    @property
    def is_settled(self) -> bool:
        """Whether nothing more will be done."""
        return self.result is not None or self.error is not None

    @property
    def is_in_flight(self) -> bool:
        """Whether it runs on Canvas, or did when last seen."""
        return not self.is_settled and self.run is not None and not self.run.is_ended

    @property
    def group(self) -> tuple[str, str]:
        """One list of Canvas's tells of all tasks that share this."""
        return self.runs.account, self.report

    def line(self, now: float) -> RunLine:
        """The task as a line of the table."""
        run, elapsed = self.run, self.took
        if elapsed is None:
            elapsed = 0.0 if self.began is None else now - self.began
        if self.result is not None:
            run_id = self.result.provenance["run_id"]
            return RunLine(self.label, run_id, "done", 1.0, self.rows, elapsed)
        if self.error is not None:
            return RunLine(self.label, run.id if run else self.error.run_id, "failed", elapsed=elapsed)
        if run is None:
            return RunLine(self.label)
        if self.fetched is not None:
            return RunLine(self.label, run.id, self.fetched.stage, self.fetched.fraction, elapsed=elapsed)
        state = "queued" if run.status == RunStatus.CREATED else run.status
        return RunLine(self.label, run.id, state, (run.progress or 0) / 100, run.current_line, elapsed)
